//! The report of the demo as a page for people.

use super::verdict;
use crate::output::chart::{Chart, Level, Mark, SLOT_LEGEND, slot_mark, ticks};
use crate::output::{
    self, ACCENT, BAD, Cell, GOOD, HEADING, QUIET, Table, WATCH, cell, paint, paragraph_within, table,
};
use anstyle::Style;
use backstop::peril::evidence::Direction;
use backstop_client::view;
use backstop_sandbox::demo::{Evidence, Moment, PrintSeen, Product, Report, What};
use std::fmt::Write;

/// Columns beside the price: its axis, and an edge.
const BESIDE_PLOT: usize = 10;

/// The report for people.
pub fn display(report: &Report, width: usize) -> String {
    let mut page = Page { report, text: String::new(), section: 0, width };
    page.title();
    page.sales();
    page.reinsurance();
    page.price();
    page.evidence();
    page.payout();
    page.waterfall();
    page.losses();
    page.refusals();
    page.costs();
    page.checks();
    page.verdict();
    page.text
}

struct Page<'a> {
    report: &'a Report,
    text: String,
    section: u32,
    width: usize,
}

impl Page<'_> {
    fn title(&mut self) {
        let report = self.report;
        self.text.push('\n');
        self.text.push_str(&paint("  BACKSTOP", ACCENT.bold()));
        self.text.push_str(&paint("  The USDC depeg of March 2023, on the real program\n\n", HEADING));
        self.say(&format!(
            "A cover is a policy: it pays a sum if an event happens. A Backstop cover is an NFT that pays by itself once signed \
             prices prove the event: no claim, no vote, no admin. For this run a Solana cluster was started inside this process, the compiled program ({} KB) \
             was loaded into it, and it was shown the {} prices that Chainlink published for USDC/USD from {} to {} 2023. \
             Everything below is read from that chain after {} transactions. At the end stands what it comes to, in five \
             lines.",
            report.program.bytes / 1_000,
            report.prints.len(),
            report.prints.first().map(|seen| output::date(seen.publish_time)).unwrap_or_default(),
            report.prints.last().map(|seen| output::date(seen.publish_time)).unwrap_or_default(),
            report.transactions,
        ));
    }

    fn sales(&mut self) {
        let report = self.report;
        self.heading("Who stands behind what");
        self.say(&format!(
            "The pool holds {} and insures against {}: it never pays in what it insures. What covers cost, the premium, \
             is earned by those who put capital in. Losses fall on the surplus first, which belongs to nobody, then on \
             junior, then on senior capital; junior earns more for it. A product names the event, here a price; its \
             trigger looks at the prices.",
            report.asset.symbol, report.covered.symbol,
        ));
        let mut capital = table(&["capital", "from", report.asset.symbol.as_str(), "role"], &[2]);
        for part in &report.capital {
            capital.add_row([&part.layer, &part.who, &self.amount(part.amount), role(&part.layer)]);
        }
        self.show(&capital);

        let mut products = table(&["product", "triggers when USDC/USD is", "and then pays"], &[]);
        for product in &report.products {
            let when =
                view::product::beyond_for(Direction::Below, product.threshold_e8, product.duration_seconds.into());
            let pays = match product.full_loss_e8 {
                Some(full_loss) => format!(
                    "in part: nothing at a mean price of {}, all at {}",
                    output::level(product.threshold_e8),
                    output::level(full_loss)
                ),
                None => "the whole sum insured".into(),
            };
            products.add_row([product.key.as_str(), &when, &pays]);
        }
        self.show(&products);

        let mut covers = table(&["buyer", "product", "sum insured", "premium", "bought", "protects"], &[2, 3]);
        for cover in &report.covers {
            covers.add_row([
                &cover.holder,
                &cover.product,
                &self.amount(cover.sum_insured),
                &self.amount(cover.premium),
                &output::date_time(cover.bought_at),
                &format!("{} to {}", output::date(cover.active_from), output::date(cover.end)),
            ]);
        }
        self.show(&covers);
    }

    fn reinsurance(&mut self) {
        let report = self.report;
        if report.treaties.is_empty() {
            return;
        }
        self.heading("Who stands behind the pool");
        self.say(
            "Two other pools reinsure it: for a part of the premium they bear a part of its losses, by treaties that the \
             program enforces. A quota share takes a fixed part of both. An excess of loss is a layer: it bears what one \
             event costs above a point, up to a limit. The protocol-owned pool belongs to nobody: it is fed for good and \
             takes no deposits. The open pool is anyone's: whoever deposits into it is a reinsurer.",
        );
        let mut treaties = table(&["treaty", "in short", "here"], &[]);
        for treaty in &report.treaties {
            let limit = self.amount(treaty.limit);
            let (short, here) = match (treaty.cession_bps, treaty.commission_bps) {
                (Some(cession), Some(commission)) => (
                    "takes a fixed part of premium and loss",
                    format!("{} up to {limit}, {} commission", rate(cession), rate(commission)),
                ),
                _ => (
                    "pays what a loss costs above a point",
                    format!(
                        "{limit} above {}, for {}",
                        self.amount(treaty.attachment.unwrap_or(0)),
                        rate(treaty.rate_on_line_bps.unwrap_or(0)),
                    ),
                ),
            };
            treaties.add_row([treaty_name(&treaty.key), short, &here]);
        }
        self.show(&treaties);

        let mut capital = table(&["pool", "reinsures by", "capital", "from", report.asset.symbol.as_str()], &[4]);
        for (reinsurer, treaty) in report.reinsurers.iter().zip(&report.treaties) {
            for part in &reinsurer.capital {
                let amount = self.amount(part.amount);
                capital.add_row([&reinsurer.name, treaty_name(&treaty.key), &part.layer, &part.who, &amount]);
            }
        }
        self.show(&capital);

        let mut paid = table(&["UTC", "reinsurance premium", report.asset.symbol.as_str(), "to"], &[2]);
        for moment in &report.moments {
            let amount = moment.amount.filter(|amount| *amount > 0);
            let (what, to) = match (moment.what, amount) {
                (What::TreatyAccepted, Some(_)) => ("the layer, for its whole term", 1),
                (What::PremiumCeded, Some(_)) => ("the quota share, of what was earned until then", 0),
                _ => continue,
            };
            let to = report.reinsurers.get(to).map(|reinsurer| format!("{} pool", reinsurer.name));
            paid.add_row([
                cell(output::date_time(moment.at), QUIET),
                cell(what, Style::new()),
                cell(self.amount(amount.unwrap_or(0)), Style::new()),
                cell(to.unwrap_or_default(), Style::new()),
            ]);
        }
        self.show(&paid);
    }

    fn price(&mut self) {
        let report = self.report;
        self.heading("The price, and what counted");
        let prices: Vec<_> = report.prints.iter().map(|seen| (seen.publish_time, seen.price_e8)).collect();
        let (Some((first, _)), Some((last, _))) = (prices.first(), prices.last()) else { return };
        self.say(&format!(
            "The prices reach the program as Pyth price updates, made by this cluster as if the oracle had signed them, \
             each with a confidence of {}, the oracle's own doubt up or down (Chainlink states none).{}",
            output::price(report.confidence_e8),
            self.when(),
        ));
        self.text.push('\n');
        // A column is half an hour: one slot of the stress product, half a slot of the severe one.
        const COLUMN: i64 = 1_800;
        let from = first.div_euclid(3_600) * 3_600;
        let room = self.width.saturating_sub(BESIDE_PLOT).max(1);
        let slots = usize::try_from((last - from) / COLUMN + 1).unwrap_or(1);
        // On a narrow page a column is as many half hours as have no room otherwise.
        let slots_in_column = slots.div_ceil(room).max(1);
        let columns = slots.div_ceil(slots_in_column);
        let column_seconds = COLUMN * i64::try_from(slots_in_column).unwrap_or(1);
        let names: Vec<_> = report.products.iter().map(|product| format!("{} threshold", product.key)).collect();
        let levels: Vec<_> = report
            .products
            .iter()
            .zip(&names)
            .zip([WATCH, BAD])
            .map(|((product, name), style)| Level { price_e8: product.threshold_e8, name, style })
            .collect();
        let marks = self.marks();
        let threshold = report.products.iter().map(|product| product.threshold_e8).max().unwrap_or(0);
        let line = |price: u64| if price < threshold { BAD.bold() } else { ACCENT.bold() };
        let chart = Chart {
            from,
            column_seconds,
            columns,
            top_e8: 100_000_000,
            step_e8: 625_000,
            rows: 21,
            prices: &prices,
            line: &line,
            levels: &levels,
            marks: &marks,
            width: self.width,
        };
        self.text.push_str(&chart.plot());
        self.text.push_str(&chart.axis(&ticks(from, *last, 6 * 3_600 * i64::try_from(slots_in_column).unwrap_or(1))));
        self.text.push_str(&chart.mark_names());
        self.text.push('\n');
        for product in &report.products {
            let note = format!(
                "{}/{} slots of {}",
                product.credited_slots,
                product.needed_slots,
                output::duration(product.slot_seconds.into()),
            );
            self.text.push_str(&chart.lane(&product.key, &lane(product), &note));
        }
        self.text.push_str(&paint(format!("          {SLOT_LEGEND}\n"), QUIET));
    }

    /// The hours of what triggered, in words.
    fn when(&self) -> String {
        let triggered = self.report.products.iter().find_map(|product| {
            let (event_at, met_at, paid_at) = (product.event_at?, product.met_at?, product.triggered_at?);
            let challenge = output::duration(product.challenge_seconds.into());
            Some(format!(
                " The {} event began on {} at {}. The condition was met at {}; for {challenge} anyone could show a price that \
                 contradicts it. Nobody could, and at {} the covers were paid.",
                product.key,
                output::date(event_at),
                output::time(event_at),
                output::time(met_at),
                output::time(paid_at),
            ))
        });
        triggered.unwrap_or_default()
    }

    fn marks(&self) -> Vec<Mark<'static>> {
        let triggered = self.report.products.iter().find(|product| product.triggered);
        let times = triggered.and_then(|product| {
            Some([
                Mark { at: product.event_at?, name: "event" },
                Mark { at: product.met_at?, name: "met" },
                Mark { at: product.triggered_at?, name: "paid" },
            ])
        });
        times.into_iter().flatten().collect()
    }

    fn evidence(&mut self) {
        let report = self.report;
        self.heading("How the evidence grew");
        self.say(
            "Time is cut into slots. A slot counts when a price in it was certainly below the threshold, its confidence \
             taken off: ■ of the stress product, which needs eight of them. Anyone may show a price; the program checks \
             that the oracle signed it. Listed is what changed something.",
        );
        let [Some(stress), Some(severe)] = [report.products.first(), report.products.get(1)] else { return };
        let mut rows = table(&["UTC", "USDC/USD", "stress", "severe", "what happened"], &[1]);
        let begin = report.prints.first().map_or(0, |seen| seen.publish_time);
        let mut moments = report.moments.iter().filter(|moment| moment.at >= begin).peekable();
        let mut before: Option<&PrintSeen> = None;
        for seen in &report.prints {
            while let Some(moment) = moments.next_if(|moment| moment.at < seen.publish_time) {
                rows.add_row(self.moment_row(moment));
            }
            let said: Vec<_> = [
                phase_change(stress, before.map(|before| &before.stress), &seen.stress),
                phase_change(severe, before.map(|before| &before.severe), &seen.severe),
            ]
            .into_iter()
            .flatten()
            .collect();
            let count = |seen: &PrintSeen| (seen.stress.credited_slots, seen.severe.credited_slots);
            let news = before.is_none_or(|before| count(before) != count(seen)) || !said.is_empty();
            let last = report.prints.last() == Some(seen);
            if news || last {
                let said = match before {
                    None => "the series begins".into(),
                    Some(_) if last => "the series ends".into(),
                    Some(_) => said.join("; "),
                };
                rows.add_row([
                    cell(output::date_time(seen.publish_time), QUIET),
                    cell(output::price(seen.price_e8), Style::new()),
                    evidence_cell(&seen.stress, stress),
                    evidence_cell(&seen.severe, severe),
                    cell(said, Style::new()),
                ]);
            }
            before = Some(seen);
        }
        for moment in moments {
            rows.add_row(self.moment_row(moment));
        }
        self.show(&rows);
    }

    fn moment_row(&self, moment: &Moment) -> [Cell; 5] {
        let who = moment.who.as_deref().unwrap_or_default();
        let amount = moment.amount.map(|amount| self.amount(amount)).unwrap_or_default();
        let said = match moment.what {
            What::CoverSold => format!("{who} buys a cover, hours too late"),
            What::Confirmed => "stress: not contradicted, triggered".into(),
            What::TreatyAccepted => format!("{} agreed", treaty_name(who)),
            What::PremiumCeded => format!("quota share is paid {amount} of premium"),
            What::TreatyPaid => format!("{} pays {amount}", treaty_name(who)),
            What::IncidentOpened => format!("incident opened: {amount} are due"),
            What::IncidentFunded => format!("all that is due set aside: {amount}"),
            What::CoverPaid => format!("{who} is paid {amount}"),
            What::PremiumReturned => format!("{who} gets the premium back: {amount}"),
            What::IncidentClosed => "incident closed, the pool goes on".into(),
        };
        let style = if moment.what == What::CoverPaid { GOOD } else { Style::new() };
        let blank = || cell("", Style::new());
        [cell(output::date_time(moment.at), QUIET), blank(), blank(), blank(), cell(said, style)]
    }

    fn payout(&mut self) {
        let report = self.report;
        self.heading("What was paid");
        let Some(incident) = &report.incident else {
            self.say("Nothing triggered, and nothing was paid.");
            return;
        };
        let product = report.products.iter().find(|product| product.key == incident.product);
        if let Some((product, mean)) = product.and_then(|product| Some((product, product.mean_price_e8?))) {
            let (threshold, full) = (product.threshold_e8, product.full_loss_e8.unwrap_or(0));
            self.say(&format!(
                "The mean price of the counted slots was {}. The wording pays ({} - {}) / ({} - {}) = {} of each sum \
                 insured. {}",
                output::price(mean),
                output::level(threshold),
                output::price(mean),
                output::level(threshold),
                output::level(full),
                output::percent(incident.severity_bps.into()),
                match incident.ratio_bps {
                    10_000 => "The pool had the capital, so every cover is paid all of it.".into(),
                    short => format!(
                        "The pool had too little capital: every cover is paid {} of it.",
                        output::percent(short)
                    ),
                },
            ));
        }
        let mut covers = table(&["holder", "product", "sum insured", "why", "due", "paid", ""], &[2, 4, 5]);
        for cover in &report.covers {
            let why = match cover.due.as_str() {
                "loss" => "in force at the event".into(),
                "refund" => "not in force yet: premium back".into(),
                _ => format!("{} did not trigger", cover.product),
            };
            let exact = cover.expected == cover.paid;
            covers.add_row([
                cell(&cover.holder, Style::new()),
                cell(&cover.product, Style::new()),
                cell(self.amount(cover.sum_insured), Style::new()),
                cell(why, Style::new()),
                cell(self.amount(cover.expected), Style::new()),
                cell(self.amount(cover.paid), if cover.paid > 0 { GOOD } else { Style::new() }),
                tick(exact),
            ]);
        }
        self.show(&covers);
    }

    fn waterfall(&mut self) {
        let report = self.report;
        let Some(incident) = &report.incident else { return };
        self.heading("Who bore it");
        self.say(
            "The loss runs down the tower. What the quota share leaves meets the layer, what the layer leaves meets the \
             pool's own capital. To the last unit:",
        );
        let mut parts = table(&["", "pool", report.asset.symbol.as_str(), "of it", ""], &[2, 3]);
        let row = |name: String, from: &str, amount: u64, of_gross: u64, bar: String, style: Style| {
            [
                cell(name, style),
                cell(from, Style::new()),
                cell(output::exact_amount(amount, report.asset.decimals), style),
                cell(output::percent(of_gross), style),
                cell(bar, style),
            ]
        };
        let gross = incident.gross;
        let bar_width = self.bar(62, 32);
        parts.add_row(row("gross loss".into(), "", gross, 10_000, waterfall_bar(0, gross, gross, bar_width), HEADING));
        let mut sum = 0;
        for part in &report.waterfall {
            let reinsurer = report.treaties.iter().position(|treaty| treaty.key == part.part);
            let from = match reinsurer.and_then(|number| report.reinsurers.get(number)) {
                Some(reinsurer) => reinsurer.name.as_str(),
                None if part.part == "unpaid" => "none",
                None => "cover",
            };
            let style = match (part.amount, reinsurer) {
                (0, _) => QUIET,
                (_, Some(_)) => ACCENT,
                _ => BAD,
            };
            let bar = waterfall_bar(sum, part.amount, gross, bar_width);
            parts.add_row(row(treaty_name(&part.part).into(), from, part.amount, part.of_gross_bps, bar, style));
            sum += part.amount;
        }
        let of_gross = report.waterfall.iter().map(|part| part.of_gross_bps).sum();
        let sums = if sum == gross { "= the gross loss ✔" } else { "is not the gross loss ✘" };
        parts.add_row(row("sum".into(), "", sum, of_gross, sums.into(), HEADING));
        self.show(&parts);
    }

    fn losses(&mut self) {
        let report = self.report;
        if report.layers.is_empty() {
            return;
        }
        self.text.push('\n');
        self.say(
            "In each of the three pools it fell on the surplus first, then junior, then senior. (Before: premium earned \
             until then included.)",
        );
        let mut layers = table(&["pool", "layer", "before", "lost", "after", ""], &[2, 3, 4]);
        let pools = std::iter::once(("cover", &report.layers))
            .chain(report.reinsurers.iter().map(|reinsurer| (reinsurer.name.as_str(), &reinsurer.layers)));
        let rows: Vec<_> = pools
            .flat_map(|(pool, layers)| layers.iter().map(move |layer| (pool, layer)))
            .filter(|(_, layer)| layer.before > 0)
            .collect();
        let most = rows.iter().map(|(_, layer)| layer.before).max().unwrap_or(1).max(1);
        let mut above = "";
        for (pool, layer) in rows {
            layers.add_row([
                cell(if pool == above { "" } else { pool }, Style::new()),
                cell(&layer.layer, Style::new()),
                cell(self.amount(layer.before), Style::new()),
                cell(self.amount(layer.lost), if layer.lost > 0 { BAD } else { QUIET }),
                cell(self.amount(layer.after), Style::new()),
                cell(remaining(layer.after, layer.before, most, self.bar(67, 30)), Style::new()),
            ]);
            above = pool;
        }
        self.show(&layers);
        let mut shares = table(
            &["one share of the cover pool", "at the start", "before the event", "after the payout", "at the end"],
            &[1, 2, 3, 4],
        );
        for (name, of) in [("junior", 0), ("senior", 1)] {
            let mut row = vec![cell(name, Style::new())];
            for prices in &report.share_prices {
                let price = if of == 0 { prices.junior_e6 } else { prices.senior_e6 };
                let style = if price < 1_000_000 { BAD } else { GOOD };
                row.push(cell(format!("{}.{:06}", price / 1_000_000, price % 1_000_000), style));
            }
            shares.add_row(row);
        }
        self.show(&shares);
        let ledger = &report.ledger;
        self.text.push('\n');
        self.say(&format!(
            "In the end the cover pool's vault holds {} {}, and its books say {}: surplus {}, junior {}, senior {}, and {} \
             of premium that is not earned yet.",
            self.amount(ledger.vault),
            report.asset.symbol,
            self.amount(ledger.cash),
            self.amount(ledger.surplus),
            self.amount(ledger.junior),
            self.amount(ledger.senior),
            self.amount(ledger.unearned_premium),
        ));
    }

    fn refusals(&mut self) {
        let report = self.report;
        self.heading("What the program refused");
        let mut refusals = table(&["UTC", "who", "tried what", "answer", "code"], &[4]);
        for refusal in &report.refusals {
            let refused = refusal.error.as_deref() == Some(refusal.expected.as_str());
            let answer = refusal.error.as_deref().unwrap_or("accepted");
            refusals.add_row([
                cell(output::date_time(refusal.at), QUIET),
                cell(&refusal.who, Style::new()),
                cell(&refusal.tried, Style::new()),
                cell(answer, if refused { WATCH } else { BAD }),
                cell(refusal.code.map(|code| code.to_string()).unwrap_or_default(), QUIET),
            ]);
        }
        self.show(&refusals);
    }

    fn costs(&mut self) {
        let report = self.report;
        self.heading("What it costs");
        self.say(&format!(
            "{} transactions. What they cost the network is counted in compute units (CU): of the program, by instruction; a \
             transaction may use 1,400,000.",
            report.transactions
        ));
        let mut costs = table(&["instruction", "calls", "min CU", "median", "max", ""], &[1, 2, 3, 4]);
        let most = report.compute_units.iter().map(|cost| cost.max).max().unwrap_or(1);
        for cost in &report.compute_units {
            costs.add_row([
                cell(&cost.instruction, Style::new()),
                cell(cost.calls, QUIET),
                cell(output::thousands(cost.min), Style::new()),
                cell(output::thousands(cost.median), Style::new()),
                cell(output::thousands(cost.max), Style::new()),
                cell(bar(cost.median, most, self.bar(63, 30) as u64), ACCENT),
            ]);
        }
        self.show(&costs);
    }

    fn checks(&mut self) {
        let report = self.report;
        self.heading("Is it true?");
        self.say(
            "Each line compares the chain with numbers stated in advance or worked out from the prices and the wording \
             alone, without the program's code.",
        );
        self.text.push('\n');
        for check in &report.checks {
            let (mark, style) = if check.holds { ("✔", GOOD) } else { ("✘", BAD) };
            // A number says more than that it is right.
            let number = check.actual.parse::<f64>().is_ok().then(|| format!(": {}", check.actual));
            let number = number.unwrap_or_default();
            let statement = format!("{}{number}", check.statement);
            let lines = paragraph_within(&statement, self.width.min(output::WIDEST_TEXT).saturating_sub(2));
            for (number, line) in lines.lines().enumerate() {
                let mark = if number == 0 { paint(mark, style) } else { " ".into() };
                let _ = writeln!(self.text, "  {mark} {}", line.trim_start());
            }
            if !check.holds {
                let said = format!("expected {}, found {}", check.expected, check.actual);
                let lines = paragraph_within(&said, self.width.saturating_sub(2));
                let _ = writeln!(self.text, "  {}", paint(lines.trim_end().replace('\n', "\n  "), BAD));
            }
        }
        let held = report.checks.iter().filter(|check| check.holds).count();
        let style = if report.holds { GOOD.bold() } else { BAD.bold() };
        let verdict = format!("{held} of {} hold.", report.checks.len());
        let took = format!(" {}.{} s.", report.elapsed_ms / 1_000, report.elapsed_ms % 1_000 / 100);
        let _ = writeln!(self.text, "\n  {}{}", paint(verdict, style), paint(took, QUIET));
    }

    /// What it comes to, in words, the terms, and what to do next.
    fn verdict(&mut self) {
        self.text.push_str(&verdict::display(self.report, self.width));
    }

    // ---- pieces ----

    fn heading(&mut self, text: &str) {
        self.section += 1;
        let _ = writeln!(self.text, "\n{}\n", paint(format!("  {}  {text}", self.section), HEADING));
    }

    fn say(&mut self, text: &str) {
        self.text.push_str(&paragraph_within(text, self.width.min(output::WIDEST_TEXT)));
    }

    fn show(&mut self, table: &Table) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
        self.text.push_str(&table.render(self.width));
    }

    /// Columns of a bar in a table whose other columns take so many; `most` of them, and a few always.
    fn bar(&self, others: usize, most: usize) -> usize {
        self.width.saturating_sub(others).clamp(8, most)
    }

    fn amount(&self, units: u64) -> String {
        output::amount(units, self.report.asset.decimals)
    }
}

