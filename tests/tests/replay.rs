//! `backstop trigger replay`: real prices through the real program, and what it makes of files and boundaries.

use backstop::peril::evidence::{Direction, Severity, TermsInput};
use backstop_sandbox::embedded::Price;
use backstop_sandbox::replay::{self, Replay, ReplayError};
use backstop_tests::fixtures;
use backstop_tests::terms;
use std::fs::File;

/// USDC/USD in March 2023, Chainlink rounds: unix time and price.
const MARCH_2023: &str = "
1678487255,0.99756\n1678495091,0.99503\n1678497491,0.99209\n1678499687,0.98843\n1678501187,0.99007
1678502783,0.99340\n1678504307,0.98535\n1678505927,0.95737\n1678507559,0.94002\n1678509467,0.95080
1678511027,0.94557\n1678512587,0.94578\n1678514723,0.93500\n1678516283,0.92009\n1678517819,0.90623
1678518839,0.88216\n1678518899,0.88161\n1678520423,0.88754\n1678520915,0.88310\n1678521083,0.88000
1678521203,0.88330\n1678522103,0.88343\n1678523999,0.90270\n1678525499,0.92050\n1678527719,0.90760
1678529939,0.91240\n1678531835,0.90684\n1678533815,0.90441\n1678536095,0.91204\n1678537655,0.92071
1678539215,0.91333\n1678540751,0.91300\n1678546247,0.91540\n1678547747,0.92006\n1678549907,0.92240
1678552691,0.92486\n1678554323,0.93030\n1678555883,0.94070\n1678557683,0.94873\n1678559183,0.94857
1678564343,0.95350\n1678566083,0.95890\n1678568399,0.97983\n1678569995,0.96529\n1678571783,0.96038
1678574339,0.95550\n1678576595,0.95790\n1678578155,0.96585\n1678583399,0.97210\n1678585511,0.98050
1678587011,0.97543\n1678589747,0.98070\n1678592051,0.98103\n1678594391,0.97750\n1678596791,0.97122
1678598459,0.97125\n1678601231,0.97038\n1678603247,0.95918\n1678605347,0.95216\n1678606883,0.94679
1678609703,0.95188
";

fn fixture() -> Option<Vec<Price>> {
    let path = fixtures::find("usdc_usd_chainlink_2022-11_2023-03.csv")?;
    Some(replay::read_prices(File::open(path).unwrap()).unwrap())
}

fn read(text: &str) -> Result<Vec<Price>, ReplayError> {
    replay::read_prices(text.as_bytes())
}

/// A condition by threshold and recovery in 1e-8 and its four lengths in minutes.
fn condition(prices: [u64; 2], [duration, slot, tolerance, challenge]: [u32; 4]) -> TermsInput {
    TermsInput {
        direction: Direction::Below,
        threshold: prices[0],
        recovery: prices[1],
        severity: Severity::Binary,
        duration_seconds: duration * 60,
        slot_seconds: slot * 60,
        tolerance_seconds: tolerance * 60,
        challenge_seconds: challenge * 60,
        run_on_seconds: 0,
        quiet_seconds: duration * 60,
        confidence_multiplier: 200,
    }
}

/// Below 0.90 for an hour in slots of ten minutes, a challenge of two hours.
fn hour() -> TermsInput {
    condition([90_000_000, 95_000_000], [60, 10, 10, 120])
}

/// The same by the mean price, everything at 0.70, with a run-on of so many slots.
fn falling(run_on_slots: u32) -> TermsInput {
    let severity = Severity::Linear { full_loss_price: 70_000_000, min_severity_bps: 500 };
    TermsInput { severity, run_on_seconds: run_on_slots * 600, ..hour() }
}

/// First second of a slot of an hour condition.
const T: i64 = 1_700_000_400;
/// Seconds of a slot of an hour condition.
const SLOT: i64 = 600;
/// T of a window that begins with the slot at `T`: the end of its challenge.
const DUE: i64 = T + 6 * SLOT + 7_200;

