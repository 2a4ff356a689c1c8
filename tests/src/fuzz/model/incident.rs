//! Incidents: what is due, the crisis that they share, payouts.

use super::{BPS, CoverStatus, DAY, Model, N, Phase, Rule, ceil, need, start, take};
use crate::fuzz::op::{Op, Who};
use backstop::state::{IncidentState, ProductState};

/// A year.
const YEAR: i64 = 365 * DAY;

/// A treaty that an incident noted.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Which.
    pub treaty: usize,
    /// What it has come to owe.
    pub owed: N,
    /// What of that it paid.
    pub paid: N,
    /// What of its limit was restored with that.
    pub restored: N,
    /// Whether it owes more than when it was called last.
    pub pending: bool,
}

/// An incident.
#[derive(Clone, Debug)]
pub struct Incident {
    /// How far it is.
    pub state: IncidentState,
    /// When it was opened.
    pub opened_at: i64,
    /// When the protection of its covers ended.
    pub ended_at: i64,
    /// Up to when premium was earned.
    pub accrued_at: i64,
    /// When it is final.
    pub final_at: i64,
    /// Until when it pays.
    pub deadline: i64,
    /// Its crisis; 0 without a loss.
    pub crisis: u32,
    /// Sums insured in force at the event.
    pub sums: N,
    /// Severity that is booked, and the most that it can be.
    pub severity: N,
    /// That.
    pub most: N,
    /// What its covers are due for their loss.
    pub gross: N,
    /// Premium that is not decided about.
    pub loss_premium: N,
    /// Premium set aside to be given back, and not given back yet.
    pub refunds_left: N,
    /// Given for its covers.
    pub reserve: N,
    /// Paid out.
    pub paid: N,
    /// Sums and premiums of covers that are not settled.
    pub left: (N, N),
    /// What else was exposed when it was opened.
    pub still_exposed: N,
    /// Treaties noted.
    pub noted: Vec<Noted>,
    /// Whether its account is open.
    pub open: bool,
}

/// A crisis that is open.
#[derive(Clone, Debug, Default)]
pub struct Crisis {
    /// Its number.
    pub number: u32,
    /// Due so far.
    pub gross: N,
    /// What that can still become more.
    pub growth: N,
    /// Given.
    pub given: N,
    /// Paid by treaties and not given.
    pub recovered: N,
    /// When the last incident is final.
    pub final_at: i64,
    /// When a treaty last came to owe more.
    pub owed_at: i64,
    /// Given by surplus, junior staying and exiting, senior staying and exiting.
    pub taken: [N; 5],
    /// What each quota share could come to owe as it began.
    pub limits: Vec<(usize, N)>,
    /// Days that its pool's evidence reached back as it began.
    pub ring_days: u32,
    /// The last deadline of its incidents.
    pub until: i64,
}

/// A crisis that is closed.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Its number.
    pub number: u32,
    /// What is due.
    pub gross: N,
    /// What there is for it.
    pub resources: N,
    /// What of that was not given.
    pub bucket: N,
    /// Until when late money goes to it first.
    pub until: i64,
    /// What treaties owe it.
    pub owed: N,
    /// What of that is the surplus's, the juniors' and the seniors', of the series that bore the loss.
    pub recoverable: [N; 3],
    /// These series.
    pub series: [u8; 2],
    /// Of each what its claims were numbered, and what leavers had left behind of them.
    pub noted: [(u8, N); 2],
}

impl Closed {
    /// What treaties owe beyond what its holders are short.
    fn beyond_holders(&self) -> N {
        self.owed.saturating_sub(self.gross - self.resources)
    }

    /// What treaties can still pay to those who bore the loss: from the last deadline on all that they owe.
    fn can_come(&self, now: i64) -> N {
        if now < self.until { self.beyond_holders() } else { self.owed }
    }
}

