//! `backstop cover buy --receivers`: a cover for each of many wallets, a transaction each.

use crate::commands::args::{Source, asset_text};
use crate::commands::context::{Context, Preview, ROUNDS, UsageError, hinted, misused, plain, refused};
use crate::output::{BAD, GOOD, QUIET, WATCH, cell, exact_amount, listing, paint, table};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anyhow::{Context as _, Result};
use backstop::BuyCoverArgs;
use backstop::error::BackstopError;
use backstop::state::{Pool, day_of, get_text};
use backstop_client::act::{self, Order, Receiver as Account};
use backstop_client::cluster::{ClusterError, Receipt};
use backstop_client::explain::explain;
use backstop_client::transaction::{self, Pipeline};
use backstop_client::view;
use backstop_client::view::purchase::{free_numbers, rent};
use backstop_client::{address, instruction as ix, redact, text_file};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::collections::HashSet;
use std::path::Path;

/// Purchases that are under way at once: as many as are surely confirmed before their blockhash ends.
const AT_ONCE: usize = 16;

/// What became of one purchase.
#[derive(Serialize)]
struct Row {
    receiver: String,
    cover: String,
    mint: String,
    max_premium: u64,
    /// Whether the receiver could be paid today.
    receiver_account: Account,
    status: &'static str,
    signature: Option<String>,
    error: Option<String>,
}

/// The wallets of a list, an address a line. Empty lines and lines that begin with `#` are skipped.
fn read_receivers(text: &str) -> Result<Vec<Pubkey>, UsageError> {
    let mut receivers = Vec::new();
    let mut seen = HashSet::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let shown = redact::shown(line);
        let wrong = |what: &str| UsageError(format!("--receivers, line {}: {shown} {what}", index + 1));
        let receiver = line.parse().map_err(|_| wrong("is not an address"))?;
        if !seen.insert(receiver) {
            return Err(wrong("stands there twice"));
        }
        receivers.push(receiver);
    }
    if receivers.is_empty() {
        return Err(UsageError("--receivers names no wallet".into()));
    }
    Ok(receivers)
}

/// Buys a cover for each wallet in a file. What cannot be bought is reported and stops nothing else.
pub fn run(order: &Order, file: &Path, context: &Context) -> Result<()> {
    if context.options.handover.prints() {
        return Err(misused("--print-tx prints one transaction, and --receivers are many", "give --receiver"));
    }
    let text = text_file::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let receivers = read_receivers(&text)?;
    let cluster = context.cluster()?;
    let Order { keys, market, request, buyer, now, .. } = order;

    // What each costs after those before it, by the program's own code.
    let mut books = market.clone();
    let quotes = receivers.iter().map(|_| books.buy(*request, *now).map_err(refused)).collect::<Result<Vec<_>>>()?;
    if quotes.iter().any(|quote| quote.premium > order.most(quote.premium)) {
        return Err(refused(BackstopError::PremiumTooHigh));
    }
    let premiums: u64 = quotes.iter().map(|quote| quote.premium).sum();
    let most: u64 = quotes.iter().map(|quote| order.most(quote.premium)).sum();
    let decimals = market.pool.asset_decimals;
    let source = Source::of(&keys.pool, buyer, decimals, order.from);
    source.require(cluster, premiums).map_err(plain)?;
    let day = day_of(*now);
    let numbers = free_numbers(cluster, keys, buyer, day, &receivers)?;
    let payer = context.payer()?;
    let accounts = act::receivers(cluster, &keys.pool, &receivers);
    let purchases: Vec<_> = receivers
        .iter()
        .zip(&quotes)
        .zip(numbers)
        .zip(&accounts)
        .map(|(((receiver, quote), nonce), receiver_account)| {
            let max_premium = order.most(quote.premium);
            let arguments = BuyCoverArgs { nonce, day, request: *request, max_premium };
            let mint = address::cover_mint(&keys.product, buyer, nonce, day);
            let row = Row {
                receiver: receiver.to_string(),
                cover: address::cover(&mint).to_string(),
                mint: mint.to_string(),
                max_premium,
                receiver_account: *receiver_account,
                status: "simulated",
                signature: None,
                error: None,
            };
            (source.take(ix::buy_cover(keys, payer, *buyer, *receiver, arguments)), row)
        })
        .collect();

    let mut pipeline = context.pipeline()?;
    let count = purchases.len() as u64;
    let fee = pipeline.prepare(std::slice::from_ref(&purchases[0].0))?.fee.saturating_mul(count);
    let rent_lamports = rent(cluster, market, &quotes[0])?.saturating_mul(count);
    let asset = |units| asset_text(&market.pool, units);
    let mut preview = Preview {
        title: format!("Buy {count} covers of {}: {}", asset(request.sum_insured), market.product.name()),
        rows: vec![
            ("premiums", asset(premiums)),
            ("at most", asset(most)),
            ("days", request.term_days.to_string()),
            ("pays if", view::product::condition_of(&market.trigger)),
            ("pays", view::product::payment_of(&market.trigger, &market.product.terms)),
            ("rent", format!("{} SOL, back when the covers are over", exact_amount(rent_lamports, 9))),
        ],
        warnings: view::product::not_covered_of(&market.trigger, &market.product.terms),
    };
    preview.warnings.extend(unpayable(&receivers, &accounts, &market.pool));
    context.show(&preview, fee);
    let (instructions, mut rows): (Vec<_>, Vec<Row>) = purchases.into_iter().unzip();
    if !context.options.dry_run {
        context.ask("Go on?")?;
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} covers").expect("it is a template");
        let progress = ProgressBar::new(count).with_style(style);
        for (instructions, rows) in instructions.chunks(AT_ONCE).zip(rows.chunks_mut(AT_ONCE)) {
            buy(&mut pipeline, instructions, rows);
            progress.inc(instructions.len() as u64);
        }
        progress.finish_and_clear();
    }
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    context.options.output.print(&rows, |rows| display(rows))?;
    if failed == 0 {
        return Ok(());
    }
    let hint = "`backstop cover list --product` tells what was sold; buy again with a list of those that failed";
    Err(hinted(format!("{failed} of {count} covers were not bought, or nobody said so"), hint))
}

