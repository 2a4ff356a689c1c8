//! A program that tests the compiler which built it.
//!
//! [`arithmetic`] and [`memory`] are ordinary Rust. The program runs them on operands from an account and writes the
//! results back; the test (`tests/host.rs`) runs the same functions as the host's compiler built them, and compares.
//! Where the two differ, the back end's code, or the 128-bit and memory functions of
//! `toolchain/packages/builtins.rs`, are wrong.
#![allow(unexpected_cfgs)] // those of the entrypoint macro

use core::cmp::Ordering;
use solana_account_info::AccountInfo;
use solana_program_error::{ProgramError, ProgramResult};
use solana_pubkey::Pubkey;

/// What the first byte of the instruction asks for.
pub mod mode {
    /// Operand pairs in the account: [`super::arithmetic`] on each.
    pub const ARITHMETIC: u8 = 0;
    /// An arena and operations in the account: [`super::memory`] on each.
    pub const MEMORY: u8 = 1;
    /// `panic!` with a literal.
    pub const PANIC: u8 = 2;
    /// An index out of bounds.
    pub const BOUNDS: u8 = 3;
    /// An addition that overflows.
    pub const OVERFLOW: u8 = 4;
    /// `unwrap` of `None`.
    pub const UNWRAP: u8 = 5;
}

/// Bytes of an operand pair.
pub const PAIR: usize = 32;
/// Number of 128-bit results for each pair.
pub const RESULTS: usize = 24;
/// Bytes of the memory that the operations of [`memory`] work on.
pub const ARENA: usize = 1024;
/// Bytes of an encoded [`Operation`].
pub const OPERATION: usize = 8;
/// The longest run of bytes that an operation touches.
pub const LONGEST: usize = 309;

solana_program_entrypoint::entrypoint!(process);

fn process(_program: &Pubkey, accounts: &[AccountInfo], input: &[u8]) -> ProgramResult {
    #[cfg(any(feature = "frame-of-4000-bytes", feature = "frame-of-5000-bytes"))]
    frame(input);
    let (&mode, rest) = input
        .split_first()
        .ok_or(ProgramError::InvalidInstructionData)?;
    match mode {
        mode::ARITHMETIC => {
            let mut data = accounts[0].try_borrow_mut_data()?;
            let count = data.len() / (PAIR + RESULTS * 16);
            let (pairs, results) = data.split_at_mut(count * PAIR);
            for (pair, results) in pairs
                .chunks_exact(PAIR)
                .zip(results.chunks_exact_mut(RESULTS * 16))
            {
                let (a, b) = decode_pair(pair);
                for (result, bytes) in arithmetic(a, b).iter().zip(results.chunks_exact_mut(16)) {
                    bytes.copy_from_slice(&result.to_le_bytes());
                }
            }
            Ok(())
        }
        mode::MEMORY => {
            let mut data = accounts[0].try_borrow_mut_data()?;
            let (arena, rest) = data.split_at_mut(ARENA);
            let count = rest.len() / (OPERATION + 8);
            let (operations, results) = rest.split_at_mut(count * OPERATION);
            for (operation, result) in operations
                .chunks_exact(OPERATION)
                .zip(results.chunks_exact_mut(8))
            {
                let result_of = memory(arena, Operation::decode(operation));
                result.copy_from_slice(&result_of.to_le_bytes());
            }
            Ok(())
        }
        _ => Err(ProgramError::Custom(fail(mode, rest) as u32)),
    }
}

/// The line of the first way to fail in [`fail`], the panic; each other one is on the next line.
pub const FAILURES: u32 = line!() + 5;

#[inline(never)]
fn fail(mode: u8, rest: &[u8]) -> u64 {
    match mode {
        mode::PANIC => panic!("a panic on purpose"),
        mode::BOUNDS => rest[rest.len() + 7].into(),
        mode::OVERFLOW => u64::MAX - 1 + rest.len() as u64,
        mode::UNWRAP => (*rest.get(100).unwrap()).into(),
        _ => 0,
    }
}

/// A pair of operands, little-endian.
pub fn decode_pair(bytes: &[u8]) -> (u128, u128) {
    let mut halves = bytes
        .chunks_exact(16)
        .map(|half| half.iter().rev().fold(0, |n, &byte| n << 8 | byte as u128));
    (halves.next().unwrap_or(0), halves.next().unwrap_or(0))
}

