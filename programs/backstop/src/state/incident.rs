//! An incident: one trigger of one product, the reserve set aside for it and the ratio at which its covers are paid.

use crate::constants::*;
use crate::error::{BackstopError, refuse};
use crate::math::losses;
use crate::peril::{AlertLevel, Condition};
use crate::state::ledger::{credit, debit};
use crate::state::{
    Accrual, Claim, Cover, EndedPremium, LossByLayer, Pool, Product, ProductState, Rates, Treaty, TreatyKind,
};
use anchor_lang::prelude::*;

/// Treaties that an incident can note: one quota share and the layers.
pub const MAX_NOTED_TREATIES: usize = 1 + MAX_LAYERS;

stored_enum! {
    /// How far an incident is.
    pub enum IncidentState {
        /// Its treaties are being called.
        Open = 0,
        /// Waits for its funding round.
        Waiting = 1,
        /// Its reserve and ratio are fixed.
        Funded = 2,
        /// What was left went to the surplus.
        Closed = 3,
    }
}

stored_enum! {
    /// How a noted treaty stands for an incident.
    #[derive(Default)]
    pub enum CallState {
        /// Not called yet, or no treaty noted.
        #[default]
        Pending = 0,
        /// Called: what it could pay is in the incident's reserve.
        Called = 1,
        /// Not called in time: what it owes can be collected into the surplus.
        Skipped = 2,
    }
}

/// A treaty that was in force at the event.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotedTreaty {
    /// The treaty.
    pub treaty: Pubkey,
    /// How it stands.
    pub state: CallState,
    /// What it owes, in asset units.
    pub owed: u64,
    /// What it paid, in asset units.
    pub paid: u64,
}

/// One trigger of one product.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The product.
    pub product: Pubkey,
    /// The product's pool.
    pub pool: Pubkey,
    /// Whoever paid the rent of the incident.
    pub rent_payer: Pubkey,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// How far the incident is.
    pub state: IncidentState,
    /// Part of each sum insured that is lost, in basis points.
    pub severity_bps: u16,
    /// Start of the first slot of the evidence, unix seconds.
    pub event_at: i64,
    /// When the protection of its covers ended: the end of the challenge. What they had not earned then is given back in
    /// the part of them that was not lost.
    pub ended_at: i64,
    /// Up to when the pool had earned premium as it was opened: what covers that were waiting had not earned then is given
    /// back.
    pub accrued_at: i64,
    /// When the incident was opened.
    pub opened_at: i64,
    /// When it was funded; 0 before.
    pub funded_at: i64,
    /// Its funding round, once it waits.
    pub round: u32,
    /// What its covers are due for their loss, in asset units.
    pub gross: u64,
    /// What treaties paid of it, in asset units.
    pub ceded: u64,
    /// What the pool has to bear, in asset units.
    pub net: u64,
    /// Set aside: what treaties paid and what the pool could bear, in asset units.
    pub reserve: u64,
    /// Paid out of the reserve so far, in asset units.
    pub paid: u64,
    /// Exposure of the product, in asset units.
    pub exposure: u64,
    /// Sums insured of affected covers not settled yet, in asset units.
    pub sums_left: u64,
    /// Premiums of covers waiting at the event and not settled yet, in asset units.
    pub premiums_left: u64,
    /// Premium set aside to be given back and not given back yet, in asset units.
    pub refunds_left: u64,
    /// Treaties noted, in the order in which they are called.
    pub treaties: [NotedTreaty; MAX_NOTED_TREATIES],
    /// What the quota share owes, in asset units: the layers pay beyond it.
    pub quota_share_owed: u64,
    /// How many treaties are noted.
    pub treaty_count: u8,
    /// The treaty to be called next.
    pub cursor: u8,
    /// Room for later fields.
    pub reserved: [u8; 64],
}

borsh_account!(Incident { keys: 3, discriminator: [144, 81, 144, 130, 200, 193, 26, 111] });

/// Whose incident it is, where, and who pays for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncidentKeys {
    /// The product.
    pub product: Pubkey,
    /// The product's pool.
    pub pool: Pubkey,
    /// Whoever pays the rent.
    pub rent_payer: Pubkey,
    /// Bump of the address.
    pub bump: u8,
}

