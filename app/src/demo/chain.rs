//! The cluster of the demo: sends its transactions, counts what they cost, and looks at the books after each.

use super::DemoError;
use crate::account::{self, Decode};
use crate::cluster::{Cluster, ClusterError, Receipt};
use crate::instruction::PoolKeys;
use crate::{EmbeddedCluster, transaction};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::error::BackstopError;
use backstop::state::Pool;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;

/// What a transaction may use; the runtime's most.
const COMPUTE_UNIT_LIMIT: u32 = 1_400_000;

/// What was found in the books after each transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    /// How often they were looked at.
    pub looks: u64,
    /// First time the vault held less than the books say.
    pub short_vault: Option<String>,
    /// First time the ledger's entries did not sum to its cash.
    pub torn_ledger: Option<String>,
    /// First time more shares existed than the books say.
    pub loose_shares: Option<String>,
    /// First time that tokens were made or lost.
    pub lost_tokens: Option<String>,
}

/// A cluster that keeps count.
pub(super) struct Chain {
    pub cluster: EmbeddedCluster,
    pub payer: Keypair,
    pub transactions: u64,
    pub books: Books,
    pool: Option<PoolKeys>,
    /// Token accounts that the asset was handed out to, and how much of it.
    wallets: Vec<Pubkey>,
    handed_out: u64,
    compute_units: BTreeMap<&'static str, Vec<u64>>,
}

impl Chain {
    pub fn start(now: i64, payer: Keypair) -> Self {
        let cluster = EmbeddedCluster::start(now, &payer.pubkey());
        cluster.airdrop(&payer.pubkey(), 1_000_000_000_000);
        Self {
            cluster,
            payer,
            transactions: 0,
            books: Books::default(),
            pool: None,
            wallets: Vec::new(),
            handed_out: 0,
            compute_units: BTreeMap::new(),
        }
    }

    /// Gives somebody an amount of the pool's asset.
    pub fn hand_out(&mut self, owner: &Pubkey, mint: &Pubkey, amount: u64) {
        self.wallets.push(self.cluster.set_tokens(owner, mint, amount));
        self.handed_out += amount;
    }

    /// Looks at the books of this pool from now on.
    pub fn watch(&mut self, pool: PoolKeys) {
        self.pool = Some(pool);
    }

    /// Reads an account that must be there.
    pub fn read<T: Decode>(&self, address: &Pubkey) -> Result<T, DemoError> {
        Ok(account::fetch(&self.cluster, address)?)
    }

    /// Units in a token account; 0 if there is none.
    pub fn tokens(&self, address: &Pubkey) -> Result<u64, DemoError> {
        Ok(self.number(address, 64)?.unwrap_or(0))
    }

    /// Units of a mint that exist.
    fn supply(&self, mint: &Pubkey) -> Result<u64, DemoError> {
        Ok(self.number(mint, 36)?.unwrap_or(0))
    }

    fn number(&self, address: &Pubkey, offset: usize) -> Result<Option<u64>, DemoError> {
        let account = self.cluster.account(address).map_err(account::AccountError::from)?;
        Ok(account.and_then(|account| Some(u64::from_le_bytes(*account.data.get(offset..)?.first_chunk()?))))
    }

    /// Sends a transaction that must succeed. `step` says in words what it is for.
    pub fn run(
        &mut self,
        step: &str,
        name: &'static str,
        signers: &[&Keypair],
        instructions: &[Instruction],
    ) -> Result<Receipt, DemoError> {
        let sent = self.send(signers, instructions);
        let receipt = sent.map_err(|error| DemoError::refused(step, error))?;
        self.compute_units.entry(name).or_default().extend(compute_units(&receipt.logs));
        self.look_at_books(step)?;
        Ok(receipt)
    }

