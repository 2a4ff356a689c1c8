//! The whole way once: capital in, cover sold, event shown, incident paid, capital out.

use backstop::state::{CoverState, Tranche};
use backstop_tests::terms::{self, ONE};
use backstop_tests::{World, assert_books};

#[test]
fn a_cover_pays_and_capital_leaves() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    let junior = world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
    let senior = world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
    world.next_day();
    let (holder, mint) = world.holder(&product, 10_000 * ONE, 30);
    assert_books(&world.cluster, &pool.pool);
    let before = world.assets(&holder);
    let cover = world.cover(&mint);

    world.advance(3 * terms::DAY);
    world.depeg(&product, 90_000_000);
    assert_eq!(world.pool(&pool).alerts, 1);
    world.open_and_fund(&product);
    world.settle(&product, &holder, &mint).unwrap();
    assert_eq!(world.cover(&mint).state, CoverState::Settled);
    // (0.95 - 0.90) / (0.95 - 0.80) of 10,000, and 66.67 % of the premium of the time after the challenge.
    let after = u64::try_from(cover.end() - world.incident(&product).ended_at).unwrap();
    let unearned = u64::try_from((u128::from(cover.rate_q32) * u128::from(after)) >> 32).unwrap();
    assert_eq!(world.assets(&holder) - before, 3_333 * ONE + unearned * 6_667 / 10_000);
    assert_books(&world.cluster, &pool.pool);
    assert_eq!(world.pool(&pool).alerts, 0);
    world.run(&[], &[world.close_incident(&product)]);

    for (person, tranche) in [(&junior, Tranche::Junior), (&senior, Tranche::Senior)] {
        let shares = world.shares(&pool, person, tranche);
        let nonce = world.exit(&pool, person, tranche, shares);
        let day = world.ticket(&pool, person, nonce).epoch_day;
        world.cluster.set_time((i64::from(day) + 1) * terms::DAY);
        world.settle_epoch(&pool, day).unwrap();
        world.claim(&pool, person, nonce).unwrap();
        assert_books(&world.cluster, &pool.pool);
    }
    assert!(world.assets(&junior) < 50_000 * ONE);
    // The junior tranche alone was exposed. A claim is rounded down.
    assert_eq!(world.assets(&senior), 150_000 * ONE - 1);
}
