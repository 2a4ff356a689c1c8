//! The books of every pool from its events alone: what [`Replay`] has read of a pool's first to its last event is, to
//! the unit, what the pool's account says ([`Books::of`]).
//!
//! Where events are missing the books are off by what they reported, and right again once they were read in their
//! order: so nothing here refuses, and figures below zero wrap around, as the computer's own integers of 64 bits do.

use crate::event::Event;
use anchor_lang::prelude::Pubkey;
use backstop::state::{Accrual, Growth, LossByLayer, Pool, Tranche, TrancheBook};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::Wrapping;

/// An amount that may wrap around while events are missing.
pub type Amount = Wrapping<u64>;

/// One tranche, as the events tell of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Capital that stays.
    pub assets: Amount,
    /// Capital that has asked to leave.
    pub exiting: Amount,
    /// Shares.
    pub shares: Amount,
    /// Exit units.
    pub units: Amount,
    /// Number of the share mint.
    pub series: u8,
    /// Whether the series was wiped out and no new one is open.
    pub over: bool,
    /// How often the start of its prices was lowered tenfold.
    pub lowered: u8,
}

/// One pool, as the events tell of it. Amounts are in asset units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the pool's account, which says what they are")]
pub struct Books {
    pub surplus: Amount,
    /// Junior and senior.
    pub tranches: [Class; 2],
    pub unearned_premium: Amount,
    pub premium_refunds: Amount,
    pub set_aside: Amount,
    /// Of the open crisis.
    pub recovered: Amount,
    pub crisis_buckets: Amount,
    pub incident_reserves: Amount,
    pub exit_reserves: Amount,
    pub treaty_payable: Amount,
    pub exposure: Amount,
    pub cash: Amount,
}

/// An event that does not fit the books: some before it are missing, or it is none of the program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} does not fit the books of pool {pool}: {what}")]
pub struct Misfit {
    /// The event's name.
    pub event: &'static str,
    /// The pool.
    pub pool: Pubkey,
    /// What does not fit.
    pub what: &'static str,
}

impl Books {
    /// The books as the program keeps them.
    pub fn of(pool: &Pool) -> Self {
        let class = |book: &TrancheBook| Class {
            assets: Wrapping(book.assets),
            exiting: Wrapping(book.exiting),
            shares: Wrapping(book.shares),
            units: Wrapping(book.units),
            series: book.series,
            over: book.wiped_out != 0,
            lowered: book.lowered,
        };
        Self {
            surplus: Wrapping(pool.surplus),
            tranches: [class(&pool.tranches[0]), class(&pool.tranches[1])],
            unearned_premium: Wrapping(pool.unearned_premium),
            premium_refunds: Wrapping(pool.premium_refunds),
            set_aside: Wrapping(pool.set_aside),
            recovered: Wrapping(pool.crisis.recovered),
            crisis_buckets: Wrapping(pool.crisis_buckets),
            incident_reserves: Wrapping(pool.incident_reserves),
            exit_reserves: Wrapping(pool.exit_reserves),
            treaty_payable: pool.treaty_payable.iter().copied().map(Wrapping).sum(),
            exposure: Wrapping(pool.total_exposure),
            cash: Wrapping(pool.cash),
        }
    }

    /// What the ledger must add up to: the cash.
    pub fn sum(&self) -> Amount {
        let tranches: Amount = self.tranches.iter().map(|class| class.assets + class.exiting).sum();
        self.surplus
            + tranches
            + self.unearned_premium
            + self.premium_refunds
            + self.set_aside
            + self.recovered
            + self.crisis_buckets
            + self.incident_reserves
            + self.exit_reserves
            + self.treaty_payable
    }

    /// Every figure with its name.
    pub fn figures(&self) -> Vec<(&'static str, u64)> {
        let [junior, senior] = &self.tranches;
        let over = |class: &Class| Wrapping(u64::from(class.over));
        let series = |class: &Class| Wrapping(u64::from(class.series));
        let lowered = |class: &Class| Wrapping(u64::from(class.lowered));
        let figures = [
            ("surplus", self.surplus),
            ("junior_assets", junior.assets),
            ("junior_exiting", junior.exiting),
            ("junior_shares", junior.shares),
            ("junior_units", junior.units),
            ("junior_series", series(junior)),
            ("junior_wiped_out", over(junior)),
            ("junior_lowered", lowered(junior)),
            ("senior_assets", senior.assets),
            ("senior_exiting", senior.exiting),
            ("senior_shares", senior.shares),
            ("senior_units", senior.units),
            ("senior_series", series(senior)),
            ("senior_wiped_out", over(senior)),
            ("senior_lowered", lowered(senior)),
            ("unearned_premium", self.unearned_premium),
            ("premium_refunds", self.premium_refunds),
            ("set_aside", self.set_aside),
            ("recovered", self.recovered),
            ("crisis_buckets", self.crisis_buckets),
            ("incident_reserves", self.incident_reserves),
            ("exit_reserves", self.exit_reserves),
            ("treaty_payable", self.treaty_payable),
            ("exposure", self.exposure),
            ("cash", self.cash),
        ];
        figures.map(|(name, amount)| (name, amount.0)).into()
    }

