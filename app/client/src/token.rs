//! Token accounts, as far as the protocol cares: whose they are, what is in them, and whether they can be paid into.
//!
//! That an account exists says nothing: anybody can send lamports to an address before a token account is made there.
//! Whether it is one is judged here, by its owner and its bytes.

use crate::cluster::{Cluster, ClusterError};
use crate::instruction::PoolKeys;
use anchor_lang::prelude::Pubkey;
use serde::Serialize;
use solana_sdk::account::Account;

/// A token account of SPL Token or Token-2022.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenAccount {
    /// What it holds.
    pub mint: Pubkey,
    /// Who may spend it.
    pub owner: Pubkey,
    /// How much is in it, in units.
    pub amount: u64,
    /// Whether the mint's authority has frozen it.
    pub frozen: bool,
}

impl TokenAccount {
    /// Reads an account. `None`: it is no token account, or nobody has initialised it.
    pub fn read(account: &Account) -> Option<Self> {
        let key = |at: usize| Some(Pubkey::new_from_array(*account.data.get(at..)?.first_chunk()?));
        let is_token = account.owner == anchor_spl::token_2022::ID || account.owner == anchor_spl::token::ID;
        is_token.then_some(())?;
        let state = *account.data.get(108)?;
        (state != 0).then_some(Self {
            mint: key(0)?,
            owner: key(32)?,
            amount: u64::from_le_bytes(*account.data.get(64..)?.first_chunk()?),
            frozen: state == 2,
        })
    }
}

/// How many units of a mint there are. `None`: the account is no mint.
pub fn supply(account: &Account) -> Option<u64> {
    let is_token = account.owner == anchor_spl::token_2022::ID || account.owner == anchor_spl::token::ID;
    // A mint: its supply is the eight bytes at 36, and it is initialised if the byte at 45 is 1.
    let is_mint = is_token && account.data.get(45) == Some(&1);
    is_mint.then_some(u64::from_le_bytes(*account.data.get(36..)?.first_chunk()?))
}

/// Whether an owner can be paid by somebody else now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// They can.
    Ready,
    /// They have no account of the asset. Anybody can create one for them.
    Missing,
    /// Their account is frozen by the asset's issuer.
    Frozen,
    /// The account at their address belongs to somebody else.
    HandedOn,
    /// The owner is a program's account, which must sign itself.
    ProgramOwner,
}

/// Whether owners can be paid in a pool's asset by somebody else, in their order.
pub fn destinations(
    cluster: &dyn Cluster,
    keys: &PoolKeys,
    owners: &[Pubkey],
) -> Result<Vec<Destination>, ClusterError> {
    let accounts: Vec<Pubkey> = owners.iter().map(|owner| keys.assets_of(owner)).collect();
    let read = cluster.accounts(&accounts)?;
    let judge = |(owner, account): (&Pubkey, Option<Account>)| {
        if !owner.is_on_curve() {
            return Destination::ProgramOwner;
        }
        match account.as_ref().and_then(TokenAccount::read) {
            None => Destination::Missing,
            Some(account) if account.owner != *owner => Destination::HandedOn,
            Some(account) if account.frozen => Destination::Frozen,
            Some(_) => Destination::Ready,
        }
    };
    Ok(owners.iter().zip(read).map(judge).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(owner: Pubkey, data: Vec<u8>) -> Account {
        Account { lamports: 1, data, owner, executable: false, rent_epoch: 0 }
    }

    #[test]
    fn an_account_is_a_token_account_by_its_program_and_its_state_and_not_because_it_is_there() {
        let mut data = vec![0; 165];
        data[..32].fill(7);
        data[32..64].fill(8);
        data[64] = 9;
        let read = |owner, data: &[u8]| TokenAccount::read(&account(owner, data.to_vec()));
        assert_eq!(read(anchor_spl::token::ID, &data), None, "nobody has initialised it");
        data[108] = 1;
        let expected = TokenAccount {
            mint: Pubkey::new_from_array([7; 32]),
            owner: Pubkey::new_from_array([8; 32]),
            amount: 9,
            frozen: false,
        };
        for program in [anchor_spl::token::ID, anchor_spl::token_2022::ID] {
            assert_eq!(read(program, &data), Some(expected));
        }
        assert_eq!(read(Pubkey::default(), &data), None, "lamports that somebody sent make no token account");
        assert_eq!(read(anchor_spl::token::ID, &data[..82]), None, "a mint is none");
        data[108] = 2;
        assert_eq!(read(anchor_spl::token::ID, &data), Some(TokenAccount { frozen: true, ..expected }));
    }

    #[test]
    fn a_supply_is_read_of_mints_alone() {
        let mut data = vec![0; 82];
        data[36] = 3;
        assert_eq!(supply(&account(anchor_spl::token_2022::ID, data.clone())), None, "not initialised");
        data[45] = 1;
        assert_eq!(supply(&account(anchor_spl::token_2022::ID, data.clone())), Some(3));
        assert_eq!(supply(&account(Pubkey::default(), data)), None);
    }
}
