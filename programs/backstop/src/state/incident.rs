//! An incident: one trigger of one product, what its covers are due, and the reserve that they are paid from.

use crate::constants::*;
use crate::error::BackstopError;
use crate::math::losses;
use crate::peril::{AlertLevel, Condition};
use crate::state::ledger::{credit, debit, fits};
use crate::state::{
    Accrual, Claim, CoverState, Crisis, CrisisClosing, EndedPremium, Giving, Policy, Pool, Product, ProductState,
    ProductTerms, Rates, Treaty,
};
use anchor_lang::prelude::*;

/// Treaties that an incident can note: one quota share and the layers.
pub const MAX_NOTED_TREATIES: usize = 1 + MAX_LAYERS;

stored_enum! {
    /// How far an incident is.
    pub enum IncidentState {
        /// Its severity can still grow.
        Growing = 0,
        /// Its severity is final.
        Final = 1,
    }
}

stored_enum! {
    /// How a noted treaty stands for an incident.
    #[derive(Default)]
    pub enum CallState {
        /// It was called for all that it has come to owe: it has paid it, or what it could.
        #[default]
        Called = 0,
        /// It has come to owe more since it was called.
        Pending = 1,
    }
}

/// A treaty that was in force at the event.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotedTreaty {
    /// The treaty.
    pub treaty: Pubkey,
    /// How it stands.
    pub state: CallState,
    /// What it has come to owe, paid or not, in asset units.
    pub owed: u64,
    /// What it paid of that, in asset units.
    pub paid: u64,
    /// What of a layer's limit was restored with that, in asset units.
    pub restored: u64,
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
    /// Part of each sum insured that is paid: what is lost, less what the product's claim terms leave with the holder; in basis
    /// points. It never falls.
    pub severity_bps: u16,
    /// The most that this can become, in basis points, as of the opening.
    pub most_severity_bps: u16,
    /// Start of the first slot of the evidence, unix seconds.
    pub event_at: i64,
    /// When the protection of its covers ended: the end of the challenge, or the pool's last accrual if that was later, as
    /// after a small alert. What they had not earned then is given back in the part of them that was not lost.
    pub ended_at: i64,
    /// Up to when the pool had earned premium as it was opened: what covers that were waiting had not earned then is given
    /// back.
    pub accrued_at: i64,
    /// When the incident was opened.
    pub opened_at: i64,
    /// When its severity is final at the latest.
    pub final_at: i64,
    /// Until when its covers can be paid, and money that comes late goes to them first.
    pub deadline: i64,
    /// Number of its crisis within the pool; 0 if nothing is due for any loss.
    pub crisis: u32,
    /// Sums insured that were in force at the event, in asset units.
    pub sums: u64,
    /// What its covers are due for their loss, in asset units.
    pub gross: u64,
    /// Premium that is set aside until the severity is final, in asset units.
    pub loss_premium: u64,
    /// What it was given for its covers so far, in asset units.
    pub reserve: u64,
    /// Paid out of the reserve so far, in asset units.
    pub paid: u64,
    /// Sums insured of affected covers not paid in full yet, in asset units.
    pub sums_left: u64,
    /// Premiums of covers waiting at the event and not settled yet, in asset units.
    pub premiums_left: u64,
    /// Premium set aside to be given back and not given back yet, in asset units.
    pub refunds_left: u64,
    /// Exposure of the pool's other products as the incident was opened, less what was in alert, in asset units: what a
    /// restored limit serves.
    pub still_exposed: u64,
    /// Treaties noted: the quota share, then the layers upward.
    pub treaties: [NotedTreaty; MAX_NOTED_TREATIES],
    /// How many treaties are noted.
    pub treaty_count: u8,
    /// Room for later fields.
    pub reserved: [u8; 24],
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

