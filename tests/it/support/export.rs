//! The export of a user as a whole.

use cloakroom::accounts::export::Content;
use cloakroom::caller::Caller;
use cloakroom::error::Error;
use cloakroom::id::UserId;
use futures_util::TryStreamExt as _;
use serde_json::Value;

use super::TestApp;

/// The document that `cloakroom users export` prints.
pub async fn export(test: &TestApp, caller: &Caller, user: UserId) -> Result<Value, Error> {
    let export = test.app.export_user(caller, user, None).await?;
    let mut document = export.user;
    for section in export.sections {
        let value = match section.content {
            Content::Value(value) => value.await?,
            Content::List(items) => Value::Array(items.try_collect().await?),
        };
        document.insert(section.name.to_owned(), value);
    }
    Ok(Value::Object(document))
}
