//! What letters say: each once, as a list of paragraphs, from which the text and the HTML are made.

use chrono::{DateTime, Utc};

/// A letter to the owner of an account, or of an address that somebody gave as theirs.
///
/// It greets by the username only a recipient who has confirmed the address: to a stranger the name could say anything.
///
/// Links have secrets in them: there is no `Debug`.
#[derive(Clone)]
pub enum Letter {
    /// To an address that is to be confirmed.
    ConfirmAddress {
        /// Whose account it is for, if the recipient has confirmed the address before.
        username: Option<String>,
        /// The page to confirm it on, with the token in its fragment.
        link: String,
        /// How long the link is good for.
        valid_seconds: u32,
    },
    /// To somebody who has forgotten a password.
    ChooseNewPassword {
        /// Whose password it is, if the recipient has confirmed the address.
        username: Option<String>,
        /// The page to choose one on, with the token in its fragment.
        link: String,
        /// How long the link is good for.
        valid_seconds: u32,
    },
    /// To the owner of an address with which somebody tried to sign up again.
    AlreadyRegistered {
        /// The account that has the address, if the recipient has confirmed it.
        username: Option<String>,
        /// Where to ask for a new password. It has no token: nobody asked for one yet.
        reset_page: String,
    },
    /// To the address that was an account's until now.
    AddressChanged {
        /// Whose address was changed, if the recipient had confirmed it.
        username: Option<String>,
        /// The new one, for such a recipient. The letter shows its first character and its domain.
        new_address: Option<String>,
    },
    /// To somebody whose address another account has, too: only that one can be found by it.
    AddressShared {
        /// The account that is no longer found by the address, if its owner has confirmed the address.
        username: Option<String>,
    },
    /// To somebody whose password is another one now.
    PasswordChanged {
        /// Whose password it is, if the recipient has confirmed the address.
        username: Option<String>,
        /// When it was changed.
        when: DateTime<Utc>,
        /// From which network address, if that is known.
        address: Option<String>,
        /// The API keys that stay valid, each by the beginning of its secret and its name.
        api_keys: Vec<String>,
    },
    /// To somebody who has a new API key.
    ApiKeyCreated {
        /// Whose key it is.
        username: Option<String>,
        /// When it was created.
        when: DateTime<Utc>,
        /// The beginning of its secret.
        prefix: String,
        /// Where to ask for a new password.
        reset_page: String,
    },
    /// To somebody whose session was ended, because a refresh token of it was used twice.
    SessionCopied {
        /// Whose session it was.
        username: Option<String>,
        /// When it was ended.
        when: DateTime<Utc>,
    },
    /// To somebody whose account was deleted.
    AccountDeleted {
        /// Whose account it was, if the recipient has confirmed the address.
        username: Option<String>,
        /// When it is removed for good.
        removed_after: DateTime<Utc>,
        /// The page to bring it back on, with the token in its fragment, if its owner can.
        link: Option<String>,
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
            Self::ApiKeyCreated { .. } => "api-key-created",
            Self::SessionCopied { .. } => "session-copied",
            Self::AccountDeleted { .. } => "account-deleted",
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
            Self::ApiKeyCreated { .. } => "A new API key for your account",
            Self::SessionCopied { .. } => "A session of yours was ended",
            Self::AccountDeleted { .. } => "Your account was deleted",
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
                greeting(username.as_deref()),
                Words("Please confirm that this e-mail address is yours.".to_owned()),
                Link("Confirm the address", clean(link)),
                Words(format!(
                    "The link is good for {}. If you did not give us this address, ignore this mail: without you \
                     nothing is confirmed.",
                    span(*valid_seconds)
                )),
            ],
            Self::ChooseNewPassword { username, link, valid_seconds } => vec![
                greeting(username.as_deref()),
                Words("Somebody, most likely you, asked for a new password for your account.".to_owned()),
                Link("Choose a new password", clean(link)),
                Words(format!(
                    "The link is good for {}, and once. If you did not ask for it, ignore this mail: your password \
                     stays as it is.",
                    span(*valid_seconds)
                )),
            ],
            Self::AlreadyRegistered { username, reset_page } => vec![
                greeting(username.as_deref()),
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
                greeting(username.as_deref()),
                Words(format!(
                    "The e-mail address of your account was changed to {}. This is the last mail to the old one.",
                    new_address.as_deref().map_or_else(|| "another one".to_owned(), masked)
                )),
                Words(
                    "If it was you, there is nothing to do. If it was not, somebody else has your password: tell the \
                     people who run this service at once."
                        .to_owned(),
                ),
            ],
            Self::AddressShared { username } => address_shared(username.as_deref()),
            Self::ApiKeyCreated { username, when, prefix, reset_page } => {
                api_key_created(username.as_deref(), *when, prefix, reset_page)
            }
            Self::SessionCopied { username, when } => session_copied(username.as_deref(), *when),
            Self::AccountDeleted { username, removed_after, link } => {
                account_deleted(username.as_deref(), *removed_after, link.as_deref())
            }
            Self::PasswordChanged { username, when, address, api_keys } => {
                password_changed(username.as_deref(), *when, address.as_deref(), api_keys)
            }
        }
    }
}

