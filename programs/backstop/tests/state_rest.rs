//! Roles and pause, triggers, time and text, and the rings of day buckets.

mod common;

use anchor_lang::prelude::*;
use backstop::constants::{PAUSE_DEPOSITS, PAUSE_PURCHASES};
use backstop::error::BackstopError::{self, *};
use backstop::peril::evidence::{Evidence, EvidenceError, Phase};
use backstop::peril::feed::{Observation, OracleError, Source};
use backstop::peril::{AlertLevel, Condition, SaleLimits, Verdict};
use backstop::state::*;
use common::*;

const HOUR: i64 = 3_600;
const WEEK: i64 = 7 * DAY;
const BOTH: u8 = PAUSE_DEPOSITS | PAUSE_PURCHASES;

// ---------------------------------------------------------------- pause

fn protocol() -> Protocol {
    Protocol {
        governance: key(1),
        pending_governance: Pubkey::default(),
        guardian: key(2),
        risk_keeper: key(3),
        version: backstop::constants::ACCOUNT_VERSION,
        bump: 255,
        pause: Pause::default(),
        genesis_hash: [7; 32],
        reserved: [0; 32],
    }
}

#[test]
fn a_pause_stops_what_it_names_for_six_hours_and_ends_by_itself() {
    for bits in [PAUSE_DEPOSITS, PAUSE_PURCHASES, BOTH] {
        let mut protocol = protocol();
        protocol.pause.begin(bits, NOW).unwrap();
        for now in [NOW, NOW + 6 * HOUR - 1, NOW + 6 * HOUR, NOW + 7 * HOUR] {
            let on = now < NOW + 6 * HOUR;
            for (bit, answer, reason) in [
                (PAUSE_DEPOSITS, protocol.require_deposits_open(now), DepositsPaused),
                (PAUSE_PURCHASES, protocol.require_purchases_open(now), PurchasesPaused),
            ] {
                assert_eq!(protocol.pause.covers(bit, now), on && bits & bit != 0);
                if on && bits & bit != 0 {
                    refused(answer, reason);
                } else {
                    answer.unwrap();
                }
            }
        }
    }
}

#[test]
fn nothing_is_paused_at_first_or_once_it_is_lifted() {
    let mut protocol = protocol();
    protocol.require_deposits_open(NOW).unwrap();
    protocol.pause.begin(BOTH, NOW).unwrap();
    protocol.pause.lift();
    protocol.require_deposits_open(NOW).unwrap();
    protocol.require_purchases_open(NOW).unwrap();
    // What was used stays used.
    assert_eq!(protocol.pause, Pause { bits: 0, until: 0, used_at: [0, 0, NOW] });
}

#[test]
fn a_second_pause_keeps_what_is_running_and_not_what_has_ended() {
    let mut pause = Pause::default();
    pause.begin(PAUSE_DEPOSITS, NOW).unwrap();
    pause.begin(PAUSE_PURCHASES, NOW + 6 * HOUR - 1).unwrap();
    assert_eq!((pause.bits, pause.until), (BOTH, NOW + 12 * HOUR - 1));
    // The first ends with the second: a pause adds to what is running, and that to a third.
    let mut pause = Pause::default();
    pause.begin(PAUSE_DEPOSITS, NOW).unwrap();
    pause.begin(PAUSE_PURCHASES, NOW + 6 * HOUR).unwrap();
    assert_eq!(pause.bits, PAUSE_PURCHASES);
    pause.begin(PAUSE_PURCHASES, NOW + 7 * HOUR).unwrap();
    assert_eq!(pause.bits, PAUSE_PURCHASES);
}

#[test]
fn there_are_three_pauses_in_any_seven_days() {
    let mut pause = Pause::default();
    for hour in 0..3 {
        pause.begin(BOTH, NOW + hour * HOUR).unwrap();
    }
    refused(pause.begin(BOTH, NOW + WEEK - 1), NoPauseLeft);
    pause.begin(BOTH, NOW + WEEK).unwrap();
    refused(pause.begin(BOTH, NOW + WEEK + HOUR - 1), NoPauseLeft);
    pause.begin(BOTH, NOW + WEEK + HOUR).unwrap();
}

#[test]
fn a_pause_of_nothing_or_of_something_else_is_refused() {
    for bits in [0, 4, BOTH | 4, 255] {
        refused(Pause::default().begin(bits, NOW), OutOfBounds);
    }
}

