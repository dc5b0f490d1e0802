//! A change of a role or of scopes reaches subscriptions that are open.

use cloakroom::accounts::user::Role;
use sea_orm::ConnectionTrait as _;
use serde_json::Value;

use super::client::Socket;
use super::event_stream::Events;
use super::{CURRENT, current, serve, sign_on};
use crate::support::{Caller, PATIENCE, TestApp, TestDatabase, alter};

const PUBLISHED: &str = "subscription { photoPublished { author { email } } }";

/// A socket and an event stream of one caller that show the address of whoever publishes.
struct Open {
    socket: Socket,
    events: Events,
}

impl Open {
    async fn of(server: &crate::support::Listening, caller: &Caller) -> Self {
        let mut socket = sign_on(server, caller).await;
        socket.subscribe("a", PUBLISHED).await;
        let events = Events::post(server, caller.token.as_deref(), PUBLISHED).await;
        Self { socket, events }
    }

    /// Publishes photos until both show the author's address as expected.
    async fn until_shown(&mut self, author: &Caller, expected: &Value) {
        let both = async {
            let (mut by_socket, mut by_events) = (false, false);
            while !(by_socket && by_events) {
                author.publish("#rights").await;
                let email = |answer: &Value| answer["data"]["photoPublished"]["author"]["email"].clone();
                let wait = std::time::Duration::from_millis(200);
                while let Ok(answer) = tokio::time::timeout(wait, self.socket.answer("a")).await {
                    by_socket = email(&answer) == *expected;
                }
                while let Ok(answer) = tokio::time::timeout(wait, self.events.next()).await {
                    by_events = email(&answer) == *expected;
                }
            }
        };
        tokio::time::timeout(PATIENCE, both).await.expect("the change arrives");
    }
}

/// Changes the database as another program, which does not tell the server.
async fn alter_outside(test: &TestApp, sql: &'static str) {
    if !TestDatabase::is_sqlite() {
        return alter(test, sql).await;
    }
    let url = format!("sqlite://{}?mode=rw", test.data_dir().join("cloakroom.db").display());
    let other = sea_orm::Database::connect(url).await.expect("the database opens");
    other.execute_unprepared(sql).await.expect("it is written");
}

async fn set_role(root: &Caller, id: &str, role: &str) {
    let set =
        format!("mutation {{ setUserRole(input: {{ userId: \"{id}\", role: {role} }}) {{ userErrors {{ code }} }} }}");
    root.run(&set).await.data();
}

#[tokio::test]
async fn a_change_of_the_role_reaches_open_subscriptions() {
    let (test, server, author) = serve().await;
    test.app.start_upkeep();
    let root = test.admin("root").await;
    let boss = test.admin("boss").await;
    let id = boss.user_id().await;
    let boss = test.sign_in("boss").await;
    let mut open = Open::of(&server, &boss).await;
    let (shown, hidden) = (Value::from("anna@example.org"), Value::Null);
    open.until_shown(&author, &shown).await;
    set_role(&root, &id, "USER").await;
    open.until_shown(&author, &hidden).await;
    set_role(&root, &id, "ADMIN").await;
    open.until_shown(&author, &shown).await;
    test.promote(&boss, Role::User).await;
    open.until_shown(&author, &hidden).await;
}

/// Another program changes the rows, as a command line on another machine does.
#[tokio::test]
async fn rights_that_another_program_takes_away_are_gone_within_the_recheck_interval() {
    let test = TestApp::with_config(|config| config.accounts.session_recheck_seconds = 1).await;
    let author = test.sign_up("anna").await;
    let server = crate::support::Listening::start(&test).await;
    test.app.start_upkeep();
    test.admin("boss").await;
    let boss = test.sign_in("boss").await;
    let mut open = Open::of(&server, &boss).await;
    open.until_shown(&author, &Value::from("anna@example.org")).await;
    let key = test.key_of(&author, "scopes: [COUNTERS_READ, COUNTERS_NEXT]").await;
    let mut limited = sign_on(&server, &key).await;
    limited.subscribe("a", CURRENT).await;
    current(&limited.answer("a").await);
    alter_outside(&test, "UPDATE users SET role = 'user' WHERE username_key = 'boss'").await;
    alter_outside(&test, "UPDATE api_keys SET scopes = 4").await;
    open.until_shown(&author, &Value::Null).await;
    let code = loop {
        match limited.hear().await {
            Ok(_) => {}
            Err((code, _)) => break code,
        }
    };
    assert_eq!(code, 4403);
    assert_eq!(key.run("{ current }").await.code(), "FORBIDDEN");
}
