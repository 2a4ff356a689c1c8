//! Whose the money is that treaties pay once a crisis is closed, and whose the premium of a limit that is used up.

use backstop::state::{Tranche, TrancheBook, day_start};
use backstop_client::instruction::{self as ix, TreatyKeys};
use backstop_tests::reinsurance::{Scene, quota_share};
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
