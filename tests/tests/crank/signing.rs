//! Attestors at work, by clocks that go wrong, and several sources of prices in order.

use super::*;
use backstop::peril::feed::Source as Kind;
use backstop_client::attest::definition::{Definition, ValueError};
use backstop_client::attest::reading::Places;
use backstop_keeper::attestor::{Attestor, Origin, Refusal, Setup, Source};
use backstop_keeper::crank::plan::Feed;
use backstop_keeper::crank::{InOrder, PriceError, PriceSource, Print, Trouble};
use backstop_tests::attest::Attestors;
use std::path::PathBuf;

const TEXT: &str = "unit: mm\nexponent: -1\nleast: 1\nmost: 1000\nevery: 10m\noldest: 10m\n";
const LONG: Duration = Duration::from_secs(60);

/// Attestors with a file each that says something, and a log.
struct Bench<'w> {
    world: &'w World,
    attestors: Attestors,
    folder: tempfile::TempDir,
}

impl<'w> Bench<'w> {
    fn new(world: &'w World) -> Self {
        let bench = Self { world, attestors: Attestors::create(world, 0, 3, 2), folder: tempfile::tempdir().unwrap() };
        bench.says("20");
        std::fs::write(bench.log(), "").unwrap();
        // A full moment.
        world.cluster.set_time((world.now() / 600 + 1) * 600);
        bench
    }

    fn says(&self, value: &str) {
        std::fs::write(self.folder.path().join("rain"), value).unwrap();
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// How many messages stand in the log, beside whose it is.
    fn signed(&self) -> usize {
        std::fs::read_to_string(self.log()).unwrap().lines().count() - 1
    }

    fn start(&self) -> Result<Attestor<'_>, Refusal> {
        let (cluster, key, set) = (&self.world.cluster, &self.attestors.keys[0], self.attestors.set);
        let terms = Definition::read(TEXT.as_bytes()).unwrap();
        let origin = Origin::File(self.folder.path().join("rain"));
        let source = Source::new(origin, Places::default(), None, LONG);
        let setup = Setup { cluster, key, set, definition: TEXT.as_bytes(), terms, source, skew: u64::MAX };
        Attestor::new(setup, &self.log(), LONG)
    }
}

#[test]
fn of_each_moment_one_thing_is_signed_and_nothing_new_of_what_lies_behind() {
    let world = World::new();
    let bench = Bench::new(&world);
    let mut attestor = bench.start().unwrap();
    let first = attestor.look().unwrap().expect("a moment has come");
    assert_eq!((first.value, first.exponent, first.observed_at), (200, -1, world.now()));
    assert_eq!((first.set, first.cluster), (bench.attestors.set, backstop_tests::attest::cluster()));
    bench.says("30");
    world.advance(599);
    assert_eq!(attestor.look().unwrap(), None, "the moment is over and was signed");
    world.advance(1);
    assert_eq!(attestor.look().unwrap().map(|report| report.value), Some(300));
    // The cluster's clock goes back, and so would another's by which it is started again.
    world.cluster.set_time(first.observed_at - 600);
    bench.says("40");
    let back = |refused: Result<_, Refusal>| matches!(refused, Err(Refusal::Back { .. }));
    assert!(back(attestor.look()) && back(bench.start().unwrap().look()));
    world.cluster.set_time(first.observed_at);
    assert!(back(attestor.look()), "what was signed of it stands, and is not said again in other words");
    assert_eq!(bench.signed(), 2);
}

#[test]
fn a_cluster_whose_clock_is_ahead_does_not_make_it_speak_of_what_is_to_come() {
    let world = World::new();
    let bench = Bench::new(&world);
    let truth = world.now();
    let mut attestor = bench.start().unwrap().with_clock(move || truth);
    world.advance(30 * DAY);
    assert_eq!(attestor.look().unwrap().map(|report| report.observed_at), Some(truth));
    assert_eq!(attestor.look().unwrap(), None);
    // Nor does a machine whose clock is ahead.
    let mut attestor = bench.start().unwrap().with_clock(|| i64::MAX);
    assert_eq!(attestor.look().unwrap().map(|report| report.observed_at), Some(world.now() / 600 * 600));
}

#[test]
fn what_a_source_says_of_another_time_is_not_signed() {
    let world = World::new();
    let bench = Bench::new(&world);
    let mut attestor = bench.start().unwrap();
    let now = world.now();
    bench.says(&format!("20 {}", now - 601));
    assert!(matches!(attestor.look(), Err(Refusal::Value(ValueError::Stale { age: 601, oldest: 600 }))));
    bench.says(&format!("20 {}", now + 1));
    assert!(matches!(attestor.look(), Err(Refusal::Value(ValueError::Later { .. }))));
    bench.says("0.9");
    assert!(matches!(attestor.look(), Err(Refusal::Value(ValueError::OutOfBounds { .. }))));
    bench.says("2.05");
    assert!(matches!(attestor.look(), Err(Refusal::Value(ValueError::TooFine { .. }))));
    assert_eq!(bench.signed(), 0, "nothing was to be signed");
    bench.says(&format!("20 {}", now - 600));
    assert!(attestor.look().unwrap().is_some());
}

