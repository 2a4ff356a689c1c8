//! Instructions of the program, with their accounts filled in.

use crate::address;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use anchor_lang::{InstructionData, ToAccountMetas, system_program};
use backstop::peril::evidence::TermsInput;
use backstop::peril::feed::Source;
use backstop::peril::feed::attested::{self, REPORT_BYTES};
use backstop::state::{
    CoverRequest, ExitTicket, ExtensionRequest, Pool, ProductState, ProductTerms, Seen, Tranche, TreatyTerms,
};
use backstop::{
    AssertPolicyArgs, BuyCoverArgs, BuyPositionArgs, ContributeSurplusArgs, CreateAttestorSetArgs, CreatePoolArgs,
    CreateProductArgs, DepositArgs, InitializeArgs, PositionToNftArgs, RequestExitArgs, SetConditionArgs,
    SetReadingArgs, SplitCoverArgs, SplitPositionArgs,
};
use backstop::{accounts, instruction as data};

const TOKEN_2022: Pubkey = anchor_spl::token_2022::ID;

fn build(accounts: impl ToAccountMetas, data: impl InstructionData) -> Instruction {
    Instruction { program_id: backstop::ID, accounts: accounts.to_account_metas(None), data: data.data() }
}

/// What instructions need to know of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolKeys {
    /// The pool.
    pub pool: Pubkey,
    /// Its asset's mint.
    pub asset_mint: Pubkey,
    /// The asset's token program.
    pub asset_token_program: Pubkey,
    /// Share mints of the current series, by tranche.
    pub share_mints: [Pubkey; 2],
}

impl PoolKeys {
    /// The keys of a pool that is about to be created.
    pub fn derive(asset_mint: Pubkey, asset_token_program: Pubkey, id: u16) -> Self {
        let pool = address::pool(&asset_mint, id);
        let share_mints = Tranche::BOTH.map(|tranche| address::share_mint(&pool, tranche, 0));
        Self { pool, asset_mint, asset_token_program, share_mints }
    }

    /// The keys of a pool that was read.
    pub fn of(address: Pubkey, pool: &Pool, asset_token_program: Pubkey) -> Self {
        Self { pool: address, asset_mint: pool.asset_mint, asset_token_program, share_mints: pool.share_mints }
    }

    /// The pool's token account.
    pub fn vault(&self) -> Pubkey {
        address::vault(&self.pool)
    }

    /// An owner's associated account of the asset.
    pub fn assets_of(&self, owner: &Pubkey) -> Pubkey {
        address::associated_token(owner, &self.asset_mint, &self.asset_token_program)
    }

    /// The share mint of a tranche.
    pub fn share_mint(&self, tranche: Tranche) -> Pubkey {
        self.share_mints[tranche.index()]
    }

    /// An owner's associated account of a tranche's shares.
    pub fn shares_of(&self, owner: &Pubkey, tranche: Tranche) -> Pubkey {
        address::associated_token(owner, &self.share_mint(tranche), &TOKEN_2022)
    }
}

/// What instructions need to know of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductKeys {
    /// The product's pool.
    pub pool: PoolKeys,
    /// The product.
    pub product: Pubkey,
}

impl ProductKeys {
    /// The keys of a pool's product.
    pub fn derive(pool: PoolKeys, id: u16) -> Self {
        Self { pool, product: address::product(&pool.pool, id) }
    }

    /// The rates of the product's premium.
    pub fn rates(&self) -> Pubkey {
        address::rates(&self.product)
    }

    /// The product's trigger.
    pub fn trigger(&self) -> Pubkey {
        address::trigger(&self.product)
    }

    /// What was shown of the product's feed, if it is live.
    pub fn live(&self) -> Pubkey {
        address::live(&self.product)
    }

    /// A crisis of the product's pool, by its number.
    pub fn crisis(&self, number: u32) -> Pubkey {
        address::crisis(&self.pool.pool, number)
    }

    /// The product's incident.
    pub fn incident(&self) -> Pubkey {
        address::incident(&self.product)
    }
}

/// Creates an owner's associated token account if it is missing.
pub fn create_associated_token(payer: &Pubkey, owner: &Pubkey, mint: &Pubkey, token_program: &Pubkey) -> Instruction {
    Instruction {
        program_id: anchor_spl::associated_token::ID,
        accounts: vec![
            AccountMeta::new(*payer, true),
            AccountMeta::new(address::associated_token(owner, mint, token_program), false),
            AccountMeta::new_readonly(*owner, false),
            AccountMeta::new_readonly(*mint, false),
            AccountMeta::new_readonly(system_program::ID, false),
            AccountMeta::new_readonly(*token_program, false),
        ],
        data: vec![1],
    }
}

/// An instruction that takes tokens from one account, taking them from another of the same owner and mint.
pub fn paid_from(mut instruction: Instruction, usual: &Pubkey, from: &Pubkey) -> Instruction {
    for meta in instruction.accounts.iter_mut().filter(|meta| meta.pubkey == *usual) {
        meta.pubkey = *from;
    }
    instruction
}

/// Closes the empty associated token account of a burnt cover NFT; its rent goes to the owner, who signs.
pub fn close_nft_account(owner: &Pubkey, cover_mint: &Pubkey) -> Instruction {
    Instruction {
        program_id: TOKEN_2022,
        accounts: vec![
            AccountMeta::new(address::associated_token(owner, cover_mint, &TOKEN_2022), false),
            AccountMeta::new(*owner, false),
            AccountMeta::new_readonly(*owner, true),
        ],
        // The token program's number of `CloseAccount`.
        data: vec![9],
    }
}

