//! What had to happen, beside what the chain says.

use super::*;
use crate::demo::chain::{Books, Rule};
use crate::demo::expect::Expected;
use backstop_client::account;

impl Story<'_> {
    fn expected(&self, product: usize) -> Expected {
        expect::condition(&PRODUCTS[product].condition, &self.scenario.prints, self.scenario.confidence_e8)
    }

    /// Stated in advance, worked out from the prices, found on chain: three times the same.
    pub(super) fn check_triggers(&mut self) -> Result<(), DemoError> {
        let stress: Trigger = self.chain.read(&self.product(STRESS).trigger())?;
        let severe: Trigger = self.chain.read(&self.product(SEVERE).trigger())?;
        let evidence = &stress.evidence;
        let stated = self.scenario.stated;
        self.check("stress_triggered", "The stress product triggered", "final", phase_name(stress.phase()));
        self.check("event_at", "Its event began at the time stated in advance", stated.event_at, evidence.event_at);
        self.check("met_at", "Its condition was met at the time stated in advance", stated.met_at, evidence.met_at);
        self.check(
            "mean_price",
            "Its mean price is the one stated in advance",
            stated.mean_price_e8,
            evidence.lowest_mean,
        );
        self.check(
            "severity",
            "It pays the part stated in advance, in basis points",
            stated.severity_bps,
            evidence.severity_bps,
        );
        let found = stress.phase().is_triggered().then_some(expect::Event {
            event_at: evidence.event_at,
            met_at: evidence.met_at,
            mean_price_e8: evidence.lowest_mean,
            severity_bps: evidence.severity_bps,
        });
        let found = Expected { event: found, credited: evidence.longest_credited(&stress.terms).into() };
        let statement = "Worked out from the prices and the wording alone, it comes to the same";
        self.check("stress_recomputed", statement, format!("{:?}", self.expected(STRESS)), format!("{found:?}"));

        let expected = self.expected(SEVERE);
        let incident = account::find::<state::Incident>(&self.chain.cluster, &self.product(SEVERE).incident())?;
        let say = |triggered: bool, incident: bool, credited: u64| {
            format!("triggered: {triggered}, incident: {incident}, credited slots: {credited}")
        };
        let triggered = severe.phase().is_triggered();
        let credited = severe.evidence.longest_credited(&severe.terms).into();
        self.check(
            "severe_not_triggered",
            "The severe product did not trigger: the price was not below 0.90 for long enough",
            say(false, false, expected.credited),
            say(triggered || expected.event.is_some(), incident.is_some(), credited),
        );
        Ok(())
    }

    /// Every cover by the wording, from sums, dates and the severity that was stated in advance.
    pub(super) fn check_payouts(&mut self) -> Result<(), DemoError> {
        let stated = self.scenario.stated;
        let reserve_and_gross = self.incident.as_ref().map_or((0, 0), |incident| (incident.reserve, incident.gross));
        let (reserve, gross) = reserve_and_gross;
        let ended = self.ended;
        for sold in &mut self.covers {
            let stream = sold.stream();
            let cover = &mut sold.report;
            let claim = if sold.product != STRESS || cover.end <= stated.event_at {
                0
            } else if cover.active_from <= stated.event_at {
                cover.due = "loss".into();
                expect::claim(cover.sum_insured, stated.severity_bps)
            } else {
                cover.due = "refund".into();
                0
            };
            // Of its premium: what it had not earned when the alert began, if it had not begun at the event; the part that
            // was not lost of what it had not earned when the challenge was over, if it was in force.
            let back = match (cover.due.as_str(), ended) {
                ("refund", Some(ended)) => stream.unearned(ended.accrued_at),
                ("loss", Some(ended)) => expect::given_back(stream.unearned(ended.at), stated.severity_bps),
                _ => 0,
            };
            cover.expected = expect::payout(claim, reserve, gross) + back;
            cover.premium_back = back;
        }
        let reports: Vec<Cover> = self.covers.iter().map(|sold| sold.report.clone()).collect();
        for cover in &reports {
            self.owed_to(&cover.holder, cover.expected);
            let statement = match cover.due.as_str() {
                "loss" => format!("{} was paid sum insured x severity x ratio, and premium back", cover.holder),
                "refund" => format!("{} bought too late and got the premium back", cover.holder),
                _ => format!("{} is due nothing on the {} cover, which lives on", cover.holder, cover.product),
            };
            let name = format!("paid_{}_{}", cover.holder.to_lowercase(), cover.product);
            self.check(&name, &statement, units(cover.expected), units(cover.paid));
        }
        let sums =
            |due: &str, of: fn(&Cover) -> u64| reports.iter().filter(|cover| cover.due == due).map(of).sum::<u64>();
        let owed = expect::gross(sums("loss", |cover| cover.sum_insured), stated.severity_bps);
        self.check("gross", "The incident owes what its covers are due, to the unit", units(owed), units(gross));

        let dates = |sold: &Sold| (sold.report.active_from, sold.report.end);
        let wrong_dates = self.covers.iter().filter(|sold| dates(sold) != sold.onchain_days).count();
        let statement = "Every cover protects from the first midnight a day after its purchase, for its term";
        self.check("protection", statement, "0 covers differ", format!("{wrong_dates} covers differ"));
        let wrong_prices = self.covers.iter().filter(|sold| sold.quoted != sold.report.premium).count();
        self.check(
            "premiums",
            "Every premium is the one quoted",
            "0 covers differ",
            format!("{wrong_prices} covers differ"),
        );

        let due: BTreeMap<_, _> = self.people.iter().map(|(name, person)| (*name, person.due)).collect();
        let held: BTreeMap<_, _> =
            due.keys().map(|name| Ok((*name, self.balance(name)?))).collect::<Result<_, DemoError>>()?;
        let statement = "Every wallet holds what was paid in and out by these rules, to the unit";
        self.check("wallets", statement, format!("{due:?}"), format!("{held:?}"));
        Ok(())
    }

    pub(super) fn check_refusals(&mut self) {
        let expected: Vec<_> = self.refusals.iter().map(|refusal| refusal.expected.clone()).collect();
        let answers = self.refusals.iter().map(|refusal| refusal.error.clone().unwrap_or("accepted".into()));
        let answers: Vec<_> = answers.collect();
        self.check(
            "refusals",
            "What must not work was refused, each for its reason",
            expected.join(", "),
            answers.join(", "),
        );
        self.check("refusals_change_nothing", "No refusal changed a byte of a pool", true, self.untouched_by_refusals);
    }

    pub(super) fn check_books(&mut self) {
        let Books { looks, broken } = self.chain.books.clone();
        for (rule, name, statement) in [
            (Rule::Vault, "vault", "Every vault held at least what its pool's books say"),
            (Rule::Ledger, "ledger", "Every ledger's entries summed to its cash"),
            (Rule::Shares, "shares", "No more shares existed than the books say"),
            (Rule::Conservation, "conservation", "Wallets and vaults together held all USDT there is"),
        ] {
            let statement = format!("{statement}, after each of the {looks} transactions");
            self.check(name, &statement, "always", broken.get(&rule).map_or("always", String::as_str));
        }
    }

    pub(super) fn check(
        &mut self,
        name: &str,
        statement: &str,
        expected: impl std::fmt::Display,
        actual: impl std::fmt::Display,
    ) {
        let (expected, actual) = (expected.to_string(), actual.to_string());
        let holds = expected == actual;
        self.checks.push(Check { name: name.into(), statement: statement.into(), expected, actual, holds });
    }
}

/// An amount with all its decimals, for checks.
pub(super) fn units(amount: u64) -> String {
    format!("{}.{:06}", amount / ONE, amount % ONE)
}