/// The slots of a product's evidence.
fn lane(product: &Product) -> Vec<(i64, i64, char, Style)> {
    let shown = product.slots.iter().map(|slot| {
        let good = slot.good;
        let (shown, style) = slot_mark(slot.in_window, good);
        (slot.start, slot.end, shown, style)
    });
    shown.collect()
}

/// How a trigger's evidence stands: a square for each slot that is needed, or numbers if these are many.
fn evidence_cell(evidence: &Evidence, product: &Product) -> Cell {
    let (credited, needed) = (evidence.credited_slots, product.needed_slots);
    let squares = |count: u64, square: &str| square.repeat(usize::try_from(count).unwrap_or(0));
    let count = match needed {
        0..=10 => squares(credited, "■") + &squares(needed.saturating_sub(credited), "□"),
        _ => format!("{credited}/{needed}"),
    };
    let style = match evidence.phase.as_str() {
        "quiet" => QUIET,
        "breaching" => WATCH,
        _ => BAD,
    };
    cell(count, style)
}

/// What a change of phase means, in words.
fn phase_change(product: &Product, before: Option<&Evidence>, after: &Evidence) -> Option<String> {
    let key = &product.key;
    let before = before.map_or("quiet", |before| before.phase.as_str());
    if before == after.phase {
        return None;
    }
    match after.phase.as_str() {
        "breaching" => Some(format!("{key} alert: sales and exits wait")),
        "met" => {
            let challenge = output::duration(product.challenge_seconds.into());
            Some(format!("{key}: met; {challenge} to contradict it"))
        }
        "quiet" => Some(format!("{key}: it did not last, quiet again")),
        _ => None,
    }
}

