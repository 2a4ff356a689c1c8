//! The evidence of a trigger, drawn slot by slot.

use crate::output::chart::{Chart, Level, Mark, SLOT_LEGEND, slot_mark, ticks};
use crate::output::{ACCENT, BAD, GOOD, QUIET, WATCH, duration, exact_price, paint};
use backstop::peril::evidence::{Direction, Phase, RING_SLOTS, Terms};
use backstop_client::view::trigger::Standing;

/// Columns beside the plot: the margin, and how many slots count.
const BESIDE: u64 = 34;
/// Fewest columns of the plot.
const LEAST_COLUMNS: u64 = 24;
/// Most columns of a slot.
const WIDEST_SLOT: u32 = 4;
/// Most rows of the plot.
const MOST_ROWS: u64 = 15;
/// Fewest columns between two ticks of the axis.
const TICK_COLUMNS: i64 = 10;

/// Draws what was shown in the slots of the ring: the highest breach price of each, and what it counts for. `None` if
/// nothing in the ring points to an event. No line is longer than `width`, if that leaves room for a plot.
pub fn evidence(terms: &Terms, standing: &Standing, now: i64, width: usize) -> Option<String> {
    let most_columns = u64::try_from(width).ok()?.saturating_sub(BESIDE).max(LEAST_COLUMNS);
    let evidence = &standing.evidence;
    let final_phase = standing.phase == Phase::Final;
    let oldest = evidence.head.saturating_add(1).saturating_sub(RING_SLOTS);
    let oldest = if final_phase { oldest } else { oldest.max(terms.first_slot_in_ring(now)) };
    let first = (oldest..=evidence.head).find(|slot| evidence.breach_price(terms, *slot).is_some())?;
    let current = terms.slot_of(now)?;
    // What is final needs no present; what is under way is drawn up to the earliest moment at which it can be met.
    let window_end = standing.window.map_or(0, |window| window.last_slot);
    let last = if final_phase { evidence.head.max(window_end) } else { current.max(evidence.head).max(window_end) };
    let slots = last.saturating_sub(first).saturating_add(1);
    let slots_in_column = slots.div_ceil(most_columns).max(1);
    // Few slots are drawn wide, many share a column.
    let fits = |wide: &u32| u64::from(*wide) * slots <= most_columns && terms.slot_seconds.is_multiple_of(*wide);
    let columns_of_slot = (1..=WIDEST_SLOT).rev().find(fits).unwrap_or(1);
    let slot_seconds = i64::from(terms.slot_seconds.checked_div(columns_of_slot)?);
    let column_seconds = slot_seconds.saturating_mul(i64::try_from(slots_in_column).ok()?);
    let columns = slots.div_ceil(slots_in_column).saturating_mul(columns_of_slot.into()).max(LEAST_COLUMNS);
    let columns = usize::try_from(columns).ok()?;
    let from = terms.slot_start(first);

    let mut prices = Vec::new();
    for slot in first..=evidence.head {
        // A recovery does not keep its price: it was at the recovery or above.
        let recovered = evidence.is_recovered(terms, slot).then_some(terms.recovery);
        if let Some(price) = recovered.or(evidence.breach_price(terms, slot)) {
            prices.push((terms.slot_start(slot), price));
        }
    }
    let lowest = prices.iter().map(|(_, price)| *price).min()?.min(terms.threshold.min(terms.recovery));
    let highest = prices.iter().map(|(_, price)| *price).max()?.max(terms.threshold.max(terms.recovery));
    let step_e8 = round_step(highest.saturating_sub(lowest).div_ceil(MOST_ROWS - 2));
    // The threshold lies on a row.
    let above = highest.saturating_sub(terms.threshold).div_ceil(step_e8);
    let top_e8 = terms.threshold.saturating_add(above.saturating_mul(step_e8));
    let rows = top_e8.saturating_sub(lowest).div_ceil(step_e8).saturating_add(1);
    let levels = [
        Level { price_e8: terms.threshold, name: "threshold", style: WATCH },
        Level { price_e8: terms.recovery, name: "recovery", style: GOOD },
    ];
    let levels = if terms.recovery == terms.threshold { &levels[..1] } else { &levels[..] };
    let mut marks = Vec::new();
    if let Some(window) = standing.window.filter(|_| standing.is_met()) {
        marks.push(Mark { at: window.event_at, name: "event" });
        marks.push(Mark { at: window.met_at, name: "met" });
    }
    if !final_phase {
        marks.push(Mark { at: now, name: "now" });
    }
    let is_breach = |price: u64| terms.slot_price(price) < terms.slot_price(terms.threshold);
    let line = |price: u64| if is_breach(price) { BAD.bold() } else { ACCENT.bold() };
    let chart = Chart {
        from,
        column_seconds,
        columns,
        top_e8,
        step_e8,
        rows: usize::try_from(rows).ok()?,
        prices: &prices,
        line: &line,
        levels,
        marks: &marks,
        width,
    };
    let end = from.saturating_add(column_seconds.saturating_mul(i64::try_from(columns).ok()?));
    let mut text = chart.plot();
    text.push_str(&chart.axis(&ticks(from, end, tick_seconds(column_seconds))));
    text.push_str(&chart.mark_names());
    let note =
        format!("{}/{} slots of {}", evidence.longest_credited(terms), terms.need, duration(terms.slot_seconds.into()));
    text.push_str(&chart.lane("slots", &lane(terms, standing, first), &note));
    text.push_str(&paint(format!("          {SLOT_LEGEND}\n"), QUIET));
    let worst = exact_price(prices.iter().map(|(_, price)| *price).min_by_key(|price| terms.slot_price(*price))?);
    let (shown, other) = match terms.direction() {
        Direction::Below => ("highest", "lowest"),
        Direction::Above => ("lowest", "highest"),
    };
    text.push_str(&paint(format!("          {shown} breach price of each slot; the {other} is {worst}\n"), QUIET));
    Some(text)
}

