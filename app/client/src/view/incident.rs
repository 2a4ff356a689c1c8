//! Which step is next from a trigger to its covers' payouts, and the command that takes it.

use super::Case;
use crate::text::moment_from;
use anchor_lang::prelude::Pubkey;
use backstop::constants::FUNDING_PATIENCE;
use backstop::peril::evidence::Phase;
use backstop::state::{IncidentState, ProductState};
use serde::Serialize;

/// How far an incident is.
pub const fn state(state: IncidentState) -> &'static str {
    match state {
        IncidentState::Open => "open",
        IncidentState::Waiting => "waiting",
        IncidentState::Funded => "funded",
        IncidentState::Closed => "closed",
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruction::{PoolKeys, ProductKeys};
    use crate::view::{OpenPool, OpenProduct};
    use backstop::peril::evidence::{Severity, Terms, TermsInput};
    use backstop::peril::feed::Observation;
    use backstop::state::{Incident, NotedTreaty, Trigger};

    const START: i64 = 1_678_500_000;
    const SLOT: i64 = 1_800;

    fn case(good_slots: i64) -> Case {
        let mut trigger: Box<Trigger> = Box::new(bytemuck::Zeroable::zeroed());
        trigger.terms = Terms::new(&TermsInput {
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Binary,
            duration_seconds: 4 * 3_600,
            slot_seconds: 1_800,
            tolerance_seconds: 0,
            challenge_seconds: 6 * 3_600,
            confidence_multiplier: 200,
        })
        .expect("valid");
        let terms = trigger.terms;
        for at in (0..good_slots).map(|slot| START + slot * SLOT) {
            let print = Observation { price: 90_000_000, confidence: 0, publish_time: at };
            trigger.evidence.observe(&terms, &print, at).expect("taken");
        }
        let pool = PoolKeys::derive(Pubkey::default(), Pubkey::default(), 0);
        let open =
            OpenPool { state: Box::new(bytemuck::Zeroable::zeroed()), keys: pool, decimals: 6, share_decimals: 9 };
        let state = Box::new(bytemuck::Zeroable::zeroed());
        let product = OpenProduct { state, pool: open, keys: ProductKeys::derive(pool, 0) };
        Case { product, trigger, incident: None }
    }

    fn incident(state: IncidentState) -> Incident {
        Incident {
            product: Pubkey::default(),
            pool: Pubkey::default(),
            rent_payer: Pubkey::default(),
            version: 1,
            bump: 0,
            state,
            severity_bps: 10_000,
            event_at: START,
            ended_at: START,
            accrued_at: START,
            opened_at: START,
            funded_at: START,
            round: 0,
            gross: 10,
            ceded: 0,
            net: 10,
            reserve: 0,
            paid: 0,
            exposure: 10,
            sums_left: 10,
            premiums_left: 0,
            refunds_left: 0,
            treaties: [NotedTreaty::default(); backstop::state::MAX_NOTED_TREATIES],
            quota_share_owed: 0,
            treaty_count: 0,
            cursor: 0,
            reserved: [0; 64],
        }
    }

    fn step(case: &Case, now: i64) -> Option<(&'static str, i64)> {
        next_step(case, None, now).map(|step| (step.step, step.from))
    }

    #[test]
    fn before_an_incident_the_phase_says_what_is_next() {
        let now = START + 8 * SLOT;
        assert_eq!(step(&case(0), now), None, "quiet");
        assert_eq!(step(&case(3), START + 3 * SLOT), None, "breaching");
        assert_eq!(step(&case(3), START + 30 * SLOT), Some(("refresh", START + 30 * SLOT)), "no longer breaching");
        let mut met = case(8);
        let due = START + 8 * SLOT + 6 * 3_600 + 1;
        assert_eq!(step(&met, now), Some(("confirm", due)));
        assert_eq!(step(&met, due), Some(("confirm", due)));
        let terms = met.trigger.terms;
        met.trigger.evidence.refresh(&terms, due);
        assert_eq!(step(&met, due), Some(("open", due)));
        met.product.state.end_with(START);
        assert_eq!(step(&met, due), None, "its incident is closed");
    }

    #[test]
    fn an_incident_says_what_is_next() {
        let mut case = case(8);
        let now = START + 60;
        for (state, expected) in [(IncidentState::Open, "call"), (IncidentState::Closed, "close")] {
            case.incident = Some(incident(state));
            assert_eq!(step(&case, now), Some((expected, now)));
        }
        case.incident = Some(incident(IncidentState::Funded));
        assert_eq!(step(&case, now), Some(("settle", now)));
        let cover = Pubkey::new_from_array([5; 32]);
        let named = next_step(&case, Some(cover), now).expect("there is one");
        assert_eq!(named.command, format!("backstop incident settle {cover}"));
        let settled = Incident { sums_left: 0, ..incident(IncidentState::Funded) };
        case.incident = Some(settled);
        assert_eq!(step(&case, now), Some(("close", now)));
    }

    #[test]
    fn an_incident_that_waits_is_funded_as_soon_as_the_programs_books_allow_it() {
        let mut case = case(8);
        let now = START + 60;
        case.incident = Some(incident(IncidentState::Waiting));
        let pool = &mut case.product.pool.state;
        pool.accrued_at = START;
        pool.join_funding_queue(10, 10, START).expect("there is room");
        // Another product's alert, and capital for one of them only.
        (pool.alerts, pool.alert_exposure, pool.surplus) = (2, 20, 10);
        assert_eq!(step(&case, now), Some(("fund", START + FUNDING_PATIENCE)));
        case.product.pool.state.surplus = 20;
        assert_eq!(step(&case, now), Some(("fund", now)));
    }
}
