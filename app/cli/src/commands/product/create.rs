//! `backstop product create`.

use crate::commands::args::{
    Amount, OpenPool, PoolArg, UtcDay, asset_text, bps, count, hundredths, price, rate, seconds,
};
use crate::commands::context::{Context, Preview, UsageError, event, hinted};
use crate::output::{exact_amount, moment, percent};
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::border::text::hex_text;
use backstop::events::{ConditionSet, ReadingSet};
use backstop::peril::evidence::{Direction, RING_SLOTS, Severity, Terms, TermsError, TermsInput};
use backstop::peril::feed::Source;
use backstop::peril::reading::{Reading, ReadingError, ReadingInput};
use backstop::peril::two_keys::Reach;
use backstop::state::{Live, Product, ProductTerms, Trigger, day_of};
use backstop::{CreateProductArgs, SetReadingArgs};
use backstop_client::Cluster;
use backstop_client::instruction::{self as ix, NewProduct, ProductKeys};
use backstop_client::redact;
use backstop_client::units::{feed_id, utc_moment};
use backstop_client::view;
use backstop_client::view::product::{free_id, link_note};
use clap::{Args, ValueEnum};
use serde::Serialize;
use solana_sdk::hash::hash;
use std::path::PathBuf;

const EXAMPLE: &str = "\
Example:
  backstop product create EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0 \\
    --name \"USDT below 0.95 for 4h\" --covered-asset Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB \\
    --wording wording.md --uri https://example.org/wording.md \\
    --feed 2b89b9dc8fdf9f34709a5b106b472f0f39bb6ca9ce04b0fd7f2e971688e2e53b \\
    --threshold 0.95 --duration 4h --full-loss 0.80 --risk-rate 2%

Example of a reading, a value at a date, in a vintage (`pool create --sells-until`):
  backstop product create EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/10 \\
    --name \"Nakuru rain below 120 mm\" --wording wording.md --uri https://example.org/rain.json \\
    --feed 2b89b9dc8fdf9f34709a5b106b472f0f39bb6ca9ce04b0fd7f2e971688e2e53b \\
    --attestors Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB \\
    --strike 120 --exit 40 --begins 2027-06-01 --due 2027-08-31T23:00:00Z --risk-rate 40%";

const CONDITION: &str = "Condition";
const READING: &str = "Condition of a reading";
const PRICE: &str = "Price";
const LIMITS: &str = "Limits";

/// What says how long a price must be where, which a reading does not ask.
const OF_PRICES: [&str; 14] = [
    "source",
    "covered_asset",
    "vaults",
    "threshold",
    "recovery",
    "full_loss",
    "min_severity",
    "run_on",
    "duration",
    "slot",
    "tolerance",
    "challenge",
    "confidence_multiplier",
    "deductible",
];

/// Where prices come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SourceArg {
    /// Price updates of the Pyth receiver program; the feed is Pyth's feed id.
    PythReceiver,
    /// A price account of the former push oracle of Pyth; the feed is its address. Only with `--allow-push-oracle`.
    PythPush,
    /// Reports that attestors sign; the feed is the sha-256 of its definition: see `backstop feed define`.
    Attested,
    /// The rate of an SPL stake pool, as a part of its own peak; the feed is the pool's address. Read live: two showings a
    /// slot, by `backstop crank` or anybody.
    StakePool,
    /// The share price of a lending reserve of Save or spl-token-lending, as a part of its own peak; the feed is the reserve's
    /// address. Read live.
    SplLending,
    /// What a protocol's vaults hold, as a part of what they held: one of two keys, the other is a report of the attestors. The
    /// feed is the sha-256 of that report's definition. Read live.
    VaultDrop,
}

impl SourceArg {
    /// The program's name for it.
    fn source(self) -> Source {
        match self {
            Self::PythReceiver => Source::PythReceiver,
            Self::PythPush => Source::PythPush,
            Self::Attested => Source::Attested,
            Self::StakePool => Source::StakePoolRate,
            Self::SplLending => Source::SplLendingRate,
            Self::VaultDrop => Source::VaultDrop,
        }
    }
}

/// Which side of the threshold is insured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DirectionArg {
    /// Prices below it.
    Below,
    /// Prices above it.
    Above,
}

impl DirectionArg {
    /// The program's name for it.
    pub fn direction(self) -> Direction {
        match self {
            Self::Below => Direction::Below,
            Self::Above => Direction::Above,
        }
    }
}

