//! Mails as files, for a server without a mail server.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A folder of `.eml` files (RFC 5322), which mail programs open. It is made with the first one.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Writes a mail, for its owner only, and returns where. A file with the ending `.eml` is always whole.
    pub(super) async fn write(&self, name: String, mail: Vec<u8>) -> anyhow::Result<PathBuf> {
        let folder = self.0.clone();
        tokio::task::spawn_blocking(move || {
            write(&folder, &name, &mail).with_context(|| format!("cannot write a mail to {}", folder.display()))
        })
        .await?
    }
}

fn write(folder: &Path, name: &str, mail: &[u8]) -> anyhow::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(name);
    let unfinished = path.with_extension("new");
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?.write_all(mail)?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}
