//! The pages' numbers are those that commands print as JSON: both come from the client's views.

use super::stage::{Page, Special, Stage, fields};
use backstop::state::{Pool, Product, Protocol};
use backstop_client::Cluster;
use backstop_client::account;
use backstop_client::address;
use backstop_client::deployment;
use backstop_client::quote::Market;
use backstop_client::view::report::{
    self, IncidentReport, PoolReport, ProductReport, ProgramReport, ProtocolReport, TreatyReport, TriggerReport,
};
use backstop_client::view::trigger::Standing;
use backstop_client::view::{Case, OpenPool, OpenProduct, OpenTreaty, stress};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// All values of a result, by the names that lead to them. Things with a name are known by it, lists have no names.
fn flat(value: &Value) -> BTreeMap<String, BTreeSet<String>> {
    fn walk(value: &Value, path: &str, into: &mut BTreeMap<String, BTreeSet<String>>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(value, &path, into);
            }),
            Value::Array(items) => items.iter().for_each(|item| {
                let name = item["name"].as_str().filter(|name| ["junior", "senior"].contains(name));
                walk(item, &name.map_or_else(|| path.to_owned(), |name| format!("{path}.{name}")), into);
            }),
            Value::String(text) => {
                into.entry(path.to_owned()).or_default().insert(text.clone());
            }
            other => {
                into.entry(path.to_owned()).or_default().insert(other.to_string());
            }
        }
    }
    let mut into = BTreeMap::new();
    walk(value, "", &mut into);
    into
}

/// Asserts that every field of a page is one of a result, with its value, and that the page shows what it must.
#[track_caller]
fn assert_same(stage: &Stage, path: &str, result: &Value, must_show: &[&str]) {
    assert_same_on(&stage.page, path, result, must_show);
}

#[track_caller]
fn assert_same_on(page: &Page, path: &str, result: &Value, must_show: &[&str]) {
    let html = page.shown(path);
    let (told, shown) = (flat(result), fields(&html));
    for (field, value) in &shown {
        let fits = |name: &String| name == field || name.ends_with(&format!(".{field}"));
        let values: BTreeSet<&String> =
            told.iter().filter(|(name, _)| fits(name)).flat_map(|(_, values)| values).collect();
        assert!(values.contains(value), "{path}: `{field}` is {value} on the page, and {values:?} in JSON");
    }
    for field in must_show {
        assert!(shown.iter().any(|(name, _)| name == field), "{path} does not show `{field}`");
    }
}

/// A page with what the client's views tell of the same cluster at the same time.
fn json_of(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("it can be written")
}

fn pool_json(stage: &Stage) -> Value {
    let cluster: &dyn Cluster = &*stage.scene;
    let now = cluster.now().expect("it has a clock");
    let open = OpenPool::read(cluster, stage.pool.pool).expect("it is there");
    let shown = PoolReport::read(cluster, &open, None, now).expect("it is read");
    let available = shown.summary.staying_capital.saturating_sub(shown.summary.must_stay);
    let mut json = json_of(&shown);
    json["available"] = available.into();
    json["stress"] = json_of(stress::largest_group(&open.state, now));
    json
}

#[test]
fn a_pools_page() {
    for stage in [Stage::calm(), Stage::struck()] {
        let path = format!("/pool/{}", stage.pool.pool);
        let must = [
            "staying_capital",
            "surplus",
            "required_capital",
            "must_stay",
            "total_exposure",
            "in_use_bps",
            "premium_a_year",
            "junior.assets",
            "senior.assets",
            "junior.share_price",
            "senior.share_price",
            "junior.a_year_bps",
            "junior.worst_case",
            "exits.tickets",
            "vault_balance",
            "cash",
        ];
        assert_same(&stage, &path, &pool_json(&stage), &must);
    }
    assert!(
        fields(&{
            let stage = Stage::calm();
            stage.page.shown(&format!("/pool/{}", stage.pool.pool))
        })
        .iter()
        .any(|(name, _)| name == "stress.junior_bps")
    );
}

