//! When a live reading counts, against a model without memory limits, and against an adversary who may put any level into
//! any single bundle.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use backstop::error::BackstopError;
use backstop::peril::evidence::{Direction, Evidence, Severity, SlotState, Terms, TermsInput};
use backstop::peril::feed::{Level, Source};
use backstop::peril::live::{
    LEAST_SLOTS_APART, RECENT, Readings, Showing, Twice, require_alone, require_terms, stands_alone,
};

const SLOT: i64 = 600;
const START: i64 = 1_700_006_400;
/// One at its peak, in 1e-12.
const PEAK: u64 = 1_200_000_000_000;

fn input() -> TermsInput {
    TermsInput {
        direction: Direction::Below,
        threshold: 95_000_000,
        recovery: 97_000_000,
        severity: Severity::Linear { full_loss_price: 50_000_000, min_severity_bps: 500 },
        duration_seconds: 6 * 3_600,
        slot_seconds: SLOT as u32,
        tolerance_seconds: 1_800,
        challenge_seconds: 7_200,
        run_on_seconds: 0,
        quiet_seconds: 86_400,
        confidence_multiplier: 100,
    }
}

fn terms() -> Terms {
    Terms::new(&input()).unwrap()
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

/// The same from the whole list, and whether more showings rose within the distance than there are places.
fn from_all(shown: &[Showing], slot: u64, level: u64) -> (Option<u64>, bool) {
    let old = shown.iter().filter(|it| it.slot + LEAST_SLOTS_APART <= slot).map(|it| it.level).max();
    let mut rising: Vec<Showing> = Vec::new();
    for it in shown.iter().filter(|it| it.slot + LEAST_SLOTS_APART > slot && it.level > old.unwrap_or(0)) {
        match rising.last_mut() {
            Some(last) if last.level >= it.level => {}
            Some(last) if last.slot == it.slot => *last = *it,
            _ => rising.push(*it),
        }
    }
    (old.map(|old| old.min(level)), rising.len() >= RECENT)
}

#[test]
fn what_counts_is_the_highest_level_that_two_showings_far_enough_apart_reach() {
    let mut random = Random(7);
    let (mut counted, mut full) = (0, 0);
    for _ in 0..20_000 {
        let (mut twice, mut shown) = (Twice::default(), Vec::new());
        let mut slot = 1_000 + random.below(1_000);
        let mut was_full = false;
        for _ in 0..12 {
            slot += random.below(120);
            let level = 1 + random.below(6);
            let (expected, is_full) = from_all(&shown, slot, level);
            let found = twice.show(slot, level);
            was_full |= is_full;
            if was_full {
                // Never more than was shown twice.
                assert!(found <= expected);
                full += 1;
            } else {
                assert_eq!(found, expected);
            }
            counted += u32::from(found.is_some());
            shown.push(Showing { slot, level });
        }
    }
    assert!(counted > 50_000 && full > 100, "{counted} counted, {full} without place");
}

/// What only reaches the highest of the older showings says nothing new, and takes no place from what rises above it.
#[test]
fn a_level_that_is_known_takes_no_place() {
    let mut twice = Twice::default();
    assert_eq!(twice.show(0, 10), None);
    assert_eq!(twice.show(LEAST_SLOTS_APART, 10), Some(10));
    for (slot, level) in (LEAST_SLOTS_APART + 1..).zip(11..).take(RECENT) {
        assert_eq!(twice.show(slot, level), Some(10));
    }
    let (last, highest) = (LEAST_SLOTS_APART + RECENT as u64, 10 + RECENT as u64);
    // The one before the last has its place too.
    assert_eq!({ twice }.show(last - 1 + LEAST_SLOTS_APART, highest), Some(highest - 1));
    assert_eq!(twice.show(last + LEAST_SLOTS_APART, highest), Some(highest));
}

/// Of one slot of the ledger only the highest is kept, however many are shown in it.
#[test]
fn a_bundle_takes_one_place() {
    let mut twice = Twice::default();
    for level in 1..=RECENT as u64 {
        assert_eq!(twice.show(10, level), None);
    }
    assert_eq!(twice.recent.iter().filter(|young| young.level != 0).count(), 1);
    assert_eq!(twice.show(20, 50), None);
    assert_eq!(twice.show(10 + LEAST_SLOTS_APART, 99), Some(RECENT as u64));
}

/// However many bundles show less than there is, rising or not: what an honest crank shows at three quarters of a slot counts.
#[test]
fn who_shows_less_keeps_nobody_out() {
    let mut random = Random(13);
    for slots_of_a_quarter in [112, 115, 150, 200] {
        for _ in 0..20_000 {
            let truth = 1_000 + random.below(1_000);
            let mut calls: Vec<(u64, u64)> = (1..4).map(|quarter| (quarter * slots_of_a_quarter, truth)).collect();
            let mut level = random.below(500);
            for _ in 0..random.below(24) {
                level = if random.below(4) == 0 {
                    random.below(truth)
                } else {
                    (level + 1 + random.below(9)).min(truth - 1)
                };
                calls.push((random.below(4 * slots_of_a_quarter), level.max(1)));
            }
            // The rising ones in their order, as far as they come before one another.
            calls.sort_by_key(|(slot, level)| (*slot, *level));
            let mut twice = Twice::default();
            let counted = calls.iter().filter_map(|(slot, level)| twice.show(1_000 + slot, *level)).max();
            assert_eq!(counted, Some(truth), "{calls:?}");
        }
    }
}

#[test]
fn a_showing_149_slots_later_confirms_nothing_and_one_150_slots_later_does() {
    for (apart, counts) in [(0, None), (149, None), (150, Some(5)), (9_999, Some(5))] {
        let mut twice = Twice::default();
        assert_eq!(twice.show(77, 5), None);
        assert_eq!(twice.show(77 + apart, 6), counts, "{apart} slots");
    }
}

/// One slot of the evidence, in which an honest crank shows `truth` at its quarters, and somebody one bundle: any levels, at
/// one slot of the ledger. Returns what the slot says, the breach price, and the peak.
fn slot_with_bundle(
    random: &mut Random,
    truth: u64,
    honest_first: bool,
    lowest: u64,
    levels: u64,
) -> (SlotState, Option<u64>, u64) {
    let terms = terms();
    let mut evidence = Evidence::default();
    let mut readings = Readings { peak: PEAK, ..Readings::default() };
    // 214 ms a slot of the ledger.
    let ledger = |at: i64| ((at - START) * 1_000 / 214) as u64 + 5_000;
    let bundle = START + random.below(SLOT as u64) as i64;
    let honest = [START + SLOT / 4, START + 3 * SLOT / 4];
    let mut calls: Vec<(i64, Vec<u64>)> = honest.iter().map(|at| (*at, vec![truth])).collect();
    let flash = (0..1 + random.below(5)).map(|_| lowest + random.below(levels)).collect();
    calls.push((bundle, flash));
    calls.sort_by_key(|(at, shown)| (*at, (shown[0] == truth) != honest_first));
    for (at, shown) in calls {
        for level in shown {
            let shown = readings.show(&terms, Level { up: level, down: level }, ledger(at), at).unwrap();
            for print in shown.prints.iter().flatten() {
                let _ = evidence.observe(&terms, print, at).unwrap();
            }
        }
    }
    let slot = terms.slot_of(START).unwrap();
    (evidence.state(&terms, slot), evidence.breach_price(&terms, slot), readings.peak)
}

#[test]
fn no_single_bundle_makes_or_breaks_a_slot_and_one_honest_crank_is_enough() {
    let mut random = Random(11);
    for round in 0..60_000 {
        let first = random.below(2) == 0;
        let (lowest, levels) = if round % 2 == 0 { (1, 3 * PEAK) } else { (PEAK / 2, PEAK) };
        // A loss of a tenth: good whatever is thrown in, at the price that it has, by the peak that was.
        let breach = slot_with_bundle(&mut random, PEAK / 10 * 9, first, lowest, levels);
        assert_eq!(breach, (SlotState::Good, Some(90_000_000), PEAK));
        // Nothing has happened: recovered whatever is thrown in.
        let calm = slot_with_bundle(&mut random, PEAK, first, lowest, levels);
        assert_eq!(calm, (SlotState::Recovered, None, PEAK));
        // Between threshold and recovery: no breach counts.
        let between = slot_with_bundle(&mut random, PEAK / 100 * 96, first, lowest, levels);
        assert_eq!((between.0, between.1, between.2), (SlotState::Open, None, PEAK));
    }
}

#[test]
fn a_bundle_alone_shows_nothing_at_all() {
    let terms = terms();
    for level in [1, PEAK / 2, PEAK / 100 * 96, PEAK, 5 * PEAK] {
        let mut readings = Readings { peak: PEAK, ..Readings::default() };
        for slot in [9, 9, 10, 11, 9 + 149] {
            let shown = readings.show(&terms, Level { up: level, down: level }, slot, START + 1).unwrap();
            assert_eq!((shown.prints, readings.peak), ([None, None], PEAK));
        }
    }
}

#[test]
fn a_peak_counts_when_two_showings_of_one_slot_reach_it() {
    let terms = terms();
    let mut readings = Readings::default();
    let mut show = |level: u64, slot: u64, at: i64| {
        let shown = readings.show(&terms, Level { up: level, down: level }, slot, START + at).unwrap();
        (shown.price, readings.peak)
    };
    assert_eq!(show(1_000, 100, 0), (0, 0), "there is no peak yet, and so no price");
    assert_eq!(show(1_100, 250, 40), (100_000_000 * 11 / 10, 1_000));
    // The next slot of the evidence begins anew.
    assert_eq!(show(1_200, 3_000, 600), (120_000_000, 1_000));
    assert_eq!(show(1_150, 3_149, 640), (115_000_000, 1_000));
    assert_eq!(show(1_200, 3_299, 680), (100_000_000, 1_200));
    assert_eq!(show(900, 3_300, 681), (75_000_000, 1_200));
    assert_eq!(show(0, 3_301, 682), (1, 1_200), "a total loss has the lowest price that there is");
    assert_eq!(show(400, 3_302, 683), (33_333_334, 1_200), "rounded up");
}

#[test]
fn a_transaction_with_company_does_not_stand_alone() {
    let own = backstop::ID.to_bytes();
    let budget = backstop::peril::live::COMPUTE_BUDGET_ID.to_bytes();
    let other = [9; 32];
    let sysvar = |programs: &[[u8; 32]]| {
        let mut bytes = (programs.len() as u16).to_le_bytes().to_vec();
        let mut bodies: Vec<u8> = Vec::new();
        for (number, program) in programs.iter().enumerate() {
            bytes.extend(((2 + 2 * programs.len() + bodies.len()) as u16).to_le_bytes());
            bodies.extend((number as u16).to_le_bytes());
            bodies.extend(vec![7; 33 * number]);
            bodies.extend(program);
            bodies.extend(1_u16.to_le_bytes());
            bodies.push(5);
        }
        bytes.extend(bodies);
        bytes.extend([0, 0]);
        bytes
    };
    // Height 1 is an instruction of the transaction; whoever is called by a program stands higher.
    let refused = |height: usize, error: BackstopError| {
        assert_eq!(require_alone(&sysvar(&[own]), height).unwrap_err(), error.into(), "height {height}");
    };
    assert!(require_alone(&sysvar(&[own]), 1).is_ok());
    for height in [0, 2, 3, 5, 9] {
        refused(height, BackstopError::ReadingNotTopLevel);
    }
    assert_eq!(require_alone(&sysvar(&[own, other]), 1).unwrap_err(), BackstopError::ReadingNotAlone.into());
    assert!(stands_alone(&sysvar(&[own])) && stands_alone(&sysvar(&[budget, budget, own, own])));
    for programs in [&[other, own][..], &[own, other], &[budget, own, own, other, own]] {
        assert!(!stands_alone(&sysvar(programs)));
    }
    let whole = sysvar(&[budget, own]);
    for length in 0..whole.len() - 5 {
        assert!(!stands_alone(&whole[..length]), "{length} bytes");
    }
}

/// What a feed says of terms that are within the bounds of all.
fn verdict(source: Source, input: TermsInput) -> anchor_lang::Result<()> {
    require_terms(source, &Terms::new(&input).unwrap())
}

#[test]
fn a_feed_bounds_the_terms_of_its_products_to_the_unit() {
    const SHARES: [Source; 2] = [Source::StakePoolRate, Source::SplLendingRate];
    let share = TermsInput { threshold: 98_000_000, recovery: 100_000_000, ..input() };
    let vault = TermsInput {
        duration_seconds: 1_080,
        slot_seconds: 180,
        tolerance_seconds: 180,
        quiet_seconds: 4 * 3_600,
        ..share
    };
    let above = TermsInput {
        direction: Direction::Above,
        threshold: 98_000_000,
        recovery: 97_000_000,
        severity: Severity::Linear { full_loss_price: 200_000_000, min_severity_bps: 500 },
        ..input()
    };

    for source in SHARES {
        verdict(source, share).unwrap();
        let refused = [
            TermsInput { threshold: 98_000_001, ..share },
            TermsInput { recovery: 100_000_001, ..share },
            TermsInput { duration_seconds: 6 * 3_600 - 600, ..share },
            TermsInput { slot_seconds: 480, tolerance_seconds: 1_920, ..share },
            above,
        ];
        for input in refused {
            assert_eq!(verdict(source, input), Err(BackstopError::BadLiveTerms.into()), "{input:?}");
        }
    }

    verdict(Source::VaultDrop, vault).unwrap();
    let refused = [
        TermsInput { threshold: 98_000_001, ..vault },
        TermsInput { recovery: 100_000_001, ..vault },
        TermsInput { run_on_seconds: 3 * 180, ..vault },
        TermsInput { duration_seconds: 720, slot_seconds: 120, tolerance_seconds: 120, ..vault },
        TermsInput {
            duration_seconds: 1_080,
            slot_seconds: 180,
            tolerance_seconds: 180,
            quiet_seconds: 4 * 3_600,
            ..above
        },
    ];
    for input in refused {
        assert_eq!(verdict(Source::VaultDrop, input), Err(BackstopError::BadLiveTerms.into()), "{input:?}");
    }

    for source in [Source::PythReceiver, Source::PythPush, Source::Attested] {
        let hour = TermsInput {
            duration_seconds: 3_600,
            slot_seconds: 300,
            tolerance_seconds: 300,
            quiet_seconds: 4 * 3_600,
            ..above
        };
        verdict(source, hour).unwrap();
        let short = TermsInput { duration_seconds: 3_300, ..hour };
        assert_eq!(verdict(source, short), Err(BackstopError::BadTriggerTerms.into()));
    }
}
