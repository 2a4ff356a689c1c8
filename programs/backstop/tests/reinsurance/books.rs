//! What treaties do to the cedant's and the reinsurer's books.

use crate::common::*;
use anchor_lang::prelude::*;
use anchor_lang::{Discriminator, ZeroCopy};
use backstop::error::BackstopError::*;
use backstop::peril::AlertLevel;
use backstop::state::*;

/// A layer of `limit` above `attachment` over a range of days.
fn layer_treaty(attachment: u64, limit: u64, start_day: u32, end_day: u32) -> Treaty {
    Treaty { start_day, end_day, ..treaty(layer(attachment), limit) }
}

/// The layers in force, as (treaty, attachment).
fn in_force(pool: &Pool) -> Vec<(u8, u64)> {
    pool.layers
        .iter()
        .filter(|layer| layer.treaty != Pubkey::default())
        .map(|layer| (layer.treaty.to_bytes()[0], layer.attachment))
        .collect()
}

#[test]
fn one_quota_share_is_in_force_with_its_terms() {
    let mut pool = pool();
    let treaty = treaty(QUOTA_SHARE, 900);
    pool.put_in_force(key(9), &treaty).unwrap();
    let expected = QuotaShareInForce {
        treaty: key(9),
        reinsurer: key(31),
        limit_left: 900,
        owed: 0,
        start: NOW,
        end: NOW + 30 * DAY,
        outlasting: 0,
        cession_bps: 4_000,
        commission_bps: 2_500,
        padding: [0; 4],
    };
    assert_eq!(pool.quota_shares[0], expected);
    refused(pool.put_in_force(key(8), &treaty), BadTreatyTerms);
    pool.shorten(&key(8), NOW);
    assert_eq!(pool.quota_shares[0], expected);
    pool.shorten(&key(9), NOW + DAY);
    assert_eq!(pool.quota_shares[0].end, NOW + DAY);
    pool.treaty_payable[0] = 1;
    refused(pool.take_out_of_force(&key(9)), TreatyInUse);
    pool.treaty_payable[0] = 0;
    pool.take_out_of_force(&key(9)).unwrap();
    assert_eq!(pool.quota_shares[0], QuotaShareInForce::default());
    refused(pool.take_out_of_force(&key(9)), WrongTreatyState);
}

#[test]
fn two_quota_shares_are_in_force_one_after_the_other_each_with_what_it_is_owed() {
    let over = |number: u8, from: u32, to: u32| {
        (key(number), Treaty { start_day: TODAY + from, end_day: TODAY + to, ..treaty(QUOTA_SHARE, 900) })
    };
    let keys = |pool: &Pool| pool.quota_shares.map(|share| share.treaty.to_bytes()[0]);
    let mut pool = pool();
    (pool.total_exposure, pool.group_exposures[0], pool.last_cover_end_day) = (70, 70, TODAY + 40);
    let (later, next) = over(1, 30, 60);
    pool.put_in_force(later, &next).unwrap();
    pool.treaty_payable[0] = 5;
    // No second in common, whichever is accepted first.
    for (from, to) in [(30, 60), (0, 31), (59, 90), (40, 50), (0, 90)] {
        let (treaty, terms) = over(3, from, to);
        refused(pool.put_in_force(treaty, &terms), BadTreatyTerms);
    }
    let (first, this) = over(2, 0, 30);
    pool.put_in_force(first, &this).unwrap();
    assert_eq!((keys(&pool), pool.treaty_payable), ([2, 1], [0, 5]));
    // Of what was sold before nobody knows how much ends when: all of it may outlast the first, and none the second.
    assert_eq!(pool.quota_shares.map(|share| share.outlasting), [70, 0]);
    assert_eq!((pool.payable_of(&key(1)), pool.payable_of(&key(2)), pool.payable_of(&key(3))), (5, 0, 0));
    assert_eq!((pool.quota_share_at(NOW), pool.quota_share_at(NOW + 30 * DAY)), (Some(0), Some(1)));
    assert_eq!((pool.quota_share_at(NOW - 1), pool.quota_share_at(NOW + 60 * DAY)), (None, None));
    let (third, terms) = over(3, 60, 90);
    refused(pool.put_in_force(third, &terms), NoTreatyPlace);
    // The first is over: the second closes up, with what it is owed.
    refused(pool.take_out_of_force(&key(1)), TreatyInUse);
    pool.take_out_of_force(&key(2)).unwrap();
    assert_eq!((keys(&pool), pool.treaty_payable), ([1, 0], [5, 0]));
    pool.put_in_force(third, &terms).unwrap();
    assert_eq!(keys(&pool), [1, 3]);
    // What outlasts the one before is a bound for the next: a cover of a cent does not take its credit away.
    let mut renewed = pool;
    (renewed.quota_shares[0].outlasting, renewed.last_cover_end_day) = (1, TODAY + 365);
    renewed.take_out_of_force(&key(3)).unwrap();
    renewed.put_in_force(third, &terms).unwrap();
    assert_eq!(renewed.quota_shares.map(|share| share.outlasting), [1, 1]);
    // Cut short, all may outlast it.
    pool.shorten(&key(1), NOW + 35 * DAY);
    assert_eq!((pool.quota_shares[0].end, pool.quota_shares[0].outlasting), (NOW + 35 * DAY, 70));
}

