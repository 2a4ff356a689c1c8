//! Incidents: what is due, funding rounds, payouts.

use super::{BPS, CoverStatus, DAY, Model, N, Phase, Rule, ceil, need, start, take};
use crate::fuzz::op::{Op, Who};
use backstop::state::{IncidentState, ProductState};

/// An incident.
#[derive(Clone, Debug)]
pub struct Incident {
    /// How far it is.
    pub state: IncidentState,
    /// When it was opened.
    pub opened_at: i64,
    /// When it was funded.
    pub funded_at: i64,
    /// Its round.
    pub round: u32,
    /// When the protection of its covers ended.
    pub ended_at: i64,
    /// Up to when premium was earned.
    pub accrued_at: i64,
    /// Premium set aside to be given back, and not given back yet.
    pub refunds_left: N,
    /// What its covers are due for their loss.
    pub gross: N,
    /// What treaties paid.
    pub ceded: N,
    /// What the pool bears.
    pub net: N,
    /// Set aside.
    pub reserve: N,
    /// Paid out.
    pub paid: N,
    /// Treaties noted, in the order of calls.
    pub treaties: Vec<usize>,
    /// How many were called or skipped.
    pub cursor: usize,
    /// What the quota share owes.
    pub quota_share_owed: N,
    /// Whether its account is open.
    pub open: bool,
}

impl Model {
    /// Sums insured and premiums that an event affects and that are not settled.
    pub fn affected(&self, product: usize, event_at: i64) -> (N, N) {
        let released_day = self.products[product].released_day;
        let mut left = (0, 0);
        let live = |status| matches!(status, CoverStatus::Live);
        for cover in self.covers.iter().filter(|cover| cover.product == product && live(cover.status)) {
            match cover.affected(event_at) {
                Some(true) if cover.end_day > released_day => left.0 += cover.sum,
                Some(false) => left.1 += cover.premium,
                _ => {}
            }
        }
        left
    }

    /// Incidents of a pool that wait for a round.
    fn waiting(&self, pool: usize, round: u32) -> Vec<usize> {
        let products = self.products.iter().enumerate().filter(|(_, product)| product.pool == pool);
        let waits = |incident: &Incident| incident.state == IncidentState::Waiting && incident.round == round;
        products.filter(|(_, product)| product.incident.as_ref().is_some_and(waits)).map(|(index, _)| index).collect()
    }

    /// Net losses, exposure, oldest opening and number of the incidents that wait for the next round.
    pub fn waiting_for_next(&self, pool: usize) -> (N, N, i64, usize) {
        let waiting = self.waiting(pool, self.pools[pool].next_round);
        let incidents = || waiting.iter().filter_map(|product| self.products[*product].incident.as_ref());
        let net = incidents().map(|incident| incident.net).sum();
        let oldest = incidents().map(|incident| incident.opened_at).min().unwrap_or(0);
        (net, waiting.iter().map(|product| self.exposure(*product)).sum(), oldest, waiting.len())
    }

    /// Incidents of the last round that are not funded.
    pub fn round_left(&self, pool: usize) -> usize {
        match self.pools[pool].next_round {
            0 => 0,
            next => self.waiting(pool, next - 1).len(),
        }
    }

    fn open_incident(&mut self, product: usize) -> Rule {
        let entry = &self.products[product];
        need(entry.trigger.phase == Phase::Triggered, "the trigger has not triggered")?;
        need(entry.state != ProductState::Over, "the product is over")?;
        let pool = entry.pool;
        self.accrue(pool);
        let entry = &self.products[product];
        let (event_at, severity) = (entry.trigger.event_at, entry.trigger.severity);
        let proven_at = entry.trigger.proven_at();
        let (sums, _) = self.affected(product, event_at);
        let gross = ceil(sums * severity, BPS);
        let accrued_at = self.pools[pool].accrued_at;
        let ended_at = proven_at.max(accrued_at);
        let refunds = self.end_premium(product, event_at, ended_at, severity);
        let books = &self.pools[pool];
        let in_term = |treaty: &&usize| {
            let treaty = &self.treaties[**treaty];
            (start(treaty.start_day)..start(treaty.end_day)).contains(&event_at)
        };
        let treaties: Vec<usize> =
            books.quota_share.iter().chain(books.layers.iter()).filter(in_term).copied().collect();
        let mut incident = Incident {
            state: IncidentState::Open,
            ended_at,
            accrued_at,
            refunds_left: refunds,
            opened_at: self.now,
            funded_at: 0,
            round: 0,
            gross,
            ceded: 0,
            net: gross,
            reserve: 0,
            paid: 0,
            treaties,
            cursor: 0,
            quota_share_owed: 0,
            open: true,
        };
        if gross == 0 {
            incident.treaties.clear();
            incident.state = if refunds == 0 { IncidentState::Closed } else { IncidentState::Funded };
            incident.funded_at = self.now;
        }
        let entry = &mut self.products[product];
        entry.state = ProductState::Over;
        entry.released = gross == 0;
        entry.incident_closed = gross == 0 && refunds == 0;
        entry.incident = Some(incident);
        if gross > 0 {
            self.join_round(product);
        }
        Ok(())
    }

