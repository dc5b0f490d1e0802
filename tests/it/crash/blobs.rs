//! A picture is on disk before its upload goes on: the syncs of the storage are counted, and made to fail.

use std::fs;
use std::process::Command;

use bytes::Bytes;
use cloakroom::config::{Config, Overrides};
use cloakroom::error::{Dependency, Error};
use cloakroom::storage::Blobs;

use super::sync_shim::Syncs;
use crate::support::attached;

/// Where the test below, run once more under the shim, finds its folder.
const FOLDER: &str = "CLOAKROOM_TEST_BLOBS";

fn open(folder: &std::path::Path) -> Blobs {
    let config = Config::load(None, &Overrides::default()).expect("the defaults are good");
    Blobs::open(&config.storage, folder).expect("the storage opens")
}

/// What the process under the shim does. It is told what to do by the lines that it reads.
async fn obey(folder: &std::path::Path) {
    let (blobs, mut line) = (attached(open(folder)).await, String::new());
    while std::io::stdin().read_line(&mut line).expect("an order") > 0 {
        let (verb, key) = line.trim().split_once(' ').expect("a verb and a key");
        let outcome = match verb {
            "put" => blobs.put(key, Bytes::from_static(b"a picture")).await,
            _ => blobs.delete(key).await,
        };
        let outcome = match outcome {
            Ok(()) => "done",
            Err(Error::DependencyUnavailable { dependency: Dependency::Disk, .. }) => "failed",
            Err(_) => "unexpected",
        };
        fs::write(folder.join("outcome.new"), outcome).expect("it is written");
        fs::rename(folder.join("outcome.new"), folder.join("outcome")).expect("it is told");
        line.clear();
    }
}

#[tokio::test]
async fn a_picture_and_the_names_that_lead_to_it_are_synced() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return obey(folder.as_ref()).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let syncs = Syncs::compile(folder.path());
    let own_name = "crash::blobs::a_picture_and_the_names_that_lead_to_it_are_synced";
    let mut command = Command::new(std::env::current_exe().expect("the suite"));
    command.args(["--exact", own_name, "--nocapture"]).env(FOLDER, folder.path());
    syncs.preload(&mut command);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the suite runs");
    let mut orders = child.stdin.take().expect("its input is piped");
    let mut order = |text: &str| {
        use std::io::Write as _;
        let outcome = folder.path().join("outcome");
        writeln!(orders, "{text}").expect("it listens");
        loop {
            if let Ok(told) = fs::read_to_string(&outcome) {
                fs::remove_file(&outcome).expect("it is heard");
                return told;
            }
            assert!(child.try_wait().expect("a state").is_none(), "it ended");
            std::thread::yield_now();
        }
    };

    // The first in its folder: the file, its folder, and the name of the folder; then the file and its folder.
    for (text, needed) in [("put 9f/first", 3), ("put 9f/second", 2), ("put 9f/second", 2), ("delete 9f/first", 1)] {
        let before = syncs.done();
        assert_eq!(order(text), "done", "{text}");
        assert!(syncs.done() >= before + needed, "{text}: {} syncs", syncs.done() - before);
    }
    let photos = folder.path().join("photos");
    syncs.fail_every(1);
    for (text, key) in [("put 9f/third", "9f/third"), ("put aa/fourth", "aa/fourth")] {
        assert_eq!(order(text), "failed", "{text}");
        assert!(!photos.join(key).exists(), "{key} is not there half");
    }
    assert_eq!(order("delete 9f/second"), "failed", "it may come back");
    syncs.fail_every(0);
    assert_eq!(order("put aa/fourth"), "done");
    assert_eq!(order("delete 9f/second"), "done", "again does no harm");
    drop(orders);
    assert!(child.wait().expect("it ends").success());
}
