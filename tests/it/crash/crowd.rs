//! Clients of one hot counter at several servers: integers and ranges, under keys and without.

use std::sync::atomic::{AtomicBool, Ordering};

use super::load::Ledger;
use super::site::Replica;
use crate::counters::linearizable::client::give;
use crate::counters::sequential::counter::{Asked, Heard, Order};
use crate::support::Random;

/// A client, over all the servers that it meets.
pub(super) struct Taker {
    random: Random,
    /// What it asks for under a key until it has heard the answer.
    wanted: Option<Order>,
}

impl Taker {
    pub(super) fn new(random: Random) -> Self {
        Self { random, wanted: None }
    }

    /// Takes numbers until it may stop, and has heard of everything that it asked for under a key.
    pub(super) async fn run(&mut self, replicas: &[Replica], stop: &AtomicBool) -> Ledger {
        let mut ledger = Ledger::default();
        while self.wanted.is_some() || !stop.load(Ordering::SeqCst) {
            let order = self.wanted.take().unwrap_or_else(|| self.any_order());
            let door = &replicas[usize::try_from(self.random.below(replicas.len() as u64)).expect("an index")];
            match give(door, "default", &order).await {
                Some(Heard::Took { first, last, .. }) => ledger.took(first..=last),
                // Its key makes it good.
                Some(Heard::Unavailable) | None if order.key.is_some() => self.wanted = Some(order),
                // Nothing was taken, it says.
                Some(Heard::Unavailable) => {}
                Some(heard) => panic!("{heard:?} is no way to end"),
                None => ledger.lost(count(&order)),
            }
        }
        ledger
    }

    fn any_order(&mut self) -> Order {
        let choice = self.random.below(4);
        let count = if choice > 1 { 1 } else { 1 + u32::try_from(self.random.below(20)).expect("small") };
        let key = choice.is_multiple_of(2).then(|| format!("{:016x}", self.random.below(u64::MAX)));
        Order { asked: Asked::Take { count }, key }
    }
}

fn count(order: &Order) -> usize {
    match order.asked {
        Asked::Take { count } => usize::try_from(count).expect("small"),
        Asked::Set { .. } | Asked::Show => 0,
    }
}
