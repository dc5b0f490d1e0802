//! Users from elsewhere, many at once: each batch is one transaction, followed by a pause for other writers.
//!
//! **Invariant:** a batch is committed as a whole, apart from the lines that are refused.
//! **Invariant:** an import can be repeated: a line whose user is there already changes nothing and is no error.
//!
//! A user's hash is replaced at the first login, so the hash of the line is kept as a fingerprint.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::accounts::api_key::hex;
use crate::accounts::import_memory::ImportMemory;
use crate::accounts::new_user::NewUser;
use crate::accounts::operate::Addition;
use crate::accounts::password::Match;
use crate::accounts::{Accounts, AddUser, Secret, email_owner, user, username_skeleton};
use crate::caller::Caller;
use crate::error::{Error, UserError};

/// Lines of a batch, for callers of [`Accounts::import`].
pub const MAX_IMPORT_BATCH: usize = 200;
/// Length of the pause after a transaction, as a multiple of the time that it took.
const PAUSE_FACTOR: u32 = 6;

/// An import under way.
#[derive(Debug, Default)]
pub struct Import {
    memory: ImportMemory,
    is_dry_run: bool,
}

/// A line of an import: its number in the file, and the user that it describes or what is wrong with its form.
#[derive(Clone, Debug)]
pub struct ImportLine {
    /// Counted from 1.
    pub number: u64,
    /// The user to make.
    pub user: Result<AddUser, Vec<UserError>>,
}

/// Outcome of a line.
#[derive(Clone, Debug)]
pub enum Imported {
    /// The user was added, or would be.
    Added,
    /// The user was there: with the same username, address and password or hash.
    AlreadyThere,
    /// Nothing was done.
    Refused(Vec<UserError>),
}

/// A user who is to be added.
struct Candidate {
    /// Position of the line in its batch.
    position: usize,
    user: NewUser,
    secret: Secret,
}

/// Users who have a username or an address of a batch.
struct Existing {
    by_username: HashMap<String, user::Model>,
    by_email: HashMap<String, Vec<user::Model>>,
}

impl Import {
    /// An import that writes nothing.
    #[must_use]
    pub fn dry_run() -> Self {
        Self { is_dry_run: true, ..Self::default() }
    }

    /// Returns true if there were too many lines to remember: two of them may have the same username or address.
    #[must_use]
    pub fn has_forgotten(&self) -> bool {
        self.memory.has_forgotten()
    }
}

impl Accounts {
    /// Adds the users of up to [`MAX_IMPORT_BATCH`] lines in one transaction, and returns the outcome of each. Other writers
    /// have the time after it for themselves. A password is only checked for its length.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; errors of the database. Then the batch can be repeated.
    pub async fn import(
        &self,
        caller: &Caller,
        import: &mut Import,
        lines: Vec<ImportLine>,
    ) -> Result<Vec<(u64, Imported)>, Error> {
        caller.require_operator()?;
        let mut outcomes: Vec<(u64, Imported)> = Vec::with_capacity(lines.len());
        let mut candidates = Vec::new();
        for (position, line) in lines.into_iter().enumerate() {
            let (outcome, candidate) = match self.candidate(position, line.user).await {
                Ok(candidate) => (Imported::Added, Some(candidate)),
                Err(Error::Invalid(faults)) => (Imported::Refused(faults), None),
                Err(error) => return Err(error),
            };
            outcomes.push((line.number, outcome));
            candidates.extend(candidate);
        }
        let existing = self.find_existing(&candidates).await?;
        let mut new = Vec::new();
        for candidate in candidates {
            let Some((number, outcome)) = outcomes.get_mut(candidate.position) else { continue };
            *outcome = match import.memory.fault(&candidate.user) {
                Some(fault) => Imported::Refused(vec![fault]),
                None => self.compare(&candidate, &existing).await?,
            };
            // The insert finds it out otherwise.
            if import.is_dry_run
                && matches!(outcome, Imported::Added)
                && !username_skeleton::is_free(self.database.reader(), &candidate.user.username.text).await?
            {
                *outcome = Imported::Refused(vec![username_skeleton::too_similar()]);
            }
            if !matches!(outcome, Imported::Refused(_)) {
                import.memory.remember(&candidate.user, *number);
            }
            if matches!(outcome, Imported::Added) {
                new.push(candidate);
            }
        }
        if !import.is_dry_run {
            for (line, outcome) in self.insert(caller, new).await? {
                if matches!(outcome, Imported::Refused(_)) {
                    import.memory.forget(&line.user);
                }
                if let Some((_, before)) = outcomes.get_mut(line.position) {
                    *before = outcome;
                }
            }
        }
        Ok(outcomes)
    }

    /// The user that a line describes, or everything that is wrong with it.
    async fn candidate(&self, position: usize, line: Result<AddUser, Vec<UserError>>) -> Result<Candidate, Error> {
        let input = line.map_err(Error::Invalid)?;
        let user = self.checked(&input).await?;
        Ok(Candidate { position, user, secret: input.secret })
    }

    async fn find_existing(&self, candidates: &[Candidate]) -> Result<Existing, Error> {
        let reader = self.database.reader();
        let usernames: Vec<&str> = candidates.iter().map(|line| line.user.username.key.as_str()).collect();
        let emails: Vec<&str> =
            candidates.iter().filter_map(|line| line.user.email.as_ref()).map(|email| email.key.as_str()).collect();
        let by_username = user::list_by_usernames(reader, &usernames).await?;
        let by_email = user::list_by_emails(reader, &emails).await?;
        let mut existing = Existing {
            by_username: by_username.into_iter().map(|user| (user.username_key.clone(), user)).collect(),
            by_email: HashMap::new(),
        };
        for user in by_email.into_iter().filter(|user| user.deleted_at.is_none()) {
            let key = user.email_key.clone().unwrap_or_default();
            existing.by_email.entry(key).or_default().push(user);
        }
        Ok(existing)
    }

