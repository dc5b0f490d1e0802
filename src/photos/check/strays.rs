//! The deletion of what no row names: in quarantine, and beside the photos.

use futures_util::TryStreamExt as _;

use crate::caller::Caller;
use crate::error::Error;
use crate::photos::Photos;
use crate::photos::blob;
use crate::photos::check::{Amount, Survey};
use crate::storage::{Listed, quarantined};

/// Objects that are looked up at once.
const AT_ONCE: usize = 500;

/// The objects that can be deleted because no row names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// Those beside the photos.
    pub survey: Survey,
    /// Those in quarantine.
    pub quarantined: Amount,
    /// Objects in quarantine that a row names. They stay: a repair moves them back.
    pub named: u64,
}

impl Photos {
    /// Counts the objects that no row names.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller is an operator; errors of the database and the storage.
    pub async fn count_strays(&self, caller: &Caller) -> Result<Strays, Error> {
        caller.require_operator()?;
        let mut strays = Strays { survey: self.survey().await?, ..Strays::default() };
        let mut pages = self.blobs.list_quarantine().try_chunks(AT_ONCE);
        while let Some(page) = pages.try_next().await.map_err(|error| error.1)? {
            for (listed, is_named) in self.quarantined_in(&page).await? {
                match is_named {
                    true => strays.named += 1,
                    false => strays.quarantined.add(listed.size),
                }
            }
        }
        Ok(strays)
    }

    /// Deletes the objects that no row names: those in quarantine, and those that are an hour old. It deletes none if
    /// `counted`, which the operator was shown, has too many for that; and none beside the photos if the database knows no
    /// photos at all.
    ///
    /// # Errors
    /// Those of [`Photos::count_strays`].
    pub async fn delete_strays(&self, caller: &Caller, counted: &Strays) -> Result<Amount, Error> {
        caller.require_operator()?;
        let mut deleted = Amount::default();
        if counted.survey.refusal().is_some() {
            return Ok(deleted);
        }
        let mut pages = self.blobs.list_quarantine().try_chunks(AT_ONCE);
        while let Some(page) = pages.try_next().await.map_err(|error| error.1)? {
            for (listed, is_named) in self.quarantined_in(&page).await? {
                if !is_named {
                    self.blobs.delete(&quarantined(&listed.key)).await?;
                    deleted.add(listed.size);
                }
            }
        }
        // With the wrong database, every photo would be a stray.
        if !blob::any(self.database.reader()).await? {
            return Ok(deleted);
        }
        let mut pages = self.blobs.list().try_chunks(AT_ONCE);
        while let Some(page) = pages.try_next().await.map_err(|error| error.1)? {
            for stray in self.strays_in(&page).await?.1 {
                if self.is_too_young(stray).is_none() {
                    self.blobs.delete(&stray.key).await?;
                    deleted.add(stray.size);
                }
            }
        }
        Ok(deleted)
    }

    /// The objects of a page of the quarantine, each with whether a row names it.
    async fn quarantined_in<'l>(&self, page: &'l [Listed]) -> Result<Vec<(&'l Listed, bool)>, Error> {
        let ours: Vec<&Listed> = page.iter().filter(|listed| blob::hash_in(&listed.key).is_some()).collect();
        let keys: Vec<&str> = ours.iter().map(|listed| listed.key.as_str()).collect();
        let known = blob::list_keys_of(self.database.reader(), &keys).await?;
        Ok(ours.into_iter().map(|listed| (listed, known.contains(&listed.key))).collect())
    }
}
