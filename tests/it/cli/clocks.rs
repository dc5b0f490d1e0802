//! Servers whose machines' clocks differ, on one database: stored times are compared by the
//! database's clock.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Place;
use crate::support::{Process, TestDatabase};

/// Compiles the library that moves the wall clock of a process, into `folder`.
fn compile_shim(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cli/clock_shim.c");
    let library = folder.join("clock_shim.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(cc.status().expect("a C compiler, as for SQLite").success(), "the shim compiles");
    library
}

/// A server of this place on a machine whose clock is `seconds` ahead.
fn serve(place: &Place, shim: &Path, seconds: i64) -> Process {
    Process::start(&place.data.path().join("data"), |command| {
        command.args(["--database", &place.url]).env("LD_PRELOAD", shim).env("CLOCK_AHEAD", seconds.to_string());
    })
}

async fn asked(server: &Process, token: Option<&str>, query: &str) -> Value {
    server.run(token, query).await.expect("an answer")
}

#[tokio::test]
async fn servers_whose_clocks_differ_agree_on_what_has_expired() {
    if TestDatabase::is_sqlite() {
        return; // One process at a time.
    }
    let place = Place::create().await;
    let shim = compile_shim(place.data.path());
    let (right, wrong) = (serve(&place, &shim, 0), serve(&place, &shim, 7200));
    for (here, there, name) in [(&right, &wrong, "anna"), (&wrong, &right, "bert")] {
        let token = here.sign_up(name).await;
        let seen = asked(there, Some(&token), "{ current viewer { user { username } } }").await;
        assert_eq!(seen["data"]["viewer"]["user"]["username"], name, "{seen}");
        // Under one key, once, though one server thinks that two hours have passed.
        let keyed = "mutation { next(input: { idempotencyKey: \"k\" }) { value } }";
        let first = asked(here, Some(&token), keyed).await;
        assert_eq!(first["data"]["next"]["value"], 1, "{first}");
        assert_eq!(asked(there, Some(&token), keyed).await, first);
    }
    let times = [asked(&right, None, "{ server { time } }").await, asked(&wrong, None, "{ server { time } }").await];
    let times = times.map(|answer| answer["data"]["server"]["time"].as_str().expect("a moment").to_owned());
    let moments = times.each_ref().map(|time| time.parse::<chrono::DateTime<chrono::Utc>>().expect("a moment"));
    assert!((moments[1] - moments[0]).num_seconds().abs() < 3600, "{times:?}");
}
