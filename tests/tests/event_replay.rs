//! The events are complete: whoever reads nothing but them knows the books of every pool, to the unit.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{AnchorDeserialize, Discriminator, Event};
use backstop::constants::PAUSE_PURCHASES;
use backstop::events::*;
use backstop::peril::evidence::TermsInput;
use backstop::state::{
    Access, Accrual, ExitTicket, Growth, LossByLayer, Pool, PoolKind, Tranche, TrancheBook, TreatyKind, TreatyTerms,
    day_of,
};
use backstop::{CreatePoolArgs, DepositArgs};
use backstop_client::account;
use backstop_client::audit::{self, Rule, Snapshot};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys, TreatyKeys};
use backstop_client::numbering::{NUMBERED, Number, Numbering};
use backstop_client::transaction::events;
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::world::Outcome;
use backstop_tests::{Person, World, assert_books, budget, explain, idl};
use base64::Engine;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use solana_sdk::signer::Signer;
use std::collections::{BTreeMap, BTreeSet};

/// One tranche, as the events tell of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Class {
    assets: u64,
    exiting: u64,
    shares: u64,
    units: u64,
    series: u8,
    over: bool,
}

/// One pool, as the events tell of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Books {
    surplus: u64,
    tranches: [Class; 2],
    unearned_premium: u64,
    premium_refunds: u64,
    set_aside: u64,
    late: u64,
    recovered: u64,
    crisis_buckets: u64,
    incident_reserves: u64,
    exit_reserves: u64,
    treaty_payable: u64,
    exposure: u64,
    cash: u64,
    tickets: BTreeSet<Pubkey>,
}

impl Books {
    /// What the ledger must add up to.
    fn sum(&self) -> u64 {
        let tranches: u64 = self.tranches.iter().map(|class| class.assets + class.exiting).sum();
        self.surplus
            + tranches
            + self.unearned_premium
            + self.premium_refunds
            + self.set_aside
            + self.late
            + self.recovered
            + self.crisis_buckets
            + self.incident_reserves
            + self.exit_reserves
            + self.treaty_payable
    }

    /// The books as the program keeps them. Tickets are accounts of their own.
    fn of(pool: &Pool, tickets: BTreeSet<Pubkey>) -> Self {
        let class = |book: &TrancheBook| Class {
            assets: book.assets,
            exiting: book.exiting,
            shares: book.shares,
            units: book.units,
            series: book.series,
            over: book.wiped_out != 0,
        };
        Self {
            surplus: pool.surplus,
            tranches: [class(&pool.tranches[0]), class(&pool.tranches[1])],
            unearned_premium: pool.unearned_premium,
            premium_refunds: pool.premium_refunds,
            set_aside: pool.set_aside,
            late: pool.second_stream.amount,
            recovered: pool.crisis.recovered,
            crisis_buckets: pool.crisis_buckets,
            incident_reserves: pool.incident_reserves,
            exit_reserves: pool.exit_reserves,
            treaty_payable: pool.treaty_payable.iter().sum(),
            exposure: pool.total_exposure,
            cash: pool.cash,
            tickets,
        }
    }

    fn class(&mut self, tranche: Tranche) -> &mut Class {
        &mut self.tranches[tranche.index()]
    }

    /// Where premium goes.
    fn share_out(&mut self, accrual: &Accrual) {
        self.treaty_payable += accrual.ceded.iter().sum::<u64>();
        self.surplus += accrual.surplus;
        self.class(Tranche::Junior).assets += accrual.junior;
        self.class(Tranche::Senior).assets += accrual.senior;
        self.class(Tranche::Junior).exiting += accrual.junior_exiting;
        self.class(Tranche::Senior).exiting += accrual.senior_exiting;
    }

    /// What is due more, and whose the premium is.
    fn grow(&mut self, growth: &Growth) {
        self.set_aside -= growth.loss_refunds + growth.accrual.late;
        self.premium_refunds += growth.loss_refunds;
        self.share_out(&growth.accrual);
    }

    /// What layers lent to a crisis comes back: each its own; of a tranche that nobody is left in, the surplus's.
    fn take_back(&mut self, lent: &[u64; 5]) {
        self.surplus += lent[0];
        for (place, class) in self.tranches.iter_mut().enumerate() {
            let [staying, exiting] = [lent[1 + 2 * place], lent[2 + 2 * place]];
            match (class.shares > 0, class.units > 0) {
                (true, true) => {
                    class.assets += staying;
                    class.exiting += exiting;
                }
                (true, false) => class.assets += staying + exiting,
                (false, true) => class.exiting += staying + exiting,
                (false, false) => self.surplus += staying + exiting,
            }
        }
    }

