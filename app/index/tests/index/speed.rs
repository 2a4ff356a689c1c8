//! How fast events become rows.

use crate::support::{all, market};
use backstop_client::cluster::ClusterError;
use backstop_client::history::{Executed, History, Listed};
use backstop_index::{Database, Options, follow};
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use std::collections::HashMap;
use std::time::Instant;

/// Transactions that were decoded already.
struct Decoded {
    listed: Vec<Listed>,
    executed: HashMap<Signature, Executed>,
}

impl History for Decoded {
    fn genesis(&self) -> Result<Hash, ClusterError> {
        Ok(Hash::default())
    }

    fn signatures(
        &self,
        before: Option<&Signature>,
        _until: Option<&Signature>,
        most: usize,
    ) -> Result<Vec<Listed>, ClusterError> {
        let begin = before.map_or(0, |before| {
            self.listed
                .iter()
                .position(|listed| listed.signature == *before)
                .map_or(self.listed.len(), |place| place + 1)
        });
        Ok(self.listed[begin..].iter().take(most).copied().collect())
    }

    fn transaction(&self, signature: &Signature) -> Result<Option<Executed>, ClusterError> {
        Ok(self.executed.get(signature).cloned())
    }
}

/// On a machine that others use too; alone it is several times as much: see the guide for what was measured.
const LEAST_A_SECOND: f64 = 500.0;

#[test]
fn events_become_committed_rows_fast_enough() {
    let market = market(1_500);
    let mut all = all(&market.world.cluster);
    // As on a cluster: a few transactions in a slot.
    for (place, executed) in all.iter_mut().enumerate() {
        executed.slot = place as u64 / 3;
    }
    let listed = |executed: &Executed| Listed { signature: executed.signature, slot: executed.slot, is_failed: false };
    let node = Decoded {
        listed: all.iter().rev().map(listed).collect(),
        executed: all.into_iter().map(|executed| (executed.signature, executed)).collect(),
    };
    let directory = tempfile::tempdir().expect("there is room");
    let mut database = Database::open(directory.path().join("index.sqlite")).expect("it can be made");
    let begun = Instant::now();
    let progress = follow(&mut database, &node, &Options::default()).expect("it answers");
    let seconds = begun.elapsed().as_secs_f64();
    let rate = progress.events as f64 / seconds;
    println!(
        "{} events of {} transactions in {seconds:.2} s: {rate:.0} a second",
        progress.events, progress.transactions
    );
    assert!(progress.events > 1_000 && database.gaps().expect("it can be read").is_empty());
    assert!(rate > LEAST_A_SECOND, "{rate:.0} events a second");
    let begun = Instant::now();
    let events = backstop_index::rebuild(&mut database).expect("it can be written");
    println!("made anew at {:.0} a second", events as f64 / begun.elapsed().as_secs_f64());
}
