//! The files that URIs of products and pools must point to: what wallets and marketplaces show of covers and shares.
//!
//! A URI on chain never changes, so what is there must not change either: every file is named by the sha-256 of its bytes,
//! and whoever opens it can check that. `migrations/URI.md` says what stands in them.
//!
//! A plan and the accounts that it becomes give the same files, byte by byte: whoever reads the chain can make them anew,
//! all but the wording, of which the chain has the hash.

use crate::address;
use crate::migration::Plan;
use crate::migration::plan::{PoolPlan, ProductPlan, ReadingPlan};
use crate::view::label;
use crate::view::product::{
    condition_of, not_covered, not_covered_of, payment, payment_of, pays_if, reading_condition, reading_not_covered,
    reading_payment,
};
use anchor_lang::prelude::Pubkey;
use backstop::constants::MAX_URI;
use backstop::border::text::hex_text;
use backstop::peril::evidence::Terms;
use backstop::peril::reading::Reading;
use backstop::state::{Pool, PoolKind, Product, Trigger, get_text};
use serde::Serialize;
use serde_json::{Value, json};
use solana_sdk::hash::hash;

/// Symbol of the NFTs of covers, as the program writes it.
const COVER: &str = "COVER";
/// Letters of a line of a picture.
const LINE: usize = 26;

/// A file, named by what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The sha-256 of its bytes in hexadecimal digits, and what it is: `.json`, `.svg` or `.md`.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl File {
    fn new(bytes: Vec<u8>, kind: &str) -> Self {
        Self { name: format!("{}.{kind}", digest(&bytes)), bytes }
    }

    /// Whether a name is one of a file of this kind: 64 hexadecimal digits and an ending.
    pub fn is_name(name: &str) -> bool {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        name.split_once('.').is_some_and(|(digits, kind)| {
            digits.len() == 64 && digits.bytes().all(is_digit) && ["json", "svg", "md"].contains(&kind)
        })
    }

    /// Whether bytes are those that a file's name says.
    pub fn fits(name: &str, bytes: &[u8]) -> bool {
        Self::is_name(name) && name.starts_with(&digest(bytes))
    }
}

fn digest(bytes: &[u8]) -> String {
    hex_text(&hash(bytes).to_bytes())
}

/// What is shown of one product or pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// What it is of: the product's name, or the pool's.
    pub name: String,
    /// The URI for its plan.
    pub uri: String,
    /// The URI that its plan has, or its account.
    pub planned: String,
    /// Its files: JSON, picture and, of a product's plan, the wording.
    #[serde(skip)]
    pub files: Vec<File>,
}

impl Shown {
    /// Whether the URI of the plan, or of the account, is that of these files.
    pub fn is_planned(&self) -> bool {
        self.uri == self.planned
    }
}

/// Why files are not built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The place is none that the program takes.
    #[error("{0} is no place for files: the program takes URIs that begin with https://, ipfs:// or ar://")]
    Base(String),
    /// The page is none that a wallet may open.
    #[error("{0} is no page: wallets open pages that begin with https://")]
    Page(String),
    /// The URI would be longer than the program takes.
    #[error("{uri} has {} letters, and the program takes {MAX_URI} at most: choose a shorter place", uri.len())]
    TooLong {
        /// The URI.
        uri: String,
    },
    /// A wording cannot be read.
    #[error("the wording {0} cannot be read")]
    Wording(String),
    /// A condition is none.
    #[error("{name}: {why}")]
    Condition {
        /// The product.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// Where files will be, and where pools are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The URL of the folder that will hold the files, without a slash at its end.
    pub base: String,
    /// The URL of a page that shows pools, if there is one.
    pub page: Option<String>,
}

impl Places {
    /// Errors: [`MetadataError::Base`], [`MetadataError::Page`].
    pub fn new(base: &str, page: Option<&str>) -> Result<Self, MetadataError> {
        let is_taken = ["https://", "ipfs://", "ar://"].iter().any(|scheme| base.starts_with(scheme));
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_taken || !is_plain(base) {
            return Err(MetadataError::Base(crate::redact::shown(base)));
        }
        if let Some(page) = page.filter(|page| !page.starts_with("https://") || !is_plain(page)) {
            return Err(MetadataError::Page(crate::redact::shown(page)));
        }
        let tidy = |text: &str| text.trim_end_matches('/').to_owned();
        Ok(Self { base: tidy(base), page: page.map(tidy) })
    }

