//! Incidents against products, triggers, treaties and covers; their crises, reserves and refunds.

use super::{Checks, Place, Rule, Subject, shown, sum};
use anchor_lang::prelude::Pubkey;
use backstop::math::losses;
use backstop::peril::Condition;
use backstop::state::{CallState, Claim, CoverState, Crisis, CrisisBook, Form, Incident, IncidentState};

/// Checks the incidents of a pool, its crises, and what it has set aside for them.
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
    let reserves = sum(incidents.iter().map(|(_, incident)| incident.reserve.saturating_sub(incident.paid)));
    let booked = pool.incident_reserves;
    checks.same(Rule::IncidentReserves, subject, "reserves of the incidents", reserves, u128::from(booked));
    checks.figure(Rule::IncidentReserves, ["incident reserves", "of the incidents"], booked, shown(reserves));
    let refunds = sum(incidents.iter().map(|(_, incident)| incident.refunds_left));
    let booked = pool.premium_refunds;
    checks.same(Rule::Refunds, subject, "premium to be given back", refunds, u128::from(booked));
    let undecided = sum(incidents.iter().map(|(_, incident)| incident.loss_premium));
    checks.same(Rule::Refunds, subject, "premium that is not decided about", undecided, pool.set_aside.into());
    checks.figure(Rule::Refunds, ["premium to be given back", "by the incidents"], booked, shown(refunds));
    open_crisis(place, checks, &incidents);
    crises(place, checks, &incidents);
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
    checks.same(rule, subject, "event, by the trigger", trigger.found().0, incident.event_at);
    checks.same(rule, subject, "event, by the product", product.event_at, incident.event_at);
    let ended_at = trigger.verdict().map_or(0, |verdict| verdict.proven_at.max(incident.accrued_at));
    checks.same(rule, subject, "end of the protection", ended_at, incident.ended_at);
    checks.at_most(rule, subject, "time up to which premium was earned", incident.opened_at, incident.accrued_at);
    checks.same(rule, subject, "the trigger says that it is open", 1, trigger.opened);
    checks.same(rule, subject, "exposure of the product", 0, product.exposure);
    // The evidence may be ahead of what is booked, until somebody funds the incident again.
    let payable = product.terms.paid_severity_bps(trigger.found().2);
    checks.at_most(rule, subject, "severity in basis points", payable, incident.severity_bps);
    let is_final = incident.state == IncidentState::Final;
    if is_final && incident.crisis != 0 {
        checks.same(rule, subject, "final severity", payable, incident.severity_bps);
    }
    checks.same(rule, subject, "premium is decided about", is_final, is_final && incident.loss_premium == 0);
    // What is over has no exposure, but its buckets still say what was in force.
    let mut in_force = *product;
    in_force.exposure = product.exposure_ends.iter().fold(0, |sum: u64, end| sum.saturating_add(*end));
    let affected = in_force.affected(incident.event_at);
    let (sums, premiums) = affected.map_or((0, 0), |affected| (affected.sums, affected.premiums));
    checks.same(rule, subject, "sums insured in force at the event", sums, incident.sums);
    checks.at_most(Rule::Claims, subject, "sums insured to be settled", incident.sums, incident.sums_left);
    checks.at_most(Rule::Claims, subject, "premiums to be given back", premiums, incident.premiums_left);
    let gross = losses::gross(incident.sums, incident.severity_bps).unwrap_or(u64::MAX);
    checks.same(rule, subject, "gross loss", gross, incident.gross);
    checks.same(rule, subject, "it has a crisis", incident.gross > 0, incident.crisis != 0);
    if incident.gross == 0 && trigger.form() == Form::Reading {
        checks.same(Rule::Claims, subject, "sums insured to be settled without a loss", 0, incident.sums_left);
    }
    checks.at_most(rule, subject, "reserve", incident.gross, incident.reserve);
    checks.at_most(rule, subject, "paid out", incident.reserve, incident.paid);
}

/// What treaties owe of the incident and have paid, by its notes.
fn treaties(checks: &mut Checks, subject: Subject, incident: &Incident) {
    let rule = Rule::Incidents;
    let noted = &incident.treaties;
    checks.at_most(rule, subject, "treaties noted", noted.len(), usize::from(incident.treaty_count));
    let owed = sum(noted.iter().map(|noted| noted.owed));
    checks.at_most(rule, subject, "owed by treaties", u128::from(incident.gross), owed);
    for noted in noted {
        checks.at_most(rule, subject, "paid by a treaty", noted.owed, noted.paid);
        let pending = noted.state == CallState::Pending;
        checks.holds(
            rule,
            subject,
            "a treaty that is to be called owes something",
            !pending || noted.owed > noted.paid,
        );
    }
}

