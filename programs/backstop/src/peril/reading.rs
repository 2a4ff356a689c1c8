//! A reading: a value at a date, as attestors report it, for what has a season, a day or a month: rain, a flight,
//! realised volatility.
//!
//! All covers of a reading are alike: from the first day of its period to the end of the day on which it is due. Nobody
//! comes in or goes once the period is near, as forecasts begin to tell the outcome.
//!
//! ```text
//!  sales, cancellations | period begins ... due_at | a report stands 3 days | resolved
//!                                                  | none in 14 days        | void: the whole premium goes back
//! ```
//!
//! A report of exactly that moment is taken for 14 days. It *stands* once it is shown, and resolves the reading three days
//! later. Until then it *falls* if so many of those who signed it are revoked for contradicting themselves that fewer are
//! left than must sign; then others have three days more at least to report. So one key that contradicts itself makes
//! nothing void that enough others stand by. Once too few keys are left to report at all, it is void.
//!
//! What follows depends on what was shown and when keys were revoked, and not on who calls, nor when he does: each call
//! first brings the reading up to date.

use super::Period;
use super::evidence::{Direction, MAX_PRICE, Outcome, Phase};
use super::feed::attested::Report;
use super::feed::{MAX_EXPONENT, MIN_EXPONENT, OracleError, PRICE_DECIMALS};
use crate::math::rounding::{narrow, wide};
use crate::payout::linear;
use anchor_lang::prelude::*;

/// How long after its moment a report is taken at least.
pub const REPORT_WINDOW: i64 = 14 * DAY;
/// How long a report stands before it resolves the reading; and how long others can report after one fell.
pub const READING_CHALLENGE: i64 = 3 * DAY;
/// Days after its last one that a reading's covers stay exposed as a rule: until it is resolved or void.
pub const READING_RING_DAYS: u32 = 18;
/// Longest period, in days.
pub const MAX_PERIOD_DAYS: u32 = 366;

const DAY: i64 = crate::constants::DAY;

/// What a reading is created with.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadingInput {
    /// Which side of the strike is insured against.
    pub direction: Direction,
    /// The value beyond which something is paid, in 1e-8.
    pub strike: u64,
    /// The value from which on everything is paid, in 1e-8: below the strike or, where values above are insured against,
    /// above it.
    pub exit: u64,
    /// First UTC day of the period.
    pub begins_day: u32,
    /// The moment whose value counts, in unix seconds, in the last day of the period.
    pub due_at: i64,
}

/// What attestors are known by: which of them signed, and who was revoked when.
pub trait Signers {
    /// When so many of these keys were revoked that fewer are left than must sign a report; `None` while enough are.
    fn fell_at(&self, signers: u16) -> Option<i64>;

    /// The same of all keys: since when nothing can be reported any more.
    fn died_at(&self) -> Option<i64>;
}

/// The terms of a reading, which never change, and how it stands. All zero in a trigger that takes evidence.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The value beyond which something is paid, in 1e-8.
    pub strike: u64,
    /// The value from which on everything is paid, in 1e-8.
    pub exit: u64,
    /// The moment whose value counts, in unix seconds.
    pub due_at: i64,
    /// The value of the standing report as it counts, in 1e-8: by its confidence nearer to no loss.
    pub value: u64,
    /// When the standing report was shown first, in unix seconds; 0 while none stands.
    pub reported_at: i64,
    /// Until when a report is taken, in unix seconds.
    pub reports_until: i64,
    /// When it was resolved or became void, in unix seconds, whenever anybody called; 0 before.
    pub resolved_at: i64,
    /// First UTC day of the period.
    pub begins_day: u32,
    /// Who has signed the standing report: a bit for each attestor.
    pub signers: u16,
    /// Part of each sum insured that is lost by the standing report, in basis points.
    pub severity_bps: u16,
    /// A [`Direction`].
    pub direction: u8,
    /// A [`Phase`], as of the last call that changed something.
    pub phase: u8,
    /// 1 once it is void.
    pub void: u8,
    /// Unused.
    pub padding: [u8; 5],
}

