//! The group commit against a model that does one order after the other: random batches of everything that there is,
//! while another program locks the rows of the counters now and then.
//! `fuzz/` does the same with a fuzzer's choices.

pub mod batches;
pub mod counter;

use std::sync::Arc;

use batches::World;

use super::in_person;
use crate::support::{Length, Locker, Random, TestApp};

const BATCHES: usize = 400;

#[tokio::test]
async fn batches_do_what_the_model_does_one_after_the_other() {
    let (mut random, mut length) = (Random::seeded(), Length::rounds(1));
    let (mut orders, mut locks, mut endings) = (0, 0, std::collections::BTreeSet::new());
    while length.goes_on() {
        let max_batch = [3, 10, 1000][usize::try_from(random.below(3)).expect("an index")];
        let test = TestApp::with_config(|config| config.counters.max_batch = max_batch).await;
        let callers = vec![in_person(&test.sign_up("anna").await).await, in_person(&test.sign_up("bob").await).await];
        let mut world = World::begin(Arc::clone(&test.app.counters), test.clock.clone(), callers, "1").await;
        let locker = Locker::start(test.config.database.url.to_string(), random.fork());
        for _ in 0..BATCHES {
            world.batch(&mut |limit| random.below(limit)).await;
        }
        locks += locker.stop().await;
        orders += world.orders;
        endings.append(&mut world.endings);
        world.end().await;
    }
    let expected = ["changed", "exhausted", "key reused", "not found", "out of range", "set", "took", "took before"];
    assert_eq!(Vec::from_iter(endings), expected);
    length.tell(&[("orders", orders), ("locks of another program", locks)]);
}
