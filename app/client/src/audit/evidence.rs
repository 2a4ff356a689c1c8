//! Triggers: what their evidence says, worked out from the prints in the ring by the words of the condition.

use super::{Checks, Place, Rule, Subject};
use backstop::peril::evidence::{Evidence, Phase, RING_SLOTS, Shown, SlotState, Terms};
use backstop::peril::reading::READING_CHALLENGE;
use backstop::state::{Form, Product, ProductState, Trigger};

/// Checks the triggers of a pool, and that products agree with them.
pub(super) fn check(place: &Place, checks: &mut Checks) {
    let snapshot = place.snapshot;
    for (key, product) in snapshot.products_of(&place.key) {
        let Some(trigger) = snapshot.triggers.get(&product.trigger) else { continue };
        let now = snapshot.now;
        match trigger.form() {
            Form::Evidence => evidence(checks, Subject("trigger", product.trigger), trigger, now),
            Form::Reading => reading(checks, Subject("trigger", product.trigger), trigger, now),
        }
        let incident = snapshot.incidents.values().any(|incident| incident.product == *key);
        state(checks, Subject("product", *key), product, trigger, incident, now);
    }
}

/// The slots of the ring, oldest first.
fn ring(evidence: &Evidence) -> std::ops::RangeInclusive<u64> {
    evidence.head.saturating_add(1).saturating_sub(RING_SLOTS).max(1)..=evidence.head
}

/// The window that ends in a slot, as its first slot and the mean price of its highest breaches: `need` good slots counted back
/// from it, with at most `tolerance` others among them, none recovered.
fn window_to(evidence: &Evidence, terms: &Terms, last: u64) -> Option<(u64, u64)> {
    if !evidence.is_good(terms, last) {
        return None;
    }
    let (mut good, mut others, mut sum) = (0, 0, 0u128);
    for slot in (*ring(evidence).start()..=last).rev() {
        match evidence.state(terms, slot) {
            SlotState::Recovered => return None,
            SlotState::Good => {
                good += 1;
                sum += u128::from(evidence.shown(slot).highest_breach);
            }
            SlotState::Open => others += 1,
        }
        if others > terms.tolerance {
            return None;
        }
        if good == terms.need {
            let mean = sum.checked_div(good.into()).unwrap_or(0);
            return Some((slot, terms.price_of_slot(u64::try_from(mean).unwrap_or(u64::MAX))));
        }
    }
    None
}

