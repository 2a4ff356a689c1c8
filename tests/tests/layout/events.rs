//! Events.

use crate::layout::shape::{borsh_pages, told};
use backstop::events::*;

borsh_pages! { all by told;
    Initialized { governance, guardian, risk_keeper }
    GovernanceProposed { governance, proposed }
    GovernanceAccepted { before, governance }
    RolesSet { guardian, risk_keeper }
    PauseSet { bits, until }
    PoolCreated { pool, sequence, asset_mint, id, kind, access, deposit_authority, terms, asset_can_be_frozen }
    Accrued { pool, sequence, at, accrual }
    Deposited { pool, sequence, tranche, owner, amount, shares }
    SurplusContributed { pool, sequence, contributor, amount }
    ExitRequested { pool, sequence, ticket, owner, tranche, epoch_day, shares, value, units, to_surplus }
    ExitCancelled { pool, sequence, ticket, tranche, units, value, shares, to_surplus }
    ExitEpochSettled { pool, sequence, day, paid, closed_units, to_surplus, open_q63 }
    ExitClaimed { pool, sequence, ticket, owner, amount, closed }
    ExitEpochClosed { pool, sequence, day, to_surplus }
    SeriesOpened { pool, sequence, tranche, series, mint }
    ProductCreated { pool, sequence, product, rates, id, covered_asset, wording_hash }
    ConditionSet { pool, sequence, product, trigger, source, feed, condition, sells_from }
    ProductStateSet { pool, sequence, product, state }
    RiskRateSet { pool, sequence, product, before_ppb, after_ppb }
    ExposureReleased { pool, sequence, product, amount }
    CoverBought {
        pool, sequence, product, cover, buyer, receiver, sum_insured, premium, rate_q32, active_day, end_day, level_bps,
        released,
    }
    CoverCancelled { pool, sequence, product, cover, sum_insured, refund, fee }
    CoverClosed { pool, sequence, product, cover }
    Observed { trigger, price, confidence, publish_time }
    PhaseChanged { trigger, product, before, after, event_at, mean_price, severity_bps }
    IncidentOpened {
        pool, product, incident, event_at, ended_at, final_at, crisis, released, most, waiting_refunds, set_aside,
        accrual, growth,
    }
    IncidentGrown { pool, incident, growth }
    IncidentFunded { pool, incident, giving }
    CrisisClosed { pool, closing }
    DeadlineExtended { pool, incident, deadline }
    CoverSettled { pool, incident, cover, holder, amount, refund, waiting, state }
    IncidentClosed { pool, incident, reserve, refunds, bucket }
    TreatyCreated { treaty, cedant, reinsurer, terms, notice_until }
    TreatyAccepted { treaty, cedant, reinsurer, premium, rate_q32 }
    TreatyPremiumSettled { cedant, reinsurer, amount, rate_q32, end_day }
    TreatyCalled { treaty, cedant, reinsurer, incident, owed, paid, restored, reinstatement_premium, receipt, losses }
    TreatyEnded { treaty, cedant, reinsurer }
    TreatyCommuted { treaty, cedant, reinsurer, end_day, returned }
    CessionAnnounced { cedant, reinsurer, amount, from, until }
    SurplusCeded { cedant, reinsurer, amount }
    CessionClosed { cedant }
}