/// What an incident is due more than before, and what follows from it. Amounts are in asset units.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// Part of each sum insured that is lost now, in basis points.
    pub severity_bps: u16,
    /// What its covers are due for their loss now.
    pub gross: u64,
    /// What each noted treaty owes more than before.
    pub owed: [u64; MAX_NOTED_TREATIES],
    /// Whether the severity is final with it.
    pub is_final: bool,
    /// Of the premium that was set aside until then, what is given back to holders.
    pub loss_refunds: u64,
    /// The rest of it, and how it was shared out.
    pub accrual: Accrual,
}

/// What opening an incident did. Amounts are in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// When the event was.
    pub event_at: i64,
    /// When the protection of the covers ended.
    pub ended_at: i64,
    /// When the severity is final at the latest.
    pub final_at: i64,
    /// Number of the crisis that it belongs to; 0 if nothing is due.
    pub crisis: u32,
    /// What its gross can become at the most.
    pub most: u64,
    /// Exposure that ended with it.
    pub released: u64,
    /// Premium of covers that were waiting, set aside for them.
    pub waiting_refunds: u64,
    /// Premium of covers in force that they had not earned, set aside until the severity is final.
    pub set_aside: u64,
    /// The premium that the covers had earned, and how it was shared out.
    pub accrual: Accrual,
    /// What its covers are due so far.
    pub growth: Growth,
}

/// What settling a cover pays, in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payout {
    /// What the cover is due.
    pub claim: Claim,
    /// For the loss, out of the reserve: beyond what was paid before.
    pub amount: u64,
    /// Premium that is given back.
    pub refund: u64,
    /// Where the cover stands now.
    pub state: CoverState,
}

impl Payout {
    /// All that the holder gets. `None` if it does not fit.
    pub fn total(&self) -> Option<u64> {
        self.amount.checked_add(self.refund)
    }
}

/// What is left of an incident that is closed, in asset units: it goes to the surplus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindUp {
    /// Of its reserve.
    pub reserve: u64,
    /// Of the premium that was set aside.
    pub refunds: u64,
    /// Of its crisis, if it was the last of it.
    pub bucket: u64,
}

/// What funding an incident did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funding {
    /// What its covers are due more than before, if anything changed.
    pub growth: Option<Growth>,
    /// Premium that its crisis earned before it was closed, for holders who are short.
    pub premium: Accrual,
    /// The end of its crisis, if it was due.
    pub closing: Option<CrisisClosing>,
    /// What it was given.
    pub giving: Giving,
}

