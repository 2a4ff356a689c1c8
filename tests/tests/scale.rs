//! The program at scale: ten thousand covers in one pool, what they cost, and what they lock.
//!
//! An ordinary run measures a thousand covers and a hundred tickets; `BACKSTOP_SCALE=10000` measures ten times as many
//! too, which takes minutes.

use backstop::state::{CoverState, ProductState, ProductTerms, Tranche, day_of};
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_client::price_account::standing_account;
use backstop_client::transaction::{self, PriorityFee};
use backstop_client::{address, audit};
use backstop_keeper::crank::{Accounts, Crank, Options, Report};
use backstop_sandbox::embedded::Price;
use backstop_tests::catalogue::stage::{Setup, Stage};
use backstop_tests::scale::{self, FLAT, LOCKS, MAINNET, SETTLED};
use backstop_tests::terms::{self, DAY, FEED, ONE};
use backstop_tests::{Lossy, Person, World, assert_books, budget, explain, golden, seeded, source};
use sha2::{Digest, Sha256};
use solana_sdk::instruction::Instruction;
use solana_sdk::pubkey::Pubkey;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::OnceLock;
use std::time::Instant;

/// Covers in an ordinary run, and ten for each ticket.
const SIZE: u64 = 1_000;
/// Covers in a small pool.
const FEW: u64 = 10;
/// Covers in a pool in which about one ends every day.
const ONE_A_DAY: u64 = 500;
/// A price at which the stress condition pays half.
const HALF: i64 = 87_500_000;
/// A price without any trouble.
const PAR: i64 = 100_000_000;
/// What the runtime takes for the instruction that asks for units.
const ASKING: u64 = 150;
/// Bytes before a program in the account of its data.
const LOADER_HEADER: usize = 45;

/// The sizes to be measured.
fn sizes() -> Vec<u64> {
    let asked = std::env::var("BACKSTOP_SCALE").ok();
    let asked = asked.map(|size| size.parse::<u64>().expect("BACKSTOP_SCALE is a number of covers"));
    [SIZE].into_iter().chain(asked.filter(|size| *size > SIZE)).collect()
}

/// The program that the clusters of these tests run, by the first digits of its sha256, and whether it is the committed
/// one.
fn program() -> &'static (String, bool) {
    static PROGRAM: OnceLock<(String, bool)> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let account = World::uninitialised().cluster.account(&address::program_data()).unwrap();
        let running = account.expect("the program is there").data.split_off(LOADER_HEADER);
        let sha256: String = Sha256::digest(&running).iter().map(|byte| format!("{byte:02x}")).collect();
        (sha256[..8].to_owned(), running == source::artifact())
    })
}

/// Compares measured rows with the page, or writes them.
#[track_caller]
fn compare(heading: &str, text: &str, measured: &str, keys: usize) {
    println!("{measured}");
    if !program().1 {
        println!("NOT COMPARED: this is not the committed program; compute units depend on the compiler");
        return;
    }
    let committed = scale::committed(heading);
    if golden::blessing() {
        return scale::write(heading, &scale::merged(text, &committed, measured, keys));
    }
    let mut differences = scale::differences(&committed, measured, keys);
    if !committed.starts_with(text) {
        differences.push(format!("the words of \"{heading}\" have changed"));
    }
    assert!(differences.is_empty(), "run with BACKSTOP_BLESS=1 if it is meant\n{}", differences.join("\n"));
}

// ---- an incident and an epoch of exits, settled by the crank ----

const SETTLED_TEXT: &str = "\
Covers of different holders in one pool, and tickets of different depositors for one day. The asset falls; one crank
with one key confirms, opens and funds the incident, pays every cover, and closes it; a week later it settles the day's
exits and pays every ticket. Each is paid once, the sums are exact to the unit, and the audit finds nothing.

- *transactions* and *CU*: all that the crank sent for it, from the confirmation to the close, and the lookup table.
- *cost*: what they count against the limits below: units, signatures, write locks. *blocks*: how many blocks that fills
  if all write to one pool, at 20 million for an account; at 200 ms each.

| what | items | transactions | CU | CU an item | lamports | cost | blocks | program |
|---|--:|--:|--:|--:|--:|--:|--:|---|
";

/// The oracle's standing account says a price, published now.
fn publish(world: &World, price_e8: i64) {
    world.cluster.post_price(standing_account(&FEED), FEED, Price::e8(price_e8, 0, world.now()));
}

