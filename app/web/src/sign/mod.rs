//! Transactions that wallets sign: what the page builds, shows and sends, and what it never sends.
//!
//! | path | takes | gives |
//! |---|---|---|
//! | `POST /sign/prepare` | an [`Ask`] and the wallet | the preview of the command line, the command, and the transaction, built and simulated now |
//! | `POST /sign/send` | the transaction as the wallet signed it | its signature; it is sent if [`allow::check`] lets it, until it is known how it ended |
//! | `POST /sign/hand` | that it goes to a wallet that sends by itself | nothing |
//! | `POST /sign/watch` | the signature of a wallet that has sent by itself | its signature; it is watched |
//! | `GET /sign/status` | the plan's name | how it stands |
//!
//! No key is here. A purchase and a request to leave keep their number when they are built again, so they are executed
//! once at most; a deposit is built again only when the one before is proven to have expired, or was never handed to
//! anybody who could send it.

pub mod allow;
pub mod ask;
pub mod forms;
pub mod plans;
pub mod watch;

pub use ask::Ask;

use crate::chain::Node;
use crate::say;
use crate::site::Site;
use anchor_lang::prelude::Pubkey;
use ask::{Kept, Once, Thought, is_input};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use backstop::state::day_of;
use backstop_client::account::AccountError;
use backstop_client::act::{ActError, Preview};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::explain::Explanation;
use backstop_client::text::exact_amount;
use backstop_client::transaction::{MOST_COMPUTE_UNITS, Patience, Pipeline, Plan as Cost, Prepared};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use plans::{End, Plan, PlanError, State as Stands};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use solana_sdk::signature::Signature;
use solana_sdk::signer::null_signer::NullSigner;
use solana_sdk::transaction::VersionedTransaction;
use std::time::Instant;

/// Compute units that are left for guard instructions of wallets.
const GUARD_UNITS: u32 = 40_000;

/// The paths of what is signed.
pub fn routes() -> Router<Site> {
    Router::new()
        .route("/sign/prepare", post(prepare))
        .route("/sign/send", post(send))
        .route("/sign/hand", post(hand))
        .route("/sign/watch", post(watch_sent))
        .route("/sign/status", get(status))
}

/// Why something is not built or not sent.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The request cannot be read.
    #[error("{0}")]
    Request(String),
    /// It cannot be done, or not be built.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The plan is not carried on.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What came back is not what was built.
    #[error("the wallet changed the transaction, so it is not sent: {0}")]
    Refused(#[from] allow::Refused),
    /// The work ended early, by a mistake of ours.
    #[error("this could not be done: whoever runs this page finds the reason in its log")]
    Broken,
}

impl From<ClusterError> for SignError {
    fn from(error: ClusterError) -> Self {
        Self::Act(error.into())
    }
}

impl From<JsonRejection> for SignError {
    fn from(error: JsonRejection) -> Self {
        Self::Request(error.body_text())
    }
}

impl From<QueryRejection> for SignError {
    fn from(error: QueryRejection) -> Self {
        Self::Request(error.body_text())
    }
}

impl SignError {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Request(_) | Self::Refused(_) => StatusCode::BAD_REQUEST,
            Self::Act(error) if is_input(error) => StatusCode::BAD_REQUEST,
            Self::Act(error) => match error.cluster() {
                Some(ClusterError::Failed { .. } | ClusterError::Unsignable(_)) | None => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                Some(_) => StatusCode::BAD_GATEWAY,
            },
            Self::Plan(PlanError::NoPlan) => StatusCode::NOT_FOUND,
            Self::Plan(PlanError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Plan(_) => StatusCode::CONFLICT,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// It as a visitor reads it.
    pub fn explained(&self) -> Explanation {
        let mut told = match self {
            Self::Act(ActError::Account(AccountError::Missing { what, .. } | AccountError::Other { what, .. })) => {
                let sentence = format!("there is no such {what} any more, or not yet");
                Explanation { sentence, hint: None }
            }
            Self::Act(error) => error.explained(),
            other => Explanation { sentence: other.to_string(), hint: None },
        };
        // What the command line advises is of no use on a page.
        told.sentence = say::seen(&told.sentence);
        told.hint = told
            .hint
            .map(|hint| say::seen(&hint))
            .filter(|hint| !hint.is_empty() && !hint.contains("--") && !hint.contains('`'));
        told
    }

    fn signature(&self) -> Option<Signature> {
        match self {
            Self::Plan(PlanError::Open(signature) | PlanError::Overtaken(signature)) => Some(*signature),
            Self::Plan(PlanError::Done(signature)) => *signature,
            _ => None,
        }
    }
}

impl IntoResponse for SignError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::warn!(%status, why = %self, "a transaction was not built or sent");
        }
        let Explanation { sentence, hint } = self.explained();
        let done = matches!(self, Self::Plan(PlanError::Done(_)));
        let signature = self.signature().map(|signature| signature.to_string());
        let body = json!({ "error": sentence, "hint": hint, "done": done, "signature": signature });
        (status, Json(body)).into_response()
    }
}

