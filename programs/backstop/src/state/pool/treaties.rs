//! Treaties in a pool's books: as cedant what is in force for it, as reinsurer what it stands behind.
//!
//! What two pools agree and do together is in [`crate::state::treaty`].

use crate::constants::{CEDED_PREMIUM_DAYS, DAY, MIN_BPS, SETTLEMENT_WINDOW, SMALL_ALERT_DIVISOR};
use crate::error::{BackstopError, refuse};
use crate::math::rounding::{BPS, Rounding, mul_div};
use crate::math::{capital, stream, treaties};
use crate::peril::AlertLevel;
use crate::state::ledger::{bucket_mut, credit, debit, fits};
use crate::state::{Load, LossByLayer, Pool, PoolKind, Treaty, TreatyKind, day_of, day_start};
use anchor_lang::prelude::*;

/// A quota share in force of a cover pool; all zero when the place is free.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct QuotaShareInForce {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// What the treaty can still come to owe, in asset units.
    pub limit_left: u64,
    /// What it owes incidents and has not paid, in asset units.
    pub owed: u64,
    /// First second of the term.
    pub start: i64,
    /// First second after the term.
    pub end: i64,
    /// Exposure of covers that end after the term, in asset units; of those that were sold before the treaty was accepted,
    /// or its term cut short, at the most. Of use, and kept up, until the term is over.
    pub outlasting: u64,
    /// Part of premium and loss that is ceded, in basis points.
    pub cession_bps: u16,
    /// Part of the ceded premium that the cedant keeps, in basis points.
    pub commission_bps: u16,
    /// Unused.
    pub padding: [u8; 4],
}

/// An excess-of-loss layer in force of a cover pool; all zero when the place is free.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LayerInForce {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// Net loss of an incident from which the layer pays, in asset units.
    pub attachment: u64,
    /// The layer's height above its attachment, in asset units.
    pub limit: u64,
    /// What the treaty can still come to owe, in asset units.
    pub limit_left: u64,
    /// What it owes incidents and has not paid, in asset units.
    pub owed: u64,
    /// What of the limit was restored in a crisis: it serves later events only, from its end on, in asset units.
    pub restored_later: u64,
    /// First second of the term.
    pub start: i64,
    /// First second after the term.
    pub end: i64,
}

/// A treaty that a reinsurance pool stands behind; all zero when the place is free.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct InwardTreaty {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// Open limit that capital is held for, in asset units.
    pub limit: u64,
}

/// What can fall on a reinsurance pool of what its cedants are in alert for, may come to lose in a crisis, and lost already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InwardRisk {
    /// Of each treaty at most its open limit, in asset units.
    pub amount: u64,
    /// Whether any of it is owed, so that calling the treaty moves it on.
    pub owes: bool,
    /// How deep the deepest of it is: what is due already, or can come of an alert that is more than breaching, or of a
    /// crisis, is due.
    pub level: AlertLevel,
}

impl Default for InwardRisk {
    fn default() -> Self {
        Self { amount: 0, owes: false, level: AlertLevel::None }
    }
}

impl InwardRisk {
    /// Adds what can fall on the reinsurer by one of its treaties.
    ///
    /// It is measured by the reinsurer, not by the cedant: what is little to one may be all that the other has. And it is
    /// what the treaty can pay: what its terms leave to the cedant holds nobody.
    pub fn add(&mut self, inward: &InwardTreaty, cedant: &Pool, now: i64) -> Result<()> {
        let (owed, open) = cedant.owed_and_open(&inward.treaty, now)?;
        let amount = owed.saturating_add(open).min(inward.limit);
        if amount == 0 {
            return Ok(());
        }
        credit(&mut self.amount, amount)?;
        self.owes |= owed > 0;
        let due = owed > 0 || cedant.crisis.growth > 0 || cedant.alerts_due > 0;
        self.level = self.level.max(if due { AlertLevel::Due } else { AlertLevel::Breaching });
        Ok(())
    }

