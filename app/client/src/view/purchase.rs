//! What a purchase needs to know beforehand: a free number, and the rent that it takes.

use crate::address;
use crate::cluster::{Cluster, ClusterError};
use crate::instruction::ProductKeys;
use crate::quote::Market;
use anchor_lang::prelude::Pubkey;
use anchor_lang::system_program;
use backstop::border::mint::mint_space;
use backstop::state::{Cover, Policy, Quote};
use solana_sdk::account::Account;
use std::collections::VecDeque;

/// Bytes of a token account of an NFT: a plain one and the mark that its owner never changes.
const NFT_ACCOUNT: usize = 170;
/// How many numbers are tried at once.
const NUMBERS_AT_ONCE: u64 = 100;
const TOKEN_2022: Pubkey = anchor_spl::token_2022::ID;

/// A number of the buyer for each receiver, as low as can be, of which neither the NFT of a day nor the receiver's account
/// of it exists. Every day has its own numbers, and none of them is ever free again once it was used.
pub fn free_numbers(
    cluster: &dyn Cluster,
    keys: &ProductKeys,
    buyer: &Pubkey,
    day: u32,
    receivers: &[Pubkey],
) -> Result<Vec<u64>, ClusterError> {
    let mint = |number| address::cover_mint(&keys.product, buyer, number, day);
    // Lamports that somebody sent to an address do not occupy it.
    let is_free = |account: Option<Account>| account.is_none_or(|account| account.owner == system_program::ID);
    let mut numbers: Vec<Option<u64>> = vec![None; receivers.len()];
    let (mut free, mut next) = (VecDeque::new(), 0);
    loop {
        let open: Vec<usize> = (0..receivers.len()).filter(|index| numbers[*index].is_none()).collect();
        if open.is_empty() {
            return Ok(numbers.into_iter().flatten().collect());
        }
        while free.len() < open.len() {
            let some = next..next + NUMBERS_AT_ONCE;
            let mints: Vec<Pubkey> = some.clone().map(mint).collect();
            let found = some.zip(cluster.accounts(&mints)?);
            free.extend(found.filter_map(|(number, account)| is_free(account).then_some(number)));
            next += NUMBERS_AT_ONCE;
        }
        let tried: Vec<(usize, u64)> = open.iter().copied().zip(free.drain(..open.len())).collect();
        let nfts: Vec<Pubkey> = tried
            .iter()
            .map(|(index, number)| address::associated_token(&receivers[*index], &mint(*number), &TOKEN_2022))
            .collect();
        for ((index, number), account) in tried.into_iter().zip(cluster.accounts(&nfts)?) {
            numbers[index] = is_free(account).then_some(number);
        }
    }
}

/// Lamports of rent for cover, NFT and the receiver's account of it.
pub fn rent(cluster: &dyn Cluster, market: &Market, quote: &Quote) -> Result<u64, ClusterError> {
    let policy = Policy::sold(Pubkey::default(), Pubkey::default(), quote, &market.product.terms, 0);
    rent_of(cluster, market, &policy)
}

/// Lamports of rent for the cover of a policy, its NFT and the receiver's account of it.
pub fn rent_of(cluster: &dyn Cluster, market: &Market, policy: &Policy) -> Result<u64, ClusterError> {
    let metadata = policy.nft(&market.pool, &market.product);
    let lengths = [8 + <Cover as anchor_lang::Space>::INIT_SPACE, mint_space(true) + metadata.space(), NFT_ACCOUNT];
    lengths.iter().try_fold(0u64, |sum, length| Ok(sum.saturating_add(cluster.rent(*length)?)))
}
