//! Claims on a pot: the shares of a tranche on its assets, the exit units of a tranche on what is
//! exiting.
//!
//! Both follow the same pair of formulas (`docs/src/how/capital.md`, `exits.md`). A virtual position of
//! [`VIRTUAL_SHARES`] claims on 1 unit of the asset takes part in every pot, so that a pot starts
//! at a price, and whoever inflates the price of a nearly empty one pays most of it to nobody.

use super::rounding::{Rounding, mul_div, wide};

/// The virtual claims in every pot, V. One claim starts at a price of 1 / V units of the asset,
/// which is why the share mint has three decimals more than the asset.
pub const VIRTUAL_SHARES: u64 = 1_000;

/// The claims that `amount` buys in a pot of `assets` on which there are `claims`:
/// `floor(amount * (claims + V) / (assets + 1))`. Shares for a deposit; units for an exit request.
///
/// Rounds down, against the buyer. `None` if the new total would leave no room for V in 64 bits, so
/// that [`worth`] holds for every total there can be, or if `assets` is `u64::MAX`.
pub fn issue(amount: u64, claims: u64, assets: u64) -> Option<u64> {
    let all = claims.checked_add(VIRTUAL_SHARES)?;
    let issued = mul_div(amount, all, assets.checked_add(1)?, Rounding::Down)?;
    all.checked_add(issued)?;
    Some(issued)
}

/// What `part` of the `claims` on a pot of `assets` is worth:
/// `floor(part * (assets + 1) / (claims + V))`. The value of shares; the value of exit units.
///
/// Rounds down, against whoever leaves. Never more than `assets`, and never `None`, for
/// `part <= claims`.
pub fn worth(part: u64, claims: u64, assets: u64) -> Option<u64> {
    if let (Some(all), Some(pot)) = (claims.checked_add(VIRTUAL_SHARES), assets.checked_add(1)) {
        return mul_div(part, pot, all, Rounding::Down);
    }
    // At the edge of 64 bits: `part * assets + part` is at most (2^64 - 1) * 2^64.
    let product = wide(part, assets).checked_add(u128::from(part))?;
    let all = u128::from(claims).checked_add(u128::from(VIRTUAL_SHARES))?;
    u64::try_from(product.checked_div(all)?).ok()
}

/// Whether the price of claims has fallen below 1 % of its start, which was lowered tenfold so often. Exact. A tranche is
/// wiped out if that of its shares or that of its exit units has (`docs/src/how/capital.md`). Never where there are no
/// claims.
pub fn is_wiped_out(claims: u64, assets: u64, lowered: u8) -> bool {
    is_below_start(claims, assets, 100, lowered)
}

/// Whether the price of claims has fallen below 10 % of its start, which was lowered tenfold so often. Exact. The start of
/// a tranche of which that of the shares or that of the exit units has is lowered before it takes a deposit. Never where
/// there are no claims.
pub fn is_in_ruin(claims: u64, assets: u64, lowered: u8) -> bool {
    is_below_start(claims, assets, 10, lowered)
}

