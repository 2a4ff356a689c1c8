//! A crisis: every incident that is open at once shares one ratio, and nobody is first in it.
//!
//! It begins with the first incident. While it lasts, nothing is sold, deposited, ceded or released to leave, premium
//! waits, and each incident may be given its part of what there is, over and over: the ratio only rises. Once the
//! last of its incidents can be final at the latest, the alerts that began before that have ended and its treaties were
//! called, or had two days to be, it is closed in one step: the layers bear what treaties did not, and what each incident
//! is paid is fixed but for money that comes late.
//!
//! Which incidents are of one crisis goes by when their alerts began and came to be due, and not by who opens them when:
//! one belongs to the open crisis if its own alert could hold that open, and else waits for its end.

use crate::constants::{DAY, MAX_QUOTA_SHARES, TREATY_CALL_WINDOW};
use crate::error::BackstopError;
use crate::math::rounding::{Rounding, mul_div};
use crate::state::ledger::{credit, debit, fits};
use crate::state::{Accrual, ByTranche, Crisis, LossByLayer, NotedTreaty, Pool, RunningAlert, Tranche};
use anchor_lang::prelude::*;

/// The crisis of a pool. Between crises all of it is zero but the number.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CrisisBook {
    /// What the covers of its incidents are due so far, in asset units.
    pub gross: u64,
    /// What that can still become more, while not every incident is final, in asset units.
    pub growth: u64,
    /// Given to its incidents so far, of the layers and of what treaties paid, in asset units.
    pub given: u64,
    /// Paid by treaties and not given yet, in asset units.
    pub recovered: u64,
    /// When the last of its incidents is final at the latest, though all of them are before.
    pub final_at: i64,
    /// When a treaty last came to owe more.
    pub owed_at: i64,
    /// What treaties have come to owe its incidents and have not paid, in asset units.
    pub owed: u64,
    /// What the layers have given: surplus, junior staying and exiting, senior staying and exiting, in asset units.
    pub taken: [u64; 5],
    /// Crises of the pool so far: the number of the open one, or of the last.
    pub number: u32,
    /// Its incidents; none means that no crisis is open.
    pub incidents: u32,
    /// Incidents whose final severity is not booked yet.
    pub unfinal: u32,
    /// Calls of treaties that are owed something by none: one for each incident and treaty.
    pub uncalled: u32,
    /// Longest trigger ring of the pool's products as it began, in days: what an alert could prove of the time before it
    /// was final, it has proven by then.
    pub ring_days: u16,
    /// Unused.
    pub padding: [u8; 6],
    /// What the quota shares could come to owe as it began, in asset units, each in its place: what part of the premium of
    /// its products is ceded goes by that, in whatever order their incidents are opened.
    pub limits: [u64; MAX_QUOTA_SHARES],
}

/// What an incident was given, in asset units.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Giving {
    /// All of it: the sum of the following.
    pub amount: u64,
    /// Of what treaties paid.
    pub recovered: u64,
    /// Of what was left in the bucket of a closed crisis.
    pub bucket: u64,
    /// Of the layers of an open crisis.
    pub losses: LossByLayer,
}

/// What closing a crisis did, in asset units.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrisisClosing {
    /// Its number.
    pub number: u32,
    /// What its covers are due.
    pub gross: u64,
    /// What there is for them.
    pub resources: u64,
    /// What of that is not in a reserve yet.
    pub bucket: u64,
    /// What the layers had given and take back, before they bear the loss as a whole: surplus, junior staying and
    /// exiting, senior staying and exiting.
    pub restored: [u64; 5],
    /// How the loss fell on them.
    pub losses: LossByLayer,
    /// What treaties still owe for the loss that the tranches have borne, junior and senior: theirs once it is paid.
    pub recoverable: [u64; 2],
    /// The same of the surplus.
    pub recoverable_surplus: u64,
}

