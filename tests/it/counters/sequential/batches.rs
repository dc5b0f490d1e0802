//! Random batches for the group commit, each checked against the model of [`super::counter`]. The choices come from
//! outside: from a seed in the tests, from a fuzzer's bytes in `fuzz/`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloakroom::caller::Caller;
use cloakroom::clock::Clock;
use cloakroom::counters::{Counters, CreateCounter, Next, SetCurrent};
use cloakroom::error::{Error, UserErrorCode};
use futures_util::future::join_all;

use super::counter::{Asked, Counter, GREATEST, Heard, KEPT_SECONDS, Order};

/// Chooses a number below its argument.
pub type Choose<'c> = &'c mut dyn FnMut(u64) -> u64;

/// The kinds of counters that each user has, each with its beginning, step and bound; of the last kind there is none.
const KINDS: [&str; 4] = ["default", "steps", "short", "none"];
const MADE: [(usize, i64, i32, i64); 2] = [(1, 10, 7, 1_000_000), (2, 0, 1, 60)];

/// Whose counter, of which kind.
type Which = (usize, usize);

/// Two users and their counters, in the server and in the model.
pub struct World {
    counters: Arc<Counters>,
    clock: Clock,
    callers: Vec<Caller>,
    /// Tells the counters and keys of this world from those of earlier ones.
    tag: String,
    model: BTreeMap<Which, Counter>,
    now: i64,
    /// How many orders were given.
    pub orders: usize,
    /// In what ways they ended.
    pub endings: BTreeSet<&'static str>,
}

impl World {
    /// Makes the counters of these callers.
    pub async fn begin(counters: Arc<Counters>, clock: Clock, callers: Vec<Caller>, tag: &str) -> Self {
        let (model, endings) = (BTreeMap::new(), BTreeSet::new());
        let mut world = Self { counters, clock, callers, tag: tag.to_owned(), model, now: 0, orders: 0, endings };
        for (place, caller) in world.callers.iter().enumerate() {
            for (kind, start, step, max) in MADE {
                let name = world.name(kind);
                let input = CreateCounter { name, start, step, max: Some(max), idempotency_key: None };
                world.counters.create(caller, input).await.expect("a counter");
                world.model.insert((place, kind), Counter::new(start, step.into(), max));
            }
            let from = world.counters.current(caller, KINDS[0]).await.expect("an integer");
            world.model.insert((place, 0), Counter::new(from, 1, GREATEST));
        }
        world
    }

    /// Gives a batch of orders at once, and compares what was heard; then some time may pass.
    pub async fn batch(&mut self, choose: Choose<'_>) {
        let orders: Vec<_> = (0..=choose(30)).map(|_| self.choose_order(choose)).collect();
        // All of them get in line, in this order, before the group commit has its turn.
        let heard = join_all(orders.iter().map(|(which, order)| self.give(*which, order))).await;
        for ((which, order), heard) in orders.iter().zip(heard) {
            let model = self.model.get_mut(which);
            let expected = model.map_or(Heard::NotFound, |counter| counter.apply(order, self.now));
            assert_eq!(heard, expected, "{order:?} of {which:?} in {orders:#?}");
            self.endings.insert(ending(&heard));
        }
        self.orders += orders.len();
        match choose(20) {
            0 => self.counters.sweep().await.expect("a sweep"),
            1 => {
                let seconds = [1, 3600, KEPT_SECONDS - 1, KEPT_SECONDS][below(choose, 4)];
                self.clock.advance(seconds);
                self.now += seconds;
            }
            _ => {}
        }
    }

    /// Compares what the counters show, and deletes them.
    pub async fn end(self) {
        for ((place, kind), counter) in &self.model {
            let (caller, name) = (&self.callers[*place], self.name(*kind));
            assert_eq!(self.counters.current(caller, &name).await.expect("an integer"), counter.current, "{name}");
            if *kind > 0 {
                self.counters.delete(caller, &name).await.expect("it is deleted");
            }
        }
    }

    fn name(&self, kind: usize) -> String {
        if kind == 0 { KINDS[0].to_owned() } else { format!("{}-{}", KINDS[kind], self.tag) }
    }

    fn choose_order(&self, choose: Choose<'_>) -> (Which, Order) {
        let which = (below(choose, 2), below(choose, 13) / 4);
        let present = self.model.get(&which).map_or(0, |counter| counter.current);
        let near = |choose: Choose<'_>| present + i64::try_from(choose(5)).expect("small") - 1;
        let asked = match choose(12) {
            0 => Asked::Set { to: near(choose) - 5, if_current: None },
            1 => Asked::Set { to: near(choose), if_current: Some(near(choose)) },
            2 | 3 => Asked::Take { count: 1 + u32::try_from(choose(40)).expect("small") },
            _ => Asked::Take { count: 1 },
        };
        let key = (choose(3) == 0).then(|| format!("{} {}", self.tag, choose(30)));
        (which, Order { asked, key })
    }

    async fn give(&self, (place, kind): Which, order: &Order) -> Heard {
        let (caller, name) = (&self.callers[place], self.name(kind));
        let idempotency_key = order.key.as_deref().map(Into::into);
        let heard = match order.asked {
            Asked::Show => self.counters.current(caller, &name).await.map(Heard::Shown),
            Asked::Take { count } => {
                let next = Next { counter: Some(&name), count, idempotency_key };
                self.counters.next(caller, next).await.map(|taken| {
                    assert_eq!(taken.last, taken.counter.current);
                    Heard::Took { first: taken.first, last: taken.last, replayed: taken.replayed }
                })
            }
            Asked::Set { to, if_current } => {
                let set = SetCurrent { current: to, counter: name, if_current, idempotency_key };
                let done = self.counters.set_current(caller, set).await;
                done.map(|done| Heard::Set { previous: done.previous, to: done.counter.current })
            }
        };
        heard.unwrap_or_else(|error| refusal(&error))
    }
}

fn below(choose: Choose<'_>, limit: u64) -> usize {
    usize::try_from(choose(limit)).expect("small")
}

fn refusal(error: &Error) -> Heard {
    match error {
        Error::NotFound(_) => Heard::NotFound,
        Error::CounterExhausted { .. } => Heard::Exhausted,
        Error::Conflict(_) => Heard::KeyReused,
        Error::Invalid(errors) => match errors[0].code {
            UserErrorCode::NotFound => Heard::NotFound,
            UserErrorCode::Invalid => Heard::OutOfRange,
            UserErrorCode::Conflict => Heard::changed(&errors[0].message),
            code => panic!("{code:?} is no way to end"),
        },
        error => panic!("{error:?} is no way to end"),
    }
}

fn ending(heard: &Heard) -> &'static str {
    match heard {
        Heard::Took { replayed: false, .. } => "took",
        Heard::Took { replayed: true, .. } => "took before",
        Heard::Set { .. } => "set",
        Heard::Shown(_) => "shown",
        Heard::NotFound => "not found",
        Heard::Exhausted => "exhausted",
        Heard::Changed(_) => "changed",
        Heard::OutOfRange => "out of range",
        Heard::KeyReused => "key reused",
        Heard::Unavailable => "unavailable",
    }
}
