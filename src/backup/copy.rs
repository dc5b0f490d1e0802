//! Files copied piece by piece, and hashed on the way.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

/// What is in memory of one file.
const PIECE: usize = 256 << 10;

/// What a file was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hashed {
    pub(super) size: u64,
    /// In hexadecimal.
    pub(super) sha256: String,
}

/// Copies a file to a place where nothing is, for its owner only, in folders that are made for it. It is on disk then,
/// but for the names of its folders.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<Hashed> {
    let mut source = File::open(from)?;
    if let Some(folder) = to.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut target = File::options().write(true).create_new(true).mode(0o600).open(to)?;
    let hashed = pass(&mut source, |piece| target.write_all(piece))?;
    target.sync_all()?;
    Ok(hashed)
}

/// Hashes a file.
pub(super) fn hash(path: &Path) -> io::Result<Hashed> {
    pass(&mut File::open(path)?, |_| Ok(()))
}

fn pass(source: &mut File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Hashed> {
    let (mut piece, mut size, mut digest) = (vec![0; PIECE], 0, Context::new(&SHA256));
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => return Ok(Hashed { size, sha256: hexadecimal(digest) }),
            Ok(read) => piece.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        digest.update(read);
        size += read.len() as u64;
        take(read)?;
    }
}

/// What was hashed, in hexadecimal.
pub(super) fn hexadecimal(digest: Context) -> String {
    digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
