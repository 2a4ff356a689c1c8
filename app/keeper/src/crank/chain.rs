//! What a pass of the crank knows: the program's accounts, decoded, as they were read at its beginning.

use anchor_lang::prelude::Pubkey;
use backstop::state::{
    Cession, Cover, CoverState, ExitEpoch, ExitTicket, Incident, IncidentState, Pool, Product, Treaty, Trigger,
};
use backstop_client::account::{self, AccountError, Decode};
use backstop_client::address;
use backstop_client::cluster::{Cluster, ClusterError, Silence};
use backstop_client::instruction::{PoolKeys, ProductKeys};
use solana_sdk::account::Account;
use std::collections::{BTreeMap, HashMap};

const TOKEN_2022: Pubkey = anchor_spl::token_2022::ID;

/// A pool and its keys.
#[derive(Clone, Debug)]
pub struct PoolView {
    /// The books.
    pub books: Pool,
    /// The keys.
    pub keys: PoolKeys,
    /// Whether the asset's issuer has frozen the vault: then nothing can be paid into it or out of it.
    pub frozen: bool,
}

/// A product, its trigger and its keys.
#[derive(Clone, Debug)]
pub struct ProductView {
    /// The product.
    pub product: Product,
    /// Its trigger.
    pub trigger: Trigger,
    /// The keys.
    pub keys: ProductKeys,
}

/// Whether a token account can take a payment now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// It can.
    Ready,
    /// There is none.
    Missing,
    /// Its issuer has frozen it.
    Frozen,
    /// It belongs to somebody else than the address says.
    HandedOn,
    /// The owner is a program's account, which must sign itself.
    ProgramOwner,
}

/// Where a cover's NFT is, and where its payout would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whoever holds the NFT.
    pub owner: Pubkey,
    /// The token account that it is in.
    pub nft: Pubkey,
    /// The owner's associated account of the pool's asset.
    pub destination: Destination,
}

/// A cover of a funded incident that nobody has settled yet.
#[derive(Clone, Debug)]
pub struct OpenCover {
    /// The cover's address.
    pub address: Pubkey,
    /// The cover.
    pub cover: Cover,
    /// Whoever holds it; `None` if the NFT is burnt.
    pub holder: Option<Holder>,
}

/// A cover whose NFT is burnt, with its address.
#[derive(Clone, Debug)]
pub struct BurntCover {
    /// The cover's address.
    pub address: Pubkey,
    /// The cover.
    pub cover: Cover,
}

/// A request to leave, and whether its owner can be paid.
#[derive(Clone, Debug)]
pub struct TicketView {
    /// The ticket's address.
    pub address: Pubkey,
    /// The ticket.
    pub ticket: ExitTicket,
    /// The owner's associated account of the pool's asset.
    pub destination: Destination,
}

/// The accounts of the program that matter to a crank.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// The cluster's clock, unix seconds.
    pub now: i64,
    /// Pools by address.
    pub pools: BTreeMap<Pubkey, PoolView>,
    /// Products by address.
    pub products: BTreeMap<Pubkey, ProductView>,
    /// Incidents by their product.
    pub incidents: BTreeMap<Pubkey, Incident>,
    /// Treaties by address.
    pub treaties: BTreeMap<Pubkey, Treaty>,
    /// Exit epochs by pool and day.
    pub epochs: BTreeMap<(Pubkey, u32), ExitEpoch>,
    /// Exit tickets.
    pub tickets: Vec<TicketView>,
    /// Announced cessions of surplus.
    pub cessions: Vec<(Pubkey, Cession)>,
    /// Covers of funded incidents to be settled.
    pub open_covers: Vec<OpenCover>,
    /// Covers whose NFT is burnt; looked for only when asked.
    pub burnt_covers: Vec<BurntCover>,
}

/// Token accounts in which NFTs were found, by mint: a first guess for the next time.
pub type Whereabouts = HashMap<Pubkey, Pubkey>;

/// How much a reading looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Also exit tickets, and whether their owners can be paid.
    pub tickets: bool,
    /// Also every cover, for those whose NFT is burnt.
    pub burnt: bool,
}