/// Everything that 128-bit integers do and the machine does not.
#[inline(never)]
pub fn arithmetic(a: u128, b: u128) -> [u128; RESULTS] {
    let (sa, sb) = (a as i128, b as i128);
    let (a64, b64) = (a as u64, b as u64);
    let shift = b as u32 & 127;
    // An operation without a result, such as a division by zero, leaves a mark that no pair of results shares by chance.
    let unsigned = |result: Option<u128>| result.unwrap_or(0xdead_beef_dead_beef);
    let signed = |result: Option<i128>| result.unwrap_or(-0xdead_beef_dead_beef) as u128;
    [
        a.wrapping_mul(b),
        unsigned(a.checked_mul(b)),
        signed(sa.checked_mul(sb)),
        unsigned(a.checked_div(b)),
        unsigned(a.checked_rem(b)),
        signed(sa.checked_div(sb)),
        signed(sa.checked_rem(sb)),
        a << shift,
        a >> shift,
        (sa >> shift) as u128,
        a.rotate_left(shift),
        a.wrapping_add(b),
        a.wrapping_sub(b),
        unsigned(a.checked_add(b)),
        signed(sa.checked_sub(sb)),
        a64 as u128 * b64 as u128,
        (a64 as i64 as i128 * b64 as i64 as i128) as u128,
        unsigned(a64.checked_mul(b64).map(u128::from)),
        signed((a64 as i64).checked_mul(b64 as i64).map(i128::from)),
        // By constants, which the back end may turn into multiplications.
        (a / 1_000_000_007).wrapping_add(a % 1_000_000_000_000_000_000_000),
        (sa / -10_000).wrapping_add(sa % 86_400) as u128,
        // Division of 64-bit numbers, which the machine does without signs.
        signed((a64 as i64).checked_div(b64 as i64).map(i128::from))
            ^ signed((a64 as i64).checked_rem(b64 as i64).map(i128::from)) << 64,
        (a.leading_zeros() | a.trailing_zeros() << 8 | a.count_ones() << 16) as u128
            | ((a < b) as u128) << 32
            | ((sa < sb) as u128) << 33
            | ((a == b) as u128) << 34,
        many_arguments(a, b, a64, b64, a ^ b, shift, sa, (b64 >> 32) as u8),
    ]
}

/// More arguments than there are registers: the rest goes over the stack, twice.
#[inline(never)]
#[allow(clippy::too_many_arguments)]
fn many_arguments(a: u128, b: u128, c: u64, d: u64, e: u128, f: u32, g: i128, h: u8) -> u128 {
    let inner = more_arguments(h, f, d, c, g, e, b, a);
    inner
        .wrapping_add(a.rotate_left(1))
        .wrapping_add(b.rotate_left(2))
        .wrapping_add((c as u128).rotate_left(33))
        .wrapping_add((d as u128).rotate_left(44))
        .wrapping_add(e.rotate_left(5))
        .wrapping_add((f as u128).rotate_left(66))
        .wrapping_add((g as u128).rotate_left(7))
        .wrapping_add((h as u128).rotate_left(88))
}

#[inline(never)]
#[allow(clippy::too_many_arguments)]
fn more_arguments(h: u8, f: u32, d: u64, c: u64, g: i128, e: u128, b: u128, a: u128) -> u128 {
    let mut scratch = [
        a, b, e, g as u128, c as u128, d as u128, f as u128, h as u128,
    ];
    core::hint::black_box(&mut scratch).reverse();
    scratch
        .iter()
        .fold(0, |n, x| n.rotate_left(9).wrapping_add(*x))
}

/// One operation on the arena.
#[derive(Clone, Copy)]
pub struct Operation {
    /// Which one, see [`memory`].
    pub kind: u8,
    /// The byte to fill with.
    pub fill: u8,
    pub length: u16,
    pub from: u16,
    pub to: u16,
}

impl Operation {
    /// The number of kinds.
    pub const KINDS: u8 = 10;

    pub fn encode(self) -> [u8; OPERATION] {
        let (l, f, t) = (
            self.length.to_le_bytes(),
            self.from.to_le_bytes(),
            self.to.to_le_bytes(),
        );
        [self.kind, self.fill, l[0], l[1], f[0], f[1], t[0], t[1]]
    }

    pub fn decode(bytes: &[u8]) -> Self {
        let word = |i: usize| u16::from_le_bytes([bytes[i], bytes[i + 1]]);
        Self {
            kind: bytes[0],
            fill: bytes[1],
            length: word(2),
            from: word(4),
            to: word(6),
        }
    }
}

