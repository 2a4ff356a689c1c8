//! `backstop pool create`.

use crate::commands::args::{Amount, UtcDay, count, seconds};
use crate::commands::context::{Context, Preview, UsageError, hinted, refused};
use crate::output::{duration, moment, percent};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::CreatePoolArgs;
use backstop::state::{Access, Pool, PoolKind, PoolTerms};
use backstop_client::instruction::{self as ix, PoolKeys};
use backstop_client::quote::refusal;
use backstop_client::view::product::link_note;
use backstop_client::{Cluster, account};
use clap::{Args, ValueEnum};
use serde::Serialize;

const EXAMPLE: &str = "\
Example:
  backstop pool create --mint EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v --id 0 --label USDC \\
    --uri ipfs://bafkreiexample --cooldown 14d";

/// What a pool stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Products; it may cede.
    Cover,
    /// Treaties of cover pools.
    Reinsurance,
}

/// Who may deposit into a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AccessArg {
    /// Everybody.
    Open,
    /// Whoever brings the deposit authority's signature.
    AllowList,
    /// Nobody: the pool is fed by its surplus alone.
    ProtocolOnly,
}

/// Create a pool. Governance signs; the terms never change.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct CreateArgs {
    /// The asset that the pool holds and pays in.
    #[arg(long)]
    mint: Pubkey,
    /// The pool's number within its asset.
    #[arg(long, default_value_t = 0)]
    id: u16,
    /// Ticker of the asset, shown in names.
    #[arg(long)]
    label: String,
    /// Link of the share tokens, at most 96 letters of ASCII: to a JSON file that wallets read.
    #[arg(long)]
    uri: String,
    /// What the pool stands behind.
    #[arg(long, value_enum, default_value_t = Kind::Cover)]
    kind: Kind,
    /// Who may deposit.
    #[arg(long, value_enum, default_value_t = AccessArg::Open)]
    access: AccessArg,
    /// Who admits depositors, with `--access allow-list`.
    #[arg(long, value_name = "ADDRESS")]
    deposit_authority: Option<Pubkey>,
    /// Time between a request to leave and the day that pays it: 1 to 90 days.
    #[arg(long, value_name = "DURATION", default_value = "14d", value_parser = seconds)]
    cooldown: u32,
    /// Least first deposit of a tranche.
    #[arg(long, value_name = "AMOUNT", default_value = "10")]
    min_first_deposit: Amount,
    /// Least value of an exit ticket: whoever has less cannot leave by himself.
    #[arg(long, value_name = "AMOUNT", default_value = "1")]
    min_ticket: Amount,
    /// Least sum insured.
    #[arg(long, value_name = "AMOUNT", default_value = "1")]
    min_sum_insured: Amount,
    /// Capital asked for per unit of required capital: 10000 to 100000.
    #[arg(long, value_name = "BPS", default_value_t = 10_000)]
    solvency_bps: u32,
    /// Highest exposure per unit of capital: 10000 to 100000.
    #[arg(long, value_name = "BPS", default_value_t = 10_000)]
    max_leverage_bps: u32,
    /// Weight of junior capital against senior when premium is shared: 10000 to 100000.
    #[arg(long, value_name = "BPS", default_value_t = 20_000)]
    junior_weight_bps: u32,
    /// Correlation between risk groups, up to 10000, which is full collateral.
    #[arg(long, value_name = "BPS", default_value_t = 10_000)]
    rho_bps: u16,
    /// Highest part of required capital that a quota share may stand in for: at most 5000.
    #[arg(long, value_name = "BPS", default_value_t = 0)]
    max_credit_bps: u16,
    /// Part of earned premium that goes to the surplus: at most 3000.
    #[arg(long, value_name = "BPS", default_value_t = 1_000)]
    surplus_bps: u16,
    /// Highest exposure of one risk group, as a part of capital: 1 to 10000.
    #[arg(long, value_name = "BPS", default_value_t = 10_000)]
    group_cap_bps: u16,
    /// Least surplus and junior capital at a sale, as a part of required capital: up to 10000.
    #[arg(long, value_name = "BPS", default_value_t = 1_000)]
    first_loss_bps: u16,
    /// Whole days that capital must have stayed before it counts for capacity: 1 to 30. A new pool sells nothing before.
    #[arg(long, value_name = "DAYS", value_parser = count::<u16>, default_value_t = 7)]
    seasoning_days: u16,
    /// First UTC day on which a vintage sells nothing any more, within two years: from then on it runs off, and takes no
    /// deposits. Without it the pool has no end.
    #[arg(long, value_name = "DAY")]
    sells_until: Option<UtcDay>,
}

