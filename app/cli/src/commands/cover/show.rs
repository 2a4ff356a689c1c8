//! `backstop cover list` and `backstop cover show`.

use super::CoverArg;
use crate::commands::args::{PoolArg, ProductArg, asset_text};
use crate::commands::context::Context;
use crate::output::{amount, card, listing, moment, percent, table};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::cpi::text::{date_text, hex_text};
use backstop::state::{Claim, Cover, CoverState, Incident, Pool, Product, Rates, Trigger, get_text};
use backstop_client::account::Decode;
use backstop_client::quote::Market;
use backstop_client::view;
use backstop_client::view::cover::{Basis, Payout, Standing, payout};
use backstop_client::view::{OpenCover, holder_of};
use backstop_client::{Cluster, account, address};
use clap::Args;
use serde::Serialize;
use std::collections::HashMap;

/// List covers: those that a wallet holds, or all of a product or pool.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop cover list\n  backstop cover list --product PRODUCT --output json")]
pub struct ListArgs {
    /// Those whose NFT this wallet holds; without --product and --pool the signer's.
    #[arg(long, value_name = "WALLET")]
    owner: Option<Pubkey>,
    /// Those that this wallet bought, whoever holds them now.
    #[arg(long, value_name = "WALLET", conflicts_with = "owner")]
    buyer: Option<Pubkey>,
    /// Those of a product: its address, or MINT/POOL/PRODUCT.
    #[arg(long)]
    product: Option<ProductArg>,
    /// Those of a pool: its address, or MINT/NUMBER.
    #[arg(long)]
    pool: Option<PoolArg>,
}

#[derive(Serialize)]
struct Row {
    cover: String,
    mint: String,
    product: String,
    product_name: String,
    pool: String,
    label: String,
    decimals: u8,
    state: &'static str,
    sum_insured: u64,
    premium: u64,
    bought_at: i64,
    active_from: i64,
    end: i64,
    /// What it was paid, with premium that was given back, if it was paid all.
    paid: Option<u64>,
    /// What it got at most, if it was waiting and the chain no longer tells until when it had earned its premium.
    paid_at_most: Option<u64>,
}

impl Row {
    fn new(address: &Pubkey, cover: &Cover, product: &Product, pool: &Pool, standing: Standing) -> Self {
        Self {
            cover: address.to_string(),
            mint: cover.mint.to_string(),
            product: cover.product.to_string(),
            product_name: product.name().to_owned(),
            pool: product.pool.to_string(),
            label: get_text(&pool.label).to_owned(),
            decimals: pool.asset_decimals,
            state: standing.name(),
            sum_insured: cover.sum_insured,
            premium: cover.premium,
            bought_at: cover.bought_at,
            active_from: cover.active_from(),
            end: cover.end(),
            paid: None,
            paid_at_most: None,
        }
    }

    /// Notes what it was paid: for a loss its account tells that, for a cover that waited its incident, while it is there.
    fn with_payout(mut self, cover: &Cover, payout: Option<Payout>) -> Self {
        match payout.map(|payout| (payout.claim, payout.refund, payout.basis)) {
            Some((Some(Claim::Loss), refund, _)) => self.paid = Some(cover.paid.saturating_add(refund)),
            Some((Some(Claim::Refund), refund, Basis::Funded | Basis::Incident)) => self.paid = Some(refund),
            Some((Some(Claim::Refund), refund, _)) => self.paid_at_most = Some(refund),
            Some((None, ..)) | None => {}
        }
        self
    }

    /// Its state, and what it was paid.
    fn state_text(&self) -> String {
        let asset = |units| format!("{} {}", amount(units, self.decimals), self.label);
        match (self.paid, self.paid_at_most) {
            (Some(paid), _) => format!("{} {}", self.state, asset(paid)),
            (None, Some(most)) => format!("{}, at most {}", self.state, asset(most)),
            (None, None) => self.state.to_owned(),
        }
    }
}

/// The covers whose NFT a wallet holds.
fn held_by(cluster: &dyn Cluster, owner: &Pubkey) -> Result<Vec<(Pubkey, Cover)>> {
    // A token account begins with its mint; the amount stands after mint and owner.
    let one = 1u64.to_le_bytes();
    let covers: Vec<Pubkey> = cluster
        .tokens_of(owner, &anchor_spl::token_2022::ID)?
        .iter()
        .filter(|(_, account)| account.data.get(64..72) == Some(&one))
        .filter_map(|(_, account)| Some(Pubkey::new_from_array(account.data.get(..32)?.try_into().ok()?)))
        .map(|mint| address::cover(&mint))
        .collect();
    let found = cluster.accounts(&covers)?;
    let decoded = covers.into_iter().zip(found).filter_map(|(key, account)| {
        let account = account.filter(|account| account.owner == backstop::ID)?;
        Some((key, Cover::decode(&account.data)?))
    });
    Ok(decoded.collect())
}

