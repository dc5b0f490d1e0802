//! The SQL of the group commit and of the watchers: the one place of this slice where the backends differ. It is written
//! out because SeaQuery has no tables made of JSON or arrays.

mod mysql;
mod postgres;
mod sqlite;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryResult, Statement, Value};
use serde::Serialize;
use uuid::Uuid;

use crate::counters::counter::Key;
use crate::counters::{answer, counter};
use crate::error::Error;
use crate::id::CounterId;
use crate::store::{Database, DatabaseTransaction};

/// The statements of one backend. Each takes its lines as a JSON array, so that one prepared statement serves batches of
/// every size: conditions joined by OR would be another statement for each size, and beyond 1,000 of them SQLite refuses.
struct Sql {
    /// Advances each counter by its amount of steps and returns its new row. A counter that does not exist, or that has
    /// not room for all of them, is left as it is and not returned. `None` where an UPDATE returns nothing.
    take: Option<&'static str>,
    /// The same for the counters whose rows no other transaction has locked, if the database can tell.
    take_skipping_locked: Option<&'static str>,
    /// The whole rows; where several writers exist, locked until the transaction ends, by every replica in one order.
    lock: &'static str,
    /// The same without the rows that other transactions have locked.
    lock_skipping_locked: &'static str,
    /// The counters as they are, without a lock.
    show: &'static str,
    /// Writes what the counters show, and how many idempotency records they have.
    store: &'static str,
    /// The answers that were given under keys, however old.
    answers: &'static str,
    /// Keeps answers, in place of those that are too old to count.
    keep: &'static str,
    /// Removes answers by counter and key.
    remove: &'static str,
    /// Subtracts removed answers from the counters' numbers of idempotency records.
    subtract: &'static str,
}

fn sql(backend: DbBackend) -> &'static Sql {
    match backend {
        DbBackend::Sqlite => &sqlite::SQL,
        DbBackend::MySql => &mysql::SQL,
        _ => &postgres::SQL,
    }
}

/// The treatment of rows that other transactions have locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnLock {
    /// The statement waits, and fails if it has waited too long: see [`is_lock_timeout`](crate::store::is_lock_timeout).
    Wait,
    /// The statement leaves them out.
    Skip,
}

/// Advances these counters by so many steps. Those that were, are returned: the others are to be decided one by one.
pub(super) async fn take(
    database: &Database,
    now: DateTime<Utc>,
    amounts: &[(Key, i64)],
    on_lock: OnLock,
) -> Result<Vec<counter::Model>, Error> {
    let backend = database.reader().get_database_backend();
    let take = match on_lock {
        OnLock::Wait => sql(backend).take,
        OnLock::Skip => sql(backend).take_skipping_locked,
    };
    let Some(take) = take else { return Ok(Vec::new()) };
    let statement = match backend {
        DbBackend::Postgres => Statement::from_sql_and_values(backend, take, arrays(now, amounts)),
        _ => {
            let lines: Vec<_> =
                amounts.iter().map(|(key, amount)| (hex(key.owner.uuid()), &*key.name, amount)).collect();
            by_lines(backend, take, [now.into()], &lines)?
        }
    };
    let rows = database.group_commit_writer().write_statement(statement).await?;
    Ok(rows.iter().map(|row| read(row, Some(now))).collect::<Result<_, DbErr>>()?)
}

/// By position, because a batch of many users has as many rows: finding columns by name costs more than reading
/// them. `updated_at` is the last column where the statement does not set it.
fn read(row: &QueryResult, updated_at: Option<DateTime<Utc>>) -> Result<counter::Model, DbErr> {
    Ok(counter::Model {
        id: row.try_get_by_index(0)?,
        user_id: row.try_get_by_index(1)?,
        name: row.try_get_by_index(2)?,
        current: row.try_get_by_index(3)?,
        step: row.try_get_by_index(4)?,
        max: row.try_get_by_index(5)?,
        created_at: row.try_get_by_index(6)?,
        updated_at: updated_at.map_or_else(|| row.try_get_by_index(8), Ok)?,
        // A deleted counter has no name that a line could have.
        deleted_at: None,
        idempotency_records: row.try_get_by_index(7)?,
    })
}

/// PostgreSQL unpacks arrays faster than JSON.
fn arrays(now: DateTime<Utc>, amounts: &[(Key, i64)]) -> [Value; 4] {
    let array = |kind, values: Vec<Value>| Value::Array(kind, Some(Box::new(values)));
    let owners = amounts.iter().map(|(key, _)| key.owner.uuid().into()).collect();
    let names = amounts.iter().map(|(key, _)| key.name.to_string().into()).collect();
    let counts = amounts.iter().map(|(_, amount)| (*amount).into()).collect();
    [now.into(), array(ArrayType::Uuid, owners), array(ArrayType::String, names), array(ArrayType::BigInt, counts)]
}

