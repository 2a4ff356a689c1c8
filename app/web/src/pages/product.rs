//! A product: what it pays for, what it costs and why, and where its condition stands.

use super::{Look, address, show, silence};
use crate::chart::{self, Figure, Line, OverTime, Part};
use crate::error::PageError;
use crate::layout::Place;
use crate::metadata;
use crate::replays::{self, Known};
use crate::say::{self, Asset};
use crate::sign::forms;
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::extract::{Path, Query, State};
use backstop::peril::feed::Source;
use backstop::state::{CoverRequest, Form, Incident, Product};
use backstop_client::account;
use backstop_client::quote::Market;
use backstop_client::text;
use backstop_client::units::{Amount, whole};
use backstop_client::view::price;
use backstop_client::view::product::{
    condition_of, demand_rate, evidence_of, not_covered_of, payment_of, reading_sentence, reading_state, risk_rate,
    yearly_text,
};
use backstop_client::view::report::{AnnouncedReport, ProductReport, ProductSummary, TriggerReport};
use backstop_client::view::trigger::{Armed, Standing};
use backstop_client::view::{Case, OpenProduct};
use backstop_index::read::{PriceHistory, Says};
use maud::{Markup, html};
use std::collections::HashMap;

/// How far back prices are shown, in seconds.
const DAYS_BACK: i64 = 14 * 86_400;
/// Most slots in a picture's table.
const MOST_ROWS: usize = 400;

/// Most reports and readings that are listed.
const MOST_SHOWN: usize = 50;

