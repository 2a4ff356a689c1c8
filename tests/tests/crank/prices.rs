//! Prices from accounts, files and Hermes.

use super::*;
use backstop::peril::feed::{RawPrice, Source};
use backstop_keeper::crank::plan::Feed;
use backstop_keeper::crank::pyth::{self, BRIDGE, Poster, RECEIVER, Update, tags};
use backstop_keeper::crank::{Hermes, PriceError, PriceSource, SignedFile};
use base64::Engine;
use sha2::{Digest, Sha256};
use tiny_http::{Response, Server};

const OTHER: [u8; 32] = [8; 32];

/// A signers' message with so many signatures.
fn vaa(signatures: u8) -> Vec<u8> {
    let mut vaa = vec![1];
    vaa.extend(4_u32.to_be_bytes());
    vaa.push(signatures);
    for index in 0..signatures {
        vaa.push(index);
        vaa.extend([index; 65]);
    }
    // Times, chain, emitter, sequence, and the root of the tree.
    vaa.extend([0; 4 + 4 + 2 + 32 + 8 + 1]);
    vaa.extend(b"AUWV");
    vaa.extend([0; 1 + 8 + 4 + 20]);
    vaa
}

fn message(feed: [u8; 32], price: i64, publish_time: i64) -> Vec<u8> {
    let mut message = vec![0];
    message.extend(feed);
    message.extend(price.to_be_bytes());
    message.extend(12_u64.to_be_bytes());
    message.extend((-8_i32).to_be_bytes());
    message.extend(publish_time.to_be_bytes());
    message.extend((publish_time - 1).to_be_bytes());
    message.extend(price.to_be_bytes());
    message.extend(12_u64.to_be_bytes());
    message
}

/// An update as Hermes sends it: prices of two feeds and a message that is none.
fn update(signatures: u8, publish_time: i64) -> Vec<u8> {
    let messages = [message(FEED, 94_000_000, publish_time), vec![1, 2, 3], message(OTHER, 5_000, publish_time)];
    update_with(signatures, &messages)
}

/// An update as Hermes sends it: the price of one feed.
pub fn update_of(feed: [u8; 32], price: i64, publish_time: i64) -> Vec<u8> {
    update_with(3, &[message(feed, price, publish_time)])
}

fn update_with(signatures: u8, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"PNAU".to_vec();
    bytes.extend([1, 0, 0, 0]);
    let vaa = vaa(signatures);
    bytes.extend((vaa.len() as u16).to_be_bytes());
    bytes.extend(vaa);
    bytes.push(messages.len() as u8);
    for message in messages {
        bytes.extend((message.len() as u16).to_be_bytes());
        bytes.extend(message.iter());
        bytes.push(9);
        bytes.extend((0..9_u8).flat_map(|level| [level; 20]));
    }
    bytes
}

/// A price with its proof and the treasury, as the receiver's instructions take them.
fn argument(publish_time: i64) -> Vec<u8> {
    let message = message(FEED, 94_000_000, publish_time);
    let mut bytes = (message.len() as u32).to_le_bytes().to_vec();
    bytes.extend(message);
    bytes.extend(9_u32.to_le_bytes());
    bytes.extend((0..9_u8).flat_map(|level| [level; 20]));
    bytes.push(0);
    bytes
}

pub fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn feed() -> Feed {
    Feed { source: Source::PythReceiver.byte(), feed: FEED, attestors: Pubkey::default() }
}

#[test]
fn an_update_is_read_to_the_byte_and_refused_when_cut_anywhere() {
    let bytes = update(3, 1_700_000_000);
    let read = Update::parse(&bytes).unwrap();
    assert_eq!((read.vaa.len(), read.signer_set), (vaa(3).len(), 4));
    let [first, second] = &read.leaves[..] else { panic!("{}", read.leaves.len()) };
    let price = RawPrice { price: 94_000_000, confidence: 12, exponent: -8, publish_time: 1_700_000_000 };
    assert_eq!((first.feed, first.price), (FEED, price));
    assert_eq!((second.feed, second.price.price, second.proof.len()), (OTHER, 5_000, 9));
    assert_eq!(second.proof[8], [8; 20]);
    for length in 0..bytes.len() {
        assert_eq!(Update::parse(&bytes[..length]), None, "{length} bytes");
    }
    for (at, wrong) in [(0, b'Q'), (4, 2), (7, 1)] {
        let mut bytes = bytes.clone();
        bytes[at] = wrong;
        assert_eq!(Update::parse(&bytes), None, "byte {at}");
    }
}