    /// Where the file of a URI is, if it is named by what is in it.
    pub fn of_uri(uri: &str) -> Option<Self> {
        let (base, name) = uri.rsplit_once('/')?;
        let is_named = File::is_name(name) && name.ends_with(".json");
        is_named.then(|| Self::new(base, None).ok()).flatten()
    }

    fn of(&self, file: &File) -> String {
        format!("{}/{}", self.base, file.name)
    }

    fn shown(&self, name: &str, planned: &str, json: &Value, mut others: Vec<File>) -> Shown {
        let text = serde_json::to_string_pretty(json).unwrap_or_default() + "\n";
        let file = File::new(text.into_bytes(), "json");
        let uri = self.of(&file);
        others.insert(0, file);
        Shown { name: name.to_owned(), uri, planned: planned.to_owned(), files: others }
    }
}

/// A URI that the program takes. Errors: it is too long.
fn fitting(shown: Shown) -> Result<Shown, MetadataError> {
    if shown.uri.len() > MAX_URI {
        return Err(MetadataError::TooLong { uri: shown.uri });
    }
    Ok(shown)
}

/// The files of everything that plans state. `wording` reads the wording of a product, by the name that its plan gives.
///
/// Errors: a place or a wording that is none, a condition that the program would refuse.
pub fn of_plans(
    plans: &[Plan],
    places: &Places,
    wording: impl Fn(&Plan, &str) -> std::io::Result<Vec<u8>>,
) -> Result<Vec<Shown>, MetadataError> {
    let mut all = Vec::new();
    for plan in plans {
        for pool in &plan.pools {
            all.push(of_pool(pool, places)?);
        }
        for product in &plan.products {
            let unreadable = |_| MetadataError::Wording(product.wording.clone());
            let text = wording(plan, &product.wording).map_err(unreadable)?;
            all.push(of_product(product, places, text)?);
        }
        for reading in &plan.readings {
            let unreadable = |_| MetadataError::Wording(reading.wording.clone());
            let text = wording(plan, &reading.wording).map_err(unreadable)?;
            all.push(of_reading(reading, places, text)?);
        }
    }
    Ok(all)
}

/// What is told of a product, by its plan or its accounts.
struct Insured<'a> {
    name: &'a str,
    uri: &'a str,
    pays_if: String,
    pays: String,
    exceptions: Vec<String>,
    wording_hash: &'a [u8; 32],
}

/// The files of a product. The wording is one of them: its sha-256 is what the program keeps.
///
/// Errors: a condition that the program would refuse, a URI that is too long.
pub fn of_product(plan: &ProductPlan, places: &Places, wording: Vec<u8>) -> Result<Shown, MetadataError> {
    let wrong = |why: String| MetadataError::Condition { name: plan.name.clone(), why };
    let terms = Terms::new(&plan.condition().map_err(wrong)?)
        .map_err(|why| wrong(format!("the program refuses its condition ({why:?})")))?;
    let insured = Insured {
        name: &plan.name,
        uri: &plan.uri,
        pays_if: pays_if(plan.source(), &terms),
        pays: payment(&terms),
        exceptions: not_covered(&terms, plan.waiting_seconds()),
        wording_hash: &plan.wording_hash,
    };
    let mut shown = insured.shown(places);
    shown.files.push(File::new(wording, "md"));
    fitting(shown)
}

/// The files of a reading: see [`of_product`].
///
/// Errors: a reading that the program would refuse, a URI that is too long.
pub fn of_reading(plan: &ReadingPlan, places: &Places, wording: Vec<u8>) -> Result<Shown, MetadataError> {
    let input = plan.reading();
    // Whether its period has begun is no matter of its files.
    let reading = Reading::new(&input, input.begins_day.saturating_sub(1)).map_err(|why| {
        let why = format!("the program refuses its reading ({why:?})");
        MetadataError::Condition { name: plan.name.clone(), why }
    })?;
    let insured = Insured {
        name: &plan.name,
        uri: &plan.uri,
        pays_if: reading_condition(&reading),
        pays: reading_payment(&reading),
        exceptions: reading_not_covered(plan.waiting_seconds()),
        wording_hash: &plan.wording_hash,
    };
    let mut shown = insured.shown(places);
    shown.files.push(File::new(wording, "md"));
    fitting(shown)
}

/// The files of a product that is on chain, but for its wording. With the [place](Places::of_uri) of its URI they are those
/// of its plan, if `backstop metadata build` gave it its URI.
pub fn of_product_account(product: &Product, trigger: &Trigger, places: &Places) -> Shown {
    let insured = Insured {
        name: product.name(),
        uri: product.uri(),
        pays_if: condition_of(trigger),
        pays: payment_of(trigger, &product.terms),
        exceptions: not_covered_of(trigger, &product.terms),
        wording_hash: &product.wording_hash,
    };
    insured.shown(places)
}

