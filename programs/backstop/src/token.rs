//! Every transfer, mint and burn of the program, and the reading of token accounts.

use crate::error::{BackstopError, refuse};
use crate::runtime::{Use, call};
use crate::storage::NewAccount;
use anchor_lang::prelude::*;
use anchor_lang::solana_program::program_option::COption;
use anchor_spl::token_2022::ID as TOKEN_2022;
use anchor_spl::token_2022::spl_token_2022::{
    self,
    extension::{BaseStateWithExtensions, ExtensionType, StateWithExtensions},
};
use anchor_spl::token_interface::Mint;

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
}

/// Reads a token account of either token program by the layout that both share; refuses every other account.
pub fn read_account(account: &AccountInfo) -> Result<TokenAccount> {
    ensure!(is_token_owned(account), BackstopError::NotAToken);
    let data = account.try_borrow_data()?;
    // A bare account is 165 bytes long; with extensions byte 165 says "account" (2). A mint is 82 bytes or says 1.
    let is_account = data.len() == ACCOUNT_BASE || data.get(ACCOUNT_BASE) == Some(&2);
    let is_initialised = matches!(data.get(108), Some(1 | 2));
    ensure!(is_account && is_initialised, BackstopError::NotAToken);
    Ok(TokenAccount { mint: key_at(&data, 0)?, owner: key_at(&data, 32)?, amount: u64_at(&data, 64)? })
}

/// Units in a token account whose identity is known: a pool's vault.
pub fn vault_amount(vault: &AccountInfo) -> Result<u64> {
    u64_at(&vault.try_borrow_data()?, 64)
}

/// Units in existence of a mint whose identity is known: a share mint or a cover's NFT.
pub fn mint_supply(mint: &AccountInfo) -> Result<u64> {
    u64_at(&mint.try_borrow_data()?, 36)
}

/// Creates a token account of a mint that [`check_asset`] accepts: none of its extensions needs room here.
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

/// Whether a mint is accepted as the asset of a pool: its owner, its extensions, its decimals.
///
/// A Token-2022 mint may carry only what changes no balance and stops no transfer (metadata, groups, and their pointers).
/// A transfer fee, hook, permanent delegate, default state, pause, confidential balance, interest, scaled amount,
/// close authority or anything unknown is refused.
pub fn check_asset(mint: &InterfaceAccount<Mint>) -> Result<()> {
    ensure!(mint.decimals <= crate::constants::MAX_ASSET_DECIMALS, BackstopError::AssetDecimalsRefused);
    let info = mint.to_account_info();
    if *info.owner == TOKEN_2022 {
        let data = info.try_borrow_data()?;
        let state =
            StateWithExtensions::<spl_token_2022::state::Mint>::unpack(&data).map_err(|_| BackstopError::NotAToken)?;
        let extensions = state.get_extension_types().map_err(|_| BackstopError::AssetExtensionRefused)?;
        for extension in extensions {
            let harmless = matches!(
                extension,
                ExtensionType::MetadataPointer
                    | ExtensionType::TokenMetadata
                    | ExtensionType::GroupPointer
                    | ExtensionType::TokenGroup
                    | ExtensionType::GroupMemberPointer
                    | ExtensionType::TokenGroupMember
            );
            if !harmless {
                msg!(refusal(extension));
                return Err(refuse(BackstopError::AssetExtensionRefused));
            }
        }
    }
    Ok(())
}

/// What an extension of a mint could do to a pool, for the log of a refusal.
fn refusal(extension: ExtensionType) -> &'static str {
    match extension {
        ExtensionType::TransferFeeConfig => "refused: transfers can be taxed (transfer fee)",
        ExtensionType::MintCloseAuthority => "refused: the mint can be closed and made anew (close authority)",
        ExtensionType::ConfidentialTransferMint
        | ExtensionType::ConfidentialTransferFeeConfig
        | ExtensionType::ConfidentialMintBurn => "refused: balances can be hidden (confidential transfers)",
        ExtensionType::DefaultAccountState => "refused: new accounts can be frozen (default account state)",
        ExtensionType::NonTransferable => "refused: units cannot be moved (non-transferable)",
        ExtensionType::InterestBearingConfig | ExtensionType::ScaledUiAmount => {
            "refused: wallets show another amount than is held (interest or scaled amount)"
        }
        ExtensionType::PermanentDelegate => "refused: balances can be moved or burnt by others (permanent delegate)",
        ExtensionType::TransferHook => "refused: transfers can be stopped by a program (transfer hook)",
        ExtensionType::Pausable => "refused: transfers can be stopped by an authority (pausable)",
        _ => "refused: an extension that is not on the list of harmless ones",
    }
}

/// Whether a mint's freeze authority is set: allowed for assets (large stablecoins have one), shown in the event.
pub fn has_freeze_authority(mint: &InterfaceAccount<Mint>) -> bool {
    matches!(mint.freeze_authority, COption::Some(_))
}

/// The accounts of a movement of a pool's asset.
pub struct AssetTransfer<'a, 'info> {
    /// The asset's token program.
    pub token_program: &'a AccountInfo<'info>,
    /// The asset's mint.
    pub mint: &'a AccountInfo<'info>,
    /// Where the units come from.
    pub from: &'a AccountInfo<'info>,
    /// Where the units go.
    pub to: &'a AccountInfo<'info>,
    /// Whoever may spend from `from`.
    pub authority: &'a AccountInfo<'info>,
    /// The pool's vault: `from` or `to`.
    pub vault: &'a AccountInfo<'info>,
    /// Decimals of the asset.
    pub decimals: u8,
}

