//! What happens to photos at once: each call is answered as if they had come in turn, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloakroom::app::App;

use super::all;
use super::contents::{assert_whole, blob_rows};
use crate::support::{Caller, TestApp, ids_in, picture_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photo_is_deleted_published_and_edited_at_once() {
    let (test, anna) = TestApp::with_user().await;
    for _ in 0..8 {
        let (id, other) = (anna.publish("#before").await, anna.draft("#other").await);
        let calls = ["deletePhotos", "publishPhotos", "unpublishPhotos", "editPhotos", "deletePhotos", "publishPhotos"];
        let call = |(place, verb): (usize, &'static str)| {
            let (anna, id, other) = (anna.clone(), id.clone(), other.clone());
            async move {
                // In either order: whoever locks one by one would meet in the middle.
                let both = if place % 2 == 0 { [id.as_str(), &other] } else { [other.as_str(), &id] };
                let reply = match verb {
                    "editPhotos" => anna.try_edit(&both.map(|id| (id, Some("#after")))).await,
                    "deletePhotos" => anna.try_change(verb, &[&id]).await,
                    _ => anna.try_change(verb, &both).await,
                };
                reply.data();
                let errors = reply.user_errors(verb);
                assert!(errors.iter().all(|error| error.starts_with("NOT_FOUND")) && errors.len() <= 1, "{errors:?}");
                (verb, errors.is_empty())
            }
        };
        let outcomes = all(calls.into_iter().enumerate().map(call)).await;
        let deleted = outcomes.iter().filter(|outcome| **outcome == ("deletePhotos", true)).count();
        assert_eq!(deleted, 1, "{outcomes:?}");
        assert!(!anna.own_photos("(first: 100)").await.contains(&id) && !anna.photos("").await.contains(&id));
        anna.change("deletePhotos", &[&other]).await;
        let rows = test.rows().await;
        assert_eq!((rows.photos, rows.images, rows.tags, anna.used_bytes().await), (0, 0, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_overlap_in_any_order_are_all_answered() {
    let (test, anna) = TestApp::with_user().await;
    let file = picture_of((40, 30), [1, 2, 3]);
    let photos = anna.drafts(&[&file[..]; 10]).await;
    let call = |client: usize| {
        let (anna, mut mine) = (anna.clone(), photos.clone());
        async move {
            mine.rotate_left(client);
            if client.is_multiple_of(2) {
                mine.reverse();
            }
            let mine: Vec<&str> = mine.iter().map(String::as_str).collect();
            match client % 3 {
                0 => drop(anna.change("publishPhotos", &mine).await),
                1 => drop(anna.change("unpublishPhotos", &mine).await),
                _ => {
                    let caption = format!("#shared #c{client}");
                    let edits: Vec<_> = mine.iter().map(|id| (*id, Some(caption.as_str()))).collect();
                    anna.edit(&edits).await;
                }
            }
        }
    };
    all((0..9).map(call)).await;
    assert_eq!(anna.own_photos("(tags: [\"shared\"])").await.len(), 10);
    assert_eq!(test.rows().await.tags, 20, "of one edit each");
    let published = anna.photos("").await.len();
    assert!(published == 0 || published == 10, "{published}");
}

/// The same contents come and go all the time, with sweeps in between. Each phase begins when all terms of the one
/// before have ended, so that sweeps meet uploads that claim the same contents once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_photo_that_was_acknowledged_loses_its_contents() {
    let (test, anna) = TestApp::with_user().await;
    // Its key does not expire when the clock runs.
    let key = test.key_of(&anna, "scopes: [PHOTOS_READ, PHOTOS_WRITE]").await;
    let mut kept = 0;
    for phase in 0..4 {
        let done = Arc::new(AtomicBool::new(false));
        let sweeps = tokio::spawn(sweep_until(Arc::clone(&test.app), Arc::clone(&done)));
        kept += all((0..4).map(|client| come_and_go(key.clone(), phase + client))).await.into_iter().sum::<usize>();
        done.store(true, Ordering::SeqCst);
        sweeps.await.expect("they end well");
        assert_eq!(assert_whole(&test).await, 4 * kept, "after phase {phase}");
        test.clock.advance(3600);
    }
    assert!(test.app.photos.sweep().await.is_ok());
    assert_eq!(assert_whole(&test).await, 4 * kept);
    assert!(kept > 0);

    let own = key.own_photos("(first: 100)").await;
    key.change("deletePhotos", &own.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for term in [0, 3600, 3600] {
        test.clock.advance(term);
        assert!(test.app.photos.sweep().await.is_ok());
    }
    let left = (blob_rows(&test).await, test.objects().await.len(), key.used_bytes().await);
    assert_eq!(left, (0, 0, 0), "nothing is left behind");
}

async fn sweep_until(app: Arc<App>, done: Arc<AtomicBool>) {
    while !done.load(Ordering::SeqCst) {
        let swept = app.photos.sweep().await;
        assert!(swept.is_ok(), "{swept:?}");
        tokio::task::yield_now().await;
    }
}

/// Uploads one of two pictures a few times, deletes most of them, and returns how many are left.
async fn come_and_go(key: Caller, start: usize) -> usize {
    let mut kept = 0;
    for round in start..start + 3 {
        let file = picture_of((200, 170), [(round % 2) as u8, 2, 3]);
        // Some fail when their first content is stored.
        if round % 4 == 0 {
            key.try_upload(&[(&file, None), (b"<svg/>", None)], false).await.data();
        }
        let reply = key.try_upload(&[(&file, None)], false).await;
        if reply.body.get("errors").is_some() {
            assert_eq!(reply.code(), "UNAVAILABLE", "{}", reply.body);
            continue;
        }
        let new = ids_in(&reply, "uploadPhotos");
        match round % 3 {
            2 => kept += 1,
            _ => drop(key.change("deletePhotos", &[&new[0]]).await),
        }
    }
    kept
}
