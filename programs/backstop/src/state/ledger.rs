//! Moving amounts between ledger entries, and rings of buckets by day.

use crate::error::BackstopError;
use anchor_lang::prelude::*;
use core::ops::Range;

/// A result of [`crate::math`]: what does not fit is refused.
pub(crate) fn fits<T>(value: Option<T>) -> Result<T> {
    Ok(value.ok_or(BackstopError::MathOverflow)?)
}

/// Adds to a ledger entry.
pub(crate) fn credit(entry: &mut u64, amount: u64) -> Result<()> {
    *entry = fits(entry.checked_add(amount))?;
    Ok(())
}

/// Takes from a ledger entry; a ledger entry never goes below zero.
pub(crate) fn debit(entry: &mut u64, amount: u64) -> Result<()> {
    *entry = entry.checked_sub(amount).ok_or(BackstopError::InvariantViolated)?;
    Ok(())
}

/// Place of a day in a ring of `N` buckets.
pub(crate) const fn place<const N: usize>(day: u32) -> usize {
    // A power of two, so that days that follow one another have places that do, and a mask finds them.
    const { assert!(N.is_power_of_two()) };
    (day as usize) & const { N - 1 }
}

/// The bucket of a day.
#[expect(clippy::indexing_slicing, reason = "the place is below the length")]
pub(crate) fn bucket<const N: usize>(buckets: &[u64; N], day: u32) -> u64 {
    buckets[place::<N>(day)]
}

/// The bucket of a day, to change.
#[expect(clippy::indexing_slicing, reason = "the place is below the length")]
pub(crate) fn bucket_mut<const N: usize>(buckets: &mut [u64; N], day: u32) -> &mut u64 {
    &mut buckets[place::<N>(day)]
}

/// The buckets of the days from `first` to `last`, a turn of the ring at most, in two pieces: up to the end of the
/// array, and on from its start.
fn pieces<const N: usize>(first: u32, last: u32) -> (Range<usize>, Range<usize>) {
    let days = if last < first { 0 } else { (last.saturating_sub(first) as usize).saturating_add(1).min(N) };
    let start = place::<N>(first);
    let near = days.min(N.saturating_sub(start));
    (start..start.saturating_add(near), 0..days.saturating_sub(near))
}

/// Empties the buckets of the days from `first` to `last` and returns their sum.
pub(crate) fn take_days<const N: usize>(buckets: &mut [u64; N], first: u32, last: u32) -> Result<u64> {
    let (near, far) = pieces::<N>(first, last);
    let mut sum = 0;
    for piece in [near, far] {
        let piece = buckets.get_mut(piece).unwrap_or(&mut []);
        credit(&mut sum, sum_of(piece)?)?;
        piece.fill(0);
    }
    Ok(sum)
}

/// The sum of the buckets of the days from `first` to `last`.
pub(crate) fn sum_days<const N: usize>(buckets: &[u64; N], first: u32, last: u32) -> Result<u64> {
    let (near, far) = pieces::<N>(first, last);
    let mut sum = sum_of(buckets.get(near).unwrap_or(&[]))?;
    credit(&mut sum, sum_of(buckets.get(far).unwrap_or(&[]))?)?;
    Ok(sum)
}

/// The sum of amounts, most of which are nothing: eight of these cost about 20 CU together.
fn sum_of(amounts: &[u64]) -> Result<u64> {
    let (eights, rest) = amounts.as_chunks::<8>();
    let mut sum = 0;
    for eight in eights {
        let [a, b, c, d, e, f, g, h] = *eight;
        if a | b | c | d | e | f | g | h != 0 {
            eight.iter().try_for_each(|amount| credit(&mut sum, *amount))?;
        }
    }
    rest.iter().try_for_each(|amount| credit(&mut sum, *amount))?;
    Ok(sum)
}

