//! Accounts and sessions.

mod logout;