fn evidence(checks: &mut Checks, subject: Subject, trigger: &Trigger, now: i64) {
    let rule = Rule::Evidence;
    let Trigger { terms, evidence, .. } = trigger;
    let ring = ring(evidence);
    checks.at_most(rule, subject, "newest slot", terms.slot_of(now).unwrap_or(0), evidence.head);
    checks.at_most(rule, subject, "first slot not processed", terms.first_unsettled(now), evidence.next);
    let empty = Shown::default();
    for shown in ring.clone().map(|slot| evidence.shown(slot)).filter(|shown| *shown != empty) {
        self::shown(checks, subject, terms, &shown);
    }
    let phase = trigger.phase();
    checks.at_most(rule, subject, "number of the phase", Phase::Final.byte(), evidence.phase);
    // Time alone ends a breach, and settles slots; both are brought up to date by whoever calls.
    // Of two keys what the evidence shows is the first only, and the phase that of the second.
    let to_date = trigger.phase_at(now);
    let allowed = phase == to_date
        || (phase == Phase::Breaching && to_date == Phase::Quiet)
        || (phase == Phase::Met && to_date.is_triggered())
        || (phase == Phase::Triggered && to_date == Phase::Final);
    checks.note(rule, subject, "phase", allowed, format_args!("{to_date:?}"), format_args!("{phase:?}"));
    if phase.is_triggered() {
        if trigger.has_two_keys() {
            confirmed(checks, subject, trigger)
        } else {
            proven(checks, subject, trigger)
        }
        return;
    }
    let newest_recovered = ring.clone().rev().find(|slot| evidence.is_recovered(terms, *slot)).unwrap_or(0);
    if evidence.newest_recovered >= *ring.start() || newest_recovered != 0 {
        checks.same(rule, subject, "newest recovered slot", newest_recovered, evidence.newest_recovered);
    }
    let good = |slot: &u64| evidence.is_good(terms, *slot) && *slot > newest_recovered;
    let newest_good = ring.clone().rev().find(good).unwrap_or(0);
    if evidence.newest_good >= *ring.start() || newest_good != 0 {
        checks.same(rule, subject, "newest good slot", newest_good, evidence.newest_good);
    }
    let open_good = ring.clone().filter(|slot| *slot >= evidence.next && evidence.is_good(terms, *slot)).count();
    checks.same(rule, subject, "good slots not processed", open_good as u64, evidence.open_good.into());
    let mut windows = ring.filter_map(|last| Some((window_to(evidence, terms, last)?.0, last)));
    let (first, last) = windows.next().unwrap_or((0, 0));
    checks.same(rule, subject, "first slot of the window", first, evidence.window_first);
    checks.same(rule, subject, "last slot of the window", last, evidence.window_last);
    if last != 0 {
        checks.at_least(rule, subject, "last slot of a window that is not proven", evidence.next, last);
    }
    checks.same(rule, subject, "event before it has triggered", 0, evidence.event_at);
    checks.same(rule, subject, "severity before it has triggered", 0, evidence.severity_bps);
    checks.same(rule, subject, "mark of having an incident", 0, trigger.opened);
}

/// What was shown in one slot.
fn shown(checks: &mut Checks, subject: Subject, terms: &Terms, shown: &Shown) {
    let rule = Rule::Evidence;
    // What a slot keeps is mirrored where prices above the threshold are insured against: lower is always worse.
    let threshold = terms.slot_price(terms.threshold);
    let below = format_args!("below {threshold}");
    let is_breach = shown.highest_breach < threshold;
    checks.note(rule, subject, "price of a breach", is_breach, below, shown.highest_breach);
    if shown.highest_breach != 0 {
        let lowest = (1..=shown.highest_breach).contains(&shown.lowest);
        checks.holds(rule, subject, "the lowest price of a slot is not above its breach", lowest);
    }
    let spans = [(shown.above_first, shown.above_last), (shown.recovered_first, shown.recovered_last)];
    let within = |(first, last): (u16, u16)| {
        (first, last) == (0, 0) || (first >= 1 && first <= last && u32::from(last) <= terms.slot_seconds)
    };
    checks.holds(rule, subject, "seconds of a slot lie in it", spans.into_iter().all(within));
    let [above, recovered] = spans;
    let counted = recovered == (0, 0) || (above.0 != 0 && above.0 <= recovered.0 && above.1 >= recovered.1);
    checks.holds(rule, subject, "a recovered price counts as one above", counted);
}

/// What follows from T on.
fn proven(checks: &mut Checks, subject: Subject, trigger: &Trigger) {
    let rule = Rule::Evidence;
    let Trigger { terms, evidence, .. } = trigger;
    let (first, last) = (evidence.window_first, evidence.window_last);
    checks.same(rule, subject, "event", terms.slot_start(first), evidence.event_at);
    checks.same(rule, subject, "time at which it was met", terms.slot_end(last), evidence.met_at);
    // The ring has turned since, perhaps; while it has not, it holds the window.
    if first >= *ring(evidence).start() {
        let (window, mean) = window_to(evidence, terms, last).unwrap_or((0, 0));
        checks.same(rule, subject, "first slot of the window", window, first);
        checks.same(rule, subject, "first mean price", mean, evidence.first_mean);
    }
    let kept = |mean: u64| terms.slot_price(mean);
    checks.at_most(rule, subject, "lowest mean price", kept(evidence.first_mean), kept(evidence.lowest_mean));
    let pays = |mean: u64| terms.severity_bps(mean);
    checks.same(rule, subject, "first severity", pays(evidence.first_mean), evidence.first_severity_bps);
    checks.same(rule, subject, "severity in basis points", pays(evidence.lowest_mean), evidence.severity_bps);
    let is_final = trigger.phase() == Phase::Final;
    checks.same(rule, subject, "whether it is final", is_final, evidence.final_at != 0);
    if is_final {
        let latest = terms.settled_at(terms.last_of_run_on(last));
        checks.at_least(rule, subject, "time at which it was final", terms.settled_at(last), evidence.final_at);
        checks.at_most(rule, subject, "time at which it was final", latest, evidence.final_at);
    }
}

