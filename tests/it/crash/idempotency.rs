//! `kill -9` at random moments of requests with idempotency keys: however often each is sent, it is done once.

use std::time::Duration;

use serde_json::{Value, json};

use super::Home;
use super::pictures::picture;
use crate::support::{Form, Length, PASSWORD, Process, Random};

const KILLS: usize = 8;
/// Rounds of one user: each adds an API key and a counter, whose number is limited.
const ROUNDS_PER_USER: u64 = 200;
const OPERATIONS: [&str; 3] = ["createCounter", "createApiKey", "uploadPhotos"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_again_after_a_kill_is_done_once() {
    let (mut random, mut length) = (Random::seeded(), Length::rounds(KILLS));
    let home = Home::new().await;
    let many_keys = |command: &mut std::process::Command| {
        command.env("CLOAKROOM__ACCOUNTS__MAX_API_KEYS", "1000");
        command.env("CLOAKROOM__COUNTERS__MAX_PER_USER", "100000");
    };
    let mut process = home.start_with(many_keys);
    let (mut token, mut first_round) = (process.sign_up("user0").await, 0);
    let (mut round, mut unknown, mut replayed) = (0_u64, 0, 0);
    while length.goes_on_until(unknown > 0 && replayed > 0) {
        if round - first_round == ROUNDS_PER_USER {
            Box::pin(assert_done_once(&process, &token, ROUNDS_PER_USER)).await;
            token = process.sign_up(&format!("user{round}")).await;
            first_round = round;
        }
        let delay = random.within(Duration::from_millis(60));
        let nemesis = async {
            // The moment is what is random here; nothing is waited for.
            tokio::time::sleep(delay).await;
            process.signal("KILL");
        };
        let send = |operation: usize| send(&process, &token, operation, round);
        let (first, second, third, ()) = tokio::join!(send(0), send(1), send(2), nemesis);
        process.wait();
        process = home.start_with(many_keys);
        for (operation, heard) in [first, second, third].into_iter().enumerate() {
            let again = send_again(&process, &token, operation, round).await;
            let before = heard.filter(|answer| answer["userErrors"] == json!([]));
            unknown += usize::from(before.is_none());
            replayed += usize::from(again["replayed"] == true);
            if let Some(mut before) = before {
                assert_eq!((&before["replayed"], &again["replayed"]), (&json!(false), &json!(true)));
                before["replayed"] = json!(true);
                assert_eq!(before, again, "{} of round {round}", OPERATIONS[operation]);
            }
        }
        round += 1;
    }
    Box::pin(assert_done_once(&process, &token, round - first_round)).await;
    length.tell(&[("kills", usize::try_from(round).expect("small")), ("unknown", unknown), ("replayed", replayed)]);
}

/// A user has what this many rounds add, and nothing twice.
async fn assert_done_once(process: &Process, token: &str, rounds: u64) {
    let query = "{ viewer { counters { totalCount } photos { totalCount } apiKeys { id } } }";
    let answer = process.run(Some(token), query).await.expect("an answer");
    let viewer = &answer["data"]["viewer"];
    assert_eq!(viewer["counters"]["totalCount"], rounds + 1, "{answer}");
    assert_eq!(viewer["photos"]["totalCount"], rounds, "{answer}");
    assert_eq!(viewer["apiKeys"].as_array().map(Vec::len), usize::try_from(rounds).ok(), "{answer}");
}

/// The payload; `None` if no whole answer came.
async fn send(process: &Process, token: &str, operation: usize, round: u64) -> Option<Value> {
    let answer = match operation {
        0 => {
            let input = format!("name: \"c{round}\", idempotencyKey: \"{round}\"");
            let fields = "replayed counter { id name } userErrors { code }";
            let query = format!("mutation {{ createCounter(input: {{ {input} }}) {{ {fields} }} }}");
            process.run(Some(token), &query).await
        }
        1 => {
            let input = format!(
                "password: \"{PASSWORD}\", name: \"k{round}\", scopes: [COUNTERS_READ], idempotencyKey: \"{round}\""
            );
            let fields = "replayed secret apiKey { id name } userErrors { code }";
            let query = format!("mutation {{ createApiKey(input: {{ {input} }}) {{ {fields} }} }}");
            process.run(Some(token), &query).await
        }
        _ => {
            let query = "mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) {
                replayed photos { id caption } userErrors { code } } }";
            let photo = json!({ "file": null, "caption": "synced" });
            let variables = json!({ "input": { "photos": [photo], "idempotencyKey": round.to_string() } });
            let file = picture(round);
            process.upload(token, Form::of(query, &variables, &[("variables.input.photos.0.file", &file)])).await
        }
    };
    let payload = answer?["data"][OPERATIONS[operation]].clone();
    (!payload.is_null()).then_some(payload)
}

async fn send_again(process: &Process, token: &str, operation: usize, round: u64) -> Value {
    let payload = send(process, token, operation, round).await.expect("an answer");
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload
}
