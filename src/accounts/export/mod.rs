//! The export of a user: everything that is kept of a person, as one JSON document (GDPR, articles 15 and 20).
//!
//! Each slice contributes [`Section`]s; `app.rs` lists the slices. Lists are read page by page while the document is
//! written, so that a user with a hundred thousand photos takes no more memory than one with a hundred.

mod account;
mod files;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use sea_orm::{ColumnTrait as _, EntityTrait, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::id::UserId;
use crate::store::DatabaseReader;

pub use files::{FileOutcome, Files};

/// Rows that are read at once.
pub const PAGE_ROWS: usize = 200;

/// A user to export.
#[derive(Clone, Debug)]
pub struct Request {
    /// The user.
    pub user: UserId,
    /// The folder for the user's files; `None` to leave them out.
    pub files: Option<Arc<Files>>,
}

/// A slice that keeps something of users.
pub trait ExportUser {
    /// Everything that the slice keeps of a user, without secrets and without anything of others.
    fn export_user(&self, request: &Request) -> Vec<Section<'_>>;
}

/// A user's export, read while it is written.
pub struct Export<'a> {
    /// The members that describe the user alone.
    pub user: Map<String, Value>,
    /// The members that follow.
    pub sections: Vec<Section<'a>>,
}

/// A member of the document.
pub struct Section<'a> {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub content: Content<'a>,
}

/// The value of a member.
pub enum Content<'a> {
    /// A value that is read at once.
    Value(BoxFuture<'a, Result<Value, Error>>),
    /// An array that is read page by page.
    List(Items<'a>),
}

/// The elements of an array.
pub type Items<'a> = BoxStream<'a, Result<Value, Error>>;

impl<'a> Section<'a> {
    /// A member whose value is an array.
    #[must_use]
    pub fn list(name: &'static str, items: Items<'a>) -> Self {
        Self { name, content: Content::List(items) }
    }

    /// A member whose value is read at once.
    #[must_use]
    pub fn value(name: &'static str, value: BoxFuture<'a, Result<Value, Error>>) -> Self {
        Self { name, content: Content::Value(value) }
    }
}

/// Reads page by page: `read` returns the page that follows a key, and the key of its last element if there may be more.
pub fn paged<'a, K, F>(read: F) -> Items<'a>
where
    K: Send + 'a,
    F: Fn(Option<K>) -> BoxFuture<'a, Result<(Vec<Value>, Option<K>), Error>> + Send + 'a,
{
    let pages = stream::try_unfold(Some(None), move |after: Option<Option<K>>| {
        let page = after.map(&read);
        async move {
            let Some(page) = page else { return Ok(None) };
            let (items, last) = page.await?;
            let items = stream::iter(items.into_iter().map(Ok::<_, Error>));
            Ok::<_, Error>(Some((items, last.map(Some))))
        }
    });
    pages.try_flatten().boxed()
}

/// Reads the rows of `select` in the order of `key`, which is unique. `describe` returns the key of a row and its element.
pub fn rows<'a, E, K>(
    reader: &'a DatabaseReader,
    select: Select<E>,
    key: E::Column,
    describe: fn(&E::Model) -> (K, Value),
) -> Items<'a>
where
    E: EntityTrait,
    E::Model: Send + Sync,
    K: Into<sea_orm::Value> + Send + 'a,
{
    paged(move |after: Option<K>| {
        let page = match after {
            Some(after) => select.clone().filter(key.gt(after)),
            None => select.clone(),
        };
        let page = page.order_by_asc(key).limit(PAGE_ROWS as u64);
        Box::pin(async move {
            let rows = page.all(reader).await?;
            let (mut items, mut last) = (Vec::with_capacity(rows.len()), None);
            for row in &rows {
                let (key, item) = describe(row);
                items.push(item);
                last = Some(key);
            }
            Ok((items, last.filter(|_| rows.len() >= PAGE_ROWS)))
        })
    })
}
