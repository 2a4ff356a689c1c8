//! Treaties in words.

use super::OpenPool;
use crate::text::{rate, tidy_amount};
use anchor_lang::prelude::Pubkey;

use backstop::border::text::date_text;
use backstop::state::{Pool, Treaty, TreatyKind, TreatyState, day_start, get_text};

/// An amount of a pool's asset, with all decimals and its ticker.
pub fn asset(pool: &OpenPool, units: u64) -> String {
    format!("{} {}", tidy_amount(units, pool.decimals), get_text(&pool.state.label))
}

/// A pool by its ticker, number and address.
pub fn pool(pool: &OpenPool) -> String {
    format!("{} #{} {}", get_text(&pool.state.label), pool.state.id, pool.keys.pool)
}

/// A pool's books with the premium earned until `now`.
pub fn books(pool: &OpenPool, now: i64) -> Box<Pool> {
    let mut books = pool.state.clone();
    if books.accrue(now).is_err() {
        books = pool.state.clone();
    }
    books
}

/// The kind of a treaty.
pub const fn kind(kind: &TreatyKind) -> &'static str {
    match kind {
        TreatyKind::QuotaShare { .. } => "quota-share",
        TreatyKind::ExcessOfLoss { .. } => "excess-of-loss",
    }
}

/// A treaty of a kind, with its article.
pub const fn a_kind(kind: &TreatyKind) -> &'static str {
    match kind {
        TreatyKind::QuotaShare { .. } => "a quota-share treaty",
        TreatyKind::ExcessOfLoss { .. } => "an excess-of-loss treaty",
    }
}

/// A part in basis points as an exact percentage: `30 %`, `2.5 %`.
pub fn part(bps: u16) -> String {
    rate(u64::from(bps) * 100_000)
}

/// What the cedant gives.
pub fn gives(treaty: &Treaty, amount: &dyn Fn(u64) -> String) -> String {
    match treaty.kind {
        TreatyKind::QuotaShare { cession_bps, commission_bps: 0 } => {
            format!("{} of the premium it earns", part(cession_bps))
        }
        TreatyKind::QuotaShare { cession_bps, commission_bps } => {
            format!("{} of the premium it earns, less a commission of {}", part(cession_bps), part(commission_bps))
        }
        TreatyKind::ExcessOfLoss { rate_on_line_bps, .. } => {
            let premium = treaty.premium_on_acceptance().unwrap_or(u64::MAX);
            format!("{} for the term, {} of the limit, from its surplus", amount(premium), part(rate_on_line_bps))
        }
    }
}

/// What the cedant gets.
pub fn gets(treaty: &Treaty, amount: &dyn Fn(u64) -> String) -> String {
    let limit = amount(treaty.limit);
    match treaty.kind {
        TreatyKind::QuotaShare { cession_bps, .. } => {
            format!("{} of what incidents cost, up to {limit} in all", part(cession_bps))
        }
        TreatyKind::ExcessOfLoss { attachment, .. } => {
            format!("what an incident costs above {}, up to {limit}", amount(attachment))
        }
    }
}

/// How a layer's limit is restored, if it is.
pub fn reinstatements(treaty: &Treaty) -> Option<String> {
    match treaty.kind {
        TreatyKind::ExcessOfLoss { reinstatements: times @ 1.., reinstatement_premium_bps: bps, .. } => {
            let times = if times == 1 { "once".into() } else { format!("{times} times") };
            Some(format!("the limit is restored {times}, for {} of the premium each", part(bps)))
        }
        _ => None,
    }
}

/// The term, first and last day.
pub fn term(treaty: &Treaty) -> String {
    let days = treaty.end_day.saturating_sub(treaty.start_day);
    format!("{} to {}, {days} days", date_text(treaty.start_day), date_text(treaty.end_day.saturating_sub(1)))
}

/// How far a treaty is.
pub fn status(key: &Pubkey, treaty: &Treaty, cedant: &Pool, now: i64) -> &'static str {
    match treaty.state {
        TreatyState::Announced if now < treaty.notice_until => "announced",
        TreatyState::Announced if now < treaty.start() => "acceptable",
        TreatyState::Announced => "lapsed",
        TreatyState::Active if now < treaty.start() => "accepted",
        TreatyState::Active if now < treaty.end() => "in-force",
        TreatyState::Active if cedant.treaty_is_over(key, treaty, now) => "over",
        TreatyState::Active => "run-off",
        TreatyState::Ended => "ended",
    }
}

