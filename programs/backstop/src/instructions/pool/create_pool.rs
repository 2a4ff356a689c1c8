//! Creates a pool with its vault and share mints.

use crate::border::mint::MintMaker;
use crate::border::records::NewAccount;
use crate::border::token;
use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{PoolCreated, report};
use crate::instructions::{no_more, now};
use crate::money::asset::{check_asset, has_freeze_authority};
use crate::state::{
    Access, ByTranche, Pool, PoolKind, PoolTerms, Protocol, Tranche, day_of, put_text, put_uri, share_decimals,
    share_metadata,
};
use anchor_lang::prelude::*;
use anchor_spl::token_2022::Token2022;
use anchor_spl::token_interface::{Mint, TokenInterface};

/// What a pool is created with.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CreatePoolArgs {
    /// The pool's id within its asset.
    pub id: u16,
    /// What the pool stands behind.
    pub kind: PoolKind,
    /// Who may deposit.
    pub access: Access,
    /// Whoever admits depositors, if access is by allow-list; else the zero address.
    pub deposit_authority: Pubkey,
    /// Ticker of the asset, shown in the names of shares and covers.
    pub label: String,
    /// Where wallets find the file that shows the pool's shares; 96 bytes at most.
    pub uri: String,
    /// Terms that never change.
    pub terms: PoolTerms,
}

/// Accounts of `create_pool`.
#[derive(Accounts)]
#[instruction(args: CreatePoolArgs)]
pub struct CreatePool<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Box<Account<'info, Protocol>>,
    /// The asset.
    pub asset_mint: Box<InterfaceAccount<'info, Mint>>,
    /// The pool, created here.
    #[account(
        init,
        payer = payer,
        space = Pool::SPACE,
        seeds = [POOL_SEED, asset_mint.key().as_ref(), &args.id.to_le_bytes()],
        bump
    )]
    pub pool: AccountLoader<'info, Pool>,
    /// CHECK: the pool's token account, created here, after the asset was checked.
    #[account(mut, seeds = [VAULT_SEED, pool.key().as_ref()], bump)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the junior share mint, created here.
    #[account(mut, seeds = [SHARES_SEED, pool.key().as_ref(), &[Tranche::Junior.seed()], &[0]], bump)]
    pub junior_mint: UncheckedAccount<'info>,
    /// CHECK: the senior share mint, created here.
    #[account(mut, seeds = [SHARES_SEED, pool.key().as_ref(), &[Tranche::Senior.seed()], &[0]], bump)]
    pub senior_mint: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
    /// The shares' token program.
    pub token_2022_program: Program<'info, Token2022>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only governance;
/// - the asset has no extension that can move, freeze, tax, hook or hide balances;
/// - every term is within its hard bounds, and none ever changes; the smallest amounts are at least one whole token;
/// - the share mints carry the URI, which begins with ipfs://, ar:// or https://;
/// - access by allow-list names its signer, every other kind names none.
pub(crate) fn handle(ctx: Context<CreatePool>, args: CreatePoolArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    check_asset(&accounts.asset_mint)?;
    args.terms.validate(accounts.asset_mint.decimals)?;
    let by_list = args.access == Access::AllowList;
    ensure!(by_list == (args.deposit_authority != Pubkey::default()), BackstopError::OutOfBounds);
    ensure!(args.label.len() <= MAX_LABEL, BackstopError::BadText);
    let label = put_text(&args.label)?;
    let uri = put_uri(&args.uri)?;

    let now = now()?;
    args.terms.require_end_fits(args.kind, now)?;
    let (sequence, shown) = {
        let mut pool = accounts.pool.load_init()?;
        pool.asset_mint = accounts.asset_mint.key();
        pool.vault = accounts.vault.key();
        pool.share_mints = [accounts.junior_mint.key(), accounts.senior_mint.key()];
        pool.deposit_authority = args.deposit_authority;
        pool.rent_payer = accounts.payer.key();
        pool.terms = args.terms;
        pool.id = args.id;
        pool.version = ACCOUNT_VERSION;
        pool.bump = ctx.bumps.pool;
        pool.vault_bump = ctx.bumps.vault;
        pool.kind = args.kind.byte();
        pool.access = args.access.byte();
        pool.asset_decimals = accounts.asset_mint.decimals;
        pool.label = label;
        pool.uri = uri;
        pool.accrued_at = now;
        pool.capital_day = day_of(now);
        pool.mark_earned(day_of(now));
        let sequence = pool.number_event();
        pool.invariant()?;
        (sequence, Tranche::BOTH.map(|tranche| share_metadata(&pool, tranche, 0)))
    };
    let asset_key = accounts.asset_mint.key();
    let pool_key = accounts.pool.key();
    let vault_seeds = [VAULT_SEED, pool_key.as_ref(), &[ctx.bumps.vault]];
    let vault = NewAccount { account: &accounts.vault, seeds: &vault_seeds, payer: &accounts.payer };
    let token_program = accounts.asset_token_program.key();
    token::create_token_account(&vault, token_program, &accounts.asset_mint.to_account_info(), &pool_key)?;
    let pool_seeds = [POOL_SEED, asset_key.as_ref(), &args.id.to_le_bytes(), &[ctx.bumps.pool]];
    for (tranche, mint, bump) in [
        (Tranche::Junior, &accounts.junior_mint, ctx.bumps.junior_mint),
        (Tranche::Senior, &accounts.senior_mint, ctx.bumps.senior_mint),
    ] {
        MintMaker {
            mint,
            mint_seeds: &[SHARES_SEED, pool_key.as_ref(), &[tranche.seed()], &[0], &[bump]],
            pool: accounts.pool.as_ref(),
            pool_seeds: &pool_seeds,
            payer: &accounts.payer,
        }
        .make(share_decimals(accounts.asset_mint.decimals), false, shown.of(tranche))?;
    }
    report(&PoolCreated {
        pool: pool_key,
        sequence,
        asset_mint: asset_key,
        id: args.id,
        kind: args.kind,
        access: args.access,
        deposit_authority: args.deposit_authority,
        terms: args.terms,
        asset_can_be_frozen: has_freeze_authority(&accounts.asset_mint),
    })?;
    Ok(())
}
