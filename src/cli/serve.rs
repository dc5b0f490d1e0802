//! `cloakroom serve`: the server, from its banner to its graceful end.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::cli::fault::fault;
use crate::cli::{create_data_dir, log, runtime, say};
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl};
use crate::http;
use crate::photos::FirstUse;
use crate::store::{Database, RunningServer};

/// What to do on a first start.
const NO_ADMIN: &str = "No administrator yet: sign up, then run `cloakroom users promote USERNAME` (with the same \
                        --data-dir or --database).\n";

/// Settings of the server alone.
#[derive(Args)]
pub(super) struct Options {
    /// Address and port to listen on [default: 127.0.0.1:8000]
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// Apply pending migrations at start (always done on SQLite)
    #[arg(long, global = true)]
    pub(super) migrate: bool,
}

pub(super) fn run(config: Config) -> anyhow::Result<()> {
    let _written_at_the_end = log::start(&config.log)?;
    create_data_dir(&config.server.data_dir)?;
    runtime()?.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    raise_open_files();
    let database = Database::open(&config.database, &config.server.data_dir).await?;
    let server = RunningServer::register(&database, config.database.migrate).await?;
    let served = serve_from(config, database.clone()).await;
    server.close(database).await;
    tracing::info!("stopped");
    served
}

async fn serve_from(mut config: Config, database: Database) -> anyhow::Result<()> {
    let address = config.server.listen;
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    // Port 0 has become a real one: links in mails have it.
    config.server.listen = listener.local_addr()?;
    let app = Arc::new(App::start(&config, database, Clock::System)?);
    match app.photos.attach_storage(FirstUse::Assign).await {
        Err(fault) if fault.is_temporary() && config.storage.is_remote() => {
            // Numbers are served without it. `App::start_upkeep` goes on trying.
            tracing::error!("photos are unavailable, and everything else is served: {fault}");
        }
        attached => attached?,
    }
    app.start_upkeep();
    let router = http::router(Arc::clone(&app), &config)?;
    let signalled = shutdown_signal()?;
    say(banner(&config, config.server.listen))?;
    if !app.accounts.has_admin().await.map_err(fault)? {
        say(NO_ADMIN)?;
    }
    http::serve(listener, router, &config, signalled).await;
    app.drain().await;
    Ok(())
}

/// Every connection is an open file, and the usual soft limit of 1024 is for programs that use `select`.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests that were accepted are finished first");
    })
}

fn banner(config: &Config, address: SocketAddr) -> String {
    let (version, data) = (env!("CARGO_PKG_VERSION"), config.server.data_dir.display());
    let database = match &config.database.url {
        DatabaseUrl::Embedded => format!("SQLite, {}", config.server.data_dir.join("cloakroom.db").display()),
        url => url.to_string(),
    };
    let playground = match config.graphql.playground {
        true => format!("http://{address}/"),
        false => "off".to_owned(),
    };
    let next = match config.graphql.playground {
        true => "Next: open the playground; its tabs lead from sign-up to the first number.",
        false => "Next: send `mutation { signUp(input: { … }) { … } }` to the API.",
    };
    format!(
        "Cloakroom {version}\n  Playground  {playground}\n  API         http://{address}/graphql\n  \
         Data        {data}\n  Database    {database}\n{next}\n"
    )
}
