//! What the text that defines a feed tells its signers: unit, rounding, bounds, and of which moments there are values.
//!
//! A feed is the sha-256 of a text for people. Signers of it must say the same to the last digit, or no report comes
//! about: so the text has lines that they read, each at the beginning of a line and once:
//!
//! ```text
//! unit: mm
//! exponent: -1
//! rounding: down
//! least: 0.1
//! most: 500
//! every: 1h
//! oldest: 10m
//! confidence: 0.2
//! ```
//!
//! | line | means |
//! |---|---|
//! | `unit` | what the value counts, in words |
//! | `exponent` | power of ten of the smallest unit: with -1 a value has one decimal |
//! | `rounding` | `down`, `up` or `nearest` (half up) to the smallest unit; without the line, what is finer is refused |
//! | `least`, `most` | what is signed lies between them, both included |
//! | `every` | of which moments there are values: those that are so many seconds since 1970, and multiples of it |
//! | `oldest` | how old a source's value may be at its moment; without the line, not at all where the source tells its time |
//! | `confidence` | how far the value may be off, in its unit; without the line, zero |
//! | `kind` | `value`, or `loss`: the part that a protocol lost, the second key of a product of vaults; without the line, a value |
//!
//! A loss is told in whole basis points: `unit` is `basis points`, and `exponent` and `confidence` have no line. `least` and
//! `most` may be left out, and are 1 and 10000 then; what is less than the least is none, and nothing is signed. Its moment is
//! the one that the source tells, rounded down to `every`, so that all signers name the same; `oldest` is how long after it
//! it is signed.

use super::feed_of;
use super::reading::Reading;
use crate::units;
use backstop::payout::FULL_SEVERITY_BPS;
use backstop::peril::feed::attested::{EVENT_EXPONENT, ReportKind};
use backstop::peril::feed::{MAX_EXPONENT, MIN_EXPONENT};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::BTreeMap;

/// Why a text defines no feed that can be signed by a machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// It is not text.
    #[error("it is not text in UTF-8")]
    NotText,
    /// A line that every definition has.
    #[error("it has no line that begins with `{0}:`")]
    Missing(&'static str),
    /// A line that may stand once.
    #[error("it has more than one line that begins with `{0}:`")]
    Twice(&'static str),
    /// A line that says something else than it should.
    #[error("its line `{name}:` is wrong: {why}")]
    Wrong {
        /// Which line.
        name: &'static str,
        /// Why.
        why: String,
    },
}

/// Why a value is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// It is of a moment after the one that would be signed.
    #[error("the source's value is of {at}, after the moment {moment} that is to be signed")]
    Later {
        /// The source's time, unix seconds.
        at: i64,
        /// The moment, unix seconds.
        moment: i64,
    },
    /// It is too old.
    #[error("the source's value is {age} s old at the moment that is to be signed, and {oldest} s is the most")]
    Stale {
        /// How old it is, in seconds.
        age: i64,
        /// How old it may be.
        oldest: i64,
    },
    /// It is out of the bounds that the definition states.
    #[error("the source says {value}, and the definition allows {least} to {most}")]
    OutOfBounds {
        /// The value.
        value: Decimal,
        /// The least.
        least: Decimal,
        /// The most.
        most: Decimal,
    },
    /// It has more decimals than the unit, and the definition does not round.
    #[error("the source says {value}, which is finer than the definition's smallest unit, and it does not round")]
    TooFine {
        /// The value.
        value: Decimal,
    },
    /// It is no loss that is told.
    #[error("the source says {value}: no loss that is signed")]
    NoLoss {
        /// The value.
        value: Decimal,
    },
    /// A loss, or a value of an earlier moment, without its time.
    #[error("the source does not say of when its value is")]
    NoMoment,
    /// It does not fit a report.
    #[error("the source says {value}, which does not fit a report")]
    TooLarge {
        /// The value.
        value: Decimal,
    },
}

/// How what is finer than the smallest unit becomes a multiple of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// It does not.
    Refused,
    /// To the one below.
    Down,
    /// To the one above.
    Up,
    /// To the nearer one; from the middle, up.
    Nearest,
}

