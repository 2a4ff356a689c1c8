//! What goes wrong between a client and a cluster, told apart.

use solana_sdk::signature::Signature;
use solana_sdk::transaction::TransactionError;
use std::fmt;
use std::time::Duration;

/// Why a cluster did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable answer came: what was asked for is not known.
    #[error("{0}")]
    Unreachable(Silence),
    /// The node answered that it does not do this.
    #[error("{0}")]
    Refused(Refusal),
    /// A transaction cannot be built or signed as asked.
    #[error("{0}")]
    Unsignable(String),
    /// The transaction was executed and failed, or would.
    #[error("{error}")]
    Failed {
        /// What the runtime says.
        error: TransactionError,
        /// What the programs logged.
        logs: Vec<String>,
        /// The transaction, if it is on chain; `None` for a simulation.
        signature: Option<Signature>,
    },
    /// The transaction was not executed and never will be: that is proven.
    #[error("the transaction {signature} expired unexecuted")]
    Expired {
        /// The transaction.
        signature: Signature,
    },
    /// The transaction was sent, and nobody said how it ended: it may be executed already, or still be.
    #[error("nobody said how the transaction {signature} ended: {why}")]
    Unknown {
        /// The transaction.
        signature: Signature,
        /// Why it is not known.
        why: String,
    },
}

impl ClusterError {
    /// The transaction that was sent, if one was.
    pub fn signature(&self) -> Option<Signature> {
        match self {
            Self::Expired { signature } | Self::Unknown { signature, .. } => Some(*signature),
            Self::Failed { signature, .. } => *signature,
            Self::Unreachable(_) | Self::Refused(_) | Self::Unsignable(_) => None,
        }
    }
}

impl From<Silence> for ClusterError {
    fn from(silence: Silence) -> Self {
        Self::Unreachable(silence)
    }
}

impl From<Refusal> for ClusterError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A node from which no usable answer came. A new variant of the reason is a new case for whoever explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The node, as scheme and host: nothing of its URL that may be secret.
    pub host: String,
    /// What came instead of an answer.
    pub reason: Reason,
}

/// What came instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// HTTP 401 or 403: the key is missing, wrong, or not good for this.
    Key {
        /// The HTTP status.
        status: u16,
        /// What the node says about it. May be empty.
        says: String,
    },
    /// HTTP 404: the host is there, and nothing is at this path.
    NotFound,
    /// HTTP 429, or an error that means it: too many requests.
    TooMany {
        /// How long the node asks to wait.
        wait: Option<Duration>,
    },
    /// HTTP 5xx: the node is out of order.
    OutOfOrder {
        /// The HTTP status.
        status: u16,
    },
    /// Another HTTP status that is no success.
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The node has not caught up with its cluster, and says so.
    Behind {
        /// What it says.
        says: String,
    },
    /// An answer that is no JSON: a page for people, mostly.
    NotJson,
    /// JSON that is no answer to what was asked.
    Unreadable {
        /// What was asked for.
        method: String,
    },
    /// Nothing came for so long.
    Late {
        /// How long was waited.
        after: Duration,
    },
    /// Nobody listens there.
    NobodyListens,
    /// The name has no address.
    NoSuchHost,
    /// The secure connection fails.
    Insecure {
        /// Why.
        why: String,
    },
    /// The answer, or the connection, ended before its end.
    BrokenOff,
    /// The node sends elsewhere. That is not followed: the URL may hold a key, and the other host would get it.
    Elsewhere {
        /// Where to: scheme and host.
        to: String,
    },
    /// The connection fails in another way.
    Network {
        /// How.
        why: String,
    },
    /// Somebody asked to stop before the answer came.
    Stopped,
}

impl Reason {
    /// Whether the request surely did not get to whom it was for: what it asked for did not happen.
    pub fn is_undelivered(&self) -> bool {
        match self {
            Self::Key { .. }
            | Self::NotFound
            | Self::TooMany { .. }
            | Self::NobodyListens
            | Self::NoSuchHost
            | Self::Insecure { .. }
            | Self::Elsewhere { .. } => true,
            Self::OutOfOrder { .. }
            | Self::Status { .. }
            | Self::Behind { .. }
            | Self::NotJson
            | Self::Unreadable { .. }
            | Self::Late { .. }
            | Self::BrokenOff
            | Self::Network { .. }
            | Self::Stopped => false,
        }
    }

    /// Whether it may be better in a moment: worth asking again for what only reads.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::TooMany { .. } | Self::OutOfOrder { .. } | Self::Behind { .. } | Self::BrokenOff => true,
            Self::Network { .. } => true,
            Self::Key { .. }
            | Self::NotFound
            | Self::Status { .. }
            | Self::NotJson
            | Self::Unreadable { .. }
            | Self::Late { .. }
            | Self::NobodyListens
            | Self::NoSuchHost
            | Self::Insecure { .. }
            | Self::Elsewhere { .. }
            | Self::Stopped => false,
        }
    }
}

