//! Numbers, dates and times as people read them: one way for the command line and for a page.

/// An amount of an asset with its decimals cut to two: `12,345.67`.
pub fn amount(units: u64, decimals: u8) -> String {
    let hundredth = 10u64.pow(u32::from(decimals).saturating_sub(2));
    let hundredths = units / hundredth;
    format!("{}.{:02}", thousands(hundredths / 100), hundredths % 100)
}

/// An amount of an asset with all its decimals: `12,345.678900`.
pub fn exact_amount(units: u64, decimals: u8) -> String {
    let whole = 10u64.pow(decimals.into());
    format!("{}.{:0width$}", thousands(units / whole), units % whole, width = decimals.into())
}

/// An amount of an asset, exact, with two decimals at least: `12,345.00`, `0.000001`.
pub fn tidy_amount(units: u64, decimals: u8) -> String {
    let text = exact_amount(units, decimals);
    let least = text.len() - usize::from(decimals.saturating_sub(2));
    text[..text.trim_end_matches('0').len().max(least)].to_owned()
}

/// A whole number with commas: `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A price in 1e-8 with five decimals: `0.90965`.
pub fn price(price_e8: u64) -> String {
    format!("{}.{:05}", price_e8 / 100_000_000, price_e8 % 100_000_000 / 1_000)
}

/// A threshold in 1e-8 with two decimals: `0.95`.
pub fn level(price_e8: u64) -> String {
    format!("{}.{:02}", price_e8 / 100_000_000, price_e8 % 100_000_000 / 1_000_000)
}

/// A price in 1e-8, exact, with two decimals at least: `0.95`, `0.98765`.
pub fn exact_price(price_e8: u64) -> String {
    let text = format!("{}.{:08}", price_e8 / 100_000_000, price_e8 % 100_000_000);
    let least = text.len() - 6;
    text[..text.trim_end_matches('0').len().max(least)].to_owned()
}

/// A rate in parts per billion as an exact percentage: `2 %`, `0.25 %`.
pub fn rate(ppb: u64) -> String {
    let text = format!("{}.{:07}", ppb / 10_000_000, ppb % 10_000_000);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Basis points as a percentage: `26.90 %`.
pub fn percent(bps: u64) -> String {
    format!("{}.{:02} %", bps / 100, bps % 100)
}

/// A duration in the largest unit that it is whole in: `4 h`, `30 min`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        _ if seconds.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// The UTC date of a unix time: `11 Mar`.
pub fn date(unix_seconds: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let iso = backstop::border::text::date_text(backstop::state::day_of(unix_seconds));
    let mut parts = iso.rsplit('-').map(|part| part.parse::<usize>().unwrap_or_default());
    let (day, month) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("{day} {}", MONTHS.get(month.wrapping_sub(1)).unwrap_or(&"?"))
}

/// The UTC time of day of a unix time: `05:00`.
pub fn time(unix_seconds: i64) -> String {
    let minutes = unix_seconds.rem_euclid(86_400) / 60;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Full UTC date and time of a unix time: `2023-03-11 05:00 UTC`.
pub fn moment(unix_seconds: i64) -> String {
    let day = backstop::border::text::date_text(backstop::state::day_of(unix_seconds));
    format!("{day} {} UTC", time(unix_seconds))
}

/// The price of a whole share in whole units of the asset, cut to six decimals; 1 before there are any. A share has more
/// decimals than its asset, as the program makes its mint.
pub fn share_price(assets: u64, shares: u64) -> String {
    let scale = 1_000_000 * 10u128.pow(backstop::constants::SHARE_EXTRA_DECIMALS.into());
    let millionths = if shares == 0 { 1_000_000 } else { u128::from(assets) * scale / u128::from(shares) };
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

/// UTC date and time of a unix time: `11 Mar 05:00`.
pub fn date_time(unix_seconds: i64) -> String {
    format!("{} {}", date(unix_seconds), time(unix_seconds))
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

    #[test]
    fn amounts_are_cut_to_two_decimals_with_commas() {
        assert_eq!(amount(1_234_567_899_999, 6), "1,234,567.89");
        assert_eq!(amount(9_999, 6), "0.00");
        assert_eq!(amount(100, 2), "1.00");
        assert_eq!(exact_amount(1_234_567_800_001, 6), "1,234,567.800001");
        assert_eq!(tidy_amount(1_234_567_800_000, 6), "1,234,567.80");
        assert_eq!(tidy_amount(1, 6), "0.000001");
        assert_eq!(tidy_amount(70, 1), "7.0");
    }

    #[test]
    fn numbers_get_a_comma_every_three_digits() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn prices_rates_and_times_read_as_people_write_them() {
        assert_eq!(price(90_965_000), "0.90965");
        assert_eq!(level(195_000_000), "1.95");
        assert_eq!(exact_price(95_000_000), "0.95");
        assert_eq!(exact_price(100_000_000), "1.00");
        assert_eq!(exact_price(98_765_001), "0.98765001");
        assert_eq!(rate(20_000_000), "2 %");
        assert_eq!(rate(1_234_567_890), "123.456789 %");
        assert_eq!(rate(1), "0.0000001 %");
        assert_eq!(percent(2_690), "26.90 %");
        assert_eq!(duration(1_800), "30 min");
        assert_eq!(duration(86_400), "24 h");
        assert_eq!(duration(61), "61 s");
        assert_eq!(date_time(1_678_510_800), "11 Mar 05:00");
        assert_eq!(date_time(1_703_980_799), "30 Dec 23:59");
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