/// When a treaty's limit is no longer needed, if there is no alert then and nothing is owed: events of its term can be
/// proven until the cedant's longest ring no longer reaches back to its last day.
pub fn released_from(treaty: &Treaty, cedant: &Pool) -> i64 {
    day_start(treaty.end_day.saturating_add(cedant.ring_days.into()))
}

/// What a treaty can still come to owe by its cedant's books: its limit while these do not have it.
pub fn limit_left(key: &Pubkey, treaty: &Treaty, cedant: &Pool) -> u64 {
    cedant.limit_and_owed(key).map_or(treaty.limit, |(left, _)| left)
}

/// What a treaty owes incidents of its cedant and has not paid.
pub fn owed(key: &Pubkey, cedant: &Pool) -> u64 {
    cedant.limit_and_owed(key).map_or(0, |(_, owed)| owed)
}

/// What a status means.
pub fn meaning(status: &str) -> &'static str {
    match status {
        "announced" => "its notice runs: capital that disagrees can leave",
        "acceptable" => "its notice is over: it can be accepted until its term would begin",
        "lapsed" => "it was not accepted in time, and never will be",
        "accepted" => "its term has not begun; the reinsurer holds capital for it already",
        "in-force" => "it pays for events of today",
        "run-off" => "its term is over; events of it can still be proven, so its limit is held",
        "over" => "nothing can be asked of it any more: it can be ended",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A treaty of a limit of 10,000 units, for the 365 days from day 20,000 on.
    pub fn treaty(kind: TreatyKind) -> Treaty {
        Treaty {
            cedant: Pubkey::default(),
            reinsurer: Pubkey::default(),
            rent_payer: Pubkey::default(),
            version: 1,
            bump: 0,
            state: TreatyState::Announced,
            id: 0,
            kind,
            limit: 10_000,
            notice_until: 19_990 * 86_400,
            start_day: 20_000,
            end_day: 20_365,
            premium: 0,
            rate_q32: 0,
            restored: 0,
            reserved: [0; 64],
        }
    }

    fn layer(reinstatements: u8) -> Treaty {
        let (attachment, rate_on_line_bps, reinstatement_premium_bps) = (5_000, 250, 10_000);
        treaty(TreatyKind::ExcessOfLoss { attachment, rate_on_line_bps, reinstatements, reinstatement_premium_bps })
    }

    #[test]
    fn what_each_side_gives_and_gets_is_told() {
        let plain = |units: u64| units.to_string();
        let quota_share = treaty(TreatyKind::QuotaShare { cession_bps: 3_000, commission_bps: 2_050 });
        assert_eq!(gives(&quota_share, &plain), "30 % of the premium it earns, less a commission of 20.5 %");
        assert_eq!(gets(&quota_share, &plain), "30 % of what incidents cost, up to 10000 in all");
        assert_eq!(gives(&layer(0), &plain), "250 for the term, 2.5 % of the limit, from its surplus");
        assert_eq!(gets(&layer(0), &plain), "what an incident costs above 5000, up to 10000");
        assert_eq!(reinstatements(&layer(0)), None);
        let twice = "the limit is restored 2 times, for 100 % of the premium each";
        assert_eq!(reinstatements(&layer(2)).as_deref(), Some(twice));
        assert_eq!(term(&layer(0)), "2024-10-04 to 2025-10-03, 365 days");
    }

    #[test]
    fn a_status_follows_notice_term_and_ring() {
        let mut cedant: Box<Pool> = Box::new(bytemuck::Zeroable::zeroed());
        cedant.ring_days = 6;
        let mut treaty = layer(0);
        let key = Pubkey::new_from_array([7; 32]);
        let at = |treaty: &Treaty, cedant: &Pool, day: i64| status(&key, treaty, cedant, day * 86_400);
        assert_eq!(at(&treaty, &cedant, 19_989), "announced");
        assert_eq!(at(&treaty, &cedant, 19_990), "acceptable");
        assert_eq!(at(&treaty, &cedant, 20_000), "lapsed");
        treaty.state = TreatyState::Active;
        assert_eq!(at(&treaty, &cedant, 19_999), "accepted");
        assert_eq!(at(&treaty, &cedant, 20_000), "in-force");
        assert_eq!(at(&treaty, &cedant, 20_365), "run-off");
        assert_eq!(at(&treaty, &cedant, 20_371), "over");
        assert_eq!(released_from(&treaty, &cedant), 20_371 * 86_400);
        (cedant.layers[0].treaty, cedant.layers[0].owed) = (key, 1);
        assert_eq!(at(&treaty, &cedant, 20_371), "run-off");
        for status in ["announced", "acceptable", "lapsed", "accepted", "in-force", "run-off", "over"] {
            assert!(!meaning(status).is_empty(), "{status}");
        }
    }
}