/// Announce a product and set its condition, in one transaction. Governance signs; only the risk rate ever changes.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE)]
pub struct CreateArgs {
    /// The pool that pays: its address, or MINT/NUMBER.
    pool: PoolArg,
    /// Name, shown on every cover: at most 48 letters of ASCII.
    #[arg(long)]
    name: String,
    /// Mint of the asset whose failure is insured; never the pool's own. A reading insures none.
    #[arg(long, value_name = "MINT", required_unless_present = "strike")]
    covered_asset: Option<Pubkey>,
    /// The wording: its sha256 is kept on chain.
    #[arg(long, value_name = "FILE")]
    wording: PathBuf,
    /// Link of the covers' NFTs, at most 96 letters of ASCII: to a JSON file that wallets read, which links to the wording.
    #[arg(long)]
    uri: String,

    /// Where prices come from.
    #[arg(long, value_enum, default_value_t = SourceArg::PythReceiver, help_heading = CONDITION)]
    source: SourceArg,
    /// With `--source pyth-push`: take that oracle although most of its accounts stand still and few look at them.
    #[arg(long, help_heading = CONDITION)]
    allow_push_oracle: bool,
    /// The feed: a Pyth feed id in hexadecimal, with `--source attested` or `vault-drop` the sha-256 of its definition, with
    /// any other source the address of the account that is read.
    #[arg(long, help_heading = CONDITION)]
    feed: String,
    /// The attestors, with `--source attested` or `vault-drop`.
    #[arg(
        long,
        value_name = "SET",
        value_parser = crate::commands::args::attestors,
        required_if_eq_any([("source", "attested"), ("source", "vault-drop")]),
        help_heading = CONDITION
    )]
    attestors: Option<Pubkey>,
    /// A vault, with `--source vault-drop`: one to eight token accounts of one mint.
    #[arg(long = "vault", value_name = "ACCOUNT", required_if_eq("source", "vault-drop"), help_heading = CONDITION)]
    vaults: Vec<Pubkey>,
    /// Which prices are insured against: those below the threshold, or those above it.
    #[arg(long, value_enum, default_value_t = DirectionArg::Below, help_heading = CONDITION)]
    direction: DirectionArg,
    /// A price below this is a breach; with `--direction above` one above it.
    #[arg(long, value_name = "PRICE", value_parser = price, required_unless_present = "strike", help_heading = CONDITION)]
    threshold: Option<u64>,
    /// A price at or above this is a recovery, at most 10 % above the threshold; without it 1 % above it. With
    /// `--direction above` a price at or below this, below the threshold.
    #[arg(long, value_name = "PRICE", value_parser = price, help_heading = CONDITION)]
    recovery: Option<u64>,
    /// Mean price at which everything is paid; without it every trigger pays in full.
    #[arg(long, value_name = "PRICE", value_parser = price, help_heading = CONDITION)]
    full_loss: Option<u64>,
    /// With a full-loss price, least that a trigger pays, in percent of the sum insured: 5 % at least.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u16>, default_value = "5%", help_heading = CONDITION)]
    min_severity: u16,
    /// With a full-loss price, how long after the breach a fall may go on and be paid: whole slots, at most 14 days.
    #[arg(long, value_name = "DURATION", value_parser = seconds, default_value = "3days", help_heading = CONDITION)]
    run_on: u32,
    /// How long the breach must last: an hour and six slots at least, with `--source vault-drop` ten minutes.
    #[arg(long, value_name = "DURATION", value_parser = seconds, required_unless_present = "strike", help_heading = CONDITION)]
    duration: Option<u32>,
    /// Length of a slot, of which each needs a price: 1 minute to 1 hour, a divisor of a day; of a rate ten minutes at least,
    /// with `--source vault-drop` three.
    #[arg(long, value_name = "DURATION", value_parser = seconds, default_value = "30m", help_heading = CONDITION)]
    slot: u32,
    /// How much of the breach need not be beyond the threshold: whole slots, a twelfth of the duration at least and a
    /// quarter at most.
    #[arg(long, value_name = "DURATION", value_parser = seconds, default_value = "30m", help_heading = CONDITION)]
    tolerance: u32,
    /// How long a met trigger waits to be contradicted: 2 to 24 hours.
    #[arg(long, value_name = "DURATION", value_parser = seconds, default_value = "6h", help_heading = CONDITION)]
    challenge: u32,
    /// How many confidences a price must be away from the threshold: 1 to 10.
    #[arg(long, value_name = "TIMES", value_parser = hundredths, default_value = "2", help_heading = CONDITION)]
    confidence_multiplier: u16,

    /// The value beyond which something is paid, of a product that pays by one value at one date: of reports, in a vintage.
    #[arg(
        long,
        value_name = "VALUE",
        value_parser = price,
        requires_all = ["exit", "begins", "due", "attestors"],
        conflicts_with_all = OF_PRICES,
        help_heading = READING
    )]
    strike: Option<u64>,
    /// The value from which on everything is paid: below the strike, or above it with `--direction above`.
    #[arg(long, value_name = "VALUE", value_parser = price, requires = "strike", help_heading = READING)]
    exit: Option<u64>,
    /// First UTC day that is insured, after the vintage's last day of sales.
    #[arg(long, value_name = "YYYY-MM-DD", requires = "strike", help_heading = READING)]
    begins: Option<UtcDay>,
    /// The moment whose value counts. Its day is the last that is insured.
    #[arg(long, value_name = "MOMENT", value_parser = utc_moment, requires = "strike", help_heading = READING)]
    due: Option<i64>,

    /// Expected loss a year, in percent of the sum insured.
    #[arg(long, value_name = "PERCENT", value_parser = rate, help_heading = PRICE)]
    risk_rate: u64,
    /// Lowest risk rate the risk keeper may set, above zero; without it a quarter of the risk rate.
    #[arg(long, value_name = "PERCENT", value_parser = rate, help_heading = PRICE)]
    risk_rate_floor: Option<u64>,
    /// Highest risk rate the risk keeper may set, at most 1000 %; without it ten times the risk rate.
    #[arg(long, value_name = "PERCENT", value_parser = rate, help_heading = PRICE)]
    risk_rate_ceiling: Option<u64>,
    /// Most that the risk rate may move in a day; without it half the risk rate.
    #[arg(long, value_name = "PERCENT", value_parser = rate, help_heading = PRICE)]
    risk_rate_step: Option<u64>,
    /// Loading on the risk rate, at most 1000 %.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u32>, default_value = "50%", help_heading = PRICE)]
    loading: u32,
    /// Demand rate a year while nothing is insured.
    #[arg(long, value_name = "PERCENT", value_parser = rate, default_value = "0%", help_heading = PRICE)]
    demand_at_zero: u64,
    /// Demand rate a year at the kink.
    #[arg(long, value_name = "PERCENT", value_parser = rate, default_value = "5%", help_heading = PRICE)]
    demand_at_kink: u64,
    /// Demand rate a year at capacity.
    #[arg(long, value_name = "PERCENT", value_parser = rate, default_value = "20%", help_heading = PRICE)]
    demand_at_capacity: u64,
    /// Part of capacity at which the demand curve bends.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u16>, default_value = "80%", help_heading = PRICE)]
    kink: u16,
    /// Level of the demand curve at the start, 1 % to 1000 %.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u32>, default_value = "100%", help_heading = PRICE)]
    level: u32,
    /// Lowest level, at least 1 %.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u32>, default_value = "25%", help_heading = PRICE)]
    min_level: u32,
    /// Highest level, at most 1000 %.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u32>, default_value = "400%", help_heading = PRICE)]
    max_level: u32,
    /// Utilisation above which the level drifts up.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u16>, default_value = "80%", help_heading = PRICE)]
    upper_mark: u16,
    /// Utilisation below which the level drifts down.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u16>, default_value = "50%", help_heading = PRICE)]
    lower_mark: u16,
    /// Drift of the level a day, in percent of itself, at most 20 %.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u16>, default_value = "2%", help_heading = PRICE)]
    drift: u16,
    /// Least premium of a cover, in the pool's asset.
    #[arg(long, value_name = "AMOUNT", default_value = "0.01", help_heading = PRICE)]
    min_premium: Amount,
    /// Fee on a cancellation's refund, above zero and at most 50 %.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u16>, default_value = "10%", help_heading = PRICE)]
    cancel_fee: u16,

    /// What of the sum insured every loss is less for the holder, below the least that a trigger pays, at most 50 %.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u16>, default_value = "0%", help_heading = LIMITS)]
    deductible: u16,
    /// What of the rest of a loss the holder bears, at most 50 %.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u16>, default_value = "0%", help_heading = LIMITS)]
    coinsurance: u16,
    /// Most that one cover may insure, in the pool's asset.
    #[arg(long, value_name = "AMOUNT", default_value = "1000000", help_heading = LIMITS)]
    max_sum_insured: Amount,
    /// Highest sum of all covers, in percent of the pool's own capital.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u16>, default_value = "80%", help_heading = LIMITS)]
    cap: u16,
    /// Most that is sold at once, and makes room again in a day, in percent of capacity.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u16>, default_value = "25%", help_heading = LIMITS)]
    daily: u16,
    /// Risk group, 0 to 15: products that fail together.
    #[arg(long, value_name = "NUMBER", value_parser = count::<u32>, default_value_t = 0, help_heading = LIMITS)]
    risk_group: u32,
    /// Shortest protection.
    #[arg(long, value_name = "DAYS", value_parser = count::<u16>, default_value_t = 7, help_heading = LIMITS)]
    min_term_days: u16,
    /// Longest protection.
    #[arg(long, value_name = "DAYS", value_parser = count::<u16>, default_value_t = 365, help_heading = LIMITS)]
    max_term_days: u16,
    /// Time between purchase and protection: a day at least, with `--source vault-drop` two, with `stake-pool` three. As long as
    /// that if it is left out.
    #[arg(long, value_name = "DURATION", value_parser = seconds, help_heading = LIMITS)]
    waiting: Option<u32>,
    /// Oldest last price on which a cover is sold: an hour at most.
    #[arg(long, value_name = "DURATION", value_parser = seconds, default_value = "1h", help_heading = LIMITS)]
    max_price_age: u32,
    /// No sales while a price less its confidences is less than this away from the threshold, in percent of it: 1 % at least.
    #[arg(long, value_name = "PERCENT", value_parser = bps::<u32>, default_value = "2%", help_heading = LIMITS)]
    no_sale_buffer: u32,
    /// For how long no price may have been so near: whole slots, the duration at least; without it a day, if that fits.
    #[arg(long, value_name = "DURATION", value_parser = seconds, help_heading = LIMITS)]
    quiet: Option<u32>,
}

