//! A product: one insured risk of a pool, its price, its limits, and what its live covers could pay.

use crate::constants::*;
use crate::error::BackstopError;
use crate::math::capital::MAX_TOTAL_EXPOSURE;
use crate::math::pricing::{self, Demand, Drift, MAX_DRIFT_DAYS, Order, Price, PricingError};
use crate::math::rounding::{BPS, Rounding, mul_div};
use crate::math::stream::SECONDS_PER_DAY;
use crate::payout::Severity;
use crate::peril::feed::Source;
use crate::peril::live::LEAST_LIVE_BUFFER_BPS;
use crate::peril::reading::READING_RING_DAYS;
use crate::peril::{Condition, Period, SaleLimits, Verdict};
use crate::state::ledger::{bucket_mut, credit, debit, fits, place, sum_days, take_days};
use crate::state::{
    Accrual, Alert, CoverState, EarnedPart, EndedPremium, Policy, Pool, QuotaShareInForce, Rates, StartBucket,
    StreamedCover, activation_day, day_of, day_start, get_text,
};
use anchor_lang::prelude::*;

stored_enum! {
    /// Whether a product sells.
    pub enum ProductState {
        /// Sells, once its notice is over.
        Selling = 0,
        /// Does not sell for now.
        Frozen = 1,
        /// Sells no more; its covers run on.
        RunOff = 2,
        /// An incident was opened on it.
        Over = 3,
        /// Announced: it has no condition yet, and sells nothing.
        Announced = 4,
    }
}

/// Price, limits and term bounds of a product, fixed when it is created except for the risk rate.
#[zero_copy]
#[derive(borsh::BorshSerialize, borsh::BorshDeserialize, Debug, PartialEq, Eq)]
pub struct ProductTerms {
    /// Expected loss a year at the start, in parts per billion of the sum insured.
    pub risk_rate_ppb: u64,
    /// Lowest risk rate the risk keeper may set, above zero.
    pub risk_rate_floor_ppb: u64,
    /// Highest risk rate the risk keeper may set.
    pub risk_rate_ceiling_ppb: u64,
    /// Most the risk rate may move in a day.
    pub risk_rate_step_ppb: u64,
    /// Demand rate a year at no exposure.
    pub demand_at_zero_ppb: u64,
    /// Demand rate a year at the kink.
    pub demand_at_kink_ppb: u64,
    /// Demand rate a year at capacity.
    pub demand_at_capacity_ppb: u64,
    /// Least premium of a cover, in asset units.
    pub min_premium: u64,
    /// Most one cover may insure, in asset units.
    pub max_sum_insured: u64,
    /// Loading on the risk rate, in basis points.
    pub loading_bps: u32,
    /// Level of the demand curve at the start, in basis points.
    pub level_bps: u32,
    /// Lowest level.
    pub min_level_bps: u32,
    /// Highest level.
    pub max_level_bps: u32,
    /// Time between purchase and protection, in seconds; protection begins at the next day boundary.
    pub waiting_seconds: u32,
    /// Oldest last print on which a cover is sold, in seconds.
    pub max_price_age: u32,
    /// Distance of prices, less their confidences, from the threshold below which nothing is sold, in basis points of the
    /// threshold.
    pub no_sale_buffer_bps: u32,
    /// Risk group: products that fail together.
    pub risk_group: u32,
    /// Part of capacity at which the demand curve bends, in basis points.
    pub kink_bps: u16,
    /// Utilisation above which the level drifts up, in basis points.
    pub upper_mark_bps: u16,
    /// Utilisation below which the level drifts down, in basis points.
    pub lower_mark_bps: u16,
    /// Drift of the level, in basis points of itself a day.
    pub drift_bps: u16,
    /// Highest exposure, as a part of the pool's own capital in basis points.
    pub cap_bps: u16,
    /// Fee on a cancellation's refund, in basis points.
    pub cancel_fee_bps: u16,
    /// Shortest protection, in days.
    pub min_term_days: u16,
    /// Longest protection, in days.
    pub max_term_days: u16,
    /// Most that is sold at once, as a part of capacity in basis points; what was sold makes room again at that rate a day.
    pub daily_bps: u16,
    /// What of the sum insured every loss is less for the holder, in basis points: below the least that a proven loss pays.
    pub deductible_bps: u16,
    /// What of the loss beyond that the holder bears too, in basis points, half of it at most.
    pub coinsurance_bps: u16,
    /// Unused.
    pub padding: [u8; 2],
}

impl ProductTerms {
    /// Days that the waiting time can push the beginning of protection out.
    pub fn waiting_days(&self) -> u32 {
        u64::from(self.waiting_seconds).div_ceil(86_400).try_into().unwrap_or(u32::MAX)
    }

    /// Refuses a shortest term that does not outlast the time that an event can take to be proven by a day and more, so
    /// that no cover which waited at an event has ended when the insured time is over.
    pub fn require_outlasts(&self, longest_wait_seconds: u64) -> Result<()> {
        let wait_days = longest_wait_seconds.div_ceil(SECONDS_PER_DAY);
        let outlasts = u64::from(self.min_term_days) > wait_days.saturating_add(1);
        ensure!(outlasts, BackstopError::TermsDoNotFit);
        Ok(())
    }

