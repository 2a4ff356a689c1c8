//! Who may do what to pools and the protocol: terms and their bounds, assets, depositors, roles, pauses, share mints.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::solana_program::program_option::COption;
use anchor_lang::{AccountSerialize, AnchorSerialize};
use anchor_spl::token_2022::spl_token_2022::extension::metadata_pointer::MetadataPointer;
use anchor_spl::token_2022::spl_token_2022::extension::{BaseStateWithExtensions, ExtensionType, StateWithExtensions};
use anchor_spl::token_2022::spl_token_2022::state::Mint;
use anchor_spl::token_2022::spl_token_2022::{self, instruction as token_2022};
use anchor_spl::token_2022_extensions::spl_token_metadata_interface::instruction as metadata;
use anchor_spl::token_2022_extensions::spl_token_metadata_interface::state::{Field, TokenMetadata};
use backstop::constants::{PAUSE_DEPOSITS, PAUSE_PURCHASES};
use backstop::error::BackstopError;
use backstop::events::{GovernanceAccepted, GovernanceProposed, Initialized, PauseSet, PoolCreated, RolesSet};
use backstop::state::{Access, CoverState, PoolKind, PoolTerms, Seen, Tranche};
use backstop::{CreatePoolArgs, DepositArgs, InitializeArgs};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::instruction::{self as ix, PoolKeys};
use backstop_client::{address, transaction};
use backstop_sandbox::EmbeddedCluster;
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::world::{Outcome, START, seeded};
use backstop_tests::{Person, World, assert_books, assert_refused, explain, fixtures};
use base64::Engine;
use solana_sdk::account::Account;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::TransactionError;

// ---- terms ----

/// Asks for a pool of an asset as governance.
fn create(world: &World, keys: &PoolKeys, args: CreatePoolArgs) -> Outcome {
    let create = ix::create_pool(world.governance.pubkey(), world.payer.pubkey(), keys, args);
    world.send(&[&world.governance], &[create])
}

/// Asks for a pool of the world's asset.
fn create_of_asset(world: &World, args: CreatePoolArgs) -> Outcome {
    create(world, &PoolKeys::derive(world.asset, anchor_spl::token::ID, args.id), args)
}

/// One bound of the terms: how it is set, the edges it accepts, and the values one step outside.
struct Bound {
    name: &'static str,
    set: fn(&mut PoolTerms, u64),
    accepted: &'static [u64],
    refused: &'static [u64],
}

const MOST: u64 = 100_000_000_000_000_000;

fn small<T: TryFrom<u64>>(value: u64) -> T {
    T::try_from(value).unwrap_or_else(|_| panic!("{value} does not fit"))
}

const BOUNDS: [Bound; 13] = [
    Bound {
        name: "first deposit",
        set: |terms, value| terms.min_first_deposit = value,
        accepted: &[ONE, 4_000_000_000 * ONE],
        refused: &[0, 1_000, ONE - 1],
    },
    Bound {
        name: "ticket",
        set: |terms, value| terms.min_ticket = value,
        accepted: &[ONE, 1_000 * ONE],
        refused: &[0, ONE - 1, 1_000 * ONE + 1, u64::MAX],
    },
    Bound {
        name: "sum insured",
        set: |terms, value| terms.min_sum_insured = value,
        accepted: &[ONE, MOST],
        refused: &[0, ONE - 1],
    },
    Bound {
        name: "cooldown",
        set: |terms, value| terms.cooldown_seconds = small(value),
        accepted: &[86_400, 90 * 86_400],
        refused: &[0, 86_399, 90 * 86_400 + 1, u32::MAX as u64],
    },
    Bound {
        name: "solvency",
        set: |terms, value| terms.solvency_bps = small(value),
        accepted: &[10_000, 100_000],
        refused: &[0, 9_999, 100_001, u32::MAX as u64],
    },
    Bound {
        name: "leverage",
        set: |terms, value| terms.max_leverage_bps = small(value),
        accepted: &[10_000, 100_000],
        refused: &[0, 9_999, 100_001, u32::MAX as u64],
    },
    Bound {
        name: "junior weight",
        set: |terms, value| terms.junior_weight_bps = small(value),
        accepted: &[10_000, 100_000],
        refused: &[0, 9_999, 100_001, u32::MAX as u64],
    },
    Bound {
        name: "correlation",
        set: |terms, value| terms.rho_bps = small(value),
        accepted: &[0, 10_000],
        refused: &[10_001, u16::MAX as u64],
    },
    Bound {
        name: "reinsurance credit",
        set: |terms, value| terms.max_credit_bps = small(value),
        accepted: &[0, 5_000],
        refused: &[5_001, u16::MAX as u64],
    },
    Bound {
        name: "part of the surplus",
        set: |terms, value| terms.surplus_bps = small(value),
        accepted: &[0, 3_000],
        refused: &[3_001, u16::MAX as u64],
    },
    Bound {
        name: "group cap",
        set: |terms, value| terms.group_cap_bps = small(value),
        accepted: &[1, 10_000],
        refused: &[0, 10_001, u16::MAX as u64],
    },
    Bound {
        name: "first loss",
        set: |terms, value| terms.first_loss_bps = small(value),
        accepted: &[0, 10_000],
        refused: &[10_001, u16::MAX as u64],
    },
    Bound {
        name: "seasoning",
        set: |terms, value| terms.seasoning_days = small(value),
        accepted: &[1, 30],
        refused: &[0, 31, u16::MAX as u64],
    },
];

