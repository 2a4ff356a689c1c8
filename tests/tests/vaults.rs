//! A product of vaults with two keys, through the real program: what is refused, and what each refusal leaves as it was.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::AccountMeta;
use backstop::error::BackstopError as E;
use backstop::events::{DropArmed, LossReported, ReadingShown};
use backstop::peril::evidence::{Direction, Phase, Severity};
use backstop::peril::feed::Source;
use backstop::peril::feed::attested::{EVENT_EXPONENT, Report, ReportKind};
use backstop::state::{Live, ProductTerms, Tranche};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_client::view::Case;
use backstop_client::view::cover::payout;
use backstop_client::view::incident::next_step;
use backstop_client::{audit, transaction};
use backstop_tests::attest::{Attestors, FEED, sign};
use backstop_tests::live::{condition, drop_condition, drop_terms, put, show_vaults, show_vaults_twice};
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{Outcome, Person, World, assert_refused, budget, explain, seeded};
use solana_sdk::signer::Signer;

struct Stage {
    world: World,
    pool: PoolKeys,
    attestors: Attestors,
    vaults: Vec<Pubkey>,
}

/// A cover, and who is in it.
struct Insured {
    product: ProductKeys,
    provider: Person,
    buyer: Person,
    mint: Pubkey,
}

impl Stage {
    /// A pool that waits long enough, attestors, and two vaults that hold 60 and 40.
    fn new() -> Self {
        let world = World::new();
        let mut args = terms::create_pool(0);
        args.terms.cooldown_seconds = u32::try_from(21 * DAY).unwrap();
        let pool = world.create_pool(args);
        let attestors = Attestors::create(&world, 0, 3, 2);
        let stage = Self { vaults: Vec::new(), attestors, pool, world };
        let vaults = vec![stage.hold(0, 60), stage.hold(1, 40)];
        Self { vaults, ..stage }
    }

    fn hold(&self, number: u64, amount: u64) -> Pubkey {
        self.world.cluster.set_tokens(&seeded(720 + number).pubkey(), &self.world.covered, amount * ONE)
    }

    fn product(&self) -> NewProduct {
        NewProduct {
            source: Source::VaultDrop,
            feed: FEED,
            attestors: Some(self.attestors.set),
            vaults: self.vaults.clone(),
            terms: drop_terms(),
            ..terms::create_product(self.world.covered, drop_condition())
        }
    }

    /// Announces a product, and what comes of its condition.
    fn set(&self, change: &dyn Fn(&mut NewProduct)) -> Outcome {
        let mut new = self.product();
        change(&mut new);
        let keys = self.world.announce_product(&self.pool, &new);
        let set = new.set_condition(self.world.governance.pubkey(), self.world.payer.pubkey(), &keys);
        self.world.send(&[&self.world.governance], &[set])
    }

    /// A product that is armed: the vaults have lost 66 of 100.
    fn armed(&self) -> ProductKeys {
        self.armed_with(self.product(), |armed| {
            assert_eq!((armed.mean_price, armed.severity_bps), (34_000_000, 10_000));
        })
    }

    fn armed_with(&self, new: NewProduct, look: impl Fn(&DropArmed)) -> ProductKeys {
        let product = self.world.create_product_with(&self.pool, new);
        show_vaults_twice(&self.world, &product);
        self.world.advance(3 * DAY);
        show_vaults_twice(&self.world, &product);
        for (number, left) in [(0, 0), (1, 34)] {
            self.hold(number, left);
        }
        for _ in 0..10 {
            show_vaults_twice(&self.world, &product);
        }
        self.world.advance(60);
        let logs = accepted(show_vaults(&self.world, &product));
        look(&transaction::events::<DropArmed>(&logs)[0]);
        product
    }

