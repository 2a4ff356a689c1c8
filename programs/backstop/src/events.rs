//! What the program reports: past tense, one event for each change, complete enough that replaying them rebuilds the
//! books. Amounts are in asset units, times in unix seconds, days in UTC days.
//!
//! # Numbers
//!
//! A log is cut after 10,000 bytes, and whoever sends a transaction can fill it with other things first. So every event
//! of a pool has its number, `sequence`: 1 for the first, and one more each time. A number that is absent is an event that
//! was lost; [`crate::state::Pool::events`] is the number of the last one. An event of two pools has a number in each:
//! `cedant_sequence` and `reinsurer_sequence`. What a lost event reported is in its transaction's instructions, which
//! are never cut, and in the accounts.
//!
//! Without a number are what concerns no pool (roles, the pause and attestors), and [`Observed`], which repeats what is kept in the
//! trigger's evidence.

use crate::peril::evidence::TermsInput;
use crate::peril::feed::Source;
use crate::peril::feed::attested::AttestedValue;
use crate::peril::reading::ReadingInput;
use crate::state::{
    Access, Accrual, CoverState, CrisisClosing, Giving, Growth, LossByLayer, PoolKind, PoolTerms, ProductState,
    Receipt, Tranche, TreatyTerms,
};
use anchor_lang::prelude::*;
use anchor_lang::solana_program::log::sol_log_data;

/// Bytes of the longest event, its discriminator included, and room to spare.
const LONGEST_EVENT: usize = 576;

/// Reports an event as Anchor's `emit!` does, without a list of bytes that grows field by field.
#[inline(never)]
pub fn report<E: AnchorSerialize + Discriminator>(event: &E) -> Result<()> {
    let mut bytes = [0; LONGEST_EVENT];
    let mut rest = bytes.as_mut_slice();
    std::io::Write::write_all(&mut rest, E::DISCRIMINATOR)?;
    event.serialize(&mut rest)?;
    let left = rest.len();
    sol_log_data(&[bytes.get(..LONGEST_EVENT.saturating_sub(left)).unwrap_or(&[])]);
    Ok(())
}

/// The protocol was created.
#[event]
pub struct Initialized {
    /// Governance.
    pub governance: Pubkey,
    /// Guardian.
    pub guardian: Pubkey,
    /// Risk keeper.
    pub risk_keeper: Pubkey,
    /// Genesis hash of the cluster.
    pub genesis_hash: [u8; 32],
}

/// A set of attestors was created.
#[event]
pub struct AttestorSetCreated {
    /// The set.
    pub attestors: Pubkey,
    /// Whoever created it.
    pub creator: Pubkey,
    /// Its number among those of the creator.
    pub id: u16,
    /// How many keys must sign a report.
    pub threshold: u8,
    /// The keys.
    pub keys: Vec<Pubkey>,
}

/// A key signed two different values of one moment, and was revoked.
#[event]
pub struct EquivocationReported {
    /// The set.
    pub attestors: Pubkey,
    /// The key.
    pub key: Pubkey,
    /// The feed.
    pub feed: [u8; 32],
    /// The moment.
    pub observed_at: i64,
    /// What it signed first, in the order of the transaction.
    pub first: AttestedValue,
    /// What else it signed.
    pub second: AttestedValue,
    /// Keys that are left.
    pub live: u8,
    /// Whether these can still report.
    pub alive: bool,
}

/// A new governance was proposed.
#[event]
pub struct GovernanceProposed {
    /// Governance now.
    pub governance: Pubkey,
    /// Whoever must accept.
    pub proposed: Pubkey,
}

/// The proposed governance accepted.
#[event]
pub struct GovernanceAccepted {
    /// Governance before.
    pub before: Pubkey,
    /// Governance now.
    pub governance: Pubkey,
}

/// Guardian and risk keeper were appointed.
#[event]
pub struct RolesSet {
    /// Guardian now.
    pub guardian: Pubkey,
    /// Risk keeper now.
    pub risk_keeper: Pubkey,
}

