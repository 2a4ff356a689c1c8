//! What things are called, so that a log line says what for and why.

use crate::crank::chain::Chain;
use crate::crank::plan::price_text;
use crate::crank::work::{Kind, Work};
use anchor_lang::prelude::Pubkey;
use backstop::state::get_text;
use backstop_client::text::exact_amount;
use solana_sdk::signature::Signature;
use std::collections::{BTreeMap, HashMap};

/// Names of pools and products, as they were last read.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Label of the pool, and decimals of its asset.
    pools: HashMap<Pubkey, (String, u8)>,
    products: HashMap<Pubkey, String>,
}

impl Names {
    /// Learns what was read.
    pub(super) fn learn(&mut self, chain: &Chain) {
        let pools = chain.pools.iter().map(|(key, view)| {
            let books = &view.books;
            (*key, (get_text(&books.label).to_owned(), books.asset_decimals))
        });
        self.pools.extend(pools);
        let products = chain.products.iter().map(|(key, view)| (*key, view.product.name().to_owned()));
        self.products.extend(products);
    }

    /// A pool's label.
    pub(super) fn pool(&self, pool: &Pubkey) -> &str {
        self.pools.get(pool).map_or("", |(label, _)| label)
    }

    /// The name of the product that work is about; empty if it is about none.
    pub(super) fn product(&self, work: &Work) -> &str {
        work.product.and_then(|product| self.products.get(&product)).map_or("", String::as_str)
    }

    /// Units of a pool's asset as an amount, all its decimals.
    pub(super) fn amount(&self, pool: &Pubkey, units: u64) -> String {
        let decimals = self.pools.get(pool).map_or(0, |(_, decimals)| *decimals);
        // For machines too: without commas.
        exact_amount(units, decimals).replace(',', "")
    }

    /// Tells what a transaction did: a line for each price shown; one for all else of a kind, a pool and a product.
    pub(super) fn tell(&self, batch: &[Work], signature: &Signature) {
        let mut groups: BTreeMap<(Kind, Pubkey, Option<Pubkey>), Vec<&Work>> = BTreeMap::new();
        for work in batch {
            if let Some(print) = &work.print {
                tracing::info!(
                    kind = work.kind.name(),
                    pool = self.pool(&work.pool),
                    product = self.product(work),
                    price = price_text(print.observation.price),
                    published = print.observation.publish_time,
                    account = %print.account,
                    why = work.reason(),
                    %signature,
                    "price shown"
                );
            } else {
                groups.entry((work.kind, work.pool, work.product)).or_default().push(work);
            }
            tracing::debug!(kind = work.kind.name(), subject = %work.subject, pool = %work.pool, "item done");
        }
        for ((kind, pool, _), works) in groups {
            let [first, ..] = &works[..] else { continue };
            let amount: u64 = works.iter().filter_map(|work| work.amount).fold(0, u64::saturating_add);
            tracing::info!(
                kind = kind.name(),
                pool = self.pool(&pool),
                product = self.product(first),
                items = works.len(),
                amount = (amount > 0).then(|| self.amount(&pool, amount)),
                why = first.reason(),
                %signature,
                "done"
            );
        }
    }
}
