//! What the tests stand on: a server in process ([`TestApp`]) or as a real one ([`Process`]), and the
//! callers who use it.

mod app;
mod caller;
mod database;
mod process;
mod rows;
mod statements;

pub use app::TestApp;
pub use caller::{Caller, Reply};
pub use database::TestDatabase;
pub use process::Process;
pub use rows::Rows;
pub use statements::Statements;

/// A password that is good enough.
pub const PASSWORD: &str = "correct horse battery";