/// What follows from the second of two keys: what was shown is forgotten, and the event is the first key's.
fn confirmed(checks: &mut Checks, subject: Subject, trigger: &Trigger) {
    let rule = Rule::Evidence;
    let Trigger { terms, evidence, keys, .. } = trigger;
    checks.same(rule, subject, "event", keys.event_at, evidence.event_at);
    checks.same(rule, subject, "time at which it was met", keys.confirmed_at, evidence.met_at);
    checks.same(rule, subject, "time at which it was final", keys.confirmed_at, evidence.final_at);
    checks.same(rule, subject, "first mean price", keys.mean, evidence.first_mean);
    checks.same(rule, subject, "lowest mean price", keys.mean, evidence.lowest_mean);
    checks.same(rule, subject, "what the fall pays", terms.severity_bps(keys.mean), keys.severity_bps);
    checks.same(rule, subject, "first severity", evidence.severity_bps, evidence.first_severity_bps);
    checks.at_least(rule, subject, "time of the proof", keys.confirms_from(), keys.confirmed_at);
    checks.same(rule, subject, "newest slot that was shown", 0, evidence.head);
}

/// How a reading stands, by its terms and times.
fn reading(checks: &mut Checks, subject: Subject, trigger: &Trigger, now: i64) {
    let rule = Rule::Evidence;
    let reading = &trigger.reading;
    let (phase, stands) = (reading.phase(), reading.reported_at != 0);
    let begun = phase == Phase::Quiet || now >= reading.due_at || reading.void == 1;
    checks.holds(rule, subject, "it is read once its moment is there", begun);
    checks.same(
        rule,
        subject,
        "a report stands",
        stands,
        phase == Phase::Met || (phase == Phase::Final && reading.void == 0),
    );
    checks.same(rule, subject, "its signers are noted", stands, reading.signers != 0);
    let severity = if stands { reading.severity_of(reading.value) } else { 0 };
    checks.same(rule, subject, "severity in basis points", severity, reading.severity_bps);
    checks.same(rule, subject, "it is resolved, or void", phase == Phase::Final, reading.resolved_at != 0);
    if phase == Phase::Final && reading.void == 0 {
        let resolved_at = reading.reported_at.saturating_add(READING_CHALLENGE);
        checks.same(rule, subject, "time at which it was resolved", resolved_at, reading.resolved_at);
    }
    checks.at_most(rule, subject, "time at which it was resolved", now, reading.resolved_at);
    checks.at_least(rule, subject, "time until which it is reported", reading.due_at, reading.reports_until);
    checks.same(rule, subject, "newest slot of evidence beside it", 0, trigger.evidence.head);
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
        let triggered = trigger.phase().is_triggered();
        checks.holds(rule, subject, "a product that is over has a trigger that fired", triggered);
        checks.same(rule, subject, "event", trigger.found().0, product.event_at);
        let open = product.incident_closed == 0;
        checks.holds(rule, subject, "its incident is there or closed", incident || !open);
    } else {
        checks.same(rule, subject, "event before it is over", 0, product.event_at);
        checks.same(rule, subject, "mark of a closed incident", 0, product.incident_closed);
        checks.same(rule, subject, "incidents before it is over", false, incident);
        checks.same(rule, subject, "mark of having an incident", 0, trigger.opened);
    }
}
