//! Premium earned by the second (`docs/src/how/premium.md`).
//!
//! A rate is in units of the asset per second, as a Q32 number: the lower 32 bits are the fraction.
//! A pool has one stream: a rate, the fraction of a unit earned so far, one bucket for each of 32
//! days with what is added to the rate at the start of that UTC day, and one for each of 512 with
//! what ends there. The rate and all that is yet to start are always the sum of what is to end.

use super::rounding::{Rounding, mul_div, scale, wide};

const _: () = assert!(START_BUCKETS.is_power_of_two());

/// Seconds in a UTC day. Day 0 is 1 January 1970.
pub const SECONDS_PER_DAY: u64 = 86_400;

/// How many days ahead a stream can see, today included. Day `d` is in bucket `d % DAY_BUCKETS`.
pub const DAY_BUCKETS: usize = 512;

/// How many days ahead a stream knows what starts. Day `d` is in bucket `d % START_BUCKETS`.
pub const START_BUCKETS: usize = 32;

/// What one second earns is a Q32 number: this is one whole unit.
const ONE_Q32: u64 = 1 << 32;

/// The bits of a Q32 number that are its fraction.
const FRACTION_Q32: u64 = 0xffff_ffff;

/// What a stream earned over a time, and how it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Whole units earned.
    pub earned: u64,
    /// Rate from now on, Q32 units per second.
    pub rate_q32: u64,
    /// What started on the way, Q32 units per second.
    pub started_q32: u64,
    /// Fraction of a unit that is earned but not yet whole, Q32, below 2^32.
    pub fraction_q32: u64,
}

/// The rate at which `premium` is earned over `seconds`: `floor(premium * 2^32 / seconds)`.
///
/// Rounds down: what a stream earns never exceeds the premiums in it. `None` if `seconds` is 0 or
/// the rate is 2^32 units per second or more.
pub fn rate_q32(premium: u64, seconds: u64) -> Option<u64> {
    mul_div(premium, ONE_Q32, seconds, Rounding::Down)
}

/// What a constant rate earns in `seconds`, on top of an earlier fraction of a unit: whole units,
/// and the new fraction (Q32, below 2^32). Exact. `None` if the units do not fit.
pub fn earned(rate_q32: u64, seconds: u64, fraction_q32: u64) -> Option<(u64, u64)> {
    whole_and_fraction(wide(rate_q32, seconds).checked_add(u128::from(fraction_q32))?)
}

/// What a constant rate has still to earn in `seconds_left`: `floor(rate * seconds_left / 2^32)`.
///
/// Rounds down, against whoever cancels. `None` if it does not fit.
pub fn unearned(rate_q32: u64, seconds_left: u64) -> Option<u64> {
    earned(rate_q32, seconds_left, 0).map(|(units, _)| units)
}

/// What a part of `amount` that is spread evenly from `from` to `until` has come in by `to`: all of it from `until` on.
///
/// Rounds down: what is not in yet stays. `None` if the times are not in order.
pub fn spread(amount: u64, from: i64, to: i64, until: i64) -> Option<u64> {
    if to >= until {
        return Some(amount);
    }
    let passed = u64::try_from(to.checked_sub(from)?).ok()?;
    mul_div(amount, passed, u64::try_from(until.checked_sub(from)?).ok()?, Rounding::Down)
}

/// The bucket of the UTC day that contains the second `unix_seconds`. `None` before 1970.
pub fn bucket(unix_seconds: i64) -> Option<usize> {
    bucket_of_day(u64::try_from(unix_seconds).ok()? / SECONDS_PER_DAY)
}

