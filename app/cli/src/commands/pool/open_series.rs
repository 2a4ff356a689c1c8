//! `backstop pool open-series`.

use crate::commands::args::{PoolArg, TrancheArg};
use crate::commands::context::{Context, Preview, event};
use crate::commands::pool::deposit::label;
use crate::output::tidy_amount;
use anyhow::Result;
use backstop::events::SeriesOpened;
use backstop::state::Tranche;
use backstop_client::instruction as ix;
use clap::Args;
use serde::Serialize;

/// Let a tranche that was wiped out, or that is in ruin and as good as empty, take deposits again, for shares of a new series.
/// Governance signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop pool open-series POOL --tranche junior")]
pub struct OpenSeriesArgs {
    /// The pool: its address, or MINT/NUMBER.
    pool: PoolArg,
    /// The tranche.
    #[arg(long, value_enum)]
    tranche: TrancheArg,
}

#[derive(Serialize)]
struct Details {
    pool: String,
    tranche: &'static str,
    series: u8,
    share_mint: String,
    to_surplus: u64,
    decimals: u8,
}

pub fn run(args: &OpenSeriesArgs, context: &Context) -> Result<()> {
    let pool = args.pool.open(context.cluster()?)?;
    let tranche = Tranche::from(args.tranche);
    let series = pool.state.tranche(tranche).series.saturating_add(1);
    let open = ix::open_series(context.wallet()?, context.payer()?, pool.keys.pool, tranche, series);
    context.carry_out(&[open], |receipt| {
        let opened: SeriesOpened = event(receipt)?;
        let name = TrancheArg::name_of(tranche);
        let mut preview = Preview {
            title: format!("Open series {} of the {name} tranche", opened.series),
            rows: vec![("pool", pool.keys.pool.to_string()), ("share mint", opened.mint.to_string())],
            warnings: vec!["Shares of the old series are worth nothing.".into()],
        };
        if opened.to_surplus > 0 {
            let left = format!("{} {}", tidy_amount(opened.to_surplus, pool.decimals), label(&pool.state.label));
            preview.rows.push(("left in the old series", format!("{left}, to the surplus")));
        }
        let details = Details {
            pool: pool.keys.pool.to_string(),
            tranche: name,
            series: opened.series,
            share_mint: opened.mint.to_string(),
            to_surplus: opened.to_surplus,
            decimals: pool.decimals,
        };
        Ok((preview, details))
    })
}
