//! Readings in vintages, through the real program: from sale to payout, void, and every refusal.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::constants::SETTLEMENT_WINDOW;
use backstop::error::BackstopError as E;
use backstop::events::{CoverBought, CoverCancelled, IncidentOpened, PhaseChanged, ReadingSet};
use backstop::peril::evidence::{Direction, Phase};
use backstop::peril::feed::attested::Report;
use backstop::peril::reading::ReadingInput;
use backstop::state::{CoverState, IncidentState, PoolKind, PoolTerms, ProductState, ProductTerms, Tranche};
use backstop::{CreatePoolArgs, SetReadingArgs};
use backstop_client::audit;
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, NewProduct, ProductKeys, TreatyKeys};
use backstop_client::transaction::events;
use backstop_tests::attest::{Attestors, FEED, sign};
use backstop_tests::reinsurance::{layer, quota_share};
use backstop_tests::season::{DAYS, E8, Season, season_terms};
use backstop_tests::terms::{self, DAY, ONE};
use backstop_tests::{Outcome, Person, World, assert_books, assert_refused, budget, explain, seeded};
use solana_sdk::signer::Signer;

#[track_caller]
fn must(outcome: Outcome) {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
}

/// Three of five report a season of so many readings.
fn stage(products: usize) -> (World, Attestors, Season) {
    let world = World::new();
    let attestors = Attestors::create(&world, 0, 5, 3);
    let season = Season::begin(&world, attestors.set, products);
    (world, attestors, season)
}

/// Everything adds up, also what covers and readings say of it.
#[track_caller]
fn audited(world: &World, season: &Season) {
    assert_books(&world.cluster, &season.pool.pool);
    let audit = audit::run(&world.cluster, None).expect("the cluster answers");
    let off: Vec<_> =
        audit.pools.iter().flat_map(|pool| &pool.outcomes).flat_map(|outcome| &outcome.findings).collect();
    assert!(off.is_empty(), "{off:#?}");
}

/// What some of the keys say of a season's moment, in millimetres.
fn said(attestors: &Attestors, season: &Season, signers: &[usize], millimetres: i64) -> Instruction {
    attestors.signed(signers, &attestors.report(millimetres * E8 as i64, season.reading.due_at))
}

fn show(world: &World, product: &ProductKeys, attestors: &Attestors, signed: Instruction) -> Outcome {
    world.send(&[], &[budget(), signed, ix::observe_report(product, attestors.set)])
}

fn resolve(world: &World, product: &ProductKeys, attestors: &Attestors) -> Outcome {
    world.send(&[], &[ix::resolve_reading(product, attestors.set)])
}

/// A key signs two values of the season's moment, and is revoked for it.
fn contradict(world: &World, attestors: &Attestors, season: &Season, place: usize) {
    let report = attestors.report(1, season.reading.due_at);
    let key = &attestors.keys[place];
    let both = [report, Report { value: 2, ..report }].map(|report| sign(&[key], &report.to_bytes()));
    world.run(&[], &[both.to_vec(), vec![ix::report_equivocation(attestors.set)]].concat());
}

/// Brings the clock to a moment after the one that counts.
fn due(world: &World, season: &Season, after: i64) {
    world.cluster.set_time(season.reading.due_at + after);
}

fn leave(world: &World, season: &Season, who: &Person, tranche: Tranche) -> u64 {
    let shares = world.shares(&season.pool, who, tranche);
    world.exit(&season.pool, who, tranche, shares)
}

