//! Whether what the events say is what the accounts say.

use crate::database::Database;
use crate::error::Result;
use crate::follow::{self, Options, begin, commit};
use crate::project;
use crate::read::Gap;
use crate::store;
use anchor_lang::prelude::Pubkey;
use backstop::state::get_text;
use backstop_client::audit::{self, Finding, Snapshot};
use backstop_client::books::Books;
use backstop_client::cluster::Cluster;
use backstop_client::history::History;
use backstop_client::numbering::Numbering;
use serde::Serialize;

/// How often the history and the accounts are read until they are of one time.
const TRIES: usize = 5;

/// A figure of a pool's books on which events and account do not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name.
    pub figure: &'static str,
    /// What the events say.
    pub events: String,
    /// What the account says.
    pub account: String,
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolVerdict {
    /// Its address.
    pub pool: String,
    /// Its label and id: `USDC 0`.
    pub name: String,
    /// Number of its last event.
    pub events: u64,
    /// Whether history and account were of one time. If not, nothing was compared.
    pub is_compared: bool,
    /// Figures that do not agree.
    pub differences: Vec<Difference>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Whether every pool was compared, and nothing is off or missing.
    pub is_ok: bool,
    /// Slots before and after the accounts were read.
    pub slots: (u64, u64),
    /// The pools.
    pub pools: Vec<PoolVerdict>,
    /// Events that are missing.
    pub gaps: Vec<Gap>,
    /// What the audit of the accounts found off.
    pub findings: Vec<Finding>,
}

/// Reads what is new, reads the accounts, and compares both. A pool whose account counts more events than the node has
/// transactions for has a gap, which is kept.
///
/// Errors: the cluster does not answer, or those of [`follow::follow`].
pub fn verify(
    database: &mut Database,
    node: &dyn History,
    cluster: &dyn Cluster,
    options: &Options,
) -> Result<Verified> {
    let mut tried = 0;
    let (snapshot, mut known) = loop {
        follow::follow(database, node, options)?;
        let snapshot = Snapshot::read(cluster)?;
        let known = last_known(database)?;
        let is_same = |(key, pool): (&Pubkey, &backstop::state::Pool)| known(key) == pool.events;
        tried += 1;
        if tried == TRIES || (snapshot.changed.is_empty() && snapshot.pools.iter().all(is_same)) {
            break (snapshot, last_known(database)?);
        }
    };
    if snapshot.pools.iter().any(|(key, pool)| known(key) < pool.events) {
        let transaction = begin(database)?;
        for (key, pool) in &snapshot.pools {
            store::note_gaps_up_to(&transaction, key, pool.events)?;
        }
        if store::settle_lost(&transaction)? > 0 {
            store::rebuild(&transaction)?;
        }
        commit(transaction)?;
        known = last_known(database)?;
    }
    let numbering = store::numbering(database.connection())?;
    compare(database, &snapshot, &numbering, &known)
}

/// The number of the last event of each pool that is there, or known to be missing.
fn last_known(database: &Database) -> Result<impl Fn(&Pubkey) -> u64 + use<>> {
    let sql = "SELECT pool, max(last) FROM (SELECT pool, max(sequence) AS last FROM numbers GROUP BY pool UNION ALL \
        SELECT pool, max(last) FROM gaps GROUP BY pool) GROUP BY pool";
    let mut statement = database.connection().prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, i64>(1)?)))?;
    let known: std::collections::HashMap<[u8; 32], i64> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(move |pool: &Pubkey| known.get(pool.as_array()).copied().unwrap_or_default().cast_unsigned())
}

fn compare(
    database: &Database,
    snapshot: &Snapshot,
    numbering: &Numbering,
    known: &dyn Fn(&Pubkey) -> u64,
) -> Result<Verified> {
    let books = project::books(database.connection())?;
    let pools: Vec<PoolVerdict> = snapshot
        .pools
        .iter()
        .map(|(key, pool)| {
            let is_compared = known(key) == pool.events && !snapshot.changed.contains(key);
            let told = books.get(key).cloned().unwrap_or_default().figures();
            let differences = told.into_iter().zip(Books::of(pool).figures());
            let differences = differences.filter(|((_, events), (_, account))| is_compared && events != account);
            PoolVerdict {
                pool: key.to_string(),
                name: format!("{} {}", get_text(&pool.label), pool.id),
                events: pool.events,
                is_compared,
                differences: differences
                    .map(|((figure, events), (_, account))| Difference {
                        figure,
                        // Events that are missing can leave a figure below zero.
                        events: events.cast_signed().to_string(),
                        account: account.to_string(),
                    })
                    .collect(),
            }
        })
        .collect();
    let audit = audit::audit_with_events(snapshot, None, numbering);
    let gaps = database.gaps()?;
    let findings: Vec<Finding> = audit.findings().cloned().collect();
    let holds = |pool: &PoolVerdict| pool.is_compared && pool.differences.is_empty();
    let is_ok = pools.iter().all(holds) && gaps.is_empty() && findings.is_empty();
    Ok(Verified { is_ok, slots: snapshot.slots, pools, gaps, findings })
}
