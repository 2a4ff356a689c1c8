//! Accounts read together with what they hang on.

use super::treaty;
use crate::account::{self, AccountError, Decode};
use crate::address;
use crate::cluster::{Cluster, ClusterError};
use crate::instruction::{PoolKeys, ProductKeys, TreatyKeys};
use anchor_lang::prelude::Pubkey;
use backstop::constants::SHARE_EXTRA_DECIMALS;
use backstop::state::{Cover, CoverState, Crisis, Incident, Lien, Policy, Pool, Position, Product, Treaty, Trigger};

/// A pool that was read.
#[derive(Debug)]
pub struct OpenPool {
    /// Its books.
    pub state: Box<Pool>,
    /// Its addresses.
    pub keys: PoolKeys,
    /// Decimals of its asset.
    pub decimals: u8,
    /// Decimals of its shares.
    pub share_decimals: u8,
}

impl OpenPool {
    /// Reads a pool and its asset's mint.
    pub fn read(cluster: &dyn Cluster, address: Pubkey) -> Result<Self, AccountError> {
        let state: Box<Pool> = Box::new(account::fetch(cluster, &address)?);
        let missing = AccountError::Missing { what: "mint", address: state.asset_mint };
        let mint = cluster.account(&state.asset_mint)?.ok_or(missing)?;
        let keys = PoolKeys::of(address, &state, mint.owner);
        let decimals = state.asset_decimals;
        Ok(Self { state, keys, decimals, share_decimals: decimals + SHARE_EXTRA_DECIMALS })
    }
}

/// A product that was read, with its pool.
#[derive(Debug)]
pub struct OpenProduct {
    /// Its state.
    pub state: Box<Product>,
    /// Its pool.
    pub pool: OpenPool,
    /// Its addresses.
    pub keys: ProductKeys,
}

impl OpenProduct {
    /// Reads a product and its pool.
    pub fn read(cluster: &dyn Cluster, address: Pubkey) -> Result<Self, AccountError> {
        let state: Box<Product> = Box::new(account::fetch(cluster, &address)?);
        let pool = OpenPool::read(cluster, state.pool)?;
        let keys = ProductKeys { pool: pool.keys, product: address };
        Ok(Self { state, pool, keys })
    }

    /// Reads a product and its pool; the address may be that of its trigger or its incident.
    pub fn find(cluster: &dyn Cluster, address: Pubkey) -> Result<Self, AccountError> {
        let account = cluster.account(&address)?.filter(|account| account.owner == backstop::ID);
        let data = account.as_ref().map(|account| account.data.as_slice()).unwrap_or_default();
        let of_trigger = Trigger::decode(data).map(|trigger| trigger.product);
        let product = of_trigger.or_else(|| Incident::decode(data).map(|incident| incident.product));
        Self::read(cluster, product.unwrap_or(address))
    }
}

/// A cover that was read, with its product and pool.
#[derive(Debug)]
pub struct OpenCover {
    /// Where it is.
    pub address: Pubkey,
    /// The cover.
    pub state: Cover,
    /// Its product, and its pool.
    pub product: OpenProduct,
}

impl OpenCover {
    /// Reads a cover with its product and pool, by its own address or by that of its NFT's mint.
    pub fn find(cluster: &dyn Cluster, address: Pubkey) -> Result<Self, AccountError> {
        let of_mint = address::cover(&address);
        let (address, state): (Pubkey, Cover) = match account::find(cluster, &of_mint)? {
            Some(state) => (of_mint, state),
            None => (address, account::fetch(cluster, &address)?),
        };
        let product = OpenProduct::read(cluster, state.product)?;
        Ok(Self { address, state, product })
    }
}

/// A position that was read, with its product and pool.
#[derive(Debug)]
pub struct OpenPosition {
    /// Where it is.
    pub address: Pubkey,
    /// The position.
    pub state: Position,
    /// Its product, and its pool.
    pub product: OpenProduct,
}

impl OpenPosition {
    /// Reads a position with its product and pool.
    pub fn read(cluster: &dyn Cluster, address: Pubkey) -> Result<Self, AccountError> {
        let state: Position = account::fetch(cluster, &address)?;
        let product = OpenProduct::read(cluster, state.product)?;
        Ok(Self { address, state, product })
    }
}

/// What a policy is.
#[derive(Clone, Debug)]
pub enum OpenKind {
    /// A cover, with its NFT's mint.
    Cover(Pubkey),
    /// A position.
    Position(Box<Position>),
}

/// A cover or a position that was read, with its product, its pool, and the lien on it.
#[derive(Debug)]
pub struct OpenPolicy {
    /// Where it is.
    pub address: Pubkey,
    /// What is insured.
    pub policy: Policy,
    /// Which of both it is.
    pub kind: OpenKind,
    /// Its product, and its pool.
    pub product: OpenProduct,
    /// The lien on it.
    pub lien: Option<Lien>,
}