    /// Compares a line with the users who have its username or address. Without any it can be added.
    async fn compare(&self, line: &Candidate, existing: &Existing) -> Result<Imported, Error> {
        let email = line.user.email.as_ref().map(|email| &email.key);
        let named = existing.by_username.get(&line.user.username.key);
        // An address that only the line has confirmed is taken from those who merely gave it.
        let policy = self.settings.email_verification;
        let has_priority =
            |holder: &&user::Model| line.user.email_verified_at.is_none() || email_owner::owns_email(holder, policy);
        let holders = email.and_then(|email| existing.by_email.get(email));
        let addressed = holders.and_then(|holders| holders.iter().find(has_priority));
        let (found, fault) = match (named, addressed) {
            (Some(found), _) => (found, user::username_taken()),
            (None, Some(found)) => (found, user::email_taken()),
            (None, None) => return Ok(Imported::Added),
        };
        // A line without a username has a new one made up each time.
        let is_same_name = named.is_some() || line.user.has_made_up_username;
        let is_same = is_same_name && found.email_key.as_ref() == email && self.has_secret(found, &line.secret).await?;
        Ok(if is_same { Imported::AlreadyThere } else { Imported::Refused(vec![fault]) })
    }

    /// Returns true if a user has this password, or had this hash when they were imported.
    async fn has_secret(&self, user: &user::Model, secret: &Secret) -> Result<bool, Error> {
        match secret {
            Secret::Hash(hash) => {
                Ok(user.password_hash == *hash || user.import_fingerprint.as_ref() == Some(&fingerprint(hash)))
            }
            Secret::Password(password) => {
                let matched = self.passwords.matches(password.clone(), Some(&user.password_hash)).await?;
                Ok(matched != Match::No)
            }
        }
    }

    /// Adds users, and returns those who could not be added, because somebody else added a user with the same username or
    /// address meanwhile. Those are taken out of the batch; a batch that fails for another reason is halved.
    async fn insert(&self, caller: &Caller, candidates: Vec<Candidate>) -> Result<Vec<(Candidate, Imported)>, Error> {
        let hashed = futures_util::stream::iter(candidates).map(|line| self.with_hash(line));
        let mut left: Vec<Vec<Candidate>> = vec![hashed.buffered(self.passwords.threads()).try_collect().await?];
        let mut not_added = Vec::new();
        while let Some(mut part) = left.pop() {
            if part.is_empty() {
                continue;
            }
            let begun = Instant::now();
            match (self.insert_batch(caller, &part).await, part.len()) {
                (Ok(()), _) => {}
                (Err(Error::Invalid(faults)), 1) => {
                    let existing = self.find_existing(&part).await?;
                    let Some(line) = part.pop() else { continue };
                    let outcome = match self.compare(&line, &existing).await? {
                        Imported::AlreadyThere => Imported::AlreadyThere,
                        _ => Imported::Refused(faults),
                    };
                    not_added.push((line, outcome));
                }
                (Err(Error::Invalid(_)), length) => {
                    let (mut rest, known) = self.without_known(part).await?;
                    if known.is_empty() {
                        left.push(rest.split_off(length / 2));
                    }
                    not_added.extend(known);
                    left.push(rest);
                }
                (Err(error), _) => return Err(error),
            }
            let taken = begun.elapsed();
            self.database.rest_after(begun).await?;
            tokio::time::sleep(taken * (PAUSE_FACTOR - 1)).await;
        }
        Ok(not_added)
    }

    /// Separates the lines whose username or address has a user by now, with their outcomes.
    async fn without_known(&self, part: Vec<Candidate>) -> Result<(Vec<Candidate>, Vec<(Candidate, Imported)>), Error> {
        let existing = self.find_existing(&part).await?;
        let (mut rest, mut known) = (Vec::new(), Vec::new());
        for line in part {
            match self.compare(&line, &existing).await? {
                Imported::Added => rest.push(line),
                outcome => known.push((line, outcome)),
            }
        }
        Ok((rest, known))
    }

    /// A hash takes long: before the transaction, not in it.
    async fn with_hash(&self, mut line: Candidate) -> Result<Candidate, Error> {
        match &line.secret {
            Secret::Password(password) => line.user.password_hash = self.passwords.hash(password.clone()).await?,
            Secret::Hash(hash) => {
                line.user.import_fingerprint = Some(fingerprint(hash));
                line.user.password_hash.clone_from(hash);
            }
        }
        Ok(line)
    }

    async fn insert_batch(&self, caller: &Caller, batch: &[Candidate]) -> Result<(), Error> {
        let additions: Vec<Addition> = batch.iter().map(|line| self.addition(caller, line.user.clone())).collect();
        let additions: Arc<[Addition]> = additions.into();
        let insert = self.database.write(move |transaction| {
            let additions = Arc::clone(&additions);
            Box::pin(async move {
                for addition in &*additions {
                    addition.clone().run(transaction).await?;
                }
                Ok(())
            })
        });
        insert.await
    }
}

fn fingerprint(hash: &str) -> String {
    hex(digest(&SHA256, hash.as_bytes()).as_ref())
}