impl super::Pool {
    /// Takes up to an amount, less what leavers have left behind of it since, off what treaties owe a tranche, off both
    /// classes as they are owed. Returns what of each.
    fn take_recoverable(&mut self, tranche: usize, closed: &Closed, amount: N, up: bool) -> [N; 2] {
        let class = &mut self.classes[tranche];
        let all: N = class.recoverable.iter().sum();
        let (claims, left) = closed.noted[tranche];
        if class.over || class.series != closed.series[tranche] || class.claims != claims || all == 0 {
            return [0, 0];
        }
        let (part, whole) = (amount * ((1 << 32) - class.left), (1 << 32) - left);
        let amount = if up { ceil(part, whole) } else { part / whole }.min(all);
        let exiting = amount * class.recoverable[1] / all;
        class.recoverable[0] -= amount - exiting;
        class.recoverable[1] -= exiting;
        [amount - exiting, exiting]
    }

    /// Takes in what came for a closed crisis of which holders have what they are due: to those who bore the loss.
    pub(super) fn recover(&mut self, closed: &mut Closed, amount: N, now: i64) {
        let mut rest = amount;
        for tranche in [1, 0] {
            let part = rest.min(closed.recoverable[1 + tranche]);
            closed.recoverable[1 + tranche] -= part;
            rest -= part;
            let [staying, exiting] = self.take_recoverable(tranche, closed, part, false);
            self.classes[tranche].assets += staying;
            self.classes[tranche].exiting += exiting;
            self.surplus += part - staying - exiting;
        }
        closed.recoverable[0] = closed.recoverable[0].saturating_sub(rest);
        self.surplus += rest;
        let can_come = closed.can_come(now);
        self.write_off(closed, can_come);
    }

    /// What can no longer come is written off: the surplus's part first, then the juniors', then the seniors'.
    pub(super) fn write_off(&mut self, closed: &mut Closed, can_come: N) {
        let mut over = closed.recoverable.iter().sum::<N>().saturating_sub(can_come);
        for layer in 0..3 {
            let part = over.min(closed.recoverable[layer]);
            closed.recoverable[layer] -= part;
            over -= part;
            if layer > 0 {
                self.take_recoverable(layer - 1, closed, part, true);
            }
        }
    }
}

impl Model {
    /// Sums insured and premiums that an event affects.
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

    /// Counts the alerts of a pool that have begun and ended since: by what is, not by what was called.
    pub(super) fn count_alerts(&mut self, pool: usize) {
        let now = self.now;
        let (mut changed, mut ended) = (false, false);
        for product in 0..self.products.len() {
            if self.products[product].pool != pool {
                continue;
            }
            let (is, due) = self.alert_of(product);
            let exposure = self.exposure(product);
            let entry = &mut self.products[product];
            // Covers that have ended are released in an alert, too.
            let lessened = is && entry.in_alert && exposure < entry.in_alert_with;
            (changed, ended) = (changed | lessened, ended | lessened);
            entry.in_alert_with = exposure;
            let began = is && !entry.in_alert;
            changed |= (is, due) != (entry.in_alert, entry.is_due);
            ended |= entry.in_alert && !is;
            (entry.in_alert, entry.is_due) = (is, due);
            entry.due_at = due.then(|| entry.due_at.unwrap_or(now));
            if began {
                let books = &mut self.pools[pool];
                books.alert_seq += 1;
                (entry.alert_number, entry.alert_at) = (books.alert_seq, now);
            }
        }
        if !changed {
            return;
        }
        let due = self.alerts(pool).due > 0;
        let small = self.alerts_are_small(pool);
        let books = &mut self.pools[pool];
        books.due_since = due.then(|| books.due_since.unwrap_or(now));
        if ended && small {
            books.alerts_since = None;
        }
        if books.crisis.is_none() {
            let since = books.alerts_since;
            self.stand(pool, since);
        }
        self.note_held(pool);
    }

    /// Whether the exposure in alert is at most a two hundredth of what absorbs losses.
    fn alerts_are_small(&self, pool: usize) -> bool {
        self.alerts(pool).exposure * 200 <= self.pools[pool].bearing()
    }

    /// Whether alerts hold a pool.
    pub fn is_held(&self, pool: usize) -> bool {
        self.alerts(pool).count > 0 && (self.pools[pool].alerts_since.is_some() || !self.alerts_are_small(pool))
    }

    /// Finds out whether alerts have come to hold a pool: they are not small, or one has been due for a day.
    pub(super) fn note_held(&mut self, pool: usize) {
        let Some(since) = self.held_from(pool) else { return };
        let books = &mut self.pools[pool];
        books.alerts_since = Some(since);
        if books.crisis.is_none() {
            self.stand(pool, Some(since));
        }
    }

