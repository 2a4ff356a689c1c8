//! What people do: an intention with numbers, which finds its targets in the state that it meets, so that a sequence
//! still makes sense after parts of it were left out.

use super::driver::{Driver, Failure};
use super::model::{CoverStatus, DAY, N, Phase, day, start};
use super::op::{Op, Who};
use super::rng::Rng;
use super::scene::{OFFICIALS, PEOPLE, POOLS, TOKEN, USERS};

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
    OpenSeries 24, CreateProduct 14, SetCondition 6, SetProductState 6, SetRiskRate 12, Sync 14, Buy 150, CancelCover 20, CloseCover 30,
    PrintTrue 60, PrintOld 40, Selective 20, Slots 40, Shock 8, Event 16, Collapse 10, Refresh 10, Confirm 14, OpenIncident 16, Fund 20, Keeper 40,
    Settle 70, SetBeneficiary 12, Extend 24, Reduce 14, ToNft 10, Tree 14, CloseIncident 14, CreateTreaty 12, AcceptTreaty 16, SettlePremium 14, CallTreaty 24, FirstCaller 16,
    ExtendDeadline 2, EndTreaty 10, CommuteTreaty 4, Reinsure 12, Squeeze 12, Ruin 12, AnnounceCession 12, CedeSurplus 20, CloseCession 6, Pause 8,
    SetRoles 4, Handover 6, Donate 6, MoveShares 10, BurnShares 2, MoveNft 16, BurnNft 3, CloseAssets 5, OpenAssets 12,
    BuyReading 50, GiveReadingBack 8, Report 24, Resolve 20, Equivocate 14, Harvest 24, Retire 3,
    BuyOfVaults 24, Watch 24, Flash 14, Fall 16, Loss 24, Exploit 8,
    BuyOfRates 18, Drift 10, FlashRate 24, Mixed 8, Slip 9, Slash 8, Epoch 8,
    Split 14, SetLien 14, LowerLien 4, LiftLien 4, SettleLien 30,
    Minutes 40, Hours 25, NextDay 45, Week 8, Months 1,
    // Tricks by their names.
    FlashExit 8, Rebirth 8, RentedCapacity 8, DustShare 6, LongCovers 8, BesideAlert 12, Orders 20,
    // Hostile ones.
    StealTicket 10, StealCover 12, StealClaim 10, StealPayout 12, RepeatClaim 8, RepeatPayout 8, StaleLimits 12,
    PlayOfficial 20, StealLien 5, WrongTreaty 8, ForeignPrint 6, SkipCedants 4, EarlySettle 6, Unsigned 30,
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
        let r = std::array::from_fn(|_| rng.number());
        Self { kind: kind.map_or(Kind::Accrue, |(kind, _)| *kind), r }
    }
}

/// One of the entries of a list.
pub(super) fn pick<T: Copy>(from: &[T], r: u64) -> Option<T> {
    if from.is_empty() { None } else { Some(from[(r % from.len() as u64) as usize]) }
}

pub(super) fn index(count: usize, r: u64) -> usize {
    (r % count.max(1) as u64) as usize
}

/// What happens once in `times`.
pub(super) fn one_in(times: u64, r: u64) -> bool {
    r.is_multiple_of(times)
}

/// An amount between nothing and all: often all, half, or little.
pub(super) fn part(all: N, r: u64) -> u64 {
    let all = u64::try_from(all).unwrap_or(u64::MAX);
    match r % 8 {
        0 => all,
        1 => all / 2,
        2 => 1,
        3 => all.saturating_add(1),
        _ => ((u128::from(all) * u128::from((r >> 8) % 1_000)) / 1_000) as u64,
    }
}

/// What playing gives.
pub(super) type Played = Result<(), Failure>;

