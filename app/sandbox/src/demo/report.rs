//! What the demo found. Field names are stable; amounts are whole units of the asset (10^-decimals of a token), prices are
//! in 1e-8, times in unix seconds.

use backstop_client::view::report::SlotReport;
use serde::Serialize;

/// What happened in a demo, as the chain has it, and whether it is what had to happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Where the prices are from.
    pub prices_from: String,
    /// Confidence that each was given, in 1e-8.
    pub confidence_e8: u64,
    /// The program that ran.
    pub program: Program,
    /// The asset that the pool holds and pays in.
    pub asset: Asset,
    /// The asset that is insured.
    pub covered: Asset,
    /// The pool.
    pub pool: String,
    /// Who put capital in.
    pub capital: Vec<Capital>,
    /// What the pool sells.
    pub products: Vec<Product>,
    /// What was sold.
    pub covers: Vec<Cover>,
    /// The prices, and what the triggers made of them, oldest first.
    pub prints: Vec<PrintSeen>,
    /// What happened besides, oldest first.
    pub moments: Vec<Moment>,
    /// The incident of the product that triggered.
    pub incident: Option<Incident>,
    /// The pool's reinsurance, in the order in which it pays.
    pub treaties: Vec<Treaty>,
    /// The pools that reinsure it, in the same order.
    pub reinsurers: Vec<Reinsurer>,
    /// Who bore the incident's gross loss, the first to pay first; empty without an incident.
    pub waterfall: Vec<Part>,
    /// How the loss fell on the pool's capital, the first to lose first.
    pub layers: Vec<Layer>,
    /// What a share was worth, oldest first.
    pub share_prices: Vec<SharePrices>,
    /// The pool's books at the end.
    pub ledger: Ledger,
    /// What the program refused.
    pub refusals: Vec<Refusal>,
    /// Transactions sent, refused ones included.
    pub transactions: u64,
    /// What the instructions cost, in the order of their first calls.
    pub compute_units: Vec<Cost>,
    /// What had to happen, and did or did not.
    pub checks: Vec<Check>,
    /// Whether all checks hold.
    pub holds: bool,
    /// How long the run took, in milliseconds.
    pub elapsed_ms: u64,
}

impl Report {
    /// The checks that do not hold.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.holds)
    }
}

/// The program that ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Program {
    /// Its address.
    pub id: String,
    /// Size of its executable, in bytes.
    pub bytes: u64,
}

/// An asset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asset {
    /// Its ticker.
    pub symbol: String,
    /// Its mint.
    pub mint: String,
    /// Its decimals.
    pub decimals: u8,
}

/// Capital that somebody put in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Capital {
    /// `surplus`, `junior` or `senior`.
    pub layer: String,
    /// Whose it is.
    pub who: String,
    /// How much.
    pub amount: u64,
    /// Shares received for it.
    pub shares: u64,
}

/// A product and its trigger.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Product {
    /// Its short name here: `stress` or `severe`.
    pub key: String,
    /// Its name on chain.
    pub name: String,
    /// Its address.
    pub address: String,
    /// A price below this is a breach, in 1e-8.
    pub threshold_e8: u64,
    /// A price at or above this is a recovery, in 1e-8.
    pub recovery_e8: u64,
    /// Mean price at which the whole sum insured is paid, in 1e-8; `None` if any event pays it.
    pub full_loss_e8: Option<u64>,
    /// How long the breach must last, in seconds.
    pub duration_seconds: u32,
    /// Length of a slot, in seconds.
    pub slot_seconds: u32,
    /// How much of the breach may be without evidence, in seconds.
    pub tolerance_seconds: u32,
    /// How long a met trigger waits to be contradicted, in seconds.
    pub challenge_seconds: u32,
    /// How many confidences a price must be away from the threshold, in hundredths.
    pub confidence_multiplier: u16,
    /// Good slots that trigger.
    pub needed_slots: u64,
    /// Most good slots in any admissible window.
    pub credited_slots: u64,
    /// Where the trigger stands at the end: `quiet`, `breaching`, `met` or `triggered`.
    pub phase: String,
    /// Whether it triggered.
    pub triggered: bool,
    /// Start of the window that triggered.
    pub event_at: Option<i64>,
    /// End of the window that triggered.
    pub met_at: Option<i64>,
    /// When the event was proven: a challenge after the condition was met.
    pub triggered_at: Option<i64>,
    /// Mean price over the window, in 1e-8.
    pub mean_price_e8: Option<u64>,
    /// Part of each sum insured that is lost, in basis points.
    pub severity_bps: Option<u16>,
    /// Exposure left at the end.
    pub exposure: u64,
    /// What its covers were paid.
    pub paid: u64,
    /// The slots of which the trigger knows something.
    pub slots: Vec<SlotReport>,
}

