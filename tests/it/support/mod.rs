//! What the tests stand on: a server in process ([`TestApp`]) or as a real one ([`Process`]), and the
//! callers who use it.

mod app;
mod caller;
mod database;
mod dump;
mod hold;
mod mails;
mod people;
mod process;
mod random;
mod rows;
mod smtp;
mod statements;
mod told;
mod wire;

pub use app::TestApp;
pub use caller::{Caller, Reply};
pub use database::TestDatabase;
pub use dump::dump;
pub use hold::{Hold, alter};
pub use mails::{ReceivedMail, link_token, test_mails};
pub use process::Process;
pub use random::Random;
pub use rows::Rows;
pub use smtp::{SMTP_PASSWORD, SMTP_USER, SmtpServer, Tls};
pub use statements::Statements;
pub use told::Told;
pub use wire::{Listening, Wire, post};

/// A password that is good enough.
pub const PASSWORD: &str = "correct horse battery";
