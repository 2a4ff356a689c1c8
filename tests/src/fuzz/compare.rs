//! The chain against the model: every figure of every account, to the unit.

use super::model::{CoverStatus, Evidence, Model, N, Phase, Stream, Vaults, day};
use super::scene::{Derived, Scene};
use anchor_lang::prelude::Pubkey;
use backstop::state::{
    CallState, Cession, Cover, CoverState, Crisis, ExitEpoch, ExitTicket, Incident, IncidentState, Lien, Live, Policy,
    Pool, Position, Product, ProductState, Protocol, Rates, Treaty, TreatyState, Trigger,
};
use backstop_client::account::Decode;
use litesvm::LiteSVM;
use solana_sdk::account::ReadableAccount;
use std::collections::BTreeMap;

/// The chain, decoded, by the places of the model.
#[derive(Clone, Debug)]
pub struct View {
    /// Pools with what their vaults hold and how many shares of the current series exist.
    pub pools: Vec<(Pool, u64, [u64; 2])>,
    /// Products and triggers.
    pub products: Vec<(Product, Trigger)>,
    /// What was shown of products on live feeds.
    pub lives: BTreeMap<usize, Live>,
    /// Rates of the products' premium.
    pub rates: Vec<Rates>,
    /// Incidents whose accounts are open, by product.
    pub incidents: BTreeMap<usize, Incident>,
    /// Crises whose accounts are open, by pool and number.
    pub crises: BTreeMap<(usize, u32), Crisis>,
    /// Covers whose accounts are open.
    pub covers: BTreeMap<usize, Policy>,
    /// The accounts that positions pay.
    pub beneficiaries: BTreeMap<usize, Pubkey>,
    /// Liens whose accounts are open, by what they are on.
    pub liens: BTreeMap<usize, Lien>,
    /// Tickets whose accounts are open.
    pub tickets: BTreeMap<usize, ExitTicket>,
    /// Epochs.
    pub epochs: Vec<ExitEpoch>,
    /// Treaties whose accounts are open.
    pub treaties: BTreeMap<usize, Treaty>,
    /// Roles and pause.
    pub protocol: Protocol,
}

/// A difference, in words.
pub type Difference = String;

fn read<T: Decode>(svm: &LiteSVM, key: &Pubkey, what: &str) -> Result<T, Difference> {
    let account = svm.accounts_db().get_account_ref(key).filter(|account| account.lamports() > 0);
    let account = account.ok_or_else(|| format!("{what} {key} is not there"))?;
    T::decode(account.data()).ok_or_else(|| format!("{what} {key} cannot be decoded"))
}

fn exists(svm: &LiteSVM, key: &Pubkey) -> bool {
    svm.accounts_db().get_account_ref(key).is_some_and(|account| account.lamports() > 0 && !account.data().is_empty())
}

fn u64_at(svm: &LiteSVM, key: &Pubkey, at: usize) -> Option<u64> {
    let account = svm.accounts_db().get_account_ref(key).filter(|account| account.lamports() > 0)?;
    Some(u64::from_le_bytes(account.data().get(at..at + 8)?.try_into().ok()?))
}

/// Units in a token account, if it exists.
pub fn tokens(svm: &LiteSVM, account: &Pubkey) -> Option<u64> {
    u64_at(svm, account, 64)
}

/// Units of a mint.
pub fn supply(svm: &LiteSVM, mint: &Pubkey) -> Option<u64> {
    u64_at(svm, mint, 36)
}

