//! `cloakroom photos check`: compares rows, objects and quotas, and repairs what differs.
//!
//! It reads in pages, beside servers that go on: what it finds has been looked at again, or read in one statement, so
//! that an upload or a deletion under way is nothing that is found. Repairs are safe beside servers as well.
//!
//! * `images.rs`: photos without one of their four images.
//! * `contents.rs`: images whose content is missing or another one; contents that nobody shows and no sweep looks at.
//! * `objects.rs`: what is stored and has no row; what crashes left half written.
//! * `strays.rs`: the deletion of objects without a row.
//! * `quotas.rs`: users whose used bytes are not the sum of what is stored.
//!
//! **Invariant:** a repair destroys no content. What no row names is moved into quarantine; an operator deletes it from
//! there. Nothing is moved that a row names, nor anything younger than an upload may take.

mod contents;
mod images;
mod objects;
mod quotas;
mod strays;

use std::fmt;

use crate::caller::Caller;
use crate::error::Error;
use crate::id::PhotoId;
use crate::photos::Photos;
use crate::photos::picture::Size;

pub use strays::Strays;

/// Rows read at once.
const PAGE: u64 = 500;
/// Strays that damage explains, or 1 % of all objects if that is more.
const MAX_STRAYS: u64 = 10;

/// How thorough a check is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether what is wrong is put right where that is possible.
    pub repair: bool,
    /// Whether every content is read and compared with its SHA-256.
    pub content: bool,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A photo shows a content that is not there, or is another one.
    Image {
        /// The photo.
        photo: PhotoId,
        /// Which of its sizes.
        size: Size,
        /// The author's username; none once the account has been removed.
        author: Option<String>,
        /// What is wrong with the content.
        fault: Fault,
    },
    /// A content that nobody shows, and that no sweep will look at.
    Forgotten {
        /// Under which name it is stored.
        key: String,
    },
    /// Something is stored that no row names.
    Stray {
        /// Under which name.
        key: String,
        /// How large it is, in bytes.
        bytes: u64,
    },
    /// Files that were begun by an upload that a crash ended.
    Unfinished {
        /// How many.
        files: u64,
    },
    /// A user's used bytes are not the sum of what is stored.
    Quota {
        /// Who.
        username: String,
        /// What is counted.
        used_bytes: i64,
        /// What is there.
        stored_bytes: i64,
    },
}

/// What is wrong with a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The photo has no image of this size.
    NoImage,
    /// It is not there.
    Missing,
    /// It has another length.
    Length {
        /// In bytes, by its row.
        expected: u64,
        /// In bytes, as it is stored.
        found: u64,
    },
    /// Its row has another SHA-256 than its key.
    Row,
    /// It cannot be read.
    Unreadable,
    /// It has another SHA-256.
    Content,
}

/// What was done about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: repair was not asked for.
    Told,
    /// It is right now.
    Repaired,
    /// It cannot be put right, and why.
    Left(String),
}

/// How much was looked at, and what was wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How much was looked at.
    pub seen: u64,
    /// How much of it was wrong.
    pub wrong: u64,
    /// How much of that is right now.
    pub repaired: u64,
}

/// The figures of a whole check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Images that photos have to have: four each.
    pub images: Count,
    /// Contents with a row: findings are the images that show them, and those that nobody shows.
    pub contents: Count,
    /// What is stored, by its names.
    pub objects: Count,
    /// Files that were begun and not finished.
    pub unfinished: Count,
    /// Users, with their quotas.
    pub quotas: Count,
    /// Contents that nobody shows (any more, or yet): the sweep looks at them when their term ends. Nothing is wrong.
    pub waiting: u64,
    /// What others keep in the storage: nothing that Cloakroom named. It is left alone.
    pub foreign: u64,
    /// What is in quarantine.
    pub quarantined: Amount,
}

/// A number of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub objects: u64,
    /// Their size together, in bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

/// The number of objects in the storage, and of those without a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Objects with names of ours, strays included.
    pub objects: u64,
    /// Objects without a row.
    pub strays: Amount,
}

impl Survey {
    /// The reason to touch none of the strays: they are so many that the database may be the wrong or an old one.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        refusal_of(self.strays.objects, self.objects, "objects have no row")
    }
}

/// The reason to repair none of `wrong` of `all`, if they are too many for damage.
fn refusal_of(wrong: u64, all: u64, what: &str) -> Option<String> {
    let most = (all / 100).max(MAX_STRAYS);
    (wrong > most).then(|| {
        format!("{wrong} of {all} {what}, more than {most}: is this the right database, and not an old copy of it?")
    })
}

impl Tally {
    /// How much is still wrong.
    #[must_use]
    pub fn left(&self) -> u64 {
        let counts = [self.images, self.contents, self.objects, self.unfinished, self.quotas];
        counts.iter().map(|count| count.wrong - count.repaired).sum()
    }
}

/// A check under way.
struct Check<'c, T> {
    photos: &'c Photos,
    options: Options,
    tell: T,
    tally: Tally,
}

impl Photos {
    /// Looks at everything that is kept of photos, and hands each finding to `tell`.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; what the database or the storage says.
    pub async fn check(
        &self,
        caller: &Caller,
        options: Options,
        tell: impl FnMut(&Finding, &Outcome),
    ) -> Result<Tally, Error> {
        caller.require_operator()?;
        let mut check = Check { photos: self, options, tell, tally: Tally::default() };
        check.images().await?;
        check.contents().await?;
        check.objects().await?;
        check.unfinished().await?;
        check.quotas().await?;
        if options.repair {
            self.recount_storage().await?;
            self.sweep().await?;
        }
        Ok(check.tally)
    }
}

impl<T: FnMut(&Finding, &Outcome)> Check<'_, T> {
    fn found(&mut self, which: impl Fn(&mut Tally) -> &mut Count, finding: &Finding, outcome: &Outcome) {
        let count = which(&mut self.tally);
        count.wrong += 1;
        count.repaired += u64::from(*outcome == Outcome::Repaired);
        (self.tell)(finding, outcome);
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { photo, size, author, fault } => {
                let author = author.as_deref().unwrap_or("nobody");
                write!(f, "photo {photo} of {author}: {} {fault}", size.name())
            }
            Self::Forgotten { key } => write!(f, "content {key}: nobody shows it, and no sweep will look at it"),
            Self::Stray { key, bytes } => write!(f, "object {key}: no row names its {bytes} bytes"),
            Self::Unfinished { files } => write!(f, "files that an upload began and a crash ended: {files}"),
            Self::Quota { username, used_bytes, stored_bytes } => {
                write!(f, "user {username}: {used_bytes} bytes are counted, {stored_bytes} are stored")
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoImage => f.write_str("has no row"),
            Self::Missing => f.write_str("is missing"),
            Self::Length { expected, found } => write!(f, "has {found} bytes instead of {expected}"),
            Self::Row => f.write_str("has another SHA-256 in its row than in its name"),
            Self::Unreadable => f.write_str("cannot be read"),
            Self::Content => f.write_str("is not what was stored"),
        }
    }
}
