//! Reinsurance: for each pool that cedes, what bears a loss in which order, as a tower.

use super::show;
use crate::chart::{self, Figure, Storey};
use crate::error::PageError;
use crate::layout::Place;
use crate::say::{self, Asset};
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::extract::State;
use backstop_client::text;
use backstop_client::view::OpenTreaty;
use backstop_client::view::report::{self, PoolSummary, TreatyReport};
use backstop_client::view::treaty::{gets, gives, meaning, reinstatements, term};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The page of all towers.
pub async fn page(State(site): State<Site>) -> Result<Markup, PageError> {
    show(site, Place::Reinsurance, |look| {
        let now = look.now();
        let pools: BTreeMap<String, PoolSummary> =
            report::pools(&look.chain, now)?.into_iter().map(|pool| (pool.pool.clone(), pool)).collect();
        let mut by_cedant: BTreeMap<String, Vec<(OpenTreaty, TreatyReport)>> = BTreeMap::new();
        for summary in report::treaties(&look.chain, None, now)? {
            let Ok(key) = summary.treaty.parse::<Pubkey>() else { continue };
            let open = OpenTreaty::read(&look.chain, key)?;
            let told = TreatyReport::read(&look.chain, &open, now)?;
            by_cedant.entry(summary.cedant).or_default().push((open, told));
        }
        let body = html! {
            h1 { "Reinsurance" }
            p.lead {
                "A pool hands on part of its losses by treaties with reinsurance pools, which hold capital for every limit. A \
                 loss begins at the bottom of the tower: above the attachment of a layer the layer bears it, up to its limit."
            }
            @if by_cedant.is_empty() { p { "There are no treaties." } }
            @for (cedant, treaties) in &by_cedant {
                @if let Some(pool) = pools.get(cedant) { (tower(pool, treaties, &pools)) }
            }
        };
        Ok(("Reinsurance".into(), body))
    })
    .await
}

/// Whether a treaty bears losses that happen now.
fn is_open(status: &str) -> bool {
    matches!(status, "in-force" | "run-off")
}

fn tower(pool: &PoolSummary, treaties: &[(OpenTreaty, TreatyReport)], pools: &BTreeMap<String, PoolSummary>) -> Markup {
    let asset = Asset::new(pool.decimals, &pool.label);
    let heading = format!("tower-{}", pool.pool);
    let storey = |told: &TreatyReport, from: u64| Storey {
        name: format!("{} #{}", told.summary.kind, told.summary.id),
        says: format!("{} of {} left", asset.short(told.summary.limit_left), asset.text(told.summary.limit)),
        from,
        height: told.summary.limit,
        used: told.used.min(told.summary.limit),
        class: if told.summary.kind == "quota-share" { "share" } else { "layer" },
    };
    let open = || treaties.iter().map(|(_, told)| told).filter(|told| is_open(told.summary.status));
    let mut storeys: Vec<Storey> = open().filter_map(|told| Some(storey(told, told.summary.attachment?))).collect();
    storeys.sort_by_key(|storey| storey.from);
    let beside: Vec<Storey> =
        open().filter(|told| told.summary.attachment.is_none()).map(|told| storey(told, 0)).collect();
    // What the pool itself bears below the first layer, or all of it.
    let own = storeys.first().map_or(pool.staying_capital, |first| first.from);
    storeys.insert(
        0,
        Storey {
            name: "The pool itself".into(),
            says: format!("up to {}", asset.text(own)),
            from: 0,
            height: own,
            used: 0,
            class: "own",
        },
    );
    let description = format!(
        "The {} pool {} bears up to {} of a loss itself. {} and {} stand above and beside it; what is used of them is dark.",
        asset.label,
        pool.id,
        asset.text(own),
        count(storeys.len() - 1, "layer"),
        count(beside.len(), "quota share"),
    );
    let rows = storeys.iter().chain(&beside).map(|storey| {
        let top = storey.from.saturating_add(storey.height);
        vec![storey.name.clone(), asset.exact(storey.from), asset.exact(top), asset.exact(storey.used)]
    });
    html! {
        section aria-labelledby=(heading) {
            h2 id=(heading) { a href={ "/pool/" (pool.pool) } { bdi { (asset.label) } " pool " (pool.id) } }
            (chart::tower(
                &Figure {
                    id: &format!("t{}", pool.pool),
                    title: "The tower",
                    description,
                    header: &["Who bears", "From", "To", "Used"],
                    rows: rows.collect(),
                },
                &storeys,
                &beside,
            ))
            @for (open, told) in treaties { (treaty(open, told, pools, &asset)) }
        }
    }
}

fn count(number: usize, name: &str) -> String {
    match number {
        0 => format!("No {name}"),
        1 => format!("1 {name}"),
        many => format!("{many} {name}s"),
    }
}

fn treaty(open: &OpenTreaty, told: &TreatyReport, pools: &BTreeMap<String, PoolSummary>, asset: &Asset) -> Markup {
    let summary = &told.summary;
    let plain = |units: u64| asset.text(units);
    let reinsurer = pools.get(&summary.reinsurer);
    let mut rows = vec![
        ("State", html! { (meaning(summary.status)) }),
        ("Term", html! { (term(&open.state)) }),
        ("The pool gives", html! { (gives(&open.state, &plain)) }),
        ("The pool gets", html! { (gets(&open.state, &plain)) }),
        (
            "Reinsurer",
            html! { a href={ "/pool/" (summary.reinsurer) } { @match reinsurer { Some(pool) => { (say::name(&pool.label)) " pool " (pool.id) }, None => (say::short(&summary.reinsurer)) } } ", with " (asset.amount("reinsurer_capital", told.reinsurer_capital)) " of capital for " (asset.amount("reinsurer_open_limits", told.reinsurer_open_limits)) " of limits" },
        ),
        (
            "Limit left",
            html! { (asset.amount("limit_left", summary.limit_left)) " of " (asset.amount("limit", summary.limit)) },
        ),
        ("Used", asset.amount("used", told.used)),
        ("Owed", asset.amount("owed", told.owed)),
    ];
    if let Some(text) = reinstatements(&open.state) {
        rows.push((
            "Reinstatements",
            html! { (text) "; " (asset.amount("restored", told.restored)) " restored so far" },
        ));
    }
    rows.push(("Treaty", say::address(&summary.treaty)));
    html! {
        div.card id=(summary.treaty) {
            h3 { (summary.kind) " #" (summary.id) " " (say::badge("state", summary.status)) }
            (say::facts(&rows))
            @for incident in &told.incidents {
                p {
                    a href={ "/incident/" (incident.product) } { "An incident" } ": " (asset.amount("incidents.owed", incident.owed)) " owed, "
                    (asset.amount("incidents.paid", incident.paid)) " paid, " (incident.state) "."
                }
            }
            @if let Some(next) = &told.next {
                p.note { "Next, by anybody: " (say::command(&next.command)) " from " (text::moment(next.from)) "." }
            }
        }
    }
}
