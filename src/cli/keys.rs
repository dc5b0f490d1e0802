//! `cloakroom keys`: the keys that sign access tokens.

use std::path::Path;

use chrono::TimeDelta;
use clap::Subcommand;

use crate::accounts::key_lifetime_seconds;
use crate::accounts::signing_keys::{SigningKeys, generate_jwk_after};
use crate::cli::{create_data_dir, say};
use crate::clock::Clock;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Keys {
    /// Print a new key as a JWK, and keep it nowhere: for a secret store, as <kid>.json in the keys folder
    Generate,
    /// Make a new key, which signs from now on; older ones verify until their last token has expired
    Rotate {
        /// Remove the older keys at once, as after a leak: running servers refuse all access tokens that were made before, and
        /// clients refresh them. Where servers have copies of the folder, remove them from every copy
        #[arg(long)]
        revoke: bool,
    },
    /// Show the keys in use
    List,
}

pub(super) fn run(config: &Config, command: &Keys) -> anyhow::Result<()> {
    let folder: &Path = &config.server.data_dir.join("keys");
    if let Keys::Generate = command {
        return say(generate_jwk_after(folder)?);
    }
    create_data_dir(&config.server.data_dir)?;
    let lifetime_seconds = key_lifetime_seconds(&config.accounts);
    let keys = SigningKeys::open(folder)?.retiring_after(lifetime_seconds, Clock::System);
    if let Keys::Rotate { revoke } = command {
        keys.add()?;
        if *revoke {
            for kid in keys.remove_replaced()? {
                say(format_args!("revoked   {kid}  (no token of it is good any more)"))?;
            }
        } else {
            let moment = Clock::System.now() - TimeDelta::seconds(lifetime_seconds.into());
            for kid in keys.remove_replaced_before(moment)? {
                say(format_args!("removed   {kid}  (no token of it is alive)"))?;
            }
        }
    }
    for key in keys.list()? {
        let state = match (key.signs, key.verifies) {
            (true, _) => "signs   ",
            (false, true) => "verifies",
            (false, false) => "retired ",
        };
        say(format_args!("{state}  {}  made {}", key.kid, key.created_at.format("%Y-%m-%dT%H:%M:%SZ")))?;
    }
    for fault in keys.faults() {
        say(format_args!("ignored   {fault}"))?;
    }
    Ok(())
}
