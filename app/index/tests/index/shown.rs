//! What was shown to triggers, as it is told.

use crate::support::{all, assert_same, indexed, read};
use backstop::events::Observed;
use backstop::peril::feed::attested::{EVENT_EXPONENT, Report, ReportKind};
use backstop_client::address;
use backstop_client::instruction as ix;
use backstop_client::transaction;
use backstop_index::Database;
use backstop_index::read::{Signed, Told};
use backstop_tests::attest::{Attestors, sign};
use backstop_tests::season::Season;
use backstop_tests::terms::{self, ONE};
use backstop_tests::{World, budget, live};
use solana_sdk::signer::Signer;

#[test]
fn what_was_shown_is_told_with_its_moments_and_who_was_revoked() {
    let world = World::unsigned();
    world.cluster.record();
    let attestors = Attestors::create(&world, 0, 3, 2);
    let mut args = terms::create_pool(0);
    args.terms.cooldown_seconds = 21 * 86_400;
    let pool = world.create_pool(args);
    let priced = world.create_product(&pool, terms::stress());
    world.print(&priced, 99_000_000);
    let season = Season::begin(&world, attestors.set, 1);
    let reading = season.products[0];
    season.holder(&world, &reading, 1_000 * ONE);
    let armed = live::armed(&world, &pool, attestors.set);

    // One attestor says that 60 % were lost, then two say less, a day after the fall.
    let loss = |keys: &[usize], bps: i64| {
        let report = attestors.report(bps, world.now());
        let report = Report { kind: ReportKind::Event, exponent: EVENT_EXPONENT, ..report };
        let observe = ix::observe_report(&armed, attestors.set);
        world.run(&[], &[budget(), attestors.signed(keys, &report), observe]);
        world.now()
    };
    let first = loss(&[2], 6_000);
    world.advance(86_400);
    let second = loss(&[0, 1], 5_500);
    let mut database = Database::in_memory().expect("there is memory");
    read(&mut database, &world.cluster);
    let told = |database: &Database, product, most| {
        database.shown(&product, most).expect("it can be read").expect("it is known")
    };
    let history = told(&database, armed.product, 1_000);
    assert_eq!((history.trigger, history.is_reading, history.is_cut), (armed.trigger(), false, false));
    assert_eq!(history.attestors, Some(attestors.set));
    let [.., fall, one, two] = &history.shown[..] else { panic!("{history:?}") };
    let keys = world.trigger(&armed).keys;
    let expected = Told::Fall { began_at: keys.event_at, mean_e8: 34_000_000, severity_bps: 10_000 };
    assert_eq!((fall.of, &fall.says), (keys.armed_at, &expected));
    assert_eq!((one.of, &one.says), (first, &Told::Loss { loss_bps: 6_000, signatures: 1, is_confirmed: false }));
    assert_eq!((two.of, &two.says), (second, &Told::Loss { loss_bps: 5_500, signatures: 2, is_confirmed: true }));
    assert_eq!(one.says.words(), "1 attestor says that 60.00 % was lost");
    assert_eq!(two.says.words(), "2 attestors say that 55.00 % was lost, which proves the event");
    // Every showing of the vaults, and what counted of them.
    let count = |is: fn(&Told) -> bool| history.shown.iter().filter(|shown| is(&shown.says)).count();
    assert_eq!(count(|says| matches!(says, Told::Showing { .. })), 25);
    let logs: Vec<String> = all(&world.cluster).into_iter().filter_map(|executed| executed.logs).flatten().collect();
    let counted = transaction::events::<Observed>(&logs).into_iter().filter(|event| event.trigger == armed.trigger());
    let counted: Vec<(i64, u64)> = counted.map(|event| (event.publish_time, event.price)).collect();
    let values = history.shown.iter().filter_map(|shown| match shown.says {
        Told::Value { value_e8, .. } => Some((shown.of, value_e8)),
        _ => None,
    });
    assert!(counted.len() > 5 && values.collect::<Vec<_>>() == counted);
    for shown in &history.shown {
        let executed = all(&world.cluster).into_iter().find(|it| it.signature == shown.moment.signature);
        assert_eq!(executed.expect("it is there").slot, shown.moment.slot);
    }
    // The newest of them, and that there are more.
    let newest = told(&database, armed.product, 2);
    assert_eq!((&newest.shown[..], newest.is_cut), (&history.shown[history.shown.len() - 2..], true));

    // A market's price has nothing else.
    let prices = told(&database, priced.product, 10);
    assert_eq!(prices.attestors, None);
    let [price] = &prices.shown[..] else { panic!("{prices:?}") };
    assert_eq!(price.says, Told::Value { value_e8: 99_000_000, confidence_e8: 0 });
    assert_eq!(price.says.words(), "0.99");

    // The reading's value, and a key that had signed another.
    let due_at = season.reading.due_at;
    world.cluster.set_time(due_at + 60);
    let report = attestors.report(8_000_000_000, due_at);
    let observe = ix::observe_report(&reading, attestors.set);
    world.run(&[], &[budget(), attestors.signed(&[0, 1], &report), observe]);
    let lie = Report { value: 1, ..report };
    let lies = [&report, &lie].map(|said| sign(&[&attestors.keys[0]], &said.to_bytes()));
    let [honest, other] = lies;
    world.run(&[], &[budget(), honest, other, ix::report_equivocation(attestors.set)]);
    read(&mut database, &world.cluster);
    let history = told(&database, reading.product, 10);
    assert_eq!((history.trigger, history.is_reading), (address::trigger(&reading.product), true));
    let [value, revoked] = &history.shown[..] else { panic!("{history:?}") };
    assert_eq!((value.of, &value.says), (due_at, &Told::Value { value_e8: 8_000_000_000, confidence_e8: 0 }));
    let Told::Revoked { key, signed, live, can_report } = &revoked.says else { panic!("{revoked:?}") };
    let signed_of = |report: &Report| Signed { value: report.value, confidence: 0, exponent: -8 };
    assert_eq!((*key, *live, *can_report), (attestors.keys[0].pubkey(), 2, true));
    assert_eq!((revoked.of, *signed), (due_at, [signed_of(&report), signed_of(&lie)]));
    // It is of both products' feed: both are told.
    assert_eq!(told(&database, armed.product, 1).shown[0].says, revoked.says);
    assert_same(&database, &indexed(&world.cluster));

    // Of what is not there nothing is told, and of a reading there are no slots of prices.
    assert!(database.shown(&pool.pool, 10).expect("it can be read").is_none());
    assert!(database.price_history(&reading.product, i64::MIN, i64::MAX).expect("it can be read").is_none());
}