#[test]
fn every_bound_of_a_pool_accepts_its_edge_and_refuses_one_step_outside() {
    let world = World::new();
    let mut id = 0;
    for bound in &BOUNDS {
        for value in bound.refused {
            let mut args = terms::create_pool(id);
            (bound.set)(&mut args.terms, *value);
            assert_refused(create_of_asset(&world, args), BackstopError::OutOfBounds);
            assert!(world.cluster.account(&address::pool(&world.asset, id)).unwrap().is_none());
        }
        for value in bound.accepted {
            let mut args = terms::create_pool(id);
            (bound.set)(&mut args.terms, *value);
            let outcome = create_of_asset(&world, args.clone());
            assert!(outcome.is_ok(), "{} {value}: {}", bound.name, explain(&outcome.unwrap_err()));
            let keys = PoolKeys::derive(world.asset, anchor_spl::token::ID, id);
            assert_eq!(world.pool(&keys).terms, args.terms, "{} {value}", bound.name);
            id += 1;
        }
    }
}

#[test]
fn a_pool_is_created_as_it_was_asked_for_and_reported_whole() {
    let world = World::new();
    let authority = seeded(99).pubkey();
    let args = CreatePoolArgs {
        id: 513,
        kind: PoolKind::Reinsurance,
        access: Access::AllowList,
        deposit_authority: authority,
        ..terms::create_pool(0)
    };
    let receipt = create_of_asset(&world, args.clone()).unwrap();
    let keys = PoolKeys::derive(world.asset, anchor_spl::token::ID, 513);
    let pool = world.pool(&keys);
    assert_eq!(pool.kind(), PoolKind::Reinsurance);
    assert_eq!(pool.access(), Access::AllowList);
    assert_eq!(pool.deposit_authority, authority);
    assert_eq!(pool.rent_payer, world.payer.pubkey());
    assert_eq!((pool.asset_mint, pool.vault, pool.share_mints), (world.asset, keys.vault(), keys.share_mints));
    assert_eq!((pool.id, pool.asset_decimals, pool.accrued_at), (513, 6, world.now()));
    let [event] = &transaction::events::<PoolCreated>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.pool, event.asset_mint, event.id), (keys.pool, world.asset, 513));
    assert_eq!((event.kind, event.access, event.terms), (args.kind, args.access, args.terms));
    assert_eq!(event.deposit_authority, authority);
    assert!(event.asset_can_be_frozen, "the test mint has a freeze authority");
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn only_governance_creates_a_pool_and_each_number_once() {
    let world = World::new();
    let stranger = world.person(0);
    let keys = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0);
    let create = ix::create_pool(stranger.id(), world.payer.pubkey(), &keys, terms::create_pool(0));
    assert_refused(world.send(&[&stranger.key], &[create]), BackstopError::NotGovernance);
    world.create_pool(terms::create_pool(0));
    let before = world.pool(&keys);
    let mut other = terms::create_pool(0);
    other.terms.surplus_bps = 0;
    assert!(create_of_asset(&world, other).is_err());
    assert_eq!(world.pool(&keys), before);
}

