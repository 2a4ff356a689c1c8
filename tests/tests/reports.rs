//! Attested reports through the real program: every check with its own refusal, and a product from sale to payout.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::CreateAttestorSetArgs;
use backstop::error::BackstopError;
use backstop::events::{AttestorSetCreated, EquivocationReported, Observed, ProductStateSet};
use backstop::peril::evidence::Phase;
use backstop::peril::feed::Source;
use backstop::peril::feed::attested::Report;
use backstop::state::{AttestorSet, ProductState, Tranche};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_client::{address, transaction};
use backstop_tests::attest::{Attestors, FEED, attestor, sign};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Outcome, World, assert_refused, budget, explain, seeded};
use solana_sdk::signer::Signer;

const CALM: i64 = 100_000_000;
const BREACH: i64 = 90_000_000;

/// A pool with capital, and a product on reports of three of five keys.
fn stage(world: &World) -> (PoolKeys, ProductKeys, Attestors) {
    let pool = world.create_pool(terms::create_pool(0));
    let attestors = Attestors::create(world, 0, 5, 3);
    let product = world.create_product_with(&pool, on_reports(world, &attestors));
    world.depositor(&pool, Tranche::Senior, 200_000 * ONE);
    world.next_day();
    (pool, product, attestors)
}

fn on_reports(world: &World, attestors: &Attestors) -> NewProduct {
    NewProduct {
        source: Source::Attested,
        feed: FEED,
        attestors: Some(attestors.set),
        ..terms::create_product(world.covered, terms::stress())
    }
}

/// Shows a report with whatever stands before it.
fn show(world: &World, product: &ProductKeys, set: Pubkey, before: &[Instruction]) -> Outcome {
    world.send(&[], &[&[budget()], before, &[ix::observe_report(product, set)]].concat())
}

/// Shows what three of the keys say of now.
#[track_caller]
fn report(world: &World, product: &ProductKeys, attestors: &Attestors, value: i64) {
    let signed = attestors.signed(&[0, 2, 4], &attestors.report(value, world.now()));
    accepted(show(world, product, attestors.set, &[signed]));
}

#[track_caller]
fn accepted(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
}

/// Everything that a report could change.
fn bytes(world: &World, product: &ProductKeys) -> Vec<Vec<u8>> {
    let accounts = [product.trigger(), product.product, product.pool.pool];
    accounts.iter().map(|address| world.cluster.account(address).unwrap().unwrap().data).collect()
}

#[test]
fn a_product_on_reports_goes_from_sale_to_payout() {
    let world = World::new();
    let (_, product, attestors) = stage(&world);
    let buyer = world.person(10_000 * ONE);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::PrintTooOld);
    report(&world, &product, &attestors, CALM);
    let (mint, outcome) = world.buy(&product, &buyer, 1_000 * ONE, 30);
    accepted(outcome);
    world.advance(4 * DAY);
    world.next_day();
    // Eight half hours at 0.90, shown late by whoever: reports are replayable.
    let from = world.now();
    world.advance(2 * HOUR);
    for slot in 0..4 {
        let at = from + slot * 1_800 + 7;
        let signed = attestors.signed(&[1, 2, 3], &attestors.report(BREACH, at));
        accepted(show(&world, &product, attestors.set, &[signed]));
    }
    for _ in 4..8 {
        report(&world, &product, &attestors, BREACH);
        world.advance(1_800);
    }
    assert_eq!(world.trigger(&product).phase(), Phase::Met);
    world.advance(6 * HOUR);
    accepted(world.send(&[], &[ix::confirm(&product)]));
    let evidence = world.trigger(&product).evidence;
    // 5 of 15 cents.
    assert_eq!((evidence.event_at, evidence.severity_bps), (from, 3_333));
    world.open_and_fund(&product);
    let before = world.assets(&buyer);
    accepted(world.settle(&product, &buyer, &mint));
    assert!(world.assets(&buyer) - before >= 333 * ONE);
}