const _: () = assert!(size_of::<Reading>() == 72 && align_of::<Reading>() == 8);

/// Why a reading, or a report for one, is refused. A refusal changes no byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingError {
    /// Strike and exit are the same, do not fit the direction, or are too large.
    BadValues,
    /// The period does not begin after today, ends before it begins, or is longer than a year.
    BadPeriod,
    /// The report is of another moment.
    WrongMoment,
    /// No report is taken any more.
    TooLate,
    /// A report with another value stands.
    Contradiction,
    /// The reading is resolved, or void.
    Over,
    /// There is nothing to resolve yet.
    NotDue,
    /// The report's value is below zero, or does not fit.
    Value(OracleError),
}

impl Reading {
    /// A reading by its terms, validated.
    ///
    /// Errors: `BadValues`, `BadPeriod`.
    #[inline(never)]
    pub fn new(input: &ReadingInput, today: u32) -> core::result::Result<Self, ReadingError> {
        let ReadingInput { direction, strike, exit, begins_day, due_at } = *input;
        let fits = match direction {
            Direction::Below => exit < strike,
            Direction::Above => exit > strike,
        };
        if !fits || strike.max(exit) > MAX_PRICE {
            return Err(ReadingError::BadValues);
        }
        let reading = Self {
            strike,
            exit,
            due_at,
            reports_until: due_at.saturating_add(REPORT_WINDOW),
            begins_day,
            direction: direction.byte(),
            ..Self::default()
        };
        let Period { active_day, end_day } = reading.period();
        let days = end_day.saturating_sub(active_day);
        // A day without end would make the last one the first.
        if active_day <= today
            || !(1..=MAX_PERIOD_DAYS).contains(&days)
            || due_at <= crate::state::day_start(active_day)
        {
            return Err(ReadingError::BadPeriod);
        }
        Ok(reading)
    }

    /// Whether the trigger is one: every reading has its moment.
    pub fn is_one(&self) -> bool {
        self.due_at != 0
    }

    /// Which side of the strike is insured against.
    pub fn direction(&self) -> Direction {
        Direction::stored(self.direction)
    }

    /// The phase as of the last call that changed something.
    ///
    /// *Quiet* until the moment that counts, *Breaching* while a report is awaited, *Met* while one stands, *Final* once it
    /// is resolved or void. Neither of the middle two says which way it goes: the capital behind it waits either way.
    pub fn phase(&self) -> Phase {
        Phase::stored(self.phase)
    }

    /// The days that its covers insure.
    pub fn period(&self) -> Period {
        Period { active_day: self.begins_day, end_day: crate::state::day_of(self.due_at).saturating_add(1) }
    }

    /// When the event was, in unix seconds, once it is resolved: the moment that counts. Void, the second before the period:
    /// as if it had ended before it began.
    pub fn event_at(&self) -> i64 {
        if self.void == 1 { crate::state::day_start(self.begins_day).saturating_sub(1) } else { self.due_at }
    }

    /// What a value, in 1e-8, pays, in basis points of the sum insured: nothing up to the strike, all from the exit on, in
    /// between in proportion, rounded down.
    pub fn severity_of(&self, value: u64) -> u16 {
        let beyond = match self.direction() {
            Direction::Below => value < self.strike,
            Direction::Above => value > self.strike,
        };
        if beyond { linear::severity_bps(self.strike, self.exit, 0, value) } else { 0 }
    }

