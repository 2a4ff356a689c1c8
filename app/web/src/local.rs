//! What only the page of a local cluster has: money for whoever asks, and its price and clock, so that a newcomer needs no
//! terminal.
//!
//! `backstop localnet` starts its page with the directory of its cluster. Without one, and everywhere else, nothing of
//! this is there: no path, no form. Money comes from the cluster's own admin, whose keypair is a file in that directory;
//! it is read when somebody asks, and is worth nothing anywhere else.

use crate::error::PageError;
use crate::layout::Place;
use crate::pages::{address, show};
use crate::say;
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use backstop_client::address::associated_token;
use backstop_client::cluster::Cluster;
use backstop_client::cluster::rpc::is_local;
use backstop_client::token::TokenAccount;
use backstop_client::{text, units};
use backstop_sandbox::localnet::{self, Grant, Layout, LocalnetError, Mint, prices};
use maud::{Markup, html};
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Decimals of SOL.
const SOL: u8 = 9;
/// Whole SOL that are handed out at once.
const SOL_GRANT: u64 = 10;
/// Whole tokens of each asset that are handed out at once.
const TOKEN_GRANT: u64 = 10_000;

/// How the clock can be moved on: what the form sends, in words, seconds, and seconds of a step. In steps cranks see what
/// happens on the way.
const MOVES: [(&str, &str, u64, u64); 4] = [
    ("minutes", "10 minutes", 600, 600),
    ("hours", "3 hours, ten minutes at a time", 10_800, 600),
    ("day", "1 day", 86_400, 86_400),
    ("days", "3 days", 259_200, 259_200),
];
/// How long the clock rests after each of several steps: prices are posted every second, and cranks look as often.
const REST: Duration = Duration::from_secs(3);

/// A local cluster that this page is of.
#[derive(Clone, Debug)]
pub struct Local {
    layout: Arc<Layout>,
    /// Steps that its clock is still to be moved on.
    left: Arc<AtomicU64>,
}

/// Why a directory is not that of the cluster that a page shows.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Nothing runs there, or it cannot be read.
    #[error(transparent)]
    Unread(#[from] LocalnetError),
    /// It is another cluster.
    #[error("the localnet of that directory is at {0}, and this page is of another cluster")]
    Another(String),
    /// It is on another machine, or says so.
    #[error("{0} is no cluster of this machine")]
    Remote(String),
}

impl Local {
    /// The cluster that runs with a directory, if it is the one at a URL, and on this machine.
    ///
    /// Errors: it is not, or nothing runs there.
    pub fn read(dir: &Path, url: &str) -> Result<Self, LocalError> {
        let layout = Layout::read(dir)?;
        if layout.rpc != url {
            return Err(LocalError::Another(backstop_client::redact::shown(&layout.rpc)));
        }
        if !is_local(url) {
            return Err(LocalError::Remote(backstop_client::redact::shown(url)));
        }
        Ok(Self { layout: Arc::new(layout), left: Arc::default() })
    }

    /// Hands money out.
    fn fund(&self, to: &Pubkey) -> Result<(), LocalnetError> {
        let Layout { asset, covered, .. } = &*self.layout;
        let units = |whole: u64, decimals: u8| 10u64.saturating_pow(decimals.into()).saturating_mul(whole);
        let grant = Grant {
            lamports: units(SOL_GRANT, SOL),
            asset: units(TOKEN_GRANT, asset.decimals),
            covered: units(TOKEN_GRANT, covered.decimals),
        };
        localnet::fund(&self.layout, to, &grant).map(|_| ())
    }

