//! From due work to confirmed transactions.
//!
//! Work is packed into as few transactions as bytes allow, simulated, and sent a window at a time. Where one item
//! makes a transaction fail, that item alone is left out: the failure names its instruction, and where it does not, the
//! transaction is halved until the item stands alone.

use crate::crank::Crank;
use crate::crank::price::{Print, Step};
use crate::crank::report::Report;
use crate::crank::work::{self, Item, Kind, Work};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::state::{Cover, CoverState};
use backstop_client::account::Decode;
use backstop_client::cluster::{ClusterError, Outcome};
use backstop_client::explain::explain;
use backstop_client::transaction::{self, MOST_BYTES, Pipeline, Prepared};
use solana_sdk::instruction::InstructionError;
use solana_sdk::message::AddressLookupTableAccount;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::TransactionError;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// Transactions under way at once. Settlements of a pool all write its books, so a block takes them one after the
/// other.
const WINDOW: usize = 16;
/// Most items in one transaction: an item of 25,000 compute units leaves room for as many.
const MOST_ITEMS: usize = 24;

/// What a pass has come to so far.
#[derive(Default)]
pub(super) struct Progress {
    /// What was done.
    pub report: Report,
    /// What was refused, and why.
    pub failed: Vec<(Item, String)>,
    /// Whether somebody else was just found to do the same work.
    pub met_another: bool,
}

/// Whether sending goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It was done, or refused for good.
    All,
    /// The budget is used up, or somebody asked to stop.
    Stopped,
}

