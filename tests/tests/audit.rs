//! The audit says OK after every step of honest lives of pools, and finds whatever is changed by hand, by its rule.

use anchor_lang::prelude::Pubkey;
use anchor_lang::{AccountSerialize, Discriminator};
use backstop::constants::PAUSE_DEPOSITS;
use backstop::peril::feed::Source;
use backstop::state::{
    AttestorSet, Cession, Cover, CoverState, ExitEpoch, ExitTicket, Incident, IncidentState, Pool, Product,
    ProductState, ProductTerms, Protocol, Rates, Seen, Tranche, Treaty, Trigger, day_of,
};
use backstop_client::account::Decode;
use backstop_client::address;
use backstop_client::audit::{self, Audit, Rule, Snapshot};
use backstop_client::cluster::{self, Blockhash, Cluster, ClusterError};
use backstop_client::instruction::NewProduct;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys, TreatyKeys};
use backstop_tests::attest::Attestors;
use backstop_tests::reinsurance::{self as re, Scene};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Person, World, explain};
use bytemuck::Pod;
use solana_sdk::account::Account;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;
use std::cell::Cell;
use std::collections::BTreeSet;

type Accounts = Vec<(Pubkey, Account)>;

fn audited(world: &World) -> Audit {
    audit::run(&world.cluster, None).expect("the cluster answers")
}

#[track_caller]
fn assert_ok(world: &World, step: &str) {
    let audit = audited(world);
    let findings: Vec<String> = audit.findings().map(ToString::to_string).collect();
    assert!(audit.is_ok(), "after {step}:\n{}", findings.join("\n"));
}

fn rules(audit: &Audit) -> BTreeSet<Rule> {
    audit.findings().map(|finding| finding.rule).collect()
}

// ---- a life of a cover pool ----

/// A cover pool with two products, four covers, and two who want to leave.
struct Life {
    world: World,
    pool: PoolKeys,
    stress: ProductKeys,
    severe: ProductKeys,
    holders: Vec<(Person, Pubkey)>,
    senior: Person,
    junior: Person,
    tickets: [u64; 2],
    epoch_day: u32,
}

impl Life {
    fn new() -> Self {
        let world = World::new();
        let pool = world.create_pool(terms::create_pool(0));
        assert_ok(&world, "an empty pool");
        let stress = world.create_product(&pool, terms::stress());
        let other_group = ProductTerms { risk_group: 1, ..terms::product_terms() };
        let args = NewProduct { terms: other_group, ..terms::create_product(world.covered, terms::severe()) };
        let severe = world.create_product_with(&pool, args);
        let senior = world.depositor(&pool, Tranche::Senior, 10_000 * ONE);
        let junior = world.depositor(&pool, Tranche::Junior, 5_000 * ONE + 7);
        assert_ok(&world, "two products and two deposits");
        world.next_day();
        let holders = vec![
            world.holder(&stress, 2_000 * ONE, 30),
            world.holder(&stress, 1_000 * ONE + 1, 60),
            world.holder(&severe, 3_000 * ONE, 45),
            world.holder(&stress, 500 * ONE, 7),
        ];
        assert_ok(&world, "four covers");
        world.advance(5 * HOUR);
        let tickets = [
            world.exit(&pool, &senior, Tranche::Senior, world.shares(&pool, &senior, Tranche::Senior)),
            world.exit(&pool, &junior, Tranche::Junior, world.shares(&pool, &junior, Tranche::Junior) / 4),
        ];
        assert_ok(&world, "two requests to leave");
        let epoch_day = day_of(world.now() + 7 * DAY);
        Self { world, pool, stress, severe, holders, senior, junior, tickets, epoch_day }
    }

    /// Pays the epoch as far as capital is free.
    fn with_a_partly_paid_epoch() -> Self {
        let life = Self::new();
        let world = &life.world;
        world.advance(8 * DAY);
        world.settle_epoch(&life.pool, life.epoch_day).unwrap_or_else(|error| panic!("{}", explain(&error)));
        let epoch = world.epoch(&life.pool, life.epoch_day);
        assert!(!epoch.is_filled() && epoch.reserve > 0, "the epoch is paid in part");
        assert_ok(world, "an epoch paid in part");
        life
    }

    /// Until the stress condition's incident is open, with a cover that was still waiting at the event.
    fn with_an_open_incident() -> Self {
        let mut life = Self::with_a_partly_paid_epoch();
        let world = &life.world;
        let waiting = world.depositor(&life.pool, Tranche::Junior, 6_000 * ONE);
        assert_ok(world, "a late deposit");
        drop(waiting);
        world.next_day();
        life.holders.push(world.holder(&life.stress, 300 * ONE, 20));
        world.print(&life.stress, 94_000_000);
        assert_ok(world, "a first breach");
        world.depeg(&life.stress, 87_500_000);
        assert_ok(world, "a trigger that fired");
        world.run(&[], &[world.open_incident(&life.stress)]);
        assert_ok(world, "an open incident");
        life
    }

