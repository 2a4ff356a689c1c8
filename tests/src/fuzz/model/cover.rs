//! Products and covers: price, capacity, sale, release.

use super::{BPS, DAY, Evidence, MOST, Model, N, Phase, Rule, ceil, day, need, start, take};
use crate::fuzz::op::{Op, Who};
use crate::fuzz::scene::{is_drop, program_of, set_of};
use backstop::peril::evidence::Direction;
use backstop::state::{ProductState, ProductTerms};

/// A product with its trigger.
#[derive(Clone, Debug)]
pub struct Product {
    /// The pool.
    pub pool: usize,
    /// Its number in the pool.
    pub id: u16,
    /// Which of the designs it is.
    pub design: usize,
    /// Whether its condition is set.
    pub has_condition: bool,
    /// Price, limits, bounds.
    pub terms: ProductTerms,
    /// Whether it sells.
    pub state: ProductState,
    /// When its notice ends.
    pub sells_from: i64,
    /// Whether the notice was served.
    pub notice_served: bool,
    /// When its freeze began.
    pub frozen_at: i64,
    /// From when on it sold again.
    pub thawed_at: Option<i64>,
    /// Risk rate now.
    pub risk_rate: N,
    /// When it moved.
    pub risk_rate_at: i64,
    /// Level of the demand curve.
    pub level: N,
    /// When it was drifted.
    pub level_at: i64,
    /// Average utilisation of the last whole day.
    pub utilisation: N,
    /// Utilisation of the present day so far, times seconds.
    pub utilisation_seconds: N,
    /// Exposure of the group's other products when it was last counted.
    pub others: N,
    /// What was sold of late, as of the last sale, and when that was.
    pub sold_of_late: (N, i64),
    /// Covers that ended until this day are released.
    pub released_day: u32,
    /// Days of its ring.
    pub ring_days: u32,
    /// Trigger.
    pub trigger: Evidence,
    /// Whether its exposure has left the books for good.
    pub released: bool,
    /// Its incident.
    pub incident: Option<super::Incident>,
    /// Whether the incident is over.
    pub incident_closed: bool,
    /// Whether its pool counts it in alert, whether as more than breaching, and the number of its last one.
    pub in_alert: bool,
    /// Whether it is more than breaching.
    pub is_due: bool,
    /// Its exposure when it was last looked at.
    pub in_alert_with: N,
    /// Number of its last alert.
    pub alert_number: u64,
    /// When that began.
    pub alert_at: i64,
    /// Since when it is more than breaching.
    pub due_at: Option<i64>,
}

/// Where a cover stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoverStatus {
    /// Sold.
    Live,
    /// Paid by an incident.
    Settled,
    /// Given back.
    Cancelled,
    /// Its accounts are closed.
    Closed,
}

/// A cover.
#[derive(Clone, Debug)]
pub struct Cover {
    /// The product.
    pub product: usize,
    /// Whoever bought it, and the number: its address.
    pub buyer: Who,
    /// The buyer's number.
    pub nonce: u64,
    /// When it was bought.
    pub bought_at: i64,
    /// The day in the address of its mint: that of the purchase, or of the day on which it was split off or a position became a cover.
    pub address_day: u32,
    /// Who holds the NFT, or owns the position; `None` once it is burnt, given back or closed.
    pub holder: Option<Who>,
    /// Of a position: whose account of the asset it pays.
    pub pays: Option<Who>,
    /// Sum insured.
    pub sum: N,
    /// Premium.
    pub premium: N,
    /// Stream rate.
    pub rate: N,
    /// First insured day.
    pub active_day: u32,
    /// First day after.
    pub end_day: u32,
    /// Where it stands.
    pub status: CoverStatus,
    /// Paid by its incident, or given back when it was cancelled.
    pub paid: N,
    /// Of that, for its loss.
    pub loss_paid: N,
    /// Whether an incident that is final has given its premium back.
    pub refunded: bool,
    /// The premium that incidents gave back.
    pub premium_back: N,
    /// The lien whose account is there: one that the cover is under, or that has outlived it.
    pub lien: Option<Lien>,
}

/// Whoever is paid first for a cover's loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lien {
    /// Whose account it pays.
    pub to: Who,
    /// What is left of its limit.
    pub limit: N,
    /// What it was paid.
    pub paid: N,
}

impl Product {
    /// What of a part that is lost is paid, in basis points: less the deductible, and of the rest less the coinsurance.
    pub fn paid_part(&self, lost: N) -> N {
        let beyond = lost.saturating_sub(N::from(self.terms.deductible_bps));
        beyond * (BPS - N::from(self.terms.coinsurance_bps)) / BPS
    }
}

impl Cover {
    /// The day in the address of its NFT's mint, on which it is neither given back nor closed.
    pub fn made_day(&self) -> u32 {
        self.address_day.max(day(self.bought_at))
    }

    /// Whether an event affects it, and as a loss or (still waiting) as a refund.
    pub fn affected(&self, event_at: i64) -> Option<bool> {
        let event = day(event_at);
        if self.status == CoverStatus::Cancelled || self.end_day <= event {
            return None;
        }
        Some(self.active_day <= event)
    }
}

