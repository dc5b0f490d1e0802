//! From what is stored to the rows: has everything one?

use futures_util::TryStreamExt as _;

use crate::error::Error;
use crate::photos::blob::{self, TERM};
use crate::photos::check::{Check, Finding, Outcome};
use crate::storage::Listed;

/// Names that are looked up at once.
const AT_ONCE: usize = 500;

impl<T: FnMut(&Finding, &Outcome)> Check<'_, T> {
    pub(super) async fn objects(&mut self) -> Result<(), Error> {
        let mut pages = self.photos.blobs.list().try_chunks(AT_ONCE);
        loop {
            let page = match pages.try_next().await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(()),
                Err(error) => return Err(error.1),
            };
            self.page(&page).await?;
        }
    }

    async fn page(&mut self, page: &[Listed]) -> Result<(), Error> {
        let ours: Vec<(&Listed, &str)> =
            page.iter().filter_map(|listed| Some((listed, blob::hash_in(&listed.key)?))).collect();
        self.tally.foreign += (page.len() - ours.len()) as u64;
        self.tally.objects.seen += ours.len() as u64;
        let hashes: Vec<&str> = ours.iter().map(|(_, hash)| *hash).collect();
        let keys: Vec<&str> = ours.iter().map(|(listed, _)| listed.key.as_str()).collect();
        let known = blob::list_keys_of(self.photos.database.reader(), &hashes, &keys).await?;
        for (listed, _) in ours.into_iter().filter(|(listed, _)| !known.contains(&listed.key)) {
            // A row outlives its content: where the sweep was faster than this look, the content is gone as well.
            if self.photos.blobs.size(&listed.key).await?.is_some() {
                self.stray(listed).await?;
            }
        }
        Ok(())
    }

    async fn stray(&mut self, listed: &Listed) -> Result<(), Error> {
        let outcome = match self.options.repair {
            false => Outcome::Told,
            true if listed.modified_at >= self.photos.clock.now() - TERM => {
                Outcome::Left("it is not an hour old".to_owned())
            }
            // With the wrong database, every photo would be a leftover.
            true if !blob::any(self.photos.database.reader()).await? => {
                Outcome::Left("this database knows no photos at all: is it the right one?".to_owned())
            }
            true => {
                self.photos.blobs.delete(&listed.key).await?;
                Outcome::Repaired
            }
        };
        let finding = Finding::Stray { key: listed.key.clone(), bytes: listed.size };
        self.found(|tally| &mut tally.objects, &finding, &outcome);
        Ok(())
    }

    pub(super) async fn unfinished(&mut self) -> Result<(), Error> {
        let moment = self.photos.clock.now() - TERM;
        let (files, outcome) = match self.options.repair {
            true => (self.photos.blobs.remove_unfinished(moment).await?, Outcome::Repaired),
            false => (self.photos.blobs.count_unfinished(moment).await?, Outcome::Told),
        };
        self.tally.unfinished.seen = files;
        if files > 0 {
            self.found(|tally| &mut tally.unfinished, &Finding::Unfinished { files }, &outcome);
        }
        Ok(())
    }
}
