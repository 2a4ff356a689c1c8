//! A treaty: reinsurance between two pools, from its announcement to its end.
//!
//! What a treaty does to the books of one pool is in [`crate::state::pool`]; what it does to both, and in which order,
//! is here. Every rule takes books that are accrued up to `now`.

use crate::constants::*;
use crate::error::BackstopError;
use crate::math::rounding::{BPS, Rounding, mul_div};
use crate::math::treaties::{self, Reinstatement};
use crate::state::ledger::{credit, debit, fits};
use crate::state::{CallState, Crisis, Incident, LossByLayer, Pool, PoolKind, Receipt, day_of, day_start};
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
    /// pools can hold capital for, parts between nothing and all, a layer above something and for something.
    pub fn validate(&self) -> Result<()> {
        let days = self.end_day.saturating_sub(self.start_day);
        let shares = match self.kind {
            TreatyKind::QuotaShare { cession_bps, commission_bps } => {
                (1..=MAX_CESSION_BPS).contains(&cession_bps) && u64::from(commission_bps) < BPS
            }
            TreatyKind::ExcessOfLoss { attachment, rate_on_line_bps, reinstatements, reinstatement_premium_bps } => {
                attachment > 0
                    && (MIN_RATE_ON_LINE_BPS..=MAX_RATE_ON_LINE_BPS).contains(&rate_on_line_bps)
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
    /// When its notice ends.
    pub notice_until: i64,
    /// First UTC day of the term.
    pub start_day: u32,
    /// First UTC day after the term.
    pub end_day: u32,
    /// Premium paid for the term (layer), in asset units.
    pub premium: u64,
    /// Rate at which the reinsurer earns the premium of what is left of the limit, to the end of the term, in Q32 asset
    /// units a second.
    pub rate_q32: u64,
    /// What of the limit was restored so far, in asset units.
    pub restored: u64,
    /// Room for later fields.
    pub reserved: [u8; 64],
}

borsh_account!(Treaty { keys: 3, discriminator: [77, 157, 32, 199, 11, 117, 80, 92] });

/// What accepting a treaty does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Premium that the cedant pays, in asset units: a layer's for its whole term, none of a quota share.
    pub premium: u64,
    /// Rate at which the reinsurer earns it, in Q32 asset units a second.
    pub rate_q32: u64,
}

/// What calling a treaty for an incident does, in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreatyCall {
    /// What it owed.
    pub owed: u64,
    /// What the reinsurer loses: as much of it as it has.
    pub paid: u64,
    /// What of the limit was restored.
    pub restored: u64,
    /// What the restoring costs, taken off the payment.
    pub reinstatement_premium: u64,
    /// What the cedant receives: the payment less the premium of restoring the limit.
    pub received: u64,
    /// Where that went.
    pub receipt: Receipt,
    /// How the payment fell on the reinsurer.
    pub losses: LossByLayer,
}

/// What ending a treaty's term early does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commutation {
    /// First UTC day after the term.
    pub end_day: u32,
    /// Unearned premium that the cedant gets back, in asset units.
    pub returned: u64,
}

impl Treaty {
    // ---- its life ----