    fn lose(&mut self, losses: &LossByLayer) {
        self.surplus -= losses.surplus;
        let [junior, senior] = &mut self.tranches;
        junior.assets -= losses.junior_assets;
        junior.exiting -= losses.junior_exiting;
        senior.assets -= losses.senior_assets;
        senior.exiting -= losses.senior_exiting;
        for (class, over, rest) in
            [(junior, losses.junior_over, losses.junior_wiped), (senior, losses.senior_over, losses.senior_wiped)]
        {
            if over {
                assert_eq!(class.assets + class.exiting, rest);
                *class = Class { series: class.series, over: true, ..Class::default() };
            }
            self.surplus += rest;
        }
    }
}

/// All pools, as the events tell of them.
#[derive(Default)]
struct Ledger {
    pools: BTreeMap<Pubkey, Books>,
    /// How often each event came, and each dust that was swept.
    seen: BTreeMap<&'static str, usize>,
    /// The numbers of the events.
    numbering: Numbering,
}

/// An event in a line of a log, if it is of this type.
fn read<E: Event + AnchorDeserialize + Discriminator>(line: &String) -> Option<E> {
    events::<E>(std::slice::from_ref(line)).pop()
}

macro_rules! on {
    ($ledger:ident, $line:ident, $($event:ident => $effect:expr),* $(,)?) => {
        $(if let Some(event) = read::<$event>($line) {
            *$ledger.seen.entry(stringify!($event)).or_default() += 1;
            let effect: fn(&mut Ledger, $event) = $effect;
            effect($ledger, event);
            return true;
        })*
    };
}

impl Ledger {
    /// Counts what is not nothing.
    fn count(&mut self, what: &'static str, amount: u64) {
        if amount > 0 {
            *self.seen.entry(what).or_default() += 1;
        }
    }

    fn at(&mut self, pool: &Pubkey) -> &mut Books {
        self.pools.get_mut(pool).expect("a pool is created before anything happens to it")
    }

    /// Reads the events of a transaction.
    fn read(&mut self, logs: &[String]) {
        for line in logs.iter().filter(|line| line.starts_with("Program data: ")) {
            let known = self.pools_and_exits(line) || self.covers_and_incidents(line) || self.treaties(line);
            assert!(known || moves_nothing(line), "an event that this test does not know: {line}");
        }
    }

    fn pools_and_exits(&mut self, line: &String) -> bool {
        let ledger = self;
        on! { ledger, line,
            PoolCreated => |ledger, event| {
                ledger.pools.insert(event.pool, Books::default());
            },
            Accrued => |ledger, event| {
                let books = ledger.at(&event.pool);
                books.unearned_premium -= event.accrual.earned;
                books.late -= event.accrual.late;
                books.share_out(&event.accrual);
            },
            Deposited => |ledger, event| {
                let books = ledger.at(&event.pool);
                books.cash += event.amount;
                let class = books.class(event.tranche);
                class.assets += event.amount;
                class.shares += event.shares;
            },
            SurplusContributed => |ledger, event| {
                let books = ledger.at(&event.pool);
                books.cash += event.amount;
                books.surplus += event.amount;
            },
            ExitRequested => |ledger, event| {
                ledger.count("dust of a request", event.to_surplus);
                let books = ledger.at(&event.pool);
                assert!(books.tickets.insert(event.ticket));
                let class = books.class(event.tranche);
                class.shares -= event.shares;
                class.assets -= event.value + event.to_surplus;
                class.exiting += event.value;
                class.units += event.units;
                books.surplus += event.to_surplus;
            },
            ExitCancelled => |ledger, event| {
                let books = ledger.at(&event.pool);
                books.tickets.remove(&event.ticket);
                let class = books.class(event.tranche);
                class.units -= event.units;
                class.exiting -= event.value + event.to_surplus;
                class.assets += event.value;
                class.shares += event.shares;
                books.surplus += event.to_surplus;
            },
            ExitEpochSettled => |ledger, event| {
                let books = ledger.at(&event.pool);
                for tranche in Tranche::BOTH {
                    let place = tranche.index();
                    let class = books.class(tranche);
                    class.units -= event.closed_units[place];
                    class.exiting -= event.paid[place] + event.to_surplus[place];
                    books.exit_reserves += event.paid[place];
                    books.surplus += event.to_surplus[place];
                }
            },
            ExitClaimed => |ledger, event| {
                let books = ledger.at(&event.pool);
                books.exit_reserves -= event.amount;
                books.cash -= event.amount;
                if event.closed {
                    assert!(books.tickets.remove(&event.ticket));
                }
            },
            ExitEpochClosed => |ledger, event| {
                ledger.count("dust of an epoch", event.to_surplus);
                let books = ledger.at(&event.pool);
                books.exit_reserves -= event.to_surplus;
                books.surplus += event.to_surplus;
            },
            SeriesOpened => |ledger, event| {
                let books = ledger.at(&event.pool);
                let class = books.class(event.tranche);
                assert_eq!((class.exiting, class.assets), (0, event.to_surplus));
                books.surplus += event.to_surplus;
                let class = books.class(event.tranche);
                *class = Class { series: event.series, ..Class::default() };
            },
        }
        false
    }

