//! Accounts and sessions.

mod find_account;
mod flows;
mod foreign_hashes;
mod forged_tokens;
mod forger;
mod keys;
mod login;
mod logout;
mod logout_scopes;
mod password_queue;
mod passwords;
mod refresh;
mod secrets;
mod sign_up;
mod sign_up_uniqueness;
mod token_claims;
mod token_transport;
mod viewer;
