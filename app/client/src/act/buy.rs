//! The purchase of a cover.

use super::{Act, ActError, Hinted, Party, Preview, Source, asset_text, event, written};
use crate::address;
use crate::cluster::{Cluster, Receipt};
use crate::instruction::{self as ix, PoolKeys, ProductKeys};
use crate::payee::{self, Destination};
use crate::quote::Market;
use crate::text::{exact_amount, moment, percent, rate};
use crate::view;
use crate::view::purchase::{free_numbers, rent};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::BuyCoverArgs;
use backstop::error::BackstopError;
use backstop::events::CoverBought;
use backstop::state::{CoverRequest, Pool, Quote, day_of, day_start, get_text};
use serde::Serialize;

/// A quote, for machines and in rows. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct Quoted {
    /// The product.
    pub product: String,
    /// Its name.
    pub product_name: String,
    /// Its pool.
    pub pool: String,
    /// Ticker of the asset.
    pub label: String,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Sum insured.
    pub sum_insured: u64,
    /// Whole days of protection.
    pub term_days: u16,
    /// What it costs, rounded up.
    pub premium: u64,
    /// The premium as a rate a year, in parts per billion of the sum insured, rounded up.
    pub rate_ppb: u64,
    /// The rate for the risk, in parts per billion a year.
    pub technical_ppb: u64,
    /// How dear the demand curve is now, in basis points.
    pub level_bps: u32,
    /// What the product insures already.
    pub exposure: u64,
    /// What it can insure in all.
    pub capacity: u64,
    /// From when it protects, in unix seconds.
    pub active_from: i64,
    /// Until when it protects, in unix seconds.
    pub end: i64,
    /// What of the unearned premium is kept when it is given back, in basis points.
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
            ("pays", view::product::payment_of(trigger, &market.product.terms)),
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
                format!(
                    "the unearned premium less {}, at most the part for the time that is left; while nothing is wrong",
                    percent(self.cancel_fee_bps.into())
                ),
            ),
        ]
    }
}

/// A quote of the program's own code, or its refusal with what is known to help.
pub fn ask(market: &Market, request: CoverRequest, now: i64) -> Result<Quote, Hinted> {
    market.quote(request, now).map_err(|refusal| {
        let limits = [BackstopError::BeyondCapacity, BackstopError::BelowRequiredCapital, BackstopError::CoverTooLarge];
        match market.largest_sum(request.term_days, now) {
            Ok(largest) if limits.contains(&refusal) => {
                let most = asset_text(&market.pool, largest);
                Hinted::refused_with(refusal, format!("one cover can insure {most} at most now"))
            }
            _ => Hinted::refused(refusal),
        }
    })
}

/// Whether a receiver could be paid today. A payout goes to the account of the pool's asset of whoever holds the NFT then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Receiver {
    /// It has an account of the asset.
    Ready,
    /// It has none.
    Missing,
    /// Its account is frozen by the asset's issuer.
    Frozen,
    /// The account at its address belongs to somebody else, or holds no tokens of the asset.
    HandedOn,
    /// It is a program's account.
    ProgramOwner,
    /// The cluster did not say.
    Unknown,
}

impl From<Destination> for Receiver {
    fn from(destination: Destination) -> Self {
        match destination {
            Destination::Ready => Self::Ready,
            Destination::Missing => Self::Missing,
            Destination::Frozen => Self::Frozen,
            Destination::HandedOn | Destination::Unusable => Self::HandedOn,
            Destination::ProgramOwner => Self::ProgramOwner,
        }
    }
}

impl Receiver {
    /// What a buyer should know of it; nothing if all is well, or if it is told elsewhere.
    pub fn warning(self, receiver: &Pubkey, pool: &Pool) -> Option<String> {
        let label = get_text(&pool.label);
        match self {
            Self::Ready | Self::ProgramOwner => None,
            Self::Missing => Some(format!(
                "{receiver} has no token account of {label} yet. A payout needs one: cranks create it at their expense if \
                 their operators let them. To be sure, create it now: `spl-token create-account {} --owner {receiver}`.",
                pool.asset_mint
            )),
            Self::Frozen => Some(format!(
                "{receiver}'s account of {label} is frozen by its issuer: nothing can be paid into it until it is thawed."
            )),
            Self::HandedOn => Some(format!(
                "The account of {label} at {receiver}'s address is not theirs: nothing can be paid to {receiver} there."
            )),
            Self::Unknown => Some(format!("Whether {receiver} has a token account of {label} could not be found out.")),
        }
    }
}

/// Whether receivers could be paid today, in their order. That a cluster does not say stops no purchase.
pub fn receivers(cluster: &dyn Cluster, keys: &PoolKeys, receivers: &[Pubkey]) -> Vec<Receiver> {
    match payee::destinations(cluster, keys, receivers) {
        Ok(destinations) => destinations.into_iter().map(Receiver::from).collect(),
        Err(_) => vec![Receiver::Unknown; receivers.len()],
    }
}

/// What is wanted of a purchase, and the market that it is wanted in.
#[derive(Clone, Debug)]
pub struct Order {
    /// Of what.
    pub keys: ProductKeys,
    /// As it was read.
    pub market: Market,
    /// Sum and term.
    pub request: CoverRequest,
    /// Who pays the premium.
    pub buyer: Pubkey,
    /// Most to pay, if the buyer says it; without it one percent more than now.
    pub max_premium: Option<u64>,
    /// When the market was looked at.
    pub now: i64,
    /// Where the premium comes from, if not from the buyer's associated account.
    pub from: Option<Pubkey>,
}

impl Order {
    /// The most to pay for a cover that costs this now.
    pub fn most(&self, premium: u64) -> u64 {
        self.max_premium.unwrap_or_else(|| premium.saturating_add(premium.div_ceil(100)))
    }
}

