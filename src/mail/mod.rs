//! Letters to people: through a mail server, or into a folder where there is none.
//!
//! A [`Letter`] says what happened; `letter.rs` puts it into words, as text and as HTML of the same words. A
//! [`Mailer`] addresses and sends it: over SMTP with a few connections kept open (`smtp.rs`), or, without
//! `mail.smtp_url`, as a file in the data directory and a line in the log (`folder.rs`), so that a newcomer can
//! follow the link.
//!
//! A letter is sent once: whoever sends it decides whether to try again, see [`is_permanent`].
//!
//! **Invariant:** an error never has an address or what the mail server wrote: it is for the log.
//! **Invariant:** no header has text of a user's but the recipient's address, which is parsed.

mod folder;
mod letter;
mod smtp;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use uuid::Uuid;

use crate::config;

pub use letter::Letter;

use folder::Folder;
use smtp::Smtp;

/// Sends letters. Clones share their connections.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    sender: Mailbox,
    way: Way,
}

enum Way {
    Smtp(Box<Smtp>),
    Folder(Folder),
}

/// A letter that will not be taken, however often it is tried.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Whether trying again is useless: the address is none, or the mail server refused the letter for good
/// (RFC 5321, section 4.2.1: 5yz).
#[must_use]
pub fn is_permanent(error: &anyhow::Error) -> bool {
    error.is::<Refused>()
}

impl Mailer {
    /// With these settings. Opens no connection yet; without `mail.smtp_url`, mails go to `mail` in `data_dir`.
    ///
    /// # Errors
    /// A sender or a file of authorities that cannot be used; the setting is named.
    pub fn open(settings: &config::Mail, data_dir: &Path) -> anyhow::Result<Self> {
        let sender = mailbox(&settings.from).with_context(|| {
            format!("mail.from must be an address, such as \"Cloakroom <mail@example.org>\", not {:?}", settings.from)
        })?;
        let way = match &settings.smtp_url {
            None => Way::Folder(Folder::within(data_dir)),
            Some(url) => Way::Smtp(Box::new(Smtp::new(url, settings)?)),
        };
        Ok(Self(Arc::new(Inner { sender, way })))
    }

    /// Sends `letter`, dated `now`, to the address `recipient`.
    ///
    /// Takes at most `mail.smtp_seconds`. A letter that was given up because of the time may have been sent.
    ///
    /// # Errors
    /// An address that is none, a mail server that cannot be reached or trusted or that refuses the letter, a
    /// folder that cannot be written.
    pub async fn send(&self, recipient: &str, letter: &Letter, now: DateTime<Utc>) -> anyhow::Result<()> {
        let id = Uuid::now_v7();
        let message = self.compose(id, recipient, letter, now)?;
        match &self.0.way {
            Way::Smtp(smtp) => smtp.send(message.envelope(), &message.formatted()).await,
            Way::Folder(folder) => {
                let name = format!("{}-{}-{id}.eml", now.format("%Y%m%dT%H%M%SZ"), letter.kind());
                let path = folder.write(name, message.formatted()).await?;
                tracing::info!(
                    "no mail server is set (mail.smtp_url); this mail was written to {}:\n\n{}",
                    path.display(),
                    letter.text()
                );
                Ok(())
            }
        }
    }

    fn compose(&self, id: Uuid, recipient: &str, letter: &Letter, now: DateTime<Utc>) -> anyhow::Result<Message> {
        let Some(recipient) = address(recipient) else {
            return Err(Refused("the recipient's address is none that mail can be sent to".to_owned()).into());
        };
        let sender = &self.0.sender;
        let message = Message::builder()
            .from(sender.clone())
            .to(Mailbox::new(None, recipient))
            .subject(letter.subject())
            .date(now.into())
            .message_id(Some(format!("<{id}@{}>", sender.email.domain())))
            // RFC 3834, section 5: nobody's holiday notice answers.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(letter.text(), letter.html()));
        // Its text could name the recipient.
        message.map_err(|_| Refused("a message could not be made of the letter".to_owned()).into())
    }
}

/// The mailbox of a recipient: the one whose key is unique, in the same function, so that no mailbox has two accounts.
/// The domain is in ASCII, so that any mail server takes it; what stands before the `@` cannot be.
fn address(text: &str) -> Option<Address> {
    let normalization::Email { local, domain, .. } = normalization::email(text).ok()?;
    Address::new(local, domain).ok()
}

/// The sender, which may be at a host of the local network.
fn mailbox(text: &str) -> Option<Mailbox> {
    let Mailbox { name, email } = text.parse().ok()?;
    Some(Mailbox { name, email: sender(email.as_ref())? })
}

fn sender(text: &str) -> Option<Address> {
    let (user, domain) = text.rsplit_once('@')?;
    let domain = match domain.is_ascii() {
        true => domain.to_owned(),
        false => url::Host::parse(domain).ok()?.to_string(),
    };
    Address::new(user, domain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_address_and_nothing_else() {
        let domain = |text| address(text).map(|address| address.domain().to_owned());
        assert_eq!(domain("anna@example.org").as_deref(), Some("example.org"));
        assert_eq!(mailbox("Anna <a@münchen.example>").map(|anna| anna.email), address("a@xn--mnchen-3ya.example"));
        assert_eq!(domain("änna@münchen.example").as_deref(), Some("xn--mnchen-3ya.example"));
        assert_eq!(address("\"a.b\"@example.org"), address("a.b@example.org"));
        assert_eq!(
            mailbox("cloakroom@localhost").map(|sender| sender.email.to_string()).as_deref(),
            Some("cloakroom@localhost")
        );
        for none in [
            "",
            "anna",
            "anna@",
            "@example.org",
            "anna@example.org\r\nBcc: eve@example.org",
            "anna\r\n@example.org",
            "anna@example.org>\r\nRCPT TO:<eve@example.org",
            "\"anna\r\n\"@example.org",
            "anna@example.org, eve@example.org",
            "Anna <anna@example.org>",
            "anna@exa mple.org",
            "anna@exam\u{1160}ple.org",
            "\"a\\\"b<i>\"@example.org",
        ] {
            assert!(address(none).is_none(), "{none:?}");
        }
    }
}
