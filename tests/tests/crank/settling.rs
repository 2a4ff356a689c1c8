//! Settlements: packed, shared by cranks, broken off, and with bad items among them.

use super::*;
use backstop::BuyPositionArgs;
use backstop::state::CoverRequest;

/// Settles many covers and says how: transactions with covers in them, most covers in one, most bytes, compute units.
fn measure(covers: u64, table_from: usize) -> (usize, usize, usize, u64) {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, covers, &payer);
    let cluster = Lossy::never(&world.cluster);
    let start = Instant::now();
    let report = crank(&cluster, &payer, Options { table_from, ..options() }).run_until_idle().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert_paid_once(&world, &pool, &product, &holders);
    assert_eq!((report.count("settle_cover"), report.skipped.len(), report.transactions_lost), (covers, 0, 0));
    let sent = cluster.sent.borrow();
    // `settle_cover` has nine accounts; no other instruction that a crank sends here has so many.
    let settled = |transaction: &VersionedTransaction| {
        transaction.message.instructions().iter().filter(|instruction| instruction.accounts.len() == 9).count()
    };
    let settlements: Vec<&VersionedTransaction> = sent.iter().filter(|sent| settled(sent) > 0).collect();
    let most = settlements.iter().map(|sent| settled(sent)).max().unwrap();
    let bytes = settlements.iter().map(|sent| bincode::serialize(sent).unwrap().len()).max().unwrap();
    println!(
        "{covers} covers in {} transactions, at most {most} in one, {bytes} bytes; {} CU in all; {seconds:.1} s",
        settlements.len(),
        report.compute_units,
    );
    (settlements.len(), most, bytes, report.compute_units)
}

#[test]
fn a_lookup_table_packs_more_covers_into_a_transaction() {
    let (plain, most_plain, bytes_plain, _) = measure(60, usize::MAX);
    let (packed, most_packed, bytes_packed, _) = measure(60, 1);
    assert!(packed < plain && most_packed > most_plain, "{packed} {plain} {most_packed} {most_plain}");
    assert!(bytes_plain <= 1_232 && bytes_packed <= 1_232);
}

#[test]
fn a_lookup_table_is_found_again_by_a_crank_that_starts_anew_and_its_rent_comes_back() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 24, &payer);
    let with_table = || Options { table_from: 1, ..options() };
    let tables = || world.cluster.svm().get_program_accounts(&TABLES).len();
    // Killed after confirming, opening, funding, the table, and a first settlement.
    for _ in 0..5 {
        let cluster = Lossy::after(1, &world.cluster);
        assert!(crank(&cluster, &payer, with_table()).run_until_idle().is_err());
    }
    assert_eq!(tables(), 1, "one table, whoever needed it");
    let lossy = Lossy::never(&world.cluster);
    let report = crank(&lossy, &payer, with_table()).run_until_idle().unwrap();
    assert_eq!(report.rent, 0, "the next crank finds the table");
    assert!(lossy.sent.borrow().iter().any(|sent| sent.message.address_table_lookups().is_some()));
    assert_paid_once(&world, &pool, &product, &holders);
    assert_eq!(tables(), 1, "a table cools before it can be closed");
    let before = world.cluster.account(&payer.pubkey()).unwrap().unwrap().lamports;
    let slot = world.cluster.slot().unwrap();
    world.cluster.svm().warp_to_slot(slot + 600);
    crank(&lossy, &payer, with_table()).run_until_idle().unwrap();
    assert_eq!(tables(), 0);
    assert!(world.cluster.account(&payer.pubkey()).unwrap().unwrap().lamports > before);
}

