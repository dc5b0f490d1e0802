//! Letters: what they say, and how they get to a mail server or into a folder.

mod folder;
mod letters;
mod settings;
mod smtp;
mod trust;

use chrono::{DateTime, Utc};
use cloakroom::config::{self, Config, Overrides};
use cloakroom::mail::{Letter, Mailer};

use crate::support::SmtpServer;

/// The defaults, with what `adapt` changes.
fn settings(adapt: impl FnOnce(&mut config::Mail)) -> config::Mail {
    let mut settings = Config::load(None, &Overrides::default()).expect("the defaults are good").mail;
    settings.from = "The Cloakroom <mail@cloakroom.example>".to_owned();
    adapt(&mut settings);
    settings
}

/// Sends to this server and trusts it.
fn mailer(server: &SmtpServer) -> Mailer {
    mailer_with(server, |_| {})
}

fn mailer_with(server: &SmtpServer, adapt: impl FnOnce(&mut config::Mail)) -> Mailer {
    let settings = settings(|mail| {
        mail.smtp_url = Some(server.url());
        mail.smtp_ca_file = server.ca_file();
        adapt(mail);
    });
    Mailer::open(&settings, "nowhere".as_ref()).expect("the settings are good")
}

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().expect("a moment")
}

fn confirm() -> Letter {
    Letter::ConfirmAddress {
        username: Some("anna".to_owned()),
        link: "https://cloakroom.example/verify-email#token=AbC-123_x".to_owned(),
        valid_seconds: 86_400,
    }
}
