//! Stateful fuzzing: random sequences of honest and hostile actions on the real program, held against a shadow model and
//! invariants after every transaction. `tests/stateful_fuzz.rs` runs it and says how.

pub mod action;
pub mod compare;
pub mod drain;
pub mod driver;
pub mod invariants;
pub mod live;
pub mod model;
mod moves;
pub mod op;
mod prices;
mod rates;
pub mod rng;
pub mod rogue;
pub mod scene;
mod seasons;
pub mod shrink;
mod targets;
pub mod transaction;
mod trees;
mod tricks;
mod vaults;

use action::Action;
use driver::{Driver, Failure, Totals};
use op::Op;
use rng::Rng;
use scene::Scene;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How much to run.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Seed of the first sequence; the others follow.
    pub seed: u64,
    /// Sequences.
    pub sequences: u64,
    /// Actions in each.
    pub actions: usize,
    /// Seconds for making a failing sequence short.
    pub shrink: u64,
}

impl Config {
    /// Figures, or what the environment says instead.
    pub fn from_env(seed: u64, sequences: u64, actions: usize) -> Self {
        let read = |name: &str, otherwise: u64| {
            let Ok(text) = std::env::var(name) else { return otherwise };
            text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}"))
        };
        Self {
            seed: read("BACKSTOP_FUZZ_SEED", seed),
            sequences: read("BACKSTOP_FUZZ_SEQUENCES", sequences),
            actions: usize::try_from(read("BACKSTOP_FUZZ_ACTIONS", actions as u64)).expect("it fits"),
            shrink: read("BACKSTOP_FUZZ_SHRINK", 120),
        }
    }
}

/// The actions of a seed.
pub fn actions(seed: u64, count: usize) -> Vec<Action> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| Action::random(&mut rng)).collect()
}

/// Plays a sequence. A panic is a failure too: of the model's own arithmetic, say.
fn play(driver: &mut Driver, actions: &[Action]) -> Result<(), Failure> {
    let played = catch_unwind(AssertUnwindSafe(|| play_through(driver, actions)));
    played.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Failure { rule: "a panic".to_owned(), detail: said.unwrap_or_default() })
    })
}

/// From the beginning: products, treaties, capital, the actions, the end.
fn play_through(driver: &mut Driver, actions: &[Action]) -> Result<(), Failure> {
    driver.totals.sequences += 1;
    let by = driver.model.roles.governance;
    for (pool, design) in [(0, 0), (0, 1), (1, 0), (1, 2), (1, 3)] {
        let product = driver.model.products.len();
        driver.must(Op::CreateProduct { pool, design, by })?;
        driver.must(Op::SetCondition { product, by })?;
    }
    driver.announce_season()?;
    // Before anything is entrusted to the pools no notice is needed: most sequences begin with treaties.
    for action in actions.iter().take(3).filter(|action| action.r[0] % 4 != 0) {
        driver.reinsure(action.r)?;
    }
    // Some capital, now and then none, so that most sequences have something to lose from the beginning.
    for action in actions.iter().take(12) {
        let start = Action { kind: action::Kind::Deposit, r: action.r };
        driver.play(&start)?;
    }
    if let Some(action) = actions.first() {
        driver.endow_season(action.r)?;
    }
    driver.found_rates()?;
    // Its sales begin once its capital is a day old, and those of vaults once these are measured by something.
    driver.found_vaults(actions.first().map_or([0; 5], |action| action.r))?;
    for action in actions.iter().take(6) {
        driver.buy_reading(action.r)?;
    }
    for action in actions.iter().take(4) {
        driver.buy_of_vaults(action.r)?;
        driver.buy_of_rates(action.r)?;
    }
    for action in actions {
        driver.play(action)?;
    }
    driver.drain()?;
    driver.count_trees();
    Ok(())
}

/// Runs sequences. Panics with the seed and the shortest failing list of operations if a rule is broken.
pub fn run(config: Config) -> Totals {
    let scene = Scene::new();
    let mut totals = Totals::default();
    for sequence in 0..config.sequences {
        let seed = config.seed + sequence;
        let list = actions(seed, config.actions);
        let mut driver = Driver::begin(&scene);
        let outcome = play(&mut driver, &list);
        totals.add(&driver.totals);
        if let Err(failure) = outcome {
            report(&scene, seed, list, &failure, config.shrink);
        }
        // A long run says where it is, so that it can be stopped at any time.
        if sequence % 250 == 249 {
            println!("seeds {} to {seed}\n{}", config.seed, totals.table());
        }
    }
    totals
}

/// Shrinks a failing sequence and says what is left of it.
fn report(scene: &Scene, seed: u64, list: Vec<Action>, failure: &Failure, shrink: u64) -> ! {
    let count = list.len();
    println!("seed {seed} breaks a rule: {}\n{}\nshrinking...", failure.rule, failure.detail);
    let replay = |list: &[Action]| play(&mut Driver::begin(scene), list).err();
    let short = shrink::shrink(list, failure, Duration::from_secs(shrink), replay);
    let mut driver = Driver::begin(scene);
    let last = play(&mut driver, &short).err().unwrap_or_else(|| failure.clone());
    panic!(
        "seed {seed}, {count} actions (BACKSTOP_FUZZ_SEED={seed} BACKSTOP_FUZZ_SEQUENCES=1 BACKSTOP_FUZZ_ACTIONS={count})\n\
         {}\n{}\nin {} actions:\n{}",
        last.rule,
        last.detail,
        short.len(),
        driver.log.join("\n")
    );
}
