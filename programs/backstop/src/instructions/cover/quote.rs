//! Returns what a purchase would cost now.

use crate::constants::PROTOCOL;
use crate::error::BackstopError;
use crate::instructions::{boxed, no_more, now};
use crate::state::{CoverRequest, Load, Pool, Product, Protocol, Quote, Trigger};
use anchor_lang::prelude::*;

/// Accounts of `quote`.
#[derive(Accounts)]
pub struct QuoteCover<'info> {
    /// CHECK: the protocol, by its address, for its pause.
    #[account(address = PROTOCOL.0)]
    pub protocol: UncheckedAccount<'info>,
    /// The product's pool.
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(
        has_one = pool @ BackstopError::WrongParent,
        has_one = trigger @ BackstopError::WrongParent
    )]
    pub product: AccountLoader<'info, Product>,
    /// The product's trigger.
    pub trigger: AccountLoader<'info, Trigger>,
}

/// Specification:
/// - anyone; changes nothing;
/// - refuses for the same reasons as a purchase at the same moment, and else returns its price;
/// - the answer is in the return data, for programs that ask before they buy.
pub(crate) fn handle(ctx: Context<QuoteCover>, request: CoverRequest) -> Result<Quote> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    Protocol::read_pause(&accounts.protocol)?.require_purchases_open(now)?;
    let mut pool = boxed(&*accounts.pool.read()?);
    let mut product = boxed(&*accounts.product.read()?);
    Ok(product.price(&mut pool, &*accounts.trigger.read()?, request, now)?.quote)
}