/// What opening an incident did. Amounts are in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// When the event was.
    pub event_at: i64,
    /// When the protection of the covers ended.
    pub ended_at: i64,
    /// Part of each sum insured that is lost, in basis points.
    pub severity_bps: u16,
    /// What its covers are due for their loss.
    pub gross: u64,
    /// Exposure that ended with it, because nothing is due.
    pub released: u64,
    /// Premium of covers that were waiting, set aside for them.
    pub waiting_refunds: u64,
    /// Premium of covers in force, set aside for them: of what they had not earned, the part that was not lost.
    pub loss_refunds: u64,
    /// The premium that is the pool's, and how it was shared out: what the covers had earned and, as late, what they had
    /// not but the loss has.
    pub accrual: Accrual,
}

/// What settling a cover pays, in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payout {
    /// What the cover is due.
    pub claim: Claim,
    /// For the loss, out of the reserve.
    pub amount: u64,
    /// Premium that is given back.
    pub refund: u64,
}

impl Payout {
    /// All that the holder gets. `None` if it does not fit.
    pub fn total(&self) -> Option<u64> {
        self.amount.checked_add(self.refund)
    }
}

/// What is left of an incident that is closed, in asset units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindUp {
    /// Of its reserve.
    pub reserve: u64,
    /// Of the premium that was set aside.
    pub refunds: u64,
}

/// What funding an incident did, in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funding {
    /// What its covers are due.
    pub gross: u64,
    /// What treaties paid of it.
    pub ceded: u64,
    /// What the pool set aside of its own.
    pub paid: u64,
    /// Exposure that left pool and group.
    pub released: u64,
    /// How the pool's part fell on its layers.
    pub losses: LossByLayer,
}

impl Incident {
    /// Opens the incident of a triggered product, and ends the product.
    ///
    /// Gross is exact, from the buckets: the severity of the sums in force at the event, rounded up, so that the
    /// payouts never exceed it. Premium that is given back is no part of it and comes from the covers' own: it is set
    /// aside, and the product's rates leave the pool's stream. With nothing due the incident is funded at once, and
    /// exposure and alert end with it, closed if nothing is given back either; else the treaties in force at the event
    /// are noted, and without any it waits for its funding round.
    ///
    /// The pool is accrued: up to the beginning of the alert. Errors: `NotTriggered`, `ProductOver`.
    pub fn open(
        &mut self,
        keys: IncidentKeys,
        pool: &mut Pool,
        product: &mut Product,
        rates: &mut Rates,
        condition: &mut impl Condition,
        now: i64,
    ) -> Result<Opening> {
        let verdict = condition.require_verdict()?;
        ensure!(product.state() != ProductState::Over, BackstopError::ProductOver);
        let (event_at, severity_bps) = (verdict.event_at, verdict.severity_bps);
        let affected = product.affected(event_at)?;
        let gross = losses::gross(affected.sums, severity_bps).ok_or(BackstopError::MathOverflow)?;
        let ended = rates.end(product, pool, event_at, verdict.proven_at)?;
        let mut accrual = pool.end_premium(&ended)?;
        let loss_refunds = losses::refund(ended.loss, severity_bps).ok_or(BackstopError::MathOverflow)?;
        let rest = pool.decide_set_aside(ended.loss, loss_refunds)?;
        accrual.add(&rest).ok_or(BackstopError::MathOverflow)?;
        let EndedPremium { waiting: waiting_refunds, accrued_at, ended_at, .. } = ended;
        let refunds = waiting_refunds.checked_add(loss_refunds).ok_or(BackstopError::MathOverflow)?;
        product.end_with(event_at);
        *self = Incident {
            product: keys.product,
            pool: keys.pool,
            rent_payer: keys.rent_payer,
            version: ACCOUNT_VERSION,
            bump: keys.bump,
            state: IncidentState::Open,
            severity_bps,
            event_at,
            ended_at,
            accrued_at,
            opened_at: now,
            funded_at: 0,
            round: 0,
            gross,
            ceded: 0,
            net: gross,
            reserve: 0,
            paid: 0,
            exposure: product.exposure,
            sums_left: affected.sums,
            premiums_left: affected.premiums,
            refunds_left: refunds,
            treaties: [NotedTreaty::default(); MAX_NOTED_TREATIES],
            quota_share_owed: 0,
            treaty_count: 0,
            cursor: 0,
            reserved: [0; 64],
        };
        let mut released = 0;
        if gross == 0 {
            self.end_alert(pool, product, condition, now)?;
            released = self.exposure;
            self.funded_at = now;
            self.state = IncidentState::Funded;
            if refunds == 0 {
                product.note_incident_closed();
                self.state = IncidentState::Closed;
            }
        } else {
            self.note_treaties(pool)?;
            self.join_when_called(pool)?;
        }
        Ok(Opening { event_at, ended_at, severity_bps, gross, released, waiting_refunds, loss_refunds, accrual })
    }

