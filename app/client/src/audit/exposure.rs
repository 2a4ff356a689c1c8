//! What covers could pay: in the books of products, risk groups and pool, and by the covers themselves.

use super::{Checks, Place, Rule, Subject, shown, sum};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::program_option::COption;
use anchor_spl::token_2022::spl_token_2022::extension::mint_close_authority::MintCloseAuthority;
use anchor_spl::token_2022::spl_token_2022::extension::{BaseStateWithExtensions, StateWithExtensions};
use anchor_spl::token_2022::spl_token_2022::state::Mint;
use backstop::constants::{COVER_STARTS_RING, DAY_RING, RISK_GROUPS};
use backstop::math::{MAX_TOTAL_EXPOSURE, stream};
use backstop::peril::{AlertLevel, Condition};
use backstop::state::{Cover, CoverState, Policy, Product, ProductState, activation_day, day_of};
use std::collections::{BTreeMap, BTreeSet};

/// Checks products, covers, groups and the alert.
pub(super) fn check(place: &Place, checks: &mut Checks) {
    let Place { snapshot, key, pool } = place;
    let subject = Subject("pool", *key);
    let mut by_group = [0u128; RISK_GROUPS];
    let (mut alerts, mut due, mut alert_exposure) = (0u32, 0u32, 0u128);
    let mut group_alerts = [(0u16, 0u64); RISK_GROUPS];
    let mut running = BTreeMap::<u64, AlertLevel>::new();
    for (key, product) in snapshot.products_of(key) {
        let covers: Vec<(&Pubkey, &Policy)> = snapshot.policies_of(key).collect();
        let opened = snapshot.triggers.get(&product.trigger).is_some_and(|trigger| trigger.opened != 0);
        by_end(checks, Subject("product", *key), product, &covers, opened);
        by_activation(checks, Subject("product", *key), product, &covers);
        for (key, cover) in snapshot.covers_of(key) {
            sold(place, checks, Subject("cover", *key), product, cover);
            nft(place, checks, cover);
        }
        for (key, position) in snapshot.positions_of(key) {
            sold(place, checks, Subject("position", *key), product, position);
        }
        // Parts were sold with their whole: a cover's have a day on which they were minted, a position's the second of its
        // purchase.
        let whole = snapshot.covers_of(key).filter(|(_, cover)| cover.minted_day == 0).count();
        let moments: BTreeSet<i64> = snapshot.positions_of(key).map(|(_, position)| position.bought_at).collect();
        let sold = u64::try_from(whole.saturating_add(moments.len())).unwrap_or(u64::MAX);
        checks.at_least(Rule::Covers, Subject("product", *key), "covers sold", sold, product.covers_sold);
        if product.covers_sold > 0 {
            checks.same(Rule::Covers, subject, "mark of being in use", 1, pool.in_use);
        }
        if let Some(group) = by_group.get_mut(usize::from(product.risk_group())) {
            *group += u128::from(product.exposure);
        }
        let level = snapshot.triggers.get(&product.trigger).map_or(AlertLevel::None, |trigger| trigger.alert());
        if product.exposure > 0 && level != AlertLevel::None {
            alerts += 1;
            if let Some(group) = group_alerts.get_mut(usize::from(product.risk_group())) {
                *group = (group.0 + 1, group.1.saturating_add(product.exposure));
            }
            due += u32::from(level == AlertLevel::Due);
            alert_exposure += u128::from(product.exposure);
            running.extend(snapshot.triggers.get(&product.trigger).map(|trigger| (trigger.alert_number, level)));
        }
    }
    for kept in pool.running_alerts() {
        let level = running.get(&kept.number).copied().unwrap_or(AlertLevel::None);
        checks.holds(Rule::Alerts, subject, "an alert that is kept runs", level != AlertLevel::None);
        checks.same(Rule::Alerts, subject, "it is due", level == AlertLevel::Due, kept.due_at != 0);
        let since = kept.due_at.max(kept.began_at);
        checks.at_most(Rule::Alerts, subject, "since when it runs", place.snapshot.now, since);
        checks.holds(
            Rule::Alerts,
            subject,
            "it began before it was due",
            kept.due_at == 0 || kept.due_at >= kept.began_at,
        );
    }
    let kept = pool.running_alerts().count();
    checks.at_most(Rule::Alerts, subject, "alerts that are kept", alerts, kept.try_into().unwrap_or(u32::MAX));
    for (expected, found) in by_group.iter().zip(pool.group_exposures) {
        checks.same(Rule::Groups, subject, "exposure of a risk group", *expected, u128::from(found));
    }
    let total: u128 = by_group.iter().sum();
    checks.same(Rule::Groups, subject, "exposure of the pool", total, u128::from(pool.total_exposure));
    checks.at_most(Rule::Groups, subject, "exposure of the pool", MAX_TOTAL_EXPOSURE, pool.total_exposure);
    checks.figure(Rule::Groups, ["exposure", "of its products"], pool.total_exposure, shown(total));
    let of_readings =
        |product: &&Product| snapshot.triggers.get(&product.trigger).is_some_and(|trigger| trigger.period().is_some());
    let readings = snapshot.products_of(key).into_iter().map(|(_, product)| product).filter(of_readings);
    let exposed = sum(readings.map(|product| product.exposure));
    checks.same(Rule::Groups, subject, "exposure of readings", exposed, pool.reading_exposure.into());
    let mut anew = **pool;
    let required = anew.renew_required().map_or(u64::MAX, |()| anew.required);
    checks.same(Rule::Groups, subject, "required capital", required, pool.required);
    checks.same(Rule::Alerts, subject, "products in alert", alerts, pool.alerts);
    let of_groups = pool.group_alerts.into_iter().zip(pool.group_alert_exposures);
    for (expected, found) in group_alerts.into_iter().zip(of_groups) {
        checks.same(Rule::Alerts, subject, "products of a risk group in alert", expected.0, found.0);
        checks.same(Rule::Alerts, subject, "exposure of a risk group in alert", expected.1, found.1);
    }
    checks.same(Rule::Alerts, subject, "products more than breaching", due, pool.alerts_due);
    checks.same(Rule::Alerts, subject, "exposure in alert", alert_exposure, u128::from(pool.alert_exposure));
    let stands = pool.stands_since != 0;
    let held = pool.alerts_since != 0;
    checks.same(Rule::Alerts, subject, "accrual stands", held || pool.in_crisis(), stands);
    checks.holds(Rule::Alerts, subject, "what holds the pool is an alert", alerts > 0 || !held);
    // In a crisis the layers have lent, and what they have back decides.
    let small = pool.in_crisis() || pool.alerts_are_small();
    checks.holds(Rule::Alerts, subject, "alerts that are not small hold the pool", held || small);
    checks.same(Rule::Alerts, subject, "time since which alerts are due is known", due > 0, pool.due_since != 0);
    let latest = if stands { pool.stands_since } else { place.snapshot.now };
    checks.at_most(Rule::Alerts, subject, "time up to which premium is earned", latest, pool.accrued_at);
    checks.figure(
        Rule::Alerts,
        ["exposure in alert", "of products in alert"],
        pool.alert_exposure,
        shown(alert_exposure),
    );
}