    fn covers_and_incidents(&mut self, line: &String) -> bool {
        let ledger = self;
        on! { ledger, line,
            CoverBought => |ledger, event| {
                ledger.count("released by a sale", event.released);
                let books = ledger.at(&event.pool);
                books.cash += event.premium;
                books.unearned_premium += event.premium;
                books.exposure += event.sum_insured;
                books.exposure -= event.released;
            },
            CoverCancelled => |ledger, event| {
                let books = ledger.at(&event.pool);
                books.cash -= event.refund;
                books.unearned_premium -= event.refund + event.fee;
                books.surplus += event.fee;
                books.exposure -= event.sum_insured;
            },
            ExposureReleased => |ledger, event| {
                ledger.at(&event.pool).exposure -= event.amount;
            },
            IncidentOpened => |ledger, event| {
                ledger.count("premium of covers that waited", event.waiting_refunds);
                ledger.count("premium of covers in force", event.growth.loss_refunds);
                ledger.count("premium that a loss has earned", event.growth.accrual.late);
                let books = ledger.at(&event.pool);
                books.unearned_premium -= event.accrual.earned + event.waiting_refunds + event.set_aside;
                books.premium_refunds += event.waiting_refunds;
                books.set_aside += event.set_aside;
                books.share_out(&event.accrual);
                books.grow(&event.growth);
                books.exposure -= event.released;
            },
            IncidentGrown => |ledger, event| {
                ledger.at(&event.pool).grow(&event.growth);
            },
            IncidentFunded => |ledger, event| {
                let books = ledger.at(&event.pool);
                books.lose(&event.giving.losses);
                books.recovered -= event.giving.recovered;
                books.crisis_buckets -= event.giving.bucket;
                books.incident_reserves += event.giving.amount;
            },
            CrisisClosed => |ledger, event| {
                let books = ledger.at(&event.pool);
                books.take_back(&event.closing.restored);
                books.lose(&event.closing.losses);
                books.recovered = 0;
                books.crisis_buckets += event.closing.bucket;
                books.late += event.closing.to_stream;
            },
            CoverSettled => |ledger, event| {
                let books = ledger.at(&event.pool);
                books.incident_reserves -= event.amount;
                books.premium_refunds -= event.refund;
                books.cash -= event.amount + event.refund;
            },
            IncidentClosed => |ledger, event| {
                let books = ledger.at(&event.pool);
                books.incident_reserves -= event.reserve;
                books.premium_refunds -= event.refunds;
                books.crisis_buckets -= event.bucket;
                books.surplus += event.reserve + event.refunds + event.bucket;
            },
        }
        false
    }

    fn treaties(&mut self, line: &String) -> bool {
        let ledger = self;
        on! { ledger, line,
            TreatyAccepted => |ledger, event| {
                let cedant = ledger.at(&event.cedant);
                cedant.surplus -= event.premium;
                cedant.cash -= event.premium;
                let reinsurer = ledger.at(&event.reinsurer);
                reinsurer.unearned_premium += event.premium;
                reinsurer.cash += event.premium;
            },
            TreatyPremiumSettled => |ledger, event| {
                let cedant = ledger.at(&event.cedant);
                cedant.treaty_payable -= event.amount;
                cedant.cash -= event.amount;
                let reinsurer = ledger.at(&event.reinsurer);
                reinsurer.unearned_premium += event.amount;
                reinsurer.cash += event.amount;
            },
            TreatyCalled => |ledger, event| {
                ledger.count("reinstatement premium", event.reinstatement_premium);
                let received = event.paid - event.reinstatement_premium;
                let reinsurer = ledger.at(&event.reinsurer);
                reinsurer.lose(&event.losses);
                reinsurer.unearned_premium += event.reinstatement_premium;
                reinsurer.cash -= received;
                let receipt = event.receipt;
                assert_eq!(receipt.recovered + receipt.late + receipt.to_stream, received);
                ledger.count("late money for holders", receipt.late);
                let cedant = ledger.at(&event.cedant);
                cedant.recovered += receipt.recovered;
                cedant.crisis_buckets += receipt.late;
                cedant.late += receipt.to_stream;
                cedant.cash += received;
            },
            TreatyCommuted => |ledger, event| {
                let reinsurer = ledger.at(&event.reinsurer);
                reinsurer.unearned_premium -= event.returned;
                reinsurer.cash -= event.returned;
                let cedant = ledger.at(&event.cedant);
                cedant.surplus += event.returned;
                cedant.cash += event.returned;
            },
            SurplusCeded => |ledger, event| {
                let cedant = ledger.at(&event.cedant);
                cedant.surplus -= event.amount;
                cedant.cash -= event.amount;
                let reinsurer = ledger.at(&event.reinsurer);
                reinsurer.surplus += event.amount;
                reinsurer.cash += event.amount;
            },
        }
        false
    }

