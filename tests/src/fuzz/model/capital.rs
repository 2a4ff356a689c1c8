//! Capital: the ledger, the premium stream, shares, solvency.

use super::{BPS, DAY, MOST, Model, N, Rule, ceil, day, need, start, take};
use crate::fuzz::op::{Op, Who};
use backstop::state::{Access, PoolKind, PoolTerms};
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
    /// Set aside for covers.
    pub incident_reserves: N,
    /// Set aside for exits.
    pub exit_reserves: N,
    /// Quota-share premium not handed over.
    pub payable: N,
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
    /// Fractions carried: of premium (2^32), the surplus's part (bps), the junior's (2^64), the ceded (1e8).
    pub fractions: [N; 4],
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
    /// What came in late and is spread over time, and when all of it is in.
    pub late: (N, i64),
    /// Alerts so far.
    pub alert_seq: u64,
    /// Since when alerts hold the pool.
    pub alerts_since: Option<i64>,
    /// When the number of alerts that are due last rose from zero.
    pub due_since: Option<i64>,
    /// The quota share in force.
    pub quota_share: Option<usize>,
    /// Layers in force, upward.
    pub layers: Vec<usize>,
    /// Treaties that it stands behind, in the order of its books.
    pub inward: Vec<usize>,
    /// Products created.
    pub products: u16,
    /// Treaties announced.
    pub treaties: u16,
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
        let premium = self.unearned + self.refunds + self.set_aside + self.late.0;
        self.surplus + classes + premium + reserves + self.payable
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

    /// Lets a loss fall on surplus, junior, senior. A class below 1 % of its start is over, its rest goes to surplus.
    pub fn lose(&mut self, loss: N) -> Rule {
        self.bear(loss)?;
        for index in 0..2 {
            let class = &self.classes[index];
            let (claims, pot) =
                if class.shares > 0 { (class.shares, class.assets) } else { (class.units, class.exiting) };
            if (pot + 1) * 100 * V < claims + V {
                self.surplus += class.assets + class.exiting;
                self.classes[index] = Class { series: class.series, over: true, ..Class::default() };
            }
        }
        Ok(())
    }

    /// What nobody owns goes to the surplus.
    pub(super) fn sweep(&mut self, tranche: usize) {
        let class = &mut self.classes[tranche];
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
        let treaty = self.pools[pool].quota_share.map(|treaty| &self.treaties[treaty]);
        let (from, to) = treaty.map_or((0, 0), |treaty| (start(treaty.start_day), start(treaty.end_day)));
        self.pools[pool].note_low(day(now));
        self.note_held(pool);
        let books = &mut self.pools[pool];
        // While alerts hold the pool nothing is earned after they began to.
        let now = books.stands_since.map_or(now, |since| since.min(now));
        if now <= books.accrued_at {
            return;
        }
        for until in [from, to, now] {
            if until > self.pools[pool].accrued_at && until <= now {
                self.accrue_until(pool, until, from, to);
            }
        }
    }

    fn accrue_until(&mut self, pool: usize, until: i64, from: i64, to: i64) {
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
        books.unearned -= earned;
        // Late money comes in evenly.
        let (amount, end) = books.late;
        let seconds = |from: i64, to: i64| (to - from).max(0).unsigned_abs() as N;
        let late =
            if amount == 0 || until >= end { amount } else { amount * seconds(begin, until) / seconds(begin, end) };
        books.late.0 -= late;
        let ceding = (from..to).contains(&begin);
        self.share_out(pool, earned, late, ceding);
    }

    /// Shares out what was earned and what came late, which are in no entry any more; of the first the quota share gets
    /// its part if `ceding`.
    pub(super) fn share_out(&mut self, pool: usize, earned: N, late: N, ceding: bool) {
        if earned == 0 && late == 0 {
            return;
        }
        let exposure = self.exposure_of_pool(pool);
        let terms = self.pools[pool].quota_share.map(|treaty| self.treaties[treaty].clone());
        let books = &mut self.pools[pool];
        let mut ceded = 0;
        if let Some((treaty, (cession, commission))) = terms.as_ref().and_then(|t| Some((t, t.quota_share()?)))
            && ceding
            && treaty.limit_left > 0
        {
            let due = earned * cession * (BPS - commission) + books.fractions[3];
            books.fractions[3] = due % (BPS * BPS);
            ceded = due / (BPS * BPS);
            let needed = ceil(exposure * cession, BPS);
            if treaty.limit_left < needed {
                ceded = ceded * treaty.limit_left / needed;
            }
        }
        let kept = earned - ceded + late;
        let due = kept * N::from(books.terms.surplus_bps) + books.fractions[1];
        books.fractions[1] = due % BPS;
        let mut surplus = due / BPS;
        let rest = kept - surplus;
        let [junior, senior] = &books.classes;
        let (to_junior, to_senior) = if junior.assets > 0 || senior.assets > 0 {
            let weighted = junior.assets * N::from(books.terms.junior_weight_bps) / BPS;
            let part = if senior.assets == 0 {
                rest
            } else {
                let share = ceil(weighted << 64, weighted + senior.assets).min(MOST);
                let due = rest * share + books.fractions[2];
                books.fractions[2] = due & MOST;
                due >> 64
            };
            (part, rest - part)
        } else if senior.shares > 0 {
            (0, rest)
        } else if junior.shares > 0 {
            (rest, 0)
        } else {
            surplus = kept;
            (0, 0)
        };
        books.payable += ceded;
        books.surplus += surplus;
        books.classes[0].assets += to_junior;
        books.classes[1].assets += to_senior;
    }

    /// Required capital: all open limits, or the square-root rule over risk groups.
    pub fn required(&self, pool: usize) -> N {
        let books = &self.pools[pool];
        if books.kind == PoolKind::Reinsurance {
            return books.inward.iter().map(|treaty| self.treaties[*treaty].open_limit()).sum();
        }
        let groups: Vec<N> = (0..16).map(|group| self.exposure_of_group(pool, group)).collect();
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

    /// What the quota share stands in for.
    pub fn credit(&self, pool: usize) -> N {
        let books = &self.pools[pool];
        let Some(treaty) = books.quota_share.map(|treaty| &self.treaties[treaty]) else { return 0 };
        if self.now < start(treaty.start_day) || treaty.end_day < books.last_cover_end_day {
            return 0;
        }
        let (cession, _) = treaty.quota_share().expect("the quota share is one");
        let part = cession.min(N::from(books.terms.max_credit_bps));
        treaty.limit_left.min(self.required(pool) * part / BPS)
    }

    /// Capital that must stay.
    pub fn must_stay(&self, pool: usize) -> N {
        let terms = &self.pools[pool].terms;
        let for_losses = ceil(self.required(pool) * N::from(terms.solvency_bps), BPS);
        for_losses.max(ceil(self.exposure_of_pool(pool) * BPS, N::from(terms.max_leverage_bps)))
    }

    /// Refuses below required capital.
    pub fn need_solvent(&self, pool: usize) -> Rule {
        need(self.pools[pool].staying() + self.credit(pool) >= self.must_stay(pool), "below required capital")
    }

    /// Refuses in an alert.
    pub fn need_no_alert(&self, pool: usize) -> Rule {
        need(self.alerts(pool).count == 0 && self.pools[pool].crisis.is_none(), "the pool is in alert, or in a crisis")
    }

    /// Refuses while alerts hold the pool.
    pub fn need_not_held(&self, pool: usize) -> Rule {
        need(!self.is_held(pool) && self.pools[pool].crisis.is_none(), "alerts hold the pool, or it is in a crisis")
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
                self.need_not_held(pool)?;
                let (amount, tranche) = (N::from(amount), tranche.index());
                let books = &mut self.pools[pool];
                let least = N::from(books.terms.min_first_deposit);
                let class = &mut books.classes[tranche];
                need(!class.over, "the tranche was wiped out")?;
                need(class.shares > 0 || amount >= least, "the first deposit is too small")?;
                let issued = issue(amount, class.shares, class.assets)?;
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
                let class = &mut self.pools[pool].classes[tranche.index()];
                need(class.over, "the tranche was not wiped out")?;
                class.over = false;
                class.series += 1;
                Ok(())
            }
            _ => super::unknown(op, "capital"),
        }
    }
}