#[test]
fn a_renewal_goes_on_at_once_on_terms_no_worse() {
    let mut pool = pool();
    pool.put_in_force(key(9), &treaty(QUOTA_SHARE, 900)).unwrap();
    let next = |cession_bps, commission_bps, limit, from| Treaty {
        start_day: TODAY + from,
        end_day: TODAY + from + 30,
        ..treaty(TreatyKind::QuotaShare { cession_bps, commission_bps }, limit)
    };
    assert!(pool.renews(&next(4_000, 2_500, 900, 30)));
    assert!(pool.renews(&next(4_000, 2_501, 901, 30)));
    for worse in [
        next(4_001, 2_500, 900, 30),
        next(3_999, 2_500, 900, 30),
        next(4_000, 2_499, 900, 30),
        next(4_000, 2_500, 899, 30),
        next(4_000, 2_500, 900, 31),
        Treaty { start_day: TODAY + 30, end_day: TODAY + 60, ..treaty(layer(1), 900) },
    ] {
        assert!(!pool.renews(&worse), "{worse:?}");
    }
    // Of a limit that was used only what is left counts; where nothing is in force nothing is renewed.
    pool.quota_shares[0].limit_left = 800;
    assert!(pool.renews(&next(4_000, 2_500, 800, 30)));
    assert!(!crate::common::pool().renews(&next(4_000, 2_500, 900, 0)));
}

#[test]
fn layers_are_in_force_upward_by_attachment_and_close_up() {
    let mut pool = pool();
    for (number, attachment) in [(1, 300), (2, 100), (3, 400), (4, 200)] {
        pool.put_in_force(key(number), &layer_treaty(attachment, 100, TODAY, TODAY + 30)).unwrap();
    }
    assert_eq!(in_force(&pool), [(2, 100), (4, 200), (1, 300), (3, 400)]);
    let expected = LayerInForce {
        treaty: key(2),
        reinsurer: key(31),
        attachment: 100,
        limit: 100,
        limit_left: 100,
        owed: 0,
        restored_later: 0,
        start: NOW,
        end: NOW + 30 * DAY,
    };
    assert_eq!(pool.layers[0], expected);
    refused(pool.put_in_force(key(5), &layer_treaty(500, 100, TODAY, TODAY + 30)), NoTreatyPlace);
    pool.shorten(&key(4), NOW + DAY);
    let ends = pool.layers.map(|layer| layer.end);
    assert_eq!(ends, [NOW + 30 * DAY, NOW + DAY, NOW + 30 * DAY, NOW + 30 * DAY]);
    pool.take_out_of_force(&key(4)).unwrap();
    assert_eq!(in_force(&pool), [(2, 100), (1, 300), (3, 400)]);
    assert_eq!(pool.layers[3], LayerInForce::default());
    refused(pool.take_out_of_force(&key(4)), WrongTreatyState);
    pool.take_out_of_force(&key(3)).unwrap();
    pool.take_out_of_force(&key(2)).unwrap();
    assert_eq!(in_force(&pool), [(1, 300)]);
}

