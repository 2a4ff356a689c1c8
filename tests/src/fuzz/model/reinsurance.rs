//! Treaties and cessions between pools.

use super::{BPS, DAY, Model, N, Rule, Stream, ceil, day, need, start, take};
use crate::fuzz::op::{Op, Who};
use backstop::state::{PoolKind, TreatyKind, TreatyTerms};

/// A treaty.
#[derive(Clone, Debug)]
pub struct Treaty {
    /// The pool that cedes.
    pub cedant: usize,
    /// Its number there.
    pub id: u16,
    /// The pool that reinsures.
    pub reinsurer: usize,
    /// Kind and bounds.
    pub kind: TreatyKind,
    /// The most it pays.
    pub limit: N,
    /// What is left of it.
    pub limit_left: N,
    /// When its notice ends.
    pub notice_until: i64,
    /// First day.
    pub start_day: u32,
    /// First day after.
    pub end_day: u32,
    /// Whether it was accepted.
    pub active: bool,
    /// Whether its account is open.
    pub open: bool,
    /// Premium for the term.
    pub premium: N,
    /// Stream rate of it.
    pub rate: N,
    /// Restored so far.
    pub restored: N,
    /// What of that serves events after the crisis that is open.
    pub later: N,
    /// Owed and not paid.
    pub owed: N,
    /// What was owed to incidents that are closed: used up, and stood behind until the treaty ends.
    pub lapsed: N,
}

impl Treaty {
    /// Cession and commission of a quota share.
    pub fn quota_share(&self) -> Option<(N, N)> {
        match self.kind {
            TreatyKind::QuotaShare { cession_bps, commission_bps } => Some((cession_bps.into(), commission_bps.into())),
            TreatyKind::ExcessOfLoss { .. } => None,
        }
    }

    /// What the reinsurer must hold capital for.
    pub fn open_limit(&self) -> N {
        self.limit_left + self.later + self.owed + self.lapsed
    }

    /// What it takes of a gross loss, of which quota shares take `ceded`, before what is left of its limit.
    pub fn due(&self, gross: N, ceded: N) -> N {
        match self.kind {
            TreatyKind::QuotaShare { .. } => ceded,
            TreatyKind::ExcessOfLoss { attachment, .. } => {
                (gross - ceded).saturating_sub(N::from(attachment)).min(self.limit)
            }
        }
    }
}

/// An announced transfer of surplus.
#[derive(Clone, Debug)]
pub struct Cession {
    /// Who gets it.
    pub reinsurer: usize,
    /// How much.
    pub amount: N,
    /// From when it is good.
    pub from: i64,
}

fn valid(terms: &TreatyTerms) -> bool {
    let days = terms.end_day.saturating_sub(terms.start_day);
    let shares = match terms.kind {
        TreatyKind::QuotaShare { cession_bps, commission_bps } => {
            (1..=9_000).contains(&cession_bps) && commission_bps < 10_000
        }
        TreatyKind::ExcessOfLoss { attachment, rate_on_line_bps, reinstatements, reinstatement_premium_bps } => {
            let price = (50..=5_000).contains(&rate_on_line_bps) && reinstatement_premium_bps <= 20_000;
            attachment > 0 && price && reinstatements <= 4
        }
    };
    (1..=365).contains(&days) && terms.limit >= 1_000 && shares
}

impl Model {
    fn treaty(&self, treaty: usize) -> Rule<Treaty> {
        let entry = self.treaties.get(treaty).filter(|treaty| treaty.open);
        Ok(entry.ok_or("there is no such treaty")?.clone())
    }

