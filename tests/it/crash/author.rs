//! Somebody who uploads, publishes and deletes at random, one thing after the other, and remembers what was heard.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pictures::{form, picture, sha256, told_of};
use super::witness::Seen;
use crate::support::{Process, Random};

/// Contents that everybody uploads, so that photos share them.
const SHARED: u64 = 6;
/// Photos of a batch at most.
const BATCH: u64 = 4;
/// With more photos than this, some are deleted before the next upload.
const MANY: usize = 12;

/// One of several clients of an account; each has photos of its own.
pub(super) struct Author {
    token: String,
    /// What its captions begin with: nobody else's do.
    name: String,
    random: Random,
    photos: BTreeMap<String, Known>,
    /// What nobody knows the outcome of.
    open: Option<Order>,
    pub(super) heard: Heard,
}

/// A photo that was acknowledged.
#[derive(Clone)]
struct Known {
    published: bool,
    caption: String,
    /// The SHA-256 of what was sent.
    original: String,
    /// What was told of each size: its hash and its length. Empty if nobody heard of it.
    told: Vec<(String, i64)>,
}

#[derive(Clone, Debug)]
enum Order {
    Upload { numbers: Vec<u64>, caption: String, publish: bool },
    SetPublished { ids: Vec<String>, publish: bool },
    Delete { ids: Vec<String> },
}

/// How much was heard.
#[derive(Clone, Copy, Default)]
pub(super) struct Heard {
    pub(super) uploaded: usize,
    pub(super) published: usize,
    pub(super) deleted: usize,
    pub(super) unknown: usize,
    /// Of the unknown, those that had happened.
    pub(super) happened: usize,
}

impl Author {
    pub(super) fn new(token: String, name: String, random: Random) -> Self {
        Self { token, name, random, photos: BTreeMap::new(), open: None, heard: Heard::default() }
    }

    /// Does something; whether there was an answer.
    pub(super) async fn act(&mut self, server: &Process) -> bool {
        let order = self.any_order();
        let answer = match &order {
            Order::Upload { numbers, caption, publish } => {
                let files: Vec<Vec<u8>> = numbers.iter().map(|number| picture(*number)).collect();
                server.upload(&self.token, form(&files, caption, *publish)).await
            }
            Order::SetPublished { ids, publish } => {
                let verb = if *publish { "publishPhotos" } else { "unpublishPhotos" };
                let ask = format!("mutation {{ {verb}(input: {{ photoIds: {ids:?} }}) {{ photos {{ id state }} }} }}");
                server.run(Some(&self.token), &ask).await
            }
            Order::Delete { ids } => {
                let ask = format!("mutation {{ deletePhotos(input: {{ photoIds: {ids:?} }}) {{ deletedPhotoIds }} }}");
                server.run(Some(&self.token), &ask).await
            }
        };
        let Some(answer) = answer else {
            self.heard.unknown += 1;
            self.open = Some(order);
            return false;
        };
        self.learn(&order, &answer);
        true
    }

    fn any_order(&mut self) -> Order {
        let choice = self.random.below(10);
        if self.photos.len() < 3 || (choice < 5 && self.photos.len() <= MANY) {
            let numbers = (0..=self.random.below(BATCH)).map(|_| self.any_number()).collect();
            let caption = format!("{}, order {:016x}", self.name, self.random.below(u64::MAX));
            return Order::Upload { numbers, caption, publish: choice.is_multiple_of(2) };
        }
        let ids: Vec<String> = (0..=self.random.below(3)).map(|_| self.any_photo()).collect();
        match choice {
            5..7 => Order::SetPublished { ids, publish: self.random.below(2) == 0 },
            _ => Order::Delete { ids },
        }
    }

    fn any_number(&mut self) -> u64 {
        match self.random.below(2) {
            0 => self.random.below(SHARED),
            _ => self.random.below(u64::MAX),
        }
    }

    fn any_photo(&mut self) -> String {
        let nth = self.random.below(self.photos.len() as u64);
        self.photos.keys().nth(usize::try_from(nth).expect("small")).expect("there are some").clone()
    }

