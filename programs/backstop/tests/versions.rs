//! Layout versions: accounts of another one are refused, and old ones are brought up to date in place.

mod common;

use anchor_lang::prelude::*;
use anchor_lang::solana_program::entrypoint;
use anchor_lang::{AccountDeserialize, AccountSerialize, Discriminator, Space};
use backstop::constants::ACCOUNT_VERSION;
use backstop::error::BackstopError::*;
use backstop::state::*;
use common::*;

// ---------------------------------------------------------------- reading

/// A record of zeros with a version, as its account holds it.
fn bytes<T: Versioned + AccountSerialize + AnchorDeserialize + Space>(version: u8) -> Vec<u8> {
    let zeros = vec![0; T::INIT_SPACE];
    let mut data = vec![];
    T::deserialize(&mut &zeros[..]).unwrap().try_serialize(&mut data).unwrap();
    assert_eq!(data[T::VERSION_AT], 0);
    data[T::VERSION_AT] = version;
    data
}

macro_rules! written_by_borsh {
    ($($name:ident),+) => {$(
        let read = $name::try_deserialize(&mut &bytes::<$name>(ACCOUNT_VERSION)[..]).unwrap();
        // The byte that is looked at is the field.
        assert_eq!(read.version, ACCOUNT_VERSION, stringify!($name));
        for version in [0, 1, 3, 255] {
            refused($name::try_deserialize(&mut &bytes::<$name>(version)[..]), UnknownVersion);
        }
        let short = bytes::<$name>(ACCOUNT_VERSION)[..$name::VERSION_AT].to_vec();
        refused($name::try_deserialize(&mut &short[..]), UnknownVersion);
        // Another account's discriminator is refused before anything behind it is looked at.
        let mut other = bytes::<$name>(2);
        other[0] ^= 1;
        let error = $name::try_deserialize(&mut &other[..]).unwrap_err();
        assert_eq!(error, ErrorCode::AccountDiscriminatorMismatch.into(), stringify!($name));
        let error = $name::try_deserialize(&mut &other[..7]).unwrap_err();
        assert_eq!(error, ErrorCode::AccountDiscriminatorNotFound.into(), stringify!($name));
    )+};
}

#[test]
fn a_record_is_read_only_in_the_layout_that_the_program_knows() {
    written_by_borsh!(Protocol, Cover, Position, Crisis, ExitTicket, ExitEpoch, Incident, Treaty, Cession);
}

#[test]
fn a_record_with_a_byte_that_stands_for_nothing_is_refused() {
    let mut cover = bytes::<Cover>(ACCOUNT_VERSION);
    cover[Policy::STATE_AT] = 3;
    let error = Cover::try_deserialize(&mut &cover[..]).unwrap_err();
    assert_eq!(error, ErrorCode::AccountDidNotDeserialize.into());
}

macro_rules! read_in_place {
    ($($name:ident { $($($field:ident).+ < $count:literal),+ })+) => {$(
        let good = || {
            let mut account: Box<$name> = bytemuck::allocation::zeroed_box();
            account.version = ACCOUNT_VERSION;
            account
        };
        good().check().unwrap();
        assert_eq!(bytemuck::bytes_of(&*good())[$name::VERSION_AT - 8], ACCOUNT_VERSION, stringify!($name));
        for version in [0, 1, 3, 255] {
            let mut account = good();
            account.version = version;
            refused(account.check(), UnknownVersion);
        }
        $(
            for byte in 0..=255u8 {
                let mut account = good();
                account.$($field).+ = byte;
                match byte < $count {
                    true => account.check().unwrap(),
                    false => refused(account.check(), UnknownByte),
                }
            }
        )+
    )+};
}

#[test]
fn an_account_in_place_is_read_only_if_version_and_variants_are_known() {
    read_in_place! {
        Pool { kind < 2, access < 3 }
        Product { state < 5 }
        Trigger { source < 6, evidence.phase < 5, terms.severity < 2, terms.direction < 2 }
    }
}

/// An account that nobody frees, as the program gets one.
fn leaked(data: Vec<u8>) -> &'static AccountInfo<'static> {
    let (key, owner) = (Box::leak(Box::new(key(60))), Box::leak(Box::new(backstop::ID)));
    let lamports = Box::leak(Box::new(1));
    Box::leak(Box::new(AccountInfo::new(key, false, true, lamports, data.leak(), owner, false)))
}