    fn create_treaty(&mut self, cedant: usize, reinsurer: usize, terms: &TreatyTerms) -> Rule {
        let kinds = (self.pools[cedant].kind, self.pools[reinsurer].kind);
        need(kinds == (PoolKind::Cover, PoolKind::Reinsurance), "pools of the wrong kind")?;
        need(self.pools[cedant].asset == self.pools[reinsurer].asset, "another asset")?;
        need(valid(terms), "terms out of bounds")?;
        let cooldown = |pool: usize| self.pools[pool].terms.cooldown_seconds;
        need(cooldown(reinsurer) >= cooldown(cedant), "the reinsurer's providers could leave earlier")?;
        let now = self.now;
        let notice_until = self.pools[cedant].notice(now).max(self.pools[reinsurer].notice(now));
        need(terms.start_day > day(notice_until), "it begins within the notice")?;
        need(terms.end_day - day(now) <= 510, "it ends too late")?;
        let id = self.pools[cedant].treaties;
        self.pools[cedant].treaties += 1;
        self.pools[reinsurer].treaties += 1;
        self.treaties.push(Treaty {
            cedant,
            id,
            reinsurer,
            kind: terms.kind,
            limit: terms.limit.into(),
            limit_left: terms.limit.into(),
            notice_until,
            start_day: terms.start_day,
            end_day: terms.end_day,
            active: false,
            open: true,
            premium: 0,
            rate: 0,
            restored: 0,
            later: 0,
            lapsed: 0,
            owed: 0,
        });
        Ok(())
    }

    fn accept(&mut self, index: usize) -> Rule {
        let treaty = self.treaty(index)?;
        let Treaty { cedant, reinsurer, limit, start_day, end_day, .. } = treaty;
        let now = self.now;
        need(!treaty.active, "it is in force")?;
        need(now >= treaty.notice_until, "the notice is not over")?;
        need(now < start(start_day), "its term has begun")?;
        self.need_calm(cedant)?;
        // The renewal of a quota share on terms no worse does not wait for those who leave the cedant.
        let renews = treaty.quota_share().is_some_and(|(cession, commission)| {
            self.pools[cedant].quota_shares.iter().map(|(other, _)| &self.treaties[*other]).any(|other| {
                let (same, less) = other.quota_share().expect("it is one");
                let no_worse = same == cession && less <= commission && other.limit_left <= limit;
                other.end_day == start_day && no_worse
            })
        });
        need(renews || !self.pools[cedant].exits_wait(now), "exits wait")?;
        need(!self.pools[reinsurer].exits_wait(now), "exits wait")?;
        self.accrue(cedant);
        self.accrue(reinsurer);
        let premium = match treaty.kind {
            TreatyKind::QuotaShare { .. } => 0,
            TreatyKind::ExcessOfLoss { rate_on_line_bps, .. } => ceil(limit * N::from(rate_on_line_bps), BPS),
        };
        if let TreatyKind::ExcessOfLoss { attachment, .. } = treaty.kind {
            need(N::from(attachment) >= ceil(self.pools[cedant].bearing(), 100), "the layer begins too low")?;
        }
        if premium > 0 {
            take(&mut self.pools[cedant].surplus, premium, "the surplus is too small")?;
            self.treaties[index].rate = self.pools[reinsurer].stream(premium, now, end_day, None);
            self.need_solvent(cedant)?;
            self.need_calm(cedant)?;
        }
        match treaty.kind {
            TreatyKind::QuotaShare { .. } => {
                let others = &self.pools[cedant].quota_shares;
                let terms = |treaty: usize| (self.treaties[treaty].start_day, self.treaties[treaty].end_day);
                for (from, to) in others.iter().map(|(other, _)| terms(*other)) {
                    need(end_day <= from || to <= start_day, "it overlaps another quota share")?;
                }
                need(others.len() < 2, "there are two quota shares")?;
                let place = others.iter().filter(|(other, _)| terms(*other).0 < start_day).count();
                let outlasting = self.outlasting(cedant, end_day);
                self.pools[cedant].quota_shares.insert(place, (index, outlasting));
            }
            TreatyKind::ExcessOfLoss { attachment, .. } => {
                let top = N::from(attachment) + limit;
                let bottom = |treaty: &Treaty| match treaty.kind {
                    TreatyKind::ExcessOfLoss { attachment, .. } => N::from(attachment),
                    TreatyKind::QuotaShare { .. } => 0,
                };
                let layers = self.pools[cedant].layers.clone();
                for other in layers.iter().map(|layer| &self.treaties[*layer]) {
                    let height = N::from(attachment) < bottom(other) + other.limit && bottom(other) < top;
                    let time = start_day < other.end_day && other.start_day < end_day;
                    need(!(height && time), "it overlaps another layer")?;
                }
                need(layers.len() < 4, "there is no place")?;
                let above = |layer: &usize| bottom(&self.treaties[*layer]) > N::from(attachment);
                let place = layers.iter().position(above).unwrap_or(layers.len());
                self.pools[cedant].layers.insert(place, index);
            }
        }
        need(self.pools[reinsurer].inward.len() < 8, "there is no place")?;
        self.pools[reinsurer].inward.push(index);
        self.treaties[index].active = true;
        self.pools[cedant].in_use = true;
        self.pools[reinsurer].in_use = true;
        self.treaties[index].premium = premium;
        self.need_solvent(reinsurer)
    }