/// Whether `(assets + 1) / (claims + V) < 1 / (part V 10^lowered)`.
#[inline(always)]
fn is_below_start(claims: u64, assets: u64, part: u64, lowered: u8) -> bool {
    if claims == 0 {
        return false;
    }
    let mut fall = VIRTUAL_SHARES.saturating_mul(part);
    if lowered > 0 {
        fall = fall.saturating_mul(10u64.saturating_pow(lowered.into()));
    }
    // Mostly without a wide product: claims below `assets * fall` leave room for V in one more `fall`.
    if claims.checked_div(fall).is_some_and(|least| least < assets) {
        return false;
    }
    let pot = wide(assets, fall).saturating_add(u128::from(fall));
    pot < u128::from(claims).saturating_add(u128::from(VIRTUAL_SHARES))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_pot_starts_at_a_thousand_claims_a_unit() {
        assert_eq!(issue(5, 0, 0), Some(5_000));
        assert_eq!(worth(5_000, 5_000, 5), Some(5));
    }

    #[test]
    fn earnings_make_claims_dearer() {
        // 100 units in, 100 earned: 201 / 101,000 a claim.
        assert_eq!(issue(50, 100_000, 200), Some(25_124)); // 50 * 101,000 / 201 = 25,124.3
        assert_eq!(worth(25_124, 125_124, 250), Some(49)); // 25,124 * 251 / 126,124 = 49.9994
        assert_eq!(worth(100_000, 100_000, 200), Some(199)); // 100,000 * 201 / 101,000 = 199.0
    }

    #[test]
    fn a_donation_before_the_first_deposit_costs_the_giver() {
        // 1 unit deposited, a million given: the next deposit of a million still buys 999 claims.
        let assets = 1_000_001;
        assert_eq!(issue(1_000_000, 1_000, assets), Some(1_999)); // 1,000,000 * 2,000 / 1,000,002
        assert_eq!(worth(1_000, 1_000, assets), Some(500_001)); // half is the virtual position's
    }

    #[test]
    fn nothing_is_worth_nothing_and_buys_nothing() {
        assert_eq!(issue(0, 7, 7), Some(0));
        assert_eq!(worth(0, 0, 0), Some(0));
        assert_eq!(worth(10, 10, 0), Some(0)); // 10 / 1,010
    }

    #[test]
    fn a_total_without_room_for_the_virtual_position_is_refused() {
        let last = u64::MAX - VIRTUAL_SHARES;
        assert_eq!(issue(1, last - 1, last - 1), Some(1)); // 1 * (last + 999) / last
        assert_eq!(issue(1, last, last), None);
        assert_eq!(issue(1, last + 1, 1), None);
        assert_eq!(issue(1, 0, u64::MAX), None);
        assert_eq!(issue(u64::MAX, u64::MAX, 0), None);
    }

    #[test]
    fn all_claims_are_worth_no_more_than_the_pot_at_any_size() {
        for claims in [0, 1, u64::MAX - 1_000, u64::MAX - 999, u64::MAX] {
            for assets in [0, 1, u64::MAX - 1, u64::MAX] {
                assert!(worth(claims, claims, assets).unwrap() <= assets);
            }
        }
        assert_eq!(worth(u64::MAX, 0, u64::MAX), None);
    }

    #[test]
    fn wiped_out_is_below_one_percent_of_the_start() {
        assert!(!is_wiped_out(0, 0, 0));
        // 1,000 units for 1,000,000 claims; 1 % of the start is (assets + 1) * 100,000 = 1,001,000.
        assert!(!is_wiped_out(1_000_000, 10, 0));
        assert!(is_wiped_out(1_000_000, 9, 0));
        // Exactly 1 %: 10 * 100,000 = 999,000 + 1,000.
        assert!(!is_wiped_out(999_000, 9, 0));
        assert!(is_wiped_out(999_001, 9, 0));
        assert!(!is_wiped_out(u64::MAX, u64::MAX, 0));
        assert!(is_wiped_out(u64::MAX, 0, 0));
    }

    #[test]
    fn in_ruin_is_below_ten_percent_of_the_start() {
        assert!(!is_in_ruin(0, 0, 0));
        // Exactly 10 %: (99 + 1) * 10,000 = 999,000 + 1,000.
        assert!(!is_in_ruin(999_000, 99, 0));
        assert!(is_in_ruin(999_001, 99, 0));
        assert!(is_in_ruin(999_000, 98, 0));
        assert!(!is_in_ruin(u64::MAX, u64::MAX, 0));
    }

    #[test]
    fn a_start_that_was_lowered_is_a_tenth_as_much() {
        // In ruin at the start, (98 + 1) * 10,000 < 1,000,000; ten times above ruin once that is lowered.
        assert!(is_in_ruin(999_000, 98, 0) && !is_in_ruin(999_000, 98, 1));
        // (9 + 1) * 100,000 = 999,000 + 1,000: a unit less is in ruin again, and (0 + 1) * 1,000,000 is not wiped out.
        assert!(!is_in_ruin(999_000, 9, 1) && is_in_ruin(999_000, 8, 1));
        assert!(is_wiped_out(999_000, 8, 0) && !is_wiped_out(999_000, 0, 1) && is_wiped_out(999_001, 0, 1));
        assert!(is_wiped_out(u64::MAX, 0, 3) && !is_wiped_out(u64::MAX, u64::MAX, 3));
    }
}