impl CreateArgs {
    /// The condition in the program's units.
    fn condition(&self) -> TermsInput {
        let (severity, run_on_seconds) = match self.full_loss {
            Some(full_loss_price) => {
                (Severity::Linear { full_loss_price, min_severity_bps: self.min_severity }, self.run_on)
            }
            None => (Severity::Binary, 0),
        };
        // The slots that the ring holds beside the one that is not over.
        let longest = self.slot.saturating_mul(RING_SLOTS as u32 - 1);
        // The parser asks for both where there is no reading.
        let (threshold, duration) = (self.threshold.unwrap_or_default(), self.duration.unwrap_or_default());
        let hundredth = threshold / 100;
        let recovery = match self.direction {
            DirectionArg::Below => threshold.saturating_add(hundredth),
            DirectionArg::Above => threshold.saturating_sub(hundredth),
        };
        TermsInput {
            direction: self.direction.direction(),
            threshold,
            recovery: self.recovery.unwrap_or(recovery),
            severity,
            duration_seconds: duration,
            slot_seconds: self.slot,
            tolerance_seconds: self.tolerance,
            challenge_seconds: self.challenge,
            run_on_seconds,
            quiet_seconds: self.quiet.unwrap_or_else(|| duration.max(86_400.min(longest))),
            confidence_multiplier: self.confidence_multiplier,
        }
    }

