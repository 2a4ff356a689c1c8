//! Live feeds: the crank shows each slot twice, by what it reads itself.

use super::*;
use backstop::peril::evidence::SlotState;
use backstop::peril::feed::Source;
use backstop_tests::catalogue::trigger::set_stake_pool;
use backstop_tests::live;

/// A pool with capital and a product on a stake pool, at the beginning of a slot.
fn live_stage(world: &World) -> (ProductKeys, Pubkey) {
    let pool = world.create_pool(terms::create_pool(0));
    let account = seeded(70).pubkey();
    world.cluster.set_epoch(5);
    set_stake_pool(world, account, 120);
    let product = world.create_product_with(&pool, live::product(world, Source::StakePoolRate, account));
    world.next_day();
    (product, account)
}

fn state(world: &World, product: &ProductKeys) -> SlotState {
    let trigger = world.trigger(product);
    trigger.evidence.state(&trigger.terms, trigger.terms.slot_of(world.now()).unwrap())
}

/// Half a minute and more, in both clocks.
fn later(world: &World) {
    world.advance(120);
    world.cluster.skip_slots(150);
}

#[test]
fn a_live_feed_is_shown_until_it_counts_and_then_no_more_in_its_slot() {
    let world = World::new();
    let (product, account) = live_stage(&world);
    let payer = operator(&world);
    let shows = || {
        let report = run(&world, &payer);
        assert!(report.skipped.is_empty() && report.unknown.is_empty(), "{report:?}");
        report.count("observe")
    };
    assert_eq!((shows(), shows()), (1, 0), "nothing confirms it yet");
    later(&world);
    assert_eq!(shows(), 1, "there is a peak");
    assert_eq!(shows(), 0);
    later(&world);
    assert_eq!((shows(), state(&world, &product)), (1, SlotState::Recovered));
    later(&world);
    assert_eq!(shows(), 0);
    // A slot later a tenth is lost. Somebody shows half of it and all of it beside, in a bundle: the crank goes on.
    world.cluster.set_time((world.now() / 600 + 1) * 600);
    for hundredths in [60, 240] {
        set_stake_pool(&world, account, hundredths);
        live::show(&world, &product, account).expect("anyone may");
    }
    set_stake_pool(&world, account, 108);
    assert_eq!(shows(), 1, "what somebody else has shown is no reason to be silent");
    later(&world);
    assert_eq!(shows(), 1);
    let trigger = world.trigger(&product);
    let slot = trigger.terms.slot_of(world.now()).unwrap();
    assert_eq!((state(&world, &product), shows()), (SlotState::Good, 0));
    assert_eq!(trigger.evidence.breach_price(&trigger.terms, slot), Some(90_000_000));
}

#[test]
fn a_feed_that_cannot_be_read_is_left_alone_and_told_by_its_age() {
    let world = World::new();
    let (_, account) = live_stage(&world);
    let payer = operator(&world);
    // The pool was not updated in the running epoch.
    world.cluster.set_epoch(6);
    let report = run(&world, &payer);
    assert_eq!((report.count("observe"), report.skipped.len()), (0, 0));
    assert!(report.complaints()[0].contains("nobody has seen a price of it"), "{:?}", report.complaints());
    world.cluster.set_epoch(5);
    world.cluster.set_account(account, Account::default());
    assert_eq!(run(&world, &payer).count("observe"), 0);
}

