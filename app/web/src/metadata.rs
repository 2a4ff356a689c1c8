//! What wallets show of covers and shares: the files that URIs of products and pools must lead to.
//!
//! They are made from the accounts, as `backstop metadata build` makes them from a plan, so a link that it wrote is answered
//! here as soon as its product or pool is on chain. Wordings are not on chain: those, and files of plans that are not
//! applied yet, are handed out of a directory that the command wrote, if one is hosted.
//!
//! A file is named by the sha-256 of its bytes, and is handed out only if it has it: who can write to the directory can
//! take files away, and change none. Any site may read them, as wallets in browsers do.

use crate::chain::Frozen;
use crate::error::PageError;
use crate::pages::address;
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use backstop::state::{Pool, Product, Trigger, get_text};
use backstop_client::account::{self, Decode};
use backstop_client::metadata::{File, Places, Shown, of_pool_account, of_product_account};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes of a file: a picture has some hundred kilobytes at most.
const MOST_BYTES: u64 = 1 << 20;

/// The paths of files.
pub fn routes() -> Router<Site> {
    Router::new()
        .route("/metadata/{name}", get(file))
        .route("/metadata/product/{address}", get(product))
        .route("/metadata/pool/{address}", get(pool))
}

/// Where this server is, as whoever asks calls it, and where its files are.
struct Here {
    page: String,
    base: String,
}

impl Here {
    /// The guard has seen that the name is one of ours.
    fn of(site: &Site, headers: &HeaderMap) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let scheme = if site.settings().is_local() { "http" } else { "https" };
        let page = format!("{scheme}://{}", host.to_ascii_lowercase());
        Self { base: format!("{page}/metadata"), page }
    }

    /// Where files may be that an account's URI leads to, and pages that they lead to: what the URI says first.
    fn places(&self, site: &Site, uri: &str) -> Vec<Places> {
        let bases = Places::of_uri(uri).map(|places| places.base).into_iter().chain([self.base.clone()]);
        let hosts = site.hosts().iter().map(|host| format!("https://{host}"));
        let pages: Vec<Option<String>> = [None, Some(self.page.clone())].into_iter().chain(hosts.map(Some)).collect();
        bases.flat_map(|base| pages.iter().map(move |page| Places { base: base.clone(), page: page.clone() })).collect()
    }

    /// The file of this server itself, if the account's URI leads to none that is known here.
    fn own(&self) -> Places {
        Places { base: self.base.clone(), page: Some(self.page.clone()) }
    }
}

/// What the accounts say of a product.
fn of_product(chain: &Frozen, product: &Product, places: &Places) -> Option<Shown> {
    let trigger: Trigger = account::find(chain, &product.trigger).ok().flatten()?;
    Some(of_product_account(product, &trigger, places))
}

/// Whether the link of a product leads to what its accounts say, as its name tells.
pub fn is_proven(product: &Product, trigger: &Trigger) -> bool {
    let places = Places::of_uri(product.uri());
    places.is_some_and(|places| of_product_account(product, trigger, &places).is_planned())
}

/// Files made from the accounts as of a slot, for a name of this server.
#[derive(Debug, Default)]
pub struct Made(Mutex<Option<(u64, String, Files)>>);

type Files = Arc<BTreeMap<String, Vec<u8>>>;

impl Made {
    /// All files that the accounts give; made anew once the chain was read anew.
    fn files(&self, site: &Site, chain: &Frozen, here: &Here) -> Files {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = chain.snapshot().slot;
        if let Some((of, base, files)) = &*made
            && (*of, base) == (slot, &here.base)
        {
            return Arc::clone(files);
        }
        let products = chain.snapshot().all::<Product>().flat_map(|(_, product)| {
            let places = here.places(site, product.uri());
            places.into_iter().filter_map(|places| of_product(chain, &product, &places)).collect::<Vec<_>>()
        });
        let pools = chain.snapshot().all::<Pool>().flat_map(|(key, pool)| {
            let places = here.places(site, get_text(&pool.uri));
            places.into_iter().map(|places| of_pool_account(&key, &pool, &places)).collect::<Vec<_>>()
        });
        let files = products.chain(pools).flat_map(|shown| shown.files);
        let files = Arc::new(files.map(|file| (file.name, file.bytes)).collect());
        *made = Some((slot, here.base.clone(), Arc::clone(&files)));
        files
    }
}

async fn file(
    State(site): State<Site>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, PageError> {
    if !File::is_name(&name) {
        return Err(PageError::NoPage);
    }
    let kind = match name.rsplit('.').next() {
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        _ => "text/markdown; charset=utf-8",
    };
    let (here, from) = (Here::of(&site, &headers), site.clone());
    let read = move |chain: &Frozen| {
        let hosted = from.settings().metadata.as_ref().and_then(|folder| {
            let path = folder.join(&name);
            let length = std::fs::metadata(&path).ok()?.len();
            let bytes = if length <= MOST_BYTES { std::fs::read(&path).ok() } else { None };
            bytes.filter(|bytes| File::fits(&name, bytes))
        });
        let made = || from.made().files(&from, chain, &here).get(&name).cloned();
        hosted.or_else(made).ok_or(PageError::NoPage)
    };
    let bytes = site.work(read).await?;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    Ok((headers, bytes))
}

async fn product(
    State(site): State<Site>,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, PageError> {
    lead::<Product>(site, &text, &headers, |chain, _, product, places| of_product(chain, product, places)).await
}

async fn pool(
    State(site): State<Site>,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, PageError> {
    lead::<Pool>(site, &text, &headers, |_, key, pool, places| Some(of_pool_account(key, pool, places))).await
}

/// Something on chain that has a link.
trait Linked: Decode {
    fn link(&self) -> &str;
}

impl Linked for Product {
    fn link(&self) -> &str {
        self.uri()
    }
}

impl Linked for Pool {
    fn link(&self) -> &str {
        get_text(&self.uri)
    }
}

/// Leads to the file of an account: the one of its own link, if that is known here.
async fn lead<T: Linked + 'static>(
    site: Site,
    text: &str,
    headers: &HeaderMap,
    make: fn(&Frozen, &Pubkey, &T, &Places) -> Option<Shown>,
) -> Result<impl IntoResponse + use<T>, PageError> {
    let (key, here, of) = (address(text)?, Here::of(&site, headers), site.clone());
    let find = move |chain: &Frozen| {
        let missing = PageError::Missing { what: T::WHAT };
        if !chain.snapshot().has::<T>(&key) {
            return Err(missing);
        }
        let account: T = account::fetch(chain, &key)?;
        let all = here.places(&of, account.link());
        let linked = all.iter().filter_map(|places| make(chain, &key, &account, places)).find(Shown::is_planned);
        let shown = linked.or_else(|| make(chain, &key, &account, &here.own()));
        shown.and_then(|shown| Some(shown.files.first()?.name.clone())).ok_or(missing)
    };
    let name = site.work(find).await?;
    let open = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    Ok((open, Redirect::temporary(&format!("/metadata/{name}"))))
}
