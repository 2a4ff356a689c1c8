//! Capital into a pool, for shares.

use super::{Act, ActError, Hinted, Party, Preview, Source, create_if_missing, tranche_name, written};
use crate::account;
use crate::cluster::{Cluster, Receipt};
use crate::instruction as ix;
use crate::quote::refusal;
use crate::text::{duration, exact_amount, moment, percent, share_price, tidy_amount};
use crate::transaction;
use crate::view::OpenPool;
use crate::view::earnings::{self, Earnings};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::DepositArgs;
use backstop::events::Deposited;
use backstop::state::{InwardRisk, Pool, Seen, Tranche, get_text};
use serde::Serialize;

/// Bytes of an associated account of shares: a plain one and the mark that its owner never changes.
const SHARE_ACCOUNT: usize = 170;
/// What of the expected shares is asked for at least, in basis points.
const SLIPPAGE_BPS: u64 = 9_950;

/// What is wanted of a deposit.
#[derive(Clone, Copy, Debug)]
pub struct DepositAsk {
    /// Of which tranche.
    pub tranche: Tranche,
    /// How much, in asset units.
    pub amount: u64,
    /// Fewest shares to accept; without it half a percent less than now.
    pub min_shares: Option<u64>,
    /// Where it comes from, if not from the wallet's associated account.
    pub from: Option<Pubkey>,
    /// Who must sign with the depositor, if the pool has an allow list.
    pub admits: Option<Pubkey>,
}

/// A deposit that was thought through.
#[derive(Debug)]
pub struct Deposit {
    instructions: Vec<Instruction>,
    ask: DepositAsk,
    pool: Pubkey,
    /// The pool's books at `now`.
    books: Box<Pool>,
    now: i64,
    expected: u64,
    min_shares: u64,
    decimals: u8,
    share_decimals: u8,
    rent_lamports: u64,
}

/// A deposit for machines. Amounts are in the smallest units.
#[derive(Clone, Debug, Serialize)]
pub struct DepositDetails {
    /// The pool.
    pub pool: String,
    /// `junior` or `senior`.
    pub tranche: &'static str,
    /// What is paid in, in asset units.
    pub amount: u64,
    /// What comes of it, in units of shares.
    pub shares: u64,
    /// Least shares that are accepted, in units of shares.
    pub min_shares: u64,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Decimals of shares.
    pub share_decimals: u8,
    /// How long leaving takes at least.
    pub cooldown_seconds: u32,
    /// Rent of the account of shares, if it is created.
    pub rent_lamports: u64,
    /// What the tranche earns with this deposit in it.
    pub earns: Earnings,
    /// What the deposit earns of that in the coming 30 days.
    pub deposit_earns: u64,
    /// What the deposit loses if all that the pool stands behind were due today, without reinsurance.
    pub worst_case: u64,
}

impl Deposit {
    /// Thinks a deposit through.
    ///
    /// Errors: the wallet cannot pay it, its account of shares cannot be used, or the pool's books refuse it.
    pub fn new(cluster: &dyn Cluster, pool: &OpenPool, party: Party, ask: DepositAsk) -> Result<Self, ActError> {
        let (keys, decimals, share_decimals) = (&pool.keys, pool.decimals, pool.share_decimals);
        let DepositAsk { tranche, amount, .. } = ask;
        let owner = party.wallet;
        let source = Source::of(keys, &owner, decimals, ask.from);
        source.require(cluster, amount)?;

        let (mint, token_program) = (keys.share_mint(tranche), anchor_spl::token_2022::ID);
        let mut instructions = create_if_missing(cluster, &party.payer, &owner, &mint, &token_program)?;
        let rent_lamports = if instructions.is_empty() { 0 } else { cluster.rent(SHARE_ACCOUNT)? };
        // What the program's own books say now; the simulation says it again.
        let now = cluster.now()?;
        let mut books = pool.state.clone();
        let refused = |why| Hinted::refused(refusal(why));
        books.require_lets_in(now).map_err(refused)?;
        books.accrue(now).map_err(refused)?;
        let cedants = books.cedants();
        let mut inward = InwardRisk::default();
        for (treaty, cedant) in books.inward.iter().zip(&cedants) {
            inward.add(treaty, &account::fetch::<Pool>(cluster, cedant)?, now).map_err(refused)?;
        }
        books.require_small(&inward).map_err(refused)?;
        // A deposit that the books refuse is not tried with a price that nobody has agreed to.
        let expected = books.clone().deposit(tranche, amount, 0).map_err(refused)?;
        let least = u128::from(expected) * u128::from(SLIPPAGE_BPS) / 10_000;
        let min_shares = ask.min_shares.unwrap_or(u64::try_from(least).unwrap_or(expected));
        // What is announced between this look at the pool and the deposit is refused there.
        let seen = pool.state.seen();
        let deposit = DepositArgs { tranche, amount, min_shares, seen };
        let deposit = ix::deposit_with_cedants(keys, owner, ask.admits, deposit, &cedants);
        instructions.push(source.take(deposit));
        Ok(Self {
            instructions,
            ask,
            pool: keys.pool,
            books,
            now,
            expected,
            min_shares,
            decimals,
            share_decimals,
            rent_lamports,
        })
    }

