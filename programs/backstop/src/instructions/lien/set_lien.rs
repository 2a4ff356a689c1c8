//! Puts a lien on a cover or a position.

use crate::border::records::{NewAccount, require_address, write_part};
use crate::constants::LIEN_SEED;
use crate::error::{BackstopError, refuse};
use crate::events::{LienSet, report};
use crate::instructions::cover::nft::require_holder_may_dispose;
use crate::instructions::no_more;
use crate::money::Till;
use crate::state::{Lien, LienKeys, Load, Policy, PolicyAccount, Pool, Product, payee_owner};
use anchor_lang::prelude::*;

/// Accounts of `set_lien`.
#[derive(Accounts)]
pub struct SetLien<'info> {
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Has the policy: owner of the position, or holder of the cover's NFT.
    pub holder: Signer<'info>,
    /// CHECK: where the NFT of a cover is; none for a position.
    pub holder_nft: Option<UncheckedAccount<'info>>,
    /// CHECK: the token account that is paid; the handler checks its mint.
    pub payee: UncheckedAccount<'info>,
    /// The product's pool, which numbers the event.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
    /// CHECK: the cover or position; the handler reads it, and writes that a lien is on it.
    #[account(mut)]
    pub policy: UncheckedAccount<'info>,
    /// CHECK: the lien, created here; its address is derived from the policy.
    #[cfg_attr(feature = "idl-build", account(mut, seeds = [LIEN_SEED, policy.key().as_ref()], bump))]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub lien: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - whoever has the policy: the owner of a position, of a cover the holder of its NFT, unless the account of that has a
///   delegate: then it may be for sale, and a buyer would get less;
/// - one lien a policy; at any time before all is paid, also in an alert and after the event: what is unpaid is the
///   holder's to give;
/// - the payee is a token account of the pool's asset, and not the pool's vault; whose it is now, it must stay;
/// - the limit is above zero, and may be above what the policy insures: then the payee gets all;
/// - from then on the policy cannot be cancelled, reduced, split, given up, or turned into an NFT, nor its beneficiary be
///   changed before the product is over, unless the payee lifts the lien, in the same transaction if he likes;
/// - a lien that has outlived a position of the same address must be lifted first, by anyone.
pub(crate) fn handle(ctx: Context<SetLien>, limit: u64) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = ctx.accounts;
    accounts.product.read()?;
    let mut policy = PolicyAccount::read(&accounts.policy)?;
    ensure!(policy.product == accounts.product.key(), BackstopError::WrongParent);
    match (&policy, &accounts.holder_nft) {
        (PolicyAccount::Cover(cover), Some(nft)) => require_holder_may_dispose(cover, &accounts.holder, nft)?,
        (PolicyAccount::Cover(_), None) => return Err(refuse(BackstopError::NotHolder)),
        (PolicyAccount::Position(position), None) => position.require_owner(accounts.holder.key)?,
        (PolicyAccount::Position(_), Some(_)) => return Err(refuse(BackstopError::UnexpectedAccounts)),
    }
    let mut till = Till::untouched(&accounts.pool)?;
    let payee_owner = payee_owner(&accounts.payee, &till)?;
    let policy_key = accounts.policy.key();
    let bump = require_address(&accounts.lien, &[LIEN_SEED, policy_key.as_ref()])?;
    let keys = LienKeys {
        policy: policy_key,
        pool: accounts.pool.key(),
        payee: accounts.payee.key(),
        payee_owner,
        rent_payer: accounts.payer.key(),
        bump,
    };
    let lien = Lien::set(policy.policy_mut(), keys, limit)?;
    ensure!(accounts.lien.data_is_empty(), BackstopError::IdTaken);
    let sequence = till.number_event();
    till.close()?;
    write_part(&accounts.policy, Policy::HAS_LIEN_AT, &[u8::from(policy.has_lien)])?;
    let seeds = [LIEN_SEED, policy_key.as_ref(), &[bump]];
    NewAccount { account: &accounts.lien, seeds: &seeds, payer: &accounts.payer }.create_with(&lien)?;
    report(&LienSet {
        pool: lien.pool,
        sequence,
        product: accounts.product.key(),
        policy: policy_key,
        payee: lien.payee,
        payee_owner,
        limit,
    })?;
    Ok(())
}