    /// Until the incident is funded and its first cover is paid.
    fn with_a_funded_incident() -> Self {
        let life = Self::with_an_open_incident();
        let world = &life.world;
        world.run(&[], &[world.fund_incident(&life.stress)]);
        assert_ok(world, "a funded incident");
        let (holder, mint) = &life.holders[0];
        world.settle(&life.stress, holder, mint).unwrap_or_else(|error| panic!("{}", explain(&error)));
        assert_ok(world, "a paid cover");
        life
    }
}

#[test]
fn cover_pool_is_ok_from_its_first_deposit_to_the_end_of_its_incident() {
    let life = Life::with_a_funded_incident();
    let world = &life.world;
    let payer = world.payer.pubkey();

    // Exits go on beside the incident: a claim, a ticket that is taken back, the rest of the epoch.
    world.claim(&life.pool, &life.senior, life.tickets[0]).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_ok(world, "a claim");
    let ticket = world.ticket(&life.pool, &life.junior, life.tickets[1]);
    world.run(&[&life.junior.key], &[ix::cancel_exit(&life.pool, &ticket)]);
    assert_ok(world, "a ticket taken back");
    world.settle_epoch(&life.pool, life.epoch_day).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_ok(world, "another payment");
    assert!(world.epoch(&life.pool, life.epoch_day).is_filled());
    world.claim(&life.pool, &life.senior, life.tickets[0]).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_ok(world, "the last claim");
    world.run(&[], &[ix::close_exit_epoch(life.pool.pool, life.epoch_day, payer)]);
    assert_ok(world, "a closed epoch");

    // The paid cover is closed while its premium is still being earned.
    let (holder, mint) = &life.holders[0];
    world.run(&[&holder.key], &[ix::close_cover(&life.stress, Some(holder.id()), *mint, payer)]);
    assert_ok(world, "a closed cover");
    for (holder, mint) in [&life.holders[1], &life.holders[4]] {
        world.settle(&life.stress, holder, mint).unwrap_or_else(|error| panic!("{}", explain(&error)));
        assert_ok(world, "another paid cover");
    }
    world.run(&[], &[world.close_incident(&life.stress)]);
    assert_ok(world, "a closed incident");

    // The other product sells on, takes a cover back, and releases the rest.
    let (holder, mint) = world.holder(&life.severe, 700 * ONE, 14);
    world.next_day();
    world.run(&[&holder.key], &[ix::cancel_cover(&life.severe, holder.id(), mint, payer)]);
    assert_ok(world, "a cover taken back");
    world.advance(80 * DAY);
    world.run(&[], &[ix::sync_product(&life.severe)]);
    assert_ok(world, "a released cover");
    let (holder, mint) = &life.holders[2];
    world.run(&[&holder.key], &[ix::close_cover(&life.severe, Some(holder.id()), *mint, payer)]);
    assert_ok(world, "a closed cover that ended");
}

#[test]
fn donated_tokens_and_burnt_shares_are_no_findings() {
    let life = Life::new();
    let world = &life.world;
    let vault = life.pool.vault();
    let mut account = world.cluster.account(&vault).unwrap().unwrap();
    let held = world.tokens(&vault);
    account.data[64..72].copy_from_slice(&(held + 5 * ONE).to_le_bytes());
    world.cluster.set_account(vault, account);
    let mint = life.pool.share_mint(Tranche::Junior);
    let mut account = world.cluster.account(&mint).unwrap().unwrap();
    let supply = u64::from_le_bytes(account.data[36..44].try_into().unwrap());
    account.data[36..44].copy_from_slice(&(supply - 1_000).to_le_bytes());
    world.cluster.set_account(mint, account);
    assert_ok(world, "gifts");
}

#[test]
fn wiped_out_tranche_and_its_new_series_are_ok() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    let leaver = world.depositor(&pool, Tranche::Junior, 1_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 1_500 * ONE);
    world.next_day();
    let (_, _) = world.holder(&product, 1_900 * ONE, 30);
    world.exit(&pool, &leaver, Tranche::Junior, world.shares(&pool, &leaver, Tranche::Junior) / 2);
    world.advance(2 * DAY);
    world.depeg(&product, re::RUIN);
    world.open_and_fund(&product);
    assert_eq!(world.pool(&pool).tranche(Tranche::Junior).wiped_out, 1);
    assert_ok(&world, "a wiped-out tranche");
    let open = ix::open_series(world.governance.pubkey(), world.payer.pubkey(), pool.pool, Tranche::Junior, 1);
    world.run(&[&world.governance], &[open]);
    assert_ok(&world, "a new series");
    world.advance(9 * DAY);
    let day = world.pool(&pool).oldest_exit_day;
    world.settle_epoch(&pool, day).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_ok(&world, "an epoch whose units are worth nothing");
}

// ---- a life with reinsurance ----

/// A cedant with a quota share and a layer that is reinstated, an incident that calls both, and an announced cession.
struct Tower {
    scene: Scene,
    treaties: [TreatyKeys; 2],
    holder: (Person, Pubkey),
}

