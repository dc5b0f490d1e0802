//! What lists cost: SQL statements, by count.

use serde_json::json;

use crate::support::{Caller, Statements, TestApp, picture};

/// Fifty published photos of three authors.
async fn with_fifty() -> (TestApp, Caller) {
    let (test, anna) = TestApp::with_user().await;
    let (bert, carl) = (test.sign_up("bert").await, test.sign_up("carl").await);
    let file = picture([1, 2, 3]);
    for author in [&anna, &bert, &carl, &anna, &bert] {
        let photos = [(file.as_slice(), Some("#sea and #sun")); 10];
        crate::support::ids_in(&author.try_upload(&photos, true).await, "uploadPhotos");
    }
    (test, anna)
}

async fn count(caller: &Caller, query: &str) -> usize {
    // Whoever asks is known by then.
    caller.run("{ hello }").await.data();
    let statements = Statements::count();
    caller.run(query).await.data();
    statements.so_far()
}

const FULL: &str = "nodes { id state caption tags thumbhash createdAt publishedAt author { id username displayName }
                    image { url width height contentType byteSize } small: image(size: SMALL) { url }
                    thumbnail: image(size: THUMBNAIL) { url } original: image(size: ORIGINAL) { byteSize } }
                    pageInfo { hasNextPage endCursor }";

#[tokio::test]
async fn a_page_of_fifty_photos_with_authors_tags_and_images_takes_three_statements() {
    let (_test, anna) = with_fifty().await;
    let reply = anna.run(&format!("{{ photos(first: 50) {{ {FULL} }} }}")).await;
    let nodes = reply.data()["photos"]["nodes"].as_array().expect("photos").clone();
    assert_eq!(nodes.len(), 50);
    for photo in &nodes {
        assert_eq!((&photo["tags"], &photo["image"]["width"]), (&json!(["sea", "sun"]), &json!(40)));
        assert!(photo["author"]["username"].is_string() && photo["original"]["byteSize"].is_number(), "{photo}");
    }
    for arguments in ["first: 50", "last: 50", "first: 50, author: \"bert\"", "first: 50, tags: [\"sea\", \"sun\"]"] {
        let statements = count(&anna, &format!("{{ photos({arguments}) {{ {FULL} }} }}")).await;
        assert!((1..=3).contains(&statements), "{arguments}: {statements}");
    }
    let own = count(&anna, &format!("{{ viewer {{ photos(first: 50) {{ {FULL} }} }} }}")).await;
    assert!((1..=3).contains(&own), "{own}");
}

#[tokio::test]
async fn photos_by_id_and_of_payloads_are_loaded_together() {
    let (_test, anna) = with_fifty().await;
    let ids = anna.photos("(first: 50)").await;
    let shown = "author { username } image { url } tags";
    let nodes = format!("{{ nodes(ids: {ids:?}) {{ id ... on Photo {{ {shown} }} }} }}");
    assert_eq!(anna.run(&nodes).await.data()["nodes"].as_array().map(Vec::len), Some(50));
    let statements = count(&anna, &nodes).await;
    assert!((1..=3).contains(&statements), "{statements}");

    let own = anna.own_photos("(first: 20)").await;
    let change = |verb: &str| {
        format!(
            "mutation {{ {verb}(input: {{ photoIds: {own:?} }}) {{ photos {{ {shown} }} userErrors {{ code }} }} }}"
        )
    };
    // Locked, changed, and then what is shown of them.
    for verb in ["unpublishPhotos", "publishPhotos"] {
        let statements = count(&anna, &change(verb)).await;
        assert!((3..=5).contains(&statements), "{verb}: {statements}");
    }
}

#[tokio::test]
async fn a_list_is_counted_only_for_who_asks() {
    let (_test, anna) = with_fifty().await;
    for list in ["photos(first: 5)", "photos(first: 5, tags: [\"sea\"], author: \"anna\")"] {
        assert_eq!(count(&anna, &format!("{{ {list} {{ nodes {{ id }} }} }}")).await, 1, "{list}");
        assert_eq!(count(&anna, &format!("{{ {list} {{ nodes {{ id }} totalCount }} }}")).await, 2, "{list}");
    }
    assert_eq!(count(&anna, "{ viewer { photos(first: 5) { nodes { id } } } }").await, 1);
    assert_eq!(count(&anna, "{ viewer { photos(first: 5) { nodes { id } totalCount } } }").await, 2);
}