    /// From when on alerts hold a pool that has not noticed it yet.
    pub(super) fn held_from(&self, pool: usize) -> Option<i64> {
        let now = self.now;
        let (alerts, small) = (self.alerts(pool), self.alerts_are_small(pool));
        let books = &self.pools[pool];
        if alerts.count == 0 || books.alerts_since.is_some() {
            return None;
        }
        let due_long = books.due_since.map(|since| since + DAY).filter(|long| now >= *long);
        due_long.or((!small).then_some(now))
    }

    fn in_alert(&self, pool: usize) -> impl Iterator<Item = &super::Product> {
        self.products.iter().filter(move |product| product.pool == pool && product.in_alert)
    }

    /// Until when a pool's open crisis waits for alerts that are only breaching.
    fn waits_until(crisis: &Crisis) -> i64 {
        crisis.final_at + i64::from(crisis.ring_days.max(2)) * DAY
    }

    /// Refuses an incident that is not of the open crisis, or that another comes before which may have had its own.
    fn need_next(&self, product: usize) -> Rule {
        let this = &self.products[product];
        let (pool, due) = (this.pool, this.due_at.expect("what is triggered is due"));
        let belongs = |crisis: &Crisis| this.alert_at < crisis.final_at && due < Self::waits_until(crisis);
        need(self.pools[pool].crisis.as_ref().is_none_or(belongs), "it is not of the open crisis")?;
        let wait = i64::from(self.pools[pool].ring_days.max(2)) * DAY;
        let before = |other: &super::Product| other.due_at.is_some_and(|met| met < this.alert_at || met + wait <= due);
        need(!self.in_alert(pool).any(before), "another comes first")
    }

    /// Incidents of a crisis of a pool whose accounts are open.
    pub fn members(&self, pool: usize, crisis: u32) -> impl Iterator<Item = &Incident> {
        let of_pool = self.products.iter().filter(move |product| product.pool == pool);
        let incidents = of_pool.filter_map(|product| product.incident.as_ref());
        incidents.filter(move |incident| incident.open && incident.crisis == crisis && crisis != 0)
    }

    /// What a pool's open crisis may need: what is due, what that can grow, and all that is exposed beside.
    pub fn needed(&self, pool: usize) -> N {
        let crisis = self.pools[pool].crisis.as_ref().expect("a crisis is open");
        crisis.gross + crisis.growth + self.exposure_of_pool(pool)
    }

    /// Whether nothing can change any more what the incidents of the open crisis are due.
    pub fn is_ripe(&self, pool: usize) -> bool {
        let crisis = self.pools[pool].crisis.as_ref();
        let holds = |crisis: &Crisis| {
            let until = Self::waits_until(crisis);
            let in_time = |product: &super::Product| self.now < until || product.due_at.is_some_and(|due| due < until);
            self.in_alert(pool).any(|product| product.alert_at < crisis.final_at && in_time(product))
        };
        crisis.is_some_and(|crisis| self.now >= crisis.final_at && !holds(crisis))
    }

    fn is_due(&self, pool: usize) -> bool {
        let Some(crisis) = &self.pools[pool].crisis else { return false };
        let members = || self.members(pool, crisis.number);
        let is_final = members().all(|incident| incident.state == IncidentState::Final);
        let called = members().all(|incident| incident.noted.iter().all(|noted| !noted.pending));
        self.is_ripe(pool) && is_final && (called || self.now >= crisis.final_at.max(crisis.owed_at) + 2 * DAY)
    }