#[test]
fn what_was_shown_is_found_without_reading_every_event() {
    let database = Database::in_memory().expect("there is memory");
    let plan = |sql: &str| -> String {
        let mut statement = database.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("it is SQL");
        let rows = statement.query_map([], |row| row.get::<_, String>(3)).expect("it answers");
        rows.map(|row| row.expect("a text")).collect::<Vec<_>>().join("\n")
    };
    let of_trigger = plan(
        "SELECT bytes FROM events WHERE name IN ('Observed', 'ReadingShown', 'DropArmed', 'LossReported') \
         AND substr(bytes, 9, 32) = x'00'",
    );
    assert!(of_trigger.contains("events_of_triggers"), "{of_trigger}");
    let rare = plan(
        "SELECT bytes FROM events WHERE name = 'ConditionSet' AND name IN ('ConditionSet', 'ReadingSet', \
         'EquivocationReported')",
    );
    assert!(rare.contains("events_of_sources"), "{rare}");
}

#[test]
fn an_index_of_the_first_version_is_brought_up_to_date() {
    let world = World::unsigned();
    world.cluster.record();
    let pool = world.create_pool(terms::create_pool(0));
    let priced = world.create_product(&pool, terms::stress());
    world.print(&priced, 99_000_000);
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("index.sqlite");
    let mut database = Database::open(&file).expect("it can be made");
    read(&mut database, &world.cluster);
    let connection = database.connection();
    connection.execute_batch("DROP INDEX events_of_triggers; DROP INDEX events_of_sources").expect("they are there");
    connection.pragma_update(None, "user_version", 1).expect("it can be written");
    drop(database);
    assert!(Database::open_read_only(&file).is_err(), "a reader does not write");
    let database = Database::open(&file).expect("it is brought up to date");
    let shown = database.shown(&priced.product, 10).expect("it can be read").expect("it is known");
    assert_eq!(shown.shown.len(), 1);
}
