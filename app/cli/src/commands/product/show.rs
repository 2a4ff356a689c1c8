//! `backstop product list` and `backstop product show`.

use crate::commands::args::{PoolArg, ProductArg, asset_text};
use crate::commands::context::Context;
use crate::output::{amount, card, duration, exact_price, listing, moment, paragraph, percent, span, table, thousands};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::cpi::text::hex_text;
use backstop::error::BackstopError;
use backstop::math::pricing::utilisation_bps;
use backstop::peril::evidence::Phase;
use backstop::peril::reading::READING_CHALLENGE;
use backstop::state::{CoverRequest, Form, Incident, Pool, Product, ProductState, Protocol, Trigger, day_of, get_text};
use backstop_client::explain::explain_refusal;
use backstop_client::instruction::ProductKeys;
use backstop_client::quote::Market;
use backstop_client::view;
use backstop_client::view::OpenProduct;
use backstop_client::{Cluster, account, address};
use clap::Args;
use serde::Serialize;
use std::collections::HashMap;

/// Sum of the example price, in whole units of the asset.
const EXAMPLE_SUM: u64 = 1_000;
/// Term of the example price, if the product sells it.
const EXAMPLE_DAYS: u16 = 30;

/// List products with what they cost now.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop product list --pool EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0")]
pub struct ListArgs {
    /// Only those of a pool: its address, or MINT/NUMBER.
    #[arg(long)]
    pool: Option<PoolArg>,
}

/// Show a product: what triggers it, how it pays, what it costs, what is left.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop product show EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0/0")]
pub struct ShowArgs {
    /// The product: its address, or MINT/POOL/PRODUCT.
    product: ProductArg,
}

#[derive(Serialize)]
struct Summary {
    product: String,
    pool: String,
    id: u16,
    name: String,
    label: String,
    decimals: u8,
    state: &'static str,
    phase: &'static str,
    exposure: u64,
    capacity: u64,
    utilisation_bps: u32,
    level_bps: u32,
    risk_rate_ppb: u64,
    /// What the day leaves to be sold: a product sells no more in a UTC day than a part of its capacity.
    left_today: u64,
    covers_sold: u64,
    sells_from: i64,
    /// Largest cover of the example's term that is sold now; `None` if none is.
    largest_sum: Option<u64>,
    example: Option<Example>,
    /// Why nothing is sold now, by the program's name for it.
    refusal: Option<String>,
    /// The same in its words.
    #[serde(skip)]
    reason: Option<String>,
}

/// What a cover would cost now.
#[derive(Serialize)]
struct Example {
    sum_insured: u64,
    term_days: u16,
    premium: u64,
    rate_ppb: u64,
}

/// A product without condition: nothing is sold, and nothing is known of a price.
fn without_condition(address: Pubkey, product: &Product, pool: &Pool, now: i64) -> Summary {
    Summary {
        product: address.to_string(),
        pool: product.pool.to_string(),
        id: product.id,
        name: product.name().to_owned(),
        label: get_text(&pool.label).to_owned(),
        decimals: pool.asset_decimals,
        state: view::product::state(product, now),
        phase: view::trigger::phase(Phase::Quiet),
        exposure: 0,
        capacity: product.capacity(pool).unwrap_or_default(),
        utilisation_bps: 0,
        left_today: 0,
        level_bps: product.level_bps,
        risk_rate_ppb: product.risk_rate_ppb,
        covers_sold: 0,
        sells_from: 0,
        largest_sum: None,
        example: None,
        refusal: Some(format!("{:?}", BackstopError::NotSelling)),
        reason: Some("its condition is not set".into()),
    }
}

fn summary(address: Pubkey, market: &Market, now: i64) -> Summary {
    let Market { pool, product, trigger, .. } = market.up_to_date(now);
    let capacity = product.capacity(&pool).unwrap_or_default();
    let term_days = EXAMPLE_DAYS.clamp(product.terms.min_term_days, product.terms.max_term_days);
    let largest = market.largest_sum(term_days, now);
    let example = largest.ok().and_then(|largest| {
        let one = 10u64.checked_pow(pool.asset_decimals.into())?;
        let sum_insured = EXAMPLE_SUM.saturating_mul(one).clamp(pool.terms.min_sum_insured, largest);
        let premium = market.quote(CoverRequest { sum_insured, term_days }, now).ok()?.premium;
        Some(Example {
            sum_insured,
            term_days,
            premium,
            rate_ppb: view::product::yearly_ppb(premium, sum_insured, term_days),
        })
    });
    Summary {
        phase: view::trigger::phase(view::trigger::phase_at(&trigger, now)),
        exposure: product.exposure,
        capacity,
        utilisation_bps: utilisation_bps(product.exposure, capacity),
        left_today: product
            .left_today(capacity, day_of(now))
            .unwrap_or_default()
            .min(capacity.saturating_sub(product.exposure)),
        covers_sold: product.covers_sold,
        sells_from: product.sells_from,
        largest_sum: largest.ok(),
        example,
        refusal: largest.err().map(|refusal| format!("{refusal:?}")),
        reason: largest.err().map(|refusal| explain_refusal(refusal).sentence),
        // Name, place and price are told alike.
        ..without_condition(address, &product, &pool, now)
    }
}

