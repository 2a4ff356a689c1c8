//! Where the lender's tokens move: into a vault from somebody who signed, and out of it with the market's signature. A
//! vault is checked after each movement.

use crate::error::LoanError;
use crate::state::{MARKET_SEED, Market};
use anchor_lang::prelude::*;
use anchor_spl::associated_token::get_associated_token_address_with_program_id;
use anchor_spl::token_interface::{TokenAccount, TransferChecked, transfer_checked};

/// One of a market's vaults, and what moves tokens of its mint.
pub struct Vault<'a, 'info> {
    /// The token account.
    pub account: &'a AccountInfo<'info>,
    /// Its mint.
    pub mint: &'a AccountInfo<'info>,
    /// The mint's decimals.
    pub decimals: u8,
    /// The mint's token program.
    pub token_program: &'a AccountInfo<'info>,
}

impl<'info> Vault<'_, 'info> {
    /// Takes an amount in from somebody who signed.
    pub fn collect(&self, from: &AccountInfo<'info>, authority: &AccountInfo<'info>, amount: u64) -> Result<()> {
        let before = amount_of(self.account)?;
        self.transfer(from, self.account, authority, amount, &[])?;
        let expected = before.checked_add(amount);
        require!(expected == Some(amount_of(self.account)?), LoanError::VaultMismatch);
        Ok(())
    }

    /// Pays an amount with the market's signature. Pays nothing if there is nothing to pay.
    pub fn pay(&self, market: &Account<'info, Market>, to: &AccountInfo<'info>, amount: u64) -> Result<()> {
        if amount == 0 {
            return Ok(());
        }
        let before = amount_of(self.account)?;
        let bump = [market.bump];
        self.transfer(self.account, to, market.as_ref(), amount, &[&signer(market, &bump)])?;
        let expected = before.checked_sub(amount);
        require!(expected == Some(amount_of(self.account)?), LoanError::VaultMismatch);
        Ok(())
    }

    /// Refuses unless the vault holds at least what the books say.
    pub fn require_holds(&self, booked: Option<u64>) -> Result<()> {
        let held = amount_of(self.account)?;
        require!(booked.is_some_and(|booked| held >= booked), LoanError::VaultMismatch);
        Ok(())
    }

    fn transfer(
        &self,
        from: &AccountInfo<'info>,
        to: &AccountInfo<'info>,
        authority: &AccountInfo<'info>,
        amount: u64,
        signer: &[&[&[u8]]],
    ) -> Result<()> {
        let accounts = TransferChecked {
            from: from.clone(),
            mint: self.mint.clone(),
            to: to.clone(),
            authority: authority.clone(),
        };
        let context = CpiContext::new_with_signer(*self.token_program.key, accounts, signer);
        transfer_checked(context, amount, self.decimals)
    }
}

/// What a market signs with.
pub fn signer<'a>(market: &'a Market, bump: &'a [u8; 1]) -> [&'a [u8]; 4] {
    [MARKET_SEED, market.lender.as_ref(), market.product.as_ref(), bump]
}

/// Units in a token account.
pub fn amount_of(account: &AccountInfo) -> Result<u64> {
    let data = account.try_borrow_data()?;
    let bytes = data.get(64..72).and_then(|bytes| bytes.first_chunk::<8>());
    Ok(u64::from_le_bytes(*bytes.ok_or(LoanError::CannotReceive)?))
}

/// Whether anyone may pay somebody into an account of a mint now. A program's account may have no way to spend from any
/// account but its associated one: a stranger strands nothing in another.
pub fn anyone_may_pay(account: &AccountInfo, owner: &Pubkey, mint: &Pubkey) -> bool {
    let is_its_own = || *account.key == get_associated_token_address_with_program_id(owner, mint, account.owner);
    can_receive(account, owner, mint) && (owner.is_on_curve() || is_its_own())
}

/// Whether an account is somebody's token account of a mint, and can be paid now.
pub fn can_receive(account: &AccountInfo, owner: &Pubkey, mint: &Pubkey) -> bool {
    let token_programs = [anchor_spl::token::ID, anchor_spl::token_2022::ID];
    let Ok(data) = account.try_borrow_data() else { return false };
    token_programs.contains(account.owner)
        && TokenAccount::try_deserialize_unchecked(&mut &data[..])
            .is_ok_and(|held| held.owner == *owner && held.mint == *mint && !held.is_frozen())
}
