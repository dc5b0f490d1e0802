//! Pictures that wait for memory and a thread: users take turns.
//!
//! The next picture is of the user with the fewest pictures in work, and among those of the one whose last turn is
//! longest ago. So a user without a picture in work waits for no more than the end of one that is running, however many
//! pictures another user has in the queue. The pictures of one user stay in their order.
//!
//! **Invariant:** nobody overtakes the next picture, although less memory would do for another: large ones get theirs.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::error::Error;
use crate::id::UserId;
use crate::photos::studio::RETRY_AFTER_SECONDS;

/// A user, or an operator.
pub(super) type Owner = Option<UserId>;

/// What is free.
pub(super) struct Free {
    /// Pictures that may be in memory.
    pub(super) tables: usize,
    /// Pictures that may be worked on.
    pub(super) turns: usize,
    /// In MiB: files, and what is made of them.
    pub(super) held: u32,
}

pub(super) struct FairQueue(Mutex<State>);

struct State {
    free: Free,
    /// Users with waiting pictures, in the order in which they came.
    order: VecDeque<Owner>,
    waiting: HashMap<Owner, VecDeque<Waiting>>,
    in_work: HashMap<Owner, usize>,
    /// The numbers of the last turns of users with pictures that wait or are in work.
    served: HashMap<Owner, u64>,
    turns_given: u64,
}

struct Waiting {
    held: u32,
    grant: oneshot::Sender<(TablePermit, Turn)>,
}

/// A table and memory for a picture, until it is dropped.
pub(super) struct TablePermit {
    queue: Arc<FairQueue>,
    owner: Owner,
    held: u32,
}

/// A turn to work, until it is dropped.
pub(super) struct Turn(Arc<FairQueue>);

impl FairQueue {
    pub(super) fn new(free: Free) -> Arc<Self> {
        let (order, waiting, in_work, served) = (VecDeque::new(), HashMap::new(), HashMap::new(), HashMap::new());
        Arc::new(Self(Mutex::new(State { free, order, waiting, in_work, served, turns_given: 0 })))
    }

    /// Waits for a table with `held` MiB, and for a turn.
    pub(super) async fn enter(self: &Arc<Self>, owner: Owner, held: u32) -> Result<(TablePermit, Turn), Error> {
        let (grant, granted) = oneshot::channel();
        self.change(|state| state.enqueue(owner, Waiting { held, grant }));
        granted.await.map_err(|_| Error::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and hands out what is free after it.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut State)) {
        let granted = {
            let mut state = self.lock();
            change(&mut state);
            std::iter::from_fn(|| state.next()).collect::<Vec<_>>()
        };
        for (owner, Waiting { held, grant }) in granted {
            let permit = TablePermit { queue: Arc::clone(self), owner, held };
            // Whoever waited may be gone: then all of it is free again.
            drop(grant.send((permit, Turn(Arc::clone(self)))));
        }
    }
}

impl State {
    fn enqueue(&mut self, owner: Owner, waiting: Waiting) {
        if !self.waiting.contains_key(&owner) {
            self.order.push_back(owner);
        }
        self.waiting.entry(owner).or_default().push_back(waiting);
    }

    /// Takes the next picture out of the queue, if there is room for it.
    fn next(&mut self) -> Option<(Owner, Waiting)> {
        self.forget_cancelled();
        let rank = |owner: &Owner| {
            let in_work = self.in_work.get(owner).copied().unwrap_or_default();
            (in_work, self.served.get(owner).copied().unwrap_or_default())
        };
        let (place, owner) = self.order.iter().enumerate().min_by_key(|(_, owner)| rank(owner))?;
        let owner = *owner;
        let queue = self.waiting.get_mut(&owner)?;
        let held = queue.front()?.held;
        if self.free.tables == 0 || self.free.turns == 0 || self.free.held < held {
            return None;
        }
        let next = queue.pop_front()?;
        self.order.remove(place);
        match queue.is_empty() {
            true => drop(self.waiting.remove(&owner)),
            false => self.order.push_back(owner),
        }
        self.free.tables -= 1;
        self.free.turns -= 1;
        self.free.held -= held;
        *self.in_work.entry(owner).or_default() += 1;
        self.turns_given += 1;
        self.served.insert(owner, self.turns_given);
        Some((owner, next))
    }

    fn forget_cancelled(&mut self) {
        for queue in self.waiting.values_mut() {
            queue.retain(|waiting| !waiting.grant.is_closed());
        }
        self.waiting.retain(|_, queue| !queue.is_empty());
        self.order.retain(|owner| self.waiting.contains_key(owner));
        self.served.retain(|owner, _| self.waiting.contains_key(owner) || self.in_work.contains_key(owner));
    }
}