    /// Refuses terms outside the hard bounds. What couples them to a condition is in [`Self::require_room_beside`], and what
    /// its feed asks for in [`Self::require_limits_of`].
    pub fn validate(&self) -> Result<()> {
        ensure!(self.max_sum_insured <= MAX_TOTAL_EXPOSURE, BackstopError::AmountTooLarge);
        let rates = [
            self.risk_rate_ceiling_ppb,
            self.demand_at_zero_ppb,
            self.demand_at_kink_ppb,
            self.demand_at_capacity_ppb,
            self.risk_rate_step_ppb,
        ];
        let rising = self.demand_at_zero_ppb <= self.demand_at_kink_ppb
            && self.demand_at_kink_ppb <= self.demand_at_capacity_ppb;
        let risk_rate = self.risk_rate_floor_ppb > 0
            && (self.risk_rate_floor_ppb..=self.risk_rate_ceiling_ppb).contains(&self.risk_rate_ppb);
        let level = (MIN_LEVEL_BPS..=self.max_level_bps).contains(&self.min_level_bps)
            && self.max_level_bps <= MAX_LEVEL_BPS
            && (self.min_level_bps..=self.max_level_bps).contains(&self.level_bps);
        let in_bounds = rates.iter().all(|rate| *rate <= MAX_RATE_PPB)
            && rising
            && risk_rate
            && level
            && self.loading_bps <= MAX_LOADING_BPS
            && self.min_premium > 0
            && self.max_sum_insured > 0
            && i64::from(self.waiting_seconds) >= DAY
            && (1..=LONGEST_PRICE_AGE).contains(&self.max_price_age)
            && (LEAST_LIVE_BUFFER_BPS..=MIN_BPS).contains(&self.no_sale_buffer_bps)
            && usize::try_from(self.risk_group).is_ok_and(|group| group < RISK_GROUPS)
            && (1..MIN_BPS).contains(&u32::from(self.kink_bps))
            && self.lower_mark_bps <= self.upper_mark_bps
            && u32::from(self.upper_mark_bps) <= MIN_BPS
            && self.drift_bps <= MAX_DRIFT_BPS
            && (1..=MIN_BPS).contains(&u32::from(self.cap_bps))
            && (1..=MAX_CANCEL_FEE_BPS).contains(&self.cancel_fee_bps)
            && (1..=self.max_term_days).contains(&self.min_term_days)
            && (1..=MIN_BPS).contains(&u32::from(self.daily_bps))
            && self.deductible_bps <= MAX_CLAIM_TERM_BPS
            && self.coinsurance_bps <= MAX_CLAIM_TERM_BPS
            && self.padding == [0; 2];
        ensure!(in_bounds, BackstopError::OutOfBounds);
        self.require_room_beside(1)
    }

    /// Refuses terms that the day buckets cannot hold beside a condition whose ring spans `ring_days`, one at least.
    pub fn require_room_beside(&self, ring_days: u32) -> Result<()> {
        // From a purchase to the end at the latest: the waiting time, the rest of its day, the term.
        let longest = u32::from(self.max_term_days).saturating_add(self.waiting_days()).saturating_add(1);
        let fits = longest.saturating_add(ring_days) <= MAX_TERM_AND_RING_DAYS
            && ring_days.saturating_add(self.waiting_days()) <= MAX_WAITING_AND_RING_DAYS;
        ensure!(fits, BackstopError::TermsDoNotFit);
        Ok(())
    }

    /// Refuses limits of sale that a feed does not allow.
    pub fn require_limits_of(&self, source: Source) -> Result<()> {
        let fits = self.max_price_age <= source.longest_price_age()
            && self.no_sale_buffer_bps >= source.least_buffer_bps()
            && self.waiting_seconds >= source.least_waiting_seconds();
        ensure!(fits, BackstopError::LimitsDoNotFit);
        Ok(())
    }

    /// Refuses a deductible that would leave nothing of the least that a proven loss pays, with the coinsurance of what is
    /// beyond it and rounded down as it is paid: whoever proves one is paid. What a reading lost can be any part, so it has no
    /// deductible: its strike is one.
    pub fn require_deductible_below(&self, payout: Option<Severity>) -> Result<()> {
        let fits = match payout {
            None => self.deductible_bps == 0,
            Some(payout) => self.paid_severity_bps(payout.least_bps()) > 0,
        };
        ensure!(fits, BackstopError::DeductibleTooHigh);
        Ok(())
    }

    /// The part of a sum insured that is paid where a part is lost: what is lost beyond the deductible, less the coinsurance
    /// of that; in basis points, rounded down, against the claim.
    pub fn paid_severity_bps(&self, lost_bps: u16) -> u16 {
        let beyond = u32::from(lost_bps.saturating_sub(self.deductible_bps));
        let kept = MIN_BPS.saturating_sub(self.coinsurance_bps.into());
        let paid = beyond.saturating_mul(kept).checked_div(MIN_BPS).unwrap_or(0);
        u16::try_from(paid).unwrap_or(lost_bps)
    }

    /// A verdict with the claim terms applied: from here on a severity is what is paid.
    pub fn apply_to(&self, verdict: Verdict) -> Verdict {
        Verdict {
            severity_bps: self.paid_severity_bps(verdict.severity_bps),
            most_severity_bps: self.paid_severity_bps(verdict.most_severity_bps),
            ..verdict
        }
    }

    /// What prices must be like for a sale.
    pub fn sale_limits(&self) -> SaleLimits {
        SaleLimits { max_age: self.max_price_age, buffer_bps: self.no_sale_buffer_bps }
    }

    /// How the level drifts.
    pub fn drift(&self) -> Drift {
        Drift {
            upper_mark_bps: u32::from(self.upper_mark_bps),
            lower_mark_bps: u32::from(self.lower_mark_bps),
            drift_bps_per_day: u32::from(self.drift_bps),
            min_level_bps: self.min_level_bps,
            max_level_bps: self.max_level_bps,
        }
    }

    /// The demand curve.
    pub fn demand(&self) -> Demand {
        Demand {
            at_zero_ppb: self.demand_at_zero_ppb,
            at_kink_ppb: self.demand_at_kink_ppb,
            at_capacity_ppb: self.demand_at_capacity_ppb,
            kink_bps: self.kink_bps,
        }
    }
}

