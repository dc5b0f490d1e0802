//! Whether each photo has its four images.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::id::PhotoId;
use crate::photos::check::{Check, Fault, Finding, Outcome, PAGE};
use crate::photos::picture::Size;
use crate::photos::rebuild::Rebuilt;
use crate::photos::{Photos, photo, photo_image};

impl<T: FnMut(&Finding, &Outcome)> Check<'_, T> {
    pub(super) async fn images(&mut self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = photo::list_ids(self.photos.database.reader(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(*last);
            let mut photos: BTreeMap<PhotoId, (Option<String>, Vec<Size>)> = BTreeMap::new();
            for row in photo_image::list_sizes(self.photos.database.reader(), &page).await? {
                let (_, sizes) = photos.entry(row.photo_id).or_insert((row.author, Vec::new()));
                sizes.extend(row.content.and(row.size).and_then(photo_image::size_of));
            }
            self.tally.images.seen += (photos.len() * Size::ALL.len()) as u64;
            for (photo, (author, sizes)) in photos {
                self.missing(photo, author, &sizes).await?;
            }
        }
    }

    /// Tells which sizes a photo does not have, and makes them from the original.
    async fn missing(&mut self, photo: PhotoId, author: Option<String>, sizes: &[Size]) -> Result<(), Error> {
        let missing: Vec<Size> = Size::ALL.into_iter().filter(|size| !sizes.contains(size)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let rebuilt = match self.options.repair {
            true => self.photos.rebuild_missing(photo).await,
            false => Outcome::Told,
        };
        for size in missing {
            let outcome = match (size, self.options.repair) {
                (Size::Original, true) => Outcome::Left("only a backup has it".to_owned()),
                _ => rebuilt.clone(),
            };
            let finding = Finding::Image { photo, size, author: author.clone(), fault: Fault::NoImage };
            self.found(|tally| &mut tally.images, &finding, &outcome);
        }
        Ok(())
    }
}

impl Photos {
    /// Makes the smaller sizes of a photo from its original.
    pub(super) async fn rebuild_missing(&self, photo: PhotoId) -> Outcome {
        match self.rebuild_one(photo).await {
            Ok(Ok(Rebuilt::Done | Rebuilt::Gone)) => Outcome::Repaired,
            Ok(Err(failure)) => Outcome::Left(failure.to_string()),
            Err(error) => Outcome::Left(error.reason()),
        }
    }
}
