//! From instructions to confirmed transactions.
//!
//! [`sign`] and [`send`] are enough for a cluster in this process. [`Pipeline`] is for a real one: it simulates, sets the
//! compute limit and price, signs, sends, and sends again until each transaction is confirmed or can no longer be.

use crate::cluster::{Blockhash, Cluster, ClusterError, Outcome, Receipt};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{AnchorDeserialize, Discriminator, Event};
use backstop::error::BackstopError;
use base64::Engine;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::instruction::InstructionError;
use solana_sdk::message::{AddressLookupTableAccount, Message, VersionedMessage, v0};
use solana_sdk::signature::{Keypair, Signature};
use solana_sdk::signer::Signer;
use solana_sdk::transaction::{TransactionError, VersionedTransaction};
use std::collections::HashMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Most compute units of one transaction.
pub const MOST_COMPUTE_UNITS: u32 = 1_400_000;
/// Most bytes of one transaction.
pub const MOST_BYTES: usize = 1_232;
/// Lamports of a signature.
const SIGNATURE_FEE: u64 = 5_000;
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
    /// What others who write the same accounts lately paid, and not above the cap, in lamports a transaction.
    Market {
        /// Most lamports a transaction.
        cap: u64,
    },
    /// Lamports a transaction.
    Fixed(u64),
}

impl PriorityFee {
    /// The price to offer, in micro-lamports a compute unit, so that a transaction with this limit pays no more than is
    /// meant. Rounded down.
    fn price(self, cluster: &dyn Cluster, writable: &[Pubkey], limit: u32) -> Result<u64, ClusterError> {
        let per_unit = |lamports: u64| (u128::from(lamports) * 1_000_000 / u128::from(limit)) as u64;
        match self {
            Self::Fixed(lamports) => Ok(per_unit(lamports)),
            Self::Market { cap } => Ok(cluster.recent_priority_price(writable)?.min(per_unit(cap))),
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
}

impl<'a> Pipeline<'a> {
    /// A pipeline whose payer is the only signer, at market fees of at most 100,000 lamports.
    pub fn new(cluster: &'a dyn Cluster, payer: &'a dyn Signer) -> Self {
        let priority_fee = PriorityFee::Market { cap: 100_000 };
        Self { cluster, payer, signers: Vec::new(), priority_fee, tables: Vec::new() }
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
        self.sign(instructions, self.plan_within(instructions, limit, Receipt::default())?)
    }

    /// Signs what was planned, with a blockhash of now.
    ///
    /// Errors: [`ClusterError::Unsignable`] if somebody's signature is missing.
    pub fn sign(&self, instructions: &[Instruction], plan: Plan) -> Result<Prepared, ClusterError> {
        let Blockhash { hash, last_valid_block_height } = self.cluster.latest_blockhash()?;
        let message = self.message(instructions, plan.limit, plan.price, hash)?;
        let transaction = sign_message(message, self.payer, &self.signers)?;
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
        let price = self.priority_fee.price(self.cluster, &writable, limit)?;
        let message = self.message(instructions, limit, price, Default::default())?;
        let priority = (u128::from(price) * u128::from(limit)).div_ceil(1_000_000) as u64;
        let fee = SIGNATURE_FEE * u64::from(message.header().num_required_signatures) + priority;
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

/// Sends transactions, again and again, until each is confirmed, has failed, is refused, or can no longer be confirmed.
/// Outcomes are in the order of the transactions.
///
/// A cluster that does not answer is asked again for two minutes; then its silence is the outcome of all that is open, and
/// what was sent may still be confirmed.
pub fn confirm(cluster: &dyn Cluster, prepared: &[Prepared]) -> Vec<Outcome> {
    const PATIENCE: Duration = Duration::from_secs(120);
    let mut outcomes: Vec<Option<Outcome>> = vec![None; prepared.len()];
    let (mut answered, mut sent) = (Instant::now(), None::<Instant>);
    while outcomes.iter().any(Option::is_none) {
        let due = sent.is_none_or(|sent| sent.elapsed() >= REBROADCAST);
        match round(cluster, prepared, &mut outcomes, due) {
            Ok(()) => {
                answered = Instant::now();
                sent = if due { Some(answered) } else { sent };
            }
            Err(why) if answered.elapsed() > PATIENCE => {
                outcomes.iter_mut().filter(|outcome| outcome.is_none()).for_each(|open| *open = Some(Err(why.clone())));
            }
            Err(_) => {}
        }
        if outcomes.iter().any(Option::is_none) {
            sleep(POLL);
        }
    }
    outcomes.into_iter().flatten().collect()
}

/// Sends what is open, if that is due, and looks what became of it. Errors: the cluster does not answer.
fn round(
    cluster: &dyn Cluster,
    prepared: &[Prepared],
    outcomes: &mut [Option<Outcome>],
    due: bool,
) -> Result<(), ClusterError> {
    let open: Vec<usize> = (0..prepared.len()).filter(|index| outcomes[*index].is_none()).collect();
    let mut refusals = HashMap::new();
    for index in open.iter().filter(|_| due) {
        match cluster.submit(&prepared[*index].transaction) {
            Err(silence @ ClusterError::Unreachable(_)) => return Err(silence),
            Err(refusal) => drop(refusals.insert(*index, refusal)),
            Ok(()) => {}
        }
    }
    // The height first: what is not confirmed at a later look than a height past its end never will be.
    let height = cluster.block_height()?;
    let signatures: Vec<Signature> = open.iter().map(|index| prepared[*index].transaction.signatures[0]).collect();
    for (index, outcome) in open.into_iter().zip(cluster.outcomes(&signatures)?) {
        let expired = (height > prepared[index].last_valid_block_height).then_some(ClusterError::Expired);
        // A node may refuse to take again what it has confirmed: what became of it counts first.
        let failure = refusals.remove(&index).or(expired);
        outcomes[index] = outcome.or_else(|| failure.map(Err));
    }
    Ok(())
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