    /// Sets aside what the incident is paid, once its funding round is due, and fixes its ratio for good; exposure and
    /// alert of the product end.
    ///
    /// Errors: `TreatiesNotCalled`, `AlreadyFunded`, and those of [`Pool::fund_incident`].
    pub fn fund(
        &mut self,
        pool: &mut Pool,
        product: &mut Product,
        condition: &mut impl Condition,
        now: i64,
    ) -> Result<Funding> {
        match self.state {
            IncidentState::Waiting => {}
            IncidentState::Open => return Err(refuse(BackstopError::TreatiesNotCalled)),
            IncidentState::Funded | IncidentState::Closed => return Err(refuse(BackstopError::AlreadyFunded)),
        }
        let (paid, losses) = pool.fund_incident(self.round, self.net, now)?;
        self.end_alert(pool, product, condition, now)?;
        self.reserve = self.ceded.checked_add(paid).ok_or(BackstopError::MathOverflow)?;
        self.funded_at = now;
        self.state = IncidentState::Funded;
        Ok(Funding { gross: self.gross, ceded: self.ceded, paid, released: self.exposure, losses })
    }

    /// Moves what is left of the reserve and of the premium set aside to the surplus, once every cover is settled or the
    /// window for it is over. The account is closed with it.
    ///
    /// Errors: `NotFunded`, `IncidentInUse`.
    pub fn wind_up(&self, pool: &mut Pool, product: &mut Product, now: i64) -> Result<WindUp> {
        let left = match self.state {
            IncidentState::Open | IncidentState::Waiting => return Err(refuse(BackstopError::NotFunded)),
            IncidentState::Closed => WindUp::default(),
            IncidentState::Funded => {
                ensure!(self.may_close(now), BackstopError::IncidentInUse);
                WindUp { reserve: self.reserve.saturating_sub(self.paid), refunds: self.refunds_left }
            }
        };
        pool.release_incident_reserve(left.reserve)?;
        pool.release_premium_refunds(left.refunds)?;
        product.note_incident_closed();
        Ok(left)
    }

    /// Ends the product's alert, and takes its exposure out of pool and group.
    fn end_alert(
        &self,
        pool: &mut Pool,
        product: &mut Product,
        condition: &mut impl Condition,
        now: i64,
    ) -> Result<()> {
        pool.move_alert(condition.alert(), AlertLevel::None, self.exposure, now)?;
        condition.end_alert();
        product.release_all(pool)
    }

    /// Notes the treaties of the pool that were in force at the event: the quota share, then the layers upward by
    /// attachment.
    pub fn note_treaties(&mut self, pool: &Pool) -> Result<()> {
        let quota_share = (pool.quota_share.treaty, pool.quota_share.start, pool.quota_share.end);
        let layers = pool.layers.iter().map(|layer| (layer.treaty, layer.start, layer.end));
        let in_force = core::iter::once(quota_share)
            .chain(layers)
            .filter(|(_, start, end)| (*start..*end).contains(&self.event_at));
        let mut count = 0u8;
        for (noted, (treaty, _, _)) in self.treaties.iter_mut().zip(in_force) {
            *noted = NotedTreaty { treaty, ..NotedTreaty::default() };
            count = count.saturating_add(1);
        }
        self.treaty_count = count;
        Ok(())
    }

    /// Refuses any treaty but the next one to be called.
    pub fn require_next(&self, treaty: &Pubkey) -> Result<()> {
        ensure!(self.state == IncidentState::Open, BackstopError::TreatyAlreadyCalled);
        let next = self.treaties.get(usize::from(self.cursor));
        ensure!(next.is_some_and(|next| next.treaty == *treaty), BackstopError::WrongTreatyOrder);
        Ok(())
    }

    /// Gross loss less what the quota share owes: what the layers look at.
    pub fn beyond_quota_share(&self) -> u64 {
        self.gross.saturating_sub(self.quota_share_owed)
    }

