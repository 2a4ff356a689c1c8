//! Prices that are old, early, missing, refused, lost on the way, or of a time when nobody was there.

use super::prices::{Trusting, base64, update_of};
use super::*;
use anchor_lang::Discriminator;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use backstop::peril::evidence::TermsInput;
use backstop::peril::feed::{Observation, Source};
use backstop_client::instruction::NewProduct;
use backstop_keeper::crank::plan::Feed;
use backstop_keeper::crank::price::Step;
use backstop_keeper::crank::{Hermes, PriceError, PriceSource, Print};
use tiny_http::{Header, Response, Server};

const OTHER: [u8; 32] = [8; 32];

/// A pool with two products that listen to different feeds.
fn two_products(world: &World) -> (PoolKeys, ProductKeys, ProductKeys) {
    let (pool, product) = stage(world);
    let other = NewProduct { feed: OTHER, ..terms::create_product(world.covered, terms::stress()) };
    (pool, product, world.create_product_with(&pool, other))
}

/// A source whose prints are posted by a transfer of its payer, which fails for feeds that are broken.
struct Posted {
    payer: Pubkey,
    other: Pubkey,
    broken: Vec<Pubkey>,
    prints: Vec<Print>,
}

impl PriceSource for Posted {
    fn prints(&mut self, _: &dyn Cluster, _: &[Feed], _: i64) -> Result<Vec<Print>, PriceError> {
        Ok(self.prints.clone())
    }
    fn posting(&self, _: &dyn Cluster, prints: &[Print]) -> Result<Vec<Step>, ClusterError> {
        let post = |print: &Print| {
            let lamports: u64 = if self.broken.contains(&print.account) { u64::MAX / 2 } else { 1_000_000 };
            let data = [&2u32.to_le_bytes()[..], &lamports.to_le_bytes()].concat();
            let accounts = vec![AccountMeta::new(self.payer, true), AccountMeta::new(self.other, false)];
            let transfer = Instruction { program_id: Pubkey::default(), accounts, data };
            Step { instructions: vec![transfer], signers: Vec::new(), creates: Vec::new() }
        };
        Ok(prints.iter().map(post).collect())
    }
}

/// A source with a print of each of these, which are in the accounts already.
fn posted(world: &World, payer: &Keypair, prints: &[([u8; 32], i64)]) -> Posted {
    let print = |(feed, price): &([u8; 32], i64)| {
        let account = seeded(world.fresh()).pubkey();
        world.cluster.post_price(account, *feed, Price::e8(*price, 0, world.now()));
        let observation = Observation { price: *price as u64, confidence: 0, publish_time: world.now() };
        Print { source: Source::PythReceiver.byte(), feed: *feed, account, observation, attested: None }
    };
    let other = seeded(world.fresh()).pubkey();
    world.cluster.airdrop(&other, 10_000_000);
    Posted { payer: payer.pubkey(), other, broken: Vec::new(), prints: prints.iter().map(print).collect() }
}

#[test]
fn a_watched_feed_without_a_fresh_price_is_told_by_age_and_one_with_it_is_not() {
    let world = World::new();
    stage(&world);
    let payer = operator(&world);
    let complaints = || run(&world, &payer).complaints();
    let [none] = &complaints()[..] else { panic!() };
    assert!(none.contains(&"07".repeat(32)) && none.contains("nobody has seen a price of it"), "{none}");
    let standing = standing_account(&FEED);
    world.cluster.post_price(standing, FEED, Price::e8(PAR, 0, world.now() - DAY));
    let [old] = &complaints()[..] else { panic!() };
    assert!(old.contains("its newest price is 86400 s old, and 1860 s is the most"), "{old}");
    publish(&world, PAR);
    assert_eq!(complaints(), [""; 0]);
    world.advance(1_860);
    assert_eq!(complaints(), [""; 0]);
    world.advance(1);
    assert_eq!(complaints().len(), 1);
}

#[test]
fn a_feed_that_nothing_depends_on_is_not_watched() {
    let world = World::new();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    assert_eq!(run(&world, &payer).feeds.len(), 1, "it sells");
    let set = |state| {
        let set = ix::set_product_state(world.governance.pubkey(), product.pool.pool, product.product, state);
        world.run(&[&world.governance], &[set]);
    };
    set(ProductState::Frozen);
    assert_eq!(run(&world, &payer).feeds.len(), 1, "it may sell again, and must know the lows by then");
    set(ProductState::RunOff);
    assert_eq!(run(&world, &payer).feeds, [], "nobody will buy, and nobody is insured");
}

