//! Moves the risk rate for new covers.

use crate::constants::PROTOCOL;
use crate::error::BackstopError;
use crate::events::{RiskRateSet, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Load, Pool, Product, Protocol};
use anchor_lang::prelude::*;

/// Accounts of `set_risk_rate`.
#[derive(Accounts)]
pub struct SetRiskRate<'info> {
    /// Risk keeper.
    pub risk_keeper: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = risk_keeper @ BackstopError::NotRiskKeeper)]
    pub protocol: Account<'info, Protocol>,
    /// The product's pool, which numbers its events.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(mut, has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
}

/// Specification:
/// - only the risk keeper;
/// - once in any 24 hours, by the product's step at most, between its floor and ceiling;
/// - covers that were sold keep their premium.
pub(crate) fn handle(ctx: Context<SetRiskRate>, rate_ppb: u64) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let mut product = ctx.accounts.product.write()?;
    let before_ppb = product.risk_rate_ppb;
    product.set_risk_rate(rate_ppb, now()?)?;
    let mut till = Till::untouched(&ctx.accounts.pool)?;
    let sequence = till.number_event();
    till.close()?;
    report(&RiskRateSet {
        pool: ctx.accounts.pool.key(),
        sequence,
        product: ctx.accounts.product.key(),
        before_ppb,
        after_ppb: rate_ppb,
    })?;
    Ok(())
}