#[test]
fn a_products_page() {
    for stage in [Stage::calm(), Stage::struck()] {
        // A fresh price: something is sold.
        if let Some(product) = [stage.product, stage.other].first() {
            stage.scene.world().world.print(product, if stage.is_struck { 80_000_000 } else { 100_000_000 });
            stage.page.site.chain().read_now();
        }
        let cluster: &dyn Cluster = &*stage.scene;
        let now = cluster.now().expect("it has a clock");
        let open = OpenProduct::read(cluster, stage.product.product).expect("it is there");
        let market = Market::fetch(cluster, &open.keys).expect("it is there");
        let shown = ProductReport::read(cluster, &open, now).expect("it is read");
        let case = Case::read(cluster, stage.product.product).expect("it is read");
        let mut json = json_of(&shown);
        let trigger = json_of(TriggerReport::of(&case, &Standing::of(&case.trigger, now), now));
        for (name, value) in trigger.as_object().expect("it has fields") {
            json[name] = value.clone();
        }
        let path = format!("/product/{}", stage.product.product);
        let must =
            ["exposure", "capacity", "utilisation_bps", "risk_rate_ppb", "level_bps", "credited_slots", "covers_sold"];
        assert_same(&stage, &path, &json, &must);
        if !stage.is_struck {
            assert_same(
                &stage,
                &path,
                &json,
                &["example.premium", "example.sum_insured", "example.rate_ppb", "largest_sum"],
            );
            // The parts on the page are the premium.
            let request = backstop::state::CoverRequest { sum_insured: 1_000_000_000, term_days: 30 };
            let quote = market.quote(request, now).expect("it sells");
            let parts = backstop_client::view::price::parts(&market, &quote, 30);
            assert_eq!(parts.risk + parts.loading + parts.demand, quote.premium);
            // 2 % of 1,000 for 30 of 365 days, rounded up, and half as much again: 2 % x 1.5 = 3 % in all.
            assert_eq!((parts.risk, parts.risk + parts.loading), (1_643_836, 2_465_754));
            assert!(stage.page.shown(&path).contains("What the premium is made of"));
        }
    }
}

#[test]
fn products_that_no_markets_price_meets() {
    let special = Special::new();
    special.report_loss(&[0], 6_000);
    let cluster: &dyn Cluster = &*special.world;
    let shown = |keys: &backstop_client::instruction::ProductKeys| {
        let now = cluster.now().expect("it has a clock");
        let open = OpenProduct::read(cluster, keys.product).expect("it is there");
        let case = Case::read(cluster, keys.product).expect("it is read");
        json!([
            ProductReport::read(cluster, &open, now).expect("it is read"),
            TriggerReport::of(&case, &Standing::of(&case.trigger, now), now),
            special.shown(keys),
        ])
    };
    let armed = format!("/product/{}", special.armed.product);
    let must = [
        "armed_until",
        "armed.until",
        "armed.proven_from",
        "armed.rests_until",
        "armed.mean_price_e8",
        "armed.severity_bps",
        "armed.reported_until",
        "shown.of",
    ];
    assert_same_on(&special.page, &armed, &shown(&special.armed), &must);
    let now = cluster.now().expect("it has a clock");
    let products = report::products(cluster, None, now).expect("they are read");
    assert_eq!(products.iter().filter(|product| product.armed_until.is_some()).count(), 1);

    let reading = format!("/product/{}", special.reading.product);
    let must = ["reading.due_at", "reading.reports_until", "reading.strike_e8", "reading.exit_e8"];
    assert_same_on(&special.page, &reading, &shown(&special.reading), &must);
    special.report_value(8_000_000_000);
    let must = ["reading.value_e8", "reading.severity_bps", "shown.of"];
    assert_same_on(&special.page, &reading, &shown(&special.reading), &must);
}

#[test]
fn the_first_page() {
    for stage in [Stage::calm(), Stage::struck()] {
        let cluster: &dyn Cluster = &*stage.scene;
        let now = cluster.now().expect("it has a clock");
        let pools = report::pools(cluster, now).expect("they are read");
        let products = report::products(cluster, None, now).expect("they are read");
        let covers = || pools.iter().filter(|pool| pool.kind == "cover");
        let totals = json!({
            "staying_capital": pools.iter().map(|pool| pool.staying_capital).sum::<u64>(),
            "total_exposure": covers().map(|pool| pool.total_exposure).sum::<u64>(),
            "premium_a_year": covers().map(|pool| pool.premium_a_year).sum::<u64>(),
        });
        // A product that is not quiet is told by its phase.
        let phases: Vec<Value> = products.iter().map(|product| json!({ "state": product.phase })).collect();
        let json = json!([totals, json_of(&pools), json_of(&products), phases]);
        assert_same(
            &stage,
            "/",
            &json,
            &["staying_capital", "total_exposure", "in_use_bps", "junior.a_year_bps", "exposure", "state"],
        );
    }
}

