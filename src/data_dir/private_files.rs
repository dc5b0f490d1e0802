//! The permissions of files and folders that are nobody else's: 0600 and 0700.
//!
//! They are repaired where this process may do so. A secret that a container platform mounts read-only has the mode
//! that its manifest says, and another owner: there, a group that can read is accepted with a warning (`fsGroup` with
//! `defaultMode: 0440`), and others who can are not.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

const STICKY: u32 = 0o1000;
const GROUP_WRITES: u32 = 0o020;
const GROUP: u32 = 0o070;
const OTHERS: u32 = 0o007;
const OTHERS_WRITE: u32 = 0o002;

/// What to do about a mode that cannot be repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    Warn,
    Refuse,
}

/// Takes the rights on a file or folder from everybody but its owner.
///
/// # Errors
/// A file that others could read, or a folder that others could write, if that cannot be repaired.
pub fn secure(path: &Path) -> anyhow::Result<()> {
    let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mode, is_folder) = (metadata.mode() & 0o7777, metadata.is_dir());
    if mode & (GROUP | OTHERS) == 0 {
        return Ok(());
    }
    let owner = mode & 0o700;
    // A folder with the sticky bit, such as /tmp, is shared on purpose, and must stay so.
    let is_shared = is_folder && mode & STICKY != 0;
    let wanted = if is_shared { mode } else { owner };
    let failure = match fs::set_permissions(path, Permissions::from_mode(wanted)) {
        // Some file systems accept a mode and do not keep it.
        Ok(()) if fs::metadata(path).is_ok_and(|kept| kept.mode() & (GROUP | OTHERS) == 0) => {
            tracing::warn!("the permissions of {} were {mode:04o}; they are {owner:04o} now", path.display());
            return Ok(());
        }
        Ok(()) => None,
        Err(error) => Some(error),
    };
    let is_read_only = failure.as_ref().is_some_and(|error| error.kind() == ErrorKind::ReadOnlyFilesystem);
    if is_shared && !is_read_only {
        bail!("{} is a folder that all users share: choose a folder of its own", path.display());
    }
    let wanted = if is_folder { "0700" } else { "0600" };
    let reason = failure.map_or_else(|| "its file system does not keep them".to_owned(), |error| error.to_string());
    ensure!(
        remedy(mode, is_folder, is_read_only) == Remedy::Warn,
        "the permissions of {} are {mode:04o}, so that others have access: {reason}. Change them to {wanted} or, for \
         files in a mounted secret, to 0400 or 0440",
        path.display()
    );
    tracing::warn!("the permissions of {} are {mode:04o}, not {wanted}: {reason}", path.display());
    Ok(())
}

fn remedy(mode: u32, is_folder: bool, is_read_only: bool) -> Remedy {
    let writable = if is_read_only { 0 } else { mode & (GROUP_WRITES | OTHERS_WRITE) };
    let is_exposed = match is_folder {
        // The names of its files are no secret.
        true => writable & OTHERS_WRITE != 0,
        false => writable != 0 || mode & OTHERS != 0,
    };
    if is_exposed { Remedy::Refuse } else { Remedy::Warn }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_of_others_are_taken_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "secret").expect("it is written");
        for (path, mode, expected) in [
            (&file, 0o644, 0o600),
            (&file, 0o440, 0o400),
            (&file, 0o600, 0o600),
            (&folder.path().to_owned(), 0o755, 0o700),
        ] {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
            secure(path).expect("it is repaired");
            assert_eq!(fs::metadata(path).expect("it is there").mode() & 0o7777, expected, "{mode:o}");
        }
        let shared = folder.path().join("shared");
        fs::create_dir(&shared).expect("a folder");
        fs::set_permissions(&shared, Permissions::from_mode(0o1777)).expect("it is ours");
        let refusal = secure(&shared).expect_err("it is shared").to_string();
        assert!(refusal.contains("all users share"), "{refusal}");
        assert_eq!(fs::metadata(&shared).expect("it is there").mode() & 0o7777, 0o1777, "it stays so");
        secure(&folder.path().join("missing")).expect_err("it is missing");
    }

    #[test]
    fn a_mounted_secret_may_be_readable_to_a_group_and_not_to_others() {
        for (mode, is_folder, is_read_only, expected) in [
            (0o440, false, true, Remedy::Warn),
            (0o640, false, true, Remedy::Warn),
            (0o640, false, false, Remedy::Warn),
            (0o660, false, false, Remedy::Refuse),
            (0o660, false, true, Remedy::Warn),
            (0o444, false, true, Remedy::Refuse),
            (0o644, false, false, Remedy::Refuse),
            (0o777, true, true, Remedy::Warn),
            (0o775, true, false, Remedy::Warn),
            (0o777, true, false, Remedy::Refuse),
        ] {
            assert_eq!(remedy(mode, is_folder, is_read_only), expected, "{mode:o} {is_folder} {is_read_only}");
        }
    }
}
