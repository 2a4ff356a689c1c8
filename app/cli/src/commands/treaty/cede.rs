//! `backstop treaty cede`: surplus moves up from a cover pool to a reinsurance pool, after notice.

use super::create::require_kinds;
use crate::commands::args::{Amount, OpenPool, PoolArg};
use crate::commands::context::{Context, Preview, event, hinted};
use crate::output::moment_from;
use anyhow::Result;
use backstop::events::{CessionAnnounced, SurplusCeded};
use backstop::state::Cession;
use backstop_client::view::treaty::{asset, books, pool};
use backstop_client::{Cluster, account, address, instruction as ix};
use clap::{Args, Subcommand};
use serde::Serialize;

/// The commands on ceded surplus.
#[derive(Debug, Subcommand)]
pub enum CedeCommand {
    Announce(AnnounceArgs),
    Execute(ExecuteArgs),
    Close(CloseArgs),
}

impl CedeCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Announce(args) => announce(&args, context),
            Self::Execute(args) => execute(&args, context),
            Self::Close(args) => close(&args, context),
        }
    }
}

/// Announce that surplus will move to a reinsurance pool. Governance signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop treaty cede announce --cedant POOL --reinsurer POOL 1000")]
pub struct AnnounceArgs {
    /// The cover pool that gives: its address, or MINT/NUMBER.
    #[arg(long, value_name = "POOL")]
    cedant: PoolArg,
    /// The reinsurance pool that gets it: its address, or MINT/NUMBER.
    #[arg(long, value_name = "POOL")]
    reinsurer: PoolArg,
    /// How much of the surplus.
    amount: Amount,
}

/// Move announced surplus, within seven days after its notice. Governance signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop treaty cede execute --cedant POOL")]
pub struct ExecuteArgs {
    /// The cover pool that gives: its address, or MINT/NUMBER.
    #[arg(long, value_name = "POOL")]
    cedant: PoolArg,
}

/// Close an announcement that was not used in time. Anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop treaty cede close --cedant POOL")]
pub struct CloseArgs {
    /// The cover pool that was to give: its address, or MINT/NUMBER.
    #[arg(long, value_name = "POOL")]
    cedant: PoolArg,
}

#[derive(Serialize)]
struct Details {
    cedant: String,
    reinsurer: String,
    amount: u64,
    decimals: u8,
    from: i64,
    until: i64,
}

fn announce(args: &AnnounceArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let (cedant, reinsurer) = (args.cedant.open(cluster)?, args.reinsurer.open(cluster)?);
    require_kinds(&cedant, &reinsurer)?;
    if account::find::<Cession>(cluster, &address::cession(&cedant.keys.pool))?.is_some() {
        let hint = "one at a time: `backstop treaty cede execute` moves it, `backstop treaty cede close` drops it";
        return Err(hinted(format!("the pool {} has announced a move already", cedant.keys.pool), hint));
    }
    let amount = args.amount.units(cedant.decimals)?;
    let target = reinsurer.keys.pool;
    let instruction = ix::announce_cession(context.wallet()?, context.payer()?, cedant.keys.pool, target, amount);
    context.carry_out(&[instruction], |receipt| {
        let announced = event::<CessionAnnounced>(receipt)?;
        let surplus = books(&cedant, now).surplus;
        let preview = Preview {
            title: format!("Announce that {} of surplus will move", asset(&cedant, amount)),
            rows: vec![
                ("from", pool(&cedant)),
                ("its surplus", asset(&cedant, surplus)),
                ("to", pool(&reinsurer)),
                ("not before", moment_from(announced.from, now)),
                ("not after", moment_from(announced.until, now)),
            ],
            warnings: match surplus < amount {
                true => vec!["The surplus does not have it now: it could not be moved.".into()],
                false => Vec::new(),
            },
        };
        let cession = Moved { cedant: &cedant, reinsurer: target.to_string(), amount };
        Ok((preview, cession.details(announced.from, announced.until)))
    })
}

/// What moves.
struct Moved<'a> {
    cedant: &'a OpenPool,
    reinsurer: String,
    amount: u64,
}

impl Moved<'_> {
    fn details(self, from: i64, until: i64) -> Details {
        let Self { cedant, reinsurer, amount } = self;
        Details { cedant: cedant.keys.pool.to_string(), reinsurer, amount, decimals: cedant.decimals, from, until }
    }
}

/// A pool and what it announced.
fn announced(cluster: &dyn Cluster, cedant: PoolArg) -> Result<(OpenPool, Cession)> {
    let pool = cedant.open(cluster)?;
    let cession = account::find(cluster, &address::cession(&pool.keys.pool))?;
    let cession = cession.ok_or_else(|| {
        hinted(format!("the pool {} has announced nothing", pool.keys.pool), "`backstop treaty cede announce` does")
    })?;
    Ok((pool, cession))
}

fn execute(args: &ExecuteArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let (cedant, cession) = announced(cluster, args.cedant)?;
    let (from, until) = (moment_from(cession.from, now), moment_from(cession.until, now));
    if now < cession.from {
        return Err(hinted("the notice of the move is not over", format!("move it from {from} until {until}")));
    }
    if now >= cession.until {
        let hint = "`backstop treaty cede close` drops it, then announce it anew";
        return Err(hinted(format!("the announcement is void since {until}"), hint));
    }
    let reinsurer = OpenPool::read(cluster, cession.reinsurer)?;
    let governance = context.wallet()?;
    let instruction = ix::cede_surplus(governance, &cedant.keys, cession.reinsurer, cession.rent_payer);
    context.carry_out(&[instruction], |receipt| {
        let ceded = event::<SurplusCeded>(receipt)?;
        let surplus = books(&cedant, now).surplus;
        let left = surplus.saturating_sub(ceded.amount);
        let preview = Preview {
            title: format!("Move {} of surplus", asset(&cedant, ceded.amount)),
            rows: vec![
                ("from", pool(&cedant)),
                ("its surplus", format!("{} -> {}", asset(&cedant, surplus), asset(&cedant, left))),
                ("to the surplus of", pool(&reinsurer)),
            ],
            warnings: Vec::new(),
        };
        let moved = Moved { cedant: &cedant, reinsurer: cession.reinsurer.to_string(), amount: ceded.amount };
        Ok((preview, moved.details(cession.from, cession.until)))
    })
}

fn close(args: &CloseArgs, context: &Context) -> Result<()> {
    let (cedant, cession) = announced(context.cluster()?, args.cedant)?;
    let instruction = ix::close_cession(cedant.keys.pool, cession.rent_payer);
    context.carry_out(&[instruction], |_| {
        let preview = Preview {
            title: "Close an announcement of surplus".into(),
            rows: vec![
                ("cedant", pool(&cedant)),
                ("announced", asset(&cedant, cession.amount)),
                ("rent goes to", cession.rent_payer.to_string()),
            ],
            warnings: Vec::new(),
        };
        let moved = Moved { cedant: &cedant, reinsurer: cession.reinsurer.to_string(), amount: cession.amount };
        Ok((preview, moved.details(cession.from, cession.until)))
    })
}
