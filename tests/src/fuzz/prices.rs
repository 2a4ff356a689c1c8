//! True prices, who shows them when, and keepers.

use super::action::{Played, index, one_in, pick};
use super::driver::{Driver, Failure};
use super::model::{Evidence, Phase, Product};
use super::op::Op;
use super::rng::Rng;
use backstop::peril::evidence::Direction;
use backstop::state::ProductState;

impl Driver<'_> {
    /// The true price of a feed at a time, a little beside the level of the day.
    pub(super) fn true_price(&self, feed: usize, at: i64) -> u64 {
        let level = self.prices[feed].iter().rev().find(|(since, _)| *since <= at).map_or(100_000_000, |(_, p)| *p);
        let noise = Rng::new(at.unsigned_abs().wrapping_mul(31).wrapping_add(feed as u64)).below(200_001);
        level + noise - 100_000
    }

    /// Moves a feed's price from now on: to the peg, near a threshold, beyond it, or far beyond: mostly below, now and then
    /// above.
    pub(super) fn shock(&mut self, feed: usize, r: u64) {
        let level = match r % 10 {
            0..=5 => 100_000_000,
            6 => 95_500_000,
            7 => 94_000_000,
            8 => 80_000_000 + (r >> 8) % 14_000_000,
            _ if one_in(2, r >> 40) => 40_000_000,
            _ => 106_000_000 + (r >> 8) % 20_000_000,
        };
        self.prices[feed].push((self.model.now, level));
    }

    /// Shows a product the true price of some seconds ago. A reading and vaults take none.
    pub fn print(&mut self, product: usize, ago: i64) -> Result<bool, Failure> {
        if !self.model.products[product].trigger.takes_prints() {
            return Ok(false);
        }
        let feed = self.model.products[product].trigger.feed;
        let publish_time = self.model.now - ago;
        let price = self.true_price(feed.into(), publish_time);
        self.step(Op::Observe { product, feed, price, confidence: 1_000, publish_time })
    }

    pub(super) fn print_all(&mut self, except_one: bool) -> Played {
        let live = |product: &usize| {
            let entry = &self.model.products[*product];
            entry.state != ProductState::Over && entry.trigger.takes_prints()
        };
        let live: Vec<usize> = self.model.with_condition().into_iter().filter(live).collect();
        for product in live.into_iter().skip(usize::from(except_one)) {
            self.print(product, 0)?;
        }
        Ok(())
    }

    /// A true price of the past, chosen by whoever shows it: minutes to days old, or a wide one.
    pub(super) fn print_old(&self, r: [u64; 5]) -> Option<Op> {
        let product = self.product(r[0])?;
        let feed = self.model.products[product].trigger.feed;
        let ago = match r[1] % 5 {
            0 => -((r[2] % 8) as i64),
            1 => (r[2] % 600) as i64,
            2 => (r[2] % 7_200) as i64,
            3 => (r[2] % 86_400) as i64,
            _ => (r[2] % (4 * 86_400)) as i64,
        };
        let publish_time = self.model.now - ago;
        let confidence = if one_in(4, r[3]) { r[4] % 3_000_000 } else { 1_000 };
        let price = self.true_price(feed.into(), publish_time.min(self.model.now));
        Some(Op::Observe { product, feed, price, confidence, publish_time })
    }

    /// Selective prints: of a slot of the past hours a breach, one or two prices above the threshold, or one or two
    /// recoveries, whatever the true price was. An oracle signs many prices; who shows them chooses.
    pub(super) fn selective(&mut self, r: [u64; 5]) -> Played {
        let Some(product) = self.product(r[0]) else { return Ok(()) };
        let Evidence { terms, feed, .. } = self.model.products[product].trigger.clone();
        let slot = i64::from(terms.slot_seconds);
        let start = (self.model.now - (r[1] % 10_800) as i64) / slot * slot;
        let price = match r[2] % 4 {
            0 => match terms.direction() {
                Direction::Below => terms.threshold - 1,
                Direction::Above => terms.threshold + 1,
            },
            1 => terms.threshold,
            2 => terms.recovery,
            _ => match terms.direction() {
                Direction::Below => terms.threshold - terms.threshold / 8,
                Direction::Above => terms.threshold + terms.threshold / 8,
            },
        };
        let second = (r[3] % terms.slot_seconds as u64) as i64;
        let apart = [0, i64::from(terms.apart()) - 1, i64::from(terms.apart())][(r[4] % 3) as usize];
        for publish_time in [start + second, start + (second + apart) % slot] {
            self.step(Op::Observe { product, feed, price, confidence: 0, publish_time })?;
        }
        Ok(())
    }

    /// An honest keeper for some slots, with gaps.
    pub(super) fn slots(&mut self, r: [u64; 5]) -> Played {
        for slot in 0..1 + r[0] % 4 {
            self.step(Op::Time { to: self.model.now + 300 + (r[1] % 900) as i64 })?;
            if !one_in(4, r[2] >> slot) {
                self.print_all(false)?;
            }
        }
        Ok(())
    }

    /// A keeper that does what is due, now and then leaving something out.
    pub(super) fn keeper(&mut self, r: [u64; 5]) -> Played {
        let left_out = |place: usize| one_in(5, r[0] >> (place % 60));
        for product in (0..self.model.products.len()).filter(|product| !left_out(*product)) {
            let entry = &self.model.products[product];
            if matches!(entry.trigger.phase, Phase::Met | Phase::Triggered) {
                self.step(Op::Refresh { product })?;
            }
            let entry = &self.model.products[product];
            if entry.trigger.phase.is_triggered() && entry.incident.is_none() {
                self.step(Op::OpenIncident { product })?;
            }
        }
        for place in 0..3 {
            if let Some((treaty, product)) = self.next_treaty(r[1] + place).filter(|_| one_in(2, r[1] >> (8 + place))) {
                self.step(Op::CallTreaty { treaty, product })?;
            }
        }
        for place in 0..3 {
            if let Some(product) = self.fundable(r[2] + place) {
                self.step(Op::Fund { product })?;
            }
        }
        for place in 0..r[3] % 6 {
            if let Some(cover) = self.payable(r[4] >> place) {
                let op = self.settle(cover, [0, r[3] >> 8, r[3] >> 16, 0, 0]);
                self.step(op)?;
            }
        }
        Ok(())
    }

    /// A depeg of one feed: prints in most slots until a product is met, and mostly until it is final. The price comes
    /// back afterwards, or it is a false alarm that a recovery contradicts.
    pub(super) fn event(&mut self, r: [u64; 5]) -> Played {
        let open = |product: &Product| {
            product.incident.is_none() && product.state != ProductState::Over && product.trigger.takes_prints()
        };
        let insured: Vec<usize> = (0..self.model.products.len())
            .filter(|index| open(&self.model.products[*index]) && self.model.exposure(*index) > 0)
            .collect();
        match pick(&insured, r[0]) {
            Some(target) => self.depeg(target, r),
            None => Ok(()),
        }
    }

    /// The same of the feed that a product listens to.
    pub(super) fn depeg(&mut self, target: usize, r: [u64; 5]) -> Played {
        let feed = usize::from(self.model.products[target].trigger.feed);
        let level = if one_in(2, r[1]) { 60_000_000 } else { 80_000_000 + (r[1] >> 8) % 14_500_000 };
        self.prices[feed].push((self.model.now, level));
        let terms = self.model.products[target].trigger.terms;
        let slot = i64::from(terms.slot_seconds);
        for round in 0..u64::from(terms.need + terms.tolerance) + 1 {
            let next = (self.model.now / slot + 1) * slot + (r[2] % 500) as i64;
            self.step(Op::Time { to: next })?;
            for product in 0..self.model.products.len() {
                let entry = &self.model.products[product];
                let listens = entry.has_condition && entry.state != ProductState::Over && entry.trigger.takes_prints();
                let watches = listens && usize::from(entry.trigger.feed) == feed;
                // Now and then a slot goes without a print, mostly not the target's.
                let kept_back = one_in(9, r[3] >> (round % 60)) && (product != target || round % 4 == 1);
                if watches && !kept_back {
                    self.print(product, 0)?;
                }
            }
            if self.model.products[target].trigger.phase == Phase::Met {
                break;
            }
        }
        self.prices[feed].push((self.model.now + slot, 100_000_000));
        match r[4] % 8 {
            0 => return Ok(()),
            1 => {
                // It was a thin market: somebody shows a recovery within the window, or that its price was above the
                // threshold, by two prints that lie apart or, now and then, too near to one another.
                let feed = feed as u8;
                let price = if one_in(2, r[4] >> 16) { 99_000_000 } else { terms.threshold };
                let apart = i64::from(terms.apart()) - i64::from(one_in(4, r[4] >> 24));
                for publish_time in [self.model.now - slot, self.model.now - slot + apart] {
                    let publish_time = publish_time.min(self.model.now);
                    self.step(Op::Observe { product: target, feed, price, confidence: 0, publish_time })?;
                }
            }
            _ => {}
        }
        let wait = slot + i64::from(terms.challenge) + (r[4] >> 8) as i64 % 7_200;
        self.step(Op::Time { to: self.model.now + wait })?;
        for product in 0..self.model.products.len() {
            let trigger = &self.model.products[product].trigger;
            if trigger.phase == Phase::Met && trigger.takes_prints() {
                self.step(Op::Confirm { product })?;
            }
        }
        // The run-on: the fall goes on for some slots, or it is over; then the severity is final.
        if terms.run_on > 0 && one_in(2, r[1] >> 16) {
            self.prices[feed].push((self.model.now, 50_000_000 + (r[1] >> 24) % 40_000_000));
            for _ in 0..r[2] % u64::from(terms.need + 2) {
                let next = (self.model.now / slot + 1) * slot;
                self.step(Op::Time { to: next })?;
                self.print(target, 0)?;
            }
            self.prices[feed].push((self.model.now + slot, 100_000_000));
        }
        if self.model.products[target].trigger.phase == Phase::Triggered && !one_in(5, r[3] >> 32) {
            self.step(Op::Time { to: self.model.now + i64::from(terms.run_on) + i64::from(terms.challenge) })?;
            self.step(Op::Refresh { product: target })?;
        }
        Ok(())
    }

    /// Everything that a pool insures against a fall falls at once, far: its products are met, proven and opened in a random
    /// order, and what capital there is is shared among them.
    pub(super) fn collapse(&mut self, r: [u64; 5]) -> Played {
        let pools: Vec<usize> = self.model.products.iter().map(|product| product.pool).collect();
        let Some(pool) = pick(&pools, r[0]) else { return Ok(()) };
        let falls = |product: &Product| {
            let open = product.incident.is_none() && product.state != ProductState::Over && product.has_condition;
            let prints = product.trigger.takes_prints();
            open && prints && product.pool == pool && product.trigger.terms.direction() == Direction::Below
        };
        let mut falling: Vec<usize> =
            (0..self.model.products.len()).filter(|index| falls(&self.model.products[*index])).collect();
        if falling.is_empty() {
            return Ok(());
        }
        let level = 40_000_000 + r[1] % 35_000_000;
        for feed in 0..self.prices.len() {
            self.prices[feed].push((self.model.now, level));
        }
        let terms = |driver: &Self, product: usize| driver.model.products[product].trigger.terms;
        let slots = falling.iter().map(|product| i64::from(terms(self, *product).slot_seconds));
        let slot = slots.min().unwrap_or(1_800);
        let lasts = falling.iter().map(|product| {
            let it = terms(self, *product);
            i64::from(it.need + it.tolerance + 1) * i64::from(it.slot_seconds)
        });
        let until = self.model.now + lasts.max().unwrap_or(0);
        while self.model.now < until {
            let next = (self.model.now / slot + 1) * slot + (r[2] % 300) as i64;
            self.step(Op::Time { to: next })?;
            for product in falling.clone() {
                if matches!(self.model.products[product].trigger.phase, Phase::Quiet | Phase::Breaching) {
                    self.print(product, 0)?;
                }
            }
        }
        let challenge = falling.iter().map(|product| i64::from(terms(self, *product).challenge)).max().unwrap_or(0);
        for feed in 0..self.prices.len() {
            self.prices[feed].push((self.model.now + slot, 100_000_000));
        }
        self.step(Op::Time { to: self.model.now + slot + challenge })?;
        // Whoever opens first.
        let turn = index(falling.len(), r[3]);
        falling.rotate_left(turn);
        for product in falling.clone() {
            self.step(Op::Refresh { product })?;
            if self.model.products[product].trigger.phase.is_triggered() && !one_in(9, r[4] >> product) {
                self.step(Op::OpenIncident { product })?;
            }
        }
        if one_in(2, r[3] >> 32) {
            let lasts = falling.iter().map(|product| {
                let it = terms(self, *product);
                i64::from(it.run_on) + i64::from(it.challenge)
            });
            self.step(Op::Time { to: self.model.now + lasts.max().unwrap_or(0) })?;
        }
        for place in 0..2 * falling.len() as u64 {
            if let Some(product) = self.fundable(r[4].wrapping_add(place)) {
                self.step(Op::Fund { product })?;
            }
        }
        Ok(())
    }
}
