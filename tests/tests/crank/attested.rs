//! Signers and the crank alone: what attestors sign is collected where they serve it, and brought home.

use super::*;
use backstop::peril::feed::Source as Kind;
use backstop_client::attest::definition::Definition;
use backstop_client::attest::reading::Places;
use backstop_client::instruction::NewProduct;
use backstop_keeper::attestor::{Attestor, Origin, Setup, Source};
use backstop_keeper::crank::Signers;
use backstop_keeper::http::Server;
use backstop_tests::attest::{Attestors, FEED as REPORTED};
use backstop_tests::live;
use backstop_tests::season::Season;
use std::path::PathBuf;

const LONG: Duration = Duration::from_secs(60);
const RAIN: &str = "unit: mm\nexponent: -1\nleast: 0\nmost: 2000\nevery: 1h\noldest: 24h\n";
const LOSS: &str = "kind: loss\nunit: basis points\nrounding: down\nevery: 1h\noldest: 14days\n";

/// An attestor that serves what it has signed.
struct Attesting<'w> {
    attestor: Attestor<'w>,
    server: Server,
    folder: tempfile::TempDir,
}

impl<'w> Attesting<'w> {
    /// One whose source is a file of each moment, by its name, or one file, named `loss`.
    fn start(world: &'w World, attestors: &'w Attestors, place: usize, text: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "").unwrap();
        let attestor = attestor(world, attestors, place, text, folder.path().to_owned());
        let server = attestor.board().serve("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { attestor, server, folder }
    }

    fn says(&self, of: &str, what: &str) {
        std::fs::write(self.folder.path().join(of), what).unwrap();
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }
}

fn attestor<'w>(
    world: &'w World,
    attestors: &'w Attestors,
    place: usize,
    text: &'static str,
    folder: PathBuf,
) -> Attestor<'w> {
    // The feed is the tests', whatever defines it.
    let terms = Definition { feed: REPORTED, ..Definition::read(text.as_bytes()).unwrap() };
    let origin = match text {
        LOSS => Origin::File(folder.join("loss")),
        _ => Origin::Command(vec!["cat".into(), folder.join("{at}").display().to_string()]),
    };
    let source = Source::new(origin, Places::default(), None, LONG);
    let setup = Setup {
        cluster: &world.cluster,
        key: &attestors.keys[place],
        set: attestors.set,
        definition: text.as_bytes(),
        terms,
        source,
        skew: u64::MAX,
    };
    Attestor::new(setup, &folder.join("log"), LONG).unwrap()
}

/// A crank that collects from all of them.
fn collecting<'w>(world: &'w World, payer: &'w Keypair, signers: &[Attesting]) -> Crank<'w> {
    let urls: Vec<String> = signers.iter().map(Attesting::url).collect();
    Crank::new(&world.cluster, payer, Box::new(Signers::new(&urls)), options())
}

#[track_caller]
fn idle(crank: &mut Crank) -> Report {
    let report = crank.run_until_idle().unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert!(report.skipped.is_empty() && report.unknown.is_empty(), "{report:?}");
    report
}

