//! Linear: a proven loss pays by how far the mean price fell, from nothing at the threshold to all at the full-loss
//! price.

use super::FULL_SEVERITY_BPS;

/// `(threshold - mean) / (threshold - full_loss_price)`, between 0 and 1, in basis points rounded down. The mean is
/// that of `count` prices with this sum, all in 1e-8. Nothing where the two prices are the same.
pub fn severity_bps(threshold: u64, full_loss_price: u64, sum: u128, count: u64) -> u16 {
    let times = |price: u64| u128::from(price).saturating_mul(u128::from(count));
    let lost = times(threshold).saturating_sub(sum);
    let full = times(threshold.saturating_sub(full_loss_price));
    lost.saturating_mul(u128::from(FULL_SEVERITY_BPS))
        .checked_div(full)
        .map_or(0, |bps| u16::try_from(bps).map_or(FULL_SEVERITY_BPS, |bps| bps.min(FULL_SEVERITY_BPS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_decides_between_nothing_and_all() {
        // Threshold 100, all at 80: a quarter of the way is 95.
        assert_eq!(severity_bps(100, 80, 100, 1), 0);
        assert_eq!(severity_bps(100, 80, 95 * 4, 4), 2_500);
        assert_eq!(severity_bps(100, 80, 95 * 4 + 1, 4), 2_375);
        assert_eq!(severity_bps(100, 80, 80, 1), 10_000);
        assert_eq!(severity_bps(100, 80, 10, 1), 10_000);
        assert_eq!(severity_bps(100, 100, 10, 1), 0);
        assert_eq!(severity_bps(100, 80, 0, 0), 0);
    }
}
