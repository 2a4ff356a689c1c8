//! Capital: the ledger, the premium stream, shares, solvency.

use super::{BPS, DAY, MOST, Model, N, Rule, ceil, day, need, start, take};
use crate::fuzz::op::{Op, Who};
use backstop::state::{Access, PoolKind, PoolTerms, Seen};
use std::collections::BTreeMap;

/// The virtual claims in every pot.
pub const V: N = 1_000;

/// A class of capital.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Class {
    /// Capital that stays.
    pub assets: N,
    /// Capital that has asked to leave.
    pub exiting: N,
    /// Shares on the books.
    pub shares: N,
    /// Exit units.
    pub units: N,
    /// Series.
    pub series: u8,
    /// Whether the series was wiped out.
    pub over: bool,
    /// How often its start was lowered tenfold.
    pub lowered: u8,
    /// What treaties still owe for losses that what stays, and what is exiting, has borne.
    pub recoverable: [N; 2],
    /// Another number once nobody was owed anything any more.
    pub claims: u8,
    /// What of it leavers have left behind since, of 2^32.
    pub left: N,
}

/// A premium on its way to be earned.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Units a second, times 2^32.
    pub rate: N,
    /// The second from which on it is earned.
    pub from: i64,
    /// The day on whose first second it ends.
    pub end_day: u32,
    /// The cover whose premium it is; none of a treaty's.
    pub cover: Option<usize>,
}

impl Class {
    /// Whether a share or an exit unit is worth less than a part of its start.
    pub fn is_below(&self, part: N) -> bool {
        let part = part * 10_u128.pow(self.lowered.into());
        let below = |claims: N, pot: N| (pot + 1) * part * V < claims + V;
        below(self.shares, self.assets) || below(self.units, self.exiting)
    }
}

impl Stream {
    /// What it earns between two moments, times 2^32.
    pub fn earns(&self, from: i64, to: i64) -> N {
        let seconds = to.min(start(self.end_day)) - from.max(self.from);
        self.rate * seconds.max(0).unsigned_abs() as N
    }
}

/// A pool.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Which asset.
    pub asset: usize,
    /// What it stands behind.
    pub kind: PoolKind,
    /// Who may deposit.
    pub access: Access,
    /// Whoever admits depositors.
    pub authority: Who,
    /// Its terms.
    pub terms: PoolTerms,
    /// Protocol-owned capital.
    pub surplus: N,
    /// Junior and senior.
    pub classes: [Class; 2],
    /// Premium not earned yet.
    pub unearned: N,
    /// Premium of ended products, for their holders.
    pub refunds: N,
    /// Part of the unearned premium that covers have earned which were cancelled while accrual stood.
    pub held_back: N,
    /// Since when accrual stands.
    pub stands_since: Option<i64>,
    /// Required capital and exposure when accrual last began to stand, and when it ceased to, if it did.
    pub stood: Option<(N, N, Option<i64>)>,
    /// Set aside for covers.
    pub incident_reserves: N,
    /// Set aside for exits.
    pub exit_reserves: N,
    /// Quota-share premium not handed over, by treaty.
    pub payable: BTreeMap<usize, N>,
    /// What was sent to the vault past the books.
    pub donated: N,
    /// Last accrual.
    pub accrued_at: i64,
    /// Lowest staying capital of each day so far, and with what asked to leave on it.
    pub lows: BTreeMap<u32, [N; 2]>,
    /// The newest of these days.
    pub capital_day: u32,
    /// What has asked to leave on it.
    pub asked_today: N,
    /// Premiums being earned.
    pub streams: Vec<Stream>,
    /// Fractions carried: of premium (2^32), the surplus's part (bps), the junior's (2^64), the ceded (1e8), the senior's,
    /// and those of what leaves junior and senior (2^64).
    pub fractions: [N; 7],
    /// End of the last cover sold.
    pub last_cover_end_day: u32,
    /// Days of unfilled epochs, oldest first.
    pub queue: Vec<u32>,
    /// Whether anybody has entrusted anything to it.
    pub in_use: bool,
    /// The crisis that is open.
    pub crisis: Option<super::Crisis>,
    /// Crises so far.
    pub crises: u32,
    /// Crises that are closed and have incidents left.
    pub closed: Vec<super::Closed>,
    /// Premium of ended products that is not decided about.
    pub set_aside: N,
    /// Alerts so far.
    pub alert_seq: u64,
    /// Since when alerts hold the pool.
    pub alerts_since: Option<i64>,
    /// When the number of alerts that are due last rose from zero.
    pub due_since: Option<i64>,
    /// The quota shares in force, in their order, each with the exposure that outlasts it.
    pub quota_shares: Vec<(usize, N)>,
    /// Layers in force, upward.
    pub layers: Vec<usize>,
    /// Treaties that it stands behind, in the order of its books.
    pub inward: Vec<usize>,
    /// Products created.
    pub products: u16,
    /// Treaties announced, ceding or reinsuring.
    pub treaties: u16,
    /// Products that have their condition.
    pub conditions: u16,
    /// Longest ring.
    pub ring_days: u32,
}

