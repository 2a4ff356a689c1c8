//! From instructions to confirmed transactions.
//!
//! [`sign`] and [`send`] are enough for a cluster in this process. [`Pipeline`] is for a real one: it simulates, sets the
//! compute limit and price, signs, sends, and sends again until it is known of each transaction how it ended.

use crate::cluster::{Blockhash, Cluster, ClusterError, Outcome, Reason, Receipt, Silence};
use crate::handover::SIGNATURE_FEE;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{AnchorDeserialize, Discriminator, Event};
use backstop::error::BackstopError;
use backstop::peril::feed::attested::PRECOMPILE_ID;
use base64::Engine;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::instruction::InstructionError;
use solana_sdk::message::{AddressLookupTableAccount, Message, VersionedMessage, v0};
use solana_sdk::signature::{Keypair, Signature};
use solana_sdk::signer::Signer;
use solana_sdk::transaction::{TransactionError, VersionedTransaction};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Most compute units of one transaction.
pub const MOST_COMPUTE_UNITS: u32 = 1_400_000;
/// Most bytes of one transaction.
pub const MOST_BYTES: usize = 1_232;
/// How often outcomes are asked for.
const POLL: Duration = Duration::from_millis(400);
/// How often an unconfirmed transaction is sent again.
const REBROADCAST: Duration = Duration::from_secs(2);

/// Signs instructions into a transaction that `payer` pays for. Signers that the instructions do not need are left out.
pub fn sign(
    cluster: &dyn Cluster,
    payer: &Keypair,
    signers: &[&Keypair],
    instructions: &[Instruction],
) -> Result<VersionedTransaction, ClusterError> {
    sign_legacy(cluster.latest_blockhash()?, payer, signers, instructions)
}

fn sign_legacy(
    blockhash: Blockhash,
    payer: &Keypair,
    signers: &[&Keypair],
    instructions: &[Instruction],
) -> Result<VersionedTransaction, ClusterError> {
    let message = Message::new_with_blockhash(instructions, Some(&payer.pubkey()), &blockhash.hash);
    let signers: Vec<&dyn Signer> = signers.iter().map(|signer| *signer as &dyn Signer).collect();
    sign_message(VersionedMessage::Legacy(message), payer, &signers)
}

/// Signs, sends and confirms instructions in one transaction.
pub fn send(cluster: &dyn Cluster, payer: &Keypair, signers: &[&Keypair], instructions: &[Instruction]) -> Outcome {
    let blockhash = cluster.latest_blockhash()?;
    let transaction = sign_legacy(blockhash, payer, signers, instructions)?;
    let last_valid_block_height = blockhash.last_valid_block_height;
    let prepared = Prepared { transaction, last_valid_block_height, fee: 0, simulated: Receipt::default() };
    confirm(cluster, std::slice::from_ref(&prepared)).remove(0)
}

fn sign_message(
    message: VersionedMessage,
    payer: &dyn Signer,
    signers: &[&dyn Signer],
) -> Result<VersionedTransaction, ClusterError> {
    let needed = usize::from(message.header().num_required_signatures);
    let bytes = message.serialize();
    let signature_of = |key: &Pubkey| {
        let signed = if *key == payer.pubkey() {
            payer.try_sign_message(&bytes)
        } else {
            let signer = signers.iter().find(|signer| signer.pubkey() == *key);
            let signer = signer.ok_or_else(|| ClusterError::Unsignable(format!("nobody here signs for {key}")))?;
            signer.try_sign_message(&bytes)
        };
        signed.map_err(|why| ClusterError::Unsignable(format!("{key} does not sign: {why}")))
    };
    let signatures = message.static_account_keys()[..needed].iter().map(signature_of).collect::<Result<_, _>>()?;
    Ok(VersionedTransaction { signatures, message })
}

/// What is paid for priority, above the fee for signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriorityFee {
    /// What others who write the same accounts lately paid, [`FLOOR`] at least and the cap at most, in lamports a
    /// transaction. It doubles with each round that was lost. Where the cluster does not say what others paid, it is the
    /// floor that doubles.
    Market {
        /// Most lamports a transaction.
        cap: u64,
    },
    /// Lamports a transaction.
    Fixed(u64),
}