/// Where money went that came in for an incident, in asset units.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// To the open crisis.
    pub recovered: u64,
    /// To the holders of a closed one that are short.
    pub late: u64,
    /// To what stays in the tranches that bore the loss, junior and senior.
    pub staying: [u64; 2],
    /// To what is exiting of them.
    pub exiting: [u64; 2],
    /// To the surplus: its own part, that of a series that is over, and that of whoever left before it came.
    pub surplus: u64,
}

impl Pool {
    /// Whether a crisis is open.
    pub fn in_crisis(&self) -> bool {
        self.crisis.incidents > 0
    }

    /// Refuses while a crisis is open.
    pub fn require_no_crisis(&self) -> Result<()> {
        ensure!(!self.in_crisis(), BackstopError::PoolInCrisis);
        Ok(())
    }

    /// Whether nothing can change any more what the incidents of the open crisis are due: they are final, and the
    /// alerts that began before that have ended, or had the time of their evidence to come to anything. What it still
    /// waits for are calls.
    ///
    /// Once it is so it stays so, whatever is shown and whoever calls: an alert that is due is waited for if it was by then,
    /// and one that is due later begins the next crisis.
    pub fn crisis_is_ripe(&self, now: i64) -> bool {
        self.in_crisis() && now >= self.crisis.final_at && !self.alerts_hold_crisis(now)
    }

    /// Whether an alert holds the open crisis open: one that began before it is final, while it is waited for, and
    /// if it came to be due by then until it is over. One that is due can be ended by anybody, who opens its incident.
    ///
    /// Of alerts that are not kept nothing is known but that they run: they count as if they began before, and in time.
    fn alerts_hold_crisis(&self, now: i64) -> bool {
        let (final_at, until) = (self.crisis.final_at, self.early_until());
        let (mut unknown, mut unknown_due) = (self.alerts, self.alerts_due);
        for alert in self.running_alerts() {
            unknown = unknown.saturating_sub(1);
            unknown_due = unknown_due.saturating_sub(u32::from(alert.due_at != 0));
            let in_time = now < until || (alert.due_at != 0 && alert.due_at < until);
            if alert.began_at < final_at && in_time {
                return true;
            }
        }
        unknown_due > 0 || (unknown > 0 && now < until)
    }

    /// Until when the open crisis waits for alerts that are only breaching: as long as the pool's longest ring, and as for
    /// treaties, from when it is final. What they prove later happened later.
    fn early_until(&self) -> i64 {
        self.crisis.final_at.saturating_add(waits_for_alerts(self.crisis.ring_days))
    }

    /// Refuses the incident of an alert while another comes before it: whoever opens which of them first decides nothing.
    ///
    /// - In a crisis it must be of that: its alert began before the last of the incidents is final, and was due while alerts
    ///   are waited for. So such an alert holds the crisis open until its incident is opened, and any other, that is
    ///   ripe or not, waits for the end of it, or until an incident that joins makes it last longer.
    /// - One that was due before this one began, or so long before this one was due that a crisis would have been over,
    ///   may have a crisis of its own: it is opened first, or ends. That takes no longer than its challenge.
    pub fn require_next_incident(&self, number: u64, now: i64) -> Result<()> {
        ensure!(!self.crisis_is_ripe(now), BackstopError::CrisisNotClosed);
        let Some(this) = self.running_alert(number) else { return Ok(()) };
        let belongs = this.began_at < self.crisis.final_at && this.due_at < self.early_until();
        ensure!(!self.in_crisis() || belongs, BackstopError::CrisisNotClosed);
        let wait = waits_for_alerts(self.ring_days);
        let comes_before = |other: &RunningAlert| {
            let due_at = other.due_at;
            due_at != 0 && (due_at < this.began_at || due_at.saturating_add(wait) <= this.due_at)
        };
        ensure!(!self.running_alerts().any(comes_before), BackstopError::CrisisNotClosed);
        Ok(())
    }

    /// Whether the open crisis is to be closed: it is ripe, every incident's final severity is booked, and its treaties
    /// were called or had two days to be.
    pub fn crisis_is_due(&self, now: i64) -> bool {
        let book = &self.crisis;
        let owed_at = book.final_at.max(book.owed_at);
        let called = book.uncalled == 0 || now >= owed_at.saturating_add(TREATY_CALL_WINDOW);
        self.crisis_is_ripe(now) && book.unfinal == 0 && called
    }

