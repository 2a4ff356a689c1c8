//! What the oracle of a local cluster says of the feeds that something watches.

use super::{Layout, LocalnetError, prices};
use backstop::state::Trigger;
use backstop_client::account;
use backstop_client::cluster::rpc::RpcCluster;
use rust_decimal::Decimal;
use solana_commitment_config::CommitmentConfig;
use std::collections::BTreeSet;

/// Sets the price of a feed that some trigger on the cluster watches, and its confidence if one is given.
///
/// Errors: [`LocalnetError::Unwatched`] if no trigger watches it, which names those that are; otherwise as [`prices::set`]
/// and, if the cluster does not answer, [`LocalnetError::Cluster`].
pub fn set_price(
    layout: &Layout,
    feed: &str,
    price: Decimal,
    confidence: Option<Decimal>,
) -> Result<prices::Quote, LocalnetError> {
    let cluster = RpcCluster::new(&layout.rpc, CommitmentConfig::processed());
    let triggers = account::list::<Trigger>(&cluster, None)?;
    let watched: BTreeSet<[u8; 32]> = triggers.iter().map(|(_, trigger)| trigger.feed).collect();
    if watched.contains(&prices::feed_id(feed)) {
        return prices::set(&layout.prices, feed, price, confidence);
    }
    let names: Vec<String> = watched.iter().map(prices::feed_name).collect();
    let watched = match names.as_slice() {
        [] => "there are no products".into(),
        [one] => format!("it is {one} that products watch"),
        more => format!("products watch {}", more.join(", ")),
    };
    Err(LocalnetError::Unwatched { feed: feed.into(), watched })
}
