//! An answer that was given once under an idempotency key, kept so that a retry gets it again.

use chrono::Utc;
use sea_orm::ActiveValue::Set;
use sea_orm::Condition;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;

use crate::counters::counter;
use crate::counters::order::{Order, Outcome};
use crate::error::Error;
use crate::id::CounterId;

/// For how many hours a key is remembered.
pub const KEPT_HOURS: i64 = 24;
/// Characters of a key at most.
const MAX_KEY_CHARS: usize = 128;

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

/// A key that a client may use: printable ASCII, so that it means the same in a header and to every database.
///
/// # Errors
/// [`Error::BadInput`], naming the limit.
pub(super) fn check_key(key: &str) -> Result<(), Error> {
    let good =
        (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let message = || format!("idempotencyKey has 1 to {MAX_KEY_CHARS} printable ASCII characters.");
    if good { Ok(()) } else { Err(Error::BadInput(message())) }
}

/// A key that was used for another order.
pub(super) fn reused() -> Error {
    Error::Conflict("This idempotency key was used with other arguments.".to_owned())
}

/// The answers given under these keys since `since`.
pub(super) async fn list(
    db: &impl ConnectionTrait,
    keys: &[(CounterId, &str)],
    since: chrono::DateTime<Utc>,
) -> Result<Vec<Model>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Entity::find().filter(any_of(keys)).filter(Column::CreatedAt.gt(since)).all(db).await?)
}

/// Keeps answers, in place of those that are too old to count.
pub(super) async fn keep(db: &impl ConnectionTrait, answers: Vec<Model>) -> Result<(), Error> {
    if answers.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = answers.iter().map(|answer| (answer.counter_id, answer.key.as_str())).collect();
    Entity::delete_many().filter(any_of(&keys)).exec(db).await?;
    let rows = answers.into_iter().map(|answer| ActiveModel {
        counter_id: Set(answer.counter_id),
        key: Set(answer.key),
        count: Set(answer.count),
        set_to: Set(answer.set_to),
        if_current: Set(answer.if_current),
        previous: Set(answer.previous),
        current: Set(answer.current),
        created_at: Set(answer.created_at),
    });
    Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

/// Removes the answers from before `moment`.
pub(super) async fn remove_before(db: &impl ConnectionTrait, moment: chrono::DateTime<Utc>) -> Result<(), Error> {
    Entity::delete_many().filter(Column::CreatedAt.lt(moment)).exec(db).await?;
    Ok(())
}

fn any_of(keys: &[(CounterId, &str)]) -> Condition {
    let one = |(counter, key): &(CounterId, &str)| Column::CounterId.eq(*counter).and(Column::Key.eq(*key));
    keys.iter().map(one).fold(Condition::any(), Condition::add)
}
