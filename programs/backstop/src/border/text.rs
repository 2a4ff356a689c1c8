//! Numbers, days and bytes as a wallet shows them, without the formatting of std, which takes ten times as much.

/// An amount of the asset in words, by its decimals: "1000 USDC", "0.5 USDC".
pub fn amount_text(amount: u64, decimals: u8, label: &str) -> String {
    let one = 10u64.saturating_pow(u32::from(decimals));
    let whole = digits(amount.checked_div(one).unwrap_or(0), 1);
    let part = amount.checked_rem(one).unwrap_or(0);
    if part == 0 {
        return [whole.as_str(), " ", label].concat();
    }
    let part = digits(part, usize::from(decimals));
    [whole.as_str(), ".", part.trim_end_matches('0'), " ", label].concat()
}

/// A number in decimal digits, with leading zeros up to `width`.
fn digits(mut number: u64, width: usize) -> String {
    let mut text = Vec::with_capacity(20);
    while number > 0 || text.len() < width {
        text.push(b'0'.saturating_add(u8::try_from(number % 10).unwrap_or(0)));
        number /= 10;
    }
    text.reverse();
    String::from_utf8(text).unwrap_or_default()
}

/// A UTC day as a date: "2023-03-11". Civil-calendar arithmetic on days since 1970, without tables.
pub fn date_text(day: u32) -> String {
    // Days since 0000-03-01, in eras of 400 years (146,097 days), so that leap days end their years.
    let days = u64::from(day).saturating_add(719_468);
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era =
        (of_era.saturating_sub(of_era / 1_460).saturating_add(of_era / 36_524).saturating_sub(of_era / 146_096)) / 365;
    let of_year = of_era.saturating_sub(
        (year_of_era.saturating_mul(365)).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100),
    );
    let shifted_month = (of_year.saturating_mul(5).saturating_add(2)) / 153;
    let day_of_month =
        of_year.saturating_sub((shifted_month.saturating_mul(153).saturating_add(2)) / 5).saturating_add(1);
    let month = if shifted_month < 10 { shifted_month.saturating_add(3) } else { shifted_month.saturating_sub(9) };
    let year = year_of_era.saturating_add(era.saturating_mul(400)).saturating_add(u64::from(month <= 2));
    [digits(year, 4), digits(month, 2), digits(day_of_month, 2)].join("-")
}

/// The moment at which a UTC day begins: "2023-03-11 00:00 UTC". A date alone would leave open whether its day is in.
pub fn day_start_text(day: u32) -> String {
    let mut text = date_text(day);
    text.push_str(" 00:00 UTC");
    text
}

/// Bytes in hexadecimal.
pub fn hex_text(bytes: &[u8]) -> String {
    let digit = |nibble: u8| nibble.saturating_add(if nibble < 10 { b'0' } else { b'a' - 10 });
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        text.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(amount_text(1_000_000_000, 6, "USDC"), "1000 USDC");
        assert_eq!(amount_text(500_000, 6, "USDC"), "0.5 USDC");
        assert_eq!(amount_text(1, 6, "USDC"), "0.000001 USDC");
        assert_eq!(amount_text(7, 0, "X"), "7 X");
    }

    #[test]
    fn days_read_as_dates() {
        assert_eq!(date_text(0), "1970-01-01");
        assert_eq!(date_text(19_427), "2023-03-11");
        assert_eq!(date_text(11_016), "2000-02-29");
        assert_eq!(date_text(20_777), "2026-11-20");
        assert_eq!(day_start_text(20_777), "2026-11-20 00:00 UTC");
    }

    #[test]
    fn every_day_of_two_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970u32, 1u32, 1u32);
        for number in 0..73_049 {
            assert_eq!(date_text(number), format!("{year:04}-{month:02}-{day:02}"));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (2170, 1, 1));
    }

    #[test]
    fn bytes_read_as_hexadecimal() {
        assert_eq!(hex_text(&[0, 255, 16]), "00ff10");
    }
}