/// A definition, as signers read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The feed: sha-256 of the text.
    pub feed: [u8; 32],
    /// What is reported: values, or losses in basis points.
    pub kind: ReportKind,
    /// What the value counts.
    pub unit: String,
    /// Power of ten of the smallest unit.
    pub exponent: i32,
    /// How values become multiples of it.
    pub rounding: Rounding,
    /// The least value.
    pub least: Decimal,
    /// The most.
    pub most: Decimal,
    /// How far a value may be off, in smallest units.
    pub confidence: u64,
    /// Seconds from a moment to the next.
    pub every: i64,
    /// How old a source's value may be at its moment, in seconds.
    pub oldest: i64,
}

/// The lines that signers read.
const NAMES: [&str; 9] = ["kind", "unit", "exponent", "rounding", "least", "most", "every", "oldest", "confidence"];
/// The unit of a loss.
const LOSS_UNIT: &str = "basis points";

impl Definition {
    /// Reads a text.
    pub fn read(bytes: &[u8]) -> Result<Self, DefinitionError> {
        let text = std::str::from_utf8(bytes).map_err(|_| DefinitionError::NotText)?;
        let mut lines = BTreeMap::new();
        for line in text.lines() {
            let Some((name, says)) = line.split_once(':') else { continue };
            let Some(name) = NAMES.into_iter().find(|known| *known == name) else { continue };
            if lines.insert(name, says.trim()).is_some() {
                return Err(DefinitionError::Twice(name));
            }
        }
        let said = |name| lines.get(name).copied();
        let must = |name| said(name).filter(|says| !says.is_empty()).ok_or(DefinitionError::Missing(name));
        let wrong = |name, why: &str| DefinitionError::Wrong { name, why: why.to_owned() };
        let number =
            |name, says: &str| units::decimal(says).map(|number| number.normalize()).map_err(|why| wrong(name, &why));
        let seconds = |name, says: &str| units::seconds(says).map(i64::from).map_err(|why| wrong(name, &why));
        let kind = match said("kind") {
            None | Some("value") => ReportKind::Value,
            Some("loss") => ReportKind::Event,
            Some(_) => return Err(wrong("kind", "it is `value` or `loss`")),
        };
        let is_loss = kind == ReportKind::Event;
        if is_loss {
            if must("unit")? != LOSS_UNIT {
                return Err(wrong("unit", "a loss is told in basis points: `unit: basis points`"));
            }
            if let Some(name) = ["exponent", "confidence"].into_iter().find(|name| said(name).is_some()) {
                return Err(wrong(name, "a loss is told in whole basis points, and has none"));
            }
        }
        let must_or = |name, otherwise| if is_loss { Ok(said(name).unwrap_or(otherwise)) } else { must(name) };
        let exponent: i32 =
            must_or("exponent", "0")?.parse().map_err(|_| wrong("exponent", "it is no whole number"))?;
        if !(MIN_EXPONENT..=MAX_EXPONENT).contains(&exponent) {
            return Err(wrong("exponent", &format!("it is from {MIN_EXPONENT} to {MAX_EXPONENT}")));
        }
        let rounding = match said("rounding") {
            None => Rounding::Refused,
            Some("down") => Rounding::Down,
            Some("up") => Rounding::Up,
            Some("nearest") => Rounding::Nearest,
            Some(_) => return Err(wrong("rounding", "it is `down`, `up` or `nearest`")),
        };
        let (least, most) = (number("least", must_or("least", "1")?)?, number("most", must_or("most", "10000")?)?);
        // No rain and no delay are values of a reading; evidence takes no zero.
        if least < Decimal::ZERO {
            return Err(wrong("least", "a report says nothing below zero"));
        }
        let all = Decimal::from(FULL_SEVERITY_BPS);
        if is_loss && (least < Decimal::ONE || !least.is_integer()) {
            return Err(wrong("least", "a loss is whole basis points, 1 at least"));
        }
        if is_loss && (most > all || !most.is_integer()) {
            return Err(wrong("most", "a loss is whole basis points, 10000 at most"));
        }
        if most < least {
            return Err(wrong("most", "it is below `least`"));
        }
        let confidence = said("confidence").map_or(Ok(Decimal::ZERO), |says| number("confidence", says))?;
        let confidence = whole(confidence, exponent, Rounding::Refused).and_then(|units| units.to_u64());
        let every = seconds("every", must("every")?)?;
        if every <= 0 {
            return Err(wrong("every", "it is a second or more"));
        }
        Ok(Self {
            feed: feed_of(bytes),
            kind,
            unit: must("unit")?.to_owned(),
            exponent,
            rounding,
            least,
            most,
            confidence: confidence.ok_or_else(|| wrong("confidence", "it is finer than the smallest unit"))?,
            every,
            oldest: said("oldest").map_or(Ok(0), |says| seconds("oldest", says))?,
        })
    }

