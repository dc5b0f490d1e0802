//! Usernames, e-mail addresses and display names: which are good, and which two are the same.
//!
//! Text is compared in NFKC and lower case, so that `Ａnna` and `anna` cannot be two people. What a person
//! typed is kept for display; the key derived from it is what the database holds unique.

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization;

use crate::error::{UserError, UserErrorCode};

/// Characters of a username, at least and at most.
const USERNAME_CHARS: (usize, usize) = (3, 32);
/// Bytes of an e-mail address at most: RFC 5321, section 4.5.3.1.3, less the angle brackets.
const MAX_EMAIL_BYTES: usize = 254;
/// Characters of a name or a session's name at most.
const MAX_NAME_CHARS: usize = 100;
/// Characters of an identifier typed at login: longer than any that can exist.
const MAX_IDENTIFIER_CHARS: usize = 254;

/// A good username or e-mail address, and the form in which it is unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) text: String,
    pub(super) key: String,
}

/// What someone typed to say who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identifier {
    Username(String),
    Email(String),
}

/// The form in which two spellings of one name are equal.
pub(super) fn key_of(text: &str) -> String {
    // Lower case can leave NFKC, so it is restored: the result is stable.
    text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// Letters and digits of any script, dots, dashes and underscores; the first one a letter or digit.
pub(super) fn username(field: &str, text: &str) -> Result<Identity, UserError> {
    let (shortest, longest) = USERNAME_CHARS;
    let fault = |code, message: String| Err(UserError::of(field, code, message));
    // Counted as they are stored: NFKC makes up to 18 characters of one, and one of up to 4. What is far too
    // long is not looked at to its end.
    let normalised: String = text.chars().take(4 * longest + 1).nfkc().take(longest + 1).collect();
    let chars = normalised.chars().count();
    if chars == 0 {
        return fault(UserErrorCode::Required, "A username is needed.".into());
    }
    if chars > longest {
        return fault(UserErrorCode::TooLong, format!("A username has at most {longest} characters."));
    }
    if chars < shortest {
        return fault(UserErrorCode::TooShort, format!("A username has at least {shortest} characters."));
    }
    let key = key_of(&normalised);
    let good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let starts_well = normalised.chars().next().is_some_and(char::is_alphanumeric);
    if !starts_well || !normalised.chars().all(good) || key.chars().count() > 2 * longest {
        let message = "A username begins with a letter or digit and has letters, digits, '.', '-' and '_'.";
        return fault(UserErrorCode::Invalid, message.into());
    }
    Ok(Identity { text: normalised, key })
}

/// A username for somebody who chose none: 50 random bits, so that a second one like it never comes.
pub(super) fn made_up_username() -> Result<Identity, getrandom::Error> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0_u8; 10];
    getrandom::fill(&mut random)?;
    let letters = random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|b| char::from(*b));
    let text: String = "user-".chars().chain(letters).collect();
    Ok(Identity { key: text.clone(), text })
}

/// An address as RFC 5321 has it, with a domain that has a dot.
pub(super) fn email(field: &str, text: &str) -> Result<Identity, UserError> {
    if text.is_empty() {
        return Err(UserError::of(field, UserErrorCode::Required, "An e-mail address is needed."));
    }
    // What is typed on one system in two characters is one on another: RFC 6532, section 3.1, asks for NFC.
    let text: String = text.chars().take(MAX_EMAIL_BYTES + 1).nfc().collect();
    if text.len() > MAX_EMAIL_BYTES {
        let message = format!("An e-mail address has at most {MAX_EMAIL_BYTES} bytes.");
        return Err(UserError::of(field, UserErrorCode::TooLong, message));
    }
    let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
    let key = key_of(&text);
    let good = !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && key.len() <= MAX_EMAIL_BYTES
        && EmailAddress::parse_with_options(&text, options).is_ok();
    if !good {
        return Err(UserError::of(field, UserErrorCode::Invalid, "This is not an e-mail address."));
    }
    Ok(Identity { text, key })
}

/// Returns true if `text` is an address with this key.
pub(super) fn is_spelling_of(text: &str, key: &str) -> bool {
    email("email", text).is_ok_and(|address| address.key == key)
}

/// A name to show: any text on one line.
pub(super) fn name(field: &str, text: &str) -> Result<String, UserError> {
    if text.chars().nth(MAX_NAME_CHARS).is_some() {
        let message = format!("At most {MAX_NAME_CHARS} characters.");
        return Err(UserError::of(field, UserErrorCode::TooLong, message));
    }
    if text.chars().any(char::is_control) {
        return Err(UserError::of(field, UserErrorCode::Invalid, "No control characters, such as line breaks."));
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(UserError::of(field, UserErrorCode::Required, "Leave it out, or write something."));
    }
    Ok(trimmed.to_owned())
}

/// An identifier to look up. One that nobody can have is refused only for its length: that it is unknown
/// is told in the same way, and after the same work, as for any other.
pub(super) fn identifier(field: &str, text: &str) -> Result<Identifier, UserError> {
    if text.trim().is_empty() {
        return Err(UserError::of(field, UserErrorCode::Required, "A username or e-mail address is needed."));
    }
    if text.chars().nth(MAX_IDENTIFIER_CHARS).is_some() {
        let message = format!("A username or e-mail address has at most {MAX_IDENTIFIER_CHARS} characters.");
        return Err(UserError::of(field, UserErrorCode::TooLong, message));
    }
    // PostgreSQL refuses NUL in text. No key has a space, so what has a control character stays unknown.
    let key: String = key_of(text.trim()).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Ok(if key.contains('@') { Identifier::Email(key) } else { Identifier::Username(key) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_username_have_one_key() {
        let key = |text| username("username", text).expect("a good username").key;
        assert_eq!(key("Anna"), key("anna"));
        assert_eq!(key("Ａnna"), key("anna"));
        assert_eq!(key("JOSÉ"), key("jose\u{301}"));
    }

    #[test]
    fn made_up_usernames_are_good_usernames() {
        let made_up = made_up_username().expect("random bytes");
        assert_eq!(username("username", &made_up.text), Ok(made_up));
    }
}