    fn open_incident(&mut self, product: usize) -> Rule {
        let entry = &self.products[product];
        need(entry.trigger.phase.is_triggered(), "no claim is open")?;
        need(entry.state != ProductState::Over, "the product is over")?;
        let pool = entry.pool;
        self.accrue(pool);
        let entry = &self.products[product];
        let (event_at, severity) = (entry.trigger.event_at, entry.paid_part(entry.trigger.severity));
        let is_final = entry.trigger.phase == Phase::Final;
        let (proven_at, final_by) = entry.trigger.proven_and_final();
        let left = self.affected(product, event_at);
        let flat = entry.trigger.reading.is_some();
        let most = ceil(left.0 * if is_final { severity } else { entry.paid_part(BPS) }, BPS);
        let accrued_at = self.pools[pool].accrued_at;
        let ended_at = proven_at.max(accrued_at);
        let (waiting, loss) = match flat {
            true => (self.end_flat(product, event_at, left.1), 0),
            false => self.end_premium(product, event_at, ended_at),
        };
        // A reading without a loss owes nothing.
        let (sums, left) = (left.0, if flat && most == 0 { (0, left.1) } else { left });
        let mut crisis = 0;
        if most > 0 {
            need(!self.is_ripe(pool), "the crisis before is to be closed first")?;
            self.need_next(product)?;
            let limit = |(treaty, _): &(usize, N)| (*treaty, self.treaties[*treaty].limit_left);
            let limits = self.pools[pool].quota_shares.iter().map(limit).collect();
            if self.pools[pool].crisis.is_none() && self.pools[pool].stands_since.is_none() {
                self.stand(pool, Some(self.now));
            }
            let books = &mut self.pools[pool];
            if books.crisis.is_none() {
                books.crises += 1;
                let (number, ring_days) = (books.crises, books.ring_days);
                books.crisis = Some(Crisis { number, limits, ring_days, ..Crisis::default() });
            }
            let open = books.crisis.as_mut().expect("it is open");
            open.growth += most;
            open.final_at = open.final_at.max(final_by);
            open.until = open.until.max(proven_at + YEAR);
            crisis = open.number;
        }
        self.forget_outlasting(product);
        let entry = &mut self.products[product];
        entry.state = ProductState::Over;
        entry.released = true;
        self.count_alerts(pool);
        let still_exposed = self.exposure_of_pool(pool) - self.alerts(pool).exposure;
        let books = &self.pools[pool];
        let in_term = |treaty: &&usize| {
            let treaty = &self.treaties[**treaty];
            (start(treaty.start_day)..start(treaty.end_day)).contains(&event_at)
        };
        let shares = books.quota_shares.iter().map(|(treaty, _)| treaty);
        let treaties = shares.chain(books.layers.iter()).filter(in_term).filter(|_| crisis != 0);
        let note = |treaty: &usize| Noted { treaty: *treaty, owed: 0, paid: 0, restored: 0, pending: false };
        let incident = Incident {
            state: IncidentState::Growing,
            opened_at: self.now,
            ended_at,
            accrued_at,
            final_at: final_by,
            // Of one without a loss nothing hangs on it but its holders' premium.
            deadline: if crisis == 0 { self.now } else { proven_at } + YEAR,
            crisis,
            sums,
            severity: 0,
            most,
            gross: 0,
            loss_premium: loss,
            refunds_left: waiting,
            reserve: 0,
            paid: 0,
            left,
            still_exposed,
            noted: treaties.map(note).collect(),
            open: true,
        };
        self.products[product].incident = Some(incident);
        // Without a loss nothing can grow.
        self.grow(product, severity, is_final || crisis == 0);
        let entry = &mut self.products[product];
        entry.incident_closed = entry.incident.as_ref().is_some_and(|it| it.crisis == 0 && it.refunds_left == 0);
        Ok(())
    }

    /// Books a severity: what is due, what treaties owe of it and, if it is final, whose the premium is.
    fn grow(&mut self, product: usize, severity: N, is_final: bool) {
        let entry = &self.products[product];
        let pool = entry.pool;
        let mut incident = entry.incident.clone().expect("the incident is there");
        let gross = ceil(incident.sums * severity, BPS);
        let more = gross - incident.gross;
        (incident.severity, incident.gross) = (severity, gross);
        if let Some(crisis) = self.pools[pool].crisis.as_mut().filter(|crisis| crisis.number == incident.crisis) {
            crisis.gross += more;
            crisis.growth -= more;
            if is_final {
                crisis.growth -= incident.most - gross;
            }
        }
        let mut owes = false;
        let cession = |noted: &Noted| self.treaties[noted.treaty].quota_share().map_or(0, |(cession, _)| cession);
        let ceded = gross * incident.noted.iter().map(cession).sum::<N>() / BPS;
        for noted in &mut incident.noted {
            let treaty = &mut self.treaties[noted.treaty];
            let more = treaty.due(gross, ceded).saturating_sub(noted.owed).min(treaty.limit_left);
            treaty.limit_left -= more;
            treaty.owed += more;
            noted.owed += more;
            noted.pending |= more > 0;
            owes |= more > 0;
        }
        if let Some(crisis) = self.pools[pool].crisis.as_mut().filter(|_| owes) {
            crisis.owed_at = self.now;
        }
        if is_final {
            incident.state = IncidentState::Final;
            let loss = std::mem::take(&mut incident.loss_premium);
            let refunds = loss * (BPS - severity) / BPS;
            incident.refunds_left += refunds;
            let books = &mut self.pools[pool];
            books.set_aside -= loss;
            books.refunds += refunds;
            let at = self.pools[pool].accrued_at;
            self.share_out(pool, 0, loss - refunds, at);
        }
        self.products[product].incident = Some(incident);
    }

