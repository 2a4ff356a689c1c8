//! A crisis by its rule alone, and the program's books beside it, on many random histories.

mod common;
mod crisis_rule;

use anchor_lang::prelude::*;
use backstop::constants::{COVER_STARTS, DAY_BUCKETS};
use backstop::error::BackstopError;
use backstop::peril::evidence::Phase;
use backstop::peril::{AlertLevel, Condition, SaleLimits, Verdict};
use backstop::state::{self, *};
use bytemuck::Zeroable;
use common::*;
use crisis_rule::{Books, Calling, Dice, Paid, Play, World, outcome, play};
use std::collections::BTreeMap;

const IN_TIME: [Calling; 6] = [
    Calling { calls: 0, in_time: true, late: false },
    Calling { calls: 1, in_time: true, late: false },
    Calling { calls: 4, in_time: true, late: false },
    Calling { calls: 12, in_time: true, late: false },
    Calling { calls: 0, in_time: true, late: true },
    Calling { calls: 4, in_time: true, late: true },
];

/// How many worlds a test looks at. A search takes more: `BACKSTOP_HISTORIES=1000000`.
fn histories(usual: u64) -> u64 {
    std::env::var("BACKSTOP_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}

// ---------------------------------------------------------------- the rule alone

#[test]
fn the_rule_reaches_the_outcome_in_every_order_of_calls() {
    let mut dice = Dice::new(1);
    let (mut crises, mut short) = ([0u32; 5], 0u32);
    for _ in 0..histories(10_000) {
        let world = World::random(&mut dice);
        let (expected, capital) = outcome(&world);
        for calling in IN_TIME {
            let mut books = Books::new(&world);
            play(&world, &mut books, &mut dice, calling);
            assert!(books.problems.is_empty(), "{:?}\n{world:#?}", books.problems);
            assert!(!books.open, "a crisis stays open\n{world:#?}\n{books:#?}");
            assert_eq!(reached(&books), expected, "{calling:?}\n{world:#?}");
            assert_eq!(books.capital, capital, "{calling:?}\n{world:#?}");
        }
        crises[expected.values().map(|paid| paid.crisis).max().unwrap_or(0) as usize] += 1;
        short += u32::from(expected.values().any(|paid| paid.reserve < paid.gross));
    }
    // The search looks at what it should: one crisis and several, solvent and not.
    assert!(crises[1] > 0 && crises[2] > 0 && short > 0, "crises a world {crises:?}, short {short}");
}

fn reached(books: &Books) -> BTreeMap<usize, Paid> {
    let paid = |incident: &crisis_rule::Incident| Paid {
        crisis: incident.crisis,
        gross: incident.gross,
        reserve: incident.reserve,
    };
    books.incidents.iter().map(|(product, incident)| (*product, paid(incident))).collect()
}

#[test]
fn a_treaty_that_is_called_late_pays_what_it_owes_and_nobody_else_gets_less() {
    let mut dice = Dice::new(2);
    for _ in 0..histories(10_000) {
        let world = World::random(&mut dice);
        let (expected, _) = outcome(&world);
        for calls in [0, 4] {
            let mut books = Books::new(&world);
            play(&world, &mut books, &mut dice, Calling { calls, in_time: false, late: false });
            assert!(books.problems.is_empty(), "{:?}\n{world:#?}", books.problems);
            for (product, incident) in &books.incidents {
                assert_eq!(incident.owed, incident.paid);
                let crisis = &books.crises[incident.crisis as usize - 1];
                let (resources, _) = crisis.closed.unwrap();
                let floor = u128::from(incident.gross) * u128::from(resources) / u128::from(crisis.gross);
                assert_eq!(u128::from(incident.reserve), floor);
                // The first crisis loses nothing by it.
                if incident.crisis == 1 && expected[product].crisis == 1 {
                    assert!(incident.reserve >= expected[product].reserve, "{world:#?}\n{books:#?}");
                }
            }
        }
    }
}

// ---------------------------------------------------------------- the program's books

/// A condition that is what the world says.
struct Evidence {
    level: AlertLevel,
    verdict: Option<Verdict>,
    number: u64,
}

impl Condition for Evidence {
    fn phase(&self) -> Phase {
        match (self.level, self.verdict) {
            (_, Some(_)) => Phase::Triggered,
            (AlertLevel::None, None) => Phase::Quiet,
            (_, None) => Phase::Breaching,
        }
    }

    fn alert(&self) -> AlertLevel {
        self.level
    }

    fn alert_number(&self) -> u64 {
        self.number
    }

    fn is_proven_by(&self, _now: i64) -> bool {
        self.verdict.is_some()
    }

    fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    fn require_sellable(&self, _limits: SaleLimits, _now: i64) -> Result<()> {
        Ok(())
    }

    fn end_alert(&mut self) {
        self.level = AlertLevel::None;
    }
}

/// A product of the program, with what it listens to and, once it is over, its incident and its covers.
struct Insured {
    product: Product,
    rates: Rates,
    evidence: Evidence,
    incident: Option<state::Incident>,
    covers: Vec<Policy>,
    /// What each cover was paid, by the sum of its settlements.
    paid: Vec<u64>,
}

/// The program's books, played beside the rule.
struct Program<'a> {
    rule: Books<'a>,
    pool: Pool,
    reinsurer: Pool,
    treaties: Vec<(Pubkey, Treaty)>,
    insured: Vec<Insured>,
    crises: Vec<state::Crisis>,
    dice: Dice,
    /// Whether premium is earned meanwhile, of which the rule knows nothing.
    earns: bool,
}

const HOUR: i64 = 3_600;

fn time(at: i64) -> i64 {
    NOW + at * HOUR
}

/// The same result, or the refusal that means that nothing would change.
fn unless<T>(result: Result<T>, refusal: BackstopError) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            refused(Err::<T, _>(error), refusal);
            None
        }
    }
}