    /// The newest moment of which there can be a value, unix seconds.
    pub fn moment(&self, now: i64) -> i64 {
        now.saturating_sub(now.rem_euclid(self.every))
    }

    /// The power of ten that reports name.
    pub fn report_exponent(&self) -> i32 {
        match self.kind {
            ReportKind::Value => self.exponent,
            ReportKind::Event => EVENT_EXPONENT,
        }
    }

    /// What is signed of a moment, in smallest units, where a source says this.
    ///
    /// A source that tells its time is taken for what it knew at the moment: never of a later time, and not too old. One
    /// that tells only when it was written must have been written lately enough.
    ///
    /// Of a loss the moment is the present one, by which it was and is not too old.
    pub fn value(&self, reading: &Reading, moment: i64) -> Result<i64, ValueError> {
        let value = reading.value;
        if self.kind == ReportKind::Event {
            if value >= Decimal::ZERO && value < self.least {
                return Err(ValueError::NoLoss { value });
            }
            reading.at.ok_or(ValueError::NoMoment)?;
        }
        if let Some(at) = reading.at.filter(|at| *at > moment) {
            return Err(ValueError::Later { at, moment });
        }
        if let Some(at) = reading.at.or(reading.written) {
            let age = moment.saturating_sub(at);
            if age > self.oldest {
                return Err(ValueError::Stale { age, oldest: self.oldest });
            }
        }
        let (least, most) = (self.least, self.most);
        if value < least || value > most {
            return Err(ValueError::OutOfBounds { value, least, most });
        }
        let units = whole(value, self.exponent, self.rounding).ok_or(ValueError::TooFine { value })?;
        units.to_i64().filter(|units| *units >= 0).ok_or(ValueError::TooLarge { value })
    }
}