/// The exposure and its schedule, by the days on which covers end.
///
/// Covers that ended before the trigger's ring begins are released, and no longer counted. Once its incident is open nothing
/// is.
fn by_end(checks: &mut Checks, subject: Subject, product: &Product, covers: &[(&Pubkey, &Policy)], opened: bool) {
    let rule = Rule::Exposure;
    let over = product.state() == ProductState::Over;
    let live = |cover: &Policy| cover.end_day > product.released_day && cover.state == CoverState::Active;
    if opened {
        checks.same(rule, subject, "exposure after the incident", 0, product.exposure);
        return;
    }
    let mut ending = BTreeMap::<u32, u128>::new();
    for (_, cover) in covers.iter().filter(|(_, cover)| live(cover)) {
        *ending.entry(cover.end_day).or_default() += u128::from(cover.sum_insured);
    }
    let first = product.released_day.saturating_add(1);
    let mut scheduled = 0u128;
    for day in first..first.saturating_add(DAY_RING) {
        let bucket = product.exposure_ends[(day % DAY_RING) as usize];
        scheduled += u128::from(bucket);
        let expected = ending.get(&day).copied().unwrap_or(0);
        if over {
            checks.at_least(rule, subject, "exposure that ends on a day, after the event", expected, bucket.into());
        } else {
            checks.same(rule, subject, "exposure that ends on a day", expected, bucket.into());
        }
    }
    let by_covers = ending.values().sum();
    checks.same(rule, subject, "exposure by its schedule", scheduled, u128::from(product.exposure));
    checks.at_least(rule, subject, "exposure by its covers", by_covers, u128::from(product.exposure));
    checks.figure(rule, ["exposure", "of live covers"], product.exposure, shown(by_covers));
}

