//! Gives a cover back for its unearned premium less the fee.

use crate::border::{mint, token};
use crate::error::BackstopError;
use crate::events::{CoverCancelled, report};
use crate::instructions::{no_more, now};
use crate::money::{Asset, Till};
use crate::state::{Cancellation, Cover, Load, Pool, Product, Rates, Trigger};
use anchor_lang::prelude::*;
use anchor_spl::token_2022::Token2022;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `cancel_cover`.
#[derive(Accounts)]
pub struct CancelCover<'info> {
    /// Holds the NFT.
    pub holder: Signer<'info>,
    /// CHECK: where the NFT is; the token program checks mint and authority when it burns it.
    #[account(mut)]
    pub holder_nft: UncheckedAccount<'info>,
    /// CHECK: where the refund goes; the token program checks the mint.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// The product's pool.
    #[account(
        mut,
        has_one = vault @ BackstopError::WrongAccount,
        has_one = asset_mint @ BackstopError::WrongAccount
    )]
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
    /// CHECK: the pool's token account, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the pool's asset, by its address.
    pub asset_mint: UncheckedAccount<'info>,
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
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
    /// The NFT's token program.
    pub token_2022_program: Program<'info, Token2022>,
}

/// Specification:
/// - only the holder of the NFT, before the cover's end, and not on the UTC day of the purchase: on a later one nobody can
///   make another cover of the same address;
/// - only while the trigger is quiet, and not under a lien;
/// - refunds the unearned premium less the fee the cover was sold with, rounded up: all of the premium before the first
///   insured day, from there on what its rate has still to earn, rounded down, and never more than that;
/// - at least as much of the premium stays, what it has earned included, as falls on the time since the purchase, of the
///   time to the release of its exposure that it was priced for: room that was taken is paid for;
/// - of a day's sales it frees the part of its premium that was not earned;
/// - buying and cancelling always costs: the fee is at least one unit of a refund.
pub(crate) fn handle(ctx: Context<CancelCover>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    let cover = &accounts.cover;
    cover.require_open()?;
    let nft = token::read_account(&accounts.holder_nft)?;
    let holds = nft.mint == cover.mint() && nft.owner == accounts.holder.key() && nft.amount == 1;
    ensure!(holds, BackstopError::NotHolder);

    let mut till = Till::untouched(&accounts.pool)?;
    let trigger = accounts.trigger.read()?;
    let mut rates = accounts.rates.write()?;
    let mut product = accounts.product.write()?;
    let Cancellation { refund, fee, accrual } = product.cancel(&mut till, &mut rates, &*trigger, cover, now)?;
    till.report_accrual(accrual)?;
    let sequence = till.number_event();
    let vault = till.close_on(&accounts.vault)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    vault.pay(&asset, &accounts.destination, refund)?;
    mint::burn_nft(&accounts.cover_mint, &accounts.holder_nft, &accounts.holder)?;
    let signer = vault.signer(&asset);
    mint::close_mint(&accounts.cover_mint, &accounts.rent_payer, accounts.pool.as_ref(), &signer.seeds())?;
    report(&CoverCancelled {
        pool: accounts.pool.key(),
        sequence,
        product: accounts.product.key(),
        cover: cover.key(),
        sum_insured: cover.sum_insured,
        refund,
        fee,
    })?;
    Ok(())
}
