//! Any bytes as a price account: the parser never panics, and what it takes keeps every rule that callers rely on.
//!
//! Input: one byte that chooses source, owner and repair of the header, then the account's data. The repair writes a
//! right header over the first bytes, so that the fuzzer reaches what comes after it.

#![no_main]

use anchor_lang::prelude::Pubkey;
use backstop::peril::feed::{self, MAX_AHEAD_SECONDS, OracleError, Source, pyth_push, pyth_receiver};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_700_000_000;
const FEED: [u8; 32] = [7; 32];

fuzz_target!(|input: &[u8]| {
    let Some((choice, data)) = input.split_first() else { return };
    let source = if choice & 1 == 0 { Source::PythReceiver } else { Source::PythPush };
    let right_owner = match source {
        Source::PythReceiver => pyth_receiver::PROGRAM_ID,
        Source::PythPush => pyth_push::PROGRAM_ID,
        // Read by other targets.
        Source::Attested | Source::StakePoolRate | Source::SplLendingRate | Source::VaultDrop => return,
    };
    let owner = if choice & 2 == 0 { right_owner } else { Pubkey::new_from_array([9; 32]) };
    let key = Pubkey::new_from_array(FEED);
    let mut data = data.to_vec();
    if choice & 4 == 0 && source == Source::PythReceiver && data.len() >= 73 {
        data.resize(pyth_receiver::LENGTH, 0);
        data[..8].copy_from_slice(&pyth_receiver::DISCRIMINATOR);
        data[40] = 1;
        data[41..73].copy_from_slice(&FEED);
    }
    let before = data.clone();
    let read = feed::read(source, &key, &owner, &data, &FEED, NOW);
    assert_eq!(data, before);
    match read {
        Ok(print) => {
            assert_eq!(owner, right_owner, "a stranger's account was read");
            assert!(print.price > 0 && i64::try_from(print.price).is_ok());
            assert!(print.publish_time <= NOW + MAX_AHEAD_SECONDS);
            // A print does not get worse with time: only the future is refused.
            assert_eq!(feed::read(source, &key, &owner, &data, &FEED, NOW + 1_000_000), Ok(print));
            let other = feed::read(source, &Pubkey::new_from_array([8; 32]), &owner, &data, &[8; 32], NOW);
            assert!(other.is_err(), "the print of one feed was taken for another");
        }
        Err(why) => assert!(owner == right_owner || why == OracleError::WrongOwner, "{why:?}"),
    }
});
