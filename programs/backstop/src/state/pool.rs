//! A pool: its terms, its ledger, its premium stream, its exit queue, its alerts and its funding rounds.
//!
//! Every change of money goes through a method here that moves amounts between ledger entries; [`Pool::invariant`]
//! says that none was lost or made.

use crate::constants::*;
use crate::cpi::mint::Metadata;
use crate::error::BackstopError;
use crate::math::rounding::{BPS, Rounding, div, halves, mul_div, wide};
use crate::math::{capital, exits, losses, shares, stream};
use crate::peril::AlertLevel;
use crate::state::ledger::{bucket_mut, credit, debit, fits};
use crate::state::{ExitEpoch, day_of, day_start, get_text};
use anchor_lang::prelude::*;

stored_enum! {
    /// What a pool stands behind.
    pub enum PoolKind {
        /// Products; it may cede.
        Cover = 0,
        /// Treaties of cover pools.
        Reinsurance = 1,
    }
}

stored_enum! {
    /// Who may deposit into a pool.
    pub enum Access {
        /// Everybody.
        Open = 0,
        /// Whoever brings the deposit authority's signature.
        AllowList = 1,
        /// Nobody: the pool is fed by its surplus alone.
        ProtocolOnly = 2,
    }
}

stored_enum! {
    /// A class of a pool's capital. Junior absorbs losses before senior.
    pub enum Tranche {
        /// Absorbs losses after the surplus; earns with its weight.
        Junior = 0,
        /// Absorbs losses last.
        Senior = 1,
    }
}

impl Tranche {
    /// Both tranches, in the order of their losses.
    pub const BOTH: [Tranche; 2] = Tranche::ALL;

    /// Position in arrays by tranche.
    pub const fn index(self) -> usize {
        match self {
            Tranche::Junior => 0,
            Tranche::Senior => 1,
        }
    }

    /// The seed byte of the tranche.
    pub const fn seed(self) -> u8 {
        self.byte()
    }

    /// The word that share mints and events show.
    pub const fn name(self) -> &'static str {
        match self {
            Tranche::Junior => "Junior",
            Tranche::Senior => "Senior",
        }
    }
}

/// The terms of a pool, fixed when it is created.
#[zero_copy]
#[derive(borsh::BorshSerialize, borsh::BorshDeserialize, Debug, PartialEq, Eq)]
pub struct PoolTerms {
    /// Least first deposit of a tranche, in asset units: makes the first-depositor attack unprofitable.
    pub min_first_deposit: u64,
    /// Least value of an exit ticket, in asset units, unless the whole holding leaves.
    pub min_ticket: u64,
    /// Least sum insured of a cover, in asset units.
    pub min_sum_insured: u64,
    /// Seconds between a request to leave and the day that pays it.
    pub cooldown_seconds: u32,
    /// Capital asked for per unit of required capital, in basis points (10,000 = once).
    pub solvency_bps: u32,
    /// Highest exposure per unit of capital, in basis points (10,000 = once).
    pub max_leverage_bps: u32,
    /// Weight of junior capital against senior when premium is shared, in basis points (10,000 = the same).
    pub junior_weight_bps: u32,
    /// Correlation between risk groups, in basis points (10,000 = full collateral).
    pub rho_bps: u16,
    /// Highest part of required capital that a quota share may stand in for, in basis points.
    pub max_credit_bps: u16,
    /// Part of earned premium that goes to the surplus, in basis points.
    pub surplus_bps: u16,
    /// Highest exposure of one risk group, as a part of own capital in basis points.
    pub group_cap_bps: u16,
}

impl PoolTerms {
    /// Refuses terms outside the hard bounds.
    pub fn validate(&self) -> Result<()> {
        let cooldown = i64::from(self.cooldown_seconds);
        let smallest = [self.min_first_deposit, self.min_ticket, self.min_sum_insured];
        let in_bounds =
            smallest.iter().all(|least| (MIN_SMALLEST_AMOUNT..=capital::MAX_TOTAL_EXPOSURE).contains(least))
                && (MIN_COOLDOWN..=MAX_COOLDOWN).contains(&cooldown)
                && (MIN_BPS..=MAX_SOLVENCY_BPS).contains(&self.solvency_bps)
                && (MIN_BPS..=MAX_LEVERAGE_BPS).contains(&self.max_leverage_bps)
                && (MIN_BPS..=MAX_JUNIOR_WEIGHT_BPS).contains(&self.junior_weight_bps)
                && u64::from(self.rho_bps) <= BPS
                && self.max_credit_bps <= MAX_CREDIT_BPS
                && self.surplus_bps <= MAX_SURPLUS_BPS
                && (1..=BPS).contains(&u64::from(self.group_cap_bps));
        ensure!(in_bounds, BackstopError::OutOfBounds);
        Ok(())
    }
}

/// The books of one tranche.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TrancheBook {
    /// Capital that stays, in asset units: earns premium, absorbs losses.
    pub assets: u64,
    /// Capital that has asked to leave, in asset units: absorbs losses, earns nothing.
    pub exiting: u64,
    /// Shares issued and not burnt by the program; holders may have burnt some themselves.
    pub shares: u64,
    /// Exit units of the open parts of all tickets.
    pub units: u64,
    /// Number of the tranche's share mint.
    pub series: u8,
    /// 1 once the series was wiped out and no new one is open.
    pub wiped_out: u8,
    /// Unused.
    pub padding: [u8; 6],
}

impl TrancheBook {
    /// Everything in the tranche that absorbs losses, in asset units.
    pub fn total(&self) -> u64 {
        self.assets.saturating_add(self.exiting)
    }

    /// What a number of shares is worth now, in asset units, rounded down.
    pub fn worth_of_shares(&self, amount: u64) -> Result<u64> {
        Ok(shares::worth(amount, self.shares, self.assets).ok_or(BackstopError::MathOverflow)?)
    }

