//! The SQL of the group commit: the one place of this slice where the backends differ.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryResult, Statement, Value};
use serde::Serialize;
use uuid::Uuid;

use crate::counters::counter::Key;
use crate::counters::{answer, counter};
use crate::error::Error;
use crate::id::CounterId;
use crate::store::{Backend, Database};

/// Advances each counter by its amount of steps and returns its new row. A counter that does not exist, or
/// that has not room for all of them, is left as it is and not returned.
///
/// The rows come as JSON, so that one prepared statement serves batches of every size.
const TAKE_SQLITE: &str = "UPDATE counters SET current = current + line.amount * step, updated_at = ?1 \
    FROM (SELECT unhex(value ->> 0) AS owner, value ->> 1 AS counter, value ->> 2 AS amount FROM json_each(?2)) AS line \
    WHERE user_id = line.owner AND name = line.counter AND current <= max - line.amount * step \
    RETURNING id, user_id, name, current, step, max, created_at";

const TAKE_POSTGRES: &str = "UPDATE counters SET current = current + line.amount * step, updated_at = $1 \
    FROM unnest($2::uuid[], $3::text[], $4::bigint[]) AS line (owner, counter, amount) \
    WHERE user_id = line.owner AND name = line.counter AND current <= max - line.amount * step \
    RETURNING id, user_id, name, current, step, max, created_at";

/// The rest of the SQL is for lines that must be decided one by one. Its rows come as JSON as well: conditions joined by
/// OR would be another statement for each size, and beyond 1,000 of them SQLite refuses.
const LOCK_SQLITE: &str = "SELECT counters.* \
    FROM (SELECT unhex(value ->> 0) AS owner, value ->> 1 AS counter FROM json_each(?1)) AS line \
    CROSS JOIN counters ON user_id = line.owner AND name = line.counter";

const LOCK_POSTGRES: &str = "SELECT counters.* \
    FROM (SELECT (value ->> 0)::uuid AS owner, value ->> 1 AS counter FROM json_array_elements($1::json)) AS line \
    JOIN counters ON user_id = line.owner AND name = line.counter ORDER BY user_id, name FOR UPDATE OF counters";

const STORE_SQLITE: &str = "UPDATE counters SET current = line.shown, updated_at = ?1 \
    FROM (SELECT unhex(value ->> 0) AS counter, value ->> 1 AS shown FROM json_each(?2)) AS line \
    WHERE id = line.counter";

const STORE_POSTGRES: &str = "UPDATE counters SET current = line.shown, updated_at = $1 \
    FROM (SELECT (value ->> 0)::uuid AS counter, (value ->> 1)::bigint AS shown \
          FROM json_array_elements($2::json)) AS line \
    WHERE id = line.counter";

const ANSWERS_SQLITE: &str = "SELECT counter_answers.* \
    FROM (SELECT unhex(value ->> 0) AS counter, value ->> 1 AS once FROM json_each(?2)) AS line \
    CROSS JOIN counter_answers ON counter_id = line.counter AND \"key\" = line.once WHERE created_at > ?1";

const ANSWERS_POSTGRES: &str = "SELECT counter_answers.* \
    FROM (SELECT DISTINCT (value ->> 0)::uuid AS counter, value ->> 1 AS once \
          FROM json_array_elements($2::json)) AS line \
    JOIN counter_answers ON counter_id = line.counter AND \"key\" = line.once WHERE created_at > $1";

const KEEP_SQLITE: &str = "INSERT INTO counter_answers \
    (counter_id, \"key\", \"count\", set_to, if_current, previous, \"current\", created_at) \
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, ?1 \
    FROM json_each(?2) WHERE true";

const KEEP_POSTGRES: &str = "INSERT INTO counter_answers \
    (counter_id, \"key\", \"count\", set_to, if_current, previous, \"current\", created_at) \
    SELECT (value ->> 0)::uuid, value ->> 1, (value ->> 2)::bigint, (value ->> 3)::bigint, (value ->> 4)::bigint, \
           (value ->> 5)::bigint, (value ->> 6)::bigint, $1 \
    FROM json_array_elements($2::json)";

const REPLACE: &str = "ON CONFLICT (counter_id, \"key\") DO UPDATE SET \"count\" = excluded.\"count\", \
    set_to = excluded.set_to, if_current = excluded.if_current, previous = excluded.previous, \
    \"current\" = excluded.\"current\", created_at = excluded.created_at";

pub(super) async fn take(
    database: &Database,
    now: DateTime<Utc>,
    amounts: &[(Key, i64)],
) -> Result<Vec<counter::Model>, Error> {
    let statement = match database.backend() {
        Backend::Sqlite => take_sqlite(now, amounts)?,
        Backend::Postgres => take_postgres(now, amounts),
    };
    let rows = database.write_statement(statement).await?;
    Ok(rows.iter().map(|row| read(row, now)).collect::<Result<_, DbErr>>()?)
}