/// A purchase that was thought through.
#[derive(Debug)]
pub struct Purchase {
    instruction: [Instruction; 1],
    order: Order,
    receiver: Pubkey,
    receiver_account: Receiver,
    quote: Quote,
    max_premium: u64,
    rent_lamports: u64,
    /// The buyer's number for the cover, on its day.
    pub nonce: u64,
    /// The UTC day on which it can be executed.
    pub day: u32,
    /// The cover, which is there once the purchase was executed.
    pub cover: Pubkey,
}

/// A purchase, for machines. Amounts are in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct PurchaseDetails {
    /// The cover.
    pub cover: String,
    /// Its NFT's mint.
    pub mint: String,
    /// Who pays.
    pub buyer: String,
    /// Who gets the NFT.
    pub receiver: String,
    /// The most that is paid.
    pub max_premium: u64,
    /// Rent that comes back when the cover is over.
    pub rent_lamports: u64,
    /// Whether the receiver could be paid today.
    pub receiver_account: Receiver,
    /// The price.
    #[serde(flatten)]
    pub quoted: Quoted,
}

impl Purchase {
    /// Thinks a purchase through. One that is made again on its day is given its number, so that it can be executed once
    /// at most: without a number it takes the lowest that is free.
    ///
    /// Errors: the program's own code does not sell it, or the buyer cannot pay.
    pub fn new(
        cluster: &dyn Cluster,
        order: Order,
        receiver: Pubkey,
        payer: Pubkey,
        nonce: Option<u64>,
    ) -> Result<Self, ActError> {
        let Order { keys, market, request, buyer, .. } = &order;
        let quote = ask(market, *request, order.now)?;
        let max_premium = order.most(quote.premium);
        let source = Source::of(&keys.pool, buyer, market.pool.asset_decimals, order.from);
        source.require(cluster, quote.premium)?;
        let day = day_of(order.now);
        let nonce = match nonce {
            Some(nonce) => nonce,
            None => free_numbers(cluster, keys, buyer, day, &[receiver])?.first().copied().unwrap_or_default(),
        };
        let rent_lamports = rent(cluster, market, &quote)?;
        let receiver_account =
            receivers(cluster, &keys.pool, &[receiver]).first().copied().unwrap_or(Receiver::Unknown);
        let arguments = BuyCoverArgs { nonce, day, request: *request, max_premium };
        let instruction = [source.take(ix::buy_cover(keys, payer, *buyer, receiver, arguments))];
        let cover = address::cover(&address::cover_mint(&keys.product, buyer, nonce, day));
        Ok(Self {
            instruction,
            order,
            receiver,
            receiver_account,
            quote,
            max_premium,
            rent_lamports,
            nonce,
            day,
            cover,
        })
    }

    /// The most that is paid, in asset units.
    pub fn max_premium(&self) -> u64 {
        self.max_premium
    }

    /// A wallet's purchase for itself.
    pub fn own(cluster: &dyn Cluster, order: Order, party: Party, nonce: Option<u64>) -> Result<Self, ActError> {
        Self::new(cluster, order, party.wallet, party.payer, nonce)
    }
}

impl Act for Purchase {
    type Details = PurchaseDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, PurchaseDetails), ActError> {
        let bought: CoverBought = event(receipt)?;
        let Order { keys, market, request, buyer, .. } = &self.order;
        let (receiver, max_premium) = (self.receiver, self.max_premium);
        // What the simulated purchase says goes before what was read a moment earlier.
        let quote = Quote {
            premium: bought.premium,
            active_day: bought.active_day,
            end_day: bought.end_day,
            level_bps: bought.level_bps,
            ..self.quote
        };
        let quoted = Quoted::new(keys, market, request.term_days, &quote);
        let mint = address::cover_mint(&keys.product, buyer, self.nonce, self.day);
        let mut preview = Preview {
            title: format!("Buy {} of cover: {}", asset_text(&market.pool, quoted.sum_insured), quoted.product_name),
            rows: quoted.rows(market),
            warnings: view::product::not_covered_of(&market.trigger, &market.product.terms),
        };
        if !receiver.is_on_curve() {
            let warning =
                "The NFT goes to a program's address: only that program can move it or take its payout elsewhere.";
            preview.warnings.push(warning.into());
        }
        if let Some(warning) = self.receiver_account.warning(&receiver, &market.pool) {
            preview.warnings.push(warning);
        }
        preview.rows.insert(1, ("at most", asset_text(&market.pool, max_premium)));
        preview.rows.extend([
            ("cover", bought.cover.to_string()),
            ("NFT", mint.to_string()),
            ("goes to", receiver.to_string()),
            ("rent", format!("{} SOL, back when the cover is over", exact_amount(self.rent_lamports, 9))),
        ]);
        let details = PurchaseDetails {
            cover: bought.cover.to_string(),
            mint: mint.to_string(),
            buyer: buyer.to_string(),
            receiver: receiver.to_string(),
            max_premium,
            rent_lamports: self.rent_lamports,
            receiver_account: self.receiver_account,
            quoted,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        let Order { keys, market, request, buyer, from, .. } = &self.order;
        let decimals = market.pool.asset_decimals;
        let [sum, most] = [request.sum_insured, self.max_premium].map(|units| written(units, decimals));
        let mut command =
            format!("backstop cover buy {} {sum} --days {} --max-premium {most}", keys.product, request.term_days);
        if self.receiver != *buyer {
            command.push_str(&format!(" --receiver {}", self.receiver));
        }
        if let Some(from) = from {
            command.push_str(&format!(" --from {from}"));
        }
        command
    }
}