/// `initialize`.
pub fn initialize(upgrade_authority: Pubkey, payer: Pubkey, args: InitializeArgs) -> Instruction {
    let accounts = accounts::Initialize {
        upgrade_authority,
        payer,
        protocol: address::protocol(),
        program_data: backstop::constants::PROGRAM_DATA,
        system_program: system_program::ID,
    };
    build(accounts, data::Initialize { args })
}

/// `propose_governance`.
pub fn propose_governance(governance: Pubkey, proposed: Pubkey) -> Instruction {
    let accounts = accounts::ProposeGovernance { governance, protocol: address::protocol() };
    build(accounts, data::ProposeGovernance { proposed })
}

/// `accept_governance`.
pub fn accept_governance(pending_governance: Pubkey) -> Instruction {
    let accounts = accounts::AcceptGovernance { pending_governance, protocol: address::protocol() };
    build(accounts, data::AcceptGovernance {})
}

/// `set_roles`.
pub fn set_roles(governance: Pubkey, guardian: Pubkey, risk_keeper: Pubkey) -> Instruction {
    let accounts = accounts::SetRoles { governance, protocol: address::protocol() };
    build(accounts, data::SetRoles { guardian, risk_keeper })
}

/// `pause`.
pub fn pause(guardian: Pubkey, bits: u8) -> Instruction {
    let accounts = accounts::SetPause { guardian, protocol: address::protocol() };
    build(accounts, data::Pause { bits })
}

/// `create_pool`.
pub fn create_pool(governance: Pubkey, payer: Pubkey, keys: &PoolKeys, args: CreatePoolArgs) -> Instruction {
    let [junior_mint, senior_mint] = keys.share_mints;
    let accounts = accounts::CreatePool {
        governance,
        payer,
        protocol: address::protocol(),
        asset_mint: keys.asset_mint,
        pool: keys.pool,
        vault: keys.vault(),
        junior_mint,
        senior_mint,
        asset_token_program: keys.asset_token_program,
        token_2022_program: TOKEN_2022,
        system_program: system_program::ID,
    };
    build(accounts, data::CreatePool { args })
}

/// `deposit`, from and to the owner's associated token accounts. A reinsurance pool that stands behind treaties needs
/// [`deposit_with_cedants`].
pub fn deposit(keys: &PoolKeys, owner: Pubkey, deposit_authority: Option<Pubkey>, args: DepositArgs) -> Instruction {
    deposit_with_cedants(keys, owner, deposit_authority, args, &[])
}

/// `deposit` into any pool, with all its cedants in the order of its books ([`backstop::state::Pool::cedants`]); a cover pool
/// has none.
pub fn deposit_with_cedants(
    keys: &PoolKeys,
    owner: Pubkey,
    deposit_authority: Option<Pubkey>,
    args: DepositArgs,
    cedants: &[Pubkey],
) -> Instruction {
    let accounts = accounts::Deposit {
        owner,
        deposit_authority,
        protocol: address::protocol(),
        pool: keys.pool,
        vault: keys.vault(),
        asset_mint: keys.asset_mint,
        share_mint: keys.share_mint(args.tranche),
        owner_assets: keys.assets_of(&owner),
        owner_shares: keys.shares_of(&owner, args.tranche),
        asset_token_program: keys.asset_token_program,
        token_2022_program: TOKEN_2022,
    };
    with_cedants(build(accounts, data::Deposit { args }), cedants)
}

/// Passes a reinsurance pool's cedants.
fn with_cedants(mut instruction: Instruction, cedants: &[Pubkey]) -> Instruction {
    instruction.accounts.extend(cedants.iter().map(|cedant| AccountMeta::new_readonly(*cedant, false)));
    instruction
}

/// `accrue`.
pub fn accrue(pool: Pubkey) -> Instruction {
    build(accounts::Accrue { pool }, data::Accrue {})
}

/// `contribute_surplus`, from the contributor's associated token account, to a pool that stands behind no more than was
/// seen.
pub fn contribute_surplus(keys: &PoolKeys, contributor: Pubkey, amount: u64, seen: Seen) -> Instruction {
    let accounts = accounts::ContributeSurplus {
        contributor,
        pool: keys.pool,
        vault: keys.vault(),
        asset_mint: keys.asset_mint,
        contributor_assets: keys.assets_of(&contributor),
        asset_token_program: keys.asset_token_program,
    };
    let Seen { products: seen_products, treaties: seen_treaties } = seen;
    let args = ContributeSurplusArgs { amount, seen_products, seen_treaties };
    build(accounts, data::ContributeSurplus { args })
}

/// `request_exit`. A request that names the epoch of tomorrow's day is good today and tomorrow.
pub fn request_exit(keys: &PoolKeys, owner: Pubkey, payer: Pubkey, args: RequestExitArgs) -> Instruction {
    let accounts = accounts::RequestExit {
        owner,
        payer,
        pool: keys.pool,
        share_mint: keys.share_mint(args.tranche),
        owner_shares: keys.shares_of(&owner, args.tranche),
        ticket: address::exit_ticket(&keys.pool, &owner, args.nonce),
        epoch: address::exit_epoch(&keys.pool, args.epoch_day),
        token_2022_program: TOKEN_2022,
        system_program: system_program::ID,
    };
    build(accounts, data::RequestExit { args })
}