/// Two readings on one pool: of one half is paid, the other is void. Every token is where it belongs in the end.
#[test]
fn a_season_with_two_readings_of_which_one_pays_and_one_is_void() {
    let (world, attestors, season) = stage(2);
    let [dry, silent] = season.products[..] else { panic!("two") };
    let (farmer, ticket) = season.holder(&world, &dry, 10_000 * ONE);
    let (other, unheard) = season.holder(&world, &silent, 5_000 * ONE);
    let [first, second] = [ticket, unheard].map(|mint| world.cover(&mint));
    assert_eq!(
        (first.rate_q32, first.active_day, first.end_day - first.active_day),
        (0, season.reading.begins_day, 30)
    );
    let books = world.pool(&season.pool);
    assert_eq!((books.flat_premium, books.unearned_premium), (first.premium + second.premium, books.flat_premium));
    assert_eq!(books.reading_exposure, 15_000 * ONE);
    audited(&world, &season);

    // Half way through nothing is earned.
    due(&world, &season, -15 * DAY);
    world.run(&[], &[ix::accrue(season.pool.pool)]);
    assert_eq!(world.pool(&season.pool).unearned_premium, books.unearned_premium);
    let nothing = ix::refresh(&dry);
    world.run(&[], &[nothing]);
    assert_eq!(world.trigger(&dry).phase(), Phase::Quiet);

    // 80 mm: half of the way from 120 to 40.
    due(&world, &season, DAY);
    world.run(&[], &[ix::refresh(&silent)]);
    let receipt = show(&world, &dry, &attestors, said(&attestors, &season, &[0, 2, 4], 80)).expect("it is taken");
    let changed = &events::<PhaseChanged>(&receipt.logs)[0];
    assert_eq!((changed.before, changed.after), (Phase::Quiet.byte(), Phase::Met.byte()));
    assert_eq!((changed.mean_price, changed.severity_bps), (80 * E8, 5_000));
    audited(&world, &season);
    assert_refused(resolve(&world, &dry, &attestors), E::NotDue);
    assert_refused(world.send(&[], &[world.open_incident(&dry)]), E::NotTriggered);
    world.advance(3 * DAY - 1);
    assert_refused(resolve(&world, &dry, &attestors), E::NotDue);
    world.advance(1);
    must(resolve(&world, &dry, &attestors));
    assert_refused(resolve(&world, &dry, &attestors), E::NotDue);
    assert_refused(show(&world, &dry, &attestors, said(&attestors, &season, &[0, 2, 4], 80)), E::ReadingOver);
    let receipt = world.run(&[], &[world.open_incident(&dry)]);
    let opened = &events::<IncidentOpened>(&receipt.logs)[0];
    assert_eq!(
        (opened.event_at, opened.growth.gross, opened.growth.is_final),
        (season.reading.due_at, 5_000 * ONE, true)
    );
    assert_eq!((opened.accrual.earned, opened.waiting_refunds, opened.set_aside), (first.premium, 0, 0));
    // Ten of fifteen thousand that are required fall on junior capital, which weighs double, five on senior.
    let kept = first.premium - opened.accrual.surplus;
    assert!(opened.accrual.surplus.abs_diff(first.premium / 10) <= 2);
    assert!(opened.accrual.junior.abs_diff(kept * 4 / 5) <= 1 && opened.accrual.senior.abs_diff(kept / 5) <= 1);
    assert_eq!(world.pool(&season.pool).flat_premium, second.premium);
    audited(&world, &season);
    world.run(&[], &[world.fund_incident(&dry)]);
    let before = world.assets(&farmer);
    must(world.settle(&dry, &farmer, &ticket));
    assert_eq!(world.assets(&farmer) - before, 5_000 * ONE);
    audited(&world, &season);

    // Nobody reports the other in fourteen days.
    due(&world, &season, 14 * DAY);
    assert_refused(resolve(&world, &silent, &attestors), E::NotDue);
    world.advance(1);
    assert_refused(show(&world, &silent, &attestors, said(&attestors, &season, &[0, 1, 2], 80)), E::ReportTooLate);
    must(resolve(&world, &silent, &attestors));
    world.run(&[], &[world.open_incident(&silent)]);
    let incident = world.incident(&silent);
    assert_eq!((incident.gross, incident.crisis, incident.state), (0, 0, IncidentState::Final));
    assert_eq!((incident.refunds_left, incident.premiums_left), (second.premium, second.premium));
    audited(&world, &season);
    let before = world.assets(&other);
    must(world.settle(&silent, &other, &unheard));
    assert_eq!(world.assets(&other) - before, second.premium);
    world.run(&[], &[world.close_incident(&silent)]);
    // With the last alert over the crisis is closed, and the loss falls on the layers.
    world.run(&[], &[world.fund_incident(&dry)]);
    world.run(&[], &[world.close_incident(&dry)]);
    let books = world.pool(&season.pool);
    assert!(!books.in_crisis() && books.has_run_off(world.now()));
    assert_eq!(books.loss_capital().unwrap(), 95_000 * ONE + first.premium);
    assert_eq!((books.unearned_premium, books.flat_premium, books.reading_exposure), (0, 0, 0));
    assert_eq!(books.cash, 95_000 * ONE + first.premium);
    audited(&world, &season);

    // Without a cooldown everybody leaves.
    let [senior, junior] = &season.providers;
    let today = world.today();
    let tickets = [leave(&world, &season, senior, Tranche::Senior), leave(&world, &season, junior, Tranche::Junior)];
    world.next_day();
    must(world.settle_epoch(&season.pool, today));
    for (who, ticket) in [senior, junior].into_iter().zip(tickets) {
        must(world.claim(&season.pool, who, ticket));
    }
    assert!(world.assets(senior) > 90_000 * ONE && world.assets(junior) < 10_000 * ONE);
    let books = world.pool(&season.pool);
    assert_eq!(world.assets(senior) + world.assets(junior) + books.cash, 95_000 * ONE + first.premium);
    audited(&world, &season);
}