    /// A product in a pool with capital, and a cover of it that has been in force for some hours.
    fn insured(&self, new: NewProduct, capital: u64, sum: u64) -> Insured {
        let world = &self.world;
        let product = world.create_product_with(&self.pool, new);
        let provider = world.depositor(&self.pool, Tranche::Senior, capital);
        world.next_day();
        show_vaults_twice(world, &product);
        world.advance(3 * DAY);
        show_vaults_twice(world, &product);
        let buyer = world.person(sum);
        let (mint, outcome) = world.buy(&product, &buyer, sum, 60);
        accepted(outcome);
        world.advance(4 * DAY);
        Insured { product, provider, buyer, mint }
    }

    /// The vaults lose 60 of 100, until it arms; after each showing something is looked at.
    fn fall(&self, product: &ProductKeys, look: impl Fn()) {
        self.hold(0, 0);
        for _ in 0..11 {
            show_vaults_twice(&self.world, product);
            look();
        }
    }

    fn event(&self, value: i64) -> Report {
        let report = self.attestors.report(value, self.world.now());
        Report { kind: ReportKind::Event, exponent: EVENT_EXPONENT, ..report }
    }

    fn submit(&self, product: &ProductKeys, keys: &[usize], report: &Report) -> Outcome {
        let keys: Vec<_> = keys.iter().map(|place| &self.attestors.keys[*place]).collect();
        let signed = sign(&keys, &report.to_bytes());
        self.world.send(&[], &[signed, ix::observe_report(product, self.attestors.set)])
    }
}

#[track_caller]
fn accepted(outcome: Outcome) -> Vec<String> {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error))).logs
}

/// The audit finds nothing, wherever the two keys are.
#[track_caller]
fn audited(world: &World) {
    let audit = audit::run(&world.cluster, None).expect("the cluster answers");
    let off: Vec<_> = audit.pools.iter().flat_map(|it| &it.outcomes).flat_map(|it| &it.findings).collect();
    assert!(off.is_empty(), "{off:#?}");
}

#[test]
fn a_product_of_vaults_has_bounds_of_its_own() {
    let stage = Stage::new();
    accepted(stage.set(&|_| {}));
    let refused = |change: &dyn Fn(&mut NewProduct), expected: E| assert_refused(stage.set(change), expected);
    let vault = stage.vaults[0];
    refused(&|it| it.vaults.clear(), E::BadVaults);
    refused(&|it| it.vaults = vec![vault, vault], E::BadVaults);
    let nine: Vec<Pubkey> = (2..11).map(|number| stage.hold(number, 1)).collect();
    refused(&|it| it.vaults = nine.clone(), E::BadVaults);
    accepted(stage.set(&|it| it.vaults = nine[..8].to_vec()));
    let other = stage.world.cluster.set_tokens(&seeded(740).pubkey(), &stage.world.asset, 1);
    refused(&|it| it.vaults = vec![vault, other], E::BadVaults);
    refused(&|it| it.vaults = vec![seeded(741).pubkey()], E::OracleWrongOwner);
    refused(&|it| it.vaults = vec![stage.world.covered], E::OracleWrongLayout);
    refused(&|it| it.attestors = None, E::WrongAttestors);
    refused(&|it| (it.condition.threshold, it.condition.recovery) = (98_000_001, 100_000_000), E::BadLiveTerms);
    refused(&|it| (it.condition.threshold, it.condition.recovery) = (95_000_000, 100_000_001), E::BadLiveTerms);
    let run_on = |it: &mut NewProduct| {
        it.condition.severity = Severity::Linear { full_loss_price: 10_000_000, min_severity_bps: 500 };
        it.condition.run_on_seconds = 180;
    };
    refused(&run_on, E::BadLiveTerms);
    let above = |it: &mut NewProduct| {
        it.condition.direction = Direction::Above;
        (it.condition.threshold, it.condition.recovery) = (50_000_000, 49_000_000);
    };
    refused(&above, E::BadLiveTerms);
    refused(&|it| it.condition.duration_seconds = 540, E::BadTriggerTerms);
    refused(&|it| it.condition.slot_seconds = 30, E::BadTriggerTerms);
    // Two showings of a minute's slot might not lie 150 slots of the ledger apart.
    let short = |it: &mut NewProduct| {
        let it = &mut it.condition;
        (it.duration_seconds, it.slot_seconds, it.tolerance_seconds) = (600, 60, 120);
    };
    refused(&short, E::BadLiveTerms);
    refused(&|it| it.terms.max_price_age = 3_601, E::LimitsDoNotFit);
    refused(&|it| it.terms.waiting_seconds = 2 * 86_400 - 1, E::LimitsDoNotFit);
    refused(&|it| it.terms.min_term_days = 19, E::TermsDoNotFit);
    // What can be shown late must last an hour still, and has no vaults.
    let pyth = |it: &mut NewProduct| {
        (it.source, it.attestors) = (Source::PythReceiver, None);
        it.terms.no_sale_buffer_bps = 100;
    };
    refused(&|it| (pyth(it), it.vaults.clear()).0, E::BadTriggerTerms);
    refused(&|it| (pyth(it), it.condition = terms::stress()).0, E::UnexpectedAccounts);
    refused(
        &|it| (it.source, it.attestors, it.condition) = (Source::StakePoolRate, None, condition()),
        E::UnexpectedAccounts,
    );
    // The pool must wait longer than the second key can take.
    let quick = stage.world.create_pool(terms::create_pool(1));
    let new = stage.product();
    let keys = stage.world.announce_product(&quick, &new);
    let set = new.set_condition(stage.world.governance.pubkey(), stage.world.payer.pubkey(), &keys);
    assert_refused(stage.world.send(&[&stage.world.governance], &[set]), E::CooldownTooShort);
}

