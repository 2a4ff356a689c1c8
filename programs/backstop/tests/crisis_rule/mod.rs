//! The rule of a crisis, written from the design alone, in plain numbers: nothing here is taken from the program.
//!
//! A [`World`] is what happens whoever calls what: alerts that begin, vanish, turn into events, and events that get
//! worse. [`outcome`] says what its incidents are paid in the end, without any call at all. [`Books`] are the rule as it
//! is carried out, call by call, in any order; they must reach the outcome.
#![allow(dead_code, reason = "each user takes a part of it")]

use std::collections::BTreeMap;

/// Hours that a crisis waits for its treaties.
pub const TREATY_HOURS: i64 = 48;

/// An alert that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    product: usize,
    /// When it began.
    began: i64,
    /// Since when its evidence is met, of which nobody knows yet whether it fires.
    due: Option<i64>,
}

/// Hours for which alerts are waited for.
fn waits(world: &World) -> i64 {
    TREATY_HOURS.max(world.ring_days * 24)
}

/// Whether nothing is waited for but calls: all is final, and the alerts that began before that are over, or had as long as
/// the ring reaches back, and were not met by then.
fn is_ripe(world: &World, at: i64, final_at: i64, alerts: &[Alert]) -> bool {
    let until = final_at + waits(world);
    let in_time = |alert: &Alert| at < until || alert.due.is_some_and(|due| due < until);
    at >= final_at && !alerts.iter().any(|alert| alert.began < final_at && in_time(alert))
}

/// Whether the incident of a product's alert can be opened: it is of the open crisis, and none that may have had one of its
/// own comes before it.
fn is_next(world: &World, final_at: Option<i64>, product: usize, alerts: &[Alert]) -> bool {
    let this = alerts.iter().find(|alert| alert.product == product).expect("what fires was in alert");
    let due = this.due.expect("what fires was met");
    let belongs = |final_at: i64| this.began < final_at && due < final_at + waits(world);
    let before = |other: &Alert| other.due.is_some_and(|met| met < this.began || met + waits(world) <= due);
    final_at.is_none_or(belongs) && !alerts.iter().any(before)
}

fn meet(alerts: &mut [Alert], product: usize, at: i64) {
    let alert = alerts.iter_mut().find(|alert| alert.product == product).expect("it is in alert");
    alert.due.get_or_insert(at);
}

/// Random numbers that a seed gives: SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn from(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll() % (high - low + 1)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.roll().is_multiple_of(n)
    }
}

/// What happens to one product, or to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Its alert begins.
    Alert(usize),
    /// Its evidence is met: a challenge later it fires, unless it comes to nothing.
    Meet(usize),
    /// Its alert ends without an event.
    Clear(usize),
    /// Its evidence has fired: a first severity, the most that it can become, and when it is final.
    Fire { product: usize, severity: u64, most: u64, final_at: i64 },
    /// Its event got worse.
    Worse { product: usize, severity: u64 },
    /// Somebody gives to the surplus.
    Gift(u64),
}

/// A pool and what happens to it, in the order of hours.
#[derive(Clone, Debug)]
pub struct World {
    /// Surplus, junior staying and exiting, senior staying and exiting.
    pub layers: [u64; 5],
    /// Part that the quota share takes, in basis points, and its limit.
    pub quota_share: Option<(u64, u64)>,
    /// Attachment and limit of the layers, upward.
    pub tower: Vec<(u64, u64)>,
    /// Sums insured of each product: in force, and waiting.
    pub products: Vec<(u64, u64)>,
    /// Days that the evidence reaches back.
    pub ring_days: i64,
    pub happenings: Vec<(i64, Happening)>,
}

/// Part of a sum by a severity in basis points, rounded up.
pub fn part_up(sum: u64, bps: u64) -> u64 {
    (sum * bps).div_ceil(10_000)
}

