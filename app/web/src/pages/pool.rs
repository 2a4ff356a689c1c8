//! A pool: its capital, what it stands behind, what it earns and loses, and who waits to leave.

use super::{Look, address, show, silence};
use crate::chart::{self, Bar, Figure, Line, OverTime, Part};
use crate::error::PageError;
use crate::history::Past;
use crate::layout::Place;
use crate::say::{self, Asset};
use crate::sign::forms;
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::extract::{Path, Query, State};
use backstop::constants::SHARE_EXTRA_DECIMALS;
use backstop::state::{Pool, Tranche};
use backstop_client::text;
use backstop_client::view::report::{PoolReport, TrancheReport};
use backstop_client::view::stress::{self, Stress};
use backstop_client::view::{OpenPool, tranche_name};
use backstop_index::By;
use backstop_index::read::{Loss, SharePrice};
use maud::{Markup, html};
use std::collections::HashMap;

/// How far back share prices are shown, in seconds.
const DAYS_BACK: i64 = 365 * 86_400;

/// A pool's page.
pub async fn page(
    State(site): State<Site>,
    Path(text): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Markup, PageError> {
    let key = address(&text)?;
    show(site, Place::Elsewhere, move |look| {
        look.require::<Pool>(&key)?;
        let open = OpenPool::read(&look.chain, key)?;
        let now = look.now();
        let shown = PoolReport::read(&look.chain, &open, None, now)?;
        let asset = Asset::new(open.decimals, &shown.summary.label);
        let pool = &shown.summary;
        let title = format!("{} pool {}", asset.label, pool.id);
        let body = html! {
            p.trail { a href="/" { "Pools" } }
            h1 { bdi { (asset.label) } " pool " (pool.id) }
            p.badges { (say::badge("kind", pool.kind)) " " (say::badge("access", pool.access)) }
            @if pool.alerts_hold {
                p.alarm { strong { "An alert is open. " } "No deposits and no exits until it is over, and nothing is earned." }
            }
            (layers(&shown, &asset))
            (tranches(&shown, &asset))
            (share_prices(look, &key, &shown.summary.tranches, now))
            (capital(&shown, &asset))
            (stress_test(stress::largest_group(&open.state, now), &asset))
            (forms::stake(&look.chain, &key, &query))
            (exits(&shown, &asset, now))
            (links(&shown, &asset))
            (terms(&shown, &asset))
            p.note { "The same by command: " (say::command(&format!("backstop pool show {key}"))) }
        };
        Ok((title, body))
    })
    .await
}

/// The capital by who bears a loss first.
fn layers(shown: &PoolReport, asset: &Asset) -> Markup {
    let pool = &shown.summary;
    let [junior, senior] = &pool.tranches;
    let leaving = junior.exiting.saturating_add(senior.exiting);
    let parts = [
        ("Surplus, bears losses first", pool.surplus, "surplus"),
        ("Junior, bears them next", junior.assets, "junior"),
        ("Senior, bears them last", senior.assets, "senior"),
        ("Leaving, bears them with its tranche", leaving, "exiting"),
    ];
    let description = format!(
        "{} of capital: {} in the surplus, {} junior, {} senior, and {} that has asked to leave.",
        asset.text(pool.staying_capital.saturating_add(leaving)),
        asset.text(pool.surplus),
        asset.text(junior.assets),
        asset.text(senior.assets),
        asset.text(leaving),
    );
    html! {
        section aria-labelledby="capital" {
            h2 id="capital" { "Capital by layer" }
            (chart::parts(
                &Figure {
                    id: "layers",
                    title: "Capital by layer",
                    description,
                    header: &["Layer", "Capital"],
                    rows: parts.iter().map(|(name, units, _)| vec![(*name).into(), asset.exact(*units)]).collect(),
                },
                &parts.map(|(name, units, class)| Part { name: name.into(), says: asset.text(units), units, class }),
            ))
            dl.totals {
                div { dt { "Stays" } dd { (asset.amount("staying_capital", pool.staying_capital)) } }
                div { dt { "Surplus" } dd { (asset.amount("surplus", pool.surplus)) } }
                div { dt { "In use" } dd { (say::part("in_use_bps", pool.in_use_bps)) } }
            }
        }
    }
}

/// What each tranche is worth, earns and can lose.
fn tranches(shown: &PoolReport, asset: &Asset) -> Markup {
    let card = |tranche: &TrancheReport| {
        let field = |name: &str| format!("{}.{name}", tranche.name);
        let earnings = &tranche.earnings;
        let since = earnings.since_start_bps;
        html! {
            div.card {
                h3 { (capital_letter(tranche.name)) }
                @if tranche.wiped_out { p.alarm { "A loss took all of it." } }
                @else if tranche.in_ruin { p.alarm { "In ruin: a loss took most of it; the next deposit lowers the price at which it started." } }
                @if tranche.recoverable > 0 { p { "Treaties still owe it " (asset.amount(&field("recoverable"), tranche.recoverable)) "; a deposit pays for that." } }
                (say::facts(&[
                    ("Capital", asset.amount(&field("assets"), tranche.assets)),
                    ("Share price", html! { data.number value=(tranche.share_price) data-field=(field("share_price")) { (tranche.share_price) } }),
                    ("Since it began", html! { data.number value=(since) data-field=(field("since_start_bps")) { @if since < 0 { "−" } @else { "+" } (text::percent(since.unsigned_abs())) } ", losses included" }),
                    ("Earns a year", html! { (say::part(&field("a_year_bps"), earnings.a_year_bps)) " by premium in force" }),
                    ("Earned of late", html! { (asset.amount(&field("earned"), earnings.earned)) " since " (text::moment(earnings.earned_from)) }),
                    ("Coming 30 days", asset.amount(&field("coming_30_days"), earnings.coming_30_days)),
                    ("Exposed", html! { (say::part(&field("exposed_bps"), earnings.exposed_bps)) " of it" }),
                    ("Worst case", html! { (asset.amount(&field("worst_case"), tranche.worst_case)) " lost, if all that the pool stands behind were due today, without reinsurance" }),
                ]))
            }
        }
    };
    let [junior, senior] = &shown.summary.tranches;
    html! {
        section aria-labelledby="tranches" {
            h2 id="tranches" { "What a share earns, and can lose" }
            div.columns { (card(junior)) (card(senior)) }
        }
    }
}

fn capital_letter(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default() + letters.as_str()
}

/// Share prices by day, with what was lost beside them.
fn share_prices(look: &Look, key: &Pubkey, tranches: &[TrancheReport; 2], now: i64) -> Markup {
    let from = now.saturating_sub(DAYS_BACK);
    let to = now.saturating_add(1);
    let past = look.past(|database| {
        let [junior, senior] =
            [Tranche::Junior, Tranche::Senior].map(|tranche| database.share_prices(key, tranche, By::Day, from, to));
        Ok((junior?, senior?, database.losses(key, By::Day, from, to)?, database.gaps()?))
    });
    let quiet = silence(&past);
    html! {
        section aria-labelledby="prices" {
            h2 id="prices" { "Share price by day" }
            @match past {
                Past::Known((junior, senior, losses, gaps)) => {
                    @if gaps.iter().any(|gap| gap.pool == *key) {
                        p.alarm { "Events of this pool are missing in the index: what follows may be wrong until they are repaired. " a href="/status" { "Which ones" } }
                    }
                    @if junior.is_empty() { p.note { "The index has nothing of this pool yet." } }
                    @else { (share_picture(&with_now(junior, &tranches[0], now), &with_now(senior, &tranches[1], now), &losses, now)) }
                }
                _ => (quiet),
            }
        }
    }
}

/// The prices by day, and that of now, which has what was earned since.
fn with_now(mut prices: Vec<SharePrice>, tranche: &TrancheReport, now: i64) -> Vec<SharePrice> {
    let (assets, shares) = (tranche.assets, tranche.shares);
    let scale = 1_000_000_000 * 10u128.pow(SHARE_EXTRA_DECIMALS.into());
    let price = u128::from(assets).checked_mul(scale).and_then(|scaled| scaled.checked_div(shares.into()));
    let series = prices.last().map_or(0, |last| last.series);
    prices.push(SharePrice {
        start: now,
        assets,
        shares,
        series,
        price_e9: price.and_then(|price| u64::try_from(price).ok()),
    });
    prices
}

fn share_picture(junior: &[SharePrice], senior: &[SharePrice], losses: &[Loss], now: i64) -> Markup {
    let line = |prices: &[SharePrice], tranche: Tranche, class| Line {
        name: format!("{} share", capital_letter(tranche_name(tranche))),
        class,
        points: prices.iter().filter_map(|price| Some((price.start, price.price_e9?))).collect(),
        steps: true,
    };
    let shown = |price: Option<u64>| price.map_or_else(|| "no shares".into(), price_e9);
    let lost = |start: i64| losses.iter().find(|loss| loss.start == start);
    let signed = |units: Option<i64>| units.map_or_else(|| "0".into(), |units| units.to_string());
    let rows = junior.iter().zip(senior).map(|(junior, senior)| {
        let loss = lost(junior.start);
        vec![
            text::moment(junior.start),
            shown(junior.price_e9),
            shown(senior.price_e9),
            signed(loss.map(|loss| loss.surplus)),
            signed(loss.map(|loss| loss.junior)),
            signed(loss.map(|loss| loss.senior)),
        ]
    });
    let begin = junior.first().map_or(now, |price| price.start);
    let last = |prices: &[SharePrice]| shown(prices.last().and_then(|price| price.price_e9));
    let description = format!(
        "What a share was worth at the end of each day, losses included; days with a loss are marked, {} of them. Now a \
         junior share is worth {} and a senior one {}.",
        losses.len(),
        last(junior),
        last(senior),
    );
    chart::over_time(
        &Figure {
            id: "share-prices",
            title: "Share price by day",
            description,
            header: &["Day", "Junior", "Senior", "Lost, surplus", "Lost, junior", "Lost, senior"],
            rows: rows.collect(),
        },
        &OverTime {
            span: (begin, now.max(begin.saturating_add(86_400))),
            lines: vec![line(junior, Tranche::Junior, "junior"), line(senior, Tranche::Senior, "senior")],
            levels: Vec::new(),
            bands: losses.iter().map(|loss| (loss.start, loss.start.saturating_add(86_400), "loss")).collect(),
            least_span: 10_000_000,
            says: &|price| price_e9(price).get(..6).unwrap_or_default().to_owned(),
        },
    )
}

/// A share price in billionths, with six decimals, rounded down.
fn price_e9(price: u64) -> String {
    format!("{}.{:06}", price / 1_000_000_000, price % 1_000_000_000 / 1_000)
}

/// What capital there is for what is insured.
fn capital(shown: &PoolReport, asset: &Asset) -> Markup {
    let pool = &shown.summary;
    let available = pool.staying_capital.saturating_sub(pool.must_stay);
    let bars = [
        ("Capital that stays", "staying_capital", pool.staying_capital, "senior"),
        ("Required for what it stands behind", "required_capital", pool.required_capital, "risk"),
        ("Must stay", "must_stay", pool.must_stay, "loading"),
        ("Exposure", "total_exposure", pool.total_exposure, "exposure"),
    ];
    let description = format!(
        "{} stay, {} are required and {} must stay: {} are available to leave or to stand behind more. It stands behind {}.",
        asset.text(pool.staying_capital),
        asset.text(pool.required_capital),
        asset.text(pool.must_stay),
        asset.text(available),
        asset.text(pool.total_exposure),
    );
    html! {
        section aria-labelledby="use" {
            h2 id="use" { "Required and available" }
            (chart::bars(
                &Figure {
                    id: "in-use",
                    title: "Capital and what it stands behind",
                    description,
                    header: &["", "Amount"],
                    rows: bars.iter().map(|(name, _, units, _)| vec![(*name).into(), asset.exact(*units)]).collect(),
                },
                &bars.map(|(name, _, length, class)| Bar { name: name.into(), says: asset.text(length), from: 0, length, class }),
            ))
            (say::facts(&[
                ("Required", asset.amount("required_capital", pool.required_capital)),
                ("Must stay", asset.amount("must_stay", pool.must_stay)),
                ("Available", asset.amount("available", available)),
                ("Exposure", asset.amount("total_exposure", pool.total_exposure)),
                ("Premium a year", asset.amount("premium_a_year", pool.premium_a_year)),
                ("Not earned yet", asset.amount("unearned_premium", shown.unearned_premium)),
            ]))
        }
    }
}

/// What a holder would lose if the largest group failed.
fn stress_test(stress: Option<Stress>, asset: &Asset) -> Markup {
    html! {
        section aria-labelledby="stress" {
            h2 id="stress" { "If the largest group fails" }
            @match stress {
                None => p { "It stands behind nothing now: there is nothing to lose to an event." },
                Some(stress) => {
                    @let description = format!(
                        "If everything were due today of {}, {} in all, a junior share would lose {} and a senior share {}.",
                        match stress.group {
                            Some(group) => format!("products that fail together (group {group})"),
                            None => "its treaties".to_owned(),
                        },
                        asset.text(stress.due), text::percent(stress.junior_bps), text::percent(stress.senior_bps),
                    );
                    @let after = stress.surplus.saturating_add(stress.junior);
                    @let bars = [
                        ("Surplus", stress.surplus, 0, "surplus"),
                        ("Junior", stress.junior, stress.surplus, "junior"),
                        ("Senior", stress.senior, after, "senior"),
                        ("Nobody: covers are paid less", stress.unpaid, after.saturating_add(stress.senior), "risk"),
                    ];
                    p.lead {
                        "You lose "
                        strong { data.number value=(stress.junior_bps) data-field="stress.junior_bps" { (text::percent(stress.junior_bps)) } }
                        " with junior shares and "
                        strong { data.number value=(stress.senior_bps) data-field="stress.senior_bps" { (text::percent(stress.senior_bps)) } }
                        " with senior shares."
                    }
                    (chart::bars(
                        &Figure {
                            id: "stress-test",
                            title: "Who bears the loss",
                            description,
                            header: &["Layer", "Loss"],
                            rows: bars.iter().map(|(name, units, ..)| vec![(*name).into(), asset.exact(*units)]).collect(),
                        },
                        &bars.map(|(name, length, from, class)| Bar { name: name.into(), says: asset.text(length), from, length, class }),
                    ))
                    p.note { "Every cover of the group is taken to be paid in full, and reinsurance to pay nothing." }
                }
            }
        }
    }
}

/// Who waits to leave.
fn exits(shown: &PoolReport, asset: &Asset, now: i64) -> Markup {
    let rows: Vec<Vec<Markup>> = shown
        .exits
        .iter()
        .map(|epoch| {
            vec![
                html! { (text::moment_from(epoch.paid_from, now)) },
                say::count("exits.tickets", epoch.tickets.into()),
                asset.amount("exits.reserve", epoch.reserve),
                html! { @if epoch.filled { "settled" } @else if epoch.paid_from <= now { "waits for free capital" } @else { "in its cooldown" } },
            ]
        })
        .collect();
    html! {
        section aria-labelledby="exits" {
            h2 id="exits" { "Exit queue" }
            p {
                "Leaving takes " (text::span(shown.cooldown_seconds.into())) " and then until the next midnight UTC; the \
                 days are paid in their order, as capital is free. Until it is paid a ticket bears losses and earns nothing."
            }
            @if rows.is_empty() { p { "Nobody waits to leave." } } @else {
                (chart::listing("Days on which exits are paid", &["Paid from", "Tickets", "Set aside", "State"], &rows))
            }
        }
    }
}

/// What it stands behind.
fn links(shown: &PoolReport, asset: &Asset) -> Markup {
    let rows: Vec<Vec<Markup>> = shown
        .products
        .iter()
        .map(|product| {
            vec![
                html! { a href={ "/product/" (product.product) } { (say::name(&product.name)) } },
                asset.amount("products.exposure", product.exposure),
            ]
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            section aria-labelledby="products" {
                h2 id="products" { "Products" }
                (chart::listing("What the pool insures", &["Pays if", "Insured"], &rows))
            }
        }
        @if !shown.treaties.is_empty() {
            p { "It cedes to " (shown.treaties.len()) @if shown.treaties.len() == 1 { " treaty" } @else { " treaties" } ": " a href="/reinsurance" { "its reinsurance" } "." }
        }
    }
}

fn terms(shown: &PoolReport, asset: &Asset) -> Markup {
    let pool = &shown.summary;
    html! {
        section aria-labelledby="terms" {
            h2 id="terms" { "Terms and books" }
            (say::facts(&[
                ("Asset", html! { bdi { (asset.label) } ", which is the mint " (say::address(&pool.asset_mint)) }),
                ("Deposits", html! { @match pool.access { "open" => "from anybody", "allow-list" => "from wallets that are admitted", _ => "none: the protocol owns it" } }),
                ("First deposit", html! { (asset.amount("min_first_deposit", shown.min_first_deposit)) " at least" }),
                ("Smallest cover", asset.amount("min_sum_insured", shown.min_sum_insured)),
                ("Smallest exit", asset.amount("min_ticket", shown.min_ticket)),
                ("Solvency", html! { (say::part("solvency_bps", shown.solvency_bps.into())) " of the required capital must stay" }),
                ("Exposure", html! { (say::part("max_leverage_bps", shown.max_leverage_bps.into())) " of the capital at most" }),
                ("Surplus takes", html! { (say::part("surplus_bps", shown.surplus_bps.into())) " of earned premium" }),
                ("Junior weighs", html! { (say::part("junior_weight_bps", shown.junior_weight_bps.into())) " when premium is shared" }),
                ("First loss", html! { (say::part("first_loss_bps", shown.first_loss_bps.into())) " of required capital must be surplus or junior for a sale" }),
                ("Seasoning", html! { "sales are on capital that has stayed " (shown.seasoning_days) " days" }),
                ("Set aside", html! { (asset.amount("incident_reserves", shown.incident_reserves)) " for incidents, " (asset.amount("premium_refunds", shown.premium_refunds)) " of premium to be given back, " (asset.amount("exit_reserves", shown.exit_reserves)) " for exits" }),
                ("Vault", html! { (asset.amount("vault_balance", shown.vault_balance)) ", the books say " (asset.amount("cash", shown.cash)) }),
                ("Vault's address", say::address(&shown.vault)),
                ("Pool", say::address(&pool.pool)),
            ]))
        }
    }
}
