//! A crisis through the real program: incidents that are open together share one ratio, which only rises, and no order
//! of calls changes what anybody gets.

use backstop::CreatePoolArgs;
use backstop::error::BackstopError;
use backstop::events::Accrued;
use backstop::peril::evidence::TermsInput;
use backstop::state::{CoverState, PoolKind, PoolTerms, ProductTerms, Tranche};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys, TreatyKeys};
use backstop_client::transaction::events;
use backstop_sandbox::embedded::Price;
use backstop_tests::reinsurance::{RUIN, Scene, quota_share};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Outcome, Person, World, assert_books, assert_refused, explain, seeded};
use solana_sdk::signer::Signer;

/// A year, in which holders have to be paid.
const YEAR: i64 = 365 * DAY;

/// A product, and the one cover on it.
struct Insured {
    keys: ProductKeys,
    holder: Person,
    mint: anchor_lang::prelude::Pubkey,
}

/// Products, each in a risk group of its own, that the pool holds to be independent of the others.
struct Stage {
    scene: Scene,
    pool: PoolKeys,
    products: Vec<ProductKeys>,
    insured: Vec<Insured>,
}

#[track_caller]
fn must(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
}

impl Stage {
    /// The products, and a pool without capital: nothing needs notice yet.
    fn new(conditions: &[TermsInput]) -> Self {
        let mut scene = Scene::new();
        let terms = PoolTerms { rho_bps: 0, ..terms::pool_terms() };
        let pool = scene.world.create_pool(CreatePoolArgs { terms, kind: PoolKind::Cover, ..terms::create_pool(3) });
        let mut products = Vec::new();
        for (group, condition) in conditions.iter().enumerate() {
            let terms =
                ProductTerms { risk_group: group.try_into().unwrap(), cap_bps: 10_000, ..terms::product_terms() };
            let args = NewProduct { terms, ..terms::create_product(scene.world.covered, *condition) };
            products.push(scene.world.create_product_with(&pool, args));
        }
        scene.cedant = pool;
        Self { scene, pool, products, insured: Vec::new() }
    }

    fn world(&self) -> &World {
        &self.scene.world
    }

    /// Junior and senior capital, one part in four junior.
    fn capital(&self, amount: u64) {
        self.world().depositor(&self.pool, Tranche::Junior, amount / 4);
        self.world().depositor(&self.pool, Tranche::Senior, amount - amount / 4);
        self.world().next_day();
    }

    /// One cover of a sum on each product, in force.
    fn insure(&mut self, sum: u64) {
        for keys in self.products.clone() {
            let (holder, mint) = self.world().holder(&keys, sum, 30);
            self.insured.push(Insured { keys, holder, mint });
        }
        self.world().advance(3 * DAY);
    }

    /// Shows a price to some products in every slot of half an hour.
    fn fall(&self, products: &[ProductKeys], slots: i64) {
        let world = self.world();
        for _ in 0..slots {
            world.cluster.set_time((world.now() / 1_800 + 1) * 1_800);
            products.iter().for_each(|keys| world.print(keys, RUIN));
        }
    }

    fn confirm(&self, keys: &ProductKeys) {
        self.world().run(&[], &[ix::confirm(keys)]);
    }

    fn open(&self, keys: &ProductKeys) -> Outcome {
        self.world().send(&[], &[self.world().open_incident(keys)])
    }

    fn fund(&self, keys: &ProductKeys) -> Outcome {
        self.world().send(&[], &[self.world().fund_incident(keys)])
    }

    /// Funds whatever there is more for, until there is nothing.
    fn fund_all(&self) {
        while self.products.iter().filter(|keys| self.is_open(keys)).any(|keys| self.fund(keys).is_ok()) {}
        assert_books(&self.world().cluster, &self.pool.pool);
    }

    /// Pays every holder who can be paid. Returns what each was given for the loss: one cover is all of its incident.
    fn settle_all(&self) -> Vec<u64> {
        for Insured { keys, holder, mint } in &self.insured {
            let _ = self.world().settle(keys, holder, mint);
        }
        self.insured.iter().filter(|insured| self.is_open(&insured.keys)).map(|insured| self.paid(insured)).collect()
    }

    fn paid(&self, insured: &Insured) -> u64 {
        let incident = self.world().incident(&insured.keys);
        assert_eq!(incident.paid, incident.reserve);
        incident.paid
    }

