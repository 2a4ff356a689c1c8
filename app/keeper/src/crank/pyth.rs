//! Signed Pyth updates: their bytes, and the instructions that bring them on chain.
//!
//! An update is a message of the oracle's signers (a VAA) with the root of a Merkle tree, and price messages with their
//! proofs. The receiver program checks both and writes a price account. The program takes only prices whose signatures
//! were all checked, so all of them are handed in: in one transaction where they fit (`post_update_atomic`, enough for
//! the five signers of today), else through an account of the bridge, which is written in parts, verified, used and
//! closed again (`post_update`).

use crate::crank::price::{Print, Step};
use anchor_lang::prelude::{Pubkey, pubkey};
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use anchor_lang::system_program;
use backstop::peril::feed::{Observation, RawPrice, Source};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::transaction::MOST_BYTES;
use pyth_solana_receiver_sdk::pda::{get_config_address, get_treasury_address};
use pyth_solana_receiver_sdk::price_update::PriceUpdateV2;
use solana_sdk::message::Message;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// The bridge that verifies the signatures.
pub const BRIDGE: Pubkey = pubkey!("HDwcJBJXjL9FpJ7UBsYBtaDjsBUhuLCUYoz3zr8SWWaQ");
/// The receiver program.
pub const RECEIVER: Pubkey = pyth_solana_receiver_sdk::ID;

/// First bytes of the instructions, as Anchor derives them from their names.
pub mod tags {
    /// `init_encoded_vaa` of the bridge.
    pub const INIT: [u8; 8] = [209, 193, 173, 25, 91, 202, 181, 218];
    /// `write_encoded_vaa` of the bridge.
    pub const WRITE: [u8; 8] = [199, 208, 110, 177, 150, 76, 118, 42];
    /// `verify_encoded_vaa_v1` of the bridge.
    pub const VERIFY: [u8; 8] = [103, 56, 177, 229, 240, 103, 68, 73];
    /// `close_encoded_vaa` of the bridge.
    pub const CLOSE: [u8; 8] = [48, 221, 174, 198, 231, 7, 152, 38];
    /// `post_update` of the receiver.
    pub const POST: [u8; 8] = [133, 95, 207, 175, 11, 79, 118, 44];
    /// `post_update_atomic` of the receiver.
    pub const POST_ATOMIC: [u8; 8] = [49, 172, 84, 192, 175, 180, 52, 234];
}

/// Bytes before the VAA in the bridge's account.
const VAA_HEADER: usize = 46;
/// Bytes of a VAA that the transaction which creates its account can also write.
const FIRST_PART: usize = 700;
/// Of the receiver's treasuries, which exist for every byte, the one that is used.
const TREASURY: u8 = 0;
/// Bytes that the pipeline's instructions for compute limit and price add.
const COMPUTE_BUDGET_BYTES: usize = 52;
/// Stands for the account that a message is written to, where others are named by their feed.
const DRAFT: [u8; 32] = [0xff; 32];
/// What the wallet signs for the keys of its price accounts. No transaction begins so.
const KEY_TEXT: &[u8] = b"Backstop crank: keys of its price accounts";

/// A price and its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The message, as it was hashed.
    pub message: Vec<u8>,
    /// Hashes from it to the root.
    pub proof: Vec<[u8; 20]>,
    /// The feed it is of.
    pub feed: [u8; 32],
    /// What it says.
    pub price: RawPrice,
}

/// A signed update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The signers' message.
    pub vaa: Vec<u8>,
    /// The number of the set of signers.
    pub signer_set: u32,
    /// The prices.
    pub leaves: Vec<Leaf>,
}

/// Reads big-endian fields off the front of bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }
}

