//! `cloakroom users add` and `set-password`: what takes a password.

use clap::Args;

use crate::accounts::{AddUser, Profile, Secret, user};
use crate::app::App;
use crate::caller::Caller;
use crate::cli::fault::fault;
use crate::cli::table::Shape;
use crate::cli::users::secret::Source;
use crate::cli::users::{account, require};

#[derive(Args)]
#[command(after_help = "\
Without --password-stdin and --generate-password the password is asked for. It is only checked for
its length: from 8 to 1,024 characters. --json has a generated one as `password`.

Examples:
  cloakroom users add anna --admin
  cloakroom users add bob --email bob@example.org --verified --generate-password")]
pub(super) struct Add {
    /// The name to sign in with
    username: String,
    /// Their e-mail address
    #[arg(long)]
    email: Option<String>,
    /// A name to show
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// Make them an administrator
    #[arg(long)]
    admin: bool,
    /// Take it that the address is theirs
    #[arg(long, requires = "email")]
    verified: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Args)]
#[command(after_help = "\
Without --password-stdin and --generate-password the password is asked for. Every session of the
user ends, API keys stay; the user is told by mail. --json has a generated one as `password`.

Examples:
  cloakroom users set-password anna
  pwgen -s 20 1 | tee secret | cloakroom users set-password anna --password-stdin")]
pub(super) struct SetPassword {
    /// Username, e-mail address or id
    who: String,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    shape: Shape,
}

pub(super) async fn run(app: &App, options: &Add) -> anyhow::Result<()> {
    let chosen = options.source.choose()?;
    let (username, email) = (Some(options.username.clone()), options.email.clone());
    let input = AddUser {
        profile: Profile { email, username, display_name: options.display_name.clone() },
        secret: Secret::Password(chosen.password),
        role: if options.admin { user::Role::Admin } else { user::Role::User },
        email_verified: options.verified,
        created_at: None,
    };
    let user = app.accounts.add_user(&Caller::operator(), input).await.map_err(fault)?;
    account::print(options.shape, &user, chosen.generated.as_ref().map(|text| text.as_str()))
}

pub(super) async fn set_password(app: &App, options: &SetPassword) -> anyhow::Result<()> {
    let user = require(app, &options.who).await?;
    let chosen = options.source.choose()?;
    let user = app.accounts.set_password(&Caller::operator(), user.id, chosen.password).await.map_err(fault)?;
    account::print(options.shape, &user, chosen.generated.as_ref().map(|text| text.as_str()))
}