fn loaded(change: impl FnOnce(&mut Pool)) -> AccountLoader<'static, Pool> {
    let mut pool: Box<Pool> = bytemuck::allocation::zeroed_box();
    pool.version = ACCOUNT_VERSION;
    change(&mut pool);
    let data = [Pool::DISCRIMINATOR, bytemuck::bytes_of(&*pool)].concat();
    // In place means aligned: an account's data begins on a boundary of eight bytes, and its fields eight further on.
    let mut aligned = vec![0u64; data.len().div_ceil(8)];
    bytemuck::cast_slice_mut::<u64, u8>(&mut aligned)[..data.len()].copy_from_slice(&data);
    let bytes = bytemuck::cast_slice_mut::<u64, u8>(aligned.leak());
    let (key, owner) = (Box::leak(Box::new(key(60))), Box::leak(Box::new(backstop::ID)));
    let lamports = Box::leak(Box::new(1));
    let account = AccountInfo::new(key, false, true, lamports, bytes, owner, false);
    AccountLoader::try_from(Box::leak(Box::new(account))).unwrap()
}

#[test]
fn loading_looks_at_version_and_variants_both_to_read_and_to_write() {
    assert_eq!(loaded(|_| ()).read().unwrap().version, ACCOUNT_VERSION);
    loaded(|_| ()).write().unwrap().cash = 5;
    for version in [0, 1, 3] {
        refused(loaded(|pool| pool.version = version).read(), UnknownVersion);
        refused(loaded(|pool| pool.version = version).write(), UnknownVersion);
    }
    refused(loaded(|pool| pool.kind = 2).read(), UnknownByte);
    refused(loaded(|pool| pool.access = 3).write(), UnknownByte);
}

#[test]
fn the_pause_is_read_from_a_known_layout_only() {
    let mut data = bytes::<Protocol>(ACCOUNT_VERSION);
    data[Protocol::VERSION_AT + 2] = 3;
    assert_eq!(Protocol::read_pause(leaked(data.clone())).unwrap().bits, 3);
    data[Protocol::VERSION_AT] = 1;
    refused(Protocol::read_pause(leaked(data)), UnknownVersion);
}

// ---------------------------------------------------------------- upgrading

/// An account type for these tests, in its third layout: a key, the version, a moment, an amount. Its first layout had
/// an amount of four bytes and no moment, its second an amount of eight.
struct Note;

impl Discriminator for Note {
    const DISCRIMINATOR: &'static [u8] = &[9, 8, 7, 6, 5, 4, 3, 2];
}

impl Versioned for Note {
    const VERSION_AT: usize = 40;
    const VERSION: u8 = 2;
    const STEPS: &'static [Step] =
        &[Step { from: 0, space: 49, rewrite: widen_amount }, Step { from: 1, space: 57, rewrite: add_moment }];
}

fn widen_amount(_: &mut [u8]) -> Result<()> {
    // Little-endian, and what was added is zero: the amount has its eight bytes already.
    Ok(())
}

fn add_moment(data: &mut [u8]) -> Result<()> {
    data.copy_within(41..49, 49);
    data[41..49].copy_from_slice(&(-1i64).to_le_bytes());
    Ok(())
}

fn first_layout() -> Vec<u8> {
    [Note::DISCRIMINATOR, &[5; 32], &[0], &0x0403_0201u32.to_le_bytes()].concat()
}

fn third_layout() -> Vec<u8> {
    [Note::DISCRIMINATOR, &[5; 32], &[2], &(-1i64).to_le_bytes(), &0x0403_0201u64.to_le_bytes()].concat()
}

/// The account as the runtime hands it to a program, with the room behind its data that an account can grow into.
fn run<T>(owner: Pubkey, data: &[u8], act: impl FnOnce(&AccountInfo) -> T) -> (T, Vec<u8>) {
    let room = data.len() + entrypoint::MAX_PERMITTED_DATA_INCREASE;
    let padded = room.next_multiple_of(8);
    let mut input = vec![];
    input.extend(1u64.to_le_bytes());
    input.extend([255, 0, 1, 0, 0, 0, 0, 0]);
    input.extend(key(60).to_bytes());
    input.extend(owner.to_bytes());
    input.extend(1_000u64.to_le_bytes());
    input.extend((data.len() as u64).to_le_bytes());
    input.extend(data);
    input.resize(input.len() + padded - data.len(), 0);
    input.extend(0u64.to_le_bytes());
    input.extend(0u64.to_le_bytes());
    input.extend(backstop::ID.to_bytes());
    let mut aligned = vec![0u64; input.len() / 8];
    bytemuck::cast_slice_mut::<u64, u8>(&mut aligned).copy_from_slice(&input);
    // SAFETY: the input has the runtime's form and is aligned as the runtime aligns it.
    let (_, accounts, _) = unsafe { entrypoint::deserialize(aligned.as_mut_ptr().cast()) };
    let result = act(&accounts[0]);
    let data = accounts[0].data.borrow().to_vec();
    (result, data)
}

