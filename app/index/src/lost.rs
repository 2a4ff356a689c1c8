//! Events of a log that was cut, from the instructions, which are never cut.
//!
//! Not every event can be had this way: what a rule found by looking at the books stands in no instruction. These can,
//! to the byte but for their number: a deposit (with the shares that its call of the token program minted), a gift to
//! the surplus, a claim of an exit (with what was paid, and whether the ticket was closed), the end of a cover's
//! account, and that of an announced cession. Each of their instructions reports just one of them, and perhaps premium
//! that was earned. So where as many numbers are missing as such events were lost, nothing else is, and the numbers are
//! theirs in order.

use crate::reading::Told;
use anchor_lang::prelude::Pubkey;
use anchor_lang::{AnchorDeserialize, AnchorSerialize, Discriminator};
use backstop::events::{CessionClosed, CoverClosed, Deposited, ExitClaimed, SurplusContributed};
use backstop::instruction;
use backstop::state::{ByTranche, TrancheBook};
use backstop_client::books::Books;
use backstop_client::event::Event;
use backstop_client::history::{Executed, Ran};

/// Where an event keeps its number: after its discriminator and the pool.
const NUMBER: std::ops::Range<usize> = 40..48;
/// Where each account is in its instruction.
mod place {
    pub const DEPOSIT_OWNER: usize = 0;
    pub const DEPOSIT_POOL: usize = 3;
    pub const GIFT_FROM: usize = 0;
    pub const GIFT_POOL: usize = 1;
    pub const CLAIM_POOL: usize = 0;
    pub const CLAIM_TICKET: usize = 4;
    pub const CLAIM_OWNER: usize = 5;
    pub const CLOSED_POOL: usize = 2;
    pub const CLOSED_PRODUCT: usize = 3;
    pub const CLOSED_COVER: usize = 5;
    pub const CESSION_CEDANT: usize = 0;
}
/// Instructions of token programs that begin with the amount: to mint, and to transfer.
const MINTS: [u8; 2] = [7, 14];
const TRANSFERS: [u8; 2] = [3, 12];

/// An event whose number is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub pool: Pubkey,
    /// The event, with 0 for its number.
    pub bytes: Vec<u8>,
}

impl Lost {
    fn of<E: AnchorSerialize + Discriminator>(pool: Pubkey, event: &E) -> Option<Self> {
        let mut bytes = E::DISCRIMINATOR.to_vec();
        event.serialize(&mut bytes).ok()?;
        Some(Self { pool, bytes })
    }

    /// The event's bytes with a number.
    pub fn numbered(mut self, sequence: u64) -> Vec<u8> {
        if let Some(number) = self.bytes.get_mut(NUMBER) {
            number.copy_from_slice(&sequence.to_le_bytes());
        }
        self.bytes
    }
}

/// What the instructions of a transaction reported for sure and its log does not show.
pub(crate) fn of(executed: &Executed, told: &[Told]) -> Vec<Lost> {
    let mut told: Vec<Vec<u8>> = told.iter().map(|told| without_number(&told.bytes)).collect();
    let mut all = rebuilt(executed);
    all.retain(|lost| match told.iter().position(|bytes| *bytes == lost.bytes) {
        Some(place) => {
            told.swap_remove(place);
            false
        }
        None => true,
    });
    all
}

/// Without what instructions do not tell.
fn without_number(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = Lost { pool: Pubkey::default(), bytes: bytes.to_vec() }.numbered(0);
    if let Some(lowered) = lowered(&mut bytes) {
        *lowered = 0;
    }
    bytes
}

/// Where a deposit keeps how often the start of the tranche's prices was lowered: in its last byte.
fn lowered(bytes: &mut [u8]) -> Option<&mut u8> {
    if needs_books(bytes) { bytes.last_mut() } else { None }
}

/// Whether an event cannot be told without the books before it: a deposit.
pub(crate) fn needs_books(bytes: &[u8]) -> bool {
    bytes.starts_with(Deposited::DISCRIMINATOR)
}

/// Completes a deposit by the books before it: it lowers the start of the prices of a tranche in ruin, by the program's
/// own rule.
pub(crate) fn complete(bytes: &mut [u8], before: &Books) {
    let Some(Event::Deposited(event)) = Event::read(bytes) else { return };
    let class = before.tranches.of(event.tranche);
    let book = TrancheBook {
        assets: class.assets.0,
        exiting: class.exiting.0,
        shares: class.shares.0,
        units: class.units.0,
        lowered: class.lowered,
        ..TrancheBook::default()
    };
    if let Some(lowered) = lowered(bytes) {
        *lowered = class.lowered.saturating_add(book.is_in_ruin().into());
    }
}

