//! `backstop trigger observe`, `refresh`, `confirm` and `resolve`: what anyone may do to a trigger.

use crate::commands::args::{OpenProduct, ProductArg};
use crate::commands::context::{Context, Preview, hinted};
use crate::output::{exact_price, moment, price};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use anyhow::Result;
use backstop::events::{Observed, PhaseChanged, ReadingShown};
use backstop::peril::evidence::{Phase, Terms};
use backstop::peril::feed::{self, Observation};
use backstop::state::{Form, Live, Trigger};
use backstop_client::cluster::Receipt;
use backstop_client::view::trigger::phase;
use backstop_client::view::{self, trigger::price_account};
use backstop_client::{Cluster, account, instruction as ix, transaction};
use clap::Args;
use serde::Serialize;

/// Show an oracle price to a trigger. Anyone may, at any time.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop trigger observe PRODUCT --price ACCOUNT")]
pub struct ObserveArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
    /// The account: a Pyth price update of the feed, its price account of the push oracle, or what a live feed reads. Without
    /// it the feed's own, or its standing account.
    #[arg(long, value_name = "ACCOUNT")]
    price: Option<Pubkey>,
}

/// Bring a trigger's phase up to now. Anyone may, at any time.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop trigger refresh PRODUCT")]
pub struct RefreshArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
}

/// Make a trigger final that was met and not contradicted in time. Anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop trigger confirm PRODUCT")]
pub struct ConfirmArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
}

/// Resolve a reading whose report has stood for three days, has fallen, or did not come in time. Anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop trigger resolve PRODUCT")]
pub struct ResolveArgs {
    /// The product, its trigger or its incident.
    product: ProductArg,
}

#[derive(Serialize)]
struct Details {
    product: String,
    trigger: String,
    phase_before: &'static str,
    phase_after: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    print: Option<Print>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_price_e8: Option<u64>,
}

#[derive(Serialize)]
struct Print {
    account: String,
    price_e8: u64,
    confidence_e8: u64,
    publish_time: i64,
    says: &'static str,
    /// Whether it changes anything: a print that was shown before does not, nor a live reading that nothing confirms.
    is_news: bool,
}

impl Print {
    fn of(account: Pubkey, print: &Observation, says: &'static str, is_news: bool) -> Self {
        Self {
            account: account.to_string(),
            price_e8: print.price,
            confidence_e8: print.confidence,
            publish_time: print.publish_time,
            says,
            is_news,
        }
    }
}

fn open(cluster: &dyn Cluster, product: ProductArg) -> Result<(OpenProduct, Box<Trigger>)> {
    let product = product.find(cluster)?;
    let trigger = Box::new(account::trigger_of(cluster, product.keys.product, &product.state)?);
    Ok((product, trigger))
}

pub fn observe(args: &ObserveArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let (product, trigger) = open(cluster, args.product)?;
    if trigger.has_two_keys() {
        let live: Live = account::fetch(cluster, &product.keys.live())?;
        let first = live.vaults().first().copied().unwrap_or_default();
        let show = ix::observe_vaults(&product.keys, live.vaults());
        return carry_out(context, &product, &trigger, show, |receipt| reading(first, &trigger.terms, receipt));
    }
    let address = args.price.or_else(|| price_account(&trigger)).ok_or_else(|| {
        let hint = "`backstop attest submit` shows a report that enough of them have signed";
        hinted("the product's feed takes reports of attestors, and no price account", hint)
    })?;
    let found = cluster.account(&address)?.ok_or_else(|| {
        let hint = "name one with --price; the Pyth receiver's accounts are made by posting an update to it";
        hinted(format!("there is no price account at {address}"), hint)
    })?;
    if trigger.source().is_live() {
        let show = ix::observe_live(&product.keys, address);
        return carry_out(context, &product, &trigger, show, |receipt| reading(address, &trigger.terms, receipt));
    }
    // What the program will read; if it refuses, the simulation says so in the program's own words.
    let read = feed::read(trigger.source(), &address, &found.owner, &found.data, &trigger.feed, cluster.now()?).ok();
    carry_out(context, &product, &trigger, ix::observe(&product.keys, address), |receipt| {
        let is_news = !transaction::events::<Observed>(&receipt.logs).is_empty();
        let says = |print: &Observation| view::trigger::class(trigger.terms.direction(), trigger.terms.classify(print));
        read.map(|print| Print::of(address, &print, says(&print), is_news))
    })
}

