//! `cloakroom users list`.

use clap::Args;

use crate::accounts::user;
use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::table::Shape;
use crate::cli::users::account::{self, HEADERS};
use crate::error::Error;
use crate::page::Window;

/// Users read at once.
const PAGE: usize = 500;

#[derive(Args)]
#[command(after_help = format!("--json prints one array.\n{}", account::SHAPE))]
pub(super) struct List {
    /// Only those whose username, name or e-mail address contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those whose e-mail address another account has, too: they sign in by username alone
    #[arg(long)]
    conflicts: bool,
    /// At most so many [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    shape: Shape,
}

pub(super) async fn run(app: &App, options: &List) -> anyhow::Result<()> {
    let limit = options.limit.map_or(usize::MAX, std::num::NonZero::get);
    let (users, more) = read(app, options, limit).await.map_err(fault)?;
    options.shape.print(&HEADERS, &users, user::Model::export, account::row)?;
    if more {
        use std::io::Write as _;
        writeln!(std::io::stderr(), "There are more than these {limit}.")?;
    }
    Ok(())
}

/// So many users, and whether there are more.
async fn read(app: &App, options: &List, limit: usize) -> Result<(Vec<user::Model>, bool), Error> {
    let search = options.search.as_deref();
    let (operator, mut users) = (Caller::operator(), Vec::<user::Model>::new());
    loop {
        let after = users.last().map(|user| user.username_key.clone());
        let rows = PAGE.min(limit - users.len());
        let window = Window { after, before: None, rows, backward: false };
        let page = if options.conflicts {
            app.accounts.list_email_conflicts(&operator, search, &window).await?
        } else {
            app.accounts.list_users(&operator, search, &window).await?
        };
        users.extend(page.rows);
        if !page.has_next || users.len() >= limit {
            return Ok((users, page.has_next));
        }
    }
}