pub fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let of_pool = args.pool.map(|pool| (0, pool.0));
    let products = account::list::<Product>(cluster, of_pool)?;
    let mut rows = Vec::with_capacity(products.len());
    if !products.is_empty() {
        let protocol: Protocol = account::fetch(cluster, &address::protocol())?;
        let pools: HashMap<Pubkey, Pool> = match args.pool {
            Some(PoolArg(pool)) => HashMap::from([(pool, account::fetch(cluster, &pool)?)]),
            None => account::list(cluster, None)?.into_iter().collect(),
        };
        // A trigger names its product first and its pool after it.
        let of_pool = args.pool.map(|pool| (32, pool.0));
        let triggers: HashMap<Pubkey, Trigger> = account::list(cluster, of_pool)?.into_iter().collect();
        for (address, product) in products {
            let Some(pool) = pools.get(&product.pool) else { continue };
            if !product.has_condition() {
                rows.push(without_condition(address, &product, pool, now));
                continue;
            }
            let Some(trigger) = triggers.get(&product.trigger) else { continue };
            let market = Market {
                protocol: protocol.clone(),
                pool: Box::new(*pool),
                product: Box::new(product),
                trigger: Box::new(*trigger),
            };
            rows.push(summary(address, &market, now));
        }
    }
    rows.sort_by(|left, right| (&left.label, &left.pool, left.id).cmp(&(&right.label, &right.pool, right.id)));
    context.options.output.print(&rows, |rows| list_text(rows))
}

fn list_text(rows: &[Summary]) -> String {
    if rows.is_empty() {
        return "No products.".into();
    }
    let mut table = table(&["product", "pays if", "state", "a year", "insured", "left"], &[3, 4, 5]);
    for row in rows {
        let state = if row.phase == "quiet" || row.state == "over" { row.state } else { row.phase };
        let left = left(row).map_or_else(|| "-".into(), |left| amount(left, row.decimals));
        table.add_row([
            row.product.clone(),
            row.name.clone(),
            state.to_owned(),
            row.example.as_ref().map_or_else(|| "-".into(), |example| view::product::yearly_text(example.rate_ppb)),
            amount(row.exposure, row.decimals),
            left,
        ]);
    }
    listing(&table)
}

/// What can be insured beyond the covers that are live; `None` if the product sells no more, or not for now.
fn left(row: &Summary) -> Option<u64> {
    matches!(row.state, "selling" | "announced").then(|| row.capacity.saturating_sub(row.exposure))
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    summary: Summary,
    covered_asset: String,
    uri: String,
    wording_sha256: String,
    risk_group: u32,
    risk_rate_floor_ppb: u64,
    risk_rate_ceiling_ppb: u64,
    risk_rate_step_ppb: u64,
    risk_rate_at: i64,
    loading_bps: u32,
    min_premium: u64,
    max_sum_insured: u64,
    min_term_days: u16,
    max_term_days: u16,
    daily_bps: u16,
    waiting_seconds: u32,
    cancel_fee_bps: u16,
    max_price_age_seconds: u32,
    no_sale_buffer_bps: u32,
    trigger: String,
    source: &'static str,
    feed: String,
    direction: &'static str,
    threshold_e8: u64,
    recovery_e8: u64,
    full_loss_price_e8: Option<u64>,
    duration_seconds: u64,
    slot_seconds: u32,
    tolerance_seconds: u64,
    challenge_seconds: u32,
    confidence_multiplier_hundredths: u16,
    last_price_e8: u64,
    last_confidence_e8: u64,
    last_publish_time: i64,
    incident: Option<String>,
    event_at: Option<i64>,
}

