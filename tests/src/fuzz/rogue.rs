//! Officials as attackers: governance, guardian and risk keeper, each alone and together, with every instruction that they or
//! anybody may call, against users who hold shares, tickets and covers.
//!
//! Every sequence is run twice from the same beginning: once without the officials, once with them in between the same
//! moves of honest users and keepers. What a user has in the end is what is in the wallet, and what the books owe: shares
//! and exit units at their worth, claims of tickets, payouts of funded incidents. The two ends are held against each
//! other. In both, honest moves have to succeed, and the model and the invariants hold after every transaction.

use super::driver::{Driver, Failure};
use super::model::{CoverStatus, DAY, N, day, start};
use super::op::Op;
use super::rng::Rng;
use super::scene::{EVIL, OFFICIALS, Scene, TOKEN, USERS};
use backstop::state::{PoolKind, ProductState, Tranche, TreatyKind, TreatyTerms};

/// Who of the officials attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rogues {
    /// Governance does.
    pub governance: bool,
    /// The guardian does.
    pub guardian: bool,
    /// The risk keeper does.
    pub risk_keeper: bool,
}

/// One attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Chooses everything.
    pub seed: u64,
    /// Who attacks.
    pub rogues: Rogues,
    /// How long it lasts, in seconds.
    pub seconds: i64,
    /// Whether treaties are in force when it begins.
    pub reinsured: bool,
    /// When, after the beginning, the feed of most products falls.
    pub event_after: i64,
}

/// The wallet of the officials' accomplice; all other users are honest.
pub const ACCOMPLICE: usize = USERS - 1;
/// Those who ask to leave as soon as the attack begins.
pub const LEAVERS: [usize; 2] = [0, 2];

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// What every user has of each asset.
    pub users: Vec<[N; 2]>,
    /// What users have of each asset in common: what their pools hold that is no one's share, as surplus and premium that is
    /// not earned yet.
    pub common: [N; 2],
    /// What every cover was paid.
    pub paid: Vec<N>,
    /// What reinsurance paid to cedants.
    pub recovered: N,
    /// Premium that the quota share took: what was handed over for it.
    pub ceded_premium: N,
    /// Surplus ceded and premiums of layers, as they were paid: what was announced.
    pub announced: N,
    /// Limits of treaties that were commuted while in force: protection that ended without notice.
    pub commuted: N,
    /// Attacks accepted and refused.
    pub attacks: [u64; 2],
    /// Transactions.
    pub transactions: u64,
}

/// What an attack may call, by the name of the instruction, and how often.
pub const ATTACKS: &[(&str, u64)] = &[
    ("create_product", 2),
    ("set_condition", 2),
    ("set_product_state", 2),
    ("set_roles", 1),
    ("propose_governance", 1),
    ("create_treaty", 3),
    ("accept_treaty", 3),
    ("commute_treaty", 1),
    ("announce_cession", 2),
    ("cede_surplus", 4),
    ("open_series", 1),
    ("pause", 2),
    ("set_risk_rate", 2),
    ("accrue", 1),
    ("sync_product", 1),
    ("open_incident", 1),
    ("fund_incident", 1),
    ("close_incident", 1),
    ("end_treaty", 1),
    ("extend_deadline", 1),
    ("close_cession", 1),
    ("settle_treaty_premium", 1),
    ("refresh", 1),
    ("settle_exit_epoch", 1),
    ("set_product_state, back to selling", 1),
];

