//! Treaties against the books of both their pools.

use super::{Checks, Place, Rule, Subject, shown, sum};
use anchor_lang::prelude::Pubkey;
use backstop::state::{CoverState, Policy, Pool, PoolKind, Treaty, TreatyKind, TreatyState, TreatyTerms};

/// Checks treaties that a pool cedes to and those that it reinsures, and its announced cession.
pub(super) fn check(place: &Place, checks: &mut Checks) {
    let Place { snapshot, key, pool } = place;
    for (treaty_key, treaty) in snapshot.treaties.iter().filter(|(_, treaty)| treaty.cedant == *key) {
        terms(place, checks, Subject("treaty", *treaty_key), treaty);
    }
    cedant(place, checks);
    reinsurer(place, checks);
    for (cession_key, cession) in snapshot.cessions.iter().filter(|(_, cession)| cession.cedant == *key) {
        let subject = Subject("cession", *cession_key);
        checks.holds(Rule::Treaties, subject, "kinds and asset fit", fit(pool, snapshot.pools.get(&cession.reinsurer)));
        checks.at_least(Rule::Treaties, subject, "amount", 1, cession.amount);
        checks.at_least(Rule::Treaties, subject, "end of the announcement", cession.from, cession.until);
    }
}

/// Whether one pool may cede to another.
fn fit(cedant: &Pool, reinsurer: Option<&Pool>) -> bool {
    reinsurer.is_some_and(|reinsurer| {
        let kinds = cedant.kind() == PoolKind::Cover && reinsurer.kind() == PoolKind::Reinsurance;
        kinds && cedant.asset_mint == reinsurer.asset_mint
    })
}

fn terms(place: &Place, checks: &mut Checks, subject: Subject, treaty: &Treaty) {
    let rule = Rule::Treaties;
    let fits = fit(place.pool, place.snapshot.pools.get(&treaty.reinsurer));
    checks.holds(rule, subject, "kinds and asset fit", fits);
    checks.holds(rule, subject, "its id was given out", treaty.id < place.pool.treaties);
    let Treaty { kind, limit, start_day, end_day, .. } = *treaty;
    let valid = TreatyTerms { kind, limit, start_day, end_day }.validate().is_ok();
    checks.holds(rule, subject, "terms are within bounds", valid);
    checks.holds(rule, subject, "an ended treaty is gone", treaty.state != TreatyState::Ended);
    let restorable = match kind {
        TreatyKind::QuotaShare { .. } => 0,
        TreatyKind::ExcessOfLoss { reinstatements, .. } => limit.saturating_mul(reinstatements.into()),
    };
    checks.at_most(rule, subject, "limit restored", restorable, treaty.restored);
    let active = treaty.state == TreatyState::Active;
    let premium = if active { treaty.premium_on_acceptance().unwrap_or(u64::MAX) } else { 0 };
    checks.same(rule, subject, "premium for the term", premium, treaty.premium);
    // Not for what is used of its limit: that may be all.
    checks.holds(rule, subject, "only a premium is earned", premium > 0 || treaty.rate_q32 == 0);
    if !active {
        checks.same(rule, subject, "limit restored before it is accepted", 0, treaty.restored);
    }
}

/// Treaties that one side of this pool's books must have, each once.
fn active<'a>(place: &'a Place, side: fn(&Treaty) -> Pubkey) -> Vec<(&'a Pubkey, &'a Treaty)> {
    let wanted = |treaty: &Treaty| side(treaty) == place.key && treaty.state == TreatyState::Active;
    place.snapshot.treaties.iter().filter(|(_, treaty)| wanted(treaty)).collect()
}

