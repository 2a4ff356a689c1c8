//! What a protocol's vaults hold, and two keys: a fall that lasts arms, and what attestors report makes an alert of it, or
//! an event. Written from `docs/src/how/live.md` and `two-keys.md`.

use super::evidence_rule::{Expected, Proof};
use super::{BPS, DAY, Evidence, Model, N, Phase, Rule, Showings, ceil, day, need};
use crate::fuzz::op::Op;
use backstop::peril::evidence::MAX_PRICE;
use backstop::peril::feed::Observation;
use std::collections::BTreeMap;

/// Days by which a second key makes evidence reach further back: armed for 14, in alert for 3.
pub const SECOND_KEY_DAYS: u32 = 17;

/// A fall that armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// When.
    pub at: i64,
    /// When the fall began.
    pub event_at: i64,
    /// The lowest mean of it so far.
    pub mean: u64,
    /// What that pays.
    pub severity: N,
}

/// Vaults, and where the two keys are.
#[derive(Clone, Debug)]
pub struct Vaults {
    /// Whose reports are the second key.
    pub set: usize,
    /// Of each day the lowest level of a slot that was no breach.
    pub lows: BTreeMap<u32, N>,
    /// What was shown in the running slot.
    pub(super) showings: Showings,
    /// The first key.
    pub armed: Option<Armed>,
    /// When anybody reported first since it armed.
    pub reported_at: Option<i64>,
    /// When enough of them did.
    pub confirmed_at: Option<i64>,
    /// What was reported last.
    pub loss: N,
}

impl Vaults {
    /// Nothing shown yet.
    pub fn new(set: usize) -> Self {
        let (lows, showings) = (BTreeMap::new(), Showings::default());
        Self { set, lows, showings, armed: None, reported_at: None, confirmed_at: None, loss: 0 }
    }

    /// Whether it is armed.
    pub fn is_armed(&self, now: i64) -> bool {
        self.armed.is_some_and(|armed| now < armed.at + 14 * DAY)
    }

    /// Whether a report holds it in alert.
    pub fn is_reported(&self, now: i64) -> bool {
        self.reported_at.is_some_and(|at| now < at + 3 * DAY)
    }

    /// What the sums of a day are measured by: the lowest of the seven days before the day before.
    pub fn baseline(&self, today: u32) -> Option<N> {
        self.lows.range(today.saturating_sub(8)..=today - 2).map(|(_, low)| *low).min()
    }

    fn price(sum: N, baseline: N) -> u64 {
        let price = ceil(sum * 100_000_000, baseline).clamp(1, MAX_PRICE.into());
        u64::try_from(price).expect("it is bounded")
    }

    /// Another slot begins: the level of the one that ran is one of its day.
    fn turn(&mut self, slot: i64, seconds: i64, threshold: u64) {
        let Some((ran, level)) = self.showings.turn(slot) else { return };
        let today = day(ran * seconds);
        let breaches = || self.baseline(today).is_some_and(|base| Self::price(level, base) < threshold);
        if level > 0 && !breaches() {
            let low = self.lows.entry(today).or_insert(level);
            *low = level.min(*low);
        }
    }

    /// A fall that has lasted arms, deepens what is armed, or counts for nothing in a rest.
    fn take(&mut self, fall: &Proof) {
        let severity = N::from(fall.first_bps);
        match &mut self.armed {
            Some(armed) if fall.met_at < armed.at + 14 * DAY => {
                (armed.mean, armed.severity) = (armed.mean.min(fall.first_mean), armed.severity.max(severity));
            }
            Some(armed) if fall.met_at < armed.at + 28 * DAY => {}
            _ => {
                let (at, event_at, mean) = (fall.met_at, fall.event_at, fall.first_mean);
                let armed = Armed { at, event_at, mean, severity };
                (self.armed, self.reported_at, self.confirmed_at, self.loss) = (Some(armed), None, None, 0);
            }
        }
    }
}

