//! Moving amounts between ledger entries, and rings of buckets by day.

use crate::error::BackstopError;
use anchor_lang::prelude::*;

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
const fn place<const N: usize>(day: u32) -> usize {
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