impl Crank<'_> {
    /// Does the work: observations, then what is not settlement, then settlements, pool by pool.
    ///
    /// Errors: only of the cluster. What is refused is in `progress`.
    pub(super) fn execute(&mut self, due: Vec<Work>, progress: &mut Progress) -> Result<(), ClusterError> {
        let (observations, others): (Vec<Work>, Vec<Work>) =
            due.into_iter().partition(|work| work.kind == Kind::Observe);
        let (settlements, others): (Vec<Work>, Vec<Work>) =
            others.into_iter().partition(|work| work.kind == Kind::SettleCover);
        if self.observe(observations, progress)? == Sent::Stopped
            || self.send_all(others, None, progress)? == Sent::Stopped
        {
            return Ok(());
        }
        let mut by_pool: BTreeMap<Pubkey, Vec<Work>> = BTreeMap::new();
        for work in settlements {
            by_pool.entry(work.pool).or_default().push(work);
        }
        for (pool, mut work) in by_pool {
            // Cranks begin in different places, so that two at once share the work instead of paying for the same.
            let [first, second, ..] = self.payer.pubkey().to_bytes();
            let start = usize::from(u16::from_le_bytes([first, second])) % work.len();
            work.rotate_left(start);
            if work.len() >= self.options.table_from {
                self.prepare_table(pool, &work, progress)?;
            }
            if self.send_all(work, Some(pool), progress)? == Sent::Stopped {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Shows prints. Those that are not on chain are posted first, one for each price account at a time: what is posted
    /// next takes its place.
    fn observe(&mut self, mut work: Vec<Work>, progress: &mut Progress) -> Result<Sent, ClusterError> {
        while !work.is_empty() {
            if self.stopped() {
                return Ok(Sent::Stopped);
            }
            let mut prints: Vec<Print> = Vec::new();
            for print in work.iter().filter_map(|work| work.print.as_ref()) {
                if prints.iter().all(|other| other.account != print.account) {
                    prints.push(print.clone());
                }
            }
            let (now, later) =
                work.into_iter().partition(|work| work.print.as_ref().is_none_or(|print| prints.contains(print)));
            work = later;
            let shown = self.post(now, &prints, progress)?;
            if self.send_all(shown, None, progress)? == Sent::Stopped {
                return Ok(Sent::Stopped);
            }
        }
        Ok(Sent::All)
    }

    /// Brings prints on chain; if that fails, observations of theirs fall away.
    fn post(&mut self, work: Vec<Work>, prints: &[Print], progress: &mut Progress) -> Result<Vec<Work>, ClusterError> {
        for step in self.source.posting(self.cluster, prints)? {
            if let Err(why) = self.send_step(&step, progress)? {
                tracing::warn!(why, "a price could not be posted");
                let lost = work.iter().map(|work| (work.item(), format!("its price could not be posted: {why}")));
                progress.failed.extend(lost);
                return Ok(Vec::new());
            }
        }
        Ok(work)
    }

    /// Sends one transaction that is not an item of work. The inner error says why it was refused.
    pub(super) fn send_step(
        &mut self,
        step: &Step,
        progress: &mut Progress,
    ) -> Result<Result<(), String>, ClusterError> {
        let mut pipeline = self.pipeline(Vec::new());
        pipeline.signers.extend(step.signers.iter().map(|signer| signer as &dyn Signer));
        let prepared = match pipeline.prepare(&step.instructions) {
            Ok(prepared) => prepared,
            Err(error @ (ClusterError::Failed { .. } | ClusterError::Unsignable(_))) => {
                return Ok(Err(explain(&error).sentence));
            }
            Err(error) => return Err(error),
        };
        let rent = self.rent_of(step.creates.iter().copied())?;
        if !self.afford(&prepared, rent, progress) {
            return Ok(Err("the budget of the hour is used up".into()));
        }
        match transaction::confirm(self.cluster, std::slice::from_ref(&prepared)).remove(0) {
            Ok(_) => {
                self.confirmed(&prepared, progress);
                Ok(Ok(()))
            }
            Err(
                error @ (ClusterError::Failed { .. } | ClusterError::Expired { .. } | ClusterError::Unknown { .. }),
            ) => {
                progress.report.transactions_lost += 1;
                Ok(Err(explain(&error).sentence))
            }
            Err(error) => Err(error),
        }
    }

    /// Packs and sends work, with a pool's lookup table as soon as it can be used.
    fn send_all(
        &mut self,
        work: Vec<Work>,
        pool: Option<Pubkey>,
        progress: &mut Progress,
    ) -> Result<Sent, ClusterError> {
        let mut left = VecDeque::from(work);
        let mut again: VecDeque<Vec<Work>> = VecDeque::new();
        while !left.is_empty() || !again.is_empty() {
            if self.stopped() {
                return Ok(Sent::Stopped);
            }
            let mut tables = match pool {
                Some(pool) => self.tables.usable(self.cluster, &pool)?,
                None => Vec::new(),
            };
            let mut window: Vec<(Vec<Work>, Prepared)> = Vec::new();
            while window.len() < WINDOW && !progress.met_another {
                let pipeline = self.pipeline(tables.clone());
                let Some(batch) = again.pop_front().or_else(|| next_batch(&pipeline, &mut left)) else { break };
                match pipeline.prepare(&instructions(&batch)) {
                    Ok(prepared) => {
                        let rent = self.rent_of(batch.iter().filter_map(|work| work.creates))?;
                        if !self.afford(&prepared, rent, progress) {
                            left.clear();
                            again.clear();
                            break;
                        }
                        window.push((batch, prepared));
                    }
                    // A simulated transaction has one instruction before ours: the compute limit.
                    Err(error) => {
                        self.refused(batch, error, 1, pool, &mut again, progress)?;
                        tables.retain(|table| pool.is_some_and(|pool| self.tables.is(&pool, &table.key)));
                    }
                }
            }
            let prepared: Vec<Prepared> = window.iter().map(|(_, prepared)| prepared.clone()).collect();
            let outcomes = if prepared.is_empty() { Vec::new() } else { transaction::confirm(self.cluster, &prepared) };
            let mut broken = None;
            for ((batch, prepared), outcome) in window.into_iter().zip(outcomes) {
                if let Err(error) = self.book(batch, &prepared, outcome, pool, &mut again, progress) {
                    broken.get_or_insert(error);
                }
            }
            if let Some(error) = broken {
                return Err(error);
            }
            if progress.report.out_of_budget {
                return Ok(Sent::Stopped);
            }
            if std::mem::take(&mut progress.met_another) {
                left = self.elsewhere(left, progress)?;
            }
        }
        Ok(Sent::All)
    }

    /// Books how a transaction ended.
    fn book(
        &mut self,
        batch: Vec<Work>,
        prepared: &Prepared,
        outcome: Outcome,
        pool: Option<Pubkey>,
        again: &mut VecDeque<Vec<Work>>,
        progress: &mut Progress,
    ) -> Result<(), ClusterError> {
        match outcome {
            Ok(receipt) => {
                self.confirmed(prepared, progress);
                tracing::info!(signature = %receipt.signature, work = ?work::count(&batch), "confirmed");
                for work in batch {
                    self.back_off.done(&work.item());
                    *progress.report.done.entry(work.kind.name()).or_default() += 1;
                    tracing::debug!(kind = work.kind.name(), subject = %work.subject, pool = %work.pool, "done");
                }
                Ok(())
            }
            Err(error) => {
                progress.report.transactions_lost += 1;
                let ours = instructions(&batch).len();
                let before = prepared.transaction.message.instructions().len().saturating_sub(ours);
                self.refused(batch, error, before, pool, again, progress)
            }
        }
    }

    /// Goes on after a transaction that was not taken, by whose fault that is.
    fn refused(
        &mut self,
        batch: Vec<Work>,
        error: ClusterError,
        instructions_before: usize,
        pool: Option<Pubkey>,
        again: &mut VecDeque<Vec<Work>>,
        progress: &mut Progress,
    ) -> Result<(), ClusterError> {
        match (blame(&error), pool) {
            (Blame::Item, _) => self.divide(batch, &error, instructions_before, again, progress),
            (Blame::Table, Some(pool)) => {
                tracing::warn!(%pool, %error, "the lookup table cannot be used");
                self.tables.forget(&pool);
                // What was packed with the table may be too long without it.
                again.extend(batch.into_iter().map(|work| vec![work]));
                Ok(())
            }
            // What is still due is planned again by the next pass.
            (Blame::Moment | Blame::Table, _) => {
                tracing::warn!(items = batch.len(), %error, "a transaction was not taken");
                Ok(())
            }
            (Blame::Crank, _) => Err(error),
        }
    }

    /// What to do with a transaction that was refused: work that somebody else has done meanwhile falls away; else
    /// the item that the failure names is tried alone, and the others without it; an item that fails alone has failed.
    fn divide(
        &mut self,
        batch: Vec<Work>,
        error: &ClusterError,
        instructions_before: usize,
        again: &mut VecDeque<Vec<Work>>,
        progress: &mut Progress,
    ) -> Result<(), ClusterError> {
        let items = batch.len();
        let mut batch = self.still_open(batch)?;
        let gone = items - batch.len();
        if gone > 0 {
            progress.report.done_by_others += gone as u64;
            progress.met_another = true;
            if !batch.is_empty() {
                again.push_back(batch);
            }
            return Ok(());
        }
        if let [work] = &batch[..] {
            let why = explain(error).sentence;
            tracing::warn!(kind = work.kind.name(), subject = %work.subject, pool = %work.pool, why, "refused");
            progress.failed.push((work.item(), why));
            return Ok(());
        }
        match culprit(&batch, error, instructions_before) {
            Some(index) => {
                let alone = batch.remove(index);
                again.extend([batch, vec![alone]]);
            }
            None => {
                let half = batch.split_off(batch.len() / 2);
                again.extend([batch, half]);
            }
        }
        Ok(())
    }

    /// Where to go on after meeting another crank: what it has done falls away, and of the rest the other half comes
    /// first, so that the two do not go on side by side, the one paying for what the other does.
    fn elsewhere(&self, left: VecDeque<Work>, progress: &mut Progress) -> Result<VecDeque<Work>, ClusterError> {
        let items = left.len();
        let mut left = VecDeque::from(self.still_open(left.into())?);
        progress.report.done_by_others += (items - left.len()) as u64;
        left.rotate_left(left.len() / 2);
        Ok(left)
    }

    /// Leaves out covers that have been settled since they were read.
    fn still_open(&self, batch: Vec<Work>) -> Result<Vec<Work>, ClusterError> {
        if batch.iter().any(|work| work.kind != Kind::SettleCover) {
            return Ok(batch);
        }
        let subjects: Vec<Pubkey> = batch.iter().map(|work| work.subject).collect();
        let accounts = self.cluster.accounts(&subjects)?;
        let is_open = |data: &[u8]| Cover::decode(data).is_some_and(|cover| cover.state == CoverState::Active);
        let open = accounts.iter().map(|account| account.as_ref().is_some_and(|account| is_open(&account.data)));
        Ok(batch.into_iter().zip(open).filter_map(|(work, open)| open.then_some(work)).collect())
    }

    /// Books a transaction's cost if the budget allows it.
    fn afford(&mut self, prepared: &Prepared, rent: u64, progress: &mut Progress) -> bool {
        let now = Instant::now();
        let fits = self.budget.take(prepared.fee.saturating_add(rent), now);
        if fits {
            progress.report.fees += prepared.fee;
            progress.report.rent += rent;
        } else if !progress.report.out_of_budget {
            progress.report.out_of_budget = true;
            tracing::warn!(spent = self.budget.spent(now), "the budget of the hour is used up: nothing more is sent");
        }
        fits
    }

    fn confirmed(&self, prepared: &Prepared, progress: &mut Progress) {
        progress.report.transactions += 1;
        progress.report.compute_units += prepared.simulated.compute_units;
        if let Some(health) = &self.health {
            health.progressed();
        }
    }

    /// Rent of accounts of these lengths, in lamports.
    fn rent_of(&mut self, lengths: impl Iterator<Item = usize>) -> Result<u64, ClusterError> {
        let mut sum = 0_u64;
        for length in lengths {
            let rent = match self.rents.get(&length) {
                Some(rent) => *rent,
                None => self.cluster.rent(length)?,
            };
            self.rents.insert(length, rent);
            sum = sum.saturating_add(rent);
        }
        Ok(sum)
    }
}

impl<'a> Crank<'a> {
    fn pipeline(&self, tables: Vec<AddressLookupTableAccount>) -> Pipeline<'a> {
        Pipeline { priority_fee: self.options.priority_fee, tables, ..Pipeline::new(self.cluster, self.payer) }
    }
}

fn instructions(batch: &[Work]) -> Vec<Instruction> {
    batch.iter().flat_map(|work| work.instructions.iter().cloned()).collect()
}

/// Takes as many items off the front as one transaction holds; one at least.
fn next_batch(pipeline: &Pipeline, left: &mut VecDeque<Work>) -> Option<Vec<Work>> {
    let mut batch = vec![left.pop_front()?];
    let mut all = instructions(&batch);
    while batch.len() < MOST_ITEMS {
        let Some(next) = left.front() else { break };
        let before = all.len();
        all.extend_from_slice(&next.instructions);
        if !pipeline.bytes(&all).is_ok_and(|bytes| bytes <= MOST_BYTES) {
            all.truncate(before);
            break;
        }
        batch.extend(left.pop_front());
    }
    Some(batch)
}

/// Whose fault it is that a transaction was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    /// An item of work's.
    Item,
    /// The lookup table's.
    Table,
    /// The moment's: later it may be taken.
    Moment,
    /// The cluster's, or the payer's: nothing else would be taken either.
    Crank,
}

