//! `cloakroom serve`: what it prints, what it leaves on disk, and when it refuses to start.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use cloakroom::store::Backend;

use super::{Place, Running, run};
use crate::support::{Process, TestDatabase};

/// Starts a server on a free port; returns its banner.
fn serve(place: &Place, arguments: &[&str]) -> (Running, String) {
    start(place.command(&["--listen", "127.0.0.1:0", "--migrate"]).args(arguments))
}

/// Starts a server by this command; returns its banner.
pub(super) fn start(command: &mut Command) -> (Running, String) {
    let mut child = command.stderr(Stdio::inherit()).spawn().expect("the server starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
    let running = Running(child);
    let mut banner = String::new();
    while !banner.contains("\nNext:") {
        let line = lines.next().expect("the server did not end").expect("text");
        banner.push_str(&line);
        banner.push('\n');
    }
    (running, banner)
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

#[tokio::test]
async fn the_banner_says_what_runs_where_and_what_to_do_next() {
    let place = Place::create().await;
    let (_server, banner) = serve(&place, &[]);
    let version = concat!("Cloakroom ", env!("CARGO_PKG_VERSION"));
    let data = place.data.path().join("data");
    let database = match TestDatabase::backend() {
        Backend::Sqlite => "SQLite, ",
        Backend::Postgres => "postgres://",
        Backend::Mysql => "mysql://",
    };
    for part in [
        version,
        "Playground  http://127.0.0.1:",
        "API         http://127.0.0.1:",
        "/graphql",
        "Next: open the playground",
        &data.to_string_lossy(),
        database,
    ] {
        assert!(banner.contains(part), "{part} is not in {banner}");
    }
    let lines = banner.lines().skip_while(|line| !line.starts_with("Cloakroom "));
    assert_eq!(lines.count(), 6, "it is short: {banner}");
}

#[tokio::test]
async fn what_lies_on_disk_is_for_its_owner_only() {
    let place = Place::create().await;
    let (_server, _) = serve(&place, &[]);
    let data = place.data.path().join("data");
    let mut waiting = vec![data.clone()];
    let mut files = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
            waiting.extend(fs::read_dir(&path).expect("readable").map(|entry| entry.expect("an entry").path()));
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            files.push(path.strip_prefix(&data).expect("below it").to_string_lossy().into_owned());
        }
    }
    assert!(files.iter().any(|name| name.starts_with("keys/") && name.ends_with(".json")), "{files:?}");
    if TestDatabase::is_sqlite() {
        for name in ["cloakroom.db", "cloakroom.db-wal", "cloakroom.db-shm", "cloakroom.db-lock"] {
            assert!(files.iter().any(|file| file == name), "{name} is not in {files:?}");
        }
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_data_directory_is_refused() {
    if !TestDatabase::is_sqlite() {
        return; // Any number of servers may share a database server's.
    }
    let place = Place::create().await;
    let (first, _) = serve(&place, &[]);
    let said = run(&mut place.command(&["--listen", "127.0.0.1:0"])).complaint();
    assert!(said.contains("another server is using the database"), "{said}");
    assert!(said.contains(&*place.data.path().to_string_lossy()), "{said}");
    drop(first);
    let (_server, _) = serve(&place, &[]);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let place = Place::create().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = run(&mut place.command(&["--listen", &address, "--migrate"])).complaint();
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(said.to_lowercase().contains("in use"), "{said}");
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_made_is_named() {
    let place = Place::create().await;
    let file = place.file("file", "");
    let said = run(&mut super::cloakroom(&["--data-dir", &format!("{file}/data")])).complaint();
    assert!(said.contains("cannot create the data directory") && said.contains(&file), "{said}");
}

#[tokio::test]
async fn it_ends_with_success_on_sigterm_and_sigint() {
    for signal in ["TERM", "INT"] {
        let place = Place::create().await;
        let adapt = |command: &mut Command| {
            if !place.url.is_empty() {
                command.args(["--database", &place.url]);
            }
        };
        let mut server = Process::start(&place.data.path().join("data"), adapt);
        let token = server.sign_up("anna").await;
        server.run(Some(&token), "mutation { next { value } }").await.expect("an answer");
        assert_eq!(server.end_with(signal).code(), Some(0), "SIG{signal}");
    }
}

#[tokio::test]
async fn where_mails_need_a_public_url_the_banner_says_so() {
    let place = Place::create().await;
    let mails = "Mails       links lead to this machine; set server.public_url";
    let (_server, banner) = start(&mut place.command(&["--listen", "0.0.0.0:0", "--migrate"]));
    assert!(banner.contains(mails), "{banner}");
    let place = Place::create().await;
    let file = place.file("settings.toml", "[server]\npublic_url = \"https://cloakroom.example.org\"\n");
    let (_server, banner) = start(&mut place.command(&["--listen", "0.0.0.0:0", "--migrate", "--config", &file]));
    assert!(!banner.contains("Mails"), "{banner}");
}

#[tokio::test]
async fn mails_that_would_have_dead_links_are_refused_at_start() {
    let place = Place::create().await;
    let settings =
        |more: &str| place.file("settings.toml", &format!("{more}\n[mail]\nsmtp_url = \"smtp://localhost\"\n"));
    for listen in [":0", "0.0.0.0:0", "[::]:0"] {
        let said = run(&mut place.command(&["config", "--listen", listen, "--config", &settings("")])).complaint();
        assert!(said.contains("server.public_url must be set, such as"), "{listen}: {said}");
    }
    let file = settings("[server]\npublic_url = \"https://cloakroom.example.org\"\n");
    run(&mut place.command(&["config", "--listen", ":0", "--config", &file])).output();
    run(&mut place.command(&["config", "--listen", "192.0.2.7:80", "--config", &settings("")])).output();
}

#[tokio::test]
async fn without_the_playground_the_banner_does_not_send_anybody_there() {
    let place = Place::create().await;
    let file = place.file("settings.toml", "[graphql]\nplayground = false\n");
    let (_server, banner) = serve(&place, &["--config", &file]);
    assert!(banner.contains("Playground  off") && banner.contains("Next: send"), "{banner}");
}
