//! Commands that are refused while a server runs on the database, by any path to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::{Place, Running, Said, cloakroom, run};
use crate::support::{PATIENCE, Process, TestDatabase};

const DOWN: &[&str] = &["migrate", "down"];
const FRESH: &[&str] = &["migrate", "fresh", "--yes"];

fn serve(place: &Place) -> Process {
    Process::start(&place.data.path().join("data"), |command| {
        if !place.url.is_empty() {
            command.args(["--database", &place.url]);
        }
    })
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Asserts that a command is refused because of a server, and says what to do.
fn assert_refused(said: Said) -> String {
    let said = said.complaint();
    assert!(said.contains("is using th") && said.contains("stop "), "{said}");
    said
}

async fn next(server: &Process, token: &str) -> i64 {
    let answer = server.run(Some(token), "mutation { next { value } }").await.expect("an answer");
    answer["data"]["next"]["value"].as_i64().unwrap_or_else(|| panic!("a number, not {answer}"))
}

/// Lets the leases of killed servers expire.
async fn expire_leases(place: &Place) {
    place.execute("UPDATE server_leases SET expires_at = '2026-01-01 00:00:00+00:00'").await;
}

#[tokio::test]
async fn the_schema_is_not_taken_away_from_a_running_server() {
    let place = Place::create().await;
    let mut server = serve(&place);
    let token = server.sign_up("anna").await;
    assert_eq!(next(&server, &token).await, 1);
    for command in [DOWN, &["migrate", "down", "3"], FRESH] {
        let said = assert_refused(place.run(command));
        let parts = match TestDatabase::is_sqlite() {
            true => vec!["data/cloakroom.db".to_owned()],
            false => vec![format!("{} (process ", host()), "expires after 30 seconds".to_owned()],
        };
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
    for command in [&["migrate", "up"], &["migrate", "status"]] {
        let said = place.run(command).output();
        assert!(!said.contains("pending"), "{said}");
    }
    assert_eq!(next(&server, &token).await, 2, "nothing was lost");
    assert!(server.end_with("TERM").success());
    place.run(DOWN).output();
    place.run(FRESH).output();
}

#[tokio::test]
async fn a_server_that_did_not_start_leaves_nothing_behind() {
    let place = Place::create().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    place.run(&["--migrate", "--listen", &address]).complaint();
    place.run(DOWN).output();
}

#[tokio::test]
async fn the_lease_of_a_killed_server_expires() {
    let place = Place::create().await;
    let mut server = serve(&place);
    server.end_with("KILL");
    if TestDatabase::is_sqlite() {
        place.run(DOWN).output();
        return; // The lock ended with the process.
    }
    assert_refused(place.run(DOWN));
    assert_refused(place.run(FRESH));
    expire_leases(&place).await;
    let mut server = serve(&place);
    assert_eq!(place.count("server_leases").await, 1, "the next server deletes leases that have expired");
    assert!(server.end_with("TERM").success());
    assert_eq!(place.count("server_leases").await, 0, "a server deletes its own");
    serve(&place).end_with("KILL");
    expire_leases(&place).await;
    place.run(DOWN).output();
    place.run(FRESH).output();
}

#[tokio::test]
async fn each_of_several_servers_is_named_until_it_has_ended() {
    if TestDatabase::is_sqlite() {
        return; // One server at a time.
    }
    let place = Place::create().await;
    let (mut first, mut second) = (serve(&place), serve(&place));
    let said = assert_refused(place.run(DOWN));
    assert_eq!(said.matches("(process ").count(), 2, "{said}");
    assert!(first.end_with("TERM").success());
    let said = assert_refused(place.run(DOWN));
    assert_eq!(said.matches("(process ").count(), 1, "{said}");
    assert!(second.end_with("TERM").success());
    place.run(DOWN).output();
}

#[tokio::test]
async fn a_server_renews_its_lease_and_comes_back_if_it_is_gone() {
    if TestDatabase::is_sqlite() {
        return; // A lock needs no renewal.
    }
    let place = Place::create().await;
    let _server = serve(&place);
    expire_leases(&place).await;
    let live = format!("server_leases WHERE expires_at > {}", TestDatabase::spell("'2026-01-02 00:00:00+00:00'"));
    for command in ["SELECT 1", "DELETE FROM server_leases"] {
        place.execute(command).await;
        let renewed = async {
            while place.count(&live).await == 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, renewed).await.expect("the lease is renewed");
    }
    assert_refused(place.run(DOWN));
}

#[tokio::test]
async fn a_server_that_cannot_renew_its_lease_goes_on() {
    if TestDatabase::is_sqlite() {
        return; // A lock needs no renewal.
    }
    let place = Place::create().await;
    let mut command = place.command(&["--listen", "127.0.0.1:0", "--migrate"]);
    let mut child = command.stderr(Stdio::inherit()).spawn().expect("the server starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
    let _running = Running(child);
    let mut line_with = |part: &str| {
        let mut lines = lines.by_ref().map(|line| line.expect("text"));
        lines.find(|line| line.contains(part)).unwrap_or_else(|| panic!("the server ended without {part}"))
    };
    let api = line_with("API ");
    place.execute("ALTER TABLE server_leases RENAME TO elsewhere").await;
    line_with("the lease of this server was not renewed");
    let address = api.split('/').find(|part| part.contains(':') && !part.contains("http")).expect("an address");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    place.execute("ALTER TABLE elsewhere RENAME TO server_leases").await;
    line_with("the lease of this server was renewed");
    assert_refused(place.run(DOWN));
}

#[tokio::test]
async fn every_path_to_a_sqlite_database_leads_to_one_lock() {
    if !TestDatabase::is_sqlite() {
        return; // A lease is in the database.
    }
    let place = Place::create().await;
    let _server = serve(&place);
    let folder = place.data.path();
    symlink(folder.join("data/cloakroom.db"), folder.join("file-link.db")).expect("a link");
    symlink(folder.join("data"), folder.join("folder-link")).expect("a link");
    let names = ["data/cloakroom.db", "file-link.db", "folder-link/cloakroom.db", "data/../data/cloakroom.db"];
    for (number, name) in names.into_iter().enumerate() {
        for path in [folder.join(name), Path::new(name).to_owned()] {
            let url = format!("sqlite://{}", path.display());
            let data_dir = format!("other-{number}");
            for arguments in [&["--listen", "127.0.0.1:0"], DOWN, FRESH] {
                let mut command = cloakroom(arguments);
                command.args(["--database", &url, "--data-dir", &data_dir]).current_dir(folder);
                assert_refused(run(&mut command));
            }
        }
    }
}

#[tokio::test]
async fn a_sqlite_database_with_several_hard_links_is_refused() {
    if !TestDatabase::is_sqlite() {
        return;
    }
    let place = Place::create().await;
    place.run(&["migrate", "up"]).output();
    let (database, other) = (place.data.path().join("data/cloakroom.db"), place.data.path().join("other.db"));
    fs::hard_link(&database, &other).expect("a hard link");
    for path in [&database, &other] {
        for arguments in [&["--listen", "127.0.0.1:0"][..], &["migrate", "up"], &["users", "list"]] {
            let mut command = place.command(arguments);
            let said = run(command.args(["--database", &format!("sqlite://{}", path.display())])).complaint();
            assert!(said.contains("2 hard links") && said.contains(&*path.to_string_lossy()), "{said}");
        }
    }
    fs::remove_file(other).expect("it goes");
    place.run(&["users", "list"]).output();
}
