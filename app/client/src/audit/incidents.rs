//! Incidents against products, triggers, treaties and covers; reserves and the funding queue.

use super::{Checks, Place, Rule, Subject, shown, sum};
use anchor_lang::prelude::Pubkey;
use backstop::math::losses;
use backstop::peril::Condition;
use backstop::state::{CallState, Claim, CoverState, Incident, IncidentState};

/// Checks the incidents of a pool, its incident reserves and its funding queue.
pub(super) fn check(place: &Place, checks: &mut Checks) {
    let Place { snapshot, key, pool } = place;
    let subject = Subject("pool", *key);
    let incidents: Vec<(&Pubkey, &Incident)> =
        snapshot.incidents.iter().filter(|(_, incident)| incident.pool == *key).collect();
    for (key, incident) in &incidents {
        found(place, checks, Subject("incident", **key), incident);
        treaties(checks, Subject("incident", **key), incident);
        claims(place, checks, Subject("incident", **key), incident);
    }
    let reserves = sum(incidents.iter().map(|(_, incident)| held(incident)));
    let booked = pool.incident_reserves;
    checks.same(Rule::IncidentReserves, subject, "reserves of the incidents", reserves, u128::from(booked));
    checks.figure(Rule::IncidentReserves, ["incident reserves", "of the incidents"], booked, shown(reserves));
    let refunds = sum(incidents.iter().map(|(_, incident)| incident.refunds_left));
    let booked = pool.premium_refunds;
    checks.same(Rule::Refunds, subject, "premium to be given back", refunds, u128::from(booked));
    checks.same(Rule::Refunds, subject, "premium that is not decided about", 0, pool.set_aside);
    checks.figure(Rule::Refunds, ["premium to be given back", "by the incidents"], booked, shown(refunds));
    funding(place, checks, &incidents);
}

/// What the pool holds for an incident: recoveries before it is funded, the reserve less payouts after.
fn held(incident: &Incident) -> u64 {
    match incident.state {
        IncidentState::Open | IncidentState::Waiting => incident.ceded,
        IncidentState::Funded => incident.reserve.saturating_sub(incident.paid),
        IncidentState::Closed => 0,
    }
}

/// What the trigger found, and how far the incident is.
fn found(place: &Place, checks: &mut Checks, subject: Subject, incident: &Incident) {
    let rule = Rule::Incidents;
    let snapshot = place.snapshot;
    let product = snapshot.products.get(&incident.product);
    let trigger = product.and_then(|product| snapshot.triggers.get(&product.trigger));
    let (Some(product), Some(trigger)) = (product, trigger) else {
        checks.holds(rule, subject, "its product is there", false);
        return;
    };
    checks.same(rule, subject, "pool of its product", product.pool, incident.pool);
    checks.same(rule, subject, "event, by the trigger", trigger.evidence.event_at, incident.event_at);
    checks.same(rule, subject, "event, by the product", product.event_at, incident.event_at);
    let ended_at = trigger.verdict().map_or(0, |verdict| verdict.proven_at.max(incident.accrued_at));
    checks.same(rule, subject, "end of the protection", ended_at, incident.ended_at);
    checks.at_most(rule, subject, "time up to which premium was earned", incident.opened_at, incident.accrued_at);
    checks.same(rule, subject, "severity in basis points", trigger.evidence.severity_bps, incident.severity_bps);
    let funded = matches!(incident.state, IncidentState::Funded | IncidentState::Closed);
    checks.same(rule, subject, "the trigger says that it is funded", funded, trigger.funded != 0);
    checks.same(rule, subject, "it has a time of funding", funded, incident.funded_at != 0);
    if !funded {
        checks.same(rule, subject, "exposure of the product", product.exposure, incident.exposure);
        checks.same(rule, subject, "reserve before funding", 0, incident.reserve);
    }
    let limit = incident.ceded.saturating_add(incident.net);
    checks.at_most(rule, subject, "reserve", limit, incident.reserve);
    checks.at_most(rule, subject, "paid out", incident.reserve, incident.paid);
}