impl Tower {
    fn in_force() -> Self {
        let scene = Scene::new();
        let now = scene.world.now();
        let treaties = scene.in_force([
            (&scene.open, re::quota_share(now, 3_000, 2_000, 60_000 * ONE)),
            (&scene.owned, re::reinstated(now, 10_000 * ONE, 40_000 * ONE, 2, 10_000)),
        ]);
        assert_ok(&scene.world, "two treaties in force");
        let holder = scene.insured(&scene.product, 50_000 * ONE);
        assert_ok(&scene.world, "a cover under treaties");
        scene.accrue(&scene.cedant);
        assert_ok(&scene.world, "ceded premium");
        scene.settle_premium(&scene.open).unwrap_or_else(|error| panic!("{}", explain(&error)));
        assert_ok(&scene.world, "ceded premium that was handed over");
        Self { scene, treaties, holder }
    }

    fn struck() -> Self {
        let tower = Self::in_force();
        let Self { scene, .. } = &tower;
        scene.strike(&scene.product);
        assert_ok(&scene.world, "an incident that waits for its treaties");
        scene.call(&tower.treaties[0], &scene.product).unwrap_or_else(|error| panic!("{}", explain(&error)));
        assert_ok(&scene.world, "a quota share called");
        tower
    }
}

#[test]
fn pools_with_treaties_are_ok_through_calls_reinstatement_and_the_end() {
    let tower = Tower::struck();
    let Tower { scene, treaties, holder } = &tower;
    let world = &scene.world;
    scene.call(&treaties[1], &scene.product).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_ok(world, "a layer called");
    scene.fund(&scene.product).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_ok(world, "an incident funded beside treaties");
    world.settle(&scene.product, &holder.0, &holder.1).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_ok(world, "a cover paid by treaties");
    scene.commute(&treaties[1]).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_ok(world, "a commuted layer");
    world.advance(20 * DAY);
    scene.end(&treaties[1]).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_ok(world, "an ended layer");
}

#[test]
fn treaty_that_is_called_late_is_ok() {
    let tower = Tower::in_force();
    let Tower { scene, treaties, .. } = &tower;
    scene.strike(&scene.product);
    scene.fund(&scene.product).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_ok(&scene.world, "layers that lent");
    scene.world.advance(2 * DAY);
    scene.fund(&scene.product).unwrap_or_else(|error| panic!("{}", explain(&error)));
    for treaty in treaties {
        scene.call(treaty, &scene.product).unwrap_or_else(|error| panic!("{}", explain(&error)));
        assert_ok(&scene.world, "a treaty that is called late");
    }
}

// ---- what is changed by hand ----

/// Changes an account of the program that is stored as it is in memory.
fn edit<T: Decode + Pod + Discriminator>(world: &World, key: Pubkey, change: impl FnOnce(&mut T)) {
    let mut account = world.cluster.account(&key).unwrap().unwrap();
    let mut body: T = T::decode(&account.data).expect("the account is of its type");
    change(&mut body);
    let start = T::DISCRIMINATOR.len();
    account.data[start..start + size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&body));
    world.cluster.set_account(key, account);
}

/// Changes an account of the program that is stored field by field.
fn rewrite<T: Decode + AccountSerialize>(world: &World, key: Pubkey, change: impl FnOnce(&mut T)) {
    let mut account = world.cluster.account(&key).unwrap().unwrap();
    let mut body: T = T::decode(&account.data).expect("the account is of its type");
    change(&mut body);
    let length = account.data.len();
    account.data.clear();
    body.try_serialize(&mut account.data).unwrap();
    account.data.resize(length, 0);
    world.cluster.set_account(key, account);
}

/// Changes the bytes of any account.
fn bytes(world: &World, key: Pubkey, change: impl FnOnce(&mut Vec<u8>)) {
    let mut account = world.cluster.account(&key).unwrap().unwrap();
    change(&mut account.data);
    world.cluster.set_account(key, account);
}

/// Changes something, asserts that the rule finds it, and puts it back.
struct Planter<'a> {
    world: &'a World,
    found: BTreeSet<Rule>,
}

impl<'a> Planter<'a> {
    fn new(world: &'a World) -> Self {
        assert_ok(world, "setting the scene");
        Self { world, found: BTreeSet::new() }
    }

    #[track_caller]
    fn plant(&mut self, rule: Rule, key: Pubkey, change: impl FnOnce(&World)) {
        let before = self.world.cluster.account(&key).unwrap().expect("there is something to change");
        change(self.world);
        let after = self.world.cluster.account(&key).unwrap();
        assert_ne!(Some(&before), after.as_ref(), "something was changed");
        let audit = audited(self.world);
        let findings: Vec<String> = audit.findings().map(ToString::to_string).collect();
        assert!(rules(&audit).contains(&rule), "{rule} finds it, found:\n{}", findings.join("\n"));
        self.world.cluster.set_account(key, before);
        self.found.insert(rule);
    }
}