impl World {
    /// A small world: two to four products, of which one at least has an event.
    pub fn random(dice: &mut Dice) -> Self {
        let scale = [1, 1, 1_000, 1_000_000][dice.from(0, 3) as usize];
        let amount = |dice: &mut Dice, low: u64, high: u64| dice.from(low * scale, high * scale);
        let products: Vec<(u64, u64)> = (0..dice.from(2, 4))
            .map(|_| (amount(dice, 5, 120), if dice.one_in(3) { amount(dice, 1, 20) } else { 0 }))
            .collect();
        let mut happenings = Vec::new();
        for (product, _) in products.iter().enumerate() {
            let mut t = if dice.one_in(2) { 0 } else { dice.from(0, 60) as i64 };
            happenings.push((t, Happening::Alert(product)));
            // Most come to something soon; some wobble for days.
            let most = if dice.one_in(3) { 150 } else { 15 };
            t += dice.from(1, most) as i64;
            if dice.one_in(2) {
                happenings.push((t, Happening::Meet(product)));
                t += dice.from(1, 12) as i64;
            }
            if dice.one_in(3) {
                happenings.push((t, Happening::Clear(product)));
                t += dice.from(1, 30) as i64;
                happenings.push((t, Happening::Alert(product)));
                t += dice.from(1, 10) as i64;
            }
            if product > 0 && dice.one_in(4) {
                happenings.push((t, Happening::Clear(product)));
                continue;
            }
            // Evidence is met for a challenge before it fires.
            if !matches!(happenings.last(), Some((_, Happening::Meet(_)))) {
                happenings.push((t, Happening::Meet(product)));
                t += dice.from(1, 12) as i64;
            }
            let most = if dice.one_in(3) { 10_000 } else { dice.from(500, 10_000) };
            let mut severity = if dice.one_in(3) { most } else { dice.from(500, most) };
            let run_on = if dice.one_in(3) { 0 } else { dice.from(1, 30) as i64 };
            happenings.push((t, Happening::Fire { product, severity, most, final_at: t + run_on }));
            let mut worse = t;
            for _ in 0..dice.from(0, 3) {
                worse += dice.from(1, 9) as i64;
                if worse < t + run_on && severity < most {
                    severity = dice.from(severity, most);
                    happenings.push((worse, Happening::Worse { product, severity }));
                }
            }
        }
        for _ in 0..dice.from(0, 2) {
            happenings.push((dice.from(0, 80) as i64, Happening::Gift(amount(dice, 1, 9))));
        }
        happenings.sort_by_key(|(at, _)| *at);
        let layers = core::array::from_fn(|layer| {
            if layer % 2 == 0 && layer > 0 && dice.one_in(2) { 0 } else { amount(dice, 0, [20, 50, 20, 90, 30][layer]) }
        });
        let bps = [0, 0, 1_000, 3_333, 5_000][dice.from(0, 4) as usize];
        let quota_share = (bps > 0).then(|| (bps, amount(dice, 1, 60)));
        let mut top = 0;
        let tower = (0..dice.from(0, 2)).map(|_| {
            let attachment = top + amount(dice, 1, 30);
            let limit = amount(dice, 1, 30);
            top = attachment + limit;
            (attachment, limit)
        });
        let tower = tower.collect();
        let ring_days = dice.from(0, 4) as i64;
        Self { layers, quota_share, tower, products, ring_days, happenings }
    }

    /// What a gross loss asks of the treaties, before their limits: the quota share first.
    pub fn dues(&self, gross: u64) -> Vec<u64> {
        let ceded = self.quota_share.map_or(0, |(bps, _)| gross * bps / 10_000);
        let quota = self.quota_share.map(|_| ceded);
        let kept = gross - ceded;
        let layers = self.tower.iter().map(|(attachment, limit)| kept.saturating_sub(*attachment).min(*limit));
        quota.into_iter().chain(layers).collect()
    }

    /// Limits of the treaties, the quota share's first.
    pub fn limits(&self) -> Vec<u64> {
        let quota = self.quota_share.map(|(_, limit)| limit);
        quota.into_iter().chain(self.tower.iter().map(|(_, limit)| *limit)).collect()
    }
}

/// What an incident comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Which crisis it belongs to, counted from 1.
    pub crisis: u32,
    /// What its covers are due in the end.
    pub gross: u64,
    /// What they are paid.
    pub reserve: u64,
}

/// A crisis of the outcome that is open.
struct Open {
    members: Vec<usize>,
    final_at: i64,
}

