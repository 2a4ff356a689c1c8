//! What a transaction says, once it is believed.

use crate::error::{IndexError, Result};
use crate::lost::{self, Lost};
use backstop_client::event::Event;
use backstop_client::history::{Executed, Listed};
use backstop_client::numbering::{self, Log, Number};
use solana_sdk::signature::Signature;

/// An event with what was logged of it.
pub(crate) struct Told {
    pub bytes: Vec<u8>,
    pub event: Event,
    pub numbers: Vec<Number>,
    pub is_rebuilt: bool,
}

impl Told {
    /// An event from its bytes. `None`: it is none that this program knows.
    pub fn read(bytes: Vec<u8>, is_rebuilt: bool) -> Option<Self> {
        let event = Event::read(&bytes)?;
        let numbers = numbering::numbers(&event);
        Some(Self { bytes, event, numbers, is_rebuilt })
    }
}

/// A transaction that succeeded.
pub(crate) struct Reading {
    pub signature: Signature,
    pub slot: u64,
    pub time: Option<i64>,
    pub is_cut: bool,
    pub events: Vec<Told>,
    /// What it reported for sure, and was cut.
    pub lost: Vec<Lost>,
}

impl Reading {
    /// What a node gave for a transaction that it listed. `None`: it failed, and changed nothing.
    ///
    /// Errors: it is another one, or does not agree with the list or with itself.
    pub fn of(listed: &Listed, executed: &Executed) -> Result<Option<Self>> {
        let lie = |what: &str| Err(IndexError::lie_of(&listed.signature, what));
        if executed.signature != listed.signature {
            return lie("another transaction was given for it");
        }
        if executed.slot != listed.slot {
            return lie("it is in another slot than was listed");
        }
        if executed.is_failed != listed.is_failed {
            return lie("it failed by one answer and succeeded by another");
        }
        if executed.is_failed {
            return Ok(None);
        }
        let log = executed.logs.as_deref().map(Log::read);
        let log = log.unwrap_or(Log { is_cut: true, ..Log::default() });
        let called = executed.instructions.iter().filter(|ran| ran.program == backstop::ID).count();
        let fits = match (log.is_cut, executed.calls_are_known) {
            (false, true) => log.calls == called,
            (true, true) => log.calls <= called,
            // What was called is not known: no more than that something was.
            (_, false) => log.calls == 0 || !executed.instructions.is_empty(),
        };
        if !fits {
            return lie("its log has other calls of the program than its instructions");
        }
        // What this program does not know an event of is left out; its number shows a gap.
        let events: Vec<Told> = log.events.into_iter().filter_map(|bytes| Told::read(bytes, false)).collect();
        let lost = if log.is_cut { lost::of(executed, &events) } else { Vec::new() };
        Ok(Some(Self {
            signature: executed.signature,
            slot: executed.slot,
            time: executed.time,
            is_cut: log.is_cut,
            events,
            lost,
        }))
    }

    /// Its numbers, by pool.
    pub fn numbers(&self) -> Vec<Number> {
        self.events.iter().flat_map(|told| told.numbers.iter().copied()).collect()
    }
}

/// The order in which transactions of one slot were executed: that in which they are given, unless the numbers of their
/// events say otherwise. Returns places. Errors: the numbers contradict one another.
pub(crate) fn order(numbers: &[Vec<Number>]) -> Result<Vec<usize>> {
    let mut rest: Vec<usize> = (0..numbers.len()).collect();
    let mut ordered = Vec::with_capacity(rest.len());
    if is_in_order(numbers) {
        return Ok(rest);
    }
    while !rest.is_empty() {
        // The first before which no other has to be.
        let first = |one: &usize| {
            rest.iter().filter(|other| *other != one).all(|other| !must_precede(&numbers[*other], &numbers[*one]))
        };
        let place =
            rest.iter().position(first).ok_or_else(|| IndexError::lie("numbers of events go round in a slot"))?;
        ordered.push(rest.remove(place));
    }
    Ok(ordered)
}

/// Whether an event of the first was before one of the second, in any pool.
fn must_precede(first: &[Number], second: &[Number]) -> bool {
    first.iter().any(|a| second.iter().any(|b| a.pool == b.pool && a.sequence < b.sequence))
}

fn is_in_order(numbers: &[Vec<Number>]) -> bool {
    let mut last = std::collections::HashMap::new();
    numbers.iter().flatten().all(|number| {
        let before = last.insert(number.pool, number.sequence);
        before.is_none_or(|before| before < number.sequence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_lang::prelude::Pubkey;

    #[test]
    fn what_the_numbers_do_not_decide_stays_as_it_was_given() {
        let number = |pool: u8, sequence| Number { pool: Pubkey::new_from_array([pool; 32]), sequence };
        let given =
            [vec![number(1, 3)], vec![], vec![number(1, 1), number(2, 8)], vec![number(2, 9)], vec![number(1, 2)]];
        assert_eq!(order(&given).expect("there is one"), [1, 2, 3, 4, 0]);
        assert_eq!(order(&given[1..4]).expect("there is one"), [0, 1, 2]);
        let round = [vec![number(1, 2), number(2, 1)], vec![number(1, 1), number(2, 2)]];
        assert!(matches!(order(&round), Err(IndexError::Lie { .. })));
    }
}
