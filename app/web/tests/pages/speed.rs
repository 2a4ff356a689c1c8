//! How long a first view takes, with ten thousand covers.

use super::stage::Stage;
use backstop::state::Cover;
use backstop_client::Cluster;
use backstop_client::account::Decode;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Covers on the cluster.
const COVERS: usize = 10_000;
/// Views of each page.
const VIEWS: usize = 40;
/// What a first view may take, warm, in 95 of 100.
const BOUND: Duration = Duration::from_millis(200);

/// Writes covers of the product and their NFTs, each like one that was bought.
fn sell(stage: &Stage) {
    let scene = stage.scene.world();
    let cluster = &scene.world.cluster;
    let covers = cluster.program_accounts(Cover::TAG, None).expect("they are read");
    let (_, cover) = covers.first().expect("one was bought").clone();
    let mint = Cover::decode(&cover.data).expect("it is one").mint();
    let place = cover.data.windows(32).position(|bytes| bytes == mint.as_ref()).expect("it names its mint");
    let nft = cluster.nft_accounts(&[mint]).expect("they are read")[0].expect("somebody holds it");
    let nft = cluster.account(&nft).expect("it answers").expect("it is there");
    for number in 0..COVERS {
        let mut bytes = [0xC0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        let (mut cover, mut nft) = (cover.clone(), nft.clone());
        cover.data[place..place + 32].copy_from_slice(&bytes);
        nft.data[..32].copy_from_slice(&bytes);
        // Nobody whom a page is asked for.
        nft.data[32..64].copy_from_slice(&[0xB0; 32]);
        bytes[31] = 1;
        cluster.set_account(bytes.into(), cover);
        bytes[31] = 2;
        cluster.set_account(bytes.into(), nft);
    }
}

#[test]
fn a_first_view_of_every_page_is_quick_with_ten_thousand_covers() {
    let stage = Stage::struck();
    sell(&stage);
    let begun = Instant::now();
    stage.page.site.chain().read_now();
    let mut table = format!("reading the chain: {} ms\n", begun.elapsed().as_millis());
    let mut slowest = Duration::ZERO;
    for path in stage.paths() {
        stage.page.shown(&path);
        let mut times: Vec<Duration> = (0..VIEWS)
            .map(|_| {
                let begun = Instant::now();
                stage.page.shown(&path);
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        let (median, late) = (times[VIEWS / 2], times[VIEWS * 95 / 100]);
        slowest = slowest.max(late);
        let _ = writeln!(table, "{:>5} ms median {:>5} ms 95th  {path}", median.as_millis(), late.as_millis());
    }
    println!("{table}");
    // Others may have the machine: where only this runs, the bound is the issue's.
    let bound = if std::env::var_os("BACKSTOP_MEASURE").is_some() { BOUND } else { BOUND * 5 };
    assert!(slowest < bound, "{table}");
}
