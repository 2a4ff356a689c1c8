//! `backstop protocol`: roles and the pause.

use crate::commands::context::{Context, Preview, hinted};
use crate::output::{card, moment};
use anchor_lang::prelude::Pubkey;
use anyhow::{Result, anyhow};
use backstop::constants::{PAUSE_DEPOSITS, PAUSE_PURCHASES};
use backstop::state::Protocol;
use backstop_client::cluster::Cluster;
use backstop_client::view::report::{ProtocolReport, pauses_left};
use backstop_client::{account, address, instruction as ix};
use clap::{Args, Subcommand};
use serde::Serialize;

/// The commands on the protocol.
#[derive(Debug, Subcommand)]
pub enum ProtocolCommand {
    /// Show the roles and the pause.
    #[command(after_help = "Example:\n  backstop protocol show")]
    Show,
    SetRoles(SetRolesArgs),
    Propose(ProposeArgs),
    /// Accept governance that was proposed. The proposed one signs.
    #[command(after_help = "Example:\n  backstop protocol accept --keypair new-governance.json")]
    Accept,
    Pause(PauseArgs),
}

/// Appoint guardian and risk keeper. Governance signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop protocol set-roles --guardian WALLET")]
pub struct SetRolesArgs {
    /// Who may pause deposits and purchases; without it, who may now.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "risk_keeper")]
    guardian: Option<Pubkey>,
    /// Who moves risk rates; without it, who does now.
    #[arg(long, value_name = "ADDRESS")]
    risk_keeper: Option<Pubkey>,
}

/// Propose another governance, which must then accept. Governance signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop protocol propose MULTISIG")]
pub struct ProposeArgs {
    /// Who shall be governance.
    governance: Pubkey,
}

/// Pause deposits or purchases for six hours, or lift a pause. The guardian signs; three pauses in seven days.
///
/// Exits, settlement and observation go on. A pause ends by itself.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop protocol pause --purchases")]
pub struct PauseArgs {
    /// Pause deposits.
    #[arg(long)]
    deposits: bool,
    /// Pause purchases of cover.
    #[arg(long)]
    purchases: bool,
    /// End the pause in force.
    #[arg(long, conflicts_with_all = ["deposits", "purchases"])]
    #[arg(required_unless_present_any = ["deposits", "purchases"])]
    lift: bool,
}

impl ProtocolCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        let cluster = context.cluster()?;
        let protocol: Protocol = account::fetch(cluster, &address::protocol())?;
        match self {
            Self::Show => show(&protocol, cluster.now()?, context),
            Self::SetRoles(args) => set_roles(&args, &protocol, context),
            Self::Propose(args) => propose(&args, &protocol, context),
            Self::Accept => accept(&protocol, context),
            Self::Pause(args) => pause(&args, &protocol, cluster.now()?, context),
        }
    }
}

fn show(protocol: &Protocol, now: i64, context: &Context) -> Result<()> {
    let shown = ProtocolReport::of(protocol, now);
    context.options.output.print(&shown, |shown| {
        let until = |paused: bool| match shown.paused_until.filter(|_| paused) {
            Some(until) => format!("paused until {}", moment(until)),
            None => "open".to_owned(),
        };
        let mut rows = vec![("governance", shown.governance.clone())];
        rows.extend(shown.proposed_governance.clone().map(|proposed| ("proposed", proposed)));
        rows.extend([
            ("guardian", shown.guardian.clone()),
            ("risk keeper", shown.risk_keeper.clone()),
            ("deposits", until(shown.deposits_paused)),
            ("purchases", until(shown.purchases_paused)),
            ("pauses left", format!("{} of 3 in seven days", shown.pauses_left)),
        ]);
        card(&format!("Protocol {}", shown.protocol), &rows)
    })
}

#[derive(Serialize)]
struct Roles {
    guardian: String,
    risk_keeper: String,
}