    /// Loss capital to which it is small: two hundred times as much. What does not fit is out of reach.
    pub fn keeps_small(&self) -> u64 {
        self.amount.saturating_mul(SMALL_ALERT_DIVISOR)
    }
}

/// Quota-share premium on its way to the reinsurer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CededPremium {
    /// Asset units.
    pub amount: u64,
    /// Rate at which the reinsurer earns it, in Q32 asset units a second.
    pub rate_q32: u64,
    /// First UTC day on which all of it is earned.
    pub end_day: u32,
}

impl Pool {
    // ---- as cedant ----

    /// Puts an accepted treaty in force: a quota share in the order of terms, a layer in the order of attachments.
    ///
    /// Quota shares may not overlap in time, layers not in height and time, so that a loss is never paid twice. What begins
    /// when the other ends may: the next year's treaty can be accepted while this year's still runs.
    pub fn put_in_force(&mut self, key: Pubkey, treaty: &Treaty) -> Result<()> {
        self.in_use = 1;
        let (start, end) = (treaty.start(), treaty.end());
        match treaty.kind {
            TreatyKind::QuotaShare { cession_bps, commission_bps } => {
                let taken = |share: &QuotaShareInForce| share.treaty != Pubkey::default();
                let overlaps =
                    self.quota_shares.iter().any(|share| taken(share) && start < share.end && share.start < end);
                ensure!(!overlaps, BackstopError::BadTreatyTerms);
                let [.., last] = &self.quota_shares;
                ensure!(!taken(last), BackstopError::NoTreatyPlace);
                let outlasting = self.outlasting(end);
                let before = |share: &QuotaShareInForce| taken(share) && share.start < start;
                let index = self.quota_shares.iter().filter(|share| before(share)).count();
                let shares = self.quota_shares.get_mut(index..).ok_or(BackstopError::NoTreatyPlace)?;
                shares.rotate_right(1);
                let place = shares.first_mut().ok_or(BackstopError::NoTreatyPlace)?;
                *place = QuotaShareInForce {
                    treaty: key,
                    reinsurer: treaty.reinsurer,
                    limit_left: treaty.limit,
                    owed: 0,
                    start,
                    end,
                    outlasting,
                    cession_bps,
                    commission_bps,
                    padding: [0; 4],
                };
                // What the others are owed moves along; the last place was free and owes nothing.
                if let Some(payable) = self.treaty_payable.get_mut(index..) {
                    payable.rotate_right(1);
                }
            }
            TreatyKind::ExcessOfLoss { attachment, .. } => {
                let top = fits(attachment.checked_add(treaty.limit))?;
                let overlaps = self.layers.iter().filter(|layer| layer.treaty != Pubkey::default()).any(|layer| {
                    let in_height = attachment < layer.attachment.saturating_add(layer.limit) && layer.attachment < top;
                    let in_time = start < layer.end && layer.start < end;
                    in_height && in_time
                });
                ensure!(!overlaps, BackstopError::BadTreatyTerms);
                let [.., last] = &self.layers;
                ensure!(last.treaty == Pubkey::default(), BackstopError::NoTreatyPlace);
                // Free places last, the others upward: the new one goes before the first above it.
                let above = |layer: &LayerInForce| layer.treaty == Pubkey::default() || layer.attachment > attachment;
                let index = self.layers.iter().position(above).ok_or(BackstopError::NoTreatyPlace)?;
                let rest = self.layers.get_mut(index..).ok_or(BackstopError::NoTreatyPlace)?;
                rest.rotate_right(1);
                let place = rest.first_mut().ok_or(BackstopError::NoTreatyPlace)?;
                *place = LayerInForce {
                    treaty: key,
                    reinsurer: treaty.reinsurer,
                    attachment,
                    limit: treaty.limit,
                    limit_left: treaty.limit,
                    owed: 0,
                    restored_later: 0,
                    start,
                    end,
                };
            }
        }
        Ok(())
    }

