//! Typed global ids: a UUIDv7 beneath, a prefix that names the kind in front, such as
//! `usr_0199f3d2c1a47c0e8d2f6a5b4c3d2e1f`. Clients treat them as opaque.
//!
//! **Invariant:** an id of one kind can neither be passed nor parsed where another is meant.

use std::fmt;
use std::marker::PhantomData;

use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, Value, ValueType, ValueTypeErr};
use sea_orm::{ColIdx, DbErr, QueryResult, TryFromU64, TryGetError, TryGetable};
use uuid::Uuid;

/// What an id can stand for.
pub trait Kind: Copy + Ord + std::hash::Hash + fmt::Debug + Send + Sync + 'static {
    /// The first characters of the id, before the underscore.
    const PREFIX: &'static str;
}

/// The kind of [`UserId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum User {}
/// The kind of [`ViewerId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Viewer {}
/// The kind of [`SessionId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Session {}
/// The kind of [`CounterId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counter {}
/// The kind of [`ApiKeyId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ApiKey {}
/// The kind of [`AccountEventId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountEvent {}
/// The kind of [`PhotoId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Photo {}

impl Kind for User {
    const PREFIX: &'static str = "usr";
}
impl Kind for Viewer {
    const PREFIX: &'static str = "vwr";
}
impl Kind for Session {
    const PREFIX: &'static str = "ses";
}
impl Kind for Counter {
    const PREFIX: &'static str = "ctr";
}
impl Kind for ApiKey {
    const PREFIX: &'static str = "key";
}
impl Kind for AccountEvent {
    const PREFIX: &'static str = "evt";
}
impl Kind for Photo {
    const PREFIX: &'static str = "pho";
}

/// The id of a user.
pub type UserId = Id<User>;
/// The id of a user's own view of their account: the UUID of the user.
pub type ViewerId = Id<Viewer>;
/// The id of a session.
pub type SessionId = Id<Session>;
/// The id of a counter.
pub type CounterId = Id<Counter>;
/// The id of an API key.
pub type ApiKeyId = Id<ApiKey>;
/// The id of an entry of an account's audit log.
pub type AccountEventId = Id<AccountEvent>;
/// The id of a photo.
pub type PhotoId = Id<Photo>;

/// The id of something of the kind `K`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Id<K> {
    /// A new id, greater than all that this process made before.
    #[must_use]
    pub fn generate() -> Self {
        Uuid::now_v7().into()
    }

    /// The UUID beneath, as the database keeps it.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.uuid
    }

    /// Reads what [`fmt::Display`] wrote; `None` for another kind or anything malformed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix(K::PREFIX)?.strip_prefix('_')?;
        // `Uuid` reads braces, dashes and capitals too; an id has one spelling only.
        let canonical = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        canonical.then(|| Uuid::try_parse(hex).ok()).flatten().map(Self::from)
    }
}

impl<K> From<Uuid> for Id<K> {
    fn from(uuid: Uuid) -> Self {
        Self { uuid, kind: PhantomData }
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.uuid.simple())
    }
}

// The database's side: a typed id is stored as its UUID.

impl<K> From<Id<K>> for Value {
    fn from(id: Id<K>) -> Self {
        id.uuid.into()
    }
}

impl<K> TryGetable for Id<K> {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        Uuid::try_get_by(row, index).map(Self::from)
    }
}

impl<K> ValueType for Id<K> {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <Uuid as ValueType>::try_from(value).map(Self::from)
    }

    fn type_name() -> String {
        "Id".to_owned()
    }

    fn array_type() -> ArrayType {
        <Uuid as ValueType>::array_type()
    }

    fn column_type() -> ColumnType {
        <Uuid as ValueType>::column_type()
    }
}

impl<K> Nullable for Id<K> {
    fn null() -> Value {
        <Uuid as Nullable>::null()
    }
}

impl<K> TryFromU64 for Id<K> {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("Id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_only_as_its_own_kind_and_spelling() {
        let id = UserId::generate();
        let text = id.to_string();
        assert_eq!(UserId::parse(&text), Some(id));
        assert_eq!(CounterId::parse(&text), None);
        assert_eq!(UserId::parse(&text.to_uppercase()), None);
        assert_eq!(UserId::parse(&text.replace('_', "")), None);
        assert_eq!(UserId::parse("usr_"), None);
    }
}
