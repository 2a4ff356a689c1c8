//! Shows a report of attestors to a trigger.

use crate::error::BackstopError;
use crate::events::{LossReported, report};
use crate::instructions::trigger::observe::{booked, take, told};
use crate::instructions::{no_more, now, signed_before};
use crate::peril::feed::Observation;
use crate::peril::feed::attested::INSTRUCTIONS_ID;
use crate::state::{AttestorSet, Form, Load, Pool, Product, Trigger};
use anchor_lang::prelude::*;

/// Accounts of `observe_report` and `resolve_reading`.
#[derive(Accounts)]
pub struct ObserveReport<'info> {
    /// The trigger.
    #[account(
        mut,
        has_one = product @ BackstopError::WrongParent,
        has_one = pool @ BackstopError::WrongParent,
        has_one = attestors @ BackstopError::ReportWrongSet
    )]
    pub trigger: AccountLoader<'info, Trigger>,
    /// The trigger's product, for its exposure.
    pub product: AccountLoader<'info, Product>,
    /// The product's pool, for its alert.
    #[account(mut)]
    pub pool: AccountLoader<'info, Pool>,
    /// The trigger's attestors.
    pub attestors: AccountLoader<'info, AttestorSet>,
    /// CHECK: the sysvar that shows the transaction's instructions.
    #[account(address = INSTRUCTIONS_ID @ BackstopError::WrongAccount)]
    pub instructions: UncheckedAccount<'info>,
}

/// Specification:
/// - anyone, in every phase, with a report that the ed25519 precompile has verified in the instruction right before;
/// - signed by enough distinct keys of the trigger's attestors, none revoked, in the one layout that is taken;
/// - of this cluster, these attestors, this feed, and a kind that evidence is made of; never of a moment ahead of the clock;
/// - for a product with two keys it is the second, an `Event`: by any of the set's keys it begins an alert, by enough of them
///   it proves the event;
/// - what follows is as with [`crate::instructions::observe`]: it is a print of its moment;
/// - a reading takes one of its moment alone, for 14 days from it, and none that contradicts the one that stands.
pub(crate) fn handle(ctx: Context<ObserveReport>) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    let mut trigger = accounts.trigger.write()?;
    if trigger.has_two_keys() {
        drop(trigger);
        return take_loss(accounts, now);
    }
    let (print, shown) = {
        let sysvar = accounts.instructions.try_borrow_data()?;
        let signed = signed_before(&sysvar, 1)?;
        let attestors = accounts.attestors.key();
        let set = accounts.attestors.read()?;
        let (report, signers) = set.read(&attestors, &signed).map_err(BackstopError::from)?;
        match trigger.form() {
            Form::Evidence => (trigger.read_report(&report, now)?, None),
            Form::Reading => {
                let outcome = trigger.show_reading(&report, signers, &set, now)?;
                let (price, publish_time) = (trigger.reading.value, report.observed_at);
                (Observation { price, confidence: 0, publish_time }, Some(outcome))
            }
        }
    };
    let key = accounts.trigger.key();
    match shown {
        None => take(&mut trigger, key, &accounts.product, &accounts.pool, &print, now),
        Some(outcome) => {
            told(key, &print, &outcome)?;
            booked(&mut trigger, key, &accounts.product, &accounts.pool, &outcome, now)
        }
    }
}

/// Takes the second of two keys.
#[inline(never)]
fn take_loss(accounts: &ObserveReport, now: i64) -> Result<()> {
    let trigger_key = accounts.trigger.key();
    let mut trigger = accounts.trigger.write()?;
    let (loss, signatures) = {
        let sysvar = accounts.instructions.try_borrow_data()?;
        let signed = signed_before(&sysvar, 1)?;
        let own = accounts.attestors.key();
        let attestors = accounts.attestors.read()?;
        attestors.require_alive()?;
        let (report, _) = attestors.read_any(&own, &signed).map_err(BackstopError::from)?;
        (trigger.read_loss(&report, attestors.is_enough(&signed), now)?, signed.count())
    };
    let outcome = trigger.report(&loss, now)?;
    report(&LossReported {
        trigger: trigger_key,
        loss_bps: loss.bps,
        observed_at: loss.observed_at,
        signatures: u8::try_from(signatures).unwrap_or(u8::MAX),
        is_confirmed: trigger.keys.confirmed_at != 0,
    })?;
    booked(&mut trigger, trigger_key, &accounts.product, &accounts.pool, &outcome, now)
}
