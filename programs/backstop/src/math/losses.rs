//! Who bears a loss, and what an incident pays (`docs/src/how/capital.md`, `incidents.md`).

use super::rounding::{BPS, Rounding, mul_div};

/// A pool's capital in the order in which it bears losses, or what a loss takes from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Protocol-owned, first.
    pub surplus: u64,
    /// Of the junior tranche, second, with the next.
    pub junior_assets: u64,
    /// Of junior holders who asked to leave.
    pub junior_exiting: u64,
    /// Of the senior tranche, last, with the next.
    pub senior_assets: u64,
    /// Of senior holders who asked to leave.
    pub senior_exiting: u64,
}

impl Layers {
    /// The sum of all layers. `None` if it does not fit.
    pub fn capital(&self) -> Option<u64> {
        self.surplus
            .checked_add(self.junior_assets)?
            .checked_add(self.junior_exiting)?
            .checked_add(self.senior_assets)?
            .checked_add(self.senior_exiting)
    }
}

/// What a loss takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossSplit {
    /// From each layer, never more than is in it.
    pub taken: Layers,
    /// From all of them: exactly the loss, or all the capital if the loss is larger.
    pub total: u64,
}

/// Spreads a loss over the layers: surplus, then junior, then senior.
///
/// Within a tranche it falls on `assets` and `exiting` in proportion; the share of `exiting` is
/// rounded up, against those who asked to leave, so that to leave is never to escape a unit of
/// loss. `None` if the assets and exiting value of a tranche do not fit together.
pub fn absorb(loss: u64, layers: &Layers) -> Option<LossSplit> {
    let surplus = loss.min(layers.surplus);
    let beyond = loss.saturating_sub(surplus);
    let (junior_assets, junior_exiting) = from_tranche(beyond, layers.junior_assets, layers.junior_exiting)?;
    // What a tranche gave is at most what was asked of it, so none of these falls below 0.
    let beyond = beyond.saturating_sub(junior_assets).saturating_sub(junior_exiting);
    let (senior_assets, senior_exiting) = from_tranche(beyond, layers.senior_assets, layers.senior_exiting)?;
    let beyond = beyond.saturating_sub(senior_assets).saturating_sub(senior_exiting);
    Some(LossSplit {
        taken: Layers { surplus, junior_assets, junior_exiting, senior_assets, senior_exiting },
        total: loss.saturating_sub(beyond),
    })
}

fn from_tranche(loss: u64, assets: u64, exiting: u64) -> Option<(u64, u64)> {
    let capital = assets.checked_add(exiting)?;
    if loss >= capital {
        return Some((assets, exiting));
    }
    if exiting == 0 {
        return Some((loss, 0));
    }
    // loss < capital, so the share is at most `exiting`, and the rest at most `assets`.
    let share = mul_div(loss, exiting, capital, Rounding::Up)?;
    Some((loss.checked_sub(share)?, share))
}

/// What an incident owes in full: `ceil(eligible_sums * severity / 10_000)`.
///
/// Rounds up, so that no rounding of the parts lets them sum to more, and payouts at `reserve /
/// gross` never exceed the reserve. `None` if the severity is above 10,000 bps.
pub fn gross(eligible_sums: u64, severity_bps: u16) -> Option<u64> {
    share(eligible_sums, severity_bps, Rounding::Up)
}

/// What a cover in force is due at a severity: `floor(sum_insured * severity / 10_000)`.
///
/// Rounds down, against the holder; a full reserve pays at least this. `None` if the severity is above 10,000 bps.
pub fn claim(sum_insured: u64, severity_bps: u16) -> Option<u64> {
    share(sum_insured, severity_bps, Rounding::Down)
}

/// What a cover in force is paid of its incident's reserve: `floor(sum_insured * reserve / sums)`, `sums` being all sums
/// insured in force.
///
/// Rounds down, against the holder, so that the payouts never exceed the reserve; by less than a unit of what a full
/// reserve pays. `None` if the sum is not a part of the sums.
pub fn payout(sum_insured: u64, reserve: u64, sums: u64) -> Option<u64> {
    if sum_insured > sums {
        return None;
    }
    mul_div(sum_insured, reserve, sums, Rounding::Down)
}

