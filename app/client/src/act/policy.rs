//! What a cover and a position share, whoever has the policy.

use super::asset_text;
use backstop::state::{Policy, Pool};

/// What comes back of a policy, or of a part of one, that is given back.
pub(super) fn refund_rows(pool: &Pool, premium: u64, refund: u64, fee: u64) -> [(&'static str, String); 2] {
    let asset = |units| asset_text(pool, units);
    [
        ("refund", format!("{} of a premium of {}", asset(refund), asset(premium))),
        ("cancel fee", format!("{}, to the pool's surplus", asset(fee))),
    ]
}

/// What a policy insured that an incident pays, why it is paid, and what of its premium comes back.
pub(super) fn payout_rows(pool: &Pool, policy: &Policy, waiting: bool, refund: u64) -> [(&'static str, String); 3] {
    let why = match waiting {
        true => "not in force at the event: the premium that it had not earned goes back",
        false => "in force at the event",
    };
    [("insured", asset_text(pool, policy.sum_insured)), ("why", why.into()), ("premium back", asset_text(pool, refund))]
}