/// A number in units of a power of ten, which is not above one. None: it is no multiple, and is not rounded.
fn whole(number: Decimal, exponent: i32, rounding: Rounding) -> Option<Decimal> {
    let decimals = exponent.unsigned_abs();
    let rounded = match rounding {
        Rounding::Refused => number,
        Rounding::Down => number.round_dp_with_strategy(decimals, RoundingStrategy::ToZero),
        Rounding::Up => number.round_dp_with_strategy(decimals, RoundingStrategy::AwayFromZero),
        Rounding::Nearest => number.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero),
    };
    // What does not fit has too many digits before the point: the bounds keep it out, or the report does.
    let units = rounded.checked_mul(Decimal::from(10_u64.checked_pow(decimals)?))?;
    units.is_integer().then(|| units.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Rain\n\nWhat the station at the airport says: as of the full hour.\n\nunit: mm\nexponent: -1\n\
                        rounding: down\nleast: 0.1\nmost: 500\nevery: 1h\noldest: 10m\nconfidence: 0.2\n";

    fn of(value: &str, at: Option<i64>) -> Reading {
        Reading { value: value.parse().expect("a number"), at, written: None }
    }

    #[test]
    fn a_text_tells_signers_its_lines() {
        let read = Definition::read(TEXT.as_bytes()).expect("it is whole");
        assert_eq!(read.feed, feed_of(TEXT.as_bytes()));
        assert_eq!((read.unit.as_str(), read.exponent, read.rounding), ("mm", -1, Rounding::Down));
        assert_eq!((read.every, read.oldest, read.confidence), (3_600, 600, 2));
        assert_eq!((read.least.to_string().as_str(), read.most.to_string().as_str()), ("0.1", "500"));
        let without = |line: &str| Definition::read(TEXT.replace(line, "").as_bytes());
        for name in ["unit", "exponent", "least", "most", "every"] {
            let line = TEXT.lines().find(|line| line.starts_with(name)).expect("it is there");
            assert_eq!(without(&format!("{line}\n")), Err(DefinitionError::Missing(name)));
        }
        let plain = without("oldest: 10m\n").expect("it may be left out");
        assert_eq!((plain.oldest, without("rounding: down\n").expect("so may it").rounding), (0, Rounding::Refused));
        assert_eq!(without("confidence: 0.2\n").expect("so may it").confidence, 0);
    }

    #[test]
    fn a_line_that_says_something_else_is_refused() {
        let with = |line: &str, other: &str| Definition::read(TEXT.replace(line, other).as_bytes());
        let wrong = |line: &str, other: &str| match with(line, other) {
            Err(DefinitionError::Wrong { name, .. }) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(wrong("exponent: -1", "exponent: -13"), "exponent");
        assert_eq!(wrong("exponent: -1", "exponent: 1"), "exponent");
        assert_eq!(wrong("exponent: -1", "exponent: one"), "exponent");
        assert_eq!(wrong("rounding: down", "rounding: away"), "rounding");
        assert_eq!(wrong("least: 0.1", "least: -0.1"), "least");
        assert_eq!(wrong("least: 0.1", "least: 0,5"), "least");
        assert_eq!(wrong("most: 500", "most: 0.05"), "most");
        assert_eq!(wrong("every: 1h", "every: 0s"), "every");
        assert_eq!(wrong("every: 1h", "every: a month"), "every");
        assert_eq!(wrong("confidence: 0.2", "confidence: 0.25"), "confidence");
        assert_eq!(with("unit: mm", "unit: mm\nmost: 501"), Err(DefinitionError::Twice("most")));
        assert_eq!(Definition::read(b"\xff"), Err(DefinitionError::NotText));
    }

    #[test]
    fn a_loss_is_told_in_whole_basis_points() {
        let text = "kind: loss\nunit: basis points\nevery: 1h\noldest: 2days\nrounding: down\n";
        let read = Definition::read(text.as_bytes()).expect("it is whole");
        assert_eq!((read.kind, read.exponent, read.report_exponent(), read.confidence), (ReportKind::Event, 0, -4, 0));
        let now = 7 * 86_400;
        let value = |text: &str| read.value(&of(text, Some(now - 2 * 86_400)), now);
        assert_eq!((value("1"), value("6600.9"), value("10000")), (Ok(1), Ok(6_600), Ok(10_000)));
        assert!(matches!(value("0"), Err(ValueError::NoLoss { .. })));
        assert!(matches!(value("0.9"), Err(ValueError::NoLoss { .. })));
        // Of none nobody needs to say when; of one its moment is the source's.
        assert!(matches!(read.value(&of("0", None), now), Err(ValueError::NoLoss { .. })));
        assert_eq!(read.value(&of("1", None), now), Err(ValueError::NoMoment));
        assert!(matches!(read.value(&of("1", Some(now + 1)), now), Err(ValueError::Later { .. })));
        assert!(matches!(read.value(&of("1", Some(now - 2 * 86_400 - 1)), now), Err(ValueError::Stale { .. })));
        for out in ["-1", "10000.1", "10001"] {
            assert!(matches!(value(out), Err(ValueError::OutOfBounds { .. })), "{out}");
        }
        let with = |line: &str| Definition::read(format!("{text}{line}\n").as_bytes());
        let least = with("least: 1000").expect("it may begin with a tenth");
        assert!(matches!(least.value(&of("999", Some(0)), 0), Err(ValueError::NoLoss { .. })));
        assert_eq!(least.value(&of("1000", Some(0)), 0), Ok(1_000));
        for (line, name) in [
            ("exponent: -4", "exponent"),
            ("confidence: 0", "confidence"),
            ("least: 0", "least"),
            ("least: 1.5", "least"),
            ("most: 10001", "most"),
        ] {
            assert!(matches!(with(line), Err(DefinitionError::Wrong { name: found, .. }) if found == name), "{line}");
        }
        let percent = text.replace("basis points", "percent");
        assert!(matches!(Definition::read(percent.as_bytes()), Err(DefinitionError::Wrong { name: "unit", .. })));
        let guess = text.replace("loss", "guess");
        assert!(matches!(Definition::read(guess.as_bytes()), Err(DefinitionError::Wrong { name: "kind", .. })));
    }

    /// What is shipped can be signed, also where nothing has happened.
    #[test]
    fn signers_read_every_definition_that_is_shipped() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
        let files = |folder: &str| std::fs::read_dir(root.join(folder)).expect("it is there");
        let paths = files("vintages/feeds").chain(files("worked/feeds")).map(|file| file.expect("a file").path());
        let mut kinds = Vec::new();
        for path in paths {
            let read = Definition::read(&std::fs::read(&path).expect("it is there"));
            let read = read.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            let nothing = read.value(&of("0", Some(read.every)), read.every);
            match read.kind {
                ReportKind::Value => assert_eq!(nothing, Ok(0), "no rain, no delay: {}", path.display()),
                ReportKind::Event => assert!(matches!(nothing, Err(ValueError::NoLoss { .. }))),
            }
            assert!(
                read.value(&of(&read.most.to_string(), Some(read.every)), read.every).is_ok(),
                "{}",
                path.display()
            );
            kinds.push(read.kind);
        }
        let count = |kind| kinds.iter().filter(|known| **known == kind).count();
        assert_eq!((count(ReportKind::Value), count(ReportKind::Event)), (3, 1));
    }

    #[test]
    fn moments_are_multiples() {
        let read = Definition::read(TEXT.as_bytes()).expect("it is whole");
        assert_eq!([0, 3_599, 3_600, 7_201].map(|now| read.moment(now)), [0, 0, 3_600, 7_200]);
    }

    #[test]
    fn a_value_is_signed_within_its_bounds_and_its_time() {
        let read = Definition::read(TEXT.as_bytes()).expect("it is whole");
        let moment = 36_000;
        let value = |text: &str, at| read.value(&of(text, at), moment);
        assert_eq!(value("12.39", None), Ok(123), "rounded down");
        assert_eq!((value("0.1", None), value("500", None)), (Ok(1), Ok(5_000)), "both bounds are in");
        for out in ["0.09", "0", "-3", "500.01"] {
            assert!(matches!(value(out, None), Err(ValueError::OutOfBounds { .. })), "{out}");
        }
        assert_eq!((value("1", Some(moment)), value("1", Some(moment - 600))), (Ok(10), Ok(10)));
        assert_eq!(value("1", Some(moment - 601)), Err(ValueError::Stale { age: 601, oldest: 600 }));
        assert_eq!(value("1", Some(moment + 1)), Err(ValueError::Later { at: moment + 1, moment }));
        let written = |written| read.value(&Reading { written: Some(written), ..of("1", None) }, moment);
        assert_eq!((written(moment + 500), written(moment - 600)), (Ok(10), Ok(10)), "a file may be written after it");
        assert!(matches!(written(moment - 601), Err(ValueError::Stale { .. })));
    }

    #[test]
    fn rounding_is_what_the_definition_says() {
        let with = |rounding: &str| {
            let text = TEXT.replace("rounding: down\n", rounding);
            let read = Definition::read(text.as_bytes()).expect("it is whole");
            ["2.34", "2.35", "2.31", "2.3"].map(|value| read.value(&of(value, None), 0).ok())
        };
        assert_eq!(with("rounding: down\n"), [Some(23), Some(23), Some(23), Some(23)]);
        assert_eq!(with("rounding: up\n"), [Some(24), Some(24), Some(24), Some(23)]);
        assert_eq!(with("rounding: nearest\n"), [Some(23), Some(24), Some(23), Some(23)]);
        assert_eq!(with(""), [None, None, None, Some(23)]);
    }
}
