//! Where pictures are prepared: so many at once, so many waiting, in so much memory, and no more.
//!
//! A picture takes tens of milliseconds of a core. `threads` of them are worked on at once, on threads beside the
//! runtime's; as many again may be on their way to the storage. Users take turns (`fair_queue.rs`), and none has more
//! than a share of the queue (`places.rs`).
//!
//! Memory is bounded whatever `threads` is. A picture is at a table with its file: three times as long while it is taken
//! apart, then with its sizes, until it is stored; all tables together hold [`MAX_TABLE_BYTES`]. What decoding takes, the
//! picture's own headers tell, and all that are decoded at once take [`MAX_WORKING_BYTES`] together: one of the worst, or
//! many ordinary ones side by side. Freed pages are returned to the system before either is given back: what counts is
//! what the process has. Together with everything else that is less than 512 MB.
//!
//! **Invariant:** place, table with its turn, then memory to work in: who holds one waits only for those behind it, and
//! who has the last waits for none. Each is given back when what holds it is dropped, by an error or a panic too.

mod fair_queue;
mod places;

use std::sync::Arc;

use allocator::return_freed_pages;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::config;
use crate::error::Error;
use crate::photos::picture::{self, Limits, MAX_WORKING_BYTES, Prepared, Refusal};

pub(super) use places::Sender;

use fair_queue::{FairQueue, Free, TablePermit};
use places::{Places, Taking};

/// After how many seconds it is worth trying again.
const RETRY_AFTER_SECONDS: u32 = 2;
/// Of all files and sizes in memory. A file that alone is too long for it has it for itself.
const MAX_TABLE_BYTES: u64 = 64 << 20;
/// The sizes of a picture at most: LARGE as a PNG that does not compress, and the smaller ones.
const SIZES_BYTES: u64 = 8 << 20;

/// The pool.
pub(super) struct Studio {
    places: Arc<Places>,
    queue: Arc<FairQueue>,
    /// In MiB: what decoding takes.
    working: Arc<Semaphore>,
    at_once: usize,
}

/// Places for the pictures of one upload.
pub(super) struct Reserved<'s> {
    studio: &'s Studio,
    sender: Sender,
    _places: Taking,
}

/// Room for one picture in memory, until it is dropped: after what is made of the picture.
pub(super) struct Table {
    permit: TablePermit,
    working: Arc<Semaphore>,
}

impl Studio {
    pub(super) fn new(settings: &config::Photos) -> Self {
        let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = if settings.threads == 0 { (processors() / 2).max(1) } else { settings.threads };
        let places = threads.saturating_add(settings.queue).max(settings.max_per_upload);
        let held = mebibytes(MAX_TABLE_BYTES, MAX_TABLE_BYTES);
        Self {
            places: Places::new(places, settings.max_per_upload),
            queue: FairQueue::new(Free { tables: 2 * threads, turns: threads, held }),
            working: Arc::new(Semaphore::new(mebibytes(MAX_WORKING_BYTES, MAX_WORKING_BYTES) as usize)),
            at_once: places.min(2 * threads),
        }
    }

    /// How many pictures can be on their way without one that is refused.
    pub(super) fn at_once(&self) -> usize {
        self.at_once
    }

    /// Places for so many pictures.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many wait; [`Error::RateLimited`] when too many of this sender's do.
    pub(super) fn reserve(&self, sender: Sender, pictures: usize) -> Result<Reserved<'_>, Error> {
        Ok(Reserved { studio: self, sender, _places: self.places.take(sender, pictures)? })
    }
}

impl Reserved<'_> {
    /// Does this with a file of `file_bytes` when its turn comes, also if nobody waits for it any more. What it makes
    /// stays in memory: hold the table for as long.
    ///
    /// # Errors
    /// A panic, as a fault of ours.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        file_bytes: u64,
        work: impl FnOnce(&mut Table) -> T + Send + 'static,
    ) -> Result<(Table, T), Error> {
        let held = mebibytes(file_bytes.saturating_mul(3).max(file_bytes.saturating_add(SIZES_BYTES)), MAX_TABLE_BYTES);
        let (permit, turn) = self.studio.queue.enter(self.sender.user, held).await?;
        let mut table = Table { permit, working: Arc::clone(&self.studio.working) };
        let work = tokio::task::spawn_blocking(move || {
            let done = work(&mut table);
            drop(turn);
            (table, done)
        });
        work.await.map_err(Error::internal)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // Of the file and the sizes, which are gone by now.
        return_freed_pages();
    }
}

impl Table {
    /// Cleans a file and makes its sizes, once there is memory to work in: until then it blocks its thread and keeps its
    /// turn, so that pictures get theirs in order.
    ///
    /// # Errors
    /// As [`picture::prepare`].
    pub(super) fn prepare(&mut self, file: Bytes, limits: &Limits) -> Result<Prepared, Refusal> {
        let clean = picture::clean(file, limits)?;
        return_freed_pages();
        let working = mebibytes(clean.working_bytes(), MAX_WORKING_BYTES);
        // Never closed, so never none.
        let working = Handle::current().block_on(Arc::clone(&self.working).acquire_many_owned(working)).ok();
        let prepared = clean.make_sizes();
        return_freed_pages();
        drop(working);
        self.permit.keep(mebibytes(prepared.as_ref().map_or(0, Prepared::bytes), MAX_TABLE_BYTES));
        prepared
    }
}

/// Rounded up; never more than there is.
fn mebibytes(bytes: u64, most: u64) -> u32 {
    u32::try_from(bytes.min(most).div_ceil(1 << 20)).unwrap_or(u32::MAX)
}
