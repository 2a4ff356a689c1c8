//! `backstop cover buy`.

use super::batch;
use super::quote::{Quoted, ask};
use crate::commands::args::{Amount, ProductArg, Source, asset_text, count};
use crate::commands::context::{Context, Preview, event};
use crate::output::exact_amount;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::BuyCoverArgs;
use backstop::events::CoverBought;
use backstop::state::{CoverRequest, Pool, Quote, day_of, get_text};
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::payee::{self, Destination};
use backstop_client::quote::Market;
use backstop_client::view;
use backstop_client::view::purchase::{free_numbers, rent};
use backstop_client::{Cluster, address};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

const EXAMPLE: &str = "\
Example:
  backstop cover buy EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0/0 1000 --days 30
  backstop cover buy PRODUCT 1000 --days 30 --receiver WALLET --max-premium 4.50
  backstop cover buy PRODUCT 1000 --days 30 --receivers wallets.txt --yes --output json";

/// Buy a cover: pay the premium, get the NFT whose holder is insured.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct BuyArgs {
    /// The product: its address, or MINT/POOL/PRODUCT.
    product: ProductArg,
    /// Sum insured, in the pool's asset.
    sum: Amount,
    /// Whole days of protection.
    #[arg(long, value_parser = count::<u16>)]
    days: u16,
    /// Who gets the NFT, if not the signer.
    #[arg(long, value_name = "WALLET")]
    receiver: Option<Pubkey>,
    /// A cover for each wallet in a file: an address a line, lines that begin with # are skipped.
    #[arg(long, value_name = "FILE", conflicts_with = "receiver")]
    receivers: Option<PathBuf>,
    /// Most to pay for a cover; without it one percent more than now.
    #[arg(long, value_name = "AMOUNT")]
    max_premium: Option<Amount>,
    /// Pay from this token account of the wallet, not from its associated one.
    #[arg(long, value_name = "TOKEN_ACCOUNT")]
    from: Option<Pubkey>,
}

#[derive(Serialize)]
struct Details {
    cover: String,
    mint: String,
    buyer: String,
    receiver: String,
    max_premium: u64,
    rent_lamports: u64,
    /// Whether the receiver could be paid today.
    receiver_account: Account,
    #[serde(flatten)]
    quoted: Quoted,
}

/// Whether a receiver could be paid today. A payout goes to the account of the pool's asset of whoever holds the NFT then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
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