/// How many numbers in a row that a buyer has not used end the search for more.
const GAP: u64 = 256;

/// The covers that a wallet bought. A cover does not name its buyer, but its NFT's address is made of product, buyer, a
/// number and the day of the purchase: for each day on which covers were bought the numbers are tried from 0 on until
/// [`GAP`] in a row fit no cover. Those that other programs numbered far apart are not found.
fn bought_by(covers: Vec<(Pubkey, Cover)>, buyer: &Pubkey) -> Vec<(Pubkey, Cover)> {
    let mut by_day: HashMap<(Pubkey, u32), HashMap<Pubkey, (Pubkey, Cover)>> = HashMap::new();
    for (address, cover) in covers {
        by_day.entry((cover.product, cover.bought_day())).or_default().insert(cover.mint, (address, cover));
    }
    let mut bought = Vec::new();
    for ((product, day), mut covers) in by_day {
        let (mut number, mut missed) = (0, 0);
        while missed < GAP && !covers.is_empty() {
            match covers.remove(&address::cover_mint(&product, buyer, number, day)) {
                Some(cover) => {
                    bought.push(cover);
                    missed = 0;
                }
                None => missed += 1,
            }
            number += 1;
        }
    }
    bought
}

pub fn list(args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let all = args.owner.is_none() && (args.product.is_some() || args.pool.is_some() || args.buyer.is_some());
    let mut covers = match (all, args.product) {
        // A cover names its product first, after the discriminator.
        (true, product) => account::list::<Cover>(cluster, product.map(|product| (0, product.0)))?,
        (false, _) => held_by(cluster, &args.owner.map_or_else(|| context.wallet(), Ok)?)?,
    };
    if let Some(buyer) = &args.buyer {
        covers = bought_by(covers, buyer);
    }
    let mut products: HashMap<Pubkey, Product> = match args.product {
        Some(ProductArg(product)) => HashMap::from([(product, account::fetch(cluster, &product)?)]),
        None => account::list(cluster, args.pool.map(|pool| (0, pool.0)))?.into_iter().collect(),
    };
    let pools: HashMap<Pubkey, Pool> = account::list(cluster, None)?.into_iter().collect();
    // A trigger names its product first and its pool after it.
    let triggers = account::list::<Trigger>(cluster, args.pool.map(|pool| (32, pool.0)))?;
    let triggers: HashMap<Pubkey, Trigger> = triggers.into_iter().collect();
    let any_paid = covers.iter().any(|(_, cover)| cover.state == CoverState::Settled);
    let incidents: HashMap<Pubkey, Incident> = if any_paid {
        let incidents = account::list::<Incident>(cluster, args.pool.map(|pool| (32, pool.0)))?;
        incidents.into_iter().map(|(_, incident)| (incident.product, incident)).collect()
    } else {
        HashMap::new()
    };
    for product in products.values_mut() {
        if let (Some(pool), Some(trigger)) = (pools.get(&product.pool), triggers.get(&product.trigger)) {
            // What is over is over, though nobody may have released it yet.
            let mut synced = *product;
            if synced.sync(&mut pool.clone(), trigger, now).is_ok() {
                *product = synced;
            }
        }
    }
    let mut rows: Vec<Row> = covers
        .iter()
        .filter_map(|(address, cover)| {
            let product = products.get(&cover.product)?;
            let pool = pools.get(&product.pool)?;
            let wanted = args.pool.is_none_or(|wanted| wanted.0 == product.pool);
            let trigger = triggers.get(&product.trigger)?;
            let standing = Standing::of(cover, product, trigger, now);
            let incident = incidents.get(&cover.product);
            let paid = (standing == Standing::Paid).then(|| payout(&unpaid(cover), trigger, incident, now)).flatten();
            wanted.then(|| Row::new(address, cover, product, pool, standing).with_payout(cover, paid))
        })
        .collect();
    rows.sort_by(|left, right| (left.end, &left.cover).cmp(&(right.end, &right.cover)));
    context.options.output.print(&rows, |rows| {
        if rows.is_empty() {
            return "No covers.".into();
        }
        let mut table = table(&["cover", "pays if", "sum insured", "ends", "state"], &[2]);
        for row in rows {
            table.add_row([
                row.cover.clone(),
                row.product_name.clone(),
                format!("{} {}", amount(row.sum_insured, row.decimals), row.label),
                date_text(backstop::state::day_of(row.end)),
                row.state_text(),
            ]);
        }
        listing(&table)
    })
}

