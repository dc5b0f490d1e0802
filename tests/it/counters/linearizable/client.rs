//! Clients who ask a counter for everything that it can do, at any of several servers.

use serde_json::Value;

use super::history::History;
use crate::counters::sequential::counter::{Asked, Heard, Order};
use crate::support::{Caller, Random};

/// A server, as one of its users sees it.
pub trait Door: Sync {
    /// The answer; `None` if no whole one came.
    fn ask(&self, query: &str) -> impl Future<Output = Option<Value>> + Send;
}

impl Door for Caller {
    async fn ask(&self, query: &str) -> Option<Value> {
        Some(self.run(query).await.body)
    }
}

/// Gives an order for the counter of this name; `None` if nobody knows what became of it.
pub async fn give(door: &impl Door, counter: &str, order: &Order) -> Option<Heard> {
    let key = order.key.as_ref().map(|key| format!(r#", idempotencyKey: "{key}""#)).unwrap_or_default();
    let query = match order.asked {
        Asked::Show => format!(r#"{{ current(counter: "{counter}") }}"#),
        Asked::Take { count } => format!(
            r#"mutation {{ next(input: {{ counter: "{counter}", count: {count}{key} }}) {{ first last replayed }} }}"#
        ),
        Asked::Set { to, if_current } => {
            let condition = if_current.map(|expected| format!(", ifCurrent: {expected}")).unwrap_or_default();
            format!(
                r#"mutation {{ setCurrent(input: {{ counter: "{counter}", current: {to}{condition}{key} }})
                {{ previous counter {{ current }} userErrors {{ code field message }} }} }}"#
            )
        }
    };
    let Some(answer) = door.ask(&query).await else {
        // Whoever only looked knows that nothing was done.
        return (order.asked == Asked::Show).then_some(Heard::Unavailable);
    };
    match answer.pointer("/errors/0/extensions/code").and_then(Value::as_str) {
        None => Some(success(&order.asked, &answer["data"])),
        Some("NOT_FOUND") => Some(Heard::NotFound),
        Some("COUNTER_EXHAUSTED") => Some(Heard::Exhausted),
        Some("CONFLICT") => Some(Heard::KeyReused),
        Some("UNAVAILABLE") => Some(Heard::Unavailable),
        Some("INTERNAL_SERVER_ERROR") if order.asked == Asked::Show => Some(Heard::Unavailable),
        Some("INTERNAL_SERVER_ERROR") => None,
        Some(_) => panic!("{answer} is no way to end"),
    }
}

fn success(asked: &Asked, data: &Value) -> Heard {
    let integer = |pointer: &str| data.pointer(pointer).and_then(Value::as_i64);
    let whole = match asked {
        Asked::Show => integer("/current").map(Heard::Shown),
        Asked::Take { .. } => integer("/next/first").zip(integer("/next/last")).map(|(first, last)| {
            let replayed = data["next"]["replayed"] == true;
            Heard::Took { first, last, replayed }
        }),
        Asked::Set { .. } => match integer("/setCurrent/previous").zip(integer("/setCurrent/counter/current")) {
            Some((previous, to)) => Some(Heard::Set { previous, to }),
            None => refused(&data["setCurrent"]["userErrors"][0]),
        },
    };
    whole.unwrap_or_else(|| panic!("{data} does not answer {asked:?}"))
}

fn refused(error: &Value) -> Option<Heard> {
    match error["code"].as_str()? {
        "NOT_FOUND" => Some(Heard::NotFound),
        "INVALID" => Some(Heard::OutOfRange),
        "CONFLICT" => Some(Heard::changed(error["message"].as_str()?)),
        _ => None,
    }
}

/// Makes so many calls, each at one of the doors; less if the outcome of one is unknown, which is returned.
pub async fn call_around(
    history: &History,
    doors: &[impl Door],
    counter: &str,
    mut random: Random,
    calls: usize,
) -> Option<Order> {
    let (thread, mut seen) = (history.thread(), 0);
    for _ in 0..calls {
        let order = any_order(&mut random, seen);
        let door = &doors[usize::try_from(random.below(doors.len() as u64)).expect("an index")];
        let Some(heard) = thread.call(&order, give(door, counter, &order)).await else { return Some(order) };
        match heard {
            Heard::Took { last: integer, .. }
            | Heard::Set { to: integer, .. }
            | Heard::Shown(integer)
            | Heard::Changed(integer) => seen = integer,
            _ => {}
        }
    }
    None
}

/// What somebody may ask who has seen this integer last: often what others ask as well, under the same keys.
fn any_order(random: &mut Random, seen: i64) -> Order {
    let near = |random: &mut Random| seen + i64::try_from(random.below(4)).expect("small") - 1;
    let asked = match random.below(10) {
        0 | 1 => Asked::Show,
        2 => Asked::Set { to: near(random), if_current: None },
        3 => Asked::Set { to: near(random) + 2, if_current: Some(seen) },
        4 | 5 => Asked::Take { count: 1 + u32::try_from(random.below(4)).expect("small") },
        _ => Asked::Take { count: 1 },
    };
    let key = (asked != Asked::Show && random.below(3) == 0).then(|| format!("key {}", random.below(6)));
    Order { asked, key }
}
