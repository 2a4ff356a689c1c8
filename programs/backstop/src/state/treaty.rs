//! A treaty: reinsurance between two pools, from its announcement to its end.
//!
//! What a treaty does to the books of one pool is in [`crate::state::pool`]; what it does to both, and in which order,
//! is here. Every rule takes books that are accrued up to `now`.

use crate::constants::*;
use crate::error::BackstopError;
use crate::math::rounding::BPS;
use crate::math::treaties::{self, Reinstatement};
use crate::state::{CallState, Incident, LossByLayer, Pool, PoolKind, day_of, day_start};
use anchor_lang::prelude::*;

/// Which part of a cedant's losses a treaty pays.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreatyKind {
    /// A fixed part of premium and loss.
    QuotaShare {
        /// Part of premium and loss, in basis points.
        cession_bps: u16,
        /// Part of the ceded premium that the cedant keeps, in basis points.
        commission_bps: u16,
    },
    /// The loss of an incident above a point.
    ExcessOfLoss {
        /// Net loss from which the layer pays, in asset units.
        attachment: u64,
        /// Premium for the term, in basis points of the limit.
        rate_on_line_bps: u16,
        /// How often the limit is restored.
        reinstatements: u8,
        /// Premium of restoring the whole limit, in basis points of the treaty's premium.
        reinstatement_premium_bps: u16,
    },
}

stored_enum! {
    /// How far a treaty is.
    pub enum TreatyState {
        /// Announced by governance; its notice runs.
        Announced = 0,
        /// Accepted: in force within its term, its limit backed by the reinsurer.
        Active = 1,
        /// Ended: its limit is released.
        Ended = 2,
    }
}

/// What a treaty is created with.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreatyTerms {
    /// Which part of the losses it pays.
    pub kind: TreatyKind,
    /// The most it pays (quota share: over its term; layer: for one incident), in asset units.
    pub limit: u64,
    /// First UTC day of the term.
    pub start_day: u32,
    /// First UTC day after the term.
    pub end_day: u32,
}

impl TreatyTerms {
    /// Refuses terms outside the hard bounds: a term of 1 to 365 days that the premium stream can hold, a limit that
    /// pools can hold capital for, parts between nothing and all.
    pub fn validate(&self) -> Result<()> {
        let days = self.end_day.saturating_sub(self.start_day);
        let shares = match self.kind {
            TreatyKind::QuotaShare { cession_bps, commission_bps } => {
                (1..=MAX_CESSION_BPS).contains(&cession_bps) && u64::from(commission_bps) < BPS
            }
            TreatyKind::ExcessOfLoss { rate_on_line_bps, reinstatements, reinstatement_premium_bps, .. } => {
                (1..=MAX_RATE_ON_LINE_BPS).contains(&rate_on_line_bps)
                    && reinstatements <= MAX_REINSTATEMENTS
                    && reinstatement_premium_bps <= MAX_REINSTATEMENT_PREMIUM_BPS
            }
        };
        ensure!(self.limit <= crate::math::MAX_TOTAL_EXPOSURE, BackstopError::AmountTooLarge);
        let in_bounds = (1..=MAX_TREATY_DAYS).contains(&days) && self.limit >= MIN_SMALLEST_AMOUNT && shares;
        ensure!(in_bounds, BackstopError::BadTreatyTerms);
        Ok(())
    }
}

/// Reinsurance between two pools of one asset: the cedant pays premium, the reinsurer pays part of its losses.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Treaty {
    /// The pool of kind `Cover` that cedes.
    pub cedant: Pubkey,
    /// The pool of kind `Reinsurance` that reinsures.
    pub reinsurer: Pubkey,
    /// Whoever paid the rent of the treaty.
    pub rent_payer: Pubkey,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// How far the treaty is.
    pub state: TreatyState,
    /// The treaty's id within its cedant.
    pub id: u16,
    /// Which part of the losses it pays.
    pub kind: TreatyKind,
    /// The most it pays (quota share: over its term; layer: for one incident), in asset units.
    pub limit: u64,
    /// What is left of the limit, in asset units.
    pub limit_left: u64,
    /// When its notice ends.
    pub notice_until: i64,
    /// First UTC day of the term.
    pub start_day: u32,
    /// First UTC day after the term.
    pub end_day: u32,
    /// Premium paid for the term (layer), in asset units.
    pub premium: u64,
    /// Rate at which the reinsurer earns the premium, in Q32 asset units a second.
    pub rate_q32: u64,
    /// What of the limit was restored so far, in asset units.
    pub restored: u64,
    /// What incidents that skipped the treaty can still collect, in asset units.
    pub uncollected: u64,
    /// Room for later fields.
    pub reserved: [u8; 64],
}

