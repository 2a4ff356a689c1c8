//! What reinsurance owes and costs (`docs/src/how/reinsurance.md`).

use super::rounding::{BPS, Rounding, mul_div};

/// What a quota share owes of an incident: `min(limit_left, floor(gross * cession))`.
///
/// Rounds down, against the cedant. `None` if the cession is above 10,000 bps and the product does not fit.
pub fn quota_share_owes(gross: u64, cession_bps: u16, limit_left: u64) -> Option<u64> {
    Some(mul_div(gross, u64::from(cession_bps), BPS, Rounding::Down)?.min(limit_left))
}

/// What a layer owes of an incident: the part of `loss` above `attachment`, up to the limit that is left.
///
/// `loss` is the gross loss less what the quota share owes. Exact.
pub fn layer_owes(loss: u64, attachment: u64, limit_left: u64) -> u64 {
    loss.saturating_sub(attachment).min(limit_left)
}

/// Premium of a layer for its term: `ceil(limit * rate_on_line)`. Rounds up, against the cedant.
pub fn layer_premium(limit: u64, rate_on_line_bps: u16) -> Option<u64> {
    mul_div(limit, u64::from(rate_on_line_bps), BPS, Rounding::Up)
}

/// A layer's terms for restoring its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reinstatement {
    /// The layer's limit.
    pub limit: u64,
    /// Premium of the layer for its term.
    pub premium: u64,
    /// What of the limit may still be restored: the limit, so many times, less what was restored.
    pub restorable: u64,
    /// Premium of restoring the whole limit, in basis points of the layer's.
    pub premium_bps: u16,
}

impl Reinstatement {
    /// How much of a payment is restored, and what that costs, taken off the payment.
    ///
    /// Restores as much as was used, as is left to restore and as the reinsurer has `room` for. The cost,
    /// `ceil(premium * premium_bps * restored / limit)`, is rounded up, against the cedant, and never more than the
    /// payment.
    pub fn restore(&self, used: u64, room: u64) -> Option<(u64, u64)> {
        let restored = used.min(self.restorable).min(room);
        if restored == 0 {
            return Some((0, 0));
        }
        let whole = mul_div(self.premium, u64::from(self.premium_bps), BPS, Rounding::Up)?;
        let cost = mul_div(whole, restored, self.limit, Rounding::Up)?;
        Some((restored, cost.min(used)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_share_owes_its_part_up_to_its_limit() {
        assert_eq!(quota_share_owes(1_001, 3_000, 1_000), Some(300));
        assert_eq!(quota_share_owes(10_000, 3_000, 1_000), Some(1_000));
        assert_eq!(quota_share_owes(10_000, 0, 1_000), Some(0));
        assert_eq!(quota_share_owes(u64::MAX, 10_000, u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn a_layer_owes_what_is_above_its_attachment_up_to_its_limit() {
        assert_eq!(layer_owes(100, 100, 50), 0);
        assert_eq!(layer_owes(101, 100, 50), 1);
        assert_eq!(layer_owes(1_000, 100, 50), 50);
        assert_eq!(layer_owes(0, 0, 50), 0);
    }

    #[test]
    fn a_layer_costs_its_rate_on_line() {
        assert_eq!(layer_premium(100_000, 500), Some(5_000));
        assert_eq!(layer_premium(1, 1), Some(1));
    }

    #[test]
    fn a_reinstatement_costs_in_proportion_and_ends_when_used_up() {
        let terms = Reinstatement { limit: 1_000, premium: 100, restorable: 600, premium_bps: 10_000 };
        assert_eq!(terms.restore(500, u64::MAX), Some((500, 50)));
        assert_eq!(terms.restore(900, u64::MAX), Some((600, 60)));
        assert_eq!(terms.restore(900, 10), Some((10, 1)));
        assert_eq!(terms.restore(900, 0), Some((0, 0)));
        let used_up = Reinstatement { restorable: 0, ..terms };
        assert_eq!(used_up.restore(900, u64::MAX), Some((0, 0)));
        let dear = Reinstatement { premium_bps: u16::MAX, ..terms };
        assert_eq!(dear.restore(5, u64::MAX).map(|(restored, cost)| (restored, cost <= 5)), Some((5, true)));
    }
}
