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
fn a_cover_is_paid_once() {
    let mut cover = cover(TODAY, TODAY + 7, 1, 1);
    cover.require_active().unwrap();
    cover.state = CoverState::Settled;
    refused(cover.require_active(), CoverNotActive);
}

#[test]
fn protection_begins_at_the_first_boundary_at_or_after_the_waiting_time() {
    assert_eq!(activation_day(NOW, 86_400), TODAY + 1);
    assert_eq!(activation_day(NOW + 1, 86_400), TODAY + 2);
    assert_eq!(activation_day(NOW - 1, 86_400), TODAY + 1);
    assert_eq!(activation_day(NOW, 0), TODAY);
}
