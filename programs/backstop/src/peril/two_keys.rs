//! Two keys: what a protocol holds has fallen, **and** attestors say that it lost it.
//!
//! Deposits leave for many reasons, and exploits do not always show in them. So a fall ([`super::vault`]) pays nothing. A window
//! of it **arms**: for 14 days the product sells nothing, and the second key is taken. Then it rests as long, and arms
//! anew no sooner.
//!
//! The **second key** is a report `Event` of the product's attestors: how much was lost, in basis points.
//!
//! - Signed by one of them, or more, it puts the product into alert: its pool's capital stays. That ends after 72 hours, and
//!   happens once while it is armed.
//! - Signed by m of them it is confirmed, and the event is proven: from a day after the fall armed it on, so that the fall
//!   has a day to show how deep it is, whoever calls first. Before, it begins the alert like any other. It is taken while the
//!   product is armed, and until the end of an alert that began then.
//!
//! The event is the beginning of the fall that armed, whoever reports when: nobody can choose by it which covers pay. Its
//! severity is the lesser of both keys': of the deepest fall while it was armed, and of the loss that is reported.
//!
//! Who gains by what:
//!
//! - a whale that takes its deposit out and puts it back arms: no sales for 14 days, and none of what it could claim;
//! - one attestor alone, or its thief: holds a pool's capital for 72 hours, once in 28 days, and only if it also halves the
//!   protocol;
//! - m attestors that collude: need the fall too, and get at most what the product's covers insure;
//! - a report that is early is refused (not armed), one that is late too, one of another event before the fall too; one that is
//!   shown twice is refused; who shows it does not matter.

use crate::error::BackstopError;
use crate::peril::evidence::Terms;
use crate::peril::feed::Source;
use anchor_lang::prelude::*;

const DAY: i64 = 86_400;
/// How long a product is armed, in seconds.
pub const ARMED_SECONDS: i64 = 14 * DAY;
/// How long it rests after that, in seconds.
pub const REST_SECONDS: i64 = 14 * DAY;
/// How long an alert lasts that is not confirmed, in seconds.
pub const REPORTED_SECONDS: i64 = 3 * DAY;
/// How long after it armed m attestors confirm at the earliest, in seconds.
pub const DEEPENS_SECONDS: i64 = DAY;
/// How much earlier than the fall the moment may be that a report names, in seconds: the fall is what is lost within two days.
pub const LEAD_SECONDS: i64 = 2 * DAY;

/// A fall that has lasted: a window of the evidence whose last slot is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fall {
    /// Start of its first slot, in unix seconds.
    pub event_at: i64,
    /// End of its last slot, in unix seconds.
    pub ended_at: i64,
    /// Mean price, in 1e-8.
    pub mean: u64,
    /// What that pays, in basis points.
    pub severity_bps: u16,
}

/// What attestors say that a protocol lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The part that is lost, in basis points, above zero.
    pub bps: u16,
    /// The moment that they name, in unix seconds.
    pub observed_at: i64,
    /// Whether m of them signed.
    pub is_confirmed: bool,
}

/// Where the two keys are. All zeros is a new one.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// When it armed last, in unix seconds: the end of the fall's last slot, whenever anybody called. 0: never.
    pub armed_at: i64,
    /// When the fall began that armed it, in unix seconds.
    pub event_at: i64,
    /// Lowest mean price of the fall while it was armed, in 1e-8.
    pub mean: u64,
    /// When an attestor reported first since it armed, in unix seconds; 0: none did.
    pub reported_at: i64,
    /// When m attestors confirmed, in unix seconds; 0: they did not.
    pub confirmed_at: i64,
    /// What the fall pays, in basis points.
    pub severity_bps: u16,
    /// What was reported last, in basis points; 0: nothing.
    pub loss_bps: u16,
    /// Zero.
    pub padding: [u8; 4],
}

impl Keys {
    /// First second at which it is armed no longer.
    pub fn armed_until(&self) -> i64 {
        self.armed_at.saturating_add(ARMED_SECONDS)
    }

    /// First second at which it may arm again.
    pub fn rests_until(&self) -> i64 {
        self.armed_until().saturating_add(REST_SECONDS)
    }

