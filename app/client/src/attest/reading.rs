//! What a source says: a number, and of which time it is, in plain text or at places of a JSON document.

use crate::units;
use rust_decimal::Decimal;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::time::UNIX_EPOCH;

/// Most seconds since 1970 that are taken for seconds: what is larger counts milliseconds.
const MOST_SECONDS: i64 = 100_000_000_000;

/// A value, as a source said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The value.
    pub value: Decimal,
    /// The time that the source says it is of, unix seconds.
    pub at: Option<i64>,
    /// When what it stands in was written, unix seconds, where that is known.
    pub written: Option<i64>,
}

/// Where in a JSON document value and time stand: JSON pointers, such as `/data/0/rain`. Without one it is plain text:
/// the value, and after a space the unix seconds of its time, if it tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The value.
    pub value: Option<String>,
    /// Its time: whole unix seconds, or a text such as `2026-11-27T08:00:00Z`.
    pub time: Option<String>,
}

/// Why what a source said is no value. What it said is not repeated: it may be long, and anybody's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// It is not text.
    #[error("what it says is not text in UTF-8")]
    NotText,
    /// It is no number, or more than a number and a time.
    #[error("what it says is no number, and no number and unix seconds")]
    NoNumber,
    /// It is no JSON.
    #[error("what it says is no JSON")]
    NoJson,
    /// The document has nothing there.
    #[error("its JSON has nothing at {0}")]
    Nothing(String),
    /// The document has something else there.
    #[error("its JSON has no number at {0}")]
    NoNumberThere(String),
    /// The document has something else there.
    #[error("its JSON has no unix seconds, and no time such as 2026-11-27T08:00:00Z, at {0}")]
    NoTimeThere(String),
}

impl Reading {
    /// Reads what a source said.
    pub fn read(bytes: &[u8], places: &Places) -> Result<Self, ReadingError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ReadingError::NotText)?;
        let Some(place) = &places.value else { return plain(text) };
        let value = leaf(text, place)?;
        let value = exact(&value).ok_or_else(|| ReadingError::NoNumberThere(place.clone()))?;
        let at = match &places.time {
            None => None,
            Some(place) => Some(time(&leaf(text, place)?).ok_or_else(|| ReadingError::NoTimeThere(place.clone()))?),
        };
        Ok(Self { value, at, written: None })
    }
}

fn plain(text: &str) -> Result<Reading, ReadingError> {
    let mut words = text.split_ascii_whitespace();
    let value = words.next().and_then(exact).ok_or(ReadingError::NoNumber)?;
    let at = words.next().map(|word| time(word).ok_or(ReadingError::NoNumber)).transpose()?;
    if words.next().is_some() {
        return Err(ReadingError::NoNumber);
    }
    Ok(Reading { value, at, written: None })
}

/// A number without loss: as people write it, below zero too, or with a power of ten, as machines do.
fn exact(text: &str) -> Option<Decimal> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = if plain { units::number(digits)? } else { scientific(digits)? }.normalize();
    Some(if negative { -number } else { number })
}

fn scientific(digits: &str) -> Option<Decimal> {
    let (number, power) = digits.split_once(['e', 'E'])?;
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let (number, power): (Decimal, i32) = (units::number(number)?.normalize(), power.parse().ok()?);
    let scale = i32::try_from(number.scale()).ok()?.checked_sub(power)?;
    match u32::try_from(scale) {
        Ok(scale) => Decimal::try_from_i128_with_scale(number.mantissa(), scale).ok(),
        Err(_) => {
            let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
            Decimal::try_from_i128_with_scale(number.mantissa().checked_mul(factor)?, 0).ok()
        }
    }
}

