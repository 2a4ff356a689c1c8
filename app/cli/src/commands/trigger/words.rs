//! Conditions and spans of time in words.

use crate::output::{duration, exact_price, moment};
use backstop::peril::evidence::{Class, Terms};
use rust_decimal::Decimal;

/// The name of what a print says.
pub const fn class(class: Class) -> &'static str {
    match class {
        Class::Breach => "breach",
        Class::Recovered => "recovered",
        Class::Unclear => "unclear",
    }
}

/// When a trigger is met: `below 0.95 for 4 h of 30 min slots, one gap tolerated, 6 h to contradict`.
pub fn condition(terms: &Terms) -> String {
    let gaps = match terms.tolerance {
        0 => "no gap".into(),
        1 => "one gap".into(),
        gaps => format!("{gaps} gaps"),
    };
    format!(
        "below {} for {} of {} slots, {gaps} tolerated, {} to contradict",
        exact_price(terms.threshold),
        duration(terms.duration_seconds()),
        duration(terms.slot_seconds.into()),
        duration(terms.challenge.into()),
    )
}

/// Which prices count for and against the condition.
pub fn counting(terms: &Terms) -> String {
    let times = Decimal::new(terms.confidence_multiplier.into(), 2).normalize();
    format!(
        "price + {times} x confidence below {} counts, price - {times} x confidence at {} or more contradicts",
        exact_price(terms.threshold),
        exact_price(terms.recovery)
    )
}

/// A span of time in its two largest units: `2 d 3 h`, `12 min 5 s`.
pub fn span(seconds: i64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = seconds.unsigned_abs();
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let mut left = seconds;
    let parts = UNITS.iter().skip(first).take(2).map(|(unit, name)| {
        let count = left / unit;
        left %= unit;
        (count, name)
    });
    let parts: Vec<String> = parts
        .enumerate()
        .filter(|(index, (count, _))| *index == 0 || *count > 0)
        .map(|(_, (count, name))| format!("{count} {name}"))
        .collect();
    parts.join(" ")
}

/// A moment, and how far away it is: `2023-03-11 05:00 UTC (in 3 h 5 min)`.
pub fn moment_from(at: i64, now: i64) -> String {
    match at - now {
        0 => format!("{} (now)", moment(at)),
        ahead @ 1.. => format!("{} (in {})", moment(at), span(ahead)),
        behind => format!("{} ({} ago)", moment(at), span(behind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::peril::evidence::{Severity, TermsInput};

    fn input() -> TermsInput {
        TermsInput {
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Linear { full_loss_price: 80_000_000 },
            duration_seconds: 4 * 3_600,
            slot_seconds: 1_800,
            tolerance_seconds: 1_800,
            challenge_seconds: 6 * 3_600,
            confidence_multiplier: 200,
        }
    }

    #[test]
    fn a_condition_is_told_in_one_line() {
        let terms = Terms::new(&input()).expect("valid");
        assert_eq!(condition(&terms), "below 0.95 for 4 h of 30 min slots, one gap tolerated, 6 h to contradict");
        let strict = TermsInput { tolerance_seconds: 0, threshold: 94_750_000, ..input() };
        let terms = Terms::new(&strict).expect("valid");
        assert_eq!(condition(&terms), "below 0.9475 for 4 h of 30 min slots, no gap tolerated, 6 h to contradict");
        let lax = TermsInput { tolerance_seconds: 3_600, ..input() };
        assert!(condition(&Terms::new(&lax).expect("valid")).contains("2 gaps tolerated"));
    }

    #[test]
    fn which_prices_count_is_told_with_the_margin_of_confidence() {
        let terms = Terms::new(&TermsInput { confidence_multiplier: 150, ..input() }).expect("valid");
        let said = "price + 1.5 x confidence below 0.95 counts, price - 1.5 x confidence at 0.96 or more contradicts";
        assert_eq!(counting(&terms), said);
    }

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        assert_eq!(span(0), "0 s");
        assert_eq!(span(59), "59 s");
        assert_eq!(span(725), "12 min 5 s");
        assert_eq!(span(3_600), "1 h");
        assert_eq!(span(3_601), "1 h");
        assert_eq!(span(-187_201), "2 d 4 h");
        assert_eq!(moment_from(1_678_510_800, 1_678_510_800 - 3_660), "2023-03-11 05:00 UTC (in 1 h 1 min)");
        assert_eq!(moment_from(1_678_510_800, 1_678_510_800 + 5), "2023-03-11 05:00 UTC (5 s ago)");
    }
}