impl Incident {
    /// Opens the incident of a triggered product, and ends the product with its exposure, its alert and its premium.
    ///
    /// The severity is the verdict's with the product's claim terms applied, here and nowhere else: gross, refunds and treaties
    /// go by what is paid. Gross is exact, from the buckets: the severity so far of the sums in force at the event, rounded up, so that the
    /// payouts never exceed it. With a loss the incident becomes part of the pool's crisis, or begins one, and the
    /// treaties in force at the event are noted and come to owe their parts. Premium that is given back is no part of
    /// any of it and comes from the covers' own.
    ///
    /// The pool is accrued: up to the beginning of the alert. Errors: `NotTriggered`, `ProductOver`, `CrisisNotClosed`.
    pub fn open(
        &mut self,
        keys: IncidentKeys,
        pool: &mut Pool,
        product: &mut Product,
        rates: &mut Rates,
        condition: &mut impl Condition,
        now: i64,
    ) -> Result<Opening> {
        let verdict = product.terms.apply_to(condition.require_verdict()?);
        ensure!(product.state() != ProductState::Over, BackstopError::ProductOver);
        let event_at = verdict.event_at;
        let affected = product.affected(event_at)?;
        let most = fits(losses::gross(affected.sums, verdict.most_severity_bps))?;
        let ended = match condition.period() {
            Some(period) => product.end_flat(pool, period, &verdict, affected.premiums)?,
            None => rates.end(product, pool, event_at, verdict.proven_at)?,
        };
        let accrual = pool.end_premium(&ended)?;
        let crisis =
            if most > 0 { pool.join_crisis(condition.alert_number(), most, verdict.final_by, now)? } else { 0 };
        let released = product.exposure;
        pool.move_alert(product.alert(condition.alert_number()), condition.alert(), AlertLevel::None, now)?;
        condition.end_alert();
        product.release_all(pool)?;
        product.end_with(event_at);
        let EndedPremium { waiting: waiting_refunds, loss: set_aside, accrued_at, ended_at, .. } = ended;
        *self = Incident {
            product: keys.product,
            pool: keys.pool,
            rent_payer: keys.rent_payer,
            version: ACCOUNT_VERSION,
            bump: keys.bump,
            state: IncidentState::Growing,
            severity_bps: 0,
            most_severity_bps: verdict.most_severity_bps,
            event_at,
            ended_at,
            accrued_at,
            opened_at: now,
            final_at: verdict.final_by,
            // Of one that gives premium back alone nothing else hangs on it: its holders have a year from now.
            deadline: if crisis == 0 { now } else { verdict.proven_at }.saturating_add(SETTLEMENT_WINDOW),
            crisis,
            sums: affected.sums,
            gross: 0,
            loss_premium: set_aside,
            reserve: 0,
            paid: 0,
            // A reading without a loss owes nothing: its premiums are earned.
            sums_left: if most > 0 || condition.period().is_none() { affected.sums } else { 0 },
            premiums_left: affected.premiums,
            refunds_left: waiting_refunds,
            still_exposed: pool.total_exposure.saturating_sub(pool.alert_exposure),
            treaties: [NotedTreaty::default(); MAX_NOTED_TREATIES],
            treaty_count: 0,
            reserved: [0; 24],
        };
        if crisis != 0 {
            self.note_treaties(pool)?;
        }
        // Without a loss nothing can grow.
        let growth = self.grow_to(pool, verdict.severity_bps, verdict.is_final || crisis == 0, now)?;
        if crisis == 0 && self.refunds_left == 0 {
            product.note_incident_closed();
        }
        let final_at = verdict.final_by;
        Ok(Opening {
            event_at,
            ended_at,
            final_at,
            crisis,
            most,
            released,
            waiting_refunds,
            set_aside,
            accrual,
            growth,
        })
    }

    /// Counts an incident of a loss in the account of its crisis.
    pub fn enter(&self, crisis: &mut Crisis) -> Result<()> {
        crisis.incidents = fits(crisis.incidents.checked_add(1))?;
        crisis.until = crisis.until.max(self.deadline);
        Ok(())
    }

    /// Brings what its covers are due up to a severity, and with it what treaties owe; makes it final.
    fn grow_to(&mut self, pool: &mut Pool, severity_bps: u16, is_final: bool, now: i64) -> Result<Growth> {
        let severity_bps = self.severity_bps.max(severity_bps);
        let gross = fits(losses::gross(self.sums, severity_bps))?;
        let more = gross.saturating_sub(self.gross);
        (self.severity_bps, self.gross) = (severity_bps, gross);
        let mut growth = Growth { severity_bps, gross, is_final, ..Growth::default() };
        if self.crisis != 0 {
            pool.book_growth(more)?;
            growth.owed = self.owe(pool, now)?;
        }
        if is_final {
            if self.crisis != 0 {
                let most = fits(losses::gross(self.sums, self.most_severity_bps))?;
                pool.book_final(most.saturating_sub(gross))?;
            }
            let loss = core::mem::take(&mut self.loss_premium);
            growth.loss_refunds = fits(losses::refund(loss, severity_bps))?;
            growth.accrual = pool.decide_set_aside(loss, growth.loss_refunds)?;
            credit(&mut self.refunds_left, growth.loss_refunds)?;
            self.state = IncidentState::Final;
        }
        Ok(growth)
    }