#[test]
fn an_address_that_was_sent_lamports_before_is_not_occupied() {
    let world = World::new();
    let keys = PoolKeys::derive(world.asset, anchor_spl::token::ID, 0);
    let [junior, senior] = keys.share_mints;
    for (address, lamports) in
        [(keys.pool, 890_880), (keys.vault(), 2_039_280), (junior, 890_880), (senior, 5_000_000_000)]
    {
        world.cluster.airdrop(&address, lamports);
    }
    world.create_pool(terms::create_pool(0));
    let person = world.depositor(&keys, Tranche::Junior, 100 * ONE);
    let day = backstop::state::day_of(world.now() + 7 * DAY);
    for address in [address::exit_epoch(&keys.pool, day), address::exit_ticket(&keys.pool, &person.id(), 1)] {
        world.cluster.airdrop(&address, 890_880);
    }
    let args = backstop::RequestExitArgs { nonce: 1, tranche: Tranche::Junior, shares: 50_000 * ONE, epoch_day: day };
    world.run(&[&person.key], &[ix::request_exit(&keys, person.id(), world.payer.pubkey(), args)]);
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_label_is_one_to_ten_plain_characters() {
    let world = World::new();
    for (id, label) in ["U", "USDCwormho"].into_iter().enumerate() {
        let args = CreatePoolArgs { label: label.into(), ..terms::create_pool(u16::try_from(id).unwrap()) };
        create_of_asset(&world, args).unwrap();
    }
    for label in ["", "USDCwormhol", " USDC", "USDC ", "USDС", "US\nDC", "USDC\u{0}"] {
        let args = CreatePoolArgs { label: label.into(), ..terms::create_pool(9) };
        assert_refused(create_of_asset(&world, args), BackstopError::BadText);
    }
}

#[test]
fn an_allow_list_names_its_signer_and_every_other_access_names_none() {
    let world = World::new();
    let authority = seeded(99).pubkey();
    let args = |access, deposit_authority| CreatePoolArgs { access, deposit_authority, ..terms::create_pool(0) };
    for (access, signer) in
        [(Access::AllowList, Pubkey::default()), (Access::Open, authority), (Access::ProtocolOnly, authority)]
    {
        assert_refused(create_of_asset(&world, args(access, signer)), BackstopError::OutOfBounds);
    }
}

// ---- assets ----

/// Bytes of a Token-2022 mint with extensions as they are given: type and content.
fn extended_mint(decimals: u8, authority: &Pubkey, extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    use anchor_lang::solana_program::program_pack::Pack;
    let mint = Mint {
        mint_authority: COption::Some(*authority),
        supply: 0,
        decimals,
        is_initialized: true,
        freeze_authority: COption::None,
    };
    let mut data = vec![0; 165];
    Mint::pack(mint, &mut data[..Mint::LEN]).unwrap();
    data.push(1);
    for (kind, content) in extensions {
        data.extend(kind.to_le_bytes());
        data.extend(u16::try_from(content.len()).unwrap().to_le_bytes());
        data.extend(content);
    }
    data
}

fn write_mint(world: &World, address: Pubkey, data: Vec<u8>) {
    let lamports = world.cluster.rent(data.len()).unwrap();
    let owner = anchor_spl::token_2022::ID;
    world.cluster.set_account(address, Account { lamports, data, owner, executable: false, rent_epoch: 0 });
}

fn create_of_mint(world: &World, mint: Pubkey) -> Outcome {
    create(world, &PoolKeys::derive(mint, anchor_spl::token_2022::ID, 0), terms::create_pool(0))
}

fn logs(error: &ClusterError) -> String {
    match error {
        ClusterError::Failed { logs, .. } => logs.join("\n"),
        other => panic!("{other}"),
    }
}

#[test]
fn the_real_pyusd_mint_is_refused_with_the_reason() {
    let Some(path) = fixtures::find("pyusd_mint_token2022.json") else { return };
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = json["account"]["data"][0].as_str().unwrap();
    let data = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let mint: Pubkey = json["pubkey"].as_str().unwrap().parse().unwrap();
    let world = World::new();
    write_mint(&world, mint, data);
    let error = create_of_mint(&world, mint).unwrap_err();
    assert_eq!(transaction::program_error(&error), Some(BackstopError::AssetExtensionRefused), "{}", explain(&error));
    assert!(logs(&error).contains("refused: "), "{}", logs(&error));
    assert!(world.cluster.account(&address::pool(&mint, 0)).unwrap().is_none());
}

#[test]
fn every_extension_that_can_move_freeze_tax_hook_or_hide_balances_is_refused() {
    // Length of the content, as Token-2022 lays it out, and a word of the reason.
    let refused = [
        (ExtensionType::TransferFeeConfig, 108, "taxed"),
        (ExtensionType::MintCloseAuthority, 32, "closed"),
        (ExtensionType::ConfidentialTransferMint, 65, "hidden"),
        (ExtensionType::DefaultAccountState, 1, "frozen"),
        (ExtensionType::NonTransferable, 0, "cannot be moved"),
        (ExtensionType::InterestBearingConfig, 52, "another amount"),
        (ExtensionType::PermanentDelegate, 32, "moved or burnt by others"),
        (ExtensionType::TransferHook, 64, "stopped by a program"),
        (ExtensionType::ConfidentialTransferFeeConfig, 129, "hidden"),
        (ExtensionType::ConfidentialMintBurn, 196, "hidden"),
        (ExtensionType::ScaledUiAmount, 56, "another amount"),
        (ExtensionType::Pausable, 33, "stopped by an authority"),
    ];
    let world = World::new();
    let pointer = (ExtensionType::MetadataPointer as u16, vec![0; 64]);
    for (number, (extension, length, reason)) in (0..).zip(refused) {
        // Alone, and hidden behind a harmless one.
        let bad = (extension as u16, vec![0; length]);
        for (half, extensions) in [vec![bad.clone()], vec![pointer.clone(), bad]].into_iter().enumerate() {
            let mint = seeded(5_000 + 2 * number + half as u64).pubkey();
            write_mint(&world, mint, extended_mint(6, &world.payer.pubkey(), &extensions));
            let error = create_of_mint(&world, mint).unwrap_err();
            let refusal = transaction::program_error(&error);
            assert_eq!(refusal, Some(BackstopError::AssetExtensionRefused), "{extension:?}: {}", explain(&error));
            assert!(logs(&error).contains(reason), "{extension:?}: {}", logs(&error));
        }
    }
}

#[test]
fn an_extension_that_the_program_does_not_know_is_refused() {
    let world = World::new();
    for (number, kind) in [(0, 28), (1, 29), (2, 999), (3, u16::MAX)] {
        let mint = seeded(6_000 + number).pubkey();
        write_mint(&world, mint, extended_mint(6, &world.payer.pubkey(), &[(kind, vec![0; 32])]));
        let error = create_of_mint(&world, mint).unwrap_err();
        let refusal = transaction::program_error(&error);
        assert_eq!(refusal, Some(BackstopError::AssetExtensionRefused), "{kind}: {}", explain(&error));
    }
}

#[test]
fn an_extension_for_accounts_is_no_extension_of_a_mint() {
    let world = World::new();
    for (number, kind) in [ExtensionType::ImmutableOwner, ExtensionType::MemoTransfer].into_iter().enumerate() {
        let mint = seeded(6_500 + number as u64).pubkey();
        write_mint(&world, mint, extended_mint(6, &world.payer.pubkey(), &[(kind as u16, vec![0; 1])]));
        assert!(create_of_mint(&world, mint).is_err(), "{kind:?}");
    }
}

#[test]
fn smallest_amounts_beyond_the_greatest_are_refused_as_such() {
    let world = World::new();
    for set in [
        (|terms: &mut PoolTerms| terms.min_first_deposit = 4_000_000_000 * ONE + 1) as fn(&mut PoolTerms),
        |terms| terms.min_first_deposit = u64::MAX,
        |terms| terms.min_sum_insured = MOST + 1,
        |terms| terms.min_sum_insured = u64::MAX,
    ] {
        let mut args = terms::create_pool(0);
        set(&mut args.terms);
        assert_refused(create_of_asset(&world, args), BackstopError::AmountTooLarge);
    }
}

#[test]
fn share_tokens_carry_the_uri_of_their_pool_in_both_tranches() {
    let world = World::new();
    let args = terms::create_pool(0);
    let keys = world.create_pool(args.clone());
    assert_eq!(backstop::state::get_text(&world.pool(&keys).uri), args.uri);
    for tranche in Tranche::BOTH {
        let account = world.cluster.account(&keys.share_mint(tranche)).unwrap().unwrap();
        let text = String::from_utf8_lossy(&account.data).into_owned();
        assert!(text.contains(&args.uri), "{}", tranche.name());
    }
    // What the program takes, and what it refuses with a reason.
    let create = |id, uri: &str| create_of_asset(&world, CreatePoolArgs { uri: uri.into(), ..terms::create_pool(id) });
    create(1, &format!("https://{}", "u".repeat(88))).unwrap();
    assert_refused(create(2, &format!("https://{}", "u".repeat(89))), BackstopError::BadText);
    for uri in ["", "http://a", "ipfs://", "https://a b", "javascript:alert(1)", "HTTPS://a"] {
        assert_refused(create(2, uri), BackstopError::BadUri);
    }
    create(2, "ar://a").unwrap();
}

#[test]
fn a_mint_of_something_else_is_no_asset() {
    let world = World::new();
    let person = world.person(5);
    for account in [terms::assets_of(&person.id(), &world.asset), address::protocol(), Pubkey::default()] {
        assert!(create(&world, &PoolKeys::derive(account, anchor_spl::token::ID, 0), terms::create_pool(0)).is_err());
    }
    // The mint of one token program under the other.
    let keys = PoolKeys::derive(world.asset, anchor_spl::token_2022::ID, 0);
    assert!(create(&world, &keys, terms::create_pool(0)).is_err());
}

#[test]
fn an_asset_has_at_most_nine_decimals() {
    let world = World::new();
    for (decimals, number) in [(0, 7_000), (9, 7_001)] {
        let mint = seeded(number).pubkey();
        world.cluster.create_mint(mint, decimals, &world.payer.pubkey());
        let keys = PoolKeys::derive(mint, anchor_spl::token::ID, 0);
        let mut args = terms::create_pool(0);
        let least = backstop::constants::least_smallest_amount(decimals);
        let PoolTerms { min_first_deposit, min_ticket, min_sum_insured, .. } = &mut args.terms;
        (*min_first_deposit, *min_ticket, *min_sum_insured) = (least, least, least);
        create(&world, &keys, args).unwrap();
        let share = world.cluster.account(&keys.share_mint(Tranche::Junior)).unwrap().unwrap();
        assert_eq!(share.data[44], decimals + 3);
    }
    for (decimals, number) in [(10, 7_002), (255, 7_003)] {
        let mint = seeded(number).pubkey();
        world.cluster.create_mint(mint, decimals, &world.payer.pubkey());
        let outcome = create(&world, &PoolKeys::derive(mint, anchor_spl::token::ID, 0), terms::create_pool(0));
        assert_refused(outcome, BackstopError::AssetDecimalsRefused);
    }
}

/// A Token-2022 mint with a metadata pointer and metadata, made by the token program itself.
fn mint_with_metadata(world: &World) -> Pubkey {
    use solana_sdk_system::create_account;
    let key = seeded(8_000);
    let (mint, payer) = (key.pubkey(), world.payer.pubkey());
    let token = anchor_spl::token_2022::ID;
    let space = ExtensionType::try_calculate_account_len::<Mint>(&[ExtensionType::MetadataPointer]).unwrap();
    let rent = world.cluster.rent(space + 500).unwrap();
    let pointer = spl_token_2022::extension::metadata_pointer::instruction::initialize(&token, &mint, None, Some(mint));
    world.run(
        &[&key],
        &[
            create_account(&payer, &mint, rent, space as u64, &token),
            pointer.unwrap(),
            token_2022::initialize_mint2(&token, &mint, &payer, None, 6).unwrap(),
            metadata::initialize(
                &token,
                &mint,
                &payer,
                &mint,
                &payer,
                "Plain dollar".into(),
                "PD".into(),
                String::new(),
            ),
        ],
    );
    mint
}

/// The one instruction of the system program that the tests need.
mod solana_sdk_system {
    use anchor_lang::prelude::{AccountMeta, Pubkey};
    use anchor_lang::solana_program::instruction::Instruction;

    pub fn create_account(from: &Pubkey, to: &Pubkey, lamports: u64, space: u64, owner: &Pubkey) -> Instruction {
        let header = 0u32.to_le_bytes();
        let data = [&header[..], &lamports.to_le_bytes(), &space.to_le_bytes(), owner.as_ref()].concat();
        let accounts = vec![AccountMeta::new(*from, true), AccountMeta::new(*to, true)];
        Instruction { program_id: anchor_lang::system_program::ID, accounts, data }
    }
}

/// Puts units of a Token-2022 mint into somebody's associated account.
fn fund(world: &World, mint: &Pubkey, person: &Person, amount: u64) -> Pubkey {
    let token = anchor_spl::token_2022::ID;
    let payer = world.payer.pubkey();
    let account = address::associated_token(&person.id(), mint, &token);
    world.run(
        &[],
        &[
            ix::create_associated_token(&payer, &person.id(), mint, &token),
            token_2022::mint_to(&token, mint, &account, &payer, &[], amount).unwrap(),
        ],
    );
    account
}

/// Deposits into a pool of any asset and leaves it again.
fn deposit_and_leave(world: &World, keys: &PoolKeys, person: &Person, amount: u64) {
    let tranche = Tranche::Senior;
    world.deposit(keys, person, tranche, amount).unwrap_or_else(|error| panic!("{}", explain(&error)));
    let nonce = world.exit(keys, person, tranche, world.shares(keys, person, tranche));
    let day = world.ticket(keys, person, nonce).epoch_day;
    world.cluster.set_time((i64::from(day) + 1) * DAY);
    world.settle_epoch(keys, day).unwrap();
    world.claim(keys, person, nonce).unwrap();
    assert_books(&world.cluster, &keys.pool);
}

#[test]
fn a_token_2022_mint_with_metadata_is_accepted_and_works() {
    let world = World::new();
    let mint = mint_with_metadata(&world);
    let keys = PoolKeys::derive(mint, anchor_spl::token_2022::ID, 0);
    let receipt = create(&world, &keys, terms::create_pool(0)).unwrap();
    assert!(!transaction::events::<PoolCreated>(&receipt.logs)[0].asset_can_be_frozen);
    let person = world.person(0);
    let account = fund(&world, &mint, &person, 100 * ONE);
    deposit_and_leave(&world, &keys, &person, 100 * ONE);
    // Less the unit that rounding takes from whoever claims.
    assert_eq!(world.tokens(&account), 100 * ONE - 1);
}

#[test]
fn every_harmless_extension_is_accepted() {
    let world = World::new();
    let mint = seeded(8_100).pubkey();
    let name = TokenMetadata { mint, name: "Grouped".into(), symbol: "G".into(), ..TokenMetadata::default() };
    let mut text = Vec::new();
    name.serialize(&mut text).unwrap();
    let extensions = [
        (ExtensionType::MetadataPointer, vec![0; 64]),
        (ExtensionType::GroupPointer, vec![0; 64]),
        (ExtensionType::GroupMemberPointer, vec![0; 64]),
        (ExtensionType::TokenMetadata, text),
        (ExtensionType::TokenGroup, vec![0; 80]),
        (ExtensionType::TokenGroupMember, vec![0; 72]),
    ]
    .map(|(extension, content)| (extension as u16, content));
    write_mint(&world, mint, extended_mint(6, &world.payer.pubkey(), &extensions));
    create_of_mint(&world, mint).unwrap_or_else(|error| panic!("{}", explain(&error)));
    let keys = PoolKeys::derive(mint, anchor_spl::token_2022::ID, 0);
    let person = world.person(0);
    fund(&world, &mint, &person, 100 * ONE);
    deposit_and_leave(&world, &keys, &person, 100 * ONE);
}

// ---- share mints ----

/// Reads a share mint as a wallet does.
fn share_mint(world: &World, address: &Pubkey) -> (Mint, TokenMetadata, MetadataPointer, Vec<ExtensionType>) {
    let account = world.cluster.account(address).unwrap().expect("the share mint is there");
    assert_eq!(account.owner, anchor_spl::token_2022::ID);
    let mint = StateWithExtensions::<Mint>::unpack(&account.data).unwrap();
    let shown = mint.get_variable_len_extension::<TokenMetadata>().unwrap();
    let pointer = *mint.get_extension::<MetadataPointer>().unwrap();
    (mint.base, shown, pointer, mint.get_extension_types().unwrap())
}

#[test]
fn share_mints_show_a_name_that_nobody_can_change_and_cannot_be_frozen() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(7));
    for (tranche, name, symbol) in
        [(Tranche::Junior, "Backstop USDT 7 Junior", "bUSDT-J"), (Tranche::Senior, "Backstop USDT 7 Senior", "bUSDT-S")]
    {
        let address = keys.share_mint(tranche);
        let (mint, shown, pointer, extensions) = share_mint(&world, &address);
        assert_eq!((shown.name.as_str(), shown.symbol.as_str()), (name, symbol));
        assert_eq!(shown.mint, address);
        assert_eq!(Option::<Pubkey>::from(shown.update_authority), None);
        assert_eq!(Option::<Pubkey>::from(pointer.authority), None);
        assert_eq!(Option::<Pubkey>::from(pointer.metadata_address), Some(address));
        assert_eq!(mint.mint_authority, COption::Some(keys.pool));
        assert_eq!(mint.freeze_authority, COption::None);
        assert_eq!((mint.supply, mint.decimals), (0, 9));
        assert_eq!(extensions, [ExtensionType::MetadataPointer, ExtensionType::TokenMetadata]);

        // Nobody can change it: not governance, not whoever paid for it.
        let before = world.cluster.account(&address).unwrap().unwrap().data;
        for key in [&world.governance, &world.payer] {
            let token = anchor_spl::token_2022::ID;
            let rename = metadata::update_field(&token, &address, &key.pubkey(), Field::Name, "Safe dollar".into());
            assert!(world.send(&[key], &[rename]).is_err());
            let mint_to = token_2022::mint_to(&token, &address, &address, &key.pubkey(), &[], 1).unwrap();
            assert!(world.send(&[key], &[mint_to]).is_err());
        }
        assert_eq!(world.cluster.account(&address).unwrap().unwrap().data, before);
    }
}