    /// What a number of exit units is worth now, in asset units, rounded down; nothing once the series is over.
    pub fn worth_of_units(&self, units: u64) -> Result<u64> {
        if self.units == 0 {
            return Ok(0);
        }
        Ok(shares::worth(units, self.units, self.exiting).ok_or(BackstopError::MathOverflow)?)
    }
}

/// Decimals of a share mint: the asset's and three more.
pub fn share_decimals(asset_decimals: u8) -> u8 {
    asset_decimals.saturating_add(SHARE_EXTRA_DECIMALS)
}

/// What a wallet shows of a share mint: "Backstop USDC 0 Senior", "bUSDC-S"; later series count up: "Backstop USDC 0
/// Senior 2".
pub fn share_metadata(label: &[u8], id: u16, tranche: Tranche, series: u8) -> Metadata {
    let label = get_text(label);
    let word = tranche.name();
    let initial = word.get(..1).unwrap_or(word);
    let ordinal = u16::from(series).saturating_add(1);
    let series = if series == 0 { String::new() } else { format!(" {ordinal}") };
    Metadata {
        name: format!("Backstop {label} {id} {word}{series}"),
        symbol: format!("b{label}-{initial}"),
        uri: String::new(),
        fields: Vec::new(),
    }
}

/// The quota share in force of a cover pool; all zero when there is none.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct QuotaShareInForce {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// What the treaty can still pay, in asset units.
    pub limit_left: u64,
    /// First second of the term.
    pub start: i64,
    /// First second after the term.
    pub end: i64,
    /// Part of premium and loss that is ceded, in basis points.
    pub cession_bps: u16,
    /// Part of the ceded premium that the cedant keeps, in basis points.
    pub commission_bps: u16,
    /// Unused.
    pub padding: [u8; 4],
}

/// An excess-of-loss layer in force of a cover pool; all zero when the place is free.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LayerInForce {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that reinsures.
    pub reinsurer: Pubkey,
    /// Net loss of an incident from which the layer pays, in asset units.
    pub attachment: u64,
    /// The layer's height above its attachment, in asset units.
    pub limit: u64,
    /// First second of the term.
    pub start: i64,
    /// First second after the term.
    pub end: i64,
}

/// A treaty that a reinsurance pool stands behind; all zero when the place is free.
#[zero_copy]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct InwardTreaty {
    /// The treaty.
    pub treaty: Pubkey,
    /// The pool that cedes.
    pub cedant: Pubkey,
    /// Open limit that capital is held for, in asset units.
    pub limit: u64,
}

/// Incidents whose treaties were called, on their way to be funded together.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct FundingQueue {
    /// Net losses of the incidents that wait for the next round, in asset units.
    pub waiting_net: u64,
    /// Exposure of their products, in asset units.
    pub waiting_exposure: u64,
    /// When the oldest of them was opened.
    pub oldest_opened_at: i64,
    /// Capital when the round in progress began, in asset units.
    pub round_capital: u64,
    /// Net losses of the round in progress, in asset units.
    pub round_net: u64,
    /// Number of the round that waiting incidents will join.
    pub next_round: u32,
    /// How many incidents wait.
    pub waiting: u32,
    /// Incidents of the round in progress that are not funded yet.
    pub round_left: u32,
    /// Unused.
    pub padding: [u8; 4],
}

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
    /// Products created so far: the next product's id.
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
    /// 1 once shares were issued or a cover was sold: from then on there is capital or a holder to give notice to.
    pub in_use: u8,
    /// Unused.
    pub padding: [u8; 3],
    /// Ticker of the asset as shown in names, padded with zeros.
    pub label: [u8; 16],

    /// Everything the books say the vault holds, in asset units.
    pub cash: u64,
    /// Protocol-owned capital, first to absorb losses.
    pub surplus: u64,
    /// The two tranches.
    pub tranches: [TrancheBook; 2],
    /// Premium received and not earned yet.
    pub unearned_premium: u64,
    /// Set aside for covers of funded incidents, and reinsurance received for open ones.
    pub incident_reserves: u64,
    /// Set aside for exits that were settled.
    pub exit_reserves: u64,
    /// Quota-share premium earned and not yet handed to the reinsurer.
    pub treaty_payable: u64,

    /// Unix second up to which premium was accrued.
    pub accrued_at: i64,
    /// Own capital without exiting value at the last day boundary, as the books stood when that day was first touched;
    /// less if capital has left since and other capital has come in.
    pub capital_at_day: u64,
    /// Exposure of all products, in asset units.
    pub total_exposure: u64,
    /// Exposure by risk group, in asset units.
    pub group_exposures: [u64; RISK_GROUPS],
    /// Exposure of the products in alert, in asset units.
    pub alert_exposure: u64,
    /// Products in alert.
    pub alerts: u32,
    /// Products in alert that are more than breaching: met, or triggered and not funded.
    pub alerts_due: u32,
    /// First UTC day on which no cover sold so far is in force any more.
    pub last_cover_end_day: u32,
    /// Oldest unfilled exit epoch; 0 when the queue is empty.
    pub oldest_exit_day: u32,
    /// Newest exit epoch of the queue; 0 when the queue is empty.
    pub newest_exit_day: u32,
    /// Treaties of this pool as cedant so far: the next treaty's id.
    pub treaties: u16,
    /// Unused.
    pub padding2: [u8; 2],
    /// Incidents on their way to be funded.
    pub funding: FundingQueue,
    /// The quota share in force.
    pub quota_share: QuotaShareInForce,
    /// The excess-of-loss layers in force, upward by attachment.
    pub layers: [LayerInForce; MAX_LAYERS],
    /// The treaties that this pool stands behind.
    pub inward: [InwardTreaty; MAX_INWARD_TREATIES],
    /// Fraction of an asset unit of earned premium that is the surplus's and not booked, in basis points.
    pub surplus_fraction_bps: u64,
    /// Fraction of an asset unit of earned premium that is the junior tranche's and not booked, Q64.
    pub junior_fraction_q64: u64,
    /// Fraction of an asset unit of earned premium that is the quota share's and not booked, in parts of 100,000,000.
    pub ceded_fraction_e8: u64,
    /// Room for later fields.
    pub reserved: [u64; 29],

    /// Rate at which premium is earned now, in Q32 asset units a second.
    pub rate_q32: u64,
    /// Fraction of an asset unit earned and not booked, Q32.
    pub fraction_q32: u64,
    /// Rate that ends at the start of each UTC day, by day modulo 512.
    pub rate_ends: [u64; DAY_BUCKETS],
}