impl Insured<'_> {
    fn shown(&self, places: &Places) -> Shown {
        let (pays_if, pays) = (&self.pays_if, &self.pays);
        let image = picture("Backstop cover", self.name, &[format!("Pays if {pays_if}."), format!("Pays {pays}.")]);
        let exceptions = self.exceptions.join(" ");
        let hash = hex_text(self.wording_hash);
        let json = json!({
            "name": format!("Backstop: {}", self.name),
            "symbol": COVER,
            "description": format!("Pays if {pays_if}: {pays}. {exceptions}"),
            "image": places.of(&image),
            "external_url": format!("{}/{hash}.md", places.base),
            "attributes": [
                { "trait_type": "Condition", "value": pays_if },
                { "trait_type": "Wording SHA-256", "value": hash },
            ],
        });
        places.shown(self.name, self.uri, &json, vec![image])
    }
}

/// What is told of a pool, by its plan or its account.
struct Pooled<'a> {
    address: &'a Pubkey,
    ticker: &'a str,
    id: u16,
    uri: &'a str,
    is_reinsurance: bool,
}

/// The files of a pool: both tranches' shares show them.
///
/// Errors: a URI that is too long.
pub fn of_pool(plan: &PoolPlan, places: &Places) -> Result<Shown, MetadataError> {
    let id = plan.pool.id;
    let address = address::pool(&plan.pool.asset, id);
    let (ticker, uri, is_reinsurance) = (plan.ticker(), plan.uri(), plan.is_reinsurance());
    fitting(Pooled { address: &address, ticker, id, uri, is_reinsurance }.shown(places))
}

/// The files of a pool that is on chain. With the [place](Places::of_uri) of its URI, and the page that was named then, they
/// are those of its plan, if `backstop metadata build` gave it its URI.
pub fn of_pool_account(address: &Pubkey, pool: &Pool, places: &Places) -> Shown {
    let is_reinsurance = pool.kind() == PoolKind::Reinsurance;
    let ticker = label(&pool.label);
    Pooled { address, ticker: &ticker, id: pool.id, uri: get_text(&pool.uri), is_reinsurance }.shown(places)
}

impl Pooled<'_> {
    fn shown(&self, places: &Places) -> Shown {
        let Self { address, ticker, id, uri, is_reinsurance } = self;
        let name = format!("Backstop {ticker} {id}");
        let what = match is_reinsurance {
            true => format!("Capital in {ticker} that stands behind other pools of Backstop."),
            false => format!("Capital in {ticker} that pays covers of Backstop."),
        };
        let image = picture("Backstop shares", &format!("{ticker} pool {id}"), std::slice::from_ref(&what));
        let page = places.page.as_deref().map_or_else(|| places.base.clone(), |page| format!("{page}/pool/{address}"));
        let json = json!({
            "name": name,
            "symbol": format!("b{ticker}"),
            "description": format!(
                "A share of a tranche of the pool {address}. {what} It earns premium and bears losses, junior before senior."
            ),
            "image": places.of(&image),
            "external_url": page,
        });
        places.shown(&name, uri, &json, vec![image])
    }
}

/// A picture: a line in small letters, a name in large ones, and sentences.
fn picture(kind: &str, name: &str, sentences: &[String]) -> File {
    let mut text = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 600 600\" role=\"img\" \
         font-family=\"system-ui, sans-serif\">\n",
    );
    text.push_str(&format!("<title>{}: {}</title>\n", escaped(kind), escaped(name)));
    text.push_str("<rect width=\"600\" height=\"600\" fill=\"#10243e\"/>\n");
    text.push_str("<path d=\"M40 140h520\" stroke=\"#6fb1ff\" stroke-width=\"4\"/>\n");
    let mut write = |y: usize, size: usize, colour: &str, line: &str| {
        let line = escaped(line);
        text.push_str(&format!("<text x=\"40\" y=\"{y}\" font-size=\"{size}\" fill=\"{colour}\">{line}</text>\n"));
    };
    write(105, 34, "#6fb1ff", kind);
    let mut y = 205;
    for line in lines(name, LINE) {
        write(y, 40, "#ffffff", &line);
        y += 50;
    }
    y += 10;
    for line in sentences.iter().flat_map(|sentence| lines(sentence, LINE * 9 / 5)) {
        write(y, 22, "#d7e6f8", &line);
        y += 31;
    }
    text.push_str("</svg>\n");
    File::new(text.into_bytes(), "svg")
}

