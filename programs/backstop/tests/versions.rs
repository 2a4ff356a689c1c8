//! Layout versions: accounts of another one are refused, and old ones are brought up to date in place.

mod common;

use anchor_lang::prelude::*;
use anchor_lang::solana_program::entrypoint;
use anchor_lang::{AccountDeserialize, AccountSerialize, Discriminator, Space};
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
        let read = $name::try_deserialize(&mut &bytes::<$name>(1)[..]).unwrap();
        // The byte that is looked at is the field.
        assert_eq!(read.version, 1, stringify!($name));
        for version in [0, 2, 255] {
            refused($name::try_deserialize(&mut &bytes::<$name>(version)[..]), UnknownVersion);
        }
        let short = bytes::<$name>(1)[..$name::VERSION_AT].to_vec();
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
    written_by_borsh!(Protocol, Cover, Crisis, ExitTicket, ExitEpoch, Incident, Treaty, Cession);
}

#[test]
fn a_record_with_a_byte_that_stands_for_nothing_is_refused() {
    let mut cover = bytes::<Cover>(1);
    cover[Cover::STATE_AT] = 3;
    let error = Cover::try_deserialize(&mut &cover[..]).unwrap_err();
    assert_eq!(error, ErrorCode::AccountDidNotDeserialize.into());
}

macro_rules! read_in_place {
    ($($name:ident { $($($field:ident).+ < $count:literal),+ })+) => {$(
        let good = || {
            let mut account: Box<$name> = bytemuck::allocation::zeroed_box();
            account.version = 1;
            account
        };
        good().check().unwrap();
        assert_eq!(bytemuck::bytes_of(&*good())[$name::VERSION_AT - 8], 1, stringify!($name));
        for version in [0, 2, 255] {
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
        Product { state < 4 }
        Trigger { source < 2, evidence.phase < 5, terms.severity < 2 }
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
    pool.version = 1;
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
    assert_eq!(loaded(|_| ()).read().unwrap().version, 1);
    loaded(|_| ()).write().unwrap().cash = 5;
    for version in [0, 2] {
        refused(loaded(|pool| pool.version = version).read(), UnknownVersion);
        refused(loaded(|pool| pool.version = version).write(), UnknownVersion);
    }
    refused(loaded(|pool| pool.kind = 2).read(), UnknownByte);
    refused(loaded(|pool| pool.access = 3).write(), UnknownByte);
}

#[test]
fn the_pause_is_read_from_a_known_layout_only() {
    let mut data = bytes::<Protocol>(1);
    data[Protocol::VERSION_AT + 2] = 3;
    assert_eq!(Protocol::read_pause(leaked(data.clone())).unwrap().bits, 3);
    data[Protocol::VERSION_AT] = 2;
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

#[test]
fn accounts_of_this_program_have_one_layout_so_far_and_no_step() {
    let (result, data) = run(backstop::ID, &bytes::<Cover>(1), upgrade::<Cover>);
    assert_eq!((result.unwrap(), data), (0, bytes::<Cover>(1)));
    let (result, _) = run(backstop::ID, &bytes::<Cover>(0), upgrade::<Cover>);
    refused(result, UnknownVersion);
    assert_eq!((Pool::STEPS.len(), Pool::VERSION), (0, 1));
}