/// A pause began, or was lifted (`bits` 0).
#[event]
pub struct PauseSet {
    /// What is paused.
    pub bits: u8,
    /// When the pause ends.
    pub until: i64,
}

/// A pool was created.
#[event]
pub struct PoolCreated {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// Its asset.
    pub asset_mint: Pubkey,
    /// Its id within the asset.
    pub id: u16,
    /// What it stands behind.
    pub kind: PoolKind,
    /// Who may deposit.
    pub access: Access,
    /// Whoever admits depositors, if access is by allow-list; else the zero address.
    pub deposit_authority: Pubkey,
    /// Terms that never change.
    pub terms: PoolTerms,
    /// Whether the asset's issuer can freeze accounts, the vault among them.
    pub asset_can_be_frozen: bool,
}

/// Premium was earned.
#[event]
pub struct Accrued {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// Up to when.
    pub at: i64,
    /// How it was shared out.
    pub accrual: Accrual,
}

/// Capital came in.
#[event]
pub struct Deposited {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The tranche.
    pub tranche: Tranche,
    /// Whoever deposited.
    pub owner: Pubkey,
    /// Assets.
    pub amount: u64,
    /// Shares minted.
    pub shares: u64,
    /// How often the start of the tranche's prices has been lowered tenfold by now.
    pub lowered: u8,
}

/// Somebody gave to the surplus.
#[event]
pub struct SurplusContributed {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// Whoever gave.
    pub contributor: Pubkey,
    /// Assets.
    pub amount: u64,
}

/// A ticket was made.
#[event]
pub struct ExitRequested {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The ticket.
    pub ticket: Pubkey,
    /// Its owner.
    pub owner: Pubkey,
    /// The tranche.
    pub tranche: Tranche,
    /// Day of its epoch.
    pub epoch_day: u32,
    /// Shares burnt.
    pub shares: u64,
    /// Assets that left the staying capital.
    pub value: u64,
    /// Exit units.
    pub units: u64,
    /// Dust of a tranche without shares, moved to the surplus.
    pub to_surplus: u64,
}

/// A ticket was given up.
#[event]
pub struct ExitCancelled {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The ticket.
    pub ticket: Pubkey,
    /// The tranche.
    pub tranche: Tranche,
    /// Exit units given up.
    pub units: u64,
    /// Assets that stay.
    pub value: u64,
    /// Shares minted.
    pub shares: u64,
    /// Dust of exit units without owner, moved to the surplus.
    pub to_surplus: u64,
}

/// Capital was set aside for an epoch.
#[event]
pub struct ExitEpochSettled {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The epoch's day.
    pub day: u32,
    /// Set aside, by tranche.
    pub paid: [u64; 2],
    /// Exit units closed, by tranche.
    pub closed_units: [u64; 2],
    /// Dust of exit units without owner, moved to the surplus, by tranche.
    pub to_surplus: [u64; 2],
    /// Part of the epoch still open, Q63.
    pub open_q63: u64,
}

/// A ticket was paid.
#[event]
pub struct ExitClaimed {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The ticket.
    pub ticket: Pubkey,
    /// Its owner.
    pub owner: Pubkey,
    /// Assets.
    pub amount: u64,
    /// Whether the ticket is closed.
    pub closed: bool,
}

/// An epoch was closed.
#[event]
pub struct ExitEpochClosed {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The epoch's day.
    pub day: u32,
    /// What rounding left, moved to the surplus.
    pub to_surplus: u64,
}

/// A wiped-out tranche takes deposits again.
#[event]
pub struct SeriesOpened {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The tranche.
    pub tranche: Tranche,
    /// The series now.
    pub series: u8,
    /// Its share mint.
    pub mint: Pubkey,
    /// What a deserted series had left, moved to the surplus.
    pub to_surplus: u64,
}

