//! What all commands print with: formats, colours, tables, amounts, dates.
//!
//! Everything is written with its colours; they are taken out again where stdout is not a terminal or `NO_COLOR` is set.

pub mod chart;
mod table;

pub use table::{Cell, Table, cell, table};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};

/// Most columns of a text: longer lines are hard to read.
pub const WIDEST_TEXT: usize = 100;
/// The columns of a page that nobody says the width of: what is piped or written to a file.
pub const PAGE: usize = 80;
/// The narrowest page: an address and what it is called.
const NARROWEST: usize = 40;
/// Columns before the value of a [`row`], a space excluded.
const ROW_INDENT: usize = 20;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Display,
    /// For machines, indented.
    Json,
    /// For machines, on one line.
    JsonCompact,
}

impl Output {
    /// Prints a result on stdout: for people by `display`, for machines by its fields.
    pub fn print<T: Serialize>(self, result: &T, display: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let text = match self {
            Self::Display => display(result),
            Self::Json => serde_json::to_string_pretty(result)?,
            Self::JsonCompact => serde_json::to_string(result)?,
        };
        let coloured = anstream::stdout().current_choice() != anstream::ColorChoice::Never;
        let text = if coloured { text } else { plain(&text) };
        match writeln!(anstream::stdout(), "{}", text.trim_end()) {
            // Whoever reads has seen enough: `| head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }
}

/// A heading.
pub const HEADING: Style = Style::new().bold();
/// Something that matters less.
pub const QUIET: Style = Style::new().dimmed();
/// Something as it should be.
pub const GOOD: Style = coloured(AnsiColor::Green);
/// Something to watch.
pub const WATCH: Style = coloured(AnsiColor::Yellow);
/// Something wrong, lost or falling.
pub const BAD: Style = coloured(AnsiColor::Red);
/// Something to look at.
pub const ACCENT: Style = coloured(AnsiColor::Cyan);

const fn coloured(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
}

/// A text in a style.
pub fn paint(text: impl Display, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// A text without colours and without spaces at the ends of its lines.
pub fn plain(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Columns that there are: the terminal's; where stdout is none, what `COLUMNS` says, or [`PAGE`].
pub fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    let said = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    terminal.or_else(said).unwrap_or(PAGE).max(NARROWEST)
}

/// Columns for a text.
fn text_width() -> usize {
    width().min(WIDEST_TEXT)
}

/// A table as text, in the columns that there are.
pub fn listing(table: &Table) -> String {
    table.render(width())
}

/// A title and rows of a label and a value.
pub fn card(title: &str, rows: &[(&str, String)]) -> String {
    let rows: String = rows.iter().map(|(label, value)| row(label, value)).collect();
    format!("{}\n{rows}", paint(title, HEADING))
}

/// A label and a value, in lines of as many columns as there are; words are never broken.
pub fn row(label: &str, value: &str) -> String {
    styled_row(label, value, Style::new(), text_width())
}

/// A label and a value in a style, in lines of so many columns.
fn styled_row(label: &str, value: &str, style: Style, width: usize) -> String {
    let mut text = format!("  {}", paint(format!("{label:<18}"), QUIET));
    let mut column = ROW_INDENT;
    for word in value.split(' ') {
        let length = word.chars().count();
        if column > ROW_INDENT && column + 1 + length > width {
            text.push_str(&format!("\n{:ROW_INDENT$}", ""));
            column = ROW_INDENT;
        }
        text.push(' ');
        text.push_str(&paint(word, style));
        column += 1 + length;
    }
    text.push('\n');
    text
}

/// A text in lines of as many columns as there are, moved in by two.
pub fn paragraph(text: &str) -> String {
    paragraph_within(text, text_width())
}

/// A text in lines of so many columns, moved in by two.
pub fn paragraph_within(text: &str, width: usize) -> String {
    let mut lines = vec![String::from(" ")];
    for word in text.split_whitespace() {
        let full = lines.last().is_some_and(|line| {
            let length = line.chars().count();
            length > 1 && length + 1 + word.chars().count() > width
        });
        if full {
            lines.push(String::from(" "));
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

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
    let iso = backstop::mint::date_text(backstop::state::day_of(unix_seconds));
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
    let day = backstop::mint::date_text(backstop::state::day_of(unix_seconds));
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
    fn long_rows_go_on_below_their_value_and_break_no_word() {
        let address = "a".repeat(90);
        let value = format!("{} {address} end", "word ".repeat(20).trim_end());
        let lines = plain(&styled_row("label", &value, GOOD, 100));
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("  label              word word") && lines[0].len() <= 100);
        assert!(lines[1].starts_with("                     word"));
        assert_eq!((lines[2].trim(), lines[3].trim()), (address.as_str(), "end"));
        assert_eq!(plain(&row("a", "b")), "  a                  b");
    }

    #[test]
    fn a_paragraph_breaks_no_word_and_has_no_empty_line() {
        let address = "a".repeat(90);
        let text = paragraph_within(&format!("{address} is where it is {address}"), 40);
        assert_eq!(text, format!("  {address}\n  is where it is\n  {address}\n"));
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
}
