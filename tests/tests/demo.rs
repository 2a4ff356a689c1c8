//! The demo, as a library plays it: what it reports, and that it would say so if the chain did otherwise.

use backstop_sandbox::demo::prices::{self, Print};
use backstop_sandbox::demo::{self, Cover, Ledger, Part, Reinsurer, Report, Scenario, What};
use serde_json::Value;
use std::sync::LazyLock;

const ONE: u64 = 1_000_000;

static REPORT: LazyLock<Report> = LazyLock::new(|| demo::run().expect("the demo plays to its end"));

fn play(change: impl FnOnce(&mut Scenario)) -> Report {
    let mut scenario = Scenario::march_2023();
    change(&mut scenario);
    demo::play(&scenario, &mut |_| {}).expect("the demo plays to its end")
}

fn cover(report: &Report, holder: &str, product: &str) -> Cover {
    let mut covers = report.covers.iter().filter(|cover| cover.holder == holder && cover.product == product);
    covers.next().expect("the cover was sold").clone()
}

fn failures(report: &Report) -> Vec<&str> {
    report.failures().map(|check| check.name.as_str()).collect()
}

#[test]
fn the_price_table_has_the_61_published_rounds_in_order() {
    let prints = prices::march_2023();
    assert_eq!(prints.len(), 61);
    assert!(prints.is_sorted_by(|left, right| left.publish_time < right.publish_time));
    assert_eq!(prints.first(), Some(&Print { publish_time: 1_678_487_255, price_e8: 99_756_000 }));
    assert_eq!(prints.iter().map(|print| print.price_e8).min(), Some(88_000_000));
    assert_eq!(prints.last(), Some(&Print { publish_time: 1_678_609_703, price_e8: 95_188_000 }));
}

#[test]
fn everything_that_the_demo_states_holds() {
    assert_eq!(failures(&REPORT), [""; 0]);
    assert!(REPORT.holds);
    assert!(REPORT.checks.len() >= 34);
    assert_eq!(REPORT.prints.len(), 61);
}

#[test]
fn the_stress_product_triggers_on_the_hours_of_march_2023() {
    let stress = &REPORT.products[0];
    assert_eq!(stress.phase, "final");
    assert_eq!(stress.event_at, Some(1_678_510_800));
    assert_eq!(stress.met_at, Some(1_678_527_000));
    assert_eq!(stress.triggered_at, Some(1_678_527_000 + 6 * 3_600));
    assert_eq!(stress.mean_price_e8, Some(90_965_000));
    assert_eq!(stress.severity_bps, Some(2_690));
    assert_eq!((stress.credited_slots, stress.needed_slots), (8, 8));
    let window: Vec<_> = stress.slots.iter().filter(|slot| slot.in_window).collect();
    let good: Vec<u64> = window.iter().filter(|slot| slot.good).filter_map(|slot| slot.breach_price_e8).collect();
    assert_eq!(window.len(), 9, "eight good slots and the one gap that is tolerated");
    assert_eq!(good.iter().sum::<u64>() / 8, 90_965_000);
}

#[test]
fn the_severe_product_does_not_trigger() {
    let severe = &REPORT.products[1];
    assert!(!severe.triggered);
    assert_eq!(severe.phase, "quiet");
    assert_eq!((severe.credited_slots, severe.needed_slots), (2, 24));
    assert_eq!(severe.paid, 0);
    assert_eq!(severe.exposure, 75_000 * ONE, "its covers are still in force");
}

/// Premium of a cover for the time after the challenge, which ends six hours after the condition was met.
fn premium_after(cover: &Cover) -> u64 {
    let rate = (u128::from(cover.premium) << 32) / u128::try_from(cover.end - cover.active_from).unwrap();
    let seconds = u128::try_from(cover.end - (1_678_527_000 + 6 * 3_600)).unwrap();
    u64::try_from((rate * seconds) >> 32).unwrap()
}