/// Applies `operation` and returns a digest of what it returned and of the bytes around everything it touched.
///
/// Kinds 0 to 4 (copy, move, fill, compare, equal) have a length known at run time only and end in a call of memcpy,
/// memmove, memset, memcmp or bcmp. Kinds 5 to 9 are the same with a length known to the compiler, which
/// replaces short ones by loads and stores. A copy of overlapping ranges is done as a move.
pub fn memory(arena: &mut [u8], operation: Operation) -> u64 {
    let Operation { kind, fill, .. } = operation;
    let (length, from, to) = (
        usize::from(operation.length).min(LONGEST),
        usize::from(operation.from),
        usize::from(operation.to),
    );
    assert!(from + length <= arena.len() && to + length <= arena.len());
    let apart = from + length <= to || to + length <= from;
    let base = arena.as_mut_ptr();
    // SAFETY: both ranges lie in the arena.
    let returned = unsafe {
        let (source, target) = (base.add(from), base.add(to));
        match kind {
            0 if apart => {
                core::ptr::copy_nonoverlapping(source, target, length);
                0
            }
            0 | 1 => {
                core::ptr::copy(source, target, length);
                0
            }
            2 => {
                core::ptr::write_bytes(target, fill, length);
                0
            }
            3 => order(
                core::slice::from_raw_parts(source, length)
                    .cmp(core::slice::from_raw_parts(target, length)),
            ),
            4 => {
                (core::slice::from_raw_parts(source, length)
                    == core::slice::from_raw_parts(target, length)) as u64
            }
            5 if apart => COPY[length / 10][length % 10](source, target, fill),
            5 | 6 => MOVE[length / 10][length % 10](source, target, fill),
            7 => FILL[length / 10][length % 10](source, target, fill),
            8 => COMPARE[length / 10][length % 10](source, target, fill),
            _ => EQUAL[length / 10][length % 10](source, target, fill),
        }
    };
    let around = |start: usize| start.saturating_sub(16)..(start + length + 16).min(ARENA);
    let mut digest = returned;
    for byte in arena[around(from)].iter().chain(&arena[around(to)]) {
        digest = (digest ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
    }
    digest
}

fn order(order: Ordering) -> u64 {
    match order {
        Ordering::Less => 1,
        Ordering::Equal => 2,
        Ordering::Greater => 3,
    }
}

type Fixed = unsafe fn(*const u8, *mut u8, u8) -> u64;

unsafe fn copy<const N: usize>(from: *const u8, to: *mut u8, _: u8) -> u64 {
    unsafe { core::ptr::copy_nonoverlapping(from, to, N) };
    0
}
unsafe fn shift<const N: usize>(from: *const u8, to: *mut u8, _: u8) -> u64 {
    unsafe { core::ptr::copy(from, to, N) };
    0
}
unsafe fn fill<const N: usize>(_: *const u8, to: *mut u8, byte: u8) -> u64 {
    unsafe { core::ptr::write_bytes(to, byte, N) };
    0
}
unsafe fn compare<const N: usize>(from: *const u8, to: *mut u8, _: u8) -> u64 {
    order(unsafe { (*from.cast::<[u8; N]>()).cmp(&*to.cast::<[u8; N]>()) })
}
unsafe fn equal<const N: usize>(from: *const u8, to: *mut u8, _: u8) -> u64 {
    unsafe { (*from.cast::<[u8; N]>() == *to.cast::<[u8; N]>()) as u64 }
}

macro_rules! ten {
    ($f:ident $n:expr) => {
        [
            $f::<{ $n }>,
            $f::<{ $n + 1 }>,
            $f::<{ $n + 2 }>,
            $f::<{ $n + 3 }>,
            $f::<{ $n + 4 }>,
            $f::<{ $n + 5 }>,
            $f::<{ $n + 6 }>,
            $f::<{ $n + 7 }>,
            $f::<{ $n + 8 }>,
            $f::<{ $n + 9 }>,
        ]
    };
}
/// One function for each length from 0 to 309.
macro_rules! each_length {
    ($($name:ident = $f:ident;)*) => {$(
        static $name: [[Fixed; 10]; 31] = [
            ten!($f 0), ten!($f 10), ten!($f 20), ten!($f 30), ten!($f 40), ten!($f 50), ten!($f 60), ten!($f 70),
            ten!($f 80), ten!($f 90), ten!($f 100), ten!($f 110), ten!($f 120), ten!($f 130), ten!($f 140),
            ten!($f 150), ten!($f 160), ten!($f 170), ten!($f 180), ten!($f 190), ten!($f 200), ten!($f 210),
            ten!($f 220), ten!($f 230), ten!($f 240), ten!($f 250), ten!($f 260), ten!($f 270), ten!($f 280),
            ten!($f 290), ten!($f 300),
        ];
    )*};
}
each_length! {
    COPY = copy;
    MOVE = shift;
    FILL = fill;
    COMPARE = compare;
    EQUAL = equal;
}

#[cfg(any(feature = "frame-of-4000-bytes", feature = "frame-of-5000-bytes"))]
#[inline(never)]
fn frame(input: &[u8]) {
    const SIZE: usize = if cfg!(feature = "frame-of-5000-bytes") {
        5000
    } else {
        4000
    };
    let mut array = [0u8; SIZE];
    array[..input.len()].copy_from_slice(input);
    core::hint::black_box(&mut array);
}
