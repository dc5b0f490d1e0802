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
            if !config.database.url.is_empty() {
                command.args(["--database", &config.database.url]);
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
    let mut node = Command::new("node");
    node.args(["examples/fetch/main.js", url]).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CLOAKROOM_URL");
    node.output().expect("`node` runs: the examples need Node 18 or later")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetch_signs_up_and_logs_in_and_changes_the_password_and_refreshes_and_logs_out() {
    let place = Place::with("").await;
    let output = fetch(&place.url());
    let (printed, complaints) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{printed}{complaints}");
    let steps: Vec<&str> = printed.lines().map(|line| line.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(
        steps,
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
    let output = fetch(&place.url());
    let (printed, complaints) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{printed}{complaints}");
    assert!(complaints.contains("RATE_LIMITED"), "{complaints}");
    assert!(!printed.contains("Every answer"), "{printed}");
}

#[test]
fn fetch_fails_when_there_is_no_server() {
    // A port that was free a moment ago.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("its address");
    drop(socket);
    let output = fetch(&format!("http://{address}/graphql"));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains(&address.to_string()), "{}", text(&output.stderr));
}
