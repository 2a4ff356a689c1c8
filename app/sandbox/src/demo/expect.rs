//! What has to happen, worked out from the prices and the terms alone.
//!
//! Written from the rules as people read them, without the program's code and without looking at the chain: two
//! independent ways to the same numbers are what makes the demo a check.

use super::prices::Print;
use backstop::peril::evidence::{Severity, TermsInput};
use std::collections::BTreeMap;

const FULL_BPS: u128 = 10_000;

/// What a condition makes of prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The window that triggers, if there is one.
    pub event: Option<Event>,
    /// Most good slots in any admissible window, at most those that trigger.
    pub credited: u64,
}

/// A window of slots that triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Start of its first slot, in unix seconds.
    pub event_at: i64,
    /// End of its last slot, in unix seconds.
    pub met_at: i64,
    /// Mean of the highest price in each of its good slots, in 1e-8, rounded down.
    pub mean_price_e8: u64,
    /// What is paid of each sum insured, in basis points, rounded down.
    pub severity_bps: u16,
}

/// What was shown in a slot.
#[derive(Clone, Default)]
struct Slot {
    highest_breach_e8: Option<u64>,
    above: Vec<i64>,
    recovered: Vec<i64>,
}

impl Slot {
    /// Whether two of these moments lie a tenth of the slot and half a minute apart.
    fn two(moments: &[i64], slot_seconds: i64) -> bool {
        let apart = |one: &i64, other: &i64| other - one >= 30 && (other - one) * 10 >= slot_seconds;
        moments.iter().any(|one| moments.iter().any(|other| apart(one, other)))
    }

    fn is_good(&self, slot_seconds: i64) -> bool {
        self.highest_breach_e8.is_some() && !Self::two(&self.above, slot_seconds)
    }

    fn is_recovered(&self, slot_seconds: i64) -> bool {
        Self::two(&self.recovered, slot_seconds)
    }
}

/// Applies the wording to prices that are each shown as soon as they are published. `confidence_e8` is that of every
/// price.
pub fn condition(terms: &TermsInput, prints: &[Print], confidence_e8: u64) -> Expected {
    let slot_seconds = i64::from(terms.slot_seconds);
    let need = usize::try_from(terms.duration_seconds / terms.slot_seconds).unwrap_or(usize::MAX);
    let tolerance = usize::try_from(terms.tolerance_seconds / terms.slot_seconds).unwrap_or(usize::MAX);
    let margin = confidence_e8 * u64::from(terms.confidence_multiplier) / 100;

    let mut slots = BTreeMap::<i64, Slot>::new();
    for print in prints {
        let slot = slots.entry(print.publish_time.div_euclid(slot_seconds)).or_default();
        if print.price_e8 + margin < terms.threshold {
            slot.highest_breach_e8 = slot.highest_breach_e8.max(Some(print.price_e8));
        }
        if print.price_e8 >= terms.threshold + margin {
            slot.above.push(print.publish_time);
        }
        if print.price_e8 >= terms.recovery + margin {
            slot.recovered.push(print.publish_time);
        }
    }
    let is_good = |slot: &Slot| slot.is_good(slot_seconds);
    let good: Vec<i64> = slots.iter().filter(|(_, slot)| is_good(slot)).map(|(number, _)| *number).collect();
    let admissible = |good_slots: &[i64]| {
        let (Some(first), Some(last)) = (good_slots.first(), good_slots.last()) else { return false };
        let missing = usize::try_from(last - first + 1).unwrap_or(usize::MAX) - good_slots.len();
        missing <= tolerance && slots.range(first..=last).all(|(_, slot)| !slot.is_recovered(slot_seconds))
    };

    let credited = (1..=need).rev().find(|count| good.windows(*count).any(admissible)).unwrap_or(0);
    let window = good.windows(need).find(|window| admissible(window));
    let event = window.and_then(|window| {
        let prices = window.iter().filter_map(|slot| slots.get(slot)?.highest_breach_e8);
        let sum: u64 = prices.sum();
        let count = window.len() as u64;
        Some(Event {
            event_at: window.first()? * slot_seconds,
            met_at: (window.last()? + 1) * slot_seconds,
            mean_price_e8: sum / count,
            severity_bps: severity_bps(terms, sum / count),
        })
    });
    Expected { event, credited: credited as u64 }
}

/// `(threshold - mean) / (threshold - full loss)`, between the least severity and 1, or everything.
fn severity_bps(terms: &TermsInput, mean: u64) -> u16 {
    let Severity::Linear { full_loss_price, min_severity_bps } = terms.severity else { return FULL_BPS as u16 };
    let lost = u128::from(terms.threshold.saturating_sub(mean));
    let full = u128::from(terms.threshold - full_loss_price);
    ((lost * FULL_BPS / full).min(FULL_BPS) as u16).max(min_severity_bps)
}

