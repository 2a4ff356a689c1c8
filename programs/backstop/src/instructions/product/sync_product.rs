//! Releases the exposure of covers that can no longer be paid.

use crate::error::BackstopError;
use crate::events::{ExposureReleased, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Load, Pool, Product, Trigger};
use anchor_lang::prelude::*;

/// Accounts of `sync_product`.
#[derive(Accounts)]
pub struct SyncProduct<'info> {
    /// The product's pool.
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
    pub trigger: AccountLoader<'info, Trigger>,
}

/// Specification:
/// - anyone, at any time; doing it twice changes nothing;
/// - releases nothing once an event is proven, whether or not anybody has called since, so that every cover that it may
///   concern is in the books;
/// - a cover is released once the trigger's ring no longer reaches back to its end;
/// - in an alert what is released is in alert no longer; with the last of it the alert is over.
pub(crate) fn handle(ctx: Context<SyncProduct>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let now = now()?;
    let mut till = Till::open(&ctx.accounts.pool, now)?;
    let mut product = ctx.accounts.product.write()?;
    let trigger = ctx.accounts.trigger.read()?;
    product.drift_level(&till, now)?;
    let amount = product.sync(&mut till, &*trigger, now)?;
    let sequence = if amount > 0 { till.number_event() } else { 0 };
    till.close()?;
    if amount > 0 {
        let (pool, product) = (ctx.accounts.pool.key(), ctx.accounts.product.key());
        report(&ExposureReleased { pool, sequence, product, amount })?;
    }
    Ok(())
}