    /// Asserts that a pool's books are what the events say.
    #[track_caller]
    fn check(&mut self, world: &World, keys: &PoolKeys) {
        // Also of transactions that a helper sent: what they reported moves nothing in the books.
        world.hear().iter().for_each(|logs| self.numbering.read(logs));
        let tickets: Vec<(Pubkey, ExitTicket)> = account::list(&world.cluster, None).unwrap();
        let own = tickets.into_iter().filter(|(_, ticket)| ticket.pool == keys.pool).map(|(key, _)| key).collect();
        let told = &self.pools[&keys.pool];
        assert_eq!(self.numbering.missing(&keys.pool, world.pool(keys).events), [], "events were lost");
        assert_eq!(*told, Books::of(&world.pool(keys), own));
        assert_eq!(told.sum(), told.cash, "the ledger adds up");
        assert_books(&world.cluster, &keys.pool);
    }
}

macro_rules! still {
    ($($event:ident),* $(,)?) => {
        /// Events that change nothing in the books.
        const STILL: &[&str] = &[$(stringify!($event)),*];

        /// Whether an event is one of those.
        fn moves_nothing(line: &String) -> bool {
            $(read::<$event>(line).is_some())||*
        }
    };
}

still! {
    Initialized, GovernanceProposed, GovernanceAccepted, RolesSet, PauseSet, ProductCreated, ConditionSet, ReadingSet,
    ProductStateSet,
    RiskRateSet, CoverClosed, Observed, PhaseChanged, TreatyCreated, TreatyEnded, CessionAnnounced, CessionClosed,
    DeadlineExtended, AttestorSetCreated, EquivocationReported,
}

/// A product with what was sold on it.
struct Risk {
    keys: ProductKeys,
    /// NFT mint and holder, by place.
    covers: Vec<(Pubkey, usize)>,
}

/// A world with a cover pool, a reinsurance pool, treaties between them, products and people.
struct Market {
    world: World,
    ledger: Ledger,
    cedant: PoolKeys,
    reinsurer: PoolKeys,
    treaties: Vec<TreatyKeys>,
    risks: Vec<Risk>,
    over: Vec<Risk>,
    people: Vec<Person>,
    tickets: Vec<(bool, usize, u64)>,
    rng: TestRng,
}

impl Market {
    fn new() -> Self {
        let world = World::unsigned();
        let mut ledger = Ledger::default();
        let mut run = |signers: &[&solana_sdk::signature::Keypair], instructions: &[_]| {
            ledger.read(&world.run(signers, instructions).logs);
        };
        let governance = &world.governance;
        let payer = world.payer.pubkey();
        let pool = |id, kind| {
            let mut args = CreatePoolArgs { kind, access: Access::Open, ..terms::create_pool(id) };
            args.terms.cooldown_seconds = u32::try_from(2 * DAY).unwrap();
            args.terms.rho_bps = 2_500;
            args
        };
        let keys = |id| PoolKeys::derive(world.asset, anchor_spl::token::ID, id);
        let (cedant, reinsurer) = (keys(0), keys(1));
        for (keys, args) in [(&cedant, pool(0, PoolKind::Cover)), (&reinsurer, pool(1, PoolKind::Reinsurance))] {
            run(&[governance], &[ix::create_pool(governance.pubkey(), payer, keys, args)]);
        }

        // A quota share and two layers, agreed on before anybody has a stake.
        let start_day = day_of(world.now()) + 1;
        let terms_of = |kind, limit| TreatyTerms { kind, limit, start_day, end_day: start_day + 300 };
        let layer = |attachment, limit| {
            let kind = TreatyKind::ExcessOfLoss {
                attachment,
                rate_on_line_bps: 300,
                reinstatements: 1,
                reinstatement_premium_bps: 10_000,
            };
            terms_of(kind, limit)
        };
        let quota = TreatyKind::QuotaShare { cession_bps: 3_000, commission_bps: 1_000 };
        let all = [terms_of(quota, 20_000 * ONE), layer(500 * ONE, 2_000 * ONE), layer(2_500 * ONE, 5_000 * ONE)];
        let mut treaties = Vec::new();
        for (id, terms) in (0..).zip(all) {
            let keys = TreatyKeys::derive(cedant, reinsurer.pool, id);
            run(&[governance], &[ix::create_treaty(governance.pubkey(), payer, &keys, terms)]);
            treaties.push(keys);
        }
        let people: Vec<Person> = (0..5).map(|_| world.person(1_000_000_000 * ONE)).collect();
        let mut risks = Vec::new();
        for id in 0..40 {
            let keys = ProductKeys::derive(cedant, id);
            // Every third can grow for a day.
            let run_on_seconds = if id % 3 == 0 { 86_400 } else { 0 };
            let condition = TermsInput { run_on_seconds, ..terms::stress() };
            let mut args = terms::create_product(world.covered, condition);
            args.terms.risk_group = u32::from(id % 4);
            run(&[governance], &args.instructions(governance.pubkey(), payer, &keys, id));
            risks.push(Risk { keys, covers: Vec::new() });
        }
        // What is given makes all that is announced later wait.
        let giver = &people[0];
        run(&[&giver.key], &[ix::contribute_surplus(&cedant, giver.id(), 300 * ONE)]);
        run(&[&giver.key], &[ix::contribute_surplus(&reinsurer, giver.id(), 2_000 * ONE)]);
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let (over, tickets) = (Vec::new(), Vec::new());
        let mut market = Self { world, ledger, cedant, reinsurer, treaties, risks, over, people, tickets, rng };
        for (who, inward, tranche, amount) in [
            (0, false, Tranche::Junior, 3_000 * ONE),
            (1, false, Tranche::Senior, 12_000 * ONE),
            (2, true, Tranche::Junior, 3_000 * ONE),
            (3, true, Tranche::Senior, 30_000 * ONE),
        ] {
            assert!(market.deposit(inward, who, tranche, amount));
        }
        let governance = market.world.governance.insecure_clone();
        for place in 0..market.treaties.len() {
            let accept = ix::accept_treaty(governance.pubkey(), &market.treaties[place]);
            let outcome = market.world.send(&[&governance], &[accept]);
            market.must(outcome);
        }
        market.world.next_day();
        market
    }

