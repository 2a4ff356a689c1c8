//! Releasing exposure, and what an event affects.

use crate::common::*;
use backstop::error::BackstopError::*;
use backstop::peril::AlertLevel;
use backstop::peril::evidence::{Direction, Phase, Severity, Terms, TermsInput};
use backstop::peril::feed::Observation;
use backstop::state::*;

/// A product with covers of 100 each that end on these days, all of them in force.
fn with_ends(days: &[u32]) -> (Pool, Product) {
    let (mut pool, mut product) = (pool_with(0, 1_000_000, 0), product());
    for day in days {
        product.exposure_ends[*day as usize % 512] += 100;
        product.exposure += 100;
        pool.add_exposure(3, 100).unwrap();
    }
    (pool, product)
}

#[test]
fn exposure_is_released_once_the_ring_no_longer_reaches_back_to_its_end() {
    let (mut pool, mut product) = with_ends(&[TODAY + 5, TODAY + 6, TODAY + 7, TODAY + 100]);
    let trigger = trigger();
    // The ring reaches two days back.
    assert_eq!(product.sync(&mut pool, &trigger, NOW + 7 * DAY - 1).unwrap(), 0);
    assert_eq!(product.released_day, TODAY + 4);
    assert_eq!(product.sync(&mut pool, &trigger, NOW + 8 * DAY).unwrap(), 200);
    assert_eq!((product.exposure, pool.group_exposure(3), pool.total_exposure), (200, 200, 200));
    assert_eq!(product.released_day, TODAY + 6);
    assert_eq!(product.exposure_ends[(TODAY as usize + 7) % 512], 100);
    assert_eq!(product.exposure_ends[(TODAY as usize + 6) % 512], 0);
    assert_eq!(product.sync(&mut pool, &trigger, NOW + 8 * DAY).unwrap(), 0);
    assert_eq!(product.sync(&mut pool, &trigger, NOW + 300 * DAY).unwrap(), 200);
    assert_eq!((product.exposure, product.released_day), (0, TODAY + 298));
    pool.invariant().unwrap();
}

#[test]
fn the_released_day_never_goes_back() {
    let (mut pool, mut product) = with_ends(&[TODAY + 5]);
    product.released_day = TODAY + 4;
    assert_eq!(product.sync(&mut pool, &trigger(), NOW).unwrap(), 0);
    assert_eq!(product.released_day, TODAY + 4);
}

/// The same product, breaching, and counted in the alert of its pool.
fn breaching(days: &[u32]) -> (Pool, Product, Trigger) {
    let (mut pool, product) = with_ends(days);
    let mut trigger = trigger();
    trigger.evidence.phase = 1;
    trigger.alert_number =
        pool.move_alert(product.alert(0), AlertLevel::None, AlertLevel::Breaching, NOW + DAY).unwrap();
    (pool, product, trigger)
}

#[test]
fn covers_that_have_ended_are_released_in_an_alert_too_and_the_alert_is_over_with_the_last() {
    let (mut pool, mut product, trigger) = breaching(&[TODAY + 5, TODAY + 100]);
    // 200 of 1,000,000 would be small.
    pool.tranches[0].assets = 20_100;
    (pool.alerts_since, pool.stands_since) = (NOW + DAY, NOW + DAY);
    // A crisis waits for it.
    (pool.crisis.incidents, pool.crisis.final_at, pool.crisis.ring_days) = (1, NOW + 2 * DAY, 200);
    assert_eq!(product.sync(&mut pool, &trigger, NOW + 8 * DAY).unwrap(), 100);
    assert_eq!((pool.alerts, pool.alert_exposure, pool.group_alert_exposures[3]), (1, 100, 100));
    assert!(pool.total_exposure == 100 && !pool.crisis_is_ripe(NOW + 103 * DAY));
    // 100 are small: nothing holds the pool any more but the crisis.
    assert_eq!(pool.alerts_since, 0);
    assert_eq!(product.sync(&mut pool, &trigger, NOW + 103 * DAY).unwrap(), 100);
    assert_eq!((pool.alerts, pool.alerts_due, pool.group_alerts[3], pool.running_alerts().count()), (0, 0, 0, 0));
    assert!(pool.crisis_is_ripe(NOW + 103 * DAY));
    assert_eq!((pool.alert_exposure, pool.group_alert_exposures[3], pool.total_exposure), (0, 0, 0));
    // What the trigger does now concerns nobody.
    pool.move_alert(product.alert(1), AlertLevel::Breaching, AlertLevel::Due, NOW + 104 * DAY).unwrap();
    pool.move_alert(product.alert(1), AlertLevel::Due, AlertLevel::None, NOW + 105 * DAY).unwrap();
    assert_eq!((pool.alerts, pool.alerts_due), (0, 0));
}

