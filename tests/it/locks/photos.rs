//! The same contents come and go, in every order, by many clients of several accounts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloakroom::app::App;
use cloakroom::caller::Caller as Asking;
use cloakroom::photos::check::Options;
use futures_util::StreamExt as _;

use super::{Locks, shuffled};
use crate::support::{Caller, Length, Random, ids_in, picture_of};

const CLIENTS: usize = 12;
const ROUNDS: usize = 16;

/// `store.md` 13: identical uploads in other orders.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_uploads_that_come_and_go_in_any_order_meet_no_deadlock() {
    let locks = Locks::start().await;
    let (test, mut random) = (&locks.test, Random::seeded());
    let mut users = Vec::new();
    for name in ["anna", "bob", "carla"] {
        let user = test.sign_up(name).await;
        // Its key does not expire when the clock runs.
        users.push(test.key_of(&user, "scopes: [PHOTOS_READ, PHOTOS_WRITE]").await);
    }
    let pictures: Vec<Vec<u8>> = (0..8).map(|number| picture_of((3, 3), [number, 2, 3])).collect();
    let done = Arc::new(AtomicBool::new(false));
    let upkeep = tokio::spawn(keep_up(Arc::clone(&test.app), Arc::clone(&done)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (user, pictures, random) = (users[client % users.len()].clone(), pictures.clone(), random.fork());
            tokio::spawn(come_and_go(user, pictures, random))
        })
        .collect();
    for client in clients {
        client.await.expect("it ends well");
    }
    done.store(true, Ordering::SeqCst);
    upkeep.await.expect("it ends well");
    let options = Options { repair: false, content: true };
    let checked = test.app.photos.check(&Asking::operator(), options, |finding, _| panic!("{finding}")).await;
    assert!(checked.is_ok_and(|tally| tally.left() == 0));
    locks.assert_none().await;
}

/// Sweeps, and makes sizes anew, until it is to stop.
async fn keep_up(app: Arc<App>, done: Arc<AtomicBool>) {
    let operator = Asking::operator();
    while !done.load(Ordering::SeqCst) {
        assert!(app.photos.sweep().await.is_ok());
        let Ok(rebuilt) = app.photos.rebuild(&operator, None) else { panic!("it is made anew") };
        rebuilt.take(5).for_each(async |outcome| assert!(outcome.is_ok(), "{outcome:?}")).await;
    }
}

async fn come_and_go(user: Caller, pictures: Vec<Vec<u8>>, mut random: Random) {
    let mut mine: Vec<Vec<String>> = Vec::new();
    let mut length = Length::rounds(ROUNDS);
    while length.goes_on() {
        let batch = shuffled(&mut random, &pictures);
        let photos: Vec<(&[u8], Option<&str>)> = batch.iter().map(|file| (file.as_slice(), Some("#a #b #c"))).collect();
        let reply = user.try_upload(&photos, random.below(2) == 0).await;
        if reply.body.get("errors").is_some() {
            // A sweep took the contents three times.
            assert_eq!(reply.code(), "UNAVAILABLE", "{}", reply.body);
            continue;
        }
        mine.push(ids_in(&reply, "uploadPhotos"));
        let any = usize::try_from(random.below(mine.len() as u64)).expect("an index");
        let ids = shuffled(&mut random, &mine[any]);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        match random.below(4) {
            0 => drop(user.change("publishPhotos", &ids).await),
            1 => drop(user.change("unpublishPhotos", &ids).await),
            2 => drop(user.edit(&ids.iter().map(|id| (*id, Some("#c #b #z"))).collect::<Vec<_>>()).await),
            _ => {
                user.change("deletePhotos", &ids).await;
                mine.swap_remove(any);
            }
        }
    }
}
