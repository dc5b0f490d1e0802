//! The statements in the SQL of PostgreSQL.

use crate::counters::statements::Sql;

/// Rows are locked by user and name, byte for byte, whatever the collation of the database.
macro_rules! lock {
    ($skip:literal) => {
        concat!(
            "SELECT counters.* \
            FROM (SELECT (value ->> 0)::uuid AS owner, value ->> 1 AS counter FROM json_array_elements($1::json)) AS line \
            JOIN counters ON user_id = line.owner AND name = line.counter \
            ORDER BY user_id, name COLLATE \"C\" FOR UPDATE OF counters ",
            $skip
        )
    };
}

pub(super) const SQL: Sql = Sql {
    take: Some(
        "UPDATE counters SET current = current + line.amount * step, updated_at = $1 \
    FROM unnest($2::uuid[], $3::text[], $4::bigint[]) AS line (owner, counter, amount) \
    WHERE user_id = line.owner AND name = line.counter AND current <= max - line.amount * step \
    RETURNING id, user_id, name, current, step, max, created_at, idempotency_records",
    ),
    take_skipping_locked: Some(
        "WITH locked AS ( \
        SELECT counters.id, line.amount \
        FROM unnest($2::uuid[], $3::text[], $4::bigint[]) AS line (owner, counter, amount) \
        JOIN counters ON user_id = line.owner AND name = line.counter \
        ORDER BY user_id, name COLLATE \"C\" FOR UPDATE OF counters SKIP LOCKED) \
    UPDATE counters SET current = current + locked.amount * step, updated_at = $1 \
    FROM locked WHERE counters.id = locked.id AND current <= max - locked.amount * step \
    RETURNING counters.id, user_id, name, current, step, max, created_at, idempotency_records",
    ),
    lock: lock!(""),
    lock_skipping_locked: lock!("SKIP LOCKED"),
    show: "SELECT id, user_id, name, current, step, max, created_at, idempotency_records, updated_at \
    FROM (SELECT (value ->> 0)::uuid AS owner, value ->> 1 AS counter FROM json_array_elements($1::json)) AS line \
    JOIN counters ON user_id = line.owner AND name = line.counter",
    store: "UPDATE counters SET current = line.shown, updated_at = $1, idempotency_records = line.records \
    FROM (SELECT (value ->> 0)::uuid AS counter, (value ->> 1)::bigint AS shown, (value ->> 2)::bigint AS records \
          FROM json_array_elements($2::json)) AS line \
    WHERE id = line.counter",
    // One by one through the primary key, whatever the planner believes of a table that grows all the time: joined, it
    // reads all of it for each batch.
    answers: "SELECT given.* \
    FROM (SELECT DISTINCT (value ->> 0)::uuid AS counter, value ->> 1 AS once \
          FROM json_array_elements($1::json)) AS line \
    CROSS JOIN LATERAL (SELECT * FROM counter_answers \
                        WHERE counter_id = line.counter AND \"key\" = line.once OFFSET 0) AS given",
    keep: "INSERT INTO counter_answers \
    (counter_id, \"key\", \"count\", set_to, if_current, previous, \"current\", created_at) \
    SELECT (value ->> 0)::uuid, value ->> 1, (value ->> 2)::bigint, (value ->> 3)::bigint, (value ->> 4)::bigint, \
           (value ->> 5)::bigint, (value ->> 6)::bigint, $1 \
    FROM json_array_elements($2::json) \
    ON CONFLICT (counter_id, \"key\") DO UPDATE SET \"count\" = excluded.\"count\", \
    set_to = excluded.set_to, if_current = excluded.if_current, previous = excluded.previous, \
    \"current\" = excluded.\"current\", created_at = excluded.created_at",
    // One by one as above. The counters are locked, so that no row moves between the two steps.
    remove: "DELETE FROM counter_answers WHERE ctid = ANY (ARRAY( \
    SELECT given.ctid \
    FROM (SELECT (value ->> 0)::uuid AS counter, value ->> 1 AS once FROM json_array_elements($1::json)) AS line \
    CROSS JOIN LATERAL (SELECT ctid FROM counter_answers \
                        WHERE counter_id = line.counter AND \"key\" = line.once OFFSET 0) AS given))",
    subtract: "UPDATE counters SET idempotency_records = greatest(idempotency_records - line.removed, 0) \
    FROM (SELECT (value ->> 0)::uuid AS counter, (value ->> 1)::bigint AS removed \
          FROM json_array_elements($1::json)) AS line \
    WHERE id = line.counter",
};
