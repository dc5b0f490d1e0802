//! `manifest.jsonl`: what a backup consists of, a line of JSON each.
//!
//! The first line says what it is; then there is one for each file; then one with the contents,
//! which older versions neither write nor read; the last one counts the files and has the SHA-256
//! of all lines before it. Written under another name and renamed when it is on disk.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::backup::copy::{Hashed, hexadecimal};
use crate::backup::{Contents, DATABASE, KEYS, PHOTOS, Summary};
use crate::photos::blob;

const NAME: &str = "manifest.jsonl";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    /// The version that wrote it.
    cloakroom: String,
    taken_at: String,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Below the backup's folder.
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// The line with the contents.
#[derive(Serialize, Deserialize)]
struct ContentsLine {
    contents: Contents,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    files: u64,
    bytes: u64,
    sha256: String,
}

/// A manifest that is being written.
pub(super) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    digest: Context,
    summary: Summary,
    contents: Contents,
}

impl Writer {
    /// Begins the manifest of this folder, in the place of one that was begun and not finished.
    pub(super) fn begin(folder: &Path, taken_at: String, contents: Contents) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(unfinished(&path))?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let summary =
            Summary { taken_at: taken_at.clone(), version: version.clone(), files: 0, bytes: 0, contents: None };
        let mut writer = Self { path, file: BufWriter::new(file), digest: Context::new(&SHA256), summary, contents };
        writer.line(&Head { format: FORMAT, cloakroom: version, taken_at })?;
        Ok(writer)
    }

    pub(super) fn add(&mut self, path: String, hashed: Hashed) -> anyhow::Result<()> {
        self.summary.files += 1;
        self.summary.bytes += hashed.size;
        self.contents.add_file(&path, hashed.size);
        self.line(&Entry { path, size: hashed.size, sha256: hashed.sha256 })
    }

    /// From now on, the folder is a backup.
    pub(super) fn finish(mut self) -> anyhow::Result<Summary> {
        let contents = std::mem::take(&mut self.contents);
        self.line(&ContentsLine { contents: contents.clone() })?;
        self.summary.contents = Some(contents);
        let Summary { files, bytes, .. } = self.summary;
        let end = End { files, bytes, sha256: hexadecimal(self.digest.clone()) };
        self.line(&end)?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(unfinished(&self.path), &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(self.summary)
    }

    fn line(&mut self, content: &impl Serialize) -> anyhow::Result<()> {
        let line = serde_json::to_string(content)? + "\n";
        self.digest.update(line.as_bytes());
        Ok(self.file.write_all(line.as_bytes())?)
    }
}

fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// A manifest that is whole.
pub(super) struct Manifest {
    path: PathBuf,
    pub(super) summary: Summary,
    /// The files, counted: manifests of older versions do not say it.
    pub(super) files: Contents,
}

impl Manifest {
    /// Reads the manifest of this folder to its end.
    ///
    /// # Errors
    /// None there, one that was changed or cut, or one of a format that this version does not know.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("{} is no backup, or not a whole one: it has no {NAME}", folder.display())
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let verified = verify(file).with_context(|| format!("{} cannot be trusted", path.display()))?;
        let (summary, files) = verified;
        Ok(Self { path, summary, files })
    }

    /// Its files, in its order. What follows the last one is not read.
    pub(super) fn entries(&self) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Entry>>> {
        let lines = BufReader::new(File::open(&self.path)?).lines();
        let files = usize::try_from(self.summary.files)?;
        Ok(lines.skip(1).take(files).map(|line| {
            let entry: Entry = serde_json::from_str(&line?)?;
            entry.check()?;
            Ok(entry)
        }))
    }
}

fn verify(file: File) -> anyhow::Result<(Summary, Contents)> {
    let (mut digest, mut files, mut bytes) = (Context::new(&SHA256), 0, 0);
    let mut lines = BufReader::new(file).lines();
    let mut last = lines.next().context("it is empty")??;
    let head: Head = serde_json::from_str(&last).context("its first line is not that of a manifest")?;
    ensure!(head.format == FORMAT, "it has format {}, and this version reads format {FORMAT}", head.format);
    let (mut singles, mut counted, mut contents) = (BTreeSet::new(), Contents::default(), None);
    for line in lines {
        digest.update(last.as_bytes());
        digest.update(b"\n");
        last = line?;
        if let Ok(entry) = serde_json::from_str::<Entry>(&last) {
            (files, bytes) = (files + 1, bytes + entry.size);
            counted.add_file(&entry.path, entry.size);
            if !entry.path.starts_with(PHOTOS) {
                singles.insert(entry.path);
            }
        } else if let Ok(line) = serde_json::from_str::<ContentsLine>(&last) {
            contents = Some(line.contents);
        }
    }
    let end: End = serde_json::from_str(&last).context("its end is missing")?;
    ensure!(end.sha256 == hexadecimal(digest), "it is not what was written: its SHA-256 is another");
    ensure!((end.files, end.bytes) == (files, bytes), "it does not have the files that it counts");
    ensure!(singles.contains(DATABASE), "it has no database");
    let summary = Summary { taken_at: head.taken_at, version: head.cloakroom, files, bytes, contents };
    Ok((summary, counted))
}

impl Entry {
    /// A path of a backup, and nothing that leads elsewhere.
    fn check(&self) -> anyhow::Result<()> {
        let is_good = match self.path.split_once('/') {
            None => self.path == DATABASE,
            Some((KEYS, name)) => !name.is_empty() && !name.starts_with('.') && !name.contains('/'),
            Some((PHOTOS, key)) => blob::hash_in(key).is_some_and(|hash| hash == self.sha256),
            Some(_) => false,
        };
        ensure!(is_good, "the manifest names {}, which no backup has", self.path.escape_debug());
        Ok(())
    }
}
