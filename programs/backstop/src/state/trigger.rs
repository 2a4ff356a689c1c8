//! A trigger: the oracle condition of a product, and the evidence shown for it.

use crate::error::BackstopError;
use crate::math::rounding::{BPS, Rounding, mul_div};
use crate::oracle::{self, Observation, OracleError, Source};
use crate::state::AlertLevel;
use crate::state::evidence::{Evidence, EvidenceError, Phase, Terms};
use anchor_lang::prelude::*;

/// The oracle condition of a product.
#[account(zero_copy)]
#[derive(Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The product.
    pub product: Pubkey,
    /// The product's pool.
    pub pool: Pubkey,
    /// The feed: a Pyth feed id, or for the push oracle the price account.
    pub feed: [u8; 32],
    /// [`Source`] as a number.
    pub source: u8,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// 1 once the incident of this trigger is funded (or had nothing to fund).
    pub funded: u8,
    /// Unused.
    pub padding: [u8; 4],
    /// Threshold, duration, tolerance, challenge, severity.
    pub terms: Terms,
    /// What was shown.
    pub evidence: Evidence,
    /// Room for later fields.
    pub reserved: [u64; 16],
}

const _: () = assert!(core::mem::align_of::<Trigger>() <= 8);

impl Trigger {
    /// Bytes of the account, discriminator included.
    pub const SPACE: usize = 8 + core::mem::size_of::<Trigger>();
    /// Where the prices come from.
    pub fn source(&self) -> Source {
        Source::from_byte(self.source).unwrap_or(Source::PythReceiver)
    }

    /// The phase by the evidence as it was last brought up to date.
    pub fn phase(&self) -> Phase {
        self.evidence.phase()
    }

    /// Whether nothing points to an event. A quiet trigger stays quiet until a print is shown.
    pub fn is_quiet(&self) -> bool {
        self.phase() == Phase::Quiet
    }

    /// Refuses unless quiet.
    pub fn require_quiet(&self) -> Result<()> {
        ensure!(self.is_quiet(), BackstopError::TriggerNotQuiet);
        Ok(())
    }

    /// How the trigger counts in its pool's alert.
    pub fn alert_level(&self) -> AlertLevel {
        match self.phase() {
            Phase::Quiet => AlertLevel::None,
            Phase::Breaching => AlertLevel::Breaching,
            Phase::Met => AlertLevel::Due,
            Phase::Triggered if self.funded == 0 => AlertLevel::Due,
            Phase::Triggered => AlertLevel::None,
        }
    }

    /// Refuses a sale on a last print that is too old or inside the no-sale buffer above the threshold.
    pub fn require_sellable_print(&self, max_age: u32, buffer_bps: u32, now: i64) -> Result<()> {
        let published = self.evidence.last_publish_time;
        ensure!(published > 0, BackstopError::PrintTooOld);
        let age = now.saturating_sub(published);
        ensure!(age <= i64::from(max_age), BackstopError::PrintTooOld);
        let threshold = self.terms.threshold;
        let buffer = mul_div(threshold, u64::from(buffer_bps), BPS, Rounding::Up).ok_or(BackstopError::MathOverflow)?;
        let least = threshold.checked_add(buffer).ok_or(BackstopError::MathOverflow)?;
        ensure!(self.evidence.last_price >= least, BackstopError::PriceInBuffer);
        Ok(())
    }

    /// Reads a price account by this trigger's source and feed.
    pub fn read_print(&self, account: &AccountInfo, now: i64) -> Result<Observation> {
        // What is borrowed here is an account of this program, passed twice.
        let data = account.try_borrow_data().map_err(|_| BackstopError::OracleWrongOwner)?;
        oracle::read(self.source(), account.key, account.owner, &data, &self.feed, now)
            .map_err(|error| BackstopError::from(error).into())
    }
}

impl From<OracleError> for BackstopError {
    fn from(error: OracleError) -> Self {
        match error {
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