#[test]
fn layers_may_not_overlap_on_any_day() {
    let mut pool = pool();
    pool.put_in_force(key(1), &layer_treaty(100, 100, TODAY, TODAY + 30)).unwrap();
    let with = |attachment, limit, start, end| {
        let mut copy = pool;
        copy.put_in_force(key(2), &layer_treaty(attachment, limit, start, end)).map(|()| copy)
    };
    let (today, later) = (TODAY, TODAY + 30);
    // In height: below, above, touching, inside, around.
    with(0, 100, today, later).unwrap();
    with(200, 100, today, later).unwrap();
    refused(with(0, 101, today, later), BadTreatyTerms);
    refused(with(199, 100, today, later), BadTreatyTerms);
    refused(with(100, 100, today, later), BadTreatyTerms);
    refused(with(150, 10, today, later), BadTreatyTerms);
    refused(with(50, 500, today, later), BadTreatyTerms);
    // In time: before, after, touching, one day in common.
    with(100, 100, later, later + 30).unwrap();
    with(100, 100, today - 30, today).unwrap();
    refused(with(100, 100, later - 1, later + 30), BadTreatyTerms);
    refused(with(100, 100, today - 30, today + 1), BadTreatyTerms);
    // The next year's layer goes behind this year's of the same attachment.
    assert_eq!(in_force(&with(100, 100, later, later + 30).unwrap()), [(1, 100), (2, 100)]);
    refused(with(u64::MAX, 1, today, later), MathOverflow);
    // One that ends where another begins is below it.
    assert_eq!(in_force(&with(99, 1, today, later).unwrap()), [(2, 99), (1, 100)]);
}

#[test]
fn a_cedant_pays_from_its_surplus_and_hands_over_what_was_ceded() {
    let mut pool = pool_with(100, 1_000, 0);
    refused(pool.pay_from_surplus(101), SurplusTooSmall);
    pool.pay_from_surplus(100).unwrap();
    assert_eq!((pool.surplus, pool.cash), (0, 1_000));
    refused(pool.take_treaty_payable(&key(31)), WrongParent);
    pool.put_in_force(key(9), &treaty(QUOTA_SHARE, 900)).unwrap();
    refused(pool.take_treaty_payable(&key(31)), NothingOwed);
    refused(pool.take_treaty_payable(&key(30)), WrongParent);
    (pool.treaty_payable[0], pool.cash) = (70, 1_070);
    assert_eq!(pool.take_treaty_payable(&key(31)).unwrap(), 70);
    assert_eq!((pool.treaty_payable[0], pool.cash), (0, 1_000));
    pool.receive_surplus(20).unwrap();
    assert_eq!((pool.surplus, pool.cash), (20, 1_020));
    pool.invariant().unwrap();
}

#[test]
fn a_reinsurer_stands_behind_eight_treaties_in_their_order() {
    let mut pool = reinsurer_with(0, 10_000, 0);
    for number in 1..=8 {
        let treaty = Treaty { cedant: key(100 + number), ..treaty(QUOTA_SHARE, u64::from(number)) };
        pool.stand_behind(key(number), &treaty).unwrap();
    }
    assert_eq!(pool.inward[2], InwardTreaty { treaty: key(3), cedant: key(103), limit: 3 });
    assert_eq!(pool.open_limits().unwrap(), 36);
    refused(pool.stand_behind(key(9), &treaty(QUOTA_SHARE, 500)), NoTreatyPlace);
    pool.restore_inward(&key(3), 27).unwrap();
    assert_eq!((pool.inward[2].limit, pool.open_limits().unwrap()), (30, 63));
    pool.release_limit(&key(2)).unwrap();
    let treaties = pool.inward.map(|inward| inward.treaty.to_bytes()[0]);
    assert_eq!(treaties, [1, 3, 4, 5, 6, 7, 8, 0]);
    assert_eq!(pool.open_limits().unwrap(), 61);
    refused(pool.release_limit(&key(2)), WrongTreatyState);
    refused(pool.restore_inward(&key(2), 1), WrongTreatyState);
    assert_eq!(pool.pay_inward(&key(3), 10, 0).unwrap().junior_assets, 10);
    assert_eq!((pool.inward[1].limit, pool.cash), (20, 9_990));
    refused(pool.pay_inward(&key(3), 21, 0), InvariantViolated);
}

