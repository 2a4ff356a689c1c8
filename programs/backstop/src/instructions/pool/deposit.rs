//! Puts capital into a tranche for shares.

use crate::border::token;
use crate::constants::PROTOCOL;
use crate::error::BackstopError;
use crate::events::{Deposited, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Purse, Till};
use crate::state::{Pool, PoolKind, Protocol, Seen, Tranche};
use anchor_lang::prelude::*;
use anchor_spl::token_2022::Token2022;
use anchor_spl::token_interface::TokenInterface;

/// What a depositor asks for.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct DepositArgs {
    /// The tranche.
    pub tranche: Tranche,
    /// Assets to put in.
    pub amount: u64,
    /// Least shares to accept.
    pub min_shares: u64,
    /// What the depositor has seen of what the pool stands behind.
    pub seen: Seen,
}

/// Accounts of `deposit`.
#[derive(Accounts)]
#[instruction(args: DepositArgs)]
pub struct Deposit<'info> {
    /// Whoever deposits.
    pub owner: Signer<'info>,
    /// Admits the depositor, if the pool's access is by allow-list.
    pub deposit_authority: Option<Signer<'info>>,
    /// CHECK: the protocol, by its address, for its pause.
    #[account(address = PROTOCOL.0)]
    pub protocol: UncheckedAccount<'info>,
    /// The pool.
    #[account(
        mut,
        has_one = vault @ BackstopError::WrongAccount,
        has_one = asset_mint @ BackstopError::WrongAccount
    )]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the pool's token account, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the pool's asset, by its address.
    pub asset_mint: UncheckedAccount<'info>,
    /// CHECK: the tranche's share mint, by its address.
    #[account(mut, address = pool.load()?.share_mint(args.tranche) @ BackstopError::WrongAccount)]
    pub share_mint: UncheckedAccount<'info>,
    /// CHECK: where the assets come from; the token program checks mint and authority.
    #[account(mut)]
    pub owner_assets: UncheckedAccount<'info>,
    /// CHECK: where the shares go; the token program checks the mint.
    #[account(mut)]
    pub owner_shares: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
    /// The shares' token program.
    pub token_2022_program: Program<'info, Token2022>,
}

/// Specification:
/// - refused while deposits are paused, while alerts hold the pool or one, however small, is more than breaching, and for
///   whom the pool does not admit;
/// - refused by a vintage whose end is over: it earns by nobody's new risk, and might still get late money;
/// - refused while readings lock the pool: their outcome is near, or known to some;
/// - refused if the pool stands behind more products or treaties than the depositor has seen;
/// - shares are rounded down, and refused below `min_shares`;
/// - a tranche's first deposit has a least amount, and no deposit leaves its owner with less than could leave again;
/// - a tranche holds no more than the books can count;
/// - what treaties still owe the tranche for losses that it has borne is in the price;
/// - a reinsurance pool takes none while more than a little can fall on it of its cedants' alerts and losses, all of which
///   are passed as further accounts, in the order of its books, nor while it earns premium of treaties that are over and
///   stands behind none; no other pool takes further accounts;
/// - a tranche that is wiped out takes none; one in ruin lowers its start tenfold, outside of alerts and at most three
///   times;
/// - the vault gains exactly the amount, and no more shares exist than the books say.
pub(crate) fn handle<'info>(ctx: Context<'info, Deposit<'info>>, args: DepositArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let now = now()?;
    Protocol::read_pause(&accounts.protocol)?.require_deposits_open(now)?;
    let mut till = Till::open(&accounts.pool, now)?;
    till.require_lets_in(now)?;
    till.admit_depositor(accounts.deposit_authority.as_ref().map(|signer| signer.key()))?;
    till.require_seen(args.seen)?;
    match till.kind() {
        PoolKind::Cover => no_more(ctx.remaining_accounts)?,
        PoolKind::Reinsurance => till.require_small(&till.inward_risk(ctx.remaining_accounts, now)?)?,
    }
    let shares = till.deposit(args.tranche, args.amount, args.min_shares)?;
    let book = *till.tranche(args.tranche);
    let min_ticket = till.terms.min_ticket;
    let sequence = till.number_event();
    let vault = till.close_on(&accounts.vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    let owner = Purse { account: &accounts.owner_assets, authority: &accounts.owner };
    vault.collect(&asset, &owner, args.amount)?;
    vault.issue(&asset, &accounts.share_mint, &accounts.owner_shares, shares, book.shares)?;
    let held = token::account_amount(&accounts.owner_shares)?;
    ensure!(book.is_ticket(held, min_ticket)?, BackstopError::AmountTooSmall);
    report(&Deposited {
        pool: accounts.pool.key(),
        sequence,
        tranche: args.tranche,
        owner: accounts.owner.key(),
        amount: args.amount,
        shares,
        lowered: book.lowered,
    })?;
    Ok(())
}