    /// Ends the premium of a product, cover by cover. What was earned is shared out. What is given back to covers that
    /// waited, and what is not decided about, is set aside, and returned.
    fn end_premium(&mut self, product: usize, event_at: i64, ended_at: i64) -> (N, N) {
        let pool = self.products[product].pool;
        let terms = |(treaty, _): &(usize, N)| [self.treaties[*treaty].start_day, self.treaties[*treaty].end_day];
        let turns: Vec<i64> = self.pools[pool].quota_shares.iter().flat_map(terms).map(start).collect();
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
        let cuts = [vec![accrued_at], turns.into_iter().map(inside).collect(), vec![ended_at]].concat();
        let parts: Vec<(i64, N)> = cuts.windows(2).map(|cut| (cut[0], sum(false, cut[0], cut[1]))).collect();
        books.unearned -= waiting + loss + parts.iter().map(|(_, earned)| earned).sum::<N>();
        books.refunds += waiting;
        books.set_aside += loss;
        for (at, earned) in parts {
            self.share_out(pool, earned, 0, at);
        }
        let last = self.pools[pool].last_cover_end_day;
        self.note_cover_end(pool, last);
        (waiting, loss)
    }

    /// Ends the flat premium of a reading: it is earned at the event, but for what covers that it does not affect get back.
    fn end_flat(&mut self, product: usize, event_at: i64, waiting: N) -> N {
        let pool = self.products[product].pool;
        let live = |cover: &&super::Cover| cover.product == product && cover.status != CoverStatus::Cancelled;
        let premium: N = self.covers.iter().filter(live).map(|cover| cover.premium).sum();
        let books = &mut self.pools[pool];
        books.unearned -= premium;
        books.refunds += waiting;
        self.share_out(pool, premium - waiting, 0, event_at);
        waiting
    }

    /// Closes the open crisis of a pool.
    fn close_crisis(&mut self, pool: usize) -> Rule {
        let books = &self.pools[pool];
        let crisis = books.crisis.as_ref().expect("a crisis is open");
        if books.bearing() + crisis.given + crisis.recovered < crisis.gross {
            // Holders are short: they have what others have earned by when all was final.
            let until = crisis.final_at;
            self.earn_until(pool, until);
            let books = &mut self.pools[pool];
            books.alerts_since = books.alerts_since.map(|since| since.max(books.accrued_at));
        }
        let books = &mut self.pools[pool];
        let crisis = books.crisis.take().expect("a crisis is open");
        let [surplus, layers @ ..] = crisis.taken;
        let lent: N = crisis.taken.iter().sum();
        books.surplus += surplus;
        for (class, lent) in books.classes.iter_mut().zip(layers.chunks(2)) {
            let both = lent[0] + lent[1];
            match (class.shares > 0, class.units > 0) {
                (true, true) => {
                    class.assets += lent[0];
                    class.exiting += lent[1];
                }
                (true, false) => class.assets += both,
                (false, true) => class.exiting += both,
                (false, false) => books.surplus += both,
            }
        }
        let recovered = crisis.recovered + crisis.given - lent;
        let resources = crisis.gross.min(books.bearing() + recovered);
        let before = [books.classes[0].clone(), books.classes[1].clone()];
        let mut borne = books.clone().bear(resources.saturating_sub(recovered))?;
        books.lose(resources.saturating_sub(recovered))?;
        let bucket = resources - crisis.given;
        let (gross, until, number) = (crisis.gross, crisis.until, crisis.number);
        let series = [before[0].series, before[1].series];
        let (owed, recoverable, noted) = (0, [0; 3], [(0, 0); 2]);
        let mut closed = Closed { number, gross, resources, bucket, until, owed, recoverable, series, noted };
        closed.owed = self.members(pool, number).flat_map(|it| &it.noted).map(|noted| noted.owed - noted.paid).sum();
        // What is still owed is the seniors' first, then the juniors', then the surplus's, as far as they bore the loss.
        let mut left = closed.beyond_holders();
        let books = &mut self.pools[pool];
        for tranche in [1, 0] {
            let [staying, exiting] = [borne[1 + 2 * tranche], borne[2 + 2 * tranche]];
            let part = left.min(staying + exiting);
            left -= part;
            closed.recoverable[1 + tranche] = part;
            let class = &mut books.classes[tranche];
            if part > 0 && !class.over {
                let of_exiting = part * exiting / (staying + exiting);
                if class.recoverable == [0, 0] {
                    (class.claims, class.left) = (class.claims.wrapping_add(1), 0);
                }
                closed.noted[tranche] = (class.claims, class.left);
                class.recoverable[0] += part - of_exiting;
                class.recoverable[1] += of_exiting;
            }
        }
        closed.recoverable[0] = left.min(std::mem::take(&mut borne[0]));
        books.closed.push(closed);
        self.note_held(pool);
        self.stand(pool, self.pools[pool].alerts_since);
        let books = &mut self.pools[pool];
        for layer in books.layers.clone() {
            let treaty = &mut self.treaties[layer];
            treaty.limit_left += std::mem::take(&mut treaty.later);
        }
        Ok(())
    }