/// Does what may take long, on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SignError> + Send + 'static,
) -> Result<T, SignError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|why| {
        tracing::error!(%why, "the work on a transaction ended early");
        Err(SignError::Broken)
    })
}

/// A transaction that was built and simulated, with what it will do.
pub struct Built {
    /// What it will do.
    pub preview: Preview,
    /// The command that does the same.
    pub command: String,
    /// What keeps it from being done twice.
    pub once: Once,
    /// The limit that it is within: [`Thought::limit`].
    pub limit: Option<u64>,
    /// The transaction, with zeros for signatures.
    pub prepared: Prepared,
}

/// Builds what is wanted with a blockhash of now, after simulating it.
///
/// Errors: it cannot be done, or would fail.
pub fn build(cluster: &dyn Cluster, ask: &Ask, wallet: Pubkey, kept: Option<Kept>) -> Result<Built, ActError> {
    let thought: Thought = ask.think(cluster, wallet, kept)?;
    let signer = NullSigner::new(&wallet);
    let pipeline = Pipeline::new(cluster, &signer);
    let simulated = pipeline.simulate(&thought.instructions)?;
    let used = u32::try_from(simulated.compute_units).unwrap_or(MOST_COMPUTE_UNITS);
    let limit = used.saturating_add(used / 10).saturating_add(GUARD_UNITS).min(MOST_COMPUTE_UNITS);
    let preview = thought.describe(&simulated)?;
    let cost = Cost { simulated, ..pipeline.plan_with_limit(&thought.instructions, limit)? };
    let prepared = pipeline.draft(&thought.instructions, cost)?;
    let Thought { once, command, limit, .. } = thought;
    Ok(Built { preview, command, once, limit, prepared })
}

/// A transaction in base64, as wallets take it.
pub fn encode(transaction: &VersionedTransaction) -> Result<String, SignError> {
    let bytes = bincode::serialize(transaction).map_err(|_| SignError::Broken)?;
    Ok(BASE64.encode(bytes))
}

fn decode(text: &str) -> Result<VersionedTransaction, SignError> {
    let unreadable = || SignError::Refused(allow::Refused::Unreadable);
    let bytes = BASE64.decode(text).map_err(|_| unreadable())?;
    let transaction: VersionedTransaction = bincode::deserialize(&bytes).map_err(|_| unreadable())?;
    let again = bincode::serialize(&transaction).map_err(|_| unreadable())?;
    // What stands behind a transaction is no part of it.
    if again == bytes { Ok(transaction) } else { Err(unreadable()) }
}

/// What the page asks to be built.
#[derive(Debug, Deserialize)]
struct PrepareBody {
    wallet: String,
    /// The plan in whose place this one is built.
    #[serde(default)]
    again: Option<String>,
    /// Whether the visitor has agreed to what that one showed: its limits stay.
    #[serde(default)]
    agreed: bool,
    #[serde(flatten)]
    ask: Ask,
}

