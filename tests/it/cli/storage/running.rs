//! A storage that goes away under a running server: nothing is written elsewhere, numbers go on.

use super::*;

#[tokio::test]
async fn a_folder_that_vanishes_is_not_made_again_and_is_used_again_when_it_is_back() {
    let place = Place::create().await;
    let server = serve(&place);
    let token = server.sign_up("anna").await;
    upload(&server, &token, &picture(1)).await.expect("an answer");
    let (photos, away) = (photos_folder(&place), data_dir(&place, "away"));
    fs::rename(&photos, &away).expect("it is moved");
    for number in 1..=2 {
        // One that is stored already, and a new one.
        let answer = try_upload(&server, &token, number).await;
        assert_eq!(code(&answer), "UNAVAILABLE", "{answer}");
        assert!(!photos.exists(), "it is not made again");
    }
    assert_eq!(next(&server, &token).await, 1);
    fs::rename(&away, &photos).expect("it is moved back");
    upload(&server, &token, &picture(2)).await.expect("an answer");
}

#[tokio::test]
async fn nothing_is_written_into_a_folder_that_has_taken_the_place_of_the_storage() {
    let (other, _) = with_photo().await;
    let place = Place::create().await;
    let server = serve(&place);
    let token = server.sign_up("anna").await;
    let id = upload(&server, &token, &picture(1)).await.expect("an answer");
    let (photos, away) = (photos_folder(&place), data_dir(&place, "away"));
    fs::rename(&photos, &away).expect("it is moved");
    fs::create_dir(&photos).expect("an empty mount point");
    assert_eq!(code(&try_upload(&server, &token, 2).await), "UNAVAILABLE");
    assert_eq!(fs::read_dir(&photos).expect("a folder").count(), 0);
    fs::remove_dir(&photos).expect("it goes");
    fs::rename(photos_folder(&other), &photos).expect("the volume of another installation");
    assert_eq!(code(&try_upload(&server, &token, 2).await), "UNAVAILABLE");
    // A picture that cannot be read is not lost: the server says to come again.
    let query = format!(r#"{{ node(id: "{id}") {{ ... on Photo {{ image(size: ORIGINAL) {{ url }} }} }} }}"#);
    let answer = server.run(Some(&token), &query).await.expect("an answer");
    let url = answer["data"]["node"]["image"]["url"].as_str().unwrap_or_else(|| panic!("a link in {answer}"));
    assert_eq!(server.status(url).await, 503);
    assert_eq!(next(&server, &token).await, 1);
    fs::rename(&photos, photos_folder(&other)).expect("it is moved back");
    fs::rename(&away, &photos).expect("it is moved back");
    assert_eq!(server.status(url).await, 200);
    upload(&server, &token, &picture(2)).await.expect("an answer");
}