/// Walks a stream from one second to another: earns at a constant rate between day boundaries, and
/// at the start of each day, that of `to` included, adds what starts on it to the rate, takes what
/// ends on it off, and empties both buckets. What starts is `waiting_q32` in all: where that is
/// nothing, its buckets are not looked at.
///
/// Exact: the fraction is carried. At most 512 buckets are looked at; a stream left alone for
/// longer has ended by then and earns nothing in the rest of the time. A `to` at or before `from`
/// changes nothing. `None` if the units do not fit, or before 1970; the buckets are then half walked,
/// and the instruction must fail.
///
/// Accrual must never stop a pool, so books that are wrong (more ends than ever started) end the
/// stream early instead of failing.
pub fn accrue(
    stream: &Stream,
    from: i64,
    to: i64,
    starts: &mut [u64; START_BUCKETS],
    ends: &mut [u64; DAY_BUCKETS],
) -> Option<Walk> {
    let Stream { rate_q32, waiting_q32, fraction_q32 } = *stream;
    if to <= from {
        return Some(Walk { earned: 0, rate_q32, started_q32: 0, fraction_q32 });
    }
    let from = u64::try_from(from).ok()?;
    let to = u64::try_from(to).ok()?;

    let first_day = (from / SECONDS_PER_DAY).saturating_add(1);
    let boundary = first_day.saturating_mul(SECONDS_PER_DAY);
    if to < boundary {
        let (earned, fraction_q32) = earned(rate_q32, to.saturating_sub(from), fraction_q32)?;
        return Some(Walk { earned, rate_q32, started_q32: 0, fraction_q32 });
    }

    let days = (to / SECONDS_PER_DAY).saturating_sub(first_day).saturating_add(1);
    let days = usize::try_from(days).unwrap_or(usize::MAX).min(DAY_BUCKETS);
    let mut walk = DayWalk { rate: rate_q32, days_left: u64::try_from(days).ok()?, ..DayWalk::default() };
    let started_q32 = if waiting_q32 == 0 { 0 } else { walk.start_on_days(first_day, days, starts)? };

    // The buckets are a ring: from the first day crossed to the end of the array, then from its
    // start.
    let (wrapped, ahead) = ends.split_at_mut_checked(bucket_of_day(first_day)?)?;
    let near = days.min(ahead.len());
    let far = days.saturating_sub(near);
    walk.end_on_days(ahead.get_mut(..near)?);
    walk.end_on_days(wrapped.get_mut(..far)?);
    // Of the last day entered, only the part that has passed; of one after 512 others, nothing.
    let days_q32 = walk.rates_of_days(rate_q32, days)?;
    let whole_days_q32 = days_q32.saturating_sub(u128::from(walk.rate));
    let rate = if days == DAY_BUCKETS { 0 } else { walk.rate };

    let sum_q32 = wide(rate_q32, boundary.saturating_sub(from))
        .checked_add(scale(whole_days_q32, SECONDS_PER_DAY)?)?
        .checked_add(wide(rate, to % SECONDS_PER_DAY))?
        .checked_add(u128::from(fraction_q32))?;
    let (earned, fraction_q32) = whole_and_fraction(sum_q32)?;
    Some(Walk { earned, rate_q32: rate, started_q32, fraction_q32 })
}

/// A stream as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// Rate now, Q32 units per second.
    pub rate_q32: u64,
    /// What is yet to start, Q32 units per second.
    pub waiting_q32: u64,
    /// Fraction of a unit that is earned but not yet whole, Q32.
    pub fraction_q32: u64,
}

/// A walk over consecutive days.
#[derive(Default)]
struct DayWalk {
    /// Rate on the day walked to.
    rate: u64,
    /// Days of the whole walk that are not walked yet.
    days_left: u64,
    /// What ended, times the days of the walk on which it is missing: sums of the low and of the high halves of 32
    /// bits, so that 64-bit numbers are enough. None of these overflows: 512 halves times 512 days are below 2^50.
    ended: (u64, u64),
    /// What started, times the days of the walk on which it is there: in the same halves.
    started: (u64, u64),
}

/// Adds `rate * days` to the sums of the two halves of rates.
fn add_halves((low, high): &mut (u64, u64), rate: u64, days: u64) {
    *low = low.wrapping_add((rate & FRACTION_Q32).wrapping_mul(days));
    *high = high.wrapping_add((rate >> 32).wrapping_mul(days));
}

fn of_halves((low, high): (u64, u64)) -> Option<u128> {
    (u128::from(high) << 32).checked_add(u128::from(low))
}

impl DayWalk {
    /// Adds what starts on the days of the walk to the rate, and empties its buckets. What starts is never later than
    /// what it ends with, so it may all be added before anything is taken off. Returns how much it is.
    fn start_on_days(&mut self, first_day: u64, days: usize, starts: &mut [u64; START_BUCKETS]) -> Option<u64> {
        let first = usize::try_from(first_day).ok()?;
        let mut all = 0u64;
        for ahead in 0..days.min(START_BUCKETS) {
            let bucket = starts.get_mut(first.wrapping_add(ahead) & const { START_BUCKETS.wrapping_sub(1) })?;
            let started = core::mem::take(bucket);
            if started != 0 {
                all = all.checked_add(started)?;
                let days_there = self.days_left.saturating_sub(u64::try_from(ahead).ok()?);
                add_halves(&mut self.started, started, days_there);
            }
        }
        self.rate = self.rate.checked_add(all)?;
        Some(all)
    }