/// Sends purchases and writes down how each ended. What surely expired is sent again, each time for a higher fee.
fn buy(pipeline: &mut Pipeline, instructions: &[Instruction], rows: &mut [Row]) {
    let mut open: Vec<usize> = (0..rows.len()).collect();
    for lost in 0..ROUNDS {
        pipeline.lost_rounds = lost;
        let (mut sent, mut waiting) = (Vec::new(), Vec::new());
        for index in std::mem::take(&mut open) {
            match pipeline.prepare(std::slice::from_ref(&instructions[index])) {
                Ok(prepared) => {
                    sent.push(prepared);
                    waiting.push(index);
                }
                Err(why) => rows[index].end("failed", &why),
            }
        }
        for (outcome, index) in transaction::confirm(pipeline.cluster, &sent).into_iter().zip(waiting) {
            match outcome {
                Ok(receipt) => rows[index].confirmed(&receipt),
                Err(why @ ClusterError::Unknown { .. }) => rows[index].end("unknown", &why),
                Err(ClusterError::Expired { .. }) if lost + 1 < ROUNDS => open.push(index),
                Err(why) => rows[index].end("failed", &why),
            }
        }
    }
}

impl Row {
    fn confirmed(&mut self, receipt: &Receipt) {
        self.status = "confirmed";
        self.signature = Some(receipt.signature.to_string());
    }

    fn end(&mut self, status: &'static str, why: &ClusterError) {
        self.status = status;
        self.signature = why.signature().map(|signature| signature.to_string());
        self.error = Some(explain(why).sentence);
    }
}

/// Receivers that a warning names.
const NAMED: usize = 3;

/// What a buyer should know of receivers that could not be paid today: how many, and the first of them.
fn unpayable(receivers: &[Pubkey], accounts: &[Account], pool: &Pool) -> Vec<String> {
    let label = get_text(&pool.label);
    let mut warnings = Vec::new();
    let of = |kind: Account| -> Vec<String> {
        let those = receivers.iter().zip(accounts).filter(|(_, account)| **account == kind);
        those.map(|(receiver, _)| receiver.to_string()).collect()
    };
    for (kind, what, advice) in [
        (
            Account::Missing,
            format!("have no token account of {label} yet"),
            format!(
                " A payout needs one: cranks create it at their expense if their operators let them. To be sure, create it \
                 now: `spl-token create-account {} --owner WALLET`.",
                pool.asset_mint
            ),
        ),
        (
            Account::Frozen,
            format!("have an account of {label} that its issuer has frozen"),
            " Nothing can be paid into it until it is thawed.".into(),
        ),
        (
            Account::HandedOn,
            format!("have an account of {label} that belongs to somebody else"),
            " Nothing can be paid to them there.".into(),
        ),
        (
            Account::ProgramOwner,
            "are addresses of programs".into(),
            " Only those programs can move the NFT or take its payout elsewhere.".into(),
        ),
        (
            Account::Unknown,
            format!("may or may not have a token account of {label}"),
            " The cluster did not say.".into(),
        ),
    ] {
        let those = of(kind);
        if let Some(some) = those.get(..those.len().min(NAMED)).filter(|some| !some.is_empty()) {
            let more = if those.len() > NAMED { ", ..." } else { "" };
            let (count, all) = (those.len(), receivers.len());
            warnings.push(format!("{count} of {all} receivers {what}: {}{more}.{advice}", some.join(", ")));
        }
    }
    warnings
}

fn display(rows: &[Row]) -> String {
    let mut table = table(&["receiver", "account", "cover", "status"], &[]);
    for row in rows {
        let style = match row.status {
            "confirmed" => GOOD,
            "simulated" => QUIET,
            _ => BAD,
        };
        let (account, look) = match row.receiver_account {
            Account::Ready => ("ready", QUIET),
            Account::Missing => ("missing", WATCH),
            Account::Frozen => ("frozen", BAD),
            Account::HandedOn => ("not theirs", BAD),
            Account::ProgramOwner => ("a program's", WATCH),
            Account::Unknown => ("unknown", WATCH),
        };
        let receiver = cell(&row.receiver, QUIET);
        table.add_row([receiver, cell(account, look), cell(&row.cover, QUIET), cell(row.status, style)]);
    }
    let errors = rows.iter().filter_map(|row| Some(format!("{}: {}\n", row.receiver, paint(row.error.as_ref()?, BAD))));
    format!("{}{}", listing(&table), errors.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_are_read_a_line_each() {
        let [one, two] = [1, 2].map(|byte| Pubkey::new_from_array([byte; 32]));
        let read = read_receivers(&format!("# users\n{one}\n\n  {two}  \n")).expect("they are addresses");
        assert_eq!(read, [one, two]);
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let one = Pubkey::new_from_array([1; 32]);
        let told = |text: &str| read_receivers(text).unwrap_err().0;
        assert!(told("# users\nhello").contains("line 2: `hello` is not an address"));
        assert!(told(&format!("{one}\n{one}")).contains("line 2") && told(&format!("{one}\n{one}")).contains("twice"));
        assert!(told("# nobody").contains("no wallet"));
    }
}
