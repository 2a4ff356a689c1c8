//! Exits: tickets, epochs, the queue.

use super::{BPS, Class, DAY, MOST, Model, N, Rule, ceil, day, issue, need, start, take, worth};
use crate::fuzz::op::Who;
use backstop::state::TreatyKind;

/// A request to leave.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The pool.
    pub pool: usize,
    /// Whoever is paid.
    pub owner: Who,
    /// Tranche and series.
    pub tranche: usize,
    /// Series when it was made.
    pub series: u8,
    /// The epoch's day.
    pub day: u32,
    /// Units requested.
    pub units: N,
    /// Paid so far.
    pub claimed: N,
    /// Its number.
    pub nonce: u64,
    /// The day of the request.
    pub asked_on: u32,
    /// Whether its account is open.
    pub open: bool,
}

/// All tickets of a day.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// The pool.
    pub pool: usize,
    /// The day.
    pub day: u32,
    /// Series of its units.
    pub series: [u8; 2],
    /// The open part, of 2^63.
    pub open: N,
    /// Paid per unit requested, times 2^64.
    pub per_unit: [N; 2],
    /// Paid to it.
    pub paid: N,
}

/// All of an epoch.
pub const ALL: N = 1 << 63;

/// Part of a ticket's or an epoch's units that is open, rounded down.
pub fn open_part(units: N, open: N) -> N {
    (units * open) >> 63
}

/// What a number of units was paid, rounded down. The product can have 192 bits.
pub fn paid_part(units: N, per_unit: N) -> N {
    units * (per_unit >> 64) + ((units * (per_unit & MOST)) >> 64)
}

impl Model {
    /// Tickets of an epoch that are counted in it.
    pub fn tickets_of(&self, epoch: &Epoch) -> impl Iterator<Item = &Ticket> {
        let (pool, day) = (epoch.pool, epoch.day);
        self.tickets.iter().filter(move |ticket| ticket.open && (ticket.pool, ticket.day) == (pool, day))
    }

    /// Units of an epoch's open tickets by tranche.
    pub fn units_of(&self, epoch: &Epoch) -> [N; 2] {
        let mut units = [0; 2];
        for ticket in self.tickets_of(epoch).filter(|ticket| epoch.series[ticket.tranche] == ticket.series) {
            units[ticket.tranche] += ticket.units;
        }
        units
    }

    /// What is set aside in an epoch for its tickets: what was paid to it less what they have had.
    pub(super) fn epoch(&self, pool: usize, day: u32) -> Rule<usize> {
        let found = self.epochs.iter().position(|epoch| (epoch.pool, epoch.day) == (pool, day));
        found.ok_or("there is no such epoch")
    }

