//! `cloakroom photos check`: each thing that can be wrong is found, told, and repaired where that is possible.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::TestDatabase;

use super::{LARGE, ORIGINAL, Place, SMALL, THUMBNAIL, file, photos, serve, upload, with};

/// Makes a file so old.
fn age(path: &Path, hours: u64) {
    let file = File::options().append(true).open(path).expect("the file is there");
    let modified = file.metadata().expect("its metadata").modified().expect("its time");
    file.set_modified(modified - Duration::from_secs(hours * 3600)).expect("its time is set");
}

/// The table's row with this name: seen, wrong, repaired.
fn row(said: &str, name: &str) -> Vec<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {said}"));
    line.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

fn assert_clean(place: &Place) {
    let said = photos(place, &["check", "--content"]).output();
    assert!(said.starts_with("CHECKED"), "{said}");
}

#[tokio::test]
async fn what_is_whole_is_clean_beside_a_server_as_well() {
    let (place, _) = with(2).await;
    let said = photos(&place, &["check", "--content"]).output();
    assert_eq!(row(&said, "images of photos"), [12, 0, 0]);
    assert_eq!(row(&said, "rows of contents"), [8, 0, 0]);
    assert_eq!(row(&said, "stored objects"), [8, 0, 0]);
    assert_eq!(row(&said, "quotas of users"), [2, 0, 0]);
    let server = serve(&place);
    let carla = server.sign_up("carla").await;
    upload(&server, &carla, &super::picture(9)).await.expect("an answer");
    let said = photos(&place, &["check"]).output();
    assert_eq!((row(&said, "stored objects"), row(&said, "quotas of users")), (vec![12, 0, 0], vec![3, 0, 0]));
}

#[tokio::test]
async fn smaller_sizes_that_are_missing_or_damaged_are_made_again() {
    let (place, ids) = with(2).await;
    let (large, small) = (file(&place, &ids[1], LARGE).await, file(&place, &ids[1], SMALL).await);
    let thumbnail = file(&place, &ids[1], THUMBNAIL).await;
    let before = [&large, &small, &thumbnail].map(|path| fs::read(path).expect("a picture"));
    fs::remove_file(&large).expect("it goes");
    fs::write(&small, b"short").expect("it is written");
    let mut flipped = before[2].clone();
    flipped[100] ^= 1;
    fs::write(&thumbnail, flipped).expect("it is written");

    let said = photos(&place, &["check"]);
    assert!(said.out.contains(&format!("photo {} of anna: LARGE is missing\n", ids[1])), "{said:?}");
    assert!(said.out.contains(&format!("photo {} of anna: SMALL has 5 bytes instead of ", ids[1])), "{said:?}");
    assert_eq!(row(&said.out, "rows of contents"), [8, 2, 0]);
    assert_eq!(
        said.complaint(),
        "cloakroom: findings: 2; `cloakroom photos check --repair` puts right what can be put right\n"
    );
    let said = photos(&place, &["check", "--content"]);
    assert!(said.out.contains(&format!("photo {} of anna: THUMBNAIL is not what was stored\n", ids[1])), "{said:?}");
    said.complaint();

    let said = photos(&place, &["check", "--content", "--repair"]).output();
    assert_eq!(row(&said, "rows of contents"), [8, 3, 3], "{said}");
    assert_eq!(said.matches("(repaired)").count(), 3, "{said}");
    assert_eq!([&large, &small, &thumbnail].map(|path| fs::read(path).expect("a picture")), before);
    assert_clean(&place);
}

#[tokio::test]
async fn a_lost_original_is_told_of_everybody_who_shows_it() {
    let (place, ids) = with(1).await;
    fs::remove_file(file(&place, &ids[0], ORIGINAL).await).expect("it goes");
    fs::remove_file(file(&place, &ids[0], LARGE).await).expect("it goes");
    let said = photos(&place, &["check", "--repair"]);
    assert!(
        said.out
            .contains(&format!("photo {} of anna: ORIGINAL is missing (not repaired: only a backup has it)", ids[0])),
        "{said:?}"
    );
    assert!(said.out.contains(" of bob: ORIGINAL is missing"), "{said:?}");
    assert!(said.out.contains("of bob: LARGE is missing (not repaired: the original is missing)"), "{said:?}");
    assert_eq!(said.complaint(), "cloakroom: findings that could not be repaired: 4\n");
}