/// `cancel_exit`.
pub fn cancel_exit(keys: &PoolKeys, ticket: &ExitTicket) -> Instruction {
    let owner = ticket.owner;
    let accounts = accounts::CancelExit {
        owner,
        pool: keys.pool,
        vault: keys.vault(),
        asset_mint: keys.asset_mint,
        share_mint: keys.share_mint(ticket.tranche),
        owner_shares: keys.shares_of(&owner, ticket.tranche),
        owner_assets: keys.assets_of(&owner),
        epoch: address::exit_epoch(&keys.pool, ticket.epoch_day),
        ticket: address::exit_ticket(&keys.pool, &owner, ticket.nonce),
        rent_payer: ticket.rent_payer,
        asset_token_program: keys.asset_token_program,
        token_2022_program: TOKEN_2022,
    };
    build(accounts, data::CancelExit {})
}

/// `settle_exit_epoch`.
pub fn settle_exit_epoch(pool: Pubkey, day: u32) -> Instruction {
    settle_reinsurance_epoch(pool, day, &[])
}

/// `settle_exit_epoch` of a reinsurance pool, with all its cedants in the order of its books.
pub fn settle_reinsurance_epoch(pool: Pubkey, day: u32, cedants: &[Pubkey]) -> Instruction {
    let accounts = accounts::SettleExitEpoch { pool, epoch: address::exit_epoch(&pool, day) };
    with_cedants(build(accounts, data::SettleExitEpoch {}), cedants)
}

/// `claim_exit`, to the owner's associated token account.
pub fn claim_exit(keys: &PoolKeys, ticket: &ExitTicket) -> Instruction {
    let owner = ticket.owner;
    let accounts = accounts::ClaimExit {
        pool: keys.pool,
        vault: keys.vault(),
        asset_mint: keys.asset_mint,
        epoch: address::exit_epoch(&keys.pool, ticket.epoch_day),
        ticket: address::exit_ticket(&keys.pool, &owner, ticket.nonce),
        owner,
        destination: keys.assets_of(&owner),
        rent_payer: ticket.rent_payer,
        asset_token_program: keys.asset_token_program,
    };
    build(accounts, data::ClaimExit {})
}

/// `close_exit_epoch`.
pub fn close_exit_epoch(pool: Pubkey, day: u32, rent_payer: Pubkey) -> Instruction {
    let accounts = accounts::CloseExitEpoch { pool, epoch: address::exit_epoch(&pool, day), rent_payer };
    build(accounts, data::CloseExitEpoch {})
}

/// `open_series`. `series` is the number of the new series.
pub fn open_series(governance: Pubkey, payer: Pubkey, pool: Pubkey, tranche: Tranche, series: u8) -> Instruction {
    let accounts = accounts::OpenSeries {
        governance,
        payer,
        protocol: address::protocol(),
        pool,
        share_mint: address::share_mint(&pool, tranche, series),
        token_2022_program: TOKEN_2022,
        system_program: system_program::ID,
    };
    build(accounts, data::OpenSeries { tranche })
}

/// A product with its condition: what [`create_product`] and [`set_condition`] take together.
#[derive(Clone, Debug)]
pub struct NewProduct {
    /// Name, as covers show it.
    pub name: String,
    /// Where wallets find the file that shows the product's covers.
    pub uri: String,
    /// Sha-256 of the wording.
    pub wording_hash: [u8; 32],
    /// The asset whose failure is insured.
    pub covered_asset: Pubkey,
    /// Price, limits, term bounds.
    pub terms: ProductTerms,
    /// Where prices come from.
    pub source: Source,
    /// The feed: a Pyth feed id, for the push oracle the price account, for reports, also as a second key, the sha-256 of the
    /// definition, for another live feed the account that is read.
    pub feed: [u8; 32],
    /// The attestors, if the feed is one of reports, or has them for its second key.
    pub attestors: Option<Pubkey>,
    /// The vaults, if the feed is one of vaults.
    pub vaults: Vec<Pubkey>,
    /// The condition.
    pub condition: TermsInput,
}

impl NewProduct {
    /// What announces it, under an id.
    pub fn announcement(&self, id: u16) -> CreateProductArgs {
        CreateProductArgs {
            id,
            name: self.name.clone(),
            uri: self.uri.clone(),
            wording_hash: self.wording_hash,
            covered_asset: self.covered_asset,
            terms: self.terms,
        }
    }

    /// What sets its condition.
    pub fn condition(&self) -> SetConditionArgs {
        SetConditionArgs { source: self.source, feed: self.feed, condition: self.condition }
    }

    /// `set_condition`, with the vaults.
    pub fn set_condition(&self, governance: Pubkey, payer: Pubkey, keys: &ProductKeys) -> Instruction {
        let mut set = set_condition(governance, payer, keys, self.attestors, self.condition());
        set.accounts.extend(self.vaults.iter().map(|vault| AccountMeta::new_readonly(*vault, false)));
        set
    }

    /// Both instructions, in their order: they fit one transaction, but for those of a product of several vaults, which take
    /// one each. `keys` are those of the id.
    pub fn instructions(&self, governance: Pubkey, payer: Pubkey, keys: &ProductKeys, id: u16) -> [Instruction; 2] {
        [create_product(governance, payer, keys, self.announcement(id)), self.set_condition(governance, payer, keys)]
    }
}

/// `create_product`, of the product with the id of its keys.
pub fn create_product(governance: Pubkey, payer: Pubkey, keys: &ProductKeys, args: CreateProductArgs) -> Instruction {
    let accounts = accounts::CreateProduct {
        governance,
        payer,
        protocol: address::protocol(),
        pool: keys.pool.pool,
        product: keys.product,
        rates: keys.rates(),
        system_program: system_program::ID,
    };
    build(accounts, data::CreateProduct { args })
}