/// The area under the line from rate `from` at 0 to rate `to` at `width`, from 0 to `x`, rounded down.
fn area(x: N, width: N, from: N, to: N) -> N {
    if x == 0 { 0 } else { from * x + (to - from) * x * x / (2 * width) }
}

/// A(e) of `docs/src/how/premium.md`.
fn integral(terms: &ProductTerms, exposure: N, capacity: N) -> N {
    let [zero, kink, full] =
        [terms.demand_at_zero_ppb, terms.demand_at_kink_ppb, terms.demand_at_capacity_ppb].map(N::from);
    let below = capacity * N::from(terms.kink_bps) / BPS;
    let first = area(exposure.min(below), below, zero, kink);
    first + area(exposure.saturating_sub(below), capacity - below, kink, full)
}

impl Model {
    /// Products that have their condition.
    pub fn with_condition(&self) -> Vec<usize> {
        (0..self.products.len()).filter(|product| self.products[*product].has_condition).collect()
    }

    /// Exposure of a product: its covers that are neither cancelled nor released.
    pub fn exposure(&self, product: usize) -> N {
        let entry = &self.products[product];
        if entry.released {
            return 0;
        }
        let counted = |cover: &&Cover| {
            cover.product == product && cover.status != CoverStatus::Cancelled && cover.end_day > entry.released_day
        };
        self.covers.iter().filter(counted).map(|cover| cover.sum).sum()
    }

    /// Exposure of a risk group.
    pub fn exposure_of_group(&self, pool: usize, group: u32) -> N {
        let products = self.products.iter().enumerate();
        let ours = products.filter(|(_, product)| product.pool == pool && product.terms.risk_group == group);
        ours.map(|(index, _)| self.exposure(index)).sum()
    }

    /// Exposure of a pool.
    pub fn exposure_of_pool(&self, pool: usize) -> N {
        let products = self.products.iter().enumerate();
        products.filter(|(_, product)| product.pool == pool).map(|(index, _)| self.exposure(index)).sum()
    }

    /// Exposure that a product may reach.
    pub fn capacity(&self, product: usize) -> N {
        let entry = &self.products[product];
        let books = &self.pools[entry.pool];
        let base = books.staying().min(books.seasoned(books.capital_day)[0]);
        self.capacity_of(product, base, self.others(product))
    }

    /// What it may sell now: a day's sales, less what was sold of late, of which a day's sales are forgotten in a day.
    pub fn left_now(&self, product: usize) -> N {
        let daily = self.capacity(product) * N::from(self.products[product].terms.daily_bps) / BPS;
        daily.saturating_sub(self.still_sold(product, daily))
    }

    fn still_sold(&self, product: usize, daily: N) -> N {
        let (sold, at) = self.products[product].sold_of_late;
        let elapsed = (self.now - at).clamp(0, DAY).unsigned_abs() as N;
        sold.saturating_sub(daily.max(sold) * elapsed / DAY.unsigned_abs() as N)
    }

    /// Exposure of the other products of its group.
    fn others(&self, product: usize) -> N {
        let entry = &self.products[product];
        self.exposure_of_group(entry.pool, entry.terms.risk_group) - self.exposure(product)
    }

    fn capacity_of(&self, product: usize, base: N, others: N) -> N {
        let entry = &self.products[product];
        let books = &self.pools[entry.pool];
        let group_cap = (base * N::from(books.terms.group_cap_bps) / BPS).saturating_sub(others);
        (base * N::from(entry.terms.cap_bps) / BPS).min(group_cap).min(100_000_000_000_000_000)
    }

    /// Counts a cover among what outlasts quota shares, or no longer.
    fn count_outlasting(&mut self, pool: usize, end_day: u32, sum: N, sold: bool) {
        let ends: Vec<u32> =
            self.pools[pool].quota_shares.iter().map(|(treaty, _)| self.treaties[*treaty].end_day).collect();
        for ((_, outlasting), end) in self.pools[pool].quota_shares.iter_mut().zip(ends) {
            if end_day > end {
                *outlasting = if sold { *outlasting + sum } else { outlasting.saturating_sub(sum) };
            }
        }
    }

    /// Takes a product that is over out of what outlasts quota shares whose terms run.
    pub(super) fn forget_outlasting(&mut self, product: usize) {
        let pool = self.products[product].pool;
        let (released_day, accrued_at) = (self.products[product].released_day, self.pools[pool].accrued_at);
        for place in 0..self.pools[pool].quota_shares.len() {
            let end_day = self.treaties[self.pools[pool].quota_shares[place].0].end_day;
            let counted = |cover: &&Cover| {
                let live = cover.product == product && cover.status != CoverStatus::Cancelled;
                live && cover.end_day > released_day.max(end_day)
            };
            let sum: N = self.covers.iter().filter(counted).map(|cover| cover.sum).sum();
            if start(end_day) > accrued_at {
                let outlasting = &mut self.pools[pool].quota_shares[place].1;
                *outlasting = outlasting.saturating_sub(sum);
            }
        }
    }

