//! `cloakroom users show`.

use serde_json::{Value, json};

use crate::accounts::{Inspected, account_event, api_key, session, user};
use crate::app::App;
use crate::caller::{Caller, Scope, Scopes};
use crate::cli::fault::fault;
use crate::cli::table::columns;
use crate::cli::users::account::{moment, or_dash};
use crate::cli::users::{Who, require};

pub(super) async fn run(app: &App, who: &Who) -> anyhow::Result<()> {
    let id = require(app, &who.who).await?.id;
    let seen = app.accounts.inspect(&Caller::operator(), id).await.map_err(fault)?;
    who.shape.print_one(&document(&seen), || text(&seen))
}

fn document(seen: &Inspected) -> Value {
    let mut document = seen.user.export();
    let events = seen.events.iter().map(|(event, by)| {
        let mut event = event.export();
        if let Value::Object(event) = &mut event {
            event.insert("byUsername".to_owned(), json!(by));
        }
        event
    });
    document.extend([
        ("sessions".to_owned(), seen.sessions.iter().map(session::Model::export).collect()),
        ("apiKeys".to_owned(), seen.api_keys.iter().map(api_key::Model::export).collect()),
        ("events".to_owned(), events.collect()),
    ]);
    Value::Object(document)
}

fn text(seen: &Inspected) -> String {
    let user = &seen.user;
    let verified = user.email_verified_at.map_or("not verified".to_owned(), |at| format!("verified {}", moment(at)));
    let about = [
        ("Id", user.id.to_string()),
        ("Username", user.username.clone()),
        ("Display name", or_dash(user.name.as_ref())),
        ("E-mail", or_dash(user.email.as_ref().map(|email| format!("{email} ({verified})")))),
        ("Role", user.role.name().to_lowercase()),
        ("State", state(user)),
        ("Created", moment(user.created_at)),
        ("Updated", moment(user.updated_at)),
    ];
    let about = columns(&["ACCOUNT", ""], about.map(|(what, is)| vec![what.to_owned(), is]));
    let sessions = columns(&["SESSION", "CREATED", "USED", "ADDRESS", "DEVICE"], seen.sessions.iter().map(of_session));
    let keys = columns(&["API KEY", "BEGINS", "SCOPES", "USED", "EXPIRES"], seen.api_keys.iter().map(of_key));
    let events = columns(&["EVENT", "AT", "BY", "ADDRESS", "PROGRAM"], seen.events.iter().map(of_event));
    [about, sessions, keys, events].join("\n\n")
}

/// Everything that keeps the user out, each with its time.
fn state(user: &user::Model) -> String {
    let obstacles = [
        user.deleted_at.map(|since| format!("deleted since {}", moment(since))),
        user.unconfirmed_until.map(|until| format!("unconfirmed until {}", moment(until))),
        user.suspended_at.map(|since| format!("suspended since {}", moment(since))),
    ];
    let obstacles: Vec<String> = obstacles.into_iter().flatten().collect();
    if obstacles.is_empty() { user.state().name().to_lowercase() } else { obstacles.join(", ") }
}

fn of_session(session: &session::Model) -> Vec<String> {
    vec![
        session.id.to_string(),
        moment(session.created_at),
        moment(session.last_used_at.unwrap_or(session.created_at)),
        or_dash(session.ip_address.as_ref()),
        or_dash(session.name.as_ref().or(session.user_agent.as_ref())),
    ]
}

fn of_key(key: &api_key::Model) -> Vec<String> {
    let scopes: Vec<&str> = Scopes::from_bits(key.scopes).list().map(Scope::name).collect();
    let only = key.counter_name.as_ref().map_or(String::new(), |name| format!(" on {name}"));
    vec![
        key.name.clone(),
        key.prefix.clone(),
        scopes.join(",") + &only,
        or_dash(key.last_used_at.map(moment)),
        or_dash(key.expires_at.map(moment)),
    ]
}

fn of_event((event, by): &(account_event::Model, Option<String>)) -> Vec<String> {
    // Somebody who is gone is left as an id.
    let by = by.clone().or_else(|| event.actor_id.map(|id| id.to_string()));
    let by = match (by, event.actor_kind) {
        (Some(by), Some(account_event::ActorKind::Console)) => Some(format!("{by} (console)")),
        (by, kind) => by.or_else(|| kind.map(|kind| kind.name().to_lowercase())),
    };
    let what = [Some(event.kind.name()), event.subject.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    vec![
        what,
        moment(event.created_at),
        or_dash(by),
        or_dash(event.ip_address.as_ref()),
        or_dash(event.user_agent.as_ref()),
    ]
}
