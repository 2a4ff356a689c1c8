//! What a product promises, and what it does not, in words.

use crate::account::{self, AccountError};
use crate::address;
use crate::cluster::Cluster;
use crate::instruction::NewProduct;
use crate::text::{duration, exact_price, moment, percent, rate};
use crate::view;
use crate::view::open::OpenPool;
use anchor_lang::prelude::Pubkey;
use backstop::border::text::date_text;
use backstop::peril::Period;
use backstop::peril::evidence::{Direction, Phase, Severity, Terms, TermsInput};
use backstop::peril::feed::Source;
use backstop::peril::reading::{READING_CHALLENGE, REPORT_WINDOW, Reading};
use backstop::state::{Form, Live, Product, ProductState, ProductTerms, Trigger};

/// Whether a product sells at `now`: `announced` before its notice is over, `no condition` before it has begun.
pub fn state(product: &Product, now: i64) -> &'static str {
    match product.state() {
        ProductState::Announced => "no condition",
        ProductState::Selling if now < product.sells_from => "announced",
        ProductState::Selling => "selling",
        ProductState::Frozen => "frozen",
        ProductState::RunOff => "run-off",
        ProductState::Over => "over",
    }
}

/// A condition on a price in words: `below 0.95 for 4 h`. The threshold is in 1e-8.
pub fn beyond_for(direction: Direction, threshold: u64, duration_seconds: u64) -> String {
    format!("{} {} for {}", view::trigger::direction(direction), exact_price(threshold), duration(duration_seconds))
}

/// When it pays.
pub fn condition(terms: &Terms) -> String {
    format!("the price is {}", beyond_for(terms.direction(), terms.threshold, terms.duration_seconds()))
}

/// When it pays, and what the price is where that is no market's.
pub fn pays_if(source: Source, terms: &Terms) -> String {
    let what = match source {
        Source::PythReceiver | Source::PythPush | Source::Attested => return condition(terms),
        Source::StakePoolRate => "what a token of the stake pool is worth in SOL",
        Source::SplLendingRate => "what a share of the lending reserve is worth",
        Source::VaultDrop => {
            let beyond = beyond_for(terms.direction(), terms.threshold, terms.duration_seconds());
            return format!(
                "the protocol's vaults hold {beyond}, as a part of the lowest that they held on any of the seven days before \
                 yesterday, and within 14 days of that enough attestors sign that it lost them"
            );
        }
    };
    let condition = condition(terms);
    format!("{condition}; the price is {what}, as a part of its own peak, and counts when it was read twice in a slot")
}

/// How a feed's condition is proven: two keys by what is read and what is reported.
pub fn proven_by(source: Source, terms: &Terms) -> String {
    match source {
        Source::PythReceiver | Source::PythPush | Source::Attested | Source::StakePoolRate | Source::SplLendingRate => {
            evidence(terms)
        }
        Source::VaultDrop => format!(
            "what the vaults hold, read twice in each of {} slots of {}, of which {} need not be so: that arms for 14 days, \
             in which nothing is sold; then a report of the attestors proves it at once, and what is paid is the lesser of \
             both, the fall and the loss that is reported",
            terms.need,
            duration(terms.slot_seconds.into()),
            duration(terms.tolerance_seconds()),
        ),
    }
}

/// How the condition is proven.
pub fn evidence(terms: &Terms) -> String {
    let (beyond, safer) = match terms.direction() {
        Direction::Below => ("below", "above"),
        Direction::Above => ("above", "below"),
    };
    format!(
        "a signed price {beyond} {threshold} in each of {} slots of {}, and no two at {threshold} or {safer} that lie {} \
         apart in the same slot; up to {} between them need not be so; two at {} or {safer} that lie so far apart in one \
         slot undo it; proven {} later",
        terms.need,
        duration(terms.slot_seconds.into()),
        duration(terms.apart().into()),
        duration(terms.tolerance_seconds()),
        exact_price(terms.recovery),
        duration(terms.challenge.into()),
        threshold = exact_price(terms.threshold),
    )
}

/// When a product pays, whatever its condition is made of.
pub fn condition_of(trigger: &Trigger) -> String {
    match trigger.form() {
        Form::Evidence => pays_if(trigger.source(), &trigger.terms),
        Form::Reading => reading_condition(&trigger.reading),
    }
}

