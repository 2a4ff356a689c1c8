//! Attestors: keys, sets, and what they sign.

use crate::World;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::CreateAttestorSetArgs;
use backstop::peril::feed::attested::{CLUSTER_BYTES, REPORT_BYTES, Report, ReportKind};
use backstop_client::instruction as ix;
use backstop_sandbox::embedded::GENESIS_HASH;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// The sha-256 of what defines the feed that attestors of tests report.
pub const FEED: [u8; 32] = [77; 32];

/// A set on chain with all its keys.
pub struct Attestors {
    /// The set.
    pub set: Pubkey,
    /// Its keys, in its order.
    pub keys: Vec<Keypair>,
}

/// The key of an attestor.
pub fn attestor(number: u8) -> Keypair {
    Keypair::new_from_array([100 + number; 32])
}

/// The part of the genesis hash that reports name.
pub fn cluster() -> [u8; CLUSTER_BYTES] {
    GENESIS_HASH.to_bytes()[..CLUSTER_BYTES].try_into().expect("it is longer")
}

impl Attestors {
    /// So many keys, of which `threshold` must sign.
    pub fn create(world: &World, id: u16, count: u8, threshold: u8) -> Self {
        let keys: Vec<Keypair> = (0..count).map(attestor).collect();
        let args = CreateAttestorSetArgs { id, threshold, keys: keys.iter().map(Keypair::pubkey).collect() };
        let creator = world.governance.pubkey();
        let create = ix::create_attestor_set(creator, world.payer.pubkey(), args);
        world.run(&[&world.governance], &[create]);
        Self { set: backstop_client::address::attestors(&creator, id), keys }
    }

    /// What they say of a moment, in 1e-8.
    pub fn report(&self, value: i64, observed_at: i64) -> Report {
        Report {
            cluster: cluster(),
            set: self.set,
            feed: FEED,
            kind: ReportKind::Value,
            exponent: -8,
            value,
            confidence: 0,
            observed_at,
        }
    }

    /// The precompile's instruction with the signatures of some under a report.
    pub fn signed(&self, signers: &[usize], report: &Report) -> Instruction {
        sign(&signers.iter().map(|place| &self.keys[*place]).collect::<Vec<_>>(), &report.to_bytes())
    }
}

/// The precompile's instruction with signatures under a message.
pub fn sign(keys: &[&Keypair], message: &[u8; REPORT_BYTES]) -> Instruction {
    let signers: Vec<_> = keys.iter().map(|key| (key.pubkey(), key.sign_message(message).into())).collect();
    ix::signed_report(&signers, message)
}
