//! `photos(author:, tags:)`: which photos a list has.

use crate::support::{Caller, TestApp};

async fn with_photos() -> (TestApp, Caller, [String; 4]) {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("Bert").await;
    let photos = [
        anna.publish("#sea #sun").await,
        anna.publish("#Sea #Straße").await,
        bert.publish("#SEA #sun #boat").await,
        bert.publish("nothing").await,
    ];
    anna.draft("#sea #sun #boat").await;
    (test, anna, photos)
}

async fn assert_finds(caller: &Caller, arguments: &str, expected: &[&String]) {
    let query = format!("{{ photos({arguments}, order: ASC) {{ nodes {{ id }} totalCount }} }}");
    let reply = caller.run(&query).await;
    let found = crate::support::ids(&reply.data()["photos"]["nodes"]);
    let mut expected: Vec<String> = expected.iter().map(|id| (*id).clone()).collect();
    expected.sort_unstable();
    assert_eq!(found, expected, "{arguments}: by date and, of the same moment, by id");
    assert_eq!(reply.data()["photos"]["totalCount"], expected.len(), "{arguments}");
}

#[tokio::test]
async fn an_author_is_found_in_any_case() {
    let (_test, anna, [a, b, c, d]) = with_photos().await;
    for name in ["anna", "ANNA", "Anna", "ａｎｎａ"] {
        assert_finds(&anna, &format!("author: \"{name}\""), &[&a, &b]).await;
    }
    assert_finds(&anna, "author: \"bert\"", &[&c, &d]).await;
    for name in ["ann", "anna ", "anna%", "", "nobody", "anna@example.org"] {
        assert_finds(&anna, &format!("author: \"{name}\""), &[]).await;
    }
    assert_finds(&anna, "author: null, tags: null", &[&a, &b, &c, &d]).await;
}

#[tokio::test]
async fn all_tags_must_match() {
    let (_test, anna, [a, b, c, _]) = with_photos().await;
    assert_finds(&anna, "tags: [\"sea\"]", &[&a, &b, &c]).await;
    assert_finds(&anna, "tags: [\"#Sun\", \"SEA\"]", &[&a, &c]).await;
    assert_finds(&anna, "tags: [\"sea\", \"#sea\", \"Sea\"]", &[&a, &b, &c]).await;
    assert_finds(&anna, "tags: [\"sun\", \"sea\", \"boat\"]", &[&c]).await;
    assert_finds(&anna, "tags: [\"sea\", \"none\"]", &[]).await;
    assert_finds(&anna, "tags: \"strasse\"", &[&b]).await;
    assert_finds(&anna, "tags: [\"STRASSE\"]", &[&b]).await;
    assert_finds(&anna, "tags: [\"sun\"], author: \"bert\"", &[&c]).await;
    assert_finds(&anna, "tags: [\"boat\"], author: \"anna\"", &[]).await;
    assert_finds(&anna, "tags: [], author: \"anna\"", &[&a, &b]).await;
}

#[tokio::test]
async fn more_than_ten_tags_are_refused() {
    let (_test, anna, _) = with_photos().await;
    let tags = |count: usize| vec!["\"sea\""; count].join(", ");
    for field in ["photos(tags: [TAGS]) { nodes { id } }", "viewer { photos(tags: [TAGS]) { nodes { id } } }"] {
        anna.run(&format!("{{ {} }}", field.replace("TAGS", &tags(10)))).await.data();
        let reply = anna.run(&format!("{{ {} }}", field.replace("TAGS", &tags(11)))).await;
        assert_eq!(reply.code(), "BAD_USER_INPUT", "{}", reply.body);
        let message = reply.at("/errors/0/message").as_str().expect("a message");
        assert!(message.contains("tags") && message.contains("10") && message.contains("11"), "{message}");
    }
    let reply = anna.listen(&format!("subscription {{ photoPublished(tags: [{}]) {{ id }} }}", tags(11))).await;
    assert_eq!(reply.code(), "BAD_USER_INPUT", "{}", reply.body);
}