pub fn show(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let open = args.product.open(cluster)?;
    let keys: ProductKeys = open.keys;
    let now = cluster.now()?;
    if !open.state.has_condition() {
        return show_announced(&open, now, context);
    }
    let market = Market::fetch(cluster, &keys)?;
    let incident: Option<Incident> = account::find(cluster, &keys.incident())?;
    let Market { pool, product, trigger, .. } = &market;
    let (terms, condition) = (&product.terms, &trigger.terms);
    let shown = Shown {
        summary: summary(keys.product, &market, now),
        covered_asset: product.covered_asset.to_string(),
        uri: product.uri().to_owned(),
        wording_sha256: hex_text(&product.wording_hash),
        risk_group: terms.risk_group,
        risk_rate_floor_ppb: terms.risk_rate_floor_ppb,
        risk_rate_ceiling_ppb: terms.risk_rate_ceiling_ppb,
        risk_rate_step_ppb: terms.risk_rate_step_ppb,
        risk_rate_at: product.risk_rate_at,
        loading_bps: terms.loading_bps,
        min_premium: terms.min_premium,
        max_sum_insured: terms.max_sum_insured,
        min_term_days: terms.min_term_days,
        max_term_days: terms.max_term_days,
        daily_bps: terms.daily_bps,
        waiting_seconds: terms.waiting_seconds,
        cancel_fee_bps: terms.cancel_fee_bps,
        max_price_age_seconds: terms.max_price_age,
        no_sale_buffer_bps: terms.no_sale_buffer_bps,
        trigger: keys.trigger().to_string(),
        source: view::trigger::source(trigger.source()),
        feed: view::trigger::feed(trigger),
        direction: view::trigger::direction(condition.direction()),
        threshold_e8: condition.threshold,
        recovery_e8: condition.recovery,
        full_loss_price_e8: Some(condition.full_loss_price).filter(|price| *price > 0),
        duration_seconds: condition.duration_seconds(),
        slot_seconds: condition.slot_seconds,
        tolerance_seconds: condition.tolerance_seconds(),
        challenge_seconds: condition.challenge,
        confidence_multiplier_hundredths: condition.confidence_multiplier,
        last_price_e8: trigger.evidence.last_price,
        last_confidence_e8: trigger.evidence.last_confidence,
        last_publish_time: trigger.evidence.last_publish_time,
        incident: incident.map(|incident| view::incident::state(incident.state).to_owned()),
        event_at: Some(product.event_at).filter(|at| *at > 0),
    };
    let not_covered = view::product::not_covered_of(trigger, terms.waiting_seconds);
    let asset = |units| asset_text(pool, units);
    context.options.output.print(&shown, |shown| {
        let mut text = card(&shown.summary.name, &rows(shown, &market, &asset, now));
        text.push('\n');
        for sentence in not_covered {
            text.push_str(&paragraph(&sentence));
        }
        text
    })
}

/// A product that has no condition yet, or was run off before it had one.
#[derive(Serialize)]
struct Announced {
    #[serde(flatten)]
    summary: Summary,
    covered_asset: String,
    uri: String,
    wording_sha256: String,
}

fn show_announced(open: &OpenProduct, now: i64, context: &Context) -> Result<()> {
    let (product, pool) = (&open.state, &open.pool.state);
    let shown = Announced {
        summary: without_condition(open.keys.product, product, pool, now),
        covered_asset: product.covered_asset.to_string(),
        uri: product.uri().to_owned(),
        wording_sha256: hex_text(&product.wording_hash),
    };
    context.options.output.print(&shown, |shown| {
        let terms = &product.terms;
        let state = match product.state() {
            ProductState::Announced => "announced, no condition yet: its notice begins when governance sets it".into(),
            _ => format!("{}, and it never had a condition", shown.summary.state),
        };
        let rows = [
            ("address", shown.summary.product.clone()),
            ("pool", format!("{} {}", shown.summary.pool, shown.summary.label)),
            ("state", state),
            ("insures", shown.covered_asset.clone()),
            ("risk rate", view::product::risk_rate(shown.summary.risk_rate_ppb, terms)),
            ("demand rate", view::product::demand_rate(terms)),
            ("term", format!("{} to {} days", terms.min_term_days, terms.max_term_days)),
            ("NFTs link to", shown.uri.clone()),
            ("wording sha256", shown.wording_sha256.clone()),
        ];
        card(&shown.summary.name, &rows)
    })
}