impl Update {
    /// Reads an update. Nothing is verified here: the receiver does that.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let magic: [u8; 4] = reader.array()?;
        let (major, _minor) = (reader.byte()?, reader.byte()?);
        let trailing = reader.byte()?;
        reader.take(usize::from(trailing))?;
        let proof_type = reader.byte()?;
        if magic != *b"PNAU" || major != 1 || proof_type != 0 {
            return None;
        }
        let length = u16::from_be_bytes(reader.array()?);
        let vaa = reader.take(usize::from(length))?.to_vec();
        // Version, then the number of the set of signers.
        let signer_set = u32::from_be_bytes(*vaa.get(1..)?.first_chunk()?);
        let count = reader.byte()?;
        let leaves = (0..count).map(|_| Leaf::parse(&mut reader)).collect::<Option<Vec<Option<Leaf>>>>()?;
        Some(Self { vaa, signer_set, leaves: leaves.into_iter().flatten().collect() })
    }
}

impl Update {
    /// When its newest price was published, unix seconds.
    pub fn newest(&self) -> Option<i64> {
        self.leaves.iter().map(|leaf| leaf.price.publish_time).max()
    }
}

impl Leaf {
    /// Reads a message and its proof; inside, `None` for messages that are no prices.
    fn parse(reader: &mut Reader) -> Option<Option<Self>> {
        let length = u16::from_be_bytes(reader.array()?);
        let message = reader.take(usize::from(length))?;
        let hashes = reader.byte()?;
        let proof = (0..hashes).map(|_| reader.array()).collect::<Option<Vec<[u8; 20]>>>()?;
        Some(Self::price(message).map(|(feed, price)| Self { message: message.to_vec(), proof, feed, price }))
    }

    fn price(message: &[u8]) -> Option<([u8; 32], RawPrice)> {
        let mut reader = Reader(message);
        if reader.byte()? != 0 {
            return None;
        }
        let feed = reader.array()?;
        let price = RawPrice {
            price: i64::from_be_bytes(reader.array()?),
            confidence: u64::from_be_bytes(reader.array()?),
            exponent: i32::from_be_bytes(reader.array()?),
            publish_time: i64::from_be_bytes(reader.array()?),
        };
        Some((feed, price))
    }

    /// The message and its proof, then the treasury, as the receiver's instructions take them.
    fn argument(&self) -> Vec<u8> {
        let mut bytes = length_of(self.message.len()).to_vec();
        bytes.extend_from_slice(&self.message);
        bytes.extend_from_slice(&length_of(self.proof.len()));
        bytes.extend(self.proof.iter().flatten());
        bytes.push(TREASURY);
        bytes
    }
}

fn length_of(count: usize) -> [u8; 4] {
    // What is counted was read with a length of two bytes at most.
    (count as u32).to_le_bytes()
}

/// Posts updates to price accounts of a wallet: one for each feed, the same in every run.
pub struct Poster {
    payer: Pubkey,
    /// Mixed with a feed it is the secret key of the feed's account. Nobody gains by knowing it: who may write to the
    /// account is the wallet.
    secret: [u8; 32],
}

impl Poster {
    /// A poster whose price accounts belong to a wallet.
    ///
    /// The keys of the accounts come from a signature of the wallet, so that a crank that starts again finds the
    /// accounts it has paid for. A wallet that does not sign texts, as some hardware wallets, gets accounts that are
    /// new each time.
    pub fn new(payer: &dyn Signer) -> Self {
        let signed = payer.try_sign_message(KEY_TEXT).map(<[u8; 64]>::from);
        let last = |bytes: [u8; 64]| bytes.last_chunk().copied();
        let secret = signed.ok().and_then(last).unwrap_or_else(|| *Keypair::new().secret_bytes());
        Self { payer: payer.pubkey(), secret }
    }

    fn key(&self, feed: &[u8; 32]) -> Keypair {
        Keypair::new_from_array(std::array::from_fn(|index| self.secret[index] ^ feed[index]))
    }

    /// The account that a feed's price will be in.
    pub fn price_account(&self, feed: &[u8; 32]) -> Pubkey {
        self.key(feed).pubkey()
    }