/// One insured risk of a pool.
#[account(zero_copy)]
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// The pool that pays.
    pub pool: Pubkey,
    /// The oracle condition and its evidence; the zero address before it is set.
    pub trigger: Pubkey,
    /// The asset whose failure is insured; never the pool's own.
    pub covered_asset: Pubkey,
    /// Whoever paid the rent of the product.
    pub rent_payer: Pubkey,
    /// Sha-256 of the wording behind the URI.
    pub wording_hash: [u8; 32],
    /// Name, padded with zeros.
    pub name: [u8; MAX_NAME],
    /// Where wallets find the file that shows the product's covers, padded with zeros.
    pub uri: [u8; MAX_URI],
    /// Price, limits, term bounds.
    pub terms: ProductTerms,

    /// Risk rate now, in parts per billion a year.
    pub risk_rate_ppb: u64,
    /// When the risk rate last moved.
    pub risk_rate_at: i64,
    /// When the notice ends; 0 before the condition is set, as the notice has not begun.
    pub sells_from: i64,
    /// Unix second up to which utilisation is counted for the level, which was drifted up to the day of it.
    pub level_at: i64,
    /// When the freeze began that a thaw is measured by; 0 before the first.
    pub frozen_at: i64,
    /// From when on it sells again since the last thaw; 0 before the first.
    pub thawed_at: i64,
    /// The event that ended the product; 0 before.
    pub event_at: i64,
    /// What the live covers could pay, in asset units.
    pub exposure: u64,
    /// Covers sold so far.
    pub covers_sold: u64,
    /// Level of the demand curve now, in basis points.
    pub level_bps: u32,
    /// Average utilisation of the last whole day that the level was drifted by, in basis points of capacity.
    pub utilisation_bps: u32,
    /// Covers that ended on this UTC day or before are released.
    pub released_day: u32,
    /// Newest activation day that has a bucket.
    pub newest_activation_day: u32,
    /// Days that the trigger's ring reaches back, rounded up.
    pub ring_days: u32,
    /// Unused.
    pub padding2: [u8; 4],
    /// The product's id within its pool.
    pub id: u16,
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// [`ProductState`] as a number.
    pub state: u8,
    /// 1 once the notice was over with no exit waiting.
    pub notice_served: u8,
    /// 1 once the product's incident is closed.
    pub incident_closed: u8,
    /// Unused.
    pub padding: [u8; 1],
    /// Sums insured that were sold of late, as of `sold_at`, in asset units: a day's sales of them are forgotten in a day.
    pub sold_of_late: u64,
    /// Utilisation of the UTC day of `level_at` so far, in basis points of capacity times seconds.
    pub utilisation_seconds: u64,
    /// Exposure of the group's other products at `level_at`, in asset units.
    pub others_exposure: u64,
    /// Unix second of the last sale.
    pub sold_at: i64,
    /// Room for later fields.
    pub reserved: [u64; 10],

    /// Covers by their first insured UTC day, modulo 64.
    pub starts: [StartBucket; COVER_STARTS],
    /// Sums insured by the UTC day on which they end, modulo 512.
    pub exposure_ends: [u64; DAY_BUCKETS],
}

const _: () = assert!(core::mem::size_of::<Product>() == 7_304);
const _: () = assert!(core::mem::align_of::<Product>() <= 8);

in_place_account!(Product { state: ProductState });

/// What a buyer asks for.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverRequest {
    /// Sum insured, in asset units.
    pub sum_insured: u64,
    /// Whole days of protection.
    pub term_days: u16,
}

/// A purchase: on what, for whom, of what, and for how much at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The product.
    pub product: Pubkey,
    /// Whoever is insured: see [`Policy::insured`].
    pub insured: Pubkey,
    /// Sum insured and term.
    pub request: CoverRequest,
    /// The most the buyer would pay, in asset units.
    pub max_premium: u64,
}

/// The price of a cover and what it would change; what `quote` returns.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Premium, in asset units.
    pub premium: u64,
    /// Sum insured, in asset units.
    pub sum_insured: u64,
    /// First insured UTC day.
    pub active_day: u32,
    /// First UTC day that is no longer insured.
    pub end_day: u32,
    /// The product's exposure before the purchase, in asset units.
    pub exposure: u64,
    /// Exposure that the product may reach, in asset units.
    pub capacity: u64,
    /// Level of the demand curve, in basis points.
    pub level_bps: u32,
    /// Risk rate with its loading, in parts per billion a year.
    pub technical_ppb: u64,
    /// How fast the pool would earn the premium, in Q32 asset units a second, rounded down.
    pub rate_q32: u64,
}

/// What selling a cover does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sale {
    /// The price, and what was sold for it.
    pub quote: Quote,
    /// Exposure of ended covers that was released before, in asset units.
    pub released: u64,
    /// What the pool earned up to now.
    pub accrual: Accrual,
}

/// What the owner of a policy asks for who wants it to last longer.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionRequest {
    /// Whole days beyond the end, one at least.
    pub days: u16,
    /// The most that the owner would pay, in asset units.
    pub max_premium: u64,
}

/// What extending a policy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What the days cost, in asset units.
    pub premium: u64,
    /// How fast the pool earns what the policy has still to earn, in Q32 asset units a second, rounded down.
    pub rate_q32: u64,
    /// First UTC day that is no longer insured.
    pub end_day: u32,
    /// Level of the demand curve, in basis points.
    pub level_bps: u32,
    /// Exposure of ended covers that was released before, in asset units.
    pub released: u64,
    /// What the pool earned up to now.
    pub accrual: Accrual,
}

/// What giving a cover back does, in asset units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// Leaves the pool.
    pub refund: u64,
    /// Goes to the surplus.
    pub fee: u64,
    /// What the pool earned up to now.
    pub accrual: Accrual,
}

/// Covers that an incident must pay, from the buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affected {
    /// Sums insured in force at the event, in asset units.
    pub sums: u64,
    /// Premiums of covers that were still waiting, in asset units.
    pub premiums: u64,
}

impl Product {
    /// Bytes of the account, discriminator included.
    pub const SPACE: usize = 8 + core::mem::size_of::<Product>();
    // ---- reading ----

    /// Whether the product sells.
    pub fn state(&self) -> ProductState {
        ProductState::stored(self.state)
    }

    /// The product's risk group.
    pub fn risk_group(&self) -> u8 {
        u8::try_from(self.terms.risk_group).unwrap_or(u8::MAX)
    }

    /// The product's name.
    pub fn name(&self) -> &str {
        get_text(&self.name)
    }

    /// The product's URI.
    pub fn uri(&self) -> &str {
        get_text(&self.uri)
    }

    // ---- governance and risk keeper ----

    /// Whether the product has its condition. One that was run off before has none, and gets none.
    pub fn has_condition(&self) -> bool {
        self.trigger != Pubkey::default()
    }

    /// Refuses unless the product waits for its condition.
    pub fn require_no_condition(&self) -> Result<()> {
        ensure!(!self.has_condition(), BackstopError::ConditionAlreadySet);
        ensure!(self.state() == ProductState::Announced, BackstopError::WrongProductState);
        Ok(())
    }

    /// Gives the product its condition, once and for good. It sells once its notice is over, which begins now; so do its
    /// day buckets and the drift of its level. Refuses terms that do not fit beside the condition.
    pub fn set_condition(&mut self, trigger: Pubkey, ring_days: u32, sells_from: i64, now: i64) -> Result<()> {
        self.require_no_condition()?;
        self.terms.require_room_beside(ring_days)?;
        self.trigger = trigger;
        self.state = ProductState::Selling.byte();
        self.sells_from = sells_from;
        self.level_at = now;
        self.released_day = day_of(now).saturating_sub(ring_days);
        self.newest_activation_day = day_of(now);
        self.ring_days = ring_days;
        Ok(())
    }