/// What each slot counts for. While nothing is met, the window is the one that could come of it.
fn lane(terms: &Terms, standing: &Standing, first: u64) -> Vec<(i64, i64, char, anstyle::Style)> {
    let evidence = &standing.evidence;
    let cells = (first..=evidence.head).map(|slot| {
        let window = standing.window.map(|window| window.first_slot..=window.last_slot);
        let in_window = window.is_some_and(|window| window.contains(&slot));
        let good = evidence.is_good(terms, slot);
        let (shown, style) = slot_mark(in_window, good);
        (terms.slot_start(slot), terms.slot_end(slot), shown, style)
    });
    cells.collect()
}

/// The next larger step that people count in: 1, 2, 2.5 or 5 of a power of ten.
fn round_step(least: u64) -> u64 {
    let powers = (0..19).map(|power| 10_u64.pow(power));
    let mut steps = powers.flat_map(|power| [10, 20, 25, 50].map(|step| power.saturating_mul(step)));
    steps.find(|step| *step >= least).unwrap_or(u64::MAX)
}

/// Seconds between two ticks, so that their texts stand apart.
fn tick_seconds(column_seconds: i64) -> i64 {
    const HOUR: i64 = 3_600;
    let least = column_seconds.saturating_mul(TICK_COLUMNS);
    let steps = [HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR];
    let day = 24 * HOUR;
    steps.into_iter().find(|step| *step >= least).unwrap_or_else(|| (least + day - 1) / day * day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::plain;
    use backstop::peril::evidence::{Severity, TermsInput};
    use backstop::peril::feed::Observation;
    use backstop::state::Trigger;

    /// A slot boundary.
    const START: i64 = 1_678_500_000;
    const SLOT: i64 = 1_800;

    fn input() -> TermsInput {
        TermsInput {
            direction: Direction::Below,
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 },
            duration_seconds: 4 * 3_600,
            slot_seconds: 1_800,
            tolerance_seconds: 1_800,
            challenge_seconds: 6 * 3_600,
            run_on_seconds: 3 * 86_400,
            quiet_seconds: 86_400,
            confidence_multiplier: 200,
        }
    }

    /// A quiet trigger: below 0.95 for 4 h of 30 min slots, one gap tolerated, 6 h to contradict.
    fn trigger() -> Trigger {
        let mut trigger: Trigger = bytemuck::Zeroable::zeroed();
        trigger.terms = Terms::new(&input()).expect("valid");
        trigger
    }

    /// Shows a price at a moment that it is published.
    fn show(trigger: &mut Trigger, price: u64, at: i64) {
        let print = Observation { price, confidence: 0, publish_time: at };
        let terms = trigger.terms;
        trigger.evidence.observe(&terms, &print, at).expect("taken");
    }

    /// A trigger with so many slots of breaches from the start on.
    fn breached(slots: i64) -> Trigger {
        let mut trigger = trigger();
        for slot in 0..slots {
            show(&mut trigger, 90_000_000, START + slot * SLOT);
        }
        trigger
    }

    fn drawn(trigger: &Trigger, now: i64) -> Option<String> {
        let standing = Standing::of(trigger, now);
        let drawn = |width| evidence(&trigger.terms, &standing, now, width).map(|text| plain(&text));
        for width in [80, 100, 140] {
            for line in drawn(width).iter().flat_map(|text| text.lines()) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
        drawn(100)
    }

    #[test]
    fn nothing_is_drawn_where_nothing_points_to_an_event() {
        assert_eq!(drawn(&trigger(), START), None);
        let mut calm = trigger();
        show(&mut calm, 100_000_000, START);
        assert_eq!(drawn(&calm, START + 60), None);
        assert!(drawn(&breached(8), START + 300 * 1_800).is_some(), "what triggered stays");
        assert_eq!(drawn(&breached(3), START + 300 * 1_800), None, "what fell out of the ring is past");
    }

    #[test]
    fn slots_of_a_window_are_marked_and_fit_the_page() {
        let mut trigger = breached(3);
        for slot in 4..9 {
            show(&mut trigger, 85_000_000, START + slot * 1_800);
        }
        let text = drawn(&trigger, START + 9 * 1_800).expect("there is evidence");
        let lane = text.lines().find(|line| line.trim_start().starts_with("slots")).expect("a lane");
        assert!(lane.contains("│████████████░░░░████████████████████ "), "{text}");
        assert!(lane.contains("8/8 slots of 30 min"), "{text}");
        for name in ["▲ event", "▲ met", "▲ now", "threshold", "recovery"] {
            assert!(text.contains(name), "{name} is not in\n{text}");
        }
    }

    #[test]
    fn a_whole_ring_fits_the_page() {
        let mut trigger = trigger();
        for slot in 0..250 {
            // Two recoveries in every fifth slot: it is never met.
            let price = if slot % 5 == 0 { 98_000_000 } else { 90_000_000 + slot * 1_000 };
            let start = START + i64::try_from(slot).expect("small") * 1_800;
            show(&mut trigger, price, start);
            show(&mut trigger, price, start + 180);
        }
        drawn(&trigger, START + 250 * 1_800).expect("there is evidence");
    }

    #[test]
    fn rows_lie_on_round_prices_and_one_on_the_threshold() {
        let steps = [0, 11, 26, 1_000_001, 2_100_000, u64::MAX].map(round_step);
        assert_eq!(steps, [10, 20, 50, 2_000_000, 2_500_000, u64::MAX]);
        for price in [94_999_999, 94_000_000, 85_123_456, 40_000_000, 1] {
            let mut trigger = trigger();
            show(&mut trigger, price, START);
            let text = drawn(&trigger, START + 60).expect("there is evidence");
            let axis = text.lines().position(|line| line.contains('└')).expect("an axis");
            assert!((3..=15).contains(&axis), "{axis} rows\n{text}");
            assert!(text.contains("0.95000 ┤"), "{text}");
        }
    }

    #[test]
    fn ticks_stand_apart() {
        for column in [60, 240, 1_800, 3_600, 14_400, 86_400] {
            let step = tick_seconds(column);
            assert!(step / column >= TICK_COLUMNS, "{column}");
            assert!(step <= 2 * TICK_COLUMNS * column || step == 3_600, "{column}");
        }
    }
}
