//! Runs off a product whose attestors are dead.

use crate::error::BackstopError;
use crate::instructions::no_more;
use crate::instructions::product::set_product_state::change;
use crate::state::{AttestorSet, Load, Pool, Product, ProductState, Trigger};
use anchor_lang::prelude::*;

/// Accounts of `retire_product`.
#[derive(Accounts)]
pub struct RetireProduct<'info> {
    /// The product's pool, which numbers its events.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(
        mut,
        has_one = pool @ BackstopError::WrongParent,
        has_one = trigger @ BackstopError::WrongParent
    )]
    pub product: AccountLoader<'info, Product>,
    /// The product's trigger.
    #[account(has_one = attestors @ BackstopError::ReportWrongSet)]
    pub trigger: AccountLoader<'info, Trigger>,
    /// The trigger's attestors.
    pub attestors: AccountLoader<'info, AttestorSet>,
}

/// Specification:
/// - anyone, once fewer keys are left than must sign a report: nobody could prove an event to a later buyer;
/// - the product runs off, which is final; once;
/// - changes nothing for covers that were sold, nor for what was shown.
pub(crate) fn handle(ctx: Context<RetireProduct>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    ctx.accounts.attestors.read()?.require_dead()?;
    ctx.accounts.trigger.read()?;
    change(&ctx.accounts.pool, &ctx.accounts.product, ProductState::RunOff)
}
