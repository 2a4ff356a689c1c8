//! Instruction data.

use crate::layout::shape::{Shaped, borsh_layout, describe};
use anchor_lang::Discriminator;
use backstop::instruction::*;
use backstop::{BuyCoverArgs, CreatePoolArgs, CreateProductArgs, DepositArgs, InitializeArgs, RequestExitArgs};

// What instructions take.
borsh_layout! {
    InitializeArgs { governance, guardian, risk_keeper }
    CreatePoolArgs { id, kind, access, deposit_authority, label, terms }
    DepositArgs { tranche, amount, min_shares }
    RequestExitArgs { nonce, tranche, shares, epoch_day }
    CreateProductArgs { name, uri, wording_hash, covered_asset, terms, source, feed, condition }
    BuyCoverArgs { nonce, request, max_premium }
}

// The instructions.
borsh_layout! {
    Initialize { args }
    ProposeGovernance { proposed }
    AcceptGovernance {}
    SetRoles { guardian, risk_keeper }
    Pause { bits }
    CreatePool { args }
    Deposit { args }
    Accrue {}
    ContributeSurplus { amount }
    RequestExit { args }
    CancelExit {}
    SettleExitEpoch {}
    ClaimExit {}
    CloseExitEpoch {}
    OpenSeries { tranche }
    CreateProduct { args }
    SetProductState { state }
    SetRiskRate { rate_ppb }
    SyncProduct {}
    Quote { request }
    BuyCover { args }
    CancelCover {}
    CloseCover {}
    Observe {}
    Refresh {}
    Confirm {}
    OpenIncident {}
    FundIncident {}
    SettleCover {}
    CloseIncident {}
    CreateTreaty { terms }
    AcceptTreaty {}
    SettleTreatyPremium {}
    CallTreaty {}
    SkipTreaty {}
    CollectTreaty {}
    EndTreaty {}
    CommuteTreaty {}
    AnnounceCession { amount }
    CedeSurplus {}
    CloseCession {}
}

fn data<T: Shaped + Discriminator>() -> (&'static str, String) {
    (T::NAME, describe::<T>(T::DISCRIMINATOR, None))
}

/// What instructions take, in the golden file.
pub fn arguments() -> String {
    [
        describe::<InitializeArgs>(&[], None),
        describe::<CreatePoolArgs>(&[], None),
        describe::<DepositArgs>(&[], None),
        describe::<RequestExitArgs>(&[], None),
        describe::<CreateProductArgs>(&[], None),
        describe::<BuyCoverArgs>(&[], None),
    ]
    .concat()
}

/// Every instruction with its page.
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        data::<Initialize>(),
        data::<ProposeGovernance>(),
        data::<AcceptGovernance>(),
        data::<SetRoles>(),
        data::<Pause>(),
        data::<CreatePool>(),
        data::<Deposit>(),
        data::<Accrue>(),
        data::<ContributeSurplus>(),
        data::<RequestExit>(),
        data::<CancelExit>(),
        data::<SettleExitEpoch>(),
        data::<ClaimExit>(),
        data::<CloseExitEpoch>(),
        data::<OpenSeries>(),
        data::<CreateProduct>(),
        data::<SetProductState>(),
        data::<SetRiskRate>(),
        data::<SyncProduct>(),
        data::<Quote>(),
        data::<BuyCover>(),
        data::<CancelCover>(),
        data::<CloseCover>(),
        data::<Observe>(),
        data::<Refresh>(),
        data::<Confirm>(),
        data::<OpenIncident>(),
        data::<FundIncident>(),
        data::<SettleCover>(),
        data::<CloseIncident>(),
        data::<CreateTreaty>(),
        data::<AcceptTreaty>(),
        data::<SettleTreatyPremium>(),
        data::<CallTreaty>(),
        data::<SkipTreaty>(),
        data::<CollectTreaty>(),
        data::<EndTreaty>(),
        data::<CommuteTreaty>(),
        data::<AnnounceCession>(),
        data::<CedeSurplus>(),
        data::<CloseCession>(),
    ]
}
