//! What a watcher must not miss, and what it costs that it is slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Instant;

use cloakroom::store::Backend;
use sea_orm::{ConnectionTrait as _, Database};

use super::client::Socket;
use super::{CURRENT, current, serve, sign_on};
use crate::support::{Hold, Listening, PATIENCE, Process, TestApp};

/// Whoever connects again gets at least what was acknowledged before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_integer_is_never_older_than_what_was_acknowledged() {
    let (_test, server, user) = serve().await;
    let (acknowledged, done) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (user, acknowledged, done) = (user.clone(), Arc::clone(&acknowledged), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    acknowledged.fetch_max(user.next().await, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let mut socket = sign_on(&server, &user).await;
    for round in 0..300 {
        if round % 10 == 0 {
            socket = sign_on(&server, &user).await;
        }
        let id = round.to_string();
        let before = acknowledged.load(Ordering::SeqCst);
        socket.subscribe(&id, CURRENT).await;
        let mut last = -1;
        for _ in 0..=round % 3 {
            // Those of the one before may still be on their way.
            let shown = loop {
                let message = socket.hear().await.expect("a message");
                if message["id"] == id {
                    break current(&message["payload"]);
                }
            };
            assert!(shown >= before && shown > last, "{shown} after {last} and {before}");
            last = shown;
        }
        socket.complete(&id).await;
    }
    done.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("the writer ends well");
    }
    let newest = acknowledged.load(Ordering::SeqCst);
    let mut socket = sign_on(&server, &user).await;
    socket.subscribe("z", CURRENT).await;
    assert_eq!(current(&socket.answer("z").await), newest);
}

/// Nobody watches when it begins, and it is not committed yet when the watcher reads.
#[tokio::test]
async fn what_is_being_committed_reaches_who_comes_meanwhile() {
    let test = TestApp::with_config(|config| config.counters.poll_milliseconds = 3_600_000).await;
    let user = test.sign_up("anna").await;
    let server = Listening::start(&test).await;
    let hold = Hold::of_counters(&test).await;
    let next = tokio::spawn({
        let user = user.clone();
        async move { user.next().await }
    });
    // All on one thread, in turn: by then it waits for the database.
    for _ in 0..10 {
        user.run("{ current }").await.data();
    }
    let mut socket = sign_on(&server, &user).await;
    socket.subscribe("a", CURRENT).await;
    assert_eq!(current(&socket.answer("a").await), 0);
    hold.release().await;
    assert_eq!(next.await.expect("a number"), 1);
    assert_eq!(current(&socket.answer("a").await), 1);
}

#[tokio::test]
async fn a_change_by_another_program_arrives() {
    let (test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    socket.subscribe("a", CURRENT).await;
    socket.answer("a").await;
    let other = another_program(&test).await;
    for integer in [77, 3] {
        other.execute_unprepared(&format!("UPDATE counters SET current = {integer}")).await.expect("it is written");
        assert_eq!(current(&socket.answer("a").await), integer);
    }
    other.close().await.expect("the connection closes");
}

/// What wakes the watchers' task for one counter must not keep it from looking at the others.
#[tokio::test]
async fn a_change_by_another_program_arrives_while_another_counter_is_busy() {
    let (test, server, user) = serve().await;
    let create = "mutation { createCounter(input: { name: \"busy\" }) { userErrors { code } } }";
    user.run(create).await.data();
    let mut socket = sign_on(&server, &user).await;
    socket.subscribe("a", CURRENT).await;
    socket.answer("a").await;
    let mut busy = sign_on(&server, &user).await;
    busy.subscribe("b", "subscription { current(counter: \"busy\") }").await;
    let counting = tokio::spawn(async move {
        loop {
            user.run("mutation { next(input: { counter: \"busy\" }) { value } }").await.data();
            busy.answer("b").await;
        }
    });
    let other = another_program(&test).await;
    let change = "UPDATE counters SET current = 77 WHERE name = 'default'";
    other.execute_unprepared(change).await.expect("it is written");
    let told = tokio::time::timeout(PATIENCE, socket.answer("a")).await.expect("it is looked at");
    assert_eq!(current(&told), 77);
    counting.abort();
    other.close().await.expect("the connection closes");
}

/// A connection to the database that is not the server's.
async fn another_program(test: &TestApp) -> sea_orm::DatabaseConnection {
    let url = match test.app.database.backend() {
        Backend::Sqlite => format!("sqlite://{}?mode=rw", test.data_dir().join("cloakroom.db").display()),
        Backend::Postgres | Backend::Mysql => test.config.database.url.to_string(),
    };
    Database::connect(url).await.expect("the database opens")
}

/// R5. What it would be sent otherwise is many times what sockets keep.
#[tokio::test]
async fn a_client_that_does_not_read_gets_the_newest_and_costs_no_memory() {
    const CHANGES: i64 = 1500;
    const SUBSCRIPTIONS: usize = 100;
    let data_dir = tempfile::tempdir().expect("a temporary folder");
    let server = Process::start(data_dir.path(), |command| {
        // It does not read for as long as the changes take.
        command.env("CLOAKROOM__HTTP__ANSWER_SECONDS", "3600");
    });
    let token = server.sign_up("anna").await;
    let mut socket = Socket::open(server.address).await;
    socket.init(Some(&token)).await;
    let ids: Vec<String> = (0..SUBSCRIPTIONS).map(|n| format!("{n:0>256}")).collect();
    for id in &ids {
        socket.subscribe(id, CURRENT).await;
        socket.answer(id).await;
    }
    let before = server.resident_kb();
    for _ in 0..CHANGES {
        assert!(server.run(Some(&token), "mutation { next { value } }").await.is_some());
    }
    let grown = server.resident_kb().saturating_sub(before);
    let (mut heard, mut newest, began) = (0, 0, Instant::now());
    while newest < SUBSCRIPTIONS {
        let message = socket.hear().await.expect("a message");
        heard += 1;
        newest += usize::from(current(&message["payload"]) == CHANGES);
        assert!(began.elapsed() < PATIENCE);
    }
    socket.is_quiet().await;
    let all = SUBSCRIPTIONS * usize::try_from(CHANGES).expect("a count");
    assert!(heard < all / 3, "{heard} of {all}");
    assert!(grown < 16_000, "{grown} kB more");
}

/// Whoever does not read cannot keep the server from stopping, nor a session from ending.
#[tokio::test]
async fn a_client_that_does_not_read_is_sent_away_like_any_other() {
    let test = TestApp::with_config(|config| {
        config.subscriptions.max_operations = 1000;
        config.http.answer_seconds = 3600;
    })
    .await;
    let user = test.sign_up("anna").await;
    let (mut server, watching) = (Listening::start(&test).await, test.sign_in("anna").await);
    let mut sockets = Vec::new();
    for caller in [&watching, &user] {
        let mut socket = sign_on(&server, caller).await;
        for n in 0..1000 {
            let id = format!("{n:0>256}");
            socket.subscribe(&id, CURRENT).await;
            socket.answer(&id).await;
        }
        sockets.push(socket);
    }
    // A third of a megabyte for each of them.
    for _ in 0..50 {
        user.next().await;
    }
    let ended = "mutation { logout { endedSessions } }";
    assert_eq!(watching.run(ended).await.data()["logout"]["endedSessions"], 1);
    let mut heard = 0;
    while sockets[0].hear().await.is_ok() {
        heard += 1;
    }
    assert!(heard < 50_000, "{heard}: nothing was left to be sent");
    server.shut_down();
    server.ended().await;
}
