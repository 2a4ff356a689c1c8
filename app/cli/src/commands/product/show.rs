//! `backstop product list` and `backstop product show`.

use crate::commands::args::{PoolArg, ProductArg, asset_text};
use crate::commands::context::Context;
use crate::output::{amount, card, duration, exact_price, listing, moment, paragraph, percent, span, table, thousands};
use anyhow::Result;
use backstop::state::{Form, Incident, ProductState};
use backstop_client::instruction::ProductKeys;
use backstop_client::quote::Market;
use backstop_client::view;
use backstop_client::view::OpenProduct;
use backstop_client::view::report::{self, AnnouncedReport, ProductReport, ProductSummary};
use backstop_client::{Cluster, account};
use clap::Args;

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

pub fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let rows = report::products(cluster, args.pool.map(|pool| pool.0), cluster.now()?)?;
    context.options.output.print(&rows, |rows| list_text(rows))
}

fn list_text(rows: &[ProductSummary]) -> String {
    if rows.is_empty() {
        return "No products.".into();
    }
    let mut table = table(&["product", "pays if", "state", "a year", "insured", "left"], &[3, 4, 5]);
    for row in rows {
        let state = match row.armed_until {
            Some(_) => "armed",
            None if row.phase == "quiet" || row.state == "over" => row.state,
            None => row.phase,
        };
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
fn left(row: &ProductSummary) -> Option<u64> {
    matches!(row.state, "selling" | "announced").then(|| row.capacity.saturating_sub(row.exposure))
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
    let shown = ProductReport::of(&keys, &market, incident.as_ref(), now);
    let not_covered = view::product::not_covered_of(&market.trigger, &market.product.terms);
    let asset = |units| asset_text(&market.pool, units);
    context.options.output.print(&shown, |shown| {
        let mut text = card(&shown.summary.name, &rows(shown, &market, &asset, now));
        text.push('\n');
        for sentence in not_covered {
            text.push_str(&paragraph(&sentence));
        }
        text
    })
}

fn show_announced(open: &OpenProduct, now: i64, context: &Context) -> Result<()> {
    let product = &open.state;
    let shown = AnnouncedReport::of(open, now);
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

fn rows(
    shown: &ProductReport,
    market: &Market,
    asset: &dyn Fn(u64) -> String,
    now: i64,
) -> Vec<(&'static str, String)> {
    let (summary, terms, trigger) = (&shown.summary, &market.product.terms, &*market.trigger);
    let last = match trigger.form() {
        Form::Evidence => ("last price", last_price(shown, now)),
        Form::Reading => ("reading", view::product::reading_state(&trigger.reading)),
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
        ("pays", view::product::payment_of(trigger, terms)),
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
        ("a day", format!("{} of capacity; {} is left now", percent(terms.daily_bps.into()), asset(summary.left_now))),
        ("term", format!("{} to {} days", terms.min_term_days, terms.max_term_days)),
        ("waiting time", format!("{}, then from the next midnight UTC", duration(terms.waiting_seconds.into()))),
        (
            "cancelling",
            format!(
                "the unearned premium less {}, at most the part for the time that is left",
                percent(terms.cancel_fee_bps.into())
            ),
        ),
        ("covers sold", thousands(summary.covers_sold)),
        ("NFTs link to", shown.uri.clone()),
        ("wording sha256", shown.wording_sha256.clone()),
    ]
}

fn state_text(shown: &ProductReport) -> String {
    let state = shown.summary.state;
    if let Some(armed) = &shown.armed {
        return format!(
            "{state}, and armed: what the protocol holds has fallen; nothing is sold until {}",
            moment(armed.until)
        );
    }
    match (state, &shown.incident) {
        ("announced", _) => format!("announced, sells from {}", moment(shown.summary.sells_from)),
        ("over", Some(incident)) => format!(
            "over: its event began on {}, its incident is {incident}",
            moment(shown.event_at.unwrap_or_default())
        ),
        _ => state.to_owned(),
    }
}

fn last_price(shown: &ProductReport, now: i64) -> String {
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
