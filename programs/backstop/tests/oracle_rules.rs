//! Each rule of reading a print, with the hostile account that it refuses.

use anchor_lang::prelude::Pubkey;
use anchor_lang::{AccountDeserialize, AccountSerialize, Discriminator};
use backstop::peril::evidence::{Class, Direction, Severity, Terms, TermsInput};
use backstop::peril::feed::*;
use proptest::prelude::*;
use pyth_sdk_solana::state::{PriceStatus, SolanaPriceAccount, load_price_account};
use pyth_solana_receiver_sdk::price_update::{
    PriceFeedMessage, PriceUpdateV2, TwapPrice, TwapUpdate, VerificationLevel,
};
use std::path::PathBuf;

const NOW: i64 = 1_700_000_000;
const USDC: [u8; 32] = [
    0xea, 0xa0, 0x20, 0xc6, 0x1c, 0xc4, 0x79, 0x71, 0x28, 0x13, 0x46, 0x1c, 0xe1, 0x53, 0x89, 0x4a, 0x96, 0xa6, 0xc0,
    0x0b, 0x21, 0xed, 0x0c, 0xfc, 0x27, 0x98, 0xd1, 0xf9, 0xa9, 0xe9, 0xc9, 0x4a,
];

// ---------------------------------------------------------------- accounts

fn message() -> PriceFeedMessage {
    PriceFeedMessage {
        feed_id: USDC,
        price: 88_000_000,
        conf: 120_000,
        exponent: -8,
        publish_time: NOW - 1,
        prev_publish_time: NOW - 2,
        ema_price: 90_000_000,
        ema_conf: 110_000,
    }
}

fn update(level: VerificationLevel, message: PriceFeedMessage) -> Vec<u8> {
    let account = PriceUpdateV2 {
        write_authority: Pubkey::new_from_array([7; 32]),
        verification_level: level,
        price_message: message,
        posted_slot: 1,
    };
    let mut data = vec![];
    account.try_serialize(&mut data).unwrap();
    data.resize(PriceUpdateV2::LEN, 0);
    data
}

fn full(message: PriceFeedMessage) -> Vec<u8> {
    update(VerificationLevel::Full, message)
}

fn read_as(owner: Pubkey, data: &[u8]) -> Result<Observation, OracleError> {
    read(Source::PythReceiver, &Pubkey::default(), &owner, data, &USDC, NOW)
}

fn read_receiver(data: &[u8]) -> Result<Observation, OracleError> {
    read_as(pyth_receiver::PROGRAM_ID, data)
}

const PUSH_KEY: Pubkey = Pubkey::new_from_array([42; 32]);

/// A price account of the push oracle, its fields at the offsets of Pyth's own C header.
fn push_account() -> Vec<u8> {
    let mut data = vec![0; 3_312];
    put(&mut data, 0, &0xa1b2_c3d4_u32.to_le_bytes());
    put(&mut data, 4, &2_u32.to_le_bytes());
    put(&mut data, 8, &3_u32.to_le_bytes());
    put(&mut data, 12, &3_312_u32.to_le_bytes());
    put(&mut data, 16, &1_u32.to_le_bytes());
    put(&mut data, 20, &(-8_i32).to_le_bytes());
    put(&mut data, 96, &(NOW - 1).to_le_bytes());
    put(&mut data, 184, &99_000_000_i64.to_le_bytes());
    put(&mut data, 192, &1_u64.to_le_bytes());
    put(&mut data, 200, &(NOW - 60).to_le_bytes());
    put(&mut data, 208, &88_000_000_i64.to_le_bytes());
    put(&mut data, 216, &120_000_u64.to_le_bytes());
    put(&mut data, 224, &[1]);
    data
}

