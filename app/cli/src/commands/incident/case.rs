//! Everything about one product's trigger and incident, as it was read.

use crate::commands::args::{OpenProduct, ProductArg};
use crate::commands::context::hinted;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::state::{Cover, CoverState, Incident, ProductState, Trigger};
use backstop_client::{Cluster, account};

/// Where the product stands in a cover, after the discriminator.
const COVER_PRODUCT_OFFSET: usize = 0;

/// A product, its trigger and, if there is one, its incident.
pub struct Case {
    /// The product and its pool.
    pub product: OpenProduct,
    /// Its trigger.
    pub trigger: Box<Trigger>,
    /// Its incident.
    pub incident: Option<Incident>,
}

impl Case {
    /// Reads a case by the product, its trigger or its incident.
    pub fn read(cluster: &dyn Cluster, product: ProductArg) -> Result<Self> {
        let product = product.find(cluster)?;
        let trigger = Box::new(account::fetch(cluster, &product.keys.trigger())?);
        let incident = account::find(cluster, &product.keys.incident())?;
        Ok(Self { product, trigger, incident })
    }

    /// The incident, which must be there.
    pub fn incident(&self, now: i64) -> Result<&Incident> {
        self.incident.as_ref().ok_or_else(|| {
            let what = match self.product.state.state() {
                ProductState::Over => "the incident is closed of",
                _ => "there is no incident on",
            };
            let sentence = format!("{what} the product {}", self.product.keys.product);
            let hint = match super::next_step(self, None, now) {
                Some(step) => format!("next would be {}", step.text(now)),
                None => format!("`backstop trigger show {}` tells where it stands", self.product.keys.product),
            };
            hinted(sentence, hint)
        })
    }

    /// The product's covers, the open ones first, then by address.
    pub fn covers(&self, cluster: &dyn Cluster) -> Result<Vec<(Pubkey, Cover)>> {
        let of_product = Some((COVER_PRODUCT_OFFSET, self.product.keys.product));
        let mut covers = account::list::<Cover>(cluster, of_product)?;
        covers.sort_by_key(|(address, cover)| (cover.state != CoverState::Active, *address));
        Ok(covers)
    }
}
