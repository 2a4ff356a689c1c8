//! Whether events were lost. A log is cut after 10,000 bytes, and whoever sends a transaction can fill it before the
//! program comes to speak; so every event of a pool has its number, and a number that nobody has read is an event that
//! was lost. What it reported is in the instructions of its transaction, which are never cut, and in the accounts.

use anchor_lang::prelude::Pubkey;
use anchor_lang::{AnchorDeserialize, Discriminator};
use backstop::events::*;
use base64::Engine;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// An event's number in one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    /// The pool.
    pub pool: Pubkey,
    /// The number; the pool's first event has 1.
    pub sequence: u64,
}

macro_rules! numbered {
    ($($event:ident { $($pool:ident $sequence:ident),+ })*) => {
        /// Names of the events that have a number.
        pub const NUMBERED: &[&str] = &[$(stringify!($event)),*];

        /// The numbers of an event, from its bytes: two if it is one of two pools, none if it has none.
        pub fn numbers_of(bytes: &[u8]) -> Vec<Number> {
            $(if let Some(mut fields) = bytes.strip_prefix($event::DISCRIMINATOR) {
                return match $event::deserialize(&mut fields) {
                    Ok(event) => vec![$(Number { pool: event.$pool, sequence: event.$sequence }),+],
                    Err(_) => Vec::new(),
                };
            })*
            Vec::new()
        }
    };
}

numbered! {
    PoolCreated { pool sequence }
    Accrued { pool sequence }
    Deposited { pool sequence }
    SurplusContributed { pool sequence }
    ExitRequested { pool sequence }
    ExitCancelled { pool sequence }
    ExitEpochSettled { pool sequence }
    ExitClaimed { pool sequence }
    ExitEpochClosed { pool sequence }
    SeriesOpened { pool sequence }
    ProductCreated { pool sequence }
    ConditionSet { pool sequence }
    ReadingSet { pool sequence }
    ProductStateSet { pool sequence }
    RiskRateSet { pool sequence }
    ExposureReleased { pool sequence }
    CoverBought { pool sequence }
    CoverCancelled { pool sequence }
    CoverClosed { pool sequence }
    PhaseChanged { pool sequence }
    IncidentOpened { pool sequence }
    IncidentGrown { pool sequence }
    IncidentFunded { pool sequence }
    CrisisClosed { pool sequence }
    DeadlineExtended { pool sequence }
    CoverSettled { pool sequence }
    IncidentClosed { pool sequence }
    TreatyCreated { cedant cedant_sequence, reinsurer reinsurer_sequence }
    TreatyAccepted { cedant cedant_sequence, reinsurer reinsurer_sequence }
    TreatyPremiumSettled { cedant cedant_sequence, reinsurer reinsurer_sequence }
    TreatyCalled { cedant cedant_sequence, reinsurer reinsurer_sequence }
    TreatyEnded { cedant cedant_sequence, reinsurer reinsurer_sequence }
    TreatyCommuted { cedant cedant_sequence, reinsurer reinsurer_sequence }
    CessionAnnounced { cedant cedant_sequence, reinsurer reinsurer_sequence }
    SurplusCeded { cedant cedant_sequence, reinsurer reinsurer_sequence }
    CessionClosed { cedant cedant_sequence }
}

/// What the program itself reported in a transaction, oldest first: what other programs log in its words is left out.
pub fn reported(logs: &[String]) -> Vec<Vec<u8>> {
    let own = backstop::ID.to_string();
    let mut frames: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for line in logs {
        if let Some(text) = line.strip_prefix("Program data: ") {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            found.extend(bytes.ok().filter(|_| frames.last() == Some(&own.as_str())));
        } else if let Some((program, rest)) = line.strip_prefix("Program ").and_then(|line| line.split_once(' ')) {
            // What a program says of itself begins with "log:" and stands for none of these.
            if rest.starts_with("invoke [") {
                frames.push(program);
            } else if (rest == "success" || rest.starts_with("failed")) && frames.last() == Some(&program) {
                frames.pop();
            }
        }
    }
    found
}

/// Numbers that were read, by pool, in any order and any number of times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbering {
    /// Numbers without a gap: the last of each run by its first.
    runs: BTreeMap<Pubkey, BTreeMap<u64, u64>>,
}

impl Numbering {
    /// Reads the events of a transaction.
    pub fn read(&mut self, logs: &[String]) {
        for number in reported(logs).iter().flat_map(|bytes| numbers_of(bytes)) {
            self.note(number);
        }
    }

    /// Notes a number.
    pub fn note(&mut self, Number { pool, sequence }: Number) {
        let runs = self.runs.entry(pool).or_default();
        let before = runs.range(..=sequence).next_back().map(|(first, last)| (*first, *last));
        let (mut first, mut last) = (sequence, sequence);
        if let Some((start, end)) = before {
            if end >= sequence {
                return;
            }
            if end.saturating_add(1) == sequence {
                first = start;
            }
        }
        if let Some(end) = sequence.checked_add(1).and_then(|next| runs.remove(&next)) {
            last = end;
        }
        runs.insert(first, last);
    }

    /// Numbers of a pool that were not read, of those that it has given: `last` is [`backstop::state::Pool::events`].
    pub fn missing(&self, pool: &Pubkey, last: u64) -> Vec<RangeInclusive<u64>> {
        let mut missing = Vec::new();
        let mut next = 1;
        for (first, end) in self.runs.get(pool).into_iter().flatten() {
            let before = first.saturating_sub(1).min(last);
            if next <= before {
                missing.push(next..=before);
            }
            next = next.max(end.saturating_add(1));
        }
        if next <= last {
            missing.push(next..=last);
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const POOL: Pubkey = Pubkey::new_from_array([1; 32]);

    #[test]
    fn what_is_missing_is_what_was_not_read_in_whatever_order() {
        // Every subset of 1 to 7, forwards, backwards, and twice.
        for subset in 0u32..128 {
            let read: Vec<u64> = (1..=7).filter(|number| subset & (1 << (number - 1)) != 0).collect();
            let mut numbering = Numbering::default();
            for sequence in read.iter().chain(read.iter().rev()) {
                numbering.note(Number { pool: POOL, sequence: *sequence });
            }
            for last in 0..=8 {
                let missing: BTreeSet<u64> = numbering.missing(&POOL, last).into_iter().flatten().collect();
                let expected = (1..=last).filter(|number| !read.contains(number)).collect();
                assert_eq!(missing, expected, "{read:?} of {last}");
            }
        }
        assert_eq!(Numbering::default().missing(&POOL, 3), [1..=3]);
        assert!(Numbering::default().missing(&POOL, 0).is_empty());
    }

    #[test]
    fn what_another_program_logs_is_no_event() {
        let line = |text: &str| text.to_owned();
        let own = backstop::ID;
        let data = |byte: u8| format!("Program data: {}", base64::engine::general_purpose::STANDARD.encode([byte]));
        let logs = [
            line("Program Stranger invoke [1]"),
            data(1),
            format!("Program {own} invoke [2]"),
            data(2),
            line("Program Token invoke [3]"),
            data(3),
            line("Program Token success"),
            line("Program log: Program Stranger success"),
            data(4),
            format!("Program {own} success"),
            data(5),
            format!("Program log: Program {own} invoke [2]"),
            data(6),
            line("Program Stranger success"),
        ];
        assert_eq!(reported(&logs), [[2], [4]]);
    }
}
