//! Accounts that are read live: what they say, by the documented bytes of their programs, and how they are shown.

use crate::seeded;
use anchor_lang::prelude::Pubkey;
use solana_sdk::account::Account;
use solana_sdk::signer::Signer;

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// SPL's stake pools and Sanctum's copies of them.
    StakePool,
    /// Save, whose reserves know fees that were not taken out.
    Save,
    /// spl-token-lending, whose reserves have something else there.
    SplLending,
}

/// What an account says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Says {
    /// Whose it is.
    pub program: Program,
    /// Lamports of a stake pool, or what of a reserve is not lent.
    pub there: u64,
    /// What of a reserve is lent, in 1e-18.
    pub lent: u128,
    /// What of that is the protocol's, in 1e-18.
    pub fees: u128,
    /// Tokens of a stake pool, or shares of a reserve.
    pub shares: u64,
    /// The epoch in which a stake pool was updated.
    pub epoch: u64,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By itself, as it is.
    Alone,
    /// Twice in one transaction.
    Twice,
    /// Behind another instruction of this program, and of the compute budget.
    Among,
    /// In a transaction that moves lamports before.
    After,
    /// In one that does so afterwards.
    Before,
    /// Passed on by a program.
    Passed,
    /// Of another program.
    Foreign,
    /// A byte shorter.
    Short,
    /// As another type of account.
    OtherType,
    /// The same bytes at another address.
    Elsewhere,
    /// With what was shown of another product.
    Crossed,
    /// With an account too many.
    More,
}

impl How {
    /// All in which nothing is shown.
    pub const REFUSED: [Self; 9] = [
        Self::After,
        Self::Before,
        Self::Passed,
        Self::Foreign,
        Self::Short,
        Self::OtherType,
        Self::Elsewhere,
        Self::Crossed,
        Self::More,
    ];
}

/// The account of a product.
pub fn account(product: usize) -> Pubkey {
    seeded(8_000 + product as u64).pubkey()
}

/// An account that is nobody's feed.
pub fn elsewhere() -> Pubkey {
    seeded(7_999).pubkey()
}

impl Says {
    /// What it says at the beginning: 1.2 for one, and a little.
    pub fn at_first(program: Program) -> Self {
        const ONE: u128 = 1_000_000_000_000_000_000;
        let lent = 800_000_019 * ONE + 123_456_789;
        let reserve =
            Self { program, there: 400_000_000, lent, fees: 31 * ONE + ONE / 3, shares: 1_000_000_007, epoch: 0 };
        match program {
            Program::StakePool => {
                Self { there: 1_200_000_000_777, lent: 0, fees: 0, shares: 1_000_000_000_321, ..reserve }
            }
            Program::Save | Program::SplLending => reserve,
        }
    }

    /// So many parts in a million of what it has, for as many shares.
    pub fn times(self, parts: u64) -> Self {
        let of =
            |amount: u128| amount / 1_000_000 * u128::from(parts) + amount % 1_000_000 * u128::from(parts) / 1_000_000;
        let there = u64::try_from(of(self.there.into())).expect("it fits");
        Self { there, lent: of(self.lent), ..self }
    }

    /// So many parts in a million of it come or go, at its rate.
    pub fn resized(self, parts: u64) -> Self {
        let shares = u128::from(self.shares) * u128::from(parts) / 1_000_000;
        Self { shares: u64::try_from(shares).expect("it fits"), ..self.times(parts) }
    }

    /// Its bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut data = match self.program {
            Program::StakePool => vec![0; 611],
            Program::Save => vec![0; 619],
            Program::SplLending => vec![0; 571],
        };
        let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &[1]);
        match self.program {
            Program::StakePool => {
                put(258, &self.there.to_le_bytes());
                put(266, &self.shares.to_le_bytes());
                put(274, &self.epoch.to_le_bytes());
            }
            Program::Save | Program::SplLending => {
                put(171, &self.there.to_le_bytes());
                put(179, &self.lent.to_le_bytes());
                put(259, &self.shares.to_le_bytes());
                put(373, &self.fees.to_le_bytes());
            }
        }
        data
    }

    /// The account of a product that says this, as it is shown.
    pub fn account(&self, product: usize, how: How) -> Account {
        use backstop::peril::feed::{spl_lending, stake_pool};
        let mut data = self.bytes();
        match how {
            How::Short => data.truncate(data.len() - 1),
            How::OtherType => data[0] = 2,
            _ => {}
        }
        let owner = match (self.program, how) {
            (Program::StakePool, How::Foreign) => spl_lending::SAVE_ID,
            (_, How::Foreign) => stake_pool::PROGRAM_IDS[0],
            (Program::StakePool, _) => stake_pool::PROGRAM_IDS[product % 3],
            (Program::Save, _) => spl_lending::SAVE_ID,
            (Program::SplLending, _) => spl_lending::SPL_ID,
        };
        Account { lamports: 10_000_000_000, data, owner, executable: false, rent_epoch: u64::MAX }
    }
}
