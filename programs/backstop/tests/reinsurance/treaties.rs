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
    terms(TreatyKind::ExcessOfLoss { attachment: 0, rate_on_line_bps, reinstatements, reinstatement_premium_bps })
}

#[test]
fn terms_have_hard_bounds() {
    let taken = [
        quota_share(1, 0),
        quota_share(9_000, 9_999),
        excess(1, 0, 0),
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
        excess(0, 0, 0),
        excess(5_001, 0, 0),
        excess(1, 5, 0),
        excess(1, 0, 20_001),
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
fn a_quota_share_owes_of_the_gross_loss_and_a_layer_of_what_is_beyond_it() {
    let quota_share = Treaty { limit_left: 700, ..treaty(QUOTA_SHARE, 1_000) };
    assert_eq!(quota_share.owes(1_001, 1).unwrap(), 400);
    assert_eq!(quota_share.owes(5_000, 1).unwrap(), 700);
    let layer = Treaty { limit_left: 300, ..treaty(layer(100), 1_000) };
    assert_eq!(layer.owes(9_999, 100).unwrap(), 0);
    assert_eq!(layer.owes(9_999, 350).unwrap(), 250);
    assert_eq!(layer.owes(9_999, 1_000).unwrap(), 300);
}

#[test]
fn what_is_owed_later_leaves_the_limit_and_stays_open() {
    let mut treaty = treaty(QUOTA_SHARE, 1_000);
    assert_eq!(treaty.open_limit(300), 700);
    treaty.owe_later(300).unwrap();
    assert_eq!((treaty.limit_left, treaty.uncollected), (700, 300));
    assert_eq!(treaty.open_limit(0), 1_000);
    assert_eq!(treaty.open_limit(200), 800);
    refused(treaty.owe_later(701), InvariantViolated);
}

#[test]
fn using_a_quota_share_restores_nothing() {
    let mut treaty = treaty(QUOTA_SHARE, 1_000);
    let recovery = treaty.use_limit(400, 350, u64::MAX).unwrap();
    assert_eq!(recovery, Recovery { owed: 400, paid: 350, restored: 0, reinstatement_premium: 0 });
    assert_eq!((treaty.limit_left, treaty.restored), (600, 0));
    refused(treaty.use_limit(601, 0, 0), InvariantViolated);
}

#[test]
fn a_layers_limit_is_restored_as_often_as_agreed_and_as_far_as_there_is_room() {
    let mut treaty = Treaty { premium: 100, ..treaty(layer(0), 1_000) };
    let recovery = treaty.use_limit(600, 600, u64::MAX).unwrap();
    assert_eq!(recovery, Recovery { owed: 600, paid: 600, restored: 600, reinstatement_premium: 60 });
    assert_eq!((treaty.limit_left, treaty.restored), (1_000, 600));
    // Room for 300 only.
    let recovery = treaty.use_limit(1_000, 1_000, 300).unwrap();
    assert_eq!(recovery, Recovery { owed: 1_000, paid: 1_000, restored: 300, reinstatement_premium: 30 });
    assert_eq!((treaty.limit_left, treaty.restored), (300, 900));
    // Of what was paid, not of what was owed.
    let recovery = treaty.use_limit(300, 200, u64::MAX).unwrap();
    assert_eq!((recovery.restored, recovery.reinstatement_premium), (200, 20));
    assert_eq!((treaty.limit_left, treaty.restored), (200, 1_100));
    // Twice the limit in all.
    treaty.limit_left = 1_000;
    assert_eq!(treaty.use_limit(1_000, 1_000, u64::MAX).unwrap().restored, 900);
    assert_eq!(treaty.use_limit(900, 900, u64::MAX).unwrap().restored, 0);
    assert_eq!((treaty.limit_left, treaty.restored), (0, 2_000));
}