    pub(super) fn request_exit(
        &mut self,
        pool: usize,
        who: Who,
        tranche: usize,
        shares: N,
        ahead: u32,
        nonce: u64,
    ) -> Rule {
        let first = self.first_exit_day(pool);
        let cooled = day(self.now + i64::from(self.pools[pool].terms.cooldown_seconds));
        need(first + ahead <= cooled + 1, "neither its day's epoch nor the next")?;
        let series = self.pools[pool].classes[tranche].series;
        let held = self.shares.get_mut(&(who, pool, tranche, series)).ok_or("there is no share account")?;
        take(held, shares, "not enough shares")?;
        self.accrue(pool);
        let now = self.now;
        let books = &mut self.pools[pool];
        let least = N::from(books.terms.min_ticket);
        let class = &mut books.classes[tranche];
        need(!class.over, "the tranche was wiped out")?;
        // What was lent to a crisis, and what treaties owe, counts and goes along.
        let taken = books.crisis.as_ref().map_or([0; 5], |crisis| crisis.taken);
        let [owed, owed_exiting] = class.recoverable;
        let staying = class.assets + taken[1 + 2 * tranche] + owed;
        let exiting = class.exiting + taken[2 + 2 * tranche] + owed_exiting;
        let whole = worth(shares, class.shares, staying);
        let large = whole >= least || shares >= least * 1_000 || shares == class.shares;
        need(whole > 0 && large, "the ticket is too small")?;
        let value = if staying == class.assets { whole } else { class.assets * whole / staying };
        let moved = if owed == 0 { 0 } else { owed * whole / staying };
        // What rounding each part down leaves behind buys nothing.
        let along = (whole - value - moved).min(taken[1 + 2 * tranche]);
        let units = issue(value + moved + along, class.units, exiting)?;
        need(units > 0, "the ticket is too small")?;
        take(&mut class.shares, shares, "books: shares")?;
        take(&mut class.assets, value, "books: assets")?;
        class.exiting += value;
        class.units += units;
        class.recoverable = [owed - moved, owed_exiting + moved];
        books.asked_today += value;
        let nobody_stays = class.shares == 0;
        if let Some(crisis) = &mut books.crisis {
            let lent = crisis.taken[1 + 2 * tranche];
            let moved = if nobody_stays { lent } else { along };
            crisis.taken[1 + 2 * tranche] -= moved;
            crisis.taken[2 + 2 * tranche] += moved;
        }
        books.sweep(tranche);
        let epoch_day = first + ahead;
        let series_now = [books.classes[0].series, books.classes[1].series];
        match self.epochs.iter_mut().find(|epoch| (epoch.pool, epoch.day) == (pool, epoch_day)) {
            Some(epoch) => epoch.series = series_now,
            None => {
                let epoch = Epoch { pool, day: epoch_day, series: series_now, open: ALL, per_unit: [0; 2], paid: 0 };
                self.epochs.push(epoch);
                self.pools[pool].queue.push(epoch_day);
                self.pools[pool].queue.sort_unstable();
            }
        }
        let (asked_on, day, claimed) = (day(now), epoch_day, 0);
        let ticket = Ticket { pool, owner: who, tranche, series, day, units, claimed, nonce, asked_on, open: true };
        self.tickets.push(ticket);
        Ok(())
    }

    /// The day of the first epoch that a request made now can name: today, where the vintage is over and no cover can be
    /// paid any more.
    pub fn first_exit_day(&self, pool: usize) -> u32 {
        let books = &self.pools[pool];
        let over = books.has_ended(self.now) && books.crisis.is_none() && self.exposure_of_pool(pool) == 0;
        let cooldown = if over { 0 } else { i64::from(books.terms.cooldown_seconds) };
        day(self.now + cooldown)
    }

    /// Whether somebody can leave with shares: they are worth the smallest ticket, or were at the start, or are all.
    pub fn is_ticket(&self, pool: usize, tranche: usize, shares: N) -> bool {
        let books = &self.pools[pool];
        let (least, class) = (N::from(books.terms.min_ticket), &books.classes[tranche]);
        let value = worth(shares, class.shares, class.assets);
        value >= least || shares >= least * 1_000 || shares == class.shares
    }

    /// What a ticket can claim now.
    pub fn claimable(&self, ticket: &Ticket) -> N {
        let index = self.epoch(ticket.pool, ticket.day).expect("an open ticket has its epoch");
        let epoch = &self.epochs[index];
        if epoch.series[ticket.tranche] != ticket.series {
            return 0;
        }
        paid_part(ticket.units, epoch.per_unit[ticket.tranche]) - ticket.claimed
    }

    /// Pays a ticket what it can claim.
    fn pay_ticket(&mut self, ticket: usize, to: Who) -> Rule<N> {
        let amount = self.claimable(&self.tickets[ticket]);
        self.tickets[ticket].claimed += amount;
        let (pool, epoch_day) = (self.tickets[ticket].pool, self.tickets[ticket].day);
        let epoch = self.epoch(pool, epoch_day)?;
        take(&mut self.epochs[epoch].paid, amount, "books: an epoch's reserve")?;
        take(&mut self.pools[pool].exit_reserves, amount, "books: exit reserves")?;
        if amount > 0 {
            self.receive(to, self.pools[pool].asset, amount)?;
        }
        Ok(amount)
    }

