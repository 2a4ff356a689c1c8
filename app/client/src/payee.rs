//! Whoever is to be paid, and whether they can be.

use crate::cluster::{Cluster, ClusterError};
use crate::instruction::PoolKeys;
use crate::token::Standing;
use anchor_lang::prelude::Pubkey;
use serde::Serialize;
use solana_sdk::account::Account;

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
    /// What is at their address holds no tokens of the asset.
    Unusable,
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
        match Standing::of(account.as_ref(), owner, &keys.asset_mint, &keys.asset_token_program) {
            Standing::Missing => Destination::Missing,
            Standing::Ready(_) => Destination::Ready,
            Standing::Frozen(_) => Destination::Frozen,
            Standing::HandedOn(_) => Destination::HandedOn,
            Standing::Other => Destination::Unusable,
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
    fn a_supply_is_read_of_mints_alone() {
        let mut data = vec![0; 82];
        data[36] = 3;
        assert_eq!(supply(&account(anchor_spl::token_2022::ID, data.clone())), None, "not initialised");
        data[45] = 1;
        assert_eq!(supply(&account(anchor_spl::token_2022::ID, data.clone())), Some(3));
        assert_eq!(supply(&account(Pubkey::default(), data)), None);
    }
}