    fn is_open(&self, keys: &ProductKeys) -> bool {
        self.world().cluster.account(&keys.incident()).unwrap().is_some()
    }

    fn assets(&self) -> Vec<u64> {
        self.insured.iter().map(|insured| self.world().assets(&insured.holder)).collect()
    }
}

/// Below 0.90 for 96 hours.
fn late() -> TermsInput {
    let (duration_seconds, quiet_seconds) = (96 * 3_600, 96 * 3_600);
    TermsInput { duration_seconds, quiet_seconds, tolerance_seconds: 12 * 3_600, ..terms::severe() }
}

/// A pool of 300,000 that insures 165,000 three times, and a quota share of 30 % with a limit of 100,000.
fn three_of_165_000() -> (Stage, TreatyKeys) {
    let mut stage = Stage::new(&[terms::stress(), terms::stress(), terms::stress()]);
    let now = stage.world().now();
    // From the day after tomorrow: tomorrow it is accepted.
    let mut terms = quota_share(now + DAY, 3_000, 0, 100_000 * ONE);
    terms.end_day -= 1;
    let treaty = stage.scene.announced(&stage.scene.owned, terms);
    stage.capital(300_000 * ONE);
    must(stage.scene.accept(&treaty));
    stage.world().next_day();
    stage.insure(165_000 * ONE);
    stage.fall(&stage.products, 8);
    stage.world().advance(7 * HOUR);
    stage.products.iter().for_each(|keys| stage.confirm(keys));
    (stage, treaty)
}

#[test]
fn case_3_whoever_calls_the_treaty_first_holders_of_all_incidents_are_paid_the_same_part() {
    let orders: [[usize; 3]; 3] = [[0, 1, 2], [2, 0, 1], [1, 2, 0]];
    let mut ends: Vec<Vec<u64>> = Vec::new();
    for (number, order) in orders.into_iter().enumerate() {
        let (stage, treaty) = three_of_165_000();
        let world = stage.world();
        // Each order in another rhythm: all opened at first, or each opened, called for and funded in turn.
        for product in order.map(|index| stage.products[index]) {
            must(stage.open(&product));
            if number != 0 {
                let _ = stage.scene.call(&treaty, &product);
                let _ = stage.fund(&product);
            }
            if number == 2 {
                stage.settle_all();
            }
        }
        for product in order.map(|index| stage.products[index]) {
            let _ = stage.scene.call(&treaty, &product);
        }
        assert_eq!(stage.scene.left_and_owed(&treaty), (0, 0), "the whole limit is paid, whoever called for it");
        stage.fund_all();
        let reserves = stage.settle_all();
        assert_eq!(reserves[0], reserves[1]);
        assert_eq!(reserves[0], reserves[2]);
        // All that there is goes to the holders: 300,000, the limit of 100,000, and premium that was earned.
        let sum: u64 = reserves.iter().sum();
        assert!((400_000 * ONE..410_000 * ONE).contains(&sum), "{sum}");
        let books = world.pool(&stage.pool);
        let (left, treaty_debt) = (books.loss_capital().unwrap(), books.crisis_buckets);
        assert!(left + treaty_debt < 10, "{left} are left, {treaty_debt} not given");
        assert_eq!(books.tranches.map(|book| book.wiped_out), [1, 1]);
        ends.push(stage.assets());
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0], ends[2]);
}

#[test]
fn case_7_an_early_incident_and_one_four_days_later_are_paid_in_one_ratio() {
    let late = late();
    let mut stage = Stage::new(&[terms::stress(), late]);
    stage.capital(200_000 * ONE);
    stage.insure(140_000 * ONE);
    let [early, late] = [stage.products[0], stage.products[1]];
    let world = stage.world();
    stage.fall(&[early, late], 8);
    stage.fall(&[late], 13);
    stage.confirm(&early);
    must(stage.open(&early));
    must(stage.fund(&early));
    let first = world.incident(&early);
    // 200,000 and some premium for 280,000, whether that comes or not.
    let ratio = |reserve: u64| reserve * 1_000 / (140_000 * ONE);
    assert!((714..735).contains(&ratio(first.reserve)), "{}", ratio(first.reserve));
    must(world.settle(&early, &stage.insured[0].holder, &stage.insured[0].mint));
    assert_eq!(world.cover(&stage.insured[0].mint).state, CoverState::Refunded, "more may come");
    assert_refused(stage.fund(&early), BackstopError::AlreadyFunded);
    // While that lasts nobody comes in or leaves.
    let newcomer = world.person(1_000 * ONE);
    assert_refused(world.deposit(&stage.pool, &newcomer, Tranche::Senior, 1_000 * ONE), BackstopError::PoolInCrisis);

    stage.fall(&[late], 2 * 92);
    world.advance(9 * HOUR);
    stage.confirm(&late);
    must(stage.open(&late));
    stage.fund_all();
    let reserves = stage.settle_all();
    assert_eq!(reserves[0], reserves[1]);
    assert!((714..735).contains(&ratio(reserves[0])), "{}", ratio(reserves[0]));
    assert!(reserves[0] >= first.reserve, "a ratio only rises");
    assert!(world.pool(&stage.pool).loss_capital().unwrap() < 3);
    assert!(world.crisis(&early, 1).closed);
    assert_eq!(world.pool(&stage.pool).crisis.number, 1);
}