#[test]
fn there_is_room_for_limits_that_capital_beyond_the_open_ones_can_hold() {
    let mut pool = reinsurer_with(1_000, 2_000, 3_000);
    pool.tranches[1].exiting = 500;
    pool.inward[0].limit = 1_000;
    assert_eq!(pool.room_for_limits().unwrap(), 5_000);
    pool.terms.solvency_bps = 15_000;
    // 6,000 less 1,500, at 1.5 for each: 3,000.
    assert_eq!(pool.room_for_limits().unwrap(), 3_000);
    pool.inward[0].limit = 1_001;
    assert_eq!(pool.room_for_limits().unwrap(), 2_998); // 4,498 / 1.5
    pool.inward[0].limit = 10_000;
    assert_eq!(pool.room_for_limits().unwrap(), 0);
}

#[test]
fn a_reinsurer_bears_a_loss_and_the_payment_leaves_it() {
    let mut pool = reinsurer_with(100, 1_000, 0);
    let split = pool.bear_loss(300).unwrap();
    assert_eq!((split.surplus, split.junior_assets), (100, 200));
    assert_eq!((layers(&pool), pool.cash), ([0, 800, 0, 0, 0], 800));
    pool.invariant().unwrap();
    refused(pool.bear_loss(801), InvariantViolated);
}

#[test]
fn ceded_premium_is_earned_over_seven_whole_days_at_least() {
    assert_eq!(ceded_premium_end(NOW), TODAY + 7);
    assert_eq!(ceded_premium_end(NOW + 1), TODAY + 8);
    assert_eq!(ceded_premium_end(NOW - 1), TODAY + 7);
}

#[test]
fn a_reinstatements_premium_streams_to_the_treatys_end_but_for_seven_days_at_least() {
    let mut pool = reinsurer_with(0, 1_000, 0);
    pool.receive_reinstatement(0, NOW, TODAY + 10).unwrap();
    assert_eq!((pool.rate_q32, pool.cash), (0, 1_000));
    // Ten days, and of a treaty that ends tomorrow seven.
    pool.receive_reinstatement(864_000, NOW, TODAY + 10).unwrap();
    pool.receive_reinstatement(604_800, NOW, TODAY + 1).unwrap();
    assert_eq!((pool.rate_q32, pool.unearned_premium), (2 * ONE_A_SECOND, 1_468_800));
    assert_eq!(pool.rate_ends[(TODAY as usize + 10) % 512], ONE_A_SECOND);
    assert_eq!(pool.rate_ends[(TODAY as usize + 7) % 512], ONE_A_SECOND);
    pool.invariant().unwrap();
    // A treaty that ended is no reason to refuse it, and nothing to stream is none either.
    pool.receive_reinstatement(0, NOW, 0).unwrap();
    pool.receive_reinstatement(1, NOW, 0).unwrap();
}

#[test]
fn the_premium_of_the_limit_that_a_payment_uses_is_paid_first_and_the_rest_goes_on() {
    // 864,000 over ten days for a limit of 2,000,000; 500,000 of it are paid a day later.
    let layer = Treaty { end_day: TODAY + 10, ..treaty(QUOTA_SHARE, 2_000_000) };
    let mut pool = reinsurer_with(100_000, 1_000_000, 0);
    pool.stream_premium(864_000, NOW, TODAY + 10).unwrap();
    pool.stand_behind(key(9), &layer).unwrap();
    pool.accrue(NOW + DAY).unwrap();
    let before = layers(&pool);
    assert_eq!(pool.unearned_premium, 777_600);
    let used = pool.end_used_premium(&key(9), ONE_A_SECOND, TODAY + 10, 500_000).unwrap();
    assert_eq!(used, (ONE_A_SECOND / 4, 194_400));
    let split = pool.pay_inward(&key(9), 500_000, used.1).unwrap();
    assert_eq!(split.surplus + split.junior_assets, 305_600);
    assert_eq!(before[0] + before[1] - layers(&pool)[0] - layers(&pool)[1], 305_600);
    assert_eq!((pool.required, pool.unearned_premium, pool.rate_q32), (1_500_000, 583_200, ONE_A_SECOND / 4 * 3));
    pool.invariant().unwrap();
    // All of the rest: nothing is earned any more, and nothing keeps capital out.
    let used = pool.end_used_premium(&key(9), ONE_A_SECOND / 4 * 3, TODAY + 10, 1_500_000).unwrap();
    assert_eq!(used, (ONE_A_SECOND / 4 * 3, 583_200));
    pool.contribute(1_000_000).unwrap();
    pool.pay_inward(&key(9), 1_500_000, used.1).unwrap();
    assert_eq!((pool.required, pool.unearned_premium, pool.rate_q32), (0, 0, 0));
    pool.deposit(Tranche::Junior, 10_000, 0).unwrap();
    pool.invariant().unwrap();
    // Once the stream is over nothing is left of it.
    let mut late = reinsurer_with(0, 1_000, 0);
    late.stand_behind(key(9), &layer).unwrap();
    late.accrue(NOW + 10 * DAY).unwrap();
    assert_eq!(late.end_used_premium(&key(9), ONE_A_SECOND, TODAY + 10, 1_000).unwrap(), (0, 0));
}