impl OpenPolicy {
    /// Reads a cover, by its own address or by that of its NFT's mint, or a position.
    ///
    /// Errors: there is neither.
    pub fn find(cluster: &dyn Cluster, address: Pubkey) -> Result<Self, AccountError> {
        let account = cluster.account(&address)?;
        let position = account.and_then(|account| Position::decode(&account.data));
        match position {
            Some(state) => {
                let product = OpenProduct::read(cluster, state.product)?;
                Self::of_position(cluster, OpenPosition { address, state, product })
            }
            None => Self::of_cover(cluster, OpenCover::find(cluster, address)?),
        }
    }

    /// A cover that was read, with the lien on it.
    pub fn of_cover(cluster: &dyn Cluster, cover: OpenCover) -> Result<Self, AccountError> {
        let OpenCover { address, state, product } = cover;
        let lien = lien_on(cluster, &address, &state)?;
        Ok(Self { address, kind: OpenKind::Cover(state.mint()), policy: state.policy, product, lien })
    }

    /// A position that was read, with the lien on it.
    pub fn of_position(cluster: &dyn Cluster, position: OpenPosition) -> Result<Self, AccountError> {
        let OpenPosition { address, state, product } = position;
        let lien = lien_on(cluster, &address, &state)?;
        Ok(Self { address, policy: state.policy.clone(), kind: OpenKind::Position(Box::new(state)), product, lien })
    }
}

/// The lien on a policy, or one that has outlived another at its address.
fn lien_on(cluster: &dyn Cluster, address: &Pubkey, policy: &Policy) -> Result<Option<Lien>, AccountError> {
    let lien = address::lien(address);
    match policy.has_lien {
        true => account::fetch(cluster, &lien).map(Some),
        false => account::find(cluster, &lien),
    }
}

/// A treaty that was read, with its pools.
pub struct OpenTreaty {
    /// Its state.
    pub state: Treaty,
    /// Its addresses.
    pub keys: TreatyKeys,
    /// The pool that cedes.
    pub cedant: OpenPool,
    /// The pool that reinsures.
    pub reinsurer: OpenPool,
}

impl OpenTreaty {
    /// Reads a treaty and its pools.
    pub fn read(cluster: &dyn Cluster, address: Pubkey) -> Result<Self, AccountError> {
        let state: Treaty = account::fetch(cluster, &address)?;
        let cedant = OpenPool::read(cluster, state.cedant)?;
        let reinsurer = OpenPool::read(cluster, state.reinsurer)?;
        let keys = TreatyKeys { cedant: cedant.keys, reinsurer: state.reinsurer, treaty: address };
        Ok(Self { state, keys, cedant, reinsurer })
    }

    /// An amount with all decimals and its asset.
    pub fn asset(&self, units: u64) -> String {
        treaty::asset(&self.cedant, units)
    }

    /// What it owes incidents and has not paid.
    pub fn owed(&self) -> u64 {
        treaty::owed(&self.keys.treaty, &self.cedant.state)
    }

    /// Limit that the reinsurer holds capital for.
    pub fn open_limit(&self) -> u64 {
        let inward = self.reinsurer.state.inward.iter().find(|inward| inward.treaty == self.keys.treaty);
        inward.map_or(0, |inward| inward.limit)
    }
}

/// Where the product stands in a cover, after the discriminator.
const COVER_PRODUCT_OFFSET: usize = 0;

/// A product, its trigger and, if there is one, its incident.
pub struct Case {
    /// The product and its pool.
    pub product: OpenProduct,
    /// Its trigger.
    pub trigger: Box<Trigger>,
    /// Its incident.
    pub incident: Option<Incident>,
    /// The crisis that its incident is part of.
    pub crisis: Option<Crisis>,
}

impl Case {
    /// Reads a case by the product, its trigger or its incident.
    pub fn read(cluster: &dyn Cluster, address: Pubkey) -> Result<Self, AccountError> {
        let product = OpenProduct::find(cluster, address)?;
        let trigger = Box::new(account::trigger_of(cluster, product.keys.product, &product.state)?);
        let incident: Option<Incident> = account::find(cluster, &product.keys.incident())?;
        let number = incident.as_ref().map(|incident| incident.crisis).filter(|number| *number != 0);
        let crisis = match number {
            Some(number) => account::find(cluster, &product.keys.crisis(number))?,
            None => None,
        };
        Ok(Self { product, trigger, incident, crisis })
    }

    /// The product's covers, the open ones first, then by address.
    pub fn covers(&self, cluster: &dyn Cluster) -> Result<Vec<(Pubkey, Cover)>, AccountError> {
        let of_product = Some((COVER_PRODUCT_OFFSET, self.product.keys.product));
        let mut covers = account::list::<Cover>(cluster, of_product)?;
        covers.sort_by_key(|(address, cover)| (cover.state == CoverState::Settled, *address));
        Ok(covers)
    }
}

/// Who holds an NFT, and in which token account. `None` once it is burnt.
pub fn holder_of(cluster: &dyn Cluster, mint: &Pubkey) -> Result<Option<(Pubkey, Pubkey)>, ClusterError> {
    let Some(nft) = cluster.nft_accounts(&[*mint])?.remove(0) else { return Ok(None) };
    // Both token programs keep the owner in the 32 bytes after the mint.
    let owner = cluster.account(&nft)?.and_then(|account| account.data.get(32..64)?.try_into().ok());
    Ok(owner.map(|owner| (Pubkey::new_from_array(owner), nft)))
}
