//! The post: takes queued mails out of the database, a few at a time, and sends them.
//!
//! A mail is claimed before it is sent, so that one replica sends it; removed when it was taken; tried again, later
//! each time, when it was not. Tokens are made here, so that none is ever stored but as its hash: a mail that is
//! sent again after a crash has another one, and both are good until one is used.
//!
//! What a mail says is found out in the transaction that claims it, which stores the token too: a mail to nobody
//! costs as many commits as one to somebody, so that nobody can tell by how busy the database is afterwards.
//!
//! **Invariant:** what concerns the holder of an address goes to the address as the account has it, not as somebody
//! typed it: two spellings that are one to us can be two mailboxes.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use sea_orm::ActiveValue::Set;
use tokio::sync::Notify;

use crate::accounts::notes::Notes;
use crate::accounts::queued_mail::{self, Kind};
use crate::accounts::{Accounts, account_event, api_key, email_owner, email_token, identity, user};
use crate::caller::Caller;
use crate::config::{self, EmailVerification, PageUrl};
use crate::error::{Error, one_line};
use crate::id::UserId;
use crate::mail::{self, Letter, Mailer};
use crate::store::DatabaseTransaction;

/// After how many seconds a mail is tried again at first, at least; doubled each time; and at most.
const RETRY_SECONDS: i64 = 60;
const LAST_RETRY_SECONDS: i64 = 6 * 3600;

/// What sends mails, and what their links lead to.
pub(super) struct Post {
    mailer: Mailer,
    verify_url: String,
    reset_url: String,
    restore_url: String,
    attempts: i32,
    /// How many mails are sent at once.
    at_once: u64,
    /// After how many seconds a mail is tried again at first. One that is still being sent never is.
    retry_seconds: i64,
    waiting: Arc<Notify>,
}

impl Post {
    pub(super) fn new(mailer: Mailer, settings: &config::Mail, public_url: &str) -> Self {
        let page = |own: &Option<PageUrl>, path: &str| match own {
            None => format!("{public_url}/{path}"),
            Some(own) => own.to_string(),
        };
        Self {
            mailer,
            verify_url: page(&settings.verify_url, "verify-email"),
            reset_url: page(&settings.reset_url, "reset-password"),
            restore_url: page(&settings.restore_url, "restore-account"),
            attempts: i32::try_from(settings.attempts).unwrap_or(i32::MAX),
            at_once: settings.smtp_connections.into(),
            retry_seconds: i64::try_from(settings.smtp_seconds).unwrap_or(LAST_RETRY_SECONDS).max(RETRY_SECONDS / 2)
                * 2,
            waiting: Arc::new(Notify::new()),
        }
    }

    /// Says that there is something to send.
    pub(super) fn wake(&self) {
        self.waiting.notify_one();
    }

    /// Resolves when there may be something to send: what other replicas queued is found by asking.
    pub(super) async fn woken(waiting: &Notify, patience: Duration) {
        drop(tokio::time::timeout(patience, waiting.notified()).await);
    }

    pub(super) fn waiting(&self) -> Arc<Notify> {
        Arc::clone(&self.waiting)
    }
}

impl Accounts {
    /// Sends what is due, to the end of the queue.
    ///
    /// # Errors
    /// What the database says; a mail server's refusal is no error here: the mail is tried again.
    pub async fn send_mails(&self) -> Result<(), Error> {
        loop {
            // Each is put off when it is claimed, by whomever: the queue of those that are due has an end.
            let due = queued_mail::list_due(self.database.reader(), self.clock.now(), self.post.at_once).await?;
            if due.is_empty() {
                return Ok(());
            }
            // All of them, whatever becomes of one.
            join_all(due.into_iter().map(|mail| self.send_mail(mail))).await.into_iter().collect::<Result<(), _>>()?;
        }
    }

    async fn send_mail(&self, mail: queued_mail::Model) -> Result<(), Error> {
        let now = self.clock.now();
        let doubled = self.post.retry_seconds.saturating_mul(1 << mail.attempts.clamp(0, 16));
        let wait = doubled.min(LAST_RETRY_SECONDS).max(self.post.retry_seconds);
        let valid = (self.settings.verification_seconds, self.settings.reset_seconds);
        let (verify_url, reset_url) = (self.post.verify_url.clone(), self.post.reset_url.clone());
        let (restore_url, due_at) = (self.post.restore_url.clone(), now + TimeDelta::seconds(wait));
        let (policy, grace_days) = (self.settings.email_verification, self.settings.deletion_grace_days);
        let sorting = Sorting {
            notes: Arc::clone(&self.notes),
            mail: mail.clone(),
            now,
            due_at,
            verify_url,
            reset_url,
            restore_url,
            valid,
            policy,
            grace_days,
        };
        let sorted = self.database.write(move |transaction| Box::pin(sorting.clone().run(transaction))).await?;
        let Some(letter) = sorted else { return Ok(()) };
        if let Some((recipient, letter)) = letter
            && let Err(error) = self.post.mailer.send(&recipient, &letter, now).await
        {
            let error_text = one_line(error.as_ref());
            let kind = format!("{:?}", mail.kind);
            if !mail::is_permanent(&error) && mail.attempts.saturating_add(1) < self.post.attempts {
                tracing::warn!(id = %mail.id, kind, error = error_text, "a mail was not taken: it is tried again later");
                return Ok(());
            }
            tracing::error!(id = %mail.id, kind, error = error_text, "a mail was given up");
        }
        let id = mail.id;
        self.database
            .write(move |transaction| Box::pin(async move { queued_mail::remove(transaction, id).await }))
            .await
    }
}