    /// Counts utilisation, and drifts the level by the average of the days that are over. The pool is accrued.
    fn drift(&mut self, product: usize) {
        let now = self.now;
        let entry = &self.products[product];
        let books = &self.pools[entry.pool];
        let (others_now, exposure) = (self.others(product), self.exposure(product));
        let others = others_now.min(entry.others);
        let used = |last: u32| {
            let capacity = self.capacity_of(product, books.seasoned(last)[1], others);
            let part = if exposure == 0 { Some(0) } else { (exposure * BPS).checked_div(capacity) };
            part.unwrap_or(N::MAX).min(20_000)
        };
        let (before, today) = (used(books.capital_day - 1), used(books.capital_day));
        let seconds = |from: i64, to: i64| (to - from).max(0).unsigned_abs() as N;
        let entry = &mut self.products[product];
        let counted = day(entry.level_at);
        // The averages of the days that are over.
        let mut averages = Vec::new();
        if day(now) > counted {
            let rest = seconds(entry.level_at, start(counted + 1));
            averages.push((entry.utilisation_seconds + before * rest) / DAY.unsigned_abs() as N);
            averages.extend((counted + 1..day(now)).map(|_| before));
            entry.utilisation_seconds = 0;
            entry.level_at = start(day(now));
        }
        let terms = &entry.terms;
        let drift = N::from(terms.drift_bps);
        for used in averages.iter().skip(averages.len().saturating_sub(7)) {
            if *used > N::from(terms.upper_mark_bps) {
                entry.level += ceil(entry.level * drift, BPS);
            } else if *used < N::from(terms.lower_mark_bps) {
                entry.level -= entry.level * drift / BPS;
            }
            entry.level = entry.level.clamp(N::from(terms.min_level_bps), N::from(terms.max_level_bps));
        }
        entry.utilisation = averages.last().copied().unwrap_or(entry.utilisation);
        entry.utilisation_seconds += today * seconds(entry.level_at, now);
        entry.level_at = now;
        entry.others = others_now;
    }

    fn sync(&mut self, product: usize) {
        let due = day(self.now).saturating_sub(self.products[product].ring_days);
        let now = self.now;
        let entry = &mut self.products[product];
        if entry.trigger.reading.is_none()
            && !entry.trigger.is_proven_by(now)
            && entry.state != ProductState::Over
            && due > entry.released_day
        {
            entry.released_day = due;
        }
    }

    /// What every sale of time asks for.
    fn admit_sale(&mut self, product: usize) -> Rule {
        let now = self.now;
        let pool = self.products[product].pool;
        self.accrue(pool);
        need(!self.pools[pool].has_ended(now), "the vintage is over")?;
        let entry = &mut self.products[product];
        need(entry.state == ProductState::Selling, "the product does not sell")?;
        need(now >= entry.sells_from, "the notice is not over")?;
        if !entry.notice_served {
            need(!self.pools[pool].exits_wait(now), "exits wait")?;
            entry.notice_served = true;
        }
        need(entry.trigger.phase == Phase::Quiet, "the trigger is not quiet")?;
        need(self.pools[pool].crisis.is_none(), "the pool is in a crisis")?;
        need(!self.group_alert(product), "a product of the risk group is in alert")?;
        let entry = &mut self.products[product];
        if entry.trigger.reading.is_some() {
            // Of a reading nothing is known while it is sold.
            self.drift(product);
            return Ok(());
        }
        need(entry.trigger.vaults.as_ref().is_none_or(|vaults| !vaults.is_armed(now)), "it is armed")?;
        let (published, _, _) = entry.trigger.last.ok_or("there is no print")?;
        need(now - published <= i64::from(entry.terms.max_price_age), "the last print is too old")?;
        let threshold = N::from(entry.trigger.terms.threshold);
        let buffer = ceil(threshold * N::from(entry.terms.no_sale_buffer_bps), BPS);
        let recovery = N::from(entry.trigger.terms.recovery);
        let boundary = match entry.trigger.terms.direction() {
            Direction::Below => (threshold + buffer).max(recovery),
            Direction::Above => (threshold - buffer).min(recovery),
        };
        let boundary = entry.trigger.mirrored(u64::try_from(boundary).expect("it is a price"));
        let worst = entry.trigger.lowest(now).ok_or("there is no print")?;
        need(worst >= boundary, "a price of the quiet time is too near the threshold")?;
        self.drift(product);
        self.sync(product);
        Ok(())
    }

