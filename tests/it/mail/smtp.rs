//! A mail server that works, that refuses, that is silent and that goes away.

use cloakroom::mail::is_permanent;
use tokio::net::TcpListener;

use super::{confirm, mailer, mailer_with, now};
use crate::support::{SMTP_PASSWORD, SMTP_USER, SmtpServer, Tls, parsed};

/// What stands before the host, percent-encoded.
fn user(password: &str) -> String {
    let encode = |text| url::form_urlencoded::byte_serialize(str::as_bytes(text)).collect::<String>();
    format!("{}:{}@", encode(SMTP_USER), encode(password))
}

#[tokio::test]
async fn mails_share_a_connection_however_it_is_encrypted() {
    for tls in [Tls::Implicit, Tls::StartTls, Tls::None] {
        let server = SmtpServer::start(tls).await;
        let mailer = mailer(&server);
        for name in ["anna", "benno", "clara"] {
            let sent = mailer.clone().send(&format!("{name}@example.org"), &confirm(), now()).await;
            sent.unwrap_or_else(|error| panic!("{tls:?}: {error:#}"));
        }
        let recipients: Vec<String> = server.mails(3).await.into_iter().map(|mail| mail.to).collect();
        assert_eq!(recipients, ["anna@example.org", "benno@example.org", "clara@example.org"], "{tls:?}");
        assert_eq!(server.connections(), 1, "{tls:?}");
    }
}

#[tokio::test]
async fn no_more_connections_are_opened_than_are_set() {
    let server = SmtpServer::start(Tls::Implicit).await;
    let mailer = mailer_with(&server, |mail| mail.smtp_connections = 2);
    let sends = (0..20).map(|number| {
        let mailer = mailer.clone();
        async move { mailer.send(&format!("user{number}@example.org"), &confirm(), now()).await }
    });
    for sent in futures_util::future::join_all(sends).await {
        sent.expect("it is sent");
    }
    assert_eq!(server.mails(20).await.len(), 20);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn the_user_and_the_password_of_the_url_are_used() {
    for tls in [Tls::Implicit, Tls::StartTls, Tls::None] {
        let server = SmtpServer::start_for_users(tls).await;
        let right = mailer_with(&server, |mail| mail.smtp_url = Some(server.url_of(&user(SMTP_PASSWORD))));
        right.send("anna@example.org", &confirm(), now()).await.expect("it is sent");

        let wrong = mailer_with(&server, |mail| mail.smtp_url = Some(server.url_of(&user("geheim"))));
        let error = wrong.send("anna@example.org", &confirm(), now()).await.expect_err("a wrong password");
        assert_eq!(
            format!("{error:#}"),
            "mail.smtp_url lets nobody in: the mail server answered 535",
            "and no password is told"
        );
        assert!(!is_permanent(&error), "the settings are at fault, not the letter");

        let nobody = mailer(&server).send("anna@example.org", &confirm(), now()).await;
        assert_eq!(nobody.expect_err("no user").to_string(), "the mail server answered 530");
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_is_told_without_the_address_and_disturbs_no_other_mail() {
    let server = SmtpServer::start(Tls::None).await;
    let mailer = mailer_with(&server, |mail| mail.smtp_connections = 1);
    for (recipient, reason, permanent) in [
        ("nobody@example.org", "the mail server answered 550", true),
        ("later@example.org", "the mail server answered 451", false),
        ("hangup@example.org", "the mail server hung up, or speaks no SMTP", false),
        ("no address", "the recipient's address is none that mail can be sent to", true),
        (
            "anna@example.org\r\nRCPT TO:<eve@example.org>",
            "the recipient's address is none that mail can be sent to",
            true,
        ),
    ] {
        let error = mailer.send(recipient, &confirm(), now()).await.expect_err("a refusal");
        assert_eq!((format!("{error:#}").as_str(), is_permanent(&error)), (reason, permanent), "{recipient}");
        mailer.send("anna@example.org", &confirm(), now()).await.expect("it is sent");
    }
    let mails = server.mails(5).await;
    assert!(mails.len() == 5 && mails.iter().all(|mail| mail.to == "anna@example.org"));
}

#[tokio::test]
async fn names_of_other_alphabets_are_written_to_as_far_as_the_server_can() {
    let server = SmtpServer::start(Tls::None).await;
    let mailer = mailer(&server);
    mailer.send("anna@münchen.example", &confirm(), now()).await.expect("it is sent");
    assert_eq!(server.mails(1).await[0].to, "anna@xn--mnchen-3ya.example");
    let error = mailer.send("änna@example.org", &confirm(), now()).await.expect_err("the server has no SMTPUTF8");
    assert!(is_permanent(&error) && !format!("{error:#}").contains("nna"), "{error:#}");
}

#[tokio::test]
async fn a_silent_server_costs_the_time_that_is_set_and_no_connection() {
    let server = SmtpServer::start(Tls::Implicit).await;
    let mailer = mailer_with(&server, |mail| (mail.smtp_seconds, mail.smtp_connections) = (1, 1));
    mailer.send("anna@example.org", &confirm(), now()).await.expect("it is sent");
    let error = mailer.send("silent@example.org", &confirm(), now()).await.expect_err("no answer");
    assert_eq!(error.to_string(), "the mail server took longer than 1 s");
    assert!(!is_permanent(&error));
    mailer.send("benno@example.org", &confirm(), now()).await.expect("it is sent");
    assert_eq!((server.mails(2).await.len(), server.connections()), (2, 2), "the one that was given up is not reused");

    // Accepted by the kernel, and never greeted: neither SMTP nor TLS begins.
    let deaf = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    for url in ["smtp", "smtps"].map(|scheme| format!("{scheme}://{}", deaf.local_addr().expect("an address"))) {
        let mailer = mailer_with(&server, |mail| (mail.smtp_url, mail.smtp_seconds) = (Some(parsed(&url)), 1));
        let error = mailer.send("anna@example.org", &confirm(), now()).await.expect_err("no answer");
        assert_eq!(error.to_string(), "the mail server took longer than 1 s");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_an_error_until_it_is_back() {
    let mut server = SmtpServer::start(Tls::None).await;
    let mailer = mailer(&server);
    mailer.send("anna@example.org", &confirm(), now()).await.expect("it is sent");
    server.stop().await;
    let error = mailer.send("anna@example.org", &confirm(), now()).await.expect_err("nobody is there");
    let start = format!("no connection to 127.0.0.1:{}: ", server.address.port());
    assert!(format!("{error:#}").starts_with(&start), "{error:#}");
    assert!(!is_permanent(&error));
    server.restart().await;
    mailer.send("anna@example.org", &confirm(), now()).await.expect("it is sent");
    assert_eq!(server.mails(2).await.len(), 2);
}