/// A cover that was sold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cover {
    /// Who bought it and holds its NFT.
    pub holder: String,
    /// The product's short name.
    pub product: String,
    /// The NFT's mint.
    pub mint: String,
    /// Sum insured.
    pub sum_insured: u64,
    /// Premium paid.
    pub premium: u64,
    /// When it was bought.
    pub bought_at: i64,
    /// First protected second.
    pub active_from: i64,
    /// First second no longer protected.
    pub end: i64,
    /// What it is due: `loss` (it was in force), `refund` (it had not begun) or `none`.
    pub due: String,
    /// What the rules say it is paid.
    pub expected: u64,
    /// How much of that is premium that is given back.
    pub premium_back: u64,
    /// What arrived in the holder's wallet.
    pub paid: u64,
}

/// A price, and what the triggers made of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrintSeen {
    /// When it was published.
    pub publish_time: i64,
    /// The price, in 1e-8.
    pub price_e8: u64,
    /// The stress trigger after it was shown.
    pub stress: Evidence,
    /// The severe trigger after it was shown.
    pub severe: Evidence,
}

/// Where a trigger stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// `quiet`, `breaching`, `met` or `triggered`.
    pub phase: String,
    /// Most good slots in any admissible window so far.
    pub credited_slots: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// When.
    pub at: i64,
    /// What.
    pub what: What,
    /// To whom, or by whom.
    pub who: Option<String>,
    /// On which product.
    pub product: Option<String>,
    /// How much.
    pub amount: Option<u64>,
}

/// Kinds of [`Moment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A cover was sold.
    CoverSold,
    /// A trigger's challenge was over and it was confirmed.
    Confirmed,
    /// A treaty was accepted; the amount is the premium paid for its whole term.
    TreatyAccepted,
    /// Premium was handed to the quota share.
    PremiumCeded,
    /// An incident was opened.
    IncidentOpened,
    /// A treaty paid its part of an incident.
    TreatyPaid,
    /// An incident was funded.
    IncidentFunded,
    /// A cover was paid its part of the sum insured.
    CoverPaid,
    /// A cover that had not begun got its premium back.
    PremiumReturned,
    /// An incident was closed.
    IncidentClosed,
}

/// The incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// Its address.
    pub address: String,
    /// The product's short name.
    pub product: String,
    /// Start of the event.
    pub event_at: i64,
    /// Part of each sum insured that is lost, in basis points.
    pub severity_bps: u16,
    /// What its covers are due.
    pub gross: u64,
    /// What reinsurance paid of it.
    pub ceded: u64,
    /// What was set aside for them.
    pub reserve: u64,
    /// Reserve / gross, in basis points, rounded down: what each claim is paid of itself.
    pub ratio_bps: u64,
    /// What was paid.
    pub paid: u64,
    /// When it was opened.
    pub opened_at: i64,
    /// When it was funded.
    pub funded_at: i64,
}

