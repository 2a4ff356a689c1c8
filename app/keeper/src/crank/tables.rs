//! One address lookup table per pool, for settlements.
//!
//! What is in it: what every settlement of a pool shares (pool, vault, asset, token program, the incidents). What is
//! not: the four accounts of a cover (cover, NFT, holder, payout account). An address in a table costs 32 bytes of a
//! transaction that extends the table, once, to save 31 bytes of the one transaction that settles the cover, beside
//! rent that is bound until the table is closed: it would cost as many transactions as it saves.
//!
//! A table is found again from chain state alone: it is made at a slot that is a multiple of [`STRIDE`], so its address
//! is one of few, and its first entry names the pool. It cannot be used in the slot in which it was extended; nobody
//! waits for that, the first transactions are just packed without it. Once a pool has nothing left to settle its
//! table is deactivated, and closed when the cluster allows it, about four minutes later: the rent comes back.

use crate::crank::Crank;
use crate::crank::execute::{Progress, StepEnd};
use crate::crank::limits::Purpose;
use crate::crank::price::Step;
use crate::crank::work::Work;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::explain::explain;
use solana_address_lookup_table_interface::instruction as table;
use solana_address_lookup_table_interface::program::ID as TABLE_PROGRAM;
use solana_address_lookup_table_interface::state::{AddressLookupTable, LOOKUP_TABLE_META_SIZE};
use solana_sdk::message::AddressLookupTableAccount;
use solana_sdk::sysvar::slot_hashes;
use std::collections::{BTreeMap, BTreeSet};

/// Tables are made at slots that are multiples of this. Of the 512 slots at which a table can be made, 16 are.
const STRIDE: u64 = 32;
/// How many of these slots are searched for tables: about an hour.
const SEARCHED: u64 = 300;
/// Addresses that one transaction adds.
const ADDED_AT_ONCE: usize = 20;
/// Slots after its deactivation at which a table can be closed: those that the cluster remembers, and some.
const COOLING: u64 = 520;

/// A table of this crank's payer.
#[derive(Clone, Debug)]
struct Table {
    key: Pubkey,
    addresses: Vec<Pubkey>,
    extended_slot: u64,
    deactivated_slot: Option<u64>,
}

/// The tables of a crank's payer, by pool.
#[derive(Debug, Default)]
pub(super) struct Tables {
    by_pool: BTreeMap<Pubkey, Table>,
    searched: bool,
}

impl Tables {
    /// The pool's table, if it can be used now. A node that does not tell its slot is worked with without a table.
    pub(super) fn usable(&mut self, cluster: &dyn Cluster, pool: &Pubkey) -> Vec<AddressLookupTableAccount> {
        let Some(table) = self.by_pool.get(pool).filter(|table| table.deactivated_slot.is_none()) else {
            return Vec::new();
        };
        let ready = cluster.slot().is_ok_and(|slot| slot > table.extended_slot);
        let account = AddressLookupTableAccount { key: table.key, addresses: table.addresses.clone() };
        if ready { vec![account] } else { Vec::new() }
    }

    /// Whether a pool's table is at this address.
    pub(super) fn is(&self, pool: &Pubkey, key: &Pubkey) -> bool {
        self.by_pool.get(pool).is_some_and(|table| table.key == *key)
    }

    /// Goes on without a pool's table.
    pub(super) fn forget(&mut self, pool: &Pubkey) {
        self.by_pool.remove(pool);
    }

    /// Finds the payer's tables, once.
    fn search(&mut self, cluster: &dyn Cluster, authority: &Pubkey) -> Result<(), ClusterError> {
        if self.searched {
            return Ok(());
        }
        let newest = cluster.slot()? / STRIDE;
        let slots = (newest.saturating_sub(SEARCHED)..=newest).map(|number| number * STRIDE);
        let keys: Vec<Pubkey> = slots.map(|slot| table::derive_lookup_table_address(authority, slot).0).collect();
        for (key, account) in keys.iter().zip(cluster.accounts(&keys)?) {
            let Some(account) = account.filter(|account| account.owner == TABLE_PROGRAM) else { continue };
            if let Some((pool, found)) = read(*key, &account.data, authority) {
                let known = self.by_pool.get(&pool);
                if known.is_none_or(|known| known.deactivated_slot.is_some()) {
                    self.by_pool.insert(pool, found);
                }
            }
        }
        self.searched = true;
        Ok(())
    }
}

/// Reads a table of an authority: the pool it is for, and what is in it.
fn read(key: Pubkey, data: &[u8], authority: &Pubkey) -> Option<(Pubkey, Table)> {
    let table = AddressLookupTable::deserialize(data).ok()?;
    let pool = *table.addresses.first()?;
    let deactivated = table.meta.deactivation_slot;
    (table.meta.authority == Some(*authority)).then(|| {
        let found = Table {
            key,
            addresses: table.addresses.to_vec(),
            extended_slot: table.meta.last_extended_slot,
            deactivated_slot: (deactivated != u64::MAX).then_some(deactivated),
        };
        (pool, found)
    })
}

