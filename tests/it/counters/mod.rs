//! Counters: unique, gap-free, in one order, whatever happens around them.

mod blocked;
mod clock;
mod deletion;
mod exhaustion;
mod failing_neighbours;
mod history;
mod idempotency;
mod keys;
pub mod linearizable;
mod load;
mod model;
mod named;
mod network;
mod next;
mod pages;
pub mod proxy;
mod queue;
mod ranges;
mod reconnect;
mod record_limit;
mod replicas;
mod retries;
pub mod sequential;
mod set_current;
mod silence;

use crate::support::{Caller, Reply, TestApp};

const NEXT: &str = "mutation { next { value } }";

/// The number in an answer, or the code of what stood in the way.
fn number(reply: &Reply) -> Result<i64, String> {
    reply.at("/data/next/value").as_i64().ok_or_else(|| reply.code().to_owned())
}

/// What the default counter shows.
async fn current(caller: &Caller) -> i64 {
    caller.run("{ current }").await.data()["current"].as_i64().expect("a number")
}

/// Sets the default counter; it must work.
async fn set(caller: &Caller, current: i64) {
    let mutation = format!("mutation {{ setCurrent(input: {{ current: {current} }}) {{ counter {{ current }} }} }}");
    let reply = caller.run(&mutation).await;
    assert_eq!(reply.data()["setCurrent"]["counter"]["current"], current, "{}", reply.body);
}

/// Runs these side by side. On a runtime of one thread every one of them is in line before the first commit.
async fn all<T: Send + 'static>(calls: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let tasks: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.expect("no panic"));
    }
    outcomes
}

/// Makes a counter with this input; it must work.
async fn create(caller: &Caller, input: &str) -> String {
    let reply = caller.run(&format!("mutation {{ createCounter(input: {{ {input} }}) {CREATED} }}")).await;
    let id = reply.data()["createCounter"]["counter"]["id"].as_str();
    id.unwrap_or_else(|| panic!("a counter, not {}", reply.body)).to_owned()
}

const CREATED: &str = "{ counter { id name current step max } userErrors { code field message } }";

/// Deletes a counter.
async fn delete(caller: &Caller, name: &str) -> Reply {
    let mutation = "mutation ($name: String!) { deleteCounter(input: { name: $name }) {
        deletedCounterId userErrors { code field message } } }";
    caller.run_with(mutation, serde_json::json!({ "name": name })).await
}

/// Takes integers with this input.
async fn take(caller: &Caller, input: &str) -> Reply {
    caller.run(&format!("mutation {{ next(input: {{ {input} }}) {TAKEN} }}")).await
}

const TAKEN: &str = "{ value first last replayed counter { id name current updatedAt } }";

/// The first and the last integer in an answer, or the code of what stood in the way.
fn range(reply: &Reply) -> Result<(i64, i64), String> {
    let integer = |name| reply.at(&format!("/data/next/{name}")).as_i64();
    integer("first").zip(integer("last")).ok_or_else(|| reply.code().to_owned())
}

/// This user at the server's command line: without a schema between them and the verbs, and so in line at once.
async fn in_person(user: &Caller) -> cloakroom::caller::Caller {
    use cloakroom::caller::{Caller, Identity};
    let reply = user.run("{ viewer { user { id } } }").await;
    let id = reply.data()["viewer"]["user"]["id"].as_str().expect("an id");
    let user = cloakroom::id::UserId::parse(id).expect("a user's id");
    Caller { identity: Identity::Impersonated { user, admin: false }, ..Caller::operator() }
}

/// A program with an API key of this user's.
async fn program(test: &TestApp, user: &Caller, scopes: &str, counter: Option<&str>) -> Caller {
    let counter = counter.map(|name| format!(r#", counter: "{name}""#)).unwrap_or_default();
    let mutation = format!(
        r#"mutation {{ createApiKey(input: {{ password: "correct horse battery", name: "robot", scopes: [{scopes}]{counter} }}) {{ secret userErrors {{ code }} }} }}"#
    );
    let reply = user.run(&mutation).await;
    let secret = reply.data()["createApiKey"]["secret"].as_str().unwrap_or_else(|| panic!("a key, not {}", reply.body));
    test.bearer(Some(secret))
}