    /// The prints that updates hold. Prices that the program would refuse at any time are left out.
    pub fn prints(&self, updates: &[Update]) -> Vec<Print> {
        let leaves = updates.iter().flat_map(|update| &update.leaves);
        let print = |leaf: &Leaf| {
            let observation: Observation = leaf.price.normalise(i64::MAX).ok()?;
            let account = self.price_account(&leaf.feed);
            Some(Print { source: Source::PythReceiver.byte(), feed: leaf.feed, account, observation, attested: None })
        };
        leaves.filter_map(print).collect()
    }

    /// The transactions that post these prints of these updates. Prints that no update holds are left out.
    pub fn posting(
        &self,
        cluster: &dyn Cluster,
        updates: &[Update],
        prints: &[Print],
    ) -> Result<Vec<Step>, ClusterError> {
        let mut steps = Vec::new();
        for update in updates {
            let wanted = |leaf: &&Leaf| {
                prints
                    .iter()
                    .any(|print| print.feed == leaf.feed && print.observation.publish_time == leaf.price.publish_time)
            };
            let leaves: Vec<&Leaf> = update.leaves.iter().filter(wanted).collect();
            if leaves.is_empty() {
                continue;
            }
            let mut atomic = Vec::new();
            for leaf in &leaves {
                atomic.push(self.atomic(cluster, update, leaf)?);
            }
            if atomic.iter().all(|step| self.fits(step)) {
                steps.extend(atomic);
            } else {
                steps.extend(self.through_the_bridge(cluster, update, &leaves)?);
            }
        }
        Ok(steps)
    }

    fn fits(&self, step: &Step) -> bool {
        let message = Message::new(&step.instructions, Some(&self.payer));
        let signatures = 1 + 64 * usize::from(message.header.num_required_signatures);
        signatures + message.serialize().len() + COMPUTE_BUDGET_BYTES <= MOST_BYTES
    }

    /// Everything in one instruction.
    fn atomic(&self, cluster: &dyn Cluster, update: &Update, leaf: &Leaf) -> Result<Step, ClusterError> {
        let mut data = tags::POST_ATOMIC.to_vec();
        data.extend_from_slice(&length_of(update.vaa.len()));
        data.extend_from_slice(&update.vaa);
        data.extend(leaf.argument());
        self.post(cluster, signer_set(update.signer_set), leaf, data)
    }

    /// The receiver's instruction: from the verified message, or the signer set, to a feed's price account.
    fn post(&self, cluster: &dyn Cluster, evidence: Pubkey, leaf: &Leaf, data: Vec<u8>) -> Result<Step, ClusterError> {
        let key = self.key(&leaf.feed);
        let creates = if cluster.account(&key.pubkey())?.is_none() { vec![PriceUpdateV2::LEN] } else { Vec::new() };
        let accounts = vec![
            AccountMeta::new(self.payer, true),
            AccountMeta::new_readonly(evidence, false),
            AccountMeta::new_readonly(get_config_address(), false),
            AccountMeta::new(get_treasury_address(TREASURY), false),
            AccountMeta::new(key.pubkey(), true),
            AccountMeta::new_readonly(system_program::ID, false),
            AccountMeta::new_readonly(self.payer, true),
        ];
        let instructions = vec![Instruction { program_id: RECEIVER, accounts, data }];
        Ok(Step { instructions, signers: vec![key], creates })
    }

