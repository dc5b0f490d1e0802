//! The real app in process, on a database of its own and a clock that the test moves.

use std::sync::Arc;

use axum::Router;
use cloakroom::app::App;
use cloakroom::clock::Clock;
use cloakroom::config::{Bucket, Config, Limits, Overrides};
use cloakroom::photos::FirstUse;
use cloakroom::store::{Database, migrations};
use tempfile::TempDir;

use super::{Caller, PASSWORD, TestDatabase, TestStorage};

/// A server without a socket.
pub struct TestApp {
    pub app: Arc<App>,
    pub router: Router,
    pub clock: Clock,
    pub config: Config,
    _database: TestDatabase,
    // Last: the others have files in it.
    folder: TempDir,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::with_config(|_| {}).await
    }

    /// With the defaults, cheap password hashes, and what `adapt` changes.
    pub async fn with_config(adapt: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        config.server.data_dir = folder.path().to_owned();
        config.accounts.password_memory_kib = 64;
        config.accounts.password_passes = 1;
        config.limits = no_limits();
        // A busy machine is no reason to turn anybody away.
        config.database.acquire_seconds = 60;
        config.database.answer_seconds = 60;
        config.http.request_seconds = 300;
        TestStorage::adapt(&mut config.storage).await;
        adapt(&mut config);
        let database = TestDatabase::create(&mut config).await;
        let clock = Clock::fixed("2026-11-20T12:00:00Z".parse().expect("a moment"));
        let (app, router) = start(&config, &clock).await;
        Self { app, router, clock, config, _database: database, folder }
    }

    /// With one user, signed in.
    pub async fn with_user() -> (Self, Caller) {
        let test = Self::start().await;
        let user = test.sign_up("anna").await;
        (test, user)
    }

    /// Nobody.
    pub fn anonymous(&self) -> Caller {
        self.bearer(None)
    }

    /// Whoever this token is of.
    pub fn bearer(&self, token: Option<&str>) -> Caller {
        Caller::new(self.router.clone(), token.map(str::to_owned))
    }

    /// A new user with this name, signed in.
    pub async fn sign_up(&self, username: &str) -> Caller {
        let mutation = format!(
            r#"mutation {{ signUp(input: {{ username: "{username}", email: "{username}@example.org", password: "{PASSWORD}" }})
               {{ tokens {{ accessToken }} userErrors {{ message }} }} }}"#
        );
        let reply = self.anonymous().run(&mutation).await;
        self.bearer(reply.at("/data/signUp/tokens/accessToken").as_str())
    }

    /// The same data behind a new process's worth of memory.
    pub async fn restart(&mut self) {
        self.app.stop().await;
        (self.app, self.router) = start(&self.config, &self.clock).await;
    }

    /// A second server that reaches the same database by `url`, and the same caller at its door.
    pub async fn replica(&self, user: &Caller, url: &str) -> (Arc<App>, Caller) {
        let mut config = self.config.clone();
        config.database.url = url.parse().expect("the URL of a database server");
        let database = Database::open(&config.database, self.data_dir()).await.expect("the database opens");
        let app = Arc::new(App::start(&config, database, self.clock.clone()).expect("the app starts"));
        let router = cloakroom::http::router(Arc::clone(&app), &config).expect("the router is built");
        (app, Caller::new(router, user.token.clone()))
    }

    /// The folder with the signing keys and SQLite's file.
    pub fn data_dir(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// Tests that are not about limits do as they like.
fn no_limits() -> Limits {
    let any = Bucket { burst: 0, per_hour: 0 };
    Limits {
        max_buckets: 65_536,
        login_per_address: any,
        login_per_account: any,
        login_from_known_address: any,
        login_from_new_address: any,
        login_from_new_addresses: any,
        sign_up_per_address: any,
        mail_per_address: any,
        mail_per_account: any,
        mail_per_mailbox: any,
        refresh_per_address: any,
        refresh_per_session: any,
    }
}

async fn start(config: &Config, clock: &Clock) -> (Arc<App>, Router) {
    let database = Database::open(&config.database, &config.server.data_dir).await.expect("the database opens");
    migrations::up(&database).await.expect("the migrations apply");
    let app = Arc::new(App::start(config, database, clock.clone()).expect("the app starts"));
    app.photos.attach_storage(FirstUse::Assign).await.expect("the storage is the database's");
    let router = cloakroom::http::router(Arc::clone(&app), config).expect("the router is built");
    (app, router)
}