#[test]
fn every_cover_is_paid_sum_times_severity_times_ratio() {
    let incident = REPORT.incident.as_ref().expect("there was an incident");
    let anna = cover(&REPORT, "Anna", "stress");
    // Beside it 73.1 % of the premium of the time after the challenge goes back.
    assert_eq!((anna.due.as_str(), anna.paid - anna.premium_back), ("loss", 60_000 * ONE * 2_690 / 10_000));
    assert_eq!(anna.premium_back, premium_after(&anna) * 7_310 / 10_000);
    let boris = cover(&REPORT, "Boris", "stress");
    assert_eq!((boris.due.as_str(), boris.paid - boris.premium_back), ("loss", 25_000 * ONE * 2_690 / 10_000));
    assert_eq!(boris.premium_back, premium_after(&boris) * 7_310 / 10_000);
    for holder in ["Boris", "Chen"] {
        assert_eq!(cover(&REPORT, holder, "severe").paid, 0);
    }
    let dora = cover(&REPORT, "Dora", "stress");
    assert!(dora.bought_at < incident.event_at && dora.active_from > incident.event_at);
    assert_eq!((dora.due.as_str(), dora.paid, dora.premium_back), ("refund", dora.premium - 1, dora.premium - 1));
    let losses = anna.paid - anna.premium_back + boris.paid - boris.premium_back;
    assert_eq!(incident.gross, losses, "premium that goes back is no part of what is owed");
    assert_eq!((incident.reserve, incident.paid, incident.ratio_bps), (incident.gross, incident.gross, 10_000));
}

#[test]
fn the_loss_eats_the_surplus_then_a_part_of_junior_and_nothing_of_senior() {
    let [surplus, junior, senior] = REPORT.layers.as_slice() else { panic!("there are three layers") };
    let incident = REPORT.incident.as_ref().expect("there was an incident");
    assert_eq!((surplus.lost, surplus.after), (surplus.before, 0));
    assert_eq!(junior.lost, incident.reserve - incident.ceded - surplus.lost);
    assert!(junior.after > 0);
    assert_eq!(senior.lost, 0);
    let [start, before, after, end] = REPORT.share_prices.as_slice() else { panic!("there are four moments") };
    assert_eq!((start.junior_e6, start.senior_e6), (1_000_000, 1_000_000));
    assert!(before.junior_e6 > before.senior_e6, "junior earns more for its risk");
    assert_eq!(after.junior_e6, junior.after / 40_000, "40,000 whole shares, and no exit waiting");
    assert!(after.senior_e6 >= before.senior_e6 && end.senior_e6 > after.senior_e6);
}

fn part<'a>(report: &'a Report, name: &str) -> &'a Part {
    report.waterfall.iter().find(|part| part.part == name).expect("it is a part of the waterfall")
}

#[test]
fn the_waterfall_adds_up_to_the_unit_in_the_order_of_the_tower() {
    let gross = REPORT.incident.as_ref().expect("there was an incident").gross;
    let names: Vec<_> = REPORT.waterfall.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(names, ["quota_share", "excess_of_loss", "surplus", "junior", "senior"]);
    assert_eq!(REPORT.waterfall.iter().map(|part| part.amount).sum::<u64>(), gross);
    assert_eq!(REPORT.waterfall.iter().map(|part| part.of_gross_bps).sum::<u64>(), 10_000);
    let mut left = gross;
    for part in &REPORT.waterfall {
        left -= part.amount;
        assert_eq!(part.left, left, "{part:?}");
    }
    assert_eq!(left, 0);
}