/// A row, its price in hundredths.
fn row(publish_time: i64, price: i64) -> Price {
    Price { price, confidence: 0, exponent: -2, publish_time }
}

/// One row in each of six slots from a time on.
fn breach(from: i64) -> Vec<Price> {
    (0..6).map(|slot| row(from + slot * SLOT, 88)).collect()
}

fn run(prices: &[Price], condition: &TermsInput) -> Replay {
    replay::run(prices, condition).unwrap()
}

// ---------------------------------------------------------------- March 2023

#[test]
fn the_depeg_of_march_2023_fires_the_stress_condition_once() {
    let Some(prices) = fixture() else { return };
    let condition = TermsInput { run_on_seconds: 3 * 86_400, ..terms::stress() };
    let found = run(&prices, &condition);
    let [fired] = &found.fired[..] else { panic!("{:?}", found.fired) };
    assert_eq!((fired.event_at, fired.met_at), (1_678_507_200, 1_678_523_400));
    assert_eq!(fired.final_at, 1_678_523_400 + 6 * 3_600);
    // (0.95 - 0.92542871) / (0.95 - 0.80), rounded down: 16.4 %, and 26.9 % once the run-on is over.
    assert_eq!((fired.first_mean_e8, fired.first_severity_bps), (92_542_871, 1_638));
    assert_eq!(fired.severity_bps, 2_691);
    assert_eq!(found.longest_credited_s, 4 * 3_600);
    assert_eq!((found.observations, found.refused), (400, 0));
    // Without a run-on the first payment is all.
    let [at_once] = &run(&prices, &terms::stress()).fired[..] else { panic!() };
    assert_eq!((at_once.first_severity_bps, at_once.severity_bps), (1_638, 1_638));
}

#[test]
fn a_coin_that_dips_for_45_minutes_on_one_venue_pays_nothing() {
    // A price a minute; at 0.65 for 45 minutes, 0.998 before and after.
    let begin = T / 1_800 * 1_800;
    let minute = |minute: i64| {
        let price = if (300..345).contains(&minute) { 6_500 } else { 9_980 };
        Price { price, confidence: 0, exponent: -4, publish_time: begin + minute * 60 }
    };
    let prices: Vec<Price> = (0..900).map(minute).collect();
    let found = run(&prices, &terms::stress());
    assert_eq!((found.fired, found.refused), (vec![], 0));
    // Minute 300 begins a slot: it and the next, which is back for its second half, are all that is below.
    assert_eq!(found.longest_credited_s, 1_800);
}

#[test]
fn a_coin_that_goes_to_nothing_within_days_pays_all_in_the_end() {
    // Hourly: at 1.00, four hours at 0.94, then 2 cents an hour down to 0.10. The window is the first day of it.
    let condition = TermsInput {
        threshold: 95_000_000,
        recovery: 96_000_000,
        severity: Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 },
        run_on_seconds: 3 * 86_400,
        ..condition([95_000_000, 96_000_000], [24 * 60, 60, 2 * 60, 12 * 60])
    };
    let begin = T / 3_600 * 3_600;
    let cents = |hour: i64| if hour < 10 { 100 } else { (94 - 2 * (hour - 13).max(0)).max(10) };
    let prices: Vec<Price> = (0..120).map(|hour| row(begin + hour * 3_600, cents(hour))).collect();
    let found = run(&prices, &condition);
    let [fired] = &found.fired[..] else { panic!("{:?}", found.fired) };
    assert_eq!((fired.event_at, fired.met_at), (begin + 10 * 3_600, begin + 34 * 3_600));
    // 4 x 94 and 92, 90, ... 54: (376 + 20 x 73) / 24.
    assert_eq!((fired.first_mean_e8, fired.first_severity_bps), (76_500_000, 10_000));
    assert_eq!((fired.deepest_mean_e8, fired.severity_bps), (10_000_000, 10_000));
}

