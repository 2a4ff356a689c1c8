//! How a protocol buys cover for its user with the library: quote, check, buy, read back.
//!
//!     cargo run -p backstop-sandbox --example protect_user
//!
//! [`protect`] is what you copy: it works on any [`Cluster`]. `main` runs it on the one in this process; on a real one use
//! `RpcCluster::new(url, commitment)` and your own keypair.

use anchor_lang::prelude::Pubkey;
use anyhow::{Result, anyhow, ensure};
use backstop::BuyCoverArgs;
use backstop::state::{Cover, CoverRequest, Tranche, day_of};
use backstop_client::explain::{explain, explain_refusal};
use backstop_client::instruction::{self as ix, ProductKeys};
use backstop_client::quote::Market;
use backstop_client::transaction::Pipeline;
use backstop_client::{Cluster, account, address};
use backstop_tests::World;
use backstop_tests::terms::{self, ONE};
use solana_sdk::signer::Signer;

/// What a protocol wants for its user.
struct Wish {
    user: Pubkey,
    sum_insured: u64,
    term_days: u16,
    highest_premium: u64,
    /// The protocol's own number for the purchase: buying twice under one number on one day is refused.
    nonce: u64,
}

/// Buys a cover that `protocol` pays for and `wish.user` receives as an NFT. Returns the NFT's mint and the cover.
fn protect(
    cluster: &dyn Cluster,
    product: &ProductKeys,
    protocol: &dyn Signer,
    wish: &Wish,
) -> Result<(Pubkey, Cover)> {
    // The program's own pricing, run here on the accounts as they are.
    let request = CoverRequest { sum_insured: wish.sum_insured, term_days: wish.term_days };
    let now = cluster.now()?;
    let quote = Market::fetch(cluster, product)?
        .quote(request, now)
        .map_err(|refusal| anyhow!(explain_refusal(refusal).sentence))?;
    ensure!(quote.premium <= wish.highest_premium, "{} is more than the user's limit", quote.premium);

    // `max_premium` is what protects the buyer if others buy first. The day stands in the cover's address: what was not
    // executed before midnight UTC never is, so it can be built again without buying twice.
    let day = day_of(now);
    let order = BuyCoverArgs { nonce: wish.nonce, day, request, max_premium: wish.highest_premium };
    let buyer = protocol.pubkey();
    let instruction = ix::buy_cover(product, buyer, buyer, wish.user, order);
    let sent = Pipeline::new(cluster, protocol).send(&[instruction]);
    sent.map_err(|failure| anyhow!(explain(&failure).sentence))?;

    let mint = address::cover_mint(&product.product, &buyer, wish.nonce, day);
    Ok((mint, account::fetch(cluster, &address::cover(&mint))?))
}

/// Runs the example. Fails if the user does not hold what was paid for.
pub fn main() -> Result<()> {
    // A pool with capital and a product with a fresh price, as they would be on a real cluster.
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
    world.next_day();
    world.print(&product, 100_000_000);

    let protocol = world.person(1_000 * ONE);
    let user = world.person(0);
    let wish = Wish { user: user.id(), sum_insured: 10_000 * ONE, term_days: 30, highest_premium: 100 * ONE, nonce: 1 };
    let (mint, cover) = protect(&world.cluster, &product, &protocol.key, &wish)?;

    let nft = address::associated_token(&user.id(), &mint, &anchor_spl::token_2022::ID);
    ensure!(world.tokens(&nft) == 1, "the user does not hold the NFT");
    ensure!(cover.sum_insured == wish.sum_insured, "the cover is for another sum");
    println!(
        "{} insured for {} days, for {} units; the user holds {mint}",
        cover.sum_insured, wish.term_days, cover.premium
    );
    Ok(())
}
