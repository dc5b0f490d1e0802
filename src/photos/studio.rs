//! Where pictures are prepared: so many at once, so many waiting, and no more.
//!
//! A picture takes tens of milliseconds of a core and up to 4 bytes of memory for each pixel. `threads` of them are
//! worked on at once, on threads beside the runtime's; as many again may be on their way to the storage, so that at most
//! `2 * threads` files are in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config;
use crate::error::Error;

/// After how many seconds it is worth trying again.
const RETRY_AFTER_SECONDS: u32 = 2;

/// The pool.
pub(super) struct Studio {
    places: Arc<Semaphore>,
    tables: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    at_once: usize,
}

/// Places for the pictures of one upload.
pub(super) struct Reserved<'s> {
    studio: &'s Studio,
    _places: OwnedSemaphorePermit,
}

/// Room for one picture in memory, until it is dropped.
pub(super) struct Table {
    _permit: OwnedSemaphorePermit,
}

impl Studio {
    pub(super) fn new(settings: &config::Photos) -> Self {
        let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = if settings.threads == 0 { (processors() / 2).max(1) } else { settings.threads };
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let places = threads.saturating_add(settings.queue).max(settings.max_per_upload);
        Self {
            places: semaphore(places),
            tables: semaphore(2 * threads),
            turns: semaphore(threads),
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
    /// [`Error::Unavailable`] when too many wait.
    pub(super) fn reserve(&self, pictures: usize) -> Result<Reserved<'_>, Error> {
        let places = u32::try_from(pictures).ok().and_then(|n| Arc::clone(&self.places).try_acquire_many_owned(n).ok());
        let places = places.ok_or(Error::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS })?;
        Ok(Reserved { studio: self, _places: places })
    }
}

impl Reserved<'_> {
    /// Does this when its turn comes, also if nobody waits for it any more. What it makes stays in memory: hold the
    /// table for as long.
    ///
    /// # Errors
    /// A panic, as a fault of ours.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(Table, T), Error> {
        let closed = |_| Error::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS };
        let table = Arc::clone(&self.studio.tables).acquire_owned().await.map_err(closed)?;
        let turn = Arc::clone(&self.studio.turns).acquire_owned().await.map_err(closed)?;
        let work = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            (Table { _permit: table }, done)
        });
        work.await.map_err(Error::internal)
    }
}
