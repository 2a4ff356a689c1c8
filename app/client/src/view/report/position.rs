//! Positions: what they pay, to whom, until when, and where their event stands.

use super::cover::{CoverPayout, unpaid};
use crate::account::{self, AccountError};
use crate::cluster::Cluster;
use crate::quote::Market;
use crate::view::cover::{Payout, Standing, payout};
use crate::view::{OpenPosition, OpenProduct};
use anchor_lang::prelude::Pubkey;
use backstop::border::text::hex_text;
use backstop::state::{Incident, Position, Rates, get_text};
use serde::Serialize;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A position in short. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct PositionRow {
    /// The position.
    pub position: String,
    /// The owner's number for it.
    pub nonce: String,
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
    /// Who is insured.
    pub owner: String,
    /// The token account that it pays.
    pub beneficiary: String,
    /// What the owner knows it by, in hexadecimal.
    pub reference: String,
    /// Where it stands.
    pub state: &'static str,
    /// The sum insured.
    pub sum_insured: u64,
    /// The premium.
    pub premium: u64,
    /// What it was paid for its loss so far.
    pub paid: u64,
    /// When it was bought.
    pub bought_at: i64,
    /// When protection begins.
    pub active_from: i64,
    /// When it ends.
    pub end: i64,
}

impl PositionRow {
    fn new(address: &Pubkey, position: &Position, market: &Market, standing: Standing) -> Self {
        let (product, pool) = (&market.product, &market.pool);
        Self {
            position: address.to_string(),
            nonce: position.nonce.to_string(),
            product: position.product.to_string(),
            product_name: product.name().to_owned(),
            pool: product.pool.to_string(),
            label: get_text(&pool.label).to_owned(),
            decimals: pool.asset_decimals,
            owner: position.insured.to_string(),
            beneficiary: position.beneficiary.to_string(),
            reference: hex_text(&position.reference),
            state: standing.name(),
            sum_insured: position.sum_insured,
            premium: position.premium,
            paid: position.paid,
            bought_at: position.bought_at,
            active_from: position.active_from(),
            end: position.end(),
        }
    }
}

/// A position. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct PositionReport {
    /// In short.
    #[serde(flatten)]
    pub row: PositionRow,
    /// What giving it back would pay now; `None` while it cannot be given back.
    pub refund: Option<u64>,
    /// When it can be closed, once its term is over.
    pub closable_from: Option<i64>,
    /// Who gets its rent back.
    pub rent_payer: String,
    /// What it would be paid, or was.
    pub payout: Option<CoverPayout>,
}

/// A position told in full, with what it is told from.
pub struct FoundPosition {
    /// What is told.
    pub report: PositionReport,
    /// The accounts that decide about its product.
    pub market: Market,
    /// Where it stands.
    pub standing: Standing,
    /// What it would be paid or was.
    pub due: Option<Payout>,
}

impl PositionReport {
    /// A position at `now`.
    ///
    /// Errors: an account cannot be read, or the cluster does not answer.
    pub fn read(cluster: &dyn Cluster, open: &OpenPosition, now: i64) -> Result<FoundPosition, AccountError> {
        let OpenPosition { address, state: position, product } = open;
        let market = Market::fetch(cluster, &product.keys)?;
        let books = market.up_to_date(now);
        let incident: Option<Incident> = account::find(cluster, &product.keys.incident())?;
        let standing = Standing::of(position, &books.product, &market.trigger, now);
        let is_paid = standing == Standing::Paid;
        let asked = if is_paid { unpaid(position) } else { position.policy.clone() };
        let due = payout(&asked, &market.product.terms, &market.trigger, incident.as_ref(), now)
            .map(|due| Payout { paid: position.paid, ..due });
        let mut refund = None;
        if standing == Standing::Waiting || standing == Standing::InForce {
            let mut rates: Rates = account::fetch(cluster, &product.keys.rates())?;
            let Market { mut product, mut pool, trigger, .. } = market.clone();
            let cancelled = product.cancel(&mut pool, &mut rates, &*trigger, position, now);
            refund = cancelled.ok().map(|cancelled| cancelled.refund);
        }
        let report = Self {
            row: PositionRow::new(address, position, &market, standing),
            refund,
            closable_from: (standing == Standing::Ending).then(|| market.product.release_time(position.end_day)),
            rent_payer: position.rent_payer.to_string(),
            payout: due.map(|due| CoverPayout::of(&due, is_paid)),
        };
        Ok(FoundPosition { report, market, standing, due })
    }
}

/// Positions at `now`, by their ends: those of an owner, of a product, or all.
///
/// Errors: an account cannot be read, or the cluster does not answer.
pub fn positions(
    cluster: &dyn Cluster,
    owner: Option<Pubkey>,
    product: Option<Pubkey>,
    now: i64,
) -> Result<Vec<PositionRow>, AccountError> {
    // A position names its product first, and its owner after it.
    let filter = product.map(|product| (0, product)).or(owner.map(|owner| (32, owner)));
    let mut found = account::list::<Position>(cluster, filter)?;
    found.retain(|(_, position)| owner.is_none_or(|owner| position.insured == owner));
    let mut markets: HashMap<Pubkey, Market> = HashMap::new();
    let mut rows = Vec::with_capacity(found.len());
    for (address, position) in &found {
        let market = match markets.entry(position.product) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let keys = OpenProduct::read(cluster, position.product)?.keys;
                unknown.insert(Market::fetch(cluster, &keys)?.up_to_date(now))
            }
        };
        let standing = Standing::of(position, &market.product, &market.trigger, now);
        rows.push(PositionRow::new(address, position, market, standing));
    }
    rows.sort_by(|left, right| (left.end, &left.position).cmp(&(right.end, &right.position)));
    Ok(rows)
}
