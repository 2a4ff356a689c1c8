//! Premium from its first insured second to what an incident makes of it: whose it is, and that no order of calls and no
//! newcomer changes that.

use backstop::error::BackstopError;
use backstop::state::{Claim, Cover, Incident, IncidentState, Pool, PoolTerms, ProductTerms, Tranche, day_of};
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_tests::reinsurance::{RUIN, Scene, layer, quota_share};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Person, World, assert_books, assert_refused};
use solana_sdk::signer::Signer;

/// A breath below 0.95: a severity of 66 basis points.
const SHALLOW: i64 = 94_900_000;

/// What a pool's layers hold: surplus, junior, senior.
fn layers(pool: &Pool) -> [u64; 3] {
    let [junior, senior] = &pool.tranches;
    [pool.surplus, junior.total(), senior.total()]
}

fn accrued(world: &World, pool: &PoolKeys) -> Pool {
    world.run(&[], &[ix::accrue(pool.pool)]);
    world.pool(pool)
}

fn open(world: &World, product: &ProductKeys) -> Incident {
    world.run(&[], &[world.open_incident(product)]);
    world.incident(product)
}

/// What a cover has still to earn by its rate, rounded down.
fn unearned(cover: &Cover, at: i64) -> u64 {
    let seconds = u128::try_from((cover.end() - at.max(cover.active_from())).max(0)).unwrap();
    u64::try_from((u128::from(cover.rate_q32) * seconds) >> 32).unwrap()
}

/// A pool without reinsurance and a product whose cover is dear: 9 % a year and demand.
fn simple() -> (World, PoolKeys, ProductKeys) {
    let world = World::unsigned();
    let pool = world.create_pool(terms::create_pool(0));
    let product = ProductTerms { risk_rate_ppb: 60_000_000, cap_bps: 10_000, ..terms::product_terms() };
    let args = NewProduct { terms: product, ..terms::create_product(world.covered, terms::stress()) };
    let product = world.create_product_with(&pool, args);
    (world, pool, product)
}

/// Case 1: all covers are waiting. Once the buyer got 12,023 back, of which the reinsurer paid 11,023, and the cedant went
/// on to earn the 12,023 as well; without a treaty surplus and junior paid for what senior earned.
#[test]
fn a_refund_comes_from_its_own_premium_and_never_from_a_treaty_or_capital() {
    for with_layer in [true, false] {
        let scene = Scene::new();
        let world = &scene.world;
        let terms = layer(world.now(), 2_200 * ONE, 50_000 * ONE);
        let treaty = scene.announced(&scene.owned, terms);
        scene.capital();
        if with_layer {
            scene.accept(&treaty).unwrap();
        }
        world.next_day();
        let (buyer, mint) = world.holder(&scene.product, 170_000 * ONE, 365);
        let premium = world.cover(&mint).premium;
        let before = layers(&accrued(world, &scene.cedant));
        // What the layer can come to owe, and owes: nothing in the world without it.
        let of_layer = |pool: &Pool| pool.layers[0].limit_left + pool.layers[0].owed;
        let limit = of_layer(&world.pool(&scene.cedant));
        assert_eq!(limit, if with_layer { 50_000 * ONE } else { 0 });

        world.depeg(&scene.product, SHALLOW);
        let incident = open(world, &scene.product);
        // Nothing is lost, so no treaty is noted and nothing is left to be funded.
        assert_eq!((incident.gross, incident.treaty_count, incident.state), (0, 0, IncidentState::Final));
        assert_eq!(incident.crisis, 0);
        scene.call(&treaty, &scene.product).expect_err("there is no crisis to call a treaty for");
        let had = world.assets(&buyer);
        world.settle(&scene.product, &buyer, &mint).unwrap();
        // The whole premium but for the unit by which its rate was rounded down.
        assert_eq!(world.assets(&buyer) - had, premium - 1);
        let after = world.pool(&scene.cedant);
        assert_eq!(layers(&after), before, "capital neither paid nor earned");
        assert_eq!((after.unearned_premium, after.premium_refunds), (1, 0));
        assert_eq!((of_layer(&after), after.layers[0].owed), (limit, 0));

        // A year later the cedant has that unit, and no more.
        world.advance(375 * DAY);
        let later = accrued(world, &scene.cedant);
        assert_eq!(layers(&later).iter().sum::<u64>(), before.iter().sum::<u64>() + 1);
        scene.assert_books();
    }
}