    /// Empties the buckets of the next days and takes them off the rate. Eight days on which nothing ends cost
    /// about 20 CU together, a day on which something does 40.
    fn end_on_days(&mut self, buckets: &mut [u64]) {
        let (eights, rest) = buckets.as_chunks_mut::<8>();
        for eight in eights {
            let [a, b, c, d, e, f, g, h] = *eight;
            if a | b | c | d | e | f | g | h == 0 {
                self.days_left = self.days_left.saturating_sub(8);
            } else {
                self.end_day_by_day(eight);
            }
        }
        self.end_day_by_day(rest);
    }

    fn end_day_by_day(&mut self, buckets: &mut [u64]) {
        for bucket in buckets {
            // Books that are wrong end the stream early.
            let ends = core::mem::take(bucket).min(self.rate);
            if ends != 0 {
                self.rate = self.rate.saturating_sub(ends);
                add_halves(&mut self.ended, ends, self.days_left);
            }
            self.days_left = self.days_left.saturating_sub(1);
        }
    }

    /// The sum of the rates on the days of the walk, that before it being `rate_before`.
    fn rates_of_days(&self, rate_before: u64, days: usize) -> Option<u128> {
        let there = wide(rate_before, u64::try_from(days).ok()?).checked_add(of_halves(self.started)?)?;
        Some(there.saturating_sub(of_halves(self.ended)?))
    }
}

fn bucket_of_day(day: u64) -> Option<usize> {
    usize::try_from(day).ok()?.checked_rem(DAY_BUCKETS)
}

