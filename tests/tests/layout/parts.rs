//! What accounts, events and instructions are made of.

use crate::layout::shape::{
    Fill, Pattern, Variants, borsh, borsh_pages, describe_variants, enum_layout, part, zero_copy_pages,
};
use backstop::peril::evidence::{Direction, Evidence, Run, Severity, Shown, Terms, TermsInput};
use backstop::peril::feed::Source;
use backstop::peril::feed::attested::AttestedValue;
use backstop::peril::live::{Readings, Showing, Shows, Twice};
use backstop::peril::reading::{Reading, ReadingInput};
use backstop::peril::two_keys::Keys;
use backstop::peril::vault::{Low, Lows};
use backstop::state::*;

borsh_pages! { written by part;
    Policy {
        product, insured, version, state, cancel_fee_bps, active_day, end_day, sum_insured, premium, rate_q32, bought_at,
        paid, refunded, minted_day, has_lien, was_changed, reserved,
    }
    Pause { bits, until, used_at }
    NotedTreaty { treaty, state, owed, paid, restored }
    Seen { products, treaties }
    Accrual { earned, late, ceded, surplus, junior, senior, junior_exiting, senior_exiting }
    LossByLayer {
        surplus, junior_assets, junior_exiting, senior_assets, senior_exiting, junior_wiped, senior_wiped, junior_over,
        senior_over,
    }
    Growth { severity_bps, gross, owed, is_final, loss_refunds, accrual }
    Giving { amount, recovered, bucket, losses }
    CrisisClosing { number, gross, resources, bucket, restored, losses, recoverable, recoverable_surplus }
    Receipt { recovered, late, staying, exiting, surplus }
    AttestedValue { exponent, value, confidence }
    BoughtPosition { position, premium, active_day, end_day }
    CoverRequest { sum_insured, term_days }
    ExtensionRequest { days, max_premium }
    PoolHealth {
        loss_capital, staying_capital, least_capital, exposure, alert_exposure, exits_waiting, oldest_exit_day, crisis,
        open_cases, alert, takes_cover, padding,
    }
    TreatyTerms { kind, limit, start_day, end_day }
    Quote { premium, sum_insured, active_day, end_day, exposure, capacity, level_bps, technical_ppb, rate_q32 }
    TermsInput {
        direction, threshold, recovery, severity, duration_seconds, slot_seconds, tolerance_seconds, challenge_seconds,
        run_on_seconds, quiet_seconds, confidence_multiplier,
    }
    ReadingInput { direction, strike, exit, begins_day, due_at }
}

zero_copy_pages! { read_in_place by part;
    PoolTerms {
        min_first_deposit, min_ticket, min_sum_insured, cooldown_seconds, solvency_bps, max_leverage_bps,
        junior_weight_bps, rho_bps, max_credit_bps, surplus_bps, group_cap_bps,
        first_loss_bps, seasoning_days, sells_until_day,
    }
    Showing { slot, level }
    Twice { older, recent }
    Shows { prices, first_at }
    Low { day, level }
    Lows { days, slot, level }
    Keys { armed_at, event_at, mean, reported_at, confirmed_at, severity_bps, loss_bps, padding }
    Readings { peak, slot, levels, breaches, aboves, recovered }
    TrancheBook {
        assets, exiting, shares, units, recoverable, exiting_recoverable, series, wiped_out, lowered, claims, left_q32,
    }
    QuotaShareInForce {
        treaty, reinsurer, limit_left, owed, start, end, outlasting, cession_bps, commission_bps, padding,
    }
    LayerInForce { treaty, reinsurer, attachment, limit, limit_left, owed, restored_later, start, end }
    EarnedMark { at, earned }
    RunningAlert { number, began_at, due_at }
    CrisisBook {
        gross, growth, given, recovered, final_at, owed_at, owed, taken, number, incidents, unfinal, uncalled,
        ring_days, padding, limits,
    }
    InwardTreaty { treaty, cedant, limit }
    StartBucket { sum_insured, premium, rate_q32, due_low, due_high }
    ProductTerms {
        risk_rate_ppb, risk_rate_floor_ppb, risk_rate_ceiling_ppb, risk_rate_step_ppb, demand_at_zero_ppb,
        demand_at_kink_ppb, demand_at_capacity_ppb, min_premium, max_sum_insured, loading_bps, level_bps,
        min_level_bps, max_level_bps, waiting_seconds, max_price_age, no_sale_buffer_bps, risk_group, kink_bps,
        upper_mark_bps, lower_mark_bps, drift_bps, cap_bps, cancel_fee_bps, min_term_days, max_term_days,
        daily_bps, deductible_bps, coinsurance_bps, padding,
    }
    Terms {
        threshold, recovery, full_loss_price, slot_seconds, challenge, run_on, quiet, need, tolerance,
        confidence_multiplier, min_severity_bps, severity, direction, padding,
    }
    Shown { highest_breach, lowest, above_first, above_last, recovered_first, recovered_last }
    Run { first, sum, good, missing }
    Evidence {
        slots, head, next, run, newest_recovered, newest_good, window_first, window_last, event_at, met_at, final_at,
        first_mean, lowest_mean, last_price, last_confidence, last_publish_time, open_good, first_severity_bps,
        severity_bps, phase, padding, recovered_slots,
    }
    Reading {
        strike, exit, due_at, value, reported_at, reports_until, resolved_at, begins_day, signers, severity_bps, direction,
        phase, void, padding,
    }
}