fn put(data: &mut [u8], offset: usize, bytes: &[u8]) {
    data[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn read_push(data: &[u8]) -> Result<Observation, OracleError> {
    let owner = pyth_push::PROGRAM_ID;
    read(Source::PythPush, &PUSH_KEY, &owner, data, &PUSH_KEY.to_bytes(), NOW)
}

const PRINT: Observation = Observation { price: 88_000_000, confidence: 120_000, publish_time: NOW - 1 };

// ---------------------------------------------------------------- who may speak

#[test]
fn the_program_ids_are_those_of_pyth_core() {
    // A cargo feature of the SDK, turned on by any crate of the build, switches its id; ours stays.
    assert_eq!(pyth_solana_receiver_sdk::ID, pyth_receiver::PROGRAM_ID);
    let text = "rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ";
    assert_eq!(pyth_receiver::PROGRAM_ID.to_string(), text);
    let text = "FsJ3A3u2vn5cTVofAjvy6y5kwABJAqYWpe4975bi2epH";
    assert_eq!(pyth_push::PROGRAM_ID.to_string(), text);
    assert_eq!(PriceUpdateV2::DISCRIMINATOR, &pyth_receiver::DISCRIMINATOR);
    assert_eq!(PriceUpdateV2::LEN, pyth_receiver::LENGTH);
    assert_eq!(pyth_push::LENGTH, 3_312);
}

#[test]
fn another_owner_is_refused() {
    let data = full(message());
    assert_eq!(read_receiver(&data), Ok(PRINT));
    let strangers = [
        Pubkey::default(),
        Pubkey::new_from_array([9; 32]),
        pyth_push::PROGRAM_ID,
        pyth_solana_receiver_sdk::PYTH_PUSH_ORACLE_ID,
        // The receiver of the other generation.
        "rec2HHDDnjLfj4kE7VyEtFA1HPGQLK33259532cRyHp".parse().unwrap(),
    ];
    for owner in strangers {
        assert_eq!(read_as(owner, &data), Err(OracleError::WrongOwner));
    }
    let push = push_account();
    assert_eq!(read_push(&push), Ok(PRINT));
    for owner in [Pubkey::default(), pyth_receiver::PROGRAM_ID, PUSH_KEY] {
        let key = PUSH_KEY.to_bytes();
        let refused = read(Source::PythPush, &PUSH_KEY, &owner, &push, &key, NOW);
        assert_eq!(refused, Err(OracleError::WrongOwner));
    }
}

// ---------------------------------------------------------------- the receiver's layout

#[test]
fn another_account_of_the_receiver_is_refused() {
    let mut data = full(message());
    data[0] ^= 1;
    assert_eq!(read_receiver(&data), Err(OracleError::WrongLayout));
    let zeroed = vec![0; PriceUpdateV2::LEN];
    assert_eq!(read_receiver(&zeroed), Err(OracleError::WrongLayout));

    let twap = TwapUpdate {
        write_authority: Pubkey::default(),
        twap: TwapPrice {
            feed_id: USDC,
            start_time: NOW - 60,
            end_time: NOW,
            price: 88_000_000,
            conf: 1,
            exponent: -8,
            down_slots_ratio: 0,
        },
    };
    let mut data = vec![];
    twap.try_serialize(&mut data).unwrap();
    assert_eq!(read_receiver(&data), Err(OracleError::WrongLength));
    data.resize(PriceUpdateV2::LEN, 0);
    assert_eq!(read_receiver(&data), Err(OracleError::WrongLayout));
}

#[test]
fn only_134_bytes_are_a_price_update() {
    let data = full(message());
    for length in 0..data.len() {
        assert_eq!(read_receiver(&data[..length]), Err(OracleError::WrongLength));
    }
    for longer in [135, 200, 3_312, 10_240] {
        let mut data = data.clone();
        data.resize(longer, 0);
        assert_eq!(read_receiver(&data), Err(OracleError::WrongLength));
    }
}

#[test]
fn the_spare_byte_of_a_full_update_means_nothing() {
    let mut data = full(message());
    data[133] = 0xff;
    assert_eq!(read_receiver(&data), Ok(PRINT));
}

#[test]
fn a_partially_verified_update_is_refused_before_its_shifted_fields_are_read() {
    for num_signatures in [0, 1, 5, 12, 13, 255] {
        let level = VerificationLevel::Partial { num_signatures };
        let data = update(level, message());
        assert_eq!(read_receiver(&data), Err(OracleError::NotVerified));
        // At the offsets of a full update the number of signatures is the feed's first byte, and so on: bytes that an
        // attacker may choose so that they read as a price of the right feed.
        let mut crafted = full(message());
        crafted[40] = 0;
        assert_eq!(read_receiver(&crafted), Err(OracleError::NotVerified));
    }
    for tag in 2..=255 {
        let mut data = full(message());
        data[40] = tag;
        assert_eq!(read_receiver(&data), Err(OracleError::NotVerified));
    }
}

#[test]
fn another_feed_is_refused() {
    for byte in 0..32 {
        let mut other = message();
        other.feed_id[byte] ^= 0x80;
        assert_eq!(read_receiver(&full(other)), Err(OracleError::WrongFeed));
    }
    let key = PUSH_KEY.to_bytes();
    let owner = pyth_push::PROGRAM_ID;
    let other = Pubkey::new_from_array([43; 32]);
    let refused = read(Source::PythPush, &other, &owner, &push_account(), &key, NOW);
    assert_eq!(refused, Err(OracleError::WrongFeed));
}

// ---------------------------------------------------------------- the price

fn with(change: impl FnOnce(&mut PriceFeedMessage)) -> Result<Observation, OracleError> {
    let mut message = message();
    change(&mut message);
    read_receiver(&full(message))
}

#[test]
fn a_price_of_zero_or_less_is_refused() {
    for price in [0, -1, -88_000_000, i64::MIN] {
        let refused = with(|message| message.price = price);
        assert_eq!(refused, Err(OracleError::PriceNotPositive));
        let mut push = push_account();
        put(&mut push, 208, &price.to_le_bytes());
        assert_eq!(read_push(&push), Err(OracleError::PriceNotPositive));
    }
}

#[test]
fn an_exponent_outside_minus_12_to_0_is_refused() {
    for exponent in [1, 8, -13, -18, i32::MIN, i32::MAX, -479_473_253] {
        let refused = with(|message| message.exponent = exponent);
        assert_eq!(refused, Err(OracleError::BadExponent));
        let mut push = push_account();
        put(&mut push, 20, &exponent.to_le_bytes());
        assert_eq!(read_push(&push), Err(OracleError::BadExponent));
    }
    assert_eq!(with(|message| message.exponent = -12).unwrap().price, 8_800);
    let dollars = with(|message| (message.price, message.conf, message.exponent) = (2, 1, 0));
    assert_eq!(dollars.unwrap().price, 200_000_000);
}

#[test]
fn a_price_or_confidence_that_does_not_fit_is_refused() {
    let price = |price, exponent| with(|m| (m.price, m.conf, m.exponent) = (price, 0, exponent));
    assert_eq!(price(i64::MAX, -8).unwrap().price, i64::MAX as u64);
    assert_eq!(price(i64::MAX, -7), Err(OracleError::PriceTooLarge));
    assert_eq!(price(i64::MAX, 0), Err(OracleError::PriceTooLarge));
    assert_eq!(price(i64::MAX / 10, -7).unwrap().price, i64::MAX as u64 / 10 * 10);
    let wide = |conf, exponent| with(|m| (m.price, m.conf, m.exponent) = (1, conf, exponent));
    assert_eq!(wide(u64::MAX, -8).unwrap().confidence, u64::MAX);
    assert_eq!(wide(u64::MAX, -7), Err(OracleError::ConfidenceTooLarge));
}

#[test]
fn a_print_from_the_future_is_refused_and_an_old_one_is_not() {
    let at = |time| with(|message| message.publish_time = time);
    assert!(at(NOW + 5).is_ok());
    assert_eq!(at(NOW + 6), Err(OracleError::FromFuture));
    assert_eq!(at(i64::MAX), Err(OracleError::FromFuture));
    // Evidence is a set: how old a print may be is the evidence's rule.
    for age in [60, 61, 3_600, 86_400, NOW] {
        assert_eq!(at(NOW - age).unwrap().publish_time, NOW - age);
    }
    let mut push = push_account();
    put(&mut push, 96, &(NOW + 6).to_le_bytes());
    assert_eq!(read_push(&push), Err(OracleError::FromFuture));
}

#[test]
fn the_slot_of_posting_says_nothing() {
    let mut data = full(message());
    for posted in [0, 1, u64::MAX] {
        put(&mut data, 125, &u64::to_le_bytes(posted));
        assert_eq!(read_receiver(&data), Ok(PRINT));
    }
}

#[test]
fn a_breach_is_harder_to_show_by_rounding() {
    // 0.949999990001 rounds up to 0.95, which is not below it.
    let fine = with(|m| (m.price, m.conf, m.exponent) = (949_999_990_001, 1, -12)).unwrap();
    assert_eq!((fine.price, fine.confidence), (95_000_000, 1));
}

fn terms() -> Terms {
    Terms::new(&TermsInput {
        direction: Direction::Below,
        threshold: 95_000_000,
        recovery: 96_000_000,
        severity: Severity::Binary,
        duration_seconds: 3_600,
        slot_seconds: 600,
        tolerance_seconds: 600,
        challenge_seconds: 7_200,
        run_on_seconds: 0,
        quiet_seconds: 86_400,
        confidence_multiplier: 200,
    })
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equal_prices_at_different_exponents_are_one_observation(
        price in 1..200_i64, conf in 0..3_u64, exponent in -11..=0_i32, places in 1..=12_u32,
    ) {
        let places = 1 + places % (12 - exponent.unsigned_abs());
        let scale = 10_i64.pow(places);
        let exponents = (exponent, exponent - places as i32);
        let coarse = with(|m| (m.price, m.conf, m.exponent) = (price, conf, exponents.0));
        let fine = with(|m| {
            (m.price, m.conf, m.exponent) = (price * scale, conf * scale as u64, exponents.1);
        });
        prop_assert_eq!(coarse, fine);
        let class = |print: Result<Observation, OracleError>| print.map(|p| terms().classify(&p));
        prop_assert_eq!(class(coarse), class(fine));
    }

    #[test]
    fn the_receiver_reads_what_the_sdk_deserialises(
        bytes in proptest::array::uniform32(any::<u8>()),
        price in any::<i64>(), conf in any::<u64>(), exponent in -14..2_i32, publish_time in any::<i64>(),
        others in any::<[i64; 4]>(), spare in any::<u8>(), is_full in prop::bool::weighted(0.9),
    ) {
        let sent = PriceFeedMessage {
            feed_id: bytes, price, conf, exponent, publish_time,
            prev_publish_time: others[0], ema_price: others[1], ema_conf: others[2] as u64,
        };
        let level = if is_full {
            VerificationLevel::Full
        } else {
            VerificationLevel::Partial { num_signatures: spare }
        };
        let mut data = update(level, sent);
        if is_full {
            data[133] = spare;
        }
        let account = PriceUpdateV2::try_deserialize(&mut data.as_slice()).unwrap();
        let said = account.price_message;
        let expected = if account.verification_level == VerificationLevel::Full {
            RawPrice {
                price: said.price,
                confidence: said.conf,
                exponent: said.exponent,
                publish_time: said.publish_time,
            }
            .normalise(NOW)
        } else {
            Err(OracleError::NotVerified)
        };
        let feed = said.feed_id;
        let ours = read(Source::PythReceiver, &PUSH_KEY, &pyth_receiver::PROGRAM_ID, &data, &feed, NOW);
        prop_assert_eq!(ours, expected);
    }

    #[test]
    fn the_push_reader_reads_what_the_sdk_loads(
        price in any::<i64>(), conf in any::<u64>(), exponent in -14..2_i32, timestamp in any::<i64>(),
        status in 0..5_u8,
    ) {
        let mut data = push_account();
        put(&mut data, 20, &exponent.to_le_bytes());
        put(&mut data, 96, &timestamp.to_le_bytes());
        put(&mut data, 208, &price.to_le_bytes());
        put(&mut data, 216, &conf.to_le_bytes());
        put(&mut data, 224, &[status]);
        let data = aligned(&data);
        let account: &SolanaPriceAccount = load_price_account(&data[..3_312]).unwrap();
        let expected = if account.agg.status == PriceStatus::Trading {
            RawPrice {
                price: account.agg.price,
                confidence: account.agg.conf,
                exponent: account.expo,
                publish_time: account.timestamp,
            }
            .normalise(NOW)
        } else {
            Err(OracleError::NotTrading)
        };
        prop_assert_eq!(read_push(&data[..3_312]), expected);
    }

    #[test]
    fn random_bytes_are_no_print_and_no_panic(
        mut data in proptest::collection::vec(any::<u8>(), 0..400), now in any::<i64>(),
        headed in any::<bool>(),
    ) {
        if headed && data.len() > 41 {
            put(&mut data, 0, &pyth_receiver::DISCRIMINATOR);
            data[40] = 1;
            data.resize(134, 0);
            let feed: [u8; 32] = data[41..73].try_into().unwrap();
            let _ = read(Source::PythReceiver, &PUSH_KEY, &pyth_receiver::PROGRAM_ID, &data, &feed, now);
        }
        let mut push = push_account();
        let from = data.len().min(200);
        put(&mut push, 20, &data[..from]);
        push[224] = 1;
        let _ = read(Source::PythPush, &PUSH_KEY, &pyth_push::PROGRAM_ID, &push, &PUSH_KEY.to_bytes(), now);
        prop_assert!(read(Source::PythPush, &PUSH_KEY, &pyth_push::PROGRAM_ID, &data, &USDC, now).is_err());
    }
}

/// The SDK's loader panics on data that is not aligned.
fn aligned(data: &[u8]) -> &'static [u8] {
    let words: Vec<u64> = data.chunks(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap())).collect();
    let words: &'static [u64] = words.leak();
    bytemuck::cast_slice(words)
}

