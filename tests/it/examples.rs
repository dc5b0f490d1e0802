//! The clients in `examples/`, as their READMEs say to run them, against the real server. They need `node`.

use std::process::{Command, Output};

use cloakroom::config::{Config, Overrides};
use tempfile::TempDir;

use crate::support::{Process, TestDatabase};

/// A server for a client.
struct Place {
    server: Process,
    _database: TestDatabase,
    _data: TempDir,
}

impl Place {
    /// Starts it with these lines as its configuration.
    async fn with(settings: &str) -> Self {
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        let database = TestDatabase::create(&mut config).await;
        let data = tempfile::tempdir().expect("a temporary folder");
        let file = data.path().join("cloakroom.toml");
        std::fs::write(&file, settings).expect("the folder is writable");
        let server = Process::start(&data.path().join("data"), |command| {
            command.arg("--config").arg(&file).env("CLOAKROOM__DATABASE__MAX_CONNECTIONS", "4");
            let url = config.database.url.to_string();
            if !url.is_empty() {
                command.args(["--database", &url]);
            }
        });
        Self { server, _database: database, _data: data }
    }

    fn url(&self) -> String {
        format!("http://{}/graphql", self.server.address)
    }
}

/// `node examples/fetch/main.js URL`, run to its end.
fn fetch(url: &str) -> Output {
    run("examples/fetch/main.js", url)
}

/// `node examples/watch/main.js URL`, run to its end.
fn watch(url: &str) -> Output {
    run("examples/watch/main.js", url)
}

/// `node examples/upload/main.js URL`, run to its end.
fn upload(url: &str) -> Output {
    run("examples/upload/main.js", url)
}

/// What it prints with this server, where every answer is as it expects.
fn prints(example: fn(&str) -> Output, place: &Place) -> String {
    let output = example(&place.url());
    let (printed, complaints) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{printed}{complaints}");
    assert!(printed.ends_with("Every answer was as expected.\n"), "{printed}");
    printed
}

/// Fails, because of an answer with this code.
fn fails(example: fn(&str) -> Output, place: &Place, code: &str) {
    let output = example(&place.url());
    let (printed, complaints) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{printed}{complaints}");
    assert!(complaints.contains(code), "{complaints}");
    assert!(!printed.contains("Every answer"), "{printed}");
}

/// What each line is about.
fn steps(printed: &str) -> Vec<&str> {
    printed.lines().map(|line| line.split(": ").next().unwrap_or_default()).collect()
}

fn run(example: &str, url: &str) -> Output {
    let mut node = Command::new("node");
    node.args([example, url]).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CLOAKROOM_URL");
    node.output().expect("`node` runs: the examples need Node 18 or later")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetch_signs_up_and_logs_in_and_changes_the_password_and_refreshes_and_logs_out() {
    let place = Place::with("").await;
    let printed = prints(fetch, &place);
    assert_eq!(
        steps(&printed),
        [
            "sign up",
            "log in",
            "change the password",
            "log in with the old password",
            "refresh",
            "let the access token end",
            "who am I",
            "log out",
            "the access token after that",
            "the refresh token after that",
            "Every answer was as expected.",
        ]
    );
    for beginning in ["\"accessToken\":\"eyJ", "\"refreshToken\":\"crt_"] {
        let tokens: Vec<&str> = printed.split(beginning).skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(tokens.len(), 2, "those of the login and of the refresh: {printed}");
        assert!(tokens.iter().all(|token| token.chars().count() < 10), "they are shortened: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetch_fails_when_an_answer_is_not_the_expected_one_and_says_which() {
    // The second refresh of the example is refused.
    let place = Place::with("[limits]\nrefresh_per_session = { burst = 1, per_hour = 1 }\n").await;
    fails(fetch, &place, "RATE_LIMITED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watch_sees_the_newest_number_arrive_and_nothing_after_its_logout() {
    let place = Place::with("").await;
    let printed = prints(watch, &place);
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        [
            "the counter is at: 0",
            "numbers taken: 1, 2, 3",
            "the newest has arrived: 3",
            "after the logout: UNAUTHENTICATED: The session has ended.",
            "Every answer was as expected.",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watch_fails_when_an_answer_is_not_the_expected_one_and_says_which() {
    // Who signs up without an address is refused.
    let place = Place::with("[accounts]\nemail_verification = \"required\"\n").await;
    fails(watch, &place, "REQUIRED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_uploads_and_publishes_and_lists_and_downloads_and_deletes() {
    let place = Place::with("").await;
    let printed = prints(upload, &place);
    assert_eq!(
        steps(&printed),
        [
            "sign up",
            "upload",
            "upload a text",
            "publish",
            "list",
            "download the thumbnail",
            "delete",
            "the thumbnail after that",
            "Every answer was as expected.",
        ]
    );
    for beginning in ["\"accessToken\":\"", "signature="] {
        let secret = printed.split(beginning).nth(1).and_then(|rest| rest.split('"').next()).expect("it is printed");
        assert!(secret.chars().count() < 10, "it is shortened: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_fails_when_an_answer_is_not_the_expected_one_and_says_which() {
    // Its picture is larger than that.
    let place = Place::with("[photos]\nmax_pixels = 100\n").await;
    fails(upload, &place, "TOO_LARGE");
}

#[test]
fn all_fail_when_there_is_no_server() {
    // A port that was free a moment ago.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("its address");
    drop(socket);
    for example in [fetch, watch, upload] {
        let output = example(&format!("http://{address}/graphql"));
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        assert!(text(&output.stderr).contains(&address.to_string()), "{}", text(&output.stderr));
    }
}