    fn fund(&mut self, product: usize) -> Rule {
        let pool = self.products[product].pool;
        let incident = self.products[product].incident.clone().filter(|incident| incident.open);
        let mut incident = incident.ok_or("there is no incident")?;
        need(incident.crisis != 0, "nothing is due")?;
        self.accrue(pool);
        let mut changed = false;
        self.products[product].trigger.refresh(self.now);
        let trigger = &self.products[product].trigger;
        let (severity, is_final) = (self.products[product].paid_part(trigger.severity), trigger.phase == Phase::Final);
        if incident.state == IncidentState::Growing && (severity > incident.severity || is_final) {
            self.grow(product, severity, is_final);
            incident = self.products[product].incident.clone().expect("it is there");
            changed = true;
        }
        let is_open = |books: &super::Pool| books.crisis.as_ref().is_some_and(|open| open.number == incident.crisis);
        if is_open(&self.pools[pool]) && self.is_due(pool) {
            self.close_crisis(pool)?;
            changed = true;
        }
        let part = |gross: N, have: N, of: N| if have >= of { gross } else { gross * have / of };
        let amount = if is_open(&self.pools[pool]) {
            let needed = self.needed(pool);
            let books = &mut self.pools[pool];
            let mut crisis = books.crisis.clone().expect("it is open");
            let have = books.bearing() + crisis.given + crisis.recovered;
            let amount = part(incident.gross, have, needed).saturating_sub(incident.reserve);
            let recovered = amount.min(crisis.recovered);
            crisis.recovered -= recovered;
            crisis.given += amount;
            let taken = books.bear(amount - recovered)?;
            crisis.taken.iter_mut().zip(taken).for_each(|(sum, part)| *sum += part);
            books.crisis = Some(crisis);
            amount
        } else {
            let closed = self.pools[pool].closed.iter_mut().find(|closed| closed.number == incident.crisis);
            let closed = closed.ok_or("books: the crisis is gone")?;
            let amount = part(incident.gross, closed.resources, closed.gross).saturating_sub(incident.reserve);
            take(&mut closed.bucket, amount, "books: a crisis")?;
            amount
        };
        need(changed || amount > 0, "there is nothing more")?;
        self.pools[pool].incident_reserves += amount;
        self.products[product].incident.as_mut().expect("it is there").reserve += amount;
        Ok(())
    }