    /// Gives the product a reading as its condition: see [`Self::set_condition`]. Its period's days are a term that it
    /// sells, and its end has a place in the day buckets. Returns when the notice is over.
    ///
    /// Errors: `ConditionAlreadySet`, `WrongProductState`, `TermsDoNotFit`, `DeductibleTooHigh`, and those of
    /// [`Pool::admit_reading`].
    pub fn set_reading(&mut self, pool: &mut Pool, trigger: Pubkey, period: Period, now: i64) -> Result<i64> {
        self.require_no_condition()?;
        self.terms.require_deductible_below(None)?;
        let days = self.terms.min_term_days.into()..=self.terms.max_term_days.into();
        let last = period.end_day.saturating_add(READING_RING_DAYS);
        let fits = days.contains(&period.days()) && last <= day_of(now).saturating_add(MAX_TERM_AND_RING_DAYS);
        ensure!(fits, BackstopError::TermsDoNotFit);
        let sells_from = pool.admit_reading(period, self.terms.waiting_seconds, now)?;
        self.set_condition(trigger, READING_RING_DAYS, sells_from, now)?;
        Ok(sells_from)
    }

    /// Refuses a change of state that is not to be had. Run-off and over are final. Without a condition it can only be
    /// run off.
    pub fn require_may_become(&self, to: ProductState) -> Result<()> {
        let allowed = matches!(
            (self.state(), to),
            (ProductState::Selling, ProductState::Frozen)
                | (ProductState::Frozen, ProductState::Selling)
                | (ProductState::Announced | ProductState::Selling | ProductState::Frozen, ProductState::RunOff)
        );
        ensure!(allowed, BackstopError::WrongProductState);
        Ok(())
    }

    /// Freezes, thaws or runs off the product.
    ///
    /// Who deposits beside a frozen product does not count with its sales. So after more than seven days its thaw is
    /// announced like a new product, and capital can leave before it sells. A thaw that sells for less than seven days
    /// ends no freeze: nobody keeps a product frozen and at hand by thawing it for a moment now and then.
    pub fn set_state(&mut self, to: ProductState, pool: &Pool, now: i64) -> Result<()> {
        self.require_may_become(to)?;
        self.state = to.byte();
        match to {
            ProductState::Frozen => {
                if now >= self.thawed_at.saturating_add(FROZEN_WITHOUT_NOTICE) {
                    self.frozen_at = now;
                }
            }
            ProductState::Selling => {
                if now > self.frozen_at.saturating_add(FROZEN_WITHOUT_NOTICE) {
                    self.sells_from = self.sells_from.max(pool.notice_ends_at(now));
                    self.notice_served = 0;
                }
                self.thawed_at = now.max(self.sells_from);
            }
            ProductState::RunOff | ProductState::Over | ProductState::Announced => {}
        }
        Ok(())
    }

    /// Moves the risk rate for new covers: once in 24 hours, by the step at most, between floor and ceiling.
    pub fn set_risk_rate(&mut self, rate_ppb: u64, now: i64) -> Result<()> {
        ensure!(now >= self.risk_rate_at.saturating_add(DAY), BackstopError::RiskRateMovedToday);
        let terms = &self.terms;
        let in_bounds = (terms.risk_rate_floor_ppb..=terms.risk_rate_ceiling_ppb).contains(&rate_ppb)
            && rate_ppb.abs_diff(self.risk_rate_ppb) <= terms.risk_rate_step_ppb;
        ensure!(in_bounds, BackstopError::RiskRateOutOfBounds);
        self.risk_rate_ppb = rate_ppb;
        self.risk_rate_at = now;
        Ok(())
    }

    // ---- price ----

    /// Counts utilisation up to `now`, and drifts the level by the average of each whole day that is over, the newest
    /// seven at most. Whatever changes the exposure calls this first; the pool is accrued.
    ///
    /// Utilisation is the exposure in a capacity of seasoned capital: to move the level takes capital that is away for a
    /// day, or cover that stays for one. What is done and undone in a moment weighs as much as a moment. Of two exposures
    /// of the group's other products, now and when it was counted last, the lower is taken, for the same reason.
    pub fn drift_level(&mut self, pool: &Pool, now: i64) -> Result<()> {
        let (today, counted) = (day_of(now), day_of(self.level_at));
        let others_now = pool.group_exposure(self.risk_group()).saturating_sub(self.exposure);
        let others = others_now.min(self.others_exposure);
        if today > counted {
            let settled = self.utilisation(pool, pool.capital_day.saturating_sub(1), others)?;
            let rest = seconds_between(self.level_at, day_start(counted.saturating_add(1)));
            let of_day = self.utilisation_seconds.saturating_add(u64::from(settled).saturating_mul(rest));
            let average = u32::try_from(of_day / SECONDS_PER_DAY).unwrap_or(u32::MAX);
            let days = u64::from(today.saturating_sub(counted));
            let drift = self.terms.drift();
            if days <= MAX_DRIFT_DAYS {
                self.level_bps = pricing::level_after(self.level_bps, average, 1, &drift);
            }
            self.level_bps = pricing::level_after(self.level_bps, settled, days.saturating_sub(1), &drift);
            self.utilisation_bps = if days == 1 { average } else { settled };
            self.utilisation_seconds = 0;
            self.level_at = day_start(today);
        }
        let seconds = seconds_between(self.level_at, now);
        if seconds > 0 {
            let utilisation = u64::from(self.utilisation(pool, pool.capital_day, others)?);
            self.utilisation_seconds = self.utilisation_seconds.saturating_add(utilisation.saturating_mul(seconds));
            self.level_at = now;
        }
        self.others_exposure = others_now;
        Ok(())
    }

    /// The exposure in a capacity of the capital that was seasoned on a day, beside an exposure of the group's other
    /// products, in basis points; more than twice the capacity counts as twice.
    fn utilisation(&self, pool: &Pool, day: u32, others: u64) -> Result<u32> {
        if self.exposure == 0 {
            return Ok(0);
        }
        let capacity = pool.capacity_of(pool.seasoned_capital(day), self.terms.cap_bps, others)?;
        let capacity = capacity.min(MAX_TOTAL_EXPOSURE);
        Ok(pricing::utilisation_bps(self.exposure, capacity).min(MAX_UTILISATION_BPS))
    }

