//! A price over time, drawn with box characters: each column is a span of time, and the price holds until the next one.

use super::{GOOD, QUIET, WATCH, paint};
use anstyle::Style;

/// Columns between the left edge and the plot: room for a price and the axis.
const MARGIN: usize = 9;

/// A horizontal line with its name.
pub struct Level<'a> {
    /// Price in 1e-8.
    pub price_e8: u64,
    /// Written to the right of the line.
    pub name: &'a str,
    /// Of line and name.
    pub style: Style,
}

/// A vertical line with its name.
pub struct Mark<'a> {
    /// Unix seconds.
    pub at: i64,
    /// Written below the axis.
    pub name: &'a str,
}

/// A chart to draw.
pub struct Chart<'a> {
    /// Left edge, in unix seconds.
    pub from: i64,
    /// Seconds in a column.
    pub column_seconds: i64,
    /// Columns of the plot.
    pub columns: usize,
    /// Price of the top row, in 1e-8.
    pub top_e8: u64,
    /// Price between two rows, in 1e-8.
    pub step_e8: u64,
    /// Rows of the plot.
    pub rows: usize,
    /// Unix seconds and prices in 1e-8, oldest first.
    pub prices: &'a [(i64, u64)],
    /// How the line is drawn at a price.
    pub line: &'a dyn Fn(u64) -> Style,
    /// Horizontal lines.
    pub levels: &'a [Level<'a>],
    /// Vertical lines.
    pub marks: &'a [Mark<'a>],
    /// Columns of the page: what has no room beside the plot stands in it or below.
    pub width: usize,
}

