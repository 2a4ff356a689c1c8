//! The negative matrix: every account of every valid transaction is put in question, in every way an attacker can.
//!
//! Each mutation must fail with a typed error and leave every account as it was, or stand on the short list of
//! [`allowed`] with its reason.

pub mod allowed;
pub mod mutation;
pub mod refusal;
pub mod summary;

use crate::catalogue::{self, Case, Entry, Prepared, stage};
use crate::{budget, idl};
use allowed::Allowed;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use litesvm::LiteSVM;
use mutation::{Kind, Mutation};
use refusal::Refusal;
use solana_sdk::account::{AccountSharedData, ReadableAccount};
use solana_sdk::message::Message;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::Transaction;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What came of the mutations of one case.
#[derive(Default)]
pub struct Report {
    /// The instruction.
    pub instruction: String,
    /// The case.
    pub case: String,
    /// Accounts of the instruction.
    pub accounts: usize,
    /// Mutations tried, by kind.
    pub tried: BTreeMap<Kind, usize>,
    /// Refusals, by what they say.
    pub refused: BTreeMap<String, usize>,
    /// Successes on the list, by their place there.
    pub allowed: BTreeMap<usize, usize>,
    /// What is wrong.
    pub wrong: Vec<String>,
}

impl Report {
    /// How many mutations were tried.
    pub fn tried(&self) -> usize {
        self.tried.values().sum()
    }

    /// How many of them were refused.
    pub fn refused(&self) -> usize {
        self.refused.values().sum()
    }

    /// How many of them succeeded, as the list allows.
    pub fn allowed(&self) -> usize {
        self.allowed.values().sum()
    }
}

/// Attacks all cases of the catalogue, on all cores.
pub fn attack_all() -> Vec<Report> {
    let cases: Vec<(&Entry, &Case)> =
        catalogue::all().into_iter().flat_map(|entry| entry.cases.iter().map(move |case| (entry, case))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((entry, case)) = cases.get(index) else { return done };
            done.push((index, attack(entry, case)));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut reports: Vec<(usize, Report)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker ends")).collect()
    });
    reports.sort_by_key(|(index, _)| *index);
    reports.into_iter().map(|(_, report)| report).collect()
}

/// Attacks one case.
pub fn attack(entry: &Entry, case: &Case) -> Report {
    let prepared = (case.prepare)();
    let names = &idl::instruction(entry.instruction).accounts;
    let mut report = Report {
        instruction: entry.instruction.into(),
        case: case.name.into(),
        accounts: prepared.instruction.accounts.len(),
        ..Report::default()
    };
    // Instructions that document further accounts are passed more than they name.
    if names.len() > report.accounts {
        report.wrong.push(format!("{} accounts are declared, {} are passed", names.len(), report.accounts));
        return report;
    }
    let range = Range::new(&prepared);
    for (what, outcome) in range.valid(&prepared) {
        if let Err(refusal) = outcome {
            report.wrong.push(format!("the valid transaction ({what}) is refused: {refusal}"));
        }
    }
    for mutation in mutation::all(&prepared, &range.pristine, range.relayer.pubkey()) {
        *report.tried.entry(mutation.kind).or_default() += 1;
        let name = |place: &usize| names.get(*place).map_or(allowed::FURTHER_ACCOUNT, String::as_str);
        let places: Vec<&str> = mutation.places.iter().map(name).collect();
        let described = || format!("{} <- {}", places.join(" + "), mutation.what);
        match range.run(&mutation) {
            Ok(()) => match allowed::find(entry.instruction, case.name, names, &mutation) {
                Some(index) => *report.allowed.entry(index).or_default() += 1,
                None => report.wrong.push(format!("SUCCEEDS: {}", described())),
            },
            Err(refusal) => match refusal.named() {
                Ok(name) => *report.refused.entry(name).or_default() += 1,
                Err(problem) => report.wrong.push(format!("{problem}: {}", described())),
            },
        }
    }
    report
}

/// A world as it was prepared, to which every mutation comes anew.
struct Range {
    pristine: LiteSVM,
    relayer: Keypair,
    before: Vec<Instruction>,
}

