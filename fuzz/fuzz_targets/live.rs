//! Any bytes as a live account, and any readings of it: the readers never panic, and nothing counts that was not shown twice.
//!
//! Input: one byte that chooses source, owner and repair, eight for the epoch; the account's data, of which the same bytes are
//! levels and distances of a run of showings.

#![no_main]

use anchor_lang::prelude::Pubkey;
use backstop::peril::feed::{self, OracleError, Source, spl_lending, stake_pool, vaults};
use backstop::peril::live::{LEAST_SLOTS_APART, Twice, stands_alone};
use libfuzzer_sys::fuzz_target;

const FEED: [u8; 32] = [7; 32];

/// Any bytes as a vault, of any program that has some: what is read is what stands there, of the mint that is asked for.
fn vault(input: &[u8]) {
    let Some((choice, data)) = input.split_first() else { return };
    let owner = vaults::PROGRAM_IDS[usize::from(choice & 1)];
    let mint = Pubkey::new_from_array(data.first_chunk().copied().unwrap_or_default());
    match vaults::amount(&owner, data, &mint) {
        Ok(amount) => assert_eq!(amount.to_le_bytes(), data[64..72], "another amount"),
        Err(why) => assert!(matches!(why, OracleError::WrongLength | OracleError::WrongLayout)),
    }
}

fuzz_target!(|input: &[u8]| {
    let _ = stands_alone(input);
    vault(input);
    let Some((&[choice, ref epoch @ ..], data)) = input.split_first_chunk::<9>() else { return };
    let epoch = u64::from_le_bytes(*epoch);
    let (source, right_owner, length) = match choice & 3 {
        0 => (Source::StakePoolRate, stake_pool::PROGRAM_IDS[usize::from(choice >> 4) % 3], stake_pool::LENGTH),
        1 => (Source::SplLendingRate, spl_lending::SPL_ID, spl_lending::SPL_LENGTH),
        _ => (Source::SplLendingRate, spl_lending::SAVE_ID, spl_lending::SAVE_LENGTH),
    };
    let owner = if choice & 4 == 0 { right_owner } else { Pubkey::new_from_array([9; 32]) };
    let mut account = data.to_vec();
    if choice & 8 == 0 {
        account.resize(length, 0);
        account[0] = 1;
        if source == Source::StakePoolRate {
            account[274..282].copy_from_slice(&epoch.to_le_bytes());
        }
    }
    let key = Pubkey::new_from_array(FEED);
    match feed::read_live(source, &key, &owner, &account, &FEED, epoch) {
        Ok(level) => {
            assert_eq!(owner, right_owner, "a stranger's account was read");
            assert!(level.up - level.down <= 1);
            let other = feed::read_live(source, &key, &owner, &account, &[8; 32], epoch);
            assert_eq!(other, Err(OracleError::WrongFeed));
        }
        Err(why) => assert!(owner == right_owner || why == OracleError::WrongOwner, "{why:?}"),
    }
    let (mut twice, mut shown, mut slot) = (Twice::default(), Vec::new(), 1_u64);
    for pair in data.as_chunks::<2>().0.iter().take(64) {
        slot += u64::from(pair[0]);
        let level = 1 + u64::from(pair[1]);
        let old = shown.iter().filter(|(at, _)| at + LEAST_SLOTS_APART <= slot).map(|(_, level)| *level).max();
        assert!(twice.show(slot, level) <= old.map(|old: u64| old.min(level)));
        shown.push((slot, level));
    }
});