    fn sell(&mut self, product: usize, sum: N, days: u16) -> Rule<Cover> {
        let now = self.now;
        let pool = self.products[product].pool;
        self.admit_sale(product)?;
        let capacity = self.capacity(product);
        let exposure = self.exposure(product);
        let entry = &self.products[product];
        let terms = &entry.terms;
        need(sum >= N::from(self.pools[pool].terms.min_sum_insured), "the sum is too small")?;
        need(sum <= N::from(terms.max_sum_insured), "the sum is too large")?;
        need((terms.min_term_days..=terms.max_term_days).contains(&days), "the term is out of bounds")?;
        need(exposure + sum <= capacity, "beyond capacity")?;
        need(sum <= self.left_now(product), "as much was sold of late as is in a day")?;
        let daily = capacity * N::from(terms.daily_bps) / BPS;
        let sold_of_late = (self.still_sold(product, daily) + sum, now);
        // The first day that begins at or after now and the waiting time.
        let active_day = day(now + i64::from(terms.waiting_seconds) + DAY - 1);
        let period = self.reading(product).map(super::Reading::period);
        let (active_day, end_day) = period.unwrap_or((active_day, active_day + u32::from(days)));
        self.need_far(product)?;
        need(active_day + u32::from(days) == end_day, "not the days of the period")?;
        let technical = ceil(entry.risk_rate * (BPS + N::from(terms.loading_bps)), BPS);
        let demanded = integral(terms, exposure + sum, capacity) - integral(terms, exposure, capacity);
        let second = |seconds: i64| seconds.unsigned_abs() as N;
        let risk = sum * technical * N::from(days) * second(DAY);
        let held = second(start(end_day + entry.ring_days) - now);
        let due = risk + ceil(entry.level * demanded, BPS) * held;
        let premium = ceil(due, 365 * second(DAY) * 1_000_000_000).max(N::from(terms.min_premium));
        self.products[product].sold_of_late = sold_of_late;
        let books = &mut self.pools[pool];
        // The buckets of premium begin where accrual stands.
        let ahead = |of: u32| of - day(books.accrued_at);
        let streams = period.is_some() || (ahead(active_day) <= 32 && ahead(end_day) < 512);
        need(streams, "accrual stands for too long")?;
        books.last_cover_end_day = books.last_cover_end_day.max(end_day);
        books.in_use = true;
        Ok(Cover {
            product,
            buyer: 0,
            nonce: 0,
            bought_at: now,
            address_day: day(now),
            holder: None,
            pays: None,
            sum,
            premium,
            rate: 0,
            active_day,
            end_day,
            status: CoverStatus::Live,
            paid: 0,
            loss_paid: 0,
            refunded: false,
            premium_back: 0,
            lien: None,
        })
    }

    /// What a cover would cost now: a purchase on a copy.
    pub fn quote(&self, product: usize, sum: u64, days: u16) -> Rule<N> {
        let mut copy = self.clone();
        copy.sell(product, N::from(sum), days).map(|cover| cover.premium)
    }

    /// Sells days beyond a position's end. Its stream begins anew, with what it had not earned and what the days cost.
    fn extend(&mut self, cover: usize, days: u16, max_premium: u64, by: Who) -> Rule {
        let Cover { product, holder, pays, sum, premium, rate, active_day, end_day, status, bought_at, .. } =
            self.covers[cover].clone();
        need(pays.is_some() && holder == Some(by), "not a position's owner")?;
        let paid = self.covers[cover].loss_paid > 0 || self.covers[cover].refunded;
        need(status == CoverStatus::Live && !paid, "something was paid for it")?;
        let (pool, now) = (self.products[product].pool, self.now);
        need(now >= start(active_day), "it is not in force yet")?;
        need(self.reading(product).is_none(), "a reading has its days")?;
        self.admit_sale(product)?;
        need(self.pools[pool].accrued_at == now, "accrual stands")?;
        let (capacity, exposure) = (self.capacity(product), self.exposure(product));
        let entry = &self.products[product];
        let terms = &entry.terms;
        let first = day(now + i64::from(terms.waiting_seconds) + DAY - 1);
        need(first <= end_day, "what is bought now begins after its end")?;
        let later = end_day + u32::from(days);
        need(days > 0 && later <= first + u32::from(terms.max_term_days), "the term is out of bounds")?;
        need(exposure <= capacity, "there is more than the capacity")?;
        let second = |seconds: i64| seconds.unsigned_abs() as N;
        let seconds = N::from(days) * second(DAY);
        let technical = ceil(entry.risk_rate * (BPS + N::from(terms.loading_bps)), BPS);
        let demanded = integral(terms, exposure, capacity) - integral(terms, exposure - sum, capacity);
        let due = (sum * technical + ceil(entry.level * demanded, BPS)) * seconds;
        let price = ceil(due, 365 * second(DAY) * 1_000_000_000).max(N::from(terms.min_premium));
        // By the day no less than its own time has cost, from its purchase to its release.
        let own = ceil(premium * seconds, second(start(end_day + entry.ring_days) - bought_at));
        let price = price.max(own);
        need(price <= N::from(max_premium) && price <= MOST, "the premium is too high")?;
        let books = &mut self.pools[pool];
        let stream = books.streams.iter().position(|stream| stream.cover == Some(cover));
        books.streams.remove(stream.ok_or("books: the cover's stream is gone")?);
        let unearned = ((rate * second(start(end_day) - now)) >> 32).min(premium);
        books.unearned -= unearned;
        let rate = books.stream(unearned + price, now, later, Some(cover));
        books.last_cover_end_day = books.last_cover_end_day.max(later);
        let asset = books.asset;
        self.count_outlasting(pool, end_day, sum, false);
        self.count_outlasting(pool, later, sum, true);
        let entry = &mut self.covers[cover];
        (entry.rate, entry.end_day, entry.premium) = (rate, later, premium + price);
        self.need_solvent(pool)?;
        self.need_first_loss(pool)?;
        self.spend(by, asset, price)
    }

