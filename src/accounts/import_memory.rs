//! The usernames and addresses of an import so far, so that a line that has one of an earlier line names both lines.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use crate::accounts::new_user::NewUser;
use crate::accounts::user;
use crate::error::UserError;

/// Names and addresses that are kept, each: about 50 MB. Beyond them the database alone finds duplicates.
const MAX_KEYS: usize = 1_000_000;

/// The lines of an import so far.
#[derive(Debug, Default)]
pub(super) struct ImportMemory {
    usernames: Keys,
    emails: Keys,
}

/// Lines by the hash of their key: 64 bits with a random seed, which never collide in practice.
#[derive(Debug, Default)]
struct Keys {
    hasher: RandomState,
    lines: HashMap<u64, u64>,
    has_forgotten: bool,
}

impl ImportMemory {
    /// The reason why a user cannot be added after the earlier lines.
    pub(super) fn fault(&self, user: &NewUser) -> Option<UserError> {
        let of_username = self.usernames.line_of(&user.username.key).map(|line| (user::username_taken(), line));
        let of_email = user.email.as_ref().and_then(|email| self.emails.line_of(&email.key));
        let (fault, line) = of_username.or_else(|| of_email.map(|line| (user::email_taken(), line)))?;
        let message = format!("{} Line {line} has it as well.", fault.message);
        Some(UserError { message, ..fault })
    }

    /// Keeps the username and the address of a line.
    pub(super) fn remember(&mut self, user: &NewUser, line: u64) {
        self.usernames.remember(&user.username.key, line);
        if let Some(email) = &user.email {
            self.emails.remember(&email.key, line);
        }
    }

    /// Takes back what [`ImportMemory::remember`] has kept.
    pub(super) fn forget(&mut self, user: &NewUser) {
        self.usernames.forget(&user.username.key);
        if let Some(email) = &user.email {
            self.emails.forget(&email.key);
        }
    }

    /// Returns true if there were more lines than are kept.
    pub(super) fn has_forgotten(&self) -> bool {
        self.usernames.has_forgotten || self.emails.has_forgotten
    }
}

impl Keys {
    fn line_of(&self, key: &str) -> Option<u64> {
        self.lines.get(&self.hasher.hash_one(key)).copied()
    }

    fn remember(&mut self, key: &str, line: u64) {
        if self.lines.len() < MAX_KEYS {
            self.lines.insert(self.hasher.hash_one(key), line);
        } else {
            self.has_forgotten = true;
        }
    }

    fn forget(&mut self, key: &str) {
        self.lines.remove(&self.hasher.hash_one(key));
    }
}
