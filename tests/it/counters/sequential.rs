//! The group commit against a model that does one order after the other: random batches of everything that there is.

use std::collections::HashMap;

use cloakroom::caller::Caller;
use cloakroom::counters::{CreateCounter, Next, SetCurrent};
use cloakroom::error::{Error, ErrorCode, UserErrorCode};
use futures_util::future::join_all;

use super::in_person;
use crate::support::{Random, TestApp};

const BATCHES: usize = 400;
const KEPT_SECONDS: i64 = 24 * 3600;
/// The last one is nobody's.
const NAMES: [&str; 4] = ["default", "steps", "short", "none"];

/// What a caller asks.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Take { count: u32 },
    Set { to: i64, if_current: Option<i64> },
}

/// An order: which user's counter, what, and under which key.
#[derive(Clone, Debug)]
struct Order {
    counter: (usize, &'static str),
    asked: Asked,
    key: Option<String>,
}

/// What a caller hears: the integer before and after (of a range, the first and the last), or a code.
type Heard = Result<(i64, i64, bool), String>;

#[derive(Clone, Debug)]
struct Counter {
    current: i64,
    step: i64,
    max: i64,
    keys: HashMap<String, (i64, Asked, (i64, i64))>,
}

impl Counter {
    fn new(current: i64, step: i64, max: i64) -> Self {
        Self { current, step, max, keys: HashMap::new() }
    }

