//! The first page: pools, what is insured, and how it all stands.

use crate::error::PageError;
use crate::layout::{self, Place};
use crate::site::Site;
use axum::extract::State;
use maud::{Markup, html};

/// The first page.
pub async fn page(State(site): State<Site>) -> Result<Markup, PageError> {
    let reading = site.reading()?;
    let accounts = reading.snapshot.len();
    let body = html! {
        h1 { "Cover against losses of stablecoins" }
        p { (accounts) " accounts." }
    };
    Ok(layout::page("Pools", Place::Home, &reading, body))
}
