//! Amounts, prices, percentages and durations as people write them: exact, or refused.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::str::FromStr;
use std::time::Duration;

/// A number as people write it: digits, and after a point decimals. `,` or `_` may stand between groups of three digits
/// before the point. What could be read in two ways is refused: `1,5`, `0,500`, `1.000,50`, `1e3`, `1,000_000`.
pub fn number(text: &str) -> Option<Decimal> {
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let separator = if whole.contains('_') { '_' } else { ',' };
    let mut groups = whole.split(separator);
    let first = groups.next().unwrap_or_default();
    let grouped = whole.contains(separator);
    let well_grouped =
        !grouped || (first.len() <= 3 && !first.starts_with('0') && groups.all(|group| group.len() == 3));
    let plain = whole.replace(separator, "");
    if !well_grouped || !digits(first) || !digits(&plain) || decimals.is_some_and(|decimals| !digits(decimals)) {
        return None;
    }
    Decimal::from_str_exact(&format!("{plain}.{}", decimals.unwrap_or("0"))).ok()
}

/// A [`number`] as an argument of a command.
pub fn decimal(text: &str) -> Result<Decimal, String> {
    number(text).ok_or_else(|| wrong(text, "a number such as 0.95"))
}

/// What is wrong with a text that is not a number of a kind.
fn wrong(text: &str, what: &str) -> String {
    let shown = crate::redact::shown(text);
    if text.starts_with('-') {
        return format!("{shown} is not {what}: it is not negative");
    }
    let digit = |byte: u8| byte.is_ascii_digit();
    if text.bytes().all(|byte| digit(byte) || b".,_".contains(&byte)) && text.bytes().any(digit) {
        return format!(
            "{shown} is not {what}: decimals follow a point, as in 1000.5; `,` and `_` stand between groups of three \
             digits, as in 1,000.50"
        );
    }
    format!("{shown} is not {what}")
}

/// An amount in whole tokens, before the mint's decimals are known: `1000`, `1_000.5`, `1,000.50`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(Decimal);

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        number(text).map(Self).ok_or_else(|| wrong(text, "an amount such as 1000 or 1000.5"))
    }
}

impl Amount {
    /// The amount in the mint's smallest units. Exact: an amount with more decimals than the mint has is refused.
    pub fn units(self, decimals: u8) -> Result<u64, String> {
        let too_large = || format!("{} is more than any token account holds", self.0);
        let scale = 10i64.checked_pow(decimals.into()).map(Decimal::from);
        let units = scale.and_then(|scale| self.0.checked_mul(scale)).map(|units| units.normalize());
        match units {
            Some(units) if units.scale() > 0 => Err(format!("{} has more than the mint's {decimals} decimals", self.0)),
            Some(units) => units.to_u64().ok_or_else(too_large),
            None => Err(too_large()),
        }
    }
}

/// A whole number without sign or separators, such as the number of a pool.
pub fn whole<T: FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// [`whole`] as an argument of a command: days, or the number of a thing.
pub fn count<T: FromStr>(text: &str) -> Result<T, String> {
    whole(text).ok_or_else(|| wrong(text, "a whole number that fits"))
}

/// A price in 1e-8: `0.95`. Exact: what has more than eight decimals is refused.
pub fn price(text: &str) -> Result<u64, String> {
    scaled(text, 100_000_000, "a price with at most 8 decimals, such as 0.95")
}

/// A percentage a year in parts per billion: `2`, `2.5%`. Exact: what has more than seven decimals is refused.
pub fn rate(text: &str) -> Result<u64, String> {
    scaled(text, 10_000_000, "a percentage with at most 7 decimals, such as 2.5%")
}

/// A percentage in basis points: `80`, `12.5%`. Exact: what has more than two decimals is refused.
pub fn bps<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let bps = scaled(text, 100, "a percentage with at most 2 decimals, such as 12.5%")?;
    T::try_from(bps).map_err(|_| format!("`{text}` is too large"))
}

/// A factor in hundredths: `2`, `2.5`. Exact: what has more than two decimals is refused.
pub fn hundredths(text: &str) -> Result<u16, String> {
    let hundredths = scaled(text, 100, "a factor with at most 2 decimals, such as 2.5")?;
    u16::try_from(hundredths).map_err(|_| format!("`{text}` is too large"))
}

/// A duration: `4h`, `30m`, `7days`, `1h 30m`, `500ms`. Months and years are refused: they have no one length.
pub fn duration(text: &str) -> Result<Duration, String> {
    let shown = crate::redact::shown(text);
    let units = text.split(|letter: char| !letter.is_alphabetic());
    if units.clone().any(|unit| unit == "M" || unit.starts_with("month") || unit.starts_with('y')) {
        return Err(format!("{shown}: a month or a year has no one length; give days, or m for minutes"));
    }
    humantime::parse_duration(text).map_err(|why| format!("{shown} is not a duration such as 4h, 30m or 7days: {why}"))
}

/// A duration in whole seconds: `4h`, `30m`, `7days`.
pub fn seconds(text: &str) -> Result<u32, String> {
    let duration = duration(text)?;
    if duration.subsec_nanos() != 0 {
        return Err(format!("`{text}` is not whole seconds"));
    }
    u32::try_from(duration.as_secs()).map_err(|_| format!("`{text}` is too long"))
}