enum_layout! {
    PoolKind { Cover, Reinsurance }
    Access { Open, AllowList, ProtocolOnly }
    Tranche { Junior, Senior }
    Direction { Below, Above }
    ProductState { Selling, Frozen, RunOff, Over, Announced }
    CoverState { Active, Settled, Refunded }
    IncidentState { Growing, Final }
    CallState { Called, Pending }
    TreatyState { Announced, Active, Ended }
    Source { PythReceiver, PythPush, Attested, StakePoolRate, SplLendingRate, VaultDrop }
    Form { Evidence, Reading }
}

impl Pattern for Severity {
    fn pattern(fill: &mut Fill) -> Self {
        Self::Linear { full_loss_price: u64::pattern(fill), min_severity_bps: u16::pattern(fill) }
    }
}

impl Variants for Severity {
    const NAME: &'static str = "Severity";

    fn all() -> Vec<(&'static str, Vec<u8>)> {
        let name = |severity: &Self| match severity {
            Self::Binary => "Binary",
            Self::Linear { .. } => "Linear { full_loss_price }",
        };
        [Self::Binary, Self::pattern(&mut Fill::default())].iter().map(|value| (name(value), borsh(value))).collect()
    }
}

impl Pattern for TreatyKind {
    fn pattern(fill: &mut Fill) -> Self {
        Self::ExcessOfLoss {
            attachment: Pattern::pattern(fill),
            rate_on_line_bps: Pattern::pattern(fill),
            reinstatements: Pattern::pattern(fill),
            reinstatement_premium_bps: Pattern::pattern(fill),
        }
    }
}

impl Variants for TreatyKind {
    const NAME: &'static str = "TreatyKind";

    fn all() -> Vec<(&'static str, Vec<u8>)> {
        let name = |kind: &Self| match kind {
            Self::QuotaShare { .. } => "QuotaShare { cession_bps, commission_bps }",
            Self::ExcessOfLoss { .. } => {
                "ExcessOfLoss { attachment, rate_on_line_bps, reinstatements, reinstatement_premium_bps }"
            }
        };
        let fill = &mut Fill::default();
        let share = Self::QuotaShare { cession_bps: Pattern::pattern(fill), commission_bps: Pattern::pattern(fill) };
        [share, Self::pattern(&mut Fill::default())].iter().map(|value| (name(value), borsh(value))).collect()
    }
}

/// The parts in the golden file.
pub fn page() -> String {
    let structures = [read_in_place(), written()].concat();
    let variants = [
        describe_variants::<PoolKind>(),
        describe_variants::<Access>(),
        describe_variants::<Tranche>(),
        describe_variants::<ProductState>(),
        describe_variants::<CoverState>(),
        describe_variants::<IncidentState>(),
        describe_variants::<CallState>(),
        describe_variants::<TreatyKind>(),
        describe_variants::<TreatyState>(),
        describe_variants::<Severity>(),
        describe_variants::<Source>(),
    ];
    structures.into_iter().map(|(_, page)| page).chain(variants).collect()
}