#[test]
fn all_vaults_are_shown_in_their_order() {
    let stage = Stage::new();
    let world = &stage.world;
    let product = world.create_product_with(&stage.pool, stage.product());
    let live = || -> Live { world.read(&product.live()) };
    assert_eq!((live().vaults(), live().mint), (&stage.vaults[..], world.covered));
    let before = live();
    let [first, second] = [stage.vaults[0], stage.vaults[1]];
    let third = stage.hold(2, 1);
    for vaults in [vec![first], vec![second, first], vec![first, first], vec![first, second, third], vec![first, third]]
    {
        let show = ix::observe_vaults(&product, &vaults);
        assert_refused(world.send(&[], &[budget(), show]), E::WrongVaults);
    }
    // Another mint at the address, another owner, another layout.
    let good = world.cluster.account(&second).unwrap().unwrap();
    let mut other = good.data.clone();
    other[0] ^= 1;
    put(world, second, good.owner, other);
    assert_refused(show_vaults(world, &product), E::OracleWrongFeed);
    put(world, second, backstop::ID, good.data.clone());
    assert_refused(show_vaults(world, &product), E::OracleWrongOwner);
    put(world, second, good.owner, good.data[..164].to_vec());
    assert_refused(show_vaults(world, &product), E::OracleWrongLayout);
    let mut most = good.data.clone();
    most[64..72].copy_from_slice(&u64::MAX.to_le_bytes());
    put(world, second, good.owner, most);
    assert_refused(show_vaults(world, &product), E::OracleBadPrice);
    assert_eq!(live(), before);
    // One that was closed holds nothing.
    put(world, second, anchor_lang::system_program::ID, Vec::new());
    let logs = accepted(show_vaults(world, &product));
    assert_eq!(transaction::events::<ReadingShown>(&logs)[0].level, 60 * ONE);
    // Vaults take no prints, and of another live feed one account is shown.
    assert_refused(world.send(&[], &[ix::observe(&product, first)]), E::LiveFeed);
    let mut beside = ix::observe_live(&product, first);
    beside.accounts.extend([AccountMeta::new_readonly(first, false)]);
    assert_refused(world.send(&[], &[beside]), E::WrongVaults);
}

