//! What keeps a crank from spending too much and from trying too often.

use crate::crank::work::Item;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// The window of a budget.
const HOUR: Duration = Duration::from_secs(3_600);

/// Lamports that may be spent in any hour.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    per_hour: Option<u64>,
    spent: VecDeque<(Instant, u64)>,
}

impl Budget {
    /// A budget; `None` is no limit.
    pub fn new(per_hour: Option<u64>) -> Self {
        Self { per_hour, spent: VecDeque::new() }
    }

    /// Lamports spent in the hour before `now`.
    pub fn spent(&mut self, now: Instant) -> u64 {
        while self.spent.front().is_some_and(|(at, _)| now.duration_since(*at) >= HOUR) {
            self.spent.pop_front();
        }
        self.spent.iter().map(|(_, lamports)| lamports).sum()
    }

    /// Books lamports if they still fit, and says whether they do.
    pub fn take(&mut self, lamports: u64, now: Instant) -> bool {
        let fits = self.per_hour.is_none_or(|limit| self.spent(now).saturating_add(lamports) <= limit);
        if fits {
            self.spent.push_back((now, lamports));
        }
        fits
    }
}

/// Waiting times that double with every failure.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// After the first failure.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Delays {
    /// How long to wait after so many failures in a row, at least one.
    pub fn after(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

/// Work that failed, and when it may be tried again.
#[derive(Clone, Debug)]
pub struct BackOff {
    delays: Delays,
    items: HashMap<Item, Failure>,
}

/// How an item of work failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// How often in a row.
    pub failures: u32,
    /// When it may be tried again.
    pub until: Instant,
    /// Why, the last time.
    pub why: String,
}

impl BackOff {
    /// Nothing has failed yet.
    pub fn new(delays: Delays) -> Self {
        Self { delays, items: HashMap::new() }
    }

    /// Books a failure.
    pub fn failed(&mut self, item: Item, why: String, now: Instant) {
        let failures = self.items.get(&item).map_or(0, |failure| failure.failures).saturating_add(1);
        self.items.insert(item, Failure { failures, until: now + self.delays.after(failures), why });
    }

    /// Forgets what is no longer due: done, by whomever.
    pub fn keep(&mut self, due: &BTreeSet<Item>) {
        self.items.retain(|item, _| due.contains(item));
    }

    /// Forgets one.
    pub fn done(&mut self, item: &Item) {
        self.items.remove(item);
    }

    /// How an item failed, if it must still wait.
    pub fn waits(&self, item: &Item, now: Instant) -> Option<&Failure> {
        self.items.get(item).filter(|failure| now < failure.until)
    }

    /// Everything that failed and has not been done since.
    pub fn failing(&self) -> BTreeSet<Item> {
        self.items.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crank::work::Kind;
    use anchor_lang::prelude::Pubkey;

    #[test]
    fn a_budget_holds_over_any_hour_and_comes_back() {
        let start = Instant::now();
        let minute = Duration::from_secs(60);
        let mut budget = Budget::new(Some(10_000));
        assert!(budget.take(6_000, start));
        assert!(!budget.take(4_001, start + minute), "over the limit");
        assert!(budget.take(4_000, start + minute));
        assert_eq!(budget.spent(start + minute), 10_000);
        assert!(!budget.take(1, start + 59 * minute));
        assert!(budget.take(6_000, start + 60 * minute), "the first spending is an hour old");
        assert!(!budget.take(1, start + 60 * minute));
        assert!(Budget::new(None).take(u64::MAX, start));
    }

    #[test]
    fn waiting_doubles_up_to_the_longest() {
        let delays = Delays { first: Duration::from_secs(5), longest: Duration::from_secs(60) };
        let seconds: Vec<u64> = (1..7).map(|failures| delays.after(failures).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 60, 60]);
        assert_eq!(delays.after(u32::MAX), delays.longest);
    }

    #[test]
    fn what_failed_waits_longer_each_time_and_is_forgotten_once_it_is_no_longer_due() {
        let start = Instant::now();
        let item = (Kind::SettleCover, Pubkey::new_from_array([1; 32]));
        let mut back_off = BackOff::new(Delays { first: Duration::from_secs(5), longest: Duration::from_secs(60) });
        back_off.failed(item, "frozen".into(), start);
        assert!(back_off.waits(&item, start + Duration::from_secs(4)).is_some());
        assert!(back_off.waits(&item, start + Duration::from_secs(5)).is_none());
        assert!(back_off.failing().contains(&item), "it may be tried, and is still known to have failed");
        back_off.failed(item, "frozen".into(), start);
        assert!(back_off.waits(&item, start + Duration::from_secs(9)).is_some());
        back_off.keep(&BTreeSet::new());
        assert!(back_off.failing().is_empty());
    }
}
