//! Where a cover stands, and what it would pay: by the program's own rules, on copies.

use backstop::math::losses;
use backstop::peril::Condition;
use backstop::state::{Claim, CoverState, Form, Incident, Policy, Product, ProductTerms, Trigger};

/// Where a cover stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its waiting time runs.
    Waiting,
    /// It protects.
    InForce,
    /// It ended, and an event before its end can still be proven.
    Ending,
    /// It ended, and nothing can be due any more.
    Ended,
    /// An event that is proven concerns it, and it is not paid yet.
    Claim,
    /// It was paid.
    Paid,
}

impl Standing {
    /// Where a cover stands at `now`.
    pub fn of(policy: &Policy, product: &Product, trigger: &Trigger, now: i64) -> Self {
        let proven = trigger.phase().is_triggered() && policy.claim(trigger.found().0).is_some();
        if policy.state == CoverState::Settled {
            Self::Paid
        } else if product.is_spent(policy) {
            Self::Ended
        } else if proven {
            Self::Claim
        } else if now < policy.active_from() {
            Self::Waiting
        } else if now < policy.end() {
            Self::InForce
        } else {
            Self::Ending
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::InForce => "in-force",
            Self::Ending => "ending",
            Self::Ended => "ended",
            Self::Claim => "claim",
            Self::Paid => "paid",
        }
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Waiting => "its waiting time runs: an event that begins now gives the premium back",
            Self::InForce => "it protects",
            Self::Ending => "its term is over; an event before its end can still be proven",
            Self::Ended => "it is over and can be closed",
            Self::Claim => "its event is proven, and it is about to be paid",
            Self::Paid => "it was paid and can be closed",
        }
    }
}

/// What an amount that a cover would pay is derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The incident, which was given all that its covers are due.
    Funded,
    /// The incident, which may be given more, or be due more: what is payable now may not be all.
    Incident,
    /// The evidence, of an event that is met or triggered.
    Evidence,
    /// An event that began now and whose mean were the last price.
    LastPrice,
}

impl Basis {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Funded => "funded",
            Self::Incident => "incident",
            Self::Evidence => "evidence",
            Self::LastPrice => "last-price",
        }
    }
}

/// What a cover would be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payout {
    /// What it is derived from.
    pub basis: Basis,
    /// When the event began, or would have.
    pub event_at: i64,
    /// Part of a sum insured that is paid: of what is lost, what the claim terms leave; in basis points.
    pub severity_bps: u16,
    /// What is due; `None` if the event does not concern the cover.
    pub claim: Option<Claim>,
    /// For its loss and payable now, in asset units; without an incident what a pool would pay that can pay everything.
    pub amount: u64,
    /// For its loss and paid before, in asset units.
    pub paid: u64,
    /// For its loss in all at the severity so far, if all of it can be paid, in asset units.
    pub in_full: u64,
    /// Premium that is given back, in asset units. It does not depend on what the pool has. Without an incident it is for
    /// an alert that began now and, if nothing is met, a challenge that ended now.
    pub refund: u64,
}

impl Payout {
    /// All that the holder gets, in asset units.
    pub fn total(&self) -> u64 {
        self.amount.saturating_add(self.refund)
    }
}

/// What a cover was or would be paid, by its product's claim terms. `None` if nothing can be said: no price was shown, of two keys
/// the second has proven nothing, or it can no longer be paid.
pub fn payout(
    policy: &Policy,
    terms: &ProductTerms,
    trigger: &Trigger,
    incident: Option<&Incident>,
    now: i64,
) -> Option<Payout> {
    let paid = |severity_bps| terms.paid_severity_bps(severity_bps);
    if let Some(incident) = incident {
        let payable = incident.payout(policy).ok();
        let basis = if incident.is_complete() { Basis::Funded } else { Basis::Incident };
        let (gross, sums) = (incident.gross, incident.sums);
        let claim = policy.claim(incident.event_at);
        let in_full = claim.filter(|claim| *claim == Claim::Loss);
        let in_full = in_full.and_then(|_| losses::payout(policy.sum_insured, gross, sums));
        return Some(Payout {
            basis,
            event_at: incident.event_at,
            severity_bps: incident.severity_bps,
            claim,
            amount: payable.map_or(0, |payout| payout.amount),
            paid: policy.paid,
            in_full: in_full.unwrap_or(0),
            refund: payable.map_or(0, |payout| payout.refund),
        });
    }
    if trigger.form() == Form::Reading {
        let verdict = trigger.verdict()?;
        let times = Times { waiting: verdict.event_at, in_force: verdict.proven_at };
        let mut payout = in_full(policy, Basis::Evidence, verdict.event_at, paid(verdict.severity_bps), times);
        if payout.claim == Some(Claim::Loss) {
            // Its premium is earned.
            payout.refund = 0;
        }
        return Some(payout);
    }
    if trigger.has_two_keys() {
        // A fall alone pays nothing, however deep it is.
        let verdict = trigger.verdict()?;
        let times = Times { waiting: 0, in_force: verdict.proven_at };
        return Some(in_full(policy, Basis::Evidence, verdict.event_at, paid(verdict.severity_bps), times));
    }
    let (terms, evidence) = (&trigger.terms, &trigger.evidence);
    // Until when premium is earned: of what is proven the chain does not tell when the alert began, so the most that it
    // can be is told.
    let times = match (trigger.verdict(), evidence.window(terms)) {
        (Some(verdict), _) => Times { waiting: 0, in_force: verdict.proven_at },
        (None, Some(window)) => Times { waiting: now, in_force: window.contradicted_until },
        (None, None) => Times { waiting: now, in_force: now },
    };
    if let Some(window) = evidence.window(terms) {
        let severity_bps = match evidence.phase().is_triggered() {
            true => evidence.severity_bps,
            false => {
                let mean = evidence.mean_so_far(terms, &window).map(|(mean, _)| mean);
                terms.severity_bps(mean.unwrap_or(terms.threshold))
            }
        };
        return Some(in_full(policy, Basis::Evidence, window.event_at, paid(severity_bps), times));
    }
    if evidence.last_publish_time == 0 {
        return None;
    }
    let breached = terms.slot_price(evidence.last_price) < terms.slot_price(terms.threshold);
    let severity_bps = if breached { terms.severity_bps(evidence.last_price) } else { 0 };
    Some(in_full(policy, Basis::LastPrice, now, paid(severity_bps), times))
}

/// Until when covers earned their premium.
#[derive(Clone, Copy)]
struct Times {
    waiting: i64,
    in_force: i64,
}

/// What a pool that can pay everything would pay.
fn in_full(policy: &Policy, basis: Basis, event_at: i64, severity_bps: u16, times: Times) -> Payout {
    let nothing_happens = basis == Basis::LastPrice && severity_bps == 0;
    let claim = policy.claim(event_at).filter(|_| !nothing_happens);
    let unearned = |at| policy.unearned_at(at).ok();
    let (amount, refund) = match claim {
        Some(Claim::Loss) => (
            losses::claim(policy.sum_insured, severity_bps),
            unearned(times.in_force).and_then(|unearned| losses::refund(unearned, severity_bps)),
        ),
        Some(Claim::Refund) => (None, unearned(times.waiting)),
        None => (None, None),
    };
    let (amount, refund) = (amount.unwrap_or_default(), refund.unwrap_or_default());
    Payout { basis, event_at, severity_bps, claim, amount, paid: 0, in_full: amount, refund }
}
