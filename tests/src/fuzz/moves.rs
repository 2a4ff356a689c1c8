//! The operations behind actions: amounts, limits, and the ways that take several steps.

use super::action::{Played, index, one_in, part, pick};
use super::driver::{Driver, Failure};
use super::model::{CoverStatus, DAY, N, Phase, Product, day, issue};
use super::op::{Op, Who};
use super::scene::{AUTHORITY, DESIGNS, POOLS, RATES, READINGS, SEASON, SETS, TOKEN, USERS, VAULTS, is_reading};
use backstop::state::{Access, ProductState, Tranche, TreatyKind, TreatyTerms};

impl Driver<'_> {
    pub(super) fn deposit(&self, r: [u64; 5]) -> Op {
        let pool = [0, 0, 0, 1, 1, 2, 2, 3, SEASON, VAULTS][index(10, r[0])];
        let books = &self.model.pools[pool];
        let who = index(USERS, r[1]);
        let tranche = Tranche::BOTH[index(2, r[2])];
        let held = self.model.assets[who][books.asset].unwrap_or(0);
        let amount = match r[3] % 10 {
            0 => 1,
            1 => part(held, r[4]),
            _ => (5 + r[4] % 20_000) * TOKEN[books.asset] + r[4] % 7,
        };
        let admitted = books.access == Access::AllowList && r[3] % 12 != 11;
        Op::Deposit { pool, who, tranche, amount, min_shares: 0, admitted_by: admitted.then_some(AUTHORITY) }
    }

    pub(super) fn contribute(&self, r: [u64; 5]) -> Op {
        let pool = [0, 1, 2, 3, 3, SEASON, VAULTS][index(7, r[0])];
        let amount = r[2] % (20_000 * TOKEN[self.model.pools[pool].asset]);
        Op::Contribute { pool, who: index(USERS, r[1]), amount }
    }

    pub(super) fn request_exit(&mut self, r: [u64; 5]) -> Option<Op> {
        self.model.nonce += 1;
        let nonce = self.model.nonce;
        let (who, pool, tranche, held) = self.shares(r[0])?;
        let ahead = [0, 0, 0, 1, 1, 2][index(6, r[2])];
        Some(Op::RequestExit { pool, who, tranche, shares: part(held, r[1]), ahead, nonce })
    }

    pub(super) fn cancel_exit(&self, ticket: usize, by: Option<Who>) -> Op {
        Op::CancelExit { ticket, by: by.unwrap_or(self.model.tickets[ticket].owner) }
    }

    pub(super) fn claim(&self, ticket: usize, to: Option<Who>) -> Op {
        Op::ClaimExit { ticket, to: to.unwrap_or(self.model.tickets[ticket].owner) }
    }

    pub(super) fn settle_epochs(&mut self, r: [u64; 5]) -> Played {
        let first = index(POOLS, r[0]);
        for pool in (0..POOLS).map(|place| (place + first) % POOLS) {
            if let Some(oldest) = self.model.pools[pool].queue.first().copied() {
                self.step(Op::SettleEpoch { pool, day: oldest, all_cedants: true })?;
            }
        }
        Ok(())
    }

    pub(super) fn open_series(&self, r: [u64; 5]) -> Option<Op> {
        let over: Vec<(usize, Tranche)> = (0..POOLS)
            .flat_map(|pool| Tranche::BOTH.map(|tranche| (pool, tranche)))
            .filter(|(pool, tranche)| self.model.pools[*pool].classes[tranche.index()].over)
            .collect();
        pick(&over, r[0]).map(|(pool, tranche)| Op::OpenSeries { pool, tranche, by: self.model.roles.governance })
    }

    pub(super) fn create_product(&mut self, r: [u64; 5]) -> Played {
        let live = self.model.products.iter().filter(|product| product.state != ProductState::Over).count();
        if live >= 15 {
            return Ok(());
        }
        let (design, by, product) = (index(DESIGNS, r[1]), self.model.roles.governance, self.model.products.len());
        let season = one_in(8, r[0] >> 8);
        let (pool, design) = match () {
            () if season => (SEASON, READINGS[index(2, r[1])]),
            () if one_in(6, r[0] >> 16) => (VAULTS, RATES[index(2, r[1])]),
            () => (index(2, r[0]), design),
        };
        let created = self.step(Op::CreateProduct { pool, design, by })?;
        // Now and then the condition is left for later.
        if created && !one_in(4, r[2]) {
            self.step(match season {
                true => Op::SetReading { product, set: index(SETS.len(), r[3]), by },
                false => Op::SetCondition { product, by },
            })?;
        }
        Ok(())
    }

    pub(super) fn set_condition(&self, r: [u64; 5]) -> Option<Op> {
        let waits = self.product_where(r[0], |product| product.state == ProductState::Announced);
        let any = (0..self.model.products.len()).nth(index(self.model.products.len(), r[1]));
        let by = self.model.roles.governance;
        waits.or(any).map(|product| match is_reading(self.model.products[product].design) {
            true => Op::SetReading { product, set: index(SETS.len(), r[2]), by },
            false => Op::SetCondition { product, by },
        })
    }

    pub(super) fn set_product_state(&self, r: [u64; 5]) -> Option<Op> {
        let frozen = self.product_where(r[0], |product| product.state == ProductState::Frozen);
        let by = self.model.roles.governance;
        if let Some(product) = frozen {
            return Some(Op::SetProductState { product, state: ProductState::Selling, by });
        }
        let state =
            [ProductState::Frozen, ProductState::Frozen, ProductState::RunOff, ProductState::Over][index(4, r[1])];
        self.product(r[0]).map(|product| Op::SetProductState { product, state, by })
    }

    pub(super) fn buy(&mut self, r: [u64; 5]) -> Played {
        let hopeless = r[1] % 16 == 1;
        let sells = |product: &Product| {
            let ended = self.model.pools[product.pool].has_ended(self.model.now);
            product.state == ProductState::Selling
                && (hopeless || !ended)
                && (hopeless || matches!(product.trigger.phase, Phase::Quiet | Phase::Breaching))
        };
        let Some(product) = self.product_where(r[0], sells) else { return Ok(()) };
        if !one_in(10, r[1]) {
            self.print(product, 0)?;
        }
        if one_in(2, r[1]) {
            // Capital of yesterday counts from the first touch of today.
            self.step(Op::Accrue { pool: self.model.products[product].pool })?;
        }
        let entry = &self.model.products[product];
        let token = N::from(TOKEN[self.model.pools[entry.pool].asset]);
        let room = self.model.capacity(product).saturating_sub(self.model.exposure(product));
        let sum = match r[2] % 20 {
            0 => part(room, r[3]),
            1 => 1,
            2..=4 => u64::try_from(room / 2).unwrap_or(0),
            5..=7 => u64::try_from(room * 9 / 10).unwrap_or(0),
            _ => u64::try_from(token * N::from(10 + r[3] % 2_000)).unwrap_or(0),
        };
        let days =
            (3 + (r[4] % 40) as u16).max(entry.terms.min_term_days).min(if one_in(64, r[4]) { 2 } else { u16::MAX });
        let who = index(USERS, r[1] >> 8);
        let receiver = if one_in(5, r[2]) { index(USERS, r[2] >> 8) } else { who };
        self.model.nonce += 1;
        let nonce = self.model.nonce;
        let max_premium = u64::MAX;
        self.step(match one_in(3, r[4] >> 8) {
            true => Op::BuyPosition { product, who, to: receiver, sum, days, max_premium, nonce },
            false => Op::Buy { product, who, receiver, sum, days, max_premium, nonce },
        })?;
        Ok(())
    }

    pub(super) fn close_cover(&mut self, r: [u64; 5]) -> Played {
        let live = |cover: &usize| {
            let cover = &self.model.covers[*cover];
            match cover.status {
                CoverStatus::Live => self.model.is_spent(cover),
                CoverStatus::Settled => true,
                _ => false,
            }
        };
        let spent: Vec<usize> = (0..self.model.covers.len()).filter(live).collect();
        let Some(cover) = pick(&spent, r[0]) else { return Ok(()) };
        let by = self.model.covers[cover].holder;
        self.step(self.close(cover, by)).map(|_| ())
    }

    /// A part of a cover or position becomes one of its own, and sometimes a part of that again.
    pub(super) fn split(&mut self, r: [u64; 5]) -> Played {
        let Some((mut cover, mut by)) = self.held_cover(r[0]) else { return Ok(()) };
        for place in 0..1 + r[1] % 3 {
            let Some(new) = self.split_one(cover, by, [r[2] >> (8 * place), r[3] >> (9 * place)])? else {
                return Ok(());
            };
            if one_in(2, r[4] >> place) {
                (cover, by) = (new, self.model.covers[new].holder.unwrap_or(by));
            }
        }
        Ok(())
    }

    pub(super) fn settle(&self, cover: usize, r: [u64; 5]) -> Op {
        if let Some(to) = self.model.covers[cover].pays {
            return Op::SettlePosition { cover, to };
        }
        let holder = self.model.covers[cover].holder.unwrap_or(0);
        let signed = one_in(3, r[1]);
        let to = if signed { index(USERS, r[2]) } else { holder };
        Op::Settle { cover, holder, to, signed }
    }

    pub(super) fn create_treaty(&self, r: [u64; 5]) -> Op {
        let (cedant, reinsurer) = (if one_in(12, r[0]) { 1 } else { 0 }, 2 + index(2, r[1]));
        let now = self.model.now;
        let notice = self.model.pools[cedant].notice(now).max(self.model.pools[reinsurer].notice(now));
        let start_day = day(notice) + 1 + (r[2] % 3) as u32;
        // Half of them where the quota share in force ends, or would end.
        let last = self.model.pools[cedant].quota_shares.last().map(|(treaty, _)| &self.model.treaties[*treaty]);
        let next = last.filter(|last| r[3].is_multiple_of(5) && last.end_day > day(notice));
        let start_day = next.map_or(start_day, |last| last.end_day);
        let end_day = start_day + 1 + (r[2] >> 8) as u32 % 60;
        let kind = match r[3] % 5 {
            0 | 1 => TreatyKind::QuotaShare {
                cession_bps: 1 + (r[3] >> 8) as u16 % 9_000,
                commission_bps: (r[3] >> 32) as u16 % 4_000,
            },
            _ => TreatyKind::ExcessOfLoss {
                attachment: (r[3] >> 8) % 6 * 1_000 * TOKEN[0],
                rate_on_line_bps: 45 + (r[3] >> 24) as u16 % 1_000,
                reinstatements: (r[3] >> 40) as u8 % 3,
                reinstatement_premium_bps: (r[3] >> 48) as u16 % 20_000,
            },
        };
        // Half of these on the same terms.
        let kind = next.filter(|_| one_in(2, r[3] >> 40)).map_or(kind, |last| last.kind);
        let limit = (1 + r[4] % 8) * [500, 2_500][index(2, r[4] >> 8)] * TOKEN[0];
        let terms = TreatyTerms { kind, limit, start_day, end_day };
        Op::CreateTreaty { cedant, reinsurer, terms, by: self.model.roles.governance }
    }

    /// The whole way to a treaty: capital where it is asked for, the announcement, the notice, exits, acceptance.
    pub fn reinsure(&mut self, r: [u64; 5]) -> Played {
        let Op::CreateTreaty { cedant, reinsurer, terms, by } = self.create_treaty([1, r[1], r[2], r[3], r[4]]) else {
            return Ok(());
        };
        let who = index(USERS, r[0]);
        let premium = match terms.kind {
            TreatyKind::ExcessOfLoss { rate_on_line_bps, .. } => terms.limit / 10_000 * u64::from(rate_on_line_bps),
            TreatyKind::QuotaShare { .. } => 0,
        };
        self.step(Op::Contribute { pool: cedant, who, amount: 2 * premium + 1 })?;
        // Mostly just what the reinsurer lacks for the limit, so that it has no room for a restored one.
        let books = &self.model.pools[reinsurer];
        let open = self.model.required(reinsurer) + N::from(terms.limit);
        let lacks = (open * N::from(books.terms.solvency_bps)).div_ceil(10_000).saturating_sub(books.staying());
        let lacks = u64::try_from(lacks).unwrap_or(0);
        let amount = if one_in(3, r[0] >> 8) { terms.limit } else { lacks } + 1;
        self.step(Op::Contribute { pool: reinsurer, who, amount })?;
        let treaty = self.model.treaties.len();
        if !self.step(Op::CreateTreaty { cedant, reinsurer, terms, by })? {
            return Ok(());
        }
        let notice = self.model.treaties[treaty].notice_until;
        if notice > self.model.now {
            self.step(Op::Time { to: notice })?;
        }
        self.print_all(false)?;
        self.settle_epochs(r)?;
        self.step(Op::AcceptTreaty { treaty, by })?;
        Ok(())
    }

    /// Sells nearly all that a product can cover. Returns the product and the buyer.
    fn sell_out(&mut self, r: [u64; 5]) -> Result<Option<(usize, Who)>, Failure> {
        let sells = |product: &Product| product.state == ProductState::Selling && product.trigger.phase == Phase::Quiet;
        let Some(product) = self.product_where(r[0], sells) else { return Ok(None) };
        self.sell_product_out(product, r).map(|buyer| Some((product, buyer)))
    }

    fn sell_product_out(&mut self, product: usize, r: [u64; 5]) -> Result<Who, Failure> {
        let pool = self.model.products[product].pool;
        self.print(product, 0)?;
        self.step(Op::Accrue { pool })?;
        let room = self.model.capacity(product).saturating_sub(self.model.exposure(product));
        let most = self.model.left_now(product).min(N::from(self.model.products[product].terms.max_sum_insured));
        let sum = u64::try_from((room * N::from(90 + r[1] % 11) / 100).min(most)).unwrap_or(0);
        self.model.nonce += 1;
        let (who, nonce) = (index(USERS, r[2]), self.model.nonce);
        let days = 3 + (r[2] >> 8) as u16 % 25;
        self.step(Op::Buy { product, who, receiver: who, sum, days, max_premium: u64::MAX, nonce })?;
        Ok(who)
    }

    /// A pool that insured more than it has, because its groups should not fail together, and then they do. Somebody is in a
    /// hurry to fund the first incident.
    pub(super) fn ruin(&mut self, r: [u64; 5]) -> Played {
        let together: Vec<usize> = (0..self.model.products.len())
            .filter(|product| {
                let entry = &self.model.products[*product];
                (entry.pool, entry.trigger.feed, entry.state) == (1, 0, ProductState::Selling)
            })
            .collect();
        for product in &together {
            self.sell_product_out(*product, [r[0], 10, r[2], r[3], r[4]])?;
        }
        self.step(Op::Time { to: self.model.now + 4 * DAY })?;
        self.print_all(false)?;
        let insured: Vec<usize> = together.iter().copied().filter(|it| self.model.exposure(*it) > 0).collect();
        let Some(target) = pick(&insured, r[0]) else { return Ok(()) };
        self.depeg(target, [r[0], 2 * (r[1] >> 1), r[2], r[3], r[4] | 2])?;
        for product in together {
            let entry = &self.model.products[product];
            if entry.trigger.phase.is_triggered() && entry.incident.is_none() {
                self.step(Op::OpenIncident { product })?;
                self.step(Op::Fund { product })?;
            }
        }
        Ok(())
    }

    /// A pool that is sold out when somebody large wants to leave: the epoch is paid in parts, as capital comes free.
    pub(super) fn squeeze(&mut self, r: [u64; 5]) -> Played {
        let Some((product, who)) = self.sell_out(r)? else { return Ok(()) };
        let pool = self.model.products[product].pool;
        self.model.nonce += 1;
        let nonce = self.model.nonce;
        let largest = self.model.shares.iter().filter(|((_, of, tranche, series), _)| {
            *of == pool && self.model.pools[pool].classes[*tranche].series == *series
        });
        let Some((&(owner, _, tranche, _), &held)) = largest.max_by_key(|(_, held)| **held) else { return Ok(()) };
        let shares = u64::try_from(held).unwrap_or(u64::MAX) / (1 + r[3] % 2);
        let tranche = Tranche::BOTH[tranche];
        self.step(Op::RequestExit { pool, who: owner, tranche, shares, ahead: 0, nonce })?;
        for part in 0..3 {
            self.step(Op::Time { to: self.model.now + [4, 1, 8][part] * DAY })?;
            self.print_all(false)?;
            self.settle_epochs(r)?;
            // Some more capital: from a deposit, a gift, or covers that end.
            let amount = (10 + (r[4] >> (8 * part)) % 3_000) * TOKEN[self.model.pools[pool].asset] + r[4] % 9;
            self.step(match (r[3] >> (8 + part)) % 2 {
                0 => Op::Contribute { pool, who, amount },
                _ => Op::Sync { product },
            })?;
        }
        self.settle_epochs(r)
    }

    /// Somebody in a hurry: calls the treaties of one incident alone and has it funded before anybody else's, or waits
    /// until the time for treaties is over. It must bring nobody more than the others.
    pub(super) fn first_caller(&mut self, r: [u64; 5]) -> Played {
        let Some(product) = self.incident(r[0], |incident| incident.crisis != 0) else { return Ok(()) };
        if one_in(4, r[1]) {
            self.step(Op::Time { to: self.model.now + 2 * DAY })?;
        }
        let noted = |driver: &Self| -> Vec<usize> {
            let incident = driver.model.products[product].incident.as_ref();
            incident.map_or(Vec::new(), |incident| incident.noted.iter().map(|noted| noted.treaty).collect())
        };
        if one_in(2, r[2]) {
            for treaty in noted(self) {
                self.step(Op::CallTreaty { treaty, product })?;
            }
        }
        self.step(Op::Fund { product })?;
        if let Some(cover) = self.payable(r[3]).filter(|cover| self.model.covers[*cover].product == product) {
            let op = self.settle(cover, [0, r[3] >> 8, r[4], 0, 0]);
            self.step(op)?;
        }
        Ok(())
    }

    pub(super) fn cede(&mut self, r: [u64; 5]) -> Played {
        let by = self.model.roles.governance;
        if !self.model.cessions.contains_key(&0) {
            let amount = part(self.model.pools[0].surplus, r[3]);
            self.step(Op::AnnounceCession { cedant: 0, reinsurer: 2 + index(2, r[4]), amount, by })?;
        }
        let Some(cession) = self.model.cessions.get(&0) else { return Ok(()) };
        // Mostly governance waits for its moment, and for exits to be paid.
        if !one_in(4, r[0]) && cession.from > self.model.now {
            self.step(Op::Time { to: cession.from + (r[1] % 600_000) as i64 })?;
            self.print_all(false)?;
            self.settle_epochs(r)?;
        }
        // Half the time the pool is sold out by then: it needs its surplus.
        if one_in(2, r[2]) {
            let sells = |product: &usize| {
                let entry = &self.model.products[*product];
                entry.pool == 0 && entry.state == ProductState::Selling && entry.trigger.phase == Phase::Quiet
            };
            for product in (0..self.model.products.len()).filter(sells).collect::<Vec<_>>() {
                self.sell_product_out(product, [r[0], 10, r[2], r[3], r[4]])?;
            }
        }
        self.step(Op::CedeSurplus { cedant: 0, by }).map(|_| ())
    }

    pub(super) fn stale_limits(&mut self, r: [u64; 5]) -> Option<Op> {
        if one_in(2, r[0]) {
            let Op::Deposit { pool, who, tranche, amount, admitted_by, .. } = self.deposit([r[1], r[2], r[3], 5, r[4]])
            else {
                return None;
            };
            let class = &self.model.pools[pool].classes[tranche.index()];
            let fair = issue(amount.into(), class.shares, class.assets).ok()?;
            let min_shares = u64::try_from(fair + 1).ok()?;
            return Some(Op::Deposit { pool, who, tranche, amount, min_shares, admitted_by });
        }
        let product = self.product(r[1])?;
        let sum = 100 * TOKEN[self.model.pools[self.model.products[product].pool].asset];
        let price = self.model.quote(product, sum, 7).ok()?;
        self.model.nonce += 1;
        let (max_premium, nonce) = (u64::try_from(price - 1).ok()?, self.model.nonce);
        let who = index(USERS, r[2]);
        Some(Op::Buy { product, who, receiver: who, sum, days: 7, max_premium, nonce })
    }
}