/// The protocol's account as the program gets it.
fn account<'a>(address: &'a Pubkey, owner: &'a Pubkey, lamports: &'a mut u64, data: &'a mut [u8]) -> AccountInfo<'a> {
    AccountInfo::new(address, false, false, lamports, data, owner, false)
}

#[test]
fn the_pause_is_read_alone_from_the_protocols_account() {
    let mut protocol = protocol();
    protocol.pause = Pause { bits: 3, until: NOW, used_at: [1, 2, NOW - 7] };
    let mut data = vec![];
    protocol.try_serialize(&mut data).unwrap();
    let (address, mut lamports) = (key(50), 1);
    let read = Protocol::read_pause(&account(&address, &backstop::ID, &mut lamports, &mut data)).unwrap();
    assert_eq!(read, protocol.pause);
    // Not from another program's account, and not from another of this one's.
    let other = key(51);
    assert!(Protocol::read_pause(&account(&address, &other, &mut lamports, &mut data)).is_err());
    data[0] ^= 1;
    assert!(Protocol::read_pause(&account(&address, &backstop::ID, &mut lamports, &mut data)).is_err());
}

// ---------------------------------------------------------------- triggers

#[test]
fn an_account_has_room_for_the_trigger_and_its_discriminator() {
    // Three keys, four bytes and four of padding, terms, evidence, 25 words.
    assert_eq!(Trigger::SPACE, 8 + 96 + 8 + 56 + 6_296 + 200);
}

#[test]
fn a_trigger_reads_its_source() {
    let mut trigger = trigger();
    for source in [Source::PythReceiver, Source::PythPush] {
        trigger.source = source.byte();
        assert_eq!(trigger.source(), source);
    }
}

#[test]
fn an_alert_follows_the_phase_and_ends_with_the_incident() {
    let phases = [Phase::Quiet, Phase::Breaching, Phase::Met, Phase::Triggered, Phase::Final];
    let levels = [AlertLevel::None, AlertLevel::Breaching, AlertLevel::Due, AlertLevel::Due, AlertLevel::Due];
    for (phase, level) in phases.into_iter().zip(levels) {
        let mut trigger = trigger();
        trigger.evidence.phase = phase.byte();
        assert_eq!((trigger.phase(), trigger.alert()), (phase, level));
        (trigger.evidence.event_at, trigger.evidence.met_at) = (NOW - 7, NOW);
        trigger.evidence.severity_bps = 2_500;
        // While the run-on lasts it can become all; T is a challenge after the window's end.
        let (is_final, most_severity_bps) = (phase == Phase::Final, if phase == Phase::Final { 2_500 } else { 10_000 });
        let verdict = Verdict {
            event_at: NOW - 7,
            proven_at: NOW + 7_200,
            severity_bps: 2_500,
            most_severity_bps,
            is_final,
            final_by: trigger.verdict().map_or(0, |verdict| verdict.final_by),
        };
        let proven = phase.is_triggered().then_some(verdict);
        assert_eq!(trigger.verdict(), proven);
        match proven {
            Some(verdict) => assert_eq!(trigger.require_verdict().unwrap(), verdict),
            None => refused(trigger.require_verdict(), NotTriggered),
        }
        assert_eq!(trigger.is_quiet(), phase == Phase::Quiet);
        match phase {
            Phase::Quiet => trigger.require_quiet().unwrap(),
            _ => refused(trigger.require_quiet(), TriggerNotQuiet),
        }
        trigger.end_alert();
        let funded = if phase.is_triggered() { AlertLevel::None } else { level };
        assert_eq!(trigger.alert(), funded);
    }
}