    /// Ends the premium of a product, cover by cover. What was earned and what the loss has earned is shared out; what is
    /// to be given back is set aside, and returned.
    fn end_premium(&mut self, product: usize, event_at: i64, ended_at: i64, severity: N) -> N {
        let pool = self.products[product].pool;
        let treaty = self.pools[pool].quota_share.map(|treaty| &self.treaties[treaty]);
        let (from, to) = treaty.map_or((0, 0), |treaty| (start(treaty.start_day), start(treaty.end_day)));
        let covers = &self.covers;
        let books = &mut self.pools[pool];
        let accrued_at = books.accrued_at;
        let of_product = |stream: &super::Stream| stream.cover.is_some_and(|cover| covers[cover].product == product);
        let (ended, kept) = std::mem::take(&mut books.streams).into_iter().partition(of_product);
        books.streams = kept;
        let ended: Vec<super::Stream> = ended;
        let waited =
            |stream: &super::Stream| stream.cover.is_some_and(|cover| start(covers[cover].active_day) > event_at);
        let sum = |waiting: bool, from: i64, to: i64| -> N {
            ended.iter().filter(|stream| waited(stream) == waiting).map(|stream| stream.earns(from, to)).sum::<N>()
                >> 32
        };
        let waiting = sum(true, accrued_at, i64::MAX);
        let loss = sum(false, ended_at, i64::MAX);
        // Earned until the protection ended, cut where the cession changes.
        let inside = |moment: i64| moment.clamp(accrued_at, ended_at);
        let cuts = [accrued_at, inside(from), inside(to), ended_at];
        let parts: Vec<(i64, N)> = cuts.windows(2).map(|cut| (cut[0], sum(false, cut[0], cut[1]))).collect();
        let refunds = loss * (BPS - severity) / BPS;
        books.unearned -= waiting + loss + parts.iter().map(|(_, earned)| earned).sum::<N>();
        books.refunds += waiting + refunds;
        for (at, earned) in parts {
            self.share_out(pool, earned, (from..to).contains(&at));
        }
        self.share_out(pool, loss - refunds, false);
        let last = self.pools[pool].last_cover_end_day;
        self.note_cover_end(pool, last);
        waiting + refunds
    }

    /// Once the last treaty was called, an incident waits for the next round.
    pub(super) fn join_round(&mut self, product: usize) {
        let next = self.pools[self.products[product].pool].next_round;
        let incident = self.products[product].incident.as_mut().expect("the incident is there");
        if incident.cursor == incident.treaties.len() {
            incident.net = incident.gross.saturating_sub(incident.ceded);
            incident.round = next;
            incident.state = IncidentState::Waiting;
        }
    }

    /// Whether the next round may begin.
    fn round_due(&self, pool: usize) -> bool {
        let (net, exposure, oldest, count) = self.waiting_for_next(pool);
        let alerts = self.alerts(pool);
        let others = alerts.exposure.saturating_sub(exposure);
        let alone = alerts.count as usize == count;
        count > 0
            && self.round_left(pool) == 0
            && (self.pools[pool].bearing() >= net + others || alone || self.now >= oldest + 3 * DAY)
    }

    fn fund(&mut self, product: usize) -> Rule {
        let pool = self.products[product].pool;
        let incident = self.products[product].incident.clone().ok_or("there is no incident")?;
        need(incident.state == IncidentState::Waiting, "the incident does not wait")?;
        self.accrue(pool);
        if incident.round == self.pools[pool].next_round {
            need(self.round_due(pool), "the round is not due")?;
            let (net, ..) = self.waiting_for_next(pool);
            let books = &mut self.pools[pool];
            (books.round_capital, books.round_net) = (books.bearing(), net);
            books.next_round += 1;
        }
        let books = &mut self.pools[pool];
        need(incident.round + 1 == books.next_round, "a later round")?;
        let paid = if books.round_capital >= books.round_net {
            incident.net
        } else {
            books.round_capital * incident.net / books.round_net
        };
        books.lose(paid)?;
        books.incident_reserves += paid;
        let now = self.now;
        let entry = &mut self.products[product];
        entry.released = true;
        let incident = entry.incident.as_mut().expect("it was there");
        incident.reserve = incident.ceded + paid;
        incident.funded_at = now;
        incident.state = IncidentState::Funded;
        Ok(())
    }