    fn cancel(&mut self, cover: usize, by: Who) -> Rule {
        let Cover { sum, premium, rate, .. } = self.covers[cover];
        let refund = self.give_back(cover, by, [sum, premium, rate])?;
        self.covers[cover].status = CoverStatus::Cancelled;
        self.covers[cover].holder = None;
        self.covers[cover].paid = refund;
        Ok(())
    }

    /// Gives the rest of a position back beyond a sum that stays.
    fn reduce(&mut self, cover: usize, left: u64, by: Who) -> Rule {
        let entry = &self.covers[cover];
        need(entry.pays.is_some(), "a cover is no position")?;
        need(entry.loss_paid == 0 && !entry.refunded, "something was paid for it")?;
        let (all, least) = (entry.sum, N::from(self.pools[self.products[entry.product].pool].terms.min_sum_insured));
        let sum = all.saturating_sub(N::from(left));
        need(sum >= least.max(1) && all - sum >= least.max(1), "a part is too small")?;
        let [premium, rate] = [entry.premium, entry.rate].map(|whole| whole * sum / all);
        let flat = self.reading(self.covers[cover].product).is_some();
        need(premium > 0 && (rate > 0 || flat), "a part is too small")?;
        self.give_back(cover, by, [sum, premium, rate])?;
        let entry = &mut self.covers[cover];
        entry.sum -= sum;
        entry.premium -= premium;
        entry.rate -= rate;
        Ok(())
    }

    /// Gives a part of a cover back, or all of it: sum, premium and rate. Returns what comes back.
    fn give_back(&mut self, cover: usize, by: Who, [sum, premium, rate]: [N; 3]) -> Rule<N> {
        let Cover { product, holder, active_day, end_day, status, bought_at, .. } = self.covers[cover].clone();
        need(self.covers[cover].lien.is_none(), "it is under a lien")?;
        need(status == CoverStatus::Live && holder == Some(by), "not a live cover's holder")?;
        let pool = self.products[product].pool;
        let now = self.now;
        need(now < start(end_day), "the cover has ended")?;
        need(day(now) > self.covers[cover].made_day(), "it was bought, or made, today")?;
        need(self.products[product].trigger.phase == Phase::Quiet, "the trigger is not quiet")?;
        self.need_far(product)?;
        let flat = self.reading(product).is_some();
        self.accrue(pool);
        self.drift(product);
        let terms_fee = N::from(self.products[product].terms.cancel_fee_bps);
        let began = now >= start(active_day);
        let streamed = (rate * (start(end_day) - now.max(start(active_day))).unsigned_abs() as N) >> 32;
        let earning = if flat { premium } else { streamed };
        // Of a part the rate may be rounded up.
        let to_earn = earning.min(premium);
        let unearned = if began { to_earn } else { premium };
        // The premium stays for the time in which the cover took room, of all that it was priced for.
        let seconds = |to: i64| (to - bought_at).unsigned_abs() as N;
        let for_room = ceil(premium * seconds(now), seconds(start(end_day + self.products[product].ring_days)));
        let kept = ceil(unearned * terms_fee, BPS).max(for_room.saturating_sub(premium - unearned));
        // No more leaves the unearned premium than the rate that leaves has to earn.
        let refund = unearned.saturating_sub(kept).min(to_earn.saturating_sub(1));
        let fee = to_earn - refund;
        let (sold, _) = &mut self.products[product].sold_of_late;
        *sold = sold.saturating_sub(sum * unearned / premium);
        let books = &mut self.pools[pool];
        if !flat {
            let place = books.streams.iter().position(|stream| stream.cover == Some(cover));
            let place = place.ok_or("books: the cover's stream is gone")?;
            let stream = &mut books.streams[place];
            let part = super::Stream { rate, ..*stream };
            stream.rate -= rate;
            if stream.rate == 0 {
                books.streams.remove(place);
            }
            books.held_back += part.earns(books.accrued_at, now) >> 32;
        }
        self.note_cover_end(pool, end_day);
        let books = &mut self.pools[pool];
        books.unearned -= to_earn;
        books.surplus += fee;
        let asset = books.asset;
        if refund > 0 {
            self.receive(by, asset, refund)?;
        }
        self.count_outlasting(pool, end_day, sum, false);
        Ok(refund)
    }

    /// The end of the last cover whose premium is still earned, if it may have been on this day; else the last day up to
    /// which premium was earned.
    pub(super) fn note_cover_end(&mut self, pool: usize, end_day: u32) {
        // Readings end on days of their own, as long as one of their covers may be in force.
        let readings = if self.reading_exposure(pool) > 0 { self.readings_end(pool) } else { 0 };
        let books = &mut self.pools[pool];
        if end_day < books.last_cover_end_day {
            return;
        }
        let last = books.streams.iter().filter(|stream| stream.cover.is_some()).map(|stream| stream.end_day).max();
        let accrued = day(books.accrued_at).max(readings).min(books.last_cover_end_day);
        books.last_cover_end_day = last.unwrap_or(0).max(accrued);
    }

    /// Whether a cover that was not paid can no longer be.
    pub fn is_spent(&self, cover: &Cover) -> bool {
        let product = &self.products[cover.product];
        match (product.state, product.trigger.event_at) {
            (ProductState::Over, event_at) => product.incident_closed || cover.affected(event_at).is_none(),
            _ => cover.end_day <= product.released_day,
        }
    }