#[test]
fn the_depeg_of_march_2023_does_not_fire_the_severe_condition() {
    let Some(prices) = fixture() else { return };
    let found = run(&prices, &condition([90_000_000, 95_000_000], [24 * 60, 60, 2 * 60, 6 * 60]));
    assert_eq!(found.fired, []);
    // In the hours around the one that is wholly below 0.90 two prices at 0.90 or more lie six minutes apart.
    assert_eq!(found.longest_credited_s, 3_600);
}

#[test]
fn the_depeg_of_march_2023_fires_a_one_hour_condition_once() {
    let Some(prices) = fixture() else { return };
    let found = run(&prices, &condition([90_000_000, 95_000_000], [60, 10, 10, 6 * 60]));
    assert_eq!(found.fired.len(), 1);
    let fired = &found.fired[0];
    assert_eq!((fired.event_at, fired.met_at), (1_678_518_600, 1_678_522_200));
    assert_eq!(fired.first_mean_e8, 89_017_941);
    assert_eq!(fired.severity_bps, 10_000);
}

#[test]
fn the_61_prints_of_march_2023_fire_the_stress_condition_and_not_the_severe_one() {
    let prices = read(MARCH_2023).unwrap();
    assert_eq!(prices.len(), 61);
    let found = run(&prices, &terms::stress());
    let [fired] = &found.fired[..] else { panic!("{:?}", found.fired) };
    assert_eq!((fired.event_at, fired.met_at, fired.first_mean_e8), (1_678_510_800, 1_678_527_000, 90_965_000));
    assert_eq!((found.observations, found.refused), (61, 0));
    assert_eq!(run(&prices, &terms::severe()).fired, []);
}

// ---------------------------------------------------------------- when a run ends and the next begins

#[test]
fn a_run_is_proven_a_challenge_after_its_end_whatever_rows_follow() {
    let rows = [vec![], vec![row(DUE - 1, 92)], vec![row(DUE, 92)], vec![row(DUE + 900, 92), row(DUE + 960, 92)]];
    for later in rows {
        let found = run(&[breach(T), later].concat(), &hour());
        let [fired] = &found.fired[..] else { panic!("{:?}", found.fired) };
        assert_eq!((fired.event_at, fired.met_at, fired.final_at), (T, T + 6 * SLOT, DUE));
    }
    let five = run(&breach(T)[..5], &hour());
    assert_eq!((five.fired.len(), five.longest_credited_s), (0, 3_000));
}

/// Two rows of a slot that count together.
fn two(from: i64, price: i64) -> Vec<Price> {
    vec![row(from, price), row(from + 60, price)]
}

#[test]
fn two_recoveries_in_the_last_slot_undo_a_run_and_one_or_later_ones_do_not() {
    let contradicted = [breach(T), two(T + 6 * SLOT - 61, 96)].concat();
    assert_eq!(run(&contradicted, &hour()).fired, []);
    let one = [breach(T), vec![row(T + 6 * SLOT - 1, 96)]].concat();
    assert_eq!(run(&one, &hour()).fired.len(), 1);
    let near = [breach(T), vec![row(T + 6 * SLOT - 60, 96), row(T + 6 * SLOT - 1, 96)]].concat();
    assert_eq!(run(&near, &hour()).fired.len(), 1);
    let too_late = [breach(T), two(T + 6 * SLOT, 96)].concat();
    assert_eq!(run(&too_late, &hour()).fired.len(), 1);
}

