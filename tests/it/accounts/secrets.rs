//! Nothing secret and nothing personal is in the log, however much is logged (J10, ASVS 16.2.5).

use std::fs::File;

use cloakroom::accounts::user;
use cloakroom::config::{Config, Overrides};
use sea_orm::{Database, EntityTrait as _};
use serde_json::Value;

use crate::support::{Process, TestDatabase};

const PASSWORD: &str = "Wintergarten-7491-Secret";
const WRONG: &str = "Sommergarten-1947-Wrong";
const EMAIL: &str = "Private.Person@secret-example.org";
const USERNAME: &str = "privateperson77";

#[tokio::test]
async fn the_log_at_its_most_talkative_has_no_secret() {
    for format in ["text", "json"] {
        let log = log_of_a_visit(format).await;
        assert!(log.matches("request_id").count() >= 8, "a line an operation: {log}");
    }
}

/// Everything that a server writes while somebody comes, errs in every way, and leaves.
async fn log_of_a_visit(format: &str) -> String {
    let data_dir = tempfile::tempdir().expect("a temporary folder");
    let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
    let _database = TestDatabase::create(&mut config).await;
    let stderr = data_dir.path().join("stderr");
    let mut server = Process::start(data_dir.path(), |command| {
        command.env("CLOAKROOM__LOG__LEVEL", "trace").env("CLOAKROOM__LOG__FORMAT", format);
        command.env("CLOAKROOM__DATABASE__URL", config.database.url.to_string());
        // Without a mail server, mails are written to the log on purpose.
        command.env("CLOAKROOM__MAIL__SMTP_URL", "smtp://127.0.0.1:1");
        command.stderr(File::create(&stderr).expect("a file"));
    });
    let secrets = visit(&server).await;
    let url = match config.database.url.to_string().as_str() {
        "" => format!("sqlite://{}?mode=ro", data_dir.path().join("cloakroom.db").display()),
        url => url.to_owned(),
    };
    let hash = password_hash(url).await;
    server.end_with("TERM");
    let output = server.output();
    let log = output + &std::fs::read_to_string(&stderr).expect("what it wrote to stderr");
    let found = log.to_lowercase();
    for secret in secrets.iter().map(String::as_str).chain([PASSWORD, WRONG, EMAIL, USERNAME, &hash, "$argon2"]) {
        assert!(!found.contains(&secret.to_lowercase()), "{secret} is in the log:\n{log}");
    }
    log
}

/// The tokens that were handed out or tried, and their parts.
async fn visit(server: &Process) -> Vec<String> {
    let credentials = |password: &str| format!(r#"identifier: "{EMAIL}", password: "{password}""#);
    let tokens = "tokens { accessToken refreshToken } userErrors { message }";
    let new = format!(r#"email: "{EMAIL}", username: "{USERNAME}", password: "{PASSWORD}""#);
    let answer = ask(server, None, &format!("mutation {{ signUp(input: {{ {new} }}) {{ {tokens} }} }}")).await;
    let mut secrets = secrets_in(&answer["data"]["signUp"]["tokens"]);
    assert_eq!(secrets.len(), 5, "{answer}");
    let access = secrets[0].clone();

    ask(server, None, &format!("mutation {{ signUp(input: {{ {new} }}) {{ {tokens} }} }}")).await;
    for password in [WRONG, PASSWORD] {
        let login = format!("mutation {{ login(input: {{ {} }}) {{ {tokens} }} }}", credentials(password));
        secrets.extend(secrets_in(&ask(server, None, &login).await["data"]["login"]["tokens"]));
    }
    assert_eq!(secrets.len(), 10, "two sessions");
    let forged = "eyJhbGciOiJFZERTQSJ9.Zm9yZ2VkLXRva2Vu.c2lnbmF0dXJl";
    secrets.push(forged.to_owned());
    ask(server, Some(forged), "{ current }").await;
    ask(server, Some(&secrets[1]), "{ current }").await;
    ask(server, None, &format!("mutation {PASSWORD} {{ broken \"{PASSWORD}\"")).await;
    ask(server, None, &format!("mutation {{ login(input: {{ {}, unknown: 1 }}) {{ {tokens} }} }}", credentials(WRONG)))
        .await;
    ask(server, None, &format!("mutation {{ login(input: \"{PASSWORD}\") {{ {tokens} }} }}")).await;
    ask(server, Some(&access), "mutation { next { value } }").await;
    ask(server, Some(&access), &format!(r#"{{ user(username: "{USERNAME}") {{ email }} viewer {{ role }} }}"#)).await;
    let create = format!(
        r#"mutation {{ createApiKey(input: {{ password: "{PASSWORD}", name: "x", scopes: [COUNTERS_READ] }}) {{ secret }} }}"#
    );
    let key = ask(server, Some(&access), &create).await["data"]["createApiKey"]["secret"].clone();
    let key = key.as_str().expect("a key").to_owned();
    ask(server, Some(&key), "{ current viewer { role } }").await;
    ask(server, Some(&key.to_uppercase()), &format!("{{ user(username: \"{key}\") {{ id }} }}")).await;
    secrets.push(key[12..].to_owned());
    ask(server, Some(&access), "mutation { logout { endedSessions } }").await;
    ask(server, Some(&access), "{ current }").await;
    secrets
}

async fn ask(server: &Process, token: Option<&str>, operation: &str) -> Value {
    server.run(token, operation).await.expect("an answer")
}

/// Both tokens, and each part of the first: `[access, refresh, header, payload, signature]`.
fn secrets_in(tokens: &Value) -> Vec<String> {
    let text = |name: &str| tokens[name].as_str().map(str::to_owned);
    let (Some(access), Some(refresh)) = (text("accessToken"), text("refreshToken")) else { return Vec::new() };
    let parts: Vec<String> = access.split('.').map(str::to_owned).collect();
    [access, refresh].into_iter().chain(parts).collect()
}

async fn password_hash(url: String) -> String {
    let database = Database::connect(url).await.expect("the database opens");
    let user = user::Entity::find().one(&database).await.expect("users are read");
    let user = user.expect("somebody");
    assert!(user.password_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "P3: {}", user.password_hash);
    user.password_hash
}