#[test]
fn a_commuted_treaty_gives_back_what_is_unearned_from_tomorrow_on() {
    let mut pool = reinsurer_with(0, 1_000, 0);
    pool.stream_premium(864_000, NOW, TODAY + 10).unwrap();
    assert_eq!(unearned_between(ONE_A_SECOND, TODAY + 1, TODAY + 10).unwrap(), 777_600);
    assert_eq!(pool.return_premium(ONE_A_SECOND, TODAY + 1, TODAY + 10).unwrap(), 777_600);
    assert_eq!((pool.unearned_premium, pool.cash), (86_400, 87_400));
    assert_eq!(pool.rate_ends[(TODAY as usize + 10) % 512], 0);
    assert_eq!(pool.rate_ends[(TODAY as usize + 1) % 512], ONE_A_SECOND);
    pool.invariant().unwrap();
    assert_eq!(pool.accrue(NOW + 2 * DAY).unwrap().earned, 86_400);
    assert_eq!(pool.rate_q32, 0);
    refused(pool.return_premium(ONE_A_SECOND, TODAY + 3, TODAY + 10), InvariantViolated);
    // Never more than is there.
    let mut pool = reinsurer_with(0, 1_000, 0);
    pool.stream_premium(864_000, NOW, TODAY + 10).unwrap();
    (pool.unearned_premium, pool.cash) = (5, 1_005);
    assert_eq!(pool.return_premium(ONE_A_SECOND, TODAY + 1, TODAY + 10).unwrap(), 5);
}

#[test]
fn unearned_premium_of_a_stream_is_rounded_down() {
    assert_eq!(unearned_between(ONE_A_SECOND / 2 + 1, TODAY, TODAY + 1).unwrap(), 43_200);
    assert_eq!(unearned_between(ONE_A_SECOND - 1, TODAY, TODAY + 1).unwrap(), 86_399);
    assert_eq!(unearned_between(ONE_A_SECOND, TODAY + 1, TODAY).unwrap(), 0);
    refused(unearned_between(u64::MAX, 0, u32::MAX), MathOverflow);
}

#[test]
fn a_pool_of_another_kind_is_refused() {
    let cover = pool();
    cover.require_kind(PoolKind::Cover).unwrap();
    refused(cover.require_kind(PoolKind::Reinsurance), WrongPoolKind);
    reinsurer_with(0, 0, 0).require_kind(PoolKind::Reinsurance).unwrap();
}

#[test]
fn a_treatys_limit_can_go_once_nothing_can_ask_for_it() {
    let mut pool = pool();
    pool.ring_days = 2;
    let treaty = treaty(QUOTA_SHARE, 1_000);
    let over = NOW + 32 * DAY;
    assert!(pool.treaty_is_over(&key(9), &treaty, over));
    assert!(!pool.treaty_is_over(&key(9), &treaty, over - 1));
    // What is breaching can prove no event of the term any more; what is met can.
    pool.alerts = 1;
    assert!(pool.treaty_is_over(&key(9), &treaty, over));
    pool.alerts_due = 1;
    assert!(!pool.treaty_is_over(&key(9), &treaty, over));
    pool.alerts_due = 0;
    // What stands since the term ran is still to be ceded.
    pool.stands_since = treaty.end() - 1;
    assert!(!pool.treaty_is_over(&key(9), &treaty, over));
    pool.stands_since = treaty.end();
    assert!(pool.treaty_is_over(&key(9), &treaty, over));
}

