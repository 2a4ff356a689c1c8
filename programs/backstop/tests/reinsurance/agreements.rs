//! What two pools agree and do together: treaties from their announcement to their end, and surplus that is ceded.

use crate::common::*;
use backstop::error::BackstopError::*;
use backstop::state::*;

/// A year's layer of 1,000 above 500, from ten days ahead: its premium is 100.
fn terms() -> TreatyTerms {
    TreatyTerms { kind: layer(500), limit: 1_000, start_day: TODAY + 10, end_day: TODAY + 20 }
}

fn announce(cedant: &mut Pool, reinsurer: &mut Pool, terms: TreatyTerms) -> anchor_lang::Result<Treaty> {
    Treaty::announce(terms, (key(30), cedant), (key(31), reinsurer), NOW)
}

/// A pool without capital gives no notice.
fn announced() -> (Treaty, Pool, Pool) {
    let (mut cedant, mut reinsurer) = (pool_with(1_000, 0, 10_000), reinsurer_with(0, 0, 10_000));
    cedant.in_use = 0;
    let mut treaty = announce(&mut cedant, &mut reinsurer, TreatyTerms { start_day: TODAY + 11, ..terms() }).unwrap();
    treaty.notice_until = NOW;
    (treaty, cedant, reinsurer)
}

#[test]
fn an_announcement_waits_for_the_notice_of_both_and_takes_the_next_id() {
    let (mut cedant, mut reinsurer) = (pool_with(1_000, 0, 0), reinsurer_with(0, 0, 10_000));
    cedant.treaties = 4;
    (cedant.terms.cooldown_seconds, reinsurer.terms.cooldown_seconds) = (5 * 86_400, 6 * 86_400);
    let treaty = announce(&mut cedant, &mut reinsurer, terms()).unwrap();
    assert_eq!((treaty.id, cedant.treaties, reinsurer.treaties), (4, 5, 1));
    assert_eq!((treaty.cedant, treaty.reinsurer), (key(30), key(31)));
    // The cedant was never used; the reinsurer's cooldown and three days.
    assert_eq!(treaty.notice_until, NOW + 9 * DAY);
    assert_eq!((treaty.state, treaty.limit), (TreatyState::Announced, 1_000));
    assert!(!treaty.was_accepted());

    refused(announce(&mut cedant, &mut reinsurer, TreatyTerms { start_day: TODAY + 9, ..terms() }), NoticeNotOver);
    let far = TreatyTerms { start_day: TODAY + 500, end_day: TODAY + 511, ..terms() };
    refused(announce(&mut cedant, &mut reinsurer, far), BadTreatyTerms);
    assert!(announce(&mut cedant, &mut reinsurer, TreatyTerms { end_day: TODAY + 510, ..far }).is_ok());
    refused(announce(&mut cedant, &mut reinsurer, TreatyTerms { limit: 0, ..terms() }), BadTreatyTerms);
    // Nobody leaves the reinsurer on news that its cedants' providers cannot leave on.
    cedant.terms.cooldown_seconds = 6 * 86_400 + 1;
    refused(announce(&mut cedant, &mut reinsurer, terms()), CooldownTooShort);
    cedant.terms.cooldown_seconds = 6 * 86_400;
    reinsurer.asset_mint = key(9);
    refused(announce(&mut cedant, &mut reinsurer, terms()), WrongParent);
    reinsurer.asset_mint = cedant.asset_mint;
    refused(announce(&mut reinsurer.clone(), &mut cedant, terms()), WrongPoolKind);
    let mut another = cedant;
    refused(announce(&mut cedant, &mut another, terms()), WrongPoolKind);
    cedant.treaties = u16::MAX;
    refused(announce(&mut cedant, &mut reinsurer, terms()), NoIdLeft);
    (cedant.treaties, reinsurer.treaties) = (0, u16::MAX);
    refused(announce(&mut cedant, &mut reinsurer, terms()), NoIdLeft);
}

#[test]
fn acceptance_moves_the_premium_and_says_so() {
    let (mut treaty, mut cedant, mut reinsurer) = announced();
    let accepted = treaty.accept(key(1), &mut cedant, &mut reinsurer, NOW).unwrap();
    // 100 over 20 days, in Q32 a second, rounded down.
    assert_eq!(accepted, Acceptance { premium: 100, rate_q32: (100 << 32) / (20 * 86_400) });
    assert_eq!((treaty.premium, treaty.rate_q32, treaty.state), (100, accepted.rate_q32, TreatyState::Active));
    assert!(treaty.was_accepted());
    assert_eq!((cedant.in_use, reinsurer.in_use), (1, 1));
    assert_eq!((cedant.surplus, cedant.cash), (900, 10_900));
    assert_eq!((reinsurer.unearned_premium, reinsurer.cash), (100, 10_100));
    assert_eq!((cedant.layers[0].treaty, reinsurer.inward[0].limit), (key(1), 1_000));
    cedant.invariant().unwrap();
    reinsurer.invariant().unwrap();
    refused(treaty.accept(key(1), &mut cedant, &mut reinsurer, NOW), WrongTreatyState);
}

