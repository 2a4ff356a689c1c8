//! That something is at an address does not make it what belongs there.

use crate::desk::units;
use crate::scene::Scene;
use anchor_lang::prelude::Pubkey;
use backstop::state::Tranche;
use backstop_client::{Cluster, address};
use backstop_tests::terms::{DAY, ONE};
use solana_sdk::account::Account;

impl Scene {
    /// Sends lamports to an address, as any stranger can.
    fn dust(&self, at: &Pubkey) {
        self.desk.node.world().cluster.airdrop(at, 1_000_000);
    }

    /// Where the person's shares of the senior tranche are.
    fn shares_account(&self) -> Pubkey {
        self.pool.shares_of(&self.person.id(), Tranche::Senior)
    }

    /// Takes the person's account of the asset away, and leaves a stranger's lamports there.
    fn lose_assets_account(&self, owner: &Pubkey) {
        let account = self.pool.assets_of(owner);
        self.desk.node.world().cluster.set_account(account, Account::default());
        self.dust(&account);
    }

    /// Writes a token account anew with another byte or key.
    fn rewrite(&self, account: &Pubkey, change: impl FnOnce(&mut Vec<u8>)) {
        let world = self.desk.node.world();
        let mut found = world.cluster.account(account).expect("read").expect("it is there");
        change(&mut found.data);
        world.cluster.set_account(*account, found);
    }
}

#[test]
fn a_strangers_lamports_do_not_stop_a_deposit() {
    let scene = Scene::new();
    scene.dust(&scene.shares_account());
    let told = scene.desk.json(scene.act(&["pool", "deposit", &scene.pool(), "100", "--tranche", "senior"]));
    assert_eq!(scene.desk.node.world().shares(&scene.pool, &scene.person, Tranche::Senior), units(&told, "shares"));
}

#[test]
fn a_strangers_lamports_do_not_stop_a_cancellation() {
    let scene = Scene::new();
    let cover = address::cover(&scene.cover).to_string();
    scene.desk.node.world().next_day();
    scene.lose_assets_account(&scene.holder.id());
    let cancelled = scene.desk.act(&scene.holder.key, &["cover", "cancel", &cover, "--output", "json"]);
    let refund = units(&scene.desk.json(cancelled), "refund");
    assert!(refund > 0 && scene.desk.node.world().assets(&scene.holder) == refund);
}

#[test]
fn a_strangers_lamports_do_not_stop_an_exit() {
    let scene = Scene::new();
    let pool = scene.pool();
    scene.act(&["pool", "deposit", &pool, "1000", "--tranche", "senior"]).done();
    let ask = ["pool", "exit", "request", &pool, "--tranche", "senior", "--amount", "100"];
    let tickets = [(); 2].map(|()| scene.desk.json(scene.act(&ask))["ticket"].as_str().expect("an address").to_owned());

    // Cancelled while neither the shares' nor the asset's account is there.
    scene.act(&["pool", "exit", "request", &pool, "--tranche", "senior", "--all"]).done();
    let shares = scene.shares_account();
    scene.desk.node.world().cluster.set_account(shares, Account::default());
    scene.dust(&shares);
    scene.lose_assets_account(&scene.person.id());
    scene.desk.node.world().advance(DAY);
    scene.act(&["pool", "exit", "cancel", &tickets[0]]).done();
    assert!(scene.desk.node.world().shares(&scene.pool, &scene.person, Tranche::Senior) > 0);

    scene.desk.node.world().advance(8 * DAY);
    let keeper = scene.desk.node.world().person(0);
    scene.desk.node.world().cluster.airdrop(&keeper.id(), 1_000_000_000);
    // It exits with 3, as no price is fresh; the epoch is settled all the same.
    let run = scene.desk.act(&keeper.key, &["crank", "run", "--once", "--no-claims"]);
    assert!(run.stdout.contains("settle_exit_epoch"), "{run}");
    scene.lose_assets_account(&scene.person.id());
    let claimed = scene.desk.json(scene.act(&["pool", "exit", "claim", &tickets[1]]));
    assert_eq!(scene.desk.node.world().assets(&scene.person), units(&claimed, "amount"));
}

#[test]
fn an_account_that_cannot_be_paid_is_told_with_its_reason() {
    let scene = Scene::new();
    let cover = address::cover(&scene.cover).to_string();
    let account = scene.pool.assets_of(&scene.holder.id());
    let other = scene.person.id();
    let cancel = || scene.desk.act(&scene.holder.key, &["cover", "cancel", &cover]);
    let whole = scene.desk.node.world().cluster.account(&account).expect("read").expect("it is there");
    let restore = || scene.desk.node.world().cluster.set_account(account, whole.clone());

    scene.desk.node.world().next_day();
    scene.rewrite(&account, |data| data[108] = 2);
    cancel().says(1, "is frozen by its mint's authority", "thaw");
    restore();
    scene.rewrite(&account, |data| data[32..64].copy_from_slice(other.as_ref()));
    cancel().says(1, &format!("belongs to {other} now"), "before anything can be paid there");
    restore();
    scene.rewrite(&account, |data| data[..32].copy_from_slice(other.as_ref()));
    cancel().says(1, "is no token account of this mint", "before anything can be paid there");
    restore();
    scene.rewrite(&account, |data| data[108] = 0);
    cancel().says(1, "is no token account of this mint", "before anything can be paid there");
    restore();
    cancel().done();
}

#[test]
fn a_balance_in_another_account_is_found_and_can_be_named() {
    let scene = Scene::new();
    let (pool, person) = (scene.pool(), scene.person.id());
    let usual = scene.pool.assets_of(&person);
    let aside = Pubkey::new_from_array([77; 32]);
    {
        let world = scene.desk.node.world();
        let account = world.cluster.account(&usual).expect("read").expect("it is there");
        world.cluster.set_account(aside, account);
    }
    scene.rewrite(&usual, |data| data[64..72].copy_from_slice(&(10 * ONE).to_le_bytes()));
    let deposit = ["pool", "deposit", &pool, "1000", "--tranche", "senior"];
    let run = scene.desk.act(&scene.person.key, &deposit);
    run.says(1, "this needs 1,000.00, and the token account", &format!("--from {aside}"));
    assert!(run.stderr.contains("not in the associated account"), "{run}");
    let aside = aside.to_string();
    scene.act(&[&deposit[..], &["--from", &aside]].concat()).done();
    assert_eq!(scene.desk.node.world().tokens(&aside.parse().expect("an address")), 4_000 * ONE);

    let balance = scene.desk.json(scene.desk.look(&["balance", &person.to_string(), "--output", "json"]));
    assert_eq!(
        (&balance["pools"][0]["assets"], &balance["pools"][0]["assets_elsewhere"]),
        (&"10".into(), &"4000".into())
    );
    let stranger = scene.pool.assets_of(&scene.holder.id()).to_string();
    let run = scene.desk.act(&scene.person.key, &[&deposit[..], &["--from", &stranger]].concat());
    run.says(1, "belongs to", "--from");
}

#[test]
fn lamports_at_the_address_of_a_pool_do_not_stand_in_its_way() {
    let scene = Scene::new();
    let mint = scene.pool.asset_mint.to_string();
    scene.dust(&address::pool(&scene.pool.asset_mint, 3));
    scene.govern(&["pool", "create", "--mint", &mint, "--id", "3", "--label", "USDT", "--uri", "ipfs://pool"]).done();
}
