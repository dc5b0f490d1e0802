//! `cloakroom migrate`, and what the server does with a database that is not as it expects.

use super::{Place, cloakroom, run};
use crate::support::TestDatabase;

fn count(status: &str, word: &str) -> usize {
    status.lines().filter(|line| line.starts_with(word)).count()
}

#[tokio::test]
async fn migrations_go_up_and_down_and_are_listed() {
    let place = Place::create().await;
    let status = place.run(&["migrate", "status"]).output();
    let all = status.lines().count();
    assert!(all >= 3 && count(&status, "pending  ") == all, "{status}");
    let up = place.run(&["migrate", "up"]).output();
    assert_eq!(count(&up, "applied  "), all, "{up}");
    assert_eq!(place.run(&["migrate", "up"]).output(), up, "again changes nothing");
    let down = place.run(&["migrate", "down"]).output();
    assert_eq!((count(&down, "applied  "), count(&down, "pending  ")), (all - 1, 1), "{down}");
    let down = place.run(&["migrate", "down", "2"]).output();
    assert_eq!(count(&down, "pending  "), 3, "{down}");
    place.run(&["migrate", "down", "0"]).complaint();
    assert_eq!(place.run(&["migrate", "up"]).output(), up);
    assert_eq!(place.run(&["migrate", "status"]).output(), up);
}

#[tokio::test]
async fn fresh_drops_everything_but_only_when_told_twice() {
    let place = Place::create().await;
    place.run(&["migrate", "up"]).output();
    place.execute("INSERT INTO users (id, username, username_key, password_hash, role, created_at, updated_at) \
        VALUES ('00000000-0000-7000-8000-000000000000', 'a', 'a', 'x', 'user', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')").await;
    let said = place.run(&["migrate", "fresh"]).complaint();
    assert!(said.contains("--yes"), "{said}");
    assert_eq!(place.rows("users").await, 1);
    let status = place.run(&["migrate", "fresh", "--yes"]).output();
    assert_eq!(count(&status, "pending"), 0, "{status}");
    assert_eq!(place.rows("users").await, 0);
}

#[tokio::test]
async fn pending_migrations_are_applied_where_that_was_asked_for() {
    let place = Place::create().await;
    if TestDatabase::is_sqlite() {
        return; // Applied at every start: `serve.rs` relies on it.
    }
    let said = place.run(&["--listen", "127.0.0.1:0"]).complaint();
    for part in ["migrations are pending", "cloakroom migrate up", "--migrate"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let status = place.run(&["migrate", "status"]).output();
    assert_eq!(count(&status, "applied"), 0, "{status}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let place = Place::create().await;
    place.run(&["migrate", "up"]).output();
    place.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_teleport', 0)").await;
    for arguments in [
        &["--listen", "127.0.0.1:0"][..],
        &["--listen", "127.0.0.1:0", "--migrate"],
        &["migrate", "up"],
        &["migrate", "down"],
        &["migrate", "status"],
    ] {
        let said = place.run(arguments).complaint();
        assert!(said.contains("newer than this binary") && said.contains("m29991231_000001_teleport"), "{said}");
    }
    assert_eq!(place.rows("users").await, 0, "nothing was taken back");
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named_without_its_password() {
    let place = Place::create().await;
    let text = place.file("no-database.db", &"This is text. ".repeat(100));
    for (url, parts) in [
        ("oracle://me:s3cret@db/x", &["database.url", "sqlite://", "postgres://", "mysql://"][..]),
        ("nonsense", &["database.url", "sqlite://PATH"]),
        ("postgres://me:s3cret@127.0.0.1:1/x", &["cannot reach the database postgres://me:****@127.0.0.1:1/x"]),
        ("mysql://me:s3cret@127.0.0.1:1/x", &["cannot reach the database mysql://me:****@127.0.0.1:1/x"]),
        ("mariadb://me:s3cret@127.0.0.1:1/x", &["cannot reach the database mariadb://me:****@127.0.0.1:1/x"]),
        ("sqlite:///no/such/folder/x.db", &["/no/such/folder/x.db"]),
        (&format!("sqlite://{text}"), &["no-database.db"]),
    ] {
        for command in [&["migrate", "status"][..], &["--listen", "127.0.0.1:0"]] {
            let mut command = cloakroom(command);
            command.args(["--database", url, "--data-dir"]).arg(place.data.path().join("data"));
            let said = run(command.env("CLOAKROOM__DATABASE__ACQUIRE_SECONDS", "1")).complaint();
            assert!(parts.iter().all(|part| said.contains(part)), "{url}: {said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}

impl Place {
    pub(super) async fn connect(&self) -> sea_orm::DatabaseConnection {
        let file = format!("sqlite://{}/data/cloakroom.db", self.data.path().display());
        let url = if self.url.is_empty() { &file } else { &self.url };
        sea_orm::Database::connect(url).await.expect("the database opens")
    }

    /// Changes the database behind the binary's back.
    pub(super) async fn execute(&self, sql: &str) {
        let connection = self.connect().await;
        let spelled = TestDatabase::spell(sql);
        sea_orm::ConnectionTrait::execute_unprepared(&connection, &spelled).await.expect(sql);
        connection.close().await.expect("it closes");
    }

    /// How many rows there are in a table, or of it by a condition.
    pub(super) async fn count(&self, of: &str) -> i64 {
        self.rows(of).await
    }

    async fn rows(&self, table: &str) -> i64 {
        let connection = self.connect().await;
        let backend = connection.get_database_backend();
        let count = sea_orm::Statement::from_string(backend, format!("SELECT COUNT(*) FROM {table}"));
        let row = sea_orm::ConnectionTrait::query_one_raw(&connection, count).await.expect("the table is there");
        let rows = row.expect("one row").try_get_by_index(0).expect("a number");
        connection.close().await.expect("it closes");
        rows
    }
}
