//! Sells the owner of a position more days of it.

use crate::constants::PROTOCOL;
use crate::error::BackstopError;
use crate::events::{PositionExtended, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Purse, Till};
use crate::state::{ExtensionRequest, Load, Pool, Position, Product, Protocol, Rates, Trigger};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `extend_position`.
#[derive(Accounts)]
pub struct ExtendPosition<'info> {
    /// Has the position, and pays for the days.
    pub owner: Signer<'info>,
    /// CHECK: where the premium comes from; the token program checks mint and authority.
    #[account(mut)]
    pub owner_assets: UncheckedAccount<'info>,
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
    /// The position.
    #[account(mut, dup, has_one = product @ BackstopError::WrongParent)]
    pub position: Account<'info, Position>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - only the owner;
/// - refused while purchases are paused, and for every reason in [`Product::extend`], which asks for all that a sale asks
///   for: the days begin at the old end, no sooner than a cover that is bought now, and end no later;
/// - a position is extended in force, before anything was paid for it; a reading's has the reading's days;
/// - refused above `max_premium`, and while accrual stands;
/// - the premium of the days is that of the last of the exposure, rounded up, and by the day at least what the position's
///   own time has cost; it streams, with what was unearned, from now to the new end.
pub(crate) fn handle(ctx: Context<ExtendPosition>, request: ExtensionRequest) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    Protocol::read_pause(&accounts.protocol)?.require_purchases_open(now)?;
    let position = &mut accounts.position;
    position.require_owner(accounts.owner.key)?;
    let end_day_before = position.end_day;

    let mut till = Till::untouched(&accounts.pool)?;
    let trigger = accounts.trigger.read()?;
    let mut rates = accounts.rates.write()?;
    let mut product = accounts.product.write()?;
    let extension = product.extend(&mut till, &mut rates, &*trigger, position, request, now)?;
    till.report_accrual(extension.accrual)?;
    let sequence = till.number_event();
    let vault = till.close_on(&accounts.vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    let owner = Purse { account: &accounts.owner_assets, authority: &accounts.owner };
    vault.collect(&asset, &owner, extension.premium)?;
    report(&PositionExtended {
        pool: accounts.pool.key(),
        sequence,
        product: accounts.product.key(),
        position: position.key(),
        premium: extension.premium,
        rate_q32: extension.rate_q32,
        end_day_before,
        end_day: extension.end_day,
        level_bps: extension.level_bps,
        released: extension.released,
    })?;
    Ok(())
}