#[test]
fn a_report_is_told_as_the_print_that_it_is() {
    let world = World::new();
    let (_, product, attestors) = stage(&world);
    let said = Report { exponent: -2, value: 100, confidence: 1, ..attestors.report(0, world.now() - 5) };
    let signed = attestors.signed(&[4, 3, 2, 1, 0], &said);
    let receipt = show(&world, &product, attestors.set, std::slice::from_ref(&signed)).expect("it is taken");
    let observed = &transaction::events::<Observed>(&receipt.logs)[0];
    assert_eq!((observed.price, observed.confidence, observed.publish_time), (CALM as u64, 1_000_000, world.now() - 5));
    let again = show(&world, &product, attestors.set, &[signed]).expect("a report that was shown changes nothing");
    assert!(transaction::events::<Observed>(&again.logs).is_empty());
}

#[test]
fn every_check_of_a_report_has_its_own_refusal_and_changes_no_byte() {
    use BackstopError as E;
    let world = World::new();
    let (_, product, attestors) = stage(&world);
    report(&world, &product, &attestors, CALM);
    world.advance(60);
    let before = bytes(&world, &product);
    let now = world.now();
    let good = attestors.report(BREACH, now);
    let signed = |report: &Report| vec![attestors.signed(&[0, 1, 2], report)];
    let odd = |change: fn(&mut [u8; 112])| {
        let mut message = good.to_bytes();
        change(&mut message);
        vec![sign(&[&attestors.keys[0], &attestors.keys[1], &attestors.keys[2]], &message)]
    };
    let stranger = seeded(99);
    let with = |others: &[&solana_sdk::signature::Keypair]| vec![sign(others, &good.to_bytes())];
    let keys: Vec<&_> = attestors.keys.iter().collect();
    let transfer = ix::accrue(product.pool.pool);
    let mut foreign = attestors.signed(&[0, 1, 2], &good);
    foreign.program_id = anchor_spl::token::ID;
    let cases: Vec<(&str, Vec<Instruction>, E)> = vec![
        ("nothing before", vec![], E::ReportMissing),
        ("something between", [signed(&good), vec![transfer.clone()]].concat(), E::ReportMissing),
        ("two signatures", with(&keys[..2]), E::ReportSignatures),
        ("seven signatures", with(&[keys.as_slice(), &keys[..2]].concat()), E::ReportSignatures),
        ("a stranger", with(&[keys[0], keys[1], &stranger]), E::ReportUnknownKey),
        ("one key twice", with(&[keys[0], keys[1], keys[0]]), E::ReportDuplicateKey),
        ("another tag", odd(|message| message[7] = b'2'), E::ReportWrongTag),
        ("another cluster", odd(|message| message[8] ^= 1), E::ReportWrongCluster),
        ("another set", odd(|message| message[16] ^= 1), E::ReportWrongSet),
        ("another feed", odd(|message| message[48] ^= 1), E::OracleWrongFeed),
        ("another kind", odd(|message| message[80] = 1), E::ReportWrongKind),
        ("padding", odd(|message| message[83] = 1), E::ReportWrongPadding),
        ("the future", signed(&Report { observed_at: now + 1, ..good }), E::OracleFromFuture),
        ("a closed slot", signed(&Report { observed_at: now - 4 * HOUR, ..good }), E::SlotClosed),
        ("before the ring", signed(&Report { observed_at: now - 6 * DAY, ..good }), E::PrintBeforeRing),
        ("no value", signed(&Report { value: 0, ..good }), E::OracleBadPrice),
        ("a value below zero", signed(&Report { value: -1, ..good }), E::OracleBadPrice),
        ("an exponent", signed(&Report { exponent: 1, ..good }), E::OracleBadExponent),
        ("a doubt that does not fit", signed(&Report { exponent: 0, confidence: u64::MAX, ..good }), E::OracleBadPrice),
    ];
    for (what, instructions, expected) in cases {
        let outcome = show(&world, &product, attestors.set, &instructions);
        let code = outcome.as_ref().err().and_then(transaction::program_error);
        assert_eq!(code, Some(expected), "{what}: {:?}", outcome.as_ref().err().map(explain));
        assert_eq!(bytes(&world, &product), before, "{what}");
    }
    // A program that is none of the precompile may carry the same bytes: its own refusal ends the transaction before.
    assert!(show(&world, &product, attestors.set, &[foreign]).is_err());
    assert_eq!(bytes(&world, &product), before);
}