fn operator(world: &World) -> Keypair {
    let key = seeded(world.fresh());
    world.cluster.airdrop(&key.pubkey(), 1_000_000_000_000);
    key
}

/// Passes until nothing is due, and how long they took.
#[track_caller]
fn run(crank: &mut Crank) -> (Report, f64) {
    let start = Instant::now();
    let report = crank.run_until_idle().unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_eq!((report.skipped.len(), report.waiting.len(), report.transactions_lost), (0, 0, 0), "{report:?}");
    (report, start.elapsed().as_secs_f64())
}

/// A row of the page.
fn row(what: &str, instruction: &str, items: u64, report: &Report) -> String {
    let Report { transactions, compute_units, fees, .. } = report;
    let cost = scale::locks_of(instruction).packed(*transactions, items, *compute_units);
    let (each, blocks) = (compute_units / items, cost.div_ceil(MAINNET.account));
    let program = &program().0;
    format!("| {what} | {items} | {transactions} | {compute_units} | {each} | {fees} | {cost} | {blocks} | {program} |")
}

/// Somebody with an amount of the asset, and no lamports: the faucet is not made for so many.
fn person(world: &World, assets: u64) -> Person {
    let person = Person { key: seeded(world.fresh()) };
    world.cluster.set_tokens(&person.id(), &world.asset, assets);
    person
}

/// Somebody who has deposited.
#[track_caller]
fn depositor(world: &World, pool: &PoolKeys, amount: u64) -> Person {
    let person = person(world, amount);
    let outcome = world.deposit(pool, &person, Tranche::Senior, amount);
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
    person
}

/// Many covers of various sums: the holders, with what each is due when the price is half-way to a full loss.
fn insure(world: &World, product: &ProductKeys, covers: u64) -> Vec<(Person, Pubkey, u64)> {
    world.print(product, PAR);
    let insure = |number: u64| {
        let sum = (10 + number % 10) * ONE + number;
        let person = person(world, ONE);
        let (mint, outcome) = world.buy(product, &person, sum, 30);
        outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
        world.cluster.set_tokens(&person.id(), &world.asset, 0);
        (person, mint, sum / 2)
    };
    (0..covers).map(insure).collect()
}

/// Settles many covers and tickets by the crank, and returns the rows of the page.
fn settle(covers: u64, tickets: u64) -> String {
    let start = Instant::now();
    let world = World::unsigned();
    let pool = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&pool, terms::stress());
    world.depositor(&pool, Tranche::Junior, 100_000 * ONE);
    world.depositor(&pool, Tranche::Senior, 200_000 * ONE);
    let leavers: Vec<Person> = (0..tickets).map(|_| depositor(&world, &pool, 10 * ONE)).collect();
    world.next_day();
    let shares = world.shares(&pool, &leavers[0], Tranche::Senior);
    let nonces: Vec<u64> = leavers.iter().map(|person| world.exit(&pool, person, Tranche::Senior, shares)).collect();
    let exit_day = world.pool(&pool).newest_exit_day;
    let holders = insure(&world, &product, covers);
    world.advance(3 * DAY);
    println!("set-up of {covers} covers and {tickets} tickets: {:.1} s", start.elapsed().as_secs_f64());

    let payer = operator(&world);
    let options = Options { priority_fee: PriorityFee::Fixed(0), ..Options::default() };
    let cluster = Lossy::never(&world.cluster);
    let mut crank = Crank::new(&cluster, &payer, Box::new(Accounts::default()), options);
    let condition = world.trigger(&product).terms;
    let slot = i64::from(condition.slot_seconds);
    for _ in 0..condition.need {
        world.cluster.set_time((world.now() / slot + 1) * slot);
        publish(&world, HALF);
        run(&mut crank);
    }
    world.advance(slot + i64::from(condition.challenge) + 1);

    let vault = || world.tokens(&pool.vault());
    let before = vault();
    let (paid, seconds) = run(&mut crank);
    println!("{covers} covers settled in {seconds:.1} s");
    assert_eq!(paid.count("settle_cover"), covers);
    // Half of the sum, and half of the premium of the time after the challenge.
    let ended_at = world.trigger(&product).evidence.met_at + i64::from(condition.challenge);
    let due = |mint: &Pubkey, half: u64| {
        let cover = world.cover(mint);
        let seconds = u128::try_from(cover.end() - ended_at).unwrap();
        half + u64::try_from((u128::from(cover.rate_q32) * seconds) >> 32).unwrap() / 2
    };
    for (person, mint, half) in &holders {
        let paid = (world.assets(person), world.cover(mint).state);
        assert_eq!(paid, (due(mint, *half), CoverState::Settled), "paid once, in full");
    }
    let all: u64 = holders.iter().map(|(_, mint, half)| due(mint, *half)).sum();
    assert_eq!(before - vault(), all, "nobody else was paid");
    assert!(world.cluster.account(&product.incident()).unwrap().is_none(), "the incident is closed");
    assert_eq!(world.product(&product).state(), ProductState::Over);
    assert_books(&world.cluster, &pool.pool);

    world.cluster.set_time((i64::from(exit_day) + 1) * DAY);
    let before = vault();
    let (left, seconds) = run(&mut crank);
    println!("{tickets} tickets paid in {seconds:.1} s");
    assert_eq!((left.count("settle_exit_epoch"), left.count("claim_exit"), left.count("close_exit_epoch")), {
        (1, tickets, 1)
    });
    let each = world.assets(&leavers[0]);
    assert!(each > 9 * ONE, "a senior share has lost nothing but rounding: {each}");
    for (person, nonce) in leavers.iter().zip(nonces) {
        assert_eq!(world.assets(person), each, "the same shares are paid the same");
        let ticket = address::exit_ticket(&pool.pool, &person.id(), nonce);
        assert!(world.cluster.account(&ticket).unwrap().is_none(), "a paid ticket is closed");
    }
    assert_eq!(before - vault(), each * tickets, "nobody else was paid");
    assert!(world.cluster.account(&address::exit_epoch(&pool.pool, exit_day)).unwrap().is_none());
    assert!(run(&mut crank).0.done.is_empty(), "nothing is left to do");
    assert_books(&world.cluster, &pool.pool);
    let audit = audit::run(&world.cluster, None).unwrap();
    assert!(audit.is_ok(), "{:?}", audit.findings().collect::<Vec<_>>());
    [row("covers", "settle_cover", covers, &paid), row("tickets", "claim_exit", tickets, &left)].join("\n")
}

