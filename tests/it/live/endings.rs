//! Open connections end when their session does (S10).

use serde_json::{Value, json};

use super::client::Socket;
use super::event_stream::Events;
use super::{CURRENT, current, serve, sign_on, token};
use crate::support::{Caller, Listening, PASSWORD};

/// A socket and an event stream of one caller, both listening.
pub struct Open {
    socket: Socket,
    events: Events,
}

impl Open {
    pub async fn of(server: &Listening, caller: &Caller) -> Self {
        let mut socket = sign_on(server, caller).await;
        socket.subscribe("a", CURRENT).await;
        let shown = current(&socket.answer("a").await);
        let mut events = Events::post(server, caller.token.as_deref(), CURRENT).await;
        assert_eq!(current(&events.next().await), shown);
        Self { socket, events }
    }

    /// Asserts that both have ended, and said why.
    pub async fn end(mut self, why: &str) {
        assert_eq!(self.socket.hear().await.map_err(|(code, _)| code), Err(4403), "{why}");
        let last = self.events.next().await;
        assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{why}: {last}");
        assert_eq!(last.get("data"), None, "{why}");
        self.events.completes().await;
    }

    /// Asserts that both hear of changes.
    pub async fn go_on(&mut self, caller: &Caller) {
        self.hear(caller.next().await).await;
    }

    async fn hear(&mut self, value: i64) {
        self.socket.hear_until("a", |answer| current(answer) == value).await;
        while current(&self.events.next().await) != value {}
    }
}

async fn run(caller: &Caller, mutation: &str) -> Value {
    let reply = caller.run(&format!("mutation {{ {mutation} }}")).await;
    let data = reply.data().clone();
    assert!(!data.to_string().contains("\"code\""), "{data}");
    data
}

async fn session_id(caller: &Caller) -> String {
    let reply = caller.run("{ viewer { session { id } } }").await;
    reply.data()["viewer"]["session"]["id"].as_str().expect("an id").to_owned()
}

/// Who does what to the session of `anna`'s, and what the administrator is called.
pub async fn end_by(way: &str, anna: &Caller, other: &Caller, root: &Caller) {
    let id = || anna.user_id();
    let operation = match way {
        "logout" => return drop(run(anna, "logout { endedSessions }").await),
        "logout of the token" => {
            return drop(run(anna, "logout(input: { scope: ACCESS_TOKEN }) { endedSessions }").await);
        }
        "logout everywhere" => "logout(input: { scope: ALL_SESSIONS }) { endedSessions }".to_owned(),
        "endSession" => {
            let id = session_id(anna).await;
            format!("endSession(input: {{ sessionId: \"{id}\" }}) {{ userErrors {{ code }} }}")
        }
        "changePassword" => format!(
            "changePassword(input: {{ currentPassword: \"{PASSWORD}\", newPassword: \"quarry lantern 52 violin\" }})
             {{ userErrors {{ code }} }}"
        ),
        "deleteAccount" => {
            format!("deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ userErrors {{ code }} }}")
        }
        _ => {
            let suspend = format!("suspendUser(input: {{ userId: \"{}\" }}) {{ userErrors {{ code }} }}", id().await);
            return drop(run(root, &suspend).await);
        }
    };
    run(other, &operation).await;
}

pub const WAYS: [&str; 7] = [
    "logout",
    "logout of the token",
    "logout everywhere",
    "endSession",
    "changePassword",
    "deleteAccount",
    "suspendUser",
];

#[tokio::test]
async fn whatever_ends_a_session_ends_its_connections() {
    for way in WAYS {
        let (test, server, _) = serve().await;
        test.app.start_upkeep();
        let root = test.admin("root").await;
        let bert = test.sign_up("bert").await;
        let (anna, other) = (test.sign_in("anna").await, test.sign_in("anna").await);
        let (open, mut berts) = (Open::of(&server, &anna).await, Open::of(&server, &bert).await);
        end_by(way, &anna, &other, &root).await;
        open.end(way).await;
        berts.go_on(&bert).await;
        let mut refused = Socket::open(server.address).await;
        refused.ask_to_begin(anna.token.as_deref()).await;
        assert_eq!(refused.closed().await, 4403, "{way}");
    }
}