    /// Books what the noted treaties have come to owe by now. Returns how much each owes more.
    fn owe(&mut self, pool: &mut Pool, now: i64) -> Result<[u64; MAX_NOTED_TREATIES]> {
        let [first, ..] = &self.treaties;
        let ceded = pool.ceded_loss(&first.treaty, self.gross)?;
        let mut owed = [0; MAX_NOTED_TREATIES];
        let noted = self.treaties.iter_mut().take(usize::from(self.treaty_count));
        for (noted, owed) in noted.zip(owed.iter_mut()) {
            *owed = pool.owe(&noted.treaty, self.gross, ceded, noted.owed)?;
            credit(&mut noted.owed, *owed)?;
            credit(&mut pool.crisis.owed, *owed)?;
            if *owed > 0 {
                pool.crisis.owed_at = now;
            }
            if *owed > 0 && noted.state == CallState::Called {
                noted.state = CallState::Pending;
                pool.crisis.uncalled = fits(pool.crisis.uncalled.checked_add(1))?;
            }
        }
        Ok(owed)
    }

    /// Brings the incident up to the evidence, closes its crisis if that is due, and brings its reserve up to its part:
    /// in any order with other calls, and again.
    ///
    /// Errors: `WrongParent` for another crisis; `AlreadyFunded` if nothing would change.
    pub fn fund(
        &mut self,
        pool: &mut Pool,
        crisis: &mut Crisis,
        claim_terms: &ProductTerms,
        condition: &impl Condition,
        now: i64,
    ) -> Result<Funding> {
        ensure!(self.crisis == crisis.number, BackstopError::WrongParent);
        let mut growth = None;
        if self.state == IncidentState::Growing {
            let verdict = claim_terms.apply_to(condition.require_verdict()?);
            if verdict.severity_bps > self.severity_bps || verdict.is_final {
                growth = Some(self.grow_to(pool, verdict.severity_bps, verdict.is_final, now)?);
            }
        }
        let due = !crisis.closed && pool.crisis_is_due(now);
        let premium = if due { pool.earn_for_the_short()? } else { Accrual::default() };
        let closing = if due { Some(pool.close_crisis(crisis, now)?) } else { None };
        let giving = if crisis.closed {
            pool.give_from_bucket(crisis, self.gross, self.reserve)?
        } else {
            pool.give(self.gross, self.reserve)?
        };
        credit(&mut self.reserve, giving.amount)?;
        let changed = growth.is_some() || closing.is_some() || giving.amount > 0;
        ensure!(changed, BackstopError::AlreadyFunded);
        Ok(Funding { growth, premium, closing, giving })
    }

    /// Moves what is left of the reserve and of the premium set aside to the surplus, once every cover is paid in full or
    /// the deadline is over; with the last incident of a crisis what is left of that. The account is closed with it, and with
    /// that what treaties have not paid is owed no longer.
    ///
    /// `crisis` is the incident's, unless nothing was due. Errors: `WrongParent`, `IncidentInUse`.
    pub fn wind_up(
        &self,
        pool: &mut Pool,
        product: &mut Product,
        crisis: Option<&mut Crisis>,
        now: i64,
    ) -> Result<WindUp> {
        ensure!(self.may_close(now), BackstopError::IncidentInUse);
        ensure!(self.crisis == crisis.as_ref().map_or(0, |crisis| crisis.number), BackstopError::WrongParent);
        ensure!(crisis.as_ref().is_none_or(|crisis| crisis.closed), BackstopError::IncidentInUse);
        let mut left =
            WindUp { reserve: self.reserve.saturating_sub(self.paid), refunds: self.refunds_left, bucket: 0 };
        pool.release_incident_reserve(left.reserve)?;
        pool.release_premium_refunds(left.refunds)?;
        if let Some(crisis) = crisis {
            crisis.incidents = crisis.incidents.checked_sub(1).ok_or(BackstopError::InvariantViolated)?;
            pool.let_go_of_debt(crisis, &self.treaties, now)?;
            if crisis.incidents == 0 {
                left.bucket = pool.release_bucket(crisis)?;
            }
        }
        product.note_incident_closed();
        Ok(left)
    }

