//! Unknown is not no: what a crank concludes when a node refuses, is silent, lags or leaves things out.

use super::settling::move_nft;
use super::*;
use backstop::state::{Cession, Cover, ExitEpoch, ExitTicket, Treaty};
use backstop_client::account::Decode;

/// Burns a cover's NFT.
fn burn(world: &World, person: &Person, mint: &Pubkey) {
    let nft = address::associated_token(&person.id(), mint, &TOKEN_2022);
    let burn = spl_token_2022::instruction::burn(&TOKEN_2022, &nft, mint, &person.id(), &[], 1).unwrap();
    world.run(&[&person.key], &[burn, ix::close_nft_account(&person.id(), mint)]);
}

/// Lets a crank find out who holds what, and do nothing.
fn learn(world: &World, cluster: &Odd, crank: &mut Crank, product: &ProductKeys) {
    world.run(&[], &[ix::confirm(product)]);
    world.open_and_fund(product);
    cluster.congested.set(true);
    assert_eq!(crank.pass().unwrap().done.len(), 0);
    cluster.congested.set(false);
}

#[test]
fn a_holder_who_cannot_be_looked_up_is_unknown_and_never_burnt_and_keeps_nobody_else_waiting() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 6, &payer);
    let cluster = Odd::new(&world.cluster);
    let mut first = crank(&cluster, &payer, options());
    learn(&world, &cluster, &mut first, &product);
    // Three have sold theirs since: where they are now only a look-up of each says.
    let buyers: Vec<Person> = (0..3).map(|_| world.person(0)).collect();
    for (buyer, (seller, mint, _)) in buyers.iter().zip(&holders) {
        move_nft(&world, seller, buyer, mint);
    }
    cluster.refuse(&["nft_accounts"]);
    let report = first.run_until_idle().unwrap();
    assert_eq!((report.count("settle_cover"), report.count("close_incident")), (3, 0), "{report:?}");
    let why: Vec<&str> = report.waiting.iter().map(|waiting| waiting.why).collect();
    assert_eq!(why, ["nobody says who holds it"; 3]);
    assert!(report.unknown.iter().any(|unknown| unknown.what == "holders of covers" && unknown.items == 3));
    assert!(report.complaints().iter().any(|complaint| complaint.contains("the node refuses nft_accounts")));
    // Half a year later, too.
    world.advance(366 * DAY);
    assert_eq!(first.run_until_idle().unwrap().count("close_incident"), 0);
    cluster.refuse(&[]);
    let report = crank(&cluster, &payer, options()).run_until_idle().unwrap();
    assert_eq!((report.count("settle_cover"), report.count("close_incident")), (3, 1));
    for (buyer, (_, _, due)) in buyers.iter().zip(&holders) {
        assert_eq!(world.assets(buyer), *due);
    }
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_node_that_refuses_to_list_one_kind_of_account_stops_nothing_that_needs_none() {
    let kinds: [&'static [u8]; 6] =
        [Incident::TAG, Treaty::TAG, ExitEpoch::TAG, Cession::TAG, ExitTicket::TAG, Cover::TAG];
    for (index, kind) in kinds.into_iter().enumerate() {
        let world = World::unsigned();
        let (pool, product) = stage(&world);
        let payer = operator(&world);
        let holders = owed(&world, &product, 2, &payer);
        // A second product, to be shown a price.
        let watched = world.create_product(&pool, terms::stress());
        publish(&world, HALF);
        let cluster = Odd::new(&world.cluster);
        cluster.unlisted.borrow_mut().push((kind, true));
        let report = crank(&cluster, &payer, options()).run_until_idle().unwrap();
        assert_eq!(world.trigger(&watched).evidence.last_price, HALF as u64, "{index}: {report:?}");
        assert_eq!((report.count("confirm"), report.count("open_incident")), (1, 1), "{index}");
        let settled = if kind == Incident::TAG || kind == Cover::TAG { 0 } else { 2 };
        assert_eq!(report.count("settle_cover"), settled, "{index}");
        assert!(!report.unknown.is_empty() && !report.complaints().is_empty(), "{index}");
        cluster.unlisted.borrow_mut().clear();
        crank(&cluster, &payer, options()).run_until_idle().unwrap();
        for (person, _, due) in &holders {
            assert_eq!(world.assets(person), *due, "{index}");
        }
    }
}

#[test]
fn what_is_optional_has_a_fallback() {
    for method in ["slot", "rent", "account"] {
        let world = World::unsigned();
        let (pool, product) = stage(&world);
        let payer = operator(&world);
        let holders = owed(&world, &product, 3, &payer);
        let cluster = Odd::new(&world.cluster);
        cluster.refuse(&[method]);
        // Without a slot there is no lookup table.
        let table_from = if method == "slot" { 1 } else { usize::MAX };
        let report = crank(&cluster, &payer, Options { table_from, ..options() }).run_until_idle().unwrap();
        assert_eq!(report.count("settle_cover"), 3, "{method}: {report:?}");
        let rent = |space| world.cluster.rent(8 + space).unwrap();
        assert_eq!(report.rent, rent(Incident::INIT_SPACE) + rent(Crisis::INIT_SPACE), "{method}");
        assert_paid_once(&world, &pool, &product, &holders);
    }
}

#[test]
fn what_a_pass_cannot_do_without_breaks_it_off_by_name() {
    let world = World::unsigned();
    stage(&world);
    let payer = operator(&world);
    let cluster = Odd::new(&world.cluster);
    for method in ["program_accounts", "now"] {
        cluster.refuse(&[method]);
        let error = crank(&cluster, &payer, options()).pass().unwrap_err();
        assert!(error.to_string().contains(method), "{error}");
    }
}

#[test]
fn fifty_burnt_covers_cost_no_look_up_after_the_first_pass() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 51, &payer);
    for (person, mint, _) in &holders[1..] {
        burn(&world, person, mint);
    }
    let cluster = Odd::new(&world.cluster);
    let mut crank = crank(&cluster, &payer, options());
    let report = crank.run_until_idle().unwrap();
    assert_eq!(report.count("settle_cover"), 1);
    assert_eq!(report.waiting.iter().filter(|waiting| waiting.why == "its NFT is burnt").count(), 50);
    assert_eq!(
        cluster.asked.borrow()["nft_accounts"],
        1,
        "a mint without a unit says it all: only the other is sought"
    );
    cluster.asked.borrow_mut().clear();
    let report = crank.pass().unwrap();
    assert_eq!((report.waiting.len(), report.unknown.len()), (50, 0));
    assert_eq!(cluster.asked.borrow().get("nft_accounts"), None);
    // The pool's vault.
    assert_eq!(cluster.asked.borrow().get("accounts"), Some(&1), "{:?}", cluster.asked.borrow());
    // They can never be paid: the incident ends when its time is over.
    world.advance(366 * DAY);
    let report = crank.run_until_idle().unwrap();
    assert_eq!(report.count("close_incident"), 1, "{report:?}");
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_mint_that_a_node_does_not_know_is_not_burnt() {
    let world = World::unsigned();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 2, &payer);
    let (person, mint, due) = &holders[0];
    let cluster = Odd::new(&world.cluster);
    let mut first = crank(&cluster, &payer, options());
    learn(&world, &cluster, &mut first, &product);
    let nft = address::associated_token(&person.id(), mint, &TOKEN_2022);
    cluster.hidden.borrow_mut().extend([*mint, nft]);
    cluster.refuse(&["nft_accounts"]);
    let report = first.run_until_idle().unwrap();
    assert_eq!((report.count("settle_cover"), report.waiting[0].why), (1, "nobody says who holds it"));
    world.advance(366 * DAY);
    assert_eq!(first.run_until_idle().unwrap().count("close_incident"), 0);
    assert_eq!(crank(&world.cluster, &payer, options()).run_until_idle().unwrap().count("settle_cover"), 1);
    assert_eq!(world.assets(person), *due);
}