fn plant_in_a_cover_pool(planter: &mut Planter, life: &Life) {
    let world = &life.world;
    let pool = life.pool.pool;
    let stress = life.stress.product;
    let trigger = life.stress.trigger();
    let protocol = address::protocol();

    planter.plant(Rule::Roles, protocol, |world| {
        rewrite::<Protocol>(world, protocol, |it| it.guardian = Pubkey::default());
    });
    planter.plant(Rule::Roles, protocol, |world| {
        rewrite::<Protocol>(world, protocol, |it| {
            it.pause.bits = PAUSE_DEPOSITS;
            it.pause.until = world.now() + 7 * HOUR;
            it.pause.used_at = [0, 0, world.now()];
        });
    });
    planter.plant(Rule::Orphans, trigger, |world| bytes(world, trigger, |data| data[0] ^= 1));
    let cover = address::cover(&life.holders[0].1);
    planter.plant(Rule::Orphans, cover, |world| rewrite::<Cover>(world, cover, |it| it.product = Pubkey::default()));
    planter.plant(Rule::Address, pool, |world| edit::<Pool>(world, pool, |it| it.bump ^= 1));
    planter.plant(Rule::Address, pool, |world| edit::<Pool>(world, pool, |it| it.share_mints.swap(0, 1)));
    planter.plant(Rule::Orphans, cover, |world| rewrite::<Cover>(world, cover, |it| it.version = 1));
    planter.plant(Rule::Rent, cover, |world| {
        let mut account = world.cluster.account(&cover).unwrap().unwrap();
        account.lamports -= 1;
        world.cluster.set_account(cover, account);
    });
    planter.plant(Rule::Terms, pool, |world| edit::<Pool>(world, pool, |it| it.terms.solvency_bps = 9_999));
    planter.plant(Rule::Terms, pool, |world| edit::<Pool>(world, pool, |it| it.ring_days += 1));
    planter.plant(Rule::Terms, trigger, |world| edit::<Trigger>(world, trigger, |it| it.terms.tolerance = 3));
    planter.plant(Rule::Terms, trigger, |world| {
        edit::<Trigger>(world, trigger, |it| it.source = Source::ALL.len() as u8);
    });
    planter.plant(Rule::Terms, stress, |world| {
        edit::<Product>(world, stress, |it| it.covered_asset = world.asset);
    });

    planter.plant(Rule::Ledger, pool, |world| edit::<Pool>(world, pool, |it| it.surplus += 1));
    planter.plant(Rule::Vault, pool, |world| {
        edit::<Pool>(world, pool, |it| {
            it.surplus += 1;
            it.cash += 1;
        });
    });
    let vault = life.pool.vault();
    planter.plant(Rule::Vault, vault, |world| bytes(world, vault, |data| data[108] = 2));
    let mint = life.pool.share_mint(Tranche::Junior);
    let supply = |data: &mut Vec<u8>, by: u64| {
        let supply = u64::from_le_bytes(data[36..44].try_into().unwrap());
        data[36..44].copy_from_slice(&(supply + by).to_le_bytes());
    };
    planter.plant(Rule::Shares, mint, |world| bytes(world, mint, |data| supply(data, 1)));
    planter.plant(Rule::Shares, mint, |world| bytes(world, mint, |data| data[4] ^= 1));
    planter.plant(Rule::Tranches, pool, |world| edit::<Pool>(world, pool, |it| it.tranches[0].wiped_out = 1));
    planter.plant(Rule::Tranches, pool, |world| edit::<Pool>(world, pool, |it| it.tranches[0].shares = 0));
    planter.plant(Rule::Tranches, pool, |world| edit::<Pool>(world, pool, |it| it.in_use = 0));

    planter.plant(Rule::Exposure, stress, |world| edit::<Product>(world, stress, |it| it.exposure += 1));
    let end = world.cover(&life.holders[1].1).end_day as usize;
    planter.plant(Rule::Exposure, stress, |world| {
        edit::<Product>(world, stress, |it| {
            it.exposure_ends[end % 512] -= 1;
            it.exposure_ends[(end + 1) % 512] += 1;
        });
    });
    planter.plant(Rule::Exposure, cover, |world| rewrite::<Cover>(world, cover, |it| it.sum_insured += 1));
    let begin = world.cover(&life.holders[3].1).active_day as usize;
    planter.plant(Rule::Activation, stress, |world| {
        edit::<Product>(world, stress, |it| it.starts[begin % 64].premium -= 1);
    });
    planter.plant(Rule::Activation, stress, |world| {
        edit::<Product>(world, stress, |it| it.starts[begin % 64].sum_insured += 1);
    });
    planter.plant(Rule::Groups, pool, |world| edit::<Pool>(world, pool, |it| it.group_exposures.swap(1, 2)));
    planter.plant(Rule::Groups, pool, |world| edit::<Pool>(world, pool, |it| it.required -= 1));
    planter.plant(Rule::Groups, pool, |world| edit::<Pool>(world, pool, |it| it.total_exposure -= 1));
    planter.plant(Rule::Alerts, pool, |world| edit::<Pool>(world, pool, |it| it.alerts += 1));
    planter.plant(Rule::Alerts, pool, |world| edit::<Pool>(world, pool, |it| it.alert_exposure += 1));
    planter.plant(Rule::Alerts, pool, |world| edit::<Pool>(world, pool, |it| it.group_alerts[7] += 1));
    planter.plant(Rule::Alerts, pool, |world| edit::<Pool>(world, pool, |it| it.group_alert_exposures[7] += 1));

    planter.plant(Rule::Stream, pool, |world| edit::<Pool>(world, pool, |it| it.rate_q32 += 1));
    planter.plant(Rule::Stream, pool, |world| {
        edit::<Pool>(world, pool, |it| {
            it.rate_ends[end % 512] -= 1;
            it.rate_ends[(end + 1) % 512] += 1;
        });
    });
    planter.plant(Rule::Stream, pool, |world| edit::<Pool>(world, pool, |it| it.fraction_q32 = 1 << 32));
    planter.plant(Rule::Stream, pool, |world| edit::<Pool>(world, pool, |it| it.waiting_rate_q32 += 1));
    planter.plant(Rule::Stream, pool, |world| {
        edit::<Pool>(world, pool, |it| {
            let day = it.accrued_at as usize / 86_400 + 1;
            it.rate_starts[day % 32] += 1;
        });
    });
    let rates = life.stress.rates();
    planter.plant(Rule::Stream, rates, |world| edit::<Rates>(world, rates, |it| it.ends[end % 512] += 1));
    planter.plant(Rule::Activation, stress, |world| {
        edit::<Product>(world, stress, |it| it.starts[begin % 64].rate_q32 += 1);
    });
    planter.plant(Rule::Alerts, pool, |world| edit::<Pool>(world, pool, |it| it.stands_since = it.accrued_at));
    planter.plant(Rule::Unearned, pool, |world| {
        edit::<Pool>(world, pool, |it| {
            it.unearned_premium -= 1;
            it.surplus += 1;
        });
    });
    planter.plant(Rule::Unearned, pool, |world| {
        edit::<Pool>(world, pool, |it| {
            it.unearned_premium += 1_000;
            it.cash += 1_000;
        });
    });
    planter.plant(Rule::Covers, cover, |world| rewrite::<Cover>(world, cover, |it| it.rate_q32 *= 2));
    planter.plant(Rule::Covers, cover, |world| rewrite::<Cover>(world, cover, |it| it.state = CoverState::Settled));
    planter.plant(Rule::Covers, stress, |world| edit::<Product>(world, stress, |it| it.covers_sold = 1));
    let nft = life.holders[0].1;
    planter.plant(Rule::Nfts, nft, |world| bytes(world, nft, |data| supply(data, 1)));
    planter.plant(Rule::Nfts, nft, |world| bytes(world, nft, |data| data[0] = 1));

    let epoch = address::exit_epoch(&pool, life.epoch_day);
    let ticket = address::exit_ticket(&pool, &life.senior.id(), life.tickets[0]);
    planter.plant(Rule::Queue, pool, |world| edit::<Pool>(world, pool, |it| it.oldest_exit_day = 0));
    planter.plant(Rule::Queue, pool, |world| edit::<Pool>(world, pool, |it| it.exit_days[3] ^= 1));
    planter.plant(Rule::Tickets, epoch, |world| rewrite::<ExitEpoch>(world, epoch, |it| it.units[1] += 1));
    planter.plant(Rule::Tickets, epoch, |world| rewrite::<ExitEpoch>(world, epoch, |it| it.tickets -= 1));
    planter.plant(Rule::Tickets, ticket, |world| rewrite::<ExitTicket>(world, ticket, |it| it.claimed = u64::MAX));
    planter.plant(Rule::Units, pool, |world| edit::<Pool>(world, pool, |it| it.tranches[1].units -= 1));
    planter.plant(Rule::Units, pool, |world| {
        edit::<Pool>(world, pool, |it| it.tranches[0].units += audit::DUST + 1);
    });
    planter.plant(Rule::ExitReserves, pool, |world| {
        edit::<Pool>(world, pool, |it| {
            it.exit_reserves -= 1;
            it.surplus += 1;
        });
    });
    planter.plant(Rule::ExitReserves, epoch, |world| rewrite::<ExitEpoch>(world, epoch, |it| it.reserve /= 2));

    planter.plant(Rule::Evidence, trigger, |world| {
        edit::<Trigger>(world, trigger, |it| it.evidence.newest_recovered = it.evidence.head);
    });
    planter.plant(Rule::Evidence, trigger, |world| edit::<Trigger>(world, trigger, |it| it.evidence.phase = 2));
    planter.plant(Rule::Evidence, trigger, |world| edit::<Trigger>(world, trigger, |it| it.evidence.open_good += 1));
    planter.plant(Rule::Evidence, trigger, |world| {
        edit::<Trigger>(world, trigger, |it| {
            let slot = it.evidence.head as usize % it.evidence.slots.len();
            it.evidence.slots[slot].recovered_last = 1_801;
        });
    });
    planter.plant(Rule::Products, stress, |world| edit::<Product>(world, stress, |it| it.level_bps = 1));
    planter.plant(Rule::Products, stress, |world| {
        edit::<Product>(world, stress, |it| it.risk_rate_ppb = it.terms.risk_rate_ceiling_ppb + 1);
    });
    planter.plant(Rule::Products, stress, |world| {
        edit::<Product>(world, stress, |it| it.state = backstop::state::ProductState::Over.byte());
    });
}

