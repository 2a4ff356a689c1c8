//! What the market of a stage is made of.

use crate::terms::{self, ONE};
use backstop::peril::evidence::TermsInput;
use backstop::state::{Access, PoolTerms, ProductTerms};

/// What a market is made of; the default is what most pools will look like.
pub struct Setup {
    /// The asset is a Token-2022 mint with metadata instead of one of SPL Token.
    pub token_2022: bool,
    /// Who may deposit.
    pub access: Access,
    /// Terms of the pools.
    pub pool: PoolTerms,
    /// Terms of the products.
    pub product: ProductTerms,
    /// The condition of all triggers.
    pub condition: TermsInput,
    /// Name of the products.
    pub name: &'static str,
    /// What each senior depositor brings.
    pub senior: u64,
    /// What each junior depositor brings.
    pub junior: u64,
    /// What each cover insures.
    pub sum_insured: u64,
    /// How long each cover runs.
    pub term_days: u16,
    /// The treaties are in force.
    pub reinsured: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            token_2022: false,
            access: Access::Open,
            pool: terms::pool_terms(),
            product: terms::product_terms(),
            condition: terms::stress(),
            name: "USDC below 0.95 for 4h",
            senior: 100_000 * ONE,
            junior: 50_000 * ONE,
            sum_insured: 10_000 * ONE,
            term_days: 30,
            reinsured: false,
        }
    }
}

impl Setup {
    /// Capital that is nearly all needed for covers, so that exits are paid in part.
    pub fn tight(self) -> Self {
        Self { sum_insured: 70_000 * ONE, ..self }
    }

    /// Treaties in force.
    pub fn reinsured(self) -> Self {
        Self { reinsured: true, ..self }
    }

    /// The longest window of evidence that the ring can hold: 178 hours, of which 44 more need not be good.
    pub fn long_window(self) -> Self {
        let condition = TermsInput {
            slot_seconds: 3_600,
            duration_seconds: 178 * 3_600,
            quiet_seconds: 178 * 3_600,
            tolerance_seconds: 44 * 3_600,
            challenge_seconds: 2 * 3_600,
            ..self.condition
        };
        let pool = PoolTerms { cooldown_seconds: 30 * 86_400, ..self.pool };
        // The shortest term outlasts all of it, 224 hours, by a day and more.
        let product =
            ProductTerms { min_term_days: 12, max_term_days: self.product.max_term_days.min(495), ..self.product };
        Self { condition, pool, product, term_days: self.term_days.min(495), ..self }
    }

    /// Slots of a minute, of which a challenge has as many as the ring leaves it.
    pub fn short_slots(self) -> Self {
        let condition = TermsInput {
            slot_seconds: 60,
            duration_seconds: 60 * 60,
            tolerance_seconds: 15 * 60,
            challenge_seconds: 149 * 60,
            quiet_seconds: 255 * 60,
            ..self.condition
        };
        Self { condition, ..self }
    }

    /// Everything that makes transactions dear and that terms can choose: a Token-2022 asset, the longest terms and
    /// names.
    pub fn dear() -> Self {
        let product = ProductTerms { max_term_days: 500, ..terms::product_terms() };
        let pool = PoolTerms { rho_bps: 5_000, ..terms::pool_terms() };
        let name = "USDC below 0.95 for four hours, linear to 0.80 !";
        Self { token_2022: true, pool, product, name, term_days: 500, ..Self::default() }
    }
}
