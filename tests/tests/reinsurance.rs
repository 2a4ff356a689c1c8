//! What treaties pay: the order of a tower, its conservation, its terms, and reinsurers that cannot pay.

use backstop::error::BackstopError;
use backstop::math::treaties;
use backstop::state::{CallState, IncidentState, Tranche, TreatyKind, TreatyTerms, day_of};
use backstop_client::instruction as ix;
use backstop_tests::reinsurance::{DEPOSITS, OWNED, Scene, layer, over, quota_share, reinstated};
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{assert_refused, explain};

/// The sum insured of most cases.
const SUM: u64 = 100_000 * ONE;

/// A quota share of 30 % with the protocol's own pool, and two layers of 20,000 from 10,000 with the open one.
fn tower(now: i64) -> [TreatyTerms; 3] {
    [
        quota_share(now, 3_000, 2_000, 50_000 * ONE),
        layer(now, 10_000 * ONE, 20_000 * ONE),
        layer(now, 30_000 * ONE, 20_000 * ONE),
    ]
}

/// What treaties have paid for the incident of the scene's product.
fn recovered(scene: &Scene) -> u64 {
    scene.world.incident(&scene.product).treaties.iter().map(|noted| noted.paid).sum()
}

#[test]
fn a_tower_pays_quota_share_then_layers_upward_then_the_cedants_capital_and_adds_up() {
    let scene = Scene::new();
    let accepted_at = scene.world.now();
    let [share, low, high] = tower(accepted_at);
    // Accepted in another order than they pay.
    let [high, share, low] = scene.in_force([(&scene.open, high), (&scene.owned, share), (&scene.open, low)]);
    let (holder, mint) = scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    let incident = scene.world.incident(&scene.product);
    assert_eq!(incident.gross, SUM);
    let noted: Vec<_> = incident.treaties.iter().take(3).map(|noted| noted.treaty).collect();
    assert_eq!(noted, [share.treaty, low.treaty, high.treaty]);
    assert_eq!(incident.treaty_count, 3);

    let [owned, open] = [&scene.owned, &scene.open].map(|pool| scene.accrue(pool));
    let [owned, premium, open] = [owned.loss_capital().unwrap(), open.unearned_premium, open.loss_capital().unwrap()];
    for treaty in [&share, &low, &high] {
        scene.call(treaty, &scene.product).unwrap();
        scene.assert_books();
    }
    let incident = scene.world.incident(&scene.product);
    let paid: Vec<_> = incident.treaties.iter().take(3).map(|noted| (noted.state, noted.owed, noted.paid)).collect();
    let called = |amount| (CallState::Called, amount, amount);
    // 30 % of 100,000; of the 70,000 beyond, what is between 10,000 and 30,000, and between 30,000 and 50,000.
    assert_eq!(paid, [called(30_000 * ONE), called(20_000 * ONE), called(20_000 * ONE)]);
    assert_eq!(recovered(&scene), 70_000 * ONE);
    let now_owned = scene.accrue(&scene.owned).loss_capital().unwrap();
    let now_open = scene.accrue(&scene.open);
    assert_eq!(owned - now_owned, 30_000 * ONE);
    // Both layers are used up: what is unearned of the two premiums of 1,000 is paid first, and capital loses the rest.
    let end = i64::from(scene.treaty(&low).end_day) * DAY;
    let of_the_dates = 2_000 * i128::from(ONE) * i128::from(end - scene.world.now()) / i128::from(end - accepted_at);
    assert!(i128::from(premium) - of_the_dates <= 2 && premium > 1_970 * ONE, "{premium} {of_the_dates}");
    // But for a unit of each, by which the rates were rounded down.
    assert!(now_open.unearned_premium <= 2);
    assert_eq!(open - now_open.loss_capital().unwrap(), 40_000 * ONE - premium + now_open.unearned_premium);

    let before = scene.accrue(&scene.cedant);
    scene.fund(&scene.product).unwrap();
    let after = scene.world.pool(&scene.cedant);
    assert_eq!(before.loss_capital().unwrap() - after.loss_capital().unwrap(), 30_000 * ONE);
    // The net loss falls on the surplus first, then on junior; senior is whole.
    assert_eq!(after.surplus, 0);
    let [junior_before, senior_before] = before.tranches;
    let [junior, senior] = after.tranches;
    assert_eq!(before.surplus + junior_before.assets - junior.assets, 30_000 * ONE);
    assert_eq!(senior.assets, senior_before.assets);
    let incident = scene.world.incident(&scene.product);
    assert_eq!(incident.reserve, SUM);
    let held = scene.world.assets(&holder);
    scene.world.settle(&scene.product, &holder, &mint).unwrap();
    assert_eq!(scene.world.assets(&holder) - held, SUM);
    scene.assert_books();
}