/// Case 1: in an insolvent pool a waiting buyer got 917 of 1,505, while 19,648 of premium of covers that were over stayed
/// in the books. It gets its premium, and the premium of covers that were paid stands behind what these are due.
#[test]
fn an_insolvent_pool_gives_premium_back_in_full_and_keeps_none_beside_its_losses() {
    let world = World::unsigned();
    let terms = PoolTerms { rho_bps: 0, ..terms::pool_terms() };
    let pool = world.create_pool(backstop::CreatePoolArgs { terms, ..terms::create_pool(0) });
    let products: Vec<ProductKeys> = (0..3)
        .map(|group| {
            let terms = ProductTerms { risk_group: group, ..terms::product_terms() };
            let args = NewProduct { terms, ..terms::create_product(world.covered, terms::stress()) };
            world.create_product_with(&pool, args)
        })
        .collect();
    world.depositor(&pool, Tranche::Junior, 30_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 70_000 * ONE);
    world.next_day();
    for product in &products {
        world.holder(product, 55_000 * ONE, 365);
    }
    world.advance(3 * DAY);
    let (late, mint) = world.holder(&products[0], 1_000 * ONE, 365);
    let premium = world.cover(&mint).premium;

    // All three fall in the same hours.
    let slot = 1_800;
    for _ in 0..8 {
        world.cluster.set_time((world.now() / slot + 1) * slot);
        products.iter().for_each(|product| world.print(product, RUIN));
    }
    world.advance(slot + 6 * HOUR + 1);
    for product in &products {
        world.run(&[], &[ix::confirm(product)]);
        open(&world, product);
    }
    // It is paid before anything is funded.
    let had = world.assets(&late);
    world.settle(&products[0], &late, &mint).unwrap();
    assert_eq!(world.assets(&late) - had, premium - 1);

    let books = world.pool(&pool);
    let capital = books.loss_capital().unwrap();
    // Nothing is unearned but what rounding left: a unit of each cover, and of each part of what was divided.
    assert!(books.unearned_premium <= 4 + 3 * 5, "{}", books.unearned_premium);
    for product in &products {
        world.run(&[], &[world.fund_incident(product)]);
    }
    let incidents: Vec<Incident> = products.iter().map(|product| world.incident(product)).collect();
    let [gross, reserve] =
        [|it: &Incident| it.gross, |it: &Incident| it.reserve].map(|of| incidents.iter().map(of).sum::<u64>());
    assert_eq!(gross, 165_000 * ONE);
    // With what rounding left of the premium, which is earned before all is shared out.
    let all = capital..=capital + books.unearned_premium;
    assert!(reserve < gross && all.contains(&(reserve + 2)), "all of the capital, {capital}, is set aside: {reserve}");
    assert_books(&world.cluster, &pool.pool);
}

/// Case 2: after a loss of 80,000 a newcomer once took 9,324 of 29,671 of premium at no exposure.
#[test]
fn a_newcomer_earns_no_premium_of_a_product_that_is_over() {
    for newcomer in [0, 1_000_000 * ONE] {
        let (world, pool, product) = simple();
        let early = world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
        world.next_day();
        let (_, mint) = world.holder(&product, 80_000 * ONE, 365);
        let premium = world.cover(&mint).premium;
        world.advance(5 * DAY);
        world.depeg(&product, RUIN);
        world.open_and_fund(&product);
        let late = (newcomer > 0).then(|| world.depositor(&pool, Tranche::Senior, newcomer));
        world.advance(366 * DAY);
        let books = accrued(&world, &pool);
        let worth =
            |person: &Person| books.tranches[1].worth_of_shares(world.shares(&pool, person, Tranche::Senior)).unwrap();
        if let Some(late) = late {
            assert!((newcomer - 2..=newcomer).contains(&worth(&late)), "{}", worth(&late));
        }
        // Whoever bore the loss has the whole premium: a tenth of it was the surplus's, and fell first.
        let left = 20_000 * ONE + premium;
        assert_eq!(books.loss_capital().unwrap() - newcomer, left);
        assert!((left - 2..=left).contains(&worth(&early)), "{} of {left}", worth(&early));
    }
}