/// Writes an object that no row names, and returns its key and its path.
fn stray(place: &Place, first: char, number: u32) -> (String, PathBuf) {
    let hash = first.to_string().repeat(64);
    let key = format!("{}/{hash}-{number:08x}", &hash[..2]);
    let path = place.data.path().join("data/photos").join(&key);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, b"left").expect("it is written");
    (key, path)
}

fn lost(place: &Place) -> PathBuf {
    place.data.path().join("data/photos/lost+found")
}

#[tokio::test]
async fn an_object_without_a_row_is_moved_to_lost_and_found_once_it_is_old() {
    let (place, _) = with(1).await;
    let folder = place.data.path().join("data/photos");
    let ((old_key, old), (young_key, young)) = (stray(&place, 'a', 1), stray(&place, 'b', 1));
    let (foreign, unfinished) = (folder.join("notes.txt"), folder.join("half#3"));
    for path in [&foreign, &unfinished] {
        fs::write(path, b"left").expect("it is written");
    }
    [&old, &foreign, &unfinished].into_iter().for_each(|path| age(path, 2));

    let said = photos(&place, &["check"]);
    assert_eq!((row(&said.out, "stored objects"), row(&said.out, "unfinished files")), (vec![6, 2, 0], vec![1, 1, 0]));
    assert!(said.out.contains("no row names its 4 bytes"), "{said:?}");
    said.complaint();
    assert!(old.exists() && unfinished.exists());

    let said = photos(&place, &["check", "--repair"]);
    assert!(said.out.contains("not repaired: it is not an hour old"), "{said:?}");
    assert!(said.out.contains("1 objects have names of another kind"), "{said:?}");
    assert!(said.out.contains("1 objects (4 bytes) are in lost+found/."), "{said:?}");
    assert_eq!((old.exists(), young.exists(), foreign.exists(), unfinished.exists()), (false, true, true, false));
    assert_eq!(fs::read(lost(&place).join(&old_key)).expect("it is kept"), b"left");
    said.complaint();
    age(&young, 2);
    photos(&place, &["check", "--repair"]).output();
    assert!(!young.exists() && lost(&place).join(&young_key).exists());
    let said = photos(&place, &["check", "--content"]).output();
    assert_eq!(row(&said, "stored objects"), [4, 0, 0]);
    assert!(said.contains("2 objects (8 bytes) are in lost+found/."), "{said}");
}

#[tokio::test]
async fn strays_are_deleted_only_after_their_number_and_size_were_shown() {
    let (place, _) = with(1).await;
    let ((key, path), (_, beside), (_, young)) = (stray(&place, 'a', 1), stray(&place, 'b', 1), stray(&place, 'c', 1));
    [&path, &beside].into_iter().for_each(|path| age(path, 2));
    photos(&place, &["check", "--yes"]).complaint();
    fs::create_dir_all(lost(&place).join("aa")).expect("a folder");
    fs::rename(&path, lost(&place).join(&key)).expect("it moves");
    let figures = "Objects without a row: 1 (4 bytes) in lost+found/, 2 (8 bytes) beside 4 photo files.\n";
    let said = photos(&place, &["check", "--delete-strays"]);
    assert_eq!(said.out, figures);
    assert!(said.complaint().contains("nothing was deleted: to delete them for good, say --yes"));
    assert!(lost(&place).join(&key).exists() && beside.exists());
    let said = photos(&place, &["check", "--delete-strays", "--yes"]);
    assert_eq!(said.out, format!("{figures}Deleted: 2 (8 bytes).\n"));
    assert!(said.complaint().contains("not an hour old: 1"));
    assert!(!lost(&place).join(&key).exists() && !beside.exists() && young.exists());
    age(&young, 2);
    photos(&place, &["check", "--delete-strays", "--yes"]).output();
    assert_clean(&place);
    photos(&place, &["check", "--delete-strays"]).output();
}