    fn keys(&self, inward: bool) -> PoolKeys {
        if inward { self.reinsurer } else { self.cedant }
    }

    /// Reads the events of what was accepted. Returns whether it was.
    fn note(&mut self, outcome: Outcome) -> bool {
        if let Ok(receipt) = &outcome {
            self.ledger.read(&receipt.logs);
        }
        outcome.is_ok()
    }

    #[track_caller]
    fn must(&mut self, outcome: Outcome) {
        if let Err(error) = &outcome {
            panic!("{}", explain(error));
        }
        self.note(outcome);
    }

    /// A number below another.
    fn draw(&mut self, below: u64) -> u64 {
        self.rng.random_range(0..below)
    }

    fn pick(&mut self, length: usize) -> usize {
        self.rng.random_range(0..length)
    }

    fn deposit(&mut self, inward: bool, who: usize, tranche: Tranche, amount: u64) -> bool {
        let keys = self.keys(inward);
        let outcome = self.world.deposit(&keys, &self.people[who], tranche, amount);
        self.note(outcome)
    }

    fn act(&mut self) -> bool {
        let who = self.pick(self.people.len());
        let inward = self.draw(3) == 0;
        let keys = self.keys(inward);
        let tranche = if self.draw(2) == 0 { Tranche::Junior } else { Tranche::Senior };
        let payer = self.world.payer.pubkey();
        match self.draw(26) {
            0..3 => {
                let most = if tranche == Tranche::Junior { 800 * ONE } else { 10_000 * ONE };
                let amount = 1 + self.draw(most);
                self.deposit(inward, who, tranche, amount)
            }
            3 => {
                let amount = 1 + self.draw(5 * ONE);
                let person = &self.people[who];
                let give = ix::contribute_surplus(&keys, person.id(), amount);
                let outcome = self.world.send(&[&person.key], &[give]);
                self.note(outcome)
            }
            4..8 => {
                let held = self.world.shares(&keys, &self.people[who], tranche);
                if held == 0 {
                    return false;
                }
                let part = if self.draw(3) == 0 { held } else { 1 + self.draw(held) };
                let (nonce, outcome) = self.world.request_exit(&keys, &self.people[who], tranche, part);
                if outcome.is_ok() {
                    self.tickets.push((inward, who, nonce));
                }
                self.note(outcome)
            }
            8 | 9 if !self.tickets.is_empty() => {
                let place = self.pick(self.tickets.len());
                let (inward, who, nonce) = self.tickets[place];
                let (keys, person) = (self.keys(inward), &self.people[who]);
                let cancel = ix::cancel_exit(&keys, &self.world.ticket(&keys, person, nonce));
                let outcome = self.world.send(&[&person.key], &[cancel]);
                if outcome.is_ok() {
                    self.tickets.swap_remove(place);
                }
                self.note(outcome)
            }
            10..13 if !self.tickets.is_empty() => {
                let place = self.pick(self.tickets.len());
                let (inward, who, nonce) = self.tickets[place];
                let outcome = self.world.claim(&self.keys(inward), &self.people[who], nonce);
                let closed = outcome.as_ref().is_ok_and(|receipt| events::<ExitClaimed>(&receipt.logs)[0].closed);
                if closed {
                    self.tickets.swap_remove(place);
                }
                self.note(outcome)
            }
            13..15 => {
                let day = self.world.pool(&keys).oldest_exit_day;
                let cedants: Vec<Pubkey> = self.world.pool(&keys).inward.iter().map(|inward| inward.cedant).collect();
                let in_force: Vec<Pubkey> = cedants.into_iter().filter(|key| *key != Pubkey::default()).collect();
                let settle = ix::settle_reinsurance_epoch(keys.pool, day, &in_force);
                let outcome = self.world.send(&[], &[settle]);
                self.note(outcome)
            }
            15 => {
                let epochs: Vec<(Pubkey, backstop::state::ExitEpoch)> =
                    account::list(&self.world.cluster, None).unwrap();
                let Some((_, epoch)) = epochs.iter().find(|(_, epoch)| epoch.is_filled() && epoch.tickets == 0) else {
                    return false;
                };
                let close = ix::close_exit_epoch(epoch.pool, epoch.day, epoch.rent_payer);
                let outcome = self.world.send(&[], &[close]);
                self.note(outcome)
            }
            16 => {
                let seconds = 1 + self.draw(100_000);
                self.world.advance(i64::try_from(seconds).unwrap());
                let outcome = self.world.send(&[], &[ix::accrue(keys.pool)]);
                self.note(outcome)
            }
            17..20 if !self.risks.is_empty() => self.buy(who),
            20 if !self.risks.is_empty() => {
                let place = self.pick(self.risks.len());
                let Some((mint, holder)) = self.risks[place].covers.pop() else { return false };
                let product = self.risks[place].keys;
                let person = &self.people[holder];
                let cancel = ix::cancel_cover(&product, person.id(), mint, payer);
                let outcome = self.world.send(&[&person.key], &[cancel]);
                if outcome.is_err() {
                    self.risks[place].covers.push((mint, holder));
                }
                self.note(outcome)
            }
            21 if !self.risks.is_empty() => {
                let place = self.pick(self.risks.len());
                let outcome = self.world.send(&[], &[ix::sync_product(&self.risks[place].keys)]);
                self.note(outcome)
            }
            22 if !self.risks.is_empty() && self.draw(2) == 0 => self.incident(),
            23 => {
                let settle = ix::settle_treaty_premium(&self.cedant, self.reinsurer.pool);
                let outcome = self.world.send(&[], &[settle]);
                self.note(outcome)
            }
            24 => {
                let place = self.pick(self.treaties.len());
                let keys = self.treaties[place];
                // Of what was owed and could not be paid, for an incident that is over.
                let Some(product) = self.over.last().map(|risk| risk.keys) else { return false };
                self.call(&keys, &product)
            }
            25 if self.draw(3) == 0 => self.cede(),
            _ => false,
        }
    }

