//! The forms on pages: what a visitor can do there, if a wallet signs it.

use crate::chain::Frozen;
use anchor_lang::prelude::Pubkey;
use maud::{Markup, html};
use std::collections::HashMap;

/// On a product's page: to buy a cover. `query` is the page's own.
pub fn buy(_chain: &Frozen, _product: &Pubkey, _query: &HashMap<String, String>) -> Markup {
    html! {}
}

/// On a pool's page: to stake and to leave.
pub fn stake(_chain: &Frozen, _pool: &Pubkey, _query: &HashMap<String, String>) -> Markup {
    html! {}
}

/// On a holder's page, beside a cover: to be paid, to cancel, to close.
pub fn on_cover(_chain: &Frozen, _cover: &Pubkey) -> Markup {
    html! {}
}

/// On a holder's page, beside an exit ticket: to take the money, to stay.
pub fn on_ticket(_chain: &Frozen, _ticket: &Pubkey) -> Markup {
    html! {}
}

/// In the head of every page: the wallet's place. Empty without a script.
pub fn wallet() -> Markup {
    html! {}
}
