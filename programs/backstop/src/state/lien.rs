//! A lien on a policy: whoever it names is paid for the policy's loss first, up to a limit, and the policy does not
//! become less without him. The lender of a loan on insured collateral is the payee of one.
//!
//! There is one at a policy at the most, at an address of its own, exactly while [`Policy::has_lien`] is set. It outlives
//! a policy that was closed; then anyone closes it, before the next can be set on a position of the same address.

use crate::border::records::read_record;
use crate::border::token;
use crate::constants::ACCOUNT_VERSION;
use crate::error::{BackstopError, refuse};
use crate::state::ledger::{credit, debit};
use crate::state::{Cover, Policy, Position};
use anchor_lang::prelude::*;
use core::ops::Deref;

/// Who is paid first for a policy's loss, and how much still.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Lien {
    /// The policy's account: a cover or a position.
    pub policy: Pubkey,
    /// The pool that pays.
    pub pool: Pubkey,
    /// The token account that is paid.
    pub payee: Pubkey,
    /// Whose token account that was when it was named: it is not paid once it is another's. Whoever this is lowers and
    /// lifts the lien.
    pub payee_owner: Pubkey,
    /// Whoever paid the rent of the account.
    pub rent_payer: Pubkey,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// What the payee is paid at most from now on, in asset units.
    pub limit_left: u64,
    /// Paid to the payee so far, in asset units.
    pub paid: u64,
    /// Room for later fields.
    pub reserved: [u8; 32],
}

borsh_account!(Lien { keys: 5, discriminator: [42, 39, 130, 104, 109, 197, 122, 174] });

/// Whose part of what a policy is due is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Whoever has the policy: what the payee of a lien is not paid first, and premium that is given back.
    Holder,
    /// The payee of its lien.
    Payee,
}

/// What of an amount each party gets, in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Whoever has the policy.
    pub holder: u64,
    /// The payee of its lien.
    pub payee: u64,
}

impl Parts {
    /// Shares what is open for a loss: the payee first, up to what is left of the limit.
    ///
    /// Nobody gains by when or in which order the two are paid: the payee's part is `min(open, limit left)` at every
    /// moment, and what the holder was paid before was never a part of that. So the payee gets `min(due, limit)` in
    /// the end, whatever was due when somebody called, and the holder the rest.
    pub fn of(open: u64, limit_left: u64) -> Self {
        let payee = open.min(limit_left);
        Self { holder: open.saturating_sub(payee), payee }
    }
}

/// A lien's address, and whom it pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LienKeys {
    /// The policy's account.
    pub policy: Pubkey,
    /// The pool that pays.
    pub pool: Pubkey,
    /// The token account that is paid.
    pub payee: Pubkey,
    /// Whose that is now.
    pub payee_owner: Pubkey,
    /// Whoever pays the rent.
    pub rent_payer: Pubkey,
    /// Bump of the address.
    pub bump: u8,
}

impl Lien {
    /// Where in the account the fields are that a settlement changes: `limit_left` and `paid`.
    pub const LIMIT_AT: usize = 8 + 5 * 32 + 2;

    /// Puts a lien with a limit on a policy.
    ///
    /// Errors: `PolicyEncumbered` if there is one; `CoverNotActive` if all was paid; `AmountTooSmall` for a limit of 0.
    pub fn set(policy: &mut Policy, keys: LienKeys, limit: u64) -> Result<Self> {
        policy.require_open()?;
        policy.require_unencumbered()?;
        ensure!(limit > 0, BackstopError::AmountTooSmall);
        policy.has_lien = true;
        let LienKeys { policy, pool, payee, payee_owner, rent_payer, bump } = keys;
        let version = ACCOUNT_VERSION;
        let reserved = [0; 32];
        Ok(Self { policy, pool, payee, payee_owner, rent_payer, version, bump, limit_left: limit, paid: 0, reserved })
    }

    /// Refuses anybody but whoever it pays.
    pub fn require_payee(&self, signer: &Pubkey) -> Result<()> {
        ensure!(self.payee_owner == *signer, BackstopError::NotLienPayee);
        Ok(())
    }

    /// Lowers the limit, or leaves it, and names the token account that is paid from now on, with its owner.
    ///
    /// Errors: `OutOfBounds` for more than is left, or for 0: that is to lift it.
    pub fn lower(&mut self, limit: u64, payee: Pubkey, payee_owner: Pubkey) -> Result<()> {
        ensure!((1..=self.limit_left).contains(&limit), BackstopError::OutOfBounds);
        (self.limit_left, self.payee, self.payee_owner) = (limit, payee, payee_owner);
        Ok(())
    }