impl<'info> AssetTransfer<'_, 'info> {
    fn transfer(&self, amount: u64, signer: &[&[&[u8]]]) -> Result<()> {
        let accounts =
            [(self.from, Use::Write), (self.mint, Use::Read), (self.to, Use::Write), (self.authority, Use::Sign)];
        let [number, a, b, c, d, e, f, g, h] = with_amount(TRANSFER_CHECKED, amount);
        call(self.token_program.key, &accounts, &[number, a, b, c, d, e, f, g, h, self.decimals], signer)
    }

    /// Moves `amount` into the vault with the payer's own signature, and checks that the vault gained just that and
    /// holds what the books say (`cash` after the change).
    pub fn collect(&self, amount: u64, cash: u64) -> Result<()> {
        let before = vault_amount(self.vault)?;
        self.transfer(amount, &[])?;
        let after = vault_amount(self.vault)?;
        ensure!(before.checked_add(amount) == Some(after), BackstopError::VaultMismatch);
        ensure!(after >= cash, BackstopError::VaultMismatch);
        Ok(())
    }

    /// Moves `amount` out of the vault with the pool's signature, and checks that the vault lost just that and holds
    /// what the books say (`cash` after the change).
    pub fn pay(&self, amount: u64, cash: u64, signer: &[&[&[u8]]]) -> Result<()> {
        let before = vault_amount(self.vault)?;
        self.transfer(amount, signer)?;
        let after = vault_amount(self.vault)?;
        ensure!(before.checked_sub(amount) == Some(after), BackstopError::VaultMismatch);
        ensure!(after >= cash, BackstopError::VaultMismatch);
        Ok(())
    }
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

/// Checks where an owner's money goes: with the owner's signature any account of the asset, without it only the
/// owner's associated token account, and only if the owner is a wallet (a point on the curve).
///
/// A program's account (a marketplace, a vault) may have no way to spend from its associated account: it must sign
/// and name one. A stranger can therefore neither misdirect nor strand a payout.
pub fn check_payout_account(owner: &AccountInfo, destination: &AccountInfo, asset: &Pubkey) -> Result<()> {
    let account = read_account(destination)?;
    ensure!(account.mint == *asset, BackstopError::WrongAccount);
    if owner.is_signer {
        return Ok(());
    }
    ensure!(owner.key.is_on_curve(), BackstopError::ProgramHolderMustSign);
    let derived = is_associated_account(destination.key, owner.key, destination.owner, asset);
    ensure!(derived, BackstopError::NotOwnersAccount);
    // The associated account of a wallet may since have been handed to another owner.
    ensure!(account.owner == *owner.key, BackstopError::NotOwnersAccount);
    Ok(())
}

/// Whether a token account that exists is the associated one of an owner and a mint.
///
/// Asks no syscall for the canonical bump, which takes eight times as much, but compares the address with the hash of
/// every bump from 255 down. At another bump there can be no token account: to create one takes the signature of its
/// address, which the associated token program gives for the canonical bump alone, and nobody knows the key of a hash
/// that lies on the curve.
fn is_associated_account(account: &Pubkey, owner: &Pubkey, token_program: &Pubkey, mint: &Pubkey) -> bool {
    let seeds = [owner.as_ref(), token_program.as_ref(), mint.as_ref()];
    let program = anchor_spl::associated_token::ID;
    (0..=u8::MAX).rev().any(|bump| Pubkey::derive_address(&seeds, Some(bump), &program) == *account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_spl::associated_token::get_associated_token_address_with_program_id;

    #[test]
    fn the_bytes_of_instructions_are_those_of_the_token_crates() {
        use spl_token_2022::instruction::TokenInstruction as Instruction;
        assert_eq!(Instruction::MintTo { amount: 258 }.pack(), with_amount(MINT_TO, 258));
        assert_eq!(Instruction::Burn { amount: 258 }.pack(), with_amount(BURN, 258));
        let transfer = Instruction::TransferChecked { amount: 258, decimals: 6 }.pack();
        assert_eq!(transfer, [with_amount(TRANSFER_CHECKED, 258).as_slice(), &[6]].concat());
        let owner = Pubkey::new_from_array([3; 32]);
        let initialize = Instruction::InitializeAccount3 { owner }.pack();
        assert_eq!(initialize, [&[INITIALIZE_ACCOUNT_3], owner.as_ref()].concat());
    }

    #[test]
    fn an_associated_account_is_known_by_its_address_at_any_bump() {
        let mint = Pubkey::new_from_array([200; 32]);
        for number in 0..100 {
            let owner = Pubkey::new_from_array([number; 32]);
            let other = Pubkey::new_from_array([number + 1; 32]);
            for program in [TOKEN_2022, anchor_spl::token::ID] {
                let account = get_associated_token_address_with_program_id(&owner, &mint, &program);
                assert!(is_associated_account(&account, &owner, &program, &mint));
                assert!(!is_associated_account(&account, &other, &program, &mint));
                assert!(!is_associated_account(&account, &owner, &program, &other));
            }
        }
    }
}