#[test]
fn an_early_incident_is_paid_in_full_when_the_other_alert_goes_away() {
    let late = late();
    let mut stage = Stage::new(&[terms::stress(), late]);
    stage.capital(200_000 * ONE);
    stage.insure(140_000 * ONE);
    let [early, late] = [stage.products[0], stage.products[1]];
    let world = stage.world();
    stage.fall(&[early, late], 8);
    stage.fall(&[late], 13);
    stage.confirm(&early);
    must(stage.open(&early));
    must(stage.fund(&early));
    assert!(world.incident(&early).reserve < 110_000 * ONE);
    for _ in 0..3 {
        world.recover(&late, 100_000_000);
    }
    world.advance(DAY);
    world.print(&late, 100_000_000);
    assert_eq!(world.pool(&stage.pool).alerts, 0);
    stage.fund_all();
    assert_eq!(world.incident(&early).reserve, 140_000 * ONE);
    must(world.settle(&early, &stage.insured[0].holder, &stage.insured[0].mint));
    assert_eq!(world.cover(&stage.insured[0].mint).state, CoverState::Settled);
    assert!(world.pool(&stage.pool).loss_capital().unwrap() > 60_000 * ONE);
}

/// The second product begins to fall in the second of the first one's T, or a minute later. Whoever opens the first
/// incident late, or after that print, lets nobody share in it who fell once it was final.
#[test]
fn an_incident_that_is_opened_late_is_paid_as_one_that_is_opened_at_once() {
    let paid = [(0, false), (0, true), (1, false), (1, true), (60, true)].map(|(minutes, late)| {
        let mut stage = Stage::new(&[terms::stress(), terms::stress()]);
        stage.capital(150_000 * ONE);
        stage.insure(100_000 * ONE);
        let world = stage.world();
        let [first, second] = [stage.products[0], stage.products[1]];
        world.next_day();
        let midnight = world.now();
        world.print(&first, RUIN);
        stage.fall(&[first], 7);
        world.cluster.set_time(midnight + 10 * HOUR);
        let open = || {
            stage.confirm(&first);
            must(stage.open(&first));
            let _ = stage.fund(&first);
        };
        if !late {
            open();
        }
        world.advance(minutes * 60);
        world.print(&second, RUIN);
        if late {
            open();
        }
        stage.fall(&[second], 8);
        world.advance(7 * HOUR);
        stage.confirm(&second);
        let _ = stage.fund(&first);
        must(stage.open(&second));
        stage.fund_all();
        stage.settle_all()
    });
    for paid in &paid {
        assert_eq!(paid[0], 100_000 * ONE, "it stands alone");
        assert!((50_000 * ONE..60_000 * ONE).contains(&paid[1]), "{paid:?}");
    }
    assert_eq!(paid[0], paid[1], "in one second, whatever came first");
}

