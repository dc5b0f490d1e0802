//! The real server and a real mail server: from the sign-up over TLS to the link, through a crash, and what is logged.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use cloakroom::config::{Config, Overrides};
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{PASSWORD, PATIENCE, Process, SmtpServer, TestDatabase, Tls, link_token, test_mails};

/// A data directory and a database that outlive the server.
struct Home {
    folder: TempDir,
    url: String,
    _database: TestDatabase,
}

impl Home {
    async fn new() -> Self {
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        let database = TestDatabase::create(&mut config).await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, url: config.database.url.to_string(), _database: database }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn start(&self, adapt: impl FnOnce(&mut Command)) -> Process {
        Process::start(self.path(), |command| {
            command.env("CLOAKROOM__DATABASE__URL", &self.url).env("CLOAKROOM__LOG__LEVEL", "trace");
            command.stderr(File::options().create(true).append(true).open(self.path().join("stderr")).expect("a file"));
            adapt(command);
        })
    }

    /// Only while no server runs.
    async fn alter(&self, sql: &str) {
        let url = match self.url.as_str() {
            "" => format!("sqlite://{}?mode=rw", self.path().join("cloakroom.db").display()),
            url => url.to_owned(),
        };
        let database = Database::connect(url).await.expect("the database opens");
        database.execute_unprepared(sql).await.expect(sql);
        database.close().await.expect("it closes");
    }
}

fn by(server: &SmtpServer) -> impl FnOnce(&mut Command) + '_ {
    |command| {
        command.env("CLOAKROOM__MAIL__SMTP_URL", server.url().to_string());
        command.env("CLOAKROOM__MAIL__SMTP_CA_FILE", server.ca_file());
        command.env("CLOAKROOM__SERVER__PUBLIC_URL", "https://cloakroom.example.org/app/");
    }
}

async fn ask(process: &Process, token: Option<&str>, query: &str) -> Value {
    let answer = process.run(token, query).await.expect("an answer");
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].clone()
}

async fn sign_up(process: &Process) -> String {
    let input = format!(r#"username: "anna", email: "anna@secret-example.org", password: "{PASSWORD}""#);
    let query = format!("mutation {{ signUp(input: {{ {input} }}) {{ tokens {{ accessToken }} }} }}");
    let data = ask(process, None, &query).await;
    data["signUp"]["tokens"]["accessToken"].as_str().expect("a token").to_owned()
}

async fn confirm(process: &Process, access: &str, token: &str) {
    let query = format!("mutation {{ verifyEmail(input: {{ token: \"{token}\" }}) {{ userErrors {{ code }} }} }}");
    assert_eq!(ask(process, Some(access), &query).await["verifyEmail"]["userErrors"], serde_json::json!([]));
    let viewer = ask(process, Some(access), "{ viewer { emailVerifiedAt } }").await;
    assert!(viewer["viewer"]["emailVerifiedAt"].is_string(), "{viewer}");
}

#[tokio::test]
async fn a_sign_up_is_confirmed_through_a_mail_server_with_tls_and_the_log_knows_nothing_of_it() {
    for tls in [Tls::Implicit, Tls::StartTls] {
        let (server, home) = (SmtpServer::start(tls).await, Home::new().await);
        let mut process = home.start(by(&server));
        let access = sign_up(&process).await;
        let mail = server.mails(1).await.remove(0);
        assert_eq!(
            (mail.to.as_str(), mail.subject.as_str()),
            ("anna@secret-example.org", "Confirm your e-mail address")
        );
        assert!(mail.text.contains("\nhttps://cloakroom.example.org/app/verify-email#token="), "{}", mail.text);
        let token = link_token(&mail);
        confirm(&process, &access, &token).await;
        ask(
            &process,
            None,
            r#"mutation { requestPasswordReset(input: { email: "anna@secret-example.org" }) { accepted } }"#,
        )
        .await;
        ask(
            &process,
            None,
            r#"mutation { requestPasswordReset(input: { email: "nobody@secret-example.org" }) { accepted } }"#,
        )
        .await;
        let reset = link_token(&server.mails(2).await[1]);
        process.end_with("TERM");
        let log = process.output() + &std::fs::read_to_string(home.path().join("stderr")).expect("the log");
        assert!(log.contains("request_id"), "it is the log: {log}");
        for secret in ["secret-example.org", &token, &reset, PASSWORD] {
            assert!(!log.contains(secret), "{tls:?}: {secret} is in the log:\n{log}");
        }
        assert!(test_mails(home.path()).is_empty(), "no file where there is a mail server");
    }
}

#[tokio::test]
async fn without_a_mail_server_the_link_is_in_a_file_and_in_the_log() {
    let home = Home::new().await;
    let mut process = home.start(|_| {});
    let access = sign_up(&process).await;
    let mail = first_file(home.path()).await;
    assert!(mail.text.contains(&format!("http://{}/verify-email#token=", process.address)), "{}", mail.text);
    let token = link_token(&mail);
    confirm(&process, &access, &token).await;
    process.end_with("TERM");
    let log = process.output() + &std::fs::read_to_string(home.path().join("stderr")).expect("the log");
    assert!(log.contains(&token), "a newcomer finds the link in the log");
}

/// The first mail in the folder, once it is there; the folder has whole files alone.
async fn first_file(data_dir: &Path) -> crate::support::ReceivedMail {
    let found = async {
        loop {
            if let Some(mail) = test_mails(data_dir).into_iter().next() {
                return mail;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("a mail is written")
}

#[tokio::test]
async fn what_was_queued_when_the_server_was_killed_is_sent_by_the_next() {
    let (mut server, home) = (SmtpServer::start(Tls::Implicit).await, Home::new().await);
    server.stop().await;
    let mut process = home.start(by(&server));
    let access = sign_up(&process).await;
    process.end_with("KILL");
    // It may have tried; its next attempt is a minute away.
    home.alter("UPDATE mails SET due_at = created_at").await;
    server.restart().await;
    let process = home.start(by(&server));
    let mails = server.mails(1).await;
    confirm(&process, &access, &link_token(&mails[0])).await;
    assert_eq!(server.received().len(), 1);
}
