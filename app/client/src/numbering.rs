//! Whether events were lost. A log is cut after 10,000 bytes, and whoever sends a transaction can fill it before the
//! program comes to speak; so every event of a pool has its number, and a number that nobody has read is an event that
//! was lost. What it reported is in the instructions of its transaction, which are never cut, and in the accounts.

use crate::event::Event;
use anchor_lang::prelude::Pubkey;
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

        /// The numbers of an event: two if it is one of two pools, none if it has none.
        pub fn numbers(event: &Event) -> Vec<Number> {
            match event {
                $(Event::$event(event) => vec![$(Number { pool: event.$pool, sequence: event.$sequence }),+],)*
                _ => Vec::new(),
            }
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
    PositionBought { pool sequence }
    BeneficiarySet { pool sequence }
    PositionCancelled { pool sequence }
    PositionReduced { pool sequence }
    PositionExtended { pool sequence }
    PositionConverted { pool sequence }
    PositionClosed { pool sequence }
    PositionSettled { pool sequence }
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

/// The numbers of an event, from its bytes.
pub fn numbers_of(bytes: &[u8]) -> Vec<Number> {
    Event::read(bytes).map(|event| numbers(&event)).unwrap_or_default()
}

/// The line that the runtime writes once, when the first line had no room any more.
const CUT: &str = "Log truncated";
/// What a line is longer than that came from a frame which the log shows: lines of beginning and end have 64 bytes at
/// most, `Program ` and an address of 44 and ` invoke [5]`. A log that is cut still takes lines that are short enough,
/// so one that is longer than those that came before it proves that they had room.
const LONGEST_FRAME: usize = 64;

/// What a log says of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// What the program itself reported, oldest first.
    pub events: Vec<Vec<u8>>,
    /// How often it was called, as far as the log shows.
    pub calls: usize,
    /// Whether the log was cut: more may have been reported.
    pub is_cut: bool,
}

impl Log {
    /// Reads the log of a transaction. What other programs log in the program's words, or in the runtime's, is left
    /// out.
    pub fn read(lines: &[String]) -> Self {
        let own = backstop::ID.to_string();
        let mut frames: Vec<&str> = Vec::new();
        let mut log = Self::default();
        for line in lines {
            if line == CUT {
                log.is_cut = true;
            } else if let Some(text) = line.strip_prefix("Program data: ") {
                let is_framed = !log.is_cut || line.len() > LONGEST_FRAME;
                if is_framed && frames.last() == Some(&own.as_str()) {
                    log.events.extend(base64::engine::general_purpose::STANDARD.decode(text).ok());
                }
            } else if let Some((program, rest)) = line.strip_prefix("Program ").and_then(|line| line.split_once(' ')) {
                // What a program says of itself begins with "log:", "data:" or "return:", which are no addresses.
                if program.ends_with(':') {
                    continue;
                }
                let depth = rest.strip_prefix("invoke [").and_then(|rest| rest.strip_suffix(']'));
                if let Some(depth) = depth.and_then(|depth| depth.parse::<usize>().ok()) {
                    // Where the log was cut, ends may be missing: what is called at a depth is called by the one above.
                    frames.truncate(depth.saturating_sub(1));
                    frames.push(program);
                    log.calls += usize::from(program == own);
                } else if (rest == "success" || rest.starts_with("failed")) && frames.last() == Some(&program) {
                    frames.pop();
                }
            }
        }
        log
    }
}

/// What the program itself reported in a transaction, oldest first: see [`Log::read`].
pub fn reported(logs: &[String]) -> Vec<Vec<u8>> {
    Log::read(logs).events
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

    #[test]
    fn a_program_that_says_what_the_runtime_says_moves_no_frame() {
        let own = backstop::ID;
        let data = |byte: u8| format!("Program data: {}", base64::engine::general_purpose::STANDARD.encode([byte]));
        // A hook of the asset, say, that is called by the program.
        let logs = [
            format!("Program {own} invoke [1]"),
            "Program Hook invoke [2]".to_owned(),
            "Program log: invoke [3]".to_owned(),
            "Program log: success".to_owned(),
            data(1),
            "Program Hook success".to_owned(),
            data(2),
            format!("Program {own} success"),
        ];
        assert_eq!(Log::read(&logs), Log { events: vec![vec![2]], calls: 1, is_cut: false });
    }

    #[test]
    fn after_a_cut_only_what_is_longer_than_any_end_of_a_frame_is_believed() {
        let own = backstop::ID;
        let data = |length: usize| {
            format!("Program data: {}", base64::engine::general_purpose::STANDARD.encode(vec![7; length]))
        };
        // The end of the program's frame had no room, what a stranger logs after it had.
        let logs = [
            "Program Stranger invoke [1]".to_owned(),
            format!("Program {own} invoke [2]"),
            CUT.to_owned(),
            data(17),
            data(48),
        ];
        assert_eq!(Log::read(&logs), Log { events: vec![vec![7; 48]], calls: 1, is_cut: true });
        assert!(data(48).len() > format!("Program {own} invoke [5]").len());
    }
}