    /// What a cover is paid by its incident now: for its loss, of its premium, and whether nothing more can come.
    pub fn payout(&self, cover: usize) -> Rule<(N, N, bool)> {
        let cover = &self.covers[cover];
        let product = &self.products[cover.product];
        let incident = product.incident.as_ref().filter(|incident| incident.open).ok_or("there is no incident")?;
        need(cover.status == CoverStatus::Live, "the cover is not live")?;
        let flat = product.trigger.reading.is_some();
        let unearned = |from: i64| {
            if flat {
                return cover.premium;
            }
            let seconds = start(cover.end_day) - from.max(start(cover.active_day));
            ((cover.rate * seconds.max(0).unsigned_abs() as N) >> 32).min(cover.premium)
        };
        if !cover.affected(product.trigger.event_at).ok_or("the cover had ended")? {
            return Ok((0, unearned(incident.accrued_at), true));
        }
        let is_final = incident.state == IncidentState::Final;
        need(!flat || incident.gross > 0, "the reading pays nothing")?;
        let loss = (cover.sum * incident.reserve / incident.sums).saturating_sub(cover.loss_paid);
        // A reading's premium is earned by its loss.
        let back = is_final && !cover.refunded && !flat;
        let refund = if back { unearned(incident.ended_at) * (BPS - incident.severity) / BPS } else { 0 };
        let all = is_final && incident.reserve == incident.gross;
        need(loss > 0 || refund > 0 || all, "there is nothing more")?;
        Ok((loss, refund, all))
    }

    /// What the holder of a cover is paid now, of that premium, and whether the cover is settled with it.
    pub fn payout_of_holder(&self, cover: usize) -> Rule<(N, N, bool)> {
        let (loss, refund, all) = self.payout(cover)?;
        let first = self.covers[cover].lien.map_or(0, |lien| loss.min(lien.limit));
        let all = all && first == 0;
        need(loss > first || refund > 0 || all, "there is nothing more for the holder")?;
        Ok((loss - first, refund, all))
    }

    /// What the payee of its lien is paid now, and whether the cover is settled with it.
    pub fn payout_of_payee(&self, cover: usize) -> Rule<(N, bool)> {
        let (loss, refund, all) = self.payout(cover)?;
        let entry = &self.covers[cover];
        let lien = entry.lien.ok_or("it is under no lien")?;
        need(entry.affected(self.products[entry.product].trigger.event_at) == Some(true), "it gets its premium back")?;
        let first = loss.min(lien.limit);
        let all = all && loss == first && refund == 0;
        need(first > 0 || all, "there is nothing more for the payee")?;
        Ok((first, all))
    }

    fn settle(&mut self, cover: usize, holder: Who, to: Who, signed: bool) -> Rule {
        let (loss, refund, all) = self.payout_of_holder(cover)?;
        need(self.covers[cover].holder == Some(holder), "not the holder")?;
        self.covers[cover].paid += loss + refund;
        self.covers[cover].premium_back += refund;
        let product = self.covers[cover].product;
        let incident = self.products[product].incident.as_ref().expect("there is one");
        let is_final = incident.state == IncidentState::Final;
        let is_loss = self.covers[cover].affected(self.products[product].trigger.event_at) == Some(true);
        self.covers[cover].refunded |= is_loss && is_final;
        let asset = self.pay_out(cover, loss, refund, all)?;
        if loss + refund > 0 {
            let fits = self.covers[cover].pays.map_or(signed || to == holder, |pays| pays == to);
            need(fits, "not the holder's or the beneficiary's account")?;
            self.receive(to, asset, loss + refund)?;
        }
        Ok(())
    }

    fn settle_lien(&mut self, cover: usize, to: Who) -> Rule {
        let (loss, all) = self.payout_of_payee(cover)?;
        let lien = self.covers[cover].lien.as_mut().expect("there is one");
        need(lien.to == to, "not the payee")?;
        lien.limit -= loss;
        lien.paid += loss;
        let asset = self.pay_out(cover, loss, 0, all)?;
        if loss > 0 { self.receive(to, asset, loss) } else { Ok(()) }
    }