    /// Moves the deadline to a year from now: while its vault is frozen nobody can be paid.
    pub fn extend(&mut self, crisis: Option<&mut Crisis>, now: i64) -> Result<()> {
        ensure!(self.crisis == crisis.as_ref().map_or(0, |crisis| crisis.number), BackstopError::WrongParent);
        self.deadline = self.deadline.max(now.saturating_add(SETTLEMENT_WINDOW));
        if let Some(crisis) = crisis {
            crisis.until = crisis.until.max(self.deadline);
        }
        Ok(())
    }

    /// Notes the treaties of the pool that were in force at the event: the one quota share of that moment, then the layers upward by
    /// attachment.
    pub fn note_treaties(&mut self, pool: &Pool) -> Result<()> {
        let quota_shares = pool.quota_shares.iter().map(|share| (share.treaty, share.start, share.end));
        let layers = pool.layers.iter().map(|layer| (layer.treaty, layer.start, layer.end));
        let in_force = quota_shares.chain(layers).filter(|(_, start, end)| (*start..*end).contains(&self.event_at));
        let mut count = 0u8;
        for (noted, (treaty, _, _)) in self.treaties.iter_mut().zip(in_force) {
            *noted = NotedTreaty { treaty, ..NotedTreaty::default() };
            count = count.saturating_add(1);
        }
        self.treaty_count = count;
        Ok(())
    }

    /// How a treaty stands that the incident noted.
    ///
    /// Errors: `WrongParent` if it did not.
    pub fn noted(&self, treaty: &Pubkey) -> Result<&NotedTreaty> {
        let noted = self.treaties.iter().take(usize::from(self.treaty_count)).find(|noted| noted.treaty == *treaty);
        Ok(noted.ok_or(BackstopError::WrongParent)?)
    }

    /// What of a treaty's limit may be restored with a payment for the incident: in all calls together no more than what
    /// was still exposed when it opened, and nothing if the term was over at its T. For what could serve no later event
    /// nobody pays.
    pub fn restorable(&self, treaty: &Treaty, noted: &NotedTreaty) -> u64 {
        if self.ended_at >= treaty.end() { 0 } else { self.still_exposed.saturating_sub(noted.restored) }
    }

    /// Books that a treaty was called and paid, and what of its limit was restored.
    pub(crate) fn book_call(&mut self, treaty: &Pubkey, paid: u64, restored: u64, cedant: &mut Pool) -> Result<()> {
        let noted = self.treaties.iter_mut().find(|noted| noted.treaty == *treaty);
        let noted = noted.ok_or(BackstopError::WrongParent)?;
        credit(&mut noted.paid, paid)?;
        credit(&mut noted.restored, restored)?;
        if noted.state == CallState::Pending {
            noted.state = CallState::Called;
            if cedant.in_crisis() && self.crisis == cedant.crisis.number {
                let uncalled = cedant.crisis.uncalled.checked_sub(1);
                cedant.crisis.uncalled = uncalled.ok_or(BackstopError::InvariantViolated)?;
            }
        }
        Ok(())
    }

    /// Whether nothing more can come for its covers: its severity is final, and it was given all of it.
    pub fn is_complete(&self) -> bool {
        self.state == IncidentState::Final && self.reserve == self.gross
    }

    /// Refuses another pool, a policy on another product, and one that was paid all.
    ///
    /// Errors: `WrongParent`, `CoverNotActive`.
    pub fn require_concerns(&self, pool: &Pubkey, policy: &Policy) -> Result<()> {
        ensure!(self.pool == *pool, BackstopError::WrongParent);
        ensure!(policy.product == self.product, BackstopError::WrongParent);
        policy.require_open()
    }

