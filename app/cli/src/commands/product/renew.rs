//! `backstop product renew`.

use crate::commands::args::{ProductArg, asset_text};
use crate::commands::context::{Context, Preview, event, hinted};
use crate::output::{exact_amount, moment};
use anyhow::Result;
use backstop::events::ConditionSet;
use backstop::state::{Form, Live, Product, ProductState, Trigger};
use backstop_client::instruction::ProductKeys;
use backstop_client::view::product::{free_id, renewal};
use backstop_client::{Cluster, account, view};
use clap::Args;
use serde::Serialize;

/// Follow a product that triggered by a fresh one with the same terms. Governance signs.
///
/// A trigger fires once: its product is over and never sells again. The new one has a trigger of its own, and the risk rate
/// that the old one had in the end.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop product renew PRODUCT")]
pub struct RenewArgs {
    /// The product that triggered: its address, or MINT/POOL/PRODUCT.
    product: ProductArg,
}

#[derive(Serialize)]
struct Details {
    follows: String,
    product: String,
    trigger: String,
    pool: String,
    name: String,
    sells_from: i64,
    rent_lamports: u64,
}

pub fn run(args: &RenewArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let old = args.product.open(cluster)?;
    let Some(trigger) = account::find::<Trigger>(cluster, &old.keys.trigger())?.map(Box::new) else {
        let sentence = format!("{} has no condition yet: there is nothing to follow", old.state.name());
        return Err(hinted(sentence, "`backstop product create` makes another product beside it"));
    };
    if old.state.state() != ProductState::Over && !trigger.phase().is_triggered() {
        let sentence = format!("{} has not triggered: there is nothing to follow", old.state.name());
        return Err(hinted(sentence, "`backstop product create` makes another product beside it"));
    }
    if trigger.form() == Form::Reading {
        let sentence = format!("{} has its own period: nothing follows it in its vintage", old.state.name());
        return Err(hinted(sentence, "a plan with another vintage sells the next one: see migrations/vintages"));
    }
    let id = free_id(cluster, &old.pool)?;
    let keys = ProductKeys::derive(old.keys.pool, id);
    let live = account::find::<Live>(cluster, &old.keys.live())?;
    let product = renewal(&old.state, &trigger, live.as_ref());
    let (terms, condition) = (product.terms, trigger.terms);
    let rent_lamports = cluster.rent(Product::SPACE)?.saturating_add(cluster.rent(Trigger::SPACE)?);
    let instructions = product.instructions(context.wallet()?, context.payer()?, &keys, id);
    context.carry_out(&instructions, |receipt| {
        let sells_from = event::<ConditionSet>(receipt)?.sells_from;
        let preview = Preview {
            title: format!("Follow {} by a fresh product", old.state.name()),
            rows: vec![
                ("address", keys.product.to_string()),
                ("follows", old.keys.product.to_string()),
                ("pool", keys.pool.pool.to_string()),
                ("pays if", view::product::pays_if(trigger.source(), &condition)),
                ("pays", view::product::payment_of(&trigger, &terms)),
                ("risk rate", view::product::risk_rate(terms.risk_rate_ppb, &terms)),
                ("one cover", format!("{} at most", asset_text(&old.pool.state, terms.max_sum_insured))),
                ("wording", old.state.uri().to_owned()),
                ("sells from", moment(sells_from)),
                ("rent", format!("{} SOL", exact_amount(rent_lamports, 9))),
            ],
            warnings: Vec::new(),
        };
        let details = Details {
            follows: old.keys.product.to_string(),
            product: keys.product.to_string(),
            trigger: keys.trigger().to_string(),
            pool: keys.pool.pool.to_string(),
            name: old.state.name().to_owned(),
            sells_from,
            rent_lamports,
        };
        Ok((preview, details))
    })
}