#[test]
fn instruction_tags_are_those_that_anchor_derives_from_the_names() {
    for (name, tag) in [
        ("init_encoded_vaa", tags::INIT),
        ("write_encoded_vaa", tags::WRITE),
        ("verify_encoded_vaa_v1", tags::VERIFY),
        ("close_encoded_vaa", tags::CLOSE),
        ("post_update", tags::POST),
        ("post_update_atomic", tags::POST_ATOMIC),
    ] {
        assert_eq!(Sha256::digest(format!("global:{name}"))[..8], tag, "{name}");
    }
}

#[test]
fn few_signatures_are_posted_in_one_instruction_with_all_of_them() {
    let world = World::new();
    let payer = operator(&world);
    let poster = Poster::new(&payer);
    let updates = [Update::parse(&update(3, world.now())).unwrap()];
    let prints = poster.prints(&updates);
    assert_eq!(prints.len(), 2);
    let steps = poster.posting(&world.cluster, &updates, &prints[..1]).unwrap();
    let [step] = &steps[..] else { panic!("{}", steps.len()) };
    let [post] = &step.instructions[..] else { panic!() };
    // The message with all its signatures, so that it will be fully verified; then the price and its proof.
    let mut expected = [&tags::POST_ATOMIC[..], &(vaa(3).len() as u32).to_le_bytes(), &vaa(3)].concat();
    expected.extend(argument(world.now()));
    assert_eq!((post.program_id, &post.data), (RECEIVER, &expected));
    let metas: Vec<(Pubkey, bool, bool)> =
        post.accounts.iter().map(|meta| (meta.pubkey, meta.is_signer, meta.is_writable)).collect();
    let [id, price] = [payer.pubkey(), poster.price_account(&FEED)];
    let config = Pubkey::find_program_address(&[b"config"], &RECEIVER).0;
    let treasury = Pubkey::find_program_address(&[b"treasury", &[0]], &RECEIVER).0;
    let expected = [
        (id, true, true),
        (pyth::signer_set(4), false, false),
        (config, false, false),
        (treasury, false, true),
        (price, true, true),
        (Pubkey::default(), false, false),
        (id, true, false),
    ];
    assert_eq!(metas, expected);
    assert_eq!(step.signers[0].pubkey(), price);
    assert_eq!(Poster::new(&payer).price_account(&FEED), price, "a crank that starts again finds its accounts");
    assert_ne!(poster.price_account(&OTHER), price);
}

#[test]
fn many_signatures_go_through_an_account_of_the_bridge_which_is_closed_again() {
    let world = World::new();
    let payer = operator(&world);
    let poster = Poster::new(&payer);
    let updates = [Update::parse(&update(13, world.now())).unwrap()];
    let prints = poster.prints(&updates);
    let steps = poster.posting(&world.cluster, &updates, &prints).unwrap();
    let sent: Vec<_> = steps.iter().flat_map(|step| &step.instructions).collect();
    let names: Vec<&[u8]> = sent.iter().skip(1).map(|instruction| &instruction.data[..8]).collect();
    let expected = [tags::INIT, tags::WRITE, tags::WRITE, tags::VERIFY, tags::POST, tags::POST, tags::CLOSE];
    assert_eq!(names, expected);
    let draft = sent[0].accounts[1].pubkey;
    assert_eq!(sent[0].data[52 - 32..], *BRIDGE.as_ref(), "the account is the bridge's");
    let space = u64::from_le_bytes(sent[0].data[12..20].try_into().unwrap());
    assert_eq!(space as usize, 46 + vaa(13).len());
    // What is written in parts is the whole message.
    let mut written = Vec::new();
    for write in [sent[2], sent[3]] {
        let index = u32::from_le_bytes(write.data[8..12].try_into().unwrap()) as usize;
        let length = u32::from_le_bytes(write.data[12..16].try_into().unwrap()) as usize;
        assert_eq!((index, length), (written.len(), write.data.len() - 16));
        written.extend_from_slice(&write.data[16..]);
    }
    assert_eq!(written, vaa(13));
    for post in [sent[5], sent[6]] {
        assert_eq!((post.data.len(), post.accounts[1].pubkey), (8 + argument(0).len(), draft));
    }
    assert_eq!(sent[5].data[8..], argument(world.now()));
    let pipeline = backstop_client::transaction::Pipeline::new(&world.cluster, &payer);
    for step in &steps {
        assert!(pipeline.bytes(&step.instructions).unwrap() <= 1_232, "every step is a transaction");
    }
    let close = sent.last().unwrap();
    assert_eq!((close.accounts[1].pubkey, close.accounts[0].is_writable), (draft, true), "the rent comes back");
}

/// A service that answers once, and tells what it was asked.
fn hermes(status: u16, body: String) -> (String, std::thread::JoinHandle<(String, Option<String>)>) {
    let server = Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.server_addr());
    let thread = std::thread::spawn(move || {
        let request = server.recv().unwrap();
        let authorization = request.headers().iter().find(|header| header.field.equiv("Authorization"));
        let asked = (request.url().to_owned(), authorization.map(|header| header.value.to_string()));
        request.respond(Response::from_string(body).with_status_code(status)).unwrap();
        asked
    });
    (url, thread)
}