/// What everybody is paid in the end, if treaties are called in time: nobody's call has a part in it.
pub fn outcome(world: &World) -> (BTreeMap<usize, Paid>, u64) {
    let mut outcome = Outcome {
        world,
        capital: world.layers.iter().sum(),
        limits: world.limits(),
        severity: BTreeMap::new(),
        paid: BTreeMap::new(),
        crisis: None,
        number: 0,
        alerts: Vec::new(),
        fired: Vec::new(),
    };
    let last = world.happenings.iter().map(|(at, _)| *at).max().unwrap_or(0) + 1_000;
    for (at, happening) in world.happenings.iter().chain(&[(last, Happening::Gift(0))]) {
        outcome.settle(*at);
        outcome.happen(*at, happening);
        outcome.settle(*at);
    }
    (outcome.paid, outcome.capital)
}

struct Outcome<'a> {
    world: &'a World,
    capital: u64,
    limits: Vec<u64>,
    severity: BTreeMap<usize, u64>,
    paid: BTreeMap<usize, Paid>,
    crisis: Option<Open>,
    number: u32,
    alerts: Vec<Alert>,
    /// Products that have fired and are in no crisis yet, and when each is final.
    fired: Vec<(usize, i64)>,
}

impl Outcome<'_> {
    fn happen(&mut self, at: i64, happening: &Happening) {
        match *happening {
            Happening::Alert(product) => self.alerts.push(Alert { product, began: at, due: None }),
            Happening::Meet(product) => meet(&mut self.alerts, product, at),
            Happening::Clear(product) => self.alerts.retain(|alert| alert.product != product),
            Happening::Fire { product, severity, final_at, .. } => {
                meet(&mut self.alerts, product, at);
                self.severity.insert(product, severity);
                self.fired.push((product, final_at));
            }
            Happening::Worse { product, severity } => {
                self.severity.insert(product, severity);
            }
            Happening::Gift(amount) => self.capital += amount,
        }
    }

    /// Closes the crisis if it is over, and takes in whatever has fired and is next, until nothing changes.
    fn settle(&mut self, at: i64) {
        loop {
            if let Some(open) = &self.crisis
                && is_ripe(self.world, at, open.final_at, &self.alerts)
            {
                self.close();
            }
            let final_at = self.crisis.as_ref().map(|open| open.final_at);
            let next = |(product, _): &(usize, i64)| is_next(self.world, final_at, *product, &self.alerts);
            let Some(place) = self.fired.iter().position(next) else { return };
            let (product, final_at) = self.fired.remove(place);
            self.alerts.retain(|alert| alert.product != product);
            if self.crisis.is_none() {
                self.number += 1;
            }
            let open = self.crisis.get_or_insert(Open { members: Vec::new(), final_at });
            open.members.push(product);
            open.final_at = open.final_at.max(final_at);
        }
    }

    fn close(&mut self) {
        let Some(open) = self.crisis.take() else { return };
        let gross = |product: &usize| part_up(self.world.products[*product].0, self.severity[product]);
        let gross: Vec<u64> = open.members.iter().map(gross).collect();
        let all: u64 = gross.iter().sum();
        let mut recovered = 0;
        for (treaty, limit) in self.limits.iter_mut().enumerate() {
            let due: u64 = gross.iter().map(|gross| self.world.dues(*gross)[treaty]).sum();
            let owed = due.min(*limit);
            *limit -= owed;
            recovered += owed;
        }
        let resources = all.min(self.capital + recovered);
        self.capital -= resources.saturating_sub(recovered);
        self.capital += recovered.saturating_sub(resources);
        for (product, gross) in open.members.iter().zip(gross) {
            let reserve = (u128::from(gross) * u128::from(resources) / u128::from(all)) as u64;
            self.paid.insert(*product, Paid { crisis: self.number, gross, reserve });
        }
    }
}

/// An incident in the books.
#[derive(Clone, Debug, Default)]
pub struct Incident {
    pub crisis: u32,
    pub severity: u64,
    pub most: u64,
    pub final_at: i64,
    /// Whether the books know that it is final.
    pub booked_final: bool,
    pub gross: u64,
    pub reserve: u64,
    /// What each treaty owes of it, and has paid.
    pub owed: Vec<u64>,
    pub paid: Vec<u64>,
    pub called: Vec<bool>,
}

/// A crisis in the books.
#[derive(Clone, Debug, Default)]
pub struct Crisis {
    pub gross: u64,
    pub growth: u64,
    pub given: u64,
    pub recovered: u64,
    pub final_at: i64,
    /// When a treaty last came to owe more.
    pub owed_at: i64,
    pub unfinal: u32,
    pub uncalled: u32,
    /// Once it is closed: what there is for it, and what of that is not in a reserve yet.
    pub closed: Option<(u64, u64)>,
}