/// Whoever is first to report, resolve, open, fund or settle moves nobody's money.
#[test]
fn two_readings_end_alike_in_whatever_order_they_are_brought_home() {
    let ends: Vec<_> = [[0, 1], [1, 0]]
        .into_iter()
        .map(|order| {
            let (world, attestors, season) = stage(2);
            let sold: Vec<_> =
                season.products.iter().map(|product| season.holder(&world, product, 20_000 * ONE)).collect();
            due(&world, &season, 60);
            for place in order {
                let signed = said(&attestors, &season, &[1, 2, 3], [100, 60][place]);
                must(show(&world, &season.products[place], &attestors, signed));
            }
            world.advance(3 * DAY);
            for place in order {
                let product = &season.products[place];
                must(resolve(&world, product, &attestors));
                world.run(&[], &[world.open_incident(product)]);
                world.run(&[], &[world.fund_incident(product)]);
                must(world.settle(product, &sold[place].0, &sold[place].1));
            }
            for place in order {
                let product = &season.products[place];
                let _ = world.send(&[], &[world.fund_incident(product)]);
                let _ = world.settle(product, &sold[place].0, &sold[place].1);
            }
            audited(&world, &season);
            let books = world.pool(&season.pool);
            assert!(!books.in_crisis());
            let paid: Vec<u64> = sold.iter().map(|(_, mint)| world.cover(mint).paid).collect();
            (paid, books.surplus, books.tranches.map(|book| book.total()))
        })
        .collect();
    // A quarter and three quarters of 20,000.
    assert_eq!(ends[0].0, [5_000 * ONE, 15_000 * ONE]);
    assert_eq!(ends[0], ends[1]);
}

#[test]
fn a_reading_without_a_loss_earns_its_premium_and_owes_nothing() {
    let (world, attestors, season) = stage(1);
    let product = season.products[0];
    let (holder, mint) = season.holder(&world, &product, 10_000 * ONE);
    let premium = world.cover(&mint).premium;
    due(&world, &season, 0);
    must(show(&world, &product, &attestors, said(&attestors, &season, &[0, 1, 2], 120)));
    world.advance(3 * DAY);
    must(resolve(&world, &product, &attestors));
    world.run(&[], &[world.open_incident(&product)]);
    let incident = world.incident(&product);
    assert_eq!((incident.gross, incident.crisis, incident.sums_left, incident.refunds_left), (0, 0, 0, 0));
    assert_refused(world.settle(&product, &holder, &mint), E::NothingOwed);
    let books = world.pool(&season.pool);
    assert_eq!((books.loss_capital().unwrap(), books.unearned_premium), (100_000 * ONE + premium, 0));
    assert!(books.has_run_off(world.now()));
    audited(&world, &season);
    // Nothing is kept for it: the incident is closed at once, and the cover with its NFT.
    world.run(&[], &[world.close_incident(&product)]);
    assert_eq!(world.product(&product).state(), ProductState::Over);
    assert_eq!(world.cover(&mint).state, CoverState::Active);
    world.run(&[&holder.key], &[ix::close_cover(&product, Some(holder.id()), mint, world.payer.pubkey())]);
    audited(&world, &season);
}

#[test]
fn to_the_second_covers_are_sold_and_given_back_until_the_waiting_time_before_the_period() {
    let (world, _, season) = stage(1);
    let product = season.products[0];
    let (early, mint) = season.holder(&world, &product, 1_000 * ONE);
    let buyer = world.person(10_000 * ONE);
    for days in [DAYS - 1, DAYS + 1, 1] {
        assert_refused(world.buy(&product, &buyer, 1_000 * ONE, days).1, E::BadTerm);
    }
    let near = i64::from(season.reading.begins_day) * DAY - 3 * DAY;
    world.cluster.set_time(near);
    let (last, outcome) = world.buy(&product, &buyer, 1_000 * ONE, DAYS);
    must(outcome);
    let cancel = |who: &Person, mint: &Pubkey| {
        let cancel = ix::cancel_cover(&product, who.id(), *mint, world.payer.pubkey());
        world.send(&[&who.key], &[cancel])
    };
    let before = world.assets(&early);
    let premium = world.cover(&mint).premium;
    let receipt = cancel(&early, &mint).expect("it is given back");
    let event = &events::<CoverCancelled>(&receipt.logs)[0];
    assert_eq!((event.refund + event.fee, world.assets(&early) - before), (premium, event.refund));
    assert_eq!(world.pool(&season.pool).flat_premium, world.cover(&last).premium);
    audited(&world, &season);
    world.advance(1);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, DAYS).1, E::PeriodTooNear);
    world.next_day();
    assert_refused(cancel(&buyer, &last), E::PeriodTooNear);
    // Three days later the vintage itself is over.
    world.cluster.set_time(near + 3 * DAY);
    assert_refused(world.buy(&product, &buyer, 1_000 * ONE, DAYS).1, E::VintageOver);
}

