//! Accounts and sessions.

mod find_account;
mod forged_tokens;
mod forger;
mod keys;
mod login;
mod logout;
mod logout_scopes;
mod operate;
mod password_queue;
mod passwords;
mod refresh;
mod secrets;
mod sign_up;
mod sign_up_uniqueness;
mod token_claims;
mod token_transport;
mod viewer;
