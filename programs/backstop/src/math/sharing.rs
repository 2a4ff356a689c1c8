//! How earned premium is shared out: by what capital is exposed (`docs/src/how/premium.md`).
//!
//! Required capital is filled from the layers in the order in which they bear losses: surplus, junior, senior. What falls
//! on a layer is exposed. Surplus and junior count with the junior's weight, because a loss takes them first. Capital that
//! is not exposed earns nothing, and takes nothing from what is.

use super::rounding::{BPS, Rounding, div, halves, mul_div, wide};

/// A pool's capital by layer, or what of something falls on each, in asset units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByLayer {
    /// The surplus.
    pub surplus: u64,
    /// The junior tranche, what stays and what is exiting.
    pub junior: u64,
    /// The senior tranche, what stays and what is exiting.
    pub senior: u64,
}

/// Fractions of an asset unit that sharing out leaves, Q64: carried, so that many small amounts are shared out as their
/// sum is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fractions {
    /// Of what is the junior tranche's.
    pub junior_q64: u64,
    /// Of what is the senior tranche's.
    pub senior_q64: u64,
}

/// The part of each layer's capital that required capital takes: surplus first, then junior, then senior. Nothing
/// required: all of it. More required than there is: all of it, too.
pub fn exposed(required: u64, capital: &ByLayer) -> ByLayer {
    if required == 0 {
        return *capital;
    }
    let surplus = required.min(capital.surplus);
    let beyond = required.saturating_sub(surplus);
    let junior = beyond.min(capital.junior);
    let senior = beyond.saturating_sub(junior).min(capital.senior);
    ByLayer { surplus, junior, senior }
}

/// Shares premium out by exposed capital: surplus and junior by `exposed * weight`, senior by `exposed`. All of it to the
/// surplus if nothing is exposed.
///
/// Each tranche's part is exact but for a unit in 2^63, and its fraction is carried; the surplus has the rest. `None` only
/// if `fractions` are not what this function left.
pub fn by_exposure(
    premium: u64,
    exposed: &ByLayer,
    junior_weight_bps: u32,
    fractions: &mut Fractions,
) -> Option<ByLayer> {
    // Sharing out must never stop a pool: a weight that does not fit is as good as all.
    let weighted = |amount| mul_div(amount, junior_weight_bps.into(), BPS, Rounding::Down).unwrap_or(u64::MAX);
    let surplus = if exposed.surplus == 0 { 0 } else { weighted(exposed.surplus) };
    let junior = if exposed.junior == 0 { 0 } else { weighted(exposed.junior) };
    // One after the other, so that the parts never exceed the whole.
    let others = surplus.saturating_add(exposed.senior);
    let for_junior = part(premium, junior, others, &mut fractions.junior_q64)?;
    let rest = premium.checked_sub(for_junior)?;
    let for_senior = part(rest, exposed.senior, surplus, &mut fractions.senior_q64)?;
    Some(ByLayer { surplus: rest.checked_sub(for_senior)?, junior: for_junior, senior: for_senior })
}

/// `amount * own / (own + others)` with the fraction that earlier calls left, Q64: whole units, and the new fraction.
///
/// The ratio is rounded up by less than a unit in 2^64, so that an exact part comes out exact. Nothing if `own` is 0; at
/// most the amount.
pub fn part(amount: u64, own: u64, others: u64, fraction_q64: &mut u64) -> Option<u64> {
    if own == 0 {
        return Some(0);
    }
    if others == 0 {
        return Some(amount);
    }
    let ratio_q64 = div(u128::from(own) << 64, own.saturating_add(others), Rounding::Up)?;
    let ratio_q64 = u64::try_from(ratio_q64).unwrap_or(u64::MAX);
    let due_q64 = wide(amount, ratio_q64).checked_add(u128::from(*fraction_q64))?;
    let (fraction, whole) = halves(due_q64);
    *fraction_q64 = fraction;
    Some(whole)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn layers(surplus: u64, junior: u64, senior: u64) -> ByLayer {
        ByLayer { surplus, junior, senior }
    }

    fn shared(premium: u64, exposed: ByLayer) -> ByLayer {
        by_exposure(premium, &exposed, 20_000, &mut Fractions::default()).unwrap()
    }

    #[test]
    fn required_capital_is_filled_in_the_order_of_losses() {
        let capital = layers(10, 20, 40);
        for (required, filled) in [
            (1, layers(1, 0, 0)),
            (10, layers(10, 0, 0)),
            (11, layers(10, 1, 0)),
            (30, layers(10, 20, 0)),
            (31, layers(10, 20, 1)),
            (70, layers(10, 20, 40)),
            (u64::MAX, layers(10, 20, 40)),
        ] {
            assert_eq!(exposed(required, &capital), filled, "{required}");
        }
        // Nothing is required: all capital counts.
        assert_eq!(exposed(0, &capital), capital);
    }

    #[test]
    fn surplus_and_junior_count_with_the_weight() {
        // 2 x 10, 2 x 20 and 40 of 100.
        assert_eq!(shared(1_000, layers(10, 20, 40)), layers(200, 400, 400));
        assert_eq!(shared(900, layers(0, 50, 50)), layers(0, 600, 300));
        assert_eq!(shared(900, layers(50, 0, 50)), layers(600, 0, 300));
    }

    #[test]
    fn a_layer_alone_has_all_of_it() {
        assert_eq!(shared(7, layers(1, 0, 0)), layers(7, 0, 0));
        assert_eq!(shared(7, layers(0, 1, 0)), layers(0, 7, 0));
        assert_eq!(shared(7, layers(0, 0, 1)), layers(0, 0, 7));
        assert_eq!(shared(7, layers(0, 0, 0)), layers(7, 0, 0));
    }

    #[test]
    fn fractions_are_carried() {
        let mut fractions = Fractions::default();
        let mut sum = layers(0, 0, 0);
        for _ in 0..70 {
            let one = by_exposure(1, &layers(10, 10, 30), 20_000, &mut fractions).unwrap();
            sum = layers(sum.surplus + one.surplus, sum.junior + one.junior, sum.senior + one.senior);
        }
        // 20, 20 and 30 of 70.
        assert_eq!(sum, layers(20, 20, 30));
    }

    #[test]
    fn the_largest_amounts_are_shared_out() {
        let all = layers(u64::MAX, u64::MAX, u64::MAX);
        for fraction in [0, u64::MAX] {
            let mut fractions = Fractions { junior_q64: fraction, senior_q64: fraction };
            let ByLayer { surplus, junior, senior } = by_exposure(u64::MAX, &all, u32::MAX, &mut fractions).unwrap();
            assert_eq!(u128::from(surplus) + u128::from(junior) + u128::from(senior), u128::from(u64::MAX));
        }
    }
}
