//! Transactions that wallets sign: what the page builds, shows and sends, and what it never sends.

pub mod forms;

use crate::site::Site;
use axum::Router;

/// The paths of what is signed.
pub fn routes() -> Router<Site> {
    Router::new()
}