#[test]
fn a_small_loss_stays_below_the_layers_and_is_shared_by_the_quota_share() {
    let scene = Scene::new();
    let [share, low, high] = tower(scene.world.now());
    let treaties = scene.in_force([(&scene.owned, share), (&scene.open, low), (&scene.open, high)]);
    scene.insured(&scene.product, 14_285_714_285);
    scene.strike(&scene.product);
    scene.call(&treaties[0], &scene.product).unwrap();
    for layer in &treaties[1..] {
        assert_refused(scene.call(layer, &scene.product), BackstopError::NothingOwed);
    }
    let incident = scene.world.incident(&scene.product);
    let [share, low, high, ..] = incident.treaties;
    // Rounded down, against the cedant: 30 % of 14,285,714,285 is 4,285,714,285.5.
    assert_eq!(share.paid, 4_285_714_285);
    // The rest is the attachment to the unit.
    assert_eq!((low.paid, high.paid), (0, 0));
    assert_eq!(incident.gross - recovered(&scene), 10_000 * ONE);
    assert_eq!((low.state, high.state), (CallState::Called, CallState::Called));
    scene.assert_books();
}

#[test]
fn treaties_are_called_in_any_order_and_pay_once_what_they_owe() {
    let scene = Scene::new();
    let [share, low, _] = tower(scene.world.now());
    let [share, low] = scene.in_force([(&scene.owned, share), (&scene.open, low)]);
    scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    // Holders are given something before anybody called.
    scene.fund(&scene.product).unwrap();
    assert_eq!(scene.world.incident(&scene.product).reserve, SUM);
    assert_refused(scene.fund(&scene.product), BackstopError::AlreadyFunded);
    assert!(scene.world.pool(&scene.cedant).in_crisis(), "treaties that were not called keep it open for two days");
    let lent = scene.world.pool(&scene.cedant).loss_capital().unwrap();
    scene.call(&low, &scene.product).unwrap();
    assert_refused(scene.call(&low, &scene.product), BackstopError::NothingOwed);
    scene.call(&share, &scene.product).unwrap();
    for treaty in [&share, &low] {
        assert_refused(scene.call(treaty, &scene.product), BackstopError::NothingOwed);
    }
    // What was lent is given back as far as treaties paid.
    scene.fund(&scene.product).unwrap();
    let books = scene.world.pool(&scene.cedant);
    assert!(!books.in_crisis());
    assert_eq!(books.loss_capital().unwrap() - lent, 50_000 * ONE);
    scene.assert_books();
}

#[test]
fn a_treaty_pays_only_for_events_inside_its_term() {
    // The event begins in the first slot of a day: that of the term's first day is covered, that of the day after its last
    // is not, and one of the day before its first is not.
    for (start_in, days, covered) in [(1, 4, false), (1, 5, true), (5, 1, true), (6, 2, false)] {
        let scene = Scene::new();
        let now = scene.world.now();
        let today = day_of(now);
        let terms = |kind| TreatyTerms {
            start_day: today + start_in,
            end_day: today + start_in + days,
            ..over(now, 1, kind, 10_000 * ONE)
        };
        let share = terms(TreatyKind::QuotaShare { cession_bps: 3_000, commission_bps: 0 });
        let low = terms(layer(now, 3_000 * ONE, ONE).kind);
        let treaties = scene.in_force([(&scene.owned, share), (&scene.open, low)]);
        scene.world.holder(&scene.product, SUM, 30);
        scene.world.cluster.set_time(i64::from(today + 5) * DAY - 1);
        scene.strike(&scene.product);
        let incident = scene.world.incident(&scene.product);
        assert_eq!(incident.event_at, i64::from(today + 5) * DAY);
        assert_eq!(incident.treaty_count, if covered { 2 } else { 0 });
        assert_eq!(incident.state, IncidentState::Final);
        if !covered {
            assert_refused(scene.call(&treaties[0], &scene.product), BackstopError::WrongParent);
            scene.fund(&scene.product).unwrap();
        }
        scene.assert_books();
    }
}