impl Range {
    fn new(prepared: &Prepared) -> Self {
        let relayer = stage::key("relayer");
        prepared.world.cluster.airdrop(&relayer.pubkey(), 1_000_000_000_000);
        prepared.world.cluster.svm().expire_blockhash();
        let pristine = prepared.world.cluster.svm().clone().with_log_bytes_limit(None);
        Self { pristine, relayer, before: prepared.before.clone() }
    }

    /// Runs the valid transactions.
    fn valid(&self, prepared: &Prepared) -> Vec<(&'static str, Result<(), Refusal>)> {
        let twins = prepared.twins.iter().map(|twin| (twin.what, &twin.instruction, &twin.signers, twin.valid));
        let itself = [("itself", &prepared.instruction, &prepared.signers, true)];
        let valid = itself.into_iter().chain(twins).filter(|(_, _, _, valid)| *valid);
        let run = |(what, instruction, signers, _): (&'static str, &_, &Vec<Keypair>, _)| {
            (what, self.run(&Mutation::unchanged(instruction, signers)))
        };
        valid.map(run).collect()
    }

    /// Runs a mutation in the world as it was prepared, and checks that a refusal changes nothing.
    fn run(&self, mutation: &Mutation) -> Result<(), Refusal> {
        let mut svm = self.pristine.clone();
        for (address, account) in &mutation.setup {
            svm.set_account(*address, account.clone().into()).expect("any bytes are an account");
        }
        let payer = self.relayer.pubkey();
        let instructions = [vec![budget()], self.before.clone(), vec![mutation.instruction.clone()]].concat();
        let message = Message::new_with_blockhash(&instructions, Some(&payer), &svm.latest_blockhash());
        let needed = &message.account_keys[..usize::from(message.header.num_required_signatures)];
        let signers: Vec<&Keypair> = needed.iter().map(|key| self.signer(mutation, key)).collect();
        let transaction = Transaction::new(&signers, message, svm.latest_blockhash());
        let Err(failed) = svm.send_transaction(transaction) else { return Ok(()) };
        Err(Refusal { error: failed.err, logs: failed.meta.logs, changed: self.changed(mutation, &svm) })
    }

    /// Accounts that are not as they were before a mutation, but for the lamports of whoever paid the fee.
    fn changed(&self, mutation: &Mutation, svm: &LiteSVM) -> Vec<Pubkey> {
        let (before, after) = (&self.pristine.accounts_db().inner, &svm.accounts_db().inner);
        let made = |address: &Pubkey| mutation.setup.iter().find(|(made, _)| made == address).map(|(_, made)| made);
        let kept = |(address, new): &(&Pubkey, &AccountSharedData)| {
            let old = made(address).or_else(|| before.get(address));
            old.is_some_and(|old| same(old, new, **address == self.relayer.pubkey()))
        };
        let changed = after.iter().filter(|entry| !kept(entry)).map(|(address, _)| *address);
        let gone = before.keys().filter(|address| !after.contains_key(address)).copied();
        changed.chain(gone).collect()
    }

    fn signer<'a>(&'a self, mutation: &'a Mutation, key: &Pubkey) -> &'a Keypair {
        let mut known = std::iter::once(&self.relayer).chain(&mutation.signers);
        known.find(|signer| signer.pubkey() == *key).expect("who is asked to sign is known")
    }
}

/// Whether an account is as it was; whoever paid the fee may have fewer lamports.
fn same(old: &AccountSharedData, new: &AccountSharedData, is_payer: bool) -> bool {
    let data = Arc::ptr_eq(&old.data_clone(), &new.data_clone()) || old.data() == new.data();
    data && old.owner() == new.owner()
        && old.executable() == new.executable()
        && (is_payer || old.lamports() == new.lamports())
}

/// How often each entry of the list was used.
pub fn used(reports: &[Report]) -> Vec<(&'static Allowed, usize)> {
    let count = |index: usize| reports.iter().filter_map(|report| report.allowed.get(&index)).sum();
    allowed::LIST.iter().enumerate().map(|(index, entry)| (entry, count(index))).collect()
}
