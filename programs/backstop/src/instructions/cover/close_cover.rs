//! Closes a cover that can no longer be paid.

use crate::border::{mint, token};
use crate::error::{BackstopError, refuse};
use crate::events::{CoverClosed, report};
use crate::instructions::{no_more, now};
use crate::money::{PoolSigner, Till};
use crate::state::{Cover, Load, Pool, Product};
use anchor_lang::prelude::*;
use anchor_spl::token_2022::Token2022;

/// Accounts of `close_cover`.
#[derive(Accounts)]
pub struct CloseCover<'info> {
    /// Holds the NFT; needed unless it is burnt.
    pub holder: Option<Signer<'info>>,
    /// CHECK: where the NFT is; the token program checks mint and authority when it burns it.
    #[account(mut)]
    pub holder_nft: Option<UncheckedAccount<'info>>,
    /// The product's pool, which may close the mint.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
    /// CHECK: the NFT's mint, by its address; closed here.
    #[account(mut, address = cover.insured @ BackstopError::WrongAccount)]
    pub cover_mint: UncheckedAccount<'info>,
    /// The cover, closed here.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = product @ BackstopError::WrongParent,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub cover: Account<'info, Cover>,
    /// CHECK: gets the rent of cover and mint back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// The NFT's token program.
    pub token_2022_program: Program<'info, Token2022>,
}

/// Specification:
/// - only once the cover was paid all that it can be, or can no longer be paid; the holder of one that an incident may
///   still pay more can give that up;
/// - not on the UTC day on which its NFT was made: on a later one nobody can make another cover of the same address;
/// - the holder burns the NFT; once it is burnt, anyone closes what is left;
/// - the rent goes to whoever paid it.
pub(crate) fn handle(ctx: Context<CloseCover>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let cover = &accounts.cover;
    let held = token::mint_supply(&accounts.cover_mint)? > 0;
    accounts.product.read()?.require_may_close(cover, held)?;
    cover.require_kept_overnight(now()?)?;
    if held {
        let (Some(holder), Some(nft)) = (&accounts.holder, &accounts.holder_nft) else {
            return Err(refuse(BackstopError::HolderMustSign));
        };
        let held = token::read_account(nft)?;
        let holds = held.mint == cover.mint() && held.owner == holder.key() && held.amount == 1;
        ensure!(holds, BackstopError::NotHolder);
        mint::burn_nft(&accounts.cover_mint, nft, holder)?;
    }
    let mut till = Till::untouched(&accounts.pool)?;
    let signer = PoolSigner::of(&till);
    let sequence = till.number_event();
    till.close()?;
    mint::close_mint(&accounts.cover_mint, &accounts.rent_payer, accounts.pool.as_ref(), &signer.seeds())?;
    report(&CoverClosed { pool: accounts.pool.key(), sequence, product: accounts.product.key(), cover: cover.key() })?;
    Ok(())
}
