//! `kill -9` at random moments, in the midst of uploads, publishing, deleting and the sweep: every photo that was
//! acknowledged is there byte for byte, what nobody heard of happened as a whole or not at all, and rows, files and
//! quotas agree.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::Home;
use super::author::{Author, Heard};
use super::witness::Witness;
use crate::support::{Length, PATIENCE, Process, Random, TestDatabase};

const ROUNDS: usize = 3;
const ACCOUNTS: usize = 3;
/// Of each account; they share what its owner may store.
const CLIENTS: usize = 2;
/// Every so many rounds the sweep comes to everything; in the others, servers begin with what is over.
const SWEPT: usize = 2;
/// Longer than the term of what an upload begins, and than the files of one are kept.
const HOURS: i64 = 26;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_photo_survives_kills_and_nothing_else_is_left() {
    let (mut random, mut length) = (Random::seeded(), Length::rounds(ROUNDS));
    let home = Home::new().await;
    let replicas = if TestDatabase::is_sqlite() { 1 } else { 2 };
    let mut servers: Vec<Process> = (0..replicas).map(|_| home.start()).collect();
    let mut authors = Vec::new();
    for account in 0..ACCOUNTS {
        let token = servers[0].sign_up(&format!("user{account}")).await;
        let name = |client: usize| format!("{account}.{client}");
        authors.extend((0..CLIENTS).map(|client| Author::new(token.clone(), name(client), random.fork())));
    }
    let (mut kills, mut leftovers) = (0, 0);
    while length.goes_on_until(all(&authors, |heard| heard.unknown) > 0) {
        let victim = usize::try_from(random.below(replicas)).expect("an index");
        round(&home, &servers, victim, &mut authors, &mut random).await;
        servers[victim].wait();

        let witness = Witness::open(&home, HOURS).await;
        witness.is_calm().await;
        let seen = witness.photos().await;
        authors.iter_mut().for_each(|author| author.check(&seen));
        leftovers += witness.check_rows().await.len();
        if kills % SWEPT == 0 {
            witness.sweep().await;
            witness.check_swept().await;
        }
        witness.close().await;
        servers[victim] = home.start();
        kills += 1;
    }
    assert!(all(&authors, |heard| heard.deleted) > 0, "nothing was deleted: no load");
    assert!(all(&authors, |heard| heard.unknown) > 0, "no request was under way at any kill");
    length.tell(&[
        ("kills", kills),
        ("photos uploaded", all(&authors, |heard| heard.uploaded)),
        ("published or unpublished", all(&authors, |heard| heard.published)),
        ("deleted", all(&authors, |heard| heard.deleted)),
        ("requests unknown", all(&authors, |heard| heard.unknown)),
        ("of them had happened", all(&authors, |heard| heard.happened)),
        ("files half written", leftovers),
    ]);
}

/// Everybody at work, and a kill in their midst. Where there is another server, it goes on for a while; there somebody
/// sweeps all the time, too.
async fn round(home: &Home, servers: &[Process], victim: usize, authors: &mut [Author], random: &mut Random) {
    let (done, stop) = (watch::Sender::new(0_usize), watch::Sender::new(false));
    let first = usize::try_from(random.below(servers.len() as u64)).expect("an index");
    let clients = authors.iter_mut().enumerate().map(|(nth, author)| {
        let (server, done, stop) = (&servers[(first + nth) % servers.len()], &done, &stop);
        async move {
            while !*stop.borrow() && author.act(server).await {
                done.send_modify(|done| *done += 1);
            }
        }
    });
    let sweeper = async {
        if servers.len() > 1 {
            let witness = Witness::open(home, 0).await;
            while !*stop.borrow() {
                witness.sweep().await;
                tokio::task::yield_now().await;
            }
            witness.close().await;
        }
    };
    let (enough, delay) = (1 + random.below(20), random.within(Duration::from_millis(40)));
    let nemesis = async {
        reached(&done, usize::try_from(enough).expect("small")).await;
        // The moment is what is random here; nothing is waited for.
        tokio::time::sleep(delay).await;
        servers[victim].signal("KILL");
        if servers.len() > 1 {
            let by_now = *done.borrow();
            reached(&done, by_now + 6).await;
        }
        stop.send_replace(true);
    };
    let all = async { tokio::join!(join_all(clients), sweeper, nemesis) };
    tokio::time::timeout(PATIENCE, all).await.expect("everybody hears something");
}

async fn reached(done: &watch::Sender<usize>, count: usize) {
    done.subscribe().wait_for(|done| *done >= count).await.expect("the sender lives");
}

fn all(authors: &[Author], what: impl Fn(&Heard) -> usize) -> usize {
    authors.iter().map(|author| what(&author.heard)).sum()
}