/// What an incident owes: the severity's part of the sums in force, rounded up.
pub fn gross(sums_in_force: u64, severity_bps: u16) -> u64 {
    (u128::from(sums_in_force) * u128::from(severity_bps)).div_ceil(FULL_BPS) as u64
}

/// What is given back of premium that was not earned when the protection ended: the part that was not lost, rounded down.
pub fn given_back(unearned: u64, severity_bps: u16) -> u64 {
    (u128::from(unearned) * (FULL_BPS - u128::from(severity_bps)) / FULL_BPS) as u64
}

/// What a claim is paid when a pool set `reserve` aside for claims of `gross`: rounded down.
pub fn payout(claim: u64, reserve: u64, gross: u64) -> u64 {
    if gross == 0 { claim } else { (u128::from(claim) * u128::from(reserve) / u128::from(gross)) as u64 }
}

/// `sum x severity`, rounded down.
pub fn claim(sum_insured: u64, severity_bps: u16) -> u64 {
    (u128::from(sum_insured) * u128::from(severity_bps) / FULL_BPS) as u64
}

/// How a loss falls on layers, the first to lose first.
pub fn layers<const N: usize>(mut loss: u64, capital: [u64; N]) -> [u64; N] {
    capital.map(|layer| {
        let taken = layer.min(loss);
        loss -= taken;
        taken
    })
}

/// Who pays a gross loss: a quota share of `cession_bps`, then a layer above `attachment`, each up to its limit; the rest
/// stays with the pool. The quota share's part is rounded down.
pub fn tower(gross: u64, cession_bps: u16, quota_share_limit: u64, attachment: u64, layer_limit: u64) -> [u64; 3] {
    let part = u128::from(gross) * u128::from(cession_bps) / FULL_BPS;
    let quota_share = (part as u64).min(quota_share_limit);
    let beyond = gross - quota_share;
    let layer = beyond.saturating_sub(attachment).min(layer_limit);
    [quota_share, layer, beyond - layer]
}

/// What a layer costs for its term: `limit x rate on line`, rounded up.
pub fn layer_premium(limit: u64, rate_on_line_bps: u16) -> u64 {
    (u128::from(limit) * u128::from(rate_on_line_bps)).div_ceil(FULL_BPS) as u64
}

/// A premium that is earned by the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The whole premium.
    pub premium: u64,
    /// When it begins to be earned, in unix seconds.
    pub from: i64,
    /// When all of it is earned, in unix seconds.
    pub to: i64,
    /// When it stops to be earned: `to`, unless an incident ends it before.
    pub until: i64,
}

impl Stream {
    /// The rate, with 32 bits of fraction: rounded down to these.
    fn rate_q32(&self) -> u128 {
        (u128::from(self.premium) << 32) / u128::from((self.to - self.from).unsigned_abs())
    }

    /// What a layer's premium becomes when `paid` of its open `limit` is called at a time: it ends in that part. Returns
    /// what that leaves, in streams that are earned to the end of the term, and what goes into the payment: the ended rate
    /// and that premium are rounded down.
    pub fn used(&self, at: i64, paid: u64, limit: u64) -> ([Self; 2], u64) {
        let seconds = u128::from((self.to - at).max(0).unsigned_abs());
        let ended_q32 = self.rate_q32() * u128::from(paid) / u128::from(limit);
        let freed = ((ended_q32 * seconds) >> 32) as u64;
        let left = (((self.rate_q32() - ended_q32) * seconds) >> 32) as u64;
        let before = Self { until: at, ..*self };
        let after = Self { premium: left, from: at, to: self.to, until: self.until };
        ([before, after], freed)
    }

    /// What is earned between two moments, with 32 bits of fraction: the rate is rounded down to these.
    fn earned_q32(&self, from: i64, to: i64) -> u128 {
        let passed = (to.min(self.until) - from.max(self.from)).max(0).unsigned_abs();
        self.rate_q32() * u128::from(passed)
    }

    /// What is not earned at a time, in whole units.
    pub fn unearned(&self, at: i64) -> u64 {
        (self.earned_q32(at, i64::MAX) >> 32) as u64
    }
}

/// What is earned of premiums between two moments, in whole units of all of it.
pub fn earned_between(streams: &[Stream], from: i64, to: i64) -> u64 {
    let earned_q32: u128 = streams.iter().map(|stream| stream.earned_q32(from, to)).sum();
    (earned_q32 >> 32) as u64
}

/// What is earned of premiums until a time.
pub fn earned(streams: &[Stream], at: i64) -> u64 {
    earned_between(streams, i64::MIN, at)
}

