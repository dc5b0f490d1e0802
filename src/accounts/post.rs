//! The post: takes queued mails out of the database, one after the other, and sends them.
//!
//! A mail is claimed before it is sent, so that one replica sends it; removed when it was taken; tried again, later
//! each time, when it was not. Tokens are made here, so that none is ever stored but as its hash: a mail that is
//! sent again after a crash has another one, and both are good until one is used.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ActiveModelTrait as _;
use tokio::sync::Notify;

use crate::accounts::queued_mail::{self, Kind};
use crate::accounts::{Accounts, email_token, identity, user};
use crate::config;
use crate::error::Error;
use crate::mail::{self, Letter, Mailer};

/// Mails looked at in one go.
const BATCH: u64 = 20;
/// After how many seconds a mail is tried again at first, doubled each time, and at most.
const RETRY_SECONDS: (i64, i64) = (60, 6 * 3600);

/// What sends mails, and what their links lead to.
pub(super) struct Post {
    mailer: Mailer,
    verify_url: String,
    reset_url: String,
    attempts: i32,
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
            let due = queued_mail::list_due(self.database.reader(), self.clock.now(), BATCH).await?;
            if due.is_empty() {
                return Ok(());
            }
            for mail in due {
                self.send_mail(mail).await?;
            }
        }
    }

    async fn send_mail(&self, mail: queued_mail::Model) -> Result<(), Error> {
        let now = self.clock.now();
        let (first, longest) = RETRY_SECONDS;
        let wait = first.saturating_mul(1 << mail.attempts.clamp(0, 16)).min(longest);
        let (claimed, due_at) = (mail.clone(), now + TimeDelta::seconds(wait));
        let claim = self.database.write(move |transaction| {
            let mail = claimed.clone();
            Box::pin(async move { queued_mail::claim(transaction, &mail, due_at).await })
        });
        if !claim.await? {
            return Ok(());
        }
        if let Some(letter) = self.letter(&mail, now).await?
            && let Err(error) = self.post.mailer.send(&mail.recipient, &letter, now).await
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

    /// What the mail says; `None` if there is nobody to say it to.
    async fn letter(&self, mail: &queued_mail::Model, now: DateTime<Utc>) -> Result<Option<Letter>, Error> {
        let Ok(address) = identity::email("recipient", &mail.recipient) else { return Ok(None) };
        let reader = self.database.reader();
        let holder = user::find_by_email(reader, &address.key).await?.filter(|user| user.deleted_at.is_none());
        let subject = match mail.user_id {
            Some(id) => user::find_by_id(reader, id).await?.filter(|user| user.deleted_at.is_none()),
            None => None,
        };
        Ok(match (mail.kind, subject, holder) {
            (Kind::VerifyEmail, Some(user), Some(holder)) if holder.id != user.id => {
                Some(self.already_registered(holder))
            }
            (Kind::VerifyEmail, Some(user), _) => Some(self.confirm_address(user, mail, now).await?),
            (Kind::ResetPassword, _, Some(holder)) => Some(self.choose_new_password(holder, mail, now).await?),
            (Kind::AlreadyRegistered, _, Some(holder)) => Some(self.already_registered(holder)),
            (Kind::EmailChanged, Some(user), _) => {
                let (username, new_address) = (user.username, user.email.unwrap_or_default());
                Some(Letter::AddressChanged { username, new_address })
            }
            (Kind::PasswordChanged, Some(user), _) => {
                Some(Letter::PasswordChanged { username: user.username, when: mail.created_at, address: None })
            }
            _ => None,
        })
    }

    fn already_registered(&self, holder: user::Model) -> Letter {
        Letter::AlreadyRegistered { username: holder.username, reset_page: self.post.reset_url.clone() }
    }

    async fn confirm_address(
        &self,
        user: user::Model,
        mail: &queued_mail::Model,
        now: DateTime<Utc>,
    ) -> Result<Letter, Error> {
        let valid_seconds = self.settings.verification_seconds;
        let token = self.email_token(email_token::Kind::VerifyEmail, &user, mail, now, valid_seconds).await?;
        let link = format!("{}#token={token}", self.post.verify_url);
        Ok(Letter::ConfirmAddress { username: user.username, link, valid_seconds })
    }

    async fn choose_new_password(
        &self,
        user: user::Model,
        mail: &queued_mail::Model,
        now: DateTime<Utc>,
    ) -> Result<Letter, Error> {
        let valid_seconds = self.settings.reset_seconds;
        let token = self.email_token(email_token::Kind::ResetPassword, &user, mail, now, valid_seconds).await?;
        let link = format!("{}#token={token}", self.post.reset_url);
        Ok(Letter::ChooseNewPassword { username: user.username, link, valid_seconds })
    }

    async fn email_token(
        &self,
        kind: email_token::Kind,
        user: &user::Model,
        mail: &queued_mail::Model,
        now: DateTime<Utc>,
        valid_seconds: u32,
    ) -> Result<String, Error> {
        let expires_at = now + TimeDelta::seconds(valid_seconds.into());
        let (token, row) = email_token::generate(kind, user.id, mail.recipient.clone(), expires_at)?;
        let stored = self.database.write(move |transaction| {
            let row = row.clone();
            Box::pin(async move { Ok(row.insert(transaction).await.map(drop)?) })
        });
        stored.await?;
        Ok(token)
    }
}
