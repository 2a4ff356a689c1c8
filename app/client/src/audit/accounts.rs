//! The accounts themselves: who belongs to whom, addresses, rent, terms, and the protocol's roles.

use super::{Checks, Place, Rule, Snapshot, Subject};
use crate::address;
use anchor_lang::prelude::Pubkey;
use backstop::constants::*;
use backstop::peril::feed::Source;
use backstop::peril::reading::{READING_RING_DAYS, Reading, ReadingInput};
use backstop::peril::two_keys::{Keys, Reach};
use backstop::state::{Access, AttestorSet, Form, PoolKind, Product, Tranche, Trigger, day_start};
use std::collections::BTreeSet;

/// Checks what concerns no pool alone.
pub(super) fn protocol(snapshot: &Snapshot, checks: &mut Checks) {
    let own = address::protocol();
    let subject = Subject("protocol", own);
    checks.same(Rule::Orphans, subject, "protocols", 1, snapshot.protocols.len());
    for (key, protocol) in &snapshot.protocols {
        let subject = Subject("protocol", *key);
        place_of(checks, subject, &[PROTOCOL_SEED], protocol.bump);
        rent(snapshot, checks, subject);
        let roles = [
            ("governance", protocol.governance),
            ("guardian", protocol.guardian),
            ("risk keeper", protocol.risk_keeper),
        ];
        for (role, holder) in roles {
            checks.note(Rule::Roles, subject, role, holder != Pubkey::default(), "a holder", "the zero address");
        }
        let pause = &protocol.pause;
        checks.at_most(Rule::Roles, subject, "pause bits", PAUSE_DEPOSITS | PAUSE_PURCHASES, pause.bits);
        let [oldest, second, newest] = pause.used_at;
        checks.holds(Rule::Roles, subject, "pauses are noted in their order", oldest <= second && second <= newest);
        checks.at_most(Rule::Roles, subject, "time of the last pause", snapshot.now, newest);
        let longest = if newest == 0 { 0 } else { newest.saturating_add(PAUSE_SECONDS) };
        checks.at_most(Rule::Roles, subject, "end of the pause", longest, pause.until);
    }
    for (key, set) in &snapshot.attestors {
        let subject = Subject("attestors", *key);
        place_of(checks, subject, &[ATTESTORS_SEED, set.creator.as_ref(), &set.id.to_le_bytes()], set.bump);
        rent(snapshot, checks, subject);
        let fits = AttestorSet { ..*set }.appoint(set.attestors(), set.threshold).is_ok();
        checks.holds(Rule::Terms, subject, "its keys and its threshold are within bounds", fits);
    }
    orphans(snapshot, checks);
}

/// Accounts that belong to nothing. Zeros are no account: anybody can create empty ones for any program.
fn orphans(snapshot: &Snapshot, checks: &mut Checks) {
    let mut owned: BTreeSet<Pubkey> = snapshot.protocols.keys().chain(snapshot.attestors.keys()).copied().collect();
    for (key, pool) in &snapshot.pools {
        owned.extend(of_pool(&Place { snapshot, key: *key, pool }));
    }
    for (key, account) in &snapshot.raw {
        let known = owned.contains(key) || account.data.iter().all(|byte| *byte == 0);
        let found =
            if snapshot.unknown.contains(key) { "bytes of no known account" } else { "an account without them" };
        checks.note(Rule::Orphans, Subject("account", *key), "belongs to", known, "accounts that are there", found);
    }
}