    /// Books the call of the next treaty.
    pub fn book_call(&mut self, treaty: &Treaty, state: CallState, owed: u64, paid: u64) -> Result<()> {
        let next = self.treaties.get_mut(usize::from(self.cursor)).ok_or(BackstopError::WrongTreatyOrder)?;
        next.state = state;
        next.owed = owed;
        next.paid = paid;
        if matches!(treaty.kind, TreatyKind::QuotaShare { .. }) {
            self.quota_share_owed = owed;
        }
        self.ceded = self.ceded.checked_add(paid).ok_or(BackstopError::MathOverflow)?;
        self.cursor = self.cursor.saturating_add(1);
        Ok(())
    }

    /// Lets the incident wait for its funding round once its last treaty was called or skipped.
    pub fn join_when_called(&mut self, pool: &mut Pool) -> Result<()> {
        if self.cursor < self.treaty_count {
            return Ok(());
        }
        self.net = self.gross.saturating_sub(self.ceded);
        self.round = pool.join_funding_queue(self.net, self.exposure, self.opened_at)?;
        self.state = IncidentState::Waiting;
        Ok(())
    }

    /// What a cover is paid, rounded down: `sum x severity x ratio` and, of the premium that it had not earned when the
    /// protection ended, the part that was not lost; or all that it had not earned if it was still waiting. That is
    /// paid from its own premium, in full and at once.
    ///
    /// Errors: `NotEligible`; `IncidentClosed`; `NotFunded` of a loss before the ratio is known.
    pub fn payout(&self, cover: &Cover) -> Result<Payout> {
        ensure!(self.state != IncidentState::Closed, BackstopError::IncidentClosed);
        let claim = cover.claim(self.event_at).ok_or(BackstopError::NotEligible)?;
        let (amount, refund) = match claim {
            Claim::Loss => {
                ensure!(self.state == IncidentState::Funded, BackstopError::NotFunded);
                let amount = losses::payout(cover.sum_insured, self.severity_bps, self.reserve, self.gross);
                (amount, losses::refund(cover.unearned_at(self.ended_at)?, self.severity_bps))
            }
            Claim::Refund => (Some(0), Some(cover.unearned_at(self.accrued_at)?)),
        };
        let (amount, refund) = amount.zip(refund).ok_or(BackstopError::MathOverflow)?;
        Ok(Payout { claim, amount, refund })
    }

    /// Settles a cover and books it. Returns what its holder is paid.
    pub fn settle(&mut self, pool: &mut Pool, cover: &Cover) -> Result<Payout> {
        let payout = self.payout(cover)?;
        match payout.claim {
            Claim::Loss => debit(&mut self.sums_left, cover.sum_insured)?,
            Claim::Refund => debit(&mut self.premiums_left, cover.premium)?,
        }
        credit(&mut self.paid, payout.amount)?;
        ensure!(self.paid <= self.reserve, BackstopError::InvariantViolated);
        debit(&mut self.refunds_left, payout.refund)?;
        pool.pay_incident(payout.amount)?;
        pool.pay_premium_refund(payout.refund)?;
        Ok(payout)
    }

    /// Where in the account the fields are that a settlement changes: `paid` and the four after it.
    pub const PAID_AT: usize = 8 + 3 * 32 + 5 + 5 * 8 + 4 + 4 * 8;

    /// These fields as the account holds them.
    pub fn settled_part(&self) -> [u8; 40] {
        let fields = [self.paid, self.exposure, self.sums_left, self.premiums_left, self.refunds_left];
        bytemuck::cast(fields.map(u64::to_le))
    }

    /// Whether the incident may be closed: every cover is settled, or its window is over.
    pub fn may_close(&self, now: i64) -> bool {
        let settled = self.sums_left == 0 && self.premiums_left == 0;
        settled || now >= self.funded_at.saturating_add(SETTLEMENT_WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_a_settlement_changes_is_where_the_account_has_it() {
        let mut incident = Incident::try_from_slice(&[0; Incident::INIT_SPACE]).unwrap();
        let bytes = |incident: &Incident| {
            let mut bytes = Vec::new();
            incident.try_serialize(&mut bytes).unwrap();
            bytes
        };
        let mut patched = bytes(&incident);
        (incident.paid, incident.exposure, incident.sums_left, incident.premiums_left) = (1, 2 << 8, 3 << 16, u64::MAX);
        incident.refunds_left = 7 << 24;
        patched[Incident::PAID_AT..Incident::PAID_AT + 40].copy_from_slice(&incident.settled_part());
        assert_eq!(patched, bytes(&incident));
    }
}