    /// First second at which the alert of a report that is not confirmed is over.
    pub fn reported_until(&self) -> i64 {
        self.reported_at.saturating_add(REPORTED_SECONDS)
    }

    /// Whether it is armed.
    pub fn is_armed(&self, now: i64) -> bool {
        self.armed_at != 0 && now < self.armed_until()
    }

    /// Whether it is in alert by a report.
    pub fn is_reported(&self, now: i64) -> bool {
        self.reported_at != 0 && now < self.reported_until()
    }

    /// Takes a fall: it arms, deepens what is armed, or counts for nothing in a rest. Whether anything changed.
    pub fn take(&mut self, fall: &Fall) -> bool {
        if self.is_armed(fall.ended_at) {
            let before = *self;
            self.mean = self.mean.min(fall.mean);
            self.severity_bps = self.severity_bps.max(fall.severity_bps);
            return *self != before;
        }
        if self.armed_at != 0 && fall.ended_at < self.rests_until() {
            return false;
        }
        let Fall { event_at, ended_at, mean, severity_bps } = *fall;
        *self = Self { armed_at: ended_at, event_at, mean, severity_bps, ..Self::default() };
        true
    }

    /// From when on m attestors confirm.
    pub fn confirms_from(&self) -> i64 {
        self.armed_at.saturating_add(DEEPENS_SECONDS)
    }

    /// Takes a report. Whether it proves the event.
    ///
    /// Errors: `LossAlreadyReported`, `NotArmed`, `LossBeforeFall`; nothing is changed then.
    pub fn report(&mut self, loss: &Loss, now: i64) -> Result<bool> {
        ensure!(self.confirmed_at == 0, BackstopError::LossAlreadyReported);
        ensure!(self.is_armed(now) || self.is_reported(now), BackstopError::NotArmed);
        let earliest = self.event_at.saturating_sub(LEAD_SECONDS);
        ensure!(loss.observed_at >= earliest, BackstopError::LossBeforeFall);
        let proves = loss.is_confirmed && now >= self.confirms_from();
        ensure!(proves || self.reported_at == 0, BackstopError::LossAlreadyReported);
        if self.reported_at == 0 {
            self.reported_at = now;
        }
        self.loss_bps = loss.bps;
        if proves {
            self.confirmed_at = now;
        }
        Ok(proves)
    }
}

/// How far back the event of a condition can lie when it is proven, and so what its product and pool must wait for and keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Longest from the event to its proof, in seconds. A pool's cooldown is longer.
    pub wait_seconds: u64,
    /// UTC days for which ended covers are kept: what ended before can no longer be the subject of an event.
    pub days: u32,
}

impl Reach {
    /// That of a feed's condition.
    pub fn of(source: Source, terms: &Terms) -> Self {
        let second_key = match source {
            Source::VaultDrop => ARMED_SECONDS.saturating_add(REPORTED_SECONDS).unsigned_abs(),
            Source::PythReceiver
            | Source::PythPush
            | Source::Attested
            | Source::StakePoolRate
            | Source::SplLendingRate => 0,
        };
        let days = u32::try_from(second_key.div_ceil(DAY.unsigned_abs())).unwrap_or(u32::MAX);
        Self {
            wait_seconds: terms.longest_wait_seconds().saturating_add(second_key),
            days: terms.ring_days().saturating_add(days),
        }
    }

