//! What a pool is: its kind, who may deposit, the terms that never change, and the notice that it gives.

use crate::constants::*;
use crate::error::{BackstopError, refuse};
use crate::math::capital;
use crate::math::rounding::BPS;
use crate::peril::Period;
use crate::peril::reading::READING_RING_DAYS;
use crate::peril::two_keys::Reach;
use crate::state::{Pool, day_of, day_start};
use anchor_lang::prelude::*;

stored_enum! {
    /// What a pool stands behind.
    pub enum PoolKind {
        /// Products; it may cede.
        Cover = 0,
        /// Treaties of cover pools.
        Reinsurance = 1,
    }
}

stored_enum! {
    /// Who may deposit into a pool.
    pub enum Access {
        /// Everybody.
        Open = 0,
        /// Whoever brings the deposit authority's signature.
        AllowList = 1,
        /// Nobody: the pool is fed by its surplus alone.
        ProtocolOnly = 2,
    }
}

/// The terms of a pool, fixed when it is created.
#[zero_copy]
#[derive(borsh::BorshSerialize, borsh::BorshDeserialize, Debug, PartialEq, Eq)]
pub struct PoolTerms {
    /// Least first deposit of a tranche, in asset units: makes the first-depositor attack unprofitable.
    pub min_first_deposit: u64,
    /// Least value of an exit ticket, in asset units; after losses, of as many shares as that bought at the start.
    pub min_ticket: u64,
    /// Least sum insured of a cover, in asset units.
    pub min_sum_insured: u64,
    /// Seconds between a request to leave and the day that pays it.
    pub cooldown_seconds: u32,
    /// Capital asked for per unit of required capital, in basis points (10,000 = once).
    pub solvency_bps: u32,
    /// Highest exposure per unit of capital, in basis points (10,000 = once).
    pub max_leverage_bps: u32,
    /// Weight of exposed surplus and junior capital against senior when premium is shared, in basis points (10,000 = the
    /// same).
    pub junior_weight_bps: u32,
    /// Correlation between risk groups, in basis points (10,000 = full collateral).
    pub rho_bps: u16,
    /// Highest part of required capital that a quota share may stand in for, in basis points.
    pub max_credit_bps: u16,
    /// Part of earned premium that goes to the surplus, in basis points.
    pub surplus_bps: u16,
    /// Highest exposure of one risk group, as a part of own capital in basis points.
    pub group_cap_bps: u16,
    /// Least surplus and junior capital at a sale, as a part of required capital in basis points.
    pub first_loss_bps: u16,
    /// Whole days that capital must have stayed before it counts for capacity.
    pub seasoning_days: u16,
    /// Of a vintage the first UTC day on which it sells nothing any more: from then on it takes no conditions, covers or
    /// deposits, and runs off. 0 for a pool without an end.
    pub sells_until_day: u32,
}

impl PoolTerms {
    /// Refuses terms outside the hard bounds, for an asset with these decimals.
    pub fn validate(&self, asset_decimals: u8) -> Result<()> {
        let cooldown = i64::from(self.cooldown_seconds);
        let floor = least_smallest_amount(asset_decimals);
        let smallest = [self.min_first_deposit, self.min_ticket, self.min_sum_insured];
        ensure!(self.min_first_deposit <= MAX_TRANCHE_ASSETS, BackstopError::AmountTooLarge);
        ensure!(self.min_sum_insured <= capital::MAX_TOTAL_EXPOSURE, BackstopError::AmountTooLarge);
        let in_bounds = smallest.iter().all(|least| *least >= floor)
            && self.min_ticket <= floor.saturating_mul(MAX_SMALLEST_TICKET)
            && (MIN_COOLDOWN..=MAX_COOLDOWN).contains(&cooldown)
            && (MIN_BPS..=MAX_SOLVENCY_BPS).contains(&self.solvency_bps)
            && (MIN_BPS..=MAX_LEVERAGE_BPS).contains(&self.max_leverage_bps)
            && (MIN_BPS..=MAX_JUNIOR_WEIGHT_BPS).contains(&self.junior_weight_bps)
            && u64::from(self.rho_bps) <= BPS
            && self.max_credit_bps <= MAX_CREDIT_BPS
            && self.surplus_bps <= MAX_SURPLUS_BPS
            && (1..=BPS).contains(&u64::from(self.group_cap_bps))
            && u64::from(self.first_loss_bps) <= BPS
            && (1..=MAX_SEASONING_DAYS).contains(&self.seasoning_days);
        ensure!(in_bounds, BackstopError::OutOfBounds);
        Ok(())
    }

