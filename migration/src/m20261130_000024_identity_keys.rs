//! One key for each mailbox, and the skeletons of usernames.
//!
//! Users are read in batches, in the order of their username keys, which stay as they are. A row is
//! written only if its key changes. If two accounts turn out to have one mailbox, the confirmed one
//! keeps the key, or else the older one; the other one loses it, keeps its username, and is told by
//! mail.
//!
//! A skeleton belongs to the ASCII-only usernames that have it, or else to the first username.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm_migration::sea_orm::{ConnectionTrait, QueryResult};
use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{
    add_column, connection, create_index, create_table, drop_column, drop_index, drop_table, has_column,
};

/// Users read at once.
const BATCH: usize = 500;
const SKELETON_INDEX: &str = "users_by_username_skeleton";
const OWNER_INDEX: &str = "username_skeletons_by_user";
/// The kind of the mail to an account that lost its key.
const MAIL_KIND: &str = "address_shared";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("username_skeletons")
            .col(string_len("skeleton", 255).primary_key())
            // Null if it belongs to ASCII-only usernames, of which several may have it.
            .col(uuid_null("user_id"))
            .foreign_key(
                ForeignKey::create()
                    .name("username_skeletons_user_id")
                    .from("username_skeletons", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, table).await?;
        let by_user = Index::create().name(OWNER_INDEX).col("user_id").to_owned();
        create_index(manager, "username_skeletons", by_user).await?;
        add_column(manager, "users", string_len_null("username_skeleton", 255)).await?;
        let by_skeleton = Index::create().name(SKELETON_INDEX).col("username_skeleton").to_owned();
        create_index(manager, "users", by_skeleton).await?;

        let accounts = Accounts::new(manager).await?;
        let mut after = String::new();
        while let Some(batch) = accounts.next_batch(&mut after).await? {
            accounts.claim_skeletons(&batch).await?;
            for account in &batch {
                accounts.renew_email_key(account).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let accounts = Accounts::new(manager).await?;
        let mails = Query::delete().from_table("mails").and_where(Expr::col("kind").eq(MAIL_KIND)).to_owned();
        accounts.connection.execute(&mails).await?;
        let mut after = String::new();
        while let Some(batch) = accounts.next_batch(&mut after).await? {
            for account in &batch {
                accounts.restore_email_key(account).await?;
            }
        }
        drop_index(manager, "users", SKELETON_INDEX).await?;
        drop_column(manager, "users", "username_skeleton").await?;
        drop_table(manager, "username_skeletons").await
    }
}

/// A row of `users`, as far as it is read here.
struct Account {
    username: String,
    username_key: String,
    email: Option<String>,
    email_key: Option<String>,
    /// The key that no other account has.
    unique_key: Option<String>,
}

struct Accounts<'c> {
    connection: &'c SchemaManagerConnection<'c>,
    /// Whether addresses are unique in a column of their own, once they are confirmed.
    has_owners: bool,
}

impl<'c> Accounts<'c> {
    async fn new(manager: &'c SchemaManager<'c>) -> Result<Self, DbErr> {
        let has_owners = has_column(manager, "users", "email_owner_key").await?;
        Ok(Self { connection: connection(manager), has_owners })
    }