    /// What the open crisis has for what it may need, and that need: together the ratio. It only rises: exposure ends
    /// or becomes gross, what can grow is in it from the start, and no capital leaves.
    ///
    /// The need is the gross of the incidents, what it can still become, and the exposure of every other product.
    pub fn crisis_ratio(&self) -> Result<(u64, u64)> {
        let need = fits(self.crisis_need())?;
        Ok((self.crisis_means()?.min(need), need))
    }

    fn crisis_need(&self) -> Option<u64> {
        self.crisis.gross.checked_add(self.crisis.growth)?.checked_add(self.total_exposure)
    }

    fn crisis_means(&self) -> Result<u64> {
        let own = self.loss_capital()?;
        fits(own.checked_add(self.crisis.given).and_then(|sum| sum.checked_add(self.crisis.recovered)))
    }

    /// What the incidents of the open crisis are due, or can still become due, and were not given, in asset units: less
    /// what treaties have paid for it.
    pub fn due_in_crisis(&self) -> Result<u64> {
        let due = fits(self.crisis.gross.checked_add(self.crisis.growth))?;
        Ok(due.saturating_sub(self.crisis.given).saturating_sub(self.crisis.recovered))
    }

    /// Takes the incident of an alert into the open crisis, or begins one with it. `most` is what its gross can become at
    /// the most, in asset units. Returns the number of the crisis. Errors: see [`Pool::require_next_incident`].
    pub fn join_crisis(&mut self, alert: u64, most: u64, final_at: i64, now: i64) -> Result<u32> {
        self.require_next_incident(alert, now)?;
        if !self.in_crisis() && self.stands_since == 0 {
            self.stand(now, now);
        }
        let ring_days = self.ring_days;
        let book = &mut self.crisis;
        if book.incidents == 0 {
            book.number = fits(book.number.checked_add(1))?;
            book.ring_days = ring_days;
            for (limit, quota_share) in book.limits.iter_mut().zip(&self.quota_shares) {
                *limit = quota_share.limit_left;
            }
        }
        book.incidents = fits(book.incidents.checked_add(1))?;
        book.unfinal = fits(book.unfinal.checked_add(1))?;
        credit(&mut book.growth, most)?;
        book.final_at = book.final_at.max(final_at);
        Ok(book.number)
    }

    /// Books that an incident of the open crisis is due more than before.
    pub fn book_growth(&mut self, more: u64) -> Result<()> {
        debit(&mut self.crisis.growth, more)?;
        credit(&mut self.crisis.gross, more)
    }

    /// Books that an incident of the open crisis is final, `unused` below the most that it could have become.
    pub fn book_final(&mut self, unused: u64) -> Result<()> {
        debit(&mut self.crisis.growth, unused)?;
        self.crisis.unfinal = self.crisis.unfinal.checked_sub(1).ok_or(BackstopError::InvariantViolated)?;
        Ok(())
    }

    /// Brings what an incident of the open crisis was given up to its part, `floor(gross x ratio)`: of what treaties
    /// paid first, then of the layers.
    pub fn give(&mut self, gross: u64, reserve: u64) -> Result<Giving> {
        let (have, need) = self.crisis_ratio()?;
        let amount = due_of(gross, have, need)?.saturating_sub(reserve);
        let recovered = amount.min(self.crisis.recovered);
        let losses = self.lend(amount.saturating_sub(recovered))?;
        debit(&mut self.crisis.recovered, recovered)?;
        credit(&mut self.crisis.given, amount)?;
        credit(&mut self.incident_reserves, amount)?;
        Ok(Giving { amount, recovered, bucket: 0, losses })
    }