/// From the moment at which the first reading takes no more covers until the last is resolved.
#[test]
fn capital_neither_comes_nor_leaves_while_a_reading_is_near_or_runs() {
    let (world, attestors, season) = stage(1);
    let product = season.products[0];
    let (holder, mint) = season.holder(&world, &product, 20_000 * ONE);
    let [senior, junior] = &season.providers;
    let late = world.person(1_000 * ONE);
    let near = i64::from(season.reading.begins_day) * DAY - 3 * DAY;
    // Who asked early enough is paid until then.
    world.cluster.set_time(near - 8 * DAY - DAY / 2);
    let shares = world.shares(&season.pool, senior, Tranche::Senior);
    let [paid, waits] = [0, 1].map(|_| world.exit(&season.pool, senior, Tranche::Senior, shares / 10));
    let paid_day = world.ticket(&season.pool, senior, paid).epoch_day;
    world.cluster.set_time(near - 1);
    must(world.deposit(&season.pool, &late, Tranche::Senior, 100 * ONE));
    must(world.settle_epoch(&season.pool, paid_day));
    must(world.claim(&season.pool, senior, paid));
    must(world.claim(&season.pool, senior, waits));
    let asked = leave(&world, &season, junior, Tranche::Junior);
    let asked_day = world.ticket(&season.pool, junior, asked).epoch_day;
    world.advance(1);
    assert_refused(world.deposit(&season.pool, &late, Tranche::Senior, 100 * ONE), E::PoolLocked);
    // Asking is open, being paid is not, nor is coming back.
    let again = leave(&world, &season, &late, Tranche::Senior);
    world.cluster.set_time(i64::from(asked_day + 1) * DAY);
    assert_refused(world.settle_epoch(&season.pool, asked_day), E::PoolLocked);
    let back = ix::cancel_exit(&season.pool, &world.ticket(&season.pool, junior, asked));
    assert_refused(world.send(&[&junior.key], &[back]), E::PoolLocked);
    due(&world, &season, 3_600);
    must(show(&world, &product, &attestors, said(&attestors, &season, &[0, 1, 2], 40)));
    world.advance(3 * DAY);
    must(resolve(&world, &product, &attestors));
    assert_refused(world.settle_epoch(&season.pool, asked_day), E::PoolLocked);
    world.run(&[], &[world.open_incident(&product)]);
    assert_refused(world.settle_epoch(&season.pool, asked_day), E::PoolInCrisis);
    world.run(&[], &[world.fund_incident(&product)]);
    must(world.settle(&product, &holder, &mint));
    // Who asked to leave while it ran bears the loss with all others: junior capital is gone.
    audited(&world, &season);
    let books = world.pool(&season.pool);
    assert!(books.has_run_off(world.now()) && books.tranches[0].wiped_out == 1, "{:?}", books.tranches);
    must(world.settle_epoch(&season.pool, asked_day));
    let _ = again;
}

#[test]
fn a_little_that_is_exposed_locks_nothing_and_keeps_what_leaves_it_little() {
    let (world, _, season) = stage(1);
    let product = season.products[0];
    // A two hundredth of 100,000.
    season.holder(&world, &product, 400 * ONE);
    let [senior, _] = &season.providers;
    let near = i64::from(season.reading.begins_day) * DAY - 3 * DAY;
    world.cluster.set_time(near);
    let late = world.person(1_000 * ONE);
    must(world.deposit(&season.pool, &late, Tranche::Senior, 100 * ONE));
    let asked = leave(&world, &season, senior, Tranche::Senior);
    let day = world.ticket(&season.pool, senior, asked).epoch_day;
    world.cluster.set_time(i64::from(day + 1) * DAY);
    must(world.settle_epoch(&season.pool, day));
    // 80,000 stay: two hundred times what is exposed.
    assert_eq!(world.pool(&season.pool).loss_capital().unwrap(), 80_000 * ONE);
    audited(&world, &season);
}

