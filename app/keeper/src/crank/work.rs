//! What a crank can do.

use crate::crank::limits::Purpose;
use crate::crank::price::Print;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

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
    /// Calls a treaty for what it owes of an incident.
    CallTreaty,
    /// Gives an incident its part of what there is, and closes its crisis.
    FundIncident,
    /// Pays a cover.
    SettleCover,
    /// Pays a position.
    SettlePosition,
    /// Pays the payee of a lien on a cover or position.
    SettleLien,
    /// Ends an incident.
    CloseIncident,
    /// Gives holders another year while the vault is frozen.
    ExtendDeadline,
    /// Hands quota-share premium over.
    SettleTreatyPremium,
    /// Ends a treaty.
    EndTreaty,
    /// Releases exposure of covers that can no longer be paid.
    SyncProduct,
    /// Has a key revoked that has signed two things of one moment.
    ReportEquivocation,
    /// Runs a product off whose attestors are too few to report.
    RetireProduct,
    /// Pays the oldest exit epoch.
    SettleExitEpoch,
    /// Pays an exit ticket.
    ClaimExit,
    /// Earns premium up to now.
    Accrue,
    /// Closes a cover whose NFT is burnt.
    CloseCover,
    /// Lifts a lien of which nothing is left.
    LiftLien,
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
            Self::FundIncident => "fund_incident",
            Self::SettleCover => "settle_cover",
            Self::SettlePosition => "settle_position",
            Self::SettleLien => "settle_lien",
            Self::CloseIncident => "close_incident",
            Self::ExtendDeadline => "extend_deadline",
            Self::SettleTreatyPremium => "settle_treaty_premium",
            Self::EndTreaty => "end_treaty",
            Self::SyncProduct => "sync_product",
            Self::ReportEquivocation => "report_equivocation",
            Self::RetireProduct => "retire_product",
            Self::SettleExitEpoch => "settle_exit_epoch",
            Self::ClaimExit => "claim_exit",
            Self::Accrue => "accrue",
            Self::CloseCover => "close_cover",
            Self::LiftLien => "lift_lien",
            Self::CloseExitEpoch => "close_exit_epoch",
            Self::CloseCession => "close_cession",
        }
    }
}

impl Kind {
    /// Why work of this kind is due, in a few words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Observe => "the price says something new",
            Self::Refresh => "time has changed where the condition stands",
            Self::Confirm => "the challenge time is over",
            Self::OpenIncident => "its event is proven",
            Self::CallTreaty => "the treaty owes its part",
            Self::FundIncident => "there is more for it, or its crisis is over",
            Self::SettleCover | Self::SettlePosition | Self::SettleLien => "its incident has something for it",
            Self::CloseIncident => "nothing is left to be paid",
            Self::ExtendDeadline => "the vault is frozen and nobody can be paid",
            Self::SettleTreatyPremium => "the reinsurer is owed premium",
            Self::EndTreaty => "the treaty is over",
            Self::SyncProduct => "covers have ended",
            Self::ReportEquivocation => "its key has signed two things of one moment",
            Self::RetireProduct => "its attestors are too few to report",
            Self::SettleExitEpoch => "the day is over and capital is free",
            Self::ClaimExit => "the ticket's money is there",
            Self::Accrue => "a new day has begun",
            Self::CloseCover => "its NFT is burnt and it can no longer be paid",
            Self::LiftLien => "its limit is used up, or what it was on is closed",
            Self::CloseExitEpoch => "its last ticket is gone",
            Self::CloseCession => "the announcement has run out",
        }
    }

    /// Whether it pays somebody.
    pub const fn pays(self) -> bool {
        matches!(self, Self::SettleCover | Self::SettlePosition | Self::SettleLien | Self::ClaimExit)
    }

    /// Whether it pays what an incident has for a cover or a position, or the lien on one: work that is packed and shared with other cranks.
    pub const fn settles(self) -> bool {
        matches!(self, Self::SettleCover | Self::SettlePosition | Self::SettleLien)
    }

    /// What lamports for work of this kind are spent for.
    pub const fn purpose(self) -> Purpose {
        match self {
            Self::Observe | Self::Refresh | Self::Confirm => Purpose::Prices,
            _ => Purpose::Other,
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
    /// The product that it is about, if it is about one.
    pub product: Option<Pubkey>,
    /// What it pays, in units of the pool's asset, if it pays somebody.
    pub amount: Option<u64>,
    /// Length of a slot of the trigger that it shows a print to, in seconds.
    pub slot_seconds: Option<u32>,
    /// Why it is due, where [`Kind::reason`] does not say all.
    pub why: Option<String>,
}

impl Work {
    pub(super) fn new(kind: Kind, pool: Pubkey, subject: Pubkey, instruction: Instruction) -> Self {
        Self {
            kind,
            subject,
            pool,
            holder: None,
            print: None,
            instructions: vec![instruction],
            creates: None,
            product: None,
            amount: None,
            slot_seconds: None,
            why: None,
        }
    }

    /// Why it is due.
    pub fn reason(&self) -> &str {
        self.why.as_deref().unwrap_or(self.kind.reason())
    }

    /// How long it may wait at most when it was refused: a quarter of a slot for a price, whose time runs out.
    pub fn longest_wait(&self) -> Option<Duration> {
        self.slot_seconds.map(|seconds| Duration::from_secs(u64::from(seconds / 4).max(1)))
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
    /// Of which pool.
    #[serde(serialize_with = "text")]
    pub pool: Pubkey,
    /// What somebody would be paid, in units of the pool's asset; 0 where nobody is.
    #[serde(serialize_with = "text")]
    pub amount: u64,
    /// Why.
    pub why: &'static str,
}

fn text<S: serde::Serializer, T: std::fmt::Display>(key: &T, serializer: S) -> Result<S::Ok, S::Error> {
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

/// Counts in words, for logs: `settle_cover 8, fund_incident 1`.
pub fn words<'a, N: std::fmt::Display>(counts: impl IntoIterator<Item = (&'a &'static str, N)>) -> String {
    counts.into_iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}
