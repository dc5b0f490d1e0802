//! Lists by keyset: every photo once, both ways, whatever comes and goes meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{Caller, TestApp, ids, picture};

/// A page of `photos`, or of `viewer { photos }`.
async fn page(caller: &Caller, own: bool, arguments: &str) -> Value {
    let list = format!(
        "photos({arguments}) {{ edges {{ cursor node {{ id }} }} nodes {{ id }}
           pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }}"
    );
    let query = if own { format!("{{ viewer {{ {list} }} }}") } else { format!("{{ {list} }}") };
    let reply = caller.run(&query).await;
    let page = if own { &reply.data()["viewer"]["photos"] } else { &reply.data()["photos"] };
    let edges = page["edges"].as_array().expect("edges");
    assert_eq!(edges.iter().map(|edge| edge["node"].clone()).collect::<Value>(), page["nodes"]);
    let end = |edge: Option<&Value>| edge.map_or(Value::Null, |edge| edge["cursor"].clone());
    assert_eq!(page["pageInfo"]["startCursor"], end(edges.first()));
    assert_eq!(page["pageInfo"]["endCursor"], end(edges.last()));
    page.clone()
}

/// Walks a whole list in pages of this many rows, forwards or backwards; between pages something happens.
async fn walk(
    caller: &Caller,
    (own, order, forward): (bool, &str, bool),
    rows: usize,
    mut between: impl AsyncFnMut(usize),
) -> Vec<String> {
    let (count, cursor, end, more) = match forward {
        true => ("first", "after", "endCursor", "hasNextPage"),
        false => ("last", "before", "startCursor", "hasPreviousPage"),
    };
    let (mut seen, mut arguments) = (Vec::new(), format!("order: {order}, {count}: {rows}"));
    for number in 0.. {
        let page = page(caller, own, &arguments).await;
        let found = ids(&page["nodes"]);
        assert!(found.len() <= rows);
        match forward {
            true => seen.extend(found),
            false => drop(seen.splice(0..0, found)),
        }
        if page["pageInfo"][more] == json!(false) {
            break;
        }
        arguments = format!("order: {order}, {count}: {rows}, {cursor}: {}", page["pageInfo"][end]);
        between(number).await;
    }
    seen
}

/// Twelve published photos, several of one moment, published in another order than they were uploaded in.
async fn with_photos() -> (TestApp, Caller, Vec<String>) {
    let (test, anna) = TestApp::with_user().await;
    let file = picture([1, 2, 3]);
    let mut drafts = anna.drafts(&[&file[..]; 6]).await;
    test.clock.advance(1);
    drafts.extend(anna.drafts(&[&file[..]; 6]).await);
    for some in [[11, 3, 5], [0, 10, 1], [2, 9, 8], [4, 6, 7]] {
        test.clock.advance(1);
        anna.change("publishPhotos", &some.map(|at: usize| drafts[at].as_str())).await;
    }
    (test, anna, drafts)
}

#[tokio::test]
async fn every_photo_is_on_one_page_in_both_orders_and_directions() {
    let (_test, anna, drafts) = with_photos().await;
    for own in [false, true] {
        let mut whole = ids(&page(&anna, own, "order: ASC, first: 100").await["nodes"]);
        assert_eq!(whole.iter().collect::<BTreeSet<_>>(), drafts.iter().collect());
        if own {
            assert_eq!(whole, drafts, "by upload");
        } else {
            let first: BTreeSet<_> = whole[..3].iter().collect();
            assert_eq!(first, [3, 5, 11].map(|at: usize| &drafts[at]).into(), "by publication");
        }
        for order in ["ASC", "DESC"] {
            for rows in [1, 2, 5, 11, 12, 13] {
                for forward in [true, false] {
                    let seen = walk(&anna, (own, order, forward), rows, async |_| {}).await;
                    assert_eq!(seen, whole, "own: {own}, {order}, forward: {forward}, {rows}");
                }
            }
            whole.reverse();
        }
    }
    // The newest come first unless asked otherwise.
    assert_eq!(anna.photos("(first: 12)").await, anna.photos("(first: 12, order: DESC)").await);
    assert_eq!(anna.own_photos("").await, anna.own_photos("(order: DESC)").await);
}

