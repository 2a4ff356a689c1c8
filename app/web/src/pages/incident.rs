//! Incidents: what is due, who bears it, who was paid what, and what may still come.

use super::{Look, address, more, show, silence};
use crate::chart::{self, Bar, Figure};
use crate::error::PageError;
use crate::history::Past;
use crate::layout::Place;
use crate::say::{self, Asset};
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::extract::{Path, State};
use backstop::state::{Form, Incident, Product, Trigger};
use backstop_client::account::Decode;
use backstop_client::text;
use backstop_client::view::report::{self, IncidentReport, IncidentRow, TriggerReport};
use backstop_client::view::trigger::{Standing, phase, phase_at};
use backstop_client::view::{Case, product::condition_of};
use backstop_index::read::{Payment, Step};
use maud::{Markup, html};

/// Most covers and payments that are shown.
const MOST_SHOWN: usize = 100;

/// All incidents.
pub async fn list(State(site): State<Site>) -> Result<Markup, PageError> {
    show(site, Place::Incidents, |look| {
        let rows: Vec<Vec<Markup>> = report::incidents(&look.chain, None)?.iter().map(row).collect();
        let body = html! {
            h1 { "Incidents" }
            p.lead { "An incident begins when the event of a product is proven. It pays the product's covers, and ends with it." }
            @if rows.is_empty() { p { "There was none." } } @else {
                (chart::listing(
                    "Incidents under way, and what the chain still tells of those that ended",
                    &["Product", "Event", "State", "Severity", "Due", "Set aside", "Paid"],
                    &rows,
                ))
            }
        };
        Ok(("Incidents".into(), body))
    })
    .await
}

fn row(row: &IncidentRow) -> Vec<Markup> {
    let link = |product: &str, name: &str| html! { a href={ "/incident/" (product) } { (say::name(name)) } };
    match row {
        IncidentRow::UnderWay(incident) => {
            let asset = Asset::new(incident.decimals, &incident.label);
            vec![
                link(&incident.product, &incident.product_name),
                html! { (text::moment(incident.event_at)) },
                say::badge("state", incident.state),
                say::part("severity_bps", incident.severity_bps.into()),
                asset.amount("gross", incident.gross),
                html! { (asset.amount("reserve", incident.reserve)) ", " (say::part("ratio_bps", incident.ratio_bps)) },
                asset.amount("paid", incident.paid),
            ]
        }
        IncidentRow::Ended(incident) => {
            let none = || html! { "–" };
            vec![
                link(&incident.product, &incident.product_name),
                html! { (text::moment(incident.event_at)) },
                say::badge("state", incident.state),
                say::part("severity_bps", incident.severity_bps.into()),
                none(),
                none(),
                none(),
            ]
        }
    }
}

/// An incident's page, by its product, trigger or own address.
pub async fn page(State(site): State<Site>, Path(text): Path<String>) -> Result<Markup, PageError> {
    let key = address(&text)?;
    show(site, Place::Incidents, move |look| {
        let snapshot = look.chain.snapshot();
        if ![snapshot.has::<Product>(&key), snapshot.has::<Trigger>(&key), snapshot.has::<Incident>(&key)].contains(&true) {
            return Err(PageError::Missing { what: Incident::WHAT });
        }
        let now = look.now();
        let case = Case::read(&look.chain, key)?;
        let product = &case.product.state;
        let asset = Asset::new(case.product.pool.decimals, &backstop_client::view::label(&case.product.pool.state.label));
        let found = Found::of(&case, now);
        let incident_key = case.product.keys.incident();
        let body = html! {
            p.trail { a href="/incidents" { "Incidents" } }
            h1 { "Incident of " (say::name(product.name())) }
            p {
                "It pays if " (condition_of(&case.trigger)) ". "
                a href={ "/product/" (case.product.keys.product) } { "The product" } ", "
                a href={ "/pool/" (case.product.keys.pool.pool) } { "the pool that pays" } "."
            }
            @match &case.incident {
                Some(incident) => (under_way(look, &case, incident, &asset, now)?),
                None if product.incident_closed != 0 => {
                    p.lead {
                        "It ended: all its covers are paid, and its account is gone. The event began on "
                        (say::moment("event_at", found.event_at, now)) " and cost "
                        (say::part("severity_bps", found.severity_bps.into())) " of each sum insured."
                    }
                }
                None => p.lead { "There is none: the trigger is " (found.phase) "." },
            }
            (timeline(look, &incident_key, &found, case.incident.as_ref(), &asset, now))
            (payments(look, &incident_key, &asset))
            p.note { "The same by command: " (say::command(&format!("backstop incident show {}", case.product.keys.product))) }
        };
        Ok((format!("Incident of {}", say::harmless(product.name())), body))
    })
    .await
}