/// Reinsurance of the pool by another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Treaty {
    /// `quota_share` or `excess_of_loss`.
    pub key: String,
    /// Its address.
    pub address: String,
    /// The pool that reinsures.
    pub reinsurer: String,
    /// Quota share: its part of premium and loss, in basis points.
    pub cession_bps: Option<u16>,
    /// Quota share: what the cedant keeps of the ceded premium, in basis points.
    pub commission_bps: Option<u16>,
    /// Layer: the loss of an incident from which it pays.
    pub attachment: Option<u64>,
    /// Layer: the premium for its term, in basis points of the limit.
    pub rate_on_line_bps: Option<u16>,
    /// The most it pays.
    pub limit: u64,
    /// What is left of that at the end.
    pub limit_left: u64,
    /// First second of its term.
    pub start: i64,
    /// First second after its term.
    pub end: i64,
    /// Premium that the reinsurer was paid.
    pub premium: u64,
    /// What it paid for the incident.
    pub paid: u64,
}

/// A pool that reinsures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reinsurer {
    /// Its short name here: `protocol-owned` or `open`.
    pub name: String,
    /// Its address.
    pub pool: String,
    /// Who put capital in.
    pub capital: Vec<Capital>,
    /// How its part of the loss fell on its capital, the first to lose first; empty without an incident.
    pub layers: Vec<Layer>,
    /// Its books at the end.
    pub ledger: Ledger,
}

/// A part of a gross loss and who bore it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// `quota_share`, `excess_of_loss`, `surplus`, `junior`, `senior`, or `unpaid` for what nobody had capital for.
    pub part: String,
    /// How much.
    pub amount: u64,
    /// The same of the gross loss, in basis points; rounded so that all parts sum to 10,000.
    pub of_gross_bps: u64,
    /// What is left to pay after it.
    pub left: u64,
}

/// A layer of capital and its loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// `surplus`, `junior` or `senior`.
    pub layer: String,
    /// What it held before.
    pub before: u64,
    /// What it lost.
    pub lost: u64,
    /// What it held after.
    pub after: u64,
}

/// What a share of each tranche was worth, in 1e-6 of the asset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SharePrices {
    /// `start`, `before_event`, `after_payout` or `end`.
    pub moment: String,
    /// Unix seconds.
    pub at: i64,
    /// A junior share.
    pub junior_e6: u64,
    /// A senior share.
    pub senior_e6: u64,
}

/// The pool's books.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ledger {
    /// What the vault's token account holds.
    pub vault: u64,
    /// What the books say it holds: the sum of the following.
    pub cash: u64,
    /// Protocol-owned capital.
    pub surplus: u64,
    /// The junior tranche.
    pub junior: u64,
    /// The senior tranche.
    pub senior: u64,
    /// Premium not earned yet.
    pub unearned_premium: u64,
    /// Set aside for incidents.
    pub incident_reserves: u64,
    /// Set aside for exits.
    pub exit_reserves: u64,
    /// Owed to reinsurers.
    pub treaty_payable: u64,
}

/// Something that somebody tried and the program should refuse.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    /// When.
    pub at: i64,
    /// Who.
    pub who: String,
    /// What they tried.
    pub tried: String,
    /// The error that the rules ask for.
    pub expected: String,
    /// The program's error; `None` if it accepted.
    pub error: Option<String>,
    /// Its code.
    pub code: Option<u32>,
    /// The program's words.
    pub message: Option<String>,
}

/// What an instruction cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// The instruction.
    pub instruction: String,
    /// How often it was called.
    pub calls: u64,
    /// Compute units of the cheapest call.
    pub min: u64,
    /// Compute units of the middle call.
    pub median: u64,
    /// Compute units of the dearest call.
    pub max: u64,
}

/// Something that had to happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What it says.
    pub statement: String,
    /// What had to be.
    pub expected: String,
    /// What is.
    pub actual: String,
    /// Whether they are the same.
    pub holds: bool,
}
