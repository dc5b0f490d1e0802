//! What letters say: each once, as a list of paragraphs, from which the text and the HTML are made.

use chrono::{DateTime, Utc};

/// A letter to the owner of an account, or of an address that somebody gave as theirs.
///
/// Links have secrets in them: there is no `Debug`.
#[derive(Clone)]
pub enum Letter {
    /// To an address that is to be confirmed.
    ConfirmAddress {
        /// Whose account it is for.
        username: String,
        /// The page to confirm it on, with the token in its fragment.
        link: String,
        /// How long the link is good for.
        valid_seconds: u32,
    },
    /// To somebody who has forgotten a password.
    ChooseNewPassword {
        /// Whose password it is.
        username: String,
        /// The page to choose one on, with the token in its fragment.
        link: String,
        /// How long the link is good for.
        valid_seconds: u32,
    },
    /// To the owner of an address with which somebody tried to sign up again.
    AlreadyRegistered {
        /// The account that has the address.
        username: String,
        /// Where to ask for a new password. It has no token: nobody asked for one yet.
        reset_page: String,
    },
    /// To the address that was an account's until now.
    AddressChanged {
        /// Whose address was changed.
        username: String,
        /// The new one. The letter shows its first character and its domain.
        new_address: String,
    },
    /// To somebody whose address another account has, too: only that one can be found by it.
    AddressShared {
        /// The account that is no longer found by the address, if its owner has confirmed the address.
        username: Option<String>,
    },
    /// To somebody whose password is another one now.
    PasswordChanged {
        /// Whose password it is.
        username: String,
        /// When it was changed.
        when: DateTime<Utc>,
        /// From which network address, if that is known.
        address: Option<String>,
    },
}

enum Paragraph {
    Words(String),
    /// What it is for, and where it leads.
    Link(&'static str, String),
}

use Paragraph::{Link, Words};

impl Letter {
    /// A short name for files, in kebab case.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::ConfirmAddress { .. } => "confirm-address",
            Self::ChooseNewPassword { .. } => "choose-new-password",
            Self::AlreadyRegistered { .. } => "already-registered",
            Self::AddressChanged { .. } => "address-changed",
            Self::AddressShared { .. } => "address-shared",
            Self::PasswordChanged { .. } => "password-changed",
        }
    }

    pub(super) fn subject(&self) -> &'static str {
        match self {
            Self::ConfirmAddress { .. } => "Confirm your e-mail address",
            Self::ChooseNewPassword { .. } => "Choose a new password",
            Self::AlreadyRegistered { .. } => "You already have an account",
            Self::AddressChanged { .. } => "Your e-mail address was changed",
            Self::AddressShared { .. } => "Two accounts have your e-mail address",
            Self::PasswordChanged { .. } => "Your password was changed",
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for paragraph in self.paragraphs() {
            match paragraph {
                Words(words) => text.push_str(&words),
                Link(purpose, link) => text.push_str(&format!("{purpose}:\n{link}")),
            }
            text.push_str("\n\n");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    pub(super) fn html(&self) -> String {
        let mut body = String::new();
        for paragraph in self.paragraphs() {
            match paragraph {
                Words(words) => body.push_str(&format!("<p>{}</p>\n", escape(&words))),
                Link(purpose, link) => {
                    let link = escape(&link);
                    body.push_str(&format!("<p><a href=\"{link}\" style=\"{BUTTON}\">{purpose}</a></p>\n"));
                    body.push_str(&format!("<p style=\"{SMALL}\">Or open this address:<br>{link}</p>\n"));
                }
            }
        }
        let subject = self.subject();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{subject}</title>\n</head>\n\
             <body style=\"{BODY}\">\n<h1 style=\"font-size:1.25em\">{subject}</h1>\n{body}</body>\n</html>\n"
        )
    }

    fn paragraphs(&self) -> Vec<Paragraph> {
        match self {
            Self::ConfirmAddress { username, link, valid_seconds } => vec![
                greeting(username),
                Words("Please confirm that this e-mail address is yours.".to_owned()),
                Link("Confirm the address", clean(link)),
                Words(format!(
                    "The link is good for {}. If you did not give us this address, ignore this mail: without you \
                     nothing is confirmed.",
                    span(*valid_seconds)
                )),
            ],
            Self::ChooseNewPassword { username, link, valid_seconds } => vec![
                greeting(username),
                Words("Somebody, most likely you, asked for a new password for your account.".to_owned()),
                Link("Choose a new password", clean(link)),
                Words(format!(
                    "The link is good for {}, and once. If you did not ask for it, ignore this mail: your password \
                     stays as it is.",
                    span(*valid_seconds)
                )),
            ],
            Self::AlreadyRegistered { username, reset_page } => vec![
                greeting(username),
                Words(
                    "Somebody, most likely you, tried to sign up with this e-mail address. You have an account already, \
                     so nothing was changed: sign in with the password that you have. If you have forgotten it, ask \
                     for a new one."
                        .to_owned(),
                ),
                Link("Ask for a new password", clean(reset_page)),
                Words("If it was not you, ignore this mail.".to_owned()),
            ],
            Self::AddressChanged { username, new_address } => vec![
                greeting(username),
                Words(format!(
                    "The e-mail address of your account was changed to {}. This is the last mail to the old one.",
                    masked(new_address)
                )),
                Words(
                    "If it was you, there is nothing to do. If it was not, somebody else has your password: tell the \
                     people who run this service at once."
                        .to_owned(),
                ),
            ],
            Self::AddressShared { username } => vec![
                username.as_deref().map_or_else(|| Words("Hello,".to_owned()), greeting),
                Words(
                    "Two accounts have this e-mail address, in different spellings. From now on the address signs in \
                     to the other one."
                        .to_owned(),
                ),
                Words(format!(
                    "Sign in to this account{} with its username and your password. To sign in to it by e-mail \
                     address again, give it another address. If it is not yours, ignore this mail.",
                    username.as_deref().map(|name| format!(", {},", clean(name))).unwrap_or_default()
                )),
            ],
            Self::PasswordChanged { username, when, address } => vec![
                greeting(username),
                Words(format!(
                    "The password of your account was changed on {}{}.",
                    when.format("%-d %B %Y at %H:%M UTC"),
                    address.as_deref().map(|address| format!(", from {}", clean(address))).unwrap_or_default()
                )),
                Words(
                    "If it was you, there is nothing to do. If it was not, ask for a new password at once, and sign \
                     out everywhere."
                        .to_owned(),
                ),
            ],
        }
    }
}

