//! Triggers: what their evidence says, worked out from the prints in the ring by the words of the condition.

use super::{Checks, Place, Rule, Subject};
use backstop::peril::evidence::{Evidence, Phase, RING_SLOTS, Terms};
use backstop::state::{Product, ProductState, Trigger};

/// Checks the triggers of a pool, and that products agree with them.
pub(super) fn check(place: &Place, checks: &mut Checks) {
    let snapshot = place.snapshot;
    for (key, product) in snapshot.products_of(&place.key) {
        let Some(trigger) = snapshot.triggers.get(&product.trigger) else { continue };
        let now = snapshot.now;
        evidence(checks, Subject("trigger", product.trigger), trigger, now);
        let incident = snapshot.incidents.values().any(|incident| incident.product == *key);
        state(checks, Subject("product", *key), product, trigger, incident, now);
    }
}

/// The slots of the ring, oldest first.
fn ring(evidence: &Evidence) -> std::ops::RangeInclusive<u64> {
    evidence.head.saturating_add(1).saturating_sub(RING_SLOTS).max(1)..=evidence.head
}

/// The window that meets the condition, as its first and last slot: the last is the earliest good slot from which
/// `need` good ones can be counted back over at most `tolerance` that are not good, and none that is recovered.
fn window(evidence: &Evidence, terms: &Terms) -> Option<(u64, u64)> {
    let ring = ring(evidence);
    ring.clone().filter(|last| evidence.is_good(*last)).find_map(|last| {
        let (mut good, mut missing) = (0, 0);
        for slot in (*ring.start()..=last).rev() {
            if evidence.is_recovered(slot) {
                return None;
            }
            if evidence.is_good(slot) {
                good += 1;
            } else {
                missing += 1;
            }
            if missing > terms.tolerance {
                return None;
            }
            if good == terms.need {
                return Some((slot, last));
            }
        }
        None
    })
}

fn evidence(checks: &mut Checks, subject: Subject, trigger: &Trigger, now: i64) {
    let rule = Rule::Evidence;
    let Trigger { terms, evidence, .. } = trigger;
    let ring = ring(evidence);
    checks.at_most(rule, subject, "newest slot", terms.slot_of(now).unwrap_or(0), evidence.head);
    let newest_recovered = ring.clone().rev().find(|slot| evidence.is_recovered(*slot)).unwrap_or(0);
    if evidence.newest_recovered >= *ring.start() || newest_recovered != 0 {
        checks.same(rule, subject, "newest recovered slot", newest_recovered, evidence.newest_recovered);
    }
    let newest_good = ring.clone().rev().find(|slot| evidence.is_good(*slot) && *slot > newest_recovered).unwrap_or(0);
    if evidence.newest_good >= *ring.start() || newest_good != 0 {
        checks.same(rule, subject, "newest good slot", newest_good, evidence.newest_good);
    }
    for slot in ring {
        let kept = evidence.prices[(slot % RING_SLOTS) as usize];
        match evidence.breach_price(slot) {
            Some(price) => {
                let breaches = (1..terms.threshold).contains(&price);
                checks.note(
                    rule,
                    subject,
                    "price of a breach",
                    breaches,
                    format_args!("below {}", terms.threshold),
                    price,
                );
            }
            None => checks.same(rule, subject, "price of a slot without a breach", 0, kept),
        }
    }

    let (first, last) = window(evidence, terms).unwrap_or((0, 0));
    checks.same(rule, subject, "first slot of the window", first, evidence.window_first);
    checks.same(rule, subject, "last slot of the window", last, evidence.window_last);
    let phase = trigger.phase();
    checks.at_most(rule, subject, "number of the phase", Phase::Triggered.byte(), evidence.phase);
    // Time alone ends a breach, and ends the challenge of a met window; both are brought up to date by whoever calls.
    let to_date = evidence.phase_at(terms, now);
    let allowed = phase == to_date
        || (phase == Phase::Breaching && to_date == Phase::Quiet)
        || (phase == Phase::Met && to_date == Phase::Triggered);
    checks.note(rule, subject, "phase", allowed, format_args!("{to_date:?}"), format_args!("{phase:?}"));
    if phase == Phase::Triggered {
        let contradicted_until = terms.contradicted_until(last);
        checks.at_least(
            rule,
            subject,
            "time of the confirmation",
            contradicted_until.saturating_add(1),
            evidence.triggered_at,
        );
        checks.same(rule, subject, "event", terms.slot_start(first), evidence.event_at);
        checks.same(rule, subject, "time at which it was met", terms.slot_end(last), evidence.met_at);
        let good = || (first..=last).filter(|slot| evidence.is_good(*slot));
        let prices: u128 = good().filter_map(|slot| evidence.breach_price(slot)).map(u128::from).sum();
        let number = u64::try_from(good().count()).unwrap_or(u64::MAX);
        let severity = terms.severity_bps(prices, number);
        checks.same(rule, subject, "severity in basis points", severity, evidence.severity_bps);
        let mean = prices.checked_div(number.into()).unwrap_or(0);
        checks.same(rule, subject, "mean price", mean, evidence.mean_price.into());
    } else {
        checks.same(rule, subject, "event before it has triggered", 0, evidence.event_at);
        checks.same(rule, subject, "severity before it has triggered", 0, evidence.severity_bps);
        checks.same(rule, subject, "mark of being funded", 0, trigger.funded);
    }
}

fn state(checks: &mut Checks, subject: Subject, product: &Product, trigger: &Trigger, incident: bool, now: i64) {
    let rule = Rule::Products;
    let terms = &product.terms;
    let (floor, ceiling) = (terms.risk_rate_floor_ppb, terms.risk_rate_ceiling_ppb);
    checks.at_least(rule, subject, "risk rate", floor, product.risk_rate_ppb);
    checks.at_most(rule, subject, "risk rate", ceiling, product.risk_rate_ppb);
    checks.at_most(rule, subject, "time of the risk rate", now, product.risk_rate_at);
    checks.at_least(rule, subject, "level", terms.min_level_bps, product.level_bps);
    checks.at_most(rule, subject, "level", terms.max_level_bps, product.level_bps);
    checks.at_most(rule, subject, "time of the level", now, product.level_at);
    checks.at_most(rule, subject, "number of the state", 4, product.state);
    let over = product.state() == ProductState::Over;
    if over {
        let triggered = trigger.phase() == Phase::Triggered;
        checks.holds(rule, subject, "a product that is over has a trigger that fired", triggered);
        checks.same(rule, subject, "event", trigger.evidence.event_at, product.event_at);
        let open = product.incident_closed == 0;
        checks.holds(rule, subject, "its incident is there or closed", incident || !open);
    } else {
        checks.same(rule, subject, "event before it is over", 0, product.event_at);
        checks.same(rule, subject, "mark of a closed incident", 0, product.incident_closed);
        checks.same(rule, subject, "incidents before it is over", false, incident);
        checks.same(rule, subject, "mark of being funded", 0, trigger.funded);
    }
}