    /// Takes an ended treaty out of force.
    pub fn take_out_of_force(&mut self, key: &Pubkey) -> Result<()> {
        if let Some(index) = self.quota_share_place(key) {
            let payable = self.treaty_payable.get_mut(index..).ok_or(BackstopError::WrongTreatyState)?;
            ensure!(payable.first() == Some(&0), BackstopError::TreatyInUse);
            close_up(payable);
            close_up(self.quota_shares.get_mut(index..).ok_or(BackstopError::WrongTreatyState)?);
            return Ok(());
        }
        let index = self.layers.iter().position(|layer| layer.treaty == *key);
        let rest = index.and_then(|index| self.layers.get_mut(index..)).ok_or(BackstopError::WrongTreatyState)?;
        close_up(rest);
        Ok(())
    }

    /// Ends a treaty's term early.
    pub fn shorten(&mut self, key: &Pubkey, end: i64) {
        let outlasting = self.outlasting(end);
        for share in self.quota_shares.iter_mut().filter(|share| share.treaty == *key) {
            (share.end, share.outlasting) = (end, outlasting);
        }
        for layer in self.layers.iter_mut().filter(|layer| layer.treaty == *key) {
            layer.end = end;
        }
    }

    /// Where a quota share stands.
    fn quota_share_place(&self, key: &Pubkey) -> Option<usize> {
        self.quota_shares.iter().position(|share| share.treaty == *key)
    }

    /// A quota share in force, by its treaty.
    pub fn quota_share(&self, key: &Pubkey) -> Option<&QuotaShareInForce> {
        self.quota_shares.iter().find(|share| share.treaty == *key)
    }

    fn quota_share_mut(&mut self, key: &Pubkey) -> Option<&mut QuotaShareInForce> {
        self.quota_shares.iter_mut().find(|share| share.treaty == *key)
    }

    /// Place of the quota share within whose term a moment is.
    pub fn quota_share_at(&self, at: i64) -> Option<usize> {
        self.quota_shares.iter().position(|share| at >= share.start && at < share.end)
    }

    /// Premium that a quota share has earned and was not handed, in asset units; 0 if it is not in force.
    pub fn payable_of(&self, key: &Pubkey) -> u64 {
        self.quota_share_place(key).and_then(|index| self.treaty_payable.get(index)).copied().unwrap_or(0)
    }

    /// What a treaty in force can still come to owe, and what it owes; `None` if it is not in force.
    pub fn limit_and_owed(&self, key: &Pubkey) -> Option<(u64, u64)> {
        if let Some(share) = self.quota_share(key) {
            return Some((share.limit_left, share.owed));
        }
        let layer = self.layers.iter().find(|layer| layer.treaty == *key)?;
        Some((layer.limit_left, layer.owed))
    }

    /// What a treaty in force owes, and what it can come to owe more of what is in alert and of what the crisis can still
    /// grow, by its terms and its limit aside: at the most, so rounded up.
    ///
    /// Nothing before its term begins: what shows now happened before. And of what is only breaching nothing once the ring
    /// no longer reaches back to its last day.
    fn owed_and_open(&self, key: &Pubkey, now: i64) -> Result<(u64, u64)> {
        let growth = self.crisis.growth;
        let in_alert = |end: i64| {
            let reach = end.saturating_add(i64::from(self.ring_days).saturating_mul(DAY));
            if self.alerts_due == 0 && now >= reach { 0 } else { self.alert_exposure }
        };
        if let Some(share) = self.quota_share(key) {
            let open = if now < share.start { 0 } else { in_alert(share.end).saturating_add(growth) };
            let part = fits(mul_div(open, u64::from(share.cession_bps), BPS, Rounding::Up))?;
            return Ok((share.owed, part));
        }
        let Some(layer) = self.layers.iter().find(|layer| layer.treaty == *key) else { return Ok((0, 0)) };
        if now < layer.start {
            return Ok((layer.owed, 0));
        }
        // Each incident has to go beyond the attachment by itself, those that are open with what they have lost so far.
        let grown = if growth > 0 { self.crisis.gross.saturating_add(growth) } else { 0 };
        let open = in_alert(layer.end).saturating_add(grown);
        Ok((layer.owed, open.saturating_sub(layer.attachment)))
    }