borsh_account!(Treaty { keys: 3, discriminator: [77, 157, 32, 199, 11, 117, 80, 92] });

/// What a call of a treaty moves, in asset units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// What the reinsurer owes.
    pub owed: u64,
    /// What it loses: as much of it as it has.
    pub paid: u64,
    /// What of the limit was restored.
    pub restored: u64,
    /// What the restoring costs, taken off the payment.
    pub reinstatement_premium: u64,
}

/// What accepting a treaty does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Premium that the cedant pays, in asset units: a layer's for its whole term, none of a quota share.
    pub premium: u64,
    /// Rate at which the reinsurer earns it, in Q32 asset units a second.
    pub rate_q32: u64,
}

/// What calling a treaty for an incident does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreatyCall {
    /// What is owed, lost and restored.
    pub recovery: Recovery,
    /// What the cedant receives, in asset units: the payment less the premium of restoring the limit.
    pub received: u64,
    /// How the payment fell on the reinsurer.
    pub losses: LossByLayer,
}

/// What collecting from a skipped treaty does, in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collection {
    /// What was owed.
    pub owed: u64,
    /// What the reinsurer had of it.
    pub paid: u64,
    /// How the payment fell on the reinsurer.
    pub losses: LossByLayer,
}

/// What ending a treaty's term early does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commutation {
    /// First UTC day after the term: tomorrow.
    pub end_day: u32,
    /// Unearned premium that the cedant gets back, in asset units.
    pub returned: u64,
}

impl Treaty {
    // ---- its life ----

    /// Announces a treaty between two pools and gives it the cedant's next id. It may be accepted once the notice of
    /// both is over, and begins after that. Whoever pays its rent, and its bump, are for the caller to fill in.
    pub fn announce(
        terms: TreatyTerms,
        (cedant_key, cedant): (Pubkey, &mut Pool),
        (reinsurer_key, reinsurer): (Pubkey, &Pool),
        now: i64,
    ) -> Result<Self> {
        terms.validate()?;
        cedant.require_kind(PoolKind::Cover)?;
        reinsurer.require_kind(PoolKind::Reinsurance)?;
        ensure!(cedant.asset_mint == reinsurer.asset_mint, BackstopError::WrongParent);
        let notice_until = cedant.notice_ends_at(now).max(reinsurer.notice_ends_at(now));
        ensure!(terms.start_day > day_of(notice_until), BackstopError::NoticeNotOver);
        let ahead = terms.end_day.saturating_sub(day_of(now));
        ensure!(ahead <= MAX_TERM_AND_RING_DAYS, BackstopError::BadTreatyTerms);
        let id = cedant.treaties;
        cedant.treaties = id.checked_add(1).ok_or(BackstopError::NoIdLeft)?;
        Ok(Self {
            cedant: cedant_key,
            reinsurer: reinsurer_key,
            rent_payer: Pubkey::default(),
            version: ACCOUNT_VERSION,
            bump: 0,
            state: TreatyState::Announced,
            id,
            kind: terms.kind,
            limit: terms.limit,
            limit_left: terms.limit,
            notice_until,
            start_day: terms.start_day,
            end_day: terms.end_day,
            premium: 0,
            rate_q32: 0,
            restored: 0,
            uncollected: 0,
            reserved: [0; 64],
        })
    }

    /// Puts the treaty in force, after its notice and before its term: the cedant pays a layer's premium and stays
    /// solvent, the reinsurer earns it from now to the end of the term and is solvent for the limit. Not while an exit
    /// past its day is unfilled in either pool, nor while the cedant is in alert.
    pub fn accept(&mut self, key: Pubkey, cedant: &mut Pool, reinsurer: &mut Pool, now: i64) -> Result<Acceptance> {
        self.require_state(TreatyState::Announced)?;
        ensure!(now >= self.notice_until, BackstopError::NoticeNotOver);
        ensure!(now < self.start(), BackstopError::WrongTreatyState);
        cedant.require_no_alert()?;
        cedant.require_no_exits_waiting(now)?;
        reinsurer.require_no_exits_waiting(now)?;
        self.premium = self.bind_cedant(key, cedant, now)?;
        self.rate_q32 = self.bind_reinsurer(key, reinsurer, self.premium, now)?;
        self.state = TreatyState::Active;
        Ok(Acceptance { premium: self.premium, rate_q32: self.rate_q32 })
    }