/// Case 2: buy before the event, be refunded, deposit: it once brought 9,632.
#[test]
fn buying_being_refunded_and_depositing_gains_nothing() {
    let mut ends = Vec::new();
    for attack in [false, true] {
        let (world, pool, product) = simple();
        let early = world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
        world.next_day();
        world.holder(&product, 20_000 * ONE, 30);
        world.advance(3 * DAY);
        let attacker = world.person(2_000_000 * ONE);
        let mut bought = None;
        if attack {
            world.print(&product, 97_000_000);
            let (mint, outcome) = world.buy(&product, &attacker, 79_000 * ONE, 365);
            outcome.unwrap();
            bought = Some(mint);
        }
        world.depeg(&product, RUIN);
        world.open_and_fund(&product);
        if let Some(mint) = bought {
            world.settle(&product, &attacker, &mint).unwrap();
            world.deposit(&pool, &attacker, Tranche::Senior, 1_900_000 * ONE).unwrap();
        }
        world.advance(366 * DAY);
        let book = accrued(&world, &pool).tranches[1];
        let worth = |person: &Person| book.worth_of_shares(world.shares(&pool, person, Tranche::Senior)).unwrap();
        if attack {
            let end = worth(&attacker) + world.assets(&attacker);
            assert!((2_000_000 * ONE - 4..2_000_000 * ONE).contains(&end), "{end}");
        }
        ends.push(worth(&early));
    }
    // The depositor who bore the loss has as much with the attack as without, but for what it dropped.
    assert!(ends[1].abs_diff(ends[0]) <= 4, "{ends:?}");
}

/// Case 15: a cover of a cent for 365 days, bought and cancelled, once set a credit of 75,000 to 0 for a year.
#[test]
fn a_cover_that_was_cancelled_takes_no_credit_away() {
    let scene = Scene::new();
    let world = &scene.world;
    let treaty = scene.announced(&scene.owned, quota_share(world.now(), 5_000, 0, 100_000 * ONE));
    scene.capital();
    scene.accept(&treaty).unwrap();
    world.next_day();
    let (_, month) = world.holder(&scene.product, 150_000 * ONE, 60);
    let credit = |pool: Pool| {
        let required = pool.required_capital().unwrap();
        pool.reinsurance_credit(required, world.now())
    };
    let before = world.pool(&scene.cedant);
    assert_eq!((credit(before), before.last_cover_end_day), (75_000 * ONE, world.cover(&month).end_day));
    let (dust, mint) = world.holder(&scene.product, ONE, 365);
    // What outlasts the treaty is backed without it, and takes nothing of its credit away: half of 150,001.
    let with_it = world.pool(&scene.cedant);
    assert_eq!((credit(with_it), with_it.quota_shares[0].outlasting), (75_000 * ONE + ONE / 2, ONE));
    world.next_day();
    let cancel = ix::cancel_cover(&scene.product, dust.id(), mint, world.payer.pubkey());
    world.run(&[&dust.key], &[cancel]);
    let after = world.pool(&scene.cedant);
    assert_eq!((credit(after), after.last_cover_end_day), (75_000 * ONE, before.last_cover_end_day));
    assert_eq!(after.quota_shares[0].outlasting, 0);
}

#[test]
fn premium_is_earned_from_the_first_insured_second_to_the_last() {
    let (world, pool, product) = simple();
    world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
    world.next_day();
    let (_, mint) = world.holder(&product, 10_000 * ONE, 30);
    let cover = world.cover(&mint);
    let before = world.pool(&pool).loss_capital().unwrap();
    let earned = || accrued(&world, &pool).loss_capital().unwrap() - before;
    world.cluster.set_time(cover.active_from());
    assert_eq!(earned(), 0);
    world.advance(1_000);
    let a_thousand_seconds = (u128::from(cover.rate_q32) * 1_000) >> 32;
    assert_eq!(u128::from(earned()), a_thousand_seconds);
    world.cluster.set_time(cover.end() - 1);
    assert!(earned() < cover.premium);
    world.cluster.set_time(cover.end());
    assert_eq!(earned(), cover.premium);
    world.advance(100 * DAY);
    assert_eq!(earned(), cover.premium);
}

