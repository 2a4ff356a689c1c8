//! A pool: its capital, what it stands behind, and who waits to leave.

use crate::account::{self, AccountError};
use crate::cluster::Cluster;
use crate::text::share_price;
use crate::token::{Standing, TokenAccount};
use crate::view::earnings::{self, Earnings};
use crate::view::{OpenPool, label, tranche_name};
use anchor_lang::prelude::Pubkey;
use backstop::constants::SHARE_EXTRA_DECIMALS;
use backstop::peril::AlertLevel;
use backstop::state::{Access, ExitEpoch, Pool, PoolKind, Product, Tranche, Treaty, day_start};
use serde::Serialize;

/// A pool in short.
#[derive(Clone, Debug, Serialize)]
pub struct PoolSummary {
    /// The pool.
    pub pool: String,
    /// The name of the pool's asset.
    pub label: String,
    /// Its number.
    pub id: u16,
    /// What kind it is.
    pub kind: &'static str,
    /// Who may deposit.
    pub access: &'static str,
    /// The asset's mint.
    pub asset_mint: String,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Decimals of shares.
    pub share_decimals: u8,
    /// The surplus.
    pub surplus: u64,
    /// Junior, then senior.
    pub tranches: [TrancheReport; 2],
    /// Capital that stays.
    pub staying_capital: u64,
    /// Capital that what it stands behind takes.
    pub required_capital: u64,
    /// Least capital that must stay.
    pub must_stay: u64,
    /// Sums insured, and limits of treaties.
    pub total_exposure: u64,
    /// Premium of covers in force, a year.
    pub premium_a_year: u64,
    /// Required capital over capital that stays.
    pub in_use_bps: u64,
    /// Alerts that are open.
    pub alerts: u32,
    /// Whether the alerts, or a crisis, stop deposits, exits and earning.
    pub alerts_hold: bool,
}

/// A tranche.
#[derive(Clone, Debug, Serialize)]
pub struct TrancheReport {
    /// Its name.
    pub name: &'static str,
    /// Capital that stays.
    pub assets: u64,
    /// Capital that has asked to leave.
    pub exiting: u64,
    /// What treaties still owe for losses that it has borne: a deposit pays for it.
    pub recoverable: u64,
    /// Shares.
    pub shares: u64,
    /// Price of a share in assets, with six decimals.
    pub share_price: String,
    /// Whether a loss took all of it.
    pub wiped_out: bool,
    /// Whether a loss took so much of it that the next deposit lowers its start.
    pub in_ruin: bool,
    /// What it earns.
    #[serde(flatten)]
    pub earnings: Earnings,
    /// What the tranche loses if all that the pool stands behind were due today, without reinsurance.
    pub worst_case: u64,
}

const YEAR: u128 = 365 * 86_400;

/// What a rate earns in a year, in asset units.
fn a_year(rate_q32: u64) -> u64 {
    u64::try_from((u128::from(rate_q32) * YEAR) >> 32).unwrap_or(u64::MAX)
}

impl PoolSummary {
    /// A pool's figures as they are at `now`, premium earned since the last accrual included.
    pub fn of(address: Pubkey, pool: &Pool, now: i64) -> Self {
        let mut books = *pool;
        if books.accrue(now).is_err() {
            books = *pool;
        }
        let required = books.required_capital().unwrap_or(u64::MAX);
        Self {
            pool: address.to_string(),
            label: label(&books.label),
            id: books.id,
            kind: match books.kind() {
                PoolKind::Cover => "cover",
                PoolKind::Reinsurance => "reinsurance",
            },
            access: match books.access() {
                Access::Open => "open",
                Access::AllowList => "allow-list",
                Access::ProtocolOnly => "protocol-only",
            },
            asset_mint: books.asset_mint.to_string(),
            decimals: books.asset_decimals,
            share_decimals: books.asset_decimals + SHARE_EXTRA_DECIMALS,
            surplus: books.surplus,
            tranches: Tranche::BOTH.map(|tranche| {
                let book = books.tranche(tranche);
                TrancheReport {
                    name: tranche_name(tranche),
                    assets: book.assets,
                    exiting: book.exiting,
                    recoverable: book.all_recoverable(),
                    shares: book.shares,
                    share_price: share_price(book.assets, book.shares),
                    wiped_out: book.wiped_out != 0,
                    in_ruin: book.is_in_ruin(),
                    earnings: earnings::earnings(&books, tranche, now),
                    worst_case: earnings::worst_case(&books, tranche, book.total(), 0, now),
                }
            }),
            staying_capital: books.staying_capital().unwrap_or_default(),
            required_capital: required,
            must_stay: books.least_capital(now).unwrap_or(u64::MAX),
            total_exposure: books.total_exposure,
            premium_a_year: a_year(books.rate_q32),
            in_use_bps: earnings::in_use_bps(&books, now),
            alerts: books.alerts,
            alerts_hold: books.alert() != AlertLevel::None,
        }
    }
}

