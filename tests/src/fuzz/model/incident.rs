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
    /// What its covers are due.
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
        need(entry.trigger.phase == Phase::Final, "the evidence is not final")?;
        need(entry.state != ProductState::Over, "the product is over")?;
        let pool = entry.pool;
        self.accrue(pool);
        let entry = &self.products[product];
        let (event_at, severity) = (entry.trigger.event_at, entry.trigger.severity);
        let (sums, premiums) = self.affected(product, event_at);
        let gross = ceil(sums * severity, BPS) + premiums;
        let books = &self.pools[pool];
        let in_term = |treaty: &&usize| {
            let treaty = &self.treaties[**treaty];
            (start(treaty.start_day)..start(treaty.end_day)).contains(&event_at)
        };
        let treaties: Vec<usize> =
            books.quota_share.iter().chain(books.layers.iter()).filter(in_term).copied().collect();
        let mut incident = Incident {
            state: IncidentState::Open,
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
            incident.state = IncidentState::Closed;
            incident.funded_at = self.now;
        }
        let entry = &mut self.products[product];
        entry.state = ProductState::Over;
        entry.released = gross == 0;
        entry.incident_closed = gross == 0;
        entry.incident = Some(incident);
        if gross > 0 {
            self.join_round(product);
        }
        Ok(())
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

    /// What a cover is paid by its incident.
    pub fn payout(&self, cover: usize) -> Rule<N> {
        let cover = &self.covers[cover];
        let product = &self.products[cover.product];
        let incident = product.incident.as_ref().filter(|incident| incident.open).ok_or("there is no incident")?;
        need(incident.state == IncidentState::Funded, "the incident is not funded")?;
        need(cover.status == CoverStatus::Live, "the cover is not live")?;
        let claim = match cover.affected(product.trigger.event_at).ok_or("the cover had ended")? {
            true => cover.sum * product.trigger.severity / BPS,
            false => cover.premium,
        };
        Ok(if incident.reserve >= incident.gross { claim } else { claim * incident.reserve / incident.gross })
    }

    fn settle(&mut self, cover: usize, holder: Who, to: Who, signed: bool) -> Rule {
        let amount = self.payout(cover)?;
        need(self.covers[cover].holder == Some(holder), "not the holder")?;
        let product = self.covers[cover].product;
        let pool = self.products[product].pool;
        self.covers[cover].status = CoverStatus::Settled;
        self.covers[cover].paid = amount;
        let incident = self.products[product].incident.as_mut().expect("there is one");
        incident.paid += amount;
        need(incident.paid <= incident.reserve, "books: an incident's reserve")?;
        take(&mut self.pools[pool].incident_reserves, amount, "books: incident reserves")?;
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
            books.surplus += left;
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
