//! Mails as files, for a server without a mail server.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::data_dir::Subfolder;

/// A folder of `.eml` files (RFC 5322), which mail programs open. It is created with the first one.
pub(super) struct Folder(Subfolder);

impl Folder {
    /// The folder `mail` of this data directory.
    pub(super) fn within(data_dir: &Path) -> Self {
        Self(Subfolder::within(data_dir, "mail"))
    }

    /// Writes a mail, for its owner only, and returns where. A file with the ending `.eml` is always whole.
    pub(super) async fn write(&self, name: String, mail: Vec<u8>) -> anyhow::Result<PathBuf> {
        let folder = self.0.clone();
        tokio::task::spawn_blocking(move || {
            let written = write(&folder, &name, &mail);
            written.with_context(|| format!("cannot write a mail to {}", folder.path().display()))
        })
        .await?
    }
}

fn write(folder: &Subfolder, name: &str, mail: &[u8]) -> anyhow::Result<PathBuf> {
    folder.ensure()?;
    let path = folder.path().join(name);
    let unfinished = path.with_extension("new");
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?.write_all(mail)?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}
