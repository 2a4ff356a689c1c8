//! `backstop cover buy`.

use super::batch;
use super::order::OrderArgs;
use crate::commands::context::{Context, plain};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop_client::act::{Order, Purchase};
use clap::Args;
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
    #[command(flatten)]
    order: OrderArgs,
    /// Who gets the NFT, if not the signer.
    #[arg(long, value_name = "WALLET")]
    receiver: Option<Pubkey>,
    /// A cover for each wallet in a file: an address a line, lines that begin with # are skipped.
    #[arg(long, value_name = "FILE", conflicts_with = "receiver")]
    receivers: Option<PathBuf>,
}

pub fn run(args: &BuyArgs, context: &Context) -> Result<()> {
    let order = args.order.order(context)?;
    match &args.receivers {
        Some(file) => batch::run(&order, file, context),
        None => {
            let receiver = args.receiver.unwrap_or(order.buyer);
            buy_one(order, receiver, context)
        }
    }
}

fn buy_one(order: Order, receiver: Pubkey, context: &Context) -> Result<()> {
    let purchase = Purchase::new(context.cluster()?, order, receiver, context.payer()?, None).map_err(plain)?;
    context.act(&purchase)
}

#[cfg(test)]
mod tests {
    use backstop::state::{CoverRequest, Tranche};
    use backstop_client::act::ask;
    use backstop_client::instruction::ProductKeys;
    use backstop_client::quote::Market;
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
        assert!(refused.hint.contains("80,000.00 USDT at most"), "{}", refused.hint);
        assert!(market.largest_sum(3_000, world.now()).is_err(), "no sum is sold for so long a term");
    }
}