impl Silence {
    /// A node whose answer to a method is no answer.
    pub fn unreadable(host: impl Into<String>, method: impl Into<String>) -> Self {
        Self { host: host.into(), reason: Reason::Unreadable { method: method.into() } }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match &self.reason {
            Reason::Key { status, says } if says.is_empty() => write!(f, "{host} refuses the key (HTTP {status})"),
            Reason::Key { status, says } => write!(f, "{host} refuses the key (HTTP {status}: {says})"),
            Reason::NotFound => write!(f, "{host} has no node at this path (HTTP 404)"),
            Reason::TooMany { wait: None } => write!(f, "{host} gets too many requests (HTTP 429)"),
            Reason::TooMany { wait: Some(wait) } => {
                write!(f, "{host} gets too many requests (HTTP 429) and asks to wait {} s", wait.as_secs())
            }
            Reason::OutOfOrder { status } => write!(f, "{host} is out of order (HTTP {status})"),
            Reason::Status { status } => write!(f, "{host} does not take the request (HTTP {status})"),
            Reason::Behind { says } => write!(f, "{host} cannot answer now: {says}"),
            Reason::NotJson => write!(f, "{host} answers with a page for people: it is no node of a cluster"),
            Reason::Unreadable { method } => write!(f, "{host} answers {method} in a way that cannot be read"),
            Reason::Late { after } => write!(f, "{host} does not answer: nothing came for {} s", seconds(*after)),
            Reason::NobodyListens => write!(f, "{host} does not answer: nobody listens there"),
            Reason::NoSuchHost => write!(f, "{host} does not answer: this name has no address"),
            Reason::Insecure { why } => write!(f, "{host} does not answer: the secure connection fails: {why}"),
            Reason::BrokenOff => write!(f, "{host} broke its answer off"),
            Reason::Elsewhere { to } => {
                write!(f, "{host} sends on to {to}, which is not followed: it would get the URL's key")
            }
            Reason::Network { why } => write!(f, "{host} does not answer: {why}"),
            Reason::Stopped => write!(f, "{host} was not waited for: somebody asked to stop"),
        }
    }
}

/// Whole seconds, or with one decimal below ten.
fn seconds(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    if tenths.is_multiple_of(10) { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

/// A node's word that it does not do what it was asked, by the error of its JSON-RPC protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The node, as scheme and host.
    pub host: String,
    /// What was asked for.
    pub method: String,
    /// The error's code.
    pub code: i64,
    /// What the node says, on one line and without anything of the URL that may be secret.
    pub says: String,
}

impl Refusal {
    /// The parameters are wrong, or what they name is not there.
    pub const INVALID: i64 = -32602;
    /// The node knows no such method.
    pub const NO_METHOD: i64 = -32601;
    /// The node keeps no index of what is asked for.
    pub const NO_INDEX: i64 = -32010;
    /// The node keeps no history of transactions.
    pub const NO_HISTORY: i64 = -32011;

    /// Whether this node never does this, for any parameters.
    pub fn is_of_method(&self) -> bool {
        matches!(self.code, Self::NO_METHOD | Self::NO_INDEX | Self::NO_HISTORY)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, method, code, says } = self;
        if self.is_of_method() {
            write!(f, "{host} does not offer {method}: {says} ({code})")
        } else {
            write!(f, "{host} refuses {method}: {says} ({code})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_line_that_names_the_host() {
        let text = || "why".to_owned();
        let reasons = [
            Reason::Key { status: 403, says: text() },
            Reason::Key { status: 401, says: String::new() },
            Reason::NotFound,
            Reason::TooMany { wait: None },
            Reason::TooMany { wait: Some(Duration::from_secs(7)) },
            Reason::OutOfOrder { status: 503 },
            Reason::Status { status: 413 },
            Reason::Behind { says: text() },
            Reason::NotJson,
            Reason::Unreadable { method: "getSlot".into() },
            Reason::Late { after: Duration::from_millis(1_500) },
            Reason::NobodyListens,
            Reason::NoSuchHost,
            Reason::Insecure { why: text() },
            Reason::BrokenOff,
            Reason::Elsewhere { to: "https://other.example".into() },
            Reason::Network { why: text() },
            Reason::Stopped,
        ];
        let told: std::collections::BTreeSet<String> = reasons
            .iter()
            .map(|reason| Silence { host: "https://node.example".into(), reason: reason.clone() }.to_string())
            .collect();
        assert_eq!(told.len(), reasons.len(), "each has words of its own");
        for text in told {
            assert!(text.starts_with("https://node.example ") && text.lines().count() == 1, "{text}");
        }
        assert_eq!(seconds(Duration::from_millis(1_500)), "1.5");
        assert_eq!(seconds(Duration::from_secs(10)), "10");
    }
}
