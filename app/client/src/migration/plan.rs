//! A plan as its file says it, and the program's own arguments that it comes to.

use crate::instruction::NewProduct;
use crate::redact;
use crate::units::{self, Amount};
use anchor_lang::prelude::Pubkey;
use backstop::constants::{MAX_PRICE_AGE, MIN_NO_SALE_BUFFER_BPS};
use backstop::peril::evidence::{Direction, Severity, TermsInput};
use backstop::peril::feed::Source;
use backstop::peril::reading::ReadingInput;
use backstop::peril::vault::MOST_VAULTS;
use backstop::state::{Access, PoolKind, PoolTerms, ProductState, ProductTerms, TreatyKind, TreatyTerms, day_of};
use backstop::{CreatePoolArgs, CreateProductArgs, InitializeArgs, SetReadingArgs};
use serde::Deserialize;

macro_rules! written {
    ($($(#[$doc:meta])* $name:ident($type:ty) = $parse:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(pub $type);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let parse: fn(&str) -> Result<$type, String> = $parse;
                parse(&text).map(Self)
            }
        }
    )*};
}

written! {
    /// An address in base 58.
    Key(Pubkey) = |text| text.parse().map_err(|_| format!("{} is not an address", redact::shown(text)));
    /// An amount of the pool's asset: `"1000.5"`.
    Tokens(Amount) = str::parse;
    /// A price: `"0.95"`; in 1e-8.
    Price(u64) = units::price;
    /// A percentage a year: `"2.5%"`; in parts per billion.
    Rate(u64) = units::rate;
    /// A percentage: `"80%"`; in basis points.
    Percent(u16) = units::bps;
    /// A percentage that may be large: `"400%"`; in basis points.
    LargePercent(u32) = units::bps;
    /// A factor: `"2"`, `"2.5"`; in hundredths.
    Times(u16) = units::hundredths;
    /// A duration: `"4h"`; in seconds.
    Duration(u32) = units::seconds;
    /// A UTC day: `"2026-12-31"`; counted from 1970.
    Day(u32) = units::utc_day;
    /// A moment: `"2026-12-31T12:00:00Z"`; in unix seconds.
    Moment(i64) = units::utc_moment;
}

/// A pool by its asset and its number: `"MINT/0"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct PoolName {
    /// Mint of the asset.
    pub asset: Pubkey,
    /// The pool's number within its asset.
    pub id: u16,
}

impl TryFrom<String> for PoolName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(asset, id)| Some((asset.parse().ok()?, units::whole(id)?)));
        let (asset, id) = parts.ok_or_else(|| format!("{} is not a pool: write MINT/NUMBER", redact::shown(&text)))?;
        Ok(Self { asset, id })
    }
}

/// What must be on chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The file, without its folder.
    #[serde(skip)]
    pub file: String,
    /// The protocol's roles.
    pub protocol: Option<ProtocolPlan>,
    /// Pools.
    #[serde(default, rename = "pool")]
    pub pools: Vec<PoolPlan>,
    /// Products.
    #[serde(default, rename = "product")]
    pub products: Vec<ProductPlan>,
    /// Readings.
    #[serde(default, rename = "reading")]
    pub readings: Vec<ReadingPlan>,
    /// Treaties.
    #[serde(default, rename = "treaty")]
    pub treaties: Vec<TreatyPlan>,
}

/// The protocol's roles.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtocolPlan {
    governance: Key,
    guardian: Key,
    risk_keeper: Key,
}

