//! Sells a position: a policy without an NFT, to whoever signs.

use crate::constants::*;
use crate::cpi::records::{NewAccount, require_address};
use crate::error::BackstopError;
use crate::events::{PositionBought, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Purse, Till, Vault};
use crate::state::{
    BoughtPosition, CoverRequest, Load, Pool, Position, Product, Protocol, Purchase, Rates, Sale, Trigger, payee_owner,
};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// What a buyer of a position asks for.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct BuyPositionArgs {
    /// The owner's number for the position: there is no other of it now.
    pub nonce: u64,
    /// Sum insured and term.
    pub request: CoverRequest,
    /// The most the owner would pay, in asset units.
    pub max_premium: u64,
    /// What the owner knows it by.
    pub reference: [u8; MAX_REFERENCE],
}

/// Accounts of `buy_position`.
// Anchor would read the arguments once more to check accounts, which needs none of them: they are for the IDL alone.
#[derive(Accounts)]
#[cfg_attr(feature = "idl-build", instruction(args: BuyPositionArgs))]
pub struct BuyPosition<'info> {
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Pays the premium and is insured; may be a program's address.
    pub owner: Signer<'info>,
    /// CHECK: where the premium comes from; the token program checks mint and authority.
    #[account(mut)]
    pub owner_assets: UncheckedAccount<'info>,
    /// CHECK: the token account that is paid; the handler checks its mint.
    pub beneficiary: UncheckedAccount<'info>,
    /// CHECK: the protocol, by its address, for its pause.
    #[account(address = PROTOCOL.0)]
    pub protocol: UncheckedAccount<'info>,
    /// The product's pool.
    #[account(mut, has_one = asset_mint @ BackstopError::WrongAccount)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(
        mut,
        has_one = pool @ BackstopError::WrongParent,
        has_one = trigger @ BackstopError::WrongParent
    )]
    pub product: AccountLoader<'info, Product>,
    /// The product's rates.
    #[account(mut, has_one = product @ BackstopError::WrongParent)]
    pub rates: AccountLoader<'info, Rates>,
    /// The product's trigger.
    pub trigger: AccountLoader<'info, Trigger>,
    /// CHECK: the pool's token account; the till is closed on no other.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the pool's asset, by its address.
    pub asset_mint: UncheckedAccount<'info>,
    /// CHECK: the position, created here; its address is derived from product, owner and the owner's number.
    #[cfg_attr(
        feature = "idl-build",
        account(
            mut,
            seeds = [POSITION_SEED, product.key().as_ref(), owner.key().as_ref(), &args.nonce.to_le_bytes()],
            bump
        )
    )]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub position: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - refused while purchases are paused, and for every reason in [`Product::sell`], which sells covers too;
/// - refused above `max_premium`;
/// - the premium is rounded up and streams to the pool from the first insured day to the position's end;
/// - the beneficiary is a token account of the pool's asset, and not the pool's vault; whose it is now, it must stay;
/// - the owner signs, itself or by its program; nobody else can occupy the address;
/// - a number is free again once its position is given back or closed: whoever relies on an address looks at
///   `bought_at`;
/// - returns [`BoughtPosition`].
pub(crate) fn handle(ctx: Context<BuyPosition>, args: BuyPositionArgs) -> Result<BoughtPosition> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    Protocol::read_pause(&accounts.protocol)?.require_purchases_open(now)?;
    let (vault, event) = book(accounts, &args, now)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    let owner = Purse { account: &accounts.owner_assets, authority: &accounts.owner };
    vault.collect(&asset, &owner, event.premium)?;
    report(&event)?;
    let PositionBought { position, premium, active_day, end_day, .. } = event;
    Ok(BoughtPosition { position, premium, active_day, end_day })
}

/// Books the sale in product, pool and position.
#[inline(never)]
fn book<'a, 'info>(
    accounts: &'a BuyPosition<'info>,
    args: &BuyPositionArgs,
    now: i64,
) -> Result<(Vault<'a, 'info>, PositionBought)> {
    let (product_key, owner, nonce) = (accounts.product.key(), accounts.owner.key(), args.nonce.to_le_bytes());
    let bump = require_address(&accounts.position, &[POSITION_SEED, product_key.as_ref(), owner.as_ref(), &nonce])?;
    ensure!(accounts.position.data_is_empty(), BackstopError::IdTaken);
    let (request, max_premium) = (args.request, args.max_premium);
    let purchase = Purchase { product: product_key, insured: owner, request, max_premium };
    let mut till = Till::untouched(&accounts.pool)?;
    let beneficiary_owner = payee_owner(&accounts.beneficiary, &till)?;
    let mut product = accounts.product.write()?;
    let (mut rates, trigger) = (accounts.rates.write()?, accounts.trigger.read()?);
    let (policy, Sale { quote, released, accrual }) = product.sell(&mut till, &mut rates, &*trigger, &purchase, now)?;
    till.report_accrual(accrual)?;
    let sequence = till.number_event();
    let vault = till.close_on(&accounts.vault)?;
    let position = Position {
        policy,
        rent_payer: accounts.payer.key(),
        beneficiary: accounts.beneficiary.key(),
        beneficiary_owner,
        reference: args.reference,
        nonce: args.nonce,
        bump,
    };
    let seeds = [POSITION_SEED, product_key.as_ref(), owner.as_ref(), &nonce, &[bump]];
    NewAccount { account: &accounts.position, seeds: &seeds, payer: &accounts.payer }.create_with(&position)?;
    let event = PositionBought {
        pool: accounts.pool.key(),
        sequence,
        product: product_key,
        position: accounts.position.key(),
        owner,
        beneficiary: position.beneficiary,
        reference: args.reference,
        sum_insured: quote.sum_insured,
        premium: quote.premium,
        rate_q32: quote.rate_q32,
        active_day: quote.active_day,
        end_day: quote.end_day,
        level_bps: quote.level_bps,
        released,
    };
    Ok((vault, event))
}
