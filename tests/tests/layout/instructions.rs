//! Instruction data.

use crate::layout::shape::{borsh_pages, part, told};
use backstop::instruction::*;
use backstop::{
    AssertPolicyArgs, BuyCoverArgs, BuyPositionArgs, ContributeSurplusArgs, CreateAttestorSetArgs, CreatePoolArgs,
    CreateProductArgs, DepositArgs, InitializeArgs, PositionToNftArgs, RequestExitArgs, SetConditionArgs,
    SetReadingArgs, SplitCoverArgs, SplitPositionArgs,
};

// What instructions take.
borsh_pages! { arguments by part;
    InitializeArgs { governance, guardian, risk_keeper, genesis_hash }
    CreateAttestorSetArgs { id, threshold, keys }
    CreatePoolArgs { id, kind, access, deposit_authority, label, uri, terms }
    ContributeSurplusArgs { amount, seen_products, seen_treaties }
    DepositArgs { tranche, amount, min_shares, seen }
    RequestExitArgs { nonce, tranche, shares, epoch_day }
    CreateProductArgs { id, name, uri, wording_hash, covered_asset, terms }
    SetConditionArgs { source, feed, condition }
    SetReadingArgs { feed, reading }
    BuyCoverArgs { nonce, day, request, max_premium }
    BuyPositionArgs { nonce, request, max_premium, reference }
    PositionToNftArgs { nonce, day }
    SplitCoverArgs { sum_insured, nonce, day }
    SplitPositionArgs { sum_insured, nonce }
    AssertPolicyArgs { min_sum_insured, max_paid, state, no_lien, live, min_end_day }
}

// The instructions.
borsh_pages! { all by told;
    Initialize { args }
    ProposeGovernance { proposed }
    AcceptGovernance {}
    SetRoles { guardian, risk_keeper }
    Pause { bits }
    CreateAttestorSet { args }
    ReportEquivocation {}
    CreatePool { args }
    Deposit { args }
    PoolHealth {}
    Accrue {}
    ContributeSurplus { args }
    RequestExit { args }
    CancelExit {}
    SettleExitEpoch {}
    ClaimExit {}
    CloseExitEpoch {}
    OpenSeries { tranche }
    CreateProduct { args }
    SetCondition { args }
    SetReading { args }
    SetProductState { state }
    RetireProduct {}
    SetRiskRate { rate_ppb }
    SyncProduct {}
    Quote { request }
    BuyCover { args }
    CancelCover {}
    CloseCover {}
    SplitCover { args }
    AssertPolicy { args }
    BuyPosition { args }
    SetBeneficiary {}
    CancelPosition {}
    ReducePosition { sum_insured }
    ExtendPosition { request }
    PositionToNft { args }
    ClosePosition {}
    SettlePosition {}
    SplitPosition { args }
    SetLien { limit }
    LowerLien { limit }
    LiftLien {}
    SettleLien {}
    Observe {}
    ObserveReport {}
    ObserveLive {}
    Refresh {}
    Confirm {}
    ResolveReading {}
    OpenIncident {}
    FundIncident {}
    SettleCover {}
    CloseIncident {}
    ExtendDeadline {}
    CreateTreaty { terms }
    AcceptTreaty {}
    SettleTreatyPremium {}
    CallTreaty {}
    EndTreaty {}
    CommuteTreaty {}
    AnnounceCession { amount }
    CedeSurplus {}
    CloseCession {}
}