    /// Brings what an incident of a closed crisis was given up to its part, `floor(gross x resources / gross of all)`.
    pub fn give_from_bucket(&mut self, crisis: &mut Crisis, gross: u64, reserve: u64) -> Result<Giving> {
        let amount = due_of(gross, crisis.resources, crisis.gross)?.saturating_sub(reserve);
        debit(&mut crisis.bucket, amount)?;
        debit(&mut self.crisis_buckets, amount)?;
        credit(&mut self.incident_reserves, amount)?;
        Ok(Giving { amount, bucket: amount, ..Giving::default() })
    }

    /// Takes from the layers in the order of losses, wiping nothing out: until a crisis is closed nobody knows what
    /// treaties still bring.
    fn lend(&mut self, amount: u64) -> Result<LossByLayer> {
        let split = self.take(amount)?;
        let parts =
            [split.surplus, split.junior_assets, split.junior_exiting, split.senior_assets, split.senior_exiting];
        for (taken, part) in self.crisis.taken.iter_mut().zip(parts) {
            credit(taken, part)?;
        }
        Ok(LossByLayer::of(&split))
    }

    /// Before a crisis is closed of which holders are short: earns what covers of other products have earned by when it was
    /// final, though accrual stood. It is the pool's by then, and bears the loss like all that it has. Whoever closes it,
    /// and when, has no part in it. What an alert that holds the pool proves later happened later.
    pub fn earn_for_the_short(&mut self) -> Result<Accrual> {
        if self.crisis_means()? >= self.crisis.gross {
            return Ok(Accrual::default());
        }
        let accrual = self.earn_to(self.crisis.final_at)?;
        if self.alerts_since != 0 {
            self.alerts_since = self.alerts_since.max(self.accrued_at);
        }
        Ok(accrual)
    }

    /// Closes the open crisis: what there is for its incidents is fixed, and what of it they were not given yet goes
    /// from the layers into the crisis's own account.
    ///
    /// The layers take back what they lent and bear the whole loss at once, so that when somebody called what has no
    /// part in who bears it. Only now a tranche may be wiped out.
    ///
    /// Errors: `CrisisNotDue`.
    pub fn close_crisis(&mut self, crisis: &mut Crisis, now: i64) -> Result<CrisisClosing> {
        ensure!(self.crisis_is_due(now), BackstopError::CrisisNotDue);
        let book = self.crisis;
        let gross = book.gross;
        let lent = fits(book.taken.iter().try_fold(0u64, |sum, taken| sum.checked_add(*taken)))?;
        let recovered = fits(book.given.checked_sub(lent).and_then(|given| given.checked_add(book.recovered)))?;
        self.take_back(&book.taken)?;
        let resources = gross.min(fits(self.loss_capital()?.checked_add(recovered))?);
        let losses = self.take_loss(resources.saturating_sub(recovered))?;
        let bucket = resources.checked_sub(book.given).ok_or(BackstopError::InvariantViolated)?;
        credit(&mut self.crisis_buckets, bucket)?;
        self.crisis = CrisisBook { number: book.number, ..CrisisBook::default() };
        self.note_held(now);
        self.stand(self.alerts_since, now);
        for layer in &mut self.layers {
            let restored = core::mem::take(&mut layer.restored_later);
            credit(&mut layer.limit_left, restored)?;
        }
        (crisis.gross, crisis.resources, crisis.bucket, crisis.closed) = (gross, resources, bucket, true);
        crisis.owed = book.owed;
        self.note_recoverable(crisis, &losses)?;
        let Crisis { recoverable, recoverable_surplus, .. } = *crisis;
        let (number, restored) = (book.number, book.taken);
        Ok(CrisisClosing { number, gross, resources, bucket, restored, losses, recoverable, recoverable_surplus })
    }

