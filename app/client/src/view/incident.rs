//! Which step is next from a trigger to its covers' payouts, and the command that takes it.

use super::Case;
use crate::text::moment_from;
use anchor_lang::prelude::Pubkey;
use backstop::peril::evidence::Phase;
use backstop::peril::reading::READING_CHALLENGE;
use backstop::state::{CallState, Form, IncidentState, NotedTreaty, ProductState};
use serde::Serialize;

/// How far an incident is.
pub const fn state(state: IncidentState) -> &'static str {
    match state {
        IncidentState::Growing => "growing",
        IncidentState::Final => "final",
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
        if case.trigger.form() == Form::Reading {
            let reading = &case.trigger.reading;
            return match reading.phase() {
                Phase::Final => step("open", "incident open", now),
                Phase::Met => step("resolve", "trigger resolve", reading.reported_at.saturating_add(READING_CHALLENGE)),
                _ => step("resolve", "trigger resolve", reading.reports_until.saturating_add(1)),
            };
        }
        let evidence = &case.trigger.evidence;
        let stored = case.trigger.phase();
        return match case.trigger.phase_at(now) {
            Phase::Triggered | Phase::Final if stored.is_triggered() => step("open", "incident open", now),
            Phase::Triggered | Phase::Final => step("confirm", "trigger confirm", now),
            Phase::Met => {
                let window = evidence.window(&case.trigger.terms)?;
                step("confirm", "trigger confirm", window.contradicted_until.saturating_add(1))
            }
            phase if phase != stored => step("refresh", "trigger refresh", now),
            _ => None,
        };
    };
    let (mut books, mut crisis, mut trigger) =
        (case.product.pool.state.clone(), case.crisis.clone(), case.trigger.clone());
    trigger.refresh(now);
    let accrued = books.accrue(now).is_ok();
    let is_pending = |noted: &NotedTreaty| noted.state == CallState::Pending;
    if incident.treaties.iter().any(is_pending) {
        return step("call", "incident call", now);
    }
    if let Some(crisis) = crisis.as_mut()
        && accrued
        && incident.clone().fund(&mut books, crisis, &case.product.state.terms, &*trigger, now).is_ok()
    {
        return step("fund", "incident fund", now);
    }
    let is_closed = case.crisis.as_ref().is_none_or(|crisis| crisis.closed);
    if is_closed && incident.may_close(now) {
        return step("close", "incident close", now);
    }
    if incident.reserve > incident.paid || incident.premiums_left > 0 || incident.refunds_left > 0 {
        let command = match open_cover {
            Some(cover) => format!("backstop incident settle {cover}"),
            None => "backstop crank run --once".into(),
        };
        return Some(Step { step: "settle", command, from: now });
    }
    if is_closed {
        step("close", "incident close", incident.deadline)
    } else {
        // It waits for its evidence, for other incidents, or for alerts.
        step("fund", "incident fund", books.crisis.final_at.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruction::{PoolKeys, ProductKeys};
    use crate::view::{OpenPool, OpenProduct};
    use backstop::peril::evidence::{Direction, Severity, Terms, TermsInput};
    use backstop::peril::feed::Observation;
    use backstop::state::{Crisis, Incident, Trigger};

    const START: i64 = 1_678_500_000;
    const SLOT: i64 = 1_800;

    fn case(good_slots: i64) -> Case {
        let mut trigger: Box<Trigger> = Box::new(bytemuck::Zeroable::zeroed());
        trigger.terms = Terms::new(&TermsInput {
            direction: Direction::Below,
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 },
            duration_seconds: 4 * 3_600,
            slot_seconds: 1_800,
            tolerance_seconds: 1_800,
            challenge_seconds: 6 * 3_600,
            run_on_seconds: 86_400,
            quiet_seconds: 86_400,
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
        Case { product, trigger, incident: None, crisis: None }
    }

    /// An incident that is due 10, of a crisis that was closed with all of it.
    fn incident(state: IncidentState) -> Incident {
        Incident {
            product: Pubkey::default(),
            pool: Pubkey::default(),
            rent_payer: Pubkey::default(),
            version: 1,
            bump: 0,
            state,
            severity_bps: 10_000,
            most_severity_bps: 10_000,
            event_at: START,
            ended_at: START,
            accrued_at: START,
            opened_at: START,
            final_at: START,
            deadline: START + 1_000,
            crisis: 1,
            sums: 10,
            gross: 10,
            loss_premium: 0,
            reserve: 10,
            paid: 0,
            sums_left: 10,
            premiums_left: 0,
            refunds_left: 0,
            still_exposed: 0,
            treaties: [NotedTreaty::default(); backstop::state::MAX_NOTED_TREATIES],
            treaty_count: 0,
            reserved: [0; 24],
        }
    }

    fn crisis(resources: u64) -> Crisis {
        let begun = Crisis::begin(Pubkey::default(), Pubkey::default(), 0, 1);
        Crisis { closed: true, gross: 10, resources, bucket: resources, ..begun }
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
        let due = START + 8 * SLOT + 6 * 3_600;
        assert_eq!(step(&met, now), Some(("confirm", due)));
        assert_eq!(step(&met, due), Some(("confirm", due)));
        let terms = met.trigger.terms;
        met.trigger.evidence.refresh(&terms, due);
        assert_eq!(step(&met, due), Some(("open", due)), "while the run-on lasts");
        let over = due + 86_400;
        met.trigger.evidence.refresh(&terms, over);
        assert_eq!(step(&met, over), Some(("open", over)));
        met.product.state.end_with(START);
        assert_eq!(step(&met, due), None, "its incident is closed");
    }

    #[test]
    fn an_incident_says_what_is_next() {
        let mut case = case(8);
        let now = START + 60;
        case.crisis = Some(crisis(10));
        let mut pending = incident(IncidentState::Growing);
        pending.treaties[0].state = CallState::Pending;
        case.incident = Some(pending);
        assert_eq!(step(&case, now), Some(("call", now)));
        case.incident = Some(incident(IncidentState::Final));
        assert_eq!(step(&case, now), Some(("settle", now)));
        let cover = Pubkey::new_from_array([5; 32]);
        let named = next_step(&case, Some(cover), now).expect("there is one");
        assert_eq!(named.command, format!("backstop incident settle {cover}"));
        case.incident = Some(Incident { sums_left: 0, paid: 10, ..incident(IncidentState::Final) });
        assert_eq!(step(&case, now), Some(("close", now)));
        // Short of what it is due it waits for late money until its deadline.
        case.incident = Some(Incident { reserve: 4, paid: 4, ..incident(IncidentState::Final) });
        case.crisis = Some(crisis(4));
        assert_eq!(step(&case, now), Some(("close", START + 1_000)));
        case.crisis = Some(crisis(6));
        case.product.pool.state.crisis_buckets = 6;
        assert_eq!(step(&case, now), Some(("fund", now)));
    }
}
