//! Who waits, who gives up, and what a panic leaves.

use std::sync::{Barrier, mpsc};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::*;

/// A pool whose one thread is at work until the sender is dropped.
async fn busy(queue: usize) -> (Pool, mpsc::Sender<()>) {
    let pool = Pool::new(1, queue, 8);
    let (busy, until) = mpsc::channel();
    let (begin, begun) = oneshot::channel();
    let work = pool.run(move |_| {
        begin.send(()).expect("somebody waits");
        until.recv().expect_err("nothing is sent");
    });
    // Dropped in the middle: nobody waits for the result of what goes on.
    tokio::select! {
        biased;
        _ = work => panic!("it goes on"),
        begun = begun => begun.expect("it begins"),
    }
    (pool, busy)
}

/// Begins to wait.
fn waiting<'p, T: Send + 'static>(
    pool: &'p Pool,
    work: impl FnOnce(&mut Memory) -> T + Send + 'static,
) -> BoxFuture<'p, Result<T, Error>> {
    let mut waiting = pool.run(work).boxed();
    assert!((&mut waiting).now_or_never().is_none(), "the thread is busy");
    waiting
}

fn retry_after<T>(result: &Result<T, Error>) -> Option<u32> {
    match result {
        Err(Error::Unavailable { retry_after_seconds }) => Some(*retry_after_seconds),
        _ => None,
    }
}

#[tokio::test]
async fn who_gives_up_keeps_their_place_until_their_turn_and_costs_no_work() {
    let (pool, until) = busy(2).await;
    let (worked, work) = mpsc::channel();
    drop(waiting(&pool, move |_| worked.send(())));
    let second = waiting(&pool, |_| 2);
    assert_eq!(retry_after(&pool.run(|_| ()).await), Some(1), "both places are taken");
    drop(until);
    assert_eq!(second.await.ok(), Some(2));
    work.recv().expect_err("what nobody waited for was not done");
    assert_eq!(pool.places.available_permits(), 3);
}

#[tokio::test]
async fn who_is_refused_is_told_when_the_queue_will_be_empty() {
    let (pool, _until) = busy(3).await;
    let _waiting = [(); 3].map(|()| waiting(&pool, |_| ()));
    for (micros, seconds) in [(0, 1), (16_000, 1), (2_000_000, 6), (2_000_001, 7), (1 << 60, 60)] {
        pool.shared.typical.store(micros, Ordering::Relaxed);
        assert_eq!(retry_after(&pool.run(|_| ()).await), Some(seconds), "{micros}");
    }
}

#[tokio::test]
async fn a_panic_ends_neither_the_thread_nor_the_place() {
    let pool = Pool::new(1, 0, 8);
    for _ in 0..3 {
        let result = pool.run(|_| -> () { panic!("as it should") }).await;
        assert!(matches!(result, Err(Error::Internal(_))), "{result:?}");
    }
    assert_eq!(pool.run(|_| thread::current().name().map(str::to_owned)).await.ok(), Some(Some("password".to_owned())));
    assert_eq!(pool.shared.lock().started, 1);
}

#[tokio::test]
async fn threads_begin_with_the_work_and_end_with_the_pool() {
    let pool = Pool::new(4, 4, 8);
    assert_eq!(Arc::strong_count(&pool.shared), 1);
    let met = Arc::new(Barrier::new(4));
    let all = [(); 4].map(|()| {
        let met = Arc::clone(&met);
        pool.run(move |_| met.wait().is_leader())
    });
    // Only four threads at once come through.
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    let shared = Arc::clone(&pool.shared);
    drop(pool);
    assert!(shared.lock().closed && shared.next(&mut Memory::default()).is_none());
}

#[tokio::test]
async fn memory_is_kept_up_to_what_our_hashes_need_and_wiped() {
    let pool = Pool::new(1, 0, 8);
    let blocks = |count: usize| {
        pool.run(move |memory: &mut Memory| {
            let before = memory.blocks.len();
            memory.blocks(count).expect("memory").fill_with(Block::new);
            before
        })
    };
    let before = [blocks(8).await, blocks(9).await, blocks(2).await, blocks(1).await];
    assert_eq!(before.map(Result::ok), [Some(0), Some(8), Some(0), Some(2)]);

    let mut memory = Memory::default();
    memory.blocks(2).expect("memory")[1].as_mut()[127] = 7;
    memory.wipe();
    assert!(memory.blocks.iter().all(|block| block.as_ref() == [0; 128]) && !memory.used);
    memory.give_back();
    assert!(memory.blocks.is_empty());
}

/// Linux has a priority for each thread, and says what the asking one has.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_threads_step_back_and_the_others_do_not() {
    let own = || rustix::process::getpriority_process(None).expect("a priority");
    let before = own();
    let theirs = Pool::new(1, 0, 8).run(move |_| own()).await;
    assert_eq!(theirs.ok(), Some((before + NICENESS).min(19)));
    assert_eq!(own(), before);
}
