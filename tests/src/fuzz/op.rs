//! One transaction of a sequence, with everything that it says: what the executor sends and the model predicts.

use backstop::state::{ProductState, Tranche, TreatyTerms};

/// Somebody, by their place among the people of a scene.
pub type Who = usize;

/// Every kind of operation but the clock: in a long enough run each has to be accepted at least once.
pub const NAMES: [&str; 45] = [
    "Deposit",
    "Contribute",
    "Accrue",
    "RequestExit",
    "CancelExit",
    "SettleEpoch",
    "ClaimExit",
    "CloseEpoch",
    "OpenSeries",
    "CreateProduct",
    "SetProductState",
    "SetRiskRate",
    "Sync",
    "Buy",
    "CancelCover",
    "CloseCover",
    "Observe",
    "Refresh",
    "Confirm",
    "OpenIncident",
    "Fund",
    "Settle",
    "CloseIncident",
    "CreateTreaty",
    "AcceptTreaty",
    "SettlePremium",
    "CallTreaty",
    "SkipTreaty",
    "CollectTreaty",
    "EndTreaty",
    "CommuteTreaty",
    "AnnounceCession",
    "CedeSurplus",
    "CloseCession",
    "Pause",
    "SetRoles",
    "ProposeGovernance",
    "AcceptGovernance",
    "Donate",
    "MoveShares",
    "BurnShares",
    "MoveNft",
    "BurnNft",
    "CloseAssets",
    "OpenAssets",
];

/// One transaction. Pools, products, covers, tickets and treaties are named by their place in the model.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Op {
    // ---- capital ----
    Deposit {
        pool: usize,
        who: Who,
        tranche: Tranche,
        amount: u64,
        min_shares: u64,
        admitted_by: Option<Who>,
    },
    Contribute {
        pool: usize,
        who: Who,
        amount: u64,
    },
    Accrue {
        pool: usize,
    },
    RequestExit {
        pool: usize,
        who: Who,
        tranche: Tranche,
        shares: u64,
        nonce: u64,
    },
    CancelExit {
        ticket: usize,
        by: Who,
    },
    SettleEpoch {
        pool: usize,
        day: u32,
        all_cedants: bool,
    },
    ClaimExit {
        ticket: usize,
        to: Who,
    },
    CloseEpoch {
        pool: usize,
        day: u32,
    },
    OpenSeries {
        pool: usize,
        tranche: Tranche,
        by: Who,
    },
    // ---- products and covers ----
    CreateProduct {
        pool: usize,
        design: usize,
        by: Who,
    },
    SetProductState {
        product: usize,
        state: ProductState,
        by: Who,
    },
    SetRiskRate {
        product: usize,
        rate_ppb: u64,
        by: Who,
    },
    Sync {
        product: usize,
    },
    Buy {
        product: usize,
        who: Who,
        receiver: Who,
        sum: u64,
        days: u16,
        max_premium: u64,
        nonce: u64,
    },
    CancelCover {
        cover: usize,
        by: Who,
    },
    CloseCover {
        cover: usize,
        by: Option<Who>,
    },
    // ---- evidence ----
    Observe {
        product: usize,
        feed: u8,
        price: u64,
        confidence: u64,
        publish_time: i64,
    },
    Refresh {
        product: usize,
    },
    Confirm {
        product: usize,
    },
    // ---- incidents ----
    OpenIncident {
        product: usize,
    },
    Fund {
        product: usize,
    },
    /// `signed`: the holder signs, so that any account may be named.
    Settle {
        cover: usize,
        holder: Who,
        to: Who,
        signed: bool,
    },
    CloseIncident {
        product: usize,
    },
    // ---- reinsurance ----
    CreateTreaty {
        cedant: usize,
        reinsurer: usize,
        terms: TreatyTerms,
        by: Who,
    },
    AcceptTreaty {
        treaty: usize,
        by: Who,
    },
    SettlePremium {
        cedant: usize,
        reinsurer: usize,
    },
    CallTreaty {
        treaty: usize,
        product: usize,
    },
    SkipTreaty {
        treaty: usize,
        product: usize,
    },
    CollectTreaty {
        treaty: usize,
    },
    EndTreaty {
        treaty: usize,
    },
    CommuteTreaty {
        treaty: usize,
        by: Who,
    },
    AnnounceCession {
        cedant: usize,
        reinsurer: usize,
        amount: u64,
        by: Who,
    },
    CedeSurplus {
        cedant: usize,
        by: Who,
    },
    CloseCession {
        cedant: usize,
    },
    // ---- roles ----
    Pause {
        bits: u8,
        by: Who,
    },
    SetRoles {
        guardian: Who,
        risk_keeper: Who,
        by: Who,
    },
    ProposeGovernance {
        proposed: Who,
        by: Who,
    },
    AcceptGovernance {
        by: Who,
    },
    // ---- tokens, past the program ----
    Donate {
        pool: usize,
        who: Who,
        amount: u64,
    },
    MoveShares {
        pool: usize,
        tranche: Tranche,
        from: Who,
        to: Who,
        amount: u64,
    },
    BurnShares {
        pool: usize,
        tranche: Tranche,
        who: Who,
        amount: u64,
    },
    MoveNft {
        cover: usize,
        to: Who,
    },
    BurnNft {
        cover: usize,
    },
    /// Hands all of an asset to somebody and closes the account.
    CloseAssets {
        asset: usize,
        who: Who,
        heir: Who,
    },
    OpenAssets {
        asset: usize,
        who: Who,
    },
    // ---- time ----
    Time {
        to: i64,
    },
}

impl Op {
    /// The name of the operation: what the coverage table counts by.
    pub fn name(&self) -> String {
        let debug = format!("{self:?}");
        debug.split([' ', '{']).next().unwrap_or_default().to_owned()
    }
}