    fn apply(&mut self, order: &Order, now: i64) -> Heard {
        let known = order.key.as_ref().and_then(|key| self.keys.get(key));
        if let Some((_, asked, (before, after))) = known.filter(|(at, ..)| now - at < KEPT_SECONDS) {
            return if *asked == order.asked { Ok((*before, *after, true)) } else { Err("CONFLICT".to_owned()) };
        }
        let before = self.current;
        self.current = match order.asked {
            Asked::Take { count } => {
                let after = before + i64::from(count) * self.step;
                if after > self.max {
                    return Err("COUNTER_EXHAUSTED".to_owned());
                }
                after
            }
            Asked::Set { if_current: Some(expected), .. } if expected != before => return Err("Conflict".to_owned()),
            Asked::Set { to, .. } if !(0..=self.max).contains(&to) => return Err("Invalid".to_owned()),
            Asked::Set { to, .. } => to,
        };
        let first = if matches!(order.asked, Asked::Take { .. }) { before + self.step } else { before };
        if let Some(key) = &order.key {
            self.keys.insert(key.clone(), (now, order.asked.clone(), (first, self.current)));
        }
        Ok((first, self.current, false))
    }
}

fn random_order(random: &mut Random, model: &HashMap<(usize, &'static str), Counter>) -> Order {
    let name = NAMES[usize::try_from(random.below(13) / 4).expect("an index")];
    let counter = (usize::try_from(random.below(2)).expect("an index"), name);
    let present = model.get(&counter).map_or(0, |counter| counter.current);
    let near = |random: &mut Random| present + i64::try_from(random.below(5)).expect("small") - 1;
    let asked = match random.below(12) {
        0 => Asked::Set { to: near(random) - 5, if_current: None },
        1 => Asked::Set { to: near(random), if_current: Some(near(random)) },
        2 | 3 => Asked::Take { count: 1 + u32::try_from(random.below(40)).expect("small") },
        _ => Asked::Take { count: 1 },
    };
    let key = (random.below(3) == 0).then(|| format!("key {}", random.below(30)));
    Order { counter, asked, key }
}

async fn run(test: &TestApp, callers: &[Caller], order: Order) -> Heard {
    let (caller, counters) = (&callers[order.counter.0], &test.app.counters);
    let idempotency_key = order.key.as_deref().map(Into::into);
    match order.asked {
        Asked::Take { count } => {
            let next = Next { counter: Some(order.counter.1), count, idempotency_key };
            let taken = counters.next(caller, next).await.map_err(|error| code(&error))?;
            assert_eq!(taken.last, taken.counter.current);
            Ok((taken.first, taken.last, taken.replayed))
        }
        Asked::Set { to, if_current } => {
            let set = SetCurrent { current: to, counter: order.counter.1.to_owned(), if_current, idempotency_key };
            let done = counters.set_current(caller, set).await.map_err(|error| code(&error))?;
            Ok((done.previous, done.counter.current, false))
        }
    }
}

fn code(error: &Error) -> String {
    match error {
        Error::Invalid(errors) => match errors[0].code {
            UserErrorCode::NotFound => ErrorCode::NotFound.name().to_owned(),
            code => format!("{code:?}"),
        },
        error => error.code().name().to_owned(),
    }
}

/// Two users with a counter of each kind, and what they have in the model.
async fn begin(test: &TestApp) -> (Vec<Caller>, HashMap<(usize, &'static str), Counter>) {
    let (mut callers, mut model) = (Vec::new(), HashMap::new());
    for (place, name) in ["anna", "bob"].into_iter().enumerate() {
        let caller = in_person(&test.sign_up(name).await).await;
        for (name, start, step, max) in [("steps", 10, 7, 1_000_000), ("short", 0, 1, 60)] {
            let input = CreateCounter { name: name.to_owned(), start, step, max: Some(max) };
            test.app.counters.create(&caller, input).await.expect("a counter");
            model.insert((place, name), Counter::new(start, step.into(), max));
        }
        model.insert((place, "default"), Counter::new(0, 1, (1 << 53) - 1));
        callers.push(caller);
    }
    (callers, model)
}

#[tokio::test]
async fn batches_do_what_the_model_does_one_after_the_other() {
    let mut random = Random::seeded();
    let max_batch = [3, 10, 1000][usize::try_from(random.below(3)).expect("an index")];
    let test = TestApp::with_config(|config| config.counters.max_batch = max_batch).await;
    let (callers, mut model) = begin(&test).await;
    let mut now = 0;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for batch in 0..BATCHES {
        let orders: Vec<_> = (0..=random.below(30)).map(|_| random_order(&mut random, &model)).collect();
        // All of them get in line, in this order, before the group commit has its turn.
        let heard = join_all(orders.iter().map(|order| run(&test, &callers, order.clone()))).await;
        for (order, heard) in orders.iter().zip(heard) {
            let expected = match model.get_mut(&order.counter) {
                Some(counter) => counter.apply(order, now),
                None => Err("NOT_FOUND".to_owned()),
            };
            let kind = expected.as_ref().map_or_else(Clone::clone, |(.., replayed)| format!("replayed {replayed}"));
            *seen.entry(kind).or_default() += 1;
            // A replay of `setCurrent` does not say that it is one.
            let mark = |heard: Heard| {
                heard
                    .map(|(first, last, replayed)| (first, last, replayed && matches!(order.asked, Asked::Take { .. })))
            };
            assert_eq!(mark(heard), mark(expected), "batch {batch}: {order:?} in {orders:#?}");
        }
        match random.below(20) {
            0 => test.app.counters.sweep().await.expect("a sweep"),
            1 => {
                let seconds =
                    [1, 3600, KEPT_SECONDS - 1, KEPT_SECONDS][usize::try_from(random.below(4)).expect("an index")];
                test.clock.advance(seconds);
                now += seconds;
            }
            _ => {}
        }
    }
    let kinds =
        ["CONFLICT", "COUNTER_EXHAUSTED", "Conflict", "Invalid", "NOT_FOUND", "replayed false", "replayed true"];
    for kind in kinds {
        assert!(seen.contains_key(kind), "nothing ended in {kind}: {seen:?}");
    }
    for ((user, name), counter) in model {
        assert_eq!(test.app.counters.current(&callers[user], name).await.expect("an integer"), counter.current);
    }
}
