//! Failures of the disk that the data directory is on, and of what is on it.

use std::fs::{self, File};
use std::process::Command;

use super::site::{Site, eventually};
use crate::crash::sync_shim::Syncs;
use crate::support::{TestDatabase, disk_of, fill, namespaces_are_allowed};

pub(super) async fn moved() -> Option<Site> {
    let mut site = Site::new().await;
    site.serve(&[]).await;
    fs::rename(site.data_dir(), site.data_dir().with_extension("moved")).expect("it is moved");
    Some(site)
}

pub(super) async fn full() -> Option<Site> {
    let site = on_disk("size=6m").await?;
    fill(&disk_of(&site.data_dir(), site.process()).join("ballast"));
    if TestDatabase::is_sqlite() {
        // There is room in its log still.
        eventually("a full disk", async || site.next().await.as_deref() != Some("OK")).await;
    }
    Some(site)
}

pub(super) async fn without_inodes() -> Option<Site> {
    let site = on_disk("size=64m,nr_inodes=128").await?;
    let disk = disk_of(&site.data_dir(), site.process());
    let mut names = (0..1_000).map(|number| disk.join(format!("ballast{number}")));
    assert!(names.any(|name| File::create(name).is_err()), "there are inodes still");
    Some(site)
}

pub(super) async fn read_only() -> Option<Site> {
    let site = on_disk("size=64m").await?;
    let mut nsenter = Command::new("nsenter");
    nsenter.args(["--user", "--mount", "--preserve-credentials", "--target", &site.process().id().to_string()]);
    // Files that are open for writing forbid to mount the disk itself so.
    let script = r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0""#;
    let status = nsenter.args(["sh", "-c", script]).arg(site.data_dir()).status();
    assert!(status.expect("nsenter runs").success());
    Some(site)
}

/// A server on a disk of its own with these mount options.
async fn on_disk(options: &str) -> Option<Site> {
    if !namespaces_are_allowed() {
        return None;
    }
    let mut site = Site::new().await;
    site.serve_on_disk(options).await;
    Some(site)
}

pub(super) async fn broken() -> Option<Site> {
    let mut site = Site::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let syncs = Syncs::compile(folder.path());
    site.serve_with(&[], &|command| syncs.preload(command)).await;
    syncs.fail_every(1);
    site.keep((folder, syncs));
    Some(site)
}

pub(super) async fn keys_unreadable() -> Option<Site> {
    let mut site = Site::new().await;
    site.serve(&[]).await;
    fs::write(site.data_dir().join("keys/garbage.json"), "{}").expect("the folder is writable");
    let password = crate::support::PASSWORD;
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{password}" }}) {{ tokens {{ accessToken }} userErrors {{ code }} }} }}"#
    );
    let answer = site.process().run(None, &login).await.expect("an answer");
    assert!(answer["data"]["login"]["tokens"]["accessToken"].is_string(), "{answer}");
    Some(site)
}
