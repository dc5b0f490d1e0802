//! The announcements that this server has found, oldest first.
//!
//! **Invariant:** its memory does not depend on what was announced: it has ids and moments, and of each at most
//! [`LOGGED`] and [`REMEMBERED`].

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::id::PhotoId;

/// Announcements that wait for a listener at most.
pub(super) const LOGGED: usize = 32_768;
/// Announcements that are known to have been found: 32 s of 4,000 a second, in 8 MB.
const REMEMBERED: usize = 131_072;
/// How long a commit may take that announces photos.
pub(super) const OVERLAP: TimeDelta = TimeDelta::seconds(30);

/// A photo that was published, by the clock of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Announcement {
    pub(super) announced_at: DateTime<Utc>,
    pub(super) id: PhotoId,
}

/// Announcements with their numbers.
#[derive(Default)]
pub(super) struct Log {
    entries: VecDeque<Announcement>,
    /// The number of the first entry.
    first: u64,
}

impl Log {
    /// The number of the next announcement.
    pub(super) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(super) fn push(&mut self, announcement: Announcement) {
        if self.entries.len() == LOGGED {
            self.entries.pop_front();
            self.first += 1;
        }
        self.entries.push_back(announcement);
    }

    /// Up to `count` announcements from `number` on, with the number of the first: a later one if that is gone.
    pub(super) fn from(&self, number: u64, count: usize) -> (u64, Vec<Announcement>) {
        let number = number.max(self.first);
        let at = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        (number, self.entries.iter().skip(at).take(count).copied().collect())
    }
}

/// What need not be found again.
pub(super) struct Seen {
    announced: HashMap<PhotoId, DateTime<Utc>>,
    /// Nothing before this is looked for.
    from: DateTime<Utc>,
    /// The latest one.
    pub(super) last: Announcement,
}

impl Seen {
    /// Nothing but that `last` is the latest announcement of the database.
    pub(super) fn up_to(last: Announcement) -> Self {
        Self { announced: HashMap::new(), from: last.announced_at - OVERLAP, last }
    }

    /// The moment from which on an announcement may have been committed late.
    pub(super) fn overlap_from(&self) -> DateTime<Utc> {
        self.from.max(self.last.announced_at - OVERLAP)
    }

    /// Remembers an announcement, and returns whether it is a new one.
    pub(super) fn insert(&mut self, found: Announcement) -> bool {
        self.last = self.last.max(found);
        self.announced.insert(found.id, found.announced_at) != Some(found.announced_at)
    }

    /// Forgets what is not looked for any more; and if that is too little, looks back less far.
    pub(super) fn forget(&mut self) {
        let from = self.overlap_from();
        self.announced.retain(|_, announced_at| *announced_at >= from);
        if self.announced.len() > REMEMBERED {
            let mut moments: Vec<DateTime<Utc>> = self.announced.values().copied().collect();
            let (_, median, _) = moments.select_nth_unstable(self.announced.len() / 2);
            self.from = *median;
            self.announced.retain(|_, announced_at| *announced_at >= self.from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement(second: i64, number: u128) -> Announcement {
        let announced_at = DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a moment");
        Announcement { announced_at, id: uuid::Uuid::from_u128(number).into() }
    }

    #[test]
    fn a_log_has_the_latest_announcements() {
        let mut log = Log::default();
        for number in 0..LOGGED as u128 + 3 {
            log.push(announcement(0, number));
        }
        assert_eq!(log.end(), LOGGED as u64 + 3);
        assert_eq!(log.from(0, 2), (3, vec![announcement(0, 3), announcement(0, 4)]));
        assert_eq!(log.from(log.end() - 1, 9).1.len(), 1);
        assert_eq!(log.from(log.end(), 9), (log.end(), vec![]));
    }

    #[test]
    fn an_announcement_is_new_once_and_again_when_it_is_announced_again() {
        let mut seen = Seen::up_to(announcement(0, 0));
        assert!(seen.insert(announcement(5, 1)) && !seen.insert(announcement(5, 1)));
        assert!(seen.insert(announcement(-29, 2)), "committed late");
        assert!(seen.insert(announcement(6, 1)));
        assert_eq!(seen.last, announcement(6, 1));
        assert_eq!(seen.overlap_from(), announcement(6 - 30, 0).announced_at);
    }

    #[test]
    fn memory_is_bounded_however_much_is_announced_in_half_a_minute() {
        let mut seen = Seen::up_to(announcement(0, 0));
        for number in 0..=REMEMBERED as i64 {
            seen.insert(announcement(number / 10_000, number.unsigned_abs().into()));
        }
        seen.forget();
        assert!(seen.announced.len() <= REMEMBERED / 2 + 10_000, "{}", seen.announced.len());
        // Nothing is found again that was forgotten.
        let from = seen.overlap_from();
        assert!((0..=REMEMBERED as i64).all(|number| {
            let again = announcement(number / 10_000, number.unsigned_abs().into());
            again.announced_at < from || seen.announced.contains_key(&again.id)
        }));
    }
}