fn plant_in_an_incident(planter: &mut Planter, life: &Life) {
    let pool = life.pool.pool;
    let product = life.stress.product;
    let trigger = life.stress.trigger();
    let incident = life.stress.incident();
    let cover = address::cover(&life.holders[1].1);
    planter.plant(Rule::Incidents, incident, |world| rewrite::<Incident>(world, incident, |it| it.severity_bps += 1));
    planter.plant(Rule::Incidents, incident, |world| rewrite::<Incident>(world, incident, |it| it.event_at += 1));
    planter.plant(Rule::Incidents, incident, |world| rewrite::<Incident>(world, incident, |it| it.sums += 1));
    planter.plant(Rule::Incidents, trigger, |world| edit::<Trigger>(world, trigger, |it| it.opened ^= 1));
    planter.plant(Rule::IncidentReserves, incident, |world| rewrite::<Incident>(world, incident, |it| it.paid += 1));
    planter.plant(Rule::IncidentReserves, pool, |world| {
        edit::<Pool>(world, pool, |it| {
            it.incident_reserves -= 1;
            it.surplus += 1;
        });
    });
    planter.plant(Rule::Incidents, incident, |world| rewrite::<Incident>(world, incident, |it| it.ended_at += 1));
    planter.plant(Rule::Refunds, incident, |world| rewrite::<Incident>(world, incident, |it| it.refunds_left -= 1));
    planter.plant(Rule::Refunds, pool, |world| {
        edit::<Pool>(world, pool, |it| {
            it.premium_refunds -= 1;
            it.surplus += 1;
        });
    });
    planter.plant(Rule::Refunds, pool, |world| {
        edit::<Pool>(world, pool, |it| {
            it.premium_refunds -= 1;
            it.set_aside += 1;
        });
    });
    planter.plant(Rule::Claims, incident, |world| rewrite::<Incident>(world, incident, |it| it.sums_left -= 1));
    planter.plant(Rule::Claims, incident, |world| rewrite::<Incident>(world, incident, |it| it.premiums_left += 1));
    planter.plant(Rule::Claims, cover, |world| rewrite::<Cover>(world, cover, |it| it.state = CoverState::Settled));
    planter.plant(Rule::Claims, incident, |world| {
        rewrite::<Incident>(world, incident, |it| {
            it.paid += (it.reserve - it.paid) / 2;
        });
    });
    planter.plant(Rule::Exposure, product, |world| edit::<Product>(world, product, |it| it.exposure = 1));
    planter.plant(Rule::Evidence, trigger, |world| edit::<Trigger>(world, trigger, |it| it.evidence.severity_bps -= 1));
    planter
        .plant(Rule::Evidence, trigger, |world| edit::<Trigger>(world, trigger, |it| it.evidence.final_at += 86_400));
    planter.plant(Rule::Evidence, trigger, |world| {
        edit::<Trigger>(world, trigger, |it| it.evidence.lowest_mean = it.evidence.first_mean + 1);
    });
    planter.plant(Rule::Evidence, trigger, |world| {
        edit::<Trigger>(world, trigger, |it| {
            let slot = it.evidence.window_last as usize % it.evidence.slots.len();
            it.evidence.slots[slot].highest_breach += 80;
        });
    });
    planter.plant(Rule::Products, product, |world| edit::<Product>(world, product, |it| it.event_at += 1));
}

