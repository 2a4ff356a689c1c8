//! A product: what triggers it, how it pays, what it costs, what is left.

use crate::account::{self, AccountError};
use crate::address;
use crate::cluster::Cluster;
use crate::explain::explain_refusal;
use crate::instruction::ProductKeys;
use crate::quote::Market;
use crate::view::trigger::Armed;
use crate::view::{self, OpenProduct};
use anchor_lang::prelude::Pubkey;
use backstop::border::text::hex_text;
use backstop::error::BackstopError;
use backstop::math::pricing::utilisation_bps;
use backstop::peril::evidence::Phase;
use backstop::state::{CoverRequest, Form, Incident, Pool, Product, Protocol, Trigger, get_text};
use serde::Serialize;
use std::collections::HashMap;

/// Sum of the example price, in whole units of the asset.
const EXAMPLE_SUM: u64 = 1_000;
/// Term of the example price, if the product sells it.
const EXAMPLE_DAYS: u16 = 30;

/// A product in short.
#[derive(Clone, Debug, Serialize)]
pub struct ProductSummary {
    /// The product.
    pub product: String,
    /// The pool.
    pub pool: String,
    /// Its number.
    pub id: u16,
    /// Its name.
    pub name: String,
    /// The name of the pool's asset.
    pub label: String,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Where it stands.
    pub state: &'static str,
    /// Its trigger's phase.
    pub phase: &'static str,
    /// Sums insured.
    pub exposure: u64,
    /// What can be insured at most.
    pub capacity: u64,
    /// Part of the capacity that is insured.
    pub utilisation_bps: u32,
    /// Level of demand.
    pub level_bps: u32,
    /// Price of the risk a year.
    pub risk_rate_ppb: u64,
    /// What may be sold now: no more at once than a day's sales, which are a part of capacity, less what was sold of late.
    pub left_now: u64,
    /// Covers sold so far.
    pub covers_sold: u64,
    /// When sales begin or began.
    pub sells_from: i64,
    /// Largest cover of the example's term that is sold now; `None` if none is.
    pub largest_sum: Option<u64>,
    /// What a cover would cost.
    pub example: Option<Example>,
    /// With two keys, while it is armed: until when nothing is sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub armed_until: Option<i64>,
    /// Why nothing is sold now, by the program's name for it.
    pub refusal: Option<String>,
    /// The same in its words.
    #[serde(skip)]
    pub reason: Option<String>,
}

/// What a cover would cost now.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// The sum insured.
    pub sum_insured: u64,
    /// Days of protection.
    pub term_days: u16,
    /// The premium.
    pub premium: u64,
    /// The premium as a rate a year.
    pub rate_ppb: u64,
}

impl ProductSummary {
    /// A product without condition: nothing is sold, and nothing is known of a price.
    pub fn without_condition(address: Pubkey, product: &Product, pool: &Pool, now: i64) -> ProductSummary {
        ProductSummary {
            product: address.to_string(),
            pool: product.pool.to_string(),
            id: product.id,
            name: product.name().to_owned(),
            label: get_text(&pool.label).to_owned(),
            decimals: pool.asset_decimals,
            state: view::product::state(product, now),
            phase: view::trigger::phase(Phase::Quiet),
            exposure: 0,
            capacity: product.capacity(pool).unwrap_or_default(),
            utilisation_bps: 0,
            left_now: 0,
            level_bps: product.level_bps,
            risk_rate_ppb: product.risk_rate_ppb,
            covers_sold: 0,
            sells_from: 0,
            largest_sum: None,
            example: None,
            armed_until: None,
            refusal: Some(format!("{:?}", BackstopError::NotSelling)),
            reason: Some("its condition is not set".into()),
        }
    }

