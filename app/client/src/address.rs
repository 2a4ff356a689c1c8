//! Addresses that are derived from the program.

use anchor_lang::prelude::Pubkey;
use backstop::constants::*;
use backstop::state::Tranche;

fn derive(seeds: &[&[u8]]) -> Pubkey {
    Pubkey::find_program_address(seeds, &backstop::ID).0
}

/// The one `Protocol` account.
pub fn protocol() -> Pubkey {
    backstop::PROTOCOL.0
}

/// The account that holds the program's code and names its upgrade authority.
pub fn program_data() -> Pubkey {
    backstop::constants::PROGRAM_DATA
}

/// A pool of an asset.
pub fn pool(asset_mint: &Pubkey, id: u16) -> Pubkey {
    derive(&[POOL_SEED, asset_mint.as_ref(), &id.to_le_bytes()])
}

/// A pool's token account.
pub fn vault(pool: &Pubkey) -> Pubkey {
    derive(&[VAULT_SEED, pool.as_ref()])
}

/// A share mint of a pool.
pub fn share_mint(pool: &Pubkey, tranche: Tranche, series: u8) -> Pubkey {
    derive(&[SHARES_SEED, pool.as_ref(), &[tranche.seed()], &[series]])
}

/// A product of a pool.
pub fn product(pool: &Pubkey, id: u16) -> Pubkey {
    derive(&[PRODUCT_SEED, pool.as_ref(), &id.to_le_bytes()])
}

/// The rates of a product's premium.
pub fn rates(product: &Pubkey) -> Pubkey {
    derive(&[RATES_SEED, product.as_ref()])
}

/// The trigger of a product.
pub fn trigger(product: &Pubkey) -> Pubkey {
    derive(&[TRIGGER_SEED, product.as_ref()])
}

/// What was shown of a product's live feed.
pub fn live(product: &Pubkey) -> Pubkey {
    derive(&[LIVE_SEED, product.as_ref()])
}

/// A set of attestors, by its creator and number.
pub fn attestors(creator: &Pubkey, id: u16) -> Pubkey {
    derive(&[ATTESTORS_SEED, creator.as_ref(), &id.to_le_bytes()])
}

/// The NFT's mint of a cover that is bought on a UTC day.
pub fn cover_mint(product: &Pubkey, buyer: &Pubkey, nonce: u64, day: u32) -> Pubkey {
    derive(&[COVER_MINT_SEED, product.as_ref(), buyer.as_ref(), &nonce.to_le_bytes(), &day.to_le_bytes()])
}

/// The cover of an NFT's mint.
pub fn cover(cover_mint: &Pubkey) -> Pubkey {
    derive(&[COVER_SEED, cover_mint.as_ref()])
}

/// A position of an owner.
pub fn position(product: &Pubkey, owner: &Pubkey, nonce: u64) -> Pubkey {
    derive(&[POSITION_SEED, product.as_ref(), owner.as_ref(), &nonce.to_le_bytes()])
}

/// The lien on a cover or position.
pub fn lien(policy: &Pubkey) -> Pubkey {
    derive(&[LIEN_SEED, policy.as_ref()])
}

/// An exit ticket of an owner.
pub fn exit_ticket(pool: &Pubkey, owner: &Pubkey, nonce: u64) -> Pubkey {
    derive(&[EXIT_SEED, pool.as_ref(), owner.as_ref(), &nonce.to_le_bytes()])
}

/// The exit epoch of a UTC day.
pub fn exit_epoch(pool: &Pubkey, day: u32) -> Pubkey {
    derive(&[EXIT_EPOCH_SEED, pool.as_ref(), &day.to_le_bytes()])
}

/// A crisis of a pool, by its number.
pub fn crisis(pool: &Pubkey, number: u32) -> Pubkey {
    derive(&[CRISIS_SEED, pool.as_ref(), &number.to_le_bytes()])
}

/// The incident of a product.
pub fn incident(product: &Pubkey) -> Pubkey {
    derive(&[INCIDENT_SEED, product.as_ref()])
}

/// A treaty of a cedant.
pub fn treaty(cedant: &Pubkey, id: u16) -> Pubkey {
    derive(&[TREATY_SEED, cedant.as_ref(), &id.to_le_bytes()])
}

/// A cedant's announced cession of surplus.
pub fn cession(cedant: &Pubkey) -> Pubkey {
    derive(&[CESSION_SEED, cedant.as_ref()])
}

/// An owner's associated token account.
pub fn associated_token(owner: &Pubkey, mint: &Pubkey, token_program: &Pubkey) -> Pubkey {
    anchor_spl::associated_token::get_associated_token_address_with_program_id(owner, mint, token_program)
}