/// A product was announced. It sells nothing before its condition is set.
#[event]
pub struct ProductCreated {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// Where it keeps the rates of its premium.
    pub rates: Pubkey,
    /// Its id within the pool.
    pub id: u16,
    /// The insured asset.
    pub covered_asset: Pubkey,
    /// Hash of the wording.
    pub wording_hash: [u8; 32],
}

/// A product was given its condition; its notice began.
#[event]
pub struct ConditionSet {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The trigger that holds the condition.
    pub trigger: Pubkey,
    /// Where prices come from.
    pub source: Source,
    /// The feed: a Pyth feed id, for the push oracle the price account, for reports, also as a second key, the sha-256 of
    /// the definition, for another live feed the account that is read.
    pub feed: [u8; 32],
    /// The attestors whose reports it takes; zero for other sources.
    pub attestors: Pubkey,
    /// The account of its readings, for a live feed; zero for other sources.
    pub live: Pubkey,
    /// The vaults that are read, for a feed of vaults.
    pub vaults: Vec<Pubkey>,
    /// The condition.
    pub condition: TermsInput,
    /// When the product may sell.
    pub sells_from: i64,
}

/// A product was given a reading as its condition; its notice began.
#[event]
pub struct ReadingSet {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// Its trigger.
    pub trigger: Pubkey,
    /// The feed.
    pub feed: [u8; 32],
    /// Whoever reports the value.
    pub attestors: Pubkey,
    /// The reading.
    pub reading: ReadingInput,
    /// When the notice ends.
    pub sells_from: i64,
}

/// A product was frozen, thawed or run off.
#[event]
pub struct ProductStateSet {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// Its state now.
    pub state: ProductState,
    /// When it may sell, if it is not frozen or over.
    pub sells_from: i64,
}

/// The risk rate of new covers moved.
#[event]
pub struct RiskRateSet {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// Rate before, parts per billion a year.
    pub before_ppb: u64,
    /// Rate now, parts per billion a year.
    pub after_ppb: u64,
}

/// Exposure of ended covers was released.
#[event]
pub struct ExposureReleased {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// Sums insured.
    pub amount: u64,
}

/// A cover was sold.
#[event]
pub struct CoverBought {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The cover.
    pub cover: Pubkey,
    /// Whoever paid the premium.
    pub buyer: Pubkey,
    /// Whoever got the NFT.
    pub receiver: Pubkey,
    /// Sum insured.
    pub sum_insured: u64,
    /// Premium.
    pub premium: u64,
    /// Rate at which the premium is earned, Q32 a second.
    pub rate_q32: u64,
    /// First insured day.
    pub active_day: u32,
    /// First day no longer insured.
    pub end_day: u32,
    /// Level of the demand curve the cover was priced at, basis points.
    pub level_bps: u32,
    /// Exposure of old covers released by the way.
    pub released: u64,
}

/// A cover was given back.
#[event]
pub struct CoverCancelled {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The cover.
    pub cover: Pubkey,
    /// Sum insured that is free again.
    pub sum_insured: u64,
    /// Premium paid back.
    pub refund: u64,
    /// Fee, to the surplus.
    pub fee: u64,
}

/// A cover that could no longer be paid was closed.
#[event]
pub struct CoverClosed {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The cover.
    pub cover: Pubkey,
}

/// A position was sold.
#[event]
pub struct PositionBought {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The position.
    pub position: Pubkey,
    /// Whoever paid the premium and is insured.
    pub owner: Pubkey,
    /// The token account that it pays.
    pub beneficiary: Pubkey,
    /// What the owner knows it by.
    pub reference: [u8; 32],
    /// Sum insured.
    pub sum_insured: u64,
    /// Premium.
    pub premium: u64,
    /// Rate at which the premium is earned, Q32 a second.
    pub rate_q32: u64,
    /// First insured day.
    pub active_day: u32,
    /// First day no longer insured.
    pub end_day: u32,
    /// Level of the demand curve it was priced at, basis points.
    pub level_bps: u32,
    /// Exposure of what had ended, released by the way.
    pub released: u64,
}

