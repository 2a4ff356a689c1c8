//! Both token programs: every transfer, mint and burn of the program, and the reading of token accounts.

use crate::border::invoke::{Use, call};
use crate::border::records::NewAccount;
use crate::error::BackstopError;
use anchor_lang::prelude::*;
use anchor_spl::token_2022::ID as TOKEN_2022;

// Numbers of the instructions that both token programs know.
const MINT_TO: u8 = 7;
const BURN: u8 = 8;
const TRANSFER_CHECKED: u8 = 12;
const INITIALIZE_ACCOUNT_3: u8 = 18;

/// The data of an instruction that takes an amount.
fn with_amount(instruction: u8, amount: u64) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = amount.to_le_bytes();
    [instruction, a, b, c, d, e, f, g, h]
}

/// Bytes of a mint or token account that come before its extensions.
const ACCOUNT_BASE: usize = 165;

/// Reads a public key at a fixed offset of an account's bytes.
fn key_at(data: &[u8], offset: usize) -> Result<Pubkey> {
    let bytes = data.get(offset..offset.saturating_add(32)).ok_or(BackstopError::NotAToken)?;
    Ok(Pubkey::new_from_array(bytes.try_into().map_err(|_| BackstopError::NotAToken)?))
}

/// Reads a little-endian u64 at a fixed offset of an account's bytes.
fn u64_at(data: &[u8], offset: usize) -> Result<u64> {
    let bytes = data.get(offset..offset.saturating_add(8)).ok_or(BackstopError::NotAToken)?;
    Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| BackstopError::NotAToken)?))
}

/// Whether an account belongs to one of the two token programs.
fn is_token_owned(account: &AccountInfo) -> bool {
    *account.owner == anchor_spl::token::ID || *account.owner == TOKEN_2022
}

/// What the program needs to know of a token account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenAccount {
    /// Mint.
    pub mint: Pubkey,
    /// Whoever may spend.
    pub owner: Pubkey,
    /// Units held.
    pub amount: u64,
    /// Whether the issuer of its mint has frozen it.
    pub is_frozen: bool,
}

/// Reads a token account of either token program by the layout that both share; refuses every other account.
pub fn read_account(account: &AccountInfo) -> Result<TokenAccount> {
    ensure!(is_token_owned(account), BackstopError::NotAToken);
    let data = account.try_borrow_data()?;
    // A bare account is 165 bytes long; with extensions byte 165 says "account" (2). A mint is 82 bytes or says 1.
    let is_account = data.len() == ACCOUNT_BASE || data.get(ACCOUNT_BASE) == Some(&2);
    let state = data.get(108);
    ensure!(is_account && matches!(state, Some(1 | 2)), BackstopError::NotAToken);
    let is_frozen = state == Some(&2);
    Ok(TokenAccount { mint: key_at(&data, 0)?, owner: key_at(&data, 32)?, amount: u64_at(&data, 64)?, is_frozen })
}

/// Whether somebody else than its owner may spend from a token account that was read: a marketplace where it is listed.
pub fn has_delegate(account: &AccountInfo) -> Result<bool> {
    Ok(account.try_borrow_data()?.get(72..76) != Some(&[0; 4]))
}

/// Whether a token account whose identity is known is frozen by the asset's issuer: a pool's vault.
pub fn is_frozen(vault: &AccountInfo) -> Result<bool> {
    Ok(vault.try_borrow_data()?.get(108) == Some(&2))
}

/// Units in a token account whose identity is known: a pool's vault, or one that its token program has just credited.
pub fn account_amount(account: &AccountInfo) -> Result<u64> {
    u64_at(&account.try_borrow_data()?, 64)
}

/// Units in existence of a mint whose identity is known: a share mint or a cover's NFT.
pub fn mint_supply(mint: &AccountInfo) -> Result<u64> {
    u64_at(&mint.try_borrow_data()?, 36)
}

/// Creates a token account of a mint that [`crate::money::asset::check_asset`] accepts: none of its extensions needs
/// room here.
pub fn create_token_account<'info>(
    new: &NewAccount<'_, 'info>,
    owner: Pubkey,
    mint: &AccountInfo<'info>,
    authority: &Pubkey,
) -> Result<()> {
    new.create(owner, ACCOUNT_BASE, 0)?;
    let data = [&[INITIALIZE_ACCOUNT_3], authority.as_ref()].concat();
    call(&owner, &[(new.account, Use::Write), (mint, Use::Read)], &data, &[])
}

/// Moves units from one token account to another, with the signature of whoever may spend them: `signer` holds the
/// seeds if that is an address of this program.
#[inline(always)]
pub fn transfer<'info>(
    token_program: &Pubkey,
    [from, mint, to, authority]: [&AccountInfo<'info>; 4],
    decimals: u8,
    amount: u64,
    signer: &[&[&[u8]]],
) -> Result<()> {
    let accounts = [(from, Use::Write), (mint, Use::Read), (to, Use::Write), (authority, Use::Sign)];
    let [number, a, b, c, d, e, f, g, h] = with_amount(TRANSFER_CHECKED, amount);
    call(token_program, &accounts, &[number, a, b, c, d, e, f, g, h, decimals], signer)
}

/// Mints units of a Token-2022 mint with the pool's signature.
pub fn mint_to<'info>(
    mint: &AccountInfo<'info>,
    to: &AccountInfo<'info>,
    pool: &AccountInfo<'info>,
    amount: u64,
    signer: &[&[&[u8]]],
) -> Result<()> {
    let accounts = [(mint, Use::Write), (to, Use::Write), (pool, Use::Sign)];
    call(&TOKEN_2022, &accounts, &with_amount(MINT_TO, amount), signer)
}

/// Burns units of a Token-2022 mint with their owner's signature.
pub fn burn<'info>(
    mint: &AccountInfo<'info>,
    from: &AccountInfo<'info>,
    owner: &AccountInfo<'info>,
    amount: u64,
) -> Result<()> {
    let accounts = [(from, Use::Write), (mint, Use::Write), (owner, Use::Sign)];
    call(&TOKEN_2022, &accounts, &with_amount(BURN, amount), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_instructions_are_those_of_the_token_crates() {
        use anchor_spl::token_2022::spl_token_2022::instruction::TokenInstruction as Instruction;
        assert_eq!(Instruction::MintTo { amount: 258 }.pack(), with_amount(MINT_TO, 258));
        assert_eq!(Instruction::Burn { amount: 258 }.pack(), with_amount(BURN, 258));
        let transfer = Instruction::TransferChecked { amount: 258, decimals: 6 }.pack();
        assert_eq!(transfer, [with_amount(TRANSFER_CHECKED, 258).as_slice(), &[6]].concat());
        let owner = Pubkey::new_from_array([3; 32]);
        let initialize = Instruction::InitializeAccount3 { owner }.pack();
        assert_eq!(initialize, [&[INITIALIZE_ACCOUNT_3], owner.as_ref()].concat());
    }
}