/// Show a cover: what it pays, until when, who holds it, and where its event stands.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop cover show COVER")]
pub struct ShowArgs {
    /// The cover, or its NFT's mint.
    cover: CoverArg,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    row: Row,
    cancel_fee_bps: u16,
    /// What cancelling would pay back now; `None` while it cannot be cancelled.
    refund: Option<u64>,
    closable_from: Option<i64>,
    holder: Option<String>,
    nft_account: Option<String>,
    rent_payer: String,
    wording_sha256: String,
    uri: String,
    phase: &'static str,
    incident: Option<&'static str>,
    payout: Option<PayoutView>,
}

#[derive(Serialize)]
struct PayoutView {
    basis: &'static str,
    event_at: i64,
    severity_bps: u16,
    due: Option<&'static str>,
    /// For the loss, now.
    amount: u64,
    /// For the loss, before.
    paid: u64,
    /// For the loss in all, by the severity so far.
    in_full: u64,
    /// Premium that is given back.
    refund: u64,
}

pub fn show(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let OpenCover { address, state: cover, product } = args.cover.open(cluster)?;
    let (now, market) = (cluster.now()?, Market::fetch(cluster, &product.keys)?);
    let books = market.up_to_date(now);
    let incident: Option<Incident> = account::find(cluster, &product.keys.incident())?;
    let holder = holder_of(cluster, &cover.mint)?;
    let standing = Standing::of(&cover, &books.product, &market.trigger, now);
    let is_paid = standing == Standing::Paid;
    let asked = if is_paid { unpaid(&cover) } else { cover.clone() };
    let due = payout(&asked, &market.trigger, incident.as_ref(), now).map(|due| Payout { paid: cover.paid, ..due });
    let refund = (standing == Standing::Waiting || standing == Standing::InForce)
        .then(|| {
            let mut rates: Rates = account::fetch(cluster, &product.keys.rates()).ok()?;
            let Market { mut product, mut pool, trigger, .. } = market.clone();
            product.cancel(&mut pool, &mut rates, &*trigger, &cover, now).ok().map(|cancelled| cancelled.refund)
        })
        .flatten();
    let shown = Shown {
        row: Row::new(&address, &cover, &books.product, &books.pool, standing)
            .with_payout(&cover, due.filter(|_| is_paid)),
        cancel_fee_bps: cover.cancel_fee_bps,
        refund,
        closable_from: (standing == Standing::Ending).then(|| market.product.release_time(cover.end_day)),
        holder: holder.map(|(owner, _)| owner.to_string()),
        nft_account: holder.map(|(_, account)| account.to_string()),
        rent_payer: cover.rent_payer.to_string(),
        wording_sha256: hex_text(&market.product.wording_hash),
        uri: market.product.uri().to_owned(),
        phase: view::trigger::phase(view::trigger::phase_at(&market.trigger, now)),
        incident: incident.map(|incident| view::incident::state(incident.state)),
        payout: due.map(|due| PayoutView {
            basis: due.basis.name(),
            event_at: due.event_at,
            severity_bps: due.severity_bps,
            due: due.claim.map(claim_name),
            amount: if is_paid { 0 } else { due.amount },
            paid: due.paid,
            in_full: due.in_full,
            refund: if is_paid { 0 } else { due.refund },
        }),
    };
    context.options.output.print(&shown, |shown| {
        let row = &shown.row;
        let asset = |units| asset_text(&market.pool, units);
        let mut rows = vec![
            ("address", row.cover.clone()),
            ("NFT", row.mint.clone()),
            ("holder", shown.holder.clone().unwrap_or_else(|| "nobody: the NFT is burnt".into())),
            ("state", format!("{}: {}", row.state, standing.meaning())),
            ("sum insured", asset(row.sum_insured)),
            ("premium", format!("{}, paid on {}", asset(row.premium), moment(row.bought_at))),
            ("protects", format!("{} to {}", moment(row.active_from), moment(row.end))),
            ("product", row.product.clone()),
            ("pool", format!("{} {}", row.pool, row.label)),
            ("pays if", view::product::condition_of(&market.trigger)),
            ("pays", view::product::payment_of(&market.trigger)),
            ("trigger", shown.phase.to_owned()),
        ];
        if let Some(incident) = shown.incident {
            rows.push(("incident", incident.to_owned()));
        }
        if let Some(due) = due.filter(|_| standing != Standing::Ended) {
            let told = if is_paid { paid_text(&due, &asset) } else { payout_text(&due, &asset) };
            rows.push((if is_paid { "paid" } else { "would pay" }, told));
        }
        match shown.refund {
            Some(refund) => rows.push(("cancelling", format!("pays {} back now", asset(refund)))),
            None if standing == Standing::Waiting || standing == Standing::InForce => {
                let why = match cover.require_kept_overnight(now) {
                    Ok(()) => "not now: the trigger is not quiet",
                    Err(_) => "from the day after its purchase on (UTC)",
                };
                rows.push(("cancelling", why.into()));
            }
            None => {}
        }
        if let Some(from) = shown.closable_from {
            rows.push(("can be closed", format!("from {}", moment(from))));
        }
        rows.push(("wording", shown.uri.clone()));
        rows.push(("its sha256", shown.wording_sha256.clone()));
        card(&row.product_name, &rows)
    })
}