/// Reads these counters and, where several writers exist, locks them until the transaction ends: every replica in the
/// same order.
pub(super) async fn lock<'k>(
    transaction: &DatabaseTransaction,
    keys: impl Iterator<Item = &'k Key>,
    on_lock: OnLock,
) -> Result<Vec<counter::Model>, Error> {
    let mut lines: Vec<_> = keys.map(|key| (hex(key.owner.uuid()), &*key.name)).collect();
    lines.sort_unstable();
    let backend = transaction.get_database_backend();
    let lock = match on_lock {
        OnLock::Wait => sql(backend).lock,
        OnLock::Skip => sql(backend).lock_skipping_locked,
    };
    let statement = by_lines(backend, lock, [], &lines)?;
    Ok(counter::Entity::find().from_raw_sql(statement).all(transaction).await?)
}

/// Returns those of these counters that exist. Waits for no lock.
pub(super) async fn show(db: &impl ConnectionTrait, keys: &[Key]) -> Result<HashMap<Key, counter::Model>, Error> {
    let lines: Vec<_> = keys.iter().map(|key| (hex(key.owner.uuid()), &*key.name)).collect();
    let backend = db.get_database_backend();
    let statement = by_lines(backend, sql(backend).show, [], &lines)?;
    let rows = db.query_all_raw(statement).await?;
    let shown = rows.iter().map(|row| {
        let counter = read(row, None)?;
        Ok((Key { owner: counter.user_id, name: counter.name.as_str().into() }, counter))
    });
    Ok(shown.collect::<Result<_, DbErr>>()?)
}

/// Writes what these locked counters show, as of `now`, and how many idempotency records they have.
pub(super) async fn store(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
    counters: &[(CounterId, i64, i64)],
) -> Result<(), Error> {
    if counters.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = counters.iter().map(|(id, current, records)| (hex(id.uuid()), current, records)).collect();
    let backend = transaction.get_database_backend();
    let statement = by_lines(backend, sql(backend).store, [now.into()], &lines)?;
    transaction.execute_raw(statement).await?;
    Ok(())
}

/// The answers given under these keys, however old.
pub(super) async fn list_answers(
    transaction: &DatabaseTransaction,
    keys: &[(CounterId, &str)],
) -> Result<Vec<answer::Model>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let lines: Vec<_> = keys.iter().map(|(counter, key)| (hex(counter.uuid()), key)).collect();
    let backend = transaction.get_database_backend();
    let statement = by_lines(backend, sql(backend).answers, [], &lines)?;
    Ok(answer::Entity::find().from_raw_sql(statement).all(transaction).await?)
}

/// Removes these answers of locked counters, and subtracts them from the counters' numbers of records.
pub(super) async fn remove_answers(transaction: &DatabaseTransaction, keys: &[(CounterId, &str)]) -> Result<(), Error> {
    let mut removed: BTreeMap<CounterId, i64> = BTreeMap::new();
    for (counter, _) in keys {
        *removed.entry(*counter).or_default() += 1;
    }
    if removed.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = keys.iter().map(|(counter, key)| (hex(counter.uuid()), key)).collect();
    let counts: Vec<_> = removed.iter().map(|(counter, count)| (hex(counter.uuid()), count)).collect();
    let backend = transaction.get_database_backend();
    transaction.execute_raw(by_lines(backend, sql(backend).remove, [], &lines)?).await?;
    transaction.execute_raw(by_lines(backend, sql(backend).subtract, [], &counts)?).await?;
    Ok(())
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
    let mut lines: Vec<_> = answers.iter().map(line).collect();
    // Answers that replace others lock them: every replica in the same order.
    lines.sort_unstable();
    let backend = transaction.get_database_backend();
    let statement = by_lines(backend, sql(backend).keep, [now.into()], &lines)?;
    transaction.execute_raw(statement).await?;
    Ok(())
}

/// A statement with the lines as its last value; on MySQL, where values have no numbers, as its first.
fn by_lines<const N: usize>(
    backend: DbBackend,
    sql: &str,
    values: [Value; N],
    lines: &impl Serialize,
) -> Result<Statement, Error> {
    let lines = [Value::from(serde_json::to_string(lines).map_err(Error::internal)?)];
    Ok(match backend {
        DbBackend::MySql => Statement::from_sql_and_values(backend, sql, lines.into_iter().chain(values)),
        _ => Statement::from_sql_and_values(backend, sql, values.into_iter().chain(lines)),
    })
}

fn hex(id: Uuid) -> String {
    id.simple().to_string()
}
