//! Announces a transfer of surplus to a reinsurance pool.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{CessionAnnounced, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Cession, Pool, Protocol};
use anchor_lang::prelude::*;

/// Accounts of `announce_cession`.
#[derive(Accounts)]
pub struct AnnounceCession<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Account<'info, Protocol>,
    /// The cover pool that gives.
    #[account(mut)]
    pub cedant: AccountLoader<'info, Pool>,
    /// The reinsurance pool that gets it.
    #[account(mut)]
    pub reinsurer: AccountLoader<'info, Pool>,
    /// The announcement, created here; one at a time for a pool.
    #[account(
        init,
        payer = payer,
        space = 8 + Cession::INIT_SPACE,
        seeds = [CESSION_SEED, cedant.key().as_ref()],
        bump
    )]
    pub cession: Account<'info, Cession>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only governance;
/// - only from a cover pool to a reinsurance pool of the same asset, never to a wallet;
/// - amount and target are fixed; it is good for seven days once the notice is over.
pub(crate) fn handle(ctx: Context<AnnounceCession>, amount: u64) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let (cedant, reinsurer) = (accounts.cedant.key(), accounts.reinsurer.key());
    ensure!(cedant != reinsurer, BackstopError::WrongPoolKind);
    let (mut giver, mut taker) = (Till::untouched(&accounts.cedant)?, Till::untouched(&accounts.reinsurer)?);
    let cession = Cession::announce(amount, (cedant, &giver), (reinsurer, &taker), now()?)?;
    let (cedant_sequence, reinsurer_sequence) = (giver.number_event(), taker.number_event());
    giver.close()?;
    taker.close()?;
    let Cession { from, until, .. } = cession;
    accounts.cession.set_inner(Cession { rent_payer: accounts.payer.key(), bump: ctx.bumps.cession, ..cession });
    report(&CessionAnnounced { cedant, cedant_sequence, reinsurer, reinsurer_sequence, amount, from, until })?;
    Ok(())
}