#[test]
fn offsets_that_point_elsewhere_are_refused_though_the_precompile_takes_them() {
    let world = World::new();
    let (_, product, attestors) = stage(&world);
    let before = bytes(&world, &product);
    let good = attestors.signed(&[0, 1, 2], &attestors.report(CALM, world.now()));
    let forged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut instruction = good.clone();
        change(&mut instruction.data);
        instruction
    };
    let lie = attestors.report(BREACH, world.now()).to_bytes();
    let end = good.data.len();
    // The message that is verified is the good one, appended; the one at the canonical place is a lie.
    let swapped = forged(&|data| {
        let message = data[end - 112..].to_vec();
        data[end - 112..].copy_from_slice(&lie);
        data.extend(message);
        for signature in 0..3 {
            data[2 + 14 * signature + 8..][..2].copy_from_slice(&(end as u16).to_le_bytes());
        }
    });
    assert_refused(show(&world, &product, attestors.set, &[swapped]), BackstopError::ReportWrongLength);
    // All three look at the first key and signature.
    let first = forged(&|data| {
        for signature in 1..3 {
            let (head, tail) = data.split_at_mut(2 + 14 * signature);
            tail[..14].copy_from_slice(&head[2..16]);
        }
    });
    assert_refused(show(&world, &product, attestors.set, &[first]), BackstopError::ReportNotCanonical);
    // The offsets name this very instruction by its number instead of by 0xFFFF.
    let by_number = forged(&|data| {
        for place in [4, 8, 14] {
            data[place..place + 2].copy_from_slice(&1u16.to_le_bytes());
        }
    });
    assert_refused(show(&world, &product, attestors.set, &[by_number]), BackstopError::ReportNotCanonical);
    // Everything that is verified stands in another instruction: a real report of before, and a lie here.
    let elsewhere = forged(&|data| {
        data[end - 112..].copy_from_slice(&lie);
        for signature in 0..3 {
            for place in [2, 6, 12] {
                data[2 + 14 * signature + place..][..2].copy_from_slice(&1u16.to_le_bytes());
            }
        }
    });
    let outcome = show(&world, &product, attestors.set, &[good.clone(), elsewhere]);
    assert_refused(outcome, BackstopError::ReportNotCanonical);
    // The second byte means nothing to the precompile.
    let padded = forged(&|data| data[1] = 1);
    assert_refused(show(&world, &product, attestors.set, &[padded]), BackstopError::ReportNotCanonical);
    // A byte more.
    let longer = forged(&|data| data.push(0));
    assert_refused(show(&world, &product, attestors.set, &[longer]), BackstopError::ReportWrongLength);
    // A signature that is none ends the transaction in the precompile.
    let wrong = forged(&|data| data[2 + 42 + 32] ^= 1);
    assert!(show(&world, &product, attestors.set, &[wrong]).is_err());
    assert_eq!(bytes(&world, &product), before);
}

#[test]
fn a_report_counts_for_its_own_attestors_and_accounts_only() {
    let world = World::new();
    let (pool, product, attestors) = stage(&world);
    let other = Attestors::create(&world, 1, 5, 3);
    let signed = other.signed(&[0, 1, 2], &other.report(BREACH, world.now()));
    assert_refused(show(&world, &product, other.set, std::slice::from_ref(&signed)), BackstopError::ReportWrongSet);
    assert_refused(show(&world, &product, attestors.set, &[signed]), BackstopError::ReportWrongSet);
    // A Pyth product takes no reports, and a product on reports no accounts.
    let pyth = world.create_product(&pool, terms::stress());
    let signed = attestors.signed(&[0, 1, 2], &attestors.report(CALM, world.now()));
    assert_refused(show(&world, &pyth, attestors.set, std::slice::from_ref(&signed)), BackstopError::ReportWrongSet);
    world.cluster.post_price(seeded(7).pubkey(), FEED, backstop_sandbox::embedded::Price::e8(CALM, 0, world.now()));
    let outcome = world.send(&[], &[ix::observe(&product, seeded(7).pubkey())]);
    assert_refused(outcome, BackstopError::ReportMissing);
    let mut fake = ix::observe_report(&product, attestors.set);
    fake.accounts[4].pubkey = seeded(7).pubkey();
    assert_refused(world.send(&[], &[signed, fake]), BackstopError::WrongAccount);
}

