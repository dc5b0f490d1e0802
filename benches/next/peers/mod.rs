//! What Cloakroom is compared with beyond its references: servers and tools that others wrote.
//!
//! The HTTP servers' sources lie beside this file, each written as a good engineer would with that stack, with
//! versions pinned. [`install`] puts them below `target`. [`redis`] and [`pgbench`] are tools that bring their own client.
//!
//! **Invariant:** every peer on PostgreSQL has a database of its own on the same server, with the table `counters.sql`.

mod install;
pub(crate) mod pgbench;
pub(crate) mod redis;

use std::{net::SocketAddr, path::Path, process::Command};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use crate::{
    cell::Peer,
    databases::Databases,
    server::{Ready, Server},
};

/// The databases that [`start`] and [`pgbench`] need.
pub(crate) const DATABASES: &[&str] = &["pgbench", "apollo", "postgraphile", "flask"];

/// What the peers' tokens are signed with.
const SECRET: &str = "a secret of 32 bytes for a bench!";

const COUNTERS: &str = include_str!("counters.sql");
const FUNCTION: &str = include_str!("postgraphile/next.sql");

/// Installs a peer if need be, gives it its counters, and starts it.
pub(crate) async fn start(peer: Peer, users: usize, databases: &Databases) -> anyhow::Result<Server> {
    let database = match peer {
        Peer::Apollo => Some("apollo"),
        Peer::Postgraphile => Some("postgraphile"),
        Peer::FlaskSqlalchemy => Some("flask"),
        Peer::FlaskDevelopment | Peer::FlaskGunicorn => None,
    };
    let mut url = String::new();
    if let Some(name) = database {
        url = databases.url_of(name)?;
        fill(name, users, databases).await?;
    }
    if peer == Peer::Postgraphile {
        databases.execute("postgraphile", FUNCTION).await?;
    }
    let folder = match peer {
        Peer::Apollo => install::node("apollo")?,
        Peer::Postgraphile => install::node("postgraphile")?,
        Peer::FlaskDevelopment | Peer::FlaskGunicorn | Peer::FlaskSqlalchemy => install::python("flask")?,
    };
    let command = |address: SocketAddr, _: &Path| {
        let mut command = command(peer, &folder, address);
        command.env("TOKEN_SECRET", SECRET).env("DATABASE_URL", &url);
        command
    };
    Server::launch(command, Ready::Answers).await
}

/// The token of a user, for any peer.
pub(crate) fn token(user: usize) -> String {
    let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    // Until the year 2100.
    let claims = json!({ "sub": user.to_string(), "exp": 4_102_444_800_u32 });
    let signed = format!("{}.{}", part(json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Makes the table, with a row for each user.
async fn fill(database: &str, users: usize, databases: &Databases) -> anyhow::Result<()> {
    databases.execute(database, COUNTERS).await?;
    let rows = format!("INSERT INTO counters SELECT generate_series(0, {users} - 1)");
    databases.execute(database, &rows).await?;
    databases.execute(database, "VACUUM ANALYZE counters").await
}

fn command(peer: Peer, folder: &Path, address: SocketAddr) -> Command {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let python = |program: &str| {
        let mut command = dependent(&folder.join("venv/bin").join(program));
        command.env("PYTHONPATH", folder);
        command
    };
    let gunicorn = |workers: &str, threads: &str, app: &str| {
        let mut command = python("gunicorn");
        command.args(["--no-control-socket", "--worker-class", "gthread", "--workers", workers, "--threads", threads]);
        command.args(["--bind", &address.to_string(), app]);
        command
    };
    match peer {
        Peer::Apollo | Peer::Postgraphile => {
            let mut command = dependent(Path::new("node"));
            command.arg(folder.join("server.js")).env("HOST", host).env("PORT", port);
            command.env("NODE_ENV", "production").env("GRAPHILE_ENV", "production");
            command
        }
        Peer::FlaskDevelopment => {
            let mut command = python("flask");
            command.args(["--app", "memory", "run", "--host", &host, "--port", &port]);
            command
        }
        Peer::FlaskGunicorn => gunicorn("4", "8", "memory:app"),
        Peer::FlaskSqlalchemy => gunicorn("2", "16", "durable:app"),
    }
}

/// A program that ends when the benchmark does, however that ends.
fn dependent(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}