impl View {
    /// Reads everything that the model says is there.
    pub fn read(scene: &Scene, model: &Model, svm: &LiteSVM) -> Result<Self, Difference> {
        let mut pools = Vec::new();
        for keys in &scene.pools {
            let pool: Pool = read(svm, &keys.pool, "pool")?;
            let vault = tokens(svm, &pool.vault).ok_or("a vault is gone")?;
            let mut supplies = [0; 2];
            for (units, mint) in supplies.iter_mut().zip(&pool.share_mints) {
                *units = supply(svm, mint).ok_or("a share mint is gone")?;
            }
            pools.push((pool, vault, supplies));
        }
        let mut view = Self {
            pools,
            products: Vec::new(),
            lives: BTreeMap::new(),
            rates: Vec::new(),
            incidents: BTreeMap::new(),
            crises: BTreeMap::new(),
            covers: BTreeMap::new(),
            beneficiaries: BTreeMap::new(),
            liens: BTreeMap::new(),
            tickets: BTreeMap::new(),
            epochs: Vec::new(),
            treaties: BTreeMap::new(),
            protocol: read(svm, &scene.derive(Derived::Protocol), "protocol")?,
        };
        for (index, product) in model.products.iter().enumerate() {
            let keys = scene.product(model, index);
            let trigger = match product.has_condition {
                true => read(svm, &scene.trigger(model, index), "trigger")?,
                false => bytemuck::Zeroable::zeroed(),
            };
            view.products.push((read(svm, &keys.product, "product")?, trigger));
            view.rates.push(read(svm, &scene.derive(Derived::Rates(keys.product)), "rates")?);
            if product.trigger.showings().is_some() {
                view.lives.insert(index, read(svm, &scene.derive(Derived::Live(keys.product)), "live")?);
            }
            if product.incident.as_ref().is_some_and(|incident| incident.open) {
                view.incidents.insert(index, read(svm, &scene.incident(model, index), "incident")?);
            }
        }
        for (pool, books) in model.pools.iter().enumerate() {
            let open = books.crisis.as_ref().map(|crisis| crisis.number);
            for number in books.closed.iter().map(|closed| closed.number).chain(open) {
                view.crises.insert((pool, number), read(svm, &scene.crisis(pool, number), "crisis")?);
            }
        }
        for (index, cover) in model.covers.iter().enumerate() {
            if matches!(cover.status, CoverStatus::Live | CoverStatus::Settled) {
                let address = scene.cover(model, index);
                let policy = if cover.pays.is_some() {
                    let position: Position = read(svm, &address, "position")?;
                    view.beneficiaries.insert(index, position.beneficiary);
                    position.policy
                } else {
                    read::<Cover>(svm, &address, "cover")?.policy
                };
                view.covers.insert(index, policy);
            }
        }
        for (index, _) in model.covers.iter().enumerate().filter(|(_, cover)| cover.lien.is_some()) {
            view.liens.insert(index, read(svm, &scene.lien(model, index), "lien")?);
        }
        for (index, ticket) in model.tickets.iter().enumerate().filter(|(_, ticket)| ticket.open) {
            view.tickets.insert(index, read(svm, &scene.ticket(ticket), "ticket")?);
        }
        for epoch in &model.epochs {
            view.epochs.push(read(svm, &scene.epoch(epoch), "epoch")?);
        }
        for (index, _) in model.treaties.iter().enumerate().filter(|(_, treaty)| treaty.open) {
            view.treaties.insert(index, read(svm, &scene.treaty(model, index), "treaty")?);
        }
        Ok(view)
    }

    /// How many accounts of the program the model expects: the protocol, and all of these.
    fn accounts(&self, model: &Model) -> usize {
        1 + self.pools.len()
            + model.sets.len()
            + 2 * self.products.len()
            + model.products.iter().filter(|product| product.has_condition).count()
            + self.lives.len()
            + self.incidents.len()
            + self.crises.len()
            + self.covers.len()
            + self.liens.len()
            + self.tickets.len()
            + self.epochs.len()
            + self.treaties.len()
            + model.cessions.len()
    }
}

/// Collects the first difference.
struct Check(Result<(), Difference>);

impl Check {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, index: usize, model: T, chain: T) {
        if self.0.is_ok() && model != chain {
            self.0 = Err(format!("{what} ({index}): the model says {model:?}, the chain {chain:?}"));
        }
    }

    fn amount(&mut self, what: &str, index: usize, model: N, chain: u64) {
        self.same(what, index, model, N::from(chain));
    }
}