#[test]
fn every_rule_of_the_second_key_has_its_own_refusal_and_changes_no_byte() {
    let stage = Stage::new();
    let world = &stage.world;
    let quiet = world.create_product_with(&stage.pool, stage.product());
    assert_refused(stage.submit(&quiet, &[0, 1], &stage.event(5_000)), E::NotArmed);
    let product = stage.armed();
    let bytes = || world.cluster.account(&product.trigger()).unwrap().unwrap().data;
    let before = bytes();
    let good = stage.event(5_000);
    let event_at = world.trigger(&product).keys.event_at;
    let cases: Vec<(Report, E)> = vec![
        (Report { kind: ReportKind::Value, ..good }, E::ReportWrongKind),
        (stage.event(0), E::BadEvent),
        (stage.event(-1), E::BadEvent),
        (stage.event(10_001), E::BadEvent),
        (Report { exponent: -3, ..good }, E::BadEvent),
        (Report { confidence: 1, ..good }, E::BadEvent),
        (Report { feed: [1; 32], ..good }, E::OracleWrongFeed),
        (Report { observed_at: world.now() + 60, ..good }, E::OracleFromFuture),
        (Report { observed_at: event_at - 2 * DAY - 1, ..good }, E::LossBeforeFall),
        (Report { set: seeded(742).pubkey(), ..good }, E::ReportWrongSet),
        (Report { cluster: [0; 8], ..good }, E::ReportWrongCluster),
    ];
    for (report, expected) in &cases {
        for keys in [&[0][..], &[0, 1]] {
            assert_refused(stage.submit(&product, keys, report), *expected);
            assert_eq!(bytes(), before, "{report:?}");
        }
    }
    assert_refused(stage.submit(&product, &[0, 0], &good), E::ReportDuplicateKey);
    let stranger = sign(&[&seeded(743)], &good.to_bytes());
    assert_refused(
        world.send(&[], &[stranger, ix::observe_report(&product, stage.attestors.set)]),
        E::ReportUnknownKey,
    );
    assert_eq!(bytes(), before);
    // An event is no value of an attested product.
    let reported = world.create_product_with(
        &stage.pool,
        NewProduct {
            source: Source::Attested,
            vaults: Vec::new(),
            condition: terms::stress(),
            terms: ProductTerms { no_sale_buffer_bps: 100, ..stage.product().terms },
            ..stage.product()
        },
    );
    assert_refused(stage.submit(&reported, &[0, 1], &good), E::ReportWrongKind);
    // On the last second of its time, two days before the fall at most, by one and then by two.
    let last = world.trigger(&product).keys.armed_until() - 1;
    world.cluster.set_time(last);
    let early = Report { observed_at: event_at - 2 * DAY, ..good };
    let logs = accepted(stage.submit(&product, &[1], &early));
    let shown = &transaction::events::<LossReported>(&logs)[0];
    assert_eq!((shown.loss_bps, shown.signatures, shown.is_confirmed), (5_000, 1, false));
    world.cluster.set_time(last + 3 * DAY - 1);
    accepted(stage.submit(&product, &[0, 1], &early));
    let trigger = world.trigger(&product);
    assert_eq!((trigger.phase(), trigger.evidence.severity_bps), (Phase::Final, 5_000));
}

