//! The account of a crisis: what it comes to once it is closed, for its incidents to be given.

use crate::constants::ACCOUNT_VERSION;
use crate::math::rounding::{Rounding, mul_div};
use crate::state::ledger::fits;
use crate::state::{ByTranche, Tranche, TrancheBook};
use anchor_lang::prelude::*;

/// One crisis of a pool: the incidents that share one ratio. While it is open the pool's own books hold its figures.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Crisis {
    /// The pool.
    pub pool: Pubkey,
    /// Whoever paid the rent of the crisis.
    pub rent_payer: Pubkey,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// Whether it is closed: what follows stands but for money that comes late.
    pub closed: bool,
    /// Number of the crisis within its pool, from 1.
    pub number: u32,
    /// Its incidents that are not closed yet.
    pub incidents: u32,
    /// What its covers are due, in asset units.
    pub gross: u64,
    /// What there is for them: its incidents are given `floor(gross of each x resources / gross)`, in asset units.
    pub resources: u64,
    /// What of that was not given to an incident yet, in asset units.
    pub bucket: u64,
    /// Until when money that comes late goes to its holders first: the last deadline of its incidents.
    pub until: i64,
    /// Once it is closed, what treaties have come to owe it and have not paid, in asset units.
    pub owed: u64,
    /// What of that is the tranches', junior and senior, for the loss that they have borne, in asset units.
    pub recoverable: [u64; 2],
    /// What of it is the surplus's, in asset units.
    pub recoverable_surplus: u64,
    /// Series of the tranches that bore the loss.
    pub series: [u8; 2],
    /// Whose what treaties owe the tranches was as the loss was noted: [`TrancheBook::claims`].
    pub claims: [u8; 2],
    /// What others had left behind by then: [`TrancheBook::left_q32`].
    pub left_q32: [u32; 2],
    /// Room for later fields.
    pub reserved: [u8; 20],
}

borsh_account!(Crisis { keys: 2, discriminator: [115, 61, 203, 250, 106, 16, 83, 208] });

impl Crisis {
    /// A crisis that begins with its first incident.
    pub fn begin(pool: Pubkey, rent_payer: Pubkey, bump: u8, number: u32) -> Self {
        Self {
            pool,
            rent_payer,
            version: ACCOUNT_VERSION,
            bump,
            closed: false,
            number,
            incidents: 0,
            gross: 0,
            resources: 0,
            bucket: 0,
            until: 0,
            owed: 0,
            recoverable: [0; 2],
            recoverable_surplus: 0,
            series: [0; 2],
            claims: [0; 2],
            left_q32: [0; 2],
            reserved: [0; 20],
        }
    }

    /// What of an amount that it has noted for a tranche is still owed there, in asset units, rounded as the caller says:
    /// less what whoever was paid since has left behind; nothing once the series is over, or everybody had left.
    pub fn still_owed(&self, tranche: Tranche, amount: u64, book: &TrancheBook, rounding: Rounding) -> Result<u64> {
        let same = *self.series.of(tranche) == book.series && *self.claims.of(tranche) == book.claims;
        if !same || book.wiped_out != 0 {
            return Ok(0);
        }
        let noted = TrancheBook { left_q32: *self.left_q32.of(tranche), ..TrancheBook::default() };
        fits(mul_div(amount, book.kept_q32(), noted.kept_q32(), rounding))
    }

    /// What its holders are short of what they are due, in asset units.
    pub fn short(&self) -> u64 {
        self.gross.saturating_sub(self.resources)
    }

    /// What treaties owe it beyond what its holders are short, in asset units.
    pub fn beyond_holders(&self) -> u64 {
        self.owed.saturating_sub(self.short())
    }

    /// What treaties can still pay to the layers that bore the loss, in asset units: beyond what its holders are short, and
    /// from the last deadline on, when nothing more is theirs, all that is owed.
    pub fn can_come_to_layers(&self, now: i64) -> u64 {
        if now < self.until { self.beyond_holders() } else { self.owed }
    }
}
