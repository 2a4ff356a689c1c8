//! A market that trades at random: pools, treaties between them, products and people; and what the events tell of it.

use crate::terms::{self, DAY, ONE};
use crate::world::Outcome;
use crate::{Person, World, assert_books, explain};
use anchor_lang::prelude::Pubkey;
use backstop::CreatePoolArgs;
use backstop::events::*;
use backstop::peril::evidence::TermsInput;
use backstop::state::{Access, ExitTicket, ExtensionRequest, PoolKind, Seen, Tranche, TreatyKind, TreatyTerms, day_of};
use backstop_client::account;
use backstop_client::books::{Books, Replay};
use backstop_client::cluster::Cluster;
use backstop_client::event::Event;
use backstop_client::instruction::{self as ix, Pledge, PoolKeys, ProductKeys, TreatyKeys};
use backstop_client::numbering::Numbering;
use backstop_client::transaction::events;
use base64::Engine;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use solana_sdk::signer::Signer;
use std::collections::{BTreeMap, BTreeSet};

/// All pools, as the events tell of them.
#[derive(Default)]
pub struct Ledger {
    /// The books, by the client's own replay.
    pub replay: Replay,
    /// How often each event came, and each dust that was swept.
    pub seen: BTreeMap<&'static str, usize>,
    /// The numbers of the events.
    pub numbering: Numbering,
    /// Open tickets, by pool.
    tickets: BTreeMap<Pubkey, BTreeSet<Pubkey>>,
}

impl Ledger {
    /// Counts what is not nothing.
    fn count(&mut self, what: &'static str, amount: u64) {
        if amount > 0 {
            *self.seen.entry(what).or_default() += 1;
        }
    }

    /// Reads the events of a transaction.
    pub fn read(&mut self, logs: &[String]) {
        for line in logs {
            let Some(text) = line.strip_prefix("Program data: ") else { continue };
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("an event is in base64");
            let event = Event::read(&bytes).unwrap_or_else(|| panic!("an event that the client does not know: {line}"));
            self.apply(&event);
        }
    }

    fn apply(&mut self, event: &Event) {
        *self.seen.entry(event.name()).or_default() += 1;
        let before = STILL.contains(&event.name()).then(|| self.replay.clone());
        self.replay.apply(event).unwrap_or_else(|misfit| panic!("{misfit}"));
        assert!(before.is_none_or(|before| before == self.replay), "{} moves something", event.name());
        match event {
            Event::ExitRequested(event) => {
                self.count("dust of a request", event.to_surplus);
                assert!(self.tickets.entry(event.pool).or_default().insert(event.ticket));
            }
            Event::ExitCancelled(event) => {
                self.tickets.entry(event.pool).or_default().remove(&event.ticket);
            }
            Event::ExitClaimed(event) if event.closed => {
                assert!(self.tickets.entry(event.pool).or_default().remove(&event.ticket));
            }
            Event::ExitEpochClosed(event) => self.count("dust of an epoch", event.to_surplus),
            Event::CoverBought(event) => self.count("released by a sale", event.released),
            Event::IncidentOpened(event) => {
                self.count("premium of covers that waited", event.waiting_refunds);
                self.count("premium of covers in force", event.growth.loss_refunds);
                self.count("premium that a loss has earned", event.growth.accrual.late);
            }
            Event::TreatyCalled(event) => {
                self.count("reinstatement premium", event.reinstatement_premium);
                self.count("late money for holders", event.receipt.late);
            }
            _ => {}
        }
    }

    /// Asserts that a pool's books are what the events say.
    #[track_caller]
    pub fn check(&mut self, world: &World, keys: &PoolKeys) {
        // Also of transactions that a helper sent: what they reported moves nothing in the books.
        world.hear().iter().for_each(|logs| self.numbering.read(logs));
        let tickets: Vec<(Pubkey, ExitTicket)> = account::list(&world.cluster, None).unwrap();
        let own: BTreeSet<Pubkey> =
            tickets.into_iter().filter(|(_, ticket)| ticket.pool == keys.pool).map(|(key, _)| key).collect();
        assert_eq!(self.numbering.missing(&keys.pool, world.pool(keys).events), [], "events were lost");
        assert_eq!(self.tickets.get(&keys.pool).cloned().unwrap_or_default(), own);
        let told = &self.replay.pools[&keys.pool];
        assert_eq!(*told, Books::of(&world.pool(keys)));
        assert_eq!(told.sum(), told.cash, "the ledger adds up");
        assert_books(&world.cluster, &keys.pool);
    }
}

