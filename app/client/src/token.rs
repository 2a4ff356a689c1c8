//! Token accounts of either token program: what is at an address, and whether it can pay or be paid.
//!
//! That something is at an address does not make it a token account: anybody can send lamports there before it is
//! created. Whoever asks whether to create it asks [`Standing`].

use crate::address;
use crate::cluster::{Cluster, ClusterError};
use anchor_lang::prelude::Pubkey;
use anchor_lang::system_program;
use solana_sdk::account::Account;

/// Bytes of a plain token account; what is longer says at the next byte that it is one.
const LENGTH: usize = 165;
const IS_ACCOUNT: u8 = 2;

/// What a token account says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenAccount {
    /// The mint of its tokens.
    pub mint: Pubkey,
    /// Whose it is.
    pub owner: Pubkey,
    /// Units in it.
    pub amount: u64,
    /// Whether nothing can leave or reach it.
    pub frozen: bool,
}

impl TokenAccount {
    /// Reads an account, which is a token account of either program or is not.
    pub fn read(account: &Account) -> Option<Self> {
        let data = &account.data;
        let key = |at: usize| Some(Pubkey::new_from_array(*data.get(at..)?.first_chunk()?));
        let ours = account.owner == anchor_spl::token::ID || account.owner == anchor_spl::token_2022::ID;
        let whole = data.len() == LENGTH || data.get(LENGTH) == Some(&IS_ACCOUNT);
        let state = *data.get(108)?;
        (ours && whole && (state == 1 || state == 2)).then_some(Self {
            mint: key(0)?,
            owner: key(32)?,
            amount: u64::from_le_bytes(*data.get(64..)?.first_chunk()?),
            frozen: state == 2,
        })
    }
}

/// What is where an owner's token account should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing, or lamports that somebody sent there: it can be created.
    Missing,
    /// The account.
    Ready(TokenAccount),
    /// The account, which is frozen by its mint's authority.
    Frozen(TokenAccount),
    /// A token account of the mint that now belongs to somebody else.
    HandedOn(TokenAccount),
    /// An account that holds no tokens of the mint: of another program, of another mint, or not set up.
    Other,
}

impl Standing {
    /// Judges what was read at the address of an owner's account of a mint.
    pub fn of(account: Option<&Account>, owner: &Pubkey, mint: &Pubkey, token_program: &Pubkey) -> Self {
        let Some(account) = account else { return Self::Missing };
        if account.owner == system_program::ID && account.data.is_empty() {
            return Self::Missing;
        }
        match TokenAccount::read(account).filter(|token| token.mint == *mint && account.owner == *token_program) {
            None => Self::Other,
            Some(token) if token.owner != *owner => Self::HandedOn(token),
            Some(token) if token.frozen => Self::Frozen(token),
            Some(token) => Self::Ready(token),
        }
    }

    /// Reads and judges an owner's associated account of a mint.
    pub fn associated(
        cluster: &dyn Cluster,
        owner: &Pubkey,
        mint: &Pubkey,
        token_program: &Pubkey,
    ) -> Result<Self, ClusterError> {
        let account = cluster.account(&address::associated_token(owner, mint, token_program))?;
        Ok(Self::of(account.as_ref(), owner, mint, token_program))
    }

    /// Units that the owner holds there: none in an account that is no longer theirs.
    pub fn amount(&self) -> u64 {
        match self {
            Self::Ready(token) | Self::Frozen(token) => token.amount,
            Self::Missing | Self::HandedOn(_) | Self::Other => 0,
        }
    }

    /// Why nothing can be paid from or to it, in words that follow "the account ADDRESS". Nothing, if it can or can be
    /// created.
    pub fn obstacle(&self) -> Option<String> {
        match self {
            Self::Missing | Self::Ready(_) => None,
            Self::Frozen(_) => Some("is frozen by its mint's authority".into()),
            Self::HandedOn(token) => Some(format!("belongs to {} now", token.owner)),
            Self::Other => Some("is no token account of this mint".into()),
        }
    }
}

