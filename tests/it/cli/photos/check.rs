//! `cloakroom photos check`: each thing that can be wrong is found, told, and repaired where that is possible.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

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

#[tokio::test]
async fn what_no_row_names_is_removed_once_it_is_old() {
    let (place, _) = with(1).await;
    let folder = place.data.path().join("data/photos");
    let named = |first: char| {
        let hash = first.to_string().repeat(64);
        let folder = folder.join(&hash[..2]);
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(format!("{hash}-00000001"));
        fs::write(&path, b"left").expect("it is written");
        path
    };
    let (old, young, foreign, unfinished) = (named('a'), named('b'), folder.join("notes.txt"), folder.join("half#3"));
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
    assert_eq!((old.exists(), young.exists(), foreign.exists(), unfinished.exists()), (false, true, true, false));
    said.complaint();
    age(&young, 2);
    photos(&place, &["check", "--repair"]).output();
    assert!(!young.exists());
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
    // Their rows stay for another term, for what is stored late.
    place.execute("UPDATE blobs SET sweep_after = '2026-01-01 00:00:00+00:00'").await;
    photos(&place, &["check", "--repair"]).output();
    let said = photos(&place, &["check"]).output();
    assert_eq!(row(&said, "rows of contents"), [0, 0, 0]);
}