    /// Ends what of a layer's stream is for the limit that is used. Returns what of it was unearned: it is paid first.
    fn use_premium(&mut self, index: usize, paid: N) -> N {
        let Treaty { reinsurer, rate, end_day, .. } = self.treaties[index];
        let open = self.treaties[index].open_limit();
        let books = &mut self.pools[reinsurer];
        let left = N::try_from(start(end_day) - books.accrued_at).unwrap_or(0);
        if rate == 0 || paid == 0 || left == 0 {
            return 0;
        }
        let ended = rate * paid / open;
        let same = |stream: &&mut Stream| stream.cover.is_none() && (stream.rate, stream.end_day) == (rate, end_day);
        books.streams.iter_mut().find(same).expect("the treaty's stream is there").rate -= ended;
        let unearned = ((ended * left) >> 32).min(books.unearned).min(paid);
        books.unearned -= unearned;
        self.treaties[index].rate -= ended;
        unearned
    }

    fn call(&mut self, index: usize, product: usize) -> Rule {
        let treaty = self.treaty(index)?;
        let entry = &self.products[product];
        let incident = entry.incident.as_ref().filter(|incident| incident.open).ok_or("there is no incident")?;
        need(entry.pool == treaty.cedant, "of another pool")?;
        let noted = incident.noted.iter().find(|noted| noted.treaty == index).ok_or("it was not noted")?.clone();
        let (crisis, still_exposed, ended_at) = (incident.crisis, incident.still_exposed, incident.ended_at);
        let Treaty { cedant, reinsurer, limit, .. } = treaty;
        self.accrue(cedant);
        self.accrue(reinsurer);
        let paid = (noted.owed - noted.paid).min(self.pools[reinsurer].bearing());
        need(paid > 0 || noted.pending, "nothing is owed")?;
        let used = self.use_premium(index, paid);
        self.treaties[index].owed -= paid;
        self.pools[reinsurer].lose(paid - used)?;
        let (mut cost, mut restored_now) = (0, 0);
        if let TreatyKind::ExcessOfLoss { reinstatements, reinstatement_premium_bps, .. } = treaty.kind {
            // What the reinsurer could take on beyond its open limits and still be solvent.
            let solvency = N::from(self.pools[reinsurer].terms.solvency_bps);
            let held = ceil(self.required(reinsurer) * solvency, BPS);
            let room = self.pools[reinsurer].staying().saturating_sub(held) * BPS / solvency;
            let restorable = (limit * N::from(reinstatements)).saturating_sub(treaty.restored);
            // In all calls for the incident no more than was still exposed, and nothing after the term.
            let in_term = ended_at < start(treaty.end_day);
            let exposed = if in_term { still_exposed.saturating_sub(noted.restored) } else { 0 };
            let restored = paid.min(restorable).min(room).min(exposed);
            if restored > 0 {
                // As much as if all of it had been restored at once.
                let whole = ceil(treaty.premium * N::from(reinstatement_premium_bps), BPS);
                let of = |restored: N| ceil(whole * restored, limit);
                cost = (of(treaty.restored + restored) - of(treaty.restored)).min(paid);
            }
            let in_crisis = self.pools[cedant].crisis.is_some();
            let entry = &mut self.treaties[index];
            entry.restored += restored;
            restored_now = restored;
            *(if in_crisis { &mut entry.later } else { &mut entry.limit_left }) += restored;
        }
        if cost > 0 {
            let week = day(self.now + 8 * DAY - 1);
            let now = self.now;
            let rate = self.pools[reinsurer].stream(cost, now, treaty.end_day.max(week), None);
            if week <= treaty.end_day {
                // It is the treaty's, in one stream with its premium.
                let this = self.treaties[index].rate;
                let books = &mut self.pools[reinsurer];
                let same =
                    |stream: &Stream| stream.cover.is_none() && (stream.rate, stream.end_day) == (this, treaty.end_day);
                if let Some(place) = books.streams[..books.streams.len() - 1].iter().position(same) {
                    books.streams.remove(place);
                    books.streams.last_mut().expect("it was pushed").rate += this;
                }
                self.treaties[index].rate += rate;
            }
        }
        let incident = self.products[product].incident.as_mut().expect("there is one");
        let noted = incident.noted.iter_mut().find(|noted| noted.treaty == index).expect("it was noted");
        noted.paid += paid;
        noted.restored += restored_now;
        noted.pending = false;
        let received = paid - cost;
        let now = self.now;
        let books = &mut self.pools[cedant];
        match books.crisis.as_mut().filter(|open| open.number == crisis) {
            Some(open) => open.recovered += received,
            None => {
                let place = books.closed.iter().position(|closed| closed.number == crisis);
                let place = place.ok_or("books: the crisis is gone")?;
                let mut closed = books.closed[place].clone();
                let short = if now < closed.until { closed.gross - closed.resources } else { 0 };
                let late = received.min(short);
                closed.resources += late;
                closed.bucket += late;
                closed.owed -= paid;
                books.recover(&mut closed, received - late, now);
                books.closed[place] = closed;
            }
        }
        Ok(())
    }

