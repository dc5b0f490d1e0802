//! What the database says of photos and what is on the disk, seen by a server in process beside those that are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;
use cloakroom::app::App;
use cloakroom::clock::Clock;
use cloakroom::config::{Config, Overrides};
use cloakroom::photos::{FirstUse, blob, photo, photo_image, photo_tag, storage_use};
use cloakroom::storage::MARKER;
use cloakroom::store::{Backend, Database};
use sea_orm::{ConnectionTrait as _, EntityTrait as _, QueryOrder as _, Statement};

use super::Home;
use super::pictures::{SIZES, sha256};

use crate::support::PATIENCE;

/// A photo as the database has it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) published: bool,
    pub(super) caption: String,
    /// The hash and the length of each size, smallest first.
    pub(super) images: Vec<(String, i64)>,
}

/// A server without a socket, on the same database and folder.
pub(super) struct Witness {
    app: Arc<App>,
    data: PathBuf,
}

impl Witness {
    /// So many hours later.
    pub(super) async fn open(home: &Home, hours: i64) -> Self {
        let data = home.folder.path().join("data");
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        config.server.data_dir.clone_from(&data);
        config.database.url = home.url.parse().expect("the URL of a database");
        config.database.max_connections = 4;
        let database = Database::open(&config.database, &data).await.expect("the database opens");
        let clock = match hours {
            0 => Clock::System,
            _ => Clock::fixed(Clock::System.now() + TimeDelta::hours(hours)),
        };
        let app = Arc::new(App::start(&config, database, clock).expect("the app starts"));
        app.photos.attach_storage(FirstUse::Refuse).await.expect("it is the servers' storage");
        Self { app, data }
    }

    pub(super) async fn close(self) {
        self.app.stop().await;
    }

    /// Removes what is over; unless the clock is the machine's, the rows of it as well, which stay for another term.
    pub(super) async fn sweep(&self) {
        for _ in 0..2 {
            self.app.photos.sweep().await.unwrap_or_else(|error| panic!("{error:?}"));
            self.app.clock.advance(2 * 3600);
        }
        self.app.photos.sweep_unfinished().await.unwrap_or_else(|error| panic!("{error:?}"));
        self.app.uploads.sweep(self.app.clock.now()).await.expect("the uploads are swept");
    }

    /// Waits until the database has ended what the killed asked of it.
    pub(super) async fn is_calm(&self) {
        let sql = match self.app.database.backend() {
            Backend::Sqlite => return,
            Backend::Postgres => {
                "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()"
            }
            Backend::Mysql => {
                "SELECT count(*) FROM information_schema.processlist \
                 WHERE db = DATABASE() AND command <> 'Sleep' AND id <> connection_id()"
            }
        };
        let calm = async {
            while self.count(sql).await > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, calm).await.expect("the database ends what was begun");
    }

    async fn count(&self, sql: &str) -> i64 {
        let reader = self.app.database.reader();
        let statement = Statement::from_string(reader.get_database_backend(), sql);
        let rows = reader.query_all_raw(statement).await.expect(sql);
        rows[0].try_get_by_index(0).expect("a count")
    }

    /// Every photo, the oldest first.
    pub(super) async fn photos(&self) -> Vec<Seen> {
        let reader = self.app.database.reader();
        let contents = blob::Entity::find().all(reader).await.expect("contents");
        let contents: BTreeMap<_, _> = contents.into_iter().map(|row| (row.id, row)).collect();
        let images = photo_image::Entity::find().order_by_asc(photo_image::Column::Size).all(reader).await;
        let mut of = BTreeMap::<_, Vec<(String, i64)>>::new();
        for image in images.expect("images") {
            let content = &contents[&image.blob_id];
            let images = of.entry(image.photo_id).or_default();
            assert_eq!(usize::try_from(image.size), Ok(images.len()), "every size of {}, once", image.photo_id);
            let hash = content.hash.clone().unwrap_or_else(|| panic!("{} holds what is condemned", image.photo_id));
            images.push((hash, content.byte_size));
        }
        let photos = photo::Entity::find().order_by_asc(photo::Column::Id).all(reader).await.expect("photos");
        let seen = photos.into_iter().map(|photo| {
            let images = of.remove(&photo.id).unwrap_or_default();
            assert_eq!(images.len(), SIZES.len(), "every size of {}", photo.id);
            let (id, caption) = (photo.id.to_string(), photo.caption.unwrap_or_default());
            Seen { id, published: photo.published, caption, images }
        });
        let seen = seen.collect();
        assert!(of.is_empty(), "no image is without its photo");
        seen
    }

