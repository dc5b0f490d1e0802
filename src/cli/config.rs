//! `cloakroom config`: the settings.

use clap::Args;

use crate::cli::say;
use crate::config::{Config, DEFAULTS};

#[derive(Args)]
pub(super) struct Show {
    /// Print the defaults instead, with an explanation of each
    #[arg(long)]
    defaults: bool,
}

pub(super) fn run(config: &Config, show: &Show) -> anyhow::Result<()> {
    if show.defaults { say(DEFAULTS.trim_end()) } else { say(config.masked()?.trim_end()) }
}
