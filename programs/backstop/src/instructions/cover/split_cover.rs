//! Splits a cover: a part of it becomes a cover of its own.

use crate::border::mint::Metadata;
use crate::border::records::{NewAccount, require_address};
use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{CoverSplit, report};
use crate::instructions::cover::nft::{NewNft, require_holder_may_dispose};
use crate::instructions::{no_more, now};
use crate::money::{PoolSigner, Till};
use crate::state::{Cover, Load, Policy, Pool, Product, day_of};
use anchor_lang::prelude::*;
use anchor_spl::associated_token::AssociatedToken;
use anchor_spl::token_2022::Token2022;

/// What of a cover becomes another.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SplitCoverArgs {
    /// Sum insured of the new cover, in asset units.
    pub sum_insured: u64,
    /// The holder's number for the new cover, free on this day.
    pub nonce: u64,
    /// Today's UTC day: it stands in the address of the new NFT's mint.
    pub day: u32,
}

/// Accounts of `split_cover`.
#[derive(Accounts)]
#[instruction(args: SplitCoverArgs)]
pub struct SplitCover<'info> {
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Holds the NFT; may be a program's address.
    pub holder: Signer<'info>,
    /// CHECK: where the NFT is: read for its mint, holder, amount and delegate.
    pub holder_nft: UncheckedAccount<'info>,
    /// CHECK: gets the new NFT.
    pub receiver: UncheckedAccount<'info>,
    /// CHECK: the receiver's associated token account of the new NFT, created here by its own program.
    #[account(mut)]
    pub receiver_nft: UncheckedAccount<'info>,
    /// The product's pool, which signs for the new mint.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
    /// The cover that becomes smaller.
    #[account(mut, dup, has_one = product @ BackstopError::WrongParent)]
    pub cover: Account<'info, Cover>,
    /// CHECK: the new NFT's mint, created here; its address is derived from product, holder, the holder's number and the
    /// day.
    #[cfg_attr(
        feature = "idl-build",
        account(
            mut,
            seeds = [
                COVER_MINT_SEED,
                product.key().as_ref(),
                holder.key().as_ref(),
                &args.nonce.to_le_bytes(),
                &args.day.to_le_bytes()
            ],
            bump
        )
    )]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub part_mint: UncheckedAccount<'info>,
    /// CHECK: the new cover, created here; its address is derived from the mint.
    #[cfg_attr(feature = "idl-build", account(mut, seeds = [COVER_SEED, part_mint.key().as_ref()], bump))]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub part: UncheckedAccount<'info>,
    /// The NFT's token program.
    pub token_2022_program: Program<'info, Token2022>,
    /// Creates the receiver's token account.
    pub associated_token_program: Program<'info, AssociatedToken>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only the holder of the NFT, and not while the account of that has a delegate: then it may be for sale, and a buyer
///   would get less;
/// - not under a lien, not once anything was paid, not once the product is over or the cover has ended;
/// - both parts insure at least the pool's least sum;
/// - sum insured, premium and rate of both are together what they were, to the unit: of premium and rate the new one has its
///   part, rounded down; nothing is sold, and no bucket moves;
/// - the new cover is as the old one but for these; its NFT is made as a purchase makes one, under today's day, and it is
///   not given back today;
/// - the old cover and its NFT keep their addresses.
pub(crate) fn handle(ctx: Context<SplitCover>, args: SplitCoverArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    ensure!(args.day == day_of(now), BackstopError::WrongPurchaseDay);
    require_holder_may_dispose(&accounts.cover, &accounts.holder, &accounts.holder_nft)?;
    let (signer, nft, event) = book(accounts, &args, now)?;
    let nft_accounts = NewNft {
        product: &accounts.product.key(),
        maker: accounts.holder.key,
        nonce: args.nonce,
        day: args.day,
        payer: &accounts.payer,
        pool: accounts.pool.as_ref(),
        mint: &accounts.part_mint,
        receiver: &accounts.receiver,
        receiver_nft: &accounts.receiver_nft,
        token_program: &accounts.token_2022_program,
        system_program: &accounts.system_program,
    };
    nft_accounts.make(&nft, &signer)?;
    report(&event)?;
    Ok(())
}

/// Carves the part off and creates its account.
#[inline(never)]
fn book(accounts: &mut SplitCover, args: &SplitCoverArgs, now: i64) -> Result<(PoolSigner, Metadata, CoverSplit)> {
    let mint = accounts.part_mint.key();
    let mut till = Till::untouched(&accounts.pool)?;
    let product = accounts.product.read()?;
    let part = product.split(&till, &mut accounts.cover, args.sum_insured, now)?;
    let part = Policy { insured: mint, minted_day: args.day, ..part };
    let nft = part.nft(&till, &product);
    let event = CoverSplit {
        pool: accounts.pool.key(),
        sequence: till.number_event(),
        product: accounts.product.key(),
        cover: accounts.cover.key(),
        part: accounts.part.key(),
        holder: accounts.holder.key(),
        receiver: accounts.receiver.key(),
        sum_insured: part.sum_insured,
        premium: part.premium,
        rate_q32: part.rate_q32,
    };
    let signer = PoolSigner::of(&till);
    till.close()?;
    let bump = require_address(&accounts.part, &[COVER_SEED, mint.as_ref()])?;
    let seeds = [COVER_SEED, mint.as_ref(), &[bump]];
    let part = Cover { policy: part, rent_payer: accounts.payer.key(), bump };
    NewAccount { account: &accounts.part, seeds: &seeds, payer: &accounts.payer }.create_with(&part)?;
    Ok((signer, nft, event))
}