/// The bytes of an account that is being created.
fn unopened() -> state::Incident {
    let zeros = [0; <state::Incident as Space>::INIT_SPACE];
    AnchorDeserialize::deserialize(&mut &zeros[..]).unwrap()
}

impl<'a> Program<'a> {
    fn new(world: &'a World, dice: Dice) -> Self {
        let mut dice = dice;
        let [surplus, junior, junior_exiting, senior, senior_exiting] = world.layers;
        let mut pool = pool_with(surplus, junior, senior);
        pool.ring_days = world.ring_days as u16;
        for (book, exiting) in pool.tranches.iter_mut().zip([junior_exiting, senior_exiting]) {
            (book.exiting, book.units) = (exiting, exiting * 1_000);
            pool.cash += exiting;
        }
        let mut reinsurer = reinsurer_with(1 << 50, 0, 0);
        let mut treaties = Vec::new();
        let mut add = |kind: TreatyKind, limit: u64, pool: &mut Pool, reinsurer: &mut Pool| {
            let key = key(40 + treaties.len() as u8);
            let treaty = Treaty { start_day: TODAY - 1, end_day: TODAY + 300, ..treaty(kind, limit) };
            pool.put_in_force(key, &treaty).unwrap();
            reinsurer.stand_behind(key, &treaty).unwrap();
            treaties.push((key, treaty));
        };
        if let Some((bps, limit)) = world.quota_share {
            let kind = TreatyKind::QuotaShare { cession_bps: bps as u16, commission_bps: 0 };
            add(kind, limit, &mut pool, &mut reinsurer);
        }
        for (attachment, limit) in &world.tower {
            let kind = TreatyKind::ExcessOfLoss {
                attachment: *attachment,
                rate_on_line_bps: 100,
                reinstatements: 0,
                reinstatement_premium_bps: 0,
            };
            add(kind, *limit, &mut pool, &mut reinsurer);
        }
        let insured = world.products.iter().enumerate().map(|(number, (sums, waiting))| {
            let mut insured = Insured::new(number, *sums, *waiting, &mut dice);
            insured.product.exposure = sums + waiting;
            pool.add_exposure(insured.product.risk_group(), sums + waiting).unwrap();
            insured
        });
        let insured = insured.collect();
        pool.invariant().unwrap();
        Self { rule: Books::new(world), pool, reinsurer, treaties, insured, crises: Vec::new(), dice, earns: false }
    }

