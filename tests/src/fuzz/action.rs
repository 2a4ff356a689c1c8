//! What people do: an intention with numbers, which finds its targets in the state that it meets, so that a sequence
//! still makes sense after parts of it were left out.

use super::driver::{Driver, Failure};
use super::model::{CoverStatus, DAY, N, Phase, day, start};
use super::op::{Op, Who};
use super::rng::Rng;
use super::scene::{AUTHORITY, DESIGNS, OFFICIALS, TOKEN, USERS};
use backstop::state::{Access, IncidentState, ProductState, Tranche, TreatyKind, TreatyTerms};

/// An intention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What.
    pub kind: Kind,
    /// Numbers that choose targets and amounts.
    pub r: [u64; 5],
}

macro_rules! kinds {
    ($($kind:ident $weight:literal),* $(,)?) => {
        /// Kinds of intentions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum Kind { $($kind),* }

        const WEIGHTS: &[(Kind, u64)] = &[$((Kind::$kind, $weight)),*];
    };
}

kinds! {
    Deposit 60, Contribute 8, Accrue 6, RequestExit 34, CancelExit 12, SettleEpochs 50, ClaimExit 40, CloseEpoch 12,
    OpenSeries 24, CreateProduct 14, SetProductState 6, SetRiskRate 12, Sync 14, Buy 150, CancelCover 20, CloseCover 30,
    PrintTrue 60, PrintOld 40, Slots 40, Shock 8, Event 16, Refresh 10, Confirm 14, OpenIncident 16, Fund 20, Keeper 40,
    Settle 70, CloseIncident 14, CreateTreaty 12, AcceptTreaty 16, SettlePremium 14, CallTreaty 24, SkipTreaty 14,
    CollectTreaty 14, EndTreaty 10, CommuteTreaty 4, Reinsure 12, AnnounceCession 8, CedeSurplus 12, CloseCession 6, Pause 8,
    SetRoles 4, Handover 6, Donate 6, MoveShares 10, BurnShares 2, MoveNft 16, BurnNft 3, CloseAssets 5, OpenAssets 12,
    Minutes 40, Hours 25, NextDay 45, Week 8, Months 1,
    // Hostile ones.
    StealTicket 10, StealCover 12, StealClaim 10, StealPayout 12, RepeatClaim 8, RepeatPayout 8, StaleLimits 12,
    PlayOfficial 20, WrongTreaty 8, ForeignPrint 6, SkipCedants 4, EarlySettle 6,
}

impl Action {
    /// A random one.
    pub fn random(rng: &mut Rng) -> Self {
        let total: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut place = rng.below(total);
        let kind = WEIGHTS.iter().find(|(_, weight)| {
            let here = place < *weight;
            place = place.saturating_sub(*weight);
            here
        });
        let r = std::array::from_fn(|_| rng.next());
        Self { kind: kind.map_or(Kind::Accrue, |(kind, _)| *kind), r }
    }
}

/// One of the entries of a list.
fn pick<T: Copy>(from: &[T], r: u64) -> Option<T> {
    if from.is_empty() { None } else { Some(from[(r % from.len() as u64) as usize]) }
}

fn index(count: usize, r: u64) -> usize {
    (r % count.max(1) as u64) as usize
}

/// An amount between nothing and all: often all, half, or little.
fn part(all: N, r: u64) -> u64 {
    let all = u64::try_from(all).unwrap_or(u64::MAX);
    match r % 8 {
        0 => all,
        1 => all / 2,
        2 => 1,
        3 => all.saturating_add(1),
        _ => ((u128::from(all) * u128::from((r >> 8) % 1_000)) / 1_000) as u64,
    }
}

type Played = Result<(), Failure>;