/// Holders were short by 40,000, and what the calm product had earned meanwhile went past them to the surplus.
#[test]
fn what_a_calm_product_has_earned_by_when_all_is_final_goes_to_holders_who_are_short() {
    let mut stage = Stage::new(&[terms::stress(), terms::stress(), terms::stress()]);
    stage.capital(160_000 * ONE);
    for (keys, sum) in stage.products.clone().into_iter().zip([100_000, 100_000, 60_000]) {
        let (holder, mint) = stage.world().holder(&keys, sum * ONE, 30);
        stage.insured.push(Insured { keys, holder, mint });
    }
    let world = stage.world();
    world.advance(3 * DAY);
    let struck = [stage.products[0], stage.products[1]];
    stage.fall(&struck, 8);
    world.advance(7 * HOUR);
    for keys in &struck {
        stage.confirm(keys);
        must(stage.open(keys));
    }
    // Whenever that is.
    world.advance(DAY);
    let before = world.pool(&stage.pool);
    let receipt = stage.fund(&struck[0]).unwrap_or_else(|error| panic!("{}", explain(&error)));
    let [Accrued { accrual, at, .. }] = &events::<Accrued>(&receipt.logs)[..] else { panic!("one") };
    let final_at = before.crisis.final_at;
    assert_eq!((*at, before.accrued_at), (final_at, before.stands_since));
    // All of its premium over thirty days, for the hours from the first print to when all was final.
    let seconds = u64::try_from(final_at - before.stands_since).unwrap();
    assert_eq!(seconds, 10 * 3_600);
    let premium = world.cover(&stage.insured[2].mint).premium;
    assert!(accrual.earned.abs_diff(premium * seconds / (30 * 86_400)) <= 1, "{accrual:?} of {premium}");
    assert!(accrual.earned > 0 && accrual.ceded == [0; 2]);
    stage.fund_all();
    let paid: u64 = stage.settle_all().iter().sum();
    // To a unit of each incident, by which its part is rounded down.
    let all = before.loss_capital().unwrap() + accrual.earned;
    assert!(all - paid <= 2 && paid < 200_000 * ONE, "{paid} of {all}");
    assert_books(&world.cluster, &stage.pool.pool);
}

/// A pool of 150,000, of which two covers of 100,000 and one of 1,000 are insured; at ten the first incident is proven, and
/// final, of what fell from midnight on. The third product was below its threshold at five: that is over by half past nine.
/// The second falls from ten on, and is proven at eight in the evening. It ends then, with nothing opened but the first.
fn first_and_second_and_a_third_that_is_over(third_falls_again: bool, opened: bool) -> Stage {
    let mut stage = Stage::new(&[terms::stress(), terms::stress(), terms::stress()]);
    stage.capital(150_000 * ONE);
    for (keys, sum) in stage.products.clone().into_iter().zip([100_000, 100_000, 1_000]) {
        let (holder, mint) = stage.world().holder(&keys, sum * ONE, 30);
        stage.insured.push(Insured { keys, holder, mint });
    }
    let world = stage.world();
    world.advance(3 * DAY);
    let [first, second, third] = [stage.products[0], stage.products[1], stage.products[2]];
    world.next_day();
    let midnight = world.now();
    world.print(&first, RUIN);
    stage.fall(&[first], 7);
    world.cluster.set_time(midnight + 5 * HOUR);
    world.print(&third, RUIN);
    world.cluster.set_time(midnight + 10 * HOUR);
    world.print(&second, RUIN);
    stage.confirm(&first);
    if opened {
        must(stage.open(&first));
    }
    stage.fall(&[second], 2);
    if third_falls_again {
        world.print(&third, RUIN);
    }
    stage.fall(&[second], 5);
    world.cluster.set_time(midnight + 20 * HOUR);
    stage.confirm(&second);
    stage
}

/// Of 150,000 the first is paid in full, and the second what is left.
fn assert_apart(stage: &Stage) {
    stage.fund_all();
    let paid = stage.settle_all();
    assert_eq!(paid[0], 100_000 * ONE);
    assert!((50_000 * ONE..53_000 * ONE).contains(&paid[1]), "{paid:?}");
}

/// Both had 75,868 if nobody had refreshed the third trigger before the second incident was opened.
#[test]
fn an_alert_that_is_over_by_the_clock_lets_no_later_incident_join_a_crisis_that_it_held() {
    let stage = first_and_second_and_a_third_that_is_over(false, true);
    let [first, second, third] = [stage.products[0], stage.products[1], stage.products[2]];
    let world = stage.world();
    assert_eq!(world.pool(&stage.pool).alerts, 2, "nobody has called");
    assert_refused(stage.open(&second), BackstopError::CrisisNotClosed);
    must(stage.fund(&first));
    assert!(world.pool(&stage.pool).in_crisis());
    assert_refused(stage.open(&second), BackstopError::CrisisNotClosed);
    // Anybody ends it.
    world.run(&[], &[ix::refresh(&third)]);
    must(stage.fund(&first));
    assert!(!world.pool(&stage.pool).in_crisis());
    must(stage.open(&second));
    assert_apart(&stage);
}

