//! The protocol: its roles and the pause.

use crate::address;
use anchor_lang::prelude::Pubkey;
use backstop::constants::{PAUSE_DEPOSITS, PAUSE_PURCHASES, WEEK};
use backstop::state::{Pause, Protocol};
use serde::Serialize;

/// The protocol's roles and its pause.
#[derive(Clone, Debug, Serialize)]
pub struct ProtocolReport {
    /// The protocol.
    pub protocol: String,
    /// Who governs.
    pub governance: String,
    /// Who was proposed to govern and has not accepted.
    pub proposed_governance: Option<String>,
    /// Who may pause.
    pub guardian: String,
    /// Who moves risk rates.
    pub risk_keeper: String,
    /// Whether deposits are paused.
    pub deposits_paused: bool,
    /// Whether purchases are paused.
    pub purchases_paused: bool,
    /// Until when.
    pub paused_until: Option<i64>,
    /// Pauses that the guardian has left.
    pub pauses_left: usize,
}

impl ProtocolReport {
    /// The protocol at `now`.
    pub fn of(protocol: &Protocol, now: i64) -> Self {
        let pause = &protocol.pause;
        let pending = protocol.pending_governance;
        let paused = pause.covers(PAUSE_DEPOSITS | PAUSE_PURCHASES, now);
        Self {
            protocol: address::protocol().to_string(),
            governance: protocol.governance.to_string(),
            proposed_governance: (pending != Pubkey::default()).then(|| pending.to_string()),
            guardian: protocol.guardian.to_string(),
            risk_keeper: protocol.risk_keeper.to_string(),
            deposits_paused: pause.covers(PAUSE_DEPOSITS, now),
            purchases_paused: pause.covers(PAUSE_PURCHASES, now),
            paused_until: paused.then_some(pause.until),
            pauses_left: pauses_left(pause, now),
        }
    }
}

/// Pauses that the guardian has left now.
pub fn pauses_left(pause: &Pause, now: i64) -> usize {
    pause.used_at.iter().filter(|used| **used == 0 || used.saturating_add(WEEK) <= now).count()
}