    /// What a quota share takes of a gross loss before its limit, rounded down; nothing if the treaty is none.
    pub fn ceded_loss(&self, key: &Pubkey, gross: u64) -> Result<u64> {
        let cession_bps = self.quota_share(key).map_or(0, |share| share.cession_bps);
        fits(mul_div(gross, u64::from(cession_bps), BPS, Rounding::Down))
    }

    /// Uses a treaty's limit for what it comes to owe an incident: the quota share what it takes of the gross loss, a
    /// layer what is above its attachment of the rest, whether or not the quota share's limit sufficed. `before` is
    /// what it came to owe the incident before. Returns how much more it owes.
    pub fn owe(&mut self, key: &Pubkey, gross: u64, ceded: u64, before: u64) -> Result<u64> {
        let (due, limit_left, owed) = if let Some(share) = self.quota_shares.iter_mut().find(|it| it.treaty == *key) {
            (ceded, &mut share.limit_left, &mut share.owed)
        } else {
            let layer = self.layers.iter_mut().find(|layer| layer.treaty == *key);
            let layer = layer.ok_or(BackstopError::WrongTreatyState)?;
            let due = treaties::layer_owes(gross.saturating_sub(ceded), layer.attachment, layer.limit);
            (due, &mut layer.limit_left, &mut layer.owed)
        };
        let more = due.saturating_sub(before).min(*limit_left);
        debit(limit_left, more)?;
        credit(owed, more)?;
        Ok(more)
    }

    /// Takes what can no longer be called for off what a treaty owes, if it is still in force. Its limit is used all the same.
    pub(super) fn owe_less(&mut self, key: &Pubkey, unpaid: u64) {
        if let Some(share) = self.quota_share_mut(key) {
            share.owed = share.owed.saturating_sub(unpaid);
        }
        if let Some(layer) = self.layers.iter_mut().find(|layer| layer.treaty == *key) {
            layer.owed = layer.owed.saturating_sub(unpaid);
        }
    }

    /// Notes that a treaty paid of what it owes, and what of a layer's limit was restored: for later events only, so
    /// not before an open crisis ends.
    pub(crate) fn note_payment(&mut self, key: &Pubkey, paid: u64, restored: u64) -> Result<()> {
        if let Some(share) = self.quota_share_mut(key) {
            return debit(&mut share.owed, paid);
        }
        let in_crisis = self.in_crisis();
        let layer = self.layers.iter_mut().find(|layer| layer.treaty == *key);
        let layer = layer.ok_or(BackstopError::WrongTreatyState)?;
        debit(&mut layer.owed, paid)?;
        credit(if in_crisis { &mut layer.restored_later } else { &mut layer.limit_left }, restored)
    }

    /// Takes out what a reinsurer is due of premium, by all its quota shares in force.
    ///
    /// Errors: `WrongParent` if it has none, `NothingOwed`.
    pub fn take_treaty_payable(&mut self, reinsurer: &Pubkey) -> Result<u64> {
        let (mut found, mut amount) = (false, 0);
        for (share, payable) in self.quota_shares.iter().zip(&mut self.treaty_payable) {
            if share.treaty != Pubkey::default() && share.reinsurer == *reinsurer {
                credit(&mut amount, core::mem::take(payable))?;
                found = true;
            }
        }
        ensure!(found, BackstopError::WrongParent);
        ensure!(amount > 0, BackstopError::NothingOwed);
        debit(&mut self.cash, amount)?;
        Ok(amount)
    }