#[tokio::test]
async fn more_strays_than_damage_explains_are_neither_moved_nor_deleted() {
    let (place, _) = with(1).await;
    let paths: Vec<PathBuf> = (0..11).map(|number| stray(&place, 'd', number).1).collect();
    paths.iter().for_each(|path| age(path, 2));
    let said = photos(&place, &["check", "--repair"]);
    assert_eq!(said.out.matches("(not repaired: 11 of 15 objects have no row, more than 10: is this").count(), 11);
    said.complaint();
    let said = photos(&place, &["check", "--delete-strays", "--yes"]);
    assert!(said.out.contains("11 (44 bytes) beside 4 photo files"), "{said:?}");
    assert!(said.complaint().contains("nothing was deleted: 11 of 15 objects have no row"));
    assert!(paths.iter().all(|path| path.exists()));
    fs::remove_file(&paths[0]).expect("it goes");
    photos(&place, &["check", "--repair"]).output();
    assert!(!paths.iter().any(|path| path.exists()));
}

/// With last night's database, the photos of today are strays. With today's database they come back.
#[tokio::test]
async fn originals_outlive_a_repair_with_an_old_database() {
    let (place, ids) = with(2).await;
    let original = file(&place, &ids[1], ORIGINAL).await;
    let before = fs::read(&original).expect("a picture");
    let id = uuid::Uuid::try_parse(ids[1].strip_prefix("pho_").expect("a photo's id")).expect("an id");
    let id = if TestDatabase::is_sqlite() { format!("X'{}'", id.simple()) } else { format!("'{id}'") };
    for path in place.photo_files() {
        age(&path, 2);
    }
    // Its rows go, and come back.
    for sql in [
        format!("CREATE TABLE kept_images AS SELECT * FROM photo_images WHERE photo_id = {id}"),
        "CREATE TABLE kept_blobs AS SELECT * FROM blobs WHERE id IN (SELECT blob_id FROM kept_images)".to_owned(),
        format!("DELETE FROM photo_images WHERE photo_id = {id}"),
        "DELETE FROM blobs WHERE id IN (SELECT id FROM kept_blobs)".to_owned(),
    ] {
        place.execute(&sql).await;
    }
    let said = photos(&place, &["check", "--repair"]);
    assert_eq!(row(&said.out, "stored objects"), [8, 4, 4], "{said:?}");
    assert!(said.out.contains(&format!("photo {} of anna: ORIGINAL has no row (not repaired: ", ids[1])), "{said:?}");
    assert!(said.complaint().contains("findings that could not be repaired: 4"));
    assert!(!original.exists());
    place.execute("INSERT INTO blobs SELECT * FROM kept_blobs").await;
    let named = photos(&place, &["check", "--delete-strays", "--yes"]).output();
    assert!(named.contains("A row names 4 objects in lost+found/: they stay."), "{named}");
    place.execute("INSERT INTO photo_images SELECT * FROM kept_images").await;
    place.execute("DROP TABLE kept_images").await;
    place.execute("DROP TABLE kept_blobs").await;
    photos(&place, &["check", "--repair"]).output();
    assert_eq!(fs::read(&original).expect("it is back"), before);
    assert_clean(&place);
}

