//! Instructions of attestors.

use super::stage::{Setup, Stage, key};
use super::trigger::{fall, vault_products};
use super::{Entry, Prepared, case};
use crate::attest::{Attestors, FEED, attestor, sign};
use crate::season::Season;
use crate::{budget, terms};
use anchor_lang::solana_program::instruction::Instruction;
use backstop::CreateAttestorSetArgs;
use backstop::peril::feed::Source;
use backstop::peril::feed::attested::{EVENT_EXPONENT, Report, ReportKind};
use backstop_client::instruction::{self as ix, NewProduct, ProductKeys};
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// The instructions of this file.
pub const ENTRIES: &[Entry] = &[
    Entry {
        instruction: "create_attestor_set",
        cases: &[
            case("usual", "two of three", || create_set(3, 2)),
            case("worst", "six of eleven", || create_set(11, 6)),
        ],
    },
    Entry {
        instruction: "observe_report",
        cases: &[
            case("usual", "two of three, a healthy value in a slot that has one", || observe(3, 2, false)),
            case("six", "six of eleven, a healthy value in a slot that has one", || observe(11, 6, false)),
            case("breach", "six of eleven, the first breach", || observe(11, 6, true)),
            case("loss", "two of three prove what a protocol lost: the second key", second_key),
            case("worst", "six of eleven, the first report of a reading", show),
        ],
    },
    Entry { instruction: "report_equivocation", cases: &[case("always", "", equivocate)] },
    Entry { instruction: "retire_product", cases: &[case("always", "", retire)] },
    Entry { instruction: "set_reading", cases: &[case("always", "", set_reading)] },
    Entry {
        instruction: "resolve_reading",
        cases: &[
            case("usual", "a report has stood for three days", || resolve(false)),
            case("worst", "a report falls: five of eleven who signed were revoked", || resolve(true)),
        ],
    },
];

fn create_set(count: u8, threshold: u8) -> Prepared {
    let stage = Stage::bare(Setup::default());
    let rent = stage.rent.insecure_clone();
    let create = |creator: &Keypair, id: u16| {
        let keys = (0..count).map(|number| attestor(number).pubkey()).collect();
        ix::create_attestor_set(creator.pubkey(), rent.pubkey(), CreateAttestorSetArgs { id, threshold, keys })
    };
    let (one, other) = (key("one creator"), key("another creator"));
    let [first, second, third] = [(&one, 0), (&one, 1), (&other, 0)].map(|(creator, id)| create(creator, id));
    Prepared::new(stage.world, first, &[&one, &rent]).twin("another id", second, &[&one, &rent]).twin(
        "another creator",
        third,
        &[&other, &rent],
    )
}

/// Two products on the reports of one set.
fn attested(count: u8, threshold: u8) -> (Stage, Attestors, [ProductKeys; 2]) {
    let stage = Stage::funded(Setup::default());
    let attestors = Attestors::create(&stage.world, 0, count, threshold);
    let governance = stage.world.governance.insecure_clone();
    let products = [2, 3].map(|id| {
        let keys = ProductKeys::derive(stage.pools[0], id);
        let new = NewProduct {
            source: Source::Attested,
            feed: FEED,
            attestors: Some(attestors.set),
            ..terms::create_product(stage.world.covered, stage.setup.condition)
        };
        stage.act(&[&governance], &new.instructions(governance.pubkey(), stage.rent.pubkey(), &keys, id));
        keys
    });
    (stage, attestors, products)
}

fn observe(count: u8, threshold: u8, breach: bool) -> Prepared {
    let (stage, attestors, products) = attested(count, threshold);
    let signers: Vec<usize> = (0..usize::from(threshold)).collect();
    let signed = |value: i64| attestors.signed(&signers, &attestors.report(value, stage.world.now()));
    stage.next_slot();
    for product in &products {
        let show = ix::observe_report(product, attestors.set);
        stage.act(&[], &[budget(), signed(100_000_000), show]);
    }
    stage.world.advance(60);
    let before = vec![signed(if breach { 90_000_000 } else { 100_100_000 })];
    let [first, second] = products.map(|product| ix::observe_report(&product, attestors.set));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[]).after(before)
}

/// Both messages of a key that contradicts itself.
fn contradiction(attestors: &Attestors, place: usize, at: i64) -> Vec<Instruction> {
    let report = attestors.report(100_000_000, at);
    let key = &attestors.keys[place];
    [report, Report { value: 90_000_000, ..report }].map(|report| sign(&[key], &report.to_bytes())).to_vec()
}