/// Events that change nothing in the books.
pub const STILL: &[&str] = &[
    "Initialized",
    "GovernanceProposed",
    "GovernanceAccepted",
    "RolesSet",
    "PauseSet",
    "ProductCreated",
    "ConditionSet",
    "ReadingSet",
    "ProductStateSet",
    "RiskRateSet",
    "CoverClosed",
    "BeneficiarySet",
    "PositionConverted",
    "PositionClosed",
    "CoverSplit",
    "PositionSplit",
    "LienSet",
    "LienLowered",
    "LienLifted",
    "Observed",
    "PhaseChanged",
    "TreatyCreated",
    "TreatyEnded",
    "CessionAnnounced",
    "CessionClosed",
    "DeadlineExtended",
    "AttestorSetCreated",
    "EquivocationReported",
    "ReadingShown",
    "DropArmed",
    "LossReported",
];

/// A product with what was sold on it.
pub struct Risk {
    /// Its addresses.
    pub keys: ProductKeys,
    /// NFT mint and holder, by place; of a position its address and owner.
    pub covers: Vec<(Pubkey, usize)>,
}

/// A world with a cover pool, a reinsurance pool, treaties between them, products and people.
pub struct Market {
    /// The world.
    pub world: World,
    /// What the events have told so far.
    pub ledger: Ledger,
    /// The cover pool.
    pub cedant: PoolKeys,
    /// The reinsurance pool.
    pub reinsurer: PoolKeys,
    /// Treaties between them.
    pub treaties: Vec<TreatyKeys>,
    risks: Vec<Risk>,
    over: Vec<Risk>,
    people: Vec<Person>,
    tickets: Vec<(bool, usize, u64)>,
    /// Of what was sold, the positions.
    positions: BTreeSet<Pubkey>,
    rng: TestRng,
}

impl Default for Market {
    fn default() -> Self {
        Self::new()
    }
}

impl Market {
    /// Pools, treaties and products, and capital in them.
    pub fn new() -> Self {
        Self::in_world(World::unsigned())
    }

