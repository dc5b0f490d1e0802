//! Folders in the data directory that a running server creates at first use, and never again.
//!
//! A folder that is gone, or in another data directory than at start, was moved, deleted, unmounted
//! or restored with everything else. What a server wrote into a new one would be in the wrong
//! place.

pub mod private_files;

use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A folder in the data directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Subfolder(Arc<State>);

#[derive(Debug)]
struct State {
    data_dir: PathBuf,
    path: PathBuf,
    /// The data directory as it was at start, if it existed.
    opened: Option<FileId>,
    has_existed: AtomicBool,
}

/// The device and the inode of a file.
type FileId = (u64, u64);

impl Subfolder {
    /// The folder with this name. It is not created.
    #[must_use]
    pub fn within(data_dir: &Path, name: &str) -> Self {
        let (opened, path) = (file_id(data_dir).ok(), data_dir.join(name));
        let has_existed = AtomicBool::new(path.is_dir());
        Self(Arc::new(State { data_dir: data_dir.to_owned(), path, opened, has_existed }))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Creates the folder for its owner only, unless it exists or has existed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the folder is gone, or the data directory is gone or another one
    /// than at start; a disk that cannot be written.
    pub fn ensure(&self) -> io::Result<()> {
        let State { data_dir, path, opened, has_existed } = &*self.0;
        let found = file_id(data_dir)?;
        if opened.is_some_and(|opened| opened != found) {
            return Err(gone(data_dir, "is another folder than at start"));
        }
        if !path.is_dir() {
            if has_existed.load(Ordering::SeqCst) {
                return Err(gone(path, "is gone"));
            }
            match DirBuilder::new().mode(0o700).create(path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
                created => created?,
            }
        }
        has_existed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

fn file_id(path: &Path) -> io::Result<FileId> {
    let found = path.metadata()?;
    Ok((found.dev(), found.ino()))
}

fn gone(path: &Path, state: &str) -> io::Error {
    let remedy = "A running server does not create it again: stop it before you move its data, and start it again";
    io::Error::new(ErrorKind::NotFound, format!("{} {state}. {remedy}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_is_created_once_in_the_data_directory_of_the_start() {
        let place = tempfile::tempdir().expect("a folder");
        let (data, moved) = (place.path().join("data"), place.path().join("moved"));
        fs::create_dir(&data).expect("a data directory");
        let folder = Subfolder::within(&data, "mail");
        assert!(!folder.path().exists());
        folder.ensure().expect("it is created");
        let mode = folder.path().metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o700);
        fs::remove_dir(folder.path()).expect("it goes");
        assert_eq!(folder.ensure().expect_err("it is gone").kind(), ErrorKind::NotFound);
        fs::create_dir(folder.path()).expect("it is back");
        folder.ensure().expect("it is there");

        fs::rename(&data, &moved).expect("it is moved");
        assert_eq!(folder.ensure().expect_err("the data directory is gone").kind(), ErrorKind::NotFound);
        fs::create_dir(&data).expect("another data directory");
        let error = folder.ensure().expect_err("it is another one");
        assert!(error.to_string().contains("is another folder than at start"), "{error}");
        assert!(!folder.path().exists());
    }

    #[test]
    fn a_folder_is_not_created_where_it_was_before_and_a_file_is_in_its_way() {
        let data = tempfile::tempdir().expect("a folder");
        fs::write(data.path().join("mail"), "in the way").expect("it is written");
        Subfolder::within(data.path(), "mail").ensure().expect_err("a file is in the way");
    }
}