#[test]
fn an_incident_is_not_closed_because_a_node_leaves_its_covers_out() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 3, &payer);
    let cluster = Odd::new(&world.cluster);
    // It lags behind the purchases: the list is empty, and no error.
    cluster.unlisted.borrow_mut().push((Cover::TAG, false));
    crank(&cluster, &payer, options()).run_until_idle().unwrap();
    world.advance(366 * DAY);
    let report = crank(&cluster, &payer, options()).run_until_idle().unwrap();
    assert_eq!(report.count("close_incident"), 0);
    assert!(report.waiting.iter().any(|waiting| waiting.kind.name() == "close_incident"), "{:?}", report.waiting);
    run(&world, &payer);
    assert_paid_once(&world, &pool, &product, &holders);
}

#[test]
fn an_incident_with_covers_that_could_be_paid_is_never_closed_for_want_of_an_account() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 3, &payer);
    for (person, _, _) in &holders {
        world.cluster.set_account(terms::assets_of(&person.id(), &world.asset), Account::default());
    }
    let settings = Settings { create_accounts: CreateAccounts::Nobody, ..Settings::default() };
    let careful = |days: i64| {
        world.advance(days * DAY);
        let options = Options { settings: settings.clone(), ..options() };
        crank(&world.cluster, &payer, options).run_until_idle().unwrap()
    };
    careful(0);
    let reserved = world.pool(&pool).incident_reserves;
    let report = careful(181);
    assert_eq!((report.count("close_incident"), world.pool(&pool).incident_reserves), (0, reserved));
    assert!(reserved > 0);
    assert_eq!(report.waiting.iter().filter(|waiting| waiting.why.contains("no account of the asset")).count(), 3);
    run(&world, &payer);
    assert_paid_once(&world, &pool, &product, &holders);
}

#[test]
fn a_pool_that_is_named_and_is_none_is_told() {
    let world = World::new();
    stage(&world);
    let payer = operator(&world);
    let stranger = seeded(world.fresh()).pubkey();
    let settings = Settings { pools: vec![stranger], ..Settings::default() };
    let report = crank(&world.cluster, &payer, Options { settings, ..options() }).pass().unwrap();
    assert!(report.waiting.iter().any(|waiting| waiting.pool == stranger), "{:?}", report.waiting);
}
