//! `backstop trigger` and `backstop incident`: from a price to a payout, by the command line alone.

use crate::desk::{finish, units};
use crate::scene::{Scene, half_back};
use backstop::peril::evidence::Phase;
use backstop_client::address;
use backstop_client::cluster::Cluster;
use backstop_sandbox::embedded::Price;
use backstop_tests::seeded;
use backstop_tests::terms::{FEED, HOUR, MINUTE, ONE};
use solana_sdk::signer::Signer;

impl Scene {
    /// Posts a price of now and shows it to the trigger by the command line.
    pub fn observe(&self, price_e8: i64) -> crate::desk::Run {
        let account = seeded(7).pubkey();
        {
            let world = self.desk.node.world();
            world.cluster.post_price(account, FEED, Price::e8(price_e8, 0, world.now()));
        }
        self.act(&["trigger", "observe", &self.product(), "--price", &account.to_string()])
    }

    fn phase(&self) -> Phase {
        let world = self.desk.node.world();
        let trigger = world.trigger(&self.product);
        trigger.evidence.phase_at(&trigger.terms, world.now())
    }
}

#[test]
fn a_trigger_is_shown_and_fed_with_prices() {
    let scene = Scene::new();
    scene.shows("trigger-show-quiet", &["trigger", "show", &scene.product()]);
    scene.desk.node.world().advance(HOUR);
    scene.desk.snapshot("trigger-observe", scene.observe(90_000_000));
    scene.shows("trigger-show-breaching", &["trigger", "show", &scene.product()]);
    scene.desk.node.world().advance(10 * HOUR);
    scene.desk.snapshot("trigger-refresh", scene.act(&["trigger", "refresh", &scene.product()]));
    scene.act(&["trigger", "confirm", &scene.product()]).says(1, "(NotDue, ", "trigger show");
}

#[test]
fn prices_of_a_file_are_replayed_without_a_cluster() {
    let scene = Scene::new();
    let rows: String = (0..12).map(|slot| format!("{},0.875\n", 1_700_000_000 + slot * 1_800)).collect();
    let prices = scene.desk.write("prices.csv", &rows);
    let replay = [
        &["trigger", "replay", "--prices", &prices, "--threshold", "0.95", "--recovery", "0.96", "--full-loss", "0.80"]
            [..],
        &["--duration", "4h", "--slot", "30m", "--tolerance", "30m", "--challenge", "6h"],
    ];
    let replay = replay.concat();
    scene.desk.snapshot("trigger-replay", finish(scene.desk.bare().args(&replay).args(["--output", "json"])));
    assert_eq!(scene.desk.node.asked("getMultipleAccounts"), 0);
}

#[test]
fn a_price_of_another_feed_or_program_is_refused() {
    let scene = Scene::new();
    let account = seeded(8).pubkey();
    {
        let world = scene.desk.node.world();
        world.cluster.post_price(account, [9; 32], Price::e8(90_000_000, 0, world.now()));
    }
    let observe = |account: String| scene.act(&["trigger", "observe", &scene.product(), "--price", &account]);
    observe(account.to_string()).refused(1);
    observe(scene.person.id().to_string()).refused(1);
    observe(seeded(9).pubkey().to_string()).refused(1);
}

#[test]
fn a_depeg_is_paid_by_the_command_line_alone() {
    let scene = Scene::new();
    let product = scene.product();
    let world = || scene.desk.node.world();
    // The cover waits a day before it protects.
    world().next_day();
    world().next_day();
    for _ in 0..9 {
        world().advance(30 * MINUTE);
        scene.observe(87_500_000).done();
    }
    assert_eq!(scene.phase(), Phase::Met);
    scene.act(&["incident", "open", &product]).says(1, "(NotTriggered, ", "trigger show");
    world().advance(7 * HOUR);
    scene.desk.snapshot("trigger-confirm", scene.act(&["trigger", "confirm", &product]));
    scene.shows("trigger-show-triggered", &["trigger", "show", &product]);

    scene.desk.snapshot("incident-open", scene.act(&["incident", "open", &product]));
    scene.shows("incident-show-open", &["incident", "show", &product]);
    let cover = address::cover(&scene.cover).to_string();
    // Half of the premium of the time after the challenge: it is the cover's own, and does not wait for funding.
    let back = half_back(&world(), &scene.product, &scene.cover);
    let early = scene.desk.json(scene.act(&["incident", "settle", &cover]));
    assert_eq!((units(&early, "amount"), units(&early, "refund")), (0, back));
    scene.act(&["incident", "settle", &cover]).says(1, "(NothingOwed, ", "nothing to do");
    // While the asset's issuer has the vault frozen nobody can be paid: the deadline can be moved.
    scene.act(&["incident", "extend", &product]).says(1, "(VaultNotFrozen, ", "");
    let vault = scene.pool.vault();
    let set_frozen = |state: u8| {
        let world = world();
        let mut account = world.cluster.account(&vault).expect("the cluster answers").expect("the vault is there");
        account.data[108] = state;
        world.cluster.set_account(vault, account);
    };
    set_frozen(2);
    scene.desk.snapshot("incident-extend", scene.act(&["incident", "extend", &product]));
    set_frozen(1);
    scene.desk.snapshot("incident-fund", scene.act(&["incident", "fund", &product]));
    scene.shows("incident-list", &["incident", "list"]);
    let before = world().assets(&scene.holder);
    let settled = scene.desk.snapshot("incident-settle", scene.act(&["incident", "settle", &cover]));
    let paid = world().assets(&scene.holder) - before;
    // Half of the way from 0.95 to 0.80.
    assert_eq!((paid, units(&settled, "refund")), (5_000 * ONE, 0));
    scene.act(&["incident", "settle", &cover]).refused(1);
    scene.shows("incident-show-settled", &["incident", "show", &product]);
    scene.desk.snapshot("incident-close", scene.act(&["incident", "close", &product]));
    scene.desk.look(&["incident", "list"]).done();
}
