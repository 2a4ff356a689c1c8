//! The exit queue: what one payment to an epoch pays and closes (`docs/src/how/exits.md`).
//!
//! An epoch holds tickets of both tranches, as units of the tranche's exiting value. A *fill* pays
//! a part of what the epoch's open units are worth, in one ratio for both tranches. Instead of
//! visiting tickets it notes two numbers that hold for all of them: the amount paid per unit, and
//! the part that is still open. So every ticket gets the same per unit, whoever claims first.

use super::rounding::{Rounding, div, halves, mul_div, wide};
use super::shares::worth;

/// The open part of an epoch of which nothing was paid yet, Q63.
pub const ALL_OPEN_Q63: u64 = 1 << 63;

/// What is exiting of one tranche, over all epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Open units of all epochs.
    pub units: u64,
    /// Value that they share, in units of the asset.
    pub exiting: u64,
}

/// The effect of one fill. Arrays are by tranche.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Amount that leaves the tranche's exiting value for the exit reserves.
    pub paid: [u64; 2],
    /// Units that leave the tranche's queue.
    pub closed_units: [u64; 2],
    /// Part of the epoch that is open from now on, Q63. The epoch is filled when it is 0.
    pub open_q63_after: u64,
    /// What each unit of the epoch was paid now, Q64 units of the asset; adds to what it was paid
    /// before.
    pub paid_per_unit_q64_delta: [u128; 2],
}

/// The open ones of a ticket's or an epoch's original units: `floor(units * open)`.
///
/// Rounds down, against the holder: the tickets of an epoch never have more open units than the
/// epoch. `None` if `open_q63` is above [`ALL_OPEN_Q63`].
pub fn open_units(units: u64, open_q63: u64) -> Option<u64> {
    match open_q63 {
        0 => Some(0),
        ALL_OPEN_Q63 => Some(units),
        part if part < ALL_OPEN_Q63 => u64::try_from(wide(units, part) >> 63).ok(),
        _ => None,
    }
}

/// What a ticket of `units` was paid in all, claimed or not: `floor(units * paid_per_unit)`.
///
/// Rounds down, against whoever claims: the claims on an epoch never exceed what was paid to it.
/// `None` if it does not fit.
pub fn claimable(units: u64, paid_per_unit_q64: u128) -> Option<u64> {
    let (fraction, whole) = halves(paid_per_unit_q64);
    let (_, of_fraction) = halves(wide(units, fraction));
    units.checked_mul(whole)?.checked_add(of_fraction)
}

/// Pays an epoch as much as `free` capital allows: `min(1, free / value)` of the value of its open
/// units.
///
/// `units` are the original units of the epoch's tickets, `queues` the tranches they are part of,
/// both by tranche. With enough free capital the fill pays `value` and closes everything. Otherwise
///
/// - `open_after = floor(open * (value - free) / value)`, and what that leaves of the open units closes;
/// - each tranche is paid `floor(value_t * free / value)`, but no more than the units it closes are worth;
/// - if that pays nothing to anyone, nothing closes either.
///
/// Rounds down, against those who leave: a payment never exceeds `free` nor the tranche's exiting
/// value, and the value of a unit that stays in a queue never falls. Every fill of `free >= 4`
/// makes progress. `None` if `open_q63` is above [`ALL_OPEN_Q63`], if an epoch has more open units
/// than its tranche, or if the values do not fit.
pub fn fill(open_q63: u64, units: [u64; 2], queues: [Queue; 2], free: u64) -> Option<Fill> {
    let junior = Part::of(open_q63, units[0], queues[0])?;
    let senior = Part::of(open_q63, units[1], queues[1])?;
    let value = junior.value.checked_add(senior.value)?;

    if value <= free {
        return Some(Fill {
            paid: [junior.value, senior.value],
            closed_units: [junior.open, senior.open],
            open_q63_after: 0,
            paid_per_unit_q64_delta: [per_unit_q64(junior.value, units[0])?, per_unit_q64(senior.value, units[1])?],
        });
    }

    // Here `free < value`: no division by zero, and the open part falls unless `free` is 0.
    let open_q63_after = mul_div(open_q63, value.saturating_sub(free), value, Rounding::Down)?;
    let (paid_junior, closed_junior) = junior.partly(open_q63_after, free, value)?;
    let (paid_senior, closed_senior) = senior.partly(open_q63_after, free, value)?;
    if paid_junior == 0 && paid_senior == 0 {
        return Some(Fill {
            paid: [0; 2],
            closed_units: [0; 2],
            open_q63_after: open_q63,
            paid_per_unit_q64_delta: [0; 2],
        });
    }
    Some(Fill {
        paid: [paid_junior, paid_senior],
        closed_units: [closed_junior, closed_senior],
        open_q63_after,
        paid_per_unit_q64_delta: [per_unit_q64(paid_junior, units[0])?, per_unit_q64(paid_senior, units[1])?],
    })
}

/// The part of an epoch that is of one tranche.
struct Part {
    units: u64,
    open: u64,
    value: u64,
    queue: Queue,
}

impl Part {
    fn of(open_q63: u64, units: u64, queue: Queue) -> Option<Self> {
        let open = open_units(units, open_q63)?;
        if open > queue.units {
            return None;
        }
        let value = worth(open, queue.units, queue.exiting)?;
        Some(Self { units, open, value, queue })
    }

    /// Paid and closed by a fill that leaves `open_q63_after` open.
    fn partly(&self, open_q63_after: u64, free: u64, value: u64) -> Option<(u64, u64)> {
        let closed = self.open.checked_sub(open_units(self.units, open_q63_after)?)?;
        let share = mul_div(self.value, free, value, Rounding::Down)?;
        // Whole units close, so by up to one unit fewer than were paid for: the others must not pay
        // for that.
        let closed_value = worth(closed, self.queue.units, self.queue.exiting)?;
        Some((share.min(closed_value), closed))
    }
}

