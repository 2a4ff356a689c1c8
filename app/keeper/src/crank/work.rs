//! What a crank can do.

use crate::crank::price::Print;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a crank can do, in the order in which it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Shows a print to a trigger.
    Observe,
    /// Brings a trigger's phase up to now.
    Refresh,
    /// Makes a trigger final.
    Confirm,
    /// Opens an incident.
    OpenIncident,
    /// Calls an incident's next treaty.
    CallTreaty,
    /// Skips a treaty that cannot be called.
    SkipTreaty,
    /// Sets an incident's reserve aside.
    FundIncident,
    /// Pays a cover.
    SettleCover,
    /// Ends an incident.
    CloseIncident,
    /// Collects what a skipped treaty owes.
    CollectTreaty,
    /// Hands quota-share premium over.
    SettleTreatyPremium,
    /// Ends a treaty.
    EndTreaty,
    /// Releases exposure of covers that can no longer be paid.
    SyncProduct,
    /// Pays the oldest exit epoch.
    SettleExitEpoch,
    /// Pays an exit ticket.
    ClaimExit,
    /// Earns premium up to now.
    Accrue,
    /// Closes a cover whose NFT is burnt.
    CloseCover,
    /// Closes an exit epoch without tickets.
    CloseExitEpoch,
    /// Closes an announcement that is void.
    CloseCession,
}

impl Kind {
    /// The instruction's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Refresh => "refresh",
            Self::Confirm => "confirm",
            Self::OpenIncident => "open_incident",
            Self::CallTreaty => "call_treaty",
            Self::SkipTreaty => "skip_treaty",
            Self::FundIncident => "fund_incident",
            Self::SettleCover => "settle_cover",
            Self::CloseIncident => "close_incident",
            Self::CollectTreaty => "collect_treaty",
            Self::SettleTreatyPremium => "settle_treaty_premium",
            Self::EndTreaty => "end_treaty",
            Self::SyncProduct => "sync_product",
            Self::SettleExitEpoch => "settle_exit_epoch",
            Self::ClaimExit => "claim_exit",
            Self::Accrue => "accrue",
            Self::CloseCover => "close_cover",
            Self::CloseExitEpoch => "close_exit_epoch",
            Self::CloseCession => "close_cession",
        }
    }
}

/// What one item of work is about: the same in every pass until it is done.
pub type Item = (Kind, Pubkey);

/// One item of due work. All work of a plan can be done in any order.
#[derive(Clone, Debug)]
pub struct Work {
    /// What is done.
    pub kind: Kind,
    /// The account it is done to.
    pub subject: Pubkey,
    /// The pool it belongs to.
    pub pool: Pubkey,
    /// Whoever is paid, for work that shares accounts with other work of theirs.
    pub holder: Option<Pubkey>,
    /// The print that it shows, which must be on chain first.
    pub print: Option<Print>,
    /// How.
    pub instructions: Vec<Instruction>,
    /// Bytes of an account that it creates at the crank's expense.
    pub creates: Option<usize>,
}

impl Work {
    pub(super) fn new(kind: Kind, pool: Pubkey, subject: Pubkey, instruction: Instruction) -> Self {
        Self { kind, subject, pool, holder: None, print: None, instructions: vec![instruction], creates: None }
    }

    /// What it is about.
    pub fn item(&self) -> Item {
        (self.kind, self.subject)
    }
}

/// Something due that only somebody else can bring about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// What cannot be done.
    pub kind: Kind,
    /// To which account.
    #[serde(serialize_with = "text")]
    pub subject: Pubkey,
    /// Why.
    pub why: &'static str,
}

fn text<S: serde::Serializer>(key: &Pubkey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// How many items of each kind there are.
pub fn count(due: &[Work]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for work in due {
        *counts.entry(work.kind.name()).or_default() += 1;
    }
    counts
}
