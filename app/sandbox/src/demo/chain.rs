//! The cluster of the demo: sends its transactions, counts what they cost, and looks at the books after each.

use super::DemoError;
use crate::EmbeddedCluster;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::error::BackstopError;
use backstop::state::Pool;
use backstop_client::account::{self, Decode};
use backstop_client::cluster::{Cluster, ClusterError, Receipt};
use backstop_client::instruction::PoolKeys;
use backstop_client::transaction;
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
    /// What was wrong the first time, by the rule that was broken.
    pub broken: BTreeMap<Rule, String>,
}

/// What must hold at all times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// The vault holds at least what the books say.
    Vault,
    /// The ledger's entries sum to its cash.
    Ledger,
    /// No more shares exist than the books say.
    Shares,
    /// Wallets and vaults hold together what was handed out.
    Conservation,
}

/// A cluster that keeps count.
pub(super) struct Chain {
    pub cluster: EmbeddedCluster,
    pub payer: Keypair,
    pub transactions: u64,
    pub books: Books,
    /// Pools whose books are looked at, with their names.
    pools: Vec<(&'static str, PoolKeys)>,
    /// Token accounts that the asset was handed out to, and how much of it.
    wallets: Vec<Pubkey>,
    handed_out: u64,
    /// By instruction, in the order of their first calls.
    compute_units: Vec<(&'static str, Vec<u64>)>,
}

impl Chain {
    pub fn start(now: i64, payer: Keypair) -> Result<Self, DemoError> {
        let cluster = EmbeddedCluster::try_start(now, &payer.pubkey())?;
        cluster.airdrop(&payer.pubkey(), 1_000_000_000_000);
        Ok(Self {
            cluster,
            payer,
            transactions: 0,
            books: Books::default(),
            pools: Vec::new(),
            wallets: Vec::new(),
            handed_out: 0,
            compute_units: Vec::new(),
        })
    }

    /// Gives somebody an amount of the pool's asset.
    pub fn hand_out(&mut self, owner: &Pubkey, mint: &Pubkey, amount: u64) {
        self.wallets.push(self.cluster.set_tokens(owner, mint, amount));
        self.handed_out += amount;
    }

    /// Looks at the books of this pool, too, from now on.
    pub fn watch(&mut self, name: &'static str, pool: PoolKeys) {
        self.pools.push((name, pool));
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
        self.note_cost(name, compute_units(&receipt.logs));
        self.look_at_books(step)?;
        Ok(receipt)
    }

    /// Sends a transaction that the program should refuse. Returns its answer, and whether the pools are as they were.
    pub fn attempt(
        &mut self,
        step: &str,
        signers: &[&Keypair],
        instructions: &[Instruction],
    ) -> Result<(Option<BackstopError>, bool), DemoError> {
        let before = self.pool_bytes()?;
        let answer = match self.send(signers, instructions) {
            Ok(_) => None,
            Err(error) => Some(transaction::program_error(&error).ok_or_else(|| DemoError::refused(step, error))?),
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

    fn pool_bytes(&self) -> Result<Vec<Option<Vec<u8>>>, DemoError> {
        let read = |(_, keys): &(_, PoolKeys)| {
            let account = self.cluster.account(&keys.pool).map_err(account::AccountError::from)?;
            Ok(account.map(|account| account.data))
        };
        self.pools.iter().map(read).collect()
    }

    /// Recomputes what must hold at all times from the accounts as they are.
    fn look_at_books(&mut self, step: &str) -> Result<(), DemoError> {
        let mut found = Vec::new();
        let mut held = 0;
        for wallet in &self.wallets {
            held += self.tokens(wallet)?;
        }
        for (name, keys) in &self.pools {
            // One that is about to be created has no books yet.
            let Some(pool) = account::find::<Pool>(&self.cluster, &keys.pool)? else { continue };
            let vault = self.tokens(&keys.vault())?;
            held += vault;
            let [junior, senior] = &pool.tranches;
            let entries = pool.surplus
                + junior.assets
                + junior.exiting
                + senior.assets
                + senior.exiting
                + pool.unearned_premium
                + pool.premium_refunds
                + pool.set_aside
                + pool.incident_reserves
                + pool.crisis.recovered
                + pool.crisis_buckets
                + pool.exit_reserves
                + pool.treaty_payable.iter().sum::<u64>();
            let cash = pool.cash;
            let what = format!("{name} pool: the vault holds {vault}, the books say {cash}");
            found.push((Rule::Vault, vault >= cash, what));
            let what = format!("{name} pool: the entries sum to {entries}, cash is {cash}");
            found.push((Rule::Ledger, entries == cash, what));
            for (book, mint) in pool.tranches.iter().zip(keys.share_mints) {
                let supply = self.supply(&mint)?;
                let said = book.shares;
                let what = format!("{name} pool: {supply} shares exist, the books say {said}");
                found.push((Rule::Shares, supply <= said, what));
            }
        }
        let what = format!("{held} of {} units are there", self.handed_out);
        found.push((Rule::Conservation, held == self.handed_out, what));
        self.books.looks += 1;
        for (rule, _, what) in found.into_iter().filter(|(_, holds, _)| !holds) {
            self.books.broken.entry(rule).or_insert_with(|| format!("{what}, after: {step}"));
        }
        Ok(())
    }

    fn note_cost(&mut self, name: &'static str, units: Option<u64>) {
        match self.compute_units.iter_mut().find(|(known, _)| *known == name) {
            Some((_, all)) => all.extend(units),
            None => self.compute_units.push((name, units.into_iter().collect())),
        }
    }

    /// Compute units of each instruction, in the order of their first calls.
    pub fn costs(&self) -> &[(&'static str, Vec<u64>)] {
        &self.compute_units
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
