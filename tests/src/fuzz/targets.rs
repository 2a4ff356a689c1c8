//! What actions find to act on.

use super::action::pick;
use super::driver::Driver;
use super::model::{Incident, Lien, N, Product, Treaty};
use super::op::{Op, Who};
use backstop::state::{ProductState, Tranche};

impl Driver<'_> {
    pub(super) fn later(&self, seconds: i64) -> Op {
        Op::Time { to: self.model.now + seconds }
    }

    pub(super) fn product(&self, r: u64) -> Option<usize> {
        let live = |product: &Product| product.has_condition && product.state != ProductState::Over;
        // Now and then one that has no condition, or is over.
        let any = self.product_where(r, |_| true).filter(|_| r % 16 == 15);
        any.or_else(|| self.product_where(r, live)).or_else(|| self.product_where(r, |_| true))
    }

    pub(super) fn product_where(&self, r: u64, test: impl Fn(&Product) -> bool) -> Option<usize> {
        let products = self.model.products.iter().enumerate();
        let found: Vec<usize> = products.filter(|(_, product)| test(product)).map(|(index, _)| index).collect();
        pick(&found, r)
    }

    /// A product whose incident is open and passes a test.
    pub(super) fn incident(&self, r: u64, test: impl Fn(&Incident) -> bool) -> Option<usize> {
        self.product_where(r, |product| product.incident.as_ref().is_some_and(|it| it.open && test(it)))
    }

    /// An incident for which there is something.
    pub(super) fn fundable(&self, r: u64) -> Option<usize> {
        let funds = |product: &usize| self.model.clone().apply(&Op::Fund { product: *product }).is_ok();
        let open = |product: &usize| self.model.products[*product].incident.as_ref().is_some_and(|it| it.open);
        let found: Vec<usize> = (0..self.model.products.len()).filter(open).filter(funds).collect();
        pick(&found, r)
    }

    pub(super) fn treaty(&self, r: u64, test: impl Fn(&Treaty) -> bool) -> Option<usize> {
        let treaties = self.model.treaties.iter().enumerate();
        let found: Vec<usize> =
            treaties.filter(|(_, treaty)| treaty.open && test(treaty)).map(|(index, _)| index).collect();
        pick(&found, r)
    }

    /// An open incident and a treaty that owes it something, in no order.
    pub fn next_treaty(&self, r: u64) -> Option<(usize, usize)> {
        let product = self.incident(r, |incident| incident.noted.iter().any(|noted| noted.pending))?;
        let incident = self.model.products[product].incident.as_ref()?;
        let pending: Vec<usize> = incident.noted.iter().filter(|it| it.pending).map(|noted| noted.treaty).collect();
        Some((pick(&pending, r >> 8)?, product))
    }

    pub(super) fn ticket(&self, r: u64) -> Option<usize> {
        let open: Vec<usize> = (0..self.model.tickets.len()).filter(|one| self.model.tickets[*one].open).collect();
        pick(&open, r)
    }

    pub(super) fn held_cover(&self, r: u64) -> Option<(usize, Who)> {
        let covers = self.model.covers.iter().enumerate();
        let held: Vec<(usize, Who)> = covers.filter_map(|(index, cover)| Some((index, cover.holder?))).collect();
        pick(&held, r)
    }

    /// Gives a cover or a position back.
    pub(super) fn give_back(&self, cover: usize, by: Who) -> Op {
        match self.model.covers[cover].pays {
            Some(_) => Op::CancelPosition { cover, by },
            None => Op::CancelCover { cover, by },
        }
    }

    /// Closes a cover or a position.
    pub(super) fn close(&self, cover: usize, by: Option<Who>) -> Op {
        match (self.model.covers[cover].pays, by) {
            (Some(_), Some(by)) => Op::ClosePosition { cover, by },
            _ => Op::CloseCover { cover, holder: by },
        }
    }

    /// A cover with its holder, but no position.
    pub(super) fn held_nft(&self, r: u64) -> Option<(usize, Who)> {
        self.held(r, false)
    }

    /// A position with its owner.
    pub(super) fn held_position(&self, r: u64) -> Option<(usize, Who)> {
        self.held(r, true)
    }

    fn held(&self, r: u64, position: bool) -> Option<(usize, Who)> {
        let covers = self.model.covers.iter().enumerate().filter(|(_, cover)| cover.pays.is_some() == position);
        let held: Vec<(usize, Who)> = covers.filter_map(|(index, cover)| Some((index, cover.holder?))).collect();
        pick(&held, r)
    }

    /// A cover whose lien's account is there, with the lien.
    pub(super) fn lien(&self, r: u64) -> Option<(usize, Lien)> {
        let covers = self.model.covers.iter().enumerate();
        let liens: Vec<(usize, Lien)> = covers.filter_map(|(index, cover)| Some((index, cover.lien?))).collect();
        pick(&liens, r)
    }

    /// A lien whose payee its incident would pay.
    pub(super) fn due_lien(&self, r: u64) -> Option<(usize, Lien)> {
        let covers = self.model.covers.iter().enumerate();
        let liens = covers.filter_map(|(index, cover)| Some((index, cover.lien?)));
        let due: Vec<(usize, Lien)> = liens.filter(|(cover, _)| self.model.payout_of_payee(*cover).is_ok()).collect();
        pick(&due, r)
    }

    /// A cover that its incident would pay.
    pub(super) fn payable(&self, r: u64) -> Option<usize> {
        let covers: Vec<usize> =
            (0..self.model.covers.len()).filter(|cover| self.model.payout_of_holder(*cover).is_ok()).collect();
        pick(&covers, r)
    }

    pub(super) fn shares(&self, r: u64) -> Option<(Who, usize, Tranche, N)> {
        let held: Vec<(Who, usize, Tranche, N)> = self
            .model
            .shares
            .iter()
            .filter(|((_, pool, tranche, series), held)| {
                **held > 0 && self.model.pools[*pool].classes[*tranche].series == *series
            })
            .map(|((who, pool, tranche, _), held)| (*who, *pool, Tranche::BOTH[*tranche], *held))
            .collect();
        pick(&held, r)
    }
}