#[test]
fn a_key_that_is_revoked_or_of_a_dead_set_signs_no_more() {
    let world = World::new();
    let bench = Bench::new(&world);
    let mut attestor = bench.start().unwrap();
    attestor.look().unwrap();
    let revoke = |place: usize| {
        let [one, other] = [1, 2].map(|value| bench.attestors.report(value, world.now()));
        let signed = [one, other].map(|report| bench.attestors.signed(&[place], &report));
        let [one, other] = signed;
        world.run(&[], &[one, other, ix::report_equivocation(bench.attestors.set)]);
    };
    revoke(1);
    world.advance(600);
    assert!(attestor.look().unwrap().is_some(), "two are left, and two must sign");
    revoke(2);
    world.advance(600);
    assert!(matches!(attestor.look(), Err(Refusal::Dead(_))));
    revoke(0);
    assert!(matches!(attestor.look(), Err(Refusal::Revoked(_))));
    assert!(matches!(bench.start(), Err(Refusal::Revoked(_))));
}

/// Says always the same, or fails.
struct Fixed(Option<Vec<Print>>);

impl PriceSource for Fixed {
    fn prints(&mut self, _cluster: &dyn Cluster, _feeds: &[Feed], _now: i64) -> Result<Vec<Print>, PriceError> {
        let silent = PriceError::Service { url: "http://here".into(), why: "it is silent".into() };
        self.0.clone().ok_or(silent)
    }
}

fn in_order<'a>(sources: Vec<(&str, Box<dyn PriceSource + 'a>)>) -> Box<InOrder<'a>> {
    Box::new(InOrder::new(sources.into_iter().map(|(name, source)| (name.to_owned(), source)).collect()))
}

#[test]
fn where_one_source_is_silent_the_next_is_used_and_it_is_told() {
    let world = World::new();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    publish(&world, HALF);
    let sources = in_order(vec![("one", Box::new(Fixed(None))), ("account", Box::new(Accounts::default()))]);
    let report = Crank::new(&world.cluster, &payer, sources, options()).run_until_idle().unwrap();
    assert_eq!((report.count("observe"), report.price_error.clone(), report.complaints().len()), (1, None, 0));
    let [one, account] = &report.sources[..] else { panic!("{:?}", report.sources) };
    assert_eq!((one.who.as_str(), one.troubles[0].0, account.troubles.len()), ("one", Trouble::Silent, 0));
    assert!(one.troubles[0].1.contains("it is silent"), "{one:?}");
    assert_eq!(world.trigger(&product).evidence.last_price, HALF as u64);
    // Where all are silent there are no prices.
    let sources = in_order(vec![("one", Box::new(Fixed(None))), ("two", Box::new(Fixed(None)))]);
    let report = Crank::new(&world.cluster, &payer, sources, options()).pass().unwrap();
    assert!(report.price_error.is_some_and(|why| why.contains("it is silent")));
}

#[test]
fn of_each_feed_the_first_source_with_a_fresh_price_is_used_and_who_disagrees_is_told() {
    let world = World::new();
    let now = world.now();
    let feed = Feed { source: Kind::PythReceiver.byte(), feed: FEED, attestors: Pubkey::default() };
    let print = |price: u64, at: i64, account: u8| Print {
        source: feed.source,
        feed: FEED,
        account: Pubkey::new_from_array([account; 32]),
        observation: backstop::peril::feed::Observation { price, confidence: 0, publish_time: at },
        attested: None,
    };
    let par = u64::try_from(PAR).unwrap();
    let ask = |one: Print, other: Print| {
        let sources: Vec<(&str, Box<dyn PriceSource>)> =
            vec![("one", Box::new(Fixed(Some(vec![one])))), ("two", Box::new(Fixed(Some(vec![other]))))];
        let mut sources = in_order(sources);
        let used = sources.prints(&world.cluster, &[feed], now).unwrap();
        let told = sources.standings().into_iter().flat_map(|standing| standing.troubles).map(|(what, _)| what);
        (used.iter().map(|print| print.account.to_bytes()[0]).collect::<Vec<_>>(), told.collect::<Vec<_>>())
    };
    assert_eq!(ask(print(par, now - 120, 1), print(par, now, 2)), (vec![1], vec![]));
    assert_eq!(ask(print(par, now - 121, 1), print(par, now, 2)), (vec![2], vec![]));
    assert_eq!(ask(print(par, now - 121, 1), print(par, now - 121, 2)), (vec![1, 2], vec![]), "neither is fresh");
    assert_eq!(ask(print(par, now, 1), print(par + par / 100, now - 60, 2)), (vec![1], vec![]), "a hundredth is none");
    let apart = par + par / 100 + 1;
    assert_eq!(ask(print(par, now, 1), print(apart, now - 60, 2)), (vec![1], vec![Trouble::Disagrees]));
    assert_eq!(ask(print(par, now, 1), print(apart, now - 61, 2)), (vec![1], vec![]), "of another time");
}