    /// Premium of other business for the next days, and some that ends soon.
    fn earn(&mut self, premium: u64) {
        self.pool.stream_premium(premium, NOW, TODAY + 9).unwrap();
        self.pool.stream_premium(premium, NOW, TODAY + 2).unwrap();
        self.earns = true;
    }

    /// What the rule and the program say of everybody, after every call.
    fn compare(&mut self, at: i64) {
        if self.earns && self.dice.one_in(2) {
            self.pool.accrue(time(at)).unwrap();
        }
        self.pool.invariant().unwrap();
        self.reinsurer.invariant().unwrap();
        self.settle_one();
        if !self.earns {
            self.compare_with_rule();
        }
    }

    fn compare_with_rule(&mut self) {
        assert!(self.rule.problems.is_empty(), "{:?}", self.rule.problems);
        assert_eq!(self.pool.in_crisis(), self.rule.open, "whether a crisis is open\n{:#?}", self.rule);
        let layers = layers(&self.pool);
        let capital = self.pool.loss_capital().unwrap();
        assert_eq!(capital, self.rule.capital, "capital of {layers:?}\n{:#?}", self.rule);
        if self.rule.open {
            let (have, need) = self.rule.ratio().unwrap();
            assert_eq!(self.pool.crisis_ratio().unwrap(), (have, need));
        }
        for (product, incident) in &self.rule.incidents {
            let ours = self.insured[*product].incident.as_ref().unwrap();
            assert_eq!(
                (ours.crisis, ours.gross, ours.reserve, ours.paid <= ours.reserve),
                (incident.crisis, incident.gross, incident.reserve, true),
                "product {product}"
            );
            for (noted, (owed, paid)) in ours.treaties.iter().zip(incident.owed.iter().zip(&incident.paid)) {
                assert_eq!((noted.owed, noted.paid), (*owed, *paid), "treaties of product {product}");
            }
        }
    }

    /// Somebody settles a cover: it is never paid less in all, and what others are paid does not change.
    fn settle_one(&mut self) {
        let product = self.dice.from(0, self.insured.len() as u64 - 1) as usize;
        let insured = &mut self.insured[product];
        if insured.incident.is_some() && !insured.covers.is_empty() {
            let cover = self.dice.from(0, insured.covers.len() as u64 - 1) as usize;
            insured.settle(cover, &mut self.pool);
        }
    }

    /// In the end every cover has `floor(sum x reserve / sums in force)`, in however many settlements.
    fn settle_all(&mut self) {
        for insured in &mut self.insured {
            let Some(incident) = &insured.incident else { continue };
            let (reserve, sums) = (u128::from(incident.reserve), u128::from(incident.sums));
            for cover in 0..insured.covers.len() {
                insured.settle(cover, &mut self.pool);
                let expected = u128::from(insured.covers[cover].sum_insured) * reserve / sums;
                assert_eq!(u128::from(insured.paid[cover]), expected);
            }
            let incident = insured.incident.as_ref().unwrap();
            assert_eq!(incident.sums_left == 0, incident.is_complete());
        }
        self.pool.invariant().unwrap();
    }
}

