//! Amounts, prices, percentages and durations as people write them: exact, or refused.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::str::FromStr;

/// An amount in whole tokens, before the mint's decimals are known: `1000`, `1_000.5`, `1,000.50`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(Decimal);

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.chars().filter(|character| !matches!(character, ',' | '_')).collect();
        let amount =
            Decimal::from_str(&digits).map_err(|_| format!("`{text}` is not an amount: write 1000 or 1000.5"))?;
        if amount.is_sign_negative() { Err("an amount is not negative".into()) } else { Ok(Self(amount)) }
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

/// A price in 1e-8: `0.95`. Exact: what has more than eight decimals is refused.
pub fn price(text: &str) -> Result<u64, String> {
    scaled(text, 100_000_000, "a price with at most 8 decimals, such as 0.95")
}

/// A percentage a year in parts per billion: `2`, `2.5%`. Exact: what has more than seven decimals is refused.
pub fn rate(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    scaled(number, 10_000_000, "a percentage with at most 7 decimals, such as 2.5%")
}

/// A percentage in basis points: `80`, `12.5%`. Exact: what has more than two decimals is refused.
pub fn bps<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    let bps = scaled(number, 100, "a percentage with at most 2 decimals, such as 12.5%")?;
    T::try_from(bps).map_err(|_| format!("`{text}` is too large"))
}

/// A factor in hundredths: `2`, `2.5`. Exact: what has more than two decimals is refused.
pub fn hundredths(text: &str) -> Result<u16, String> {
    let hundredths = scaled(text, 100, "a factor with at most 2 decimals, such as 2.5")?;
    u16::try_from(hundredths).map_err(|_| format!("`{text}` is too large"))
}

/// A duration in whole seconds: `4h`, `30m`, `7days`.
pub fn seconds(text: &str) -> Result<u32, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|why| format!("`{text}` is not a duration such as 4h, 30m or 7days: {why}"))?;
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
    day.ok_or_else(|| format!("`{text}` is not a day: write 2026-12-31"))
}

/// A number that is not negative, as a multiple of `1 / scale`, exactly.
fn scaled(text: &str, scale: u64, what: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not {what}");
    let number = Decimal::from_str_exact(text).map_err(|_| wrong())?;
    let scaled = number.checked_mul(scale.into()).ok_or_else(|| format!("`{text}` is too large"))?;
    if !scaled.is_integer() || number.is_sign_negative() {
        return Err(wrong());
    }
    scaled.to_u64().ok_or_else(|| format!("`{text}` is too large"))
}

/// A Pyth feed id: 64 hexadecimal digits, with or without `0x`.
pub fn feed_id(text: &str) -> Result<[u8; 32], String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let id = hex_bytes(digits).and_then(|id| id.try_into().ok());
    id.ok_or_else(|| format!("`{text}` is not a Pyth feed id of 64 hexadecimal digits"))
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
    fn an_amount_beyond_its_mint_is_refused_and_not_rounded() {
        let amount: Amount = "1,000.5".parse().expect("an amount");
        assert_eq!(amount.units(6), Ok(1_000_500_000));
        assert!(amount.units(0).is_err());
    }
}
