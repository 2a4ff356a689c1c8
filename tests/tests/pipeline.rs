//! The cluster behind JSON-RPC and the transaction pipeline, against a node that does what real ones do: lose
//! transactions, lag, fall silent, and let blockhashes expire.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{AnchorDeserialize, Discriminator};
use backstop::DepositArgs;
use backstop::error::BackstopError;
use backstop::state::{Pool, Seen, Tranche};
use backstop_client::account;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::instruction::{self as ix, PoolKeys};
use backstop_client::transaction::{self, Pipeline, Prepared, PriorityFee, program_error};
use backstop_tests::terms::{self, ONE};
use backstop_tests::{Faults, Node, Person, World};
use solana_commitment_config::CommitmentConfig;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::signer::Signer;
use solana_sdk::transaction::{TransactionError, VersionedTransaction};

/// A pool on a node, and somebody who can deposit into it.
pub(super) struct Stage {
    pub node: Node,
    pub cluster: RpcCluster,
    pub pool: PoolKeys,
    pub person: Person,
}

impl Stage {
    pub fn new() -> Self {
        let world = World::new();
        let pool = world.create_pool(terms::create_pool(0));
        let person = world.person(1_000 * ONE);
        let node = Node::start(world);
        let cluster = RpcCluster::new(node.url(), CommitmentConfig::confirmed());
        Self { node, cluster, pool, person }
    }

    pub fn pipeline(&self) -> Pipeline<'_> {
        Pipeline::new(&self.cluster, &self.person.key)
    }

    pub fn deposit(&self, amount: u64) -> Vec<Instruction> {
        let owner = self.person.id();
        let (mint, program) = (self.pool.share_mint(Tranche::Senior), anchor_spl::token_2022::ID);
        let seen = Seen { products: 0, treaties: 0 };
        let args = DepositArgs { tranche: Tranche::Senior, amount, min_shares: 0, seen };
        vec![ix::create_associated_token(&owner, &owner, &mint, &program), ix::deposit(&self.pool, owner, None, args)]
    }

    pub fn prepare(&self, amount: u64) -> Prepared {
        self.pipeline().prepare(&self.deposit(amount)).expect("it can be prepared")
    }

    pub fn deposited(&self) -> u64 {
        self.node.world().pool(&self.pool).tranche(Tranche::Senior).assets
    }

    pub fn confirm(&self, prepared: &Prepared) -> backstop_client::cluster::Outcome {
        transaction::confirm(&self.cluster, std::slice::from_ref(prepared)).remove(0)
    }
}

/// The compute limit and the price that a transaction asks for.
fn budget(transaction: &VersionedTransaction) -> (Option<u32>, Option<u64>) {
    let keys = transaction.message.static_account_keys();
    let compute_budget = ComputeBudgetInstruction::set_compute_unit_limit(0).program_id;
    let (mut limit, mut price) = (None, None);
    for instruction in transaction.message.instructions() {
        if keys[usize::from(instruction.program_id_index)] != compute_budget {
            continue;
        }
        match ComputeBudgetInstruction::try_from_slice(&instruction.data).expect("it can be read") {
            ComputeBudgetInstruction::SetComputeUnitLimit(units) => limit = Some(units),
            ComputeBudgetInstruction::SetComputeUnitPrice(micro_lamports) => price = Some(micro_lamports),
            other => panic!("{other:?} was not asked for"),
        }
    }
    (limit, price)
}

