//! The command line: what follows `--` in `cargo bench --bench next --`.

use std::{env, time::Duration};

use clap::{Parser, ValueEnum};

use crate::{
    cell::{Part, Store},
    references::{Place, Reference},
};

/// Which benchmark is run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// `next`, against reference servers.
    Next,
    /// `next`, against Redis, pgbench, Apollo Server, PostGraphile and Flask, which are installed for it.
    Peers,
    /// How soon many subscribers of one counter are told of its changes.
    Fanout,
    /// Uploads, and thumbnails against nginx, which must be installed. Only seconds and rounds can be set.
    Photos,
    /// Logins, against the bare hash, and `next` beside them. Only seconds and rounds can be set.
    Login,
}

/// Measures `next` against reference servers.
#[derive(Parser, Clone)]
#[command(name = "next")]
pub(crate) struct Options {
    /// What is measured.
    #[arg(value_enum, default_value_t = What::Next)]
    pub(crate) what: What,

    /// How long each cell of the table is asked in each round.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,

    /// How many times every cell is asked.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,

    /// How many users the "many users" cells have; each signs up first, for 17 ms of a core.
    #[arg(long, default_value_t = 1000)]
    pub(crate) users: usize,

    /// How many subscribers `fanout` has.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) subscribers: usize,

    /// A trial run: 2 rounds of half a second, 50 users and 500 subscribers. Its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Leave everything else out: of `next` one store; of `peers` all but these, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,

    /// Leave Cloakroom out: what the references reach on this machine.
    #[arg(long)]
    pub(crate) references_only: bool,

    /// A PostgreSQL where this may create and drop the databases `cloakroom_bench_…`
    /// [default: CLOAKROOM_TEST_DATABASE, else postgres://root@127.0.0.1:5432/postgres].
    #[arg(long, value_name = "URL")]
    pub(crate) postgres: Option<String>,

    /// Cargo says so to every benchmark.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,

    /// Be a reference server instead.
    #[arg(long, hide = true, value_enum)]
    pub(crate) reference: Option<Reference>,

    #[command(flatten)]
    pub(crate) place: Place,
}

impl Options {
    /// What `--quick` stands for, written out.
    pub(crate) fn settled(&self) -> Self {
        let mut settled = self.clone();
        if self.quick {
            settled.seconds = 0.5;
            settled.rounds = 2;
            settled.users = 50;
            settled.subscribers = 500;
        }
        settled.rounds = settled.rounds.max(1);
        settled.users = settled.users.max(1);
        settled.subscribers = settled.subscribers.max(1);
        settled
    }

    pub(crate) fn stores(&self) -> Vec<Store> {
        let stores = [(Store::Sqlite, Part::Sqlite), (Store::Postgres, Part::Postgres)];
        stores.into_iter().filter(|(_, part)| self.wants(*part)).map(|(store, _)| store).collect()
    }

    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark's option, which the product's configuration knows nothing of"
    )]
    pub(crate) fn postgres_url(&self) -> String {
        let named = self.postgres.clone().or_else(|| env::var("CLOAKROOM_TEST_DATABASE").ok());
        named.unwrap_or_else(|| "postgres://root@127.0.0.1:5432/postgres".to_owned())
    }

    pub(crate) fn round(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.1, 3600.0))
    }

    /// Node compiles what it has run for a while.
    pub(crate) fn peers_warm_up(&self) -> Duration {
        if self.quick { self.warm_up() } else { Duration::from_secs(4) }
    }

    pub(crate) fn warm_up(&self) -> Duration {
        self.round().min(Duration::from_secs(1))
    }
}
