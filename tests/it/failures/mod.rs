//! The failures of the guide (`docs/operations.md`): a server meets each of them, and does as the
//! table says.

mod database;
mod disk;
mod guide;
mod site;
mod storage;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::{Duration, Instant};

use crate::support::Promptness;
use guide::{Ready, Row};
use site::{Site, eventually};

/// The time within which readiness shows a failure.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
/// Exit codes of a server that was asked to end: in time, or cut short.
const ASKED_TO_END: [i32; 2] = [0, 124];

/// Breaks a server. `None` where this machine cannot.
type Scenario = fn() -> Pin<Box<dyn Future<Output = Option<Site>>>>;

macro_rules! scenarios {
    ($($case:literal => $run:path),* $(,)?) => {
        [$(($case, (|| Box::pin($run())) as Scenario)),*]
    };
}

fn scenarios() -> Vec<(&'static str, Scenario)> {
    Vec::from(scenarios! {
        "database-unreachable" => database::unreachable,
        "database-silent" => database::silent,
        "standby-hangs" => database::standby_hangs,
        "database-read-only" => database::read_only,
        "database-locked" => database::locked,
        "database-newer" => database::newer,
        "connections-limited" => database::limited,
        "database-moved" => disk::moved,
        "disk-full" => disk::full,
        "no-inodes" => disk::without_inodes,
        "disk-read-only" => disk::read_only,
        "disk-broken" => disk::broken,
        "keys-unreadable" => disk::keys_unreadable,
        "photos-gone" => storage::folder_gone,
        "photos-replaced" => storage::folder_replaced,
        "s3-unreachable" => storage::unreachable,
        "s3-silent" => storage::silent,
        "s3-overloaded" => storage::overloaded,
        "s3-refused" => storage::refused,
        "s3-writes-refused" => storage::writes_refused,
        "s3-bucket-gone" => storage::bucket_gone,
        "s3-refused-at-start" => storage::refused_at_start,
        "s3-writes-refused-at-start" => storage::writes_refused_at_start,
        "s3-bucket-missing-at-start" => storage::bucket_missing_at_start,
        "s3-certificate" => storage::certificate,
        "mail-unreachable" => storage::mail_unreachable,
    })
}

#[test]
fn each_row_of_the_guide_has_a_scenario_and_each_scenario_a_row() {
    let rows: Vec<String> = guide::rows().into_iter().map(|row| row.case).collect();
    let scenarios: Vec<&str> = scenarios().into_iter().map(|(case, _)| case).collect();
    assert_eq!(rows, scenarios);
}

/// Tests run side by side, so the rows are in groups by the beginnings of their names.
async fn walk(beginnings: &[&str]) {
    let mut seen = Promptness::within(SEEN_WITHIN);
    let mut count = 0;
    for (row, (case, scenario)) in guide::rows().into_iter().zip(scenarios()) {
        assert_eq!(row.case, case);
        if !row.applies || !beginnings.iter().any(|beginning| case.starts_with(beginning)) {
            continue;
        }
        let Some(site) = scenario().await else { continue };
        assert_is_as_it_says(&row, site, &mut seen).await;
        count += 1;
    }
    if count > 0 {
        seen.assert();
    }
}

async fn assert_is_as_it_says(row: &Row, mut site: Site, seen: &mut Promptness) {
    let case = &row.case;
    let code = match row.ready {
        Ready::Status(status) => {
            let broken = Instant::now();
            let expected = Some((status, row.parts.clone()));
            let mut last = None;
            eventually(&format!("{case}: /readyz {expected:?}"), async || {
                last = site.ready().await;
                last == expected
            })
            .await;
            seen.came(broken);
            assert_one_of(case, "next", &row.next, &site.next().await.expect("an answer"));
            assert_one_of(case, "uploadPhotos", &row.upload, &site.upload().await.expect("an answer"));
            None
        }
        Ready::Exit(code) => {
            while let Some(outcome) = site.next().await {
                assert_one_of(case, "next", &row.next, &outcome);
            }
            assert_eq!(site.ended().await, code, "{case}");
            Some(code)
        }
    };
    let (ended, log) = site.end().await;
    assert!(code.map_or(ASKED_TO_END.contains(&ended), |code| code == ended), "{case}: {ended}");
    assert!(row.is_in(&log), "{case}: {:?} is not in the log:\n{log}", row.log);
}

fn assert_one_of(case: &str, mutation: &str, expected: &BTreeSet<String>, outcome: &str) {
    assert!(expected.contains(outcome), "{case}: {mutation} ends in {outcome}, not {expected:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_the_database_are_as_the_guide_says() {
    walk(&["database-", "standby-", "connections-"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_the_disk_are_as_the_guide_says() {
    walk(&["disk-", "no-", "keys-"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_the_storage_are_as_the_guide_says() {
    walk(&["photos-", "s3-", "mail-"]).await;
}
