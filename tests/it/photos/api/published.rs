//! `photoPublished`: what listeners hear, on whatever server.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloakroom::app::App;
use cloakroom::caller::{Caller as Asking, Identity, Origin};
use cloakroom::clock::Clock;
use cloakroom::id::{PhotoId, UserId};
use cloakroom::photos::{Filter, FirstUse, photo};
use cloakroom::store::Database;
use futures_util::StreamExt as _;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use crate::live::{Events, Socket, second, serve, sign_on};
use crate::support::{Caller, TestApp, TestDatabase, alter};

/// Listens on this socket, under these ids with these arguments.
async fn subscribe(socket: &mut Socket, subscriptions: &[(&str, &str)]) {
    for (id, arguments) in subscriptions {
        let shown = "id state caption tags author { username } image { width } publishedAt";
        socket.subscribe(id, &format!("subscription {{ photoPublished{arguments} {{ {shown} }} }}")).await;
    }
}

/// What has come by now: whatever is asked last is answered first.
async fn heard(socket: &mut Socket) -> Vec<(String, Value)> {
    let echo = json!({ "asked": uuid::Uuid::now_v7() });
    socket.say(&json!({ "type": "ping", "payload": echo })).await;
    let mut heard = Vec::new();
    loop {
        let mut message = socket.hear().await.expect("a message");
        if message["type"] == "pong" && message["payload"] == echo {
            return heard;
        }
        assert_eq!(message["type"], "next", "{message}");
        let id = message["id"].as_str().expect("an id").to_owned();
        heard.push((id, message["payload"]["data"]["photoPublished"].take()));
    }
}

/// Has `author` publish a photo with this caption until all of these have heard of it: a subscription has no first
/// answer by which to know that it has begun. Returns what came before it.
async fn until_heard(
    test: &TestApp,
    author: &Caller,
    caption: &str,
    listeners: &mut [(&mut Socket, &[(&str, &str)])],
) -> Vec<BTreeMap<String, Vec<Value>>> {
    let marker = author.draft(caption).await;
    let mut all: Vec<BTreeMap<String, Vec<Value>>> = Vec::new();
    for (socket, subscriptions) in listeners {
        let mut waiting: Vec<&str> = subscriptions.iter().map(|(id, _)| *id).collect();
        let mut before: BTreeMap<String, Vec<Value>> =
            waiting.iter().map(|id| ((*id).to_owned(), Vec::new())).collect();
        while !waiting.is_empty() {
            test.clock.advance(1);
            author.change("publishPhotos", &[&marker]).await;
            for (id, photo) in heard(socket).await {
                match photo["id"] == marker {
                    true => waiting.retain(|waiting| *waiting != id),
                    // One of an earlier call may come late.
                    false if photo["caption"] == caption => {}
                    false => before.get_mut(&id).expect("a subscription").push(photo),
                }
            }
            author.change("unpublishPhotos", &[&marker]).await;
        }
        all.push(before);
    }
    author.change("deletePhotos", &[&marker]).await;
    all
}

fn captions(photos: &[Value]) -> Vec<&str> {
    photos.iter().map(|photo| photo["caption"].as_str().unwrap_or_default()).collect()
}

const ALL: &[(&str, &str)] = &[
    ("all", ""),
    ("anna", "(author: \"ANNA\")"),
    ("sea", "(tags: [\"#Sea\"])"),
    ("both", "(author: \"anna\", tags: [\"sea\", \"sun\"])"),
];

