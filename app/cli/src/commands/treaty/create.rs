//! `backstop treaty create`.

use crate::commands::args::{Amount, OpenPool, PoolArg, UtcDay, count};
use crate::commands::context::{Context, Preview, UsageError, event, hinted, refused};
use crate::output::moment_from;
use anchor_lang::prelude::Pubkey;
use anyhow::Result;
use backstop::border::text::date_text;
use backstop::constants::{
    MAX_CESSION_BPS, MAX_RATE_ON_LINE_BPS, MAX_REINSTATEMENT_PREMIUM_BPS, MAX_REINSTATEMENTS, MAX_TREATY_DAYS,
    MIN_RATE_ON_LINE_BPS,
};
use backstop::error::BackstopError;
use backstop::events::TreatyCreated;
use backstop::state::{PoolKind, Treaty, TreatyKind, TreatyTerms, day_of};
use backstop_client::Cluster;
use backstop_client::instruction::{self as ix, TreatyKeys};
use backstop_client::quote::refusal;
use backstop_client::view::treaty::{a_kind, asset, books, gets, gives, kind, part, pool, reinstatements, term};
use clap::{ArgGroup, Args, value_parser};
use serde::Serialize;

const EXAMPLE: &str = "\
Example:
  backstop treaty create --cedant POOL --reinsurer POOL --quota-share --cession-bps 3000 \\
    --commission-bps 2000 --limit 60000 --days 365
  backstop treaty create --cedant POOL --reinsurer POOL --layer --attachment 10000 \\
    --rate-on-line-bps 200 --limit 10000 --start 2027-01-01 --end 2028-01-01";

/// Announce a treaty: reinsurance of a cover pool by a reinsurance pool. Governance signs.
///
/// It binds nobody until it is accepted, once the notice of both pools is over.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLE, group(ArgGroup::new("kind").required(true)))]
pub struct CreateArgs {
    /// The cover pool that cedes: its address, or MINT/NUMBER.
    #[arg(long, value_name = "POOL")]
    cedant: PoolArg,
    /// The reinsurance pool: its address, or MINT/NUMBER.
    #[arg(long, value_name = "POOL")]
    reinsurer: PoolArg,
    /// A fixed part of premium and loss.
    #[arg(long, group = "kind", requires = "cession_bps")]
    quota_share: bool,
    /// What an incident costs above a point: excess of loss.
    #[arg(long, group = "kind", requires_all = ["attachment", "rate_on_line_bps"])]
    layer: bool,
    /// Quota share: part of premium and loss that is ceded.
    #[arg(long, value_name = "BPS", requires = "quota_share",
          value_parser = value_parser!(u16).range(1..=i64::from(MAX_CESSION_BPS)))]
    cession_bps: Option<u16>,
    /// Quota share: part of the ceded premium that the cedant keeps.
    #[arg(long, value_name = "BPS", requires = "quota_share", value_parser = value_parser!(u16).range(0..10_000))]
    commission_bps: Option<u16>,
    /// Layer: loss of an incident, net of the quota share, above which it pays.
    #[arg(long, value_name = "AMOUNT", requires = "layer")]
    attachment: Option<Amount>,
    /// Layer: premium for the term, as a part of the limit.
    #[arg(long, value_name = "BPS", requires = "layer",
          value_parser = value_parser!(u16).range(i64::from(MIN_RATE_ON_LINE_BPS)..=i64::from(MAX_RATE_ON_LINE_BPS)))]
    rate_on_line_bps: Option<u16>,
    /// Layer: how often the limit is restored.
    #[arg(long, value_name = "TIMES", requires = "layer",
          value_parser = value_parser!(u8).range(0..=i64::from(MAX_REINSTATEMENTS)))]
    reinstatements: Option<u8>,
    /// Layer: premium of restoring the whole limit, as a part of the layer's premium.
    #[arg(long, value_name = "BPS", requires = "layer", default_value_t = 10_000,
          value_parser = value_parser!(u16).range(0..=i64::from(MAX_REINSTATEMENT_PREMIUM_BPS)))]
    reinstatement_premium_bps: u16,
    /// The most it pays: a quota share over its term, a layer for one incident.
    #[arg(long, value_name = "AMOUNT")]
    limit: Amount,
    /// First day of the term, in UTC; without it the second day after the notice.
    #[arg(long, value_name = "DATE")]
    start: Option<UtcDay>,
    /// First day after the term, in UTC.
    #[arg(long, value_name = "DATE", required_unless_present = "days", conflicts_with = "days")]
    end: Option<UtcDay>,
    /// Days of the term, instead of its end.
    #[arg(long, value_name = "DAYS", value_parser = count::<u32>)]
    days: Option<u32>,
}

