//! What a user may store: counted exactly, whatever happens at once.

use serde_json::json;

use super::all;
use crate::support::{Caller, TestApp, picture, picture_no};

async fn with_quota(bytes: u64) -> (TestApp, Caller) {
    let test = TestApp::with_config(|config| config.photos.quota_bytes = bytes).await;
    let anna = test.sign_up("anna").await;
    (test, anna)
}

/// The sum of the originals' bytes, as the images say.
async fn sum(caller: &Caller) -> i64 {
    let query = "{ viewer { photos(first: 100) { nodes { image(size: ORIGINAL) { byteSize } } } } }";
    let reply = caller.run(query).await;
    let nodes = reply.data()["viewer"]["photos"]["nodes"].as_array().expect("photos").clone();
    nodes.iter().map(|photo| photo["image"]["byteSize"].as_i64().expect("a number")).sum()
}

#[tokio::test]
async fn the_originals_of_a_user_are_counted() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    assert_eq!((anna.used_bytes().await, sum(&anna).await), (0, 0));
    let files: Vec<Vec<u8>> = (0..3).map(picture_no).collect();
    let photos = anna.drafts(&[&files[0], &files[1], &files[2], &files[0]]).await;
    let whole = anna.used_bytes().await;
    assert_eq!((whole, bert.used_bytes().await), (sum(&anna).await, 0));
    assert!(whole > 0);
    // States and captions take no room, and the same again takes as much again.
    anna.change("publishPhotos", &[&photos[0]]).await;
    anna.edit(&[(&photos[0], Some("A long caption"))]).await;
    assert_eq!(anna.used_bytes().await, whole);
    for id in &photos {
        anna.change("deletePhotos", &[id]).await;
        assert_eq!(anna.used_bytes().await, sum(&anna).await);
    }
    assert_eq!(anna.used_bytes().await, 0);
    let quota = anna.run("{ viewer { storage { quotaBytes } } }").await;
    assert_eq!(quota.data()["viewer"]["storage"]["quotaBytes"], 1_073_741_824);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_as_a_whole_with_the_limit() {
    let file = picture([1, 2, 3]);
    let each = file.len() as u64;
    let (test, anna) = with_quota(3 * each).await;
    anna.drafts(&[&file, &file]).await;
    assert_eq!(anna.used_bytes().await, 2 * each as i64, "nothing is left out of this file");
    let reply = anna.try_upload(&[(&file, Some("#tag")), (&file, None)], true).await;
    assert_eq!(reply.user_errors("uploadPhotos"), ["LIMIT_REACHED input.photos"], "{}", reply.body);
    let message = reply.data()["uploadPhotos"]["userErrors"][0]["message"].as_str().expect("a message").to_owned();
    for number in [3 * each, 2 * each] {
        assert!(message.contains(&number.to_string()), "{message}");
    }
    let rows = test.rows().await;
    assert_eq!((rows.photos, rows.tags, anna.used_bytes().await), (2, 0, 2 * each as i64));
    assert_eq!(anna.photos("").await, [""; 0]);
    // The last byte can be used, and then there is none; what is deleted makes room.
    let last = anna.drafts(&[&file]).await;
    assert_eq!(anna.used_bytes().await, 3 * each as i64);
    let reply = anna.try_upload(&[(&file, None)], false).await;
    assert_eq!(reply.user_errors("uploadPhotos"), ["LIMIT_REACHED input.photos"], "{}", reply.body);
    anna.change("deletePhotos", &[&last[0]]).await;
    anna.drafts(&[&file]).await;
    let storage = anna.run("{ viewer { storage { usedBytes quotaBytes } } }").await;
    assert_eq!(storage.data()["viewer"]["storage"], json!({ "usedBytes": 3 * each, "quotaBytes": 3 * each }));
    // Others have room of their own.
    test.sign_up("bert").await.drafts(&[&file]).await;
}

#[tokio::test]
async fn nothing_is_stored_for_which_there_is_no_room() {
    let (one, two) = (picture([1, 2, 3]), picture([250, 2, 3]));
    let (test, anna) = with_quota(one.len() as u64 * 3 / 2).await;
    test.sign_up("bert").await.drafts(&[&one]).await;
    let stored = test.objects().await.len();
    let reply = anna.try_upload(&[(&one, None), (&two, None)], false).await;
    assert_eq!(reply.user_errors("uploadPhotos"), ["LIMIT_REACHED input.photos"], "{}", reply.body);
    assert_eq!(test.objects().await.len(), stored, "the first one's contents were there, and no others are");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_race_for_the_last_room_do_not_share_it() {
    let file = picture([1, 2, 3]);
    let each = file.len() as u64;
    let (_test, anna) = with_quota(4 * each - 1).await;
    let upload = |_| {
        let (anna, file) = (anna.clone(), file.clone());
        async move {
            let reply = anna.try_upload(&[(&file, None)], false).await;
            let refused = reply.user_errors("uploadPhotos");
            assert!(refused.is_empty() || refused == ["LIMIT_REACHED input.photos"], "{}", reply.body);
            reply.data()["uploadPhotos"]["photos"].is_array()
        }
    };
    let stored = all((0..8).map(upload)).await.into_iter().filter(|stored| *stored).count();
    assert_eq!((stored, anna.own_photos("").await.len()), (3, 3));
    assert_eq!((anna.used_bytes().await, sum(&anna).await), (3 * each as i64, 3 * each as i64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_and_deletions_at_once_leave_the_exact_sum() {
    let (_test, anna) = TestApp::with_user().await;
    let client = |client: u32| {
        let anna = anna.clone();
        async move {
            let (one, two) = (picture_no(2 * client), picture_no(2 * client + 1));
            for round in 0..3 {
                let new = anna.drafts(&[&one, &two]).await;
                let gone = &new[(client as usize + round) % 2];
                // Twice at once, of which one comes too late.
                let named = [gone.as_str()];
                let twice = [anna.try_change("deletePhotos", &named), anna.try_change("deletePhotos", &named)];
                let twice = futures_util::future::join_all(twice).await;
                let refused: usize = twice.iter().map(|reply| reply.user_errors("deletePhotos").len()).sum();
                assert_eq!(refused, 1, "{twice:?}");
            }
        }
    };
    all((0..4).map(client)).await;
    assert_eq!(anna.own_photos("(first: 100)").await.len(), 12);
    assert_eq!(anna.used_bytes().await, sum(&anna).await);
}