/// Least lamports a transaction that are paid for priority at market fees, unless the cap is lower: what pays nothing
/// waits behind everything that does.
pub const FLOOR: u64 = 1_000;

impl PriorityFee {
    /// The price to offer after so many lost rounds, in micro-lamports a compute unit, so that a transaction with this
    /// limit pays no more than is meant. Rounded down.
    fn price(self, cluster: &dyn Cluster, writable: &[Pubkey], limit: u32, lost: u32) -> u64 {
        let per_unit = |lamports: u64| (u128::from(lamports) * 1_000_000 / u128::from(limit)) as u64;
        match self {
            Self::Fixed(lamports) => per_unit(lamports),
            Self::Market { cap } => {
                // An answer that does not come is no reason not to send.
                let market = cluster.recent_priority_price(writable).unwrap_or_default();
                let price = market.max(per_unit(FLOOR));
                price.saturating_mul(1_u64.checked_shl(lost).unwrap_or(u64::MAX)).min(per_unit(cap))
            }
        }
    }
}

/// A transaction that was simulated and signed, and can be sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The transaction.
    pub transaction: VersionedTransaction,
    /// The last block height at which it can be confirmed.
    pub last_valid_block_height: u64,
    /// What it will cost in fees, rent excluded, in lamports.
    pub fee: u64,
    /// What the simulation of its instructions did.
    pub simulated: Receipt,
}

/// What instructions will do as one transaction, and what that will cost: nothing is signed yet.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Most compute units that it may take.
    pub limit: u32,
    /// What is offered for priority, in micro-lamports a compute unit.
    pub price: u64,
    /// What it will cost in fees, rent excluded, in lamports.
    pub fee: u64,
    /// What the simulation did.
    pub simulated: Receipt,
}

/// What turns instructions into confirmed transactions on a real cluster.
pub struct Pipeline<'a> {
    /// Where.
    pub cluster: &'a dyn Cluster,
    /// Who pays the fees.
    pub payer: &'a dyn Signer,
    /// Who else signs where instructions ask for it.
    pub signers: Vec<&'a dyn Signer>,
    /// What is paid for priority.
    pub priority_fee: PriorityFee,
    /// Lookup tables that make transactions smaller.
    pub tables: Vec<AddressLookupTableAccount>,
    /// How many rounds were lost before this one: transactions that expired because others paid more.
    pub lost_rounds: u32,
    /// The blockhash to sign with, if not the newest.
    pub blockhash: Option<Blockhash>,
}

impl<'a> Pipeline<'a> {
    /// A pipeline whose payer is the only signer, at market fees of at most 100,000 lamports.
    pub fn new(cluster: &'a dyn Cluster, payer: &'a dyn Signer) -> Self {
        let priority_fee = PriorityFee::Market { cap: 100_000 };
        Self { cluster, payer, signers: Vec::new(), priority_fee, tables: Vec::new(), lost_rounds: 0, blockhash: None }
    }

    /// [`Self::plan`], then [`Self::sign`].
    pub fn prepare(&self, instructions: &[Instruction]) -> Result<Prepared, ClusterError> {
        self.sign(instructions, self.plan(instructions)?)
    }

    /// Simulates instructions as one transaction, and sets its compute limit to a tenth more than they took.
    ///
    /// Errors: [`ClusterError::Failed`] if it would fail, [`ClusterError::Unsignable`] if it is too long.
    pub fn plan(&self, instructions: &[Instruction]) -> Result<Plan, ClusterError> {
        let simulated = self.simulate(instructions)?;
        let used = u32::try_from(simulated.compute_units).unwrap_or(MOST_COMPUTE_UNITS);
        let limit = used.saturating_add(used / 10).saturating_add(1_000).min(MOST_COMPUTE_UNITS);
        self.plan_within(instructions, limit, simulated)
    }

    /// Signs instructions with a compute limit that is known, without a simulation.
    pub fn prepare_with_limit(&self, instructions: &[Instruction], limit: u32) -> Result<Prepared, ClusterError> {
        self.sign(instructions, self.plan_with_limit(instructions, limit)?)
    }