    /// The value at a date that it pays by, if it is one, in the program's units.
    fn reading(&self) -> Option<ReadingInput> {
        Some(ReadingInput {
            direction: self.direction.direction(),
            strike: self.strike?,
            exit: self.exit?,
            begins_day: self.begins?.0,
            due_at: self.due?,
        })
    }

    /// Price and limits in the program's units.
    fn terms(&self, decimals: u8) -> Result<ProductTerms> {
        Ok(ProductTerms {
            risk_rate_ppb: self.risk_rate,
            risk_rate_floor_ppb: self.risk_rate_floor.unwrap_or_else(|| (self.risk_rate / 4).max(1)),
            risk_rate_ceiling_ppb: self.risk_rate_ceiling.unwrap_or_else(|| self.risk_rate.saturating_mul(10)),
            risk_rate_step_ppb: self.risk_rate_step.unwrap_or(self.risk_rate / 2),
            demand_at_zero_ppb: self.demand_at_zero,
            demand_at_kink_ppb: self.demand_at_kink,
            demand_at_capacity_ppb: self.demand_at_capacity,
            min_premium: self.min_premium.units(decimals)?,
            max_sum_insured: self.max_sum_insured.units(decimals)?,
            loading_bps: self.loading,
            level_bps: self.level,
            min_level_bps: self.min_level,
            max_level_bps: self.max_level,
            waiting_seconds: self.waiting.unwrap_or(self.source.source().least_waiting_seconds()),
            max_price_age: self.max_price_age,
            no_sale_buffer_bps: self.no_sale_buffer,
            risk_group: self.risk_group,
            kink_bps: self.kink,
            upper_mark_bps: self.upper_mark,
            lower_mark_bps: self.lower_mark,
            drift_bps: self.drift,
            cap_bps: self.cap,
            cancel_fee_bps: self.cancel_fee,
            min_term_days: self.min_term_days,
            max_term_days: self.max_term_days,
            daily_bps: self.daily,
            deductible_bps: self.deductible,
            coinsurance_bps: self.coinsurance,
            padding: [0; 2],
        })
    }