impl Pool {
    /// What the vault must hold by the books.
    pub fn cash(&self) -> N {
        let classes: N = self.classes.iter().map(|class| class.assets + class.exiting).sum();
        let crises: N = self.closed.iter().map(|closed| closed.bucket).sum();
        let recovered = self.crisis.as_ref().map_or(0, |crisis| crisis.recovered);
        let reserves = self.incident_reserves + crises + recovered + self.exit_reserves;
        let premium = self.unearned + self.refunds + self.set_aside;
        self.surplus + classes + premium + reserves + self.payable.values().sum::<N>()
    }

    /// Capital without what has asked to leave.
    pub fn staying(&self) -> N {
        self.surplus + self.classes[0].assets + self.classes[1].assets
    }

    /// Everything that absorbs losses.
    pub fn bearing(&self) -> N {
        self.staying() + self.classes[0].exiting + self.classes[1].exiting
    }

    /// When something announced now may begin.
    pub fn notice(&self, now: i64) -> i64 {
        if self.in_use { now + i64::from(self.terms.cooldown_seconds) + 3 * DAY } else { now }
    }

    /// Whether it sells nothing and takes nobody in any more.
    pub fn has_ended(&self, now: i64) -> bool {
        let end = self.terms.sells_until_day;
        end > 0 && day(now) >= end
    }

    /// What somebody who deposits now has seen.
    pub fn seen(&self) -> Seen {
        Seen { products: self.conditions, treaties: self.treaties }
    }

    /// The lowest staying capital of the seasoning days up to a day, and with what asked to leave on each until its end.
    pub fn seasoned(&self, last: u32) -> [N; 2] {
        let first = last + 1 - u32::from(self.terms.seasoning_days);
        let of = |place: usize| (first..=last).map(move |day| self.lows.get(&day).map_or(0, |lows| lows[place])).min();
        [0, 1].map(|place| of(place).expect("there is a day at least"))
    }

    /// Notes the low of the day before anything moves, and that of the days on which nothing happened.
    fn note_low(&mut self, today: u32) {
        let staying = self.staying();
        let lows = self.lows.entry(self.capital_day).or_default();
        *lows = [lows[0].min(staying), lows[1].min(staying + self.asked_today)];
        if today > self.capital_day {
            self.lows.extend((self.capital_day + 1..=today).map(|day| (day, [staying; 2])));
            self.asked_today = 0;
            self.capital_day = today;
        }
    }

    /// Whether an epoch past its day is unfilled.
    pub fn exits_wait(&self, now: i64) -> bool {
        self.queue.first().is_some_and(|oldest| *oldest < day(now))
    }

    /// Takes premium in and streams it from a moment to the start of a day.
    pub fn stream(&mut self, premium: N, from: i64, end_day: u32, cover: Option<usize>) -> N {
        let seconds = u128::try_from(start(end_day) - from).expect("a term lies ahead");
        let rate = (premium << 32) / seconds;
        self.streams.push(Stream { rate, from, end_day, cover });
        self.unearned += premium;
        rate
    }