#[test]
fn hermes_is_asked_for_the_feeds_with_the_key_and_its_updates_become_prints() {
    let world = World::new();
    let payer = operator(&world);
    let body =
        format!(r#"{{"binary":{{"encoding":"base64","data":["{}"]}},"parsed":[]}}"#, base64(&update(3, world.now())));
    let (url, service) = hermes(200, body);
    let mut source = Hermes::new(&url, Some("secret".into()), &payer);
    let push = Feed { source: Source::PythPush.byte(), feed: OTHER, attestors: Pubkey::default() };
    let prints = source.prints(&world.cluster, &[feed(), push], world.now()).unwrap();
    let (asked, authorization) = service.join().unwrap();
    let ids = format!("ids%5B%5D={}", "07".repeat(32));
    assert!(asked.starts_with("/v2/updates/price/latest?") && asked.contains("encoding=base64"), "{asked}");
    assert!(asked.contains(&ids) || asked.contains(&ids.replace("%5B%5D", "[]")), "{asked}");
    assert!(!asked.contains(&"08".repeat(32)), "the push oracle's accounts are none of its business");
    assert_eq!(authorization.as_deref(), Some("Bearer secret"));
    assert_eq!((prints[0].feed, prints[0].observation.price), (FEED, 94_000_000));
    assert_eq!(source.posting(&world.cluster, &prints[..1]).unwrap().len(), 1);
}

#[test]
fn a_service_that_fails_says_why_without_the_secret_in_its_address_and_stops_nothing() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 3, &payer);
    for (status, body) in [(429, "slow down"), (200, "{}"), (200, r#"{"binary":{"encoding":"hex","data":[]}}"#)] {
        let (url, service) = hermes(status, body.into());
        let mut source = Hermes::new(&format!("{url}/token-in-the-path"), None, &payer);
        let error = source.prints(&world.cluster, &[feed()], world.now()).unwrap_err();
        service.join().unwrap();
        assert!(matches!(error, PriceError::Service { .. }));
        assert!(!error.to_string().contains("token-in-the-path"), "{error}");
    }
    let source = Hermes::new("http://127.0.0.1:9", None, &payer);
    world.create_product(&pool, terms::stress());
    let report = Crank::new(&world.cluster, &payer, Box::new(source), options()).run_until_idle().unwrap();
    assert!(report.price_error.is_some());
    assert_paid_once(&world, &pool, &product, &holders);
}

#[test]
fn a_file_of_signed_updates_is_read_in_base64_and_hex_and_a_wrong_line_is_named() {
    let world = World::new();
    let payer = operator(&world);
    let folder = std::env::temp_dir().join(format!("backstop-crank-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("updates.txt");
    let hex: String = update(3, world.now() - 60).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&path, format!("# two updates\n{}\n\n0x{hex}\n", base64(&update(3, world.now())))).unwrap();
    let mut source = SignedFile::new(path.clone(), &payer);
    let prints = source.prints(&world.cluster, &[feed()], world.now()).unwrap();
    let times: Vec<i64> = prints.iter().map(|print| world.now() - print.observation.publish_time).collect();
    assert_eq!(times, [0, 0, 60, 60]);
    std::fs::write(&path, "# no update\n1234\n").unwrap();
    let error = source.prints(&world.cluster, &[feed()], world.now()).unwrap_err().to_string();
    assert!(error.contains("line 2: it is no signed price update"), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(source.prints(&world.cluster, &[feed()], 0), Err(PriceError::File { .. })));
}

#[test]
fn a_price_that_cannot_be_posted_is_reported_and_everything_else_goes_on() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 3, &payer);
    // A second product listens to the same feed; this cluster has no receiver program to post to.
    let watched = world.create_product(&pool, terms::stress());
    let body = format!(r#"{{"binary":{{"encoding":"base64","data":["{}"]}}}}"#, base64(&update(3, world.now())));
    let server = Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.server_addr());
    let done = Arc::new(AtomicBool::new(false));
    let ended = done.clone();
    let service = std::thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            if let Ok(Some(request)) = server.recv_timeout(Duration::from_millis(20)) {
                request.respond(Response::from_string(body.clone())).unwrap();
            }
        }
    });
    let source = Hermes::new(&url, None, &payer);
    let report = Crank::new(&world.cluster, &payer, Box::new(source), options()).run_until_idle().unwrap();
    done.store(true, Ordering::Relaxed);
    service.join().unwrap();
    assert_eq!(world.trigger(&watched).evidence.last_publish_time, 0);
    let [skipped] = &report.skipped[..] else { panic!("{:?}", report.skipped) };
    assert!(skipped.kind == "observe" && skipped.why.starts_with("its price could not be posted: "), "{skipped:?}");
    assert_paid_once(&world, &pool, &product, &holders);
}