#[test]
fn six_signatures_fit_a_transaction() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let attestors = Attestors::create(&world, 0, 11, 6);
    let product = world.create_product_with(&pool, on_reports(&world, &attestors));
    let signed = attestors.signed(&[10, 8, 6, 4, 2, 0], &attestors.report(CALM, world.now()));
    let all = [budget(), signed, ix::observe_report(&product, attestors.set)];
    let sent = transaction::sign(&world.cluster, &world.payer, &[], &all).unwrap();
    let bytes = 1 + 64 * sent.signatures.len() + sent.message.serialize().len();
    assert!(bytes <= 1_232, "{bytes} bytes");
    accepted(world.cluster.send(&sent));
}

#[test]
fn a_set_is_created_once_within_its_bounds_and_knows_its_cluster() {
    let world = World::new();
    let creator = seeded(50);
    let keys: Vec<Pubkey> = (0..12).map(|number| attestor(number).pubkey()).collect();
    let create = |id: u16, threshold: u8, keys: &[Pubkey]| {
        let args = CreateAttestorSetArgs { id, threshold, keys: keys.to_vec() };
        world.send(&[&creator], &[ix::create_attestor_set(creator.pubkey(), world.payer.pubkey(), args)])
    };
    let twice = [keys[0], keys[1], keys[0]];
    let zero = [keys[0], Pubkey::default()];
    for (threshold, keys) in
        [(1, &keys[..1]), (2, &keys[..4]), (3, &keys[..2]), (6, &keys[..12]), (7, &keys[..11]), (2, &twice), (2, &zero)]
    {
        assert_refused(create(0, threshold, keys), BackstopError::BadAttestors);
    }
    let receipt = create(0, 6, &keys[..11]).expect("it is within bounds");
    let created = &transaction::events::<AttestorSetCreated>(&receipt.logs)[0];
    assert_eq!((created.id, created.threshold, created.keys.as_slice()), (0, 6, &keys[..11]));
    assert_refused(create(0, 2, &keys[..3]), BackstopError::IdTaken);
    let set: AttestorSet = world.read(&address::attestors(&creator.pubkey(), 0));
    assert_eq!((set.attestors(), set.threshold, set.live(), set.cluster), (&keys[..11], 6, 11, [7; 8]));
    assert_eq!(set.creator, creator.pubkey());
}

#[test]
fn a_condition_names_attestors_if_and_only_if_its_feed_is_one_of_reports() {
    let world = World::new();
    let (pool, _, attestors) = stage(&world);
    let set = |new: NewProduct| {
        let keys = world.announce_product(&pool, &new);
        let args = new.condition();
        let governance = world.governance.pubkey();
        let set = ix::set_condition(governance, world.payer.pubkey(), &keys, new.attestors, args);
        world.send(&[&world.governance], &[set])
    };
    let good = on_reports(&world, &attestors);
    assert_refused(set(NewProduct { attestors: None, ..good.clone() }), BackstopError::WrongAttestors);
    let pyth = NewProduct { source: Source::PythReceiver, ..good.clone() };
    assert_refused(set(pyth), BackstopError::WrongAttestors);
    revoke(&world, &attestors, 0);
    revoke(&world, &attestors, 1);
    accepted(set(good.clone()));
    revoke(&world, &attestors, 2);
    assert_refused(set(good), BackstopError::AttestorsDead);
}