#[test]
fn a_lookup_table_that_vanishes_is_done_without() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 24, &payer);
    // Confirmed, opened, funded, the table made, a first settlement; then the node is gone for a moment.
    let cluster = Lossy::after(5, &world.cluster);
    let mut crank = crank(&cluster, &payer, Options { table_from: 1, ..options() });
    assert!(crank.run_until_idle().is_err());
    let [(table, _)] = &world.cluster.svm().get_program_accounts(&TABLES)[..] else { panic!() };
    world.cluster.set_account(*table, Account::default());
    cluster.left.set(usize::MAX);
    let report = crank.run_until_idle().unwrap();
    assert_eq!(report.skipped, []);
    assert_paid_once(&world, &pool, &product, &holders);
}

#[test]
fn a_payer_without_money_breaks_the_pass_off_and_blames_no_item() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 12, &payer);
    let purse = world.cluster.account(&payer.pubkey()).unwrap().unwrap();
    world.cluster.set_account(payer.pubkey(), Account { lamports: 900_000, ..purse.clone() });
    let mut crank = crank(&world.cluster, &payer, options());
    while let Ok(report) = crank.pass() {
        assert!(report.did_anything(), "it says what is missing instead of doing nothing: {report:?}");
        assert_eq!(report.skipped.iter().filter(|skipped| skipped.kind == "settle_cover").count(), 0);
        world.cluster.set_account(payer.pubkey(), Account { lamports: 1_000, ..purse.clone() });
    }
    world.cluster.set_account(payer.pubkey(), purse);
    crank.run_until_idle().unwrap();
    assert_paid_once(&world, &pool, &product, &holders);
}

#[test]
fn covers_of_one_holder_share_accounts_and_so_a_transaction() {
    let world = World::unsigned();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    world.print(&product, PAR);
    let person = world.person(1_000 * ONE);
    let covers: Vec<Pubkey> = (0..20)
        .map(|_| {
            let (mint, outcome) = world.buy(&product, &person, 100 * ONE, 30);
            outcome.unwrap();
            mint
        })
        .collect();
    let before = world.assets(&person);
    world.advance(3 * DAY);
    breach_for_long(&world, &product, HALF, &payer);
    let back: u64 = covers.iter().map(|mint| half_back(&world, mint)).sum();
    let cluster = Lossy::never(&world.cluster);
    let report = crank(&cluster, &payer, Options { table_from: 1, ..options() }).run_until_idle().unwrap();
    assert_eq!(report.count("settle_cover"), 20);
    assert_eq!(world.assets(&person) - before, 20 * 50 * ONE + back);
    let most = cluster.sent.borrow().iter().map(|sent| sent.message.instructions().len()).max().unwrap();
    assert!(most > 8, "{most} instructions in one");
}