    /// Writes the signers' message into an account of the bridge, verifies it, posts, and closes the account.
    fn through_the_bridge(
        &self,
        cluster: &dyn Cluster,
        update: &Update,
        leaves: &[&Leaf],
    ) -> Result<Vec<Step>, ClusterError> {
        let draft = self.key(&DRAFT);
        let at = draft.pubkey();
        let space = VAA_HEADER + update.vaa.len();
        let (first, rest) = update.vaa.split_at(update.vaa.len().min(FIRST_PART));
        let authority = |writable: bool| AccountMeta { pubkey: self.payer, is_signer: true, is_writable: writable };
        let bridge = |accounts: Vec<AccountMeta>, data: Vec<u8>| Instruction { program_id: BRIDGE, accounts, data };
        let write = |index: usize, part: &[u8]| {
            let data = [&tags::WRITE[..], &length_of(index), &length_of(part.len()), part].concat();
            bridge(vec![authority(false), AccountMeta::new(at, false)], data)
        };
        let close = bridge(vec![authority(true), AccountMeta::new(at, false)], tags::CLOSE.to_vec());
        let mut steps = Vec::new();
        if cluster.account(&at)?.is_some() {
            // A posting before this one did not come to its end.
            steps.push(Step { instructions: vec![close.clone()], signers: Vec::new(), creates: Vec::new() });
        }
        steps.push(Step {
            instructions: vec![
                create_account(&self.payer, &at, cluster.rent(space)?, space, &BRIDGE),
                bridge(vec![authority(false), AccountMeta::new(at, false)], tags::INIT.to_vec()),
                write(0, first),
            ],
            signers: vec![draft],
            creates: Vec::new(),
        });
        let verify = bridge(
            vec![
                authority(false),
                AccountMeta::new(at, false),
                AccountMeta::new_readonly(signer_set(update.signer_set), false),
            ],
            tags::VERIFY.to_vec(),
        );
        let mut verified: Vec<Instruction> = if rest.is_empty() { Vec::new() } else { vec![write(FIRST_PART, rest)] };
        verified.push(verify);
        steps.push(Step { instructions: verified, signers: Vec::new(), creates: Vec::new() });
        for leaf in leaves {
            let data = [&tags::POST[..], &leaf.argument()].concat();
            steps.push(self.post(cluster, at, leaf, data)?);
        }
        if let Some(last) = steps.last_mut() {
            last.instructions.push(close);
        }
        Ok(steps)
    }
}

/// The bridge's account of a set of signers.
pub fn signer_set(number: u32) -> Pubkey {
    Pubkey::find_program_address(&[b"GuardianSet", &number.to_be_bytes()], &BRIDGE).0
}

/// The system program's `create_account`.
fn create_account(payer: &Pubkey, at: &Pubkey, lamports: u64, space: usize, owner: &Pubkey) -> Instruction {
    let mut data = vec![0; 4];
    data.extend_from_slice(&lamports.to_le_bytes());
    data.extend_from_slice(&(space as u64).to_le_bytes());
    data.extend_from_slice(owner.as_ref());
    let accounts = vec![AccountMeta::new(*payer, true), AccountMeta::new(*at, true)];
    Instruction { program_id: system_program::ID, accounts, data }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_lang::AnchorDeserialize;
    use pyth_solana_receiver_sdk::{PostUpdateAtomicParams, PostUpdateParams};

    #[test]
    fn the_receivers_own_types_read_what_is_posted() {
        let leaf = Leaf {
            message: vec![7; 85],
            proof: vec![[1; 20], [2; 20]],
            feed: [3; 32],
            price: RawPrice { price: 1, confidence: 1, exponent: -8, publish_time: 1 },
        };
        let posted = PostUpdateParams::try_from_slice(&leaf.argument()).expect("it is the receiver's layout");
        let message: Vec<u8> = posted.merkle_price_update.message.into();
        assert_eq!((message, posted.treasury_id), (leaf.message.clone(), TREASURY));
        let mut data = length_of(4).to_vec();
        data.extend([9; 4]);
        data.extend(leaf.argument());
        let posted = PostUpdateAtomicParams::try_from_slice(&data).expect("it is the receiver's layout");
        assert_eq!((posted.vaa, posted.treasury_id), (vec![9; 4], TREASURY));
    }
}
