//! Plans state what must be on chain; the difference says what is missing, and applying it twice changes nothing.

use anchor_lang::prelude::Pubkey;
use backstop::state::{Pool, PoolKind, Product, ProductState, Seen, Tranche, Treaty, TreatyState, day_of};
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::migration::{self, Item, Plan, PlanError, Standing, Step};
use backstop_client::quote::Market;
use backstop_client::{account, address, transaction, view};
use backstop_sandbox::EmbeddedCluster;
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{START, World, explain, seeded};
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations")
}

/// Values that the committed plans need in a world.
fn values(world: &World) -> BTreeMap<String, String> {
    let day = |ahead: u32| backstop::border::text::date_text(day_of(world.now()) + ahead);
    let values = [
        ("governance", world.governance.pubkey().to_string()),
        ("guardian", world.guardian.pubkey().to_string()),
        ("risk_keeper", world.risk_keeper.pubkey().to_string()),
        ("usdc", world.asset.to_string()),
        ("usdt", world.covered.to_string()),
        ("first_day", day(2)),
        ("end_day", day(300)),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn plans(world: &World) -> Vec<Plan> {
    migration::load(&committed(), &values(world)).unwrap_or_else(|error| panic!("{error}"))
}

fn difference(world: &World, plans: &[Plan]) -> Vec<Item> {
    migration::difference(&world.cluster, plans, world.payer.pubkey()).expect("the chain can be read")
}

#[track_caller]
fn apply(world: &World, step: &Step) {
    let outcome = world.send(&[&world.governance], std::slice::from_ref(&step.instruction));
    outcome.unwrap_or_else(|error| panic!("{}: {}", step.what, explain(&error)));
}

fn standings(items: &[Item]) -> Vec<Standing> {
    items.iter().map(|item| item.standing).collect()
}

/// A plan from its text.
fn plan(text: &str) -> Result<Plan, PlanError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("0001_plan.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.path().join("wording.md"), "What is covered.").unwrap();
    migration::load(&file, &BTreeMap::new()).map(|mut plans| plans.remove(0))
}

/// A committed plan.
fn plans_of(world: &World, name: &str) -> Vec<Plan> {
    changed(world, name, "[values]", "[values]")
}

/// A committed plan with a text in it changed.
fn changed(world: &World, name: &str, from: &str, to: &str) -> Vec<Plan> {
    changed_by(world, name, &[(from, to)])
}

/// The same with several.
fn changed_by(world: &World, name: &str, changes: &[(&str, &str)]) -> Vec<Plan> {
    let folder = tempfile::tempdir().unwrap();
    let mut text = std::fs::read_to_string(committed().join(name)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} says {from}");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(folder.path().join(name), &text).unwrap();
    std::fs::create_dir(folder.path().join("wording")).unwrap();
    for wording in std::fs::read_dir(committed().join("wording")).unwrap() {
        let wording = wording.unwrap();
        std::fs::copy(wording.path(), folder.path().join("wording").join(wording.file_name())).unwrap();
    }
    let used = |name: &String| text.contains(&format!("${{{name}}}"));
    let values = values(world).into_iter().filter(|(name, _)| used(name)).collect();
    migration::load(&folder.path().join(name), &values).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn committed_plans_found_a_protocol_and_then_there_is_nothing_to_do() {
    let world = World::new();
    let plans = plans(&world);
    let items = difference(&world, &plans);
    use Standing::{Create, Unchanged, Waits};
    assert_eq!(standings(&items), [Unchanged, Create, Create, Create, Create, Create]);
    for step in items.iter().flat_map(|item| &item.steps) {
        apply(&world, step);
    }
    let pool: Pool = world.read(&address::pool(&world.asset, 0));
    assert_eq!((pool.kind(), pool.products, pool.treaties), (PoolKind::Cover, 2, 1));
    assert_eq!(pool.terms.cooldown_seconds, 14 * 86_400);
    assert_eq!(pool.terms.min_first_deposit, 10 * ONE);
    let stress: Product = world.read(&address::product(&address::pool(&world.asset, 0), 0));
    assert_eq!((stress.name(), stress.risk_rate_ppb), ("USDT below 0.95 for 4h", 20_000_000));

    let items = difference(&world, &plans);
    assert_eq!(standings(&items), [Unchanged, Unchanged, Unchanged, Unchanged, Unchanged, Waits]);
    assert!(items[5].notes[0].contains("The surplus is smaller than this needs"), "{items:?}");
    assert!(items.iter().all(|item| item.steps.is_empty()));

    // With capital for the layer, and a surplus that pays for it, the same plan accepts the treaty.
    let keys = |id| PoolKeys::derive(world.asset, anchor_spl::token::ID, id);
    let giver = world.person(20_000 * ONE);
    let contribute = |id, amount| ix::contribute_surplus(&keys(id), giver.id(), amount, Seen::ANYTHING);
    world.run(&[&giver.key], &[contribute(1, 10_000 * ONE), contribute(0, 1_000 * ONE)]);
    let items = difference(&world, &plans);
    assert_eq!(items[5].standing, Standing::Change);
    apply(&world, &items[5].steps[0]);
    let treaty: Treaty = world.read(&items[5].address);
    assert_eq!(treaty.state, TreatyState::Active);
    let items = difference(&world, &plans);
    assert!(items.iter().all(|item| item.standing == Unchanged && item.steps.is_empty()));
}

/// A deductible of 4 % and a coinsurance of 20 % are said in a plan, stand on chain, are told before a purchase, and are what
/// a payout is less.
#[test]
fn claim_terms_of_a_plan_are_what_a_buyer_is_told_and_what_his_payout_is_less() {
    let world = World::new();
    let feed: String = terms::FEED.iter().map(|byte| format!("{byte:02x}")).collect();
    let terms_of_claims = "risk_group = 0\ndeductible = \"4%\"\ncoinsurance = \"20%\"\n";
    let of_pyth = "2b89b9dc8fdf9f34709a5b106b472f0f39bb6ca9ce04b0fd7f2e971688e2e53b";
    let changes = [("risk_group = 0\n", terms_of_claims), (of_pyth, &feed)];
    let (pool_plan, products) =
        (plans_of(&world, "0002_usdc_pool.toml"), changed_by(&world, "0003_usdt_products.toml", &changes));
    for plans in [&pool_plan, &products] {
        for step in difference(&world, plans).iter().flat_map(|item| &item.steps) {
            apply(&world, step);
        }
        let again = difference(&world, plans);
        assert!(again.iter().all(|item| item.standing == Standing::Unchanged), "{again:#?}");
    }
    // Whoever drops them from the plan afterwards conflicts with what is on chain.
    let dropped = changed(&world, "0003_usdt_products.toml", of_pyth, &feed);
    let items = difference(&world, &dropped);
    assert_eq!(standings(&items), [Standing::Conflict, Standing::Unchanged], "{items:#?}");

    let pool = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0);
    let [bears, bears_nothing] = [0, 1].map(|id| ProductKeys::derive(pool, id));
    let stored = world.product(&bears).terms;
    assert_eq!((stored.deductible_bps, stored.coinsurance_bps), (400, 2_000));
    world.depositor(&pool, Tranche::Junior, 20_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 80_000 * ONE);
    world.advance(8 * DAY);
    world.print(&bears, 100_000_000);
    let told = |product: &ProductKeys| {
        let market = Market::fetch(&world.cluster, product).unwrap();
        view::product::payment_of(&market.trigger, &market.product.terms)
    };
    let sentence = told(&bears);
    assert!(
        sentence.ends_with("; less the first 4.00 % of the sum insured and 20.00 % of the rest of any loss"),
        "{sentence}"
    );
    assert!(!told(&bears_nothing).contains("less the first"), "{}", told(&bears_nothing));
    let warned = |product: &ProductKeys| {
        let market = Market::fetch(&world.cluster, product).unwrap();
        view::product::not_covered_of(&market.trigger, &market.product.terms)
    };
    let own = "You bear the first 4.00 % of the sum insured and 20.00 % of the rest of any loss yourself.";
    assert_eq!(warned(&bears).last().map(String::as_str), Some(own));
    assert!(warned(&bears_nothing).iter().all(|sentence| !sentence.starts_with("You bear")));

    let buyer = world.person(10_000 * ONE);
    let (mint, bought) = world.buy(&bears, &buyer, 10_000 * ONE, 30);
    bought.unwrap_or_else(|error| panic!("{}", explain(&error)));
    world.advance(4 * DAY);
    world.depeg(&bears, 87_500_000);
    world.open_and_fund(&bears);
    // Half is lost: 46 % beyond the deductible, of which the holder bears a fifth.
    let incident = world.incident(&bears);
    assert_eq!((incident.severity_bps, incident.gross), (3_680, 3_680 * ONE));
    let (had, unearned) = (world.assets(&buyer), world.cover(&mint).policy.unearned_at(incident.ended_at).unwrap());
    world.settle(&bears, &buyer, &mint).unwrap_or_else(|error| panic!("{}", explain(&error)));
    // And of the premium that was not earned, the part that was not paid.
    let back = unearned * 6_320 / 10_000;
    assert_eq!(world.assets(&buyer) - had, 3_680 * ONE + back);
    assert_eq!((world.cover(&mint).paid, world.cover(&mint).refunded), (3_680 * ONE, back));
}

#[test]
fn plans_begin_with_the_protocol_where_nothing_is_there() {
    let founder = seeded(1);
    let cluster = EmbeddedCluster::start(START, &founder.pubkey());
    cluster.airdrop(&founder.pubkey(), 1_000_000_000_000);
    let world = World::new();
    cluster.create_mint(world.asset, 6, &founder.pubkey());
    let mut values = values(&world);
    for role in ["governance", "guardian", "risk_keeper"] {
        values.insert(role.into(), founder.pubkey().to_string());
    }
    let plans = migration::load(&committed(), &values).unwrap();
    let difference = || migration::difference(&cluster, &plans, founder.pubkey()).unwrap();
    assert_eq!(standings(&difference()), [Standing::Create; 6]);
    let only_pools = migration::difference(&cluster, &plans[1..], founder.pubkey()).unwrap();
    assert_eq!(standings(&only_pools)[0], Standing::Conflict);
    for step in difference().iter().flat_map(|item| &item.steps) {
        assert_eq!(step.signer, founder.pubkey());
        let sent = transaction::send(&cluster, &founder, &[], std::slice::from_ref(&step.instruction));
        sent.unwrap_or_else(|error| panic!("{}: {}", step.what, explain(&error)));
    }
    assert!(difference().iter().all(|item| item.steps.is_empty()));
}

#[test]
fn migration_that_is_stopped_after_any_step_is_completed_by_the_next_run() {
    let steps = |items: &[Item]| items.iter().flat_map(|item| item.steps.clone()).collect::<Vec<Step>>();
    let world = World::new();
    let plans = plans(&world);
    let mut left = steps(&difference(&world, &plans));
    let all = left.len();
    let mut runs = 0;
    while let Some(first) = left.first() {
        // One step, and then the power fails.
        apply(&world, first);
        runs += 1;
        let again = steps(&difference(&world, &plans));
        assert_eq!(
            again.iter().map(|step| &step.what).collect::<Vec<_>>(),
            left[1..].iter().map(|s| &s.what).collect::<Vec<_>>()
        );
        left = again;
    }
    assert_eq!(runs, all);
}

#[test]
fn other_terms_of_a_pool_are_a_conflict_and_name_what_differs() {
    let world = World::new();
    for step in difference(&world, &plans(&world)).iter().flat_map(|item| &item.steps) {
        apply(&world, step);
    }
    let items = difference(&world, &changed(&world, "0002_usdc_pool.toml", "cooldown = \"14d\"", "cooldown = \"13d\""));
    assert_eq!(items[0].standing, Standing::Conflict);
    assert!(items[0].steps.is_empty());
    let field = &items[0].fields[0];
    assert_eq!(
        (field.name.as_str(), field.chain.as_str(), field.plan.as_str()),
        ("cooldown_seconds", "1209600", "1123200")
    );

    let name = "0003_usdt_products.toml";
    let items = difference(&world, &changed(&world, name, "threshold = \"0.95\"", "threshold = \"0.94\""));
    assert_eq!(standings(&items), [Standing::Conflict, Standing::Unchanged]);
    assert_eq!(items[0].fields[0].name, "threshold");
    let items = difference(&world, &changed(&world, name, "${files}/usdt-below-0.90", "${files}/usdc-below-0.90"));
    assert_eq!(items[1].fields[0].name, "uri");
    let items = difference(
        &world,
        &changed(&world, "0004_reinsurance.toml", "attachment = \"10000\"", "attachment = \"9999\""),
    );
    assert_eq!(standings(&items), [Standing::Unchanged, Standing::Conflict]);
}

#[test]
fn state_of_a_product_can_be_changed_until_it_runs_off() {
    let world = World::new();
    for step in difference(&world, &plans(&world)).iter().flat_map(|item| &item.steps) {
        apply(&world, step);
    }
    let name = "0003_usdt_products.toml";
    let states =
        [("frozen", ProductState::Frozen), ("selling", ProductState::Selling), ("run-off", ProductState::RunOff)];
    for (word, state) in states {
        let plans = changed(&world, name, "state = \"selling\"", &format!("state = \"{word}\""));
        let items = difference(&world, &plans);
        assert_eq!(items[0].standing, Standing::Change, "{word}");
        apply(&world, &items[0].steps[0]);
        let product: Product = world.read(&items[0].address);
        assert_eq!(product.state(), state);
        assert_eq!(difference(&world, &plans)[0].standing, Standing::Unchanged);
    }
    let items = difference(&world, &changed(&world, name, "state = \"selling\"", "state = \"frozen\""));
    assert_eq!(items[0].standing, Standing::Conflict);
}

#[test]
fn other_roles_are_appointed_and_another_governance_is_proposed() {
    let world = World::new();
    let other = world.person(0);
    let values = |governance: Pubkey, guardian: Pubkey| {
        let pairs = [("governance", governance), ("guardian", guardian), ("risk_keeper", world.risk_keeper.pubkey())];
        pairs.into_iter().map(|(name, key)| (name.to_owned(), key.to_string())).collect::<BTreeMap<_, _>>()
    };
    let file = committed().join("0001_protocol.toml");
    let plans = migration::load(&file, &values(other.id(), other.id())).unwrap();
    let items = difference(&world, &plans);
    assert_eq!((items[0].standing, items[0].steps.len()), (Standing::Change, 2));
    for step in &items[0].steps {
        apply(&world, step);
    }
    let items = difference(&world, &plans);
    assert_eq!((items[0].standing, items[0].steps.len()), (Standing::Waits, 0));
    world.run(&[&other.key], &[ix::accept_governance(other.id())]);
    assert_eq!(difference(&world, &plans)[0].standing, Standing::Unchanged);
    assert_eq!(world.protocol().guardian, other.id());
}

#[test]
fn what_no_pool_stands_for_conflicts_and_numbers_need_no_order() {
    let world = World::new();
    let missing = difference(&world, &changed(&world, "0003_usdt_products.toml", "id = 0", "id = 0"));
    assert_eq!(standings(&missing), [Standing::Conflict; 2]);
    let pool = world.create_pool(terms::create_pool(0));
    let ahead = difference(&world, &changed(&world, "0003_usdt_products.toml", "id = 1\n", "id = 2\n"));
    assert_eq!(standings(&ahead), [Standing::Create; 2], "{ahead:?}");
    let twice = difference(&world, &changed(&world, "0003_usdt_products.toml", "id = 1\n", "id = 0\n"));
    assert_eq!(standings(&twice), [Standing::Create, Standing::Conflict], "{twice:?}");
    assert!(twice[1].notes[0].contains("Another plan makes the same product"), "{twice:?}");
    // Announced, and stopped before the condition: the next run sets it.
    apply(&world, &ahead[0].steps[0]);
    let rest = difference(&world, &plans_of(&world, "0003_usdt_products.toml"));
    assert_eq!((rest[0].standing, rest[0].steps.len()), (Standing::Change, 1), "{rest:?}");
    assert!(rest[0].steps[0].what.starts_with("Set the condition of"), "{rest:?}");
    apply(&world, &rest[0].steps[0]);
    let rest = difference(&world, &plans_of(&world, "0003_usdt_products.toml"));
    assert_eq!(rest[0].standing, Standing::Unchanged, "{rest:?}");
    assert_eq!(world.pool(&pool).products, 1);
}

#[test]
fn terms_outside_the_programs_bounds_conflict_before_anything_is_sent() {
    let world = World::new();
    let plans = changed(&world, "0002_usdc_pool.toml", "solvency = \"100%\"", "solvency = \"99%\"");
    assert_eq!(standings(&difference(&world, &plans)), [Standing::Conflict]);
    let plans = changed(&world, "0002_usdc_pool.toml", "min_ticket = \"1\"", "min_ticket = \"1.0000001\"");
    let items = difference(&world, &plans);
    assert_eq!(items[0].standing, Standing::Conflict);
    assert!(items[0].notes[0].contains("decimals"), "{items:?}");
}

#[test]
fn treaty_that_begins_before_its_notice_is_over_conflicts() {
    let world = World::new();
    for step in difference(&world, &plans(&world)[..3]).iter().flat_map(|item| &item.steps) {
        apply(&world, step);
    }
    let pool = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0);
    world.depositor(&pool, Tranche::Senior, 100 * ONE);
    let items = difference(&world, &plans(&world));
    let treaty = items.last().unwrap();
    assert_eq!(treaty.standing, Standing::Conflict);
    assert!(treaty.notes[0].contains("notice"), "{treaty:?}");
}

#[test]
fn plan_is_refused_with_the_name_of_what_is_wrong() {
    let refused = |text: &str| plan(text).expect_err("it is refused").to_string();
    assert!(refused("[protocol]\ngovernance = \"x\"").contains("`x` is not an address"));
    assert!(refused("[unknown]\na = 1").contains("unknown field `unknown`"));
    assert!(refused("protocol = ").contains("0001_plan.toml is not a plan"));
    assert!(refused("[protocol]\nguardian = \"${keeper}${judge}\"").contains("needs values for judge, keeper"));
    let values = BTreeMap::from([("nobody".to_owned(), "x".to_owned())]);
    let unused = migration::load(&committed().join("0002_usdc_pool.toml"), &values);
    assert!(matches!(unused, Err(PlanError::Unused(name)) if name == "nobody"));
    assert!(matches!(
        migration::load(Path::new(env!("CARGO_MANIFEST_DIR")), &BTreeMap::new()),
        Err(PlanError::NoPlans(_))
    ));
}

#[test]
fn a_product_on_the_former_push_oracle_is_planned_by_whoever_says_so_alone() {
    let text = std::fs::read_to_string(committed().join("0003_usdt_products.toml")).unwrap();
    let push = text.replace("wording/usdt-below-0.95-for-4h.md", "wording.md");
    let push = push.replace("wording/usdt-below-0.90-for-24h.md", "wording.md");
    let push = push.replacen("feed = \"${usdt_feed}\"", "feed = \"${usdt}\"", 1);
    let product =
        |source: &str| plan(&push.replacen("source = \"pyth-receiver\"", source, 1)).unwrap().products[0].product(6);
    let refused = product("source = \"pyth-push\"").unwrap_err();
    assert!(refused.contains("allow_push_oracle"), "{refused}");
    let planned = product("source = \"pyth-push\"\nallow_push_oracle = true").unwrap();
    assert_eq!(planned.source, backstop::peril::feed::Source::PythPush);
}

#[test]
fn wording_beside_a_plan_is_what_the_chain_has_the_hash_of() {
    let world = World::new();
    for step in difference(&world, &plans(&world)).iter().flat_map(|item| &item.steps) {
        apply(&world, step);
    }
    let wording = std::fs::read(committed().join("wording/usdt-below-0.95-for-4h.md")).unwrap();
    let pool = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0);
    let product: Product = account::fetch(&world.cluster, &ProductKeys::derive(pool, 0).product).unwrap();
    assert_eq!(product.wording_hash, solana_sdk::hash::hash(&wording).to_bytes());
    assert!(product.sells_from <= world.now() + DAY);
}
