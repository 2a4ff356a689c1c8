//! Leaving a pool: ask, give it up, claim.

use super::deposit::cooldown;
use super::{
    Act, ActError, Hinted, Party, Preview, Source, asset_text, create_if_missing, event, tranche_name, written,
};
use crate::account;
use crate::address;
use crate::cluster::{Cluster, Receipt};
use crate::instruction as ix;
use crate::quote::refusal;
use crate::text::{exact_amount, moment, share_price, tidy_amount};
use crate::view::OpenPool;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{Discriminator, Space};
use backstop::RequestExitArgs;
use backstop::events::{ExitCancelled, ExitClaimed, ExitRequested};
use backstop::state::{ExitEpoch, ExitTicket, Tranche, day_start, get_text};
use serde::Serialize;

/// Where the owner stands in a ticket, after the discriminator.
const OWNER_OFFSET: usize = 32;

/// With how much somebody leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// With so many units of shares.
    Shares(u64),
    /// With as many shares as are worth so many units of the asset now.
    Worth(u64),
    /// With this part of the wallet's shares, in basis points.
    Bps(u16),
    /// With all of them.
    All,
}

impl Part {
    /// The shares that are meant, in units.
    fn of(self, pool: &OpenPool, tranche: Tranche, held: u64, now: i64) -> Result<u64, ActError> {
        let amount = match self {
            Self::Shares(shares) => return Ok(shares),
            Self::All => return Ok(held),
            Self::Bps(0) | Self::Bps(10_001..) => {
                let sentence = "--percent takes more than 0 and at most 100 percent";
                return Err(Hinted::misused(sentence, "--all leaves with everything").into());
            }
            Self::Bps(bps) => {
                let shares = u128::from(held) * u128::from(bps) / 10_000;
                return Ok(u64::try_from(shares).unwrap_or(held));
            }
            Self::Worth(amount) => amount,
        };
        let mut books = pool.state.clone();
        books.accrue(now).map_err(|why| Hinted::refused(refusal(why)))?;
        let book = books.tranche(tranche);
        let worth = book.worth_of_shares(held).unwrap_or_default();
        if amount > worth {
            let [amount, worth] = [amount, worth].map(|units| asset_text(&pool.state, units));
            let sentence =
                format!("this needs shares worth {amount}, and those that the wallet holds are worth {worth}");
            return Err(Hinted::new(sentence, "give --all to leave with all of them").into());
        }
        // Rounded up, so that they are worth no less; what is asked for is worth no more than what is held.
        let shares = (u128::from(amount) * u128::from(book.shares)).div_ceil(u128::from(book.assets.max(1)));
        Ok(u64::try_from(shares).unwrap_or(u64::MAX).min(held))
    }
}

/// What is wanted of an exit.
#[derive(Clone, Copy, Debug)]
pub struct LeaveAsk {
    /// Of which tranche.
    pub tranche: Tranche,
    /// With how much.
    pub part: Part,
    /// Where the shares are, if not in the wallet's associated account.
    pub from: Option<Pubkey>,
    /// The ticket's number; without it the next that is free. A request that is made again keeps its number, so that it
    /// can be executed once at most.
    pub nonce: Option<u64>,
    /// Whether it is signed elsewhere and sent later: it names the day after then, with which it is good today and
    /// tomorrow.
    pub later: bool,
}

/// A request to leave that was thought through.
#[derive(Debug)]
pub struct Leave {
    instruction: [Instruction; 1],
    ask: LeaveAsk,
    pool: OpenPool,
    shares: u64,
    epoch_day: u32,
    has_run_off: bool,
    rent_lamports: u64,
    /// The ticket's number.
    pub nonce: u64,
    /// The ticket, which is there once the request was executed.
    pub ticket: Pubkey,
}

/// A request to leave, for machines. Amounts are in the smallest units.
#[derive(Clone, Debug, Serialize)]
pub struct LeaveDetails {
    /// The pool.
    pub pool: String,
    /// The ticket.
    pub ticket: String,
    /// `junior` or `senior`.
    pub tranche: &'static str,
    /// With how many units of shares.
    pub shares: u64,
    /// What they are worth now, in asset units.
    pub value: u64,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Decimals of shares.
    pub share_decimals: u8,
    /// The UTC day whose exits it belongs to.
    pub epoch_day: u32,
    /// From when it can be paid.
    pub claimable_from: i64,
    /// Rent of the ticket, and of its day if it is the first of it.
    pub rent_lamports: u64,
}