/// The rule, carried out call by call.
#[derive(Clone, Debug)]
pub struct Books<'a> {
    pub world: &'a World,
    pub capital: u64,
    pub limits: Vec<u64>,
    /// Exposure of products without an event.
    pub exposures: Vec<u64>,
    pub alerts: Vec<Alert>,
    pub incidents: BTreeMap<usize, Incident>,
    pub crises: Vec<Crisis>,
    /// Whether one is open: the last of `crises`.
    pub open: bool,
    /// The ratio of the open crisis when it was last looked at: its number, and the ratio as two numbers.
    pub seen: Option<(usize, u64, u64)>,
    pub problems: Vec<String>,
}

impl<'a> Books<'a> {
    pub fn new(world: &'a World) -> Self {
        Self {
            world,
            capital: world.layers.iter().sum(),
            limits: world.limits(),
            exposures: world.products.iter().map(|(sums, waiting)| sums + waiting).collect(),
            alerts: Vec::new(),
            incidents: BTreeMap::new(),
            crises: Vec::new(),
            open: false,
            seen: None,
            problems: Vec::new(),
        }
    }

    /// A ratio never falls.
    fn watch(&mut self) {
        let now = self.ratio().map(|(have, of)| (self.crises.len(), have, of));
        if let (Some((crisis, have, of)), Some((before, had, of_before))) = (now, self.seen)
            && crisis == before
            && u128::from(have) * u128::from(of_before) < u128::from(had) * u128::from(of)
        {
            self.problems.push(format!("a ratio falls: {had} / {of_before} to {have} / {of}"));
        }
        self.seen = now;
    }

    fn current(&mut self) -> Option<&mut Crisis> {
        if self.open { self.crises.last_mut() } else { None }
    }

    fn ripe(&self, at: i64) -> bool {
        let ripe = |crisis: &Crisis| is_ripe(self.world, at, crisis.final_at, &self.alerts);
        self.open && self.crises.last().is_some_and(ripe)
    }

    /// The ratio of an open crisis as two numbers.
    pub fn ratio(&self) -> Option<(u64, u64)> {
        let crisis = self.crises.last().filter(|_| self.open)?;
        let needed = crisis.gross + crisis.growth + self.exposures.iter().sum::<u64>();
        Some(((self.capital + crisis.given + crisis.recovered).min(needed), needed))
    }

    pub fn alert(&mut self, product: usize, at: i64) {
        self.alerts.push(Alert { product, began: at, due: None });
    }

    pub fn clear(&mut self, product: usize) {
        self.alerts.retain(|alert| alert.product != product);
    }

    /// Opens an incident. `false` if another comes first, or a crisis must be closed.
    pub fn open(&mut self, product: usize, severity: u64, most: u64, final_at: i64, at: i64) -> bool {
        let final_at_of_crisis = self.crises.last().filter(|_| self.open).map(|crisis| crisis.final_at);
        if self.ripe(at) || !is_next(self.world, final_at_of_crisis, product, &self.alerts) {
            return false;
        }
        self.clear(product);
        if !self.open {
            self.crises.push(Crisis::default());
            self.open = true;
        }
        let treaties = self.limits.len();
        let incident = Incident {
            crisis: self.crises.len() as u32,
            final_at,
            severity,
            most,
            owed: vec![0; treaties],
            paid: vec![0; treaties],
            called: vec![true; treaties],
            ..Incident::default()
        };
        self.incidents.insert(product, incident);
        self.exposures[product] = 0;
        let highest = part_up(self.world.products[product].0, most);
        let crisis = self.current().unwrap();
        crisis.growth += highest;
        crisis.unfinal += 1;
        crisis.final_at = crisis.final_at.max(final_at);
        self.book(product, at);
        true
    }

