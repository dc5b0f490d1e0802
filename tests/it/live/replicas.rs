//! Several servers on one database. PostgreSQL only: SQLite's file belongs to one process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom::app::App;
use cloakroom::photos::FirstUse;
use cloakroom::store::Database;

use super::{CURRENT, current, serve, sign_on};
use crate::support::{Caller, Listening, Promptness, TestApp, TestDatabase};

/// A second server on the first one's database.
pub async fn second(test: &TestApp) -> (Arc<App>, Listening) {
    let database = Database::open(&test.config.database, test.data_dir()).await.expect("the database opens");
    let app = Arc::new(App::start(&test.config, database, test.clock.clone()).expect("the app starts"));
    app.photos.attach_storage(FirstUse::Refuse).await.expect("it is the first one's storage");
    let router = cloakroom::http::router(Arc::clone(&app), &test.config).expect("the router is built");
    let server = Listening::serve(router, test.config.clone()).await;
    (app, server)
}

#[tokio::test]
async fn a_change_through_one_server_reaches_the_watchers_of_another_by_a_signal() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, here, user) = serve().await;
    let (app, there) = second(&test).await;
    let create = "mutation { createCounter(input: { name: \"other\" }) { userErrors { code } } }";
    user.run(create).await.data();
    let mut sockets = [sign_on(&here, &user).await, sign_on(&there, &user).await];
    for socket in &mut sockets {
        socket.subscribe("a", CURRENT).await;
        socket.answer("a").await;
        socket.subscribe("o", "subscription { current(counter: \"other\") }").await;
        socket.answer("o").await;
    }
    let elsewhere =
        Caller::new(cloakroom::http::router(Arc::clone(&app), &test.config).expect("a router"), user.token.clone());
    // By looking alone it would take 5 s each.
    let mut prompt = Promptness::within(Duration::from_secs(1));
    for round in 1..=40 {
        let door = if round % 2 == 0 { &user } else { &elsewhere };
        let changed = Instant::now();
        assert_eq!(door.next().await, round);
        for socket in &mut sockets {
            assert_eq!(current(&socket.answer("a").await), round);
        }
        prompt.came(changed);
    }
    prompt.assert();
    user.run("mutation { deleteCounter(input: { name: \"other\" }) { deletedCounterId } }").await.data();
    for socket in &mut sockets {
        assert_eq!(socket.answer("o").await["errors"][0]["extensions"]["code"], "NOT_FOUND");
        socket.completed("o").await;
    }
    app.stop().await;
}

/// More counters than a signal has names for.
#[tokio::test]
async fn so_many_changes_that_a_signal_cannot_name_them_still_arrive() {
    const COUNTERS: usize = 900;
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, _here, user) = serve().await;
    let (app, there) = second(&test).await;
    for n in 0..COUNTERS {
        let create = format!("mutation {{ createCounter(input: {{ name: \"c{n}\" }}) {{ userErrors {{ code }} }} }}");
        assert_eq!(user.run(&create).await.user_errors("createCounter"), [""; 0]);
    }
    let mut socket = sign_on(&there, &user).await;
    for n in (0..COUNTERS).step_by(100) {
        socket.subscribe(&n.to_string(), &format!("subscription {{ current(counter: \"c{n}\") }}")).await;
        socket.answer(&n.to_string()).await;
    }
    let all = (0..COUNTERS).map(|n| {
        let user = user.clone();
        async move {
            user.run(&format!("mutation {{ next(input: {{ counter: \"c{n}\" }}) {{ value }} }}")).await.data();
        }
    });
    futures_util::future::join_all(all).await;
    for _ in (0..COUNTERS).step_by(100) {
        assert_eq!(current(&socket.hear().await.expect("a message")["payload"]), 1);
    }
    app.stop().await;
}