#[test]
fn of_two_layers_at_one_height_the_one_whose_term_holds_the_event_pays() {
    for (days_on, pays) in [(5, 0), (6, 1)] {
        let scene = Scene::new();
        let world = &scene.world;
        let today = day_of(world.now());
        let this = TreatyTerms { end_day: today + 6, ..layer(world.now(), 10_000 * ONE, 20_000 * ONE) };
        let next = TreatyTerms { start_day: today + 6, end_day: today + 60, ..this };
        let layers = scene.in_force([(&scene.open, this), (&scene.open, next)]);
        world.holder(&scene.product, SUM, 30);
        world.cluster.set_time(i64::from(today + days_on) * DAY - 1);
        scene.strike(&scene.product);
        let incident = world.incident(&scene.product);
        assert_eq!(incident.treaty_count, 1);
        assert_eq!(incident.treaties[0].treaty, layers[pays].treaty);
        assert_refused(scene.call(&layers[1 - pays], &scene.product), BackstopError::WrongParent);
        scene.call(&layers[pays], &scene.product).unwrap();
        assert_eq!(recovered(&scene), 20_000 * ONE);
        scene.fund(&scene.product).unwrap();
        scene.assert_books();
    }
}

#[test]
fn a_layer_that_is_called_late_is_not_reinstated_beyond_what_was_exposed_at_the_event() {
    let scene = Scene::new();
    let world = &scene.world;
    let [treaty] = scene.in_force([(&scene.owned, reinstated(world.now(), 2_200 * ONE, 20_000 * ONE, 2, 10_000))]);
    scene.insured(&scene.product, 17_200 * ONE);
    scene.strike(&scene.product);
    assert_eq!(world.incident(&scene.product).still_exposed, 0);
    scene.freeze(&scene.owned, true);
    world.advance(2 * DAY);
    scene.fund(&scene.product).unwrap();
    scene.freeze(&scene.owned, false);
    let before = scene.accrue(&scene.cedant);
    scene.call(&treaty, &scene.product).unwrap();
    // In full, without a premium taken off, to the surplus that bore it; the limit stays used.
    let after = world.pool(&scene.cedant);
    assert_eq!(after.surplus - before.surplus, 15_000 * ONE);
    assert_eq!(scene.left_and_owed(&treaty), (5_000 * ONE, 0));
    assert_eq!(scene.treaty(&treaty).restored, 0);
    scene.assert_books();
}

/// Case 17: 30,000 were owed and 28,500 received, for a limit that nothing could use any more.
#[test]
fn a_reinstatement_with_nothing_exposed_costs_nothing() {
    for (rate_on_line_bps, reinstatement_premium_bps) in [(500, 10_000), (5_000, 20_000)] {
        let scene = Scene::new();
        let kind = TreatyKind::ExcessOfLoss {
            attachment: 20_000 * ONE,
            rate_on_line_bps,
            reinstatements: 1,
            reinstatement_premium_bps,
        };
        let [treaty] = scene.in_force([(&scene.owned, over(scene.world.now(), 365, kind, 30_000 * ONE))]);
        scene.insured(&scene.product, 120_000 * ONE);
        scene.strike(&scene.product);
        scene.call(&treaty, &scene.product).unwrap();
        assert_eq!(recovered(&scene), 30_000 * ONE);
        assert_eq!((scene.treaty(&treaty).restored, scene.left_and_owed(&treaty)), (0, (0, 0)));
        scene.assert_books();
    }
}

#[test]
fn a_treaty_that_was_not_accepted_pays_nothing() {
    let scene = Scene::new();
    let terms = quota_share(scene.world.now(), 3_000, 0, 10_000 * ONE);
    let announced = scene.announced(&scene.owned, terms);
    scene.capital();
    scene.world.next_day();
    scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    assert_eq!(scene.world.incident(&scene.product).treaty_count, 0);
    assert_refused(scene.call(&announced, &scene.product), BackstopError::WrongParent);
}