/// `set_condition`. `attestors` for a feed of reports.
pub fn set_condition(
    governance: Pubkey,
    payer: Pubkey,
    keys: &ProductKeys,
    attestors: Option<Pubkey>,
    args: SetConditionArgs,
) -> Instruction {
    let accounts = accounts::SetCondition {
        governance,
        payer,
        protocol: address::protocol(),
        pool: keys.pool.pool,
        product: keys.product,
        trigger: keys.trigger(),
        attestors,
        live: args.source.is_live().then(|| keys.live()),
        system_program: system_program::ID,
    };
    build(accounts, data::SetCondition { args })
}

/// `set_reading`.
pub fn set_reading(
    governance: Pubkey,
    payer: Pubkey,
    keys: &ProductKeys,
    attestors: Pubkey,
    args: SetReadingArgs,
) -> Instruction {
    let accounts = accounts::SetCondition {
        governance,
        payer,
        protocol: address::protocol(),
        pool: keys.pool.pool,
        product: keys.product,
        trigger: keys.trigger(),
        attestors: Some(attestors),
        live: None,
        system_program: system_program::ID,
    };
    build(accounts, data::SetReading { args })
}

/// `retire_product`: runs off a product whose attestors are too few to report.
pub fn retire_product(keys: &ProductKeys, attestors: Pubkey) -> Instruction {
    let accounts =
        accounts::RetireProduct { pool: keys.pool.pool, product: keys.product, trigger: keys.trigger(), attestors };
    build(accounts, data::RetireProduct {})
}

/// `create_attestor_set`.
pub fn create_attestor_set(creator: Pubkey, payer: Pubkey, args: CreateAttestorSetArgs) -> Instruction {
    let accounts = accounts::CreateAttestorSet {
        creator,
        payer,
        protocol: address::protocol(),
        attestors: address::attestors(&creator, args.id),
        system_program: system_program::ID,
    };
    build(accounts, data::CreateAttestorSet { args })
}

/// The ed25519 precompile's instruction that verifies signatures of a report. It stands right before the instruction that
/// shows the report, and nothing stands between.
pub fn signed_report(signers: &[(Pubkey, [u8; 64])], message: &[u8; REPORT_BYTES]) -> Instruction {
    let data = attested::instruction_data(signers, message);
    Instruction { program_id: attested::PRECOMPILE_ID, accounts: Vec::new(), data }
}

/// `observe_live`: the one instruction of its transaction, beside those of the compute budget. `source` is the account that
/// is read.
pub fn observe_live(keys: &ProductKeys, source: Pubkey) -> Instruction {
    let accounts = accounts::ObserveLive {
        trigger: keys.trigger(),
        product: keys.product,
        pool: keys.pool.pool,
        live: keys.live(),
        source,
        instructions: attested::INSTRUCTIONS_ID,
    };
    build(accounts, data::ObserveLive {})
}

/// `observe_live` of a product's vaults, in their order.
pub fn observe_vaults(keys: &ProductKeys, vaults: &[Pubkey]) -> Instruction {
    let mut show = observe_live(keys, vaults.first().copied().unwrap_or_default());
    show.accounts.extend(vaults.iter().skip(1).map(|vault| AccountMeta::new_readonly(*vault, false)));
    show
}

/// `observe_report`, right after [`signed_report`].
pub fn observe_report(keys: &ProductKeys, attestors: Pubkey) -> Instruction {
    let accounts = accounts::ObserveReport {
        trigger: keys.trigger(),
        product: keys.product,
        pool: keys.pool.pool,
        attestors,
        instructions: attested::INSTRUCTIONS_ID,
    };
    build(accounts, data::ObserveReport {})
}

/// `resolve_reading`.
pub fn resolve_reading(keys: &ProductKeys, attestors: Pubkey) -> Instruction {
    let accounts = accounts::ObserveReport {
        trigger: keys.trigger(),
        product: keys.product,
        pool: keys.pool.pool,
        attestors,
        instructions: attested::INSTRUCTIONS_ID,
    };
    build(accounts, data::ResolveReading {})
}

/// `report_equivocation`, right after two [`signed_report`] of one key each.
pub fn report_equivocation(attestors: Pubkey) -> Instruction {
    let accounts = accounts::ReportEquivocation { attestors, instructions: attested::INSTRUCTIONS_ID };
    build(accounts, data::ReportEquivocation {})
}

/// `set_product_state`.
pub fn set_product_state(governance: Pubkey, pool: Pubkey, product: Pubkey, state: ProductState) -> Instruction {
    let accounts = accounts::SetProductState { governance, protocol: address::protocol(), pool, product };
    build(accounts, data::SetProductState { state })
}

/// `set_risk_rate`.
pub fn set_risk_rate(risk_keeper: Pubkey, pool: Pubkey, product: Pubkey, rate_ppb: u64) -> Instruction {
    let accounts = accounts::SetRiskRate { risk_keeper, protocol: address::protocol(), pool, product };
    build(accounts, data::SetRiskRate { rate_ppb })
}

/// `sync_product`.
pub fn sync_product(keys: &ProductKeys) -> Instruction {
    let accounts = accounts::SyncProduct { pool: keys.pool.pool, product: keys.product, trigger: keys.trigger() };
    build(accounts, data::SyncProduct {})
}