#[test]
fn what_is_changed_by_hand_in_a_cover_pool_is_found_by_its_rule() {
    let life = Life::with_a_partly_paid_epoch();
    plant_in_a_cover_pool(&mut Planter::new(&life.world), &life);
}

/// What was sold and left as it is has its rate to the unit, and a term that the product sells. Of what was split, reduced or
/// extended only bounds are known, and the sums of the day buckets tell the rest.
#[test]
fn what_was_never_changed_is_held_to_its_terms_to_the_unit() {
    let life = Life::new();
    let cover = address::cover(&life.holders[0].1);
    let longest = terms::product_terms().max_term_days;
    let tampered = |change: &dyn Fn(&mut Cover)| {
        let before = life.world.cluster.account(&cover).unwrap().unwrap();
        rewrite::<Cover>(&life.world, cover, change);
        let found = rules(&audited(&life.world));
        life.world.cluster.set_account(cover, before);
        found
    };
    assert!(!life.world.cover(&life.holders[0].1).was_changed);
    for change in [
        (|it: &mut Cover| it.rate_q32 += 1) as fn(&mut Cover),
        |it| it.rate_q32 -= 1,
        |it| it.premium += 1,
        |it| it.premium -= 1,
    ] {
        let found = tampered(&change);
        assert!(found.contains(&Rule::Covers) && found.contains(&Rule::Activation), "{found:?}");
    }
    assert!(tampered(&|it| it.end_day = it.active_day + u32::from(longest) + 1).contains(&Rule::Covers));

    let found = tampered(&|it| (it.was_changed, it.rate_q32) = (true, it.rate_q32 + 1));
    assert!(!found.contains(&Rule::Covers) && found.contains(&Rule::Activation), "{found:?}");
    assert!(tampered(&|it| (it.was_changed, it.rate_q32) = (true, it.rate_q32 * 2)).contains(&Rule::Covers));
}

