//! Whose the money is that treaties pay once a crisis is closed, and whose the premium of a limit that is used up.

use backstop::state::{Tranche, TrancheBook, TreatyKind, day_start};
use backstop_client::instruction::{self as ix, TreatyKeys};
use backstop_tests::reinsurance::{Scene, over, quota_share};
use backstop_tests::terms::{DAY, ONE};
use backstop_tests::{Outcome, Person, explain};

#[track_caller]
fn must(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
}

/// A senior tranche that has borne what a treaty owes: the reinsurer's vault was frozen for two days, so nobody called it.
struct Owed {
    scene: Scene,
    share: TreatyKeys,
    /// 100,000 and 50,000 of senior.
    seniors: [Person; 2],
    /// Tickets of those who asked to leave, and their day.
    tickets: Vec<u64>,
    day: u32,
}

/// The first `leavers` of the seniors ask to leave with all they have before the loss.
fn owed(leavers: usize) -> Owed {
    let scene = Scene::new();
    let world = &scene.world;
    let share = scene.announced(&scene.owned, quota_share(world.now(), 3_000, 0, 50_000 * ONE));
    world.depositor(&scene.cedant, Tranche::Junior, 50_000 * ONE);
    let seniors = [100_000, 50_000].map(|sum| world.depositor(&scene.cedant, Tranche::Senior, sum * ONE));
    must(scene.accept(&share));
    world.next_day();
    scene.insured(&scene.product, 100_000 * ONE);
    let tickets = seniors[..leavers]
        .iter()
        .map(|person| {
            let shares = world.shares(&scene.cedant, person, Tranche::Senior);
            world.exit(&scene.cedant, person, Tranche::Senior, shares)
        })
        .collect();
    let day = world.pool(&scene.cedant).oldest_exit_day;
    scene.strike(&scene.product);
    scene.freeze(&scene.owned, true);
    world.advance(2 * DAY);
    must(scene.fund(&scene.product));
    assert!(!world.pool(&scene.cedant).in_crisis());
    scene.freeze(&scene.owned, false);
    Owed { scene, share, seniors, tickets, day }
}

impl Owed {
    fn book(&self) -> TrancheBook {
        *self.scene.world.pool(&self.scene.cedant).tranche(Tranche::Senior)
    }

    fn worth(&self, person: &Person) -> u64 {
        let shares = self.scene.world.shares(&self.scene.cedant, person, Tranche::Senior);
        self.book().worth_of_shares(shares).unwrap()
    }
}

/// A million that came in before the leaver was paid took nearly all of his 19,738.
#[test]
fn what_a_treaty_owes_who_left_before_it_paid_is_the_surpluss_and_no_newcomers() {
    for newcomer in [false, true] {
        let stage = owed(1);
        let Owed { scene, share, seniors, day, .. } = &stage;
        let world = &scene.world;
        world.cluster.set_time(day_start(day + 1));
        let before = stage.book();
        let (left, stays) = (before.exiting_recoverable, before.recoverable);
        assert!(left > 19_000 * ONE && stays > 9_000 * ONE);
        let fresh = newcomer.then(|| world.depositor(&scene.cedant, Tranche::Senior, 1_000_000 * ONE));
        must(world.settle_epoch(&scene.cedant, *day));
        assert_eq!((stage.book().recoverable, stage.book().exiting_recoverable), (stays, 0));
        let surplus = scene.accrue(&scene.cedant).surplus;
        must(scene.call(share, &scene.product));
        let gained = world.pool(&scene.cedant).surplus - surplus;
        // The junior tranche is over and was owed the rest of the 30,000.
        assert!(gained.abs_diff(30_000 * ONE - stays) <= 100, "{gained}");
        if let Some(fresh) = &fresh {
            assert!(stage.worth(fresh).abs_diff(1_000_000 * ONE) <= 100, "{}", stage.worth(fresh));
        }
        // Who stayed has what is his whoever came in.
        assert!(stage.worth(&seniors[1]).abs_diff(before.assets + stays) <= 100, "{}", stage.worth(&seniors[1]));
        scene.assert_books();
    }
}

/// Ten dollars took all of 29,590.
#[test]
fn ten_dollars_take_nothing_of_what_a_treaty_owes_a_tranche_that_all_have_left() {
    let stage = owed(2);
    let Owed { scene, share, day, .. } = &stage;
    let world = &scene.world;
    world.cluster.set_time(day_start(day + 1));
    let fresh = world.depositor(&scene.cedant, Tranche::Senior, 10 * ONE);
    must(world.settle_epoch(&scene.cedant, *day));
    let surplus = scene.accrue(&scene.cedant).surplus;
    must(scene.call(share, &scene.product));
    assert!(stage.worth(&fresh).abs_diff(10 * ONE) <= 10, "{}", stage.worth(&fresh));
    assert_eq!(world.pool(&scene.cedant).surplus - surplus, 30_000 * ONE);
    scene.assert_books();
}