/// Compares all accounts with the model.
pub fn compare(scene: &Scene, model: &Model, svm: &LiteSVM, view: &View) -> Result<(), Difference> {
    let mut check = Check(Ok(()));
    pools(model, view, &mut check);
    products(model, view, &mut check);
    incidents(scene, model, view, &mut check);
    exits(model, view, &mut check);
    treaties(scene, model, svm, view, &mut check)?;
    wallets(scene, model, svm, &mut check);
    covers(scene, model, svm, view, &mut check);
    let roles = &model.roles;
    let person = |who: usize| scene.people[who];
    let protocol = &view.protocol;
    check.same("governance", 0, person(roles.governance), protocol.governance);
    check.same("proposed", 0, roles.proposed.map_or(Pubkey::default(), person), protocol.pending_governance);
    check.same("guardian", 0, person(roles.guardian), protocol.guardian);
    check.same("risk keeper", 0, person(roles.risk_keeper), protocol.risk_keeper);
    check.same("pause", 0, (roles.paused, roles.paused_until), (protocol.pause.bits, protocol.pause.until));
    let accounts = svm.accounts_db().inner.values();
    let ours = accounts.filter(|account| *account.owner() == backstop::ID && account.lamports() > 0).count();
    check.same("accounts of the program", 0, view.accounts(model), ours);
    check.0
}

fn pools(model: &Model, view: &View, check: &mut Check) {
    for (index, (books, (pool, vault, supplies))) in model.pools.iter().zip(&view.pools).enumerate() {
        let mut amount = |what: &str, model: N, chain: u64| check.amount(what, index, model, chain);
        amount("cash", books.cash(), pool.cash);
        amount("vault", books.cash() + books.donated, *vault);
        amount("surplus", books.surplus, pool.surplus);
        amount("unearned premium", books.unearned, pool.unearned_premium);
        amount("premium to be given back", books.refunds, pool.premium_refunds);
        amount("premium set aside", books.set_aside, pool.set_aside);
        amount("left of crises", books.closed.iter().map(|closed| closed.bucket).sum(), pool.crisis_buckets);
        amount("premium of readings", model.flat(index), pool.flat_premium);
        amount("exposure of readings", model.reading_exposure(index), pool.reading_exposure);
        amount("premium held back", books.held_back, pool.held_back_premium);
        amount("incident reserves", books.incident_reserves, pool.incident_reserves);
        amount("exit reserves", books.exit_reserves, pool.exit_reserves);
        for (place, payable) in pool.treaty_payable.iter().enumerate() {
            let share = books.quota_shares.get(place).and_then(|(treaty, _)| books.payable.get(treaty));
            amount("treaty payable", share.copied().unwrap_or(0), *payable);
        }
        amount("asked to leave today", books.asked_today, pool.asked_today);
        let begun = |begun: bool| {
            let streams = books.streams.iter().filter(move |stream| (stream.from <= books.accrued_at) == begun);
            streams.map(|stream| stream.rate).sum()
        };
        amount("stream rate", begun(true), pool.rate_q32);
        amount("rate of what is to start", begun(false), pool.waiting_rate_q32);
        amount("fraction of premium", books.fractions[0], pool.fraction_q32);
        amount("fraction of surplus", books.fractions[1], pool.surplus_fraction_bps);
        amount("fraction of junior", books.fractions[2], pool.junior_fraction_q64);
        amount("fraction of senior", books.fractions[4], pool.senior_fraction_q64);
        amount("fraction of what leaves junior", books.fractions[5], pool.exiting_fractions_q64[0]);
        amount("fraction of what leaves senior", books.fractions[6], pool.exiting_fractions_q64[1]);
        amount("required capital", model.required(index), pool.required);
        amount("fraction of cession", books.fractions[3], pool.ceded_fraction_e8);
        amount("exposure", model.exposure_of_pool(index), pool.total_exposure);
        let alerts = model.alerts(index);
        amount("alert exposure", alerts.exposure, pool.alert_exposure);
        check.same("alerts", index, (alerts.count, alerts.due), (pool.alerts, pool.alerts_due));
        check.same("alerts so far", index, books.alert_seq, pool.alert_seq);
        check.same("due since", index, books.due_since.unwrap_or(0), pool.due_since);
        for day in books.capital_day - 31..=books.capital_day {
            let lows = books.lows.get(&day).copied().unwrap_or_default();
            check.amount("lowest capital of a day", index, lows[0], pool.capital_lows[day as usize % 32]);
            check.amount("the same with what asked on it", index, lows[1], pool.unasked_lows[day as usize % 32]);
        }
        check.same("locks from", index, model.locks_from(index).unwrap_or(0), pool.locks_from);
        check.same("end of readings", index, model.readings_end(index), pool.readings_end_day);
        check.same("alerts since", index, books.alerts_since.unwrap_or(0), pool.alerts_since);
        crisis(model, index, pool, check);
        check.same("accrued at", index, books.accrued_at, pool.accrued_at);
        check.same("stands since", index, books.stands_since.unwrap_or(0), pool.stands_since);
        check.same("day of the capital", index, books.capital_day, pool.capital_day);
        check.same("last cover", index, books.last_cover_end_day, pool.last_cover_end_day);
        let queue = (books.queue.first().copied().unwrap_or(0), books.queue.last().copied().unwrap_or(0));
        check.same("queue", index, queue, (pool.oldest_exit_day, pool.newest_exit_day));
        check.same("in use", index, books.in_use, pool.in_use == 1);
        check.same("counts", index, (books.products, books.seen()), (pool.products, pool.seen()));
        for group in 0..16 {
            let chain = pool.group_exposures[group as usize];
            check.amount("group exposure", index, model.exposure_of_group(index, group), chain);
        }
        for (tranche, class) in books.classes.iter().enumerate() {
            let book = &pool.tranches[tranche];
            let place = 10 * index + tranche;
            check.amount("tranche assets", place, class.assets, book.assets);
            check.amount("tranche exiting", place, class.exiting, book.exiting);
            check.amount("tranche shares", place, class.shares, book.shares);
            check.amount("tranche units", place, class.units, book.units);
            let owed = [book.recoverable, book.exiting_recoverable].map(N::from);
            check.same("what treaties owe a tranche", place, class.recoverable, owed);
            check.same("whose that is", place, (class.claims, class.left), (book.claims, book.left_q32.into()));
            let series = (book.series, book.wiped_out == 1, book.lowered);
            check.same("series", place, (class.series, class.over, class.lowered), series);
            let held = model.shares.iter();
            let held = held.filter(|((_, pool, t, series), _)| (*pool, *t, *series) == (index, tranche, class.series));
            check.amount("share supply", place, held.map(|(_, amount)| *amount).sum(), supplies[tranche]);
        }
    }
}