    /// Moves the clock on, in a thread of its own.
    ///
    /// Errors: it is being moved already, or the system has no thread.
    fn advance(&self, steps: u64, seconds: u64) -> Result<(), PageError> {
        if self.left.compare_exchange(0, steps, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Err(PageError::Input("the clock is being moved on already: wait until it stands".into()));
        }
        let Self { layout, left } = self.clone();
        let go = move || {
            while left.load(Ordering::Relaxed) > 0 {
                if let Err(why) = localnet::advance(&layout.rpc, seconds) {
                    tracing::warn!(%why, "the clock was not moved on");
                    left.store(0, Ordering::Relaxed);
                    return;
                }
                thread::sleep(if steps > 1 { REST } else { Duration::ZERO });
                left.fetch_sub(1, Ordering::Relaxed);
            }
        };
        let spawned = thread::Builder::new().name("clock".into()).spawn(go);
        spawned.map(|_| ()).map_err(|why| {
            self.left.store(0, Ordering::Relaxed);
            PageError::Local(why.to_string())
        })
    }

    /// What is handed out at once, in words.
    fn grant(&self) -> String {
        let Layout { asset, covered, .. } = &*self.layout;
        let tokens = text::thousands(TOKEN_GRANT);
        format!("{SOL_GRANT} SOL, {tokens} {} and {tokens} {}", asset.label, covered.label)
    }
}

/// The paths of a local cluster's page.
pub fn routes(site: &Site) -> Router<Site> {
    if site.settings().local.is_none() {
        return Router::new();
    }
    Router::new()
        .route("/local", get(page))
        .route("/local/fund", post(fund))
        .route("/local/price", post(price))
        .route("/local/clock", post(clock))
}

/// Above every page: that nothing on it is worth anything, and where to get more of it.
pub fn banner(site: &Site) -> Markup {
    html! {
        @if site.settings().local.is_some() {
            p.note.local {
                strong { "A local cluster: " }
                "what is on it is worth nothing and gone when it stops. " a href="/local" { "Its money, price and clock" }
            }
        }
    }
}

/// On a wallet's page: what it has to pay with, and more of it.
pub fn purse(site: &Site, cluster: &dyn Cluster, owner: &Pubkey) -> Result<Markup, PageError> {
    let Some(local) = &site.settings().local else { return Ok(html! {}) };
    let Layout { asset, covered, .. } = &*local.layout;
    let held = |mint: &Mint| -> Result<u64, PageError> {
        let Ok(key) = mint.mint.parse() else { return Ok(0) };
        let account = cluster.account(&associated_token(owner, &key, &anchor_spl::token::ID))?;
        Ok(account.as_ref().and_then(TokenAccount::read).map_or(0, |token| token.amount))
    };
    let lamports = cluster.account(owner)?.map_or(0, |account| account.lamports);
    let rows = [("SOL", lamports, SOL), (&*asset.label, held(asset)?, asset.decimals), {
        (&*covered.label, held(covered)?, covered.decimals)
    }];
    Ok(html! {
        section aria-labelledby="purse" {
            h2 id="purse" { "Money" }
            dl.totals {
                @for (name, units, decimals) in rows {
                    div { dt { (name) } dd { data.number value=(units) data-field={ "money." (name) } { (text::tidy_amount(units, decimals)) } } }
                }
            }
            (form(local, &owner.to_string()))
        }
    })
}

/// Asks for money: for an address that stands already, or for any.
fn form(local: &Local, owner: &str) -> Markup {
    html! {
        form.look method="post" action="/local/fund" {
            @if owner.is_empty() {
                label for="fund-address" { "Address of a wallet" }
                input id="fund-address" name="address" autocomplete="off" spellcheck="false" required;
            } @else {
                input type="hidden" name="address" value=(owner);
            }
            button type="submit" { "Get " (local.grant()) }
        }
    }
}

/// What is being watched, and what it costs.
fn prices(local: &Local) -> Markup {
    let quotes = prices::read(&local.layout.prices).unwrap_or_default();
    html! {
        @for quote in &quotes {
            @let price = quote.price.normalize();
            @let id = format!("price-{}", quote.account());
            form.look method="post" action="/local/price" {
                input type="hidden" name="feed" value=(quote.feed);
                label for=(id) { (say::name(&quote.feed)) " is at " data.number data-field="local.price" value=(price) { (price) } "; from now on" }
                input id=(id) name="price" inputmode="decimal" autocomplete="off" required placeholder="0.85";
                button type="submit" { "Set the price" }
            }
        }
    }
}

