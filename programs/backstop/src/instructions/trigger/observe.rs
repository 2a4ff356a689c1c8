//! Shows an oracle print to a trigger.

use crate::error::BackstopError;
use crate::events::{Observed, PhaseChanged, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::peril::evidence::Outcome;
use crate::peril::feed::Observation;
use crate::state::{Load, Pool, Product, Trigger};
use anchor_lang::prelude::*;

/// Accounts of `observe`.
#[derive(Accounts)]
pub struct Observe<'info> {
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
    /// CHECK: the oracle's account; owner, layout, verification, feed, price and time are checked by the trigger.
    pub price: UncheckedAccount<'info>,
}

/// Specification:
/// - anyone, in every phase, with any signed print in its time;
/// - every slot that is settled by now is processed first, in order, and only then is the print written;
/// - a recovered print is taken for a challenge after the end of its slot, any other for half of it;
/// - a print that was shown before changes nothing; a refused one changes no byte;
/// - a change of phase is counted in the pool's alert, if the product has exposure;
/// - it earns premium first, so that whatever stood in an alert goes by what was exposed as that began.
pub(crate) fn handle(ctx: Context<Observe>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    let mut trigger = accounts.trigger.write()?;
    let print = trigger.read_print(&accounts.price, now)?;
    take(&mut trigger, accounts.trigger.key(), &accounts.product, &accounts.pool, &print, now)
}

/// Shows a print that was read, and reports what that changed.
#[inline(never)]
pub(crate) fn take(
    trigger: &mut Trigger,
    trigger_key: Pubkey,
    product: &AccountLoader<Product>,
    pool: &AccountLoader<Pool>,
    print: &Observation,
    now: i64,
) -> Result<()> {
    let outcome = trigger.observe(print, now)?;
    told(trigger_key, print, &outcome)?;
    booked(trigger, trigger_key, product, pool, &outcome, now)
}

/// Reports a print that changed what is known.
pub(crate) fn told(trigger: Pubkey, print: &Observation, outcome: &Outcome) -> Result<()> {
    if outcome.is_news {
        let Observation { price, confidence, publish_time } = *print;
        report(&Observed { trigger, price, confidence, publish_time })?;
    }
    Ok(())
}

/// Books and reports what an outcome means for the pool, if anything.
#[inline(always)]
pub(crate) fn booked(
    trigger: &mut Trigger,
    trigger_key: Pubkey,
    product: &AccountLoader<Product>,
    pool: &AccountLoader<Pool>,
    outcome: &Outcome,
    now: i64,
) -> Result<()> {
    if outcome.phase_changed() || outcome.deepened {
        book_phase_change(trigger, trigger_key, product, pool, outcome, now)?;
    }
    Ok(())
}

/// Earns premium, counts a change of phase in the pool's alert and reports it, or a deeper severity.
pub(crate) fn book_phase_change(
    trigger: &mut Trigger,
    trigger_key: Pubkey,
    product: &AccountLoader<Product>,
    pool: &AccountLoader<Pool>,
    outcome: &Outcome,
    now: i64,
) -> Result<()> {
    let mut till = Till::open(pool, now)?;
    if outcome.phase_changed() {
        let alert = product.read()?.alert(trigger.alert_number);
        let (before, after) = (trigger.alert_in(outcome.before), trigger.alert_in(outcome.after));
        trigger.alert_number = till.move_alert(alert, before, after, now)?;
    }
    let sequence = till.number_event();
    till.close()?;
    let (event_at, mean_price, severity_bps) = trigger.found();
    report(&PhaseChanged {
        pool: pool.key(),
        sequence,
        trigger: trigger_key,
        product: product.key(),
        before: outcome.before.byte(),
        after: outcome.after.byte(),
        event_at,
        mean_price,
        severity_bps,
    })?;
    Ok(())
}