#[tokio::test]
async fn listeners_hear_what_is_published_and_passes_their_filters() {
    let (test, server, anna) = serve().await;
    let (bert, listener) = (test.sign_up("bert").await, test.sign_up("carl").await);
    let mut socket = sign_on(&server, &listener).await;
    anna.publish("#sea before anybody listens").await;
    subscribe(&mut socket, ALL).await;
    let marker = "#sea #sun marker";
    let before = until_heard(&test, &anna, marker, &mut [(&mut socket, ALL)]).await;
    assert!(before[0].values().all(Vec::is_empty), "what was published before is old: {before:?}");

    // In turn, each a moment after the other.
    test.clock.advance(1);
    let one = anna.publish("one #sea").await;
    test.clock.advance(1);
    bert.publish("two #Sea #sun").await;
    test.clock.advance(1);
    anna.draft("a draft #sea #sun").await;
    let three = anna.draft("three #sun").await;
    anna.edit(&[(&three, Some("three, edited #sun #sea"))]).await;
    anna.change("publishPhotos", &[&three]).await;
    test.clock.advance(1);
    bert.publish("four").await;
    // What is published already, or edited, is no news.
    anna.change("publishPhotos", &[&one, &three]).await;
    anna.edit(&[(&one, Some("one, edited #sea"))]).await;
    let found = until_heard(&test, &anna, marker, &mut [(&mut socket, ALL)]).await.remove(0);
    assert_eq!(captions(&found["all"]), ["one #sea", "two #Sea #sun", "three, edited #sun #sea", "four"]);
    assert_eq!(captions(&found["anna"]), ["one #sea", "three, edited #sun #sea"]);
    assert_eq!(captions(&found["sea"]), ["one #sea", "two #Sea #sun", "three, edited #sun #sea"]);
    assert_eq!(captions(&found["both"]), ["three, edited #sun #sea"]);
    let photo = &found["both"][0];
    assert_eq!(
        (&photo["id"], &photo["state"], &photo["tags"]),
        (&json!(three), &json!("PUBLISHED"), &json!(["sun", "sea"]))
    );
    assert_eq!((&photo["author"]["username"], &photo["image"]["width"]), (&json!("anna"), &json!(40)));

    // Published again it is news again.
    test.clock.advance(1);
    anna.change("unpublishPhotos", &[&three]).await;
    anna.change("publishPhotos", &[&three]).await;
    let found = until_heard(&test, &anna, marker, &mut [(&mut socket, ALL)]).await.remove(0);
    assert_eq!(captions(&found["both"]), ["three, edited #sun #sea"]);
}

#[tokio::test]
async fn whoever_listens_hears_of_what_other_servers_publish() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, here, anna) = serve().await;
    let (app, there) = second(&test).await;
    let (mut near, mut far) = (sign_on(&here, &anna).await, sign_on(&there, &anna).await);
    let elsewhere =
        Caller::new(cloakroom::http::router(Arc::clone(&app), &test.config).expect("a router"), anna.token.clone());
    for socket in [&mut near, &mut far] {
        subscribe(socket, ALL).await;
    }
    let marker = "#sea #sun marker";
    until_heard(&test, &anna, marker, &mut [(&mut near, ALL), (&mut far, ALL)]).await;
    for (number, author) in [&anna, &elsewhere, &anna, &elsewhere].into_iter().enumerate() {
        test.clock.advance(1);
        author.publish(&format!("{number} #sea")).await;
    }
    anna.draft("a draft #sea #sun").await;
    let found = until_heard(&test, &anna, marker, &mut [(&mut near, ALL), (&mut far, ALL)]).await;
    for found in found {
        let mut heard = captions(&found["sea"]);
        heard.sort_unstable();
        assert_eq!(heard, ["0 #sea", "1 #sea", "2 #sea", "3 #sea"]);
        assert_eq!(found["both"], [Value::Null; 0]);
    }
    app.stop().await;
}

#[tokio::test]
async fn listening_ends_with_the_session() {
    let (test, server, anna) = serve().await;
    let mut socket = sign_on(&server, &anna).await;
    subscribe(&mut socket, ALL).await;
    until_heard(&test, &anna, "#sea #sun", &mut [(&mut socket, ALL)]).await;
    let mut events = Events::post(&server, anna.token.as_deref(), "subscription { photoPublished { id } }").await;
    assert_eq!(events.status, 200);
    let bert = test.sign_up("bert").await;
    assert_eq!(anna.run("mutation { logout { endedSessions } }").await.data()["logout"]["endedSessions"], 1);
    bert.publish("#sea").await;
    assert_eq!(socket.closed().await, 4403);
    let last = events.next().await;
    assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{last}");
    events.completes().await;
}

