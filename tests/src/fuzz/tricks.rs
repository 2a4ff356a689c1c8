//! Tricks by their names: what hostile readings found and a rule now stops. Each tries it whole, whatever is refused on
//! the way; the model and the invariants say what it may bring. Selective prints are in `prices.rs`, and the first caller
//! of treaties in `moves.rs`.

use super::action::{Played, index};
use super::driver::{Driver, Failure};
use super::model::{DAY, Model, N, Phase, Product, day, start};
use super::op::{Op, Who};
use super::scene::{TOKEN, USERS};
use backstop::state::{ProductState, Tranche};
use std::collections::BTreeMap;

impl Driver<'_> {
    /// Flash exit: everything asks to leave, what depends on capital is called, and it is taken back in the same moment; or
    /// across midnight.
    pub(super) fn flash_exit(&mut self, r: [u64; 5]) -> Played {
        let Some((who, pool, tranche, held)) = self.shares(r[0]) else { return Ok(()) };
        if r[1].is_multiple_of(2) {
            self.step(Op::Time { to: start(day(self.model.now) + 1) - 1 })?;
        }
        self.model.nonce += 1;
        let (nonce, ticket) = (self.model.nonce, self.model.tickets.len());
        let shares = u64::try_from(held).unwrap_or(u64::MAX);
        if !self.step(Op::RequestExit { pool, who, tranche, shares, ahead: 0, nonce })? {
            return Ok(());
        }
        if let Some(product) = self.product_where(r[2], |product| product.has_condition && product.pool == pool) {
            self.step(Op::Sync { product })?;
        }
        self.step(Op::CancelExit { ticket, by: who })?;
        self.step(Op::Time { to: start(day(self.model.now) + 1) })?;
        self.step(Op::CancelExit { ticket, by: who })?;
        Ok(())
    }

    /// Rebirth: a cover is given back, and another is bought under its buyer's number.
    pub(super) fn rebirth(&mut self, r: [u64; 5]) -> Played {
        let Some((cover, by)) = self.held_cover(r[0]) else { return Ok(()) };
        if self.model.covers[cover].pays.is_some() {
            return self.second_life(cover, by, r);
        }
        let entry = self.model.covers[cover].clone();
        if !self.step(Op::CancelCover { cover, by })? {
            return Ok(());
        }
        let sum = u64::try_from(entry.sum).unwrap_or(0) / (1 + r[1] % 100);
        let (product, who, nonce) = (entry.product, entry.buyer, entry.nonce);
        self.print(product, 0)?;
        self.step(Op::Buy { product, who, receiver: by, sum, days: 7, max_premium: u64::MAX, nonce })?;
        Ok(())
    }

    /// A position is given back, and another is bought at its address.
    fn second_life(&mut self, cover: usize, by: Who, r: [u64; 5]) -> Played {
        let entry = self.model.covers[cover].clone();
        if !self.step(Op::CancelPosition { cover, by })? {
            return Ok(());
        }
        let sum = u64::try_from(entry.sum).unwrap_or(0) / (1 + r[1] % 100);
        let (product, who, nonce) = (entry.product, entry.buyer, entry.nonce);
        self.print(product, 0)?;
        self.step(Op::BuyPosition { product, who, to: by, sum, days: 7, max_premium: u64::MAX, nonce })?;
        Ok(())
    }

    /// Rented capacity: capital that comes a second before midnight for a purchase after it, and asks to leave.
    pub(super) fn rented_capacity(&mut self, r: [u64; 5]) -> Played {
        let sells = |product: &Product| product.state == ProductState::Selling && product.trigger.phase == Phase::Quiet;
        let Some(product) = self.product_where(r[0], sells) else { return Ok(()) };
        let pool = self.model.products[product].pool;
        let who = index(USERS, r[1]);
        let amount = (50_000 + r[2] % 200_000) * TOKEN[self.model.pools[pool].asset];
        self.step(Op::Time { to: start(day(self.model.now) + 1) - 1 })?;
        let admitted_by = (pool == 1).then_some(super::scene::AUTHORITY);
        let tranche = Tranche::Senior;
        let came = self.step(Op::Deposit { pool, who, tranche, amount, min_shares: 0, admitted_by })?;
        self.step(Op::Time { to: self.model.now + 1 })?;
        self.buy_part(product, r, self.model.products[product].terms.max_term_days)?;
        let series = self.model.pools[pool].classes[tranche.index()].series;
        let held = self.model.shares.get(&(who, pool, tranche.index(), series)).copied().unwrap_or(0);
        if came {
            self.model.nonce += 1;
            let (shares, nonce) = (u64::try_from(held).unwrap_or(0), self.model.nonce);
            self.step(Op::RequestExit { pool, who, tranche, shares, ahead: 0, nonce })?;
        }
        Ok(())
    }

    /// Dust share: all but a share or two ask to leave, and little comes in beside what is left.
    pub(super) fn dust_share(&mut self, r: [u64; 5]) -> Played {
        let Some((who, pool, tranche, held)) = self.shares(r[0]) else { return Ok(()) };
        self.model.nonce += 1;
        let (nonce, left) = (self.model.nonce, N::from(1 + r[1] % 3));
        let shares = u64::try_from(held.saturating_sub(left)).unwrap_or(0);
        self.step(Op::RequestExit { pool, who, tranche, shares, ahead: 0, nonce })?;
        let amount = 1 + r[2] % (10 * TOKEN[self.model.pools[pool].asset]);
        let admitted_by = (pool == 1).then_some(super::scene::AUTHORITY);
        self.step(Op::Deposit { pool, who: index(USERS, r[3]), tranche, amount, min_shares: 0, admitted_by })?;
        Ok(())
    }

    /// Long covers that are bought and given back: on the day, on the next, and once more, with all that may be sold.
    pub(super) fn long_covers(&mut self, r: [u64; 5]) -> Played {
        let sells = |product: &Product| product.state == ProductState::Selling && product.trigger.phase == Phase::Quiet;
        let Some(product) = self.product_where(r[0], sells) else { return Ok(()) };
        for _ in 0..2 {
            let cover = self.model.covers.len();
            if !self.buy_part(product, r, self.model.products[product].terms.max_term_days)? {
                return Ok(());
            }
            let by = self.model.covers[cover].holder.unwrap_or(0);
            self.step(Op::CancelCover { cover, by })?;
            self.step(Op::Time { to: start(day(self.model.now) + 1) + (r[3] % 7_200) as i64 })?;
            self.print(product, 0)?;
            self.step(Op::CancelCover { cover, by })?;
        }
        Ok(())
    }

    /// Whoever comes in, gives, buys and asks to leave beside a product that is in alert.
    pub(super) fn beside_alert(&mut self, r: [u64; 5]) -> Played {
        let alert = |product: &Product| product.has_condition && product.in_alert;
        let Some(product) = self.product_where(r[0], alert) else { return Ok(()) };
        let pool = self.model.products[product].pool;
        let (who, tranche) = (index(USERS, r[1]), Tranche::BOTH[index(2, r[2])]);
        let amount = (10 + r[3] % 50_000) * TOKEN[self.model.pools[pool].asset];
        let admitted_by = (pool == 1).then_some(super::scene::AUTHORITY);
        self.step(Op::Deposit { pool, who, tranche, amount, min_shares: 0, admitted_by })?;
        if let Some(sibling) = self.product_where(r[4], |other| other.pool == pool && !other.in_alert) {
            self.buy_part(sibling, r, 7)?;
        }
        self.step(Op::Sync { product })?;
        let series = self.model.pools[pool].classes[tranche.index()].series;
        let held = self.model.shares.get(&(who, pool, tranche.index(), series)).copied().unwrap_or(0);
        self.model.nonce += 1;
        let (shares, nonce) = (u64::try_from(held).unwrap_or(0), self.model.nonce);
        self.step(Op::RequestExit { pool, who, tranche, shares, ahead: 0, nonce })?;
        Ok(())
    }

    /// Buys all that may be sold of a product, or nearly.
    fn buy_part(&mut self, product: usize, r: [u64; 5], days: u16) -> Result<bool, Failure> {
        if !self.model.products[product].has_condition {
            return Ok(false);
        }
        self.print(product, 0)?;
        self.step(Op::Accrue { pool: self.model.products[product].pool })?;
        let room = self.model.capacity(product).saturating_sub(self.model.exposure(product));
        let room = room.min(self.model.left_now(product));
        let sum = u64::try_from(room / N::from(1 + r[4] % 3)).unwrap_or(0);
        self.model.nonce += 1;
        let (who, nonce) = (index(USERS, r[1] >> 16), self.model.nonce);
        self.step(Op::Buy { product, who, receiver: who, sum, days, max_premium: u64::MAX, nonce })
    }

    /// First-caller orders: whatever is due of the incidents of a pool is called in one order and in the other, on copies of
    /// the model, which says the same as the chain. In the end every incident has the same.
    pub(super) fn orders(&mut self, r: [u64; 5]) -> Played {
        let pool = [0, 0, 1, 1][index(4, r[0])];
        let of_pool = |product: &&usize| {
            let entry = &self.model.products[**product];
            let proven = entry.trigger.phase.is_triggered() && entry.incident.is_none();
            entry.pool == pool && (proven || entry.incident.as_ref().is_some_and(|it| it.open && it.crisis != 0))
        };
        let all: Vec<usize> = (0..self.model.products.len()).collect();
        let products: Vec<usize> = all.iter().filter(of_pool).copied().collect();
        if products.len() < 2 {
            return Ok(());
        }
        let mut turned = products.clone();
        turned.rotate_left(index(products.len() - 1, r[1]) + 1);
        let ends = [ends(&self.model, &products, false), ends(&self.model, &turned, r[2].is_multiple_of(2))];
        *self.totals.notable.entry("orders of calls compared").or_default() += 1;
        if ends[0] == ends[1] {
            return Ok(());
        }
        let detail = format!("{products:?} and {turned:?} give {:?} and {:?}", ends[0], ends[1]);
        Err(Failure { rule: "no order of calls changes a payout".to_owned(), detail })
    }
}

