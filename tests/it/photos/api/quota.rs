//! What a user may store: every byte of it is counted, exactly, whatever happens at once.

use cloakroom::photos::storage_use::{self, MIN_PHOTO_BYTES};
use serde_json::{Value, json};

use super::all;
use crate::support::{Caller, TestApp, alter, picture, picture_no};

/// With what a photo counts whose four files have less than a block each: these, and 64 KiB for its rows.
const EACH: u64 = 4 * 4096 + 65_536;

async fn with_quota(bytes: u64) -> (TestApp, Caller) {
    let test = TestApp::with_config(|config| config.photos.quota_bytes = bytes).await;
    let anna = test.sign_up("anna").await;
    (test, anna)
}

/// With what the caller's photos count, by the sizes of their images.
async fn sum(caller: &Caller) -> i64 {
    let query = "{ viewer { photos(first: 100) { nodes { a: image(size: THUMBNAIL) { byteSize } \
                 b: image(size: SMALL) { byteSize } c: image(size: LARGE) { byteSize } \
                 d: image(size: ORIGINAL) { byteSize } } } } }";
    let reply = caller.run(query).await;
    let nodes = reply.data()["viewer"]["photos"]["nodes"].as_array().expect("photos").clone();
    let bytes_of = |photo: &Value| {
        let blocks =
            ["a", "b", "c", "d"].map(|size| photo[size]["byteSize"].as_u64().expect("a number").div_ceil(4096));
        i64::try_from(4096 * blocks.iter().sum::<u64>() + 65_536).expect("small")
    };
    nodes.iter().map(bytes_of).sum()
}

/// A PNG of 1280 x 1280 pixels that is small as it is, and would be large without its palette.
fn compact() -> Vec<u8> {
    let rows: Vec<u8> = (0..24 * 1280_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_be_bytes()[3]).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 1280, 1280);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(
        (0..768_u32).map(|at| (at.wrapping_mul(2_246_822_519) >> 11).to_be_bytes()[3]).collect::<Vec<_>>(),
    );
    encoder.set_trns([vec![254], vec![255; 255]].concat());
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().expect("a header");
    let pixels: Vec<u8> = rows.iter().cycle().take(1280 * 1280).copied().collect();
    writer.write_image_data(&pixels).expect("pixels");
    writer.finish().expect("an end");
    file
}

#[tokio::test]
async fn every_size_of_a_photo_is_counted_in_blocks_and_its_rows() {
    let (_test, anna) = TestApp::with_user().await;
    assert_eq!(u64::try_from(MIN_PHOTO_BYTES).expect("positive"), EACH);
    assert_eq!(storage_use::photo_bytes([1, 4096, 4097, 0]), 4096 * 4 + 65_536);
    anna.drafts(&[&picture([1, 2, 3])]).await;
    assert_eq!(anna.used_bytes().await, i64::try_from(EACH).expect("small"), "of the smallest files");
    let file = compact();
    anna.drafts(&[&file]).await;
    assert_eq!(anna.used_bytes().await, sum(&anna).await);
    let large = anna.run("{ viewer { photos { nodes { image(size: LARGE) { byteSize } } } } }").await;
    let large = large.data()["viewer"]["photos"]["nodes"][0]["image"]["byteSize"].as_u64().expect("a number");
    assert!(large <= file.len() as u64, "{large} of {}: an original that needs no change is its own LARGE", file.len());
}

#[tokio::test]
async fn a_user_has_no_more_photos_than_the_limit() {
    let test = TestApp::with_config(|config| config.photos.max_per_user = 3).await;
    let anna = test.sign_up("anna").await;
    let file = picture([1, 2, 3]);
    let photos = anna.drafts(&[&file, &file]).await;
    let reply = anna.try_upload(&[(&file, None), (&file, None)], true).await;
    assert_eq!(reply.user_errors("uploadPhotos"), ["LIMIT_REACHED input.photos"], "{}", reply.body);
    let message = &reply.data()["uploadPhotos"]["userErrors"][0]["message"];
    assert_eq!(message, "The limit is 3 photos, and you have 2. Delete photos to make room.");
    let storage = anna.run("{ viewer { storage { maxPhotos } } }").await;
    assert_eq!(storage.data()["viewer"]["storage"]["maxPhotos"], 3);
    anna.change("deletePhotos", &[&photos[0]]).await;
    let upload = |_| {
        let (anna, file) = (anna.clone(), file.clone());
        async move { anna.try_upload(&[(&file, None)], false).await.data()["uploadPhotos"]["photos"].is_array() }
    };
    let stored = all((0..6).map(upload)).await.into_iter().filter(|stored| *stored).count();
    assert_eq!((stored, anna.own_photos("").await.len()), (2, 3));
}

/// An earlier version counted originals alone: as if the migration had just run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_version_counted_is_counted_again_while_photos_come_and_go() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let files: Vec<Vec<u8>> = (0..6).map(picture_no).collect();
    anna.drafts(&files.iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
    bert.drafts(&[&files[0]]).await;
    for _ in 0..3 {
        alter(&test, "UPDATE photo_storage SET measure = 0, used_bytes = 700").await;
        let recount = |_| {
            let app = std::sync::Arc::clone(&test.app);
            async move { app.photos.recount_storage().await.is_ok() }
        };
        let changing = async {
            let new = anna.drafts(&[&files[1]]).await;
            anna.change("deletePhotos", &[&new[0]]).await;
            true
        };
        let recounts = futures_util::future::join_all((0..3).map(recount));
        let (recounted, changed) = tokio::join!(recounts, changing);
        assert!(recounted.into_iter().all(|done| done) && changed);
        assert_eq!(anna.used_bytes().await, sum(&anna).await);
        assert_eq!(bert.used_bytes().await, sum(&bert).await);
    }
    // The first upload counts as well.
    alter(&test, "UPDATE photo_storage SET measure = 0, used_bytes = 1").await;
    anna.drafts(&[&files[2]]).await;
    assert_eq!(anna.used_bytes().await, sum(&anna).await);
}

#[tokio::test]
async fn the_photos_of_a_user_are_counted() {
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
    let (file, each) = (picture([1, 2, 3]), EACH);
    let (test, anna) = with_quota(3 * each).await;
    anna.drafts(&[&file, &file]).await;
    assert_eq!(anna.used_bytes().await, 2 * each as i64);
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
    let (test, anna) = with_quota(EACH * 3 / 2).await;
    test.sign_up("bert").await.drafts(&[&one]).await;
    let stored = test.objects().await.len();
    let reply = anna.try_upload(&[(&one, None), (&two, None)], false).await;
    assert_eq!(reply.user_errors("uploadPhotos"), ["LIMIT_REACHED input.photos"], "{}", reply.body);
    assert_eq!(test.objects().await.len(), stored, "the first one's contents were there, and no others are");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_race_for_the_last_room_do_not_share_it() {
    let (file, each) = (picture([1, 2, 3]), EACH);
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