    pub(super) fn apply_cover(&mut self, op: &Op) -> Rule {
        match *op {
            Op::CreateProduct { pool, design, by } => {
                need(by == self.roles.governance, "only governance")?;
                let now = self.now;
                let books = &mut self.pools[pool];
                let (terms, trigger) = crate::fuzz::scene::design(design);
                let second_key = if is_drop(design) { super::SECOND_KEY_DAYS } else { 0 };
                let ring_days = trigger.ring_days() + second_key;
                let product = Product {
                    pool,
                    id: books.products,
                    design,
                    has_condition: false,
                    terms,
                    state: ProductState::Announced,
                    sells_from: 0,
                    notice_served: false,
                    frozen_at: 0,
                    thawed_at: None,
                    risk_rate: N::from(terms.risk_rate_ppb),
                    risk_rate_at: now,
                    level: N::from(terms.level_bps),
                    level_at: now,
                    utilisation: 0,
                    utilisation_seconds: 0,
                    others: 0,
                    sold_of_late: (0, 0),
                    released_day: 0,
                    ring_days,
                    trigger: Evidence::new(trigger, crate::fuzz::scene::feed_of(design)),
                    released: false,
                    incident: None,
                    incident_closed: false,
                    in_alert: false,
                    is_due: false,
                    in_alert_with: 0,
                    alert_number: 0,
                    alert_at: 0,
                    due_at: None,
                };
                books.products += 1;
                self.products.push(product);
                Ok(())
            }
            Op::SetCondition { product, by } => {
                need(by == self.roles.governance, "only governance")?;
                let now = self.now;
                let entry = &mut self.products[product];
                need(entry.state == ProductState::Announced, "it has its condition, or sells no more")?;
                if is_drop(entry.design) {
                    let set = set_of(product);
                    need(self.sets[set].is_alive(), "nobody can report")?;
                    entry.trigger.vaults = Some(super::Vaults::new(set));
                }
                entry.trigger.rate = program_of(entry.design, product).map(super::Rate::new);
                let books = &mut self.pools[entry.pool];
                need(!books.has_ended(books.notice(now)), "it could not sell before the vintage is over")?;
                books.ring_days = books.ring_days.max(entry.ring_days);
                books.conditions += 1;
                entry.state = ProductState::Selling;
                entry.has_condition = true;
                entry.sells_from = books.notice(now);
                entry.level_at = now;
                entry.released_day = day(now) - entry.ring_days;
                Ok(())
            }
            Op::SetReading { product, set, by } => self.set_reading(product, set, by),
            Op::Retire { product } => {
                let of_vaults = self.vaults(product).map(|vaults| vaults.set);
                let set = self.reading(product).map(|reading| reading.set).or(of_vaults);
                need(!self.sets[set.ok_or("it has no attestors")?].is_alive(), "they can report")?;
                let entry = &mut self.products[product];
                need(matches!(entry.state, ProductState::Selling | ProductState::Frozen), "no such change")?;
                entry.state = ProductState::RunOff;
                Ok(())
            }
            Op::SetProductState { product, state, by } => {
                need(by == self.roles.governance, "only governance")?;
                let now = self.now;
                let notice = self.pools[self.products[product].pool].notice(now);
                let entry = &mut self.products[product];
                use ProductState::{Announced, Frozen, RunOff, Selling};
                let runs_off = matches!((entry.state, state), (Announced | Selling | Frozen, RunOff));
                let allowed = runs_off || matches!((entry.state, state), (Selling, Frozen) | (Frozen, Selling));
                need(allowed, "no such change")?;
                entry.state = state;
                // Frozen for more than seven days, not counting sales of less: its notice runs again.
                if state == Frozen && entry.thawed_at.is_none_or(|thawed| now - thawed >= 7 * DAY) {
                    entry.frozen_at = now;
                }
                if state == Selling {
                    if now - entry.frozen_at > 7 * DAY {
                        entry.sells_from = entry.sells_from.max(notice);
                        entry.notice_served = false;
                    }
                    entry.thawed_at = Some(now.max(entry.sells_from));
                }
                Ok(())
            }
            Op::SetRiskRate { product, rate_ppb, by } => {
                need(by == self.roles.risk_keeper, "only the risk keeper")?;
                let now = self.now;
                let entry = &mut self.products[product];
                need(now - entry.risk_rate_at >= DAY, "moved within a day")?;
                let rate = N::from(rate_ppb);
                let terms = &entry.terms;
                let bounds = N::from(terms.risk_rate_floor_ppb)..=N::from(terms.risk_rate_ceiling_ppb);
                let near = rate.abs_diff(entry.risk_rate) <= N::from(terms.risk_rate_step_ppb);
                need(bounds.contains(&rate) && near, "out of bounds")?;
                entry.risk_rate = rate;
                entry.risk_rate_at = now;
                Ok(())
            }
            Op::Sync { product } => {
                self.accrue(self.products[product].pool);
                self.drift(product);
                self.sync(product);
                Ok(())
            }
            Op::Buy { product, who, receiver, sum, days, max_premium, nonce } => {
                need(self.roles.paused & 2 == 0 || self.now >= self.roles.paused_until, "purchases are paused")?;
                self.buy(product, who, [sum, max_premium, nonce], days)?;
                self.covers.last_mut().expect("it was pushed").holder = Some(receiver);
                Ok(())
            }
            Op::BuyPosition { product, who, to, sum, days, max_premium, nonce } => {
                need(self.roles.paused & 2 == 0 || self.now >= self.roles.paused_until, "purchases are paused")?;
                let asset = self.pools[self.products[product].pool].asset;
                need(self.assets[to][asset].is_some(), "the beneficiary has no account")?;
                let taken = |cover: &Cover| {
                    let open = matches!(cover.status, CoverStatus::Live | CoverStatus::Settled);
                    cover.pays.is_some() && open && (cover.product, cover.buyer, cover.nonce) == (product, who, nonce)
                };
                need(!self.covers.iter().any(taken), "there is a position of this number")?;
                self.buy(product, who, [sum, max_premium, nonce], days)?;
                let last = self.covers.last_mut().expect("it was pushed");
                (last.holder, last.pays) = (Some(who), Some(to));
                Ok(())
            }
            Op::SetBeneficiary { cover, to, by } => {
                let entry = &self.covers[cover];
                need(entry.pays.is_some() && entry.holder == Some(by), "not a position's owner")?;
                need(entry.status == CoverStatus::Live, "not a live position")?;
                let over = self.products[entry.product].state == ProductState::Over;
                need(over || entry.lien.is_none(), "it is under a lien")?;
                let asset = self.pools[self.products[entry.product].pool].asset;
                need(self.assets[to][asset].is_some(), "the beneficiary has no account")?;
                self.covers[cover].pays = Some(to);
                Ok(())
            }
            Op::CancelPosition { cover, by } => {
                need(self.covers[cover].pays.is_some(), "a cover is no position")?;
                self.cancel(cover, by)
            }
            Op::Reduce { cover, left, by } => self.reduce(cover, left, by),
            Op::Extend { cover, days, max_premium, by } => {
                need(self.roles.paused & 2 == 0 || self.now >= self.roles.paused_until, "purchases are paused")?;
                self.extend(cover, days, max_premium, by)
            }
            Op::ToNft { cover, receiver, nonce, by } => {
                let entry = &self.covers[cover];
                need(entry.pays.is_some() && entry.holder == Some(by), "not a position's owner")?;
                need(entry.status == CoverStatus::Live, "it was paid all")?;
                need(entry.lien.is_none(), "it is under a lien")?;
                need(!self.is_spent(entry), "it can no longer be paid")?;
                let today = day(self.now);
                let entry = &mut self.covers[cover];
                (entry.pays, entry.holder, entry.nonce, entry.address_day) = (None, Some(receiver), nonce, today);
                Ok(())
            }
            Op::ClosePosition { cover, by } => {
                need(self.covers[cover].pays.is_some(), "a cover is no position")?;
                self.close(cover, Some(by))
            }
            Op::CancelCover { cover, by } => {
                need(self.covers[cover].pays.is_none(), "a position is no cover")?;
                self.cancel(cover, by)
            }
            Op::CloseCover { cover, holder } => {
                need(self.covers[cover].pays.is_none(), "a position is no cover")?;
                self.close(cover, holder)
            }
            Op::SplitCover { cover, receiver, sum, nonce, by } => {
                need(self.covers[cover].pays.is_none(), "a position is no cover")?;
                self.split(cover, N::from(sum), nonce, by)?;
                let last = self.covers.last_mut().expect("it was pushed");
                (last.holder, last.address_day) = (Some(receiver), day(self.now));
                Ok(())
            }
            Op::SplitPosition { cover, sum, nonce, by } => {
                need(self.covers[cover].pays.is_some(), "a cover is no position")?;
                self.split(cover, N::from(sum), nonce, by)
            }
            Op::SetLien { cover, to, limit, by } => {
                let entry = &self.covers[cover];
                need(entry.holder == Some(by) && entry.status == CoverStatus::Live, "not a live cover's holder")?;
                // A position may have the address of one whose lien is still there.
                let place = (entry.pays.is_some(), entry.product, entry.buyer, entry.nonce, entry.address_day);
                let there = |other: &Cover| {
                    let (is_position, product, buyer, nonce, day) = place;
                    let same = (other.pays.is_some(), other.product, other.buyer, other.nonce);
                    let same = same == (is_position, product, buyer, nonce);
                    other.lien.is_some() && same && (is_position || other.address_day == day)
                };
                need(!self.covers.iter().any(there), "there is a lien")?;
                need(self.assets[to][self.asset_of(cover)].is_some(), "the payee has no account")?;
                need(limit > 0, "nothing")?;
                self.covers[cover].lien = Some(Lien { to, limit: limit.into(), paid: 0 });
                Ok(())
            }
            Op::LowerLien { cover, to, limit, by } => {
                let asset = self.asset_of(cover);
                let has_account = self.assets[to][asset].is_some();
                let lien = self.covers[cover].lien.as_mut().ok_or("there is no lien")?;
                need(lien.to == by, "not whoever it pays")?;
                need((1..=lien.limit).contains(&limit.into()), "not lower")?;
                need(has_account, "the payee has no account")?;
                (lien.to, lien.limit) = (to, limit.into());
                Ok(())
            }
            Op::LiftLien { cover, payee } => {
                let entry = &mut self.covers[cover];
                let lien = entry.lien.ok_or("there is no lien")?;
                let closed = matches!(entry.status, CoverStatus::Closed | CoverStatus::Cancelled);
                let allowed = payee.map_or(lien.limit == 0 || closed, |payee| payee == lien.to);
                need(allowed, "it is in force")?;
                entry.lien = None;
                Ok(())
            }
            _ => super::unknown(op, "cover"),
        }
    }

