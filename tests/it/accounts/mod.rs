//! Accounts and sessions.

mod administer;
mod api_key_ends;
mod api_keys;
mod callers;
mod delete_account;
mod foreign_objects;
mod forged_tokens;
mod forger;
mod keys;
mod last_admin;
mod login;
mod logout;
mod logout_scopes;
mod operate;
mod password_queue;
mod profile;
mod refresh;
mod secrets;
mod sign_up;
mod sign_up_uniqueness;
mod token_claims;
mod token_transport;
mod user_pages;
mod users;
mod viewer;