/// The worked example of the wording: a protocol of 100 is robbed of 66 on a day; one attestor says so, then the others.
#[test]
fn a_drained_protocol_goes_from_its_sale_to_its_payout_with_the_crank_and_signers_alone() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.cooldown_seconds = u32::try_from(21 * DAY).unwrap();
    let pool = world.create_pool(args);
    let attestors = Attestors::create(&world, 0, 3, 2);
    let hold = |number: u64, amount: u64| {
        world.cluster.set_tokens(&seeded(720 + number).pubkey(), &world.covered, amount * ONE)
    };
    let new = NewProduct {
        source: Kind::VaultDrop,
        feed: REPORTED,
        attestors: Some(attestors.set),
        vaults: vec![hold(0, 60), hold(1, 40)],
        terms: live::drop_terms(),
        ..terms::create_product(world.covered, live::drop_condition())
    };
    let product = world.create_product_with(&pool, new);
    world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
    let payer = operator(&world);
    let mut signers: Vec<Attesting> = (0..3).map(|place| Attesting::start(&world, &attestors, place, LOSS)).collect();
    signers.iter().for_each(|signer| signer.says("loss", "0"));
    let mut crank = collecting(&world, &payer, &signers);
    let mut slot = || {
        world.cluster.set_time((world.now() / 180 + 1) * 180);
        let shown = idle(&mut crank).count("observe");
        world.advance(90);
        world.cluster.skip_slots(150);
        shown + idle(&mut crank).count("observe")
    };
    world.next_day();
    slot();
    world.advance(3 * DAY);
    slot();
    let holder = world.person(10_000 * ONE);
    let (mint, bought) = world.buy(&product, &holder, 10_000 * ONE, 30);
    bought.unwrap_or_else(|error| panic!("{}", explain(&error)));
    let held = world.assets(&holder);
    for _ in 0..4 {
        world.next_day();
        slot();
    }
    // Nobody has lost anything: signers say so, and sign nothing.
    for signer in &mut signers {
        assert_eq!(signer.attestor.look().unwrap(), None);
    }
    let before = world.cover(&mint).active_day;
    assert!(world.today() > before, "the cover runs");
    world.cluster.set_time((world.now() / 3_600 + 1) * 3_600);
    let robbed_at = world.now() + 30;
    hold(0, 0);
    hold(1, 34);
    for _ in 0..10 {
        slot();
    }
    assert_eq!(world.trigger(&product).keys.armed_at, 0);
    slot();
    let armed = world.trigger(&product).keys;
    assert_eq!((armed.mean, armed.severity_bps, armed.armed_at - armed.event_at), (34_000_000, 10_000, 1_800));
    // One knows.
    let says = format!("6600 {robbed_at}");
    signers[1].says("loss", &says);
    let signed = signers[1].attestor.look().unwrap().expect("it is a loss");
    assert_eq!((signed.value, signed.observed_at, signed.exponent), (6_600, robbed_at / 3_600 * 3_600, -4));
    let crank = &mut collecting(&world, &payer, &signers);
    assert!(idle(crank).count("observe") >= 1);
    let trigger = world.trigger(&product);
    assert_eq!(
        (trigger.phase(), trigger.keys.reported_at, trigger.keys.confirmed_at),
        (Phase::Breaching, world.now(), 0)
    );
    assert_eq!(world.pool(&pool).alerts, 1);
    // It is said once: in the running alert one signature says nothing new.
    let said = world.trigger(&product).keys;
    idle(crank);
    assert_eq!(world.trigger(&product).keys, said);
    // The others know an hour later. Before a day is over it proves nothing.
    world.advance(3_600);
    for place in [0, 2] {
        signers[place].says("loss", &says);
        assert!(signers[place].attestor.look().unwrap().is_some());
        assert_eq!(signers[place].attestor.look().unwrap(), None, "once");
    }
    idle(crank);
    assert_eq!(world.trigger(&product).keys.confirmed_at, 0);
    world.cluster.set_time(armed.confirms_from() - 1);
    idle(crank);
    assert_eq!(world.trigger(&product).keys.confirmed_at, 0);
    world.advance(1);
    let report = idle(crank);
    assert_eq!((report.count("open_incident"), report.count("settle_cover")), (1, 1));
    let keys = world.trigger(&product).keys;
    assert_eq!((keys.confirmed_at, keys.loss_bps, keys.event_at), (armed.confirms_from(), 6_600, armed.event_at));
    assert!(world.assets(&holder) >= held + 6_600 * ONE, "{}", world.assets(&holder) - held);
    assert_eq!(world.cover(&mint).paid, 6_600 * ONE);
    assert_eq!(world.cover(&mint).state, CoverState::Settled);
    assert_books(&world.cluster, &pool.pool);
}