#[test]
fn what_is_changed_by_hand_in_an_incident_is_found_by_its_rule() {
    let life = Life::with_an_open_incident();
    let pool = life.pool.pool;
    let mut planter = Planter::new(&life.world);
    planter.plant(Rule::Crises, pool, |world| edit::<Pool>(world, pool, |it| it.crisis.gross -= 1));
    planter.plant(Rule::Crises, pool, |world| edit::<Pool>(world, pool, |it| it.crisis.unfinal += 1));
    planter.plant(Rule::Crises, pool, |world| edit::<Pool>(world, pool, |it| it.crisis.final_at += 1));
    let incident = life.stress.incident();
    planter.plant(Rule::Incidents, incident, |world| rewrite::<Incident>(world, incident, |it| it.gross += 1));
    planter.plant(Rule::Crises, incident, |world| {
        rewrite::<Incident>(world, incident, |it| it.state = IncidentState::Growing);
    });
    let life = Life::with_a_funded_incident();
    plant_in_an_incident(&mut Planter::new(&life.world), &life);
}

fn plant_in_treaties(planter: &mut Planter, tower: &Tower) {
    let scene = &tower.scene;
    let (cedant, open, owned) = (scene.cedant.pool, scene.open.pool, scene.owned.pool);
    let [quota_share, layer] = [tower.treaties[0].treaty, tower.treaties[1].treaty];
    planter.plant(Rule::Cedant, cedant, |world| edit::<Pool>(world, cedant, |it| it.quota_shares[0].limit_left += 1));
    planter.plant(Rule::Cedant, cedant, |world| edit::<Pool>(world, cedant, |it| it.quota_shares[0].cession_bps += 1));
    planter.plant(Rule::Cedant, cedant, |world| edit::<Pool>(world, cedant, |it| it.treaty_payable[1] += 1));
    planter.plant(Rule::Cedant, cedant, |world| edit::<Pool>(world, cedant, |it| it.layers[0].attachment += 1));
    planter.plant(Rule::Cedant, cedant, |world| edit::<Pool>(world, cedant, |it| it.layers[1] = it.layers[0]));
    planter.plant(Rule::Reinsurer, open, |world| edit::<Pool>(world, open, |it| it.inward[0].limit -= 1));
    planter.plant(Rule::Reinsurer, owned, |world| edit::<Pool>(world, owned, |it| it.inward[0] = Default::default()));
    planter.plant(Rule::Reinsurer, owned, |world| edit::<Pool>(world, owned, |it| it.inward[0].cedant = open));
    planter.plant(Rule::Treaties, layer, |world| rewrite::<Treaty>(world, layer, |it| it.premium -= 1));
    planter.plant(Rule::Treaties, layer, |world| rewrite::<Treaty>(world, layer, |it| it.restored = 5 * it.limit));
    planter.plant(Rule::Treaties, quota_share, |world| rewrite::<Treaty>(world, quota_share, |it| it.id = 9));
    planter.plant(Rule::Stream, layer, |world| rewrite::<Treaty>(world, layer, |it| it.rate_q32 += 1));
    planter.plant(Rule::Unearned, owned, |world| {
        edit::<Pool>(world, owned, |it| {
            it.unearned_premium += audit::DUST + 1_000;
            it.cash += audit::DUST + 1_000;
        });
    });
    let cession = address::cession(&cedant);
    planter.plant(Rule::Treaties, cession, |world| rewrite::<Cession>(world, cession, |it| it.reinsurer = cedant));
}

#[test]
fn what_is_changed_by_hand_in_treaties_is_found_by_its_rule() {
    let tower = Tower::in_force();
    let scene = &tower.scene;
    let governance = scene.world.governance.pubkey();
    let announce =
        ix::announce_cession(governance, scene.world.payer.pubkey(), scene.cedant.pool, scene.owned.pool, ONE);
    scene.world.run(&[&scene.world.governance], &[announce]);
    plant_in_treaties(&mut Planter::new(&scene.world), &tower);
}

#[test]
fn product_without_a_condition_is_ok_in_every_state() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    world.depositor(&pool, Tranche::Senior, 1_000 * ONE);
    let new = terms::create_product(world.covered, terms::stress());
    let [kept, dropped] = [(); 2].map(|()| world.announce_product(&pool, &new));
    assert_ok(&world, "two products without a condition");
    let governance = world.governance.pubkey();
    let run_off = ix::set_product_state(governance, pool.pool, dropped.product, ProductState::RunOff);
    world.run(&[&world.governance], &[run_off]);
    assert_ok(&world, "one of them run off");
    world.run(
        &[&world.governance],
        &[ix::set_condition(governance, world.payer.pubkey(), &kept, None, new.condition())],
    );
    assert_ok(&world, "the other with its condition");
    // A trigger that no product names belongs to nobody.
    edit::<Product>(&world, kept.product, |it| {
        (it.trigger, it.state) = (Pubkey::default(), ProductState::Announced.byte());
    });
    let audit = audit::run(&world.cluster, None).expect("the cluster answers");
    assert!(audit.findings().any(|finding| finding.rule == Rule::Terms), "a trigger without its product");
}

/// Anybody creates a set of attestors: that is no finding, and what is wrong with one is.
#[test]
fn sets_of_attestors_are_checked_and_no_orphans() {
    let life = Life::with_a_partly_paid_epoch();
    let world = &life.world;
    let set = Attestors::create(world, 7, 3, 2).set;
    assert_ok(world, "somebody has created a set of attestors");
    let mut planter = Planter::new(world);
    planter.plant(Rule::Terms, set, |world| edit::<AttestorSet>(world, set, |it| it.threshold = 1));
    planter.plant(Rule::Terms, set, |world| edit::<AttestorSet>(world, set, |it| it.keys[1] = it.keys[0]));
    planter.plant(Rule::Address, set, |world| edit::<AttestorSet>(world, set, |it| it.id += 1));
    let trigger = life.stress.trigger();
    planter.plant(Rule::Terms, trigger, |world| edit::<Trigger>(world, trigger, |it| it.attestors = set));
    planter.plant(Rule::Terms, trigger, |world| {
        edit::<Trigger>(world, trigger, |it| it.source = Source::Attested.byte());
    });
}

