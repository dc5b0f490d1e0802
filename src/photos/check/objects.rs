//! From the objects in the storage to the rows: has every object a row?
//!
//! Objects are looked up by their keys, which the rows have. What no row names is moved into quarantine, and nowhere
//! else: a wrong or an old database would make a stray of every photo.

use futures_util::TryStreamExt as _;

use crate::error::Error;
use crate::photos::Photos;
use crate::photos::blob::{self, TERM};
use crate::photos::check::{Amount, Check, Finding, Outcome, Survey};
use crate::storage::Listed;

/// Keys that are looked up at once.
const AT_ONCE: usize = 500;

impl<T: FnMut(&Finding, &Outcome)> Check<'_, T> {
    pub(super) async fn objects(&mut self) -> Result<(), Error> {
        // Counted before the first is moved.
        let survey = if self.options.repair { Some(self.photos.survey().await?) } else { None };
        let mut pages = self.photos.blobs.list().try_chunks(AT_ONCE);
        while let Some(page) = pages.try_next().await.map_err(|error| error.1)? {
            let (ours, strays) = self.photos.strays_in(&page).await?;
            self.tally.objects.seen += ours;
            self.tally.foreign += page.len() as u64 - ours;
            for stray in strays {
                self.stray(stray, survey.as_ref()).await?;
            }
        }
        self.tally.quarantined = self.photos.count_quarantine().await?;
        Ok(())
    }

    /// Moves an object without a row into quarantine, if `survey` was made for that.
    async fn stray(&mut self, listed: &Listed, survey: Option<&Survey>) -> Result<(), Error> {
        let outcome = match survey {
            None => Outcome::Told,
            Some(survey) => match survey.refusal().or_else(|| self.photos.is_too_young(listed)) {
                Some(reason) => Outcome::Left(reason),
                // With the wrong database, every photo would be a leftover.
                None if !blob::any(self.photos.database.reader()).await? => {
                    Outcome::Left("this database knows no photos at all: is it the right one?".to_owned())
                }
                None => {
                    self.photos.blobs.quarantine(&listed.key).await?;
                    Outcome::Repaired
                }
            },
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

impl Photos {
    /// Counts the objects, and those without a row.
    pub(super) async fn survey(&self) -> Result<Survey, Error> {
        let (mut survey, mut pages) = (Survey::default(), self.blobs.list().try_chunks(AT_ONCE));
        while let Some(page) = pages.try_next().await.map_err(|error| error.1)? {
            let (ours, strays) = self.strays_in(&page).await?;
            survey.objects += ours;
            strays.into_iter().for_each(|stray| survey.strays.add(stray.size));
        }
        Ok(survey)
    }

    /// The number of objects with names of ours in a page, and those of them without a row.
    pub(super) async fn strays_in<'l>(&self, page: &'l [Listed]) -> Result<(u64, Vec<&'l Listed>), Error> {
        let ours: Vec<&Listed> = page.iter().filter(|listed| blob::hash_in(&listed.key).is_some()).collect();
        let keys: Vec<&str> = ours.iter().map(|listed| listed.key.as_str()).collect();
        let known = blob::list_keys_of(self.database.reader(), &keys).await?;
        let mut strays = Vec::new();
        for listed in ours.iter().filter(|listed| !known.contains(&listed.key)) {
            // A row outlives its content: where the sweep was faster than this look, the content is gone as well.
            if self.blobs.size(&listed.key).await?.is_some() {
                strays.push(*listed);
            }
        }
        Ok((ours.len() as u64, strays))
    }

    /// Counts what is in quarantine.
    pub(super) async fn count_quarantine(&self) -> Result<Amount, Error> {
        let (mut amount, mut listed) = (Amount::default(), self.blobs.list_quarantine());
        while let Some(found) = listed.try_next().await? {
            if blob::hash_in(&found.key).is_some() {
                amount.add(found.size);
            }
        }
        Ok(amount)
    }

    /// The reason to leave an object alone that an upload may have stored just now.
    pub(super) fn is_too_young(&self, listed: &Listed) -> Option<String> {
        let is_young = listed.modified_at >= self.clock.now() - TERM;
        is_young.then(|| "it is not an hour old".to_owned())
    }
}
