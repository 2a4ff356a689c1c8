//! Tables that fit: no line is longer than there are columns for, and no word is broken.
//!
//! A table is drawn in the first of these ways that fits: each row on one line; addresses on a line of their own above the
//! rest of their row; long texts in several lines; each cell on a line with its heading before it.

use super::{QUIET, paint};
use anstyle::Style;
use std::fmt::Display;

/// Columns between two cells.
const GAP: usize = 2;
/// Columns before the first cell.
const INDENT: usize = 2;
/// Columns before a row whose address stands above it.
const FOLDED_INDENT: usize = 4;
/// The shortest word that is taken for an address, which has 32 letters or more.
const ADDRESS: usize = 32;
/// Most lines of a cell; a row that would need more is stacked.
const TALLEST: usize = 4;

/// A cell: a text in a style.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    style: Style,
}

/// A cell of a table in a style.
pub fn cell(text: impl Display, style: Style) -> Cell {
    Cell { text: text.to_string(), style }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        cell(text, Style::new())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, style: Style::new() }
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl Cell {
    fn width(&self) -> usize {
        self.text.chars().count()
    }

    /// Whether it must stay as it is: a drawing, in which spaces have a meaning.
    fn is_drawing(&self) -> bool {
        self.text.starts_with(' ') || self.text.contains("  ")
    }

    /// Width of what cannot be broken in it.
    fn least(&self) -> usize {
        if self.is_drawing() {
            return self.width();
        }
        self.text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0)
    }

    /// Its lines in a column of this width.
    fn lines(&self, width: usize) -> Vec<String> {
        if self.width() <= width || self.is_drawing() {
            return vec![self.text.clone()];
        }
        let mut lines = vec![String::new()];
        for word in self.text.split(' ') {
            let Some(line) = lines.last_mut() else { break };
            let length = line.chars().count();
            if length > 0 && length + 1 + word.chars().count() > width {
                lines.push(word.into());
            } else {
                if length > 0 {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        lines
    }
}

/// A table without frame: a header, a line, and columns of which some are aligned to the right.
#[derive(Clone, Debug)]
pub struct Table {
    header: Vec<Cell>,
    right: Vec<usize>,
    rows: Vec<Vec<Cell>>,
}

/// A table with a header, and the numbers of the columns that are aligned to the right.
pub fn table(header: &[&str], right: &[usize]) -> Table {
    Table { header: header.iter().map(|text| cell(text, QUIET)).collect(), right: right.into(), rows: Vec::new() }
}

impl Table {
    /// Adds a row. Cells that are missing are empty.
    pub fn add_row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) -> &mut Self {
        let mut row: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        row.resize(self.header.len(), Cell::from(""));
        self.rows.push(row);
        self
    }

    /// The table in at most so many columns; more only where a single word is longer.
    pub fn render(&self, width: usize) -> String {
        let all: Vec<usize> = (0..self.header.len()).collect();
        let natural = self.widths(&all);
        if fits(&natural, INDENT, width) {
            return self.grid(&[], &all, &natural, INDENT);
        }
        let (addresses, others): (Vec<usize>, Vec<usize>) = all.iter().partition(|column| self.is_address(**column));
        if !addresses.is_empty() && !others.is_empty() {
            let room = width.saturating_sub(FOLDED_INDENT);
            if let Some(widths) = self.shrunk(&others, room).filter(|_| self.fold_fits(&addresses, width)) {
                return self.grid(&addresses, &others, &widths, FOLDED_INDENT);
            }
        }
        match self.shrunk(&all, width.saturating_sub(INDENT)) {
            Some(widths) => self.grid(&[], &all, &widths, INDENT),
            None => self.stack(width),
        }
    }

    /// What a column's cells are as wide as, its header included.
    fn column(&self, column: usize) -> impl Iterator<Item = &Cell> {
        std::iter::once(&self.header).chain(&self.rows).filter_map(move |row| row.get(column))
    }

    fn widths(&self, columns: &[usize]) -> Vec<usize> {
        columns.iter().map(|column| self.column(*column).map(Cell::width).max().unwrap_or(0)).collect()
    }

    fn is_address(&self, column: usize) -> bool {
        self.column(column).any(|cell| !cell.is_drawing() && cell.least() >= ADDRESS)
    }

    fn fold_fits(&self, addresses: &[usize], width: usize) -> bool {
        self.widths(addresses).iter().all(|length| INDENT + length <= width)
    }

    /// Widths that fit into so much room, by taking from the widest that can still give; `None` if there are none.
    fn shrunk(&self, columns: &[usize], room: usize) -> Option<Vec<usize>> {
        let mut widths = self.widths(columns);
        let least: Vec<usize> = columns
            .iter()
            .map(|column| {
                let cells = self.column(*column);
                // A number and its unit stay together.
                if self.right.contains(column) {
                    cells.map(Cell::width).max().unwrap_or(0)
                } else {
                    cells.map(Cell::least).max().unwrap_or(0)
                }
            })
            .collect();
        while !fits(&widths, 0, room) {
            let can = widths.iter().zip(&least).enumerate().filter(|(_, (width, least))| width > least);
            let (widest, _) = can.max_by_key(|(_, (width, _))| **width)?;
            *widths.get_mut(widest)? -= 1;
        }
        let tallest = columns.iter().zip(&widths).flat_map(|(column, width)| {
            let cells = self.rows.iter().filter_map(move |row| row.get(*column));
            cells.map(move |cell| cell.lines(*width).len())
        });
        (tallest.max().unwrap_or(1) <= TALLEST).then_some(widths)
    }

    /// Rows on lines, with the cells of some columns on lines of their own above.
    fn grid(&self, above: &[usize], columns: &[usize], widths: &[usize], indent: usize) -> String {
        let mut text = self.block(&self.header, above, columns, widths, indent);
        let mut length = indent + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        length = self.widths(above).iter().map(|width| INDENT + width).fold(length, usize::max);
        text.push_str(&format!(" {}\n", paint("─".repeat(length.saturating_sub(1)), QUIET)));
        for row in &self.rows {
            text.push_str(&self.block(row, above, columns, widths, indent));
        }
        text
    }

    fn block(&self, row: &[Cell], above: &[usize], columns: &[usize], widths: &[usize], indent: usize) -> String {
        let mut text = String::new();
        for cell in above.iter().filter_map(|column| row.get(*column)).filter(|cell| !cell.text.is_empty()) {
            text.push_str(&format!("{:INDENT$}{}\n", "", paint(&cell.text, cell.style)));
        }
        let cells: Vec<(&Cell, Vec<String>)> = columns
            .iter()
            .zip(widths)
            .filter_map(|(column, width)| row.get(*column).map(|cell| (cell, cell.lines(*width))))
            .collect();
        let height = cells.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
        for number in 0..height {
            let mut line = " ".repeat(indent);
            // Spaces before a cell, so that no line ends with them.
            let mut pending = 0;
            for (((cell, lines), width), column) in cells.iter().zip(widths).zip(columns) {
                let shown = lines.get(number).map_or("", String::as_str);
                let free = width.saturating_sub(shown.chars().count());
                let (before, after) = if self.right.contains(column) { (free, 0) } else { (0, free) };
                if !shown.is_empty() {
                    line.push_str(&" ".repeat(pending + before));
                    line.push_str(&paint(shown, cell.style));
                    pending = after + GAP;
                } else {
                    pending += width + GAP;
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Each cell on a line with its heading, and an empty line between rows.
    fn stack(&self, width: usize) -> String {
        let rows = self.rows.iter().map(|row| {
            let cells = self.header.iter().zip(row).filter(|(_, cell)| !cell.text.trim().is_empty());
            cells
                .map(|(header, cell)| super::styled_row(&header.text, &cell.text, cell.style, width))
                .collect::<String>()
        });
        rows.collect::<Vec<_>>().join("\n")
    }
}

/// Whether columns of these widths fit into so many.
fn fits(widths: &[usize], indent: usize, room: usize) -> bool {
    indent + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1) <= room
}

#[cfg(test)]
mod tests {
    use super::super::plain;
    use super::*;

    const KEY: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

    fn drawn(table: &Table, width: usize) -> String {
        let text = plain(&table.render(width));
        let longest = text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
        for line in text.lines() {
            assert!(line.chars().count() <= width.max(longest + 21), "{width}: {line}\n{text}");
        }
        text
    }

    #[test]
    fn what_fits_has_a_line_for_each_row() {
        let mut table = table(&["who", "what", "sum"], &[2]);
        table.add_row(["Anna", "is paid", "16,140.00"]).add_row(["Boris", "", "0.00"]);
        let lines = [
            "  who    what           sum",
            " ──────────────────────────",
            "  Anna   is paid  16,140.00",
            "  Boris                0.00",
        ];
        assert_eq!(drawn(&table, 80), lines.join("\n"));
    }

    #[test]
    fn an_address_without_room_stands_above_its_row() {
        let mut table = table(&["pool", "asset", "capital", "premium a year"], &[2, 3]);
        table.add_row([KEY, "USDC #0", "205,000.00", "1,234.00"]);
        let lines = [
            "  pool",
            "    asset       capital  premium a year",
            " ─────────────────────────────────────────────",
            &format!("  {KEY}"),
            "    USDC #0  205,000.00        1,234.00",
        ];
        assert_eq!(drawn(&table, 60), lines.join("\n"));
        assert_eq!(drawn(&table, 120).lines().count(), 3);
    }

    #[test]
    fn long_texts_go_on_below_and_numbers_stay_whole() {
        let mut table = table(&["what happened", "how much"], &[1]);
        table.add_row(["the quota share is paid its part of the premium", "1,000.00 USDC"]);
        let text = drawn(&table, 40);
        assert_eq!(text.lines().nth(2), Some("  the quota share is paid  1,000.00 USDC"));
        assert_eq!(text.lines().nth(3), Some("  its part of the premium"));
    }

    #[test]
    fn what_fits_in_no_other_way_is_stacked() {
        let mut table = table(&["cover", "sum", "holder"], &[1]);
        table.add_row([KEY, "1,000,000.00 USDC and then some more", KEY]);
        let text = drawn(&table, 50);
        assert_eq!(text.lines().next(), Some(&*format!("  {:<18}\n", "cover").trim_end().to_owned()).or(Some("")));
        assert!(text.contains(KEY) && text.contains("and then some"), "{text}");
    }

    #[test]
    fn a_drawing_is_never_broken() {
        let mut table = table(&["layer", "loss"], &[]);
        table.add_row(["junior", "      ████████"]);
        assert!(drawn(&table, 30).contains("junior        ████████"));
    }

    #[test]
    fn every_width_keeps_every_word_whole() {
        let mut table = table(&["incident", "product", "event", "state", "due", "ratio"], &[4, 5]);
        let cells = [KEY, "USDC below 0.95 for 4h", "2023-03-11 05:00 UTC", "funded", "25,555.00 USDT", "100.00 %"];
        table.add_row(cells);
        for width in 40..160 {
            let text = drawn(&table, width);
            for word in cells.iter().flat_map(|cell| cell.split(' ')) {
                assert!(text.split_whitespace().any(|shown| shown == word), "{width}: {word}\n{text}");
            }
        }
    }
}