    /// A product at `now`.
    pub fn of(address: Pubkey, market: &Market, now: i64) -> ProductSummary {
        let Market { pool, product, trigger, .. } = market.up_to_date(now);
        let capacity = product.capacity(&pool).unwrap_or_default();
        let term_days = EXAMPLE_DAYS.clamp(product.terms.min_term_days, product.terms.max_term_days);
        let largest = market.largest_sum(term_days, now);
        let example = largest.ok().and_then(|largest| {
            let one = 10u64.checked_pow(pool.asset_decimals.into())?;
            let sum_insured = EXAMPLE_SUM.saturating_mul(one).clamp(pool.terms.min_sum_insured, largest);
            let premium = market.quote(CoverRequest { sum_insured, term_days }, now).ok()?.premium;
            Some(Example {
                sum_insured,
                term_days,
                premium,
                rate_ppb: view::product::yearly_ppb(premium, sum_insured, term_days),
            })
        });
        ProductSummary {
            phase: view::trigger::phase(view::trigger::phase_at(&trigger, now)),
            exposure: product.exposure,
            capacity,
            utilisation_bps: utilisation_bps(product.exposure, capacity),
            left_now: product
                .left_now(capacity, now)
                .unwrap_or_default()
                .min(capacity.saturating_sub(product.exposure)),
            covers_sold: product.covers_sold,
            sells_from: product.sells_from,
            largest_sum: largest.ok(),
            example,
            armed_until: Armed::of(&trigger, now).map(|armed| armed.until),
            refusal: largest.err().map(|refusal| format!("{refusal:?}")),
            reason: largest.err().map(|refusal| explain_refusal(refusal).sentence),
            // Name, place and price are told alike.
            ..Self::without_condition(address, &product, &pool, now)
        }
    }
}

/// A product.
#[derive(Clone, Debug, Serialize)]
pub struct ProductReport {
    /// In short.
    #[serde(flatten)]
    pub summary: ProductSummary,
    /// What is insured.
    pub covered_asset: String,
    /// Where its NFTs link to.
    pub uri: String,
    /// Hash of the wording.
    pub wording_sha256: String,
    /// Products that fail together have the same.
    pub risk_group: u32,
    /// Lowest risk rate.
    pub risk_rate_floor_ppb: u64,
    /// Highest risk rate.
    pub risk_rate_ceiling_ppb: u64,
    /// Largest move of the risk rate in a day.
    pub risk_rate_step_ppb: u64,
    /// When the risk rate was moved last.
    pub risk_rate_at: i64,
    /// Added to the risk rate.
    pub loading_bps: u32,
    /// Smallest premium.
    pub min_premium: u64,
    /// Largest cover.
    pub max_sum_insured: u64,
    /// Shortest term.
    pub min_term_days: u16,
    /// Longest term.
    pub max_term_days: u16,
    /// Part of capacity that a day sells.
    pub daily_bps: u16,
    /// The waiting time.
    pub waiting_seconds: u32,
    /// What cancelling keeps of the unearned premium.
    pub cancel_fee_bps: u16,
    /// What of the sum insured every loss is less for the holder.
    pub deductible_bps: u16,
    /// What of the rest of a loss the holder bears.
    pub coinsurance_bps: u16,
    /// Oldest price on which a cover is sold.
    pub max_price_age_seconds: u32,
    /// How far above the threshold sales stop.
    pub no_sale_buffer_bps: u32,
    /// The trigger.
    pub trigger: String,
    /// Where prices come from.
    pub source: &'static str,
    /// The price feed.
    pub feed: String,
    /// On which side of the threshold it pays.
    pub direction: &'static str,
    /// A breach is below.
    pub threshold_e8: u64,
    /// A recovery is at this price or above.
    pub recovery_e8: u64,
    /// At this price all is paid; `None`: any event pays all.
    pub full_loss_price_e8: Option<u64>,
    /// How long a breach must last.
    pub duration_seconds: u64,
    /// Length of a slot.
    pub slot_seconds: u32,
    /// How much of the time may lack a breach.
    pub tolerance_seconds: u64,
    /// How long it can be contradicted.
    pub challenge_seconds: u32,
    /// How many times the oracle's interval counts.
    pub confidence_multiplier_hundredths: u16,
    /// The newest price that was shown.
    pub last_price_e8: u64,
    /// Half its interval.
    pub last_confidence_e8: u64,
    /// When it was published; 0: none was.
    pub last_publish_time: i64,
    /// What it pays by, if it pays by a value at a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<ReadingReport>,
    /// How it is armed, if it is: with two keys, after a fall of what a protocol holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub armed: Option<Armed>,
    /// The incident.
    pub incident: Option<String>,
    /// When the event began.
    pub event_at: Option<i64>,
}

