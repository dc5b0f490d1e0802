//! An answer that was given once under an idempotency key, kept so that a retry gets it again.

use chrono::Utc;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use crate::counters::counter;
use crate::counters::order::{Order, Outcome};
use crate::error::Error;
use crate::id::CounterId;

/// For how many hours a key is remembered.
pub const KEPT_HOURS: i64 = 24;
/// Characters of a key at most.
const MAX_KEY_CHARS: usize = 128;
/// Answers that one transaction removes.
const SWEPT_AT_ONCE: u64 = 1000;

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
    let message = || {
        let form = format!("idempotencyKey has 1 to {MAX_KEY_CHARS} printable ASCII characters");
        format!("{form}, and is equal to the header Idempotency-Key if both are sent.")
    };
    if good { Ok(()) } else { Err(Error::BadInput(message())) }
}

/// A key that was used for another order.
pub(super) fn reused() -> Error {
    Error::Conflict("This idempotency key was used with other arguments.".to_owned())
}

/// Removes the oldest answers from before `moment`, about [`SWEPT_AT_ONCE`] of them: whoever writes next does not wait
/// for a whole day's. Returns whether there are more.
pub(super) async fn remove_before(db: &impl ConnectionTrait, moment: chrono::DateTime<Utc>) -> Result<bool, Error> {
    let old = Entity::find().filter(Column::CreatedAt.lt(moment)).order_by_asc(Column::CreatedAt);
    let moments = old.select_only().column(Column::CreatedAt).offset(SWEPT_AT_ONCE).limit(1);
    let next = moments.into_tuple::<DateTimeUtc>().one(db).await?;
    // Up to the first that is left over: all of one commit have the same moment, and go together.
    let gone = next.map_or_else(|| Column::CreatedAt.lt(moment), |next| Column::CreatedAt.lte(next));
    Entity::delete_many().filter(gone).exec(db).await?;
    Ok(next.is_some())
}