    /// One tranche.
    pub fn class(&mut self, tranche: Tranche) -> &mut Class {
        &mut self.tranches[tranche.index()]
    }

    /// A policy was sold, and exposure of old ones released by the way.
    fn sell(&mut self, premium: u64, sum_insured: u64, released: u64) {
        self.cash += premium;
        self.unearned_premium += premium;
        self.exposure += sum_insured;
        self.exposure -= released;
    }

    /// A policy was given back.
    fn give_back(&mut self, refund: u64, fee: u64, sum_insured: u64) {
        self.cash -= refund;
        self.unearned_premium -= Wrapping(refund) + Wrapping(fee);
        self.surplus += fee;
        self.exposure -= sum_insured;
    }

    /// A policy was paid for its loss, and premium of it given back.
    fn settle(&mut self, amount: u64, refund: u64) {
        self.incident_reserves -= amount;
        self.premium_refunds -= refund;
        self.cash -= Wrapping(amount) + Wrapping(refund);
    }

    /// Where premium goes.
    fn share_out(&mut self, accrual: &Accrual) {
        self.treaty_payable += accrual.ceded.iter().copied().map(Wrapping).sum::<Amount>();
        self.surplus += accrual.surplus;
        self.class(Tranche::Junior).assets += accrual.junior;
        self.class(Tranche::Senior).assets += accrual.senior;
        self.class(Tranche::Junior).exiting += accrual.junior_exiting;
        self.class(Tranche::Senior).exiting += accrual.senior_exiting;
    }

    /// What is due more, and whose the premium is.
    fn grow(&mut self, growth: &Growth) {
        self.set_aside -= growth.loss_refunds;
        self.set_aside -= growth.accrual.late;
        self.premium_refunds += growth.loss_refunds;
        self.share_out(&growth.accrual);
    }

    /// What layers lent to a crisis comes back: each its own; of a tranche that nobody is left in, the surplus's.
    fn take_back(&mut self, lent: &[u64; 5]) {
        let [surplus, lent @ ..] = *lent;
        self.surplus += surplus;
        let [junior, junior_exiting, senior, senior_exiting] = lent;
        let lent = [[junior, junior_exiting], [senior, senior_exiting]];
        for (class, [staying, exiting]) in self.tranches.iter_mut().zip(lent) {
            match (class.shares.0 > 0, class.units.0 > 0) {
                (true, true) => {
                    class.assets += staying;
                    class.exiting += exiting;
                }
                (true, false) => class.assets += Wrapping(staying) + Wrapping(exiting),
                (false, true) => class.exiting += Wrapping(staying) + Wrapping(exiting),
                (false, false) => self.surplus += Wrapping(staying) + Wrapping(exiting),
            }
        }
    }

    /// Takes losses. Says whether what a wiped-out tranche had left is what the books say.
    fn lose(&mut self, losses: &LossByLayer) -> bool {
        self.surplus -= losses.surplus;
        let [junior, senior] = &mut self.tranches;
        junior.assets -= losses.junior_assets;
        junior.exiting -= losses.junior_exiting;
        senior.assets -= losses.senior_assets;
        senior.exiting -= losses.senior_exiting;
        let mut fits = true;
        for (class, over, rest) in
            [(junior, losses.junior_over, losses.junior_wiped), (senior, losses.senior_over, losses.senior_wiped)]
        {
            if over {
                fits &= class.assets + class.exiting == Wrapping(rest);
                *class = Class { series: class.series, over: true, ..Class::default() };
            }
            self.surplus += rest;
        }
        fits
    }
}

/// What losses took from all layers.
fn taken(losses: &LossByLayer) -> Amount {
    let LossByLayer { surplus, junior_assets, junior_exiting, senior_assets, senior_exiting, .. } = *losses;
    [surplus, junior_assets, junior_exiting, senior_assets, senior_exiting].into_iter().map(Wrapping).sum()
}

/// All pools, as the events tell of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// The books, by pool.
    pub pools: BTreeMap<Pubkey, Books>,
}

/// What the events of wiped-out tranches say of what was left.
const REST: &str = "a wiped-out tranche had something else left";

impl Replay {
    /// The books of a pool. Of one whose creation was not read they begin with nothing.
    fn at(&mut self, pool: &Pubkey) -> &mut Books {
        self.pools.entry(*pool).or_default()
    }