/// Addresses of all accounts of a pool.
pub(super) fn of_pool(place: &Place) -> BTreeSet<Pubkey> {
    let Place { snapshot, key: pool, .. } = place;
    let products: BTreeSet<&Pubkey> =
        snapshot.products.iter().filter(|(_, product)| product.pool == *pool).map(|(key, _)| key).collect();
    let triggers = snapshot.triggers.iter().filter(|(_, trigger)| products.contains(&trigger.product));
    let rates = snapshot.rates.iter().filter(|(_, rates)| products.contains(&rates.product));
    let lives = snapshot.lives.iter().filter(|(_, live)| products.contains(&live.product));
    let covers = snapshot.covers.iter().filter(|(_, cover)| products.contains(&cover.product));
    let positions = snapshot.positions.iter().filter(|(_, position)| products.contains(&position.product));
    let liens = snapshot.liens.iter().filter(|(_, lien)| lien.pool == *pool);
    let incidents = snapshot.incidents.iter().filter(|(_, incident)| incident.pool == *pool);
    let crises = snapshot.crises.iter().filter(|(_, crisis)| crisis.pool == *pool);
    let epochs = snapshot.epochs.iter().filter(|(_, epoch)| epoch.pool == *pool);
    let tickets = snapshot.tickets.iter().filter(|(_, ticket)| ticket.pool == *pool);
    let treaties = snapshot.treaties.iter().filter(|(_, treaty)| [treaty.cedant, treaty.reinsurer].contains(pool));
    let cessions = snapshot.cessions.iter().filter(|(_, cession)| cession.cedant == *pool);
    let keys = products.iter().copied().chain(triggers.map(|(key, _)| key)).chain(covers.map(|(key, _)| key));
    let keys = keys.chain(incidents.map(|(key, _)| key)).chain(epochs.map(|(key, _)| key));
    let keys =
        keys.chain(crises.map(|(key, _)| key)).chain(positions.map(|(key, _)| key)).chain(liens.map(|(key, _)| key));
    let keys = keys.chain(tickets.map(|(key, _)| key)).chain(treaties.map(|(key, _)| key));
    let keys =
        keys.chain(cessions.map(|(key, _)| key)).chain(rates.map(|(key, _)| key)).chain(lives.map(|(key, _)| key));
    keys.chain([pool]).copied().collect()
}

/// Checks addresses, rent and terms of a pool and of everything in it.
pub(super) fn pool(place: &Place, checks: &mut Checks) {
    let Place { snapshot, key: pool_key, pool } = place;
    addresses(place, checks);
    for account in of_pool(place) {
        rent(snapshot, checks, Subject("account", account));
    }
    let subject = Subject("pool", *pool_key);
    let fits = pool.terms.validate(pool.asset_decimals).is_ok();
    checks.holds(Rule::Terms, subject, "terms are within bounds", fits);
    checks.at_most(Rule::Terms, subject, "number of the kind", 1, pool.kind);
    checks.at_most(Rule::Terms, subject, "number of the access", 2, pool.access);
    checks.at_most(Rule::Terms, subject, "decimals of the asset", MAX_ASSET_DECIMALS, pool.asset_decimals);
    let names_authority = pool.deposit_authority != Pubkey::default();
    let by_list = pool.access() == Access::AllowList;
    checks.same(Rule::Terms, subject, "a deposit authority is named", by_list, names_authority);
    let products = snapshot.products_of(pool_key);
    checks.same(Rule::Terms, subject, "products", usize::from(pool.products), products.len());
    let with_condition = products.iter().filter(|(_, product)| product.has_condition()).count();
    checks.same(Rule::Terms, subject, "products with a condition", with_condition, usize::from(pool.conditions));
    if pool.kind() == PoolKind::Reinsurance {
        checks.same(Rule::Terms, subject, "products of a reinsurance pool", 0, pool.products);
    }
    let longest = products.iter().map(|(_, product)| product.ring_days).max().unwrap_or(0);
    checks.same(Rule::Terms, subject, "longest ring in days", longest, u32::from(pool.ring_days));
    for (key, product) in products {
        let subject = Subject("product", *key);
        let fits = product.terms.validate().and_then(|()| product.terms.require_room_beside(product.ring_days));
        let fits = fits.is_ok();
        checks.holds(Rule::Terms, subject, "terms are within bounds", fits);
        checks.holds(Rule::Terms, subject, "the pool's asset is not covered", product.covered_asset != pool.asset_mint);
        if !product.has_condition() {
            let derived = address::trigger(key);
            let absent = !snapshot.triggers.contains_key(&derived);
            checks.holds(Rule::Terms, subject, "a product without condition has no trigger", absent);
            continue;
        }
        let Some(trigger) = snapshot.triggers.get(&product.trigger) else {
            checks.holds(Rule::Terms, subject, "the trigger is there", false);
            continue;
        };
        let subject_of_trigger = Subject("trigger", product.trigger);
        checks.same(Rule::Terms, subject_of_trigger, "product", *key, trigger.product);
        checks.same(Rule::Terms, subject_of_trigger, "pool", *pool_key, trigger.pool);
        if trigger.form() == Form::Reading {
            reading(place, checks, product, trigger);
            continue;
        }
        let terms = &trigger.terms;
        let reach = Reach::of(trigger.source(), terms);
        let outlasts = product.terms.require_outlasts(reach.wait_seconds).is_ok();
        checks.holds(Rule::Terms, subject, "the shortest term outlasts the condition", outlasts);
        let subject = Subject("trigger", product.trigger);
        checks.holds(Rule::Terms, subject, "the condition is within bounds", terms.validate().is_ok());
        checks.holds(Rule::Terms, subject, "the source is known", Source::from_byte(trigger.source).is_some());
        let reports = trigger.source().is_reported();
        let has_set = snapshot.attestors.contains_key(&trigger.attestors);
        checks.same(Rule::Terms, subject, "it names a set of attestors that is there", reports, has_set);
        let live = snapshot.lives.get(&address::live(key));
        checks.same(Rule::Terms, subject, "it has a live account", trigger.source().is_live(), live.is_some());
        let of = live.map_or(product.trigger, |live| live.trigger);
        checks.same(Rule::Terms, subject, "whose trigger is this", product.trigger, of);
        let has_vaults = live.is_some_and(|live| !live.vaults().is_empty());
        checks.same(Rule::Terms, subject, "it has vaults", trigger.has_two_keys(), has_vaults);
        let keys = &trigger.keys;
        let is_proven = trigger.phase().is_triggered();
        checks.same(
            Rule::Terms,
            subject,
            "its keys are used",
            false,
            !trigger.has_two_keys() && *keys != Keys::default(),
        );
        if trigger.has_two_keys() {
            checks.same(Rule::Terms, subject, "both keys prove it", keys.confirmed_at != 0, is_proven);
            let least = if is_proven { keys.severity_bps.min(keys.loss_bps) } else { 0 };
            checks.same(
                Rule::Terms,
                subject,
                "severity, the lesser of both keys'",
                least,
                trigger.evidence.severity_bps,
            );
        }
        checks.same(Rule::Terms, subject, "days that the ring reaches back", reach.days, product.ring_days);
        let needed = reach.least_cooldown_seconds();
        let cooldown = u64::from(pool.terms.cooldown_seconds);
        checks.at_least(Rule::Terms, subject, "the pool's cooldown", needed, cooldown);
    }
}

