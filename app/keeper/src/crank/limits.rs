//! What keeps a crank from spending too much and from trying too often.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// The window of a budget.
const HOUR: Duration = Duration::from_secs(3_600);

/// Lamports that may be spent in any hour. A part of them is kept for showing prices: who has paid thousands of covers, or
/// for accounts of theirs, must not become blind by it.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    per_hour: Option<u64>,
    spent: VecDeque<(Instant, u64)>,
}

/// What lamports are spent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Showing prices: may use the whole budget.
    Prices,
    /// Everything else: leaves [`Budget::kept_for_prices`].
    Other,
}

impl Budget {
    /// A budget; `None` is no limit.
    pub fn new(per_hour: Option<u64>) -> Self {
        Self { per_hour, spent: VecDeque::new() }
    }

    /// Of the lamports of an hour, those that only prices may use: a tenth, rounded down.
    pub fn kept_for_prices(&self) -> u64 {
        self.per_hour.map_or(0, |limit| limit / 10)
    }

    /// Lamports spent in the hour before `now`.
    pub fn spent(&mut self, now: Instant) -> u64 {
        while self.spent.front().is_some_and(|(at, _)| now.duration_since(*at) >= HOUR) {
            self.spent.pop_front();
        }
        self.spent.iter().map(|(_, lamports)| lamports).sum()
    }

    /// Books lamports if they still fit, and says whether they do.
    pub fn take(&mut self, lamports: u64, purpose: Purpose, now: Instant) -> bool {
        let kept = if purpose == Purpose::Prices { 0 } else { self.kept_for_prices() };
        let limit = self.per_hour.map(|limit| limit.saturating_sub(kept));
        let fits = limit.is_none_or(|limit| self.spent(now).saturating_add(lamports) <= limit);
        if fits {
            self.spent.push_back((now, lamports));
        }
        fits
    }

    /// Takes lamports out of the books again that were not spent after all.
    pub fn give_back(&mut self, mut lamports: u64) {
        for (_, booked) in self.spent.iter_mut().rev() {
            let back = lamports.min(*booked);
            *booked -= back;
            lamports -= back;
        }
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

/// What failed, and when it may be tried again.
#[derive(Clone, Debug)]
pub struct BackOff<K> {
    delays: Delays,
    items: BTreeMap<K, Failure>,
}

/// How something failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// How often in a row.
    pub failures: u32,
    /// When it may be tried again.
    pub until: Instant,
    /// Why, the last time.
    pub why: String,
}

impl<K: Copy + Ord> BackOff<K> {
    /// Nothing has failed yet.
    pub fn new(delays: Delays) -> Self {
        Self { delays, items: BTreeMap::new() }
    }

    /// Books a failure. It waits no longer than `longest`, if that is given.
    pub fn failed(&mut self, item: K, why: String, longest: Option<Duration>, now: Instant) {
        let failures = self.items.get(&item).map_or(0, |failure| failure.failures).saturating_add(1);
        let delay = self.delays.after(failures).min(longest.unwrap_or(Duration::MAX));
        self.items.insert(item, Failure { failures, until: now + delay, why });
    }

    /// Forgets what is no longer due: done, by whomever.
    pub fn keep(&mut self, is_due: impl Fn(&K) -> bool) {
        self.items.retain(|item, _| is_due(item));
    }

    /// Forgets one. How it had failed, if it had.
    pub fn done(&mut self, item: &K) -> Option<Failure> {
        self.items.remove(item)
    }

    /// How an item failed, if it must still wait.
    pub fn waits(&self, item: &K, now: Instant) -> Option<&Failure> {
        self.items.get(item).filter(|failure| now < failure.until)
    }

    /// Everything that failed and has not been done since.
    pub fn failing(&self) -> BTreeSet<K> {
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
        let prices = Purpose::Prices;
        assert!(budget.take(6_000, prices, start));
        assert!(!budget.take(4_001, prices, start + minute), "over the limit");
        assert!(budget.take(4_000, prices, start + minute));
        assert_eq!(budget.spent(start + minute), 10_000);
        assert!(!budget.take(1, prices, start + 59 * minute));
        assert!(budget.take(6_000, prices, start + 60 * minute), "the first spending is an hour old");
        assert!(!budget.take(1, prices, start + 60 * minute));
        assert!(Budget::new(None).take(u64::MAX, Purpose::Other, start));
    }

    #[test]
    fn a_tenth_of_a_budget_is_for_prices_alone() {
        let start = Instant::now();
        let mut budget = Budget::new(Some(10_000));
        assert!(!budget.take(9_001, Purpose::Other, start));
        assert!(budget.take(9_000, Purpose::Other, start));
        assert!(!budget.take(1, Purpose::Other, start));
        assert!(budget.take(1_000, Purpose::Prices, start));
    }

    #[test]
    fn what_was_not_spent_after_all_can_be_spent_again() {
        let start = Instant::now();
        let mut budget = Budget::new(Some(10_000));
        assert!(budget.take(4_000, Purpose::Other, start) && budget.take(3_000, Purpose::Other, start));
        budget.give_back(5_000);
        assert_eq!(budget.spent(start), 2_000);
        budget.give_back(9_000);
        assert_eq!(budget.spent(start), 0);
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
        back_off.failed(item, "frozen".into(), None, start);
        assert!(back_off.waits(&item, start + Duration::from_secs(4)).is_some());
        assert!(back_off.waits(&item, start + Duration::from_secs(5)).is_none());
        assert!(back_off.failing().contains(&item), "it may be tried, and is still known to have failed");
        back_off.failed(item, "frozen".into(), None, start);
        assert!(back_off.waits(&item, start + Duration::from_secs(9)).is_some());
        back_off.failed(item, "frozen".into(), Some(Duration::from_secs(3)), start);
        assert!(back_off.waits(&item, start + Duration::from_secs(3)).is_none(), "never longer than it may");
        back_off.keep(|_| false);
        assert!(back_off.failing().is_empty());
    }
}