#[test]
fn positions_are_settled_as_covers_are_and_one_that_cannot_be_paid_waits_for_its_owner() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    world.print(&product, PAR);
    let (owner, lender, frozen) = (world.person(1_000 * ONE), world.person(0), world.person(0));
    let buy = |beneficiary: &Person| {
        let (position, outcome) = world.buy_position(&product, [&owner, beneficiary], 100 * ONE, 30);
        outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
        position
    };
    let positions: Vec<Pubkey> = (0..20).map(|_| buy(&lender)).collect();
    let stuck = buy(&frozen);
    world.advance(3 * DAY);
    breach_for_long(&world, &product, HALF, &payer);
    let account = pool.assets_of(&frozen.id());
    let mut tokens = world.cluster.account(&account).unwrap().unwrap();
    tokens.data[STATE] = 2;
    world.cluster.set_account(account, tokens);
    let cluster = Lossy::never(&world.cluster);
    let report = crank(&cluster, &payer, options()).run_until_idle().unwrap();
    assert_eq!((report.count("settle_position"), report.skipped.len()), (20, 0));
    assert!(world.assets(&lender) >= 20 * 50 * ONE);
    for position in &positions {
        assert_eq!((world.position(position).paid, world.position(position).state), (50 * ONE, CoverState::Settled));
    }
    let most = cluster.sent.borrow().iter().map(|sent| sent.message.instructions().len()).max().unwrap();
    assert!(most > 8, "{most} instructions in one");
    let waits = |report: &Report| report.waiting.iter().any(|waiting| waiting.subject == stuck && waiting.amount > 0);
    assert!(waits(&report), "{report:?}");
    assert_eq!(world.incident(&product).sums_left, 100 * ONE, "and its incident stays open for it");
    let to = pool.assets_of(&lender.id());
    world.run(&[&owner.key], &[ix::set_beneficiary(&product, owner.id(), stuck, to)]);
    let report = crank(&world.cluster, &payer, options()).run_until_idle().unwrap();
    assert_eq!(report.count("settle_position"), 1);
    assert_eq!(world.position(&stuck).paid, 50 * ONE);
    assert!(world.cluster.account(&product.incident()).unwrap().is_none(), "the incident is closed");
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn liens_are_settled_beside_covers_and_positions_and_who_cannot_be_paid_holds_no_other_up() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    world.print(&product, PAR);
    let (owner, lender, frozen) = (world.person(1_000 * ONE), world.person(0), world.person(0));
    let set = |pledge: ix::Pledge, payee: &Person| {
        let to = pool.assets_of(&payee.id());
        let set = ix::set_lien(&product, world.payer.pubkey(), owner.id(), pledge, to, 30 * ONE);
        world.run(&[&owner.key], &[set]);
    };
    let position = |payee: &Person| {
        let (position, outcome) = world.buy_position(&product, [&owner, &owner], 100 * ONE, 30);
        outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
        set(ix::Pledge::Position(position), payee);
        position
    };
    let positions: Vec<Pubkey> = (0..6).map(|_| position(&lender)).collect();
    let stuck = position(&frozen);
    let (cover, outcome) = world.buy(&product, &owner, 100 * ONE, 30);
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
    set(ix::Pledge::Cover(cover), &lender);
    world.advance(3 * DAY);
    breach_for_long(&world, &product, HALF, &payer);
    let account = pool.assets_of(&frozen.id());
    let mut tokens = world.cluster.account(&account).unwrap().unwrap();
    tokens.data[STATE] = 2;
    world.cluster.set_account(account, tokens);
    let cluster = Lossy::never(&world.cluster);
    let report = crank(&cluster, &payer, options()).run_until_idle().unwrap();
    let counts = ["settle_position", "settle_cover", "settle_lien"].map(|kind| report.count(kind));
    assert_eq!((counts, report.skipped.len()), ([7, 1, 7], 0), "{report:?}");
    assert_eq!(world.assets(&lender), 7 * 30 * ONE);
    for position in &positions {
        assert_eq!((world.position(position).paid, world.position(position).state), (50 * ONE, CoverState::Settled));
    }
    assert_eq!(world.cover(&cover).state, CoverState::Settled);
    let most = cluster.sent.borrow().iter().map(|sent| sent.message.instructions().len()).max().unwrap();
    assert!(most > 8, "{most} instructions in one");
    assert!(report.waiting.iter().any(|waiting| waiting.subject == stuck && waiting.amount == 30 * ONE), "{report:?}");
    assert_eq!(world.position(&stuck).paid, 20 * ONE, "its owner has the rest");
    let to = pool.assets_of(&lender.id());
    world.run(&[&frozen.key], &[ix::lower_lien(pool.pool, frozen.id(), stuck, to, 30 * ONE)]);
    let report = crank(&world.cluster, &payer, options()).run_until_idle().unwrap();
    assert_eq!(report.count("settle_lien"), 1);
    assert_eq!(world.position(&stuck).paid, 50 * ONE);
    assert!(world.cluster.account(&product.incident()).unwrap().is_none(), "the incident is closed");
    assert_books(&world.cluster, &pool.pool);
}

/// Whether there is a lien on a policy.
fn has_lien(world: &World, policy: &Pubkey) -> bool {
    world.cluster.account(&address::lien(policy)).unwrap().is_some_and(|account| account.lamports > 0)
}