fn tick(holds: bool) -> Cell {
    if holds { cell("✔", GOOD) } else { cell("✘", BAD) }
}

/// What a treaty, or a part of the waterfall, is called.
fn treaty_name(key: &str) -> &str {
    match key {
        "quota_share" => "quota share",
        "excess_of_loss" => "excess of loss",
        other => other,
    }
}

/// A rate in percent, without decimals if it has none: `30 %`.
fn rate(bps: u16) -> String {
    if bps.is_multiple_of(100) { format!("{} %", bps / 100) } else { output::percent(bps.into()) }
}

/// When capital of a kind loses.
fn role(layer: &str) -> &'static str {
    match layer {
        "surplus" => "first to lose, belongs to nobody",
        "junior" => "second to lose",
        _ => "last to lose",
    }
}

/// A bar from `from` on, against the `whole`: where the one before it ended.
fn waterfall_bar(from: u64, length: u64, whole: u64, width: usize) -> String {
    let width = width as u64;
    let column = |value: u64| {
        let column = (u128::from(value) * u128::from(width * 2) / u128::from(whole.max(1))).div_ceil(2);
        usize::try_from(column).unwrap_or(0)
    };
    let (from, to) = (column(from), column(from + length));
    " ".repeat(from) + &"█".repeat(to - from)
}

