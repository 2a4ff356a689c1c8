//! A pool's asset: which mints are accepted, where units come from and where they may go.

use crate::constants::MAX_ASSET_DECIMALS;
use crate::cpi::token;
use crate::error::{BackstopError, refuse};
use anchor_lang::prelude::*;
use anchor_lang::solana_program::program_option::COption;
use anchor_spl::token_2022::ID as TOKEN_2022;
use anchor_spl::token_2022::spl_token_2022::{
    self,
    extension::{BaseStateWithExtensions, ExtensionType, StateWithExtensions},
};
use anchor_spl::token_interface::Mint;

/// A pool's asset, as an instruction names it.
pub struct Asset<'a, 'info> {
    /// The asset's mint.
    pub mint: &'a AccountInfo<'info>,
    /// The asset's token program.
    pub token_program: &'a AccountInfo<'info>,
}

impl<'info> Asset<'_, 'info> {
    /// Moves units. The till does, which checks its vault.
    #[inline(always)]
    pub(super) fn transfer(
        &self,
        from: &AccountInfo<'info>,
        to: &AccountInfo<'info>,
        authority: &AccountInfo<'info>,
        decimals: u8,
        amount: u64,
        signer: &[&[&[u8]]],
    ) -> Result<()> {
        token::transfer(self.token_program.key, [from, self.mint, to, authority], decimals, amount, signer)
    }
}

/// Somebody's token account, and whoever signed for it.
pub struct Purse<'a, 'info> {
    /// Where the units come from; the token program checks its mint.
    pub account: &'a AccountInfo<'info>,
    /// Whoever may spend them.
    pub authority: &'a AccountInfo<'info>,
}

/// Somebody who is paid, and the token account that is named for it.
pub struct Payee<'a, 'info> {
    /// Whoever is paid.
    pub owner: &'a AccountInfo<'info>,
    /// Where the units go.
    pub account: &'a AccountInfo<'info>,
}

impl Payee<'_, '_> {
    /// With the owner's signature any account of the asset, without it only the
    /// owner's associated token account, and only if the owner is a wallet (a point on the curve).
    ///
    /// A program's account (a marketplace, a vault) may have no way to spend from its associated account: it must sign
    /// and name one. A stranger can therefore neither misdirect nor strand a payout.
    pub fn check(&self, asset: &Pubkey) -> Result<()> {
        let Self { owner, account } = self;
        let held = token::read_account(account)?;
        ensure!(held.mint == *asset, BackstopError::WrongAccount);
        if owner.is_signer {
            return Ok(());
        }
        ensure!(owner.key.is_on_curve(), BackstopError::ProgramHolderMustSign);
        let derived = is_associated_account(account.key, owner.key, account.owner, asset);
        ensure!(derived, BackstopError::NotOwnersAccount);
        // The associated account of a wallet may since have been handed to another owner.
        ensure!(held.owner == *owner.key, BackstopError::NotOwnersAccount);
        Ok(())
    }
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

/// Whether a mint is accepted as the asset of a pool: its owner, its extensions, its decimals.
///
/// A Token-2022 mint may carry only what changes no balance and stops no transfer (metadata, groups, and their
/// pointers). A transfer fee, hook, permanent delegate, default state, pause, confidential balance, interest, scaled
/// amount, close authority or anything unknown is refused.
pub fn check_asset(mint: &InterfaceAccount<Mint>) -> Result<()> {
    ensure!(mint.decimals <= MAX_ASSET_DECIMALS, BackstopError::AssetDecimalsRefused);
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

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_spl::associated_token::get_associated_token_address_with_program_id;

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
