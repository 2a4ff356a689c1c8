//! Accounts of every layout that was ever written, kept as files: whatever the program becomes, it reads them, or carries
//! them to its own layout.
//!
//! `fixtures/accounts/v1/pool.bin` are the bytes of a pool as the program wrote it on chain, and `pool.txt` beside it is
//! every field of it in words. `BACKSTOP_BLESS=1` writes the files of the layout that the program has now. Once a layout
//! is in use, its version goes into [`FROZEN`], and its files never change again.

use anchor_lang::prelude::Pubkey;
use backstop::constants::ACCOUNT_VERSION;
use backstop::peril::feed::attested::Report;
use backstop::state;
use backstop_client::account::Decode;
use backstop_client::instruction as ix;
use backstop_client::{Cluster, address};
use backstop_tests::attest::Attestors;
use backstop_tests::catalogue::stage::{REINSURERS, Setup, Stage};
use backstop_tests::catalogue::trigger::{live_products, set_stake_pool};
use backstop_tests::live::show_twice;
use backstop_tests::terms::ONE;
use backstop_tests::{budget, golden, idl};
use solana_sdk::signer::Signer;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

/// Layout versions that are in use: their files are never written anew.
const FROZEN: [u8; 1] = [1];

/// An account that is kept: its type, the name of its files, and its bytes.
struct Kept {
    kind: &'static str,
    name: &'static str,
    bytes: Vec<u8>,
}

fn folder(version: u8) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/accounts/v{version}"))
}

/// One of each account type, as the program leaves it after a good part of its life: some are there in more than one
/// form.
fn written_now() -> Vec<Kept> {
    let mut kept = vec![];
    let mut take = |stage: &Stage, kind, name, address: Pubkey| {
        let account = stage.world.cluster.account(&address).unwrap().unwrap_or_else(|| panic!("there is no {name}"));
        assert_eq!(account.owner, backstop::ID, "{name}");
        kept.push(Kept { kind, name, bytes: account.data });
    };

    // Reinsured, triggered, funded, and one cover paid.
    let stage = Stage::opened(Setup::default().reinsured());
    let ([cedant, _, reinsurer, ..], [product, ..], [quota_share, layer, _]) =
        (&stage.pools, &stage.products, &stage.treaties);
    for instruction in [
        ix::call_treaty(quota_share, product, 1),
        ix::call_treaty(layer, product, 1),
        ix::fund_incident(product, 1),
        stage.settle("carl", 0),
    ] {
        stage.act(&[], &[budget(), instruction]);
    }
    take(&stage, "Protocol", "protocol", address::protocol());
    take(&stage, "Pool", "pool", cedant.pool);
    take(&stage, "Pool", "reinsurance_pool", reinsurer.pool);
    take(&stage, "Product", "product_over", product.product);
    take(&stage, "Rates", "rates_over", product.rates());
    take(&stage, "Trigger", "trigger_triggered", product.trigger());
    take(&stage, "Incident", "incident", product.incident());
    take(&stage, "Crisis", "crisis", product.crisis(1));
    take(&stage, "Cover", "cover_settled", address::cover(&stage.cover_mint(product, "carl")));
    take(&stage, "Cover", "cover", address::cover(&stage.cover_mint(product, "cora")));
    take(&stage, "Treaty", "quota_share", quota_share.treaty);
    take(&stage, "Treaty", "layer", layer.treaty);

    // Exits paid in part, and a cession announced.
    let stage = Stage::settled(Setup::default().tight(), 50);
    let (pool, product, governance) = (&stage.pools[0], &stage.products[0], &stage.world.governance);
    let (rent, other) = (stage.rent.pubkey(), stage.pools[REINSURERS[0]].pool);
    let announce = ix::announce_cession(governance.pubkey(), rent, pool.pool, other, 1_000 * ONE);
    stage.act(&[governance], &[announce]);
    take(&stage, "Product", "product", product.product);
    take(&stage, "Rates", "rates", product.rates());
    take(&stage, "Trigger", "trigger", product.trigger());
    let alice = stage.person("alice").pubkey();
    let ticket = address::exit_ticket(&pool.pool, &alice, stage.ticket_nonce(pool, "alice"));
    take(&stage, "ExitTicket", "exit_ticket", ticket);
    take(&stage, "ExitEpoch", "exit_epoch", address::exit_epoch(&pool.pool, stage.exit_day()));
    take(&stage, "Cession", "cession", address::cession(&pool.pool));

    // A position, in force, and a lien on it.
    let stage = Stage::sold(Setup::default()).with_positions();
    let position = stage.position(&stage.products[0], "carl");
    take(&stage, "Position", "position", position);
    stage.enter("fred", 1);
    let (carl, product) = (stage.person("carl"), &stage.products[0]);
    let payee = product.pool.assets_of(&stage.person("fred").pubkey());
    let on = ix::Pledge::Position(position);
    let set = ix::set_lien(product, stage.rent.pubkey(), carl.pubkey(), on, payee, 1_000);
    stage.act(&[&carl, &stage.rent], &[set]);
    take(&stage, "Lien", "lien", address::lien(&position));

    // Five attestors, of whom one has contradicted himself.
    let attestors = Attestors::create(&stage.world, 0, 5, 3);
    let said = attestors.report(100_000_000, stage.world.now());
    let signed = [said, Report { value: 90_000_000, ..said }].map(|report| attestors.signed(&[1], &report));
    stage.act(&[], &[signed.as_slice(), &[ix::report_equivocation(attestors.set)]].concat());
    take(&stage, "AttestorSet", "attestors", attestors.set);

    // A stake pool at its peak, and a loss that nothing has confirmed yet.
    let (_, [keys, _], account) = live_products(&stage);
    show_twice(&stage.world, &keys, account);
    set_stake_pool(&stage.world, account, 100);
    stage.act(&[], &[ix::observe_live(&keys, account)]);
    take(&stage, "Live", "live", keys.live());
    kept
}

