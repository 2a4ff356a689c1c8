//! `backstop treaty accept`, `premium`, `commute` and `end`.

use crate::commands::context::{Context, Preview, event, hinted};
use crate::output::moment;
use crate::output::moment_from;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::events::{TreatyAccepted, TreatyCommuted, TreatyPremiumSettled};
use backstop::state::day_start;
use backstop_client::view::OpenTreaty;
use backstop_client::view::treaty::{
    a_kind, books, gets, gives, kind, pool, reinstatements, released_from, status, term,
};
use backstop_client::{Cluster, instruction as ix};
use clap::Args;
use serde::Serialize;

/// Put an announced treaty in force for both pools. Governance signs, after its notice and before its term.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop treaty accept TREATY")]
pub struct AcceptArgs {
    /// The treaty.
    treaty: Pubkey,
}

/// Hand over the premium that a cedant owes to its quota share. Anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop treaty premium TREATY")]
pub struct PremiumArgs {
    /// The quota share.
    treaty: Pubkey,
}

/// End a treaty's term in three days, by agreement of both sides. Governance signs.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop treaty commute TREATY")]
pub struct CommuteArgs {
    /// The treaty.
    treaty: Pubkey,
}

/// Release the limit of a treaty that nothing can be asked of any more, and close it. Anyone may.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  backstop treaty end TREATY")]
pub struct EndArgs {
    /// The treaty.
    treaty: Pubkey,
}

#[derive(Serialize)]
struct Accepted {
    treaty: String,
    cedant: String,
    reinsurer: String,
    kind: &'static str,
    limit: u64,
    premium: u64,
    decimals: u8,
    start: i64,
    end: i64,
}

pub fn accept(args: &AcceptArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let treaty = OpenTreaty::read(cluster, args.treaty)?;
    match status(&args.treaty, &treaty.state, &treaty.cedant.state, now) {
        "announced" => {
            let (from, until) = (moment_from(treaty.state.notice_until, now), moment_from(treaty.state.start(), now));
            return Err(hinted("the treaty's notice is not over", format!("accept it from {from} until {until}")));
        }
        "lapsed" => {
            let hint = format!("announce another one; this one is closed by `backstop treaty end {}`", args.treaty);
            return Err(hinted("the treaty was not accepted before its term began, and cannot be now", hint));
        }
        _ => {}
    }
    let instruction = ix::accept_treaty(context.wallet()?, &treaty.keys);
    context.carry_out(&[instruction], |receipt| {
        let accepted = event::<TreatyAccepted>(receipt)?;
        let amount = |units| treaty.asset(units);
        let (cedant, reinsurer) = (books(&treaty.cedant, now), books(&treaty.reinsurer, now));
        let limits = reinsurer.open_limits().unwrap_or_default();
        let mut rows = vec![
            ("treaty", args.treaty.to_string()),
            ("cedant", pool(&treaty.cedant)),
            ("gives", gives(&treaty.state, &amount)),
            ("gets", gets(&treaty.state, &amount)),
        ];
        if accepted.premium > 0 {
            let left = cedant.surplus.saturating_sub(accepted.premium);
            rows.push(("surplus", format!("{} -> {}", amount(cedant.surplus), amount(left))));
        }
        rows.extend([
            ("reinsurer", pool(&treaty.reinsurer)),
            ("open limits", format!("{} -> {}", amount(limits), amount(limits.saturating_add(treaty.state.limit)))),
            ("its capital", amount(reinsurer.staying_capital().unwrap_or_default())),
            ("term", term(&treaty.state)),
        ]);
        rows.extend(reinstatements(&treaty.state).map(|text| ("reinstatements", text)));
        let preview = Preview {
            title: format!("Put {} in force", a_kind(&treaty.state.kind)),
            rows,
            warnings: vec!["The reinsurer holds capital for the limit from now until the treaty is ended.".into()],
        };
        let details = Accepted {
            treaty: args.treaty.to_string(),
            cedant: treaty.state.cedant.to_string(),
            reinsurer: treaty.state.reinsurer.to_string(),
            kind: kind(&treaty.state.kind),
            limit: treaty.state.limit,
            premium: accepted.premium,
            decimals: treaty.cedant.decimals,
            start: treaty.state.start(),
            end: treaty.state.end(),
        };
        Ok((preview, details))
    })
}

#[derive(Serialize)]
struct PremiumPaid {
    treaty: String,
    cedant: String,
    reinsurer: String,
    amount: u64,
    decimals: u8,
    /// When the reinsurer has earned it.
    earned_until: i64,
}