/// Instructions that are in no list of attacks, and why.
pub const NO_ATTACKS: &[(&str, &str)] = &[
    ("accept_governance", "drawn with `propose_governance`: whoever was proposed accepts"),
    ("observe", "a heist shows prices; the rest are true prints"),
    ("buy_cover", "a heist buys"),
    ("initialize", "done once, before any attack"),
    ("create_pool", "a new pool holds nobody's money"),
    ("create_attestor_set", "a set does nothing until governance chooses it"),
    ("observe_report", "colluding attestors are a feed that lies, as a heist is"),
    ("observe_live", "whoever can move a live value twice a slot is a feed that lies, as a heist is"),
    ("report_equivocation", "needs a key of the set"),
    ("set_reading", "a reading that lies costs what a feed that lies does"),
    ("resolve_reading", "decides nothing: its outcome is what was shown"),
    ("retire_product", "`set_product_state` does the same, and more"),
    ("quote", "changes nothing"),
    ("confirm", "`refresh` does the same, and more"),
    ("call_treaty", "honest keepers call at every tick"),
    ("settle_cover", "honest keepers settle at every tick; random sequences misdirect payouts"),
    ("claim_exit", "honest keepers claim at every tick; random sequences misdirect claims"),
    ("close_exit_epoch", "random sequences close epochs"),
    ("deposit", "a user's own"),
    ("contribute_surplus", "a gift"),
    ("request_exit", "a user's own"),
    ("cancel_exit", "a user's own"),
    ("cancel_cover", "a user's own"),
    ("close_cover", "a user's own"),
    ("buy_position", "a user's own; a heist buys covers, which cost and pay the same"),
    ("set_beneficiary", "a user's own"),
    ("cancel_position", "a user's own"),
    ("close_position", "a user's own"),
    ("split_cover", "a user's own"),
    ("split_position", "a user's own"),
    ("set_lien", "a user's own"),
    ("lower_lien", "its payee's own; random sequences try others"),
    ("lift_lien", "its payee's own; random sequences try others"),
    ("settle_lien", "pays an account that is fixed; random sequences misdirect payouts"),
    ("assert_policy", "changes nothing"),
    ("reduce_position", "a user's own"),
    ("extend_position", "a user's own"),
    ("position_to_nft", "a user's own"),
    ("pool_health", "changes nothing"),
    ("settle_position", "pays as `settle_cover` does, to an account that is fixed; random sequences misdirect payouts"),
];

/// A run with or without the rogues.
struct Run<'a> {
    driver: Driver<'a>,
    attack: Attack,
    attacking: bool,
    rng: Rng,
    end: End,
}

type Moved = Result<(), Failure>;

/// Runs an attack, or the same without the attackers.
pub fn run(scene: &Scene, attack: Attack, attacking: bool) -> Result<End, (Failure, String)> {
    let mut run = Run {
        driver: Driver::begin(scene),
        attack,
        attacking,
        rng: Rng::new(attack.seed ^ 0xa77ac),
        end: End::default(),
    };
    match run.all() {
        Ok(()) => {
            run.end.transactions = run.driver.totals.transactions;
            Ok(run.end)
        }
        Err(failure) => Err((failure, run.driver.log.join("\n"))),
    }
}