    /// Refuses an end that a pool of this kind, created now, cannot have: only a cover pool has one, ahead and within two
    /// years.
    pub fn require_end_fits(&self, kind: PoolKind, now: i64) -> Result<()> {
        let ahead = self.sells_until_day.saturating_sub(day_of(now));
        let fits = kind == PoolKind::Cover && (1..=MAX_VINTAGE_DAYS).contains(&ahead);
        ensure!(self.sells_until_day == 0 || fits, BackstopError::BadVintage);
        Ok(())
    }

    /// When a vintage ends, in unix seconds: from then on it sells nothing. `None` for a pool without an end.
    pub fn sells_until(&self) -> Option<i64> {
        (self.sells_until_day != 0).then(|| day_start(self.sells_until_day))
    }
}

/// How much a pool stands behind, in numbers that only grow: whoever deposits, or gives, says what he has seen of it.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Products with their condition.
    pub products: u16,
    /// Treaties announced, ceding or reinsuring.
    pub treaties: u16,
}

impl Seen {
    /// What nobody can announce more than: for whoever gives to a pool whatever it comes to stand behind.
    pub const ANYTHING: Self = Self { products: u16::MAX, treaties: u16::MAX };
}

impl Pool {
    /// What there is to see before a deposit.
    pub fn seen(&self) -> Seen {
        Seen { products: self.conditions, treaties: self.treaties }
    }

    /// Refuses whoever has not seen all that the pool stands behind: what is announced in a pool that nobody has
    /// entrusted anything to needs no notice, and might land just before the first deposit.
    pub fn require_seen(&self, seen: Seen) -> Result<()> {
        let all = self.conditions <= seen.products && self.treaties <= seen.treaties;
        ensure!(all, BackstopError::NotSeen);
        Ok(())
    }

    /// What the pool stands behind.
    pub fn kind(&self) -> PoolKind {
        PoolKind::stored(self.kind)
    }

    /// Who may deposit.
    pub fn access(&self) -> Access {
        Access::stored(self.access)
    }

    /// Refuses a depositor whom the pool does not admit. `authority` is whoever signed beside it, for a pool with an
    /// allow-list.
    pub fn admit_depositor(&self, authority: Option<Pubkey>) -> Result<()> {
        match self.access() {
            Access::Open => {}
            Access::AllowList => {
                ensure!(authority == Some(self.deposit_authority), BackstopError::DepositorNotAdmitted);
            }
            Access::ProtocolOnly => return Err(refuse(BackstopError::NoOutsideDeposits)),
        }
        Ok(())
    }

    /// When something announced now may begin: at once in a pool that nobody has entrusted anything to, else after the
    /// cooldown and three days.
    pub fn notice_ends_at(&self, now: i64) -> i64 {
        if self.in_use == 0 {
            return now;
        }
        now.saturating_add(i64::from(self.terms.cooldown_seconds)).saturating_add(NOTICE_MARGIN)
    }

    /// Whether the pool is a vintage whose end is over. Nobody calls the end, so nobody calls it early or late.
    pub fn has_ended(&self, now: i64) -> bool {
        self.terms.sells_until().is_some_and(|end| now >= end)
    }

    /// Refuses new business of a vintage whose end is over.
    pub fn require_not_ended(&self, now: i64) -> Result<()> {
        ensure!(!self.has_ended(now), BackstopError::VintageOver);
        Ok(())
    }

    /// Whether the pool has run off: it is a vintage whose end is over, and nothing is exposed any more. It stays so, as
    /// nothing is sold. Whatever might still be reported is exposed; what treaties still owe comes late, to whoever is left.
    pub fn has_run_off(&self, now: i64) -> bool {
        self.has_ended(now) && self.total_exposure == 0 && self.alerts == 0 && !self.in_crisis()
    }