// ---- depositors ----

fn deposit_with(world: &World, keys: &PoolKeys, person: &Person, authority: Option<&Keypair>, signs: bool) -> Outcome {
    let args = DepositArgs { tranche: Tranche::Junior, amount: 20 * ONE, min_shares: 0, seen: world.pool(keys).seen() };
    let shares = ix::create_associated_token(
        &world.payer.pubkey(),
        &person.id(),
        &keys.share_mint(Tranche::Junior),
        &anchor_spl::token_2022::ID,
    );
    let mut deposit = ix::deposit(keys, person.id(), authority.map(|key| key.pubkey()), args);
    let mut signers = vec![&person.key];
    if let Some(key) = authority {
        if signs {
            signers.push(key);
        } else {
            for account in deposit.accounts.iter_mut().filter(|account| account.pubkey == key.pubkey()) {
                account.is_signer = false;
            }
        }
    }
    world.send(&signers, &[shares, deposit])
}

#[test]
fn an_open_pool_takes_everybody_and_an_allow_list_only_whom_its_authority_signs_for() {
    let world = World::new();
    let authority = seeded(99);
    let open = world.create_pool(terms::create_pool(0));
    let listed = world.create_pool(CreatePoolArgs {
        access: Access::AllowList,
        deposit_authority: authority.pubkey(),
        ..terms::create_pool(1)
    });
    let person = world.person(1_000 * ONE);
    deposit_with(&world, &open, &person, None, true).unwrap();

    let refused = BackstopError::DepositorNotAdmitted;
    assert_refused(deposit_with(&world, &listed, &person, None, true), refused);
    assert_refused(deposit_with(&world, &listed, &person, Some(&seeded(98)), true), refused);
    assert_refused(deposit_with(&world, &listed, &person, Some(&world.governance), true), refused);
    // The right name without its signature.
    assert!(deposit_with(&world, &listed, &person, Some(&authority), false).is_err());
    assert_eq!(world.pool(&listed).cash, 0);
    deposit_with(&world, &listed, &person, Some(&authority), true).unwrap();
    assert_eq!(world.pool(&listed).cash, 20 * ONE);

    // To leave, nobody's signature is needed.
    let shares = world.shares(&listed, &person, Tranche::Junior);
    world.exit(&listed, &person, Tranche::Junior, shares);
}

