//! Settings that cannot work are told at start, by their name, and without the password.

use cloakroom::config::{self, SmtpUrl};
use cloakroom::mail::Mailer;

use super::settings;
use crate::support::parsed;

fn refusal(adapt: impl FnOnce(&mut config::Mail)) -> String {
    let opened = Mailer::open(&settings(adapt), "nowhere".as_ref());
    format!("{:#}", opened.err().expect("these settings cannot work"))
}

#[test]
fn a_sender_must_be_a_mailbox() {
    for from in ["", "Cloakroom", "cloakroom@", "a@example.org, b@example.org", "Me <me@example.org>\r\nBcc: x@y.z"] {
        let error = refusal(|mail| from.clone_into(&mut mail.from));
        assert!(error.starts_with("mail.from must be an address, such as"), "{from:?}: {error}");
    }
}

#[test]
fn a_url_of_no_mail_server_is_refused_without_its_password() {
    for url in [
        "smtp.example.org",
        "https://anna:geheim@smtp.example.org",
        "smtp://anna:geheim@smtp.example.org?tls=opportunistic",
        "smtp://anna:geheim@smtp.example.org?tls=required&x=1",
        "smtps://anna:geheim@smtp.example.org?tls=required",
        "smtps://anna:geheim@smtp.example.org/path",
        "smtps://anna:geheim@",
        "smtps://anna:geheim@smtp.example.org:99999",
        "smtps://anna@smtp.example.org",
        "smtps://:geheim@smtp.example.org",
        "smtp://anna:geheim@smtp.example.org:25",
    ] {
        let error = url.parse::<SmtpUrl>().expect_err(url);
        assert!(!error.contains("geheim") && !error.contains("anna"), "{url}: {error}");
    }
    let error = "smtp://anna:geheim@smtp.example.org".parse::<SmtpUrl>().expect_err("no TLS");
    assert!(error.ends_with("the password would cross the network unencrypted: use smtps://"), "{error}");
}

#[test]
fn authorities_must_be_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ca.pem");
    let opened = |url: &str| {
        refusal(|mail| {
            mail.smtp_url = Some(parsed(url));
            mail.smtp_ca_file.clone_from(&path);
        })
    };
    assert!(opened("smtps://localhost").contains("mail.smtp_ca_file"), "there is no file");
    for nonsense in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, nonsense).expect("it is written");
        let error = opened("smtp://localhost?tls=required");
        assert!(error.contains("has no certificates in PEM") || error.contains("TLS"), "{nonsense:?}: {error}");
    }
}

#[test]
fn usual_settings_open() {
    for url in [
        "smtps://user:p%40ss@smtp.example.org",
        "smtps://smtp.example.org:4465",
        "smtp://user:pass@smtp.example.org?tls=required",
        "smtp://user:pass@localhost:1025",
        "smtp://[::1]:25",
        "smtps://[2001:db8::1]",
        "smtp://mail:25",
    ] {
        let opened = Mailer::open(&settings(|mail| mail.smtp_url = Some(parsed(url))), "nowhere".as_ref());
        opened.unwrap_or_else(|error| panic!("{url}: {error:#}"));
    }
}