/// The crisis that is open: what the model sums up over incidents and alerts is what the books keep.
fn crisis(model: &Model, index: usize, pool: &Pool, check: &mut Check) {
    let (books, kept) = (&model.pools[index], &pool.crisis);
    check.same("crises so far", index, books.crises, kept.number);
    let Some(crisis) = &books.crisis else {
        let none = backstop::state::CrisisBook { number: kept.number, ..Default::default() };
        check.same("no crisis", index, none, *kept);
        return;
    };
    let members = || model.members(index, crisis.number);
    let owed = members().flat_map(|incident| &incident.noted).map(|noted| noted.owed - noted.paid).sum();
    check.same("what treaties owe", index, owed, N::from(kept.owed));
    let amounts = [crisis.gross, crisis.growth, crisis.given, crisis.recovered];
    let figures = [kept.gross, kept.growth, kept.given, kept.recovered].map(N::from);
    check.same("gross, growth, given, recovered", index, amounts, figures);
    check.same("gross of the incidents", index, members().map(|incident| incident.gross).sum(), N::from(kept.gross));
    check.same("given to the incidents", index, members().map(|incident| incident.reserve).sum(), N::from(kept.given));
    check.same("given by layers", index, crisis.taken, kept.taken.map(N::from));
    check.same(
        "last final, ring",
        index,
        (crisis.final_at, crisis.ring_days),
        (kept.final_at, u32::from(kept.ring_days)),
    );
    let unfinal = members().filter(|incident| incident.state == IncidentState::Growing).count();
    let uncalled = members().flat_map(|incident| &incident.noted).filter(|noted| noted.pending).count();
    let counts = [members().count(), unfinal, uncalled];
    let figures = [kept.incidents, kept.unfinal, kept.uncalled].map(|count| count as usize);
    check.same("incidents, not final, not called", index, counts, figures);
}