/// A UTC day, counted from 1970, written as `2026-12-31`.
pub fn utc_day(text: &str) -> Result<u32, String> {
    let midnight = humantime::parse_rfc3339(&format!("{text}T00:00:00Z"));
    let since = midnight.ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let day = since.and_then(|since| u32::try_from(since.as_secs() / 86_400).ok());
    day.ok_or_else(|| format!("{} is not a day: write 2026-12-31", crate::redact::shown(text)))
}

/// A moment in unix seconds, written as `2026-12-31T12:00:00Z`.
pub fn utc_moment(text: &str) -> Result<i64, String> {
    let at = humantime::parse_rfc3339(text).ok();
    let since =
        at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).filter(|since| since.subsec_nanos() == 0);
    let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    seconds.ok_or_else(|| format!("{} is not a moment: write 2026-12-31T12:00:00Z", crate::redact::shown(text)))
}

/// A number that is not negative, as a multiple of `1 / scale`, exactly. A percentage may end with its sign.
fn scaled(text: &str, scale: u64, what: &str) -> Result<u64, String> {
    let bare = if what.contains('%') { text.strip_suffix('%').map_or(text, str::trim_end) } else { text };
    let number = number(bare).ok_or_else(|| wrong(text, what))?;
    let scaled = number.checked_mul(scale.into()).ok_or_else(|| format!("`{text}` is too large"))?;
    if !scaled.is_integer() {
        return Err(format!("`{text}` is not {what}"));
    }
    scaled.to_u64().ok_or_else(|| format!("`{text}` is too large"))
}

/// A feed's id: 64 hexadecimal digits, with or without `0x`.
pub fn feed_id(text: &str) -> Result<[u8; 32], String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let id = hex_bytes(digits).and_then(|id| id.try_into().ok());
    id.ok_or_else(|| format!("{} is not a feed id of 64 hexadecimal digits", crate::redact::shown(text)))
}

/// Bytes written as hexadecimal digits, two each.
pub fn hex_bytes(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feed_ids_are_64_hexadecimal_digits() {
        assert_eq!(feed_id(&format!("0x{}", "0F".repeat(32))), Ok([15; 32]));
        for wrong in ["", "ab", &"zz".repeat(32), &"é".repeat(32), &"+1".repeat(32), &"0".repeat(65)] {
            assert!(feed_id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(utc_day("1970-01-02"), Ok(1));
        assert_eq!(utc_day("2023-03-11"), Ok(19_427));
        assert!(utc_day("2023-02-30").is_err());
    }

    #[test]
    fn a_number_is_exact_or_refused() {
        for (text, value) in [
            ("0", "0"),
            ("007", "7"),
            ("1000", "1000"),
            ("1,000", "1000"),
            ("1_000_000.25", "1000000.25"),
            ("12,345,678.000001", "12345678.000001"),
            ("0.5", "0.5"),
        ] {
            assert_eq!(number(text), value.parse().ok(), "{text}");
        }
        for text in [
            "",
            ".",
            ",",
            "_",
            "1,5",
            "0,5",
            "0,500",
            "1.000,50",
            "1,,,0",
            "1e3",
            "1E3",
            "+1",
            "-1",
            "-0",
            " 1",
            "1 ",
            "1 000",
            "1.",
            ".5",
            "1.2.3",
            "1,00",
            "1,0000",
            "1234,567",
            ",100",
            "1,000,",
            "1,000_000",
            "1_000,000",
            "1__000",
            "1.5_0",
            "1.500,000",
            "0x10",
            "NaN",
            "inf",
            "\u{0661}",
            "1'000",
            "\u{ff11}",
            "99999999999999999999999999999999",
        ] {
            assert_eq!(number(text), None, "{text}");
            assert!(text.parse::<Amount>().is_err() && price(text).is_err() && rate(text).is_err(), "{text}");
            assert!(bps::<u16>(text).is_err() && hundredths(text).is_err(), "{text}");
            if text != "1 " {
                assert!(rate(&format!("{text}%")).is_err() && bps::<u32>(&format!("{text} %")).is_err(), "{text}%");
            }
        }
    }

    #[test]
    fn a_number_that_is_refused_says_how_it_is_written() {
        let refused = |text: &str| text.parse::<Amount>().expect_err("it is no amount");
        assert!(refused("1,5").starts_with("`1,5` is not an amount such as 1000 or 1000.5: decimals follow a point"));
        assert!(refused("-5").ends_with("it is not negative"));
        assert_eq!(refused("ten"), "`ten` is not an amount such as 1000 or 1000.5");
        let key = format!("{:?}", [174u8; 64]);
        assert!(!refused(&key).contains("174"), "a key in the wrong place is not repeated");
    }

    #[test]
    fn a_duration_has_one_length() {
        assert_eq!(seconds("1h 30m"), Ok(5_400));
        assert_eq!(seconds("2weeks"), Ok(1_209_600));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for text in ["30M", "1month", "2 months", "1y", "1year", "3yrs", "4", "1,5h", "1e3s", "-1h", "", "h"] {
            assert!(duration(text).is_err() && seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_of_things_are_digits() {
        assert_eq!(whole::<u16>("12"), Some(12));
        for text in ["", "+1", "-1", "1,000", "1.0", "65536", " 1"] {
            assert_eq!(whole::<u16>(text), None, "{text}");
        }
    }

    #[test]
    fn an_amount_beyond_its_mint_is_refused_and_not_rounded() {
        let amount: Amount = "1,000.5".parse().expect("an amount");
        assert_eq!(amount.units(6), Ok(1_000_500_000));
        assert!(amount.units(0).is_err());
    }
}
