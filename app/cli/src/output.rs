//! What all commands print with: formats, colours, tables, amounts, dates.
//!
//! Everything is written with its colours; they are taken out again where stdout is not a terminal or `NO_COLOR` is set.

pub mod chart;
mod machine;

pub use backstop_client::text::*;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, TableComponent, presets};
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};

/// Most columns that any display takes.
pub const WIDTH: u16 = 100;
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

/// A table without frame: a header, a line, and columns of which those in `right` are aligned to the right.
pub fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).enforce_styling();
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH - 1);
    for line in [
        TableComponent::HeaderLines,
        TableComponent::MiddleHeaderIntersections,
        TableComponent::LeftHeaderIntersection,
        TableComponent::RightHeaderIntersection,
    ] {
        table.set_style(line, '─');
    }
    table.set_header(header.iter().map(|text| cell(text, QUIET)));
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A cell of a table in a style.
pub fn cell(text: impl Display, style: Style) -> Cell {
    use comfy_table::{Attribute, Color};
    let cell = Cell::new(text);
    match style.get_fg_color() {
        Some(anstyle::Color::Ansi(AnsiColor::Green)) => cell.fg(Color::DarkGreen),
        Some(anstyle::Color::Ansi(AnsiColor::Yellow)) => cell.fg(Color::DarkYellow),
        Some(anstyle::Color::Ansi(AnsiColor::Red)) => cell.fg(Color::DarkRed),
        Some(anstyle::Color::Ansi(AnsiColor::Cyan)) => cell.fg(Color::DarkCyan),
        _ if style == QUIET => cell.add_attribute(Attribute::Dim),
        _ if style == HEADING => cell.add_attribute(Attribute::Bold),
        _ => cell,
    }
}

/// A table as text, moved in by a column.
pub fn indented(table: &Table) -> String {
    table.lines().map(|line| format!(" {}\n", line.trim_end())).collect()
}

/// A title and rows of a label and a value.
pub fn card(title: &str, rows: &[(&str, String)]) -> String {
    let rows: String = rows.iter().map(|(label, value)| row(label, value)).collect();
    format!("{}\n{rows}", paint(title, HEADING))
}

/// A label and a value, in lines of at most [`WIDTH`] columns; words are never broken.
pub fn row(label: &str, value: &str) -> String {
    let mut text = format!("  {}", paint(format!("{label:<18}"), QUIET));
    let mut column = ROW_INDENT;
    for word in value.split(' ') {
        let length = word.chars().count();
        if column > ROW_INDENT && column + 1 + length > usize::from(WIDTH) {
            text.push_str(&format!("\n{:ROW_INDENT$}", ""));
            column = ROW_INDENT;
        }
        text.push(' ');
        text.push_str(word);
        column += 1 + length;
    }
    text.push('\n');
    text
}

/// A table of accounts as text: addresses are never broken, so that lines may be longer than [`WIDTH`].
pub fn listing(mut table: Table) -> String {
    table.set_content_arrangement(ContentArrangement::Disabled);
    indented(&table)
}

/// A text in lines of at most [`WIDTH`] columns, moved in by two.
pub fn paragraph(text: &str) -> String {
    let mut lines = vec![String::from(" ")];
    for word in text.split_whitespace() {
        let full =
            lines.last().is_some_and(|line| line.chars().count() + 1 + word.chars().count() > usize::from(WIDTH));
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
        let lines = plain(&row("label", &format!("{} {address} end", "word ".repeat(20).trim_end())));
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("  label              word word") && lines[0].len() <= usize::from(WIDTH));
        assert!(lines[1].starts_with("                     word"));
        assert_eq!((lines[2].trim(), lines[3].trim()), (address.as_str(), "end"));
        assert_eq!(plain(&row("a", "b")), "  a                  b");
    }
}
