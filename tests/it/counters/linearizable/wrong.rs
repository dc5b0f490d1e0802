//! Histories that no counter could have: the check must find them.

use std::sync::Mutex;

use serde_json::Value;

use super::client::{Door, give};
use super::history::History;
use crate::counters::sequential::counter::{Asked, Counter, GREATEST, Heard, Order};
use crate::support::{Caller, TestApp};

const NEXT: Order = Order { asked: Asked::Take { count: 1 }, key: None };
const SHOW: Order = Order { asked: Asked::Show, key: None };

fn took(integer: i64) -> Heard {
    Heard::Took { first: integer, last: integer, replayed: false }
}

fn under_key(order: &Order) -> Order {
    Order { key: Some("k".to_owned()), ..order.clone() }
}

/// The history in which one does this after the other, each as a new thread.
async fn one_after_the_other(calls: &[(Order, Option<Heard>)]) -> bool {
    let history = History::new(Counter::new(0, 1, GREATEST));
    for (order, heard) in calls {
        history.thread().call(order, async { heard.clone() }).await;
    }
    history.is_linearizable()
}

#[tokio::test]
async fn a_stale_read_is_found() {
    let fresh = [(NEXT, Some(took(1))), (SHOW, Some(Heard::Shown(1)))];
    assert!(one_after_the_other(&fresh).await);
    let stale = [(NEXT, Some(took(1))), (SHOW, Some(Heard::Shown(0)))];
    assert!(!one_after_the_other(&stale).await);
}

#[tokio::test]
async fn a_number_that_is_given_twice_is_found() {
    let twice = [(NEXT, Some(took(1))), (NEXT, Some(took(1)))];
    assert!(!one_after_the_other(&twice).await);
    let replayed = Heard::Took { first: 1, last: 1, replayed: true };
    let again = [(under_key(&NEXT), Some(took(1))), (under_key(&NEXT), Some(replayed))];
    assert!(one_after_the_other(&again).await);
    let taken_again = [(under_key(&NEXT), Some(took(1))), (under_key(&NEXT), Some(took(2)))];
    assert!(!one_after_the_other(&taken_again).await);
}

#[tokio::test]
async fn a_gap_and_a_lost_number_are_found() {
    assert!(!one_after_the_other(&[(NEXT, Some(took(1))), (NEXT, Some(took(3)))]).await);
    assert!(one_after_the_other(&[(NEXT, Some(took(1))), (NEXT, None), (NEXT, Some(took(3)))]).await);
    assert!(one_after_the_other(&[(NEXT, Some(took(1))), (NEXT, None), (NEXT, Some(took(2)))]).await);
}

#[tokio::test]
async fn a_call_without_an_outcome_may_happen_once() {
    let shown = |integer| (SHOW, Some(Heard::Shown(integer)));
    assert!(one_after_the_other(&[(NEXT, None), shown(0)]).await);
    assert!(one_after_the_other(&[(NEXT, None), shown(1)]).await);
    assert!(one_after_the_other(&[(NEXT, None), shown(0), shown(1)]).await);
    assert!(!one_after_the_other(&[(NEXT, None), shown(1), shown(0)]).await);
    assert!(!one_after_the_other(&[(NEXT, None), shown(2)]).await);
}

#[tokio::test]
async fn a_set_that_got_lost_is_found() {
    let set = |to, if_current| Order { asked: Asked::Set { to, if_current }, key: None };
    let done = |previous, to| Some(Heard::Set { previous, to });
    assert!(one_after_the_other(&[(set(5, None), done(0, 5)), (NEXT, Some(took(6)))]).await);
    assert!(!one_after_the_other(&[(set(5, None), done(0, 5)), (NEXT, Some(took(1)))]).await);
    assert!(!one_after_the_other(&[(NEXT, Some(took(1))), (set(5, Some(0)), done(0, 5))]).await);
    assert!(!one_after_the_other(&[(set(5, Some(1)), Some(Heard::Changed(1))), (NEXT, Some(took(1)))]).await);
}

/// A server that remembers what it showed: the fault that several servers have who do not ask the database.
struct Forgetful {
    door: Caller,
    shown: Mutex<Option<Value>>,
}

impl Door for Forgetful {
    async fn ask(&self, query: &str) -> Option<Value> {
        let remembered = self.shown.lock().expect("nobody panicked").clone();
        match remembered.filter(|_| query.contains("current(")) {
            Some(answer) => Some(answer),
            None => {
                let answer = self.door.ask(query).await;
                self.shown.lock().expect("nobody panicked").clone_from(&answer);
                answer
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_shows_what_it_remembers_is_found() {
    let (_test, here) = TestApp::with_user().await;
    let there = Forgetful { door: here.clone(), shown: Mutex::new(None) };
    let history = History::new(Counter::new(0, 1, GREATEST));
    let (one, other) = (history.thread(), history.thread());
    for (expected, right) in [(0, true), (1, false)] {
        other.call(&SHOW, give(&there, "default", &SHOW)).await;
        assert_eq!(history.is_linearizable(), right);
        assert_eq!(one.call(&NEXT, give(&here, "default", &NEXT)).await, Some(took(expected + 1)));
    }
}
