//! Money for anybody, from the wallet that may mint both assets.

use super::{ADMIN, Layout, LocalnetError};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::solana_program::program_error::ProgramError;
use anchor_lang::solana_program::system_instruction;
use anchor_spl::token::{self, spl_token};
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::transaction::{Pipeline, PriorityFee};
use backstop_client::{address, instruction as ix};
use serde::Serialize;
use solana_commitment_config::CommitmentConfig;
use solana_sdk::signature::read_keypair_file;
use solana_sdk::signer::Signer;

/// What is handed out, in the smallest units of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Lamports.
    pub lamports: u64,
    /// Of the asset that the pools hold.
    pub asset: u64,
    /// Of the asset that is insured.
    pub covered: u64,
}

/// What an address holds after it was funded, in the smallest units of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Funded {
    /// The address.
    pub address: String,
    /// Lamports.
    pub lamports: u64,
    /// Of the asset that the pools hold.
    pub asset: u64,
    /// Of the asset that is insured.
    pub covered: u64,
}

/// Hands SOL and both assets to an address. Token accounts that are missing are created.
///
/// Errors: [`LocalnetError::File`] if the keypair of the local cluster's admin cannot be read, [`LocalnetError::Funding`] if
/// the cluster refuses, [`LocalnetError::Cluster`] if it does not answer.
pub fn fund(layout: &Layout, to: &Pubkey, grant: &Grant) -> Result<Funded, LocalnetError> {
    let cluster = RpcCluster::new(&layout.rpc, CommitmentConfig::confirmed());
    let wallet = layout.wallets.get(ADMIN).ok_or_else(|| LocalnetError::Funding("there is no wallet admin".into()))?;
    let admin = read_keypair_file(&wallet.keypair).map_err(|why| LocalnetError::file(&wallet.keypair, why))?;
    let mints = [(&layout.asset, grant.asset), (&layout.covered, grant.covered)];
    let mut accounts = Vec::new();
    let mut instructions = Vec::new();
    if grant.lamports > 0 {
        instructions.push(system_instruction::transfer(&admin.pubkey(), to, grant.lamports));
    }
    for (mint, amount) in mints {
        let key = mint.mint.parse().map_err(|_| LocalnetError::Funding(format!("{} is no mint", mint.mint)))?;
        accounts.push(address::associated_token(to, &key, &token::ID));
        if amount > 0 {
            instructions.extend(mint_to(&admin.pubkey(), to, &key, amount)?);
        }
    }
    if !instructions.is_empty() {
        let pipeline = Pipeline { priority_fee: PriorityFee::Fixed(0), ..Pipeline::new(&cluster, &admin) };
        pipeline.send(&instructions).map_err(|why| match why {
            ClusterError::Failed { error, .. } => LocalnetError::Funding(error.to_string()),
            other => other.into(),
        })?;
    }
    let units = |account: &Pubkey| -> Result<u64, LocalnetError> {
        let held = cluster.account(account)?.and_then(|account| account.data.get(64..72)?.try_into().ok());
        Ok(held.map_or(0, u64::from_le_bytes))
    };
    Ok(Funded {
        address: to.to_string(),
        lamports: cluster.account(to)?.map_or(0, |account| account.lamports),
        asset: units(&accounts[0])?,
        covered: units(&accounts[1])?,
    })
}

/// Mints an amount to an owner's associated token account, which is created if it is missing.
pub(super) fn mint_to(
    authority: &Pubkey,
    owner: &Pubkey,
    mint: &Pubkey,
    amount: u64,
) -> Result<[Instruction; 2], LocalnetError> {
    let account = address::associated_token(owner, mint, &token::ID);
    Ok([
        ix::create_associated_token(authority, owner, mint, &token::ID),
        built(spl_token::instruction::mint_to(&token::ID, mint, &account, authority, &[], amount))?,
    ])
}

pub(super) fn built(instruction: Result<Instruction, ProgramError>) -> Result<Instruction, LocalnetError> {
    instruction.map_err(|why| LocalnetError::Founding { step: "an instruction is built", why: why.to_string() })
}