impl Chart<'_> {
    /// Column of a time; `None` beyond the edges.
    pub fn column(&self, unix_seconds: i64) -> Option<usize> {
        let column = usize::try_from((unix_seconds - self.from).div_euclid(self.column_seconds)).ok()?;
        (column < self.columns).then_some(column)
    }

    /// The plot with its price axis, without what stands below it.
    pub fn plot(&self) -> String {
        let mut cells = vec![vec![(' ', Style::new()); self.columns]; self.rows];
        for mark in self.marks {
            for row in &mut cells {
                if let Some(cell) = self.column(mark.at).and_then(|column| row.get_mut(column)) {
                    *cell = ('┊', QUIET);
                }
            }
        }
        for level in self.levels {
            for cell in cells.get_mut(self.row(level.price_e8)).into_iter().flatten() {
                *cell = ('╌', level.style);
            }
        }
        self.draw_line(&mut cells);
        let beside = self.levels.iter().all(|level| self.has_room(level.name));
        if !beside {
            for level in self.levels {
                let row = cells.get_mut(self.row(level.price_e8));
                row.into_iter().for_each(|row| write_on(row, level));
            }
        }
        let mut text = String::new();
        for (number, row) in cells.iter().enumerate() {
            let level = self.levels.iter().find(|level| self.row(level.price_e8) == number);
            let labelled = level.is_some() || number % 4 == 0 || number + 1 == self.rows;
            let price = level.map_or_else(|| self.price(number), |level| level.price_e8);
            let label = if labelled { axis_label(price) } else { String::new() };
            let tick = if labelled { '┤' } else { '│' };
            let label_style = level.map_or(QUIET, |level| level.style);
            text.push_str(&paint(format!("{label:>7} "), label_style));
            text.push_str(&paint(tick, QUIET));
            text.push_str(&styled(row));
            if let Some(level) = level.filter(|_| beside) {
                text.push_str(&paint(format!(" {}", level.name), level.style));
            }
            text.push('\n');
        }
        text
    }

    /// The time axis: a tick and a text at each of `ticks`.
    pub fn axis(&self, ticks: &[(i64, String)]) -> String {
        let mut line = vec!['─'; self.columns];
        for (at, _) in ticks {
            if let Some(cell) = self.column(*at).and_then(|column| line.get_mut(column)) {
                *cell = '┬';
            }
        }
        let line: String = line.into_iter().collect();
        let corner = format!("{:>width$}└{line}", "", width = MARGIN - 1);
        format!("{}\n{}", paint(corner, QUIET), paint(self.below(ticks), QUIET))
    }

    /// The names of the marks, each below its line.
    pub fn mark_names(&self) -> String {
        let names: Vec<_> = self.marks.iter().map(|mark| (mark.at, format!("▲ {}", mark.name))).collect();
        self.below(&names)
    }

    /// Texts below the plot, each beginning in the column of its time unless another is in the way.
    fn below(&self, texts: &[(i64, String)]) -> String {
        let mut line = String::new();
        let mut length = 0;
        for (at, text) in texts {
            let Some(column) = self.column(*at) else { continue };
            let start = (MARGIN + column).max(length + usize::from(length > 0));
            line.extend(std::iter::repeat_n(' ', start - length));
            line.push_str(text);
            length = start + text.chars().count();
        }
        line.push('\n');
        line
    }

    /// A lane below the plot, on the same columns: a character and a style where there is something to show.
    pub fn lane(&self, name: &str, cells: &[(i64, i64, char, Style)], note: &str) -> String {
        let mut row = vec![(' ', Style::new()); self.columns];
        for (from, until, shown, style) in cells {
            let mut at = *from;
            while at < *until {
                if let Some(cell) = self.column(at).and_then(|column| row.get_mut(column)) {
                    *cell = (*shown, *style);
                }
                at += self.column_seconds;
            }
        }
        let between = if self.has_room(note) { " ".to_owned() } else { format!("\n{:MARGIN$}", "") };
        format!("{name:>7} {}{}{between}{note}\n", paint('│', QUIET), styled(&row))
    }

    /// Whether a text has room to the right of the plot.
    fn has_room(&self, text: &str) -> bool {
        MARGIN + self.columns + 1 + text.chars().count() <= self.width
    }

    /// Price of a row.
    fn price(&self, row: usize) -> u64 {
        self.top_e8.saturating_sub(self.step_e8.saturating_mul(row as u64))
    }

    fn row(&self, price_e8: u64) -> usize {
        let below = self.top_e8.saturating_sub(price_e8);
        usize::try_from((below + self.step_e8 / 2) / self.step_e8)
            .unwrap_or(usize::MAX)
            .min(self.rows.saturating_sub(1))
    }

    /// In each column the lowest price published in it, or the last one before it.
    fn by_column(&self) -> Vec<Option<u64>> {
        let mut columns = vec![None; self.columns];
        for (at, price) in self.prices {
            if let Some(cell) = self.column(*at).and_then(|column| columns.get_mut(column)) {
                *cell = Some(cell.map_or(*price, |lowest: u64| lowest.min(*price)));
            }
        }
        let end = self.prices.last().and_then(|(at, _)| self.column(*at)).unwrap_or(0);
        let mut last = None;
        for (column, cell) in columns.iter_mut().enumerate() {
            if column <= end {
                *cell = cell.or(last);
                last = *cell;
            }
        }
        columns
    }

    fn draw_line(&self, cells: &mut [Vec<(char, Style)>]) {
        let mut before = None;
        for (column, price) in self.by_column().into_iter().enumerate() {
            let Some(price) = price else { continue };
            let row = self.row(price);
            let from = before.unwrap_or(row);
            before = Some(row);
            let mut put = |row: usize, shown: char| {
                let style = (self.line)(self.price(row));
                if let Some(cell) = cells.get_mut(row).and_then(|row| row.get_mut(column)) {
                    *cell = (shown, style);
                }
            };
            for between in row.min(from)..=row.max(from) {
                put(between, '│');
            }
            match row.cmp(&from) {
                std::cmp::Ordering::Equal => put(row, '─'),
                std::cmp::Ordering::Greater => {
                    put(from, '╮');
                    put(row, '╰');
                }
                std::cmp::Ordering::Less => {
                    put(from, '╯');
                    put(row, '╭');
                }
            }
        }
    }
}

/// Writes the name of a level on its line, as far to the right as nothing else is in the way.
fn write_on(row: &mut [(char, Style)], level: &Level) {
    let name = format!(" {} ", level.name);
    let length = name.chars().count();
    let free = |cells: &[(char, Style)]| cells.iter().all(|(shown, _)| *shown == '╌');
    let Some(start) = row.windows(length + 2).rposition(free) else { return };
    for (cell, shown) in row.iter_mut().skip(start + 1).zip(name.chars()) {
        *cell = (shown, level.style);
    }
}

/// A price in as many characters as the axis has room for: larger prices show fewer decimals.
fn axis_label(price_e8: u64) -> String {
    let text: String = super::price(price_e8).chars().take(MARGIN - 2).collect();
    text.trim_end_matches('.').to_owned()
}

