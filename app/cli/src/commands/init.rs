//! `backstop init`.

use crate::commands::context::{Context, Preview, hinted};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::InitializeArgs;
use backstop::state::Protocol;
use backstop_client::{Cluster, account, address, instruction as ix};
use clap::Args;
use serde::Serialize;

/// Set the protocol up, once. The program's upgrade authority signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop init --governance MULTISIG --guardian WALLET --risk-keeper WALLET")]
pub struct InitArgs {
    /// Creates pools, products and treaties, and appoints roles: a multisig, better than a wallet.
    #[arg(long, value_name = "ADDRESS")]
    governance: Pubkey,
    /// May pause deposits and purchases for six hours.
    #[arg(long, value_name = "ADDRESS")]
    guardian: Pubkey,
    /// Moves risk rates within their bounds.
    #[arg(long, value_name = "ADDRESS")]
    risk_keeper: Pubkey,
}

#[derive(Serialize)]
struct Details {
    protocol: String,
    governance: String,
    guardian: String,
    risk_keeper: String,
    genesis_hash: String,
}

pub fn run(args: &InitArgs, context: &Context) -> Result<()> {
    let protocol = address::protocol();
    if account::find::<Protocol>(context.cluster()?, &protocol)?.is_some() {
        let hint = "`backstop protocol show` tells its roles, `backstop protocol set-roles` changes them";
        return Err(hinted("the protocol is set up already", hint));
    }
    let InitArgs { governance, guardian, risk_keeper } = *args;
    let genesis_hash = context.cluster()?.genesis_hash()?;
    let roles = InitializeArgs { governance, guardian, risk_keeper, genesis_hash: genesis_hash.to_bytes() };
    let initialize = ix::initialize(context.wallet()?, context.payer()?, roles);
    context.carry_out(&[initialize], |_| {
        let preview = Preview {
            title: "Set the protocol up".into(),
            rows: vec![
                ("protocol", protocol.to_string()),
                ("governance", governance.to_string()),
                ("guardian", guardian.to_string()),
                ("risk keeper", risk_keeper.to_string()),
                ("cluster", genesis_hash.to_string()),
            ],
            warnings: vec!["It works once. Whoever is governance can hand it over, nobody else can.".into()],
        };
        let details = Details {
            protocol: protocol.to_string(),
            governance: governance.to_string(),
            guardian: guardian.to_string(),
            risk_keeper: risk_keeper.to_string(),
            genesis_hash: genesis_hash.to_string(),
        };
        Ok((preview, details))
    })
}