/// The sum of sixteen entries, if it fits. Of less than 2^60 it always does: to ask that of all together, and eight at a
/// time, takes a quarter of what it takes to ask each.
#[inline]
pub(crate) fn sum_of_all(entries: &[u64; 16]) -> Option<u64> {
    let (mut sum, mut bits) = (0u64, 0);
    for eight in entries.as_chunks::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *eight;
        bits |= a | b | c | d | e | f | g | h;
        let low = a.wrapping_add(b).wrapping_add(c).wrapping_add(d);
        let high = e.wrapping_add(f).wrapping_add(g).wrapping_add(h);
        sum = sum.wrapping_add(low).wrapping_add(high);
    }
    if bits >> 60 == 0 { Some(sum) } else { entries.iter().try_fold(0u64, |sum, entry| sum.checked_add(*entry)) }
}

/// The sum of sixteen numbers of 16 bits, four in each word. Mostly they are all nothing.
#[inline]
pub(crate) fn sum_of_shorts(words: [u64; 4]) -> u64 {
    const HALVES: u64 = 0x0000_ffff_0000_ffff;
    let [a, b, c, d] = words;
    if a | b | c | d == 0 {
        return 0;
    }
    let pair = |word: u64| (word & HALVES).wrapping_add(word >> 16 & HALVES);
    let pairs = pair(a).wrapping_add(pair(b)).wrapping_add(pair(c)).wrapping_add(pair(d));
    (pairs & 0xffff_ffff).wrapping_add(pairs >> 32)
}

/// Fills a ring with an amount, eight places at a time.
pub(crate) fn fill<const N: usize>(ring: &mut [u64; N], amount: u64) {
    const { assert!(N.is_multiple_of(8)) };
    for eight in ring.as_chunks_mut::<8>().0 {
        *eight = [amount, amount, amount, amount, amount, amount, amount, amount];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_of_entries_fits_or_is_none() {
        let all = |first: [u64; 3], others: u64| {
            let [a, b, c] = first;
            let entries = core::array::from_fn(|place| *[a, b, c].get(place).unwrap_or(&others));
            let expected = entries.iter().try_fold(0u64, |sum, entry| sum.checked_add(*entry));
            assert_eq!(sum_of_all(&entries), expected, "{entries:?}");
            expected
        };
        assert_eq!(all([0, 0, 0], 0), Some(0));
        assert_eq!(all([1, u64::MAX - 3, 2], 0), Some(u64::MAX));
        assert_eq!(all([1, u64::MAX, 2], 0), None);
        assert_eq!(all([u64::MAX, u64::MAX, 2], 0), None);
        assert_eq!(all([(1 << 60) - 1; 3], (1 << 60) - 1), Some(u64::MAX - 15));
        assert_eq!(all([1 << 60, 0, 0], 1 << 60), Some(14 << 60));
        assert_eq!(all([1 << 60; 3], 1 << 60), None);
        assert_eq!(all([7, 11, 13], 17), Some(31 + 13 * 17));
    }

    #[test]
    fn numbers_of_16_bits_are_summed_in_words() {
        for shorts in [[0; 16], [u16::MAX; 16], core::array::from_fn(|place| 1 << place)] {
            let expected: u64 = shorts.iter().map(|short: &u16| u64::from(*short)).sum();
            assert_eq!(sum_of_shorts(bytemuck::cast(shorts)), expected);
        }
    }

    #[test]
    fn a_ring_is_filled() {
        let mut ring = [1; 32];
        fill(&mut ring, 7);
        assert_eq!(ring, [7; 32]);
    }

    #[test]
    fn the_days_of_a_ring_are_summed_and_emptied_across_its_end() {
        for first in 1..40u32 {
            for days in 0..70u32 {
                let ring: [u64; 32] = core::array::from_fn(|place| if place % 3 == 0 { 1 << place } else { 0 });
                let inside = |day: u32| (first..first + days).any(|other| other % 32 == day);
                let expected: u64 = (0..32).filter(|day| inside(*day)).map(|day| ring[day as usize]).sum();
                let last = first + days - 1;
                assert_eq!(sum_days(&ring, first, last).unwrap(), expected);
                let mut taken = ring;
                assert_eq!(take_days(&mut taken, first, last).unwrap(), expected);
                for day in 0..32 {
                    assert_eq!(taken[day as usize], if inside(day) { 0 } else { ring[day as usize] });
                }
            }
        }
    }
}
