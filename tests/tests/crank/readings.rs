//! Readings, brought home by passes alone once a report was shown.

use super::*;
use backstop_tests::attest::Attestors;
use backstop_tests::budget;
use backstop_tests::season::{E8, Season};

#[test]
fn readings_with_a_loss_without_one_and_void_are_brought_home_by_the_crank_alone() {
    let world = World::new();
    let attestors = Attestors::create(&world, 0, 5, 3);
    let season = Season::begin(&world, attestors.set, 3);
    let payer = operator(&world);
    let sold: Vec<(Person, Pubkey)> =
        season.products.iter().map(|product| season.holder(&world, product, 6_000 * ONE)).collect();
    let premium = world.cover(&sold[2].1).premium;
    let held: Vec<u64> = sold.iter().map(|(person, _)| world.assets(person)).collect();
    let due_at = season.reading.due_at;
    world.cluster.set_time(due_at - 1);
    assert_eq!(run(&world, &payer).count("refresh"), 0, "nothing is due before the moment");
    world.advance(1);
    assert_eq!(run(&world, &payer).count("refresh"), 3);
    assert_eq!(world.pool(&season.pool).alerts, 3);
    for (product, millimetres) in season.products.iter().zip([80, 200]) {
        let signed = attestors.signed(&[0, 1, 2], &attestors.report(millimetres * E8 as i64, due_at));
        world.run(&[], &[budget(), signed, ix::observe_report(product, attestors.set)]);
    }
    world.advance(3 * DAY - 1);
    let early = run(&world, &payer);
    assert_eq!((early.count("confirm"), early.skipped.len()), (0, 0));
    world.advance(1);
    run(&world, &payer);
    // Half of one, nothing of the other, whose incident is over at once.
    assert_eq!(world.assets(&sold[0].0) - held[0], 3_000 * ONE);
    assert_eq!(world.assets(&sold[1].0), held[1]);
    assert!(world.cluster.account(&season.products[1].incident()).unwrap().is_none());
    assert_eq!(world.product(&season.products[2]).exposure, 6_000 * ONE);
    world.cluster.set_time(due_at + 14 * DAY + 1);
    let last = run(&world, &payer);
    assert_eq!(last.skipped, []);
    assert_eq!(world.assets(&sold[2].0) - held[2], premium);
    // With the last alert over the crisis is closed, and every incident with it.
    for product in &season.products {
        assert!(world.cluster.account(&product.incident()).unwrap().is_none());
        assert_eq!(world.product(product).state(), ProductState::Over);
    }
    let books = world.pool(&season.pool);
    assert!(books.has_run_off(world.now()) && !books.in_crisis());
    assert_eq!((books.unearned_premium, books.premium_refunds, books.incident_reserves), (0, 0, 0));
    assert_books(&world.cluster, &season.pool.pool);
    let again = run(&world, &payer);
    assert_eq!((again.count("confirm"), again.count("refresh"), again.count("open_incident")), (0, 0, 0));
}