const _: () = assert!(core::mem::size_of::<Pool>() == 6_064);
const _: () = assert!(core::mem::align_of::<Pool>() <= 8);

in_place_account!(Pool { kind: PoolKind, access: Access });

/// What an accrual moved, in asset units.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accrual {
    /// Premium earned, the sum of the following.
    pub earned: u64,
    /// To the quota share's reinsurer.
    pub ceded: u64,
    /// To the surplus.
    pub surplus: u64,
    /// To the junior tranche.
    pub junior: u64,
    /// To the senior tranche.
    pub senior: u64,
}

impl Accrual {
    fn add(&mut self, other: &Accrual) -> Option<()> {
        self.earned = self.earned.checked_add(other.earned)?;
        self.ceded = self.ceded.checked_add(other.ceded)?;
        self.surplus = self.surplus.checked_add(other.surplus)?;
        self.junior = self.junior.checked_add(other.junior)?;
        self.senior = self.senior.checked_add(other.senior)?;
        Some(())
    }
}

/// What a request to leave does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Value that moves from `assets` to `exiting`.
    pub value: u64,
    /// Exit units it becomes.
    pub units: u64,
    /// Dust that the last shares leave behind, moved to the surplus.
    pub to_surplus: u64,
}

/// What taking a request to leave back does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelledExit {
    /// Value that moves from `exiting` to `assets`.
    pub value: u64,
    /// Shares it becomes.
    pub shares: u64,
    /// Dust that the last exit units leave behind, moved to the surplus.
    pub to_surplus: u64,
}

/// How a loss fell on the layers, in asset units.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossByLayer {
    /// Taken from the surplus.
    pub surplus: u64,
    /// Taken from the junior tranche's staying capital.
    pub junior_assets: u64,
    /// Taken from the junior tranche's exiting capital.
    pub junior_exiting: u64,
    /// Taken from the senior tranche's staying capital.
    pub senior_assets: u64,
    /// Taken from the senior tranche's exiting capital.
    pub senior_exiting: u64,
    /// What was left of a junior tranche that was wiped out, moved to the surplus.
    pub junior_wiped: u64,
    /// What was left of a senior tranche that was wiped out, moved to the surplus.
    pub senior_wiped: u64,
    /// Whether the loss wiped the junior tranche out: its shares and exit units are worth nothing any more.
    pub junior_over: bool,
    /// Whether the loss wiped the senior tranche out.
    pub senior_over: bool,
}

/// How an exit epoch was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochPayment {
    /// Asset units set aside, by tranche.
    pub paid: [u64; 2],
    /// Exit units closed, by tranche.
    pub closed_units: [u64; 2],
    /// What exit units without owner left behind, moved to the surplus, by tranche.
    pub to_surplus: [u64; 2],
}

impl Pool {
    /// Bytes of the account, discriminator included.
    pub const SPACE: usize = 8 + core::mem::size_of::<Pool>();
    // ---- reading ----

    /// What the pool stands behind.
    pub fn kind(&self) -> PoolKind {
        PoolKind::stored(self.kind)
    }

    /// Who may deposit.
    pub fn access(&self) -> Access {
        Access::stored(self.access)
    }

    /// The books of one tranche.
    pub fn tranche(&self, tranche: Tranche) -> &TrancheBook {
        let [junior, senior] = &self.tranches;
        match tranche {
            Tranche::Junior => junior,
            Tranche::Senior => senior,
        }
    }

    /// The books of one tranche, to change.
    pub fn tranche_mut(&mut self, tranche: Tranche) -> &mut TrancheBook {
        let [junior, senior] = &mut self.tranches;
        match tranche {
            Tranche::Junior => junior,
            Tranche::Senior => senior,
        }
    }

    /// The current share mint of a tranche.
    pub fn share_mint(&self, tranche: Tranche) -> Pubkey {
        let [junior, senior] = self.share_mints;
        match tranche {
            Tranche::Junior => junior,
            Tranche::Senior => senior,
        }
    }

    /// Surplus and both tranches without what has asked to leave, in asset units.
    pub fn staying_capital(&self) -> Result<u64> {
        let [junior, senior] = &self.tranches;
        fits(self.surplus.checked_add(junior.assets).and_then(|sum| sum.checked_add(senior.assets)))
    }

    /// Everything that absorbs losses: surplus and both tranches with what has asked to leave, in asset units.
    pub fn loss_capital(&self) -> Result<u64> {
        let [junior, senior] = &self.tranches;
        fits(self.surplus.checked_add(junior.total()).and_then(|sum| sum.checked_add(senior.total())))
    }

    /// Required capital: the square-root rule over risk groups, or all open limits of a reinsurance pool.
    pub fn required_capital(&self) -> Result<u64> {
        match self.kind() {
            PoolKind::Cover => fits(capital::required(&self.group_exposures, self.terms.rho_bps)),
            PoolKind::Reinsurance => self.open_limits(),
        }
    }

    /// Sum of the limits that this pool stands behind, in asset units.
    pub fn open_limits(&self) -> Result<u64> {
        fits(self.inward.iter().try_fold(0u64, |sum, treaty| sum.checked_add(treaty.limit)))
    }

