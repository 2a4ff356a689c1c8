//! Pictures: inline SVG, each with a title, a description, and the same numbers in a table behind it.
//!
//! Nothing in a drawing has a style of its own, which the page's policy forbids: classes name what a shape is.

use backstop_client::text;
use maud::{Markup, html};

/// Width of every drawing. At 360 px of screen its letters are still read.
const WIDTH: f64 = 400.0;

/// A picture with its table. `id` is unique on the page.
pub struct Figure<'a> {
    /// Names the picture's parts on the page.
    pub id: &'a str,
    /// What it shows, in a few words.
    pub title: &'a str,
    /// What can be seen in it, in a sentence or two.
    pub description: String,
    /// The names of the table's columns.
    pub header: &'a [&'a str],
    /// The table's rows.
    pub rows: Vec<Vec<String>>,
}

impl Figure<'_> {
    /// The picture of this height, its caption, and its table.
    pub fn render(&self, height: f64, drawing: &Markup) -> Markup {
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        html! {
            figure.chart {
                svg viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-labelledby={ (title) " " (description) } {
                    title id=(title) { (self.title) }
                    desc id=(description) { (self.description) }
                    (drawing)
                }
                figcaption { (self.description) }
                details {
                    summary { "Numbers: " (self.title) }
                    (table(self.title, self.header, &self.rows))
                }
            }
        }
    }
}

/// A table of texts that scrolls within itself. The first column names the row.
pub fn table(caption: &str, header: &[&str], rows: &[Vec<String>]) -> Markup {
    let cells = rows.iter().map(|row| row.iter().map(|cell| html! { (cell) }).collect()).collect::<Vec<_>>();
    listing(caption, header, &cells)
}

