//! Any bytes as an instruction of the ed25519 precompile, or as the sysvar that shows it: the parser never panics, and what
//! it takes is what the precompile has verified, in the one layout that is taken.
//!
//! Input: one byte that chooses what is repaired, a byte of revoked keys, then the data. The repair writes right header,
//! offsets and length over the bytes, so that the fuzzer reaches what comes after them.

#![no_main]

use anchor_lang::prelude::Pubkey;
use backstop::peril::feed::attested::{
    MOST_SIGNATURES, PRECOMPILE_ID, REPORT_BYTES, Report, Signed, TAG, equivocation, instruction_data, precompiled, signed,
};
use backstop::state::{AttestorSet, MOST_ATTESTORS};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_700_000_000;
const SET: Pubkey = Pubkey::new_from_array([3; 32]);
const CLUSTER: [u8; 8] = [9; 8];

/// Keys by their first byte: so few that a fuzzer finds those of the set, and the same twice.
fn key(byte: u8) -> Pubkey {
    Pubkey::new_from_array([byte % 8; 32])
}

/// A canonical instruction with keys, signatures and message from bytes.
fn repaired(bytes: &[u8], header: bool) -> Vec<u8> {
    let mut rest = bytes.iter().copied();
    let mut next = || rest.next().unwrap_or(1);
    let count = usize::from(next()) % (MOST_SIGNATURES + 1);
    let signers: Vec<(Pubkey, [u8; 64])> = (0..count).map(|_| (key(next()), [next(); 64])).collect();
    let mut message = [0; REPORT_BYTES];
    message.iter_mut().for_each(|byte| *byte = next());
    if header {
        message[..8].copy_from_slice(&TAG);
        message[8..16].copy_from_slice(&CLUSTER);
        message[16..48].copy_from_slice(SET.as_ref());
        message[80..84].fill(0);
    }
    instruction_data(&signers, &message)
}

/// What the precompile itself reads at an instruction's offsets, by its own words: of each signature the key and the message.
fn verified(data: &[u8]) -> Vec<(&[u8], &[u8])> {
    let short = |at: usize| usize::from(u16::from_le_bytes([data[at], data[at + 1]]));
    let count = usize::from(data[0]);
    let read = |number: usize| {
        let at = 2 + 14 * number;
        assert!([2, 6, 12].iter().all(|index| short(at + index) == 0xffff), "another instruction is named");
        let signature = short(at);
        assert!(signature + 64 <= data.len(), "a signature beyond the end");
        let (key, message, length) = (short(at + 4), short(at + 8), short(at + 10));
        (&data[key..key + 32], &data[message..message + length])
    };
    (0..count).map(read).collect()
}

fn attestors(revoked: u8) -> AttestorSet {
    let mut set = AttestorSet {
        creator: SET,
        keys: [Pubkey::default(); MOST_ATTESTORS],
        revoked_at: [0; MOST_ATTESTORS],
        cluster: CLUSTER,
        id: 0,
        revoked: 0,
        count: 0,
        threshold: 0,
        version: 0,
        bump: 0,
        reserved: [0; 8],
    };
    set.appoint(&(1..=5).map(key).collect::<Vec<_>>(), 3).expect("within bounds");
    set.revoked = u16::from(revoked) & 0b1_1111;
    set
}

/// That what was taken is what the precompile has verified, and a report only of enough distinct keys that may sign.
fn check(data: &[u8], taken: &Signed, set: &AttestorSet) {
    let verified = verified(data);
    let keys: Vec<Pubkey> = taken.keys().copied().collect();
    assert_eq!(keys.len(), taken.count());
    assert_eq!(verified.len(), keys.len());
    for ((by, message), key) in verified.iter().zip(&keys) {
        assert_eq!((*by, *message), (key.as_ref(), taken.message));
    }
    if let Ok(report) = Report::from_bytes(taken.message) {
        assert_eq!(report.to_bytes(), taken.message, "two messages of one report");
        if let Ok(print) = report.observation(NOW) {
            assert!(print.price > 0 && print.publish_time <= NOW && print.publish_time == report.observed_at);
            assert_eq!(report.observation(NOW + 1_000_000), Ok(print), "it gets worse with time");
        }
    }
    let before = *set;
    if let Ok((report, signers)) = set.read(&SET, taken) {
        assert_eq!(signers.count_ones() as usize, keys.len(), "another number of signers");
        assert!(set.is_alive(), "a dead set reports");
        assert!(keys.len() >= usize::from(set.threshold));
        assert!(report.set == SET && report.cluster == CLUSTER);
        for (number, key) in keys.iter().enumerate() {
            assert!(!keys[..number].contains(key), "one key counts twice");
            let place = set.attestors().iter().position(|known| known == key).expect("a stranger counts");
            assert_eq!((set.revoked >> place & 1, signers >> place & 1), (0, 1), "a revoked key counts");
        }
    }
    assert_eq!(*set, before);
}

fuzz_target!(|input: &[u8]| {
    let [choice, revoked, data @ ..] = input else { return };
    let set = attestors(*revoked);
    let (first, second) = match choice & 3 {
        0 => (data.to_vec(), data.to_vec()),
        1 => (repaired(data, false), repaired(data, true)),
        _ => {
            let (one, other) = data.split_at(data.len() / 2);
            (repaired(one, true), repaired(other, true))
        }
    };
    let (one, other) = (signed(&first), signed(&second));
    for (data, taken) in [(&first, &one), (&second, &other)] {
        if let Ok(taken) = taken {
            check(data, taken, &set);
        }
    }
    if let (Ok(one), Ok(other)) = (&one, &other)
        && let Ok((key, reports)) = equivocation(one, other, &SET, &CLUSTER)
    {
        assert!(one.keys().eq([&key]) && other.keys().eq([&key]), "somebody else's word");
        assert_ne!(reports[0], reports[1]);
        assert_eq!(reports[0].observed_at, reports[1].observed_at);
        assert_eq!(reports[0].feed, reports[1].feed);
    }
    // The same bytes as the sysvar: whatever it says, what is found is inside of it, after the precompile's name.
    for before in [0, 1, 2, u16::from(*choice)] {
        if let Ok(found) = precompiled(data, before) {
            let start = found.as_ptr() as usize - data.as_ptr() as usize;
            assert!(start >= 34 && start + found.len() <= data.len());
            assert_eq!(data[start - 34..start - 2], PRECOMPILE_ID.to_bytes());
        }
    }
});
