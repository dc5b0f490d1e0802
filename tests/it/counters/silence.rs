//! Connections to the database that fall silent for good, while new ones work: a host that vanished, a
//! load balancer that forgot them. Not on SQLite, which has no network.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cloakroom::store::Backend;

use super::proxy::Proxy;
use super::replicas::replica;
use super::{NEXT, all, create, number};
use crate::support::{Caller, PATIENCE, TestApp, TestDatabase};

/// More than the pool has connections.
const CLIENTS: usize = 12;
const SET: &str = "mutation { setCurrent(input: {counter: \"other\", current: 5}) { previous userErrors { code } } }";

/// Takes numbers, sets another counter and reads, over and over: statements of every kind are under way.
async fn keep_busy(user: Caller, done: Arc<AtomicUsize>, stopped: Arc<AtomicBool>) {
    while !stopped.load(Ordering::SeqCst) {
        let mut fine = number(&user.run(NEXT).await).is_ok();
        fine &= user.run(SET).await.body["errors"].is_null();
        fine &= user.run("{ viewer { counters { totalCount } } }").await.body["errors"].is_null();
        done.fetch_add(usize::from(fine), Ordering::SeqCst);
    }
}

/// A server whose connections fall silent at `moment` gets its numbers again without a restart.
async fn recovers(moment: Option<&'static [u8]>) {
    let test = TestApp::with_config(|config| {
        (config.database.answer_seconds, config.database.acquire_seconds) = (2, 2);
        config.http.request_seconds = 600;
    })
    .await;
    let here = test.sign_up("anna").await;
    create(&here, "name: \"other\"").await;
    let proxy = Proxy::start(&test.config.database.url.to_string()).await;
    let (second, there) = replica(&test, &here, Some(&proxy.url)).await;

    // A connection says the words of a statement once, when it prepares it.
    let is_prepared = moment == Some(b"UPDATE ");
    if is_prepared {
        proxy.abandon_connections_at(b"UPDATE ");
    }
    let (done, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let busy = |_| tokio::spawn(keep_busy(there.clone(), Arc::clone(&done), Arc::clone(&stopped)));
    let mut clients: Vec<_> = (0..CLIENTS).map(busy).collect();
    let wait_for = async |count: usize| {
        let counted = async {
            while done.load(Ordering::SeqCst) < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, counted).await.expect("work gets done");
    };
    let before = proxy.opened();
    if !is_prepared {
        wait_for(CLIENTS).await;
    }
    match moment {
        Some(_) if is_prepared => {}
        Some(sql) => proxy.abandon_connections_at(sql),
        None => {
            stopped.store(true, Ordering::SeqCst);
            all(std::mem::take(&mut clients)).await;
            proxy.abandon_connections();
            stopped.store(false, Ordering::SeqCst);
            clients = (0..CLIENTS).map(busy).collect();
        }
    }
    tokio::time::timeout(PATIENCE, proxy.abandoned()).await.expect("the moment comes");
    wait_for(done.load(Ordering::SeqCst) + 3 * CLIENTS).await;
    stopped.store(true, Ordering::SeqCst);
    all(clients).await;
    assert!(proxy.opened() > before, "the dead connections were replaced");
    assert!(here.next().await > 0);
    second.stop().await;
}

#[tokio::test]
async fn idle_connections_that_fell_silent_are_replaced() {
    if !TestDatabase::is_sqlite() {
        recovers(None).await;
    }
}

#[tokio::test]
async fn connections_that_fall_silent_during_a_statement_are_replaced() {
    if !TestDatabase::is_sqlite() {
        recovers(Some(b"UPDATE ")).await;
    }
}

#[tokio::test]
async fn connections_that_fall_silent_within_a_transaction_are_replaced() {
    if !TestDatabase::is_sqlite() {
        recovers(Some(b"BEGIN")).await;
    }
}

#[tokio::test]
async fn connections_that_fall_silent_during_a_commit_are_replaced() {
    if !TestDatabase::is_sqlite() {
        recovers(Some(b"COMMIT")).await;
    }
}

#[tokio::test]
async fn connections_to_the_database_have_tcp_keepalive() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, user) = TestApp::with_user().await;
    let proxy = Proxy::start(&test.config.database.url.to_string()).await;
    let (second, there) = replica(&test, &user, Some(&proxy.url)).await;
    assert_eq!(there.next().await, 1);
    let port = proxy.url.rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).expect("a port").0;
    let port = format!(":{:04X}", port.parse::<u16>().expect("a port"));
    // Column 2 is the peer, column 5 the kind of timer: 2 is the one of keepalive.
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let timers: Vec<&str> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|columns| columns.get(2).is_some_and(|peer| peer.ends_with(&port)) && columns.get(3) == Some(&"01"))
        .filter_map(|columns| columns.get(5).and_then(|timer| timer.split(':').next()))
        .collect();
    assert!(!timers.is_empty(), "{port} in {table}");
    assert!(timers.iter().all(|kind| *kind != "00"), "{timers:?}: a connection has no timer");
    second.stop().await;
}

#[tokio::test]
async fn a_server_whose_database_becomes_read_only_is_not_ready_and_recovers_with_it() {
    if TestDatabase::backend() != Backend::Postgres {
        return;
    }
    let (test, user) = TestApp::with_user().await;
    assert_eq!(user.next().await, 1);
    let admin = sea_orm::Database::connect(test.config.database.url.to_string()).await.expect("the database");
    let run = async |sql: &str| {
        use sea_orm::ConnectionTrait as _;
        admin.execute_unprepared(sql).await.expect(sql);
    };
    let name = test.config.database.url.to_string();
    let name = name.rsplit_once('/').expect("a name").1;
    run(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
         AND pid <> pg_backend_pid()")
    .await;
    let until = async |wanted: &str| {
        let mut refused = user.run(NEXT).await;
        while refused.code() != wanted {
            refused = user.run(NEXT).await;
        }
        refused
    };
    // The connections that were ended may be noticed first.
    let refused = tokio::time::timeout(PATIENCE, until("UNAVAILABLE")).await.expect("an answer");
    assert!(!refused.header("retry-after").is_empty(), "nothing was done: {}", refused.body);
    assert!(test.app.ready().await.is_err(), "a server that cannot write is not ready");
    // Leaves idle connections that stay read-only.
    let reads = (0..4).map(|_| user.run("{ viewer { user { id } } }"));
    for read in futures_util::future::join_all(reads).await {
        assert!(read.body["errors"].is_null(), "{}", read.body);
    }

    run(&format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT")).await;
    let created = user.run(r#"mutation { createCounter(input: { name: "again" }) { counter { id } } }"#).await;
    assert!(created.body["errors"].is_null(), "on a new connection: {}", created.body);
    let again = async { while number(&user.run(NEXT).await).is_err() {} };
    tokio::time::timeout(PATIENCE, again).await.expect("numbers again, without a restart");
    test.app.ready().await.expect("ready again");
}
