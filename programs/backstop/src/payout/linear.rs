//! Linear: a proven loss pays by how far the mean price went beyond the threshold, from nothing there to all at the
//! full-loss price, and at least a fixed part.

use super::FULL_SEVERITY_BPS;
use crate::math::rounding::{Rounding, div, wide};

/// `max(min_severity_bps, (threshold - mean) / (threshold - full_loss_price))` in basis points, rounded down, at most
/// all. Prices in 1e-8. The full-loss price says on which side the loss is: above the threshold both differences are
/// negative. The least part where the two prices are the same.
pub fn severity_bps(threshold: u64, full_loss_price: u64, min_severity_bps: u16, mean: u64) -> u16 {
    let beyond =
        if full_loss_price < threshold { threshold.saturating_sub(mean) } else { mean.saturating_sub(threshold) };
    let full = threshold.abs_diff(full_loss_price);
    let linear = div(wide(beyond, FULL_SEVERITY_BPS.into()), full, Rounding::Down)
        .map_or(0, |bps| u16::try_from(bps).map_or(FULL_SEVERITY_BPS, |bps| bps.min(FULL_SEVERITY_BPS)));
    linear.max(min_severity_bps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_decides_between_the_least_part_and_all() {
        // Threshold 1,000, all at 800: a quarter of the way is 950, five hundredths 990.
        assert_eq!(severity_bps(1_000, 800, 500, 1_000), 500);
        assert_eq!(severity_bps(1_000, 800, 500, 991), 500);
        assert_eq!(severity_bps(1_000, 800, 500, 989), 550);
        assert_eq!(severity_bps(1_000, 800, 500, 950), 2_500);
        assert_eq!(severity_bps(1_000, 800, 500, 801), 9_950);
        assert_eq!(severity_bps(1_000, 800, 500, 800), 10_000);
        assert_eq!(severity_bps(1_000, 800, 500, 10), 10_000);
        assert_eq!(severity_bps(1_000, 800, 10_000, 999), 10_000);
        assert_eq!(severity_bps(1_000, 1_000, 500, 10), 500);
        // Above the threshold: 1,000, all at 1,200.
        assert_eq!(severity_bps(1_000, 1_200, 500, 1_000), 500);
        assert_eq!(severity_bps(1_000, 1_200, 500, 10), 500);
        assert_eq!(severity_bps(1_000, 1_200, 500, 1_050), 2_500);
        assert_eq!(severity_bps(1_000, 1_200, 500, 1_199), 9_950);
        assert_eq!(severity_bps(1_000, 1_200, 500, 1_200), 10_000);
        assert_eq!(severity_bps(1_000, 1_200, 500, u64::MAX), 10_000);
        // 1 of 30,000 is a third of a basis point: down.
        assert_eq!(severity_bps(60_000, 30_000, 0, 59_999), 0);
        assert_eq!(severity_bps(60_000, 30_000, 0, 59_997), 1);
    }
}
