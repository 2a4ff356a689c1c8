//! `backstop pool deposit`.

use crate::commands::args::{Amount, PoolArg, TrancheArg};
use crate::commands::context::{Context, UsageError, hinted, misused, plain};
use crate::commands::signer;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::state::{Access, Pool};
pub use backstop_client::act::cooldown;
use backstop_client::act::{Act, Deposit, DepositAsk};
pub use backstop_client::view::label;
use clap::Args;
use solana_sdk::signer::Signer;
use solana_sdk::signer::null_signer::NullSigner;

const EXAMPLE: &str = "\
Example:
  backstop pool deposit EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0 1000 --tranche senior";

/// Put capital into a pool, for shares.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct DepositArgs {
    /// The pool: its address, or MINT/NUMBER.
    pool: PoolArg,
    /// How much of the pool's asset.
    amount: Amount,
    /// Who bears losses first: junior, after the surplus and before senior.
    #[arg(long, value_enum)]
    tranche: TrancheArg,
    /// Fewest shares to accept; without it half a percent less than now.
    #[arg(long, value_name = "SHARES")]
    min_shares: Option<Amount>,
    /// Pay from this token account of the wallet, not from its associated one.
    #[arg(long, value_name = "TOKEN_ACCOUNT")]
    from: Option<Pubkey>,
    /// Who admits depositors to a pool with an allow list, and signs with them. With --print-tx and without this the
    /// signature is left open.
    #[arg(long, value_name = "SIGNER")]
    deposit_authority: Option<String>,
}

impl DepositArgs {
    /// Who must sign with the depositor, if the pool has an allow list.
    fn admission(&self, pool: &Pool, context: &Context) -> Result<Option<Box<dyn Signer>>> {
        if pool.access() != Access::AllowList {
            return match self.deposit_authority {
                Some(_) => Err(misused(
                    "the pool has no allow list: nobody admits its depositors",
                    "leave --deposit-authority out",
                )),
                None => Ok(None),
            };
        }
        let unsigned = context.options.handover.prints() || context.options.dry_run;
        let uri = match &self.deposit_authority {
            Some(uri) => uri,
            None if unsigned => return Ok(Some(Box::new(NullSigner::new(&pool.deposit_authority)))),
            None => {
                let hint = "--deposit-authority names its keypair; --print-tx gives it the transaction to sign";
                return Err(hinted(
                    format!("the pool's allow list is kept by {}, who must sign", pool.deposit_authority),
                    hint,
                ));
            }
        };
        let signer = signer::open(uri, "--deposit-authority", unsigned)?;
        let found = signer.try_pubkey()?;
        if found != pool.deposit_authority {
            let sentence = format!("--deposit-authority is {found}, and the pool's is {}", pool.deposit_authority);
            return Err(UsageError(sentence).into());
        }
        Ok(Some(signer))
    }
}

pub fn run(args: &DepositArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let pool = args.pool.open(cluster)?;
    let admission = args.admission(&pool.state, context)?;
    let ask = DepositAsk {
        tranche: args.tranche.into(),
        amount: args.amount.units(pool.decimals)?,
        min_shares: args.min_shares.map(|shares| shares.units(pool.share_decimals)).transpose()?,
        from: args.from,
        admits: admission.is_some().then_some(pool.state.deposit_authority),
    };
    let deposit = Deposit::new(cluster, &pool, context.party()?, ask).map_err(plain)?;
    context.carry_out_with(admission.as_deref(), deposit.instructions(), |receipt| {
        deposit.describe(receipt).map_err(plain)
    })
}
