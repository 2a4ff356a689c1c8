//! A cover by itself.

use crate::common::*;
use backstop::error::BackstopError::*;
use backstop::state::*;

#[test]
fn a_cover_protects_whole_days() {
    let cover = cover(TODAY, TODAY + 7, 1, 1);
    assert_eq!((cover.active_from(), cover.end()), (NOW, NOW + 7 * DAY));
    assert_eq!(cover.seconds_left(NOW + 7 * DAY - 5), 5);
    assert_eq!((cover.seconds_left(NOW + 7 * DAY), cover.seconds_left(NOW + 8 * DAY)), (0, 0));
    assert_eq!((cover.seconds_left(NOW), cover.seconds_left(NOW - 9)), (7 * 86_400, 7 * 86_400));
}

#[test]
fn a_cover_has_its_premium_to_earn_until_it_begins_and_less_by_the_second_from_then_on() {
    let exact = Policy { rate_q32: ONE_A_SECOND, ..cover(TODAY, TODAY + 7, 1, 604_800) };
    assert_eq!(exact.unearned_at(NOW - DAY).unwrap(), 604_800);
    assert_eq!(exact.unearned_at(NOW + 5).unwrap(), 604_795);
    assert_eq!(exact.unearned_at(NOW + 7 * DAY).unwrap(), 0);
    // 100 x 2^32 / 604,800 = 710,146.3: a unit is lost to the rounding of the rate.
    let rounded = Policy { rate_q32: 710_146, ..cover(TODAY, TODAY + 7, 1, 100) };
    assert_eq!(rounded.unearned_at(NOW).unwrap(), 99);
    let beyond = Policy { rate_q32: u64::MAX, ..cover(0, u32::MAX, 1, 1) };
    refused(beyond.unearned_at(0), MathOverflow);
}

#[test]
fn a_claim_follows_the_event_to_the_second() {
    let cover = cover(TODAY, TODAY + 7, 1, 1);
    assert_eq!(cover.claim(NOW - 1), Some(Claim::Refund));
    assert_eq!(cover.claim(NOW), Some(Claim::Loss));
    assert_eq!(cover.claim(NOW + 7 * DAY - 1), Some(Claim::Loss));
    assert_eq!(cover.claim(NOW + 7 * DAY), None);
}

#[test]
fn a_cover_is_open_until_it_is_paid_all_that_it_can_be() {
    let mut cover = cover(TODAY, TODAY + 7, 1, 1);
    cover.require_open().unwrap();
    cover.state = CoverState::Refunded;
    cover.require_open().unwrap();
    cover.state = CoverState::Settled;
    refused(cover.require_open(), CoverNotActive);
}

#[test]
fn protection_begins_at_the_first_boundary_at_or_after_the_waiting_time() {
    assert_eq!(activation_day(NOW, 86_400), TODAY + 1);
    assert_eq!(activation_day(NOW + 1, 86_400), TODAY + 2);
    assert_eq!(activation_day(NOW - 1, 86_400), TODAY + 1);
    assert_eq!(activation_day(NOW, 0), TODAY);
}
