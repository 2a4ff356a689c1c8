//! What an address holds: covers, positions, shares, exit tickets, and what it was paid. Anybody may look at any address.

use super::{address, show};
use crate::chain::{Frozen, Snapshot};
use crate::chart;
use crate::error::PageError;
use crate::layout::Place;
use crate::local;
use crate::say::{self, Asset};
use crate::sign::forms;
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use backstop::constants::SHARE_EXTRA_DECIMALS;
use backstop::state::{Lien, Pool, Product, Tranche};
use backstop_client::cluster::Cluster;
use backstop_client::text;
use backstop_client::token::TokenAccount;
use backstop_client::view::report::{self, CoverRow, PositionRow};
use backstop_client::view::{label, tranche_name};
use maud::{Markup, html};
use std::collections::{BTreeMap, HashMap};

/// Most covers that are shown.
const MOST_SHOWN: usize = 200;

/// Asks for an address.
pub fn form(text: &str) -> Markup {
    html! {
        form.look method="get" action="/holder" {
            label for="holder" { "Address of a wallet" }
            input id="holder" name="address" autocomplete="off" spellcheck="false" required value=(text);
            button type="submit" { "Show its covers and shares" }
        }
    }
}

/// Goes to the page of the address in the query, or asks for one.
pub async fn find(
    State(site): State<Site>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    match query.get("address").map(|text| text.trim()) {
        Some(text) => Ok(Redirect::to(&format!("/holder/{}", address(text)?)).into_response()),
        None => {
            let page = show(site, Place::Elsewhere, |_| {
                Ok(("Yours".into(), html! { h1 { "Covers and shares of a wallet" } (form("")) }))
            });
            Ok(page.await?.into_response())
        }
    }
}

/// Shares of a pool that a wallet holds in any of its accounts.
struct Shares {
    pool: Pubkey,
    asset: Asset,
    id: u16,
    tranche: Tranche,
    shares: u64,
    decimals: u8,
    worth: u64,
}

