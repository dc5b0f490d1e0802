//! A server whose data is on a disk of its own, which the test can fill: a tmpfs in a mount
//! namespace.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Process;

/// The server within a mount namespace of its own, with this data directory on a tmpfs with these
/// mount options, such as `size=4m`.
pub fn start_on_a_small_disk(
    data_dir: &Path,
    options: &str,
    start: impl FnOnce(&dyn Fn(&mut Command)) -> Process,
) -> Process {
    std::fs::create_dir(data_dir).expect("a mount point");
    start(&|command| {
        let mut within = Command::new("unshare");
        let script = format!(r#"mount -t tmpfs -o mode=700,{options} tmpfs "$0" && exec "$@""#);
        within.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(data_dir);
        within.arg(command.get_program()).args(command.get_args());
        within.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        within.stdout(Stdio::piped()).stderr(Stdio::inherit());
        *command = within;
    })
}

/// The data directory of such a server, as seen from outside.
pub fn disk_of(data_dir: &Path, process: &Process) -> PathBuf {
    process.root().join(data_dir.strip_prefix("/").expect("an absolute path"))
}

/// Where an unprivileged process may not mount, the disk cannot be made small.
pub fn namespaces_are_allowed() -> bool {
    let probe = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

/// Writes a file until nothing more fits.
pub fn fill(ballast: &Path) {
    fill_but(ballast, 0);
}

/// Writes a file until so many bytes are left.
pub fn fill_but(ballast: &Path, free: u64) {
    let mut file = File::create(ballast).expect("a file");
    let mut chunk = 64 * 1024;
    while chunk > 0 {
        if file.write(&vec![0; chunk]).is_err() {
            chunk /= 2;
        }
    }
    let length = file.metadata().expect("its length").len();
    file.set_len(length.saturating_sub(free)).expect("it is cut");
}
