//! `sqlite://PATH`, with the parameters of SQLite's own URIs that can be honored.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use percent_encoding::percent_decode_str;

use super::parts;

/// A SQLite database file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteUrl {
    /// The file; a relative path starts in the working directory.
    pub path: PathBuf,
    /// Whether the file is created if it does not exist (`mode=rwc`, the default) or not (`mode=rw`).
    pub create: bool,
}

impl SqliteUrl {
    pub(super) fn parse(rest: &str) -> anyhow::Result<Self> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = percent_decode_str(path).decode_utf8().ok().context("the path in database.url is not UTF-8")?;
        ensure!(!path.is_empty(), "database.url has no path: write sqlite://PATH");
        ensure!(!path.contains('\0'), "the path in database.url contains %00");
        let in_memory = "an in-memory database keeps nothing: name a file, as in sqlite://data/cloakroom.db";
        ensure!(path != ":memory:", "database.url is refused: {in_memory}");
        let mut create = true;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (name, value) {
                ("mode", "rwc") => create = true,
                ("mode", "rw") => create = false,
                ("mode", "ro") => bail!("database.url has mode=ro: Cloakroom needs to write; use rw or rwc"),
                ("mode", "memory") => bail!("database.url has mode=memory: {in_memory}"),
                ("mode", _) => bail!("mode in database.url must be rw or rwc"),
                ("cache", "private") => {}
                ("cache", _) => bail!("cache in database.url must be private: the WAL mode needs no shared cache"),
                ("immutable" | "nolock" | "vfs" | "psow" | "modeof", _) => bail!(
                    "database.url has the parameter {name}, which would switch off what keeps numbers safe: leave it out"
                ),
                _ => return Err(parts::unknown(name, &["mode", "cache"])),
            }
        }
        Ok(Self { path: PathBuf::from(path.into_owned()), create })
    }
}

impl fmt::Display for SqliteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.create { "" } else { "?mode=rw" };
        write!(f, "sqlite://{}{mode}", self.path.display())
    }
}
