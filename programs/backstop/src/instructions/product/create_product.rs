//! Announces a product.

use crate::border::records::{NewAccount, require_address};
use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{ProductCreated, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Pool, Product, ProductState, ProductTerms, Protocol, Rates, day_of, put_text, put_uri};
use anchor_lang::prelude::*;

/// What a product is announced with. Its condition follows: see [`crate::SetConditionArgs`].
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CreateProductArgs {
    /// The product's id within its pool, which no other product has. It is named, so that two stored proposals do not
    /// meet at one address.
    pub id: u16,
    /// Name, as the cover's NFT shows it: "USDC below 0.90 for 24h".
    pub name: String,
    /// Where wallets find the file that shows the product's covers; 96 bytes at most.
    pub uri: String,
    /// Sha-256 of the wording.
    pub wording_hash: [u8; 32],
    /// The asset whose failure is insured.
    pub covered_asset: Pubkey,
    /// Price, limits, term bounds.
    pub terms: ProductTerms,
}

/// Accounts of `create_product`.
#[derive(Accounts)]
#[instruction(args: CreateProductArgs)]
pub struct CreateProduct<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// Pays the rent; may be governance.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Box<Account<'info, Protocol>>,
    /// The pool that will pay.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the product, created here; its address is derived from pool and id.
    #[cfg_attr(
        feature = "idl-build",
        account(mut, seeds = [PRODUCT_SEED, pool.key().as_ref(), &args.id.to_le_bytes()], bump)
    )]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub product: UncheckedAccount<'info>,
    /// CHECK: the product's rates, created here; their address is derived from the product.
    #[cfg_attr(feature = "idl-build", account(mut, seeds = [RATES_SEED, product.key().as_ref()], bump))]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub rates: UncheckedAccount<'info>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only governance, only in a cover pool; the id is free;
/// - the pool's asset is not the covered one;
/// - every term is within its hard bounds, and name, URI, wording and terms never change;
/// - it sells nothing before [`crate::instructions::set_condition`] and the notice that begins with it.
pub(crate) fn handle(ctx: Context<CreateProduct>, args: CreateProductArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    args.terms.validate()?;
    let (pool_key, product_key) = (accounts.pool.key(), accounts.product.key());
    let mut till = Till::untouched(&accounts.pool)?;
    till.announce_product(&args.covered_asset)?;
    let sequence = till.number_event();
    till.close()?;

    let id = args.id.to_le_bytes();
    let bump = require_address(&accounts.product, &[PRODUCT_SEED, pool_key.as_ref(), &id])?;
    let seeds = [PRODUCT_SEED, pool_key.as_ref(), &id, &[bump]];
    let new = NewAccount { account: &accounts.product, seeds: &seeds, payer: &accounts.payer };
    let mut product = new.create_in_place::<Product>()?;
    product.pool = pool_key;
    product.covered_asset = args.covered_asset;
    product.rent_payer = accounts.payer.key();
    product.wording_hash = args.wording_hash;
    product.name = put_text(&args.name)?;
    product.uri = put_uri(&args.uri)?;
    product.terms = args.terms;
    product.risk_rate_ppb = args.terms.risk_rate_ppb;
    product.risk_rate_at = now;
    product.level_at = now;
    product.level_bps = args.terms.level_bps;
    product.id = args.id;
    product.version = ACCOUNT_VERSION;
    product.bump = bump;
    product.state = ProductState::Announced.byte();
    drop(product);

    let bump = require_address(&accounts.rates, &[RATES_SEED, product_key.as_ref()])?;
    let seeds = [RATES_SEED, product_key.as_ref(), &[bump]];
    let new = NewAccount { account: &accounts.rates, seeds: &seeds, payer: &accounts.payer };
    let mut rates = new.create_in_place::<Rates>()?;
    rates.product = product_key;
    rates.cleared_day = day_of(now);
    rates.version = ACCOUNT_VERSION;
    rates.bump = bump;

    report(&ProductCreated {
        pool: pool_key,
        sequence,
        product: product_key,
        rates: accounts.rates.key(),
        id: args.id,
        covered_asset: args.covered_asset,
        wording_hash: args.wording_hash,
    })?;
    Ok(())
}
