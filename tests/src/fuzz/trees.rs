//! What becomes of a policy: split, reduced, extended, made into an NFT, in any order, and what of it is paid.

use super::action::{Played, index, one_in, part, pick};
use super::driver::{Driver, Failure};
use super::model::{CoverStatus, DAY, N, Phase, Product, day, start};
use super::op::{Op, Who};
use super::scene::{TOKEN, USERS};
use backstop::state::ProductState;

impl Driver<'_> {
    /// Live covers or positions of which this holds, with their holders.
    fn live_where(&self, test: impl Fn(usize) -> bool) -> Vec<(usize, Who)> {
        let live = |(index, cover): (usize, &super::model::Cover)| {
            let holder = cover.holder.filter(|_| cover.status == CoverStatus::Live)?;
            test(index).then_some((index, holder))
        };
        self.model.covers.iter().enumerate().filter_map(live).collect()
    }

    /// Shows a product that all is well, whatever it listens to.
    pub(super) fn reassure(&mut self, product: usize) -> Played {
        if self.model.products[product].trigger.showings().is_some() {
            return self.show_slot(&[product]);
        }
        self.print(product, 0).map(|_| ())
    }

    /// How many days a position can be extended by now.
    fn days_left(&self, cover: usize) -> u32 {
        let entry = &self.model.covers[cover];
        let terms = &self.model.products[entry.product].terms;
        let first = day(self.model.now + i64::from(terms.waiting_seconds) + DAY - 1);
        if first > entry.end_day || self.model.now < start(entry.active_day) {
            return 0;
        }
        (first + u32::from(terms.max_term_days)).saturating_sub(entry.end_day)
    }

    /// Extends a position: mostly one that can be, by days that it can have.
    pub(super) fn extend(&mut self, r: [u64; 5]) -> Played {
        let calm = |product: &Product| product.state == ProductState::Selling && product.trigger.phase == Phase::Quiet;
        let fits = |cover: usize| {
            let entry = &self.model.covers[cover];
            let product = &self.model.products[entry.product];
            entry.pays.is_some() && product.trigger.reading.is_none() && calm(product) && self.days_left(cover) > 0
        };
        let target = if one_in(6, r[4]) { None } else { pick(&self.live_where(fits), r[0]) };
        let Some((cover, by)) = target.or_else(|| self.held_position(r[0]).filter(|_| one_in(3, r[0] >> 32))) else {
            return Ok(());
        };
        if !one_in(12, r[4] >> 8) {
            self.reassure(self.model.covers[cover].product)?;
        }
        let most = u64::from(self.days_left(cover));
        let days = if one_in(10, r[1]) { (r[1] >> 8) % 61 } else { 1 + (r[1] >> 8) % most.clamp(1, 40) };
        let max_premium = if one_in(12, r[2]) { r[3] % 10_000 } else { u64::MAX };
        self.step(Op::Extend { cover, days: days as u16, max_premium, by }).map(|_| ())
    }

    /// Reduces a position: mostly one that can be, to a sum that it can keep.
    pub(super) fn reduce(&mut self, r: [u64; 5]) -> Played {
        let fits = |cover: usize| {
            let entry = &self.model.covers[cover];
            let calm = self.model.products[entry.product].trigger.phase == Phase::Quiet;
            let kept = self.model.now < start(entry.end_day) && day(self.model.now) > entry.made_day();
            entry.pays.is_some() && calm && kept && entry.lien.is_none() && entry.loss_paid == 0
        };
        let target = if one_in(6, r[4]) { None } else { pick(&self.live_where(fits), r[0]) };
        let Some((cover, by)) = target.or_else(|| self.held_position(r[0]).filter(|_| one_in(3, r[0] >> 32))) else {
            return Ok(());
        };
        let left = if one_in(8, r[2]) { part(self.model.covers[cover].sum, r[1]) } else { self.portion(cover, r[1]) };
        self.step(Op::Reduce { cover, left, by }).map(|_| ())
    }

    /// A part of a cover's sum that leaves both parts large enough, if there is one.
    fn portion(&self, cover: usize, r: u64) -> u64 {
        let entry = &self.model.covers[cover];
        let pool = &self.model.pools[self.model.products[entry.product].pool];
        let (sum, least) = (u64::try_from(entry.sum).unwrap_or(u64::MAX), pool.terms.min_sum_insured.max(1));
        match sum.checked_sub(2 * least).filter(|room| *room > 0) {
            // The least, the most, or any part.
            Some(room) => least + [0, room, r % room, r % room, (r % 7) * room / 7][index(5, r >> 40)],
            None => sum / 2,
        }
    }

    /// Makes an NFT of a position: mostly of one that can be one.
    pub(super) fn make_nft(&mut self, r: [u64; 5]) -> Played {
        let fits = |cover: usize| {
            let entry = &self.model.covers[cover];
            entry.pays.is_some() && entry.lien.is_none() && !self.model.is_spent(entry)
        };
        let target = if one_in(6, r[4]) { None } else { pick(&self.live_where(fits), r[0]) };
        let Some((cover, by)) = target.or_else(|| self.held_position(r[0]).filter(|_| one_in(3, r[0] >> 32))) else {
            return Ok(());
        };
        self.model.nonce += 1;
        let nonce = self.model.nonce;
        self.step(Op::ToNft { cover, receiver: index(USERS, r[1]), nonce, by }).map(|_| ())
    }

    /// Splits a cover or position, mostly into parts that are large enough. Its new part, if there is one.
    pub(super) fn split_one(&mut self, cover: usize, by: Who, r: [u64; 2]) -> Result<Option<usize>, Failure> {
        self.model.nonce += 1;
        let (nonce, receiver, new) = (self.model.nonce, index(USERS, r[0]), self.model.covers.len());
        let all = self.model.covers[cover].sum;
        let sum = if one_in(6, r[0] >> 16) { part(all, r[1]) } else { self.portion(cover, r[1]) };
        let split = match self.model.covers[cover].pays {
            Some(_) => Op::SplitPosition { cover, sum, nonce, by },
            None => Op::SplitCover { cover, receiver, sum, nonce, by },
        };
        Ok(self.step(split)?.then_some(new))
    }

    /// A tree of policies: a position that is bought, and in force is split, reduced, extended, pledged and made into an
    /// NFT, and so are its parts.
    pub(super) fn tree(&mut self, r: [u64; 5]) -> Played {
        let sells = |product: &Product| {
            let pool = &self.model.pools[product.pool];
            let calm = product.state == ProductState::Selling && product.trigger.phase == Phase::Quiet;
            calm && product.trigger.reading.is_none() && !pool.has_ended(self.model.now + 4 * DAY)
        };
        let Some(product) = self.product_where(r[0], sells) else { return Ok(()) };
        self.reassure(product)?;
        let pool = self.model.products[product].pool;
        self.step(Op::Accrue { pool })?;
        let room = self.model.capacity(product).saturating_sub(self.model.exposure(product));
        let room = room.min(self.model.left_now(product)) / N::from(3 + r[1] % 5);
        let sum = u64::try_from(room.min(N::from(TOKEN[self.model.pools[pool].asset]) * 20_000)).unwrap_or(0);
        let terms = self.model.products[product].terms;
        self.model.nonce += 1;
        let (who, nonce, max_premium) = (index(USERS, r[2]), self.model.nonce, u64::MAX);
        let days = terms.min_term_days + 4 + (r[2] >> 8) as u16 % 20;
        let root = self.model.covers.len();
        let buy = Op::BuyPosition { product, who, to: index(USERS, r[2] >> 32), sum, days, max_premium, nonce };
        if !self.step(buy)? {
            return Ok(());
        }
        let in_force = start(self.model.covers[root].active_day) + (r[3] % 86_400) as i64;
        self.step(Op::Time { to: in_force.max(self.model.now) })?;
        let mut tree = vec![root];
        for place in 0..6 + r[3] % 8 {
            let bits = r[4].rotate_left(7 * place as u32) ^ r[0].rotate_left(3 * place as u32);
            let Some(cover) = pick(&tree, bits >> 8) else { break };
            let Some(by) = self.model.covers[cover].holder else { continue };
            let spread = [bits.rotate_left(17), bits.rotate_left(29)];
            match bits % 8 {
                0..=2 => tree.extend(self.split_one(cover, by, spread)?),
                3 | 4 => {
                    self.reassure(product)?;
                    let days = 1 + (spread[0] % u64::from(self.days_left(cover)).clamp(1, 12)) as u16;
                    self.step(Op::Extend { cover, days, max_premium: u64::MAX, by })?;
                }
                5 | 6 => {
                    let left = self.portion(cover, spread[0]);
                    self.step(Op::Reduce { cover, left, by }).map(|_| ())?;
                }
                _ => {
                    self.model.nonce += 1;
                    let nonce = self.model.nonce;
                    self.step(Op::ToNft { cover, receiver: index(USERS, spread[0]), nonce, by })?;
                }
            }
            if one_in(4, bits >> 32) {
                self.step(Op::Time { to: self.model.now + 1 + (bits >> 40) as i64 % (DAY / 2) })?;
            }
        }
        Ok(())
    }
}
