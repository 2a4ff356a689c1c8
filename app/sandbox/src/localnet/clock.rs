//! The clock of a local cluster, which can be moved on.

use super::LocalnetError;
use backstop_client::Cluster;
use backstop_client::cluster::rpc::RpcCluster;
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;

/// Moves the clock that programs read on by whole seconds. Returns the new time, in unix seconds.
///
/// Errors: [`LocalnetError::Cluster`] if nobody answers there, [`LocalnetError::NotLocal`] if it is a cluster whose clock
/// cannot be moved.
pub fn advance(url: &str, seconds: u64) -> Result<i64, LocalnetError> {
    let cluster = RpcCluster::new(url, CommitmentConfig::processed());
    let now = u64::try_from(cluster.now()?).unwrap_or(0);
    if seconds == 0 {
        return Ok(cluster.now()?);
    }
    let target = now.saturating_add(seconds).saturating_mul(1_000);
    let travelled = cluster.ask::<Value>("surfnet_timeTravel", json!([{ "absoluteTimestamp": target }]));
    travelled.map_err(|why| LocalnetError::NotLocal { url: cluster.host().into(), why: why.to_string() })?;
    Ok(cluster.now()?)
}