// ---------------------------------------------------------------- the push oracle's layout

#[test]
fn another_push_account_is_refused() {
    let header = [(0, 0xa1b2_c3d5_u32), (4, 1), (4, 3), (8, 0), (8, 1), (8, 2), (16, 0)];
    for (offset, value) in header {
        let mut data = push_account();
        put(&mut data, offset, &value.to_le_bytes());
        assert_eq!(read_push(&data), Err(OracleError::WrongLayout), "offset {offset}");
    }
    let data = push_account();
    for length in [0, 1, 240, 3_311] {
        assert_eq!(read_push(&data[..length]), Err(OracleError::WrongLength));
    }
    let mut longer = data;
    longer.push(0);
    assert_eq!(read_push(&longer), Err(OracleError::WrongLength));
}

#[test]
fn a_push_price_that_is_not_trading_is_refused_and_not_replaced_by_the_previous_one() {
    for status in (0..=255).filter(|status| *status != 1) {
        let mut data = push_account();
        data[224] = status;
        assert_eq!(read_push(&data), Err(OracleError::NotTrading));
    }
}

#[test]
fn one_source_does_not_read_the_layout_of_the_other() {
    let push = push_account();
    assert_eq!(read_receiver(&push), Err(OracleError::WrongLength));
    assert_eq!(read_receiver(&push[..134]), Err(OracleError::WrongLayout));
    assert_eq!(read_push(&full(message())), Err(OracleError::WrongLength));
    let mut longer = full(message());
    longer.resize(3_312, 0);
    assert_eq!(read_push(&longer), Err(OracleError::WrongLayout));
}