#[test]
fn a_crank_settles_every_cover_and_every_ticket_of_a_large_pool_exactly_once() {
    let rows: Vec<String> = sizes().into_iter().map(|size| settle(size, size / 10)).collect();
    compare(SETTLED, SETTLED_TEXT, &rows.join("\n"), 2);
}

// ---- flat ----

const FLAT_TEXT: &str = "\
Compute units of the same instruction in pools that differ in the number of their covers, in the days on which covers
end, and in the days in which nobody touched them. The number of covers makes no difference. Premium is earned day by
day, in one go over days on which nothing ends: what earns it costs more after idle days on which covers ended, by what
`accrue` costs more, and most if some ended on each of them. `buy_cover` also releases what has ended, as `sync_product`
does. All other figures are the same after as many days.

- *8 days*: covers of 8 different lengths; 10 covers, or so many. *every day*: of 7, 8, 9 ... 500 days; 500 covers, or so
  many.
- `request_exit` opens the epoch of its day here, at an address that is found on the first try.
- `settle_cover` waits at most 170 days: an incident is closed after 180.

| instruction | idle days | covers | 8 days: 10 covers | so many | every day: 500 covers | so many | program |
|---|--:|--:|--:|--:|--:|--:|---|
";

/// On how many days covers end.
#[derive(Clone, Copy)]
enum Ends {
    /// On eight, that of the stage's covers included.
    OnFewDays,
    /// On every day from the shortest term to the longest.
    Daily,
}

impl Ends {
    /// How long a cover runs.
    fn term(self, number: u64) -> u16 {
        let days = match self {
            Self::OnFewDays => 7 + number % 7 * 70,
            Self::Daily => 7 + number % 494,
        };
        days.try_into().unwrap()
    }
}

/// Compute units of an instruction, and of nothing else; the cluster stays as it is.
#[track_caller]
fn units(stage: &Stage, signers: &[&Keypair], instruction: Instruction) -> u64 {
    let world = &stage.world;
    let signed = transaction::sign(&world.cluster, &world.payer, signers, &[budget(), instruction]).unwrap();
    let receipt = world.cluster.simulate(&signed).unwrap_or_else(|error| panic!("{}", explain(&error)));
    receipt.compute_units - ASKING
}