impl Leave {
    /// Thinks a request to leave through.
    ///
    /// Errors: the wallet does not hold the shares.
    pub fn new(cluster: &dyn Cluster, pool: OpenPool, party: Party, ask: LeaveAsk) -> Result<Self, ActError> {
        let (keys, share_decimals) = (&pool.keys, pool.share_decimals);
        let (owner, payer, tranche) = (party.wallet, party.payer, ask.tranche);
        let (mint, token_program) = (keys.share_mint(tranche), anchor_spl::token_2022::ID);
        let source = Source {
            owner: &owner,
            mint: &mint,
            token_program: &token_program,
            decimals: share_decimals,
            named: ask.from,
        };
        let held = source.held(cluster)?;
        if held == 0 {
            let sentence = format!("the wallet holds no {} shares of this pool", tranche_name(tranche));
            let hint = source.hint(cluster, 1)?;
            let hint = hint.unwrap_or_else(|| "`backstop pool show --wallet` tells what it holds".into());
            return Err(Hinted::new(sentence, hint).into());
        }
        let now = cluster.now()?;
        let shares = ask.part.of(&pool, tranche, held, now)?;
        if shares > held {
            let [shares, held] = [shares, held].map(|shares| tidy_amount(shares, share_decimals));
            let sentence = format!("this needs {shares} shares, and the wallet holds {held}");
            return Err(Hinted::new(sentence, "give --all to leave with all of them").into());
        }
        let nonce = match ask.nonce {
            Some(nonce) => nonce,
            None => {
                let tickets = account::list::<ExitTicket>(cluster, Some((OWNER_OFFSET, owner)))?;
                tickets.iter().map(|(_, ticket)| ticket.nonce.saturating_add(1)).max().unwrap_or_default()
            }
        };
        let epoch_day = pool.state.exit_day(now).saturating_add(ask.later.into());
        let args = RequestExitArgs { nonce, tranche, shares, epoch_day };
        let instruction = [source.take(ix::request_exit(keys, owner, payer, args))];
        let mut rent_lamports = cluster.rent(ExitTicket::DISCRIMINATOR.len() + ExitTicket::INIT_SPACE)?;
        if account::find::<ExitEpoch>(cluster, &address::exit_epoch(&keys.pool, epoch_day))?.is_none() {
            let epoch = cluster.rent(ExitEpoch::DISCRIMINATOR.len() + ExitEpoch::INIT_SPACE)?;
            rent_lamports = rent_lamports.saturating_add(epoch);
        }
        let ticket = address::exit_ticket(&keys.pool, &owner, nonce);
        let has_run_off = pool.state.has_run_off(now);
        Ok(Self { instruction, ask, pool, shares, epoch_day, has_run_off, rent_lamports, nonce, ticket })
    }
}

impl Act for Leave {
    type Details = LeaveDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instruction
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, LeaveDetails), ActError> {
        let event: ExitRequested = event(receipt)?;
        let Self { pool, shares, epoch_day, has_run_off, rent_lamports, .. } = self;
        let tranche = self.ask.tranche;
        let book = pool.state.tranche(tranche);
        let claimable_from = day_start(epoch_day.saturating_add(1));
        let [shares_text, rent] = [tidy_amount(*shares, pool.share_decimals), exact_amount(*rent_lamports, 9)];
        let preview = Preview {
            title: format!("Leave with {shares_text} {} shares", tranche_name(tranche)),
            rows: vec![
                ("pool", pool.keys.pool.to_string()),
                ("value now", asset_text(&pool.state, event.value)),
                ("share price", share_price(book.assets, book.shares)),
                (
                    "cooldown",
                    match has_run_off {
                        true => "none: the pool has run off".into(),
                        false => cooldown(pool.state.terms.cooldown_seconds, ""),
                    },
                ),
                ("paid from", format!("{}, as capital is free", moment(claimable_from))),
                ("ticket", event.ticket.to_string()),
                ("rent", format!("{rent} SOL, back when ticket and day are closed")),
            ],
            warnings: vec!["Until it is paid the ticket bears losses with its tranche and earns nothing.".into()],
        };
        let details = LeaveDetails {
            pool: pool.keys.pool.to_string(),
            ticket: event.ticket.to_string(),
            tranche: tranche_name(tranche),
            shares: *shares,
            value: event.value,
            decimals: pool.decimals,
            share_decimals: pool.share_decimals,
            epoch_day: *epoch_day,
            claimable_from,
            rent_lamports: *rent_lamports,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        let (pool, shares) = (self.pool.keys.pool, written(self.shares, self.pool.share_decimals));
        let mut command =
            format!("backstop pool exit request {pool} {shares} --tranche {}", tranche_name(self.ask.tranche));
        if let Some(from) = self.ask.from {
            command.push_str(&format!(" --from {from}"));
        }
        command
    }
}

/// A ticket that was read, with its pool.
fn read(cluster: &dyn Cluster, key: &Pubkey) -> Result<(ExitTicket, OpenPool), ActError> {
    let ticket: ExitTicket = account::fetch(cluster, key)?;
    let pool = OpenPool::read(cluster, ticket.pool)?;
    Ok((ticket, pool))
}

