//! The statements in the SQL of SQLite.

use crate::counters::statements::Sql;

/// One transaction writes at a time: there are no locks of rows.
const LOCK: &str = "SELECT counters.* \
    FROM (SELECT unhex(value ->> 0) AS owner, value ->> 1 AS counter FROM json_each(?1)) AS line \
    CROSS JOIN counters ON user_id = line.owner AND name = line.counter";

pub(super) const SQL: Sql = Sql {
    take: Some(
        "UPDATE counters SET current = current + line.amount * step, updated_at = ?1 \
    FROM (SELECT unhex(value ->> 0) AS owner, value ->> 1 AS counter, value ->> 2 AS amount FROM json_each(?2)) AS line \
    WHERE user_id = line.owner AND name = line.counter AND current <= max - line.amount * step \
    RETURNING id, user_id, name, current, step, max, created_at, idempotency_records",
    ),
    take_skipping_locked: None,
    lock: LOCK,
    lock_skipping_locked: LOCK,
    show: "SELECT id, user_id, name, current, step, max, created_at, idempotency_records, updated_at \
    FROM (SELECT unhex(value ->> 0) AS owner, value ->> 1 AS counter FROM json_each(?1)) AS line \
    CROSS JOIN counters ON user_id = line.owner AND name = line.counter",
    store: "UPDATE counters SET current = line.shown, updated_at = ?1, idempotency_records = line.records \
    FROM (SELECT unhex(value ->> 0) AS counter, value ->> 1 AS shown, value ->> 2 AS records FROM json_each(?2)) AS line \
    WHERE id = line.counter",
    answers: "SELECT counter_answers.* \
    FROM (SELECT unhex(value ->> 0) AS counter, value ->> 1 AS once FROM json_each(?1)) AS line \
    CROSS JOIN counter_answers ON counter_id = line.counter AND \"key\" = line.once",
    keep: "INSERT INTO counter_answers \
    (counter_id, \"key\", \"count\", set_to, if_current, previous, \"current\", created_at) \
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, ?1 \
    FROM json_each(?2) WHERE true \
    ON CONFLICT (counter_id, \"key\") DO UPDATE SET \"count\" = excluded.\"count\", \
    set_to = excluded.set_to, if_current = excluded.if_current, previous = excluded.previous, \
    \"current\" = excluded.\"current\", created_at = excluded.created_at",
    remove: "DELETE FROM counter_answers WHERE (counter_id, \"key\") IN \
    (SELECT unhex(value ->> 0), value ->> 1 FROM json_each(?1))",
    subtract: "UPDATE counters SET idempotency_records = max(idempotency_records - line.removed, 0) \
    FROM (SELECT unhex(value ->> 0) AS counter, value ->> 1 AS removed FROM json_each(?1)) AS line \
    WHERE id = line.counter",
};