/// What the trigger has found, whatever its condition is made of.
struct Found {
    event_at: i64,
    severity_bps: u16,
    phase: &'static str,
    /// When what happened.
    steps: Vec<(i64, &'static str)>,
}

impl Found {
    fn of(case: &Case, now: i64) -> Self {
        if case.trigger.form() == Form::Reading {
            return Self::of_reading(&case.trigger, now);
        }
        let trigger = TriggerReport::of(case, &Standing::of(&case.trigger, now), now);
        let mut steps = Vec::new();
        if let Some(window) = trigger.window.as_ref().filter(|window| window.is_met) {
            steps.push((window.event_at, "The event began"));
            steps.push((window.met_at, "The condition was met"));
        }
        steps.extend(trigger.proven_at.map(|at| (at, "It was proven: the challenge was over")));
        steps.extend(trigger.final_at.map(|at| (at, "What is due is final, at the latest")));
        Self {
            event_at: trigger.window.as_ref().map_or(0, |window| window.event_at),
            severity_bps: trigger.severity_bps.unwrap_or_default(),
            phase: trigger.phase,
            steps,
        }
    }

    fn of_reading(trigger: &Trigger, now: i64) -> Self {
        let reading = &trigger.reading;
        let mut steps = vec![(reading.due_at, "The moment whose value counts")];
        if reading.reported_at != 0 {
            steps.push((reading.reported_at, "Attestors reported it"));
        }
        if reading.resolved_at != 0 {
            let what =
                if reading.void == 1 { "It was void: no report stood" } else { "It was resolved: the report stood" };
            steps.push((reading.resolved_at, what));
        }
        let (event_at, _, severity_bps) = trigger.found();
        Self { event_at, severity_bps, phase: phase(phase_at(trigger, now)), steps }
    }
}

fn under_way(look: &Look, case: &Case, incident: &Incident, asset: &Asset, now: i64) -> Result<Markup, PageError> {
    let shown = IncidentReport::read_some(&look.chain, case, incident, MOST_SHOWN, now)?;
    let summary = &shown.summary;
    let state = match (summary.state, summary.crisis, shown.crisis_closed) {
        (_, 0, _) => "Nothing is due for a loss.".to_owned(),
        ("growing", ..) => format!(
            "It can still grow, to {} of each sum insured at the most, until {}.",
            text::percent(summary.most_severity_bps.into()),
            text::moment_from(summary.final_at, now)
        ),
        (_, _, false) => "What is due is fixed; what there is for it can rise until its crisis is closed.".into(),
        (_, _, true) => "What is due is fixed, and so is what there is for it, but for money that comes late.".into(),
    };
    let left = summary.reserve.saturating_sub(summary.paid);
    Ok(html! {
        p.badges { (say::badge("state", summary.state)) }
        p.lead { (state) }
        dl.totals {
            div { dt { "Of each sum insured" } dd { (say::part("severity_bps", summary.severity_bps.into())) } }
            div { dt { "Due" } dd { (asset.amount("gross", summary.gross)) } }
            div { dt { "Set aside" } dd { (asset.amount("reserve", summary.reserve)) } }
            div { dt { "Paid" } dd { (asset.amount("paid", summary.paid)) } }
        }
        (waterfall(&shown, asset))
        section aria-labelledby="still" {
            h2 id="still" { "What may still come" }
            (say::facts(&[
                ("To be paid now", asset.amount("left", left)),
                ("Not set aside yet", asset.amount("missing", summary.gross.saturating_sub(summary.reserve))),
                ("From treaties", html! { (asset.amount("recovered", summary.recovered)) " of " (asset.amount("ceded", summary.ceded)) " came in" }),
                ("Funding it now", html! { @match &shown.losses { Some(losses) => { "takes " (losses.text(asset.decimals)) }, None => "takes nothing" } }),
                ("Premium to give back", asset.amount("refunds_left", shown.refunds_left)),
                ("Covers", html! { (say::count("covers_settled", shown.covers_settled as u64)) " settled, " (say::count("covers_open", shown.covers_open as u64)) " open" }),
                ("Until", html! { (say::moment("deadline", shown.deadline, now)) ": what is left then goes to the surplus" }),
                ("Next, by anybody", html! { @match &shown.next { Some(step) => { (say::command(&step.command)) @if step.from > now { " from " (text::moment_from(step.from, now)) } }, None => "nothing" } }),
            ]))
        }
        (covers(&shown, asset))
    })
}

/// Where the money comes from, from what is due down to what is paid.
fn waterfall(shown: &IncidentReport, asset: &Asset) -> Markup {
    let summary = &shown.summary;
    let treaties = summary.recovered.min(summary.reserve);
    let own = summary.reserve.saturating_sub(treaties);
    let missing = summary.gross.saturating_sub(summary.reserve);
    let bars = [
        ("Due for losses", 0, summary.gross, "exposure"),
        ("Came from treaties", 0, treaties, "layer"),
        ("Came from the pool", treaties, own, "junior"),
        ("Not set aside yet", summary.reserve, missing, "risk"),
        ("Paid to holders so far", 0, summary.paid, "senior"),
    ];
    let description = format!(
        "{} are due. {} are set aside, of which {} came from treaties and {} from the pool's own capital; {} are paid.",
        asset.text(summary.gross),
        asset.text(summary.reserve),
        asset.text(treaties),
        asset.text(own),
        asset.text(summary.paid),
    );
    let mut rows: Vec<Vec<String>> =
        bars.iter().map(|(name, _, units, _)| vec![(*name).into(), asset.exact(*units)]).collect();
    rows.extend(shown.treaties.iter().map(|treaty| {
        let paid = format!("{} of {} paid, {}", asset.text(treaty.paid), asset.text(treaty.owed), treaty.state);
        vec![format!("{} {}", treaty.kind, treaty.treaty), paid]
    }));
    html! {
        section aria-labelledby="waterfall" {
            h2 id="waterfall" { "Who bears it" }
            (chart::bars(
                &Figure { id: "falls", title: "From what is due to what is paid", description, header: &["", "Amount"], rows },
                &bars.map(|(name, from, length, class)| Bar { name: name.into(), says: asset.text(length), from, length, class }),
            ))
        }
    }
}

fn covers(shown: &IncidentReport, asset: &Asset) -> Markup {
    let rows: Vec<Vec<Markup>> = shown
        .covers
        .iter()
        .map(|cover| {
            vec![
                say::short(&cover.cover),
                asset.amount("covers.sum_insured", cover.sum_insured),
                html! { (cover.claim) },
                asset.amount("covers.due", cover.due),
                asset.amount("covers.paid", cover.paid),
                asset.amount("covers.payout", cover.payout),
                html! { @if cover.settled { "settled" } @else { "open" } },
            ]
        })
        .collect();
    html! {
        section aria-labelledby="covers" {
            h2 id="covers" { "Its covers" }
            @if rows.is_empty() { p { "None is due anything." } } @else {
                (chart::listing("Covers that the event concerns", &["Cover", "Insured", "Claim", "Due", "Paid", "Paid if settled now", ""], &rows))
                (more(rows.len(), shown.covers_open + shown.covers_settled, &format!("backstop incident show {} --output json", shown.summary.product)))
            }
        }
    }
}

/// What happened, in its order: by the index, or what the accounts still tell.
fn timeline(look: &Look, key: &Pubkey, found: &Found, incident: Option<&Incident>, asset: &Asset, now: i64) -> Markup {
    let past = look.past(|database| database.timeline(key));
    let quiet = silence(&past);
    let accounts = || {
        let mut steps: Vec<(i64, &str)> = found.steps.clone();
        steps.extend(incident.map(|incident| (incident.opened_at, "The incident was opened")));
        steps.extend(incident.map(|incident| (incident.deadline, "Covers can be paid until then")));
        steps.sort_by_key(|step| step.0);
        steps
    };
    html! {
        section aria-labelledby="timeline" {
            h2 id="timeline" { "Timeline" }
            @match past {
                Past::Known(steps) if !steps.is_empty() => {
                    ol.timeline {
                        @for step in &steps {
                            li { span.when { (text::moment(step.moment.time)) } " " (told(step, asset)) " " (say::short(&step.moment.signature.to_string())) }
                        }
                    }
                }
                _ => {
                    ol.timeline {
                        @for (at, what) in accounts() {
                            li { span.when { (text::moment_from(at, now)) } " " (what) }
                        }
                    }
                    (quiet)
                }
            }
        }
    }
}

/// An event of the index in words.
fn told(step: &Step, asset: &Asset) -> String {
    let amount = step.amount.map(|units| asset.text(units)).unwrap_or_default();
    let severity =
        step.severity_bps.map(|bps| format!(", {} of each sum insured", text::percent(bps.into()))).unwrap_or_default();
    match (&*step.what, step.phase) {
        ("PhaseChanged", Some(1)) => "The price fell below the threshold: breaching".into(),
        ("PhaseChanged", Some(2)) => "The condition was met".into(),
        ("PhaseChanged", Some(3)) => format!("The event was proven{severity}"),
        ("PhaseChanged", Some(4)) => format!("The evidence is final{severity}"),
        ("PhaseChanged", _) => "The trigger is quiet".into(),
        ("IncidentOpened", _) => format!("The incident was opened: {amount} due{severity}"),
        ("IncidentGrown", _) => format!("It grew: {amount} due{severity}"),
        ("TreatyCalled", _) => format!("A treaty paid {amount}"),
        ("IncidentFunded", _) => format!("{amount} were set aside for its covers"),
        ("CrisisClosed", _) => format!("Its crisis was closed: there are {amount} for its covers"),
        ("DeadlineExtended", _) => "Its deadline was moved".into(),
        ("IncidentClosed", _) => format!("It was closed: {amount} left went to the surplus"),
        (other, _) => say::harmless(other),
    }
}

/// Who was paid what.
fn payments(look: &Look, key: &Pubkey, asset: &Asset) -> Markup {
    let past = look.past(|database| database.payments(key));
    let Past::Known(payments) = past else { return html! {} };
    html! {
        section aria-labelledby="payments" {
            h2 id="payments" { "Who was paid" }
            @if payments.is_empty() { p { "Nobody yet." } } @else {
                (chart::listing("Payments", &["When", "Holder", "For the loss", "Premium back", "Transaction"], &rows_of(&payments, asset)))
                (more(payments.len().min(MOST_SHOWN), payments.len(), "backstop index export"))
            }
        }
    }
}

/// Payments as rows: when, to whom, how much, and where on the chain.
pub fn rows_of(payments: &[Payment], asset: &Asset) -> Vec<Vec<Markup>> {
    payments
        .iter()
        .take(MOST_SHOWN)
        .map(|payment| {
            let holder = payment.holder.to_string();
            vec![
                html! { (text::moment(payment.moment.time)) },
                html! { a href={ "/holder/" (holder) } { (say::short(&holder)) } },
                asset.amount("payments.amount", payment.amount),
                asset.amount("payments.refund", payment.refund),
                say::short(&payment.moment.signature.to_string()),
            ]
        })
        .collect()
}
