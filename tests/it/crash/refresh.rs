//! Refreshes of one session, late ones of several generations among them, with answers lost and the server killed at any
//! moment: nobody is logged out. A copy of a token is noticed all the same.

use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::{Home, current};
use crate::support::{PASSWORD, PATIENCE, Process, Random};

const ROUNDS: usize = 12;
const TABS: usize = 50;
/// How many answers in a hundred the client never hears.
const LOST: u64 = 33;
/// The generations of which a tab may still have the token.
const STORED: usize = 5;

/// A server that forgives late requests for so many seconds.
fn start(home: &Home, reuse_seconds: u32) -> Process {
    home.start_with(|command: &mut Command| {
        command.env("CLOAKROOM__ACCOUNTS__REFRESH_REUSE_SECONDS", reuse_seconds.to_string());
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_tabs_lost_answers_and_kills_never_log_anyone_out() {
    let mut random = Random::seeded();
    let home = Home::new().await;
    // However busy the machine is, all of this is within the window.
    let mut process = start(&home, 3600);
    process.sign_up("anna").await;
    let mut tokens = vec![log_in(&process).await];
    let (mut answered, mut unanswered) = (0, 0);
    for round in 0..ROUNDS {
        let newest = tokens.last().expect("the first one").clone();
        let stored = &tokens[tokens.len().saturating_sub(STORED)..];
        let sent: Vec<String> = (0..TABS)
            .map(|_| stored[usize::try_from(random.below(stored.len() as u64)).expect("small")].clone())
            .collect();
        let refreshes = join_all(sent.iter().map(|token| refresh(&process, token)));
        let answers = if round % 2 == 0 {
            let kill = async {
                // The moment is what is random here: before, within or after the one commit. Nothing is waited for.
                tokio::time::sleep(random.within(Duration::from_millis(60))).await;
                process.signal("KILL");
            };
            let (answers, ()) = tokio::join!(refreshes, kill);
            process.wait();
            process = start(&home, 3600);
            answers
        } else {
            refreshes.await
        };
        answered += answers.iter().flatten().count();
        unanswered += answers.iter().filter(|answer| answer.is_none()).count();
        let successors: Vec<&Pair> = answers.iter().flatten().filter(|pair| pair.refresh != newest).collect();
        let is_one = |pair: &&Pair| pair.refresh == successors[0].refresh;
        assert!(successors.iter().all(is_one), "S3: at most one successor");
        // Every fifth round all are lost, and the client comes back with what it has.
        let heard = successors.into_iter().find(|_| round % 5 != 4 && random.below(100) >= LOST);
        if let Some(pair) = heard {
            tokens.push(pair.refresh.clone());
            // Some are used, and others replaced before that.
            if random.below(2) == 0 {
                assert_eq!(current(&process, &pair.access).await, 0);
            }
        }
    }
    assert!(answered > ROUNDS * TABS / 4, "{answered} answers and {unanswered} cut off: too few for a test");
    let [.., two_before, _, last] = &tokens[..] else { panic!("only {} refreshes came through", tokens.len()) };

    let next = refresh(&process, last).await.expect("the session has lived through it all");
    // S2, S4: beyond the window it is a copy.
    process.signal("KILL");
    process.wait();
    let process = start(&home, 0);
    assert_eq!(verdict(&process, two_before).await, "EXPIRED");
    for ended in [last, &next.refresh] {
        assert_eq!(verdict(&process, ended).await, "EXPIRED", "the copy has ended the session");
    }
}

/// The client of a lost answer comes back whenever it likes. Once the successor was used, the server knows better, also
/// after a crash, at the latest a second after the use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_use_of_a_pair_outlives_a_kill() {
    let home = Home::new().await;
    let mut process = start(&home, 0);
    process.sign_up("anna").await;
    let first = log_in(&process).await;
    let pair = refresh(&process, &first).await.expect("an answer");
    for _ in 0..2 {
        process.signal("KILL");
        process.wait();
        process = start(&home, 0);
        assert_eq!(refresh(&process, &first).await.expect("an answer").refresh, pair.refresh, "the answer was lost");
    }
    assert_eq!(current(&process, &pair.access).await, 0);
    wait_for_a_stored_use(&home).await;
    process.signal("KILL");
    process.wait();
    let process = start(&home, 0);
    assert_eq!(verdict(&process, &first).await, "EXPIRED");
    assert_eq!(verdict(&process, &pair.refresh).await, "EXPIRED", "the copy has ended the session");
}

async fn wait_for_a_stored_use(home: &Home) {
    use cloakroom::accounts::session;
    use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
    let mut config = cloakroom::config::Config::load(None, &cloakroom::config::Overrides::default()).expect("defaults");
    if !home.url.is_empty() {
        config.database.url = home.url.parse().expect("a URL");
    }
    let data_dir = home.folder.path().join("data");
    let database = cloakroom::store::Database::open(&config.database, &data_dir).await.expect("the database opens");
    let is_stored = async {
        loop {
            let confirmed = session::Entity::find().filter(session::Column::ConfirmedGeneration.eq(1));
            if confirmed.count(database.reader()).await.expect("sessions are counted") == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_stored).await.expect("the use is stored");
    database.close().await;
}

async fn log_in(process: &Process) -> String {
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{PASSWORD}" }}) {{ tokens {{ refreshToken }} }} }}"#
    );
    let answer = process.run(None, &login).await.expect("an answer");
    text(&answer["data"]["login"]["tokens"]["refreshToken"])
}

struct Pair {
    access: String,
    refresh: String,
}

/// The tokens; `None` if no whole answer came. Any other answer would be a logout.
async fn refresh(process: &Process, token: &str) -> Option<Pair> {
    let answer = ask(process, token).await?;
    let tokens = &answer["data"]["refreshTokens"]["tokens"];
    Some(Pair { access: text(&tokens["accessToken"]), refresh: text(&tokens["refreshToken"]) })
}

/// The user error's code.
async fn verdict(process: &Process, token: &str) -> String {
    let answer = ask(process, token).await.expect("an answer");
    text(&answer["data"]["refreshTokens"]["userErrors"][0]["code"])
}

async fn ask(process: &Process, token: &str) -> Option<Value> {
    let mutation = format!(
        r#"mutation {{ refreshTokens(input: {{ refreshToken: "{token}" }}) {{ tokens {{ accessToken refreshToken }} userErrors {{ code }} }} }}"#
    );
    process.run(None, &mutation).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a string, not {value}")).to_owned()
}
