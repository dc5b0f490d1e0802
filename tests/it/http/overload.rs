//! With more clients than the queues allow, some are told to come back; the rest, and later all, are served.

use serde_json::json;

use crate::support::{Caller, Hold, PASSWORD, PATIENCE, Reply, TestApp};

fn spawn_all(caller: &Caller, count: usize, query: &str) -> Vec<tokio::task::JoinHandle<Reply>> {
    let spawn = |_| {
        let (caller, query) = (caller.clone(), query.to_owned());
        tokio::spawn(async move { caller.run(&query).await })
    };
    (0..count).map(spawn).collect()
}

/// How many were served; the others are told to come back.
async fn served(tasks: Vec<tokio::task::JoinHandle<Reply>>) -> usize {
    let mut served = 0;
    for task in tasks {
        let reply = task.await.expect("an answer");
        match reply.status.as_u16() {
            200 => {
                assert!(reply.body.get("errors").is_none(), "{}", reply.body);
                served += 1;
            }
            503 => {
                assert_eq!(reply.code(), "UNAVAILABLE");
                let seconds: u32 = reply.header("retry-after").parse().expect("a number of seconds");
                assert!(seconds > 0);
            }
            status => panic!("{status}: {}", reply.body),
        }
    }
    served
}

#[tokio::test]
async fn a_full_queue_of_writes_refuses_without_effect() {
    let test = TestApp::with_config(|config| config.counters.queue = 8).await;
    let user = test.sign_up("anna").await;
    let hold = Hold::of_counters(&test).await;
    let tasks = spawn_all(&user, 100, "mutation { next { value } }");
    // The refused do not wait for the others.
    let refused = |tasks: &[tokio::task::JoinHandle<Reply>]| tasks.iter().filter(|task| task.is_finished()).count();
    tokio::time::timeout(PATIENCE, async {
        while refused(&tasks) < 50 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("they are refused at once");
    hold.release().await;
    let served = served(tasks).await;
    // A counter that another transaction has locked has a quarter of the places.
    assert!((2..=50).contains(&served), "{served}");
    let current = user.run("{ current }").await.data()["current"].clone();
    assert_eq!(current, json!(served), "who was refused has taken no number");
    assert_eq!(user.next().await, i64::try_from(served + 1).expect("a number"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_logins_is_bounded_and_others_are_served() {
    let test = TestApp::with_config(|config| {
        config.accounts.password_memory_kib = 4096;
        config.accounts.password_threads = 1;
        config.accounts.password_queue = 4;
    })
    .await;
    let user = test.sign_up("anna").await;
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{PASSWORD}" }})
           {{ tokens {{ accessToken }} userErrors {{ message }} }} }}"#
    );
    let tasks = spawn_all(&test.anonymous(), 300, &login);
    assert_eq!(user.next().await, 1, "others are served meanwhile");
    let served = served(tasks).await;
    assert!((5..300).contains(&served), "{served}");

    assert!(test.anonymous().run(&login).await.data()["login"]["tokens"].is_object(), "served again");
}