    /// Takes from surplus, junior, senior. Returns what came from surplus, junior staying and exiting, senior staying and
    /// exiting.
    pub fn bear(&mut self, loss: N) -> Rule<[N; 5]> {
        need(loss <= self.bearing(), "books: a loss above the capital")?;
        let first = loss.min(self.surplus);
        self.surplus -= first;
        let mut left = loss - first;
        let mut taken = [first, 0, 0, 0, 0];
        for (index, class) in self.classes.iter_mut().enumerate() {
            let total = class.assets + class.exiting;
            let part = left.min(total);
            // What leaves bears its part rounded up.
            let leaving = if part == total {
                class.exiting
            } else if class.exiting == 0 {
                0
            } else {
                ceil(part * class.exiting, total)
            };
            class.exiting -= leaving;
            class.assets -= part - leaving;
            (taken[1 + 2 * index], taken[2 + 2 * index]) = (part - leaving, leaving);
            left -= part;
        }
        Ok(taken)
    }

    /// Lets a loss fall on surplus, junior, senior. A class of which a share or an exit unit is below 1 % of its start is over, its rest goes to surplus.
    pub fn lose(&mut self, loss: N) -> Rule {
        self.bear(loss)?;
        for index in 0..2 {
            let class = &self.classes[index];
            if class.is_below(100) {
                self.surplus += class.assets + class.exiting;
                self.classes[index] = Class { series: class.series, over: true, ..Class::default() };
            }
        }
        Ok(())
    }

    /// What nobody owns goes to the surplus.
    pub(super) fn sweep(&mut self, tranche: usize) {
        let class = &mut self.classes[tranche];
        // What treaties owe those who are gone is the others', or nobody's.
        let owed: N = class.recoverable.iter().sum();
        match (class.shares > 0, class.units > 0) {
            (true, true) => {}
            (true, false) => class.recoverable = [owed, 0],
            (false, true) => class.recoverable = [0, owed],
            (false, false) => class.recoverable = [0, 0],
        }
        if class.shares == 0 {
            self.surplus += std::mem::take(&mut class.assets);
        }
        if class.units == 0 {
            self.surplus += std::mem::take(&mut class.exiting);
        }
    }
}

/// Claims that an amount buys in a pot, rounded down.
pub fn issue(amount: N, claims: N, pot: N) -> Rule<N> {
    let issued = amount * (claims + V) / (pot + 1);
    need(claims + V + issued <= MOST, "too many claims")?;
    Ok(issued)
}

/// What claims on a pot are worth, rounded down.
pub fn worth(part: N, claims: N, pot: N) -> N {
    part * (pot + 1) / (claims + V)
}
impl Model {
    /// Brings a pool's premium up to now.
    pub fn accrue(&mut self, pool: usize) {
        let now = self.now;
        self.pools[pool].note_low(day(now));
        let held = self.held_from(pool);
        // While alerts hold the pool nothing is earned after they began to.
        let now = [self.pools[pool].stands_since, held].into_iter().flatten().fold(now, i64::min);
        self.earn_until(pool, now);
        self.note_held(pool);
    }

    /// Earns a pool's premium up to a moment, in steps in which it is shared out in one way.
    pub(super) fn earn_until(&mut self, pool: usize, now: i64) {
        let terms = |(treaty, _): &(usize, N)| [self.treaties[*treaty].start_day, self.treaties[*treaty].end_day];
        let mut cuts: Vec<i64> = self.pools[pool].quota_shares.iter().flat_map(terms).map(start).collect();
        cuts.extend(self.pools[pool].queue.first().map(|oldest| start(oldest + 1)));
        cuts.extend(self.pools[pool].stood.and_then(|(_, _, until)| until));
        cuts.push(now);
        cuts.sort_unstable();
        for until in cuts {
            if until > self.pools[pool].accrued_at && until <= now {
                self.accrue_until(pool, until);
            }
        }
    }

