//! The schema of Cloakroom's database: an ordered list of migrations, one per file, each with `up` and `down`.
//!
//! **Invariant:** a migration that has been released is never edited; it does not use the entities.
//! **Invariant:** a migration is atomic where the database has transactional DDL, that is on SQLite and PostgreSQL:
//! its steps and the row that records it are one transaction.
//! **Invariant:** a migration can be repeated on every database: its steps are those of `steps.rs`, which skip what has
//! been done. MySQL and MariaDB commit every step, so there a migration that was interrupted continues.
//!
//! `cargo run -p migration -- generate NAME` creates the next one.

use sea_orm_migration::sea_orm::DatabaseBackend;
pub use sea_orm_migration::{MigratorTraitSelf, prelude::*, seaql_migrations};

mod m20261120_000001_users;
mod m20261120_000002_sessions;
mod m20261120_000003_counters;
mod m20261121_000004_user_states;
mod m20261121_000005_session_origins;
mod m20261121_000006_api_keys;
mod m20261121_000007_account_events;
mod m20261121_000008_mails;
mod m20261121_000009_counter_answers;
mod m20261121_000010_blobs;
mod m20261121_000011_photos;
mod m20261130_000012_server_leases;
mod steps;
// Compiled here, so that what `generate` creates compiles.
#[cfg(test)]
mod template;

/// Applies migrations and takes them back, with `up` and `down` of [`MigratorTraitSelf`].
pub struct Migrator {
    backend: DatabaseBackend,
}

impl Migrator {
    /// For this kind of database.
    #[must_use]
    pub fn new(backend: DatabaseBackend) -> Self {
        Self { backend }
    }

    /// The names of all migrations, in order.
    #[must_use]
    pub fn names() -> Vec<String> {
        Self::list().iter().map(|migration| migration.name().to_owned()).collect()
    }

    fn list() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_users::Migration),
            Box::new(m20261120_000002_sessions::Migration),
            Box::new(m20261120_000003_counters::Migration),
            Box::new(m20261121_000004_user_states::Migration),
            Box::new(m20261121_000005_session_origins::Migration),
            Box::new(m20261121_000006_api_keys::Migration),
            Box::new(m20261121_000007_account_events::Migration),
            Box::new(m20261121_000008_mails::Migration),
            Box::new(m20261121_000009_counter_answers::Migration),
            Box::new(m20261121_000010_blobs::Migration),
            Box::new(m20261121_000011_photos::Migration),
            Box::new(m20261130_000012_server_leases::Migration),
        ]
    }
}

impl MigratorTraitSelf for Migrator {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        let in_transaction = self.backend != DatabaseBackend::MySql;
        let migrations = Self::list().into_iter();
        migrations.map(|migration| Box::new(Atomic { migration, in_transaction }) as Box<dyn MigrationTrait>).collect()
    }
}

/// A migration that runs in a transaction where DDL can be rolled back. By default sea-orm-migration does so on
/// PostgreSQL alone.
struct Atomic {
    migration: Box<dyn MigrationTrait>,
    /// False on MySQL, whose DDL would commit the transaction.
    in_transaction: bool,
}

impl MigrationName for Atomic {
    fn name(&self) -> &str {
        self.migration.name()
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Atomic {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.migration.up(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.migration.down(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(self.in_transaction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_atomic_where_the_database_can_roll_back_ddl() {
        for (backend, expected) in [
            (DatabaseBackend::Sqlite, Some(true)),
            (DatabaseBackend::Postgres, Some(true)),
            (DatabaseBackend::MySql, Some(false)),
        ] {
            for migration in Migrator::new(backend).migrations() {
                assert_eq!(migration.use_transaction(), expected, "{} on {backend:?}", migration.name());
            }
        }
    }

    #[test]
    fn names_are_unique_and_in_order() {
        let names = Migrator::names();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        assert_eq!(template::Migration.name(), "template");
    }
}
