//! A trigger: the oracle condition of a product, and the evidence shown for it.

use crate::error::BackstopError;
use crate::payout::{FULL_SEVERITY_BPS, PayoutForm};
use crate::peril::evidence::{Direction, Evidence, EvidenceError, Outcome, Phase, Terms};
use crate::peril::feed::attested::{Report, ReportKind};
use crate::peril::feed::{self, Level, Observation, OracleError, Source};
use crate::peril::reading::{Reading, ReadingError};
use crate::peril::two_keys::{Fall, Keys, Loss};
use crate::peril::{AlertLevel, Condition, Period, SaleLimits, Verdict};
use crate::state::AttestorSet;
use anchor_lang::prelude::*;

stored_enum! {
    /// What a product's condition is made of.
    pub enum Form {
        /// A price beyond a threshold for a time.
        Evidence = 0,
        /// A value at a date.
        Reading = 1,
    }
}

/// The oracle condition of a product: evidence, or a reading. What belongs to the other is zero.
#[account(zero_copy)]
#[derive(Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The product.
    pub product: Pubkey,
    /// The product's pool.
    pub pool: Pubkey,
    /// The feed: a Pyth feed id, for the push oracle the price account, for reports, also as a second key, the sha-256 of
    /// the definition, for another live feed the account that is read.
    pub feed: [u8; 32],
    /// [`Source`] as a number.
    pub source: u8,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// 1 once the incident of this trigger is open: it is in alert no longer.
    pub opened: u8,
    /// [`Form`] as a number.
    pub form: u8,
    /// Unused.
    pub padding: [u8; 3],
    /// Threshold, duration, tolerance, challenge, run-on, severity.
    pub terms: Terms,
    /// What was shown.
    pub evidence: Evidence,
    /// Number of its last alert in its pool.
    pub alert_number: u64,
    /// The attestors whose reports it takes; zero for other sources.
    pub attestors: Pubkey,
    /// Where its two keys are, if it has two.
    pub keys: Keys,
    /// A reading, and how it stands.
    pub reading: Reading,
    /// Room for later fields.
    pub reserved: [u64; 5],
}

const _: () = assert!(core::mem::align_of::<Trigger>() <= 8);

in_place_account!(Trigger {
    source: Source,
    form: Form,
    evidence.phase: Phase,
    terms.severity: PayoutForm,
    terms.direction: Direction,
    reading.phase: Phase,
    reading.direction: Direction,
});

impl Trigger {
    /// Bytes of the account, discriminator included.
    pub const SPACE: usize = 8 + core::mem::size_of::<Trigger>();

    /// Where the prices come from.
    pub fn source(&self) -> Source {
        Source::stored(self.source)
    }

    /// What the condition is made of.
    pub fn form(&self) -> Form {
        Form::stored(self.form)
    }

    /// The phase as it was last brought up to date.
    pub fn phase(&self) -> Phase {
        match self.form() {
            Form::Evidence => self.evidence.phase(),
            Form::Reading => self.reading.phase(),
        }
    }

    /// What it has found so far: when the event was, the value that counts, in 1e-8, and the severity, in basis points.
    #[inline(never)]
    pub fn found(&self) -> (i64, u64, u16) {
        match (self.form(), self.phase()) {
            (Form::Evidence, _) => (self.evidence.event_at, self.evidence.lowest_mean, self.evidence.severity_bps),
            (Form::Reading, Phase::Final) => (self.reading.event_at(), self.reading.value, self.reading.severity_bps),
            (Form::Reading, _) => (0, self.reading.value, self.reading.severity_bps),
        }
    }

    /// Refuses a condition of evidence.
    pub fn require_reading(&self) -> Result<()> {
        ensure!(self.form() == Form::Reading, BackstopError::NotAReading);
        Ok(())
    }

    /// Reads a price account by this trigger's source and feed.
    pub fn read_print(&self, account: &AccountInfo, now: i64) -> Result<Observation> {
        // What is borrowed here is an account of this program, passed twice.
        let data = account.try_borrow_data().map_err(|_| BackstopError::OracleWrongOwner)?;
        feed::read(self.source(), account.key, account.owner, &data, &self.feed, now)
            .map_err(|error| BackstopError::from(error).into())
    }