/// The fall has a day to show how deep it is: nobody fixes its shallow part by calling first.
#[test]
fn enough_signatures_begin_the_alert_until_a_day_after_the_fall() {
    let stage = Stage::new();
    let world = &stage.world;
    let mut new = stage.product();
    new.condition.severity = Severity::Linear { full_loss_price: 1_000_000, min_severity_bps: 500 };
    // 66 of 100 are gone: a part of the loss.
    let product = stage.armed_with(new, |armed| assert_eq!(armed.mean_price, 34_000_000));
    let keys = world.trigger(&product).keys;
    let (shallow, from) = (keys.severity_bps, keys.confirms_from());
    assert_eq!((shallow, from), (3_265, keys.armed_at + DAY));
    // All that must sign do, at once: an alert, and no proof.
    let event = stage.event(9_500);
    let logs = accepted(stage.submit(&product, &[0, 1], &event));
    let shown = &transaction::events::<LossReported>(&logs)[0];
    assert_eq!((shown.loss_bps, shown.signatures, shown.is_confirmed), (9_500, 2, false));
    let trigger = world.trigger(&product);
    assert_eq!((trigger.phase(), trigger.keys.confirmed_at), (Phase::Breaching, 0));
    assert_eq!(world.pool(&stage.pool).alerts, 0, "nobody is insured");
    assert_refused(world.send(&[], &[world.open_incident(&product)]), E::NotTriggered);
    // The rest goes too.
    stage.hold(1, 4);
    for _ in 0..11 {
        show_vaults_twice(world, &product);
    }
    assert_eq!(world.trigger(&product).keys.mean, 4_000_000);
    world.cluster.set_time(from - 1);
    assert_refused(stage.submit(&product, &[0, 1], &event), E::LossAlreadyReported);
    assert_eq!(world.trigger(&product).keys.confirmed_at, 0);
    world.cluster.set_time(from);
    let logs = accepted(stage.submit(&product, &[0, 1], &event));
    assert!(transaction::events::<LossReported>(&logs)[0].is_confirmed);
    let trigger = world.trigger(&product);
    assert_eq!((trigger.phase(), trigger.keys.confirmed_at), (Phase::Final, from));
    // (50 - 4) / (50 - 1), and not the 32.65 % of the first half hour.
    assert_eq!(trigger.evidence.severity_bps, 9_387);
}

#[test]
fn a_second_later_it_is_armed_no_longer_and_a_dead_set_has_no_key() {
    let stage = Stage::new();
    let product = stage.armed();
    let until = stage.world.trigger(&product).keys.armed_until();
    stage.world.cluster.set_time(until);
    for keys in [&[0][..], &[0, 1]] {
        assert_refused(stage.submit(&product, keys, &stage.event(5_000)), E::NotArmed);
    }
    let stage = Stage::new();
    let product = stage.armed();
    let good = stage.event(5_000);
    for key in [0, 1] {
        let two = [good, Report { value: 5_001, ..good }]
            .map(|report| sign(&[&stage.attestors.keys[key]], &report.to_bytes()));
        let accuse = ix::report_equivocation(stage.attestors.set);
        accepted(stage.world.send(&[], &[two[0].clone(), two[1].clone(), accuse]));
    }
    assert_refused(stage.submit(&product, &[2], &good), E::AttestorsDead);
    accepted(stage.world.send(&[], &[ix::retire_product(&product, stage.attestors.set)]));
}

#[test]
fn what_a_holder_is_told_is_what_both_keys_prove() {
    let stage = Stage::new();
    let world = &stage.world;
    let Insured { product, buyer, mint, .. } = stage.insured(stage.product(), 200_000 * ONE, 10_000 * ONE);
    let told = || {
        let case = Case::read(&world.cluster, product.product).expect("it is there");
        let now = world.now();
        let due = payout(&world.cover(&mint), &case.product.state.terms, &case.trigger, None, now);
        (due.map(|due| (due.severity_bps, due.amount)), next_step(&case, None, now).map(|next| next.step))
    };
    assert_eq!(told(), (None, None));
    // Neither while it falls, nor once it has armed: that pays nothing, and there is nothing to be done.
    stage.fall(&product, || assert_eq!(told(), (None, None)));
    accepted(stage.submit(&product, &[0], &stage.event(4_400)));
    assert_eq!(told(), (None, None));
    world.advance(3 * DAY);
    assert_eq!(told(), (None, Some("refresh")));
    accepted(stage.submit(&product, &[0, 1], &stage.event(4_400)));
    assert_eq!(told(), (Some((4_400, 4_400 * ONE)), Some("open")));
    world.open_and_fund(&product);
    accepted(world.settle(&product, &buyer, &mint));
    assert_eq!(world.cover(&mint).paid, 4_400 * ONE);
}