    /// Hands quota-share premium to its reinsurer, who earns it over the next seven days, to a day boundary: a deposit just
    /// before gains nothing by it.
    pub fn hand_premium_to(&mut self, (key, reinsurer): (&Pubkey, &mut Pool), now: i64) -> Result<CededPremium> {
        let amount = self.take_treaty_payable(key)?;
        let end_day = ceded_premium_end(now);
        let rate_q32 = reinsurer.stream_premium(amount, now, end_day)?;
        Ok(CededPremium { amount, rate_q32, end_day })
    }

    /// What the quota share within whose term `now` is stands in for of required capital.
    pub fn reinsurance_credit(&self, required: u64, now: i64) -> u64 {
        self.credit_of(self.quota_share_at(now), required)
    }

    /// What the quota share in a place stands in for.
    pub(super) fn credit_of(&self, place: Option<usize>, required: u64) -> u64 {
        let Some(share) = place.and_then(|place| self.quota_shares.get(place)) else { return 0 };
        capital::quota_share_credit(share.limit_left, share.cession_bps, required, self.terms.max_credit_bps)
    }

    /// The quota share that takes over when the one in a place ends, if one does without a gap.
    pub(super) fn successor_of(&self, place: usize) -> Option<usize> {
        let this = self.quota_shares.get(place)?;
        self.quota_shares.iter().position(|next| next.treaty != Pubkey::default() && next.start == this.end)
    }

    /// Exposure that may outlast a moment: if any does, at most what outlasts a quota share that ends before, else all of
    /// it, as nobody has counted.
    fn outlasting(&self, end: i64) -> u64 {
        if day_start(self.last_cover_end_day) <= end {
            return 0;
        }
        let earlier = self.quota_shares.iter().filter(|share| share.treaty != Pubkey::default() && share.end <= end);
        earlier.map(|share| share.outlasting).fold(self.total_exposure, u64::min)
    }

    /// Counts a cover that is sold among what outlasts the quota shares in force.
    pub fn count_outlasting(&mut self, end_day: u32, sum_insured: u64) -> Result<()> {
        for share in self.quota_shares.iter_mut().filter(|share| outlasts(share, end_day)) {
            credit(&mut share.outlasting, sum_insured)?;
        }
        Ok(())
    }

    /// Takes a cover that is given back out of that. Nothing that pays or ends waits for this figure: it is a bound.
    pub fn uncount_outlasting(&mut self, end_day: u32, sum_insured: u64) {
        for share in self.quota_shares.iter_mut().filter(|share| outlasts(share, end_day)) {
            share.outlasting = share.outlasting.saturating_sub(sum_insured);
        }
    }

    /// Whether a quota share goes on where one in force ends, on terms no worse: the same cession, no smaller commission,
    /// and no smaller limit than is left. Those who wait to leave lose nothing by it.
    pub fn renews(&self, treaty: &Treaty) -> bool {
        let TreatyKind::QuotaShare { cession_bps, commission_bps } = treaty.kind else { return false };
        self.quota_shares.iter().any(|share| {
            share.treaty != Pubkey::default()
                && share.end == treaty.start()
                && share.cession_bps == cession_bps
                && share.commission_bps <= commission_bps
                && share.limit_left <= treaty.limit
        })
    }

    // ---- as reinsurer ----

    /// Sum of the limits that this pool stands behind, in asset units.
    pub fn open_limits(&self) -> Result<u64> {
        fits(self.inward.iter().try_fold(0u64, |sum, treaty| sum.checked_add(treaty.limit)))
    }

    /// The pools that cede to this one, one a treaty, in the order of its books.
    pub fn cedants(&self) -> Vec<Pubkey> {
        self.inward.iter().filter(|inward| inward.treaty != Pubkey::default()).map(|inward| inward.cedant).collect()
    }

    /// Stands behind a treaty with capital for its whole limit.
    pub fn stand_behind(&mut self, key: Pubkey, treaty: &Treaty) -> Result<()> {
        self.in_use = 1;
        let place = self.inward.iter_mut().find(|inward| inward.treaty == Pubkey::default());
        *place.ok_or(BackstopError::NoTreatyPlace)? =
            InwardTreaty { treaty: key, cedant: treaty.cedant, limit: treaty.limit };
        self.renew_required()
    }

