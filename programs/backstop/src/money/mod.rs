//! Where money moves: a [`Till`] is a pool's books while an instruction changes them, a [`Vault`] is its token account
//! once the books are closed, and an [`Asset`] is what is moved. Nothing else in the program transfers a unit.

pub mod asset;
pub mod payee;
pub mod signer;
pub mod till;

pub(crate) use asset::{Asset, Purse};
pub(crate) use payee::Payee;
pub(crate) use signer::PoolSigner;
pub(crate) use till::{Till, Vault, check_supply};