    /// What the quota share stands in for, if its term has begun and ends after the last live cover.
    pub fn reinsurance_credit(&self, required: u64, now: i64) -> u64 {
        let treaty = &self.quota_share;
        if treaty.limit_left == 0 || now < treaty.start || treaty.end < day_start(self.last_cover_end_day) {
            return 0;
        }
        capital::quota_share_credit(treaty.limit_left, treaty.cession_bps, required, self.terms.max_credit_bps)
    }

    /// Capital that must stay in the pool, for its required capital and its leverage.
    pub fn must_stay(&self, required: u64) -> Result<u64> {
        fits(self.requirement(required).must_stay())
    }

    fn requirement(&self, required: u64) -> capital::Requirement {
        capital::Requirement {
            required,
            total_exposure: self.total_exposure,
            solvency_bps: self.terms.solvency_bps,
            max_leverage_bps: self.terms.max_leverage_bps,
        }
    }

    /// Refuses if the pool, without what has asked to leave, is below its required capital.
    pub fn require_solvent(&self, now: i64) -> Result<()> {
        let required = self.required_capital()?;
        let available = self.staying_capital()?.saturating_add(self.reinsurance_credit(required, now));
        ensure!(available >= self.must_stay(required)?, BackstopError::BelowRequiredCapital);
        Ok(())
    }

    /// Refuses while a product of the pool is in alert.
    pub fn require_no_alert(&self) -> Result<()> {
        ensure!(self.alerts == 0, BackstopError::PoolInAlert);
        Ok(())
    }

    /// Refuses while an exit epoch past its day is unfilled.
    pub fn require_no_exits_waiting(&self, now: i64) -> Result<()> {
        let waiting = self.oldest_exit_day != 0 && self.oldest_exit_day < day_of(now);
        ensure!(!waiting, BackstopError::ExitsWaiting);
        Ok(())
    }

    /// When something announced now may begin: at once in a pool that nobody has entrusted anything to, else after the
    /// cooldown and three days.
    pub fn notice_ends_at(&self, now: i64) -> i64 {
        if self.in_use == 0 {
            return now;
        }
        now.saturating_add(i64::from(self.terms.cooldown_seconds)).saturating_add(NOTICE_MARGIN)
    }

    /// Capital that caps are counted in: own staying capital, the lowest of now, the last day boundary and the moments
    /// at which capital came in since, so that a deposit does not make cover cheaper at once.
    pub fn capacity_capital(&self) -> Result<u64> {
        Ok(self.staying_capital()?.min(self.capital_at_day))
    }

    /// Refuses if the books do not add up.
    pub fn invariant(&self) -> Result<()> {
        let [junior, senior] = &self.tranches;
        let entries = [
            self.surplus,
            junior.assets,
            junior.exiting,
            senior.assets,
            senior.exiting,
            self.unearned_premium,
            self.incident_reserves,
            self.exit_reserves,
            self.treaty_payable,
        ];
        let sum = entries.iter().try_fold(0u64, |sum, entry| sum.checked_add(*entry));
        ensure!(sum == Some(self.cash), BackstopError::InvariantViolated);
        let exposure = self.group_exposures.iter().try_fold(0u64, |sum, group| sum.checked_add(*group));
        ensure!(exposure == Some(self.total_exposure), BackstopError::InvariantViolated);
        ensure!(self.alert_exposure <= self.total_exposure, BackstopError::InvariantViolated);
        // Assets have shares that own them, and what is exiting has units.
        let owned = |book: &TrancheBook| (book.shares > 0 || book.assets == 0) && (book.units > 0 || book.exiting == 0);
        ensure!(owned(junior) && owned(senior), BackstopError::InvariantViolated);
        Ok(())
    }

    /// Keeps capital that is about to come in from counting for capacity today: before the next day boundary cover is
    /// sold as if it had not come.
    pub(crate) fn hold_capacity(&mut self) -> Result<()> {
        self.capital_at_day = self.capacity_capital()?;
        Ok(())
    }

    // ---- premium stream ----

    /// Earns premium up to `now` and shares it out. A clock behind the last accrual changes nothing.
    pub fn accrue(&mut self, now: i64) -> Result<Accrual> {
        let mut total = Accrual::default();
        if now <= self.accrued_at {
            return Ok(total);
        }
        if day_of(now) > day_of(self.accrued_at) {
            self.capital_at_day = self.staying_capital()?;
        }
        // What is ceded changes where the quota share begins and ends.
        for until in [self.quota_share.start, self.quota_share.end, now] {
            if until > self.accrued_at && until <= now {
                let step = self.accrue_step(until)?;
                fits(total.add(&step))?;
            }
        }
        Ok(total)
    }

    fn accrue_step(&mut self, until: i64) -> Result<Accrual> {
        let from = self.accrued_at;
        self.accrued_at = until;
        let walk = fits(stream::accrue(self.rate_q32, self.fraction_q32, from, until, &mut self.rate_ends))?;
        self.rate_q32 = walk.rate_q32;
        self.fraction_q32 = walk.fraction_q32;
        let mut earned = walk.earned.min(self.unearned_premium);
        if self.rate_q32 == 0 {
            // No cover is live: what rounding the rates down has left is earned now.
            earned = self.unearned_premium;
            self.fraction_q32 = 0;
        }
        if earned == 0 {
            return Ok(Accrual::default());
        }
        let in_term = from >= self.quota_share.start && from < self.quota_share.end;
        let ceded = if in_term { self.ceded_premium(earned)? } else { 0 };
        let kept = fits(earned.checked_sub(ceded))?;
        let mut surplus = self.surplus_of(kept)?;
        let for_tranches = fits(kept.checked_sub(surplus))?;
        let [junior_book, senior_book] = &self.tranches;
        let (junior, senior) = if junior_book.assets > 0 || senior_book.assets > 0 {
            let junior = self.junior_of(for_tranches)?;
            (junior, fits(for_tranches.checked_sub(junior))?)
        } else if senior_book.shares > 0 {
            (0, for_tranches)
        } else if junior_book.shares > 0 {
            (for_tranches, 0)
        } else {
            surplus = kept;
            (0, 0)
        };
        debit(&mut self.unearned_premium, earned)?;
        credit(&mut self.treaty_payable, ceded)?;
        credit(&mut self.surplus, surplus)?;
        credit(&mut self.tranche_mut(Tranche::Junior).assets, junior)?;
        credit(&mut self.tranche_mut(Tranche::Senior).assets, senior)?;
        Ok(Accrual { earned, ceded, surplus, junior, senior })
    }