/// Both messages of a key that contradicts itself, and who says so.
fn equivocation(attestors: &Attestors, place: usize, reports: [Report; 2]) -> Vec<Instruction> {
    let signed = reports.map(|report| attestors.signed(&[place], &report));
    [signed.to_vec(), vec![ix::report_equivocation(attestors.set)]].concat()
}

#[track_caller]
fn revoke(world: &World, attestors: &Attestors, place: usize) {
    let said = attestors.report(CALM, world.now());
    accepted(world.send(&[], &equivocation(attestors, place, [said, Report { value: BREACH, ..said }])));
}

#[test]
fn who_says_two_things_of_one_moment_is_revoked_and_what_was_shown_stands() {
    use BackstopError as E;
    let world = World::new();
    let (_, product, attestors) = stage(&world);
    let now = world.now();
    let said = attestors.report(CALM, now);
    let lie = Report { value: BREACH, ..said };
    // Two subsets of the keys say different things of one moment: both count, as prints of one second do, and the key
    // that signed both is known.
    accepted(show(&world, &product, attestors.set, &[attestors.signed(&[0, 1, 2], &said)]));
    accepted(show(&world, &product, attestors.set, &[attestors.signed(&[2, 3, 4], &lie)]));
    let evidence = world.trigger(&product).evidence;
    assert_eq!(evidence.last_price, BREACH as u64);
    let refused = |reports: [Report; 2], expected: E| {
        let outcome = world.send(&[], &equivocation(&attestors, 2, reports));
        let code = outcome.as_ref().err().and_then(transaction::program_error);
        assert_eq!(code, Some(expected));
    };
    refused([said, said], E::NotEquivocation);
    refused([said, Report { observed_at: now - 1, ..lie }], E::NotEquivocation);
    refused([said, Report { feed: [1; 32], ..lie }], E::NotEquivocation);
    refused([said, Report { set: seeded(1).pubkey(), ..lie }], E::ReportWrongSet);
    refused([said, Report { cluster: [0; 8], ..lie }], E::ReportWrongCluster);
    // Of two keys, of more than one, or of none.
    let accuse = ix::report_equivocation(attestors.set);
    let of = |keys: [&[usize]; 2]| {
        let [one, other] = [attestors.signed(keys[0], &said), attestors.signed(keys[1], &lie)];
        world.send(&[], &[one, other, accuse.clone()])
    };
    assert_refused(of([&[0], &[2]]), E::NotEquivocation);
    assert_refused(of([&[2, 3], &[2]]), E::ReportSignatures);
    assert_refused(world.send(&[], &[attestors.signed(&[2], &said), accuse.clone()]), E::ReportMissing);
    let stranger = seeded(98);
    let strange = [said, lie].map(|report| sign(&[&stranger], &report.to_bytes())).to_vec();
    assert_refused(world.send(&[], &[strange, vec![accuse]].concat()), E::ReportUnknownKey);

    let receipt = world.send(&[], &equivocation(&attestors, 2, [said, lie])).expect("it is a contradiction");
    let told = &transaction::events::<EquivocationReported>(&receipt.logs)[0];
    assert_eq!((told.attestors, told.key), (attestors.set, attestors.keys[2].pubkey()));
    assert_eq!((told.first.value, told.second.value, told.live, told.alive), (CALM, BREACH, 4, true));
    refused([said, lie], E::ReportRevokedKey);
    // What it signed counts no more, also of before; with the others' signatures the same report does.
    world.advance(10);
    let later = attestors.report(CALM, world.now());
    let with = |keys: &[usize]| show(&world, &product, attestors.set, &[attestors.signed(keys, &later)]);
    assert_refused(with(&[0, 1, 2]), E::ReportRevokedKey);
    accepted(with(&[0, 1, 3]));
    assert_eq!(world.trigger(&product).evidence.head, evidence.head);
}