#[test]
fn a_pool_of_the_protocol_takes_no_deposits_and_is_fed_by_contributions() {
    let world = World::new();
    let keys = world.create_pool(CreatePoolArgs {
        kind: PoolKind::Reinsurance,
        access: Access::ProtocolOnly,
        ..terms::create_pool(0)
    });
    let person = world.person(1_000 * ONE);
    for authority in [None, Some(&world.governance)] {
        assert_refused(deposit_with(&world, &keys, &person, authority, true), BackstopError::NoOutsideDeposits);
    }
    world.run(&[&person.key], &[ix::contribute_surplus(&keys, person.id(), 300 * ONE, Seen::ANYTHING)]);
    let pool = world.pool(&keys);
    assert_eq!((pool.surplus, pool.cash), (300 * ONE, 300 * ONE));
    assert_books(&world.cluster, &keys.pool);
}

// ---- roles ----

/// A cluster with the program and an upgrade authority, and no protocol yet.
fn bare() -> (EmbeddedCluster, Keypair, Keypair) {
    let (authority, payer) = (seeded(50), seeded(51));
    let cluster = EmbeddedCluster::start(START, &authority.pubkey());
    cluster.airdrop(&authority.pubkey(), 1_000_000_000_000);
    cluster.airdrop(&payer.pubkey(), 1_000_000_000_000);
    (cluster, authority, payer)
}