fn rows(shown: &Shown, market: &Market, asset: &dyn Fn(u64) -> String, now: i64) -> Vec<(&'static str, String)> {
    let (summary, terms, trigger) = (&shown.summary, &market.product.terms, &*market.trigger);
    let last = match trigger.form() {
        Form::Evidence => ("last price", last_price(shown, now)),
        Form::Reading => ("reading", reading(trigger)),
    };
    let costs = match (&summary.example, &summary.reason) {
        (Some(example), _) => format!(
            "{} for {} insured for {} days: {} a year",
            asset(example.premium),
            asset(example.sum_insured),
            example.term_days,
            view::product::yearly_text(example.rate_ppb)
        ),
        (None, Some(reason)) => format!("not sold now: {reason}"),
        (None, None) => "not sold now".into(),
    };
    let largest = summary.largest_sum.map_or_else(String::new, |sum| format!("; one cover now {} at most", asset(sum)));
    vec![
        ("address", summary.product.clone()),
        ("pool", format!("{} {}", summary.pool, summary.label)),
        ("state", state_text(shown)),
        ("insures", shown.covered_asset.clone()),
        ("pays if", view::product::condition_of(trigger)),
        ("pays", view::product::payment_of(trigger)),
        ("proven by", view::product::evidence_of(trigger)),
        ("feed", format!("{} {}", shown.source, shown.feed)),
        last,
        ("trigger", format!("{}, {}", shown.trigger, summary.phase)),
        ("costs now", costs),
        ("risk rate", view::product::risk_rate(summary.risk_rate_ppb, terms)),
        (
            "demand rate",
            format!(
                "{}; times a level of {} now",
                view::product::demand_rate(terms),
                percent(summary.level_bps.into())
            ),
        ),
        ("insured", format!("{}, {} of capacity", asset(summary.exposure), percent(summary.utilisation_bps.into()))),
        ("left", left(summary).map_or_else(|| "nothing is sold".into(), |left| format!("{}{largest}", asset(left)))),
        (
            "a day",
            format!("{} of capacity; {} is left of today", percent(terms.daily_bps.into()), asset(summary.left_today)),
        ),
        ("term", format!("{} to {} days", terms.min_term_days, terms.max_term_days)),
        ("waiting time", format!("{}, then from the next midnight UTC", duration(terms.waiting_seconds.into()))),
        ("cancelling", format!("the unearned premium less {}", percent(terms.cancel_fee_bps.into()))),
        ("covers sold", thousands(summary.covers_sold)),
        ("NFTs link to", shown.uri.clone()),
        ("wording sha256", shown.wording_sha256.clone()),
    ]
}

fn state_text(shown: &Shown) -> String {
    let state = shown.summary.state;
    match (state, &shown.incident) {
        ("announced", _) => format!("announced, sells from {}", moment(shown.summary.sells_from)),
        ("over", Some(incident)) => format!(
            "over: its event began on {}, its incident is {incident}",
            moment(shown.event_at.unwrap_or_default())
        ),
        _ => state.to_owned(),
    }
}

/// How a reading stands.
fn reading(trigger: &Trigger) -> String {
    let reading = &trigger.reading;
    let says = || format!("{}, which pays {}", exact_price(reading.value), percent(reading.severity_bps.into()));
    match (reading.phase(), reading.void) {
        (Phase::Final, 1) => "void: the whole premium goes back".into(),
        (Phase::Final, _) => format!("{}: resolved on {}", says(), moment(reading.resolved_at)),
        (Phase::Met, _) => {
            let until = reading.reported_at.saturating_add(READING_CHALLENGE);
            format!("{} if it stands until {}", says(), moment(until))
        }
        _ => format!("of {}, reported until {} at the latest", moment(reading.due_at), moment(reading.reports_until)),
    }
}

fn last_price(shown: &Shown, now: i64) -> String {
    if shown.last_publish_time == 0 {
        return "none was shown yet".into();
    }
    let age = u64::try_from(now.saturating_sub(shown.last_publish_time)).unwrap_or_default();
    let age = span(i64::try_from(age).unwrap_or(i64::MAX));
    format!("{} ± {}, {age} old", exact_price(shown.last_price_e8), exact_price(shown.last_confidence_e8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_premium_is_told_as_a_rate_a_year() {
        assert_eq!(view::product::yearly_ppb(5_000_000, 1_000_000_000, 365), 5_000_000);
        assert_eq!(view::product::yearly_ppb(1_000_000, 1_000_000_000, 30), 12_166_667);
        assert_eq!(view::product::yearly_ppb(1, 0, 0), 365_000_000_000);
        assert_eq!(view::product::yearly_text(12_166_667), "1.22 %");
    }
}