    /// Books an event: the next one of its pool. What does not fit is booked all the same, and told.
    pub fn apply(&mut self, event: &Event) -> Result<(), Misfit> {
        let misfit = |pool: &Pubkey, what| Err(Misfit { event: event.name(), pool: *pool, what });
        match event {
            Event::PoolCreated(event) => {
                self.pools.insert(event.pool, Books::default());
            }
            Event::Accrued(event) => {
                let books = self.at(&event.pool);
                books.unearned_premium -= event.accrual.earned;
                books.share_out(&event.accrual);
                if event.accrual.late != 0 {
                    return misfit(&event.pool, "nothing is earned late but by incidents");
                }
            }
            Event::Deposited(event) => {
                let books = self.at(&event.pool);
                books.cash += event.amount;
                let class = books.class(event.tranche);
                class.assets += event.amount;
                class.shares += event.shares;
                class.lowered = event.lowered;
            }
            Event::SurplusContributed(event) => {
                let books = self.at(&event.pool);
                books.cash += event.amount;
                books.surplus += event.amount;
            }
            Event::ExitRequested(event) => {
                let books = self.at(&event.pool);
                let class = books.class(event.tranche);
                class.shares -= event.shares;
                class.assets -= Wrapping(event.value) + Wrapping(event.to_surplus);
                class.exiting += event.value;
                class.units += event.units;
                books.surplus += event.to_surplus;
            }
            Event::ExitCancelled(event) => {
                let books = self.at(&event.pool);
                let class = books.class(event.tranche);
                class.units -= event.units;
                class.exiting -= Wrapping(event.value) + Wrapping(event.to_surplus);
                class.assets += event.value;
                class.shares += event.shares;
                books.surplus += event.to_surplus;
            }
            Event::ExitEpochSettled(event) => {
                let books = self.at(&event.pool);
                for tranche in Tranche::BOTH {
                    let place = tranche.index();
                    let (paid, to_surplus) = (Wrapping(event.paid[place]), Wrapping(event.to_surplus[place]));
                    let class = books.class(tranche);
                    class.units -= event.closed_units[place];
                    class.exiting -= paid + to_surplus;
                    books.exit_reserves += paid;
                    books.surplus += to_surplus;
                }
            }
            Event::ExitClaimed(event) => {
                let books = self.at(&event.pool);
                books.exit_reserves -= event.amount;
                books.cash -= event.amount;
            }
            Event::ExitEpochClosed(event) => {
                let books = self.at(&event.pool);
                books.exit_reserves -= event.to_surplus;
                books.surplus += event.to_surplus;
            }
            Event::SeriesOpened(event) => {
                let books = self.at(&event.pool);
                books.surplus += event.to_surplus;
                let class = books.class(event.tranche);
                let fits = (class.exiting.0, class.assets.0) == (0, event.to_surplus);
                *class = Class { series: event.series, ..Class::default() };
                if !fits {
                    return misfit(&event.pool, "a deserted series had something else left");
                }
            }
            Event::CoverBought(event) => {
                self.at(&event.pool).sell(event.premium, event.sum_insured, event.released);
            }
            Event::PositionBought(event) => {
                self.at(&event.pool).sell(event.premium, event.sum_insured, event.released);
            }
            Event::CoverCancelled(event) => {
                self.at(&event.pool).give_back(event.refund, event.fee, event.sum_insured);
            }
            Event::PositionCancelled(event) => {
                self.at(&event.pool).give_back(event.refund, event.fee, event.sum_insured);
            }
            Event::PositionReduced(event) => {
                self.at(&event.pool).give_back(event.refund, event.fee, event.sum_insured);
            }
            // No more is insured than before.
            Event::PositionExtended(event) => self.at(&event.pool).sell(event.premium, 0, event.released),
            Event::ExposureReleased(event) => self.at(&event.pool).exposure -= event.amount,
            Event::IncidentOpened(event) => {
                let books = self.at(&event.pool);
                books.unearned_premium -= event.accrual.earned;
                books.unearned_premium -= event.waiting_refunds;
                books.unearned_premium -= event.set_aside;
                books.premium_refunds += event.waiting_refunds;
                books.set_aside += event.set_aside;
                books.share_out(&event.accrual);
                books.grow(&event.growth);
                books.exposure -= event.released;
            }
            Event::IncidentGrown(event) => self.at(&event.pool).grow(&event.growth),
            Event::IncidentFunded(event) => {
                let books = self.at(&event.pool);
                let fits = books.lose(&event.giving.losses);
                books.recovered -= event.giving.recovered;
                books.crisis_buckets -= event.giving.bucket;
                books.incident_reserves += event.giving.amount;
                if !fits {
                    return misfit(&event.pool, REST);
                }
            }
            Event::CrisisClosed(event) => {
                let books = self.at(&event.pool);
                books.take_back(&event.closing.restored);
                let fits = books.lose(&event.closing.losses);
                books.recovered = Wrapping(0);
                books.crisis_buckets += event.closing.bucket;
                if !fits {
                    return misfit(&event.pool, REST);
                }
            }
            Event::CoverSettled(event) => {
                self.at(&event.pool).settle(event.amount, event.refund);
            }
            Event::PositionSettled(event) => self.at(&event.pool).settle(event.amount, event.refund),
            Event::IncidentClosed(event) => {
                let books = self.at(&event.pool);
                books.incident_reserves -= event.reserve;
                books.premium_refunds -= event.refunds;
                books.crisis_buckets -= event.bucket;
                books.surplus += Wrapping(event.reserve) + Wrapping(event.refunds) + Wrapping(event.bucket);
            }
            Event::TreatyAccepted(event) => {
                let cedant = self.at(&event.cedant);
                cedant.surplus -= event.premium;
                cedant.cash -= event.premium;
                let reinsurer = self.at(&event.reinsurer);
                reinsurer.unearned_premium += event.premium;
                reinsurer.cash += event.premium;
            }
            Event::TreatyPremiumSettled(event) => {
                let cedant = self.at(&event.cedant);
                cedant.treaty_payable -= event.amount;
                cedant.cash -= event.amount;
                let reinsurer = self.at(&event.reinsurer);
                reinsurer.unearned_premium += event.amount;
                reinsurer.cash += event.amount;
            }
            Event::TreatyCalled(event) => {
                let received = Wrapping(event.paid) - Wrapping(event.reinstatement_premium);
                let reinsurer = self.at(&event.reinsurer);
                let fits = reinsurer.lose(&event.losses);
                // What no layer lost was the unearned premium of the limit that is used.
                reinsurer.unearned_premium -= Wrapping(event.paid) - taken(&event.losses);
                reinsurer.unearned_premium += event.reinstatement_premium;
                reinsurer.cash -= received;
                let receipt = &event.receipt;
                let to_tranches: Amount = receipt.staying.iter().chain(&receipt.exiting).copied().map(Wrapping).sum();
                let placed =
                    Wrapping(receipt.recovered) + Wrapping(receipt.late) + Wrapping(receipt.surplus) + to_tranches;
                let cedant = self.at(&event.cedant);
                cedant.recovered += receipt.recovered;
                cedant.crisis_buckets += receipt.late;
                for tranche in Tranche::BOTH {
                    let class = cedant.class(tranche);
                    class.assets += receipt.staying[tranche.index()];
                    class.exiting += receipt.exiting[tranche.index()];
                }
                cedant.surplus += receipt.surplus;
                cedant.cash += received;
                if placed != received {
                    return misfit(&event.cedant, "what it received is not what went somewhere");
                }
                if !fits {
                    return misfit(&event.reinsurer, REST);
                }
            }
            Event::TreatyCommuted(event) => {
                let reinsurer = self.at(&event.reinsurer);
                reinsurer.unearned_premium -= event.returned;
                reinsurer.cash -= event.returned;
                let cedant = self.at(&event.cedant);
                cedant.surplus += event.returned;
                cedant.cash += event.returned;
            }
            Event::SurplusCeded(event) => {
                let cedant = self.at(&event.cedant);
                cedant.surplus -= event.amount;
                cedant.cash -= event.amount;
                let reinsurer = self.at(&event.reinsurer);
                reinsurer.surplus += event.amount;
                reinsurer.cash += event.amount;
            }
            // What changes nothing in the books.
            Event::Initialized(_)
            | Event::GovernanceProposed(_)
            | Event::GovernanceAccepted(_)
            | Event::AttestorSetCreated(_)
            | Event::EquivocationReported(_)
            | Event::ReadingShown(_)
            | Event::DropArmed(_)
            | Event::LossReported(_)
            | Event::RolesSet(_)
            | Event::PauseSet(_)
            | Event::ProductCreated(_)
            | Event::ConditionSet(_)
            | Event::ReadingSet(_)
            | Event::ProductStateSet(_)
            | Event::RiskRateSet(_)
            | Event::CoverClosed(_)
            | Event::BeneficiarySet(_)
            | Event::PositionConverted(_)
            | Event::PositionClosed(_)
            | Event::Observed(_)
            | Event::PhaseChanged(_)
            | Event::TreatyCreated(_)
            | Event::TreatyEnded(_)
            | Event::CessionAnnounced(_)
            | Event::CessionClosed(_)
            | Event::DeadlineExtended(_) => {}
        }
        Ok(())
    }
}
