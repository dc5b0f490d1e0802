//! No command prints a secret setting, however broken it is and wherever it stands.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::process::Command;

use super::{Place, cloakroom, run};

/// A part of every secret below, which nothing else contains.
const MARK: &str = "qzret";

/// Each command once, in a form that needs its settings.
const COMMANDS: [&[&str]; 12] = [
    &["serve", "--listen", "127.0.0.1:0"],
    &["migrate", "status"],
    &["schema"],
    &["keys", "list"],
    &["users", "list"],
    &["counters", "advance", "--by", "1"],
    &["photos", "check"],
    &["backup", "/nowhere/backup"],
    &["restore", "/nowhere/backup"],
    &["console", "--execute", "{ hello }"],
    &["config"],
    &["config", "--defaults"],
];

/// Secret settings with values that cannot work.
const BROKEN: [(&str, &str); 30] = [
    ("database.url", "postgres//me:qzret@db/x"),
    ("database.url", "postgres://me:qzret@db:notaport/x"),
    ("database.url", "postgres://me:qzret@[::1/x"),
    ("database.url", "postgres://me:qz%ret-qzret@db/x"),
    ("database.url", "postgres://me:qzret@db/x?sslmode=qzret"),
    ("database.url", "postgres://db/x?passwort=qzret"),
    ("database.url", "mysql:me:qzret@db"),
    ("database.url", "mysql://me:qz/qzret@db:3306/x"),
    ("database.url", "oracle://me:qzret@db/x"),
    ("database.url", "sqlite://x?password=qzret"),
    ("database.url", "postgres://me:qzret@127.0.0.1:1/x?connect_timeout=2"),
    ("database.url", "mysql://me:qzret@127.0.0.1:1/x"),
    ("mail.smtp_url", "smtp:/me:qzret@mail"),
    ("mail.smtp_url", "me:qzret@mail"),
    ("mail.smtp_url", "smtps://me:qzret@"),
    ("mail.smtp_url", "smtps://me:qzret@mail:99999"),
    ("mail.smtp_url", "smtps://me:qzret@mail#qzret"),
    ("mail.smtp_url", "smtps://me:qzret%ff@mail"),
    ("mail.smtp_url", "smtp://me:qzret@mail.example.org"),
    ("storage.url", "s3://key:qzret@bucket"),
    ("storage.url", "file://key:qzret@localhost/photos"),
    ("storage.url", "qzret"),
    ("storage.s3_endpoint", "https://key:qzret@minio.example.org"),
    ("storage.s3_endpoint", "minio?qzret"),
    ("server.public_url", "https://me:qzret@cloakroom.example.org"),
    ("server.public_url", "https://cloakroom.example.org/?token=qzret"),
    ("mail.verify_url", "https://me:qzret@app.example.org"),
    ("mail.reset_url", "https://app.example.org/#qzret"),
    ("http.cors_origins", "https://me:qzret@app.example.org"),
    ("http.cors_origins", "https://app.example.org/qzret"),
];

/// Files that are no TOML, or have a secret where none belongs.
const FILES: [&str; 9] = [
    "[storage]\ns3_secret_access_key = \"qzret\n",
    "[storage]\ns3_secret_access_key = qzret\n",
    "[storage]\ns3_secret_access_key = [\"qzret\"]\n",
    "[storage]\ns3_secret_access_key = { key = \"qzret\" }\n",
    "[storage]\ns3_secret_access_key = \"qzret\"\ns3_secret_access_key = \"qzret\"\n",
    "[mail]\nsmtp_url = \"smtps://me:qzret\\@mail\"\n",
    "[mail]\nsmtp_url = smtps://me:qzret@mail\n",
    "[database\nurl = \"postgres://me:qzret@db/x\"\n",
    "database = \"postgres://me:qzret@db/x\"\n",
];

fn variable(setting: &str) -> String {
    format!("CLOAKROOM__{}", setting.to_uppercase().replace('.', "__"))
}