    /// Notes whose it is what treaties still owe a crisis that is closed, once its holders have what they are due: the senior
    /// tranche's first, then the junior's, then the surplus's, each up to what it has borne, as if it had come in time.
    /// Within a tranche it is what stays' and what is exiting's as the loss was.
    fn note_recoverable(&mut self, crisis: &mut Crisis, losses: &LossByLayer) -> Result<()> {
        let mut left = crisis.beyond_holders();
        for tranche in [Tranche::Senior, Tranche::Junior] {
            let (staying, exiting) = losses.of_tranche(tranche);
            let borne = fits(staying.checked_add(exiting))?;
            let part = left.min(borne);
            left = left.saturating_sub(part);
            let book = self.tranche_mut(tranche);
            *crisis.recoverable.of_mut(tranche) = part;
            *crisis.series.of_mut(tranche) = book.series;
            if part > 0 && book.wiped_out == 0 {
                let of_exiting = fits(mul_div(part, exiting, borne, Rounding::Down))?;
                book.note_recoverable(part.saturating_sub(of_exiting), of_exiting)?;
                *crisis.claims.of_mut(tranche) = book.claims;
                *crisis.left_q32.of_mut(tranche) = book.left_q32;
            }
        }
        crisis.recoverable_surplus = left.min(losses.surplus);
        Ok(())
    }

    /// Puts back what the layers lent to a crisis, each its own. What nobody is left for goes to whoever is left in the
    /// tranche, else to the surplus.
    fn take_back(&mut self, lent: &[u64; 5]) -> Result<()> {
        let [surplus, junior_assets, junior_exiting, senior_assets, senior_exiting] = *lent;
        let mut unowned = surplus;
        for (tranche, staying, exiting) in
            [(Tranche::Junior, junior_assets, junior_exiting), (Tranche::Senior, senior_assets, senior_exiting)]
        {
            let book = self.tranche_mut(tranche);
            let both = fits(staying.checked_add(exiting))?;
            match (book.shares > 0, book.units > 0) {
                (true, true) => {
                    credit(&mut book.assets, staying)?;
                    credit(&mut book.exiting, exiting)?;
                }
                (true, false) => credit(&mut book.assets, both)?,
                (false, true) => credit(&mut book.exiting, both)?,
                (false, false) => credit(&mut unowned, both)?,
            }
        }
        credit(&mut self.surplus, unowned)
    }

    /// Whoever asks to leave in a crisis takes along what of his part his tranche has lent; who stays last, all of it.
    pub(super) fn move_lent(&mut self, tranche: Tranche, amount: u64) -> Result<()> {
        let nobody_stays = self.tranche(tranche).shares == 0;
        let [_, junior_staying, junior_exiting, senior_staying, senior_exiting] = &mut self.crisis.taken;
        let (staying, exiting) = match tranche {
            Tranche::Junior => (junior_staying, junior_exiting),
            Tranche::Senior => (senior_staying, senior_exiting),
        };
        let moved = if nobody_stays { *staying } else { amount.min(*staying) };
        debit(staying, moved)?;
        credit(exiting, moved)
    }

    /// Takes money in that a treaty paid for an incident of a crisis: into the crisis while it is open; later to its
    /// holders, as far as they are short and until its deadline, and the rest at once to the layers that bore the loss:
    /// senior, junior and surplus, in this order, each up to what it is noted for. What was a series' that is over, or of
    /// whoever left before it came, is the surplus's.
    ///
    /// `paid` is what the treaty has paid of what it owes; `received` is less by what restoring its limit cost.
    pub fn receive_recovery(&mut self, crisis: &mut Crisis, paid: u64, received: u64, now: i64) -> Result<Receipt> {
        credit(&mut self.cash, received)?;
        if !crisis.closed {
            debit(&mut self.crisis.owed, paid)?;
            credit(&mut self.crisis.recovered, received)?;
            return Ok(Receipt { recovered: received, ..Receipt::default() });
        }
        debit(&mut crisis.owed, paid)?;
        let short = if now < crisis.until { crisis.short() } else { 0 };
        let mut receipt = Receipt { late: received.min(short), ..Receipt::default() };
        credit(&mut crisis.resources, receipt.late)?;
        credit(&mut crisis.bucket, receipt.late)?;
        credit(&mut self.crisis_buckets, receipt.late)?;
        let mut rest = received.saturating_sub(receipt.late);
        for tranche in [Tranche::Senior, Tranche::Junior] {
            let part = rest.min(*crisis.recoverable.of(tranche));
            rest = rest.saturating_sub(part);
            debit(crisis.recoverable.of_mut(tranche), part)?;
            let part = crisis.still_owed(tranche, part, self.tranche(tranche), Rounding::Down)?;
            let [staying, exiting] = self.tranche_mut(tranche).recover(part)?;
            (*receipt.staying.of_mut(tranche), *receipt.exiting.of_mut(tranche)) = (staying, exiting);
        }
        let to_tranches =
            receipt.staying.iter().chain(&receipt.exiting).try_fold(0u64, |sum, part| sum.checked_add(*part));
        let beside = fits(receipt.late.checked_add(fits(to_tranches)?))?;
        receipt.surplus = fits(received.checked_sub(beside))?;
        crisis.recoverable_surplus = crisis.recoverable_surplus.saturating_sub(rest);
        credit(&mut self.surplus, receipt.surplus)?;
        // What restoring a limit cost does not come any more.
        let can_come = crisis.can_come_to_layers(now);
        self.write_off(crisis, can_come)?;
        Ok(receipt)
    }

