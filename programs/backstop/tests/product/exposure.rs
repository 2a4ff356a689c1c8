//! Releasing exposure, and what an event affects.

use crate::common::*;
use backstop::error::BackstopError::*;
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

#[test]
fn nothing_is_released_while_the_trigger_moves_or_after_an_incident() {
    let (mut pool, mut product) = with_ends(&[TODAY + 5]);
    let mut moving = trigger();
    moving.evidence.phase = 1;
    assert_eq!(product.sync(&mut pool, &moving, NOW + 30 * DAY).unwrap(), 0);
    assert_eq!(product.released_day, TODAY - 2);
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
    let settled = Cover { state: CoverState::Settled, ..cover(TODAY - 10, TODAY + 1, 1, 1) };
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