    /// Every row has its file, byte for byte; quotas and tags are exact. Returns the files that have no row.
    pub(super) async fn check_rows(&self) -> BTreeSet<String> {
        let reader = self.app.database.reader();
        let mut files = files_below(&self.data.join("photos"));
        let held: BTreeSet<_> =
            photo_image::Entity::find().all(reader).await.expect("images").iter().map(|image| image.blob_id).collect();
        for content in blob::Entity::find().all(reader).await.expect("contents") {
            let file = std::fs::read(self.data.join("photos").join(&content.object_key)).ok();
            let found =
                file.as_deref().map(|bytes| (Some(sha256(bytes)), i64::try_from(bytes.len()).expect("a length")));
            let is_held = held.contains(&content.id);
            // What nobody holds yet, or no more, may be there or not, but is looked for.
            assert!(is_held || content.sweep_after.is_some(), "the sweep comes to {content:?}");
            if is_held {
                assert_eq!(found, Some((content.hash.clone(), content.byte_size)), "{content:?} is on the disk");
            }
            files.remove(&content.object_key);
        }
        self.check_quotas().await;
        let tags = photo_tag::Entity::find().all(reader).await.expect("tags");
        assert!(tags.is_empty(), "no caption has a tag");
        files
    }

    /// After the sweep: there is nothing but what is held.
    pub(super) async fn check_swept(&self) {
        let left = self.check_rows().await;
        assert!(left.is_empty(), "files without a row: {left:?}");
        let contents = blob::Entity::find().all(self.app.database.reader()).await.expect("contents");
        for content in &contents {
            assert!(content.hash.is_some() && content.sweep_after.is_none(), "nobody holds {content:?}");
        }
        assert_eq!(files_below(&self.data.join("photos")).len(), contents.len());
        assert_eq!(files_below(&self.data.join("uploads")), BTreeSet::new());
    }

    async fn check_quotas(&self) {
        let reader = self.app.database.reader();
        let owners = photo::Entity::find().all(reader).await.expect("photos");
        let owners: BTreeMap<_, _> = owners.into_iter().map(|photo| (photo.id.to_string(), photo.user_id)).collect();
        let mut used = BTreeMap::<_, i64>::new();
        for seen in self.photos().await {
            *used.entry(owners[&seen.id].expect("an author")).or_default() +=
                storage_use::photo_bytes(seen.images.iter().map(|image| image.1));
        }
        for row in storage_use::Entity::find().all(reader).await.expect("quotas") {
            assert_eq!(row.used_bytes, used.remove(&row.user_id).unwrap_or_default(), "what {} has", row.user_id);
        }
        assert!(used.is_empty(), "everybody who has something is counted: {used:?}");
    }
}

/// The names of the files in a folder and those below it.
pub(super) fn files_below(folder: &Path) -> BTreeSet<String> {
    let (mut files, mut waiting) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(place) = waiting.pop() {
        for entry in std::fs::read_dir(&place).into_iter().flatten() {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.file_name().is_some_and(|name| name != MARKER) {
                let name = path.strip_prefix(folder).expect("it is below");
                files.insert(name.to_str().expect("text").to_owned());
            }
        }
    }
    files
}
