//! Binary: a proven loss pays the sum insured in full.

use super::FULL_SEVERITY_BPS;

/// All of the sum insured.
pub const fn severity_bps() -> u16 {
    FULL_SEVERITY_BPS
}