    fn unique_column(&self) -> &'static str {
        if self.has_owners { "email_owner_key" } else { "email_key" }
    }

    /// The users after this username key, and the last of their keys.
    async fn next_batch(&self, after: &mut String) -> Result<Option<Vec<Account>>, DbErr> {
        let unique = self.unique_column();
        let users = Query::select()
            .columns(["username", "username_key", "email", "email_key"])
            .expr_as(Expr::col(unique), "unique_key")
            .from("users")
            .and_where(Expr::col("username_key").gt(after.as_str()))
            .order_by("username_key", Order::Asc)
            .limit(BATCH as u64)
            .to_owned();
        let rows = self.connection.query_all(&users).await?;
        let batch = rows.iter().map(Account::read).collect::<Result<Vec<_>, DbErr>>()?;
        let Some(last) = batch.last() else { return Ok(None) };
        after.clone_from(&last.username_key);
        Ok(Some(batch))
    }

    async fn claim_skeletons(&self, batch: &[Account]) -> Result<(), DbErr> {
        // The keys of accounts that are being purged are no usernames.
        let users = || batch.iter().filter(|account| !account.username_key.starts_with('!'));
        let shared: BTreeMap<&str, String> = users()
            .filter(|account| account.username.is_ascii())
            .filter_map(|account| {
                Some((account.username_key.as_str(), normalization::skeletons(&account.username).pop_first()?))
            })
            .collect();
        if !shared.is_empty() {
            let mut skeleton = CaseStatement::new();
            for (key, value) in &shared {
                skeleton = skeleton.case(Expr::col("username_key").eq(*key), value.as_str());
            }
            let update = Query::update()
                .table("users")
                .value("username_skeleton", skeleton)
                .and_where(Expr::col("username_key").is_in(shared.keys().copied()))
                .to_owned();
            self.connection.execute(&update).await?;
            let mut insert = Query::insert().into_table("username_skeletons").columns(["skeleton"]).to_owned();
            for value in shared.values().collect::<BTreeSet<_>>() {
                insert.values([value.as_str().into()]).map_err(invalid)?;
            }
            // From a look-alike that was read before.
            let take = OnConflict::column("skeleton").value("user_id", Expr::cust("NULL")).to_owned();
            self.connection.execute(insert.on_conflict(take)).await?;
        }
        for account in users().filter(|account| !account.username.is_ascii()) {
            for skeleton in normalization::skeletons(&account.username) {
                self.claim_skeleton(&account.username_key, &skeleton).await?;
            }
        }
        Ok(())
    }

    async fn claim_skeleton(&self, username_key: &str, skeleton: &str) -> Result<(), DbErr> {
        let user = Query::select()
            .expr(Expr::val(skeleton))
            .column("id")
            .from("users")
            .and_where(Expr::col("username_key").eq(username_key))
            .to_owned();
        let mut insert = Query::insert().into_table("username_skeletons").columns(["skeleton", "user_id"]).to_owned();
        insert.select_from(user).map_err(invalid)?;
        let keep = OnConflict::column("skeleton").do_nothing_on(["skeleton"]).to_owned();
        self.connection.execute(insert.on_conflict(keep)).await.map(drop)
    }

    async fn renew_email_key(&self, account: &Account) -> Result<(), DbErr> {
        let (Some(text), Some(key)) = (&account.email, &account.email_key) else { return Ok(()) };
        // No mail can be sent to this address: it identifies its account as before.
        let Some(email) = normalization::stored_email(text) else { return Ok(()) };
        let is_addressable = normalization::email(text).is_ok();
        if email.key == *key && is_addressable {
            return Ok(());
        }
        let shown = if is_addressable { text.as_str() } else { email.text.as_str() };
        let holder = match account.unique_key {
            Some(_) => self.holder_of(&email.key, account).await?,
            None => None,
        };
        if let Some(holder) = holder {
            let kept = self.first_of(&account.username_key, &holder).await?;
            let lost = if kept == account.username_key { holder.as_str() } else { &account.username_key };
            self.queue_mail(lost, &email.text).await?;
            self.set_key(lost, None, true).await?;
            if lost == account.username_key {
                return self.set_text(&account.username_key, shown).await;
            }
        }
        self.set_key(&account.username_key, Some(&email.key), account.unique_key.is_some()).await?;
        self.set_text(&account.username_key, shown).await
    }

    /// The key of the version before; none if another account has it by now.
    async fn restore_email_key(&self, account: &Account) -> Result<(), DbErr> {
        let Some(text) = &account.email else { return Ok(()) };
        let key = normalization::comparison_key(text);
        if account.email_key.as_ref() == Some(&key) {
            return Ok(());
        }
        let is_unique = account.unique_key.is_some() || !self.has_owners;
        if is_unique && self.holder_of(&key, account).await?.is_some() {
            return Ok(());
        }
        self.set_key(&account.username_key, Some(&key), is_unique).await
    }

    /// The username key of another account that has this key to itself.
    async fn holder_of(&self, key: &str, account: &Account) -> Result<Option<String>, DbErr> {
        let holder = Query::select()
            .column("username_key")
            .from("users")
            .and_where(Expr::col(self.unique_column()).eq(key))
            .and_where(Expr::col("username_key").ne(account.username_key.as_str()))
            .limit(1)
            .to_owned();
        let row = self.connection.query_one(&holder).await?;
        row.map(|row| row.try_get_by_index(0)).transpose()
    }

    /// Of two accounts, the one that keeps the key.
    async fn first_of(&self, one: &str, other: &str) -> Result<String, DbErr> {
        let mut first = Query::select();
        first.column("username_key").from("users").and_where(Expr::col("username_key").is_in([one, other]));
        for unlikely in [Expr::col("email_verified_at").is_null(), Expr::col("deleted_at").is_not_null()] {
            first.order_by_expr(CaseStatement::new().case(unlikely, 1).finally(0).into(), Order::Asc);
        }
        first.order_by("created_at", Order::Asc).order_by("id", Order::Asc).limit(1);
        let row = self.connection.query_one(&first).await?;
        row.map_or_else(|| Ok(one.to_owned()), |row| row.try_get_by_index(0))
    }

    async fn set_key(&self, username_key: &str, key: Option<&str>, is_unique: bool) -> Result<(), DbErr> {
        let mut update = Query::update();
        update.table("users").value("email_key", key.map(str::to_owned));
        if self.has_owners && is_unique {
            update.value("email_owner_key", key.map(str::to_owned));
        }
        update.and_where(Expr::col("username_key").eq(username_key));
        self.connection.execute(&update).await.map(drop)
    }

    async fn set_text(&self, username_key: &str, email: &str) -> Result<(), DbErr> {
        let update = Query::update()
            .table("users")
            .value("email", email)
            .and_where(Expr::col("username_key").eq(username_key))
            .and_where(Expr::col("email").ne(email))
            .to_owned();
        self.connection.execute(&update).await.map(drop)
    }

    /// Queues a mail, once: it has the id of the account. It is due at once, whatever the clocks say.
    #[expect(clippy::disallowed_methods, reason = "a migration runs without the server's clock")]
    async fn queue_mail(&self, username_key: &str, recipient: &str) -> Result<(), DbErr> {
        let account =
            Query::select().column("id").from("users").and_where(Expr::col("username_key").eq(username_key)).to_owned();
        let queued =
            Query::select().column("kind").from("mails").and_where(Expr::col("id").in_subquery(account)).to_owned();
        if self.connection.query_one(&queued).await?.is_some() {
            return Ok(());
        }
        let mail = Query::select()
            .column("id")
            .expr(Expr::val(MAIL_KIND))
            .expr(Expr::val(recipient))
            .column("id")
            .expr(Expr::val(0))
            .expr(Expr::val(chrono::Utc::now()))
            .column("created_at")
            .from("users")
            .and_where(Expr::col("username_key").eq(username_key))
            .to_owned();
        let columns = ["id", "kind", "recipient", "user_id", "attempts", "created_at", "due_at"];
        let mut insert = Query::insert().into_table("mails").columns(columns).to_owned();
        self.connection.execute(insert.select_from(mail).map_err(invalid)?).await.map(drop)
    }
}

fn invalid(error: impl std::fmt::Display) -> DbErr {
    DbErr::Custom(error.to_string())
}

impl Account {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            username: row.try_get("", "username")?,
            username_key: row.try_get("", "username_key")?,
            email: row.try_get("", "email")?,
            email_key: row.try_get("", "email_key")?,
            unique_key: row.try_get("", "unique_key")?,
        })
    }
}
