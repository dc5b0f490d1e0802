//! Users take turns at the threads that decode pictures, and none takes the whole queue.

use tokio::task::JoinSet;

use crate::support::{Caller, Gate, Reply, TestApp, ids_in, picture_no};

/// A quarter of the queue's places, which are 32.
const SHARE: usize = 8;

/// Uploads one picture more than a user's share, each in a request of its own, and waits until that one is refused: then
/// the others wait in the queue.
async fn fill(user: &Caller) -> JoinSet<Reply> {
    let mut uploads = JoinSet::new();
    for number in 0..=SHARE {
        let (user, file) = (user.clone(), picture_no(u32::try_from(number).expect("small")));
        uploads.spawn(async move { user.try_upload(&[(&file, None)], false).await });
    }
    let refused = uploads.join_next().await.expect("an answer").expect("it ends well");
    assert_eq!(refused.code(), "RATE_LIMITED", "{}", refused.body);
    uploads
}

async fn ids(mut uploads: JoinSet<Reply>) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some(reply) = uploads.join_next().await {
        ids.extend(ids_in(&reply.expect("it ends well"), "uploadPhotos"));
    }
    ids
}

/// Ids are in the order in which the pictures were decoded.
#[tokio::test]
async fn a_user_who_fills_the_queue_leaves_every_other_turn_to_the_next_user() {
    let gate = Gate::closed().await;
    let test = TestApp::with_config(|config| {
        gate.settings(&mut config.storage);
        (config.photos.threads, config.photos.queue, config.photos.max_per_upload) = (1, 31, 2);
        (config.photos.max_uploads, config.photos.max_uploads_per_user) = (100, 100);
    })
    .await;
    let (anna, bob) = (test.sign_up("anna").await, test.sign_up("bob").await);
    let (annas, bobs) = (fill(&anna).await, fill(&bob).await);
    gate.open();
    let (annas, bobs) = (ids(annas).await, ids(bobs).await);
    let mut all: Vec<(&String, &str)> = annas.iter().map(|id| (id, "anna")).collect();
    all.extend(bobs.iter().map(|id| (id, "bob")));
    all.sort_unstable();
    let order: Vec<&str> = all.into_iter().map(|(_, user)| user).collect();
    assert_eq!(order.len(), 2 * SHARE);
    // Of anna's, two were in work before bob came: one with its turn, one on its way to the storage.
    for end in (4..=2 * SHARE).step_by(2) {
        let of_bob = order[..end].iter().filter(|user| **user == "bob").count();
        assert!(of_bob + 2 >= end / 2, "{of_bob} of {end}: {order:?}");
    }
}