#[test]
fn only_a_vintage_that_sells_nothing_in_the_period_takes_a_reading() {
    let (world, attestors, season) = stage(0);
    let governance = world.governance.pubkey();
    let set = |product: &ProductKeys, change: &dyn Fn(&mut ReadingInput)| {
        let mut args = season.args();
        change(&mut args.reading);
        world.send(
            &[&world.governance],
            &[ix::set_reading(governance, world.payer.pubkey(), product, attestors.set, args)],
        )
    };
    let product = season.announce(&world);
    let begins = season.reading.begins_day;
    let at = |day: u32| i64::from(day) * DAY;
    // The pool sells until the first day: a period that begins a day before is sold in it.
    assert_refused(set(&product, &|it| it.begins_day = begins - 1), E::ReadingNeedsVintage);
    assert_refused(set(&product, &|it| it.exit = it.strike), E::BadReading);
    assert_refused(set(&product, &|it| it.direction = Direction::Above), E::BadReading);
    assert_refused(set(&product, &|it| it.due_at = at(begins)), E::BadReading);
    assert_refused(set(&product, &|it| it.begins_day = world.today()), E::BadReading);
    // 366 days at most, and so that end and resolution have their place in the day buckets.
    assert_refused(set(&product, &|it| it.due_at = at(begins + 366)), E::BadReading);
    assert_refused(
        set(&product, &|it| (it.begins_day, it.due_at) = (begins + 120, at(begins + 480) - 1)),
        E::TermsDoNotFit,
    );
    let dead = Attestors::create(&world, 1, 3, 2);
    for place in [0, 1] {
        let report = dead.report(1, world.now());
        let both = [report, Report { value: 2, ..report }].map(|it| sign(&[&dead.keys[place]], &it.to_bytes()));
        world.run(&[], &[both.to_vec(), vec![ix::report_equivocation(dead.set)]].concat());
    }
    let payer = world.payer.pubkey();
    let of_dead = ix::set_reading(governance, payer, &product, dead.set, season.args());
    assert_refused(world.send(&[&world.governance], &[of_dead]), E::AttestorsDead);
    let mut without = ix::set_reading(governance, payer, &product, attestors.set, season.args());
    // What stands for no account is the program itself.
    without.accounts[6].pubkey = backstop::ID;
    assert_refused(world.send(&[&world.governance], &[without]), E::WrongAttestors);
    let receipt = {
        let set = ix::set_reading(governance, payer, &product, attestors.set, season.args());
        world.run(&[&world.governance], &[set])
    };
    let event = &events::<ReadingSet>(&receipt.logs)[0];
    assert_eq!((event.reading, event.attestors, event.feed), (season.reading, attestors.set, FEED));
    // A week's cooldown and three days.
    assert_eq!(event.sells_from, world.now() + 10 * DAY);
    assert_refused(set(&product, &|_| {}), E::ConditionAlreadySet);

    // A notice that ends when nothing is sold any more.
    let later = season.announce(&world);
    world.cluster.set_time(i64::from(begins) * DAY - 13 * DAY);
    assert_refused(set(&later, &|_| {}), E::TermsDoNotFit);
    world.advance(-1);
    must(set(&later, &|_| {}));

    // In a pool without an end, and a product that does not sell such a term.
    let pool = world.create_pool(terms::create_pool(71));
    let other = NewProduct { terms: season_terms(), ..terms::create_product(world.covered, terms::stress()) };
    let endless = world.announce_product(&pool, &other);
    assert_refused(set(&endless, &|_| {}), E::ReadingNeedsVintage);
    let ends = PoolTerms { sells_until_day: begins, ..terms::pool_terms() };
    let pool = world.create_pool(CreatePoolArgs { terms: ends, ..terms::create_pool(72) });
    let short = ProductTerms { max_term_days: DAYS - 1, ..season_terms() };
    let short = world.announce_product(&pool, &NewProduct { terms: short, ..other });
    assert_refused(set(&short, &|_| {}), E::TermsDoNotFit);
}

