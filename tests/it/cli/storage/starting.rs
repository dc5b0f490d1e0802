//! A server whose storage is not that of its database refuses to start, and says what to do.

use super::*;
use crate::support::TestDatabase;

/// `store.md` 12: without shared photos, one server's links fail at the other, and deleted photos
/// stay on disk.
#[tokio::test]
async fn a_second_server_with_a_photos_folder_of_its_own_does_not_start() {
    if TestDatabase::is_sqlite() {
        return; // One server a database.
    }
    let place = Place::create().await;
    let first = serve(&place);
    let token = first.sign_up("anna").await;
    let said = refused_at(&place, &copy_keys(&place, "second"));
    assert!(said.contains(&photos_folder(&place).display().to_string()), "the first one's folder: {said}");
    let second = data_dir(&place, "second").join("photos");
    assert!(said.contains(&second.display().to_string()) && said.contains("storage.url = \"file:///"), "{said}");
    assert!(!second.exists(), "nothing is made of it");
    assert_eq!(next(&first, &token).await, 1);
}

#[tokio::test]
async fn a_volume_that_is_not_mounted_keeps_the_server_from_starting() {
    let (place, token) = with_photo().await;
    let (photos, away) = (photos_folder(&place), data_dir(&place, "away"));
    fs::rename(&photos, &away).expect("it is moved");
    let said = refused(&place);
    assert!(said.contains(&format!("{} does not exist", photos.display())) && said.contains("mount"), "{said}");
    assert!(!photos.exists(), "it is not made again");
    // An empty mount point.
    fs::create_dir_all(photos.join("lost+found")).expect("a folder");
    let said = refused(&place);
    assert!(said.contains(&format!("{} has no {MARKER}", photos.display())) && said.contains("mount"), "{said}");
    fs::remove_dir_all(&photos).expect("it goes");
    fs::rename(&away, &photos).expect("it is moved back");
    let server = serve(&place);
    upload(&server, &token, &picture(2)).await.expect("an answer");
}

#[tokio::test]
async fn the_storage_of_another_database_is_refused() {
    let (place, _) = with_photo().await;
    let (other, _) = with_photo().await;
    let (photos, away) = (photos_folder(&place), data_dir(&place, "away"));
    fs::rename(&photos, &away).expect("it is moved");
    // A volume of another installation, mounted here.
    let theirs = photos_folder(&other);
    let copied = std::process::Command::new("cp").arg("-a").arg(&theirs).arg(&photos).status();
    assert!(copied.expect("cp runs").success());
    let said = refused(&place);
    assert!(said.contains(&format!("{} belongs to another database", photos.display())), "{said}");
    assert!(said.contains("cloakroom photos adopt"), "the remedy: {said}");
    // Every command that reads or writes photos says the same.
    for command in [&["photos", "check"][..], &["photos", "check", "--repair"], &["photos", "rebuild"]] {
        let said = place.run(command).complaint();
        assert!(said.contains("belongs to another database"), "{command:?}: {said}");
    }
    if TestDatabase::is_sqlite() {
        let target = data_dir(&place, "backup").to_string_lossy().into_owned();
        let said = place.run(&["backup", &target]).complaint();
        assert!(said.contains("belongs to another database"), "{said}");
    }
    place.run(&["users", "list"]).output();
}

/// A database and a storage from before storages had an identity.
async fn forget_identity(place: &Place) {
    place.execute("DELETE FROM storage_identity").await;
    fs::remove_file(photos_folder(place).join(MARKER)).expect("it is forgotten");
}

#[tokio::test]
async fn an_installation_without_an_identity_gets_one_if_its_photos_are_there() {
    let (place, token) = with_photo().await;
    forget_identity(&place).await;
    let (photos, away) = (photos_folder(&place), data_dir(&place, "away"));
    fs::rename(&photos, &away).expect("it is moved");
    fs::create_dir(&photos).expect("an empty folder");
    let said = refused(&place);
    assert!(said.contains(&format!("{} has 0 of 4 photo files", photos.display())), "{said}");
    assert!(!photos.join(MARKER).exists());
    fs::remove_dir(&photos).expect("it goes");
    fs::rename(&away, &photos).expect("it is moved back");
    let mut server = serve(&place);
    upload(&server, &token, &picture(2)).await.expect("an answer");
    assert_eq!(server.end_with("TERM").code(), Some(0));
    assert!(photos.join(MARKER).exists());
    place.run(&["photos", "check", "--content"]).output();
}

#[tokio::test]
async fn a_database_without_photos_does_not_take_the_photos_of_another() {
    let (place, _) = with_photo().await;
    let other = Place::create().await;
    fs::create_dir_all(data_dir(&other, "data")).expect("a folder");
    fs::remove_file(photos_folder(&place).join(MARKER)).expect("from before there was one");
    fs::rename(photos_folder(&place), photos_folder(&other)).expect("it is moved");
    let said = refused(&other);
    assert!(said.contains("this database has no photos") && said.contains("holds photo files"), "{said}");
}

#[tokio::test]
async fn a_storage_can_be_adopted_by_hand() {
    let (place, token) = with_photo().await;
    let marker = photos_folder(&place).join(MARKER);
    let before = fs::read_to_string(&marker).expect("an identity");
    fs::remove_file(&marker).expect("it is lost");
    assert!(refused(&place).contains(&format!("has no {MARKER}")));
    let said = place.run(&["photos", "adopt"]).complaint();
    assert!(said.contains("4 of 4 photo files") && said.contains("--yes"), "{said}");
    assert!(!marker.exists());
    let said = place.run(&["photos", "adopt", "--yes", "--json"]).output();
    let told: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&told["sampledFiles"], &told["foundFiles"]), (&json!(4), &json!(4)), "{told}");
    let after = fs::read_to_string(&marker).expect("an identity");
    assert!(before != after && after.contains(told["storageId"].as_str().expect("an id")), "{after}");
    let server = serve(&place);
    upload(&server, &token, &picture(2)).await.expect("an answer");
}
