//! `users` page by page, as Relay's cursor connections go.

use serde_json::{Value, json};

use crate::support::{Caller, PASSWORD, Reply, Statements, TestApp};

const PAGE: &str = "query ($first: Int, $after: String, $last: Int, $before: String) {
    users(first: $first, after: $after, last: $last, before: $before) {
      edges { cursor node { username } } nodes { username }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

/// `many` users beside `anna`, who asks: `u00`, `u01` and so on.
async fn crowd(many: usize) -> (TestApp, Caller) {
    let (test, anna) = TestApp::with_user().await;
    for number in 0..many {
        test.sign_up(&format!("u{number:02}")).await;
    }
    (test, anna)
}

async fn page(caller: &Caller, arguments: Value) -> Reply {
    caller.run_with(PAGE, arguments).await
}

/// The names on a page, which agree in `edges` and `nodes`, and its page info.
fn read(reply: &Reply) -> (Vec<String>, Value) {
    let users = &reply.data()["users"];
    let names = |list: &Value, pointer: &str| -> Vec<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|item| item.pointer(pointer).and_then(Value::as_str).expect("a name").to_owned()).collect()
    };
    let found = names(&users["nodes"], "/username");
    assert_eq!(found, names(&users["edges"], "/node/username"));
    let info = users["pageInfo"].clone();
    let edges = users["edges"].as_array().expect("a list");
    let cursor = |edge: Option<&Value>| edge.map_or(Value::Null, |edge| edge["cursor"].clone());
    assert_eq!((&info["startCursor"], &info["endCursor"]), (&cursor(edges.first()), &cursor(edges.last())));
    (found, info)
}

fn ends(info: &Value) -> (bool, bool) {
    (info["hasPreviousPage"].as_bool().expect("a switch"), info["hasNextPage"].as_bool().expect("a switch"))
}

#[tokio::test]
async fn pages_forward_and_backward_have_everybody_once_in_order() {
    let (_test, anna) = crowd(22).await;
    let everybody: Vec<String> = std::iter::once("anna".into()).chain((0..22).map(|n| format!("u{n:02}"))).collect();
    for size in [1, 5, 7, 23, 100] {
        let (mut found, mut after) = (Vec::new(), Value::Null);
        loop {
            let (names, info) = read(&page(&anna, json!({ "first": size, "after": after })).await);
            assert!(names.len() <= size);
            assert_eq!(ends(&info).0, !found.is_empty(), "what stands before");
            found.extend(names);
            after = info["endCursor"].clone();
            if !ends(&info).1 {
                break;
            }
        }
        assert_eq!(found, everybody, "{size} forward");

        let (mut found, mut before) = (Vec::new(), Value::Null);
        loop {
            let (names, info) = read(&page(&anna, json!({ "last": size, "before": before })).await);
            assert_eq!(ends(&info).1, !found.is_empty(), "what stands behind");
            found.splice(0..0, names);
            before = info["startCursor"].clone();
            if !ends(&info).0 {
                break;
            }
        }
        assert_eq!(found, everybody, "{size} backward");
    }
    let (names, info) = read(&page(&anna, json!({})).await);
    assert_eq!((names.len(), ends(&info)), (20, (false, true)), "20, if nobody says how many");
}

#[tokio::test]
async fn whoever_stays_is_seen_once_while_others_come_and_go() {
    let (test, anna) = crowd(12).await;
    let (mut found, mut after, mut round) = (Vec::new(), Value::Null, 0);
    loop {
        let (names, info) = read(&page(&anna, json!({ "first": 3, "after": after })).await);
        found.extend(names);
        after = info["endCursor"].clone();
        if !ends(&info).1 {
            break;
        }
        // Somebody comes before the cursor and somebody behind it; the one at the cursor leaves.
        test.sign_up(&format!("a-early-{round}")).await;
        test.sign_up(&format!("z-late-{round}")).await;
        if round == 1 {
            leave(&test.sign_in("u04").await).await;
            leave(&test.sign_in("u09").await).await;
        }
        round += 1;
    }
    assert!(round >= 4);
    let stayed: Vec<String> = (0..12).filter(|n| ![4, 9].contains(n)).map(|n| format!("u{n:02}")).collect();
    let seen: Vec<&String> = found.iter().filter(|name| stayed.contains(name)).collect();
    assert_eq!(seen, stayed.iter().collect::<Vec<_>>());
    assert!(found.is_sorted() && found.windows(2).all(|two| two[0] != two[1]), "{found:?}");
    assert!(!found.contains(&"u09".to_owned()), "who has left before their page came");
    assert!(found.contains(&"z-late-0".to_owned()) && !found.contains(&"a-early-0".to_owned()));
}

async fn leave(caller: &Caller) {
    let leave = format!("mutation {{ deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ deletedUserId }} }}");
    assert!(caller.run(&leave).await.data()["deleteAccount"]["deletedUserId"].is_string());
}

