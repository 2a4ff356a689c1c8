//! A pool's asset: which mints are accepted, where units come from and where they may go.

use crate::border::token;
use crate::constants::MAX_ASSET_DECIMALS;
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