/// How it is proven, whatever its condition is made of.
pub fn evidence_of(trigger: &Trigger) -> String {
    match trigger.form() {
        Form::Evidence => proven_by(trigger.source(), &trigger.terms),
        Form::Reading => reading_evidence(),
    }
}

/// How much a product pays, whatever its condition is made of.
pub fn payment_of(trigger: &Trigger, terms: &ProductTerms) -> String {
    let lost = match trigger.form() {
        Form::Evidence => payment(&trigger.terms),
        Form::Reading => reading_payment(&trigger.reading),
    };
    match borne(terms) {
        Some(borne) => format!("{lost}; less {borne}"),
        None => lost,
    }
}

/// What of a loss the holder bears by the claim terms, if anything.
pub fn borne(terms: &ProductTerms) -> Option<String> {
    let [deductible, coinsurance] = [terms.deductible_bps, terms.coinsurance_bps].map(|bps| percent(bps.into()));
    match (terms.deductible_bps, terms.coinsurance_bps) {
        (0, 0) => None,
        (_, 0) => Some(format!("the first {deductible} of the sum insured")),
        (0, _) => Some(format!("{coinsurance} of any loss")),
        _ => Some(format!("the first {deductible} of the sum insured and {coinsurance} of the rest of any loss")),
    }
}

/// What a buyer might think is covered and is not, whatever the condition is made of, in full sentences.
pub fn not_covered_of(trigger: &Trigger, terms: &ProductTerms) -> Vec<String> {
    let mut sentences = match trigger.form() {
        Form::Evidence => not_covered(&trigger.terms, terms.waiting_seconds),
        Form::Reading => reading_not_covered(terms.waiting_seconds),
    };
    sentences.extend(borne(terms).map(|borne| format!("You bear {borne} yourself.")));
    sentences
}

/// When a reading pays.
pub fn reading_condition(reading: &Reading) -> String {
    let direction = view::trigger::direction(reading.direction());
    format!("the value is {direction} {} on {}", exact_price(reading.strike), moment(reading.due_at))
}

/// How a reading is proven.
pub fn reading_evidence() -> String {
    format!(
        "a report of its attestors within {}; it stands for {}, and falls with signers who contradict themselves",
        duration(REPORT_WINDOW.unsigned_abs()),
        duration(READING_CHALLENGE.unsigned_abs())
    )
}

/// How much a reading pays.
pub fn reading_payment(reading: &Reading) -> String {
    let (towards, beyond) = match reading.direction() {
        Direction::Below => ("down", "below"),
        Direction::Above => ("up", "above"),
    };
    format!(
        "by that value: in proportion from {} {towards} to {}, all there and {beyond}",
        exact_price(reading.strike),
        exact_price(reading.exit)
    )
}

/// What a buyer of a reading's cover might think is covered and is not, in full sentences.
pub fn reading_not_covered(waiting_seconds: u32) -> Vec<String> {
    vec![
        "What pays is the value that the attestors report: whatever else was lost does not.".into(),
        format!(
            "All covers insure the whole period; nothing is sold or given back in the {} before it.",
            duration(waiting_seconds.into())
        ),
        "Without a report the whole premium goes back, and nothing is paid.".into(),
        "If the pool cannot pay every cover of an event, all are paid the same part.".into(),
    ]
}

/// A reading in one sentence: what pays, when it is due, and by whom it is attested.
pub fn reading_sentence(reading: &Reading, attestors: &Pubkey) -> String {
    let Period { active_day, end_day } = reading.period();
    format!(
        "Whoever is insured from {} to {} is paid if {}: {}; the attestors of the set {attestors} say what it was, and if \
         they say nothing in {}, every premium goes back.",
        date_text(active_day),
        date_text(end_day.saturating_sub(1)),
        reading_condition(reading),
        reading_payment(reading),
        duration(REPORT_WINDOW.unsigned_abs())
    )
}

/// Who signed the report that stands: places in the list of keys of its attestors, from 0.
pub fn reading_signers(reading: &Reading) -> Vec<u8> {
    (0..16).filter(|place| reading.signers & 1 << place != 0).collect()
}

