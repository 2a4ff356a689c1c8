//! Every command that sends can be tried without sending, and its transaction be signed and sent by somebody else.

use crate::desk::Run;
use crate::scene::Scene;
use backstop_client::address;
use backstop_client::cluster::Cluster;
use backstop_client::cluster::rpc::RpcCluster;
use backstop_tests::seeded;
use backstop_tests::terms::DAY;
use base64::Engine;
use solana_commitment_config::CommitmentConfig;
use solana_sdk::signature::{Keypair, Signature};
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;

/// Commands that all succeed one after the other, and who signs each.
fn commands(scene: &Scene) -> Vec<(Keypair, Vec<String>)> {
    let world = scene.desk.node.world();
    let [governance, guardian, keeper] =
        [&world.governance, &world.guardian, &world.risk_keeper].map(|key| key.insecure_clone());
    let [person, holder] = [&scene.person.key, &scene.holder.key].map(|key| key.insecure_clone());
    let (pool, product, mint) = (scene.pool(), scene.product(), scene.pool.asset_mint);
    let price = seeded(7).pubkey();
    let second = address::pool(&mint, 1);
    let cover = address::cover(&scene.cover);
    let wallet = seeded(90).pubkey();
    [
        (&person, format!("pool deposit {pool} 100 --tranche senior")),
        (&person, format!("pool exit request {pool} 10 --tranche senior")),
        (&person, format!("cover buy {product} 100 --days 30")),
        (&holder, format!("cover cancel {cover}")),
        (&person, format!("trigger observe {product} --price {price}")),
        (&person, format!("trigger refresh {product}")),
        (&person, format!("product sync {product}")),
        (&keeper, format!("product set-rate {product} 2.1%")),
        (&governance, format!("product freeze {product}")),
        (&governance, format!("product thaw {product}")),
        (&governance, format!("product run-off {product}")),
        (&governance, format!("pool create --mint {mint} --id 1 --label USDT --uri ipfs://pool --kind reinsurance")),
        (
            &governance,
            format!(
                "treaty create --cedant {pool} --reinsurer {second} --layer --attachment 10 --limit 10 \
                 --rate-on-line-bps 500 --days 30"
            ),
        ),
        (&guardian, "protocol pause --deposits".into()),
        (&guardian, "protocol pause --lift".into()),
        (&governance, format!("protocol set-roles --guardian {wallet}")),
        (&governance, format!("protocol propose {wallet}")),
    ]
    .into_iter()
    .map(|(signer, line)| (signer.insecure_clone(), line.split_whitespace().map(str::to_owned).collect()))
    .collect()
}

/// The scene a day later, when the risk rate can move again, with a price of now.
fn scene() -> Scene {
    let scene = Scene::new();
    {
        let world = scene.desk.node.world();
        world.advance(DAY);
        world.print(&scene.product, 99_900_000);
    }
    scene
}

/// Runs a command for an address, whose key is elsewhere.
fn run(scene: &Scene, signer: &Keypair, words: &[String], further: &[&str]) -> Run {
    let address = signer.pubkey().to_string();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    scene.desk.look(&[&words[..], &["--keypair", &address], further].concat())
}

#[test]
fn every_command_that_sends_can_be_printed_and_be_signed_and_sent_by_somebody_else() {
    let scene = scene();
    let cluster = RpcCluster::new(scene.desk.node.url(), CommitmentConfig::confirmed());
    for (index, (signer, words)) in commands(&scene).iter().enumerate() {
        let dry = scene.desk.json(run(&scene, signer, words, &["--dry-run", "--output", "json"]));
        assert_eq!(dry["status"], "simulated", "{words:?}");
        assert!(dry["signature"].is_null() && dry["transaction"].is_null(), "{words:?}\n{dry}");

        let printed = run(&scene, signer, words, &["--print-tx", "--yes"]);
        let text = printed.done().trim();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
        let mut transaction: VersionedTransaction = bincode::deserialize(&bytes).expect("a transaction");
        assert_eq!(transaction.signatures, [Signature::default()], "{words:?}: one signs, who is not here");
        assert_eq!(scene.desk.node.executed(), index, "{words:?}: nothing was sent");

        transaction.signatures[0] = signer.sign_message(&transaction.message.serialize());
        cluster.submit(&transaction).expect("it is taken in");
        let outcome = cluster.outcomes(&transaction.signatures).expect("read").remove(0);
        outcome.expect("it is confirmed").unwrap_or_else(|why| panic!("{words:?}: {why}"));
    }
}

#[test]
fn every_command_that_sends_shows_first_what_it_will_do_and_asks() {
    let scene = scene();
    let mut asked = 0;
    for (signer, words) in commands(&scene) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let run = scene.desk.ask(&signer, &words);
        // Some need what others of the list did before.
        if run.code == 1 {
            run.refused(1);
            continue;
        }
        asked += 1;
        run.says(2, "nobody is there to confirm", "give --yes, or --dry-run");
        let lines: Vec<&str> = run.stderr.lines().collect();
        assert!(!lines[0].starts_with(' ') && lines[0].len() > 10, "a title comes first\n{run}");
        assert!(lines.iter().filter(|line| line.starts_with("  ")).count() >= 2, "then what matters about it\n{run}");
        assert!(lines.iter().any(|line| line.starts_with("  fee ") && line.ends_with(" SOL")), "and the fee\n{run}");
    }
    assert_eq!(asked, 13, "all but leaving, thawing, lifting and the treaty");
    assert_eq!(scene.desk.node.asked("sendTransaction"), 0);
}