#[test]
fn reinstatements_cost_what_the_terms_say_and_end_when_used_up() {
    let scene = Scene::new();
    let world = &scene.world;
    // 20,000 from 3,000, restored once and a half as dear as at first: 5 % on line is 1,000, restoring all is 1,500.
    let terms = reinstated(world.now(), 3_000 * ONE, 20_000 * ONE, 1, 15_000);
    let products: Vec<_> = std::iter::once(scene.product).chain((0..3).map(|_| scene.another_product())).collect();
    let [treaty] = scene.in_force([(&scene.open, terms)]);
    assert_eq!(scene.treaty(&treaty).premium, 1_000 * ONE);
    for product in &products {
        world.holder(product, 18_000 * ONE, 60);
    }
    world.advance(3 * DAY);
    // What is owed, restored and paid for restoring: 15,000 of it; the 5,000 that are left to restore; nothing.
    // And what of the open limit it is, restored ones included: of what is unearned the same part is paid first.
    let expected =
        [(15_000, 15_000, 1_125, (3, 4)), (15_000, 5_000, 375, (3, 4)), (10_000, 0, 0, (1, 1)), (0, 0, 0, (0, 1))];
    let mut limit_left = 20_000;
    for (product, (owed, restored, cost, (part, whole))) in products.iter().zip(expected) {
        scene.strike(product);
        let before = scene.accrue(&scene.open);
        let called = scene.call(&treaty, product);
        if owed == 0 {
            assert_refused(called, BackstopError::NothingOwed);
        } else {
            called.unwrap();
        }
        limit_left -= owed;
        let incident = world.incident(product);
        let [noted, ..] = incident.treaties;
        assert_eq!((noted.owed, noted.paid), (owed * ONE, owed * ONE));
        let books = world.pool(&scene.cedant);
        assert_eq!(books.crisis.recovered, (owed - cost) * ONE);
        // What is restored serves only what happens after this crisis.
        assert_eq!(scene.left_and_owed(&treaty), (limit_left * ONE, 0));
        limit_left += restored;
        let after = world.pool(&scene.open);
        let premium = before.unearned_premium + cost * ONE - after.unearned_premium;
        let of_the_part = before.unearned_premium * part / whole;
        assert!(of_the_part - premium <= 2, "{premium} of {}", before.unearned_premium);
        assert_eq!(before.loss_capital().unwrap() - after.loss_capital().unwrap(), owed * ONE - premium);
        scene.assert_books();
        scene.fund(product).unwrap();
        assert_eq!(scene.left_and_owed(&treaty), (limit_left * ONE, 0));
    }
    assert_eq!(scene.treaty(&treaty).restored, 20_000 * ONE);
}

#[test]
fn a_limit_is_restored_only_as_far_as_the_reinsurer_is_solvent_for_it() {
    let scene = Scene::new();
    let world = &scene.world;
    // All of the protocol's own pool stands behind it: after a loss of 60,000, 40,000 are left for the limit of 40,000.
    let terms = reinstated(world.now(), 2_200 * ONE, OWNED, 4, 10_000);
    let second = scene.another_product();
    let [treaty] = scene.in_force([(&scene.owned, terms)]);
    world.holder(&second, 60_000 * ONE, 30);
    scene.insured(&scene.product, 62_200 * ONE);
    scene.strike(&scene.product);
    // What the pool has earned by now, and three fifths of what is unearned, which are paid before its capital, are all that
    // it can restore: it has 40,000 and that left, and stands behind 40,000.
    let before = scene.accrue(&scene.owned);
    let all = before.surplus - OWNED + before.unearned_premium * 3 / 5;
    assert!(before.surplus > OWNED && before.unearned_premium > 4_900 * ONE);
    scene.call(&treaty, &scene.product).unwrap();
    let after = scene.treaty(&treaty);
    let earned = after.restored;
    assert!(all - earned <= 1, "{earned} {all}");
    assert_eq!(scene.left_and_owed(&treaty), (40_000 * ONE, 0));
    let cost = treaties::layer_premium(OWNED, 500).unwrap() * earned / OWNED;
    let paid = 60_000 * ONE - world.pool(&scene.cedant).crisis.recovered;
    assert!((cost..=cost + 1).contains(&paid), "{paid} for restoring, expected {cost}");
    let pool = world.pool(&scene.owned);
    assert_eq!(pool.surplus, pool.open_limits().unwrap());
    scene.assert_books();
}

#[test]
fn the_premium_of_a_reinstatement_on_the_last_day_streams_for_a_week() {
    let scene = Scene::new();
    let world = &scene.world;
    let now = world.now();
    let kind = reinstated(now, 2_200 * ONE, ONE, 1, 20_000).kind;
    let second = scene.another_product();
    let [treaty] = scene.in_force([(&scene.owned, over(now, 6, kind, 10_000 * ONE))]);
    world.holder(&second, 60_000 * ONE, 30);
    scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    world.cluster.set_time(i64::from(scene.treaty(&treaty).end_day) * DAY - 1);
    let before = scene.accrue(&scene.owned);
    scene.call(&treaty, &scene.product).unwrap();
    // Twice 5 % of 10,000; a second later the seven days and a second have earned next to nothing of it. Of the 500 a second
    // is unearned, which was paid: the limit is used.
    let second = before.unearned_premium;
    assert!((500 * ONE / 7 / 86_400..500 * ONE / 6 / 86_400).contains(&second), "{second}");
    assert!(world.pool(&scene.owned).unearned_premium - 1_000 * ONE <= 1);
    world.advance(1);
    assert!(world.pool(&scene.owned).surplus <= scene.accrue(&scene.owned).surplus);
    assert!(scene.accrue(&scene.owned).unearned_premium > 999 * ONE);
    world.advance(7 * DAY);
    assert_eq!(scene.accrue(&scene.owned).unearned_premium, 0);
    scene.assert_books();
}