    /// Releases the limit of an ended treaty. The others close up, in their order.
    pub fn release_limit(&mut self, key: &Pubkey) -> Result<()> {
        let index = self.inward.iter().position(|inward| inward.treaty == *key);
        let rest = index.and_then(|index| self.inward.get_mut(index..)).ok_or(BackstopError::WrongTreatyState)?;
        close_up(rest);
        self.renew_required()
    }

    /// Pays what a treaty owes: its open limit, what it can still ask for, is so much less. `premium` of it comes out of
    /// what is unearned ([`Pool::end_used_premium`]), the rest is the layers' loss.
    pub fn pay_inward(&mut self, key: &Pubkey, paid: u64, premium: u64) -> Result<LossByLayer> {
        debit(self.open_limit_mut(key)?, paid)?;
        self.renew_required()?;
        let borne = fits(paid.checked_sub(premium))?;
        debit(&mut self.unearned_premium, premium)?;
        debit(&mut self.cash, premium)?;
        self.bear_loss(borne)
    }

    /// Ends the part of a layer's stream of premium, of a rate to the start of a day, that is for what is paid of its open
    /// limit. Returns the rate that ended, and what of it was unearned, in asset units, rounded down: that goes into the
    /// payment. So nobody earns for a limit that is used up, and whoever comes in behind a remnant of it only for that.
    pub fn end_used_premium(&mut self, key: &Pubkey, rate_q32: u64, end_day: u32, paid: u64) -> Result<(u64, u64)> {
        let limit = *self.open_limit_mut(key)?;
        let left = u64::try_from(day_start(end_day).saturating_sub(self.accrued_at)).unwrap_or(0);
        if rate_q32 == 0 || paid == 0 || left == 0 {
            return Ok((0, 0));
        }
        let ended = fits(mul_div(rate_q32, paid, limit, Rounding::Down))?;
        debit(bucket_mut(&mut self.rate_ends, end_day), ended)?;
        debit(&mut self.rate_q32, ended)?;
        let unearned = fits(stream::unearned(ended, left))?;
        Ok((ended, unearned.min(self.unearned_premium).min(paid)))
    }

    /// Stands behind a limit that was restored.
    pub fn restore_inward(&mut self, key: &Pubkey, restored: u64) -> Result<()> {
        credit(self.open_limit_mut(key)?, restored)?;
        self.renew_required()
    }

    fn open_limit_mut(&mut self, key: &Pubkey) -> Result<&mut u64> {
        let place = self.inward.iter_mut().find(|inward| inward.treaty == *key);
        Ok(&mut place.ok_or(BackstopError::WrongTreatyState)?.limit)
    }

    /// Limit that the pool could take on beyond its open ones and still be solvent.
    pub fn room_for_limits(&self) -> Result<u64> {
        let own = self.staying_capital()?;
        let held = self.must_stay(self.open_limits()?)?;
        // Capital per unit of limit is the solvency ratio: rounded down, against the treaty.
        let spare = u128::from(own.saturating_sub(held)).saturating_mul(u128::from(MIN_BPS));
        let room = spare.checked_div(u128::from(self.terms.solvency_bps)).unwrap_or(0);
        Ok(u64::try_from(room).unwrap_or(u64::MAX))
    }

    /// Bears a treaty's payment: surplus, junior, senior. The payment leaves the pool.
    pub fn bear_loss(&mut self, paid: u64) -> Result<LossByLayer> {
        let split = self.take_loss(paid)?;
        debit(&mut self.cash, paid)?;
        Ok(split)
    }