#[test]
fn acceptance_is_refused_out_of_its_time_in_alert_and_without_the_money() {
    let accept = |change: fn(&mut Treaty, &mut Pool, &mut Pool), now: i64| {
        let (mut treaty, mut cedant, mut reinsurer) = announced();
        change(&mut treaty, &mut cedant, &mut reinsurer);
        treaty.accept(key(1), &mut cedant, &mut reinsurer, now)
    };
    assert!(accept(|_, _, _| {}, NOW).is_ok());
    refused(accept(|treaty, _, _| treaty.notice_until += 1, NOW), NoticeNotOver);
    refused(accept(|_, _, _| {}, NOW + 11 * DAY), WrongTreatyState);
    refused(accept(|_, cedant, _| (cedant.alerts, cedant.alerts_since) = (1, NOW), NOW), PoolInAlert);
    refused(accept(|_, cedant, _| (cedant.alerts, cedant.alerts_due) = (1, 1), NOW), PoolInAlert);
    refused(accept(|_, cedant, _| cedant.crisis.incidents = 1, NOW), PoolInCrisis);
    // Small without the premium, too: 10,900 are left of 11,000.
    assert!(accept(|_, cedant, _| (cedant.alerts, cedant.alert_exposure) = (1, 54), NOW).is_ok());
    refused(accept(|_, cedant, _| (cedant.alerts, cedant.alert_exposure) = (1, 55), NOW), PoolInAlert);
    refused(accept(|_, cedant, _| cedant.oldest_exit_day = TODAY - 1, NOW), ExitsWaiting);
    refused(accept(|_, _, reinsurer| reinsurer.oldest_exit_day = TODAY - 1, NOW), ExitsWaiting);
    refused(accept(|_, cedant, _| cedant.surplus = 99, NOW), SurplusTooSmall);
    // 1 % of 11,000, and of 11,001.
    assert!(accept(|treaty, _, _| treaty.kind = layer(110), NOW).is_ok());
    refused(accept(|treaty, _, _| treaty.kind = layer(109), NOW), AttachmentTooLow);
    let richer = |treaty: &mut Treaty, cedant: &mut Pool, _: &mut Pool| {
        treaty.kind = layer(110);
        (cedant.tranches[1].exiting, cedant.tranches[1].units, cedant.cash) = (1, 1_000, 11_001);
    };
    refused(accept(richer, NOW), AttachmentTooLow);
    let exposed = |_: &mut Treaty, cedant: &mut Pool, _: &mut Pool| cedant.add_exposure(0, 10_901).unwrap();
    refused(accept(exposed, NOW), BelowRequiredCapital);
    refused(accept(|_, _, reinsurer| reinsurer.tranches[1].assets = 999, NOW), BelowRequiredCapital);
    let full = |_: &mut Treaty, _: &mut Pool, reinsurer: &mut Pool| {
        reinsurer.inward.iter_mut().for_each(|inward| inward.treaty = key(7));
    };
    refused(accept(full, NOW), NoTreatyPlace);
}

#[test]
fn whoever_waits_to_leave_the_cedant_does_not_stop_a_renewal_on_terms_no_worse() {
    let accept = |limit, change: fn(&mut Pool, &mut Pool)| {
        let (mut treaty, mut cedant, mut reinsurer) = announced();
        let this = Treaty { start_day: TODAY, end_day: TODAY + 11, ..crate::common::treaty(QUOTA_SHARE, 900) };
        cedant.put_in_force(key(9), &this).unwrap();
        (treaty.kind, treaty.limit) = (QUOTA_SHARE, limit);
        change(&mut cedant, &mut reinsurer);
        treaty.accept(key(1), &mut cedant, &mut reinsurer, NOW)
    };
    assert!(accept(900, |cedant, _| cedant.oldest_exit_day = TODAY - 1).is_ok());
    refused(accept(899, |cedant, _| cedant.oldest_exit_day = TODAY - 1), ExitsWaiting);
    // The reinsurer's capital is bound by it: who waits to leave there is paid first.
    refused(accept(900, |_, reinsurer| reinsurer.oldest_exit_day = TODAY - 1), ExitsWaiting);
    assert!(accept(900, |cedant, _| (cedant.alerts, cedant.alert_exposure) = (1, 1)).is_ok());
    refused(accept(900, |cedant, _| (cedant.alerts, cedant.alert_exposure) = (1, 1_000)), PoolInAlert);
}

