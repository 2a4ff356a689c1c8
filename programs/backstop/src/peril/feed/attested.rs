//! Attested reports: a value that named keys have signed, read from the instruction of the ed25519 precompile that stands
//! right before.
//!
//! One message for all signers, of 112 bytes, all numbers little-endian:
//!
//! ```text
//! "BKSTRPT1" | genesis_hash[..8] | set 32 | feed 32 | kind u8 | 3 zero | exponent i32 | value i64 | confidence u64 | observed_at i64
//! ```
//!
//! It names the cluster, so that what is signed for a test counts nowhere else; the set and the feed, so that a key that
//! stands in two sets, or for two feeds, says what it means; and the moment, which makes a report **replayable**: an old
//! one is a good one, as evidence is a set, and when it was sent says nothing. A feed is the sha-256 of the text that
//! defines it: source, unit, rounding and period.
//!
//! The precompile verifies what its offsets point at, wherever that is: in another instruction, or in a part of this one
//! that nobody reads here. So the offsets have to be exactly those of the one layout that [`signed`] takes, and the length
//! exactly that of what they span.
//!
//! # Totality
//!
//! No function here can panic, whatever the bytes.

use super::{Observation, OracleError, RawPrice};
use crate::payout::FULL_SEVERITY_BPS;
use anchor_lang::prelude::*;

/// The precompile.
pub const PRECOMPILE_ID: Pubkey = pubkey!("Ed25519SigVerify111111111111111111111111111");
/// The sysvar that shows a transaction's instructions.
pub const INSTRUCTIONS_ID: Pubkey = pubkey!("Sysvar1nstructions1111111111111111111111111");
/// What every report begins with. No message of a transaction does: it would ask for 66 signatures, in 112 bytes.
pub const TAG: [u8; 8] = *b"BKSTRPT1";
/// Length of a report.
pub const REPORT_BYTES: usize = 112;
/// Most signatures of a report: as many as fit a transaction beside the instruction that shows it.
pub const MOST_SIGNATURES: usize = 6;
/// Bytes of a genesis hash that a report names.
pub const CLUSTER_BYTES: usize = 8;

const HEADER: usize = 2;
const OFFSETS: usize = 14;
const KEY: usize = 32;
const SIGNATURE: usize = 64;
// The same as numbers of 16 bits, as offsets are: a key, a key with its signature, and the message.
const KEY_BYTES: u16 = 32;
const SIGNER: u16 = 96;
const MESSAGE_BYTES: u16 = 112;
const _: () = assert!(KEY_BYTES as usize == KEY && SIGNER as usize == KEY + SIGNATURE);
const _: () = assert!(MESSAGE_BYTES as usize == REPORT_BYTES);
/// What an offset names for "this instruction".
const THIS: u16 = u16::MAX;

stored_enum! {
    /// What a report is of.
    pub enum ReportKind {
        /// A value at a moment, for conditions on how long it is beyond a threshold.
        Value = 0,
        /// An event, and what it took: the second of two keys. The value is the part that is lost, in basis points.
        Event = 1,
    }
}

/// What attestors sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The first bytes of the cluster's genesis hash.
    pub cluster: [u8; CLUSTER_BYTES],
    /// The attestors' account.
    pub set: Pubkey,
    /// Sha-256 of the feed's definition.
    pub feed: [u8; 32],
    /// What the value is of.
    pub kind: ReportKind,
    /// Power of ten of the units of value and confidence.
    pub exponent: i32,
    /// The value.
    pub value: i64,
    /// How far the value may be off.
    pub confidence: u64,
    /// The moment that it is of, in unix seconds.
    pub observed_at: i64,
}

/// What a report says, without what it says it of.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttestedValue {
    /// Power of ten of the units of value and confidence.
    pub exponent: i32,
    /// The value.
    pub value: i64,
    /// How far the value may be off.
    pub confidence: u64,
}

impl From<Report> for AttestedValue {
    fn from(report: Report) -> Self {
        Self { exponent: report.exponent, value: report.value, confidence: report.confidence }
    }
}

