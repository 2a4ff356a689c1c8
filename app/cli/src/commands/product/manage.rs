//! `backstop product set-rate`, `freeze`, `thaw`, `run-off` and `sync`.

use crate::commands::args::{OpenProduct, ProductArg, asset_text, rate as rate_arg};
use crate::commands::context::{Context, Preview, hinted};
use crate::output::{moment, rate};
use anyhow::Result;
use backstop::constants::DAY;
use backstop::error::BackstopError;
use backstop::events::ExposureReleased;
use backstop::state::{CoverRequest, Product, ProductState};
use backstop_client::explain::explain_refusal;
use backstop_client::quote::Market;
use backstop_client::view;
use backstop_client::{Cluster, instruction as ix, transaction};
use clap::Args;
use serde::Serialize;

/// Move the risk rate of new covers. The risk keeper signs; covers that were sold keep their price.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop product set-rate PRODUCT 2.5%")]
pub struct SetRateArgs {
    /// The product: its address, or MINT/POOL/PRODUCT.
    product: ProductArg,
    /// Expected loss a year, in percent of the sum insured.
    #[arg(value_name = "PERCENT", value_parser = rate_arg)]
    rate: u64,
}

#[derive(Serialize)]
struct RateSet {
    product: String,
    before_ppb: u64,
    after_ppb: u64,
    floor_ppb: u64,
    ceiling_ppb: u64,
    step_ppb: u64,
}

pub fn set_rate(args: &SetRateArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let OpenProduct { state, pool, keys } = args.product.open(cluster)?;
    let (now, market) = (cluster.now()?, Market::fetch(cluster, &keys)?);
    let mut moved = market.clone();
    if moved.product.set_risk_rate(args.rate, now).is_err() {
        return Err(out_of_reach(&state, now));
    }
    let instruction = ix::set_risk_rate(context.wallet()?, keys.pool.pool, keys.product, args.rate);
    context.carry_out(&[instruction], |_| {
        let terms = &state.terms;
        let sum_insured = market.pool.terms.min_sum_insured.saturating_mul(1_000).min(terms.max_sum_insured);
        let term_days = 30.clamp(terms.min_term_days, terms.max_term_days);
        let yearly = |market: &Market| {
            let quote = market.quote(CoverRequest { sum_insured, term_days }, now);
            quote.map_or_else(
                |refusal| explain_refusal(refusal).sentence,
                |quote| view::product::yearly_text(view::product::yearly_ppb(quote.premium, sum_insured, term_days)),
            )
        };
        let insured = asset_text(&pool.state, sum_insured);
        let preview = Preview {
            title: format!("Move the risk rate of {}", state.name()),
            rows: vec![
                ("product", keys.product.to_string()),
                ("risk rate", format!("{} a year, now {}", rate(args.rate), rate(state.risk_rate_ppb))),
                ("bounds", view::product::rate_bounds(terms)),
                ("example", format!("{insured} for {term_days} days")),
                ("costs now", format!("{} a year", yearly(&market))),
                ("costs then", format!("{} a year", yearly(&moved))),
            ],
            warnings: vec!["It can move again in 24 hours. Covers that were sold keep their price.".into()],
        };
        let details = RateSet {
            product: keys.product.to_string(),
            before_ppb: state.risk_rate_ppb,
            after_ppb: args.rate,
            floor_ppb: terms.risk_rate_floor_ppb,
            ceiling_ppb: terms.risk_rate_ceiling_ppb,
            step_ppb: terms.risk_rate_step_ppb,
        };
        Ok((preview, details))
    })
}