    /// Writes off what treaties still owe an incident that is closed, of a closed crisis: nobody can call them for it any
    /// more, so it is owed no longer, and who bore the loss waits for it no longer.
    pub fn let_go_of_debt(&mut self, crisis: &mut Crisis, noted: &[NotedTreaty], now: i64) -> Result<()> {
        for NotedTreaty { treaty, owed, paid, .. } in noted {
            let unpaid = owed.saturating_sub(*paid);
            if unpaid > 0 {
                self.owe_less(treaty, unpaid);
                crisis.owed = crisis.owed.saturating_sub(unpaid);
            }
        }
        let can_come = crisis.can_come_to_layers(now);
        self.write_off(crisis, can_come)
    }

    /// Brings what a closed crisis has noted for the layers down to what can still come: the surplus's part first, then the
    /// junior tranche's, then the senior's.
    fn write_off(&mut self, crisis: &mut Crisis, can_come: u64) -> Result<()> {
        let [junior, senior] = crisis.recoverable;
        let noted = crisis.recoverable_surplus.checked_add(junior).and_then(|sum| sum.checked_add(senior));
        let mut over = fits(noted)?.saturating_sub(can_come);
        let part = over.min(crisis.recoverable_surplus);
        debit(&mut crisis.recoverable_surplus, part)?;
        over = over.saturating_sub(part);
        for tranche in Tranche::BOTH {
            let part = over.min(*crisis.recoverable.of(tranche));
            debit(crisis.recoverable.of_mut(tranche), part)?;
            over = over.saturating_sub(part);
            let part = crisis.still_owed(tranche, part, self.tranche(tranche), Rounding::Up)?;
            self.tranche_mut(tranche).take_recoverable(part)?;
        }
        Ok(())
    }

    /// Pays a cover out of the incident reserves.
    pub fn pay_incident(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.incident_reserves, amount)?;
        debit(&mut self.cash, amount)
    }

    /// Moves what is left of an incident's reserve to the surplus.
    pub fn release_incident_reserve(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.incident_reserves, amount)?;
        credit(&mut self.surplus, amount)
    }

    /// Moves what is left in the bucket of a crisis, once its last incident is closed, to the surplus. No treaty can be
    /// called for it any more.
    pub fn release_bucket(&mut self, crisis: &mut Crisis) -> Result<u64> {
        self.write_off(crisis, 0)?;
        let left = core::mem::take(&mut crisis.bucket);
        debit(&mut self.crisis_buckets, left)?;
        credit(&mut self.surplus, left)?;
        Ok(left)
    }
}

/// How long a crisis waits for alerts that are only breaching, in seconds, by the longest ring.
fn waits_for_alerts(ring_days: u16) -> i64 {
    TREATY_CALL_WINDOW.max(i64::from(ring_days).saturating_mul(DAY))
}

/// An incident's part in a ratio, rounded down, so that the parts never exceed what there is.
fn due_of(gross: u64, have: u64, need: u64) -> Result<u64> {
    if have >= need {
        return Ok(gross);
    }
    fits(mul_div(gross, have, need, Rounding::Down))
}