/// A position pays another token account.
#[event]
pub struct BeneficiarySet {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The position.
    pub position: Pubkey,
    /// The token account that it pays now.
    pub beneficiary: Pubkey,
}

/// A position was given back.
#[event]
pub struct PositionCancelled {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The position.
    pub position: Pubkey,
    /// Sum insured that is free again.
    pub sum_insured: u64,
    /// Premium paid back.
    pub refund: u64,
    /// Fee, to the surplus.
    pub fee: u64,
}

/// A part of a position was given back.
#[event]
pub struct PositionReduced {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The position.
    pub position: Pubkey,
    /// Sum insured that is free again.
    pub sum_insured: u64,
    /// Premium of it, what it had earned included.
    pub premium: u64,
    /// Rate of it, Q32 a second.
    pub rate_q32: u64,
    /// Premium paid back.
    pub refund: u64,
    /// Fee, to the surplus.
    pub fee: u64,
    /// Sum insured that is left.
    pub left: u64,
}

/// A position was extended.
#[event]
pub struct PositionExtended {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The position.
    pub position: Pubkey,
    /// What the days cost.
    pub premium: u64,
    /// Rate at which what it has still to earn is earned from now on, Q32 a second.
    pub rate_q32: u64,
    /// First day no longer insured, before.
    pub end_day_before: u32,
    /// First day no longer insured.
    pub end_day: u32,
    /// Level of the demand curve it was priced at, basis points.
    pub level_bps: u32,
    /// Exposure of what had ended, released by the way.
    pub released: u64,
}

/// A position was made into a cover, with an NFT: the same policy, for whoever holds that.
#[event]
pub struct PositionConverted {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The position, closed.
    pub position: Pubkey,
    /// The cover.
    pub cover: Pubkey,
    /// Whoever had the position.
    pub owner: Pubkey,
    /// Whoever got the NFT.
    pub receiver: Pubkey,
}

/// A position that could no longer be paid was closed.
#[event]
pub struct PositionClosed {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The position.
    pub position: Pubkey,
}

/// A position was paid.
#[event]
pub struct PositionSettled {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The incident.
    pub incident: Pubkey,
    /// The position.
    pub position: Pubkey,
    /// The token account that was paid.
    pub beneficiary: Pubkey,
    /// Paid for its loss, out of the incident's reserve.
    pub amount: u64,
    /// Premium given back, out of what was set aside for it.
    pub refund: u64,
    /// Whether it was still waiting.
    pub waiting: bool,
    /// Where it stands now.
    pub state: CoverState,
}

/// A print changed a trigger's evidence.
#[event]
pub struct Observed {
    /// The trigger.
    pub trigger: Pubkey,
    /// Price, 1e-8.
    pub price: u64,
    /// Confidence, 1e-8.
    pub confidence: u64,
    /// When the oracle published it.
    pub publish_time: i64,
}

/// What a live feed said was shown. It counts once another showing confirms it; what counts is an `Observed`.
#[event]
pub struct ReadingShown {
    /// The trigger.
    pub trigger: Pubkey,
    /// What the account said, in the units of its feed, rounded up.
    pub level: u64,
    /// What it is measured by: the highest level that counts so far, of vaults the baseline; 0: nothing does.
    pub peak: u64,
    /// The level as a part of that, 1e-8; 0 while there is none.
    pub price: u64,
    /// Slot of the ledger.
    pub slot: u64,
    /// When it was shown.
    pub shown_at: i64,
}

/// The first of two keys armed: what a protocol holds has fallen. Or a deeper fall came while it was.
#[event]
pub struct DropArmed {
    /// The trigger.
    pub trigger: Pubkey,
    /// When it armed: the end of the fall's last slot. Nothing is sold for 14 days.
    pub armed_at: i64,
    /// When the fall began.
    pub event_at: i64,
    /// Lowest mean price of the fall so far, 1e-8.
    pub mean_price: u64,
    /// What it would pay, in basis points of a sum insured.
    pub severity_bps: u16,
}