fn products(model: &Model, view: &View, check: &mut Check) {
    for (index, (entry, (product, trigger))) in model.products.iter().zip(&view.products).enumerate() {
        check.amount("product exposure", index, model.exposure(index), product.exposure);
        check.same("product state", index, entry.state, product.state());
        let books = &model.pools[entry.pool];
        let of_product = |stream: &&Stream| stream.cover.is_some_and(|cover| model.covers[cover].product == index);
        let (rates, today) = (&view.rates[index], day(books.accrued_at));
        // Buckets are emptied by the next sale: until then those of past days are still there.
        for ahead in today + 1..=(today + 511).min(rates.cleared_day + 512) {
            let ends = books.streams.iter().filter(of_product).filter(|stream| stream.end_day == ahead);
            let kept = rates.ends[ahead as usize % 512];
            check.amount("product's rates that end", index, ends.map(|stream| stream.rate).sum(), kept);
        }
        let starts = books.streams.iter().filter(of_product).filter(|stream| day(stream.from) > today);
        let kept = product.starts_after(today).map(|(_, start)| N::from(start.rate_q32)).sum::<N>();
        if entry.state != ProductState::Over {
            check.same("product's rates that start", index, starts.map(|stream| stream.rate).sum::<N>(), kept);
        }
        check.amount("risk rate", index, entry.risk_rate, product.risk_rate_ppb);
        check.same("risk rate at", index, entry.risk_rate_at, product.risk_rate_at);
        check.same("level", index, entry.level, N::from(product.level_bps));
        check.same("level at", index, entry.level_at, product.level_at);
        let utilisation = (entry.utilisation, entry.utilisation_seconds, entry.others);
        let kept = [u64::from(product.utilisation_bps), product.utilisation_seconds, product.others_exposure];
        check.same("utilisation", index, utilisation, kept.map(N::from).into());
        let (sold, sold_at) = entry.sold_of_late;
        check.amount("sold of late", index, sold, product.sold_of_late);
        check.same("sold at", index, sold_at, product.sold_at);
        check.same("released day", index, entry.released_day, product.released_day);
        check.same("has a condition", index, entry.has_condition, product.has_condition());
        check.same("sells from", index, entry.sells_from, product.sells_from);
        check.same("notice served", index, entry.notice_served, product.notice_served == 1);
        check.same("incident closed", index, entry.incident_closed, product.incident_closed == 1);
        let (evidence, now) = (&entry.trigger, model.now);
        check.same("phase", index, evidence.phase, trigger.phase());
        check.same("opened", index, entry.released, trigger.opened == 1);
        check.same("alert number", index, entry.alert_number, trigger.alert_number);
        if evidence.reading.is_some() {
            reading(index, evidence, trigger, check);
            continue;
        }
        if let Some(vaults) = &evidence.vaults {
            two_keys(index, vaults, trigger, &view.lives[&index], check);
        }
        if let Some(rate) = &evidence.rate {
            check.amount("peak of a rate", index, rate.peak, view.lives[&index].readings.peak);
        }
        if product.has_condition() && evidence.phase != Phase::Final {
            let state =
                trigger.evidence.state(&trigger.terms, now.unsigned_abs() / u64::from(trigger.terms.slot_seconds));
            check.same("what the slot of now says", index, evidence.state(now), state);
        }
        let last = (trigger.evidence.last_publish_time, trigger.evidence.last_price, trigger.evidence.last_confidence);
        check.same("last print", index, evidence.last.unwrap_or_default(), last);
        let kept = (trigger.evidence.window_first as i64, trigger.evidence.window_last as i64);
        check.same("window", index, evidence.window, kept);
        check.same("event", index, evidence.event_at, trigger.evidence.event_at);
        check.same("severity", index, evidence.severity, N::from(trigger.evidence.severity_bps));
    }
}