/// By position, because a batch of many users has as many rows: finding columns by name costs more than reading
/// them.
fn read(row: &QueryResult, now: DateTime<Utc>) -> Result<counter::Model, DbErr> {
    Ok(counter::Model {
        id: row.try_get_by_index(0)?,
        user_id: row.try_get_by_index(1)?,
        name: row.try_get_by_index(2)?,
        current: row.try_get_by_index(3)?,
        step: row.try_get_by_index(4)?,
        max: row.try_get_by_index(5)?,
        created_at: row.try_get_by_index(6)?,
        updated_at: now,
    })
}

fn take_sqlite(now: DateTime<Utc>, amounts: &[(Key, i64)]) -> Result<Statement, Error> {
    let lines: Vec<_> = amounts.iter().map(|(key, amount)| (hex(key.owner.uuid()), &*key.name, amount)).collect();
    let lines = serde_json::to_string(&lines).map_err(Error::internal)?;
    Ok(Statement::from_sql_and_values(DbBackend::Sqlite, TAKE_SQLITE, [now.into(), lines.into()]))
}

fn take_postgres(now: DateTime<Utc>, amounts: &[(Key, i64)]) -> Statement {
    let array = |kind, values: Vec<Value>| Value::Array(kind, Some(Box::new(values)));
    let owners = amounts.iter().map(|(key, _)| key.owner.uuid().into()).collect();
    let names = amounts.iter().map(|(key, _)| key.name.to_string().into()).collect();
    let counts = amounts.iter().map(|(_, amount)| (*amount).into()).collect();
    let values =
        [now.into(), array(ArrayType::Uuid, owners), array(ArrayType::String, names), array(ArrayType::BigInt, counts)];
    Statement::from_sql_and_values(DbBackend::Postgres, TAKE_POSTGRES, values)
}

/// Reads these counters and, where several writers exist, locks them until the transaction ends: every replica in the
/// same order.
pub(super) async fn lock<'k>(
    transaction: &DatabaseTransaction,
    keys: impl Iterator<Item = &'k Key>,
) -> Result<Vec<counter::Model>, Error> {
    let lines: Vec<_> = keys.map(|key| (hex(key.owner.uuid()), &*key.name)).collect();
    let statement = by_lines(transaction, (LOCK_SQLITE, LOCK_POSTGRES), [], &lines)?;
    Ok(counter::Entity::find().from_raw_sql(statement).all(transaction).await?)
}

/// Writes what these counters show, as of `now`.
pub(super) async fn store(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
    counters: &[(CounterId, i64)],
) -> Result<(), Error> {
    if counters.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = counters.iter().map(|(id, current)| (hex(id.uuid()), current)).collect();
    let statement = by_lines(transaction, (STORE_SQLITE, STORE_POSTGRES), [now.into()], &lines)?;
    transaction.execute_raw(statement).await?;
    Ok(())
}

/// The answers given under these keys after `since`.
pub(super) async fn list_answers(
    transaction: &DatabaseTransaction,
    since: DateTime<Utc>,
    keys: &[(CounterId, &str)],
) -> Result<Vec<answer::Model>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let lines: Vec<_> = keys.iter().map(|(counter, key)| (hex(counter.uuid()), key)).collect();
    let statement = by_lines(transaction, (ANSWERS_SQLITE, ANSWERS_POSTGRES), [since.into()], &lines)?;
    Ok(answer::Entity::find().from_raw_sql(statement).all(transaction).await?)
}

/// Keeps answers, all of them given at `now`, in place of those that are too old to count.
pub(super) async fn keep_answers(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
    answers: &[answer::Model],
) -> Result<(), Error> {
    if answers.is_empty() {
        return Ok(());
    }
    let line = |answer: &answer::Model| {
        let answer::Model { counter_id, count, set_to, if_current, previous, current, .. } = *answer;
        (hex(counter_id.uuid()), answer.key.clone(), count, set_to, if_current, previous, current)
    };
    let lines: Vec<_> = answers.iter().map(line).collect();
    let (sqlite, postgres) = (format!("{KEEP_SQLITE} {REPLACE}"), format!("{KEEP_POSTGRES} {REPLACE}"));
    let statement = by_lines(transaction, (&sqlite, &postgres), [now.into()], &lines)?;
    transaction.execute_raw(statement).await?;
    Ok(())
}

/// The statement for this backend, with the lines as its last value.
fn by_lines<const N: usize>(
    transaction: &DatabaseTransaction,
    (sqlite, postgres): (&str, &str),
    values: [Value; N],
    lines: &impl Serialize,
) -> Result<Statement, Error> {
    let lines = serde_json::to_string(lines).map_err(Error::internal)?;
    let backend = transaction.get_database_backend();
    let sql = if backend == DbBackend::Sqlite { sqlite } else { postgres };
    Ok(Statement::from_sql_and_values(backend, sql, values.into_iter().chain([lines.into()])))
}

fn hex(id: Uuid) -> String {
    id.simple().to_string()
}
