//! What can go wrong with a page: a status, a sentence, and what to do.

use crate::layout;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use backstop_client::account::AccountError;
use backstop_client::cluster::ClusterError;
use maud::html;

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Nothing of the chain was read yet.
    #[error("the chain was not read yet{}", why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    NotRead {
        /// What the node said, if it failed.
        why: Option<String>,
    },
    /// Nothing is at this path.
    #[error("there is no such page")]
    NoPage,
    /// Nothing of this kind is at an address.
    #[error("there is no {what} at this address")]
    Missing {
        /// What was looked for.
        what: &'static str,
    },
    /// What stands in a path or a query is not what it should be.
    #[error("{0}")]
    Input(String),
    /// An account cannot be read.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The cluster did not answer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// What a local cluster was asked for is not done.
    #[error("the local cluster did not do it: {0}")]
    Local(String),
    /// The work for the page ended early, by a mistake of ours.
    #[error("this page could not be made")]
    Broken,
}

impl PageError {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotRead { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoPage | Self::Missing { .. } => StatusCode::NOT_FOUND,
            Self::Input(_) => StatusCode::BAD_REQUEST,
            Self::Account(AccountError::Missing { .. } | AccountError::Other { .. }) => StatusCode::NOT_FOUND,
            Self::Account(AccountError::Cluster(_)) | Self::Cluster(_) | Self::Local(_) => StatusCode::BAD_GATEWAY,
            Self::Account(_) | Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotRead { .. } => "The page reads the chain again every few seconds: try again soon.",
            Self::NoPage => "The menu above leads to every page.",
            Self::Missing { .. } | Self::Account(AccountError::Missing { .. } | AccountError::Other { .. }) => {
                "It may be closed, which on this chain means gone; or it was made a moment ago and is not read yet."
            }
            Self::Input(_) => "Go back and correct it.",
            Self::Account(AccountError::Cluster(_)) | Self::Cluster(_) => {
                "This needs the node itself, which does not answer now: try again soon."
            }
            Self::Local(_) => "Look whether `backstop localnet` still runs, and try again.",
            Self::Account(_) => "The page may be older than the program on this cluster.",
            Self::Broken => "Whoever runs this page finds the reason in its log.",
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::warn!(%status, why = %self, "a page was not shown");
        }
        let body = html! {
            h1 { (status.canonical_reason().unwrap_or("Error")) }
            p.lead { (sentence(&self.to_string())) }
            p { (self.hint()) }
            p { a href="/" { "To the pools" } }
        };
        (status, layout::bare("Not shown", body)).into_response()
    }
}

/// A sentence: with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
