//! An incident's case, as commands need it.

use crate::commands::context::hinted;
use anyhow::Result;
use backstop::state::{Incident, ProductState};
use backstop_client::view::Case;
use backstop_client::view::incident::next_step;

/// The incident, which must be there.
pub fn require_incident(case: &Case, now: i64) -> Result<&Incident> {
    case.incident.as_ref().ok_or_else(|| {
        let what = match case.product.state.state() {
            ProductState::Over => "the incident is closed of",
            _ => "there is no incident on",
        };
        let sentence = format!("{what} the product {}", case.product.keys.product);
        let hint = match next_step(case, None, now) {
            Some(step) => format!("next would be {}", step.text(now)),
            None => format!("`backstop trigger show {}` tells where it stands", case.product.keys.product),
        };
        hinted(sentence, hint)
    })
}
