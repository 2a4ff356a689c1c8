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

/// The reserve of one incident of a funding round: `min(net, floor(capital * net / round_net))`.
///
/// Rounds down, against the incident, so that the reserves of a round never exceed the capital it
/// began with. `None` if the incident's net loss exceeds the round's, of which it is a part.
pub fn reserve(net: u64, capital: u64, round_net: u64) -> Option<u64> {
    if net > round_net {
        return None;
    }
    if capital >= round_net {
        return Some(net);
    }
    mul_div(capital, net, round_net, Rounding::Down)
}

/// What an incident owes in full: `ceil(eligible_sums * severity / 10_000)`.
///
/// Rounds up, so that no rounding of the parts lets them sum to more, and payouts at `reserve /
/// gross` never exceed the reserve. `None` if the severity is above 10,000 bps.
pub fn gross(eligible_sums: u64, severity_bps: u16) -> Option<u64> {
    share(eligible_sums, severity_bps, Rounding::Up)
}

/// What an eligible cover is paid: its claim `floor(sum_insured * severity / 10_000)`, in the
/// incident's ratio `min(1, reserve / gross)`.
///
/// Rounds down at both steps, against the holder, by less than 2 units in all. `None` if the
/// severity is above 10,000 bps.
pub fn payout(sum_insured: u64, severity_bps: u16, reserve: u64, gross: u64) -> Option<u64> {
    in_ratio(share(sum_insured, severity_bps, Rounding::Down)?, reserve, gross)
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

/// The ratio is kept as the two amounts that make it, exact, and one 64-bit division when they are
/// small.
fn in_ratio(claim: u64, reserve: u64, gross: u64) -> Option<u64> {
    if reserve >= gross {
        return Some(claim);
    }
    mul_div(claim, reserve, gross, Rounding::Down)
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
    fn a_round_shares_what_there_is() {
        assert_eq!(reserve(30, 100, 90), Some(30));
        assert_eq!(reserve(30, 50, 90), Some(16)); // 16.7
        assert_eq!(reserve(60, 50, 90), Some(33)); // 33.3
        assert_eq!(reserve(30, 0, 90), Some(0));
        assert_eq!(reserve(0, 0, 0), Some(0));
        assert_eq!(reserve(31, 100, 30), None);
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
    fn payouts_follow_severity_and_ratio() {
        assert_eq!(payout(1_000, 10_000, 700, 700), Some(1_000));
        assert_eq!(payout(1_000, 2_500, 700, 700), Some(250));
        assert_eq!(payout(1_000, 2_500, 350, 700), Some(125));
        assert_eq!(payout(999, 2_500, 350, 700), Some(124)); // 249.75 -> 249 -> 124.5
        assert_eq!(payout(1_000, 10_000, 0, 700), Some(0));
        assert_eq!(payout(1_000, 10_001, 1, 1), None);
    }

    #[test]
    fn what_was_not_lost_of_the_premium_is_given_back() {
        assert_eq!(refund(1_001, 0), Some(1_001));
        assert_eq!(refund(1_001, 2_500), Some(750)); // 750.75
        assert_eq!(refund(1_001, 10_000), Some(0));
        assert_eq!(refund(u64::MAX, 0), Some(u64::MAX));
        assert_eq!(refund(1, 10_001), None);
    }

    #[test]
    fn an_incident_that_owes_nothing_has_ratio_one() {
        assert_eq!(payout(1_000, 10_000, 0, 0), Some(1_000));
    }

    #[test]
    fn a_full_reserve_pays_everybody_in_full() {
        let gross = gross(2_001, 3_333).unwrap(); // 666.9
        assert_eq!(gross, 667);
        assert_eq!(payout(2_001, 3_333, gross, gross), Some(666));
    }
}
