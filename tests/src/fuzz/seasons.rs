//! A season: covers of readings, what attestors report of them, who contradicts himself, and how it ends.

use super::action::{Played, index, one_in, part, pick};
use super::driver::Driver;
use super::model::{DAY, N, Phase, day, start};
use super::op::Op;
use super::scene::{READINGS, SEASON, SETS, TOKEN, USERS};
use backstop::peril::evidence::Direction;
use backstop::state::{ProductState, Tranche};

/// One of a value, in 1e-8.
const E8: u64 = 100_000_000;

impl Driver<'_> {
    /// The season's products: a reading by each set, and one that listens to prices.
    pub fn announce_season(&mut self) -> Played {
        let by = self.model.roles.governance;
        for (set, design) in [READINGS[0], READINGS[1], READINGS[0]].into_iter().enumerate() {
            let product = self.model.products.len();
            self.must(Op::CreateProduct { pool: SEASON, design, by })?;
            self.must(Op::SetReading { product, set, by })?;
        }
        let product = self.model.products.len();
        self.must(Op::CreateProduct { pool: SEASON, design: 0, by })?;
        self.must(Op::SetCondition { product, by })
    }

    /// Capital for the season.
    pub fn endow_season(&mut self, r: [u64; 5]) -> Played {
        for (tranche, who) in [(Tranche::Junior, 0), (Tranche::Senior, 1)] {
            let amount = (2_000 + (r[who] % 20_000)) * TOKEN[0];
            self.step(Op::Deposit { pool: SEASON, who, tranche, amount, min_shares: 0, admitted_by: None })?;
        }
        Ok(())
    }

    /// The first second of the next day.
    pub fn next_day(&mut self) -> Played {
        self.step(Op::Time { to: start(day(self.model.now) + 1) }).map(|_| ())
    }

    /// A reading of which this holds.
    fn reading_where(&self, r: u64, test: impl Fn(usize) -> bool) -> Option<usize> {
        let readings: Vec<usize> = self.model.readings(SEASON).filter(|product| test(*product)).collect();
        pick(&readings, r)
    }

    /// Buys a cover or a position of a reading: mostly for its days.
    pub fn buy_reading(&mut self, r: [u64; 5]) -> Played {
        let hopeless = one_in(12, r[1]);
        let sells = |product: usize| {
            let waiting = i64::from(self.model.products[product].terms.waiting_seconds);
            let (begins, _) = self.model.reading(product).expect("it is one").period();
            hopeless
                || self.model.products[product].state == ProductState::Selling
                    && self.model.now + waiting <= start(begins)
        };
        let Some(product) = self.reading_where(r[0], sells) else { return Ok(()) };
        self.step(Op::Accrue { pool: SEASON })?;
        let (begins, end) = self.model.reading(product).expect("it is one").period();
        let days = (end - begins) as u16 + u16::from(one_in(16, r[2]));
        let room = self.model.capacity(product).saturating_sub(self.model.exposure(product));
        let room = room.min(self.model.left_now(product));
        let sum = match r[3] % 6 {
            0 => part(room, r[3] >> 8),
            1..=3 => u64::try_from(room / N::from(2 + r[3] % 5)).unwrap_or(0),
            _ => (10 + (r[3] >> 8) % 500) * TOKEN[0],
        };
        self.model.nonce += 1;
        let (who, nonce, max_premium) = (index(USERS, r[4]), self.model.nonce, u64::MAX);
        let receiver = if one_in(4, r[2] >> 8) { index(USERS, r[2] >> 16) } else { who };
        self.step(match one_in(3, r[4] >> 8) {
            true => Op::BuyPosition { product, who, to: receiver, sum, days, max_premium, nonce },
            false => Op::Buy { product, who, receiver, sum, days, max_premium, nonce },
        })?;
        Ok(())
    }

    /// A cover of a reading is given back, or a part of it.
    pub(super) fn give_reading_back(&mut self, r: [u64; 5]) -> Played {
        let of_reading = |cover: &usize| self.model.reading(self.model.covers[*cover].product).is_some();
        let held: Vec<usize> = (0..self.model.covers.len()).filter(of_reading).collect();
        let held: Vec<usize> = held.into_iter().filter(|cover| self.model.covers[*cover].holder.is_some()).collect();
        let Some(cover) = pick(&held, r[0]) else { return Ok(()) };
        let by = self.model.covers[cover].holder.expect("it is held");
        let reduces = self.model.covers[cover].pays.is_some() && one_in(2, r[1]);
        self.step(match reduces {
            true => Op::Reduce { cover, left: part(self.model.covers[cover].sum, r[2]), by },
            false => self.give_back(cover, by),
        })?;
        Ok(())
    }

    /// Whether a report of a reading is awaited, or one stands.
    fn is_awaited(&self, product: usize) -> bool {
        let reading = self.model.reading(product).expect("it is one");
        let open = self.model.products[product].trigger.phase != Phase::Final;
        open && self.model.now >= reading.input.due_at && self.model.now <= reading.told.until
    }

    /// What attestors say of a reading: mostly the truth in time, signed by enough.
    pub(super) fn report(&mut self, r: [u64; 5]) -> Played {
        let open = |product: usize| self.model.products[product].trigger.phase != Phase::Final;
        let due = |product: usize| {
            open(product) && self.model.now >= self.model.reading(product).expect("it is one").input.due_at
        };
        let target =
            self.reading_where(r[0], due).or_else(|| self.reading_where(r[0], open).filter(|_| one_in(6, r[0] >> 8)));
        let target = target.or_else(|| self.reading_where(r[0], |_| true).filter(|_| one_in(6, r[0] >> 16)));
        match target {
            Some(product) => self.say(product, r).map(|_| ()),
            None => Ok(()),
        }
    }

    /// A report of a reading. Whether it was taken.
    fn say(&mut self, product: usize, r: [u64; 5]) -> Result<bool, super::driver::Failure> {
        let reading = self.model.reading(product).expect("it is one");
        let set = &self.model.sets[reading.set];
        // Each season has its truth, and few say something else.
        let truth = (product as u64 * 7 + self.model.nonce / 400) % 16;
        let said = if one_in(10, r[1]) { r[1] >> 8 } else { truth } % 16;
        let value = match reading.input.direction {
            Direction::Below => said * 10 * E8,
            Direction::Above => said * 15 * E8 + 1,
        };
        let confidence = if one_in(10, r[1] >> 16) { E8 } else { 7 };
        let value = if one_in(40, r[1] >> 24) { -1 } else { value as i64 };
        let mut keys = if one_in(12, r[2]) { (0..set.keys).collect() } else { set.live() };
        let first = index(keys.len(), r[2] >> 8);
        keys.rotate_left(first);
        let many = if one_in(10, r[2] >> 16) { set.threshold - 1 } else { set.threshold + index(2, r[2] >> 24) };
        let signers = keys.iter().take(many).map(|key| 1 << key).sum();
        let at = reading.input.due_at - i64::from(one_in(24, r[3]));
        self.step(Op::Report { product, value, confidence, at, signers })
    }

    /// A key contradicts itself: mostly one that has signed what stands, and seldom so many that a set dies.
    pub(super) fn equivocate(&mut self, r: [u64; 5]) -> Played {
        let stands = |product: usize| self.model.products[product].trigger.phase == Phase::Met;
        let standing = self.reading_where(r[0], stands);
        let signed = standing.and_then(|product| {
            let reading = self.model.reading(product)?;
            let (.., signers) = reading.told.report.as_ref()?;
            pick(&signers.iter().copied().collect::<Vec<_>>(), r[1]).map(|key| (reading.set, key))
        });
        let set = index(SETS.len(), r[2]);
        let (set, key) = match signed.filter(|_| !one_in(4, r[3])) {
            Some(signed) => signed,
            None if one_in(3, r[3] >> 8) => (set, index(self.model.sets[set].keys, r[1])),
            None => return Ok(()),
        };
        self.step(Op::Equivocate { set, key }).map(|_| ())
    }

    /// So many keys of a set contradict themselves that nobody can report any more, now and then; whoever likes runs off a
    /// product of attestors then, and before.
    pub(super) fn retire(&mut self, r: [u64; 5]) -> Played {
        let set_of = |driver: &Self, product: usize| {
            let of_vaults = driver.model.vaults(product).map(|vaults| vaults.set);
            driver.model.reading(product).map(|reading| reading.set).or(of_vaults)
        };
        let attested = |product: &usize| set_of(self, *product).is_some();
        let attested: Vec<usize> = (0..self.model.products.len()).filter(attested).collect();
        let Some(product) = pick(&attested, r[0]) else { return Ok(()) };
        let set = set_of(self, product).expect("it has attestors");
        while one_in(2, r[1]) && self.model.sets[set].is_alive() {
            let key = self.model.sets[set].live()[0];
            self.step(Op::Equivocate { set, key })?;
        }
        self.step(Op::Retire { product }).map(|_| ())
    }

    pub(super) fn resolve(&mut self, r: [u64; 5]) -> Played {
        let over = |product: usize| self.model.products[product].trigger.phase == Phase::Final;
        let open = self.reading_where(r[0], |product| !over(product));
        match open.or_else(|| self.reading_where(r[0], |_| one_in(8, r[1]))) {
            Some(product) => self.step(Op::Resolve { product }).map(|_| ()),
            None => Ok(()),
        }
    }

    /// The season comes to its end: once its periods are near the days pass, attestors report or are silent, readings are
    /// resolved, and what is due is opened, funded and paid.
    pub(super) fn harvest(&mut self, r: [u64; 5]) -> Played {
        let near = self.model.locks_from(SEASON).is_some_and(|from| self.model.now >= from);
        let open = |driver: &Self| {
            driver.reading_where(r[0], |product| driver.model.products[product].trigger.phase != Phase::Final)
        };
        let Some(product) = open(self).filter(|_| near) else { return Ok(()) };
        let input = self.model.reading(product).expect("it is one").input;
        if self.model.now < input.due_at {
            self.step(Op::Time { to: input.due_at + (r[1] % 7_200) as i64 })?;
            // Somebody tries to come, to leave, and to be paid while all of it is locked.
            let deposit = Op::Deposit {
                pool: SEASON,
                who: index(USERS, r[2]),
                tranche: Tranche::Senior,
                amount: 100 * TOKEN[0],
                min_shares: 0,
                admitted_by: None,
            };
            self.step(deposit)?;
            self.settle_epochs(r)?;
            self.step(Op::Refresh { product })?;
        }
        // Attestors report what is due, but for a reading now and then; and somebody contradicts himself.
        let due: Vec<usize> = self.model.readings(SEASON).filter(|product| self.is_awaited(*product)).collect();
        for (place, product) in due.into_iter().enumerate() {
            if one_in(4, r[3] >> (4 * place)) {
                continue;
            }
            self.say(product, [0, r[1] >> place, r[2] >> place, 1, 0])?;
            if one_in(3, r[4] >> (4 * place)) {
                self.step(Op::Time { to: self.model.now + (r[4] >> 8) as i64 % (DAY / 2) })?;
                self.equivocate([r[0] >> place, r[1] >> 32, r[2], 1, 0])?;
                if one_in(2, r[4] >> (16 + place)) {
                    self.step(Op::Resolve { product })?;
                }
                self.say(product, [0, 1, r[2] >> 32 | 1, 1, 0])?;
            }
        }
        let told = &self.model.reading(product).expect("it is one").told;
        let until = told.report.as_ref().map_or(told.until + 1, |(_, at, _)| at + 3 * DAY);
        // On the second, or a second early.
        let to = (until - i64::from(one_in(6, r[4] >> 24))).max(self.model.now);
        self.step(Op::Time { to })?;
        if self.step(Op::Resolve { product })? && self.model.products[product].trigger.phase == Phase::Final {
            self.step(Op::OpenIncident { product })?;
            if self.model.clone().apply(&Op::Fund { product }).is_ok() {
                self.step(Op::Fund { product })?;
            }
            for place in 0..3 {
                if let Some(cover) = self.payable(r[2] >> place).filter(|it| self.model.covers[*it].product == product)
                {
                    let op = self.settle(cover, [0, 1, 0, 0, 0]);
                    self.step(op)?;
                }
            }
        }
        Ok(())
    }
}
