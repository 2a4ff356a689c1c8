//! `backstop pool list` and `backstop pool show`.

use super::deposit::label;
use crate::commands::args::{OpenPool, PoolArg, TrancheArg, held};
use crate::commands::context::Context;
use crate::output::{
    self, HEADING, QUIET, amount, listing, moment, paint, paragraph, percent, share_price, table, tidy_amount,
};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::constants::SHARE_EXTRA_DECIMALS;
use backstop::peril::AlertLevel;
use backstop::state::{Access, ExitEpoch, Pool, PoolKind, Product, Tranche, Treaty, day_start};
use backstop_client::token::TokenAccount;
use backstop_client::view::earnings::{self, Earnings};
use backstop_client::{Cluster, account};
use clap::Args;
use serde::Serialize;

/// List all pools.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop pool list --output json")]
pub struct ListArgs {}

/// Show a pool: capital, what it stands behind, who waits to leave.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  backstop pool show EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0 --wallet ADDRESS"
)]
pub struct ShowArgs {
    /// The pool: its address, or MINT/NUMBER.
    pool: PoolArg,
    /// Also what this wallet holds of it.
    #[arg(long, value_name = "ADDRESS")]
    wallet: Option<Pubkey>,
}

#[derive(Serialize)]
struct Summary {
    pool: String,
    label: String,
    id: u16,
    kind: &'static str,
    access: &'static str,
    asset_mint: String,
    decimals: u8,
    share_decimals: u8,
    surplus: u64,
    tranches: [TrancheView; 2],
    staying_capital: u64,
    required_capital: u64,
    must_stay: u64,
    total_exposure: u64,
    premium_a_year: u64,
    /// Required capital over capital that stays.
    in_use_bps: u64,
    alerts: u32,
    /// Whether the alerts, or a crisis, stop deposits, exits and earning.
    alerts_hold: bool,
}

#[derive(Serialize)]
struct TrancheView {
    name: &'static str,
    assets: u64,
    exiting: u64,
    shares: u64,
    share_price: String,
    wiped_out: bool,
    in_ruin: bool,
    #[serde(flatten)]
    earnings: Earnings,
    /// What the tranche loses if all that the pool stands behind were due today, without reinsurance.
    worst_case: u64,
}

/// What the figures of earnings are, and are not.
const EARNINGS_NOTE: &str = "junior/yr and senior/yr: what premium in force earns on the capital, at the rate of the coming 24 \
                             hours. `pool show` tells what was earned in the past 30 days, what the coming 30 bring, and \
                             what a share gained since it began.";

const YEAR: u128 = 365 * 86_400;

/// What a rate earns in a year, in asset units.
fn a_year(rate_q32: u64) -> u64 {
    u64::try_from((u128::from(rate_q32) * YEAR) >> 32).unwrap_or(u64::MAX)
}

