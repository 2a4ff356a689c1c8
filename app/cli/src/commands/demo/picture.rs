//! The demo as a picture: the price, the evidence, who was paid and who bore it, in SVG.
//!
//! Every number in it is the report's. It has no script and loads nothing: any browser, and any page that shows images,
//! shows it.

use super::verdict;
use crate::output;
use backstop_sandbox::demo::{Product, Report};
use std::fmt::Write;

/// The picture's size.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 712.0;
/// Left and right edge of what is drawn.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 930.0;
/// Top and bottom of the price.
const TOP: f64 = 96.0;
const BOTTOM: f64 = 352.0;
/// Prices at the top and the bottom, in 1e-8.
const HIGHEST: f64 = 101_000_000.0;
const LOWEST: f64 = 87_000_000.0;
/// Height of a lane of slots, and where the first one begins.
const LANE: f64 = 16.0;
const LANES: f64 = 386.0;
/// Where the two tables below begin.
const TABLES: f64 = 480.0;
/// Where the second table begins.
const MIDDLE: f64 = 500.0;
/// Between two rows of a table.
const ROW: f64 = 25.0;

const INK: &str = "#1b2733";
const FAINT: &str = "#5d6b79";
const LINE: &str = "#d9e0e6";
const BLUE: &str = "#1f5fa8";
const RED: &str = "#b3372f";
const AMBER: &str = "#a86400";
const GREEN: &str = "#22713f";

/// Draws a report.
pub fn draw(report: &Report) -> String {
    let mut picture = Picture { report, text: String::new(), from: 0, to: 1 };
    if let (Some(first), Some(last)) = (report.prints.first(), report.prints.last()) {
        (picture.from, picture.to) = (first.publish_time, last.publish_time.max(first.publish_time + 1));
    }
    picture.title();
    picture.event();
    picture.axes();
    picture.price();
    picture.lanes();
    picture.payouts();
    picture.waterfall();
    picture.end();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"14\" fill=\"{INK}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}</svg>\n",
        picture.text
    )
}

struct Picture<'a> {
    report: &'a Report,
    text: String,
    from: i64,
    to: i64,
}