/// His third of it went to the other leaver.
#[test]
fn who_takes_his_request_back_where_nobody_stays_is_paid_what_a_treaty_owes_him() {
    let stage = owed(2);
    let Owed { scene, share, seniors, tickets, .. } = &stage;
    let world = &scene.world;
    let before = stage.book();
    let ticket = world.ticket(&scene.cedant, &seniors[1], tickets[1]);
    must(world.send(&[&seniors[1].key], &[ix::cancel_exit(&scene.cedant, &ticket)]));
    must(scene.call(share, &scene.product));
    // A third of all, as if it had been called in time.
    let all = before.exiting + before.exiting_recoverable;
    assert!(stage.worth(&seniors[1]).abs_diff(all / 3) <= 100, "{}", stage.worth(&seniors[1]));
    assert!(stage.book().exiting.abs_diff(all / 3 * 2) <= 100, "{}", stage.book().exiting);
    scene.assert_books();
}

/// A layer of 50,000 above 20,000 for 10,000, behind it 150,000 of senior; a loss of `sum`, called and paid.
fn used(sum: u64) -> (Scene, Person) {
    let scene = Scene::new();
    let world = &scene.world;
    let kind = TreatyKind::ExcessOfLoss {
        attachment: 20_000 * ONE,
        rate_on_line_bps: 2_000,
        reinstatements: 0,
        reinstatement_premium_bps: 0,
    };
    let treaty = scene.announced(&scene.open, over(world.now(), 365, kind, 50_000 * ONE));
    world.depositor(&scene.cedant, Tranche::Junior, 50_000 * ONE);
    world.depositor(&scene.cedant, Tranche::Senior, 150_000 * ONE);
    let senior = world.depositor(&scene.open, Tranche::Senior, 150_000 * ONE);
    must(scene.accept(&treaty));
    world.next_day();
    scene.insured(&scene.product, sum);
    scene.strike(&scene.product);
    let before = scene.accrue(&scene.open);
    must(scene.call(&treaty, &scene.product));
    let after = world.pool(&scene.open);
    // What is unearned for the limit that is used is paid first, and only the rest is the capital's loss.
    let paid = sum - 20_000 * ONE;
    let premium = before.unearned_premium - after.unearned_premium;
    let part =
        u64::try_from(u128::from(before.unearned_premium) * u128::from(paid) / u128::from(50_000 * ONE)).unwrap();
    assert!(premium.abs_diff(part) <= 2, "{premium} {part}");
    assert_eq!(before.loss_capital().unwrap() - after.loss_capital().unwrap(), paid - premium);
    must(scene.fund(&scene.product));
    assert!(!world.pool(&scene.cedant).in_crisis());
    (scene, senior)
}

/// Of 9,880 that were unearned a newcomer with 5,000, or 100, behind what was left of the limit took 8,892, and those who
/// had paid 45,000 nothing; a stranger's unit in the surplus took all of it from them.
#[test]
fn the_premium_of_a_limit_that_is_used_is_theirs_who_pay_and_a_remnant_earns_for_a_remnant() {
    for (sum, newcomer, gift) in [
        (65_000 * ONE, 5_000 * ONE, 0),
        (69_900 * ONE, 100 * ONE, 0),
        (70_000 * ONE - 1, 0, 0),
        (70_000 * ONE - 1, 0, 1),
        (70_000 * ONE, 0, 0),
    ] {
        let (scene, senior) = used(sum);
        let world = &scene.world;
        let before = scene.accrue(&scene.open);
        let left = 70_000 * ONE - sum;
        // A fifth of the limit for a year, at the most.
        assert!(before.unearned_premium <= left / 5 + 2, "{}", before.unearned_premium);
        let shares = world.shares(&scene.open, &senior, Tranche::Senior);
        let worth = before.tranche(Tranche::Senior).worth_of_shares(shares).unwrap();
        // 150,000 less what was paid, and the premium of that.
        let paid = 50_000 * ONE - left;
        let gained = worth - (150_000 * ONE - paid);
        assert!(gained > paid / 100 * 19 && gained < paid / 100 * 21, "{gained}");
        let fresh = (newcomer > 0).then(|| world.depositor(&scene.open, Tranche::Junior, newcomer));
        if gift > 0 {
            scene.contribute(&scene.open, gift);
        }
        world.advance(364 * DAY);
        let after = scene.accrue(&scene.open);
        if let Some(fresh) = &fresh {
            let shares = world.shares(&scene.open, fresh, Tranche::Junior);
            let gained = after.tranche(Tranche::Junior).worth_of_shares(shares).unwrap().saturating_sub(newcomer);
            assert!(gained <= left / 5, "{gained}");
        }
        let now = after.tranche(Tranche::Senior).worth_of_shares(shares).unwrap();
        assert!(now + 1 >= worth && after.surplus - before.surplus <= left / 5 + 2 + gift);
        scene.assert_books();
    }
    // A limit that is used up leaves the pool open for capital, for the next treaty.
    let (scene, _) = used(70_000 * ONE);
    // A second later what rounding has left of its stream is earned.
    scene.world.advance(1);
    let person = scene.world.person(5_000 * ONE);
    must(scene.world.deposit(&scene.open, &person, Tranche::Junior, 5_000 * ONE));
}