#[test]
fn a_named_account_beside_the_standing_one_is_read_too() {
    let world = World::new();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    let account = seeded(world.fresh()).pubkey();
    world.cluster.post_price(account, FEED, Price::e8(PAR, 0, world.now()));
    assert_eq!(run(&world, &payer).count("observe"), 0);
    let source = Accounts { named: vec![account] };
    let report = Crank::new(&world.cluster, &payer, Box::new(source), options()).run_until_idle().unwrap();
    assert_eq!(report.count("observe"), 1);
    assert_eq!(world.trigger(&product).evidence.last_price, PAR as u64);
}

/// A cluster whose receiver takes every update that is posted at once, without looking at signatures.
pub struct Trusting<'a> {
    inner: &'a EmbeddedCluster,
    posted: RefCell<BTreeSet<Signature>>,
}

impl<'a> Trusting<'a> {
    pub fn on(inner: &'a EmbeddedCluster) -> Self {
        Self { inner, posted: RefCell::default() }
    }
}

impl Trusting<'_> {
    /// The instructions for the receiver, if there are any: their accounts and data.
    fn posting(transaction: &VersionedTransaction) -> Option<Vec<(Vec<Pubkey>, Vec<u8>)>> {
        let keys = transaction.message.static_account_keys();
        let accounts = |indices: &[u8]| indices.iter().map(|index| keys[usize::from(*index)]).collect();
        let instructions = transaction.message.instructions().iter();
        let receiver = instructions.filter(|found| keys[usize::from(found.program_id_index)] == RECEIVER);
        let posts: Vec<_> = receiver.map(|found| (accounts(&found.accounts), found.data.clone())).collect();
        (!posts.is_empty()).then_some(posts)
    }
}

delegate! { Trusting<'_>, |this| this.inner,
    fn simulate(&self, transaction: &VersionedTransaction) -> Outcome {
        if Self::posting(transaction).is_some() { Ok(Default::default()) } else { self.inner.simulate(transaction) }
    }
    fn outcomes(&self, signatures: &[Signature]) -> Result<Vec<Option<Outcome>>, ClusterError> {
        let outcome = |signature: &Signature| {
            if self.posted.borrow().contains(signature) {
                return Ok(Some(Ok(Default::default())));
            }
            Ok(self.inner.outcomes(&[*signature])?.remove(0))
        };
        signatures.iter().map(outcome).collect()
    }
    fn submit(&self, transaction: &VersionedTransaction) -> Result<(), ClusterError> {
        let Some(posts) = Self::posting(transaction) else { return self.inner.submit(transaction) };
        for (accounts, data) in posts {
            let length = u32::from_le_bytes(data[8..12].try_into().unwrap()) as usize;
            let message = &data[12 + length + 4..];
            let price = i64::from_be_bytes(message[33..41].try_into().unwrap());
            let publish_time = i64::from_be_bytes(message[53..61].try_into().unwrap());
            self.inner.post_price(accounts[4], message[1..33].try_into().unwrap(), Price::e8(price, 12, publish_time));
        }
        self.posted.borrow_mut().insert(transaction.signatures[0]);
        Ok(())
    }
    fn slot(&self) -> Result<u64, ClusterError> {
        self.inner.slot()
    }
}

#[test]
fn prices_of_a_file_are_posted_and_shown_one_after_the_other() {
    let world = World::new();
    let (_, product) = stage(&world);
    world.holder(&product, 1_000 * ONE, 30);
    world.advance(3 * DAY);
    let payer = operator(&world);
    let slot = i64::from(world.trigger(&product).terms.slot_seconds);
    let path = std::env::temp_dir().join(format!("backstop-crank-prints-{}", std::process::id()));
    // Breaches in six slots; a breach is taken for half a challenge, which is three hours.
    let lines = (0..6).map(|back| base64(&update(3, world.now() - back * slot)));
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let cluster = Trusting::on(&world.cluster);
    let source = SignedFile::new(path.clone(), &payer);
    let report = Crank::new(&cluster, &payer, Box::new(source), options()).run_until_idle().unwrap();
    assert_eq!((report.count("observe"), report.skipped.len()), (6, 0), "{report:?}");
    assert_eq!(report.rent, world.cluster.rent(134).unwrap(), "one price account, paid for once");
    let evidence = world.trigger(&product).evidence;
    let good = evidence.slots.iter().filter(|shown| shown.breach().is_some()).count();
    assert_eq!((good, evidence.phase()), (6, Phase::Breaching));
    std::fs::remove_file(&path).unwrap();
}
