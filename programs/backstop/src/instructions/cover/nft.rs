//! The NFT of a cover: how it is made, for a purchase and of a position.

use crate::border::mint::{self, Metadata, MintMaker};
use crate::border::records::require_address;
use crate::border::token;
use crate::constants::COVER_MINT_SEED;
use crate::money::PoolSigner;
use anchor_lang::prelude::*;

/// The accounts that an NFT is made with.
pub(crate) struct NftMaker<'a, 'info> {
    /// Pays the rent.
    pub payer: &'a AccountInfo<'info>,
    /// The pool: mint authority until the supply is fixed, and close authority.
    pub pool: &'a AccountInfo<'info>,
    /// What the pool signs with.
    pub signer: &'a PoolSigner,
    /// The NFT's mint, created here.
    pub mint: &'a AccountInfo<'info>,
    /// Gets the NFT.
    pub receiver: &'a AccountInfo<'info>,
    /// The receiver's associated token account of the NFT, created here by its own program.
    pub receiver_nft: &'a AccountInfo<'info>,
    /// The NFT's token program.
    pub token_2022_program: &'a AccountInfo<'info>,
    /// Creates the accounts.
    pub system_program: &'a AccountInfo<'info>,
}

impl NftMaker<'_, '_> {
    /// Makes the NFT and hands it to the receiver. The address of its mint is derived from product, owner, the owner's
    /// number and the UTC day, which the caller has checked: no address has a second life.
    #[inline(never)]
    pub fn make(&self, product: &Pubkey, owner: &Pubkey, nonce: u64, day: u32, shown: &Metadata) -> Result<()> {
        let (nonce, day) = (nonce.to_le_bytes(), day.to_le_bytes());
        let seeds = [COVER_MINT_SEED, product.as_ref(), owner.as_ref(), &nonce, &day];
        let bump = require_address(self.mint, &seeds)?;
        let pool_seeds = self.signer.seeds();
        let maker = MintMaker {
            mint: self.mint,
            mint_seeds: &[COVER_MINT_SEED, product.as_ref(), owner.as_ref(), &nonce, &day, &[bump]],
            pool: self.pool,
            pool_seeds: &pool_seeds,
            payer: self.payer,
        };
        maker.make(0, true, shown)?;
        mint::create_associated(
            self.payer,
            self.receiver_nft,
            self.receiver,
            self.mint,
            self.token_2022_program,
            self.system_program,
        )?;
        token::mint_to(self.mint, self.receiver_nft, self.pool, 1, &[&pool_seeds])?;
        maker.fix_supply()
    }
}
