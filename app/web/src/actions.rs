//! Solana Actions and Solana Pay: a wallet or another site asks what can be done, and gets a transaction to sign.
//!
//! | path | is |
//! |---|---|
//! | `/actions.json` | which pages of this site have an Action |
//! | `/actions/buy/PRODUCT` | to buy a cover: `sum` and `days` stand in the query |
//! | `/actions/stake/POOL` | to put capital into a pool: `amount` and `tranche` stand in the query |
//!
//! Each answers GET with what it is and POST `{"account": ADDRESS}` with a transaction, built and simulated by the same code
//! as the page's. What an Action says at GET holds what Solana Pay asks for (`label`, `icon`), and so does what it says at
//! POST (`transaction`, `message`): `solana:URL` of an Action with its query is a transaction request.
//!
//! The wallet sends by itself, so nothing is kept here. Any site may ask these paths and no others, and on loopback they are
//! off unless somebody switches them on.

use crate::guard;
use crate::say;
use crate::sign::ask::is_input;
use crate::sign::{Ask, SignError, blocking, build, encode};
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use backstop::state::{Access, ProductState, get_text};
use backstop_client::account::AccountError;
use backstop_client::act::ActError;
use backstop_client::cluster::Cluster;
use backstop_client::explain::Explanation;
use backstop_client::quote::Market;
use backstop_client::view::{self, OpenPool, OpenProduct};
use serde::Deserialize;
use serde_json::{Value, json};

/// The version of the Actions specification that is spoken here.
pub const VERSION: &str = "2.4.2";
/// What other sites may send along.
const HEADERS: &str = "Content-Type, Authorization, Content-Encoding, Accept-Encoding, X-Accept-Action-Version, \
                       X-Accept-Blockchain-Ids";

/// The paths of Actions.
pub fn routes(site: &Site) -> Router<Site> {
    if !site.settings().has_actions() {
        return Router::new();
    }
    Router::new()
        .route("/actions.json", get(rules).options(allowed))
        .route("/actions/icon.svg", get(icon).options(allowed))
        .route("/actions/buy/{product}", get(tell_buy).post(buy).options(allowed))
        .route("/actions/stake/{pool}", get(tell_stake).post(stake).options(allowed))
        .layer(middleware::from_fn_with_state(site.clone(), headers))
}

/// Puts on every answer what Actions must say, and that any site may read it.
async fn headers(State(site): State<Site>, request: Request, next: Next) -> Response {
    let is_open = guard::is_open(request.uri().path());
    let mut response = next.run(request).await;
    if is_open {
        let headers = response.headers_mut();
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "GET,POST,PUT,OPTIONS"),
            ("access-control-allow-headers", HEADERS),
            ("access-control-expose-headers", "X-Action-Version, X-Blockchain-Ids"),
            ("x-action-version", VERSION),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let chain = site.settings().chain_id().map(|id| format!("solana:{id}"));
        if let Some(chain) = chain.and_then(|chain| HeaderValue::from_str(&chain).ok()) {
            headers.insert("x-blockchain-ids", chain);
        }
    }
    response
}

/// The answer to a browser that asks whether it may ask.
async fn allowed() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn icon() -> impl IntoResponse {
    crate::assets::asset("image/svg+xml", include_str!("assets/icon.svg"))
}

async fn rules() -> Json<Value> {
    Json(json!({ "rules": [
        { "pathPattern": "/product/*", "apiPath": "/actions/buy/*" },
        { "pathPattern": "/pool/*", "apiPath": "/actions/stake/*" },
        { "pathPattern": "/actions/**", "apiPath": "/actions/**" },
    ] }))
}

/// Why an Action is not told or built.
struct Failed(SignError);

impl<E: Into<SignError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let Explanation { sentence, hint } = self.0.explained();
        let message = hint.map_or_else(|| sentence.clone(), |hint| format!("{sentence}: {hint}"));
        // Whoever reads only the message learns it; whoever reads the status learns whose mistake it was.
        let status = match &self.0 {
            SignError::Act(error) if !is_input(error) && error.cluster().is_none() => StatusCode::UNPROCESSABLE_ENTITY,
            error => error.status(),
        };
        (status, Json(json!({ "message": message }))).into_response()
    }
}

