//! A protocol's vaults: who shows what they hold, how they are drained, and what attestors say of it.

use super::action::{Played, index, one_in, part, pick};
use super::driver::{Driver, Failure};
use super::live::How;
use super::model::{APART, DAY, N, Phase};
use super::op::Op;
use super::scene::{DROPS, TOKEN, USERS, VAULTS};
use backstop::peril::live::RECENT;
use backstop::state::{ProductState, Tranche};

/// What the vaults of a product hold at the beginning.
pub const HELD: u64 = 1_000_000_000_000;

impl Driver<'_> {
    /// Two products of vaults, capital for them, and the three days after which their vaults are measured by something.
    pub fn found_vaults(&mut self, r: [u64; 5]) -> Played {
        let by = self.model.roles.governance;
        for design in DROPS {
            let product = self.model.products.len();
            self.must(Op::CreateProduct { pool: VAULTS, design, by })?;
            self.must(Op::SetCondition { product, by })?;
        }
        for (tranche, who) in [(Tranche::Junior, 2), (Tranche::Senior, 3)] {
            let amount = (2_000 + (r[who] % 20_000)) * TOKEN[0];
            self.step(Op::Deposit { pool: VAULTS, who, tranche, amount, min_shares: 0, admitted_by: None })?;
        }
        self.watch()?;
        for _ in 0..2 {
            self.next_day()?;
            self.watch()?;
        }
        self.next_day()
    }

    fn vaults_where(&self, r: u64, test: impl Fn(usize) -> bool) -> Option<usize> {
        let of = |product: &usize| self.model.vaults(*product).is_some() && test(*product);
        let found: Vec<usize> = (0..self.model.products.len()).filter(of).collect();
        pick(&found, r)
    }

    fn is_watched(&self, product: usize) -> bool {
        self.model.vaults(product).is_some() && self.model.products[product].state != ProductState::Over
    }

    /// What a product's vaults hold.
    fn holding(&self, product: usize) -> u64 {
        self.levels.get(&product).copied().unwrap_or(HELD)
    }

    /// Shows what a live feed says, as it is.
    pub(super) fn show(&mut self, product: usize) -> Result<bool, Failure> {
        if self.model.rate(product).is_some() {
            let says = self.says(product);
            return self.step(Op::ShowRate { product, says, how: How::Alone });
        }
        let sum = self.holding(product);
        self.step(Op::Show { product, sum })
    }

    /// The next slot of a product's evidence, in which it is shown twice, so far apart that it counts.
    pub(super) fn show_slot(&mut self, products: &[usize]) -> Played {
        let Some(first) = products.first() else { return Ok(()) };
        let slot = i64::from(self.model.products[*first].trigger.terms.slot_seconds);
        self.step(Op::Time { to: (self.model.now / slot + 1) * slot })?;
        for _ in 0..2 {
            for product in products {
                self.show(*product)?;
            }
            self.step(Op::Skip { slots: 150 })?;
            self.step(Op::Time { to: self.model.now + slot / 3 })?;
        }
        Ok(())
    }

    /// An honest crank shows all vaults.
    pub fn watch(&mut self) -> Played {
        let all: Vec<usize> = (0..self.model.products.len()).filter(|product| self.is_watched(*product)).collect();
        self.show_slot(&all)
    }

    /// The program keeps four showings of the last 150 slots of the ledger: what rises above them waits.
    pub(super) fn make_room(&mut self, product: usize) -> Played {
        let ledger = self.model.ledger;
        let showings = self.model.products[product].trigger.showings();
        let young = showings.map_or(0, |shown| shown.distances(ledger).filter(|distance| *distance < APART).count());
        if young >= RECENT {
            self.step(Op::Skip { slots: APART })?;
        }
        Ok(())
    }

    /// Somebody shows vaults as he likes: once, twice in one slot of the ledger or a slot too near, or what he holds for a
    /// moment.
    pub(super) fn flash(&mut self, r: [u64; 5]) -> Played {
        let Some(product) = self.vaults_where(r[0], |_| true) else { return Ok(()) };
        for place in 0..1 + r[1] % 3 {
            let sum = match (r[2] >> (8 * place)) % 4 {
                0 => 0,
                1 => HELD * 3,
                2 => HELD / 3,
                _ => self.holding(product),
            };
            self.make_room(product)?;
            self.step(Op::Show { product, sum })?;
            if one_in(2, r[3] >> place) {
                self.step(Op::Skip { slots: [1, 149, 150][index(3, r[4] >> (8 * place))] })?;
            }
        }
        Ok(())
    }

    /// Buys a cover or a position of a product of vaults, which is shown before.
    pub fn buy_of_vaults(&mut self, r: [u64; 5]) -> Played {
        let sells = |product: usize| one_in(10, r[1]) || self.model.products[product].state == ProductState::Selling;
        let Some(product) = self.vaults_where(r[0], sells) else { return Ok(()) };
        self.buy_live(product, 25, r)
    }

    /// Buys a cover or a position of a product on a live feed, mostly right after it was shown.
    pub(super) fn buy_live(&mut self, product: usize, least: u16, r: [u64; 5]) -> Played {
        if !one_in(10, r[1] >> 8) {
            self.show_slot(&[product])?;
        }
        self.step(Op::Accrue { pool: VAULTS })?;
        let room = self.model.capacity(product).saturating_sub(self.model.exposure(product));
        let room = room.min(self.model.left_now(product));
        let sum = match r[2] % 5 {
            0 => part(room, r[2] >> 8),
            1 | 2 => u64::try_from(room / N::from(2 + r[2] % 5)).unwrap_or(0),
            _ => (10 + (r[2] >> 8) % 500) * TOKEN[0],
        };
        self.model.nonce += 1;
        let (who, nonce, max_premium) = (index(USERS, r[3]), self.model.nonce, u64::MAX);
        let days = least + (r[3] >> 8) as u16 % 30;
        self.step(match one_in(3, r[3] >> 32) {
            true => Op::BuyPosition { product, who, to: who, sum, days, max_premium, nonce },
            false => Op::Buy { product, who, receiver: who, sum, days, max_premium, nonce },
        })?;
        Ok(())
    }

    /// The vaults of a product fall: far, or by a quarter, for long enough or not, and come back or stay.
    pub(super) fn fall(&mut self, r: [u64; 5]) -> Result<Option<usize>, Failure> {
        let rests = |product: usize| self.model.vaults(product).is_some_and(|it| it.is_armed(self.model.now));
        let insured = |product: usize| self.is_watched(product) && self.model.exposure(product) > 0;
        let target = self.vaults_where(r[0], |product| insured(product) && !rests(product));
        let target = target.or_else(|| self.vaults_where(r[0], |product| self.is_watched(product)));
        let Some(product) = target else { return Ok(None) };
        let before = self.holding(product);
        let left = match r[1] % 6 {
            0 => 75,
            1 => 0,
            _ => 5 + (r[1] >> 8) % 44,
        };
        self.levels.insert(product, HELD / 100 * left);
        let slots = if one_in(6, r[2]) { 4 } else { 11 + r[2] % 3 };
        for slot in 0..slots {
            match one_in(9, r[3] >> slot) {
                true => self.step(Op::Time { to: self.model.now + 180 }).map(|_| ())?,
                false => self.show_slot(&[product])?,
            }
        }
        // The slot after the last, or anybody, tells that it has lasted.
        self.step(Op::Time { to: self.model.now + 181 })?;
        match one_in(3, r[3] >> 32) {
            true => self.step(Op::Refresh { product })?,
            false => self.show(product)?,
        };
        if !one_in(4, r[4]) {
            self.levels.insert(product, if one_in(2, r[4] >> 8) { HELD } else { before.max(HELD / 2) });
        }
        Ok(Some(product))
    }

    /// Attestors say that a protocol has lost something: one of them alone, or enough.
    pub(super) fn loss(&mut self, r: [u64; 5]) -> Played {
        let armed = |product: usize| self.model.vaults(product).is_some_and(|it| it.is_armed(self.model.now));
        let target = self.vaults_where(r[0], armed).or_else(|| self.vaults_where(r[0], |_| one_in(6, r[0] >> 8)));
        match target {
            Some(product) => self.tell(product, r, !one_in(3, r[4])).map(|_| ()),
            None => Ok(()),
        }
    }

    /// A report of a loss. Whether it was taken.
    fn tell(&mut self, product: usize, r: [u64; 5], enough: bool) -> Result<bool, Failure> {
        let vaults = self.model.vaults(product).expect("it has vaults");
        let set = &self.model.sets[vaults.set];
        let mut keys = if one_in(12, r[1]) { (0..set.keys).collect() } else { set.live() };
        let first = index(keys.len(), r[1] >> 8);
        if !keys.is_empty() {
            keys.rotate_left(first);
        }
        let many = if enough { set.threshold } else { 1 + index(set.threshold - 1, r[1] >> 16) };
        let signers = keys.iter().take(many).map(|key| 1 << key).sum();
        let bps = if one_in(16, r[2]) { [0, 10_001][index(2, r[2] >> 8)] } else { 500 + (r[2] >> 8) as u16 % 9_501 };
        let at = match r[3] % 12 {
            0 => self.model.now + 1,
            1 => self.model.now - 20 * DAY,
            _ => self.model.now - (r[3] >> 8) as i64 % DAY,
        };
        self.step(Op::Loss { product, bps, at, signers })
    }

    /// An exploit from its beginning to its payout: the fall, one signature, enough of them after a day, and what is due.
    pub(super) fn exploit(&mut self, r: [u64; 5]) -> Played {
        let Some(product) = self.fall([r[0], 2 + r[1] % 4 + (r[1] >> 8 << 8), 1, u64::MAX / 3 * 2, 0])? else {
            return Ok(());
        };
        let at = [4, 5];
        if one_in(2, r[2]) {
            self.tell(product, [0, r[1] | 1, 1 + (r[2] >> 8 << 8), at[0] + (r[3] >> 8 << 8), 0], false)?;
        }
        // A second early, on the second, or later.
        let Some(armed) = self.model.vaults(product).and_then(|vaults| vaults.armed) else { return Ok(()) };
        let confirms = armed.at + DAY + [-1, 0, 3_600, DAY, 2 * DAY][index(5, r[3])];
        self.step(Op::Time { to: self.model.now.max(confirms) })?;
        self.tell(product, [0, r[1] | 1, 1 + (r[2] >> 16 << 8), at[1] + (r[3] >> 16 << 8), 0], true)?;
        if self.model.products[product].trigger.phase == Phase::Final && !one_in(6, r[4]) {
            self.step(Op::OpenIncident { product })?;
            if self.model.clone().apply(&Op::Fund { product }).is_ok() {
                self.step(Op::Fund { product })?;
            }
            for place in 0..3 {
                if let Some(cover) = self.payable(r[4] >> place).filter(|it| self.model.covers[*it].product == product)
                {
                    let op = self.settle(cover, [0, 1, 0, 0, 0]);
                    self.step(op)?;
                }
            }
        }
        Ok(())
    }
}
