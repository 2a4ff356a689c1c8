//! What machines read: one vocabulary, and no number that a reader could round.
//!
//! Commands state amounts in the smallest units, as the program does. Here each gets beside it what people call it:
//!
//! | field of a command | in JSON |
//! |---|---|
//! | an amount of the pool's asset, or of shares | `"amount": "100.5"` and `"amount_units": "100500000"` |
//! | a price, `price_e8` | `"price": "0.95"` and `"price_e8": "95000000"` |
//! | lamports, `fee_lamports` | `"fee_sol": "0.000005"` and `"fee_lamports": "5000"` |
//!
//! Raw integers that can be large are texts, because many readers keep numbers as floating point. Times (unix seconds),
//! days, parts (`_bps`, `_ppb`), counts and numbers of things stay numbers.

use serde_json::{Map, Value};

/// Amounts of the asset whose `decimals` stand in the same object or around it.
const AMOUNTS: [&str; 91] = [
    "alert_exposure",
    "amount",
    "assets",
    "assets_elsewhere",
    "attachment",
    "bucket",
    "capacity",
    "cash",
    "ceded",
    "cession",
    "claimable",
    "claimed",
    "coming_30_days",
    "deposit_earns",
    "due",
    "earned",
    "earned_30_days",
    "earned_a_year",
    "exit_reserves",
    "exiting",
    "exits_waiting",
    "exposure",
    "fee",
    "free",
    "free_capital",
    "given",
    "gross",
    "in_full",
    "incident_reserves",
    "junior",
    "junior_worth",
    "largest_sum",
    "least_capital",
    "left_now",
    "limit",
    "limit_left",
    "loss_capital",
    "lost",
    "max_paid",
    "max_premium",
    "max_sum_insured",
    "min_first_deposit",
    "min_premium",
    "min_sum_insured",
    "min_ticket",
    "most",
    "most_lost",
    "must_stay",
    "open",
    "owed",
    "paid",
    "paid_at_most",
    "payout",
    "premium",
    "premium_a_year",
    "premium_refunds",
    "premium_to_begin",
    "premiums_left",
    "received",
    "recoverable",
    "recovered",
    "refund",
    "refunds_left",
    "reinstatement_premium",
    "reinsurer_capital",
    "reinsurer_open_limits",
    "released",
    "required_capital",
    "reserve",
    "restored",
    "returned",
    "senior",
    "senior_worth",
    "staying_capital",
    "sum_insured",
    "sum_left",
    "sums_left",
    "surplus",
    "surplus_after",
    "surplus_before",
    "to_surplus",
    "total_exposure",
    "treaty_payable",
    "unearned",
    "unearned_premium",
    "used",
    "value",
    "vault_balance",
    "worst_case",
    "worst_loss",
    "worth",
];
/// Amounts of shares, whose `share_decimals` stand in the same object or around it.
const SHARES: [&str; 5] = ["junior_shares", "min_shares", "senior_shares", "shares", "total_shares"];
/// Lamports whose name does not say so.
const LAMPORTS: [&str; 3] = ["fees", "lamports", "rent"];

/// Decimals that hold for an object and what is in it.
#[derive(Clone, Copy, Default)]
struct Scope {
    asset: Option<usize>,
    share: Option<usize>,
}

/// A result as machines read it.
pub fn readable(result: Value) -> Value {
    convert(result, Scope::default())
}

fn convert(value: Value, scope: Scope) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| convert(item, scope)).collect(),
        Value::Object(fields) => Value::Object(object(fields, scope)),
        other => other,
    }
}