    /// A day's sales of a capacity, in asset units, rounded down.
    fn daily_sales(&self, capacity: u64) -> Result<u64> {
        fits(mul_div(capacity, u64::from(self.terms.daily_bps), BPS, Rounding::Down))
    }

    /// What of `sold_of_late` still counts where a day's sales are `daily`, in asset units, rounded up: nothing a day after
    /// the last sale, whatever became of the capacity.
    ///
    /// All of it, also where it is more than a day's sales of a capacity that has become less: a capacity that falls and
    /// comes back would sell anew what was sold already.
    fn still_sold(&self, daily: u64, now: i64) -> Result<u64> {
        let elapsed = seconds_between(self.sold_at, now).min(SECONDS_PER_DAY);
        let a_day = daily.max(self.sold_of_late);
        let forgotten = fits(mul_div(a_day, elapsed, SECONDS_PER_DAY, Rounding::Down))?;
        Ok(self.sold_of_late.saturating_sub(forgotten))
    }

    /// What of a capacity the product may sell now, in asset units: no more at once than a day's sales, and what was sold
    /// makes room again at that rate.
    ///
    /// By rate, and not by calendar days: at the turn of a day what is given back would make room for nobody but whoever
    /// buys again in the next second.
    pub fn left_now(&self, capacity: u64, now: i64) -> Result<u64> {
        let daily = self.daily_sales(capacity)?;
        Ok(daily.saturating_sub(self.still_sold(daily, now)?))
    }

    /// Counts a sum among what was sold of late.
    fn count_sale(&mut self, sum_insured: u64, capacity: u64, now: i64) -> Result<()> {
        let daily = self.daily_sales(capacity)?;
        let sold = fits(self.still_sold(daily, now)?.checked_add(sum_insured))?;
        ensure!(sold <= daily, BackstopError::SoldOutToday);
        (self.sold_of_late, self.sold_at) = (sold, now);
        Ok(())
    }

    /// Takes a cover that is given back out of what was sold of late, in the part of its premium that it had not earned.
    /// So whoever keeps others from buying either keeps the room itself or pays what a buyer pays.
    fn uncount_sale(&mut self, policy: &Policy, unearned: u64) -> Result<()> {
        let part = fits(mul_div(policy.sum_insured, unearned, policy.premium, Rounding::Down))?;
        self.sold_of_late = self.sold_of_late.saturating_sub(part);
        Ok(())
    }

    /// Exposure that the product may reach, in asset units: its own cap, what its group's cap leaves, and what a pool's
    /// books can hold. However much capital there is, a product goes on selling.
    pub fn capacity(&self, pool: &Pool) -> Result<u64> {
        let capacity = pool.product_capacity(self.risk_group(), self.terms.cap_bps, self.exposure)?;
        Ok(capacity.min(MAX_TOTAL_EXPOSURE))
    }

    /// Sells a policy: checks every condition of a sale, prices it, and books exposure, premium, stream and level.
    ///
    /// Errors: `PremiumTooHigh` above what the buyer would pay, and what [`Self::price`] refuses.
    pub fn sell(
        &mut self,
        pool: &mut Pool,
        rates: &mut Rates,
        condition: &impl Condition,
        purchase: &Purchase,
        now: i64,
    ) -> Result<(Policy, Sale)> {
        let sale = self.price(pool, condition, purchase.request, now)?;
        ensure!(sale.quote.premium <= purchase.max_premium, BackstopError::PremiumTooHigh);
        let policy = Policy::sold(purchase.product, purchase.insured, &sale.quote, &self.terms, now);
        rates.add(&StreamedCover::of(&policy), pool.accrued_at)?;
        Ok((policy, sale))
    }

    /// Accrues the pool, and asks for all that time is sold for, to whoever buys a cover and to whoever has one: the product
    /// sells, its notice is served, nothing points to an event of it or of its group, and prices are fresh and far from the
    /// threshold. Counts utilisation up to now, and releases what has ended. Returns what the pool earned, and what was
    /// released.
    #[inline(always)]
    fn admit_sale(&mut self, pool: &mut Pool, condition: &impl Condition, now: i64) -> Result<(Accrual, u64)> {
        let accrual = pool.accrue(now)?;
        pool.require_not_ended(now)?;
        ensure!(self.state() == ProductState::Selling, BackstopError::NotSelling);
        ensure!(now >= self.sells_from, BackstopError::NoticeNotOver);
        if self.notice_served == 0 {
            pool.require_no_exits_waiting(now)?;
            self.notice_served = 1;
        }
        condition.require_quiet()?;
        pool.require_no_crisis()?;
        pool.require_no_group_alert(self.risk_group())?;
        condition.require_sellable(self.terms.sale_limits(), now)?;
        self.drift_level(pool, now)?;
        let released = self.sync(pool, condition, now)?;
        Ok((accrual, released))
    }

    /// The risk rate with its loading, in parts per billion a year.
    fn technical_ppb(&self) -> Result<u64> {
        fits(pricing::technical_ppb(self.risk_rate_ppb, self.terms.loading_bps))
    }

    /// What an order costs now, in asset units, rounded up.
    #[inline(always)]
    fn premium(&self, order: &Order, technical_ppb: u64) -> Result<u64> {
        let price = Price {
            technical_ppb,
            level_bps: self.level_bps,
            demand: self.terms.demand(),
            min_premium: self.terms.min_premium,
        };
        let premium = pricing::premium(order, &price).map_err(|error| match error {
            PricingError::BeyondCapacity => BackstopError::BeyondCapacity,
            PricingError::Overflow => BackstopError::AmountTooLarge,
        })?;
        Ok(premium)
    }