fn two_keys(index: usize, vaults: &Vaults, trigger: &Trigger, live: &Live, check: &mut Check) {
    let keys = &trigger.keys;
    let armed = vaults.armed.map_or((0, 0, 0, 0), |it| (it.at, it.event_at, it.mean, it.severity));
    let chain = (keys.armed_at, keys.event_at, keys.mean, keys.severity_bps.into());
    check.same("armed at, event, mean, severity", index, armed, chain);
    let told = (vaults.reported_at.unwrap_or(0), vaults.confirmed_at.unwrap_or(0), vaults.loss);
    check.same("reported, confirmed, loss", index, told, (keys.reported_at, keys.confirmed_at, keys.loss_bps.into()));
    // Of nine days lows are kept; of older ones nobody asks.
    for low in live.lows.days.iter().filter(|low| low.day != 0) {
        let day = u32::try_from(low.day).unwrap_or(0);
        check.same("low of a day", index, vaults.lows.get(&day).copied(), Some(low.level.into()));
    }
    let days = live.lows.days.iter().filter(|low| low.day != 0).count();
    check.same("days with a low", index, vaults.lows.len().min(9) >= days, true);
}

fn reading(index: usize, evidence: &Evidence, trigger: &Trigger, check: &mut Check) {
    let (reading, kept) = (evidence.reading.as_ref().expect("it is one"), &trigger.reading);
    let (told, none) = (&reading.told, (0, 0, 0, 0));
    let report = told.report.as_ref().map_or(none, |(value, at, signers)| {
        let signers = signers.iter().map(|key| 1 << key).sum::<u16>();
        (*value, *at, signers, reading.lost(*value))
    });
    let chain = (kept.value.into(), kept.reported_at, kept.signers, kept.severity_bps.into());
    check.same("value, reported at, signers, severity", index, report, chain);
    let (over_at, void) = (told.over_at.unwrap_or(0), told.void);
    let chain = (kept.reports_until, kept.resolved_at, kept.void == 1);
    check.same("reports until, resolved at, void", index, (told.until, over_at, void), chain);
    check.same("moment", index, reading.input.due_at, kept.due_at);
}

fn incidents(scene: &Scene, model: &Model, view: &View, check: &mut Check) {
    for (&index, incident) in &view.incidents {
        let entry = model.products[index].incident.as_ref().expect("an open incident is in the model");
        check.same("incident state", index, entry.state, incident.state);
        let times = [entry.opened_at, entry.ended_at, entry.accrued_at, entry.final_at, entry.deadline];
        let kept = [incident.opened_at, incident.ended_at, incident.accrued_at, incident.final_at, incident.deadline];
        check.same("opened, ended, accrued, final at, deadline", index, times, kept);
        check.same("crisis", index, entry.crisis, incident.crisis);
        let amounts = [entry.sums, entry.gross, entry.reserve, entry.paid, entry.loss_premium, entry.still_exposed];
        let kept = [incident.sums, incident.gross, incident.reserve, incident.paid];
        let kept = [kept[0], kept[1], kept[2], kept[3], incident.loss_premium, incident.still_exposed].map(N::from);
        check.same("sums, gross, reserve, paid, loss premium, still exposed", index, amounts, kept);
        check.amount("refunds left", index, entry.refunds_left, incident.refunds_left);
        check.same("left", index, entry.left, (incident.sums_left.into(), incident.premiums_left.into()));
        let noted = incident.treaties.iter().take(incident.treaty_count.into());
        let noted = noted.map(|noted| {
            let pending = noted.state == CallState::Pending;
            (noted.treaty, [noted.owed, noted.paid, noted.restored].map(N::from), pending)
        });
        let of = |noted: &super::model::Noted| {
            (scene.treaty(model, noted.treaty), [noted.owed, noted.paid, noted.restored], noted.pending)
        };
        check.same("treaties noted", index, entry.noted.iter().map(of).collect::<Vec<_>>(), noted.collect());
    }
    for ((pool, number), crisis) in &view.crises {
        let books = &model.pools[*pool];
        let closed = books.closed.iter().find(|closed| closed.number == *number);
        let entry = closed.map_or((0, 0, 0), |closed| (closed.gross, closed.resources, closed.bucket));
        let kept = (crisis.gross.into(), crisis.resources.into(), crisis.bucket.into());
        check.same("gross, resources, bucket of a crisis", *pool, entry, kept);
        let until = closed.map(|closed| closed.until).or(books.crisis.as_ref().map(|crisis| crisis.until));
        check.same("deadline of a crisis", *pool, until.unwrap_or(0), crisis.until);
        check.same("it is closed", *pool, closed.is_some(), crisis.closed);
        check.same("its incidents", *pool, model.members(*pool, *number).count(), crisis.incidents as usize);
    }
}