/// How a reading stands, in words.
pub fn reading_state(reading: &Reading) -> String {
    let says = || format!("{}, which pays {}", exact_price(reading.value), percent(reading.severity_bps.into()));
    let signed = || {
        let keys: Vec<String> = reading_signers(reading).iter().map(u8::to_string).collect();
        format!("signed by its attestors' keys {}", keys.join(", "))
    };
    match (reading.phase(), reading.void) {
        (Phase::Final, 1) => "void: the whole premium goes back".into(),
        (Phase::Final, _) => format!("{}: resolved on {}; {}", says(), moment(reading.resolved_at), signed()),
        (Phase::Met, _) => {
            let until = reading.reported_at.saturating_add(READING_CHALLENGE);
            format!("{} if it stands until {}; {}", says(), moment(until), signed())
        }
        _ => format!("of {}, reported until {} at the latest", moment(reading.due_at), moment(reading.reports_until)),
    }
}

/// How much it pays.
pub fn payment(terms: &Terms) -> String {
    match terms.payout() {
        Severity::Binary => "the sum insured in full".into(),
        Severity::Linear { full_loss_price, min_severity_bps } => {
            let (towards, beyond, on) = match terms.direction() {
                Direction::Below => ("down", "below", "falls on"),
                Direction::Above => ("up", "above", "rises on"),
            };
            let grows = match terms.run_on {
                0 => String::new(),
                run_on => format!(
                    "; it can grow for {} after, if the price {on} before it was back for more than {}",
                    duration(run_on.into()),
                    duration(terms.tolerance_seconds())
                ),
            };
            format!(
                "by the mean price of that time: in proportion from {} {towards} to {}, all there and {beyond}, and at least \
                 {}{grows}",
                exact_price(terms.threshold),
                exact_price(full_loss_price),
                percent(min_severity_bps.into())
            )
        }
    }
}

/// What the risk keeper may set.
pub fn rate_bounds(terms: &ProductTerms) -> String {
    format!(
        "{} to {}, by {} a day at most",
        rate(terms.risk_rate_floor_ppb),
        rate(terms.risk_rate_ceiling_ppb),
        rate(terms.risk_rate_step_ppb)
    )
}

/// A risk rate with what is added to it and its bounds.
pub fn risk_rate(risk_rate_ppb: u64, terms: &ProductTerms) -> String {
    let loading = percent(terms.loading_bps.into());
    format!("{} a year and {loading} loading; {}", rate(risk_rate_ppb), rate_bounds(terms))
}

/// The demand curve.
pub fn demand_rate(terms: &ProductTerms) -> String {
    format!(
        "{} empty, {} at {} full, {} full",
        rate(terms.demand_at_zero_ppb),
        rate(terms.demand_at_kink_ppb),
        percent(terms.kink_bps.into()),
        rate(terms.demand_at_capacity_ppb)
    )
}

/// What a buyer might think is covered and is not, in full sentences.
pub fn not_covered(terms: &Terms, waiting_seconds: u32) -> Vec<String> {
    vec![
        format!(
            "A price {} {} for less than {} pays nothing, whatever was lost.",
            view::trigger::direction(terms.direction()),
            exact_price(terms.threshold),
            duration(terms.duration_seconds())
        ),
        format!(
            "An event that begins within the waiting time of {} pays the premium back, not the sum insured.",
            duration(waiting_seconds.into())
        ),
        "What pays is the oracle's price: a loss elsewhere, such as a hack, a frozen account or one exchange's price, does \
         not."
            .into(),
        "If the pool cannot pay every cover of an event, all are paid the same part.".into(),
    ]
}

/// A number that no product of a pool has: as many as were announced so far, or the next that is free.
///
/// Errors: the cluster does not answer.
pub fn free_id(cluster: &dyn Cluster, pool: &OpenPool) -> Result<u16, AccountError> {
    let mut id = pool.state.products;
    while account::find::<Product>(cluster, &address::product(&pool.keys.pool, id))?.is_some() {
        id = id.wrapping_add(1);
    }
    Ok(id)
}

