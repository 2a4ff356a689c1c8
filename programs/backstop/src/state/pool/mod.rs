//! A pool: its account and the sum that its books must give. Its rules are in rooms, one a subject.
//!
//! Every change of money goes through a method here that moves amounts between ledger entries; [`Pool::invariant`]
//! says that none was lost or made.

mod capital;
mod crisis;
mod exits;
mod exposure;
mod health;
mod premium;
mod terms;
mod tranche;
mod treaties;

pub use capital::*;
pub use crisis::*;
pub use exits::*;
pub use exposure::*;
pub use health::*;
pub use premium::*;
pub use terms::*;
pub use tranche::*;
pub use treaties::*;

use crate::constants::*;
use crate::error::BackstopError;
use crate::state::ledger::{sum_of_all, sum_of_shorts};
use anchor_lang::prelude::*;

/// A pool of capital in one asset.
#[account(zero_copy)]
#[derive(Debug, PartialEq, Eq)]
pub struct Pool {
    /// The asset's mint.
    pub asset_mint: Pubkey,
    /// The pool's token account.
    pub vault: Pubkey,
    /// Share mints of the current series, by tranche.
    pub share_mints: [Pubkey; 2],
    /// Whoever admits depositors, if access is by allow-list.
    pub deposit_authority: Pubkey,
    /// Whoever paid the rent of the pool.
    pub rent_payer: Pubkey,

    /// Terms fixed at creation.
    pub terms: PoolTerms,
    /// The pool's id within its asset.
    pub id: u16,
    /// Products announced so far.
    pub products: u16,
    /// Longest trigger ring of the pool's products, in days.
    pub ring_days: u16,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// Bump of the vault's address.
    pub vault_bump: u8,
    /// [`PoolKind`] as a number.
    pub kind: u8,
    /// [`Access`] as a number.
    pub access: u8,
    /// Decimals of the asset.
    pub asset_decimals: u8,
    /// 1 once somebody has entrusted something to the pool, to whom notice is given from then on: shares were issued, a
    /// cover sold, a treaty accepted on either side, or surplus received (of contributions the least first deposit).
    pub in_use: u8,
    /// Unused.
    pub padding: [u8; 3],
    /// Ticker of the asset as shown in names, padded with zeros.
    pub label: [u8; 16],
    /// Where wallets find the file that shows the pool's shares, padded with zeros.
    pub uri: [u8; MAX_URI],

    /// Everything the books say the vault holds, in asset units.
    pub cash: u64,
    /// Protocol-owned capital, first to absorb losses.
    pub surplus: u64,
    /// The two tranches.
    pub tranches: [TrancheBook; 2],
    /// Premium received and not earned yet.
    pub unearned_premium: u64,
    /// Premium of covers that an incident ended, to be given back to their holders.
    pub premium_refunds: u64,
    /// Premium of covers that an incident ended, until it is known how much of it is given back.
    pub set_aside: u64,
    /// Given to incidents for their covers and not paid yet.
    pub incident_reserves: u64,
    /// What closed crises have for their incidents and have not given them yet.
    pub crisis_buckets: u64,
    /// Set aside for exits that were settled.
    pub exit_reserves: u64,
    /// Premium earned and not yet handed to the reinsurer, of each quota share in force.
    pub treaty_payable: [u64; MAX_QUOTA_SHARES],