    /// What a live account of this trigger's feed says now. `epoch` is the cluster's.
    pub fn read_level(&self, account: &AccountInfo, epoch: u64) -> Result<Level> {
        // What is borrowed here is an account of this program, passed twice.
        let data = account.try_borrow_data().map_err(|_| BackstopError::OracleWrongOwner)?;
        feed::read_live(self.source(), account.key, account.owner, &data, &self.feed, epoch)
            .map_err(|error| BackstopError::from(error).into())
    }

    /// The print that a report of this trigger's attestors is.
    pub fn read_report(&self, report: &Report, now: i64) -> Result<Observation> {
        ensure!(report.feed == self.feed, BackstopError::OracleWrongFeed);
        match report.kind {
            ReportKind::Value => Ok(report.observation(now).map_err(BackstopError::from)?),
            ReportKind::Event => Err(BackstopError::ReportWrongKind.into()),
        }
    }

    /// What a report says that was lost, of this trigger's feed. `is_confirmed`: as many signed as must agree.
    pub fn read_loss(&self, report: &Report, is_confirmed: bool, now: i64) -> Result<Loss> {
        ensure!(report.feed == self.feed, BackstopError::OracleWrongFeed);
        let bps = report.loss_bps().map_err(BackstopError::from)?;
        ensure!(report.observed_at <= now, BackstopError::OracleFromFuture);
        Ok(Loss { bps, observed_at: report.observed_at, is_confirmed })
    }

    /// Whether it takes two keys: what its evidence shows only arms.
    pub fn has_two_keys(&self) -> bool {
        self.source() == Source::VaultDrop
    }

    /// Shows a print: see [`Evidence::observe`].
    pub fn observe(&mut self, print: &Observation, now: i64) -> Result<Outcome> {
        let outcome = self.evidence.observe(&self.terms, print, now).map_err(BackstopError::from)?;
        Ok(self.stand(outcome, now))
    }

    /// Shows a report of these attestors to a reading: see [`Reading::show`].
    pub fn show_reading(&mut self, report: &Report, signers: u16, set: &AttestorSet, now: i64) -> Result<Outcome> {
        ensure!(report.feed == self.feed, BackstopError::OracleWrongFeed);
        match report.kind {
            ReportKind::Value => Ok(self.reading.show(report, signers, set, now).map_err(BackstopError::from)?),
            ReportKind::Event => Err(BackstopError::ReportWrongKind.into()),
        }
    }

    /// Resolves a reading as far as that is due: see [`Reading::resolve`].
    pub fn resolve_reading(&mut self, set: &AttestorSet, now: i64) -> Result<Outcome> {
        self.require_reading()?;
        Ok(self.reading.resolve(set, now).map_err(BackstopError::from)?)
    }

    /// Brings the phase up to now; a reading's as far as that needs no attestors.
    pub fn refresh(&mut self, now: i64) -> Outcome {
        match self.form() {
            Form::Evidence => {
                let outcome = self.evidence.refresh(&self.terms, now);
                self.stand(outcome, now)
            }
            Form::Reading => self.reading.refresh(now),
        }
    }

    /// Phase that a call at this time would find. Works on a copy: for clients.
    pub fn phase_at(&self, now: i64) -> Phase {
        let mut copy = *self;
        copy.refresh(now).after
    }

    /// Brings the phase up to now if a window's last slot is settled; refuses before.
    pub fn confirm(&mut self, now: i64) -> Result<Outcome> {
        if self.has_two_keys() {
            ensure!(self.phase().is_triggered(), BackstopError::NotDue);
            return Ok(self.refresh(now));
        }
        ensure!(self.form() == Form::Evidence, BackstopError::NotDue);
        Ok(self.evidence.confirm(&self.terms, now).map_err(BackstopError::from)?)
    }

