//! The bounded pool in which passwords are hashed: its own threads, below everything else in priority.
//!
//! One hash takes 19 MiB and about 16 ms of a core, so `password_threads` hashes run at once, `password_queue`
//! more may wait, and one more is refused: memory is bounded by the threads, the delay by the queue. The threads
//! begin with the first work.
//!
//! **Invariant:** a place is free again when its work is done, also when nobody waits for the result any more.
//! **Invariant:** memory in which a password was hashed is overwritten by the next hash, or wiped when none waits.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use argon2::Block;
use tokio::sync::{Semaphore, oneshot};
use zeroize::Zeroize as _;

use crate::error::Error;

/// Steps of `nice(2)` by which the priority of the threads is below the runtime's. On two cores that
/// are busy with 256 requests at once a login takes 0.11 s at 10 (0.36 s at most), and 0.35 s at 19
/// (1.5 s at most). `next` keeps 0.8 of its rate beside a flood of logins at 10, and no more at 19.
const NICENESS: i32 = 10;
/// After each piece of work a thread rests for one part in so many of what it took, and whoever waits for its core gets
/// it: for one login in seventeen.
const BREATH: u32 = 16;
/// How long a thread without work keeps its memory.
const KEEP_MEMORY: Duration = Duration::from_secs(10);
/// A client is never sent away for longer, in seconds.
const LONGEST_RETRY: u64 = 60;

/// The blocks that Argon2 fills, kept from one hash to the next: to page 19 MiB in takes a tenth of a hash.
#[derive(Default)]
pub(super) struct Memory {
    blocks: Vec<Block>,
    used: bool,
}

impl Memory {
    /// So many blocks, with anything in them.
    pub(super) fn blocks(&mut self, count: usize) -> anyhow::Result<&mut [Block]> {
        if let Some(missing) = count.checked_sub(self.blocks.len()) {
            self.blocks.try_reserve_exact(missing)?;
            self.blocks.resize(count, Block::new());
        }
        self.used = true;
        Ok(self.blocks.get_mut(..count).unwrap_or_default())
    }

    fn wipe(&mut self) {
        self.blocks.iter_mut().for_each(|block| block.zeroize());
        self.used = false;
    }

    fn give_back(&mut self) {
        self.wipe();
        self.blocks = Vec::new();
    }
}

type Work = Box<dyn FnOnce(&mut Memory) + Send>;

/// The pool. Its threads end with it.
pub(super) struct Pool {
    places: Arc<Semaphore>,
    threads: usize,
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// What one piece of work took lately, in microseconds.
    typical: AtomicU64,
    /// Blocks that a thread keeps; what needed more gives them back.
    keep_blocks: usize,
}

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    started: usize,
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(super) fn new(threads: usize, queue: usize, keep_blocks: usize) -> Self {
        let shared =
            Shared { queue: Mutex::default(), arrived: Condvar::new(), typical: AtomicU64::new(0), keep_blocks };
        let places = threads.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), threads, shared: Arc::new(shared) }
    }

    /// Pieces of work that are done at the same time.
    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Does this when its turn comes, unless nobody waits for it any more.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the queue is full.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Error::Unavailable { retry_after_seconds: self.seconds_until_empty() });
        };
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move |memory: &mut Memory| {
            // A panic is logged by its hook, and whoever waits is told by the dropped sender.
            let work = || catch_unwind(AssertUnwindSafe(|| work(memory))).ok();
            let result = if answer.is_closed() { None } else { work() };
            // Before the answer: who has one finds the place free.
            drop(place);
            if let Some(result) = result {
                drop(answer.send(result));
            }
        });
        self.enqueue(work).map_err(Error::internal)?;
        answered.await.map_err(|_| Error::internal(anyhow::anyhow!("a password could not be worked on")))
    }

    fn enqueue(&self, work: Work) -> std::io::Result<()> {
        let mut queue = self.shared.lock();
        if queue.idle <= queue.work.len() && queue.started < self.threads {
            let shared = Arc::clone(&self.shared);
            let started = thread::Builder::new().name("password".to_owned()).spawn(move || shared.work_off());
            match started {
                Ok(_) => queue.started += 1,
                // Those that there are go on.
                Err(error) if queue.started == 0 => return Err(error),
                Err(_) => {}
            }
        }
        queue.work.push_back(work);
        drop(queue);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// When a full queue has been worked off.
    fn seconds_until_empty(&self) -> u32 {
        let waiting = u64::try_from(self.shared.lock().work.len()).unwrap_or(u64::MAX);
        let threads = u64::try_from(self.threads).unwrap_or(1).max(1);
        let micros = self.shared.typical.load(Ordering::Relaxed).saturating_mul(waiting / threads);
        u32::try_from(micros.div_ceil(1_000_000).clamp(1, LONGEST_RETRY)).unwrap_or(1)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.work.clear();
        drop(queue);
        self.shared.arrived.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing in it is left half done by a panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work_off(&self) {
        step_back();
        let mut memory = Memory::default();
        while let Some(work) = self.next(&mut memory) {
            let begun = Instant::now();
            work(&mut memory);
            if memory.blocks.len() > self.keep_blocks {
                memory.give_back();
            }
            let took = begun.elapsed();
            let before = self.typical.load(Ordering::Relaxed);
            let last = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.typical.store(if before == 0 { last } else { before.midpoint(last) }, Ordering::Relaxed);
            thread::park_timeout(took / BREATH);
        }
        memory.wipe();
    }

    /// Waits for work. Nothing once the pool is gone.
    fn next(&self, memory: &mut Memory) -> Option<Work> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(work) = queue.work.pop_front() {
                return Some(work);
            }
            if memory.used {
                drop(queue);
                memory.wipe();
                queue = self.lock();
                continue;
            }
            queue.idle += 1;
            if memory.blocks.is_empty() {
                queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
            } else {
                let (woken, waited) =
                    self.arrived.wait_timeout(queue, KEEP_MEMORY).unwrap_or_else(PoisonError::into_inner);
                queue = woken;
                if waited.timed_out() {
                    memory.give_back();
                }
            }
            queue.idle -= 1;
        }
    }
}

/// Where there is not enough of the processors for all, the server's other work goes first.
fn step_back() {
    // Of Linux's threads each has a priority of its own; elsewhere this would be the whole process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "passwords are hashed at the priority of everything else");
    }
}

#[cfg(test)]
mod tests;