#[derive(Serialize)]
struct Details {
    pool: String,
    vault: String,
    share_mints: [String; 2],
}

pub fn run(args: &CreateArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    if (args.access == AccessArg::AllowList) != args.deposit_authority.is_some() {
        return Err(UsageError("--deposit-authority belongs to --access allow-list".into()).into());
    }
    let no_mint = |sentence: String| hinted(sentence, "--mint names a mint of SPL Token or Token-2022; check --url");
    let mint = cluster.account(&args.mint)?.ok_or_else(|| no_mint(format!("there is no mint at {}", args.mint)))?;
    // A mint's decimals stand at byte 44 in both token programs.
    let programs = [anchor_spl::token::ID, anchor_spl::token_2022::ID];
    let byte = mint.data.get(44).filter(|_| programs.contains(&mint.owner));
    let decimals = *byte.ok_or_else(|| no_mint(format!("the account {} is no mint", args.mint)))?;
    let terms = PoolTerms {
        min_first_deposit: args.min_first_deposit.units(decimals)?,
        min_ticket: args.min_ticket.units(decimals)?,
        min_sum_insured: args.min_sum_insured.units(decimals)?,
        cooldown_seconds: args.cooldown,
        solvency_bps: args.solvency_bps,
        max_leverage_bps: args.max_leverage_bps,
        junior_weight_bps: args.junior_weight_bps,
        rho_bps: args.rho_bps,
        max_credit_bps: args.max_credit_bps,
        surplus_bps: args.surplus_bps,
        group_cap_bps: args.group_cap_bps,
        first_loss_bps: args.first_loss_bps,
        seasoning_days: args.seasoning_days,
        sells_until_day: args.sells_until.map_or(0, |day| day.0),
    };
    if terms.validate(decimals).is_err() {
        let sentence =
            "the pool's terms are outside the program's bounds; the smallest amounts are one whole token at least";
        return Err(UsageError(sentence.into()).into());
    }
    let kind = match args.kind {
        Kind::Cover => PoolKind::Cover,
        Kind::Reinsurance => PoolKind::Reinsurance,
    };
    terms.require_end_fits(kind, cluster.now()?).map_err(|why| refused(refusal(why)))?;
    let keys = PoolKeys::derive(args.mint, mint.owner, args.id);
    if account::find::<Pool>(cluster, &keys.pool)?.is_some() {
        let hint = format!("`backstop pool show {}/{}` shows it; --id chooses another number", args.mint, args.id);
        return Err(hinted(format!("the pool {}/{} is there already", args.mint, args.id), hint));
    }
    let create = CreatePoolArgs {
        id: args.id,
        kind,
        access: match args.access {
            AccessArg::Open => Access::Open,
            AccessArg::AllowList => Access::AllowList,
            AccessArg::ProtocolOnly => Access::ProtocolOnly,
        },
        deposit_authority: args.deposit_authority.unwrap_or_default(),
        label: args.label.clone(),
        uri: args.uri.clone(),
        terms,
    };
    let seasoning = u64::from(terms.seasoning_days).saturating_mul(86_400);
    let instruction = ix::create_pool(context.wallet()?, context.payer()?, &keys, create);
    context.carry_out(&[instruction], |_| {
        let mut preview = Preview {
            title: format!("Create the pool {} #{}", args.label, args.id),
            rows: vec![
                ("address", keys.pool.to_string()),
                ("asset", args.mint.to_string()),
                ("cooldown", super::deposit::cooldown(terms.cooldown_seconds, "")),
                ("leverage", percent(terms.max_leverage_bps.into())),
                ("first loss", format!("{} of what is required, at a sale", percent(terms.first_loss_bps.into()))),
                ("seasoning", format!("capital counts for sales after {}", duration(seasoning))),
                ("surplus takes", format!("{} of earned premium", percent(terms.surplus_bps.into()))),
                ("junior weighs", percent(terms.junior_weight_bps.into())),
                ("shares link to", args.uri.clone()),
            ],
            warnings: vec!["The terms never change.".into(), link_note(&args.uri)],
        };
        if let Some(end) = terms.sells_until() {
            let end = format!("{}: then it takes no deposits and runs off", moment(end));
            preview.rows.push(("sells until", end));
        }
        let details = Details {
            pool: keys.pool.to_string(),
            vault: keys.vault().to_string(),
            share_mints: keys.share_mints.map(|mint| mint.to_string()),
        };
        Ok((preview, details))
    })
}