    fn buy(&mut self, who: usize) -> bool {
        let place = self.pick(self.risks.len());
        let product = self.risks[place].keys;
        let outcome = self.world.show(&product, 100_000_000);
        self.note(outcome);
        let capital = self.world.pool(&self.cedant).capacity_capital().unwrap();
        let sum = ONE + self.draw((capital / 2).max(1));
        let days = u16::try_from(7 + self.draw(60)).unwrap();
        let (mint, outcome) = self.world.buy(&product, &self.people[who], sum, days);
        if outcome.is_ok() {
            self.risks[place].covers.push((mint, who));
        }
        self.note(outcome)
    }

    /// Something happens to a product with covers: its treaties are called or skipped, it is funded, holders are paid.
    fn incident(&mut self) -> bool {
        let Some(place) = self.risks.iter().position(|risk| risk.covers.len() > 1) else { return false };
        let risk = self.risks.remove(place);
        let product = risk.keys;
        let price = 80_000_000 + i64::try_from(self.draw(10_000_000)).unwrap();
        // Prints move no money: their events are read from the log of the last one.
        self.world.depeg_until_proven(&product, price);
        let outcome = self.world.send(&[], &[self.world.open_incident(&product)]);
        self.must(outcome);
        // Some treaties are called in time, others late or never: funding waits two days for them at most.
        for keys in self.treaties.clone() {
            if self.draw(4) > 0 {
                self.call(&keys, &product);
                self.check();
            }
        }
        self.world.advance(2 * DAY);
        while self.fund(&product) {
            self.check();
        }
        self.open_series();
        for (mint, holder) in &risk.covers {
            let outcome = self.world.settle(&product, &self.people[*holder], mint);
            self.note(outcome);
        }
        if self.draw(2) == 0 {
            let outcome = self.world.send(&[], &[self.world.close_incident(&product)]);
            self.note(outcome);
        }
        self.over.push(risk);
        true
    }

    /// Calls a treaty, if the incident is still there.
    fn call(&mut self, keys: &TreatyKeys, product: &ProductKeys) -> bool {
        let incident = self.world.cluster.account(&product.incident()).unwrap();
        let Some(crisis) = incident.map(|_| self.world.incident(product).crisis).filter(|crisis| *crisis != 0) else {
            return false;
        };
        let outcome = self.world.send(&[], &[ix::call_treaty(keys, product, crisis)]);
        self.note(outcome)
    }

    fn fund(&mut self, product: &ProductKeys) -> bool {
        if self.world.incident(product).crisis == 0 {
            return false;
        }
        let outcome = self.world.send(&[], &[self.world.fund_incident(product)]);
        self.note(outcome)
    }