/// The source is silent at the moment that counts, and speaks when later moments were signed.
#[test]
fn a_reading_whose_source_was_late_is_signed_collected_and_brought_home() {
    let world = World::new();
    let attestors = Attestors::create(&world, 0, 5, 3);
    let season = Season::begin(&world, attestors.set, 1);
    let product = season.products[0];
    let (holder, mint) = season.holder(&world, &product, 10_000 * ONE);
    let held = world.assets(&holder);
    let due_at = season.reading.due_at;
    let payer = operator(&world);
    let mut signers: Vec<Attesting> = (0..3).map(|place| Attesting::start(&world, &attestors, place, RAIN)).collect();
    let mut crank = collecting(&world, &payer, &signers);
    // One is new and has signed nothing; the others have of the hour before.
    world.cluster.set_time(due_at - 3_600);
    for signer in &mut signers[..2] {
        signer.says(&(due_at - 3_600).to_string(), "79");
        assert!(signer.attestor.look().unwrap().is_some());
    }
    for hour in 0..5 {
        world.cluster.set_time(due_at + hour * 3_600);
        for signer in &mut signers {
            if hour > 0 {
                signer.says(&world.now().to_string(), "81");
            }
            assert_eq!(signer.attestor.look().is_ok(), hour > 0);
            assert!(signer.attestor.look().is_err() == (hour == 0), "the moment that is open is not there yet");
        }
        idle(&mut crank);
        assert_eq!(world.trigger(&product).reading.reported_at, 0);
    }
    for signer in &mut signers {
        signer.says(&due_at.to_string(), "80");
        assert_eq!(signer.attestor.look().unwrap(), None, "it was asked for just now");
    }
    world.advance(30);
    for signer in &mut signers {
        let signed = signer.attestor.look().unwrap().expect("it is asked again");
        assert_eq!((signed.observed_at, signed.value), (due_at, 800));
    }
    // A crank that runs on asks for what is new, and from time to time for all.
    world.advance(600);
    idle(&mut crank);
    assert_eq!(
        (world.trigger(&product).reading.value, world.trigger(&product).reading.signers),
        (8_000_000_000, 0b111)
    );
    world.advance(3 * DAY);
    assert_eq!(idle(&mut crank).count("settle_cover"), 1);
    assert_eq!((world.assets(&holder) - held, world.cover(&mint).paid), (5_000 * ONE, 5_000 * ONE));
}

/// What was open while the attestor was down is signed too; nothing of what lies behind the end of its log is, ever.
#[test]
fn moments_stay_open_for_two_weeks_also_while_the_attestor_is_down() {
    let world = World::new();
    let attestors = Attestors::create(&world, 0, 3, 2);
    let signer = Attesting::start(&world, &attestors, 0, RAIN);
    let hour = |number: i64| (world.now() / 3_600 + number) * 3_600;
    let (first, folder) = (hour(1), signer.folder.path().to_owned());
    let says = |at: i64| std::fs::write(folder.join(at.to_string()), "80").unwrap();
    for number in -2..400 {
        says(first + number * 3_600);
    }
    world.cluster.set_time(first);
    let begin = || attestor(&world, &attestors, 0, RAIN, folder.clone());
    let all = |attestor: &mut Attestor| {
        let mut signed = Vec::new();
        for _ in 0..600 {
            world.advance(1);
            signed.extend(attestor.look().unwrap().map(|report| (report.observed_at - first) / 3_600));
        }
        signed
    };
    // A log that is empty has no end to begin at: only the present.
    assert_eq!(all(&mut begin()), [0]);
    world.cluster.set_time(first + 5 * 3_600);
    std::fs::remove_file(folder.join((first + 3 * 3_600).to_string())).unwrap();
    let mut again = begin();
    assert_eq!(all(&mut again), [5, 1, 2, 4]);
    // What one of two that share a log has said the other does not say again.
    says(first + 3 * 3_600);
    assert_eq!((all(&mut begin()), all(&mut again)), (vec![], vec![3]));
    // Down for longer than two weeks.
    world.cluster.set_time(first + 399 * 3_600);
    let signed = all(&mut begin());
    assert_eq!((signed.len(), signed[0], signed[1], signed[336]), (337, 399, 63, 398));
}