/// `quote`.
pub fn quote(keys: &ProductKeys, request: CoverRequest) -> Instruction {
    let accounts = accounts::QuoteCover {
        protocol: address::protocol(),
        pool: keys.pool.pool,
        product: keys.product,
        trigger: keys.trigger(),
    };
    build(accounts, data::Quote { request })
}

/// `buy_cover`, from the buyer's associated token account.
pub fn buy_cover(
    keys: &ProductKeys,
    payer: Pubkey,
    buyer: Pubkey,
    receiver: Pubkey,
    args: BuyCoverArgs,
) -> Instruction {
    let cover_mint = address::cover_mint(&keys.product, &buyer, args.nonce, args.day);
    let accounts = accounts::BuyCover {
        payer,
        buyer,
        buyer_assets: keys.pool.assets_of(&buyer),
        receiver,
        receiver_nft: address::associated_token(&receiver, &cover_mint, &TOKEN_2022),
        protocol: address::protocol(),
        pool: keys.pool.pool,
        product: keys.product,
        rates: keys.rates(),
        trigger: keys.trigger(),
        vault: keys.pool.vault(),
        asset_mint: keys.pool.asset_mint,
        cover_mint,
        cover: address::cover(&cover_mint),
        asset_token_program: keys.pool.asset_token_program,
        token_2022_program: TOKEN_2022,
        associated_token_program: anchor_spl::associated_token::ID,
        system_program: system_program::ID,
    };
    build(accounts, data::BuyCover { args })
}

/// `cancel_cover`, with NFT and refund in the holder's associated token accounts.
pub fn cancel_cover(keys: &ProductKeys, holder: Pubkey, cover_mint: Pubkey, rent_payer: Pubkey) -> Instruction {
    let accounts = accounts::CancelCover {
        holder,
        holder_nft: address::associated_token(&holder, &cover_mint, &TOKEN_2022),
        destination: keys.pool.assets_of(&holder),
        pool: keys.pool.pool,
        product: keys.product,
        rates: keys.rates(),
        trigger: keys.trigger(),
        vault: keys.pool.vault(),
        asset_mint: keys.pool.asset_mint,
        cover_mint,
        cover: address::cover(&cover_mint),
        rent_payer,
        asset_token_program: keys.pool.asset_token_program,
        token_2022_program: TOKEN_2022,
    };
    build(accounts, data::CancelCover {})
}

/// `close_cover`, by the holder of the NFT, or by anyone (`None`) once it is burnt.
pub fn close_cover(keys: &ProductKeys, holder: Option<Pubkey>, cover_mint: Pubkey, rent_payer: Pubkey) -> Instruction {
    let accounts = accounts::CloseCover {
        holder,
        holder_nft: holder.map(|holder| address::associated_token(&holder, &cover_mint, &TOKEN_2022)),
        pool: keys.pool.pool,
        product: keys.product,
        cover_mint,
        cover: address::cover(&cover_mint),
        rent_payer,
        token_2022_program: TOKEN_2022,
    };
    build(accounts, data::CloseCover {})
}

/// `buy_position`, from the owner's associated token account.
pub fn buy_position(
    keys: &ProductKeys,
    payer: Pubkey,
    owner: Pubkey,
    beneficiary: Pubkey,
    args: BuyPositionArgs,
) -> Instruction {
    let accounts = accounts::BuyPosition {
        payer,
        owner,
        owner_assets: keys.pool.assets_of(&owner),
        beneficiary,
        protocol: address::protocol(),
        pool: keys.pool.pool,
        product: keys.product,
        rates: keys.rates(),
        trigger: keys.trigger(),
        vault: keys.pool.vault(),
        asset_mint: keys.pool.asset_mint,
        position: address::position(&keys.product, &owner, args.nonce),
        asset_token_program: keys.pool.asset_token_program,
        system_program: system_program::ID,
    };
    build(accounts, data::BuyPosition { args })
}

/// `set_beneficiary`.
pub fn set_beneficiary(keys: &ProductKeys, owner: Pubkey, position: Pubkey, beneficiary: Pubkey) -> Instruction {
    let accounts =
        accounts::SetBeneficiary { owner, beneficiary, pool: keys.pool.pool, product: keys.product, position };
    build(accounts, data::SetBeneficiary {})
}

/// `cancel_position`, with the refund in the owner's associated token account.
pub fn cancel_position(keys: &ProductKeys, owner: Pubkey, position: Pubkey, rent_payer: Pubkey) -> Instruction {
    let accounts = accounts::CancelPosition {
        owner,
        destination: keys.pool.assets_of(&owner),
        pool: keys.pool.pool,
        product: keys.product,
        rates: keys.rates(),
        trigger: keys.trigger(),
        vault: keys.pool.vault(),
        asset_mint: keys.pool.asset_mint,
        position,
        rent_payer,
        asset_token_program: keys.pool.asset_token_program,
    };
    build(accounts, data::CancelPosition {})
}

/// `reduce_position` to a sum, with the refund in the owner's associated token account.
pub fn reduce_position(keys: &ProductKeys, owner: Pubkey, position: Pubkey, sum_insured: u64) -> Instruction {
    let accounts = accounts::ReducePosition {
        owner,
        destination: keys.pool.assets_of(&owner),
        pool: keys.pool.pool,
        product: keys.product,
        rates: keys.rates(),
        trigger: keys.trigger(),
        vault: keys.pool.vault(),
        asset_mint: keys.pool.asset_mint,
        position,
        asset_token_program: keys.pool.asset_token_program,
    };
    build(accounts, data::ReducePosition { sum_insured })
}