/// What time it is, and on with it.
fn time(local: &Local, now: i64) -> Markup {
    let left = local.left.load(Ordering::Relaxed);
    html! {
        p { "It is " data data-field="local.now" value=(now) { (text::moment(now)) } " on this cluster." }
        @if left > 0 { p role="status" { "It is being moved on, " (left) " steps to go: " a href="/local#clock" { "look again" } "." } }
        form.look method="post" action="/local/clock" {
            label for="by" { "Move it on by" }
            select id="by" name="by" { @for (name, words, ..) in MOVES { option value=(name) { (words) } } }
            button type="submit" disabled[left > 0] { "Move the clock" }
        }
    }
}

async fn page(State(site): State<Site>) -> Result<Markup, PageError> {
    let local = site.settings().local.clone().ok_or(PageError::NoPage)?;
    show(site, Place::Elsewhere, move |look| {
        let body = html! {
            h1 { "This local cluster" }
            section aria-labelledby="money" {
                h2 id="money" { "Money" }
                p {
                    "Whoever asks gets some, from the cluster's own admin. Connect a wallet at the top, and “Mine” leads to \
                     its own page, where the same stands with its address filled in."
                }
                (form(&local, ""))
            }
            section aria-labelledby="market" {
                h2 id="market" { "Price" }
                p { "What the oracle says within a second. Covers pay if it stays below their threshold for long enough." }
                (prices(&local))
            }
            section aria-labelledby="clock" {
                h2 id="clock" { "Clock" }
                (time(&local, look.now()))
                p.note { "A price that nobody shows to the program counts for nothing: a crank must run, as `backstop localnet --crank` has one." }
            }
            p.note {
                "The same by command: " code { "backstop localnet fund ADDRESS" } ", " code { "price FEED PRICE" } ", "
                code { "advance 3h --step 10m" } "."
            }
        };
        Ok(("This local cluster".into(), body))
    })
    .await
}

/// What the form for money sends.
#[derive(Debug, Deserialize)]
struct FundBody {
    address: String,
}

async fn fund(State(site): State<Site>, Form(body): Form<FundBody>) -> Result<Redirect, PageError> {
    let local = site.settings().local.clone().ok_or(PageError::NoPage)?;
    let to = address(body.address.trim())?;
    site.ask(move |_| local.fund(&to).map_err(|why| PageError::Local(why.to_string()))).await?;
    Ok(Redirect::to(&format!("/holder/{to}")))
}

/// What the form for a price sends.
#[derive(Debug, Deserialize)]
struct PriceBody {
    feed: String,
    price: String,
}

async fn price(State(site): State<Site>, Form(body): Form<PriceBody>) -> Result<Redirect, PageError> {
    let local = site.settings().local.clone().ok_or(PageError::NoPage)?;
    let number = units::number(body.price.trim());
    let price = number.ok_or_else(|| PageError::Input("a price is a number, as 0.85".into()))?;
    site.ask(move |_| {
        let set = localnet::set_price(&local.layout, &body.feed, price, None);
        set.map(|_| ()).map_err(|why| PageError::Input(why.to_string()))
    })
    .await?;
    Ok(Redirect::to("/local#market"))
}

/// What the form for the clock sends.
#[derive(Debug, Deserialize)]
struct ClockBody {
    by: String,
}

async fn clock(State(site): State<Site>, Form(body): Form<ClockBody>) -> Result<Redirect, PageError> {
    let local = site.settings().local.clone().ok_or(PageError::NoPage)?;
    let found = MOVES.iter().find(|(name, ..)| *name == body.by);
    let (_, _, seconds, step) = found.ok_or_else(|| PageError::Input("the clock is not moved on so".into()))?;
    local.advance(seconds / step, *step)?;
    Ok(Redirect::to("/local#clock"))
}
