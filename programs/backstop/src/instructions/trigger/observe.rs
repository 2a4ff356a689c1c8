//! Shows an oracle print to a trigger.

use crate::error::BackstopError;
use crate::events::{DropArmed, Observed, PhaseChanged, report};
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::peril::evidence::{Outcome, Phase};
use crate::peril::feed::Observation;
use crate::state::{Form, Load, Pool, Product, Trigger};
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
pub(crate) fn booked(
    trigger: &mut Trigger,
    trigger_key: Pubkey,
    product: &AccountLoader<Product>,
    pool: &AccountLoader<Pool>,
    outcome: &Outcome,
    now: i64,
) -> Result<()> {
    if outcome.armed {
        let keys = trigger.keys;
        report(&DropArmed {
            trigger: trigger_key,
            armed_at: keys.armed_at,
            event_at: keys.event_at,
            mean_price: keys.mean,
            severity_bps: keys.severity_bps,
        })?;
    }
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
    let mut before = outcome.before;
    if outcome.renewed {
        // As if somebody had called before: evidence that ended by the clock has ended, and of a reading whose report fell
        // another is awaited.
        let between = match trigger.form() {
            Form::Evidence => Phase::Quiet,
            Form::Reading => Phase::Breaching,
        };
        let sequence = move_alert(&mut till, trigger, product, (before, between), now)?;
        report_phase(pool.key(), sequence, trigger_key, product.key(), trigger, (before, between))?;
        before = between;
    }
    let sequence = move_alert(&mut till, trigger, product, (before, outcome.after), now)?;
    till.close()?;
    report_phase(pool.key(), sequence, trigger_key, product.key(), trigger, (before, outcome.after))
}

/// Counts a change of phase in the pool's alert. Returns the number of its event.
fn move_alert(
    pool: &mut Pool,
    trigger: &mut Trigger,
    product: &AccountLoader<Product>,
    (before, after): (Phase, Phase),
    now: i64,
) -> Result<u64> {
    if before != after {
        let alert = product.read()?.alert(trigger.alert_number);
        let (before, after) = (trigger.alert_in(before), trigger.alert_in(after));
        trigger.alert_number = pool.move_alert(alert, before, after, now)?;
    }
    Ok(pool.number_event())
}

/// Reports a change of phase.
fn report_phase(
    pool: Pubkey,
    sequence: u64,
    trigger_key: Pubkey,
    product: Pubkey,
    trigger: &Trigger,
    (before, after): (Phase, Phase),
) -> Result<()> {
    let (event_at, mean_price, severity_bps) = trigger.found();
    let (before, after) = (before.byte(), after.byte());
    report(&PhaseChanged {
        pool,
        sequence,
        trigger: trigger_key,
        product,
        before,
        after,
        event_at,
        mean_price,
        severity_bps,
    })?;
    Ok(())
}