#[test]
fn the_towers() {
    let stage = Stage::struck();
    let cluster: &dyn Cluster = &*stage.scene;
    let now = cluster.now().expect("it has a clock");
    let told: Vec<Value> = report::treaties(cluster, None, now)
        .expect("they are read")
        .iter()
        .map(|summary| {
            let open = OpenTreaty::read(cluster, summary.treaty.parse().expect("an address")).expect("it is there");
            json_of(TreatyReport::read(cluster, &open, now).expect("it is read"))
        })
        .collect();
    assert_eq!(told.len(), 2);
    let must = ["limit", "limit_left", "used", "owed", "incidents.paid", "reinsurer_capital", "reinsurer_open_limits"];
    assert_same(&stage, "/reinsurance", &Value::Array(told), &must);
}

#[test]
fn an_incidents_page() {
    let stage = Stage::struck();
    let cluster: &dyn Cluster = &*stage.scene;
    let now = cluster.now().expect("it has a clock");
    let case = Case::read(cluster, stage.product.product).expect("it is read");
    let incident = case.incident.clone().expect("it is open");
    let shown = IncidentReport::read(cluster, &case, &incident, now).expect("it is read");
    let mut json = json_of(&shown);
    json["left"] = (shown.summary.reserve - shown.summary.paid).into();
    json["missing"] = (shown.summary.gross - shown.summary.reserve).into();
    // One cover of 40,000 is paid, whole; its premium was earned but for a part that is not lost: nothing at 100 %.
    json["payments"] = json!({ "amount": 40_000_000_000u64, "refund": 0 });
    let path = format!("/incident/{}", stage.product.product);
    let must = [
        "severity_bps",
        "gross",
        "reserve",
        "paid",
        "recovered",
        "ceded",
        "covers.due",
        "covers.paid",
        "payments.amount",
    ];
    assert_same(&stage, &path, &json, &must);
    let listed = json_of(report::incidents(cluster, None).expect("they are read"));
    assert_same(&stage, "/incidents", &listed, &["severity_bps", "gross", "reserve", "ratio_bps", "paid"]);
}

#[test]
fn a_holders_page() {
    let stage = Stage::struck();
    let cluster: &dyn Cluster = &*stage.scene;
    let now = cluster.now().expect("it has a clock");
    let held = report::held_by(cluster, &stage.holder).expect("they are read");
    let covers = report::covers(cluster, &held, None, None, now).expect("they are read");
    let path = format!("/holder/{}", stage.holder);
    assert_same(&stage, &path, &json_of(covers), &["state", "sum_insured", "premium", "active_from", "end", "paid"]);

    let open = OpenPool::read(cluster, stage.pool.pool).expect("it is there");
    let wallet =
        PoolReport::read(cluster, &open, Some(&stage.staker), now).expect("it is read").wallet.expect("it was asked");
    let tickets = report::tickets(cluster, &stage.staker).expect("they are read");
    let json = json!([
        json_of(&tickets),
        { "shares": { "senior": wallet.shares[1] }, "worth": { "senior": wallet.worth[1] } },
    ]);
    assert!(wallet.shares[1] > 0 && tickets.len() == 1);
    let path = format!("/holder/{}", stage.staker);
    assert_same(&stage, &path, &json, &["shares.senior", "worth.senior", "open", "claimable", "claimable_from"]);
}

#[test]
fn the_status_page() {
    let stage = Stage::calm();
    let cluster: &dyn Cluster = &*stage.scene;
    let now = cluster.now().expect("it has a clock");
    let protocol: Protocol = account::fetch(cluster, &address::protocol()).expect("it is there");
    let program = ProgramReport::read(cluster, deployment::committed_code()).expect("it is read");
    let pools: Vec<(_, Pool)> = account::list(cluster, None).expect("they are read");
    let case = |product: &Product| {
        let trigger: backstop::state::Trigger = account::fetch(cluster, &product.trigger).expect("it is there");
        let phase = backstop_client::view::trigger::phase(trigger.evidence.phase_at(&trigger.terms, now));
        json!({ "last_publish_time": trigger.evidence.last_publish_time, "phase": phase })
    };
    let products: Vec<(_, Product)> = account::list(cluster, None).expect("they are read");
    let events = backstop_index::Database::open_read_only(stage.database())
        .expect("it is there")
        .event_count()
        .expect("it counts");
    let json = json!([
        json_of(ProtocolReport::of(&protocol, now)),
        json_of(program),
        pools.iter().map(|(_, pool)| json!({ "accrued_at": pool.accrued_at })).collect::<Vec<_>>(),
        products.iter().map(|(_, product)| case(product)).collect::<Vec<_>>(),
        {
            "slot": cluster.slot().expect("it has slots"),
            "accounts": cluster.program_accounts(&[], None).expect("they are read").len(),
            "events": events,
            "paused": "open",
        },
    ]);
    assert_same(
        &stage,
        "/status",
        &json,
        &["slot", "accounts", "deployed_sha256", "last_publish_time", "accrued_at", "events"],
    );
}