    /// The cedant's side of an acceptance: it pays a layer's premium from its surplus, stays solvent, and has a place
    /// for the treaty. Returns the premium.
    pub fn bind_cedant(&self, key: Pubkey, cedant: &mut Pool, now: i64) -> Result<u64> {
        let premium = self.premium_on_acceptance()?;
        if premium > 0 {
            cedant.pay_from_surplus(premium)?;
            cedant.require_solvent(now)?;
        }
        cedant.put_in_force(key, self)?;
        Ok(premium)
    }

    /// The reinsurer's side of an acceptance: it earns the premium until the end of the term, has a place for the
    /// treaty, and is solvent for its limit. Returns the rate, in Q32 asset units a second.
    pub fn bind_reinsurer(&self, key: Pubkey, reinsurer: &mut Pool, premium: u64, now: i64) -> Result<u64> {
        let rate_q32 = if premium > 0 { reinsurer.stream_premium(premium, now, self.end_day)? } else { 0 };
        reinsurer.stand_behind(key, self)?;
        reinsurer.require_solvent(now)?;
        Ok(rate_q32)
    }

    /// Calls the treaty for an incident whose next one it is: the reinsurer bears what it owes, or what it has of it; a
    /// layer's limit is restored as far as its terms and the reinsurer's solvency allow; the cedant receives the rest.
    pub fn call(
        &mut self,
        key: Pubkey,
        incident: &mut Incident,
        cedant: &mut Pool,
        reinsurer: &mut Pool,
        now: i64,
    ) -> Result<TreatyCall> {
        incident.require_next(&key)?;
        let owed = self.owes(incident.gross, incident.beyond_quota_share())?;
        let paid = owed.min(reinsurer.loss_capital()?);
        reinsurer.note_open_limit(&key, self.open_limit(owed))?;
        let losses = reinsurer.bear_loss(paid)?;
        let recovery = self.use_limit(owed, paid, reinsurer.room_for_limits()?)?;
        reinsurer.receive_reinstatement(recovery.reinstatement_premium, now, self.end_day)?;
        reinsurer.note_open_limit(&key, self.open_limit(0))?;
        let received = paid.saturating_sub(recovery.reinstatement_premium);
        cedant.note_limit(&key, self.limit_left);
        cedant.receive_recovery(received)?;
        incident.book_call(self, CallState::Called, owed, received)?;
        incident.join_when_called(cedant)?;
        Ok(TreatyCall { recovery, received, losses })
    }

    /// Skips the treaty for an incident that has been open for two days. What it owes stays owed and backed. Returns
    /// it.
    pub fn skip(&mut self, key: &Pubkey, incident: &mut Incident, cedant: &mut Pool, now: i64) -> Result<u64> {
        incident.require_next(key)?;
        ensure!(now >= incident.opened_at.saturating_add(TREATY_CALL_WINDOW), BackstopError::TreatyStillCallable);
        let owed = self.owes(incident.gross, incident.beyond_quota_share())?;
        self.owe_later(owed)?;
        cedant.note_limit(key, self.limit_left);
        incident.book_call(self, CallState::Skipped, owed, 0)?;
        incident.join_when_called(cedant)?;
        Ok(owed)
    }

    /// Collects what incidents that skipped the treaty are owed, or what the reinsurer has of it, into the cedant's
    /// surplus; then nothing is owed any more. It restores no limit.
    pub fn collect(&mut self, key: &Pubkey, cedant: &mut Pool, reinsurer: &mut Pool) -> Result<Collection> {
        let owed = core::mem::take(&mut self.uncollected);
        ensure!(owed > 0, BackstopError::NothingOwed);
        let paid = owed.min(reinsurer.loss_capital()?);
        let losses = reinsurer.bear_loss(paid)?;
        reinsurer.note_open_limit(key, self.open_limit(0))?;
        cedant.receive_surplus(paid)?;
        Ok(Collection { owed, paid, losses })
    }

    /// Makes today the last day of the term: the unearned premium of a layer goes back to the cedant's surplus from
    /// tomorrow on, and the cedant stays solvent. The limit stays backed until the treaty can no longer be needed.
    pub fn commute(&mut self, key: &Pubkey, cedant: &mut Pool, reinsurer: &mut Pool, now: i64) -> Result<Commutation> {
        self.require_state(TreatyState::Active)?;
        let tomorrow = day_of(now).saturating_add(1);
        ensure!(now >= self.start() && tomorrow < self.end_day, BackstopError::WrongTreatyState);
        cedant.require_no_alert()?;
        let returned = reinsurer.return_premium(self.rate_q32, tomorrow, self.end_day)?;
        cedant.receive_surplus(returned)?;
        self.end_day = tomorrow;
        cedant.shorten(key, day_start(tomorrow));
        cedant.require_solvent(now)?;
        Ok(Commutation { end_day: tomorrow, returned })
    }

