//! A page on a scene of reinsurance, and what is read off it.

#[path = "../serve/mod.rs"]
mod serve;

pub use serve::Page;

use anchor_lang::prelude::Pubkey;
use backstop::peril::feed::attested::{EVENT_EXPONENT, Report, ReportKind};
use backstop::state::Tranche;
use backstop_client::instruction::{self as ix, PoolKeys, ProductKeys};
use backstop_index::read::ShownHistory;
use backstop_index::{Database, Options, follow};
use backstop_sandbox::SharedCluster;
use backstop_tests::attest::Attestors;
use backstop_tests::reinsurance::{self, Scene};
use backstop_tests::season::Season;
use backstop_tests::terms::{self, ONE};
use backstop_tests::{World, budget, explain, live};
use backstop_web::site::Settings;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// An answer.
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Its headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub text: String,
}

impl Page {
    /// Asks for something.
    pub fn get(&self, path: &str) -> Answer {
        self.ask(path, &[])
    }

    /// Asks for something with headers.
    pub fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.call())
    }

    /// Sends something with headers.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = agent().post(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send(body))
    }

    /// A page that must be shown.
    #[track_caller]
    pub fn shown(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.text
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(60)));
    config.build().into()
}

fn answer(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut answer = answer.expect("the page answers");
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned())).collect();
    let text = answer.body_mut().read_to_string().expect("it is text");
    Answer { status: answer.status().as_u16(), headers, text }
}

/// Settings of a page for tests: any port, and the chain is read when a test says so.
pub fn settings() -> Settings {
    Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        refresh: Duration::from_secs(3_600),
        ..Settings::default()
    }
}

/// A scene and the page on it.
pub struct Stage {
    /// The page. It ends before the scene.
    pub page: Page,
    /// The scene.
    pub scene: Arc<SharedCluster<Scene>>,
    /// The pool that insures.
    pub pool: PoolKeys,
    /// Its product, which the scene strikes if asked.
    pub product: ProductKeys,
    /// Its other product, which stays as it is.
    pub other: ProductKeys,
    /// Whoever holds a cover of the product.
    pub holder: Pubkey,
    /// Whoever holds shares and a ticket.
    pub staker: Pubkey,
    /// Whether the event happened.
    pub is_struck: bool,
    files: TempDir,
}

impl Stage {
    /// Two products, covers, two treaties, an exit that waits, and an index.
    pub fn calm() -> Self {
        Self::new(false)
    }

    /// The same after an event: one of two covers is paid.
    pub fn struck() -> Self {
        Self::new(true)
    }

    fn new(struck: bool) -> Self {
        let world = World::new();
        world.cluster.record();
        let scene = Scene::on(world);
        let other = scene.second_group();
        let now = scene.world.now();
        let [layer, share] = scene.in_force([
            (&scene.open, reinsurance::layer(now, 30_000 * ONE, 20_000 * ONE)),
            (&scene.owned, reinsurance::quota_share(now, 2_000, 1_000, 40_000 * ONE)),
        ]);
        let staker = scene.world.depositor(&scene.cedant, Tranche::Senior, 20_000 * ONE);
        scene.world.next_day();
        scene.world.exit(&scene.cedant, &staker, Tranche::Senior, 5_000 * ONE * 1_000);
        let product = scene.product;
        let (holder, mint) = scene.insured(&product, 40_000 * ONE);
        scene.insured(&product, 10_000 * ONE);
        scene.world.print(&other, 99_900_000);
        if struck {
            scene.strike(&product);
            for treaty in [&layer, &share] {
                scene.call(treaty, &product).unwrap_or_else(|error| panic!("{}", explain(&error)));
            }
            scene.fund(&product).unwrap_or_else(|error| panic!("{}", explain(&error)));
            scene.world.settle(&product, &holder, &mint).unwrap_or_else(|error| panic!("{}", explain(&error)));
        }
        let files = TempDir::new().expect("a directory");
        let file = files.path().join("index.sqlite");
        let mut database = Database::open(&file).expect("an index");
        follow(&mut database, &scene.world.cluster, &Options::default()).expect("it is followed");
        drop(database);
        let (pool, holder, staker) = (scene.cedant, holder.id(), staker.id());
        let scene = Arc::new(SharedCluster::of(scene, |scene| &scene.world.cluster));
        let page = Page::on(scene.clone(), Settings { database: Some(file), ..settings() });
        Self { page, scene, pool, product, other, holder, staker, is_struck: struck, files }
    }

