//! The statements in the SQL of MariaDB and MySQL, where values have no numbers: the lines come first.
//!
//! An UPDATE returns no rows there, so every order is decided one by one.

use crate::counters::statements::Sql;

/// Rows are locked as they are found: in the order of the lines. Without the name of the index, a small table would be
/// scanned instead, and locked in another order.
macro_rules! lock {
    ($locking:literal) => {
        concat!(
            "SELECT STRAIGHT_JOIN counters.* \
            FROM JSON_TABLE(?, '$[*]' COLUMNS (owner CHAR(32) PATH '$[0]', counter VARCHAR(128) PATH '$[1]')) AS line \
            JOIN counters FORCE INDEX (counters_user_id_name) \
            ON user_id = UNHEX(line.owner) AND name = line.counter ",
            $locking
        )
    };
}

pub(super) const SQL: Sql = Sql {
    take: None,
    take_skipping_locked: None,
    lock: lock!("FOR UPDATE"),
    lock_skipping_locked: lock!("FOR UPDATE SKIP LOCKED"),
    show: "SELECT STRAIGHT_JOIN id, user_id, name, current, step, max, created_at, idempotency_records, updated_at \
    FROM JSON_TABLE(?, '$[*]' COLUMNS (owner CHAR(32) PATH '$[0]', counter VARCHAR(128) PATH '$[1]')) AS line \
    JOIN counters ON user_id = UNHEX(line.owner) AND name = line.counter",
    store: "UPDATE \
    JSON_TABLE(?, '$[*]' COLUMNS (counter CHAR(32) PATH '$[0]', shown BIGINT PATH '$[1]', records BIGINT PATH '$[2]')) \
    AS line STRAIGHT_JOIN counters FORCE INDEX (PRIMARY) ON id = UNHEX(line.counter) \
    SET current = line.shown, idempotency_records = line.records, updated_at = ?",
    answers: "SELECT STRAIGHT_JOIN counter_answers.* \
    FROM JSON_TABLE(?, '$[*]' COLUMNS (counter CHAR(32) PATH '$[0]', once VARCHAR(128) PATH '$[1]')) AS line \
    JOIN counter_answers ON counter_id = UNHEX(line.counter) AND `key` = line.once",
    keep: "INSERT INTO counter_answers \
    (counter_id, `key`, `count`, set_to, if_current, previous, `current`, created_at) \
    WITH line AS (SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS ( \
        counter CHAR(32) PATH '$[0]', once VARCHAR(128) PATH '$[1]', taken BIGINT PATH '$[2]', \
        set_to BIGINT PATH '$[3]', if_current BIGINT PATH '$[4]', previous BIGINT PATH '$[5]', shown BIGINT PATH '$[6]' \
    )) AS answer) \
    SELECT UNHEX(counter), once, taken, line.set_to, line.if_current, line.previous, shown, ? FROM line \
    ON DUPLICATE KEY UPDATE `count` = VALUES(`count`), set_to = VALUES(set_to), \
    if_current = VALUES(if_current), previous = VALUES(previous), `current` = VALUES(`current`), \
    created_at = VALUES(created_at)",
    remove: "DELETE counter_answers FROM \
    JSON_TABLE(?, '$[*]' COLUMNS (counter CHAR(32) PATH '$[0]', once VARCHAR(128) PATH '$[1]')) AS line \
    STRAIGHT_JOIN counter_answers ON counter_id = UNHEX(line.counter) AND `key` = line.once",
    subtract: "UPDATE \
    JSON_TABLE(?, '$[*]' COLUMNS (counter CHAR(32) PATH '$[0]', removed BIGINT PATH '$[1]')) AS line \
    STRAIGHT_JOIN counters ON id = UNHEX(line.counter) \
    SET idempotency_records = GREATEST(idempotency_records - line.removed, 0)",
};