#[derive(Serialize)]
struct Details {
    treaty: String,
    cedant: String,
    reinsurer: String,
    kind: &'static str,
    limit: u64,
    decimals: u8,
    /// Premium that the cedant pays when it is accepted.
    premium: u64,
    start: i64,
    end: i64,
    notice_until: i64,
}

pub fn run(args: &CreateArgs, context: &Context) -> Result<()> {
    let cluster = context.cluster()?;
    let now = cluster.now()?;
    let (cedant, reinsurer) = (args.cedant.open(cluster)?, args.reinsurer.open(cluster)?);
    require_kinds(&cedant, &reinsurer)?;
    let notice_until = cedant.state.notice_ends_at(now).max(reinsurer.state.notice_ends_at(now));
    let terms = terms(args, &cedant, notice_until)?;
    let keys = TreatyKeys::derive(cedant.keys, reinsurer.keys.pool, cedant.state.treaties);
    let treaty = announced(&cedant, &reinsurer, terms, now)?;
    let instruction = ix::create_treaty(context.wallet()?, context.payer()?, &keys, terms);
    context.carry_out(&[instruction], |receipt| {
        let created = event::<TreatyCreated>(receipt)?;
        let amount = |units| asset(&cedant, units);
        let premium = treaty.premium_on_acceptance().unwrap_or(u64::MAX);
        let room = books(&reinsurer, now).room_for_limits().unwrap_or_default();
        let mut rows = vec![
            ("treaty", created.treaty.to_string()),
            ("cedant", pool(&cedant)),
            ("gives", gives(&treaty, &amount)),
            ("gets", gets(&treaty, &amount)),
            ("reinsurer", pool(&reinsurer)),
            ("holds", format!("capital for {}; it has room for {} now", amount(terms.limit), amount(room))),
            ("term", term(&treaty)),
            ("notice", format!("until {}", moment_from(created.notice_until, now))),
            ("accept", format!("after the notice, before {}", moment_from(treaty.start(), now))),
        ];
        rows.extend(reinstatements(&treaty).map(|text| ("reinstatements", text)));
        let preview = Preview {
            title: format!("Announce {}", a_kind(&terms.kind)),
            rows,
            warnings: warnings(&cedant, &reinsurer, &treaty, now),
        };
        let details = Details {
            treaty: created.treaty.to_string(),
            cedant: cedant.keys.pool.to_string(),
            reinsurer: reinsurer.keys.pool.to_string(),
            kind: kind(&terms.kind),
            limit: terms.limit,
            decimals: cedant.decimals,
            premium,
            start: treaty.start(),
            end: treaty.end(),
            notice_until: created.notice_until,
        };
        Ok((preview, details))
    })
}

/// Pools between which there can be treaties.
pub fn require_kinds(cedant: &OpenPool, reinsurer: &OpenPool) -> Result<()> {
    if cedant.state.kind() != PoolKind::Cover {
        return Err(hinted(
            format!("{} does not cede: it is a reinsurance pool", pool(cedant)),
            "`backstop pool list` tells the kinds",
        ));
    }
    if reinsurer.state.kind() != PoolKind::Reinsurance {
        return Err(hinted(
            format!("{} does not reinsure: it is a cover pool", pool(reinsurer)),
            "`backstop pool list` tells the kinds",
        ));
    }
    if cedant.state.asset_mint != reinsurer.state.asset_mint {
        return Err(hinted("the two pools hold different assets", "a treaty is between pools of one asset"));
    }
    Ok(())
}