    /// Takes a report of a loss, the second of two keys: it begins an alert, or proves the event.
    ///
    /// Errors: those of [`Keys::report`]; nothing is changed then.
    pub fn report(&mut self, loss: &Loss, now: i64) -> Result<Outcome> {
        let before = self.refresh(now);
        if self.keys.report(loss, now)? {
            let severity = self.keys.severity_bps.min(loss.bps);
            self.forget();
            let evidence = &mut self.evidence;
            evidence.phase = before.after.byte();
            evidence.event_at = self.keys.event_at;
            (evidence.met_at, evidence.final_at) = (now, now);
            (evidence.first_mean, evidence.lowest_mean) = (self.keys.mean, self.keys.mean);
            (evidence.first_severity_bps, evidence.severity_bps) = (severity, severity);
        }
        Ok(before.then(self.refresh(now)))
    }

    /// With two keys what the evidence shows is the first of them: a window whose last slot is over is taken as a fall, and the
    /// evidence begins anew. The phase is that of the second: Breaching by a report, Final once that is confirmed.
    fn stand(&mut self, outcome: Outcome, now: i64) -> Outcome {
        if !self.has_two_keys() {
            return outcome;
        }
        let mut armed = false;
        let after = if self.keys.confirmed_at != 0 {
            Phase::Final
        } else {
            if let Some(fall) = self.fall(now) {
                armed = self.keys.take(&fall);
                self.forget();
            }
            if self.keys.is_reported(now) { Phase::Breaching } else { Phase::Quiet }
        };
        self.evidence.phase = after.byte();
        Outcome { after, armed, deepened: false, renewed: false, ..outcome }
    }

    /// The window that the evidence holds, if its last slot is over.
    fn fall(&self, now: i64) -> Option<Fall> {
        let window = self.evidence.window(&self.terms).filter(|window| now >= window.met_at)?;
        // Of one that has settled the ring may have forgotten slots.
        let mean = match self.evidence.met_at {
            0 => self.evidence.mean_so_far(&self.terms, &window).map_or(0, |(mean, _)| mean),
            _ => self.evidence.first_mean,
        };
        let severity_bps = self.terms.severity_bps(mean);
        Some(Fall { event_at: window.event_at, ended_at: window.met_at, mean, severity_bps })
    }

    /// Forgets what was shown.
    fn forget(&mut self) {
        bytemuck::bytes_of_mut(&mut self.evidence).fill(0);
    }

    fn verdict_with(&self, most_severity_bps: u16, is_final: bool) -> Verdict {
        if self.has_two_keys() {
            // Proven by the report, and final at once.
            return Verdict {
                event_at: self.evidence.event_at,
                proven_at: self.keys.confirmed_at,
                severity_bps: self.evidence.severity_bps,
                most_severity_bps,
                is_final,
                final_by: self.keys.confirmed_at,
            };
        }
        Verdict {
            event_at: self.evidence.event_at,
            proven_at: self.evidence.met_at.saturating_add(i64::from(self.terms.challenge)),
            severity_bps: self.evidence.severity_bps,
            most_severity_bps,
            is_final,
            // Known at T, whether or not a recovery ends the run-on before.
            final_by: self.terms.settled_at(self.terms.last_of_run_on(self.evidence.window_last)),
        }
    }

    /// How the trigger counts in its pool's alert in a phase.
    pub fn alert_in(&self, phase: Phase) -> AlertLevel {
        match phase {
            Phase::Quiet => AlertLevel::None,
            Phase::Breaching => AlertLevel::Breaching,
            Phase::Met => AlertLevel::Due,
            Phase::Triggered | Phase::Final if self.opened == 0 => AlertLevel::Due,
            Phase::Triggered | Phase::Final => AlertLevel::None,
        }
    }
}

impl Condition for Trigger {
    fn period(&self) -> Option<Period> {
        match self.form() {
            Form::Evidence => None,
            Form::Reading => Some(self.reading.period()),
        }
    }

    fn phase(&self) -> Phase {
        Self::phase(self)
    }

    fn alert(&self) -> AlertLevel {
        self.alert_in(self.phase())
    }

    fn alert_number(&self) -> u64 {
        self.alert_number
    }