    /// Lets accrual stand since a moment, or no longer.
    pub(super) fn stand(&mut self, pool: usize, since: Option<i64>) {
        let (required, exposure, now) = (self.required(pool), self.exposure_of_pool(pool), self.now);
        let books = &mut self.pools[pool];
        if books.stands_since.is_none() && since.is_some() {
            match &mut books.stood {
                Some((.., until)) if until.is_some_and(|until| books.accrued_at < until) => *until = None,
                stood => *stood = Some((required, exposure, None)),
            }
        }
        if books.stands_since.is_some() && since.is_none() {
            books.stood.as_mut().expect("it stood").2 = Some(now);
        }
        books.stands_since = since;
    }

    fn accrue_until(&mut self, pool: usize, until: i64) {
        let flat = self.flat(pool);
        let books = &mut self.pools[pool];
        let begin = books.accrued_at;
        books.accrued_at = until;
        let mut sum = books.fractions[0];
        sum += books.streams.iter().map(|stream| stream.earns(begin, until)).sum::<N>();
        books.streams.retain(|stream| start(stream.end_day) > until);
        books.fractions[0] = sum & 0xffff_ffff;
        let mut earned = ((sum >> 32) + std::mem::take(&mut books.held_back)).min(books.unearned);
        if books.streams.iter().all(|stream| stream.rate == 0) {
            earned = books.unearned;
            books.fractions[0] = 0;
        }
        // What is of readings waits for them.
        earned = earned.min(books.unearned - flat);
        books.unearned -= earned;
        self.share_out(pool, earned, 0, begin);
    }

    /// The quota share within whose term a moment is.
    fn quota_share_at(&self, pool: usize, at: i64) -> Option<usize> {
        let in_term = |treaty: &usize| {
            (start(self.treaties[*treaty].start_day)..start(self.treaties[*treaty].end_day)).contains(&at)
        };
        self.pools[pool].quota_shares.iter().map(|(treaty, _)| *treaty).find(in_term)
    }