fn exits(model: &Model, view: &View, check: &mut Check) {
    for (index, (entry, epoch)) in model.epochs.iter().zip(&view.epochs).enumerate() {
        check.same("epoch series", index, entry.series, epoch.series);
        check.same("epoch tickets", index, model.tickets_of(entry).count(), epoch.tickets as usize);
        check.same("epoch units", index, model.units_of(entry), epoch.units.map(N::from));
        check.amount("epoch open", index, entry.open, epoch.open_q63);
        check.same("epoch paid per unit", index, entry.per_unit, epoch.paid_per_unit_q64);
        check.amount("epoch reserve", index, entry.paid, epoch.reserve);
    }
    for (&index, ticket) in &view.tickets {
        let entry = &model.tickets[index];
        check.amount("ticket units", index, entry.units, ticket.units);
        check.amount("ticket claimed", index, entry.claimed, ticket.claimed);
        let kept = (ticket.tranche.index(), ticket.series, ticket.epoch_day);
        check.same("ticket", index, (entry.tranche, entry.series, entry.day), kept);
    }
}

fn treaties(scene: &Scene, model: &Model, svm: &LiteSVM, view: &View, check: &mut Check) -> Result<(), Difference> {
    for (&index, treaty) in &view.treaties {
        let entry = &model.treaties[index];
        let amounts = [entry.restored, entry.premium, entry.rate];
        let kept = [treaty.restored, treaty.premium, treaty.rate_q32];
        check.same("restored, premium, rate", index, amounts, kept.map(N::from));
        check.same("in force", index, entry.active, treaty.state == TreatyState::Active);
        let kept = (treaty.notice_until, treaty.start_day, treaty.end_day);
        check.same("treaty term", index, (entry.notice_until, entry.start_day, entry.end_day), kept);
    }
    let key = |treaty: &usize| scene.treaty(model, *treaty);
    for (index, (books, (pool, ..))) in model.pools.iter().zip(&view.pools).enumerate() {
        let shares = books.quota_shares.iter().map(|(treaty, outlasting)| {
            let end = super::model::start(model.treaties[*treaty].end_day);
            // Of a term that is over nobody asks what outlasts it.
            (key(treaty), end, if model.now < end { *outlasting } else { 0 })
        });
        let kept = pool.quota_shares.iter().filter(|share| share.treaty != Pubkey::default()).map(|share| {
            let outlasting = if model.now < share.end { share.outlasting.into() } else { 0 };
            (share.treaty, share.end, outlasting)
        });
        check.same("quota shares, ends, what outlasts", index, shares.collect::<Vec<_>>(), kept.collect());
        for treaty in books.quota_shares.iter().map(|(treaty, _)| treaty).chain(&books.layers) {
            let (entry, address) = (&model.treaties[*treaty], key(treaty));
            let kept = pool.limit_and_owed(&address).map(|(left, owed)| (N::from(left), N::from(owed)));
            check.same("limit left, owed", index, Some((entry.limit_left, entry.owed)), kept);
            let layer = pool.layers.iter().find(|layer| layer.treaty == address);
            check.amount("restored for later", index, entry.later, layer.map_or(0, |layer| layer.restored_later));
        }
        let in_force = pool.layers.iter().map(|layer| layer.treaty).filter(|key| *key != Pubkey::default());
        check.same("layers", index, books.layers.iter().map(key).collect::<Vec<_>>(), in_force.collect());
        let inward = pool.inward.iter().filter(|inward| inward.treaty != Pubkey::default());
        let inward: Vec<_> = inward.map(|inward| (inward.treaty, N::from(inward.limit))).collect();
        let open = books.inward.iter().map(|treaty| (key(treaty), model.treaties[*treaty].open_limit()));
        check.same("inward treaties", index, open.collect::<Vec<_>>(), inward);
    }
    for (&cedant, entry) in &model.cessions {
        let cession: Cession = read(svm, &scene.cession(cedant), "cession")?;
        check.same("cession", cedant, (entry.amount, entry.from), (cession.amount.into(), cession.from));
    }
    Ok(())
}

