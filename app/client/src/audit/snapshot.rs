//! All accounts of the program as they were at one time.

use crate::account::Decode;
use crate::address;
use crate::cluster::{Cluster, ClusterError};
use anchor_lang::prelude::Pubkey;
use backstop::state::{
    AttestorSet, Cession, Cover, Crisis, ExitEpoch, ExitTicket, Incident, Lien, Live, Policy, Pool, Position, Product,
    Protocol, Rates, Tranche, Treaty, Trigger,
};
use solana_sdk::account::Account;
use std::collections::{BTreeMap, BTreeSet};

/// How often accounts are read again because some have changed meanwhile.
const MOST_READS: usize = 5;

/// Accounts of one type, by address.
pub type Decoded<T> = BTreeMap<Pubkey, T>;

/// Every account of the program, and the mints and token accounts that its books speak of.
///
/// A node answers one request from one state of the chain, but several requests from several. So the program's accounts
/// are read in one request, then the token accounts, then the program's again: if nothing has changed in between, all
/// of it was there at one time. Otherwise everything is read anew, and after five times [`Snapshot::changed`] names
/// what does not stand still.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Unix time of the cluster after the reading.
    pub now: i64,
    /// Slots before and after the reading.
    pub slots: (u64, u64),
    /// Accounts that changed while they were read, each time.
    pub changed: BTreeSet<Pubkey>,
    /// The program's accounts as they are stored.
    pub raw: BTreeMap<Pubkey, Account>,
    /// Vaults, share mints and NFT mints; without what does not exist.
    pub tokens: BTreeMap<Pubkey, Account>,
    /// Least lamports of an account, by its length.
    pub rent: BTreeMap<usize, u64>,
    /// Accounts of the program that are none of the following.
    pub unknown: BTreeSet<Pubkey>,
    /// Protocols: one, at its address, unless something is off.
    pub protocols: Decoded<Protocol>,
    /// Pools.
    pub pools: Decoded<Pool>,
    /// Products.
    pub products: Decoded<Product>,
    /// Rates of products.
    pub rates: Decoded<Rates>,
    /// Triggers.
    pub triggers: Decoded<Trigger>,
    /// What was shown of products' live feeds.
    pub lives: Decoded<Live>,
    /// Covers.
    pub covers: Decoded<Cover>,
    /// Positions.
    pub positions: Decoded<Position>,
    /// Liens on covers and positions.
    pub liens: Decoded<Lien>,
    /// Exit tickets.
    pub tickets: Decoded<ExitTicket>,
    /// Exit epochs.
    pub epochs: Decoded<ExitEpoch>,
    /// Incidents.
    pub incidents: Decoded<Incident>,
    /// Crises.
    pub crises: Decoded<Crisis>,
    /// Treaties.
    pub treaties: Decoded<Treaty>,
    /// Announced cessions of surplus.
    pub cessions: Decoded<Cession>,
    /// Sets of attestors, which are of no pool: anybody creates them.
    pub attestors: Decoded<AttestorSet>,
}

impl Snapshot {
    /// Reads all accounts. Errors: the cluster does not answer, or does not list a program's accounts.
    pub fn read(cluster: &dyn Cluster) -> Result<Self, ClusterError> {
        let first = cluster.slot()?;
        let mut raw = read_program(cluster)?;
        let mut snapshot = Self::default();
        for _ in 0..MOST_READS {
            snapshot = Self::decode(raw);
            snapshot.read_tokens(cluster)?;
            let again = read_program(cluster)?;
            snapshot.changed = difference(&snapshot.raw, &again);
            if snapshot.changed.is_empty() {
                break;
            }
            raw = again;
        }
        let lengths: BTreeSet<usize> = snapshot.raw.values().map(|account| account.data.len()).collect();
        for length in lengths {
            snapshot.rent.insert(length, cluster.rent(length)?);
        }
        snapshot.now = cluster.now()?;
        snapshot.slots = (first, cluster.slot()?);
        Ok(snapshot)
    }