fn blame(error: &ClusterError) -> Blame {
    use TransactionError as E;
    let error = match error {
        ClusterError::Failed { error, .. } => error,
        ClusterError::Unsignable(_) => return Blame::Item,
        // What nobody said the end of is looked at again by the next pass, from the chain.
        ClusterError::Expired { .. } | ClusterError::Unknown { .. } => return Blame::Moment,
        ClusterError::Unreachable(_) | ClusterError::Refused(_) => return Blame::Crank,
    };
    match error {
        E::AccountNotFound
        | E::InvalidAccountForFee
        | E::InsufficientFundsForFee
        | E::InsufficientFundsForRent { .. }
        | E::SignatureFailure => Blame::Crank,
        E::AddressLookupTableNotFound
        | E::InvalidAddressLookupTableOwner
        | E::InvalidAddressLookupTableData
        | E::InvalidAddressLookupTableIndex => Blame::Table,
        E::AccountInUse
        | E::AlreadyProcessed
        | E::BlockhashNotFound
        | E::ClusterMaintenance
        | E::WouldExceedMaxBlockCostLimit
        | E::WouldExceedMaxAccountCostLimit
        | E::WouldExceedAccountDataBlockLimit
        | E::ResanitizationNeeded
        | E::ProgramCacheHitMaxLimit
        | E::CommitCancelled => Blame::Moment,
        _ => Blame::Item,
    }
}

/// The item whose instruction failed, if the failure is that instruction's own.
fn culprit(batch: &[Work], error: &ClusterError, instructions_before: usize) -> Option<usize> {
    let ClusterError::Failed { error: TransactionError::InstructionError(index, why), .. } = error else {
        return None;
    };
    if *why == InstructionError::ComputationalBudgetExceeded {
        return None;
    }
    let mut left = usize::from(*index).checked_sub(instructions_before)?;
    batch.iter().position(|work| {
        let here = left < work.instructions.len();
        left = left.wrapping_sub(work.instructions.len());
        here
    })
}