/// Sums, premiums and rates by the day on which protection begins, for the 64 days that have a bucket.
///
/// A bucket may count covers that were closed meanwhile: released ones, and those that an incident has settled or does
/// not concern. It is exact for the days on which no cover that is gone can have begun.
fn by_activation(checks: &mut Checks, subject: Subject, product: &Product, covers: &[(&Pubkey, &Policy)]) {
    let rule = Rule::Activation;
    let newest = product.newest_activation_day;
    let over = product.state() == ProductState::Over;
    for day in newest.saturating_add(1).saturating_sub(COVER_STARTS_RING)..=newest {
        let of_day = || covers.iter().filter(|(_, cover)| cover.active_day == day);
        let start = product.starts[(day % COVER_STARTS_RING) as usize];
        let due = |cover: &Policy| u128::from(cover.rate_q32) * u128::from(cover.seconds_left(0));
        let sides = [
            ("sums", sum(of_day().map(|(_, cover)| cover.sum_insured)), start.sum_insured.into()),
            ("premiums", sum(of_day().map(|(_, cover)| cover.premium)), start.premium.into()),
            ("rates", sum(of_day().map(|(_, cover)| cover.rate_q32)), start.rate_q32.into()),
            ("premium by rates", of_day().map(|(_, cover)| due(cover)).sum(), start.due_q32()),
        ];
        for (what, expected, found) in sides {
            // Covers that waited may be settled, and closed, from the opening of their incident on.
            if !over && day >= product.released_day {
                checks.same(rule, subject, what, expected, found);
            } else {
                checks.at_least(rule, subject, what, expected, found);
            }
        }
    }
    let latest = covers.iter().map(|(_, cover)| cover.active_day).max().unwrap_or(0);
    checks.at_least(rule, subject, "newest activation day", latest, newest);
}