    fn end(&mut self, index: usize) -> Rule {
        let treaty = self.treaty(index)?;
        let now = self.now;
        if !treaty.active {
            need(now >= start(treaty.start_day), "its term has not begun")?;
            self.treaties[index].open = false;
            return Ok(());
        }
        let Treaty { cedant, reinsurer, end_day, owed, .. } = treaty;
        self.accrue(cedant);
        self.accrue(reinsurer);
        let reach = start(end_day + self.pools[cedant].ring_days);
        let quiet = self.alerts(cedant).due == 0 && self.pools[cedant].crisis.is_none();
        let accrued = self.pools[cedant].stands_since.is_none_or(|since| since >= start(end_day));
        // What could not be paid for a year is owed no longer.
        let paid = owed == 0 || now >= reach + 365 * DAY;
        need(quiet && now >= reach && paid && accrued, "the treaty is in use")?;
        let books = &mut self.pools[cedant];
        need(books.payable.get(&index).is_none_or(|payable| *payable == 0), "premium is owed")?;
        books.payable.remove(&index);
        books.quota_shares.retain(|(share, _)| *share != index);
        books.layers.retain(|layer| *layer != index);
        self.pools[reinsurer].inward.retain(|inward| *inward != index);
        self.treaties[index].open = false;
        Ok(())
    }

    fn commute(&mut self, index: usize) -> Rule {
        let Treaty { cedant, reinsurer, rate, start_day, end_day, active, .. } = self.treaty(index)?;
        let last = day(self.now) + 4;
        need(active, "it is not in force")?;
        need(self.now >= start(start_day) && last < end_day, "it is not within its term")?;
        self.need_calm(cedant)?;
        self.accrue(cedant);
        self.accrue(reinsurer);
        let books = &mut self.pools[reinsurer];
        let seconds = u128::from(end_day - last) * DAY.unsigned_abs() as N;
        let returned = ((rate * seconds) >> 32).min(books.unearned);
        if rate > 0 {
            let stream = books.streams.iter_mut().find(|stream| (stream.rate, stream.end_day) == (rate, end_day));
            stream.ok_or("books: the treaty's stream is gone")?.end_day = last;
        }
        books.unearned -= returned;
        self.pools[cedant].surplus += returned;
        self.pools[cedant].in_use |= returned > 0;
        let outlasting = self.outlasting(cedant, last);
        self.treaties[index].end_day = last;
        let shares = self.pools[cedant].quota_shares.iter_mut();
        shares.filter(|(share, _)| *share == index).for_each(|(_, count)| *count = outlasting);
        self.need_solvent(cedant)
    }