/// Every whole multiple of `every` seconds after `from`, up to `last`; midnight with its date.
pub fn ticks(from: i64, last: i64, every: i64) -> Vec<(i64, String)> {
    let first = from.div_euclid(every) + 1;
    (first..)
        .map(|number| number * every)
        .take_while(|at| *at <= last)
        .map(|at| (at, if at % 86_400 == 0 { super::date(at) } else { super::time(at) }))
        .collect()
}

/// What the marks of [`slot_mark`] mean.
pub const SLOT_LEGEND: &str = "█ counted   ░ gap, tolerated   ▪ below the threshold, not counted";

/// How a slot of evidence is drawn in a lane.
pub const fn slot_mark(in_window: bool, good: bool) -> (char, Style) {
    match (in_window, good) {
        (true, true) => ('█', GOOD),
        (true, false) => ('░', GOOD),
        (false, true) => ('▪', WATCH),
        (false, false) => (' ', Style::new()),
    }
}

/// Cells as text, neighbours of one style in one run.
fn styled(cells: &[(char, Style)]) -> String {
    cells
        .chunk_by(|(_, left), (_, right)| left == right)
        .map(|run| {
            let text: String = run.iter().map(|(shown, _)| shown).collect();
            run.first().map_or_else(String::new, |(_, style)| paint(&text, *style))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart<'a>(prices: &'a [(i64, u64)], levels: &'a [Level<'a>], marks: &'a [Mark<'a>]) -> Chart<'a> {
        Chart {
            from: 0,
            column_seconds: 10,
            columns: 6,
            top_e8: 100_000_000,
            step_e8: 10_000_000,
            rows: 3,
            prices,
            line: &|_| Style::new(),
            levels,
            marks,
            width: 80,
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn the_line_holds_a_price_until_the_next_and_joins_them() {
        let prices = [(0, 100_000_000), (25, 80_000_000), (45, 90_000_000)];
        let drawn = plain(&chart(&prices, &[], &[]).plot());
        let rows: Vec<_> = drawn.lines().map(|line| line.chars().skip(MARGIN).collect::<String>()).collect();
        assert_eq!(rows, ["──╮   ", "  │ ╭ ", "  ╰─╯ "]);
    }

    #[test]
    fn of_several_prices_in_a_column_the_lowest_is_drawn() {
        let prices = [(0, 100_000_000), (3, 80_000_000), (6, 90_000_000)];
        assert_eq!(chart(&prices, &[], &[]).by_column()[0], Some(80_000_000));
    }

    #[test]
    fn levels_and_marks_stand_behind_the_line() {
        let levels = [Level { price_e8: 90_000_000, name: "floor", style: Style::new() }];
        let marks = [Mark { at: 30, name: "here" }];
        let drawn = chart(&[(0, 90_000_000), (20, 90_000_000)], &levels, &marks);
        let plot = plain(&drawn.plot());
        assert_eq!(plot.lines().nth(1), Some("0.90000 ┤───╌╌╌ floor"));
        assert_eq!(plot.lines().next(), Some("1.00000 ┤   ┊  "));
        assert_eq!(drawn.mark_names(), format!("{:>width$}▲ here\n", "", width = MARGIN + 3));
    }

    #[test]
    fn without_room_beside_the_plot_names_stand_in_it_and_notes_below() {
        let levels = [Level { price_e8: 90_000_000, name: "x", style: Style::new() }];
        let drawn = Chart { width: 16, ..chart(&[(0, 100_000_000)], &levels, &[]) };
        assert_eq!(plain(&drawn.plot()).lines().nth(1), Some("0.90000 ┤╌╌ x ╌"));
        let lane = plain(&drawn.lane("slots", &[(0, 20, '█', GOOD)], "2/8"));
        assert_eq!(lane, "  slots │██    \n         2/8\n");
    }

    #[test]
    fn prices_of_any_size_fit_the_axis() {
        let labels = [95_000_000, 15_012_345_678, 6_543_212_345_678, 123_456_700_000_000].map(axis_label);
        assert_eq!(labels, ["0.95000", "150.123", "65432.1", "1234567"]);
    }

    #[test]
    fn what_lies_beyond_the_edges_is_left_out() {
        let drawn = chart(&[(-5, 100_000_000), (60, 90_000_000)], &[], &[]);
        assert_eq!(drawn.column(-5), None);
        assert_eq!(drawn.column(60), None);
        assert!(plain(&drawn.plot()).lines().all(|line| !line.contains('─')));
    }
}