    /// The same in a world that somebody has prepared, where nothing was founded yet.
    pub fn in_world(world: World) -> Self {
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
        run(&[&giver.key], &[ix::contribute_surplus(&cedant, giver.id(), 300 * ONE, Seen::ANYTHING)]);
        run(&[&giver.key], &[ix::contribute_surplus(&reinsurer, giver.id(), 2_000 * ONE, Seen::ANYTHING)]);
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let (over, tickets) = (Vec::new(), Vec::new());
        let positions = BTreeSet::new();
        let mut market =
            Self { world, ledger, cedant, reinsurer, treaties, risks, over, people, tickets, positions, rng };
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
    pub fn note(&mut self, outcome: Outcome) -> bool {
        if let Ok(receipt) = &outcome {
            self.ledger.read(&receipt.logs);
        }
        outcome.is_ok()
    }

    /// The same of what must be accepted.
    #[track_caller]
    pub fn must(&mut self, outcome: Outcome) {
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

    /// Does something at random. Returns whether it was accepted.
    pub fn act(&mut self) -> bool {
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
                let give = ix::contribute_surplus(&keys, person.id(), amount, Seen::ANYTHING);
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
                let cancel = match self.positions.contains(&mint) {
                    true => ix::cancel_position(&product, person.id(), mint, payer),
                    false => ix::cancel_cover(&product, person.id(), mint, payer),
                };
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

    /// Buys until a position is bought, and once it is in force extends and reduces it.
    pub fn change_a_position(&mut self) {
        let bought = self.positions.clone();
        for _ in 0..100 {
            self.buy(0);
            self.check();
            self.world.advance(DAY);
            let new =
                |(position, _): &&(Pubkey, usize)| self.positions.contains(position) && !bought.contains(position);
            let risks = self.risks.iter().enumerate();
            let found = risks.map(|(place, risk)| (place, risk.covers.iter().find(new).copied()));
            let Some((place, (position, holder))) = { found }.find_map(|(place, one)| Some((place, one?))) else {
                continue;
            };
            self.world.advance(DAY);
            let done = [true, false].map(|longer| self.change(place, position, holder, longer));
            self.check();
            if done == [true, true] {
                return;
            }
        }
    }

    /// A position is extended, or reduced.
    fn change(&mut self, place: usize, position: Pubkey, holder: usize, longer: bool) -> bool {
        let product = self.risks[place].keys;
        let outcome = self.world.show(&product, 100_000_000);
        self.note(outcome);
        let days = u16::try_from(1 + self.draw(30)).unwrap();
        let left = self.world.position(&position).sum_insured / 2;
        let person = &self.people[holder];
        let request = ExtensionRequest { days, max_premium: u64::MAX };
        let change = match longer {
            true => ix::extend_position(&product, person.id(), position, request),
            false => ix::reduce_position(&product, person.id(), position, left),
        };
        let outcome = self.world.send(&[&person.key], &[change]);
        self.note(outcome)
    }

    fn buy(&mut self, who: usize) -> bool {
        let place = self.pick(self.risks.len());
        let product = self.risks[place].keys;
        let outcome = self.world.show(&product, 100_000_000);
        self.note(outcome);
        let capital = self.world.pool(&self.cedant).capacity_capital().unwrap();
        let sum = ONE + self.draw((capital / 2).max(1));
        let days = u16::try_from(7 + self.draw(60)).unwrap();
        let person = &self.people[who];
        let is_position = sum.is_multiple_of(3);
        let (mint, outcome) = match is_position {
            true => self.world.buy_position(&product, [person, person], sum, days),
            false => self.world.buy(&product, person, sum, days),
        };
        if outcome.is_ok() {
            if is_position {
                self.positions.insert(mint);
            }
            self.risks[place].covers.push((mint, who));
        }
        self.note(outcome)
    }

    /// Shows a breach in every slot until the condition is met, waits the challenge out and confirms.
    fn prove(&mut self, product: &ProductKeys, price: i64) {
        let terms = self.world.trigger(product).terms;
        let slot = i64::from(terms.slot_seconds);
        for _ in 0..terms.need {
            self.world.cluster.set_time((self.world.now() / slot + 1) * slot);
            let outcome = self.world.show(product, price);
            self.must(outcome);
        }
        self.world.advance(slot + i64::from(terms.challenge));
        let outcome = self.world.send(&[], &[ix::confirm(product)]);
        self.must(outcome);
    }

    /// Something happens to a product with covers: its treaties are called or skipped, it is funded, holders are paid.
    fn incident(&mut self) -> bool {
        let Some(place) = self.risks.iter().position(|risk| risk.covers.len() > 1) else { return false };
        let risk = self.risks.remove(place);
        let product = risk.keys;
        let price = 80_000_000 + i64::try_from(self.draw(10_000_000)).unwrap();
        self.prove(&product, price);
        // A crisis that is over by now, and that nobody has closed, comes first.
        for earlier in self.over.iter().map(|risk| risk.keys).collect::<Vec<_>>() {
            if self.world.cluster.account(&earlier.incident()).unwrap().is_some() {
                self.fund(&earlier);
            }
        }
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
            let (person, pool) = (&self.people[*holder], product.pool);
            let pledge = match self.positions.contains(mint) {
                true => Pledge::Position(*mint),
                false => Pledge::Cover(*mint),
            };
            let mut settle = match pledge {
                Pledge::Position(position) => ix::settle_position(&product, position, pool.assets_of(&person.id())),
                Pledge::Cover(mint) => ix::settle_cover(&product, person.id(), mint),
            };
            // Some owe somebody a part of it.
            if mint.to_bytes()[0].is_multiple_of(3) {
                let (payer, payee) = (self.world.payer.pubkey(), pool.assets_of(&self.people[0].id()));
                let set = ix::set_lien(&product, payer, person.id(), pledge, payee, ONE);
                let outcome = self.world.send(&[&person.key], &[set]);
                if self.note(outcome) {
                    let outcome = self.world.send(&[], &[ix::settle_lien(&product, pledge.policy(), payee)]);
                    self.note(outcome);
                    settle = ix::under_lien(settle, &pledge.policy());
                }
            }
            let outcome = self.world.send(&[], &[settle]);
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

    /// Asserts that the books of both pools are what the events say.
    #[track_caller]
    pub fn check(&mut self) {
        for keys in [&self.cedant, &self.reinsurer] {
            self.ledger.check(&self.world, keys);
        }
    }
}
