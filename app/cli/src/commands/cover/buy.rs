//! `backstop cover buy`.

use super::batch;
use super::quote::{Quoted, ask};
use crate::commands::args::{Amount, ProductArg, asset_text, require_tokens};
use crate::commands::context::{Context, Preview, event};
use crate::commands::product::words;
use crate::output::exact_amount;
use anchor_lang::prelude::Pubkey;
use anchor_lang::system_program;
use anyhow::Result;
use backstop::BuyCoverArgs;
use backstop::cpi::mint::mint_space;
use backstop::events::CoverBought;
use backstop::state::{Cover, CoverRequest, Quote};
use backstop_client::cluster::ClusterError;
use backstop_client::instruction::{self as ix, ProductKeys};
use backstop_client::quote::Market;
use backstop_client::{Cluster, address};
use clap::Args;
use serde::Serialize;
use solana_sdk::account::Account;
use std::collections::VecDeque;
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
    #[arg(long)]
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
}

#[derive(Serialize)]
struct Details {
    cover: String,
    mint: String,
    buyer: String,
    receiver: String,
    max_premium: u64,
    rent_lamports: u64,
    #[serde(flatten)]
    quoted: Quoted,
}

/// Bytes of a token account of an NFT: a plain one and the mark that its owner never changes.
const NFT_ACCOUNT: usize = 170;
/// How many numbers are tried at once.
const NUMBERS_AT_ONCE: u64 = 100;
const TOKEN_2022: Pubkey = anchor_spl::token_2022::ID;

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
    let (assets, decimals) = (keys.pool.assets_of(buyer), market.pool.asset_decimals);
    require_tokens(cluster, &assets, &keys.pool.asset_mint, quote.premium, decimals)?;
    let nonce = free_numbers(cluster, keys, buyer, &[receiver])?[0];
    let rent_lamports = rent(cluster, market, &quote)?;
    let arguments = BuyCoverArgs { nonce, request: *request, max_premium };
    let instruction = ix::buy_cover(keys, context.payer()?, *buyer, receiver, arguments);

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
        let mint = address::cover_mint(&keys.product, buyer, nonce);
        let mut preview = Preview {
            title: format!("Buy {} of cover: {}", asset_text(&market.pool, quoted.sum_insured), quoted.product_name),
            rows: quoted.rows(market),
            warnings: words::not_covered(&market.trigger.terms, market.product.terms.waiting_seconds),
        };
        if !receiver.is_on_curve() {
            let warning =
                "The NFT goes to a program's address: only that program can move it or take its payout elsewhere.";
            preview.warnings.push(warning.into());
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
            quoted,
        };
        Ok((preview, details))
    })
}

/// A number of the buyer for each receiver, as low as can be, of which neither the NFT nor the receiver's account of it
/// exists. A cancelled cover frees its number again once its NFT's account is closed.
pub fn free_numbers(
    cluster: &dyn Cluster,
    keys: &ProductKeys,
    buyer: &Pubkey,
    receivers: &[Pubkey],
) -> Result<Vec<u64>, ClusterError> {
    let mint = |number| address::cover_mint(&keys.product, buyer, number);
    // Lamports that somebody sent to an address do not occupy it.
    let is_free = |account: Option<Account>| account.is_none_or(|account| account.owner == system_program::ID);
    let mut numbers: Vec<Option<u64>> = vec![None; receivers.len()];
    let (mut free, mut next) = (VecDeque::new(), 0);
    loop {
        let open: Vec<usize> = (0..receivers.len()).filter(|index| numbers[*index].is_none()).collect();
        if open.is_empty() {
            return Ok(numbers.into_iter().flatten().collect());
        }
        while free.len() < open.len() {
            let some = next..next + NUMBERS_AT_ONCE;
            let mints: Vec<Pubkey> = some.clone().map(mint).collect();
            let found = some.zip(cluster.accounts(&mints)?);
            free.extend(found.filter_map(|(number, account)| is_free(account).then_some(number)));
            next += NUMBERS_AT_ONCE;
        }
        let tried: Vec<(usize, u64)> = open.iter().copied().zip(free.drain(..open.len())).collect();
        let nfts: Vec<Pubkey> = tried
            .iter()
            .map(|(index, number)| address::associated_token(&receivers[*index], &mint(*number), &TOKEN_2022))
            .collect();
        for ((index, number), account) in tried.into_iter().zip(cluster.accounts(&nfts)?) {
            numbers[index] = is_free(account).then_some(number);
        }
    }
}

