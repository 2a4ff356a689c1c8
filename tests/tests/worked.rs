//! Products that are worked out in `migrations/vintages`, each from its plan to its payout on the real program: a season's
//! rain, a flight's delay, a month's realised volatility.

use backstop::peril::feed::attested::Report;
use backstop::state::{CoverRequest, Pool, Tranche, day_start};
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::migration::{self, Plan, Standing};
use backstop_client::quote::Market;
use backstop_client::{audit, units};
use backstop_tests::attest::Attestors;
use backstop_tests::terms::{DAY, ONE};
use backstop_tests::{World, budget, explain};
use std::collections::BTreeMap;
use std::path::Path;

/// A plan with the days of a season that lies ahead of the world's clock, and what attestors say of it.
struct Worked {
    plan: &'static str,
    pool: u16,
    sells_until: &'static str,
    begins: &'static str,
    due_at: &'static str,
    sum_insured: u64,
    days: u16,
    exponent: i32,
    value: i64,
    /// Worked out by hand from the wording.
    pays: u64,
}

const WORKED: [Worked; 3] = [
    // 80 mm: half of the way from 120 to 40.
    Worked {
        plan: "0001_rain-nakuru-2027.toml",
        pool: 10,
        sells_until: "2024-05-29",
        begins: "2024-06-01",
        due_at: "2024-08-31T23:00:00Z",
        sum_insured: 10_000 * ONE,
        days: 92,
        exponent: -1,
        value: 800,
        pays: 5_000 * ONE,
    },
    // 90 minutes: 30 of 120 beyond the hour.
    Worked {
        plan: "0002_flight-ba117-2027-07-15.toml",
        pool: 11,
        sells_until: "2024-07-13",
        begins: "2024-07-15",
        due_at: "2024-07-15T23:00:00Z",
        sum_insured: 400 * ONE,
        days: 1,
        exponent: 0,
        value: 90,
        pays: 100 * ONE,
    },
    // 100.00 %: a quarter of the way from 80 to 160.
    Worked {
        plan: "0003_sol-volatility-2027-07.toml",
        pool: 12,
        sells_until: "2024-06-28",
        begins: "2024-07-01",
        due_at: "2024-07-31T23:00:00Z",
        sum_insured: 8_000 * ONE,
        days: 31,
        exponent: -2,
        value: 10_000,
        pays: 2_000 * ONE,
    },
];

fn plans(world: &World, worked: &Worked, attestors: &Attestors) -> Vec<Plan> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/vintages").join(worked.plan);
    let values = [
        ("usdc", world.asset.to_string()),
        ("attestors", attestors.set.to_string()),
        ("sells_until", worked.sells_until.into()),
        ("begins", worked.begins.into()),
        ("due_at", worked.due_at.into()),
    ];
    let values: BTreeMap<String, String> = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    migration::load(&path, &values).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn each_goes_from_its_plan_to_its_payout() {
    for worked in &WORKED {
        let world = World::new();
        let attestors = Attestors::create(&world, 0, 5, 3);
        let end = day_start(units::utc_day(worked.sells_until).unwrap());
        world.cluster.set_time(end - 30 * DAY);
        let plans = plans(&world, worked, &attestors);
        let difference = |plans: &[Plan]| {
            migration::difference(&world.cluster, plans, solana_sdk::signer::Signer::pubkey(&world.payer)).unwrap()
        };
        let items = difference(&plans);
        assert!(items.iter().all(|item| item.standing == Standing::Create), "{items:#?}");
        for step in items.iter().flat_map(|item| &item.steps) {
            let applied = world.send(&[&world.governance], std::slice::from_ref(&step.instruction));
            applied.unwrap_or_else(|error| panic!("{}: {}", step.what, explain(&error)));
        }
        let again = difference(&plans);
        assert!(again.iter().all(|item| item.standing == Standing::Unchanged && item.steps.is_empty()), "{again:#?}");

        let pool = PoolKeys::derive(world.asset, anchor_spl::token::ID, worked.pool);
        let product = ProductKeys::derive(pool, 0);
        let junior = world.depositor(&pool, Tranche::Junior, 10_000 * ONE);
        world.depositor(&pool, Tranche::Senior, 90_000 * ONE);
        world.advance(8 * DAY);
        let request = CoverRequest { sum_insured: worked.sum_insured, term_days: worked.days };
        let quote = Market::fetch(&world.cluster, &product).unwrap().quote(request, world.now()).unwrap();
        let buyer = world.person(worked.sum_insured);
        let (mint, bought) = world.buy(&product, &buyer, worked.sum_insured, worked.days);
        bought.unwrap_or_else(|error| panic!("{}: {}", worked.plan, explain(&error)));
        assert_eq!(world.cover(&mint).premium, quote.premium, "{}", worked.plan);

        let reading = world.trigger(&product).reading;
        world.cluster.set_time(reading.due_at + 3_600);
        let report = Report {
            feed: world.trigger(&product).feed,
            exponent: worked.exponent,
            ..attestors.report(worked.value, reading.due_at)
        };
        let show = [budget(), attestors.signed(&[0, 2, 3], &report), ix::observe_report(&product, attestors.set)];
        world.run(&[], &show);
        world.advance(3 * DAY);
        world.run(&[], &[ix::resolve_reading(&product, attestors.set)]);
        world.open_and_fund(&product);
        let before = world.assets(&buyer);
        world.settle(&product, &buyer, &mint).unwrap_or_else(|error| panic!("{}", explain(&error)));
        assert_eq!(world.assets(&buyer) - before, worked.pays, "{}", worked.plan);
        world.run(&[], &[world.close_incident(&product)]);
        let books: Pool = world.pool(&pool);
        assert_eq!(books.loss_capital().unwrap(), 100_000 * ONE + quote.premium - worked.pays, "{}", worked.plan);
        assert!(books.has_run_off(world.now()));
        let today = world.today();
        let ticket = world.exit(&pool, &junior, Tranche::Junior, world.shares(&pool, &junior, Tranche::Junior));
        world.next_day();
        world.settle_epoch(&pool, today).unwrap_or_else(|error| panic!("{}", explain(&error)));
        world.claim(&pool, &junior, ticket).unwrap_or_else(|error| panic!("{}", explain(&error)));
        let audit = audit::run(&world.cluster, None).expect("the cluster answers");
        let off: Vec<_> =
            audit.pools.iter().flat_map(|pool| &pool.outcomes).flat_map(|outcome| &outcome.findings).collect();
        assert!(off.is_empty(), "{}: {off:#?}", worked.plan);
    }
}