fn greeting(username: &str) -> Paragraph {
    Words(format!("Hello {},", clean(username)))
}

/// In the largest unit that is exact.
fn span(seconds: u32) -> String {
    let (count, unit) = match seconds {
        _ if seconds.is_multiple_of(86_400) && seconds > 86_400 => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// `b…@example.net`: enough for its owner, and for nobody else.
fn masked(address: &str) -> String {
    let address = clean(address);
    match address.rsplit_once('@') {
        Some((user, domain)) => format!("{}…@{domain}", user.chars().take(1).collect::<String>()),
        None => "another one".to_owned(),
    }
}

/// On one line, so that no name can write paragraphs or lines of the log.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c) { ' ' } else { c }).collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

// Mail programs know no style sheets: every element has its own.
const BODY: &str = "font-family:system-ui,-apple-system,'Segoe UI',sans-serif;line-height:1.5;max-width:34em;\
                    margin:0 auto;padding:1.5em 1em";
const BUTTON: &str = "display:inline-block;padding:.6em 1.2em;border-radius:.4em;background:#1f5fbf;color:#ffffff;\
                      text-decoration:none;font-weight:600";
const SMALL: &str = "font-size:.85em;word-break:break-all";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_in_the_largest_unit_that_is_exact() {
        for (seconds, expected) in [
            (60, "1 minute"),
            (90, "90 seconds"),
            (1800, "30 minutes"),
            (3600, "1 hour"),
            (86_400, "24 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn names_can_write_neither_html_nor_lines() {
        let letter = Letter::PasswordChanged {
            username: "<b>\r\n\r\nYour bank: &\"'".to_owned(),
            when: DateTime::UNIX_EPOCH,
            address: Some("<i>".to_owned()),
        };
        assert!(letter.html().contains("<p>Hello &lt;b&gt;    Your bank: &amp;&quot;&#39;,</p>"), "{}", letter.html());
        assert!(letter.html().contains("1 January 1970 at 00:00 UTC, from &lt;i&gt;."), "{}", letter.html());
        assert!(letter.text().starts_with("Hello <b>    Your bank: &\"',\n\n"), "{}", letter.text());
    }

    #[test]
    fn a_new_address_is_not_told_whole() {
        assert_eq!(masked("benno@example.net"), "b…@example.net");
        assert_eq!(masked("nonsense"), "another one");
    }
}