/// Claims of the covers that are not paid all yet. Holders may have given theirs up.
fn claims(place: &Place, checks: &mut Checks, subject: Subject, incident: &Incident) {
    let rule = Rule::Claims;
    let (mut sums, mut premiums, mut payouts, mut refunds) = (0u128, 0u128, 0u128, 0u128);
    let mut paid = 0u128;
    for (key, cover) in place.snapshot.policies_of(&incident.product) {
        paid += u128::from(cover.paid);
        let Some(claim) = cover.claim(incident.event_at) else { continue };
        if cover.state == CoverState::Settled {
            let due = losses::payout(cover.sum_insured, incident.gross, incident.sums).unwrap_or(0);
            let due = if claim == Claim::Loss { due } else { 0 };
            checks.same(rule, Subject("cover", *key), "paid in all, once it is settled", due, cover.paid);
            continue;
        }
        match claim {
            // A reading without a loss owes nothing.
            Claim::Loss if incident.gross == 0 => {}
            Claim::Loss => sums += u128::from(cover.sum_insured),
            Claim::Refund => premiums += u128::from(cover.premium),
        }
        let (amount, refund) = incident.payout(cover).map_or((0, 0), |payout| (payout.amount, payout.refund));
        payouts += u128::from(amount);
        refunds += u128::from(refund);
    }
    checks.at_least(rule, subject, "sums insured to be settled", sums, u128::from(incident.sums_left));
    checks.at_least(rule, subject, "premiums to be given back", premiums, u128::from(incident.premiums_left));
    checks.figure(rule, ["sums to be settled", "of covers"], incident.sums_left, shown(sums));
    checks.at_least(Rule::Refunds, subject, "premium set aside", refunds, u128::from(incident.refunds_left));
    checks.at_least(rule, subject, "paid out, by its covers", paid, u128::from(incident.paid));
    let left = incident.reserve.saturating_sub(incident.paid);
    checks.at_least(rule, subject, "reserve that is left for its covers", payouts, u128::from(left));
    checks.figure(rule, ["reserve that is left", "payouts due"], left, shown(payouts));
}

/// The crisis that is open, by its incidents.
fn open_crisis(place: &Place, checks: &mut Checks, incidents: &[(&Pubkey, &Incident)]) {
    let rule = Rule::Crises;
    let book = &place.pool.crisis;
    let subject = Subject("pool", place.key);
    if book.incidents == 0 {
        let closed = CrisisBook { number: book.number, ..CrisisBook::default() };
        checks.holds(rule, subject, "between crises nothing is booked", *book == closed);
        return;
    }
    let of_it: Vec<&Incident> =
        incidents.iter().map(|(_, incident)| *incident).filter(|incident| incident.crisis == book.number).collect();
    let growing = || of_it.iter().filter(|incident| incident.state == IncidentState::Growing);
    let growth = growing().map(|incident| {
        let most = losses::gross(incident.sums, incident.most_severity_bps).unwrap_or(u64::MAX);
        most.saturating_sub(incident.gross)
    });
    let pending =
        of_it.iter().flat_map(|incident| &incident.treaties).filter(|noted| noted.state == CallState::Pending);
    checks.same(rule, subject, "incidents", of_it.len(), book.incidents as usize);
    checks.same(rule, subject, "gross", sum(of_it.iter().map(|incident| incident.gross)), book.gross.into());
    checks.same(rule, subject, "what the gross can still grow", sum(growth), book.growth.into());
    checks.same(rule, subject, "given", sum(of_it.iter().map(|incident| incident.reserve)), book.given.into());
    checks.at_most(rule, subject, "given by the layers", u128::from(book.given), sum(book.taken));
    checks.same(rule, subject, "incidents that are not final", growing().count(), book.unfinal as usize);
    checks.same(rule, subject, "calls of treaties to come", pending.count(), book.uncalled as usize);
    checks.at_most(rule, subject, "longest ring as it began", place.pool.ring_days, book.ring_days);
    let last = of_it.iter().map(|incident| incident.final_at).max().unwrap_or(0);
    checks.same(rule, subject, "when the last is final", last, book.final_at);
}

/// The accounts of crises, by their incidents.
fn crises(place: &Place, checks: &mut Checks, incidents: &[(&Pubkey, &Incident)]) {
    let rule = Rule::Crises;
    let snapshot = place.snapshot;
    let crises: Vec<(&Pubkey, &Crisis)> =
        snapshot.crises.iter().filter(|(_, crisis)| crisis.pool == place.key).collect();
    for (key, crisis) in &crises {
        let subject = Subject("crisis", **key);
        let of_it: Vec<&Incident> = incidents
            .iter()
            .map(|(_, incident)| *incident)
            .filter(|incident| incident.crisis == crisis.number)
            .collect();
        checks.same(rule, subject, "incidents that are not closed", of_it.len(), crisis.incidents as usize);
        let is_open = place.pool.in_crisis() && place.pool.crisis.number == crisis.number;
        checks.same(rule, subject, "it is closed", !is_open, crisis.closed);
        checks.at_most(rule, subject, "what there is for it", crisis.gross, crisis.resources);
        let last = of_it.iter().map(|incident| incident.deadline).max().unwrap_or(0);
        checks.at_least(rule, subject, "its deadline", last, crisis.until);
        if !crisis.closed {
            continue;
        }
        let due = |incident: &&Incident| {
            let due = u128::from(incident.gross) * u128::from(crisis.resources) / u128::from(crisis.gross.max(1));
            due.saturating_sub(incident.reserve.into())
        };
        let to_give: u128 = of_it.iter().map(due).sum();
        checks.at_least(rule, subject, "what its incidents were not given yet", to_give, crisis.bucket.into());
        checks.figure(rule, ["left of a crisis", "to be given"], crisis.bucket, shown(to_give));
    }
    let buckets = sum(crises.iter().map(|(_, crisis)| crisis.bucket));
    let subject = Subject("pool", place.key);
    checks.same(rule, subject, "left of crises", buckets, u128::from(place.pool.crisis_buckets));
    let known = incidents
        .iter()
        .all(|(_, incident)| incident.crisis == 0 || crises.iter().any(|(_, crisis)| crisis.number == incident.crisis));
    checks.holds(rule, subject, "every incident of a loss has its crisis", known);
}