/// A table of anything that scrolls within itself. The first column names the row.
pub fn listing(caption: &str, header: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for name in header { th scope="col" { (name) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (column, cell) in row.iter().enumerate() {
                                @if column == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A coordinate, to a tenth: enough for a picture, and short.
fn at(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A number as a length; what cannot be drawn exactly is drawn nearly.
#[allow(clippy::cast_precision_loss)]
fn real(units: u64) -> f64 {
    units as f64
}

#[allow(clippy::cast_precision_loss)]
fn seconds(unix: i64) -> f64 {
    unix as f64
}

/// A bar of a picture of bars: from where to where it goes on the common scale.
pub struct Bar {
    /// What it is.
    pub name: String,
    /// How much, in words.
    pub says: String,
    /// Where it begins.
    pub from: u64,
    /// How long it is.
    pub length: u64,
    /// What kind of shape it is, for its colour.
    pub class: &'static str,
}

/// Bars under each other on one scale, each with its name and amount above it.
pub fn bars(figure: &Figure<'_>, bars: &[Bar]) -> Markup {
    const ROW: f64 = 40.0;
    let most = bars.iter().map(|bar| bar.from.saturating_add(bar.length)).max().unwrap_or(0).max(1);
    let scale = |units: u64| real(units) / real(most) * WIDTH;
    let drawing = html! {
        @for (index, bar) in bars.iter().enumerate() {
            @let top = real(index as u64) * ROW;
            text.name x="0" y=(at(top + 13.0)) { (bar.name) }
            text.value x=(at(WIDTH)) y=(at(top + 13.0)) text-anchor="end" { (bar.says) }
            rect.track x="0" y=(at(top + 19.0)) width=(at(WIDTH)) height="14" rx="3" {}
            @if bar.length > 0 {
                rect class=(bar.class) x=(at(scale(bar.from))) y=(at(top + 19.0)) width=(at(scale(bar.length).max(1.5))) height="14" rx="3" {}
            }
        }
    };
    figure.render(real(bars.len().max(1) as u64) * ROW, &drawing)
}

/// A part of a whole.
pub struct Part {
    /// What it is.
    pub name: String,
    /// How much, in words.
    pub says: String,
    /// How much.
    pub units: u64,
    /// What kind of shape it is, for its colour.
    pub class: &'static str,
}

/// Parts of a whole in one bar, with a legend under it.
pub fn parts(figure: &Figure<'_>, parts: &[Part]) -> Markup {
    const ROW: f64 = 22.0;
    let whole = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.units)).max(1);
    let mut begin = 0u64;
    let drawing = html! {
        rect.track x="0" y="0" width=(at(WIDTH)) height="26" rx="3" {}
        @for (index, part) in parts.iter().enumerate() {
            @let from = real(begin) / real(whole) * WIDTH;
            @let length = real(part.units) / real(whole) * WIDTH;
            @if part.units > 0 {
                rect class={ "part " (part.class) } x=(at(from)) y="0" width=(at(length.max(1.0))) height="26" {}
            }
            @let () = begin = begin.saturating_add(part.units);
            @let top = 36.0 + real(index as u64) * ROW;
            rect class=(part.class) x="0" y=(at(top)) width="12" height="12" rx="2" {}
            text.name x="19" y=(at(top + 10.5)) { (part.name) }
            text.value x=(at(WIDTH)) y=(at(top + 10.5)) text-anchor="end" { (part.says) }
        }
    };
    figure.render(36.0 + real(parts.len() as u64) * ROW, &drawing)
}

/// A line of a picture over time.
pub struct Line {
    /// What it is.
    pub name: String,
    /// What kind of line it is, for its colour and its dashes.
    pub class: &'static str,
    /// Times and values, oldest first.
    pub points: Vec<(i64, u64)>,
    /// Whether a value holds until the next: then the line has steps.
    pub steps: bool,
}

/// A picture over time.
pub struct OverTime<'a> {
    /// First and last second.
    pub span: (i64, i64),
    /// The lines.
    pub lines: Vec<Line>,
    /// Values that are marked over the whole width, with their names.
    pub levels: Vec<(u64, String, &'static str)>,
    /// Times that are marked over the whole height: from, to, and what they are.
    pub bands: Vec<(i64, i64, &'static str)>,
    /// The least that the scale spans: what is smaller looks small.
    pub least_span: u64,
    /// A value in words.
    pub says: &'a dyn Fn(u64) -> String,
}

/// Lines over time, with levels and bands, and a legend under it.
pub fn over_time(figure: &Figure<'_>, chart: &OverTime<'_>) -> Markup {
    const TOP: f64 = 8.0;
    const BOTTOM: f64 = 168.0;
    const LEFT: f64 = 54.0;
    let values = || {
        let of_lines = chart.lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
        of_lines.chain(chart.levels.iter().map(|level| level.0))
    };
    let (least, most) = (values().min().unwrap_or(0), values().max().unwrap_or(1));
    let missing = chart.least_span.saturating_sub(most.saturating_sub(least));
    let (least, most) = (least.saturating_sub(missing / 2), most.saturating_add(missing.div_ceil(2)));
    let margin = (most.saturating_sub(least) / 12).max(1);
    let (least, most) = (least.saturating_sub(margin), most.saturating_add(margin));
    let (begin, end) = chart.span;
    let width = seconds(end.saturating_sub(begin).max(1));
    let x = |time: i64| LEFT + (seconds(time.clamp(begin, end).saturating_sub(begin)) / width) * (WIDTH - LEFT);
    let y = |value: u64| {
        let share = real(value.saturating_sub(least)) / real(most.saturating_sub(least).max(1));
        BOTTOM - share * (BOTTOM - TOP)
    };
    let path = |line: &Line| {
        let mut path = String::new();
        let mut last: Option<f64> = None;
        for (time, value) in &line.points {
            let (across, up) = (x(*time), y(*value));
            match last {
                None => path.push_str(&format!("M{} {}", at(across), at(up))),
                Some(_) if line.steps => path.push_str(&format!("H{}V{}", at(across), at(up))),
                Some(_) => path.push_str(&format!("L{} {}", at(across), at(up))),
            }
            last = Some(up);
        }
        if line.steps && last.is_some() {
            path.push_str(&format!("H{}", at(x(end))));
        }
        path
    };
    let middle = least.saturating_add(most.saturating_sub(least) / 2);
    let legend: Vec<(&str, &str)> = chart
        .lines
        .iter()
        .map(|line| (line.class, &*line.name))
        .chain(chart.levels.iter().map(|(_, name, class)| (*class, &**name)))
        .collect();
    let drawing = html! {
        @for (from, to, class) in &chart.bands {
            rect class=(class) x=(at(x(*from))) y=(at(TOP)) width=(at((x(*to) - x(*from)).max(1.0))) height=(at(BOTTOM - TOP)) {}
        }
        @for value in [least.saturating_add(margin), middle, most.saturating_sub(margin)] {
            line.grid x1=(at(LEFT)) x2=(at(WIDTH)) y1=(at(y(value))) y2=(at(y(value))) {}
            text.tick x=(at(LEFT - 5.0)) y=(at(y(value) + 3.5)) text-anchor="end" { ((chart.says)(value)) }
        }
        @for (value, _, class) in &chart.levels {
            line class={ "line " (class) } x1=(at(LEFT)) x2=(at(WIDTH)) y1=(at(y(*value))) y2=(at(y(*value))) {}
        }
        @for line in &chart.lines {
            @if let [(time, value)] = line.points[..] {
                circle class={ "dot " (line.class) } cx=(at(x(time))) cy=(at(y(value))) r="2.5" {}
            }
            path class={ "line " (line.class) } d=(path(line)) {}
        }
        text.tick x=(at(LEFT)) y=(at(BOTTOM + 14.0)) { (text::date_time(begin)) }
        text.tick x=(at(WIDTH)) y=(at(BOTTOM + 14.0)) text-anchor="end" { (text::date_time(end)) }
        @for (index, (class, name)) in legend.iter().enumerate() {
            @let top = BOTTOM + 32.0 + real(index as u64) * 18.0;
            line class={ "line " (class) } x1="0" x2="18" y1=(at(top - 4.0)) y2=(at(top - 4.0)) {}
            text.name x="25" y=(at(top)) { (name) }
        }
    };
    figure.render(BOTTOM + 26.0 + real(legend.len() as u64) * 18.0, &drawing)
}

/// A storey of a tower: where it begins, how high it is, and what of it is gone.
pub struct Storey {
    /// What it is.
    pub name: String,
    /// How much, in words.
    pub says: String,
    /// Loss at which it begins to pay.
    pub from: u64,
    /// What it pays at most.
    pub height: u64,
    /// What of that is used.
    pub used: u64,
    /// What kind of shape it is, for its colour.
    pub class: &'static str,
}

/// A tower of reinsurance: the cedant's own capital at the bottom, layers above it where they attach, and beside it what
/// shares every loss.
pub fn tower(figure: &Figure<'_>, storeys: &[Storey], beside: &[Storey]) -> Markup {
    const HEIGHT: f64 = 220.0;
    const BASE: f64 = 228.0;
    let top = |storey: &Storey| storey.from.saturating_add(storey.height);
    let most = storeys.iter().map(top).max().unwrap_or(0).max(1);
    let y = |units: u64| BASE - real(units.min(most)) / real(most) * HEIGHT;
    // The side takes a fifth of the width for each quota share, at most two fifths.
    let side = if beside.is_empty() { 0.0 } else { (real(beside.len() as u64) * 64.0).min(150.0) };
    let each = side / real(beside.len().max(1) as u64);
    let legend: Vec<&Storey> = storeys.iter().rev().chain(beside).collect();
    let drawing = html! {
        @for storey in storeys {
            @let high = (y(storey.from) - y(top(storey))).max(2.0);
            rect class={ "part " (storey.class) } x="0" y=(at(y(top(storey)))) width=(at(WIDTH - side - 8.0)) height=(at(high)) {}
            @if storey.used > 0 {
                @let gone = y(storey.from) - y(storey.from.saturating_add(storey.used));
                rect.gone x="0" y=(at(y(storey.from) - gone)) width=(at(WIDTH - side - 8.0)) height=(at(gone.max(1.0))) {}
            }
            @if high > 15.0 {
                text.inside x="8" y=(at(y(top(storey)) + 14.0)) { (storey.name) }
            }
        }
        @for (index, storey) in beside.iter().enumerate() {
            @let left = WIDTH - side + real(index as u64) * each;
            rect class={ "part " (storey.class) } x=(at(left)) y=(at(BASE - HEIGHT)) width=(at(each - 4.0)) height=(at(HEIGHT)) {}
            @if storey.used > 0 && storey.height > 0 {
                @let gone = real(storey.used.min(storey.height)) / real(storey.height) * HEIGHT;
                rect.gone x=(at(left)) y=(at(BASE - gone)) width=(at(each - 4.0)) height=(at(gone.max(1.0))) {}
            }
        }
        line.axis x1="0" x2=(at(WIDTH)) y1=(at(BASE)) y2=(at(BASE)) {}
        @for (index, storey) in legend.iter().enumerate() {
            @let top = BASE + 12.0 + real(index as u64) * 20.0;
            rect class=(storey.class) x="0" y=(at(top)) width="12" height="12" rx="2" {}
            text.name x="19" y=(at(top + 10.5)) { (storey.name) }
            text.value x=(at(WIDTH)) y=(at(top + 10.5)) text-anchor="end" { (storey.says) }
        }
    };
    figure.render(BASE + 16.0 + real(legend.len() as u64) * 20.0, &drawing)
}
