//! A crisis: incidents wait for a round, are funded together from the capital that there is, and are paid from the
//! reserve.

use crate::constants::FUNDING_PATIENCE;
use crate::error::BackstopError;
use crate::math::losses;
use crate::state::ledger::{credit, debit, fits};
use crate::state::{LossByLayer, Pool};
use anchor_lang::prelude::*;

/// Incidents whose treaties were called, on their way to be funded together.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct FundingQueue {
    /// Net losses of the incidents that wait for the next round, in asset units.
    pub waiting_net: u64,
    /// Exposure of their products, in asset units.
    pub waiting_exposure: u64,
    /// When the oldest of them was opened.
    pub oldest_opened_at: i64,
    /// Capital when the round in progress began, in asset units.
    pub round_capital: u64,
    /// Net losses of the round in progress, in asset units.
    pub round_net: u64,
    /// Number of the round that waiting incidents will join.
    pub next_round: u32,
    /// How many incidents wait.
    pub waiting: u32,
    /// Incidents of the round in progress that are not funded yet.
    pub round_left: u32,
    /// Unused.
    pub padding: [u8; 4],
}

impl Pool {
    /// Lets an incident whose treaties were called wait for the next funding round. Returns the round's number.
    pub fn join_funding_queue(&mut self, net: u64, exposure: u64, opened_at: i64) -> Result<u32> {
        let queue = &mut self.funding;
        queue.oldest_opened_at = if queue.waiting == 0 { opened_at } else { queue.oldest_opened_at.min(opened_at) };
        queue.waiting = fits(queue.waiting.checked_add(1))?;
        queue.waiting_net = fits(queue.waiting_net.checked_add(net))?;
        queue.waiting_exposure = fits(queue.waiting_exposure.checked_add(exposure))?;
        Ok(queue.next_round)
    }

    /// Whether the next funding round may begin: no round is in progress, and either capital covers the round and the
    /// exposure of all other alerts, or no other alert is left, or the oldest incident has waited three days.
    pub fn funding_round_due(&self, now: i64) -> Result<bool> {
        let queue = &self.funding;
        if queue.round_left != 0 || queue.waiting == 0 {
            return Ok(false);
        }
        let others = self.alert_exposure.saturating_sub(queue.waiting_exposure);
        let covered = self.loss_capital()? >= fits(queue.waiting_net.checked_add(others))?;
        let waited = now >= queue.oldest_opened_at.saturating_add(FUNDING_PATIENCE);
        Ok(covered || self.alerts == queue.waiting || waited)
    }

    /// What an incident of a round gets: its net loss, or its part of the capital that was there when the round began.
    /// Begins the round with its first call. The result is the same in any order of calls.
    pub fn fund_incident(&mut self, round: u32, net: u64, now: i64) -> Result<(u64, LossByLayer)> {
        if round == self.funding.next_round {
            ensure!(self.funding_round_due(now)?, BackstopError::RoundNotDue);
            let capital = self.loss_capital()?;
            let queue = &mut self.funding;
            queue.round_capital = capital;
            queue.round_net = core::mem::take(&mut queue.waiting_net);
            queue.round_left = core::mem::take(&mut queue.waiting);
            queue.waiting_exposure = 0;
            queue.next_round = fits(queue.next_round.checked_add(1))?;
        }
        let queue = &mut self.funding;
        ensure!(round.checked_add(1) == Some(queue.next_round), BackstopError::LaterRound);
        queue.round_left = queue.round_left.checked_sub(1).ok_or(BackstopError::InvariantViolated)?;
        let paid = fits(losses::reserve(net, queue.round_capital, queue.round_net))?;
        let split = self.take_loss(paid)?;
        credit(&mut self.incident_reserves, paid)?;
        Ok((paid, split))
    }

    /// Pays a cover out of the incident reserves.
    pub fn pay_incident(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.incident_reserves, amount)?;
        debit(&mut self.cash, amount)
    }

    /// Moves what is left of an incident's reserve to the surplus.
    pub fn release_incident_reserve(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.incident_reserves, amount)?;
        credit(&mut self.surplus, amount)
    }

    /// Takes in what a treaty paid for an incident.
    pub fn receive_recovery(&mut self, amount: u64) -> Result<()> {
        credit(&mut self.incident_reserves, amount)?;
        credit(&mut self.cash, amount)
    }
}