    /// Sends a transaction that the program should refuse. Returns its answer, and whether the pool is as it was.
    pub fn attempt(
        &mut self,
        step: &str,
        signers: &[&Keypair],
        instructions: &[Instruction],
    ) -> Result<(Option<BackstopError>, bool), DemoError> {
        let before = self.pool_bytes()?;
        let answer = match self.send(signers, instructions) {
            Ok(_) => None,
            Err(error) => {
                Some(transaction::program_error(&error).ok_or_else(|| DemoError::refused(step, error))?)
            }
        };
        self.look_at_books(step)?;
        Ok((answer, self.pool_bytes()? == before))
    }

    fn send(&mut self, signers: &[&Keypair], instructions: &[Instruction]) -> Result<Receipt, ClusterError> {
        self.transactions += 1;
        // The same instruction may come twice: a fresh blockhash makes it another transaction.
        self.cluster.svm().expire_blockhash();
        let instructions = [&[compute_unit_limit()], instructions].concat();
        transaction::send(&self.cluster, &self.payer, signers, &instructions)
    }

    fn pool_bytes(&self) -> Result<Option<Vec<u8>>, DemoError> {
        let Some(keys) = &self.pool else { return Ok(None) };
        let account = self.cluster.account(&keys.pool).map_err(account::AccountError::from)?;
        Ok(account.map(|account| account.data))
    }

    /// Recomputes what must hold at all times from the accounts as they are.
    fn look_at_books(&mut self, step: &str) -> Result<(), DemoError> {
        let Some(keys) = self.pool else { return Ok(()) };
        let pool: Pool = self.read(&keys.pool)?;
        let vault = self.tokens(&keys.vault())?;
        let mut held = vault;
        for wallet in &self.wallets {
            held += self.tokens(wallet)?;
        }
        let mut entries = pool.surplus
            + pool.unearned_premium
            + pool.incident_reserves
            + pool.exit_reserves
            + pool.treaty_payable;
        let mut loose = None;
        for (book, mint) in pool.tranches.iter().zip(keys.share_mints) {
            entries += book.assets + book.exiting;
            let supply = self.supply(&mint)?;
            if supply > book.shares {
                loose = Some(format!("{supply} shares exist, the books say {}, after: {step}", book.shares));
            }
        }
        let books = &mut self.books;
        books.looks += 1;
        let mut note = |found: &mut Option<String>, wrong: bool, what: String| {
            if wrong && found.is_none() {
                *found = Some(format!("{what}, after: {step}"));
            }
        };
        let cash = pool.cash;
        note(&mut books.short_vault, vault < cash, format!("the vault holds {vault}, the books say {cash}"));
        note(&mut books.torn_ledger, entries != cash, format!("the entries sum to {entries}, cash is {cash}"));
        let handed_out = self.handed_out;
        note(&mut books.lost_tokens, held != handed_out, format!("{held} of {handed_out} units are there"));
        books.loose_shares = books.loose_shares.take().or(loose);
        Ok(())
    }

    /// Compute units of each instruction, sorted.
    pub fn costs(&self) -> impl Iterator<Item = (&'static str, Vec<u64>)> + '_ {
        self.compute_units.iter().map(|(name, units)| {
            let mut units = units.clone();
            units.sort_unstable();
            (*name, units)
        })
    }
}

/// What the program itself used, by the runtime's log: without the rest of the transaction.
fn compute_units(logs: &[String]) -> Option<u64> {
    let start = format!("Program {} consumed ", backstop::ID);
    logs.iter().find_map(|line| line.strip_prefix(&start)?.split(' ').next()?.parse().ok())
}

fn compute_unit_limit() -> Instruction {
    const SET_COMPUTE_UNIT_LIMIT: u8 = 2;
    let mut data = vec![SET_COMPUTE_UNIT_LIMIT];
    data.extend(COMPUTE_UNIT_LIMIT.to_le_bytes());
    Instruction {
        program_id: anchor_lang::prelude::pubkey!("ComputeBudget111111111111111111111111111111"),
        accounts: Vec::new(),
        data,
    }
}
