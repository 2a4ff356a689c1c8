//! Links to a page that shows a transaction or an account.

use backstop_client::redact;

/// Where a transaction can be looked at, if the cluster is known to the explorer.
pub fn transaction(url: &str, signature: &str) -> Option<String> {
    link(url, "tx", signature)
}

/// Where an account can be looked at, if the cluster is known to the explorer.
pub fn account(url: &str, address: &str) -> Option<String> {
    link(url, "address", address)
}

/// A cluster is known by its host's name: what a private node is asked for by is not put into a link.
fn link(url: &str, kind: &str, what: &str) -> Option<String> {
    let host = redact::url(url);
    let name = host.split_once("://").map_or(host.as_str(), |(_, name)| name);
    let local = ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| name.split(':').next() == Some(*local));
    let cluster = match name {
        _ if local => format!("?cluster=custom&customUrl={}", host.replace(':', "%3A").replace('/', "%2F")),
        _ if name.contains("mainnet") => String::new(),
        _ if name.contains("devnet") => "?cluster=devnet".into(),
        _ if name.contains("testnet") => "?cluster=testnet".into(),
        _ => return None,
    };
    Some(format!("https://explorer.solana.com/{kind}/{what}{cluster}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_name_the_cluster_and_no_key() {
        for (url, expected) in [
            ("https://api.mainnet-beta.solana.com", Some("https://explorer.solana.com/tx/S")),
            ("https://api.devnet.solana.com", Some("https://explorer.solana.com/tx/S?cluster=devnet")),
            ("https://u:p@x.testnet.example/k3y?a=b", Some("https://explorer.solana.com/tx/S?cluster=testnet")),
            (
                "http://127.0.0.1:8899/k3y",
                Some("https://explorer.solana.com/tx/S?cluster=custom&customUrl=http%3A%2F%2F127.0.0.1%3A8899"),
            ),
            ("https://rpc.example/devnet", None),
        ] {
            assert_eq!(transaction(url, "S").as_deref(), expected, "{url}");
        }
    }
}
