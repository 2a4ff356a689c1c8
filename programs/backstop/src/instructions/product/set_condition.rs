//! Gives a product its condition.

use crate::border::records::{NewAccount, require_address};
use crate::constants::*;
use crate::error::{BackstopError, refuse};
use crate::events::{ConditionSet, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::peril::evidence::{Terms, TermsInput};
use crate::peril::feed::Source;
use crate::peril::live;
use crate::peril::two_keys::Reach;
use crate::state::{AttestorSet, Live, Load, Pool, Product, Protocol, Trigger};
use anchor_lang::prelude::*;

/// The condition of a product.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct SetConditionArgs {
    /// Where prices come from.
    pub source: Source,
    /// The feed: a Pyth feed id, for the push oracle the price account, for reports, also as a second key, the sha-256 of
    /// the definition, for another live feed the account that is read.
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
    /// CHECK: what is shown of a live feed, created here, if the feed is one; its address is derived from the product.
    #[cfg_attr(feature = "idl-build", account(mut, seeds = [LIVE_SEED, product.key().as_ref()], bump))]
    #[cfg_attr(not(feature = "idl-build"), account(mut))]
    pub live: Option<UncheckedAccount<'info>>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// Specification:
/// - only governance; once, and not for a product that was run off;
/// - every term of the condition is within its hard bounds, and none ever changes;
/// - the product's terms leave room for the condition's ring in its day buckets;
/// - the product's shortest term outlasts the condition's duration, tolerance and challenge by a day and more;
/// - the pool's cooldown is at least the condition's duration, tolerance and challenge and one day more;
/// - a live feed has bounds of its own, and an account of its readings; no other feed has one;
/// - the product's deductible is below the least that the condition's payout form pays;
/// - how old and how near to the threshold prices may be at a purchase, and how long a cover waits, is bound by the feed;
/// - a feed of reports needs attestors who can report, and so does one of vaults, for its second key; no other feed takes any;
/// - the vaults of a feed of vaults follow the accounts that are named: one to eight distinct token accounts of one mint;
/// - the notice begins now: the product sells once it is over, at once in a pool that never had shares nor covers.
pub(crate) fn handle(ctx: Context<SetCondition>, args: SetConditionArgs) -> Result<()> {
    let vaults = ctx.remaining_accounts;
    let accounts = &ctx.accounts;
    if args.source != Source::VaultDrop {
        no_more(vaults)?;
    }
    let now = now()?;
    let (pool_key, product_key, trigger_key) = (accounts.pool.key(), accounts.product.key(), accounts.trigger.key());
    accounts.product.read()?.require_no_condition()?;
    let condition = Terms::new(&args.condition).map_err(|_| BackstopError::BadTriggerTerms)?;
    live::require_terms(args.source, &condition)?;
    let reach = Reach::of(args.source, &condition);
    {
        let terms = &accounts.product.read()?.terms;
        terms.require_outlasts(reach.wait_seconds)?;
        terms.require_limits_of(args.source)?;
        terms.require_deductible_below(Some(args.condition.severity))?;
    }
    let attestors = match (args.source.is_reported(), &accounts.attestors) {
        (true, Some(attestors)) => {
            attestors.read()?.require_alive()?;
            attestors.key()
        }
        (true, None) | (false, Some(_)) => return Err(refuse(BackstopError::WrongAttestors)),
        (false, None) => Pubkey::default(),
    };
    ensure!(accounts.live.is_some() == args.source.is_live(), BackstopError::WrongLive);
    let bump = require_address(&accounts.trigger, &[TRIGGER_SEED, product_key.as_ref()])?;

    let mut till = Till::untouched(&accounts.pool)?;
    let sells_from = till.admit_condition(&reach, now)?;
    let sequence = till.number_event();
    till.close()?;
    accounts.product.write()?.set_condition(trigger_key, reach.days, sells_from, now)?;

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
    drop(trigger);
    let live_key = match &accounts.live {
        Some(live) => open_readings(live, &accounts.payer, product_key, trigger_key, args.source, vaults)?,
        None => Pubkey::default(),
    };

    report(&ConditionSet {
        pool: pool_key,
        sequence,
        product: product_key,
        trigger: trigger_key,
        source: args.source,
        feed: args.feed,
        attestors,
        live: live_key,
        vaults: vaults.iter().map(|vault| *vault.key).collect(),
        condition: args.condition,
        sells_from,
    })?;
    Ok(())
}

/// Creates the account of a live feed's readings. Returns its address.
#[inline(never)]
fn open_readings<'info>(
    account: &AccountInfo<'info>,
    payer: &Signer<'info>,
    product: Pubkey,
    trigger: Pubkey,
    source: Source,
    vaults: &[AccountInfo],
) -> Result<Pubkey> {
    let bump = require_address(account, &[LIVE_SEED, product.as_ref()])?;
    let seeds = [LIVE_SEED, product.as_ref(), &[bump]];
    let new = NewAccount { account, seeds: &seeds, payer };
    let mut live = new.create_in_place::<Live>()?;
    live.product = product;
    live.trigger = trigger;
    live.version = ACCOUNT_VERSION;
    live.bump = bump;
    if source == Source::VaultDrop {
        live.set_vaults(vaults)?;
    }
    Ok(account.key())
}
