//! Covers: what they pay, until when, who holds them, and where their event stands.

use crate::account::{self, AccountError, Decode};
use crate::address;
use crate::cluster::{Cluster, ClusterError};
use crate::quote::Market;
use crate::view::cover::{Basis, Payout, Standing, payout};
use crate::view::{self, OpenCover, holder_of};
use anchor_lang::prelude::Pubkey;
use backstop::border::text::hex_text;
use backstop::state::{Claim, Cover, CoverState, Incident, Policy, Pool, Product, Rates, Trigger, get_text};
use serde::Serialize;
use std::collections::HashMap;

/// A cover in short.
#[derive(Clone, Debug, Serialize)]
pub struct CoverRow {
    /// The cover.
    pub cover: String,
    /// Its NFT's mint.
    pub mint: String,
    /// The product.
    pub product: String,
    /// The product's name.
    pub product_name: String,
    /// The pool.
    pub pool: String,
    /// The name of the pool's asset.
    pub label: String,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Where it stands.
    pub state: &'static str,
    /// The sum insured.
    pub sum_insured: u64,
    /// The premium.
    pub premium: u64,
    /// When it was bought.
    pub bought_at: i64,
    /// When protection begins.
    pub active_from: i64,
    /// When it ends.
    pub end: i64,
    /// What it was paid, with premium that was given back, if it was paid all.
    pub paid: Option<u64>,
    /// What it got at most, if it was waiting and the chain no longer tells until when it had earned its premium.
    pub paid_at_most: Option<u64>,
}

