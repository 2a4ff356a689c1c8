//! `backstop trigger show`.

use super::draw;
use crate::commands::args::ProductArg;
use crate::commands::context::{Context, hinted};
use crate::output::{self, WATCH, amount, card, exact_price, moment, moment_from, paint, percent, price, span, time};
use anyhow::Result;
use backstop::peril::evidence::{Direction, Terms};
use backstop::state::{Form, get_text};
use backstop_client::Cluster;
use backstop_client::view;
use backstop_client::view::Case;
use backstop_client::view::product::payment_of;
use backstop_client::view::report::{SlotSpan, TriggerReport};
use backstop_client::view::trigger::Standing;
use clap::Args;

const EXAMPLE: &str = "\
Example:
  backstop trigger show PRODUCT
  backstop trigger show PRODUCT --output json | jq .phase";

/// Show a trigger: its condition, what was shown for it, and what can come of it.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct ShowArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
}

pub fn run(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let case = Case::read(cluster, args.product.0)?;
    if case.trigger.form() == Form::Reading {
        let sentence = "this product pays by a value at a date and takes no evidence";
        return Err(hinted(
            sentence,
            format!("`backstop product show {}` says how it stands", case.product.keys.product),
        ));
    }
    let standing = Standing::of(&case.trigger, now);
    let shown = TriggerReport::of(&case, &standing, now);
    context.options.output.print(&shown, |shown| {
        let mut text = display(shown, &case);
        if let Some(drawn) = draw::evidence(&case.trigger.terms, &standing, now, output::width()) {
            text.push('\n');
            text.push_str(&drawn);
        }
        text
    })
}

fn display(shown: &TriggerReport, case: &Case) -> String {
    let (now, terms, label) = (shown.now, &case.trigger.terms, get_text(&case.product.pool.state.label));
    let asset = |units| format!("{} {label}", amount(units, shown.decimals));
    let mut rows = Vec::new();
    let mut row = |name, value| rows.push((name, value));
    row("trigger", shown.trigger.clone());
    row("product", shown.product.clone());
    row("pool", shown.pool.clone());
    row("feed", format!("{} {}", shown.source, shown.feed));
    if let Some(attestors) = &shown.attestors {
        row("attestors", attestors.clone());
    }
    row("condition", shown.condition.text.clone());
    row("a price counts", view::trigger::counting(terms));
    row("pays", payment_of(&case.trigger, &case.product.state.terms));
    row("phase", phase_text(shown));
    if let Some(until) = shown.armed_until {
        row(
            "armed",
            format!("until {}: nothing is sold, and a report of the attestors is taken", moment_from(until, now)),
        );
    }
    row("evidence", format!("{} of {} good slots", shown.credited_slots, shown.needed_slots));
    row(
        "last print",
        match &shown.last_print {
            None => "none yet".into(),
            Some(print) => format!(
                "{} ± {}, {} old: {}",
                exact_price(print.price_e8),
                exact_price(print.confidence_e8),
                span(print.age_seconds),
                print.says,
            ),
        },
    );
    let slot_text = |slot: &SlotSpan| {
        format!(
            "{} to {}, takes a breach until {}",
            time(slot.start),
            time(slot.end),
            moment_from(slot.open_until, now)
        )
    };
    if let Some(slot) = &shown.current_slot {
        row("slot now", slot_text(slot));
    }
    if let Some(slot) = shown.closing_slot.as_ref().filter(|_| shown.phase == "breaching") {
        row("next to close", slot_text(slot));
    }
    if let Some(window) = &shown.window {
        if window.is_met {
            row("event", moment_from(window.event_at, now));
            row("window ends", moment(window.met_at));
        } else {
            row("could be met", format!("{}, if every slot from now on is a breach", moment_from(window.met_at, now)));
        }
        let name = match (shown.proven_at.is_some(), window.is_met) {
            (true, _) => "proven",
            (false, true) => "proven from",
            (false, false) => "could be proven",
        };
        row(name, moment_from(window.contradicted_until.saturating_add(1), now));
        if let Some(at) = shown.final_at.filter(|_| shown.phase == "triggered") {
            row(
                "final",
                format!(
                    "{} at the latest: until then the price can {} on and raise it",
                    moment_from(at, now),
                    fall_or_rise(terms)
                ),
            );
        }
    }
    if let (Some(mean), Some(severity)) = (shown.mean_price_e8, shown.severity_bps) {
        row("mean price", price(mean));
        let by_evidence = match shown.phase {
            "final" => "gets",
            "triggered" => "gets at least",
            _ => "would get",
        };
        row("a cover", format!("in force at the event {by_evidence} {} of its sum insured", percent(severity.into())));
    }
    match shown.due {
        Some(due) => row("all covers", format!("{} insured, {} due", asset(shown.exposure), asset(due))),
        None if shown.is_over => row("all covers", "the incident is closed".into()),
        None => row("all covers", format!("{} insured", asset(shown.exposure))),
    }
    if let Some(step) = &shown.next {
        row("next", step.text(now));
    }
    card(&shown.product_name, &rows)
}

/// What a price does that deepens a loss.
fn fall_or_rise(terms: &Terms) -> &'static str {
    match terms.direction() {
        Direction::Below => "fall",
        Direction::Above => "rise",
    }
}

fn phase_text(shown: &TriggerReport) -> String {
    let now = shown.now;
    let said = match shown.phase {
        "quiet" => "quiet: nothing points to an event".into(),
        "breaching" => {
            let until = shown.breaching_until.map(|until| moment_from(until, now)).unwrap_or_default();
            format!("breaching: no sales, deposits or exits; over after {until} if nothing more is shown")
        }
        "met" => "met: until the challenge is over, a price that contradicts it undoes it".into(),
        "triggered" => "triggered: the event is proven, and what is paid can only grow until it is final".into(),
        _ => match shown.final_at {
            Some(at) => format!("final since {}", moment_from(at, now)),
            None => "final".into(),
        },
    };
    if shown.phase == shown.stored_phase {
        return said;
    }
    let note = format!("(the chain still says {}; any call brings it up to now)", shown.stored_phase);
    format!("{said} {}", paint(note, WATCH))
}