#[test]
fn an_alert_that_was_due_ends_as_such_with_its_last_cover() {
    let (mut pool, mut product, mut trigger) = breaching(&[TODAY + 5]);
    trigger.evidence.phase = 2;
    pool.move_alert(product.alert(1), AlertLevel::Breaching, AlertLevel::Due, NOW + DAY).unwrap();
    assert_eq!((pool.alerts_due, pool.due_since), (1, NOW + DAY));
    assert_eq!(product.sync(&mut pool, &trigger, NOW + 8 * DAY).unwrap(), 100);
    assert_eq!((pool.alerts, pool.alerts_due, pool.due_since), (0, 0, 0));
}

#[test]
fn nothing_is_released_once_an_event_is_proven_or_after_an_incident() {
    let (mut pool, mut product) = with_ends(&[TODAY + 5]);
    let mut moving = trigger();
    for phase in [3, 4] {
        moving.evidence.phase = phase;
        assert_eq!(product.sync(&mut pool, &moving, NOW + 30 * DAY).unwrap(), 0);
    }
    // A window whose last slot is settled: the next call triggers.
    moving.evidence.phase = 2;
    let slot = moving.terms.slot_of(NOW + 30 * DAY).unwrap();
    moving.evidence.window_last = slot;
    let settled_at = moving.terms.settled_at(slot);
    assert_eq!(product.sync(&mut pool, &moving, settled_at).unwrap(), 0);
    assert_eq!(product.released_day, TODAY - 2);
    let mut before = (pool, product);
    before.0.move_alert(before.1.alert(0), AlertLevel::None, AlertLevel::Due, NOW).unwrap();
    assert_eq!(before.1.sync(&mut before.0, &moving, settled_at - 1).unwrap(), 100);
    product.state = ProductState::Over.byte();
    assert_eq!(product.sync(&mut pool, &trigger(), NOW + 30 * DAY).unwrap(), 0);
    assert_eq!((product.released_day, product.exposure), (TODAY - 2, 100));
    // Frozen and in run-off it is released like ever.
    product.state = ProductState::RunOff.byte();
    assert_eq!(product.sync(&mut pool, &trigger(), NOW + 30 * DAY).unwrap(), 100);
}

#[test]
fn a_product_left_alone_for_years_is_released_in_one_turn() {
    let (mut pool, mut product) = with_ends(&[TODAY - 1, TODAY + 509]);
    assert_eq!(product.sync(&mut pool, &trigger(), NOW + 5_000 * DAY).unwrap(), 200);
    assert_eq!((product.exposure, product.released_day, pool.total_exposure), (0, TODAY + 4_998, 0));
}

#[test]
fn an_event_affects_covers_in_force_and_the_premiums_of_those_that_wait() {
    let (_, mut product) = with_ends(&[TODAY + 5, TODAY + 6, TODAY + 40]);
    // Two of them were bought lately: one begins tomorrow, one the day after.
    product.newest_activation_day = TODAY + 2;
    for (day, premium) in [(TODAY + 1, 7), (TODAY + 2, 20)] {
        product.starts[day as usize % 64] = StartBucket { sum_insured: 100, premium, ..StartBucket::default() };
    }
    let affected = |day: u32, seconds: i64| product.affected(i64::from(day) * DAY + seconds).unwrap();
    assert_eq!(affected(TODAY, 0), Affected { sums: 100, premiums: 27 });
    assert_eq!(affected(TODAY, DAY - 1), Affected { sums: 100, premiums: 27 });
    assert_eq!(affected(TODAY + 1, 0), Affected { sums: 200, premiums: 20 });
    assert_eq!(affected(TODAY + 2, 0), Affected { sums: 300, premiums: 0 });
    // A cover that ends on a day is not in force on it.
    assert_eq!(affected(TODAY + 4, DAY - 1), Affected { sums: 300, premiums: 0 });
    assert_eq!(affected(TODAY + 5, 0), Affected { sums: 200, premiums: 0 });
    assert_eq!(affected(TODAY + 6, 0), Affected { sums: 100, premiums: 0 });
    assert_eq!(affected(TODAY + 40, 0), Affected { sums: 0, premiums: 0 });
}

#[test]
fn an_activation_day_beyond_the_ring_of_buckets_waits_no_more() {
    let (_, mut product) = with_ends(&[TODAY + 40]);
    product.newest_activation_day = TODAY + 64;
    // Its bucket is that of 64 days later, where 60 were sold.
    product.starts[(TODAY as usize + 64) % 64] = StartBucket { sum_insured: 60, premium: 6, ..StartBucket::default() };
    assert_eq!(product.affected(NOW - DAY).unwrap(), Affected { sums: 40, premiums: 6 });
    // Books that do not add up are refused.
    product.starts[(TODAY as usize + 63) % 64].sum_insured = 60;
    refused(product.affected(NOW - DAY), InvariantViolated);
}

#[test]
fn an_incident_ends_the_product_and_its_funding_takes_the_exposure_out() {
    let (mut pool, mut product) = with_ends(&[TODAY + 5, TODAY + 6]);
    pool.add_exposure(3, 11).unwrap();
    product.end_with(NOW + 3);
    assert_eq!((product.state(), product.event_at), (ProductState::Over, NOW + 3));
    product.release_all(&mut pool).unwrap();
    assert_eq!((product.exposure, pool.group_exposure(3), pool.total_exposure), (0, 11, 11));
    pool.invariant().unwrap();
}

