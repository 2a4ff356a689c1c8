//! How much capital must stand behind what is covered, and how much of it may leave
//! (`docs/src/how/capital.md`, `exits.md`, `reinsurance.md`).

use super::rounding::{BPS, Rounding, isqrt_up, mul_div, scale, wide};

/// The most that the covers of one pool may pay in total. It keeps `10_000 * exposure^2` below
/// 2^127.
pub const MAX_TOTAL_EXPOSURE: u64 = 100_000_000_000_000_000;

/// The capital that the exposures of the risk groups require, with one correlation between groups:
/// `ceil(sqrt(rho * (sum C)^2 + (1 - rho) * sum C^2))`.
///
/// Rounds up, against whoever wants capital to leave or cover to be sold. Never below the largest
/// group, so that any one of them can fail whole and be paid in full; never above the sum. `None`
/// if `rho_bps` is above 10,000 or the sum above [`MAX_TOTAL_EXPOSURE`]. Loops over the groups.
pub fn required(groups: &[u64], rho_bps: u16) -> Option<u64> {
    let rho = u64::from(rho_bps);
    let independence = BPS.checked_sub(rho)?;
    let mut sum: u64 = 0;
    let mut largest: u64 = 0;
    for &group in groups {
        sum = sum.checked_add(group)?;
        largest = largest.max(group);
    }
    if sum > MAX_TOTAL_EXPOSURE {
        return None;
    }
    if independence == 0 || largest == sum {
        return Some(sum);
    }
    let mut squares: u128 = 0;
    for &group in groups.iter().filter(|&&group| group != 0) {
        squares = squares.checked_add(wide(group, group))?;
    }
    // 10,000 leaves the root as 100: ceil(sqrt(x / 10,000)) = ceil(ceil(sqrt(x)) / 100), without
    // rounding twice.
    let together = scale(wide(sum, sum), rho)?;
    let apart = scale(squares, independence)?;
    let root = isqrt_up(together.checked_add(apart)?);
    Some(u64::try_from(root).ok()?.div_ceil(100))
}

/// `amount * bps / 10_000`, rounded up, against whoever must leave it behind. `None` if it does not
/// fit.
pub fn scale_up(amount: u64, bps: u32) -> Option<u64> {
    mul_div(amount, u64::from(bps), BPS, Rounding::Up)
}

/// What a pool's exposure asks of its capital, with the pool's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Required capital, from [`required`] or, for reinsurance, the sum of open limits.
    pub required: u64,
    /// Everything the pool's live covers, or open limits, could pay.
    pub total_exposure: u64,
    /// Capital to hold for each unit of `required`, in bps (10,000 = all of it).
    pub solvency_bps: u32,
    /// Most exposure for each unit of capital, in bps (50,000 = five times).
    pub max_leverage_bps: u32,
}

impl Requirement {
    /// The least capital with which the pool is solvent:
    /// `max(ceil(required * solvency), ceil(total_exposure / max_leverage))`.
    ///
    /// Rounds up, against whoever wants to leave. `None` if it does not fit or the leverage is 0.
    pub fn must_stay(&self) -> Option<u64> {
        let for_losses = scale_up(self.required, self.solvency_bps)?;
        let leverage = u64::from(self.max_leverage_bps);
        let for_exposure = mul_div(self.total_exposure, BPS, leverage, Rounding::Up)?;
        Some(for_losses.max(for_exposure))
    }

    /// Whether `available` capital makes the pool solvent: `available * 10_000 >= required *
    /// solvency_bps` and `total_exposure * 10_000 <= available * max_leverage_bps`.
    ///
    /// Exact, and the same as `available >= must_stay()` wherever that exists.
    pub fn is_met_by(&self, available: u64) -> bool {
        let ten_thousandfold = wide(available, BPS);
        ten_thousandfold >= wide(self.required, u64::from(self.solvency_bps))
            && wide(self.total_exposure, BPS) <= wide(available, u64::from(self.max_leverage_bps))
    }
}