/// What an address holds.
pub async fn page(State(site): State<Site>, Path(text): Path<String>) -> Result<Markup, PageError> {
    let owner = address(&text)?;
    show(site, Place::Elsewhere, move |look| {
        let now = look.now();
        let held = report::held_by(&look.chain, &owner)?;
        let covers = report::covers(&look.chain, &held, None, None, now)?;
        let positions = report::positions(&look.chain, Some(owner), None, now)?;
        let liens = liens(look.chain.snapshot(), &owner);
        let tickets = report::tickets(&look.chain, &owner)?;
        // Shares are no NFTs: whatever account they are in, they are the wallet's.
        let tokens = look.chain.tokens_of(&owner, &anchor_spl::token_2022::ID)?;
        let mut of_mint: BTreeMap<Pubkey, u64> = BTreeMap::new();
        for token in tokens.iter().filter_map(|(_, account)| TokenAccount::read(account)) {
            let held = of_mint.entry(token.mint).or_default();
            *held = held.saturating_add(token.amount);
        }
        let shares = shares(look.chain.snapshot().all::<Pool>(), &of_mint);
        let paid = look.past(|database| database.payments_to(&owner)).known().unwrap_or_default();
        let assets = incident_assets(look.chain.snapshot());
        let purse = local::purse(look.site(), &look.chain, &owner)?;
        let body = html! {
            h1 { "Covers and shares" }
            p { "Of " (say::address(&owner.to_string())) }
            (purse)
            section aria-labelledby="covers" {
                h2 id="covers" { "Covers" }
                @if covers.is_empty() { p { "It holds no covers." } }
                @for cover in covers.iter().take(MOST_SHOWN) { (card(&look.chain, cover, now)) }
                (super::more(covers.len().min(MOST_SHOWN), covers.len(), &format!("backstop cover list --owner {owner}")))
            }
            @if !positions.is_empty() {
                section aria-labelledby="positions" {
                    h2 id="positions" { "Positions" }
                    p { "Policies without an NFT: they stay with this address, and pay the token account that it named." }
                    @for position in positions.iter().take(MOST_SHOWN) { (position_card(&look.chain, position, now)) }
                    (super::more(positions.len().min(MOST_SHOWN), positions.len(), &format!("backstop position list --owner {owner}")))
                }
            }
            @if !liens.is_empty() {
                section aria-labelledby="liens" {
                    h2 id="liens" { "Liens that pay it" }
                    p { "It is paid first for the losses of these covers and positions of others, and lets them go." }
                    @for (lien, asset) in &liens {
                        div.card {
                            h3 { "Lien on " (say::short(&lien.policy.to_string())) }
                            (say::facts(&[
                                ("Still at most", if lien.limit_left == u64::MAX { html! { "all" } } else { asset.amount("limit_left", lien.limit_left) }),
                                ("Was paid", asset.amount("lien_paid", lien.paid)),
                                ("Pays to", say::address(&lien.payee.to_string())),
                                ("Policy", say::address(&lien.policy.to_string())),
                            ]))
                            (forms::on_lien(&lien.policy, &asset.label))
                        }
                    }
                }
            }
            section aria-labelledby="shares" {
                h2 id="shares" { "Shares" }
                @if shares.is_empty() { p { "It holds no shares." } } @else {
                    (chart::listing("Shares", &["Pool", "Tranche", "Shares", "Worth now"], &shares.iter().map(|held| vec![
                        html! { a href={ "/pool/" (held.pool) } { bdi { (held.asset.label) } " pool " (held.id) } },
                        html! { (tranche_name(held.tranche)) },
                        html! { data.number value=(held.shares) data-field={ "shares." (tranche_name(held.tranche)) } { (text::tidy_amount(held.shares, held.decimals)) } },
                        held.asset.amount(&format!("worth.{}", tranche_name(held.tranche)), held.worth),
                    ]).collect::<Vec<_>>()))
                }
            }
            section aria-labelledby="tickets" {
                h2 id="tickets" { "Exit tickets" }
                @if tickets.is_empty() { p { "None waits." } }
                @for ticket in &tickets {
                    @let asset = Asset::new(ticket.decimals, &ticket.label);
                    div.card {
                        h3 { (ticket.tranche) " of " a href={ "/pool/" (ticket.pool) } { bdi { (asset.label) } " pool" } }
                        (say::facts(&[
                            ("Paid from", html! { (say::moment("claimable_from", ticket.claimable_from, now)) ", as capital is free" }),
                            ("Still waits", asset.amount("open", ticket.open)),
                            ("To be taken", asset.amount("claimable", ticket.claimable)),
                            ("Taken", asset.amount("claimed", ticket.claimed)),
                            ("Ticket", say::address(&ticket.ticket)),
                        ]))
                        (forms::on_ticket(ticket))
                    }
                }
            }
            @if !paid.is_empty() {
                section aria-labelledby="paid" {
                    h2 id="paid" { "What it was paid" }
                    (chart::listing("Payments", &["When", "Incident", "For the loss", "Premium back", "Transaction"], &paid.iter().take(MOST_SHOWN).map(|payment| {
                        let asset = assets.get(&payment.incident);
                        let told = |units: u64| html! { data.number value=(units) { @match asset { Some(asset) => (asset.text(units)), None => { (text::thousands(units)) " units" } } } };
                        vec![
                            html! { (text::moment(payment.moment.time)) },
                            html! { a href={ "/incident/" (payment.incident) } { (say::short(&payment.incident.to_string())) } },
                            told(payment.amount),
                            told(payment.refund),
                            say::short(&payment.moment.signature.to_string()),
                        ]
                    }).collect::<Vec<_>>()))
                }
            }
        };
        Ok((format!("Covers and shares of {owner}"), body))
    })
    .await
}