/// A cover as it was before it was paid all: what it was due is asked of that.
fn unpaid(cover: &Cover) -> Cover {
    Cover { state: CoverState::Active, ..cover.clone() }
}

fn claim_name(claim: Claim) -> &'static str {
    match claim {
        Claim::Loss => "loss",
        Claim::Refund => "refund",
    }
}

fn payout_text(due: &Payout, asset: &dyn Fn(u64) -> String) -> String {
    let severity = percent(due.severity_bps.into());
    match (due.basis, due.claim) {
        (Basis::LastPrice, None) => return "nothing at the last price".into(),
        (_, None) => return format!("nothing: it had ended when the event began on {}", moment(due.event_at)),
        (_, Some(Claim::Refund)) => return refund_text(due, asset),
        (_, Some(Claim::Loss)) => {}
    }
    let premium = premium_text(due, asset);
    let basis = match due.basis {
        Basis::Funded | Basis::Incident => {
            let (now, before, all) = (asset(due.amount), asset(due.paid), asset(due.in_full));
            return format!("{now} now, after {before}: of {all}, {severity} of the sum insured{premium}");
        }
        Basis::Evidence => "by the evidence shown, if the pool can pay everything",
        Basis::LastPrice => "if the mean of an event that begins now were the last price",
    };
    format!("{}: {severity} of the sum insured, {basis}{premium}", asset(due.amount))
}

/// What a cover that was still waiting gets: its own premium, whatever the pool has.
fn refund_text(due: &Payout, asset: &dyn Fn(u64) -> String) -> String {
    format!("{}: the premium that it had not earned, as it was still waiting", asset(due.refund))
}

/// What of its premium a cover gets back beside its claim.
fn premium_text(due: &Payout, asset: &dyn Fn(u64) -> String) -> String {
    if due.refund == 0 { String::new() } else { format!("; and {} of its premium", asset(due.refund)) }
}

/// What a cover was paid: for its loss it keeps that itself.
fn paid_text(due: &Payout, asset: &dyn Fn(u64) -> String) -> String {
    match due.claim {
        Some(Claim::Refund) if matches!(due.basis, Basis::Funded | Basis::Incident) => refund_text(due, asset),
        Some(Claim::Refund) => format!("at most {}", refund_text(due, asset)),
        _ => {
            let (severity, premium) = (percent(due.severity_bps.into()), premium_text(due, asset));
            let (paid, all) = (asset(due.paid), asset(due.in_full));
            format!("{paid} of {all}, {severity} of the sum insured{premium}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payout_is_told_with_its_reason() {
        let asset = |units: u64| format!("{units} USDC");
        let due = |basis, claim, amount| Payout {
            basis,
            event_at: 0,
            severity_bps: 2_690,
            claim,
            amount,
            paid: 100,
            in_full: 400,
            refund: 4,
        };
        let text = payout_text(&due(Basis::Evidence, Some(Claim::Loss), 269), &asset);
        assert_eq!(
            text,
            "269 USDC: 26.90 % of the sum insured, by the evidence shown, if the pool can pay everything; and 4 USDC of its \
             premium"
        );
        let text = payout_text(&due(Basis::Incident, Some(Claim::Loss), 269), &asset);
        assert_eq!(
            text,
            "269 USDC now, after 100 USDC: of 400 USDC, 26.90 % of the sum insured; and 4 USDC of its premium"
        );
        let text = paid_text(&due(Basis::Evidence, Some(Claim::Loss), 0), &asset);
        assert_eq!(text, "100 USDC of 400 USDC, 26.90 % of the sum insured; and 4 USDC of its premium");
        assert!(payout_text(&due(Basis::Funded, Some(Claim::Refund), 4), &asset).contains("the premium"));
        assert!(paid_text(&due(Basis::Evidence, Some(Claim::Refund), 0), &asset).starts_with("at most 4 USDC"));
        assert_eq!(payout_text(&due(Basis::LastPrice, None, 0), &asset), "nothing at the last price");
        assert!(payout_text(&due(Basis::Incident, None, 0), &asset).contains("had ended"));
    }
}