/// What all instructions of a transaction reported, as far as they say.
pub(crate) fn rebuilt(executed: &Executed) -> Vec<Lost> {
    let ran = &executed.instructions;
    let own = ran.iter().enumerate().filter(|(_, ran)| ran.program == backstop::ID);
    own.filter_map(|(place, one)| event_of(executed, one, ran.get(place.saturating_add(1)..)?)).collect()
}

/// The event of an instruction. `after`: what was executed after its beginning.
fn event_of(executed: &Executed, ran: &Ran, after: &[Ran]) -> Option<Lost> {
    let key = |place: usize| ran.accounts.get(place).copied();
    // What it called itself.
    let called = || {
        after
            .iter()
            .take_while(|other| other.depth > ran.depth)
            .filter(|other| other.depth == ran.depth.saturating_add(1))
    };
    let amount = |tags: [u8; 2]| {
        called().filter(|call| is_token_program(&call.program)).find_map(|call| {
            let (tag, rest) = call.data.split_first()?;
            let amount = rest.first_chunk().copied().map(u64::from_le_bytes)?;
            tags.contains(tag).then_some(amount)
        })
    };
    let (tag, mut data) = ran.data.split_at_checked(8)?;
    // Without what was called, what was minted and paid is not known.
    let calls_are_known = || executed.calls_are_known.then_some(());
    if tag == instruction::Deposit::DISCRIMINATOR {
        calls_are_known()?;
        let args = instruction::Deposit::deserialize(&mut data).ok()?.args;
        let (pool, owner) = (key(place::DEPOSIT_POOL)?, key(place::DEPOSIT_OWNER)?);
        let (tranche, amount, shares) = (args.tranche, args.amount, amount(MINTS)?);
        let event = Deposited { pool, sequence: 0, tranche, owner, amount, shares, lowered: 0 };
        return Lost::of(pool, &event);
    }
    if tag == instruction::ContributeSurplus::DISCRIMINATOR {
        let amount = instruction::ContributeSurplus::deserialize(&mut data).ok()?.args.amount;
        let (pool, contributor) = (key(place::GIFT_POOL)?, key(place::GIFT_FROM)?);
        return Lost::of(pool, &SurplusContributed { pool, sequence: 0, contributor, amount });
    }
    if tag == instruction::ClaimExit::DISCRIMINATOR {
        calls_are_known()?;
        let (pool, ticket, owner) = (key(place::CLAIM_POOL)?, key(place::CLAIM_TICKET)?, key(place::CLAIM_OWNER)?);
        let (amount, closed) = (amount(TRANSFERS).unwrap_or_default(), executed.closed.contains(&ticket));
        return Lost::of(pool, &ExitClaimed { pool, sequence: 0, ticket, owner, amount, closed });
    }
    if tag == instruction::CloseCover::DISCRIMINATOR {
        let (pool, product, cover) = (key(place::CLOSED_POOL)?, key(place::CLOSED_PRODUCT)?, key(place::CLOSED_COVER)?);
        return Lost::of(pool, &CoverClosed { pool, sequence: 0, product, cover });
    }
    if tag == instruction::CloseCession::DISCRIMINATOR {
        let cedant = key(place::CESSION_CEDANT)?;
        return Lost::of(cedant, &CessionClosed { cedant, cedant_sequence: 0 });
    }
    None
}

fn is_token_program(program: &Pubkey) -> bool {
    use anchor_lang::prelude::pubkey;
    [pubkey!("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"), pubkey!("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")]
        .contains(program)
}

/// Names of the events that can be rebuilt.
pub const REBUILT: [&str; 5] = ["Deposited", "SurplusContributed", "ExitClaimed", "CoverClosed", "CessionClosed"];

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::state::Tranche;
    use std::num::Wrapping;

    #[test]
    fn a_deposit_into_a_ruin_lowers_the_start_of_its_prices_by_one() {
        let pool = Pubkey::new_from_array([1; 32]);
        let event =
            Deposited { pool, sequence: 0, tranche: Tranche::Senior, owner: pool, amount: 5, shares: 5, lowered: 0 };
        let lost = Lost::of(pool, &event).expect("it can be written");
        let completed = |assets, lowered| {
            let mut books = Books::default();
            let class = books.class(Tranche::Senior);
            // A thousand shares cost one unit at the start.
            (class.shares, class.assets, class.lowered) = (Wrapping(1_000_000), Wrapping(assets), lowered);
            let mut bytes = lost.clone().numbered(9);
            complete(&mut bytes, &books);
            match Event::read(&bytes) {
                Some(Event::Deposited(event)) => (event.sequence, event.lowered),
                _ => panic!("it is a deposit"),
            }
        };
        assert_eq!(completed(1_000, 0), (9, 0));
        assert_eq!(completed(50, 0), (9, 1), "worth a twentieth of the start");
        assert_eq!(completed(50, 1), (9, 1), "and half of what that was lowered to");
        assert_eq!(completed(5, 1), (9, 2));
    }
}