    /// The surplus's part of premium. The fraction of a unit is carried, so that many small accruals share out what one
    /// large one does: how often somebody accrues moves nothing from one to another.
    fn surplus_of(&mut self, premium: u64) -> Result<u64> {
        carried(premium, u64::from(self.terms.surplus_bps), BPS, &mut self.surplus_fraction_bps)
    }

    /// The junior tranche's part of what both tranches earn, by `assets x weight` against the senior's assets; the rest
    /// is the senior's. The fraction of a unit is carried. Call only if one of them has assets.
    fn junior_of(&mut self, premium: u64) -> Result<u64> {
        let [junior, senior] = &self.tranches;
        // Accrual must never stop a pool: what does not fit is as good as everything.
        let weight_bps = u64::from(self.terms.junior_weight_bps);
        let weighted = mul_div(junior.assets, weight_bps, BPS, Rounding::Down).unwrap_or(u64::MAX);
        if senior.assets == 0 {
            return Ok(premium);
        }
        let weights = weighted.saturating_add(senior.assets);
        // Rounded up by less than a unit in 2^64, so that an exact part comes out exact; below 2^64, because `weighted`
        // is below `weights`.
        let part_q64 = fits(div(u128::from(weighted) << 64, weights, Rounding::Up))?;
        let part_q64 = u64::try_from(part_q64).unwrap_or(u64::MAX);
        let due_q64 = fits(wide(premium, part_q64).checked_add(u128::from(self.junior_fraction_q64)))?;
        let (fraction, whole) = halves(due_q64);
        self.junior_fraction_q64 = fraction;
        Ok(whole)
    }

    /// Quota-share premium of earned premium: the cession less the commission, in the proportion in which the limit
    /// that is left still covers the cession of the exposure. The fraction of a unit is carried, as long as all is
    /// covered; what is not is rounded down, for the cedant.
    fn ceded_premium(&mut self, earned: u64) -> Result<u64> {
        let treaty = self.quota_share;
        if treaty.limit_left == 0 {
            // Also when nothing is exposed any more: after an incident its covers' premium is still being earned.
            return Ok(0);
        }
        let kept_bps = BPS.saturating_sub(u64::from(treaty.commission_bps));
        let part = u64::from(treaty.cession_bps).saturating_mul(kept_bps);
        let ceded = carried(earned, part, BPS.saturating_mul(BPS), &mut self.ceded_fraction_e8)?;
        let needed = fits(mul_div(self.total_exposure, u64::from(treaty.cession_bps), BPS, Rounding::Up))?;
        if treaty.limit_left >= needed {
            return Ok(ceded);
        }
        fits(mul_div(ceded, treaty.limit_left, needed, Rounding::Down))
    }

    /// Takes a premium in and streams it from `now` to the start of `end_day`. Returns the rate, rounded down.
    pub fn stream_premium(&mut self, premium: u64, now: i64, end_day: u32) -> Result<u64> {
        let seconds = u64::try_from(day_start(end_day).saturating_sub(now)).map_err(|_| BackstopError::BadTerm)?;
        let rate = stream::rate_q32(premium, seconds).ok_or(BackstopError::StreamFull)?;
        self.rate_q32 = self.rate_q32.checked_add(rate).ok_or(BackstopError::StreamFull)?;
        let bucket = bucket_mut(&mut self.rate_ends, end_day);
        *bucket = bucket.checked_add(rate).ok_or(BackstopError::StreamFull)?;
        credit(&mut self.unearned_premium, premium)?;
        credit(&mut self.cash, premium)?;
        Ok(rate)
    }

    /// Takes a rate that ends on `end_day` out of the stream again.
    pub fn end_stream_early(&mut self, rate_q32: u64, end_day: u32) -> Result<()> {
        debit(&mut self.rate_q32, rate_q32)?;
        debit(bucket_mut(&mut self.rate_ends, end_day), rate_q32)
    }

    /// Takes unearned premium out for a cancelled cover: `refund` leaves the pool, `fee` goes to the surplus.
    pub fn refund_premium(&mut self, refund: u64, fee: u64) -> Result<()> {
        self.hold_capacity()?;
        debit(&mut self.unearned_premium, fits(refund.checked_add(fee))?)?;
        debit(&mut self.cash, refund)?;
        credit(&mut self.surplus, fee)
    }

    // ---- deposits and surplus ----

    /// Books a deposit and returns the shares it gives, rounded down.
    pub fn deposit(&mut self, tranche: Tranche, amount: u64, min_shares: u64) -> Result<u64> {
        self.hold_capacity()?;
        let least = self.terms.min_first_deposit;
        let book = self.tranche_mut(tranche);
        ensure!(book.wiped_out == 0, BackstopError::TrancheWipedOut);
        ensure!(amount > 0, BackstopError::AmountTooSmall);
        ensure!(book.shares > 0 || amount >= least, BackstopError::FirstDepositTooSmall);
        let issued = fits(shares::issue(amount, book.shares, book.assets))?;
        ensure!(issued > 0, BackstopError::AmountTooSmall);
        ensure!(issued >= min_shares, BackstopError::TooFewShares);
        credit(&mut book.assets, amount)?;
        credit(&mut book.shares, issued)?;
        // After heavy losses exit units are many per asset: a tranche that could not become exit units takes no more.
        let room = fits(book.assets.checked_mul(4))?;
        fits(shares::issue(room, book.units, book.exiting))?;
        credit(&mut self.cash, amount)?;
        self.in_use = 1;
        Ok(issued)
    }

