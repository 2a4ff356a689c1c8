//! `backstop pool deposit`.

use crate::commands::args::{Amount, PoolArg, Source, TrancheArg};
use crate::commands::context::{Context, Preview, UsageError, hinted, misused, refused};
use crate::commands::signer;
use crate::output::{duration, exact_amount, moment, percent, share_price, tidy_amount};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::events::Deposited;
use backstop::state::{Access, Pool, Seen, Tranche};
use backstop_client::view::earnings::{self, Earnings};
use backstop_client::{Cluster, instruction as ix, transaction};
use clap::Args;
use serde::Serialize;
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

#[derive(Serialize)]
struct Details {
    pool: String,
    tranche: &'static str,
    amount: u64,
    shares: u64,
    min_shares: u64,
    decimals: u8,
    share_decimals: u8,
    cooldown_seconds: u32,
    rent_lamports: u64,
    /// What the tranche earns with this deposit in it.
    earns: Earnings,
    /// What the deposit earns of that in the coming 30 days.
    deposit_earns: u64,
    /// What the deposit loses if all that the pool stands behind were due today, without reinsurance.
    worst_case: u64,
}

/// How much a pool stands behind, in numbers: with what comes later the deposit is refused.
fn stands_behind(Seen { products, treaties }: Seen) -> String {
    let of = |number: u16, one, more| format!("{number} {}", if number == 1 { one } else { more });
    let (products, treaties) = (of(products, "product", "products"), of(treaties, "treaty", "treaties"));
    format!("{products} and {treaties} so far; refused if more are announced before it lands")
}

/// Bytes of an associated account of shares: a plain one and the mark that its owner never changes.
const SHARE_ACCOUNT: usize = 170;
/// What of the expected shares is asked for at least, in basis points.
const SLIPPAGE_BPS: u64 = 9_950;