impl CoverRow {
    fn new(address: &Pubkey, cover: &Cover, product: &Product, pool: &Pool, standing: Standing) -> Self {
        Self {
            cover: address.to_string(),
            mint: cover.mint().to_string(),
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
}

/// The covers whose NFT a wallet holds.
///
/// Errors: the cluster does not answer.
pub fn held_by(cluster: &dyn Cluster, owner: &Pubkey) -> Result<Vec<(Pubkey, Cover)>, ClusterError> {
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
/// number and the day of the purchase, or on which it was made of a position: for each such day the numbers are tried from 0 on until
/// [`GAP`] in a row fit no cover. Those that other programs numbered far apart are not found.
pub fn bought_by(covers: Vec<(Pubkey, Cover)>, buyer: &Pubkey) -> Vec<(Pubkey, Cover)> {
    let mut by_day: HashMap<(Pubkey, u32), HashMap<Pubkey, (Pubkey, Cover)>> = HashMap::new();
    for (address, cover) in covers {
        by_day.entry((cover.product, cover.address_day())).or_default().insert(cover.mint(), (address, cover));
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

/// A cover.
#[derive(Clone, Debug, Serialize)]
pub struct CoverReport {
    /// In short.
    #[serde(flatten)]
    pub row: CoverRow,
    /// What cancelling keeps of the unearned premium.
    pub cancel_fee_bps: u16,
    /// What cancelling would pay back now; `None` while it cannot be cancelled.
    pub refund: Option<u64>,
    /// When it can be closed.
    pub closable_from: Option<i64>,
    /// Who holds its NFT; `None`: it is burnt.
    pub holder: Option<String>,
    /// In which token account.
    pub nft_account: Option<String>,
    /// Who gets its rent back.
    pub rent_payer: String,
    /// Hash of the wording.
    pub wording_sha256: String,
    /// Where its NFTs link to.
    pub uri: String,
    /// Its trigger's phase.
    pub phase: &'static str,
    /// The incident.
    pub incident: Option<&'static str>,
    /// What it would be paid, or was.
    pub payout: Option<CoverPayout>,
}

/// What a cover would be paid, or was.
#[derive(Clone, Debug, Serialize)]
pub struct CoverPayout {
    /// What that is derived from.
    pub basis: &'static str,
    /// When the event began.
    pub event_at: i64,
    /// Part of a sum insured that is lost.
    pub severity_bps: u16,
    /// What is due.
    pub due: Option<&'static str>,
    /// For the loss, now.
    pub amount: u64,
    /// For the loss, before.
    pub paid: u64,
    /// For the loss in all, by the severity so far.
    pub in_full: u64,
    /// Premium that is given back.
    pub refund: u64,
}

impl CoverPayout {
    /// What is due of a policy; nothing more of one that `is_paid`.
    pub(super) fn of(due: &Payout, is_paid: bool) -> Self {
        Self {
            basis: due.basis.name(),
            event_at: due.event_at,
            severity_bps: due.severity_bps,
            due: due.claim.map(claim_name),
            amount: if is_paid { 0 } else { due.amount },
            paid: due.paid,
            in_full: due.in_full,
            refund: if is_paid { 0 } else { due.refund },
        }
    }
}

/// A cover told in full, with what it is told from.
pub struct FoundCover {
    /// What is told.
    pub report: CoverReport,
    /// The accounts that decide about its product.
    pub market: Market,
    /// Where it stands.
    pub standing: Standing,
    /// What it would be paid or was.
    pub due: Option<Payout>,
}

impl CoverReport {
    /// A cover at `now`.
    ///
    /// Errors: an account cannot be read, or the cluster does not answer.
    pub fn read(cluster: &dyn Cluster, open: &OpenCover, now: i64) -> Result<FoundCover, AccountError> {
        let OpenCover { address, state: cover, product } = open;
        let market = Market::fetch(cluster, &product.keys)?;
        let books = market.up_to_date(now);
        let incident: Option<Incident> = account::find(cluster, &product.keys.incident())?;
        let holder = holder_of(cluster, &cover.mint())?;
        let standing = Standing::of(cover, &books.product, &market.trigger, now);
        let is_paid = standing == Standing::Paid;
        let asked = if is_paid { unpaid(cover) } else { cover.policy.clone() };
        let due = payout(&asked, &market.product.terms, &market.trigger, incident.as_ref(), now)
            .map(|due| Payout { paid: cover.paid, ..due });
        let refund = (standing == Standing::Waiting || standing == Standing::InForce)
            .then(|| {
                let mut rates: Rates = account::fetch(cluster, &product.keys.rates()).ok()?;
                let Market { mut product, mut pool, trigger, .. } = market.clone();
                product.cancel(&mut pool, &mut rates, &*trigger, cover, now).ok().map(|cancelled| cancelled.refund)
            })
            .flatten();
        let report = Self {
            row: CoverRow::new(address, cover, &books.product, &books.pool, standing)
                .with_payout(cover, due.filter(|_| is_paid)),
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
            payout: due.map(|due| CoverPayout::of(&due, is_paid)),
        };
        Ok(FoundCover { report, market, standing, due })
    }
}

/// Some covers at `now`, those of a product or pool if one is named, by their ends.
///
/// Errors: an account cannot be read, or the cluster does not answer.
pub fn covers(
    cluster: &dyn Cluster,
    covers: &[(Pubkey, Cover)],
    product: Option<Pubkey>,
    pool: Option<Pubkey>,
    now: i64,
) -> Result<Vec<CoverRow>, AccountError> {
    let mut products: HashMap<Pubkey, Product> = match product {
        Some(product) => HashMap::from([(product, account::fetch(cluster, &product)?)]),
        None => account::list(cluster, pool.map(|pool| (0, pool)))?.into_iter().collect(),
    };
    let pools: HashMap<Pubkey, Pool> = account::list(cluster, None)?.into_iter().collect();
    // A trigger names its product first and its pool after it.
    let triggers = account::list::<Trigger>(cluster, pool.map(|pool| (32, pool)))?;
    let triggers: HashMap<Pubkey, Trigger> = triggers.into_iter().collect();
    let any_paid = covers.iter().any(|(_, cover)| cover.state == CoverState::Settled);
    let incidents: HashMap<Pubkey, Incident> = if any_paid {
        let incidents = account::list::<Incident>(cluster, pool.map(|pool| (32, pool)))?;
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
    let mut rows: Vec<CoverRow> = covers
        .iter()
        .filter_map(|(address, cover)| {
            let product = products.get(&cover.product)?;
            let books = pools.get(&product.pool)?;
            let wanted = pool.is_none_or(|wanted| wanted == product.pool);
            let trigger = triggers.get(&product.trigger)?;
            let standing = Standing::of(cover, product, trigger, now);
            let incident = incidents.get(&cover.product);
            let paid = (standing == Standing::Paid)
                .then(|| payout(&unpaid(cover), &product.terms, trigger, incident, now))
                .flatten();
            wanted.then(|| CoverRow::new(address, cover, product, books, standing).with_payout(cover, paid))
        })
        .collect();
    rows.sort_by(|left, right| (left.end, &left.cover).cmp(&(right.end, &right.cover)));
    Ok(rows)
}

/// A cover as it was before it was paid all: what it was due is asked of that.
pub(super) fn unpaid(policy: &Policy) -> Policy {
    Policy { state: CoverState::Active, ..policy.clone() }
}

/// A claim's name.
pub const fn claim_name(claim: Claim) -> &'static str {
    match claim {
        Claim::Loss => "loss",
        Claim::Refund => "refund",
    }
}