impl Insured {
    fn new(number: usize, sums: u64, waiting: u64, dice: &mut Dice) -> Self {
        let mut product = product();
        product.terms.risk_group = number as u32;
        product.newest_activation_day = TODAY + 20;
        product.starts[(TODAY as usize + 20) % COVER_STARTS].sum_insured = waiting;
        // All of it ends within the treaties' terms.
        product.exposure_ends[(TODAY as usize + 200) % DAY_BUCKETS] = sums + waiting;
        let mut covers = Vec::new();
        let mut left = sums;
        while left > 0 {
            let sum = if covers.len() == 3 { left } else { dice.from(1, left) };
            covers.push(cover(TODAY - 1, TODAY + 200, sum, 0));
            left -= sum;
        }
        let paid = vec![0; covers.len()];
        let evidence = Evidence { level: AlertLevel::None, verdict: None, number: 0 };
        Self { product, rates: Rates::zeroed(), evidence, incident: None, covers, paid }
    }

    fn settle(&mut self, cover: usize, pool: &mut Pool) {
        let incident = self.incident.as_mut().unwrap();
        let record = &mut self.covers[cover];
        let refusal = if record.state == CoverState::Settled {
            BackstopError::CoverNotActive
        } else {
            BackstopError::NothingOwed
        };
        if let Some(payout) = unless(incident.settle(pool, record, 0), refusal) {
            self.paid[cover] += payout.amount;
        }
    }
}

impl Play for Program<'_> {
    fn treaties(&self) -> usize {
        self.treaties.len()
    }

    fn alert(&mut self, product: usize, at: i64) {
        Play::alert(&mut self.rule, product, at);
        let Insured { product, evidence, .. } = &mut self.insured[product];
        evidence.level = AlertLevel::Breaching;
        let alert = product.alert(0);
        evidence.number = self.pool.move_alert(alert, AlertLevel::None, AlertLevel::Breaching, time(at)).unwrap();
        self.compare(at);
    }

    fn meet(&mut self, product: usize, at: i64) {
        Play::meet(&mut self.rule, product, at);
        let Insured { product, evidence, .. } = &mut self.insured[product];
        let from = core::mem::replace(&mut evidence.level, AlertLevel::Due);
        self.pool.move_alert(product.alert(evidence.number), from, AlertLevel::Due, time(at)).unwrap();
        self.compare(at);
    }

    fn clear(&mut self, product: usize, at: i64) {
        Play::clear(&mut self.rule, product, at);
        let Insured { product, evidence, .. } = &mut self.insured[product];
        let from = core::mem::replace(&mut evidence.level, AlertLevel::None);
        self.pool.move_alert(product.alert(evidence.number), from, AlertLevel::None, time(at)).unwrap();
        self.compare(at);
    }

    fn open(&mut self, product: usize, severity: u64, most: u64, final_at: i64, at: i64) -> bool {
        let opened = Play::open(&mut self.rule, product, severity, most, final_at, at);
        let begins = !self.pool.in_crisis();
        let Insured { product, rates, evidence, incident, .. } = &mut self.insured[product];
        evidence.verdict = Some(Verdict {
            event_at: NOW,
            proven_at: time(at),
            severity_bps: severity as u16,
            most_severity_bps: most as u16,
            is_final: false,
            final_by: time(final_at),
        });
        let keys = IncidentKeys { product: key(20), pool: key(3), rent_payer: key(22), bump: 255 };
        let mut new = unopened();
        self.pool.accrue(time(at)).unwrap();
        let opening =
            unless(new.open(keys, &mut self.pool, product, rates, evidence, time(at)), BackstopError::CrisisNotClosed);
        assert_eq!(opening.is_some(), opened);
        if let Some(opening) = opening {
            if begins {
                self.crises.push(state::Crisis::begin(key(3), key(22), 255, opening.crisis));
            }
            new.enter(self.crises.last_mut().unwrap()).unwrap();
            *incident = Some(new);
        }
        self.compare(at);
        opened
    }

    fn fund(&mut self, product: usize, severity: u64, at: i64) {
        Play::fund(&mut self.rule, product, severity, at);
        let final_at = self.rule.incidents[&product].final_at;
        let Insured { evidence, incident, .. } = &mut self.insured[product];
        let incident = incident.as_mut().unwrap();
        let verdict = evidence.verdict.as_mut().unwrap();
        (verdict.severity_bps, verdict.is_final) = (severity as u16, at >= final_at);
        self.pool.accrue(time(at)).unwrap();
        let crisis = &mut self.crises[incident.crisis as usize - 1];
        unless(incident.fund(&mut self.pool, crisis, evidence, time(at)), BackstopError::AlreadyFunded);
        self.compare(at);
    }

    fn call(&mut self, product: usize, treaty: usize, at: i64) {
        Play::call(&mut self.rule, product, treaty, at);
        let incident = self.insured[product].incident.as_mut().unwrap();
        let (key, treaty) = &mut self.treaties[treaty];
        self.pool.accrue(time(at)).unwrap();
        let crisis = &mut self.crises[incident.crisis as usize - 1];
        let call = treaty.call(*key, incident, crisis, &mut self.pool, &mut self.reinsurer, time(at));
        unless(call, BackstopError::NothingOwed);
        self.compare(at);
    }

    fn gift(&mut self, amount: u64, at: i64) {
        Play::gift(&mut self.rule, amount, at);
        self.pool.contribute(amount).unwrap();
        self.compare(at);
    }
}