/// Why a report is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportError {
    /// The instruction right before is none of the precompile, or there is none.
    Missing,
    /// The precompile's instruction, or its message, has another length than a report's.
    WrongLength,
    /// An offset of the precompile's instruction, or its second byte, is another than in the one layout that is taken.
    NotCanonical,
    /// Fewer signatures than the set asks for, more than [`MOST_SIGNATURES`], or none.
    Signatures,
    /// A key that signed is none of the set's.
    UnknownKey,
    /// A key signed twice.
    DuplicateKey,
    /// A key that signed was revoked.
    RevokedKey,
    /// It does not begin with [`TAG`].
    WrongTag,
    /// A byte that means nothing is set.
    WrongPadding,
    /// It is of a kind that this program does not know.
    WrongKind,
    /// It is for another cluster.
    WrongCluster,
    /// It is of another set of attestors.
    WrongSet,
    /// It is of another feed.
    WrongFeed,
    /// An `Event` whose value is no part from one basis point to all, in basis points, or that has a confidence.
    BadEvent,
    /// Two messages that are no contradiction of one key: of other keys, feeds, kinds or moments, or the same.
    NotEquivocation,
}

impl Report {
    /// The message, as signers sign it.
    pub fn to_bytes(&self) -> [u8; REPORT_BYTES] {
        let mut bytes = [0; REPORT_BYTES];
        let (exponent, value) = (self.exponent.to_le_bytes(), self.value.to_le_bytes());
        let (confidence, observed_at) = (self.confidence.to_le_bytes(), self.observed_at.to_le_bytes());
        let kind = [self.kind.byte(), 0, 0, 0];
        let parts: [&[u8]; 9] =
            [&TAG, &self.cluster, self.set.as_ref(), &self.feed, &kind, &exponent, &value, &confidence, &observed_at];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    /// Reads a message.
    ///
    /// Errors: `WrongLength`, `WrongTag`, `WrongKind`, `WrongPadding`.
    pub fn from_bytes(bytes: &[u8]) -> core::result::Result<Self, ReportError> {
        let message: &[u8; REPORT_BYTES] = bytes.try_into().map_err(|_| ReportError::WrongLength)?;
        if part::<8>(message, 0)? != TAG {
            return Err(ReportError::WrongTag);
        }
        let [kind, padding @ ..] = part::<4>(message, 80)?;
        let kind = ReportKind::from_byte(kind).ok_or(ReportError::WrongKind)?;
        if padding != [0; 3] {
            return Err(ReportError::WrongPadding);
        }
        Ok(Self {
            cluster: part(message, 8)?,
            set: Pubkey::new_from_array(part(message, 16)?),
            feed: part(message, 48)?,
            kind,
            exponent: i32::from_le_bytes(part(message, 84)?),
            value: i64::from_le_bytes(part(message, 88)?),
            confidence: u64::from_le_bytes(part(message, 96)?),
            observed_at: i64::from_le_bytes(part(message, 104)?),
        })
    }

    /// Refuses a report for another cluster or of another set.
    ///
    /// Errors: `WrongCluster`, `WrongSet`.
    pub fn require_of(&self, set: &Pubkey, cluster: &[u8; CLUSTER_BYTES]) -> core::result::Result<(), ReportError> {
        if self.cluster != *cluster {
            return Err(ReportError::WrongCluster);
        }
        if self.set != *set {
            return Err(ReportError::WrongSet);
        }
        Ok(())
    }

    /// The part that an `Event` says was lost, in basis points, above zero.
    ///
    /// Errors: `WrongKind`, `BadEvent`.
    pub fn loss_bps(&self) -> core::result::Result<u16, ReportError> {
        match self.kind {
            ReportKind::Event => {}
            ReportKind::Value => return Err(ReportError::WrongKind),
        }
        let bps = u16::try_from(self.value).ok().filter(|bps| (1..=FULL_SEVERITY_BPS).contains(bps));
        let is_plain = self.exponent == EVENT_EXPONENT && self.confidence == 0;
        bps.filter(|_| is_plain).ok_or(ReportError::BadEvent)
    }

    /// The print that it is. Unlike an oracle's, its moment is never ahead of the clock: signers say what was.
    ///
    /// Errors: `FromFuture`, and those of [`RawPrice::normalise`].
    pub fn observation(&self, now: i64) -> core::result::Result<Observation, OracleError> {
        if self.observed_at > now {
            return Err(OracleError::FromFuture);
        }
        RawPrice {
            price: self.value,
            confidence: self.confidence,
            exponent: self.exponent,
            publish_time: self.observed_at,
        }
        .normalise(now)
    }
}

/// Power of ten of the value of an `Event`: it is in basis points.
pub const EVENT_EXPONENT: i32 = -4;

/// What the precompile has verified: that every one of these keys signed this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    /// Keys, each followed by its signature.
    signers: &'a [[u8; KEY + SIGNATURE]],
    /// What they signed.
    pub message: &'a [u8],
}

