//! Several servers on one database, each of which can be killed, the database as well; on SQLite it is one server with
//! the database in it.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{Mutex, watch};

use super::Home;
use super::load::Ledger;
use crate::counters::linearizable::client::Door;
use crate::support::{DatabaseServer, PATIENCE, Process, Promptness};

const REPLICAS: usize = 3;
/// How long it may take until numbers come again (C10, C11).
const SOON: Duration = Duration::from_secs(5);

pub(super) struct Site {
    database: Option<DatabaseServer>,
    pub(super) replicas: Vec<Replica>,
    home: Home,
}

/// What [`strike`] needs.
pub(super) type Parts<'s> = (&'s Home, &'s mut Option<DatabaseServer>, &'s [Replica]);

/// A server and the next one in its place, at which one user knocks.
pub(super) struct Replica {
    process: watch::Sender<Option<Arc<Process>>>,
    token: String,
    /// Counting again, when all is good again.
    resumed: Mutex<Promptness>,
}

/// What happens to a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// A server is killed, and another one started in its place.
    Replica,
    /// The database is killed and restarted; the servers are not.
    Database,
    /// Both at once.
    Both,
    /// A server is stopped in the midst of what it does, and goes on when the others have been served.
    Pause,
}

impl Site {
    pub(super) async fn start() -> Self {
        let database = DatabaseServer::start().await;
        let home = Home::at(database.as_ref().map(DatabaseServer::url).unwrap_or_default());
        let first = start(&home);
        let token = first.sign_up("anna").await;
        let mut processes = vec![first];
        if database.is_some() {
            processes.extend((1..REPLICAS).map(|_| start(&home)));
        }
        let replica = |process| Replica {
            process: watch::Sender::new(Some(Arc::new(process))),
            token: token.clone(),
            resumed: Mutex::new(Promptness::within(SOON)),
        };
        Self { database, replicas: processes.into_iter().map(replica).collect(), home }
    }

    /// What can happen here.
    pub(super) fn blows(&self) -> &'static [Blow] {
        match self.database {
            Some(_) => &[Blow::Database, Blow::Replica, Blow::Pause, Blow::Both],
            None => &[Blow::Replica],
        }
    }

    /// Whether numbers came again soon, at every server.
    pub(super) fn assert_prompt(self) {
        self.replicas.into_iter().for_each(|replica| replica.resumed.into_inner().assert());
    }

    /// To strike while the servers are in use.
    pub(super) fn parts(&mut self) -> Parts<'_> {
        (&self.home, &mut self.database, &self.replicas)
    }
}

fn start(home: &Home) -> Process {
    // Its log would be one line a number.
    let quiet = |command: &mut Command| {
        command.env("CLOAKROOM__LOG__LEVEL", "warn");
    };
    tokio::task::block_in_place(|| home.start_with(quiet))
}

/// Strikes at this place, and makes everything good again: afterwards numbers of the default counter come from every
/// server. Returns those that came.
pub(super) async fn strike(parts: Parts<'_>, blow: Blow, place: usize) -> Ledger {
    let (home, database, replicas) = parts;
    let mut heard = Ledger::default();
    let struck = &replicas[place];
    match blow {
        Blow::Replica => struck.kill().await,
        Blow::Database | Blow::Both => {
            let database = database.as_mut().expect("a database server");
            tokio::task::block_in_place(|| database.kill());
            if blow == Blow::Both {
                struck.kill().await;
            }
            database.restart().await;
        }
        Blow::Pause => {
            let process = struck.running().await;
            process.signal("STOP");
            for other in (0..replicas.len()).filter(|other| *other != place) {
                replicas[other].serves(&mut heard).await;
            }
            process.signal("CONT");
        }
    }
    if matches!(blow, Blow::Replica | Blow::Both) {
        struck.process.send_replace(Some(Arc::new(start(home))));
    }
    for replica in replicas {
        replica.serves(&mut heard).await;
    }
    heard
}

impl Replica {
    /// Kills it, and waits for its end. Whoever comes now waits for the next one.
    async fn kill(&self) {
        let process = self.process.send_replace(None).expect("it runs");
        process.signal("KILL");
        let ending = Arc::downgrade(&process);
        drop(process);
        let ended = async {
            // Those who were being served hear that it is gone, and let go of it.
            while ending.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("every client hears something");
    }

    async fn running(&self) -> Arc<Process> {
        let mut process = self.process.subscribe();
        let running = process.wait_for(Option::is_some).await.expect("the sender lives");
        Arc::clone(running.as_ref().expect("it was waited for"))
    }

    /// Waits until it counts, which may not take long.
    async fn serves(&self, heard: &mut Ledger) {
        let counts = async {
            loop {
                match super::next(&*self.running().await, &self.token).await {
                    Some(Ok(number)) => break heard.took(number..=number),
                    Some(Err(code)) if code == "UNAVAILABLE" => {}
                    Some(Err(_)) | None => heard.lost(1),
                }
            }
        };
        let began = Instant::now();
        tokio::time::timeout(PATIENCE, counts).await.expect("numbers come again");
        self.resumed.lock().await.came(began);
    }
}

impl Door for Replica {
    async fn ask(&self, query: &str) -> Option<Value> {
        self.running().await.run(Some(&self.token), query).await
    }
}