#[test]
fn an_alert_that_was_over_and_falls_again_is_another_whether_or_not_anybody_saw_it_end() {
    let stage = first_and_second_and_a_third_that_is_over(true, true);
    let [first, second, third] = [stage.products[0], stage.products[1], stage.products[2]];
    let world = stage.world();
    // The first, the third, the second, and the third again.
    assert_eq!((world.trigger(&third).alert_number, world.pool(&stage.pool).alert_seq), (4, 4));
    // It began once the first was final, and holds that crisis no longer.
    must(stage.fund(&first));
    assert!(!world.pool(&stage.pool).in_crisis());
    must(stage.open(&second));
    assert_apart(&stage);
}

/// Two had 75,867 each if the second was opened first.
#[test]
fn of_two_that_nobody_has_opened_the_one_that_was_due_before_the_other_began_is_opened_first() {
    let stage = first_and_second_and_a_third_that_is_over(true, false);
    let [first, second, _] = [stage.products[0], stage.products[1], stage.products[2]];
    let world = stage.world();
    assert_refused(stage.open(&second), BackstopError::CrisisNotClosed);
    assert!(!world.pool(&stage.pool).in_crisis());
    must(stage.open(&first));
    assert_refused(stage.open(&second), BackstopError::CrisisNotClosed);
    must(stage.fund(&first));
    must(stage.open(&second));
    assert_apart(&stage);
}

#[test]
fn case_16_what_a_treaty_pays_late_goes_to_the_holders_who_are_short_and_not_past_them() {
    let (stage, treaty) = three_of_165_000();
    let world = stage.world();
    for product in &stage.products {
        must(stage.open(product));
    }
    // The issuer has the reinsurer's vault frozen: nothing can be called.
    stage.scene.freeze(&stage.scene.owned, true);
    assert!(stage.scene.call(&treaty, &stage.products[0]).is_err());
    assert_eq!(stage.scene.left_and_owed(&treaty), (0, 100_000 * ONE));
    world.advance(2 * DAY);
    stage.fund_all();
    let before: u64 = stage.settle_all().iter().sum();
    assert!((300_000 * ONE..310_000 * ONE).contains(&before), "{before}");
    assert!(world.crisis(&stage.products[0], 1).closed, "closed without it");
    // What rounding has left of it.
    let bucket = world.pool(&stage.pool).crisis_buckets;
    assert!(bucket < 3, "{bucket}");
    let surplus = world.pool(&stage.pool).surplus;
    stage.scene.freeze(&stage.scene.owned, false);
    for product in &stage.products {
        must(stage.scene.call(&treaty, product));
    }
    let books = world.pool(&stage.pool);
    assert_eq!(books.surplus, surplus, "nothing of it goes to the surplus");
    assert_eq!(books.crisis_buckets, 100_000 * ONE + bucket);
    stage.fund_all();
    let after: u64 = stage.settle_all().iter().sum();
    assert!((100_000 * ONE - 3..=100_000 * ONE + bucket).contains(&(after - before)), "{}", after - before);
    let reserves = stage.settle_all();
    assert_eq!([reserves[0]; 2], [reserves[1], reserves[2]]);
}

#[test]
fn while_a_vault_is_frozen_no_incident_closes_and_holders_are_given_another_year() {
    let mut stage = Stage::new(&[terms::stress()]);
    stage.capital(200_000 * ONE);
    stage.insure(100_000 * ONE);
    let keys = stage.products[0];
    let world = stage.world();
    stage.fall(&[keys], 8);
    world.advance(7 * HOUR);
    stage.confirm(&keys);
    must(stage.open(&keys));
    stage.fund_all();
    let deadline = world.incident(&keys).deadline;
    assert_refused(world.send(&[], &[ix::extend_deadline(&keys, Some(1))]), BackstopError::VaultNotFrozen);
    assert_refused(world.send(&[], &[world.close_incident(&keys)]), BackstopError::IncidentInUse);
    stage.scene.freeze(&stage.pool, true);
    stage.scene.assert_frozen(world.settle(&keys, &stage.insured[0].holder, &stage.insured[0].mint));
    world.cluster.set_time(deadline + 1);
    assert_refused(world.send(&[], &[world.close_incident(&keys)]), BackstopError::VaultFrozen);
    must(world.send(&[], &[ix::extend_deadline(&keys, Some(1))]));
    assert_eq!(world.incident(&keys).deadline, deadline + 1 + YEAR);
    assert_eq!(world.crisis(&keys, 1).until, deadline + 1 + YEAR);
    stage.scene.freeze(&stage.pool, false);
    assert_refused(world.send(&[], &[world.close_incident(&keys)]), BackstopError::IncidentInUse);
    must(world.settle(&keys, &stage.insured[0].holder, &stage.insured[0].mint));
    assert_eq!(world.cover(&stage.insured[0].mint).state, CoverState::Settled);
    must(world.send(&[], &[world.close_incident(&keys)]));
}