#[test]
fn cover_is_sold_on_a_fresh_print_above_the_buffer_only() {
    let mut trigger = trigger();
    let sellable =
        |trigger: &Trigger, now| trigger.require_sellable(SaleLimits { max_age: 3_600, buffer_bps: 200 }, now);
    sellable(&trigger, NOW).unwrap();
    let published = trigger.evidence.last_publish_time;
    sellable(&trigger, published + 3_600).unwrap();
    refused(sellable(&trigger, published + 3_601), PrintTooOld);
    // Two hundredths above 0.95.
    trigger.evidence.last_price = 96_900_000;
    sellable(&trigger, NOW).unwrap();
    trigger.evidence.last_price -= 1;
    refused(sellable(&trigger, NOW), PriceInBuffer);
    // Twice the confidence is taken off.
    (trigger.evidence.last_price, trigger.evidence.last_confidence) = (96_900_020, 10);
    sellable(&trigger, NOW).unwrap();
    trigger.evidence.last_confidence = 11;
    refused(sellable(&trigger, NOW), PriceInBuffer);
    trigger.evidence.last_confidence = 0;
    // The buffer is rounded up.
    trigger.terms.threshold = 95_000_001;
    trigger.evidence.last_price = 96_900_001;
    refused(sellable(&trigger, NOW), PriceInBuffer);
    trigger.evidence.last_price = 96_900_002;
    sellable(&trigger, NOW).unwrap();
    // A recovery above the buffer is what must be reached.
    trigger.terms.recovery = 96_900_003;
    refused(sellable(&trigger, NOW), PriceInBuffer);
    trigger.terms.recovery = 96_900_002;
    sellable(&trigger, NOW).unwrap();
    trigger.terms.threshold = u64::MAX;
    refused(sellable(&trigger, NOW), MathOverflow);
    trigger.evidence.last_publish_time = 0;
    refused(sellable(&trigger, 100), PrintTooOld);
}

#[test]
fn cover_is_sold_only_if_the_lowest_price_of_the_quiet_time_is_above_the_buffer() {
    let terms = trigger().terms;
    let limits = SaleLimits { max_age: 3_600, buffer_bps: 200 };
    // A price in the buffer, a quiet time of a day ago and since; the newest is 1.00.
    let with = |age: i64, price: u64, confidence: u64| {
        let mut trigger = trigger();
        trigger.evidence = Evidence::default();
        let at = NOW - age;
        let print = Observation { price, confidence, publish_time: at };
        trigger.evidence.observe(&terms, &print, at).unwrap();
        let print = Observation { price: 100_000_000, confidence: 0, publish_time: NOW };
        trigger.evidence.observe(&terms, &print, NOW).unwrap();
        assert!(trigger.is_quiet());
        trigger.require_sellable(limits, NOW)
    };
    let day = 86_400;
    with(60, 96_900_000, 0).unwrap();
    refused(with(60, 96_899_999, 0), PriceInBuffer);
    refused(with(60, 97_000_000, 50_001), PriceInBuffer);
    with(60, 97_000_000, 50_000).unwrap();
    // By whole slots: that of a day ago counts.
    let into = NOW % 600;
    refused(with(day + into, 96_000_000, 0), PriceInBuffer);
    with(day + into + 1, 96_000_000, 0).unwrap();
    // A print that says nothing of the condition counts: 0.96 with a confidence of 0.09, or 1.00 with one of 0.30.
    refused(with(60, 96_000_000, 9_000_000), PriceInBuffer);
    refused(with(60, 100_000_000, 30_000_000), PriceInBuffer);
}

#[test]
fn a_print_is_read_from_the_triggers_source_and_refused_typed() {
    let trigger = trigger();
    let address = key(40);
    let owner = key(41);
    let mut lamports = 1;
    let mut data = [0u8; 134];
    let account = AccountInfo::new(&address, false, false, &mut lamports, &mut data, &owner, false);
    refused(trigger.read_print(&account, NOW), OracleWrongOwner);
    // An account that is borrowed is one of the program's own, passed twice.
    let borrowed = account.data.borrow_mut();
    refused(trigger.read_print(&account, NOW), OracleWrongOwner);
    drop(borrowed);
}

#[test]
fn refusals_of_oracle_and_evidence_have_their_own_numbers() {
    use OracleError::*;
    let oracle = [
        (WrongOwner, OracleWrongOwner),
        (WrongLength, OracleWrongLayout),
        (WrongLayout, OracleWrongLayout),
        (NotVerified, OracleNotVerified),
        (WrongFeed, OracleWrongFeed),
        (NotTrading, OracleNotTrading),
        (PriceNotPositive, OracleBadPrice),
        (PriceTooLarge, OracleBadPrice),
        (ConfidenceTooLarge, OracleBadPrice),
        (BadExponent, OracleBadExponent),
        (FromFuture, OracleFromFuture),
    ];
    for (error, reason) in oracle {
        assert_eq!(BackstopError::from(error), reason);
    }
    let evidence = [
        (EvidenceError::SlotNotBegun, OracleFromFuture),
        (EvidenceError::TooOld, PrintBeforeRing),
        (EvidenceError::SlotClosed, BackstopError::SlotClosed),
        (EvidenceError::NotDue, BackstopError::NotDue),
    ];
    for (error, reason) in evidence {
        assert_eq!(BackstopError::from(error), reason);
    }
}