#[tokio::test]
async fn images_that_a_photo_does_not_have_are_made_again_from_its_original() {
    let (place, ids) = with(1).await;
    let before = fs::read(file(&place, &ids[0], LARGE).await).expect("a picture");
    place.execute("DELETE FROM photo_images WHERE size IN (0, 2)").await;
    let said = photos(&place, &["check"]);
    assert_eq!(row(&said.out, "images of photos"), [8, 4, 0], "{said:?}");
    for size in ["THUMBNAIL", "LARGE"] {
        assert!(said.out.contains(&format!("photo {} of anna: {size} has no row\n", ids[0])), "{said:?}");
    }
    said.complaint();
    let said = photos(&place, &["check", "--repair"]).output();
    assert_eq!(row(&said, "images of photos"), [8, 4, 4], "{said}");
    assert_eq!(fs::read(file(&place, &ids[0], LARGE).await).expect("a picture"), before);
    assert_clean(&place);
}

#[tokio::test]
async fn an_original_without_an_image_is_told_each_time_and_its_content_stays() {
    let (place, ids) = with(1).await;
    let original = file(&place, &ids[0], ORIGINAL).await;
    let before = fs::read(&original).expect("a picture");
    let key = original.strip_prefix(place.data.path().join("data/photos")).expect("below the folder").to_owned();
    place.execute("DELETE FROM photo_images WHERE size IN (1, 3)").await;
    for _ in 0..3 {
        // Also when the sweep has taken what nobody shows.
        place.execute("UPDATE blobs SET sweep_after = '2026-01-01 00:00:00+00:00' WHERE sweep_after IS NOT NULL").await;
        let said = photos(&place, &["check", "--repair"]);
        let told = |size: &str, why: &str| {
            let line = format!("photo {} of anna: {size} has no row (not repaired: {why})", ids[0]);
            assert!(said.out.contains(&line), "{line} in {said:?}");
        };
        told("ORIGINAL", "only a backup has it");
        told("SMALL", "the original is missing");
        assert!(said.complaint().contains("findings that could not be repaired: 4"));
    }
    assert_eq!(fs::read(lost(&place).join(key)).expect("it is kept"), before);
}

#[tokio::test]
async fn a_content_that_cannot_be_read_keeps_nothing_else_from_being_repaired() {
    let (place, ids) = with(2).await;
    let (original, large) = (file(&place, &ids[0], ORIGINAL).await, file(&place, &ids[1], LARGE).await);
    fs::remove_file(&original).expect("it goes");
    fs::create_dir(&original).expect("a folder in its place");
    let before = fs::read(&large).expect("a picture");
    fs::remove_file(&large).expect("it goes");
    for arguments in [&["check", "--repair"][..], &["check", "--repair", "--content"]] {
        let said = photos(&place, arguments);
        let line = format!("photo {} of anna: ORIGINAL ", ids[0]);
        let line = said.out.lines().find(|told| told.starts_with(&line)).unwrap_or_else(|| panic!("{said:?}"));
        assert!(line.ends_with("(not repaired: only a backup has it)"), "{line}");
        assert_eq!(said.complaint(), "cloakroom: findings that could not be repaired: 2\n");
        assert_eq!(fs::read(&large).expect("it is made again"), before);
    }
}

#[tokio::test]
async fn rows_that_differ_from_a_whole_content_are_corrected_by_it() {
    let (place, ids) = with(2).await;
    let (original, other) = (file(&place, &ids[0], ORIGINAL).await, file(&place, &ids[1], ORIGINAL).await);
    for path in place.photo_files() {
        age(&path, 2);
    }
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    place
        .execute(&format!("UPDATE blobs SET hash = '{}' WHERE object_key LIKE '%{}'", "0".repeat(64), name(&original)))
        .await;
    place.execute(&format!("UPDATE blobs SET byte_size = 5 WHERE object_key LIKE '%{}'", name(&other))).await;
    let said = photos(&place, &["check"]);
    assert!(said.out.contains("ORIGINAL has another SHA-256 in its row than in its name\n"), "{said:?}");
    assert!(said.out.contains(&format!("photo {} of anna: ORIGINAL has ", ids[1])), "{said:?}");
    assert_eq!(row(&said.out, "stored objects"), [8, 0, 0], "{said:?}");
    said.complaint();
    photos(&place, &["check", "--repair"]).output();
    assert!(original.exists() && other.exists() && !lost(&place).exists());
    assert_clean(&place);
}