#[test]
fn the_quota_share_pays_its_part_and_the_layer_what_is_then_above_its_attachment() {
    let incident = REPORT.incident.as_ref().expect("there was an incident");
    let quota_share = incident.gross * 3 / 10;
    let layer = incident.gross - quota_share - 10_000 * ONE;
    assert!((1..10_000 * ONE).contains(&layer), "a part of the layer is used");
    assert_eq!(part(&REPORT, "quota_share").amount, quota_share);
    assert_eq!(part(&REPORT, "excess_of_loss").amount, layer);
    assert_eq!(incident.ceded, quota_share + layer);
    let own: u64 = REPORT.layers.iter().map(|layer| layer.lost).sum();
    assert_eq!(own, 10_000 * ONE, "the pool itself bears the attachment");
    let [first, second] = REPORT.treaties.as_slice() else { panic!("there are two treaties") };
    assert_eq!((first.cession_bps, first.commission_bps, first.attachment), (Some(3_000), Some(2_000), None));
    assert_eq!((second.attachment, second.rate_on_line_bps, second.cession_bps), (Some(10_000 * ONE), Some(200), None));
    assert_eq!((first.paid, first.limit_left), (quota_share, 60_000 * ONE - quota_share));
    assert_eq!((second.paid, second.limit_left), (layer, 10_000 * ONE - layer));
}

#[test]
fn a_reinsurers_own_loss_falls_on_its_surplus_then_junior_then_senior() {
    let [owned, open] = REPORT.reinsurers.as_slice() else { panic!("there are two reinsurers") };
    let lost = |reinsurer: &Reinsurer| reinsurer.layers.iter().map(|layer| layer.lost).collect::<Vec<_>>();
    assert_eq!(lost(owned), [part(&REPORT, "quota_share").amount, 0, 0], "it has nothing but surplus");
    let surplus = open.layers[0].before;
    assert!(surplus > 0, "a tenth of the premium it earned");
    // Of the layer's own premium 106.497533 is unearned for what is used of its limit, and goes into the payment.
    let own = part(&REPORT, "excess_of_loss").amount - 106_497_533;
    assert_eq!(lost(open), [surplus, own - surplus, 0]);
    for reinsurer in &REPORT.reinsurers {
        let Ledger { vault, cash, surplus, junior, senior, unearned_premium, .. } = reinsurer.ledger;
        assert_eq!((vault, cash), (cash, surplus + junior + senior + unearned_premium), "{}", reinsurer.name);
    }
}

#[test]
fn premium_streams_to_the_quota_share_and_is_paid_to_the_layer_in_advance() {
    let [quota_share, layer] = REPORT.treaties.as_slice() else { panic!("there are two treaties") };
    let settled = |what: What| REPORT.moments.iter().filter(move |moment| moment.what == what);
    let ceded: Vec<u64> = settled(What::PremiumCeded).filter_map(|moment| moment.amount).collect();
    assert_eq!(ceded.len(), 3);
    assert_eq!(ceded.iter().sum::<u64>(), quota_share.premium);
    assert!(ceded.iter().all(|amount| *amount > 0));
    assert_eq!(layer.premium, 10_000 * ONE / 50, "two percent of the limit");
    // The pool was paid `premiums`; 24 % of what is earned is ceded. What is not earned yet is not, nor what goes back and
    // what the loss has earned: a unit or two are left of what was divided.
    let premiums: u64 = REPORT.covers.iter().map(|cover| cover.premium).sum();
    let over: u64 = REPORT.covers.iter().filter(|cover| cover.due == "loss").map(premium_after).sum::<u64>()
        + cover(&REPORT, "Dora", "stress").premium;
    let earned = premiums - REPORT.ledger.unearned_premium - over;
    assert!(quota_share.premium.abs_diff(earned * 24 / 100) <= 1, "{} of {earned}", quota_share.premium);
    let first_cover = REPORT.covers.iter().map(|cover| cover.bought_at).min().expect("covers were sold");
    let last_cover = REPORT.covers.iter().map(|cover| cover.end).max().expect("covers were sold");
    for treaty in &REPORT.treaties {
        assert!(treaty.start <= first_cover && last_cover <= treaty.end, "every cover is reinsured for all its days");
    }
}