    /// Refuses to lift it unless whoever it pays has signed, or nothing is left of it: its limit is used up, or there is
    /// no policy any more that it is on.
    pub fn require_may_lift(&self, signer: Option<&Pubkey>, policy: Option<&Policy>) -> Result<()> {
        let over = self.limit_left == 0 || policy.is_none_or(|policy| !policy.has_lien);
        match signer {
            Some(signer) => self.require_payee(signer),
            None if over => Ok(()),
            None => Err(refuse(BackstopError::LienInForce)),
        }
    }

    /// Books what the payee was paid.
    pub fn book(&mut self, amount: u64) -> Result<()> {
        debit(&mut self.limit_left, amount)?;
        credit(&mut self.paid, amount)
    }

    /// The fields that a settlement changes, as the account holds them.
    pub fn settled_part(&self) -> [u8; 16] {
        bytemuck::cast([self.limit_left, self.paid].map(u64::to_le))
    }

    /// Refuses a payee that cannot be paid now: its token account is closed, frozen, of another mint than the pool's
    /// asset, or another's than when it was named. The holder does not wait for it; whoever the lien pays may sign and
    /// name another.
    pub fn require_payable(&self, payee: &AccountInfo, asset: &Pubkey) -> Result<()> {
        let payable = token::read_account(payee)
            .is_ok_and(|account| account.mint == *asset && account.owner == self.payee_owner && !account.is_frozen);
        ensure!(payable, BackstopError::PayeeCannotReceive);
        Ok(())
    }

    /// What is left of the limit of a policy's lien: 0 if there is none. Its account must be shown beside the accounts of
    /// the settlement, and nothing else.
    ///
    /// Errors: `UnexpectedAccounts` for a policy without a lien, `LienNotShown` for one with.
    #[inline(always)]
    pub fn limit_shown(policy: &Policy, key: &Pubkey, shown: &[AccountInfo]) -> Result<u64> {
        if !policy.has_lien {
            ensure!(shown.is_empty(), BackstopError::UnexpectedAccounts);
            return Ok(0);
        }
        Self::read_limit(key, shown)
    }

    #[inline(never)]
    fn read_limit(key: &Pubkey, shown: &[AccountInfo]) -> Result<u64> {
        let [account] = shown else { return Err(refuse(BackstopError::LienNotShown)) };
        let lien: Self = read_record(account).map_err(|_| BackstopError::LienNotShown)?;
        ensure!(lien.policy == *key, BackstopError::LienNotShown);
        Ok(lien.limit_left)
    }
}

/// The account of a policy, of either kind.
pub enum PolicyAccount {
    /// Whoever holds its NFT has it.
    Cover(Box<Cover>),
    /// Its owner has it.
    Position(Box<Position>),
}

impl PolicyAccount {
    /// Reads the account of a cover or of a position.
    #[inline(never)]
    pub fn read(account: &AccountInfo) -> Result<Self> {
        let is_cover = account.try_borrow_data()?.starts_with(Cover::DISCRIMINATOR);
        Ok(match is_cover {
            true => Self::Cover(Box::new(read_record(account)?)),
            false => Self::Position(Box::new(read_record(account)?)),
        })
    }

    /// The policy, to change it.
    pub fn policy_mut(&mut self) -> &mut Policy {
        match self {
            Self::Cover(cover) => &mut cover.policy,
            Self::Position(position) => &mut position.policy,
        }
    }
}

impl Deref for PolicyAccount {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        match self {
            Self::Cover(cover) => &cover.policy,
            Self::Position(position) => &position.policy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_a_settlement_changes_is_where_the_account_has_it() {
        let mut lien = Lien::try_from_slice(&[0; Lien::INIT_SPACE]).unwrap();
        let bytes = |lien: &Lien| {
            let mut bytes = Vec::new();
            lien.try_serialize(&mut bytes).unwrap();
            bytes
        };
        let mut patched = bytes(&lien);
        (lien.limit_left, lien.paid) = (u64::MAX - 1, 7 << 24);
        patched[Lien::LIMIT_AT..Lien::LIMIT_AT + 16].copy_from_slice(&lien.settled_part());
        assert_eq!(patched, bytes(&lien));
    }

    #[test]
    fn the_payee_is_paid_first_and_the_holder_the_rest() {
        assert_eq!(Parts::of(10, 0), Parts { holder: 10, payee: 0 });
        assert_eq!(Parts::of(10, 4), Parts { holder: 6, payee: 4 });
        assert_eq!(Parts::of(10, 10), Parts { holder: 0, payee: 10 });
        assert_eq!(Parts::of(10, u64::MAX), Parts { holder: 0, payee: 10 });
        assert_eq!(Parts::of(0, 4), Parts { holder: 0, payee: 0 });
    }
}