/// A product's page.
pub async fn page(
    State(site): State<Site>,
    Path(text): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Markup, PageError> {
    let key = address(&text)?;
    show(site, Place::Elsewhere, move |look| {
        look.require::<Product>(&key)?;
        let open = OpenProduct::read(&look.chain, key)?;
        let body = if open.state.has_condition() { sold(look, &open, &query)? } else { announced(look, &open) };
        Ok((say::harmless(open.state.name()), body))
    })
    .await
}

fn head(summary: &ProductSummary) -> Markup {
    html! {
        p.trail { a href="/" { "Pools" } " / " a href={ "/pool/" (summary.pool) } { (say::name(&summary.label)) " pool" } }
        h1 { (say::name(&summary.name)) }
        p.badges {
            (say::badge("state", summary.state)) " " (say::badge("phase", summary.phase))
            @if let Some(until) = summary.armed_until { " " (say::armed(until)) }
        }
    }
}

/// `product` is its address, if its accounts tell what wallets show, and `is_proven` whether its link leads to that.
fn wording(uri: &str, sha256: &str, product: Option<(&Pubkey, bool)>) -> Markup {
    html! {
        section aria-labelledby="wording" {
            h2 id="wording" { "Wording" }
            p {
                "What counts is the program and this wording, which the product names by its hash and cannot change. This \
                 page does not fetch it: fetch it yourself and compare."
            }
            (say::facts(&[
                ("Where NFTs link to", html! { code.address { (say::harmless(uri)) } }),
                ("Sha-256 of the wording", say::hash("wording_sha256", sha256)),
            ]))
            @if let Some((product, is_proven)) = product {
                p {
                    @if is_proven {
                        strong.good { "The link is good: " }
                        "it is named by the hash of what these accounts give, so it can lead to nothing else. "
                    } @else {
                        "The link is not named by what these accounts give: what is behind it, and whether it stays, is up to \
                         whoever hosts it. "
                    }
                    a href={ "/metadata/product/" (product) } { "What wallets should show" }
                }
            }
        }
    }
}

/// A product that has no condition yet.
fn announced(look: &Look, open: &OpenProduct) -> Markup {
    let shown = AnnouncedReport::of(open, look.now());
    let terms = &open.state.terms;
    html! {
        (head(&shown.summary))
        p.lead { "It is announced and has no condition yet: its notice begins when governance sets one. Nothing is sold." }
        (say::facts(&[
            ("Insures", say::address(&shown.covered_asset)),
            ("Risk rate", html! { (risk_rate(shown.summary.risk_rate_ppb, terms)) }),
            ("Demand rate", html! { (demand_rate(terms)) }),
            ("Term", html! { (terms.min_term_days) " to " (terms.max_term_days) " days" }),
        ]))
        (wording(&shown.uri, &shown.wording_sha256, None))
    }
}

fn sold(look: &Look, open: &OpenProduct, query: &HashMap<String, String>) -> Result<Markup, PageError> {
    let now = look.now();
    let key = open.keys.product;
    let market = Market::fetch(&look.chain, &open.keys)?;
    let incident: Option<Incident> = account::find(&look.chain, &open.keys.incident())?;
    let shown = ProductReport::of(&open.keys, &market, incident.as_ref(), now);
    let condition = match market.trigger.form() {
        Form::Reading => reading(&market, &shown, &key, now),
        Form::Evidence => {
            let case = Case::read(&look.chain, key)?;
            let standing = Standing::of(&case.trigger, now);
            prices(look, &TriggerReport::of(&case, &standing, now), &key, now)
        }
    };
    let asset = Asset::new(shown.summary.decimals, &shown.summary.label);
    Ok(html! {
        (head(&shown.summary))
        @if shown.incident.is_some() {
            p.alarm {
                strong { "Its event happened. " }
                a href={ "/incident/" (key) } { "What is due, and what was paid" }
            }
        }
        @if let Some(armed) = &shown.armed { (is_armed(armed, now)) }
        section aria-labelledby="covered" {
            h2 id="covered" { "What it pays for" }
            div.columns {
                div {
                    h3 { "Covered" }
                    p { "It pays if " strong { (condition_of(&market.trigger)) } "." }
                    p { "It pays " (payment_of(&market.trigger, &market.product.terms)) "." }
                    p { "Proof: " (evidence_of(&market.trigger)) "." }
                }
                div {
                    h3 { "Not covered" }
                    ul.plain { @for sentence in not_covered_of(&market.trigger, &market.product.terms) { li { (sentence) } } }
                }
            }
        }
        (price_of(&shown, &market, &asset, query, now))
        (forms::buy(&look.chain, &key, query))
        (condition)
        (was_shown(look, &market, &key, now))
        (past_event(&market))
        section aria-labelledby="terms" {
            h2 id="terms" { "Terms and limits" }
            (facts(&shown, &market, &asset, now))
        }
        (wording(&shown.uri, &shown.wording_sha256, Some((&key, metadata::is_proven(&open.state, &market.trigger)))))
        p.note { "The same by command: " (say::command(&format!("backstop product show {key}"))) }
    })
}

/// The price of a cover, split. The sum and the days of the query, if it has good ones.
fn price_of(
    shown: &ProductReport,
    market: &Market,
    asset: &Asset,
    query: &HashMap<String, String>,
    now: i64,
) -> Markup {
    let asked = || {
        let sum: Amount = query.get("sum")?.trim().parse().ok()?;
        let term_days: u16 = whole(query.get("days")?.trim())?;
        let request = CoverRequest { sum_insured: sum.units(asset.decimals).ok()?, term_days };
        Some((market.quote(request, now).ok()?, term_days))
    };
    let example = || {
        let example = shown.summary.example.as_ref()?;
        let request = CoverRequest { sum_insured: example.sum_insured, term_days: example.term_days };
        Some((market.quote(request, now).ok()?, example.term_days))
    };
    html! {
        section aria-labelledby="price" {
            h2 id="price" { "Price" }
            @if let Some((quote, days)) = asked().or_else(example) {
                @let parts = price::parts(market, &quote, days);
                @let rate = backstop_client::view::product::yearly_ppb(quote.premium, quote.sum_insured, days);
                p {
                    (asset.amount("example.sum_insured", quote.sum_insured)) " insured for "
                    data value=(days) data-field="example.term_days" { (days) } " days costs "
                    strong { (asset.amount("example.premium", quote.premium)) } ", "
                    data.number value=(rate) data-field="example.rate_ppb" { (yearly_text(rate)) } " a year."
                }
                @let description = format!(
                    "Of {} premium {} are for the risk, {} are added in case it is underestimated, and {} for demand{}.",
                    asset.text(quote.premium), asset.text(parts.risk), asset.text(parts.loading), asset.text(parts.demand),
                    if parts.is_least { ", which here fills up to the product's smallest premium" } else { "" },
                );
                @let rows = [("Risk", parts.risk, "risk"), ("Loading", parts.loading, "loading"), ("Demand", parts.demand, "demand")];
                (chart::parts(
                    &Figure {
                        id: "split",
                        title: "What the premium is made of",
                        description,
                        header: &["Part", "Premium"],
                        rows: rows.iter().map(|(name, units, _)| vec![(*name).into(), asset.exact(*units)]).collect(),
                    },
                    &rows.map(|(name, units, class)| Part { name: name.into(), says: asset.text(units), units, class }),
                ))
            } @else if let Some(reason) = &shown.summary.reason {
                p { "Nothing is sold now. " (reason) "." }
            } @else {
                p { "Nothing is sold now." }
            }
        }
    }
}

/// The price against the threshold, with the slots that count.
fn prices(look: &Look, trigger: &TriggerReport, key: &Pubkey, now: i64) -> Markup {
    let from = now.saturating_sub(DAYS_BACK);
    let past = look.past(|database| database.price_history(key, from, now.saturating_add(1)));
    let quiet = silence(&past);
    let known = past.known().flatten();
    html! {
        section aria-labelledby="prices" {
            h2 id="prices" { "Where the condition stands" }
            p {
                strong { (phase_text(trigger)) } " "
                data value=(trigger.credited_slots) data-field="credited_slots" { (trigger.credited_slots) } " of "
                data value=(trigger.needed_slots) data-field="needed_slots" { (trigger.needed_slots) } " slots count."
            }
            @if let Some(print) = &trigger.last_print {
                p {
                    "The newest price that was shown is " (say::price("last_print.price_e8", print.price_e8)) " ± "
                    (say::price("last_print.confidence_e8", print.confidence_e8)) ", published "
                    (text::moment_from(print.publish_time, now)) "."
                }
            } @else { p { "No price was shown yet." } }
            (picture(trigger, known.as_ref(), now))
            (quiet)
            @if let Some(next) = &trigger.next { p { "Next, by anybody: " (say::command(&next.command)) @if next.from > now { " from " (text::moment_from(next.from, now)) } "." } }
        }
    }
}

/// What follows from a fall that armed a product: until when nothing is sold, what would prove the event, and what comes
/// if nothing does.
fn is_armed(armed: &Armed, now: i64) -> Markup {
    html! {
        div.alarm id="armed" {
            p {
                strong { "Armed: what the protocol holds has fallen. " }
                "It holds " (say::price("armed.mean_price_e8", armed.mean_price_e8)) " of what it held before. Nothing is sold \
                 until " (say::moment("armed.until", armed.until, now)) "."
            }
            p {
                "The fall alone pays nothing. It pays once enough of its attestors report that the protocol lost the money"
                @if armed.proven_from > now { ", not before " (say::moment("armed.proven_from", armed.proven_from, now)) }
                ". Paid is the lesser of the loss that they report and this fall: at most "
                (say::part("armed.severity_bps", armed.severity_bps.into())) " of each sum insured."
            }
            @if let Some(until) = armed.reported_until {
                p {
                    "One of them has reported a loss: the pool's capital stays until "
                    (say::moment("armed.reported_until", until, now)) ", unless enough report it."
                }
            } @else {
                p { "As soon as one of them reports a loss, the pool's capital stays for 72 h." }
            }
            p {
                "If enough of them do not report it, it sells again from then. Another fall counts from "
                (say::moment("armed.rests_until", armed.rests_until, now)) " on."
            }
        }
    }
}

/// What was shown to a condition that no market's price meets: what attestors and readings said, by the index.
fn was_shown(look: &Look, market: &Market, key: &Pubkey, now: i64) -> Markup {
    // Of prices the picture tells.
    if market.trigger.form() == Form::Evidence
        && matches!(market.trigger.source(), Source::PythReceiver | Source::PythPush)
    {
        return html! {};
    }
    let past = look.past(|database| database.shown(key, MOST_SHOWN));
    let quiet = silence(&past);
    let known = past.known().flatten();
    let rows: Vec<Vec<Markup>> = known
        .iter()
        .flat_map(|history| history.shown.iter().rev())
        .map(|shown| {
            vec![
                say::moment("shown.of", shown.of, now),
                html! { (shown.says.words()) },
                say::short(&shown.moment.signature.to_string()),
            ]
        })
        .collect();
    html! {
        section aria-labelledby="shown" {
            h2 id="shown" { "What was reported and read" }
            @if rows.is_empty() {
                @if known.is_some() { p { "Nothing yet." } }
            } @else {
                p.note { "The newest first. Who signed a report is in its transaction." }
                (chart::listing("Reports and readings", &["Of", "What it said", "Transaction"], &rows))
                @if known.is_some_and(|history| history.is_cut) {
                    p.note { "There is more: " (say::command(&format!("backstop index shown {key}"))) }
                }
            }
            (quiet)
        }
    }
}

/// Where a reading stands, and who says what its value was.
fn reading(market: &Market, shown: &ProductReport, key: &Pubkey, now: i64) -> Markup {
    let (reading, attestors) = (&market.trigger.reading, market.trigger.attestors);
    let stands = reading.reported_at != 0;
    let value = shown.reading.as_ref().and_then(|reading| reading.value_e8);
    let pays = shown.reading.as_ref().and_then(|reading| reading.severity_bps);
    html! {
        section aria-labelledby="reading" {
            h2 id="reading" { "Where the reading stands" }
            p { (reading_sentence(reading, &attestors)) }
            p { "It is " strong { (reading_state(reading)) } "." }
            (say::facts(&[
                ("Due", say::moment("reading.due_at", reading.due_at, now)),
                ("Reports are taken until", say::moment("reading.reports_until", reading.reports_until, now)),
                ("Strike", say::price("reading.strike_e8", reading.strike)),
                ("All is paid at", say::price("reading.exit_e8", reading.exit)),
                ("Value reported", html! { @if let Some(value) = value { (say::price("reading.value_e8", value)) } @else { "none yet" } }),
                ("Which pays", html! { @if let Some(pays) = pays { (say::part("reading.severity_bps", pays.into())) " of each sum insured" } @else { "–" } }),
                ("Attestors", say::address(&attestors.to_string())),
            ]))
            @if stands || now > reading.reports_until {
                p { "Next, by anybody: " (say::command(&format!("backstop trigger resolve {key}"))) "." }
            }
        }
    }
}

fn phase_text(trigger: &TriggerReport) -> &'static str {
    // With two keys a fall alone is no breach: a report is.
    let two_keys = trigger.source == "vault-drop";
    match trigger.phase {
        "quiet" if trigger.armed_until.is_some() => "Armed: a fall was read, and no loss is reported.",
        "breaching" if two_keys => "Reported: an attestor says that money was lost. The others have not confirmed it.",
        "quiet" => "Quiet: nothing points to an event.",
        "breaching" => "Breaching: the price is below the threshold, and nothing is sold.",
        "met" => "Met: until the challenge is over a price can still contradict it.",
        "triggered" => "Triggered: the event is proven, and what is paid can only grow.",
        _ => "Final: the event is proven, and what is paid is fixed.",
    }
}

