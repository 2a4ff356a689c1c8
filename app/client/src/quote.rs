//! What a cover would cost: the program's own [`Product::price`], run here on copies of its accounts.
//!
//! There is no second pricing function. A [`Market`] is the four accounts that decide about a sale; [`Market::quote`]
//! answers, or refuses, what the `quote` instruction and a purchase would at the same moment, bit for bit.

use crate::account::{self, AccountError};
use crate::address;
use crate::cluster::Cluster;
use crate::instruction::ProductKeys;
use anchor_lang::AnchorDeserialize;
use anchor_lang::error::Error;
use backstop::error::BackstopError;
use backstop::state::{CoverRequest, Pool, Product, Protocol, Quote, Trigger};

/// Bytes of a [`Quote`] as the program returns it.
const QUOTE_BYTES: usize = 60;

/// Everything that decides about a sale and its price, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// The protocol, for its pause.
    pub protocol: Protocol,
    /// The pool that would pay.
    pub pool: Box<Pool>,
    /// The product.
    pub product: Box<Product>,
    /// The product's trigger.
    pub trigger: Box<Trigger>,
}

impl Market {
    /// Reads the accounts of a product.
    ///
    /// Errors: an account is missing, is another, the product has no condition, or the cluster does not answer.
    pub fn fetch(cluster: &dyn Cluster, keys: &ProductKeys) -> Result<Self, AccountError> {
        let product = Box::new(account::fetch(cluster, &keys.product)?);
        Ok(Self {
            protocol: account::fetch(cluster, &address::protocol())?,
            pool: Box::new(account::fetch(cluster, &keys.pool.pool)?),
            trigger: Box::new(account::trigger_of(cluster, keys.product, &product)?),
            product,
        })
    }

    /// What a cover would cost at `now` (unix seconds), premium rounded up, or why it would not be sold.
    ///
    /// Changes nothing here: the sale happens on copies.
    pub fn quote(&self, request: CoverRequest, now: i64) -> Result<Quote, BackstopError> {
        self.clone().buy(request, now)
    }

    /// The largest sum that one cover of this term may insure at `now`, in asset units, by asking for the price of sums
    /// in between: what is refused as too large is so for every larger sum too. Capacity, solvency and the product's own
    /// limit are all in it.
    ///
    /// Errors: why even the smallest sum is not sold.
    pub fn largest_sum(&self, term_days: u16, now: i64) -> Result<u64, BackstopError> {
        let sells = |sum_insured| self.quote(CoverRequest { sum_insured, term_days }, now).map(|_| sum_insured);
        let mut sold = sells(self.pool.terms.min_sum_insured)?;
        let mut refused = self.product.terms.max_sum_insured.saturating_add(1);
        while refused.saturating_sub(sold) > 1 {
            let between = sold + (refused - sold) / 2;
            match sells(between) {
                Ok(sum) => sold = sum,
                Err(_) => refused = between,
            }
        }
        Ok(sold)
    }

    /// The books at `now`: premium earned, ended covers released, level drifted, as a purchase would find them.
    pub fn up_to_date(&self, now: i64) -> Self {
        let mut books = self.clone();
        let mut fresh = || -> anchor_lang::Result<()> {
            books.pool.accrue(now)?;
            books.product.drift_level(&books.pool, now)?;
            books.product.sync(&mut books.pool, &*books.trigger, now)?;
            Ok(())
        };
        if fresh().is_ok() { books } else { self.clone() }
    }

    /// Sells a cover to these accounts: what they would hold after a purchase at `now`. With it a client sees what a
    /// second cover would cost after a first.
    ///
    /// After a refusal the accounts may be half changed, as in a failed transaction: drop them.
    pub fn buy(&mut self, request: CoverRequest, now: i64) -> Result<Quote, BackstopError> {
        self.protocol.require_purchases_open(now).map_err(refusal)?;
        self.product.price(&mut self.pool, &*self.trigger, request, now).map(|sale| sale.quote).map_err(refusal)
    }
}

/// Decodes what the `quote` instruction returned. `None` if it is not a quote.
///
/// A node may cut zeros off the end of return data: they are put back.
pub fn decode(return_data: &[u8]) -> Option<Quote> {
    let mut bytes = [0; QUOTE_BYTES];
    bytes.get_mut(..return_data.len())?.copy_from_slice(return_data);
    if return_data.is_empty() { None } else { Quote::try_from_slice(&bytes).ok() }
}

/// The program's refusal in Anchor's clothes. Its rules refuse with nothing else: what is not known here would be a fault
/// of the books.
pub fn refusal(error: Error) -> BackstopError {
    let code = match error {
        Error::AnchorError(error) => Some(error.error_code_number),
        Error::ProgramError(_) => None,
    };
    code.and_then(BackstopError::from_code).unwrap_or(BackstopError::InvariantViolated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_lang::AnchorSerialize;

    fn sample() -> Quote {
        Quote {
            premium: 1,
            sum_insured: 2,
            active_day: 3,
            end_day: 4,
            exposure: 5,
            capacity: 6,
            level_bps: 7,
            technical_ppb: 8,
            rate_q32: 9,
        }
    }

    #[test]
    fn return_data_is_a_quote_also_without_its_last_zeros() {
        let bytes = borsh_bytes(&sample());
        assert_eq!(bytes.len(), QUOTE_BYTES);
        assert_eq!(decode(&bytes), Some(sample()));
        assert_eq!(decode(&bytes[..QUOTE_BYTES - 7]), Some(sample()));
    }

    #[test]
    fn what_is_no_quote_is_none() {
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[0; QUOTE_BYTES + 1]), None);
    }

    #[test]
    fn an_error_of_the_program_is_recognised() {
        assert_eq!(refusal(BackstopError::BeyondCapacity.into()), BackstopError::BeyondCapacity);
    }

    fn borsh_bytes(quote: &Quote) -> Vec<u8> {
        let mut bytes = Vec::new();
        quote.serialize(&mut bytes).expect("a vector grows");
        bytes
    }
}