    /// Shares out what was earned, at `at`, and what an incident left, which are in no entry any more; of the first the quota
    /// share of that moment gets its part.
    pub(super) fn share_out(&mut self, pool: usize, earned: N, late: N, at: i64) {
        if earned == 0 && late == 0 {
            return;
        }
        let kept_waiting = self.pools[pool].exits_wait(at);
        // What stands, by what there was as it began to.
        let stood = self.pools[pool].stood.filter(|(_, _, until)| until.is_none_or(|until| at < until));
        let (required, exposure) = match stood {
            Some((required, exposure, _)) => (required, exposure),
            None => (self.required(pool), self.exposure_of_pool(pool)),
        };
        let index = self.quota_share_at(pool, at);
        let terms = index.map(|treaty| self.treaties[treaty].clone());
        let books = &mut self.pools[pool];
        let mut ceded = 0;
        // In a crisis by what the limit was as it began.
        let begun = books.crisis.as_ref().zip(index).map(|(crisis, treaty)| {
            crisis.limits.iter().find(|(noted, _)| *noted == treaty).map_or(0, |(_, limit)| *limit)
        });
        if let Some((treaty, (cession, commission))) = terms.as_ref().and_then(|t| Some((t, t.quota_share()?)))
            && let limit = begun.unwrap_or(treaty.limit_left)
            && limit > 0
        {
            let due = earned * cession * (BPS - commission) + books.fractions[3];
            books.fractions[3] = due % (BPS * BPS);
            ceded = due / (BPS * BPS);
            let needed = ceil(exposure * cession, BPS);
            if limit < needed {
                ceded = ceded * limit / needed;
            }
        }
        let kept = earned - ceded + late;
        let due = kept * N::from(books.terms.surplus_bps) + books.fractions[1];
        books.fractions[1] = due % BPS;
        let rest = kept - due / BPS;
        // Required capital is filled from surplus, junior and senior; what they have lent to a crisis is theirs.
        let lent = books.crisis.as_ref().map_or([0; 5], |open| open.taken);
        let with_lent = |index: usize| {
            let class = &books.classes[index];
            (class.assets + lent[1 + 2 * index], class.exiting + lent[2 + 2 * index])
        };
        let capital = [books.surplus + lent[0], with_lent(0).0 + with_lent(0).1, with_lent(1).0 + with_lent(1).1];
        let mut left = if required == 0 { capital.iter().sum() } else { required };
        let exposed = capital.map(|layer| {
            let part = layer.min(left);
            left -= part;
            part
        });
        let weighted = |amount: N| amount * N::from(books.terms.junior_weight_bps) / BPS;
        let (surplus, junior, senior) = (weighted(exposed[0]), weighted(exposed[1]), exposed[2]);
        // What `own` of `own + others` earns, with its fraction.
        let part = |amount: N, own: N, others: N, fraction: &mut N| {
            if own == 0 || others == 0 {
                return if own == 0 { 0 } else { amount };
            }
            let due = amount * ceil(own << 64, own + others).min(MOST) + *fraction;
            *fraction = due & MOST;
            due >> 64
        };
        let mut fractions = books.fractions;
        let to_junior = part(rest, junior, surplus + senior, &mut fractions[2]);
        let to_senior = part(rest - to_junior, senior, surplus, &mut fractions[4]);
        let mut to_tranches = 0;
        let mut gains = [[0; 2]; 2];
        for (index, premium) in [to_junior, to_senior].into_iter().enumerate().filter(|(_, premium)| *premium > 0) {
            let (staying, exiting) = with_lent(index);
            let class = &books.classes[index];
            let leaving = part(premium, exiting, staying, &mut fractions[5 + index]);
            gains[index] = [
                if class.shares > 0 { premium - leaving } else { 0 },
                if kept_waiting && class.units > 0 { leaving } else { 0 },
            ];
            to_tranches += gains[index].iter().sum::<N>();
        }
        books.fractions = fractions;
        if let Some(treaty) = index {
            *books.payable.entry(treaty).or_default() += ceded;
        }
        books.surplus += kept - to_tranches;
        for (class, [staying, exiting]) in books.classes.iter_mut().zip(gains) {
            class.assets += staying;
            class.exiting += exiting;
        }
    }

    /// Required capital: all open limits, or the square-root rule over risk groups.
    pub fn required(&self, pool: usize) -> N {
        let books = &self.pools[pool];
        if books.kind == PoolKind::Reinsurance {
            return books.inward.iter().map(|treaty| self.treaties[*treaty].open_limit()).sum();
        }
        self.required_of((0..16).map(|group| self.exposure_of_group(pool, group)).collect(), pool)
    }

    /// Required capital of what is not in alert.
    fn required_beside_alerts(&self, pool: usize) -> N {
        if self.pools[pool].kind == PoolKind::Reinsurance {
            return self.required(pool);
        }
        let quiet = |group: u32| {
            let products = (0..self.products.len()).filter(|index| self.products[*index].pool == pool);
            let of_group = products.filter(|index| self.products[*index].terms.risk_group == group);
            of_group.filter(|index| !self.alert_of(*index).0).map(|index| self.exposure(index)).sum()
        };
        self.required_of((0..16).map(quiet).collect(), pool)
    }

    fn required_of(&self, groups: Vec<N>, pool: usize) -> N {
        let books = &self.pools[pool];
        let sum: N = groups.iter().sum();
        let squares: N = groups.iter().map(|group| group * group).sum();
        let rho = N::from(books.terms.rho_bps);
        // ceil(sqrt(x / 10,000)), searched for.
        let x = rho * sum * sum + (BPS - rho) * squares;
        let (mut low, mut high) = (0, sum);
        while low < high {
            let middle = (low + high) / 2;
            if middle * middle * BPS >= x { high = middle } else { low = middle + 1 }
        }
        low
    }