/// A pool.
#[derive(Clone, Debug, Serialize)]
pub struct PoolReport {
    /// In short.
    #[serde(flatten)]
    pub summary: PoolSummary,
    /// What the vault must hold.
    pub cash: u64,
    /// Premium that is paid and not earned.
    pub unearned_premium: u64,
    /// What covers will add a year to the premium that is earned, once they begin.
    pub premium_to_begin: u64,
    /// When an alert stopped the earning of premium; nothing is earned until it is over.
    pub stands_since: Option<i64>,
    /// Premium of ended products, to be given back to their holders.
    pub premium_refunds: u64,
    /// Set aside for incidents.
    pub incident_reserves: u64,
    /// Set aside for exits.
    pub exit_reserves: u64,
    /// Premium owed to reinsurers.
    pub treaty_payable: u64,
    /// The vault.
    pub vault: String,
    /// What it holds.
    pub vault_balance: u64,
    /// Mints of junior and senior shares.
    pub share_mints: [String; 2],
    /// How long leaving takes, before the next midnight.
    pub cooldown_seconds: u32,
    /// Smallest first deposit.
    pub min_first_deposit: u64,
    /// Smallest exit.
    pub min_ticket: u64,
    /// Smallest cover.
    pub min_sum_insured: u64,
    /// Capital for the largest group of products, of its exposure.
    pub solvency_bps: u32,
    /// Exposure to capital at most.
    pub max_leverage_bps: u32,
    /// Part of earned premium for the surplus.
    pub surplus_bps: u16,
    /// Weight of junior capital when premium is shared.
    pub junior_weight_bps: u32,
    /// Least part of required capital in surplus and junior capital.
    pub first_loss_bps: u16,
    /// Days that capital must have stayed to be sold on.
    pub seasoning_days: u16,
    /// Of a vintage: when it sells nothing any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sells_until: Option<i64>,
    /// What follows its end, or has.
    #[serde(skip)]
    pub then: &'static str,
    /// What of its capital is bound until its readings are resolved, if that locks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked_exposure: Option<u64>,
    /// Its products.
    pub products: Vec<ProductRow>,
    /// Treaties.
    pub treaties: Vec<String>,
    /// Days on which exits are paid.
    pub exits: Vec<EpochRow>,
    /// What a wallet has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wallet: Option<WalletReport>,
}

/// A product of a pool.
#[derive(Clone, Debug, Serialize)]
pub struct ProductRow {
    /// The product.
    pub product: String,
    /// Its name.
    pub name: String,
    /// Sums insured.
    pub exposure: u64,
}

/// A day on which exits are paid.
#[derive(Clone, Debug, Serialize)]
pub struct EpochRow {
    /// The day, counted from 1970.
    pub day: u32,
    /// When it is paid.
    pub paid_from: i64,
    /// How many tickets.
    pub tickets: u32,
    /// Set aside.
    pub reserve: u64,
    /// Whether it is settled.
    pub filled: bool,
}

/// What a wallet has of a pool.
#[derive(Clone, Debug, Serialize)]
pub struct WalletReport {
    /// The address.
    pub address: String,
    /// Capital that stays.
    pub assets: u64,
    /// Shares.
    pub shares: [u64; 2],
    /// What they are worth.
    pub worth: [u64; 2],
}