    /// The value of a report as it counts, in 1e-8: by its confidence, and by rounding, nearer to no loss.
    ///
    /// Unlike a price a value may be zero: no rain, no delay.
    #[inline(never)]
    pub fn value_of(&self, report: &Report) -> core::result::Result<u64, ReadingError> {
        if !(MIN_EXPONENT..=MAX_EXPONENT).contains(&report.exponent) {
            return Err(ReadingError::Value(OracleError::BadExponent));
        }
        let value = u64::try_from(report.value).map_err(|_| ReadingError::Value(OracleError::PriceNotPositive))?;
        let counted = match self.direction() {
            Direction::Below => value.checked_add(report.confidence),
            Direction::Above => Some(value.saturating_sub(report.confidence)),
        };
        let counted = counted.ok_or(ReadingError::Value(OracleError::ConfidenceTooLarge))?;
        let shift = report.exponent.saturating_add(PRICE_DECIMALS);
        let factor = 10u64.saturating_pow(shift.unsigned_abs());
        let scaled = match (shift < 0, self.direction()) {
            (true, Direction::Below) => Some(counted.div_ceil(factor)),
            (true, Direction::Above) => counted.checked_div(factor),
            (false, _) => narrow(wide(counted, factor)),
        };
        scaled.ok_or(ReadingError::Value(OracleError::PriceTooLarge))
    }

    /// Whether it is resolved or void by now, whether or not anybody has called since, if no standing report has fallen.
    pub fn is_due(&self, now: i64) -> bool {
        let due_at = match self.reported_at {
            0 => self.reports_until.saturating_add(1),
            reported_at => reported_at.saturating_add(READING_CHALLENGE),
        };
        self.phase() == Phase::Final || now >= due_at
    }

    /// Brings the phase up to now as far as that needs no attestors.
    pub fn refresh(&mut self, now: i64) -> Outcome {
        let before = self.phase();
        self.await_report(now);
        self.outcome(before, false)
    }

    /// Shows a report: it stands from now on, or is signed by more.
    ///
    /// Errors: `WrongMoment`, `TooLate`, `Contradiction`, `Over`, `Value`.
    pub fn show(
        &mut self,
        report: &Report,
        signers: u16,
        attestors: &impl Signers,
        now: i64,
    ) -> core::result::Result<Outcome, ReadingError> {
        if report.observed_at != self.due_at {
            return Err(ReadingError::WrongMoment);
        }
        if report.observed_at > now {
            return Err(ReadingError::Value(OracleError::FromFuture));
        }
        let value = self.value_of(report)?;
        let before = self.phase();
        let mut after = *self;
        after.settle(attestors, now);
        if after.phase() == Phase::Final {
            return Err(if after.void == 1 { ReadingError::TooLate } else { ReadingError::Over });
        }
        let stands = after.reported_at != 0;
        if stands && after.value != value {
            return Err(ReadingError::Contradiction);
        }
        // It fell unnoticed, and another stands from now on.
        let renewed = self.reported_at != 0 && !stands;
        let is_news = after.signers & signers != signers;
        after.signers |= signers;
        if !stands {
            after.value = value;
            after.severity_bps = after.severity_of(value);
            after.reported_at = now;
        }
        after.phase = Phase::Met.byte();
        *self = after;
        Ok(Outcome { renewed, ..self.outcome(before, is_news) })
    }

    /// Brings the reading up to now. Refuses if that changes nothing.
    ///
    /// Errors: `NotDue`.
    pub fn resolve(&mut self, attestors: &impl Signers, now: i64) -> core::result::Result<Outcome, ReadingError> {
        let (before, unchanged) = (self.phase(), *self);
        self.settle(attestors, now);
        if *self == unchanged { Err(ReadingError::NotDue) } else { Ok(self.outcome(before, false)) }
    }

    fn outcome(&self, before: Phase, is_news: bool) -> Outcome {
        Outcome { before, after: self.phase(), class: None, is_news, deepened: false, armed: false, renewed: false }
    }

    fn await_report(&mut self, now: i64) {
        if self.phase() == Phase::Quiet && now >= self.due_at {
            self.phase = Phase::Breaching.byte();
        }
    }