    /// Least cooldown of a pool that insures the condition, in seconds: a day more than it can take to be proven.
    pub fn least_cooldown_seconds(&self) -> u64 {
        self.wait_seconds.saturating_add(DAY.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const T: i64 = 1_700_000_000;

    fn fall(ended_at: i64, mean: u64, severity_bps: u16) -> Fall {
        Fall { event_at: ended_at - 600, ended_at, mean, severity_bps }
    }

    fn loss(bps: u16, observed_at: i64, is_confirmed: bool) -> Loss {
        Loss { bps, observed_at, is_confirmed }
    }

    #[track_caller]
    fn refused(outcome: Result<bool>, expected: BackstopError) {
        assert_eq!(outcome.unwrap_err(), Error::from(expected));
    }

    #[test]
    fn a_fall_arms_for_14_days_and_again_after_14_more() {
        let mut keys = Keys::default();
        assert!(!keys.is_armed(T));
        assert!(keys.take(&fall(T, 40_000_000, 6_000)));
        assert!(keys.is_armed(T) && keys.is_armed(T + 14 * DAY - 1) && !keys.is_armed(T + 14 * DAY));
        assert!(!keys.take(&fall(T + 600, 45_000_000, 5_000)), "what is less deep changes nothing");
        assert!(keys.take(&fall(T + 14 * DAY - 1, 30_000_000, 7_000)));
        assert_eq!((keys.event_at, keys.mean, keys.severity_bps), (T - 600, 30_000_000, 7_000));
        let armed = keys;
        for rest in [T + 14 * DAY, T + 28 * DAY - 1] {
            assert!(!keys.take(&fall(rest, 1, 10_000)));
        }
        assert_eq!(keys, armed);
        assert!(keys.take(&fall(T + 28 * DAY, 45_000_000, 5_000)));
        assert_eq!((keys.armed_at, keys.event_at), (T + 28 * DAY, T + 28 * DAY - 600));
        assert_eq!((keys.mean, keys.severity_bps, keys.reported_at), (45_000_000, 5_000, 0));
    }

    #[test]
    fn a_report_is_taken_while_it_is_armed_and_until_the_end_of_its_alert() {
        let mut keys = Keys::default();
        refused(keys.report(&loss(5_000, T, true), T), BackstopError::NotArmed);
        keys.take(&fall(T, 40_000_000, 6_000));
        let armed = keys;
        refused(keys.report(&loss(5_000, T - 600 - 2 * DAY - 1, true), T), BackstopError::LossBeforeFall);
        refused(keys.report(&loss(5_000, T, true), T + 14 * DAY), BackstopError::NotArmed);
        refused(keys.report(&loss(5_000, T, false), T + 14 * DAY), BackstopError::NotArmed);
        assert_eq!(keys, armed, "a refusal changes nothing");
        // On the last second, by one: the alert outlasts what is armed, and m confirm it within.
        let last = T + 14 * DAY - 1;
        assert!(!keys.report(&loss(5_000, T - 600 - 2 * DAY, false), last).unwrap());
        assert!(keys.is_reported(last) && keys.is_reported(last + 3 * DAY - 1) && !keys.is_reported(last + 3 * DAY));
        refused(keys.report(&loss(5_000, T, false), last), BackstopError::LossAlreadyReported);
        refused(keys.report(&loss(5_000, T, true), last + 3 * DAY), BackstopError::NotArmed);
        assert!(keys.report(&loss(4_000, T, true), last + 3 * DAY - 1).unwrap());
        assert_eq!((keys.confirmed_at, keys.loss_bps, keys.reported_at), (last + 3 * DAY - 1, 4_000, last));
        refused(keys.report(&loss(4_000, T, true), last), BackstopError::LossAlreadyReported);
    }

    #[test]
    fn who_calls_first_fixes_no_shallow_part_of_a_fall() {
        let mut keys = Keys::default();
        keys.take(&fall(T, 40_000_000, 1_350));
        // All of them at once: an alert, and no proof for a day.
        assert!(!keys.report(&loss(9_500, T, true), T).unwrap());
        assert!(keys.is_reported(T) && keys.confirmed_at == 0);
        refused(keys.report(&loss(9_500, T, true), T + DAY - 1), BackstopError::LossAlreadyReported);
        assert!(keys.take(&fall(T + 1_200, 5_000_000, 9_500)));
        assert!(keys.report(&loss(9_500, T, true), T + DAY).unwrap());
        assert_eq!((keys.confirmed_at, keys.severity_bps), (T + DAY, 9_500));
    }

    #[test]
    fn one_attestor_alone_holds_a_pool_once_while_it_is_armed() {
        let mut keys = Keys::default();
        keys.take(&fall(T, 40_000_000, 6_000));
        keys.report(&loss(5_000, T, false), T + DAY).unwrap();
        assert!(!keys.is_reported(T + 4 * DAY));
        refused(keys.report(&loss(5_000, T, false), T + 4 * DAY), BackstopError::LossAlreadyReported);
        // m of them still may, as long as it is armed.
        keys.report(&loss(5_000, T, true), T + 13 * DAY).unwrap();
        assert_eq!(keys.confirmed_at, T + 13 * DAY);
    }
}
