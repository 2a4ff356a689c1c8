//! Gives a product a reading as its condition.

use crate::border::records::{NewAccount, require_address};
use crate::constants::*;
use crate::error::BackstopError;
use crate::events::{ReadingSet, report};
use crate::instructions::product::set_condition::SetCondition;
use crate::instructions::{no_more, now};
use crate::money::Till;
use crate::peril::feed::Source;
use crate::peril::reading::{Reading, ReadingInput};
use crate::state::{Form, Load, Trigger, day_of};
use anchor_lang::prelude::*;

/// The reading of a product.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct SetReadingArgs {
    /// The feed: the sha-256 of its definition.
    pub feed: [u8; 32],
    /// The reading.
    pub reading: ReadingInput,
}

/// Specification:
/// - only governance; once, and not for a product that was run off or has a condition;
/// - only in a vintage that sells nothing in the reading's period, and whose notice is over before the period is too near;
/// - every term of the reading is within its hard bounds, and none ever changes; the period's days are a term that the
///   product sells, and its end fits the day buckets;
/// - the product has no deductible: its strike is one;
/// - attestors are named, and can report;
/// - the notice begins now, as with any condition.
pub(crate) fn handle(ctx: Context<SetCondition>, args: SetReadingArgs) -> Result<()> {
    no_more(ctx.remaining_accounts)?;
    let accounts = &ctx.accounts;
    let now = now()?;
    let (pool_key, product_key, trigger_key) = (accounts.pool.key(), accounts.product.key(), accounts.trigger.key());
    ensure!(accounts.live.is_none(), BackstopError::WrongLive);
    let attestors = accounts.attestors.as_ref().ok_or(BackstopError::WrongAttestors)?;
    attestors.read()?.require_alive()?;
    let reading = Reading::new(&args.reading, day_of(now)).map_err(BackstopError::from)?;
    let bump = require_address(&accounts.trigger, &[TRIGGER_SEED, product_key.as_ref()])?;
    let mut till = Till::untouched(&accounts.pool)?;
    let sells_from = accounts.product.write()?.set_reading(&mut till, trigger_key, reading.period(), now)?;
    let sequence = till.number_event();
    till.close()?;

    let seeds = [TRIGGER_SEED, product_key.as_ref(), &[bump]];
    let new = NewAccount { account: &accounts.trigger, seeds: &seeds, payer: &accounts.payer };
    let mut trigger = new.create_in_place::<Trigger>()?;
    trigger.product = product_key;
    trigger.pool = pool_key;
    trigger.feed = args.feed;
    trigger.attestors = attestors.key();
    trigger.source = Source::Attested.byte();
    trigger.form = Form::Reading.byte();
    trigger.version = ACCOUNT_VERSION;
    trigger.bump = bump;
    trigger.reading = reading;

    report(&ReadingSet {
        pool: pool_key,
        sequence,
        product: product_key,
        trigger: trigger_key,
        feed: args.feed,
        attestors: attestors.key(),
        reading: args.reading,
        sells_from,
    })?;
    Ok(())
}
