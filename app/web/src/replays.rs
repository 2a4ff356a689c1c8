//! What a condition would have paid in the past: the prices that ship with Backstop, shown to the real program.
//!
//! A replay takes a second or so. It is worked out once for each condition, away from whoever asks for a page.

use backstop::peril::evidence::Terms;
use backstop_client::price_account::Price;
use backstop_client::view::product::restated;
use backstop_sandbox::demo::prices;
use backstop_sandbox::replay::{self, Replay};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

/// How often a price is shown until the next one, in seconds.
const EVERY: i64 = 180;
/// Half the interval around every price, in 1e-8. Chainlink states none; this is what Pyth states for USDC on an uneasy
/// day, as the demo has it.
const CONFIDENCE_E8: u64 = 30_000;
/// Most conditions that are remembered.
const MOST: usize = 64;
/// Prices for which this past says something: those of an asset that is meant to be worth 1.
const NEAR_ONE_E8: std::ops::Range<u64> = 50_000_000..100_000_000;

/// What is known of a replay.
#[derive(Clone, Debug)]
pub enum Known {
    /// It is being worked out.
    Soon,
    /// It cannot be worked out.
    Never(String),
    /// What it found.
    Found(Arc<Replay>),
}

/// The key of a condition: its terms.
type Key = String;

fn all() -> MutexGuard<'static, HashMap<Key, Known>> {
    static ALL: OnceLock<Mutex<HashMap<Key, Known>>> = OnceLock::new();
    ALL.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the condition would have paid on the prices of USDC in March 2023. `None`: they say nothing about it.
pub fn march_2023(terms: &Terms) -> Option<Known> {
    if !NEAR_ONE_E8.contains(&terms.threshold) {
        return None;
    }
    let input = restated(terms);
    let key = format!("{input:?}");
    let mut replays = all();
    if let Some(known) = replays.get(&key) {
        return Some(known.clone());
    }
    if replays.len() >= MOST {
        return None;
    }
    replays.insert(key.clone(), Known::Soon);
    drop(replays);
    thread::spawn(move || {
        let known = match replay::run(&rows(), &input) {
            Ok(found) => Known::Found(Arc::new(found)),
            Err(why) => Known::Never(why.to_string()),
        };
        all().insert(key, known);
    });
    Some(Known::Soon)
}

/// The rounds, each shown again until the next.
fn rows() -> Vec<Price> {
    let prints = prices::march_2023();
    let ends = prints.iter().skip(1).map(|next| next.publish_time).chain([i64::MIN]);
    let rows = prints.iter().zip(ends).flat_map(|(print, end)| {
        let times = (0..)
            .map(|step| print.publish_time + step * EVERY)
            .take_while(move |at| *at < end || *at == print.publish_time);
        times.filter_map(|at| Some(Price::e8(i64::try_from(print.price_e8).ok()?, CONFIDENCE_E8, at)))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop_tests::terms::stress;

    #[test]
    fn every_price_is_shown_until_the_next_and_times_never_fall() {
        let rows = rows();
        assert!(rows.windows(2).all(|pair| pair[0].publish_time < pair[1].publish_time));
        assert!(rows.windows(2).all(|pair| pair[1].publish_time - pair[0].publish_time <= EVERY));
        assert_eq!(
            rows.last().map(|row| row.publish_time),
            prices::march_2023().last().map(|print| print.publish_time)
        );
    }

    #[test]
    fn the_demos_condition_would_have_paid_in_march_2023() {
        let found = replay::run(&rows(), &stress()).expect("it runs");
        assert_eq!((found.fired.len(), found.refused), (1, 0));
        // The mean of the highest prices of its eight slots is some 0.91: about 27 % of the way from 0.95 down to 0.80.
        assert!((2_000..3_500).contains(&found.fired[0].severity_bps), "{:?}", found.fired);
    }
}