/// An owner's other accounts of a mint that hold something and can pay, most first.
pub fn elsewhere(
    cluster: &dyn Cluster,
    owner: &Pubkey,
    mint: &Pubkey,
    token_program: &Pubkey,
) -> Result<Vec<(Pubkey, u64)>, ClusterError> {
    let associated = address::associated_token(owner, mint, token_program);
    let found = cluster.tokens_of(owner, token_program)?.into_iter().filter(|(key, _)| *key != associated);
    let mut held: Vec<(Pubkey, u64)> = found
        .filter_map(|(key, account)| match Standing::of(Some(&account), owner, mint, token_program) {
            Standing::Ready(token) if token.amount > 0 => Some((key, token.amount)),
            _ => None,
        })
        .collect();
    held.sort_by_key(|(key, amount)| (std::cmp::Reverse(*amount), *key));
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Pubkey = Pubkey::new_from_array([1; 32]);
    const MINT: Pubkey = Pubkey::new_from_array([2; 32]);
    const PROGRAM: Pubkey = anchor_spl::token::ID;

    fn account(mint: Pubkey, owner: Pubkey, state: u8) -> Account {
        let mut data = vec![0; LENGTH];
        data[..32].copy_from_slice(mint.as_ref());
        data[32..64].copy_from_slice(owner.as_ref());
        data[64..72].copy_from_slice(&7u64.to_le_bytes());
        data[108] = state;
        Account { lamports: 1, data, owner: PROGRAM, ..Account::default() }
    }

    fn judged(account: Account) -> Standing {
        Standing::of(Some(&account), &OWNER, &MINT, &PROGRAM)
    }

    #[test]
    fn lamports_at_an_address_are_no_token_account() {
        assert_eq!(Standing::of(None, &OWNER, &MINT, &PROGRAM), Standing::Missing);
        assert_eq!(judged(Account { lamports: 5, ..Account::default() }), Standing::Missing);
        let occupied = Account { lamports: 5, data: vec![0; LENGTH], ..Account::default() };
        assert_eq!(judged(occupied), Standing::Other, "what has data cannot become one");
    }

    #[test]
    fn an_account_is_judged_by_program_mint_owner_and_state() {
        let ready = judged(account(MINT, OWNER, 1));
        assert!(matches!(ready, Standing::Ready(TokenAccount { amount: 7, frozen: false, .. })));
        assert_eq!((ready.amount(), ready.obstacle()), (7, None));
        let frozen = judged(account(MINT, OWNER, 2));
        assert_eq!((frozen.amount(), frozen.obstacle().is_some()), (7, true));
        let handed_on = judged(account(MINT, MINT, 1));
        assert_eq!(handed_on.amount(), 0);
        assert!(handed_on.obstacle().is_some_and(|why| why.contains(&MINT.to_string())));
        let elsewhere = Account { owner: anchor_spl::token_2022::ID, ..account(MINT, OWNER, 1) };
        for other in [account(OWNER, OWNER, 1), account(MINT, OWNER, 0), elsewhere] {
            assert_eq!(judged(other), Standing::Other);
        }
        let mut short = account(MINT, OWNER, 1);
        short.data.truncate(100);
        assert_eq!(judged(short), Standing::Other);
    }

    #[test]
    fn an_account_with_extensions_says_that_it_is_one() {
        let program = anchor_spl::token_2022::ID;
        let mut extended = Account { owner: program, ..account(MINT, OWNER, 1) };
        extended.data.extend([IS_ACCOUNT, 7, 0, 0, 0]);
        assert!(matches!(Standing::of(Some(&extended), &OWNER, &MINT, &program), Standing::Ready(_)));
        extended.data[LENGTH] = 1;
        assert_eq!(Standing::of(Some(&extended), &OWNER, &MINT, &program), Standing::Other, "that is a mint");
    }
}
