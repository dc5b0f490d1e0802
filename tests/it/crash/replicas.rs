//! Servers and their database killed with `kill -9` at random moments, in the midst of everything that a counter can do:
//! what was acknowledged holds and is not done twice; what nobody heard of happened once or not at all (C2, C3, C7);
//! numbers come again by themselves, and soon (C10, C11).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;

use super::crowd::Taker;
use super::load::Ledger;
use super::site::{Blow, Parts, Replica, Site, strike};
use crate::counters::linearizable::client::{Door as _, call_around, give};
use crate::counters::linearizable::history::History;
use crate::counters::sequential::counter::{Asked, Counter, GREATEST, Heard, Order};
use crate::support::{Length, PATIENCE, Random};

const ROUNDS: usize = 8;
/// Clients of the hot counter.
const TAKERS: usize = 12;
/// Counters of which everything is asked, and recorded.
const HISTORIES: usize = 6;
const CLIENTS: usize = 4;
const CALLS: usize = 12;
const SHOW: Order = Order { asked: Asked::Show, key: None };

/// A counter of one round, and the calls under keys that nobody knows the outcome of.
struct Recorded {
    counter: String,
    history: History,
    open: Vec<Order>,
}

impl Recorded {
    async fn begin(replicas: &[Replica], counter: String) -> Self {
        let create = format!(r#"mutation {{ createCounter(input: {{ name: "{counter}" }}) {{ counter {{ id }} }} }}"#);
        let answer = replicas[0].ask(&create).await.expect("an answer");
        assert!(answer.pointer("/data/createCounter/counter/id").is_some(), "{answer}");
        Self { counter, history: History::new(Counter::new(0, 1, GREATEST)), open: Vec::new() }
    }

    async fn run(&mut self, replicas: &[Replica], mut random: Random) {
        let randoms: Vec<_> = (0..CLIENTS).map(|_| random.fork()).collect();
        let clients =
            randoms.into_iter().map(|random| call_around(&self.history, replicas, &self.counter, random, CALLS));
        let unknown = join_all(clients).await.into_iter().flatten();
        self.open = unknown.filter(|order| order.key.is_some()).collect();
    }

    /// Asks again under the keys, looks, and checks.
    async fn end(self, replicas: &[Replica]) -> History {
        for order in self.open.iter().chain([&SHOW]) {
            let mut heard = None;
            // A connection of the server's that died with the database may still be found out.
            for replica in replicas.iter().cycle().take(8) {
                heard = self.history.thread().call(order, give(replica, &self.counter, order)).await;
                if !matches!(heard, None | Some(Heard::Unavailable)) {
                    break;
                }
            }
            assert!(!matches!(heard, None | Some(Heard::Unavailable)), "{order:?} of {} ends", self.counter);
        }
        self.history.check();
        let delete =
            format!(r#"mutation {{ deleteCounter(input: {{ name: "{}" }}) {{ deletedCounterId }} }}"#, self.counter);
        let answer = replicas[0].ask(&delete).await.expect("an answer");
        assert!(answer.pointer("/data/deleteCounter/deletedCounterId").is_some(), "{answer}");
        self.history
    }
}

/// Clients everywhere, and a blow in their midst. Returns what they heard.
async fn round(
    parts: Parts<'_>,
    blow: Blow,
    takers: &mut [Taker],
    name: usize,
    random: &mut Random,
) -> (Ledger, Vec<History>) {
    let replicas = parts.2;
    let mut recorded = Vec::new();
    for place in 0..HISTORIES {
        recorded.push(Recorded::begin(replicas, format!("c{name}.{place}")).await);
    }
    let stop = AtomicBool::new(false);
    let crowd = join_all(takers.iter_mut().map(|taker| taker.run(replicas, &stop)));
    let clients = join_all(recorded.iter_mut().map(|recorded| recorded.run(replicas, random.fork())));
    let place = usize::try_from(random.below(replicas.len() as u64)).expect("an index");
    let delay = random.within(Duration::from_millis(120));
    let nemesis = async {
        // The moment is what is random here; nothing is waited for.
        tokio::time::sleep(delay).await;
        strike(parts, blow, place).await
    };
    let stopping = async {
        let ((), heard) = tokio::join!(async { drop(clients.await) }, nemesis);
        stop.store(true, Ordering::SeqCst);
        heard
    };
    let all = tokio::time::timeout(3 * PATIENCE, async { tokio::join!(crowd, stopping) }).await;
    let (crowd, mut ledger) = all.unwrap_or_else(|_| panic!("somebody hears nothing after {blow:?}"));
    crowd.into_iter().for_each(|heard| ledger.add(heard));
    let histories = join_all(recorded.into_iter().map(|recorded| recorded.end(replicas))).await;
    (ledger, histories)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_done_twice_whatever_is_killed() {
    let (mut random, mut length) = (Random::seeded(), Length::rounds(ROUNDS));
    let mut site = Site::start().await;
    let mut takers: Vec<_> = (0..TAKERS).map(|_| Taker::new(random.fork())).collect();
    let (mut ledger, mut blows, mut calls, mut open) = (Ledger::default(), Vec::new(), 0, 0);
    while length.goes_on_until(ledger.unknown() > 0 && open > 0) {
        let blow = site.blows()[blows.len() % site.blows().len()];
        let (heard, histories) = round(site.parts(), blow, &mut takers, blows.len(), &mut random).await;
        blows.push(blow);
        for history in &histories {
            let (some, unknown) = history.counts();
            (calls, open) = (calls + some, open + unknown);
        }
        ledger.add(heard);
        let shown = give(&site.replicas[0], "default", &SHOW).await;
        let Some(Heard::Shown(current)) = shown else { panic!("{shown:?} after {blow:?}") };
        ledger.check(current);
    }
    assert!(ledger.acknowledged() > blows.len() * TAKERS, "only {} numbers: no load", ledger.acknowledged());
    assert!(ledger.unknown() > 0 && open > 0, "no request was under way at any blow");
    site.assert_prompt();
    let of = |kinds: &[Blow]| blows.iter().filter(|blow| kinds.contains(blow)).count();
    length.tell(&[
        ("servers killed", of(&[Blow::Replica, Blow::Both])),
        ("databases killed", of(&[Blow::Database, Blow::Both])),
        ("servers stopped for a while", of(&[Blow::Pause])),
        ("numbers acknowledged", ledger.acknowledged()),
        ("unknown", ledger.unknown()),
        ("histories", blows.len() * HISTORIES),
        ("calls in them", calls),
        ("of them unknown", open),
    ]);
}
