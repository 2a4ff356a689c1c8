//! Prices of the past, shown one by one to the real program in an SVM: what a trigger would have done.

use crate::EmbeddedCluster;
use crate::embedded::GENESIS_HASH;
use crate::embedded::{Price, StartError};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::peril::evidence::{Class, Evidence, Phase, Terms, TermsError, TermsInput};
use backstop::peril::feed::{RawPrice, Source};
use backstop::peril::live::LEAST_DURATION;
use backstop::state::{Access, PoolKind, PoolTerms, ProductTerms, Trigger};
use backstop::{CreatePoolArgs, InitializeArgs, constants};
use backstop_client::Cluster;
use backstop_client::cluster::{ClusterError, Outcome};
use backstop_client::explain::explain_refusal;
use backstop_client::instruction::{self as ix, NewProduct, PoolKeys, ProductKeys};
use backstop_client::{account, transaction, units};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use solana_sdk::message::{Message, VersionedMessage};
use solana_sdk::signature::{Keypair, Signature};
use solana_sdk::signer::Signer;
use solana_sdk::transaction::VersionedTransaction;
use std::io::Read;
use std::time::Instant;

/// Decimals of the program's prices.
const DECIMALS: u32 = backstop::peril::feed::PRICE_DECIMALS.unsigned_abs();
/// Most decimals of a price update that the program takes.
const MOST_DECIMALS: u32 = backstop::peril::feed::MIN_EXPONENT.unsigned_abs();
/// First second of the year 10000: what comes later was not meant as unix seconds.
const END_OF_TIME: i64 = 253_402_300_800;

/// Why prices could not be read or replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A line of the file is not `unix_time,price[,confidence]`, or not in order.
    #[error("line {line}: {reason}")]
    Line {
        /// Its number; the first is 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The file has no row.
    #[error("the file has no prices")]
    Empty,
    /// The condition is outside the program's hard bounds.
    #[error("the condition is refused: {0}")]
    Terms(&'static str),
    /// The embedded cluster did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The embedded cluster did not do what a valid replay asks of it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// An account could not be read.
    #[error(transparent)]
    Account(#[from] account::AccountError),
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// The triggers that fired, in order.
    pub fired: Vec<Fired>,
    /// Most good slots in any admissible window, at most those that trigger, in seconds.
    pub longest_credited_s: u64,
    /// Rows shown to the program.
    pub observations: u64,
    /// Those of them that the program refused.
    pub refused: u64,
    /// The first of those, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_refusal: Option<RefusedRow>,
    /// Wall time of the observations.
    pub seconds: f64,
    /// Rows shown per second of wall time.
    pub observations_per_second: f64,
}

/// A row that the program refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedRow {
    /// When it was published, in unix seconds.
    pub publish_time: i64,
    /// The program's words.
    pub why: String,
}

/// A trigger that fired. Means are over the good slots of a window, of the highest Breach price shown, in 1e-8 and written
/// with 8 decimals; severities are parts of a sum insured in basis points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fired {
    /// Start of the evidence's first slot, in unix seconds.
    pub event_at: i64,
    /// End of slot m, in unix seconds.
    pub met_at: i64,
    /// T, in unix seconds: a challenge later. Event and first payment are fixed.
    pub final_at: i64,
    /// Mean of the window that triggered.
    #[serde(rename = "first_mean", serialize_with = "with_8_decimals")]
    pub first_mean_e8: u64,
    /// What it pays.
    pub first_severity_bps: u16,
    /// Lowest mean of that window and of those of the run-on.
    #[serde(rename = "deepest_mean", serialize_with = "with_8_decimals")]
    pub deepest_mean_e8: u64,
    /// What is paid in the end, after the run-on.
    pub severity_bps: u16,
}