#[tokio::test]
async fn what_comes_and_goes_between_pages_neither_repeats_nor_hides_the_others() {
    for (own, order, forward) in [
        (false, "ASC", true),
        (false, "DESC", true),
        (false, "ASC", false),
        (false, "DESC", false),
        (true, "DESC", true),
        (true, "ASC", false),
    ] {
        let (test, anna, drafts) = with_photos().await;
        let mut whole = ids(&page(&anna, own, "order: ASC, first: 100").await["nodes"]);
        if order == "DESC" {
            whole.reverse();
        }
        // At each page one that was seen and one that was not are taken away, and a new one comes.
        let gone: [&str; 4] = [&whole[0], &whole[11], &whole[1], &whole[10]];
        let seen = walk(&anna, (own, order, forward), 2, async |number| {
            if let Some(pair) = gone.chunks(2).nth(number) {
                let verb = if number == 0 && !own { "unpublishPhotos" } else { "deletePhotos" };
                anna.change(verb, pair).await;
            }
            if number < 3 {
                test.clock.advance(1);
                anna.publish("new").await;
            }
        })
        .await;
        let unique: BTreeSet<_> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "own: {own}, {order}, forward: {forward}: none twice");
        let stayed: Vec<_> = whole[2..10].to_vec();
        let of_those: Vec<_> = seen.iter().filter(|id| stayed.contains(id)).cloned().collect();
        assert_eq!(of_those, stayed, "own: {own}, {order}, forward: {forward}: none left out");
        assert!(drafts.len() == 12);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_whole_while_others_publish_and_delete() {
    let (test, anna, drafts) = with_photos().await;
    let bert = test.sign_up("bert").await;
    let done = Arc::new(AtomicBool::new(false));
    let busy = tokio::spawn({
        let (done, clock) = (Arc::clone(&done), test.clock.clone());
        async move {
            let mut own = Vec::new();
            while !done.load(Ordering::SeqCst) {
                clock.advance(1);
                own.push(bert.publish("#busy").await);
                if own.len() > 4 {
                    let gone = own.remove(own.len() / 2);
                    bert.change("deletePhotos", &[&gone]).await;
                }
            }
        }
    });
    let whole: BTreeSet<_> = drafts.into_iter().collect();
    for round in 0..6 {
        let forward = round % 2 == 0;
        let seen = walk(&anna, (false, if round < 3 { "ASC" } else { "DESC" }, forward), 3, async |_| {}).await;
        let unique: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(unique.len(), seen.len(), "none twice");
        assert!(unique.is_superset(&whole), "none left out");
    }
    done.store(true, Ordering::SeqCst);
    busy.await.expect("it ends well");
}

#[tokio::test]
async fn a_photo_that_is_published_again_keeps_its_place() {
    let (test, anna, _) = with_photos().await;
    let before = anna.photos("(first: 100)").await;
    test.clock.advance(60);
    let some = [before[3].as_str(), before[7].as_str()];
    anna.change("unpublishPhotos", &some).await;
    assert_eq!(anna.photos("(first: 100)").await.len(), 10);
    anna.change("publishPhotos", &some).await;
    assert_eq!(anna.photos("(first: 100)").await, before);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_list_alone_and_also_when_its_photo_is_gone() {
    let (_test, anna, _) = with_photos().await;
    let whole = anna.photos("(order: ASC, first: 100)").await;
    let first = page(&anna, false, "order: ASC, first: 4").await;
    let cursor = first["pageInfo"]["endCursor"].clone();
    anna.change("deletePhotos", &[&whole[3]]).await;
    assert_eq!(
        ids(&page(&anna, false, &format!("order: ASC, after: {cursor}, first: 100")).await["nodes"]),
        whole[4..]
    );
    assert_eq!(
        ids(&page(&anna, false, &format!("order: ASC, before: {cursor}, last: 100")).await["nodes"]),
        whole[..3]
    );

    let own = page(&anna, true, "first: 1").await["pageInfo"]["endCursor"].clone();
    for query in [
        format!("{{ photos(after: {own}) {{ nodes {{ id }} }} }}"),
        format!("{{ viewer {{ photos(before: {cursor}, last: 2) {{ nodes {{ id }} }} }} }}"),
        "{ photos(after: \"cGhvdG9zOng\") { nodes { id } } }".to_owned(),
        "{ photos(first: 101) { nodes { id } } }".to_owned(),
        "{ photos(last: -1) { nodes { id } } }".to_owned(),
        "{ photos(first: 1, last: 1) { nodes { id } } }".to_owned(),
    ] {
        let reply = anna.run(&query).await;
        assert_eq!(reply.code(), "BAD_USER_INPUT", "{query}: {}", reply.body);
    }
    let none = page(&anna, false, "first: 0").await;
    assert_eq!(none["nodes"], json!([]));
}

#[tokio::test]
async fn between_two_cursors_is_what_is_between_them() {
    let (_test, anna, _) = with_photos().await;
    let all = page(&anna, false, "order: DESC, first: 100").await;
    let edges = all["edges"].as_array().expect("edges");
    let (after, before) = (&edges[2]["cursor"], &edges[9]["cursor"]);
    let whole = ids(&all["nodes"]);
    let between = page(&anna, false, &format!("after: {after}, before: {before}, first: 100")).await;
    assert_eq!(ids(&between["nodes"]), whole[3..9]);
    let last = page(&anna, false, &format!("after: {after}, before: {before}, last: 2")).await;
    assert_eq!(ids(&last["nodes"]), whole[7..9]);
    assert_eq!(last["pageInfo"]["hasPreviousPage"], true);
}
