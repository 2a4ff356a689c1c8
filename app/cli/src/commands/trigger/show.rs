//! `backstop trigger show`.

use super::draw;
use crate::commands::args::{OpenProduct, ProductArg};
use crate::commands::context::{Context, hinted};
use crate::output::{self, WATCH, amount, card, exact_price, moment, moment_from, paint, percent, price, span, time};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::math::losses;
use backstop::peril::evidence::{Direction, Phase, RING_SLOTS, Terms};
use backstop::peril::feed::Source;
use backstop::state::{Form, ProductState, Trigger, get_text};
use backstop_client::Cluster;
use backstop_client::price_account::standing_account;
use backstop_client::view;
use backstop_client::view::Case;
use backstop_client::view::incident::{Step, next_step};
use backstop_client::view::product::payment;
use backstop_client::view::trigger::{OpenSlot, Standing};
use backstop_client::view::trigger::{feed, phase, source};
use clap::Args;
use serde::Serialize;

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

#[derive(Serialize)]
struct Shown {
    trigger: String,
    product: String,
    product_name: String,
    pool: String,
    decimals: u8,
    source: &'static str,
    feed: String,
    attestors: Option<String>,
    price_account: Option<String>,
    condition: Condition,
    now: i64,
    phase: &'static str,
    stored_phase: &'static str,
    credited_slots: u16,
    needed_slots: u16,
    last_print: Option<LastPrint>,
    /// The window that met the condition; before, the earliest that could.
    window: Option<WindowView>,
    breaching_until: Option<i64>,
    current_slot: Option<SlotSpan>,
    closing_slot: Option<SlotSpan>,
    /// T: from when on event and first payment are fixed.
    proven_at: Option<i64>,
    /// When the severity is final: at the latest, while it is not.
    final_at: Option<i64>,
    /// What was due at T.
    first_severity_bps: Option<u16>,
    mean_price_e8: Option<u64>,
    severity_bps: Option<u16>,
    /// Whether the product had its incident.
    is_over: bool,
    exposure: u64,
    /// What the product's covers would be due by the evidence so far.
    due: Option<u64>,
    slots: Vec<SlotView>,
    next: Option<Step>,
}

#[derive(Serialize)]
struct Condition {
    text: String,
    direction: &'static str,
    threshold_e8: u64,
    recovery_e8: u64,
    full_loss_e8: Option<u64>,
    min_severity_bps: Option<u16>,
    duration_seconds: u64,
    slot_seconds: u32,
    tolerance_seconds: u64,
    challenge_seconds: u32,
    run_on_seconds: u32,
    quiet_seconds: u32,
    confidence_multiplier_hundredths: u16,
}

#[derive(Serialize)]
struct LastPrint {
    price_e8: u64,
    confidence_e8: u64,
    publish_time: i64,
    age_seconds: i64,
    says: &'static str,
}

#[derive(Serialize)]
struct WindowView {
    event_at: i64,
    met_at: i64,
    contradicted_until: i64,
    is_met: bool,
}

#[derive(Serialize)]
struct SlotSpan {
    start: i64,
    end: i64,
    open_until: i64,
}

impl From<OpenSlot> for SlotSpan {
    fn from(slot: OpenSlot) -> Self {
        Self { start: slot.start, end: slot.end, open_until: slot.open_until }
    }
}

#[derive(Serialize)]
struct SlotView {
    start: i64,
    end: i64,
    breach_price_e8: Option<u64>,
    recovered: bool,
    /// Whether it counts as one beyond the threshold.
    good: bool,
    in_window: bool,
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
    let shown = view(&case, &standing, now);
    context.options.output.print(&shown, |shown| {
        let mut text = display(shown, &case.trigger.terms, get_text(&case.product.pool.state.label));
        if let Some(drawn) = draw::evidence(&case.trigger.terms, &standing, now, output::width()) {
            text.push('\n');
            text.push_str(&drawn);
        }
        text
    })
}