impl Driver<'_> {
    /// Does what an action intends, in one operation or several. Nothing, if it finds no target.
    pub fn play(&mut self, action: &Action) -> Played {
        self.totals.actions += 1;
        let r = action.r;
        let user = |r: u64| index(USERS, r);
        let op = match action.kind {
            Kind::Deposit => Some(self.deposit(r)),
            Kind::Contribute => Some(self.contribute(r)),
            Kind::Accrue => Some(Op::Accrue { pool: index(4, r[0]) }),
            Kind::RequestExit => self.request_exit(r),
            Kind::CancelExit => self.ticket(r[0]).map(|ticket| self.cancel_exit(ticket, None)),
            Kind::SettleEpochs => return self.settle_epochs(r),
            Kind::ClaimExit => self.ticket(r[0]).map(|ticket| self.claim(ticket, None)),
            Kind::CloseEpoch => {
                let epoch = pick(&(0..self.model.epochs.len()).collect::<Vec<_>>(), r[0]);
                epoch.map(|epoch| {
                    let epoch = &self.model.epochs[epoch];
                    Op::CloseEpoch { pool: epoch.pool, day: epoch.day }
                })
            }
            Kind::OpenSeries => self.open_series(r),
            Kind::CreateProduct => self.create_product(r),
            Kind::SetProductState => self.set_product_state(r),
            Kind::SetRiskRate => self.product(r[0]).map(|product| {
                let rate = self.model.products[product].risk_rate as u64;
                let rate_ppb = rate.saturating_add_signed((r[1] % 24_000_000) as i64 - 12_000_000);
                Op::SetRiskRate { product, rate_ppb, by: self.model.roles.risk_keeper }
            }),
            Kind::Sync => self.product(r[0]).map(|product| Op::Sync { product }),
            Kind::Buy => return self.buy(r),
            Kind::CancelCover => self.held_cover(r[0]).map(|(cover, by)| Op::CancelCover { cover, by }),
            Kind::CloseCover => return self.close_cover(r),
            Kind::PrintTrue => return self.print_all(r[0] % 4 == 0),
            Kind::PrintOld => self.print_old(r),
            Kind::Slots => return self.slots(r),
            Kind::Shock => {
                self.shock((r[0] % 2) as usize, r[1]);
                None
            }
            Kind::Event => return self.event(r),
            Kind::Refresh => self.product(r[0]).map(|product| Op::Refresh { product }),
            Kind::Confirm => self.product_where(r[0], |p| p.trigger.phase == Phase::Met).map(|p| Op::Confirm { product: p }),
            Kind::OpenIncident => {
                let triggered = |p: &super::model::Product| p.trigger.phase == Phase::Triggered && p.incident.is_none();
                self.product_where(r[0], triggered).map(|product| Op::OpenIncident { product })
            }
            Kind::Fund => self.incident(r[0], IncidentState::Waiting).map(|product| Op::Fund { product }),
            Kind::Keeper => return self.keeper(r),
            Kind::Settle => self.payable(r[0]).map(|cover| self.settle(cover, r)),
            Kind::CloseIncident => self.incident(r[0], IncidentState::Funded).map(|product| Op::CloseIncident { product }),
            Kind::CreateTreaty => Some(self.create_treaty(r)),
            Kind::Reinsure => return self.reinsure(r),
            Kind::AcceptTreaty => {
                let by = self.model.roles.governance;
                self.treaty(r[0], |treaty| !treaty.active).map(|treaty| Op::AcceptTreaty { treaty, by })
            }
            Kind::SettlePremium => {
                let reinsurer = self.model.pools[0].quota_share.map(|treaty| self.model.treaties[treaty].reinsurer);
                reinsurer.map(|reinsurer| Op::SettlePremium { cedant: 0, reinsurer })
            }
            Kind::CallTreaty => self.next_treaty(r[0]).map(|(treaty, product)| Op::CallTreaty { treaty, product }),
            Kind::SkipTreaty => return self.skip(r),
            Kind::CollectTreaty => {
                self.treaty(r[0], |treaty| treaty.uncollected > 0).map(|treaty| Op::CollectTreaty { treaty })
            }
            Kind::EndTreaty => self.treaty(r[0], |_| true).map(|treaty| Op::EndTreaty { treaty }),
            Kind::CommuteTreaty => {
                let by = self.model.roles.governance;
                self.treaty(r[0], |treaty| treaty.active).map(|treaty| Op::CommuteTreaty { treaty, by })
            }
            Kind::AnnounceCession => {
                let cedant = index(3, r[0]).min(1);
                let amount = part(self.model.pools[cedant].surplus, r[1]) / 4;
                Some(Op::AnnounceCession { cedant, reinsurer: 2 + index(2, r[2]), amount, by: self.model.roles.governance })
            }
            Kind::CedeSurplus => return self.cede(r),
            Kind::CloseCession => Some(Op::CloseCession { cedant: 0 }),
            Kind::Pause => Some(Op::Pause { bits: (r[0] % 5) as u8, by: self.model.roles.guardian }),
            Kind::SetRoles => Some(Op::SetRoles {
                guardian: OFFICIALS[1][index(2, r[0])],
                risk_keeper: OFFICIALS[2][index(2, r[1])],
                by: self.model.roles.governance,
            }),
            Kind::Handover => Some(match self.model.roles.proposed {
                Some(by) => Op::AcceptGovernance { by },
                None => {
                    Op::ProposeGovernance { proposed: OFFICIALS[0][index(2, r[0])], by: self.model.roles.governance }
                }
            }),
            Kind::Donate => {
                let pool = index(4, r[0]);
                let amount = r[2] % (1_000 * TOKEN[self.model.pools[pool].asset]);
                Some(Op::Donate { pool, who: user(r[1]), amount })
            }
            Kind::MoveShares => self.shares(r[0]).map(|(from, pool, tranche, held)| {
                Op::MoveShares { pool, tranche, from, to: user(r[1]), amount: part(held, r[2]) }
            }),
            Kind::BurnShares => self.shares(r[0]).map(|(who, pool, tranche, held)| {
                Op::BurnShares { pool, tranche, who, amount: part(held, r[2]) / 10 }
            }),
            Kind::MoveNft => self.held_cover(r[0]).map(|(cover, _)| Op::MoveNft { cover, to: user(r[1]) }),
            Kind::BurnNft => self.held_cover(r[0]).map(|(cover, _)| Op::BurnNft { cover }),
            Kind::CloseAssets => {
                let who = user(r[1]);
                Some(Op::CloseAssets { asset: index(2, r[0]), who, heir: (who + 1 + index(USERS - 1, r[2])) % USERS })
            }
            Kind::OpenAssets => {
                let closed: Vec<(usize, usize)> = (0..USERS)
                    .flat_map(|who| [(who, 0), (who, 1)])
                    .filter(|(who, asset)| self.model.assets[*who][*asset].is_none())
                    .collect();
                pick(&closed, r[0]).map(|(who, asset)| Op::OpenAssets { asset, who })
            }
            Kind::Minutes => Some(self.later(1 + (r[0] % 3_600) as i64)),
            Kind::Hours => Some(self.later(3_600 * (1 + (r[0] % 12) as i64) + (r[1] % 3_600) as i64)),
            Kind::NextDay => {
                let boundary = start(day(self.model.now) + 1);
                Some(Op::Time { to: boundary + [-1, 0, 1, (r[1] % 86_400) as i64][index(4, r[0])].max(self.model.now - boundary) })
            }
            Kind::Week => Some(self.later(DAY * (1 + (r[0] % 8) as i64))),
            Kind::Months => Some(self.later(DAY * (20 + (r[0] % 200) as i64))),
            _ => return self.attack(action),
        };
        if let Some(op) = op {
            self.step(op)?;
        }
        Ok(())
    }

    fn attack(&mut self, action: &Action) -> Played {
        let r = action.r;
        let thief = index(USERS, r[1]);
        let other = |owner: Who| if thief == owner { (thief + 1) % USERS } else { thief };
        let op = match action.kind {
            Kind::StealTicket | Kind::StealClaim => self.ticket(r[0]).map(|ticket| {
                let thief = Some(other(self.model.tickets[ticket].owner));
                if action.kind == Kind::StealTicket { self.cancel_exit(ticket, thief) } else { self.claim(ticket, thief) }
            }),
            Kind::StealCover => self.held_cover(r[0]).map(|(cover, holder)| match r[2] % 3 {
                0 => Op::CancelCover { cover, by: other(holder) },
                1 => Op::CloseCover { cover, by: Some(other(holder)) },
                _ => Op::CloseCover { cover, by: None },
            }),
            Kind::StealPayout => self.payable(r[0]).map(|cover| {
                let holder = self.model.covers[cover].holder.unwrap_or(0);
                let thief = other(holder);
                match r[2] % 2 {
                    0 => Op::Settle { cover, holder: thief, to: thief, signed: true },
                    _ => Op::Settle { cover, holder, to: thief, signed: false },
                }
            }),
            Kind::RepeatClaim => {
                let done: Vec<usize> =
                    (0..self.model.tickets.len()).filter(|ticket| self.model.tickets[*ticket].claimed > 0).collect();
                pick(&done, r[0]).map(|ticket| self.claim(ticket, None))
            }
            Kind::RepeatPayout => {
                let paid = |cover: &usize| self.model.covers[*cover].status == CoverStatus::Settled;
                let paid: Vec<usize> = (0..self.model.covers.len()).filter(paid).collect();
                pick(&paid, r[0]).map(|cover| {
                    let holder = self.model.covers[cover].holder.unwrap_or(thief);
                    Op::Settle { cover, holder, to: holder, signed: r[2] % 2 == 0 }
                })
            }
            Kind::StaleLimits => self.stale_limits(r),
            Kind::PlayOfficial => Some(self.play_official(r)),
            Kind::WrongTreaty => {
                let treaty = self.treaty(r[0], |_| true);
                let event = self.product_where(r[1], |p| p.incident.as_ref().is_some_and(|incident| incident.open));
                treaty.zip(event).map(|(treaty, product)| Op::CallTreaty { treaty, product })
            }
            Kind::ForeignPrint => self.product(r[0]).map(|product| {
                let feed = self.model.products[product].trigger.feed;
                Op::Observe { product, feed: 1 - feed, price: 50_000_000, confidence: 0, publish_time: self.model.now }
            }),
            Kind::SkipCedants => {
                let waiting = [2, 3, 0].into_iter().find(|pool| !self.model.pools[*pool].queue.is_empty());
                waiting.map(|pool| {
                    Op::SettleEpoch { pool, day: self.model.pools[pool].queue[0], all_cedants: false }
                })
            }
            Kind::EarlySettle => {
                let pools: Vec<usize> = (0..4).filter(|pool| !self.model.pools[*pool].queue.is_empty()).collect();
                pick(&pools, r[0]).and_then(|pool| {
                    let day = *self.model.pools[pool].queue.last()?;
                    Some(Op::SettleEpoch { pool, day, all_cedants: true })
                })
            }
            _ => None,
        };
        if let Some(op) = op {
            self.step_as(op, "hostile ")?;
        }
        Ok(())
    }

    // ---- targets ----

    fn later(&self, seconds: i64) -> Op {
        Op::Time { to: self.model.now + seconds }
    }

    fn product(&self, r: u64) -> Option<usize> {
        self.product_where(r, |product| product.state != ProductState::Over)
            .or_else(|| self.product_where(r, |_| true))
    }

    fn product_where(&self, r: u64, test: impl Fn(&super::model::Product) -> bool) -> Option<usize> {
        let products = self.model.products.iter().enumerate();
        let found: Vec<usize> = products.filter(|(_, product)| test(product)).map(|(index, _)| index).collect();
        pick(&found, r)
    }

    fn incident(&self, r: u64, state: IncidentState) -> Option<usize> {
        let in_state = |incident: &super::model::Incident| incident.open && incident.state == state;
        self.product_where(r, |product| product.incident.as_ref().is_some_and(in_state))
    }

    fn treaty(&self, r: u64, test: impl Fn(&super::model::Treaty) -> bool) -> Option<usize> {
        let treaties = self.model.treaties.iter().enumerate();
        let found: Vec<usize> =
            treaties.filter(|(_, treaty)| treaty.open && test(treaty)).map(|(index, _)| index).collect();
        pick(&found, r)
    }

    /// An open incident and the treaty that it calls next.
    pub fn next_treaty(&self, r: u64) -> Option<(usize, usize)> {
        let product = self.incident(r, IncidentState::Open)?;
        let incident = self.model.products[product].incident.as_ref()?;
        Some((*incident.treaties.get(incident.cursor)?, product))
    }

    fn ticket(&self, r: u64) -> Option<usize> {
        let open: Vec<usize> = (0..self.model.tickets.len()).filter(|one| self.model.tickets[*one].open).collect();
        pick(&open, r)
    }

    fn held_cover(&self, r: u64) -> Option<(usize, Who)> {
        let covers = self.model.covers.iter().enumerate();
        let held: Vec<(usize, Who)> = covers.filter_map(|(index, cover)| Some((index, cover.holder?))).collect();
        pick(&held, r)
    }

    /// A cover that its incident would pay.
    fn payable(&self, r: u64) -> Option<usize> {
        let covers: Vec<usize> =
            (0..self.model.covers.len()).filter(|cover| self.model.payout(*cover).is_ok()).collect();
        pick(&covers, r)
    }

    fn shares(&self, r: u64) -> Option<(Who, usize, Tranche, N)> {
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

    // ---- operations ----

    fn deposit(&self, r: [u64; 5]) -> Op {
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

    fn contribute(&self, r: [u64; 5]) -> Op {
        let pool = [0, 1, 2, 3, 3][index(5, r[0])];
        let amount = r[2] % (20_000 * TOKEN[self.model.pools[pool].asset]);
        Op::Contribute { pool, who: index(USERS, r[1]), amount }
    }

    fn request_exit(&mut self, r: [u64; 5]) -> Option<Op> {
        self.model.nonce += 1;
        let nonce = self.model.nonce;
        let (who, pool, tranche, held) = self.shares(r[0])?;
        Some(Op::RequestExit { pool, who, tranche, shares: part(held, r[1]), nonce })
    }

    fn cancel_exit(&self, ticket: usize, by: Option<Who>) -> Op {
        Op::CancelExit { ticket, by: by.unwrap_or(self.model.tickets[ticket].owner) }
    }

    fn claim(&self, ticket: usize, to: Option<Who>) -> Op {
        Op::ClaimExit { ticket, to: to.unwrap_or(self.model.tickets[ticket].owner) }
    }

    fn settle_epochs(&mut self, r: [u64; 5]) -> Played {
        let first = index(4, r[0]);
        for pool in (0..4).map(|place| (place + first) % 4) {
            if let Some(oldest) = self.model.pools[pool].queue.first().copied() {
                self.step(Op::SettleEpoch { pool, day: oldest, all_cedants: true })?;
            }
        }
        Ok(())
    }

    fn open_series(&self, r: [u64; 5]) -> Option<Op> {
        let over: Vec<(usize, Tranche)> = (0..4)
            .flat_map(|pool| Tranche::BOTH.map(|tranche| (pool, tranche)))
            .filter(|(pool, tranche)| self.model.pools[*pool].classes[tranche.index()].over)
            .collect();
        pick(&over, r[0]).map(|(pool, tranche)| Op::OpenSeries { pool, tranche, by: self.model.roles.governance })
    }

    fn create_product(&self, r: [u64; 5]) -> Option<Op> {
        let live = self.model.products.iter().filter(|product| product.state != ProductState::Over).count();
        let design = index(DESIGNS, r[1]);
        (live < 7).then_some(Op::CreateProduct { pool: index(2, r[0]), design, by: self.model.roles.governance })
    }

    fn set_product_state(&self, r: [u64; 5]) -> Option<Op> {
        let frozen = self.product_where(r[0], |product| product.state == ProductState::Frozen);
        let by = self.model.roles.governance;
        if let Some(product) = frozen {
            return Some(Op::SetProductState { product, state: ProductState::Selling, by });
        }
        let state = [ProductState::Frozen, ProductState::Frozen, ProductState::RunOff, ProductState::Over][index(4, r[1])];
        self.product(r[0]).map(|product| Op::SetProductState { product, state, by })
    }

    fn buy(&mut self, r: [u64; 5]) -> Played {
        let hopeless = r[1] % 16 == 1;
        let sells = |product: &super::model::Product| {
            product.state == ProductState::Selling && (hopeless || matches!(product.trigger.phase, Phase::Quiet | Phase::Breaching))
        };
        let Some(product) = self.product_where(r[0], sells) else { return Ok(()) };
        if r[1] % 10 != 0 {
            self.print(product, 0)?;
        }
        if r[1] % 2 == 0 {
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
        let days = (3 + (r[4] % 40) as u16).min(if r[4] % 64 == 0 { 2 } else { u16::MAX });
        let who = index(USERS, r[1] >> 8);
        let receiver = if r[2] % 5 == 0 { index(USERS, r[2] >> 8) } else { who };
        self.model.nonce += 1;
        let nonce = self.model.nonce;
        self.step(Op::Buy { product, who, receiver, sum, days, max_premium: u64::MAX, nonce })?;
        Ok(())
    }

    fn close_cover(&mut self, r: [u64; 5]) -> Played {
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

    fn settle(&self, cover: usize, r: [u64; 5]) -> Op {
        let holder = self.model.covers[cover].holder.unwrap_or(0);
        let signed = r[1] % 3 == 0;
        let to = if signed { index(USERS, r[2]) } else { holder };
        Op::Settle { cover, holder, to, signed }
    }

    fn create_treaty(&self, r: [u64; 5]) -> Op {
        let (cedant, reinsurer) = (if r[0] % 12 == 0 { 1 } else { 0 }, 2 + index(2, r[1]));
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

    fn skip(&mut self, r: [u64; 5]) -> Played {
        let Some((treaty, product)) = self.next_treaty(r[0]) else { return Ok(()) };
        let opened_at = self.model.products[product].incident.as_ref().map_or(0, |incident| incident.opened_at);
        // Mostly somebody waits until it may be skipped.
        let due = opened_at + 2 * DAY;
        if r[1] % 4 != 0 && due > self.model.now {
            self.step(Op::Time { to: due })?;
        }
        self.step(Op::SkipTreaty { treaty, product }).map(|_| ())
    }

    fn cede(&mut self, r: [u64; 5]) -> Played {
        let Some(cession) = self.model.cessions.get(&0) else { return Ok(()) };
        // Half the time governance waits for its moment.
        if r[0] % 2 == 0 && cession.from > self.model.now {
            self.step(Op::Time { to: cession.from + (r[1] % 600_000) as i64 })?;
        }
        self.step(Op::CedeSurplus { cedant: 0, by: self.model.roles.governance }).map(|_| ())
    }

    fn stale_limits(&mut self, r: [u64; 5]) -> Option<Op> {
        if r[0] % 2 == 0 {
            let Op::Deposit { pool, who, tranche, amount, admitted_by, .. } = self.deposit([r[1], r[2], r[3], 5, r[4]])
            else {
                return None;
            };
            let class = &self.model.pools[pool].classes[tranche.index()];
            let fair = super::model::issue(amount.into(), class.shares, class.assets).ok()?;
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
    fn play_official(&self, r: [u64; 5]) -> Op {
        let impostors: Vec<Who> = (0..super::scene::PEOPLE).filter(|who| *who != self.model.roles.governance).collect();
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

    // ---- prices ----

    /// The true price of a feed at a time, a little beside the level of the day.
    fn true_price(&self, feed: usize, at: i64) -> u64 {
        let level = self.prices[feed].iter().rev().find(|(since, _)| *since <= at).map_or(100_000_000, |(_, p)| *p);
        let noise = Rng::new(at.unsigned_abs().wrapping_mul(31).wrapping_add(feed as u64)).below(200_001);
        level + noise - 100_000
    }

    /// Moves a feed's price from now on: to the peg, near the threshold, below it, or far below.
    fn shock(&mut self, feed: usize, r: u64) {
        let level = match r % 10 {
            0..=5 => 100_000_000,
            6 => 95_500_000,
            7 => 94_000_000,
            8 => 80_000_000 + (r >> 8) % 14_000_000,
            _ => 40_000_000,
        };
        self.prices[feed].push((self.model.now, level));
    }

    /// Shows a product the true price of some seconds ago.
    pub fn print(&mut self, product: usize, ago: i64) -> Result<bool, Failure> {
        let feed = self.model.products[product].trigger.feed;
        let publish_time = self.model.now - ago;
        let price = self.true_price(feed.into(), publish_time);
        self.step(Op::Observe { product, feed, price, confidence: 1_000, publish_time })
    }

    fn print_all(&mut self, except_one: bool) -> Played {
        let live: Vec<usize> =
            (0..self.model.products.len()).filter(|p| self.model.products[*p].state != ProductState::Over).collect();
        for product in live.into_iter().skip(usize::from(except_one)) {
            self.print(product, 0)?;
        }
        Ok(())
    }

    /// A true price of the past, chosen by whoever shows it: minutes to days old, or a wide one.
    fn print_old(&self, r: [u64; 5]) -> Option<Op> {
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
        let confidence = if r[3] % 4 == 0 { r[4] % 3_000_000 } else { 1_000 };
        let price = self.true_price(feed.into(), publish_time.min(self.model.now));
        Some(Op::Observe { product, feed, price, confidence, publish_time })
    }

    /// An honest keeper for some slots, with gaps.
    fn slots(&mut self, r: [u64; 5]) -> Played {
        for slot in 0..1 + r[0] % 4 {
            self.step(Op::Time { to: self.model.now + 300 + (r[1] % 900) as i64 })?;
            if (r[2] >> slot) % 4 != 0 {
                self.print_all(false)?;
            }
        }
        Ok(())
    }

    /// A keeper that does what is due, now and then leaving something out.
    fn keeper(&mut self, r: [u64; 5]) -> Played {
        let left_out = |place: usize| (r[0] >> (place % 60)) % 5 == 0;
        for product in (0..self.model.products.len()).filter(|product| !left_out(*product)) {
            let entry = &self.model.products[product];
            if entry.trigger.phase == Phase::Met {
                self.step(Op::Refresh { product })?;
            }
            let entry = &self.model.products[product];
            if entry.trigger.phase == Phase::Triggered && entry.incident.is_none() {
                self.step(Op::OpenIncident { product })?;
            }
        }
        for place in 0..3 {
            if let Some((treaty, product)) = self.next_treaty(r[1] + place).filter(|_| !left_out(7 + place as usize)) {
                self.step(Op::CallTreaty { treaty, product })?;
            }
        }
        for place in 0..3 {
            if let Some(product) = self.incident(r[2] + place, IncidentState::Waiting) {
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
    fn event(&mut self, r: [u64; 5]) -> Played {
        let open = |product: &super::model::Product| product.incident.is_none() && product.state != ProductState::Over;
        let insured: Vec<usize> = (0..self.model.products.len())
            .filter(|index| open(&self.model.products[*index]) && self.model.exposure(*index) > 0)
            .collect();
        let Some(target) = pick(&insured, r[0]) else { return Ok(()) };
        let feed = usize::from(self.model.products[target].trigger.feed);
        let level = if r[1] % 2 == 0 { 60_000_000 } else { 80_000_000 + (r[1] >> 8) % 14_500_000 };
        self.prices[feed].push((self.model.now, level));
        let terms = self.model.products[target].trigger.terms;
        let slot = i64::from(terms.slot_seconds);
        for round in 0..u64::from(terms.need + terms.tolerance) + 1 {
            let next = (self.model.now / slot + 1) * slot + (r[2] % 500) as i64;
            self.step(Op::Time { to: next })?;
            for product in 0..self.model.products.len() {
                let entry = &self.model.products[product];
                let watches = usize::from(entry.trigger.feed) == feed && entry.state != ProductState::Over;
                // Now and then a slot goes without a print, mostly not the target's.
                let kept_back = (r[3] >> (round % 60)) % 9 == 0 && (product != target || round % 4 == 1);
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
                // It was a thin market: somebody shows a recovery within the window.
                let feed = feed as u8;
                let publish_time = self.model.now - slot;
                self.step(Op::Observe { product: target, feed, price: 99_000_000, confidence: 0, publish_time })?;
            }
            _ => {}
        }
        let wait = slot + i64::from(terms.challenge) + 1 + (r[4] >> 8) as i64 % 7_200;
        self.step(Op::Time { to: self.model.now + wait })?;
        for product in 0..self.model.products.len() {
            if self.model.products[product].trigger.phase == Phase::Met {
                self.step(Op::Confirm { product })?;
            }
        }
        Ok(())
    }

}