#[tokio::test]
async fn what_ends_another_session_or_nothing_ends_no_connection() {
    let (test, server, anna) = serve().await;
    test.app.start_upkeep();
    let root = test.admin("root").await;
    let mut open = Open::of(&server, &anna).await;
    for way in ["logout", "logout of the token", "endSession"] {
        end_by(way, &test.sign_in("anna").await, &anna, &root).await;
        open.go_on(&anna).await;
    }
    run(&anna, "logout(input: { scope: REFRESH_TOKEN }) { endedSessions }").await;
    open.go_on(&anna).await;
    let keep = format!(
        "changePassword(input: {{ currentPassword: \"{PASSWORD}\", newPassword: \"quarry lantern 52 violin\",
         sessions: KEEP }}) {{ userErrors {{ code }} }}"
    );
    run(&anna, &keep).await;
    open.go_on(&anna).await;
    let role = format!(
        "setUserRole(input: {{ userId: \"{}\", role: ADMIN }}) {{ userErrors {{ code }} }}",
        anna.user_id().await
    );
    run(&root, &role).await;
    open.go_on(&anna).await;
}

#[tokio::test]
async fn a_revoked_api_key_ends_its_connections_and_no_others() {
    let (test, server, anna) = serve().await;
    let create = "createApiKey(input: { password: \"correct horse battery\", name: \"k\", scopes: [COUNTERS_READ] }) { secret apiKey { id } }";
    let (first, second) = (run(&anna, create).await, run(&anna, create).await);
    let caller = |created: &Value| test.bearer(created["createApiKey"]["secret"].as_str());
    let ended = Open::of(&server, &caller(&first)).await;
    let mut kept = [Open::of(&server, &caller(&second)).await, Open::of(&server, &anna).await];
    let id = &first["createApiKey"]["apiKey"]["id"];
    run(&anna, &format!("revokeApiKey(input: {{ apiKeyId: {id} }}) {{ userErrors {{ code }} }}")).await;
    ended.end("revoked").await;
    let value = anna.next().await;
    for open in &mut kept {
        open.hear(value).await;
    }
    // Whoever it is of may no longer act, and it neither.
    test.app.start_upkeep();
    let root = test.admin("root").await;
    end_by("suspendUser", &anna, &anna, &root).await;
    for open in kept {
        open.end("suspended").await;
    }
}

/// The mutation that ends the session, over the socket itself: it is told, or the socket just closed.
#[tokio::test]
async fn a_logout_over_the_socket_ends_the_socket() {
    let (_test, server, anna) = serve().await;
    let mut socket = sign_on(&server, &anna).await;
    socket.subscribe("a", CURRENT).await;
    socket.answer("a").await;
    socket.subscribe("b", "mutation { logout { endedSessions } }").await;
    let mut said = Vec::new();
    let code = loop {
        match socket.hear().await {
            Ok(message) => said.push(message),
            Err((code, _)) => break code,
        }
    };
    assert_eq!(code, 4403);
    let told = json!({ "type": "next", "id": "b", "payload": { "data": { "logout": { "endedSessions": 1 } } } });
    assert!(said.iter().all(|message| *message == told || message["type"] == "complete"), "{said:?}");
    assert_eq!(anna.run("{ current }").await.code(), "UNAUTHENTICATED");
}

/// PostgreSQL: the servers do not tell each other, but look every second.
#[tokio::test]
async fn whatever_ends_a_session_through_one_server_ends_its_connections_to_another() {
    if crate::support::TestDatabase::is_sqlite() {
        return;
    }
    for way in WAYS {
        let (test, _, _) = serve().await;
        let (second, there) = super::replicas::second(&test).await;
        second.start_upkeep();
        let root = test.admin("root").await;
        let (anna, other) = (test.sign_in("anna").await, test.sign_in("anna").await);
        let open = Open::of(&there, &anna).await;
        end_by(way, &anna, &other, &root).await;
        open.end(way).await;
        second.stop().await;
    }
}

/// SQLite: `cloakroom users` and the like write beside the server.
#[tokio::test]
async fn what_another_program_ends_ends_connections() {
    if !crate::support::TestDatabase::is_sqlite() {
        return;
    }
    use sea_orm::ConnectionTrait as _;
    let (test, server, anna) = serve().await;
    test.app.start_upkeep();
    let bert = test.sign_up("bert").await;
    let (open, mut berts) = (Open::of(&server, &anna).await, Open::of(&server, &bert).await);
    let url = format!("sqlite://{}?mode=rw", test.data_dir().join("cloakroom.db").display());
    let other = sea_orm::Database::connect(url).await.expect("the database opens");
    let suspend = "UPDATE users SET suspended_at = created_at WHERE username_key = 'anna'";
    other.execute_unprepared(suspend).await.expect("it is written");
    open.end("suspended").await;
    berts.go_on(&bert).await;
    assert!(!token(&anna).is_empty());
}
