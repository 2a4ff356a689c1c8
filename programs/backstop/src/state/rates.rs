//! The premium of one product within its pool's stream: what of it an incident ends, and whose it is then.
//!
//! A product keeps its sums by the first insured day of its covers ([`StartBucket`]); the rates by their last day are in
//! an account of their own, which only those instructions pass that change or need them.

use crate::constants::*;
use crate::error::BackstopError;
use crate::math::rounding::{halves, wide};
use crate::state::ledger::{bucket_mut, credit, debit, fits, take_days};
use crate::state::{Policy, Pool, Product, day_of, day_start};
use anchor_lang::prelude::*;

/// Rates at which the premium of a product's covers is earned, by the day on which they end.
#[account(zero_copy)]
#[derive(Debug, PartialEq, Eq)]
pub struct Rates {
    /// The product.
    pub product: Pubkey,
    /// Buckets of this UTC day and before are empty, or those of a day one turn of the ring later.
    pub cleared_day: u32,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// Unused.
    pub padding: [u8; 2],
    /// Room for later fields.
    pub reserved: [u64; 8],
    /// Rate that ends at the start of each UTC day, by day modulo 512, in Q32 asset units a second.
    pub ends: [u64; DAY_BUCKETS],
}

const _: () = assert!(core::mem::size_of::<Rates>() == 4_200);
const _: () = assert!(core::mem::align_of::<Rates>() <= 8);

in_place_account!(Rates {});

/// Covers of a product that begin to be insured on one day.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StartBucket {
    /// Sums insured, in asset units.
    pub sum_insured: u64,
    /// Premiums, in asset units.
    pub premium: u64,
    /// Rate at which these are earned from this day on, in Q32 asset units a second.
    pub rate_q32: u64,
    /// The sum of each cover's rate times its length in seconds, Q32: what all of them have to earn. Low 64 bits.
    pub due_low: u64,
    /// High 64 bits of the same.
    pub due_high: u64,
}

impl StartBucket {
    /// What all of them have to earn, Q32: the sum of rate times length.
    pub fn due_q32(&self) -> u128 {
        u128::from(self.due_high) << 64 | u128::from(self.due_low)
    }

    fn set_due_q32(&mut self, due: u128) {
        (self.due_low, self.due_high) = halves(due);
    }

    /// Adds a cover.
    pub(crate) fn add(&mut self, cover: &StreamedCover) -> Result<()> {
        credit(&mut self.sum_insured, cover.sum_insured)?;
        credit(&mut self.premium, cover.premium)?;
        credit(&mut self.rate_q32, cover.rate_q32)?;
        self.set_due_q32(fits(self.due_q32().checked_add(cover.due_q32()))?);
        Ok(())
    }

    /// Takes a cover out again.
    pub(crate) fn remove(&mut self, cover: &StreamedCover) -> Result<()> {
        debit(&mut self.sum_insured, cover.sum_insured)?;
        debit(&mut self.premium, cover.premium)?;
        debit(&mut self.rate_q32, cover.rate_q32)?;
        self.set_due_q32(self.due_q32().checked_sub(cover.due_q32()).ok_or(BackstopError::InvariantViolated)?);
        Ok(())
    }
}

/// What the buckets keep of a cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamedCover {
    /// Sum insured, in asset units.
    pub sum_insured: u64,
    /// Premium, in asset units.
    pub premium: u64,
    /// Rate at which it is earned, in Q32 asset units a second.
    pub rate_q32: u64,
    /// First insured UTC day.
    pub active_day: u32,
    /// First UTC day that is no longer insured.
    pub end_day: u32,
}

impl StreamedCover {
    /// What they keep of a policy that was sold.
    pub fn of(policy: &Policy) -> Self {
        Self {
            sum_insured: policy.sum_insured,
            premium: policy.premium,
            rate_q32: policy.rate_q32,
            active_day: policy.active_day,
            end_day: policy.end_day,
        }
    }

    /// Rate times length: what the cover has to earn in all, Q32.
    fn due_q32(&self) -> u128 {
        wide(self.rate_q32, seconds_from(day_start(self.active_day), day_start(self.end_day)))
    }
}

/// A part of a product's premium that was earned before its incident was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EarnedPart {
    /// First second of the time in which it was earned.
    pub from: i64,
    /// Asset units.
    pub amount: u64,
}

/// Parts of the time from A to T at the most: it may be cut where each quota share begins and ends.
pub const EARNED_PARTS: usize = 1 + 2 * MAX_QUOTA_SHARES;

/// What an incident makes of its product's unearned premium, in asset units, each rounded down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedPremium {
    /// A: the moment up to which the pool had earned. What a cover that waited had not earned then, it gets back.
    pub accrued_at: i64,
    /// T: the moment at which the protection of the covers in force ended. What these had not earned then is the loss's.
    pub ended_at: i64,
    /// What the covers in force earned from there to the end of their protection, cut where a quota share begins or ends;
    /// parts that there are not are nothing.
    pub earned: [EarnedPart; EARNED_PARTS],
    /// What the covers that were waiting at the event had not earned.
    pub waiting: u64,
    /// What the covers in force had not earned when their protection ended.
    pub loss: u64,
}

impl Rates {
    /// Bytes of the account, discriminator included.
    pub const SPACE: usize = 8 + core::mem::size_of::<Rates>();

    /// Adds a cover that was sold; `accrued_at` is how far the pool has earned.
    pub fn add(&mut self, cover: &StreamedCover, accrued_at: i64) -> Result<()> {
        self.turn(accrued_at)?;
        credit(bucket_mut(&mut self.ends, cover.end_day), cover.rate_q32)
    }

    /// Takes a cancelled cover out.
    pub fn remove(&mut self, cover: &StreamedCover) -> Result<()> {
        debit(bucket_mut(&mut self.ends, cover.end_day), cover.rate_q32)
    }