impl Chain {
    /// Reads the chain. `whereabouts` are brought up to date.
    ///
    /// Accounts that cannot be decoded are left out; a cluster that does not answer is an error.
    pub fn read(cluster: &dyn Cluster, whereabouts: &mut Whereabouts, depth: Depth) -> Result<Self, ClusterError> {
        let pools = all::<Pool>(cluster)?;
        let vaults: Vec<Pubkey> = pools.iter().map(|(_, books)| books.vault).collect();
        let pools: BTreeMap<Pubkey, PoolView> = pools
            .into_iter()
            .zip(cluster.accounts(&vaults)?)
            .filter_map(|((key, books), vault)| {
                let vault = vault?;
                let keys = PoolKeys::of(key, &books, vault.owner);
                let frozen = token_account(&vault)?.frozen;
                Some((key, PoolView { books, keys, frozen }))
            })
            .collect();
        let triggers: HashMap<Pubkey, Trigger> = all::<Trigger>(cluster)?.into_iter().collect();
        let products = all::<Product>(cluster)?
            .into_iter()
            .filter_map(|(key, product)| {
                let keys = ProductKeys { pool: pools.get(&product.pool)?.keys, product: key };
                Some((key, ProductView { product, trigger: *triggers.get(&product.trigger)?, keys }))
            })
            .collect();
        let mut chain = Self {
            pools,
            products,
            incidents: all::<Incident>(cluster)?
                .into_iter()
                .map(|(_, incident)| (incident.product, incident))
                .collect(),
            treaties: all::<Treaty>(cluster)?.into_iter().collect(),
            epochs: all::<ExitEpoch>(cluster)?.into_iter().map(|(_, epoch)| ((epoch.pool, epoch.day), epoch)).collect(),
            cessions: all::<Cession>(cluster)?,
            ..Self::default()
        };
        chain.read_open_covers(cluster, whereabouts)?;
        if depth.tickets {
            chain.read_tickets(cluster)?;
        }
        if depth.burnt {
            chain.read_burnt_covers(cluster)?;
        }
        // Last, so that nothing read was written after it.
        chain.now = cluster.now()?;
        Ok(chain)
    }

    fn read_open_covers(&mut self, cluster: &dyn Cluster, whereabouts: &mut Whereabouts) -> Result<(), ClusterError> {
        for (product, incident) in &self.incidents {
            let Some(view) = self.products.get(product) else { continue };
            if incident.state != IncidentState::Funded || (incident.sums_left == 0 && incident.premiums_left == 0) {
                continue;
            }
            let is_open = |cover: &Cover| cover.state == CoverState::Active && cover.claim(incident.event_at).is_some();
            let mut open = list::<Cover>(cluster, Some((0, *product)))?;
            open.retain(|(_, cover)| is_open(cover));
            let nfts = find_nfts(cluster, &open, whereabouts)?;
            let owners: Vec<Pubkey> = nfts.iter().flatten().map(|(_, owner)| *owner).collect();
            let mut destinations = destinations(cluster, &view.keys.pool, &owners)?.into_iter();
            for ((address, cover), found) in open.into_iter().zip(nfts) {
                let holder =
                    found.and_then(|(nft, owner)| Some(Holder { owner, nft, destination: destinations.next()? }));
                self.open_covers.push(OpenCover { address, cover, holder });
            }
        }
        Ok(())
    }

    fn read_tickets(&mut self, cluster: &dyn Cluster) -> Result<(), ClusterError> {
        let mut by_pool: BTreeMap<Pubkey, Vec<(Pubkey, ExitTicket)>> = BTreeMap::new();
        for (key, ticket) in all::<ExitTicket>(cluster)? {
            by_pool.entry(ticket.pool).or_default().push((key, ticket));
        }
        for (pool, tickets) in by_pool {
            let Some(view) = self.pools.get(&pool) else { continue };
            let owners: Vec<Pubkey> = tickets.iter().map(|(_, ticket)| ticket.owner).collect();
            let destinations = destinations(cluster, &view.keys, &owners)?;
            self.tickets.extend(
                tickets.into_iter().zip(destinations).map(|((address, ticket), destination)| TicketView {
                    address,
                    ticket,
                    destination,
                }),
            );
        }
        Ok(())
    }

    fn read_burnt_covers(&mut self, cluster: &dyn Cluster) -> Result<(), ClusterError> {
        let covers = all::<Cover>(cluster)?;
        let mints: Vec<Pubkey> = covers.iter().map(|(_, cover)| cover.mint).collect();
        let mints = cluster.accounts(&mints)?;
        // A mint: its supply is the eight bytes at 36.
        let burnt = |mint: &Option<Account>| {
            mint.as_ref().is_some_and(|mint| mint.owner == TOKEN_2022 && mint.data.get(36..44) == Some(&[0; 8]))
        };
        let found = covers.into_iter().zip(mints).filter(|(_, mint)| burnt(mint));
        self.burnt_covers = found.map(|((address, cover), _)| BurntCover { address, cover }).collect();
        Ok(())
    }
}