    /// Books a contribution to the surplus.
    pub fn contribute(&mut self, amount: u64) -> Result<()> {
        self.hold_capacity()?;
        ensure!(amount > 0, BackstopError::AmountTooSmall);
        credit(&mut self.surplus, amount)?;
        credit(&mut self.cash, amount)
    }

    // ---- exits ----

    /// Moves the value of shares to the exiting class. Shares and units are rounded against who leaves.
    ///
    /// `whole_holding` allows a ticket below the smallest when nothing is kept back.
    pub fn request_exit(&mut self, tranche: Tranche, amount: u64, whole_holding: bool) -> Result<Exit> {
        let least = self.terms.min_ticket;
        let book = self.tranche_mut(tranche);
        ensure!(book.wiped_out == 0, BackstopError::TrancheWipedOut);
        let value = book.worth_of_shares(amount)?;
        ensure!(value > 0 && (value >= least || whole_holding), BackstopError::AmountTooSmall);
        let units = fits(shares::issue(value, book.units, book.exiting))?;
        ensure!(units > 0, BackstopError::AmountTooSmall);
        debit(&mut book.shares, amount)?;
        debit(&mut book.assets, value)?;
        credit(&mut book.exiting, value)?;
        credit(&mut book.units, units)?;
        let to_surplus = self.sweep(tranche)?;
        Ok(Exit { value, units, to_surplus })
    }

    /// Buys shares at today's price with the value of open exit units.
    pub fn cancel_exit(&mut self, tranche: Tranche, open_units: u64) -> Result<CancelledExit> {
        self.hold_capacity()?;
        let book = self.tranche_mut(tranche);
        ensure!(book.wiped_out == 0, BackstopError::TrancheWipedOut);
        let value = book.worth_of_units(open_units)?;
        let issued = fits(shares::issue(value, book.shares, book.assets))?;
        ensure!(issued > 0, BackstopError::AmountTooSmall);
        debit(&mut book.units, open_units)?;
        debit(&mut book.exiting, value)?;
        credit(&mut book.assets, value)?;
        credit(&mut book.shares, issued)?;
        let to_surplus = self.sweep(tranche)?;
        Ok(CancelledExit { value, shares: issued, to_surplus })
    }

    /// A tranche without shares holds no assets, one without exit units nothing exiting: dust goes to the surplus.
    fn sweep(&mut self, tranche: Tranche) -> Result<u64> {
        let book = self.tranche_mut(tranche);
        let mut dust = 0u64;
        if book.shares == 0 {
            dust = core::mem::take(&mut book.assets);
        }
        if book.units == 0 {
            dust = fits(dust.checked_add(core::mem::take(&mut book.exiting)))?;
        }
        credit(&mut self.surplus, dust)?;
        Ok(dust)
    }

    /// UTC day of the epoch that pays a request made now: the day that contains now and the cooldown.
    pub fn exit_day(&self, now: i64) -> u32 {
        day_of(now.saturating_add(i64::from(self.terms.cooldown_seconds)))
    }

    /// Appends an epoch to the queue, whose days only grow. `tail` is the newest epoch, required when there is one.
    pub fn enqueue_epoch(&mut self, day: u32, tail: Option<&mut ExitEpoch>) -> Result<()> {
        ensure!(day > self.newest_exit_day, BackstopError::ClockWentBack);
        if self.newest_exit_day == 0 {
            self.oldest_exit_day = day;
        } else {
            let tail = tail.ok_or(BackstopError::QueueTailMissing)?;
            ensure!(tail.day == self.newest_exit_day, BackstopError::QueueTailMissing);
            tail.next_day = day;
        }
        self.newest_exit_day = day;
        Ok(())
    }

    /// Capital that may be paid to the oldest epoch now.
    ///
    /// In an alert nothing is free, except for an epoch more than 30 days past its end in an alert that is only
    /// breaching: then the alert's exposure stays behind in full, beside what the rest requires.
    pub fn free_capital(&self, epoch_day: u32, cedants: AlertLevel, now: i64) -> Result<u64> {
        let required = self.required_capital()?;
        let must_stay = if self.alerts == 0 && cedants == AlertLevel::None {
            self.must_stay(required)?
        } else {
            let late = now > day_start(epoch_day.saturating_add(1)).saturating_add(LATE_EPOCH);
            ensure!(late && self.alerts_due == 0 && cedants != AlertLevel::Due, BackstopError::PoolInAlert);
            fits(self.requirement(required).must_stay_behind_alert(self.alert_exposure))?
        };
        let own = self.loss_capital()?;
        let available = own.saturating_add(self.reinsurance_credit(required, now));
        Ok(capital::free_capital(available, must_stay, own))
    }