// ---------------------------------------------------------------- cedants of a reinsurer

/// A pool's account as the program gets it.
fn account(address: Pubkey, pool: &Pool) -> AccountInfo<'static> {
    fn bytes_of<T: ZeroCopy + Discriminator>(account: &T) -> Vec<u8> {
        [T::DISCRIMINATOR, bytemuck::bytes_of(account)].concat()
    }
    // Aligned as the runtime does it: the account follows eight bytes of discriminator.
    let bytes = bytes_of(pool);
    let words: &'static mut [u64] = vec![0u64; bytes.len().div_ceil(8)].leak();
    let data = &mut bytemuck::cast_slice_mut::<u64, u8>(words)[..bytes.len()];
    data.copy_from_slice(&bytes);
    let key: &'static Pubkey = Box::leak(Box::new(address));
    let owner: &'static Pubkey = Box::leak(Box::new(backstop::ID));
    let lamports: &'static mut u64 = Box::leak(Box::new(1));
    AccountInfo::new(key, false, false, lamports, data, owner, false)
}

/// What can fall on a reinsurer by one treaty of a limit, whose cedant has so much in alert, so many alerts that are due, and
/// a crisis that can grow so much, in which the treaty owes so much.
fn risk(limit: u64, (in_alert, due): (u64, u32), growth: u64, owed: u64) -> InwardRisk {
    let mut cedant = crate::common::pool();
    (cedant.alerts, cedant.alerts_due, cedant.alert_exposure) = (u32::from(in_alert > 0), due, in_alert);
    cedant.crisis.growth = growth;
    // It takes all of a loss, so that figures are easy to see.
    let share = QuotaShareInForce { treaty: key(1), owed, cession_bps: 10_000, end: NOW + DAY, ..Default::default() };
    cedant.quota_shares[0] = share;
    let mut risk = InwardRisk::default();
    risk.add(&InwardTreaty { treaty: key(1), cedant: key(101), limit }, &cedant, NOW).unwrap();
    risk
}

#[test]
fn what_can_fall_on_a_reinsurer_is_what_is_owed_can_grow_or_is_in_alert_up_to_its_limit() {
    let of = |amount, owes, level| InwardRisk { amount, owes, level };
    assert_eq!(risk(100, (0, 0), 0, 0), InwardRisk::default());
    assert_eq!(risk(0, (5, 1), 0, 0), InwardRisk::default());
    assert_eq!(risk(100, (30, 0), 0, 0), of(30, false, AlertLevel::Breaching));
    assert_eq!(risk(100, (30, 1), 0, 0), of(30, false, AlertLevel::Due));
    assert_eq!(risk(100, (30, 0), 20, 0), of(50, false, AlertLevel::Due));
    assert_eq!(risk(100, (30, 0), 20, 40), of(90, true, AlertLevel::Due));
    assert_eq!(risk(100, (30, 0), 80, 40), of(100, true, AlertLevel::Due));
}

#[test]
fn small_is_measured_by_the_reinsurer() {
    // It was measured by the cedant: 5,000 in alert of a million were small, and half of a reinsurer of 10,000 left.
    let alert = risk(5_000, (5_000, 0), 0, 0);
    let mut thin = reinsurer_with(0, 10_000, 0);
    (thin.tranches[0].exiting, thin.tranches[0].units, thin.cash) = (5_000, 5_000_000, 15_000);
    refused(thin.free_for_exits(TODAY - 1, &alert, NOW), PoolInAlert);
    refused(thin.require_small(&alert), PoolInAlert);
    // What is owed moves on by a call, also where nobody has made it.
    let owed = risk(5_000, (0, 0), 0, 5_000);
    refused(thin.free_for_exits(TODAY - 1, &owed, NOW), TreatyOwes);
    refused(thin.free_for_exits(TODAY - 1, &owed, NOW + 40 * DAY), TreatyOwes);
    refused(thin.require_small(&owed), TreatyOwes);
    // A little stops nobody, but stays behind, and as much that it stays small.
    let little = risk(5_000, (20, 1), 30, 25);
    thin.require_small(&little).unwrap();
    assert_eq!(little.amount, 75);
    assert_eq!(thin.free_for_exits(TODAY - 1, &little, NOW).unwrap(), 0);
    let less = risk(5_000, (20, 1), 0, 25);
    assert_eq!(thin.free_for_exits(TODAY - 1, &less, NOW).unwrap(), 15_000 - 200 * 45);
    // One unit more than a two hundredth.
    thin.require_small(&InwardRisk { amount: 75, ..less }).unwrap();
    refused(thin.require_small(&InwardRisk { amount: 76, ..less }), TreatyOwes);
    // Of several treaties it is the sum.
    let mut both = risk(100, (60, 0), 0, 0);
    both.add(
        &InwardTreaty { treaty: key(2), cedant: key(101), limit: 40 },
        &{
            let mut cedant = crate::common::pool();
            cedant.alert_exposure = 60;
            cedant.layers[0] = LayerInForce { treaty: key(2), end: NOW + DAY, ..Default::default() };
            cedant
        },
        NOW,
    )
    .unwrap();
    assert_eq!(both.amount, 100);
}

