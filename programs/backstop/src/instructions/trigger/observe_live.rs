//! Shows what a live feed's account says now.

use crate::error::BackstopError;
use crate::events::{ReadingShown, report};
use crate::instructions::no_more;
use crate::instructions::trigger::observe::{booked, told};
use crate::peril::feed::Source;
use crate::peril::feed::attested::INSTRUCTIONS_ID;
use crate::peril::live::require_alone;
use crate::state::{Live, Load, Pool, Product, Trigger};
use anchor_lang::prelude::*;
use anchor_lang::solana_program::instruction::get_stack_height;

/// Accounts of `observe_live`.
#[derive(Accounts)]
pub struct ObserveLive<'info> {
    /// The trigger.
    #[account(
        mut,
        has_one = product @ BackstopError::WrongParent,
        has_one = pool @ BackstopError::WrongParent
    )]
    pub trigger: AccountLoader<'info, Trigger>,
    /// The trigger's product, for its exposure.
    pub product: AccountLoader<'info, Product>,
    /// The product's pool, for its alert.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// What was shown in the running slot.
    #[account(mut, has_one = trigger @ BackstopError::WrongParent)]
    pub live: AccountLoader<'info, Live>,
    /// CHECK: the account that is read, of vaults the first; address, owner, layout and epoch are checked as it is.
    pub source: UncheckedAccount<'info>,
    /// CHECK: the sysvar that shows the transaction's instructions.
    #[account(address = INSTRUCTIONS_ID @ BackstopError::WrongAccount)]
    pub instructions: UncheckedAccount<'info>,
}

/// Specification:
/// - anyone, in every phase, of a live feed only, and only what its account says now, or all of its vaults: those beyond the
///   first follow the accounts that are named;
/// - it stands alone: called by no program, and its transaction holds nothing beside instructions of this program and of the
///   compute budget;
/// - it counts once a second showing of its class, in the same slot of the evidence and at least 150 slots of the ledger
///   away, confirms it; so does what raises the peak;
/// - of vaults what counts only arms, and stops sales: see [`crate::peril::two_keys`];
/// - what counts becomes prints, and what follows is as with [`crate::instructions::observe`].
pub(crate) fn handle<'info>(ctx: Context<'info, ObserveLive<'info>>) -> Result<()> {
    let accounts = &ctx.accounts;
    require_alone(&accounts.instructions.try_borrow_data()?, get_stack_height())?;
    let clock = Clock::get()?;
    let now = clock.unix_timestamp;
    let mut trigger = accounts.trigger.write()?;
    let source = trigger.source();
    let level = if source == Source::VaultDrop {
        let vaults = core::iter::once(&*accounts.source).chain(ctx.remaining_accounts);
        accounts.live.read()?.read_vaults(vaults)?
    } else {
        no_more(ctx.remaining_accounts)?;
        trigger.read_level(&accounts.source, clock.epoch)?
    };
    let trigger_key = accounts.trigger.key();
    let shown = {
        let mut live = accounts.live.write()?;
        let shown = live.show(source, &trigger.terms, level, clock.slot, now).map_err(BackstopError::from)?;
        report(&ReadingShown {
            trigger: trigger_key,
            level: level.up,
            peak: live.measure(source, &trigger.terms, now),
            price: shown.price,
            slot: clock.slot,
            shown_at: now,
        })?;
        shown
    };
    let mut outcome = trigger.refresh(now);
    for print in shown.prints.iter().flatten() {
        let next = trigger.observe(print, now)?;
        told(trigger_key, print, &next)?;
        outcome = outcome.then(next);
    }
    booked(&mut trigger, trigger_key, &accounts.product, &accounts.pool, &outcome, now)
}