/// What of a cover's unearned premium is given back beside its claim: `floor(unearned * (10_000 -
/// severity) / 10_000)`. What is insured no longer is the part that was not lost.
///
/// Rounds down, against the holder, so that the refunds of many are at most that of their sum.
/// `None` if the severity is above 10,000 bps.
pub fn refund(unearned: u64, severity_bps: u16) -> Option<u64> {
    let left = BPS.checked_sub(u64::from(severity_bps))?;
    mul_div(unearned, left, BPS, Rounding::Down)
}

fn share(amount: u64, bps: u16, rounding: Rounding) -> Option<u64> {
    let bps = u64::from(bps);
    if bps == BPS {
        return Some(amount);
    }
    if bps > BPS {
        return None;
    }
    mul_div(amount, bps, BPS, rounding)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LAYERS: Layers =
        Layers { surplus: 10, junior_assets: 60, junior_exiting: 30, senior_assets: 500, senior_exiting: 400 };

    #[test]
    fn surplus_pays_first_then_junior_then_senior() {
        let split = absorb(7, &LAYERS).unwrap();
        assert_eq!(split, LossSplit { taken: Layers { surplus: 7, ..Layers::default() }, total: 7 });

        let split = absorb(40, &LAYERS).unwrap();
        let taken = Layers { surplus: 10, junior_assets: 20, junior_exiting: 10, ..Layers::default() };
        assert_eq!(split, LossSplit { taken, total: 40 });

        let split = absorb(109, &LAYERS).unwrap();
        let taken = Layers { senior_assets: 5, senior_exiting: 4, ..LAYERS };
        assert_eq!(split, LossSplit { taken, total: 109 });
    }

    #[test]
    fn within_a_tranche_the_odd_unit_falls_on_those_who_leave() {
        let split = absorb(11, &LAYERS).unwrap();
        assert_eq!((split.taken.junior_assets, split.taken.junior_exiting), (0, 1));
        let split = absorb(12, &LAYERS).unwrap();
        assert_eq!((split.taken.junior_assets, split.taken.junior_exiting), (1, 1));
    }

    #[test]
    fn a_loss_takes_no_more_than_there_is() {
        let split = absorb(u64::MAX, &LAYERS).unwrap();
        assert_eq!(split, LossSplit { taken: LAYERS, total: 1_000 });
        assert_eq!(absorb(0, &LAYERS), Some(LossSplit::default()));
        assert_eq!(absorb(5, &Layers::default()), Some(LossSplit::default()));
        assert_eq!(LAYERS.capital(), Some(1_000));
        let too_much = Layers { junior_assets: u64::MAX, ..LAYERS };
        assert_eq!(absorb(5, &too_much), None);
        assert_eq!(too_much.capital(), None);
    }

    #[test]
    fn gross_is_what_the_covers_can_claim_rounded_up() {
        assert_eq!(gross(1_001, 5_000), Some(501)); // 500.5
        assert_eq!(gross(1_001, 10_000), Some(1_001));
        assert_eq!(gross(1_001, 0), Some(0));
        assert_eq!(gross(u64::MAX, 10_000), Some(u64::MAX));
        assert_eq!(gross(1, 10_001), None);
    }

    #[test]
    fn payouts_are_parts_of_the_reserve_by_sum_insured() {
        assert_eq!(payout(1_000, 700, 1_000), Some(700));
        assert_eq!(payout(1_000, 500, 2_001), Some(249)); // 249.9
        assert_eq!(payout(1_001, 500, 2_001), Some(250)); // 250.1
        assert_eq!(payout(1_000, 0, 2_000), Some(0));
        assert_eq!(payout(u64::MAX, u64::MAX, u64::MAX), Some(u64::MAX));
        assert_eq!(payout(2, 1, 1), None);
    }

    #[test]
    fn a_refund_is_the_part_that_was_not_lost() {
        assert_eq!(refund(101, 2_500), Some(75)); // 75.75
        assert_eq!(refund(101, 10_000), Some(0));
        assert_eq!(refund(101, 10_001), None);
    }

    #[test]
    fn a_full_reserve_pays_everybody_at_least_his_part_in_full() {
        let gross = gross(2_001, 3_333).unwrap(); // 666.9 -> 667
        assert_eq!(gross, 667);
        assert_eq!(payout(2_001, gross, 2_001), Some(667));
        assert_eq!([700, 1_301].map(|sum| payout(sum, gross, 2_001).unwrap()), [233, 433]); // 233.3, 433.6
    }
}
