//! Accounts.

use crate::layout::shape::{Shaped, borsh_pages, describe, zero_copy_pages};
use anchor_lang::{Discriminator, Space};
use backstop::state::*;

borsh_pages! { written by borsh;
    Protocol { governance, pending_governance, guardian, risk_keeper, version, bump, pause, genesis_hash, reserved }
    Cover { policy, rent_payer, bump }
    Position { policy, rent_payer, beneficiary, beneficiary_owner, reference, nonce, bump }
    Lien { policy, pool, payee, payee_owner, rent_payer, version, bump, limit_left, paid, reserved }
    ExitTicket {
        pool, owner, rent_payer, version, bump, tranche, series, epoch_day, units, claimed, nonce, asked_on, reserved,
    }
    ExitEpoch {
        pool, rent_payer, version, bump, series, day, tickets, units, open_q63, paid_per_unit_q64, reserve,
        reserved,
    }
    Incident {
        product, pool, rent_payer, version, bump, state, severity_bps, most_severity_bps, event_at, ended_at,
        accrued_at, opened_at, final_at, deadline, crisis, sums, gross, loss_premium, reserve, paid, sums_left,
        premiums_left, refunds_left, still_exposed, treaties, treaty_count, reserved,
    }
    Crisis {
        pool, rent_payer, version, bump, closed, number, incidents, gross, resources, bucket, until, owed, recoverable,
        recoverable_surplus, series, claims, left_q32, reserved,
    }
    Treaty {
        cedant, reinsurer, rent_payer, version, bump, state, id, kind, limit, notice_until, start_day, end_day,
        premium, rate_q32, restored, reserved,
    }
    Cession { cedant, reinsurer, rent_payer, version, bump, amount, from, until, reserved }
}

zero_copy_pages! { read_in_place by in_place;
    Pool {
        asset_mint, vault, share_mints, deposit_authority, rent_payer, terms, id, products, ring_days, version, bump,
        vault_bump, kind, access, asset_decimals, in_use, padding, label, uri, cash, surplus, tranches,
        unearned_premium, premium_refunds, set_aside, incident_reserves, crisis_buckets, exit_reserves, treaty_payable,
        accrued_at, stands_since, alerts_since, alert_seq, held_back_premium, due_since, asked_today, total_exposure,
        required, group_exposures, alert_exposure, alerts, alerts_due, last_cover_end_day, oldest_exit_day, newest_exit_day,
        treaties, conditions, capital_day, readings_end_day, crisis, exit_days, quota_shares, layers, inward,
        surplus_fraction_bps, junior_fraction_q64, senior_fraction_q64, exiting_fractions_q64, ceded_fraction_e8, events,
        group_alerts, group_alert_exposures, earned, earned_marks, capital_lows, unasked_lows, stood_required,
        stood_exposure, stood_until, running_alerts, flat_premium, reading_exposure, locks_from, reserved, rate_q32,
        fraction_q32, waiting_rate_q32, rate_starts, rate_ends,
    }
    Product {
        pool, trigger, covered_asset, rent_payer, wording_hash, name, uri, terms, risk_rate_ppb, risk_rate_at,
        sells_from, level_at, frozen_at, thawed_at, event_at, exposure, covers_sold, level_bps, utilisation_bps, released_day,
        newest_activation_day, ring_days, padding2, id, version, bump, state, notice_served, incident_closed, padding,
        sold_of_late, utilisation_seconds, others_exposure, sold_at, reserved, starts, exposure_ends,
    }
    Rates { product, cleared_day, version, bump, padding, reserved, ends }
    Trigger {
        product, pool, feed, source, version, bump, opened, form, padding, terms, evidence, alert_number, attestors, keys,
        reading, reserved,
    }
    Live { product, trigger, readings, lows, vaults, mint, version, bump, vault_count, padding, reserved }
    AttestorSet { creator, keys, cluster, id, revoked, count, threshold, version, bump, revoked_at, reserved }
}

fn borsh<T: Shaped + Discriminator + Space>() -> (&'static str, String) {
    (T::NAME, describe::<T>(T::DISCRIMINATOR, Some(T::DISCRIMINATOR.len() + T::INIT_SPACE)))
}

fn in_place<T: Shaped + Discriminator>() -> (&'static str, String) {
    (T::NAME, describe::<T>(T::DISCRIMINATOR, Some(T::DISCRIMINATOR.len() + size_of::<T>())))
}

/// Every account type with its page.
pub fn all() -> Vec<(&'static str, String)> {
    [written(), read_in_place()].concat()
}