    pub(super) fn claim_exit(&mut self, ticket: usize, to: Who) -> Rule {
        let Ticket { pool, owner, tranche, series, day, open, .. } = self.tickets[ticket].clone();
        need(open, "the ticket is closed")?;
        let class = &self.pools[pool].classes[tranche];
        let done = self.epochs[self.epoch(pool, day)?].open == 0 || class.over || class.series != series;
        let amount = self.pay_ticket(ticket, to)?;
        need(amount > 0 || done, "nothing to claim")?;
        // Without the owner's signature only the owner's account is paid.
        need(amount == 0 || to == owner, "not the owner's account")?;
        self.tickets[ticket].open = !done;
        Ok(())
    }

    pub(super) fn cancel_exit(&mut self, ticket: usize, by: Who) -> Rule {
        let Ticket { pool, owner, tranche, series, day, units, asked_on, open, .. } = self.tickets[ticket].clone();
        need(open && by == owner, "not the ticket's owner")?;
        self.pay_ticket(ticket, owner)?;
        self.accrue(pool);
        self.need_not_locked(pool)?;
        self.need_takes_capital(pool)?;
        need(self.pools[pool].capital_day > asked_on, "it was asked for today")?;
        let epoch = &self.epochs[self.epoch(pool, day)?];
        let open_units = if epoch.series[tranche] == series { open_part(units, epoch.open) } else { 0 };
        let books = &mut self.pools[pool];
        let class = &mut books.classes[tranche];
        need(class.series == series && !class.over, "the series is over")?;
        need(open_units > 0, "nothing is open")?;
        let class = &mut books.classes[tranche];
        let value = worth(open_units, class.units, class.exiting);
        // What treaties owe goes along, and is paid for.
        let owed = class.recoverable[1] * open_units / class.units;
        let issued = issue(value + owed, class.shares, class.assets + class.recoverable[0])?;
        need(issued > 0, "too little for a share")?;
        class.recoverable = [class.recoverable[0] + owed, class.recoverable[1] - owed];
        take(&mut class.units, open_units, "books: units")?;
        take(&mut class.exiting, value, "books: exiting")?;
        class.assets += value;
        class.shares += issued;
        // As if it had not asked.
        if let Some(lows) = books.lows.get_mut(&asked_on) {
            lows[0] = (lows[0] + value).min(lows[1]);
        }
        books.lows.range_mut(asked_on + 1..).for_each(|(_, lows)| *lows = lows.map(|low| low + value));
        books.sweep(tranche);
        self.tickets[ticket].open = false;
        let held = self.shares.get_mut(&(owner, pool, tranche, series)).ok_or("there is no share account")?;
        *held += issued;
        let held = *held;
        need(self.is_ticket(pool, tranche, held), "less than can leave again")
    }

    /// The day of a pool's oldest unfilled epoch, if it is over.
    pub fn queue_due(&self, pool: usize) -> Option<u32> {
        self.pools[pool].queue.first().copied().filter(|oldest| *oldest < day(self.now))
    }

    /// The largest payment to the oldest epoch.
    pub fn free(&self, pool: usize, epoch_day: u32) -> Rule<N> {
        let books = &self.pools[pool];
        let own = self.alerts(pool);
        need(books.crisis.is_none(), "the pool is in a crisis")?;
        self.need_not_locked(pool)?;
        let held = self.is_held(pool) || !self.inward_is_small(pool);
        if held {
            let late = self.now > start(epoch_day + 1) + 30 * DAY;
            let due = self.is_held(pool) && own.due > 0;
            let inward_due = books.inward.iter().any(|treaty| self.inward_risk(*treaty).1);
            need(late && !due && !inward_due, "the pool is in alert")?;
        }
        let free = books.bearing().saturating_sub(self.least_capital(pool).max(self.locked(pool)));
        // Small alerts stay small by what is left.
        let small = (own.exposure + self.inward_amount(pool)) * 200;
        Ok(if held { free } else { free.min(books.bearing().saturating_sub(small)) })
    }