    /// What instructions will cost with a compute limit that is known, without a simulation.
    pub fn plan_with_limit(&self, instructions: &[Instruction], limit: u32) -> Result<Plan, ClusterError> {
        self.plan_within(instructions, limit, Receipt::default())
    }

    /// Signs what was planned, with a blockhash of now if no other is set.
    ///
    /// Errors: [`ClusterError::Unsignable`] if somebody's signature is missing.
    pub fn sign(&self, instructions: &[Instruction], plan: Plan) -> Result<Prepared, ClusterError> {
        let mut draft = self.draft(instructions, plan)?;
        draft.transaction = sign_message(draft.transaction.message, self.payer, &self.signers)?;
        Ok(draft)
    }

    /// What [`Self::sign`] signs, with zeros for signatures: for those who sign elsewhere.
    pub fn draft(&self, instructions: &[Instruction], plan: Plan) -> Result<Prepared, ClusterError> {
        let blockhash = self.blockhash.map_or_else(|| self.cluster.latest_blockhash(), Ok)?;
        let Blockhash { hash, last_valid_block_height } = blockhash;
        let message = self.message(instructions, plan.limit, plan.price, hash)?;
        let signatures = vec![Signature::default(); usize::from(message.header().num_required_signatures)];
        let transaction = VersionedTransaction { signatures, message };
        Ok(Prepared { transaction, last_valid_block_height, fee: plan.fee, simulated: plan.simulated })
    }

    fn plan_within(&self, instructions: &[Instruction], limit: u32, simulated: Receipt) -> Result<Plan, ClusterError> {
        let mut writable: Vec<Pubkey> = instructions
            .iter()
            .flat_map(|instruction| &instruction.accounts)
            .filter(|meta| meta.is_writable)
            .map(|meta| meta.pubkey)
            .collect();
        writable.sort_unstable();
        writable.dedup();
        let price = self.priority_fee.price(self.cluster, &writable, limit, self.lost_rounds);
        let message = self.message(instructions, limit, price, Default::default())?;
        let priority = (u128::from(price) * u128::from(limit)).div_ceil(1_000_000) as u64;
        // What the ed25519 precompile verifies is paid for like the transaction's own.
        let verified = instructions.iter().filter(|instruction| instruction.program_id == PRECOMPILE_ID);
        let verified: u64 =
            verified.filter_map(|instruction| instruction.data.first()).map(|count| u64::from(*count)).sum();
        let fee = SIGNATURE_FEE * (u64::from(message.header().num_required_signatures) + verified) + priority;
        Ok(Plan { limit, price, fee, simulated })
    }

    /// What instructions would do as one transaction, whoever signs.
    pub fn simulate(&self, instructions: &[Instruction]) -> Outcome {
        let hash = self.cluster.latest_blockhash()?.hash;
        let message = self.message(instructions, MOST_COMPUTE_UNITS, 0, hash)?;
        let signatures = vec![Signature::default(); usize::from(message.header().num_required_signatures)];
        self.cluster.simulate(&VersionedTransaction { signatures, message })
    }

    /// Bytes that instructions take as one transaction of this pipeline.
    ///
    /// Errors: [`ClusterError::Unsignable`] if they cannot be one transaction.
    pub fn bytes(&self, instructions: &[Instruction]) -> Result<usize, ClusterError> {
        let message = self.unchecked_message(instructions, MOST_COMPUTE_UNITS, 1, Default::default())?;
        Ok(bytes_of(&message))
    }

    fn message(
        &self,
        instructions: &[Instruction],
        limit: u32,
        price: u64,
        hash: solana_sdk::hash::Hash,
    ) -> Result<VersionedMessage, ClusterError> {
        let message = self.unchecked_message(instructions, limit, price, hash)?;
        let bytes = bytes_of(&message);
        if bytes > MOST_BYTES {
            let why = format!("the transaction has {bytes} bytes, and a cluster takes {MOST_BYTES} at most");
            return Err(ClusterError::Unsignable(why));
        }
        Ok(message)
    }

