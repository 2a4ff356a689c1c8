//! `backstop trigger replay`: real prices through the real program, and what it makes of files and boundaries.

use backstop::state::evidence::{Severity, TermsInput};
use backstop_app::cluster::embedded::Price;
use backstop_app::replay::{self, Fired, Replay, ReplayError};
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
        threshold: prices[0],
        recovery: prices[1],
        severity: Severity::Binary,
        duration_seconds: duration * 60,
        slot_seconds: slot * 60,
        tolerance_seconds: tolerance * 60,
        challenge_seconds: challenge * 60,
        confidence_multiplier: 200,
    }
}

/// Times and prices in hundredths, as rows.
fn rows(prices: impl IntoIterator<Item = (i64, i64)>) -> Vec<Price> {
    prices
        .into_iter()
        .map(|(publish_time, price)| Price { price, confidence: 0, exponent: -2, publish_time })
        .collect()
}

fn run(prices: &[Price], condition: &TermsInput) -> Replay {
    replay::run(prices, condition).unwrap()
}

// ---------------------------------------------------------------- March 2023

#[test]
fn the_depeg_of_march_2023_fires_the_stress_condition_once() {
    let Some(prices) = fixture() else { return };
    let found = run(&prices, &terms::stress());
    assert_eq!(found.fired.len(), 1);
    let fired = &found.fired[0];
    assert_eq!((fired.event_at, fired.met_at, fired.good_slots), (1_678_507_200, 1_678_521_600, 8));
    assert_eq!(fired.twap_e8, 93_108_160);
    // (0.95 - 0.93108160) / (0.95 - 0.80), rounded down.
    assert_eq!(fired.severity_bps, 1_261);
    assert_eq!(found.longest_credited_s, 4 * 3_600);
    assert_eq!((found.observations, found.refused), (400, 0));
}

#[test]
fn the_depeg_of_march_2023_does_not_fire_the_severe_condition() {
    let Some(prices) = fixture() else { return };
    let found = run(&prices, &condition([90_000_000, 95_000_000], [24 * 60, 60, 2 * 60, 6 * 60]));
    assert_eq!(found.fired, []);
    assert_eq!(found.longest_credited_s, 10_800);
}

#[test]
fn the_depeg_of_march_2023_fires_a_one_hour_condition_once() {
    let Some(prices) = fixture() else { return };
    let found = run(&prices, &condition([90_000_000, 95_000_000], [60, 10, 10, 6 * 60]));
    assert_eq!(found.fired.len(), 1);
    let fired = &found.fired[0];
    assert_eq!((fired.event_at, fired.met_at), (1_678_516_800, 1_678_520_400));
    assert_eq!(fired.twap_e8, 89_623_360);
    assert_eq!(fired.severity_bps, 10_000);
}

#[test]
fn the_61_prints_of_march_2023_fire_the_stress_condition_and_not_the_severe_one() {
    let prices = read(MARCH_2023).unwrap();
    assert_eq!(prices.len(), 61);
    let found = run(&prices, &terms::stress());
    let [fired] = &found.fired[..] else { panic!("{:?}", found.fired) };
    assert_eq!((fired.event_at, fired.met_at, fired.twap_e8), (1_678_510_800, 1_678_527_000, 90_965_500));
    assert_eq!((found.observations, found.refused), (61, 0));
    assert_eq!(run(&prices, &terms::severe()).fired, []);
}
