//! The first of two keys, by a model of what a protocol's vaults hold from minute to minute: what arms and what never does,
//! with one honest crank that shows every slot twice, whatever an adversary puts into single bundles.

#![allow(clippy::unwrap_used)]

use anchor_lang::prelude::{AccountInfo, Pubkey};
use backstop::error::BackstopError;
use backstop::peril::evidence::{Direction, Phase, Severity, Terms, TermsInput};
use backstop::peril::feed::{Level, Source};
use backstop::peril::live::require_terms;
use backstop::peril::two_keys::{Loss, Reach};
use backstop::peril::{AlertLevel, Condition, vault};
use backstop::state::{Live, Trigger};

const MINUTE: i64 = 60;
const DAY: i64 = 1_440 * MINUTE;
/// The first second of a UTC day.
const START: i64 = 1_700_006_400;

fn input() -> TermsInput {
    TermsInput {
        direction: Direction::Below,
        threshold: 50_000_000,
        recovery: 55_000_000,
        severity: Severity::Linear { full_loss_price: 10_000_000, min_severity_bps: 500 },
        duration_seconds: 600,
        slot_seconds: 60,
        tolerance_seconds: 120,
        challenge_seconds: 7_200,
        run_on_seconds: 0,
        quiet_seconds: 4 * 3_600,
        confidence_multiplier: 100,
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

struct Model {
    trigger: Box<Trigger>,
    live: Box<Live>,
    ledger: u64,
    armed: Vec<i64>,
}

impl Model {
    fn new() -> Self {
        Self::of(&input())
    }

    fn of(input: &TermsInput) -> Self {
        let mut trigger: Box<Trigger> = Box::new(bytemuck::Zeroable::zeroed());
        trigger.source = Source::VaultDrop.byte();
        trigger.terms = Terms::new(input).unwrap();
        Self { trigger, live: Box::new(bytemuck::Zeroable::zeroed()), ledger: 1_000, armed: Vec::new() }
    }

    /// What the handler does. Nothing that is shown puts the pool into alert.
    fn show(&mut self, sum: u64, now: i64) {
        let (trigger, live) = (&mut self.trigger, &mut self.live);
        let level = Level { up: sum, down: sum };
        let shown = live.show(Source::VaultDrop, &trigger.terms, level, self.ledger, now).unwrap();
        let mut outcome = trigger.refresh(now);
        for print in shown.prints.iter().flatten() {
            outcome = outcome.then(trigger.observe(print, now).unwrap());
        }
        assert_eq!((outcome.before, outcome.after, trigger.alert()), (Phase::Quiet, Phase::Quiet, AlertLevel::None));
        if outcome.armed && self.armed.last() != Some(&trigger.keys.armed_at) {
            self.armed.push(trigger.keys.armed_at);
        }
    }

    /// Days of minutes, in each of which the truth is shown at a quarter and at three, and a bundle somewhere between.
    fn run(mut self, days: i64, truth: impl Fn(i64) -> u64, bundles: bool) -> (Self, Vec<i64>) {
        let mut random = Random(7);
        for minute in 0..days * 1_440 {
            let begin = START + minute * MINUTE;
            self.show(truth(minute), begin + 10);
            if bundles && random.below(4) == 0 {
                self.ledger += random.below(160);
                for _ in 0..3 {
                    self.show(random.below(3 * FULL), begin + 20);
                }
            }
            self.ledger += 160;
            self.show(truth(minute), begin + 45);
            self.ledger += 90;
        }
        let armed = self.armed.iter().map(|at| (at - START) / MINUTE).collect();
        (self, armed)
    }
}

/// What the vaults hold in the beginning.
const FULL: u64 = 1_000_000;
/// The minute of the ninth day's noon.
const NOON: i64 = 8 * 1_440 + 720;

fn armed(days: i64, truth: impl Fn(i64) -> u64) -> Vec<i64> {
    Model::new().run(days, truth, false).1
}

#[track_caller]
fn never(armed: Vec<i64>) {
    assert!(armed.is_empty(), "{armed:?}");
}

fn percent(part: u64) -> u64 {
    FULL / 100 * part
}

#[test]
fn ordinary_falls_never_arm() {
    never(armed(10, |_| FULL));
    // 25 % in two days, and it stays.
    let slow = |minute: i64| percent(100 - u64::try_from((minute - NOON).clamp(0, 2_880) * 25 / 2_880).unwrap());
    never(armed(14, slow));
    // 12 % that comes back.
    never(armed(10, |minute| if (NOON..NOON + 600).contains(&minute) { percent(88) } else { FULL }));
    // 60 % in eight days: deep, and too slow.
    let drained = |minute: i64| percent(100 - u64::try_from((minute - NOON).clamp(0, 11_520) * 60 / 11_520).unwrap());
    never(armed(20, drained));
    // Half exactly is not less than half.
    never(armed(10, |minute| if minute < NOON { FULL } else { percent(50) }));
    // Out for less than the duration.
    never(armed(10, |minute| if (NOON..NOON + 9).contains(&minute) { percent(10) } else { FULL }));
}

#[test]
fn more_than_half_within_minutes_arms_also_in_steps_and_over_midnight() {
    assert_eq!(armed(9, |minute| if minute < NOON { FULL } else { percent(45) }), [NOON + 10]);
    let steps =
        |at: i64| move |minute: i64| if minute < at { FULL } else { percent(if minute < at + 30 { 70 } else { 34 }) };
    assert_eq!(armed(9, steps(NOON)), [NOON + 40]);
    let midnight = 8 * 1_440;
    assert_eq!(armed(9, steps(midnight - 15)), [midnight - 15 + 40]);
    assert_eq!(armed(9, steps(midnight - 30)), [midnight - 30 + 40]);
    // Everything, down to nothing.
    let (model, armed) = Model::new().run(9, |minute| if minute < NOON { FULL } else { 0 }, false);
    assert_eq!(armed, [NOON + 10]);
    let keys = model.trigger.keys;
    assert_eq!((keys.event_at, keys.mean, keys.severity_bps), (START + NOON * MINUTE, 1, 10_000));
}

#[test]
fn a_whale_out_and_back_arms_once_in_28_days_and_lowers_no_baseline() {
    let out = |minute: i64| (NOON..NOON + 60).contains(&minute);
    assert_eq!(armed(12, |minute| if out(minute) { percent(45) } else { FULL }), [NOON + 10]);
    // Every day: nothing more for 28 days, and then again.
    let daily = |minute: i64| if minute >= NOON && (minute - NOON) % 1_440 < 60 { percent(45) } else { FULL };
    assert_eq!(armed(38, daily), [NOON + 10, NOON + 28 * 1_440 + 10]);
    // Out for less than the duration: an exploit the day after is measured by all that there was.
    let then = |minute: i64| {
        if (NOON..NOON + 5).contains(&minute) || minute >= NOON + 1_440 { percent(45) } else { FULL }
    };
    assert_eq!(armed(11, then), [NOON + 1_450]);
}

#[test]
fn what_single_bundles_show_changes_nothing() {
    for truth in [|_: i64| FULL, |minute: i64| if minute < NOON { FULL } else { percent(45) }] {
        let expected = Model::new().run(9, truth, false).1;
        assert_eq!(Model::new().run(9, truth, true).1, expected);
    }
}

/// The shortest slots that are taken, of three minutes, at 400 ms a slot of the ledger, shown at their quarters: one bundle in each,
/// anywhere, of levels that rise or fall.
#[test]
fn single_bundles_change_nothing_in_the_shortest_slots() {
    const SLOT: i64 = 180;
    let input = TermsInput { duration_seconds: 1_080, slot_seconds: 180, tolerance_seconds: 180, ..input() };
    require_terms(Source::VaultDrop, &Terms::new(&input).unwrap()).unwrap();
    const THEN: i64 = NOON / 3;
    let run = |truth: fn(i64) -> u64, seed: Option<u64>| {
        let (mut model, mut random) = (Model::of(&input), Random(seed.unwrap_or(1)));
        for number in 0..10 * 480 {
            let begin = START + number * SLOT;
            let mut calls: Vec<(i64, Vec<u64>)> = [45, 90, 135].map(|at| (at, vec![truth(number)])).to_vec();
            if seed.is_some() {
                let bundle = (0..4).map(|_| random.below(2 * FULL)).collect();
                calls.push((i64::try_from(random.below(180)).unwrap(), bundle));
            }
            calls.sort_by_key(|(at, _)| *at);
            for (at, sums) in calls {
                model.ledger = 5_000 + u64::try_from((number * SLOT + at) * 5 / 2).unwrap();
                sums.into_iter().for_each(|sum| model.show(sum, begin + at));
            }
        }
        let end = START + 10 * DAY;
        let armed: Vec<i64> = model.armed.iter().map(|at| (at - START) / SLOT).collect();
        (armed, model.live.measure(Source::VaultDrop, &model.trigger.terms, end))
    };
    for (left, armed, baseline) in [(100, vec![], FULL), (45, vec![THEN + 6], FULL), (55, vec![], percent(55))] {
        let truth = match left {
            100 => |_: i64| FULL,
            45 => |number: i64| if number < THEN { FULL } else { percent(45) },
            _ => |number: i64| if number < THEN { FULL } else { percent(55) },
        };
        for seed in [None, Some(7), Some(8), Some(9)] {
            assert_eq!(run(truth, seed), (armed.clone(), baseline), "{seed:?}");
        }
    }
}

#[test]
fn a_baseline_that_is_gone_is_made_anew() {
    // A fall that stays: nine days later it is the new ground, and half of that arms again.
    let later = NOON + 30 * 1_440;
    let truth = |minute: i64| {
        if minute < NOON {
            FULL
        } else if minute < later {
            percent(40)
        } else {
            percent(19)
        }
    };
    assert_eq!(armed(40, truth), [NOON + 10, later + 10]);
    // There is no price before the third day.
    let mut young = Model::new();
    young.show(FULL, START);
    young.ledger += 150;
    young.show(FULL, START + 30);
    assert_eq!(young.live.measure(Source::VaultDrop, &young.trigger.terms, START + 2 * DAY), 0);
    young.ledger += 150;
    young.show(FULL, START + DAY);
    assert_eq!(young.live.measure(Source::VaultDrop, &young.trigger.terms, START + 2 * DAY - 1), 0);
    assert_eq!(young.live.measure(Source::VaultDrop, &young.trigger.terms, START + 2 * DAY), FULL);
    assert_eq!(young.live.measure(Source::VaultDrop, &young.trigger.terms, START + 9 * DAY - 1), FULL);
    assert_eq!(young.live.measure(Source::VaultDrop, &young.trigger.terms, START + 9 * DAY), 0);
}

#[test]
fn the_lesser_of_both_keys_is_paid_and_the_event_is_the_beginning_of_the_fall() {
    // 0.30 of what there was: half of the way from 0.50 to 0.10.
    let (model, _) = Model::new().run(9, |minute| if minute < NOON { FULL } else { percent(30) }, false);
    let now = START + 9 * DAY;
    for (bps, due) in [(1, 1), (4_999, 4_999), (5_000, 5_000), (5_001, 5_000), (10_000, 5_000)] {
        let mut trigger = model.trigger.clone();
        let loss = |is_confirmed| Loss { bps, observed_at: now, is_confirmed };
        let one = trigger.report(&loss(false), now).unwrap();
        assert_eq!((one.before, one.after, trigger.alert()), (Phase::Quiet, Phase::Breaching, AlertLevel::Breaching));
        assert!(trigger.confirm(now).is_err() && !trigger.is_proven_by(now + 100 * DAY));
        // Enough of them prove it from a day after it armed on, which it did nine hours and more before.
        let all = trigger.report(&loss(true), now + DAY).unwrap();
        assert_eq!((all.before, all.after, trigger.alert()), (Phase::Breaching, Phase::Final, AlertLevel::Due));
        let verdict = trigger.verdict().unwrap();
        assert_eq!((verdict.event_at, verdict.severity_bps), (START + NOON * MINUTE, due));
        assert_eq!((verdict.most_severity_bps, verdict.is_final), (due, true));
        assert_eq!((verdict.proven_at, verdict.final_by), (now + DAY, now + DAY));
        // Nothing that is shown later changes anything.
        let before = trigger.clone();
        trigger.refresh(now + 20 * DAY);
        assert_eq!(trigger, before);
    }
    // The alert of one is over after 72 hours, and not before.
    let mut trigger = model.trigger;
    trigger.report(&Loss { bps: 1, observed_at: now, is_confirmed: false }, now).unwrap();
    assert_eq!(trigger.refresh(now + 3 * DAY - 1).after, Phase::Breaching);
    assert_eq!(trigger.refresh(now + 3 * DAY).after, Phase::Quiet);
}

#[test]
fn a_pool_waits_longer_than_the_second_key_can_take() {
    let terms = Terms::new(&input()).unwrap();
    let reach = Reach::of(Source::VaultDrop, &terms);
    assert_eq!(reach.wait_seconds, 600 + 120 + 7_200 + 17 * 86_400);
    assert_eq!((reach.days, terms.ring_days()), (18, 1));
    assert_eq!(reach.least_cooldown_seconds(), reach.wait_seconds + 86_400);
    let one = Reach::of(Source::StakePoolRate, &terms);
    assert_eq!((one.wait_seconds, one.days), (terms.longest_wait_seconds(), 1));
}

/// Token accounts of mints, as a handler is given them.
fn with_vaults<T>(given: &[(Pubkey, u8, u64)], call: impl FnOnce(&[AccountInfo]) -> T) -> T {
    let owner = backstop::peril::feed::vaults::PROGRAM_IDS[0];
    let mut stored: Vec<(Pubkey, u64, Vec<u8>)> = given
        .iter()
        .map(|(key, mint, amount)| {
            let mut data = vec![0; 165];
            data[..32].fill(*mint);
            data[64..72].copy_from_slice(&amount.to_le_bytes());
            data[108] = 1;
            (*key, 1, data)
        })
        .collect();
    let accounts: Vec<AccountInfo> = stored
        .iter_mut()
        .map(|(key, lamports, data)| AccountInfo::new(key, false, false, lamports, data, &owner, false))
        .collect();
    call(&accounts)
}

#[test]
fn vaults_are_one_to_eight_of_one_mint_and_read_all_in_their_order() {
    let key = |number: u8| Pubkey::new_from_array([number; 32]);
    let named = |given: &[(Pubkey, u8, u64)]| {
        let mut live: Box<Live> = Box::new(bytemuck::Zeroable::zeroed());
        with_vaults(given, |accounts| live.set_vaults(accounts)).map(|()| live)
    };
    let nine: Vec<_> = (1..=9).map(|number| (key(number), 4, 1)).collect();
    assert_eq!(named(&nine[..8]).unwrap().vaults().len(), 8);
    for bad in [&[][..], &nine, &[nine[0], nine[0]], &[nine[0], (key(2), 5, 1)]] {
        assert_eq!(named(bad).unwrap_err(), BackstopError::BadVaults.into());
    }

    let live = named(&[(key(7), 4, 0), (key(3), 4, 0)]).unwrap();
    assert_eq!((live.vaults(), live.mint), (&[key(7), key(3)][..], key(4)));
    let read = |given: &[(Pubkey, u8, u64)]| with_vaults(given, |accounts| live.read_vaults(accounts.iter()));
    assert_eq!(read(&[(key(7), 4, 30), (key(3), 4, 12)]).unwrap(), Level { up: 42, down: 42 });
    let (first, second) = ((key(7), 4, 30), (key(3), 4, 12));
    for wrong in [&[second, first][..], &[first], &[], &[first, second, (key(9), 4, 1)]] {
        assert_eq!(read(wrong).unwrap_err(), BackstopError::WrongVaults.into());
    }
    assert_eq!(read(&[first, (key(3), 5, 12)]).unwrap_err(), BackstopError::OracleWrongFeed.into());
    assert_eq!(read(&[first, (key(3), 4, u64::MAX)]).unwrap_err(), BackstopError::OracleBadPrice.into());
}

#[test]
fn a_level_at_the_threshold_is_a_low_and_one_below_is_none() {
    let terms = Terms::new(&input()).unwrap();
    let minute = |day: u64| (START / MINUTE) as u64 + day * 1_440;
    for (level, low) in [(50, 50), (49, 0)] {
        let mut lows = vault::Lows::default();
        for (day, level) in [(0, 100), (1, 100), (3, level), (4, 100)] {
            lows.turn(&terms, minute(day));
            lows.count(level);
        }
        let day = START.cast_unsigned() / DAY.cast_unsigned() + 3;
        assert_eq!(lows.baseline(&terms, minute(3)), Some(100));
        let kept: Vec<u64> = lows.days.iter().filter(|low| low.day == day).map(|low| low.level).collect();
        assert_eq!(kept.first().copied().unwrap_or(0), low, "{level} of 100");
    }
}

#[test]
fn a_sum_is_a_price_whatever_the_numbers() {
    assert_eq!(vault::price(1, 3), 33_333_334);
    assert_eq!((vault::price(0, 3), vault::price(0, u64::MAX)), (1, 1));
    assert_eq!(vault::price(u64::MAX, 1), backstop::peril::evidence::MAX_PRICE);
}
