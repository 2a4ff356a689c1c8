//! `backstop config`, `backstop address`, `backstop balance`: which cluster, who signs, what is in the wallet.

use crate::commands::args::PoolArg;
use crate::commands::context::Context;
use crate::commands::explorer;
use crate::output::{QUIET, card, exact_amount, paint, tidy_amount};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::state::{Pool, Tranche, get_text};
use backstop_client::account;
use backstop_client::cluster::Cluster;
use backstop_client::instruction::PoolKeys;
use backstop_client::token::{Standing, elsewhere};
use clap::{Args, Subcommand};
use serde::Serialize;

/// The commands on settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show each setting and where it comes from. Asks no cluster and reads no key.
    #[command(after_help = "Example:\n  backstop config get")]
    Get,
}

#[derive(Serialize)]
struct Setting {
    name: &'static str,
    value: String,
    source: &'static str,
}

impl ConfigCommand {
    /// Runs the command and prints its result.
    pub fn run(self, context: &Context) -> Result<()> {
        let Self::Get = self;
        let settings: Vec<Setting> =
            context.settings()?.into_iter().map(|(name, value, source)| Setting { name, value, source }).collect();
        context.options.output.print(&settings, |settings| {
            let rows = settings.iter().map(|setting| {
                (setting.name, format!("{} {}", setting.value, paint(format!("({})", setting.source), QUIET)))
            });
            card("Settings", &rows.collect::<Vec<_>>())
        })
    }
}

/// Print the signer's address.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop address --keypair id.json")]
pub struct AddressArgs {}

#[derive(Serialize)]
struct Address {
    address: String,
}

/// Prints the signer's address.
pub fn address(_: &AddressArgs, context: &Context) -> Result<()> {
    let address = Address { address: context.wallet()?.to_string() };
    context.options.output.print(&address, |address| address.address.clone())
}

/// Show what a wallet holds: SOL, and of each pool its asset and its shares.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop balance\n  backstop balance WALLET --pool POOL")]
pub struct BalanceArgs {
    /// Whose; without it the signer's.
    wallet: Option<Pubkey>,
    /// Of this pool only: its address, or MINT/NUMBER.
    #[arg(long)]
    pool: Option<PoolArg>,
}

#[derive(Serialize)]
struct Balance {
    wallet: String,
    lamports: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    explorer: Option<String>,
    pools: Vec<InPool>,
}

#[derive(Serialize)]
struct InPool {
    pool: String,
    label: String,
    asset_mint: String,
    /// In the associated account.
    assets: u64,
    /// In the wallet's other accounts of the asset.
    assets_elsewhere: u64,
    accounts_elsewhere: Vec<String>,
    junior_shares: u64,
    junior_worth: u64,
    senior_shares: u64,
    senior_worth: u64,
    decimals: u8,
    share_decimals: u8,
}

/// Shows what a wallet holds.
pub fn balance(args: &BalanceArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let wallet = args.wallet.map_or_else(|| context.wallet(), Ok)?;
    let pools: Vec<(Pubkey, Pool)> = match args.pool {
        Some(PoolArg(address)) => vec![(address, account::fetch(cluster, &address)?)],
        None => account::list(cluster, None)?,
    };
    let mut held = Vec::new();
    for (address, pool) in pools {
        held.push(in_pool(cluster, &wallet, address, &pool)?);
    }
    held.sort_by(|left, right| (&left.label, &left.pool).cmp(&(&right.label, &right.pool)));
    let balance = Balance {
        wallet: wallet.to_string(),
        lamports: cluster.account(&wallet)?.map_or(0, |account| account.lamports),
        explorer: explorer::account(cluster.url(), &wallet.to_string()),
        pools: held,
    };
    context.options.output.print(&balance, display)
}

fn in_pool(cluster: &dyn Cluster, wallet: &Pubkey, address: Pubkey, pool: &Pool) -> Result<InPool> {
    let program = cluster.account(&pool.asset_mint)?.map_or(anchor_spl::token::ID, |mint| mint.owner);
    let keys = PoolKeys::of(address, pool, program);
    let others = elsewhere(cluster, wallet, &pool.asset_mint, &program)?;
    let shares = |tranche: Tranche| -> Result<(u64, u64)> {
        let token = anchor_spl::token_2022::ID;
        let shares = Standing::associated(cluster, wallet, &keys.share_mint(tranche), &token)?.amount();
        Ok((shares, pool.tranche(tranche).worth_of_shares(shares).unwrap_or_default()))
    };
    let (junior, senior) = (shares(Tranche::Junior)?, shares(Tranche::Senior)?);
    Ok(InPool {
        pool: address.to_string(),
        label: get_text(&pool.label).into(),
        asset_mint: pool.asset_mint.to_string(),
        assets: Standing::associated(cluster, wallet, &pool.asset_mint, &program)?.amount(),
        assets_elsewhere: others.iter().fold(0, |sum: u64, (_, amount)| sum.saturating_add(*amount)),
        accounts_elsewhere: others.iter().map(|(key, _)| key.to_string()).collect(),
        junior_shares: junior.0,
        junior_worth: junior.1,
        senior_shares: senior.0,
        senior_worth: senior.1,
        decimals: pool.asset_decimals,
        share_decimals: pool.asset_decimals + backstop::constants::SHARE_EXTRA_DECIMALS,
    })
}

fn display(balance: &Balance) -> String {
    let sol = [("SOL", exact_amount(balance.lamports, 9))];
    let mut text = card(&format!("Wallet {}", balance.wallet), &sol);
    for pool in &balance.pools {
        let asset = |units| format!("{} {}", tidy_amount(units, pool.decimals), pool.label);
        let shares =
            |shares, worth| format!("{} shares, worth {}", tidy_amount(shares, pool.share_decimals), asset(worth));
        let mut rows = vec![(pool.label.as_str(), asset(pool.assets))];
        if pool.assets_elsewhere > 0 {
            let accounts = pool.accounts_elsewhere.join(" ");
            rows.push((
                "elsewhere",
                format!("{} in {accounts}: --from takes from there", asset(pool.assets_elsewhere)),
            ));
        }
        rows.push(("junior", shares(pool.junior_shares, pool.junior_worth)));
        rows.push(("senior", shares(pool.senior_shares, pool.senior_worth)));
        text.push_str(&format!("\n{}", card(&format!("Pool {}", pool.pool), &rows)));
    }
    text
}