#[test]
fn vaults_are_shown_twice_a_slot_until_they_arm_also_when_one_is_closed() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.cooldown_seconds = 21 * 86_400;
    let pool = world.create_pool(args);
    let attestors = backstop_tests::attest::Attestors::create(&world, 0, 3, 2);
    let hold = |number: u64, amount| world.cluster.set_tokens(&seeded(720 + number).pubkey(), &world.covered, amount);
    let vaults = vec![hold(0, 1_000), hold(1, 1_000)];
    let stake_pool = live::product(&world, Source::StakePoolRate, vaults[0]);
    let product = world.create_product_with(
        &pool,
        backstop_client::instruction::NewProduct {
            source: Source::VaultDrop,
            attestors: Some(attestors.set),
            vaults: vaults.clone(),
            condition: live::drop_condition(),
            terms: live::drop_terms(),
            ..stake_pool
        },
    );
    let payer = operator(&world);
    let shows = || {
        let report = run(&world, &payer);
        assert!(report.skipped.is_empty() && report.unknown.is_empty(), "{report:?}");
        report.count("observe")
    };
    let slot = || {
        world.cluster.set_time((world.now() / 180 + 1) * 180);
        let first = (shows(), shows());
        world.advance(90);
        world.cluster.skip_slots(150);
        (first, (shows(), shows()))
    };
    world.next_day();
    assert_eq!(slot(), ((1, 0), (1, 0)), "there is no baseline, but a day's low");
    world.advance(3 * 86_400);
    assert_eq!(slot(), ((1, 0), (1, 0)));
    assert_eq!(world.trigger(&product).evidence.last_price, 100_000_000);
    hold(0, 800);
    world.cluster.set_account(vaults[1], Account::default());
    for _ in 0..10 {
        assert_eq!(slot(), ((1, 0), (1, 0)));
    }
    assert_eq!(world.trigger(&product).keys.armed_at, 0);
    slot();
    let keys = world.trigger(&product).keys;
    assert_eq!((keys.mean, keys.armed_at - keys.event_at), (40_000_000, 1_800));
}

/// Four bundles whose levels rise take all places for half a minute: what is shown then still has one, so a crank need not try again.
#[test]
fn bundles_of_less_keep_no_crank_out() {
    let world = World::new();
    let (product, account) = live_stage(&world);
    let payer = operator(&world);
    live::show_twice(&world, &product, account);
    world.cluster.set_time((world.now() / 600 + 1) * 600);
    for hundredths in [130, 140, 150, 160] {
        set_stake_pool(&world, account, hundredths);
        live::show(&world, &product, account).expect("anyone may");
        world.cluster.skip_slots(1);
    }
    set_stake_pool(&world, account, 170);
    assert_eq!(run(&world, &payer).count("observe"), 1);
    assert_eq!(run(&world, &payer).count("observe"), 0);
    later(&world);
    assert_eq!(run(&world, &payer).count("observe"), 1);
    let live: backstop::state::Live = world.read(&product.live());
    assert_eq!(live.readings.peak, 1_700_000_000_000);
}

/// Who takes a quarter out and puts it back, in two bundles half a minute apart, shows the slot recovered: the crank goes on, since
/// the low of the day is what its baseline will be.
#[test]
fn two_bundles_of_less_make_no_low_where_a_crank_shows_the_slot() {
    let world = World::new();
    let mut args = terms::create_pool(0);
    args.terms.cooldown_seconds = 21 * 86_400;
    let pool = world.create_pool(args);
    let attestors = backstop_tests::attest::Attestors::create(&world, 0, 3, 2);
    let hold = |amount| world.cluster.set_tokens(&seeded(720).pubkey(), &world.covered, amount);
    let new = backstop_client::instruction::NewProduct {
        source: Source::VaultDrop,
        feed: backstop_tests::attest::FEED,
        attestors: Some(attestors.set),
        vaults: vec![hold(1_000)],
        terms: live::drop_terms(),
        ..terms::create_product(world.covered, live::drop_condition())
    };
    let product = world.create_product_with(&pool, new);
    let payer = operator(&world);
    world.next_day();
    live::show_vaults_twice(&world, &product);
    world.advance(3 * 86_400);
    world.cluster.set_time((world.now() / 180 + 1) * 180);
    let bundle = || {
        hold(750);
        live::show_vaults(&world, &product).expect("anyone may");
        hold(1_000);
    };
    let wait = |seconds: i64, slots: u64| {
        world.advance(seconds);
        world.cluster.skip_slots(slots);
    };
    bundle();
    wait(45, 112);
    assert_eq!(run(&world, &payer).count("observe"), 1);
    wait(15, 38);
    bundle();
    let slot = || -> (SlotState, u64) {
        let live: backstop::state::Live = world.read(&product.live());
        (state(&world, &product), live.lows.level)
    };
    assert_eq!(slot(), (SlotState::Recovered, 750));
    wait(30, 75);
    assert_eq!(run(&world, &payer).count("observe"), 0, "its first showing is not old enough");
    wait(45, 112);
    assert_eq!((run(&world, &payer).count("observe"), slot()), (1, (SlotState::Recovered, 1_000)));
    assert_eq!(run(&world, &payer).count("observe"), 0);
    // A hundredth more is no reason to go on.
    hold(1_010);
    assert_eq!(run(&world, &payer).count("observe"), 0);
}
