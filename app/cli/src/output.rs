//! What all commands print with: formats, colours, tables, amounts, dates.
//!
//! Everything is written with its colours; they are taken out again where stdout is not a terminal or `NO_COLOR` is set.

pub mod chart;
mod machine;
mod table;

pub use table::{Cell, Table, cell, table};

pub use backstop_client::text::*;

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
            Self::Json => serde_json::to_string_pretty(&machine::readable(serde_json::to_value(result)?))?,
            Self::JsonCompact => serde_json::to_string(&machine::readable(serde_json::to_value(result)?))?,
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
    format!("  {}{}", paint(format!("{label:<18}"), QUIET), flow(value, ROW_INDENT, style, width))
}

/// A text that goes on in a line that has `indent` columns, and in lines that are moved in by as many.
pub fn hanging(text: &str, indent: usize, style: Style) -> String {
    flow(text, indent, style, text_width())
}

fn flow(value: &str, indent: usize, style: Style, width: usize) -> String {
    /// Columns before what has no room where the rest stands.
    const LEAST_INDENT: usize = 4;
    let mut text = String::new();
    let mut column = indent;
    for word in words(value) {
        let length = word.chars().count();
        // A key, or a command to copy, is not broken where a line of its own has room for it.
        let alone = indent + 1 + length > width;
        if column > indent && (alone || column + 1 + length > width) {
            text.push_str(&format!("\n{:indent$}", ""));
            column = indent;
        }
        if alone {
            text.truncate(text.trim_end_matches(' ').len());
            let begun = if text.ends_with('\n') { "" } else { "\n" };
            text.push_str(&format!("{begun}{:LEAST_INDENT$}{}", "", paint(word, style)));
            column = width;
            continue;
        }
        text.push(' ');
        text.push_str(&paint(word, style));
        column += 1 + length;
    }
    text.push('\n');
    text
}

/// The words of a text. What stands between backticks is one.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut begin, mut in_code) = (0, false);
    for (at, letter) in text.char_indices() {
        in_code ^= letter == '`';
        if letter == ' ' && !in_code {
            words.push(&text[begin..at]);
            begin = at + 1;
        }
    }
    // A backtick without its other one encloses nothing.
    if in_code { text.split(' ').collect() } else { words.into_iter().chain([&text[begin..]]).collect() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_rows_go_on_below_their_value_and_break_no_word() {
        let address = "a".repeat(90);
        let value = format!("{} {address} end", "word ".repeat(20).trim_end());
        let lines = plain(&styled_row("label", &value, GOOD, 100));
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("  label              word word") && lines[0].len() <= 100);
        assert!(lines[1].starts_with("                     word"));
        assert_eq!((lines[2], lines[3].trim()), (&*format!("    {address}"), "end"));
        assert_eq!(plain(&row("a", "b")), "  a                  b");
    }

    #[test]
    fn what_is_longer_than_its_column_has_a_line_of_its_own() {
        let hash = "9".repeat(64);
        assert_eq!(plain(&styled_row("sha256", &hash, QUIET, 80)), format!("  sha256\n    {hash}"));
        let command = format!("`backstop incident close {}`", "A".repeat(44));
        let told = plain(&styled_row("next", &format!("{command}, from now on"), GOOD, 80));
        assert_eq!(told, format!("  next\n    {command},\n                     from now on"));
        assert_eq!(words("a `b c` d `e"), ["a", "`b", "c`", "d", "`e"]);
    }

    #[test]
    fn a_paragraph_breaks_no_word_and_has_no_empty_line() {
        let address = "a".repeat(90);
        let text = paragraph_within(&format!("{address} is where it is {address}"), 40);
        assert_eq!(text, format!("  {address}\n  is where it is\n  {address}\n"));
    }
}