#[test]
fn an_alert_that_comes_to_nothing_holds_premium_back_and_gives_it_to_those_who_stayed() {
    let (world, pool, product) = simple();
    let early = world.depositor(&pool, Tranche::Senior, 100_000 * ONE);
    world.next_day();
    world.holder(&product, 50_000 * ONE, 100);
    world.advance(5 * DAY);
    world.print(&product, RUIN);
    let begun = world.now();
    let at_alert = accrued(&world, &pool);
    assert_eq!((at_alert.stands_since, at_alert.accrued_at), (begun, begun));
    // Nobody refreshes it for two days: the chain's alert goes on, and earns nothing.
    world.advance(2 * DAY);
    let standing = accrued(&world, &pool);
    assert_eq!((layers(&standing), standing.accrued_at), (layers(&at_alert), begun));
    let late = world.person(1_000_000 * ONE);
    assert_refused(world.deposit(&pool, &late, Tranche::Senior, 1_000_000 * ONE), BackstopError::PoolInAlert);
    // It is over, and in the same second somebody comes in: what was held back is not his.
    world.run(&[], &[ix::refresh(&product)]);
    world.deposit(&pool, &late, Tranche::Senior, 1_000_000 * ONE).unwrap();
    let over = world.pool(&pool);
    assert_eq!((over.stands_since, over.accrued_at), (0, world.now()));
    let worth =
        |person: &Person| over.tranches[1].worth_of_shares(world.shares(&pool, person, Tranche::Senior)).unwrap();
    assert!(worth(&late) <= 1_000_000 * ONE);
    let held_back = (u128::from(at_alert.rate_q32) * (2 * 86_400)) >> 32;
    let gained = layers(&over).iter().sum::<u64>() - layers(&at_alert).iter().sum::<u64>() - 1_000_000 * ONE;
    assert!(u128::from(gained).abs_diff(held_back) <= 1, "{gained} of {held_back}");
    assert!(worth(&early) > 100_000 * ONE);
}

/// Two products on one event, covers in force and waiting on both, and one that is bought on the second while the first is
/// in alert. Returns what each holder got beside the claim.
fn story(order: [usize; 2], wait: i64, accrue_often: bool) -> (Vec<u64>, u64) {
    let world = World::unsigned();
    let pool = world.create_pool(terms::create_pool(0));
    let products: Vec<ProductKeys> = (0..2)
        .map(|group| {
            let terms = ProductTerms { risk_group: group, ..terms::product_terms() };
            let args = NewProduct { terms, ..terms::create_product(world.covered, terms::stress()) };
            world.create_product_with(&pool, args)
        })
        .collect();
    world.depositor(&pool, Tranche::Junior, 200_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 300_000 * ONE);
    world.next_day();
    let pause = || {
        if accrue_often {
            world.run(&[], &[ix::accrue(pool.pool)]);
        }
    };
    let mut held = Vec::new();
    for product in &products {
        held.push((*product, world.holder(product, 40_000 * ONE + 7, 30)));
        held.push((*product, world.holder(product, 30_000 * ONE, 365)));
    }
    world.advance(4 * DAY);
    pause();
    for product in &products {
        held.push((*product, world.holder(product, 5_000 * ONE + 1, 90)));
    }
    let slot = 1_800;
    for number in 0..10 {
        world.cluster.set_time((world.now() / slot + 1) * slot);
        world.print(&products[0], 90_000_000);
        // The second falls an hour later, and deeper; before that it is sold.
        if number == 1 {
            held.push((products[1], world.holder(&products[1], 3_000 * ONE, 60)));
        } else if number > 1 {
            world.print(&products[1], 85_000_000);
        }
        pause();
    }
    world.advance(slot + 6 * HOUR + 1);
    let final_at = world.now();
    for product in &products {
        world.run(&[], &[ix::confirm(product)]);
    }
    for (call, place) in (0..).zip(order) {
        world.cluster.set_time(final_at + wait * call);
        pause();
        open(&world, &products[place]);
    }
    for place in order {
        world.run(&[], &[world.fund_incident(&products[place])]);
    }
    let mut paid = Vec::new();
    for (product, (person, mint)) in &held {
        let (incident, cover) = (world.incident(product), world.cover(mint));
        let before = world.assets(person);
        world.settle(product, person, mint).unwrap();
        let severity = u128::from(incident.severity_bps);
        let (loss, back) = match cover.claim(incident.event_at) {
            Some(Claim::Loss) => {
                let back = u128::from(unearned(&cover, incident.ended_at)) * (10_000 - severity) / 10_000;
                (u128::from(cover.sum_insured) * severity / 10_000, u64::try_from(back).unwrap())
            }
            _ => (0, unearned(&cover, incident.accrued_at)),
        };
        let got = world.assets(person) - before;
        assert_eq!(u128::from(got), loss + u128::from(back));
        // One that was bought in the first's alert had earned nothing; nor had those that begin the day after.
        if cover.active_from() > incident.accrued_at && loss == 0 {
            assert_eq!(back, cover.premium - 1);
        }
        paid.push(got);
    }
    let books = accrued(&world, &pool);
    assert_eq!((books.rate_q32, books.waiting_rate_q32, books.unearned_premium), (0, 0, 0));
    assert_books(&world.cluster, &pool.pool);
    (paid, books.loss_capital().unwrap())
}