fn view(case: &Case, standing: &Standing, now: i64) -> Shown {
    let OpenProduct { state, pool, keys } = &case.product;
    let trigger = &case.trigger;
    let (terms, evidence) = (&trigger.terms, &standing.evidence);
    let proven = standing.phase.is_triggered();
    let is_final = standing.phase == Phase::Final;
    let so_far = standing.so_far;
    Shown {
        trigger: keys.trigger().to_string(),
        product: keys.product.to_string(),
        product_name: state.name().into(),
        pool: keys.pool.pool.to_string(),
        decimals: pool.decimals,
        source: source(trigger.source()),
        feed: feed(trigger),
        attestors: (trigger.source() == Source::Attested).then(|| trigger.attestors.to_string()),
        price_account: price_account(trigger).map(|account| account.to_string()),
        condition: Condition {
            text: format!("{}: {}", view::product::condition(terms), view::product::evidence(terms)),
            direction: view::trigger::direction(terms.direction()),
            threshold_e8: terms.threshold,
            recovery_e8: terms.recovery,
            full_loss_e8: terms.payout().full_loss_price(),
            min_severity_bps: terms.payout().min_severity_bps(),
            duration_seconds: terms.duration_seconds(),
            slot_seconds: terms.slot_seconds,
            tolerance_seconds: terms.tolerance_seconds(),
            challenge_seconds: terms.challenge,
            run_on_seconds: terms.run_on,
            quiet_seconds: terms.quiet,
            confidence_multiplier_hundredths: terms.confidence_multiplier,
        },
        now,
        phase: phase(standing.phase),
        stored_phase: phase(trigger.phase()),
        credited_slots: evidence.longest_credited(terms),
        needed_slots: terms.need,
        last_print: (evidence.last_publish_time > 0).then(|| LastPrint {
            price_e8: evidence.last_price,
            confidence_e8: evidence.last_confidence,
            publish_time: evidence.last_publish_time,
            age_seconds: now.saturating_sub(evidence.last_publish_time),
            says: view::trigger::class(terms.direction(), terms.classify(&evidence.last_print())),
        }),
        window: standing.window.map(|window| WindowView {
            event_at: window.event_at,
            met_at: window.met_at,
            contradicted_until: window.contradicted_until,
            is_met: standing.is_met(),
        }),
        breaching_until: standing.breaching_until,
        current_slot: standing.current.filter(|_| !is_final).map(SlotSpan::from),
        closing_slot: standing.closing.filter(|_| !is_final).map(SlotSpan::from),
        proven_at: proven.then(|| evidence.met_at.saturating_add(i64::from(terms.challenge))),
        final_at: standing.final_at,
        first_severity_bps: proven.then_some(evidence.first_severity_bps),
        mean_price_e8: so_far.map(|so_far| so_far.mean_price_e8),
        severity_bps: so_far.map(|so_far| so_far.severity_bps),
        is_over: state.state() == ProductState::Over,
        exposure: state.exposure,
        due: due(case, standing),
        slots: slots(terms, standing),
        next: next_step(case, None, now),
    }
}

/// What the covers are due: of the incident if there is one, else by the evidence so far and the product's buckets.
fn due(case: &Case, standing: &Standing) -> Option<u64> {
    if let Some(incident) = &case.incident {
        return Some(incident.gross);
    }
    let product = &case.product.state;
    let (window, so_far) = (standing.window?, standing.so_far?);
    if product.state() == ProductState::Over {
        return None;
    }
    let affected = product.affected(window.event_at).ok()?;
    losses::gross(affected.sums, so_far.severity_bps)
}

fn slots(terms: &Terms, standing: &Standing) -> Vec<SlotView> {
    let evidence = &standing.evidence;
    let oldest = evidence.head.saturating_add(1).saturating_sub(RING_SLOTS);
    let met = standing.window.filter(|_| standing.is_met());
    let known = (oldest..=evidence.head).filter_map(|slot| {
        let (breach_price_e8, recovered) = (evidence.breach_price(terms, slot), evidence.is_recovered(terms, slot));
        let in_window = met.is_some_and(|window| (window.first_slot..=window.last_slot).contains(&slot));
        (breach_price_e8.is_some() || recovered || in_window).then(|| SlotView {
            start: terms.slot_start(slot),
            end: terms.slot_end(slot),
            breach_price_e8,
            recovered,
            good: evidence.is_good(terms, slot),
            in_window,
        })
    });
    known.collect()
}

/// The account that shows the feed's newest price: of the push oracle the feed itself, of the receiver its standing account.
/// Reports have none.
pub fn price_account(trigger: &Trigger) -> Option<Pubkey> {
    match trigger.source() {
        Source::PythReceiver => Some(standing_account(&trigger.feed)),
        Source::PythPush => Some(Pubkey::new_from_array(trigger.feed)),
        Source::Attested => None,
    }
}

fn display(shown: &Shown, terms: &Terms, label: &str) -> String {
    let now = shown.now;
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
    row("pays", payment(terms));
    row("phase", phase_text(shown));
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

fn phase_text(shown: &Shown) -> String {
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