impl Picture<'_> {
    fn x(&self, at: i64) -> f64 {
        let part = (at - self.from) as f64 / (self.to - self.from) as f64;
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn y(price_e8: u64) -> f64 {
        let part = (HIGHEST - price_e8 as f64) / (HIGHEST - LOWEST);
        TOP + part.clamp(0.0, 1.0) * (BOTTOM - TOP)
    }

    fn title(&mut self) {
        self.write(
            30.0,
            38.0,
            "font-size=\"22\" font-weight=\"bold\"",
            "The USDC depeg of March 2023, on the real program",
        );
        let report = self.report;
        let said = format!(
            "{} prices that Chainlink published, shown to Backstop on a Solana cluster in one process: {} transactions.",
            report.prints.len(),
            report.transactions
        );
        self.write(30.0, 62.0, &fill(FAINT), &said);
    }

    /// The hours that counted, behind everything else, and when what happened.
    fn event(&mut self) {
        let Some(product) = self.triggered() else { return };
        let times = [(product.event_at, "event"), (product.met_at, "met"), (product.triggered_at, "paid")];
        let [event, met] = [product.event_at, product.met_at].map(|at| at.map(|at| self.x(at)));
        if let (Some(event), Some(met)) = (event, met) {
            let _ = writeln!(
                self.text,
                "<rect x=\"{event:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\" fill=\"#fbe9e7\"/>",
                met - event,
                BOTTOM - TOP
            );
        }
        for (at, name) in times {
            let Some(at) = at else { continue };
            let x = self.x(at);
            self.line(x, TOP, x, BOTTOM, FAINT, "stroke-dasharray=\"2 4\"");
            self.write(x + 4.0, TOP + 14.0, &fill(FAINT), &format!("{name} {}", output::time(at)));
        }
    }

    fn axes(&mut self) {
        for cents in (88..=100).step_by(4) {
            let price = cents * 1_000_000;
            let y = Self::y(price);
            self.line(LEFT, y, RIGHT, y, LINE, "");
            self.write(LEFT - 8.0, y + 5.0, &format!("text-anchor=\"end\" {}", fill(FAINT)), &output::level(price));
        }
        const HOURS: i64 = 6 * 3_600;
        let mut at = self.from.div_euclid(HOURS) * HOURS + HOURS;
        while at <= self.to {
            let x = self.x(at);
            self.line(x, BOTTOM, x, BOTTOM + 5.0, FAINT, "");
            let said = if at % 86_400 == 0 { output::date(at) } else { output::time(at) };
            self.write(x, BOTTOM + 20.0, &format!("text-anchor=\"middle\" {}", fill(FAINT)), &said);
            at += HOURS;
        }
        for (product, colour) in self.report.products.iter().zip([AMBER, RED]) {
            let y = Self::y(product.threshold_e8);
            self.line(LEFT, y, RIGHT, y, colour, "stroke-dasharray=\"7 5\"");
            let said = format!(
                "{} {}, {}",
                product.key,
                output::level(product.threshold_e8),
                output::duration(product.duration_seconds.into())
            );
            self.write(LEFT + 6.0, y - 6.0, &fill(colour), &said);
        }
    }

    fn price(&mut self) {
        let mut path = String::new();
        for seen in &self.report.prints {
            let (x, y) = (self.x(seen.publish_time), Self::y(seen.price_e8));
            let _ = if path.is_empty() { write!(path, "M{x:.1} {y:.1}") } else { write!(path, " H{x:.1} V{y:.1}") };
        }
        let _ = writeln!(self.text, "<path d=\"{path}\" fill=\"none\" stroke=\"{BLUE}\" stroke-width=\"2.2\"/>");
        if let Some(lowest) = self.report.prints.iter().min_by_key(|seen| seen.price_e8) {
            let (x, y) = (self.x(lowest.publish_time), Self::y(lowest.price_e8));
            let said = output::price(lowest.price_e8);
            self.write(x, y + 18.0, &format!("text-anchor=\"middle\" {}", fill(BLUE)), &said);
        }
    }

    /// The slots of each product's evidence: what counted, and what was below the threshold in vain.
    fn lanes(&mut self) {
        let mut top = LANES;
        for product in &self.report.products {
            self.write(LEFT - 8.0, top + 13.0, &format!("text-anchor=\"end\" {}", fill(FAINT)), &product.key);
            self.line(LEFT, top + LANE + 2.0, RIGHT, top + LANE + 2.0, LINE, "");
            for slot in &product.slots {
                let good = slot.good;
                let colour = match (slot.in_window, good) {
                    (true, true) => GREEN,
                    (true, false) => "#b9d9c3",
                    (false, true) => "#e6c58f",
                    (false, false) => continue,
                };
                let (from, to) = (self.x(slot.start), self.x(slot.end));
                let _ = writeln!(
                    self.text,
                    "<rect x=\"{:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{LANE}\" fill=\"{colour}\"/>",
                    from + 0.5,
                    (to - from - 1.0).max(1.0)
                );
            }
            let said = format!(
                "{} of {} slots of {}",
                product.credited_slots,
                product.needed_slots,
                output::duration(product.slot_seconds.into())
            );
            self.write(RIGHT, top + 13.0, "text-anchor=\"end\"", &said);
            top += LANE + 8.0;
        }
        let mut x = LEFT;
        for (colour, said) in
            [(GREEN, "counted"), ("#b9d9c3", "gap, tolerated"), ("#e6c58f", "below the threshold, not counted")]
        {
            let _ = writeln!(
                self.text,
                "<rect x=\"{x}\" y=\"{}\" width=\"11\" height=\"11\" fill=\"{colour}\"/>",
                top + 2.0
            );
            self.write(x + 17.0, top + 12.0, &format!("font-size=\"13\" {}", fill(FAINT)), said);
            x += 40.0 + 7.2 * said.chars().count() as f64;
        }
    }

    fn payouts(&mut self) {
        let report = self.report;
        self.heading(30.0, &format!("Who was insured, and paid, in {}", report.asset.symbol));
        let mut y = TABLES + ROW;
        for (x, said) in [(30.0, "holder"), (100.0, "product"), (280.0, "insured"), (370.0, "paid")] {
            let anchor = if x > 200.0 { "text-anchor=\"end\" " } else { "" };
            self.write(x, y, &format!("{anchor}{}", fill(FAINT)), said);
        }
        for cover in &report.covers {
            y += ROW;
            let colour = if cover.paid > 0 { GREEN } else { INK };
            self.write(30.0, y, "", &cover.holder);
            self.write(100.0, y, "", &cover.product);
            self.write(280.0, y, "text-anchor=\"end\"", &self.amount(cover.sum_insured));
            self.write(370.0, y, &format!("text-anchor=\"end\" {}", fill(colour)), &self.amount(cover.paid));
            let why = match cover.due.as_str() {
                "loss" => "",
                "refund" => "premium back",
                _ => "no event",
            };
            self.write(382.0, y, &fill(FAINT), why);
        }
    }

    fn waterfall(&mut self) {
        let report = self.report;
        let Some(incident) = &report.incident else { return };
        self.heading(MIDDLE, &format!("Who bore the {} that were due", self.amount(incident.gross)));
        let (left, whole) = (MIDDLE + 112.0, RIGHT - MIDDLE - 204.0);
        let x = |units: u64| units as f64 / incident.gross.max(1) as f64 * whole;
        let mut borne = 0;
        let mut y = TABLES + ROW;
        for part in &report.waterfall {
            let (name, colour) = match part.part.as_str() {
                "quota_share" => ("quota share", BLUE),
                "excess_of_loss" => ("excess of loss", "#4d86c4"),
                other => (other, RED),
            };
            self.write(MIDDLE, y, "", name);
            let _ = writeln!(
                self.text,
                "<rect x=\"{:.1}\" y=\"{}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\"/>",
                left + x(borne),
                y - 12.0,
                x(part.amount)
            );
            self.write(RIGHT, y, "text-anchor=\"end\"", &self.amount(part.amount));
            borne += part.amount;
            y += ROW;
        }
        let said = "blue: other pools, by reinsurance; red: the pool's own capital";
        self.write(MIDDLE, y, &format!("font-size=\"13\" {}", fill(FAINT)), said);
    }

    fn end(&mut self) {
        let [_, paid, _, _, checks] = verdict::lines(self.report);
        let colour = if self.report.holds { GREEN } else { RED };
        for (y, said) in [(HEIGHT - 42.0, paid), (HEIGHT - 20.0, checks)] {
            self.write(30.0, y, &format!("font-weight=\"bold\" {}", fill(colour)), &said);
        }
    }

    // ---- pieces ----

    fn triggered(&self) -> Option<&Product> {
        self.report.products.iter().find(|product| product.triggered)
    }

    fn amount(&self, units: u64) -> String {
        output::amount(units, self.report.asset.decimals)
    }

    fn heading(&mut self, x: f64, text: &str) {
        self.write(x, TABLES, "font-size=\"16\" font-weight=\"bold\"", text);
    }

    fn line(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, colour: &str, more: &str) {
        let _ = writeln!(
            self.text,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" {more}/>"
        );
    }

    fn write(&mut self, x: f64, y: f64, how: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(self.text, "<text x=\"{x:.1}\" y=\"{y:.1}\" {how}>{text}</text>");
    }
}

fn fill(colour: &str) -> String {
    format!("fill=\"{colour}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop_sandbox::demo;
    use std::path::Path;

    #[test]
    fn the_picture_that_readme_shows_is_what_the_demo_draws() {
        let drawn = draw(&demo::run().expect("the demo plays to its end"));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/demo.svg");
        if std::env::var_os("BACKSTOP_BLESS").is_some() {
            std::fs::create_dir_all(file.parent().expect("it is in a directory")).expect("there is room");
            std::fs::write(&file, &drawn).expect("there is room");
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == drawn, "docs/demo.svg is of another run: BACKSTOP_BLESS=1 draws it again");
        for said in ["16,258.36", "6,796.62", "23,054.99", "0.95", "8 of 8 slots of 30 min", "event 05:00"] {
            assert!(drawn.contains(said), "{said} is not in it");
        }
    }

    #[test]
    fn what_stands_in_it_cannot_break_it() {
        let mut report = demo::run().expect("the demo plays to its end");
        report.covers[0].holder = "<Anna & \"Co\">".into();
        let drawn = draw(&report);
        assert!(drawn.contains("&lt;Anna &amp; \"Co\"&gt;") && !drawn.contains("<Anna"));
    }
}