    /// All of a sale but for what the product keeps in its rates, which refuses nothing.
    ///
    /// `quote` runs it on copies, so a quote is what a purchase would cost at the same moment, and is refused where a
    /// purchase would be. The premium is rounded up.
    pub fn price(
        &mut self,
        pool: &mut Pool,
        condition: &impl Condition,
        request: CoverRequest,
        now: i64,
    ) -> Result<Sale> {
        let (accrual, released) = self.admit_sale(pool, condition, now)?;

        let CoverRequest { sum_insured, term_days } = request;
        ensure!(sum_insured >= pool.terms.min_sum_insured, BackstopError::AmountTooSmall);
        ensure!(sum_insured <= self.terms.max_sum_insured, BackstopError::CoverTooLarge);
        let term_fits = (self.terms.min_term_days..=self.terms.max_term_days).contains(&term_days);
        ensure!(term_fits, BackstopError::BadTerm);
        let period = condition.period();
        let (active_day, end_day) = match period {
            Some(period) => {
                period.require_far(self.terms.waiting_seconds, now)?;
                ensure!(u32::from(term_days) == period.days(), BackstopError::BadTerm);
                (period.active_day, period.end_day)
            }
            None => {
                let active_day = activation_day(now, self.terms.waiting_seconds);
                (active_day, fits(active_day.checked_add(u32::from(term_days)))?)
            }
        };

        let group = self.risk_group();
        let capacity = self.capacity(pool)?;
        let technical_ppb = self.technical_ppb()?;
        let order = Order {
            sum_insured,
            insured_seconds: u64::from(term_days).saturating_mul(SECONDS_PER_DAY),
            held_seconds: seconds_between(now, self.release_time(end_day)),
            exposure_before: self.exposure,
            capacity,
        };
        let premium = self.premium(&order, technical_ppb)?;
        let exposure = self.exposure;
        self.count_sale(sum_insured, capacity, now)?;

        // The new cover counts before solvency is asked for, also for the time in which it outlasts treaties.
        let rate_q32 = match period {
            Some(_) => {
                pool.take_flat_premium(premium, end_day)?;
                credit(&mut pool.reading_exposure, sum_insured)?;
                0
            }
            None => pool.stream_cover(premium, active_day, end_day)?,
        };
        pool.add_exposure(group, sum_insured)?;
        pool.count_outlasting(end_day, sum_insured)?;
        pool.require_solvent(now)?;
        pool.require_first_loss()?;
        pool.in_use = 1;
        self.open_activation_day(active_day);
        self.start_mut(active_day).add(&StreamedCover { sum_insured, premium, rate_q32, active_day, end_day })?;
        credit(bucket_mut(&mut self.exposure_ends, end_day), sum_insured)?;
        credit(&mut self.exposure, sum_insured)?;
        self.covers_sold = self.covers_sold.saturating_add(1);
        let level_bps = self.level_bps;
        let quote =
            Quote { premium, sum_insured, active_day, end_day, exposure, capacity, level_bps, technical_ppb, rate_q32 };
        Ok(Sale { quote, released, accrual })
    }

    /// Extends a policy in force by whole days from its end on, for what they cost now; what it has still to earn is
    /// streamed with that, as one rate.
    ///
    /// All that a sale asks for is asked for. Nobody gets round the waiting time: the days begin no sooner than a cover that
    /// is bought now. Nor round the longest term: they end no later. The sum takes the room that it has, so no day's sales
    /// are counted, and the days are priced as the last of the exposure: `A(exposure) - A(exposure - sum)`. A product with more
    /// exposure than capacity sells no time either: what is too much runs off.
    ///
    /// They cost at least by the day what the policy's own time has cost, from its purchase to the release of its
    /// exposure. Else days that have become cheap would make the room cheaper that was taken before
    /// ([`Self::price_of_room`]), for whoever extends and gives back.
    ///
    /// Errors: `ReadingHasItsDays`, `CoverNotActive` once anything was paid for it, `NotInForceYet`, `AccrualStands`,
    /// `ExtensionTooLate`, `BadTerm`, `BeyondCapacity`, `PremiumTooHigh`, and those of a sale.
    pub fn extend(
        &mut self,
        pool: &mut Pool,
        rates: &mut Rates,
        condition: &impl Condition,
        policy: &mut Policy,
        request: ExtensionRequest,
        now: i64,
    ) -> Result<Extension> {
        ensure!(condition.period().is_none(), BackstopError::ReadingHasItsDays);
        ensure!(policy.state == CoverState::Active && policy.paid == 0, BackstopError::CoverNotActive);
        ensure!(now >= policy.active_from(), BackstopError::NotInForceYet);
        let (accrual, released) = self.admit_sale(pool, condition, now)?;
        // What is streamed anew is what is unearned now: the pool has earned up to now, and no further.
        ensure!(pool.accrued_at == now, BackstopError::AccrualStands);
        let first_day = activation_day(now, self.terms.waiting_seconds);
        ensure!(first_day <= policy.end_day, BackstopError::ExtensionTooLate);
        let days = u32::from(request.days);
        let end_day = fits(policy.end_day.checked_add(days))?;
        let last_day = first_day.saturating_add(self.terms.max_term_days.into());
        ensure!(days > 0 && end_day <= last_day, BackstopError::BadTerm);

        let seconds = u64::from(days).saturating_mul(SECONDS_PER_DAY);
        let order = Order {
            sum_insured: policy.sum_insured,
            insured_seconds: seconds,
            held_seconds: seconds,
            exposure_before: fits(self.exposure.checked_sub(policy.sum_insured))?,
            capacity: self.capacity(pool)?,
        };
        let in_all = seconds_between(policy.bought_at, self.release_time(policy.end_day));
        let least = fits(mul_div(policy.premium, seconds, in_all, Rounding::Up))?;
        let premium = self.premium(&order, self.technical_ppb()?)?.max(least);
        ensure!(premium <= request.max_premium, BackstopError::PremiumTooHigh);

        let before = StreamedCover::of(policy);
        policy.rate_q32 = pool.restream_cover(&before, policy.unearned_at(now)?, premium, end_day)?;
        policy.end_day = end_day;
        policy.was_changed = true;
        credit(&mut policy.premium, premium)?;
        let after = StreamedCover::of(policy);
        rates.remove(&before)?;
        rates.add(&after, now)?;
        if self.has_activation_bucket(policy.active_day) {
            let start = self.start_mut(policy.active_day);
            start.remove(&before)?;
            start.add(&after)?;
        }
        debit(bucket_mut(&mut self.exposure_ends, before.end_day), policy.sum_insured)?;
        credit(bucket_mut(&mut self.exposure_ends, end_day), policy.sum_insured)?;
        // It counts as lasting longer before solvency is asked for.
        pool.uncount_outlasting(before.end_day, policy.sum_insured);
        pool.count_outlasting(end_day, policy.sum_insured)?;
        pool.require_solvent(now)?;
        pool.require_first_loss()?;
        Ok(Extension { premium, rate_q32: policy.rate_q32, end_day, level_bps: self.level_bps, released, accrual })
    }

