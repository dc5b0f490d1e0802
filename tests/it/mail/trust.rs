//! Whom a mail is entrusted to: a server that proves its name, or nobody.

use std::path::PathBuf;

use super::{confirm, mailer, mailer_with, now};
use crate::support::{SmtpServer, Tls, parsed};

const ENCRYPTED: [Tls; 2] = [Tls::Implicit, Tls::StartTls];

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    for tls in ENCRYPTED {
        let (server, other) = (SmtpServer::start(tls).await, SmtpServer::start(tls).await);
        for authorities in [PathBuf::new(), other.ca_file()] {
            let mailer = mailer_with(&server, |mail| mail.smtp_ca_file = authorities);
            let error = mailer.send("anna@example.org", &confirm(), now()).await.expect_err("it is not trusted");
            assert!(format!("{error:#}").contains("invalid peer certificate"), "{tls:?}: {error:#}");
        }
        assert!(server.received().is_empty());
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    for tls in ENCRYPTED {
        let server = SmtpServer::start_as(tls, &["elsewhere.example"], false).await;
        let error = mailer(&server).send("anna@example.org", &confirm(), now()).await.expect_err("it is not trusted");
        assert!(format!("{error:#}").contains("not valid for name"), "{tls:?}: {error:#}");
        assert!(server.received().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_must_encrypt_and_does_not_gets_no_mail() {
    let server = SmtpServer::start(Tls::None).await;
    for url in [format!("smtp://{}?tls=required", server.address), format!("smtps://{}", server.address)] {
        let mailer = mailer_with(&server, |mail| mail.smtp_url = Some(parsed(&url)));
        mailer.send("anna@example.org", &confirm(), now()).await.expect_err("no TLS");
    }
    assert!(server.received().is_empty());
}