    fn is_proven_by(&self, now: i64) -> bool {
        match self.form() {
            Form::Evidence => {
                self.phase().is_triggered() || (!self.has_two_keys() && self.evidence.is_due(&self.terms, now))
            }
            Form::Reading => self.reading.is_due(now),
        }
    }

    fn verdict(&self) -> Option<Verdict> {
        if self.form() == Form::Reading {
            let reading = &self.reading;
            return (reading.phase() == Phase::Final).then(|| Verdict {
                event_at: reading.event_at(),
                proven_at: reading.resolved_at,
                severity_bps: reading.severity_bps,
                most_severity_bps: reading.severity_bps,
                is_final: true,
                final_by: reading.resolved_at,
            });
        }
        match self.evidence.phase() {
            Phase::Quiet | Phase::Breaching | Phase::Met => None,
            Phase::Triggered => Some(self.verdict_with(FULL_SEVERITY_BPS, false)),
            Phase::Final => Some(self.verdict_with(self.evidence.severity_bps, true)),
        }
    }

    fn require_sellable(&self, limits: SaleLimits, now: i64) -> Result<()> {
        ensure!(!self.keys.is_armed(now), BackstopError::ProductArmed);
        // Of a reading nothing is known while it is sold: how near its period is, is asked for by the sale.
        if self.form() == Form::Reading {
            return Ok(());
        }
        let published = self.evidence.last_publish_time;
        ensure!(published > 0, BackstopError::PrintTooOld);
        let age = now.saturating_sub(published);
        ensure!(age <= i64::from(limits.max_age), BackstopError::PrintTooOld);
        let boundary = self.terms.sale_boundary(limits.buffer_bps).ok_or(BackstopError::MathOverflow)?;
        let last = self.terms.worst_price(&self.evidence.last_print());
        let since = now.saturating_sub(i64::from(self.terms.quiet));
        let lowest = self.evidence.lowest_since(&self.terms, since).unwrap_or(last);
        ensure!(last.min(lowest) >= self.terms.slot_price(boundary), BackstopError::PriceInBuffer);
        Ok(())
    }

    fn end_alert(&mut self) {
        self.opened = 1;
    }
}

impl From<OracleError> for BackstopError {
    fn from(error: OracleError) -> Self {
        match error {
            OracleError::NotAnAccount => Self::ReportMissing,
            OracleError::Live => Self::LiveFeed,
            OracleError::NotLive => Self::NotLiveFeed,
            OracleError::Stale => Self::OracleStale,
            OracleError::WrongOwner => Self::OracleWrongOwner,
            OracleError::WrongLength | OracleError::WrongLayout => Self::OracleWrongLayout,
            OracleError::NotVerified => Self::OracleNotVerified,
            OracleError::WrongFeed => Self::OracleWrongFeed,
            OracleError::NotTrading => Self::OracleNotTrading,
            OracleError::PriceNotPositive | OracleError::PriceTooLarge | OracleError::ConfidenceTooLarge => {
                Self::OracleBadPrice
            }
            OracleError::BadExponent => Self::OracleBadExponent,
            OracleError::FromFuture => Self::OracleFromFuture,
        }
    }
}

impl From<ReadingError> for BackstopError {
    fn from(error: ReadingError) -> Self {
        match error {
            ReadingError::BadValues | ReadingError::BadPeriod => Self::BadReading,
            ReadingError::WrongMoment => Self::WrongMoment,
            ReadingError::TooLate => Self::ReportTooLate,
            ReadingError::Contradiction => Self::AlreadyReported,
            ReadingError::Over => Self::ReadingOver,
            ReadingError::NotDue => Self::NotDue,
            ReadingError::Value(error) => error.into(),
        }
    }
}

impl From<EvidenceError> for BackstopError {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::SlotNotBegun => Self::OracleFromFuture,
            EvidenceError::TooOld => Self::PrintBeforeRing,
            EvidenceError::SlotClosed => Self::SlotClosed,
            EvidenceError::NotDue => Self::NotDue,
        }
    }
}