fn whole_and_fraction(sum_q32: u128) -> Option<(u64, u64)> {
    let fraction = sum_q32 & u128::from(FRACTION_Q32);
    Some((u64::try_from(sum_q32 >> 32).ok()?, u64::try_from(fraction).ok()?))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const HALF_Q32: u64 = ONE_Q32 / 2;

    /// Walks a stream in which nothing is yet to start.
    fn walk_on(rate: u64, fraction: u64, from: i64, to: i64, ends: &mut [u64; DAY_BUCKETS]) -> Option<Walk> {
        let stream = Stream { rate_q32: rate, waiting_q32: 0, fraction_q32: fraction };
        accrue(&stream, from, to, &mut [0; START_BUCKETS], ends)
    }

    #[test]
    fn a_rate_is_premium_per_second_rounded_down() {
        assert_eq!(rate_q32(1, 2), Some(HALF_Q32));
        assert_eq!(rate_q32(10, 3), Some(14_316_557_653)); // 10 * 4,294,967,296 / 3 = ...653.3
        assert_eq!(rate_q32(0, 3), Some(0));
        assert_eq!(rate_q32(1, 0), None);
        assert_eq!(rate_q32((1 << 32) - 1, 1), Some(u64::MAX - (ONE_Q32 - 1)));
        assert_eq!(rate_q32(1 << 32, 1), None);
    }

    #[test]
    fn fractions_are_carried_not_lost() {
        assert_eq!(earned(HALF_Q32, 1, 0), Some((0, HALF_Q32)));
        assert_eq!(earned(HALF_Q32, 1, HALF_Q32), Some((1, 0)));
        assert_eq!(earned(HALF_Q32, 5, HALF_Q32), Some((3, 0)));
        assert_eq!(earned(u64::MAX, u64::MAX, 0), None);
        assert_eq!(earned(u64::MAX, 1 << 32, ONE_Q32 - 1), Some((u64::MAX, ONE_Q32 - 1)));
    }

    #[test]
    fn what_is_unearned_is_rounded_down() {
        assert_eq!(unearned(HALF_Q32, 3), Some(1));
        assert_eq!(unearned(rate_q32(10, 3).unwrap(), 3), Some(9));
        assert_eq!(unearned(u64::MAX, u64::MAX), None);
    }

    #[test]
    fn a_rate_ends_exactly_at_the_start_of_its_day() {
        let mut ends = [0; DAY_BUCKETS];
        ends[2] = 3 * ONE_Q32;
        // The last second before the boundary earns; the boundary itself ends the rate.
        let before = walk_on(3 * ONE_Q32, 0, DAY, 2 * DAY - 1, &mut ends).unwrap();
        assert_eq!((before.earned, before.rate_q32), (3 * 86_399, 3 * ONE_Q32));
        assert_eq!(ends[2], 3 * ONE_Q32);
        let at = walk_on(before.rate_q32, 0, 2 * DAY - 1, 2 * DAY, &mut ends).unwrap();
        assert_eq!((at.earned, at.rate_q32), (3, 0));
        assert_eq!(ends[2], 0);
    }

    #[test]
    fn rates_end_one_after_another_and_the_ring_wraps() {
        let mut ends = [0; DAY_BUCKETS];
        ends[511] = ONE_Q32; // day 511
        ends[0] = 2 * ONE_Q32; // day 512
        ends[1] = 4 * ONE_Q32; // day 513
        let walk = walk_on(7 * ONE_Q32, 5, 510 * DAY, 513 * DAY + 9, &mut ends).unwrap();
        assert_eq!(walk, Walk { earned: 86_400 * (7 + 6 + 4), rate_q32: 0, started_q32: 0, fraction_q32: 5 });
        assert_eq!(ends, [0; DAY_BUCKETS]);
    }

    #[test]
    fn the_day_one_starts_from_is_not_crossed_again() {
        let mut ends = [0; DAY_BUCKETS];
        ends[1] = ONE_Q32; // bucket of today: day 513, not day 1
        let walk = walk_on(ONE_Q32, 0, DAY, DAY + 100, &mut ends).unwrap();
        assert_eq!(walk, Walk { earned: 100, rate_q32: ONE_Q32, started_q32: 0, fraction_q32: 0 });
        let walk = walk_on(ONE_Q32, 0, DAY, 514 * DAY, &mut ends).unwrap();
        assert_eq!(walk, Walk { earned: 512 * 86_400, rate_q32: 0, started_q32: 0, fraction_q32: 0 });
    }

    #[test]
    fn after_512_days_alone_a_stream_has_ended() {
        let mut ends = [ONE_Q32; DAY_BUCKETS];
        let rate = 512 * ONE_Q32;
        let walk = walk_on(rate, 0, 0, i64::MAX, &mut ends).unwrap();
        assert_eq!(walk.earned, 86_400 * (512 * 513 / 2));
        assert_eq!((walk.rate_q32, walk.fraction_q32), (0, 0));
        assert_eq!(ends, [0; DAY_BUCKETS]);
    }

    #[test]
    fn wrong_books_end_the_stream_and_do_not_stop_the_pool() {
        let mut ends = [u64::MAX; DAY_BUCKETS];
        let walk = walk_on(ONE_Q32, 0, 0, 3 * DAY, &mut ends).unwrap();
        assert_eq!(walk, Walk { earned: 86_400, rate_q32: 0, started_q32: 0, fraction_q32: 0 });
        let walk = walk_on(ONE_Q32, 0, 0, 600 * DAY, &mut [0; DAY_BUCKETS]).unwrap();
        assert_eq!(walk.rate_q32, 0);
    }

    #[test]
    fn time_that_does_not_pass_changes_nothing() {
        let mut ends = [1; DAY_BUCKETS];
        let still = Walk { earned: 0, rate_q32: 512, started_q32: 0, fraction_q32: 7 };
        assert_eq!(walk_on(512, 7, DAY, DAY, &mut ends), Some(still));
        assert_eq!(walk_on(512, 7, 2 * DAY, DAY, &mut ends), Some(still));
        assert_eq!(walk_on(512, 7, i64::MAX, i64::MIN, &mut ends), Some(still));
        assert_eq!(walk_on(512, 7, -1, 1, &mut ends), None);
        assert_eq!(ends, [1; DAY_BUCKETS]);
    }

    #[test]
    fn units_that_do_not_fit_are_none() {
        let mut ends = [0; DAY_BUCKETS];
        ends[500] = u64::MAX;
        assert_eq!(walk_on(u64::MAX, 0, 0, 400 * DAY, &mut ends).unwrap().earned >> 32, 400 * 86_400 - 1);
        let mut ends = [0; DAY_BUCKETS];
        ends[511] = u64::MAX;
        assert!(walk_on(u64::MAX, u64::MAX, 0, i64::MAX, &mut ends).is_some());
        assert_eq!(bucket(-1), None);
        assert_eq!(bucket(513 * DAY + 5), Some(1));
    }

    #[test]
    fn rates_start_exactly_at_the_start_of_their_day() {
        let (mut starts, mut ends) = ([0; START_BUCKETS], [0; DAY_BUCKETS]);
        starts[2] = 3 * ONE_Q32; // day 2
        ends[4] = 3 * ONE_Q32; // day 4
        let stream = Stream { rate_q32: 0, waiting_q32: 3 * ONE_Q32, fraction_q32: 9 };
        // The last second before the boundary earns nothing; the boundary itself starts the rate.
        let before = accrue(&stream, DAY, 2 * DAY - 1, &mut starts, &mut ends).unwrap();
        assert_eq!(before, Walk { earned: 0, rate_q32: 0, started_q32: 0, fraction_q32: 9 });
        let at = accrue(&stream, 2 * DAY - 1, 2 * DAY, &mut starts, &mut ends).unwrap();
        assert_eq!(at, Walk { earned: 0, rate_q32: 3 * ONE_Q32, started_q32: 3 * ONE_Q32, fraction_q32: 9 });
        assert_eq!(starts, [0; START_BUCKETS]);
        let stream = Stream { rate_q32: at.rate_q32, waiting_q32: 0, fraction_q32: 9 };
        let end = accrue(&stream, 2 * DAY, 9 * DAY, &mut starts, &mut ends).unwrap();
        assert_eq!(end, Walk { earned: 2 * 3 * 86_400, rate_q32: 0, started_q32: 0, fraction_q32: 9 });
    }

    #[test]
    fn what_starts_on_the_way_earns_from_its_day_on_and_the_ring_wraps() {
        let (mut starts, mut ends) = ([0; START_BUCKETS], [0; DAY_BUCKETS]);
        starts[30] = ONE_Q32; // day 30
        starts[1] = 2 * ONE_Q32; // day 33
        ends[100] = 3 * ONE_Q32;
        let stream = Stream { rate_q32: 0, waiting_q32: 3 * ONE_Q32, fraction_q32: 0 };
        let walk = accrue(&stream, 2 * DAY + 5, 40 * DAY + 7, &mut starts, &mut ends).unwrap();
        let earned = 86_400 * (10 + 2 * 7) + 3 * 7;
        assert_eq!(walk, Walk { earned, rate_q32: 3 * ONE_Q32, started_q32: 3 * ONE_Q32, fraction_q32: 0 });
        assert_eq!(starts, [0; START_BUCKETS]);
    }

    #[test]
    fn a_walk_in_steps_is_the_walk_at_once() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for _ in 0..300 {
            let (mut starts, mut ends) = ([0; START_BUCKETS], [0; DAY_BUCKETS]);
            let mut stream = Stream::default();
            let from = DAY * (1 + random(900) as i64) + random(86_400) as i64;
            let today = (from / DAY) as u64;
            for _ in 0..random(12) {
                let (start, rate) = (today + random(33), random(1 << 40));
                let end = (start + 1 + random(400)).min(today + 512);
                if start == today {
                    stream.rate_q32 += rate;
                } else {
                    stream.waiting_q32 += rate;
                    starts[start as usize % START_BUCKETS] += rate;
                }
                ends[end as usize % DAY_BUCKETS] += rate;
            }
            let to = from + random(520 * 86_400) as i64;
            let (mut once_starts, mut once_ends) = (starts, ends);
            let once = accrue(&stream, from, to, &mut once_starts, &mut once_ends).unwrap();
            let (mut at, mut earned, waiting) = (from, 0, stream.waiting_q32);
            while at < to {
                let next = (at + random(40 * 86_400) as i64 + 1).min(to);
                let step = accrue(&stream, at, next, &mut starts, &mut ends).unwrap();
                earned += step.earned;
                stream.rate_q32 = step.rate_q32;
                stream.waiting_q32 -= step.started_q32;
                stream.fraction_q32 = step.fraction_q32;
                at = next;
            }
            assert_eq!((earned, stream.rate_q32, stream.fraction_q32), (once.earned, once.rate_q32, once.fraction_q32));
            assert_eq!(waiting - stream.waiting_q32, once.started_q32);
            assert_eq!((starts, ends), (once_starts, once_ends));
        }
    }

    #[test]
    fn what_is_spread_comes_in_evenly_and_whole_at_its_end() {
        assert_eq!(spread(100, 10, 10, 20), Some(0));
        assert_eq!(spread(100, 10, 13, 20), Some(30));
        assert_eq!(spread(101, 10, 13, 20), Some(30)); // 30.3
        assert_eq!(spread(100, 10, 20, 20), Some(100));
        assert_eq!(spread(100, 10, 11, 5), Some(100));
        assert_eq!(spread(100, 10, 9, 20), None);
        assert_eq!(spread(u64::MAX, 0, 1, 2), Some(u64::MAX / 2));
    }
}