impl Run<'_> {
    fn all(&mut self) -> Moved {
        let mut setup = Rng::new(self.attack.seed);
        self.set_up(&mut setup)?;
        let begin = self.driver.model.now;
        self.leave()?;
        let event = begin + self.attack.event_after;
        let level = if setup.below(2) == 0 { 60_000_000 } else { 82_000_000 + setup.below(12_000_000) };
        self.driver.prices[0].push((event, level));
        self.driver.prices[0].push((event + 9 * 3_600, 100_000_000));
        let mut ticks: Vec<i64> =
            (1..).map(|tick| begin + tick * 21_600).take_while(|t| *t < begin + self.attack.seconds).collect();
        ticks.extend((0..58).map(|slot| (event / 600 + 1 + slot) * 600 + 30));
        // Slot by slot too, when an evil product could have covers in force.
        ticks.extend((0..24).map(|slot| ((begin + 9 * DAY) / 600 + slot) * 600 + 40));
        ticks.retain(|tick| *tick < begin + self.attack.seconds);
        ticks.sort_unstable();
        for tick in ticks {
            self.attack_some()?;
            let gap = u64::try_from(tick - self.driver.model.now).expect("ticks rise");
            if self.attacking && gap > 60 {
                // Also at moments at which nobody else does anything.
                let moment = self.driver.model.now + self.rng.below(gap) as i64;
                self.driver.step(Op::Time { to: moment })?;
                self.attack_some()?;
            }
            self.driver.step(Op::Time { to: tick })?;
            self.attack_some()?;
            self.honest_round()?;
        }
        self.attack_some()?;
        self.driver.step(Op::Time { to: begin + self.attack.seconds })?;
        self.honest_round()?;
        self.count_up();
        Ok(())
    }

    // ---- honest people ----

    fn set_up(&mut self, rng: &mut Rng) -> Moved {
        let by = self.driver.model.roles.governance;
        for (pool, design) in [(0, 0), (0, 1), (1, 2), (1, 3)] {
            let product = self.driver.model.products.len();
            self.driver.must(Op::CreateProduct { pool, design, by })?;
            self.driver.must(Op::SetCondition { product, by })?;
        }
        let mut announced = Vec::new();
        if self.attack.reinsured {
            let start_day = day(self.driver.model.now) + 1;
            let share = TreatyKind::QuotaShare { cession_bps: 500 + rng.below(5_000) as u16, commission_bps: 1_000 };
            let layer = TreatyKind::ExcessOfLoss {
                attachment: 1_000 * TOKEN[0],
                rate_on_line_bps: 200,
                reinstatements: rng.below(2) as u8,
                reinstatement_premium_bps: 10_000,
            };
            for (kind, reinsurer) in [(share, 2), (layer, 3)] {
                let limit = (300 + rng.below(300)) * TOKEN[0];
                let terms = TreatyTerms { kind, limit, start_day, end_day: start_day + 90 };
                announced.push(self.driver.model.treaties.len());
                self.driver.must(Op::CreateTreaty { cedant: 0, reinsurer, terms, by })?;
            }
        }
        // From here on all that is announced needs notice.
        for pool in 0..4 {
            let amount = (1_000 + rng.below(20_000)) * TOKEN[self.driver.model.pools[pool].asset];
            self.driver.must(Op::Contribute { pool, who: 6, amount })?;
        }
        for treaty in announced {
            self.driver.must(Op::AcceptTreaty { treaty, by })?;
        }
        for who in 0..4 {
            for (pool, tranche) in
                [(0, Tranche::Junior), (0, Tranche::Senior), (1, Tranche::Junior), (1, Tranche::Senior)]
            {
                let amount = (2_000 + rng.below(30_000)) * TOKEN[self.driver.model.pools[pool].asset];
                let admitted_by = (pool == 1).then_some(super::scene::AUTHORITY);
                self.driver.must(Op::Deposit { pool, who, tranche, amount, min_shares: 0, admitted_by })?;
            }
        }
        self.driver.step(Op::Time { to: start(day(self.driver.model.now) + 1) + 5_000 })?;
        for pool in 0..2 {
            self.driver.must(Op::Accrue { pool })?;
        }
        for holder in 4..7 {
            for product in 0..4 {
                self.driver.print(product, 0)?;
                let model = &self.driver.model;
                let room = (model.capacity(product) - model.exposure(product)).min(model.left_now(product));
                let sum = u64::try_from(room).unwrap_or(u64::MAX) / (3 + rng.below(20));
                let nonce = 1 + self.driver.model.nonce;
                self.driver.model.nonce = nonce;
                let days = 20 + rng.below(10) as u16;
                let buy = Op::Buy { product, who: holder, receiver: holder, sum, days, max_premium: u64::MAX, nonce };
                self.driver.must(buy)?;
            }
        }
        self.driver.step(Op::Time { to: self.driver.model.now + 5 * DAY })?;
        Ok(())
    }

    fn leave(&mut self) -> Moved {
        for ((who, pool, tranche, _), held) in self.driver.model.shares.clone() {
            if LEAVERS.contains(&who) {
                self.driver.model.nonce += 1;
                let nonce = self.driver.model.nonce;
                let (tranche, shares) = (Tranche::BOTH[tranche], u64::try_from(held).expect("it fits"));
                self.driver.must(Op::RequestExit { pool, who, tranche, shares, ahead: 0, nonce })?;
            }
        }
        Ok(())
    }

    /// What honest keepers do at every tick: show the price, confirm, open, call, fund, pay, settle exits. What is due has to
    /// be accepted.
    fn honest_round(&mut self) -> Moved {
        let driver = &mut self.driver;
        for product in 0..4 {
            if driver.model.products[product].state != ProductState::Over && !driver.print(product, 0)? {
                return Err(Failure { rule: "liveness of a true print".into(), detail: product.to_string() });
            }
        }
        for product in driver.model.with_condition() {
            driver.must(Op::Refresh { product })?;
            let entry = &driver.model.products[product];
            if entry.trigger.phase.is_triggered() && entry.incident.is_none() {
                // A crisis that is over is closed first.
                let pool = entry.pool;
                for other in 0..driver.model.products.len() {
                    let fund = Op::Fund { product: other };
                    if driver.model.is_ripe(pool) && driver.model.clone().apply(&fund).is_ok() {
                        driver.must(fund)?;
                    }
                }
                driver.must(Op::OpenIncident { product })?;
            }
        }
        while let Some((treaty, product)) = driver.next_treaty(0) {
            driver.must(Op::CallTreaty { treaty, product })?;
        }
        for product in 0..driver.model.products.len() {
            let fund = Op::Fund { product };
            if driver.model.clone().apply(&fund).is_ok() {
                driver.must(fund)?;
            }
        }
        for cover in 0..driver.model.covers.len() {
            if let (true, Some(holder)) =
                (driver.model.payout_of_holder(cover).is_ok(), driver.model.covers[cover].holder)
            {
                driver.must(Op::Settle { cover, holder, to: holder, signed: false })?;
            }
        }
        for pool in 0..driver.model.pools.len() {
            let due = driver.model.queue_due(pool);
            if let Some(day) = due {
                driver.step(Op::SettleEpoch { pool, day, all_cedants: true })?;
            }
        }
        for ticket in 0..driver.model.tickets.len() {
            let entry = &driver.model.tickets[ticket];
            if entry.open && driver.model.claimable(entry) > 0 {
                driver.must(Op::ClaimExit { ticket, to: entry.owner })?;
            }
        }
        Ok(())
    }

    /// What everybody has in the end.
    fn count_up(&mut self) {
        let model = &self.driver.model;
        let mut users: Vec<[N; 2]> =
            model.assets.iter().take(USERS).map(|held| held.map(|amount| amount.unwrap_or(0))).collect();
        for ((who, pool, tranche, series), held) in model.shares.iter().filter(|((who, ..), _)| *who < USERS) {
            let class = &model.pools[*pool].classes[*tranche];
            if class.series == *series && !class.over {
                users[*who][model.pools[*pool].asset] += super::model::worth(*held, class.shares, class.assets);
            }
        }
        for ticket in model.tickets.iter().filter(|ticket| ticket.open) {
            let books = &model.pools[ticket.pool];
            let class = &books.classes[ticket.tranche];
            let epoch = model.epochs.iter().find(|epoch| (epoch.pool, epoch.day) == (ticket.pool, ticket.day));
            let open = epoch.map_or(0, |epoch| super::model::open_part(ticket.units, epoch.open));
            if class.series == ticket.series && !class.over {
                users[ticket.owner][books.asset] += super::model::worth(open, class.units, class.exiting);
            }
            users[ticket.owner][books.asset] += model.claimable(ticket);
        }
        self.end.users = users;
        for books in model.pools.iter().filter(|books| books.kind == PoolKind::Cover) {
            let owned: N = books.classes.iter().map(|class| class.assets + class.exiting).sum();
            self.end.common[books.asset] += books.cash() - owned - books.exit_reserves;
        }
        self.end.paid = model.covers.iter().map(|cover| cover.paid).collect();
        for product in &model.products {
            let noted = product.incident.iter().flat_map(|incident| &incident.noted);
            self.end.recovered += noted.map(|noted| noted.paid).sum::<N>();
        }
    }

    // ---- rogues ----

    fn attack_some(&mut self) -> Moved {
        if !self.attacking {
            return Ok(());
        }
        let heist = if self.attack.rogues.governance { self.heist()? } else { Vec::new() };
        let random = (0..self.rng.below(4)).filter_map(|_| self.random_attack()).collect::<Vec<_>>();
        for op in heist.into_iter().chain(random) {
            let before = self.with_reinsurers();
            let limit = match op {
                Op::CommuteTreaty { treaty, .. } => self.driver.model.treaties[treaty].open_limit(),
                _ => 0,
            };
            let accepted = self.driver.step_as(op.clone(), "rogue ")?;
            self.end.attacks[usize::from(!accepted)] += 1;
            if !accepted {
                continue;
            }
            match op {
                Op::CedeSurplus { .. } | Op::AcceptTreaty { .. } => {
                    self.end.announced += self.with_reinsurers() - before;
                }
                Op::SettlePremium { .. } => self.end.ceded_premium += self.with_reinsurers() - before,
                Op::CommuteTreaty { .. } => self.end.commuted += limit,
                _ => {}
            }
        }
        Ok(())
    }

    /// What the reinsurers hold: the same transaction may accrue, which moves premium within a pool and nothing between two.
    fn with_reinsurers(&self) -> N {
        let reinsurers = self.driver.model.pools.iter().filter(|books| books.kind == PoolKind::Reinsurance);
        reinsurers.map(|books| books.cash()).sum()
    }

    /// The robbery that notice is against: a product that nearly every price triggers, insured by the accomplice as far as
    /// the pool's capital goes.
    fn heist(&mut self) -> Result<Vec<Op>, Failure> {
        let mut ops = Vec::new();
        for product in 4..self.driver.model.products.len() {
            let model = &self.driver.model;
            let (now, entry) = (model.now, &model.products[product]);
            if entry.state == ProductState::Over || !entry.has_condition || now < entry.sells_from {
                continue;
            }
            let live = |cover: &&super::model::Cover| cover.product == product && cover.status == CoverStatus::Live;
            let observe = |price| Op::Observe { product, feed: 1, price, confidence: 0, publish_time: now };
            match model.covers.iter().find(live) {
                Some(cover) if day(now) >= cover.active_day => ops.push(observe(100_000_000)),
                Some(_) => {}
                None => {
                    // No oracle signs this price, without which nothing is sold; here it is signed all the same.
                    self.driver.step_as(observe(250_000_000), "rogue ")?;
                    let model = &mut self.driver.model;
                    model.nonce += 1;
                    let (nonce, who) = (model.nonce, ACCOMPLICE);
                    let room = model.capacity(product).saturating_sub(model.exposure(product));
                    let sum = u64::try_from(room).unwrap_or(0) / (1 + self.rng.below(12));
                    ops.push(Op::Buy { product, who, receiver: who, sum, days: 5, max_premium: u64::MAX, nonce });
                }
            }
        }
        Ok(ops)
    }

    fn random_attack(&mut self) -> Option<Op> {
        let rogues = self.attack.rogues;
        let total: u64 = ATTACKS.iter().map(|(_, weight)| weight).sum();
        let mut place = self.rng.below(total);
        let chosen = ATTACKS.iter().find(|(_, weight)| {
            let here = place < *weight;
            place = place.saturating_sub(*weight);
            here
        });
        let name = chosen.map_or("", |(name, _)| *name);
        let model = &self.driver.model;
        let governs = |op: Op| rogues.governance.then_some(op);
        let by = model.roles.governance;
        let mut number = || self.rng.number();
        let product = (number() % model.products.len() as u64) as usize;
        let treaty = (number() % model.treaties.len().max(1) as u64) as usize;
        let there = |op: Op| (!model.treaties.is_empty()).then_some(op);
        match name {
            "create_product" => governs(Op::CreateProduct { pool: (number() % 2) as usize, design: EVIL, by })
                .filter(|_| model.products.len() < 10),
            "set_condition" => governs(Op::SetCondition { product: model.products.len() - 1, by }),
            "set_product_state" => {
                let state =
                    [ProductState::Frozen, ProductState::Selling, ProductState::RunOff][(number() % 3) as usize];
                governs(Op::SetProductState { product, state, by })
            }
            "set_roles" => {
                let target = OFFICIALS[(number() % 3) as usize][(number() % 2) as usize];
                governs(Op::SetRoles { guardian: target, risk_keeper: target, by })
            }
            "propose_governance" | "accept_governance" => governs(match model.roles.proposed {
                Some(by) => Op::AcceptGovernance { by },
                None => Op::ProposeGovernance { proposed: OFFICIALS[0][(number() % 2) as usize], by },
            }),
            "create_treaty" => {
                let (cedant, reinsurer) = ((number() % 4 / 3) as usize, 2 + (number() % 2) as usize);
                let notice = model.pools[cedant].notice(model.now).max(model.pools[reinsurer].notice(model.now));
                let start_day = day(notice) + 1;
                // As bad for the cedant as the bounds allow.
                let kind = match number() % 2 {
                    0 => TreatyKind::QuotaShare { cession_bps: 9_000, commission_bps: 0 },
                    _ => TreatyKind::ExcessOfLoss {
                        attachment: 1_000_000 * TOKEN[0],
                        rate_on_line_bps: 5_000,
                        reinstatements: 0,
                        reinstatement_premium_bps: 0,
                    },
                };
                let limit = (1 + number() % 1_000) * TOKEN[0];
                let terms = TreatyTerms { kind, limit, start_day, end_day: start_day + 1 + (number() % 300) as u32 };
                governs(Op::CreateTreaty { cedant, reinsurer, terms, by }).filter(|_| model.treaties.len() < 12)
            }
            "accept_treaty" => governs(Op::AcceptTreaty { treaty, by }).and_then(there),
            "commute_treaty" => governs(Op::CommuteTreaty { treaty, by }).and_then(there),
            "announce_cession" => {
                let cedant = (number() % 2) as usize;
                let amount = u64::try_from(model.pools[cedant].surplus).unwrap_or(0) / (1 + number() % 3);
                governs(Op::AnnounceCession { cedant, reinsurer: 2 + (number() % 2) as usize, amount, by })
            }
            "cede_surplus" => governs(Op::CedeSurplus { cedant: (number() % 2) as usize, by }),
            "open_series" => governs(Op::OpenSeries { pool: (number() % 4) as usize, tranche: Tranche::Junior, by }),
            "pause" => rogues.guardian.then_some(Op::Pause { bits: (number() % 4) as u8, by: model.roles.guardian }),
            "set_risk_rate" => {
                let rate_ppb = [5_000_000, 200_000_000, 30_000_000, 10_000_000, number()][(number() % 5) as usize];
                rogues.risk_keeper.then_some(Op::SetRiskRate { product, rate_ppb, by: model.roles.risk_keeper })
            }
            "accrue" => Some(Op::Accrue { pool: (number() % 4) as usize }),
            "sync_product" => Some(Op::Sync { product }),
            "open_incident" => Some(Op::OpenIncident { product }),
            "fund_incident" => Some(Op::Fund { product }),
            "close_incident" => Some(Op::CloseIncident { product }),
            "end_treaty" => there(Op::EndTreaty { treaty }),
            "extend_deadline" => Some(Op::ExtendDeadline { product }),
            "close_cession" => Some(Op::CloseCession { cedant: (number() % 2) as usize }),
            "settle_treaty_premium" => model.pools[0]
                .quota_shares
                .first()
                .map(|(treaty, _)| Op::SettlePremium { cedant: 0, reinsurer: model.treaties[*treaty].reinsurer }),
            "refresh" => Some(Op::Refresh { product }),
            "settle_exit_epoch" => {
                self.driver.model.queue_due(0).map(|day| Op::SettleEpoch { pool: 0, day, all_cedants: true })
            }
            "set_product_state, back to selling" => governs(Op::SetProductState {
                product: 4.min(model.products.len() - 1),
                state: ProductState::Selling,
                by,
            }),
            name => panic!("tests/src/fuzz/rogue.rs lists `{name}` in ATTACKS and does not say what it is"),
        }
    }
}
