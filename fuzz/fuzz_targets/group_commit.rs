//! The group commit under batches that a fuzzer chooses, against the model that does one order after the other.
//!
//! The server's `Counters` run on SQLite in a temporary folder, and stay from one input to the next. How to run it:
//! `tests/README.md`.

#![no_main]
#![allow(dead_code, reason = "the tests use more of the model than this")]

#[path = "../../tests/it/counters/sequential/batches.rs"]
mod batches;
#[path = "../../tests/it/counters/sequential/counter.rs"]
mod counter;

use std::cell::RefCell;

use arbitrary::Unstructured;
use batches::World;
use cloakroom::accounts::{AddUser, Profile, Secret, user};
use cloakroom::app::App;
use cloakroom::caller::{Caller, Identity};
use cloakroom::clock::Clock;
use cloakroom::config::{Config, Overrides};
use cloakroom::store::{Database, migrations};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The most writes in one commit, of the servers that an input can choose from.
const MAX_BATCHES: [usize; 3] = [3, 10, 1000];
/// Bytes of memory, where there are any: what is tried out is the order, not the disk.
const MEMORY: &str = "/dev/shm";
/// A password hash that nobody has the password of.
const NO_PASSWORD: &str =
    "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A server, its users, and how many inputs it has seen.
struct Server {
    app: App,
    clock: Clock,
    callers: Vec<Caller>,
    inputs: usize,
    _folder: TempDir,
}

thread_local! {
    // One thread: each batch is in line before the group commit has its turn.
    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    static SERVERS: RefCell<[Option<Server>; 3]> = const { RefCell::new([None, None, None]) };
}

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Unstructured::new(bytes);
    let place = usize::from(choices.arbitrary::<u8>().unwrap_or(0)) % MAX_BATCHES.len();
    RUNTIME.with(|runtime| {
        SERVERS.with_borrow_mut(|servers| {
            runtime.block_on(async {
                if servers[place].is_none() {
                    servers[place] = Some(Server::start(MAX_BATCHES[place]).await);
                }
                let server = servers[place].as_mut().expect("it has just started");
                server.run(&mut choices).await;
                // Its clock goes on by days, and its folder grows.
                if server.inputs == 1000 {
                    servers[place].take().expect("a server").app.stop().await;
                }
            });
        });
    });
});

impl Server {
    async fn start(max_batch: usize) -> Self {
        let folder = TempDir::new_in(MEMORY).or_else(|_| TempDir::new()).expect("a folder");
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        config.server.data_dir = folder.path().to_owned();
        config.counters.max_batch = max_batch;
        let database = Database::open(&config.database, folder.path()).await.expect("the database opens");
        migrations::up(&database).await.expect("the migrations apply");
        let clock = Clock::fixed("2026-11-20T12:00:00Z".parse().expect("a moment"));
        let app = App::start(&config, database, clock.clone()).expect("the app starts");
        let mut callers = Vec::new();
        for name in ["anna", "bob"] {
            let profile = Profile { email: None, username: Some(name.to_owned()), name: None };
            let secret = Secret::Hash(NO_PASSWORD.to_owned());
            let input = AddUser { profile, secret, role: user::Role::User, email_verified: false, created_at: None };
            let user = app.accounts.add_user(&Caller::operator(), input).await.expect("a user");
            callers.push(Caller {
                identity: Identity::Impersonated { user: user.id, admin: false },
                ..Caller::operator()
            });
        }
        Self { app, clock, callers, inputs: 0, _folder: folder }
    }

    async fn run(&mut self, choices: &mut Unstructured<'_>) {
        self.inputs += 1;
        let (counters, tag) = (self.app.counters.clone(), self.inputs.to_string());
        let mut world = World::begin(counters, self.clock.clone(), self.callers.clone(), &tag).await;
        while !choices.is_empty() {
            world.batch(&mut |limit| choices.int_in_range(0..=limit - 1).unwrap_or(0)).await;
        }
        world.end().await;
    }
}