/// What the incidents of products have in the end, if these are called in an order: each in turn, or all opened first.
fn ends(model: &Model, order: &[usize], in_turn: bool) -> BTreeMap<usize, N> {
    let mut model = model.clone();
    let rounds: Vec<Vec<usize>> =
        if in_turn { order.iter().map(|product| vec![*product]).collect() } else { vec![order.to_vec()] };
    for round in rounds {
        call_all(&mut model, &round);
    }
    // When all of it is final, and treaties still have time to be called; and when they have had it.
    for later in [0, 2 * DAY, 31 * DAY] {
        let open = order.iter().filter_map(|product| model.products[*product].incident.as_ref());
        let last = open.map(|incident| incident.final_at).max().unwrap_or(model.now);
        model.now = model.now.max(last + later);
        for product in 0..model.products.len() {
            let _ = attempt(&mut model, &Op::Refresh { product });
        }
        call_all(&mut model, order);
        call_all(&mut model, order);
    }
    let reserve = |product: &usize| Some((*product, model.products[*product].incident.as_ref()?.reserve));
    order.iter().filter_map(reserve).collect()
}

/// Opens, calls and funds whatever is due of some products.
fn call_all(model: &mut Model, order: &[usize]) {
    for product in order {
        let _ = attempt(model, &Op::OpenIncident { product: *product });
    }
    for product in order {
        let incident = model.products[*product].incident.as_ref();
        let noted: Vec<usize> =
            incident.map_or(Vec::new(), |incident| incident.noted.iter().map(|noted| noted.treaty).collect());
        for treaty in noted {
            let _ = attempt(model, &Op::CallTreaty { treaty, product: *product });
        }
    }
    for product in order {
        let _ = attempt(model, &Op::Fund { product: *product });
    }
}

/// An operation, if the model allows it.
fn attempt(model: &mut Model, op: &Op) -> bool {
    let mut copy = model.clone();
    let done = copy.apply(op).is_ok();
    if done {
        *model = copy;
    }
    done
}