// ---------------------------------------------------------------- time, text, buckets

#[test]
fn days_begin_at_midnight_utc() {
    assert_eq!((day_of(NOW - 1), day_of(NOW), day_of(NOW + DAY - 1)), (TODAY - 1, TODAY, TODAY));
    assert_eq!((day_of(-1), day_of(i64::MIN), day_of(i64::MAX)), (0, 0, u32::MAX));
    assert_eq!((day_start(0), day_start(1), day_start(TODAY)), (0, DAY, NOW));
}

#[test]
fn text_is_printable_ascii_that_fits() {
    let field: [u8; 4] = put_text("USDC").unwrap();
    assert_eq!((&field, get_text(&field)), (b"USDC", "USDC"));
    let field: [u8; 6] = put_text("a b~").unwrap();
    assert_eq!((&field, get_text(&field)), (b"a b~\0\0", "a b~"));
    for text in ["", " ", " a", "a ", "abcde", "a\u{7f}", "a\u{1f}b", "\u{430}", "a\0"] {
        refused(put_text::<4>(text), BadText);
    }
    assert_eq!((get_text(&[0; 4]), get_text(&[])), ("", ""));
    assert_eq!(get_text(&[0xff, 0]), "");
}

#[test]
fn days_of_512_in_a_row_have_a_bucket_each_and_the_next_takes_the_first() {
    let mut pool = pool();
    for day in 1..=512u32 {
        pool.stream_premium(86_400 * u64::from(day), NOW + i64::from(day - 1) * DAY, TODAY + day).unwrap();
    }
    for day in 1..=512u32 {
        let place = (TODAY + day) as usize % 512;
        assert_eq!(pool.rate_ends[place], u64::from(day) * ONE_A_SECOND, "{day}");
    }
    pool.stream_premium(86_400, NOW + 512 * DAY, TODAY + 513).unwrap();
    assert_eq!(pool.rate_ends[(TODAY as usize + 1) % 512], 2 * ONE_A_SECOND);
}

/// Days are looked at eight at a time: whichever of the eight something ends on, it is found.
#[test]
fn exposure_is_found_on_any_of_eight_neighbouring_days() {
    for days in 0..256u32 {
        let (mut pool, mut product) = (pool_with(0, 1_000_000, 0), product());
        product.exposure = u64::from(days.count_ones()) * 100;
        pool.add_exposure(3, product.exposure).unwrap();
        for place in 0..8 {
            let day = (TODAY - 1 + place) as usize;
            product.exposure_ends[day % 512] = u64::from(days >> place & 1) * 100;
        }
        assert_eq!(product.affected(NOW + 20 * DAY).unwrap(), Affected { sums: 0, premiums: 0 }, "{days:b}");
        let exposure = product.exposure;
        assert_eq!(product.sync(&mut pool, &trigger(), NOW + 30 * DAY).unwrap(), exposure, "{days:b}");
        assert_eq!((product.exposure, product.exposure_ends), (0, [0; 512]), "{days:b}");
    }
}

#[test]
fn a_ledger_entry_neither_overflows_nor_falls_below_zero() {
    let mut pool = pool_with(5, 0, 0);
    refused(pool.contribute(u64::MAX), AmountTooLarge);
    refused(pool.release_incident_reserve(1), InvariantViolated);
    pool.contribute(7).unwrap();
    assert_eq!((pool.surplus, pool.cash), (12, 12));
}

#[test]
fn an_event_reads_the_buckets_that_a_sale_wrote() {
    let (mut pool, mut product, trigger) = (pool_with(0, 1_000_000, 0), product(), trigger());
    let request = CoverRequest { sum_insured: 10_000, term_days: 30 };
    let quote = product.sell(&mut pool, &mut rates(), &trigger, &purchase(request), NOW).unwrap().1.quote;
    assert_eq!(product.affected(NOW).unwrap(), Affected { sums: 0, premiums: quote.premium });
    assert_eq!(product.affected(NOW + DAY).unwrap(), Affected { sums: 10_000, premiums: 0 });
    assert_eq!(product.affected(NOW + 31 * DAY).unwrap(), Affected { sums: 0, premiums: 0 });
}
