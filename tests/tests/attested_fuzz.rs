//! Random reports, contradictions, retirements and purchases against a model of a few lines: who may say what, and what
//! follows when too few are left.
//!
//! More of it: `BACKSTOP_FUZZ_SEED`, `BACKSTOP_FUZZ_SEQUENCES` and `BACKSTOP_FUZZ_ACTIONS`, as with `stateful_fuzz::`.

use backstop::peril::evidence::Phase;
use backstop::peril::feed::Source;
use backstop::peril::feed::attested::Report;
use backstop::state::{AttestorSet, ProductState, Tranche};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, NewProduct, ProductKeys};
use backstop_tests::attest::{Attestors, FEED, attestor, sign};
use backstop_tests::fuzz::rng::Rng;
use backstop_tests::terms::{self, HOUR, ONE};
use backstop_tests::{Outcome, Person, World, budget, explain};
use solana_sdk::signer::Signer;
use std::collections::{BTreeMap, BTreeSet};

const CALM: i64 = 100_000_000;

/// A set as the model has it.
struct Set {
    attestors: Attestors,
    threshold: usize,
    revoked: BTreeSet<usize>,
}

impl Set {
    fn live(&self) -> usize {
        self.attestors.keys.len() - self.revoked.len()
    }

    fn is_alive(&self) -> bool {
        self.live() >= self.threshold
    }
}

struct Machine<'w> {
    world: &'w World,
    sets: Vec<Set>,
    /// Each with the place of its set, and whether it was retired.
    products: Vec<(ProductKeys, usize, bool)>,
    buyer: Person,
    rng: Rng,
    /// What was done, and what was refused.
    count: BTreeMap<String, u64>,
}