/// The terms that a cover or a position was sold with, to the unit; or that it came to have, within bounds: a part that was
/// carved off has its part of premium and rate, and what was extended streams what it had not earned with what the days cost.
fn sold(place: &Place, checks: &mut Checks, subject: Subject, product: &Product, cover: &Policy) {
    let rule = Rule::Covers;
    let terms = &product.terms;
    let smallest = place.pool.terms.min_sum_insured;
    checks.at_least(rule, subject, "sum insured", smallest, cover.sum_insured);
    checks.at_most(rule, subject, "sum insured", terms.max_sum_insured, cover.sum_insured);
    checks.at_least(rule, subject, "premium", 1, cover.premium);
    checks.same(rule, subject, "fee of a cancellation", terms.cancel_fee_bps, cover.cancel_fee_bps);
    checks.at_most(rule, subject, "time of the purchase", place.snapshot.now, cover.bought_at);
    let waited = activation_day(cover.bought_at, terms.waiting_seconds);
    let period = place.snapshot.triggers.get(&product.trigger).and_then(|trigger| trigger.period());
    if let Some(period) = period {
        checks.at_most(rule, subject, "first day after the waiting time", period.active_day, waited);
        checks.same(rule, subject, "end of the period", period.end_day, cover.end_day);
    }
    let begins = period.map_or(waited, |period| period.active_day);
    checks.same(rule, subject, "first insured day", begins, cover.active_day);
    let days = cover.end_day.saturating_sub(cover.active_day);
    // What is extended ends no later than what could be bought as late as now.
    let bought_now = activation_day(place.snapshot.now, terms.waiting_seconds);
    let last = bought_now.saturating_add(terms.max_term_days.into());
    let not_too_long = match cover.was_changed {
        false => days <= u32::from(terms.max_term_days),
        true => period.is_some() || cover.end_day <= last,
    };
    let in_bounds = days >= u32::from(terms.min_term_days) && not_too_long;
    checks.holds(rule, subject, "the term is one that the product sells", in_bounds);
    let pool = place.pool;
    // A reading's premium does not stream.
    let rate = if period.is_some() { Some(0) } else { stream::rate_q32(cover.premium, cover.seconds_left(0)) };
    let rate = rate.unwrap_or(u64::MAX);
    if !cover.was_changed {
        checks.same(rule, subject, "rate", rate, cover.rate_q32);
    } else if cover.is_flat() || period.is_some() || cover.seconds_left(pool.accrued_at) == cover.seconds_left(0) {
        // A part that was carved off has its part of the premium rounded down: its rate is at most that of one unit more. That
        // none is too low the sums of the day buckets say.
        let unit = stream::rate_q32(1, cover.seconds_left(0)).unwrap_or(0);
        checks.at_most(rule, subject, "rate", rate.saturating_add(unit), cover.rate_q32);
    } else {
        let left = stream::unearned(cover.rate_q32, cover.seconds_left(pool.accrued_at)).unwrap_or(u64::MAX);
        checks.at_most(rule, subject, "what its rate has still to earn", cover.premium, left);
    }
    if product.state() != ProductState::Over && cover.end_day > day_of(pool.accrued_at) {
        checks.at_least(rule, subject, "the pool's last day with a cover", cover.end_day, pool.last_cover_end_day);
    }
    if cover.state == CoverState::Settled {
        checks.holds(rule, subject, "a paid cover's product is over", product.state() == ProductState::Over);
    }
}

/// The NFT: whoever holds it is insured.
fn nft(place: &Place, checks: &mut Checks, cover: &Cover) {
    let subject = Subject("NFT", cover.mint());
    let account = place.snapshot.tokens.get(&cover.mint());
    let state = account.and_then(|account| StateWithExtensions::<Mint>::unpack(&account.data).ok());
    let (Some(account), Some(state)) = (account, state) else {
        checks.holds(Rule::Nfts, subject, "a mint is there", false);
        return;
    };
    checks.same(Rule::Nfts, subject, "token program", anchor_spl::token_2022::ID, account.owner);
    checks.at_most(Rule::Nfts, subject, "supply", 1, state.base.supply);
    checks.same(Rule::Nfts, subject, "decimals", 0, state.base.decimals);
    checks.holds(Rule::Nfts, subject, "nobody mints", state.base.mint_authority == COption::<Pubkey>::None);
    checks.holds(Rule::Nfts, subject, "nobody freezes", state.base.freeze_authority == COption::<Pubkey>::None);
    let closes = state.get_extension::<MintCloseAuthority>().ok();
    let closes = closes.and_then(|extension| Option::<Pubkey>::from(extension.close_authority));
    checks.holds(Rule::Nfts, subject, "the pool closes it", closes == Some(place.key));
}