/// `extend_position`, from the owner's associated token account.
pub fn extend_position(keys: &ProductKeys, owner: Pubkey, position: Pubkey, request: ExtensionRequest) -> Instruction {
    let accounts = accounts::ExtendPosition {
        owner,
        owner_assets: keys.pool.assets_of(&owner),
        protocol: address::protocol(),
        pool: keys.pool.pool,
        product: keys.product,
        rates: keys.rates(),
        trigger: keys.trigger(),
        vault: keys.pool.vault(),
        asset_mint: keys.pool.asset_mint,
        position,
        asset_token_program: keys.pool.asset_token_program,
    };
    build(accounts, data::ExtendPosition { request })
}

/// `position_to_nft`, to the receiver's associated token account.
pub fn position_to_nft(
    keys: &ProductKeys,
    payer: Pubkey,
    owner: Pubkey,
    receiver: Pubkey,
    (position, rent_payer): (Pubkey, Pubkey),
    args: PositionToNftArgs,
) -> Instruction {
    let cover_mint = address::cover_mint(&keys.product, &owner, args.nonce, args.day);
    let accounts = accounts::PositionToNft {
        payer,
        owner,
        receiver,
        receiver_nft: address::associated_token(&receiver, &cover_mint, &TOKEN_2022),
        pool: keys.pool.pool,
        product: keys.product,
        position,
        rent_payer,
        cover_mint,
        cover: address::cover(&cover_mint),
        token_2022_program: TOKEN_2022,
        associated_token_program: anchor_spl::associated_token::ID,
        system_program: system_program::ID,
    };
    build(accounts, data::PositionToNft { args })
}

/// `pool_health`.
pub fn pool_health(pool: Pubkey) -> Instruction {
    build(accounts::AskPoolHealth { pool }, data::PoolHealth {})
}

/// `close_position`.
pub fn close_position(keys: &ProductKeys, owner: Pubkey, position: Pubkey, rent_payer: Pubkey) -> Instruction {
    let accounts = accounts::ClosePosition { owner, pool: keys.pool.pool, product: keys.product, position, rent_payer };
    build(accounts, data::ClosePosition {})
}

/// `settle_position`, to the token account that the position pays.
pub fn settle_position(keys: &ProductKeys, position: Pubkey, beneficiary: Pubkey) -> Instruction {
    let accounts = accounts::SettlePosition {
        pool: keys.pool.pool,
        vault: keys.pool.vault(),
        asset_mint: keys.pool.asset_mint,
        incident: keys.incident(),
        position,
        beneficiary,
        asset_token_program: keys.pool.asset_token_program,
    };
    build(accounts, data::SettlePosition {})
}

/// `split_cover`, of an NFT in the holder's associated token account; the new one goes to a receiver.
pub fn split_cover(
    keys: &ProductKeys,
    payer: Pubkey,
    holder: Pubkey,
    cover_mint: Pubkey,
    receiver: Pubkey,
    args: SplitCoverArgs,
) -> Instruction {
    let part_mint = address::cover_mint(&keys.product, &holder, args.nonce, args.day);
    let accounts = accounts::SplitCover {
        payer,
        holder,
        holder_nft: address::associated_token(&holder, &cover_mint, &TOKEN_2022),
        receiver,
        receiver_nft: address::associated_token(&receiver, &part_mint, &TOKEN_2022),
        pool: keys.pool.pool,
        product: keys.product,
        cover: address::cover(&cover_mint),
        part_mint,
        part: address::cover(&part_mint),
        token_2022_program: TOKEN_2022,
        associated_token_program: anchor_spl::associated_token::ID,
        system_program: system_program::ID,
    };
    build(accounts, data::SplitCover { args })
}

/// `assert_policy`, of a cover or a position.
pub fn assert_policy(product: Pubkey, policy: Pubkey, args: AssertPolicyArgs) -> Instruction {
    build(accounts::AssertPolicy { product, policy }, data::AssertPolicy { args })
}

/// `split_position`.
pub fn split_position(
    keys: &ProductKeys,
    payer: Pubkey,
    owner: Pubkey,
    position: Pubkey,
    args: SplitPositionArgs,
) -> Instruction {
    let accounts = accounts::SplitPosition {
        payer,
        owner,
        pool: keys.pool.pool,
        product: keys.product,
        position,
        part: address::position(&keys.product, &owner, args.nonce),
        system_program: system_program::ID,
    };
    build(accounts, data::SplitPosition { args })
}

/// What a lien is put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pledge {
    /// A cover, by its NFT's mint, in the holder's associated token account.
    Cover(Pubkey),
    /// A position, by its address.
    Position(Pubkey),
}

impl Pledge {
    /// The account of the policy.
    pub fn policy(&self) -> Pubkey {
        match self {
            Self::Cover(mint) => address::cover(mint),
            Self::Position(position) => *position,
        }
    }
}

/// `set_lien`.
pub fn set_lien(
    keys: &ProductKeys,
    payer: Pubkey,
    holder: Pubkey,
    pledge: Pledge,
    payee: Pubkey,
    limit: u64,
) -> Instruction {
    let holder_nft = match &pledge {
        Pledge::Cover(mint) => Some(address::associated_token(&holder, mint, &TOKEN_2022)),
        Pledge::Position(_) => None,
    };
    let policy = pledge.policy();
    let accounts = accounts::SetLien {
        payer,
        holder,
        holder_nft,
        payee,
        pool: keys.pool.pool,
        product: keys.product,
        policy,
        lien: address::lien(&policy),
        system_program: system_program::ID,
    };
    build(accounts, data::SetLien { limit })
}