/// Terms as a new condition states them.
pub fn restated(terms: &Terms) -> TermsInput {
    // What was created from whole seconds gives them back.
    let seconds = |seconds: u64| u32::try_from(seconds).unwrap_or(u32::MAX);
    TermsInput {
        direction: terms.direction(),
        threshold: terms.threshold,
        recovery: terms.recovery,
        severity: terms.payout(),
        duration_seconds: seconds(terms.duration_seconds()),
        slot_seconds: terms.slot_seconds,
        tolerance_seconds: seconds(terms.tolerance_seconds()),
        challenge_seconds: terms.challenge,
        run_on_seconds: terms.run_on,
        quiet_seconds: terms.quiet,
        confidence_multiplier: terms.confidence_multiplier,
    }
}

/// What creates a product with the terms of another one, at the risk rate that this one has now. `live`: what is shown of its
/// feed, if that has vaults.
pub fn renewal(product: &Product, trigger: &Trigger, live: Option<&Live>) -> NewProduct {
    NewProduct {
        name: product.name().to_owned(),
        uri: product.uri().to_owned(),
        wording_hash: product.wording_hash,
        covered_asset: product.covered_asset,
        terms: ProductTerms { risk_rate_ppb: product.risk_rate_ppb, ..product.terms },
        source: trigger.source(),
        feed: trigger.feed,
        attestors: trigger.source().is_reported().then_some(trigger.attestors),
        vaults: live.map(|live| live.vaults().to_vec()).unwrap_or_default(),
        condition: restated(&trigger.terms),
    }
}

/// A premium as a rate a year, in parts per billion of the sum insured, rounded up.
pub fn yearly_ppb(premium: u64, sum_insured: u64, term_days: u16) -> u64 {
    let yearly = u128::from(premium) * 365 * 1_000_000_000;
    let per_day = u128::from(sum_insured) * u128::from(term_days);
    u64::try_from(yearly.div_ceil(per_day.max(1))).unwrap_or(u64::MAX)
}

/// A rate with two decimals, rounded up: `4.37 %`.
pub fn yearly_text(ppb: u64) -> String {
    percent(ppb.div_ceil(100_000))
}

/// Why wallets cannot read a product's link, if they cannot.
pub fn link_problem(uri: &str) -> Option<String> {
    let end = uri.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let text = [".md", ".txt", ".html", ".htm", ".pdf", ".png", ".svg"].iter().find(|text| end.ends_with(**text));
    let secure = ["https://", "ipfs://", "ar://"].iter().any(|scheme| uri.starts_with(scheme));
    match text {
        _ if !secure => Some("The NFTs' link is none that wallets follow: https://, ipfs:// or ar://.".into()),
        Some(text) => Some(format!("The NFTs' link ends with {text}, which no wallet reads.")),
        None => None,
    }
}