#[test]
fn an_exhausted_treaty_pays_what_is_left_and_never_blocks_the_incident() {
    let scene = Scene::new();
    let world = &scene.world;
    let second = scene.another_product();
    let third = scene.another_product();
    let terms = quota_share(world.now(), 5_000, 0, 15_000 * ONE);
    let [treaty] = scene.in_force([(&scene.owned, terms)]);
    for product in [&scene.product, &second, &third] {
        world.holder(product, 20_000 * ONE, 60);
    }
    world.advance(3 * DAY);
    for (product, owed) in [(&scene.product, 10_000), (&second, 5_000), (&third, 0)] {
        scene.strike(product);
        let called = scene.call(&treaty, product);
        assert_eq!(called.is_ok(), owed > 0);
        assert_eq!(world.incident(product).treaties[0].paid, owed * ONE);
        scene.assert_books();
        scene.fund(product).unwrap();
        assert_eq!(world.incident(product).reserve, 20_000 * ONE);
    }
    assert_eq!(scene.left_and_owed(&treaty), (0, 0));
}

#[test]
fn an_insolvent_reinsurer_pays_what_it_has_and_the_rest_falls_on_the_cedant() {
    let scene = Scene::new();
    let [share, low, _] = tower(scene.world.now());
    let [share, low] = scene.in_force([(&scene.owned, share), (&scene.open, low)]);
    scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    scene.ruin(&scene.owned, 7 * ONE);
    scene.call(&share, &scene.product).unwrap();
    let [noted, ..] = scene.world.incident(&scene.product).treaties;
    assert_eq!((noted.owed, noted.paid), (30_000 * ONE, 7 * ONE));
    // The layer looks at the loss net of what the quota share owes, not of what it could pay.
    scene.call(&low, &scene.product).unwrap();
    assert_eq!(recovered(&scene), 20_007 * ONE);
    // The rest stays owed.
    assert_eq!(scene.left_and_owed(&share), (20_000 * ONE, 29_993 * ONE));
    scene.fund(&scene.product).unwrap();
    assert_eq!(scene.world.incident(&scene.product).reserve, SUM);
    scene.assert_books();
}

#[test]
fn a_reinsurers_loss_falls_on_its_surplus_then_junior_then_senior_and_exiting_capital_bears_its_part() {
    let scene = Scene::new();
    let world = &scene.world;
    let terms = layer(world.now(), 2_200 * ONE, 100_000 * ONE);
    let treaty = scene.announced(&scene.open, terms);
    let [_, _, junior, senior] = scene.capital();
    scene.contribute(&scene.open, 10_000 * ONE);
    scene.accept(&treaty).unwrap();
    world.next_day();
    let shares = world.shares(&scene.open, &junior, backstop::state::Tranche::Junior);
    world.exit(&scene.open, &junior, backstop::state::Tranche::Junior, shares / 2);
    let shares = world.shares(&scene.open, &senior, backstop::state::Tranche::Senior);
    world.exit(&scene.open, &senior, backstop::state::Tranche::Senior, shares / 3);
    scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    let before = scene.accrue(&scene.open);
    scene.call(&treaty, &scene.product).unwrap();
    let after = world.pool(&scene.open);
    assert_eq!(after.surplus, 0);
    let [junior, senior] = after.tranches;
    let [junior_before, senior_before] = before.tranches;
    assert_eq!((junior.assets, junior.exiting), (0, 0));
    assert_eq!((junior.wiped_out, senior.wiped_out), (1, 0));
    // 97,800 of the limit of 100,000 are used: as much of what is unearned of the premium is paid first.
    let premium = before.unearned_premium - after.unearned_premium;
    let of_the_part = before.unearned_premium / 1_000 * 978;
    assert!(premium.abs_diff(of_the_part) < 1_000 && premium > 4_800 * ONE, "{premium}");
    let on_senior = SUM - 2_200 * ONE - premium - before.surplus - junior_before.total();
    assert_eq!(senior_before.total() - senior.total(), on_senior);
    let exiting_lost = senior_before.exiting - senior.exiting;
    let part = u128::from(on_senior) * u128::from(senior_before.exiting) / u128::from(senior_before.total());
    assert!(u128::from(exiting_lost).abs_diff(part) <= 1);
    assert!(senior.assets < DEPOSITS[1]);
    scene.assert_books();
}