#[test]
fn a_print_ahead_of_the_clusters_clock_is_told_and_shown_when_it_is_due() {
    let world = World::new();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    world.cluster.post_price(standing_account(&FEED), FEED, Price::e8(HALF, 0, world.now() + 6));
    let report = run(&world, &payer);
    assert_eq!((report.count("observe"), report.feeds[0].ahead_seconds, report.skipped.len()), (0, 6, 0));
    assert!(report.complaints()[0].contains("6 s ahead of the cluster's clock"), "{:?}", report.complaints());
    world.advance(1);
    let report = run(&world, &payer);
    assert_eq!((report.count("observe"), report.feeds[0].ahead_seconds), (1, 0));
    assert_eq!(report.complaints(), [""; 0]);
    assert_eq!(world.trigger(&product).evidence.last_price, HALF as u64);
}

/// A service that answers each request by what a function says of its address, until it is dropped.
struct Service {
    url: String,
    server: Arc<Server>,
    asked: Arc<Mutex<Vec<String>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    fn start(mut answer: impl FnMut(&str) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let url = format!("http://{}", server.server_addr());
        let thread = std::thread::spawn({
            let (server, asked) = (server.clone(), asked.clone());
            move || {
                for request in server.incoming_requests() {
                    asked.lock().unwrap().push(request.url().to_owned());
                    let data = answer(request.url()).map(|update| format!("\"{}\"", base64(&update)));
                    let data = data.unwrap_or_default();
                    let body = format!(r#"{{"binary":{{"encoding":"base64","data":[{data}]}},"parsed":[]}}"#);
                    let _ = request.respond(Response::from_string(body));
                }
            }
        });
        Self { url, server, asked, thread: Some(thread) }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.unblock();
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

#[test]
fn an_early_print_of_hermes_is_kept_though_the_service_says_it_no_more() {
    let world = World::new();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    let early = world.now() + 60;
    let mut answers = vec![update_of(FEED, 94_000_000, early)];
    let service = Service::start(move |_| answers.pop());
    let cluster = Trusting::on(&world.cluster);
    let mut crank = Crank::new(&cluster, &payer, Box::new(Hermes::new(&service.url, None, &payer)), options());
    let report = crank.run_until_idle().unwrap();
    assert_eq!((report.count("observe"), report.feeds[0].ahead_seconds), (0, 60));
    world.advance(54);
    assert_eq!(crank.run_until_idle().unwrap().count("observe"), 0);
    world.advance(1);
    assert_eq!(crank.run_until_idle().unwrap().count("observe"), 1);
    assert_eq!(world.trigger(&product).evidence.last_publish_time, early);
}

#[test]
fn a_hermes_answer_without_the_feed_is_no_price() {
    let world = World::new();
    stage(&world);
    let payer = operator(&world);
    let service = Service::start(|_| None);
    let source = Hermes::new(&service.url, None, &payer);
    let report = Crank::new(&world.cluster, &payer, Box::new(source), options()).run_until_idle().unwrap();
    assert_eq!(report.price_error, None);
    assert!(report.complaints()[0].contains("nobody has seen a price of it"), "{:?}", report.complaints());
}

#[test]
fn what_a_service_answers_instead_of_prices_is_told_apart() {
    let world = World::new();
    let (_, _) = stage(&world);
    let payer = operator(&world);
    for (status, body, key, told) in [
        (401, "Unauthorized", None, "it asks for a key (401)"),
        (403, "Forbidden", Some("KEY"), "it refuses the key (403)"),
        (429, "slow down", None, "it has had too many requests (429)"),
        (500, "oops", None, "it answers with status 500"),
        (200, "<html>maintenance</html>", None, "it answers with a web page, not with prices"),
        (200, "{}", None, "its answer is not as Hermes writes it"),
    ] {
        let server = Server::http("127.0.0.1:0").unwrap();
        let url = format!("http://{}/path?SECRET", server.server_addr());
        let thread = std::thread::spawn(move || {
            server.recv().unwrap().respond(Response::from_string(body).with_status_code(status)).unwrap();
        });
        let source = Hermes::new(&url, key.map(str::to_owned), &payer);
        let report = Crank::new(&world.cluster, &payer, Box::new(source), options()).pass().unwrap();
        thread.join().unwrap();
        let why = report.price_error.clone().unwrap();
        assert!(why.ends_with(told) && !why.contains("SECRET") && !why.contains("KEY"), "{why}");
        assert!(report.complaints().contains(&why));
    }
}

#[test]
fn a_key_goes_to_nobody_but_the_host_that_was_named() {
    let world = World::new();
    stage(&world);
    let payer = operator(&world);
    let (named, other) = (Server::http("127.0.0.1:0").unwrap(), Server::http("127.0.0.1:0").unwrap());
    let url = format!("http://{}", named.server_addr());
    let to = format!("http://{}/SECRET-PATH", other.server_addr());
    let thread = std::thread::spawn(move || {
        let header = Header::from_bytes("Location", to.as_bytes()).unwrap();
        named.recv().unwrap().respond(Response::empty(307).with_header(header)).unwrap();
    });
    let source = Hermes::new(&url, Some("KEY".into()), &payer);
    let report = Crank::new(&world.cluster, &payer, Box::new(source), options()).pass().unwrap();
    thread.join().unwrap();
    let why = report.price_error.unwrap();
    assert!(why.contains(&format!("it sends on to http://{} (307)", other.server_addr())), "{why}");
    assert!(!why.contains("SECRET-PATH"), "{why}");
    assert!(other.try_recv().unwrap().is_none(), "nobody else is asked");
}

#[test]
fn a_feed_that_cannot_be_posted_blinds_no_other() {
    let world = World::new();
    let (_, product, other) = two_products(&world);
    let payer = operator(&world);
    let mut source = posted(&world, &payer, &[(FEED, HALF), (OTHER, HALF)]);
    source.broken = vec![source.prints[0].account];
    let report = Crank::new(&world.cluster, &payer, Box::new(source), options()).run_until_idle().unwrap();
    assert_eq!(report.count("observe"), 1);
    assert_eq!(world.trigger(&product).evidence.last_price, 0);
    assert_eq!(world.trigger(&other).evidence.last_price, HALF as u64);
    let [skipped] = &report.skipped[..] else { panic!("{:?}", report.skipped) };
    assert_eq!((skipped.kind, &skipped.subject), ("observe", &product.trigger().to_string()));
}

#[test]
fn a_print_that_failed_keeps_no_newer_one_of_its_feed_back() {
    let world = World::new();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    let mut source = posted(&world, &payer, &[(FEED, HALF), (FEED, HALF)]);
    // The first is broken; it is newer.
    source.broken = vec![source.prints[0].account];
    source.prints[1].observation.publish_time -= 10;
    let account = source.prints[1].account;
    world.cluster.post_price(account, FEED, Price::e8(HALF, 0, world.now() - 10));
    let mut crank = Crank::new(&world.cluster, &payer, Box::new(source), options());
    let report = crank.run_until_idle().unwrap();
    assert_eq!((report.count("observe"), report.passes), (1, 2));
    assert_eq!(world.trigger(&product).evidence.last_publish_time, world.now() - 10);
}

#[test]
fn congestion_is_no_fault_of_an_observation_and_costs_nothing() {
    let world = World::new();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    for is_posted in [true, false] {
        let cluster = Odd::new(&world.cluster);
        cluster.congested.set(true);
        publish(&world, HALF);
        let source: Box<dyn PriceSource> =
            if is_posted { Box::new(posted(&world, &payer, &[(FEED, HALF)])) } else { Box::<Accounts>::default() };
        let mut crank = Crank::new(&cluster, &payer, source, options());
        for _ in 0..4 {
            let report = crank.pass().unwrap();
            assert_eq!((report.skipped.len(), report.transactions_lost), (0, 1), "{report:?}");
            assert_eq!((report.fees, report.rent), (0, 0), "what expired has cost nothing");
        }
        cluster.congested.set(false);
        assert_eq!(crank.pass().unwrap().count("observe"), 1, "at once, without waiting");
        assert_eq!(world.trigger(&product).evidence.last_price, HALF as u64);
        world.advance(1_800);
    }
}

/// Four hours below the threshold; a crank that was away for an hour and a half of them asks Hermes for the prices of that
/// time.
#[test]
fn slots_that_were_missed_are_filled_while_they_are_open() {
    let world = World::new();
    let (_, product) = stage(&world);
    world.holder(&product, 1_000 * ONE, 30);
    world.advance(3 * DAY);
    let payer = operator(&world);
    let slot = 1_800;
    let start = (world.now() / slot + 1) * slot;
    // Below the threshold from `start` on; before, all is well.
    let price = move |at: i64| if at >= start { HALF } else { PAR };
    let latest = Arc::new(Mutex::new(0));
    let service = Service::start({
        let latest = latest.clone();
        move |url| {
            let at = url.split(['/', '?']).nth(4).unwrap();
            let at = at.parse().unwrap_or_else(|_| *latest.lock().unwrap());
            Some(update_of(FEED, price(at), at))
        }
    });
    let cluster = Trusting::on(&world.cluster);
    let mut questions = 0;
    for index in 0..8 {
        world.cluster.set_time(start + index * slot + 60);
        *latest.lock().unwrap() = world.now();
        // Away in slots 3, 4 and 5. Each time it is a new process.
        if (3..6).contains(&index) {
            continue;
        }
        let source = Hermes::new(&service.url, None, &payer);
        let mut crank = Crank::new(&cluster, &payer, Box::new(source), options());
        service.asked();
        let report = crank.pass().unwrap();
        let asked = service.asked();
        let past = asked.iter().filter(|url| !url.contains("latest")).count();
        assert!(past <= 8, "so many questions a pass: {asked:?}");
        questions += past;
        assert_eq!(report.skipped, []);
        crank.run_until_idle().unwrap();
        service.asked();
    }
    let trigger = world.trigger(&product);
    assert_eq!(
        trigger.phase(),
        Phase::Met,
        "{} of {}",
        trigger.evidence.longest_credited(&trigger.terms),
        trigger.terms.need
    );
    assert!(questions >= 3);
}

/// Half is due when the incident opens, and in its run-on the price falls on for four hours and a half. An open incident has
/// no exposure left, and a crank that was away for an hour and a half of that time asks for its prices all the same.
#[test]
fn slots_that_were_missed_in_a_run_on_are_filled_too() {
    let severities = [false, true].map(|away| {
        let world = World::new();
        let pool = world.create_pool(terms::create_pool(0));
        let condition = TermsInput { run_on_seconds: 3 * 86_400, ..terms::stress() };
        let product = world.create_product(&pool, condition);
        world.depositor(&pool, Tranche::Senior, 200_000 * ONE);
        world.next_day();
        world.holder(&product, 1_000 * ONE, 30);
        world.advance(3 * DAY);
        let payer = operator(&world);
        let slot = 1_800;
        let start = (world.now() / slot + 1) * slot;
        // Four hours of evidence and six of challenge at half a loss; then all of it, and peace until that is settled.
        let price = move |at: i64| match (at - start).div_euclid(slot) {
            0..21 => HALF,
            21..30 => 80_000_000,
            _ => PAR,
        };
        let latest = Arc::new(Mutex::new(0));
        let service = Service::start({
            let latest = latest.clone();
            move |url| {
                let at = url.split(['/', '?']).nth(4).unwrap();
                let at = at.parse().unwrap_or_else(|_| *latest.lock().unwrap());
                Some(update_of(FEED, price(at), at))
            }
        });
        let cluster = Trusting::on(&world.cluster);
        for index in 0..46 {
            world.cluster.set_time(start + index * slot + 60);
            *latest.lock().unwrap() = world.now();
            if away && (24..27).contains(&index) {
                continue;
            }
            let source = Hermes::new(&service.url, None, &payer);
            Crank::new(&cluster, &payer, Box::new(source), options()).run_until_idle().unwrap();
            service.asked();
            if index == 20 {
                let incident = world.incident(&product);
                assert_eq!((incident.severity_bps, world.product(&product).exposure), (5_000, 0));
            }
        }
        world.incident(&product).severity_bps
    });
    assert_eq!(severities, [10_000, 10_000], "six slots of eight that were seen come to 6,875");
}

#[test]
fn a_moment_is_asked_for_once_and_no_more_than_eight_in_a_pass() {
    let world = World::new();
    let (_, product) = stage(&world);
    world.holder(&product, 1_000 * ONE, 30);
    world.advance(3 * DAY);
    let payer = operator(&world);
    // Two prices between threshold and recovery say that a slot is no evidence.
    let service = Service::start(|url| {
        let at = url.split(['/', '?']).nth(4)?.parse().ok()?;
        Some(update_of(FEED, 95_500_000, at))
    });
    let cluster = Trusting::on(&world.cluster);
    let mut crank = Crank::new(&cluster, &payer, Box::new(Hermes::new(&service.url, None, &payer)), options());
    let mut past = Vec::new();
    for _ in 0..5 {
        crank.pass().unwrap();
        let asked: Vec<String> = service.asked().into_iter().filter(|url| !url.contains("latest")).collect();
        assert!(asked.len() <= 8, "{asked:?}");
        past.extend(asked);
    }
    // A breach is taken for half a challenge, three hours: in six slots, of which two moments each are asked for.
    let different: BTreeSet<&String> = past.iter().collect();
    assert_eq!((past.len(), different.len()), (12, 12), "{past:?}");
}

/// Makes a trigger final, whose challenge is over, and its incident funded.
fn confirm_open_and_fund(world: &World, product: &ProductKeys) {
    world.run(&[], &[ix::confirm(product)]);
    world.open_and_fund(product);
}

/// Covers of one product to be settled, and a price for the other.
fn busy(world: &World, payer: &Keypair, covers: u64) -> (PoolKeys, ProductKeys, ProductKeys) {
    let (pool, product, other) = two_products(world);
    owed(world, &product, covers, payer);
    (pool, product, other)
}

/// Of what was sent, which transactions show a price, and which settle covers.
fn order(cluster: &Odd) -> (Vec<usize>, Vec<usize>) {
    let sent = cluster.sent.borrow();
    let with = |tag: &[u8]| {
        let has = |transaction: &VersionedTransaction| {
            transaction.message.instructions().iter().any(|instruction| instruction.data.starts_with(tag))
        };
        (0..sent.len()).filter(|index| has(&sent[*index])).collect()
    };
    (with(backstop::instruction::Observe::DISCRIMINATOR), with(backstop::instruction::SettleCover::DISCRIMINATOR))
}

#[test]
fn prices_come_before_payments_in_every_pass() {
    let world = World::unsigned();
    let payer = operator(&world);
    let (_, product, other) = busy(&world, &payer, 20);
    confirm_open_and_fund(&world, &product);
    world.cluster.post_price(standing_account(&OTHER), OTHER, Price::e8(HALF, 0, world.now()));
    let cluster = Odd::new(&world.cluster);
    let report = crank(&cluster, &payer, options()).pass().unwrap();
    assert_eq!((report.count("observe"), report.count("settle_cover")), (1, 20));
    let (shown, settled) = order(&cluster);
    assert_eq!((&shown[..], settled[0] > 0), (&[0][..], true));
    assert_eq!(world.trigger(&other).evidence.last_price, HALF as u64);
}

/// A source whose price comes only at the second look.
struct Late {
    looks: usize,
}

impl PriceSource for Late {
    fn prints(&mut self, cluster: &dyn Cluster, feeds: &[Feed], now: i64) -> Result<Vec<Print>, PriceError> {
        self.looks += 1;
        if self.looks == 1 { Ok(Vec::new()) } else { Accounts::default().prints(cluster, feeds, now) }
    }
}

#[test]
fn prices_are_looked_at_between_windows_of_payments() {
    let world = World::unsigned();
    let payer = operator(&world);
    let (_, product, other) = busy(&world, &payer, 300);
    confirm_open_and_fund(&world, &product);
    world.cluster.post_price(standing_account(&OTHER), OTHER, Price::e8(HALF, 0, world.now()));
    let cluster = Odd::new(&world.cluster);
    let mut crank = Crank::new(&cluster, &payer, Box::new(Late { looks: 0 }), options());
    let report = crank.pass().unwrap();
    assert_eq!((report.passes, report.count("observe"), report.count("settle_cover")), (1, 1, 300));
    let (shown, settled) = order(&cluster);
    // A window is sixteen transactions.
    let before = settled.iter().filter(|index| **index < shown[0]).count();
    assert_eq!((shown.len(), before), (1, 16));
    assert!(settled.len() > 32);
    assert_eq!(world.trigger(&other).evidence.last_price, HALF as u64);
}

#[test]
fn a_stop_counts_between_windows() {
    let world = World::unsigned();
    let payer = operator(&world);
    let (pool, product, _) = busy(&world, &payer, 300);
    confirm_open_and_fund(&world, &product);
    let cluster = Odd::new(&world.cluster);
    cluster.stops_after.set(3);
    let mut crank = crank(&cluster, &payer, options());
    crank.stop_on(cluster.stop.clone());
    let report = crank.run_until_idle().unwrap();
    let (_, settled) = order(&cluster);
    assert_eq!(settled.len(), 16, "the window under way, and no more");
    let sent = cluster.sent.borrow().len() as u64;
    assert_eq!((report.transactions, report.fees), (sent, sent * 5_000));
    assert_books(&world.cluster, &pool.pool);
}

#[test]
fn what_another_crank_has_done_just_before_is_not_counted_as_done() {
    let world = World::new();
    let (_, product) = stage(&world);
    let (payer, other) = (operator(&world), operator(&world));
    publish(&world, HALF);
    let cluster = Odd::new(&world.cluster);
    *cluster.before.borrow_mut() = Some(Box::new(|| assert_eq!(run(&world, &other).count("observe"), 1)));
    let report = crank(&cluster, &payer, options()).run_until_idle().unwrap();
    assert_eq!((report.count("observe"), report.done_by_others, report.transactions), (0, 1, 1), "{report:?}");
    assert_eq!(world.trigger(&product).evidence.last_price, HALF as u64);
}