    /// What can fall on the reinsurer by a treaty: what it owes, and its part of what is in alert and of what the cedant's
    /// crisis can grow, at most what it stands behind; and whether any of that is due.
    pub fn inward_risk(&self, treaty: usize) -> (N, bool) {
        let treaty = &self.treaties[treaty];
        let (cedant, alerts) = (&self.pools[treaty.cedant], self.alerts(treaty.cedant));
        let growth = cedant.crisis.as_ref().map_or(0, |crisis| crisis.growth);
        let gross = cedant.crisis.as_ref().filter(|_| growth > 0).map_or(0, |crisis| crisis.gross);
        // What is only breaching proves nothing of a term that the ring no longer reaches.
        let reached = alerts.due > 0 || self.now < start(treaty.end_day + cedant.ring_days);
        let in_alert = if reached { alerts.exposure } else { 0 };
        let open = match treaty.kind {
            _ if self.now < start(treaty.start_day) => 0,
            TreatyKind::QuotaShare { cession_bps, .. } => ceil((in_alert + growth) * N::from(cession_bps), BPS),
            TreatyKind::ExcessOfLoss { attachment, .. } => {
                (gross + growth + in_alert).saturating_sub(attachment.into())
            }
        };
        let amount = (treaty.owed + open).min(treaty.open_limit());
        (amount, amount > 0 && (treaty.owed > 0 || growth > 0 || alerts.due > 0))
    }

    fn inward_amount(&self, pool: usize) -> N {
        self.pools[pool].inward.iter().map(|treaty| self.inward_risk(*treaty).0).sum()
    }

    /// Whether what can fall on a reinsurer is at most a two hundredth of what absorbs losses.
    pub fn inward_is_small(&self, pool: usize) -> bool {
        self.inward_amount(pool) * 200 <= self.pools[pool].bearing()
    }

    pub(super) fn settle_epoch(&mut self, pool: usize, epoch_day: u32, all_cedants: bool) -> Rule {
        self.accrue(pool);
        need(all_cedants || self.pools[pool].inward.is_empty(), "cedants are missing")?;
        let index = self.epoch(pool, epoch_day)?;
        need(epoch_day < day(self.now), "the epoch is not over")?;
        need(self.pools[pool].queue.first() == Some(&epoch_day), "not the oldest epoch")?;
        let free = self.free(pool, epoch_day)?;
        let epoch = self.epochs[index].clone();
        let mut units = self.units_of(&epoch);
        let books = &mut self.pools[pool];
        for (class, (units, series)) in books.classes.iter().zip(units.iter_mut().zip(epoch.series)) {
            if class.over || class.series != series {
                *units = 0;
            }
        }
        let open = units.map(|units| open_part(units, epoch.open));
        let value: Vec<N> = books.classes.iter().zip(open).map(|(c, open)| worth(open, c.units, c.exiting)).collect();
        let total: N = value.iter().sum();
        let (open_after, closed, paid) = if total <= free {
            (0, open, [value[0], value[1]])
        } else {
            let after = epoch.open * (total - free) / total;
            let closed = [0, 1].map(|class| open[class] - open_part(units[class], after));
            // A ratio for both, but no class pays more than the units that it closes are worth.
            let paid = [0, 1].map(|class| {
                let worth = worth(closed[class], books.classes[class].units, books.classes[class].exiting);
                worth.min(value[class] * free / total)
            });
            let sum = paid[0] + paid[1];
            need(sum >= 1_000 || (sum > 0 && after == 0), "too little is free")?;
            (after, closed, paid)
        };
        for class in 0..2 {
            // What treaties owe whoever is paid is nobody's in the tranche any more.
            let Class { units, recoverable: [owed, exiting], left, .. } = books.classes[class];
            let leaves = if exiting == 0 { 0 } else { exiting * closed[class] / units };
            if leaves > 0 {
                let kept = ((1 << 32) - left) * (owed + exiting - leaves) / (owed + exiting);
                books.classes[class].recoverable[1] = exiting - leaves;
                books.classes[class].left = ((1 << 32) - kept).min(u32::MAX.into());
            }
            take(&mut books.classes[class].units, closed[class], "books: units")?;
            take(&mut books.classes[class].exiting, paid[class], "books: exiting")?;
            books.sweep(class);
        }
        books.exit_reserves += paid[0] + paid[1];
        if open_after == 0 {
            books.queue.remove(0);
        }
        let epoch = &mut self.epochs[index];
        epoch.paid += paid[0] + paid[1];
        epoch.open = open_after;
        for class in 0..2 {
            epoch.per_unit[class] += (paid[class] << 64).checked_div(units[class]).unwrap_or(0);
        }
        Ok(())
    }
}
