//! What becomes of a reading depends on what was shown and when keys were revoked, and not on who calls nor when he does.
//!
//! A second reckoning, from the page `docs/src/how/readings.md`, of random seasons: reports by random signers at random
//! times, keys that are revoked, and calls that only bring the reading up to date. It looks at the whole list of what
//! happened at once; the program sees one call after the other.

use anchor_lang::prelude::Pubkey;
use backstop::peril::evidence::{Direction, Phase};
use backstop::peril::feed::attested::{Report, ReportKind};
use backstop::peril::reading::{Reading, ReadingError, ReadingInput, Signers};

const DAY: i64 = 86_400;
const BEGINS: u32 = 20_000;
const DUE: i64 = (BEGINS as i64 + 30) * DAY + 7_200;
const KEYS: u32 = 5;
const MUST: u32 = 3;

/// A small generator: numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// When each key is revoked, if it ever is: as a set on chain knows it at a moment.
#[derive(Clone, Copy)]
struct Set {
    revoked_at: [Option<i64>; KEYS as usize],
    now: i64,
}

impl Set {
    fn revoked(&self, key: u32) -> Option<i64> {
        self.revoked_at[key as usize].filter(|at| *at <= self.now)
    }

    fn is_live(&self, key: u32) -> bool {
        self.revoked(key).is_none()
    }
}

impl Signers for Set {
    fn fell_at(&self, signers: u16) -> Option<i64> {
        let keys: Vec<u32> = (0..KEYS).filter(|key| signers & 1 << key != 0).collect();
        let mut times: Vec<i64> = keys.iter().filter_map(|key| self.revoked(*key)).collect();
        times.sort_unstable();
        // As many may go as are more than must sign; the next one is one too many.
        times.get(keys.len() - MUST as usize).copied()
    }

    fn died_at(&self) -> Option<i64> {
        self.fell_at((1 << KEYS) - 1)
    }
}

/// What somebody does, and when.
#[derive(Clone, Copy, Debug)]
enum Event {
    Show { signers: u16, millimetres: i64 },
    Call,
}

/// How it ended: void, or with a value, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Void(i64),
    Value(i64, i64),
}

/// The page, for the whole list of shows at once, in their order.
fn reckon(shows: &[(i64, u16, i64)], set: &Set) -> End {
    let count_at = |signers: u16, at: i64| {
        (0..KEYS)
            .filter(|key| signers & 1 << key != 0 && set.revoked_at[*key as usize].is_none_or(|gone| gone > at))
            .count()
    };
    let revocations: Vec<i64> = {
        let mut times: Vec<i64> = set.revoked_at.iter().flatten().copied().collect();
        times.sort_unstable();
        times
    };
    // The first second at which too few of some are left.
    let falls = |signers: u16| revocations.iter().copied().find(|at| count_at(signers, *at) < MUST as usize);
    let all = (1 << KEYS) - 1;
    let mut until = DUE + 14 * DAY;
    let mut left = shows.to_vec();
    loop {
        // The first report that is taken: in its time, of enough keys that are live.
        let dead = falls(all);
        let taken = left.iter().position(|(at, signers, _)| {
            *at >= DUE
                && *at <= until
                && dead.is_none_or(|dead| *at < dead)
                && count_at(*signers, *at) == signers.count_ones() as usize
        });
        let Some(place) = taken else {
            return End::Void(dead.unwrap_or(i64::MAX).min(until + 1));
        };
        let (shown, mut signers, value) = left[place];
        let resolves = shown + 3 * DAY;
        left.drain(..=place);
        // Whoever says the same while it stands stands by it.
        let fell = loop {
            let falls_at = falls(signers).filter(|at| *at < resolves);
            let joins = left.iter().position(|(at, more, said)| {
                let stands = *at < resolves && falls_at.is_none_or(|fell| *at < fell);
                let live = count_at(*more, *at) == more.count_ones() as usize;
                stands && live && *said == value && signers | more != signers
            });
            match joins {
                Some(place) => {
                    signers |= left[place].1;
                    left.drain(..=place);
                }
                None => break falls_at,
            }
        };
        match fell {
            None => return End::Value(value, resolves),
            Some(fell) => {
                until = until.max(fell + 3 * DAY);
                left.retain(|(at, _, _)| *at >= fell);
            }
        }
    }
}

fn reading() -> Reading {
    let input = ReadingInput {
        direction: Direction::Below,
        strike: 120 * 100_000_000,
        exit: 40 * 100_000_000,
        begins_day: BEGINS,
        due_at: DUE,
    };
    Reading::new(&input, BEGINS - 40).unwrap()
}

fn report(value: i64) -> Report {
    Report {
        cluster: [0; 8],
        set: Pubkey::default(),
        feed: [0; 32],
        kind: ReportKind::Value,
        exponent: 0,
        value,
        confidence: 0,
        observed_at: DUE,
    }
}

