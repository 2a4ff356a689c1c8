//! Announces a treaty.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{TreatyCreated, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::state::{Pool, Protocol, Treaty, TreatyTerms};
use anchor_lang::prelude::*;

/// Accounts of `create_treaty`.
#[derive(Accounts)]
pub struct CreateTreaty<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Account<'info, Protocol>,
    /// The cover pool that cedes.
    #[account(mut)]
    pub cedant: AccountLoader<'info, Pool>,
    /// The reinsurance pool that will reinsure.
    #[account(mut)]
    pub reinsurer: AccountLoader<'info, Pool>,
    /// The treaty, created here.
    #[account(
        init,
        payer = payer,
        space = 8 + Treaty::INIT_SPACE,
        seeds = [TREATY_SEED, cedant.key().as_ref(), &cedant.load()?.treaties.to_le_bytes()],
        bump
    )]
    pub treaty: Account<'info, Treaty>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only governance;
/// - only from a cover pool to a reinsurance pool of the same asset, so that there are no circles;
/// - every term is within its hard bounds;
/// - the reinsurer's cooldown is at least the cedant's: nobody leaves on the cedant's news;
/// - it may be accepted once both pools' notice is over, and begins after that.
pub(crate) fn handle(ctx: Context<CreateTreaty>, terms: TreatyTerms) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let (cedant_key, reinsurer_key) = (accounts.cedant.key(), accounts.reinsurer.key());
    ensure!(cedant_key != reinsurer_key, BackstopError::WrongPoolKind);
    let mut cedant = Till::untouched(&accounts.cedant)?;
    let mut reinsurer = Till::untouched(&accounts.reinsurer)?;
    ensure!(cedant.terms.sells_until_day == 0, BackstopError::VintageCedes);
    let treaty = Treaty::announce(terms, (cedant_key, &mut cedant), (reinsurer_key, &mut reinsurer), now)?;
    let (cedant_sequence, reinsurer_sequence) = (cedant.number_event(), reinsurer.number_event());
    cedant.close()?;
    reinsurer.close()?;
    let notice_until = treaty.notice_until;
    accounts.treaty.set_inner(Treaty { rent_payer: accounts.payer.key(), bump: ctx.bumps.treaty, ..treaty });
    report(&TreatyCreated {
        treaty: accounts.treaty.key(),
        cedant: cedant_key,
        cedant_sequence,
        reinsurer: reinsurer_key,
        reinsurer_sequence,
        terms,
        notice_until,
    })?;
    Ok(())
}