/// The alert of one signature ends by the clock. Whether anybody said so before others confirm decides nothing: neither what is
/// earned nor what is paid.
#[test]
fn nobody_decides_by_a_call_what_an_alert_that_was_over_comes_to() {
    let outcomes = [false, true].map(|is_called| {
        let stage = Stage::new();
        let world = &stage.world;
        let Insured { product, buyer, mint, .. } = stage.insured(stage.product(), 100_000 * ONE, 50_000 * ONE);
        stage.fall(&product, || ());
        accepted(stage.submit(&product, &[0], &stage.event(4_400)));
        world.advance(3 * DAY);
        if is_called {
            world.run(&[], &[ix::refresh(&product)]);
        }
        world.advance(2 * DAY);
        accepted(stage.submit(&product, &[0, 1], &stage.event(4_400)));
        world.advance(3_600);
        world.open_and_fund(&product);
        let before = world.assets(&buyer);
        accepted(world.settle(&product, &buyer, &mint));
        let books = world.pool(&stage.pool);
        audited(world);
        (world.assets(&buyer) - before, books.loss_capital().unwrap(), books.alert_seq, world.incident(&product))
    });
    assert_eq!(outcomes[0], outcomes[1]);
}

/// The least loss that can be reported is less than any deductible: the event is proven, pays nothing, and locks nobody.
#[test]
fn a_loss_within_the_deductible_pays_nothing_and_holds_nobody() {
    let stage = Stage::new();
    let world = &stage.world;
    let mut new = stage.product();
    new.terms.deductible_bps = 500;
    let Insured { product, provider, buyer, mint } = stage.insured(new, 200_000 * ONE, 10_000 * ONE);
    stage.fall(&product, || audited(world));
    accepted(stage.submit(&product, &[0], &stage.event(500)));
    audited(world);
    world.advance(DAY);
    accepted(stage.submit(&product, &[0, 1], &stage.event(500)));
    audited(world);
    world.run(&[], &[world.open_incident(&product)]);
    let incident = world.incident(&product);
    assert_eq!((incident.severity_bps, incident.gross, incident.crisis), (0, 0, 0));
    let before = world.assets(&buyer);
    accepted(world.settle(&product, &buyer, &mint));
    // What it had not earned, of the whole sum.
    let refund = world.assets(&buyer) - before;
    assert!((1..world.cover(&mint).premium).contains(&refund), "{refund}");
    let books = world.pool(&stage.pool);
    assert_eq!((books.alerts, books.in_crisis(), books.total_exposure), (0, false, 0));
    let shares = world.shares(&stage.pool, &provider, Tranche::Senior);
    let ticket = world.exit(&stage.pool, &provider, Tranche::Senior, shares);
    let day = world.ticket(&stage.pool, &provider, ticket).epoch_day;
    world.cluster.set_time(i64::from(day + 1) * DAY);
    accepted(world.settle_epoch(&stage.pool, day));
    audited(world);
}

#[test]
fn a_showing_of_eight_vaults_and_a_second_key_cost_what_the_page_says() {
    let stage = Stage::new();
    let world = &stage.world;
    let eight: Vec<Pubkey> = (0..8).map(|number| stage.hold(number, 10)).collect();
    let new = NewProduct { vaults: eight.clone(), ..stage.product() };
    let keys = world.announce_product(&stage.pool, &new);
    world.run(&[&world.governance], &[new.set_condition(world.governance.pubkey(), world.payer.pubkey(), &keys)]);
    let units = |outcome: Outcome| outcome.unwrap_or_else(|error| panic!("{}", explain(&error))).compute_units;
    let show = |vaults: &[Pubkey]| units(world.send(&[], &[ix::observe_vaults(&keys, vaults)]));
    show_vaults_twice(world, &keys);
    world.advance(3 * DAY);
    let mut most = (show(&eight), show(&eight));
    for number in 0..8 {
        stage.hold(number, 1);
    }
    for _ in 0..12 {
        for _ in 0..2 {
            world.advance(90);
            world.cluster.skip_slots(150);
            let shown = show(&eight);
            most = (most.0.min(shown), most.1.max(shown));
        }
    }
    assert_ne!(world.trigger(&keys).keys.armed_at, 0);
    let event = stage.event(5_000);
    let second = units(stage.submit(&keys, &[0, 1], &event));
    println!("observe_live of eight vaults: {} to {}; observe_report of an event: {second}", most.0, most.1);
    assert!(most.0 <= 6_600 && most.1 <= 12_600 && second <= 5_600, "{most:?}, {second}");
}