/// A mail, as the transaction sees it that claims it.
#[derive(Clone)]
struct Sorting {
    notes: Arc<Notes>,
    mail: queued_mail::Model,
    now: DateTime<Utc>,
    /// When it is tried next, if it is not taken now.
    due_at: DateTime<Utc>,
    verify_url: String,
    reset_url: String,
    restore_url: String,
    policy: EmailVerification,
    /// For how many days a deleted account is kept.
    grace_days: u32,
    /// For how many seconds a link is good: to confirm an address, to choose a password.
    valid: (u32, u32),
}

/// To whom a letter goes, and what it says.
type Addressed = (String, Letter);

impl Sorting {
    /// The letter, or `None` inside if there is nobody to write to; `None` if the mail is another's to send, or gone.
    async fn run(self, transaction: &DatabaseTransaction) -> Result<Option<Option<Addressed>>, Error> {
        let key = identity::email("recipient", &self.mail.recipient).map(|address| address.key);
        let find_holder = async || match &key {
            Ok(key) => email_owner::find_present(transaction, key).await,
            Err(_) => Ok(None),
        };
        let subject = match self.mail.kind {
            Kind::ResetPassword => find_holder().await?.map(|holder| holder.id),
            _ => self.mail.user_id,
        };
        // Whoever changes an address or a password locks the user first, too, and takes out the links and the mails
        // that must not be good afterwards: a link that is stored here is either seen by them, or knows of them.
        let concerned = |user: &user::Model| user.deleted_at.is_some() == (self.mail.kind == Kind::AccountDeleted);
        let subject = match subject {
            Some(id) => user::lock(transaction, id).await?.filter(concerned),
            None => None,
        };
        if !queued_mail::claim(transaction, &self.mail, self.due_at).await? {
            return Ok(None);
        }
        let holder = find_holder().await?;
        match subject {
            Some(user) => self.letter(transaction, user, holder).await.map(Some),
            None => Ok(Some(None)),
        }
    }

    /// The letter about `user`, where `holder` has the recipient's address; `None` if there is nobody to write to.
    async fn letter(
        &self,
        transaction: &DatabaseTransaction,
        user: user::Model,
        holder: Option<user::Model>,
    ) -> Result<Option<Addressed>, Error> {
        let as_queued = |letter| Some((self.mail.recipient.clone(), letter));
        if self.is_unwanted(&user) {
            return Ok(None);
        }
        let greeted = self.greeted(&user);
        Ok(match (self.mail.kind, holder) {
            (Kind::VerifyEmail, Some(holder))
                if holder.id != user.id && email_owner::owns_email(&holder, self.policy) =>
            {
                let username = holder.email_verified_at.is_some().then_some(holder.username);
                let letter = Letter::AlreadyRegistered { username, reset_page: self.reset_url.clone() };
                holder.email.map(|email| (email, letter))
            }
            (Kind::VerifyEmail, _) => {
                let (link, valid_seconds) = self.link(transaction, &user, &self.mail.recipient).await?;
                as_queued(Letter::ConfirmAddress { username: greeted, link, valid_seconds })
            }
            (Kind::ResetPassword, Some(holder)) if holder.id == user.id => match &user.email {
                Some(email) => {
                    let (link, valid_seconds) = self.link(transaction, &user, email).await?;
                    if self.mail.attempts == 0 {
                        self.notes.count_entry(user.id, account_event::Kind::PasswordResetRequested);
                        account_event::add(transaction, self.requested(user.id)).await?;
                    }
                    Some((email.clone(), Letter::ChooseNewPassword { username: greeted, link, valid_seconds }))
                }
                None => None,
            },
            // It has just become somebody else's.
            (Kind::ResetPassword, _) => None,
            (Kind::EmailChanged, _) => {
                let (username, new_address) = (Some(user.username), user.email);
                as_queued(Letter::AddressChanged { username, new_address })
            }
            // Neither a name nor an address that a stranger chose.
            (Kind::UnconfirmedEmailChanged, _) => {
                as_queued(Letter::AddressChanged { username: None, new_address: None })
            }
            // The user may have another address by now.
            (Kind::AddressShared, _) if user.email.is_some() && user.email_key.is_none() => {
                as_queued(Letter::AddressShared { username: user.email_verified_at.map(|_| user.username) })
            }
            (Kind::AddressShared, _) => None,
            (Kind::PasswordChanged, _) => {
                let keys = api_key::list_live(transaction, user.id, self.now).await?;
                let api_keys = keys.iter().map(|key| format!("{} ({})", key.prefix, key.name)).collect();
                let when = self.mail.created_at;
                as_queued(Letter::PasswordChanged { username: greeted, when, address: None, api_keys })
            }
            (Kind::ApiKeyCreated, _) => {
                let (prefix, reset_page) = (self.mail.detail.clone().unwrap_or_default(), self.reset_url.clone());
                as_queued(Letter::ApiKeyCreated { username: greeted, when: self.mail.created_at, prefix, reset_page })
            }
            (Kind::RefreshTokenReused, _) => {
                as_queued(Letter::SessionCopied { username: greeted, when: self.mail.created_at })
            }
            (Kind::AccountDeleted, _) => as_queued(self.account_deleted(transaction, &user, greeted).await?),
        })
    }

