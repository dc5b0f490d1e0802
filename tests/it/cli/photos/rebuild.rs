//! `cloakroom photos rebuild`: sizes are made anew, beside a server, and what fails is told.

use std::fs;

use crate::support::TestDatabase;

use super::{ORIGINAL, file, photos, picture, serve, upload, with};

#[tokio::test]
async fn every_size_is_made_anew_from_its_original() {
    let (place, ids) = with(3).await;
    place.execute("UPDATE photo_images SET width = 1, height = 1, format = 3 WHERE size < 3").await;
    place.execute("UPDATE photos SET thumbhash = ''").await;
    let said = photos(&place, &["rebuild"]).output();
    assert_eq!(said, "rebuilt: 4; deleted meanwhile: 0; failed: 0\n");
    assert_eq!(place.count("photo_images WHERE size < 3 AND (width = 1 OR format <> 0)").await, 0);
    assert_eq!(place.count("photos WHERE thumbhash = ''").await, 0);
    photos(&place, &["check", "--content"]).output();

    let said = photos(&place, &["rebuild", "--after", &ids[1]]).output();
    assert_eq!(said, "rebuilt: 2; deleted meanwhile: 0; failed: 0\n");
    let said = photos(&place, &["rebuild", "--after", "anna"]).complaint();
    assert_eq!(said, "cloakroom: --after: this is no photo's id\n");
}

#[tokio::test]
async fn contents_of_former_sizes_are_let_go() {
    let (place, _) = with(2).await;
    // As if SMALL had been what THUMBNAIL is: it is shown twice, and what was SMALL by nobody.
    place.execute("UPDATE photo_images SET size = size + 10 WHERE size < 2").await;
    place.execute("UPDATE photo_images SET size = 11 - size WHERE size > 9").await;
    photos(&place, &["rebuild"]).output();
    let said = photos(&place, &["check", "--content", "--repair"]).output();
    assert!(!said.contains("nobody shows"), "{said}");
    assert_eq!(place.count("photo_images i JOIN blobs b ON b.id = i.blob_id WHERE b.hash IS NULL").await, 0);
}

#[tokio::test]
async fn photos_that_cannot_be_made_anew_are_listed_and_stay() {
    let (place, ids) = with(3).await;
    fs::remove_file(file(&place, &ids[1], ORIGINAL).await).expect("it goes");
    let damaged = file(&place, &ids[2], ORIGINAL).await;
    let mut bytes = fs::read(&damaged).expect("a picture");
    bytes[200] ^= 1;
    fs::write(&damaged, bytes).expect("it is written");
    let said = photos(&place, &["rebuild"]);
    assert!(said.out.contains(&format!("photo {}: the original is missing\n", ids[1])), "{said:?}");
    assert!(said.out.contains(&format!("photo {}: the original is not what was stored\n", ids[2])), "{said:?}");
    assert!(said.out.ends_with("rebuilt: 2; deleted meanwhile: 0; failed: 2\n"), "{said:?}");
    assert_eq!(said.complaint(), "cloakroom: photos that are as they were: 2\n");
    assert_eq!(place.count("photo_images").await, 16);
}

/// The second page of photos cannot be read.
#[tokio::test]
async fn a_database_that_fails_meanwhile_is_told_with_what_failed_so_far_and_how_to_go_on() {
    if !TestDatabase::is_sqlite() {
        return; // Only it lets a row be damaged.
    }
    let (place, ids) = with(1).await;
    fs::remove_file(file(&place, &ids[0], ORIGINAL).await).expect("it goes");
    let add = |id: &str, from: &str| {
        format!(
            "INSERT INTO photos (id, user_id, published, thumbhash, created_at, updated_at)
             SELECT {id}, user_id, 0, '', created_at, updated_at FROM (SELECT * FROM photos LIMIT 1) {from}"
        )
    };
    // Without images.
    let numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 498)";
    place.execute(&format!("{numbers} {}", add("unhex(printf('fe%030x', n))", "JOIN numbers"))).await;
    place.execute(&add("X'ff'", "")).await;
    let said = photos(&place, &["rebuild"]);
    assert!(said.out.contains(&format!("photo {}: the original is missing\n", ids[0])), "{said:?}");
    assert!(said.out.ends_with("rebuilt: 0; deleted meanwhile: 0; failed: 500\n"), "{said:?}");
    let last = "pho_fe0000000000000000000000000001f2";
    let complaint = said.complaint();
    assert!(complaint.ends_with(&format!("; to go on: cloakroom photos rebuild --after {last}\n")), "{complaint}");
}

#[tokio::test]
async fn a_server_that_deletes_and_uploads_meanwhile_is_not_disturbed() {
    let (place, _) = with(1).await;
    let server = serve(&place);
    let token = server.sign_up("carla").await;
    let mut ids = Vec::new();
    for number in 10..20 {
        ids.push(upload(&server, &token, &picture(number)).await.expect("an answer"));
    }
    let rebuild = place.command(&["photos", "rebuild"]);
    let rebuilding = tokio::task::spawn_blocking(move || super::super::run(&mut { rebuild }));
    for (number, id) in (0..).zip(ids.iter().rev().take(6)) {
        let delete = format!(r#"mutation {{ deletePhotos(input: {{ photoIds: ["{id}"] }}) {{ deletedPhotoIds }} }}"#);
        let answer = server.run(Some(&token), &delete).await.expect("an answer");
        assert_eq!(answer["data"]["deletePhotos"]["deletedPhotoIds"][0], **id, "{answer}");
        upload(&server, &token, &picture(30 + number)).await.expect("an answer");
    }
    rebuilding.await.expect("it ends").output();
    let said = photos(&place, &["check", "--content"]).output();
    assert_eq!(place.count("photo_images").await, 12 * 4, "{said}");
}