fn roles() -> InitializeArgs {
    let [governance, guardian, risk_keeper] = [2, 3, 4].map(|seed| seeded(seed).pubkey());
    InitializeArgs { governance, guardian, risk_keeper, genesis_hash: [7; 32] }
}

#[test]
fn only_the_upgrade_authority_initializes_and_only_once() {
    let (cluster, authority, payer) = bare();
    let stranger = seeded(52);
    let initialize = |signer: &Keypair, args| {
        cluster.svm().expire_blockhash();
        let call = ix::initialize(signer.pubkey(), payer.pubkey(), args);
        transaction::send(&cluster, &payer, &[signer], &[call])
    };
    assert_refused(initialize(&stranger, roles()), BackstopError::NotUpgradeAuthority);
    assert_refused(initialize(&payer, roles()), BackstopError::NotUpgradeAuthority);
    assert!(cluster.account(&address::protocol()).unwrap().is_none());
    let receipt = initialize(&authority, roles()).unwrap();
    let [event] = &transaction::events::<Initialized>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.governance, event.guardian), (roles().governance, roles().guardian));
    let before = cluster.account(&address::protocol()).unwrap();
    let second = InitializeArgs { governance: stranger.pubkey(), ..roles() };
    assert!(initialize(&authority, second).is_err());
    assert_eq!(cluster.account(&address::protocol()).unwrap(), before);
}

#[test]
fn another_programs_data_does_not_name_the_upgrade_authority() {
    let (cluster, authority, payer) = bare();
    let stranger = seeded(52);
    // The same header with the stranger's key, under another address and under no loader at all.
    let mut fake = cluster.account(&address::program_data()).unwrap().unwrap();
    fake.data[13..45].copy_from_slice(stranger.pubkey().as_ref());
    let fake_address = seeded(53).pubkey();
    cluster.set_account(fake_address, fake);
    let mut call = ix::initialize(stranger.pubkey(), payer.pubkey(), roles());
    for account in call.accounts.iter_mut().filter(|account| account.pubkey == address::program_data()) {
        account.pubkey = fake_address;
    }
    let outcome = transaction::send(&cluster, &payer, &[&stranger], &[call]);
    assert_refused(outcome, BackstopError::WrongProgramData);
    // A program whose authority was given up has nobody who may.
    let mut data = cluster.account(&address::program_data()).unwrap().unwrap();
    data.data[12] = 0;
    cluster.set_account(address::program_data(), data);
    let call = ix::initialize(authority.pubkey(), payer.pubkey(), roles());
    let outcome = transaction::send(&cluster, &payer, &[&authority], &[call]);
    assert_refused(outcome, BackstopError::NotUpgradeAuthority);
}

#[test]
fn no_role_is_the_zero_address() {
    let (cluster, authority, payer) = bare();
    for args in [
        InitializeArgs { governance: Pubkey::default(), ..roles() },
        InitializeArgs { guardian: Pubkey::default(), ..roles() },
        InitializeArgs { risk_keeper: Pubkey::default(), ..roles() },
    ] {
        let call = ix::initialize(authority.pubkey(), payer.pubkey(), args);
        assert_refused(transaction::send(&cluster, &payer, &[&authority], &[call]), BackstopError::NoSuchRole);
    }
    let world = World::new();
    let key = world.governance.pubkey();
    for (guardian, risk_keeper) in [(Pubkey::default(), key), (key, Pubkey::default())] {
        let call = ix::set_roles(key, guardian, risk_keeper);
        assert_refused(world.send(&[&world.governance], &[call]), BackstopError::NoSuchRole);
    }
}

#[test]
fn governance_changes_hands_in_two_steps() {
    let world = World::new();
    let (old, new, stranger) = (&world.governance, seeded(60), seeded(61));
    let propose = |by: &Keypair, who: Pubkey| world.send(&[by], &[ix::propose_governance(by.pubkey(), who)]);
    let accept = |by: &Keypair| world.send(&[by], &[ix::accept_governance(by.pubkey())]);

    assert_refused(propose(&stranger, stranger.pubkey()), BackstopError::NotGovernance);
    assert_refused(accept(&new), BackstopError::NotPendingGovernance);
    let receipt = propose(old, new.pubkey()).unwrap();
    let [event] = &transaction::events::<GovernanceProposed>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.governance, event.proposed), (old.pubkey(), new.pubkey()));
    // Nothing has changed hands: the old one governs, the new one does not, and the old one cannot accept for it.
    assert_eq!(world.protocol().governance, old.pubkey());
    world.create_pool(terms::create_pool(0));
    assert_refused(propose(&new, stranger.pubkey()), BackstopError::NotGovernance);
    assert_refused(accept(&stranger), BackstopError::NotPendingGovernance);
    assert_refused(accept(old), BackstopError::NotPendingGovernance);

    // A proposal can be withdrawn, and replaced.
    propose(old, Pubkey::default()).unwrap();
    assert_refused(accept(&new), BackstopError::NotPendingGovernance);
    propose(old, stranger.pubkey()).unwrap();
    propose(old, new.pubkey()).unwrap();
    assert_refused(accept(&stranger), BackstopError::NotPendingGovernance);

    let receipt = accept(&new).unwrap();
    let [event] = &transaction::events::<GovernanceAccepted>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.before, event.governance), (old.pubkey(), new.pubkey()));
    let protocol = world.protocol();
    assert_eq!((protocol.governance, protocol.pending_governance), (new.pubkey(), Pubkey::default()));
    assert_refused(propose(old, old.pubkey()), BackstopError::NotGovernance);
    // Accepting twice is nothing.
    assert_refused(accept(&new), BackstopError::NotPendingGovernance);
}