/// A text in lines of about so many letters, broken between words.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A text as it stands in XML, which has no control characters.
fn escaped(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;

    fn plans() -> Vec<Plan> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
        let somebody = "11111111111111111111111111111112";
        let values = [
            ("governance", somebody),
            ("guardian", somebody),
            ("risk_keeper", somebody),
            ("first_day", "2027-03-01"),
            ("end_day", "2027-12-31"),
        ];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        crate::migration::load(&folder, &BTreeMap::from(values)).unwrap()
    }

    fn read(_: &Plan, name: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(name))
    }

    fn json(shown: &Shown) -> Value {
        serde_json::from_slice(&shown.files[0].bytes).unwrap()
    }

    #[test]
    fn every_file_is_named_by_its_bytes_and_found_by_the_uri() {
        let places = Places::new("https://b.example/m/", Some("https://b.example/")).unwrap();
        let all = of_plans(&plans(), &places, read).unwrap();
        assert!(all.len() >= 4, "two pools and two products at least");
        for shown in &all {
            let names: Vec<&str> = shown.files.iter().map(|file| file.name.as_str()).collect();
            assert!(shown.files.iter().all(|file| File::fits(&file.name, &file.bytes)), "{names:?}");
            assert_eq!(shown.uri, format!("https://b.example/m/{}", names[0]));
            assert_eq!(json(shown)["image"], format!("https://b.example/m/{}", names[1]));
            assert!(shown.uri.len() <= MAX_URI && !shown.is_planned());
        }
        assert_eq!(of_plans(&plans(), &places, read).unwrap(), all, "the same again");
    }

    #[test]
    fn a_products_file_leads_to_the_wording_that_the_program_keeps_the_hash_of() {
        let places = Places::new("ipfs://bafy", None).unwrap();
        let plans = plans();
        let product = plans.iter().flat_map(|plan| &plan.products).next().unwrap();
        let shown = of_product(product, &places, read(&plans[0], &product.wording).unwrap()).unwrap();
        let (json, hash) = (json(&shown), hex_text(&product.wording_hash));
        assert_eq!(json["external_url"], format!("ipfs://bafy/{hash}.md"));
        assert_eq!(json["attributes"][1], json!({ "trait_type": "Wording SHA-256", "value": hash }));
        assert_eq!(json["name"], "Backstop: USDT below 0.95 for 4h", "as the program names the NFT");
        assert!(
            json["description"].as_str().unwrap().starts_with("Pays if the price is below 0.95 for 4 h: by the mean")
        );
    }

    #[test]
    fn a_place_that_the_program_would_refuse_is_refused_here() {
        for base in ["http://b.example", "b.example", "https://b .example", "https://bä.example"] {
            assert!(matches!(Places::new(base, None), Err(MetadataError::Base(_))), "{base}");
        }
        for page in ["javascript:alert(1)", "http://b.example", "b.example", "https://b .example"] {
            assert!(matches!(Places::new("https://b.example", Some(page)), Err(MetadataError::Page(_))), "{page}");
        }
        let long = Places::new("https://a-place-with-a-long-name.example/files", None).unwrap();
        assert!(matches!(of_plans(&plans(), &long, read), Err(MetadataError::TooLong { .. })));
        let nothing = |_: &Plan, _: &str| Err(std::io::ErrorKind::NotFound.into());
        let places = Places::new("https://b.example", None).unwrap();
        assert!(matches!(of_plans(&plans(), &places, nothing), Err(MetadataError::Wording(_))));
    }

    #[test]
    fn names_that_could_lead_elsewhere_are_none() {
        let digits = "a".repeat(64);
        assert!(File::is_name(&format!("{digits}.json")));
        for name in ["../x.json", &format!("{digits}.exe"), &format!("{}.json", "A".repeat(64)), &digits, "", "a.json"]
        {
            assert!(!File::is_name(name), "{name}");
        }
        assert!(!File::fits(&format!("{digits}.json"), b"other"));
    }

    #[test]
    fn pictures_hold_text_only_as_text() {
        let file = picture("Backstop cover", "<script>alert(1)</script> & more", &["a < b".into()]);
        let text = String::from_utf8(file.bytes).unwrap();
        assert!(!text.contains("<script>") && text.contains("&lt;script&gt;") && text.contains("&amp; more"));
        assert_eq!(lines("one two three", 7), ["one two", "three"]);
    }
}
