//! The two tranches: their books, their shares, and a new series after one was wiped out.

use crate::constants::SHARE_EXTRA_DECIMALS;
use crate::cpi::mint::Metadata;
use crate::error::BackstopError;
use crate::math::shares;
use crate::state::ledger::{credit, fits};
use crate::state::{Pool, get_text};
use anchor_lang::prelude::*;

stored_enum! {
    /// A class of a pool's capital. Junior absorbs losses before senior.
    pub enum Tranche {
        /// Absorbs losses after the surplus; earns with its weight.
        Junior = 0,
        /// Absorbs losses last.
        Senior = 1,
    }
}

impl Tranche {
    /// Both tranches, in the order of their losses.
    pub const BOTH: [Tranche; 2] = Tranche::ALL;

    /// Position in arrays by tranche.
    pub const fn index(self) -> usize {
        match self {
            Tranche::Junior => 0,
            Tranche::Senior => 1,
        }
    }

    /// The seed byte of the tranche.
    pub const fn seed(self) -> u8 {
        self.byte()
    }

    /// The word that share mints and events show.
    pub const fn name(self) -> &'static str {
        match self {
            Tranche::Junior => "Junior",
            Tranche::Senior => "Senior",
        }
    }
}

/// A pair by tranche, the junior's first, as accounts, events and formulas keep it: the one place that says which is
/// which.
pub trait ByTranche<T> {
    /// The tranche's part.
    fn of(&self, tranche: Tranche) -> &T;

    /// The tranche's part, to change.
    fn of_mut(&mut self, tranche: Tranche) -> &mut T;
}

impl<T> ByTranche<T> for [T; 2] {
    fn of(&self, tranche: Tranche) -> &T {
        let [junior, senior] = self;
        match tranche {
            Tranche::Junior => junior,
            Tranche::Senior => senior,
        }
    }

    fn of_mut(&mut self, tranche: Tranche) -> &mut T {
        let [junior, senior] = self;
        match tranche {
            Tranche::Junior => junior,
            Tranche::Senior => senior,
        }
    }
}

/// The books of one tranche.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TrancheBook {
    /// Capital that stays, in asset units: earns premium, absorbs losses.
    pub assets: u64,
    /// Capital that has asked to leave, in asset units: absorbs losses, and earns nothing unless it is kept past its day.
    pub exiting: u64,
    /// Shares issued and not burnt by the program; holders may have burnt some themselves.
    pub shares: u64,
    /// Exit units of the open parts of all tickets.
    pub units: u64,
    /// Number of the tranche's share mint.
    pub series: u8,
    /// 1 once the series was wiped out and no new one is open.
    pub wiped_out: u8,
    /// Unused.
    pub padding: [u8; 6],
}

/// A new series of a tranche.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewSeries {
    /// Number of its share mint.
    pub series: u8,
    /// What a deserted series had left, moved to the surplus, in asset units.
    pub to_surplus: u64,
}

impl TrancheBook {
    /// Everything in the tranche that absorbs losses, in asset units.
    pub fn total(&self) -> u64 {
        self.assets.saturating_add(self.exiting)
    }

    /// Whether a share or an exit unit is worth less than a tenth of what it began at.
    pub fn is_in_ruin(&self) -> bool {
        shares::is_in_ruin(self.shares, self.assets) || shares::is_in_ruin(self.units, self.exiting)
    }

    /// What a number of shares is worth now, in asset units, rounded down.
    pub fn worth_of_shares(&self, amount: u64) -> Result<u64> {
        Ok(shares::worth(amount, self.shares, self.assets).ok_or(BackstopError::MathOverflow)?)
    }

    /// Shares that an amount buys now, rounded down.
    pub fn shares_for(&self, amount: u64) -> Result<u64> {
        fits(shares::issue(amount, self.shares, self.assets))
    }

    /// Whether shares are enough to leave with: they are worth the pool's smallest ticket, or are as many as that bought
    /// at the start, so that a loss bars nobody, or are all there are.
    ///
    /// It looks at nothing but the amount: whoever could leave with less by having no more would move it to an account
    /// of its own first.
    pub fn is_ticket(&self, shares: u64, min_ticket: u64) -> Result<bool> {
        let at_start = min_ticket.saturating_mul(shares::VIRTUAL_SHARES);
        Ok(shares == self.shares || shares >= at_start || self.worth_of_shares(shares)? >= min_ticket)
    }

