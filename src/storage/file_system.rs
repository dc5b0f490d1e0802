//! Entries that file systems put into folders: a folder with nothing else in it counts as empty.

use std::ffi::OsStr;

/// Names that a file system or its tools create in the root of a volume.
const NAMES: &[&str] = &[
    // ext2, ext3, ext4: where fsck puts what it recovers. Often readable by root only.
    "lost+found",
    // ext2, ext3, ext4: disk quotas.
    "aquota.user",
    "aquota.group",
    // Snapshots that the file system shows as a folder: NFS servers such as NetApp, Btrfs with
    // Snapper, ZFS with snapdir=visible, CephFS. They contain old copies of everything.
    ".snapshot",
    ".snapshots",
    ".zfs",
    ".snap",
    // exFAT and NTFS: Windows creates them on every volume that it sees.
    "System Volume Information",
    "$RECYCLE.BIN",
];

/// Returns whether a file system, and no person or program, put an entry with this name into the
/// root of a volume.
#[must_use]
pub fn is_from_file_system(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    // NFS clients rename a file that is deleted while it is open ("silly rename").
    let is_silly_rename = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_alphanumeric());
    NAMES.contains(&name) || name.strip_prefix(".nfs").is_some_and(is_silly_rename)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_system_creates_is_recognized() {
        for name in ["lost+found", ".snapshot", ".zfs", ".nfs000000000abc123400000007", "$RECYCLE.BIN"] {
            assert!(is_from_file_system(name.as_ref()), "{name}");
        }
        for name in ["photos", "ab", ".nfs", ".nfs-notes.txt", ".hidden", "lost+found.txt", ""] {
            assert!(!is_from_file_system(name.as_ref()), "{name}");
        }
    }
}
