//! Counters: unique, gap-free, in one order, whatever happens around them.

mod clock;
mod exhaustion;
mod history;
mod load;
mod model;
mod network;
mod next;
mod proxy;
mod queue;
mod reconnect;
mod replicas;
mod set_current;

use crate::support::{Caller, Reply};

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