pub(super) async fn asking(caller: &Caller) -> Asking {
    let user = UserId::parse(&caller.user_id().await).expect("an id");
    Asking { identity: Identity::Impersonated { user, admin: false }, origin: Origin::default(), idempotency_key: None }
}

/// Announcements that wait for a listener at most.
const LOGGED: usize = 32_768;

#[tokio::test]
async fn a_listener_that_is_slow_misses_the_oldest_and_one_that_keeps_up_receives_everything() {
    let test = TestApp::with_config(|config| config.photos.max_per_user = 100_000).await;
    let anna = test.sign_up("anna").await;
    let bert = asking(&test.sign_up("bert").await).await;
    let filter = Filter::default();
    let Ok(mut slow) = test.app.photos.watch(&bert, &filter).await else { panic!("nobody listens") };
    let Ok(mut quick) = test.app.photos.watch(&bert, &filter).await else { panic!("nobody listens") };
    let author = UserId::parse(&anna.user_id().await);
    let drafts: Vec<PhotoId> = (0..LOGGED + 44).map(|_| PhotoId::generate()).collect();
    let mut expected = Vec::new();
    // In two halves, because whoever is quick has not begun when the first is logged.
    for half in drafts.chunks(drafts.len() / 2) {
        for some in half.chunks(1000) {
            add_drafts(&test, author, some).await;
        }
        // Far more at once than one look reads, and all in one moment.
        let moment = Clock::System.now().format("%Y-%m-%dT%H:%M:%S+00:00");
        let sql = format!("UPDATE photos SET published = true, announced_at = '{moment}' WHERE published = false");
        alter(&test, sql.leak()).await;
        let wake = anna.publish("wakes the search").await;
        let mut published = half.to_vec();
        published.sort_unstable();
        published.push(PhotoId::parse(&wake).expect("an id"));
        for id in &published {
            assert_eq!(quick.next().await.expect("another one").expect("a photo").id, *id);
        }
        expected.extend(published);
    }
    let heard = slow.next().await.expect("another one").expect("a photo").id;
    let place = expected.iter().position(|id| *id == heard).expect("one of them");
    assert_eq!(expected.len() - place, LOGGED, "so many waited");
    for id in &expected[place + 1..place + 100] {
        assert_eq!(slow.next().await.expect("another one").expect("a photo").id, *id);
    }
}

/// A transaction that announces photos may take until the others have announced theirs.
#[tokio::test]
async fn a_photo_whose_commit_took_long_is_heard_of_after_later_ones() {
    let (test, anna) = TestApp::with_user().await;
    let bert = asking(&test.sign_up("bert").await).await;
    let Ok(mut news) = test.app.photos.watch(&bert, &Filter::default()).await else { panic!("nobody listens") };
    let (late, early) = (anna.draft("late").await, anna.draft("early").await);
    anna.change("publishPhotos", &[&early]).await;
    assert_eq!(news.next().await.expect("another one").expect("a photo").id.to_string(), early);
    // As if it had been announced 20 seconds before, and committed now.
    let before = (Clock::System.now() - chrono::TimeDelta::seconds(20)).format("%Y-%m-%dT%H:%M:%S+00:00");
    let sql = format!("UPDATE photos SET published = true, announced_at = '{before}' WHERE caption = 'late'").leak();
    alter(&test, sql).await;
    assert_eq!(news.next().await.expect("another one").expect("a photo").id.to_string(), late);
    let next = anna.publish("next").await;
    assert_eq!(news.next().await.expect("another one").expect("a photo").id.to_string(), next, "each once");
}