/// The icon's whole URL: Actions and Solana Pay ask for one.
fn icon_url(site: &Site, headers: &HeaderMap) -> String {
    // The guard has found it among this page's names.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or(site.hosts().first().map(String::as_str)).unwrap_or_default();
    let scheme = if site.settings().is_local() { "http" } else { "https" };
    format!("{scheme}://{host}/actions/icon.svg")
}

fn address(text: &str, what: &'static str) -> Result<Pubkey, SignError> {
    text.parse().map_err(|_| SignError::Request(format!("this is not the address of a {what}")))
}

/// What a query says of a purchase.
#[derive(Clone, Debug, Default, Deserialize)]
struct BuyQuery {
    sum: Option<String>,
    days: Option<String>,
}

/// What a query says of a deposit.
#[derive(Clone, Debug, Default, Deserialize)]
struct StakeQuery {
    amount: Option<String>,
    tranche: Option<String>,
}

/// Whoever is to sign.
#[derive(Debug, Deserialize)]
struct Account {
    account: String,
}

/// A text for a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// What an Action says at GET. `closed` is why it cannot be done now, if it cannot.
fn told(icon: &str, title: &str, description: &str, label: &str, action: &Value, closed: Option<&str>) -> Json<Value> {
    let mut told = json!({
        "type": "action",
        "icon": icon,
        "title": title,
        "description": description,
        "label": label,
        "links": { "actions": [action] },
    });
    if let Some(message) = closed {
        told["disabled"] = true.into();
        told["error"] = json!({ "message": message });
    }
    Json(told)
}

