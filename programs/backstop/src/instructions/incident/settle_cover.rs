//! Pays a cover to the holder of its NFT.

use crate::border::records::read_record;
use crate::border::token;
use crate::error::BackstopError;
use crate::events::{CoverSettled, report};
use crate::instructions::incident::{Settled, pay_out};
use crate::money::{Asset, Payee};
use crate::state::{Claim, Cover, Incident, Lien, Pool};
use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenInterface;

/// Accounts of `settle_cover`.
#[derive(Accounts)]
pub struct SettleCover<'info> {
    /// The product's pool.
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
    /// CHECK: the incident; the handler reads it, and writes the part that a settlement changes.
    #[account(mut)]
    pub incident: UncheckedAccount<'info>,
    /// CHECK: the cover; the handler reads it, and writes its state.
    #[account(mut)]
    pub cover: UncheckedAccount<'info>,
    /// CHECK: where the NFT is: read for its mint, holder and amount.
    pub nft: UncheckedAccount<'info>,
    /// CHECK: the holder of the NFT, checked against `nft`; with its signature any account may be paid.
    pub holder: UncheckedAccount<'info>,
    /// CHECK: where the payout goes: checked against the holder.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// The asset's token program.
    pub asset_token_program: Interface<'info, TokenInterface>,
}

/// Specification:
/// - anyone, to the associated token account of the NFT's holder if that is a wallet; any holder may sign and name
///   another account, and a holder that is a program's account must;
/// - pays `floor(sum x reserve / sums in force)`, less what the cover was paid before, as soon and as often as there is
///   more; once the severity is final, beside it and once, the part that was not lost of the premium that the cover had
///   not earned when its protection ended; refused if there is nothing more now;
/// - pays a cover that was still waiting at the event what it had not earned of its premium when the alert began, in
///   full and at once, whatever the pool has;
/// - a cover that had ended is not eligible;
/// - under a lien the payee's part is left for `settle_lien`, and the account of the lien stands behind the others; a cover
///   without one takes no further accounts;
/// - what cannot be paid stays open until the incident is closed; whoever holds the NFT then gets it.
pub(crate) fn handle(ctx: Context<SettleCover>) -> Result<()> {
    let accounts = &ctx.accounts;
    let mut incident: Incident = read_record(&accounts.incident)?;
    let mut cover: Cover = read_record(&accounts.cover)?;
    incident.require_concerns(&accounts.pool.key(), &cover)?;
    let limit_left = Lien::limit_shown(&cover, accounts.cover.key, ctx.remaining_accounts)?;
    ensure!(*accounts.nft.owner == anchor_spl::token_2022::ID, BackstopError::NotHolder);
    let nft = token::read_account(&accounts.nft)?;
    let holds = nft.mint == cover.mint() && nft.owner == accounts.holder.key() && nft.amount == 1;
    ensure!(holds, BackstopError::NotHolder);

    let Settled { payout, total, sequence, vault } = pay_out(
        &accounts.pool,
        &accounts.vault,
        (&accounts.incident, &mut incident),
        (&accounts.cover, &mut cover),
        |incident, pool, policy| incident.settle(pool, policy, limit_left),
    )?;
    let asset = Asset { mint: &accounts.asset_mint, token_program: &accounts.asset_token_program };
    vault.pay_owner(&asset, &Payee { owner: &accounts.holder, account: &accounts.destination }, total)?;
    report(&CoverSettled {
        pool: accounts.pool.key(),
        sequence,
        incident: accounts.incident.key(),
        cover: accounts.cover.key(),
        holder: accounts.holder.key(),
        amount: payout.amount,
        refund: payout.refund,
        waiting: payout.claim == Claim::Refund,
        state: payout.state,
    })?;
    Ok(())
}