#[tokio::test]
async fn with_a_database_that_knows_no_photos_nothing_is_removed() {
    let (place, other) = (Place::create().await, with(1).await.0);
    place.run(&["migrate", "up"]).output();
    let (from, to) = (other.data.path().join("data/photos"), place.data.path().join("data/photos"));
    fs::remove_dir_all(&to).or_else(|_| fs::create_dir_all(place.data.path().join("data"))).expect("a folder");
    fs::rename(from, &to).expect("it moves");
    let paths = fs::read_dir(&to).expect("a folder").map(|entry| entry.expect("an entry").path());
    let paths: Vec<_> = paths.filter(|path| path.is_dir()).collect();
    let files = || paths.iter().map(|path| fs::read_dir(path).expect("a folder").count()).sum::<usize>();
    for path in &paths {
        fs::read_dir(path).expect("a folder").for_each(|entry| age(&entry.expect("an entry").path(), 2));
    }
    // As it is, and as it was before storages had an identity.
    for reason in ["belongs to another database", "this database has no photos"] {
        let said = photos(&place, &["check", "--repair"]).complaint();
        assert!(said.contains(reason), "{said:?}");
        assert_eq!(files(), 4);
        fs::remove_file(to.join("cloakroom-storage.json")).ok();
    }
    // A second safeguard, if an operator insists.
    photos(&place, &["adopt", "--yes"]).output();
    let said = photos(&place, &["check", "--repair"]);
    assert!(said.out.contains("this database knows no photos at all: is it the right one?"), "{said:?}");
    assert_eq!((files(), row(&said.out, "stored objects")), (4, vec![4, 4, 0]));
    said.complaint();
}

#[tokio::test]
async fn quotas_are_counted_anew() {
    let (place, _) = with(2).await;
    place.execute("UPDATE photo_storage SET used_bytes = 5").await;
    let said = photos(&place, &["check"]);
    assert!(said.out.contains("user anna: 5 bytes are counted, "), "{said:?}");
    assert_eq!(row(&said.out, "quotas of users"), [2, 2, 0]);
    said.complaint();
    let said = photos(&place, &["check", "--repair"]).output();
    assert_eq!(row(&said, "quotas of users"), [2, 2, 2]);
    place.execute("DELETE FROM photo_storage").await;
    photos(&place, &["check"]).complaint();
    photos(&place, &["check", "--repair"]).output();
    assert_clean(&place);
}

#[tokio::test]
async fn contents_that_nobody_shows_wait_for_the_sweep_and_are_never_forgotten() {
    let (place, _) = with(2).await;
    place.execute("DELETE FROM photo_images").await;
    place.execute("DELETE FROM photos").await;
    let said = photos(&place, &["check"]);
    assert_eq!(said.out.matches("nobody shows it, and no sweep will look at it").count(), 8, "{said:?}");
    place.execute("UPDATE blobs SET sweep_after = '2026-01-01 00:00:00+00:00'").await;
    place.execute("DELETE FROM photo_storage").await;
    let said = photos(&place, &["check"]).output();
    assert!(said.contains("8 contents that nobody shows wait for the sweep."), "{said}");
    place.execute("UPDATE blobs SET sweep_after = NULL").await;
    photos(&place, &["check", "--repair"]).output();
    let said = photos(&place, &["check"]).output();
    assert_eq!(row(&said, "stored objects"), [0, 0, 0]);
    assert!(said.contains("8 objects ("), "kept in lost+found: {said}");
    // Their rows stay for another term, for what is stored late.
    place.execute("UPDATE blobs SET sweep_after = '2026-01-01 00:00:00+00:00'").await;
    photos(&place, &["check", "--repair"]).output();
    let said = photos(&place, &["check"]).output();
    assert_eq!(row(&said, "rows of contents"), [0, 0, 0]);
}
