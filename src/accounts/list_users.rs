//! `users`: everybody who is there, by username, page by page.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LikeExpr;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use crate::accounts::user::{self, Column, Entity};
use crate::accounts::{Accounts, identity};
use crate::caller::{Caller, Scope};
use crate::error::Error;
use crate::page::{Page, Window};

/// Characters of a search at most.
const MAX_SEARCH_CHARS: usize = 100;

impl Accounts {
    /// A page of the users whose username or name contains `search`; for administrators also the e-mail address. An
    /// operator also sees those who are not there for others: deleted, or still to be confirmed.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] without `ACCOUNT_READ`; [`Error::BadInput`] for a search that is
    /// too long.
    pub async fn list_users(
        &self,
        caller: &Caller,
        search: Option<&str>,
        window: &Window,
    ) -> Result<Page<user::Model>, Error> {
        self.page_of(self.matching(caller, search)?, window).await
    }

    /// A page of the users whose address another account has, too: see `users list --conflicts`.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::BadInput`] for a search that is too long.
    pub async fn list_email_conflicts(
        &self,
        caller: &Caller,
        search: Option<&str>,
        window: &Window,
    ) -> Result<Page<user::Model>, Error> {
        caller.require_operator()?;
        self.page_of(self.matching(caller, search)?.filter(user::has_email_conflict()), window).await
    }

    async fn page_of(&self, mut users: Select<Entity>, window: &Window) -> Result<Page<user::Model>, Error> {
        if let Some(after) = &window.after {
            users = users.filter(Column::UsernameKey.gt(after));
        }
        if let Some(before) = &window.before {
            users = users.filter(Column::UsernameKey.lt(before));
        }
        let users = match window.backward {
            true => users.order_by_desc(Column::UsernameKey),
            false => users.order_by_asc(Column::UsernameKey),
        };
        Ok(window.page(users.limit(window.limit()).all(self.database.reader()).await?))
    }

    /// How many they are.
    ///
    /// # Errors
    /// As [`Accounts::list_users`].
    pub async fn count_users(&self, caller: &Caller, search: Option<&str>) -> Result<u64, Error> {
        Ok(self.matching(caller, search)?.count(self.database.reader()).await?)
    }

    fn matching(&self, caller: &Caller, search: Option<&str>) -> Result<Select<Entity>, Error> {
        // An operator is nobody, and sees everybody.
        if caller.user().is_ok() || !caller.is_admin() {
            caller.require(Scope::AccountRead)?;
        }
        let seen = match caller.require_operator() {
            Ok(()) => user::kept(),
            Err(_) => Entity::find().filter(user::is_present()),
        };
        let Some(search) = search.map(str::trim).filter(|search| !search.is_empty()) else { return Ok(seen) };
        if search.chars().nth(MAX_SEARCH_CHARS).is_some() {
            return Err(Error::BadInput(format!("search has at most {MAX_SEARCH_CHARS} characters.")));
        }
        let pattern = |text: &str| LikeExpr::new(format!("%{}%", escape(text))).escape('\\');
        let key = identity::key_of(search);
        let mut matches = Condition::any().add(Column::SearchKey.like(pattern(&key)));
        if caller.is_admin() {
            matches = matches.add(Column::EmailKey.like(pattern(&key)));
            // A part of a domain that is not ASCII is in the shown address only, in lower case.
            if !key.is_ascii() {
                matches = matches.add(Column::Email.like(pattern(&key)));
            }
            if let Some(email) = normalization::stored_email(search) {
                matches = matches.add(Column::EmailKey.eq(email.key));
            }
        }
        Ok(seen.filter(matches))
    }
}

/// What `LIKE` would take for more than itself. No name has a control character, and PostgreSQL takes all but NUL.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().map(|c| if c.is_control() { '\u{1}' } else { c }) {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