/// What a quota share gets of earned premium: its part less the commission. Fractions of a unit are carried from one
/// accrual to the next, so it is rounded down once.
pub fn ceded_premium(earned: u64, cession_bps: u16, commission_bps: u16) -> u64 {
    let part = u128::from(cession_bps) * (FULL_BPS - u128::from(commission_bps));
    (u128::from(earned) * part / (FULL_BPS * FULL_BPS)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::peril::evidence::Direction;

    const HOUR: u32 = 3_600;

    /// Below 1.00 for 6 of at most 7 hours.
    fn terms() -> TermsInput {
        TermsInput {
            direction: Direction::Below,
            threshold: 100,
            recovery: 110,
            severity: Severity::Linear { full_loss_price: 50, min_severity_bps: 500 },
            duration_seconds: 6 * HOUR,
            slot_seconds: HOUR,
            tolerance_seconds: HOUR,
            challenge_seconds: 2 * HOUR,
            run_on_seconds: 0,
            quiet_seconds: 24 * HOUR,
            confidence_multiplier: 200,
        }
    }

    /// One price an hour, from hour 10 on; 0 for an hour without one.
    fn hourly(prices: &[u64]) -> Vec<Print> {
        let at = |hour: usize| i64::from(HOUR) * (hour as i64 + 10) + 60;
        let shown = prices.iter().enumerate().filter(|(_, price)| **price > 0);
        shown.map(|(hour, price)| Print { publish_time: at(hour), price_e8: *price }).collect()
    }

    #[test]
    fn a_window_may_have_as_many_gaps_as_tolerated() {
        let found = condition(&terms(), &hourly(&[90, 80, 0, 90, 80, 90, 80]), 0);
        let event = Event { event_at: 36_000, met_at: 61_200, mean_price_e8: 85, severity_bps: 3_000 };
        assert_eq!(found, Expected { event: Some(event), credited: 6 });
        let found = condition(&terms(), &hourly(&[90, 80, 0, 90, 0, 90, 80, 90]), 0);
        assert_eq!(found, Expected { event: None, credited: 4 });
    }

    #[test]
    fn two_recoveries_break_a_window_and_one_or_two_between_do_not() {
        let with = |price_e8: u64, times: &[i64]| {
            let mut prints = hourly(&[90, 90, 90, 90, 90, 90, 90]);
            let more = times.iter().map(|second| Print { publish_time: i64::from(HOUR) * 12 + second, price_e8 });
            prints.extend(more);
            condition(&terms(), &prints, 0).event.map(|event| event.met_at)
        };
        // The sixth and the seventh good slot end in hours 16 and 17.
        assert_eq!(with(110, &[]), Some(57_600));
        assert_eq!(with(110, &[100]), Some(57_600));
        assert_eq!(with(105, &[100, 460]), Some(61_200));
        assert_eq!(with(110, &[100, 459]), Some(57_600));
        assert_eq!(with(110, &[100, 460]), None);
    }

    #[test]
    fn the_confidence_must_leave_no_doubt() {
        assert!(condition(&terms(), &hourly(&[97; 6]), 1).event.is_some());
        assert!(condition(&terms(), &hourly(&[98; 6]), 1).event.is_none());
    }

    #[test]
    fn a_loss_takes_layers_in_their_order() {
        assert_eq!(layers(25, [10, 20, 30]), [10, 15, 0]);
        assert_eq!(layers(100, [10, 20, 30]), [10, 20, 30]);
    }

    #[test]
    fn a_tower_pays_the_quota_share_then_the_layer_then_the_pool() {
        assert_eq!(tower(1_001, 3_000, 500, 400, 200), [300, 200, 501]);
        assert_eq!(tower(1_001, 3_000, 100, 400, 1_000), [100, 501, 400]);
        assert_eq!(tower(500, 3_000, 500, 400, 200), [150, 0, 350]);
        assert_eq!(layer_premium(1_001, 200), 21);
    }

    #[test]
    fn premium_is_earned_by_the_second_and_ceded_in_part() {
        let streams = [
            Stream { premium: 100, from: 0, to: 100, until: 100 },
            Stream { premium: 10, from: 50, to: 70, until: 70 },
        ];
        assert_eq!([0, 50, 60, 70, 200].map(|at| earned(&streams, at)), [0, 50, 65, 80, 110]);
        assert_eq!([(0, 60), (50, 60), (69, 99)].map(|(from, to)| earned_between(&streams, from, to)), [65, 15, 30]);
        assert_eq!([0, 30, 100].map(|at| streams[0].unearned(at)), [100, 70, 0]);
        // Half of a limit is called when half is earned: a quarter of the premium goes into the payment.
        let (left, freed) = streams[0].used(50, 5, 10);
        assert_eq!((freed, left.map(|stream| earned(&[stream], 100))), (25, [50, 25]));
        assert_eq!(ceded_premium(65, 3_000, 2_000), 15);
        assert_eq!(ceded_premium(100, 3_000, 0), 30);
    }

    #[test]
    fn claims_are_rounded_down_and_their_sum_up() {
        assert_eq!(claim(1_001, 5_000), 500);
        assert_eq!(gross(1_001, 5_000), 501);
        assert_eq!(given_back(1_001, 2_500), 750);
        assert_eq!(payout(500, 255, 510), 250);
        assert_eq!(payout(500, 0, 0), 500);
    }
}
