//! The two tranches: their books, their shares, and a new series after one was wiped out.

use crate::border::mint::Metadata;
use crate::constants::{MAX_LOWERED, SHARE_EXTRA_DECIMALS};
use crate::error::BackstopError;
use crate::math::rounding::{Rounding, mul_div};
use crate::math::shares;
use crate::state::ledger::{credit, debit, fits};
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
    /// What treaties still owe for losses that what stays has borne, in asset units. It is no capital before it is paid;
    /// whoever comes in pays for it, so that he takes nothing of it from those who bore the loss.
    pub recoverable: u64,
    /// The same of what is exiting.
    pub exiting_recoverable: u64,
    /// Number of the tranche's share mint.
    pub series: u8,
    /// 1 once the series was wiped out and no new one is open.
    pub wiped_out: u8,
    /// How often the start of its prices was lowered tenfold: by a deposit that found the tranche in ruin.
    pub lowered: u8,
    /// Whose what treaties owe is: another number once nobody was owed anything any more, so that what is owed for a
    /// crisis before that is nobody's.
    pub claims: u8,
    /// Part of what treaties owe that whoever was paid and left has left behind since `claims` last changed, in parts of
    /// 2^32.
    pub left_q32: u32,
}

/// All of what treaties owe, in the parts in which [`TrancheBook::left_q32`] is kept.
const ALL_Q32: u64 = 1 << 32;

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

    /// Whether a share or an exit unit is worth less than a tenth of its start.
    pub fn is_in_ruin(&self) -> bool {
        let below = |claims, assets| shares::is_in_ruin(claims, assets, self.lowered);
        below(self.shares, self.assets) || below(self.units, self.exiting)
    }

    /// Whether a share or an exit unit is worth less than a hundredth of its start.
    pub fn is_below_a_hundredth(&self) -> bool {
        let below = |claims, assets| shares::is_wiped_out(claims, assets, self.lowered);
        below(self.shares, self.assets) || below(self.units, self.exiting)
    }

    /// Lowers the start of a tranche in ruin tenfold, so that it takes deposits again: at its price, which nobody's money
    /// moves by, and with nine tenths at least to lose before it is wiped out.
    ///
    /// Errors: `TrancheInRuin` if it was lowered as often as it can be.
    #[inline(never)]
    pub(super) fn lower_start(&mut self) -> Result<()> {
        ensure!(self.lowered < MAX_LOWERED, BackstopError::TrancheInRuin);
        self.lowered = self.lowered.saturating_add(1);
        ensure!(!self.is_in_ruin(), BackstopError::TrancheInRuin);
        Ok(())
    }

    /// What a number of shares is worth now, in asset units, rounded down.
    pub fn worth_of_shares(&self, amount: u64) -> Result<u64> {
        Ok(shares::worth(amount, self.shares, self.assets).ok_or(BackstopError::MathOverflow)?)
    }

    /// Shares that an amount buys now, rounded down: at the price of what stays with what treaties still owe it.
    pub fn shares_for(&self, amount: u64) -> Result<u64> {
        fits(shares::issue(amount, self.shares, self.assets.saturating_add(self.recoverable)))
    }

    /// All that treaties still owe for losses that the tranche has borne, in asset units.
    pub fn all_recoverable(&self) -> u64 {
        self.recoverable.saturating_add(self.exiting_recoverable)
    }

    /// What treaties owe for losses that some of the exit units have borne, in asset units, rounded down.
    pub(super) fn recoverable_of(&self, units: u64) -> u64 {
        if self.exiting_recoverable == 0 {
            return 0;
        }
        mul_div(self.exiting_recoverable, units, self.units, Rounding::Down).unwrap_or(0)
    }

    /// Moves what treaties owe from what is exiting to what stays.
    pub(super) fn move_recoverable(&mut self, amount: u64) -> Result<()> {
        if amount == 0 {
            return Ok(());
        }
        debit(&mut self.exiting_recoverable, amount)?;
        credit(&mut self.recoverable, amount)
    }

    /// What treaties owe units that are paid before it comes is owed to nobody in the tranche any more: once it comes it is
    /// the surplus's. So it goes to nobody who came in since, nor to whoever is last in it.
    ///
    /// Of every crisis that the tranche is still owed something for the same part is left behind.
    pub(super) fn leave_behind(&mut self, units: u64) -> Result<()> {
        let amount = self.recoverable_of(units);
        if amount == 0 {
            return Ok(());
        }
        let before = self.all_recoverable();
        debit(&mut self.exiting_recoverable, amount)?;
        let kept = fits(mul_div(self.kept_q32(), self.all_recoverable(), before, Rounding::Down))?;
        self.left_q32 = u32::try_from(ALL_Q32.saturating_sub(kept)).unwrap_or(u32::MAX);
        Ok(())
    }

    /// Part of what treaties owe that nobody has left behind since `claims` last changed, in parts of 2^32: never nothing.
    pub(crate) fn kept_q32(&self) -> u64 {
        ALL_Q32.saturating_sub(self.left_q32.into())
    }

    /// Notes what treaties owe for a crisis: where nothing is owed yet, what is still noted of older ones is nobody's.
    pub(super) fn note_recoverable(&mut self, staying: u64, exiting: u64) -> Result<()> {
        if self.all_recoverable() == 0 {
            self.claims = self.claims.wrapping_add(1);
            self.left_q32 = 0;
        }
        credit(&mut self.recoverable, staying)?;
        credit(&mut self.exiting_recoverable, exiting)
    }

    /// Takes up to `amount` off what treaties owe: off what is exiting and off what stays as they are owed. Returns what of
    /// each; what was left by everybody is owed to nobody.
    pub(super) fn take_recoverable(&mut self, amount: u64) -> Result<[u64; 2]> {
        let all = self.all_recoverable();
        if amount == 0 || all == 0 {
            return Ok([0; 2]);
        }
        let amount = amount.min(all);
        let exiting = fits(mul_div(amount, self.exiting_recoverable, all, Rounding::Down))?;
        let staying = amount.saturating_sub(exiting);
        debit(&mut self.exiting_recoverable, exiting)?;
        debit(&mut self.recoverable, staying)?;
        Ok([staying, exiting])
    }

    /// Takes in what a treaty paid of what it owes. Returns what is what stays', and what is exiting's.
    pub(super) fn recover(&mut self, amount: u64) -> Result<[u64; 2]> {
        let [staying, exiting] = self.take_recoverable(amount)?;
        credit(&mut self.assets, staying)?;
        credit(&mut self.exiting, exiting)?;
        Ok([staying, exiting])
    }

    /// Whether shares are enough to leave with: they are worth the pool's smallest ticket, or are as many as that bought
    /// at the start, so that a loss bars nobody, or are all there are.
    ///
    /// It looks at nothing but the amount: whoever could leave with less by having no more would move it to an account
    /// of its own first.
    pub fn is_ticket(&self, shares: u64, min_ticket: u64) -> Result<bool> {
        Ok(self.is_ticket_by_count(shares, min_ticket) || self.worth_of_shares(shares)? >= min_ticket)
    }

    /// Whether shares are enough to leave with whatever they are worth.
    pub(super) fn is_ticket_by_count(&self, shares: u64, min_ticket: u64) -> bool {
        shares == self.shares || shares >= min_ticket.saturating_mul(shares::VIRTUAL_SHARES)
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
    /// all of its shares together, with what treaties still owe them, are worth less than a ticket, which goes to the
    /// surplus. So nobody's dust keeps a tranche closed.
    ///
    /// Errors: `TrancheNotWipedOut`, `NoSeriesLeft`; in an alert or a crisis, while nobody knows what shares are worth, a
    /// deserted tranche waits: `PoolInAlert`, `PoolInCrisis`.
    pub fn open_series(&mut self, tranche: Tranche, mint: Pubkey) -> Result<NewSeries> {
        let least = self.terms.min_ticket;
        let book = *self.tranche(tranche);
        let TrancheBook { assets, units, series, wiped_out, .. } = book;
        if wiped_out == 0 {
            let worth = assets.saturating_add(book.all_recoverable());
            let deserted = units == 0 && book.is_in_ruin() && worth < least;
            ensure!(deserted, BackstopError::TrancheNotWipedOut);
            self.require_no_alert()?;
        }
        *self.share_mints.of_mut(tranche) = mint;
        let series = series.checked_add(1).ok_or(BackstopError::NoSeriesLeft)?;
        *self.tranche_mut(tranche) = TrancheBook { series, ..TrancheBook::default() };
        credit(&mut self.surplus, assets)?;
        Ok(NewSeries { series, to_surplus: assets })
    }

    /// A tranche without shares holds no assets, one without exit units nothing exiting: dust goes to the surplus. What
    /// treaties owe one class is the other's then, or nobody's.
    pub(super) fn sweep(&mut self, tranche: Tranche) -> Result<u64> {
        let book = self.tranche_mut(tranche);
        let mut dust = 0u64;
        if book.recoverable | book.exiting_recoverable != 0 {
            let all = book.all_recoverable();
            (book.recoverable, book.exiting_recoverable) = match (book.shares > 0, book.units > 0) {
                (true, true) => (book.recoverable, book.exiting_recoverable),
                (true, false) => (all, 0),
                (false, true) => (0, all),
                (false, false) => (0, 0),
            };
        }
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
