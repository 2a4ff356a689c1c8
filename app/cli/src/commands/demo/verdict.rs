//! What the demo comes to, in five lines that need no other.

use crate::output::{self, ACCENT, BAD, GOOD, HEADING, QUIET, paint, paragraph_within};
use backstop_sandbox::demo::{Product, Report};
use std::fmt::Write;

/// What to do next, and what it is for.
const NEXT: [(&str, &str); 4] = [
    ("backstop demo --pace", "the same again, slowly"),
    ("backstop demo --picture demo.svg", "a picture of it"),
    ("backstop trigger replay --help", "your own prices, your own condition"),
    ("backstop localnet", "a cluster of your own: you set the price"),
];

/// The five lines, and what to try next.
pub fn display(report: &Report, width: usize) -> String {
    let mut text = format!("\n{}\n\n", paint("  In short", HEADING));
    for (number, line) in (1..).zip(lines(report)) {
        let style = match (number, report.holds) {
            (5, true) => GOOD,
            (5, false) => BAD,
            _ => anstyle::Style::new(),
        };
        let lines = paragraph_within(&line, width.saturating_sub(2));
        let lines = lines.trim_end().replace("\n  ", "\n    ");
        let _ = writeln!(text, "  {} {}", paint(number, QUIET), paint(lines.trim_start(), style));
    }
    let _ = writeln!(text, "\n{}\n", paint("  Try next", HEADING));
    for (command, what) in NEXT {
        let _ = writeln!(text, "  {}  {}", paint(format!("{command:<32}"), ACCENT), paint(what, QUIET));
    }
    let _ = writeln!(text, "{}", paint("  (from the sources, `cargo run -- demo` and so on)", QUIET));
    text
}

/// The five lines.
pub fn lines(report: &Report) -> [String; 5] {
    let checks = report.checks.len();
    let held = report.checks.iter().filter(|check| check.holds).count();
    let refused = report.refusals.iter().filter(|refusal| refusal.error.is_some()).count();
    let end = if report.holds {
        format!("{refused} forbidden moves were refused, and {held} of {held} checks hold.")
    } else {
        format!("{} of {checks} checks do not hold: it is not as it had to be.", checks - held)
    };
    let lowest = report.prints.iter().min_by_key(|seen| seen.price_e8);
    let (price, day) = lowest.map_or((0, 0), |seen| (seen.price_e8, seen.publish_time));
    let fell = format!("{} fell to {} on {} 2023", report.covered.symbol, output::level(price), output::date(day));
    match report.products.iter().find(|product| product.triggered) {
        Some(product) => [
            format!(
                "{fell}, and was below {} for {}.",
                output::level(product.threshold_e8),
                output::duration(product.duration_seconds.into())
            ),
            paid(report, product),
            format!(
                "Signed prices proved it: in {} nobody could contradict them.",
                output::duration(product.challenge_seconds.into())
            ),
            borne(report),
            end,
        ],
        None => [
            format!("{fell}: no event that a cover insured."),
            "Nobody was due anything, and nobody was paid.".into(),
            "The proof would have been signed prices; those that came proved no event.".into(),
            "Whoever put capital in lost nothing, and earned premium.".into(),
            end,
        ],
    }
}

/// Who was paid, and how much.
fn paid(report: &Report, product: &Product) -> String {
    let covers: Vec<_> =
        report.covers.iter().filter(|cover| cover.product == product.key && cover.due == "loss").collect();
    let amount = |units| format!("{} {}", output::amount(units, report.asset.decimals), report.asset.symbol);
    let paid = amount(covers.iter().map(|cover| cover.paid).sum());
    let names: Vec<&str> = covers.iter().map(|cover| cover.holder.as_str()).collect();
    let who = match names.as_slice() {
        [] => return "Nobody held a cover of it that was in force.".into(),
        [one] => format!("{one} was"),
        [most @ .., last] if names.len() <= 3 => format!("{} and {last} were", most.join(", ")),
        many => format!("{} people were", many.len()),
    };
    match report.incident.as_ref().map_or(10_000, |incident| incident.ratio_bps) {
        10_000 => format!("{who} insured and got {paid}: no claim, no vote."),
        part => format!("{who} insured and got {paid}, {} of it: capital ended.", output::percent(part)),
    }
}

/// Who bore it.
fn borne(report: &Report) -> String {
    let Some(incident) = &report.incident else { return "Nothing was left to bear.".into() };
    let part = |units: u64| {
        let percent = (u128::from(units) * 100).checked_add(u128::from(incident.gross / 2));
        percent.and_then(|percent| percent.checked_div(incident.gross.into())).unwrap_or_default()
    };
    let ceded = part(incident.ceded);
    let own = 100u128.saturating_sub(ceded);
    let senior = report.layers.iter().find(|layer| layer.layer == "senior").map_or(0, |layer| layer.lost);
    let senior = match senior {
        0 => "senior lost nothing".to_owned(),
        lost => format!("senior lost {}", output::amount(lost, report.asset.decimals)),
    };
    format!("Reinsurers bore {ceded} % of it, the pool itself {own} %; {senior}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop_sandbox::demo::{self, Scenario};

    #[test]
    fn march_2023_comes_to_five_lines_that_fit_a_page() {
        let report = demo::run().expect("the demo plays to its end");
        let said = lines(&report);
        assert_eq!(said[0], "USDC fell to 0.88 on 11 Mar 2023, and was below 0.95 for 4 h.");
        assert_eq!(said[1], "Anna and Boris were insured and got 23,054.99 USDT: no claim, no vote.");
        assert_eq!(said[3], "Reinsurers bore 56 % of it, the pool itself 44 %; senior lost nothing.");
        let text = output::plain(&display(&report, 80));
        for line in &said {
            assert!(text.contains(line.as_str()), "{line} is broken in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn what_did_not_happen_is_not_said() {
        let mut scenario = Scenario::march_2023();
        for print in &mut scenario.prints {
            print.price_e8 = print.price_e8.max(95_000_000);
        }
        let report = demo::play(&scenario, &mut |_| {}).expect("the demo plays to its end");
        let said = lines(&report);
        assert_eq!(said[1], "Nobody was due anything, and nobody was paid.");
        assert!(said[4].contains("checks do not hold"), "it is not what was stated in advance: {}", said[4]);
    }
}