/// Accounts that there are since layout 2.
const SINCE_LAYOUT_2: [&str; 6] = ["Rates", "Crisis", "AttestorSet", "Live", "Position", "Lien"];

/// Every field of an account in words; lines, and structures of a list, that repeat are counted.
fn words(value: &impl Debug) -> String {
    let text = format!("{value:#?}");
    let mut pieces: Vec<(String, usize)> = vec![];
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut piece = line.to_owned();
        // A structure of a list has a name and no field.
        if line.ends_with(" {") && !line.contains(':') && line.starts_with(' ') {
            let indent = line.len() - line.trim_start().len();
            let close = format!("{}}},", " ".repeat(indent));
            for inner in lines.by_ref() {
                piece.push('\n');
                piece.push_str(inner);
                if inner == close {
                    break;
                }
            }
        }
        match pieces.last_mut() {
            Some((last, times)) if *last == piece => *times += 1,
            _ => pieces.push((piece, 1)),
        }
    }
    let word = |(piece, times): (String, usize)| match times {
        1 => format!("{piece}\n"),
        _ => format!("{piece} ({times} times)\n"),
    };
    pieces.into_iter().map(word).collect()
}

/// The fields of an account's bytes, read as the client reads them.
fn read(kind: &str, bytes: &[u8]) -> Option<String> {
    macro_rules! of {
        ($($name:ident),+) => {
            match kind {
                $(stringify!($name) => state::$name::decode(bytes).map(|account| words(&account)),)+
                _ => panic!("{kind} is not named here"),
            }
        };
    }
    account_types!(of)
}

#[test]
fn every_kept_account_is_read_field_by_field() {
    let now = written_now();
    let kinds: BTreeSet<String> = now.iter().map(|kept| kept.kind.to_owned()).collect();
    assert_eq!(kinds, BTreeSet::from_iter(idl::accounts()), "there is an account of every type");
    let folder = folder(ACCOUNT_VERSION);
    if golden::blessing() && !FROZEN.contains(&ACCOUNT_VERSION) {
        fs::create_dir_all(&folder).expect("the folder can be made");
        for kept in &now {
            let fields = read(kept.kind, &kept.bytes).expect("the program writes what the client reads");
            fs::write(folder.join(kept.name).with_extension("bin"), &kept.bytes).expect("the bytes are written");
            fs::write(folder.join(kept.name).with_extension("txt"), fields).expect("the fields are written");
        }
    }
    for Kept { kind, name, bytes } in &now {
        let file = |extension| folder.join(name).with_extension(extension);
        let kept = fs::read(file("bin")).unwrap_or_else(|error| panic!("{name}.bin: {error}"));
        let fields = fs::read_to_string(file("txt")).unwrap_or_else(|error| panic!("{name}.txt: {error}"));
        let found = read(kind, &kept).unwrap_or_else(|| panic!("the kept {name} cannot be read any more"));
        assert_eq!(found, fields, "a field of the kept {name} reads as something else than it was written as");
        assert_eq!(kept.len(), bytes.len(), "an account of {name} has as many bytes as when it was kept");
    }
}

#[test]
fn there_are_files_of_every_version_that_was_ever_written() {
    for version in 1..=ACCOUNT_VERSION {
        let files = fs::read_dir(folder(version)).unwrap_or_else(|error| panic!("version {version}: {error}"));
        let absent = if version == 1 { SINCE_LAYOUT_2.len() } else { 0 };
        assert!(files.count() >= 2 * (idl::accounts().len() - absent), "version {version}");
    }
    // Those of layout 1 are carried over, or refused and left alone, in `programs/backstop/tests/versions.rs`. A third
    // version: the same for the files of the second.
    assert_eq!(ACCOUNT_VERSION, 2, "an older version's files are read by nothing: see `state/version.rs`");
}

/// Layout 1 was never deployed. What the client makes of its accounts: the same as the program, which reads none.
#[test]
fn no_account_of_layout_1_is_read() {
    let mut names = 0;
    for Kept { kind, name, .. } in written_now() {
        if SINCE_LAYOUT_2.contains(&kind) {
            continue;
        }
        let old = fs::read(folder(1).join(name).with_extension("bin")).expect("the file is there");
        assert!(read(kind, &old).is_none(), "{name}");
        names += 1;
    }
    assert_eq!(names, 15);
}
