//! What was shown of a product's live feed, before it counts.

use crate::error::BackstopError;
use crate::peril::evidence::Terms;
use crate::peril::feed::{Level, OracleError, Source, vaults};
use crate::peril::live::{Readings, Shown};
use crate::peril::vault::{Lows, MOST_VAULTS};
use anchor_lang::prelude::*;

/// The showings of a live feed in the running slot of its trigger's evidence, and what prices are measured by.
#[account(zero_copy)]
#[derive(Debug, PartialEq, Eq)]
pub struct Live {
    /// The product.
    pub product: Pubkey,
    /// The product's trigger, whose evidence they become.
    pub trigger: Pubkey,
    /// What was shown.
    pub readings: Readings,
    /// What vaults held on the last days; of a feed of vaults only.
    pub lows: Lows,
    /// The vaults in the order in which they are shown, and zeros after them; of a feed of vaults only.
    pub vaults: [Pubkey; MOST_VAULTS],
    /// The mint of the vaults.
    pub mint: Pubkey,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// How many vaults there are; 0 for other feeds.
    pub vault_count: u8,
    /// Unused.
    pub padding: [u8; 5],
    /// Room for later fields.
    pub reserved: [u64; 8],
}

const _: () = assert!(core::mem::align_of::<Live>() <= 8);

in_place_account!(Live {});

impl Live {
    /// Bytes of the account, discriminator included.
    pub const SPACE: usize = 8 + core::mem::size_of::<Live>();

    /// The vaults.
    pub fn vaults(&self) -> &[Pubkey] {
        self.vaults.get(..usize::from(self.vault_count)).unwrap_or(&[])
    }

    /// Names the vaults of a feed of vaults: one to eight distinct token accounts of one mint that are there.
    ///
    /// Errors: `BadVaults`, `OracleWrongOwner`, `OracleWrongLayout`.
    pub fn set_vaults(&mut self, accounts: &[AccountInfo]) -> Result<()> {
        let places = self.vaults.get_mut(..accounts.len()).ok_or(BackstopError::BadVaults)?;
        self.vault_count = u8::try_from(accounts.len()).map_err(|_| BackstopError::BadVaults)?;
        ensure!(self.vault_count > 0, BackstopError::BadVaults);
        for (number, (account, place)) in accounts.iter().zip(places).enumerate() {
            ensure!(accounts.iter().take(number).all(|other| other.key != account.key), BackstopError::BadVaults);
            // What is borrowed here is an account of this program.
            let data = account.try_borrow_data().map_err(|_| BackstopError::OracleWrongOwner)?;
            let mint = vaults::mint(account.owner, &data).map_err(BackstopError::from)?;
            ensure!(number == 0 || mint == self.mint, BackstopError::BadVaults);
            (self.mint, *place) = (mint, *account.key);
        }
        Ok(())
    }

    /// What the vaults hold now, which are given in their order.
    ///
    /// Errors: `WrongVaults`, and those of [`vaults::amount`]; `OracleBadPrice` where the sum does not fit.
    pub fn read_vaults<'a, 'info: 'a>(&self, accounts: impl Iterator<Item = &'a AccountInfo<'info>>) -> Result<Level> {
        let mut known = self.vaults().iter();
        let mut sum = 0u64;
        for account in accounts {
            ensure!(known.next() == Some(account.key), BackstopError::WrongVaults);
            let data = account.try_borrow_data().map_err(|_| BackstopError::OracleWrongOwner)?;
            let amount = vaults::amount(account.owner, &data, &self.mint).map_err(BackstopError::from)?;
            sum = sum.checked_add(amount).ok_or(BackstopError::OracleBadPrice)?;
        }
        ensure!(known.next().is_none(), BackstopError::WrongVaults);
        Ok(Level { up: sum, down: sum })
    }

    /// Shows a level of a source at a slot of the ledger and a time.
    ///
    /// Errors: those of [`Readings::show`]; nothing is changed then.
    pub fn show(
        &mut self,
        source: Source,
        terms: &Terms,
        level: Level,
        slot: u64,
        now: i64,
    ) -> core::result::Result<Shown, OracleError> {
        match source {
            Source::VaultDrop => Ok(self.readings.show_sum(&mut self.lows, terms, level.up, slot, now)),
            Source::PythReceiver
            | Source::PythPush
            | Source::Attested
            | Source::StakePoolRate
            | Source::SplLendingRate => self.readings.show(terms, level, slot, now),
        }
    }

    /// What prices are measured by at a time: the peak, or of vaults the baseline; 0: nothing.
    pub fn measure(&self, source: Source, terms: &Terms, now: i64) -> u64 {
        match source {
            Source::VaultDrop => terms.slot_of(now).and_then(|slot| self.lows.baseline(terms, slot)).unwrap_or(0),
            Source::PythReceiver
            | Source::PythPush
            | Source::Attested
            | Source::StakePoolRate
            | Source::SplLendingRate => self.readings.peak,
        }
    }
}