/// An exploit that takes less than half is public, and no fall: sales go on. Who buys then, and takes half of the rest out that
/// is his own, makes it one: while the report of the exploit still fits, and is not insured yet; or once he is, and it fits no more.
#[test]
fn who_buys_after_an_exploit_has_no_claim_by_its_report() {
    for waits_until_insured in [false, true] {
        let stage = Stage::new();
        let world = &stage.world;
        let product = world.create_product_with(&stage.pool, stage.product());
        world.depositor(&stage.pool, Tranche::Senior, 200_000 * ONE);
        show_vaults_twice(world, &product);
        world.advance(4 * DAY);
        world.cluster.set_time((world.now() / DAY + 1) * DAY - 1_800);
        show_vaults_twice(world, &product);
        stage.hold(0, 16);
        let exploit = world.now();
        show_vaults_twice(world, &product);
        let buyer = world.person(10_000 * ONE);
        let (mint, outcome) = world.buy(&product, &buyer, 10_000 * ONE, 60);
        accepted(outcome);
        let bought = world.now();
        let insured_from = i64::from(world.cover(&mint).active_day) * DAY;
        assert!(insured_from >= bought + 2 * DAY);
        let last_that_fits = exploit + 2 * DAY - 360;
        world.cluster.set_time(if waits_until_insured { insured_from } else { last_that_fits });
        stage.hold(0, 0);
        stage.hold(1, 27);
        for _ in 0..11 {
            show_vaults_twice(world, &product);
        }
        let keys = world.trigger(&product).keys;
        assert_ne!(keys.armed_at, 0);
        assert_eq!(
            (keys.event_at <= exploit + 2 * DAY, keys.event_at >= insured_from),
            (!waits_until_insured, waits_until_insured)
        );
        world.advance(DAY);
        let event = Report { observed_at: exploit, ..stage.event(4_400) };
        if waits_until_insured {
            // Nor does any other moment before he bought.
            for observed_at in [exploit, bought - 1] {
                assert_refused(stage.submit(&product, &[0, 1], &Report { observed_at, ..event }), E::LossBeforeFall);
            }
            continue;
        }
        accepted(stage.submit(&product, &[0, 1], &event));
        world.run(&[], &[world.open_incident(&product)]);
        let before = world.assets(&buyer);
        accepted(world.settle(&product, &buyer, &mint));
        let (got, premium) = (world.assets(&buyer) - before, world.cover(&mint).premium);
        assert!(got <= premium, "{got} for {premium}");
    }
}

/// What the vaults were measured by as they were shown.
fn measured_by(stage: &Stage, product: &ProductKeys) -> u64 {
    let logs = accepted(show_vaults(&stage.world, product));
    transaction::events::<ReadingShown>(&logs)[0].peak
}