#[test]
fn a_node_and_the_embedded_cluster_say_the_same() {
    let stage = Stage::new();
    let owner = stage.person.id();
    stage.pipeline().send(&stage.deposit(100 * ONE)).expect("it is confirmed");
    let addresses = [stage.pool.pool, owner, Pubkey::default(), stage.pool.vault()];
    let world = stage.node.world();
    let cluster = &world.cluster;
    let expected = (
        cluster.accounts(&addresses).expect("read"),
        cluster.program_accounts(Pool::DISCRIMINATOR, None).expect("read"),
        [anchor_spl::token::ID, anchor_spl::token_2022::ID].map(|program| cluster.tokens_of(&owner, &program)),
        (cluster.now().expect("read"), cluster.slot().expect("read"), cluster.rent(200).expect("read")),
    );
    drop(world);
    let cluster = &stage.cluster;
    assert_eq!(cluster.accounts(&addresses).expect("read"), expected.0);
    assert_eq!(cluster.account(&stage.pool.pool).expect("read"), expected.0[0]);
    assert_eq!(cluster.account(&Pubkey::new_unique()).expect("read"), None);
    assert_eq!(cluster.program_accounts(Pool::DISCRIMINATOR, None).expect("read"), expected.1);
    for (program, tokens) in [anchor_spl::token::ID, anchor_spl::token_2022::ID].iter().zip(expected.2) {
        let found = cluster.tokens_of(&owner, program).expect("read");
        assert_eq!(found.len(), 1);
        assert_eq!(found, tokens.expect("read"));
    }
    let (now, slot, rent) = expected.3;
    assert_eq!((cluster.now().expect("read"), cluster.slot().expect("read")), (now, slot));
    assert_eq!(cluster.rent(200).expect("read"), rent);
}

#[test]
fn accounts_are_found_by_a_key_that_they_hold() {
    let stage = Stage::new();
    // A pool begins with its version and the like; where its asset's mint stands is found, not assumed.
    let data = stage.cluster.account(&stage.pool.pool).expect("read").expect("it is there").data;
    let body = &data[Pool::DISCRIMINATOR.len()..];
    let offset = body.windows(32).position(|window| window == stage.pool.asset_mint.as_ref()).expect("it is in there");
    let find = |key| account::list::<Pool>(&stage.cluster, Some((offset, key))).expect("read").len();
    assert_eq!(find(stage.pool.asset_mint), 1);
    assert_eq!(find(stage.person.id()), 0);
}

#[test]
fn a_transaction_asks_for_a_tenth_more_compute_than_its_simulation_took() {
    let stage = Stage::new();
    let prepared = stage.prepare(100 * ONE);
    let used = u32::try_from(prepared.simulated.compute_units).expect("it fits");
    assert!(used > 10_000, "{used}");
    let (limit, price) = budget(&prepared.transaction);
    assert_eq!(limit, Some(used + used / 10 + 1_000));
    // Nobody paid for priority lately: the floor.
    assert!(price.is_some_and(|price| price > 0));
    assert_eq!(prepared.fee, 5_000 + transaction::FLOOR);
    stage.confirm(&prepared).expect("it is confirmed");
    assert_eq!(stage.deposited(), 100 * ONE);
}

#[test]
fn the_market_price_is_paid_and_never_above_the_cap() {
    let stage = Stage::new();
    let prepare = |price: u64, priority_fee| {
        stage.node.set_faults(Faults { priority_price: price, ..Faults::default() });
        let pipeline = Pipeline { priority_fee, ..stage.pipeline() };
        pipeline.prepare(&stage.deposit(100 * ONE)).expect("it can be prepared")
    };
    let calm = prepare(60_000, PriorityFee::Market { cap: 50_000 });
    assert_eq!(budget(&calm.transaction).1, Some(60_000), "what others pay");

    let dear = prepare(u64::MAX, PriorityFee::Market { cap: 50_000 });
    assert!((49_000..=50_000).contains(&(dear.fee - 5_000)), "{}", dear.fee);

    let fixed = prepare(u64::MAX, PriorityFee::Fixed(7_000));
    assert!((6_900..=7_000).contains(&(fixed.fee - 5_000)), "{}", fixed.fee);

    let none = prepare(u64::MAX, PriorityFee::Fixed(0));
    assert_eq!((none.fee, budget(&none.transaction).1), (5_000, None));
}