#[test]
fn commuting_ends_the_term_in_three_days_and_gives_back_what_is_unearned_then() {
    let (mut treaty, mut cedant, mut reinsurer) = announced();
    treaty.start_day = TODAY + 1;
    treaty.accept(key(1), &mut cedant, &mut reinsurer, NOW).unwrap();
    let now = NOW + 3 * DAY;
    refused(treaty.clone().commute(&key(1), &mut cedant, &mut reinsurer, NOW), WrongTreatyState);
    refused(treaty.clone().commute(&key(1), &mut cedant, &mut reinsurer, NOW + 16 * DAY), WrongTreatyState);
    let last = |now| treaty.clone().commute(&key(1), &mut { cedant }, &mut { reinsurer }, now);
    assert_eq!(last(NOW + 16 * DAY - 1).unwrap().end_day, TODAY + 19);
    cedant.accrue(now).unwrap();
    reinsurer.accrue(now).unwrap();
    let commuted = treaty.commute(&key(1), &mut cedant, &mut reinsurer, now).unwrap();
    // 13 of 20 days of 100, rounded down twice.
    assert_eq!(commuted, Commutation { end_day: TODAY + 7, returned: 64 });
    assert_eq!((treaty.end_day, cedant.layers[0].end), (TODAY + 7, NOW + 7 * DAY));
    assert_eq!(cedant.surplus, 964);
    refused(treaty.commute(&key(1), &mut cedant, &mut reinsurer, now + DAY), WrongTreatyState);
    cedant.invariant().unwrap();
    reinsurer.invariant().unwrap();
}

#[test]
fn a_treaty_that_owes_is_not_over_but_a_year_later() {
    let (mut treaty, mut cedant, mut reinsurer) = announced();
    treaty.accept(key(1), &mut cedant, &mut reinsurer, NOW).unwrap();
    cedant.ring_days = 2;
    let over = treaty.end() + 2 * DAY;
    assert!(cedant.treaty_is_over(&key(1), &treaty, over));
    cedant.layers[0].owed = 1;
    assert!(!cedant.treaty_is_over(&key(1), &treaty, over + 365 * DAY - 1));
    assert!(cedant.treaty_is_over(&key(1), &treaty, over + 365 * DAY));
    cedant.crisis.incidents = 1;
    assert!(!cedant.treaty_is_over(&key(1), &treaty, over + 365 * DAY));
}

#[test]
fn a_treaty_ends_in_the_books_of_both_once_it_can_no_longer_be_needed() {
    let (mut treaty, mut cedant, mut reinsurer) = announced();
    refused(treaty.end_announced(treaty.start() - 1), TreatyInUse);
    treaty.end_announced(treaty.start()).unwrap();
    treaty.accept(key(1), &mut cedant, &mut reinsurer, NOW).unwrap();
    cedant.ring_days = 2;
    let over = treaty.end() + 2 * DAY;
    refused(treaty.end_accepted(&key(1), &mut cedant, &mut reinsurer, over - 1), TreatyInUse);
    treaty.end_accepted(&key(1), &mut cedant, &mut reinsurer, over).unwrap();
    assert_eq!((cedant.layers[0], reinsurer.inward[0]), (LayerInForce::default(), InwardTreaty::default()));
}

#[test]
fn quota_share_premium_is_handed_over_whole_and_earned_over_seven_days() {
    let (mut cedant, mut reinsurer) = (pool_with(0, 0, 10_000), reinsurer_with(0, 0, 10_000));
    cedant.put_in_force(key(9), &treaty(QUOTA_SHARE, 900)).unwrap();
    refused(cedant.hand_premium_to((&key(31), &mut reinsurer), NOW), NothingOwed);
    cedant.treaty_payable[0] = 70;
    cedant.cash += 70;
    let ceded = cedant.hand_premium_to((&key(31), &mut reinsurer), NOW + 1).unwrap();
    let rate_q32 = (70 << 32) / (8 * 86_400 - 1);
    assert_eq!(ceded, CededPremium { amount: 70, rate_q32, end_day: TODAY + 8 });
    assert_eq!((cedant.treaty_payable[0], cedant.cash, reinsurer.unearned_premium), (0, 10_000, 70));
}

#[test]
fn surplus_is_ceded_within_seven_days_after_the_notice() {
    let (mut cedant, mut reinsurer) = (pool_with(1_000, 0, 10_000), reinsurer_with(0, 0, 10_000));
    let cession = |amount: u64, from: &Pool, to: &Pool| Cession::announce(amount, (key(30), from), (key(31), to), NOW);
    refused(cession(0, &cedant, &reinsurer), AmountTooSmall);
    refused(cession(1, &reinsurer, &reinsurer), WrongPoolKind);
    refused(cession(1, &cedant, &cedant), WrongPoolKind);
    let announced = cession(600, &cedant, &reinsurer).unwrap();
    // A week's cooldown and three days, then a week.
    assert_eq!((announced.from, announced.until), (NOW + 10 * DAY, NOW + 17 * DAY));
    refused(announced.cede(&mut cedant, &mut reinsurer, announced.from - 1), CessionNotAnnounced);
    refused(announced.cede(&mut cedant, &mut reinsurer, announced.until), CessionNotAnnounced);
    refused(announced.require_void(announced.until - 1), CessionNotAnnounced);
    announced.require_void(announced.until).unwrap();
    assert_eq!(announced.cede(&mut cedant, &mut reinsurer, announced.from).unwrap(), 600);
    assert_eq!((cedant.surplus, reinsurer.surplus), (400, 600));
    refused(announced.cede(&mut cedant, &mut reinsurer, announced.from), SurplusTooSmall);
}
