//! Databases that were left half migrated, by an earlier version or by MariaDB: `up` and `down`
//! complete them.

use cloakroom::store::{Backend, Database, migrations};

use super::{Stage, applied, execute};
use crate::support::{TestDatabase, shape, tables};

fn drop_index(index: &str, table: &str) -> String {
    match TestDatabase::backend() {
        Backend::Mysql => format!("DROP INDEX {index} ON {table}"),
        Backend::Sqlite | Backend::Postgres => format!("DROP INDEX {index}"),
    }
}

fn drop_column(table: &str, column: &str) -> String {
    format!("ALTER TABLE {table} DROP COLUMN {column}")
}

fn drop_table(table: &str) -> String {
    format!("DROP TABLE {table}")
}

async fn is_applied(database: &Database, name: &str) -> bool {
    let status = migrations::status(database).await.expect("the list of migrations");
    status.iter().any(|migration| migration.applied && migration.name.ends_with(name))
}

/// Takes migrations back until this one is the last.
async fn down_to(database: &Database, name: &str) {
    let status = migrations::status(database).await.expect("the list of migrations");
    let kept = 1 + status.iter().position(|migration| migration.name.ends_with(name)).expect("a migration");
    let steps = u32::try_from(applied(database).await - kept).expect("a few");
    migrations::down(database, steps).await.expect("they can be taken back");
}

#[tokio::test]
async fn what_an_interrupted_up_has_done_is_completed() {
    let stage = Stage::new().await;
    let database = stage.open().await;
    migrations::up(&database).await.expect("they apply");
    let whole = shape(&database).await;
    let missing = [
        vec![],
        vec![drop_index("mails_by_due", "mails")],
        vec![drop_index("account_events_by_age", "account_events")],
        vec![drop_column("sessions", "last_used_at"), drop_column("sessions", "user_agent")],
        vec![drop_column("users", "search_key"), drop_column("users", "deleted_at")],
        vec![drop_table("email_tokens"), drop_table("mails")],
        vec![drop_index("photos_by_announcement", "photos")],
        vec![drop_table("photo_tags"), drop_table("photo_storage")],
    ];
    for missing in missing {
        for statement in &missing {
            execute(&database, statement).await;
        }
        execute(&database, "DELETE FROM seaql_migrations").await;
        migrations::up(&database).await.unwrap_or_else(|error| panic!("{missing:?}: {error:#}"));
        assert_eq!(shape(&database).await, whole, "{missing:?}");
    }
    database.close().await;
}

#[tokio::test]
async fn what_an_interrupted_down_has_left_is_taken_back() {
    let stage = Stage::new().await;
    let database = stage.open().await;
    migrations::up(&database).await.expect("they apply");
    for (migration, gone) in [
        ("photos", "photo_images"),
        ("blobs", "blobs"),
        ("counter_answers", "counter_answers"),
        ("mails", "email_tokens"),
    ] {
        down_to(&database, migration).await;
        execute(&database, &drop_table(gone)).await;
        migrations::down(&database, 1).await.unwrap_or_else(|error| panic!("{gone}: {error:#}"));
        assert!(!is_applied(&database, migration).await);
    }
    migrations::up(&database).await.expect("they apply again");
    database.close().await;
}

#[tokio::test]
async fn what_an_interrupted_up_has_done_can_be_taken_back() {
    let stage = Stage::new().await;
    let database = stage.open().await;
    migrations::up(&database).await.expect("they apply");
    down_to(&database, "photos").await;
    execute(&database, &drop_table("photo_tags")).await;
    execute(&database, "UPDATE seaql_migrations SET applied_at = -1 WHERE version LIKE '%_photos'").await;
    assert!(!is_applied(&database, "photos").await);
    migrations::down(&database, 1).await.expect("it can be taken back");
    let left = tables(&database).await;
    assert!(!left.iter().any(|table| table.starts_with("photo")), "{left:?}");
    assert!(is_applied(&database, "blobs").await, "the one before stays");
    migrations::down(&database, 100).await.expect("they can be taken back");
    assert_eq!(tables(&database).await, ["seaql_migrations"]);
    migrations::up(&database).await.expect("they apply again");
    database.close().await;
}
