//! One transaction of a sequence, with everything that it says: what the executor sends and the model predicts.

use super::live::{How, Says};
use backstop::state::{ProductState, Tranche, TreatyTerms};

/// Somebody, by their place among the people of a scene.
pub type Who = usize;

/// Names of all operations, with the instruction that each is; none for those past the program, and for the clock.
macro_rules! operations {
    ($($part:ident { $($(#[$doc:meta])* $op:ident $instruction:literal { $($field:ident: $type:ty),* })* })*) => {
        /// One transaction. Pools, products, covers, tickets and treaties are named by their place in the model.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub enum Op {
            $($($(#[$doc])* $op { $($field: $type),* },)*)*
        }

        /// The parts of the model that say what operations do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Part { $($part),* }

        /// Every operation by its name, with the instruction that it sends; without one it goes past the program.
        pub const ALL: &[(&str, &str)] = &[$($((stringify!($op), $instruction)),*),*];

        impl Op {
            /// The name of the operation: what the coverage table counts by.
            pub fn name(&self) -> &'static str {
                match self { $($(Op::$op { .. } => stringify!($op),)*)* }
            }

            /// The part of the model that says what it does.
            pub fn part(&self) -> Part {
                match self { $($(Op::$op { .. } => Part::$part,)*)* }
            }

            /// Whoever must sign it, where one person alone may.
            pub fn signer(&mut self) -> Option<&mut Who> {
                #[allow(unused_variables, unused_mut, unused_assignments)]
                match self {
                    $($(Op::$op { $($field),* } => {
                        let mut found = None;
                        $(signer!($field, $field, found);)*
                        found
                    })*)*
                }
            }
        }
    };
}

/// The field `by` is who must sign.
macro_rules! signer {
    (by, $field:ident, $found:ident) => {
        $found = Some($field);
    };
    ($other:ident, $field:ident, $found:ident) => {};
}

/// Instructions that no operation sends, and why.
pub const NOT_FUZZED: &[(&str, &str)] = &[
    ("initialize", "done once, before any sequence begins"),
    ("create_pool", "the scene has its pools from the beginning"),
    ("create_attestor_set", "moves no money and no state of a pool; its bounds are tested one by one"),
    ("pool_health", "changes nothing; its figures are compared with the books in `policies::`"),
    ("quote", "changes nothing; the model quotes before every purchase"),
    ("assert_policy", "changes nothing; each of its lines is tested by itself: `liens::`"),
];

operations! {
    // ---- capital ----
    Capital {
        Deposit "deposit" { pool: usize, who: Who, tranche: Tranche, amount: u64, min_shares: u64, admitted_by: Option<Who> }
        Contribute "contribute_surplus" { pool: usize, who: Who, amount: u64 }
        Accrue "accrue" { pool: usize }
        /// `ahead`: days after the first epoch that the request may name.
        RequestExit "request_exit" { pool: usize, who: Who, tranche: Tranche, shares: u64, ahead: u32, nonce: u64 }
        CancelExit "cancel_exit" { ticket: usize, by: Who }
        SettleEpoch "settle_exit_epoch" { pool: usize, day: u32, all_cedants: bool }
        ClaimExit "claim_exit" { ticket: usize, to: Who }
        CloseEpoch "close_exit_epoch" { pool: usize, day: u32 }
        OpenSeries "open_series" { pool: usize, tranche: Tranche, by: Who }
    }
    // ---- products and covers ----
    Covers {
        CreateProduct "create_product" { pool: usize, design: usize, by: Who }
        SetCondition "set_condition" { product: usize, by: Who }
        SetReading "set_reading" { product: usize, set: usize, by: Who }
        /// Runs off a product whose attestors are dead.
        Retire "retire_product" { product: usize }
        SetProductState "set_product_state" { product: usize, state: ProductState, by: Who }
        SetRiskRate "set_risk_rate" { product: usize, rate_ppb: u64, by: Who }
        Sync "sync_product" { product: usize }
        Buy "buy_cover" { product: usize, who: Who, receiver: Who, sum: u64, days: u16, max_premium: u64, nonce: u64 }
        CancelCover "cancel_cover" { cover: usize, by: Who }
        CloseCover "close_cover" { cover: usize, holder: Option<Who> }
        /// A position is kept among the covers, `to`: whose account it pays.
        BuyPosition "buy_position" { product: usize, who: Who, to: Who, sum: u64, days: u16, max_premium: u64, nonce: u64 }
        SetBeneficiary "set_beneficiary" { cover: usize, to: Who, by: Who }
        CancelPosition "cancel_position" { cover: usize, by: Who }
        /// `left`: the sum that stays insured.
        Reduce "reduce_position" { cover: usize, left: u64, by: Who }
        Extend "extend_position" { cover: usize, days: u16, max_premium: u64, by: Who }
        ToNft "position_to_nft" { cover: usize, receiver: Who, nonce: u64, by: Who }
        ClosePosition "close_position" { cover: usize, by: Who }
        SplitCover "split_cover" { cover: usize, receiver: Who, sum: u64, nonce: u64, by: Who }
        SplitPosition "split_position" { cover: usize, sum: u64, nonce: u64, by: Who }
        /// `to`: whose account it pays, and who lowers and lifts it.
        SetLien "set_lien" { cover: usize, to: Who, limit: u64, by: Who }
        LowerLien "lower_lien" { cover: usize, to: Who, limit: u64, by: Who }
        /// `payee`: who says that he is; without one anybody calls.
        LiftLien "lift_lien" { cover: usize, payee: Option<Who> }
    }
    // ---- evidence ----
    Evidence {
        Observe "observe" { product: usize, feed: u8, price: u64, confidence: u64, publish_time: i64 }
        Refresh "refresh" { product: usize }
        Confirm "confirm" { product: usize }
    }
    // ---- readings ----
    Readings {
        /// `value` and `confidence` in 1e-8, `at`: the moment that it names, `signers`: a bit for each key of the set.
        Report "observe_report" { product: usize, value: i64, confidence: u64, at: i64, signers: u16 }
        Resolve "resolve_reading" { product: usize }
        /// Shows that a key has signed two values of one moment.
        Equivocate "report_equivocation" { set: usize, key: usize }
    }
    // ---- vaults, with two keys ----
    Vaults {
        /// `sum`: what all vaults hold at that moment.
        Show "observe_live" { product: usize, sum: u64 }
        Loss "observe_report" { product: usize, bps: u16, at: i64, signers: u16 }
    }
    // ---- live rates ----
    Rates {
        /// `says`: what the account says at that moment.
        ShowRate "observe_live" { product: usize, says: Says, how: How }
    }
    // ---- incidents ----
    Incidents {
        OpenIncident "open_incident" { product: usize }
        Fund "fund_incident" { product: usize }
        /// `signed`: the holder signs, so that any account may be named.
        Settle "settle_cover" { cover: usize, holder: Who, to: Who, signed: bool }
        SettlePosition "settle_position" { cover: usize, to: Who }
        SettleLien "settle_lien" { cover: usize, to: Who }
        ExtendDeadline "extend_deadline" { product: usize }
        CloseIncident "close_incident" { product: usize }
    }
    // ---- reinsurance ----
    Reinsurance {
        CreateTreaty "create_treaty" { cedant: usize, reinsurer: usize, terms: TreatyTerms, by: Who }
        AcceptTreaty "accept_treaty" { treaty: usize, by: Who }
        SettlePremium "settle_treaty_premium" { cedant: usize, reinsurer: usize }
        CallTreaty "call_treaty" { treaty: usize, product: usize }
        EndTreaty "end_treaty" { treaty: usize }
        CommuteTreaty "commute_treaty" { treaty: usize, by: Who }
        AnnounceCession "announce_cession" { cedant: usize, reinsurer: usize, amount: u64, by: Who }
        CedeSurplus "cede_surplus" { cedant: usize, by: Who }
        CloseCession "close_cession" { cedant: usize }
    }
    // ---- roles ----
    Roles {
        Pause "pause" { bits: u8, by: Who }
        SetRoles "set_roles" { guardian: Who, risk_keeper: Who, by: Who }
        ProposeGovernance "propose_governance" { proposed: Who, by: Who }
        AcceptGovernance "accept_governance" { by: Who }
    }
    // ---- tokens, past the program ----
    Tokens {
        Donate "" { pool: usize, who: Who, amount: u64 }
        MoveShares "" { pool: usize, tranche: Tranche, from: Who, to: Who, amount: u64 }
        BurnShares "" { pool: usize, tranche: Tranche, who: Who, amount: u64 }
        MoveNft "" { cover: usize, to: Who }
        BurnNft "" { cover: usize }
        /// Hands all of an asset to somebody and closes the account.
        CloseAssets "" { asset: usize, who: Who, heir: Who }
        OpenAssets "" { asset: usize, who: Who }
    }
    // ---- time ----
    Clock {
        Time "" { to: i64 }
        /// Slots of the ledger in which nothing happens.
        Skip "" { slots: u64 }
        /// Another epoch of the cluster.
        Epoch "" { to: u64 }
    }
}