/// The terms as the program takes them.
fn terms(args: &CreateArgs, cedant: &OpenPool, notice_until: i64) -> Result<TreatyTerms> {
    let first_day = day_of(notice_until) + 1;
    let start_day = args.start.map_or(first_day + 1, |day| day.0);
    if start_day < first_day {
        let sentence = format!("a term from {} on would begin within the notice", date_text(start_day));
        return Err(hinted(sentence, format!("begin it on {} or later", date_text(first_day))));
    }
    let end_day = match (args.end, args.days) {
        (Some(end), _) => end.0,
        (None, days) => start_day.saturating_add(days.unwrap_or_default()),
    };
    let days = i64::from(end_day) - i64::from(start_day);
    if !(1..=i64::from(MAX_TREATY_DAYS)).contains(&days) {
        return Err(UsageError(format!("a term has 1 to {MAX_TREATY_DAYS} days, and not {days}")).into());
    }
    let kind = match (args.cession_bps, args.rate_on_line_bps) {
        (Some(cession_bps), _) => {
            TreatyKind::QuotaShare { cession_bps, commission_bps: args.commission_bps.unwrap_or_default() }
        }
        (None, rate_on_line_bps) => TreatyKind::ExcessOfLoss {
            attachment: args.attachment.map_or(Ok(0), |attachment| attachment.units(cedant.decimals))?,
            rate_on_line_bps: rate_on_line_bps.unwrap_or_default(),
            reinstatements: args.reinstatements.unwrap_or_default(),
            reinstatement_premium_bps: match args.reinstatements {
                None | Some(0) => 0,
                Some(_) => args.reinstatement_premium_bps,
            },
        },
    };
    Ok(TreatyTerms { kind, limit: args.limit.units(cedant.decimals)?, start_day, end_day })
}

/// The treaty as the program would write it.
fn announced(cedant: &OpenPool, reinsurer: &OpenPool, terms: TreatyTerms, now: i64) -> Result<Treaty> {
    let mut books = cedant.state.clone();
    let mut others = reinsurer.state.clone();
    let to = (reinsurer.keys.pool, &mut *others);
    Treaty::announce(terms, (cedant.keys.pool, &mut books), to, now).map_err(|error| refused(refusal(error)))
}

