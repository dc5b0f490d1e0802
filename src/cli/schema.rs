//! `cloakroom schema`: the API in GraphQL's own language.

use crate::cli::say;
use crate::schema::sdl;

pub(super) fn run() -> anyhow::Result<()> {
    say(sdl().trim_end())
}
