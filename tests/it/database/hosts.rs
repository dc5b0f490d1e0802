//! URLs that name several PostgreSQL servers, and servers that cannot be used.

use cloakroom::store::Backend;

use super::{ask, execute, open, refusal};
use crate::support::{DatabaseServer, PATIENCE, TestDatabase};

#[tokio::test]
async fn of_several_hosts_the_one_that_accepts_writes_is_used_and_found_again_after_a_switchover() {
    if TestDatabase::backend() != Backend::Postgres {
        return;
    }
    let (first, second) = (DatabaseServer::start().await, DatabaseServer::start().await);
    let (mut first, second) = (first.expect("a server"), second.expect("a server"));
    let read_only = |url: String, on: bool| async move {
        let sql = format!(
            "BEGIN READ WRITE; ALTER DATABASE postgres SET default_transaction_read_only = {on}; COMMIT; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND datname = 'postgres'"
        );
        execute(&url, &sql).await;
    };
    read_only(first.url(), true).await;
    let ports = [first.port(), second.port()];
    let url =
        format!("postgres://postgres@127.0.0.1:1,127.0.0.1:{},[::ffff:127.0.0.1]:{}/postgres", ports[0], ports[1]);
    let database = open(&url).await.expect("one of them accepts writes");
    let port = "SELECT current_setting('port')";
    assert_eq!(ask::<String>(&database, port).await, ports[1].to_string());

    // The roles change, and the connections that were open are ended.
    read_only(first.url(), false).await;
    read_only(second.url(), true).await;
    let switched = async {
        // The first statement may still go to a connection that was ended.
        loop {
            use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
            let asked = database.reader().query_one_raw(Statement::from_string(DbBackend::Postgres, port)).await;
            if let Ok(Some(row)) = asked {
                break row.try_get_by_index::<String>(0).expect("a port");
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, switched).await.expect("the other server is found");
    assert_eq!(found, ports[0].to_string());
    database.close().await;

    let any = format!("{url}?target_session_attrs=any");
    let database = open(&any).await.expect("any of them will do");
    assert_eq!(ask::<String>(&database, port).await, ports[0].to_string(), "the first that is reached");
    database.close().await;
    first.kill();
    assert!(refusal(&url).await.contains("none of the servers in database.url accepts writes"));
}

#[tokio::test]
async fn a_database_in_another_encoding_is_refused_with_the_remedy() {
    if TestDatabase::backend() != Backend::Postgres {
        return;
    }
    let server = DatabaseServer::start().await.expect("a server");
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let create = format!(
            "CREATE DATABASE {} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
            encoding.to_ascii_lowercase()
        );
        execute(&server.url(), &create).await;
        let server_url = server.url();
        let (base, _) = server_url.rsplit_once('/').expect("a URL with a database");
        let url = format!("{base}/{}", encoding.to_ascii_lowercase());
        let refusal = refusal(&url).await;
        assert!(refusal.contains(encoding) && refusal.contains("ENCODING 'UTF8'"), "{refusal}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_within_a_second() {
    let Some(scheme) = TestDatabase::scheme() else { return };
    let begun = std::time::Instant::now();
    let refusal = refusal(&format!("{scheme}://me:s3cret@127.0.0.1:1/x")).await;
    assert!(refusal.contains("refused") && !refusal.contains("s3cret"), "{refusal}");
    // The bound of acquire_seconds is five.
    assert!(begun.elapsed().as_secs() < 4, "{:?}", begun.elapsed());
}