    /// Exit units that a value becomes now, rounded down.
    pub fn units_for(&self, value: u64) -> Result<u64> {
        fits(shares::issue(value, self.units, self.exiting))
    }

    /// What a number of exit units is worth now, in asset units, rounded down; nothing once the series is over.
    pub fn worth_of_units(&self, units: u64) -> Result<u64> {
        if self.units == 0 {
            return Ok(0);
        }
        Ok(shares::worth(units, self.units, self.exiting).ok_or(BackstopError::MathOverflow)?)
    }
}

/// Decimals of a share mint: the asset's and three more.
pub fn share_decimals(asset_decimals: u8) -> u8 {
    asset_decimals.saturating_add(SHARE_EXTRA_DECIMALS)
}

/// What a wallet shows of a share mint: "Backstop USDC 0 Senior", "bUSDC-S"; later series count up: "Backstop USDC 0
/// Senior 2". The URI is the pool's, for both tranches and every series.
pub fn share_metadata(pool: &Pool, tranche: Tranche, series: u8) -> Metadata {
    let (label, id) = (get_text(&pool.label), pool.id);
    let word = tranche.name();
    let initial = word.get(..1).unwrap_or(word);
    let ordinal = u16::from(series).saturating_add(1);
    let series = if series == 0 { String::new() } else { format!(" {ordinal}") };
    Metadata {
        name: format!("Backstop {label} {id} {word}{series}"),
        symbol: format!("b{label}-{initial}"),
        uri: get_text(&pool.uri).to_owned(),
        fields: Vec::new(),
    }
}

impl Pool {
    /// The books of one tranche.
    pub fn tranche(&self, tranche: Tranche) -> &TrancheBook {
        self.tranches.of(tranche)
    }

    /// The books of one tranche, to change.
    pub fn tranche_mut(&mut self, tranche: Tranche) -> &mut TrancheBook {
        self.tranches.of_mut(tranche)
    }

    /// The current share mint of a tranche.
    pub fn share_mint(&self, tranche: Tranche) -> Pubkey {
        *self.share_mints.of(tranche)
    }

    /// Opens a new series of a tranche that was wiped out, or that is in ruin and deserted: nobody waits to leave it, and
    /// all of its shares together are worth less than a ticket, which goes to the surplus. So nobody's dust keeps a tranche
    /// closed.
    ///
    /// Errors: `TrancheNotWipedOut`, `NoSeriesLeft`; in an alert or a crisis, while nobody knows what shares are worth, a
    /// deserted tranche waits: `PoolInAlert`, `PoolInCrisis`.
    pub fn open_series(&mut self, tranche: Tranche, mint: Pubkey) -> Result<NewSeries> {
        let least = self.terms.min_ticket;
        let TrancheBook { assets, shares, units, series, wiped_out, .. } = *self.tranche(tranche);
        if wiped_out == 0 {
            let deserted = units == 0 && shares::is_in_ruin(shares, assets) && assets < least;
            ensure!(deserted, BackstopError::TrancheNotWipedOut);
            self.require_no_alert()?;
        }
        *self.share_mints.of_mut(tranche) = mint;
        let series = series.checked_add(1).ok_or(BackstopError::NoSeriesLeft)?;
        *self.tranche_mut(tranche) = TrancheBook { series, ..TrancheBook::default() };
        credit(&mut self.surplus, assets)?;
        Ok(NewSeries { series, to_surplus: assets })
    }

    /// A tranche without shares holds no assets, one without exit units nothing exiting: dust goes to the surplus.
    pub(super) fn sweep(&mut self, tranche: Tranche) -> Result<u64> {
        let book = self.tranche_mut(tranche);
        let mut dust = 0u64;
        if book.shares == 0 {
            dust = core::mem::take(&mut book.assets);
        }
        if book.units == 0 {
            dust = fits(dust.checked_add(core::mem::take(&mut book.exiting)))?;
        }
        credit(&mut self.surplus, dust)?;
        Ok(dust)
    }
}