/// The second of two keys was shown: a report of a loss. What it did is a `PhaseChanged`.
#[event]
pub struct LossReported {
    /// The trigger.
    pub trigger: Pubkey,
    /// The part that is lost, in basis points.
    pub loss_bps: u16,
    /// The moment that the report names.
    pub observed_at: i64,
    /// How many attestors signed it.
    pub signatures: u8,
    /// Whether these are as many as must agree: then the event is proven.
    pub is_confirmed: bool,
}

/// A trigger's phase changed, or its run-on deepened the severity.
#[event]
pub struct PhaseChanged {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The trigger.
    pub trigger: Pubkey,
    /// The product.
    pub product: Pubkey,
    /// Phase before: 0 quiet, 1 breaching, 2 met, 3 triggered, 4 final.
    pub before: u8,
    /// Phase now.
    pub after: u8,
    /// Start of the evidence's first slot, if triggered.
    pub event_at: i64,
    /// Lowest mean price of the evidence so far, 1e-8, if triggered.
    pub mean_price: u64,
    /// What it pays, in basis points of a sum insured, if triggered.
    pub severity_bps: u16,
}

/// An incident was opened; its product is over.
#[event]
pub struct IncidentOpened {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The product.
    pub product: Pubkey,
    /// The incident.
    pub incident: Pubkey,
    /// Start of the event.
    pub event_at: i64,
    /// End of its challenge, or the pool's last accrual if that was later, and of the protection of its covers.
    pub ended_at: i64,
    /// When the severity is final at the latest.
    pub final_at: i64,
    /// Number of its crisis; 0 if nothing is due.
    pub crisis: u32,
    /// Exposure released.
    pub released: u64,
    /// What its gross can become at the most.
    pub most: u64,
    /// From unearned premium, set aside for covers that were waiting.
    pub waiting_refunds: u64,
    /// From unearned premium, set aside until the severity is final.
    pub set_aside: u64,
    /// What the product's covers had earned, and how it was shared out: all of it comes from unearned premium.
    pub accrual: Accrual,
    /// What its covers are due so far; if that is final, premium that was set aside is given back with it.
    pub growth: Growth,
}

/// An incident's covers are due more, or its severity is final.
#[event]
pub struct IncidentGrown {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The incident.
    pub incident: Pubkey,
    /// What changed. Refunds, and what was shared out, come from the premium that was set aside.
    pub growth: Growth,
}

/// An incident was given its part of what there is.
#[event]
pub struct IncidentFunded {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The incident.
    pub incident: Pubkey,
    /// How much, and where it came from.
    pub giving: Giving,
}

/// A crisis was closed: what there is for its incidents is fixed, but for money that comes late.
#[event]
pub struct CrisisClosed {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// What that did.
    pub closing: CrisisClosing,
}

/// The deadline of an incident moved, because its pool's vault is frozen.
#[event]
pub struct DeadlineExtended {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The incident.
    pub incident: Pubkey,
    /// Until when its covers can be paid now.
    pub deadline: i64,
}

/// A cover was paid.
#[event]
pub struct CoverSettled {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The incident.
    pub incident: Pubkey,
    /// The cover.
    pub cover: Pubkey,
    /// The NFT's holder.
    pub holder: Pubkey,
    /// Paid for its loss, out of the incident's reserve.
    pub amount: u64,
    /// Premium given back, out of what was set aside for it.
    pub refund: u64,
    /// Whether the cover was still waiting.
    pub waiting: bool,
    /// Where the cover stands now.
    pub state: CoverState,
}