    /// Source and feed in the program's units.
    fn oracle(&self) -> Result<(Source, [u8; 32]), UsageError> {
        let feed = match self.source {
            SourceArg::PythReceiver | SourceArg::Attested | SourceArg::VaultDrop => {
                feed_id(&self.feed).map_err(|why| UsageError(format!("--feed: {why}")))?
            }
            SourceArg::PythPush if !self.allow_push_oracle => {
                let why = "--source pyth-push is a former oracle, most of whose accounts stand still: new products take \
                           pyth-receiver; where a cluster has nothing else, --allow-push-oracle";
                return Err(UsageError(why.into()));
            }
            SourceArg::PythPush => self.account("a price account")?,
            SourceArg::StakePool => self.account("a stake pool")?,
            SourceArg::SplLending => self.account("a lending reserve")?,
        };
        Ok((self.source.source(), feed))
    }

    /// The feed as the address that it is.
    fn account(&self, what: &str) -> Result<[u8; 32], UsageError> {
        let wrong = |_| UsageError(format!("--feed {} is not the address of {what}", redact::shown(&self.feed)));
        Ok(self.feed.parse::<Pubkey>().map_err(wrong)?.to_bytes())
    }
}

/// What is wrong with a condition, by the flag that says it.
fn wrong_condition(error: TermsError) -> UsageError {
    UsageError(String::from(match error {
        TermsError::BadPrices => {
            "--threshold is above zero, and --recovery beyond its safe side by a tenth of it at most: above it, or below it \
             with --direction above"
        }
        TermsError::BadSlot => "--slot is 1 minute to 1 hour and divides a day",
        TermsError::BadDuration => "--duration is whole slots: six at least, and an hour, or ten minutes of vaults",
        TermsError::BadTolerance => {
            "--tolerance is whole slots: one and a twelfth of --duration at least, and a quarter of it at most"
        }
        TermsError::BadChallenge => "--challenge is whole slots: 2 to 24 hours",
        TermsError::BadRunOn => "--run-on is whole slots: at most 14 days",
        TermsError::BadQuiet => "--quiet is whole slots: --duration at least, and 255 slots at most",
        TermsError::BeyondRing => {
            "--duration, --tolerance and --challenge together are at most 224 slots: take longer slots with --slot"
        }
        TermsError::BadConfidenceMultiplier => "--confidence-multiplier is 1 to 10",
        TermsError::BadSeverity | TermsError::BadDirection | TermsError::BadPadding => {
            "--full-loss is above zero and below --threshold, or above it with --direction above, and --min-severity 5 to \
             100 %"
        }
    }))
}

#[derive(Serialize)]
struct Details {
    product: String,
    trigger: String,
    pool: String,
    name: String,
    wording_sha256: String,
    sells_from: i64,
    rent_lamports: u64,
}

pub fn run(args: &CreateArgs, context: &Context) -> Result<()> {
    let name = args.wording.display();
    let read = || {
        std::fs::read(&args.wording).map_err(|why| {
            hinted(format!("the wording {name} cannot be read: {why}"), "--wording names the file with the wording")
        })
    };
    match args.reading() {
        Some(input) => create_reading(args, context, input, &read),
        None => create(args, context, &read),
    }
}