    /// What a cover is paid by its incident: for its loss, and of its premium.
    pub fn payout(&self, cover: usize) -> Rule<(N, N)> {
        let cover = &self.covers[cover];
        let product = &self.products[cover.product];
        let incident = product.incident.as_ref().filter(|incident| incident.open).ok_or("there is no incident")?;
        need(incident.state != IncidentState::Closed, "the incident is closed")?;
        need(cover.status == CoverStatus::Live, "the cover is not live")?;
        let unearned = |from: i64| {
            let seconds = start(cover.end_day) - from.max(start(cover.active_day));
            (cover.rate * seconds.max(0).unsigned_abs() as N) >> 32
        };
        if !cover.affected(product.trigger.event_at).ok_or("the cover had ended")? {
            return Ok((0, unearned(incident.accrued_at)));
        }
        need(incident.state == IncidentState::Funded, "the incident is not funded")?;
        let severity = product.trigger.severity;
        let claim = cover.sum * severity / BPS;
        let in_ratio =
            if incident.reserve >= incident.gross { claim } else { claim * incident.reserve / incident.gross };
        Ok((in_ratio, unearned(incident.ended_at) * (BPS - severity) / BPS))
    }

    fn settle(&mut self, cover: usize, holder: Who, to: Who, signed: bool) -> Rule {
        let (loss, refund) = self.payout(cover)?;
        let amount = loss + refund;
        need(self.covers[cover].holder == Some(holder), "not the holder")?;
        let product = self.covers[cover].product;
        let pool = self.products[product].pool;
        self.covers[cover].status = CoverStatus::Settled;
        self.covers[cover].paid = amount;
        let incident = self.products[product].incident.as_mut().expect("there is one");
        incident.paid += loss;
        need(incident.paid <= incident.reserve, "books: an incident's reserve")?;
        take(&mut incident.refunds_left, refund, "books: premium to be given back")?;
        take(&mut self.pools[pool].incident_reserves, loss, "books: incident reserves")?;
        take(&mut self.pools[pool].refunds, refund, "books: premium to be given back")?;
        if amount > 0 {
            need(signed || to == holder, "not the holder's account")?;
            self.receive(to, self.pools[pool].asset, amount)?;
        }
        Ok(())
    }

    fn close_incident(&mut self, product: usize) -> Rule {
        let pool = self.products[product].pool;
        let event_at = self.products[product].trigger.event_at;
        let incident = self.products[product].incident.clone().filter(|incident| incident.open);
        let incident = incident.ok_or("there is no incident")?;
        let funded = matches!(incident.state, IncidentState::Funded | IncidentState::Closed);
        need(funded, "the incident is not funded")?;
        self.accrue(pool);
        if incident.state == IncidentState::Funded {
            let settled = self.affected(product, event_at) == (0, 0);
            need(settled || self.now >= incident.funded_at + 180 * DAY, "the incident is in use")?;
            let left = incident.reserve - incident.paid;
            let books = &mut self.pools[pool];
            take(&mut books.incident_reserves, left, "books: incident reserves")?;
            take(&mut books.refunds, incident.refunds_left, "books: premium to be given back")?;
            books.surplus += left + incident.refunds_left;
        }
        let entry = &mut self.products[product];
        entry.incident_closed = true;
        entry.incident.as_mut().expect("it was there").open = false;
        Ok(())
    }

    pub(super) fn apply_incident(&mut self, op: &Op) -> Rule {
        match *op {
            Op::OpenIncident { product } => self.open_incident(product),
            Op::Fund { product } => {
                need(self.products[product].incident.as_ref().is_some_and(|one| one.open), "there is no incident")?;
                self.fund(product)
            }
            Op::Settle { cover, holder, to, signed } => self.settle(cover, holder, to, signed),
            Op::CloseIncident { product } => self.close_incident(product),
            _ => super::unknown(op, "incident"),
        }
    }
}
