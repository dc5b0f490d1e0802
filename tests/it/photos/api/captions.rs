//! Captions and their tags: limits, edits, and lists that follow them.

use serde_json::{Value, json};

use crate::support::{TestApp, ids, picture};

#[tokio::test]
async fn a_caption_is_kept_as_it_was_meant_and_its_tags_are_found() {
    let (_test, anna) = TestApp::with_user().await;
    let caption = "  A day at the #Sea\r\nwith #été and #日本 \t#sea #MÜNCHEN_2026, no#tag, #1\n";
    let reply = anna.try_upload(&[(&picture([1, 2, 3]), Some(caption))], true).await;
    let photo = &reply.data()["uploadPhotos"]["photos"][0];
    assert_eq!(photo["caption"], "A day at the #Sea\nwith #été and #日本 \t#sea #MÜNCHEN_2026, no#tag, #1");
    assert_eq!(photo["tags"], json!(["sea", "été", "日本", "münchen_2026"]));
    let id = photo["id"].as_str().expect("an id").to_owned();
    for tag in
        ["sea", "SEA", "#Sea", "ÉTÉ", "e\u{301}te\u{301}", "日本", "＃日本", "münchen_2026", "MU\u{308}NCHEN_2026"]
    {
        assert_eq!(anna.photos(&format!("(tags: [\"{tag}\"])")).await, [id.as_str()], "{tag}");
    }
    for tag in ["se", "seas", "ete", "tag", "1", "munchen_2026", "münchen 2026", "##sea", "s_a", "%", "_", ""] {
        assert_eq!(anna.photos(&format!("(tags: [\"{tag}\"])")).await, [""; 0], "{tag}");
    }
    for nothing in [Some(""), Some(" \n\u{3000}"), None] {
        let reply = anna.try_upload(&[(&picture([1, 2, 3]), nothing)], false).await;
        let photo = &reply.data()["uploadPhotos"]["photos"][0];
        assert_eq!((&photo["caption"], &photo["tags"]), (&Value::Null, &json!([])), "{nothing:?}");
    }
}

#[tokio::test]
async fn a_caption_has_limits_which_the_errors_name() {
    let (test, anna) = TestApp::with_user().await;
    let id = anna.draft("before").await;
    let rows = test.rows().await;
    let tags = |count: usize| (0..count).map(|n| format!("#t{n} ")).collect::<String>();
    let refused = [
        ("x".repeat(2001), "TOO_LONG", "2000"),
        ("👩‍👩‍👧‍👦".repeat(300), "TOO_LONG", "2100"),
        (tags(31), "LIMIT_REACHED", "30"),
        (format!("#{}", "a".repeat(101)), "TOO_LONG", "100"),
        ("a\0b".to_owned(), "INVALID", "control"),
        ("a\u{1b}[31m".to_owned(), "INVALID", "control"),
    ];
    for (caption, code, limit) in &refused {
        let picture = picture([1, 2, 3]);
        let upload = anna.try_upload(&[(&picture, Some("good")), (&picture, Some(caption))], false).await;
        let edit = anna.try_edit(&[(&id, Some(caption))]).await;
        assert_eq!(upload.user_errors("uploadPhotos"), [format!("{code} input.photos.1.caption")], "{}", upload.body);
        assert_eq!(edit.user_errors("editPhotos"), [format!("{code} input.edits.0.caption")], "{}", edit.body);
        for (reply, mutation) in [(upload, "uploadPhotos"), (edit, "editPhotos")] {
            let payload = &reply.data()[mutation];
            assert_eq!(payload["photos"], Value::Null);
            let message = payload["userErrors"][0]["message"].as_str().expect("a message");
            assert!(message.contains(limit) && message.len() < 200, "{message}");
        }
    }
    assert_eq!(test.rows().await, rows);
    let kept = anna.run(&format!("{{ photo(id: \"{id}\") {{ caption }} }}")).await;
    assert_eq!(kept.data()["photo"]["caption"], "before");
    // The limits themselves are allowed.
    for caption in ["é".repeat(2000), tags(30), format!("#{}", "a".repeat(100))] {
        assert_eq!(anna.edit(&[(&id, Some(&caption))]).await[0]["caption"], caption.trim());
    }
}