impl ProductReport {
    /// A product at `now`, with its incident if there is one.
    pub fn of(keys: &ProductKeys, market: &Market, incident: Option<&Incident>, now: i64) -> Self {
        let Market { product, trigger, .. } = market;
        let (terms, condition) = (&product.terms, &trigger.terms);
        Self {
            summary: ProductSummary::of(keys.product, market, now),
            covered_asset: product.covered_asset.to_string(),
            uri: product.uri().to_owned(),
            wording_sha256: hex_text(&product.wording_hash),
            risk_group: terms.risk_group,
            risk_rate_floor_ppb: terms.risk_rate_floor_ppb,
            risk_rate_ceiling_ppb: terms.risk_rate_ceiling_ppb,
            risk_rate_step_ppb: terms.risk_rate_step_ppb,
            risk_rate_at: product.risk_rate_at,
            loading_bps: terms.loading_bps,
            min_premium: terms.min_premium,
            max_sum_insured: terms.max_sum_insured,
            min_term_days: terms.min_term_days,
            max_term_days: terms.max_term_days,
            daily_bps: terms.daily_bps,
            deductible_bps: terms.deductible_bps,
            coinsurance_bps: terms.coinsurance_bps,
            waiting_seconds: terms.waiting_seconds,
            cancel_fee_bps: terms.cancel_fee_bps,
            max_price_age_seconds: terms.max_price_age,
            no_sale_buffer_bps: terms.no_sale_buffer_bps,
            trigger: keys.trigger().to_string(),
            source: view::trigger::source(trigger.source()),
            feed: view::trigger::feed(trigger),
            direction: view::trigger::direction(condition.direction()),
            threshold_e8: condition.threshold,
            recovery_e8: condition.recovery,
            full_loss_price_e8: Some(condition.full_loss_price).filter(|price| *price > 0),
            duration_seconds: condition.duration_seconds(),
            slot_seconds: condition.slot_seconds,
            tolerance_seconds: condition.tolerance_seconds(),
            challenge_seconds: condition.challenge,
            confidence_multiplier_hundredths: condition.confidence_multiplier,
            last_price_e8: trigger.evidence.last_price,
            last_confidence_e8: trigger.evidence.last_confidence,
            last_publish_time: trigger.evidence.last_publish_time,
            reading: (trigger.form() == Form::Reading).then(|| ReadingReport::of(trigger, now)),
            armed: Armed::of(trigger, now),
            incident: incident.map(|incident| view::incident::state(incident.state).to_owned()),
            event_at: Some(product.event_at).filter(|at| *at > 0),
        }
    }

    /// Reads a product that has a condition.
    ///
    /// Errors: an account cannot be read, the product has no condition, or the cluster does not answer.
    pub fn read(cluster: &dyn Cluster, open: &OpenProduct, now: i64) -> Result<Self, AccountError> {
        let market = Market::fetch(cluster, &open.keys)?;
        let incident: Option<Incident> = account::find(cluster, &open.keys.incident())?;
        Ok(Self::of(&open.keys, &market, incident.as_ref(), now))
    }
}

/// A value at a date, and how it stands.
#[derive(Clone, Debug, Serialize)]
pub struct ReadingReport {
    /// On which side of the strike it pays.
    pub direction: &'static str,
    /// The value beyond which something is paid.
    pub strike_e8: u64,
    /// The value at which all is paid.
    pub exit_e8: u64,
    /// The moment whose value counts.
    pub due_at: i64,
    /// Until when reports of it are taken.
    pub reports_until: i64,
    /// Whoever reports it.
    pub attestors: String,
    /// The value that was reported and stands, if one does.
    pub value_e8: Option<u64>,
    /// What that value pays, in basis points of a sum insured.
    pub severity_bps: Option<u16>,
    /// When it was reported.
    pub reported_at: Option<i64>,
    /// Whose signatures it has: places in the list of keys of its attestors, from 0.
    pub signers: Vec<u8>,
    /// When it was resolved.
    pub resolved_at: Option<i64>,
    /// Whether it is void: every premium goes back.
    pub is_void: bool,
}