/// What was built, for the page.
#[derive(Debug, Serialize)]
struct PrepareAnswer {
    plan: String,
    title: String,
    rows: Vec<(&'static str, String)>,
    warnings: Vec<String>,
    command: String,
    transaction: String,
    /// The chain as wallets name it.
    chain: &'static str,
}

async fn prepare(
    State(site): State<Site>,
    body: Result<Json<PrepareBody>, JsonRejection>,
) -> Result<Json<PrepareAnswer>, SignError> {
    let Json(PrepareBody { wallet, again, agreed, ask }) = body?;
    let wallet: Pubkey =
        wallet.parse().map_err(|_| SignError::Request("the wallet is not an address of an account".into()))?;
    blocking(move || {
        let node = site.node().clone();
        let renewed = again.map(|name| renew(&site, &*node, &name, &ask, &wallet)).transpose()?.flatten();
        let was_handed = renewed.as_ref().is_some_and(|old| old.state == Stands::Handed);
        let kept = renewed.map(|old| Kept { once: old.once, limit: old.limit.filter(|_| agreed) });
        let mut built = build(&*node, &ask, wallet, kept)?;
        if was_handed && matches!(built.once, Once::Expiry { .. }) {
            let warning = "The wallet was given this once before, and nobody said whether it sent it. That one's time is \
                           over: look at the wallet's history before you sign again.";
            built.preview.warnings.insert(0, warning.into());
        }
        let Built { preview, command, once, limit, prepared } = built;
        let Preview { title, mut rows, warnings } = preview;
        // Names and labels of the chain stand in all of them.
        let title = say::seen(&title);
        rows.iter_mut().for_each(|(_, value)| *value = say::seen(value));
        let warnings = warnings.iter().map(|warning| say::seen(warning)).collect();
        rows.push(("fee", format!("{} SOL", exact_amount(prepared.fee, 9))));
        let transaction = encode(&prepared.transaction)?;
        let plan = Plan {
            ask,
            wallet,
            once,
            limit,
            built: prepared.transaction.message,
            last_valid_block_height: prepared.last_valid_block_height,
            state: Stands::Prepared,
            made: Instant::now(),
            sent: None,
        };
        let plan = site.plans().keep(plan)?;
        let command = match &site.settings().cluster {
            Some(cluster) => format!("{command} --url {cluster}"),
            None => command,
        };
        let chain = site.settings().wallet_chain();
        Ok(Json(PrepareAnswer { plan, title, rows, warnings, command, transaction, chain }))
    })
    .await
}

/// The plan in whose place another is built. Nothing, if it is gone or was for something else.
///
/// Errors: the plan is under way, was executed, or may still be.
fn renew(
    site: &Site,
    cluster: &dyn Cluster,
    name: &str,
    ask: &Ask,
    wallet: &Pubkey,
) -> Result<Option<Plan>, SignError> {
    let Ok(old) = site.plans().get(name) else { return Ok(None) };
    if old.ask != *ask || old.wallet != *wallet {
        site.plans().withdraw(name);
        return Ok(None);
    }
    if old.once.is_done(cluster)? {
        return Err(PlanError::Done(old.signature()).into());
    }
    match &old.state {
        Stands::Open { signature } => Err(PlanError::Open(*signature).into()),
        Stands::Ended { signature, end: End::Confirmed | End::Another } => {
            Err(PlanError::Done(Some(*signature)).into())
        }
        Stands::Ended { end: End::Failed { .. } | End::Expired, .. } | Stands::Withdrawn => Ok(Some(old)),
        Stands::Prepared => {
            site.plans().withdraw(name);
            Ok(Some(old))
        }
        Stands::Handed | Stands::Ended { end: End::Unknown { .. }, .. } => {
            let is_safe = match old.once {
                Once::Harmless | Once::Numbered { day: None, .. } => true,
                Once::Numbered { day: Some(day), .. } => day == day_of(cluster.now()?),
                Once::Expiry { .. } => false,
            };
            if is_safe || is_over(cluster, &old)? { Ok(Some(old)) } else { Err(PlanError::MayStill.into()) }
        }
    }
}

/// Whether a plan of which nobody knows how it ended can surely not be executed any more.
fn is_over(cluster: &dyn Cluster, plan: &Plan) -> Result<bool, SignError> {
    let signature = plan.signature();
    if let Some(signature) = signature
        && let Some(Ok(_)) = cluster.outcomes(&[signature])?.pop().flatten()
    {
        return Err(PlanError::Done(Some(signature)).into());
    }
    // Of what a wallet sent by itself the signature is not known: nothing has the one of zeros, so its height decides.
    let asked = (signature.unwrap_or_default(), plan.last_valid_block_height);
    Ok(cluster.expired(&[asked])?.pop().unwrap_or(false))
}

/// What the page sends back.
#[derive(Debug, Deserialize)]
struct SendBody {
    plan: String,
    transaction: String,
}

async fn send(State(site): State<Site>, body: Result<Json<SendBody>, JsonRejection>) -> Result<Json<Value>, SignError> {
    let Json(SendBody { plan: name, transaction }) = body?;
    let plan = site.plans().get(&name)?;
    let signed = decode(&transaction)?;
    allow::check(&plan.built, &signed)?;
    let signature = signed.signatures.first().copied().ok_or(SignError::Broken)?;
    if !site.plans().open(&name, signature)? {
        return told(&site, &name);
    }
    blocking(move || {
        let node = site.node().clone();
        if let Err(why) = node.simulate(&signed) {
            site.plans().put_back(&name);
            return Err(why.into());
        }
        let (end, patience) = (plan.last_valid_block_height, patience(&site));
        follow(&site, name.clone(), signature, move |node| watch::send(node, signed, end, &patience));
        told(&site, &name)
    })
    .await
}

/// Does what takes until a transaction has ended in a thread of its own, and notes how it did.
fn follow(site: &Site, name: String, signature: Signature, work: impl FnOnce(&dyn Cluster) -> End + Send + 'static) {
    let (site, node, plan): (Site, Node, String) = (site.clone(), site.node().clone(), name.clone());
    let followed = {
        let site = site.clone();
        move || {
            let end = work(&*node);
            tracing::info!(%signature, ?end, "a transaction ended");
            site.plans().end(&name, signature, end);
            site.chain().wake();
        }
    };
    if let Err(why) = std::thread::Builder::new().name("transaction".into()).spawn(followed) {
        tracing::error!(%why, "a transaction is not followed");
        site.plans().end(&plan, signature, End::Unknown { why: "this server cannot follow it".into() });
    }
}

fn patience(site: &Site) -> Patience {
    Patience { most: site.settings().patience, ..Patience::default() }
}

/// A plan by its name.
#[derive(Debug, Deserialize)]
struct Named {
    plan: String,
}

async fn hand(State(site): State<Site>, body: Result<Json<Named>, JsonRejection>) -> Result<Json<Value>, SignError> {
    let Json(Named { plan }) = body?;
    site.plans().hand(&plan)?;
    told(&site, &plan)
}

/// The signature of a transaction that a wallet has sent.
#[derive(Debug, Deserialize)]
struct WatchBody {
    plan: String,
    /// 64 bytes in base64.
    signature: String,
}

async fn watch_sent(
    State(site): State<Site>,
    body: Result<Json<WatchBody>, JsonRejection>,
) -> Result<Json<Value>, SignError> {
    let Json(WatchBody { plan: name, signature }) = body?;
    let plan = site.plans().get(&name)?;
    let bytes: Option<[u8; 64]> = BASE64.decode(&signature).ok().and_then(|bytes| bytes.try_into().ok());
    let signature = bytes.map(Signature::from).ok_or_else(|| SignError::Request("this is no signature".into()))?;
    if !site.plans().open(&name, signature)? {
        return told(&site, &name);
    }
    let is_ours = signature.verify(plan.wallet.as_ref(), &plan.built.serialize());
    let (end, patience) = (plan.last_valid_block_height, patience(&site));
    follow(&site, name.clone(), signature, move |node| match is_ours {
        // The wallet changed nothing: this is the whole transaction, and sending it again does no harm.
        true => {
            let transaction = VersionedTransaction { signatures: vec![signature], message: plan.built };
            watch::send(node, transaction, end, &patience)
        }
        false => watch::watch(node, signature, plan.once, &patience),
    });
    told(&site, &name)
}

async fn status(
    State(site): State<Site>,
    query: Result<Query<Named>, QueryRejection>,
) -> Result<Json<Value>, SignError> {
    let Query(Named { plan }) = query?;
    told(&site, &plan)
}

/// How a plan stands, for the page.
fn told(site: &Site, name: &str) -> Result<Json<Value>, SignError> {
    let plan = site.plans().get(name)?;
    let (status, why) = match &plan.state {
        Stands::Prepared => ("prepared", None),
        Stands::Handed => ("handed", None),
        Stands::Withdrawn => ("withdrawn", None),
        Stands::Open { .. } => ("open", None),
        Stands::Ended { end, .. } => match end {
            End::Confirmed => ("confirmed", None),
            End::Failed { why } => ("failed", Some(why.clone())),
            End::Expired => ("expired", None),
            End::Unknown { why } => ("unknown", Some(why.clone())),
            End::Another => ("another", None),
        },
    };
    let signature = plan.signature().map(|signature| signature.to_string());
    Ok(Json(json!({ "status": status, "signature": signature, "why": why })))
}