    /// Books what an incident's gross is now, and with it what its treaties owe.
    fn book(&mut self, product: usize, at: i64) {
        let incident = self.incidents.get_mut(&product).unwrap();
        let gross = part_up(self.world.products[product].0, incident.severity);
        let crisis = &mut self.crises[incident.crisis as usize - 1];
        let more = gross - incident.gross;
        incident.gross = gross;
        crisis.gross += more;
        crisis.growth -= more;
        for (treaty, due) in self.world.dues(gross).into_iter().enumerate() {
            let owed = (due - incident.owed[treaty]).min(self.limits[treaty]);
            self.limits[treaty] -= owed;
            incident.owed[treaty] += owed;
            if owed > 0 {
                crisis.owed_at = at;
            }
            if owed > 0 && incident.called[treaty] {
                incident.called[treaty] = false;
                crisis.uncalled += 1;
            }
        }
    }

    /// Brings an incident up to the evidence, closes the crisis if it is due, and brings the reserve up.
    pub fn fund(&mut self, product: usize, severity: u64, at: i64) {
        let incident = self.incidents.get_mut(&product).unwrap();
        if !incident.booked_final {
            incident.severity = severity;
            let is_final = at >= incident.final_at;
            self.book(product, at);
            if is_final {
                let incident = self.incidents.get_mut(&product).unwrap();
                incident.booked_final = true;
                let crisis = &mut self.crises[incident.crisis as usize - 1];
                crisis.growth -= part_up(self.world.products[product].0, incident.most) - incident.gross;
                crisis.unfinal -= 1;
            }
        }
        // A crisis is closed with one of its own incidents.
        if self.incidents[&product].crisis as usize == self.crises.len() {
            self.close(at);
        }
        let incident = &self.incidents[&product];
        let number = incident.crisis as usize - 1;
        let (gross, before) = (incident.gross, incident.reserve);
        let (have, of) = match self.crises[number].closed {
            None => self.ratio().unwrap(),
            Some((resources, _)) => (resources, self.crises[number].gross),
        };
        let target = (u128::from(gross) * u128::from(have) / u128::from(of)) as u64;
        if target < before {
            self.problems.push(format!("a reserve falls: {before} to {target}"));
        }
        let add = target.saturating_sub(before);
        let crisis = &mut self.crises[number];
        match &mut crisis.closed {
            Some((_, bucket)) => {
                if add > *bucket {
                    self.problems.push("a bucket is short".into());
                }
                *bucket = bucket.saturating_sub(add);
            }
            None => {
                let from_recovered = crisis.recovered.min(add);
                crisis.recovered -= from_recovered;
                crisis.given += add;
                if add - from_recovered > self.capital {
                    self.problems.push("more is given than there is".into());
                }
                self.capital = self.capital.saturating_sub(add - from_recovered);
            }
        }
        self.incidents.get_mut(&product).unwrap().reserve += add;
    }

    fn close(&mut self, at: i64) {
        let ripe = self.ripe(at);
        let capital = self.capital;
        let Some(crisis) = self.current() else { return };
        let called = crisis.uncalled == 0 || at >= crisis.final_at.max(crisis.owed_at) + TREATY_HOURS;
        if !ripe || crisis.unfinal > 0 || !called {
            return;
        }
        let resources = crisis.gross.min(capital + crisis.given + crisis.recovered);
        let bucket = resources - crisis.given;
        let from_recovered = crisis.recovered.min(bucket);
        let left = crisis.recovered - from_recovered;
        crisis.recovered = 0;
        crisis.closed = Some((resources, bucket));
        self.capital = capital - (bucket - from_recovered) + left;
        self.open = false;
    }

    /// Moves what a treaty owes an incident.
    pub fn call(&mut self, product: usize, treaty: usize) -> u64 {
        let incident = self.incidents.get_mut(&product).unwrap();
        let amount = incident.owed[treaty] - incident.paid[treaty];
        incident.paid[treaty] += amount;
        let crisis = &mut self.crises[incident.crisis as usize - 1];
        if !incident.called[treaty] {
            incident.called[treaty] = true;
            crisis.uncalled -= 1;
        }
        match &mut crisis.closed {
            None => crisis.recovered += amount,
            Some((resources, bucket)) => {
                let short = amount.min(crisis.gross - *resources);
                *resources += short;
                *bucket += short;
                self.capital += amount - short;
            }
        }
        amount
    }

    pub fn gift(&mut self, amount: u64) {
        self.capital += amount;
    }
}

/// What the order of calls is made by.
#[derive(Clone, Copy, Debug)]
pub struct Calling {
    /// Calls between two happenings: none, some, many.
    pub calls: u64,
    /// Whether treaties are called in time, or only in the end.
    pub in_time: bool,
    /// Whether incidents may stay unopened, while others begin to fall, until another event, the end of an alert or a gift.
    pub late: bool,
}