fn addresses(place: &Place, checks: &mut Checks) {
    let Place { snapshot, key, pool } = place;
    let subject = Subject("pool", *key);
    let seeds = [POOL_SEED, pool.asset_mint.as_ref(), &pool.id.to_le_bytes()];
    place_of(checks, subject, &seeds, pool.bump);
    let (vault, vault_bump) = Pubkey::find_program_address(&[VAULT_SEED, key.as_ref()], &backstop::ID);
    checks.same(Rule::Address, subject, "vault", vault, pool.vault);
    checks.same(Rule::Address, subject, "bump of the vault", vault_bump, pool.vault_bump);
    for tranche in Tranche::BOTH {
        let mint = address::share_mint(key, tranche, pool.tranche(tranche).series);
        checks.same(Rule::Address, subject, "share mint", mint, pool.share_mint(tranche));
    }
    for (key, product) in snapshot.products_of(key) {
        let seeds = [PRODUCT_SEED, product.pool.as_ref(), &product.id.to_le_bytes()];
        place_of(checks, Subject("product", *key), &seeds, product.bump);
        if let Some(trigger) = snapshot.triggers.get(&product.trigger) {
            let subject = Subject("trigger", product.trigger);
            place_of(checks, subject, &[TRIGGER_SEED, key.as_ref()], trigger.bump);
        }
        for (rates_key, rates) in snapshot.rates.iter().filter(|(_, rates)| rates.product == *key) {
            place_of(checks, Subject("rates", *rates_key), &[RATES_SEED, key.as_ref()], rates.bump);
        }
        for (live_key, live) in snapshot.lives.iter().filter(|(_, live)| live.product == *key) {
            place_of(checks, Subject("live", *live_key), &[LIVE_SEED, key.as_ref()], live.bump);
        }
        for (cover_key, cover) in snapshot.covers_of(key) {
            let subject = Subject("cover", *cover_key);
            place_of(checks, subject, &[COVER_SEED, cover.mint().as_ref()], cover.bump);
        }
        for (position_key, position) in snapshot.positions_of(key) {
            let seeds = [POSITION_SEED, key.as_ref(), position.insured.as_ref(), &position.nonce.to_le_bytes()];
            place_of(checks, Subject("position", *position_key), &seeds, position.bump);
        }
        for (policy, held) in snapshot.policies_of(key).filter(|(_, policy)| policy.has_lien) {
            let lien = snapshot.liens.get(&address::lien(policy));
            checks.holds(Rule::Orphans, Subject("policy", *policy), "its lien is there", lien.is_some());
            let paid = lien.map_or(0, |lien| lien.paid);
            checks.at_most(Rule::Claims, Subject("policy", *policy), "paid to its lien's payee", held.paid, paid);
        }
    }
    // One whose policy is closed, or is another of the same address, is over: anyone may lift it.
    for (lien_key, lien) in snapshot.liens.iter().filter(|(_, lien)| lien.pool == *key) {
        place_of(checks, Subject("lien", *lien_key), &[LIEN_SEED, lien.policy.as_ref()], lien.bump);
    }
    let of_pool = snapshot.incidents.iter().filter(|(_, incident)| incident.pool == *key);
    for (key, incident) in of_pool {
        let seeds = [INCIDENT_SEED, incident.product.as_ref()];
        place_of(checks, Subject("incident", *key), &seeds, incident.bump);
    }
    for (key, crisis) in snapshot.crises.iter().filter(|(_, crisis)| crisis.pool == *key) {
        let seeds = [CRISIS_SEED, crisis.pool.as_ref(), &crisis.number.to_le_bytes()];
        place_of(checks, Subject("crisis", *key), &seeds, crisis.bump);
    }
    for (key, epoch) in snapshot.epochs.iter().filter(|(_, epoch)| epoch.pool == *key) {
        let seeds = [EXIT_EPOCH_SEED, epoch.pool.as_ref(), &epoch.day.to_le_bytes()];
        place_of(checks, Subject("exit epoch", *key), &seeds, epoch.bump);
    }
    for (key, ticket) in snapshot.tickets.iter().filter(|(_, ticket)| ticket.pool == *key) {
        let seeds = [EXIT_SEED, ticket.pool.as_ref(), ticket.owner.as_ref(), &ticket.nonce.to_le_bytes()];
        place_of(checks, Subject("exit ticket", *key), &seeds, ticket.bump);
    }
    for (key, treaty) in snapshot.treaties.iter().filter(|(_, treaty)| treaty.cedant == *key) {
        let seeds = [TREATY_SEED, treaty.cedant.as_ref(), &treaty.id.to_le_bytes()];
        place_of(checks, Subject("treaty", *key), &seeds, treaty.bump);
    }
    for (key, cession) in snapshot.cessions.iter().filter(|(_, cession)| cession.cedant == *key) {
        let seeds = [CESSION_SEED, cession.cedant.as_ref()];
        place_of(checks, Subject("cession", *key), &seeds, cession.bump);
    }
}