#[test]
fn the_run_on_deepens_what_is_paid_until_it_is_over_or_a_recovery_lasts() {
    // Six slots at 0.88, then 0.70: each later window takes one more of it in.
    let fall = |slots: i64| -> Vec<Price> { (6..6 + slots).map(|slot| row(T + slot * SLOT, 70)).collect() };
    let paid = |prices: Vec<Price>, run_on: u32| {
        let found = run(&prices, &falling(run_on));
        let [fired] = &found.fired[..] else { panic!("{:?}", found.fired) };
        assert_eq!((fired.first_mean_e8, fired.first_severity_bps), (88_000_000, 1_000));
        (fired.deepest_mean_e8, fired.severity_bps)
    };
    let all = [breach(T), fall(10)].concat();
    assert_eq!(paid(all.clone(), 0), (88_000_000, 1_000));
    // Two of six: (4 x 0.88 + 2 x 0.70) / 6 = 0.82; 8 of 20 cents.
    assert_eq!(paid(all.clone(), 2), (82_000_000, 4_000));
    assert_eq!(paid(all.clone(), 6), (70_000_000, 10_000));
    assert_eq!(paid(all, 100), (70_000_000, 10_000));
    let recovered = |slots: i64| -> Vec<(i64, u16)> {
        let bounce = (8..8 + slots).flat_map(|slot| two(T + slot * SLOT, 95)).collect();
        let again = (8 + slots..20).map(|slot| row(T + slot * SLOT, 70)).collect();
        let found = run(&[breach(T), fall(2), bounce, again].concat(), &falling(100));
        found.fired.iter().map(|fired| (fired.event_at, fired.severity_bps)).collect()
    };
    // One recovered slot is within the tolerance: it ends nothing, and no window holds it.
    assert_eq!(recovered(1), [(T, 10_000)]);
    // The second ends the run-on and begins the next trigger, which fires by itself.
    assert_eq!(recovered(2), [(T, 4_000), (T + 10 * SLOT, 10_000)]);
}

#[test]
fn the_next_trigger_begins_empty_with_the_first_recovered_slot_after_the_run_on() {
    // Ten hours below without a recovery are one event, and what was shown before the recovery counts for nothing.
    let long: Vec<Price> = (0..60).map(|slot| row(T + slot * SLOT, 88)).collect();
    assert_eq!(run(&long, &hour()).fired.len(), 1);
    let again = T + 60 * SLOT;
    for not_recovered in [two(again, 94), vec![row(again, 95)], vec![row(again, 95), row(again + 59, 95)]] {
        let prices = [long.clone(), not_recovered, breach(again + SLOT)].concat();
        assert_eq!(run(&prices, &hour()).fired.len(), 1);
    }
    let twice = [long.clone(), two(again, 95), breach(again + SLOT)].concat();
    let found = run(&twice, &hour());
    let events: Vec<i64> = found.fired.iter().map(|fired| fired.event_at).collect();
    assert_eq!(events, [T, again + SLOT]);
    assert_eq!(found.observations, 68);
    // Five slots after the recovery are not six, however many came before it.
    let short = [long, two(again, 95), breach(again + SLOT)[..5].to_vec()].concat();
    assert_eq!(run(&short, &hour()).fired.len(), 1);
}

#[test]
fn longest_credited_counts_a_slot_only_if_no_later_rows_of_it_recover() {
    let prices = [breach(T)[..5].to_vec(), two(T + 4 * SLOT + 1, 96), vec![row(T + 5 * SLOT, 92)]].concat();
    assert_eq!(run(&prices, &hour()).longest_credited_s, 4 * 600);
    // A slot without evidence is within the tolerance, a second one is not.
    let gap = [row(T, 88), row(T + SLOT, 88), row(T + 3 * SLOT, 88), row(T + 5 * SLOT, 88)];
    assert_eq!(run(&gap, &hour()).longest_credited_s, 3 * 600);
}

#[test]
fn a_run_of_less_than_the_duration_does_not_fire_after_any_wait() {
    let prices = [breach(T)[..5].to_vec(), vec![row(T + 30 * SLOT, 92), row(T + 300 * SLOT, 92)]].concat();
    assert_eq!(run(&prices, &hour()).fired, []);
}

// ---------------------------------------------------------------- confidence, refusals, speed

#[test]
fn confidence_counts_with_its_multiplier() {
    let uncertain: Vec<Price> =
        breach(T).into_iter().map(|price| Price { price: 8_800, confidence: 100, exponent: -4, ..price }).collect();
    let multiplier = |confidence_multiplier| TermsInput { confidence_multiplier, ..hour() };
    assert_eq!(run(&uncertain, &multiplier(199)).fired.len(), 1);
    // 0.88 + 2 x 0.01 is not below 0.90.
    assert_eq!(run(&uncertain, &multiplier(200)).fired, []);
    assert_eq!(run(&uncertain, &multiplier(100)).fired.len(), 1);
}

