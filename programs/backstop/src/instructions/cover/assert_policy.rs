//! Refuses unless a policy is what somebody relies on.

use crate::error::BackstopError;
use crate::instructions::no_more;
use crate::state::{CoverState, Load, PolicyAccount, Product, ProductState};
use anchor_lang::prelude::*;

/// What is asserted of a policy.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssertPolicyArgs {
    /// It insures at least this, in asset units.
    pub min_sum_insured: u64,
    /// No more than this was paid for it, in asset units.
    pub max_paid: u64,
    /// Where it stands.
    pub state: CoverState,
    /// No lien is on it.
    pub no_lien: bool,
    /// Its product is not over: it is insurance, and not a claim of an incident.
    pub live: bool,
    /// It is insured at least up to the beginning of this UTC day.
    pub min_end_day: u32,
}

/// Accounts of `assert_policy`.
#[derive(Accounts)]
pub struct AssertPolicy<'info> {
    /// The product.
    pub product: AccountLoader<'info, Product>,
    /// CHECK: the cover or position; the handler reads it.
    pub policy: UncheckedAccount<'info>,
}

/// Specification:
/// - anyone; changes nothing: whoever buys a cover, or lends on a policy, puts it into the same transaction, and what was
///   split, paid, pledged or settled since he looked makes that fail;
/// - refused, each with its own error: a smaller sum insured, more paid, another state, a lien, a product that is over, an
///   earlier end.
pub(crate) fn handle(ctx: Context<AssertPolicy>, args: AssertPolicyArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let policy = PolicyAccount::read(&accounts.policy)?;
    ensure!(policy.product == accounts.product.key(), BackstopError::WrongParent);
    ensure!(policy.sum_insured >= args.min_sum_insured, BackstopError::SumBelowAsserted);
    ensure!(policy.paid <= args.max_paid, BackstopError::PaidAboveAsserted);
    ensure!(policy.state == args.state, BackstopError::StateNotAsserted);
    ensure!(!args.no_lien || !policy.has_lien, BackstopError::PolicyEncumbered);
    let over = accounts.product.read()?.state() == ProductState::Over;
    ensure!(!args.live || !over, BackstopError::ProductOver);
    ensure!(policy.end_day >= args.min_end_day, BackstopError::EndsBeforeAsserted);
    Ok(())
}