/// A pool's figures as they are at `now`, premium earned since the last accrual included.
fn summary(address: Pubkey, pool: &Pool, now: i64) -> Summary {
    let mut books = *pool;
    if books.accrue(now).is_err() {
        books = *pool;
    }
    let required = books.required_capital().unwrap_or(u64::MAX);
    Summary {
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
            TrancheView {
                name: TrancheArg::name_of(tranche),
                assets: book.assets,
                exiting: book.exiting,
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

pub fn list(_args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let mut pools: Vec<Summary> =
        account::list::<Pool>(cluster, None)?.iter().map(|(address, pool)| summary(*address, pool, now)).collect();
    pools.sort_by(|left, right| (&left.label, left.id, &left.pool).cmp(&(&right.label, right.id, &right.pool)));
    context.options.output.print(&pools, |pools| {
        if pools.is_empty() {
            return "No pools.".into();
        }
        let header = ["pool", "asset", "kind", "capital", "exposure", "in use", "junior/yr", "senior/yr"];
        let mut table = table(&header, &[3, 4, 5, 6, 7]);
        for pool in pools {
            table.add_row([
                pool.pool.clone(),
                format!("{} #{}", pool.label, pool.id),
                pool.kind.to_owned(),
                amount(pool.staying_capital, pool.decimals),
                amount(pool.total_exposure, pool.decimals),
                percent(pool.in_use_bps),
                percent(pool.tranches[0].earnings.a_year_bps),
                percent(pool.tranches[1].earnings.a_year_bps),
            ]);
        }
        format!("{}\n{}", listing(&table), paint(paragraph(EARNINGS_NOTE).trim_end(), QUIET))
    })
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    summary: Summary,
    cash: u64,
    unearned_premium: u64,
    /// What covers will add a year to the premium that is earned, once they begin.
    premium_to_begin: u64,
    /// When an alert stopped the earning of premium; nothing is earned until it is over.
    stands_since: Option<i64>,
    /// Premium of ended products, to be given back to their holders.
    premium_refunds: u64,
    /// Late money that is spread over time, and until when.
    late_money: u64,
    late_money_until: Option<i64>,
    incident_reserves: u64,
    exit_reserves: u64,
    treaty_payable: u64,
    vault: String,
    vault_balance: u64,
    share_mints: [String; 2],
    cooldown_seconds: u32,
    min_first_deposit: u64,
    min_ticket: u64,
    min_sum_insured: u64,
    solvency_bps: u32,
    max_leverage_bps: u32,
    surplus_bps: u16,
    junior_weight_bps: u32,
    first_loss_bps: u16,
    seasoning_days: u16,
    /// Of a vintage: when it sells nothing any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    sells_until: Option<i64>,
    /// What follows its end, or has.
    #[serde(skip)]
    then: &'static str,
    products: Vec<ProductRow>,
    treaties: Vec<String>,
    exits: Vec<EpochRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<WalletView>,
}

#[derive(Serialize)]
struct ProductRow {
    product: String,
    name: String,
    exposure: u64,
}

#[derive(Serialize)]
struct EpochRow {
    day: u32,
    paid_from: i64,
    tickets: u32,
    reserve: u64,
    filled: bool,
}

#[derive(Serialize)]
struct WalletView {
    address: String,
    assets: u64,
    shares: [u64; 2],
    worth: [u64; 2],
}

pub fn show(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let OpenPool { state, keys, decimals, share_decimals } = args.pool.open(cluster)?;
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
    let wallet = args.wallet.map(|wallet| -> Result<WalletView> {
        let mut shares = [0; 2];
        let mut worth = [0; 2];
        for tranche in Tranche::BOTH {
            shares[tranche.index()] = held(cluster, &wallet, &keys.share_mint(tranche), &anchor_spl::token_2022::ID)?;
            worth[tranche.index()] =
                state.tranche(tranche).worth_of_shares(shares[tranche.index()]).unwrap_or_default();
        }
        let assets = held(cluster, &wallet, &keys.asset_mint, &keys.asset_token_program)?;
        Ok(WalletView { address: wallet.to_string(), assets, shares, worth })
    });
    let shown = Shown {
        summary: summary(keys.pool, &state, now),
        cash: state.cash,
        unearned_premium: state.unearned_premium,
        premium_to_begin: a_year(state.waiting_rate_q32),
        stands_since: (state.stands_since != 0).then_some(state.stands_since),
        premium_refunds: state.premium_refunds,
        late_money: state.second_stream.amount,
        late_money_until: (state.second_stream.amount > 0).then_some(state.second_stream.until),
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
        products,
        treaties,
        exits,
        wallet: wallet.transpose()?,
    };
    context.options.output.print(&shown, |shown| display(shown, decimals, share_decimals))
}

/// What a tranche earns, in words.
pub(super) fn earnings_text(earnings: &Earnings, asset: &dyn Fn(u64) -> String) -> String {
    let since = earnings.since_start_bps;
    let sign = if since < 0 { "-" } else { "+" };
    format!(
        "{} since {}; {} a year by premium in force: {} in the coming 30 days, {} of it is exposed; {sign}{} since its \
         shares began",
        asset(earnings.earned),
        moment(earnings.earned_from),
        percent(earnings.a_year_bps),
        asset(earnings.coming_30_days),
        percent(earnings.exposed_bps),
        percent(since.unsigned_abs())
    )
}

fn display(shown: &Shown, decimals: u8, share_decimals: u8) -> String {
    let pool = &shown.summary;
    let asset = |units| format!("{} {}", amount(units, decimals), pool.label);
    let mut text =
        format!("{}\n", paint(format!("{} #{}, a {} pool ({})", pool.label, pool.id, pool.kind, pool.access), HEADING));
    let mut row = |name: &str, value: String| text.push_str(&output::row(name, &value));
    row("address", pool.pool.clone());
    row("asset", pool.asset_mint.clone());
    row("capital", format!("{}, of which {} must stay", asset(pool.staying_capital), asset(pool.must_stay)));
    row("surplus", asset(pool.surplus));
    for tranche in &pool.tranches {
        let state = match (tranche.wiped_out, tranche.in_ruin) {
            (true, _) => ", wiped out",
            (_, true) => ", in ruin: it takes no deposits",
            _ => "",
        };
        let exiting = if tranche.exiting > 0 { format!(", {} leaving", asset(tranche.exiting)) } else { String::new() };
        row(tranche.name, format!("{} at {} a share{exiting}{state}", asset(tranche.assets), tranche.share_price));
    }
    for tranche in &pool.tranches {
        row(&format!("{} earns", tranche.name), earnings_text(&tranche.earnings, &asset));
    }
    row("exposure", asset(pool.total_exposure));
    row("in use", format!("{} of the capital", percent(pool.in_use_bps)));
    row("worst case", {
        let [junior, senior] = &pool.tranches;
        format!(
            "junior loses {} and senior {}, if all that the pool stands behind were due today, without reinsurance",
            asset(junior.worst_case),
            asset(senior.worst_case)
        )
    });
    let to_begin = match shown.premium_to_begin {
        0 => String::new(),
        more => format!(", {} more of covers that have not begun", asset(more)),
    };
    row(
        "premium",
        format!(
            "{} a year now{to_begin}; {} not earned yet",
            asset(pool.premium_a_year),
            asset(shown.unearned_premium)
        ),
    );
    if let Some(since) = shown.stands_since {
        row("earning stopped", format!("on {}: until the alert is over nothing is earned", moment(since)));
    }
    if let Some(until) = shown.late_money_until {
        row("late money", format!("{} coming in until {}", asset(shown.late_money), moment(until)));
    }
    row(
        "set aside",
        format!(
            "{} for incidents, {} of premium to be given back, {} for exits",
            asset(shown.incident_reserves),
            asset(shown.premium_refunds),
            asset(shown.exit_reserves)
        ),
    );
    row("vault", format!("{}, books say {}", asset(shown.vault_balance), asset(shown.cash)));
    row("cooldown", super::deposit::cooldown(shown.cooldown_seconds, ""));
    row(
        "smallest",
        format!(
            "first deposit {}, cover {}, exit {}",
            asset(shown.min_first_deposit),
            asset(shown.min_sum_insured),
            asset(shown.min_ticket)
        ),
    );
    row(
        "earned premium",
        format!(
            "{} to the surplus; junior capital weighs {}",
            percent(shown.surplus_bps.into()),
            percent(shown.junior_weight_bps.into())
        ),
    );
    row(
        "sales",
        format!(
            "on capital that has stayed {} days, with a first loss of {} of what is required",
            shown.seasoning_days,
            percent(shown.first_loss_bps.into())
        ),
    );
    if let Some(end) = shown.sells_until {
        row("sells until", format!("{}: {}", moment(end), shown.then));
    }
    if pool.alerts > 0 {
        let what = if pool.alerts_hold {
            "no deposits and no exits now"
        } else {
            "small ones, which stop neither deposits nor exits; what they expose stays"
        };
        row("alerts", format!("{}: {what}", pool.alerts));
    }
    for product in &shown.products {
        row("product", format!("{} {}, {} insured", product.product, product.name, asset(product.exposure)));
    }
    for treaty in &shown.treaties {
        row("treaty", treaty.clone());
    }
    for epoch in &shown.exits {
        let state = if epoch.filled { "settled" } else { "open" };
        row(
            "exits",
            format!(
                "{}: {} tickets, {} set aside, {state}",
                moment(epoch.paid_from),
                epoch.tickets,
                asset(epoch.reserve)
            ),
        );
    }
    if let Some(wallet) = &shown.wallet {
        for (index, tranche) in pool.tranches.iter().enumerate() {
            let shares = tidy_amount(wallet.shares[index], share_decimals);
            row(&format!("your {}", tranche.name), format!("{shares} shares, worth {}", asset(wallet.worth[index])));
        }
        row("your wallet", asset(wallet.assets));
    }
    text
}