pub fn run(args: &DepositArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let pool = args.pool.open(cluster)?;
    let (keys, decimals, share_decimals) = (&pool.keys, pool.decimals, pool.share_decimals);
    let owner = context.wallet()?;
    let tranche = Tranche::from(args.tranche);
    let amount = args.amount.units(decimals)?;
    let source = Source::of(keys, &owner, decimals, args.from);
    source.require(cluster, amount)?;

    let mut instructions = context.create_if_missing(&owner, &keys.share_mint(tranche), &anchor_spl::token_2022::ID)?;
    let rent_lamports = if instructions.is_empty() { 0 } else { cluster.rent(SHARE_ACCOUNT)? };
    // What the program's own books say now; the simulation says it again.
    let now = cluster.now()?;
    let mut books = pool.state.clone();
    let refusal = |why| refused(backstop_client::quote::refusal(why));
    books.require_not_ended(now).map_err(refusal)?;
    books.accrue(now).map_err(refusal)?;
    // A deposit that the books refuse is not tried with a price that nobody has agreed to.
    let expected = books.clone().deposit(tranche, amount, 0).map_err(refusal)?;
    let min_shares = match args.min_shares {
        Some(shares) => shares.units(share_decimals)?,
        None => (u128::from(expected) * u128::from(SLIPPAGE_BPS) / 10_000) as u64,
    };
    let admission = args.admission(&pool.state, context)?;
    let admits = admission.is_some().then_some(pool.state.deposit_authority);
    // What is announced between this look at the pool and the deposit is refused there.
    let seen = pool.state.seen();
    let deposit = ix::deposit(keys, owner, admits, backstop::DepositArgs { tranche, amount, min_shares, seen });
    instructions.push(source.take(deposit));

    context.carry_out_with(admission.as_deref(), &instructions, |receipt| {
        let shares = transaction::events::<Deposited>(&receipt.logs).first().map_or(expected, |event| event.shares);
        let book = books.tranche(tranche);
        let after = book.assets.saturating_add(amount);
        let label = label(&books.label);
        let mut with_it = books.clone();
        if with_it.deposit(tranche, amount, 0).is_err() {
            with_it.tranche_mut(tranche).assets = after;
        }
        let earns = earnings::earnings(&with_it, tranche, now);
        let part = u128::from(earns.coming_30_days) * u128::from(amount) / u128::from(after.max(1));
        let deposit_earns = u64::try_from(part).unwrap_or(u64::MAX);
        let worst_case = earnings::worst_case(&books, tranche, amount, amount, now);
        let asset = |units| format!("{} {label}", tidy_amount(units, decimals));
        let mut preview = Preview {
            title: format!("Deposit {} into the {} tranche", asset(amount), TrancheArg::name_of(tranche)),
            rows: vec![
                ("pool", keys.pool.to_string()),
                ("shares", {
                    let [shares, least] = [shares, min_shares].map(|shares| tidy_amount(shares, share_decimals));
                    format!("{shares}, at least {least}")
                }),
                ("share price", share_price(book.assets, book.shares)),
                (
                    "your part",
                    percent((u128::from(amount) * 10_000 / u128::from(after.max(1))) as u64) + " of the tranche",
                ),
                ("earned", format!("{} by the whole tranche since {}", asset(earns.earned), moment(earns.earned_from))),
                (
                    "earns",
                    format!(
                        "{} a year by premium in force: {} in the coming 30 days; {} of the tranche is exposed",
                        percent(earns.a_year_bps),
                        asset(deposit_earns),
                        percent(earns.exposed_bps)
                    ),
                ),
                ("risk", risk(&books, tranche, &asset)),
                (
                    "worst case",
                    format!(
                        "{} of {} are lost, if all that the pool stands behind were due today, without reinsurance",
                        asset(worst_case),
                        asset(amount)
                    ),
                ),
                (
                    "in use",
                    format!("{} of the pool's capital, this included", percent(earnings::in_use_bps(&with_it, now))),
                ),
                ("stands behind", stands_behind(seen)),
                (
                    "exposure",
                    format!(
                        "{} of covers, behind {} of capital",
                        asset(books.total_exposure),
                        asset(books.staying_capital().unwrap_or_default().saturating_add(amount))
                    ),
                ),
                (
                    "cooldown",
                    cooldown(books.terms.cooldown_seconds, " from a request to leave") + ", as capital is free",
                ),
            ],
            warnings: Vec::new(),
        };
        if let Some(end) = books.terms.sells_until() {
            let end = format!("{}: then the pool takes no deposits and runs off", moment(end));
            preview.rows.push(("sells until", end));
        }
        if rent_lamports > 0 {
            let rent = format!("{} SOL for the account of the shares", exact_amount(rent_lamports, 9));
            preview.rows.push(("rent", rent));
        }
        if tranche == Tranche::Junior {
            preview.warnings.push("Junior capital can be lost entirely before senior capital loses anything.".into());
        }
        let details = Details {
            pool: keys.pool.to_string(),
            tranche: TrancheArg::name_of(tranche),
            amount,
            shares,
            min_shares,
            decimals,
            share_decimals,
            cooldown_seconds: books.terms.cooldown_seconds,
            rent_lamports,
            earns,
            deposit_earns,
            worst_case,
        };
        Ok((preview, details))
    })
}

/// What loses before a tranche does.
fn risk(books: &backstop::state::Pool, tranche: Tranche, asset: &dyn Fn(u64) -> String) -> String {
    let junior = books.tranche(Tranche::Junior).total();
    match tranche {
        Tranche::Junior => format!("loses after {} of surplus", asset(books.surplus)),
        Tranche::Senior => {
            format!("loses after {} of surplus and {} of junior capital", asset(books.surplus), asset(junior))
        }
    }
}

/// How long leaving takes: exits are paid at midnight, so up to a day later than the cooldown says.
pub fn cooldown(seconds: u32, from: &str) -> String {
    let seconds = u64::from(seconds);
    let most = seconds.saturating_add(backstop::constants::DAY.unsigned_abs());
    format!("{}{from}, then at the next midnight UTC ({} at most)", duration(seconds), duration(most))
}

/// A ticker without the zeros that fill its field.
pub fn label(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}