/// An incident was closed. What its treaties had come to owe it and had not paid is owed no longer.
#[event]
pub struct IncidentClosed {
    /// The pool.
    pub pool: Pubkey,
    /// The event's number in the pool.
    pub sequence: u64,
    /// The incident.
    pub incident: Pubkey,
    /// What was left of its reserve, moved to the surplus.
    pub reserve: u64,
    /// What was left of the premium set aside, moved to the surplus.
    pub refunds: u64,
    /// What was left of its crisis, if it was the last of it, moved to the surplus.
    pub bucket: u64,
}

/// A treaty was announced.
#[event]
pub struct TreatyCreated {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// The event's number in the pool that cedes.
    pub cedant_sequence: u64,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// The event's number in the pool that reinsures.
    pub reinsurer_sequence: u64,
    /// Its terms, which never change; commuting ends the term early.
    pub terms: TreatyTerms,
    /// When its notice ends.
    pub notice_until: i64,
}

/// A treaty is in force.
#[event]
pub struct TreatyAccepted {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// The event's number in the pool that cedes.
    pub cedant_sequence: u64,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// The event's number in the pool that reinsures.
    pub reinsurer_sequence: u64,
    /// Premium paid for the term, from surplus to unearned premium.
    pub premium: u64,
    /// Rate at which it is earned, Q32 a second.
    pub rate_q32: u64,
}

/// Quota-share premium was handed over.
#[event]
pub struct TreatyPremiumSettled {
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// The event's number in the pool that cedes.
    pub cedant_sequence: u64,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// The event's number in the pool that reinsures.
    pub reinsurer_sequence: u64,
    /// From the cedant's payable to the reinsurer's unearned premium.
    pub amount: u64,
    /// Rate at which it is earned, Q32 a second.
    pub rate_q32: u64,
    /// When it is earned.
    pub end_day: u32,
}

/// A treaty paid for an incident.
#[event]
pub struct TreatyCalled {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// The event's number in the pool that cedes.
    pub cedant_sequence: u64,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// The event's number in the pool that reinsures.
    pub reinsurer_sequence: u64,
    /// The incident.
    pub incident: Pubkey,
    /// What it owed.
    pub owed: u64,
    /// What the reinsurer lost.
    pub paid: u64,
    /// What of the limit was restored.
    pub restored: u64,
    /// What that cost: it stays with the reinsurer as unearned premium, the cedant gets the rest.
    pub reinstatement_premium: u64,
    /// Where the rest went.
    pub receipt: Receipt,
    /// Where the reinsurer's loss came from. The rest of what it paid was premium, unearned until then, of the limit that
    /// the payment used.
    pub losses: LossByLayer,
}

/// A treaty ended and its limit was released.
#[event]
pub struct TreatyEnded {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// The event's number in the pool that cedes.
    pub cedant_sequence: u64,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// The event's number in the pool that reinsures.
    pub reinsurer_sequence: u64,
}

/// A treaty's term was ended by agreement.
#[event]
pub struct TreatyCommuted {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// The event's number in the pool that cedes.
    pub cedant_sequence: u64,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// The event's number in the pool that reinsures.
    pub reinsurer_sequence: u64,
    /// First day after the term.
    pub end_day: u32,
    /// Unearned premium, back to the cedant's surplus.
    pub returned: u64,
}

/// A transfer of surplus was announced.
#[event]
pub struct CessionAnnounced {
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// The event's number in the pool that cedes.
    pub cedant_sequence: u64,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// The event's number in the pool that reinsures.
    pub reinsurer_sequence: u64,
    /// Surplus to move.
    pub amount: u64,
    /// When it may be moved.
    pub from: i64,
    /// When the announcement is void.
    pub until: i64,
}

/// Surplus moved to a reinsurance pool.
#[event]
pub struct SurplusCeded {
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// The event's number in the pool that cedes.
    pub cedant_sequence: u64,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// The event's number in the pool that reinsures.
    pub reinsurer_sequence: u64,
    /// Assets.
    pub amount: u64,
}

/// An announcement of surplus was closed unused.
#[event]
pub struct CessionClosed {
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// The event's number in the pool that cedes.
    pub cedant_sequence: u64,
}
