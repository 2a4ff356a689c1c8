//! `backstop pool list` and `backstop pool show`.

use crate::commands::args::PoolArg;
use crate::commands::context::Context;
use crate::output::{self, HEADING, QUIET, amount, listing, moment, paint, paragraph, percent, table, tidy_amount};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop_client::Cluster;
use backstop_client::view::earnings::Earnings;
use backstop_client::view::report::{self, PoolReport};
use clap::Args;

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

/// What the figures of earnings are, and are not.
const EARNINGS_NOTE: &str = "junior/yr and senior/yr: what premium in force earns on the capital, at the rate of the coming 24 \
                             hours. `pool show` tells what was earned in the past 30 days, what the coming 30 bring, and \
                             what a share gained since it began.";

pub fn list(_args: &ListArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let pools = report::pools(cluster, cluster.now()?)?;
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

pub fn show(args: &ShowArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let open = args.pool.open(cluster)?;
    let shown = PoolReport::read(cluster, &open, args.wallet.as_ref(), cluster.now()?)?;
    context.options.output.print(&shown, |shown| display(shown, open.decimals, open.share_decimals))
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

fn display(shown: &PoolReport, decimals: u8, share_decimals: u8) -> String {
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
            (_, true) => ", in ruin: the next deposit lowers its start",
            _ => "",
        };
        let exiting = if tranche.exiting > 0 { format!(", {} leaving", asset(tranche.exiting)) } else { String::new() };
        row(tranche.name, format!("{} at {} a share{exiting}{state}", asset(tranche.assets), tranche.share_price));
        if tranche.recoverable > 0 {
            let owed = format!("{} to {}; a deposit pays for it", asset(tranche.recoverable), tranche.name);
            row("treaties owe", owed);
        }
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
    if let Some(exposure) = shown.locked_exposure {
        let until = "no deposits and no exits until its readings are resolved";
        row("locked", format!("{} of readings are exposed: {until}", asset(exposure)));
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
