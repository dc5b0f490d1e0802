//! A line of an import: a JSON object, checked for its form. What it says is never repeated: it may be a password.

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::{Map, Value};

use crate::accounts::user::Role;
use crate::accounts::{AddUser, Password, Profile, Secret};
use crate::error::{UserError, UserErrorCode};

/// The members of an object that were not read yet, and what was wrong with those that were.
struct Members {
    left: Map<String, Value>,
    faults: Vec<UserError>,
}

/// The user whom a line describes, or everything that is wrong with its form.
pub(super) fn read(line: &[u8]) -> Result<AddUser, Vec<UserError>> {
    let object = match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err(vec![fault(None, UserErrorCode::Invalid, "This is not a JSON object.".to_owned())]),
        Err(error) => {
            let message = format!("This is not JSON, at column {}.", error.column());
            return Err(vec![fault(None, UserErrorCode::Invalid, message)]);
        }
    };
    let mut members = Members { left: object, faults: Vec::new() };
    let profile = Profile {
        email: members.text("email"),
        username: members.text("username"),
        display_name: members.text("displayName"),
    };
    let secret = members.secret();
    let role = members.role();
    let email_verified = members.flag("emailVerified");
    let created_at = members.moment("createdAt");
    let unknown: Vec<String> = members.left.keys().cloned().collect();
    for name in unknown {
        members.refuse(&name, "There is no such field.");
    }
    match (secret, members.faults.is_empty()) {
        (Some(secret), true) => Ok(AddUser { profile, secret, role, email_verified, created_at }),
        _ => Err(members.faults),
    }
}

fn fault(name: Option<&str>, code: UserErrorCode, message: String) -> UserError {
    UserError { code, field: name.map(|name| vec![name.to_owned()]), message }
}

impl Members {
    fn refuse(&mut self, name: &str, message: &str) {
        self.faults.push(fault(Some(name), UserErrorCode::Invalid, message.to_owned()));
    }

    /// A member that is there and not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.left.shift_remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => {
                self.refuse(name, "This is not a string.");
                None
            }
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.take(name) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(_) => {
                self.refuse(name, "This is neither true nor false.");
                false
            }
        }
    }

    fn role(&mut self) -> Role {
        match self.text("role").map(|role| role.to_uppercase()).as_deref() {
            None | Some("USER") => Role::User,
            Some("ADMIN") => Role::Admin,
            Some(_) => {
                self.refuse("role", "This is neither USER nor ADMIN.");
                Role::User
            }
        }
    }

    /// To the microsecond, as every database keeps it.
    fn moment(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let text = self.text(name)?;
        let moment = DateTime::parse_from_rfc3339(&text).ok();
        if moment.is_none() {
            self.refuse(name, "This is not a time such as 2026-11-20T12:00:00Z (RFC 3339).");
        }
        moment.map(|moment| moment.to_utc().trunc_subsecs(6))
    }

    fn secret(&mut self) -> Option<Secret> {
        let refused = self.faults.len();
        match (self.text("password"), self.text("passwordHash")) {
            (Some(password), None) => Some(Secret::Password(Password::from(password))),
            (None, Some(hash)) => Some(Secret::Hash(hash)),
            (Some(_), Some(_)) => {
                self.refuse("passwordHash", "There is a password already: leave out one of them.");
                None
            }
            (None, None) => {
                if self.faults.len() == refused {
                    let message = "A password or a passwordHash is needed.".to_owned();
                    self.faults.push(fault(Some("password"), UserErrorCode::Required, message));
                }
                None
            }
        }
    }
}