#[test]
fn the_fee_that_is_told_is_the_fee_that_is_taken() {
    let stage = Stage::new();
    stage.pipeline().send(&stage.deposit(100 * ONE)).expect("it is confirmed");
    stage.node.set_faults(Faults { priority_price: 123_456, ..Faults::default() });
    // The share account exists now: nothing but the fee leaves the wallet.
    let prepared = stage.prepare(ONE);
    let balance = || stage.cluster.account(&stage.person.id()).expect("read").expect("it is there").lamports;
    let before = balance();
    stage.confirm(&prepared).expect("it is confirmed");
    assert_eq!(before - balance(), prepared.fee);
    assert!(prepared.fee > 5_000);
}

#[test]
fn a_lost_transaction_is_sent_again_and_executes_once() {
    let stage = Stage::new();
    stage.node.set_faults(Faults { lost: 1, confirmed_after: 2, ..Faults::default() });
    stage.confirm(&stage.prepare(100 * ONE)).expect("it is confirmed");
    assert!(stage.node.asked("sendTransaction") >= 2);
    assert_eq!(stage.node.executed(), 1);
    assert_eq!(stage.deposited(), 100 * ONE);
}

#[test]
fn the_same_transaction_twice_executes_once() {
    let stage = Stage::new();
    let prepared = stage.prepare(100 * ONE);
    for _ in 0..2 {
        stage.confirm(&prepared).expect("it is confirmed");
    }
    assert_eq!(stage.node.executed(), 1);
    assert_eq!(stage.deposited(), 100 * ONE);
}

#[test]
fn what_is_only_processed_is_not_confirmed_yet() {
    let stage = Stage::new();
    stage.node.set_faults(Faults { confirmed_after: 1_000, ..Faults::default() });
    let prepared = stage.prepare(100 * ONE);
    stage.cluster.submit(&prepared.transaction).expect("it is taken in");
    let signatures = [prepared.transaction.signatures[0]];
    assert!(stage.cluster.outcomes(&signatures).expect("read")[0].is_none());
    stage.node.pass_blocks(1_000);
    assert!(matches!(stage.cluster.outcomes(&signatures).expect("read")[0], Some(Ok(_))));
}

#[test]
fn a_transaction_whose_blockhash_passes_is_told_as_expired_and_did_nothing() {
    let lost = Faults { lost: u32::MAX, lifetime: 1, ..Faults::default() };
    let stale = Faults { stale: true, ..Faults::default() };
    for faults in [lost, stale] {
        let stage = Stage::new();
        stage.node.set_faults(faults);
        let outcome = stage.pipeline().send(&stage.deposit(100 * ONE));
        assert!(matches!(outcome, Err(ClusterError::Expired { .. })), "{outcome:?}");
        assert_eq!((stage.node.executed(), stage.deposited()), (0, 0));
    }
}

#[test]
fn a_transaction_in_the_last_block_of_its_blockhash_is_waited_for_until_that_block_is_confirmed() {
    let stage = Stage::new();
    stage.node.set_faults(Faults { lifetime: 1, confirmed_after: 4, ..Faults::default() });
    stage.pipeline().send(&stage.deposit(100 * ONE)).expect("it is confirmed in the end");
    assert_eq!(stage.deposited(), 100 * ONE);
}

#[test]
fn an_expired_transaction_never_executes_later() {
    let stage = Stage::new();
    stage.node.set_faults(Faults { lifetime: 1, ..Faults::default() });
    let prepared = stage.prepare(100 * ONE);
    stage.node.pass_blocks(2);
    stage.cluster.submit(&prepared.transaction).expect("a node takes anything in");
    assert_eq!((stage.node.executed(), stage.deposited()), (0, 0));
}

#[test]
fn a_node_that_falls_silent_or_behind_for_a_moment_is_asked_again() {
    let silent = Faults { broken: 2, ..Faults::default() };
    let behind = Faults { behind: 2, ..Faults::default() };
    for faults in [silent, behind] {
        let stage = Stage::new();
        let prepared = stage.prepare(100 * ONE);
        stage.node.set_faults(faults);
        stage.confirm(&prepared).expect("it is confirmed in the end");
        assert_eq!(stage.deposited(), 100 * ONE);
    }
}

