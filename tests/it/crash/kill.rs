//! `kill -9` at random moments: what was acknowledged holds, and nothing is given twice.

use std::time::{Duration, Instant};

use super::load::{Ledger, Load};
use super::{Home, current};
use crate::support::{Length, Locker, Process, Promptness, Random};

const KILLS: usize = 24;
const CONNECTIONS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills_at_any_moment() {
    let (mut random, mut length) = (Random::seeded(), Length::rounds(KILLS));
    let home = Home::new().await;
    let mut process = home.start();
    let anna = process.sign_up("anna").await;
    let mut guest = process.sign_up("guest").await;
    let locker = Locker::start(home.url.clone(), random.fork());
    let (mut ledger, mut kill, mut ready) = (Ledger::default(), 0, Promptness::within(Duration::from_secs(5)));
    while length.goes_on_until(ledger.unknown() > 0) {
        let (heard, newcomer) = burst(&process, &anna, &guest, kill, &mut random).await;
        process.wait();
        ledger.add(heard);

        let started = Instant::now();
        process = home.start();
        let shown = current(&process, &anna).await;
        ready.came(started);
        ledger.check(shown);
        assert!(!is_signed_in(&process, &guest).await, "a logout acknowledged before kill {kill} holds");
        assert!(is_signed_in(&process, &newcomer).await, "a session acknowledged before kill {kill} holds");
        guest = newcomer;
        kill += 1;
    }
    let locks = locker.stop().await;
    assert!(ledger.acknowledged() > KILLS * CONNECTIONS, "only {} numbers: no load", ledger.acknowledged());
    assert!(ledger.unknown() > 0, "no request was under way at any kill");
    ready.assert();
    length.tell(&[
        ("numbers acknowledged", ledger.acknowledged()),
        ("unknown", ledger.unknown()),
        ("locks of another program", locks),
    ]);
}

/// Load, in the midst of which a guest leaves and another comes; then the kill. Returns what was heard, and
/// the newcomer's token.
async fn burst(process: &Process, token: &str, guest: &str, kill: usize, random: &mut Random) -> (Ledger, String) {
    let load = Load::new();
    let enough = usize::try_from(20 + random.below(100)).expect("a small number");
    let delay = random.within(Duration::from_millis(5));
    let nemesis = async {
        let left = process.run(Some(guest), "mutation { logout { endedSessions } }").await.expect("an answer");
        assert_eq!(left["data"]["logout"]["endedSessions"], 1, "{left}");
        let newcomer = process.sign_up(&format!("guest{kill}")).await;
        load.reached(enough).await;
        // The moment is what is random here; nothing is waited for.
        tokio::time::sleep(delay).await;
        process.signal("KILL");
        newcomer
    };
    tokio::join!(load.run(process, token, CONNECTIONS), nemesis)
}

async fn is_signed_in(process: &Process, token: &str) -> bool {
    let answer = process.run(Some(token), "{ current }").await.expect("an answer");
    match answer["data"]["current"].as_i64() {
        Some(_) => true,
        None => {
            assert_eq!(super::code(&answer), "UNAUTHENTICATED");
            false
        }
    }
}