    /// Unix second up to which premium was accrued.
    pub accrued_at: i64,
    /// Since when accrual stands: since the alerts hold the pool, or did before the crisis that is open; 0 while neither
    /// does.
    pub stands_since: i64,
    /// Since when the alerts hold the pool, being more than small; 0 while they do not.
    pub alerts_since: i64,
    /// Alerts of the pool so far: each has a number.
    pub alert_seq: u64,
    /// Part of the unearned premium that covers have earned which were cancelled while accrual stood.
    pub held_back_premium: u64,
    /// When the number of alerts that are more than breaching last rose from zero; 0 while there is none.
    pub due_since: i64,
    /// What has asked to leave on `capital_day`, in asset units.
    pub asked_today: u64,
    /// Exposure of all products, in asset units.
    pub total_exposure: u64,
    /// Required capital, renewed whenever exposure, or a limit that the pool stands behind, changes, in asset units.
    pub required: u64,
    /// Exposure by risk group, in asset units.
    pub group_exposures: [u64; RISK_GROUPS],
    /// Exposure of the products in alert, in asset units.
    pub alert_exposure: u64,
    /// Products in alert.
    pub alerts: u32,
    /// Products in alert that are more than breaching: met, or triggered and without an incident.
    pub alerts_due: u32,
    /// First UTC day on which no cover sold so far is in force any more.
    pub last_cover_end_day: u32,
    /// Oldest unfilled exit epoch; 0 when the queue is empty.
    pub oldest_exit_day: u32,
    /// Newest exit epoch of the queue; 0 when the queue is empty.
    pub newest_exit_day: u32,
    /// Treaties announced so far: of a pool that cedes the next treaty's id, of one that reinsures those that it may come
    /// to stand behind.
    pub treaties: u16,
    /// Products that have been given their condition so far.
    pub conditions: u16,
    /// Newest UTC day in `capital_lows`.
    pub capital_day: u32,
    /// First UTC day on which no reading's cover is in force any more; 0 without any.
    pub readings_end_day: u32,
    /// The crisis that is open.
    pub crisis: CrisisBook,
    /// The days from the oldest to the newest epoch that have one: bit `day % 64` of word `day / 64 % 16`.
    pub exit_days: [u64; EXIT_QUEUE_WORDS],
    /// The quota shares in force, by the beginning of their terms, which have no second in common.
    pub quota_shares: [QuotaShareInForce; MAX_QUOTA_SHARES],
    /// The excess-of-loss layers in force, upward by attachment.
    pub layers: [LayerInForce; MAX_LAYERS],
    /// The treaties that this pool stands behind.
    pub inward: [InwardTreaty; MAX_INWARD_TREATIES],
    /// Fraction of an asset unit of earned premium that is the surplus's and not booked, in basis points.
    pub surplus_fraction_bps: u64,
    /// Fraction of an asset unit of earned premium that is the junior tranche's and not booked, Q64.
    pub junior_fraction_q64: u64,
    /// Fraction of an asset unit of earned premium that is the senior tranche's and not booked, Q64.
    pub senior_fraction_q64: u64,
    /// Fraction of an asset unit of a tranche's premium that falls on what is exiting and is not booked, junior and senior,
    /// Q64.
    pub exiting_fractions_q64: [u64; 2],
    /// Fraction of an asset unit of earned premium that is the quota share's and not booked, in parts of 100,000,000.
    pub ceded_fraction_e8: u64,
    /// Number of the last event of this pool; the first has 1. See [`crate::events`].
    pub events: u64,
    /// Products in alert, by risk group.
    pub group_alerts: [u16; RISK_GROUPS],
    /// Exposure of the products in alert, by risk group, in asset units.
    pub group_alert_exposures: [u64; RISK_GROUPS],
    /// Premium that what stays in the tranches has earned since the pool began, junior and senior, in asset units; never
    /// less.
    pub earned: [u64; 2],
    /// The same at the end of each of the last days on which something was earned, by day modulo 32.
    pub earned_marks: [EarnedMark; EARNED_MARKS],
    /// Lowest staying capital of each of the last days, by day modulo 32, in asset units.
    pub capital_lows: [u64; CAPITAL_LOWS],
    /// The same, if what asks to leave on a day counts until its end.
    pub unasked_lows: [u64; CAPITAL_LOWS],
    /// Required capital when accrual began to stand, in asset units: it says who earns what stood.
    pub stood_required: u64,
    /// Exposure when accrual began to stand, in asset units.
    pub stood_exposure: u64,
    /// When accrual last ceased to stand; the end of time while it stands. What was earned before goes by the two figures
    /// above.
    pub stood_until: i64,
    /// The alerts that run, in no order; of more at once than it has room for the rest is not kept.
    pub running_alerts: [RunningAlert; RUNNING_ALERTS],
    /// Part of the unearned premium that is of readings: none of it is earned before they are resolved.
    pub flat_premium: u64,
    /// Exposure of readings that are not resolved, in asset units.
    pub reading_exposure: u64,
    /// From when on capital neither comes nor leaves while readings are exposed, in unix seconds: the earliest moment at
    /// which one of the pool's readings takes no more covers. 0 without any.
    pub locks_from: i64,
    /// Room for later fields.
    pub reserved: [u64; 3],

    /// Rate at which premium is earned now, in Q32 asset units a second.
    pub rate_q32: u64,
    /// Fraction of an asset unit earned and not booked, Q32.
    pub fraction_q32: u64,
    /// Rate of covers that are not insured yet, in Q32 asset units a second: the sum of what is to start.
    pub waiting_rate_q32: u64,
    /// Rate that starts at the start of each UTC day, by day modulo 32.
    pub rate_starts: [u64; START_BUCKETS],
    /// Rate that ends at the start of each UTC day, by day modulo 512.
    pub rate_ends: [u64; DAY_BUCKETS],
}

const _: () = assert!(core::mem::size_of::<Pool>() == 8_696);
const _: () = assert!(core::mem::align_of::<Pool>() <= 8);

in_place_account!(Pool { kind: PoolKind, access: Access });

impl Pool {
    /// Bytes of the account, discriminator included.
    pub const SPACE: usize = 8 + core::mem::size_of::<Pool>();

    /// The number of an event that is about to be reported: one more than that of the one before.
    #[inline(always)]
    pub fn number_event(&mut self) -> u64 {
        self.events = self.events.saturating_add(1);
        self.events
    }

    /// Refuses if the books do not add up.
    pub fn invariant(&self) -> Result<()> {
        let [junior, senior] = &self.tranches;
        let [first_treaty, second_treaty] = self.treaty_payable;
        let entries = [
            self.surplus,
            junior.assets,
            junior.exiting,
            senior.assets,
            senior.exiting,
            self.unearned_premium,
            self.premium_refunds,
            self.set_aside,
            self.incident_reserves,
            self.crisis_buckets,
            self.crisis.recovered,
            self.exit_reserves,
            first_treaty,
            second_treaty,
            0,
            0,
        ];
        ensure!(sum_of_all(&entries) == Some(self.cash), BackstopError::InvariantViolated);
        let exposure = sum_of_all(&self.group_exposures);
        ensure!(exposure == Some(self.total_exposure), BackstopError::InvariantViolated);
        ensure!(self.alert_exposure <= self.total_exposure, BackstopError::InvariantViolated);
        if self.alert_exposure > 0 {
            let alerts = sum_of_all(&self.group_alert_exposures);
            ensure!(alerts == Some(self.alert_exposure), BackstopError::InvariantViolated);
        }
        let alerts = sum_of_shorts(bytemuck::cast(self.group_alerts));
        ensure!(alerts == u64::from(self.alerts), BackstopError::InvariantViolated);
        // Assets have shares that own them, and what is exiting has units.
        let owned = |book: &TrancheBook| (book.shares > 0 || book.assets == 0) && (book.units > 0 || book.exiting == 0);
        ensure!(owned(junior) && owned(senior), BackstopError::InvariantViolated);
        Ok(())
    }
}