#[test]
fn an_incident_opens_when_it_is_proven_and_is_paid_again_as_it_grows() {
    let growing = TermsInput { run_on_seconds: 86_400, ..terms::stress() };
    let mut stage = Stage::new(&[growing]);
    stage.capital(200_000 * ONE);
    stage.insure(100_000 * ONE);
    let keys = stage.products[0];
    let Insured { holder, mint, .. } = &stage.insured[0];
    let world = stage.world();
    let show = |price: i64, slots: i64| {
        for _ in 0..slots {
            world.cluster.set_time((world.now() / 1_800 + 1) * 1_800);
            let account = seeded(7).pubkey();
            world.cluster.post_price(account, terms::FEED, Price::e8(price, 0, world.now()));
            world.run(&[], &[ix::observe(&keys, account)]);
        }
    };
    // Half is due by the first four hours.
    show(87_500_000, 8 + 13);
    stage.confirm(&keys);
    must(stage.open(&keys));
    must(stage.fund(&keys));
    let (first, held) = (world.incident(&keys), world.assets(holder));
    assert_eq!((first.severity_bps, first.gross), (5_000, 50_000 * ONE));
    // There is enough for all that it can still become.
    assert_eq!(first.reserve, 50_000 * ONE);
    must(world.settle(&keys, holder, mint));
    assert_eq!(world.assets(holder) - held, 50_000 * ONE, "for the loss; premium is decided about at the end");
    // The price falls on: four hours at 0.80 are all.
    show(RUIN, 10 + 12);
    must(stage.fund(&keys));
    let second = world.incident(&keys);
    assert!(second.severity_bps > first.severity_bps);
    must(world.settle(&keys, holder, mint));
    world.cluster.set_time(second.final_at);
    must(stage.fund(&keys));
    stage.fund_all();
    must(world.settle(&keys, holder, mint));
    let last = world.incident(&keys);
    assert_eq!((last.severity_bps, last.reserve, last.paid), (10_000, 100_000 * ONE, 100_000 * ONE));
    assert_eq!(world.assets(holder) - held, 100_000 * ONE);
    assert_eq!(world.cover(mint).state, CoverState::Settled);
    assert!(world.crisis(&keys, 1).closed);
    must(world.send(&[], &[world.close_incident(&keys)]));
    assert_books(&world.cluster, &stage.pool.pool);
}

// ---- a second reading: who is first gains nothing ----

/// What everybody in a pool has: of the surplus, and the tranches staying and exiting.
fn ends(stage: &Stage) -> [u64; 5] {
    let books = stage.world().pool(&stage.pool);
    let [junior, senior] = &books.tranches;
    [books.surplus, junior.assets, junior.exiting, senior.assets, senior.exiting]
}

/// A product that is insured for all that the pool has for longer than an epoch takes to be late, and somebody who has asked
/// to leave junior with all of it.
struct Late {
    stage: Stage,
    leaver: Person,
    ticket: u64,
    treaty: Option<TreatyKeys>,
}