fn object(fields: Map<String, Value>, around: Scope) -> Map<String, Value> {
    let decimals =
        |name: &str| fields.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let scope =
        Scope { asset: decimals("decimals").or(around.asset), share: decimals("share_decimals").or(around.share) };
    // The two sides of an audit's figure say what they are of.
    let unit = fields.get("unit").and_then(Value::as_str).map(str::to_owned);
    let mut readable = Map::new();
    for (name, value) in fields {
        let sides = ["books", "recomputed"].contains(&name.as_str());
        let decimals = match (&unit, name.as_str()) {
            (Some(unit), _) if sides => {
                if unit == "share" {
                    scope.asset.map(|asset| asset + SHARE_EXTRA)
                } else {
                    scope.asset
                }
            }
            (_, name) if AMOUNTS.contains(&name) => scope.asset,
            (_, name) if SHARES.contains(&name) => scope.share.or(scope.asset.map(|asset| asset + SHARE_EXTRA)),
            _ => None,
        };
        let stem = |suffix: &str| name.strip_suffix(suffix).map(str::to_owned);
        let price = stem("_e8");
        let lamports = stem("_lamports").or_else(|| LAMPORTS.contains(&name.as_str()).then(|| name.clone()));
        if let Some(decimals) = decimals.filter(|_| is_amount(&value)) {
            readable.insert(format!("{name}_units"), raw(&value));
            readable.insert(name, decimal(&value, decimals));
        } else if let Some(stem) = price.filter(|_| value.is_u64()) {
            readable.insert(stem, decimal(&value, 8));
            readable.insert(name, raw(&value));
        } else if let Some(stem) = lamports.filter(|_| value.is_u64()) {
            let stem = if stem == "lamports" { "sol".into() } else { format!("{stem}_sol") };
            readable.insert(stem, decimal(&value, 9));
            let name = if name.ends_with("lamports") { name } else { format!("{name}_lamports") };
            readable.insert(name, raw(&value));
        } else {
            readable.insert(name, convert(value, scope));
        }
    }
    readable
}

/// Decimals that shares have more than their asset.
const SHARE_EXTRA: usize = backstop::constants::SHARE_EXTRA_DECIMALS as usize;

/// A number, or one for each tranche.
fn is_amount(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty() && items.iter().all(Value::is_u64),
        other => other.is_u64(),
    }
}

fn raw(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(raw).collect(),
        other => Value::String(other.to_string()),
    }
}

fn decimal(value: &Value, decimals: usize) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| decimal(item, decimals)).collect(),
        other => Value::String(shifted(&other.to_string(), decimals)),
    }
}

/// Digits with a point before the last `decimals` of them, without zeros that say nothing.
fn shifted(digits: &str, decimals: usize) -> String {
    let digits = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    let part = part.trim_end_matches('0');
    if part.is_empty() { whole.into() } else { format!("{whole}.{part}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_are_decimals_beside_raw_units_and_both_are_texts() {
        let told = readable(json!({
            "amount": 100_500_000u64, "decimals": 6, "shares": [1_000_000_000u64, 0], "share_decimals": 9,
            "price_e8": 95_000_000u64, "fee_lamports": 5_000, "lamports": u64::MAX, "level_bps": 10_000,
            "end": 1_700_000_000, "inner": [{ "premium": 1 }], "premium": null, "open": true,
        }));
        assert_eq!(
            told,
            json!({
                "amount": "100.5", "amount_units": "100500000", "decimals": 6,
                "shares": ["1", "0"], "shares_units": ["1000000000", "0"], "share_decimals": 9,
                "price": "0.95", "price_e8": "95000000", "fee_sol": "0.000005", "fee_lamports": "5000",
                "sol": "18446744073.709551615", "lamports": "18446744073709551615", "level_bps": 10_000,
                "end": 1_700_000_000, "inner": [{ "premium": "0.000001", "premium_units": "1" }], "premium": null,
                "open": true,
            })
        );
    }

    #[test]
    fn decimals_are_exact_and_short() {
        for (digits, decimals, text) in [("0", 6, "0"), ("1", 6, "0.000001"), ("1500000", 6, "1.5"), ("7", 0, "7")] {
            assert_eq!(shifted(digits, decimals), text);
        }
    }
}
