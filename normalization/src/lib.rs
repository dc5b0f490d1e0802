//! Canonical forms of email addresses and usernames, and checks of display names.
//!
//! The server compares, stores and addresses by these forms, and the migrations recompute stored
//! keys with them. All functions are pure.
//!
//! * [`email`]: one function gives the text to show, the key that is unique, and the mailbox that
//!   mail goes to, so that none of them can disagree.
//! * [`username`]: the UsernameCaseMapped profile of PRECIS (RFC 8265), restricted by UTS 39.
//! * [`skeletons`]: the forms in which look-alike usernames are equal.
//! * [`name`]: a display name on one line, with something to see in it.
//!
//! **Invariant:** a canonical form is its own canonical form.

mod bidi;
mod code_point;
mod display_name;
mod email;
mod username;

use unicode_normalization::UnicodeNormalization as _;

pub use display_name::{MAX_NAME_CHARS, NameError, name};
pub use email::{Email, EmailError, MAX_EMAIL_BYTES, email, email_lookup_key, stored_email};
pub use username::{MAX_USERNAME_CHARS, MIN_USERNAME_CHARS, Username, UsernameError, skeletons, username};

/// The form in which two spellings of a username, a name or a search are equal: NFKC, lower case.
/// The first versions compared addresses in this form, too.
#[must_use]
pub fn comparison_key(text: &str) -> String {
    // Lower case can leave NFKC, so it is restored: the result is stable.
    text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}