#[test]
fn a_deeper_loss_runs_further_down_the_tower() {
    let report = play(|scenario| {
        let window = 1_678_510_800..1_678_527_000;
        for print in scenario.prints.iter_mut().filter(|print| window.contains(&print.publish_time)) {
            print.price_e8 = 82_000_000;
        }
    });
    let failed = failures(&report);
    assert!(failed.contains(&"severity"), "the outcome is not the stated one: {failed:?}");
    for name in ["quota_share_paid", "excess_of_loss_paid", "layers", "layers_open", "waterfall", "limits", "ledger"] {
        assert!(!failed.contains(&name), "{name} should hold, these do not: {failed:?}");
    }
    assert_eq!(part(&report, "excess_of_loss").amount, 10_000 * ONE, "the layer is exhausted");
    assert_eq!(report.treaties[1].limit_left, 0);
    assert!(report.reinsurers[1].layers[2].lost > 0, "the loss reaches the senior capital of the open pool");
    let junior = part(&report, "junior");
    assert!(junior.amount > 20_000 * ONE && part(&report, "senior").amount == 0, "{junior:?}");
    let gross = report.incident.as_ref().expect("there was an incident").gross;
    assert_eq!(report.waterfall.iter().map(|part| part.amount).sum::<u64>(), gross);
}

#[test]
fn the_books_add_up_after_every_transaction() {
    for name in ["vault", "ledger", "shares", "conservation", "wallets", "capital", "vaults"] {
        let check = REPORT.checks.iter().find(|check| check.name == name).expect("it is checked");
        assert!(check.holds, "{}: {}", check.statement, check.actual);
    }
    let ledger = &REPORT.ledger;
    assert_eq!(ledger.vault, ledger.cash);
    assert_eq!(ledger.cash, ledger.surplus + ledger.junior + ledger.senior + ledger.unearned_premium);
    assert!(REPORT.transactions > 2 * 61);
}

#[test]
fn every_instruction_reports_what_it_costs() {
    let observed = REPORT.compute_units.iter().find(|cost| cost.instruction == "observe").expect("prices were shown");
    assert_eq!(observed.calls, 2 * 61 + 2, "each price and each product once, and the calm print of the sale");
    for cost in &REPORT.compute_units {
        assert!(0 < cost.min && cost.min <= cost.median && cost.median <= cost.max, "{cost:?}");
        assert!(cost.max < 200_000, "{cost:?}");
    }
    let calls: u64 = REPORT.compute_units.iter().map(|cost| cost.calls).sum();
    assert_eq!(calls + REPORT.refusals.len() as u64, REPORT.transactions);
}

#[test]
fn what_must_not_work_is_refused_for_its_own_reason() {
    let answers: Vec<_> = REPORT.refusals.iter().filter_map(|refusal| refusal.error.as_deref()).collect();
    let reasons = [
        "NoOutsideDeposits",
        "OracleWrongOwner",
        "TriggerNotQuiet",
        "PoolInAlert",
        "NotDue",
        "AlreadyFunded",
        "PoolInCrisis",
        "CoverNotActive",
        "NotTriggered",
    ];
    assert_eq!(answers, reasons);
}

#[test]
fn a_price_that_does_not_fall_below_the_threshold_pays_nothing_and_fails_the_demo() {
    let report = play(|scenario| {
        for print in &mut scenario.prints {
            print.price_e8 = print.price_e8.max(95_000_000);
        }
    });
    assert!(!report.holds);
    let failed = failures(&report);
    for name in ["stress_triggered", "event_at", "mean_price", "severity", "paid_anna_stress", "wallets", "gross"] {
        assert!(failed.contains(&name), "{name} should fail, these do: {failed:?}");
    }
    for name in [
        "severe_not_triggered",
        "vault",
        "ledger",
        "shares",
        "conservation",
        "stress_recomputed",
        "layer_premium",
        "quota_share_premium",
    ] {
        assert!(!failed.contains(&name), "{name} should hold, these do not: {failed:?}");
    }
    assert!(
        report.incident.is_none() && report.waterfall.is_empty() && report.covers.iter().all(|cover| cover.paid == 0)
    );
}