#[test]
fn the_program_reaches_the_outcome_call_by_call_in_every_order() {
    let mut dice = Dice::new(3);
    for _ in 0..histories(2_500) {
        let world = World::random(&mut dice);
        let (expected, _) = outcome(&world);
        for calling in IN_TIME {
            let mut program = Program::new(&world, Dice::new(dice.roll()));
            play(&world, &mut program, &mut dice, calling);
            assert_eq!(reached(&program.rule), expected, "{calling:?}\n{world:#?}");
            program.settle_all();
        }
    }
}

/// Premium waits while a crisis or an alert lasts, so when somebody calls does not decide who has it. Without a quota
/// share, whose part of premium is rounded for the cedant in each accrual while its limit does not suffice.
#[test]
fn premium_that_is_earned_meanwhile_changes_nothing_by_the_order_of_calls() {
    let mut dice = Dice::new(5);
    let mut crises = [0u32; 5];
    for _ in 0..histories(1_000) {
        let world = World { quota_share: None, ..World::random(&mut dice) };
        let premium = world.layers.iter().sum::<u64>() / 20;
        // Opened late, an incident closes its crisis later: premium stands for longer, which others earn afterwards.
        let at_once = IN_TIME.into_iter().filter(|calling| !calling.late);
        let outcomes = at_once.map(|calling| {
            let mut program = Program::new(&world, Dice::new(dice.roll()));
            program.earn(premium);
            play(&world, &mut program, &mut dice, calling);
            program.settle_all();
            let of = |insured: &Insured| {
                insured.incident.as_ref().map(|incident| (incident.crisis, incident.gross, incident.reserve))
            };
            program.insured.iter().map(of).collect::<Vec<_>>()
        });
        let outcomes: Vec<_> = outcomes.collect();
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}\n{world:#?}");
        crises[outcomes[0].iter().flatten().map(|(crisis, ..)| *crisis).max().unwrap_or(0) as usize] += 1;
    }
    assert!(crises[1] > 0 && crises[2] > 0, "{crises:?}");
}

#[test]
fn the_program_pays_what_late_treaties_owe_call_by_call() {
    let mut dice = Dice::new(4);
    for _ in 0..histories(2_500) {
        let world = World::random(&mut dice);
        for calls in [0, 4] {
            let mut program = Program::new(&world, Dice::new(dice.roll()));
            play(&world, &mut program, &mut dice, Calling { calls, in_time: false, late: false });
            program.settle_all();
        }
    }
}
