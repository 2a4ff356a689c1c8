//! The NFT of a cover: how it is made, and who may dispose of it.

use crate::border::mint::{self, Metadata, MintMaker};
use crate::border::records::require_address;
use crate::border::token;
use crate::constants::COVER_MINT_SEED;
use crate::error::BackstopError;
use crate::money::PoolSigner;
use crate::state::Cover;
use anchor_lang::prelude::*;

/// What it takes to make the NFT of a policy.
pub(crate) struct NewNft<'a, 'info> {
    /// The product; its address, and the next three, stand in that of the mint.
    pub product: &'a Pubkey,
    /// Whoever buys the cover, or has the policy that it is made of.
    pub maker: &'a Pubkey,
    /// The maker's number for it.
    pub nonce: u64,
    /// Today's UTC day.
    pub day: u32,
    /// Pays the rent.
    pub payer: &'a AccountInfo<'info>,
    /// The pool, which may close the mint.
    pub pool: &'a AccountInfo<'info>,
    /// The mint, created here.
    pub mint: &'a AccountInfo<'info>,
    /// Gets the NFT.
    pub receiver: &'a AccountInfo<'info>,
    /// The receiver's associated token account, created here.
    pub receiver_nft: &'a AccountInfo<'info>,
    /// Token-2022.
    pub token_program: &'a AccountInfo<'info>,
    /// Creates the accounts.
    pub system_program: &'a AccountInfo<'info>,
}

impl NewNft<'_, '_> {
    /// Makes the NFT and hands it to the receiver: one unit, and never another; its metadata is fixed for good.
    #[inline(never)]
    pub fn make(&self, shown: &Metadata, signer: &PoolSigner) -> Result<()> {
        let (product, maker) = (self.product.as_ref(), self.maker.as_ref());
        let (nonce, day) = (self.nonce.to_le_bytes(), self.day.to_le_bytes());
        let bump = require_address(self.mint, &[COVER_MINT_SEED, product, maker, &nonce, &day])?;
        let pool_seeds = signer.seeds();
        let maker = MintMaker {
            mint: self.mint,
            mint_seeds: &[COVER_MINT_SEED, product, maker, &nonce, &day, &[bump]],
            pool: self.pool,
            pool_seeds: &pool_seeds,
            payer: self.payer,
        };
        maker.make(0, true, shown)?;
        let (payer, to, owner) = (self.payer, self.receiver_nft, self.receiver);
        mint::create_associated(payer, to, owner, self.mint, self.token_program, self.system_program)?;
        token::mint_to(self.mint, to, self.pool, 1, &[&pool_seeds])?;
        maker.fix_supply()
    }
}

/// Refuses anybody but the holder of a cover's NFT, and the holder while the account that the NFT is in has a delegate:
/// whoever that is may be about to sell it, as one cover for one price.
pub(crate) fn require_holder_may_dispose(cover: &Cover, holder: &AccountInfo, nft: &AccountInfo) -> Result<()> {
    ensure!(*nft.owner == anchor_spl::token_2022::ID, BackstopError::NotHolder);
    let held = token::read_account(nft)?;
    let holds = held.mint == cover.mint() && held.owner == *holder.key && held.amount == 1;
    ensure!(holds, BackstopError::NotHolder);
    ensure!(!token::has_delegate(nft)?, BackstopError::NftDelegated);
    Ok(())
}