    /// Does all that is due by now.
    #[inline(never)]
    fn settle(&mut self, attestors: &impl Signers, now: i64) {
        if self.phase() == Phase::Final {
            return;
        }
        self.await_report(now);
        if self.reported_at != 0 {
            let resolves_at = self.reported_at.saturating_add(READING_CHALLENGE);
            match attestors.fell_at(self.signers) {
                Some(fell_at) if fell_at < resolves_at => {
                    (self.reported_at, self.value, self.signers, self.severity_bps) = (0, 0, 0, 0);
                    self.reports_until = self.reports_until.max(fell_at.saturating_add(READING_CHALLENGE));
                    self.phase = Phase::Breaching.byte();
                }
                _ if now >= resolves_at => {
                    self.resolved_at = resolves_at;
                    self.phase = Phase::Final.byte();
                    return;
                }
                _ => return,
            }
        }
        let died_at = attestors.died_at().unwrap_or(i64::MAX);
        let void_at = died_at.min(self.reports_until.saturating_add(1));
        if now >= void_at {
            (self.resolved_at, self.void) = (void_at, 1);
            self.phase = Phase::Final.byte();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::peril::feed::attested::ReportKind;
    use crate::state::day_start;

    const BEGINS: u32 = 20_000;
    const DUE: i64 = day_start_of(20_091) + 43_200;
    const E8: u64 = 100_000_000;

    const fn day_start_of(day: u32) -> i64 {
        day as i64 * DAY
    }

    /// Rain below 120 mm pays, below 40 everything.
    fn rain() -> Reading {
        let input = ReadingInput {
            direction: Direction::Below,
            strike: 120 * E8,
            exit: 40 * E8,
            begins_day: BEGINS,
            due_at: DUE,
        };
        Reading::new(&input, BEGINS - 30).unwrap()
    }

    /// A delay above 60 minutes pays, from 180 on everything.
    fn delay() -> Reading {
        let input = ReadingInput {
            direction: Direction::Above,
            strike: 60 * E8,
            exit: 180 * E8,
            begins_day: BEGINS,
            due_at: DUE,
        };
        Reading::new(&input, BEGINS - 30).unwrap()
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

    /// Three of five, with the moments at which they were revoked.
    struct Five([i64; 5]);

    const ALIVE: Five = Five([0; 5]);

    impl Signers for Five {
        fn fell_at(&self, signers: u16) -> Option<i64> {
            let signed = (0..5).filter(|key| signers & 1 << key != 0);
            let mut revoked: Vec<i64> = signed.clone().map(|key| self.0[key]).filter(|at| *at != 0).collect();
            revoked.sort_unstable();
            let spare = signed.count().checked_sub(3).unwrap();
            revoked.get(spare).copied()
        }

        fn died_at(&self) -> Option<i64> {
            self.fell_at(0b11111)
        }
    }

    #[test]
    fn the_value_decides_between_strike_and_exit_in_proportion() {
        let cases = [(121, 0), (120, 0), (119, 125), (100, 2_500), (80, 5_000), (41, 9_875), (40, 10_000), (0, 10_000)];
        for (millimetres, severity) in cases {
            assert_eq!(rain().severity_of(millimetres * E8), severity, "{millimetres} mm");
        }
        for (minutes, severity) in [(0, 0), (60, 0), (61, 83), (90, 2_500), (180, 10_000), (900, 10_000)] {
            assert_eq!(delay().severity_of(minutes * E8), severity, "{minutes} minutes");
        }
        // A hair beyond the strike is nothing, and never a least part.
        assert_eq!((rain().severity_of(120 * E8 - 1), delay().severity_of(60 * E8 + 1)), (0, 0));
    }

    #[test]
    fn rounding_and_doubt_go_against_the_claim() {
        let said = |value, confidence, exponent| Report { value, confidence, exponent, ..report(0) };
        let below = |said: &Report| rain().value_of(said);
        let above = |said: &Report| delay().value_of(said);
        let tenth = said(1_005, 7, -9);
        assert_eq!((below(&tenth), above(&tenth)), (Ok(102), Ok(99)));
        assert_eq!((below(&said(0, 0, 0)), above(&said(0, 5, 0))), (Ok(0), Ok(0)));
        assert_eq!(below(&said(-1, 0, 0)), Err(ReadingError::Value(OracleError::PriceNotPositive)));
        assert_eq!(below(&said(1, u64::MAX, 0)), Err(ReadingError::Value(OracleError::ConfidenceTooLarge)));
        assert_eq!(below(&said(i64::MAX, 0, 0)), Err(ReadingError::Value(OracleError::PriceTooLarge)));
        for exponent in [1, -13] {
            assert_eq!(above(&said(1, 0, exponent)), Err(ReadingError::Value(OracleError::BadExponent)));
        }
    }

    #[test]
    fn terms_outside_their_bounds_are_refused() {
        use ReadingError::{BadPeriod, BadValues};
        let good = ReadingInput {
            direction: Direction::Below,
            strike: 2,
            exit: 1,
            begins_day: BEGINS,
            due_at: day_start(BEGINS) + 1,
        };
        let of = |input: ReadingInput| Reading::new(&input, BEGINS - 1).map(|reading| reading.period());
        assert_eq!(of(good), Ok(Period { active_day: BEGINS, end_day: BEGINS + 1 }));
        assert_eq!(of(ReadingInput { exit: 2, ..good }), Err(BadValues));
        assert_eq!(of(ReadingInput { exit: 3, ..good }), Err(BadValues));
        assert_eq!(of(ReadingInput { direction: Direction::Above, ..good }), Err(BadValues));
        assert_eq!(of(ReadingInput { strike: MAX_PRICE + 1, ..good }), Err(BadValues));
        assert!(of(ReadingInput { strike: MAX_PRICE, exit: 0, ..good }).is_ok());
        assert_eq!(of(ReadingInput { due_at: day_start(BEGINS), ..good }), Err(BadPeriod));
        assert_eq!(of(ReadingInput { due_at: 0, ..good }), Err(BadPeriod));
        assert_eq!(of(ReadingInput { due_at: i64::MAX, ..good }), Err(BadPeriod));
        assert_eq!(of(ReadingInput { begins_day: BEGINS - 1, ..good }), Err(BadPeriod));
        let longest = day_start(BEGINS + 366) - 1;
        assert!(of(ReadingInput { due_at: longest, ..good }).is_ok());
        assert_eq!(of(ReadingInput { due_at: longest + 1, ..good }), Err(BadPeriod));
    }

    #[test]
    fn a_report_resolves_three_days_after_it_was_shown_whenever_anybody_calls() {
        let mut reading = rain();
        assert_eq!(reading.refresh(DUE - 1).after, Phase::Quiet);
        assert_eq!(reading.resolve(&ALIVE, DUE - 1), Err(ReadingError::NotDue));
        assert_eq!(reading.refresh(DUE).after, Phase::Breaching);
        let shown = DUE + 5 * DAY;
        let outcome = reading.show(&report(80), 0b00111, &ALIVE, shown).unwrap();
        assert_eq!((outcome.before, outcome.after, outcome.is_news), (Phase::Breaching, Phase::Met, true));
        assert_eq!((reading.value, reading.severity_bps), (80 * E8, 5_000));
        // The same again moves no time, and others who sign it stand by it.
        assert!(!reading.show(&report(80), 0b00111, &ALIVE, shown + 1).unwrap().is_news);
        assert!(reading.show(&report(80), 0b11100, &ALIVE, shown + 1).unwrap().is_news);
        assert_eq!((reading.reported_at, reading.signers), (shown, 0b11111));
        assert_eq!(reading.show(&report(81), 0b11100, &ALIVE, shown + 1), Err(ReadingError::Contradiction));
        assert_eq!(reading.resolve(&ALIVE, shown + 3 * DAY - 1), Err(ReadingError::NotDue));
        for late in [0, 1, 400 * DAY] {
            let mut reading = reading;
            assert_eq!(reading.resolve(&ALIVE, shown + 3 * DAY + late).unwrap().after, Phase::Final);
            assert_eq!((reading.resolved_at, reading.void, reading.event_at()), (shown + 3 * DAY, 0, DUE));
            assert_eq!(reading.resolve(&ALIVE, i64::MAX), Err(ReadingError::NotDue));
            assert_eq!(reading.show(&report(80), 0b00111, &ALIVE, i64::MAX), Err(ReadingError::Over));
        }
    }

    #[test]
    fn without_a_report_in_fourteen_days_it_is_void() {
        let until = DUE + 14 * DAY;
        let reading = rain();
        let ahead = ReadingError::Value(OracleError::FromFuture);
        assert_eq!({ reading }.show(&report(80), 0b111, &ALIVE, DUE - 1), Err(ahead));
        let early = Report { observed_at: DUE - 1, ..report(80) };
        assert_eq!({ reading }.show(&early, 0b111, &ALIVE, DUE), Err(ReadingError::WrongMoment));
        let mut last = reading;
        last.show(&report(80), 0b111, &ALIVE, until).unwrap();
        assert_eq!({ reading }.show(&report(80), 0b111, &ALIVE, until + 1), Err(ReadingError::TooLate));
        let mut void = reading;
        assert_eq!({ reading }.resolve(&ALIVE, until).unwrap().after, Phase::Breaching);
        assert_eq!(void.resolve(&ALIVE, until + 1).unwrap().after, Phase::Final);
        assert_eq!((void.void, void.severity_bps, void.resolved_at), (1, 0, until + 1));
        assert_eq!(void.event_at(), day_start(BEGINS) - 1);
    }

    #[test]
    fn a_report_falls_with_so_many_signers_that_too_few_are_left_and_others_may_report() {
        let shown = DUE + 12 * DAY;
        let mut reading = rain();
        reading.show(&report(80), 0b00111, &ALIVE, shown).unwrap();
        // The third second of the third day: one of three is gone, two are left.
        let fell = shown + 2 * DAY + 3;
        let one = Five([fell, 0, 0, 0, 0]);
        let fallen = reading;
        let mut other = fallen;
        assert_eq!(other.resolve(&one, fell).unwrap().after, Phase::Breaching);
        assert_eq!((other.reported_at, other.reports_until), (0, fell + 3 * DAY));
        other.show(&report(80), 0b11110, &one, fell + 3 * DAY).unwrap();
        assert_eq!(other.resolve(&one, fell + 6 * DAY).unwrap().after, Phase::Final);
        assert_eq!((other.void, other.severity_bps), (0, 5_000));
        // Called late, all at once: the same.
        let mut late = fallen;
        assert_eq!(late.show(&report(80), 0b11110, &one, fell + 3 * DAY + 1), Err(ReadingError::TooLate));
        late.resolve(&one, i64::MAX).unwrap();
        assert_eq!((late.void, late.resolved_at), (1, fell + 3 * DAY + 1));
        // A fourth who signs it before keeps it standing.
        let mut more = fallen;
        more.show(&report(80), 0b01110, &ALIVE, shown + 1).unwrap();
        assert_eq!(more.resolve(&one, shown + 3 * DAY).unwrap().after, Phase::Final);
        assert_eq!((more.void, more.resolved_at), (0, shown + 3 * DAY));
        // Revoked in the second in which it resolves, or after: it stands.
        let mut stands = fallen;
        let after = Five([shown + 3 * DAY, 0, 0, 0, 0]);
        stands.resolve(&after, i64::MAX).unwrap();
        assert_eq!((stands.void, stands.severity_bps), (0, 5_000));
    }

    #[test]
    fn once_too_few_keys_are_left_to_report_it_is_void() {
        let dead = Five([DUE - 50 * DAY, DUE - 40 * DAY, DUE - 30 * DAY, 0, 0]);
        let mut reading = rain();
        assert_eq!(reading.resolve(&dead, DUE - 30 * DAY).unwrap().after, Phase::Final);
        assert_eq!((reading.void, reading.resolved_at), (1, DUE - 30 * DAY));
        // What was resolved before stays.
        let mut resolved = rain();
        resolved.show(&report(80), 0b111, &ALIVE, DUE).unwrap();
        let later = Five([DUE + 3 * DAY; 5]);
        resolved.resolve(&later, i64::MAX).unwrap();
        assert_eq!((resolved.void, resolved.severity_bps), (0, 5_000));
    }
}
