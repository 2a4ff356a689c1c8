//! Events.

use crate::layout::shape::{borsh_pages, told};
use backstop::events::*;

borsh_pages! { all by told;
    Initialized { governance, guardian, risk_keeper, genesis_hash }
    AttestorSetCreated { attestors, creator, id, threshold, keys }
    EquivocationReported { attestors, key, feed, observed_at, first, second, live, alive }
    GovernanceProposed { governance, proposed }
    GovernanceAccepted { before, governance }
    RolesSet { guardian, risk_keeper }
    PauseSet { bits, until }
    PoolCreated { pool, sequence, asset_mint, id, kind, access, deposit_authority, terms, asset_can_be_frozen }
    Accrued { pool, sequence, at, accrual }
    Deposited { pool, sequence, tranche, owner, amount, shares, lowered }
    SurplusContributed { pool, sequence, contributor, amount }
    ExitRequested { pool, sequence, ticket, owner, tranche, epoch_day, shares, value, units, to_surplus }
    ExitCancelled { pool, sequence, ticket, tranche, units, value, shares, to_surplus }
    ExitEpochSettled { pool, sequence, day, paid, closed_units, to_surplus, open_q63 }
    ExitClaimed { pool, sequence, ticket, owner, amount, closed }
    ExitEpochClosed { pool, sequence, day, to_surplus }
    SeriesOpened { pool, sequence, tranche, series, mint, to_surplus }
    ProductCreated { pool, sequence, product, rates, id, covered_asset, wording_hash }
    ConditionSet { pool, sequence, product, trigger, source, feed, attestors, live, vaults, condition, sells_from }
    ReadingSet { pool, sequence, product, trigger, feed, attestors, reading, sells_from }
    ReadingShown { trigger, level, peak, price, slot, shown_at }
    DropArmed { trigger, armed_at, event_at, mean_price, severity_bps }
    LossReported { trigger, loss_bps, observed_at, signatures, is_confirmed }
    ProductStateSet { pool, sequence, product, state, sells_from }
    RiskRateSet { pool, sequence, product, before_ppb, after_ppb }
    ExposureReleased { pool, sequence, product, amount }
    CoverBought {
        pool, sequence, product, cover, buyer, receiver, sum_insured, premium, rate_q32, active_day, end_day, level_bps,
        released,
    }
    CoverCancelled { pool, sequence, product, cover, sum_insured, refund, fee }
    CoverClosed { pool, sequence, product, cover }
    PositionBought {
        pool, sequence, product, position, owner, beneficiary, reference, sum_insured, premium, rate_q32, active_day,
        end_day, level_bps, released,
    }
    BeneficiarySet { pool, sequence, position, beneficiary }
    PositionCancelled { pool, sequence, product, position, sum_insured, refund, fee }
    PositionReduced {
        pool, sequence, product, position, sum_insured, premium, rate_q32, refund, fee, left,
    }
    PositionExtended {
        pool, sequence, product, position, premium, rate_q32, end_day_before, end_day, level_bps, released,
    }
    PositionConverted { pool, sequence, product, position, cover, owner, receiver }
    PositionClosed { pool, sequence, product, position }
    PositionSettled { pool, sequence, incident, position, beneficiary, amount, refund, waiting, state }
    Observed { trigger, price, confidence, publish_time }
    PhaseChanged { pool, sequence, trigger, product, before, after, event_at, mean_price, severity_bps }
    IncidentOpened {
        pool, sequence, product, incident, event_at, ended_at, final_at, crisis, released, most, waiting_refunds,
        set_aside, accrual, growth,
    }
    IncidentGrown { pool, sequence, incident, growth }
    IncidentFunded { pool, sequence, incident, giving }
    CrisisClosed { pool, sequence, closing }
    DeadlineExtended { pool, sequence, incident, deadline }
    CoverSettled { pool, sequence, incident, cover, holder, amount, refund, waiting, state }
    IncidentClosed { pool, sequence, incident, reserve, refunds, bucket }
    TreatyCreated { treaty, cedant, cedant_sequence, reinsurer, reinsurer_sequence, terms, notice_until }
    TreatyAccepted { treaty, cedant, cedant_sequence, reinsurer, reinsurer_sequence, premium, rate_q32 }
    TreatyPremiumSettled { cedant, cedant_sequence, reinsurer, reinsurer_sequence, amount, rate_q32, end_day }
    TreatyCalled {
        treaty, cedant, cedant_sequence, reinsurer, reinsurer_sequence, incident, owed, paid, restored,
        reinstatement_premium, receipt, losses,
    }
    TreatyEnded { treaty, cedant, cedant_sequence, reinsurer, reinsurer_sequence }
    TreatyCommuted { treaty, cedant, cedant_sequence, reinsurer, reinsurer_sequence, end_day, returned }
    CessionAnnounced { cedant, cedant_sequence, reinsurer, reinsurer_sequence, amount, from, until }
    SurplusCeded { cedant, cedant_sequence, reinsurer, reinsurer_sequence, amount }
    CessionClosed { cedant, cedant_sequence }
}