impl Late {
    fn new(junior: u64, layer: Option<(u64, u64)>) -> Self {
        let mut stage = Stage::new(&[terms::stress()]);
        let now = stage.world().now();
        let treaty = layer.map(|(attachment, limit)| {
            stage.scene.contribute(&stage.pool, 5_000 * ONE);
            let terms = backstop_tests::reinsurance::layer(now + DAY, attachment, limit);
            let terms = backstop::state::TreatyTerms { end_day: terms.end_day - 1, ..terms };
            stage.scene.announced(&stage.scene.owned, terms)
        });
        let leaver = stage.world().depositor(&stage.pool, Tranche::Junior, junior);
        stage.world().depositor(&stage.pool, Tranche::Senior, 200_000 * ONE - junior);
        stage.world().next_day();
        if let Some(treaty) = &treaty {
            must(stage.scene.accept(treaty));
        }
        stage.world().next_day();
        let keys = stage.products[0];
        let (holder, mint) = stage.world().holder(&keys, 200_000 * ONE, 60);
        stage.insured.push(Insured { keys, holder, mint });
        let shares = stage.world().shares(&stage.pool, &leaver, Tranche::Junior);
        let ticket = stage.world().exit(&stage.pool, &leaver, Tranche::Junior, shares);
        stage.world().advance(41 * DAY);
        // Half of the sum is lost; the severity is final when it is proven.
        for _ in 0..8 {
            stage.world().cluster.set_time((stage.world().now() / 1_800 + 1) * 1_800);
            stage.world().print(&keys, 87_500_000);
        }
        stage.world().advance(7 * HOUR);
        stage.confirm(&keys);
        must(stage.open(&keys));
        assert_eq!(stage.world().incident(&keys).gross, 100_000 * ONE);
        Self { stage, leaver, ticket, treaty }
    }

    fn settle_epoch(&self) -> Outcome {
        let day = self.stage.world().ticket(&self.stage.pool, &self.leaver, self.ticket).epoch_day;
        self.stage.world().settle_epoch(&self.stage.pool, day)
    }

    /// Funds, settles and claims what there is, and returns what the leaver has.
    fn end(&self) -> u64 {
        let world = self.stage.world();
        self.stage.fund_all();
        let _ = self.settle_epoch();
        let _ = world.claim(&self.stage.pool, &self.leaver, self.ticket);
        world.assets(&self.leaver)
    }
}

#[test]
fn who_leaves_late_bears_a_loss_that_is_due_whether_or_not_it_was_funded_before() {
    let funded = Late::new(50_000 * ONE, None);
    let after = funded.end();
    let unfunded = Late::new(50_000 * ONE, None);
    let _ = unfunded.settle_epoch();
    let before = unfunded.end();
    assert_eq!(before, after, "the leaver's capital stood first for a loss of 100,000");
}

#[test]
fn who_leaves_late_keeps_what_a_treaty_brings_back_whether_or_not_it_was_called_before() {
    let called = Late::new(100_000 * ONE, Some((50_000 * ONE, 50_000 * ONE)));
    must(called.stage.scene.call(&called.treaty.unwrap(), &called.stage.products[0]));
    let before = called.end();
    let lent = Late::new(100_000 * ONE, Some((50_000 * ONE, 50_000 * ONE)));
    must(lent.stage.fund(&lent.stage.products[0]));
    let _ = lent.settle_epoch();
    must(lent.stage.scene.call(&lent.treaty.unwrap(), &lent.stage.products[0]));
    assert_eq!(lent.end(), before, "{:?} {:?}", ends(&lent.stage), ends(&called.stage));
}

#[test]
fn a_crisis_that_is_opened_late_still_gives_its_treaties_time_to_be_called() {
    let worlds = [false, true].map(|called_first| {
        let mut stage = Stage::new(&[terms::stress()]);
        let now = stage.world().now();
        stage.scene.contribute(&stage.pool, 5_000 * ONE);
        let terms = backstop_tests::reinsurance::layer(now + DAY, 20_000 * ONE, 50_000 * ONE);
        let terms = backstop::state::TreatyTerms { end_day: terms.end_day - 1, ..terms };
        let treaty = stage.scene.announced(&stage.scene.owned, terms);
        stage.capital(200_000 * ONE);
        must(stage.scene.accept(&treaty));
        stage.world().next_day();
        stage.insure(70_000 * ONE);
        let keys = stage.products[0];
        stage.fall(&[keys], 8);
        // Nobody calls for three days.
        stage.world().advance(3 * DAY);
        stage.confirm(&keys);
        must(stage.open(&keys));
        if called_first {
            must(stage.scene.call(&treaty, &keys));
        }
        must(stage.fund(&keys));
        if !called_first {
            must(stage.scene.call(&treaty, &keys));
        }
        stage.fund_all();
        ends(&stage)
    });
    assert_eq!(worlds[0], worlds[1], "what the treaty pays restores what the layers gave");
}

