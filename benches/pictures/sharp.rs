//! sharp, in a process of its own, below `target` with exactly the version that its lock file names.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};

/// A running sharp that has read the picture.
pub(super) struct Sharp {
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sharp {
    pub(super) fn start(folder: &Path, picture: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new("node")
            .arg("sharp.mjs")
            .arg(picture)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node: is it installed?")?;
        let ask = process.stdin.take().context("its input")?;
        let answers = BufReader::new(process.stdout.take().context("its output")?);
        Ok(Self { process, ask, answers })
    }

    /// How long the three sizes take it.
    pub(super) fn milliseconds(&mut self) -> anyhow::Result<f64> {
        self.ask.write_all(b"\n")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let milliseconds = answer.split(' ').next().unwrap_or_default();
        milliseconds.trim().parse().with_context(|| format!("sharp says {answer:?}"))
    }
}

impl Drop for Sharp {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folder with it. Once: until the lock file changes.
pub(super) fn install() -> anyhow::Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/pictures/sharp");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers/sharp");
    fs::create_dir_all(&folder)?;
    for file in ["package.json", "package-lock.json", "sharp.mjs"] {
        fs::copy(sources.join(file), folder.join(file))?;
    }
    let (wanted, installed) = (fs::read(sources.join("package-lock.json"))?, folder.join("installed"));
    if fs::read(&installed).ok().as_ref() != Some(&wanted) {
        // Nothing of theirs needs to be built, so nothing of theirs is run.
        let output = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder)
            .output()
            .context("npm: is it installed?")?;
        ensure!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
        // Last, so that a broken installation is done again.
        fs::write(installed, wanted)?;
    }
    Ok(folder)
}