fn picture(trigger: &TriggerReport, history: Option<&PriceHistory>, now: i64) -> Markup {
    let condition = &trigger.condition;
    let slot = i64::from(condition.slot_seconds);
    // What the account keeps: the highest breach of each slot. What the index keeps: the newest price of each.
    let mut points: Vec<(i64, u64)> = match history {
        Some(history) => history.points.iter().map(|point| (point.start, point.last_e8)).collect(),
        None => trigger.slots.iter().filter_map(|slot| Some((slot.start, slot.breach_price_e8?))).collect(),
    };
    if let Some(print) = &trigger.last_print
        && points.last().is_none_or(|last| last.0 < print.publish_time)
    {
        points.push((print.publish_time, print.price_e8));
    }
    let begin = points.first().map_or(now.saturating_sub(86_400), |point| point.0);
    let mut bands: Vec<(i64, i64, &'static str)> = history
        .map(|history| {
            let breaches = history.points.iter().filter(|point| point.says == Says::Breach);
            breaches.map(|point| (point.start, point.start.saturating_add(slot), "breach")).collect()
        })
        .unwrap_or_default();
    let counted = trigger.slots.iter().filter(|slot| slot.breach_price_e8.is_some() || slot.in_window);
    bands.extend(counted.map(|slot| (slot.start, slot.end, if slot.in_window { "window" } else { "breach" })));
    let mut rows: Vec<Vec<String>> = match history {
        Some(history) => history
            .points
            .iter()
            .map(|point| {
                let says = match point.says {
                    Says::Breach => "below the threshold",
                    Says::Recovered => "recovered",
                    Says::Open => "nothing",
                };
                vec![
                    text::moment(point.start),
                    text::exact_price(point.last_e8),
                    text::exact_price(point.low_e8),
                    says.to_owned(),
                ]
            })
            .collect(),
        None => trigger
            .slots
            .iter()
            .map(|slot| {
                let price = slot.breach_price_e8.map_or_else(|| "–".into(), text::exact_price);
                let says = match (slot.in_window, slot.good, slot.recovered) {
                    (true, ..) => "counted",
                    (_, true, _) => "below the threshold",
                    (_, _, true) => "recovered",
                    _ => "nothing",
                };
                vec![text::moment(slot.start), price.clone(), price, says.to_owned()]
            })
            .collect(),
    };
    // The newest are kept.
    rows.drain(..rows.len().saturating_sub(MOST_ROWS));
    let breaches = bands.len();
    let description = format!(
        "The price against the threshold of {}, from {}. {} of {} count towards the event: they are marked.",
        text::exact_price(condition.threshold_e8),
        text::moment(begin),
        match breaches {
            1 => "1 slot".to_owned(),
            many => format!("{many} slots"),
        },
        text::duration(condition.slot_seconds.into()),
    );
    let figure = Figure {
        id: "price-history",
        title: "Price against the threshold",
        description,
        header: &["Slot", "Last price", "Lowest", "Says"],
        rows,
    };
    chart::over_time(
        &figure,
        &OverTime {
            span: (begin, now),
            lines: vec![Line { name: "Price".into(), class: "price", points, steps: true }],
            levels: vec![
                (condition.recovery_e8, format!("Recovery, {}", text::exact_price(condition.recovery_e8)), "recovery"),
                (
                    condition.threshold_e8,
                    format!("Threshold, {}", text::exact_price(condition.threshold_e8)),
                    "threshold",
                ),
            ],
            bands,
            least_span: 1_000_000,
            says: &|value| text::price(value).get(..6).unwrap_or_default().to_owned(),
        },
    )
}

/// What would have been paid.
fn past_event(market: &Market) -> Markup {
    // Of what attestors report the price of a coin says nothing.
    let is_price = matches!(market.trigger.source(), Source::PythReceiver | Source::PythPush);
    let Some(known) = is_price.then(|| replays::march_2023(&market.trigger.terms)).flatten() else { return html! {} };
    html! {
        section aria-labelledby="past" {
            h2 id="past" { "What it would have paid" }
            p {
                "From 10 to 12 March 2023 USDC fell below 0.90. These are the rounds of Chainlink's USDC/USD feed of those \
                 days, each held until the next and shown to this condition, on the real program:"
            }
            @match known {
                Known::Soon => p.note { "It is being worked out: load this page again in some seconds." },
                Known::Never(why) => p.note { "It cannot be worked out: " (why) "." },
                Known::Found(found) => {
                    @if found.fired.is_empty() {
                        p {
                            strong { "Nothing. " } "The longest time that counted was "
                            (text::span(i64::try_from(found.longest_credited_s).unwrap_or(i64::MAX))) "."
                        }
                    }
                    @for fired in &found.fired {
                        p {
                            strong { (text::percent(fired.severity_bps.into())) " of each sum insured. " }
                            "The event would have begun on " (text::moment(fired.event_at)) ", been proven on "
                            (text::moment(fired.final_at)) ", at a mean price of " (text::price(fired.deepest_mean_e8)) "."
                        }
                    }
                    p.note { "The past says what the condition does, not what the future brings." }
                }
            }
        }
    }
}

fn facts(shown: &ProductReport, market: &Market, asset: &Asset, now: i64) -> Markup {
    let (summary, terms) = (&shown.summary, &market.product.terms);
    let state = match summary.state {
        "announced" => html! { "announced, sells from " (say::moment("sells_from", summary.sells_from, now)) },
        state => html! { (state) },
    };
    say::facts(&[
        ("State", state),
        ("Insures", say::address(&shown.covered_asset)),
        (
            "Insured",
            html! { (asset.amount("exposure", summary.exposure)) ", " (say::part("utilisation_bps", summary.utilisation_bps.into())) " of capacity" },
        ),
        ("Capacity", asset.amount("capacity", summary.capacity)),
        (
            "Largest cover now",
            html! { @if let Some(largest) = summary.largest_sum { (asset.amount("largest_sum", largest)) } @else { "none" } },
        ),
        (
            "Left now",
            html! { (asset.amount("left_now", summary.left_now)) "; a day sells " (say::part("daily_bps", shown.daily_bps.into())) " of capacity" },
        ),
        ("Term", html! { (shown.min_term_days) " to " (shown.max_term_days) " days" }),
        ("Waiting time", html! { (text::duration(shown.waiting_seconds.into())) ", then from the next midnight UTC" }),
        (
            "Cancelling",
            html! { "gives the unearned premium back, less " (say::part("cancel_fee_bps", shown.cancel_fee_bps.into())) ", at most the part for the time that is left; while nothing is wrong" },
        ),
        (
            "Risk rate",
            html! { (say::rate("risk_rate_ppb", summary.risk_rate_ppb)) " a year: " (risk_rate(summary.risk_rate_ppb, terms)) },
        ),
        (
            "Demand rate",
            html! { (demand_rate(terms)) "; times a level of " (say::part("level_bps", summary.level_bps.into())) " now" },
        ),
        ("Covers sold", say::count("covers_sold", summary.covers_sold)),
        ("Price feed", html! { (shown.source) " " (say::address(&shown.feed)) }),
        ("Trigger", say::address(&shown.trigger)),
        ("Product", say::address(&summary.product)),
    ])
}