/// Unix seconds, whole, or a time in words of RFC 3339.
fn time(text: &str) -> Option<i64> {
    if let Some(seconds) = units::whole::<i64>(text) {
        return (seconds < MOST_SECONDS).then_some(seconds);
    }
    let since = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// The number or the text at a JSON pointer, its digits as they are written: a number that goes through binary fractions
/// is another one.
fn leaf(text: &str, pointer: &str) -> Result<String, ReadingError> {
    let nothing = || ReadingError::Nothing(pointer.to_owned());
    let mut here: &RawValue = serde_json::from_str(text).map_err(|_| ReadingError::NoJson)?;
    let steps = match pointer.strip_prefix('/') {
        Some(steps) => Some(steps),
        None if pointer.is_empty() => None,
        None => return Err(nothing()),
    };
    for step in steps.into_iter().flat_map(|steps| steps.split('/')) {
        let name = step.replace("~1", "/").replace("~0", "~");
        let next = match here.get().as_bytes().first() {
            Some(b'{') => serde_json::from_str::<HashMap<String, &RawValue>>(here.get())
                .ok()
                .and_then(|fields| fields.get(&name).copied()),
            Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(here.get())
                .ok()
                .zip(units::whole::<usize>(&name))
                .and_then(|(items, place)| items.get(place).copied()),
            _ => None,
        };
        here = next.ok_or_else(nothing)?;
    }
    match here.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(here.get()).map_err(|_| ReadingError::NoJson),
        _ => Ok(here.get().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, Option<i64>), ReadingError> {
        let read = Reading::read(text.as_bytes(), &Places::default())?;
        Ok((read.value.normalize().to_string(), read.at))
    }

    fn at(text: &str, value: &str, time: Option<&str>) -> Result<(String, Option<i64>), ReadingError> {
        let places = Places { value: Some(value.into()), time: time.map(str::to_owned) };
        let read = Reading::read(text.as_bytes(), &places)?;
        Ok((read.value.normalize().to_string(), read.at))
    }

    #[test]
    fn plain_text_is_a_number_and_perhaps_its_time() {
        assert_eq!(read("12.5\n"), Ok(("12.5".into(), None)));
        assert_eq!(read(" 12.5 1700000000\r\n"), Ok(("12.5".into(), Some(1_700_000_000))));
        assert_eq!(read("12.5 2023-11-14T22:13:20Z"), Ok(("12.5".into(), Some(1_700_000_000))));
        assert_eq!(read("-3"), Ok(("-3".into(), None)), "bounds refuse it");
        for wrong in ["", "rain", "1,5", "1 2 3", "12.5mm", "NaN", "inf", "0x10", "1 1700000000000", "1 -5", ".", "--1"]
        {
            assert_eq!(read(wrong), Err(ReadingError::NoNumber), "{wrong}");
        }
        assert_eq!(Reading::read(b"\xff", &Places::default()), Err(ReadingError::NotText));
    }

    #[test]
    fn json_is_read_at_its_places_digit_by_digit() {
        let text = r#"{"data":[{"a/b":0.1,"rain":"7.25","t":1700000000,"when":"2023-11-14T22:13:20Z"}],"n":null,
                      "long":12345678901234567.123456789,"small":1.5e-3,"big":2E3}"#;
        assert_eq!(at(text, "/data/0/a~1b", None), Ok(("0.1".into(), None)));
        assert_eq!(at(text, "/data/0/rain", Some("/data/0/t")), Ok(("7.25".into(), Some(1_700_000_000))));
        assert_eq!(at(text, "/data/0/rain", Some("/data/0/when")), Ok(("7.25".into(), Some(1_700_000_000))));
        assert_eq!(at(text, "/long", None), Ok(("12345678901234567.123456789".into(), None)));
        assert_eq!((at(text, "/small", None), at(text, "/big", None)), {
            (Ok(("0.0015".into(), None)), Ok(("2000".into(), None)))
        });
        for nothing in ["/data/1/rain", "/data/00x", "/rain", "data", "/data/0/rain/0", "/"] {
            assert_eq!(at(text, nothing, None), Err(ReadingError::Nothing(nothing.into())), "{nothing}");
        }
        for wrong in ["/n", "/data", "/data/0"] {
            assert_eq!(at(text, wrong, None), Err(ReadingError::NoNumberThere(wrong.into())), "{wrong}");
        }
        assert_eq!(at(text, "/long", Some("/n")), Err(ReadingError::NoTimeThere("/n".into())));
        assert_eq!(at("4.5", "", None), Ok(("4.5".into(), None)));
        for wrong in ["", "{", "{} x", "{\"a\":01}"] {
            assert!(at(wrong, "/a", None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for wrong in ["1e400", "1e-400", "99999999999999999999999999999999", "1e", "e5", "1e5.5", "1e99999999999"] {
            assert_eq!(read(wrong), Err(ReadingError::NoNumber), "{wrong}");
        }
        // Nesting is skipped and not followed.
        let deep = format!("{{\"x\":{}{},\"v\":1}}", "[".repeat(100), "]".repeat(100));
        assert_eq!(at(&deep, "/v", None), Ok(("1".into(), None)));
    }
}