pub fn premium(args: &PremiumArgs, context: &Context) -> Result<()> {
    let treaty = OpenTreaty::read(context.cluster()?, args.treaty)?;
    let instruction = ix::settle_treaty_premium(&treaty.cedant.keys, treaty.state.reinsurer);
    context.carry_out(&[instruction], |receipt| {
        let settled = event::<TreatyPremiumSettled>(receipt)?;
        let earned_until = day_start(settled.end_day);
        let preview = Preview {
            title: format!("Hand over {} of premium", treaty.asset(settled.amount)),
            rows: vec![
                ("from", pool(&treaty.cedant)),
                ("to", pool(&treaty.reinsurer)),
                ("earned until", moment(earned_until)),
            ],
            warnings: Vec::new(),
        };
        let details = PremiumPaid {
            treaty: args.treaty.to_string(),
            cedant: treaty.state.cedant.to_string(),
            reinsurer: treaty.state.reinsurer.to_string(),
            amount: settled.amount,
            decimals: treaty.cedant.decimals,
            earned_until,
        };
        Ok((preview, details))
    })
}

#[derive(Serialize)]
struct Commuted {
    treaty: String,
    end: i64,
    /// Unearned premium that goes back to the cedant's surplus.
    returned: u64,
    decimals: u8,
}

pub fn commute(args: &CommuteArgs, context: &Context) -> Result<()> {
    let treaty = OpenTreaty::read(context.cluster()?, args.treaty)?;
    let instruction = ix::commute_treaty(context.wallet()?, &treaty.keys);
    context.carry_out(&[instruction], |receipt| {
        let commuted = event::<TreatyCommuted>(receipt)?;
        let end = day_start(commuted.end_day);
        let preview = Preview {
            title: format!("End the term of {} in three days", a_kind(&treaty.state.kind)),
            rows: vec![
                ("treaty", args.treaty.to_string()),
                ("cedant", pool(&treaty.cedant)),
                ("gets back", treaty.asset(commuted.returned)),
                ("reinsurer", pool(&treaty.reinsurer)),
                ("term ends", format!("{}, and not {}", moment(end), moment(treaty.state.end()))),
            ],
            warnings: vec![format!("Events from {} on are no longer reinsured by it.", moment(end))],
        };
        let decimals = treaty.cedant.decimals;
        Ok((preview, Commuted { treaty: args.treaty.to_string(), end, returned: commuted.returned, decimals }))
    })
}

#[derive(Serialize)]
struct Ended {
    treaty: String,
    cedant: String,
    reinsurer: String,
    /// Limit that the reinsurer need no longer hold capital for.
    released: u64,
    decimals: u8,
    rent_payer: String,
}

/// Refuses a treaty that the program would not end yet, with what it waits for.
fn require_over(treaty: &OpenTreaty, now: i64) -> Result<()> {
    let (state, cedant) = (&treaty.state, &treaty.cedant.state);
    let hint = match status(&treaty.keys.treaty, state, cedant, now) {
        "announced" | "acceptable" => {
            format!("a treaty that is not accepted ends from {} on", moment_from(state.start(), now))
        }
        "lapsed" => return Ok(()),
        "over" if books(&treaty.cedant, now).payable_of(&treaty.keys.treaty) == 0 => return Ok(()),
        "over" => format!("hand its premium over first: `backstop treaty premium {}`", treaty.keys.treaty),
        _ if treaty.owed() > 0 => "call it first: `backstop incident call` for the incidents that it owes".into(),
        "run-off" if cedant.alerts_due > 0 => {
            "wait until the cedant's alert is over: `backstop trigger show` tells".into()
        }
        _ => format!(
            "it ends from {} on, when no event of its term can be proven any more",
            moment_from(released_from(state, cedant), now)
        ),
    };
    Err(hinted("the treaty's limit may still be needed", hint))
}

pub fn end(args: &EndArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let treaty = OpenTreaty::read(cluster, args.treaty)?;
    require_over(&treaty, now)?;
    let rent_payer = treaty.state.rent_payer;
    context.carry_out(&[ix::end_treaty(&treaty.keys, rent_payer)], |_| {
        let released = treaty.open_limit();
        let preview = Preview {
            title: format!("End {}", a_kind(&treaty.state.kind)),
            rows: vec![
                ("treaty", args.treaty.to_string()),
                ("cedant", pool(&treaty.cedant)),
                ("reinsurer", pool(&treaty.reinsurer)),
                ("limit released", treaty.asset(released)),
                ("rent goes to", rent_payer.to_string()),
            ],
            warnings: Vec::new(),
        };
        let details = Ended {
            treaty: args.treaty.to_string(),
            cedant: treaty.state.cedant.to_string(),
            reinsurer: treaty.state.reinsurer.to_string(),
            released,
            decimals: treaty.cedant.decimals,
            rent_payer: rent_payer.to_string(),
        };
        Ok((preview, details))
    })
}