impl Evidence {
    /// Takes a fall that has lasted, and says what the second key says. What was shown is forgotten with it.
    pub(super) fn stand(&mut self, now: i64) {
        let expected = self.rule.at(now);
        self.window = (0, 0);
        let fall = match expected {
            Expected::Met { m, .. } if now >= self.rule.end(m) => {
                match self.rule.at(self.rule.end(m) + i64::from(self.terms.challenge)) {
                    Expected::Proven(proof) => Some(proof),
                    _ => None,
                }
            }
            Expected::Met { f, m } => {
                self.window = (f as i64, m as i64);
                None
            }
            Expected::Proven(proof) => Some(proof),
            Expected::Quiet | Expected::Breaching => None,
        };
        if let Some(fall) = fall {
            self.vaults.as_mut().expect("it has two keys").take(&fall);
            self.forget_all();
        }
        let reported = self.vaults.as_ref().is_some_and(|vaults| vaults.is_reported(now));
        self.phase = if reported { Phase::Breaching } else { Phase::Quiet };
    }

    /// Takes a report of a loss, by enough keys or some.
    fn lose(&mut self, bps: N, at: i64, enough: bool, now: i64) -> Rule {
        let vaults = self.vaults.as_mut().ok_or("it has no second key")?;
        need(vaults.confirmed_at.is_none(), "it is confirmed")?;
        need(vaults.is_armed(now) || vaults.is_reported(now), "it is not armed")?;
        let armed = vaults.armed.ok_or("it never was armed")?;
        need(at >= armed.event_at - 2 * DAY, "a loss before the fall")?;
        let proves = enough && now >= armed.at + DAY;
        need(proves || vaults.reported_at.is_none(), "it was reported before")?;
        vaults.reported_at.get_or_insert(now);
        vaults.loss = bps;
        if proves {
            vaults.confirmed_at = Some(now);
            self.forget_all();
            self.event_at = armed.event_at;
            self.severity = armed.severity.min(bps).min(BPS);
            self.phase = Phase::Final;
        } else if vaults.is_reported(now) {
            self.phase = Phase::Breaching;
        }
        Ok(())
    }

    /// Shows what the vaults hold.
    fn show_sum(&mut self, sum: N, ledger: u64, now: i64) -> Rule {
        let seconds = i64::from(self.terms.slot_seconds);
        let slot = now.div_euclid(seconds);
        let vaults = self.vaults.as_mut().ok_or("it has no vaults")?;
        vaults.turn(slot, seconds, self.terms.threshold);
        let price = vaults.baseline(day(slot * seconds)).filter(|base| *base > 0).map(|base| {
            let price = Vaults::price(sum, base);
            (price, self.rule.class(&Observation { price, confidence: 0, publish_time: now }))
        });
        vaults.showings.show(ledger, now, sum);
        let prints = price.map_or(Vec::new(), |(price, class)| vaults.showings.price(price, class));
        self.count(prints, now)
    }
}

impl Model {
    /// The vaults of a product.
    pub fn vaults(&self, product: usize) -> Option<&Vaults> {
        self.products[product].trigger.vaults.as_ref()
    }

    pub(super) fn apply_vaults(&mut self, op: &Op) -> Rule {
        let (now, ledger) = (self.now, self.ledger);
        match *op {
            Op::Show { product, sum } => self.products[product].trigger.show_sum(sum.into(), ledger, now),
            Op::Loss { product, bps, at, signers } => {
                let vaults = self.vaults(product).ok_or("it has no second key")?;
                let keys = &self.sets[vaults.set];
                let named: Vec<usize> = (0..keys.keys).filter(|key| signers & 1 << key != 0).collect();
                need(keys.is_alive(), "the set is dead")?;
                need((1..=6).contains(&named.len()), "nobody signs, or too many")?;
                need(named.iter().all(|key| !keys.revoked.contains_key(key)), "somebody signs who may not")?;
                need((1..=10_000).contains(&bps) && at <= now, "no such loss")?;
                let enough = named.len() >= keys.threshold;
                self.show_anew(product, |trigger| trigger.lose(bps.into(), at, enough, now))
            }
            _ => super::unknown(op, "vaults"),
        }
    }
}