#[test]
fn a_cover_is_spent_when_it_can_no_longer_be_paid() {
    let mut product = product();
    product.released_day = TODAY;
    assert!(product.is_spent(&cover(TODAY - 10, TODAY, 1, 1)));
    assert!(!product.is_spent(&cover(TODAY - 10, TODAY + 1, 1, 1)));
    // Over: by the event alone, until the incident is closed.
    product.end_with(NOW);
    assert!(product.is_spent(&cover(TODAY - 10, TODAY, 1, 1)));
    assert!(!product.is_spent(&cover(TODAY - 10, TODAY + 1, 1, 1)));
    product.released_day = TODAY + 50;
    assert!(!product.is_spent(&cover(TODAY - 10, TODAY + 1, 1, 1)));
    product.incident_closed = 1;
    assert!(product.is_spent(&cover(TODAY - 10, TODAY + 1, 1, 1)));
}

#[test]
fn a_cover_may_be_closed_when_it_is_done_and_given_up_by_its_holder_alone() {
    let mut product = product();
    let live = cover(TODAY - 10, TODAY + 1, 1, 1);
    let settled = Policy { state: CoverState::Settled, ..cover(TODAY - 10, TODAY + 1, 1, 1) };
    for by_holder in [false, true] {
        refused(product.require_may_close(&live, by_holder), CoverStillLive);
        product.require_may_close(&settled, by_holder).unwrap();
        product.require_may_close(&cover(TODAY - 10, product.released_day, 1, 1), by_holder).unwrap();
    }
    // An incident may still pay it.
    product.end_with(NOW);
    refused(product.require_may_close(&live, false), CoverStillLive);
    product.require_may_close(&live, true).unwrap();
}

#[test]
fn a_cover_is_releasable_when_the_ring_has_passed_its_end() {
    assert_eq!(product().release_time(TODAY + 5), NOW + 7 * DAY);
}

/// The longest condition that there may be: 160 hours with 40 of tolerance and 24 to contradict it, 224 slots of a ring of
/// 256.
fn longest() -> Terms {
    Terms::new(&TermsInput {
        direction: Direction::Below,
        threshold: 95_000_000,
        recovery: 96_000_000,
        severity: Severity::Binary,
        duration_seconds: 160 * 3_600,
        slot_seconds: 3_600,
        tolerance_seconds: 40 * 3_600,
        challenge_seconds: 24 * 3_600,
        run_on_seconds: 0,
        quiet_seconds: 160 * 3_600,
        confidence_multiplier: 200,
    })
    .unwrap()
}

/// Whoever syncs in an alert, at any moment, and whoever shows what, when: an event that is proven later lies behind the
/// last day on which covers ended that were released.
#[test]
fn no_event_that_is_proven_later_concerns_a_cover_that_was_released() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let terms = longest();
    let (mut proven, mut close, mut called_late) = (0, 0, 0);
    for _ in 0..800 {
        let mut trigger = Trigger { terms, ..trigger() };
        let mut product = product();
        product.ring_days = terms.ring_days();
        product.released_day = TODAY - product.ring_days;
        let mut pool = pool_with(0, 1_000_000, 0);
        let miss = random(5);
        let until = 165 + random(80);
        for slot in 0..until {
            let start = NOW + 3_600 * i64::try_from(slot).unwrap();
            // A breach in most slots, at once or as late as it is taken; now and then two prints that contradict one.
            let (price, apart) = match random(20) {
                0 => (95_500_000, 600),
                n if n <= miss => continue,
                _ => (90_000_000, 0),
            };
            let late = if random(3) == 0 { i64::try_from(random(12 * 3_600)).unwrap() } else { 0 };
            let now = (start + 3_599 + late).max(trigger.evidence.last_publish_time);
            for publish_time in [start, start + apart] {
                let _ = trigger.observe(&Observation { price, confidence: 0, publish_time }, now);
            }
            if trigger.phase().is_triggered() {
                break;
            }
            product.sync(&mut pool, &trigger, now).unwrap();
        }
        // Then nobody calls for a while, but somebody syncs.
        let last = NOW + 3_600 * i64::try_from(until).unwrap() + 12 * 3_600;
        for _ in 0..10 {
            product.sync(&mut pool, &trigger, last + i64::try_from(random(30 * 86_400)).unwrap()).unwrap();
        }
        let end = last + 60 * DAY;
        called_late += i32::from(trigger.phase() == Phase::Met);
        trigger.refresh(end);
        if trigger.phase().is_triggered() {
            let event_day = day_of(trigger.evidence.event_at);
            assert!(product.released_day <= event_day, "{} and {event_day}", product.released_day);
            proven += 1;
            close += i32::from(product.released_day + 2 >= event_day);
        }
    }
    assert!(
        proven > 100 && close > 20 && called_late > 20,
        "{proven} proven, {close} close, {called_late} called late"
    );
}