    /// The asset that a cover is paid in.
    fn asset_of(&self, cover: usize) -> usize {
        self.pools[self.products[self.covers[cover].product].pool].asset
    }

    /// Makes a part of a cover one of its own, which has its part of premium and rate, rounded down.
    fn split(&mut self, cover: usize, sum: N, nonce: u64, by: Who) -> Rule {
        let whole = self.covers[cover].clone();
        need(whole.status == CoverStatus::Live && whole.holder == Some(by), "not a live cover's holder")?;
        need(whole.lien.is_none(), "it is under a lien")?;
        need(whole.loss_paid == 0 && !whole.refunded, "something was paid for it")?;
        let product = &self.products[whole.product];
        need(product.state != ProductState::Over, "the product is over")?;
        need(self.now < start(whole.end_day), "it has ended")?;
        let least = N::from(self.pools[product.pool].terms.min_sum_insured);
        need(sum >= least && whole.sum.saturating_sub(sum) >= least, "a part is too small")?;
        let [premium, rate] = [whole.premium, whole.rate].map(|of| of * sum / whole.sum);
        let flat = self.reading(whole.product).is_some();
        need(premium > 0 && (rate > 0 || flat), "nothing of the premium falls on it")?;
        let taken = |other: &Cover| {
            let open = matches!(other.status, CoverStatus::Live | CoverStatus::Settled);
            let same = (other.product, other.buyer, other.nonce) == (whole.product, by, nonce);
            whole.pays.is_some() && other.pays.is_some() && open && same
        };
        need(!self.covers.iter().any(taken), "there is a position of this number")?;
        let pool = product.pool;
        let index = self.covers.len();
        if !flat {
            let streams = &mut self.pools[pool].streams;
            let place = streams.iter().position(|stream| stream.cover == Some(cover)).ok_or("books: no stream")?;
            streams[place].rate -= rate;
            let part = super::Stream { rate, cover: Some(index), ..streams[place].clone() };
            streams.push(part);
        }
        let entry = &mut self.covers[cover];
        (entry.sum, entry.premium, entry.rate) = (whole.sum - sum, whole.premium - premium, whole.rate - rate);
        self.covers.push(Cover { sum, premium, rate, nonce, buyer: by, ..whole });
        Ok(())
    }