/// What a history is played on: the rule, or the program's own books beside it.
pub trait Play {
    /// How many treaties there are.
    fn treaties(&self) -> usize;
    fn alert(&mut self, product: usize, at: i64);
    fn meet(&mut self, product: usize, at: i64);
    fn clear(&mut self, product: usize, at: i64);
    /// `false` if another comes first, or a crisis must be closed.
    fn open(&mut self, product: usize, severity: u64, most: u64, final_at: i64, at: i64) -> bool;
    fn fund(&mut self, product: usize, severity: u64, at: i64);
    fn call(&mut self, product: usize, treaty: usize, at: i64);
    fn gift(&mut self, amount: u64, at: i64);
}

impl Play for Books<'_> {
    fn treaties(&self) -> usize {
        self.limits.len()
    }

    fn alert(&mut self, product: usize, at: i64) {
        Books::alert(self, product, at);
        self.watch();
    }

    fn meet(&mut self, product: usize, at: i64) {
        meet(&mut self.alerts, product, at);
        self.watch();
    }

    fn clear(&mut self, product: usize, _at: i64) {
        Books::clear(self, product);
        self.watch();
    }

    fn open(&mut self, product: usize, severity: u64, most: u64, final_at: i64, at: i64) -> bool {
        let opened = Books::open(self, product, severity, most, final_at, at);
        self.watch();
        opened
    }

    fn fund(&mut self, product: usize, severity: u64, at: i64) {
        Books::fund(self, product, severity, at);
        self.watch();
    }

    fn call(&mut self, product: usize, treaty: usize, _at: i64) {
        Books::call(self, product, treaty);
        self.watch();
    }

    fn gift(&mut self, amount: u64, _at: i64) {
        Books::gift(self, amount);
        self.watch();
    }
}

/// Calls everything that anybody could call of some incidents, in an order that the dice make.
fn everything(
    play: &mut dyn FnMut(usize, Option<usize>),
    opened: &[usize],
    dice: &mut Dice,
    treaties: usize,
    call: bool,
) {
    let mut calls: Vec<(usize, Option<usize>)> = Vec::new();
    for product in opened {
        calls.push((*product, None));
        if call {
            calls.extend((0..treaties).map(|treaty| (*product, Some(treaty))));
        }
    }
    for _ in 0..3 {
        for place in (1..calls.len()).rev() {
            calls.swap(place, dice.from(0, place as u64) as usize);
        }
        calls.iter().for_each(|(product, treaty)| play(*product, *treaty));
    }
}

/// Opens what has fired, in an order that the dice make, closing crises that are in its way, as far as that can be.
fn open_all(
    play: &mut impl Play,
    unopened: &mut Vec<(usize, u64, i64)>,
    severity: &BTreeMap<usize, u64>,
    opened: &mut Vec<usize>,
    finals: &mut Vec<i64>,
    dice: &mut Dice,
    at: i64,
) {
    let treaties = play.treaties();
    while !unopened.is_empty() {
        for place in (1..unopened.len()).rev() {
            unopened.swap(place, dice.from(0, place as u64) as usize);
        }
        let mut open = |place: &usize| {
            let (product, most, final_at) = unopened[*place];
            play.open(product, severity[&product], most, final_at, at)
        };
        let mut next = (0..unopened.len()).find(&mut open);
        if next.is_none() {
            // Somebody closes the crisis before: its incidents are final, its treaties can be called.
            let mut call = |product: usize, treaty: Option<usize>| match treaty {
                Some(treaty) => play.call(product, treaty, at),
                None => play.fund(product, severity[&product], at),
            };
            everything(&mut call, opened, dice, treaties, true);
            let mut open = |place: &usize| {
                let (product, most, final_at) = unopened[*place];
                play.open(product, severity[&product], most, final_at, at)
            };
            next = (0..unopened.len()).find(&mut open);
        }
        let Some(place) = next else { return };
        let (product, _, final_at) = unopened.remove(place);
        opened.push(product);
        finals.push(final_at.max(at));
    }
}