impl<'a> Signed<'a> {
    /// How many signed.
    pub fn count(&self) -> usize {
        self.signers.len()
    }

    /// Who signed, as often as they did.
    pub fn keys(&self) -> impl Iterator<Item = &'a Pubkey> {
        self.signers.iter().filter_map(|signer| signer.first_chunk::<KEY>()).map(bytemuck::cast_ref)
    }
}

/// What an instruction of the precompile verifies, if it is laid out in the one way that is taken: header, offsets, each
/// key with its signature, and one message for all at the end.
///
/// Errors: `Signatures`, `WrongLength`, `NotCanonical`.
pub fn signed(data: &[u8]) -> core::result::Result<Signed<'_>, ReportError> {
    let [count, padding, rest @ ..] = data else { return Err(ReportError::WrongLength) };
    let count = usize::from(*count);
    if !(1..=MOST_SIGNATURES).contains(&count) {
        return Err(ReportError::Signatures);
    }
    if *padding != 0 {
        return Err(ReportError::NotCanonical);
    }
    let split = count.saturating_mul(OFFSETS);
    let (offsets, rest) = rest.split_at_checked(split).ok_or(ReportError::WrongLength)?;
    let (signers, message) =
        rest.split_at_checked(count.saturating_mul(KEY.saturating_add(SIGNATURE))).ok_or(ReportError::WrongLength)?;
    if message.len() != REPORT_BYTES {
        return Err(ReportError::WrongLength);
    }
    let (mut key, message_at) = places(count);
    for found in offsets.as_chunks::<OFFSETS>().0 {
        if *found != canonical_offsets(key, message_at) {
            return Err(ReportError::NotCanonical);
        }
        key = key.wrapping_add(SIGNER);
    }
    Ok(Signed { signers: signers.as_chunks().0, message })
}

/// Where the first of so many keys begins, and where the message does, in the one layout that is taken.
fn places(count: usize) -> (u16, u16) {
    let key = HEADER.saturating_add(count.saturating_mul(OFFSETS));
    let message = key.saturating_add(count.saturating_mul(SIGNER.into()));
    let short = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
    (short(key), short(message))
}

/// The offsets of a signature whose key begins at `key`, in the one layout that is taken.
fn canonical_offsets(key: u16, message: u16) -> [u8; OFFSETS] {
    let ([k, l], [s, t]) = (key.to_le_bytes(), key.wrapping_add(KEY_BYTES).to_le_bytes());
    let ([m, n], [y, z], [i, j]) = (message.to_le_bytes(), MESSAGE_BYTES.to_le_bytes(), THIS.to_le_bytes());
    [s, t, i, j, k, l, i, j, m, n, y, z, i, j]
}

/// The data of a precompile's instruction that verifies these signatures of a report.
pub fn instruction_data(signers: &[(Pubkey, [u8; SIGNATURE])], message: &[u8; REPORT_BYTES]) -> Vec<u8> {
    let count = signers.len();
    let mut data = vec![u8::try_from(count).unwrap_or(u8::MAX), 0];
    let (mut key, message_at) = places(count);
    for _ in signers {
        data.extend_from_slice(&canonical_offsets(key, message_at));
        key = key.wrapping_add(SIGNER);
    }
    for (key, signature) in signers {
        data.extend_from_slice(key.as_ref());
        data.extend_from_slice(signature);
    }
    data.extend_from_slice(message);
    data
}

