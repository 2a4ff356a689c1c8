//! From due work to confirmed transactions.
//!
//! Work is packed into as few transactions as bytes allow, simulated, and sent a window at a time. Where one item
//! makes a transaction fail, that item alone is left out: the failure names its instruction, and where it does not, the
//! transaction is halved until the item stands alone.

use crate::crank::Crank;
use crate::crank::chain::{Chain, decode_policy};
use crate::crank::limits::Purpose;
use crate::crank::price::{Print, Step};
use crate::crank::report::{Report, Skipped};
use crate::crank::work::{self, Item, Kind, Work};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::events::{ExposureReleased, LossReported, Observed, PhaseChanged, ReadingShown};
use backstop::state::{CoverState, Policy};
use backstop_client::cluster::{ClusterError, Outcome, Receipt};
use backstop_client::explain::explain;
use backstop_client::transaction::{self, MOST_BYTES, Patience, Pipeline, Prepared};
use solana_sdk::account::Account;
use solana_sdk::instruction::InstructionError;
use solana_sdk::message::AddressLookupTableAccount;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::TransactionError;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Transactions under way at once. Settlements of a pool all write its books, so a block takes them one after the
/// other.
const WINDOW: usize = 16;
/// Most items in one transaction: an item of 25,000 compute units leaves room for as many.
const MOST_ITEMS: usize = 24;

/// How long transactions under way are waited for after somebody asked to stop.
const GRACE: Duration = Duration::from_secs(15);
/// Bytes that every account takes beside its data.
const ACCOUNT_BYTES: u64 = 128;
/// Lamports that keep a byte on chain: two years' rent, as the network has it by default.
const RENT_OF_A_BYTE: u64 = 6_960;

/// What a pass has come to so far.
#[derive(Default)]
pub(super) struct Progress {
    /// What was done.
    pub report: Report,
    /// What was refused, and why.
    pub failed: Vec<(Item, String)>,
    /// Prints that were refused, and wait.
    pub failed_prints: Vec<Skipped>,
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

/// How one transaction ended that is not an item of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StepEnd {
    /// It was confirmed.
    Done,
    /// It was refused, and would be again.
    Refused(String),
    /// It was not taken, or nobody said how it ended: later it may be taken.
    Later(String),
}