    /// Whether the treaty was accepted, so that both pools have it in their books.
    pub fn was_accepted(&self) -> bool {
        self.state != TreatyState::Announced
    }

    /// Refuses to end a treaty that was never accepted before its term would have begun.
    pub fn end_announced(&self, now: i64) -> Result<()> {
        ensure!(now >= self.start(), BackstopError::TreatyInUse);
        Ok(())
    }

    /// Ends a treaty that can no longer be needed: takes it out of force and releases its limit.
    pub fn end_accepted(&self, key: &Pubkey, cedant: &mut Pool, reinsurer: &mut Pool, now: i64) -> Result<()> {
        ensure!(cedant.treaty_is_over(self, now), BackstopError::TreatyInUse);
        cedant.take_out_of_force(key)?;
        reinsurer.release_limit(key)
    }

    // ---- its terms ----

    /// First second of the term.
    pub fn start(&self) -> i64 {
        day_start(self.start_day)
    }

    /// First second after the term.
    pub fn end(&self) -> i64 {
        day_start(self.end_day)
    }

    /// Refuses unless the treaty is in a state.
    pub fn require_state(&self, state: TreatyState) -> Result<()> {
        ensure!(self.state == state, BackstopError::WrongTreatyState);
        Ok(())
    }

    /// Premium that the cedant pays when the treaty is accepted: a layer's for its whole term, rounded up.
    pub fn premium_on_acceptance(&self) -> Result<u64> {
        match self.kind {
            TreatyKind::QuotaShare { .. } => Ok(0),
            TreatyKind::ExcessOfLoss { rate_on_line_bps, .. } => {
                Ok(treaties::layer_premium(self.limit, rate_on_line_bps).ok_or(BackstopError::MathOverflow)?)
            }
        }
    }

    /// What the treaty owes of an incident. `beyond_quota_share` is the gross loss less what the quota share owes.
    pub fn owes(&self, gross: u64, beyond_quota_share: u64) -> Result<u64> {
        Ok(match self.kind {
            TreatyKind::QuotaShare { cession_bps, .. } => {
                treaties::quota_share_owes(gross, cession_bps, self.limit_left).ok_or(BackstopError::MathOverflow)?
            }
            TreatyKind::ExcessOfLoss { attachment, .. } => {
                treaties::layer_owes(beyond_quota_share, attachment, self.limit_left)
            }
        })
    }

    /// What the reinsurer must hold capital for once `owed` more is paid: the limit left and what is uncollected.
    pub fn open_limit(&self, owed: u64) -> u64 {
        self.limit_left.saturating_sub(owed).saturating_add(self.uncollected)
    }

    /// Uses the limit for what is owed but cannot be called now; it can be collected later.
    pub fn owe_later(&mut self, owed: u64) -> Result<()> {
        self.limit_left = self.limit_left.checked_sub(owed).ok_or(BackstopError::InvariantViolated)?;
        self.uncollected = self.uncollected.checked_add(owed).ok_or(BackstopError::MathOverflow)?;
        Ok(())
    }

    /// Uses the limit for what is owed and restores it as far as the terms and the reinsurer's `room` allow.
    ///
    /// `paid` is what the reinsurer could pay of what it owes; `room` the limit that it is solvent for after the loss.
    pub fn use_limit(&mut self, owed: u64, paid: u64, room: u64) -> Result<Recovery> {
        self.limit_left = self.limit_left.checked_sub(owed).ok_or(BackstopError::InvariantViolated)?;
        let mut recovery = Recovery { owed, paid, restored: 0, reinstatement_premium: 0 };
        if let TreatyKind::ExcessOfLoss { reinstatements, reinstatement_premium_bps, .. } = self.kind {
            let in_all = self.limit.saturating_mul(u64::from(reinstatements));
            let terms = Reinstatement {
                limit: self.limit,
                premium: self.premium,
                restorable: in_all.saturating_sub(self.restored),
                premium_bps: reinstatement_premium_bps,
            };
            let (restored, cost) = terms.restore(paid, room).ok_or(BackstopError::MathOverflow)?;
            self.restored = self.restored.checked_add(restored).ok_or(BackstopError::MathOverflow)?;
            self.limit_left = self.limit_left.checked_add(restored).ok_or(BackstopError::MathOverflow)?;
            recovery.restored = restored;
            recovery.reinstatement_premium = cost;
        }
        Ok(recovery)
    }
}