    /// Opens the next series of what was wiped out.
    fn open_series(&mut self) {
        for inward in [false, true] {
            for tranche in Tranche::BOTH {
                let keys = self.keys(inward);
                let book = *self.world.pool(&keys).tranche(tranche);
                if book.wiped_out == 0 {
                    continue;
                }
                let (governance, payer) = (&self.world.governance, self.world.payer.pubkey());
                let open = ix::open_series(governance.pubkey(), payer, keys.pool, tranche, book.series + 1);
                let outcome = self.world.send(&[governance], &[open]);
                self.must(outcome);
                let renewed = PoolKeys::of(keys.pool, &self.world.pool(&keys), keys.asset_token_program);
                if inward {
                    self.reinsurer = renewed;
                } else {
                    self.cedant = renewed;
                }
            }
        }
    }

    /// Announces a cession of surplus, waits its notice out, and makes it.
    fn cede(&mut self) -> bool {
        let surplus = self.world.pool(&self.cedant).surplus;
        if surplus < 10 {
            return false;
        }
        let amount = 1 + self.draw(surplus / 2);
        let governance = self.world.governance.insecure_clone();
        let (id, payer) = (governance.pubkey(), self.world.payer.pubkey());
        let (cedant, reinsurer) = (self.cedant, self.reinsurer.pool);
        let announce = ix::announce_cession(id, payer, cedant.pool, reinsurer, amount);
        let outcome = self.world.send(&[&governance], &[announce]);
        self.must(outcome);
        // Five days of notice, then seven to make it, once exits past their day are paid.
        for _ in 0..12 {
            self.world.advance(DAY);
            let day = self.world.pool(&cedant).oldest_exit_day;
            let outcome = self.world.settle_epoch(&cedant, day);
            self.note(outcome);
            let outcome = self.world.send(&[&governance], &[ix::cede_surplus(id, &cedant, reinsurer, payer)]);
            if self.note(outcome) {
                return true;
            }
        }
        let outcome = self.world.send(&[], &[ix::close_cession(cedant.pool, payer)]);
        self.must(outcome);
        false
    }

    #[track_caller]
    fn check(&mut self) {
        for keys in [&self.cedant, &self.reinsurer] {
            self.ledger.check(&self.world, keys);
        }
    }
}

#[test]
fn the_books_are_rebuilt_from_the_events_of_a_long_random_run() {
    let mut market = Market::new();
    market.check();
    let governance = market.world.governance.insecure_clone();
    for step in 0..3_000 {
        market.act();
        if step > 400 && !market.ledger.seen.contains_key("TreatyCommuted") {
            let commute = ix::commute_treaty(governance.pubkey(), &market.treaties[1]);
            let outcome = market.world.send(&[&governance], &[commute]);
            market.note(outcome);
        }
        market.check();
    }
    let guardian = market.world.guardian.insecure_clone();
    let outcome = market.world.send(&[&guardian], &[ix::pause(guardian.pubkey(), PAUSE_PURCHASES)]);
    market.must(outcome);
    market.check();
    println!("{:?}", market.ledger.seen);
    // A run that did not meet an event says nothing about it.
    for event in idl::events().iter().filter(|event| !STILL.contains(&event.as_str())) {
        assert!(
            market.ledger.seen.contains_key(event.as_str()),
            "no {event} in this run: in tests/tests/event_replay.rs, Ledger says what it does to the books and Market lets \
             it happen; one that moves nothing is in STILL"
        );
    }
}

#[test]
fn the_dust_of_the_last_shares_is_in_the_events() {
    // All shares of a tranche leave at a price that is no round number: what rounding leaves goes to the surplus.
    let world = World::new();
    let mut ledger = Ledger::default();
    let keys = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0);
    let (governance, payer) = (&world.governance, world.payer.pubkey());
    let create = ix::create_pool(governance.pubkey(), payer, &keys, terms::create_pool(0));
    ledger.read(&world.run(&[governance], &[create]).logs);
    let product = world.create_product(&keys, terms::stress());
    let person = world.person(2_000 * ONE);
    let mut read = |outcome: Outcome| ledger.read(&outcome.unwrap_or_else(|error| panic!("{}", explain(&error))).logs);
    read(world.deposit(&keys, &person, Tranche::Junior, 1_000 * ONE));
    world.next_day();
    world.print(&product, 100_000_000);
    read(world.buy(&product, &person, 700 * ONE, 30).1);
    world.advance(3 * DAY);
    let held = world.shares(&keys, &person, Tranche::Junior);
    read(world.request_exit(&keys, &person, Tranche::Junior, held).1);
    assert_eq!(ledger.seen["dust of a request"], 1);
    ledger.check(&world, &keys);
}

#[test]
fn a_refused_instruction_reports_nothing() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let person = world.person(ONE);
    let args = DepositArgs { tranche: Tranche::Junior, amount: ONE, min_shares: 0, seen: world.pool(&keys).seen() };
    let error = world.send(&[&person.key], &[ix::deposit(&keys, person.id(), None, args)]).unwrap_err();
    assert!(!explain(&error).contains("Program data: "));
}

