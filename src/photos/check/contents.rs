//! From the rows to what is stored: is all there that photos show?

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::error::Error;
use crate::photos::blob::{self, Kept};
use crate::photos::check::{Check, Fault, Finding, Outcome, PAGE};
use crate::photos::photo_image::{self, Holder};
use crate::photos::picture::Size;
use crate::photos::{Photos, hex};

/// Contents that are looked at side by side.
const AT_ONCE: usize = 8;

impl<T: FnMut(&Finding, &Outcome)> Check<'_, T> {
    pub(super) async fn contents(&mut self) -> Result<(), Error> {
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
                    None => self.forgotten(&kept.row).await?,
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

    async fn forgotten(&mut self, row: &blob::Model) -> Result<(), Error> {
        let outcome = match self.options.repair {
            true => {
                let (id, now) = (row.id, self.photos.clock.now());
                let release = self
                    .photos
                    .database
                    .write(move |transaction| Box::pin(async move { blob::release(transaction, &[id], now).await }));
                release.await?;
                Outcome::Repaired
            }
            false => Outcome::Told,
        };
        self.found(|tally| &mut tally.contents, &Finding::Forgotten { key: row.object_key.clone() }, &outcome);
        Ok(())
    }
}

impl Photos {
    /// What is wrong with a content that somebody shows.
    async fn look(&self, row: &blob::Model, content: bool) -> Result<Option<Fault>, Error> {
        let expected = u64::try_from(row.byte_size).unwrap_or_default();
        match self.blobs.size(&row.object_key).await? {
            None => Ok(Some(Fault::Missing)),
            Some(found) if found != expected => Ok(Some(Fault::Length { expected, found })),
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

    /// A smaller size is made again; that may have been done with another size of the photo.
    async fn mend(&self, row: &blob::Model, holder: &Holder, size: Size) -> Result<Outcome, Error> {
        if self.look(row, true).await?.is_none() {
            return Ok(Outcome::Repaired);
        }
        if size == Size::Original {
            return Ok(Outcome::Left("only a backup has it".to_owned()));
        }
        Ok(match self.rebuild_one(holder.photo_id).await? {
            Ok(_) => Outcome::Repaired,
            Err(failure) => Outcome::Left(failure.to_string()),
        })
    }
}
