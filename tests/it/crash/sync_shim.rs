//! The syncs of a server: counted, and made to fail. A kill cannot show a missing one.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const DONE: u64 = 8;
const FAIL_EVERY: u64 = 16;
const FAIL_IN: u64 = 24;
const DONE_BELOW_PHOTOS: u64 = 32;
const LENGTH: usize = 40;

/// Where syncs fail: numbered as in `sync_shim.c`.
#[derive(Clone, Copy)]
pub enum Place {
    Anywhere = 0,
    /// The contents of photos, and the folders that these are in.
    BelowPhotos = 1,
    /// The folder that has these folders.
    Photos = 2,
}

/// What `sync_shim.c` shares with the test.
pub struct Syncs {
    library: PathBuf,
    panel: PathBuf,
    shared: File,
}

impl Syncs {
    /// Compiles the library, into `folder`.
    pub fn compile(folder: &Path) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/crash/sync_shim.c");
        let (library, panel) = (folder.join("sync_shim.so"), folder.join("sync_panel"));
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(cc.status().expect("a C compiler, as for SQLite").success(), "the shim compiles");
        let shared = File::options().create(true).truncate(true).read(true).write(true).open(&panel).expect("a panel");
        shared.write_all_at(&[0; LENGTH], 0).expect("an empty panel");
        Self { library, panel, shared }
    }

    /// Puts the server that `command` starts under control.
    pub fn preload(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("SYNC_PANEL", &self.panel);
    }

    /// How many syncs succeeded.
    pub fn done(&self) -> usize {
        self.read(DONE)
    }

    /// How many of them were of photos' contents, and of the folders that these are in.
    pub fn done_below_photos(&self) -> usize {
        self.read(DONE_BELOW_PHOTOS)
    }

    fn read(&self, at: u64) -> usize {
        let mut bytes = [0; 8];
        self.shared.read_exact_at(&mut bytes, at).expect("the panel is readable");
        usize::try_from(u64::from_ne_bytes(bytes)).expect("a count")
    }

    /// Lets every `nth` sync fail from now on; 0 for none.
    pub fn fail_every(&self, nth: u64) {
        self.fail_every_in(Place::Anywhere, nth);
    }

    /// Lets every `nth` sync of something in this place fail from now on; 0 for none.
    pub fn fail_every_in(&self, place: Place, nth: u64) {
        self.shared.write_all_at(&(place as u64).to_ne_bytes(), FAIL_IN).expect("the panel is writable");
        self.shared.write_all_at(&nth.to_ne_bytes(), FAIL_EVERY).expect("the panel is writable");
    }
}