/// Data of the instruction that stands so many places before the one that runs, by the sysvar's bytes, if it is one of the
/// precompile.
///
/// The sysvar: the number of instructions as u16, where each begins as u16, the instructions, and at the end the place of
/// the one that runs as u16. An instruction: the number of its accounts as u16, 33 bytes for each, its program, and the
/// length of its data as u16 before them.
///
/// Errors: `Missing`.
pub fn precompiled(sysvar: &[u8], before: u16) -> core::result::Result<&[u8], ReportError> {
    find_precompiled(sysvar, before).ok_or(ReportError::Missing)
}

fn find_precompiled(sysvar: &[u8], before: u16) -> Option<&[u8]> {
    let short = |at: usize| Some(usize::from(u16::from_le_bytes(*sysvar.get(at..)?.first_chunk()?)));
    let place = short(sysvar.len().checked_sub(2)?)?.checked_sub(usize::from(before))?;
    if place >= short(0)? {
        return None;
    }
    let begin = short(place.checked_mul(2)?.checked_add(2)?)?;
    let program = short(begin)?.checked_mul(33)?.checked_add(begin)?.checked_add(2)?;
    if sysvar.get(program..)?.first_chunk::<KEY>()? != &PRECOMPILE_ID.to_bytes() {
        return None;
    }
    let length = program.checked_add(KEY)?;
    let data = length.checked_add(2)?;
    sysvar.get(data..data.checked_add(short(length)?)?)
}

/// The key that signed two different messages of one feed and moment, and what they are.
///
/// Each is signed by that key alone. That a key of two sets, or on two clusters, says the same thing twice is none.
///
/// Errors: `Signatures`, `NotEquivocation`, and those of [`Report::from_bytes`] and [`Report::require_of`].
pub fn equivocation(
    first: &Signed,
    second: &Signed,
    set: &Pubkey,
    cluster: &[u8; CLUSTER_BYTES],
) -> core::result::Result<(Pubkey, [Report; 2]), ReportError> {
    if first.count() != 1 || second.count() != 1 {
        return Err(ReportError::Signatures);
    }
    let key = *first.keys().next().ok_or(ReportError::Signatures)?;
    let reports = [Report::from_bytes(first.message)?, Report::from_bytes(second.message)?];
    for report in &reports {
        report.require_of(set, cluster)?;
    }
    let [one, other] = &reports;
    let same = (one.feed, one.kind, one.observed_at) == (other.feed, other.kind, other.observed_at);
    if second.keys().next() != Some(&key) || !same || one == other {
        return Err(ReportError::NotEquivocation);
    }
    Ok((key, reports))
}