/// A bar of `value` against `most`, at least one block long.
fn bar(value: u64, most: u64, width: u64) -> String {
    let blocks = (value * width).div_ceil(most.max(1)).max(1);
    "▇".repeat(usize::try_from(blocks).unwrap_or(1))
}

/// What is left of a layer, and what is gone, in proportion to the largest.
fn remaining(after: u64, before: u64, most: u64, width: usize) -> String {
    let blocks = |value: u64| usize::try_from((value * width as u64).div_ceil(most)).unwrap_or(0);
    let left = blocks(after);
    "█".repeat(left) + &"░".repeat(blocks(before).saturating_sub(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstop_sandbox::demo::{self, Scenario};
    use std::sync::LazyLock;

    static REPORT: LazyLock<Report> = LazyLock::new(|| demo::run().expect("the demo plays to its end"));

    #[test]
    fn the_display_fits_its_page() {
        for width in [80, 100, 160] {
            for line in output::plain(&display(&REPORT, width)).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn the_display_names_the_outcome() {
        let text = output::plain(&display(&REPORT, 100));
        for said in ["0.90965", "26.90 %", "16,258.36", "6,796.62", "OracleWrongOwner", "▲ event", "settle_cover"] {
            assert!(text.contains(said), "{said} is not in:\n{text}");
        }
        assert!(!text.contains('✘'), "{text}");
    }

    #[test]
    fn the_waterfall_shows_each_part_where_the_one_before_it_ended_and_the_sum() {
        let text = output::plain(&display(&REPORT, 100));
        let line = |start: &str| {
            let mut lines = text.lines().skip_while(|line| !line.contains("gross loss"));
            lines.find(|line| line.trim_start().starts_with(start)).expect("the part has a line").to_owned()
        };
        let blocks = |start: &str| {
            let line = line(start);
            let columns: Vec<usize> = (0..).zip(line.chars()).filter(|(_, c)| *c == '█').map(|(at, _)| at).collect();
            (columns.first().copied().unwrap_or(0), columns.last().copied().unwrap_or(0) + 1)
        };
        let parts = ["quota share", "excess of loss", "surplus", "junior"];
        let (begin, end) = blocks("gross loss");
        assert_eq!(
            parts.iter().fold(begin, |at, part| {
                assert_eq!(blocks(part).0, at, "{part}:\n{text}");
                blocks(part).1
            }),
            end
        );
        let decimals = |text: &str| text.split_whitespace().find(|word| word.contains(',')).map(ToOwned::to_owned);
        assert_eq!(decimals(&line("sum")), decimals(&line("gross loss")));
        assert!(line("sum").contains("100.00 %  = the gross loss ✔"));
    }

    #[test]
    fn a_waterfall_that_does_not_add_up_says_so() {
        let mut report = REPORT.clone();
        report.waterfall.first_mut().expect("there was an incident").amount += 1;
        assert!(display(&report, 100).contains("is not the gross loss ✘"));
    }

    fn played(price: impl Fn(u64) -> u64) -> String {
        let mut scenario = Scenario::march_2023();
        for print in &mut scenario.prints {
            print.price_e8 = price(print.price_e8);
        }
        let report = demo::play(&scenario, &mut |_| {}).expect("the demo plays to its end");
        let text = output::plain(&display(&report, 100));
        for width in [80, 100] {
            let shown = output::plain(&display(&report, width));
            let (shown, _) = shown.split_once("Is it true?").expect("the checks come last");
            assert!(shown.lines().all(|line| line.chars().count() <= width), "{shown}");
        }
        text
    }

    #[test]
    fn other_outcomes_can_be_shown_too() {
        let calm = played(|price| price.max(95_000_000));
        assert!(calm.contains("Nothing triggered") && !calm.contains("Who bore it"), "{calm}");
        let deep = played(|price| if price < 95_000_000 { 82_000_000 } else { price });
        assert!(deep.contains("= the gross loss ✔") && deep.contains("excess of loss pays 10,000.00"), "{deep}");
    }

    #[test]
    fn tables_keep_each_row_on_a_line() {
        let text = output::plain(&display(&REPORT, 100));
        for row in ["quota share     takes a fixed part of premium and loss", "30 % up to 60,000.00, 20 % commission"] {
            assert!(text.contains(row), "{row} is not in:\n{text}");
        }
        assert!(text.contains("10,000.00 above 10,000.00, for 2 %"), "{text}");
    }
}