#[test]
fn no_order_and_no_time_of_calls_changes_what_goes_back() {
    let first = story([0, 1], 0, false);
    for (order, wait, accrue_often) in [([1, 0], 0, false), ([0, 1], 30 * DAY, true), ([1, 0], 9 * DAY + 5, true)] {
        let (paid, capital) = story(order, wait, accrue_often);
        assert_eq!(paid, first.0, "{order:?} {wait}");
        // Capital has the rest, but for the roundings of what was divided.
        assert!(capital.abs_diff(first.1) <= 4, "{capital} {}", first.1);
    }
}

#[test]
fn a_cover_that_is_cancelled_in_another_products_alert_leaves_what_it_earned() {
    let world = World::unsigned();
    let pool = world.create_pool(terms::create_pool(0));
    let [product, other] = [0, 1].map(|group| {
        let terms = ProductTerms { risk_group: group, ..terms::product_terms() };
        let args = NewProduct { terms, ..terms::create_product(world.covered, terms::stress()) };
        world.create_product_with(&pool, args)
    });
    world.depositor(&pool, Tranche::Senior, 300_000 * ONE);
    world.next_day();
    let (holder, mint) = world.holder(&product, 40_000 * ONE, 60);
    let (_, other_mint) = world.holder(&other, 1_000 * ONE, 60);
    let of_other = world.cover(&other_mint).premium;
    world.advance(5 * DAY);
    world.print(&other, RUIN);
    world.advance(3 * DAY + 77);
    let cover = world.cover(&mint);
    let had = world.assets(&holder);
    world.run(&[&holder.key], &[ix::cancel_cover(&product, holder.id(), mint, world.payer.pubkey())]);
    let left = unearned(&cover, world.now());
    assert_eq!(world.assets(&holder) - had, left - (left * u64::from(cover.cancel_fee_bps)).div_ceil(10_000));
    let books = world.pool(&pool);
    let standing = u128::try_from(world.now() - books.accrued_at).unwrap();
    assert_eq!(u128::from(books.held_back_premium), (u128::from(cover.rate_q32) * standing) >> 32);
    world.run(&[], &[ix::refresh(&other)]);
    let after = accrued(&world, &pool);
    assert_eq!((after.held_back_premium, after.stands_since), (0, 0));
    assert_books(&world.cluster, &pool.pool);
    // What the cover earned until it was given back is earned, what it did not is gone with it.
    world.advance(60 * DAY);
    let end = accrued(&world, &pool);
    let earned: u64 = layers(&end).iter().sum::<u64>() - 300_000 * ONE;
    let fee = (left * u64::from(cover.cancel_fee_bps)).div_ceil(10_000);
    assert_eq!((earned, end.unearned_premium), (cover.premium - left + fee + of_other, 0));
}

#[test]
fn an_alert_of_a_month_stops_sales_of_the_whole_pool_until_it_is_over() {
    let world = World::unsigned();
    let pool = world.create_pool(terms::create_pool(0));
    let [product, other] = [0, 1].map(|group| {
        let terms = ProductTerms { risk_group: group, ..terms::product_terms() };
        let args = NewProduct { terms, ..terms::create_product(world.covered, terms::stress()) };
        world.create_product_with(&pool, args)
    });
    world.depositor(&pool, Tranche::Senior, 300_000 * ONE);
    world.next_day();
    world.holder(&other, 2_000 * ONE, 60);
    world.advance(HOUR);
    world.print(&other, RUIN);
    assert_eq!(world.pool(&pool).stands_since, world.now());
    let day = day_of(world.now());
    // The buckets of what starts reach 32 days from where accrual stands.
    world.cluster.set_time(i64::from(day + 30) * DAY + DAY);
    world.holder(&product, 1_000 * ONE, 30);
    world.advance(1);
    world.print(&product, 100_000_000);
    let buyer = world.person(1_000 * ONE);
    let (_, outcome) = world.buy(&product, &buyer, 1_000 * ONE, 30);
    assert_refused(outcome, BackstopError::AccrualStands);
    world.run(&[], &[ix::refresh(&other)]);
    let (_, outcome) = world.buy(&product, &buyer, 1_000 * ONE, 30);
    outcome.unwrap();
    assert_books(&world.cluster, &pool.pool);
}