#[test]
fn a_reading_takes_reports_of_its_moment_and_none_that_contradicts_the_one_that_stands() {
    let (world, attestors, season) = stage(1);
    let product = season.products[0];
    season.holder(&world, &product, 10_000 * ONE);
    let good = attestors.report(80 * E8 as i64, season.reading.due_at);
    let with = |report: Report| show(&world, &product, &attestors, attestors.signed(&[0, 1, 2], &report));
    due(&world, &season, -1);
    assert_refused(with(good), E::OracleFromFuture);
    assert_refused(with(Report { observed_at: season.reading.due_at - 1, ..good }), E::WrongMoment);
    due(&world, &season, 0);
    assert_refused(with(Report { observed_at: season.reading.due_at - 1, ..good }), E::WrongMoment);
    assert_refused(with(Report { feed: [1; 32], ..good }), E::OracleWrongFeed);
    assert_refused(with(Report { value: -1, ..good }), E::OracleBadPrice);
    assert_refused(with(Report { exponent: -13, ..good }), E::OracleBadExponent);
    let two = show(&world, &product, &attestors, attestors.signed(&[0, 1], &good));
    assert_refused(two, E::ReportSignatures);
    must(with(good));
    must(with(good));
    must(show(&world, &product, &attestors, attestors.signed(&[2, 3, 4], &good)));
    assert_eq!(world.trigger(&product).reading.signers, 0b11111);
    assert_refused(with(Report { value: 81 * E8 as i64, ..good }), E::AlreadyReported);
    // Neither evidence's instructions nor another product's help.
    assert_refused(world.send(&[], &[ix::confirm(&product)]), E::NotDue);
    let price = seeded(7).pubkey();
    world.cluster.post_price(price, terms::FEED, backstop_sandbox::embedded::Price::e8(1, 0, world.now()));
    assert_refused(world.send(&[], &[ix::observe(&product, price)]), E::ReportMissing);
    let pool = world.create_pool(terms::create_pool(71));
    let on_evidence = NewProduct {
        source: backstop::peril::feed::Source::Attested,
        feed: FEED,
        attestors: Some(attestors.set),
        ..terms::create_product(world.covered, terms::stress())
    };
    let on_evidence = world.create_product_with(&pool, on_evidence);
    assert_refused(resolve(&world, &on_evidence, &attestors), E::NotAReading);
    audited(&world, &season);
}

#[test]
fn a_report_falls_with_its_signers_and_others_stand_by_the_same_or_another_value() {
    let (world, attestors, season) = stage(1);
    let product = season.products[0];
    let (holder, mint) = season.holder(&world, &product, 10_000 * ONE);
    due(&world, &season, 0);
    must(show(&world, &product, &attestors, said(&attestors, &season, &[0, 1, 2], 40)));
    world.advance(3 * DAY - 1);
    contradict(&world, &attestors, &season, 1);
    world.advance(1);
    // One key that contradicts itself makes nothing void: two others who signed are left, and two who have not.
    must(resolve(&world, &product, &attestors));
    let reading = world.trigger(&product).reading;
    assert_eq!((reading.phase(), reading.reported_at, reading.signers), (Phase::Breaching, 0, 0));
    assert_refused(resolve(&world, &product, &attestors), E::NotDue);
    audited(&world, &season);
    let revoked = show(&world, &product, &attestors, said(&attestors, &season, &[0, 1, 3], 80));
    assert_refused(revoked, E::ReportRevokedKey);
    must(show(&world, &product, &attestors, said(&attestors, &season, &[2, 3, 4], 80)));
    world.advance(3 * DAY);
    // Revoked in the second in which the reading is resolved: too late, whenever anybody calls.
    contradict(&world, &attestors, &season, 2);
    contradict(&world, &attestors, &season, 3);
    world.advance(200 * DAY);
    must(resolve(&world, &product, &attestors));
    world.open_and_fund(&product);
    must(world.settle(&product, &holder, &mint));
    assert_eq!(world.cover(&mint).paid, 5_000 * ONE);
    audited(&world, &season);
}

#[test]
fn a_set_that_is_dead_before_the_moment_makes_the_reading_void_and_lets_everybody_go() {
    let (world, attestors, season) = stage(1);
    let product = season.products[0];
    let (holder, mint) = season.holder(&world, &product, 10_000 * ONE);
    let premium = world.cover(&mint).premium;
    due(&world, &season, -10 * DAY);
    assert_refused(resolve(&world, &product, &attestors), E::NotDue);
    let at = world.now() - 5;
    for place in [0, 1, 2] {
        let report = attestors.report(1, at);
        let both = [report, Report { value: 2, ..report }].map(|it| sign(&[&attestors.keys[place]], &it.to_bytes()));
        world.run(&[], &[both.to_vec(), vec![ix::report_equivocation(attestors.set)]].concat());
    }
    must(resolve(&world, &product, &attestors));
    world.run(&[], &[world.open_incident(&product)]);
    must(world.settle(&product, &holder, &mint));
    assert_eq!(world.assets(&holder), 10_000 * ONE);
    assert!(premium > 0);
    let books = world.pool(&season.pool);
    assert!(books.has_run_off(world.now()));
    assert_eq!((books.loss_capital().unwrap(), books.cash), (100_000 * ONE, 100_000 * ONE));
    audited(&world, &season);
}