#[test]
fn a_long_crash_that_the_severe_product_must_pay_fails_the_demo() {
    let report = play(|scenario| {
        for print in scenario.prints.iter_mut().filter(|print| print.publish_time > 1_678_510_800) {
            print.price_e8 = 85_000_000;
        }
    });
    assert!(failures(&report).contains(&"severe_not_triggered"));
    assert_eq!(report.products[1].phase, "met");
    assert!(!failures(&report).contains(&"stress_recomputed"), "the rules are applied to the prices as they are");
}

#[test]
fn a_severity_other_than_the_stated_one_fails_the_demo() {
    let report = play(|scenario| scenario.stated.severity_bps += 1);
    let failed = failures(&report);
    assert_eq!(failed, ["severity", "paid_anna_stress", "paid_boris_stress", "gross", "wallets", "capital", "vaults"]);
}

#[test]
fn two_runs_report_the_same() {
    let mut again = demo::run().expect("the demo plays to its end");
    again.elapsed_ms = REPORT.elapsed_ms;
    assert_eq!(again, *REPORT);
}

#[test]
fn the_fields_of_the_json_are_stable() {
    let json = serde_json::to_value(&*REPORT).expect("the report is JSON");
    let keys = |value: &Value| {
        let mut keys: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(
        keys(&json),
        "asset capital checks compute_units confidence_e8 covered covers elapsed_ms holds incident layers ledger \
         moments pool prices_from prints products program refusals reinsurers share_prices transactions treaties \
         waterfall"
    );
    let fields = [
        ("/program", "bytes id"),
        ("/asset", "decimals mint symbol"),
        ("/capital/0", "amount layer shares who"),
        (
            "/products/0",
            "address challenge_seconds confidence_multiplier credited_slots duration_seconds event_at exposure \
             full_loss_e8 key mean_price_e8 met_at name needed_slots paid phase recovery_e8 severity_bps slot_seconds \
             slots threshold_e8 tolerance_seconds triggered triggered_at",
        ),
        ("/products/0/slots/0", "breach_price_e8 end good in_window recovered start"),
        (
            "/covers/0",
            "active_from bought_at due end expected holder mint paid premium premium_back product sum_insured",
        ),
        ("/prints/0", "price_e8 publish_time severe stress"),
        ("/prints/0/stress", "credited_slots phase"),
        ("/moments/0", "amount at product what who"),
        ("/incident", "address ceded event_at funded_at gross opened_at paid product ratio_bps reserve severity_bps"),
        (
            "/treaties/0",
            "address attachment cession_bps commission_bps end key limit limit_left paid premium rate_on_line_bps \
             reinsurer start",
        ),
        ("/reinsurers/0", "capital layers ledger name pool"),
        ("/reinsurers/0/capital/0", "amount layer shares who"),
        ("/reinsurers/0/layers/0", "after before layer lost"),
        (
            "/reinsurers/0/ledger",
            "cash exit_reserves incident_reserves junior senior surplus treaty_payable unearned_premium vault",
        ),
        ("/waterfall/0", "amount left of_gross_bps part"),
        ("/layers/0", "after before layer lost"),
        ("/share_prices/0", "at junior_e6 moment senior_e6"),
        ("/ledger", "cash exit_reserves incident_reserves junior senior surplus treaty_payable unearned_premium vault"),
        ("/refusals/0", "at code error expected message tried who"),
        ("/compute_units/0", "calls instruction max median min"),
        ("/checks/0", "actual expected holds name statement"),
    ];
    for (path, expected) in fields {
        assert_eq!(keys(json.pointer(path).expect(path)), expected, "{path}");
    }
    assert_eq!(json.pointer("/moments/0/what").and_then(Value::as_str), Some("treaty_accepted"));
}
