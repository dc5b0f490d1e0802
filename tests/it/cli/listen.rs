//! `--listen`: names, ports and Unix domain sockets.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::serve::start;
use super::{Place, Running, run};
use crate::support::PATIENCE;

fn listening(place: &Place, listen: &str) -> Command {
    place.command(&["--migrate", "--listen", listen])
}

/// The authority of the URL in a banner.
fn authority(banner: &str) -> String {
    let url = banner.lines().find_map(|line| line.trim().strip_prefix("API")).expect("a line about the API").trim();
    url.strip_prefix("http://").and_then(|url| url.strip_suffix("/graphql")).expect("a URL").to_owned()
}

/// The status line and the headers, and the body, of the answer to these bytes.
fn send(mut stream: impl Read + Write, bytes: &str) -> (String, String) {
    stream.write_all(bytes.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_lowercase(), body.to_owned())
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn is_healthy(stream: impl Read + Write) -> bool {
    send(stream, HEALTH).0.starts_with("http/1.1 200")
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Runs an operation through a socket.
fn ask(path: &Path, headers: &str, query: &str) -> Value {
    let body = json!({ "query": query }).to_string();
    let length = body.len();
    let head = format!("content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}");
    let (_, body) = send(connect(path), &format!("POST /graphql HTTP/1.1\r\nhost: localhost\r\n{head}\r\n{body}"));
    serde_json::from_str(&body).expect("JSON")
}

fn sign_up(path: &Path, headers: &str, username: &str) -> Value {
    let input = format!("username: \"{username}\", password: \"correct horse battery\"");
    let query = format!("mutation {{ signUp(input: {{ {input} }}) {{ tokens {{ accessToken }} }} }}");
    ask(path, headers, &query)
}

#[tokio::test]
async fn a_port_alone_and_names_of_this_machine_are_addresses() {
    for (listen, host, reached) in [
        ("0", "127.0.0.1", "127.0.0.1"),
        ("localhost:0", "localhost", "127.0.0.1"),
        (":0", "localhost", "127.0.0.1"),
        ("0.0.0.0:0", "localhost", "127.0.0.1"),
        ("127.0.0.2:0", "127.0.0.2", "127.0.0.2"),
        ("[::1]:0", "[::1]", "[::1]"),
        ("[::]:0", "localhost", "[::1]"),
    ] {
        if reached == "[::1]" && std::net::TcpListener::bind("[::1]:0").is_err() {
            continue; // A machine without IPv6.
        }
        let place = Place::create().await;
        let (_server, banner) = start(&mut listening(&place, listen));
        let authority = authority(&banner);
        let (named, port) = authority.rsplit_once(':').expect("a port");
        assert!(named == host && port != "0", "{listen}: {authority}");
        assert!(is_healthy(TcpStream::connect(format!("{reached}:{port}")).expect("it listens")), "{listen}");
    }
}

#[tokio::test]
async fn an_address_in_the_file_is_read_as_on_the_command_line() {
    let place = Place::create().await;
    for (name, text) in
        [("text.toml", "listen = \"0\""), ("number.toml", "listen = 0"), ("name.toml", "listen = 'localhost:0'")]
    {
        let file = place.file(name, &format!("[server]\n{text}\n"));
        let (server, banner) = start(&mut place.command(&["--migrate", "--config", &file]));
        let port = authority(&banner).rsplit_once(':').expect("a port").1.to_owned();
        assert!(is_healthy(TcpStream::connect(format!("127.0.0.1:{port}")).expect("it listens")), "{text}");
        assert!(server.end_with("TERM").success());
    }
}

#[test]
fn what_is_no_address_is_refused_with_those_that_are() {
    for listen in ["nowhere", "127.0.0.1", "::1:80", "localhost:99999", "http://localhost:80", "unix:", ""] {
        for said in [
            run(&mut super::cloakroom(&["--listen", listen])),
            run(super::cloakroom(&["config"]).env("CLOAKROOM__SERVER__LISTEN", listen)),
        ] {
            let said = said.complaint();
            for form in ["localhost:8000", "[::1]:8000", ":8000", "unix:"] {
                assert!(said.contains(form), "{listen}: {said}");
            }
        }
    }
    let said = run(&mut super::cloakroom(&["--data-dir", "/dev/null/none", "--listen", "no-such-host.invalid:80"]));
    said.complaint();
}

#[tokio::test]
async fn a_unix_socket_is_for_its_owner_and_removed_at_the_end() {
    let place = Place::create().await;
    for (mode, setting) in [(0o600, None), (0o660, Some("0660")), (0o666, Some("666"))] {
        let path = place.data.path().join("cloakroom.sock");
        let mut command = listening(&place, &format!("unix:{}", path.display()));
        if let Some(setting) = setting {
            command.env("CLOAKROOM__SERVER__SOCKET_MODE", setting);
        }
        let (server, banner) = start(&mut command);
        assert!(banner.contains(&format!("Socket      {}", path.display())), "{banner}");
        let metadata = fs::symlink_metadata(&path).expect("a file");
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o777, mode);
        assert!(is_healthy(connect(&path)));
        let upgrade = "GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                       sec-websocket-protocol: graphql-transport-ws\r\n\r\n";
        let mut socket = connect(&path);
        socket.write_all(upgrade.as_bytes()).expect("the server reads");
        let mut status = [0; 12];
        socket.read_exact(&mut status).expect("a status");
        assert_eq!(&status, b"HTTP/1.1 101");
        drop(socket);
        assert!(server.end_with("TERM").success());
        assert!(!path.exists(), "it is removed");
        let left = fs::read_dir(place.data.path()).expect("a folder").filter_map(Result::ok);
        assert!(left.into_iter().all(|entry| entry.file_name() == "data"), "nothing else is left");
    }
    for mode in ["0999", "rw", "4755", ""] {
        let said = run(super::cloakroom(&["config"]).env("CLOAKROOM__SERVER__SOCKET_MODE", mode)).complaint();
        assert!(said.contains("server.socket_mode") && said.contains("0600"), "{said}");
    }
}

#[tokio::test]
async fn the_socket_of_a_server_that_was_killed_is_replaced() {
    let place = Place::create().await;
    let path = place.data.path().join("cloakroom.sock");
    let listen = format!("unix:{}", path.display());
    let (server, _) = start(&mut listening(&place, &listen));
    assert!(!server.end_with("KILL").success());
    assert!(path.exists(), "it could not tidy up");
    let (_server, _) = start(&mut listening(&place, &listen));
    assert!(is_healthy(connect(&path)));
}

#[tokio::test]
async fn a_socket_that_is_served_or_another_file_is_left_alone() {
    let (first, second) = (Place::create().await, Place::create().await);
    let path = first.data.path().join("cloakroom.sock");
    let listen = format!("unix:{}", path.display());
    let (server, _) = start(&mut listening(&first, &listen));
    let said = run(&mut listening(&second, &listen)).complaint();
    assert!(said.contains(&format!("cannot listen on {listen}")) && said.contains("another server"), "{said}");
    assert!(is_healthy(connect(&path)), "the first one goes on");
    drop(server);
    fs::remove_file(&path).expect("it is there");

    fs::write(&path, "precious").expect("a file");
    let said = run(&mut listening(&second, &listen)).complaint();
    assert!(said.contains("not a socket"), "{said}");
    assert_eq!(fs::read(&path).expect("a file"), b"precious");

    for absent in ["/no/such/folder/cloakroom.sock", &format!("/tmp/{}", "x".repeat(200))] {
        let said = run(&mut listening(&second, &format!("unix:{absent}"))).complaint();
        assert!(said.contains("cannot listen on"), "{said}");
    }
}

#[tokio::test]
async fn a_server_leaves_the_socket_of_its_successor() {
    let place = Place::create().await;
    let path = place.data.path().join("cloakroom.sock");
    let (server, _) = start(&mut listening(&place, &format!("unix:{}", path.display())));
    fs::remove_file(&path).expect("it is there");
    let _successor = UnixListener::bind(&path).expect("a free path");
    assert!(server.end_with("TERM").success());
    assert!(path.exists(), "it belongs to another");
}

/// A server that lets one address sign up twice.
async fn limited(trusted: &str) -> (Place, Running, PathBuf) {
    let place = Place::create().await;
    let path = place.data.path().join("cloakroom.sock");
    let mut command = listening(&place, &format!("unix:{}", path.display()));
    command.env("CLOAKROOM__LIMITS__SIGN_UP_PER_ADDRESS__BURST", "2");
    command.env("CLOAKROOM__LIMITS__SIGN_UP_PER_ADDRESS__PER_HOUR", "1");
    command.env("CLOAKROOM__HTTP__TRUSTED_PROXIES", trusted);
    let (server, _) = start(&mut command);
    (place, server, path)
}

#[tokio::test]
async fn a_proxy_at_a_unix_socket_says_whose_request_it_is() {
    let (_place, _server, path) = limited("127.0.0.0/8").await;
    let code = |reply: &Value| reply["errors"][0]["extensions"]["code"].as_str().unwrap_or("OK").to_owned();
    for (address, expected) in
        [("198.51.100.7", "OK"), ("198.51.100.7", "OK"), ("198.51.100.7", "RATE_LIMITED"), ("203.0.113.9", "OK")]
    {
        let name =
            format!("user-{expected}-{address}-{}", uuid::Uuid::now_v7().simple()).to_lowercase().replace('_', "-");
        let reply = sign_up(&path, &format!("x-forwarded-for: {address}\r\n"), &name[..32.min(name.len())]);
        assert_eq!(code(&reply), expected, "{address}: {reply}");
    }
    let token =
        sign_up(&path, "x-forwarded-for: 203.0.113.9\r\n", "anna")["data"]["signUp"]["tokens"]["accessToken"].clone();
    let header = format!("authorization: Bearer {}\r\n", token.as_str().expect("a token"));
    let sessions = ask(&path, &header, "{ viewer { sessions { ipAddress } } }");
    assert_eq!(sessions["data"]["viewer"]["sessions"][0]["ipAddress"], "203.0.113.9");
}

#[tokio::test]
async fn peers_of_a_unix_socket_that_are_no_proxies_count_as_one_address() {
    let (_place, _server, path) = limited("").await;
    for (at, forwarded) in ["198.51.100.7", "203.0.113.9", "192.0.2.1"].iter().enumerate() {
        let reply = sign_up(&path, &format!("x-forwarded-for: {forwarded}\r\n"), &format!("user{at}"));
        let code = reply["errors"][0]["extensions"]["code"].as_str().unwrap_or("OK");
        assert_eq!(code, if at < 2 { "OK" } else { "RATE_LIMITED" }, "{reply}");
    }
}
