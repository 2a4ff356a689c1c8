//! What reinsurance owes and costs (`docs/src/how/reinsurance.md`).

use super::rounding::{BPS, Rounding, mul_div};

/// What a layer owes of an incident, before what is left of its limit: the part of `loss` above `attachment`, up to its
/// height.
///
/// `loss` is the gross loss less what a quota share takes of it. Exact.
pub fn layer_owes(loss: u64, attachment: u64, limit: u64) -> u64 {
    loss.saturating_sub(attachment).min(limit)
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
    /// What of the limit may be restored in all: the limit, so many times.
    pub restorable: u64,
    /// Premium of restoring the whole limit, in basis points of the layer's.
    pub premium_bps: u16,
}

impl Reinstatement {
    /// How much of a payment is restored, and what that costs, taken off the payment. `before` was restored earlier.
    ///
    /// Restores as much as was used, as is left to restore and as the reinsurer has `room` for. The cost of all that was
    /// restored, `ceil(premium * premium_bps * restored / limit)`, is rounded up, against the cedant; what it was before
    /// is taken off, so that payments in parts cost what one does. It is never more than the payment.
    pub fn restore(&self, before: u64, used: u64, room: u64) -> Option<(u64, u64)> {
        let restored = used.min(self.restorable.saturating_sub(before)).min(room);
        if restored == 0 {
            return Some((0, 0));
        }
        let whole = mul_div(self.premium, u64::from(self.premium_bps), BPS, Rounding::Up)?;
        let cost_of = |restored: u64| mul_div(whole, restored, self.limit, Rounding::Up);
        let cost = cost_of(before.checked_add(restored)?)?.saturating_sub(cost_of(before)?);
        Some((restored, cost.min(used)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
        assert_eq!(terms.restore(0, 500, u64::MAX), Some((500, 50)));
        assert_eq!(terms.restore(0, 900, u64::MAX), Some((600, 60)));
        assert_eq!(terms.restore(0, 900, 10), Some((10, 1)));
        assert_eq!(terms.restore(0, 900, 0), Some((0, 0)));
        assert_eq!(terms.restore(600, 900, u64::MAX), Some((0, 0)));
        let dear = Reinstatement { premium_bps: u16::MAX, ..terms };
        assert_eq!(dear.restore(0, 5, u64::MAX).map(|(restored, cost)| (restored, cost <= 5)), Some((5, true)));
    }

    #[test]
    fn a_limit_that_is_restored_in_parts_costs_what_it_does_at_once() {
        let terms = Reinstatement { limit: 1_000, premium: 7, restorable: 1_000, premium_bps: 10_000 };
        // 0.7 a hundred: 1, then 1, 1, ... to 7 in all, not 10.
        let mut costs = 0;
        for before in (0..1_000).step_by(100) {
            costs += terms.restore(before, 100, u64::MAX).unwrap().1;
        }
        assert_eq!((costs, terms.restore(0, 1_000, u64::MAX)), (7, Some((1_000, 7))));
    }
}