fn address_shared(username: Option<&str>) -> Vec<Paragraph> {
    vec![
        greeting(username),
        Words(
            "Two accounts have this e-mail address, in different spellings. From now on the address signs in \
             to the other one."
                .to_owned(),
        ),
        Words(format!(
            "Sign in to this account{} with its username and your password. To sign in to it by e-mail \
             address again, give it another address. If it is not yours, ignore this mail.",
            username.map(|name| format!(", {},", clean(name))).unwrap_or_default()
        )),
    ]
}

fn api_key_created(username: Option<&str>, when: DateTime<Utc>, prefix: &str, reset_page: &str) -> Vec<Paragraph> {
    vec![
        greeting(username),
        Words(format!(
            "An API key was created for your account on {}. It begins with {}.",
            moment(when),
            clean(prefix)
        )),
        Words(
            "If it was you, there is nothing to do. If it was not, somebody else has your password: ask for a \
             new one at once. That ends every session and every API key of your account."
                .to_owned(),
        ),
        Link("Ask for a new password", clean(reset_page)),
    ]
}

fn session_copied(username: Option<&str>, when: DateTime<Utc>) -> Vec<Paragraph> {
    vec![
        greeting(username),
        Words(format!(
            "A session of your account was ended on {}. Its refresh token was sent again after it had been \
             replaced, so two programs have a copy of it.",
            moment(when)
        )),
        Words(
            "If you copied the data of a program or browser to another machine, sign in again there. If you \
             did not, somebody else may have used your account: change your password, and look at the \
             addresses in the log of your account."
                .to_owned(),
        ),
    ]
}

fn password_changed(
    username: Option<&str>,
    when: DateTime<Utc>,
    address: Option<&str>,
    api_keys: &[String],
) -> Vec<Paragraph> {
    let mut paragraphs = vec![
        greeting(username),
        Words(format!(
            "The password of your account was changed on {}{}.",
            moment(when),
            address.map(|address| format!(", from {}", clean(address))).unwrap_or_default()
        )),
    ];
    paragraphs.extend(remaining_keys(api_keys));
    paragraphs.push(Words(
        "If it was you, there is nothing to do. If it was not, ask for a new password at once: that ends every session \
         and every API key of your account."
            .to_owned(),
    ));
    paragraphs
}

fn account_deleted(username: Option<&str>, removed_after: DateTime<Utc>, link: Option<&str>) -> Vec<Paragraph> {
    let mut paragraphs = vec![
        greeting(username),
        Words(format!(
            "Your account was deleted. Everything that belongs to it is removed after {}.",
            moment(removed_after)
        )),
    ];
    match link {
        Some(link) => paragraphs.extend([
            Words("Until then you can bring it back.".to_owned()),
            Link("Bring the account back", clean(link)),
            Words(
                "If you deleted it yourself, there is nothing to do. If it was not you, bring it back, and choose a new \
                 password."
                    .to_owned(),
            ),
        ]),
        None => paragraphs.push(Words(
            "Until then the people who run this service can bring it back: ask them if this was a mistake.".to_owned(),
        )),
    }
    paragraphs
}

fn moment(moment: DateTime<Utc>) -> impl std::fmt::Display {
    moment.format("%-d %B %Y at %H:%M UTC")
}

fn greeting(username: Option<&str>) -> Paragraph {
    Words(username.map_or_else(|| "Hello,".to_owned(), |username| format!("Hello {},", clean(username))))
}

/// API keys that an email lists at most.
const MAX_LISTED_KEYS: usize = 20;

/// The API keys that stay valid.
fn remaining_keys(api_keys: &[String]) -> Option<Paragraph> {
    let listed: Vec<String> = api_keys.iter().take(MAX_LISTED_KEYS).map(|key| clean(key)).collect();
    let others = match api_keys.len().saturating_sub(MAX_LISTED_KEYS) {
        0 => String::new(),
        others => format!(", and {others} more"),
    };
    let text = format!("These API keys stay valid: {}{others}. Revoke those that you do not know.", listed.join(", "));
    (!listed.is_empty()).then_some(Words(text))
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
mod tests;