    /// Reduces a policy to a sum: carves the rest off ([`Policy::carve`]) and gives that back as a whole policy is
    /// ([`Self::cancel`]). Returns the rest with it.
    ///
    /// Errors: `AmountTooSmall` unless both parts are a sum that is sold, `CoverNotActive` once anything was paid for it.
    pub fn reduce(
        &mut self,
        pool: &mut Pool,
        rates: &mut Rates,
        condition: &impl Condition,
        policy: &mut Policy,
        sum_insured: u64,
        now: i64,
    ) -> Result<(Policy, Cancellation)> {
        let least = pool.terms.min_sum_insured;
        let rest = policy.carve(policy.sum_insured.saturating_sub(sum_insured), least)?;
        let cancellation = self.cancel(pool, rates, condition, &rest, now)?;
        Ok((rest, cancellation))
    }

    /// Takes a cover back before its end, while the condition is quiet, but not on the day of its purchase.
    ///
    /// Of the unearned premium the fee the cover was sold with stays, rounded up: one unit at least of any refund, so
    /// buying and cancelling always costs. And the premium stays in the part of the time that the cover took room in, of
    /// all the time that it was priced for: what it has earned counts towards that. Before the first insured day all of
    /// the premium is unearned, from there on what its rate has still to earn, rounded down. A reading's covers are given
    /// back as long as they are sold.
    ///
    /// No more leaves the pool's unearned premium, as refund and fee, than the rate that leaves has still to earn: of the parts
    /// of a cover some have more premium than that, and others less. What these have to earn must be there when an incident
    /// ends them.
    pub fn cancel(
        &mut self,
        pool: &mut Pool,
        rates: &mut Rates,
        condition: &impl Condition,
        policy: &Policy,
        now: i64,
    ) -> Result<Cancellation> {
        policy.require_unencumbered()?;
        ensure!(now < policy.end(), BackstopError::CoverEnded);
        policy.require_kept_overnight(now)?;
        condition.require_quiet()?;
        if let Some(period) = condition.period() {
            period.require_far(self.terms.waiting_seconds, now)?;
        }
        let accrual = pool.accrue(now)?;
        self.drift_level(pool, now)?;
        let to_earn = policy.unearned_at(now)?;
        let unearned = if now < policy.active_from() { policy.premium } else { to_earn };
        let of_refund = fits(mul_div(unearned, u64::from(policy.cancel_fee_bps), BPS, Rounding::Up))?;
        let earned = fits(policy.premium.checked_sub(unearned))?;
        let kept = of_refund.max(self.price_of_room(policy, now)?.saturating_sub(earned));
        let refund = unearned.saturating_sub(kept).min(to_earn.saturating_sub(1));
        let fee = to_earn.saturating_sub(refund);
        rates.remove(&StreamedCover::of(policy))?;
        pool.end_cover_early(policy.rate_q32, policy.active_day, policy.end_day, now)?;
        pool.refund_premium(refund, fee)?;
        if policy.is_flat() {
            debit(&mut pool.flat_premium, policy.premium)?;
            debit(&mut pool.reading_exposure, policy.sum_insured)?;
        }
        self.uncount_sale(policy, unearned)?;
        self.remove_cover(pool, policy)?;
        Ok(Cancellation { refund, fee, accrual })
    }

    /// A cover's premium in the part of its time, from the purchase to the release of its exposure, that is over, in asset
    /// units, rounded up.
    fn price_of_room(&self, policy: &Policy, now: i64) -> Result<u64> {
        let held = seconds_between(policy.bought_at, now);
        let in_all = seconds_between(policy.bought_at, self.release_time(policy.end_day));
        fits(mul_div(policy.premium, held.min(in_all), in_all, Rounding::Up))
    }

    /// Clears the buckets of activation days that come into the ring.
    fn open_activation_day(&mut self, day: u32) {
        let first =
            self.newest_activation_day.saturating_add(1).max(day.saturating_add(1).saturating_sub(COVER_STARTS_RING));
        for newer in first..=day {
            *self.start_mut(newer) = StartBucket::default();
        }
        self.newest_activation_day = self.newest_activation_day.max(day);
    }

    /// Whether an activation day still has its bucket.
    fn has_activation_bucket(&self, day: u32) -> bool {
        day <= self.newest_activation_day && day.saturating_add(COVER_STARTS_RING) > self.newest_activation_day
    }

    #[expect(clippy::indexing_slicing, reason = "the place is below the length")]
    fn start_mut(&mut self, day: u32) -> &mut StartBucket {
        &mut self.starts[place::<COVER_STARTS>(day)]
    }

    /// The buckets of first insured days after a day, oldest first, as far as they are kept.
    #[expect(clippy::indexing_slicing, reason = "the place is below the length")]
    pub fn starts_after(&self, day: u32) -> impl Iterator<Item = (u32, &StartBucket)> {
        let kept = self.newest_activation_day.saturating_sub(COVER_STARTS_RING);
        let first = day.max(kept).saturating_add(1);
        (first..=self.newest_activation_day).map(|day| (day, &self.starts[place::<COVER_STARTS>(day)]))
    }

    /// Takes a cancelled cover out of exposure and buckets.
    fn remove_cover(&mut self, pool: &mut Pool, policy: &Policy) -> Result<()> {
        debit(bucket_mut(&mut self.exposure_ends, policy.end_day), policy.sum_insured)?;
        if self.has_activation_bucket(policy.active_day) {
            self.start_mut(policy.active_day).remove(&StreamedCover::of(policy))?;
        }
        debit(&mut self.exposure, policy.sum_insured)?;
        pool.uncount_outlasting(policy.end_day, policy.sum_insured);
        pool.release_exposure(self.risk_group(), policy.sum_insured)
    }