#[test]
fn a_frozen_reinsurer_never_blocks_an_incident_and_pays_later() {
    let scene = Scene::new();
    let world = &scene.world;
    let [share, low, _] = tower(world.now());
    let [share, low] = scene.in_force([(&scene.owned, share), (&scene.open, low)]);
    let (holder, mint) = scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    let final_at = world.incident(&scene.product).final_at;
    scene.freeze(&scene.owned, true);
    scene.assert_frozen(scene.call(&share, &scene.product));
    assert_eq!(scene.left_and_owed(&share), (20_000 * ONE, 30_000 * ONE));
    // One that can still pay is called, and looks at what is beyond the quota share as if it had paid.
    scene.call(&low, &scene.product).unwrap();
    let [noted, low_noted, ..] = world.incident(&scene.product).treaties;
    assert_eq!((noted.state, noted.owed, noted.paid), (CallState::Pending, 30_000 * ONE, 0));
    assert_eq!((low_noted.state, low_noted.paid), (CallState::Called, 20_000 * ONE));
    // The holder is paid at once; the crisis is closed two days later without it.
    scene.fund(&scene.product).unwrap();
    let before = world.assets(&holder);
    world.settle(&scene.product, &holder, &mint).unwrap();
    assert_eq!(world.assets(&holder) - before, SUM);
    world.cluster.set_time(final_at + 2 * DAY - 1);
    assert_refused(scene.fund(&scene.product), BackstopError::AlreadyFunded);
    world.cluster.set_time(final_at + 2 * DAY);
    scene.fund(&scene.product).unwrap();
    assert!(!world.pool(&scene.cedant).in_crisis());
    scene.assert_books();

    // Nobody is short, so what comes later is theirs who bore the loss: of 80,000 the seniors bore what surplus and juniors
    // could not, and of what is left the juniors, who are over: their part is the surplus's.
    let crisis = world.crisis(&scene.product, 1);
    let [junior, senior] = crisis.recoverable;
    assert_eq!((crisis.owed, junior + senior, crisis.recoverable_surplus), (30_000 * ONE, 30_000 * ONE, 0));
    scene.freeze(&scene.owned, false);
    let cedant = scene.accrue(&scene.cedant);
    let owned = scene.accrue(&scene.owned);
    scene.call(&share, &scene.product).unwrap();
    let after = world.pool(&scene.cedant);
    assert_eq!(after.loss_capital().unwrap() - cedant.loss_capital().unwrap(), 30_000 * ONE);
    assert_eq!(after.tranches[1].assets - cedant.tranches[1].assets, senior);
    assert_eq!(owned.surplus - world.pool(&scene.owned).surplus, 30_000 * ONE);
    assert_eq!(world.pool(&scene.owned).open_limits().unwrap(), 20_000 * ONE);
    assert_eq!(scene.left_and_owed(&share), (20_000 * ONE, 0));
    assert_refused(scene.call(&share, &scene.product), BackstopError::NothingOwed);
    scene.assert_books();
}

#[test]
fn what_is_owed_keeps_its_capital_and_its_treaty_until_it_is_paid_or_a_year_is_over() {
    let scene = Scene::new();
    let world = &scene.world;
    let terms = over(world.now(), 10, quota_share(world.now(), 5_000, 0, ONE).kind, 50_000 * ONE);
    let [treaty] = scene.in_force([(&scene.owned, terms)]);
    scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    scene.freeze(&scene.owned, true);
    world.advance(2 * DAY);
    scene.fund(&scene.product).unwrap();
    world.advance(40 * DAY);
    scene.freeze(&scene.owned, false);
    scene.settle_premium(&scene.owned).unwrap();
    assert_eq!(world.pool(&scene.owned).open_limits().unwrap(), 50_000 * ONE);
    assert_refused(scene.end(&treaty), BackstopError::TreatyInUse);
    // A reinsurer that is short pays what it has; the rest stays owed.
    scene.ruin(&scene.owned, 20_000 * ONE);
    let before = scene.accrue(&scene.cedant).loss_capital().unwrap();
    let has = scene.accrue(&scene.owned).surplus;
    scene.call(&treaty, &scene.product).unwrap();
    assert_eq!(world.pool(&scene.cedant).loss_capital().unwrap() - before, has);
    assert_eq!(world.pool(&scene.owned).surplus, 0);
    assert_eq!(scene.left_and_owed(&treaty), (0, 50_000 * ONE - has));
    assert_refused(scene.end(&treaty), BackstopError::TreatyInUse);
    // It has more later, and pays that.
    scene.contribute(&scene.owned, 10_000 * ONE);
    scene.call(&treaty, &scene.product).unwrap();
    assert_eq!(scene.left_and_owed(&treaty), (0, 40_000 * ONE - has));
    scene.accrue(&scene.cedant);
    world.advance(400 * DAY);
    scene.end(&treaty).unwrap();
    assert_eq!(world.pool(&scene.owned).open_limits().unwrap(), 0);
    scene.assert_books();
}