impl PoolReport {
    /// A pool at `now` and, if asked, what a wallet holds of it.
    ///
    /// Errors: an account cannot be read, or the cluster does not answer.
    pub fn read(
        cluster: &dyn Cluster,
        open: &OpenPool,
        wallet: Option<&Pubkey>,
        now: i64,
    ) -> Result<Self, AccountError> {
        let OpenPool { state, keys, .. } = open;
        // Accounts name their pool first, after the discriminator.
        let of_pool = Some((0, keys.pool));
        let mut products: Vec<ProductRow> = account::list::<Product>(cluster, of_pool)?
            .into_iter()
            .map(|(key, product)| ProductRow {
                product: key.to_string(),
                name: product.name().into(),
                exposure: product.exposure,
            })
            .collect();
        products.sort_by(|left, right| left.name.cmp(&right.name));
        let mut exits: Vec<EpochRow> = account::list::<ExitEpoch>(cluster, of_pool)?
            .into_iter()
            .map(|(_, epoch)| EpochRow {
                day: epoch.day,
                paid_from: day_start(epoch.day + 1),
                tickets: epoch.tickets,
                reserve: epoch.reserve,
                filled: epoch.is_filled(),
            })
            .collect();
        exits.sort_by_key(|epoch| epoch.day);
        let mut treaties: Vec<String> =
            account::list::<Treaty>(cluster, of_pool)?.into_iter().map(|(key, _)| key.to_string()).collect();
        treaties.sort();
        let wallet = wallet.map(|wallet| -> Result<WalletReport, AccountError> {
            let mut shares = [0; 2];
            let mut worth = [0; 2];
            for tranche in Tranche::BOTH {
                shares[tranche.index()] =
                    held(cluster, wallet, &keys.share_mint(tranche), &anchor_spl::token_2022::ID)?;
                worth[tranche.index()] =
                    state.tranche(tranche).worth_of_shares(shares[tranche.index()]).unwrap_or_default();
            }
            let assets = held(cluster, wallet, &keys.asset_mint, &keys.asset_token_program)?;
            Ok(WalletReport { address: wallet.to_string(), assets, shares, worth })
        });
        Ok(Self {
            summary: PoolSummary::of(keys.pool, state, now),
            cash: state.cash,
            unearned_premium: state.unearned_premium,
            premium_to_begin: a_year(state.waiting_rate_q32),
            stands_since: (state.stands_since != 0).then_some(state.stands_since),
            premium_refunds: state.premium_refunds,
            incident_reserves: state.incident_reserves,
            exit_reserves: state.exit_reserves,
            treaty_payable: state.treaty_payable.iter().sum(),
            vault: keys.vault().to_string(),
            vault_balance: cluster
                .account(&keys.vault())?
                .and_then(|vault| TokenAccount::read(&vault))
                .map_or(0, |vault| vault.amount),
            share_mints: keys.share_mints.map(|mint| mint.to_string()),
            cooldown_seconds: state.terms.cooldown_seconds,
            min_first_deposit: state.terms.min_first_deposit,
            min_ticket: state.terms.min_ticket,
            min_sum_insured: state.terms.min_sum_insured,
            solvency_bps: state.terms.solvency_bps,
            max_leverage_bps: state.terms.max_leverage_bps,
            surplus_bps: state.terms.surplus_bps,
            junior_weight_bps: state.terms.junior_weight_bps,
            first_loss_bps: state.terms.first_loss_bps,
            seasoning_days: state.terms.seasoning_days,
            sells_until: state.terms.sells_until(),
            then: match (state.has_ended(now), state.has_run_off(now)) {
                (_, true) => "it has run off: who asks to leave is paid from the next midnight on",
                (true, _) => "it takes no deposits any more and runs off",
                (false, _) => "then it takes no deposits any more and runs off",
            },
            locked_exposure: state.is_locked(now).then(|| state.locked_exposure(now)),
            products,
            treaties,
            exits,
            wallet: wallet.transpose()?,
        })
    }
}

/// All pools at `now`, by their assets' names.
///
/// Errors: one cannot be read, or the cluster does not answer.
pub fn pools(cluster: &dyn Cluster, now: i64) -> Result<Vec<PoolSummary>, AccountError> {
    let pools = account::list::<Pool>(cluster, None)?;
    let mut pools: Vec<PoolSummary> =
        pools.iter().map(|(address, pool)| PoolSummary::of(*address, pool, now)).collect();
    pools.sort_by(|left, right| (&left.label, left.id, &left.pool).cmp(&(&right.label, right.id, &right.pool)));
    Ok(pools)
}

/// What a wallet has in its associated account of a mint.
fn held(cluster: &dyn Cluster, owner: &Pubkey, mint: &Pubkey, token_program: &Pubkey) -> Result<u64, AccountError> {
    Ok(Standing::associated(cluster, owner, mint, token_program)?.amount())
}