/// What a product's link must point to, for whoever is about to fix it for good: wallets show what they read there.
pub fn link_note(uri: &str) -> String {
    let must = "It must point to a JSON file with name, description, image and external_url (the wording); wallets show a \
                placeholder otherwise.";
    let first = link_problem(uri).unwrap_or_else(|| "The NFTs carry the link for good.".into());
    format!("{first} {must}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop::peril::evidence::TermsInput;
    use backstop::peril::reading::{Reading, ReadingInput};

    fn terms(severity: Severity, run_on_seconds: u32) -> Terms {
        Terms::new(&TermsInput {
            direction: Direction::Below,
            threshold: 98_500_000,
            recovery: 99_000_000,
            severity,
            duration_seconds: 4 * 3_600,
            slot_seconds: 1_800,
            tolerance_seconds: 1_800,
            challenge_seconds: 6 * 3_600,
            run_on_seconds,
            quiet_seconds: 86_400,
            confidence_multiplier: 200,
        })
        .expect("they are within bounds")
    }

    #[test]
    fn terms_read_as_sentences_with_exact_prices() {
        let form = Severity::Linear { full_loss_price: 80_000_000, min_severity_bps: 500 };
        let linear = terms(form, 3 * 86_400);
        assert_eq!(condition(&linear), "the price is below 0.985 for 4 h");
        assert_eq!(
            evidence(&linear),
            "a signed price below 0.985 in each of 8 slots of 30 min, and no two at 0.985 or above that lie 3 min apart in \
             the same slot; up to 30 min between them need not be so; two at 0.99 or above that lie so far apart in one slot \
             undo it; proven 6 h later"
        );
        assert_eq!(
            payment(&linear),
            "by the mean price of that time: in proportion from 0.985 down to 0.80, all there and below, and at least 5.00 %; \
             it can grow for 72 h after, if the price falls on before it was back for more than 30 min"
        );
        assert!(payment(&terms(form, 0)).ends_with("and at least 5.00 %"));
    }

    #[test]
    fn a_product_on_prices_above_reads_as_its_mirror_image() {
        let severity = Severity::Linear { full_loss_price: 130_000_000, min_severity_bps: 500 };
        let above = Terms::new(&TermsInput {
            direction: Direction::Above,
            threshold: 110_000_000,
            recovery: 105_000_000,
            severity,
            duration_seconds: 4 * 3_600,
            slot_seconds: 1_800,
            tolerance_seconds: 1_800,
            challenge_seconds: 6 * 3_600,
            run_on_seconds: 3 * 86_400,
            quiet_seconds: 86_400,
            confidence_multiplier: 200,
        })
        .expect("they are within bounds");
        assert_eq!(condition(&above), "the price is above 1.10 for 4 h");
        assert!(evidence(&above).starts_with(
            "a signed price above 1.10 in each of 8 slots of 30 min, and no two at 1.10 or \
                                              below that lie 3 min apart"
        ));
        assert!(evidence(&above).contains("two at 1.05 or below"));
        assert_eq!(
            payment(&above),
            "by the mean price of that time: in proportion from 1.10 up to 1.30, all there and above, and at least 5.00 %; \
             it can grow for 72 h after, if the price rises on before it was back for more than 30 min"
        );
        assert!(not_covered(&above, 86_400).join(" ").contains("A price above 1.10 for less than 4 h"));
        assert!(
            view::trigger::counting(&above).starts_with("price - 2 x confidence above 1.10 counts; of prices + 2 x")
        );
    }

    #[test]
    fn a_reading_says_its_value_its_moment_and_what_it_pays() {
        let mut trigger: Trigger = bytemuck::Zeroable::zeroed();
        trigger.form = Form::Reading.byte();
        let input = ReadingInput {
            direction: Direction::Below,
            strike: 120 * 100_000_000,
            exit: 40 * 100_000_000,
            begins_day: 21_000,
            due_at: 21_090 * 86_400 + 23 * 3_600,
        };
        trigger.reading = Reading::new(&input, 20_000).expect("within bounds");
        assert_eq!(condition_of(&trigger), "the value is below 120.00 on 2027-09-29 23:00 UTC");
        let terms = ProductTerms { waiting_seconds: 3 * 86_400, ..bytemuck::Zeroable::zeroed() };
        let told = "by that value: in proportion from 120.00 down to 40.00, all there and below";
        assert_eq!(payment_of(&trigger, &terms), told);
        let shared = ProductTerms { coinsurance_bps: 1_000, ..terms };
        assert_eq!(payment_of(&trigger, &shared), format!("{told}; less 10.00 % of any loss"));
        assert!(evidence_of(&trigger).contains("within 336 h") && evidence_of(&trigger).contains("stands for 72 h"));
        let all = not_covered_of(&trigger, &terms).join(" ");
        assert!(all.contains("in the 72 h before it") && all.contains("the whole premium goes back"));
    }

    #[test]
    fn a_binary_product_says_so() {
        let binary = terms(Severity::Binary, 0);
        assert_eq!(payment(&binary), "the sum insured in full");
    }

    #[test]
    fn what_is_not_covered_names_threshold_duration_and_waiting_time() {
        let text = not_covered(&terms(Severity::Binary, 0), 2 * 86_400).join(" ");
        for fact in ["0.985", "4 h", "48 h", "the premium back", "the same part"] {
            assert!(text.contains(fact), "{fact}");
        }
    }

    #[test]
    fn a_link_that_no_wallet_reads_is_told() {
        for (uri, words) in [
            ("https://a.example/x.json", "carry the link for good"),
            ("ipfs://bafy", "carry the link for good"),
            ("https://a.example/x.MD?v=1", "ends with .md"),
            ("http://a.example/x.json", "none that wallets follow"),
            ("", "none that wallets follow"),
        ] {
            assert!(super::link_note(uri).contains(words) && super::link_note(uri).contains("JSON"), "{uri}");
        }
    }
}
