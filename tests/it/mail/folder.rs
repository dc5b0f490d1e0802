//! Without a mail server, mails are in the data directory and in the log.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use cloakroom::mail::{Letter, Mailer};

use super::{confirm, now, settings};
use crate::support::{link_token, test_mails};

#[derive(Default)]
struct Written(Mutex<Vec<u8>>);

impl Write for &Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_newcomer_finds_the_link_in_the_log_and_the_mail_in_the_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data_dir = folder.path().join("data");
    std::fs::create_dir(&data_dir).expect("a data directory");
    let mailer = Mailer::open(&settings(|_| {}), &data_dir).expect("the settings are good");
    assert!(test_mails(&data_dir).is_empty());

    let log = Arc::new(Written::default());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::clone(&log)).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    mailer.send("anna@example.org", &confirm(), now()).await.expect("it is written");
    drop(guard);
    let log = String::from_utf8(log.0.lock().expect("no writer panics").clone()).expect("text");
    assert!(log.contains("\nhttps://cloakroom.example/verify-email#token=AbC-123_x\n"), "{log}");
    assert!(log.contains("INFO") && log.contains(".eml"), "{log}");

    let mails = test_mails(&data_dir);
    let [mail] = mails.as_slice() else { panic!("one mail, not {mails:?}") };
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("mail@cloakroom.example", "anna@example.org"));
    assert_eq!((mail.subject.as_str(), link_token(mail).as_str()), ("Confirm your e-mail address", "AbC-123_x"));
}

#[tokio::test]
async fn mails_are_their_owners_alone_and_keep_their_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mailer = Mailer::open(&settings(|_| {}), folder.path()).expect("the settings are good");
    let username = Some("anna".to_owned());
    let changed = Letter::PasswordChanged { username, when: now(), address: None, api_keys: Vec::new() };
    for letter in [&changed, &confirm(), &changed] {
        mailer.send("anna@example.org", letter, now()).await.expect("it is written");
    }
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("mail")), 0o700);
    for entry in folder.path().join("mail").read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name.starts_with("20261120T120000Z-") && name.ends_with(".eml"), "{name}");
        assert_eq!(mode(&path), 0o600, "{name}");
    }
    let subjects: Vec<String> = test_mails(folder.path()).into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Your password was changed", "Confirm your e-mail address", "Your password was changed"]);
}

#[tokio::test]
async fn the_folder_is_not_created_again_nor_in_another_data_directory() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (data_dir, moved) = (place.path().join("data"), place.path().join("moved"));
    std::fs::create_dir(&data_dir).expect("a data directory");
    let mailer = Mailer::open(&settings(|_| {}), &data_dir).expect("the settings are good");
    let send = async || mailer.send("anna@example.org", &confirm(), now()).await;
    send().await.expect("it is written");
    std::fs::rename(&data_dir, &moved).expect("it is moved");
    send().await.expect_err("the data directory is gone");
    assert!(!data_dir.exists(), "it is not created again");
    std::fs::create_dir(&data_dir).expect("another data directory");
    let error = send().await.expect_err("it is another one");
    assert!(format!("{error:#}").contains("another folder than at start"), "{error:#}");
    assert_eq!(data_dir.read_dir().expect("a folder").count(), 0);
    std::fs::remove_dir(&data_dir).expect("it goes");
    std::fs::rename(&moved, &data_dir).expect("it is moved back");
    std::fs::rename(data_dir.join("mail"), place.path().join("mail")).expect("it is moved");
    send().await.expect_err("the folder is gone");
    assert!(!data_dir.join("mail").exists(), "it is not created again");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("mail"), "in the way").expect("it is written");
    let mailer = Mailer::open(&settings(|_| {}), folder.path()).expect("the settings are good");
    let error = mailer.send("anna@example.org", &confirm(), now()).await.expect_err("a file is in the way");
    assert!(format!("{error:#}").starts_with("cannot write a mail to "), "{error:#}");
}
