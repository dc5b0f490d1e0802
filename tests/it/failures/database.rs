//! Failures of the database.

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait as _, Database, TransactionTrait as _};

use super::site::{Site, execute};
use crate::counters::proxy::Proxy;
use crate::support::{DatabaseServer, TestDatabase};

/// A server on a database server of its own.
async fn on_own_server() -> (Site, DatabaseServer) {
    let server = DatabaseServer::start().await.expect("the row is not of SQLite");
    (Site::at(server.url()), server)
}

pub(super) async fn unreachable() -> Option<Site> {
    let (mut site, mut server) = on_own_server().await;
    site.serve(&[]).await;
    server.kill();
    site.keep(server);
    Some(site)
}

pub(super) async fn silent() -> Option<Site> {
    let place = Site::new().await;
    let proxy = Proxy::start(&place.url).await;
    let mut site = Site::at(proxy.url.clone());
    site.serve(&[("DATABASE__ANSWER_SECONDS", "2".to_owned()), ("DATABASE__ACQUIRE_SECONDS", "2".to_owned())]).await;
    proxy.fall_silent();
    site.keep((place, proxy));
    Some(site)
}

pub(super) async fn standby_hangs() -> Option<Site> {
    let (mut site, server) = on_own_server().await;
    site.serve(&[("DATABASE__ANSWER_SECONDS", "2".to_owned())]).await;
    site.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await;
    site.execute("SELECT pg_reload_conf()").await;
    site.keep(server);
    Some(site)
}

pub(super) async fn read_only() -> Option<Site> {
    let (mut site, server) = on_own_server().await;
    if site.url.starts_with("mysql") {
        // Root may write all the same.
        for user in ["cloakroom@'%'", "cloakroom@localhost"] {
            site.execute(&format!("CREATE USER {user}; GRANT ALL ON test.* TO {user}")).await;
        }
        let root = std::mem::replace(&mut site.url, server.url().replace("root@", "cloakroom@"));
        site.serve(&[]).await;
        execute(&root, "SET GLOBAL read_only = 1").await;
    } else {
        site.serve(&[]).await;
        site.execute("ALTER SYSTEM SET default_transaction_read_only = on").await;
        site.execute("SELECT pg_reload_conf()").await;
    }
    site.keep(server);
    Some(site)
}

pub(super) async fn locked() -> Option<Site> {
    let mut site = Site::new().await;
    site.serve(&[]).await;
    let url = format!("sqlite://{}", site.data_dir().join("cloakroom.db").display());
    let connection = Database::connect(url).await.expect("the database opens");
    let transaction = connection.begin().await.expect("it begins");
    transaction.execute_unprepared("UPDATE counters SET current = current").await.expect("it is locked");
    site.keep((transaction, connection));
    Some(site)
}

pub(super) async fn newer() -> Option<Site> {
    let mut site = Site::new().await;
    site.serve(&[]).await;
    site.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 1)").await;
    Some(site)
}

pub(super) async fn limited() -> Option<Site> {
    let mut site = Site::new().await;
    site.serve(&[]).await;
    site.stop().await;
    let owner_url = site.url.clone();
    let (server, name) = owner_url.rsplit_once('/').expect("a URL with a database");
    let (scheme, host) = server.split_once("://").expect("a URL with a scheme");
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let user = format!("u{}", &name[name.len() - 12..]);
    let sql = match TestDatabase::backend() {
        cloakroom::store::Backend::Postgres => format!(
            "CREATE ROLE {user} LOGIN CONNECTION LIMIT 5; GRANT ALL ON SCHEMA public TO {user}; \
             GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}"
        ),
        _ => format!("CREATE USER {user}@'%' WITH MAX_USER_CONNECTIONS 5; GRANT ALL ON {name}.* TO {user}@'%'"),
    };
    site.execute(&sql).await;
    site.url = format!("{scheme}://{user}@{host}/{name}");
    site.serve_again(&[("DATABASE__MAX_CONNECTIONS", "8".to_owned())]);
    // More at once than there are connections.
    for outcome in join_all((0..24).map(|_| site.next())).await {
        assert_eq!(outcome.as_deref(), Some("OK"));
    }
    let queries = (0..24).map(|_| site.query("{ photos(first: 1) { nodes { id } } }"));
    for answer in join_all(queries).await {
        assert!(answer.as_ref().is_some_and(|answer| answer["errors"].is_null()), "a page, not {answer:?}");
    }
    let drop_user = match TestDatabase::backend() {
        cloakroom::store::Backend::Postgres => format!("DROP OWNED BY {user}; DROP ROLE {user}"),
        _ => format!("DROP USER {user}@'%'"),
    };
    site.keep(LimitedUser { owner_url, drop_user });
    Some(site)
}

/// A user of the database server who goes when the test ends.
struct LimitedUser {
    owner_url: String,
    drop_user: String,
}

impl Drop for LimitedUser {
    fn drop(&mut self) {
        let (url, sql) = (std::mem::take(&mut self.owner_url), std::mem::take(&mut self.drop_user));
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(execute(&url, &sql));
        };
        // A runtime cannot be started within one.
        std::thread::spawn(drop_it).join().expect("the user is dropped");
    }
}