    /// Takes the premium of a reinstatement in; it streams until the treaty's end, but for seven days at least, as a
    /// quota share's does: a treaty may be called on its last day or later, and nobody shall deposit for a second's
    /// share of it. Returns the rate, if it ends with the treaty: it is the treaty's then, like that of its premium.
    pub fn receive_reinstatement(&mut self, premium: u64, now: i64, end_day: u32) -> Result<u64> {
        if premium == 0 {
            return Ok(0);
        }
        let until = end_day.max(ceded_premium_end(now));
        let rate_q32 = self.stream_premium(premium, now, until)?;
        Ok(if until == end_day { rate_q32 } else { 0 })
    }

    /// What can fall on this pool of its cedants' alerts and losses. Refuses unless every cedant is passed, in the order of its
    /// books; a cover pool has none.
    #[inline(never)]
    pub fn inward_risk<'info>(&self, cedants: &'info [AccountInfo<'info>], now: i64) -> Result<InwardRisk> {
        let mut risk = InwardRisk::default();
        let mut passed = cedants.iter();
        if self.kind() == PoolKind::Reinsurance {
            for inward in self.inward.iter().filter(|inward| inward.treaty != Pubkey::default()) {
                let account = passed.next().ok_or(BackstopError::CedantsMissing)?;
                ensure!(*account.key == inward.cedant, BackstopError::CedantsMissing);
                let loader = AccountLoader::<Pool>::try_from(account)?;
                risk.add(inward, &*loader.read()?, now)?;
            }
        }
        ensure!(passed.next().is_none(), BackstopError::UnexpectedAccounts);
        Ok(risk)
    }

    /// Whether what can fall on this pool of its cedants' alerts and losses is small: at most 0.5 % of its own loss capital.
    pub fn is_small(&self, risk: &InwardRisk) -> bool {
        self.loss_capital().is_ok_and(|capital| risk.keeps_small() <= capital)
    }

    /// Refuses capital while more than a little of what is there may be lost already: whoever came in would pay for it.
    ///
    /// Errors: `TreatyOwes` if a call moves it on, else `PoolInAlert`.
    #[inline(never)]
    pub fn require_small(&self, risk: &InwardRisk) -> Result<()> {
        if !self.is_small(risk) {
            ensure!(!risk.owes, BackstopError::TreatyOwes);
            return Err(refuse(BackstopError::PoolInAlert));
        }
        Ok(())
    }

    /// Whether a treaty's limit can no longer be needed: no alert of the cedant is more than breaching, it is in no crisis,
    /// its longest ring no longer reaches back to the treaty's last day, and nothing is owed: what was not called
    /// for by its incident's deadline is not, once that is closed, nor a year after the ring's end if nobody can close it.
    ///
    /// What is only breaching then can come to prove an event of after the term, and none of within: that would be older
    /// than the ring. Nor may accrual stand since the term ran: what stands is still to be ceded.
    pub fn treaty_is_over(&self, key: &Pubkey, treaty: &Treaty, now: i64) -> bool {
        let reach = day_start(treaty.end_day.saturating_add(u32::from(self.ring_days)));
        let (_, owed) = self.limit_and_owed(key).unwrap_or_default();
        let settled = owed == 0 || now >= reach.saturating_add(SETTLEMENT_WINDOW);
        let accrued = self.stands_since == 0 || self.stands_since >= day_start(treaty.end_day);
        self.alerts_due == 0 && !self.in_crisis() && now >= reach && settled && accrued
    }
}

/// First UTC day after which premium that a cedant hands over now is earned: at least seven days ahead.
pub fn ceded_premium_end(now: i64) -> u32 {
    let whole_days = CEDED_PREMIUM_DAYS.saturating_mul(DAY).saturating_add(DAY.saturating_sub(1));
    day_of(now.saturating_add(whole_days))
}

/// Whether a cover that ends on a day outlasts a quota share.
fn outlasts(share: &QuotaShareInForce, end_day: u32) -> bool {
    share.treaty != Pubkey::default() && day_start(end_day) > share.end
}

/// Frees the first place of the rest of a list; the others close up, in their order.
fn close_up<T: Default>(rest: &mut [T]) {
    rest.rotate_left(1);
    if let Some(last) = rest.last_mut() {
        *last = T::default();
    }
}