/// A product that pays by how long a price is beyond its threshold.
fn create(args: &CreateArgs, context: &Context, wording: &dyn Fn() -> Result<Vec<u8>>) -> Result<()> {
    let condition = args.condition();
    let shown = Terms::new(&condition).map_err(wrong_condition)?;
    let (source, feed) = args.oracle()?;
    let wording_hash = hash(&wording()?).to_bytes();

    let cluster = context.cluster()?;
    let pool = args.pool.open(cluster)?;
    let terms = args.terms(pool.decimals)?;
    if terms.validate().and_then(|()| terms.require_room_beside(Reach::of(source, &shown).days)).is_err() {
        return Err(out_of_bounds());
    }
    let id = free_id(cluster, &pool)?;
    let keys = ProductKeys::derive(pool.keys, id);
    let covered_asset = args.covered_asset.unwrap_or_default();
    let product = NewProduct {
        name: args.name.clone(),
        uri: args.uri.clone(),
        wording_hash,
        covered_asset,
        terms,
        source,
        feed,
        attestors: args.attestors,
        vaults: args.vaults.clone(),
        condition,
    };
    let readings = if product.source.is_live() { cluster.rent(Live::SPACE)? } else { 0 };
    let new = Announced { args, pool: &pool, keys: &keys, terms: &terms, wording_hash, rent: rent(cluster, readings)? };
    let instructions = product.instructions(context.wallet()?, context.payer()?, &keys, id);
    context.carry_out(&instructions, |receipt| {
        let sells_from = event::<ConditionSet>(receipt)?.sells_from;
        let condition = vec![
            ("insures", covered_asset.to_string()),
            ("pays if", view::product::pays_if(product.source, &shown)),
            ("pays", view::product::payment(&shown)),
            ("proven by", view::product::proven_by(product.source, &shown)),
        ];
        Ok((new.preview(condition, Vec::new(), sells_from), new.details(sells_from)))
    })
}

/// A product that pays by one value at one date.
fn create_reading(
    args: &CreateArgs,
    context: &Context,
    input: ReadingInput,
    wording: &dyn Fn() -> Result<Vec<u8>>,
) -> Result<()> {
    let feed = feed_id(&args.feed).map_err(|why| UsageError(format!("--feed: {why}")))?;
    let wording_hash = hash(&wording()?).to_bytes();
    // The parser asks for them.
    let attestors = args.attestors.unwrap_or_default();

    let cluster = context.cluster()?;
    let reading = Reading::new(&input, day_of(cluster.now()?)).map_err(|why| {
        UsageError(String::from(match why {
            ReadingError::BadValues => "--exit is below --strike, or above it with --direction above",
            _ => "--begins is a day to come, and --due after it and within a year",
        }))
    })?;
    let pool = args.pool.open(cluster)?;
    // It sells its period, and no other term.
    let period = reading.period();
    let days = u16::try_from(period.end_day.saturating_sub(period.active_day)).unwrap_or(u16::MAX);
    let terms = ProductTerms { min_term_days: days, max_term_days: days, ..args.terms(pool.decimals)? };
    if terms.validate().is_err() {
        return Err(out_of_bounds());
    }
    let id = free_id(cluster, &pool)?;
    let keys = ProductKeys::derive(pool.keys, id);
    let announcement = CreateProductArgs {
        id,
        name: args.name.clone(),
        uri: args.uri.clone(),
        wording_hash,
        covered_asset: Pubkey::default(),
        terms,
    };
    let (wallet, payer) = (context.wallet()?, context.payer()?);
    let instructions = [
        ix::create_product(wallet, payer, &keys, announcement),
        ix::set_reading(wallet, payer, &keys, attestors, SetReadingArgs { feed, reading: input }),
    ];
    let new = Announced { args, pool: &pool, keys: &keys, terms: &terms, wording_hash, rent: rent(cluster, 0)? };
    context.carry_out(&instructions, |receipt| {
        let sells_from = event::<ReadingSet>(receipt)?.sells_from;
        let condition = vec![
            ("pays if", view::product::reading_condition(&reading)),
            ("pays", view::product::reading_payment(&reading)),
            ("proven by", view::product::reading_evidence()),
        ];
        let says = view::product::reading_sentence(&reading, &attestors);
        Ok((new.preview(condition, vec![says], sells_from), new.details(sells_from)))
    })
}

fn out_of_bounds() -> anyhow::Error {
    hinted(
        "price, limits or terms are outside the program's bounds",
        "`backstop product create --help` tells the bounds of each; a longer --slot leaves less room for --max-term-days",
    )
}