/// Writes a price in 1e-8 as a number that shows all its decimals.
fn with_8_decimals<S: Serializer>(price_e8: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    let text = price_text(*price_e8);
    RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

/// A price in 1e-8 with all its decimals: "0.93108160".
pub fn price_text(price_e8: u64) -> String {
    let one = 10u64.pow(DECIMALS);
    format!("{}.{:08}", price_e8 / one, price_e8 % one)
}

// ---- reading ----

/// Reads rows `unix_time,price[,confidence]`, sorted by time. A first line of words is a header; blank lines and lines
/// that begin with `#` are skipped.
///
/// Prices and confidences are decimals; what is beyond the twelfth is rounded.
pub fn read_prices(mut file: impl Read) -> Result<Vec<Price>, ReplayError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|error| ReplayError::Line { line: 1, reason: format!("the file cannot be read: {error}") })?;
    // Lines are counted as an editor counts them, whatever they end with. What is no text is told with its line below.
    let bytes =
        String::from_utf8(bytes).map_or_else(|wrong| wrong.into_bytes(), |text| text.replace("\r\n", "\n").into());
    // Spreadsheets begin a file with a byte order mark.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text);
    let mut prices: Vec<Price> = Vec::new();
    let mut header_allowed = true;
    for record in rows.records() {
        let record = record.map_err(|error| ReplayError::Line {
            line: error.position().map_or(1, csv::Position::line),
            reason: "it is not text in UTF-8".into(),
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let is_header = header_allowed && record.iter().all(|field| number(field).is_none());
        header_allowed = false;
        if is_header {
            continue;
        }
        let price = read_row(&record).map_err(|reason| ReplayError::Line { line, reason })?;
        if let Some(last) = prices.last()
            && price.publish_time < last.publish_time
        {
            let reason =
                format!("{} comes after {}: rows must be sorted by time", price.publish_time, last.publish_time);
            return Err(ReplayError::Line { line, reason });
        }
        prices.push(price);
    }
    if prices.is_empty() { Err(ReplayError::Empty) } else { Ok(prices) }
}

fn read_row(record: &csv::StringRecord) -> Result<Price, String> {
    let fields: Vec<&str> = record.iter().collect();
    let (time, price, confidence) = match fields[..] {
        [time, price] => (time, price, None),
        [time, price, confidence] => (time, price, Some(confidence).filter(|text| !text.is_empty())),
        _ => return Err(format!("{} fields, where unix_time,price[,confidence] has two or three", fields.len())),
    };
    let publish_time = time
        .parse()
        .ok()
        .filter(|time| (0..END_OF_TIME).contains(time))
        .ok_or_else(|| format!("\"{time}\" is not a time in unix seconds"))?;
    if let Some(confidence) = confidence
        && let (Some(whole), Some(part)) = (units::whole::<u64>(price), units::whole::<u64>(confidence))
        && part > 0
        && part >= whole
    {
        return Err(format!(
            "the confidence {part} is not below the price {whole}: decimals follow a point, not a comma"
        ));
    }
    let price = number(price).ok_or_else(|| format!("\"{price}\" is not a price"))?;
    let confidence = match confidence {
        Some(text) => number(text)
            .filter(|confidence| !confidence.is_sign_negative() || confidence.is_zero())
            .ok_or_else(|| format!("\"{text}\" is not a confidence"))?,
        None => Decimal::ZERO,
    };
    fit(price, confidence, publish_time).ok_or_else(|| format!("{price} does not fit a price update"))
}

/// A decimal, also in the way that spreadsheets write small ones: `9.9e-7`. Digits are not grouped: a comma ends a field.
fn number(text: &str) -> Option<Decimal> {
    if text.contains('_') {
        return None;
    }
    Decimal::from_str_radix(text, 10).or_else(|_| Decimal::from_scientific(text)).ok()
}

/// Price and confidence in the smallest common unit that the program takes and their fields can hold.
fn fit(price: Decimal, confidence: Decimal, publish_time: i64) -> Option<Price> {
    let [price, confidence] = [price, confidence].map(|value| value.round_dp(MOST_DECIMALS).normalize());
    let wanted = price.scale().max(confidence.scale());
    (0..=wanted).rev().find_map(|decimals| {
        Some(Price {
            price: in_units(price, decimals)?.to_i64()?,
            confidence: in_units(confidence, decimals)?.to_u64()?,
            exponent: -i32::try_from(decimals).ok()?,
            publish_time,
        })
    })
}

/// A decimal in units of `10^-decimals`, rounded to the nearest.
fn in_units(value: Decimal, decimals: u32) -> Option<Decimal> {
    value.round_dp(decimals).checked_mul(Decimal::from(10u64.checked_pow(decimals)?))
}

// ---- replaying ----

/// Shows every price, a second after it was published, to the real program. Where no window stands, slots in which nothing
/// is a breach are shown some at a time, a second after the last: such prices can only undo, so it matters to none of them
/// when it is shown.
///
/// A trigger that fires takes prices until its run-on is over; then the replay rests until a slot in which two Recovered
/// lie far enough apart, which may be the last of those that end the run-on. The next trigger begins empty with that
/// slot's prices.
/// Rows while it rests are shown to the trigger that fired, for which they change nothing. After the last row time passes
/// until all is final. Rows that the program refuses are counted.
pub fn run(prices: &[Price], condition: &TermsInput) -> Result<Replay, ReplayError> {
    run_by(prices, condition, TOGETHER)
}

/// [`run`], with so many rows in a transaction at most.
fn run_by(prices: &[Price], condition: &TermsInput, together: usize) -> Result<Replay, ReplayError> {
    let terms = Terms::new(condition).map_err(|error| ReplayError::Terms(why(error)))?;
    // Only a fall of vaults may be shorter, and what vaults held is no price.
    if terms.duration_seconds() < LEAST_DURATION {
        return Err(ReplayError::Terms(why(TermsError::BadDuration)));
    }
    let begin = prices.first().ok_or(ReplayError::Empty)?.publish_time;
    let mut stage = Stage::set(begin, *condition)?;
    let mut act = stage.begin_act()?;
    let mut fired = Vec::new();
    let mut replay = Replay {
        fired: Vec::new(),
        longest_credited_s: 0,
        observations: 0,
        refused: 0,
        first_refusal: None,
        seconds: 0.0,
        observations_per_second: 0.0,
    };
    let started = Instant::now();
    let slots: Vec<&[Price]> =
        prices.chunk_by(|one, next| terms.slot_of(one.publish_time) == terms.slot_of(next.publish_time)).collect();
    let mut next = 0;
    while let Some(rows) = slots.get(next) {
        // Rows are sorted: no earlier slot changes any more, and a window that holds by now is one that fires.
        replay.credit(&act, &terms);
        let slot = rows.first().and_then(|row| terms.slot_of(row.publish_time)).unwrap_or(0);
        let window = act.evidence.window(&terms);
        if window.is_none() {
            let calm = calm_rows(&slots[next..], &terms, together);
            if calm.rows.len() > 1 && stage.show_together(&mut act, &calm.rows)? {
                replay.observations += u64::try_from(calm.rows.len()).unwrap_or(u64::MAX);
                next += calm.slots;
                continue;
            }
        }
        next += 1;
        if let Some(window) = window.filter(|window| window.last_slot < slot)
            && has_two_recovered(rows, &terms)
        {
            if slot <= terms.last_of_run_on(window.last_slot) {
                for row in *rows {
                    stage.cluster.set_time(row.publish_time.saturating_add(1));
                    stage.show(&mut act, *row)?;
                }
            }
            if act.evidence.phase_at(&terms, terms.settled_at(slot)) == Phase::Final {
                fired.push(std::mem::replace(&mut act, stage.begin_act()?));
            }
        }
        for row in *rows {
            stage.cluster.set_time(row.publish_time.saturating_add(1).max(stage.cluster.time()));
            replay.observations += 1;
            if let Some(why) = stage.show(&mut act, *row)? {
                replay.refused += 1;
                replay.first_refusal.get_or_insert(RefusedRow { publish_time: row.publish_time, why });
            }
        }
    }
    replay.credit(&act, &terms);
    fired.push(act);
    for act in &mut fired {
        if let Some(window) = act.evidence.window(&terms) {
            let over = terms.settled_at(terms.last_of_run_on(window.last_slot));
            stage.cluster.set_time(stage.cluster.time().max(over));
            stage.refresh(act)?;
            replay.close(act, &terms);
        }
    }
    replay.seconds = started.elapsed().as_secs_f64();
    replay.observations_per_second = replay.observations as f64 / replay.seconds.max(f64::MIN_POSITIVE);
    Ok(replay)
}

impl Replay {
    /// Takes the longest credited run of a trigger in.
    fn credit(&mut self, act: &Act, terms: &Terms) {
        let seconds = u64::from(act.evidence.longest_credited(terms)) * u64::from(terms.slot_seconds);
        self.longest_credited_s = self.longest_credited_s.max(seconds);
    }

    /// Takes the last state of a trigger in.
    fn close(&mut self, act: &Act, terms: &Terms) {
        let evidence = &act.evidence;
        if !evidence.phase().is_triggered() {
            return;
        }
        self.fired.push(Fired {
            event_at: evidence.event_at,
            met_at: evidence.met_at,
            final_at: evidence.met_at.saturating_add(i64::from(terms.challenge)),
            first_mean_e8: evidence.first_mean,
            first_severity_bps: evidence.first_severity_bps,
            deepest_mean_e8: evidence.lowest_mean,
            severity_bps: evidence.severity_bps,
        });
    }
}

/// Whether two of a slot's prices are Recovered, by the program's own code, and lie far enough apart.
fn has_two_recovered(slot: &[Price], terms: &Terms) -> bool {
    let recovered = |price: &&Price| class_of(price, terms) == Some(Class::Recovered);
    let mut times = slot.iter().filter(recovered).map(|price| price.publish_time);
    let Some(first) = times.next() else { return false };
    times.next_back().is_some_and(|last| last.saturating_sub(first) >= i64::from(terms.apart()))
}

/// Rows that can only undo a breach, of whole slots.
struct Calm {
    slots: usize,
    rows: Vec<Price>,
}

/// The slots at the beginning in which nothing is a breach, or refused: as many as one transaction shows while the first
/// of them is still open for all prices.
fn calm_rows(slots: &[&[Price]], terms: &Terms, together: usize) -> Calm {
    let first = slots.first().and_then(|rows| rows.first()).and_then(|row| terms.slot_of(row.publish_time));
    let until = first.map_or(0, |slot| terms.open_until(slot));
    let is_calm =
        |row: &Price| row.publish_time < until && class_of(row, terms).is_some_and(|class| class != Class::Breach);
    let mut calm = Calm { slots: 0, rows: Vec::new() };
    for rows in slots {
        if calm.rows.len().saturating_add(rows.len()) > together || !rows.iter().all(is_calm) {
            break;
        }
        calm.slots += 1;
        calm.rows.extend_from_slice(rows);
    }
    calm
}

/// What the program would make of a price, by its own code; `None` if it refuses it.
fn class_of(price: &Price, terms: &Terms) -> Option<Class> {
    let raw = RawPrice {
        price: price.price,
        confidence: price.confidence,
        exponent: price.exponent,
        publish_time: price.publish_time,
    };
    raw.normalise(price.publish_time).ok().map(|print| terms.classify(&print))
}

/// One trigger, as the cluster holds it.
struct Act {
    keys: ProductKeys,
    evidence: Evidence,
}

/// A cluster with one pool, on which a product is created for each trigger.
struct Stage {
    cluster: EmbeddedCluster,
    payer: Pubkey,
    pool: PoolKeys,
    prices: [Pubkey; TOGETHER],
    condition: TermsInput,
    products: u16,
}

/// Decimals of the asset that nobody pays with.
const ASSET_DECIMALS: u8 = 6;
/// Most rows that one transaction shows.
const TOGETHER: usize = 16;
/// The feed that is replayed.
const FEED: [u8; 32] = [1; 32];

impl Stage {
    fn set(now: i64, condition: TermsInput) -> Result<Self, ReplayError> {
        let [id, asset] = [1, 2].map(|seed| Keypair::new_from_array([seed; 32]).pubkey());
        let cluster = EmbeddedCluster::try_start_unsigned(now, &id)?;
        cluster.airdrop(&id, 100_000_000_000_000);
        cluster.create_mint(asset, ASSET_DECIMALS, &id);
        let pool = PoolKeys::derive(asset, anchor_spl::token::ID, 0);
        let stage = Self { cluster, payer: id, pool, prices: price_accounts(), condition, products: 0 };
        let roles =
            InitializeArgs { governance: id, guardian: id, risk_keeper: id, genesis_hash: GENESIS_HASH.to_bytes() };
        stage.send(&[ix::initialize(id, id, roles)])?;
        stage.send(&[ix::create_pool(id, id, &pool, pool_args())])?;
        Ok(stage)
    }

    /// Sends one transaction. This cluster checks no signatures, so nobody signs.
    fn send(&self, instructions: &[Instruction]) -> Outcome {
        let blockhash = self.cluster.latest_blockhash()?.hash;
        let message = Message::new_with_blockhash(instructions, Some(&self.payer), &blockhash);
        let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
        self.cluster.send(&VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) })
    }

    /// Creates a product with an empty trigger.
    fn begin_act(&mut self) -> Result<Act, ReplayError> {
        let (key, id) = (self.payer, self.products);
        let keys = ProductKeys::derive(self.pool, id);
        self.products += 1;
        for instruction in product(self.prices[0], self.condition).instructions(key, key, &keys, id) {
            self.send(&[instruction])?;
        }
        let mut act = Act { keys, evidence: Evidence::default() };
        self.read(&mut act)?;
        Ok(act)
    }

    fn read(&self, act: &mut Act) -> Result<(), ReplayError> {
        act.evidence = account::fetch::<Trigger>(&self.cluster, &act.keys.trigger())?.evidence;
        Ok(())
    }

    /// Shows a price. Returns why the program refused it, if it did.
    fn show(&self, act: &mut Act, price: Price) -> Result<Option<String>, ReplayError> {
        let [account, ..] = self.prices;
        self.cluster.post_price(account, FEED, price);
        match self.send(&[ix::observe(&act.keys, account)]) {
            Ok(_) => self.read(act).map(|()| None),
            Err(error) => match transaction::program_error(&error) {
                Some(refusal) => Ok(Some(explain_refusal(refusal).sentence)),
                None => Err(error.into()),
            },
        }
    }

    /// Shows prices in one transaction, a second after the last of them. Returns false, and has shown none, if the program
    /// refuses one.
    fn show_together(&self, act: &mut Act, rows: &[Price]) -> Result<bool, ReplayError> {
        let before = self.cluster.time();
        if let Some(last) = rows.last() {
            self.cluster.set_time(last.publish_time.saturating_add(1).max(before));
        }
        let mut instructions = Vec::with_capacity(rows.len());
        for (account, row) in self.prices.iter().zip(rows) {
            self.cluster.post_price(*account, FEED, *row);
            instructions.push(ix::observe(&act.keys, *account));
        }
        match self.send(&instructions) {
            Ok(_) => self.read(act).map(|()| true),
            Err(error) if transaction::program_error(&error).is_some() => {
                self.cluster.set_time(before);
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn refresh(&self, act: &mut Act) -> Result<(), ReplayError> {
        self.send(&[ix::refresh(&act.keys)])?;
        self.read(act)
    }
}

/// Where the prices are written.
fn price_accounts() -> [Pubkey; TOGETHER] {
    std::array::from_fn(|place| {
        let mut bytes = [3; 32];
        bytes[0] = u8::try_from(place).unwrap_or(u8::MAX);
        Pubkey::new_from_array(bytes)
    })
}

/// A pool whose cooldown suits every trigger.
fn pool_args() -> CreatePoolArgs {
    let least = constants::least_smallest_amount(ASSET_DECIMALS);
    CreatePoolArgs {
        id: 0,
        kind: PoolKind::Cover,
        access: Access::Open,
        deposit_authority: Pubkey::default(),
        label: "REPLAY".into(),
        uri: "ipfs://replay".into(),
        terms: PoolTerms {
            min_first_deposit: least,
            min_ticket: least,
            min_sum_insured: least,
            cooldown_seconds: u32::try_from(constants::MAX_COOLDOWN).unwrap_or(u32::MAX),
            solvency_bps: constants::MIN_BPS,
            max_leverage_bps: constants::MIN_BPS,
            junior_weight_bps: constants::MIN_BPS,
            rho_bps: 10_000,
            max_credit_bps: 0,
            surplus_bps: 0,
            group_cap_bps: 10_000,
            first_loss_bps: 0,
            seasoning_days: 1,
            sells_until_day: 0,
        },
    }
}

/// A product that sells nothing: only its trigger is of interest.
fn product(covered_asset: Pubkey, condition: TermsInput) -> NewProduct {
    let terms = ProductTerms {
        risk_rate_ppb: 1,
        risk_rate_floor_ppb: 1,
        risk_rate_ceiling_ppb: 1,
        risk_rate_step_ppb: 0,
        demand_at_zero_ppb: 0,
        demand_at_kink_ppb: 0,
        demand_at_capacity_ppb: 0,
        min_premium: 1,
        max_sum_insured: 1,
        loading_bps: 0,
        level_bps: constants::MIN_LEVEL_BPS,
        min_level_bps: constants::MIN_LEVEL_BPS,
        max_level_bps: constants::MIN_LEVEL_BPS,
        waiting_seconds: 86_400,
        max_price_age: 1,
        no_sale_buffer_bps: u32::from(constants::MIN_NO_SALE_BUFFER_BPS),
        risk_group: 0,
        kink_bps: 5_000,
        upper_mark_bps: 0,
        lower_mark_bps: 0,
        drift_bps: 0,
        cap_bps: 1,
        cancel_fee_bps: 1,
        // Longer than any condition can take to be proven.
        min_term_days: 20,
        max_term_days: 20,
        daily_bps: 10_000,
        deductible_bps: 0,
        coinsurance_bps: 0,
        padding: [0; 2],
    };
    NewProduct {
        name: "Replay".into(),
        uri: "ipfs://replay".into(),
        wording_hash: [0; 32],
        covered_asset,
        terms,
        source: Source::PythReceiver,
        feed: FEED,
        attestors: None,
        vaults: Vec::new(),
        condition,
    }
}

/// The bound that a condition breaks, in words.
fn why(error: TermsError) -> &'static str {
    match error {
        TermsError::BadPrices => {
            "the threshold is above 0, and the recovery on its safe side by a tenth of it at most: above it, or below it where \
             prices above are insured against"
        }
        TermsError::BadSlot => "a slot is 1 minute to 1 hour and divides a day",
        TermsError::BadDuration => "the duration is at least 1 hour and 6 slots, in whole slots",
        TermsError::BadTolerance => {
            "the tolerance is a slot and a twelfth of the duration at least and a quarter of it at most, in whole slots"
        }
        TermsError::BadChallenge => "the challenge is 2 to 24 hours, in whole slots",
        TermsError::BeyondRing => "duration, tolerance and challenge take more than 224 slots",
        TermsError::BadRunOn => "the run-on is at most 14 days, in whole slots, and 0 where every trigger pays in full",
        TermsError::BadQuiet => "the quiet time is the duration at least and 255 slots at most, in whole slots",
        TermsError::BadConfidenceMultiplier => "the confidence multiplier is 1 to 10",
        TermsError::BadSeverity => {
            "the full-loss price is above 0 and beyond the threshold, and the least severity 5 to 100 %"
        }
        TermsError::BadDirection | TermsError::BadPadding => "a byte that means nothing is set",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::peril::evidence::Severity;

    /// A walk of prices around a threshold of 0.95, every few seconds to hours.
    fn walk(seed: u64) -> Vec<Price> {
        // The constants of Knuth's MMIX generator; its high bits are the random ones.
        let mut state = seed;
        let mut below = |bound: i64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(state >> 33).expect("31 bits") % bound
        };
        let (mut at, mut price) = (1_700_000_000, 96_000_000_i64);
        let mut prices = Vec::new();
        for _ in 0..400 {
            at += if below(40) == 0 { 30_000 } else { 10 + below(1_200) };
            price = (price + below(800_001) - 400_000).clamp(88_000_000, 101_000_000);
            prices.push(Price { price, confidence: 0, exponent: -8, publish_time: at });
        }
        prices
    }

    #[test]
    fn rows_that_are_shown_together_find_what_each_alone_finds() {
        let condition = TermsInput {
            direction: backstop::peril::evidence::Direction::Below,
            threshold: 95_000_000,
            recovery: 96_000_000,
            severity: Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 },
            duration_seconds: 3_600,
            slot_seconds: 600,
            tolerance_seconds: 600,
            challenge_seconds: 7_200,
            run_on_seconds: 86_400,
            quiet_seconds: 3_600,
            confidence_multiplier: 200,
        };
        let mut fired = 0;
        for seed in 0..12 {
            let prices = walk(seed);
            let [alone, together] = [1, TOGETHER].map(|most| run_by(&prices, &condition, most).expect("it runs"));
            fired += alone.fired.len();
            let still = |found: Replay| Replay { seconds: 0.0, observations_per_second: 0.0, ..found };
            assert_eq!(still(alone), still(together), "seed {seed}");
        }
        assert!(fired > 5, "only {fired} triggers fired");
    }
}