/// What treaties paid of the incident, by its notes.
fn treaties(checks: &mut Checks, subject: Subject, incident: &Incident) {
    let rule = Rule::Incidents;
    let noted = &incident.treaties;
    let ceded = sum(noted.iter().map(|noted| noted.paid));
    checks.same(rule, subject, "paid by treaties", ceded, u128::from(incident.ceded));
    checks.at_most(rule, subject, "treaties noted", noted.len(), usize::from(incident.treaty_count));
    checks.at_most(rule, subject, "treaties called", incident.treaty_count, incident.cursor);
    for (place, noted) in noted.iter().enumerate() {
        let called = place < usize::from(incident.cursor);
        checks.same(rule, subject, "a treaty was called in its turn", called, noted.state != CallState::Pending);
        checks.at_most(rule, subject, "paid by a treaty", noted.owed, noted.paid);
    }
    let all_called = incident.cursor == incident.treaty_count;
    let open = incident.state == IncidentState::Open;
    checks.same(rule, subject, "it waits for its treaties", !all_called, open);
    let net = if open { incident.gross } else { incident.gross.saturating_sub(incident.ceded) };
    checks.same(rule, subject, "net loss", net, incident.net);
}

/// Claims of the covers that are not settled yet. Once an incident is closed its covers may be gone.
fn claims(place: &Place, checks: &mut Checks, subject: Subject, incident: &Incident) {
    if incident.state == IncidentState::Closed {
        return;
    }
    let rule = Rule::Claims;
    let (mut sums, mut premiums, mut payouts, mut refunds) = (0u128, 0u128, 0u128, 0u128);
    let unsettled = place.snapshot.covers_of(&incident.product).filter(|(_, cover)| cover.state == CoverState::Active);
    for (_, cover) in unsettled {
        match cover.claim(incident.event_at) {
            Some(Claim::Loss) => sums += u128::from(cover.sum_insured),
            Some(Claim::Refund) => premiums += u128::from(cover.premium),
            None => continue,
        }
        // What a loss gives back does not depend on the ratio, but is paid with it.
        let funded = Incident { state: IncidentState::Funded, ..incident.clone() };
        let (amount, refund) =
            funded.payout(cover).map_or((u64::MAX, u64::MAX), |payout| (payout.amount, payout.refund));
        payouts += u128::from(amount);
        refunds += u128::from(refund);
    }
    checks.same(rule, subject, "sums insured to be settled", sums, u128::from(incident.sums_left));
    checks.same(rule, subject, "premiums to be given back", premiums, u128::from(incident.premiums_left));
    checks.figure(rule, ["sums to be settled", "of covers"], incident.sums_left, shown(sums));
    checks.at_least(Rule::Refunds, subject, "premium set aside", refunds, u128::from(incident.refunds_left));
    let gross = losses::gross(incident.sums_left, incident.severity_bps).unwrap_or(u64::MAX);
    if incident.state == IncidentState::Funded {
        checks.at_least(rule, subject, "gross loss", gross, incident.gross);
        let left = incident.reserve.saturating_sub(incident.paid);
        checks.at_least(rule, subject, "reserve that is left for its covers", payouts, u128::from(left));
        checks.figure(rule, ["reserve that is left", "payouts due"], left, shown(payouts));
    } else {
        checks.same(rule, subject, "gross loss", gross, incident.gross);
        checks.same(rule, subject, "paid out before funding", 0, incident.paid);
    }
}

/// Incidents that wait: those of the next round, and those of the round in progress.
fn funding(place: &Place, checks: &mut Checks, incidents: &[(&Pubkey, &Incident)]) {
    let rule = Rule::Funding;
    let queue = &place.pool.funding;
    let subject = Subject("pool", place.key);
    let waiting: Vec<&Incident> =
        incidents.iter().map(|(_, it)| *it).filter(|it| it.state == IncidentState::Waiting).collect();
    let next: Vec<&&Incident> = waiting.iter().filter(|it| it.round == queue.next_round).collect();
    let now: Vec<&&Incident> = waiting.iter().filter(|it| it.round.checked_add(1) == Some(queue.next_round)).collect();
    checks.same(rule, subject, "incidents of this round or the next", waiting.len(), next.len() + now.len());
    checks.same(rule, subject, "incidents that wait", next.len(), queue.waiting as usize);
    checks.same(rule, subject, "their net losses", sum(next.iter().map(|it| it.net)), queue.waiting_net.into());
    let exposure = sum(next.iter().map(|it| it.exposure));
    checks.same(rule, subject, "their exposure", exposure, queue.waiting_exposure.into());
    if let Some(oldest) = next.iter().map(|it| it.opened_at).min() {
        checks.same(rule, subject, "when the oldest was opened", oldest, queue.oldest_opened_at);
    }
    checks.same(rule, subject, "incidents of the round in progress", now.len(), queue.round_left as usize);
    let net = sum(now.iter().map(|it| it.net));
    checks.at_least(rule, subject, "net losses of the round in progress", net, queue.round_net.into());
}