    fn unchecked_message(
        &self,
        instructions: &[Instruction],
        limit: u32,
        price: u64,
        hash: solana_sdk::hash::Hash,
    ) -> Result<VersionedMessage, ClusterError> {
        let mut all = vec![ComputeBudgetInstruction::set_compute_unit_limit(limit)];
        if price > 0 {
            all.push(ComputeBudgetInstruction::set_compute_unit_price(price));
        }
        all.extend_from_slice(instructions);
        if self.tables.is_empty() {
            return Ok(VersionedMessage::Legacy(Message::new_with_blockhash(&all, Some(&self.payer.pubkey()), &hash)));
        }
        v0::Message::try_compile(&self.payer.pubkey(), &all, &self.tables, hash)
            .map(VersionedMessage::V0)
            .map_err(|why| ClusterError::Unsignable(format!("the transaction cannot be built: {why}")))
    }

    /// Prepares, sends and confirms instructions as one transaction.
    pub fn send(&self, instructions: &[Instruction]) -> Outcome {
        let prepared = self.prepare(instructions)?;
        confirm(self.cluster, std::slice::from_ref(&prepared)).remove(0)
    }
}

fn bytes_of(message: &VersionedMessage) -> usize {
    // One byte counts the signatures, of 64 bytes each.
    1 + 64 * usize::from(message.header().num_required_signatures) + message.serialize().len()
}

/// How long somebody waits for what they sent.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Longest wait, by this machine's clock, whatever the cluster answers.
    pub most: Duration,
    /// Who may ask to stop.
    pub stop: Option<Arc<AtomicBool>>,
    /// How long what is under way is still waited for after that.
    pub grace: Duration,
}

impl Default for Patience {
    /// Two minutes: three times the life of a blockhash, and time to prove that it is over.
    fn default() -> Self {
        Self { most: Duration::from_secs(120), stop: None, grace: Duration::from_secs(5) }
    }
}

impl Patience {
    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

/// [`confirm_within`] the usual patience.
pub fn confirm(cluster: &dyn Cluster, prepared: &[Prepared]) -> Vec<Outcome> {
    confirm_within(cluster, prepared, &Patience::default())
}

/// Sends transactions, again and again, until it is known of each how it ended. Outcomes are in the order of the
/// transactions, and never later than the patience lasts.
///
/// Each ends in one of three ways. It was executed: its receipt, or [`ClusterError::Failed`] with its signature. It
/// surely was not and never will be: [`ClusterError::Expired`], which is proven, or, if no node ever had it, why none
/// took it. Nobody can tell: [`ClusterError::Unknown`], and it may be executed already, or still be.
pub fn confirm_within(cluster: &dyn Cluster, prepared: &[Prepared], patience: &Patience) -> Vec<Outcome> {
    let mut open: Vec<Open> = prepared.iter().map(Open::new).collect();
    let begun = Instant::now();
    let (mut sent, mut stopped) = (None::<Instant>, None::<Instant>);
    let mut silence = None;
    while open.iter().any(|one| one.outcome.is_none()) {
        if patience.is_stopped() {
            stopped.get_or_insert_with(Instant::now);
        }
        let is_over = || begun.elapsed() >= patience.most || stopped.is_some_and(|at| at.elapsed() >= patience.grace);
        if is_over() {
            let why = match (&silence, stopped) {
                (Some(silence), _) => format!("{silence}"),
                (None, Some(_)) => "somebody asked to stop while it was under way".to_owned(),
                (None, None) => format!("it was neither executed nor expired within {} s", patience.most.as_secs()),
            };
            open.iter_mut().for_each(|one| one.give_up(&why));
            break;
        }
        let is_due = stopped.is_none() && sent.is_none_or(|sent| sent.elapsed() >= REBROADCAST);
        let answer = round(cluster, &mut open, is_due, &is_over);
        if is_due && answer.is_ok() {
            sent = Some(Instant::now());
        }
        silence = answer.err();
        if open.iter().any(|one| one.outcome.is_none()) {
            sleep(POLL);
        }
    }
    open.into_iter().filter_map(|one| one.outcome).collect()
}

/// A transaction that is sent, and what is known of it.
struct Open<'a> {
    prepared: &'a Prepared,
    /// Whether a node may have taken it.
    is_out: bool,
    /// What the last node that did not take it said.
    rejected: Option<ClusterError>,
    /// Looks in a row that proved that it expired.
    proofs: u32,
    outcome: Option<Outcome>,
}

