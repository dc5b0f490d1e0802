//! The schema of Cloakroom's database: an ordered list of changes, one a file, each with its way back.
//!
//! **Invariant:** a migration that has been released is never edited; it knows nothing of the entities.
//! **Invariant:** its steps are those of `steps.rs`, so that it can be run again where MySQL has left it half done.

pub use sea_orm_migration::prelude::*;

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
mod m20261130_000013_deleted_counters;
mod m20261130_000014_record_counts;
mod m20261130_000015_purges;
mod m20261130_000016_idempotency_records;
mod steps;

/// The changes, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
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
            Box::new(m20261130_000013_deleted_counters::Migration),
            Box::new(m20261130_000014_record_counts::Migration),
            Box::new(m20261130_000015_purges::Migration),
            Box::new(m20261130_000016_idempotency_records::Migration),
        ]
    }
}
