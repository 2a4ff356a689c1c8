//! The shadow model: what the protocol is meant to do, written a second time from the pages of `docs/src/how`.
//!
//! It shares data types with the program (terms, kinds, names) and no arithmetic: amounts are `u128`, time runs over
//! lists of streams and covers instead of day buckets, evidence is the set of all prints ever taken, and what the
//! program keeps in counters (exposure, alerts, open limits) is summed up here from what it stands for.

mod capital;
mod cover;
mod evidence;
mod exits;
mod incident;
mod live;
mod rates;
mod reading;
mod reinsurance;
mod roles;
mod vaults;

pub use capital::*;
pub use cover::*;
pub use evidence::*;
pub use exits::*;
pub use incident::*;
pub use live::*;
pub use rates::*;
pub use reading::*;
pub use reinsurance::*;
pub use roles::*;
pub use vaults::*;

use super::op::{Op, Part, Who};
use std::collections::BTreeMap;

/// An amount.
pub type N = u128;
/// Why the model refuses, in plain words.
pub type Refusal = &'static str;
/// What a rule gives.
pub type Rule<T = ()> = Result<T, Refusal>;

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Basis points in one whole.
pub const BPS: N = 10_000;
/// The largest amount that the chain can hold.
pub const MOST: N = u64::MAX as N;

/// The UTC day of a time.
pub fn day(time: i64) -> u32 {
    u32::try_from(time.div_euclid(DAY)).expect("times are after 1970")
}

/// First second of a day.
pub fn start(day: u32) -> i64 {
    i64::from(day) * DAY
}

/// Refuses unless something holds.
pub fn need(holds: bool, why: Refusal) -> Rule {
    if holds { Ok(()) } else { Err(why) }
}

/// A quotient rounded up.
pub fn ceil(a: N, b: N) -> N {
    a.div_ceil(b)
}

/// Takes an amount out of an entry.
pub fn take(from: &mut N, amount: N, why: Refusal) -> Rule {
    *from = from.checked_sub(amount).ok_or(why)?;
    Ok(())
}

/// The model does not say what an operation does.
pub(super) fn unknown(op: &Op, file: &str) -> ! {
    panic!("tests/src/fuzz/model/{file}.rs does not say what {} does", op.name())
}

/// Everything that the model knows.
#[derive(Clone, Debug)]
pub struct Model {
    /// The clock.
    pub now: i64,
    /// Pools.
    pub pools: Vec<Pool>,
    /// Products with their triggers.
    pub products: Vec<Product>,
    /// Every cover ever sold.
    pub covers: Vec<Cover>,
    /// Every ticket ever made.
    pub tickets: Vec<Ticket>,
    /// Epochs whose accounts are open.
    pub epochs: Vec<Epoch>,
    /// Every treaty ever announced.
    pub treaties: Vec<Treaty>,
    /// Sets of attestors.
    pub sets: Vec<Set>,
    /// Announced cessions, by cedant.
    pub cessions: BTreeMap<usize, Cession>,
    /// Roles and pause.
    pub roles: Roles,
    /// Assets by person and asset; `None` where the account is closed.
    pub assets: Vec<[Option<N>; 2]>,
    /// Shares by person, pool, tranche and series, where there is an account.
    pub shares: BTreeMap<(Who, usize, usize, u8), N>,
    /// Numbers used so far.
    pub nonce: u64,
    /// Slot of the ledger.
    pub ledger: u64,
    /// The cluster's epoch.
    pub epoch: u64,
}

impl Model {
    /// What an operation does, or why it must be refused. A refusal leaves the model half changed: work on a copy.
    pub fn apply(&mut self, op: &Op) -> Rule {
        if let Op::Buy { product, .. }
        | Op::BuyPosition { product, .. }
        | Op::Sync { product }
        | Op::Observe { product, .. }
        | Op::Refresh { product }
        | Op::Confirm { product }
        | Op::Retire { product }
        | Op::OpenIncident { product } = *op
        {
            need(self.products[product].has_condition, "the product has no condition")?;
        }
        let evidence = |model: &Self| match *op {
            Op::Observe { product, .. }
            | Op::Refresh { product }
            | Op::Confirm { product }
            | Op::Report { product, .. }
            | Op::Resolve { product }
            | Op::Show { product, .. }
            | Op::ShowRate { product, .. }
            | Op::Loss { product, .. } => {
                let Product { pool, trigger, .. } = &model.products[product];
                Some((*pool, trigger.phase, trigger.severity))
            }
            _ => None,
        };
        let before = evidence(self);
        match op.part() {
            Part::Capital => self.apply_capital(op),
            Part::Covers => self.apply_cover(op),
            Part::Evidence => self.apply_evidence(op),
            Part::Readings => self.apply_reading(op),
            Part::Vaults => self.apply_vaults(op),
            Part::Rates => self.apply_rates(op),
            Part::Incidents => self.apply_incident(op),
            Part::Reinsurance => self.apply_reinsurance(op),
            Part::Roles | Part::Tokens | Part::Clock => self.apply_roles(op),
        }?;
        // A change of phase or severity earns premium first, by the alerts that there were.
        let after = evidence(self);
        if let Some((pool, ..)) = after.filter(|_| before != after) {
            self.accrue(pool);
        }
        for pool in 0..self.pools.len() {
            self.count_alerts(pool);
        }
        Ok(())
    }

    /// Takes an asset out of somebody's account.
    fn spend(&mut self, who: Who, asset: usize, amount: N) -> Rule {
        let held = self.assets[who][asset].as_mut().ok_or("the account is closed")?;
        take(held, amount, "not enough of the asset")
    }

    /// Puts an asset into somebody's account.
    fn receive(&mut self, who: Who, asset: usize, amount: N) -> Rule {
        *self.assets[who][asset].as_mut().ok_or("the account is closed")? += amount;
        Ok(())
    }
}