impl<'a> Open<'a> {
    /// Behind one address there may be nodes that disagree: one proof may be a broken node's.
    const PROOFS: u32 = 2;

    fn new(prepared: &'a Prepared) -> Self {
        Self { prepared, is_out: false, rejected: None, proofs: 0, outcome: None }
    }

    fn signature(&self) -> Signature {
        self.prepared.transaction.signatures[0]
    }

    /// Hands it in. Errors: nobody answers.
    fn submit(&mut self, cluster: &dyn Cluster) -> Result<(), ClusterError> {
        match cluster.submit(&self.prepared.transaction) {
            Ok(()) => self.is_out = true,
            Err(ClusterError::Unreachable(silence)) => {
                self.is_out |= !silence.reason.is_undelivered();
                self.rejected = Some(silence.clone().into());
                return Err(silence.into());
            }
            Err(refusal) => self.rejected = Some(refusal),
        }
        Ok(())
    }

    fn give_up(&mut self, why: &str) {
        if self.outcome.is_some() {
            return;
        }
        let signature = self.signature();
        self.outcome = Some(Err(match self.rejected.take() {
            Some(rejected) if !self.is_out => rejected,
            None if !self.is_out => Silence { host: "the cluster".into(), reason: Reason::Stopped }.into(),
            _ => ClusterError::Unknown { signature, why: why.to_owned() },
        }));
    }
}

/// Sends what is open, if that is due, and looks what became of it. Errors: the cluster does not answer.
fn round(
    cluster: &dyn Cluster,
    all: &mut [Open],
    is_due: bool,
    is_over: &dyn Fn() -> bool,
) -> Result<(), ClusterError> {
    let mut open: Vec<&mut Open> = all.iter_mut().filter(|one| one.outcome.is_none()).collect();
    let mut silence = None;
    for one in open.iter_mut().filter(|_| is_due) {
        if is_over() {
            break;
        }
        if let Err(why) = one.submit(cluster) {
            silence = Some(why);
            break;
        }
    }
    let signatures: Vec<Signature> = open.iter().map(|one| one.signature()).collect();
    for (one, outcome) in open.iter_mut().zip(cluster.outcomes(&signatures)?) {
        one.outcome = outcome;
        // A node may refuse to take again what it has confirmed: what became of it counts first.
        if one.outcome.is_none() && !one.is_out && !matches!(one.rejected, Some(ClusterError::Unreachable(_))) {
            one.outcome = one.rejected.take().map(Err);
        }
    }
    open.retain(|one| one.outcome.is_none());
    let ends: Vec<(Signature, u64)> =
        open.iter().map(|one| (one.signature(), one.prepared.last_valid_block_height)).collect();
    if !ends.is_empty() {
        for (one, is_expired) in open.into_iter().zip(cluster.expired(&ends)?) {
            one.proofs = if is_expired { one.proofs + 1 } else { 0 };
            if one.proofs >= Open::PROOFS {
                one.outcome = Some(Err(ClusterError::Expired { signature: one.signature() }));
            }
        }
    }
    silence.map_or(Ok(()), Err)
}

/// The program's error in a failure, if it is one of its own.
pub fn program_error(error: &ClusterError) -> Option<BackstopError> {
    let ClusterError::Failed { error: TransactionError::InstructionError(_, InstructionError::Custom(code)), .. } =
        error
    else {
        return None;
    };
    BackstopError::from_code(*code)
}

/// Decodes the events of one type that a transaction reported, in order.
pub fn events<E: Event + AnchorDeserialize + Discriminator>(logs: &[String]) -> Vec<E> {
    let program_data = logs.iter().filter_map(|line| line.strip_prefix("Program data: "));
    program_data
        .filter_map(|text| base64::engine::general_purpose::STANDARD.decode(text).ok())
        .filter_map(|bytes| E::deserialize(&mut bytes.strip_prefix(E::DISCRIMINATOR)?).ok())
        .collect()
}