    /// Pays the oldest epoch from free capital, both tranches in one ratio, into the exit reserves; takes it out of the
    /// queue once it is filled.
    ///
    /// A payment that does not fill the epoch has a least amount: each rounds against those who leave, and nobody shall
    /// wear an epoch down by settling it for a unit at a time.
    pub fn settle_epoch(&mut self, epoch: &mut ExitEpoch, cedants: AlertLevel, now: i64) -> Result<EpochPayment> {
        ensure!(epoch.day < day_of(now), BackstopError::EpochNotOver);
        ensure!(epoch.day == self.oldest_exit_day, BackstopError::NotOldestEpoch);
        let free = self.free_capital(epoch.day, cedants, now)?;
        let mut units = epoch.units;
        let mut totals = [exits::Queue { units: 0, exiting: 0 }; 2];
        for (tranche, (units, total)) in Tranche::BOTH.iter().zip(units.iter_mut().zip(totals.iter_mut())) {
            let book = self.tranche(*tranche);
            // Units of a series that was wiped out are worth nothing.
            if book.wiped_out != 0 || epoch.series.get(tranche.index()) != Some(&book.series) {
                *units = 0;
            }
            *total = exits::Queue { units: book.units, exiting: book.exiting };
        }
        let fill = fits(exits::fill(epoch.open_q63, units, totals, free))?;
        let paid_total = fits(fill.paid.iter().try_fold(0u64, |sum, paid| sum.checked_add(*paid)))?;
        ensure!(paid_total >= MIN_EXIT_PAYMENT || fill.open_q63_after == 0, BackstopError::NothingFree);
        let mut to_surplus = [0u64; 2];
        for (tranche, swept) in Tranche::BOTH.into_iter().zip(to_surplus.iter_mut()) {
            let paid = by_tranche(&fill.paid, tranche);
            let closed = by_tranche(&fill.closed_units, tranche);
            let book = self.tranche_mut(tranche);
            debit(&mut book.units, closed)?;
            debit(&mut book.exiting, paid)?;
            *swept = self.sweep(tranche)?;
        }
        credit(&mut self.exit_reserves, paid_total)?;
        epoch.reserve = fits(epoch.reserve.checked_add(paid_total))?;
        epoch.open_q63 = fill.open_q63_after;
        for (sum, delta) in epoch.paid_per_unit_q64.iter_mut().zip(fill.paid_per_unit_q64_delta) {
            *sum = fits(sum.checked_add(delta))?;
        }
        if epoch.is_filled() {
            self.oldest_exit_day = epoch.next_day;
            if epoch.next_day == 0 {
                self.newest_exit_day = 0;
            }
        }
        Ok(EpochPayment { paid: fill.paid, closed_units: fill.closed_units, to_surplus })
    }