impl ProtocolPlan {
    /// The roles, on a cluster with this genesis hash.
    pub fn roles(&self, genesis_hash: [u8; 32]) -> InitializeArgs {
        let [governance, guardian, risk_keeper] = [self.governance.0, self.guardian.0, self.risk_keeper.0];
        InitializeArgs { governance, guardian, risk_keeper, genesis_hash }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Cover,
    Reinsurance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AccessKind {
    Open,
    AllowList,
    ProtocolOnly,
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolPlan {
    /// Asset and number.
    pub pool: PoolName,
    label: String,
    pub uri: String,
    kind: Kind,
    access: AccessKind,
    deposit_authority: Option<Key>,
    terms: PoolTermsPlan,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolTermsPlan {
    min_first_deposit: Tokens,
    min_ticket: Tokens,
    min_sum_insured: Tokens,
    cooldown: Duration,
    solvency: LargePercent,
    max_leverage: LargePercent,
    junior_weight: LargePercent,
    correlation: Percent,
    max_reinsurance_credit: Percent,
    premium_to_surplus: Percent,
    group_cap: Percent,
    first_loss: Percent,
    seasoning_days: u16,
    /// Of a vintage the first day on which it sells nothing any more.
    sells_until: Option<Day>,
}

impl PoolPlan {
    /// Where wallets find the file that shows the pool's shares.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Ticker of the asset: `USDC`.
    pub fn ticker(&self) -> &str {
        &self.label
    }

    /// Whether it reinsures other pools.
    pub fn is_reinsurance(&self) -> bool {
        self.kind == Kind::Reinsurance
    }

    /// Ticker of the asset and kind of the pool: `USDC (cover)`.
    pub fn label(&self) -> String {
        let kind = if self.kind == Kind::Cover { "cover" } else { "reinsurance" };
        format!("{} ({kind})", self.label)
    }

    /// The pool's arguments, by the asset's decimals. Errors: an amount has more decimals than the asset.
    pub fn args(&self, decimals: u8) -> Result<CreatePoolArgs, String> {
        let terms = &self.terms;
        Ok(CreatePoolArgs {
            id: self.pool.id,
            kind: match self.kind {
                Kind::Cover => PoolKind::Cover,
                Kind::Reinsurance => PoolKind::Reinsurance,
            },
            access: match self.access {
                AccessKind::Open => Access::Open,
                AccessKind::AllowList => Access::AllowList,
                AccessKind::ProtocolOnly => Access::ProtocolOnly,
            },
            deposit_authority: self.deposit_authority.map_or_else(Pubkey::default, |key| key.0),
            label: self.label.clone(),
            uri: self.uri.clone(),
            terms: PoolTerms {
                min_first_deposit: terms.min_first_deposit.0.units(decimals)?,
                min_ticket: terms.min_ticket.0.units(decimals)?,
                min_sum_insured: terms.min_sum_insured.0.units(decimals)?,
                cooldown_seconds: terms.cooldown.0,
                solvency_bps: terms.solvency.0,
                max_leverage_bps: terms.max_leverage.0,
                junior_weight_bps: terms.junior_weight.0,
                rho_bps: terms.correlation.0,
                max_credit_bps: terms.max_reinsurance_credit.0,
                surplus_bps: terms.premium_to_surplus.0,
                group_cap_bps: terms.group_cap.0,
                first_loss_bps: terms.first_loss.0,
                seasoning_days: terms.seasoning_days,
                sells_until_day: terms.sells_until.map_or(0, |day| day.0),
            },
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    #[default]
    Selling,
    Frozen,
    RunOff,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DirectionKind {
    #[default]
    Below,
    Above,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SourceKind {
    PythReceiver,
    PythPush,
    Attested,
    StakePool,
    SplLending,
    VaultDrop,
}

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductPlan {
    /// The pool that pays.
    pub pool: PoolName,
    /// The product's number within its pool.
    pub id: u16,
    /// Name, as covers show it.
    pub name: String,
    /// Where wallets find the file that shows the product's covers.
    pub uri: String,
    /// The file with the wording, from the plan's folder.
    pub wording: String,
    /// Sha-256 of that file.
    #[serde(skip)]
    pub wording_hash: [u8; 32],
    covered_asset: Key,
    source: SourceKind,
    #[serde(default)]
    allow_push_oracle: bool,
    feed: String,
    attestors: Option<Key>,
    #[serde(default)]
    vaults: Vec<Key>,
    #[serde(default)]
    state: State,
    condition: ConditionPlan,
    price: PricePlan,
    limits: LimitsPlan,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionPlan {
    #[serde(default)]
    direction: DirectionKind,
    threshold: Price,
    recovery: Price,
    full_loss: Option<Price>,
    min_severity: Option<Percent>,
    run_on: Option<Duration>,
    duration: Duration,
    slot: Duration,
    tolerance: Duration,
    challenge: Duration,
    confidence_multiplier: Times,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct PricePlan {
    risk_rate: Rate,
    risk_rate_floor: Rate,
    risk_rate_ceiling: Rate,
    risk_rate_step: Rate,
    loading: LargePercent,
    demand_at_zero: Rate,
    demand_at_kink: Rate,
    demand_at_capacity: Rate,
    kink: Percent,
    level: LargePercent,
    min_level: LargePercent,
    max_level: LargePercent,
    upper_mark: Percent,
    lower_mark: Percent,
    drift: Percent,
    min_premium: Tokens,
    cancel_fee: Percent,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsPlan {
    max_sum_insured: Tokens,
    cap: Percent,
    daily: Percent,
    risk_group: u32,
    min_term_days: u16,
    max_term_days: u16,
    waiting: Duration,
    max_price_age: Duration,
    no_sale_buffer: LargePercent,
    quiet: Duration,
    /// What of the sum insured every loss is less for the holder; nothing, unless it is said.
    #[serde(default = "nothing")]
    deductible: Percent,
    /// What of the rest of a loss the holder bears; nothing, unless it is said.
    #[serde(default = "nothing")]
    coinsurance: Percent,
}

fn nothing() -> Percent {
    Percent(0)
}

impl ProductPlan {
    /// Whether the product sells.
    pub fn state(&self) -> ProductState {
        match self.state {
            State::Selling => ProductState::Selling,
            State::Frozen => ProductState::Frozen,
            State::RunOff => ProductState::RunOff,
        }
    }

    /// The feed as the account that it is.
    fn account(&self, what: &str) -> Result<[u8; 32], String> {
        let key: Pubkey = self.feed.parse().map_err(|_| format!("{} is not {what}", redact::shown(&self.feed)))?;
        Ok(key.to_bytes())
    }

    /// What it pays for. Errors: the parts of a payout that grows are not all there.
    pub fn condition(&self) -> Result<TermsInput, String> {
        let condition = &self.condition;
        let (severity, run_on) = match (condition.full_loss, condition.min_severity, condition.run_on) {
            (Some(price), Some(least), Some(run_on)) => {
                (Severity::Linear { full_loss_price: price.0, min_severity_bps: least.0 }, run_on.0)
            }
            (None, None, None) => (Severity::Binary, 0),
            _ => return Err("full_loss, min_severity and run_on go together: a product has all of them or none".into()),
        };
        Ok(TermsInput {
            direction: condition.direction.direction(),
            threshold: condition.threshold.0,
            recovery: condition.recovery.0,
            severity,
            duration_seconds: condition.duration.0,
            slot_seconds: condition.slot.0,
            tolerance_seconds: condition.tolerance.0,
            challenge_seconds: condition.challenge.0,
            run_on_seconds: run_on,
            quiet_seconds: self.limits.quiet.0,
            confidence_multiplier: condition.confidence_multiplier.0,
        })
    }

    /// How long a cover waits until it protects, in seconds.
    pub fn waiting_seconds(&self) -> u32 {
        self.limits.waiting.0
    }

    /// Where its values come from.
    pub fn source(&self) -> Source {
        match self.source {
            SourceKind::PythReceiver => Source::PythReceiver,
            SourceKind::Attested => Source::Attested,
            SourceKind::PythPush => Source::PythPush,
            SourceKind::StakePool => Source::StakePoolRate,
            SourceKind::SplLending => Source::SplLendingRate,
            SourceKind::VaultDrop => Source::VaultDrop,
        }
    }

    /// The product with its condition, by the pool's decimals. Errors: an amount has too many decimals, or the feed is none.
    pub fn product(&self, decimals: u8) -> Result<NewProduct, String> {
        let condition = self.condition()?;
        let source = self.source();
        let feed = match source {
            Source::PythReceiver | Source::Attested | Source::VaultDrop => units::feed_id(&self.feed)?,
            Source::PythPush if !self.allow_push_oracle => {
                return Err("the source \"pyth-push\" is a former oracle, most of whose accounts stand still: new products take \
                            \"pyth-receiver\"; where a cluster has nothing else, allow_push_oracle = true"
                    .into());
            }
            Source::PythPush => self.account("a price account")?,
            Source::StakePoolRate => self.account("a stake pool")?,
            Source::SplLendingRate => self.account("a lending reserve")?,
        };
        let attestors = self.attestors.as_ref().map(|key| key.0);
        if attestors.is_some() != source.is_reported() {
            return Err("attestors go with the sources \"attested\" and \"vault-drop\", and with no other".into());
        }
        let vaults: Vec<Pubkey> = self.vaults.iter().map(|key| key.0).collect();
        if (source == Source::VaultDrop) != (1..=MOST_VAULTS).contains(&vaults.len()) {
            return Err("one to eight vaults go with the source \"vault-drop\", and none with another".into());
        }
        Ok(NewProduct {
            name: self.name.clone(),
            uri: self.uri.clone(),
            wording_hash: self.wording_hash,
            covered_asset: self.covered_asset.0,
            terms: terms(&self.price, &self.limits, decimals)?,
            source,
            feed,
            attestors,
            vaults,
            condition,
        })
    }
}

/// A product's price and limits, by the pool's decimals.
fn terms(price: &PricePlan, limits: &LimitsPlan, decimals: u8) -> Result<ProductTerms, String> {
    Ok(ProductTerms {
        risk_rate_ppb: price.risk_rate.0,
        risk_rate_floor_ppb: price.risk_rate_floor.0,
        risk_rate_ceiling_ppb: price.risk_rate_ceiling.0,
        risk_rate_step_ppb: price.risk_rate_step.0,
        demand_at_zero_ppb: price.demand_at_zero.0,
        demand_at_kink_ppb: price.demand_at_kink.0,
        demand_at_capacity_ppb: price.demand_at_capacity.0,
        min_premium: price.min_premium.0.units(decimals)?,
        max_sum_insured: limits.max_sum_insured.0.units(decimals)?,
        loading_bps: price.loading.0,
        level_bps: price.level.0,
        min_level_bps: price.min_level.0,
        max_level_bps: price.max_level.0,
        waiting_seconds: limits.waiting.0,
        max_price_age: limits.max_price_age.0,
        no_sale_buffer_bps: limits.no_sale_buffer.0,
        risk_group: limits.risk_group,
        kink_bps: price.kink.0,
        upper_mark_bps: price.upper_mark.0,
        lower_mark_bps: price.lower_mark.0,
        drift_bps: price.drift.0,
        cap_bps: limits.cap.0,
        cancel_fee_bps: price.cancel_fee.0,
        min_term_days: limits.min_term_days,
        max_term_days: limits.max_term_days,
        daily_bps: limits.daily.0,
        deductible_bps: limits.deductible.0,
        coinsurance_bps: limits.coinsurance.0,
        padding: [0; 2],
    })
}

/// A product that pays by a value at a date. Its covers all insure one period.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingPlan {
    /// The vintage that pays.
    pub pool: PoolName,
    /// The product's number within its pool.
    pub id: u16,
    /// Name, as covers show it.
    pub name: String,
    /// Where wallets find the file that shows the product's covers.
    pub uri: String,
    /// The file with the wording, from the plan's folder.
    pub wording: String,
    /// Sha-256 of that file.
    #[serde(skip)]
    pub wording_hash: [u8; 32],
    /// The file that defines the feed, from the plan's folder.
    pub definition: String,
    /// Sha-256 of that file: the feed.
    #[serde(skip)]
    pub feed: [u8; 32],
    /// The attestors.
    pub attestors: Key,
    condition: ReadingConditionPlan,
    price: PricePlan,
    limits: ReadingLimitsPlan,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadingConditionPlan {
    #[serde(default)]
    direction: DirectionKind,
    strike: Price,
    exit: Price,
    begins: Day,
    due_at: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadingLimitsPlan {
    max_sum_insured: Tokens,
    cap: Percent,
    daily: Percent,
    risk_group: u32,
    waiting: Duration,
    #[serde(default = "nothing")]
    coinsurance: Percent,
}

impl ReadingPlan {
    /// The reading.
    pub fn reading(&self) -> ReadingInput {
        let condition = &self.condition;
        ReadingInput {
            direction: condition.direction.direction(),
            strike: condition.strike.0,
            exit: condition.exit.0,
            begins_day: condition.begins.0,
            due_at: condition.due_at.0,
        }
    }

    /// How long before the period nothing is sold or given back any more, in seconds.
    pub fn waiting_seconds(&self) -> u32 {
        self.limits.waiting.0
    }

    /// What gives a product its reading.
    pub fn condition(&self) -> SetReadingArgs {
        SetReadingArgs { feed: self.feed, reading: self.reading() }
    }

    /// What announces the product, by the pool's decimals: it sells its period and no other term. Errors: an amount has too
    /// many decimals.
    pub fn announcement(&self, decimals: u8) -> Result<CreateProductArgs, String> {
        let limits = &self.limits;
        let last = day_of(self.condition.due_at.0).saturating_add(1);
        let days = u16::try_from(last.saturating_sub(self.condition.begins.0)).unwrap_or(u16::MAX);
        let limits = LimitsPlan {
            max_sum_insured: limits.max_sum_insured,
            cap: limits.cap,
            daily: limits.daily,
            risk_group: limits.risk_group,
            min_term_days: days,
            max_term_days: days,
            waiting: limits.waiting,
            // Of prices: a reading is sold without any.
            max_price_age: Duration(MAX_PRICE_AGE),
            no_sale_buffer: LargePercent(MIN_NO_SALE_BUFFER_BPS.into()),
            quiet: Duration(0),
            // Its strike is one.
            deductible: nothing(),
            coinsurance: limits.coinsurance,
        };
        Ok(CreateProductArgs {
            id: self.id,
            name: self.name.clone(),
            uri: self.uri.clone(),
            wording_hash: self.wording_hash,
            // It insures no asset.
            covered_asset: Pubkey::default(),
            terms: terms(&self.price, &limits, decimals)?,
        })
    }
}

impl DirectionKind {
    fn direction(self) -> Direction {
        match self {
            Self::Below => Direction::Below,
            Self::Above => Direction::Above,
        }
    }
}

/// A treaty.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreatyPlan {
    /// The pool that cedes.
    pub cedant: PoolName,
    /// The treaty's number within its cedant.
    pub id: u16,
    /// The pool that reinsures.
    pub reinsurer: PoolName,
    /// Whether governance accepts it once its notice is over.
    pub accepted: bool,
    limit: Tokens,
    first_day: Day,
    end_day: Day,
    kind: TreatyKindPlan,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum TreatyKindPlan {
    #[serde(rename_all = "snake_case")]
    QuotaShare { cession: Percent, commission: Percent },
    #[serde(rename_all = "snake_case")]
    ExcessOfLoss { attachment: Tokens, rate_on_line: Percent, reinstatements: u8, reinstatement_premium: Percent },
}

impl TreatyPlan {
    /// What kind of treaty it is.
    pub fn title(&self) -> &'static str {
        match self.kind {
            TreatyKindPlan::QuotaShare { .. } => "quota share treaty",
            TreatyKindPlan::ExcessOfLoss { .. } => "excess of loss treaty",
        }
    }

    /// The treaty's terms, by the pools' decimals. Errors: an amount has more decimals than the asset.
    pub fn terms(&self, decimals: u8) -> Result<TreatyTerms, String> {
        let kind = match &self.kind {
            TreatyKindPlan::QuotaShare { cession, commission } => {
                TreatyKind::QuotaShare { cession_bps: cession.0, commission_bps: commission.0 }
            }
            TreatyKindPlan::ExcessOfLoss { attachment, rate_on_line, reinstatements, reinstatement_premium } => {
                TreatyKind::ExcessOfLoss {
                    attachment: attachment.0.units(decimals)?,
                    rate_on_line_bps: rate_on_line.0,
                    reinstatements: *reinstatements,
                    reinstatement_premium_bps: reinstatement_premium.0,
                }
            }
        };
        let limit = self.limit.0.units(decimals)?;
        Ok(TreatyTerms { kind, limit, start_day: self.first_day.0, end_day: self.end_day.0 })
    }
}