#[test]
fn a_low_that_is_pumped_for_a_moment_lowers_no_baseline() {
    let stage = Stage::new();
    let world = &stage.world;
    let product = world.create_product_with(&stage.pool, stage.product());
    let flash = |lowest: u64| {
        for left in [lowest, lowest + 10, lowest, lowest + 5] {
            stage.hold(0, left);
            accepted(show_vaults(world, &product));
        }
        stage.hold(0, 60);
    };
    let later = |seconds: i64| {
        world.advance(seconds);
        world.cluster.skip_slots(seconds.unsigned_abs() * 5 / 2);
    };
    // A bundle before, between and after the two showings that are true: of less, and of more.
    for (number, lowest) in [20, 0, 90, 30].into_iter().enumerate() {
        world.cluster.set_time((world.now() / 180 + 1) * 180);
        world.cluster.skip_slots(150);
        for quarter in 0..3 {
            if number % 3 == quarter {
                flash(lowest);
            }
            if quarter != 1 {
                accepted(show_vaults(world, &product));
            }
            later(45);
        }
        if number == 3 {
            flash(lowest);
        }
    }
    world.advance(3 * DAY);
    assert_eq!(measured_by(&stage, &product), 100 * ONE);
    // Out for a whole slot, and shown by everybody: that is a low.
    stage.hold(0, 20);
    show_vaults_twice(world, &product);
    stage.hold(0, 60);
    show_vaults_twice(world, &product);
    world.advance(3 * DAY);
    assert_eq!(measured_by(&stage, &product), 60 * ONE);
}

#[test]
fn a_whale_out_and_back_stops_sales_for_a_while_and_nothing_else() {
    let stage = Stage::new();
    let world = &stage.world;
    let product = world.create_product_with(&stage.pool, stage.product());
    let provider = world.depositor(&stage.pool, Tranche::Senior, 200_000 * ONE);
    world.next_day();
    show_vaults_twice(world, &product);
    world.advance(3 * DAY);
    show_vaults_twice(world, &product);
    let buyer = world.person(100_000 * ONE);
    let buy = || world.buy(&product, &buyer, 1_000 * ONE, 60);
    let (mint, outcome) = buy();
    accepted(outcome);
    let slots = |slots: u32| (0..slots).for_each(|_| show_vaults_twice(world, &product));
    // An eighth that comes back, and a quarter in two days that stays away: never.
    for (left, days) in [(48, 0), (60, 0), (54, 1), (48, 1), (42, 0), (35, 1), (60, 0)] {
        stage.hold(0, left);
        slots(12);
        world.advance(days * DAY);
    }
    for _ in 0..9 {
        world.advance(DAY);
        slots(1);
    }
    assert_eq!(world.trigger(&product).keys.armed_at, 0);

    // The whale: 57 of 100 out for half an hour, and back in.
    let out_and_back = || {
        stage.hold(0, 3);
        slots(11);
        stage.hold(0, 60);
        slots(1);
    };
    out_and_back();
    let keys = world.trigger(&product).keys;
    assert_ne!(keys.armed_at, 0);
    let untouched = || (world.trigger(&product).phase(), world.pool(&stage.pool).alerts);
    assert_eq!(untouched(), (Phase::Quiet, 0));
    assert_refused(buy().1, E::ProductArmed);
    accepted(world.deposit(&stage.pool, &world.person(1_000 * ONE), Tranche::Senior, 1_000 * ONE));
    world.exit(&stage.pool, &provider, Tranche::Senior, 1_000 * ONE);
    world.run(&[&buyer.key], &[ix::cancel_cover(&product, buyer.id(), mint, world.payer.pubkey())]);
    assert_refused(world.send(&[], &[world.open_incident(&product)]), E::NotTriggered);
    // Once more while it is armed, and once in the rest: neither makes it longer.
    for days in 1..13 {
        world.cluster.set_time(keys.armed_at + days * DAY);
        slots(1);
    }
    out_and_back();
    world.cluster.set_time(keys.armed_until() - 400);
    slots(1);
    world.cluster.set_time(keys.armed_until() - 1);
    assert_refused(buy().1, E::ProductArmed);
    world.cluster.set_time(keys.armed_until());
    accepted(buy().1);
    world.advance(DAY);
    out_and_back();
    world.advance(DAY);
    slots(1);
    accepted(buy().1);
    assert_eq!((world.trigger(&product).keys.armed_at, untouched()), (keys.armed_at, (Phase::Quiet, 0)));
}