/// What a source says without a time is of now: it is no word of an earlier moment.
#[test]
fn of_an_earlier_moment_only_a_source_is_taken_that_says_of_when_it_speaks() {
    let world = World::new();
    let attestors = Attestors::create(&world, 0, 3, 2);
    let folder = tempfile::tempdir().unwrap();
    let says = |what: &str| std::fs::write(folder.path().join("rain"), what).unwrap();
    std::fs::write(folder.path().join("log"), "").unwrap();
    let terms = Definition { feed: REPORTED, ..Definition::read(RAIN.as_bytes()).unwrap() };
    let source = Source::new(Origin::File(folder.path().join("rain")), Places::default(), None, LONG);
    let (cluster, key, set) = (&world.cluster, &attestors.keys[0], attestors.set);
    let setup = Setup { cluster, key, set, definition: RAIN.as_bytes(), terms, source, skew: u64::MAX };
    let mut attestor = Attestor::new(setup, &folder.path().join("log"), LONG).unwrap();
    let missed = (world.now() / 3_600 + 1) * 3_600;
    world.cluster.set_time(missed);
    says("nothing");
    assert!(attestor.look().is_err());
    world.cluster.set_time(missed + 3_600);
    says("20");
    assert_eq!(attestor.look().unwrap().map(|report| report.observed_at), Some(missed + 3_600));
    for what in ["19".to_owned(), format!("19 {}", missed + 1), format!("19 {}", missed - 24 * 3_600 - 1)] {
        says(&what);
        assert_eq!(attestor.look().unwrap(), None, "{what}");
        world.advance(30);
    }
    says(&format!("19 {}", missed - 60));
    let signed = attestor.look().unwrap().expect("it is of that time");
    assert_eq!((signed.observed_at, signed.value), (missed, 190));
}

#[test]
fn a_log_of_one_key_is_no_other_keys() {
    let world = World::new();
    let attestors = Attestors::create(&world, 0, 3, 2);
    let signer = Attesting::start(&world, &attestors, 0, LOSS);
    let terms = Definition { feed: REPORTED, ..Definition::read(LOSS.as_bytes()).unwrap() };
    let source = Source::new(Origin::File(signer.folder.path().join("loss")), Places::default(), None, LONG);
    let (cluster, key, set) = (&world.cluster, &attestors.keys[1], attestors.set);
    let setup = Setup { cluster, key, set, definition: LOSS.as_bytes(), terms, source, skew: u64::MAX };
    let refused = Attestor::new(setup, &signer.folder.path().join("log"), LONG).err().expect("it is another's");
    assert!(refused.to_string().contains("each key has one of its own"), "{refused}");
}

/// A source that tells a loss by a wrong moment, or two of one, makes it sign nothing.
#[test]
fn a_loss_is_signed_by_its_own_moment_and_once() {
    let world = World::new();
    let attestors = Attestors::create(&world, 0, 3, 2);
    let mut signer = Attesting::start(&world, &attestors, 0, LOSS);
    world.advance(20 * DAY);
    let now = world.now();
    for (what, kind) in [
        ("6600".to_owned(), "bounds"),
        (format!("6600 {}", now + 1), "stale"),
        (format!("6600 {}", now - 14 * DAY - 1), "stale"),
        (format!("10001 {now}"), "bounds"),
        (format!("-1 {now}"), "bounds"),
    ] {
        signer.says("loss", &what);
        let why = signer.attestor.look().expect_err(&what);
        assert_eq!(why.kind(), kind, "{what}: {why}");
    }
    signer.says("loss", &format!("6600 {}", now - DAY));
    assert!(signer.attestor.look().unwrap().is_some());
    signer.says("loss", &format!("6700 {}", now - DAY));
    assert_eq!(signer.attestor.look().expect_err("another part of the same loss").kind(), "log");
    // It stands long after it could be signed.
    signer.says("loss", &format!("6600 {}", now - DAY));
    world.advance(30 * DAY);
    assert_eq!(signer.attestor.look().unwrap(), None);
    signer.says("loss", "0");
    assert_eq!(signer.attestor.look().unwrap(), None);
}
