//! Usernames, email addresses and display names: the errors of the `normalization` crate as user
//! errors, and identifiers to look up.
//!
//! The text that a person typed is kept for display; the database holds the canonical form unique.

use normalization::{EmailError, NameError, UsernameError};

use crate::error::{UserError, UserErrorCode};

pub(super) use normalization::comparison_key as key_of;

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

/// Letters and digits of one script, dots, hyphens and underscores; the first one a letter or digit.
pub(super) fn username(field: &str, text: &str) -> Result<Identity, UserError> {
    let (min, max) = (normalization::MIN_USERNAME_CHARS, normalization::MAX_USERNAME_CHARS);
    let normalization::Username { text, key } = normalization::username(text).map_err(|error| {
        let (code, message) = match error {
            UsernameError::Missing => (UserErrorCode::Required, "A username is needed.".to_owned()),
            UsernameError::TooLong => (UserErrorCode::TooLong, format!("A username has at most {max} characters.")),
            UsernameError::TooShort => (UserErrorCode::TooShort, format!("A username has at least {min} characters.")),
            UsernameError::Character => {
                let message =
                    "A username begins with a letter or digit and has letters, digits, '.', '-' and '_'.".to_owned();
                (UserErrorCode::Invalid, message)
            }
            UsernameError::Scripts => {
                let message = "A username has letters of one script: look-alikes of several are refused.".to_owned();
                (UserErrorCode::Invalid, message)
            }
            UsernameError::Direction => {
                let message =
                    "A username that is written from right to left begins and ends with such a letter.".to_owned();
                (UserErrorCode::Invalid, message)
            }
        };
        UserError::of(field, code, message)
    })?;
    Ok(Identity { text, key })
}

/// The form in which a username is looked up: also one that could not be chosen any more. `None`
/// for text that no account ever had as its username.
pub(super) fn username_key(text: &str) -> Option<String> {
    let can_exist = text.chars().nth(MAX_IDENTIFIER_CHARS).is_none() && !text.chars().any(char::is_control);
    can_exist.then(|| key_of(text))
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

/// An address that mail can be sent to.
pub(super) fn email(field: &str, text: &str) -> Result<Identity, UserError> {
    let normalization::Email { text, key, .. } = normalization::email(text).map_err(|error| {
        let max = normalization::MAX_EMAIL_BYTES;
        let (code, message) = match error {
            EmailError::Missing => (UserErrorCode::Required, "An e-mail address is needed.".to_owned()),
            EmailError::TooLong => (UserErrorCode::TooLong, format!("An e-mail address has at most {max} bytes.")),
            EmailError::Invisible => {
                (UserErrorCode::Invalid, "An e-mail address has no invisible characters.".to_owned())
            }
            EmailError::NeedsQuotes => {
                let message = "An e-mail address that needs quotation marks is not supported.".to_owned();
                (UserErrorCode::Invalid, message)
            }
            EmailError::Invalid => (UserErrorCode::Invalid, "This is not an e-mail address.".to_owned()),
        };
        UserError::of(field, code, message)
    })?;
    Ok(Identity { text, key })
}

/// Returns true if `text` is an address with this key.
pub(super) fn is_spelling_of(text: &str, key: &str) -> bool {
    email("email", text).is_ok_and(|address| address.key == key)
}

/// A name to show: any text on one line that can be seen.
pub(super) fn name(field: &str, text: &str) -> Result<String, UserError> {
    let name = normalization::name(text).map_err(|error| {
        let (code, message) = match error {
            NameError::TooLong => {
                (UserErrorCode::TooLong, format!("At most {} characters.", normalization::MAX_NAME_CHARS))
            }
            NameError::Control => (UserErrorCode::Invalid, "No control characters, such as line breaks.".to_owned()),
            NameError::Direction => {
                (UserErrorCode::Invalid, "No characters that change the direction of the text.".to_owned())
            }
            NameError::Blank if text.trim().is_empty() => {
                (UserErrorCode::Required, "Leave it out, or write something.".to_owned())
            }
            NameError::Blank => (UserErrorCode::Invalid, "Nothing of this can be seen.".to_owned()),
        };
        UserError::of(field, code, message)
    })?;
    Ok(name.to_owned())
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
    // PostgreSQL refuses NUL in text. No key has a space, so text with a control character stays unknown.
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let key = key_of(&text);
    if key.contains('@') {
        return Ok(Identifier::Email(normalization::email_lookup_key(&text)));
    }
    Ok(Identifier::Username(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_found_in_every_spelling() {
        let email = |key: &str| Ok(Identifier::Email(key.to_owned()));
        for spelling in [" ann@MÜLLER.example ", "\"ann\"@xn--mller-kva.example.", "Ann@müller.example"] {
            assert_eq!(identifier("identifier", spelling), email("ann@xn--mller-kva.example"), "{spelling}");
        }
        assert_eq!(identifier("identifier", "m@exam_ple.org"), email("m@exam_ple.org"), "as it was stored once");
        assert_eq!(identifier("identifier", " Ａnna"), Ok(Identifier::Username("anna".to_owned())));
        assert_eq!(identifier("identifier", "an\0na"), Ok(Identifier::Username("an na".to_owned())));
    }

    #[test]
    fn made_up_usernames_are_good_usernames() {
        let made_up = made_up_username().expect("random bytes");
        assert_eq!(username("username", &made_up.text), Ok(made_up));
    }
}