#[test]
fn the_order_in_which_incidents_are_opened_does_not_change_how_much_premium_is_ceded() {
    let worlds = [[0, 1], [1, 0]].map(|order| {
        let mut stage = Stage::new(&[terms::stress(), terms::stress()]);
        let now = stage.world().now();
        let mut terms = quota_share(now + DAY, 3_000, 0, 100_000 * ONE);
        terms.end_day -= 1;
        let treaty = stage.scene.announced(&stage.scene.owned, terms);
        stage.capital(270_000 * ONE);
        must(stage.scene.accept(&treaty));
        stage.world().next_day();
        for (product, sum) in [(0, 250_000), (1, 150_000)] {
            let keys = stage.products[product];
            let (holder, mint) = stage.world().holder(&keys, sum * ONE, 30);
            stage.insured.push(Insured { keys, holder, mint });
        }
        stage.world().advance(3 * DAY);
        stage.fall(&stage.products, 8);
        stage.world().advance(7 * HOUR);
        stage.products.iter().for_each(|keys| stage.confirm(keys));
        for product in order {
            must(stage.open(&stage.products[product]));
        }
        for keys in &stage.products {
            let _ = stage.scene.call(&treaty, keys);
        }
        stage.fund_all();
        stage.settle_all()
    });
    assert_eq!(worlds[0], worlds[1]);
}

#[test]
fn a_limit_is_restored_for_no_more_than_what_is_still_exposed_however_often_its_treaty_is_called() {
    let worlds = [false, true].map(|twice| {
        let growing = TermsInput { run_on_seconds: 86_400, ..terms::stress() };
        let mut stage = Stage::new(&[growing, terms::stress()]);
        let now = stage.world().now();
        stage.scene.contribute(&stage.pool, 10_000 * ONE);
        stage.scene.contribute(&stage.scene.owned, 300_000 * ONE);
        let terms = backstop_tests::reinsurance::reinstated(now + DAY, 20_000 * ONE, 100_000 * ONE, 1, 10_000);
        let terms = backstop::state::TreatyTerms { end_day: terms.end_day - 1, ..terms };
        let treaty = stage.scene.announced(&stage.scene.owned, terms);
        stage.capital(200_000 * ONE);
        must(stage.scene.accept(&treaty));
        stage.world().next_day();
        for (product, sum) in [(0, 180_000), (1, 20_000)] {
            let keys = stage.products[product];
            let (holder, mint) = stage.world().holder(&keys, sum * ONE, 30);
            stage.insured.push(Insured { keys, holder, mint });
        }
        stage.world().advance(3 * DAY);
        let keys = stage.products[0];
        let show = |price: i64, slots: i64| {
            for _ in 0..slots {
                stage.world().cluster.set_time((stage.world().now() / 1_800 + 1) * 1_800);
                stage.world().print(&keys, price);
            }
        };
        show(87_500_000, 8 + 13);
        stage.confirm(&keys);
        must(stage.open(&keys));
        if twice {
            must(stage.scene.call(&treaty, &keys));
        }
        show(RUIN, 10 + 12);
        must(stage.fund(&keys));
        must(stage.scene.call(&treaty, &keys));
        (stage.world().incident(&keys).still_exposed, stage.scene.treaty(&treaty).restored)
    });
    assert_eq!(worlds[0], (20_000 * ONE, 20_000 * ONE));
    assert_eq!(worlds[1], worlds[0]);
}

#[test]
fn what_a_loss_leaves_of_premium_is_shared_out_alike_whether_or_not_the_layers_have_lent_before() {
    let worlds = [false, true].map(|early| {
        let growing = TermsInput { run_on_seconds: 86_400, ..terms::stress() };
        let mut stage = Stage::new(&[growing]);
        stage.capital(200_000 * ONE);
        stage.insure(80_000 * ONE);
        let keys = stage.products[0];
        for _ in 0..8 + 13 {
            stage.world().cluster.set_time((stage.world().now() / 1_800 + 1) * 1_800);
            stage.world().print(&keys, 87_500_000);
        }
        stage.confirm(&keys);
        must(stage.open(&keys));
        if early {
            must(stage.fund(&keys));
        }
        stage.world().cluster.set_time(stage.world().incident(&keys).final_at);
        stage.fund_all();
        assert!(stage.world().crisis(&keys, 1).closed);
        ends(&stage)
    });
    let [late, early] = worlds;
    // Fractions that are carried apart.
    let alike = late.iter().zip(early).all(|(late, early)| late.abs_diff(early) <= 1);
    assert!(alike, "{late:?} {early:?}");
}
