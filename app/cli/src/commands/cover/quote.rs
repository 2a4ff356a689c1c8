//! `backstop cover quote`.

use crate::commands::args::{Amount, ProductArg, asset_text, count};
use crate::commands::context::{Context, refused, refused_with};
use crate::output::{card, moment, paragraph, percent, rate};
use anyhow::Result;
use backstop::error::BackstopError;
use backstop::state::{CoverRequest, Quote, day_start, get_text};
use backstop_client::Cluster;
use backstop_client::instruction::ProductKeys;
use backstop_client::quote::Market;
use backstop_client::view;
use clap::Args;
use serde::Serialize;

/// What a cover would cost now, and what it would and would not pay for. Needs no wallet.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  backstop cover quote EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0/0 1000 --days 30"
)]
pub struct QuoteArgs {
    /// The product: its address, or MINT/POOL/PRODUCT.
    product: ProductArg,
    /// Sum insured, in the pool's asset.
    sum: Amount,
    /// Whole days of protection.
    #[arg(long, value_parser = count::<u16>)]
    days: u16,
}

/// A quote as commands tell it.
#[derive(Serialize)]
pub struct Quoted {
    pub product: String,
    pub product_name: String,
    pub pool: String,
    pub label: String,
    pub decimals: u8,
    pub sum_insured: u64,
    pub term_days: u16,
    pub premium: u64,
    pub rate_ppb: u64,
    pub technical_ppb: u64,
    pub level_bps: u32,
    pub exposure: u64,
    pub capacity: u64,
    pub active_from: i64,
    pub end: i64,
    pub cancel_fee_bps: u16,
}

impl Quoted {
    /// A quote of the program's own code.
    pub fn new(keys: &ProductKeys, market: &Market, term_days: u16, quote: &Quote) -> Self {
        Self {
            product: keys.product.to_string(),
            product_name: market.product.name().to_owned(),
            pool: keys.pool.pool.to_string(),
            label: get_text(&market.pool.label).to_owned(),
            decimals: market.pool.asset_decimals,
            sum_insured: quote.sum_insured,
            term_days,
            premium: quote.premium,
            rate_ppb: view::product::yearly_ppb(quote.premium, quote.sum_insured, term_days),
            technical_ppb: quote.technical_ppb,
            level_bps: quote.level_bps,
            exposure: quote.exposure,
            capacity: quote.capacity,
            active_from: day_start(quote.active_day),
            end: day_start(quote.end_day),
            cancel_fee_bps: market.product.terms.cancel_fee_bps,
        }
    }

    /// What matters to a buyer.
    pub fn rows(&self, market: &Market) -> Vec<(&'static str, String)> {
        let trigger = &*market.trigger;
        let asset = |units| asset_text(&market.pool, units);
        let left = self.capacity.saturating_sub(self.exposure).saturating_sub(self.sum_insured);
        vec![
            ("premium", format!("{}, {} a year", asset(self.premium), view::product::yearly_text(self.rate_ppb))),
            ("sum insured", asset(self.sum_insured)),
            ("protects", format!("{} to {}, {} days", moment(self.active_from), moment(self.end), self.term_days)),
            ("pays if", view::product::condition_of(trigger)),
            ("pays", view::product::payment_of(trigger)),
            ("proven by", view::product::evidence_of(trigger)),
            (
                "priced at",
                format!(
                    "{} a year for the risk, and demand at {}",
                    rate(self.technical_ppb),
                    percent(self.level_bps.into())
                ),
            ),
            ("left then", format!("{} of {}", asset(left), asset(self.capacity))),
            (
                "cancelling",
                format!("the unearned premium less {}, while nothing is wrong", percent(self.cancel_fee_bps.into())),
            ),
        ]
    }
}

/// A quote of the program's own code, or its refusal with what is known to help.
pub fn ask(market: &Market, request: CoverRequest, now: i64) -> Result<Quote> {
    market.quote(request, now).map_err(|refusal| {
        let limits = [BackstopError::BeyondCapacity, BackstopError::BelowRequiredCapital, BackstopError::CoverTooLarge];
        match market.largest_sum(request.term_days, now) {
            Ok(largest) if limits.contains(&refusal) => {
                let most = asset_text(&market.pool, largest);
                refused_with(refusal, format!("one cover can insure {most} at most now"))
            }
            _ => refused(refusal),
        }
    })
}

pub fn run(args: &QuoteArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let open = args.product.open(cluster)?;
    let request = CoverRequest { sum_insured: args.sum.units(open.pool.decimals)?, term_days: args.days };
    let market = Market::fetch(cluster, &open.keys)?;
    let quote = ask(&market, request, cluster.now()?)?;
    let quoted = Quoted::new(&open.keys, &market, args.days, &quote);
    context.options.output.print(&quoted, |quoted| {
        let mut text = card(&quoted.product_name, &quoted.rows(&market));
        text.push('\n');
        for sentence in view::product::not_covered_of(&market.trigger, market.product.terms.waiting_seconds) {
            text.push_str(&paragraph(&sentence));
        }
        text
    })
}
