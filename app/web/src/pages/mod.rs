//! The pages: one file each.

mod home;

use crate::error::PageError;
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::Router;
use axum::routing::get;

/// The paths of all pages.
pub fn routes() -> Router<Site> {
    Router::new().route("/", get(home::page))
}

/// An address in a path.
///
/// Errors: [`PageError::Input`].
pub fn address(text: &str) -> Result<Pubkey, PageError> {
    text.parse().map_err(|_| PageError::Input("what stands in this page's address is no address of an account".into()))
}
