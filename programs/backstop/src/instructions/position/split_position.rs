//! Splits a position: a part of it becomes a position of its own.

use crate::border::records::{NewAccount, require_address};
use crate::constants::POSITION_SEED;
use crate::error::BackstopError;
use crate::events::{PositionSplit, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Load, Pool, Position, Product};
use anchor_lang::prelude::*;

/// What of a position becomes another.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SplitPositionArgs {
    /// Sum insured of the new position, in asset units.
    pub sum_insured: u64,
    /// The owner's number for the new position: there is no other of it now.
    pub nonce: u64,
}

/// Accounts of `split_position`.
#[derive(Accounts)]
#[cfg_attr(feature = "idl-build", instruction(args: SplitPositionArgs))]
pub struct SplitPosition<'info> {
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Has the position; may be a program's address.
    pub owner: Signer<'info>,
    /// The product's pool, which numbers the event.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
    /// The position that becomes smaller.
    #[account(mut, dup, has_one = product @ BackstopError::WrongParent)]
    pub position: Account<'info, Position>,
    /// CHECK: the new position, created here; its address is derived from product, owner and the owner's number.
    #[cfg_attr(
        feature = "idl-build",
        account(
            mut,
            seeds = [POSITION_SEED, product.key().as_ref(), owner.key().as_ref(), &args.nonce.to_le_bytes()],
            bump
        )
    )]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub part: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only the owner, itself or by its program;
/// - not under a lien, not once anything was paid, not once the product is over or the position has ended;
/// - both parts insure at least the pool's least sum;
/// - sum insured, premium and rate of both are together what they were, to the unit: of premium and rate the new one has its
///   part, rounded down; nothing is sold, and no bucket moves;
/// - the new position is as the old one but for these: its owner, whom it pays and what the owner knows it by are the same.
pub(crate) fn handle(ctx: Context<SplitPosition>, args: SplitPositionArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    accounts.position.require_owner(accounts.owner.key)?;
    let (product_key, owner, nonce) = (accounts.product.key(), accounts.owner.key(), args.nonce.to_le_bytes());
    let bump = require_address(&accounts.part, &[POSITION_SEED, product_key.as_ref(), owner.as_ref(), &nonce])?;
    ensure!(accounts.part.data_is_empty(), BackstopError::IdTaken);
    let mut till = Till::untouched(&accounts.pool)?;
    let policy = accounts.product.read()?.split(&till, &mut accounts.position, args.sum_insured, now)?;
    let sequence = till.number_event();
    till.close()?;
    let rent_payer = accounts.payer.key();
    let whole = Position::clone(&accounts.position);
    let part = Position { policy, rent_payer, nonce: args.nonce, bump, ..whole };
    let seeds = [POSITION_SEED, product_key.as_ref(), owner.as_ref(), &nonce, &[bump]];
    NewAccount { account: &accounts.part, seeds: &seeds, payer: &accounts.payer }.create_with(&part)?;
    report(&PositionSplit {
        pool: accounts.pool.key(),
        sequence,
        product: product_key,
        position: accounts.position.key(),
        part: accounts.part.key(),
        owner,
        sum_insured: part.sum_insured,
        premium: part.premium,
        rate_q32: part.rate_q32,
    })?;
    Ok(())
}
