//! Makes a position into a cover: the same policy, for whoever holds an NFT.

use crate::border::records::{NewAccount, require_address};
use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{PositionConverted, report};
use crate::instructions::cover::nft::NftMaker;
use crate::instructions::{no_more, now};
use crate::money::{PoolSigner, Till};
use crate::state::{Cover, Load, Policy, Pool, Position, Product, day_of};
use anchor_lang::prelude::*;
use anchor_spl::associated_token::AssociatedToken;
use anchor_spl::token_2022::Token2022;

/// Which NFT a position becomes.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct PositionToNftArgs {
    /// The owner's number for the cover, free on this day.
    pub nonce: u64,
    /// Today's UTC day: it stands in the address of the NFT's mint.
    pub day: u32,
}

/// Accounts of `position_to_nft`.
#[derive(Accounts)]
#[instruction(args: PositionToNftArgs)]
pub struct PositionToNft<'info> {
    /// Pays the rent of cover, mint and the receiver's account.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Has the position; may be a program's address.
    pub owner: Signer<'info>,
    /// CHECK: gets the NFT.
    pub receiver: UncheckedAccount<'info>,
    /// CHECK: the receiver's associated token account of the NFT, created here by its own program.
    #[account(mut)]
    pub receiver_nft: UncheckedAccount<'info>,
    /// The product's pool, which signs for the NFT.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
    /// The position, closed here.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = product @ BackstopError::WrongParent,
        has_one = rent_payer @ BackstopError::WrongRentPayer
    )]
    pub position: Account<'info, Position>,
    /// CHECK: gets the rent of the position back.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// CHECK: the NFT's mint, created here; its address is derived from product, owner, the owner's number and the day, as
    /// that of a cover which the owner buys.
    #[cfg_attr(
        feature = "idl-build",
        account(
            mut,
            seeds = [
                COVER_MINT_SEED,
                product.key().as_ref(),
                owner.key().as_ref(),
                &args.nonce.to_le_bytes(),
                &args.day.to_le_bytes()
            ],
            bump
        )
    )]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub cover_mint: UncheckedAccount<'info>,
    /// CHECK: the cover, created here; its address is derived from the mint.
    #[cfg_attr(feature = "idl-build", account(mut, seeds = [COVER_SEED, cover_mint.key().as_ref()], bump))]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub cover: UncheckedAccount<'info>,
    /// The NFT's token program.
    pub token_2022_program: Program<'info, Token2022>,
    /// Creates the receiver's token account.
    pub associated_token_program: Program<'info, AssociatedToken>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only the owner, at any time until it was paid all, also in an alert and after the event: what it is due stays the same;
/// - refused once the position can no longer be paid: nobody makes an NFT of an empty shell;
/// - the policy goes on as it is; from now on it pays whoever holds the NFT, and no longer the beneficiary;
/// - the NFT is that of a cover: its supply is one and its metadata fixed for good; it shows sum and end as they are now;
/// - the address of its mint holds the owner's key and number, and the UTC day, which must be today's. On that day the
///   cover is neither given back nor closed: what was shown under an address never becomes something else;
/// - the position is closed, and its rent goes to whoever paid it.
pub(crate) fn handle(ctx: Context<PositionToNft>, args: PositionToNftArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let today = day_of(now()?);
    ensure!(args.day == today, BackstopError::WrongPurchaseDay);
    let position = &accounts.position;
    position.require_owner(accounts.owner.key)?;
    position.require_open()?;

    let mint = accounts.cover_mint.key();
    let mut till = Till::untouched(&accounts.pool)?;
    let product = accounts.product.read()?;
    ensure!(!product.is_spent(position), BackstopError::PositionSpent);
    let nft = position.nft(&till, &product);
    let signer = PoolSigner::of(&till);
    let sequence = till.number_event();
    till.close()?;

    let bump = require_address(&accounts.cover, &[COVER_SEED, mint.as_ref()])?;
    let policy = Policy { insured: mint, converted_day: today, ..position.policy.clone() };
    let cover = Cover { policy, rent_payer: accounts.payer.key(), bump };
    let seeds = [COVER_SEED, mint.as_ref(), &[bump]];
    NewAccount { account: &accounts.cover, seeds: &seeds, payer: &accounts.payer }.create_with(&cover)?;
    let maker = NftMaker {
        payer: &accounts.payer,
        pool: accounts.pool.as_ref(),
        signer: &signer,
        mint: &accounts.cover_mint,
        receiver: &accounts.receiver,
        receiver_nft: &accounts.receiver_nft,
        token_2022_program: &accounts.token_2022_program,
        system_program: &accounts.system_program,
    };
    maker.make(&cover.product, accounts.owner.key, args.nonce, args.day, &nft)?;
    report(&PositionConverted {
        pool: accounts.pool.key(),
        sequence,
        product: cover.product,
        position: position.key(),
        cover: accounts.cover.key(),
        owner: accounts.owner.key(),
        receiver: accounts.receiver.key(),
    })?;
    Ok(())
}