#[test]
fn a_node_that_does_not_answer_is_unreachable_and_named() {
    let stage = Stage::new();
    stage.node.set_faults(Faults { broken: u32::MAX, ..Faults::default() });
    let nobody = RpcCluster::new("http://127.0.0.1:1", CommitmentConfig::confirmed());
    for cluster in [&stage.cluster, &nobody] {
        let failure = cluster.account(&stage.pool.pool).expect_err("nobody answers");
        assert!(matches!(failure, ClusterError::Unreachable(_)), "{failure:?}");
        assert!(failure.to_string().starts_with(cluster.url()), "{failure}");
        assert_eq!(failure.to_string().lines().count(), 1, "{failure}");
    }
}

#[test]
fn a_refusal_comes_back_as_the_programs_error_with_its_logs_before_anything_is_sent() {
    let stage = Stage::new();
    let failure = stage.pipeline().send(&stage.deposit(0)).expect_err("it is too small");
    assert_eq!(program_error(&failure), Some(BackstopError::AmountTooSmall));
    let ClusterError::Failed { logs, .. } = failure else { panic!("{failure:?}") };
    assert!(logs.iter().any(|line| line.contains("AmountTooSmall")), "{logs:?}");
    assert_eq!(stage.node.asked("sendTransaction"), 0);
}

#[test]
fn a_refusal_after_a_simulation_that_passed_is_decoded_too() {
    let stage = Stage::new();
    let prepared = stage.prepare(100 * ONE);
    {
        let world = stage.node.world();
        let pause = ix::pause(world.guardian.pubkey(), 1);
        world.run(&[&world.guardian], &[pause]);
    }
    let failure = stage.confirm(&prepared).expect_err("deposits are paused");
    assert_eq!(program_error(&failure), Some(BackstopError::DepositsPaused));
    assert_eq!((stage.node.executed(), stage.deposited()), (1, 0));
}

#[test]
fn a_payer_without_lamports_is_told_before_anything_is_sent() {
    let stage = Stage::new();
    let poor = solana_sdk::signature::Keypair::new();
    let pipeline = Pipeline { signers: vec![&stage.person.key], ..Pipeline::new(&stage.cluster, &poor) };
    let failure = pipeline.send(&stage.deposit(ONE)).expect_err("nobody pays");
    assert!(matches!(failure, ClusterError::Failed { error: TransactionError::AccountNotFound, .. }), "{failure:?}");
    assert_eq!(stage.node.asked("sendTransaction"), 0);
}

#[test]
fn a_missing_signer_and_a_transaction_that_is_too_long_cannot_be_signed() {
    let stage = Stage::new();
    let world_payer = stage.node.world().payer.insecure_clone();
    let pipeline = Pipeline::new(&stage.cluster, &world_payer);
    let failure = pipeline.prepare_with_limit(&stage.deposit(100 * ONE), 200_000).expect_err("the owner is missing");
    assert!(failure.to_string().contains(&stage.person.id().to_string()), "{failure}");

    let many: Vec<Instruction> = (0..40).flat_map(|amount| stage.deposit(amount)).collect();
    let failure = stage.pipeline().prepare(&many).expect_err("it is too long");
    assert!(matches!(&failure, ClusterError::Unsignable(why) if why.contains("1232")), "{failure:?}");
}

#[test]
fn a_node_executes_nothing_whose_signature_is_wrong() {
    let stage = Stage::new();
    let mut prepared = stage.prepare(100 * ONE);
    prepared.transaction.signatures[0] = Default::default();
    let failure = stage.confirm(&prepared).expect_err("it is not signed");
    assert!(matches!(failure, ClusterError::Refused(_)), "{failure:?}");
    assert_eq!((stage.node.executed(), stage.deposited()), (0, 0));
}
