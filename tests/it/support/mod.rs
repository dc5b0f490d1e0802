//! What the tests stand on: a server in process ([`TestApp`]) or as a real one ([`Process`]), and the
//! callers who use it.

mod app;
mod caller;
mod database;
mod database_server;
mod dump;
mod export;
mod form;
mod gate;
mod hold;
mod kept_marker;
mod length;
mod locker;
mod mails;
mod patience;
mod people;
mod photos;
mod process;
mod random;
mod rows;
mod s3;
mod shape;
mod small_disk;
mod smtp;
mod statements;
mod storage;
mod stub_s3;
mod template;
mod tls;
mod told;
mod wire;

pub use app::TestApp;
pub use caller::{Caller, Reply};
pub use database::TestDatabase;
pub use database_server::{DatabaseServer, as_user};
pub use dump::dump;
pub use export::export;
pub use form::{BOUNDARY, FILE_NAME, Form, form_request};
pub use gate::Gate;
pub use hold::{Hold, alter};
pub use kept_marker::{KeptMarker, read_request};
pub use length::Length;
pub use locker::Locker;
pub use mails::{ReceivedMail, link_token, test_mails};
pub use patience::{PATIENCE, Promptness};
pub use photos::{ids, ids_in, picture, picture_no, picture_of};
pub use process::Process;
pub use random::Random;
pub use rows::Rows;
pub use s3::{S3Server, s3_settings};
pub use shape::{AllRows, all_rows, rows, shape, tables};
pub use small_disk::{disk_of, fill, fill_but, namespaces_are_allowed, start_on_a_small_disk};
pub use smtp::{SMTP_PASSWORD, SMTP_USER, SmtpServer, Tls};
pub use statements::Statements;
pub use storage::{TestStorage, attached};
pub use stub_s3::{Answers, StubS3};
pub use told::Told;
pub use wire::{Heard, Listening, Wire, post, slow_connection};

/// A value of a setting, from its text.
pub fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect(text)
}

/// A password that is good enough.
pub const PASSWORD: &str = "correct horse battery";