    fn decode(raw: BTreeMap<Pubkey, Account>) -> Self {
        let mut snapshot = Self::default();
        for (key, account) in &raw {
            let data = &account.data;
            let known = keep(&mut snapshot.protocols, *key, data)
                || keep(&mut snapshot.pools, *key, data)
                || keep(&mut snapshot.products, *key, data)
                || keep(&mut snapshot.rates, *key, data)
                || keep(&mut snapshot.triggers, *key, data)
                || keep(&mut snapshot.lives, *key, data)
                || keep(&mut snapshot.covers, *key, data)
                || keep(&mut snapshot.positions, *key, data)
                || keep(&mut snapshot.liens, *key, data)
                || keep(&mut snapshot.tickets, *key, data)
                || keep(&mut snapshot.epochs, *key, data)
                || keep(&mut snapshot.incidents, *key, data)
                || keep(&mut snapshot.crises, *key, data)
                || keep(&mut snapshot.treaties, *key, data)
                || keep(&mut snapshot.cessions, *key, data)
                || keep(&mut snapshot.attestors, *key, data);
            if !known {
                snapshot.unknown.insert(*key);
            }
        }
        snapshot.raw = raw;
        snapshot
    }

    fn read_tokens(&mut self, cluster: &dyn Cluster) -> Result<(), ClusterError> {
        let of_pool = |(key, pool): (&Pubkey, &Pool)| [address::vault(key), pool.share_mints[0], pool.share_mints[1]];
        let of_pools = self.pools.iter().flat_map(of_pool);
        let wanted: Vec<Pubkey> = of_pools.chain(self.covers.values().map(|cover| cover.mint())).collect();
        let found = cluster.accounts(&wanted)?;
        self.tokens = wanted.into_iter().zip(found).filter_map(|(key, account)| Some((key, account?))).collect();
        Ok(())
    }

    /// Products of a pool, by their ids.
    pub fn products_of(&self, pool: &Pubkey) -> Vec<(&Pubkey, &Product)> {
        let mut products: Vec<_> = self.products.iter().filter(|(_, product)| product.pool == *pool).collect();
        products.sort_by_key(|(_, product)| product.id);
        products
    }

    /// Covers of a product.
    pub fn covers_of(&self, product: &Pubkey) -> impl Iterator<Item = (&Pubkey, &Cover)> {
        self.covers.iter().filter(move |(_, cover)| cover.product == *product)
    }

    /// Positions of a product.
    pub fn positions_of(&self, product: &Pubkey) -> impl Iterator<Item = (&Pubkey, &Position)> {
        self.positions.iter().filter(move |(_, position)| position.product == *product)
    }

    /// All that was sold of a product: its covers and its positions.
    pub fn policies_of(&self, product: &Pubkey) -> impl Iterator<Item = (&Pubkey, &Policy)> {
        let covers = self.covers_of(product).map(|(key, cover)| (key, &cover.policy));
        covers.chain(self.positions_of(product).map(|(key, position)| (key, &position.policy)))
    }

    /// The share mint of a pool's tranche, if it exists.
    pub fn share_mint(&self, pool: &Pool, tranche: Tranche) -> Option<&Account> {
        self.tokens.get(&pool.share_mints[tranche.index()])
    }
}

/// All accounts of the program, in one request.
fn read_program(cluster: &dyn Cluster) -> Result<BTreeMap<Pubkey, Account>, ClusterError> {
    Ok(cluster.program_accounts(&[], None)?.into_iter().collect())
}

fn keep<T: Decode>(kept: &mut Decoded<T>, key: Pubkey, data: &[u8]) -> bool {
    // Decoding by another type's tag fails at once.
    let decoded = data.starts_with(T::TAG).then(|| T::decode(data)).flatten();
    decoded.map(|decoded| kept.insert(key, decoded)).is_some()
}

/// Accounts that are in one of the two alone, or not the same in both.
fn difference(before: &BTreeMap<Pubkey, Account>, after: &BTreeMap<Pubkey, Account>) -> BTreeSet<Pubkey> {
    let gone_or_other = before.iter().filter(|(key, account)| after.get(key) != Some(account)).map(|(key, _)| *key);
    gone_or_other.chain(after.keys().filter(|key| !before.contains_key(key)).copied()).collect()
}