    /// Fewest shares that are accepted, in their units.
    pub fn min_shares(&self) -> u64 {
        self.min_shares
    }

    fn asset(&self, units: u64) -> String {
        format!("{} {}", tidy_amount(units, self.decimals), get_text(&self.books.label))
    }

    /// What loses before a tranche does.
    fn risk(&self) -> String {
        let surplus = self.asset(self.books.surplus);
        match self.ask.tranche {
            Tranche::Junior => format!("loses after {surplus} of surplus"),
            Tranche::Senior => {
                let junior = self.asset(self.books.tranche(Tranche::Junior).total());
                format!("loses after {surplus} of surplus and {junior} of junior capital")
            }
        }
    }
}

/// How much a pool stands behind, in numbers: with what comes later the deposit is refused.
fn stands_behind(Seen { products, treaties }: Seen) -> String {
    let of = |number: u16, one, more| format!("{number} {}", if number == 1 { one } else { more });
    let (products, treaties) = (of(products, "product", "products"), of(treaties, "treaty", "treaties"));
    format!("{products} and {treaties} so far; refused if more are announced before it lands")
}

/// How long leaving takes: exits are paid at midnight, so up to a day later than the cooldown says.
pub fn cooldown(seconds: u32, from: &str) -> String {
    let seconds = u64::from(seconds);
    let most = seconds.saturating_add(backstop::constants::DAY.unsigned_abs());
    format!("{}{from}, then at the next midnight UTC ({} at most)", duration(seconds), duration(most))
}

impl Act for Deposit {
    type Details = DepositDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, DepositDetails), ActError> {
        let Self { books, now, min_shares, decimals, share_decimals, rent_lamports, .. } = self;
        let (now, min_shares, decimals, share_decimals) = (*now, *min_shares, *decimals, *share_decimals);
        let DepositAsk { tranche, amount, .. } = self.ask;
        let shares =
            transaction::events::<Deposited>(&receipt.logs).first().map_or(self.expected, |event| event.shares);
        let book = books.tranche(tranche);
        let after = book.assets.saturating_add(amount);
        let mut with_it = books.clone();
        if with_it.deposit(tranche, amount, 0).is_err() {
            with_it.tranche_mut(tranche).assets = after;
        }
        let earns = earnings::earnings(&with_it, tranche, now);
        let part = u128::from(earns.coming_30_days) * u128::from(amount) / u128::from(after.max(1));
        let deposit_earns = u64::try_from(part).unwrap_or(u64::MAX);
        let worst_case = earnings::worst_case(books, tranche, amount, amount, now);
        let part_bps = u128::from(amount) * 10_000 / u128::from(after.max(1));
        let mut preview = Preview {
            title: format!("Deposit {} into the {} tranche", self.asset(amount), tranche_name(tranche)),
            rows: vec![
                ("pool", self.pool.to_string()),
                ("shares", {
                    let [shares, least] = [shares, min_shares].map(|shares| tidy_amount(shares, share_decimals));
                    format!("{shares}, at least {least}")
                }),
                ("share price", share_price(book.assets, book.shares)),
                ("your part", percent(u64::try_from(part_bps).unwrap_or(10_000)) + " of the tranche"),
                (
                    "earned",
                    format!("{} by the whole tranche since {}", self.asset(earns.earned), moment(earns.earned_from)),
                ),
                (
                    "earns",
                    format!(
                        "{} a year by premium in force: {} in the coming 30 days; {} of the tranche is exposed",
                        percent(earns.a_year_bps),
                        self.asset(deposit_earns),
                        percent(earns.exposed_bps)
                    ),
                ),
                ("risk", self.risk()),
                (
                    "worst case",
                    format!(
                        "{} of {} are lost, if all that the pool stands behind were due today, without reinsurance",
                        self.asset(worst_case),
                        self.asset(amount)
                    ),
                ),
                (
                    "in use",
                    format!("{} of the pool's capital, this included", percent(earnings::in_use_bps(&with_it, now))),
                ),
                ("stands behind", stands_behind(books.seen())),
                (
                    "exposure",
                    format!(
                        "{} of covers, behind {} of capital",
                        self.asset(books.total_exposure),
                        self.asset(books.staying_capital().unwrap_or_default().saturating_add(amount))
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
        if *rent_lamports > 0 {
            let rent = format!("{} SOL for the account of the shares", exact_amount(*rent_lamports, 9));
            preview.rows.push(("rent", rent));
        }
        if tranche == Tranche::Junior {
            preview.warnings.push("Junior capital can be lost entirely before senior capital loses anything.".into());
        }
        let details = DepositDetails {
            pool: self.pool.to_string(),
            tranche: tranche_name(tranche),
            amount,
            shares,
            min_shares,
            decimals,
            share_decimals,
            cooldown_seconds: books.terms.cooldown_seconds,
            rent_lamports: *rent_lamports,
            earns,
            deposit_earns,
            worst_case,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        let mut command = format!(
            "backstop pool deposit {} {} --tranche {} --min-shares {}",
            self.pool,
            written(self.ask.amount, self.decimals),
            tranche_name(self.ask.tranche),
            written(self.min_shares, self.share_decimals)
        );
        if let Some(from) = self.ask.from {
            command.push_str(&format!(" --from {from}"));
        }
        command
    }
}