impl ReadingReport {
    /// A trigger's reading at `now`.
    pub fn of(trigger: &Trigger, now: i64) -> Self {
        let mut copy = *trigger;
        copy.refresh(now);
        let reading = copy.reading;
        let is_void = reading.void != 0;
        let stands = reading.reported_at != 0 && !is_void;
        Self {
            direction: view::trigger::direction(reading.direction()),
            strike_e8: reading.strike,
            exit_e8: reading.exit,
            due_at: reading.due_at,
            reports_until: reading.reports_until,
            attestors: trigger.attestors.to_string(),
            value_e8: stands.then_some(reading.value),
            severity_bps: stands.then_some(reading.severity_bps),
            reported_at: stands.then_some(reading.reported_at),
            signers: if stands { view::product::reading_signers(&reading) } else { Vec::new() },
            resolved_at: (reading.resolved_at != 0).then_some(reading.resolved_at),
            is_void,
        }
    }
}

/// A product that has no condition yet, or was run off before it had one.
#[derive(Clone, Debug, Serialize)]
pub struct AnnouncedReport {
    /// In short.
    #[serde(flatten)]
    pub summary: ProductSummary,
    /// What is insured.
    pub covered_asset: String,
    /// Where its NFTs link to.
    pub uri: String,
    /// Hash of the wording.
    pub wording_sha256: String,
}

impl AnnouncedReport {
    /// A product without condition at `now`.
    pub fn of(open: &OpenProduct, now: i64) -> Self {
        let (product, pool) = (&open.state, &open.pool.state);
        Self {
            summary: ProductSummary::without_condition(open.keys.product, product, pool, now),
            covered_asset: product.covered_asset.to_string(),
            uri: product.uri().to_owned(),
            wording_sha256: hex_text(&product.wording_hash),
        }
    }
}

/// All products, or those of a pool, at `now`, by their pools and numbers.
///
/// Errors: an account cannot be read, or the cluster does not answer.
pub fn products(cluster: &dyn Cluster, pool: Option<Pubkey>, now: i64) -> Result<Vec<ProductSummary>, AccountError> {
    let of_pool = pool.map(|pool| (0, pool));
    let products = account::list::<Product>(cluster, of_pool)?;
    let mut rows = Vec::with_capacity(products.len());
    if !products.is_empty() {
        let protocol: Protocol = account::fetch(cluster, &address::protocol())?;
        let pools: HashMap<Pubkey, Pool> = match pool {
            Some(pool) => HashMap::from([(pool, account::fetch(cluster, &pool)?)]),
            None => account::list(cluster, None)?.into_iter().collect(),
        };
        // A trigger names its product first and its pool after it.
        let of_pool = pool.map(|pool| (32, pool));
        let triggers: HashMap<Pubkey, Trigger> = account::list(cluster, of_pool)?.into_iter().collect();
        for (address, product) in products {
            let Some(pool) = pools.get(&product.pool) else { continue };
            if !product.has_condition() {
                rows.push(ProductSummary::without_condition(address, &product, pool, now));
                continue;
            }
            let Some(trigger) = triggers.get(&product.trigger) else { continue };
            let market = Market {
                protocol: protocol.clone(),
                pool: Box::new(*pool),
                product: Box::new(product),
                trigger: Box::new(*trigger),
            };
            rows.push(ProductSummary::of(address, &market, now));
        }
    }
    rows.sort_by(|left, right| (&left.label, &left.pool, left.id).cmp(&(&right.label, &right.pool, right.id)));
    Ok(rows)
}