#[test]
fn a_treaty_of_another_pool_or_for_another_pools_incident_is_refused() {
    let scene = Scene::new();
    let world = &scene.world;
    let other = world.create_pool(terms::create_pool(5));
    let (theirs, outcome) =
        scene.announce_between(&other, &scene.owned, quota_share(world.now(), 3_000, 0, 10_000 * ONE));
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
    scene.accept(&theirs).unwrap();
    let [ours] = scene.in_force([(&scene.owned, quota_share(world.now(), 3_000, 0, 10_000 * ONE))]);
    scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    assert_refused(scene.call(&theirs, &scene.product), BackstopError::WrongParent);
    // Ours, dressed up with another reinsurer, or theirs, dressed up with our pool.
    let dressed = ix::TreatyKeys { reinsurer: scene.open.pool, ..ours };
    assert_refused(scene.call(&dressed, &scene.product), BackstopError::WrongParent);
    let dressed = ix::TreatyKeys { cedant: scene.cedant, ..theirs };
    assert_refused(scene.call(&dressed, &scene.product), BackstopError::WrongParent);
    scene.call(&ours, &scene.product).unwrap();
    scene.assert_books();
}

/// It was shared out like premium: all of it to the surplus for a cover of a dollar, or two thirds to a deposit.
#[test]
fn late_money_is_theirs_who_bore_the_loss_whoever_comes_in_before_it_is_called_for() {
    let scene = Scene::new();
    let world = &scene.world;
    let share = scene.announced(&scene.owned, quota_share(world.now(), 3_000, 0, 50_000 * ONE));
    let [_, senior, ..] = scene.capital();
    scene.accept(&share).unwrap();
    world.next_day();
    scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    let before = scene.accrue(&scene.cedant);
    scene.freeze(&scene.owned, true);
    world.advance(2 * DAY);
    scene.fund(&scene.product).unwrap();
    assert!(!world.pool(&scene.cedant).in_crisis());
    // The seniors bore what surplus and juniors could not; the juniors are over.
    let borne = SUM - before.surplus - before.tranches[0].assets;
    let crisis = world.crisis(&scene.product, 1);
    assert_eq!((crisis.owed, crisis.recoverable), (30_000 * ONE, [30_000 * ONE - borne, borne]));
    let closed = world.pool(&scene.cedant);
    assert_eq!((closed.tranches[1].recoverable, closed.tranches[1].assets), (borne, before.tranches[1].assets - borne));

    // A million comes in, and is called for after it.
    let fresh = world.depositor(&scene.cedant, Tranche::Senior, 1_000_000 * ONE);
    scene.freeze(&scene.owned, false);
    scene.call(&share, &scene.product).unwrap();
    let books = world.pool(&scene.cedant);
    let worth = |person| {
        let shares = world.shares(&scene.cedant, person, Tranche::Senior);
        books.tranche(Tranche::Senior).worth_of_shares(shares).unwrap()
    };
    assert!(worth(&fresh) <= 1_000_000 * ONE && worth(&fresh) > 1_000_000 * ONE - 10);
    assert!(worth(&senior).abs_diff(before.tranches[1].assets) < 10, "as if it had been called in time");
    // What was the juniors' is nobody's any more.
    assert_eq!(books.surplus - closed.surplus, 30_000 * ONE - borne);
    assert_eq!(books.tranche(Tranche::Senior).recoverable, 0);
    scene.assert_books();
}

