//! Rows in every table, inserted as soon as a migration has created it.

use std::collections::BTreeSet;

use cloakroom::store::Database;
use sea_orm::{ConnectionTrait as _, Statement};

use super::execute;
use crate::support::{AllRows, TestDatabase, tables};

/// A row for each table, in the columns that it was created with. A migration that adds a table
/// adds a row here.
const ROWS: [(&str, &str); 18] = [
    (
        "users",
        "(id, username, username_key, name, password_hash, role, created_at, updated_at) VALUES \
         ('00000000-0000-7000-8000-000000000001', 'Anna', 'anna', 'Anna A.', 'x', 'user', '2026-01-01 00:00:00+00:00', \
         '2026-01-01 00:00:00+00:00')",
    ),
    (
        "sessions",
        "(id, user_id, generation, created_at, expires_at) VALUES ('00000000-0000-7000-8000-000000000002', \
         '00000000-0000-7000-8000-000000000001', 3, '2026-01-01 00:00:00+00:00', '2036-01-01 00:00:00+00:00')",
    ),
    (
        "revoked_access_tokens",
        "VALUES ('00000000-0000-7000-8000-000000000003', '00000000-0000-7000-8000-000000000002', \
         '2036-01-01 00:00:00+00:00')",
    ),
    (
        "counters",
        "(id, user_id, name, current, step, max, created_at, updated_at) VALUES \
         ('00000000-0000-7000-8000-000000000004', '00000000-0000-7000-8000-000000000001', 'invoices', 41, 1, 999, \
         '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')",
    ),
    (
        "api_keys",
        "(id, user_id, name, prefix, secret_hash, scopes, counter_id, created_at) VALUES \
         ('00000000-0000-7000-8000-000000000005', '00000000-0000-7000-8000-000000000001', 'key', 'p', 'h', 1, \
         '00000000-0000-7000-8000-000000000004', '2026-01-01 00:00:00+00:00')",
    ),
    (
        "account_events",
        "(id, user_id, kind, created_at) VALUES ('00000000-0000-7000-8000-000000000006', \
         '00000000-0000-7000-8000-000000000001', 'signed-up', '2026-01-01 00:00:00+00:00')",
    ),
    (
        "mails",
        "(id, kind, recipient, attempts, created_at, due_at) VALUES ('00000000-0000-7000-8000-000000000007', 'welcome', \
         'anna@example.com', 0, '2026-01-01 00:00:00+00:00', '2036-01-01 00:00:00+00:00')",
    ),
    (
        "email_tokens",
        "VALUES ('hash', 'verify', '00000000-0000-7000-8000-000000000001', 'anna@example.com', \
         '2036-01-01 00:00:00+00:00')",
    ),
    (
        "counter_answers",
        "VALUES ('00000000-0000-7000-8000-000000000004', 'order-1', 1, NULL, NULL, 40, 41, '2026-01-01 00:00:00+00:00')",
    ),
    (
        "idempotency_records",
        "VALUES ('00000000-0000-7000-8000-00000000000c', '00000000-0000-7000-8000-000000000001', 'create_counter', \
         'key', 'hash', '1', '2026-01-01 00:00:00+00:00')",
    ),
    (
        "storage_identity",
        "VALUES (1, '00000000-0000-7000-8000-00000000000a', '00000000-0000-7000-8000-00000000000b', 'a folder')",
    ),
    ("username_skeletons", "VALUES ('berta', '00000000-0000-7000-8000-000000000001')"),
    ("blobs", "(id, hash, object_key, byte_size) VALUES ('00000000-0000-7000-8000-000000000008', 'ab', 'ab/ab', 9)"),
    (
        "photos",
        "(id, user_id, published, thumbhash, created_at, updated_at) VALUES ('00000000-0000-7000-8000-000000000009', \
         '00000000-0000-7000-8000-000000000001', false, 't', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')",
    ),
    (
        "photo_images",
        "VALUES ('00000000-0000-7000-8000-000000000009', 1, '00000000-0000-7000-8000-000000000008', 1, 640, 480)",
    ),
    ("photo_tags", "VALUES ('holiday', '00000000-0000-7000-8000-000000000009')"),
    ("photo_storage", "(user_id, used_bytes) VALUES ('00000000-0000-7000-8000-000000000001', 9)"),
    (
        "server_leases",
        "VALUES ('00000000-0000-7000-8000-00000000000a', 'db-1', 4242, '0.1.0', '2026-01-01 00:00:00+00:00', \
         '2026-01-01 00:00:00+00:00')",
    ),
];

/// Inserts the rows of the tables that have none.
pub(super) async fn fill(database: &Database) {
    let present: BTreeSet<String> = tables(database).await.into_iter().collect();
    for (table, row) in ROWS.iter().filter(|(table, _)| present.contains(*table)) {
        if count(database, table).await == 0 {
            let row = TestDatabase::spell(&format!("INSERT INTO {table} {row}"));
            execute(database, &row).await;
        }
    }
}

async fn count(database: &Database, table: &str) -> i64 {
    let reader = database.reader();
    let count = Statement::from_string(reader.get_database_backend(), format!("SELECT COUNT(*) FROM {table}"));
    let row = reader.query_one_raw(count).await.expect("a table").expect("one row");
    row.try_get_by_index(0).expect("a number")
}

/// The tables without a row.
pub(super) fn unfilled(all: &AllRows) -> Vec<&String> {
    all.iter().filter(|(_, table)| table.rows.is_empty()).map(|(name, _)| name).collect()
}
