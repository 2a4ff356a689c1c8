//! Announcements: what begins when, and what somebody who does not want it can do until then.

use super::{Look, show, silence};
use crate::chart;
use crate::error::PageError;
use crate::history::Past;
use crate::layout::Place;
use crate::say::{self, Asset};
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::extract::State;
use backstop::state::{Cession, ExitEpoch, Pool, Product, ProductState, Protocol, Treaty, TreatyState, day_start};
use backstop_client::text;
use backstop_client::view::label;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Something that will happen.
struct Coming {
    /// When; `None`: it is not known yet.
    at: Option<i64>,
    what: Markup,
    means: Markup,
}

/// The page of all announcements.
pub async fn page(State(site): State<Site>) -> Result<Markup, PageError> {
    show(site, Place::Announcements, |look| {
        let now = look.now();
        let mut coming = coming(look, now);
        coming.sort_by_key(|coming| coming.at.unwrap_or(i64::MAX));
        let rows: Vec<Vec<Markup>> = coming
            .into_iter()
            .map(|coming| {
                let when = coming.at.map_or_else(|| "not set".into(), |at| text::moment_from(at, now));
                vec![html! { (when) }, coming.what, coming.means]
            })
            .collect();
        let body = html! {
            h1 { "What begins when" }
            p.lead {
                "Nothing that changes what a staker bears begins at once: it is announced, and whoever does not want it can \
                 leave before."
            }
            @if rows.is_empty() { p { "Nothing is announced." } } @else {
                (chart::listing("Announced, by when it begins", &["Begins", "What", "What it means"], &rows))
            }
            (past(look, now))
        };
        Ok(("Announcements".into(), body))
    })
    .await
}

fn coming(look: &Look, now: i64) -> Vec<Coming> {
    let snapshot = look.chain.snapshot();
    let pools: BTreeMap<_, Pool> = snapshot.all::<Pool>().collect();
    let pool_name = |key: &Pubkey| {
        let pool = pools.get(key);
        html! {
            a href={ "/pool/" (key) } {
                @if let Some(pool) = pool { (say::name(&label(&pool.label))) " pool " (pool.id) } @else { "a pool" }
            }
        }
    };
    let mut coming = Vec::new();
    for (key, product) in snapshot.all::<Product>() {
        let link = html! { a href={ "/product/" (key) } { (say::name(product.name())) } };
        match product.state() {
            ProductState::Announced => coming.push(Coming {
                at: None,
                what: html! { "The product " (link) },
                means: html! { "It has no condition yet. " (pool_name(&product.pool)) " will stand behind it once its notice is over." },
            }),
            ProductState::Selling if product.sells_from > now => coming.push(Coming {
                at: Some(product.sells_from),
                what: html! { "The product " (link) " sells" },
                means: html! { (pool_name(&product.pool)) " stands behind its covers from then on. Whoever asks to leave before is paid first." },
            }),
            _ => {}
        }
    }
    for (key, treaty) in snapshot.all::<Treaty>() {
        if treaty.state != TreatyState::Announced || treaty.start() <= now {
            continue;
        }
        let asset = pools.get(&treaty.cedant).map(|pool| Asset::new(pool.asset_decimals, &label(&pool.label)));
        let limit = asset.map_or_else(|| treaty.limit.to_string(), |asset| asset.text(treaty.limit));
        coming.push(Coming {
            at: Some(treaty.notice_until.max(now)),
            what: html! { "A " a href={ "/reinsurance#" (key) } { "treaty" } " of up to " (limit) },
            means: html! { (pool_name(&treaty.reinsurer)) " would bear losses of " (pool_name(&treaty.cedant)) ". It can be accepted then, and begins on " (text::moment(treaty.start())) "." },
        });
    }
    for (_, cession) in snapshot.all::<Cession>() {
        if cession.until <= now {
            continue;
        }
        let asset = pools.get(&cession.cedant).map(|pool| Asset::new(pool.asset_decimals, &label(&pool.label)));
        let amount = asset.map_or_else(|| cession.amount.to_string(), |asset| asset.text(cession.amount));
        coming.push(Coming {
            at: Some(cession.from),
            what: html! { (amount) " of surplus move" },
            means: html! { "From " (pool_name(&cession.cedant)) " to " (pool_name(&cession.reinsurer)) ". It is void on " (text::moment(cession.until)) "." },
        });
    }
    for (_, epoch) in snapshot.all::<ExitEpoch>() {
        let at = day_start(epoch.day.saturating_add(1));
        if at > now {
            coming.push(Coming {
                at: Some(at),
                what: html! { (epoch.tickets) @if epoch.tickets == 1 { " exit" } @else { " exits" } },
                means: html! { "They are paid from " (pool_name(&epoch.pool)) ", as capital is free." },
            });
        }
    }
    for (_, protocol) in snapshot.all::<Protocol>() {
        if protocol.pending_governance != Pubkey::default() {
            coming.push(Coming {
                at: None,
                what: html! { "Another governance" },
                means: html! { (say::address(&protocol.pending_governance.to_string())) " was proposed and has not accepted." },
            });
        }
    }
    coming
}

/// What was announced before, as the index has it.
fn past(look: &Look, now: i64) -> Markup {
    let pools: Vec<_> = look
        .chain
        .snapshot()
        .all::<Pool>()
        .map(|(key, pool)| (key, Asset::new(pool.asset_decimals, &label(&pool.label))))
        .collect();
    let past = look.past(|database| {
        let of = |(key, asset): &(_, Asset)| Ok((asset.clone(), database.announcements(key)?));
        pools.iter().map(of).collect::<Result<Vec<_>, _>>()
    });
    let quiet = silence(&past);
    let Past::Known(all) = past else { return quiet };
    let mut rows: Vec<(i64, Vec<Markup>)> = Vec::new();
    for (asset, announcements) in &all {
        for told in announcements {
            let what = match &*told.what {
                "ProductCreated" => "A product was announced",
                "ConditionSet" | "ReadingSet" => "A product was given its condition",
                "ProductStateSet" => "A product's sales were stopped or begun",
                "TreatyCreated" => "A treaty was announced",
                "CessionAnnounced" => "A transfer of surplus was announced",
                _ => "Something was announced",
            };
            rows.push((
                told.moment.time,
                vec![
                    html! { (text::moment(told.moment.time)) },
                    html! { (what) @if let Some(amount) = told.amount { " of " (asset.text(amount)) } },
                    html! { (text::moment_from(told.begins_at, now)) },
                    html! { @if let Some(ended) = told.ended_at { "over since " (text::moment(ended)) } @else { "–" } },
                    say::short(&told.subject.to_string()),
                ],
            ));
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.0));
    let rows: Vec<Vec<Markup>> = rows.into_iter().take(100).map(|row| row.1).collect();
    html! {
        section aria-labelledby="before" {
            h2 id="before" { "Announced before" }
            @if rows.is_empty() { p { "Nothing." } } @else {
                (chart::listing("Announcements, newest first", &["Announced", "What", "Begins", "", "Subject"], &rows))
            }
        }
    }
}