/// The program, call by call; at the end somebody calls a year later.
fn play(events: &[(i64, Event)], set: &Set) -> End {
    let mut reading = reading();
    let mut end = None;
    for (at, event) in events.iter().chain(&[(DUE + 400 * DAY, Event::Call)]) {
        let set = Set { now: *at, ..*set };
        let mut standing = reading;
        let _ = standing.resolve(&Set { revoked_at: [None; KEYS as usize], now: *at }, *at);
        assert_eq!(reading.is_due(*at), standing.phase() == Phase::Final, "as if nothing had fallen, at {at}");
        match *event {
            Event::Show { signers, millimetres } => {
                // A set takes nothing that a revoked key has signed.
                if (0..KEYS).any(|key| signers & 1 << key != 0 && !set.is_live(key)) {
                    continue;
                }
                let before = reading;
                match reading.show(&report(millimetres), signers, &set, *at) {
                    Ok(outcome) => {
                        let renewed = before.reported_at != 0 && reading.reported_at == *at;
                        assert_eq!(outcome.renewed, renewed && before.reported_at != *at);
                        assert_eq!(outcome.is_news, outcome.renewed || reading.signers != before.signers);
                    }
                    Err(error) => {
                        assert_eq!(reading, before, "a refusal changes no byte: {error:?}");
                        assert!(!matches!(
                            error,
                            ReadingError::NotDue | ReadingError::BadValues | ReadingError::BadPeriod
                        ));
                    }
                }
            }
            Event::Call => {
                reading.refresh(*at);
                let _ = reading.resolve(&set, *at);
            }
        }
        if reading.phase() == Phase::Final {
            let now = match reading.void {
                1 => End::Void(reading.resolved_at),
                _ => End::Value(i64::try_from(reading.value / 100_000_000).unwrap(), reading.resolved_at),
            };
            assert_eq!(*end.get_or_insert(now), now, "what is resolved stays");
            assert!(reading.resolved_at <= *at);
        }
    }
    end.expect("it always ends")
}

#[test]
fn a_trigger_that_awaits_no_moment_is_no_reading() {
    assert!(reading().is_one());
    assert!(!Reading::default().is_one());
}

#[test]
fn a_reading_ends_as_its_page_says_whoever_calls_and_whenever() {
    let mut numbers = Numbers(77);
    let (mut void, mut fell) = (0, 0);
    for round in 0..60_000 {
        let mut revoked_at = [None; KEYS as usize];
        for at in &mut revoked_at {
            if numbers.below(3) == 0 {
                *at = Some(DUE + numbers.below(22 * 24) as i64 * 3_600 - 2 * DAY);
            }
        }
        let set = Set { revoked_at, now: i64::MAX };
        let mut events = Vec::new();
        for _ in 0..numbers.below(6) {
            let at = DUE + numbers.below(21 * 24) as i64 * 3_600 - DAY;
            // Three to five signers.
            let signers = loop {
                let signers = numbers.below(1 << KEYS) as u16;
                if signers.count_ones() >= MUST {
                    break signers;
                }
            };
            events.push((at, Event::Show { signers, millimetres: 60 + 20 * numbers.below(2) as i64 }));
        }
        events.sort_by_key(|(at, _)| *at);
        let shows: Vec<_> = events
            .iter()
            .filter_map(|(at, event)| match event {
                Event::Show { signers, millimetres } => Some((*at, *signers, *millimetres)),
                Event::Call => None,
            })
            .collect();
        let expected = reckon(&shows, &set);
        let silent = play(&events, &set);
        assert_eq!(silent, expected, "round {round}: {events:?}, {revoked_at:?}");
        // The same with calls in between, at the very seconds of what happens too.
        let mut busy: Vec<(i64, u64, Event)> = events.iter().map(|(at, event)| (*at, 1, *event)).collect();
        for _ in 0..numbers.below(12) {
            let at = match numbers.below(2) {
                0 => DUE + numbers.below(25 * 24) as i64 * 3_600 - DAY,
                _ => events.get(numbers.below(8) as usize).map_or(DUE, |(at, _)| *at),
            };
            // Before or after what happens in the same second.
            busy.push((at, 2 * numbers.below(2), Event::Call));
        }
        busy.sort_by_key(|(at, place, _)| (*at, *place));
        let busy: Vec<_> = busy.into_iter().map(|(at, _, event)| (at, event)).collect();
        assert_eq!(play(&busy, &set), expected, "round {round}: {busy:?}, {revoked_at:?}");
        void += u32::from(matches!(expected, End::Void(_)));
        fell += u32::from(matches!(expected, End::Value(_, at) if at > shows[0].0 + 3 * DAY));
    }
    assert!(void > 5_000 && fell > 500, "{void} void, {fell} after a report fell or was too early");
}