    /// What may outlast a day of what was sold before, if any does: no more than outlasts a quota share that ends before,
    /// else all of it.
    fn outlasting(&self, cedant: usize, end_day: u32) -> N {
        let books = &self.pools[cedant];
        if books.last_cover_end_day <= end_day {
            return 0;
        }
        let earlier = books.quota_shares.iter().filter(|(share, _)| self.treaties[*share].end_day <= end_day);
        earlier.map(|(_, outlasting)| *outlasting).fold(self.exposure_of_pool(cedant), N::min)
    }

    fn cede(&mut self, cedant: usize) -> Rule {
        let now = self.now;
        let Cession { reinsurer, amount, from } = self.cessions.remove(&cedant).ok_or("nothing is announced")?;
        need((from..from + 7 * DAY).contains(&now), "it is not good now")?;
        self.need_calm(cedant)?;
        need(!self.pools[cedant].exits_wait(now), "exits wait")?;
        self.accrue(cedant);
        self.accrue(reinsurer);
        take(&mut self.pools[cedant].surplus, amount, "the surplus is too small")?;
        self.need_calm(cedant)?;
        self.need_solvent(cedant)?;
        self.pools[reinsurer].surplus += amount;
        self.pools[reinsurer].in_use = true;
        Ok(())
    }

    pub(super) fn apply_reinsurance(&mut self, op: &Op) -> Rule {
        let governs = |model: &Model, by: Who| need(by == model.roles.governance, "only governance");
        match *op {
            Op::CreateTreaty { cedant, reinsurer, ref terms, by } => {
                governs(self, by)?;
                self.create_treaty(cedant, reinsurer, terms)
            }
            Op::AcceptTreaty { treaty, by } => {
                governs(self, by)?;
                self.accept(treaty)
            }
            Op::SettlePremium { cedant, reinsurer } => {
                self.accrue(cedant);
                self.accrue(reinsurer);
                let theirs = |treaty: &usize| self.treaties[*treaty].reinsurer == reinsurer;
                let shares = self.pools[cedant].quota_shares.iter().map(|(treaty, _)| *treaty);
                let shares: Vec<usize> = shares.filter(theirs).collect();
                need(!shares.is_empty(), "not the reinsurer")?;
                let payable = &mut self.pools[cedant].payable;
                let amount: N = shares.iter().filter_map(|treaty| payable.remove(treaty)).sum();
                need(amount > 0, "nothing is owed")?;
                // Earned over seven days at least, to a day boundary.
                let (now, end_day) = (self.now, day(self.now + 8 * DAY - 1));
                self.pools[reinsurer].stream(amount, now, end_day, None);
                Ok(())
            }
            Op::CallTreaty { treaty, product } => self.call(treaty, product),
            Op::EndTreaty { treaty } => self.end(treaty),
            Op::CommuteTreaty { treaty, by } => {
                governs(self, by)?;
                self.commute(treaty)
            }
            Op::AnnounceCession { cedant, reinsurer, amount, by } => {
                governs(self, by)?;
                let kinds = (self.pools[cedant].kind, self.pools[reinsurer].kind);
                need(kinds == (PoolKind::Cover, PoolKind::Reinsurance), "pools of the wrong kind")?;
                need(self.pools[cedant].asset == self.pools[reinsurer].asset, "another asset")?;
                need(amount > 0 && !self.cessions.contains_key(&cedant), "one is announced")?;
                let from = self.pools[cedant].notice(self.now);
                self.cessions.insert(cedant, Cession { reinsurer, amount: amount.into(), from });
                Ok(())
            }
            Op::CedeSurplus { cedant, by } => {
                governs(self, by)?;
                self.cede(cedant)
            }
            Op::CloseCession { cedant } => {
                let cession = self.cessions.remove(&cedant).ok_or("nothing is announced")?;
                need(self.now >= cession.from + 7 * DAY, "it is still good")
            }
            _ => super::unknown(op, "reinsurance"),
        }
    }
}
