//! The servers that run on a database, a row each, for databases that several servers share.
//!
//! A server renews its lease while it runs and deletes it when it stops. The lease of one that was
//! killed expires. All times are those of the database, so the clocks of the servers do not matter.

use std::process;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{InsertStatement, OnConflict, Query};
use sea_orm::{ActiveValue::Set, DbBackend, ExprTrait as _, FromQueryResult, QueryOrder as _};

use crate::error::Error;
use crate::store::Database;
use crate::store::catalog::has_table;

/// The time for which a lease lasts after its renewal.
pub(super) const LEASE_SECONDS: u64 = 30;
const TABLE: &str = "server_leases";

/// One running server.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "server_leases")]
pub struct Model {
    /// New at each start.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name of its machine.
    pub host: String,
    /// Its process there.
    pub process_id: i64,
    /// Its version of Cloakroom.
    pub version: String,
    /// The time of its start.
    pub started_at: DateTimeUtc,
    /// The time at which it no longer counts as running, unless it renews its lease.
    pub expires_at: DateTimeUtc,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A server as others name it.
#[derive(Debug, FromQueryResult)]
struct ServerName {
    host: String,
    process_id: i64,
}

/// The lease of this process.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    id: Uuid,
    host: String,
}

impl Lease {
    /// A new one, not yet in the database.
    pub(super) fn new() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { id: Uuid::now_v7(), host }
    }

    /// Inserts the lease, or extends it from now on.
    pub(super) async fn renew(&self, connection: &impl ConnectionTrait) -> Result<(), DbErr> {
        let statement = self.upsert(connection.get_database_backend())?;
        connection.execute(&statement).await.map(drop)
    }

    /// Deletes the leases that have expired. A server that is still there inserts its own again.
    pub(super) async fn delete_expired(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
        let now = Expr::cust(now(connection.get_database_backend()));
        Entity::delete_many().filter(Column::ExpiresAt.into_expr().lte(now)).exec(connection).await.map(drop)
    }

    /// Deletes the lease.
    pub(super) async fn delete(&self, database: &Database) -> Result<(), Error> {
        let id = self.id;
        database
            .write(move |transaction| {
                Box::pin(async move { Ok(Entity::delete_by_id(id).exec(transaction).await.map(drop)?) })
            })
            .await
    }

    fn upsert(&self, backend: DbBackend) -> Result<InsertStatement, DbErr> {
        let now = Expr::cust(now(backend));
        let expiry = Expr::cust(format!("{} + INTERVAL '{LEASE_SECONDS}' SECOND", self::now(backend)));
        let mut insert = Query::insert();
        insert.into_table(Entity);
        insert.columns([
            Column::Id,
            Column::Host,
            Column::ProcessId,
            Column::Version,
            Column::StartedAt,
            Column::ExpiresAt,
        ]);
        let row = [
            self.id.into(),
            self.host.as_str().into(),
            i64::from(process::id()).into(),
            env!("CARGO_PKG_VERSION").into(),
            now,
            expiry.clone(),
        ];
        insert.values(row).map_err(|error| DbErr::Custom(error.to_string()))?;
        insert.on_conflict(OnConflict::column(Column::Id).value(Column::ExpiresAt, expiry).to_owned());
        Ok(insert)
    }
}

/// Inserts a lease and deletes it again: in the same transaction, so that nobody sees it.
pub(super) async fn probe(transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
    let id = Uuid::now_v7();
    let lease = ActiveModel {
        id: Set(id),
        host: Set(String::new()),
        process_id: Set(i64::from(process::id())),
        version: Set(env!("CARGO_PKG_VERSION").to_owned()),
        started_at: Set(DateTimeUtc::UNIX_EPOCH),
        expires_at: Set(DateTimeUtc::UNIX_EPOCH),
    };
    Entity::insert(lease).exec_without_returning(transaction).await?;
    Entity::delete_by_id(id).exec(transaction).await.map(drop)
}

/// Fails if a server runs on this database, and names it. One that runs on SQLite has a lock
/// instead of a lease.
pub(super) async fn assert_no_server(connection: &impl ConnectionTrait) -> anyhow::Result<()> {
    if connection.get_database_backend() == DbBackend::Sqlite || !has_table(connection, TABLE).await? {
        return Ok(());
    }
    let now = Expr::cust(now(connection.get_database_backend()));
    let running = Entity::find().filter(Column::ExpiresAt.into_expr().gt(now)).order_by_asc(Column::Id);
    let running = running.into_model::<ServerName>().all(connection).await?;
    if running.is_empty() {
        return Ok(());
    }
    let names: Vec<String> =
        running.iter().map(|server| format!("{} (process {})", server.host, server.process_id)).collect();
    anyhow::bail!(
        "a server is using this database: stop {} first; the lease of a server that was killed expires after \
         {LEASE_SECONDS} seconds",
        names.join(", ")
    )
}

/// The database's clock. In a transaction, PostgreSQL's CURRENT_TIMESTAMP is the time of its
/// beginning.
fn now(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "clock_timestamp()",
        _ => "CURRENT_TIMESTAMP(6)",
    }
}