/// Lamports of rent for cover, NFT and the receiver's account of it.
pub fn rent(cluster: &dyn Cluster, market: &Market, quote: &Quote) -> Result<u64, ClusterError> {
    let (pool, product) = (&market.pool, &market.product);
    let metadata = Cover::sold(quote, &product.terms, 0).nft(pool, product);
    let lengths = [8 + <Cover as anchor_lang::Space>::INIT_SPACE, mint_space(true) + metadata.space(), NFT_ACCOUNT];
    lengths.iter().try_fold(0u64, |sum, length| Ok(sum.saturating_add(cluster.rent(*length)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::state::Tranche;
    use backstop_tests::terms::{ONE, create_pool, stress};
    use backstop_tests::{World, budget};
    use solana_sdk::signer::Signer;

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
    fn the_rent_that_is_told_is_what_a_purchase_takes() {
        let (world, keys) = shop();
        let request = CoverRequest { sum_insured: 1_234 * ONE + 5, term_days: 30 };
        let market = Market::fetch(&world.cluster, &keys).expect("the accounts are there");
        let quote = market.quote(request, world.now()).expect("it is for sale");
        let told = rent(&world.cluster, &market, &quote).expect("the cluster answers");
        let (buyer, payer) = (world.person(1_000 * ONE), world.person(0));
        let args = BuyCoverArgs { nonce: 0, request, max_premium: quote.premium };
        let lamports = |key: &Pubkey| world.cluster.account(key).unwrap().map_or(0, |account| account.lamports);
        let before = lamports(&payer.id());
        let buy = ix::buy_cover(&keys, payer.id(), buyer.id(), buyer.id(), args);
        world.run(&[&buyer.key, &payer.key], &[budget(), buy]);
        assert_eq!(before - lamports(&payer.id()), told);
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

    #[test]
    fn the_lowest_free_number_skips_covers_and_accounts_that_were_left_behind() {
        let (world, keys) = shop();
        let (buyer, other) = (world.person(1_000 * ONE), world.person(0));
        let free = |receiver: &Pubkey| free_numbers(&world.cluster, &keys, &buyer.id(), &[*receiver]).unwrap()[0];
        let buy = |nonce| {
            let request = CoverRequest { sum_insured: 100 * ONE, term_days: 30 };
            let args = BuyCoverArgs { nonce, request, max_premium: u64::MAX };
            let buy = ix::buy_cover(&keys, world.payer.pubkey(), buyer.id(), buyer.id(), args);
            world.run(&[&buyer.key], &[budget(), buy]);
        };
        assert_eq!(free(&buyer.id()), 0);
        buy(0);
        buy(2);
        assert_eq!(free(&buyer.id()), 1);
        let several = free_numbers(&world.cluster, &keys, &buyer.id(), &[buyer.id(), other.id(), buyer.id()]);
        assert_eq!(several.unwrap(), [1, 3, 4]);

        let mint = address::cover_mint(&keys.product, &buyer.id(), 0);
        let cancel = ix::cancel_cover(&keys, buyer.id(), mint, world.payer.pubkey());
        world.run(&[&buyer.key], &[cancel]);
        assert_eq!(free(&buyer.id()), 1, "the buyer's empty account of the first NFT is still there");
        assert_eq!(free(&other.id()), 0);
        world.run(&[&buyer.key], &[ix::close_nft_account(&buyer.id(), &mint)]);
        assert_eq!(free(&buyer.id()), 0);

        world.cluster.airdrop(&mint, 1_000_000);
        assert_eq!(free(&buyer.id()), 0, "lamports occupy nothing");
        buy(0);
    }
}
