//! Accounts and sessions.

mod events;
mod forged_tokens;
mod forger;
mod hash_upgrade;
mod keys;
mod known_device;
mod limits;
mod login;
mod login_race;
mod logout;
mod logout_load;
mod logout_scopes;
mod outside;
mod password_queue;
mod refresh;
mod retention;
mod secrets;
mod sessions;
mod shut_out;
mod sign_up;
mod sign_up_uniqueness;
mod signed_in;
mod timing;
mod token_claims;
mod token_transport;
mod viewer;
