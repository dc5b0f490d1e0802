//! Several servers with one storage: a folder that all of them see.

use super::*;
use crate::support::TestDatabase;

fn in_shared_folder(place: &Place, command: &mut std::process::Command) {
    let url = format!("file://{}", data_dir(place, "shared photos").display().to_string().replace(' ', "%20"));
    command.env("CLOAKROOM__STORAGE__URL", url);
}

#[tokio::test]
async fn servers_share_photos_in_a_folder() {
    if TestDatabase::is_sqlite() {
        return; // One server a database.
    }
    let place = Place::create().await;
    place.run(&["keys", "list"]).output();
    let start = |name| another(&place, name, |command| in_shared_folder(&place, command));
    let (one, two) = (start("one"), start("two"));
    let token = one.sign_up("anna").await;
    let answer = try_upload(&one, &token, 1).await;
    let id = answer["data"]["uploadPhotos"]["photos"][0]["id"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let query = format!(r#"{{ node(id: "{id}") {{ ... on Photo {{ image(size: ORIGINAL) {{ url }} }} }} }}"#);
    let answer = two.run(Some(&token), &query).await.expect("an answer");
    let url = answer["data"]["node"]["image"]["url"].as_str().unwrap_or_else(|| panic!("a link in {answer}"));
    assert!(url.contains(&two.address.to_string()));
    assert_eq!(two.status(url).await, 200);
    assert!(!data_dir(&place, "one").join("photos").exists());
}

#[tokio::test]
async fn servers_that_start_at_once_agree_on_one_storage() {
    if TestDatabase::is_sqlite() {
        return; // One server a database.
    }
    let place = Place::create().await;
    place.run(&["keys", "list"]).output();
    place.run(&["migrate", "up"]).output();
    let (place, names) = (&place, ["one", "two", "three"]);
    let servers = std::thread::scope(|scope| {
        let start = |name| scope.spawn(move || another(place, name, |command| in_shared_folder(place, command)));
        names.map(start).map(|started| started.join().expect("it starts"))
    });
    let token = servers[0].sign_up("anna").await;
    for (server, number) in servers.iter().zip(1..) {
        let answer = try_upload(server, &token, number).await;
        assert!(answer["data"]["uploadPhotos"]["photos"][0]["id"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn the_embedded_database_is_backed_up_and_restored_with_photos_in_another_folder() {
    if !TestDatabase::is_sqlite() {
        return; // Backups are of the embedded database.
    }
    let place = Place::create().await;
    place.run(&["keys", "list"]).output();
    let mut server = another(&place, "one", |command| in_shared_folder(&place, command));
    let token = server.sign_up("anna").await;
    upload(&server, &token, &picture(1)).await.expect("an answer");
    assert_eq!(server.end_with("TERM").code(), Some(0));
    let backup = data_dir(&place, "backup").to_string_lossy().into_owned();
    let there = |arguments: &[&str], data: &str| -> Said {
        let mut command = cloakroom(arguments);
        command.arg("--data-dir").arg(data_dir(&place, data));
        in_shared_folder(&place, &mut command);
        run(&mut command)
    };
    there(&["backup", &backup], "one").output();
    let said = there(&["restore", &backup], "two").complaint();
    assert!(said.contains("is not empty"), "the photos folder: {said}");
    assert!(!data_dir(&place, "two").exists(), "nothing is left behind");
    fs::rename(data_dir(&place, "shared photos"), data_dir(&place, "away")).expect("it is moved");
    // An empty volume.
    fs::create_dir_all(data_dir(&place, "shared photos").join("lost+found")).expect("a folder");
    there(&["restore", &backup], "two").output();
    there(&["photos", "check", "--content"], "two").output();
    assert!(!data_dir(&place, "two").join("photos").exists());
    assert!(data_dir(&place, "shared photos").join(MARKER).exists());
}
