//! `cloakroom serve`: the server, from its banner to its graceful end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::time::timeout;

use crate::app::App;
use crate::cli::fault::fault;
use crate::cli::signals::Survived;
use crate::cli::stop::Stop;
use crate::cli::{create_data_dir, log, runtime};
use crate::config::{self, Config, DatabaseUrl, Listen};
use crate::error::one_line;
use crate::http::{self, Cors, Listeners};
use crate::photos::FirstUse;
use crate::store::{Database, RunningServer};

/// What to do on a first start.
const NO_ADMIN: &str = "No administrator yet: sign up, then run `cloakroom users promote USERNAME` (with the same \
                        --data-dir or --database).\n";

/// Time to answer requests after the files of the database have moved.
const REFUSING: Duration = Duration::from_secs(1);

/// Settings of the server alone.
#[derive(Args)]
pub(super) struct Options {
    /// Address to listen on: HOST:PORT, PORT (on 127.0.0.1), :PORT (on all interfaces) or unix:PATH [default:
    /// 127.0.0.1:8000]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(super) listen: Option<Listen>,
    /// Apply pending migrations at start (always done on SQLite)
    #[arg(long, global = true)]
    pub(super) migrate: bool,
}

/// Serves with `config`; `load` reads the settings again.
pub(super) fn run(config: Config, load: impl Fn() -> anyhow::Result<Config>) -> anyhow::Result<()> {
    // Longer than the thread of `Stop` waits, whose exit code tells that the log was cut short. A
    // server that fails to start has no such thread.
    let limit = Duration::from_secs(config.server.shutdown_seconds).saturating_add(Duration::from_secs(1));
    let log = log::start(&config.log, limit)?;
    create_data_dir(&config.server.data_dir)?;
    let (runtime, stop) = (runtime()?, Stop::new());
    let served = runtime.block_on(serve(config, &stop, Reload { load, log: &log }));
    stop.waits_for("work on files");
    drop(runtime);
    stop.waits_for("the log to be read");
    drop(log);
    served
}

/// Reads the settings again.
struct Reload<'l, L> {
    load: L,
    log: &'l log::Guard,
}

impl<L: Fn() -> anyhow::Result<Config>> Reload<'_, L> {
    /// Applies the settings that need no restart. All others stay as they are, `[server]` among them.
    fn apply(&self, server: &config::Server, cors: &Cors) {
        let applied = (self.load)().and_then(|config| {
            // First, so that a request which finds the origins applied finds the level applied.
            self.log.set_level(config.log.level)?;
            cors.reload(&Config { server: server.clone(), ..config })
        });
        match applied {
            Ok(()) => tracing::info!("reloaded log.level and http.cors_origins; other settings need a restart"),
            Err(error) => tracing::error!("kept the settings in force: {}", one_line(error.as_ref())),
        }
    }
}

async fn serve(
    mut config: Config,
    stop: &Stop,
    reload: Reload<'_, impl Fn() -> anyhow::Result<Config>>,
) -> anyhow::Result<()> {
    let signals = Survived::install()?;
    raise_open_files();
    fit_open_files(&mut config.server);
    let database = Database::open(&config.database, &config.server.data_dir).await?;
    let server = RunningServer::register(&database, config.database.migrate).await?;
    let served = serve_from(config, database.clone(), signals, stop, reload).await;
    // Also after an error: from here on the end is bounded.
    stop.request();
    stop.waits_for("connections to the database");
    server.close(database).await;
    tracing::info!("stopped");
    served
}

async fn serve_from(
    mut config: Config,
    database: Database,
    signals: Survived,
    stop: &Stop,
    reload: Reload<'_, impl Fn() -> anyhow::Result<Config>>,
) -> anyhow::Result<()> {
    let listeners = Listeners::bind(&config.server.listen, config.server.socket_mode).await?;
    // Port 0 has become a real one: links in mails have it.
    config.server.listen = listeners.listen().clone();
    let clock = database.clock().await.map_err(fault)?;
    let app = Arc::new(App::start(&config, database, clock)?);
    match app.photos.attach_storage(FirstUse::Assign).await {
        Err(fault) if fault.is_temporary() && config.storage.is_remote() => {
            // Numbers are served without it. `App::start_upkeep` goes on trying.
            tracing::error!("photos are unavailable, and everything else is served: {fault}");
        }
        Err(fault) => return Err(fault.into()),
        Ok(()) => {
            if let Err(fault) = app.photos.probe_storage().await {
                tracing::error!("photos cannot be uploaded, and everything else is served: {fault}");
            }
        }
    }
    app.start_upkeep();
    let cors = Arc::new(Cors::new(&config)?);
    let router = http::router_with(Arc::clone(&app), &config, Arc::clone(&cors));
    let server = config.server.clone();
    let lines = reload.log.lines();
    stop.enforce(Duration::from_secs(server.shutdown_seconds), lines.clone())?;
    let stopped = signals.until_stop(stop.clone(), move || reload.apply(&server, &cors));
    // With the log, which waits for nobody: standard output may be full, or unread.
    lines.print(banner(&config));
    if !app.accounts.has_admin().await.map_err(fault)? {
        lines.print(NO_ADMIN);
    }
    let mut serving = pin!(http::serve(listeners, router, &config, stopped));
    let moved = tokio::select! {
        () = &mut serving => None,
        moved = app.database.files_moved() => Some(moved),
    };
    if let Some(moved) = moved {
        tracing::error!("stopping: {moved}");
        stop.request();
        // All that is left to do is to refuse.
        drop(timeout(REFUSING, serving).await);
        return Err(moved.into());
    }
    stop.waits_for("writes to the database");
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

/// Lowers `server.max_connections` to what the limit of open files allows. Beyond that limit nothing is accepted, health
/// checks neither, and the share of one peer could be all there is.
fn fit_open_files(settings: &mut config::Server) {
    let Some(files) = getrlimit(Resource::Nofile).current else { return };
    // The rest is for images that are read, uploads that are written, and the database.
    let connections = usize::try_from(files / 4 * 3).unwrap_or(usize::MAX).max(1);
    if connections < settings.max_connections {
        tracing::warn!(
            files,
            connections,
            "server.max_connections is lowered: the limit of open files is too low; raise it (ulimit -n, LimitNOFILE=)"
        );
        settings.max_connections = connections;
    }
}

fn banner(config: &Config) -> String {
    let authority = config.server.listen.url_authority();
    let (version, data) = (env!("CARGO_PKG_VERSION"), config.server.data_dir.display());
    let database = match &config.database.url {
        DatabaseUrl::Embedded => format!("SQLite, {}", config.server.data_dir.join("cloakroom.db").display()),
        url => url.to_string(),
    };
    let playground = match config.graphql.playground {
        true => format!("http://{authority}/"),
        false => "off".to_owned(),
    };
    let next = match config.graphql.playground {
        true => "Next: open the playground; its tabs lead from sign-up to the first number.",
        false => "Next: send `mutation { signUp(input: { … }) { … } }` to the API.",
    };
    let socket = match &config.server.listen {
        Listen::Unix(path) => format!("  Socket      {}\n", path.display()),
        Listen::Tcp { .. } => String::new(),
    };
    let mails = match config.lacks_public_url() {
        true => "  Mails       links lead to this machine; set server.public_url\n",
        false => "",
    };
    format!(
        "Cloakroom {version}\n{socket}  Playground  {playground}\n  API         http://{authority}/graphql\n  \
         Data        {data}\n  Database    {database}\n{mails}{next}\n"
    )
}