/// What creates the owner's account of the pool's asset, if it is missing.
fn missing_assets(
    cluster: &dyn Cluster,
    payer: &Pubkey,
    pool: &OpenPool,
    ticket: &ExitTicket,
) -> Result<Vec<Instruction>, ActError> {
    let keys = &pool.keys;
    create_if_missing(cluster, payer, &ticket.owner, &keys.asset_mint, &keys.asset_token_program)
}

/// A ticket that is given up: what is open of it becomes shares again.
#[derive(Debug)]
pub struct Stay {
    instructions: Vec<Instruction>,
    key: Pubkey,
    pool: OpenPool,
    /// The ticket.
    pub ticket: ExitTicket,
}

/// A ticket that is given up, for machines. Amounts are in the smallest units.
#[derive(Clone, Debug, Serialize)]
pub struct StayDetails {
    /// The ticket.
    pub ticket: String,
    /// What stays, in asset units.
    pub value: u64,
    /// As how many units of shares.
    pub shares: u64,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Decimals of shares.
    pub share_decimals: u8,
}

impl Stay {
    /// Thinks through what it takes to give a ticket up. Its owner signs, and `payer` pays for accounts that are missing.
    pub fn new(cluster: &dyn Cluster, payer: &Pubkey, key: Pubkey) -> Result<Self, ActError> {
        let (ticket, pool) = read(cluster, &key)?;
        let mint = pool.keys.share_mint(ticket.tranche);
        let mut instructions = create_if_missing(cluster, payer, &ticket.owner, &mint, &anchor_spl::token_2022::ID)?;
        instructions.extend(missing_assets(cluster, payer, &pool, &ticket)?);
        instructions.push(ix::cancel_exit(&pool.keys, &ticket));
        Ok(Self { instructions, key, pool, ticket })
    }
}

impl Act for Stay {
    type Details = StayDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, StayDetails), ActError> {
        let event: ExitCancelled = event(receipt)?;
        let (pool, tranche) = (&self.pool, tranche_name(self.ticket.tranche));
        let preview = Preview {
            title: format!("Stay in the {tranche} tranche with {}", tidy_amount(event.value, pool.decimals)),
            rows: vec![
                ("pool", self.ticket.pool.to_string()),
                ("shares", tidy_amount(event.shares, pool.share_decimals)),
                ("ticket", self.key.to_string()),
            ],
            warnings: Vec::new(),
        };
        let details = StayDetails {
            ticket: self.key.to_string(),
            value: event.value,
            shares: event.shares,
            decimals: pool.decimals,
            share_decimals: pool.share_decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop pool exit cancel {}", self.key)
    }
}

/// What a ticket has been paid, taken for its owner. Anyone may.
#[derive(Debug)]
pub struct Claim {
    instructions: Vec<Instruction>,
    key: Pubkey,
    pool: OpenPool,
    /// The ticket.
    pub ticket: ExitTicket,
}

/// What a ticket has been paid, for machines. The amount is in asset units.
#[derive(Clone, Debug, Serialize)]
pub struct ClaimDetails {
    /// The ticket.
    pub ticket: String,
    /// Whose.
    pub owner: String,
    /// What is paid out.
    pub amount: u64,
    /// Whether that was all, and the ticket is closed.
    pub closed: bool,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl Claim {
    /// Thinks through what it takes to claim a ticket. `payer` pays for the owner's account, if it is missing.
    pub fn new(cluster: &dyn Cluster, payer: &Pubkey, key: Pubkey) -> Result<Self, ActError> {
        let (ticket, pool) = read(cluster, &key)?;
        let mut instructions = missing_assets(cluster, payer, &pool, &ticket)?;
        instructions.push(ix::claim_exit(&pool.keys, &ticket));
        Ok(Self { instructions, key, pool, ticket })
    }
}

impl Act for Claim {
    type Details = ClaimDetails;

    fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    fn describe(&self, receipt: &Receipt) -> Result<(Preview, ClaimDetails), ActError> {
        let event: ExitClaimed = event(receipt)?;
        let Self { pool, ticket, .. } = self;
        let preview = Preview {
            title: format!("Take {} {}", tidy_amount(event.amount, pool.decimals), get_text(&pool.state.label)),
            rows: vec![
                ("to", pool.keys.assets_of(&ticket.owner).to_string()),
                ("owner", ticket.owner.to_string()),
                ("ticket", if event.closed { "closed, its rent goes back".into() } else { "stays open".to_owned() }),
            ],
            warnings: Vec::new(),
        };
        let details = ClaimDetails {
            ticket: self.key.to_string(),
            owner: ticket.owner.to_string(),
            amount: event.amount,
            closed: event.closed,
            decimals: pool.decimals,
        };
        Ok((preview, details))
    }

    fn command(&self) -> String {
        format!("backstop pool exit claim {}", self.key)
    }
}