fn wallets(scene: &Scene, model: &Model, svm: &LiteSVM, check: &mut Check) {
    for (who, held) in model.assets.iter().enumerate() {
        for (asset, amount) in held.iter().enumerate() {
            let account = tokens(svm, &scene.assets_of(who, asset)).map(N::from);
            check.same("assets", 10 * who + asset, *amount, account);
        }
    }
    for ((who, pool, tranche, series), amount) in &model.shares {
        let account = scene.account_of(*who, scene.shares(*pool, *tranche, *series));
        check.same("shares", *who, Some(*amount), tokens(svm, &account).map(N::from));
    }
}

fn covers(scene: &Scene, model: &Model, svm: &LiteSVM, view: &View, check: &mut Check) {
    for (&index, cover) in &view.covers {
        let entry = &model.covers[index];
        let amounts = (entry.sum, entry.premium, entry.rate);
        let kept = (cover.sum_insured.into(), cover.premium.into(), cover.rate_q32.into());
        check.same("cover", index, amounts, kept);
        check.same("cover days", index, (entry.active_day, entry.end_day), (cover.active_day, cover.end_day));
        check.same("settled", index, entry.status == CoverStatus::Settled, cover.state == CoverState::Settled);
        check.amount("paid for the loss", index, entry.loss_paid, cover.paid);
        check.amount("premium given back", index, entry.premium_back, cover.refunded);
        let has_it_back = cover.state == CoverState::Refunded;
        check.same("its premium is decided", index, entry.refunded || !has_it_back, true);
        let open = entry.status == CoverStatus::Live;
        check.same("state", index, open && entry.refunded, has_it_back);
        check.same("under a lien", index, entry.lien.is_some(), cover.has_lien);
        if let Some(to) = entry.pays {
            let asset = model.pools[model.products[entry.product].pool].asset;
            let pays = Some(&scene.assets_of(to, asset));
            check.same("beneficiary", index, pays, view.beneficiaries.get(&index));
            check.same("owner", index, entry.holder.map(|who| scene.people[who]), Some(cover.insured));
            continue;
        }
        let mint = scene.cover_mint(model, index);
        check.same("NFT supply", index, Some(u64::from(entry.holder.is_some())), supply(svm, &mint));
        if let Some(holder) = entry.holder {
            check.same("NFT holder", index, Some(1), tokens(svm, &scene.account_of(holder, mint)));
        }
    }
    for (&index, lien) in &view.liens {
        let entry = &model.covers[index];
        let Some(told) = entry.lien else { continue };
        check.amount("left of the lien", index, told.limit, lien.limit_left);
        check.amount("paid to the lien's payee", index, told.paid, lien.paid);
        let asset = model.pools[model.products[entry.product].pool].asset;
        check.same("payee", index, scene.assets_of(told.to, asset), lien.payee);
        check.same("owner of the payee", index, scene.people[told.to], lien.payee_owner);
    }
    for (index, entry) in model.covers.iter().enumerate().rev().take(20) {
        if matches!(entry.status, CoverStatus::Cancelled | CoverStatus::Closed) {
            if entry.pays.is_none() {
                check.same("closed mint", index, false, exists(svm, &scene.cover_mint(model, index)));
            }
            // The address of a position has a second life.
            let address = scene.cover(model, index);
            let again = view.covers.keys().any(|other| scene.cover(model, *other) == address);
            check.same("closed cover", index, again, exists(svm, &address));
        }
    }
}
