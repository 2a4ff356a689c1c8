//! `backstop pool contribute` and `backstop pool open-series`.

use crate::desk::{Desk, units};
use crate::scene::Scene;
use backstop::state::Tranche;
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{World, assert_books};

#[test]
fn a_gift_to_the_surplus_is_shown_and_taken() {
    let scene = Scene::new();
    let before = scene.desk.node.world().pool(&scene.pool).surplus;
    let given = scene.act(&["pool", "contribute", &scene.pool(), "1_000.5"]);
    assert!(given.stderr.contains("it does not come back"), "{given}");
    let told = scene.desk.snapshot("pool-contribute", given);
    let after = scene.desk.node.world().pool(&scene.pool).surplus;
    assert_eq!(after - before, 1_000 * ONE + ONE / 2);
    assert_eq!((units(&told, "surplus_before"), units(&told, "surplus_after")), (before, after));
    scene.act(&["pool", "contribute", &scene.pool(), "4000"]).says(1, "this needs 4,000", "smaller amount");
}

#[test]
fn only_a_tranche_that_was_wiped_out_gets_a_new_series() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::severe());
    world.depositor(&pool, Tranche::Junior, 10_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 90_000 * ONE);
    world.next_day();
    world.holder(&product, 60_000 * ONE, 30);
    world.advance(3 * DAY);
    let governance = world.governance.insecure_clone();
    let desk = Desk::new(world);
    let open = ["pool", "open-series", &pool.pool.to_string(), "--tranche", "junior", "--output", "json"];
    desk.act(&governance, &open).says(1, "TrancheNotWipedOut", "");
    {
        let world = desk.node.world();
        world.depeg(&product, 80_000_000);
        world.open_and_fund(&product);
        assert_eq!(world.pool(&pool).tranche(Tranche::Junior).wiped_out, 1);
    }
    let opened = desk.snapshot("pool-open-series", desk.act(&governance, &open));
    assert_eq!((opened["series"].as_u64(), opened["tranche"].as_str()), (Some(1), Some("junior")));
    let world = desk.node.world();
    let book = *world.pool(&pool).tranche(Tranche::Junior);
    assert_eq!((book.series, book.wiped_out), (1, 0));
    assert_eq!(opened["share_mint"], world.pool(&pool).share_mints[0].to_string());
    assert_books(&world.cluster, &pool.pool);
}