// ---------------------------------------------------------------- accounts that nobody here made

fn fixture(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("BACKSTOP_FIXTURES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(std::fs::read(path).unwrap());
    }
    eprintln!("SKIPPED: no fixture {}; set BACKSTOP_FIXTURES", path.display());
    None
}

#[test]
fn a_real_usdc_update_of_mainnet_is_read_exactly() {
    let Some(data) = fixture("pyth_price_update_v2_usdc.bin") else {
        return;
    };
    let published = 1_747_165_253;
    let expected = Observation { price: 100_004_997, confidence: 67_956, publish_time: published };
    let owner = pyth_receiver::PROGRAM_ID;
    let at = |now| read(Source::PythReceiver, &PUSH_KEY, &owner, &data, &USDC, now);
    assert_eq!(at(published), Ok(expected));
    assert_eq!(at(published - 5), Ok(expected));
    assert_eq!(at(published - 6), Err(OracleError::FromFuture));
    assert_eq!(at(published + 86_400), Ok(expected));
    assert_eq!(terms().classify(&expected), Class::Recovered);

    let account = PriceUpdateV2::try_deserialize(&mut data.as_slice()).unwrap();
    assert_eq!(account.verification_level, VerificationLevel::Full);
    let said = account.price_message;
    assert_eq!((said.price, said.conf, said.exponent), (100_004_997, 67_956, -8));
    assert_eq!((said.publish_time, said.feed_id), (published, USDC));
}