impl From<Destination> for Account {
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

impl Account {
    /// What a buyer should know of it; nothing if all is well, or if it is told elsewhere.
    fn warning(self, receiver: &Pubkey, pool: &Pool) -> Option<String> {
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
pub fn accounts_of(cluster: &dyn Cluster, keys: &PoolKeys, receivers: &[Pubkey]) -> Vec<Account> {
    match payee::destinations(cluster, keys, receivers) {
        Ok(destinations) => destinations.into_iter().map(Account::from).collect(),
        Err(_) => vec![Account::Unknown; receivers.len()],
    }
}

/// A purchase that was thought through.
pub struct Order {
    /// Of what.
    pub keys: ProductKeys,
    /// As it was read.
    pub market: Market,
    /// Sum and term.
    pub request: CoverRequest,
    /// Who pays the premium.
    pub buyer: Pubkey,
    /// Most to pay, if the buyer says it.
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

pub fn run(args: &BuyArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let open = args.product.open(cluster)?;
    let (keys, decimals) = (open.keys, open.pool.decimals);
    let order = Order {
        keys,
        market: Market::fetch(cluster, &keys)?,
        request: CoverRequest { sum_insured: args.sum.units(decimals)?, term_days: args.days },
        buyer: context.wallet()?,
        max_premium: args.max_premium.map(|most| most.units(decimals)).transpose()?,
        now: cluster.now()?,
        from: args.from,
    };
    match &args.receivers {
        Some(file) => batch::run(&order, file, context),
        None => buy_one(&order, args.receiver.unwrap_or(order.buyer), context),
    }
}

fn buy_one(order: &Order, receiver: Pubkey, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let Order { keys, market, request, buyer, .. } = order;
    let quote = ask(market, *request, order.now)?;
    let max_premium = order.most(quote.premium);
    let source = Source::of(&keys.pool, buyer, market.pool.asset_decimals, order.from);
    source.require(cluster, quote.premium)?;
    let day = day_of(order.now);
    let nonce = free_numbers(cluster, keys, buyer, day, &[receiver])?[0];
    let rent_lamports = rent(cluster, market, &quote)?;
    let receiver_account = accounts_of(cluster, &keys.pool, &[receiver])[0];
    let arguments = BuyCoverArgs { nonce, day, request: *request, max_premium };
    let instruction = source.take(ix::buy_cover(keys, context.payer()?, *buyer, receiver, arguments));

    context.carry_out(&[instruction], |receipt| {
        let bought: CoverBought = event(receipt)?;
        // What the simulated purchase says goes before what was read a moment earlier.
        let quote = Quote {
            premium: bought.premium,
            active_day: bought.active_day,
            end_day: bought.end_day,
            level_bps: bought.level_bps,
            ..quote
        };
        let quoted = Quoted::new(keys, market, request.term_days, &quote);
        let mint = address::cover_mint(&keys.product, buyer, nonce, day);
        let mut preview = Preview {
            title: format!("Buy {} of cover: {}", asset_text(&market.pool, quoted.sum_insured), quoted.product_name),
            rows: quoted.rows(market),
            warnings: view::product::not_covered_of(&market.trigger, market.product.terms.waiting_seconds),
        };
        if !receiver.is_on_curve() {
            let warning =
                "The NFT goes to a program's address: only that program can move it or take its payout elsewhere.";
            preview.warnings.push(warning.into());
        }
        if let Some(warning) = receiver_account.warning(&receiver, &market.pool) {
            preview.warnings.push(warning);
        }
        preview.rows.insert(1, ("at most", asset_text(&market.pool, max_premium)));
        preview.rows.extend([
            ("cover", bought.cover.to_string()),
            ("NFT", mint.to_string()),
            ("goes to", receiver.to_string()),
            ("rent", format!("{} SOL, back when the cover is over", exact_amount(rent_lamports, 9))),
        ]);
        let details = Details {
            cover: bought.cover.to_string(),
            mint: mint.to_string(),
            buyer: buyer.to_string(),
            receiver: receiver.to_string(),
            max_premium,
            rent_lamports,
            receiver_account,
            quoted,
        };
        Ok((preview, details))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::state::Tranche;
    use backstop_tests::World;
    use backstop_tests::terms::{ONE, create_pool, stress};

    /// A product that sells, and its market.
    fn shop() -> (World, ProductKeys) {
        let world = World::new();
        let pool = world.create_pool(create_pool(0));
        world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
        world.next_day();
        let keys = world.create_product(&pool, stress());
        world.advance(20 * 86_400);
        world.print(&keys, 100_000_000);
        (world, keys)
    }

    #[test]
    fn the_largest_sum_that_is_told_is_sold_and_a_unit_more_is_not() {
        let (world, keys) = shop();
        let market = Market::fetch(&world.cluster, &keys).expect("the accounts are there");
        let largest = market.largest_sum(30, world.now()).expect("it is for sale");
        assert_eq!(largest, 80_000 * ONE, "80 % of the pool's capital");
        let request = |sum_insured| CoverRequest { sum_insured, term_days: 30 };
        assert!(market.quote(request(largest), world.now()).is_ok());
        let refused = ask(&market, request(largest + 1), world.now()).unwrap_err();
        let hint = &refused.downcast_ref::<crate::commands::context::Hinted>().expect("it comes with a hint").hint;
        assert!(hint.contains("80,000.00 USDT at most"), "{hint}");
        assert!(market.largest_sum(3_000, world.now()).is_err(), "no sum is sold for so long a term");
    }
}