#[test]
fn rows_that_the_program_refuses_are_counted_and_not_fatal() {
    let mut prices = breach(T);
    let refused = ["0", "-0.9", "99999999999999"];
    for (place, price) in refused.iter().enumerate() {
        let text = format!("{},{price}", prices[place * 2].publish_time);
        prices.insert(place * 2, read(&text).unwrap()[0]);
    }
    let found = run(&prices, &hour());
    assert_eq!((found.observations, found.refused), (9, 3));
    assert_eq!(found.fired.len(), 1);
}

fn linear(full_loss_price: u64, min_severity_bps: u16) -> TermsInput {
    TermsInput { severity: Severity::Linear { full_loss_price, min_severity_bps }, ..hour() }
}

#[test]
fn a_condition_outside_the_hard_bounds_is_refused_in_words() {
    let refusals = [
        (condition([90_000_000, 90_000_000], [60, 10, 10, 120]), "recovery"),
        (condition([90_000_000, 95_000_000], [63, 7, 7, 126]), "slot"),
        (condition([90_000_000, 95_000_000], [50, 10, 10, 120]), "duration"),
        (condition([90_000_000, 95_000_000], [30, 3, 6, 120]), "duration"),
        (condition([90_000_000, 95_000_000], [60, 10, 20, 120]), "tolerance"),
        (condition([90_000_000, 95_000_000], [60, 10, 0, 120]), "tolerance"),
        (condition([90_000_000, 95_000_000], [60, 10, 10, 110]), "challenge"),
        (condition([90_000_000, 95_000_000], [100, 1, 10, 120]), "224 slots"),
        (TermsInput { run_on_seconds: 600, ..hour() }, "run-on"),
        (TermsInput { run_on_seconds: 601, ..falling(0) }, "run-on"),
        (TermsInput { quiet_seconds: 3_000, ..hour() }, "quiet"),
        (TermsInput { confidence_multiplier: 1_001, ..hour() }, "multiplier"),
        (TermsInput { confidence_multiplier: 99, ..hour() }, "multiplier"),
        (linear(90_000_000, 500), "full-loss"),
        (linear(80_000_000, 499), "least severity"),
    ];
    for (input, word) in refusals {
        let refusal = replay::run(&breach(T), &input).unwrap_err().to_string();
        assert!(refusal.starts_with("the condition is refused") && refusal.contains(word), "{refusal}");
    }
}

#[test]
fn ten_thousand_rows_take_seconds() {
    let prices: Vec<Price> = (0..10_000).map(|minute| row(T + minute * 60, 88 + minute % 13)).collect();
    let found = run(&prices, &hour());
    assert_eq!((found.observations, found.refused), (10_000, 0));
    println!("{:.0} observations per second", found.observations_per_second);
    assert!(found.seconds < 30.0, "{} s", found.seconds);
}

// ---------------------------------------------------------------- the result as JSON

#[test]
fn the_json_has_the_fields_that_machines_rely_on() {
    let found = Replay { seconds: 0.5, observations_per_second: 12.0, ..run(&breach(T), &falling(6)) };
    let expected = format!(
        "{{\"fired\":[{{\"event_at\":{T},\"met_at\":{},\"final_at\":{DUE},\"first_mean\":0.88000000,\
         \"first_severity_bps\":1000,\"deepest_mean\":0.88000000,\"severity_bps\":1000}}],\
         \"longest_credited_s\":3600,\"observations\":6,\"refused\":0,\"seconds\":0.5,\
         \"observations_per_second\":12.0}}",
        T + 3_600,
    );
    assert_eq!(serde_json::to_string(&found).unwrap(), expected);
    let value: serde_json::Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(value["fired"][0]["first_mean"], 0.88);
}

// ---------------------------------------------------------------- files