    /// Takes what a party is paid out of the books. Returns the asset that it is paid in.
    fn pay_out(&mut self, cover: usize, loss: N, refund: N, all: bool) -> Rule<usize> {
        let product = self.covers[cover].product;
        let (pool, event_at) = (self.products[product].pool, self.products[product].trigger.event_at);
        let entry = &mut self.covers[cover];
        entry.loss_paid += loss;
        let is_loss = entry.affected(event_at) == Some(true);
        let (sum, premium) = (entry.sum, entry.premium);
        let incident = self.products[product].incident.as_mut().expect("there is one");
        if all {
            entry.status = CoverStatus::Settled;
            if is_loss {
                take(&mut incident.left.0, sum, "books: sums left")?;
            } else {
                take(&mut incident.left.1, premium, "books: premiums left")?;
            }
        }
        incident.paid += loss;
        need(incident.paid <= incident.reserve, "books: an incident's reserve")?;
        take(&mut incident.refunds_left, refund, "books: premium to be given back")?;
        take(&mut self.pools[pool].incident_reserves, loss, "books: incident reserves")?;
        take(&mut self.pools[pool].refunds, refund, "books: premium to be given back")?;
        Ok(self.pools[pool].asset)
    }

    /// Whether an incident can be closed.
    pub fn is_over(&self, product: usize) -> bool {
        let entry = &self.products[product];
        let Some(incident) = entry.incident.as_ref().filter(|incident| incident.open) else { return false };
        let all = incident.state == IncidentState::Final && incident.reserve == incident.gross;
        let paid = incident.noted.iter().all(|noted| noted.paid == noted.owed);
        let settled = all && paid && incident.left == (0, 0);
        let open = self.pools[entry.pool].crisis.as_ref().is_some_and(|open| open.number == incident.crisis);
        (settled || self.now >= incident.deadline) && !open
    }

    fn close_incident(&mut self, product: usize) -> Rule {
        let pool = self.products[product].pool;
        self.accrue(pool);
        need(self.is_over(product), "the incident is in use")?;
        let entry = &mut self.products[product];
        entry.incident_closed = true;
        let incident = entry.incident.as_mut().expect("it is open");
        incident.open = false;
        let (left, refunds, crisis) = (incident.reserve - incident.paid, incident.refunds_left, incident.crisis);
        let unpaid = incident.noted.iter().map(|noted| (noted.treaty, noted.owed - noted.paid)).collect::<Vec<_>>();
        // Nobody can call for it any more. The treaty may be over since.
        for (treaty, unpaid) in &unpaid {
            let treaty = &mut self.treaties[*treaty];
            let unpaid = treaty.owed.min(*unpaid);
            treaty.owed -= unpaid;
            treaty.lapsed += unpaid;
        }
        let (last, now) = (self.members(pool, crisis).next().is_none(), self.now);
        let books = &mut self.pools[pool];
        if let Some(place) = books.closed.iter().position(|closed| closed.number == crisis) {
            let mut closed = books.closed[place].clone();
            closed.owed -= unpaid.iter().map(|(_, unpaid)| unpaid).sum::<N>();
            let can_come = closed.can_come(now);
            books.write_off(&mut closed, can_come);
            books.closed[place] = closed;
        }
        take(&mut books.incident_reserves, left, "books: incident reserves")?;
        take(&mut books.refunds, refunds, "books: premium to be given back")?;
        books.surplus += left + refunds;
        if last && let Some(place) = books.closed.iter().position(|closed| closed.number == crisis) {
            let mut closed = books.closed.remove(place);
            books.surplus += closed.bucket;
            books.write_off(&mut closed, 0);
        }
        Ok(())
    }

    pub(super) fn apply_incident(&mut self, op: &Op) -> Rule {
        match *op {
            Op::OpenIncident { product } => self.open_incident(product),
            Op::Fund { product } => {
                need(self.products[product].incident.as_ref().is_some_and(|one| one.open), "there is no incident")?;
                self.fund(product)
            }
            Op::Settle { cover, holder, to, signed } => {
                need(self.covers[cover].pays.is_none(), "a position is no cover")?;
                self.settle(cover, holder, to, signed)
            }
            Op::SettlePosition { cover, to } => {
                let entry = &self.covers[cover];
                need(entry.pays == Some(to), "not the beneficiary")?;
                let owner = entry.holder.ok_or("the position is closed")?;
                self.settle(cover, owner, to, false)
            }
            Op::SettleLien { cover, to } => self.settle_lien(cover, to),
            Op::CloseIncident { product } => self.close_incident(product),
            Op::ExtendDeadline { .. } => Err("the vault is not frozen"),
            _ => super::unknown(op, "incident"),
        }
    }
}
