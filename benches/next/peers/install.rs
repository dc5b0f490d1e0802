//! Puts a peer below `target`, with exactly the versions that its lock file names. Once: until the lock file changes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

use crate::machine::progress;

/// A folder with the peer's sources and its `node_modules`.
pub(super) fn node(peer: &str) -> anyhow::Result<PathBuf> {
    install(peer, "package-lock.json", |folder| {
        // Nothing of theirs needs to be built, so nothing of theirs is run.
        run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder))
    })
}

/// A folder with the peer's sources and a virtual environment, `venv`.
pub(super) fn python(peer: &str) -> anyhow::Result<PathBuf> {
    install(peer, "requirements.txt", |folder| {
        run(Command::new("python3").args(["-m", "venv", "--clear", "venv"]).current_dir(folder))?;
        let pip = folder.join("venv/bin/pip");
        run(Command::new(pip).args(["install", "--quiet", "--no-deps", "-r", "requirements.txt"]).current_dir(folder))
    })
}

fn install(peer: &str, lock: &str, install: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/next/peers").join(peer);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers").join(peer);
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(&sources)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    let (wanted, installed) = (fs::read(sources.join(lock))?, folder.join("installed"));
    if fs::read(&installed).ok().as_ref() != Some(&wanted) {
        progress(&format!("installing {peer} in {}", folder.display()))?;
        install(&folder).with_context(|| format!("installing {peer}"))?;
        // Last, so that a broken installation is done again.
        fs::write(installed, wanted)?;
    }
    Ok(folder)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{command:?}: is it installed?"))?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&said));
    Ok(())
}