/// `lower_lien`, which names the token account that is paid from then on.
pub fn lower_lien(pool: Pubkey, payee_owner: Pubkey, policy: Pubkey, payee: Pubkey, limit: u64) -> Instruction {
    let accounts = accounts::LowerLien { payee_owner, payee, pool, lien: address::lien(&policy) };
    build(accounts, data::LowerLien { limit })
}

/// `lift_lien`, by whoever it pays, or by anyone (`None`) once nothing is left of it.
pub fn lift_lien(pool: Pubkey, payee_owner: Option<Pubkey>, policy: Pubkey, rent_payer: Pubkey) -> Instruction {
    let accounts = accounts::LiftLien { payee_owner, pool, policy, lien: address::lien(&policy), rent_payer };
    build(accounts, data::LiftLien {})
}

/// `settle_lien`, to the token account that the lien pays.
pub fn settle_lien(keys: &ProductKeys, policy: Pubkey, payee: Pubkey) -> Instruction {
    let accounts = accounts::SettleLien {
        pool: keys.pool.pool,
        vault: keys.pool.vault(),
        asset_mint: keys.pool.asset_mint,
        incident: keys.incident(),
        policy,
        lien: address::lien(&policy),
        payee,
        asset_token_program: keys.pool.asset_token_program,
    };
    build(accounts, data::SettleLien {})
}

/// A settlement of a cover or position that a lien is on: the same, with the account of the lien behind the others.
pub fn under_lien(mut settlement: Instruction, policy: &Pubkey) -> Instruction {
    settlement.accounts.push(AccountMeta::new_readonly(address::lien(policy), false));
    settlement
}

/// `observe`.
pub fn observe(keys: &ProductKeys, price: Pubkey) -> Instruction {
    let accounts = accounts::Observe { trigger: keys.trigger(), product: keys.product, pool: keys.pool.pool, price };
    build(accounts, data::Observe {})
}

fn refresh_accounts(keys: &ProductKeys) -> accounts::Refresh {
    accounts::Refresh { trigger: keys.trigger(), product: keys.product, pool: keys.pool.pool }
}

/// `refresh`.
pub fn refresh(keys: &ProductKeys) -> Instruction {
    build(refresh_accounts(keys), data::Refresh {})
}

/// `confirm`.
pub fn confirm(keys: &ProductKeys) -> Instruction {
    build(refresh_accounts(keys), data::Confirm {})
}

/// `open_incident`. `crisis` is what [`next_crisis`] tells of the pool.
pub fn open_incident(keys: &ProductKeys, payer: Pubkey, crisis: u32) -> Instruction {
    let accounts = accounts::OpenIncident {
        payer,
        pool: keys.pool.pool,
        product: keys.product,
        rates: keys.rates(),
        trigger: keys.trigger(),
        incident: keys.incident(),
        crisis: keys.crisis(crisis),
        system_program: system_program::ID,
    };
    build(accounts, data::OpenIncident {})
}

/// The number of the crisis that an incident opened now becomes part of: of the open one, or the next.
pub fn next_crisis(pool: &Pool) -> u32 {
    pool.crisis.number.saturating_add(u32::from(!pool.in_crisis()))
}

/// `fund_incident`, of a crisis.
pub fn fund_incident(keys: &ProductKeys, crisis: u32) -> Instruction {
    let accounts = accounts::FundIncident {
        pool: keys.pool.pool,
        product: keys.product,
        trigger: keys.trigger(),
        incident: keys.incident(),
        crisis: keys.crisis(crisis),
    };
    build(accounts, data::FundIncident {})
}

/// `settle_cover`, with NFT and payout in the holder's associated token accounts.
pub fn settle_cover(keys: &ProductKeys, holder: Pubkey, cover_mint: Pubkey) -> Instruction {
    settle_cover_from(keys, holder, address::associated_token(&holder, &cover_mint, &TOKEN_2022), cover_mint)
}

/// `settle_cover`, with the NFT in any token account of the holder.
pub fn settle_cover_from(keys: &ProductKeys, holder: Pubkey, nft: Pubkey, cover_mint: Pubkey) -> Instruction {
    let accounts = accounts::SettleCover {
        pool: keys.pool.pool,
        vault: keys.pool.vault(),
        asset_mint: keys.pool.asset_mint,
        incident: keys.incident(),
        cover: address::cover(&cover_mint),
        nft,
        holder,
        destination: keys.pool.assets_of(&holder),
        asset_token_program: keys.pool.asset_token_program,
    };
    build(accounts, data::SettleCover {})
}

/// `close_incident`. `crisis` is the number of its crisis, if it has one, and whoever paid the rent of that.
pub fn close_incident(keys: &ProductKeys, rent_payer: Pubkey, crisis: Option<(u32, Pubkey)>) -> Instruction {
    let accounts = accounts::CloseIncident {
        pool: keys.pool.pool,
        vault: keys.pool.vault(),
        product: keys.product,
        incident: keys.incident(),
        rent_payer,
        crisis: crisis.map(|(number, _)| keys.crisis(number)),
        crisis_rent_payer: crisis.map(|(_, rent_payer)| rent_payer),
    };
    build(accounts, data::CloseIncident {})
}

/// `extend_deadline`, of an incident of a crisis, or of none.
pub fn extend_deadline(keys: &ProductKeys, crisis: Option<u32>) -> Instruction {
    let accounts = accounts::ExtendDeadline {
        pool: keys.pool.pool,
        vault: keys.pool.vault(),
        incident: keys.incident(),
        crisis: crisis.map(|number| keys.crisis(number)),
    };
    build(accounts, data::ExtendDeadline {})
}

