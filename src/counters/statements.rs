//! The SQL of the group commit: the one place of this slice where the backends differ.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{ArrayType, ExprTrait, LockType};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QueryResult, QuerySelect, Statement, Value,
};

use crate::counters::counter;
use crate::counters::counter::Key;
use crate::error::Error;
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
    let lines: Vec<_> =
        amounts.iter().map(|(key, amount)| (key.owner.uuid().simple().to_string(), &*key.name, amount)).collect();
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

/// Reads these counters and, where several writers exist, locks them until the transaction ends.
pub(super) async fn lock<'k>(
    transaction: &DatabaseTransaction,
    keys: impl Iterator<Item = &'k Key>,
) -> Result<Vec<counter::Model>, Error> {
    let any = keys.fold(Condition::any(), |any, key| {
        let one = counter::Column::UserId.eq(key.owner).and(counter::Column::Name.eq(&*key.name));
        any.add(one)
    });
    let select =
        counter::Entity::find().filter(any).order_by_asc(counter::Column::UserId).order_by_asc(counter::Column::Name);
    let select = match transaction.get_database_backend() {
        DbBackend::Sqlite => select,
        _ => select.lock(LockType::Update),
    };
    Ok(select.all(transaction).await?)
}

/// Writes a counter back.
pub(super) async fn store(transaction: &DatabaseTransaction, counter: counter::Model) -> Result<(), Error> {
    let (current, updated_at) = (counter.current, counter.updated_at);
    let mut row = counter.into_active_model();
    row.current = sea_orm::ActiveValue::Set(current);
    row.updated_at = sea_orm::ActiveValue::Set(updated_at);
    row.update(transaction).await?;
    Ok(())
}