/// Rent of a product, its trigger and what else it has, in lamports.
fn rent(cluster: &dyn Cluster, more: u64) -> Result<u64> {
    Ok(cluster.rent(Product::SPACE)?.saturating_add(cluster.rent(Trigger::SPACE)?).saturating_add(more))
}

/// What is announced, whatever its condition.
struct Announced<'a> {
    args: &'a CreateArgs,
    pool: &'a OpenPool,
    keys: &'a ProductKeys,
    terms: &'a ProductTerms,
    wording_hash: [u8; 32],
    rent: u64,
}

impl Announced<'_> {
    /// All of it, with its condition in words.
    fn preview(&self, condition: Vec<(&'static str, String)>, says: Vec<String>, sells_from: i64) -> Preview {
        let Self { args, pool, keys, terms, .. } = self;
        let feed = match args.attestors {
            Some(attestors) => format!("{}, reported by {attestors}", args.feed),
            None => args.feed.clone(),
        };
        let limits = format!(
            "{} of the pool's capital, {} of that a day, one cover {} at most, {}",
            percent(terms.cap_bps.into()),
            percent(terms.daily_bps.into()),
            asset_text(&pool.state, terms.max_sum_insured),
            match terms.min_term_days == terms.max_term_days {
                true => format!("{} days", terms.min_term_days),
                false => format!("{} to {} days", terms.min_term_days, terms.max_term_days),
            }
        );
        let mut rows = vec![("address", keys.product.to_string()), ("pool", keys.pool.pool.to_string())];
        rows.extend(condition);
        rows.extend([
            ("feed", feed),
            ("risk rate", view::product::risk_rate(terms.risk_rate_ppb, terms)),
            ("demand rate", view::product::demand_rate(terms)),
            ("limits", limits),
            ("the holder bears", view::product::borne(terms).unwrap_or_else(|| "nothing of a loss".into())),
            ("NFTs link to", args.uri.clone()),
            ("wording sha256", hex_text(&self.wording_hash)),
            ("sells from", moment(sells_from)),
            ("rent", format!("{} SOL", exact_amount(self.rent, 9))),
        ]);
        let mut warnings = says;
        warnings.push("Condition, wording, limits and price terms never change; only the risk rate moves.".into());
        warnings.push(link_note(&args.uri));
        Preview { title: format!("Announce the product {} and set its condition", args.name), rows, warnings }
    }

    fn details(&self, sells_from: i64) -> Details {
        Details {
            product: self.keys.product.to_string(),
            trigger: self.keys.trigger().to_string(),
            pool: self.keys.pool.pool.to_string(),
            name: self.args.name.clone(),
            wording_sha256: hex_text(&self.wording_hash),
            sells_from,
            rent_lamports: self.rent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: CreateArgs,
    }

    /// The arguments of a line with everything that has no default, and more.
    fn parse(more: &[&str]) -> CreateArgs {
        let mint = Pubkey::new_from_array([5; 32]).to_string();
        let pool = format!("{mint}/0");
        let feed = "ab".repeat(32);
        let line = [
            &["create", &pool, "--name", "X", "--covered-asset", &mint, "--wording", "w", "--uri", "u"][..],
            &["--feed", &feed, "--threshold", "0.95", "--duration", "4h", "--risk-rate", "2%"],
            more,
        ];
        Line::try_parse_from(line.concat()).unwrap_or_else(|why| panic!("{why}")).args
    }

    #[test]
    fn the_defaults_are_terms_that_the_program_takes() {
        let args = parse(&[]);
        let condition = Terms::new(&args.condition()).expect("the condition is within bounds");
        assert_eq!(condition.recovery, 95_950_000);
        let terms = args.terms(6).expect("the amounts fit");
        terms.validate().expect("they are within bounds");
        assert!(terms.require_room_beside(condition.ring_days()).is_ok());
        assert_eq!((terms.risk_rate_floor_ppb, terms.risk_rate_ceiling_ppb), (5_000_000, 200_000_000));
        assert_eq!((terms.min_premium, terms.loading_bps, terms.kink_bps), (10_000, 5_000, 8_000));
        // A cover waits as long as its feed asks for.
        let set = Pubkey::new_from_array([8; 32]).to_string();
        for (source, days) in [("pyth-receiver", 1), ("spl-lending", 1), ("vault-drop", 2), ("stake-pool", 3)] {
            let args = match source {
                "vault-drop" => parse(&["--source", source, "--attestors", &set, "--vault", &set]),
                _ => parse(&["--source", source]),
            };
            let terms = args.terms(6).expect("the amounts fit");
            assert_eq!(terms.waiting_seconds, days * 86_400);
            assert!(terms.require_limits_of(args.source.source()).is_ok(), "{source}");
        }
    }

    #[test]
    fn flags_are_taken_in_their_units() {
        let args =
            parse(&["--full-loss", "0.8", "--max-level", "500%", "--waiting", "2days", "--max-sum-insured", "5"]);
        let condition = args.condition();
        assert_eq!(condition.severity, Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 });
        assert_eq!((condition.run_on_seconds, condition.quiet_seconds), (259_200, 86_400));
        let terms = args.terms(6).expect("the amounts fit");
        assert_eq!((terms.max_level_bps, terms.waiting_seconds, terms.max_sum_insured), (50_000, 172_800, 5_000_000));
    }

    #[test]
    fn prices_above_are_insured_by_the_mirrored_defaults() {
        let args = parse(&["--direction", "above", "--full-loss", "1.2"]);
        let condition = Terms::new(&args.condition()).expect("the condition is within bounds");
        assert_eq!((condition.direction(), condition.recovery), (Direction::Above, 94_050_000));
        let wrong = parse(&["--direction", "above", "--full-loss", "0.8"]);
        let told = Terms::new(&wrong.condition()).map_err(wrong_condition).unwrap_err().0;
        assert!(told.contains("--full-loss"), "{told}");
    }

    #[test]
    fn a_wrong_condition_is_told_by_its_flag() {
        let wrong = |args: CreateArgs| Terms::new(&args.condition()).map_err(wrong_condition).unwrap_err().0;
        let told = |more: &[&str]| wrong(parse(more));
        assert!(told(&["--full-loss", "0.95"]).contains("--full-loss"));
        assert!(told(&["--recovery", "0.9"]).contains("--recovery"));
        assert!(told(&["--full-loss", "0.8", "--min-severity", "4%"]).contains("--min-severity"));
        assert!(told(&["--full-loss", "0.8", "--run-on", "15days"]).contains("--run-on"));
        assert!(told(&["--quiet", "3h"]).contains("--quiet"));
        assert!(told(&["--tolerance", "0s"]).contains("--tolerance"));
        let sevens = parse(&["--slot", "7m", "--tolerance", "14m", "--challenge", "7h"]);
        assert!(wrong(CreateArgs { duration: Some(7 * 3_600), ..sevens }).contains("--slot"));
        assert!(wrong(CreateArgs { duration: Some(15_000), ..parse(&[]) }).contains("--duration"));
        assert!(told(&["--tolerance", "90m"]).contains("--tolerance"));
        assert!(told(&["--challenge", "25h"]).contains("--challenge"));
        assert!(told(&["--slot", "1m", "--tolerance", "20m"]).contains("at most 224 slots"));
        assert!(told(&["--confidence-multiplier", "10.01"]).contains("--confidence-multiplier"));
    }

    #[test]
    fn a_feed_is_read_by_its_source() {
        assert_eq!(parse(&[]).oracle().expect("it is a feed").1, [0xab; 32]);
        let set = Pubkey::new_from_array([8; 32]).to_string();
        let vaults = parse(&["--source", "vault-drop", "--attestors", &set, "--vault", &set, "--vault", &set]);
        assert_eq!(vaults.oracle().expect("it is a feed"), (Source::VaultDrop, [0xab; 32]));
        assert_eq!(vaults.vaults.len(), 2);
        // What was shut down is taken by nobody who does not say so.
        let address = Pubkey::new_from_array([9; 32]).to_string();
        let refused = CreateArgs { feed: address.clone(), ..parse(&["--source", "pyth-push"]) };
        assert!(refused.oracle().unwrap_err().0.contains("--allow-push-oracle"));
        let mut push = parse(&["--source", "pyth-push", "--allow-push-oracle"]);
        assert!(push.oracle().is_err());
        push.feed = address;
        assert_eq!(push.oracle().expect("it is an address"), (Source::PythPush, [9; 32]));
        for (source, expected) in [("stake-pool", Source::StakePoolRate), ("spl-lending", Source::SplLendingRate)] {
            let mut live = parse(&["--source", source]);
            assert!(live.oracle().is_err());
            live.feed = Pubkey::new_from_array([9; 32]).to_string();
            assert_eq!(live.oracle().expect("it is an address"), (expected, [9; 32]));
        }
    }
}