#[tokio::test]
async fn an_empty_cursor_is_the_start_and_the_end_of_the_list() {
    let (_test, anna) = crowd(5).await;
    for (empty, none) in [
        (json!({ "first": 2, "after": "" }), json!({ "first": 2 })),
        (json!({ "last": 2, "before": "" }), json!({ "last": 2 })),
        (json!({ "first": 2, "after": "", "before": "" }), json!({ "first": 2 })),
    ] {
        assert_eq!(page(&anna, empty.clone()).await.data(), page(&anna, none).await.data(), "{empty}");
    }
    for list in ["events", "counters", "photos"] {
        let ask = |arguments: &str| {
            format!("{{ viewer {{ {list}({arguments}) {{ nodes {{ id }} pageInfo {{ hasPreviousPage }} }} }} }}")
        };
        let whole = anna.run(&ask("first: 3")).await;
        let same = anna.run(&ask("first: 3, after: \"\", before: \"\"")).await;
        assert_eq!(same.data(), whole.data(), "{list}");
    }
}

#[tokio::test]
async fn a_window_between_two_cursors_is_kept() {
    let (_test, anna) = crowd(9).await;
    let all = page(&anna, json!({ "first": 100 })).await;
    let cursor = |number: usize| all.data()["users"]["edges"][number]["cursor"].clone();
    let (names, info) = read(&page(&anna, json!({ "first": 2, "after": cursor(2), "before": cursor(7) })).await);
    assert_eq!((names, ends(&info)), (vec!["u02".to_owned(), "u03".to_owned()], (true, true)));
    let (names, info) = read(&page(&anna, json!({ "last": 2, "after": cursor(2), "before": cursor(7) })).await);
    assert_eq!((names, ends(&info)), (vec!["u04".to_owned(), "u05".to_owned()], (true, true)));
    let (names, _) = read(&page(&anna, json!({ "first": 9, "after": cursor(7), "before": cursor(2) })).await);
    assert!(names.is_empty());
}

#[tokio::test]
async fn how_many_is_from_0_to_100_from_one_end() {
    let (_test, anna) = crowd(2).await;
    let (names, info) = read(&page(&anna, json!({ "first": 0 })).await);
    assert_eq!((names.len(), ends(&info)), (0, (false, true)));
    let (names, info) = read(&page(&anna, json!({ "last": 0 })).await);
    assert_eq!((names.len(), ends(&info)), (0, (true, false)));
    for (arguments, named) in [
        (json!({ "first": 101 }), "first"),
        (json!({ "last": 101 }), "last"),
        (json!({ "first": -1 }), "first"),
        (json!({ "last": i32::MIN }), "last"),
        (json!({ "first": 2, "last": 2 }), "both"),
        (json!({ "first": 2, "after": "anna" }), "after"),
        (json!({ "last": 2, "before": "dXNlcnM6YW5uYQ==" }), "before"),
        (json!({ "last": 2, "before": "\u{0}" }), "before"),
        (json!({ "first": 2, "after": "A".repeat(2000) }), "after"),
    ] {
        let reply = page(&anna, arguments.clone()).await;
        let message = reply.at("/errors/0/message").as_str().unwrap_or_default().to_owned();
        assert_eq!((reply.code(), message.contains(named)), ("BAD_USER_INPUT", true), "{arguments}: {}", reply.body);
    }
}

/// Opaque: a cursor is not the name, and one of another list is no cursor of this one.
#[tokio::test]
async fn cursors_are_opaque_and_of_one_list() {
    let (_test, anna) = crowd(1).await;
    let lists = "{ users { edges { cursor } } viewer { events { edges { cursor } } } }";
    let lists = anna.run(lists).await;
    let user = lists.at("/data/users/edges/0/cursor").as_str().expect("a cursor");
    let event = lists.at("/data/viewer/events/edges/0/cursor").as_str().expect("a cursor");
    assert!(!user.contains("anna") && user.is_ascii());
    assert_eq!(page(&anna, json!({ "first": 2, "after": event })).await.code(), "BAD_USER_INPUT");
    let events = "query ($after: String) { viewer { events(after: $after) { nodes { id } } } }";
    assert_eq!(anna.run_with(events, json!({ "after": user })).await.code(), "BAD_USER_INPUT");
    assert!(anna.run_with(events, json!({ "after": event })).await.data()["viewer"]["events"]["nodes"].is_array());
}

#[tokio::test]
async fn a_page_costs_one_statement_and_the_count_one_more() {
    let (test, anna) = crowd(50).await;
    let root = test.admin("root").await;
    for (who, caller) in [("anna", &anna), ("an administrator", &root)] {
        caller.run("{ hello }").await.data();
        let count = async |query: &str| {
            let statements = Statements::count();
            caller.run(query).await.data();
            statements.so_far()
        };
        let fields = "edges { cursor node { id username displayName email createdAt } } nodes { id email } pageInfo { endCursor }";
        assert_eq!(count(&format!("{{ users(first: 50) {{ {fields} }} }}")).await, 1, "{who}");
        assert_eq!(
            count(&format!("{{ users(first: 50, search: \"u\") {{ {fields} totalCount }} }}")).await,
            2,
            "{who}"
        );
    }
}
