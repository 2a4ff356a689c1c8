//! A treaty by itself.

use crate::common::*;
use backstop::error::BackstopError::*;
use backstop::math::MAX_TOTAL_EXPOSURE;
use backstop::state::*;

fn terms(kind: TreatyKind) -> TreatyTerms {
    TreatyTerms { kind, limit: 1_000, start_day: TODAY, end_day: TODAY + 30 }
}

fn quota_share(cession_bps: u16, commission_bps: u16) -> TreatyTerms {
    terms(TreatyKind::QuotaShare { cession_bps, commission_bps })
}

fn excess(rate_on_line_bps: u16, reinstatements: u8, reinstatement_premium_bps: u16) -> TreatyTerms {
    terms(TreatyKind::ExcessOfLoss { attachment: 1, rate_on_line_bps, reinstatements, reinstatement_premium_bps })
}

#[test]
fn terms_have_hard_bounds() {
    let taken = [
        quota_share(1, 0),
        quota_share(9_000, 9_999),
        excess(50, 0, 0),
        excess(5_000, 4, 20_000),
        TreatyTerms { end_day: TODAY + 1, ..quota_share(1, 0) },
        TreatyTerms { end_day: TODAY + 365, ..quota_share(1, 0) },
        TreatyTerms { limit: MAX_TOTAL_EXPOSURE, ..quota_share(1, 0) },
    ];
    for terms in taken {
        terms.validate().unwrap();
    }
    let refused_terms = [
        quota_share(0, 0),
        quota_share(9_001, 0),
        quota_share(1, 10_000),
        excess(49, 0, 0),
        terms(TreatyKind::ExcessOfLoss {
            attachment: 0,
            rate_on_line_bps: 50,
            reinstatements: 0,
            reinstatement_premium_bps: 0,
        }),
        excess(5_001, 0, 0),
        excess(50, 5, 0),
        excess(50, 0, 20_001),
        TreatyTerms { end_day: TODAY, ..quota_share(1, 0) },
        TreatyTerms { end_day: TODAY - 1, ..quota_share(1, 0) },
        TreatyTerms { end_day: TODAY + 366, ..quota_share(1, 0) },
        TreatyTerms { limit: 999, ..quota_share(1, 0) },
    ];
    for terms in refused_terms {
        refused(terms.validate(), BadTreatyTerms);
    }
    refused(TreatyTerms { limit: MAX_TOTAL_EXPOSURE + 1, ..quota_share(1, 0) }.validate(), AmountTooLarge);
}

#[test]
fn a_treaty_runs_over_whole_days_in_one_state() {
    let treaty = treaty(QUOTA_SHARE, 1_000);
    assert_eq!((treaty.start(), treaty.end()), (NOW, NOW + 30 * DAY));
    treaty.require_state(TreatyState::Active).unwrap();
    refused(treaty.require_state(TreatyState::Announced), WrongTreatyState);
    refused(treaty.require_state(TreatyState::Ended), WrongTreatyState);
}

#[test]
fn a_layer_is_paid_for_when_it_begins_and_a_quota_share_is_not() {
    assert_eq!(treaty(QUOTA_SHARE, 1_000).premium_on_acceptance().unwrap(), 0);
    assert_eq!(treaty(layer(0), 1_001).premium_on_acceptance().unwrap(), 101);
}

#[test]
fn a_quota_share_owes_of_the_gross_loss_and_a_layer_of_the_rest_each_up_to_what_is_left() {
    let mut pool = pool();
    pool.put_in_force(key(9), &treaty(QUOTA_SHARE, 700)).unwrap();
    pool.put_in_force(key(1), &treaty(layer(100), 300)).unwrap();
    assert_eq!(pool.ceded_loss(&key(9), 1_001).unwrap(), 400);
    assert_eq!(pool.ceded_loss(&key(1), 1_001).unwrap(), 0);
    assert_eq!(pool.owe(&key(9), 1_001, 400, 0).unwrap(), 400);
    assert_eq!(pool.owe(&key(1), 300, 120, 0).unwrap(), 80);
    // As the loss grows only what is more is owed, and the layer looks at what the quota share takes of it, whether or
    // not its limit suffices.
    assert_eq!(pool.owe(&key(9), 2_000, 800, 400).unwrap(), 300);
    assert_eq!(pool.owe(&key(1), 2_000, 800, 80).unwrap(), 220);
    assert_eq!((pool.limit_and_owed(&key(9)), pool.limit_and_owed(&key(1))), (Some((0, 700)), Some((0, 300))));
    // Another incident finds nothing left.
    assert_eq!((pool.owe(&key(9), 9_999, 4_000, 0).unwrap(), pool.owe(&key(1), 9_999, 0, 0).unwrap()), (0, 0));
    assert_eq!(pool.limit_and_owed(&key(2)), None);
    refused(pool.owe(&key(2), 1, 0, 0), WrongTreatyState);
}

#[test]
fn a_layers_limit_is_restored_as_often_as_agreed_and_as_far_as_there_is_room() {
    assert_eq!(treaty(QUOTA_SHARE, 1_000).reinstate(350, u64::MAX).unwrap(), (0, 0));
    let mut treaty = Treaty { premium: 100, ..treaty(layer(0), 1_000) };
    assert_eq!(treaty.reinstate(600, u64::MAX).unwrap(), (600, 60));
    // Room for 300 only.
    assert_eq!(treaty.reinstate(1_000, 300).unwrap(), (300, 30));
    assert_eq!(treaty.reinstate(200, u64::MAX).unwrap(), (200, 20));
    // Twice the limit in all.
    assert_eq!(treaty.reinstate(1_000, u64::MAX).unwrap(), (900, 90));
    assert_eq!(treaty.reinstate(900, u64::MAX).unwrap(), (0, 0));
    assert_eq!(treaty.restored, 2_000);
}