impl<'w> Machine<'w> {
    fn new(world: &'w World, seed: u64) -> Self {
        let pool = world.create_pool(terms::create_pool(0));
        let sets: Vec<Set> = [(3, 2), (5, 3)]
            .into_iter()
            .zip(0..)
            .map(|((keys, threshold), id)| Set {
                attestors: Attestors::create(world, id, keys, threshold),
                threshold: usize::from(threshold),
                revoked: BTreeSet::new(),
            })
            .collect();
        let on = |set: usize| {
            let attestors = Some(sets[set].attestors.set);
            let product = terms::create_product(world.covered, terms::stress());
            let new = NewProduct { source: Source::Attested, feed: FEED, attestors, ..product };
            (world.create_product_with(&pool, new), set, false)
        };
        let products = vec![on(0), on(0), on(1)];
        world.depositor(&pool, Tranche::Senior, 200_000 * ONE);
        world.next_day();
        let buyer = world.person(100_000 * ONE);
        Self { world, sets, products, buyer, rng: Rng::new(seed), count: BTreeMap::new() }
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.rng.below(times) == 0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).expect("it is small")
    }

    fn note(&mut self, what: &str, outcome: &Outcome) {
        let how = if outcome.is_ok() { "done" } else { "refused" };
        *self.count.entry(format!("{what} {how}")).or_default() += 1;
    }

    fn step(&mut self) {
        match self.rng.below(20) {
            0..=8 => self.report(),
            9..=10 => self.contradict(),
            11 => self.retire(),
            12..=15 => self.buy(),
            16..=18 => {
                let seconds = [1, 60, 600, 1_800, HOUR, HOUR + 1][self.below(6)];
                self.world.advance(seconds);
            }
            _ => self.world.next_day(),
        }
        self.invariants();
    }

    /// A message about a feed, wrong in one of several ways once in a while. Says whether it is right for the set.
    fn message(&mut self, set: usize) -> (Report, bool) {
        let now = self.world.now();
        let value = [CALM, CALM, CALM, 97_000_000, 94_000_000][self.below(5)];
        let at = now - [0, 0, 1, 30, 60][self.below(5)];
        let mut report = self.sets[set].attestors.report(value, at);
        let mut right = true;
        if self.once_in(6) {
            right = false;
            match self.rng.below(4) {
                0 => report.cluster[7] ^= 1,
                1 => report.feed[31] ^= 1,
                2 => report.set = self.sets[1 - set].attestors.set,
                _ => report.observed_at = now + 1,
            }
        }
        (report, right)
    }

    /// Some keys in any order, strangers and the same twice among them.
    fn signers(&mut self, set: usize) -> Vec<usize> {
        let count = self.sets[set].attestors.keys.len();
        let threshold = self.sets[set].threshold;
        let mut wanted: Vec<usize> = (0..count).collect();
        for place in (1..count).rev() {
            let other = self.below(place + 1);
            wanted.swap(place, other);
        }
        // Mostly those that may sign, and enough.
        if !self.once_in(3) {
            wanted.retain(|key| !self.sets[set].revoked.contains(key));
        }
        let many = if self.once_in(4) { threshold - 1 } else { threshold + self.below(2) };
        wanted.truncate(many);
        if self.once_in(10) {
            wanted.push(count + 1);
        }
        if self.once_in(10)
            && let Some(first) = wanted.first().copied()
        {
            wanted.push(first);
        }
        wanted
    }

    fn report(&mut self) {
        let place = self.below(self.products.len());
        let (product, set, _) = self.products[place];
        let (report, right) = self.message(set);
        let signers = self.signers(set);
        let may = |key: &usize| *key < self.sets[set].attestors.keys.len() && !self.sets[set].revoked.contains(key);
        let distinct = signers.iter().collect::<BTreeSet<_>>().len() == signers.len();
        let enough = (self.sets[set].threshold..=6).contains(&signers.len());
        let counts = right && distinct && enough && signers.iter().all(may);
        let before = self.bytes(&product);
        let keys: Vec<_> = signers.iter().map(|key| attestor(u8::try_from(*key).expect("it is small"))).collect();
        let signed = sign(&keys.iter().collect::<Vec<_>>(), &report.to_bytes());
        let shown = ix::observe_report(&product, self.sets[set].attestors.set);
        let outcome = self.world.send(&[], &[budget(), signed, shown]);
        self.note("report", &outcome);
        let closed = self.world.trigger(&product).phase() == Phase::Final;
        if counts {
            // A minute old at most: its slot is open, unless nothing is taken any more.
            assert!(outcome.is_ok() || closed, "{signers:?} {report:?}: {}", explain(&outcome.unwrap_err()));
        } else {
            assert!(
                outcome.is_err(),
                "it counts though it must not: {signers:?} of {:?} {report:?}",
                self.sets[set].revoked
            );
            assert_eq!(self.bytes(&product), before, "a refusal changes nothing");
        }
    }

    fn contradict(&mut self) {
        // Seldom, or no set lives long.
        let set = self.below(2);
        let (one, right) = self.message(set);
        let mut other = one;
        let mut differs = true;
        match self.rng.below(6) {
            0 => differs = false,
            1 => {
                other.observed_at -= 1;
                differs = false;
            }
            2 => other.confidence += 1,
            3 => other.exponent += 1,
            _ => other.value += 1,
        }
        let count = self.sets[set].attestors.keys.len();
        let by = self.below(count + 1);
        let second = if self.once_in(5) { (by + 1) % count } else { by };
        // A contradiction about another feed, or of a moment to come, is one too; of another set or cluster it is none here.
        let ours = one.set == self.sets[set].attestors.set && one.cluster == backstop_tests::attest::cluster();
        let counts = differs && ours && by == second && by < count && !self.sets[set].revoked.contains(&by);
        let _ = right;
        if counts && self.sets[set].is_alive() && !self.once_in(4) {
            return;
        }
        let key = |place: usize| attestor(u8::try_from(place).expect("it is small"));
        let signed = [sign(&[&key(by)], &one.to_bytes()), sign(&[&key(second)], &other.to_bytes())];
        let [first, last] = signed;
        let accuse = ix::report_equivocation(self.sets[set].attestors.set);
        let outcome = self.world.send(&[], &[budget(), first, last, accuse]);
        self.note("contradiction", &outcome);
        assert_eq!(outcome.is_ok(), counts, "{by} {second} {one:?} {other:?}");
        if counts {
            self.sets[set].revoked.insert(by);
        }
    }

    fn retire(&mut self) {
        let place = self.below(self.products.len());
        let (product, set, retired) = self.products[place];
        let state = self.world.product(&product).state();
        let outcome = self.world.send(&[], &[ix::retire_product(&product, self.sets[set].attestors.set)]);
        self.note("retirement", &outcome);
        let may = !self.sets[set].is_alive() && !retired && state == ProductState::Selling;
        assert_eq!(outcome.is_ok(), may);
        self.products[place].2 |= may;
    }

    fn buy(&mut self) {
        let place = self.below(self.products.len());
        let (product, set, retired) = self.products[place];
        let trigger = self.world.trigger(&product);
        let age = self.world.now() - trigger.evidence.last_publish_time;
        let (_, outcome) = self.world.buy(&product, &self.buyer, 10 * ONE, 7);
        self.note("purchase", &outcome);
        if outcome.is_ok() {
            assert!(!retired && age <= HOUR, "sold on a report of {age} s");
            if !self.sets[set].is_alive() {
                *self.count.entry("purchase within the hour of a dead set".into()).or_default() += 1;
            }
        }
    }

    fn bytes(&self, product: &ProductKeys) -> Vec<Vec<u8>> {
        let accounts = [product.trigger(), product.product, product.pool.pool];
        accounts.iter().map(|address| self.world.cluster.account(address).unwrap().unwrap().data).collect()
    }

    fn invariants(&self) {
        for set in &self.sets {
            let state: AttestorSet = self.world.read(&set.attestors.set);
            let revoked: BTreeSet<usize> = (0..16).filter(|place| state.revoked & (1 << place) != 0).collect();
            assert_eq!(revoked, set.revoked);
            assert_eq!((usize::from(state.live()), state.is_alive()), (set.live(), set.is_alive()));
            let keys: Vec<_> = set.attestors.keys.iter().map(Signer::pubkey).collect();
            assert_eq!(
                (state.attestors(), usize::from(state.threshold)),
                (&keys[..], set.threshold),
                "they never change"
            );
        }
        for (product, set, retired) in &self.products {
            let state = self.world.product(product).state();
            match state {
                ProductState::RunOff => assert!(*retired),
                ProductState::Over => {}
                _ => assert!(!retired),
            }
            let evidence = self.world.trigger(product).evidence;
            assert!(evidence.last_publish_time <= self.world.now(), "a report from the future was taken");
            assert!(!*retired || !self.sets[*set].is_alive());
        }
    }

    /// At the end of every sequence: a set that dies sells nothing after an hour, and is retired by anybody.
    fn wind_up(&mut self) {
        for set in 0..self.sets.len() {
            for by in 0..self.sets[set].attestors.keys.len() {
                if self.sets[set].revoked.contains(&by) || !self.sets[set].is_alive() {
                    continue;
                }
                let [one, other] = [1, 2].map(|value| self.sets[set].attestors.report(value, self.world.now()));
                let signed = [one, other].map(|report| self.sets[set].attestors.signed(&[by], &report));
                let [first, last] = signed;
                let accuse = ix::report_equivocation(self.sets[set].attestors.set);
                self.world.run(&[], &[first, last, accuse]);
                self.sets[set].revoked.insert(by);
            }
        }
        self.world.advance(HOUR + 1);
        for (product, set, retired) in self.products.clone() {
            let (_, outcome) = self.world.buy(&product, &self.buyer, 10 * ONE, 7);
            assert!(outcome.is_err(), "a dead set sells");
            let attestors = &self.sets[set].attestors;
            let all: Vec<usize> = (0..attestors.keys.len()).collect();
            let signed = attestors.signed(&all, &attestors.report(CALM, self.world.now()));
            let shown = ix::observe_report(&product, attestors.set);
            assert!(self.world.send(&[], &[budget(), signed, shown]).is_err(), "a dead set reports");
            let open = self.world.product(&product).state() == ProductState::Selling;
            let outcome = self.world.send(&[], &[ix::retire_product(&product, attestors.set)]);
            assert_eq!(outcome.is_ok(), open && !retired);
        }
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(format!("BACKSTOP_FUZZ_{name}")).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn every_random_sequence_of_reports_is_taken_as_the_model_says() {
    let (first, sequences) = (from_environment("SEED", 1), from_environment("SEQUENCES", 4));
    let actions = from_environment("ACTIONS", 150);
    let mut count = BTreeMap::<String, u64>::new();
    for seed in first..first + sequences {
        println!("seed {seed}");
        let world = World::new();
        let mut machine = Machine::new(&world, seed);
        for _ in 0..actions {
            machine.step();
        }
        machine.wind_up();
        for (what, times) in machine.count {
            *count.entry(what).or_default() += times;
        }
    }
    println!("{count:?}");
    for what in ["report", "contradiction", "retirement", "purchase"] {
        for how in ["done", "refused"] {
            assert!(count.contains_key(&format!("{what} {how}")), "no {what} was {how}: {count:?}");
        }
    }
}