/// What a live reading came to.
fn reading(account: Pubkey, terms: &Terms, receipt: &Receipt) -> Option<Print> {
    let shown = transaction::events::<ReadingShown>(&receipt.logs).into_iter().next()?;
    let print = Observation { price: shown.price, confidence: 0, publish_time: shown.shown_at };
    let says = match shown.price {
        0 => "no price: nothing measures it yet",
        _ => view::trigger::class(terms.direction(), terms.classify(&print)),
    };
    let is_news = !transaction::events::<Observed>(&receipt.logs).is_empty();
    Some(Print::of(account, &print, says, is_news))
}

pub fn refresh(args: &RefreshArgs, context: &Context) -> Result<()> {
    let (product, trigger) = open(context.cluster()?, args.product)?;
    carry_out(context, &product, &trigger, ix::refresh(&product.keys), |_| None)
}

pub fn confirm(args: &ConfirmArgs, context: &Context) -> Result<()> {
    let (product, trigger) = open(context.cluster()?, args.product)?;
    carry_out(context, &product, &trigger, ix::confirm(&product.keys), |_| None)
}

pub fn resolve(args: &ResolveArgs, context: &Context) -> Result<()> {
    let (product, trigger) = open(context.cluster()?, args.product)?;
    if trigger.form() != Form::Reading {
        let hint = "`backstop trigger confirm` makes final what was met and not contradicted in time";
        return Err(hinted(
            "this product pays by how long a price is beyond its threshold, and takes no reading",
            hint,
        ));
    }
    carry_out(context, &product, &trigger, ix::resolve_reading(&product.keys, trigger.attestors), |_| None)
}

fn carry_out(
    context: &Context,
    product: &OpenProduct,
    trigger: &Trigger,
    instruction: Instruction,
    print: impl FnOnce(&Receipt) -> Option<Print>,
) -> Result<()> {
    context.carry_out(&[instruction], |receipt| {
        let before = trigger.phase();
        let changed = transaction::events::<PhaseChanged>(&receipt.logs).into_iter().next();
        let after = changed.as_ref().and_then(|changed| Phase::from_byte(changed.after)).unwrap_or(before);
        let triggered = changed.filter(|_| after.is_triggered());
        let print = print(receipt);
        let mut rows = vec![("trigger", product.keys.trigger().to_string())];
        if let Some(print) = &print {
            rows.push(("price", format!("{} ± {}", exact_price(print.price_e8), exact_price(print.confidence_e8))));
            rows.push(("published", moment(print.publish_time)));
            let known = if print.is_news { "" } else { ", shown before: it changes nothing" };
            rows.push(("says", format!("{}{known}", print.says)));
        }
        rows.push((
            "phase",
            match before == after {
                true => format!("{}, as before", phase(before)),
                false => format!("{} -> {}", phase(before), phase(after)),
            },
        ));
        if let Some(triggered) = &triggered {
            rows.push(("event", moment(triggered.event_at)));
            let what = if trigger.form() == Form::Reading { "value" } else { "mean price" };
            rows.push((what, price(triggered.mean_price)));
        }
        let verb = if print.is_some() { "Show a price to" } else { "Bring up to now" };
        let preview = Preview {
            title: format!("{verb}: {}", product.state.name()),
            rows,
            warnings: warning(before, after).into_iter().map(ToOwned::to_owned).collect(),
        };
        let details = Details {
            product: product.keys.product.to_string(),
            trigger: product.keys.trigger().to_string(),
            phase_before: phase(before),
            phase_after: phase(after),
            print,
            event_at: triggered.as_ref().map(|triggered| triggered.event_at),
            mean_price_e8: triggered.as_ref().map(|triggered| triggered.mean_price),
        };
        Ok((preview, details))
    })
}

/// What a change of phase means for everybody.
fn warning(before: Phase, after: Phase) -> Option<&'static str> {
    match after {
        _ if before == after => None,
        Phase::Quiet => None,
        Phase::Breaching => Some(
            "If the product has covers, the pool is in alert: until it is over nothing is sold beside it, and unless it is small \
                  nobody deposits or leaves.",
        ),
        Phase::Met => {
            Some("The condition is met: until the challenge is over, a price that contradicts it undoes that.")
        }
        Phase::Triggered => Some("The event is proven: what its covers are paid can only grow until it is final."),
        Phase::Final => Some("This is final: the product is over, and its covers are paid."),
    }
}