    /// Announces a treaty between two pools and gives it the cedant's next id; the reinsurer counts it. It may be accepted
    /// once the notice of both is over, and begins after that. Whoever pays its rent, and its bump, are for the caller to
    /// fill in.
    ///
    /// Errors: `CooldownTooShort` for a reinsurer whose providers could leave on news of the cedant, before it is proven.
    pub fn announce(
        terms: TreatyTerms,
        (cedant_key, cedant): (Pubkey, &mut Pool),
        (reinsurer_key, reinsurer): (Pubkey, &mut Pool),
        now: i64,
    ) -> Result<Self> {
        terms.validate()?;
        cedant.require_kind(PoolKind::Cover)?;
        reinsurer.require_kind(PoolKind::Reinsurance)?;
        ensure!(cedant.asset_mint == reinsurer.asset_mint, BackstopError::WrongParent);
        ensure!(reinsurer.terms.cooldown_seconds >= cedant.terms.cooldown_seconds, BackstopError::CooldownTooShort);
        let notice_until = cedant.notice_ends_at(now).max(reinsurer.notice_ends_at(now));
        ensure!(terms.start_day > day_of(notice_until), BackstopError::NoticeNotOver);
        let ahead = terms.end_day.saturating_sub(day_of(now));
        ensure!(ahead <= MAX_TERM_AND_RING_DAYS, BackstopError::BadTreatyTerms);
        let id = cedant.treaties;
        cedant.treaties = id.checked_add(1).ok_or(BackstopError::NoIdLeft)?;
        reinsurer.treaties = reinsurer.treaties.checked_add(1).ok_or(BackstopError::NoIdLeft)?;
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
            notice_until,
            start_day: terms.start_day,
            end_day: terms.end_day,
            premium: 0,
            rate_q32: 0,
            restored: 0,
            reserved: [0; 64],
        })
    }

    /// Puts the treaty in force, after its notice and before its term: the cedant pays a layer's premium and stays
    /// solvent, the reinsurer earns it from now to the end of the term and is solvent for the limit. Not while an exit
    /// past its day is unfilled in either pool, nor while alerts hold the cedant, one of them is due, or a crisis is open. What
    /// is small and breaching is no matter of the reinsurer's: it shows before the term begins. The renewal of a quota share on terms no
    /// worse costs those who leave the cedant nothing: it does not wait for them.
    pub fn accept(&mut self, key: Pubkey, cedant: &mut Pool, reinsurer: &mut Pool, now: i64) -> Result<Acceptance> {
        self.require_state(TreatyState::Announced)?;
        ensure!(now >= self.notice_until, BackstopError::NoticeNotOver);
        ensure!(now < self.start(), BackstopError::WrongTreatyState);
        cedant.require_calm(now)?;
        if !cedant.renews(self) {
            cedant.require_no_exits_waiting(now)?;
        }
        reinsurer.require_no_exits_waiting(now)?;
        self.premium = self.bind_cedant(key, cedant, now)?;
        // What was small is small without the premium, too.
        cedant.require_calm(now)?;
        self.rate_q32 = self.bind_reinsurer(key, reinsurer, self.premium, now)?;
        self.state = TreatyState::Active;
        Ok(Acceptance { premium: self.premium, rate_q32: self.rate_q32 })
    }

    /// The cedant's side of an acceptance: it bears a part of its own below a layer, pays its premium from its surplus,
    /// stays solvent, and has a place for the treaty. Returns the premium.
    ///
    /// Errors: `AttachmentTooLow`, `SurplusTooSmall`, `BelowRequiredCapital`, those of [`Pool::put_in_force`].
    pub fn bind_cedant(&self, key: Pubkey, cedant: &mut Pool, now: i64) -> Result<u64> {
        if let TreatyKind::ExcessOfLoss { attachment, .. } = self.kind {
            let least = fits(mul_div(cedant.loss_capital()?, MIN_ATTACHMENT_BPS, BPS, Rounding::Up))?;
            ensure!(attachment >= least, BackstopError::AttachmentTooLow);
        }
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

    /// Calls the treaty for an incident: the reinsurer pays what it owes, or what it has of it, and the rest stays owed. What
    /// of a layer's premium is unearned for the limit that is so used goes into the payment, before the reinsurer's capital;
    /// a layer's limit is restored, for later events, as far as its terms, the reinsurer's solvency and what was still
    /// exposed when the incident opened allow. What the cedant receives is the crisis's.
    ///
    /// Errors: `WrongParent` for a treaty that the incident did not note, `NothingOwed`.
    pub fn call(
        &mut self,
        key: Pubkey,
        incident: &mut Incident,
        crisis: &mut Crisis,
        cedant: &mut Pool,
        reinsurer: &mut Pool,
        now: i64,
    ) -> Result<TreatyCall> {
        let noted = incident.noted(&key)?;
        let owed = noted.owed.saturating_sub(noted.paid);
        let paid = owed.min(reinsurer.loss_capital()?);
        ensure!(paid > 0 || noted.state == CallState::Pending, BackstopError::NothingOwed);
        let (ended_q32, premium) = reinsurer.end_used_premium(&key, self.rate_q32, self.end_day, paid)?;
        debit(&mut self.rate_q32, ended_q32)?;
        let losses = reinsurer.pay_inward(&key, paid, premium)?;
        let room = reinsurer.room_for_limits()?.min(incident.restorable(self, noted));
        let (restored, reinstatement_premium) = self.reinstate(paid, room)?;
        let rate_q32 = reinsurer.receive_reinstatement(reinstatement_premium, now, self.end_day)?;
        credit(&mut self.rate_q32, rate_q32)?;
        reinsurer.restore_inward(&key, restored)?;
        let received = paid.saturating_sub(reinstatement_premium);
        cedant.note_payment(&key, paid, restored)?;
        incident.book_call(&key, paid, restored, cedant)?;
        let receipt = cedant.receive_recovery(crisis, paid, received, now)?;
        Ok(TreatyCall { owed, paid, restored, reinstatement_premium, received, receipt, losses })
    }

    /// Makes the day in three days the last of the term: what shows by then is still covered, so that nobody lets a treaty
    /// go when a price begins to fall. The premium of a layer that is unearned after that goes back to the cedant's surplus,
    /// and the cedant stays solvent. The limit stays backed until the treaty can no longer be needed.
    pub fn commute(&mut self, key: &Pubkey, cedant: &mut Pool, reinsurer: &mut Pool, now: i64) -> Result<Commutation> {
        self.require_state(TreatyState::Active)?;
        let end_day = day_of(now.saturating_add(COMMUTATION_NOTICE)).saturating_add(1);
        ensure!(now >= self.start() && end_day < self.end_day, BackstopError::WrongTreatyState);
        cedant.require_calm(now)?;
        let returned = reinsurer.return_premium(self.rate_q32, end_day, self.end_day)?;
        cedant.receive_surplus(returned)?;
        self.end_day = end_day;
        cedant.shorten(key, day_start(end_day));
        cedant.require_solvent(now)?;
        Ok(Commutation { end_day, returned })
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
        ensure!(cedant.treaty_is_over(key, self, now), BackstopError::TreatyInUse);
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

    /// Restores a layer's limit as far as its terms and `room` allow. Returns what is restored, and what it costs: as
    /// much as if all that was restored so far had been at once, so that calls in parts cost no more.
    ///
    /// `paid` is what the reinsurer has paid now; `room` the limit that it is solvent for after that.
    pub fn reinstate(&mut self, paid: u64, room: u64) -> Result<(u64, u64)> {
        let TreatyKind::ExcessOfLoss { reinstatements, reinstatement_premium_bps, .. } = self.kind else {
            return Ok((0, 0));
        };
        let terms = Reinstatement {
            limit: self.limit,
            premium: self.premium,
            restorable: self.limit.saturating_mul(u64::from(reinstatements)),
            premium_bps: reinstatement_premium_bps,
        };
        let (restored, cost) = terms.restore(self.restored, paid, room).ok_or(BackstopError::MathOverflow)?;
        self.restored = self.restored.checked_add(restored).ok_or(BackstopError::MathOverflow)?;
        Ok((restored, cost))
    }
}
