//! Freezes, thaws or runs off a product.

use crate::constants::PROTOCOL;
use crate::error::BackstopError;
use crate::events::{ProductStateSet, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Load, Pool, Product, ProductState, Protocol};
use anchor_lang::prelude::*;

/// Accounts of `set_product_state`.
#[derive(Accounts)]
pub struct SetProductState<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Account<'info, Protocol>,
    /// The product's pool, which numbers its events.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(mut, has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
}

/// Specification:
/// - only governance;
/// - selling to frozen and back; from both to run-off, which is final; a product without condition to run-off only;
/// - what was frozen for more than seven days sells only after notice, as a new product does;
/// - changes nothing for covers that were sold.
pub(crate) fn handle(ctx: Context<SetProductState>, state: ProductState) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    change(&ctx.accounts.pool, &ctx.accounts.product, state)
}

/// Brings a product into a state, if it may get there, and reports it.
#[inline(never)]
pub(crate) fn change(pool: &AccountLoader<Pool>, product: &AccountLoader<Product>, state: ProductState) -> Result<()> {
    let mut till = Till::untouched(pool)?;
    let mut entry = product.write()?;
    entry.set_state(state, &till, now()?)?;
    let (sequence, sells_from) = (till.number_event(), entry.sells_from);
    till.close()?;
    report(&ProductStateSet { pool: pool.key(), sequence, product: product.key(), state, sells_from })?;
    Ok(())
}