/// The assets in which incidents are paid: of every product, as covers that were paid may be closed.
fn incident_assets(chain: &Snapshot) -> BTreeMap<Pubkey, Asset> {
    let pools: BTreeMap<Pubkey, Pool> = chain.all::<Pool>().collect();
    let of = |(key, product): (Pubkey, Product)| {
        let pool = pools.get(&product.pool)?;
        Some((backstop_client::address::incident(&key), Asset::new(pool.asset_decimals, &label(&pool.label))))
    };
    chain.all::<Product>().filter_map(of).collect()
}

/// The liens that pay an address, with the asset in which they do.
fn liens(chain: &Snapshot, owner: &Pubkey) -> Vec<(Lien, Asset)> {
    let pools: BTreeMap<Pubkey, Pool> = chain.all::<Pool>().collect();
    let found = chain.all::<Lien>().filter(|(_, lien)| lien.payee_owner == *owner);
    let of = |(_, lien): (Pubkey, Lien)| {
        let pool = pools.get(&lien.pool)?;
        Some((lien, Asset::new(pool.asset_decimals, &label(&pool.label))))
    };
    found.filter_map(of).take(MOST_SHOWN).collect()
}

fn shares(pools: impl Iterator<Item = (Pubkey, Pool)>, of_mint: &BTreeMap<Pubkey, u64>) -> Vec<Shares> {
    let mut held = Vec::new();
    for (key, pool) in pools {
        for tranche in Tranche::BOTH {
            let shares = of_mint.get(&pool.share_mints[tranche.index()]).copied().unwrap_or_default();
            if shares > 0 {
                held.push(Shares {
                    pool: key,
                    asset: Asset::new(pool.asset_decimals, &label(&pool.label)),
                    id: pool.id,
                    tranche,
                    shares,
                    decimals: pool.asset_decimals.saturating_add(SHARE_EXTRA_DECIMALS),
                    worth: pool.tranche(tranche).worth_of_shares(shares).unwrap_or_default(),
                });
            }
        }
    }
    held
}

fn card(chain: &Frozen, cover: &CoverRow, now: i64) -> Markup {
    let asset = Asset::new(cover.decimals, &cover.label);
    html! {
        div.card {
            h3 { a href={ "/product/" (cover.product) } { (say::name(&cover.product_name)) } " " (say::badge("state", cover.state)) }
            (say::facts(&[
                ("Sum insured", asset.amount("sum_insured", cover.sum_insured)),
                ("Premium", html! { (asset.amount("premium", cover.premium)) ", paid on " (text::moment(cover.bought_at)) }),
                ("Protects", html! { (say::moment("active_from", cover.active_from, now)) " to " (say::moment("end", cover.end, now)) }),
                ("Paid", html! { @match (cover.paid, cover.paid_at_most) { (Some(paid), _) => (asset.amount("paid", paid)), (None, Some(most)) => { "at most " (asset.amount("paid_at_most", most)) }, _ => "nothing yet" } }),
                ("Cover", say::address(&cover.cover)),
            ]))
            @if let Ok(key) = cover.cover.parse() { (forms::on_cover(chain, &key)) }
        }
    }
}

fn position_card(chain: &Frozen, position: &PositionRow, now: i64) -> Markup {
    let asset = Asset::new(position.decimals, &position.label);
    html! {
        div.card {
            h3 { a href={ "/product/" (position.product) } { (say::name(&position.product_name)) } " " (say::badge("state", position.state)) }
            (say::facts(&[
                ("Sum insured", asset.amount("sum_insured", position.sum_insured)),
                ("Premium", html! { (asset.amount("premium", position.premium)) ", paid on " (text::moment(position.bought_at)) }),
                ("Protects", html! { (say::moment("active_from", position.active_from, now)) " to " (say::moment("end", position.end, now)) }),
                ("Paid", asset.amount("paid", position.paid)),
                ("Pays to", say::address(&position.beneficiary)),
                ("Position", say::address(&position.position)),
            ]))
            @if let Ok(key) = position.position.parse() { (forms::on_position(chain, &key)) }
        }
    }
}
