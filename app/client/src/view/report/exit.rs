//! Exit tickets: what is open of them, and what can be claimed.

use crate::account::{self, AccountError};
use crate::address;
use crate::cluster::Cluster;
use crate::view::{OpenPool, label, tranche_name};
use anchor_lang::prelude::Pubkey;
use backstop::state::{ExitEpoch, ExitTicket, day_start};
use serde::Serialize;

/// Where the owner stands in a ticket, after the discriminator.
const OWNER_OFFSET: usize = 32;

/// An exit ticket.
#[derive(Clone, Debug, Serialize)]
pub struct TicketRow {
    /// The ticket.
    pub ticket: String,
    /// The pool.
    pub pool: String,
    /// The name of the pool's asset.
    pub label: String,
    /// The tranche.
    pub tranche: &'static str,
    /// The day on which it is paid, counted from 1970.
    pub epoch_day: u32,
    /// From when.
    pub claimable_from: i64,
    /// What still waits.
    pub open: u64,
    /// What can be taken.
    pub claimable: u64,
    /// What was taken.
    pub claimed: u64,
    /// Decimals of the asset.
    pub decimals: u8,
}

/// What a ticket holds: open value and what can be claimed, by the program's own books.
fn state_of(pool: &OpenPool, ticket: &ExitTicket, epoch: Option<ExitEpoch>) -> (u64, u64) {
    let Some(mut epoch) = epoch else { return (0, 0) };
    let claimable = epoch.claim(&mut ticket.clone()).unwrap_or_default();
    let open_units = epoch.remove_ticket(ticket).unwrap_or_default();
    let current = pool.state.tranche(ticket.tranche).series == ticket.series;
    let open = pool.state.tranche(ticket.tranche).worth_of_units(open_units).unwrap_or_default();
    (if current { open } else { 0 }, claimable)
}

/// The exit tickets of a wallet, by the days on which they are paid.
///
/// Errors: an account cannot be read, or the cluster does not answer.
pub fn tickets(cluster: &dyn Cluster, owner: &Pubkey) -> Result<Vec<TicketRow>, AccountError> {
    let mut rows = Vec::new();
    for (key, ticket) in account::list::<ExitTicket>(cluster, Some((OWNER_OFFSET, *owner)))? {
        let pool = OpenPool::read(cluster, ticket.pool)?;
        let epoch = account::find(cluster, &address::exit_epoch(&ticket.pool, ticket.epoch_day))?;
        let (open, claimable) = state_of(&pool, &ticket, epoch);
        rows.push(TicketRow {
            ticket: key.to_string(),
            pool: ticket.pool.to_string(),
            label: label(&pool.state.label),
            tranche: tranche_name(ticket.tranche),
            epoch_day: ticket.epoch_day,
            claimable_from: day_start(ticket.epoch_day + 1),
            open,
            claimable,
            claimed: ticket.claimed,
            decimals: pool.decimals,
        });
    }
    rows.sort_by(|left, right| (left.epoch_day, &left.ticket).cmp(&(right.epoch_day, &right.ticket)));
    Ok(rows)
}
