//! Leaving a pool: a ticket for each request, an epoch for each day.

use crate::constants::LATE_EPOCH;
use crate::error::BackstopError;
use crate::math::exits;
use crate::state::{ByTranche, Tranche, TrancheBook, day_start};
use anchor_lang::prelude::*;

/// One request to leave. It bears losses with its tranche, and earns nothing but while the queue is kept past its day.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct ExitTicket {
    /// The pool to leave.
    pub pool: Pubkey,
    /// Whoever is paid.
    pub owner: Pubkey,
    /// Whoever paid the rent of the ticket.
    pub rent_payer: Pubkey,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// The tranche to leave.
    pub tranche: Tranche,
    /// Series of the tranche when the ticket was made.
    pub series: u8,
    /// UTC day of the epoch that pays the ticket.
    pub epoch_day: u32,
    /// Exit units of the request.
    pub units: u64,
    /// Asset units that the ticket has had.
    pub claimed: u64,
    /// The owner's number for the ticket, part of its address.
    pub nonce: u64,
    /// UTC day of the request.
    pub asked_on: u32,
    /// Room for later fields.
    pub reserved: [u8; 28],
}

borsh_account!(ExitTicket { keys: 3, discriminator: [137, 38, 96, 201, 22, 40, 172, 171] });

/// All tickets whose cooldown ends on one UTC day, of both tranches. They are paid in one ratio.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct ExitEpoch {
    /// The pool.
    pub pool: Pubkey,
    /// Whoever paid the rent of the epoch.
    pub rent_payer: Pubkey,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// Series of the two tranches that the units belong to.
    pub series: [u8; 2],
    /// UTC day of the epoch.
    pub day: u32,
    /// Tickets that are neither closed nor cancelled.
    pub tickets: u32,
    /// Units of the tickets, by tranche, as they were requested.
    pub units: [u64; 2],
    /// Part of every ticket that is still open, Q63 (2^63 = all of it).
    pub open_q63: u64,
    /// Paid so far per unit requested, by tranche, Q64.
    pub paid_per_unit_q64: [u128; 2],
    /// Asset units set aside for the tickets and not claimed yet.
    pub reserve: u64,
    /// Room for later fields.
    pub reserved: [u8; 32],
}

borsh_account!(ExitEpoch { keys: 2, discriminator: [250, 24, 250, 166, 89, 254, 36, 135] });

impl ExitEpoch {
    /// All of a ticket open.
    pub const ALL_OPEN: u64 = exits::ALL_OPEN_Q63;

    /// Whether everything that was asked for has been paid (or lost).
    pub fn is_filled(&self) -> bool {
        self.open_q63 == 0
    }

    /// Whether the epoch of a day has waited so long that an alert which is only breaching keeps it no longer: more than
    /// 30 days past its end.
    pub fn is_late(day: u32, now: i64) -> bool {
        now > day_start(day.saturating_add(1)).saturating_add(LATE_EPOCH)
    }

    /// Whether a ticket will be paid no more: the epoch is filled, or the ticket's series is over.
    pub fn is_done_for(&self, ticket: &ExitTicket, book: &TrancheBook) -> bool {
        self.is_filled() || book.wiped_out != 0 || book.series != ticket.series
    }

    /// Whether nothing depends on the epoch any more.
    pub fn may_close(&self) -> bool {
        self.is_filled() && self.tickets == 0
    }

    /// Counts a new ticket in. A ticket of a new series takes the place of units whose series was wiped out: an epoch
    /// that still takes requests has paid nothing yet, so those tickets have nothing to claim.
    pub fn add_ticket(&mut self, tranche: Tranche, series: [u8; 2], units: u64) -> Result<()> {
        for (kept, (own, now)) in self.units.iter_mut().zip(self.series.iter_mut().zip(series)) {
            if *own != now {
                *own = now;
                *kept = 0;
            }
        }
        let sum = self.units.of_mut(tranche);
        *sum = sum.checked_add(units).ok_or(BackstopError::MathOverflow)?;
        self.tickets = self.tickets.checked_add(1).ok_or(BackstopError::MathOverflow)?;
        Ok(())
    }

    /// Whether a ticket's units are counted in this epoch: not if its series was wiped out before another began here.
    fn counts(&self, ticket: &ExitTicket) -> bool {
        *self.series.of(ticket.tranche) == ticket.series
    }

    /// Books what a ticket can claim now and returns it, in asset units rounded down.
    pub fn claim(&mut self, ticket: &mut ExitTicket) -> Result<u64> {
        if !self.counts(ticket) {
            return Ok(0);
        }
        let per_unit = *self.paid_per_unit_q64.of(ticket.tranche);
        let due = exits::claimable(ticket.units, per_unit).ok_or(BackstopError::MathOverflow)?;
        let amount = due.checked_sub(ticket.claimed).ok_or(BackstopError::InvariantViolated)?;
        ticket.claimed = due;
        self.reserve = self.reserve.checked_sub(amount).ok_or(BackstopError::InvariantViolated)?;
        Ok(amount)
    }

    /// Counts a ticket out and returns its open units, rounded down.
    pub fn remove_ticket(&mut self, ticket: &ExitTicket) -> Result<u64> {
        self.tickets = self.tickets.checked_sub(1).ok_or(BackstopError::InvariantViolated)?;
        if !self.counts(ticket) {
            return Ok(0);
        }
        let open = exits::open_units(ticket.units, self.open_q63).ok_or(BackstopError::InvariantViolated)?;
        let sum = self.units.of_mut(ticket.tranche);
        *sum = sum.checked_sub(ticket.units).ok_or(BackstopError::InvariantViolated)?;
        Ok(open)
    }
}
