//! The post: what is queued is sent once, tried again where that can help, and given up where it cannot.

use cloakroom::accounts::queued_mail;
use futures_util::future::join_all;
use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde_json::json;

use super::{change_email, request_reset, sign_up};
use crate::support::{PASSWORD, SmtpServer, TestApp, Tls, link_token};

async fn with_server(server: &SmtpServer) -> TestApp {
    let (url, ca) = (server.url(), server.ca_file());
    TestApp::with_config(|config| {
        config.mail.smtp_url = Some(url);
        config.mail.smtp_ca_file = ca;
        config.mail.smtp_seconds = 5;
        config.mail.attempts = 4;
    })
    .await
}

async fn queue(test: &TestApp) -> Vec<queued_mail::Model> {
    let queued = queued_mail::Entity::find().order_by_asc(queued_mail::Column::CreatedAt);
    queued.all(test.app.database.reader()).await.expect("the queue is read")
}

async fn work(test: &TestApp) {
    assert!(test.app.accounts.send_mails().await.is_ok(), "a mail server's faults are none of the post's");
}

async fn register(test: &TestApp, name: &str, email: &str) {
    sign_up(test, json!({ "username": name, "email": email })).await.data();
}

#[tokio::test]
async fn while_the_mail_server_is_away_a_mail_waits_longer_each_time_until_it_is_given_up() {
    let mut server = SmtpServer::start(Tls::Implicit).await;
    server.stop().await;
    let test = with_server(&server).await;
    register(&test, "anna", "anna@example.org").await;
    let start = test.clock.now();
    for (attempt, pause) in [(1, 60), (2, 120), (3, 240)] {
        work(&test).await;
        work(&test).await;
        let waiting = queue(&test).await;
        let [mail] = waiting.as_slice() else { panic!("it waits: {waiting:?}") };
        assert_eq!((mail.attempts, (mail.due_at - test.clock.now()).num_seconds()), (attempt, pause));
        test.clock.advance(pause - 1);
        work(&test).await;
        assert_eq!(queue(&test).await[0].attempts, attempt, "not before it is due");
        test.clock.advance(1);
    }
    work(&test).await;
    assert_eq!(queue(&test).await, [], "the fourth of four attempts was the last");
    assert_eq!((test.clock.now() - start).num_seconds(), 420);
}

#[tokio::test]
async fn a_mail_that_waited_is_sent_when_the_mail_server_is_back() {
    let mut server = SmtpServer::start(Tls::StartTls).await;
    server.stop().await;
    let test = with_server(&server).await;
    register(&test, "anna", "anna@example.org").await;
    work(&test).await;
    server.restart().await;
    work(&test).await;
    assert_eq!(server.received().len(), 0, "it is not due yet");
    test.clock.advance(60);
    work(&test).await;
    let mails = server.mails(1).await;
    assert_eq!(super::verify(&test.anonymous(), &link_token(&mails[0])).await.user_errors("verifyEmail"), [""; 0]);
    test.clock.advance(86_400);
    work(&test).await;
    assert_eq!((queue(&test).await.len(), server.received().len()), (0, 1), "once");
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_not_tried_again_and_none_holds_up_another() {
    let server = SmtpServer::start(Tls::None).await;
    let test = with_server(&server).await;
    for (number, user) in ["nobody", "later", "hangup", "fine", "nobody", "alsofine"].into_iter().enumerate() {
        register(&test, &format!("user{number}"), &format!("{user}@host{number}.example.org")).await;
    }
    work(&test).await;
    let mut recipients: Vec<String> = server.mails(2).await.into_iter().map(|mail| mail.to).collect();
    recipients.sort();
    assert_eq!(recipients, ["alsofine@host5.example.org", "fine@host3.example.org"]);
    let mut waiting: Vec<String> = queue(&test).await.into_iter().map(|mail| mail.recipient).collect();
    waiting.sort();
    assert_eq!(waiting, ["hangup@host2.example.org", "later@host1.example.org"], "what may work later");
}

/// One that the mail server never answers takes its time, and the others go past it.
#[tokio::test]
async fn a_silent_mail_server_holds_up_one_mail() {
    let server = SmtpServer::start(Tls::None).await;
    let url = server.url();
    let test = TestApp::with_config(|config| {
        config.mail.smtp_url = Some(url);
        config.mail.smtp_seconds = 1;
    })
    .await;
    register(&test, "slow", "silent@example.org").await;
    for number in 0..6 {
        register(&test, &format!("user{number}"), &format!("user{number}@example.org")).await;
    }
    work(&test).await;
    assert_eq!(server.received().len(), 6);
    assert_eq!(queue(&test).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_send_each_mail_once() {
    let server = SmtpServer::start(Tls::None).await;
    let test = with_server(&server).await;
    for number in 0..12 {
        register(&test, &format!("user{number}"), &format!("user{number}@example.org")).await;
    }
    // On SQLite another program with the same file, on the others other servers.
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let database = cloakroom::store::Database::open(&test.config.database, &test.config.server.data_dir).await;
        let database = database.expect("the database opens");
        replicas.push(cloakroom::app::App::start(&test.config, database, test.clock.clone()).expect("a replica"));
    }
    let work = replicas.iter().map(|replica| replica.accounts.send_mails());
    assert!(join_all(work).await.into_iter().all(|done| done.is_ok()));
    let mut recipients: Vec<String> = server.mails(12).await.into_iter().map(|mail| mail.to).collect();
    recipients.sort();
    recipients.dedup();
    assert_eq!((recipients.len(), server.received().len()), (12, 12));
    assert_eq!(queue(&test).await, []);
}

#[tokio::test]
async fn a_mail_that_was_claimed_by_a_server_that_died_is_sent_by_another() {
    let server = SmtpServer::start(Tls::None).await;
    let mut test = with_server(&server).await;
    register(&test, "anna", "anna@example.org").await;
    crate::support::alter(&test, "UPDATE mails SET attempts = 1").await;
    test.restart().await;
    work(&test).await;
    assert_eq!(server.mails(1).await[0].to, "anna@example.org");
}

#[tokio::test]
async fn no_token_is_in_the_database_but_as_its_hash() {
    let server = SmtpServer::start(Tls::None).await;
    let test = with_server(&server).await;
    let anna = test.sign_up("anna").await;
    request_reset(&test, "anna@example.org").await.data();
    change_email(&anna, "new@example.org", PASSWORD).await.data();
    work(&test).await;
    let tokens: Vec<String> = server.mails(3).await.iter().map(link_token).collect();
    let dump = dump(&test).await;
    assert!(dump.contains("new@example.org"), "it is the database: {dump}");
    for token in tokens {
        assert!(token.len() >= 43 && !dump.contains(&token), "{token} in {dump}");
    }
    assert_eq!(super::count(&test, "email_tokens").await, 3);
}

/// Every text in the tables of mails and accounts.
async fn dump(test: &TestApp) -> String {
    let reader = test.app.database.reader();
    let tokens = cloakroom::accounts::email_token::Entity::find().all(reader).await.expect("tokens");
    let users = cloakroom::accounts::user::Entity::find().all(reader).await.expect("users");
    let events = cloakroom::accounts::account_event::Entity::find().all(reader).await.expect("events");
    format!("{tokens:?} {users:?} {events:?} {:?}", queue(test).await)
}