#[test]
fn the_frozen_legacy_account_is_refused_under_every_owner() {
    let Some(file) = fixture("pyth_legacy_price_account_sol.json") else {
        return;
    };
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let encoded = text(&file["account"]["data"][0]);
    let key: Pubkey = text(&file["pubkey"]).parse().unwrap();
    let owner: Pubkey = text(&file["account"]["owner"]).parse().unwrap();
    let data = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.decode(encoded).unwrap()
    };
    assert_eq!((data.len(), owner), (3_312, pyth_receiver::PROGRAM_ID));

    // As it stands: a legacy layout under the receiver's owner.
    let feed = key.to_bytes();
    let now = 1_800_000_000;
    let receiver = read(Source::PythReceiver, &key, &owner, &data, &feed, now);
    assert_eq!(receiver, Err(OracleError::WrongLength));
    let cut = read(Source::PythReceiver, &key, &owner, &data[..134], &feed, now);
    assert_eq!(cut, Err(OracleError::WrongLayout));
    let push = read(Source::PythPush, &key, &owner, &data, &feed, now);
    assert_eq!(push, Err(OracleError::WrongOwner));
    // Under its own owner: frozen, status Unknown, although its timestamp went on moving.
    let push = read(Source::PythPush, &key, &pyth_push::PROGRAM_ID, &data, &feed, now);
    assert_eq!(push, Err(OracleError::NotTrading));
    let mut trading = data;
    trading[224] = 1;
    let push = read(Source::PythPush, &key, &pyth_push::PROGRAM_ID, &trading, &feed, now).unwrap();
    assert_eq!(push.publish_time, 1_730_534_860);
}