    /// Sells to somebody who pays, and begins the stream.
    fn buy(&mut self, product: usize, who: Who, [sum, max_premium, nonce]: [u64; 3], days: u16) -> Rule {
        let pool = self.products[product].pool;
        let cover = self.sell(product, N::from(sum), days)?;
        let (premium, begins, end_day) = (cover.premium, start(cover.active_day), cover.end_day);
        let index = self.covers.len();
        self.count_outlasting(pool, end_day, cover.sum, true);
        self.covers.push(cover);
        self.need_solvent(pool)?;
        self.need_first_loss(pool)?;
        let rate = match self.reading(product) {
            Some(_) => {
                self.pools[pool].unearned += premium;
                0
            }
            None => self.pools[pool].stream(premium, begins, end_day, Some(index)),
        };
        need(premium <= N::from(max_premium) && premium <= MOST, "the premium is too high")?;
        let last = self.covers.last_mut().expect("it was pushed");
        (last.buyer, last.nonce, last.rate) = (who, nonce, rate);
        self.spend(who, self.pools[pool].asset, premium)
    }

    fn close(&mut self, cover: usize, holder: Option<Who>) -> Rule {
        let entry = &self.covers[cover];
        need(matches!(entry.status, CoverStatus::Live | CoverStatus::Settled), "there is no such cover")?;
        // Of a product that is over the holder may give up what could still come.
        let over = self.products[entry.product].state == ProductState::Over;
        let given_up = over && entry.holder.is_some() && entry.lien.is_none();
        let spent = entry.status == CoverStatus::Settled || self.is_spent(entry);
        need(spent || given_up, "the cover is still live")?;
        need(entry.holder.is_none() || entry.holder == holder, "not the holder")?;
        need(entry.pays.is_some() || day(self.now) > entry.made_day(), "its NFT was made today")?;
        // A holder that is named must have the NFT.
        let entry = &mut self.covers[cover];
        entry.status = CoverStatus::Closed;
        entry.holder = None;
        Ok(())
    }
}

/// Takes an amount of shares from somebody; used for moves past the program.
pub(super) fn take_shares(model: &mut Model, key: (Who, usize, usize, u8), amount: N) -> Rule {
    take(model.shares.get_mut(&key).ok_or("there is no share account")?, amount, "not enough shares")
}