/// What a quota share counts as capital of the cedant:
/// `min(limit_left, floor(cession * required), floor(max_credit * required))`.
///
/// Rounds down, against the cedant. Total: what would not fit is above the limit.
pub fn quota_share_credit(limit_left: u64, cession_bps: u16, required: u64, max_credit_bps: u16) -> u64 {
    let share = u64::from(cession_bps.min(max_credit_bps));
    mul_div(required, share, BPS, Rounding::Down).map_or(limit_left, |credit| credit.min(limit_left))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn requirement(required: u64, total_exposure: u64) -> Requirement {
        Requirement { required, total_exposure, solvency_bps: 12_000, max_leverage_bps: 40_000 }
    }

    #[test]
    fn independent_groups_need_the_root_of_their_squares() {
        assert_eq!(required(&[3, 4], 0), Some(5));
        assert_eq!(required(&[30, 40, 0, 120], 0), Some(130));
        assert_eq!(required(&[1, 1], 0), Some(2)); // 1.41
    }

    #[test]
    fn full_correlation_needs_the_sum() {
        assert_eq!(required(&[3, 4], 10_000), Some(7));
        assert_eq!(required(&[MAX_TOTAL_EXPOSURE], 10_000), Some(MAX_TOTAL_EXPOSURE));
    }

    #[test]
    fn correlation_lies_between() {
        // 0.25 * 200^2 + 0.75 * 2 * 100^2 = 25,000, whose root is 158.1
        assert_eq!(required(&[100, 100], 2_500), Some(159));
        // 0.5 * 14^2 + 0.5 * (64 + 36) = 148, whose root is 12.2
        assert_eq!(required(&[8, 6], 5_000), Some(13));
        // 0.1 * 70^2 + 0.9 * 2,500 = 2,740; 52.3
        assert_eq!(required(&[30, 40], 1_000), Some(53));
    }

    #[test]
    fn one_group_needs_itself_whatever_the_correlation() {
        assert_eq!(required(&[0, 12_345, 0], 3_333), Some(12_345));
        assert_eq!(required(&[], 3_333), Some(0));
        assert_eq!(required(&[0; 16], 0), Some(0));
    }

    #[test]
    fn the_largest_exposure_fits_and_the_next_is_refused() {
        let sixteenth = MAX_TOTAL_EXPOSURE / 16;
        assert_eq!(required(&[sixteenth; 16], 0), Some(MAX_TOTAL_EXPOSURE / 4));
        // sqrt(0.9999 + 0.0001 / 16) of the sum
        assert_eq!(required(&[sixteenth; 16], 9_999), Some(99_995_312_390_131_569));
        assert_eq!(required(&[MAX_TOTAL_EXPOSURE, 1], 0), None);
        assert_eq!(required(&[u64::MAX, 1], 0), None);
        assert_eq!(required(&[1], 10_001), None);
    }

    #[test]
    fn what_must_stay_is_the_stricter_of_solvency_and_leverage() {
        assert_eq!(requirement(100, 400).must_stay(), Some(120));
        assert_eq!(requirement(100, 481).must_stay(), Some(121)); // 120.25
        assert_eq!(requirement(1, 1).must_stay(), Some(2)); // 1.2
        assert_eq!(requirement(0, 0).must_stay(), Some(0));
        let no_leverage = Requirement { max_leverage_bps: 0, ..requirement(1, 1) };
        assert_eq!(no_leverage.must_stay(), None);
        assert!(!no_leverage.is_met_by(u64::MAX));
        let huge = Requirement { solvency_bps: u32::MAX, ..requirement(u64::MAX, 1) };
        assert_eq!(huge.must_stay(), None);
    }

    #[test]
    fn solvency_is_having_what_must_stay() {
        assert!(requirement(100, 481).is_met_by(121));
        assert!(!requirement(100, 481).is_met_by(120));
        assert!(requirement(0, 0).is_met_by(0));
    }

    #[test]
    fn credit_is_bounded_by_limit_cession_and_terms() {
        assert_eq!(quota_share_credit(1_000, 3_000, 999, 5_000), 299); // 299.7
        assert_eq!(quota_share_credit(1_000, 6_000, 999, 5_000), 499); // 499.5
        assert_eq!(quota_share_credit(100, 6_000, 999, 5_000), 100);
        assert_eq!(quota_share_credit(100, 0, 999, 5_000), 0);
        assert_eq!(quota_share_credit(7, u16::MAX, u64::MAX, u16::MAX), 7);
    }
}