#[test]
fn a_lien_that_is_used_up_is_lifted_and_one_with_a_limit_left_is_not() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    world.print(&product, PAR);
    let (owner, lender, sponsor) = (world.person(1_000 * ONE), world.person(0), world.person(0));
    world.cluster.airdrop(&sponsor.id(), 1_000_000_000);
    let pledged = |limit: u64| {
        let (position, outcome) = world.buy_position(&product, [&owner, &owner], 100 * ONE, 30);
        outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
        let to = pool.assets_of(&lender.id());
        let set = ix::set_lien(&product, sponsor.id(), owner.id(), ix::Pledge::Position(position), to, limit);
        world.run(&[&sponsor.key, &owner.key], &[set]);
        position
    };
    // Half of 100 is paid: of the first all goes to the payee, of the second a part, and of the third he could get more.
    let (all, part, open) = (pledged(50 * ONE), pledged(20 * ONE), pledged(80 * ONE));
    assert_eq!(run(&world, &payer).count("lift_lien"), 0, "all are in force");
    let lamports = |key: &Pubkey| world.cluster.account(key).unwrap().unwrap().lamports;
    let rents = [all, part].map(|policy| lamports(&address::lien(&policy)));
    world.advance(3 * DAY);
    breach_for_long(&world, &product, HALF, &payer);
    // Every holder has something too, if only of the premium.
    let report = run(&world, &payer);
    let counts = ["settle_position", "settle_lien", "lift_lien"].map(|kind| report.count(kind));
    assert_eq!((counts, report.skipped.len()), ([3, 3, 0], 0), "{report:?}");
    assert_eq!((world.assets(&lender), world.position(&part).paid), (120 * ONE, 50 * ONE));
    let before = lamports(&sponsor.id());
    // Somebody whose first look it is, as a service that looks once an hour.
    let report = run(&world, &payer);
    assert_eq!((report.count("lift_lien"), report.skipped.len()), (2, 0), "{report:?}");
    assert_eq!(lamports(&sponsor.id()), before + rents.iter().sum::<u64>(), "to whoever paid the rent");
    for (policy, stays) in [(all, false), (part, false), (open, true)] {
        assert_eq!((has_lien(&world, &policy), world.position(&policy).has_lien), (stays, stays));
    }
    assert_eq!(run(&world, &payer).transactions, 0, "nothing is left to be done");
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_holder_who_is_still_to_be_paid_is_paid_before_the_used_up_lien_is_lifted() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    world.print(&product, PAR);
    let (owner, lender) = (world.person(1_000 * ONE), world.person(0));
    let (position, outcome) = world.buy_position(&product, [&owner, &owner], 100 * ONE, 30);
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
    let to = pool.assets_of(&lender.id());
    let pledge = ix::Pledge::Position(position);
    let set = ix::set_lien(&product, world.payer.pubkey(), owner.id(), pledge, to, 30 * ONE);
    world.run(&[&owner.key], &[set]);
    world.advance(3 * DAY);
    breach_for_long(&world, &product, HALF, &payer);
    // The incident is opened and funded; the payee has his own settled.
    for _ in 0..8 {
        if world.send(&[], &[ix::settle_lien(&product, position, to)]).is_ok() {
            break;
        }
        assert!(crank(&Lossy::after(1, &world.cluster), &payer, options()).run_until_idle().is_err());
    }
    assert_eq!((world.assets(&lender), world.position(&position).paid), (30 * ONE, 30 * ONE));
    let report = run(&world, &payer);
    let counts = ["settle_position", "settle_lien", "lift_lien"].map(|kind| report.count(kind));
    assert_eq!((counts, report.skipped.len()), ([1, 0, 0], 0), "{report:?}");
    assert_eq!(run(&world, &payer).count("lift_lien"), 1);
    assert!(!has_lien(&world, &position));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn a_lien_that_has_outlived_its_position_is_lifted_also_from_the_next_one_at_that_address() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    world.print(&product, PAR);
    let (owner, other, lender) = (world.person(1_000 * ONE), world.person(1_000 * ONE), world.person(0));
    let to = pool.assets_of(&lender.id());
    let buy = |who: &Person| {
        let request = CoverRequest { sum_insured: 100 * ONE, term_days: 7 };
        let args = BuyPositionArgs { nonce: 5, request, max_premium: u64::MAX, reference: [0; 32] };
        let to = pool.assets_of(&who.id());
        world.run(&[&who.key], &[ix::buy_position(&product, world.payer.pubkey(), who.id(), to, args)]);
        address::position(&product.product, &who.id(), 5)
    };
    let [gone, again] = [&owner, &other].map(|who| {
        let position = buy(who);
        let pledge = ix::Pledge::Position(position);
        let set = ix::set_lien(&product, world.payer.pubkey(), who.id(), pledge, to, 30 * ONE);
        world.run(&[&who.key], &[set]);
        position
    });
    world.advance(40 * DAY);
    assert_eq!(run(&world, &payer).count("lift_lien"), 0, "their positions are there");
    for (who, position) in [(&owner, gone), (&other, again)] {
        world.run(&[&who.key], &[ix::close_position(&product, who.id(), position, world.payer.pubkey())]);
    }
    // Somebody sends lamports to where one was; where the other was is its owner's next one.
    world.cluster.airdrop(&gone, 1_000_000);
    world.print(&product, PAR);
    world.advance(DAY);
    world.print(&product, PAR);
    assert_eq!(buy(&other), again);
    let report = run(&world, &payer);
    assert_eq!((report.count("lift_lien"), report.skipped.len()), (2, 0), "{report:?}");
    assert!(!has_lien(&world, &gone) && !has_lien(&world, &again));
    assert!(!world.position(&again).has_lien);
    let pledge = ix::Pledge::Position(again);
    world.run(&[&other.key], &[ix::set_lien(&product, world.payer.pubkey(), other.id(), pledge, to, 30 * ONE)]);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn two_cranks_at_once_settle_a_thousand_covers_exactly_once_each() {
    const COVERS: u64 = 1_000;
    let start = Instant::now();
    let mut world = World::unsigned();
    let (pool, product) = stage(&world);
    let payers = [operator(&world), operator(&world)];
    let holders = owed(&world, &product, COVERS, &payers[0]);
    let set_up = start.elapsed();
    let spare = EmbeddedCluster::start_unsigned(0, &payers[0].pubkey());
    let cluster = Mutex::new(std::mem::replace(&mut world.cluster, spare));
    let turns = (Mutex::new(Turns { next: 0, ended: [false; 2] }), Condvar::new());
    let start = Instant::now();
    let reports: Vec<Report> = std::thread::scope(|scope| {
        let run = |me: usize| {
            let (cluster, turns, payers) = (&cluster, &turns, &payers);
            scope.spawn(move || {
                let shared = Shared { me, cluster, turns };
                let report = crank(&shared, &payers[me], options()).run_until_idle();
                shared.end();
                report.unwrap_or_else(|error| panic!("{}", explain(&error)))
            })
        };
        let threads = [run(0), run(1)];
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    world.cluster = cluster.into_inner().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("set-up {:.1} s; {COVERS} covers by two cranks in {seconds:.1} s", set_up.as_secs_f64());
    for report in &reports {
        println!("{report:?}");
        assert!(report.count("settle_cover") > 0, "both have worked");
        assert_eq!(report.skipped, []);
    }
    let settled: u64 = reports.iter().map(|report| report.count("settle_cover")).sum();
    assert_eq!(settled, COVERS, "no cover was settled twice, and none was left");
    assert_paid_once(&world, &pool, &product, &holders);
}

#[test]
fn a_crank_killed_after_every_single_transaction_loses_and_doubles_nothing() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders: Vec<(Person, Pubkey)> = (0..40).map(|_| world.holder(&product, 1_000 * ONE, 30)).collect();
    for (person, _) in &holders {
        world.cluster.set_tokens(&person.id(), &world.asset, 0);
    }
    world.advance(3 * DAY);
    let terms = world.trigger(&product).terms;
    let (slot, mut lives) = (i64::from(terms.slot_seconds), 0);
    // From the first breach to the last payout, a new process for every transaction: all it knows is the chain.
    for step in 0..=terms.need {
        if step < terms.need {
            world.cluster.set_time((world.now() / slot + 1) * slot);
            publish(&world, HALF);
        } else {
            world.advance(slot + i64::from(terms.challenge) + 1);
        }
        while crank(&Lossy::after(1, &world.cluster), &payer, options()).run_until_idle().is_err() {
            lives += 1;
            assert!(lives < 100, "it gets nowhere");
        }
    }
    assert!(lives > 10, "it was killed {lives} times");
    // No time has passed since the trigger could be confirmed.
    let due = |mint: &Pubkey| 500 * ONE + half_back(&world, mint);
    let holders: Vec<_> = holders.into_iter().map(|(person, mint)| (person, mint, due(&mint))).collect();
    assert_paid_once(&world, &pool, &product, &holders);
}

/// Changes a byte of an account.
fn write(world: &World, address: Pubkey, at: usize, byte: u8) {
    let mut account = world.cluster.account(&address).unwrap().unwrap();
    account.data[at] = byte;
    world.cluster.set_account(address, account);
}

/// Makes a cover's sum larger than all that its incident owes. Returns the account as it was.
fn break_cover(world: &World, mint: &Pubkey) -> Account {
    let address = address::cover(mint);
    let good = world.cluster.account(&address).unwrap().unwrap();
    let mut bad = Account { data: Vec::new(), ..good.clone() };
    let mut cover = world.cover(mint);
    cover.sum_insured = 1_000_000 * ONE;
    anchor_lang::AccountSerialize::try_serialize(&cover, &mut bad.data).unwrap();
    bad.data.resize(good.data.len(), 0);
    world.cluster.set_account(address, bad);
    good
}

/// Where the state of a token account is: 1 in use, 2 frozen.
const STATE: usize = 108;

#[test]
fn a_bad_item_is_left_out_reported_and_waits_while_all_others_are_paid() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 30, &payer);
    // A cover of which nobody can see that it is broken before the program refuses it.
    let (bad, bad_mint, due) = &holders[11];
    let good = break_cover(&world, bad_mint);
    let mut crank = crank(&world.cluster, &payer, options());
    let report = crank.run_until_idle().unwrap();
    assert_eq!(report.count("settle_cover"), 29);
    let [skipped] = &report.skipped[..] else { panic!("{:?}", report.skipped) };
    assert_eq!((skipped.kind, skipped.subject.clone()), ("settle_cover", address::cover(bad_mint).to_string()));
    assert_eq!(report.transactions_lost, 0, "what is refused in simulation costs nothing");
    for (person, mint, due) in holders.iter().filter(|(_, mint, _)| mint != bad_mint) {
        assert_eq!((world.assets(person), world.cover(mint).state), (*due, CoverState::Settled));
    }
    assert_eq!(world.cover(bad_mint).state, CoverState::Active);
    assert_eq!(world.incident(&product).state, IncidentState::Final, "the incident stays open for it");
    // It is still known, and not tried again at once.
    world.cluster.set_account(address::cover(bad_mint), good);
    let again = crank.run_until_idle().unwrap();
    assert_eq!((again.transactions, again.skipped.len()), (0, 1));
    // Another crank, or the same later, pays it.
    assert_eq!(run(&world, &payer).count("settle_cover"), 1);
    assert_eq!(world.assets(bad), *due);
    assert_paid_once(&world, &pool, &product, &holders);
}

