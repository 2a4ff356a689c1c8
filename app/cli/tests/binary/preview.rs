//! What the page shows before a wallet signs is what the command shows that stands beside it.

use crate::desk::Run;
use crate::scene::Scene;
use backstop::state::{CoverRequest, Tranche};
use backstop_client::act::{Act, Deposit, DepositAsk, GiveBack, Leave, LeaveAsk, Order, Part, Party, Purchase};
use backstop_client::address;
use backstop_client::cluster::Cluster;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_client::quote::Market;
use backstop_client::transaction::Pipeline;
use backstop_client::view::{OpenCover, OpenPool};
use backstop_tests::terms::{DAY, ONE};
use solana_commitment_config::CommitmentConfig;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// A text without what depends on the width of a terminal.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs an act's own command without sending, and looks for everything that the act's preview says.
#[track_caller]
fn is_shown_by_its_command(scene: &Scene, cluster: &RpcCluster, key: &Keypair, act: &impl Act) {
    let command = act.command();
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let keypair = scene.desk.keypair(key);
    let run: Run = scene.desk.look(&[&words[..], &["--keypair", &keypair, "--dry-run"]].concat());
    run.done();
    let told = flat(&run.stderr);
    let simulated = Pipeline::new(cluster, key).simulate(act.instructions()).expect("it would succeed");
    let (preview, _) = act.describe(&simulated).expect("the simulation tells");
    let rows = preview.rows.iter().map(|(name, value)| format!("{name} {value}"));
    for line in [preview.title.clone()].into_iter().chain(rows).chain(preview.warnings.clone()) {
        assert!(told.contains(&flat(&line)), "{command} does not say: {line}\n{}", run.stderr);
    }
}

#[test]
fn a_preview_is_the_same_on_the_page_and_by_the_command_beside_it() {
    let scene = Scene::new();
    let (key, holder) = (scene.person.key.insecure_clone(), scene.holder.key.insecure_clone());
    let cluster = RpcCluster::new(scene.desk.node.url(), CommitmentConfig::confirmed());
    {
        let world = scene.desk.node.world();
        world.deposit(&scene.pool, &scene.person, Tranche::Senior, 1_000 * ONE).expect("it is taken");
        world.advance(DAY);
        world.print(&scene.product, 99_900_000);
    }
    let pool = || OpenPool::read(&cluster, scene.pool.pool).expect("it is there");
    let party = Party::alone(key.pubkey());
    let ask =
        DepositAsk { tranche: Tranche::Junior, amount: 1_234_500_000, min_shares: None, from: None, admits: None };
    let deposit = Deposit::new(&cluster, &pool(), party, ask).expect("it can be");
    is_shown_by_its_command(&scene, &cluster, &key, &deposit);
    let ask = LeaveAsk { tranche: Tranche::Senior, part: Part::Bps(2_500), from: None, nonce: None, later: false };
    let leave = Leave::new(&cluster, pool(), party, ask).expect("it can be");
    is_shown_by_its_command(&scene, &cluster, &key, &leave);
    let order = Order {
        keys: scene.product,
        market: Market::fetch(&cluster, &scene.product).expect("it is there"),
        request: CoverRequest { sum_insured: 1_500_500_000, term_days: 30 },
        buyer: key.pubkey(),
        max_premium: None,
        now: cluster.now().expect("it answers"),
        from: None,
    };
    let purchase = Purchase::own(&cluster, order, party, None).expect("it can be");
    is_shown_by_its_command(&scene, &cluster, &key, &purchase);
    let open = OpenCover::find(&cluster, address::cover(&scene.cover)).expect("it is there");
    let cancel = GiveBack::new(&cluster, open, Party::alone(holder.pubkey())).expect("it can be");
    is_shown_by_its_command(&scene, &cluster, &holder, &cancel);
    assert_eq!(scene.desk.node.executed(), 0, "nothing was sent");
}