    /// All paths of pages.
    pub fn paths(&self) -> Vec<String> {
        let (pool, product, other) = (self.pool.pool, self.product.product, self.other.product);
        vec![
            "/".into(),
            format!("/product/{product}"),
            format!("/product/{other}"),
            format!("/product/{product}?sum=1000&days=30"),
            format!("/pool/{pool}"),
            "/reinsurance".into(),
            "/incidents".into(),
            format!("/incident/{product}"),
            "/announcements".into(),
            "/holder".into(),
            format!("/holder/{}", self.holder),
            format!("/holder/{}", self.staker),
            "/status".into(),
        ]
    }

    /// Where the index is.
    pub fn database(&self) -> std::path::PathBuf {
        self.files.path().join("index.sqlite")
    }
}

/// Products whose condition no market's price meets, with an index.
pub struct Special {
    /// The page. It ends before the world.
    pub page: Page,
    /// The world.
    pub world: Arc<SharedCluster<World>>,
    /// A product with two keys that is armed.
    pub armed: ProductKeys,
    /// One that pays by a value at a date.
    pub reading: ProductKeys,
    /// Who reports to both: two of three must sign.
    pub attestors: Attestors,
    files: TempDir,
}

impl Special {
    /// Nothing is reported yet.
    pub fn new() -> Self {
        let world = World::new();
        world.cluster.record();
        let attestors = Attestors::create(&world, 0, 3, 2);
        let mut args = terms::create_pool(0);
        args.terms.cooldown_seconds = 21 * 86_400;
        let pool = world.create_pool(args);
        world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
        let season = Season::begin(&world, attestors.set, 1);
        season.holder(&world, &season.products[0], 1_000 * ONE);
        let armed = live::armed(&world, &pool, attestors.set);
        let files = TempDir::new().expect("a directory");
        let file = files.path().join("index.sqlite");
        let world = Arc::new(SharedCluster::of(world, |world| &world.cluster));
        let page = Page::on(world.clone(), Settings { database: Some(file), ..settings() });
        let special = Self { page, world, armed, reading: season.products[0], attestors, files };
        special.look();
        special
    }

    /// Has page and index read what is new.
    pub fn look(&self) {
        let mut database = Database::open(self.files.path().join("index.sqlite")).expect("an index");
        follow(&mut database, &self.world.world().cluster, &Options::default()).expect("it is followed");
        self.page.site.chain().read_now();
    }

    /// What the index has of a product.
    pub fn shown(&self, product: &ProductKeys) -> ShownHistory {
        let database = Database::open_read_only(self.files.path().join("index.sqlite")).expect("it is there");
        database.shown(&product.product, 50).expect("it can be read").expect("it is known")
    }

    /// Some attestors report a loss of a product, in basis points.
    pub fn report_loss(&self, keys: &[usize], bps: i64) {
        let world = self.world.world();
        let report = self.attestors.report(bps, world.now());
        let report = Report { kind: ReportKind::Event, exponent: EVENT_EXPONENT, ..report };
        let observe = ix::observe_report(&self.armed, self.attestors.set);
        world.run(&[], &[budget(), self.attestors.signed(keys, &report), observe]);
        drop(world);
        self.look();
    }

    /// The attestors report the reading's value, a minute after its moment.
    pub fn report_value(&self, value_e8: i64) {
        let world = self.world.world();
        let due_at = world.trigger(&self.reading).reading.due_at;
        world.cluster.set_time(due_at + 60);
        let signed = self.attestors.signed(&[0, 1], &self.attestors.report(value_e8, due_at));
        world.run(&[], &[budget(), signed, ix::observe_report(&self.reading, self.attestors.set)]);
        drop(world);
        self.look();
    }
}

/// The values of a page's numbers, by the fields that commands print them in, in the order of the page.
pub fn fields(html: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in html.split("<data ").skip(1) {
        let Some((tag, _)) = part.split_once('>') else { continue };
        let of = |name: &str| {
            let (_, rest) = tag.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        if let (Some(field), Some(value)) = (of("data-field"), of("value")) {
            found.push((field, value));
        }
    }
    found
}