#[test]
fn products_of_a_dead_set_run_off_by_anybody_and_their_covers_stand() {
    let world = World::new();
    let (_, product, attestors) = stage(&world);
    report(&world, &product, &attestors, CALM);
    let (_, mint) = world_holder(&world, &product);
    let retire = ix::retire_product(&product, attestors.set);
    assert_refused(world.send(&[], std::slice::from_ref(&retire)), BackstopError::AttestorsAlive);
    for place in 0..3 {
        revoke(&world, &attestors, place);
    }
    let set: AttestorSet = world.read(&attestors.set);
    assert_eq!((set.live(), set.is_alive()), (2, false));
    let signed = attestors.signed(&[3, 4], &attestors.report(CALM, world.now()));
    assert_refused(show(&world, &product, attestors.set, &[signed]), BackstopError::ReportSignatures);
    // Another set, of whatever state, does not do.
    let other = Attestors::create(&world, 1, 3, 2);
    revoke(&world, &other, 0);
    revoke(&world, &other, 1);
    let wrong = ix::retire_product(&product, other.set);
    assert_refused(world.send(&[], &[wrong]), BackstopError::ReportWrongSet);
    let receipt = world.send(&[], std::slice::from_ref(&retire)).expect("the set is dead");
    assert_eq!(transaction::events::<ProductStateSet>(&receipt.logs)[0].state, ProductState::RunOff);
    assert_refused(world.send(&[], &[retire]), BackstopError::WrongProductState);
    let buyer = world.person(10_000 * ONE);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, 30).1, BackstopError::NotSelling);
    assert_eq!(world.cover(&mint).sum_insured, 1_000 * ONE);
}

/// A cover that is bought at the price that stands.
fn world_holder(world: &World, product: &ProductKeys) -> (backstop_tests::Person, Pubkey) {
    let buyer = world.person(10_000 * ONE);
    let (mint, outcome) = world.buy(product, &buyer, 1_000 * ONE, 30);
    accepted(outcome);
    (buyer, mint)
}

/// As many keys as must sign invent an event, as deep as one can be: what that costs others is the product's cap.
#[test]
fn attestors_that_collude_cost_at_most_the_cap_of_their_product() {
    let world = World::new();
    let pool = world.create_pool(terms::create_pool(0));
    let attestors = Attestors::create(&world, 0, 5, 3);
    let mut new = on_reports(&world, &attestors);
    new.terms.cap_bps = 2_000;
    let product = world.create_product_with(&pool, new);
    let beside = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Senior, 200_000 * ONE);
    world.next_day();
    report(&world, &product, &attestors, CALM);
    let accomplice = world.person(100_000 * ONE);
    let (mint, outcome) = world.buy(&product, &accomplice, 40_000 * ONE, 30);
    accepted(outcome);
    // Neither at once nor by and by.
    let more = || world.buy(&product, &accomplice, ONE, 30).1;
    assert!(more().is_err());
    world.advance(4 * DAY);
    world.next_day();
    report(&world, &product, &attestors, CALM);
    assert_refused(more(), BackstopError::BeyondCapacity);
    let before = world.pool(&pool).loss_capital().unwrap();
    for _ in 0..9 {
        world.advance(1_800);
        let lie = attestors.signed(&[0, 1, 2], &attestors.report(1, world.now()));
        accepted(show(&world, &product, attestors.set, &[lie]));
    }
    world.advance(8 * HOUR);
    accepted(world.send(&[], &[ix::confirm(&product)]));
    world.open_and_fund(&product);
    accepted(world.settle(&product, &accomplice, &mint));
    assert_eq!(world.cover(&mint).paid, 40_000 * ONE);
    world.run(&[], &[world.close_incident(&product)]);
    let books = world.pool(&pool);
    assert!(before - books.loss_capital().unwrap() <= 40_000 * ONE);
    assert!(books.loss_capital().unwrap() >= 160_000 * ONE);
    // The pool's other products go on.
    assert_eq!((books.alerts, books.in_crisis()), (0, false));
    world.cluster.post_price(
        seeded(7).pubkey(),
        terms::FEED,
        backstop_sandbox::embedded::Price::e8(CALM, 0, world.now()),
    );
    accepted(world.send(&[], &[ix::observe(&beside, seeded(7).pubkey())]));
    accepted(world.buy(&beside, &accomplice, 1_000 * ONE, 30).1);
}
