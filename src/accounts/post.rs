//! The post: takes queued mails out of the database, a few at a time, and sends them.
//!
//! A mail is claimed before it is sent, so that one replica sends it; removed when it was taken; tried again, later
//! each time, when it was not. Tokens are made here, so that none is ever stored but as its hash: a mail that is
//! sent again after a crash has another one, and both are good until one is used.
//!
//! **Invariant:** what concerns the holder of an address goes to the address as the account has it, not as somebody
//! typed it: two spellings that are one to us can be two mailboxes.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use sea_orm::ActiveModelTrait as _;
use tokio::sync::Notify;

use crate::accounts::queued_mail::{self, Kind};
use crate::accounts::{Accounts, email_token, identity, user};
use crate::config;
use crate::error::Error;
use crate::mail::{self, Letter, Mailer};

/// After how many seconds a mail is tried again at first, at least; doubled each time; and at most.
const RETRY_SECONDS: i64 = 60;
const LAST_RETRY_SECONDS: i64 = 6 * 3600;

/// What sends mails, and what their links lead to.
pub(super) struct Post {
    mailer: Mailer,
    verify_url: String,
    reset_url: String,
    attempts: i32,
    /// How many mails are sent at once.
    at_once: u64,
    /// After how many seconds a mail is tried again at first. One that is still being sent never is.
    retry_seconds: i64,
    waiting: Arc<Notify>,
}

impl Post {
    pub(super) fn new(mailer: Mailer, settings: &config::Mail, public_url: &str) -> Self {
        let page = |own: &str, path: &str| match own {
            "" => format!("{}/{path}", public_url.trim_end_matches('/')),
            own => own.to_owned(),
        };
        Self {
            mailer,
            verify_url: page(&settings.verify_url, "verify-email"),
            reset_url: page(&settings.reset_url, "reset-password"),
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
        let wait = self.post.retry_seconds.saturating_mul(1 << mail.attempts.clamp(0, 16)).min(LAST_RETRY_SECONDS);
        let (claimed, due_at) = (mail.clone(), now + TimeDelta::seconds(wait.max(self.post.retry_seconds)));
        let claim = self.database.write(move |transaction| {
            let mail = claimed.clone();
            Box::pin(async move { queued_mail::claim(transaction, &mail, due_at).await })
        });
        if !claim.await? {
            return Ok(());
        }
        if let Some((recipient, letter)) = self.letter(&mail, now).await?
            && let Err(error) = self.post.mailer.send(&recipient, &letter, now).await
        {
            let error_text = format!("{error:#}");
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

    /// To whom the mail goes and what it says; `None` if there is nobody to say it to.
    async fn letter(&self, mail: &queued_mail::Model, now: DateTime<Utc>) -> Result<Option<(String, Letter)>, Error> {
        let Ok(address) = identity::email("recipient", &mail.recipient) else { return Ok(None) };
        let reader = self.database.reader();
        let holder = user::find_by_email(reader, &address.key).await?.filter(|user| user.deleted_at.is_none());
        let subject = match mail.user_id {
            Some(id) => user::find_by_id(reader, id).await?.filter(|user| user.deleted_at.is_none()),
            None => None,
        };
        let as_queued = |letter| Some((mail.recipient.clone(), letter));
        Ok(match (mail.kind, subject, holder) {
            (Kind::VerifyEmail, Some(user), Some(holder)) if holder.id != user.id => {
                let letter = |reset_page| Letter::AlreadyRegistered { username: holder.username, reset_page };
                holder.email.map(|email| (email, letter(self.post.reset_url.clone())))
            }
            (Kind::VerifyEmail, Some(user), _) => {
                let recipient = mail.recipient.clone();
                self.link(email_token::Kind::VerifyEmail, user, recipient, mail, now).await?
            }
            (Kind::ResetPassword, _, Some(holder)) => match holder.email.clone() {
                Some(email) => self.link(email_token::Kind::ResetPassword, holder, email, mail, now).await?,
                None => None,
            },
            (Kind::EmailChanged, Some(user), _) => {
                let (username, new_address) = (user.username, user.email.unwrap_or_default());
                as_queued(Letter::AddressChanged { username, new_address })
            }
            (Kind::PasswordChanged, Some(user), _) => {
                as_queued(Letter::PasswordChanged { username: user.username, when: mail.created_at, address: None })
            }
            _ => None,
        })
    }

    /// A letter to `email` with a link that is good once; `None` if it is no longer wanted.
    async fn link(
        &self,
        kind: email_token::Kind,
        user: user::Model,
        email: String,
        mail: &queued_mail::Model,
        now: DateTime<Utc>,
    ) -> Result<Option<(String, Letter)>, Error> {
        let valid_seconds = match kind {
            email_token::Kind::VerifyEmail => self.settings.verification_seconds,
            email_token::Kind::ResetPassword => self.settings.reset_seconds,
        };
        let expires_at = now + TimeDelta::seconds(valid_seconds.into());
        let (token, row) = email_token::generate(kind, user.id, email.clone(), expires_at)?;
        let (mail, before) = (mail.id, user.clone());
        let stored = self.database.write(move |transaction| {
            let (row, before) = (row.clone(), before.clone());
            Box::pin(async move {
                // Whoever changes an address or a password locks the user too, and takes out the links and the mails
                // that must not be good afterwards: what has read of them before must not store one after.
                let locked = user::lock(transaction, before.id).await?;
                let same = locked.is_some_and(|user| user.email == before.email && user.deleted_at.is_none());
                if !same || !queued_mail::waits(transaction, mail).await? {
                    return Ok(false);
                }
                row.insert(transaction).await?;
                Ok(true)
            })
        });
        if !stored.await? {
            return Ok(None);
        }
        let username = user.username;
        Ok(Some(match kind {
            email_token::Kind::VerifyEmail => {
                let link = format!("{}#token={token}", self.post.verify_url);
                (email, Letter::ConfirmAddress { username, link, valid_seconds })
            }
            email_token::Kind::ResetPassword => {
                let link = format!("{}#token={token}", self.post.reset_url);
                (email, Letter::ChooseNewPassword { username, link, valid_seconds })
            }
        }))
    }
}