#[test]
fn only_governance_appoints_guardian_and_risk_keeper() {
    let world = World::new();
    let (guardian, keeper) = (seeded(60), seeded(61));
    for key in [&world.guardian, &world.risk_keeper, &world.payer] {
        let call = ix::set_roles(key.pubkey(), guardian.pubkey(), keeper.pubkey());
        assert_refused(world.send(&[key], &[call]), BackstopError::NotGovernance);
    }
    let call = ix::set_roles(world.governance.pubkey(), guardian.pubkey(), keeper.pubkey());
    let receipt = world.run(&[&world.governance], &[call]);
    let [event] = &transaction::events::<RolesSet>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.guardian, event.risk_keeper), (guardian.pubkey(), keeper.pubkey()));
    let old = world.send(&[&world.guardian], &[ix::pause(world.guardian.pubkey(), PAUSE_DEPOSITS)]);
    assert_refused(old, BackstopError::NotGuardian);
    world.run(&[&guardian], &[ix::pause(guardian.pubkey(), PAUSE_DEPOSITS)]);
}

// ---- pauses ----

fn pause(world: &World, bits: u8) -> Outcome {
    world.send(&[&world.guardian], &[ix::pause(world.guardian.pubkey(), bits)])
}

#[test]
fn only_the_guardian_pauses_and_only_what_can_be_paused() {
    let world = World::new();
    for key in [&world.governance, &world.risk_keeper, &world.payer] {
        let call = ix::pause(key.pubkey(), PAUSE_DEPOSITS);
        assert_refused(world.send(&[key], &[call]), BackstopError::NotGuardian);
        assert_refused(world.send(&[key], &[ix::pause(key.pubkey(), 0)]), BackstopError::NotGuardian);
    }
    for bits in [4, 7, 128, 255] {
        assert_refused(pause(&world, bits), BackstopError::OutOfBounds);
    }
    assert_eq!(world.protocol().pause, Default::default());
}

#[test]
fn a_pause_stops_deposits_or_purchases_and_ends_by_itself_after_six_hours() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    world.depositor(&keys, Tranche::Senior, 10_000 * ONE);
    world.next_day();
    let person = world.person(10_000 * ONE);
    let deposit = || world.deposit(&keys, &person, Tranche::Senior, 50 * ONE);
    let buy = || {
        world.print(&product, 100_000_000);
        world.buy(&product, &person, 10 * ONE, 7).1
    };
    let begun = world.now();
    let receipt = pause(&world, PAUSE_DEPOSITS).unwrap();
    let [event] = &transaction::events::<PauseSet>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.bits, event.until), (PAUSE_DEPOSITS, begun + 6 * HOUR));
    assert_refused(deposit(), BackstopError::DepositsPaused);
    buy().unwrap();

    // A second pause of the other kind does not reopen the first.
    world.advance(HOUR);
    let receipt = pause(&world, PAUSE_PURCHASES).unwrap();
    let [event] = &transaction::events::<PauseSet>(&receipt.logs)[..] else { panic!("one event") };
    assert_eq!((event.bits, event.until), (PAUSE_DEPOSITS | PAUSE_PURCHASES, begun + 7 * HOUR));
    assert_refused(deposit(), BackstopError::DepositsPaused);
    assert_refused(buy(), BackstopError::PurchasesPaused);

    world.cluster.set_time(begun + 7 * HOUR - 1);
    assert_refused(deposit(), BackstopError::DepositsPaused);
    assert_refused(buy(), BackstopError::PurchasesPaused);
    world.advance(1);
    deposit().unwrap();
    buy().unwrap();
}

#[test]
fn the_guardian_has_three_pauses_in_any_seven_days_and_may_lift_one() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let person = world.person(1_000 * ONE);
    let first = world.now();
    pause(&world, PAUSE_DEPOSITS).unwrap();
    assert_refused(world.deposit(&keys, &person, Tranche::Junior, 50 * ONE), BackstopError::DepositsPaused);
    // To lift a pause costs none, and gives none back.
    pause(&world, 0).unwrap();
    world.deposit(&keys, &person, Tranche::Junior, 50 * ONE).unwrap();
    world.advance(2 * DAY);
    pause(&world, PAUSE_DEPOSITS).unwrap();
    world.advance(2 * DAY);
    pause(&world, PAUSE_DEPOSITS).unwrap();
    let before = world.protocol().pause;
    world.cluster.set_time(first + 7 * DAY - 1);
    assert_refused(pause(&world, PAUSE_DEPOSITS), BackstopError::NoPauseLeft);
    assert_eq!(world.protocol().pause, before);
    world.advance(1);
    pause(&world, PAUSE_DEPOSITS).unwrap();
    assert_refused(pause(&world, PAUSE_DEPOSITS), BackstopError::NoPauseLeft);
}

