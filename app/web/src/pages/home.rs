//! The first page: what is insured, the pools behind it, and how it all stands.

use super::show;
use crate::chart;
use crate::error::PageError;
use crate::layout::Place;
use crate::say::{self, Asset};
use crate::site::Site;
use axum::extract::State;
use backstop::state::Protocol;
use backstop_client::account;
use backstop_client::address;
use backstop_client::text;
use backstop_client::view::product::yearly_text;
use backstop_client::view::report::{self, IncidentRow, PoolSummary, ProductSummary, ProtocolReport};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The first page.
pub async fn page(State(site): State<Site>) -> Result<Markup, PageError> {
    show(site, Place::Home, |look| {
        let now = look.now();
        let pools = report::pools(&look.chain, now)?;
        let products = report::products(&look.chain, None, now)?;
        let incidents = report::incidents(&look.chain, None)?;
        let protocol: Option<Protocol> = account::find(&look.chain, &address::protocol())?;
        let body = html! {
            h1 { "Cover against a stablecoin that loses its peg" }
            p.lead {
                "Buy a cover and be paid when a signed price says so, without a claim to argue about. Or stake, earn the \
                 premium, and bear the losses."
            }
            (alerts(&pools, &incidents, protocol.map(|protocol| ProtocolReport::of(&protocol, now))))
            (totals(&pools))
            (insured(&products))
            (capital(&pools))
            section aria-labelledby="yours" {
                h2 id="yours" { "Yours" }
                (super::holder::form(""))
            }
        };
        Ok(("Pools".into(), body))
    })
    .await
}

/// What somebody should know before anything else.
fn alerts(pools: &[PoolSummary], incidents: &[IncidentRow], protocol: Option<ProtocolReport>) -> Markup {
    let under_way: Vec<_> = incidents
        .iter()
        .filter_map(|row| match row {
            IncidentRow::UnderWay(incident) => Some(incident),
            IncidentRow::Ended(_) => None,
        })
        .collect();
    let paused = protocol.and_then(|protocol| {
        let until = protocol.paused_until?;
        let what = match (protocol.deposits_paused, protocol.purchases_paused) {
            (true, true) => "Deposits and purchases are",
            (true, false) => "Staking is",
            _ => "Buying cover is",
        };
        Some((what, until))
    });
    html! {
        @for incident in under_way {
            p.alarm {
                strong { "An incident is under way: " }
                a href={ "/incident/" (incident.product) } { (say::name(&incident.product_name)) }
                ". Its event began on " (text::moment(incident.event_at)) "."
            }
        }
        @for pool in pools.iter().filter(|pool| pool.alerts_hold) {
            p.alarm {
                strong { "An alert is open: " }
                a href={ "/pool/" (pool.pool) } { (say::name(&pool.label)) " pool " (pool.id) }
                " takes no deposits and lets nobody leave until it is over."
            }
        }
        @if let Some((what, until)) = paused { p.alarm { strong { (what) " paused" } " until " (text::moment(until)) "." } }
    }
}

/// Sums of all pools, asset by asset. An asset is its mint: what pools call it may be anything.
fn totals(pools: &[PoolSummary]) -> Markup {
    let mut by_mint: BTreeMap<&str, (Asset, u64, u64, u64)> = BTreeMap::new();
    // A reinsurance pool's capital stands behind other pools, whose exposure is counted.
    for pool in pools {
        let sums = by_mint.entry(&pool.asset_mint).or_insert_with(|| (Asset::new(pool.decimals, &pool.label), 0, 0, 0));
        sums.1 = sums.1.saturating_add(pool.staying_capital);
        if pool.kind == "cover" {
            sums.2 = sums.2.saturating_add(pool.total_exposure);
            sums.3 = sums.3.saturating_add(pool.premium_a_year);
        }
    }
    html! {
        @for (mint, (asset, capital, insured, premium)) in &by_mint {
            dl.totals aria-label={ "All pools of " (asset.label) } title=(mint) {
                div { dt { "Capital" } dd { (asset.amount("staying_capital", *capital)) } }
                div { dt { "Insured" } dd { (asset.amount("total_exposure", *insured)) } }
                div { dt { "Premium a year" } dd { (asset.amount("premium_a_year", *premium)) } }
            }
        }
    }
}

fn insured(products: &[ProductSummary]) -> Markup {
    let rows: Vec<Vec<Markup>> = products.iter().map(|product| {
        let asset = Asset::new(product.decimals, &product.label);
        let state = if product.phase == "quiet" || product.state == "over" { product.state } else { product.phase };
        let left = matches!(product.state, "selling" | "announced").then(|| product.capacity.saturating_sub(product.exposure));
        vec![
            html! { a href={ "/product/" (product.product) } { (say::name(&product.name)) } },
            html! { (say::badge("state", state)) @if let Some(until) = product.armed_until { " " (say::armed(until)) } },
            html! { @if let Some(example) = &product.example { data.number value=(example.rate_ppb) data-field="example.rate_ppb" { (yearly_text(example.rate_ppb)) } } @else { "–" } },
            asset.amount("exposure", product.exposure),
            html! { @if let Some(left) = left { (asset.text(left)) } @else { "–" } },
        ]
    }).collect();
    html! {
        section aria-labelledby="insured" {
            h2 id="insured" { "What is insured" }
            @if rows.is_empty() { p { "Nothing yet." } } @else {
                (chart::listing("Products and what they cost now", &["Pays if", "State", "Price a year", "Insured", "Left"], &rows))
            }
        }
    }
}

fn capital(pools: &[PoolSummary]) -> Markup {
    let rows: Vec<Vec<Markup>> = pools
        .iter()
        .map(|pool| {
            let asset = Asset::new(pool.decimals, &pool.label);
            let [junior, senior] = &pool.tranches;
            vec![
                html! { a href={ "/pool/" (pool.pool) } { (say::name(&pool.label)) " #" (pool.id) } " " span.kind { (pool.kind) } },
                asset.amount("staying_capital", pool.staying_capital),
                asset.amount("total_exposure", pool.total_exposure),
                say::part("in_use_bps", pool.in_use_bps),
                say::part("junior.a_year_bps", junior.earnings.a_year_bps),
                say::part("senior.a_year_bps", senior.earnings.a_year_bps),
            ]
        })
        .collect();
    html! {
        section aria-labelledby="pools" {
            h2 id="pools" { "Pools" }
            @if rows.is_empty() { p { "No pools yet." } } @else {
                (chart::listing(
                    "Pools and what they earn now",
                    &["Pool", "Capital", "Exposure", "In use", "Junior a year", "Senior a year"],
                    &rows,
                ))
                p.note {
                    "A year: what premium in force earns on the capital, at the rate of the coming 24 hours. Losses are \
                     not in it; each pool's page shows them beside it."
                }
            }
        }
    }
}