async fn tell_buy(
    State(site): State<Site>,
    Path(product): Path<String>,
    query: Result<Query<BuyQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failed> {
    let Query(query) = query?;
    let icon = icon_url(&site, &headers);
    let answer = blocking(move || {
        let node = site.node().clone();
        let (open, market) = shop(&*node, address(&product, "product")?)?;
        let label = say::harmless(get_text(&open.pool.state.label));
        let terms = &market.product.terms;
        let mut description = vec![format!(
            "Pays if {}: {}.",
            view::product::condition_of(&market.trigger),
            view::product::payment_of(&market.trigger, terms)
        )];
        description.extend(view::product::not_covered_of(&market.trigger, terms));
        let days = format!("Days: {} to {}", terms.min_term_days, terms.max_term_days);
        let path = format!("/actions/buy/{product}");
        let action = match (&query.sum, &query.days) {
            (Some(sum), Some(days)) => json!({
                "type": "transaction",
                "label": format!("Buy {sum} {label} for {days} days"),
                "href": format!("{path}?sum={}&days={}", escaped(sum), escaped(days)),
            }),
            _ => json!({
                "type": "transaction",
                "label": "Buy cover",
                "href": format!("{path}?sum={{sum}}&days={{days}}"),
                "parameters": [
                    { "name": "sum", "label": format!("Sum insured, in {label}"), "type": "number", "required": true },
                    { "name": "days", "label": days, "type": "number", "required": true,
                      "min": terms.min_term_days, "max": terms.max_term_days },
                ],
            }),
        };
        let is_sold = market.product.state() == ProductState::Selling;
        let closed = (!is_sold).then_some("Nothing is sold of this product now.");
        Ok(told(&icon, &say::harmless(open.state.name()), &description.join(" "), "Buy cover", &action, closed))
    });
    Ok(answer.await?)
}

/// A product and the market that it is sold in.
fn shop(cluster: &dyn Cluster, product: Pubkey) -> Result<(OpenProduct, Market), ActError> {
    let open = OpenProduct::read(cluster, product)?;
    let market = Market::fetch(cluster, &open.keys)?;
    Ok((open, market))
}

async fn buy(
    State(site): State<Site>,
    Path(product): Path<String>,
    query: Result<Query<BuyQuery>, QueryRejection>,
    body: Result<Json<Account>, JsonRejection>,
) -> Result<Json<Value>, Failed> {
    let Query(BuyQuery { sum, days }) = query?;
    let missing = || SignError::Request("the query says `sum` and `days`".into());
    let (sum, days) = (sum.ok_or_else(missing)?, days.ok_or_else(missing)?);
    transaction(site, Ask::Buy { product, sum, days }, body?.0).await
}

async fn tell_stake(
    State(site): State<Site>,
    Path(pool): Path<String>,
    query: Result<Query<StakeQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failed> {
    let Query(query) = query?;
    let icon = icon_url(&site, &headers);
    let answer = blocking(move || {
        let node = site.node().clone();
        let open = OpenPool::read(&*node, address(&pool, "pool")?).map_err(ActError::from)?;
        let label = say::harmless(get_text(&open.state.label));
        let path = format!("/actions/stake/{pool}");
        let tranche = query.tranche.as_deref().unwrap_or("senior");
        let action = match &query.amount {
            Some(amount) => json!({
                "type": "transaction",
                "label": format!("Stake {amount} {label}, {tranche}"),
                "href": format!("{path}?amount={}&tranche={}", escaped(amount), escaped(tranche)),
            }),
            None => json!({
                "type": "transaction",
                "label": "Stake",
                "href": format!("{path}?amount={{amount}}&tranche={{tranche}}"),
                "parameters": [
                    { "name": "amount", "label": format!("Amount, in {label}"), "type": "number", "required": true },
                    { "name": "tranche", "label": "Tranche", "type": "radio", "required": true, "options": [
                        { "label": "Senior: loses last, earns less", "value": "senior", "selected": true },
                        { "label": "Junior: loses first, earns more", "value": "junior" },
                    ] },
                ],
            }),
        };
        let description = "Capital that pays claims, and earns premium for it. It can be lost. Leaving takes the pool's \
                           cooldown, as capital is free.";
        let is_open = open.state.access() == Access::Open;
        let closed = (!is_open).then_some("Not everybody may deposit into this pool.");
        Ok(told(&icon, &format!("Stake in the pool {label}"), description, "Stake", &action, closed))
    });
    Ok(answer.await?)
}

async fn stake(
    State(site): State<Site>,
    Path(pool): Path<String>,
    query: Result<Query<StakeQuery>, QueryRejection>,
    body: Result<Json<Account>, JsonRejection>,
) -> Result<Json<Value>, Failed> {
    let Query(StakeQuery { amount, tranche }) = query?;
    let amount = amount.ok_or_else(|| SignError::Request("the query says `amount`, and may say `tranche`".into()))?;
    let tranche = tranche.unwrap_or_else(|| "senior".into());
    transaction(site, Ask::Deposit { pool, tranche, amount }, body?.0).await
}

/// Builds what is asked for, for whoever is to sign it.
async fn transaction(site: Site, ask: Ask, Account { account }: Account) -> Result<Json<Value>, Failed> {
    let account: Pubkey = account.parse().map_err(|_| SignError::Request("`account` is not an address".into()))?;
    let answer = blocking(move || {
        let built = build(&**site.node(), &ask, account, None)?;
        let told = ["premium", "at most", "protects", "shares", "share price", "cooldown"];
        let rows = built.preview.rows.iter().filter(|(name, _)| told.contains(name));
        let rows: Vec<String> = rows.map(|(name, value)| format!("{name}: {value}")).collect();
        let message = say::seen(&format!("{}. {}.", built.preview.title, rows.join("; ")));
        let transaction = encode(&built.prepared.transaction)?;
        Ok(Json(json!({ "type": "transaction", "transaction": transaction, "message": message })))
    });
    Ok(answer.await?)
}

impl From<AccountError> for SignError {
    fn from(error: AccountError) -> Self {
        Self::Act(error.into())
    }
}
