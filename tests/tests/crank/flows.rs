//! From what is due to what was done: incidents, treaties, exits.

use super::*;
use backstop::state::TreatyKind::QuotaShare;
use backstop_tests::reinsurance::{RUIN, Scene, layer, over, quota_share};

#[test]
fn a_depeg_is_observed_confirmed_funded_and_paid_by_crank_passes_alone() {
    let world = World::new();
    let (pool, product) = stage(&world);
    let holders: Vec<(Person, Pubkey)> = (0..7).map(|_| world.holder(&product, 1_000 * ONE, 30)).collect();
    let before: Vec<u64> = holders.iter().map(|(person, _)| world.assets(person)).collect();
    let payer = operator(&world);
    world.advance(3 * DAY);
    breach_for_long(&world, &product, HALF, &payer);
    assert_eq!(world.trigger(&product).phase(), Phase::Met);
    let due: Vec<u64> = holders.iter().map(|(_, mint)| 500 * ONE + half_back(&world, mint)).collect();
    let report = run(&world, &payer);
    assert_eq!(report.count("confirm"), 1);
    assert_eq!(report.count("open_incident"), 1);
    assert_eq!(report.count("fund_incident"), 1);
    assert_eq!(report.count("settle_cover"), 7);
    assert_eq!(report.count("close_incident"), 1);
    assert_eq!((report.skipped.len(), report.waiting.len()), (0, 0));
    for (((person, mint), before), due) in holders.iter().zip(before).zip(due) {
        assert_eq!(world.assets(person) - before, due);
        assert_eq!(world.cover(mint).state, CoverState::Settled);
    }
    assert_eq!(world.product(&product).state(), ProductState::Over);
    assert!(world.cluster.account(&product.incident()).unwrap().is_none());
    assert_books(&world.cluster, &pool.pool);
    let idle = run(&world, &payer);
    assert_eq!((idle.passes, idle.transactions), (1, 0), "nothing is left to do: {idle:?}");
}

#[test]
fn an_exit_epoch_is_paid_at_the_turn_of_its_day_to_the_last_ticket_and_closed() {
    let world = World::new();
    let (pool, _) = stage(&world);
    let payer = operator(&world);
    let people: Vec<Person> =
        [Tranche::Junior, Tranche::Senior].map(|tranche| world.depositor(&pool, tranche, 1_000 * ONE)).into();
    let day = day_of(world.now() + 7 * DAY);
    let nonces = [
        world.exit(&pool, &people[0], Tranche::Junior, world.shares(&pool, &people[0], Tranche::Junior)),
        world.exit(&pool, &people[1], Tranche::Senior, world.shares(&pool, &people[1], Tranche::Senior)),
    ];
    world.cluster.set_time((i64::from(day) + 1) * DAY - 1);
    let early = run(&world, &payer);
    assert_eq!((early.count("settle_exit_epoch"), early.count("claim_exit")), (0, 0), "its day is not over");
    world.advance(1);
    let report = run(&world, &payer);
    assert_eq!(report.count("settle_exit_epoch"), 1);
    assert_eq!(report.count("claim_exit"), 2);
    assert_eq!(report.count("close_exit_epoch"), 1);
    for (person, nonce) in people.iter().zip(nonces) {
        assert!((1_000 * ONE - 2..=1_000 * ONE).contains(&world.assets(person)), "{}", world.assets(person));
        let ticket = address::exit_ticket(&pool.pool, &person.id(), nonce);
        assert!(world.cluster.account(&ticket).unwrap().is_none(), "a paid ticket is closed");
    }
    assert!(world.cluster.account(&address::exit_epoch(&pool.pool, day)).unwrap().is_none());
    assert_books(&world.cluster, &pool.pool);
    assert_eq!(run(&world, &payer).transactions, 0);
}

#[test]
fn claims_are_left_to_the_owners_if_asked_and_wait_for_a_missing_account() {
    let world = World::new();
    let (pool, _) = stage(&world);
    let payer = operator(&world);
    let person = world.depositor(&pool, Tranche::Senior, 1_000 * ONE);
    world.exit(&pool, &person, Tranche::Senior, world.shares(&pool, &person, Tranche::Senior));
    world.advance(9 * DAY);
    let settings = Settings { claim_exits: false, ..Settings::default() };
    let report = crank(&world.cluster, &payer, Options { settings, ..options() }).run_until_idle().unwrap();
    assert_eq!((report.count("settle_exit_epoch"), report.count("claim_exit")), (1, 0));
    world.cluster.set_account(terms::assets_of(&person.id(), &world.asset), Account::default());
    let report = run(&world, &payer);
    assert_eq!((report.transactions, report.waiting.len()), (0, 1));
    assert_eq!(report.waiting[0].why, "its owner has no account of the asset");
    world.cluster.set_tokens(&person.id(), &world.asset, 0);
    assert_eq!(run(&world, &payer).count("claim_exit"), 1);
    assert!(world.assets(&person) > 999 * ONE);
}