/// `floor(paid / units)` in Q64: rounds down, so that the claims on `paid` never exceed it.
fn per_unit_q64(paid: u64, units: u64) -> Option<u128> {
    if paid == 0 {
        return Some(0);
    }
    div(u128::from(paid) << 64, units, Rounding::Down)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const NONE: Queue = Queue { units: 0, exiting: 0 };

    fn queue(units: u64, exiting: u64) -> Queue {
        Queue { units, exiting }
    }

    #[test]
    fn with_enough_free_capital_everything_is_paid() {
        // 1,000 of value for 1,000,000 units each.
        let queues = [queue(1_000_000, 1_000); 2];
        let fill = fill(ALL_OPEN_Q63, [400_000, 1_000_000], queues, 5_000).unwrap();
        assert_eq!(fill.paid, [400, 1_000]);
        assert_eq!(fill.closed_units, [400_000, 1_000_000]);
        assert_eq!(fill.open_q63_after, 0);
        // A thousandth is no binary fraction: the amount per unit is just below it, and so are the
        // claims.
        assert_eq!(claimable(100_000, fill.paid_per_unit_q64_delta[0]), Some(99));
        assert_eq!(claimable(1_000_000, fill.paid_per_unit_q64_delta[1]), Some(999));
    }

    #[test]
    fn with_too_little_both_tranches_get_one_ratio() {
        let queues = [queue(1_000_000, 1_000), queue(2_000_000, 2_000)];
        let fill = fill(ALL_OPEN_Q63, [1_000_000, 2_000_000], queues, 1_500).unwrap();
        assert_eq!(fill.paid, [500, 1_000]);
        assert_eq!(fill.closed_units, [500_000, 1_000_000]);
        assert_eq!(fill.open_q63_after, ALL_OPEN_Q63 / 2);
        assert_eq!(open_units(7, fill.open_q63_after), Some(3));
    }

    #[test]
    fn an_epoch_can_be_filled_in_steps() {
        let mut queues = [queue(1_000_000, 1_000), NONE];
        let (mut open, mut per_unit, mut paid) = (ALL_OPEN_Q63, 0, 0);
        for free in [100, 0, 300, 1, 10_000] {
            let step = fill(open, [1_000_000, 0], queues, free).unwrap();
            queues[0].units -= step.closed_units[0];
            queues[0].exiting -= step.paid[0];
            open = step.open_q63_after;
            per_unit += step.paid_per_unit_q64_delta[0];
            paid += step.paid[0];
        }
        assert_eq!((open, queues[0].units), (0, 0));
        assert!((998..=1_000).contains(&paid), "{paid}");
        assert!(claimable(500_000, per_unit).unwrap() * 2 <= paid);
    }

    #[test]
    fn without_free_capital_nothing_happens() {
        let still =
            Fill { paid: [0; 2], closed_units: [0; 2], open_q63_after: ALL_OPEN_Q63, paid_per_unit_q64_delta: [0; 2] };
        let queues = [queue(1_000_000, 1_000); 2];
        assert_eq!(fill(ALL_OPEN_Q63, [1_000_000; 2], queues, 0), Some(still));
        // One unit cannot be split between two: it closes nothing unpaid.
        assert_eq!(fill(ALL_OPEN_Q63, [1_000_000; 2], queues, 1), Some(still));
    }

    #[test]
    fn an_epoch_worth_nothing_is_filled_for_nothing() {
        let wiped_out = queue(1_000_000, 0);
        let fill_for_nothing = fill(ALL_OPEN_Q63, [1_000_000, 0], [wiped_out, NONE], 0).unwrap();
        assert_eq!(fill_for_nothing.paid, [0, 0]);
        assert_eq!(fill_for_nothing.closed_units, [1_000_000, 0]);
        assert_eq!(fill_for_nothing.open_q63_after, 0);
        let empty = fill(ALL_OPEN_Q63, [0, 0], [NONE, NONE], 7).unwrap();
        assert_eq!((empty.paid, empty.open_q63_after), ([0, 0], 0));
        let over = fill(0, [9, 9], [queue(5_000, 5); 2], 7).unwrap();
        assert_eq!((over.paid, over.closed_units, over.open_q63_after), ([0, 0], [0, 0], 0));
    }

    #[test]
    fn the_largest_amounts_fit() {
        let all = queue(u64::MAX, u64::MAX);
        let whole = fill(ALL_OPEN_Q63, [u64::MAX, 0], [all, NONE], u64::MAX).unwrap();
        assert_eq!(whole.closed_units, [u64::MAX, 0]);
        // x (x - 1) / (x + 999) = x - 1,000 and a bit, for x = 2^64.
        assert_eq!(whole.paid, [u64::MAX - 999, 0]);
        let one = fill(ALL_OPEN_Q63, [1, 0], [queue(1, u64::MAX), NONE], u64::MAX).unwrap();
        assert_eq!(claimable(1, one.paid_per_unit_q64_delta[0]), Some(one.paid[0]));
        assert_eq!(fill(ALL_OPEN_Q63, [u64::MAX; 2], [all; 2], 5), None); // values do not add up
    }

    #[test]
    fn wrong_books_are_refused() {
        assert_eq!(fill(ALL_OPEN_Q63 + 1, [1, 1], [queue(1, 1); 2], 1), None);
        assert_eq!(fill(ALL_OPEN_Q63, [2, 0], [queue(1, 1); 2], 1), None);
        assert_eq!(open_units(1, u64::MAX), None);
        assert_eq!(claimable(2, u128::MAX), None);
        assert_eq!(claimable(0, u128::MAX), Some(0));
    }
}