/// Whoever shows what stands now, after the report before it has fallen, begins the alert of that moment: as if somebody had
/// said before that it fell.
#[test]
fn nobody_decides_by_a_call_whether_a_report_that_fell_and_was_replaced_keeps_its_alert() {
    let ends = [true, false].map(|tells| {
        let (world, attestors, season) = stage(1);
        let product = season.products[0];
        season.holder(&world, &product, 10_000 * ONE);
        due(&world, &season, 0);
        must(show(&world, &product, &attestors, said(&attestors, &season, &[0, 1, 2], 40)));
        let first = world.pool(&season.pool).due_since;
        assert_eq!(first, season.reading.due_at);
        world.advance(DAY);
        contradict(&world, &attestors, &season, 1);
        world.advance(DAY);
        world.hear();
        if tells {
            must(resolve(&world, &product, &attestors));
        }
        must(show(&world, &product, &attestors, said(&attestors, &season, &[2, 3, 4], 80)));
        let heard = world.hear();
        let moves: Vec<_> = heard.iter().flat_map(|logs| events::<PhaseChanged>(logs)).collect();
        let moves: Vec<_> = moves.iter().map(|event| (event.before, event.after)).collect();
        let [met, awaited] = [Phase::Met, Phase::Breaching].map(Phase::byte);
        assert_eq!(moves, [(met, awaited), (awaited, met)]);
        let books = world.pool(&season.pool);
        assert_eq!((books.due_since, books.alerts, books.alerts_due), (first + 2 * DAY, 1, 1));
        audited(&world, &season);
        let [pool, trigger] = [season.pool.pool, product.trigger()]
            .map(|account| world.cluster.account(&account).unwrap().expect("it is there").data);
        (pool, trigger)
    });
    assert_eq!(ends[0], ends[1]);
}

/// A set was dead for more than a year when anybody looked: whoever was sold a cover all the same has a year from then on to take
/// the premium back.
#[test]
fn what_was_bought_of_a_set_that_is_long_dead_is_given_back_for_a_year_from_when_that_is_told() {
    let (world, attestors, season) = stage(1);
    let product = season.products[0];
    let at = world.now() - 5;
    for place in [0, 1, 2] {
        let report = attestors.report(1, at);
        let both = [report, Report { value: 2, ..report }].map(|it| sign(&[&attestors.keys[place]], &it.to_bytes()));
        world.run(&[], &[both.to_vec(), vec![ix::report_equivocation(attestors.set)]].concat());
    }
    let died_at = world.now();
    world.next_day();
    let (holder, mint) = season.holder(&world, &product, 10_000 * ONE);
    let premium = world.cover(&mint).premium;
    world.cluster.set_time(died_at + 2 * SETTLEMENT_WINDOW);
    must(resolve(&world, &product, &attestors));
    assert_eq!(world.trigger(&product).reading.resolved_at, died_at);
    world.run(&[], &[world.open_incident(&product)]);
    let incident = world.incident(&product);
    assert_eq!((incident.crisis, incident.gross, incident.refunds_left), (0, 0, premium));
    assert_eq!(incident.deadline, world.now() + SETTLEMENT_WINDOW);
    // Nobody sweeps it before: neither at once nor on the year's last second.
    let close = || world.send(&[], &[world.close_incident(&product)]);
    assert_refused(close(), E::IncidentInUse);
    world.cluster.set_time(incident.deadline - 1);
    assert_refused(close(), E::IncidentInUse);
    must(world.settle(&product, &holder, &mint));
    assert_eq!(world.assets(&holder), 10_000 * ONE);
    must(close());
    audited(&world, &season);
}

/// The lock of a reading is its own pool's: a reinsurer's providers could come and go by the forecast.
#[test]
fn a_vintage_cedes_nothing() {
    let (world, _, season) = stage(1);
    let reinsurer = CreatePoolArgs { kind: PoolKind::Reinsurance, ..terms::create_pool(71) };
    let reinsurer = world.create_pool(reinsurer);
    let now = world.now();
    for terms in [quota_share(now, 4_000, 1_000, 50_000 * ONE), layer(now, 10_000 * ONE, 20_000 * ONE)] {
        let before = world.pool(&season.pool);
        let keys = TreatyKeys::derive(season.pool, reinsurer.pool, before.treaties);
        let create = ix::create_treaty(world.governance.pubkey(), world.payer.pubkey(), &keys, terms);
        assert_refused(world.send(&[&world.governance], &[create]), E::VintageCedes);
        assert_eq!(world.pool(&season.pool), before);
    }
    // The same treaty of a pool without an end is announced.
    let endless = world.create_pool(terms::create_pool(72));
    let keys = TreatyKeys::derive(endless, reinsurer.pool, 0);
    let terms = quota_share(now, 4_000, 1_000, 50_000 * ONE);
    let create = ix::create_treaty(world.governance.pubkey(), world.payer.pubkey(), &keys, terms);
    must(world.send(&[&world.governance], &[create]));
}