#[test]
fn refused_work_is_tried_again_after_its_wait() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 3, &payer);
    let good = break_cover(&world, &holders[0].1);
    let delays = Delays { first: Duration::from_millis(50), longest: Duration::from_secs(1) };
    let mut crank = crank(&world.cluster, &payer, Options { delays, ..options() });
    assert_eq!(crank.run_until_idle().unwrap().skipped.len(), 1);
    world.cluster.set_account(address::cover(&holders[0].1), good);
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(crank.run_until_idle().unwrap().count("settle_cover"), 1);
    assert_paid_once(&world, &pool, &product, &holders);
}

#[test]
fn covers_that_only_their_holders_can_be_paid_for_wait_and_cost_nothing() {
    let world = World::unsigned();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 4, &payer);
    let asset_account = |index: usize| terms::assets_of(&holders[index].0.id(), &world.asset);
    let nft = |index: usize| address::associated_token(&holders[index].0.id(), &holders[index].1, &TOKEN_2022);
    write(&world, asset_account(0), STATE, 2);
    world.cluster.set_account(asset_account(1), Account::default());
    // The third NFT belongs to a program's account.
    let owner = product.product;
    for (at, byte) in owner.as_ref().iter().enumerate() {
        write(&world, nft(2), 32 + at, *byte);
    }
    let settings = Settings { create_accounts: CreateAccounts::Nobody, ..Settings::default() };
    let careful = || {
        let options = Options { settings: settings.clone(), ..options() };
        crank(&world.cluster, &payer, options).run_until_idle().unwrap()
    };
    let report = careful();
    assert_eq!(report.count("settle_cover"), 1);
    let mut why: Vec<&str> = report.waiting.iter().map(|waiting| waiting.why).collect();
    why.sort_unstable();
    assert_eq!(
        why,
        [
            "it belongs to a program's account, which must sign",
            "its owner has no account of the asset",
            "its owner's account is frozen"
        ]
    );
    assert_eq!((report.skipped.len(), report.transactions_lost), (0, 0));
    let owed: u64 = report.waiting.iter().map(|waiting| waiting.amount).sum();
    assert_eq!(owed, holders[..3].iter().map(|(_, _, due)| due).sum::<u64>(), "it says for how much");
    let idle = careful();
    assert_eq!((idle.transactions, idle.waiting.len()), (0, 3), "nobody pays for looking again");
}