    /// Takes in a product that is announced: only a cover pool does, and not for its own asset.
    pub fn announce_product(&mut self, covered_asset: &Pubkey) -> Result<()> {
        self.require_kind(PoolKind::Cover)?;
        ensure!(self.asset_mint != *covered_asset, BackstopError::InsuresItsOwnAsset);
        self.products = self.products.checked_add(1).ok_or(BackstopError::NoIdLeft)?;
        Ok(())
    }

    /// Takes in the condition of a product: only if the cooldown is at least a day longer than the condition can take to
    /// be proven, so that nobody leaves on the news, and before a vintage ends. Returns when the notice, which begins now,
    /// is over.
    pub fn admit_condition(&mut self, reach: &Reach, now: i64) -> Result<i64> {
        let cooldown = u64::from(self.terms.cooldown_seconds);
        ensure!(cooldown >= reach.least_cooldown_seconds(), BackstopError::CooldownTooShort);
        let ring_days = u16::try_from(reach.days).map_err(|_| BackstopError::TermsDoNotFit)?;
        self.conditions = self.conditions.checked_add(1).ok_or(BackstopError::NoIdLeft)?;
        self.ring_days = self.ring_days.max(ring_days);
        let sells_from = self.notice_ends_at(now);
        self.require_not_ended(sells_from)?;
        Ok(sells_from)
    }

    /// Takes in a reading: only a vintage that sells nothing in its period, and can sell it before. `locks_from` is when it
    /// takes no more covers; from then on capital neither comes nor leaves. Returns when the notice, which begins now, is
    /// over.
    ///
    /// Errors: `ReadingNeedsVintage`, `TermsDoNotFit`, `NoIdLeft`.
    pub fn admit_reading(&mut self, period: Period, waiting_seconds: u32, now: i64) -> Result<i64> {
        let end_day = self.terms.sells_until_day;
        ensure!(end_day != 0 && end_day <= period.active_day, BackstopError::ReadingNeedsVintage);
        let locks_from = day_start(period.active_day).saturating_sub(i64::from(waiting_seconds));
        let sells_from = self.notice_ends_at(now);
        ensure!(sells_from < locks_from.min(day_start(end_day)), BackstopError::TermsDoNotFit);
        self.conditions = self.conditions.checked_add(1).ok_or(BackstopError::NoIdLeft)?;
        let ring_days = u16::try_from(READING_RING_DAYS).map_err(|_| BackstopError::TermsDoNotFit)?;
        self.ring_days = self.ring_days.max(ring_days);
        self.locks_from = if self.locks_from == 0 { locks_from } else { self.locks_from.min(locks_from) };
        self.readings_end_day = self.readings_end_day.max(period.end_day);
        Ok(sells_from)
    }

    /// Exposure of readings that locks the pool at a moment, in asset units: of all that are not resolved, from when the
    /// first of them took no more covers.
    pub fn locked_exposure(&self, now: i64) -> u64 {
        if self.locks_from != 0 && now >= self.locks_from { self.reading_exposure } else { 0 }
    }

    /// Whether capital neither comes nor leaves: from when the first reading takes no more covers until all are resolved.
    /// What little of the capital is exposed to readings, a two hundredth, locks nothing.
    pub fn is_locked(&self, now: i64) -> bool {
        let kept = self.locked_exposure(now).saturating_mul(SMALL_ALERT_DIVISOR);
        kept > 0 && self.loss_capital().is_ok_and(|capital| kept > capital)
    }

    /// Refuses capital that would come into a vintage whose end is over, or that a reading locks. Of a pool without an end
    /// it asks nothing.
    #[inline(always)]
    pub fn require_lets_in(&self, now: i64) -> Result<()> {
        if self.terms.sells_until_day == 0 { Ok(()) } else { self.require_vintage_lets_in(now) }
    }

    #[inline(never)]
    fn require_vintage_lets_in(&self, now: i64) -> Result<()> {
        self.require_not_ended(now)?;
        self.require_not_locked(now)
    }

    /// Refuses capital that would come, or leave, while the pool is locked.
    pub fn require_not_locked(&self, now: i64) -> Result<()> {
        ensure!(!self.is_locked(now), BackstopError::PoolLocked);
        Ok(())
    }

    /// Refuses a pool of another kind.
    pub fn require_kind(&self, kind: PoolKind) -> Result<()> {
        ensure!(self.kind() == kind, BackstopError::WrongPoolKind);
        Ok(())
    }
}
