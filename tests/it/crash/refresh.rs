//! Refreshes of one session, with answers lost and the server killed at any moment: nobody is logged out.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::Home;
use crate::support::{PASSWORD, Process, Random};

const ROUNDS: usize = 12;
const TABS: usize = 50;
/// How many answers in a hundred the client never hears.
const LOST: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tabs_lost_answers_and_kills_never_log_anyone_out() {
    let mut random = Random::seeded();
    let home = Home::new().await;
    let mut process = home.start();
    process.sign_up("anna").await;
    let mut tokens = vec![log_in(&process).await];
    let (mut answered, mut unanswered) = (0, 0);
    for round in 0..ROUNDS {
        let token = tokens.last().expect("the first one").clone();
        let refreshes = join_all((0..TABS).map(|_| refresh(&process, &token)));
        let answers = if round % 2 == 0 {
            let kill = async {
                // The moment is what is random here: before, within or after the one commit. Nothing is waited for.
                tokio::time::sleep(random.within(Duration::from_millis(60))).await;
                process.signal("KILL");
            };
            let (answers, ()) = tokio::join!(refreshes, kill);
            process.wait();
            process = home.start();
            answers
        } else {
            refreshes.await
        };
        answered += answers.iter().flatten().count();
        unanswered += answers.iter().filter(|answer| answer.is_none()).count();
        let successors: Vec<&String> = answers.iter().flatten().collect();
        assert!(successors.iter().all(|next| *next == successors[0]), "S3: at most one successor");
        // Every fifth round all are lost, and the client comes back with what it has.
        let heard = successors.into_iter().find(|_| round % 5 != 4 && random.below(100) >= LOST);
        tokens.extend(heard.cloned());
    }
    assert!(answered > ROUNDS * TABS / 4, "{answered} answers and {unanswered} cut off: too few for a test");
    let [.., two_before, _, last] = &tokens[..] else { panic!("only {} refreshes came through", tokens.len()) };

    let next = refresh(&process, last).await.expect("the session has lived through it all");
    // S2, S4.
    assert_eq!(verdict(&process, two_before).await, "EXPIRED");
    for ended in [last, &next] {
        assert_eq!(verdict(&process, ended).await, "EXPIRED", "the copy has ended the session");
    }
}

async fn log_in(process: &Process) -> String {
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{PASSWORD}" }}) {{ tokens {{ refreshToken }} }} }}"#
    );
    let answer = process.run(None, &login).await.expect("an answer");
    text(&answer["data"]["login"]["tokens"]["refreshToken"])
}

/// The successor; `None` if no whole answer came. Any other answer would be a logout.
async fn refresh(process: &Process, token: &str) -> Option<String> {
    let answer = ask(process, token).await?;
    Some(text(&answer["data"]["refreshTokens"]["tokens"]["refreshToken"]))
}

/// The user error's code.
async fn verdict(process: &Process, token: &str) -> String {
    let answer = ask(process, token).await.expect("an answer");
    text(&answer["data"]["refreshTokens"]["userErrors"][0]["code"])
}

async fn ask(process: &Process, token: &str) -> Option<Value> {
    let mutation = format!(
        r#"mutation {{ refreshTokens(input: {{ refreshToken: "{token}" }}) {{ tokens {{ refreshToken }} userErrors {{ code }} }} }}"#
    );
    process.run(None, &mutation).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a string, not {value}")).to_owned()
}
