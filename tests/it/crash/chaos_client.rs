//! A client that loses answers and repeats its requests with their keys, at a server that is killed now and then: every
//! integer is taken once, and none is missing.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::{Home, current};
use crate::support::{Length, PATIENCE, Process, Random};

const KILLS: usize = 8;
const CLIENTS: u64 = 16;
/// The answers that a client has of each server, on the average.
const ANSWERS: u64 = 20;

/// More answers than there are: every client has lost its server.
const GONE: u64 = u64::MAX;

/// A client, over all the servers that it meets.
struct Client {
    random: Random,
    /// What it asks for until it has heard the answer: the key, and how many integers.
    wanted: Option<(String, u64)>,
    /// The ranges that it heard of.
    taken: Vec<(i64, i64)>,
    requests: u64,
    refused: u64,
}

impl Client {
    fn new(random: Random) -> Self {
        Self { random, wanted: None, taken: Vec::new(), requests: 0, refused: 0 }
    }

    /// Asks until the server is gone; the last one only for what it still waits for.
    async fn run(&mut self, process: &Process, token: &str, heard: &watch::Sender<u64>, last: bool) {
        while !last || self.wanted.is_some() {
            let number = self.requests;
            self.requests += 1;
            if self.wanted.is_none() {
                let count = if self.random.below(4) == 0 { 1 + self.random.below(50) } else { 1 };
                self.wanted = Some((format!("{:016x}-{number}", self.random.below(u64::MAX)), count));
            }
            let Some((key, count)) = &self.wanted else { continue };
            let mutation = format!(
                "mutation {{ next(input: {{ count: {count}, idempotencyKey: \"{key}\" }}) {{ first last replayed }} }}"
            );
            let Some(answer) = process.run(Some(token), &mutation).await else { return };
            if self.random.below(10) == 0 {
                continue;
            }
            let integer =
                |name: &str| answer.pointer(&format!("/data/next/{name}")).and_then(serde_json::Value::as_i64);
            match integer("first").zip(integer("last")) {
                Some(range) => {
                    assert_eq!(u64::try_from(range.1 - range.0 + 1), Ok(*count), "{answer}");
                    self.taken.push(range);
                    self.wanted = None;
                    heard.send_modify(|heard| *heard += 1);
                }
                // Whatever went wrong: the key makes it good.
                None => {
                    assert!(["UNAVAILABLE", "INTERNAL_SERVER_ERROR"].contains(&&*super::code(&answer)), "{answer}");
                    self.refused += 1;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_who_lose_answers_and_servers_have_every_integer_once() {
    let (mut random, mut length) = (Random::seeded(), Length::rounds(KILLS));
    let home = Home::new().await;
    let mut process = home.start();
    let token = process.sign_up("anna").await;
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::new(random.fork())).collect();
    let mut interrupted = 0;
    loop {
        let heard = watch::Sender::new(0);
        let (enough, delay) = (random.below(2 * ANSWERS * CLIENTS), random.within(Duration::from_millis(5)));
        let last = !length.goes_on_until(interrupted > 0);
        let crowd = async {
            join_all(clients.iter_mut().map(|client| client.run(&process, &token, &heard, last))).await;
            heard.send_replace(GONE)
        };
        let nemesis = async {
            if !last {
                heard.subscribe().wait_for(|heard| *heard >= enough).await.expect("the sender lives");
                // The moment is what is random here; nothing is waited for.
                tokio::time::sleep(delay).await;
                process.signal("KILL");
            }
        };
        let ended = tokio::select! {
            ended = async { tokio::join!(crowd, nemesis) } => Some(ended),
            () = silence(&heard) => None,
        };
        let Some((before, ())) = ended else {
            let refused: u64 = clients.iter().map(|client| client.refused).sum();
            panic!("no end: {} of {enough} answers, {refused} others so far", *heard.borrow());
        };
        if last {
            break;
        }
        assert!(before >= enough, "every client lost the server after {before} of {enough} answers, before its kill");
        process.wait();
        interrupted += clients.iter().filter(|client| client.wanted.is_some()).count();
        process = home.start();
    }
    let mut taken: Vec<_> = clients.iter().flat_map(|client| client.taken.iter().copied()).collect();
    taken.sort_unstable();
    let mut end = 0;
    for (first, last) in &taken {
        assert_eq!(*first, end + 1, "after {end}");
        end = *last;
    }
    assert_eq!(current(&process, &token).await, end, "nothing is taken that nobody heard of");
    let requests: u64 = clients.iter().map(|client| client.requests).sum();
    assert!(requests > taken.len() as u64 + 20 && interrupted > 0, "{requests} requests, {interrupted} interrupted");
    length.tell(&[
        ("requests", usize::try_from(requests).expect("a count")),
        ("ranges", taken.len()),
        ("integers", usize::try_from(end).expect("a count")),
        ("requests interrupted by a kill", interrupted),
    ]);
}

/// Ends when nobody has heard anything for too long.
async fn silence(heard: &watch::Sender<u64>) {
    let mut heard = heard.subscribe();
    while tokio::time::timeout(PATIENCE, heard.changed()).await.is_ok() {}
}

#[tokio::test]
async fn a_key_is_remembered_over_a_kill() {
    let home = Home::new().await;
    let mut process = home.start();
    let token = process.sign_up("anna").await;
    let mutation =
        r#"mutation { next(input: { count: 5, idempotencyKey: "k" }) { first last counter { updatedAt } } }"#;
    let first = process.run(Some(&token), mutation).await.expect("an answer");
    assert_eq!((&first["data"]["next"]["first"], &first["data"]["next"]["last"]), (&1.into(), &5.into()), "{first}");
    process.end_with("KILL");
    process = home.start();
    assert_eq!(process.run(Some(&token), mutation).await, Some(first));
    assert_eq!(current(&process, &token).await, 5);
}