fn part<const N: usize>(message: &[u8; REPORT_BYTES], at: usize) -> core::result::Result<[u8; N], ReportError> {
    message.get(at..).and_then(|tail| tail.first_chunk::<N>()).copied().ok_or(ReportError::WrongLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: Pubkey = Pubkey::new_from_array([3; 32]);
    const CLUSTER: [u8; 8] = [9; 8];

    fn report() -> Report {
        Report {
            cluster: CLUSTER,
            set: SET,
            feed: [5; 32],
            kind: ReportKind::Value,
            exponent: -4,
            value: 12_345,
            confidence: 6,
            observed_at: 1_700_000_000,
        }
    }

    fn data(keys: &[u8], report: &Report) -> Vec<u8> {
        let signers: Vec<_> = keys.iter().map(|key| (Pubkey::new_from_array([*key; 32]), [*key; 64])).collect();
        instruction_data(&signers, &report.to_bytes())
    }

    #[test]
    fn a_message_has_every_field_at_its_place() {
        let bytes = report().to_bytes();
        assert_eq!(&bytes[..8], b"BKSTRPT1");
        assert_eq!((&bytes[8..16], &bytes[16..48], &bytes[48..80]), (&[9; 8][..], &[3; 32][..], &[5; 32][..]));
        assert_eq!(bytes[80..84], [0; 4]);
        assert_eq!(bytes[84..88], (-4_i32).to_le_bytes());
        assert_eq!(bytes[88..96], 12_345_i64.to_le_bytes());
        assert_eq!(bytes[96..104], 6_u64.to_le_bytes());
        assert_eq!(bytes[104..], 1_700_000_000_i64.to_le_bytes());
        assert_eq!(Report::from_bytes(&bytes), Ok(report()));
        assert_eq!(Report::from_bytes(&bytes[..111]), Err(ReportError::WrongLength));
        let with = |place: usize| {
            let mut bytes = bytes;
            bytes[place] ^= 1;
            Report::from_bytes(&bytes).err()
        };
        assert_eq!((with(0), with(7)), (Some(ReportError::WrongTag), Some(ReportError::WrongTag)));
        // No report is of kind 9; kind 1 is an event, of which a value is a part that is lost.
        let of_kind = |kind: u8| {
            let mut bytes = bytes;
            bytes[80] = kind;
            Report::from_bytes(&bytes)
        };
        assert_eq!(of_kind(9), Err(ReportError::WrongKind));
        let event = of_kind(1).unwrap();
        assert_eq!((event.kind, event.loss_bps()), (ReportKind::Event, Err(ReportError::BadEvent)));
        assert_eq!(report().loss_bps(), Err(ReportError::WrongKind));
        let loss = |value: i64, exponent: i32, confidence: u64| {
            let mut report = report();
            (report.kind, report.value) = (ReportKind::Event, value);
            (report.exponent, report.confidence) = (exponent, confidence);
            report.loss_bps()
        };
        assert_eq!([loss(1, -4, 0), loss(10_000, -4, 0)], [Ok(1), Ok(10_000)]);
        for (value, exponent, confidence) in [(0, -4, 0), (-1, -4, 0), (10_001, -4, 0), (1, -3, 0), (1, -4, 1)] {
            assert_eq!(loss(value, exponent, confidence), Err(ReportError::BadEvent));
        }
        assert_eq!([81, 82, 83].map(with), [Some(ReportError::WrongPadding); 3]);
        assert_eq!(with(8), None);
        assert_eq!(report().require_of(&SET, &[8; 8]), Err(ReportError::WrongCluster));
        assert_eq!(report().require_of(&Pubkey::default(), &CLUSTER), Err(ReportError::WrongSet));
        assert_eq!(report().require_of(&SET, &CLUSTER), Ok(()));
    }

    #[test]
    fn a_report_is_a_print_of_its_moment_and_never_of_the_future() {
        let print = report().observation(1_700_000_000).unwrap();
        assert_eq!((print.price, print.confidence, print.publish_time), (123_450_000, 60_000, 1_700_000_000));
        assert_eq!(report().observation(1_699_999_999), Err(OracleError::FromFuture));
        let odd = |change: fn(&mut Report)| {
            let mut report = report();
            change(&mut report);
            report.observation(1_700_000_000).err()
        };
        assert_eq!(odd(|report| report.value = 0), Some(OracleError::PriceNotPositive));
        assert_eq!(odd(|report| report.exponent = 1), Some(OracleError::BadExponent));
    }

    #[test]
    fn one_layout_is_taken_and_no_byte_of_it_may_differ() {
        for keys in [&[1][..], &[1, 2], &[1, 2, 3, 4, 5, 6]] {
            let good = data(keys, &report());
            assert_eq!(good.len(), 2 + 110 * keys.len() + 112);
            let found = signed(&good).unwrap();
            let signers: Vec<_> = found.keys().copied().collect();
            assert_eq!(signers, keys.iter().map(|key| Pubkey::new_from_array([*key; 32])).collect::<Vec<_>>());
            assert_eq!(found.message, report().to_bytes());
            // Header and offsets.
            for place in 1..2 + 14 * keys.len() {
                for bit in 0..8 {
                    let mut forged = good.clone();
                    forged[place] ^= 1 << bit;
                    assert_eq!(signed(&forged), Err(ReportError::NotCanonical), "byte {place}");
                }
            }
            for length in 0..good.len() {
                let cut = signed(&good[..length]).err();
                assert_eq!(cut, Some(ReportError::WrongLength), "{length} bytes");
            }
            assert_eq!(signed(&[good, vec![0]].concat()), Err(ReportError::WrongLength));
        }
        assert_eq!(signed(&data(&[], &report())), Err(ReportError::Signatures));
        assert_eq!(signed(&data(&[1, 2, 3, 4, 5, 6, 7], &report())), Err(ReportError::Signatures));
        assert_eq!(signed(&[2]), Err(ReportError::WrongLength));
    }

    /// A sysvar of instructions, each of a program with accounts and data; the one that runs is the last but `after`.
    fn sysvar(instructions: &[(Pubkey, usize, Vec<u8>)], current: u16) -> Vec<u8> {
        let count = instructions.len();
        let mut bytes = (count as u16).to_le_bytes().to_vec();
        let mut bodies = Vec::new();
        for (program, accounts, data) in instructions {
            let at = 2 + 2 * count + bodies.len();
            bytes.extend((at as u16).to_le_bytes());
            bodies.extend((*accounts as u16).to_le_bytes());
            bodies.extend(vec![7; 33 * accounts]);
            bodies.extend(program.to_bytes());
            bodies.extend((data.len() as u16).to_le_bytes());
            bodies.extend(data);
        }
        bytes.extend(bodies);
        bytes.extend(current.to_le_bytes());
        bytes
    }

    #[test]
    fn the_instruction_right_before_is_found_and_no_other() {
        let good = data(&[1, 2], &report());
        let other = Pubkey::new_from_array([8; 32]);
        let list = [
            (other, 0, vec![1, 2, 3]),
            (PRECOMPILE_ID, 2, good.clone()),
            (other, 5, vec![4]),
            (PRECOMPILE_ID, 0, vec![5]),
        ];
        assert_eq!(precompiled(&sysvar(&list, 2), 1), Ok(good.as_slice()));
        assert_eq!(precompiled(&sysvar(&list, 3), 2), Ok(good.as_slice()));
        for (current, before) in [(0, 1), (1, 1), (3, 1), (1, 2), (9, 1), (u16::MAX, 1), (5, 1)] {
            assert_eq!(precompiled(&sysvar(&list, current), before), Err(ReportError::Missing), "{current} - {before}");
        }
        let whole = sysvar(&list, 2);
        for length in 0..whole.len() - 1 {
            // Whatever is left of it: no panic.
            let _ = precompiled(&whole[..length], 1);
        }
    }

    #[test]
    fn a_key_equivocates_that_says_two_things_of_one_feed_and_moment() {
        let find = |one: &Report, other: &Report, keys: [&[u8]; 2]| {
            let (one, other) = (data(keys[0], one), data(keys[1], other));
            equivocation(&signed(&one).unwrap(), &signed(&other).unwrap(), &SET, &CLUSTER).map(|(key, _)| key)
        };
        let first = report();
        let alike: [&[u8]; 2] = [&[1], &[1]];
        let key = Ok(Pubkey::new_from_array([1; 32]));
        assert_eq!(find(&first, &Report { value: 1, ..first }, alike), key);
        assert_eq!(find(&first, &Report { confidence: 1, ..first }, alike), key);
        assert_eq!(find(&first, &Report { exponent: -5, value: 123_450, confidence: 60, ..first }, alike), key);
        let none = Err(ReportError::NotEquivocation);
        assert_eq!(find(&first, &first, alike), none);
        assert_eq!(find(&first, &Report { observed_at: 1, value: 1, ..first }, alike), none);
        assert_eq!(find(&first, &Report { feed: [6; 32], value: 1, ..first }, alike), none);
        assert_eq!(find(&first, &Report { value: 1, ..first }, [&[1], &[2]]), none);
        assert_eq!(find(&first, &Report { value: 1, ..first }, [&[1, 2], &[1]]), Err(ReportError::Signatures));
        let elsewhere = Report { set: Pubkey::default(), value: 1, ..first };
        assert_eq!(find(&first, &elsewhere, alike), Err(ReportError::WrongSet));
        let test = Report { cluster: [0; 8], value: 1, ..first };
        assert_eq!(find(&test, &first, alike), Err(ReportError::WrongCluster));
    }
}