    /// What a quota share stands in for of what is required.
    fn credit(&self, pool: usize, treaty: Option<usize>, required: N) -> N {
        let Some(treaty) = treaty.map(|treaty| &self.treaties[treaty]) else { return 0 };
        let (cession, _) = treaty.quota_share().expect("the quota share is one");
        let part = cession.min(N::from(self.pools[pool].terms.max_credit_bps));
        treaty.limit_left.min(required * part / BPS)
    }

    /// Own capital with which it is just solvent, now and when the quota shares in force have ended: what is in alert and
    /// what incidents are due in full and without credit, beside what the rest requires; no less than without an alert.
    pub fn least_capital(&self, pool: usize) -> N {
        let (terms, shares) = (&self.pools[pool].terms, &self.pools[pool].quota_shares);
        let of = |required: N, exposure: N, treaty: Option<usize>| {
            let for_losses = ceil(required * N::from(terms.solvency_bps), BPS);
            let stays = for_losses.max(ceil(exposure * BPS, N::from(terms.max_leverage_bps)));
            stays.saturating_sub(self.credit(pool, treaty, required))
        };
        let crisis = self.pools[pool].crisis.as_ref();
        let due = crisis.map_or(0, |it| (it.gross + it.growth).saturating_sub(it.given + it.recovered));
        let (alert, exposure) = (self.alerts(pool).exposure, self.exposure_of_pool(pool));
        let (lost, others) = (due + alert, exposure - alert);
        let required = if lost == 0 { self.required(pool) } else { self.required_beside_alerts(pool) };
        let now = self.quota_share_at(pool, self.now);
        let mut least = of(self.required(pool), exposure, now).max(lost + of(required, others, now));
        let place = shares.iter().position(|(treaty, _)| Some(*treaty) == now);
        for (index, (treaty, outlasting)) in shares.iter().enumerate().skip(place.unwrap_or(shares.len())) {
            let next = shares.get(index + 1).map(|(next, _)| *next);
            let next = next.filter(|next| self.treaties[*next].start_day == self.treaties[*treaty].end_day);
            let left = (*outlasting).min(others);
            least = least.max(lost + of(required.min(left), left, next));
            if next.is_none() {
                break;
            }
        }
        least
    }

    /// Refuses below required capital.
    pub fn need_solvent(&self, pool: usize) -> Rule {
        need(self.pools[pool].staying() >= self.least_capital(pool), "below required capital")
    }

    /// Refuses a sale without the part of required capital that surplus and junior are to stand for.
    pub fn need_first_loss(&self, pool: usize) -> Rule {
        let books = &self.pools[pool];
        let least = ceil(self.required(pool) * N::from(books.terms.first_loss_bps), BPS);
        need(books.surplus + books.classes[0].assets >= least, "surplus and junior are too small")
    }

    /// Refuses in an alert.
    pub fn need_no_alert(&self, pool: usize) -> Rule {
        need(self.alerts(pool).count == 0 && self.pools[pool].crisis.is_none(), "the pool is in alert, or in a crisis")
    }

    /// Refuses while alerts hold the pool, or one is due.
    pub fn need_takes_capital(&self, pool: usize) -> Rule {
        let calm = !self.is_held(pool) && self.alerts(pool).due == 0 && self.pools[pool].crisis.is_none();
        need(calm, "alerts hold the pool, one is due, or it is in a crisis")
    }

    /// Refuses to cede, or to begin or cut short a treaty, but beside small alerts that are only breaching.
    pub fn need_calm(&self, pool: usize) -> Rule {
        self.need_not_locked(pool)?;
        self.need_takes_capital(pool)
    }

