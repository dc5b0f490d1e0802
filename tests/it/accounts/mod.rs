//! Accounts and sessions.

mod logout;
mod logout_scopes;
mod refresh;
