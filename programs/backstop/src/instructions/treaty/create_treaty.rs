//! Announces a treaty.

use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{TreatyCreated, report};
use crate::instructions::{no_more, now};
use crate::state::{Pool, PoolKind, Protocol, Treaty, TreatyState, TreatyTerms, day_of};
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
/// - it may be accepted once both pools' notice is over, and begins after that.
pub(crate) fn handle(ctx: Context<CreateTreaty>, terms: TreatyTerms) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    terms.validate()?;
    let (cedant_key, reinsurer_key) = (accounts.cedant.key(), accounts.reinsurer.key());
    ensure!(cedant_key != reinsurer_key, BackstopError::WrongPoolKind);
    let mut cedant = accounts.cedant.load_mut()?;
    let reinsurer = accounts.reinsurer.load()?;
    cedant.require_kind(PoolKind::Cover)?;
    reinsurer.require_kind(PoolKind::Reinsurance)?;
    ensure!(cedant.asset_mint == reinsurer.asset_mint, BackstopError::WrongParent);
    let notice_until = cedant.notice_ends_at(now).max(reinsurer.notice_ends_at(now));
    ensure!(terms.start_day > day_of(notice_until), BackstopError::NoticeNotOver);
    let ahead = terms.end_day.saturating_sub(day_of(now));
    ensure!(ahead <= MAX_TERM_AND_RING_DAYS, BackstopError::BadTreatyTerms);
    let id = cedant.treaties;
    cedant.treaties = id.checked_add(1).ok_or(BackstopError::NoIdLeft)?;
    cedant.invariant()?;
    accounts.treaty.set_inner(Treaty {
        cedant: cedant_key,
        reinsurer: reinsurer_key,
        rent_payer: accounts.payer.key(),
        version: ACCOUNT_VERSION,
        bump: ctx.bumps.treaty,
        state: TreatyState::Announced,
        id,
        kind: terms.kind,
        limit: terms.limit,
        limit_left: terms.limit,
        notice_until,
        start_day: terms.start_day,
        end_day: terms.end_day,
        premium: 0,
        rate_q32: 0,
        restored: 0,
        uncollected: 0,
        reserved: [0; 64],
    });
    report(&TreatyCreated {
        treaty: accounts.treaty.key(),
        cedant: cedant_key,
        reinsurer: reinsurer_key,
        terms,
        notice_until,
    })?;
    Ok(())
}
