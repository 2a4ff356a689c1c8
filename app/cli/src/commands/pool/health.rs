//! `backstop pool health`.

use crate::commands::args::{PoolArg, asset_text};
use crate::commands::context::{Context, hinted};
use crate::output::{card, moment};
use anyhow::Result;
use backstop_client::Cluster;
use backstop_client::view::report::HealthReport;
use clap::Args;

/// Tell how a pool stands, in the figures that `pool_health` returns to programs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop pool health EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0 --output json")]
pub struct HealthArgs {
    /// The pool: its address, or MINT/NUMBER.
    pool: PoolArg,
}

pub fn run(args: &HealthArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let open = args.pool.open(cluster)?;
    let told = HealthReport::of(&open, cluster.now()?);
    let shown = told.ok_or_else(|| hinted("the pool's books do not add up", "`backstop audit` tells what is wrong"))?;
    context.options.output.print(&shown, |shown| {
        let asset = |units| asset_text(&open.state, units);
        let exits = match shown.oldest_exit {
            Some(day) => format!("{} waits, since {}", asset(shown.exits_waiting), moment(day)),
            None => format!("{} has asked to leave", asset(shown.exits_waiting)),
        };
        let rows = vec![
            ("pool", shown.pool.clone()),
            ("takes cover", if shown.takes_cover { "yes" } else { "no" }.into()),
            ("alert", shown.alert.into()),
            ("crisis", shown.crisis.map_or_else(|| "none".into(), |number| format!("number {number} is open"))),
            ("absorbs losses", asset(shown.loss_capital)),
            ("stays", asset(shown.staying_capital)),
            ("must stay", asset(shown.least_capital)),
            ("insures", format!("{}, of which {} is in alert", asset(shown.exposure), asset(shown.alert_exposure))),
            ("exits", exits),
            ("judged cases", shown.open_cases.to_string()),
        ];
        card(&format!("{} pool", shown.label), &rows)
    })
}
