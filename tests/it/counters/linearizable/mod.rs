//! Linearizability: whatever many clients hear of several servers on one database, one counter that does one order after
//! the other could have told them (C2). Another program locks their rows now and then. Histories are short and many: the check is a search.

pub mod client;
pub mod history;
mod wrong;

use std::sync::Arc;

use cloakroom::app::App;
use futures_util::future::join_all;

use super::proxy::Proxy;
use super::replicas::replica;
use super::sequential::counter::{Asked, Counter, Heard, Order};
use super::{all, create};
use crate::support::{Caller, Length, Locker, Random, TestApp, TestDatabase};
use client::{call_around, give};
use history::History;

const ROUNDS: usize = 4;
/// Histories at the same time, each of a counter of its own.
const HISTORIES: usize = 12;
const CLIENTS: usize = 6;
const CALLS: usize = 10;
/// Of so many answers of the database to the third server one is lost.
const LOST: u64 = 150;
/// Where the counters begin, and what is not much more.
const START: i64 = 40;
const MAX: i64 = 60;

/// Three servers on one database; on SQLite, whose file belongs to one process, one.
async fn servers(test: &TestApp, user: Caller) -> (Vec<Arc<App>>, Vec<Caller>) {
    if TestDatabase::is_sqlite() {
        return (Vec::new(), vec![user]);
    }
    let (second, there) = replica(test, &user, None).await;
    let proxy = Proxy::start(&test.config.database.url.to_string()).await;
    let (third, far) = replica(test, &user, Some(&proxy.url)).await;
    proxy.lose_every(LOST);
    (vec![second, third], vec![user, there, far])
}

/// One history: clients at all of the servers, and what the counter shows at the end.
async fn history(doors: Vec<Caller>, counter: String, mut random: Random) -> History {
    create(&doors[0], &format!(r#"name: "{counter}", start: {START}, max: {MAX}"#)).await;
    let history = History::new(Counter::new(START, 1, MAX));
    let clients = (0..CLIENTS).map(|_| call_around(&history, &doors, &counter, random.fork(), CALLS));
    join_all(clients).await;
    let show = Order { asked: Asked::Show, key: None };
    history.thread().call(&show, give(&doors[0], &counter, &show)).await;
    super::delete(&doors[0], &counter).await.data();
    history
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_clients_hear_of_three_servers_one_counter_could_have_said() {
    let (mut random, mut length) = (Random::seeded(), Length::rounds(ROUNDS));
    let (test, user) = TestApp::with_user().await;
    let user = super::program(&test, &user, "COUNTERS_NEXT, COUNTERS_READ, COUNTERS_WRITE", None).await;
    let (others, doors) = servers(&test, user).await;
    let locker = Locker::start(test.config.database.url.to_string(), random.fork());
    let (mut histories, mut calls, mut unknown) = (0, 0, 0);
    let (mut replayed, mut refused) = (0, 0);
    // What is lost may be no commit's answer.
    while length.goes_on_until(replayed > 0 && refused > 0 && (unknown > 0 || TestDatabase::is_sqlite())) {
        let made = all((0..HISTORIES).map(|place| history(doors.clone(), format!("c{place}"), random.fork()))).await;
        for history in made {
            history.check();
            let (some, open) = history.counts();
            (histories, calls, unknown) = (histories + 1, calls + some, unknown + open);
            replayed += history.count(|heard| matches!(heard, Heard::Took { replayed: true, .. }));
            refused += history.count(|heard| matches!(heard, Heard::Changed(_) | Heard::Exhausted | Heard::KeyReused));
        }
    }
    let locks = locker.stop().await;
    for other in others {
        other.stop().await;
    }
    assert!(locks > 0 || TestDatabase::is_sqlite(), "no row was locked");
    assert!(replayed > 0 && refused > 0, "{replayed} replayed, {refused} refused");
    assert!(unknown > 0 || TestDatabase::is_sqlite(), "no answer was lost");
    length.tell(&[
        ("histories", histories),
        ("calls", calls),
        ("of them replayed", replayed),
        ("refused", refused),
        ("with an unknown outcome", unknown),
        ("locks of another program", locks),
    ]);
}