#[test]
fn what_a_treatys_terms_leave_to_the_cedant_holds_no_reinsurer() {
    let (start, end) = (NOW, NOW + 30 * DAY);
    let mut cedant = crate::common::pool();
    cedant.ring_days = 6;
    (cedant.alerts, cedant.alert_exposure) = (1, 1_001);
    cedant.quota_shares[0] =
        QuotaShareInForce { treaty: key(1), cession_bps: 3_000, start, end, ..QuotaShareInForce::default() };
    cedant.layers[0] = LayerInForce { treaty: key(2), attachment: 1_000, start, end, ..LayerInForce::default() };
    let both = |cedant: &Pool, now| {
        [key(1), key(2)].map(|treaty| {
            let mut risk = InwardRisk::default();
            risk.add(&InwardTreaty { treaty, cedant: key(101), limit: 5_000 }, cedant, now).unwrap();
            risk.amount
        })
    };
    // Three tenths, rounded up; what is above the attachment.
    assert_eq!(both(&cedant, NOW), [301, 1]);
    let below = Pool { alert_exposure: 1_000, ..cedant };
    assert_eq!(both(&below, NOW), [300, 0]);
    // What shows before the term happened before it.
    assert_eq!(both(&cedant, start - 1), [0, 0]);
    // What is only breaching proves nothing of a term that the ring no longer reaches; what is met may be of then.
    let reach = end + 6 * DAY;
    assert_eq!((both(&cedant, reach - 1), both(&cedant, reach)), ([301, 1], [0, 0]));
    assert_eq!(both(&Pool { alerts_due: 1, ..cedant }, reach), [301, 1]);
    // An incident that can grow has lost something: 900 so far, and 150 at the most, of which 50 are above the attachment.
    let mut growing = Pool { alerts: 0, alert_exposure: 0, ..cedant };
    (growing.crisis.gross, growing.crisis.growth) = (900, 150);
    assert_eq!(both(&growing, reach), [45, 50]);
    growing.crisis.growth = 0;
    growing.crisis.gross = 1_050;
    assert_eq!(both(&growing, NOW), [0, 0], "what it owes was booked with it");
    growing.layers[0].owed = 50;
    assert_eq!(both(&growing, start - 1), [0, 50], "what is owed is owed");
}

#[test]
fn every_cedant_is_passed_and_nothing_else() {
    let mut pool = reinsurer_with(0, 0, 0);
    for number in [1, 2] {
        pool.inward[usize::from(number) - 1] =
            InwardTreaty { treaty: key(number), cedant: key(100 + number), limit: 1 };
    }
    let cedant = |number| account(key(number), &crate::common::pool());
    let with = |numbers: &[u8]| {
        let accounts: Vec<AccountInfo> = numbers.iter().map(|number| cedant(*number)).collect();
        pool.inward_risk(accounts.leak(), NOW)
    };
    with(&[101, 102]).unwrap();
    refused(with(&[101]), CedantsMissing);
    refused(with(&[]), CedantsMissing);
    refused(with(&[102, 101]), CedantsMissing);
    refused(with(&[101, 102, 103]), UnexpectedAccounts);
}