#[test]
fn a_missing_payout_account_is_created_unless_that_is_turned_off_and_counted_once_a_holder() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 12, &payer);
    // Two covers are held by one wallet.
    let (first, (_, moved, _)) = (&holders[0].0, &holders[1]);
    move_nft(&world, &holders[1].0, first, moved);
    for (person, _, _) in &holders {
        world.cluster.set_account(terms::assets_of(&person.id(), &world.asset), Account::default());
    }
    let settings = Settings { create_accounts: CreateAccounts::Nobody, ..Settings::default() };
    let report = crank(&world.cluster, &payer, Options { settings, ..options() }).run_until_idle().unwrap();
    assert_eq!((report.count("settle_cover"), report.count("close_incident"), report.waiting.len()), (0, 0, 12));
    let before = world.cluster.account(&payer.pubkey()).unwrap().unwrap().lamports;
    let report = run(&world, &payer);
    assert_eq!((report.count("settle_cover"), report.count("close_incident")), (12, 1));
    let after = world.cluster.account(&payer.pubkey()).unwrap().unwrap().lamports;
    assert_eq!(report.rent, 11 * world.cluster.rent(165).unwrap(), "eleven accounts");
    // The rent of the incident, which this crank's wallet had paid for, is back.
    let rent = |space| world.cluster.rent(8 + space).unwrap();
    let incident = rent(Incident::INIT_SPACE) + rent(Crisis::INIT_SPACE);
    assert_eq!(before + incident - after, report.fees + report.rent, "what is reported is what was paid");
    assert_eq!(world.assets(first), holders[0].2 + holders[1].2);
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn those_who_can_be_paid_come_before_those_for_whom_an_account_is_created() {
    let world = World::unsigned();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 12, &payer);
    for (person, _, _) in &holders[..6] {
        world.cluster.set_account(terms::assets_of(&person.id(), &world.asset), Account::default());
    }
    // Enough for confirming, opening, funding and two transactions, and for no account; a tenth is for prices alone.
    let rent = |space| world.cluster.rent(8 + space).unwrap();
    let rent = rent(Incident::INIT_SPACE) + rent(Crisis::INIT_SPACE);
    let budget = Some((rent + 5 * 5_000) * 10 / 9 + 1_000);
    let report = crank(&world.cluster, &payer, Options { budget, ..options() }).run_until_idle().unwrap();
    assert!(report.out_of_budget);
    for (index, (person, _, due)) in holders.iter().enumerate() {
        assert_eq!(balance(&world, person), if index < 6 { 0 } else { *due }, "{index}");
    }
}