/// Plays a world with calls in an order that the dice make. In the end everything is called that anybody could call.
pub fn play(world: &World, play: &mut impl Play, dice: &mut Dice, calling: Calling) {
    let treaties = play.treaties();
    let mut opened: Vec<usize> = Vec::new();
    let mut severity: BTreeMap<usize, u64> = BTreeMap::new();
    let mut before = 0;
    let mut finals: Vec<i64> = Vec::new();
    // Events whose incidents are not open yet, in their order: product, most, when it is final.
    let mut unopened: Vec<(usize, u64, i64)> = Vec::new();
    for (at, happening) in &world.happenings {
        // Treaties are called within two days of the last final incident, whatever else nobody does.
        let due = finals.iter().map(|final_at| final_at + TREATY_HOURS - 1).filter(|due| (before..*at).contains(due));
        if calling.in_time
            && let Some(now) = due.max()
        {
            let severity = severity.clone();
            let mut call = |product: usize, treaty: Option<usize>| match treaty {
                Some(treaty) => play.call(product, treaty, now),
                None => play.fund(product, severity[&product], now),
            };
            everything(&mut call, &opened, dice, treaties, true);
        }
        before = *at;
        // Only a gift must not come to another crisis than that of its time.
        let forces = !calling.late || matches!(happening, Happening::Gift(_));
        if !unopened.is_empty() && (forces || dice.one_in(3)) {
            open_all(play, &mut unopened, &severity, &mut opened, &mut finals, dice, *at);
        }
        match *happening {
            Happening::Alert(product) => play.alert(product, *at),
            Happening::Meet(product) => play.meet(product, *at),
            Happening::Clear(product) => play.clear(product, *at),
            Happening::Fire { product, severity: first, most, final_at } => {
                severity.insert(product, first);
                // What fires was met: whoever leaves its incident unopened leaves it due.
                play.meet(product, *at);
                unopened.push((product, most, final_at));
                if !calling.late || dice.one_in(2) {
                    open_all(play, &mut unopened, &severity, &mut opened, &mut finals, dice, *at);
                }
            }
            Happening::Worse { product, severity: worse } => {
                severity.insert(product, worse);
            }
            Happening::Gift(amount) => {
                // A gift goes to whoever the pool is for: a crisis that is over is closed before.
                let severity = severity.clone();
                let mut call = |product: usize, treaty: Option<usize>| match treaty {
                    Some(treaty) => play.call(product, treaty, *at),
                    None => play.fund(product, severity[&product], *at),
                };
                everything(&mut call, &opened, dice, treaties, calling.in_time);
                play.gift(amount, *at);
            }
        }
        if !calling.late {
            open_all(play, &mut unopened, &severity, &mut opened, &mut finals, dice, *at);
        }
        for _ in 0..calling.calls {
            if opened.is_empty() || !dice.one_in(2) {
                continue;
            }
            let product = opened[dice.from(0, opened.len() as u64 - 1) as usize];
            if treaties > 0 && calling.in_time && dice.one_in(3) {
                play.call(product, dice.from(0, treaties as u64 - 1) as usize, *at);
            } else {
                play.fund(product, severity[&product], *at);
            }
        }
    }
    // Whatever still waits for an alert that never ends is waited for no longer.
    open_all(play, &mut unopened, &severity, &mut opened, &mut finals, dice, before);
    let last = finals.iter().copied().max().unwrap_or(0).max(before);
    let over = last + waits(world);
    for at in [last, over, over + 400] {
        open_all(play, &mut unopened, &severity, &mut opened, &mut finals, dice, at);
    }
    let last = finals.iter().copied().max().unwrap_or(0).max(before);
    let end = |at: i64, call: bool, dice: &mut Dice, play: &mut dyn FnMut(usize, Option<usize>, i64)| {
        let mut call_at = |product: usize, treaty: Option<usize>| play(product, treaty, at);
        everything(&mut call_at, &opened, dice, treaties, call);
    };
    let mut call = |product: usize, treaty: Option<usize>, at: i64| match treaty {
        Some(treaty) => play.call(product, treaty, at),
        None => play.fund(product, severity[&product], at),
    };
    if calling.in_time {
        end(last, true, dice, &mut call);
    } else {
        // What is booked as late as that leaves as much time again.
        end(last + TREATY_HOURS, false, dice, &mut call);
        end(last + 2 * TREATY_HOURS, false, dice, &mut call);
        end(last + 2 * TREATY_HOURS + 100, true, dice, &mut call);
    }
}