/// What would keep it from being accepted if it had to be today, by the program's own books.
fn warnings(cedant: &OpenPool, reinsurer: &OpenPool, treaty: &Treaty, now: i64) -> Vec<String> {
    let key = Pubkey::default();
    let premium = treaty.premium_on_acceptance().unwrap_or(u64::MAX);
    let cedant_side = treaty.bind_cedant(key, &mut books(cedant, now), now).map(drop);
    let reinsurer_side = treaty.bind_reinsurer(key, &mut books(reinsurer, now), premium, now).map(drop);
    let refusals = [reinsurer_side, cedant_side].map(|side| side.map_err(refusal).err());
    let words = |side, refusal| match (side, refusal, treaty.kind) {
        (0, BackstopError::NoTreatyPlace, _) => {
            "The reinsurer stands behind as many treaties as it can: it could not be accepted."
        }
        (0, ..) => "The reinsurer has too little capital for this limit now: it could not be accepted.",
        (_, BackstopError::SurplusTooSmall, _) => {
            "The cedant's surplus does not have the premium now: it could not be accepted."
        }
        (_, BackstopError::BelowRequiredCapital, _) => {
            "The cedant would have too little capital without the premium now: it could not be accepted."
        }
        (.., TreatyKind::QuotaShare { .. }) => {
            "The cedant has a quota share: this one could not be accepted beside it."
        }
        (.., TreatyKind::ExcessOfLoss { .. }) => {
            "The cedant has four layers, or one that overlaps with this one: it could not be accepted beside it."
        }
    };
    let found = refusals.into_iter().enumerate().filter_map(|(side, refusal)| Some(words(side, refusal?)));
    let mut warnings: Vec<String> = found.map(str::to_owned).collect();
    if let TreatyKind::QuotaShare { cession_bps, .. } = treaty.kind {
        warnings.push(format!(
            "Depositors of the cedant then earn {} less premium, and bear as much less of losses.",
            part(cession_bps)
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: CreateArgs,
    }

    const POOLS: &str =
        "treaty --cedant 11111111111111111111111111111111 --reinsurer 11111111111111111111111111111112 ";

    fn parsed(rest: &str) -> Result<CreateArgs, clap::error::ErrorKind> {
        let line = Line::try_parse_from((POOLS.to_owned() + rest).split_whitespace());
        line.map(|line| line.args).map_err(|error| error.kind())
    }

    fn cedant() -> OpenPool {
        let state: Box<backstop::state::Pool> = Box::new(bytemuck::Zeroable::zeroed());
        let keys = backstop_client::instruction::PoolKeys::derive(Default::default(), Default::default(), 0);
        OpenPool { state, keys, decimals: 6, share_decimals: 9 }
    }

    #[test]
    fn a_treaty_is_of_one_kind_and_has_the_terms_of_it() {
        use clap::error::ErrorKind as E;
        assert!(parsed("--quota-share --cession-bps 3000 --limit 10 --days 30").is_ok());
        assert!(parsed("--layer --attachment 5 --rate-on-line-bps 200 --limit 10 --days 30").is_ok());
        assert_eq!(parsed("--limit 10 --days 30").err(), Some(E::MissingRequiredArgument));
        assert_eq!(parsed("--quota-share --limit 10 --days 30").err(), Some(E::MissingRequiredArgument));
        assert_eq!(parsed("--layer --attachment 5 --limit 10 --days 30").err(), Some(E::MissingRequiredArgument));
        let both = "--quota-share --layer --cession-bps 1 --attachment 5 --rate-on-line-bps 200 --limit 10 --days 30";
        assert_eq!(parsed(both).err(), Some(E::ArgumentConflict));
        let mixed = "--quota-share --cession-bps 1 --reinstatements 2 --limit 10 --days 30";
        assert_eq!(parsed(mixed).err(), Some(E::MissingRequiredArgument));
        assert_eq!(parsed("--quota-share --cession-bps 9001 --limit 10 --days 30").err(), Some(E::ValueValidation));
        assert_eq!(parsed("--quota-share --cession-bps 30 --limit -1 --days 30").err(), Some(E::UnknownArgument));
        assert_eq!(parsed("--quota-share --cession-bps 30 --limit 10").err(), Some(E::MissingRequiredArgument));
        let date = "--quota-share --cession-bps 30 --limit 10 --start 2027-13-01 --days 30";
        assert_eq!(parsed(date).err(), Some(E::ValueValidation));
    }

    #[test]
    fn terms_are_in_the_programs_units_and_begin_after_the_notice() {
        let notice = 20_000 * 86_400 + 5;
        let quota_share = parsed("--quota-share --cession-bps 3000 --limit 1.5 --days 30").expect("well formed");
        let kind = TreatyKind::QuotaShare { cession_bps: 3_000, commission_bps: 0 };
        let expected = TreatyTerms { kind, limit: 1_500_000, start_day: 20_002, end_day: 20_032 };
        assert_eq!(terms(&quota_share, &cedant(), notice).expect("valid"), expected);

        let line = "--layer --attachment 5 --rate-on-line-bps 200 --reinstatements 1 --limit 10 --start 2024-10-05 --end 2025-01-01";
        let layer = terms(&parsed(line).expect("well formed"), &cedant(), notice).expect("valid");
        let kind = TreatyKind::ExcessOfLoss {
            attachment: 5_000_000,
            rate_on_line_bps: 200,
            reinstatements: 1,
            reinstatement_premium_bps: 10_000,
        };
        assert_eq!(layer, TreatyTerms { kind, limit: 10_000_000, start_day: 20_001, end_day: 20_089 });
        assert!(layer.validate().is_ok());
    }

    #[test]
    fn a_term_within_the_notice_or_too_long_is_refused() {
        let refused = |rest: &str| {
            let args = parsed(&format!("--quota-share --cession-bps 3000 --limit 1 {rest}")).expect("well formed");
            terms(&args, &cedant(), 20_000 * 86_400).expect_err("refused").to_string()
        };
        assert!(refused("--start 2024-10-04 --days 5").contains("within the notice"));
        assert!(refused("--days 366").contains("1 to 365 days"));
        assert!(refused("--days 0").contains("1 to 365 days"));
        assert!(refused("--start 2024-12-01 --end 2024-11-01").contains("1 to 365 days"));
    }
}