#[test]
fn only_the_pools_that_are_named_are_worked_for() {
    let world = World::new();
    let (pool, product) = stage(&world);
    let other = world.create_pool(terms::create_pool(1));
    let payer = operator(&world);
    publish(&world, PAR);
    let only = |pool: &PoolKeys| Settings { pools: vec![pool.pool], ..Settings::default() };
    let cranked = |settings| crank(&world.cluster, &payer, Options { settings, ..options() }).run_until_idle().unwrap();
    assert_eq!(cranked(only(&other)).transactions, 0);
    assert_eq!(cranked(only(&pool)).count("observe"), 1);
    assert_eq!(world.trigger(&product).evidence.last_publish_time, world.now());
}

#[test]
fn quota_share_premium_is_handed_over_about_once_a_day_and_the_rest_at_the_end() {
    let scene = Scene::new();
    let world = &scene.world;
    let terms = over(world.now(), 20, QuotaShare { cession_bps: 3_000, commission_bps: 0 }, 50_000 * ONE);
    let [treaty] = scene.in_force([(&scene.owned, terms)]);
    let (_, cover) = world.holder(&scene.product, 50_000 * ONE, 7);
    let payer = operator(world);
    world.cluster.set_time(world.cover(&cover).active_from());
    run(world, &payer);
    let mut settled = 0;
    for _ in 0..24 {
        world.advance(HOUR);
        settled += run(world, &payer).count("settle_treaty_premium");
    }
    assert_eq!(settled, 1, "24 looks in a day, one fee");
    assert!(world.pool(&scene.owned).unearned_premium > 0);
    world.advance(60 * DAY);
    let last = run(world, &payer);
    assert_eq!((last.count("settle_treaty_premium"), last.count("end_treaty")), (1, 1));
    assert!(world.cluster.account(&treaty.treaty).unwrap().is_none());
    assert_eq!(world.pool(&scene.cedant).treaty_payable, [0; 2]);
    scene.assert_books();
}

#[test]
fn an_incident_calls_its_treaties_and_is_paid_with_their_money() {
    let scene = Scene::new();
    let world = &scene.world;
    let now = world.now();
    let treaties = scene.in_force([
        (&scene.owned, quota_share(now, 3_000, 0, 50_000 * ONE)),
        (&scene.open, layer(now, 3_000 * ONE, 20_000 * ONE)),
    ]);
    let (person, _) = scene.insured(&scene.product, 40_000 * ONE);
    let before = world.assets(&person);
    let payer = operator(world);
    breach_for_long(world, &scene.product, RUIN, &payer);
    let report = run(world, &payer);
    assert_eq!((report.count("call_treaty"), report.count("fund_incident")), (2, 1));
    assert_eq!(world.assets(&person) - before, 40_000 * ONE);
    let [share, excess] = treaties.map(|treaty| scene.left_and_owed(&treaty));
    assert_eq!((share, excess), ((38_000 * ONE, 0), (0, 0)));
    scene.assert_books();
}

#[test]
fn a_treaty_that_cannot_be_called_stops_nobody_and_is_called_once_it_can_pay() {
    let scene = Scene::new();
    let world = &scene.world;
    let [treaty] = scene.in_force([(&scene.owned, quota_share(world.now(), 3_000, 0, 50_000 * ONE))]);
    let (person, _) = scene.insured(&scene.product, 40_000 * ONE);
    let before = world.assets(&person);
    let payer = operator(world);
    breach_for_long(world, &scene.product, RUIN, &payer);
    scene.freeze(&scene.owned, true);
    let report = run(world, &payer);
    assert_eq!((report.count("open_incident"), report.count("call_treaty")), (1, 0));
    // The holder is paid at once.
    assert_eq!((report.count("fund_incident"), report.count("settle_cover")), (1, 1));
    assert_eq!(world.assets(&person) - before, 40_000 * ONE);
    let waiting: Vec<_> = report.waiting.iter().map(|waiting| (waiting.kind.name(), waiting.why)).collect();
    // Its part of what was earned in the alert waits as well.
    let why = "a pool's vault is frozen";
    assert_eq!(waiting, [("call_treaty", why), ("settle_treaty_premium", why)]);
    world.advance(2 * DAY);
    assert_eq!(run(world, &payer).count("fund_incident"), 1, "it closes the crisis");
    assert!(!world.pool(&scene.cedant).in_crisis());
    assert_eq!(scene.left_and_owed(&treaty), (38_000 * ONE, 12_000 * ONE));
    let had = scene.accrue(&scene.cedant).loss_capital().unwrap();
    scene.freeze(&scene.owned, false);
    assert_eq!(run(world, &payer).count("call_treaty"), 1);
    assert_eq!(world.pool(&scene.cedant).loss_capital().unwrap(), had + 12_000 * ONE);
    scene.assert_books();
}