impl Crank<'_> {
    /// Does the work that is not observation: first what is not settlement, then settlements, pool by pool. Between two
    /// windows of transactions prices are looked at.
    ///
    /// Errors: only of the cluster. What is refused is in `progress`.
    pub(super) fn execute(
        &mut self,
        due: Vec<Work>,
        chain: &mut Chain,
        progress: &mut Progress,
    ) -> Result<(), ClusterError> {
        let (settlements, others): (Vec<Work>, Vec<Work>) = due.into_iter().partition(|work| work.kind.settles());
        if self.send_all(others, None, Some(chain), progress)? == Sent::Stopped {
            return Ok(());
        }
        let mut by_pool: BTreeMap<Pubkey, Vec<Work>> = BTreeMap::new();
        for work in settlements {
            by_pool.entry(work.pool).or_default().push(work);
        }
        for (pool, mut work) in by_pool {
            // Those that need no new account come first: one who must be created an account keeps nobody waiting.
            let creating = work.partition_point(|work| work.instructions.len() == 1);
            let mut creating = work.split_off(creating);
            for part in [&mut work, &mut creating] {
                // Cranks begin in different places, so that two at once share the work instead of paying for the same.
                let [first, second, ..] = self.payer.pubkey().to_bytes();
                let start = usize::from(u16::from_le_bytes([first, second])).checked_rem(part.len());
                part.rotate_left(start.unwrap_or(0));
            }
            work.append(&mut creating);
            if work.len() >= self.options.table_from {
                self.prepare_table(pool, &work, progress);
            }
            if self.send_all(work, Some(pool), Some(chain), progress)? == Sent::Stopped {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Shows prints. Those that are not on chain are posted first, one for each price account at a time: what is posted
    /// next takes its place. A print that cannot be posted keeps no other back.
    pub(super) fn observe(&mut self, mut work: Vec<Work>, progress: &mut Progress) -> Result<Sent, ClusterError> {
        while !work.is_empty() {
            if self.stopped() {
                return Ok(Sent::Stopped);
            }
            let mut prints: Vec<Print> = Vec::new();
            for print in work.iter().filter_map(|work| work.print.as_ref()) {
                // A report is no account: those of one set do not take one another's place.
                if print.attested.is_some() || prints.iter().all(|other| other.account != print.account) {
                    prints.push(print.clone());
                }
            }
            let (now, later) =
                work.into_iter().partition(|work| work.print.as_ref().is_none_or(|print| prints.contains(print)));
            work = later;
            let ends = self.post(&prints, progress)?;
            let mut shown = Vec::new();
            for work in now {
                match work.print.as_ref().and_then(|print| ends.get(&print.account)) {
                    None | Some(StepEnd::Done) => shown.push(work),
                    Some(StepEnd::Refused(why)) => {
                        self.fail(&work, format!("its price could not be posted: {why}"), progress);
                    }
                    Some(StepEnd::Later(why)) => {
                        let (pool, product) = (self.names.pool(&work.pool), self.names.product(&work));
                        tracing::warn!(pool, product, why, "a price is not posted yet; it is tried again");
                    }
                }
            }
            if self.send_all(shown, None, None, progress)? == Sent::Stopped {
                return Ok(Sent::Stopped);
            }
        }
        Ok(Sent::All)
    }

    /// Brings prints on chain, those that take one transaction together, and says how that ended, by price account.
    fn post(&mut self, prints: &[Print], progress: &mut Progress) -> Result<BTreeMap<Pubkey, StepEnd>, ClusterError> {
        let mut ends = BTreeMap::new();
        let (mut at_once, mut one_by_one) = (Vec::new(), Vec::new());
        for print in prints.iter().filter(|print| print.attested.is_none()) {
            match self.source.posting(self.cluster, std::slice::from_ref(print)) {
                Ok(steps) if steps.len() > 1 => one_by_one.push(print),
                Ok(steps) => at_once.extend(steps.into_iter().map(|step| (print.account, step))),
                Err(why) => drop(ends.insert(print.account, StepEnd::Later(explain(&why).sentence))),
            }
        }
        for some in at_once.chunks(WINDOW) {
            if self.stopped() {
                break;
            }
            let mut window = Vec::new();
            for (account, step) in some {
                match self.prepare_step(step, Purpose::Prices, progress)? {
                    Ok(ready) => window.push((*account, ready)),
                    Err(end) => drop(ends.insert(*account, end)),
                }
            }
            let prepared: Vec<Prepared> = window.iter().map(|(_, (prepared, _))| prepared.clone()).collect();
            for ((account, (prepared, rent)), outcome) in window.into_iter().zip(self.confirm(&prepared)) {
                ends.insert(account, self.end_of_step(&prepared, rent, outcome, progress)?);
            }
        }
        for print in one_by_one {
            // Asked again: what came before may have left the account that they share.
            let steps = self.source.posting(self.cluster, std::slice::from_ref(print));
            let mut end = StepEnd::Done;
            for step in steps.unwrap_or_default() {
                end = self.send_step(&step, Purpose::Prices, progress)?;
                if end != StepEnd::Done {
                    break;
                }
            }
            ends.insert(print.account, end);
        }
        Ok(ends)
    }

    /// Notes a print that was refused. It waits a quarter of a slot at most; other prints are none of its business.
    fn fail(&mut self, work: &Work, why: String, progress: &mut Progress) {
        let (pool, product) = (self.names.pool(&work.pool), self.names.product(work));
        let kind = work.kind.name();
        tracing::warn!(kind, subject = %work.subject, pool, product, reason = work.reason(), why, "refused");
        match &work.print {
            Some(print) => {
                progress.failed_prints.push(Skipped::new(work.item(), &why));
                self.failing_prints.failed(print.key(), why, work.longest_wait(), Instant::now());
            }
            None => progress.failed.push((work.item(), why)),
        }
    }

    /// Sends one transaction that is not an item of work.
    pub(super) fn send_step(
        &mut self,
        step: &Step,
        purpose: Purpose,
        progress: &mut Progress,
    ) -> Result<StepEnd, ClusterError> {
        match self.prepare_step(step, purpose, progress)? {
            Ok((prepared, rent)) => {
                let outcome = self.confirm(std::slice::from_ref(&prepared)).remove(0);
                self.end_of_step(&prepared, rent, outcome, progress)
            }
            Err(end) => Ok(end),
        }
    }

    /// Prepares one transaction that is not an item of work, and books its cost. The inner error says why it is not
    /// sent. Errors: whoever pays cannot pay.
    fn prepare_step(
        &mut self,
        step: &Step,
        purpose: Purpose,
        progress: &mut Progress,
    ) -> Result<Result<(Prepared, u64), StepEnd>, ClusterError> {
        let mut pipeline = self.pipeline(Vec::new());
        pipeline.signers.extend(step.signers.iter().map(|signer| signer as &dyn Signer));
        let prepared = match pipeline.prepare(&step.instructions) {
            Ok(prepared) => prepared,
            Err(error) => return self.why_not(error).map(Err),
        };
        let rent = self.rent_of(step.creates.iter().copied());
        if !self.afford(&prepared, rent, purpose, progress) {
            return Ok(Err(StepEnd::Later("the budget of the hour is used up".into())));
        }
        Ok(Ok((prepared, rent)))
    }

    fn end_of_step(
        &mut self,
        prepared: &Prepared,
        rent: u64,
        outcome: Outcome,
        progress: &mut Progress,
    ) -> Result<StepEnd, ClusterError> {
        match outcome {
            Ok(_) => {
                self.confirmed(prepared, progress);
                Ok(StepEnd::Done)
            }
            Err(error) => {
                self.lost(prepared, rent, &error, progress);
                self.why_not(error)
            }
        }
    }

    /// What a transaction's failure means for the step. Errors: whoever pays cannot pay, so that nothing else goes on.
    fn why_not(&self, error: ClusterError) -> Result<StepEnd, ClusterError> {
        let why = explain(&error).sentence;
        match (blame(&error), &error) {
            (Blame::Item | Blame::Table, _) => Ok(StepEnd::Refused(why)),
            (Blame::Crank, ClusterError::Failed { .. }) => Err(error),
            (Blame::Moment | Blame::Crank, _) => Ok(StepEnd::Later(why)),
        }
    }

    /// Sends transactions and says how each ended, within a limit of time whatever the cluster answers, and soon after
    /// somebody asked to stop. Lost rounds raise what is offered for priority.
    fn confirm(&mut self, prepared: &[Prepared]) -> Vec<Outcome> {
        if prepared.is_empty() {
            return Vec::new();
        }
        let patience = Patience { stop: Some(self.stop.clone()), grace: GRACE, ..Patience::default() };
        let outcomes = transaction::confirm_within(self.cluster, prepared, &patience);
        if outcomes.iter().any(Result::is_ok) {
            self.lost_rounds = 0;
        } else if outcomes.iter().any(|outcome| matches!(outcome, Err(ClusterError::Expired { .. }))) {
            self.lost_rounds = self.lost_rounds.saturating_add(1);
        }
        outcomes
    }

    /// Packs and sends work, with a pool's lookup table as soon as it can be used, a window at a time. Between windows
    /// the stop flag counts, and with a chain at hand prices are looked at and shown.
    fn send_all(
        &mut self,
        work: Vec<Work>,
        pool: Option<Pubkey>,
        mut chain: Option<&mut Chain>,
        progress: &mut Progress,
    ) -> Result<Sent, ClusterError> {
        let mut left = VecDeque::from(work);
        let mut again: VecDeque<Vec<Work>> = VecDeque::new();
        let mut first = true;
        while !left.is_empty() || !again.is_empty() {
            if let Some(chain) = chain.as_deref_mut().filter(|_| !first) {
                self.look_at_prices(chain, progress)?;
            }
            first = false;
            let mut tables = pool.map_or_else(Vec::new, |pool| self.tables.usable(self.cluster, &pool));
            let mut window: Vec<(Vec<Work>, Prepared, u64)> = Vec::new();
            while window.len() < WINDOW && !progress.met_another && !self.stopped() {
                let pipeline = self.pipeline(tables.clone());
                let Some(batch) = again.pop_front().or_else(|| next_batch(&pipeline, &mut left)) else { break };
                match pipeline.prepare(&instructions(&batch)) {
                    Ok(prepared) => {
                        let rent = self.rent_of(batch.iter().filter_map(|work| work.creates));
                        let purpose = batch.first().map_or(Purpose::Other, |work| work.kind.purpose());
                        if !self.afford(&prepared, rent, purpose, progress) {
                            left.clear();
                            again.clear();
                            break;
                        }
                        window.push((batch, prepared, rent));
                    }
                    // A simulated transaction has one instruction before ours: the compute limit.
                    Err(error) => {
                        self.refused(batch, error, 1, pool, &mut again, progress)?;
                        tables.retain(|table| pool.is_some_and(|pool| self.tables.is(&pool, &table.key)));
                    }
                }
            }
            if self.stopped() {
                for (_, prepared, rent) in &window {
                    self.give_back(prepared.fee.saturating_add(*rent), prepared.fee, *rent, progress);
                }
                return Ok(Sent::Stopped);
            }
            let prepared: Vec<Prepared> = window.iter().map(|(_, prepared, _)| prepared.clone()).collect();
            let outcomes = self.confirm(&prepared);
            let mut broken = None;
            for ((batch, prepared, rent), outcome) in window.into_iter().zip(outcomes) {
                if let Err(error) = self.book(batch, &prepared, rent, outcome, pool, &mut again, progress) {
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
                left = self.elsewhere(left, progress);
            }
        }
        Ok(Sent::All)
    }

    /// Books how a transaction ended.
    #[allow(clippy::too_many_arguments)]
    fn book(
        &mut self,
        batch: Vec<Work>,
        prepared: &Prepared,
        rent: u64,
        outcome: Outcome,
        pool: Option<Pubkey>,
        again: &mut VecDeque<Vec<Work>>,
        progress: &mut Progress,
    ) -> Result<(), ClusterError> {
        match outcome {
            Ok(receipt) => {
                self.confirmed(prepared, progress);
                let (batch, idle) = self.took_effect(batch, &receipt);
                progress.report.done_by_others += idle.len() as u64;
                self.names.tell(&batch, &receipt.signature);
                for work in batch {
                    let failure = match &work.print {
                        Some(print) => self.failing_prints.done(&print.key()),
                        None => self.back_off.done(&work.item()),
                    };
                    if let Some(failure) = failure {
                        let (pool, product) = (self.names.pool(&work.pool), self.names.product(&work));
                        let (kind, failures, why) = (work.kind.name(), failure.failures, failure.why);
                        tracing::info!(kind, pool, product, failures, why, "done, after it was refused");
                    }
                    *progress.report.done.entry(work.kind.name()).or_default() += 1;
                }
                Ok(())
            }
            Err(error) => {
                self.lost(prepared, rent, &error, progress);
                let ours = instructions(&batch).len();
                let before = prepared.transaction.message.instructions().len().saturating_sub(ours);
                self.refused(batch, error, before, pool, again, progress)
            }
        }
    }

    /// Of the items of a confirmed transaction, those that changed something, and those that somebody else had done
    /// just before. To show a price that was shown, or to bring a phase up to now again, is no failure and changes
    /// nothing: what changes something says so in its logs. Where nobody tells those, all count as done.
    fn took_effect(&self, batch: Vec<Work>, receipt: &Receipt) -> (Vec<Work>, Vec<Work>) {
        let may_be_idle =
            |work: &Work| matches!(work.kind, Kind::Observe | Kind::Refresh | Kind::Confirm | Kind::SyncProduct);
        if !batch.iter().any(may_be_idle) {
            return (batch, Vec::new());
        }
        let known = (!receipt.logs.is_empty()).then(|| receipt.logs.clone());
        let logs = known.or_else(|| self.cluster.logs(&receipt.signature).ok().flatten());
        let Some(logs) = logs.filter(|logs| !logs.iter().any(|line| line == "Log truncated")) else {
            return (batch, Vec::new());
        };
        let observed = transaction::events::<Observed>(&logs);
        let observed = observed.iter().map(|event| (event.trigger, event.publish_time));
        let reported = transaction::events::<LossReported>(&logs);
        let reported = reported.iter().map(|event| (event.trigger, event.observed_at));
        let shown: BTreeSet<(Pubkey, i64)> = observed.chain(reported).collect();
        let mut changed: BTreeSet<Pubkey> =
            transaction::events::<PhaseChanged>(&logs).iter().map(|event| event.trigger).collect();
        // A live reading always says something: it is there to confirm, or to be confirmed.
        changed.extend(transaction::events::<ReadingShown>(&logs).iter().map(|event| event.trigger));
        changed.extend(transaction::events::<ExposureReleased>(&logs).iter().map(|event| event.product));
        let took = |work: &Work| match &work.print {
            Some(print) => shown.contains(&(work.subject, print.observation.publish_time)),
            None => !may_be_idle(work) || changed.contains(&work.subject),
        };
        batch.into_iter().partition(took)
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
                let kinds = work::words(&work::count(&batch));
                let pool = batch.first().map_or("", |work| self.names.pool(&work.pool));
                tracing::warn!(work = kinds, pool, why = explain(&error).sentence, "not taken; it is tried again");
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
        let mut batch = self.still_open(batch);
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
            self.fail(work, explain(error).sentence, progress);
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
    fn elsewhere(&self, left: VecDeque<Work>, progress: &mut Progress) -> VecDeque<Work> {
        let items = left.len();
        let mut left = VecDeque::from(self.still_open(left.into()));
        progress.report.done_by_others += (items - left.len()) as u64;
        left.rotate_left(left.len() / 2);
        left
    }

    /// Leaves out covers and positions that have been settled since they were read. What a node does not say stays in.
    fn still_open(&self, batch: Vec<Work>) -> Vec<Work> {
        if batch.iter().any(|work| !work.kind.settles()) {
            return batch;
        }
        let subjects: Vec<Pubkey> = batch.iter().map(|work| work.subject).collect();
        let Ok(accounts) = self.cluster.accounts(&subjects) else { return batch };
        // A lien's payee is paid beside the holder: only what is settled has nothing for either.
        let is_open = |kind: Kind, policy: Policy| match kind {
            Kind::SettleLien => policy.state != CoverState::Settled,
            _ => policy.state == CoverState::Active,
        };
        let open = |(work, account): (Work, Option<Account>)| {
            decode_policy(&account?.data).filter(|policy| is_open(work.kind, policy.clone())).map(|_| work)
        };
        batch.into_iter().zip(accounts).filter_map(open).collect()
    }

    /// Books a transaction's cost if the budget allows it.
    fn afford(&mut self, prepared: &Prepared, rent: u64, purpose: Purpose, progress: &mut Progress) -> bool {
        let now = Instant::now();
        let fits = self.budget.take(prepared.fee.saturating_add(rent), purpose, now);
        if fits {
            progress.report.fees += prepared.fee;
            progress.report.rent += rent;
        } else {
            progress.report.out_of_budget = true;
        }
        fits
    }

    /// Books a transaction that did not come about: one that was executed and failed has cost its fee, one that expired
    /// nothing. Where nobody said how it ended, it counts as paid.
    fn lost(&mut self, prepared: &Prepared, rent: u64, error: &ClusterError, progress: &mut Progress) {
        progress.report.transactions_lost += 1;
        match error {
            ClusterError::Failed { .. } => self.give_back(rent, 0, rent, progress),
            ClusterError::Expired { .. } => {
                self.give_back(prepared.fee.saturating_add(rent), prepared.fee, rent, progress);
            }
            _ => {}
        }
    }

    fn give_back(&mut self, lamports: u64, fee: u64, rent: u64, progress: &mut Progress) {
        self.budget.give_back(lamports);
        progress.report.fees = progress.report.fees.saturating_sub(fee);
        progress.report.rent = progress.report.rent.saturating_sub(rent);
    }

    fn confirmed(&self, prepared: &Prepared, progress: &mut Progress) {
        progress.report.transactions += 1;
        progress.report.compute_units += prepared.simulated.compute_units;
        if let Some(health) = &self.health {
            health.progressed();
        }
    }

    /// Rent of accounts of these lengths, in lamports. Where a node does not say, what the network asks by default.
    fn rent_of(&mut self, lengths: impl Iterator<Item = usize>) -> u64 {
        lengths.fold(0, |sum, length| {
            let rent = match self.rents.get(&length) {
                Some(rent) => *rent,
                None => match self.cluster.rent(length) {
                    Ok(rent) => *self.rents.entry(length).or_insert(rent),
                    Err(_) => (length as u64).saturating_add(ACCOUNT_BYTES).saturating_mul(RENT_OF_A_BYTE),
                },
            };
            sum.saturating_add(rent)
        })
    }
}

impl<'a> Crank<'a> {
    fn pipeline(&self, tables: Vec<AddressLookupTableAccount>) -> Pipeline<'a> {
        let (priority_fee, lost_rounds) = (self.options.priority_fee, self.lost_rounds);
        Pipeline { priority_fee, tables, lost_rounds, ..Pipeline::new(self.cluster, self.payer) }
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
        // Those who can be paid at once do not share the fate of those for whom an account is created.
        let alike = |next: &&Work| next.instructions.len() == batch[0].instructions.len();
        let Some(next) = left.front().filter(alike) else { break };
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
