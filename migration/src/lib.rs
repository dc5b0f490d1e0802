//! The schema of Cloakroom's database: an ordered list of migrations, one per file, each with `up`
//! and `down`.
//!
//! **Invariant:** a migration that has been released is never edited; it does not use the entities.
//! **Invariant:** a migration is atomic on SQLite and PostgreSQL: its steps and the row that
//! records it are one transaction.
//! **Invariant:** a migration can be repeated on every database: its steps are those of `steps.rs`,
//! which skip what has been done. MySQL and MariaDB commit every change of a table, so there a
//! migration that was interrupted continues.
//!
//! `cargo run -p migration -- generate NAME` creates the next one.

pub use sea_orm_migration::{prelude::*, seaql_migrations};

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
mod m20261130_000013_deleted_counters;
mod m20261130_000014_record_counts;
mod m20261130_000015_purges;
mod m20261130_000016_idempotency_records;
mod m20261130_000020_storage_identity;
mod m20261130_000021_sessions_by_user_and_end;
mod m20261130_000022_session_generations;
mod m20261130_000023_email_owners;
mod m20261130_000024_identity_keys;
mod m20261130_000025_import_fingerprints;
mod m20261130_000026_audit_details;
mod m20261130_000030_blobs_by_object_key;
mod m20261130_000031_link_generations;
mod m20261130_000032_storage_measures;
mod steps;
// Compiled here, so that what `generate` creates compiles.
#[cfg(test)]
mod template;

/// The migrations, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let list: Vec<Box<dyn MigrationTrait>> = vec![
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
            Box::new(m20261130_000013_deleted_counters::Migration),
            Box::new(m20261130_000014_record_counts::Migration),
            Box::new(m20261130_000015_purges::Migration),
            Box::new(m20261130_000016_idempotency_records::Migration),
            Box::new(m20261130_000020_storage_identity::Migration),
            Box::new(m20261130_000021_sessions_by_user_and_end::Migration),
            Box::new(m20261130_000022_session_generations::Migration),
            Box::new(m20261130_000023_email_owners::Migration),
            Box::new(m20261130_000024_identity_keys::Migration),
            Box::new(m20261130_000025_import_fingerprints::Migration),
            Box::new(m20261130_000026_audit_details::Migration),
            Box::new(m20261130_000030_blobs_by_object_key::Migration),
            Box::new(m20261130_000031_link_generations::Migration),
            Box::new(m20261130_000032_storage_measures::Migration),
        ];
        list.into_iter().map(|migration| Box::new(Atomic(migration)) as Box<dyn MigrationTrait>).collect()
    }
}

/// A migration that runs in a transaction on every database; by default, sea-orm-migration opens
/// one on PostgreSQL alone. On MySQL and MariaDB the first change of a table commits it.
struct Atomic(Box<dyn MigrationTrait>);

impl MigrationName for Atomic {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Atomic {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.down(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_runs_in_a_transaction() {
        for migration in Migrator::migrations() {
            assert_eq!(migration.use_transaction(), Some(true), "{}", migration.name());
        }
    }

    #[test]
    fn names_are_unique_and_in_order() {
        let migrations = Migrator::migrations();
        let names: Vec<_> = migrations.iter().map(|migration| migration.name()).collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        assert_eq!(template::Migration.name(), "template");
    }
}