    pub(super) fn apply_capital(&mut self, op: &Op) -> Rule {
        match *op {
            Op::Deposit { pool, who, tranche, amount, min_shares, admitted_by } => {
                need(self.roles.paused & 1 == 0 || self.now >= self.roles.paused_until, "deposits are paused")?;
                let books = &self.pools[pool];
                match books.access {
                    Access::Open => {}
                    Access::AllowList => need(admitted_by == Some(books.authority), "not admitted")?,
                    Access::ProtocolOnly => return Err("no outside deposits"),
                }
                self.accrue(pool);
                need(!self.pools[pool].has_ended(self.now), "the vintage is over")?;
                self.need_not_locked(pool)?;
                self.need_takes_capital(pool)?;
                need(self.inward_is_small(pool), "more than a little may be lost by its cedants")?;
                let of_others = self.required(pool) < self.pools[pool].unearned;
                need(self.pools[pool].kind == PoolKind::Cover || !of_others, "it earns for a risk that is over")?;
                let calm = self.alerts(pool).count == 0;
                let (amount, tranche) = (N::from(amount), tranche.index());
                let books = &mut self.pools[pool];
                let least = N::from(books.terms.min_first_deposit);
                let class = &mut books.classes[tranche];
                need(!class.over, "the tranche was wiped out")?;
                if class.is_below(10) {
                    need(calm && class.lowered < 3, "the tranche is in ruin")?;
                    class.lowered += 1;
                }
                need(class.shares > 0 || amount >= least, "the first deposit is too small")?;
                // Whoever comes in pays for what treaties owe.
                let issued = issue(amount, class.shares, class.assets + class.recoverable[0])?;
                need(issued > 0 && issued >= N::from(min_shares), "too few shares")?;
                class.assets += amount;
                class.shares += issued;
                issue(class.assets * 4, class.units, class.exiting)?;
                let (series, asset) = (class.series, books.asset);
                books.in_use = true;
                self.spend(who, asset, amount)?;
                let held = self.shares.entry((who, pool, tranche, series)).or_default();
                *held += issued;
                let held = *held;
                need(self.is_ticket(pool, tranche, held), "less than can leave again")
            }
            Op::Contribute { pool, who, amount } => {
                self.accrue(pool);
                let books = &mut self.pools[pool];
                need(amount > 0, "nothing is given")?;
                books.surplus += N::from(amount);
                books.in_use |= books.surplus >= N::from(books.terms.min_first_deposit);
                let asset = books.asset;
                self.spend(who, asset, N::from(amount))
            }
            Op::Accrue { pool } => {
                self.accrue(pool);
                Ok(())
            }
            Op::RequestExit { pool, who, tranche, shares, ahead, nonce } => {
                self.request_exit(pool, who, tranche.index(), N::from(shares), ahead, nonce)
            }
            Op::CancelExit { ticket, by } => self.cancel_exit(ticket, by),
            Op::SettleEpoch { pool, day, all_cedants } => self.settle_epoch(pool, day, all_cedants),
            Op::ClaimExit { ticket, to } => self.claim_exit(ticket, to),
            Op::CloseEpoch { pool, day } => {
                let index = self.epoch(pool, day)?;
                let epoch = &self.epochs[index];
                need(epoch.open == 0 && self.tickets_of(epoch).next().is_none(), "the epoch is in use")?;
                let left = epoch.paid;
                let books = &mut self.pools[pool];
                take(&mut books.exit_reserves, left, "books: exit reserves")?;
                books.surplus += left;
                self.epochs.remove(index);
                Ok(())
            }
            Op::OpenSeries { pool, tranche, by } => {
                need(by == self.roles.governance, "only governance")?;
                self.accrue(pool);
                let books = &self.pools[pool];
                let class = &books.classes[tranche.index()];
                if !class.over {
                    let worth_little = class.assets + class.recoverable[0] < N::from(books.terms.min_ticket);
                    let deserted = class.units == 0 && class.is_below(10) && worth_little;
                    need(deserted, "the tranche was not wiped out, nor is it deserted")?;
                    self.need_no_alert(pool)?;
                }
                let books = &mut self.pools[pool];
                let class = &mut books.classes[tranche.index()];
                books.surplus += class.assets;
                *class = Class { series: class.series + 1, ..Class::default() };
                Ok(())
            }
            _ => super::unknown(op, "capital"),
        }
    }
}
