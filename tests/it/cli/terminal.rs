//! A command at a pseudo-terminal, typed at as a person does.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::PATIENCE;

/// A command and the keyboard and screen that it has.
pub(super) struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What was on the screen since the last [`Terminal::wait_for`].
    unseen: String,
}

impl Terminal {
    pub(super) fn start(command: &mut Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&master).expect("it may be used");
        unlockpt(&master).expect("it can be opened");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("text");
        let end = || File::options().read(true).write(true).open(&name).expect("its other end");
        let child = command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
        let keyboard = File::from(master);
        let mut output = keyboard.try_clone().expect("a second descriptor");
        let (shown, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Ends with an error when the other end is closed.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                if shown.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keyboard, screen, unseen: String::new() }
    }

    pub(super) fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("somebody reads it");
    }

    /// Waits until `text` is on the screen, and returns what was there before it.
    pub(super) fn wait_for(&mut self, text: &str) -> String {
        loop {
            if let Some((before, after)) = self.unseen.split_once(text) {
                let (before, after) = (before.to_owned(), after.to_owned());
                self.unseen = after;
                return before;
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(bytes) => self.unseen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("{text:?} does not come after {:?}", self.unseen),
            }
        }
    }

    /// Waits until what is typed is not shown: a person sees the prompt a moment before.
    pub(super) fn wait_until_hidden(&self) {
        let begin = std::time::Instant::now();
        let is_hidden = || {
            let terminal = self.keyboard.try_clone().expect("a second descriptor");
            let modes = Command::new("stty").arg("-a").stdin(terminal).output().expect("stty runs");
            String::from_utf8_lossy(&modes.stdout).contains(" -echo ")
        };
        while !is_hidden() {
            assert!(begin.elapsed() < PATIENCE, "what is typed is shown");
        }
    }

    /// Waits until the command has ended.
    pub(super) fn end(mut self) -> ExitStatus {
        while self.screen.recv_timeout(PATIENCE).is_ok() {}
        assert!(self.child.try_wait().is_ok());
        self.child.wait().expect("it ends")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