    /// Empties the buckets of days that the pool has earned past.
    fn turn(&mut self, accrued_at: i64) -> Result<()> {
        let day = day_of(accrued_at);
        if day > self.cleared_day {
            take_days(&mut self.ends, self.cleared_day.saturating_add(1), day)?;
            self.cleared_day = day;
        }
        Ok(())
    }

    /// Takes all that is left of the product's rates out of its pool's stream, and reckons whose its premium is.
    ///
    /// With A, how far the pool has earned, E the event and T the end of the protection, and by the day:
    ///
    /// - U(t) = sum over ends e > t of rate x (e - t) less sum over starts a > t of rate x (a - t): unearned at t;
    /// - W(t) = sum over starts a > E of (rate x length - rate x max(0, t - a)): unearned at t of those that waited;
    /// - waiting W(A), loss U(T) - W(T), earned U(A) - W(A) less the loss.
    ///
    /// The pool must be accrued. Accrual stands since before T, as the product's own alert began before; were it not so,
    /// what was earned would stay earned.
    pub fn end(&mut self, product: &Product, pool: &mut Pool, event_at: i64, ended_at: i64) -> Result<EndedPremium> {
        let accrued_at = pool.accrued_at;
        let ended_at = ended_at.max(accrued_at);
        self.turn(accrued_at)?;
        // Moments at which the unearned premium is asked for, in their order; the inner ones where the cession changes.
        let [first, second] = &pool.quota_shares;
        let mut all = [Moment::at(accrued_at); EARNED_PARTS + 1];
        let (mut latest, mut count) = (accrued_at, 1usize);
        for time in [first.start, first.end, second.start, second.end, ended_at] {
            if time > latest && time <= ended_at {
                *all.get_mut(count).ok_or(BackstopError::InvariantViolated)? = Moment::at(time);
                (latest, count) = (time, count.saturating_add(1));
            }
        }
        let moments = all.get_mut(..count).ok_or(BackstopError::InvariantViolated)?;

        let today = day_of(accrued_at);
        let last = today.saturating_add(DAY_RING).saturating_sub(1);
        let mut in_force = 0u64;
        for day in today.saturating_add(1)..=last {
            let rate = core::mem::take(bucket_mut(&mut self.ends, day));
            if rate != 0 {
                debit(bucket_mut(&mut pool.rate_ends, day), rate)?;
                credit(&mut in_force, rate)?;
                moments.iter_mut().try_for_each(|moment| moment.add_end(rate, day))?;
            }
        }
        let event_day = day_of(event_at);
        let mut waiting_rate = 0u64;
        for (day, start) in product.starts_after(event_day.min(today)) {
            if day > today && start.rate_q32 != 0 {
                debit(bucket_mut(&mut pool.rate_starts, day), start.rate_q32)?;
                credit(&mut waiting_rate, start.rate_q32)?;
            }
            moments.iter_mut().try_for_each(|moment| moment.add_start(start, day, day > event_day))?;
        }
        debit(&mut pool.waiting_rate_q32, waiting_rate)?;
        debit(&mut in_force, waiting_rate)?;
        debit(&mut pool.rate_q32, in_force)?;
        pool.note_cover_end(pool.last_cover_end_day);

        let [at_accrual, later @ ..] = &*moments else { return Err(BackstopError::InvariantViolated.into()) };
        let at_end = later.last().unwrap_or(at_accrual);
        let mut earned = [EarnedPart::default(); EARNED_PARTS];
        for (part, (from, to)) in earned.iter_mut().zip(moments.iter().zip(later)) {
            let amount = from.in_force()?.checked_sub(to.in_force()?).ok_or(BackstopError::InvariantViolated)?;
            *part = EarnedPart { from: from.at, amount: units(amount)? };
        }
        Ok(EndedPremium {
            accrued_at,
            ended_at,
            earned,
            waiting: units(at_accrual.waiting)?,
            loss: units(at_end.in_force()?)?,
        })
    }
}

/// The unearned premium of a product's covers at a moment, Q32.
#[derive(Clone, Copy)]
struct Moment {
    at: i64,
    /// Of what ends: as if all of it had started.
    ends: u128,
    /// What of this is not to be earned, as it has not started.
    starts: u128,
    /// Of covers that waited at the event.
    waiting: u128,
}

impl Moment {
    fn at(at: i64) -> Self {
        Self { at, ends: 0, starts: 0, waiting: 0 }
    }

    fn add_end(&mut self, rate: u64, day: u32) -> Result<()> {
        self.ends = fits(self.ends.checked_add(wide(rate, seconds_from(self.at, day_start(day)))))?;
        Ok(())
    }

    fn add_start(&mut self, start: &StartBucket, day: u32, waited: bool) -> Result<()> {
        let first = day_start(day);
        self.starts = fits(self.starts.checked_add(wide(start.rate_q32, seconds_from(self.at, first))))?;
        if waited {
            let earned = wide(start.rate_q32, seconds_from(first, self.at));
            let left = start.due_q32().checked_sub(earned).ok_or(BackstopError::InvariantViolated)?;
            self.waiting = fits(self.waiting.checked_add(left))?;
        }
        Ok(())
    }

    /// Of covers that were in force at the event.
    fn in_force(&self) -> Result<u128> {
        let left = self.ends.checked_sub(self.starts).and_then(|all| all.checked_sub(self.waiting));
        Ok(left.ok_or(BackstopError::InvariantViolated)?)
    }
}

/// Seconds from one moment to a later one; 0 if it is not later.
fn seconds_from(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0)
}

/// Whole units of a Q32 number.
fn units(q32: u128) -> Result<u64> {
    fits(u64::try_from(q32 >> 32).ok())
}