    fn learn(&mut self, order: &Order, answer: &Value) {
        // Nothing happened, it says.
        if answer.pointer("/errors/0/extensions/code").and_then(Value::as_str) == Some("UNAVAILABLE") {
            return;
        }
        let found = |path: &str| {
            let list = answer.pointer(path).and_then(Value::as_array);
            list.unwrap_or_else(|| panic!("{order:?} of {} ends in {answer}", self.name)).clone()
        };
        match order {
            Order::Upload { numbers, caption, publish } => {
                let photos = found("/data/uploadPhotos/photos");
                assert_eq!(photos.len(), numbers.len());
                for (photo, number) in photos.iter().zip(numbers) {
                    let (file, told) = (picture(*number), told_of(photo));
                    let sent = (sha256(&file), i64::try_from(file.len()).expect("a length"));
                    assert_eq!(told[3], sent, "the original is what was sent");
                    let known = Known { published: *publish, caption: caption.clone(), original: sent.0, told };
                    self.photos.insert(photo["id"].as_str().expect("an id").to_owned(), known);
                }
                self.heard.uploaded += numbers.len();
            }
            Order::SetPublished { ids, publish } => {
                let state = if *publish { "PUBLISHED" } else { "DRAFT" };
                let path = if *publish { "/data/publishPhotos/photos" } else { "/data/unpublishPhotos/photos" };
                assert!(found(path).iter().all(|photo| photo["state"] == state), "{answer}");
                self.heard.published += self.set_published(ids, *publish);
            }
            Order::Delete { ids } => {
                assert_eq!(found("/data/deletePhotos/deletedPhotoIds").len(), ids.len());
                // Some are named twice.
                self.heard.deleted += ids.iter().filter_map(|id| self.photos.remove(id)).count();
            }
        }
    }

    /// Returns how many were otherwise.
    fn set_published(&mut self, ids: &[String], published: bool) -> usize {
        let mut changed = 0;
        for id in ids {
            let photo = self.photos.get_mut(id).expect("a known photo");
            changed += usize::from(photo.published != published);
            photo.published = published;
        }
        changed
    }

    /// What is there is what was acknowledged, and what nobody heard of happened as a whole or not at all.
    pub(super) fn check(&mut self, seen: &[Seen]) {
        let own: BTreeMap<&str, &Seen> = seen
            .iter()
            .filter(|seen| seen.caption.starts_with(&format!("{},", self.name)))
            .map(|seen| (seen.id.as_str(), seen))
            .collect();
        if let Some(order) = self.open.take()
            && self.had_happened(&order, &own)
        {
            self.heard.happened += 1;
            self.assume(&order, &own);
        }
        let there: Vec<&str> = own.keys().copied().collect();
        let known: Vec<&str> = self.photos.keys().map(String::as_str).collect();
        assert_eq!(there, known, "the photos of {} are those that were acknowledged", self.name);
        for (id, known) in &self.photos {
            let seen = own[id.as_str()];
            assert_eq!((seen.published, &seen.caption), (known.published, &known.caption), "{id} of {}", self.name);
            assert_eq!(seen.images[3].0, known.original, "the original of {id} is what was sent");
            assert!(known.told.is_empty() || known.told == seen.images, "{id}: {:?} and {seen:?}", known.told);
        }
    }

    /// Whether it happened: to all of the photos that it names, or to none.
    fn had_happened(&self, order: &Order, own: &BTreeMap<&str, &Seen>) -> bool {
        let to_each: Vec<bool> = match order {
            Order::Upload { numbers, caption, .. } => {
                let there = own.values().filter(|seen| seen.caption == *caption).count();
                (0..numbers.len().max(there)).map(|nth| nth < there && there <= numbers.len()).collect()
            }
            Order::Delete { ids } => ids.iter().map(|id| !own.contains_key(id.as_str())).collect(),
            Order::SetPublished { ids, publish } => {
                // Those that were so already tell nothing.
                let changed = ids.iter().filter(|id| self.photos[*id].published != *publish);
                changed.map(|id| own.get(id.as_str()).is_some_and(|seen| seen.published == *publish)).collect()
            }
        };
        let happened = to_each.first().copied().unwrap_or_default();
        assert!(to_each.iter().all(|each| *each == happened), "half of it happened: {order:?} of {}", self.name);
        happened
    }

    fn assume(&mut self, order: &Order, own: &BTreeMap<&str, &Seen>) {
        match order {
            Order::Upload { numbers, caption, publish } => {
                // Ids go up within a batch.
                let new = own.values().filter(|seen| seen.caption == *caption);
                for (seen, number) in new.zip(numbers) {
                    let original = sha256(&picture(*number));
                    let (published, caption) = (*publish, caption.clone());
                    let known = Known { published, caption, original, told: Vec::new() };
                    self.photos.insert(seen.id.clone(), known);
                }
            }
            Order::SetPublished { ids, publish } => _ = self.set_published(ids, *publish),
            Order::Delete { ids } => ids.iter().for_each(|id| drop(self.photos.remove(id))),
        }
    }
}
