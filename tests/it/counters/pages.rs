//! `viewer { counters }`: every counter of the caller's once, page by page, and each by its id.

use serde_json::{Value, json};

use super::{create, delete};
use crate::support::{Caller, Statements, TestApp};

async fn page(caller: &Caller, arguments: &str) -> Value {
    let query = format!(
        "{{ viewer {{ counters({arguments}) {{ edges {{ cursor node {{ name }} }} nodes {{ name }} totalCount
           pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
    );
    caller.run(&query).await.data()["viewer"]["counters"].clone()
}

fn names(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().expect("nodes");
    let edges = page["edges"].as_array().expect("edges");
    assert!(nodes.iter().zip(edges).all(|(node, edge)| *node == edge["node"]), "{page}");
    nodes.iter().map(|node| node["name"].as_str().expect("a name").to_owned()).collect()
}

async fn with_many() -> (TestApp, Caller) {
    let (test, user) = TestApp::with_user().await;
    for name in ["b", "B", "a.1", "a-1", "a_1", "a:1", "10", "9", "z", "A"] {
        create(&user, &format!("name: \"{name}\"")).await;
    }
    create(&test.sign_up("bob").await, r#"name: "theirs""#).await;
    (test, user)
}

#[tokio::test]
async fn every_counter_is_on_one_page_in_either_direction() {
    let (_test, user) = with_many().await;
    let whole = page(&user, "first: 100").await;
    let whole = (names(&whole), whole["totalCount"].clone());
    assert_eq!((whole.0.len(), &whole.1), (11, &json!(11)));
    for rows in [1, 2, 3, 10, 11] {
        for (count, cursor, end, more) in
            [("first", "after", "endCursor", "hasNextPage"), ("last", "before", "startCursor", "hasPreviousPage")]
        {
            let (mut seen, mut arguments) = (Vec::new(), format!("{count}: {rows}"));
            loop {
                let page = page(&user, &arguments).await;
                assert_eq!(page["totalCount"], 11);
                let mut names = names(&page);
                match count {
                    "first" => seen.append(&mut names),
                    _ => drop(seen.splice(0..0, names)),
                }
                if page["pageInfo"][more] == json!(false) {
                    break;
                }
                arguments = format!("{count}: {rows}, {cursor}: {}", page["pageInfo"][end]);
            }
            assert_eq!(seen, whole.0, "{count}: {rows}");
        }
    }
}

#[tokio::test]
async fn a_page_stays_where_it_is_while_counters_come_and_go() {
    let (_test, user) = with_many().await;
    let all = names(&page(&user, "first: 20").await);
    let first = page(&user, "first: 4").await;
    delete(&user, &all[3]).await;
    let second = page(&user, &format!("first: 4, after: {}", first["pageInfo"]["endCursor"])).await;
    assert_eq!(names(&second), all[4..8]);
    assert_eq!(second["totalCount"], 10);
}

#[tokio::test]
async fn wrong_pages_are_refused() {
    let (_test, user) = TestApp::with_user().await;
    for arguments in ["first: 101", "first: -1", "last: 101", "first: 1, last: 1", "after: \"%\"", "before: \"é\""] {
        let reply = user.run(&format!("{{ viewer {{ counters({arguments}) {{ totalCount }} }} }}")).await;
        assert_eq!(reply.code(), "BAD_USER_INPUT", "{arguments}");
    }
    let none = page(&user, "first: 0").await;
    assert_eq!((names(&none).len(), &none["pageInfo"]["hasNextPage"]), (0, &json!(true)));
}

#[tokio::test]
async fn counters_are_counted_only_for_whoever_asks() {
    let (_test, user) = with_many().await;
    let asked = |selection: &'static str| {
        let user = user.clone();
        async move {
            let query = format!("{{ viewer {{ counters {{ {selection} }} }} }}");
            user.run(&query).await.data();
            let statements = Statements::count();
            user.run(&query).await.data();
            statements.so_far()
        }
    };
    assert_eq!((asked("nodes { name }").await, asked("nodes { name } totalCount").await), (1, 2));
}

#[tokio::test]
async fn a_counter_is_found_by_its_id_by_its_owner() {
    let (test, user) = TestApp::with_user().await;
    let id = create(&user, r#"name: "a", start: 3"#).await;
    let query = format!("{{ node(id: \"{id}\") {{ id ... on Counter {{ name current }} }} }}");
    assert_eq!(user.run(&query).await.data()["node"], json!({ "id": id, "name": "a", "current": 3 }));
    assert_eq!(test.sign_up("bob").await.run(&query).await.data()["node"], json!(null));
    assert_eq!(test.anonymous().run(&query).await.code(), "UNAUTHENTICATED");
}
