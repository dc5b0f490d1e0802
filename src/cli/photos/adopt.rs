//! `cloakroom photos adopt`.

use anyhow::bail;
use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::table::Shape;

#[derive(Args)]
#[command(after_help = "\
A storage belongs to one database: both keep the same random ids, the storage in the file or object
cloakroom-storage.json. A server whose storage is another one refuses to start. This command assigns
the storage that the settings name to the database, in place of earlier assignments of both; it is
needed after that file was lost, or after photos were moved without it.

Make sure that it is the right storage: files that this database does not know are moved to
lost+found/ by `photos check --repair`. Servers that use another storage stop accepting uploads at
once.

Example:
  cloakroom photos adopt --yes")]
pub(in crate::cli) struct Adopt {
    /// Assign the storage; without this flag, only look for photo files of this database in it
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    shape: Shape,
}

pub(super) async fn run(app: &App, options: &Adopt) -> anyhow::Result<()> {
    let operator = Caller::operator();
    let sample = app.photos.sample_storage(&operator).await.map_err(fault)?;
    let (place, sampled, found) = (app.photos.storage_place(), sample.sampled, sample.found);
    if !options.yes {
        bail!(
            "{place} has {found} of {sampled} photo files of this database that were looked for: to assign it, say --yes"
        );
    }
    let identity = app.photos.adopt_storage(&operator).await.map_err(fault)?;
    let document = json!({
        "place": place,
        "databaseId": identity.database_id.to_string(),
        "storageId": identity.storage_id.to_string(),
        "sampledFiles": sampled,
        "foundFiles": found,
    });
    options.shape.print_one(&document, || {
        format!(
            "{place} is the storage {} of this database now. It has {found} of {sampled} photo files that were looked \
             for; `cloakroom photos check` looks for all of them.",
            identity.storage_id
        )
    })
}
