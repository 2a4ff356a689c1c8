//! What becomes of a transaction: sent and sent again until it is known how it ended, or watched if a wallet sent it.

use super::ask::Once;
use super::plans::End;
use backstop_client::cluster::{Cluster, ClusterError, Outcome};
use backstop_client::explain::explain;
use backstop_client::transaction::{Patience, Prepared, confirm_within};
use solana_sdk::signature::Signature;
use solana_sdk::transaction::VersionedTransaction;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often outcomes are asked for.
const POLL: Duration = Duration::from_millis(500);

/// Sends a transaction until it is known how it ended, or nobody tells within the patience.
pub fn send(
    cluster: &dyn Cluster,
    transaction: VersionedTransaction,
    last_valid_block_height: u64,
    patience: &Patience,
) -> End {
    let Some(signature) = transaction.signatures.first().copied() else {
        return End::Failed { why: "nobody has signed it".into() };
    };
    let prepared = Prepared { transaction, last_valid_block_height, fee: 0, simulated: Default::default() };
    let outcome = confirm_within(cluster, std::slice::from_ref(&prepared), patience).pop();
    outcome.map_or_else(|| End::Unknown { why: "the cluster did not say".into() }, |outcome| ended(&outcome, signature))
}

/// Watches a transaction that a wallet has sent, and of which only the signature is known: the wallet may have put in
/// another blockhash, so it is never proven that it expired. `once` tells what must be there when it was executed.
pub fn watch(cluster: &dyn Cluster, signature: Signature, once: Once, patience: &Patience) -> End {
    let begun = Instant::now();
    let mut why = "it was not executed so far".to_owned();
    while begun.elapsed() < patience.most {
        match cluster.outcomes(&[signature]).map(|mut outcomes| outcomes.pop().flatten()) {
            Ok(Some(outcome)) => return told(cluster, &outcome, signature, once),
            Ok(None) => {}
            Err(silence) => why = silence.to_string(),
        }
        sleep(POLL);
    }
    End::Unknown { why }
}

/// How a transaction ended whose content is not known: it is what was built if it made what that makes or, of what makes
/// nothing, if it called our program.
fn told(cluster: &dyn Cluster, outcome: &Outcome, signature: Signature, once: Once) -> End {
    let end = ended(outcome, signature);
    if end != End::Confirmed || once.is_done(cluster).unwrap_or(false) {
        return end;
    }
    let ours = format!("Program {} success", backstop::ID);
    match cluster.logs(&signature) {
        Ok(Some(logs)) if logs.contains(&ours) => match once {
            Once::Numbered { .. } => {
                End::Unknown { why: "it was executed, and what it should have made is not there".to_owned() }
            }
            Once::Harmless | Once::Expiry { .. } => end,
        },
        Ok(Some(_)) => End::Another,
        Ok(None) | Err(_) => End::Unknown { why: "it was executed, and the node does not show what it did".to_owned() },
    }
}

fn ended(outcome: &Outcome, signature: Signature) -> End {
    match outcome {
        Ok(receipt) if receipt.signature == signature => End::Confirmed,
        Ok(receipt) => {
            let why = format!("the cluster spoke of {} when it was asked for {signature}", receipt.signature);
            End::Unknown { why }
        }
        Err(ClusterError::Expired { .. }) => End::Expired,
        Err(ClusterError::Unknown { why, .. }) => End::Unknown { why: why.clone() },
        Err(failure) => End::Failed { why: explain(failure).sentence },
    }
}
