//! Live rates: what a stake pool and a lending reserve say of themselves, who shows it and how, and what becomes of it.

use super::action::{Played, index, one_in, pick};
use super::driver::{Driver, Failure};
use super::live::{How, Program, Says};
use super::model::{APART, Phase};
use super::op::Op;
use super::scene::{RATES, VAULTS};
use backstop::peril::evidence::Terms;
use backstop::state::ProductState;

/// One, in the parts in a million by which an account changes.
const WHOLE: u64 = 1_000_000;

impl Driver<'_> {
    /// A product on each live rate, and the showings that they are measured by.
    pub fn found_rates(&mut self) -> Played {
        let by = self.model.roles.governance;
        for design in RATES {
            let product = self.model.products.len();
            self.must(Op::CreateProduct { pool: VAULTS, design, by })?;
            self.must(Op::SetCondition { product, by })?;
        }
        self.watch_rates()
    }

    fn rate_where(&self, r: u64, test: impl Fn(usize) -> bool) -> Option<usize> {
        let of = |product: &usize| self.model.rate(*product).is_some() && test(*product);
        let found: Vec<usize> = (0..self.model.products.len()).filter(of).collect();
        pick(&found, r)
    }

    fn is_open(&self, product: usize) -> bool {
        let entry = &self.model.products[product];
        entry.state != ProductState::Over && !entry.trigger.phase.is_triggered()
    }

    fn program(&self, product: usize) -> Program {
        self.model.rate(product).expect("it is a rate").program
    }

    /// What a product's account says, once somebody has brought it up to the epoch, as anyone may.
    pub(super) fn says(&self, product: usize) -> Says {
        let program = self.program(product);
        let says = self.accounts.get(&product).copied().unwrap_or_else(|| Says::at_first(program));
        Says { epoch: self.model.epoch, ..says }
    }

    /// What an account has becomes so many parts in a million of it. Whoever gives does not do so without end.
    fn change(&mut self, product: usize, parts: u64) {
        let says = self.says(product);
        if parts <= WHOLE || says.there < 1 << 50 {
            self.accounts.insert(product, says.times(parts));
        }
    }

    /// An honest crank shows all rates, in a slot of the longest.
    pub(super) fn watch_rates(&mut self) -> Played {
        let open = |product: &usize| self.model.rate(*product).is_some() && self.is_open(*product);
        let mut rates: Vec<usize> = (0..self.model.products.len()).filter(open).collect();
        rates.sort_by_key(|product| std::cmp::Reverse(self.model.products[*product].trigger.terms.slot_seconds));
        self.show_slot(&rates)
    }

    /// Buys a cover or a position of a product on a rate, which is shown before.
    pub fn buy_of_rates(&mut self, r: [u64; 5]) -> Played {
        let sells = |product: usize| one_in(10, r[1]) || self.model.products[product].state == ProductState::Selling;
        let Some(product) = self.rate_where(r[0], |product| self.is_open(product) && sells(product)) else {
            return Ok(());
        };
        self.buy_live(product, 5, r)
    }

    /// An account lives: rewards and interest, deposits and withdrawals, fees that come and go, small losses, a gift.
    pub(super) fn drift_rate(&mut self, r: [u64; 5]) -> Played {
        let Some(product) = self.rate_where(r[0], |product| self.is_open(product)) else { return Ok(()) };
        let says = self.says(product);
        match r[1] % 8 {
            0..=2 => self.change(product, WHOLE + r[2] % 2_000),
            3 => drop(self.accounts.insert(product, says.resized(WHOLE + r[2] % 500_000))),
            4 => drop(self.accounts.insert(product, says.resized(WHOLE - r[2] % 300_000))),
            5 => {
                let fees = says.lent / 1_000 * u128::from(r[2] % 3);
                self.accounts.insert(product, Says { fees, ..says });
            }
            6 => self.change(product, WHOLE - r[2] % 15_000),
            _ => self.change(product, WHOLE + r[2] % 300_000),
        }
        // Or nobody looks.
        match r[3] % 3 {
            0 => self.show_slot(&[product]),
            1 => self.show(product).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The next epoch. Somebody shows stake pools that nobody has updated, or that one says is ahead.
    pub(super) fn next_epoch(&mut self, r: [u64; 5]) -> Played {
        self.step(Op::Epoch { to: self.model.epoch + 1 })?;
        let is_pool = |product: usize| self.program(product) == Program::StakePool;
        if let Some(product) = self.rate_where(r[0], is_pool).filter(|_| !one_in(4, r[1])) {
            let epoch = if one_in(6, r[2]) { self.model.epoch + 1 } else { self.model.epoch - 1 };
            let says = Says { epoch, ..self.says(product) };
            self.step(Op::ShowRate { product, says, how: How::Alone })?;
        }
        if one_in(2, r[3]) { self.watch_rates() } else { Ok(()) }
    }

    /// Somebody shows rates as he likes: what an account says for a moment, once, twice, or too near to one another; in
    /// company, called by a program, of another program, another account, or what nobody can read.
    pub(super) fn flash_rate(&mut self, r: [u64; 5]) -> Played {
        // Of some nothing was shown yet, and some are over: both are shown too.
        let Some(product) = self.rate_where(r[0], |product| one_in(8, r[1] >> 32) || self.is_open(product)) else {
            return Ok(());
        };
        for place in 0..1 + r[1] % 4 {
            let bits = r[2].rotate_left(13 * place as u32);
            let truth = self.says(product);
            let says = match bits % 12 {
                0 => truth.times(0),
                1 => truth.times(3 * WHOLE),
                2 => truth.times(WHOLE / 2),
                3 => truth.times(WHOLE - 1_000 * (35 + (bits >> 8) % 14)),
                4 => truth.times(WHOLE + 1),
                5 if one_in(3, bits >> 16) => Says { shares: 0, ..truth },
                6 if one_in(3, bits >> 16) => Says { there: u64::MAX, shares: 1, ..truth },
                _ => truth,
            };
            let bits = r[3].rotate_left(11 * place as u32);
            let how = match bits % 16 {
                0 => How::Twice,
                1 => How::Among,
                2..=6 => How::REFUSED[index(How::REFUSED.len(), bits >> 8)],
                _ => How::Alone,
            };
            self.make_room(product)?;
            self.step(Op::ShowRate { product, says, how })?;
            let bits = r[4].rotate_left(7 * place as u32);
            if one_in(2, bits) {
                self.step(Op::Skip { slots: [1, APART - 1, APART][index(3, bits >> 4)] })?;
            }
            if one_in(4, bits >> 16) {
                self.step(Op::Time { to: self.model.now + 1 + (bits >> 24) as i64 % 400 })?;
            }
        }
        Ok(())
    }

    /// A slot in which a rate is shown as a breach, as above the threshold, and as recovered, in any order, each so far from the
    /// others that it counts, or some seconds too near.
    pub(super) fn mixed(&mut self, r: [u64; 5]) -> Played {
        let Some(product) = self.rate_where(r[0], |product| self.is_open(product)) else { return Ok(()) };
        let peak = self.model.rate(product).map_or(0, |rate| rate.peak);
        let truth = self.says(product);
        let level = super::model::rate(&truth).map_or(0, |[down, _]| down);
        if level == 0 || peak == 0 {
            return Ok(());
        }
        let Terms { threshold, recovery, slot_seconds, .. } = self.model.products[product].trigger.terms;
        let slot = i64::from(slot_seconds);
        self.step(Op::Time { to: (self.model.now / slot + 1) * slot })?;
        for place in 0..3 + r[1] % 3 {
            let bits = r[2].rotate_left(9 * place as u32);
            // Of the peak, in parts of a million.
            let to = match bits % 4 {
                0 => threshold / 100 - 5_000,
                1 => (threshold + recovery) / 200,
                _ => recovery / 100 + 5_000,
            };
            let parts = u64::try_from(u128::from(to) * peak / level).unwrap_or(WHOLE);
            self.step(Op::ShowRate { product, says: truth.times(parts), how: How::Alone })?;
            self.step(Op::Skip { slots: APART - u64::from(one_in(8, bits >> 8)) })?;
            let later = slot / 10 * [1, 2, 3, 6][index(4, bits >> 16)] / 2;
            let later = if one_in(4, bits >> 24) { slot / 10 - self.model.now % slot } else { later };
            if later > 0 && self.model.now % slot + later < slot {
                self.step(Op::Time { to: self.model.now + later })?;
            }
        }
        Ok(())
    }

    /// A rate falls: by a little, beyond the threshold or far, for long enough or not, now and then seen late or shown as
    /// what it is not, and comes back or stays.
    pub(super) fn slip(&mut self, r: [u64; 5]) -> Result<Option<usize>, Failure> {
        self.slip_with(r, |slot| (r[3] >> slot).is_multiple_of(9))
    }

    fn slip_with(&mut self, r: [u64; 5], missed: impl Fn(u64) -> bool) -> Result<Option<usize>, Failure> {
        let insured = |product: usize| self.is_open(product) && self.model.exposure(product) > 0;
        let target = self.rate_where(r[0], insured);
        let Some(product) = target.or_else(|| self.rate_where(r[0], |it| self.is_open(it))) else { return Ok(None) };
        let before = self.says(product);
        let left = match r[1] % 9 {
            0 => 0,
            1 => 960_000,
            2 => 971_000,
            3..=5 => 850_000 + (r[1] >> 8) % 100_000,
            _ => 300_000 + (r[1] >> 8) % 600_000,
        };
        self.change(product, left);
        let terms = self.model.products[product].trigger.terms;
        let slot = i64::from(terms.slot_seconds);
        let lasts = u64::from(terms.need);
        let slots = match r[2] % 2 {
            0 => 1 + (r[2] >> 8) % (lasts - 1),
            _ => lasts + u64::from(terms.tolerance),
        };
        for place in 0..slots {
            match missed(place) {
                true => self.step(Op::Time { to: self.model.now + slot }).map(|_| ())?,
                false => self.show_slot(&[product])?,
            }
            if self.model.products[product].trigger.phase == Phase::Met {
                break;
            }
        }
        if one_in(2, r[4] >> 24) {
            self.begin_anew(product)?;
        }
        if !one_in(5, r[4]) {
            self.accounts.insert(product, before);
            // Some show at once that it is back, and that may contradict: in the next slots, or in this one.
            if one_in(3, r[4] >> 8) {
                for _ in 0..1 + r[4] % 2 {
                    self.show_slot(&[product])?;
                }
            } else if !one_in(3, r[4] >> 16) {
                for later in [slot / 8, slot / 8] {
                    self.show(product)?;
                    self.step(Op::Skip { slots: APART })?;
                    self.step(Op::Time { to: self.model.now + later })?;
                }
                self.show(product)?;
            }
        }
        Ok(Some(product))
    }

    /// An alert that nobody has looked at for so long that it is over, within a slot in which the breach is shown before
    /// that and after it: another begins.
    fn begin_anew(&mut self, product: usize) -> Played {
        let trigger = &self.model.products[product].trigger;
        if trigger.phase != Phase::Breaching {
            return Ok(());
        }
        let terms = trigger.terms;
        let slot = i64::from(terms.slot_seconds);
        let later = i64::from(terms.tolerance) + i64::from(terms.challenge) / (2 * slot) + 2;
        self.step(Op::Time { to: (self.model.now / slot + later) * slot })?;
        for _ in 0..2 {
            self.show(product)?;
            self.step(Op::Skip { slots: APART })?;
            self.step(Op::Time { to: self.model.now + slot / 2 + 1 })?;
        }
        Ok(())
    }

    /// A loss from its beginning to its payout: it lasts, is proven, goes on or not, and what is due is paid.
    pub(super) fn slash(&mut self, r: [u64; 5]) -> Played {
        // Half of them not all the way, so that they can deepen.
        let depth = if one_in(2, r[1]) { 4 } else { 7 };
        let fall = [r[0], depth + r[1] / 2304 * 2304, 1, 0, 5 << 24];
        let Some(product) = self.slip_with(fall, |slot| slot == 3 && one_in(2, r[2] >> 16))? else { return Ok(()) };
        let terms = self.model.products[product].trigger.terms;
        if self.model.products[product].trigger.phase != Phase::Met {
            return Ok(());
        }
        let (slot, challenge) = (i64::from(terms.slot_seconds), i64::from(terms.challenge));
        let proven_at = (self.model.products[product].trigger.window.1 + 1) * slot + challenge;
        // In the run-on it falls further.
        if terms.run_on > 0 && one_in(2, r[2]) {
            self.change(product, 700_000);
            for _ in 0..1 + (r[2] >> 8) % 4 {
                self.show_slot(&[product])?;
            }
        }
        // A second early, or on the second.
        self.step(Op::Time { to: self.model.now.max(proven_at - i64::from(one_in(6, r[3]))) })?;
        self.step(Op::Confirm { product })?;
        if self.model.products[product].trigger.phase == Phase::Triggered && one_in(2, r[3] >> 8) {
            self.step(Op::Time { to: self.model.now + i64::from(terms.run_on) + challenge })?;
            self.step(Op::Refresh { product })?;
        }
        if self.model.products[product].trigger.phase.is_triggered() && !one_in(6, r[4]) {
            self.step(Op::OpenIncident { product })?;
            if self.model.clone().apply(&Op::Fund { product }).is_ok() {
                self.step(Op::Fund { product })?;
            }
            for place in 0..3 {
                let cover = self.payable(r[4] >> place).filter(|it| self.model.covers[*it].product == product);
                if let Some(cover) = cover {
                    let op = self.settle(cover, [0, 1, 0, 0, 0]);
                    self.step(op)?;
                }
            }
        }
        Ok(())
    }
}