fn cedant(place: &Place, checks: &mut Checks) {
    let rule = Rule::Cedant;
    let pool = place.pool;
    let subject = Subject("pool", place.key);
    let treaties = active(place, |treaty| treaty.cedant);
    let quota_shares = || pool.quota_shares.iter().filter(|share| share.treaty != Pubkey::default());
    let in_force = quota_shares().map(|share| share.treaty).chain(pool.layers.iter().map(|layer| layer.treaty));
    let in_force = in_force.filter(|treaty| *treaty != Pubkey::default()).count();
    checks.same(rule, subject, "treaties in force", treaties.len(), in_force);
    for (key, treaty) in &treaties {
        let subject = Subject("treaty", **key);
        owes(place, checks, subject, key, treaty);
        match treaty.kind {
            TreatyKind::QuotaShare { cession_bps, commission_bps } => {
                let Some(share) = pool.quota_share(key) else {
                    checks.holds(rule, subject, "its quota share is in force", false);
                    continue;
                };
                checks.same(rule, subject, "reinsurer", treaty.reinsurer, share.reinsurer);
                checks.same(rule, subject, "begin", treaty.start(), share.start);
                checks.same(rule, subject, "end", treaty.end(), share.end);
                checks.same(rule, subject, "cession in basis points", cession_bps, share.cession_bps);
                checks.same(rule, subject, "commission in basis points", commission_bps, share.commission_bps);
                if place.snapshot.now < share.end {
                    let least = outlasting(place, treaty.end_day);
                    let counted = u128::from(share.outlasting);
                    checks.at_least(rule, subject, "exposure that outlasts it", least, counted);
                }
            }
            TreatyKind::ExcessOfLoss { attachment, .. } => {
                let Some(layer) = pool.layers.iter().find(|layer| layer.treaty == **key) else {
                    checks.holds(rule, subject, "its layer is in force", false);
                    continue;
                };
                checks.same(rule, subject, "reinsurer", treaty.reinsurer, layer.reinsurer);
                checks.same(rule, subject, "attachment", attachment, layer.attachment);
                checks.same(rule, subject, "limit", treaty.limit, layer.limit);
                checks.same(rule, subject, "begin", treaty.start(), layer.start);
                checks.same(rule, subject, "end", treaty.end(), layer.end);
            }
        }
    }
    let upward =
        pool.layers.iter().filter(|layer| layer.treaty != Pubkey::default()).is_sorted_by_key(|l| l.attachment);
    checks.holds(rule, subject, "layers stand upward by attachment", upward);
    let in_turn = quota_shares().is_sorted_by(|this, next| this.end <= next.start);
    checks.holds(rule, subject, "quota shares follow one another", in_turn);
    for (share, payable) in pool.quota_shares.iter().zip(pool.treaty_payable) {
        if share.treaty == Pubkey::default() {
            checks.same(rule, subject, "premium owed without a quota share", 0, payable);
        }
    }
}

/// Exposure of a pool's covers that end after a day, as far as products have not released them.
fn outlasting(place: &Place, end_day: u32) -> u128 {
    let products = place.snapshot.products_of(&place.key).into_iter();
    let live = products.filter(|(_, product)| product.exposure > 0);
    let covers = live.flat_map(|(key, _)| place.snapshot.policies_of(key));
    let outlast = |cover: &&Policy| cover.state == CoverState::Active && cover.end_day > end_day;
    covers.map(|(_, cover)| cover).filter(outlast).map(|cover| u128::from(cover.sum_insured)).sum()
}

/// What a treaty can still come to pay, by its cedant's books: its limit left, what was restored, and what it owes.
fn asked_for(cedant: &Pool, key: &Pubkey) -> Option<u64> {
    let (limit_left, owed) = cedant.limit_and_owed(key)?;
    let layer = cedant.layers.iter().find(|layer| layer.treaty == *key);
    let later = layer.map_or(0, |layer| layer.restored_later);
    limit_left.checked_add(owed)?.checked_add(later)
}

/// What a treaty owes, by the incidents that noted it.
fn owes(place: &Place, checks: &mut Checks, subject: Subject, key: &Pubkey, treaty: &Treaty) {
    let incidents = place.snapshot.incidents.values().filter(|incident| incident.pool == place.key);
    let noted = incidents.flat_map(|incident| &incident.treaties).filter(|noted| noted.treaty == *key);
    let owed = sum(noted.map(|noted| noted.owed.saturating_sub(noted.paid)));
    let (_, booked) = place.pool.limit_and_owed(key).unwrap_or_default();
    checks.same(Rule::Cedant, subject, "owed to incidents", owed, booked.into());
    let asked_for = asked_for(place.pool, key).unwrap_or(u64::MAX);
    checks.at_most(Rule::Cedant, subject, "limit left and owed", treaty.limit, asked_for);
}

fn reinsurer(place: &Place, checks: &mut Checks) {
    let rule = Rule::Reinsurer;
    let subject = Subject("pool", place.key);
    let treaties = active(place, |treaty| treaty.reinsurer);
    let stands_behind: Vec<_> = place.pool.inward.iter().filter(|inward| inward.treaty != Pubkey::default()).collect();
    checks.same(rule, subject, "treaties", treaties.len(), stands_behind.len());
    let mut limits = 0u128;
    for (key, treaty) in &treaties {
        let subject = Subject("treaty", **key);
        let cedant = place.snapshot.pools.get(&treaty.cedant);
        let asked_for = cedant.and_then(|cedant| asked_for(cedant, key)).unwrap_or(0);
        limits += u128::from(asked_for);
        let Some(inward) = stands_behind.iter().find(|inward| inward.treaty == **key) else {
            checks.holds(rule, subject, "its reinsurer stands behind it", false);
            continue;
        };
        checks.same(rule, subject, "cedant", treaty.cedant, inward.cedant);
        // What was never called for is owed no longer, but stood behind until the treaty ends.
        checks.at_most(rule, subject, "limit left and owed", inward.limit, asked_for);
    }
    let booked = sum(place.pool.inward.iter().map(|inward| inward.limit));
    checks.at_least(rule, subject, "open limits", limits, booked);
    if !treaties.is_empty() {
        checks.figure(rule, ["open limits", "of the treaties"], shown(booked), shown(limits));
    }
}