/// What a pool's life costs, by instruction and idle days.
type Figures = BTreeMap<(&'static str, i64), u64>;

/// A pool with so many covers.
fn crowded(covers: u64, ends: Ends) -> Stage {
    let product = ProductTerms { max_term_days: 500, ..terms::product_terms() };
    let setup = Setup { product, term_days: 500, ..Setup::default() };
    let stage = Stage::sold(setup);
    let mut svm = stage.world.cluster.svm();
    *svm = std::mem::take(&mut *svm).with_sigverify(false);
    drop(svm);
    stage.show(PAR);
    let buyer = stage.world.person(100_000 * ONE);
    let sold =
        |stage: &Stage| stage.products[..2].iter().map(|keys| stage.world.product(keys).covers_sold).sum::<u64>();
    let mut number = 0;
    while sold(&stage) < covers {
        let (_, outcome) = stage.world.buy(&stage.products[0], &buyer, 2 * ONE, ends.term(number));
        outcome.unwrap_or_else(|error| panic!("{}", explain(&error)));
        number += 1;
    }
    stage
}

/// What a user and a crank do in a pool that nobody has touched for some days.
fn measure_life(stage: &Stage, idle: i64, figures: &mut Figures) {
    let (pool, product) = (&stage.pools[0], &stage.products[0]);
    let [anna, fred, rent] = [stage.person("anna"), stage.person("fred"), stage.rent.insecure_clone()];
    let mut note = |name, units| figures.insert((name, idle), units);
    note("accrue", units(stage, &[], ix::accrue(pool.pool)));
    note("sync_product", units(stage, &[], ix::sync_product(product)));
    let price = stage.post(PAR, stage.world.now());
    note("observe", units(stage, &[], ix::observe(product, price)));
    let (_, deposit) = stage.deposit(pool, "anna", Tranche::Senior, 100 * ONE);
    note("deposit", units(stage, &[&anna], deposit));
    note("request_exit", units(stage, &[&anna, &rent], stage.request_exit(pool, "anna", 20)));
    note("claim_exit", units(stage, &[], ix::claim_exit(pool, &stage.ticket(pool, "alice"))));
    stage.act(&[], &[budget(), ix::observe(product, price)]);
    let nonce = stage.cover_nonce(product, "fred", "gina");
    note("buy_cover", units(stage, &[&fred, &rent], stage.buy_as(product, "fred", "gina", nonce)));
}

/// Waits for a day on which exits that are asked for a day later, and 500 days later, are at addresses that are found on
/// the first try, as further tries cost more.
fn wait_for_first_tries(stage: &Stage) {
    use backstop::constants::EXIT_EPOCH_SEED;
    let pool = stage.pools[0].pool;
    let cooldown = i64::from(stage.world.pool(&stage.pools[0]).terms.cooldown_seconds);
    let is_found_at_once = |day: u32| {
        let seeds: [&[u8]; 3] = [EXIT_EPOCH_SEED, pool.as_ref(), &day.to_le_bytes()];
        Pubkey::find_program_address(&seeds, &backstop::ID).1 == u8::MAX
    };
    while ![1, 500].into_iter().all(|idle| is_found_at_once(day_of(stage.world.now() + cooldown) + idle)) {
        stage.world.advance(DAY);
    }
}

/// What everything costs in a pool with so many covers.
fn life(covers: u64, ends: Ends) -> Figures {
    let start = Instant::now();
    let stage = crowded(covers, ends);
    println!("set-up of {covers} covers: {:.1} s", start.elapsed().as_secs_f64());
    let mut figures = Figures::new();
    let before = stage.world.cluster.svm().clone();

    for name in ["anna", "fred"] {
        stage.enter(name, 10_000 * ONE);
    }
    let (account, _) = stage.deposit(&stage.pools[0], "anna", Tranche::Senior, ONE);
    stage.act(&[], &[account]);
    stage.act(&[&stage.person("alice")], &[stage.request_exit(&stage.pools[0], "alice", 10)]);
    let day = stage.exit_day();
    stage.world.cluster.set_time((i64::from(day) + 1) * DAY);
    stage.act(&[], &[budget(), ix::settle_exit_epoch(stage.pools[0].pool, day)]);
    wait_for_first_tries(&stage);
    stage.rest(1);
    measure_life(&stage, 1, &mut figures);
    stage.world.advance(499 * DAY);
    measure_life(&stage, 500, &mut figures);

    *stage.world.cluster.svm() = before;
    stage.world.advance(3 * DAY);
    stage.depeg(HALF);
    let product = &stage.products[0];
    stage.act(&[], &[ix::confirm(product)]);
    stage.act(&[], &[ix::open_incident(product, stage.rent.pubkey(), 1)]);
    stage.act(&[], &[budget(), ix::fund_incident(product, 1)]);
    figures.insert(("settle_cover", 1), units(&stage, &[], stage.settle("carl", 0)));
    stage.world.advance(170 * DAY);
    figures.insert(("settle_cover", 170), units(&stage, &[], stage.settle("carl", 0)));
    figures
}

/// Whether figures are the same but for one in a hundred and a few branches.
fn is_flat(one: u64, other: u64) -> bool {
    one.abs_diff(other) <= one / 100 + 50
}

/// What an instruction costs in a crowded pool, whatever its covers' ends: the same as in an empty one, and more after
/// idle days only by what it must earn and release.
#[track_caller]
fn assert_flat(few: &Figures, many: &Figures) {
    for (key, many) in many {
        assert!(is_flat(few[key], *many), "{key:?}: {} with few covers, {many} with many", few[key]);
    }
    let more = |instruction, idle| many[&(instruction, idle)] - many[&(instruction, 1)];
    assert!(is_flat(more("deposit", 500), more("accrue", 500)), "{many:?}");
    assert!(is_flat(more("request_exit", 500), more("accrue", 500)), "{many:?}");
    // A purchase also empties the buckets of the idle days in which the product keeps rates and starts: 512 of them, as
    // many as of its exposure, and 64.
    let (sync, accrual) = (more("sync_product", 500), more("accrue", 500));
    assert!(more("buy_cover", 500) <= 2 * sync - accrual + 2_500, "{many:?}");
    for (instruction, idle) in [("observe", 500), ("claim_exit", 500), ("settle_cover", 170)] {
        assert!(is_flat(many[&(instruction, 1)], many[&(instruction, idle)]), "{instruction}: {many:?}");
    }
}

#[test]
fn what_an_instruction_costs_depends_neither_on_the_number_of_covers_nor_on_more_idle_days_than_it_must_earn() {
    let program = &program().0;
    let few = [life(FEW, Ends::OnFewDays), life(ONE_A_DAY, Ends::Daily)];
    let mut rows = String::new();
    for size in sizes() {
        let many = [life(size, Ends::OnFewDays), life(size, Ends::Daily)];
        for key @ (instruction, idle) in many[0].keys() {
            let [ten, daily] = [0, 1].map(|ends| format!("{} | {}", few[ends][key], many[ends][key]));
            writeln!(rows, "| `{instruction}` | {idle} | {size} | {ten} | {daily} | {program} |").unwrap();
        }
        print!("{rows}");
        for (few, many) in few.iter().zip(&many) {
            assert_flat(few, many);
        }
    }
    compare(FLAT, FLAT_TEXT, &rows, 3);
}

// ---- write locks ----

#[test]
fn the_page_says_what_every_instruction_locks_and_what_throughput_follows() {
    let section = scale::locks_section(MAINNET);
    for locks in scale::locks() {
        assert!(section.contains(&format!("\n| `{}` |", locks.instruction)), "{} has no row", locks.instruction);
    }
    if golden::blessing() {
        return scale::write(LOCKS, &section);
    }
    scale::check(LOCKS, &section);
}

#[test]
fn only_a_change_of_roles_or_a_pause_is_written_where_all_pools_are_read() {
    let governments = ["initialize", "pause", "set_roles", "propose_governance", "accept_governance"];
    for locks in scale::locks() {
        let for_all = locks.shared.iter().any(|account| account == "protocol");
        assert_eq!(for_all, governments.contains(&locks.instruction.as_str()), "{}", locks.instruction);
    }
}

// ---- the page ----

#[test]
fn a_row_may_grow_by_two_percent_and_fall_by_five_and_rows_of_other_sizes_are_kept() {
    let row = |size: u64, units: u64| format!("| covers | {size} | {units} | 12385ce7 |");
    let differs = |units: u64| !scale::differences(&row(10, 1_000), &row(10, units), 2).is_empty();
    assert!(!differs(1_020) && differs(1_021) && !differs(950) && differs(949));
    assert_eq!(scale::differences(&row(10, 1_000), &row(100, 1_000), 2), ["covers, 100 is not on the page"]);
    let page = format!("| what | items |\n|---|--:|\n{}\n{}\n", row(1_000, 7), row(20, 5));
    let merged = scale::merged("Text.\n", &page, &row(20, 6), 2);
    assert_eq!(merged, format!("Text.\n{}\n{}\n", row(20, 6), row(1_000, 7)));
}