#[test]
fn every_rule_is_broken_by_one_of_these_tests() {
    let source = include_str!("audit.rs");
    let planted = |rule: &&Rule| source.contains(&format!("planter.plant(Rule::{rule:?},"));
    // Whether events were lost is asked of the transactions beside the accounts: `event_replay.rs` loses one.
    let others = Rule::ALL.iter().filter(|rule| **rule != Rule::Events);
    let missing: Vec<&Rule> = others.filter(|rule| !planted(rule)).collect();
    assert!(missing.is_empty(), "nothing breaks {missing:?}");
}

/// A cluster on which somebody gives to a pool's surplus each time its accounts are read, for a number of times.
struct Busy<'a> {
    world: &'a World,
    pool: PoolKeys,
    gifts_left: Cell<u32>,
}

impl Cluster for Busy<'_> {
    fn program_accounts(&self, tag: &[u8], filter: Option<(usize, Pubkey)>) -> Result<Accounts, ClusterError> {
        let read = self.world.cluster.program_accounts(tag, filter)?;
        if let Some(left) = self.gifts_left.get().checked_sub(1) {
            self.gifts_left.set(left);
            let giver = self.world.person(ONE);
            self.world.run(&[&giver.key], &[ix::contribute_surplus(&self.pool, giver.id(), ONE, Seen::ANYTHING)]);
        }
        Ok(read)
    }
    fn account(&self, address: &Pubkey) -> Result<Option<Account>, ClusterError> {
        self.world.cluster.account(address)
    }
    fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, ClusterError> {
        self.world.cluster.accounts(addresses)
    }
    fn tokens_of(&self, owner: &Pubkey, token_program: &Pubkey) -> Result<Accounts, ClusterError> {
        self.world.cluster.tokens_of(owner, token_program)
    }
    fn nft_accounts(&self, mints: &[Pubkey]) -> Result<Vec<Option<Pubkey>>, ClusterError> {
        self.world.cluster.nft_accounts(mints)
    }
    fn latest_blockhash(&self) -> Result<Blockhash, ClusterError> {
        self.world.cluster.latest_blockhash()
    }
    fn genesis_hash(&self) -> Result<Hash, ClusterError> {
        self.world.cluster.genesis_hash()
    }
    fn block_height(&self) -> Result<u64, ClusterError> {
        self.world.cluster.block_height()
    }
    fn slot(&self) -> Result<u64, ClusterError> {
        self.world.cluster.slot()
    }
    fn simulate(&self, transaction: &VersionedTransaction) -> cluster::Outcome {
        self.world.cluster.simulate(transaction)
    }
    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        self.world.cluster.submit(transaction)
    }
    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<cluster::Outcome>>, ClusterError> {
        self.world.cluster.outcomes(signatures)
    }
    fn recent_priority_price(&self, writable: &[Pubkey]) -> Result<u64, ClusterError> {
        self.world.cluster.recent_priority_price(writable)
    }
    fn now(&self) -> Result<i64, ClusterError> {
        self.world.cluster.now()
    }
    fn rent(&self, length: usize) -> Result<u64, ClusterError> {
        self.world.cluster.rent(length)
    }
}

#[test]
fn accounts_are_read_again_until_none_changes_meanwhile() {
    let life = Life::new();
    let busy = Busy { world: &life.world, pool: life.pool, gifts_left: Cell::new(3) };
    let snapshot = Snapshot::read(&busy).unwrap();
    assert!(snapshot.changed.is_empty());
    let audit = audit::audit(&snapshot, None);
    assert!(audit.is_ok() && audit.pools.iter().all(|report| report.steady));
}

#[test]
fn pool_that_never_stands_still_is_said_to_move_and_others_are_not() {
    let life = Life::new();
    let quiet = life.world.create_pool(terms::create_pool(1)).pool.to_string();
    let busy = Busy { world: &life.world, pool: life.pool, gifts_left: Cell::new(u32::MAX) };
    let snapshot = Snapshot::read(&busy).unwrap();
    assert_eq!(snapshot.changed, BTreeSet::from([life.pool.pool]));
    let audit = audit::audit(&snapshot, None);
    for report in &audit.pools {
        assert_eq!(report.steady, report.pool == quiet, "{}", report.name);
    }
}

#[test]
fn one_pool_can_be_asked_for_alone() {
    let tower = Tower::in_force();
    let asked = tower.scene.cedant.pool;
    let audit = audit::run(&tower.scene.world.cluster, Some(&asked)).unwrap();
    assert_eq!(audit.pools.len(), 1);
    assert_eq!(audit.pools[0].pool, asked.to_string());
    assert!(audit.pools[0].outcomes.iter().all(|outcome| outcome.compared > 0));
}