/// What somebody has of the asset; nothing if they have no account.
fn balance(world: &World, person: &Person) -> u64 {
    let account = world.cluster.account(&terms::assets_of(&person.id(), &world.asset)).unwrap();
    account.map_or(0, |account| u64::from_le_bytes(account.data[64..72].try_into().unwrap()))
}

/// Hands an NFT on.
pub fn move_nft(world: &World, from: &Person, to: &Person, mint: &Pubkey) {
    let account = |owner: &Pubkey| address::associated_token(owner, mint, &TOKEN_2022);
    let create = ix::create_associated_token(&world.payer.pubkey(), &to.id(), mint, &TOKEN_2022);
    let transfer = spl_token_2022::instruction::transfer_checked(
        &TOKEN_2022,
        &account(&from.id()),
        mint,
        &account(&to.id()),
        &from.id(),
        &[],
        1,
        0,
    );
    world.run(&[&from.key], &[create, transfer.unwrap()]);
}

#[test]
fn whoever_holds_the_nft_now_is_paid() {
    let world = World::unsigned();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 3, &payer);
    let (seller, mint, due) = &holders[1];
    let buyer = world.person(0);
    move_nft(&world, seller, &buyer, mint);
    run(&world, &payer);
    assert_eq!((world.assets(&buyer), world.assets(seller)), (*due, 0));
}

