//! A full disk: `next` ends in a clean error, reads go on, and with room again so do the numbers. SQLite only,
//! because PostgreSQL's disk is another machine's.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Home, code, current, next};
use crate::support::{PASSWORD, Process, TestDatabase};

/// The server within a mount namespace of its own, its data on a disk of 4 MB.
fn start_on_a_small_disk(home: &Home) -> Process {
    let disk = home.folder.path().join("data");
    std::fs::create_dir(&disk).expect("a mount point");
    home.start_with(|command| {
        let mut within = Command::new("unshare");
        let script = r#"mount -t tmpfs -o size=4m,mode=700 tmpfs "$0" && exec "$@""#;
        within.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(disk);
        within.arg(command.get_program()).args(command.get_args());
        within.stdout(Stdio::piped()).stderr(Stdio::inherit());
        *command = within;
    })
}

fn namespaces_are_allowed() -> bool {
    let probe = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

/// Writes a file until nothing more fits.
fn fill(ballast: &Path) {
    let mut file = std::fs::File::create(ballast).expect("a file");
    let mut chunk = 64 * 1024;
    while chunk > 0 {
        if file.write(&vec![0; chunk]).is_err() {
            chunk /= 2;
        }
    }
}

#[tokio::test]
async fn a_full_disk_ends_in_errors_and_is_recovered_from_without_a_restart() {
    // Where an unprivileged process may not mount, the disk cannot be made small.
    if !TestDatabase::is_sqlite() || !namespaces_are_allowed() {
        return;
    }
    let home = Home::new().await;
    let process = start_on_a_small_disk(&home);
    let anna = process.sign_up("anna").await;
    let mut last = next(&process, &anna).await.expect("an answer").expect("a number");

    let ballast = process.root().join(home.folder.path().strip_prefix("/").expect("an absolute path"));
    let ballast = ballast.join("data/ballast");
    for _ in 0..2 {
        fill(&ballast);
        let refusal = loop {
            match next(&process, &anna).await.expect("an answer") {
                Ok(number) => last = number,
                Err(code) => break code,
            }
            assert!(last < 10_000, "the disk is never full");
        };
        assert_eq!(refusal, "INTERNAL_SERVER_ERROR");
        let sign_up = format!(
            r#"mutation {{ signUp(input: {{ username: "bob", password: "{PASSWORD}" }}) {{ userErrors {{ code }} }} }}"#
        );
        assert_eq!(code(&process.run(None, &sign_up).await.expect("an answer")), "INTERNAL_SERVER_ERROR");
        assert_eq!(current(&process, &anna).await, last, "reads go on");

        std::fs::remove_file(&ballast).expect("room again");
        for _ in 0..5 {
            last += 1;
            assert_eq!(next(&process, &anna).await, Some(Ok(last)), "by itself, and without a gap");
        }
    }
}