#[test]
fn a_reinsurers_exits_are_settled_with_its_cedants_and_wait_for_their_alerts() {
    let scene = Scene::new();
    let world = &scene.world;
    let now = world.now();
    let first = scene.announced(&scene.open, layer(now, 3_000 * ONE, 20_000 * ONE));
    let second = scene.announced(&scene.open, layer(now, 30_000 * ONE, 20_000 * ONE));
    let [_, _, _, senior] = scene.capital();
    scene.accept(&first).unwrap();
    scene.accept(&second).unwrap();
    world.next_day();
    world.holder(&scene.product, 5_000 * ONE, 30);
    world.exit(&scene.open, &senior, Tranche::Senior, 10_000 * ONE * 1_000);
    let payer = operator(world);
    world.advance(9 * DAY);
    publish(world, RUIN);
    let report = run(world, &payer);
    assert_eq!((report.count("observe"), report.count("settle_exit_epoch")), (1, 0));
    assert_eq!(world.pool(&scene.cedant).alerts, 1);
    // The alert is over once too many closed slots hold nothing; the crank brings the phase up to now.
    world.advance(DAY);
    let report = run(world, &payer);
    assert_eq!((report.count("refresh"), report.count("settle_exit_epoch")), (1, 1));
    assert_eq!(report.skipped, []);
    assert!(world.assets(&senior) > 9_900 * ONE);
    scene.assert_books();
}

#[test]
fn what_anyone_may_close_is_closed_to_whoever_paid_for_it() {
    let scene = Scene::new();
    let world = &scene.world;
    let payer = operator(world);
    // A treaty that was never accepted, and an announcement that nobody used.
    let treaty = scene.announced(&scene.owned, quota_share(world.now(), 3_000, 0, 10_000 * ONE));
    let [governance, id] = [world.governance.pubkey(), world.payer.pubkey()];
    let announce = ix::announce_cession(governance, id, scene.cedant.pool, scene.owned.pool, 1_000 * ONE);
    world.run(&[&world.governance], &[announce]);
    let cession = address::cession(&scene.cedant.pool);
    // A cover that was burnt after its end.
    scene.capital();
    world.next_day();
    let (person, mint) = world.holder(&scene.product, 1_000 * ONE, 7);
    let nft = address::associated_token(&person.id(), &mint, &TOKEN_2022);
    let burn = spl_token_2022::instruction::burn(&TOKEN_2022, &nft, &mint, &person.id(), &[], 1).unwrap();
    world.run(&[&person.key], &[burn]);
    let early = run(world, &payer);
    assert_eq!(early.count("close_cover"), 0, "it could still be paid");
    assert_eq!(early.count("end_treaty"), 1, "its term has begun without it");
    world.advance(60 * DAY);
    let before = world.cluster.account(&id).unwrap().unwrap().lamports;
    let report = run(world, &payer);
    assert_eq!(["sync_product", "close_cession"].map(|kind| report.count(kind)), [1, 1]);
    // Burnt covers are looked for once an hour, and at the start.
    assert_eq!(run(world, &payer).count("close_cover"), 1);
    for address in [treaty.treaty, cession, mint, address::cover(&mint)] {
        assert!(world.cluster.account(&address).unwrap().is_none_or(|account| account.lamports == 0), "{address}");
    }
    assert!(world.cluster.account(&id).unwrap().unwrap().lamports > before, "the rent is back");
    scene.assert_books();
}

#[test]
fn a_treaty_whose_call_is_refused_for_another_reason_stops_nobody() {
    let scene = Scene::new();
    let world = &scene.world;
    scene.in_force([(&scene.owned, quota_share(world.now(), 3_000, 0, 50_000 * ONE))]);
    scene.insured(&scene.product, 40_000 * ONE);
    let payer = operator(world);
    breach_for_long(world, &scene.product, RUIN, &payer);
    // The reinsurer's vault is short of what its books say.
    let mut vault = world.cluster.account(&scene.owned.vault()).unwrap().unwrap();
    vault.data[64..72].copy_from_slice(&ONE.to_le_bytes());
    world.cluster.set_account(scene.owned.vault(), vault);
    let report = run(world, &payer);
    assert_eq!((report.count("open_incident"), report.count("call_treaty")), (1, 0));
    assert!(report.skipped.iter().any(|skipped| skipped.kind == "call_treaty"), "{:?}", report.skipped);
    assert_eq!((report.count("fund_incident"), report.count("settle_cover")), (1, 1));
    world.advance(2 * DAY);
    let report = run(world, &payer);
    assert!(report.skipped.iter().any(|skipped| skipped.kind == "call_treaty"), "{:?}", report);
    assert!(!world.pool(&scene.cedant).in_crisis());
}

#[test]
fn while_a_vault_is_frozen_everything_that_it_would_pay_waits_without_a_transaction() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 9, &payer);
    let state = |state: u8| {
        let mut vault = world.cluster.account(&pool.vault()).unwrap().unwrap();
        vault.data[108] = state;
        world.cluster.set_account(pool.vault(), vault);
    };
    state(2);
    let report = run(&world, &payer);
    assert_eq!((report.count("fund_incident"), report.count("settle_cover")), (1, 0));
    assert_eq!((report.waiting.len(), report.skipped.len(), report.transactions_lost), (9, 0, 0));
    assert_eq!(report.waiting[0].why, "a pool's vault is frozen");
    state(1);
    run(&world, &payer);
    assert_paid_once(&world, &pool, &product, &holders);
}