/// What instructions need to know of a treaty: both pools, of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreatyKeys {
    /// The cover pool that cedes.
    pub cedant: PoolKeys,
    /// The reinsurance pool.
    pub reinsurer: Pubkey,
    /// The treaty.
    pub treaty: Pubkey,
}

impl TreatyKeys {
    /// The keys of a cedant's treaty.
    pub fn derive(cedant: PoolKeys, reinsurer: Pubkey, id: u16) -> Self {
        Self { cedant, reinsurer, treaty: address::treaty(&cedant.pool, id) }
    }
}

/// `create_treaty`.
pub fn create_treaty(governance: Pubkey, payer: Pubkey, keys: &TreatyKeys, terms: TreatyTerms) -> Instruction {
    let accounts = accounts::CreateTreaty {
        governance,
        payer,
        protocol: address::protocol(),
        cedant: keys.cedant.pool,
        reinsurer: keys.reinsurer,
        treaty: keys.treaty,
        system_program: system_program::ID,
    };
    build(accounts, data::CreateTreaty { terms })
}

/// `accept_treaty`.
pub fn accept_treaty(governance: Pubkey, keys: &TreatyKeys) -> Instruction {
    let accounts = accounts::AcceptTreaty {
        governance,
        protocol: address::protocol(),
        cedant: keys.cedant.pool,
        reinsurer: keys.reinsurer,
        treaty: keys.treaty,
        cedant_vault: keys.cedant.vault(),
        reinsurer_vault: address::vault(&keys.reinsurer),
        asset_mint: keys.cedant.asset_mint,
        asset_token_program: keys.cedant.asset_token_program,
    };
    build(accounts, data::AcceptTreaty {})
}

/// `settle_treaty_premium`, of the quota share with `reinsurer`.
pub fn settle_treaty_premium(cedant: &PoolKeys, reinsurer: Pubkey) -> Instruction {
    let accounts = accounts::SettleTreatyPremium {
        cedant: cedant.pool,
        reinsurer,
        cedant_vault: cedant.vault(),
        reinsurer_vault: address::vault(&reinsurer),
        asset_mint: cedant.asset_mint,
        asset_token_program: cedant.asset_token_program,
    };
    build(accounts, data::SettleTreatyPremium {})
}

/// `call_treaty`, for the incident of a product of the cedant, which is part of a crisis.
pub fn call_treaty(keys: &TreatyKeys, product: &ProductKeys, crisis: u32) -> Instruction {
    let accounts = accounts::CallTreaty {
        cedant: keys.cedant.pool,
        reinsurer: keys.reinsurer,
        treaty: keys.treaty,
        incident: product.incident(),
        crisis: product.crisis(crisis),
        cedant_vault: keys.cedant.vault(),
        reinsurer_vault: address::vault(&keys.reinsurer),
        asset_mint: keys.cedant.asset_mint,
        asset_token_program: keys.cedant.asset_token_program,
    };
    build(accounts, data::CallTreaty {})
}

/// `end_treaty`.
pub fn end_treaty(keys: &TreatyKeys, rent_payer: Pubkey) -> Instruction {
    let accounts =
        accounts::EndTreaty { cedant: keys.cedant.pool, reinsurer: keys.reinsurer, treaty: keys.treaty, rent_payer };
    build(accounts, data::EndTreaty {})
}

/// `commute_treaty`.
pub fn commute_treaty(governance: Pubkey, keys: &TreatyKeys) -> Instruction {
    let accounts = accounts::CommuteTreaty {
        governance,
        protocol: address::protocol(),
        cedant: keys.cedant.pool,
        reinsurer: keys.reinsurer,
        treaty: keys.treaty,
        cedant_vault: keys.cedant.vault(),
        reinsurer_vault: address::vault(&keys.reinsurer),
        asset_mint: keys.cedant.asset_mint,
        asset_token_program: keys.cedant.asset_token_program,
    };
    build(accounts, data::CommuteTreaty {})
}

/// `announce_cession`.
pub fn announce_cession(
    governance: Pubkey,
    payer: Pubkey,
    cedant: Pubkey,
    reinsurer: Pubkey,
    amount: u64,
) -> Instruction {
    let accounts = accounts::AnnounceCession {
        governance,
        payer,
        protocol: address::protocol(),
        cedant,
        reinsurer,
        cession: address::cession(&cedant),
        system_program: system_program::ID,
    };
    build(accounts, data::AnnounceCession { amount })
}

/// `cede_surplus`, as it was announced.
pub fn cede_surplus(governance: Pubkey, cedant: &PoolKeys, reinsurer: Pubkey, rent_payer: Pubkey) -> Instruction {
    let accounts = accounts::CedeSurplus {
        governance,
        protocol: address::protocol(),
        cedant: cedant.pool,
        reinsurer,
        cession: address::cession(&cedant.pool),
        rent_payer,
        cedant_vault: cedant.vault(),
        reinsurer_vault: address::vault(&reinsurer),
        asset_mint: cedant.asset_mint,
        asset_token_program: cedant.asset_token_program,
    };
    build(accounts, data::CedeSurplus {})
}

/// `close_cession`.
pub fn close_cession(cedant: Pubkey, rent_payer: Pubkey) -> Instruction {
    let accounts = accounts::CloseCession { cedant, cession: address::cession(&cedant), rent_payer };
    build(accounts, data::CloseCession {})
}