#[tokio::test]
async fn a_replica_whose_clock_is_two_minutes_off_is_heard_and_hears() {
    if TestDatabase::is_sqlite() {
        return; // It has one server.
    }
    let (test, anna) = TestApp::with_user().await;
    let bert = asking(&test.sign_up("bert").await).await;
    let own_clock = test.clock.now();
    for skew in [-120, 120] {
        let clock = Clock::fixed(own_clock + chrono::TimeDelta::seconds(skew));
        let database = Database::open(&test.config.database, test.data_dir()).await.expect("the database opens");
        let app = Arc::new(App::start(&test.config, database, clock).expect("the app starts"));
        app.photos.attach_storage(FirstUse::Refuse).await.expect("the same storage");
        let router = cloakroom::http::router(Arc::clone(&app), &test.config).expect("a router");
        let elsewhere = Caller::new(router, anna.token.clone());
        let Ok(mut near) = test.app.photos.watch(&bert, &Filter::default()).await else { panic!("nobody listens") };
        let Ok(mut far) = app.photos.watch(&bert, &Filter::default()).await else { panic!("nobody listens") };
        for author in [&anna, &elsewhere, &anna, &elsewhere] {
            let id = author.publish("news").await;
            for listener in [&mut near, &mut far] {
                assert_eq!(listener.next().await.expect("another one").expect("a photo").id.to_string(), id);
            }
        }
        app.stop().await;
    }
}

/// Photos without images, as many as one likes.
async fn add_drafts(test: &TestApp, author: Option<UserId>, ids: &[PhotoId]) {
    let now = test.clock.now();
    let rows: Vec<photo::ActiveModel> = ids
        .iter()
        .map(|id| photo::ActiveModel {
            id: Set(*id),
            user_id: Set(author),
            published: Set(false),
            caption: Set(None),
            thumbhash: Set(String::new()),
            created_at: Set(now),
            updated_at: Set(now),
            published_at: Set(None),
            announced_at: Set(None),
            link_generation: Set(0),
        })
        .collect();
    let added = test.app.database.write(move |transaction| {
        let rows = rows.clone();
        Box::pin(
            async move { Ok(photo::Entity::insert_many(rows).exec_without_returning(transaction).await.map(drop)?) },
        )
    });
    assert!(added.await.is_ok(), "they are added");
}

/// Who comes to an audience hears nothing of what was published before.
#[tokio::test]
async fn whoever_comes_later_hears_only_what_is_published_later() {
    let (test, anna) = TestApp::with_user().await;
    let bert = asking(&test.sign_up("bert").await).await;
    let filter = Filter::default();
    let Ok(mut first) = test.app.photos.watch(&bert, &filter).await else { panic!("nobody listens") };
    for round in 0..20 {
        anna.publish(&format!("{round} before")).await;
        let Ok(mut later) = test.app.photos.watch(&bert, &filter).await else { panic!("nobody listens") };
        let expected = format!("{round} after");
        anna.publish(&expected).await;
        let heard = later.next().await.expect("another one").expect("a photo");
        assert_eq!(heard.caption, Some(expected));
        for _ in 0..2 {
            first.next().await.expect("another one").expect("a photo");
        }
    }
}

/// What waits for a slow listener may be over when it comes to hear it.
#[tokio::test]
async fn a_photo_that_is_no_longer_published_is_not_sent_late() {
    let (test, anna) = TestApp::with_user().await;
    let bert = asking(&test.sign_up("bert").await).await;
    let sea = Filter { author: None, tags: vec!["sea".to_owned()] };
    let Ok(mut slow) = test.app.photos.watch(&bert, &sea).await else { panic!("nobody listens") };
    let Ok(mut quick) = test.app.photos.watch(&bert, &sea).await else { panic!("nobody listens") };
    let [drafted, deleted, edited, changed, kept] = [
        anna.publish("drafted #sea").await,
        anna.publish("deleted #sea").await,
        anna.publish("edited #sea").await,
        anna.publish("changed #sea").await,
        anna.publish("kept #sea").await,
    ];
    for _ in 0..5 {
        quick.next().await.expect("another one").expect("a photo");
    }
    test.clock.advance(5);
    anna.change("unpublishPhotos", &[&drafted]).await;
    anna.change("deletePhotos", &[&deleted]).await;
    anna.edit(&[(&edited, Some("no longer")), (&changed, Some("changed now #sea"))]).await;
    let mut heard = Vec::new();
    for _ in 0..2 {
        let photo = slow.next().await.expect("another one").expect("a photo");
        heard.push((photo.id.to_string(), photo.caption.unwrap_or_default()));
    }
    assert_eq!(heard, [(changed, "changed now #sea".to_owned()), (kept, "kept #sea".to_owned())]);
}