/// Runs the command with a data directory of its own and searches its output.
fn assert_silent(place: &Place, arguments: &[&str], adapt: impl FnOnce(&mut Command) -> &mut Command) {
    let mut command = cloakroom(arguments);
    command.arg("--data-dir").arg(place.data.path().join("data"));
    adapt(&mut command);
    let said = run(&mut command);
    assert!(!format!("{said:?}").contains(MARK), "{command:?}: {said:?}");
    assert!(!said.err.contains("panicked"), "{command:?}: {said:?}");
}

#[test]
fn every_command_is_tried() {
    let help = run(&mut cloakroom(&["--help"])).output();
    let listed = help.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list");
    for line in listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let name = line.split_whitespace().next().expect("a name");
        assert!(name == "help" || COMMANDS.iter().any(|command| command[0] == name), "{name} is not tried");
    }
}

#[tokio::test]
async fn broken_secrets_are_not_printed_from_the_environment() {
    let place = Place::create().await;
    for (setting, value) in BROKEN {
        for arguments in COMMANDS {
            assert_silent(&place, arguments, |command| command.env(variable(setting), value));
        }
    }
}

#[tokio::test]
async fn broken_secrets_are_not_printed_from_flags_and_files() {
    let place = Place::create().await;
    let urls = BROKEN.iter().filter(|(setting, _)| *setting == "database.url");
    for arguments in COMMANDS {
        for (_, url) in urls.clone() {
            assert_silent(&place, arguments, |command| command.args(["--database", url]));
        }
        for (number, text) in FILES.iter().enumerate() {
            let file = place.file(&format!("{number}.toml"), text);
            assert_silent(&place, arguments, |command| command.args(["--config", &file]));
        }
    }
    for (setting, value) in BROKEN {
        let (section, key) = setting.split_once('.').expect("a section");
        let file = place.file("broken.toml", &format!("[{section}]\n{key} = \"{value}\"\n"));
        assert_silent(&place, &["config"], |command| command.args(["--config", &file]));
    }
}

#[tokio::test]
async fn secrets_in_another_encoding_are_not_printed() {
    let place = Place::create().await;
    let latin1 = |text: &str| OsString::from_vec([text.as_bytes(), b"\xfc"].concat());
    for setting in ["database.url", "mail.smtp_url", "storage.s3_secret_access_key", "http.cors_origins"] {
        for arguments in COMMANDS {
            assert_silent(&place, arguments, |command| command.env(variable(setting), latin1("x://me:qzret@y")));
        }
    }
    let name = place.data.path().join("latin1.toml");
    std::fs::write(&name, b"[mail]\nsmtp_url = \"smtps://me:qzret\xfc@mail\"\n").expect("it is written");
    assert_silent(&place, &["config"], |command| command.arg("--config").arg(&name));
    let said = run(cloakroom(&["config"]).env(variable("mail.smtp_url"), latin1("x"))).complaint();
    assert!(said.contains("CLOAKROOM__MAIL__SMTP_URL in the environment is not valid UTF-8"), "{said}");
}

#[test]
fn secrets_that_work_are_masked() {
    let mut command = cloakroom(&["config"]);
    command.env(variable("mail.smtp_url"), "smtps://me:qzret@mail.example.org");
    command.env(variable("storage.url"), "s3://bucket").env(variable("storage.s3_access_key_id"), "AKIA");
    command.env(variable("storage.s3_secret_access_key"), "qzret");
    command.env(variable("database.url"), "postgres://me:qzret@db/x");
    let shown = run(&mut command).output();
    assert!(!shown.contains(MARK), "{shown}");
    for masked in ["smtps://me:****@mail.example.org:465", "s3_secret_access_key = \"****\"", "postgres://me:****@db"] {
        assert!(shown.contains(masked), "{masked} is not in {shown}");
    }
}