#[test]
fn a_used_up_budget_stops_sending_and_not_the_crank() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 30, &payer);
    // Confirm, open, fund, and the incident's rent; then settlements of 5,000 lamports each.
    let before = world.cluster.account(&payer.pubkey()).unwrap().unwrap().lamports;
    let rent = |space| world.cluster.rent(8 + space).unwrap();
    let rent = rent(Incident::INIT_SPACE) + rent(Crisis::INIT_SPACE);
    // A tenth of it is for prices alone.
    let budget = Some((rent + 3 * 5_000 + 2 * 5_000 + 4_000) * 10 / 9);
    let mut crank = crank(&world.cluster, &payer, Options { budget, ..options() });
    let report = crank.run_until_idle().unwrap();
    assert!(report.out_of_budget);
    assert_eq!((report.transactions, report.fees), (5, 25_000));
    assert!((1..30).contains(&report.count("settle_cover")));
    let after = world.cluster.account(&payer.pubkey()).unwrap().unwrap().lamports;
    assert_eq!(before - after, report.fees + report.rent, "what is reported is what was paid");
    let idle = crank.pass().unwrap();
    assert!(idle.out_of_budget && idle.transactions == 0, "it still runs, and sends nothing");
    run(&world, &payer);
    assert_paid_once(&world, &pool, &product, &holders);
}

#[test]
fn a_crank_that_is_asked_to_stop_sends_nothing_more() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 12, &payer);
    let stop = Arc::new(AtomicBool::new(true));
    let mut crank = crank(&world.cluster, &payer, options());
    crank.stop_on(stop.clone());
    let report = crank.run_until_idle().unwrap();
    assert_eq!((report.transactions, report.passes), (0, 1));
    stop.store(false, Ordering::Relaxed);
    crank.run_until_idle().unwrap();
    assert_paid_once(&world, &pool, &product, &holders);
}