/// Nobody calls for a year: nothing is released, and the outcome is the same.
#[test]
fn what_nobody_called_for_is_brought_home_a_year_later() {
    let (world, attestors, season) = stage(1);
    let product = season.products[0];
    let (holder, mint) = season.holder(&world, &product, 10_000 * ONE);
    due(&world, &season, DAY);
    must(show(&world, &product, &attestors, said(&attestors, &season, &[0, 1, 2], 80)));
    world.advance(365 * DAY);
    world.run(&[], &[ix::sync_product(&product)]);
    assert_eq!(world.product(&product).exposure, 10_000 * ONE);
    must(resolve(&world, &product, &attestors));
    assert_eq!(world.trigger(&product).reading.resolved_at, season.reading.due_at + 4 * DAY);
    world.open_and_fund(&product);
    must(world.settle(&product, &holder, &mint));
    assert_eq!(world.cover(&mint).paid, 5_000 * ONE);
    audited(&world, &season);
}

/// A product on evidence in the same vintage: its premium streams as ever, and the reading's stays where it is.
#[test]
fn premium_that_streams_beside_a_reading_is_earned_and_the_readings_is_not() {
    let (world, _, season) = stage(1);
    let stream = {
        let new = NewProduct {
            terms: ProductTerms { risk_group: 9, ..terms::product_terms() },
            ..terms::create_product(world.covered, terms::stress())
        };
        world.create_product_with(&season.pool, new)
    };
    world.advance(10 * DAY);
    let (_, flat) = season.holder(&world, &season.products[0], 10_000 * ONE);
    let (_, streams) = world.holder(&stream, 10_000 * ONE, 30);
    let [flat, streams] = [flat, streams].map(|mint| world.cover(&mint));
    audited(&world, &season);
    world.cluster.set_time(streams.end());
    world.run(&[], &[ix::accrue(season.pool.pool)]);
    let books = world.pool(&season.pool);
    assert_eq!((books.unearned_premium, books.flat_premium), (flat.premium, flat.premium));
    assert_eq!(books.loss_capital().unwrap(), 100_000 * ONE + streams.premium);
    audited(&world, &season);
}

/// The events tell what is unearned, to the unit.
#[test]
fn the_events_of_a_reading_rebuild_its_premium() {
    let (world, attestors, season) = stage(2);
    world.hear();
    let sold: Vec<_> = season.products.iter().map(|product| season.holder(&world, product, 10_000 * ONE)).collect();
    world.next_day();
    world.run(
        &[&sold[1].0.key],
        &[ix::cancel_cover(&season.products[1], sold[1].0.id(), sold[1].1, world.payer.pubkey())],
    );
    season.holder(&world, &season.products[1], 3_000 * ONE);
    due(&world, &season, 0);
    must(show(&world, &season.products[0], &attestors, said(&attestors, &season, &[0, 1, 2], 20)));
    due(&world, &season, 15 * DAY);
    for product in &season.products {
        must(resolve(&world, product, &attestors));
        world.run(&[], &[world.open_incident(product)]);
    }
    let (mut unearned, mut refunds) = (0, 0);
    for logs in world.hear() {
        unearned += events::<CoverBought>(&logs).iter().map(|event| event.premium).sum::<u64>();
        for event in events::<CoverCancelled>(&logs) {
            unearned -= event.refund + event.fee;
        }
        for event in events::<IncidentOpened>(&logs) {
            unearned -= event.accrual.earned + event.waiting_refunds + event.set_aside;
            refunds += event.waiting_refunds;
        }
    }
    let books = world.pool(&season.pool);
    assert_eq!((unearned, refunds), (books.unearned_premium, books.premium_refunds));
    audited(&world, &season);
}

/// What governance gives a product is for good, and of that product alone.
#[test]
fn a_reading_is_read_from_the_chain_as_it_was_set() {
    let (world, attestors, season) = stage(1);
    let trigger = world.trigger(&season.products[0]);
    let reading = trigger.reading;
    let read = SetReadingArgs {
        feed: trigger.feed,
        reading: ReadingInput {
            direction: reading.direction(),
            strike: reading.strike,
            exit: reading.exit,
            begins_day: reading.begins_day,
            due_at: reading.due_at,
        },
    };
    assert_eq!((read.reading, read.feed, trigger.attestors), (season.reading, FEED, attestors.set));
}