#[tokio::test]
async fn an_edit_replaces_caption_and_tags() {
    let (test, anna) = TestApp::with_user().await;
    let id = anna.publish("#one #two").await;
    test.clock.advance(60);
    let edited = anna.edit(&[(&id, Some("#two #Three"))]).await[0].clone();
    assert_eq!((&edited["caption"], &edited["tags"]), (&json!("#two #Three"), &json!(["two", "three"])));
    assert_eq!(edited["updatedAt"], "2026-11-20T12:01:00.000000Z");
    assert_eq!((&edited["state"], &edited["publishedAt"]), (&json!("PUBLISHED"), &edited["createdAt"]));
    for (tag, found) in [("one", false), ("two", true), ("three", true)] {
        assert_eq!(anna.photos(&format!("(tags: [\"{tag}\"])")).await.len(), usize::from(found), "{tag}");
        assert_eq!(anna.own_photos(&format!("(tags: [\"{tag}\"])")).await.len(), usize::from(found), "{tag}");
    }
    let removed = anna.edit(&[(&id, None)]).await[0].clone();
    assert_eq!((&removed["caption"], &removed["tags"]), (&Value::Null, &json!([])));
    assert_eq!(anna.photos("(tags: [\"two\"])").await, [""; 0]);
    assert_eq!((anna.photos("").await, test.rows().await.tags), (vec![id], 0));
}

#[tokio::test]
async fn a_caption_that_is_left_out_stays() {
    let (test, anna) = TestApp::with_user().await;
    let (one, two) = (anna.publish("#one").await, anna.publish("#two").await);
    test.clock.advance(60);
    let mutation = "mutation ($one: ID!, $two: ID!, $left: String) {
        editPhotos(input: { edits: [{ photoId: $one }, { photoId: $two, caption: $left }] }) {
        photos { caption tags updatedAt } userErrors { code } } }";
    let reply = anna.run_with(mutation, json!({ "one": one, "two": two })).await;
    let as_before = |name: &str| json!({ "caption": format!("#{name}"), "tags": [name], "updatedAt": "2026-11-20T12:00:00.000000Z" });
    assert_eq!(reply.data()["editPhotos"]["photos"], json!([as_before("one"), as_before("two")]), "{}", reply.body);
    assert_eq!(
        (anna.photos("(tags: [\"one\"])").await, anna.photos("(tags: [\"two\"])").await),
        (vec![one.clone()], vec![two.clone()])
    );
    // Beside one that is replaced, and one that is taken away.
    let mutation = "mutation ($edits: [PhotoEdit!]!) { editPhotos(input: { edits: $edits }) { photos { caption } } }";
    let edits = json!({ "edits": [{ "photoId": one }, { "photoId": two, "caption": null }] });
    let reply = anna.run_with(mutation, edits).await;
    assert_eq!(reply.data()["editPhotos"]["photos"], json!([{ "caption": "#one" }, { "caption": null }]));
    let edits = json!({ "edits": [{ "photoId": two, "caption": "#three" }, { "photoId": one }] });
    let reply = anna.run_with(mutation, edits).await;
    assert_eq!(reply.data()["editPhotos"]["photos"], json!([{ "caption": "#three" }, { "caption": "#one" }]));
    assert_eq!(test.rows().await.tags, 2);
    // What is not there is not there, whatever becomes of it.
    let reply = anna.run_with(mutation, json!({ "edits": [{ "photoId": one }, { "photoId": "pho_1" }] })).await;
    assert_eq!(reply.data()["editPhotos"]["photos"], Value::Null);
}

#[tokio::test]
async fn many_photos_are_edited_in_one_mutation_and_answered_in_its_order() {
    let (test, anna) = TestApp::with_user().await;
    let picture = picture([7, 7, 7]);
    let mut photos = anna.drafts(&[&picture[..]; 10]).await;
    photos.reverse();
    let captions: Vec<String> = (0..10).map(|n| format!("#all #n{n}")).collect();
    let edits: Vec<(&str, Option<&str>)> =
        photos.iter().zip(&captions).map(|(id, caption)| (id.as_str(), Some(caption.as_str()))).collect();
    let edited = anna.edit(&edits).await;
    assert_eq!(ids(&edited), photos);
    for (photo, caption) in edited.as_array().expect("photos").iter().zip(&captions) {
        assert_eq!(photo["caption"], *caption);
    }
    assert_eq!((anna.own_photos("(tags: [\"all\"])").await.len(), test.rows().await.tags), (10, 20));
    assert_eq!(anna.own_photos("(tags: [\"n3\"])").await, [photos[3].clone()]);
}