/// Why the program would refuse a rate, with what it would take.
fn out_of_reach(product: &Product, now: i64) -> anyhow::Error {
    let again = product.risk_rate_at.saturating_add(DAY);
    if now < again {
        let sentence = explain_refusal(BackstopError::RiskRateMovedToday).sentence;
        return hinted(sentence, format!("it can move again from {}", moment(again)));
    }
    let (terms, now_ppb) = (&product.terms, product.risk_rate_ppb);
    let least = now_ppb.saturating_sub(terms.risk_rate_step_ppb).max(terms.risk_rate_floor_ppb);
    let most = now_ppb.saturating_add(terms.risk_rate_step_ppb).min(terms.risk_rate_ceiling_ppb);
    let hint = format!("it is {} now and can go from {} to {}", rate(now_ppb), rate(least), rate(most));
    hinted(explain_refusal(BackstopError::RiskRateOutOfBounds).sentence, hint)
}

/// Arguments of the commands that change whether a product sells.
#[derive(Args, Clone, Debug)]
pub struct StateArgs {
    /// The product: its address, or MINT/POOL/PRODUCT.
    product: ProductArg,
}

/// What is done about a product's sales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// No sales for now.
    Freeze,
    /// Sales again.
    Thaw,
    /// No sales any more.
    RunOff,
}

#[derive(Serialize)]
struct StateSet {
    product: String,
    before: &'static str,
    after: &'static str,
    sells_from: i64,
}

pub fn set_state(args: &StateArgs, change: Change, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let OpenProduct { state, pool, keys } = args.product.open(cluster)?;
    let now = cluster.now()?;
    let (title, to, warning) = match change {
        Change::Freeze => ("Freeze the sales of", ProductState::Frozen, None),
        Change::Thaw => ("Thaw the sales of", ProductState::Selling, None),
        Change::RunOff => ("Run off", ProductState::RunOff, Some("It will never sell again.")),
    };
    let mut changed = state.clone();
    if changed.set_state(to, &pool.state, now).is_err() {
        let sentence = explain_refusal(BackstopError::WrongProductState).sentence;
        return Err(hinted(sentence, format!("the product is {} now", view::product::state(&state, now))));
    }
    let instruction = ix::set_product_state(context.wallet()?, keys.pool.pool, keys.product, to);
    context.carry_out(&[instruction], |_| {
        let (before, after) = (view::product::state(&state, now), view::product::state(&changed, now));
        let mut rows = vec![
            ("product", keys.product.to_string()),
            ("state", format!("{after}, now {before}")),
            ("stays insured", asset_text(&pool.state, state.exposure)),
        ];
        let mut warnings: Vec<String> = warning.map(str::to_owned).into_iter().collect();
        if changed.sells_from > state.sells_from {
            rows.push(("sells from", moment(changed.sells_from)));
            warnings.push("It was frozen for more than seven days: its notice runs again.".into());
        }
        let preview = Preview { title: format!("{title} {}", state.name()), rows, warnings };
        let (product, sells_from) = (keys.product.to_string(), changed.sells_from);
        Ok((preview, StateSet { product, before, after, sells_from }))
    })
}

/// Release the exposure of covers that can no longer be paid. Anyone may do it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop product sync PRODUCT")]
pub struct SyncArgs {
    /// The product: its address, or MINT/POOL/PRODUCT.
    product: ProductArg,
}

#[derive(Serialize)]
struct Synced {
    product: String,
    released: u64,
    exposure: u64,
    decimals: u8,
}

pub fn sync(args: &SyncArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let OpenProduct { state, pool, keys } = args.product.open(cluster)?;
    context.carry_out(&[ix::sync_product(&keys)], |receipt| {
        let released = transaction::events::<ExposureReleased>(&receipt.logs).iter().map(|event| event.amount).sum();
        let exposure = state.exposure.saturating_sub(released);
        let preview = Preview {
            title: format!("Release what is over of {}", state.name()),
            rows: vec![
                ("product", keys.product.to_string()),
                ("released", asset_text(&pool.state, released)),
                ("stays insured", asset_text(&pool.state, exposure)),
            ],
            warnings: Vec::new(),
        };
        Ok((preview, Synced { product: keys.product.to_string(), released, exposure, decimals: pool.decimals }))
    })
}
