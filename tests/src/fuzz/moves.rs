//! The operations behind actions: amounts, limits, and the ways that take several steps.

use super::action::{Played, index, one_in, part, pick};
use super::driver::Driver;
use super::model::{CoverStatus, DAY, N, Phase, Product, day, issue};
use super::op::{Op, Who};
use super::scene::{AUTHORITY, DESIGNS, PEOPLE, TOKEN, USERS};
use backstop::state::{Access, ProductState, Tranche, TreatyKind, TreatyTerms};

impl Driver<'_> {
    pub(super) fn deposit(&self, r: [u64; 5]) -> Op {
        let pool = [0, 0, 0, 1, 1, 2, 2, 3][index(8, r[0])];
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
        let pool = [0, 1, 2, 3, 3][index(5, r[0])];
        let amount = r[2] % (20_000 * TOKEN[self.model.pools[pool].asset]);
        Op::Contribute { pool, who: index(USERS, r[1]), amount }
    }

    pub(super) fn request_exit(&mut self, r: [u64; 5]) -> Option<Op> {
        self.model.nonce += 1;
        let nonce = self.model.nonce;
        let (who, pool, tranche, held) = self.shares(r[0])?;
        Some(Op::RequestExit { pool, who, tranche, shares: part(held, r[1]), nonce })
    }

    pub(super) fn cancel_exit(&self, ticket: usize, by: Option<Who>) -> Op {
        Op::CancelExit { ticket, by: by.unwrap_or(self.model.tickets[ticket].owner) }
    }

    pub(super) fn claim(&self, ticket: usize, to: Option<Who>) -> Op {
        Op::ClaimExit { ticket, to: to.unwrap_or(self.model.tickets[ticket].owner) }
    }

    pub(super) fn settle_epochs(&mut self, r: [u64; 5]) -> Played {
        let first = index(4, r[0]);
        for pool in (0..4).map(|place| (place + first) % 4) {
            if let Some(oldest) = self.model.pools[pool].queue.first().copied() {
                self.step(Op::SettleEpoch { pool, day: oldest, all_cedants: true })?;
            }
        }
        Ok(())
    }

    pub(super) fn open_series(&self, r: [u64; 5]) -> Option<Op> {
        let over: Vec<(usize, Tranche)> = (0..4)
            .flat_map(|pool| Tranche::BOTH.map(|tranche| (pool, tranche)))
            .filter(|(pool, tranche)| self.model.pools[*pool].classes[tranche.index()].over)
            .collect();
        pick(&over, r[0]).map(|(pool, tranche)| Op::OpenSeries { pool, tranche, by: self.model.roles.governance })
    }

    pub(super) fn create_product(&self, r: [u64; 5]) -> Option<Op> {
        let live = self.model.products.iter().filter(|product| product.state != ProductState::Over).count();
        let design = index(DESIGNS, r[1]);
        (live < 7).then_some(Op::CreateProduct { pool: index(2, r[0]), design, by: self.model.roles.governance })
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
            product.state == ProductState::Selling
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
        let days = (3 + (r[4] % 40) as u16).min(if one_in(64, r[4]) { 2 } else { u16::MAX });
        let who = index(USERS, r[1] >> 8);
        let receiver = if one_in(5, r[2]) { index(USERS, r[2] >> 8) } else { who };
        self.model.nonce += 1;
        let nonce = self.model.nonce;
        self.step(Op::Buy { product, who, receiver, sum, days, max_premium: u64::MAX, nonce })?;
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
        self.step(Op::CloseCover { cover, by }).map(|_| ())
    }

    pub(super) fn settle(&self, cover: usize, r: [u64; 5]) -> Op {
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
        let end_day = start_day + 1 + (r[2] >> 8) as u32 % 60;
        let kind = match r[3] % 5 {
            0 | 1 => TreatyKind::QuotaShare {
                cession_bps: 1 + (r[3] >> 8) as u16 % 9_000,
                commission_bps: (r[3] >> 32) as u16 % 4_000,
            },
            _ => TreatyKind::ExcessOfLoss {
                attachment: (r[3] >> 8) % 6 * 500 * TOKEN[0],
                rate_on_line_bps: 1 + (r[3] >> 24) as u16 % 1_000,
                reinstatements: (r[3] >> 40) as u8 % 3,
                reinstatement_premium_bps: (r[3] >> 48) as u16 % 20_000,
            },
        };
        let limit = (1 + r[4] % 8) * 500 * TOKEN[0];
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
        self.step(Op::Contribute { pool: reinsurer, who, amount: terms.limit / 2 * ((r[0] >> 8) % 4) + 1 })?;
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

    pub(super) fn skip(&mut self, r: [u64; 5]) -> Played {
        let Some((treaty, product)) = self.next_treaty(r[0]) else { return Ok(()) };
        let opened_at = self.model.products[product].incident.as_ref().map_or(0, |incident| incident.opened_at);
        // Mostly somebody waits until it may be skipped.
        let due = opened_at + 2 * DAY;
        if !one_in(4, r[1]) && due > self.model.now {
            self.step(Op::Time { to: due })?;
        }
        self.step(Op::SkipTreaty { treaty, product }).map(|_| ())
    }

    pub(super) fn cede(&mut self, r: [u64; 5]) -> Played {
        let Some(cession) = self.model.cessions.get(&0) else { return Ok(()) };
        // Half the time governance waits for its moment.
        if one_in(2, r[0]) && cession.from > self.model.now {
            self.step(Op::Time { to: cession.from + (r[1] % 600_000) as i64 })?;
        }
        self.step(Op::CedeSurplus { cedant: 0, by: self.model.roles.governance }).map(|_| ())
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

    /// What only an official may do, by somebody who is not that official.
    pub(super) fn play_official(&self, r: [u64; 5]) -> Op {
        let impostors: Vec<Who> = (0..PEOPLE).filter(|who| *who != self.model.roles.governance).collect();
        let by = pick(&impostors, r[0]).unwrap_or(0);
        let product = self.product(r[1]).unwrap_or(0);
        match r[2] % 9 {
            0 => Op::CreateProduct { pool: index(2, r[1]), design: 0, by },
            1 => Op::SetProductState { product, state: ProductState::RunOff, by },
            2 => Op::SetRoles { guardian: by, risk_keeper: by, by },
            3 => Op::ProposeGovernance { proposed: by, by },
            4 => match self.model.roles.proposed {
                Some(proposed) if proposed == by => Op::Pause { bits: 3, by: self.model.roles.governance },
                _ => Op::AcceptGovernance { by },
            },
            5 => Op::AnnounceCession { cedant: 0, reinsurer: 3, amount: 1, by },
            6 => Op::Pause { bits: 3, by: if by == self.model.roles.guardian { 0 } else { by } },
            7 => {
                let by = if by == self.model.roles.risk_keeper { 0 } else { by };
                Op::SetRiskRate { product, rate_ppb: 20_000_000, by }
            }
            _ => match self.create_treaty(r) {
                Op::CreateTreaty { cedant, reinsurer, terms, .. } => Op::CreateTreaty { cedant, reinsurer, terms, by },
                other => other,
            },
        }
    }
}
