//! Gives a product its condition.

use crate::constants::*;
use crate::cpi::records::{NewAccount, require_address};
use crate::error::{BackstopError, refuse};
use crate::events::{ConditionSet, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::peril::evidence::{Terms, TermsInput};
use crate::peril::feed::Source;
use crate::state::{AttestorSet, Load, Pool, Product, Protocol, Trigger};
use anchor_lang::prelude::*;

/// The condition of a product.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct SetConditionArgs {
    /// Where prices come from.
    pub source: Source,
    /// The feed: a Pyth feed id, for the push oracle the price account, for reports the sha-256 of the definition.
    pub feed: [u8; 32],
    /// The condition.
    pub condition: TermsInput,
}

/// Accounts of `set_condition` and `set_reading`.
#[derive(Accounts)]
pub struct SetCondition<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// Pays the rent; may be governance.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The protocol.
    #[account(address = PROTOCOL.0, has_one = governance @ BackstopError::NotGovernance)]
    pub protocol: Box<Account<'info, Protocol>>,
    /// The product's pool.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The product.
    #[account(mut, has_one = pool @ BackstopError::WrongParent)]
    pub product: AccountLoader<'info, Product>,
    /// CHECK: the product's trigger, created here; its address is derived from the product.
    #[cfg_attr(
        feature = "idl-build",
        account(mut, seeds = [TRIGGER_SEED, product.key().as_ref()], bump)
    )]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub trigger: UncheckedAccount<'info>,
    /// The attestors, if the feed is one of reports.
    pub attestors: Option<AccountLoader<'info, AttestorSet>>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only governance; once, and not for a product that was run off;
/// - every term of the condition is within its hard bounds, and none ever changes;
/// - the product's terms leave room for the condition's ring in its day buckets;
/// - the product's shortest term outlasts the condition's duration, tolerance and challenge by a day and more;
/// - the pool's cooldown is at least the condition's duration, tolerance and challenge and one day more;
/// - a feed of reports needs attestors who can report, and no other feed takes any;
/// - the notice begins now: the product sells once it is over, at once in a pool that never had shares nor covers.
pub(crate) fn handle(ctx: Context<SetCondition>, args: SetConditionArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    let (pool_key, product_key, trigger_key) = (accounts.pool.key(), accounts.product.key(), accounts.trigger.key());
    accounts.product.read()?.require_no_condition()?;
    let condition = Terms::new(&args.condition).map_err(|_| BackstopError::BadTriggerTerms)?;
    accounts.product.read()?.terms.require_outlasts(condition.longest_wait_seconds())?;
    let attestors = match (args.source, &accounts.attestors) {
        (Source::Attested, Some(attestors)) => {
            attestors.read()?.require_alive()?;
            attestors.key()
        }
        (Source::PythReceiver | Source::PythPush, None) => Pubkey::default(),
        (Source::Attested | Source::PythReceiver | Source::PythPush, _) => {
            return Err(refuse(BackstopError::WrongAttestors));
        }
    };
    let bump = require_address(&accounts.trigger, &[TRIGGER_SEED, product_key.as_ref()])?;

    let mut till = Till::untouched(&accounts.pool)?;
    let sells_from = till.admit_condition(&condition, now)?;
    let sequence = till.number_event();
    till.close()?;
    accounts.product.write()?.set_condition(trigger_key, condition.ring_days(), sells_from, now)?;

    let seeds = [TRIGGER_SEED, product_key.as_ref(), &[bump]];
    let new = NewAccount { account: &accounts.trigger, seeds: &seeds, payer: &accounts.payer };
    let mut trigger = new.create_in_place::<Trigger>()?;
    trigger.product = product_key;
    trigger.pool = pool_key;
    trigger.feed = args.feed;
    trigger.attestors = attestors;
    trigger.source = args.source.byte();
    trigger.version = ACCOUNT_VERSION;
    trigger.bump = bump;
    trigger.terms = condition;

    report(&ConditionSet {
        pool: pool_key,
        sequence,
        product: product_key,
        trigger: trigger_key,
        source: args.source,
        feed: args.feed,
        attestors,
        condition: args.condition,
        sells_from,
    })?;
    Ok(())
}
