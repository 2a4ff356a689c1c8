//! Which step is next from a trigger to its covers' payouts, and the command that takes it.

use super::Case;
use crate::commands::trigger::words::moment_from;
use anchor_lang::prelude::Pubkey;
use backstop::constants::FUNDING_PATIENCE;
use backstop::state::evidence::Phase;
use backstop::state::{IncidentState, ProductState};
use serde::Serialize;

/// A step that anyone can take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name: `refresh`, `confirm`, `open`, `call`, `fund`, `settle` or `close`.
    pub step: &'static str,
    /// The command that takes it.
    pub command: String,
    /// From when on, in unix seconds, at the latest; now, if it is not in the future.
    pub from: i64,
}

impl Step {
    /// The step in words.
    pub fn text(&self, now: i64) -> String {
        if self.from <= now {
            return format!("`{}`", self.command);
        }
        format!("`{}`, from {}", self.command, moment_from(self.from, now))
    }
}

/// The next step, if there is one. `open_cover` is a cover that waits for its payout, where that is known.
pub fn next_step(case: &Case, open_cover: Option<Pubkey>, now: i64) -> Option<Step> {
    let product = case.product.keys.product;
    let step = |step, path: &str, from| Some(Step { step, command: format!("backstop {path} {product}"), from });
    let Some(incident) = &case.incident else {
        if case.product.state.state() == ProductState::Over {
            return None;
        }
        let evidence = &case.trigger.evidence;
        let stored = case.trigger.phase();
        return match evidence.phase_at(&case.trigger.terms, now) {
            Phase::Triggered if stored == Phase::Triggered => step("open", "incident open", now),
            Phase::Triggered => step("confirm", "trigger confirm", now),
            Phase::Met => {
                let window = evidence.window(&case.trigger.terms)?;
                step("confirm", "trigger confirm", window.contradicted_until.saturating_add(1))
            }
            phase if phase != stored => step("refresh", "trigger refresh", now),
            _ => None,
        };
    };
    match incident.state {
        IncidentState::Open => step("call", "incident call", now),
        IncidentState::Waiting => {
            let mut books = case.product.pool.state.clone();
            let is_due = books.accrue(now).is_ok() && books.fund_incident(incident.round, incident.net, now).is_ok();
            let latest = case.product.pool.state.funding.oldest_opened_at.saturating_add(FUNDING_PATIENCE);
            step("fund", "incident fund", if is_due { now } else { latest })
        }
        IncidentState::Funded if !incident.may_close(now) => {
            let command = match open_cover {
                Some(cover) => format!("backstop incident settle {cover}"),
                None => "backstop crank run --once".into(),
            };
            Some(Step { step: "settle", command, from: now })
        }
        IncidentState::Funded | IncidentState::Closed => step("close", "incident close", now),
    }
}
