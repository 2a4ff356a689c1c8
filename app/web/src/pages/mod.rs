//! The pages: one file each.

mod announcements;
mod holder;
mod home;
mod incident;
mod pool;
mod product;
mod reinsurance;
mod status;

use crate::chain::{Frozen, Reading};
use crate::error::PageError;
use crate::history::{self, Past};
use crate::layout::{self, Place};
use crate::local;
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::Router;
use axum::routing::get;
use backstop_client::account::Decode;
use backstop_index::{Database, DatabaseError};
use maud::{Markup, html};

/// The paths of all pages.
pub fn routes() -> Router<Site> {
    Router::new()
        .route("/", get(home::page))
        .route("/product/{address}", get(product::page))
        .route("/pool/{address}", get(pool::page))
        .route("/reinsurance", get(reinsurance::page))
        .route("/incidents", get(incident::list))
        .route("/incident/{address}", get(incident::page))
        .route("/announcements", get(announcements::page))
        .route("/holder", get(holder::find))
        .route("/holder/{address}", get(holder::page))
        .route("/status", get(status::page))
}

/// What a page is made from.
pub struct Look {
    /// The chain as it was read last.
    pub chain: Frozen,
    /// When that was.
    pub reading: Reading,
    site: Site,
}

impl Look {
    /// The cluster's time as of the reading.
    pub fn now(&self) -> i64 {
        self.chain.time()
    }

    /// The site.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// What the index says.
    pub fn past<T>(&self, question: impl FnOnce(&Database) -> Result<T, DatabaseError>) -> Past<T> {
        history::ask(self.site.settings().database.as_deref(), question)
    }

    /// An account that the page is about.
    ///
    /// Errors: [`PageError::Missing`], without asking the node, if the program has no such account.
    pub fn require<T: Decode>(&self, address: &Pubkey) -> Result<(), PageError> {
        if self.chain.snapshot().has::<T>(address) { Ok(()) } else { Err(PageError::Missing { what: T::WHAT }) }
    }
}

/// Makes a page on what was read of the chain last, on a thread that may take long.
pub(crate) async fn show(
    site: Site,
    place: Place,
    make: impl FnOnce(&Look) -> Result<(String, Markup), PageError> + Send + 'static,
) -> Result<Markup, PageError> {
    let reading = site.reading()?;
    let look = Look { chain: Frozen::new(reading.snapshot.clone(), site.node().clone()), reading, site: site.clone() };
    site.work(move |_| {
        let (title, body) = make(&look)?;
        let body = html! { (local::banner(&look.site)) (body) };
        Ok(layout::page(&title, place, &look.reading, body))
    })
    .await
}

/// An address in a path.
///
/// Errors: [`PageError::Input`].
pub fn address(text: &str) -> Result<Pubkey, PageError> {
    text.parse().map_err(|_| PageError::Input("what stands in this page's address is no address of an account".into()))
}

/// Why there is no history, if there is none.
fn silence<T>(past: &Past<T>) -> Markup {
    html! { @if let Some(why) = past.silence() { p.note { (why) } } }
}

/// What stands in front of a table of which only the first rows are shown.
fn more(shown: usize, all: usize, command: &str) -> Markup {
    html! {
        @if all > shown {
            p.note { "The first " (shown) " of " (all) ": " code { (command) } " lists all." }
        }
    }
}
