//! Instructions of the incident.

pub mod close_incident;
pub mod extend_deadline;
pub mod fund_incident;
pub mod open_incident;
pub mod settle_cover;

use crate::border::records::write_part;
use crate::error::BackstopError;
use crate::money::{Till, Vault};
use crate::state::{Incident, Payout, Policy, Pool};
use anchor_lang::prelude::*;

pub use close_incident::*;
pub use extend_deadline::*;
pub use fund_incident::*;
pub use open_incident::*;
pub use settle_cover::*;

/// What settling a policy has booked and has still to pay.
pub(crate) struct Settled<'a, 'info> {
    /// What it is paid, and how it stands now.
    pub payout: Payout,
    /// All of it, in asset units.
    pub total: u64,
    /// The event's number in the pool.
    pub sequence: u64,
    /// What it is paid from.
    pub vault: Vault<'a, 'info>,
}

/// Settles a policy by a rule and writes what that changed into the accounts of incident and policy.
/// The handler has checked that they belong together ([`Incident::require_concerns`]).
#[inline(always)]
pub(crate) fn pay_out<'a, 'info>(
    pool: &'a AccountLoader<'info, Pool>,
    vault: &'a AccountInfo<'info>,
    (incident_account, incident): (&AccountInfo<'info>, &mut Incident),
    (policy_account, policy): (&AccountInfo<'info>, &mut Policy),
    rule: impl FnOnce(&mut Incident, &mut Pool, &mut Policy) -> Result<Payout>,
) -> Result<Settled<'a, 'info>> {
    let mut till = Till::untouched(pool)?;
    let payout = rule(incident, &mut till, policy)?;
    let total = payout.total().ok_or(BackstopError::MathOverflow)?;
    write_part(incident_account, Incident::PAID_AT, &incident.settled_part())?;
    write_part(policy_account, Policy::STATE_AT, &[policy.state.byte()])?;
    write_part(policy_account, Policy::PAID_AT, &policy.paid_part())?;
    let sequence = till.number_event();
    Ok(Settled { payout, total, sequence, vault: till.close_on(vault)? })
}