#[test]
fn a_header_blank_lines_comments_and_line_ends_of_every_kind_are_read() {
    let plain = read("1700000000,0.95\n1700000001,0.96\n").unwrap();
    assert_eq!(plain.len(), 2);
    for text in [
        "unix_time,price\n1700000000,0.95\n1700000001,0.96",
        "\u{feff}unix_time,price,confidence\r\n1700000000,0.95,0\r\n1700000001,0.96,\r\n",
        "# Chainlink\n\n1700000000 , 0.95\n\n1700000001,0.96\n\n",
        "1700000000,\"0.95\"\n1700000001,9.6e-1\n",
    ] {
        assert_eq!(read(text).unwrap(), plain, "{text:?}");
    }
}

#[test]
fn prices_are_read_to_the_twelfth_decimal_in_the_smallest_unit_that_fits() {
    let one = |text: &str| {
        let price = read(&format!("1700000000,{text}")).unwrap()[0];
        (price.price, price.confidence, price.exponent)
    };
    assert_eq!(one("1"), (1, 0, 0));
    assert_eq!(one("1.0"), (1, 0, 0));
    assert_eq!(one("0.99503,0.001"), (99_503, 100, -5));
    assert_eq!(one("0.95,0.00000001"), (95_000_000, 1, -8));
    assert_eq!(one("0.9983000000000001"), (9_983, 0, -4));
    assert_eq!(one("0.123456789012"), (123_456_789_012, 0, -12));
    assert_eq!(one("0.1234567890125"), (123_456_789_012, 0, -12));
    // Beyond what an i64 holds in that unit, a larger one.
    assert_eq!(one("12345678901.123456789012"), (1_234_567_890_112_345_679, 0, -8));
    assert_eq!(one("9223372036854775807"), (i64::MAX, 0, 0));
    assert_eq!(one("-0.5"), (-5, 0, -1));
}

#[test]
fn equal_prices_in_different_notations_are_one_price_to_the_program() {
    let text = |price: &str| breach(T).iter().map(|row| format!("{},{price}\n", row.publish_time)).collect::<String>();
    let fired = |price: &str| run(&read(&text(price)).unwrap(), &hour()).fired;
    let plain = fired("0.89999999");
    assert_eq!(plain.len(), 1);
    for price in ["0.8999999900", "0.899999990000", "8.9999999e-1", "0.899999989999"] {
        assert_eq!(fired(price), plain, "{price}");
    }
    // Rounded up to 1e-8, this is the threshold.
    assert_eq!(fired("0.899999990001"), []);
}

#[test]
fn a_malformed_file_names_its_line() {
    let good = "unix_time,price\n1700000000,0.95\n";
    let bad = [
        ("1700000001", "1 fields"),
        ("1700000001,0.95,0,7", "4 fields"),
        ("yesterday,0.95", "\"yesterday\" is not a time"),
        ("1700000001.5,0.95", "not a time"),
        ("1700000001000,0.95", "not a time in unix seconds"),
        ("-1,0.95", "not a time"),
        ("1700000001,", "\"\" is not a price"),
        ("1700000001,NaN", "\"NaN\" is not a price"),
        ("1700000001,inf", "is not a price"),
        ("1700000001,0.9.5", "is not a price"),
        ("1700000001,0.95,-1", "\"-1\" is not a confidence"),
        ("1700000001,0.95,x", "\"x\" is not a confidence"),
        ("1700000001,99999999999999999999", "does not fit"),
        ("1699999999,0.95", "must be sorted"),
        ("unix_time,price", "not a time"),
    ];
    for (line, reason) in bad {
        let error = read(&format!("{good}{line}\n1700000002,0.95\n")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("line 3: ") && text.contains(reason), "{line}: {text}");
    }
    let error = replay::read_prices(&b"1700000000,0.95\n1700000001,\xff\n"[..]).unwrap_err().to_string();
    assert!(error.starts_with("line 2: "), "{error}");
    let first = read("yesterday,0.95").unwrap_err().to_string();
    assert!(first.starts_with("line 1: "), "{first}");
    for empty in ["", "\n\n", "unix_time,price\n"] {
        assert_eq!(read(empty).unwrap_err().to_string(), "the file has no prices");
    }
}