    /// Releases the exposure of covers that ended before the trigger's ring begins, also in an alert, which is so much
    /// less then: an event that is not proven by now is younger than the ring. Does nothing once one is, whether or not
    /// anybody has called since, or the product is over; nor for a reading, which is resolved in one. Returns what was
    /// released. The pool is accrued.
    ///
    /// A window that fires later ends in a slot that is not settled now, so its event is at most a challenge, its good
    /// slots and its tolerance back: 224 slots, where the ring has 256.
    pub fn sync(&mut self, pool: &mut Pool, condition: &impl Condition, now: i64) -> Result<u64> {
        let due_day = day_of(now).saturating_sub(self.ring_days);
        let is_over = self.state() == ProductState::Over || condition.is_proven_by(now) || condition.period().is_some();
        if is_over || due_day <= self.released_day {
            return Ok(0);
        }
        // Covers end at most 511 days after the last released day: one turn of the ring sees them all.
        let last = due_day.min(self.released_day.saturating_add(DAY_RING));
        let released = match self.exposure {
            0 => 0,
            _ => take_days(&mut self.exposure_ends, self.released_day.saturating_add(1), last)?,
        };
        self.released_day = due_day;
        if released > 0 {
            let alert = self.alert(condition.alert_number());
            debit(&mut self.exposure, released)?;
            pool.release_ended(alert, condition.alert(), released, now)?;
        }
        Ok(released)
    }

    // ---- incidents ----

    /// The product's alert with a number, as its pool counts it.
    pub fn alert(&self, number: u64) -> Alert {
        Alert { group: self.risk_group(), number, exposure: self.exposure }
    }

    /// What an event at `event_at` affects: the sums in force then, and the premiums of covers still waiting.
    pub fn affected(&self, event_at: i64) -> Result<Affected> {
        let event_day = day_of(event_at);
        let mut sums = self.exposure;
        let mut premiums = 0u64;
        for (_, start) in self.starts_after(event_day) {
            debit(&mut sums, start.sum_insured)?;
            credit(&mut premiums, start.premium)?;
        }
        let last = event_day.min(self.released_day.saturating_add(DAY_RING));
        debit(&mut sums, sum_days(&self.exposure_ends, self.released_day.saturating_add(1), last)?)?;
        Ok(Affected { sums, premiums })
    }

    /// Takes the flat premium of a reading that is over, and its exposure, out of what its pool keeps for readings: it is
    /// earned at the event or, `waiting`, all given back.
    #[inline(never)]
    pub fn end_flat(&self, pool: &mut Pool, period: Period, verdict: &Verdict, waiting: u64) -> Result<EndedPremium> {
        let before = period.active_day.saturating_sub(1);
        let starts = self.starts_after(before).map(|(_, start)| start.premium);
        let premium = fits({ starts }.try_fold(0u64, |sum, premium| sum.checked_add(premium)))?;
        debit(&mut pool.flat_premium, premium)?;
        debit(&mut pool.reading_exposure, self.exposure)?;
        let mut ended = EndedPremium {
            accrued_at: pool.accrued_at,
            ended_at: verdict.proven_at.max(pool.accrued_at),
            waiting,
            ..EndedPremium::default()
        };
        let amount = premium.checked_sub(waiting).ok_or(BackstopError::InvariantViolated)?;
        let [earned, ..] = &mut ended.earned;
        *earned = EarnedPart { from: verdict.event_at, amount };
        Ok(ended)
    }

    /// Ends the product: an incident was opened on it.
    pub fn end_with(&mut self, event_at: i64) {
        self.state = ProductState::Over.byte();
        self.event_at = event_at;
    }

    /// Takes the whole exposure out of pool and group: the incident is funded.
    pub fn release_all(&mut self, pool: &mut Pool) -> Result<()> {
        // Of a term that is over nobody asks any more what outlasts it.
        let running = |share: &QuotaShareInForce| share.treaty != Pubkey::default() && share.end > pool.accrued_at;
        let mut outlasting = pool.quota_shares.map(|share| if running(&share) { self.exposure } else { 0 });
        for (left, share) in outlasting.iter_mut().zip(&mut pool.quota_shares).filter(|(left, _)| **left > 0) {
            let last = day_of(share.end).min(self.released_day.saturating_add(DAY_RING));
            debit(left, sum_days(&self.exposure_ends, self.released_day.saturating_add(1), last)?)?;
            share.outlasting = share.outlasting.saturating_sub(*left);
        }
        let exposure = core::mem::take(&mut self.exposure);
        pool.release_exposure(self.risk_group(), exposure)
    }

    /// Notes that the product's incident is closed: its covers may be closed from now on.
    pub fn note_incident_closed(&mut self) {
        self.incident_closed = 1;
    }

    /// Whether a cover that was not paid can no longer be: it ended and was released, or the product's incident does
    /// not concern it or is closed.
    pub fn is_spent(&self, policy: &Policy) -> bool {
        if self.state() == ProductState::Over {
            return self.incident_closed != 0 || policy.claim(self.event_at).is_none();
        }
        policy.end_day <= self.released_day
    }

    /// Refuses to close a cover that is live, or that an incident may still pay more; the latter its holder may give up
    /// (`by_holder`: the NFT is there, and its holder burns it), unless a lien is on it.
    pub fn require_may_close(&self, policy: &Policy, by_holder: bool) -> Result<()> {
        let done = policy.state == CoverState::Settled || self.is_spent(policy);
        if done {
            return Ok(());
        }
        ensure!(by_holder && self.state() == ProductState::Over, BackstopError::CoverStillLive);
        policy.require_unencumbered()
    }

    /// Splits a policy: carves a part off that is a policy of its own from now on. Sums, premium and rate of both are
    /// what they were, so nothing in the books moves, and nothing is sold: the product's terms of a sale do not apply.
    ///
    /// Only before an incident, and before the policy's end: what is paid, or soon closed, is not split. So an address
    /// that holds a day is not free again on that day.
    ///
    /// Errors: `ProductOver`, `CoverEnded`, and those of [`Policy::carve`].
    pub fn split(&self, pool: &Pool, policy: &mut Policy, sum_insured: u64, now: i64) -> Result<Policy> {
        ensure!(self.state() != ProductState::Over, BackstopError::ProductOver);
        ensure!(now < policy.end(), BackstopError::CoverEnded);
        policy.carve(sum_insured, pool.terms.min_sum_insured)
    }

    /// Unix second at which a cover that ends on `day` begins to be releasable.
    pub fn release_time(&self, day: u32) -> i64 {
        day_start(day.saturating_add(self.ring_days))
    }
}

/// Seconds from one moment to a later one; 0 if it is not later.
fn seconds_between(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0)
}
