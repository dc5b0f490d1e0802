//! No number within its range keeps a server from serving, or ends in a panic.

use cloakroom::config::RANGES;
use serde_json::Value;

use crate::support::{PASSWORD, Process, TestDatabase};

/// Settings that would take more memory or time than a test may: those of password hashes.
const COSTLY: &str = "accounts.password_";

/// Settings whose smallest value refuses the requests of this test.
const NARROW: [&str; 3] = ["graphql.max_aliases", "graphql.max_directives", "photos.quota_bytes"];

/// The environment variable of a setting, and its value. A limit has both of its numbers in one.
fn variables(value: impl Fn(u64, u64) -> Option<u64>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for (name, least, most) in RANGES.iter().filter(|(name, ..)| !name.starts_with(COSTLY)) {
        if let Some(value) = value(*least, *most) {
            let name = name.to_uppercase().replace('.', "__");
            variables.push((format!("CLOAKROOM__{name}"), value.to_string()));
        }
    }
    variables
}

async fn assert_serves(variables: Vec<(String, String)>) {
    let mut config = cloakroom::config::Config::load(None, &Default::default()).expect("the defaults are good");
    let database = TestDatabase::create_empty(&mut config).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let errors = folder.path().join("stderr");
    let url = config.database.url.to_string();
    let mut server = Process::start(&folder.path().join("data"), |command| {
        command.envs(variables);
        if !url.is_empty() {
            command.args(["--database", &url]);
        }
        command.stderr(std::fs::File::create(&errors).expect("a file"));
    });
    let token = server.sign_up("anna").await;
    let answer = server.run(Some(&token), "mutation { next { value } }").await;
    let answer = answer.expect("an answer");
    assert!(answer["errors"].is_null(), "{answer}");
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{PASSWORD}" }}) {{ tokens {{ accessToken }} }} }}"#
    );
    let answer = server.run(None, &login).await.expect("an answer");
    assert!(answer["errors"].is_null() && answer["data"]["login"] != Value::Null, "{answer}");
    assert_eq!(server.end_with("TERM").code(), Some(0));
    let log = server.output() + &std::fs::read_to_string(&errors).expect("the file");
    assert!(!log.contains("panicked"), "{log}");
    drop(database);
}

#[tokio::test]
async fn a_server_serves_with_every_number_at_its_largest() {
    assert_serves(variables(|_, most| Some(most))).await;
}

#[tokio::test]
async fn a_server_serves_with_every_number_that_may_be_zero_at_zero() {
    let narrow: Vec<String> =
        NARROW.iter().map(|name| format!("CLOAKROOM__{}", name.to_uppercase().replace('.', "__"))).collect();
    let zeros = variables(|least, _| (least == 0).then_some(0));
    assert_serves(zeros.into_iter().filter(|(name, _)| !narrow.contains(name)).collect()).await;
}