fn list<T: Decode>(cluster: &dyn Cluster, filter: Option<(usize, Pubkey)>) -> Result<Vec<(Pubkey, T)>, ClusterError> {
    account::list(cluster, filter).map_err(|error| match error {
        AccountError::Cluster(error) => error,
        // A list leaves out what it cannot decode.
        other => Silence::unreadable("the cluster", other.to_string()).into(),
    })
}

fn all<T: Decode>(cluster: &dyn Cluster) -> Result<Vec<(Pubkey, T)>, ClusterError> {
    list(cluster, None)
}

/// What a crank reads of a token account of either program: mint, owner, amount, state.
struct TokenAccount {
    mint: Pubkey,
    owner: Pubkey,
    amount: u64,
    frozen: bool,
}

fn token_account(account: &Account) -> Option<TokenAccount> {
    let key = |at: usize| Some(Pubkey::new_from_array(*account.data.get(at..)?.first_chunk()?));
    let is_token = account.owner == TOKEN_2022 || account.owner == anchor_spl::token::ID;
    is_token.then_some(())?;
    let state = *account.data.get(108)?;
    (state != 0).then_some(TokenAccount {
        mint: key(0)?,
        owner: key(32)?,
        amount: u64::from_le_bytes(*account.data.get(64..)?.first_chunk()?),
        frozen: state == 2,
    })
}

/// Finds the token account and the holder of each cover's NFT: where it was last seen, else with whoever paid the
/// cover's rent (the buyer, as a rule), both a hundred a request; only what is not there is looked up one by one.
fn find_nfts(
    cluster: &dyn Cluster,
    covers: &[(Pubkey, Cover)],
    whereabouts: &mut Whereabouts,
) -> Result<Vec<Option<(Pubkey, Pubkey)>>, ClusterError> {
    let guess = |cover: &Cover| {
        let with_payer = || address::associated_token(&cover.rent_payer, &cover.mint, &TOKEN_2022);
        whereabouts.get(&cover.mint).copied().unwrap_or_else(with_payer)
    };
    let guesses: Vec<Pubkey> = covers.iter().map(|(_, cover)| guess(cover)).collect();
    let mut found = holders_at(cluster, covers.iter().map(|(_, cover)| cover.mint), &guesses)?;
    let moved: Vec<usize> = (0..covers.len()).filter(|index| found[*index].is_none()).collect();
    let mints: Vec<Pubkey> = moved.iter().map(|index| covers[*index].1.mint).collect();
    let accounts = cluster.nft_accounts(&mints)?;
    let (moved, accounts): (Vec<usize>, Vec<Pubkey>) =
        moved.into_iter().zip(accounts).filter_map(|(index, account)| Some((index, account?))).unzip();
    let holders = holders_at(cluster, moved.iter().map(|index| covers[*index].1.mint), &accounts)?;
    for (index, holder) in moved.into_iter().zip(holders) {
        found[index] = holder;
    }
    for ((_, cover), holder) in covers.iter().zip(&found) {
        match holder {
            Some((nft, _)) => whereabouts.insert(cover.mint, *nft),
            None => whereabouts.remove(&cover.mint),
        };
    }
    Ok(found)
}

/// Which of these accounts hold one unit of these mints, and for whom.
fn holders_at(
    cluster: &dyn Cluster,
    mints: impl Iterator<Item = Pubkey>,
    accounts: &[Pubkey],
) -> Result<Vec<Option<(Pubkey, Pubkey)>>, ClusterError> {
    let read = cluster.accounts(accounts)?;
    let holder = |((mint, address), account): ((Pubkey, &Pubkey), Option<Account>)| {
        let account = token_account(&account?)?;
        (account.mint == mint && account.amount == 1).then_some((*address, account.owner))
    };
    Ok(mints.zip(accounts).zip(read).map(holder).collect())
}

/// Whether owners can be paid in a pool's asset by somebody else, in their order.
fn destinations(cluster: &dyn Cluster, keys: &PoolKeys, owners: &[Pubkey]) -> Result<Vec<Destination>, ClusterError> {
    let accounts: Vec<Pubkey> = owners.iter().map(|owner| keys.assets_of(owner)).collect();
    let read = cluster.accounts(&accounts)?;
    let judge = |(owner, account): (&Pubkey, Option<Account>)| {
        if !owner.is_on_curve() {
            return Destination::ProgramOwner;
        }
        match account.as_ref().and_then(token_account) {
            None => Destination::Missing,
            Some(account) if account.owner != *owner => Destination::HandedOn,
            Some(account) if account.frozen => Destination::Frozen,
            Some(_) => Destination::Ready,
        }
    };
    Ok(owners.iter().zip(read).map(judge).collect())
}
