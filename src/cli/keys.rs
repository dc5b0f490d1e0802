//! `cloakroom keys`: the keys that sign access tokens.

use chrono::TimeDelta;
use clap::Subcommand;

use crate::accounts::signing_keys::{SigningKeys, generate_jwk};
use crate::cli::{create_data_dir, say};
use crate::clock::Clock;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Keys {
    /// Print a new key as a JWK, and keep it nowhere: for a secret store, as <kid>.json in the keys folder
    Generate,
    /// Make a new key, which signs from now on; older ones verify until their last token has expired
    Rotate,
    /// Show the keys in use
    List,
}

pub(super) fn run(config: &Config, command: &Keys) -> anyhow::Result<()> {
    if let Keys::Generate = command {
        return say(generate_jwk()?);
    }
    create_data_dir(&config.server.data_dir)?;
    let keys = SigningKeys::open(&config.server.data_dir.join("keys"))?;
    if let Keys::Rotate = command {
        let lifetime = config.accounts.access_token_seconds + config.accounts.token_leeway_seconds;
        let removed = keys.remove_replaced_before(Clock::System.now() - TimeDelta::seconds(lifetime.into()))?;
        for kid in removed {
            say(format_args!("removed   {kid}  (no token of it is alive)"))?;
        }
        keys.add()?;
    }
    for key in keys.list()? {
        let state = if key.signs { "signs   " } else { "verifies" };
        say(format_args!("{state}  {}  made {}", key.kid, key.created_at.format("%Y-%m-%dT%H:%M:%SZ")))?;
    }
    Ok(())
}
