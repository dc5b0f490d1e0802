//! Standard output that takes no lines: the server starts and serves all the same, and counts the
//! lines that it dropped.

use std::io::{PipeReader, PipeWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::{Place, Running};
use crate::support::{PATIENCE, Process};

/// Requests that are sent at once.
const AT_ONCE: usize = 64;

/// Answers of this server with a long name each in its log, until `enough` of them came.
async fn send(server: &Process, enough: usize) {
    let query = format!("query {} {{ hello }}", "a".repeat(64));
    for _ in 0..enough.div_ceil(AT_ONCE) {
        let answers = join_all((0..AT_ONCE).map(|_| server.run(None, &query)));
        let answers = tokio::time::timeout(PATIENCE, answers).await.expect("requests do not wait for the log");
        assert!(answers.iter().all(|answer| answer.as_ref().is_some_and(|answer| answer["data"]["hello"].is_string())));
    }
}

/// Lines of operations, and lines that were dropped as the log says.
fn count(log: &str) -> (usize, usize) {
    let operations = log.lines().filter(|line| line.contains(" operation ")).count();
    let dropped = log.lines().filter_map(|line| line.split_once("dropped ")?.1.split_once(" log lines"));
    (operations, dropped.map(|(number, _)| number.parse::<usize>().expect("a number")).sum())
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_no_request_and_tells_how_many_lines_it_lacks() {
    // Four MiB wait, 64 KiB are in the pipe; a line has some 200 bytes.
    const ENOUGH: usize = 25_600;
    let data_dir = tempfile::tempdir().expect("a temporary folder");
    let mut server = Process::start(data_dir.path(), |_| {});
    server.stop_reading();
    send(&server, ENOUGH).await;
    server.read_on();
    send(&server, AT_ONCE).await;
    assert_eq!(server.end_with("TERM").code(), Some(0));
    let log = server.output();
    let (operations, dropped) = count(&log);
    assert!(dropped > 0);
    // Few lines of others are among those that were dropped.
    let counted = operations + dropped;
    assert!((ENOUGH + AT_ONCE..ENOUGH + 2 * AT_ONCE).contains(&counted), "each line is there or counted: {counted}");
}

/// The answer to a request over this socket, as soon as somebody listens.
async fn ask(socket: &Path, path: &str) -> String {
    let started = Instant::now();
    let mut stream = loop {
        match UnixStream::connect(socket).await {
            Ok(stream) => break stream,
            Err(error) => assert!(started.elapsed() < PATIENCE, "the server does not start: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
    read.expect("an answer").expect("text");
    answer
}

/// A server whose standard output is what `adapt` makes it.
async fn serves_with(adapt: impl FnOnce(Command) -> Command) {
    let place = Place::create().await;
    let socket = place.data.path().join("socket");
    let listen = format!("unix:{}", socket.display());
    let command = place.command(&["--listen", &listen, "--migrate"]);
    let mut command = adapt(command);
    let mut server = Running(command.stderr(Stdio::inherit()).spawn().expect("the server starts"));
    for _ in 0..3 {
        let answer = ask(&socket, "/graphql?query=%7Bhello%7D").await;
        assert!(answer.contains("Hello from Cloakroom"), "{answer}");
    }
    assert!(server.0.try_wait().expect("it is a child").is_none(), "it serves on");
    assert_eq!(server.end_with("TERM").code(), Some(0));
}

#[tokio::test]
async fn a_full_disk_under_standard_output_keeps_no_server_from_starting_or_serving() {
    serves_with(|mut command| {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("a device that is always full");
        command.stdout(full);
        command
    })
    .await;
}

/// This program with these arguments, run by a shell that redirects its output.
fn redirected(command: &Command, redirection: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.env_clear().stdin(Stdio::null()).arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}"));
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

#[tokio::test]
async fn a_standard_output_that_is_closed_keeps_no_server_from_starting_or_serving() {
    serves_with(|command| redirected(&command, ">&-")).await;
}

#[tokio::test]
async fn a_pipe_whose_reader_has_gone_keeps_no_server_from_starting_or_serving() {
    serves_with(|mut command| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        command.stdout(writer);
        command
    })
    .await;
}

/// A pipe that nobody reads, and that takes nothing more.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&writer, true).expect("it does not block");
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).expect("it blocks again");
    (reader, writer)
}

#[tokio::test]
async fn a_pipe_that_is_full_keeps_no_server_from_starting_or_serving() {
    let place = Place::create().await;
    let socket = place.data.path().join("socket");
    let listen = format!("unix:{}", socket.display());
    let (_reader, writer) = full_pipe();
    let mut command = place.command(&["--listen", &listen, "--migrate"]);
    command.env("CLOAKROOM__SERVER__SHUTDOWN_SECONDS", "1").stdout(writer).stderr(Stdio::null());
    let server = Running(command.spawn().expect("the server starts"));
    let answer = ask(&socket, "/graphql?query=%7Bhello%7D").await;
    assert!(answer.contains("Hello from Cloakroom"), "{answer}");
    assert_eq!(server.end_with("TERM").code(), Some(124), "it is cut short");
}

#[tokio::test]
async fn a_server_that_cannot_start_ends_though_nobody_reads_its_output() {
    let place = Place::create().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let (_reader, writer) = full_pipe();
    let mut command = place.command(&["--listen", &address, "--migrate"]);
    command.env("CLOAKROOM__SERVER__SHUTDOWN_SECONDS", "1").env("CLOAKROOM__LOG__LEVEL", "trace");
    command.stdout(writer).stderr(Stdio::null());
    let mut server = Running(command.spawn().expect("the server starts"));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = server.0.try_wait().expect("it is a child") {
            break status;
        }
        assert!(started.elapsed() < PATIENCE, "the server does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(!status.success());
}