#[test]
fn an_old_account_goes_through_every_step_in_place_and_grows() {
    let (steps, data) = run(backstop::ID, &first_layout(), upgrade::<Note>);
    assert_eq!((steps.unwrap(), data), (2, third_layout()));

    let second = [Note::DISCRIMINATOR, &[5; 32], &[1], &0x0403_0201u64.to_le_bytes()].concat();
    let (steps, data) = run(backstop::ID, &second, upgrade::<Note>);
    assert_eq!((steps.unwrap(), data), (1, third_layout()));
}

#[test]
fn upgrading_again_changes_nothing() {
    let (steps, data) = run(backstop::ID, &third_layout(), upgrade::<Note>);
    assert_eq!((steps.unwrap(), data), (0, third_layout()));
}

#[test]
fn a_later_layout_and_other_accounts_are_refused_and_left_alone() {
    for version in [3, 255] {
        let mut later = third_layout();
        later[Note::VERSION_AT] = version;
        let (result, data) = run(backstop::ID, &later, upgrade::<Note>);
        refused(result, UnknownVersion);
        assert_eq!(data, later);
    }
    let mut other = first_layout();
    other[0] ^= 1;
    let (result, data) = run(backstop::ID, &other, upgrade::<Note>);
    assert_eq!(result.unwrap_err(), ErrorCode::AccountDiscriminatorMismatch.into());
    assert_eq!(data, other);
    let (result, data) = run(key(61), &first_layout(), upgrade::<Note>);
    assert_eq!(result.unwrap_err(), ErrorCode::AccountOwnedByWrongProgram.into());
    assert_eq!(data, first_layout());
    let (result, _) = run(backstop::ID, &first_layout()[..Note::VERSION_AT], upgrade::<Note>);
    refused(result, UnknownVersion);
}

/// The bytes of an account as layout 1 had it, written by the program of that layout.
fn kept<T: Discriminator>(file: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/accounts/v1/");
    let data = std::fs::read([folder, file].concat()).unwrap();
    assert!(data.starts_with(T::DISCRIMINATOR), "{file}");
    data
}

#[test]
fn the_protocol_of_layout_1_is_carried_over_with_every_field() {
    let old = kept::<Protocol>("protocol.bin");
    assert_eq!(old[Protocol::VERSION_AT], 1);
    refused(Protocol::try_deserialize(&mut &old[..]), UnknownVersion);
    let (steps, new) = run(backstop::ID, &old, upgrade::<Protocol>);
    assert_eq!(steps.unwrap(), 1);
    let mut expected = old;
    expected[Protocol::VERSION_AT] = 2;
    assert_eq!(new, expected);
    let protocol = Protocol::try_deserialize(&mut &new[..]).unwrap();
    assert_eq!((protocol.version, &new[8..40]), (2, protocol.governance.as_ref()));
}

macro_rules! not_carried_over {
    ($($name:ident $file:literal at $at:expr),+) => {$(
        let old = kept::<$name>($file);
        assert_eq!(old[$at], 1, $file);
        assert_ne!(old[$name::VERSION_AT], $name::VERSION, $file);
        refused(require_version::<$name>(&old), UnknownVersion);
        let (result, left) = run(backstop::ID, &old, upgrade::<$name>);
        refused(result, UnknownVersion);
        assert!(left == old, "{} is left as it is", $file);
    )+};
}

#[test]
fn what_layout_1_never_noted_is_refused_and_left_alone() {
    not_carried_over! {
        // Terms stand before the version of pools and products, and have grown by eight bytes since; in products the day
        // of the newest sales and two moments of freezing do too. Of a cover the payer of its rent came first.
        Pool "pool.bin" at Pool::VERSION_AT - 8, Product "product.bin" at Product::VERSION_AT - 28,
        Trigger "trigger.bin" at Trigger::VERSION_AT, Cover "cover.bin" at Cover::VERSION_AT + 32,
        ExitTicket "exit_ticket.bin" at ExitTicket::VERSION_AT, ExitEpoch "exit_epoch.bin" at ExitEpoch::VERSION_AT,
        Incident "incident.bin" at Incident::VERSION_AT, Treaty "quota_share.bin" at Treaty::VERSION_AT,
        Cession "cession.bin" at Cession::VERSION_AT
    }
}