// ---------------------------------------------------------------- what a source is

#[test]
fn what_can_be_shown_late_whom_it_trusts_and_how_near_it_sells_is_the_sources() {
    use Source::*;
    let (hour, day) = (3_600, 86_400);
    for (source, live, reported, oldest, buffer, waits) in [
        (PythReceiver, false, false, hour, 100, day),
        (PythPush, false, false, hour, 100, day),
        (Attested, false, true, hour, 100, day),
        (StakePoolRate, true, false, day, 50, 3 * day),
        (SplLendingRate, true, false, 3 * hour, 50, day),
        (VaultDrop, true, true, hour, 50, 2 * day),
    ] {
        assert_eq!(source.least_waiting_seconds(), waits, "{source:?}");
        assert_eq!((source.is_live(), source.is_reported()), (live, reported), "{source:?}");
        assert_eq!((source.longest_price_age(), source.least_buffer_bps()), (oldest, buffer), "{source:?}");
    }
}

#[test]
fn a_live_source_reads_its_own_account_and_no_other_source_reads_one_now() {
    let (own, other) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
    let read = |source, key: &Pubkey| read_live(source, key, &Pubkey::default(), &[], &own.to_bytes(), 0);
    for source in [Source::StakePoolRate, Source::SplLendingRate] {
        assert_eq!(read(source, &other), Err(OracleError::WrongFeed));
        assert_eq!(read(source, &own), Err(OracleError::WrongOwner));
    }
    for key in [&own, &other] {
        for source in [Source::PythReceiver, Source::PythPush, Source::Attested] {
            assert_eq!(read(source, key), Err(OracleError::NotLive));
        }
        assert_eq!(read(Source::VaultDrop, key), Err(OracleError::WrongFeed));
    }
}

#[test]
fn a_signed_report_is_laid_out_as_the_precompile_reads_it() {
    let signer = |number: u8| (Pubkey::new_from_array([number; 32]), [number + 100; 64]);
    let (first, second, message) = (signer(1), signer(2), [7; attested::REPORT_BYTES]);
    let data = attested::instruction_data(&[first, second], &message);
    // Count and padding; of each signature where it is, where its key is and where the message, whose length it has: all in
    // this instruction.
    let this = u16::MAX;
    let offsets = [[62, this, 30, this, 222, 112, this], [158, this, 126, this, 222, 112, this]];
    let mut expected = vec![2, 0];
    expected.extend(offsets.iter().flatten().flat_map(|offset: &u16| offset.to_le_bytes()));
    for (key, signature) in [first, second] {
        expected.extend_from_slice(key.as_ref());
        expected.extend_from_slice(&signature);
    }
    expected.extend_from_slice(&message);
    assert_eq!(data, expected);
    assert_eq!(attested::signed(&data).map(|signed| signed.count()), Ok(2));
}