/// A slot at which a table can be made now: the newest that the cluster remembers, has the right number, and is free.
fn free_slot(cluster: &dyn Cluster, authority: &Pubkey) -> Result<Option<u64>, ClusterError> {
    let Some(account) = cluster.account(&slot_hashes::ID)? else { return Ok(None) };
    // A count of eight bytes, then a slot of eight and a hash of 32 for each, newest first.
    let count = account.data.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)) as usize;
    let entries = account.data.get(8..).unwrap_or_default().chunks_exact(40).take(count);
    let slots = entries.filter_map(|entry| Some(u64::from_le_bytes(*entry.first_chunk()?)));
    let slots: Vec<u64> = slots.filter(|slot| slot % STRIDE == 0).collect();
    let keys: Vec<Pubkey> = slots.iter().map(|slot| table::derive_lookup_table_address(authority, *slot).0).collect();
    let taken = cluster.accounts(&keys)?;
    Ok(slots.into_iter().zip(taken).find_map(|(slot, taken)| taken.is_none().then_some(slot)))
}

impl Crank<'_> {
    /// Sees to it that a pool has a table with what these settlements share. Without one the transactions are packed
    /// without it: nothing here stops a settlement.
    pub(super) fn prepare_table(&mut self, pool: Pubkey, work: &[Work], progress: &mut Progress) {
        if let Err(why) = self.try_table(pool, work, progress) {
            tracing::warn!(pool = self.names.pool(&pool), why = explain(&why).sentence, "no lookup table");
        }
    }

    fn try_table(&mut self, pool: Pubkey, work: &[Work], progress: &mut Progress) -> Result<(), ClusterError> {
        let authority = self.payer.pubkey();
        self.tables.search(self.cluster, &authority)?;
        let wanted = shared(pool, work);
        let known = self.tables.by_pool.get(&pool).filter(|table| table.deactivated_slot.is_none()).cloned();
        let (key, missing, create) = match known {
            Some(table) => {
                let missing = wanted.into_iter().filter(|key| !table.addresses.contains(key)).collect();
                (table.key, missing, None)
            }
            None => {
                let Some(slot) = free_slot(self.cluster, &authority)? else { return Ok(()) };
                let (create, key) = table::create_lookup_table(authority, authority, slot);
                (key, wanted, Some(create))
            }
        };
        let mut first = create;
        for some in missing.chunks(ADDED_AT_ONCE) {
            let extend = table::extend_lookup_table(key, authority, Some(authority), some.to_vec());
            let creates = first.as_ref().map_or(0, |_| LOOKUP_TABLE_META_SIZE);
            let step = Step {
                instructions: first.take().into_iter().chain([extend]).collect(),
                signers: Vec::new(),
                creates: vec![creates + 32 * some.len()],
            };
            match self.send_step(&step, Purpose::Other, progress)? {
                StepEnd::Done => {}
                StepEnd::Refused(why) | StepEnd::Later(why) => {
                    tracing::warn!(pool = self.names.pool(&pool), why, "no lookup table");
                    return Ok(());
                }
            }
        }
        let Some(account) = self.cluster.account(&key)? else { return Ok(()) };
        if let Some((pool, table)) = read(key, &account.data, &authority) {
            self.tables.by_pool.insert(pool, table);
        }
        Ok(())
    }

    /// Deactivates tables of pools that have nothing to settle, and closes those that have cooled. What fails is tried
    /// again by the next pass.
    pub(super) fn tidy_tables(&mut self, busy: &BTreeSet<Pubkey>, progress: &mut Progress) {
        if let Err(why) = self.try_tidying(busy, progress) {
            tracing::warn!(why = explain(&why).sentence, "lookup tables are not tidied up");
        }
    }

    fn try_tidying(&mut self, busy: &BTreeSet<Pubkey>, progress: &mut Progress) -> Result<(), ClusterError> {
        let authority = self.payer.pubkey();
        self.tables.search(self.cluster, &authority)?;
        if self.tables.by_pool.is_empty() {
            return Ok(());
        }
        let slot = self.cluster.slot()?;
        let idle = self.tables.by_pool.iter().filter(|(pool, _)| !busy.contains(pool));
        let idle: Vec<(Pubkey, Table)> = idle.map(|(pool, table)| (*pool, table.clone())).collect();
        for (pool, table) in idle {
            match table.deactivated_slot {
                None => {
                    let end = self.end_step(table::deactivate_lookup_table(table.key, authority), progress)?;
                    if end == StepEnd::Done {
                        let table = Table { deactivated_slot: Some(slot), ..table };
                        self.tables.by_pool.insert(pool, table);
                    }
                }
                Some(since) if slot > since + COOLING => {
                    let end = self.end_step(table::close_lookup_table(table.key, authority, authority), progress)?;
                    // Closed now, or by another crank with the same payer.
                    if !matches!(end, StepEnd::Later(_)) {
                        self.tables.by_pool.remove(&pool);
                    }
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn end_step(&mut self, instruction: Instruction, progress: &mut Progress) -> Result<StepEnd, ClusterError> {
        let step = Step { instructions: vec![instruction], signers: Vec::new(), creates: Vec::new() };
        self.send_step(&step, Purpose::Other, progress)
    }
}

/// What settlements of a pool share, the pool first.
fn shared(pool: Pubkey, work: &[Work]) -> Vec<Pubkey> {
    let mut shared = vec![pool];
    for settle in work.iter().filter(|work| work.kind.settles()).filter_map(|work| work.instructions.last()) {
        // Vault, asset and incident; the asset's token program is the last account.
        let fixed = settle.accounts.get(1..4).unwrap_or_default().iter().chain(settle.accounts.last());
        for meta in fixed {
            if !shared.contains(&meta.pubkey) {
                shared.push(meta.pubkey);
            }
        }
    }
    shared
}