/// Writes a pause of everything that never ends: more than any guardian can do.
fn pause_for_ever(world: &World) {
    let mut protocol = world.protocol();
    protocol.pause.bits = u8::MAX;
    protocol.pause.until = i64::MAX;
    let mut account = world.cluster.account(&address::protocol()).unwrap().unwrap();
    let mut data = Vec::new();
    protocol.try_serialize(&mut data).unwrap();
    account.data[..data.len()].copy_from_slice(&data);
    world.cluster.set_account(address::protocol(), account);
}

#[test]
fn pausing_everything_leaves_every_exit_and_settlement_working() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    let other = world.create_product(&keys, terms::severe());
    let junior = world.depositor(&keys, Tranche::Junior, 50_000 * ONE);
    let senior = world.depositor(&keys, Tranche::Senior, 50_000 * ONE);
    world.next_day();
    let (holder, cover) = world.holder(&product, 10_000 * ONE, 30);
    let (canceller, cancelled) = world.holder(&other, 100 * ONE, 30);

    pause_for_ever(&world);
    let refused = world.deposit(&keys, &world.person(100 * ONE), Tranche::Junior, 100 * ONE);
    assert_refused(refused, BackstopError::DepositsPaused);
    assert_refused(world.buy(&other, &canceller, 10 * ONE, 7).1, BackstopError::PurchasesPaused);

    // Everything else: premium, gifts, exits, evidence, incidents, closing.
    world.run(&[], &[ix::accrue(keys.pool)]);
    let giver = world.person(ONE);
    world.run(&[&giver.key], &[ix::contribute_surplus(&keys, giver.id(), ONE, Seen::ANYTHING)]);
    let rent_payer = world.payer.pubkey();
    world.next_day();
    world.run(&[&canceller.key], &[ix::cancel_cover(&other, canceller.id(), cancelled, rent_payer)]);
    let quarter = world.shares(&keys, &senior, Tranche::Senior) / 4;
    let kept = world.exit(&keys, &senior, Tranche::Senior, quarter);
    let given_up = world.exit(&keys, &senior, Tranche::Senior, quarter);
    let ticket = world.ticket(&keys, &senior, given_up);
    world.next_day();
    world.run(&[&senior.key], &[ix::cancel_exit(&keys, &ticket)]);
    let day = ticket.epoch_day;
    world.cluster.set_time((i64::from(day) + 1) * DAY);
    world.settle_epoch(&keys, day).unwrap();
    world.claim(&keys, &senior, kept).unwrap();
    world.run(&[], &[ix::close_exit_epoch(keys.pool, day, rent_payer)]);
    world.run(&[], &[ix::refresh(&product)]);
    world.depeg(&product, 80_000_000);
    world.open_and_fund(&product);
    world.settle(&product, &holder, &cover).unwrap();
    assert_eq!(world.cover(&cover).state, CoverState::Settled);
    world.run(&[], &[world.close_incident(&product)]);
    world.run(&[&holder.key], &[ix::close_cover(&product, Some(holder.id()), cover, rent_payer)]);
    world.run(&[], &[ix::sync_product(&other)]);

    // The last ones leave, with all there is.
    for (person, tranche) in [(&junior, Tranche::Junior), (&senior, Tranche::Senior)] {
        let nonce = world.exit(&keys, person, tranche, world.shares(&keys, person, tranche));
        let day = world.ticket(&keys, person, nonce).epoch_day;
        world.cluster.set_time((i64::from(day) + 1) * DAY);
        world.settle_epoch(&keys, day).unwrap();
        world.claim(&keys, person, nonce).unwrap();
    }
    let pool = world.pool(&keys);
    assert_eq!(pool.tranches.map(|book| (book.assets, book.exiting, book.shares)), [(0, 0, 0); 2]);
    assert_books(&world.cluster, &keys.pool);
}

// ---- accounts that an instruction does not name ----

#[test]
fn accounts_beyond_those_that_an_instruction_names_are_refused() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    let person = world.depositor(&keys, Tranche::Junior, 100 * ONE);
    let nonce = world.exit(&keys, &person, Tranche::Junior, 50 * ONE * 1_000);
    let ticket = world.ticket(&keys, &person, nonce);
    let day = ticket.epoch_day;
    let governance = world.governance.pubkey();
    let args = DepositArgs { tranche: Tranche::Junior, amount: ONE, min_shares: 0, seen: world.pool(&keys).seen() };
    let calls: Vec<(&Keypair, Instruction)> = vec![
        (&person.key, ix::deposit(&keys, person.id(), None, args)),
        (&world.payer, ix::accrue(keys.pool)),
        (&person.key, ix::contribute_surplus(&keys, person.id(), 1, Seen::ANYTHING)),
        (&person.key, ix::cancel_exit(&keys, &ticket)),
        (&world.payer, ix::settle_exit_epoch(keys.pool, day)),
        (&world.payer, ix::claim_exit(&keys, &ticket)),
        (&world.payer, ix::close_exit_epoch(keys.pool, day, ticket.rent_payer)),
        (&world.guardian, ix::pause(world.guardian.pubkey(), PAUSE_DEPOSITS)),
        (&world.governance, ix::propose_governance(governance, governance)),
        (&world.governance, ix::set_roles(governance, governance, governance)),
        (&world.governance, ix::open_series(governance, world.payer.pubkey(), keys.pool, Tranche::Junior, 1)),
    ];
    for (signer, mut call) in calls {
        let further = anchor_lang::prelude::AccountMeta::new_readonly(keys.pool, false);
        call.accounts.push(further);
        let outcome = world.send(&[signer], &[call]);
        assert_refused(outcome, BackstopError::UnexpectedAccounts);
    }
}

#[test]
fn an_account_of_another_kind_in_a_pools_place_is_refused() {
    let world = World::new();
    let keys = world.create_pool(terms::create_pool(0));
    for place in [address::protocol(), keys.vault(), keys.share_mint(Tranche::Junior), world.payer.pubkey()] {
        let outcome = world.send(&[], &[ix::accrue(place)]);
        let error = outcome.expect_err("only a pool accrues");
        let ClusterError::Failed { error: TransactionError::InstructionError(..), .. } = error else {
            panic!("{error}")
        };
    }
}