impl TablePermit {
    /// Gives back what is more than `held` MiB.
    pub(super) fn keep(&mut self, held: u32) {
        let less = self.held.saturating_sub(held);
        self.held -= less;
        self.queue.change(|state| state.free.held += less);
    }
}

impl Drop for TablePermit {
    fn drop(&mut self) {
        let Self { queue, owner, held } = self;
        queue.change(|state| {
            state.free.tables += 1;
            state.free.held += *held;
            if let Some(count) = state.in_work.get_mut(owner) {
                *count -= 1;
                if *count == 0 {
                    state.in_work.remove(owner);
                }
            }
        });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.change(|state| state.free.turns += 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;
    use uuid::Uuid;

    use super::*;

    const ANNA: u128 = 1;
    const BOB: u128 = 2;
    const CARLA: u128 = 3;

    type Entering = BoxFuture<'static, Option<(TablePermit, Turn)>>;

    fn queue(tables: usize, turns: usize, held: u32) -> Arc<FairQueue> {
        FairQueue::new(Free { tables, turns, held })
    }

    /// Has a picture wait.
    fn enter(queue: &Arc<FairQueue>, user: u128, held: u32) -> Entering {
        let queue = Arc::clone(queue);
        begin(async move { queue.enter(Some(Uuid::from_u128(user).into()), held).await.ok() }.boxed()).0
    }

    /// Polls it once, and tells whether it is granted: then it is granted to the next poll as well.
    fn begin(mut entering: Entering) -> (Entering, bool) {
        match (&mut entering).now_or_never() {
            None => (entering, false),
            granted => (std::future::ready(granted.flatten()).boxed(), true),
        }
    }

    /// Who gets the next turns, one after the other: each is given back before the next one looks.
    fn served(waiting: Vec<(&'static str, Entering)>) -> Vec<&'static str> {
        let (mut waiting, mut served) = (waiting, Vec::new());
        loop {
            let mut still = Vec::new();
            let mut granted = None;
            for (name, entering) in waiting {
                match begin(entering) {
                    (entering, true) if granted.is_none() => granted = Some((name, entering)),
                    (entering, _) => still.push((name, entering)),
                }
            }
            let Some((name, entering)) = granted else { return served };
            served.push(name);
            drop(entering);
            waiting = still;
        }
    }

    #[test]
    fn a_user_with_one_picture_is_next_however_many_another_has_in_the_queue() {
        let queue = queue(2, 1, 96);
        let running = enter(&queue, ANNA, 1);
        let mut waiting: Vec<_> = (0..50).map(|_| ("anna", enter(&queue, ANNA, 1))).collect();
        waiting.push(("bob", enter(&queue, BOB, 1)));
        drop(running);
        assert_eq!(served(waiting).first(), Some(&"bob"));
    }

    #[test]
    fn users_with_waiting_pictures_take_turns() {
        let queue = queue(2, 1, 96);
        let running = enter(&queue, ANNA, 1);
        let mut waiting = Vec::new();
        for (name, user, count) in [("anna", ANNA, 4), ("bob", BOB, 3), ("carla", CARLA, 2)] {
            waiting.extend((0..count).map(|_| (name, enter(&queue, user, 1))));
        }
        drop(running);
        let order = ["bob", "carla", "anna", "bob", "carla", "anna", "bob", "anna", "anna"];
        assert_eq!(served(waiting), order);
    }

    #[test]
    fn a_picture_that_needs_much_memory_is_not_overtaken() {
        let queue = queue(4, 2, 96);
        let running = enter(&queue, ANNA, 50);
        let (bob, is_bob) = begin(enter(&queue, BOB, 60));
        let (carla, is_carla) = begin(enter(&queue, CARLA, 1));
        assert!(!is_bob && !is_carla);
        let waiting = vec![("bob", bob), ("carla", carla)];
        drop(running);
        assert_eq!(served(waiting), ["bob", "carla"]);
    }

    #[test]
    fn whoever_does_not_wait_any_more_is_passed_over() {
        let queue = queue(2, 1, 96);
        let running = enter(&queue, ANNA, 1);
        let (gone, stays) = (enter(&queue, BOB, 1), enter(&queue, CARLA, 1));
        drop(gone);
        drop(running);
        assert_eq!(served(vec![("carla", stays)]), ["carla"]);
        let state = queue.lock();
        assert_eq!((state.free.tables, state.free.turns, state.free.held), (2, 1, 96));
        assert!(
            state.waiting.is_empty() && state.order.is_empty() && state.in_work.is_empty() && state.served.is_empty()
        );
    }

    #[test]
    fn a_grant_that_nobody_takes_is_free_again() {
        let queue = queue(1, 1, 96);
        let running = enter(&queue, ANNA, 1);
        let granted = enter(&queue, BOB, 1);
        drop(running);
        drop(granted);
        assert_eq!(queue.lock().free.turns, 1);
    }
}
