//! Creates a product with its trigger.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{ProductCreated, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::peril::evidence::{Terms, TermsInput};
use crate::peril::feed::Source;
use crate::state::{Admission, Pool, Product, ProductTerms, Protocol, Rates, Trigger, day_of, put_text};
use anchor_lang::prelude::*;

/// What a product is created with.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CreateProductArgs {
    /// Name, as the cover's NFT shows it: "USDC below 0.90 for 24h".
    pub name: String,
    /// Where the wording is.
    pub uri: String,
    /// Sha-256 of the wording.
    pub wording_hash: [u8; 32],
    /// The asset whose failure is insured.
    pub covered_asset: Pubkey,
    /// Price, limits, term bounds.
    pub terms: ProductTerms,
    /// Where prices come from.
    pub source: Source,
    /// The feed: a Pyth feed id, or for the push oracle the price account.
    pub feed: [u8; 32],
    /// The condition.
    pub condition: TermsInput,
}

/// Accounts of `create_product`.
#[derive(Accounts)]
pub struct CreateProduct<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Box<Account<'info, Protocol>>,
    /// The pool that will pay.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product, created here.
    #[account(
        init,
        payer = payer,
        space = Product::SPACE,
        seeds = [PRODUCT_SEED, pool.key().as_ref(), &pool.load()?.products.to_le_bytes()],
        bump
    )]
    pub product: AccountLoader<'info, Product>,
    /// Its rates, created here.
    #[account(
        init,
        payer = payer,
        space = Rates::SPACE,
        seeds = [RATES_SEED, product.key().as_ref()],
        bump
    )]
    pub rates: AccountLoader<'info, Rates>,
    /// Its trigger, created here.
    #[account(
        init,
        payer = payer,
        space = Trigger::SPACE,
        seeds = [TRIGGER_SEED, product.key().as_ref()],
        bump
    )]
    pub trigger: AccountLoader<'info, Trigger>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only governance, only in a cover pool;
/// - the pool's asset is not the covered one;
/// - every term is within its hard bounds, and trigger, wording, severity and waiting time never change;
/// - the pool's cooldown is at least the trigger's duration, tolerance and challenge and one day more;
/// - its shortest term outlasts the trigger's duration, tolerance and challenge by a day and more;
/// - it sells only after notice, unless the pool has never had shares nor covers.
pub(crate) fn handle(ctx: Context<CreateProduct>, args: CreateProductArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    let condition = Terms::new(&args.condition).map_err(|_| BackstopError::BadTriggerTerms)?;
    let ring_days = condition.ring_days();
    args.terms.validate(ring_days)?;
    args.terms.require_outlasts(condition.longest_wait_seconds())?;
    let pool_key = accounts.pool.key();
    let product_key = accounts.product.key();
    let trigger_key = accounts.trigger.key();

    let mut till = Till::untouched(&accounts.pool)?;
    let Admission { id, sells_from } = till.admit_product(&args.covered_asset, &condition, now)?;
    till.close()?;

    let mut product = accounts.product.load_init()?;
    product.pool = pool_key;
    product.trigger = trigger_key;
    product.covered_asset = args.covered_asset;
    product.rent_payer = accounts.payer.key();
    product.wording_hash = args.wording_hash;
    product.name = put_text(&args.name)?;
    product.uri = put_text(&args.uri)?;
    product.terms = args.terms;
    product.risk_rate_ppb = args.terms.risk_rate_ppb;
    product.risk_rate_at = now;
    product.sells_from = sells_from;
    product.level_at = now;
    product.level_bps = args.terms.level_bps;
    product.released_day = day_of(now).saturating_sub(ring_days);
    product.newest_activation_day = day_of(now);
    product.ring_days = ring_days;
    product.id = id;
    product.version = ACCOUNT_VERSION;
    product.bump = ctx.bumps.product;

    let mut rates = accounts.rates.load_init()?;
    rates.product = product_key;
    rates.cleared_day = day_of(now);
    rates.version = ACCOUNT_VERSION;
    rates.bump = ctx.bumps.rates;

    let mut trigger = accounts.trigger.load_init()?;
    trigger.product = product_key;
    trigger.pool = pool_key;
    trigger.feed = args.feed;
    trigger.source = args.source.byte();
    trigger.version = ACCOUNT_VERSION;
    trigger.bump = ctx.bumps.trigger;
    trigger.terms = condition;

    report(&ProductCreated {
        pool: pool_key,
        product: product_key,
        trigger: trigger_key,
        rates: accounts.rates.key(),
        covered_asset: args.covered_asset,
        wording_hash: args.wording_hash,
        sells_from,
    })?;
    Ok(())
}
