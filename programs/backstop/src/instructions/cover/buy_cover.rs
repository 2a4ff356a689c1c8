//! Sells a cover; its NFT goes to the receiver.

use crate::border::mint::Metadata;
use crate::border::records::{NewAccount, require_address};
use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{CoverBought, report};
use crate::instructions::cover::nft::NftMaker;
use crate::instructions::{no_more, now};
use crate::money::{Asset, Purse, Till, Vault};
use crate::state::{Cover, CoverRequest, Load, Pool, Product, Protocol, Purchase, Rates, Sale, Trigger, day_of};
use anchor_lang::prelude::*;
use anchor_spl::associated_token::AssociatedToken;
use anchor_spl::token_2022::Token2022;
use anchor_spl::token_interface::TokenInterface;

/// What a buyer asks for.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct BuyCoverArgs {
    /// The buyer's number for the cover, free on this day.
    pub nonce: u64,
    /// Today's UTC day: it stands in the address of the NFT's mint.
    pub day: u32,
    /// Sum insured and term.
    pub request: CoverRequest,
    /// The most the buyer would pay, in asset units.
    pub max_premium: u64,
}

/// Accounts of `buy_cover`.
#[derive(Accounts)]
#[instruction(args: BuyCoverArgs)]
pub struct BuyCover<'info> {
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Pays the premium; may be a program's address.
    pub buyer: Signer<'info>,
    /// CHECK: where the premium comes from; the token program checks mint and authority.
    #[account(mut)]
    pub buyer_assets: UncheckedAccount<'info>,
    /// CHECK: gets the NFT.
    pub receiver: UncheckedAccount<'info>,
    /// CHECK: the receiver's associated token account of the NFT, created here by its own program.
    #[account(mut)]
    pub receiver_nft: UncheckedAccount<'info>,
    /// CHECK: the protocol, by its address, for its pause.
    #[account(address = PROTOCOL.0)]
    pub protocol: UncheckedAccount<'info>,
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
    /// CHECK: the NFT's mint, created here; its address is derived from product, buyer, the buyer's number and the day.
    #[cfg_attr(
        feature = "idl-build",
        account(
            mut,
            seeds = [
                COVER_MINT_SEED,
                product.key().as_ref(),
                buyer.key().as_ref(),
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
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
    /// The NFT's token program.
    pub token_2022_program: Program<'info, Token2022>,
    /// Creates the receiver's token account.
    pub associated_token_program: Program<'info, AssociatedToken>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - refused while purchases are paused, and for every reason in [`Product::sell`];
/// - refused above `max_premium`;
/// - the premium is rounded up and streams to the pool from the first insured day to the cover's end;
/// - the NFT's supply is one and its metadata fixed for good;
/// - the address of the NFT's mint holds the buyer's key and number: nobody else can occupy it;
/// - it holds the UTC day, which must be today's: it is free on no later day, and a cover is not given back on its first.
///   What was shown under an address never becomes something else.
pub(crate) fn handle(ctx: Context<BuyCover>, args: BuyCoverArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    let now = now()?;
    ensure!(args.day == day_of(now), BackstopError::WrongPurchaseDay);
    Protocol::read_pause(&accounts.protocol)?.require_purchases_open(now)?;
    let (vault, nft, event) = book(accounts, &args, now)?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    let buyer = Purse { account: &accounts.buyer_assets, authority: &accounts.buyer };
    vault.collect(&asset, &buyer, event.premium)?;
    let maker = NftMaker {
        payer: &accounts.payer,
        pool: accounts.pool.as_ref(),
        signer: &vault.signer(&asset),
        mint: &accounts.cover_mint,
        receiver: &accounts.receiver,
        receiver_nft: &accounts.receiver_nft,
        token_2022_program: &accounts.token_2022_program,
        system_program: &accounts.system_program,
    };
    maker.make(&event.product, &event.buyer, args.nonce, args.day, &nft)?;
    report(&event)?;
    Ok(())
}

/// Books the sale in product, pool and cover.
#[inline(never)]
fn book<'a, 'info>(
    accounts: &'a BuyCover<'info>,
    args: &BuyCoverArgs,
    now: i64,
) -> Result<(Vault<'a, 'info>, Metadata, CoverBought)> {
    let mint = accounts.cover_mint.key();
    let (product, request) = (accounts.product.key(), args.request);
    let purchase = Purchase { product, insured: mint, request, max_premium: args.max_premium };
    let mut till = Till::untouched(&accounts.pool)?;
    let mut product = accounts.product.write()?;
    let (mut rates, trigger) = (accounts.rates.write()?, accounts.trigger.read()?);
    let (policy, Sale { quote, released, accrual }) = product.sell(&mut till, &mut rates, &*trigger, &purchase, now)?;
    till.report_accrual(accrual)?;
    let sequence = till.number_event();
    let bump = require_address(&accounts.cover, &[COVER_SEED, mint.as_ref()])?;
    let nft = policy.nft(&till, &product);
    let cover = Cover { policy, rent_payer: accounts.payer.key(), bump };
    let vault = till.close_on(&accounts.vault)?;
    let seeds = [COVER_SEED, mint.as_ref(), &[bump]];
    NewAccount { account: &accounts.cover, seeds: &seeds, payer: &accounts.payer }.create_with(&cover)?;
    let event = CoverBought {
        pool: accounts.pool.key(),
        sequence,
        product: accounts.product.key(),
        cover: accounts.cover.key(),
        buyer: accounts.buyer.key(),
        receiver: accounts.receiver.key(),
        sum_insured: quote.sum_insured,
        premium: quote.premium,
        rate_q32: quote.rate_q32,
        active_day: quote.active_day,
        end_day: quote.end_day,
        level_bps: quote.level_bps,
        released,
    };
    Ok((vault, nft, event))
}
