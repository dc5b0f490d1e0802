//! A database that grants fewer connections than the pool would have.

use std::sync::Arc;

use cloakroom::app::App;
use cloakroom::store::Backend;

use super::{NEXT, execute};
use crate::support::{Caller, TestApp, TestDatabase};

/// The URL of this test's database for a user who may have so many connections.
async fn limited(test: &TestApp, connections: u32) -> String {
    let url = test.config.database.url.to_string();
    let (server, name) = url.rsplit_once('/').expect("a URL with a database");
    let (scheme, rest) = server.split_once("://").expect("a URL with a scheme");
    let (_, host) = rest.rsplit_once('@').expect("a URL with a user");
    let user = format!("u{}", &name[name.len() - 12..]);
    let sql = match test.app.database.backend() {
        Backend::Postgres => format!(
            "CREATE ROLE {user} LOGIN CONNECTION LIMIT {connections}; GRANT ALL ON SCHEMA public TO {user}; \
             GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}"
        ),
        _ => format!(
            "CREATE USER {user}@'%' WITH MAX_USER_CONNECTIONS {connections}; GRANT ALL ON {name}.* TO {user}@'%'"
        ),
    };
    execute(&url, &sql).await;
    format!("{scheme}://{user}@{host}/{name}")
}

async fn drop_user(test: &TestApp, url: &str) {
    let user = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).expect("a user").0;
    let sql = match test.app.database.backend() {
        Backend::Postgres => format!("DROP OWNED BY {user}; DROP ROLE {user}"),
        _ => format!("DROP USER {user}@'%'"),
    };
    execute(&test.config.database.url.to_string(), &sql).await;
}

/// Numbers and reads at once, more of them than there are connections; none may fail.
async fn serve(user: &Caller) {
    let work = |user: Caller| async move {
        for _ in 0..20 {
            let reply = user.run(NEXT).await;
            assert!(reply.at("/data/next/value").is_i64(), "{}", reply.body);
            let reply = user.run("{ current viewer { counters { totalCount } user { id } } }").await;
            assert!(reply.at("/data/current").is_i64(), "{}", reply.body);
            let reply = user.run("mutation { setCurrent(input: {current: 0}) { previous } }").await;
            assert!(reply.at("/data/setCurrent/previous").is_i64(), "{}", reply.body);
        }
    };
    let clients: Vec<_> = (0..12).map(|_| tokio::spawn(work(user.clone()))).collect();
    for client in clients {
        client.await.expect("every request is served");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_grants_fewer_connections_than_the_pool_has_serves_every_request() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, user) = TestApp::with_user().await;
    for granted in [3, 5] {
        let url = limited(&test, granted).await;
        let (second, there): (Arc<App>, Caller) = test.replica(&user, &url).await;
        serve(&there).await;
        // Others take the place of the connection that commits numbers, and it takes one of the pool's.
        end_connections(&test, &url).await;
        let again = async { while there.run(NEXT).await.body["data"]["next"].is_null() {} };
        tokio::time::timeout(crate::support::PATIENCE, again).await.expect("numbers come again");
        serve(&there).await;
        second.stop().await;
        drop_user(&test, &url).await;
    }
}

async fn end_connections(test: &TestApp, url: &str) {
    let user = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).expect("a user").0;
    let sql = match test.app.database.backend() {
        Backend::Postgres => {
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'")
        }
        _ => format!("KILL CONNECTION USER '{user}'"),
    };
    execute(&test.config.database.url.to_string(), &sql).await;
}
