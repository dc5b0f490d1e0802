//! `cloakroom users export`: a person's own copy of what is kept of them (GDPR, articles 15 and 20).

use clap::Args;

use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::say;
use crate::cli::terminal::pretty_json;
use crate::cli::users::{account, require};

#[derive(Args)]
#[command(after_help = format!("\
It has no hashes and no tokens, and of others at most the id of an administrator who did something
to the account. Besides the user there are: sessions, apiKeys, events (the audit log), links and
mails (what is under way to their address), and counters.
{}

Example:
  cloakroom users export anna > anna.json", account::SHAPE))]
pub(super) struct Export {
    /// Username, e-mail address or id
    who: String,
}

pub(super) async fn run(app: &App, options: &Export) -> anyhow::Result<()> {
    let (user, operator) = (require(app, &options.who).await?, Caller::operator());
    let mut document = app.accounts.export(&operator, user.id).await.map_err(fault)?;
    let counters = app.counters.export(&operator, user.id).await.map_err(fault)?;
    document.insert("counters".to_owned(), counters);
    say(pretty_json(&document)?)
}