impl Driver<'_> {
    /// Does what an action intends, in one operation or several. Nothing, if it finds no target.
    pub fn play(&mut self, action: &Action) -> Played {
        self.totals.actions += 1;
        let r = action.r;
        self.squat = one_in(8, r[4] >> 40);
        let user = |r: u64| index(USERS, r);
        let op = match action.kind {
            Kind::Deposit => Some(self.deposit(r)),
            Kind::Contribute => Some(self.contribute(r)),
            Kind::Accrue => Some(Op::Accrue { pool: index(POOLS, r[0]) }),
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
            Kind::CreateProduct => return self.create_product(r),
            Kind::SetCondition => self.set_condition(r),
            Kind::SetProductState => self.set_product_state(r),
            Kind::SetRiskRate => self.product(r[0]).map(|product| {
                let rate = self.model.products[product].risk_rate as u64;
                let rate_ppb = rate.saturating_add_signed((r[1] % 24_000_000) as i64 - 12_000_000);
                Op::SetRiskRate { product, rate_ppb, by: self.model.roles.risk_keeper }
            }),
            Kind::Sync => self.product(r[0]).map(|product| Op::Sync { product }),
            Kind::Buy => return self.buy(r),
            Kind::CancelCover => self.held_cover(r[0]).map(|(cover, by)| self.give_back(cover, by)),
            Kind::SetBeneficiary => {
                self.held_position(r[0]).map(|(cover, by)| Op::SetBeneficiary { cover, to: user(r[1]), by })
            }
            Kind::Extend => return self.extend(r),
            Kind::Reduce => return self.reduce(r),
            Kind::ToNft => return self.make_nft(r),
            Kind::Tree => return self.tree(r),
            Kind::CloseCover => return self.close_cover(r),
            Kind::Split => return self.split(r),
            Kind::SetLien => self.held_cover(r[0]).map(|(cover, by)| {
                let limit = part(self.model.covers[cover].sum, r[2]);
                Op::SetLien { cover, to: user(r[1]), limit, by }
            }),
            Kind::LowerLien => self.lien(r[0]).map(|(cover, lien)| {
                let to = if one_in(3, r[2]) { user(r[1]) } else { lien.to };
                Op::LowerLien { cover, to, limit: part(lien.limit, r[3]), by: lien.to }
            }),
            Kind::LiftLien => self.lien(r[0]).map(|(cover, lien)| {
                let payee = if one_in(2, r[1]) { Some(lien.to) } else { None };
                Op::LiftLien { cover, payee }
            }),
            Kind::SettleLien => self.due_lien(r[0]).map(|(cover, lien)| Op::SettleLien { cover, to: lien.to }),
            Kind::BuyReading => return self.buy_reading(r),
            Kind::GiveReadingBack => return self.give_reading_back(r),
            Kind::Report => return self.report(r),
            Kind::Resolve => return self.resolve(r),
            Kind::Equivocate => return self.equivocate(r),
            Kind::Harvest => return self.harvest(r),
            Kind::BuyOfVaults => return self.buy_of_vaults(r),
            Kind::Watch => return self.watch(),
            Kind::Flash => return self.flash(r),
            Kind::Fall => return self.fall(r).map(|_| ()),
            Kind::Loss => return self.loss(r),
            Kind::Exploit => return self.exploit(r),
            Kind::BuyOfRates => return self.buy_of_rates(r),
            Kind::Drift => return self.drift_rate(r),
            Kind::FlashRate => return self.flash_rate(r),
            Kind::Mixed => return self.mixed(r),
            Kind::Slip => return self.slip(r).map(|_| ()),
            Kind::Slash => return self.slash(r),
            Kind::Epoch => return self.next_epoch(r),
            Kind::Retire => return self.retire(r),
            Kind::PrintTrue => return self.print_all(one_in(4, r[0])),
            Kind::PrintOld => self.print_old(r),
            Kind::Selective => return self.selective(r),
            Kind::Slots => return self.slots(r),
            Kind::Shock => {
                self.shock((r[0] % 2) as usize, r[1]);
                None
            }
            Kind::Event => return self.event(r),
            Kind::Collapse => return self.collapse(r),
            Kind::Refresh => self.product(r[0]).map(|product| Op::Refresh { product }),
            Kind::Confirm => {
                self.product_where(r[0], |p| p.trigger.phase == Phase::Met).map(|p| Op::Confirm { product: p })
            }
            Kind::OpenIncident => {
                let triggered = |p: &super::model::Product| p.trigger.phase.is_triggered() && p.incident.is_none();
                self.product_where(r[0], triggered).map(|product| Op::OpenIncident { product })
            }
            Kind::Fund => self.fundable(r[0]).map(|product| Op::Fund { product }),
            Kind::Keeper => return self.keeper(r),
            Kind::Settle => self.payable(r[0]).map(|cover| self.settle(cover, r)),
            Kind::CloseIncident => self.incident(r[0], |_| true).map(|product| Op::CloseIncident { product }),
            Kind::CreateTreaty => Some(self.create_treaty(r)),
            Kind::Squeeze => return self.squeeze(r),
            Kind::Ruin => return self.ruin(r),
            Kind::Reinsure => return self.reinsure(r),
            Kind::AcceptTreaty => {
                let by = self.model.roles.governance;
                self.treaty(r[0], |treaty| !treaty.active).map(|treaty| Op::AcceptTreaty { treaty, by })
            }
            Kind::SettlePremium => {
                let shares = &self.model.pools[0].quota_shares;
                let share = shares.get(index(shares.len().max(1), r[0]));
                let reinsurer = share.map(|(treaty, _)| self.model.treaties[*treaty].reinsurer);
                reinsurer.map(|reinsurer| Op::SettlePremium { cedant: 0, reinsurer })
            }
            Kind::CallTreaty => self.next_treaty(r[0]).map(|(treaty, product)| Op::CallTreaty { treaty, product }),
            Kind::FirstCaller => return self.first_caller(r),
            Kind::FlashExit => return self.flash_exit(r),
            Kind::Rebirth => return self.rebirth(r),
            Kind::RentedCapacity => return self.rented_capacity(r),
            Kind::DustShare => return self.dust_share(r),
            Kind::LongCovers => return self.long_covers(r),
            Kind::BesideAlert => return self.beside_alert(r),
            Kind::Orders => return self.orders(r),
            Kind::ExtendDeadline => self.incident(r[0], |_| true).map(|product| Op::ExtendDeadline { product }),
            Kind::EndTreaty => self.treaty(r[0], |_| true).map(|treaty| Op::EndTreaty { treaty }),
            Kind::CommuteTreaty => {
                let by = self.model.roles.governance;
                self.treaty(r[0], |treaty| treaty.active).map(|treaty| Op::CommuteTreaty { treaty, by })
            }
            Kind::AnnounceCession => {
                let cedant = index(3, r[0]).min(1);
                let amount = part(self.model.pools[cedant].surplus, r[1]);
                Some(Op::AnnounceCession {
                    cedant,
                    reinsurer: 2 + index(2, r[2]),
                    amount,
                    by: self.model.roles.governance,
                })
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
                let pool = index(POOLS, r[0]);
                let amount = r[2] % (1_000 * TOKEN[self.model.pools[pool].asset]);
                Some(Op::Donate { pool, who: user(r[1]), amount })
            }
            Kind::MoveShares => self.shares(r[0]).map(|(from, pool, tranche, held)| Op::MoveShares {
                pool,
                tranche,
                from,
                to: user(r[1]),
                amount: part(held, r[2]),
            }),
            Kind::BurnShares => self.shares(r[0]).map(|(who, pool, tranche, held)| Op::BurnShares {
                pool,
                tranche,
                who,
                amount: part(held, r[2]) / 10,
            }),
            Kind::MoveNft => self.held_nft(r[0]).map(|(cover, _)| Op::MoveNft { cover, to: user(r[1]) }),
            Kind::BurnNft => self.held_nft(r[0]).map(|(cover, _)| Op::BurnNft { cover }),
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
                // Mostly an honest crank shows vaults once a day.
                if !one_in(4, r[2]) {
                    self.watch()?;
                }
                let boundary = start(day(self.model.now) + 1);
                Some(Op::Time {
                    to: boundary + [-1, 0, 1, (r[1] % 86_400) as i64][index(4, r[0])].max(self.model.now - boundary),
                })
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
                if action.kind == Kind::StealTicket {
                    self.cancel_exit(ticket, thief)
                } else {
                    self.claim(ticket, thief)
                }
            }),
            Kind::StealCover => self.held_cover(r[0]).map(|(cover, holder)| match r[2] % 6 {
                3 if self.model.covers[cover].pays.is_some() => {
                    Op::Reduce { cover, left: 1_000_000, by: other(holder) }
                }
                4 if self.model.covers[cover].pays.is_some() => {
                    Op::Extend { cover, days: 7, max_premium: u64::MAX, by: other(holder) }
                }
                5 if self.model.covers[cover].pays.is_some() => {
                    Op::ToNft { cover, receiver: thief, nonce: r[3], by: other(holder) }
                }
                0 if self.model.covers[cover].pays.is_some() => Op::CancelPosition { cover, by: other(holder) },
                1 if self.model.covers[cover].pays.is_some() => Op::ClosePosition { cover, by: other(holder) },
                _ if self.model.covers[cover].pays.is_some() => {
                    Op::SetBeneficiary { cover, to: thief, by: other(holder) }
                }
                0 | 3 => Op::CancelCover { cover, by: other(holder) },
                1 | 4 => Op::CloseCover { cover, holder: Some(other(holder)) },
                _ => Op::CloseCover { cover, holder: None },
            }),
            Kind::StealPayout => self.payable(r[0]).map(|cover| {
                let holder = self.model.covers[cover].holder.unwrap_or(0);
                let thief = other(holder);
                if let Some(pays) = self.model.covers[cover].pays {
                    return Op::SettlePosition { cover, to: if pays == thief { (thief + 1) % USERS } else { thief } };
                }
                match r[2] % 2 {
                    0 => Op::Settle { cover, holder: thief, to: thief, signed: true },
                    _ => Op::Settle { cover, holder, to: thief, signed: false },
                }
            }),
            Kind::StealLien => self.lien(r[0]).map(|(cover, lien)| match r[2] % 4 {
                0 => Op::LiftLien { cover, payee: Some(other(lien.to)) },
                1 => Op::LowerLien { cover, to: thief, limit: 1, by: other(lien.to) },
                2 => Op::SetLien { cover, to: thief, limit: u64::MAX, by: other(lien.to) },
                _ => Op::SettleLien { cover, to: other(lien.to) },
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
                    if let Some(to) = self.model.covers[cover].pays {
                        return Op::SettlePosition { cover, to };
                    }
                    let holder = self.model.covers[cover].holder.unwrap_or(thief);
                    Op::Settle { cover, holder, to: holder, signed: one_in(2, r[2]) }
                })
            }
            Kind::StaleLimits => self.stale_limits(r),
            // The next operation that has one signer is tried by somebody else first, or without signatures.
            Kind::PlayOfficial => {
                self.impostor = Some(index(PEOPLE, r[0]));
                None
            }
            Kind::Unsigned => {
                self.unsigned = true;
                None
            }
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
                waiting.map(|pool| Op::SettleEpoch { pool, day: self.model.pools[pool].queue[0], all_cedants: false })
            }
            Kind::EarlySettle => {
                let pools: Vec<usize> = (0..POOLS).filter(|pool| !self.model.pools[*pool].queue.is_empty()).collect();
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
}
