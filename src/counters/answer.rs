//! An answer that was given once under an idempotency key, kept so that a retry gets it again.

use chrono::Utc;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait as _, Query, SelectStatement};
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use crate::accounts::idempotency;
use crate::counters::counter;
use crate::counters::order::{Order, Outcome};
use crate::error::Error;
use crate::id::CounterId;

/// A row of `counter_answers`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "counter_answers")]
pub struct Model {
    /// Which counter.
    #[sea_orm(primary_key, auto_increment = false)]
    pub counter_id: CounterId,
    /// Under which key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// How many were to be taken.
    pub count: Option<i64>,
    /// What was to be set.
    pub set_to: Option<i64>,
    /// If it was still this.
    pub if_current: Option<i64>,
    /// The integer before.
    pub previous: i64,
    /// The integer after.
    pub current: i64,
    /// When.
    pub created_at: DateTimeUtc,
}

/// Answers have no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether it is the answer to this order.
    pub(super) fn answers(&self, order: Order) -> bool {
        (self.count, self.set_to, self.if_current) == asked(order)
    }

    /// True if a retry at `now` still gets it.
    pub(super) fn is_live(&self, now: chrono::DateTime<Utc>) -> bool {
        self.created_at > idempotency::live_since(now)
    }

    /// What the first caller was told.
    pub(super) fn outcome(&self, counter: &counter::Model) -> Outcome {
        let counter = counter::Model { current: self.current, updated_at: self.created_at, ..counter.clone() };
        Outcome { previous: self.previous, counter, replayed: true }
    }

    /// What to keep of this outcome.
    pub(super) fn new(key: &str, order: Order, outcome: &Outcome) -> Self {
        let (count, set_to, if_current) = asked(order);
        Self {
            counter_id: outcome.counter.id,
            key: key.to_owned(),
            count,
            set_to,
            if_current,
            previous: outcome.previous,
            current: outcome.counter.current,
            created_at: outcome.counter.updated_at,
        }
    }
}

fn asked(order: Order) -> (Option<i64>, Option<i64>, Option<i64>) {
    match order {
        Order::Take { count } => (Some(count.into()), None, None),
        Order::Set { current, if_current } => (None, Some(current), if_current),
    }
}

/// The oldest answers that were given before `moment`.
pub(super) async fn list_expired(
    db: &impl ConnectionTrait,
    moment: chrono::DateTime<Utc>,
    limit: u64,
) -> Result<Vec<(CounterId, String)>, Error> {
    let expired = Entity::find().filter(Column::CreatedAt.lt(moment)).order_by_asc(Column::CreatedAt).limit(limit);
    let keys = expired.select_only().column(Column::CounterId).column(Column::Key);
    Ok(keys.into_tuple().all(db).await?)
}

/// Removes the first `rows` answers of a counter whose key follows `after`. Returns how many it removed, and the
/// last of their keys if there may be more. Nothing may add to them at the same time: the counter is locked, or deleted.
pub(super) async fn remove_batch(
    db: &impl ConnectionTrait,
    counter: CounterId,
    after: Option<&str>,
    rows: usize,
) -> Result<(u64, Option<String>), Error> {
    let following =
        Condition::all().add(Column::CounterId.eq(counter)).add_option(after.map(|after| Column::Key.gt(after)));
    let last = Entity::find().filter(following.clone()).order_by_asc(Column::Key).select_only().column(Column::Key);
    let last = last.offset((rows as u64).saturating_sub(1)).limit(1).into_tuple::<String>().one(db).await?;
    let batch = following.add_option(last.as_ref().map(|last| Column::Key.lte(last)));
    let removed = Entity::delete_many().filter(batch).exec(db).await?.rows_affected;
    Ok((removed, last))
}

/// Finds a row if the counter of an outer statement has answers: for an `EXISTS`.
pub(super) fn of_outer_counter() -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(Entity)
        .and_where(Column::CounterId.into_expr().equals((counter::Entity, counter::Column::Id)))
        .take()
}
