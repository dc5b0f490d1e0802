//! An account in one line, or as a JSON object.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::accounts::user;
use crate::cli::table::{Shape, columns};

/// What stands above the lines.
pub(super) const HEADERS: [&str; 7] = ["USERNAME", "NAME", "E-MAIL", "ROLE", "STATE", "VERIFIED", "CREATED"];

/// What `--help` says of the JSON.
pub(super) const SHAPE: &str = "\
A user in JSON: id, username, displayName?, email?, emailVerified, emailVerifiedAt?, role (USER,
ADMIN), state (ACTIVE, SUSPENDED, UNCONFIRMED, DELETED), createdAt, updatedAt, unconfirmedUntil?,
suspendedAt?, deletedAt?. What is marked ? can be null; times are RFC 3339, in UTC.";

/// The line of one user.
pub(super) fn row(user: &user::Model) -> Vec<String> {
    let verified = match (&user.email, user.email_verified_at) {
        (None, _) => "-",
        (_, None) => "no",
        (_, Some(_)) => "yes",
    };
    vec![
        user.username.clone(),
        or_dash(user.name.as_ref()),
        or_dash(user.email.as_ref()),
        user.role.name().to_lowercase(),
        user.state().name().to_lowercase(),
        verified.to_owned(),
        moment(user.created_at),
    ]
}

/// Prints one user, and a password that was generated for them.
pub(super) fn print(shape: Shape, user: &user::Model, generated: Option<&str>) -> anyhow::Result<()> {
    let mut document: Map<String, Value> = user.export();
    if let Some(password) = generated {
        document.insert("password".to_owned(), password.into());
    }
    shape.print_one(&document, || {
        let line = columns(&HEADERS, [row(user)]);
        match generated {
            Some(password) => format!("{line}\n\nPassword: {password}   (it is not shown again)"),
            None => line,
        }
    })
}

/// A cell that says that there is nothing, so that every line has as many words.
pub(super) fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}

/// A moment, to the second.
pub(super) fn moment(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}
