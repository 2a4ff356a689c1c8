//! Opens a new series of a tranche that was wiped out, or that is in ruin and deserted.

use crate::border::mint::MintMaker;
use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{SeriesOpened, report};
use crate::instructions::{no_more, now};
use crate::money::{PoolSigner, Till};
use crate::state::{NewSeries, Pool, Protocol, Tranche, share_decimals, share_metadata};
use anchor_lang::prelude::*;
use anchor_spl::token_2022::Token2022;

/// Accounts of `open_series`.
#[derive(Accounts)]
#[instruction(tranche: Tranche)]
pub struct OpenSeries<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Account<'info, Protocol>,
    /// The pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the next series' share mint, created here.
    #[account(
        mut,
        seeds = [
            SHARES_SEED,
            pool.key().as_ref(),
            &[tranche.seed()],
            &[pool.load()?.tranche(tranche).series.wrapping_add(1)]
        ],
        bump
    )]
    pub share_mint: UncheckedAccount<'info>,
    /// The shares' token program.
    pub token_2022_program: Program<'info, Token2022>,
    /// Creates the mint.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only governance, only for a tranche that was wiped out, or one below a tenth of its start that nobody waits to leave
///   and whose shares together are worth less than a ticket, outside of alerts and crises: that rest goes to the surplus;
/// - old shares are worth nothing: the new series has its own mint, with the URI of the pool.
pub(crate) fn handle(ctx: Context<OpenSeries>, tranche: Tranche) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let pool_key = accounts.pool.key();
    let mint = accounts.share_mint.key();
    let mut till = Till::open(&accounts.pool, now()?)?;
    let NewSeries { series, to_surplus } = till.open_series(tranche, mint)?;
    let shown = share_metadata(&till, tranche, series);
    let decimals = share_decimals(till.asset_decimals);
    let signer = PoolSigner::of(&till);
    let sequence = till.number_event();
    till.close()?;
    MintMaker {
        mint: &accounts.share_mint,
        mint_seeds: &[SHARES_SEED, pool_key.as_ref(), &[tranche.seed()], &[series], &[ctx.bumps.share_mint]],
        pool: accounts.pool.as_ref(),
        pool_seeds: &signer.seeds(),
        payer: &accounts.payer,
    }
    .make(decimals, false, &shown)?;
    report(&SeriesOpened { pool: pool_key, sequence, tranche, series, mint, to_surplus })?;
    Ok(())
}