    /// Pays a claim out of the exit reserves.
    pub fn pay_exit(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.exit_reserves, amount)?;
        debit(&mut self.cash, amount)
    }

    /// Moves what rounding left in an epoch's reserve to the surplus.
    pub fn sweep_exit_reserve(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.exit_reserves, amount)?;
        credit(&mut self.surplus, amount)
    }

    /// Opens a new series of a tranche that was wiped out.
    pub fn open_series(&mut self, tranche: Tranche, mint: Pubkey) -> Result<u8> {
        let [junior_mint, senior_mint] = &mut self.share_mints;
        match tranche {
            Tranche::Junior => *junior_mint = mint,
            Tranche::Senior => *senior_mint = mint,
        }
        let book = self.tranche_mut(tranche);
        ensure!(book.wiped_out != 0, BackstopError::TrancheNotWipedOut);
        book.series = book.series.checked_add(1).ok_or(BackstopError::NoSeriesLeft)?;
        book.wiped_out = 0;
        Ok(book.series)
    }

    // ---- exposure and alerts ----

    /// Adds exposure of a product to its group and the total.
    pub fn add_exposure(&mut self, group: u8, amount: u64) -> Result<()> {
        let entry = self.group_exposures.get_mut(usize::from(group)).ok_or(BackstopError::OutOfBounds)?;
        credit(entry, amount)?;
        credit(&mut self.total_exposure, amount)?;
        ensure!(self.total_exposure <= capital::MAX_TOTAL_EXPOSURE, BackstopError::TooMuchExposure);
        Ok(())
    }

    /// Releases exposure of a product from its group and the total.
    pub fn release_exposure(&mut self, group: u8, amount: u64) -> Result<()> {
        let entry = self.group_exposures.get_mut(usize::from(group)).ok_or(BackstopError::OutOfBounds)?;
        debit(entry, amount)?;
        debit(&mut self.total_exposure, amount)
    }

    /// Exposure of a risk group, in asset units.
    pub fn group_exposure(&self, group: u8) -> u64 {
        self.group_exposures.get(usize::from(group)).copied().unwrap_or(0)
    }

    /// Exposure that a product may reach: its own cap, and what its group's cap leaves beside the group's other products.
    pub fn product_capacity(&self, group: u8, product_cap_bps: u16, product_exposure: u64) -> Result<u64> {
        let base = self.capacity_capital()?;
        let cap = fits(mul_div(base, u64::from(product_cap_bps), BPS, Rounding::Down))?;
        let group_cap = fits(mul_div(base, u64::from(self.terms.group_cap_bps), BPS, Rounding::Down))?;
        let others = self.group_exposure(group).saturating_sub(product_exposure);
        Ok(cap.min(group_cap.saturating_sub(others)))
    }

    /// Counts a product with exposure into the alert, out of it, or from breaching to due and back.
    pub fn move_alert(&mut self, from: AlertLevel, to: AlertLevel, exposure: u64) -> Result<()> {
        if exposure == 0 || from == to {
            return Ok(());
        }
        if from != AlertLevel::None {
            self.alerts = self.alerts.checked_sub(1).ok_or(BackstopError::InvariantViolated)?;
            debit(&mut self.alert_exposure, exposure)?;
        }
        if from == AlertLevel::Due {
            self.alerts_due = self.alerts_due.checked_sub(1).ok_or(BackstopError::InvariantViolated)?;
        }
        if to != AlertLevel::None {
            self.alerts = fits(self.alerts.checked_add(1))?;
            credit(&mut self.alert_exposure, exposure)?;
        }
        if to == AlertLevel::Due {
            self.alerts_due = fits(self.alerts_due.checked_add(1))?;
        }
        Ok(())
    }

    // ---- incidents ----

    /// Lets an incident whose treaties were called wait for the next funding round. Returns the round's number.
    pub fn join_funding_queue(&mut self, net: u64, exposure: u64, opened_at: i64) -> Result<u32> {
        let queue = &mut self.funding;
        queue.oldest_opened_at = if queue.waiting == 0 { opened_at } else { queue.oldest_opened_at.min(opened_at) };
        queue.waiting = fits(queue.waiting.checked_add(1))?;
        queue.waiting_net = fits(queue.waiting_net.checked_add(net))?;
        queue.waiting_exposure = fits(queue.waiting_exposure.checked_add(exposure))?;
        Ok(queue.next_round)
    }

    /// Whether the next funding round may begin: no round is in progress, and either capital covers the round and the
    /// exposure of all other alerts, or no other alert is left, or the oldest incident has waited three days.
    pub fn funding_round_due(&self, now: i64) -> Result<bool> {
        let queue = &self.funding;
        if queue.round_left != 0 || queue.waiting == 0 {
            return Ok(false);
        }
        let others = self.alert_exposure.saturating_sub(queue.waiting_exposure);
        let covered = self.loss_capital()? >= fits(queue.waiting_net.checked_add(others))?;
        let waited = now >= queue.oldest_opened_at.saturating_add(FUNDING_PATIENCE);
        Ok(covered || self.alerts == queue.waiting || waited)
    }

    /// What an incident of a round gets: its net loss, or its part of the capital that was there when the round began.
    /// Begins the round with its first call. The result is the same in any order of calls.
    pub fn fund_incident(&mut self, round: u32, net: u64, now: i64) -> Result<(u64, LossByLayer)> {
        if round == self.funding.next_round {
            ensure!(self.funding_round_due(now)?, BackstopError::RoundNotDue);
            let capital = self.loss_capital()?;
            let queue = &mut self.funding;
            queue.round_capital = capital;
            queue.round_net = core::mem::take(&mut queue.waiting_net);
            queue.round_left = core::mem::take(&mut queue.waiting);
            queue.waiting_exposure = 0;
            queue.next_round = fits(queue.next_round.checked_add(1))?;
        }
        let queue = &mut self.funding;
        ensure!(round.checked_add(1) == Some(queue.next_round), BackstopError::LaterRound);
        queue.round_left = queue.round_left.checked_sub(1).ok_or(BackstopError::InvariantViolated)?;
        let paid = fits(losses::reserve(net, queue.round_capital, queue.round_net))?;
        let split = self.take_loss(paid)?;
        credit(&mut self.incident_reserves, paid)?;
        Ok((paid, split))
    }

    /// Takes a loss from surplus, junior and senior, in this order, and wipes out a tranche whose share price fell below
    /// 1 % of its start; of a tranche that everybody is leaving, whose exit unit's price did. The caller books where the loss goes. Refuses a loss above the capital.
    pub fn take_loss(&mut self, loss: u64) -> Result<LossByLayer> {
        let [junior, senior] = &self.tranches;
        let layers = losses::Layers {
            surplus: self.surplus,
            junior_assets: junior.assets,
            junior_exiting: junior.exiting,
            senior_assets: senior.assets,
            senior_exiting: senior.exiting,
        };
        let split = fits(losses::absorb(loss, &layers))?;
        ensure!(split.total == loss, BackstopError::InvariantViolated);
        let split = split.taken;
        debit(&mut self.surplus, split.surplus)?;
        let junior = self.tranche_mut(Tranche::Junior);
        debit(&mut junior.assets, split.junior_assets)?;
        debit(&mut junior.exiting, split.junior_exiting)?;
        let senior = self.tranche_mut(Tranche::Senior);
        debit(&mut senior.assets, split.senior_assets)?;
        debit(&mut senior.exiting, split.senior_exiting)?;
        let junior_wiped = self.wipe_out_if_due(Tranche::Junior)?;
        let senior_wiped = self.wipe_out_if_due(Tranche::Senior)?;
        Ok(LossByLayer {
            surplus: split.surplus,
            junior_assets: split.junior_assets,
            junior_exiting: split.junior_exiting,
            senior_assets: split.senior_assets,
            senior_exiting: split.senior_exiting,
            junior_wiped: junior_wiped.unwrap_or(0),
            senior_wiped: senior_wiped.unwrap_or(0),
            junior_over: junior_wiped.is_some(),
            senior_over: senior_wiped.is_some(),
        })
    }

    fn wipe_out_if_due(&mut self, tranche: Tranche) -> Result<Option<u64>> {
        let book = self.tranche_mut(tranche);
        let over = if book.shares > 0 {
            shares::is_wiped_out(book.shares, book.assets)
        } else {
            // Exit units without value would make every new unit worth as little, and bar the tranche for deposits.
            shares::is_wiped_out(book.units, book.exiting)
        };
        if !over {
            return Ok(None);
        }
        let rest = book.total();
        *book = TrancheBook { series: book.series, wiped_out: 1, ..TrancheBook::default() };
        credit(&mut self.surplus, rest)?;
        Ok(Some(rest))
    }

    /// Pays a cover out of the incident reserves.
    pub fn pay_incident(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.incident_reserves, amount)?;
        debit(&mut self.cash, amount)
    }

    /// Moves what is left of an incident's reserve to the surplus.
    pub fn release_incident_reserve(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.incident_reserves, amount)?;
        credit(&mut self.surplus, amount)
    }
}

/// `amount * part / whole` with the fraction that earlier calls left, in parts of `whole`: whole units, and the new
/// fraction. Parts of many amounts so add up to the part of their sum.
fn carried(amount: u64, part: u64, whole: u64, fraction: &mut u64) -> Result<u64> {
    let due = fits(wide(amount, part).checked_add(u128::from(*fraction)))?;
    let units = fits(div(due, whole, Rounding::Down).and_then(|units| u64::try_from(units).ok()))?;
    let left = fits(due.checked_sub(wide(units, whole)))?;
    *fraction = fits(u64::try_from(left).ok())?;
    Ok(units)
}

fn by_tranche(values: &[u64; 2], tranche: Tranche) -> u64 {
    let [junior, senior] = *values;
    match tranche {
        Tranche::Junior => junior,
        Tranche::Senior => senior,
    }
}