    /// What a policy is paid now, rounded down.
    ///
    /// One in force at the event: `sum x reserve / sums in force`, less what it was paid before, and once the severity is
    /// final the part that was not lost of the premium that it had not earned when the protection ended. One that was
    /// still waiting: all that it had not earned. Premium is paid from the covers' own, in full.
    ///
    /// Errors: `NotEligible`, `CoverNotActive`, `NothingOwed`.
    pub fn payout(&self, policy: &Policy) -> Result<Payout> {
        let claim = policy.claim(self.event_at).ok_or(BackstopError::NotEligible)?;
        policy.require_open()?;
        match claim {
            Claim::Refund => {
                let refund = policy.unearned_at(self.accrued_at)?;
                Ok(Payout { claim, amount: 0, refund, state: CoverState::Settled })
            }
            Claim::Loss => {
                // A reading that pays nothing has earned its premium.
                ensure!(self.gross > 0 || !policy.is_flat(), BackstopError::NothingOwed);
                let due = fits(losses::payout(policy.sum_insured, self.reserve, self.sums))?;
                let amount = due.saturating_sub(policy.paid);
                // A reading's premium is earned once it is resolved.
                let refunds =
                    self.state == IncidentState::Final && policy.state == CoverState::Active && !policy.is_flat();
                let refund = if refunds {
                    fits(losses::refund(policy.unearned_at(self.ended_at)?, self.severity_bps))?
                } else {
                    0
                };
                let state = match self.state {
                    IncidentState::Final if self.is_complete() => CoverState::Settled,
                    IncidentState::Final => CoverState::Refunded,
                    IncidentState::Growing => policy.state,
                };
                ensure!(amount > 0 || refund > 0 || state == CoverState::Settled, BackstopError::NothingOwed);
                Ok(Payout { claim, amount, refund, state })
            }
        }
    }

    /// Settles a policy as far as there is something for it, and books it. Returns what is paid for it.
    pub fn settle(&mut self, pool: &mut Pool, policy: &mut Policy) -> Result<Payout> {
        let payout = self.payout(policy)?;
        if payout.state == CoverState::Settled {
            match payout.claim {
                Claim::Loss => debit(&mut self.sums_left, policy.sum_insured)?,
                Claim::Refund => debit(&mut self.premiums_left, policy.premium)?,
            }
        }
        credit(&mut policy.paid, payout.amount)?;
        credit(&mut policy.refunded, payout.refund)?;
        policy.state = payout.state;
        credit(&mut self.paid, payout.amount)?;
        ensure!(self.paid <= self.reserve, BackstopError::InvariantViolated);
        debit(&mut self.refunds_left, payout.refund)?;
        pool.pay_incident(payout.amount)?;
        pool.pay_premium_refund(payout.refund)?;
        Ok(payout)
    }

    /// Where in the account the fields are that a settlement changes: `paid` and the three after it.
    pub const PAID_AT: usize = 8 + 3 * 32 + 7 + 6 * 8 + 4 + 4 * 8;

    /// These fields as the account holds them.
    pub fn settled_part(&self) -> [u8; 32] {
        bytemuck::cast([self.paid, self.sums_left, self.premiums_left, self.refunds_left].map(u64::to_le))
    }

    /// Whether the incident may be closed: every cover is paid in full and treaties have paid what they owe, or the
    /// deadline is over. Without the incident no treaty can be called for it.
    pub fn may_close(&self, now: i64) -> bool {
        let paid = self.treaties.iter().all(|noted| noted.paid == noted.owed);
        let settled = self.is_complete() && self.sums_left == 0 && self.premiums_left == 0 && paid;
        settled || now >= self.deadline
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
        (incident.paid, incident.sums_left, incident.premiums_left) = (1, 2 << 8, u64::MAX);
        incident.refunds_left = 7 << 24;
        patched[Incident::PAID_AT..Incident::PAID_AT + 32].copy_from_slice(&incident.settled_part());
        assert_eq!(patched, bytes(&incident));
    }
}