    /// Returns true for a notice to an unconfirmed address under the policy `off`. Nobody needs to
    /// confirm an address there, so it may be a stranger's. It gets only the mails that somebody asks
    /// for.
    fn is_unwanted(&self, user: &user::Model) -> bool {
        let is_welcome = match self.mail.kind {
            Kind::VerifyEmail | Kind::ResetPassword | Kind::EmailChanged => true,
            // The account has lost the key of its address.
            Kind::AddressShared => user.email_verified_at.is_some(),
            Kind::UnconfirmedEmailChanged
            | Kind::PasswordChanged
            | Kind::ApiKeyCreated
            | Kind::RefreshTokenReused
            | Kind::AccountDeleted => self.has_confirmed(user),
        };
        self.policy == EmailVerification::Off && !is_welcome
    }

    /// Returns true if `user` has confirmed the address of the recipient.
    fn has_confirmed(&self, user: &user::Model) -> bool {
        let has_address =
            user.email_key.as_deref().is_some_and(|key| identity::is_spelling_of(&self.mail.recipient, key));
        has_address && user.email_verified_at.is_some()
    }

    /// The name to greet the recipient by. One who has not confirmed the address may be a stranger, to whom the name could
    /// say anything.
    fn greeted(&self, user: &user::Model) -> Option<String> {
        self.has_confirmed(user).then(|| user.username.clone())
    }

    async fn account_deleted(
        &self,
        transaction: &DatabaseTransaction,
        user: &user::Model,
        username: Option<String>,
    ) -> Result<Letter, Error> {
        let grace = TimeDelta::days(self.grace_days.into());
        let removed_after = user.deleted_at.unwrap_or(self.mail.created_at) + grace;
        let way_back = match user.restorable_until.filter(|until| *until > self.now) {
            Some(expires_at) => {
                let kind = email_token::Kind::RestoreAccount;
                let (token, row) = email_token::generate(kind, user.id, self.mail.recipient.clone(), expires_at)?;
                email_token::add(transaction, row).await?;
                Some(format!("{}#token={token}", self.restore_url))
            }
            None => None,
        };
        Ok(Letter::AccountDeleted { username, removed_after, link: way_back })
    }

    /// The entry about the request for this mail, by a client that was not signed in.
    fn requested(&self, user: UserId) -> account_event::ActiveModel {
        let (caller, kind) = (Caller::anonymous(), account_event::Kind::PasswordResetRequested);
        let event = account_event::event(&caller, user, kind, self.mail.created_at);
        account_event::ActiveModel { ip_address: Set(self.mail.detail.clone()), ..event }
    }

    /// A link that is good once, and for how many seconds.
    async fn link(
        &self,
        transaction: &DatabaseTransaction,
        user: &user::Model,
        email: &str,
    ) -> Result<(String, u32), Error> {
        let (kind, page, valid_seconds) = match self.mail.kind {
            Kind::ResetPassword => (email_token::Kind::ResetPassword, &self.reset_url, self.valid.1),
            _ => (email_token::Kind::VerifyEmail, &self.verify_url, self.valid.0),
        };
        let expires_at = self.now + TimeDelta::seconds(valid_seconds.into());
        let (token, row) = email_token::generate(kind, user.id, email.to_owned(), expires_at)?;
        email_token::add(transaction, row).await?;
        Ok((format!("{page}#token={token}"), valid_seconds))
    }
}
