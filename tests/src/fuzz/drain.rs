//! The end of a sequence: everything is shown, paid and closed, everybody leaves, and nothing may be stranded.

use super::driver::{Driver, Failure};
use super::model::{CoverStatus, DAY, N, Phase, day, start};
use super::op::Op;
use super::scene::{POOLS, USERS};
use backstop::state::{ProductState, Tranche};
use std::collections::BTreeSet;

type Drained = Result<(), Failure>;

impl Driver<'_> {
    fn strand<T>(&self, what: &str, detail: String) -> Result<T, Failure> {
        Err(Failure { rule: format!("stranded: {what}"), detail })
    }

    fn wait(&mut self, seconds: i64) -> Drained {
        self.step(Op::Time { to: self.model.now + seconds }).map(|_| ())
    }

    /// Ends every story.
    pub fn drain(&mut self) -> Drained {
        self.squat = false;
        for who in 0..USERS {
            for asset in 0..2 {
                self.must(Op::OpenAssets { asset, who })?;
            }
        }
        self.end_readings()?;
        self.end_alerts()?;
        self.end_incidents()?;
        self.everybody_leaves()?;
        self.end_covers()?;
        self.end_treaties()?;
        // Premium that was earned since then belongs to whoever was last: they leave too.
        self.everybody_leaves()?;
        self.wait(9 * DAY)?;
        self.exits_are_paid()?;
        self.nothing_is_left()
    }

    /// Every other reading is reported, the others are not: all are resolved, or void.
    fn end_readings(&mut self) -> Drained {
        let open = |driver: &Self| -> Vec<usize> {
            let open = |product: &usize| driver.model.products[*product].trigger.phase != Phase::Final;
            (0..POOLS).flat_map(|pool| driver.model.readings(pool)).filter(open).collect()
        };
        let readings = open(self);
        let reading = |driver: &Self, product: usize| driver.model.reading(product).expect("it is one").clone();
        let due = readings.iter().map(|product| reading(self, *product).input.due_at).max();
        let Some(due) = due else { return Ok(()) };
        self.step(Op::Time { to: self.model.now.max(due) })?;
        for product in readings.into_iter().filter(|product| product % 2 == 0) {
            let input = reading(self, product).input;
            let keys = &self.model.sets[reading(self, product).set];
            let signers = keys.live().iter().take(keys.threshold).map(|key| 1 << key).sum();
            let (value, at) = (i64::try_from(input.strike.abs_diff(input.exit)).expect("it is small"), input.due_at);
            let report = Op::Report { product, value, confidence: 0, at, signers };
            if self.model.clone().apply(&report).is_ok() {
                self.must(report)?;
            }
        }
        // Fourteen days, and three where a report has fallen: once each, as nobody contradicts himself any more.
        self.wait(18 * DAY)?;
        for product in open(self) {
            self.must(Op::Resolve { product })?;
        }
        let left = open(self);
        if left.is_empty() { Ok(()) } else { self.strand("a reading is never over", format!("{left:?}")) }
    }

    /// The price is back for good: what is met becomes final, the rest quiet.
    fn end_alerts(&mut self) -> Drained {
        for feed in &mut self.prices {
            feed.push((self.model.now, 100_000_000));
        }
        // An alert by a report that nobody confirms is over after three days.
        let reported = self.model.products.iter().any(|product| {
            let vaults = product.trigger.vaults.as_ref();
            vaults.is_some_and(|vaults| vaults.confirmed_at.is_none() && vaults.is_reported(self.model.now))
        });
        self.wait(if reported { 3 * DAY } else { DAY + 7_300 })?;
        for product in self.model.with_condition() {
            if self.model.products[product].trigger.phase == Phase::Met {
                self.must(Op::Confirm { product })?;
            }
            self.must(Op::Refresh { product })?;
            if self.model.products[product].trigger.phase != Phase::Final {
                self.print(product, 0)?;
                let phase = self.model.products[product].trigger.phase;
                if phase != Phase::Quiet {
                    return self.strand("a trigger stays in alert at the peg", format!("{product}: {phase:?}"));
                }
            }
        }
        Ok(())
    }

    fn end_incidents(&mut self) -> Drained {
        // A crisis that is over is closed before the next begins.
        self.wait(2 * DAY)?;
        self.fund_all()?;
        // Whichever was due first comes first; what is not of its crisis, once that is closed.
        let mut order: Vec<usize> = (0..self.model.products.len()).collect();
        order.sort_by_key(|product| self.model.products[*product].due_at);
        for product in order {
            let entry = &self.model.products[product];
            if entry.trigger.phase.is_triggered() && entry.state != ProductState::Over {
                if self.model.clone().apply(&Op::OpenIncident { product }).is_err() {
                    self.wait(2 * DAY)?;
                    self.fund_all()?;
                }
                self.must(Op::OpenIncident { product })?;
            }
        }
        // Half of the treaties are called in time, the others late.
        let mut late = false;
        while let Some((treaty, product)) = self.next_treaty(0) {
            late = !late;
            if late {
                self.wait(2 * DAY)?;
                self.fund_all()?;
            }
            self.must(Op::CallTreaty { treaty, product })?;
        }
        self.wait(2 * DAY)?;
        self.fund_all()?;
        self.fund_all()?;
        for cover in 0..self.model.covers.len() {
            if let (true, Some(lien)) = (self.model.payout_of_payee(cover).is_ok(), self.model.covers[cover].lien) {
                self.must(Op::SettleLien { cover, to: lien.to })?;
            }
            let (payable, entry) = (self.model.payout_of_holder(cover).is_ok(), &self.model.covers[cover]);
            match (payable, entry.holder, entry.pays) {
                (true, _, Some(to)) => self.must(Op::SettlePosition { cover, to })?,
                (true, Some(holder), None) => self.must(Op::Settle { cover, holder, to: holder, signed: false })?,
                _ => {}
            }
        }
        // What nobody can claim is open until the deadline.
        self.wait(366 * DAY)?;
        for product in 0..self.model.products.len() {
            match &self.model.products[product].incident {
                Some(incident) if incident.open => self.must(Op::CloseIncident { product })?,
                Some(_) => {}
                None if !self.model.products[product].has_condition => {}
                None => self.must(Op::Sync { product })?,
            }
        }
        for pool in 0..self.model.pools.len() {
            let alerts = self.model.alerts(pool);
            let books = &self.model.pools[pool];
            let crises = books.crisis.is_some() || !books.closed.is_empty();
            if alerts.count > 0 || crises || books.incident_reserves > 0 || books.refunds + books.set_aside > 0 {
                return self.strand("an alert or a reserve outlives its incidents", format!("pool {pool}: {alerts:?}"));
            }
        }
        Ok(())
    }

    /// Funds every incident that there is something for.
    fn fund_all(&mut self) -> Drained {
        for product in 0..self.model.products.len() {
            let op = Op::Fund { product };
            if self.model.clone().apply(&op).is_ok() {
                self.must(op)?;
            }
        }
        Ok(())
    }

    fn everybody_leaves(&mut self) -> Drained {
        self.gather_dust()?;
        for ((who, pool, tranche, series), held) in self.model.shares.clone() {
            let class = &self.model.pools[pool].classes[tranche];
            let worth = super::model::worth(held, class.shares, class.assets);
            if class.series != series || class.over || worth == 0 || !self.model.is_ticket(pool, tranche, held) {
                continue;
            }
            self.model.nonce += 1;
            let nonce = self.model.nonce;
            let (tranche, shares) = (Tranche::BOTH[tranche], u64::try_from(held).expect("it fits"));
            self.must(Op::RequestExit { pool, who, tranche, shares, ahead: 0, nonce })?;
        }
        Ok(())
    }

    /// Whoever has less than a ticket gives it to whoever has the most: together they can leave.
    fn gather_dust(&mut self) -> Drained {
        for ((from, pool, tranche, series), held) in self.model.shares.clone() {
            let class = &self.model.pools[pool].classes[tranche];
            if class.series != series || class.over || held == 0 || self.model.is_ticket(pool, tranche, held) {
                continue;
            }
            let of_class = |(_, p, t, s): &(usize, usize, usize, u8)| (*p, *t, *s) == (pool, tranche, series);
            let all = self.model.shares.iter().filter(|(key, _)| of_class(key));
            let Some((&(to, ..), _)) = all.max_by_key(|(_, held)| **held) else { continue };
            if to != from {
                let amount = u64::try_from(held).expect("it fits");
                self.must(Op::MoveShares { pool, tranche: Tranche::BOTH[tranche], from, to, amount })?;
            }
        }
        Ok(())
    }

    fn end_covers(&mut self) -> Drained {
        // Beyond the longest term and ring.
        self.wait(450 * DAY)?;
        for product in self.model.with_condition() {
            self.must(Op::Sync { product })?;
            if self.model.exposure(product) > 0 {
                return self.strand("exposure outlives its covers", format!("product {product}"));
            }
        }
        for cover in 0..self.model.covers.len() {
            if matches!(self.model.covers[cover].status, CoverStatus::Live | CoverStatus::Settled) {
                let by = self.model.covers[cover].holder;
                self.must(self.close(cover, by))?;
            }
        }
        Ok(())
    }

    fn end_treaties(&mut self) -> Drained {
        for pool in 0..self.model.pools.len() {
            self.must(Op::Accrue { pool })?;
        }
        let owed = self.model.pools[0].payable.iter().filter(|(_, payable)| **payable > 0);
        let owed: BTreeSet<usize> = owed.map(|(treaty, _)| self.model.treaties[*treaty].reinsurer).collect();
        for reinsurer in owed {
            self.must(Op::SettlePremium { cedant: 0, reinsurer })?;
        }
        for treaty in 0..self.model.treaties.len() {
            if self.model.treaties[treaty].open {
                self.must(Op::EndTreaty { treaty })?;
            }
        }
        let cessions: Vec<usize> = self.model.cessions.keys().copied().collect();
        for cedant in cessions {
            self.must(Op::CloseCession { cedant })?;
        }
        self.wait(10 * DAY)?;
        for pool in 0..self.model.pools.len() {
            self.must(Op::Accrue { pool })?;
        }
        Ok(())
    }

    fn exits_are_paid(&mut self) -> Drained {
        for pool in 0..self.model.pools.len() {
            // What was premium has become value of those who stay: nobody does.
            while let Some(oldest) = self.model.pools[pool].queue.first().copied() {
                if start(oldest + 1) > self.model.now {
                    return self.strand("an exit epoch lies in the future", format!("pool {pool}, day {oldest}"));
                }
                self.must(Op::SettleEpoch { pool, day: oldest, all_cedants: true })?;
                if self.model.pools[pool].queue.first() == Some(&oldest) {
                    let free = self.model.free(pool, day(self.model.now));
                    return self.strand("an exit epoch is not filled", format!("pool {pool}, day {oldest}: {free:?}"));
                }
            }
        }
        for ticket in 0..self.model.tickets.len() {
            if self.model.tickets[ticket].open {
                self.must(Op::ClaimExit { ticket, to: self.model.tickets[ticket].owner })?;
            }
        }
        while let Some(epoch) = self.model.epochs.first() {
            self.must(Op::CloseEpoch { pool: epoch.pool, day: epoch.day })?;
        }
        Ok(())
    }

    /// Books at the end: surplus, and what belongs to shares that were burnt past the program or are worth nothing.
    fn nothing_is_left(&mut self) -> Drained {
        for (pool, books) in self.model.pools.iter().enumerate() {
            let premium = books.unearned + books.refunds + books.set_aside;
            let left = premium + books.incident_reserves + books.exit_reserves + books.payable.values().sum::<N>();
            // A ticket that is cancelled after a part of it was paid closes its open units rounded down: the rest of a unit,
            // worth less than a unit of the asset, is nobody's.
            let tickets = self.model.tickets.iter().filter(|ticket| ticket.pool == pool).count() as N;
            let orphaned = |class: &super::model::Class| class.exiting.max(class.units) > tickets;
            if left > 0 || books.classes.iter().any(orphaned) {
                return self.strand("something is left that is nobody's", format!("pool {pool}: {books:?}"));
            }
            for (tranche, class) in books.classes.iter().enumerate() {
                let held = self
                    .model
                    .shares
                    .iter()
                    .filter(|((_, p, t, series), _)| (*p, *t, *series) == (pool, tranche, class.series));
                let held: N = held.map(|(_, amount)| *amount).sum();
                if class.shares == 0 && class.assets > 0 {
                    return self.strand("assets without shares", format!("pool {pool}: {class:?}"));
                }
                // Shares that are worth less than a unit of the asset, or together are less than a ticket, because others
                // were burnt past the program.
                let bound = held > 0 && !self.model.is_ticket(pool, tranche, held);
                if !class.over && !bound && super::model::worth(held, class.shares, class.assets) > USERS as N {
                    return self.strand("shares of value", format!("pool {pool}: {held} of {class:?}"));
                }
            }
        }
        Ok(())
    }
}