/// Checks that an account is where its seeds put it.
fn place_of(checks: &mut Checks, subject: Subject, seeds: &[&[u8]], bump: u8) {
    let (address, derived) = Pubkey::find_program_address(seeds, &backstop::ID);
    checks.same(Rule::Address, subject, "address", address, subject.1);
    checks.same(Rule::Address, subject, "bump", derived, bump);
}

fn rent(snapshot: &Snapshot, checks: &mut Checks, subject: Subject) {
    let Some(account) = snapshot.raw.get(&subject.1) else { return };
    let least = snapshot.rent.get(&account.data.len()).copied().unwrap_or_default();
    checks.at_least(Rule::Rent, subject, "lamports", least, account.lamports);
}

/// The terms of a reading, and what its pool keeps of them: a vintage that sells nothing in its period.
fn reading(place: &Place, checks: &mut Checks, product: &Product, trigger: &Trigger) {
    let (pool, reading) = (place.pool, &trigger.reading);
    let subject = Subject("trigger", product.trigger);
    let input = ReadingInput {
        direction: reading.direction(),
        strike: reading.strike,
        exit: reading.exit,
        begins_day: reading.begins_day,
        due_at: reading.due_at,
    };
    let fits = Reading::new(&input, reading.begins_day.saturating_sub(1)).is_ok();
    checks.holds(Rule::Terms, subject, "the condition is within bounds", fits);
    checks.same(Rule::Terms, subject, "source", Source::Attested.byte(), trigger.source);
    checks.same(Rule::Terms, subject, "days until it is resolved", READING_RING_DAYS, product.ring_days);
    let period = reading.period();
    let end = pool.terms.sells_until_day;
    checks.holds(
        Rule::Terms,
        subject,
        "the pool is a vintage that ends before the period",
        end != 0 && end <= period.active_day,
    );
    let sold = product.terms.min_term_days.into()..=product.terms.max_term_days.into();
    checks.holds(Rule::Terms, subject, "the period is a term that the product sells", sold.contains(&period.days()));
    let locks_from = day_start(period.active_day).saturating_sub(product.terms.waiting_seconds.into());
    checks.at_most(Rule::Terms, subject, "when the pool locks", locks_from, pool.locks_from);
    checks.at_least(Rule::Terms, subject, "the pool's last day with a reading", period.end_day, pool.readings_end_day);
}
