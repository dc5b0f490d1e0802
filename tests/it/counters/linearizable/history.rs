//! The history of one counter: who asked what and heard what, in the order of calls and answers; and the question
//! whether a counter that does one order after the other could have answered like this (linearizability).

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester, SequentialSpec};

use crate::counters::sequential::counter::{Counter, Heard, Order};

use crate::support::PATIENCE;

/// Which calls of a history were tried, and what the counter is after them.
type Place = (u128, Counter);

/// The counter, in a search for an order.
#[derive(Clone)]
struct Tried {
    place: Place,
    /// Whether this leads nowhere that the search was not, or gets not.
    in_vain: bool,
    /// Where the search was: it comes by as many ways as there are orders, and once is enough.
    visited: Arc<Mutex<HashSet<Place>>>,
}

impl Tried {
    /// Goes on by a call, if nobody did from here.
    fn go_on(&mut self, line: usize, order: &Order) -> Heard {
        self.place.0 |= 1 << line;
        // A history is shorter than keys are kept.
        let heard = self.place.1.apply(order, 0);
        self.in_vain |= !self.visited.lock().expect("nobody panicked").insert(self.place.clone());
        heard
    }
}

impl SequentialSpec for Tried {
    type Op = (usize, Order);
    type Ret = Heard;

    /// The search asks this for calls whose outcome is unknown, and the other for the rest.
    fn invoke(&mut self, (line, order): &Self::Op) -> Heard {
        self.go_on(*line, order)
    }

    fn is_valid_step(&mut self, (line, order): &Self::Op, heard: &Heard) -> bool {
        // Only what fits was visited.
        !self.in_vain && self.place.1.clone().apply(order, 0) == *heard && {
            self.go_on(*line, order);
            !self.in_vain
        }
    }
}

/// A call and how it ended, for people.
type Line = (usize, Order, Option<Heard>);

struct Tape {
    begin: Counter,
    lines: Vec<Line>,
    /// The calls and answers as they came: whose line, and whether it is the answer.
    events: Vec<(usize, bool)>,
    threads: usize,
}

/// What happened to one counter.
pub struct History(Mutex<Tape>);

/// Somebody who does one thing after the other.
pub struct Thread<'h> {
    history: &'h History,
    number: usize,
}

impl History {
    /// Of a counter that begins like this one.
    pub fn new(counter: Counter) -> Self {
        Self(Mutex::new(Tape { begin: counter, lines: Vec::new(), events: Vec::new(), threads: 0 }))
    }

    pub fn thread(&self) -> Thread<'_> {
        let mut tape = self.0.lock().expect("nobody panicked");
        tape.threads += 1;
        Thread { history: self, number: tape.threads }
    }

    /// How many calls there were, and how many of them whose outcome is unknown.
    pub fn counts(&self) -> (usize, usize) {
        let lines = &self.0.lock().expect("nobody panicked").lines;
        (lines.len(), lines.iter().filter(|(.., heard)| heard.is_none()).count())
    }

    /// How many calls ended in a way like this.
    pub fn count(&self, like: impl Fn(&Heard) -> bool) -> usize {
        let lines = &self.0.lock().expect("nobody panicked").lines;
        lines.iter().filter(|(.., heard)| heard.as_ref().is_some_and(&like)).count()
    }

    /// Whether a counter that does one order after the other could have answered like this. A call whose outcome is
    /// unknown may have had its effect at any time after it, or never.
    pub fn is_linearizable(&self) -> bool {
        let (told, heard) = std::sync::mpsc::channel();
        let tester = self.0.lock().expect("nobody panicked").tester();
        std::thread::spawn(move || told.send(tester.is_consistent()));
        heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("too long a search for an order: {}", self.text()))
    }

    pub fn check(&self) {
        if !self.is_linearizable() {
            panic!("no order explains this: {}", self.text());
        }
    }

    fn text(&self) -> String {
        let tape = self.0.lock().expect("nobody panicked");
        let text = |(line, answered): &(usize, bool)| match (&tape.lines[*line], answered) {
            ((thread, order, _), false) => format!("\n{thread} calls {order:?}"),
            ((thread, _, heard), true) => format!("\n{thread} hears {heard:?}"),
        };
        tape.events.iter().map(text).collect()
    }
}

impl Tape {
    /// Without the calls that did nothing, as whoever called heard: they fit everywhere, and every place would be tried.
    fn tester(&self) -> LinearizabilityTester<usize, Tried> {
        assert!(self.lines.len() <= 128, "a history is short");
        let begin = Tried { place: (0, self.begin.clone()), in_vain: false, visited: Arc::default() };
        let mut tester = LinearizabilityTester::new(begin);
        for (line, answered) in &self.events {
            let (thread, order, heard) = &self.lines[*line];
            match (answered, heard) {
                (_, Some(Heard::Unavailable)) => {}
                (true, Some(heard)) => {
                    tester.on_return(*thread, heard.clone()).expect("it was called");
                }
                _ => {
                    tester.on_invoke(*thread, (*line, order.clone())).expect("one call at a time");
                }
            }
        }
        tester
    }
}

impl Thread<'_> {
    /// Notes a call now, and its outcome when it is there; `None` is an unknown one, after which this thread is at
    /// its end.
    pub async fn call(&self, order: &Order, outcome: impl Future<Output = Option<Heard>>) -> Option<Heard> {
        let tape = || self.history.0.lock().expect("nobody panicked");
        let line = {
            let mut tape = tape();
            let line = tape.lines.len();
            tape.lines.push((self.number, order.clone(), None));
            tape.events.push((line, false));
            line
        };
        let heard = outcome.await?;
        let mut tape = tape();
        tape.events.push((line, true));
        tape.lines[line].2 = Some(heard.clone());
        Some(heard)
    }
}