fn equivocate() -> Prepared {
    let stage = Stage::bare(Setup::default());
    let attestors = Attestors::create(&stage.world, 0, 3, 2);
    let before = contradiction(&attestors, 1, stage.world.now());
    let other = Attestors::create(&stage.world, 1, 3, 2);
    let [first, second] = [attestors.set, other.set].map(ix::report_equivocation);
    Prepared::new(stage.world, first, &[]).trap("another set", second, &[]).after(before)
}

fn retire() -> Prepared {
    let (stage, attestors, products) = attested(3, 2);
    for place in [0, 1] {
        let before = contradiction(&attestors, place, stage.world.now());
        stage.act(&[], &[before, vec![ix::report_equivocation(attestors.set)]].concat());
    }
    let [first, second] = products.map(|product| ix::retire_product(&product, attestors.set));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[])
}

/// A vintage and two readings on one set, with a cover on each; not yet due.
fn readings(count: u8, threshold: u8) -> (Stage, Attestors, [ProductKeys; 2]) {
    let stage = Stage::bare(Setup::default());
    let attestors = Attestors::create(&stage.world, 0, count, threshold);
    let season = Season::begin(&stage.world, attestors.set, 2);
    for product in &season.products {
        season.holder(&stage.world, product, 100 * terms::ONE);
    }
    let [first, second] = season.products[..] else { panic!("two products") };
    (stage, attestors, [first, second])
}

fn set_reading() -> Prepared {
    let stage = Stage::bare(Setup::default());
    let attestors = Attestors::create(&stage.world, 0, 3, 2);
    let season = Season::begin(&stage.world, attestors.set, 0);
    let governance = stage.world.governance.insecure_clone();
    let [first, second] = [0, 1].map(|_| {
        let product = season.announce(&stage.world);
        let (payer, args) = (stage.rent.pubkey(), season.args());
        ix::set_reading(governance.pubkey(), payer, &product, attestors.set, args)
    });
    let signers = [&governance, &stage.rent.insecure_clone()];
    Prepared::new(stage.world, first, &signers).twin("another product", second, &signers)
}

fn show() -> Prepared {
    let (stage, attestors, products) = readings(11, 6);
    let due_at = stage.world.trigger(&products[0]).reading.due_at;
    stage.world.cluster.set_time(due_at + 60);
    let before = vec![attestors.signed(&[0, 1, 2, 3, 4, 5], &attestors.report(80 * 100_000_000, due_at))];
    let [first, second] = products.map(|product| ix::observe_report(&product, attestors.set));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[]).after(before)
}

fn second_key() -> Prepared {
    let stage = Stage::bare(Setup::default());
    let attestors = Attestors::create(&stage.world, 0, 3, 2);
    let products = vault_products(&stage, &attestors);
    fall(&stage.world, &products);
    for product in &products {
        stage.act(&[], &[budget(), ix::refresh(product)]);
    }
    let at = stage.world.now();
    stage.world.advance(86_400);
    let report = attestors.report(6_600, at);
    let report = Report { kind: ReportKind::Event, exponent: EVENT_EXPONENT, ..report };
    let before = vec![attestors.signed(&[0, 1], &report)];
    let [first, second] = products.map(|product| ix::observe_report(&product, attestors.set));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[]).after(before)
}

fn resolve(falls: bool) -> Prepared {
    let (stage, attestors, products) = readings(11, 6);
    let due_at = stage.world.trigger(&products[0]).reading.due_at;
    stage.world.cluster.set_time(due_at + 60);
    let signed = attestors.signed(&[0, 1, 2, 3, 4, 5], &attestors.report(80 * 100_000_000, due_at));
    for product in &products {
        stage.act(&[], &[budget(), signed.clone(), ix::observe_report(product, attestors.set)]);
    }
    if falls {
        for place in 0..5 {
            let before = contradiction(&attestors, place, stage.world.now());
            stage.act(&[], &[before, vec![ix::report_equivocation(attestors.set)]].concat());
        }
    } else {
        stage.world.advance(3 * 86_400);
    }
    let [first, second] = products.map(|product| ix::resolve_reading(&product, attestors.set));
    Prepared::new(stage.world, first, &[]).twin("another product", second, &[])
}