fn set_roles(args: &SetRolesArgs, protocol: &Protocol, context: &Context) -> Result<()> {
    let guardian = args.guardian.unwrap_or(protocol.guardian);
    let risk_keeper = args.risk_keeper.unwrap_or(protocol.risk_keeper);
    let instruction = ix::set_roles(context.wallet()?, guardian, risk_keeper);
    context.carry_out(&[instruction], |_| {
        let moves =
            |now: Pubkey, then: Pubkey| if now == then { then.to_string() } else { format!("{then}, now {now}") };
        let preview = Preview {
            title: "Appoint guardian and risk keeper".into(),
            rows: vec![
                ("guardian", moves(protocol.guardian, guardian)),
                ("risk keeper", moves(protocol.risk_keeper, risk_keeper)),
            ],
            warnings: Vec::new(),
        };
        Ok((preview, Roles { guardian: guardian.to_string(), risk_keeper: risk_keeper.to_string() }))
    })
}

#[derive(Serialize)]
struct Governance {
    before: String,
    after: String,
}

fn propose(args: &ProposeArgs, protocol: &Protocol, context: &Context) -> Result<()> {
    let instruction = ix::propose_governance(context.wallet()?, args.governance);
    context.carry_out(&[instruction], |_| {
        let preview = Preview {
            title: "Propose another governance".into(),
            rows: vec![("governance", protocol.governance.to_string()), ("proposed", args.governance.to_string())],
            warnings: vec!["Nothing changes until the proposed one accepts: `backstop protocol accept`.".into()],
        };
        let before = protocol.governance.to_string();
        Ok((preview, Governance { before, after: args.governance.to_string() }))
    })
}

fn accept(protocol: &Protocol, context: &Context) -> Result<()> {
    let instruction = ix::accept_governance(context.wallet()?);
    context.carry_out(&[instruction], |_| {
        let (before, after) = (protocol.governance.to_string(), protocol.pending_governance.to_string());
        let preview = Preview {
            title: "Accept governance".into(),
            rows: vec![("governance", before.clone()), ("then", after.clone())],
            warnings: Vec::new(),
        };
        Ok((preview, Governance { before, after }))
    })
}

#[derive(Serialize)]
struct Paused {
    deposits: bool,
    purchases: bool,
    until: Option<i64>,
    pauses_left: usize,
}

fn pause(args: &PauseArgs, protocol: &Protocol, now: i64, context: &Context) -> Result<()> {
    if args.lift && !protocol.pause.covers(PAUSE_DEPOSITS | PAUSE_PURCHASES, now) {
        let hint = "`backstop protocol show` tells what is paused";
        return Err(hinted("no pause is in force: there is nothing to lift, and nothing was sent", hint));
    }
    let bits = if args.deposits { PAUSE_DEPOSITS } else { 0 } | if args.purchases { PAUSE_PURCHASES } else { 0 };
    let instruction = ix::pause(context.wallet()?, bits);
    context.carry_out(&[instruction], |_| {
        let mut then = protocol.pause.clone();
        if args.lift {
            then.lift();
        } else {
            then.begin(bits, now).map_err(|_| anyhow!("the guardian has no pause left in these seven days"))?;
        }
        let paused = Paused {
            deposits: then.covers(PAUSE_DEPOSITS, now),
            purchases: then.covers(PAUSE_PURCHASES, now),
            until: (!args.lift).then_some(then.until),
            pauses_left: pauses_left(&then, now),
        };
        let left = ("pauses left", format!("{} of 3 in seven days", paused.pauses_left));
        let Some(until) = paused.until else {
            let title = "Lift the pause".into();
            return Ok((Preview { title, rows: vec![left], warnings: Vec::new() }, paused));
        };
        let what = match (paused.deposits, paused.purchases) {
            (true, true) => "deposits and purchases",
            (true, false) => "deposits",
            _ => "purchases",
        };
        let preview = Preview {
            title: format!("Pause {what}"),
            rows: vec![("until", moment(until)), left],
            warnings: vec!["Exits, settlement and observation go on. The pause ends by itself.".into()],
        };
        Ok((preview, paused))
    })
}