/// Whoever came in paid for a loss that was known, and whoever left before the call bore nothing of it.
#[test]
fn a_reinsurer_that_owes_takes_nobody_in_and_lets_nobody_out_before_it_is_called() {
    let scene = Scene::new();
    let world = &scene.world;
    let share = scene.announced(&scene.open, quota_share(world.now(), 3_000, 0, 50_000 * ONE));
    let [_, _, _, senior] = scene.capital();
    scene.accept(&share).unwrap();
    world.next_day();
    let nonce = world.exit(&scene.open, &senior, Tranche::Senior, 10_000 * ONE * 1_000);
    let day = world.ticket(&scene.open, &senior, nonce).epoch_day;
    scene.insured(&scene.product, SUM);
    scene.strike(&scene.product);
    let final_at = world.incident(&scene.product).final_at;
    world.cluster.set_time(final_at + 10 * DAY);
    scene.fund(&scene.product).unwrap();
    assert!(!world.pool(&scene.cedant).in_crisis(), "its crisis is over, and nobody has called");
    let settle = || world.send(&[], &[ix::settle_reinsurance_epoch(scene.open.pool, day, &[scene.cedant.pool])]);
    let late = world.person(50_000 * ONE);
    let deposit = || world.deposit(&scene.open, &late, Tranche::Junior, 50_000 * ONE);
    assert_refused(settle(), BackstopError::TreatyOwes);
    assert_refused(deposit(), BackstopError::TreatyOwes);
    // Nor by leaving out who tells.
    let seen = world.pool(&scene.open).seen();
    let args = backstop::DepositArgs { tranche: Tranche::Junior, amount: 50_000 * ONE, min_shares: 0, seen };
    let unseen = ix::deposit(&scene.open, late.id(), None, args);
    assert_refused(world.send(&[&late.key], &[unseen]), BackstopError::CedantsMissing);
    let before = scene.accrue(&scene.open);
    scene.call(&share, &scene.product).unwrap();
    // 30,000: all of it the juniors', as there is no surplus but for a part of premium.
    let after = world.pool(&scene.open);
    assert_eq!(before.loss_capital().unwrap() - after.loss_capital().unwrap(), 30_000 * ONE);
    deposit().unwrap();
    settle().unwrap();
    let junior = *world.pool(&scene.open).tranche(Tranche::Junior);
    let shares = world.shares(&scene.open, &late, Tranche::Junior);
    assert!(junior.worth_of_shares(shares).unwrap() >= 50_000 * ONE - 1);
    scene.assert_books();
}

/// Small was measured by the cedant alone, and a crisis of a dollar kept everybody in.
#[test]
fn what_is_small_for_a_cedant_may_not_be_for_its_reinsurer_and_the_other_way_round() {
    for (sum, small) in [(2_000 * ONE, true), (2_020 * ONE, false)] {
        let scene = Scene::new();
        let world = &scene.world;
        // 0.5 % of 200,000 is 1,000, a little more with premium, and half of what is in alert; the cedant has 420,000.
        let share = scene.announced(&scene.open, quota_share(world.now(), 5_000, 0, 50_000 * ONE));
        let [_, _, _, senior] = scene.capital();
        world.depositor(&scene.cedant, Tranche::Senior, 200_000 * ONE);
        scene.accept(&share).unwrap();
        world.next_day();
        let nonce = world.exit(&scene.open, &senior, Tranche::Senior, 10_000 * ONE * 1_000);
        let day = world.ticket(&scene.open, &senior, nonce).epoch_day;
        world.holder(&scene.product, sum, 30);
        world.advance(9 * DAY);
        world.print(&scene.product, 80_000_000);
        let cedant = scene.accrue(&scene.cedant);
        assert!(cedant.alert_exposure == sum && !cedant.alerts_hold());
        let settle = || world.send(&[], &[ix::settle_reinsurance_epoch(scene.open.pool, day, &[scene.cedant.pool])]);
        let fresh = world.person(50_000 * ONE);
        if small {
            // Next to nothing may leave, as what stays keeps it small; with more capital all of it.
            world.deposit(&scene.open, &fresh, Tranche::Senior, 50_000 * ONE).unwrap();
            settle().unwrap();
            assert_eq!(world.pool(&scene.open).tranche(Tranche::Senior).exiting, 0);
        } else {
            assert_refused(settle(), BackstopError::PoolInAlert);
            let deposit = world.deposit(&scene.open, &fresh, Tranche::Senior, 50_000 * ONE);
            assert_refused(deposit, BackstopError::PoolInAlert);
        }
        scene.assert_books();
    }
    // A little that is owed, and a crisis that comes to no more, hold nobody.
    let scene = Scene::new();
    let world = &scene.world;
    let share = scene.announced(&scene.open, quota_share(world.now(), 3_000, 0, 50_000 * ONE));
    let [_, _, _, senior] = scene.capital();
    scene.accept(&share).unwrap();
    world.next_day();
    let nonce = world.exit(&scene.open, &senior, Tranche::Senior, 10_000 * ONE * 1_000);
    let day = world.ticket(&scene.open, &senior, nonce).epoch_day;
    scene.insured(&scene.product, 100 * ONE);
    world.advance(6 * DAY);
    scene.strike(&scene.product);
    assert!(world.pool(&scene.cedant).in_crisis());
    assert_eq!(scene.left_and_owed(&share).1, 30 * ONE);
    world.run(&[], &[ix::settle_reinsurance_epoch(scene.open.pool, day, &[scene.cedant.pool])]);
    world.depositor(&scene.open, Tranche::Senior, 10_000 * ONE);
    scene.call(&share, &scene.product).unwrap();
    scene.assert_books();
}
