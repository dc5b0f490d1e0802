//! Idempotency keys of `createCounter`, `createApiKey` and `uploadPhotos`, and the header on everything else.
//! `counters/idempotency.rs` tests `next` and `setCurrent`.

mod create_api_key;
mod create_counter;
mod header;
mod records;
mod upload_photos;

use serde_json::{Value, json};

use crate::support::{Caller, Form, PASSWORD, Reply};

const CREATE_COUNTER: &str = "mutation ($input: CreateCounterInput!) { createCounter(input: $input) {
    replayed counter { id name current step max createdAt } userErrors { code field message } } }";

const CREATE_API_KEY: &str = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
    replayed secret apiKey { id name prefix scopes expiresAt } userErrors { code field message } } }";

const UPLOAD_PHOTOS: &str = "mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) {
    replayed photos { id state caption tags createdAt } userErrors { code field message } } }";

async fn create_counter(caller: &Caller, input: Value) -> Reply {
    caller.run_with(CREATE_COUNTER, json!({ "input": input })).await
}

async fn create_api_key(caller: &Caller, input: Value) -> Reply {
    let mut input = input;
    input["password"] = json!(PASSWORD);
    caller.run_with(CREATE_API_KEY, json!({ "input": input })).await
}

/// Uploads these files with their captions, under a key if there is one.
async fn upload(caller: &Caller, photos: &[(&[u8], Option<&str>)], publish: bool, key: Option<&str>) -> Reply {
    let new: Vec<Value> = photos.iter().map(|(_, caption)| json!({ "file": null, "caption": caption })).collect();
    let input = json!({ "input": { "photos": new, "publish": publish, "idempotencyKey": key } });
    let places: Vec<String> = (0..photos.len()).map(|at| format!("variables.input.photos.{at}.file")).collect();
    let files = places.iter().map(String::as_str).zip(photos.iter().map(|(file, _)| *file));
    caller.upload(Form::of(UPLOAD_PHOTOS, &input, &files.collect::<Vec<_>>())).await
}

/// The payload of a mutation that succeeded, without `replayed`, and whether it was a replay.
fn payload(reply: &Reply, mutation: &str) -> (Value, bool) {
    let mut payload = reply.data()[mutation].clone();
    assert_eq!(payload["userErrors"], json!([]), "{}", reply.body);
    let replayed = payload["replayed"].take();
    (payload, replayed.as_bool().expect("a boolean"))
}

/// Runs these at the same time, each in its own task.
async fn all<T: Send + 'static>(calls: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let tasks: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.expect("no panic"));
    }
    outcomes
}
