//! Errors of the file system: which of them are the disk's, and which are bugs.

use std::io::{self, ErrorKind};

/// Returns true if the disk is full, read-only, broken or gone, or if the process may open no more
/// files. Nothing was done then, and it is worth trying again.
///
/// The table names the bugs, because the ways in which a disk fails are without number: EIO,
/// ENOSPC, EROFS, EDQUOT, EMFILE, ENFILE, ENOMEM, EACCES, ENXIO, a folder that is gone (ENOENT), a
/// stale handle of NFS (ESTALE), a FUSE server that ended (ENOTCONN), a damaged file system
/// (EUCLEAN).
pub(super) fn is_of_disk(error: &io::Error) -> bool {
    match error.kind() {
        // A path that was built wrongly, or a call that cannot succeed: EINVAL, ENAMETOOLONG,
        // EEXIST, ENOTEMPTY, EISDIR, EXDEV, ENOSYS, EPIPE.
        ErrorKind::InvalidInput
        | ErrorKind::InvalidFilename
        | ErrorKind::AlreadyExists
        | ErrorKind::DirectoryNotEmpty
        | ErrorKind::IsADirectory
        | ErrorKind::CrossesDevices
        | ErrorKind::Unsupported
        | ErrorKind::BrokenPipe => false,
        // EBADF, EFAULT have no kind.
        _ => match error.raw_os_error() {
            Some(number) => ![9, 14].contains(&number),
            // Kinds without a number are made by code, as for a file that is shorter than its row
            // says.
            None => is_named(error.kind()),
        },
    }
}

/// Returns true for the kinds that code makes without an error of the system.
fn is_named(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::OutOfMemory
            | ErrorKind::WriteZero
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_system_is_the_disks_or_a_bug() {
        let of_disk = [
            ("EPERM", 1),
            ("ENOENT", 2),
            ("EIO", 5),
            ("ENXIO", 6),
            ("ENOMEM", 12),
            ("EACCES", 13),
            ("EBUSY", 16),
            ("ENODEV", 19),
            ("ENOTDIR", 20),
            ("ENFILE", 23),
            ("EMFILE", 24),
            ("EFBIG", 27),
            ("ENOSPC", 28),
            ("EROFS", 30),
            ("ENOLCK", 37),
            ("ENOTCONN", 107),
            ("ETIMEDOUT", 110),
            ("EHOSTDOWN", 112),
            ("ESTALE", 116),
            ("EUCLEAN", 117),
            ("EREMOTEIO", 121),
            ("EDQUOT", 122),
        ];
        for (name, number) in of_disk {
            assert!(is_of_disk(&io::Error::from_raw_os_error(number)), "{name}");
        }
        let bugs = [("EBADF", 9), ("EFAULT", 14), ("EEXIST", 17), ("EISDIR", 21), ("EINVAL", 22), ("ENAMETOOLONG", 36)];
        for (name, number) in bugs {
            assert!(!is_of_disk(&io::Error::from_raw_os_error(number)), "{name}");
        }
    }

    #[test]
    fn errors_that_code_makes_are_bugs_unless_they_name_the_disk() {
        assert!(is_of_disk(&ErrorKind::NotFound.into()), "a folder that is gone");
        assert!(is_of_disk(&ErrorKind::StorageFull.into()));
        for bug in [ErrorKind::UnexpectedEof, ErrorKind::InvalidData, ErrorKind::Other] {
            assert!(!is_of_disk(&bug.into()), "{bug:?}");
        }
    }
}
