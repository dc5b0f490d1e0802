//! From the rows to what is stored: is all there that photos show?

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::error::Error;
use crate::photos::blob::{self, Content, Kept};
use crate::photos::check::{Check, Fault, Finding, Outcome, PAGE, refusal_of};
use crate::photos::photo_image::{self, Holder};
use crate::photos::picture::Size;
use crate::photos::{Photos, hex};
use crate::storage::quarantined;

/// Contents that are looked at side by side.
const AT_ONCE: usize = 8;

impl<T: FnMut(&Finding, &Outcome)> Check<'_, T> {
    pub(super) async fn contents(&mut self) -> Result<(), Error> {
        let refusal = if self.options.repair { self.photos.refusal_of_forgotten().await? } else { None };
        let mut after = None;
        loop {
            let page = blob::list_kept(self.photos.database.reader(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.row.id);
            self.tally.contents.seen += page.len() as u64;
            let (photos, content) = (self.photos, self.options.content);
            let held = page.iter().filter(|kept| kept.is_held());
            let looks = futures_util::stream::iter(held)
                .map(|kept| async move { Ok::<_, Error>((kept, photos.look(&kept.row, content).await?)) });
            let looked: Vec<(&Kept, Option<Fault>)> = looks.buffered(AT_ONCE).try_collect().await?;
            for (kept, fault) in looked {
                if let Some(fault) = fault {
                    self.damaged(&kept.row, fault).await?;
                }
            }
            for kept in page.iter().filter(|kept| !kept.is_held()) {
                match kept.row.sweep_after {
                    Some(_) => self.tally.waiting += 1,
                    None => self.forgotten(&kept.row, refusal.as_deref()).await?,
                }
            }
        }
    }

    /// Tells each photo that shows this content. One that is deleted meanwhile shows it no more.
    async fn damaged(&mut self, row: &blob::Model, fault: Fault) -> Result<(), Error> {
        let mut after = None;
        loop {
            let holders = photo_image::list_holders(self.photos.database.reader(), row.id, after, PAGE).await?;
            let Some(last) = holders.last() else { return Ok(()) };
            after = Some((last.photo_id, last.size));
            for holder in holders {
                let Some(size) = photo_image::size_of(holder.size) else { continue };
                let outcome = match self.options.repair {
                    true => self.photos.mend(row, &holder, size).await?,
                    false => Outcome::Told,
                };
                let finding = Finding::Image { photo: holder.photo_id, size, author: holder.author, fault };
                self.found(|tally| &mut tally.contents, &finding, &outcome);
            }
        }
    }

    /// The content stays in quarantine. It may be the original of a photo whose image has lost its row.
    async fn forgotten(&mut self, row: &blob::Model, refusal: Option<&str>) -> Result<(), Error> {
        let outcome = match (self.options.repair, refusal) {
            (true, Some(reason)) => Outcome::Left(reason.to_owned()),
            (true, None) => {
                self.photos.blobs.copy(&row.object_key, &quarantined(&row.object_key)).await?;
                let (id, now) = (row.id, self.photos.clock.now());
                let release = self
                    .photos
                    .database
                    .write(move |transaction| Box::pin(async move { blob::release(transaction, &[id], now).await }));
                release.await?;
                Outcome::Repaired
            }
            (false, _) => Outcome::Told,
        };
        self.found(|tally| &mut tally.contents, &Finding::Forgotten { key: row.object_key.clone() }, &outcome);
        Ok(())
    }
}

impl Photos {
    /// What is wrong with a content that somebody shows. One that cannot be read is damaged, if the storage works.
    async fn look(&self, row: &blob::Model, content: bool) -> Result<Option<Fault>, Error> {
        match self.compare(row, content).await {
            Err(error) if self.blobs.verify().await.is_ok() => {
                tracing::warn!(error = error.reason(), "the content {} cannot be read", row.object_key);
                Ok(Some(Fault::Unreadable))
            }
            fault => fault,
        }
    }

    async fn compare(&self, row: &blob::Model, content: bool) -> Result<Option<Fault>, Error> {
        let expected = u64::try_from(row.byte_size).unwrap_or_default();
        let is_row_right = row.hash.as_deref() == blob::hash_in(&row.object_key);
        match self.blobs.size(&row.object_key).await? {
            None => Ok(Some(Fault::Missing)),
            Some(found) if found != expected => Ok(Some(Fault::Length { expected, found })),
            Some(_) if !is_row_right => Ok(Some(Fault::Row)),
            Some(_) if content => match self.digest(&row.object_key).await? {
                None => Ok(Some(Fault::Missing)),
                found => Ok((found != row.hash).then_some(Fault::Content)),
            },
            Some(_) => Ok(None),
        }
    }

    /// The SHA-256 of what is stored under this name, in hexadecimal.
    async fn digest(&self, key: &str) -> Result<Option<String>, Error> {
        let Some((_, mut pieces)) = self.blobs.read(key, None).await? else { return Ok(None) };
        let mut digest = Context::new(&SHA256);
        while let Some(piece) = pieces.try_next().await? {
            digest.update(&piece);
        }
        Ok(Some(hex(digest.finish().as_ref())))
    }

    /// Repairs a content by what is certain: its name has its SHA-256. Otherwise a smaller size is made again, which may
    /// have been done with another size of the photo.
    async fn mend(&self, row: &blob::Model, holder: &Holder, size: Size) -> Result<Outcome, Error> {
        let fault = self.look(row, true).await?;
        let is_mended = match fault {
            None => true,
            Some(Fault::Missing) => self.recover(row).await?,
            Some(_) => self.correct_row(row).await?,
        };
        match size {
            _ if is_mended => Ok(Outcome::Repaired),
            Size::Original => Ok(Outcome::Left("only a backup has it".to_owned())),
            _ => Ok(self.rebuild_missing(holder.photo_id).await),
        }
    }

    /// Moves a content back that is in quarantine. Returns whether it was there.
    async fn recover(&self, row: &blob::Model) -> Result<bool, Error> {
        let key = quarantined(&row.object_key);
        match self.digest(&key).await {
            Ok(found) if found.is_some() && found == row.hash => {}
            _ => return Ok(false),
        }
        let is_copied = self.blobs.copy(&key, &row.object_key).await?;
        if is_copied {
            self.blobs.delete(&key).await?;
        }
        Ok(is_copied)
    }

    /// Corrects a row whose content is what its name says. Returns whether it is.
    async fn correct_row(&self, row: &blob::Model) -> Result<bool, Error> {
        let Some(hash) = blob::hash_in(&row.object_key) else { return Ok(false) };
        let Ok(Some(found)) = self.digest(&row.object_key).await else { return Ok(false) };
        let Some(size) = self.blobs.size(&row.object_key).await? else { return Ok(false) };
        if found != hash {
            return Ok(false);
        }
        let content = Content { hash: found, byte_size: i64::try_from(size).unwrap_or(i64::MAX) };
        let id = row.id;
        let correct = self.database.write(move |transaction| {
            let content = content.clone();
            Box::pin(async move { blob::correct(transaction, id, &content).await })
        });
        correct.await
    }

    /// The reason to leave the contents alone that nobody shows, if they are too many.
    async fn refusal_of_forgotten(&self) -> Result<Option<String>, Error> {
        let reader = self.database.reader();
        let (forgotten, all) = (blob::count_forgotten(reader).await?, blob::count_all(reader).await?);
        Ok(refusal_of(forgotten, all, "contents have no photo"))
    }
}