/// Events that have no number: they concern no pool, or repeat what a trigger's account keeps.
const UNNUMBERED: [&str; 8] = [
    "Initialized",
    "AttestorSetCreated",
    "EquivocationReported",
    "GovernanceProposed",
    "GovernanceAccepted",
    "RolesSet",
    "PauseSet",
    "Observed",
];

#[test]
fn every_event_of_a_pool_has_a_number() {
    let mut named: Vec<&str> = NUMBERED.iter().chain(&UNNUMBERED).copied().collect();
    named.sort_unstable();
    let mut declared = idl::events();
    declared.sort_unstable();
    assert_eq!(named, declared, "app/client/src/numbering.rs reads the numbers of every event");
}

/// Case 18: whoever sends a transaction cuts its log before the program comes to speak. The event is gone, and its number
/// tells so; what it reported is in the instruction and the accounts.
fn drowned(flood: Vec<Instruction>) {
    let world = World::unsigned();
    let mut ledger = Ledger::default();
    let keys = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0);
    let (governance, payer) = (&world.governance, world.payer.pubkey());
    let create = ix::create_pool(governance.pubkey(), payer, &keys, terms::create_pool(0));
    ledger.read(&world.run(&[governance], &[create]).logs);
    let person = world.person(5_000 * ONE);
    ledger.read(&world.deposit(&keys, &person, Tranche::Senior, 1_000 * ONE).expect("it is taken").logs);
    ledger.check(&world, &keys);

    let args =
        DepositArgs { tranche: Tranche::Senior, amount: 10 * ONE, min_shares: 0, seen: world.pool(&keys).seen() };
    let deposit = ix::deposit(&keys, person.id(), None, args);
    let before = world.pool(&keys);
    let receipt = world.run(&[&person.key], &[vec![budget()], flood, vec![deposit.clone()]].concat());
    assert!(receipt.logs.iter().any(|line| line.contains("truncated")), "the log is cut");
    assert!(events::<Deposited>(&receipt.logs).is_empty(), "the event is gone");
    ledger.read(&receipt.logs);
    // The next event shows the gap; without one the account does.
    let lost = before.events + 1;
    world.hear().iter().for_each(|logs| ledger.numbering.read(logs));
    assert_eq!(ledger.numbering.missing(&keys.pool, world.pool(&keys).events), [lost..=lost]);
    ledger.read(&world.deposit(&keys, &person, Tranche::Senior, ONE).expect("it is taken").logs);
    world.hear().iter().for_each(|logs| ledger.numbering.read(logs));
    assert_eq!(world.pool(&keys).events, lost + 1);
    assert_eq!(ledger.numbering.missing(&keys.pool, lost + 1), [lost..=lost]);
    let snapshot = Snapshot::read(&world.cluster).expect("the cluster answers");
    let audit = audit::audit_with_events(&snapshot, None, &ledger.numbering);
    let found: Vec<String> = audit.findings().map(ToString::to_string).collect();
    let expected = format!("events: pool {}: events read: expected 1 to {}, found all but {lost}", keys.pool, lost + 1);
    assert_eq!(found, [expected]);
    assert!(audit.findings().all(|finding| finding.rule == Rule::Events));

    // The instruction says what was asked for, and the program's own rule on the books before what came of it.
    let data = backstop::instruction::Deposit::deserialize(&mut &deposit.data[8..]).expect("it is a deposit");
    let mut books = before;
    let shares = books.deposit(data.args.tranche, data.args.amount, data.args.min_shares).expect("it was taken");
    ledger.read(&[line(&Deposited {
        pool: keys.pool,
        sequence: lost,
        tranche: data.args.tranche,
        owner: person.id(),
        amount: data.args.amount,
        shares,
    })]);
    // As it was read from no frame of the program, its number is noted by hand.
    ledger.numbering.note(Number { pool: keys.pool, sequence: lost });
    ledger.check(&world, &keys);
    let audit = audit::audit_with_events(&snapshot, None, &ledger.numbering);
    assert!(audit.is_ok());
}

/// An event as a line of a log.
fn line<E: anchor_lang::AnchorSerialize + Discriminator>(event: &E) -> String {
    let mut bytes = E::DISCRIMINATOR.to_vec();
    event.serialize(&mut bytes).expect("a vector grows");
    format!("Program data: {}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[test]
fn a_deposit_that_is_drowned_by_52_accruals_leaves_a_gap() {
    let world = World::unsigned();
    let pool = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0).pool;
    drowned(vec![ix::accrue(pool); 52]);
}

#[test]
fn a_deposit_that_is_drowned_by_45_memos_leaves_a_gap() {
    let memo = anchor_lang::prelude::pubkey!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
    drowned(vec![Instruction { program_id: memo, accounts: vec![], data: vec![] }; 45]);
}
