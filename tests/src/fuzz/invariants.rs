//! What must hold after every operation, whatever came before: invariants numbered I1 to I20, in plain
//! words, on the chain's own accounts. I11 (votes within locked weight) has no subject here: nobody votes.

use super::compare::View;
use super::live::How;
use super::model::{DAY, Model, N, V, open_part, paid_part};
use super::op::{Op, Who};
use super::scene::{OFFICIALS, Scene};
use super::transaction::Failed;
use anchor_lang::prelude::Pubkey;
use backstop::error::BackstopError;
use backstop::peril::evidence::Evidence;
use backstop::state::{Policy, Pool, PoolKind, ProductState, Tranche, TrancheBook};
use solana_sdk::account::{AccountSharedData, ReadableAccount};
use solana_sdk::instruction::InstructionError;
use solana_sdk::transaction::TransactionError;
use std::collections::BTreeMap;

/// An account that an operation changed.
pub struct Change {
    /// Where.
    pub key: Pubkey,
    /// Before; `None` if it did not exist.
    pub before: Option<AccountSharedData>,
    /// After.
    pub after: Option<AccountSharedData>,
}

/// An operation that was run, and everything around it.
pub struct Step<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// What was done.
    pub op: &'a Op,
    /// The model after it.
    pub model: &'a Model,
    /// The chain before.
    pub before: &'a View,
    /// The chain after.
    pub after: &'a View,
    /// Accounts that changed.
    pub changes: &'a [Change],
    /// Whoever signed.
    pub signers: &'a [Pubkey],
    /// Compute units, or the failure.
    pub outcome: &'a Result<u64, Failed>,
    /// Fee of the transaction.
    pub fee: u64,
    /// What every cover was paid so far, by what was seen to arrive.
    pub paid: &'a mut BTreeMap<usize, N>,
    /// What every purchase has become.
    pub forest: &'a mut Forest,
}

/// A rule, with its statement.
pub struct Invariant {
    /// Its number.
    pub number: &'static str,
    /// What it says.
    pub says: &'static str,
    /// The check.
    pub check: fn(&mut Step) -> Result<(), String>,
}

/// All invariants, in order.
pub const ALL: [Invariant; 19] = [
    Invariant { number: "I1", says: "every vault holds at least what the books say", check: vaults_cover_the_books },
    Invariant { number: "I2", says: "the books are the sum of everybody's claims", check: books_are_the_claims },
    Invariant {
        number: "I3",
        says: "shares and exit units lose value by a loss and nothing else",
        check: value_of_claims,
    },
    Invariant {
        number: "I4",
        says: "cover is sold within capacity, and capital leaves only above it",
        check: capacity,
    },
    Invariant { number: "I5", says: "a cover is paid once, and no more than it insures", check: covers_pay_once },
    Invariant { number: "I6", says: "nobody loses a token or a lamport without having signed", check: own_signature },
    Invariant { number: "I7", says: "officials alone take nothing that is users'", check: officials_take_nothing },
    Invariant {
        number: "I8",
        says: "what has triggered is final, and never before its challenge is over",
        check: triggers,
    },
    Invariant { number: "I9", says: "lamports are conserved, and every account is rent exempt", check: lamports },
    Invariant { number: "I10", says: "a pause is short, and stops neither exits nor payouts", check: pauses },
    Invariant {
        number: "I12",
        says: "a refusal changes no byte but the fee payer's lamports",
        check: refusals_change_nothing,
    },
    Invariant {
        number: "I13",
        says: "a refusal is a typed one, and never the books breaking",
        check: refusals_are_typed,
    },
    Invariant { number: "I14", says: "an operation stays within its compute units", check: compute_units },
    Invariant { number: "I15", says: "premium that goes back never lowers capital", check: refunds_spare_capital },
    Invariant { number: "I16", says: "capital that stands behind nothing earns nothing", check: exposure_earns },
    Invariant {
        number: "I17",
        says: "a product pays out and gives back no more than its reserve and its own premium",
        check: products_pay_from_their_own,
    },
    Invariant {
        number: "I18",
        says: "a layer of which nothing is exposed earns nothing, and the senior one no more than its exposed part",
        check: layers_earn_by_exposure,
    },
    Invariant {
        number: "I19",
        says: "what is split, reduced, extended, converted or paid is conserved to the unit: sum, premium, rate, exposure, paid",
        check: policies_are_conserved,
    },
    Invariant {
        number: "I20",
        says: "a tree of policies has the sum and the premium that were put in, less what was given back",
        check: trees_are_conserved,
    },
];

/// Policies that were made of one purchase.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tree {
    /// Sum insured that was bought, less what was given back.
    pub sum: N,
    /// Premium that wallets have paid for it, less that of parts that were given back.
    pub premium: N,
    /// Stream rate of what was bought, less that of parts given back; of no meaning once it was extended.
    pub rate: N,
    /// What accounts were seen to receive for it from incidents.
    pub received: N,
    /// How often it was split, reduced, extended, converted and paid.
    pub counts: [u64; 5],
}

/// All trees, by the policy that was bought, and which of them every policy is of.
#[derive(Clone, Debug, Default)]
pub struct Forest {
    /// By their first policy.
    pub trees: BTreeMap<usize, Tree>,
    roots: BTreeMap<usize, usize>,
}

/// By how much a token account fell and rose.
fn flow(step: &Step, account: &Pubkey) -> (N, N) {
    let change = step.changes.iter().find(|change| change.key == *account);
    let (was, is) = change.map_or((0, 0), |change| (units(change.before.as_ref()), units(change.after.as_ref())));
    (was.saturating_sub(is).into(), is.saturating_sub(was).into())
}

/// The asset account of somebody, for a product.
fn purse(step: &Step, who: Who, product: usize) -> Pubkey {
    step.scene.assets_of(who, step.model.pools[step.model.products[product].pool].asset)
}

fn policies_are_conserved(step: &mut Step) -> Result<(), String> {
    let cover = match *step.op {
        Op::SplitCover { cover, .. }
        | Op::SplitPosition { cover, .. }
        | Op::Reduce { cover, .. }
        | Op::Extend { cover, .. }
        | Op::ToNft { cover, .. }
        | Op::Settle { cover, .. }
        | Op::SettlePosition { cover, .. }
        | Op::SettleLien { cover, .. } => cover,
        _ => return Ok(()),
    };
    if step.outcome.is_err() {
        return Ok(());
    }
    let product = step.model.covers[cover].product;
    let pool = step.model.products[product].pool;
    let (Some(before), Some(after)) = (step.before.covers.get(&cover), step.after.covers.get(&cover)) else {
        return Err(format!("policy {cover} is gone"));
    };
    let days = |policy: &Policy| (policy.active_day, policy.end_day, policy.bought_at, policy.cancel_fee_bps);
    let amounts = |policy: &Policy| [policy.sum_insured, policy.premium, policy.rate_q32, policy.paid, policy.refunded];
    let of = |view: &View| (view.products[product].0.exposure, view.pools[pool].0.total_exposure);
    let (exposed, exposed_now) = (of(step.before), of(step.after));
    let vaults = [step.before, step.after].map(|view| N::from(view.pools[pool].1));
    let owner = |by: Who| flow(step, &purse(step, by, product));
    match *step.op {
        Op::SplitCover { .. } | Op::SplitPosition { .. } => {
            let child = &step.after.covers[&(step.model.covers.len() - 1)];
            let [one, two] = [after, child].map(amounts);
            let sum: Vec<u64> = one.iter().zip(two).map(|(one, two)| one + two).collect();
            holds(sum == amounts(before), || {
                format!("policy {cover}: {before:?} was split into {after:?} and {child:?}")
            })?;
            holds(days(child) == days(before) && days(after) == days(before), || format!("{child:?} of {before:?}"))?;
            holds(exposed == exposed_now && vaults[0] == vaults[1], || {
                format!("policy {cover}: a split moved something")
            })
        }
        Op::Reduce { by, .. } => {
            let part = [0, 1, 2].map(|place| amounts(before)[place] - amounts(after)[place]);
            let whole = amounts(before);
            // The part is rounded down.
            for place in [1, 2] {
                let share = N::from(whole[place]) * N::from(part[0]) / N::from(whole[0]);
                holds(share == N::from(part[place]), || {
                    format!("policy {cover}: {part:?} of {whole:?} was given back")
                })?;
            }
            holds(exposed.0 - exposed_now.0 == part[0] && exposed.1 - exposed_now.1 == part[0], || {
                format!("policy {cover}: {} was given back, exposure went from {exposed:?} to {exposed_now:?}", part[0])
            })?;
            let (_, came) = owner(by);
            holds(vaults[0] - vaults[1] == came && came <= N::from(part[1]), || {
                format!("policy {cover}: {came} came back of a premium of {}", part[1])
            })
        }
        Op::Extend { by, .. } => {
            let (paid, _) = owner(by);
            let same = before.sum_insured == after.sum_insured
                && (before.paid, before.refunded) == (after.paid, after.refunded);
            let longer = after.end_day > before.end_day && after.active_day == before.active_day;
            holds(same && longer, || format!("{before:?} was extended to {after:?}"))?;
            holds(exposed_now.0 <= exposed.0 && vaults[1] - vaults[0] == paid, || {
                format!("policy {cover}: {paid} was paid")
            })?;
            holds(N::from(after.premium - before.premium) == paid, || format!("{before:?}, {after:?}: {paid} was paid"))
        }
        Op::ToNft { .. } => {
            let same = amounts(before) == amounts(after) && days(before) == days(after) && before.state == after.state;
            holds(same && exposed == exposed_now && vaults[0] == vaults[1], || format!("{before:?} became {after:?}"))
        }
        Op::Settle { to, .. } | Op::SettlePosition { to, .. } | Op::SettleLien { to, .. } => {
            let (_, came) = flow(step, &purse(step, to, product));
            let booked = N::from(after.paid - before.paid) + N::from(after.refunded - before.refunded);
            holds(booked == came && vaults[0] - vaults[1] == came, || {
                format!(
                    "policy {cover}: {came} arrived, {booked} is booked, the vault went from {} to {}",
                    vaults[0], vaults[1]
                )
            })?;
            let rest = amounts(before)[..3] == amounts(after)[..3] && days(before) == days(after);
            holds(rest, || format!("a settlement made {after:?} of {before:?}"))
        }
        _ => Ok(()),
    }
}

fn trees_are_conserved(step: &mut Step) -> Result<(), String> {
    if step.outcome.is_err() {
        return Ok(());
    }
    let model = step.model;
    let last = model.covers.len().wrapping_sub(1);
    let entry = |cover: usize| &model.covers[cover];
    let before = |cover: usize| {
        let policy = step.before.covers.get(&cover);
        policy.map_or([0; 3], |it| [it.sum_insured, it.premium, it.rate_q32].map(N::from))
    };
    let touched = match *step.op {
        Op::Buy { who, product, .. } | Op::BuyPosition { who, product, .. } => {
            let (premium, _) = flow(step, &purse(step, who, product));
            let tree = Tree { sum: entry(last).sum, premium, rate: entry(last).rate, ..Tree::default() };
            step.forest.roots.insert(last, last);
            step.forest.trees.insert(last, tree);
            last
        }
        Op::SplitCover { cover, .. } | Op::SplitPosition { cover, .. } => {
            let root = step.forest.roots[&cover];
            step.forest.roots.insert(last, root);
            step.forest.trees.entry(root).or_default().counts[0] += 1;
            cover
        }
        Op::Reduce { cover, .. } => {
            let now = entry(cover);
            let [sum, premium, rate] = before(cover);
            let tree = step.forest.trees.entry(step.forest.roots[&cover]).or_default();
            tree.sum -= sum - now.sum;
            tree.premium -= premium - now.premium;
            tree.rate = tree.rate.saturating_sub(rate - now.rate);
            tree.counts[1] += 1;
            cover
        }
        Op::Extend { cover, by, .. } => {
            let (paid, _) = flow(step, &purse(step, by, entry(cover).product));
            let tree = step.forest.trees.entry(step.forest.roots[&cover]).or_default();
            tree.premium += paid;
            tree.counts[2] += 1;
            cover
        }
        Op::ToNft { cover, .. } => {
            step.forest.trees.entry(step.forest.roots[&cover]).or_default().counts[3] += 1;
            cover
        }
        Op::Settle { cover, to, .. } | Op::SettlePosition { cover, to } | Op::SettleLien { cover, to } => {
            let (_, came) = flow(step, &purse(step, to, entry(cover).product));
            let tree = step.forest.trees.entry(step.forest.roots[&cover]).or_default();
            tree.received += came;
            tree.counts[4] += 1;
            cover
        }
        _ => return Ok(()),
    };
    let root = step.forest.roots[&touched];
    let tree = step.forest.trees[&root];
    let parts = || step.forest.roots.iter().filter(|(_, of)| **of == root).map(|(cover, _)| entry(*cover));
    let sums = (parts().map(|it| it.sum).sum::<N>(), parts().map(|it| it.premium).sum::<N>());
    holds(sums == (tree.sum, tree.premium), || {
        format!("the parts of policy {root} are {sums:?}, put in was {tree:?}")
    })?;
    let rate: N = parts().map(|it| it.rate).sum();
    holds(tree.counts[2] > 0 || rate == tree.rate, || format!("the parts of policy {root} earn {rate} of {tree:?}"))?;
    let received: N = parts().map(|it| it.loss_paid + it.premium_back).sum();
    holds(received == tree.received, || format!("the parts of policy {root} were paid {received}: {tree:?}"))?;
    let most: N = tree.sum + tree.premium;
    holds(tree.received <= most, || format!("policy {root} and its parts were paid more than they insure: {tree:?}"))
}

fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(otherwise()) }
}

fn vaults_cover_the_books(step: &mut Step) -> Result<(), String> {
    for (index, (pool, vault, _)) in step.after.pools.iter().enumerate() {
        holds(*vault >= pool.cash, || format!("the vault of pool {index} holds {vault}, the books say {}", pool.cash))?;
    }
    Ok(())
}

fn ledger(pool: &Pool) -> N {
    let classes: N = pool.tranches.iter().map(|book| N::from(book.assets) + N::from(book.exiting)).sum();
    let rest = [
        pool.surplus,
        pool.unearned_premium,
        pool.premium_refunds,
        pool.set_aside,
        pool.incident_reserves,
        pool.exit_reserves,
        pool.treaty_payable.iter().sum(),
        pool.crisis.recovered,
        pool.crisis_buckets,
    ];
    classes + rest.iter().map(|entry| N::from(*entry)).sum::<N>()
}

fn books_are_the_claims(step: &mut Step) -> Result<(), String> {
    let (view, model) = (step.after, step.model);
    for (index, (pool, ..)) in view.pools.iter().enumerate() {
        let sum = ledger(pool);
        holds(sum == N::from(pool.cash), || format!("pool {index}: entries sum to {sum}, cash is {}", pool.cash))?;
        let epochs = || model.epochs.iter().zip(&view.epochs).filter(|(entry, _)| entry.pool == index);
        let reserves: u64 = epochs().map(|(_, epoch)| epoch.reserve).sum();
        holds(reserves == pool.exit_reserves, || {
            format!("pool {index}: epochs hold {reserves}, exit reserves are {}", pool.exit_reserves)
        })?;
        let mut open_units = [0; 2];
        for (_, epoch) in epochs() {
            let mut claimable = 0;
            for ticket in view.tickets.values().filter(|t| t.pool == epoch.pool && t.epoch_day == epoch.day) {
                let tranche = ticket.tranche.index();
                if epoch.series[tranche] == ticket.series {
                    let due = paid_part(ticket.units.into(), epoch.paid_per_unit_q64[tranche]);
                    claimable += due - N::from(ticket.claimed);
                    if pool.tranches[tranche].series == ticket.series && pool.tranches[tranche].wiped_out == 0 {
                        open_units[tranche] += open_part(ticket.units.into(), epoch.open_q63.into());
                    }
                }
            }
            holds(claimable <= N::from(epoch.reserve), || {
                format!("pool {index}, day {}: tickets claim {claimable} of {}", epoch.day, epoch.reserve)
            })?;
        }
        for (book, open) in pool.tranches.iter().zip(open_units) {
            holds(open <= N::from(book.units), || format!("pool {index}: {open} open units of {}", book.units))?;
        }
        let (mut reserved, mut set_aside) = (0, 0);
        for (product, incident) in &view.incidents {
            if model.products[*product].pool != index {
                continue;
            }
            reserved += incident.reserve - incident.paid;
            let covers = model.covers.iter().enumerate().filter(|(_, cover)| cover.product == *product);
            let due = covers.filter_map(|(cover, _)| model.payout(cover).ok());
            let (due, refunds) = due.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            let left = N::from(incident.reserve.saturating_sub(incident.paid));
            holds(due <= left, || format!("product {product}: {due} is due of {left} left"))?;
            let left = incident.refunds_left;
            holds(refunds <= N::from(left), || format!("product {product}: {refunds} go back of {left} set aside"))?;
            set_aside += left;
        }
        holds(reserved == pool.incident_reserves, || {
            format!("pool {index}: incidents hold {reserved}, the books {}", pool.incident_reserves)
        })?;
        holds(set_aside == pool.premium_refunds, || {
            format!("pool {index}: incidents give {set_aside} back, the books {}", pool.premium_refunds)
        })?;
        let exposure: u64 = pool.group_exposures.iter().sum();
        holds(exposure == pool.total_exposure, || format!("pool {index}: groups sum to {exposure}"))?;
    }
    Ok(())
}

/// Pools on which the operation may let a loss fall.
fn losers(step: &Step) -> Vec<usize> {
    match *step.op {
        Op::Fund { product } => vec![step.model.products[product].pool],
        Op::CallTreaty { treaty, .. } => vec![step.model.treaties[treaty].reinsurer],
        _ => Vec::new(),
    }
}

fn value_of_claims(step: &mut Step) -> Result<(), String> {
    let losers = losers(step);
    let falls = |(claims, pot): (u64, u64), (claims_now, pot_now): (u64, u64)| {
        let (was, is) =
            ((N::from(pot) + 1) * (N::from(claims_now) + V), (N::from(pot_now) + 1) * (N::from(claims) + V));
        claims > 0 && claims_now > 0 && is < was
    };
    for (index, ((before, ..), (after, ..))) in step.before.pools.iter().zip(&step.after.pools).enumerate() {
        if losers.contains(&index) {
            continue;
        }
        for tranche in Tranche::BOTH {
            let (was, is): (&TrancheBook, &TrancheBook) = (before.tranche(tranche), after.tranche(tranche));
            holds(was.series == is.series || was.wiped_out == 1, || format!("pool {index}: a series ended unasked"))?;
            if was.series != is.series {
                continue;
            }
            holds(was.wiped_out == is.wiped_out, || format!("pool {index}: a tranche was wiped out without a loss"))?;
            // What a tranche has lent to an open crisis is its own: whoever asks to leave is priced with it.
            let lent = |pool: &Pool| {
                let [_, rest @ ..] = pool.crisis.taken;
                [rest[2 * tranche.index()], rest[2 * tranche.index() + 1]]
            };
            let ([staying_was, exiting_was], [staying, exiting]) = (lent(before), lent(after));
            holds(!falls((was.shares, was.assets + staying_was), (is.shares, is.assets + staying)), || {
                format!("pool {index}: a {tranche:?} share fell from {was:?} to {is:?}")
            })?;
            // Units are bought at a price of what is exiting and of what treaties owe it: who asks to leave brings his part of
            // that along, though it were one unit of rounding that nobody before him had.
            let asks = matches!(*step.op, Op::RequestExit { .. });
            let owed = |book: &TrancheBook| if asks { book.exiting_recoverable } else { 0 };
            let (exiting_was, exiting) = (exiting_was + owed(was), exiting + owed(is));
            holds(!falls((was.units, was.exiting + exiting_was), (is.units, is.exiting + exiting)), || {
                format!("pool {index}: a {tranche:?} exit unit fell from {was:?} to {is:?}")
            })?;
        }
    }
    Ok(())
}

fn capacity(step: &mut Step) -> Result<(), String> {
    let model = step.model;
    match *step.op {
        Op::Buy { product, .. } | Op::BuyPosition { product, .. } if step.outcome.is_ok() => {
            let (exposure, capacity) = (model.exposure(product), model.capacity(product));
            holds(exposure <= capacity, || format!("exposure {exposure} is above the capacity {capacity}"))?;
            let pool = model.products[product].pool;
            let (held, needed) = (model.pools[pool].staying(), model.least_capital(pool));
            holds(held >= needed, || format!("{held} stands behind what requires {needed}"))
        }
        Op::SettleEpoch { pool, .. } if step.outcome.is_ok() => {
            let paid = step.after.pools[pool].0.exit_reserves > step.before.pools[pool].0.exit_reserves;
            let (held, needed) = (model.pools[pool].bearing(), model.least_capital(pool));
            holds(!paid || held >= needed, || format!("an exit left {held} behind what requires {needed}"))
        }
        _ => Ok(()),
    }
}

/// Units of a token account by its bytes.
fn units(account: Option<&AccountSharedData>) -> u64 {
    account.and_then(|account| account.data().get(64..72)?.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn is_token(account: &AccountSharedData) -> bool {
    let owner = *account.owner();
    (owner == anchor_spl::token::ID || owner == anchor_spl::token_2022::ID)
        && (account.data().len() == 165 || account.data().get(165) == Some(&2))
}

/// A lien's payee is paid what its account says, up to its limit.
fn liens_pay_once(step: &Step, cover: usize, to: Who) -> Result<(), String> {
    if step.outcome.is_err() {
        return Ok(());
    }
    let asset = step.model.pools[step.model.products[step.model.covers[cover].product].pool].asset;
    let account = step.scene.assets_of(to, asset);
    let arrived = step.changes.iter().find(|change| change.key == account);
    let arrived = arrived.map_or(0, |change| units(change.after.as_ref()) - units(change.before.as_ref()));
    let (Some(before), Some(after)) = (step.before.liens.get(&cover), step.after.liens.get(&cover)) else {
        return Err(format!("the lien of cover {cover} is gone"));
    };
    let booked = (after.paid - before.paid, before.limit_left - after.limit_left);
    holds(booked == (arrived, arrived), || {
        format!("the payee of cover {cover} was paid {arrived}, booked {booked:?}")
    })?;
    let entry = &step.model.covers[cover];
    holds(entry.loss_paid <= entry.sum, || format!("cover {cover} was paid {} for its loss", entry.loss_paid))
}

fn covers_pay_once(step: &mut Step) -> Result<(), String> {
    if let Op::SettleLien { cover, to } = *step.op {
        return liens_pay_once(step, cover, to);
    }
    let (Op::Settle { cover, to, .. } | Op::SettlePosition { cover, to }) = *step.op else { return Ok(()) };
    if step.outcome.is_err() {
        return Ok(());
    }
    let entry = &step.model.covers[cover];
    let asset = step.model.pools[step.model.products[entry.product].pool].asset;
    let account = step.scene.assets_of(to, asset);
    let arrived = step.changes.iter().find(|change| change.key == account);
    let arrived = arrived.map_or(0, |change| units(change.after.as_ref()) - units(change.before.as_ref()));
    // It may be paid again, and all of it together is what the model says.
    let paid = step.paid.entry(cover).or_default();
    *paid += N::from(arrived);
    let paid = *paid;
    holds(paid == entry.paid, || format!("cover {cover} was paid {paid} in all, and is due {}", entry.paid))?;
    let event_at = step.model.products[entry.product].trigger.event_at;
    // A loss pays the sum insured at most, and gives back the premium at most.
    let most = entry.premium + if entry.affected(event_at) == Some(true) { entry.sum } else { 0 };
    holds(paid <= most, || format!("cover {cover} was paid {paid} of {most}"))?;
    for (product, incident) in &step.after.incidents {
        let sound = incident.paid <= incident.reserve && incident.reserve <= incident.gross;
        holds(sound, || format!("the incident of product {product} pays more than it has: {incident:?}"))?;
    }
    Ok(())
}

fn refunds_spare_capital(step: &mut Step) -> Result<(), String> {
    let spares = matches!(
        step.op,
        Op::Settle { .. }
            | Op::SettlePosition { .. }
            | Op::SettleLien { .. }
            | Op::OpenIncident { .. }
            | Op::CancelCover { .. }
            | Op::CancelPosition { .. }
            | Op::Reduce { .. }
            | Op::Extend { .. }
            | Op::ToNft { .. }
            | Op::Accrue { .. }
    );
    if !spares {
        return Ok(());
    }
    let capital = |pool: &Pool| pool.loss_capital().map_err(|error| error.to_string());
    for (index, ((before, ..), (after, ..))) in step.before.pools.iter().zip(&step.after.pools).enumerate() {
        let (was, is) = (capital(before)?, capital(after)?);
        holds(is >= was, || format!("pool {index}: capital fell from {was} to {is} by {}", step.op.name()))?;
    }
    Ok(())
}

fn exposure_earns(step: &mut Step) -> Result<(), String> {
    let model = step.model;
    for (index, (pool, ..)) in step.after.pools.iter().enumerate() {
        // What is still to be accrued may be of covers that ended meanwhile, after an alert that held it back.
        if pool.kind() != PoolKind::Cover || pool.accrued_at != model.now {
            continue;
        }
        let products = model.products.iter().enumerate();
        let live = products.filter(|(_, product)| product.pool == index && product.state != ProductState::Over);
        let exposed: N = live.map(|(product, _)| model.exposure(product)).sum();
        holds(pool.rate_q32 == 0 || exposed > 0, || {
            format!("pool {index} earns {} a second and stands behind nothing", pool.rate_q32)
        })?;
    }
    Ok(())
}

fn layers_earn_by_exposure(step: &mut Step) -> Result<(), String> {
    let Op::Accrue { pool: index } = *step.op else { return Ok(()) };
    let (before, after) = (&step.before.pools[index].0, &step.after.pools[index].0);
    // Where accrual ceases to stand two figures of required capital hold, one after the other.
    let required = before.required.max(before.stood_required);
    let one = before.stood_until <= before.accrued_at || before.required == before.stood_required;
    if step.outcome.is_err() || before.in_crisis() || before.required == 0 || required == 0 {
        return Ok(());
    }
    let [was, is] = [before, after].map(|pool| {
        let [junior, senior] = &pool.tranches;
        [N::from(pool.surplus), N::from(junior.total()), N::from(senior.total())]
    });
    let mut left = N::from(required);
    let exposed = was.map(|capital| {
        let part = left.min(capital);
        left -= part;
        part
    });
    let [_, of_junior, of_senior] = [0, 1, 2].map(|layer: usize| is[layer] - was[layer]);
    for (layer, earned) in [(1, of_junior), (2, of_senior)] {
        holds(earned == 0 || exposed[layer] > 0, || {
            format!("layer {layer} earned {earned}, and nothing of it is exposed")
        })?;
    }
    // As surplus and junior grow less of senior is exposed: its part at the beginning is the most.
    let weight = N::from(before.terms.junior_weight_bps);
    let whole = weight * (exposed[0] + exposed[1]) + 10_000 * exposed[2];
    let kept: N = (0..3).map(|layer| is[layer] - was[layer]).sum();
    let most = (kept * 10_000 * exposed[2]).div_ceil(whole.max(1)) + 1;
    holds(!one || of_senior <= most, || format!("senior earned {of_senior} of {kept}, and {most} is its part"))
}

fn products_pay_from_their_own(step: &mut Step) -> Result<(), String> {
    let model = step.model;
    for (index, product) in model.products.iter().enumerate() {
        let covers = || model.covers.iter().filter(|cover| cover.product == index);
        let paid: N = covers().map(|cover| cover.paid).sum();
        let premium: N = covers().map(|cover| cover.premium).sum();
        let reserve = product.incident.as_ref().map_or(0, |incident| incident.reserve);
        holds(paid <= reserve + premium, || {
            format!("product {index} paid {paid} of a reserve of {reserve} and a premium of {premium}")
        })?;
    }
    Ok(())
}

fn own_signature(step: &mut Step) -> Result<(), String> {
    for change in step.changes {
        let Some(before) = &change.before else { continue };
        let after = change.after.as_ref();
        if is_token(before) {
            let owner = Pubkey::new_from_array(before.data()[32..64].try_into().expect("32 bytes"));
            let falls = units(after) < units(Some(before));
            let pool = step.scene.pools.iter().any(|keys| keys.pool == owner);
            holds(!falls || pool || step.signers.contains(&owner), || {
                format!("{} of {owner} fell to {} without a signature", units(Some(before)), units(after))
            })?;
            let hands = after.is_some_and(|after| after.data().get(32..64) != before.data().get(32..64));
            holds(!hands || step.signers.contains(&owner), || format!("{} has another owner", change.key))?;
        } else if before.data().is_empty() {
            let falls = after.map_or(0, |after| after.lamports()) < before.lamports();
            holds(!falls || step.signers.contains(&change.key), || format!("{} lost lamports", change.key))?;
        }
    }
    Ok(())
}

/// What users have in a pool, entry by entry: neither surplus nor unearned premium, which accrual moves.
fn users_part(pool: &Pool) -> [u64; 7] {
    let [junior, senior] = &pool.tranches;
    let [exits, incidents, refunds] = [pool.exit_reserves, pool.incident_reserves, pool.premium_refunds];
    [junior.assets, junior.exiting, senior.assets, senior.exiting, exits, incidents, refunds]
}

fn officials_take_nothing(step: &mut Step) -> Result<(), String> {
    let officials: Vec<Pubkey> = OFFICIALS.as_flattened().iter().map(|who| step.scene.people[*who]).collect();
    let payer = step.signers.first();
    let others = step.signers.iter().filter(|signer| Some(*signer) != payer);
    let (some, all) = others.fold((false, true), |(_, all), signer| (true, all && officials.contains(signer)));
    if !some || !all {
        return Ok(());
    }
    for (index, ((before, ..), (after, ..))) in step.before.pools.iter().zip(&step.after.pools).enumerate() {
        let kept = users_part(before).iter().zip(users_part(after)).all(|(before, after)| after >= *before);
        holds(kept, || format!("pool {index}: users' part fell from {before:?} to {after:?}"))?;
    }
    Ok(())
}

fn triggers(step: &mut Step) -> Result<(), String> {
    for (index, ((_, was), (_, is))) in step.before.products.iter().zip(&step.after.products).enumerate() {
        let (was, is) = (was, is);
        if was.evidence.final_at != 0 {
            let kept = was.evidence == is.evidence;
            holds(kept, || format!("trigger {index} changed after it was final"))?;
        } else if was.evidence.event_at != 0 {
            let fixed = |evidence: &Evidence| {
                (evidence.event_at, evidence.met_at, evidence.first_mean, evidence.first_severity_bps)
            };
            holds(fixed(&was.evidence) == fixed(&is.evidence), || format!("trigger {index} moved its event"))?;
            let grew = is.evidence.severity_bps >= was.evidence.severity_bps;
            holds(grew, || format!("trigger {index} pays less than before"))?;
        } else if is.evidence.event_at != 0 && is.has_two_keys() {
            let armed = is.keys.armed_at + DAY;
            let holds_both = is.keys.armed_at != 0 && is.keys.confirmed_at == step.model.now;
            holds(holds_both && step.model.now >= armed, || {
                format!("trigger {index} is proven by one key, or too early")
            })?;
        } else if is.evidence.event_at != 0 {
            let due = is.evidence.met_at + i64::from(is.terms.challenge);
            holds(step.model.now >= due, || format!("trigger {index} is proven before its challenge is over"))?;
        }
    }
    Ok(())
}

fn lamports(step: &mut Step) -> Result<(), String> {
    let sum = |pick: fn(&Change) -> Option<&AccountSharedData>| -> i128 {
        step.changes.iter().filter_map(pick).map(|account| i128::from(account.lamports())).sum()
    };
    let delta = sum(|change| change.after.as_ref()) - sum(|change| change.before.as_ref());
    let fee = i128::from(step.fee);
    holds(delta == -fee, || format!("lamports changed by {delta}, the fee is {fee}"))?;
    let svm = step.scene.world.cluster.svm();
    for change in step.changes {
        let Some(after) = change.after.as_ref().filter(|after| !after.data().is_empty()) else { continue };
        let least = svm.minimum_balance_for_rent_exemption(after.data().len());
        holds(after.lamports() >= least, || format!("{} has {} of {least} lamports", change.key, after.lamports()))?;
    }
    Ok(())
}

fn pauses(step: &mut Step) -> Result<(), String> {
    let now = step.model.now;
    let pause = &step.after.protocol.pause;
    holds(pause.until <= now + 6 * 3_600, || format!("a pause lasts until {}", pause.until))?;
    let recent = step.model.roles.pauses.iter().filter(|begun| **begun > now - 7 * DAY).count();
    holds(recent <= 3, || format!("{recent} pauses in seven days"))?;
    let Err(failed) = step.outcome else { return Ok(()) };
    let stops = matches!(error_of(failed), Some(BackstopError::DepositsPaused | BackstopError::PurchasesPaused));
    use Op::{Buy, BuyPosition, Deposit, Extend};
    let may = matches!(step.op, Deposit { .. } | Buy { .. } | BuyPosition { .. } | Extend { .. });
    holds(!stops || may, || format!("a pause stopped {}", step.op.name()))
}

/// The program's error in a failure.
pub fn error_of(failed: &Failed) -> Option<BackstopError> {
    match failed.error {
        TransactionError::InstructionError(_, InstructionError::Custom(code)) => BackstopError::from_code(code),
        _ => None,
    }
}

fn refusals_change_nothing(step: &mut Step) -> Result<(), String> {
    // The fee is paid all the same: I9 says that it is no more than that.
    let changed: Vec<_> = step.changes.iter().map(|change| change.key).filter(|key| *key != step.signers[0]).collect();
    holds(step.outcome.is_ok() || changed.is_empty(), || format!("a refusal changed {changed:?}"))
}

fn refusals_are_typed(step: &mut Step) -> Result<(), String> {
    let Err(failed) = step.outcome else { return Ok(()) };
    let bad = match &failed.error {
        TransactionError::InstructionError(_, InstructionError::Custom(_)) => matches!(
            error_of(failed),
            Some(BackstopError::InvariantViolated | BackstopError::MathOverflow | BackstopError::VaultMismatch)
        ),
        // Of the token programs, the system program and the runtime: an account that is closed or not a signer's.
        TransactionError::InstructionError(_, error) => !matches!(
            error,
            InstructionError::InvalidAccountData
                | InstructionError::IncorrectProgramId
                | InstructionError::IllegalOwner
                | InstructionError::InsufficientFunds
                | InstructionError::UninitializedAccount
                | InstructionError::InvalidAccountOwner
                | InstructionError::MissingRequiredSignature
        ),
        _ => true,
    };
    holds(!bad, || format!("{:?}\n{}", failed.error, failed.logs.join("\n")))
}

/// Most compute units of an operation: the worst row of the table of compute units, and room for unlucky addresses.
fn budget(op: &Op) -> u64 {
    match op {
        Op::Buy { .. } | Op::SplitCover { .. } | Op::ToNft { .. } => 180_000,
        Op::CreateProduct { .. } | Op::OpenSeries { .. } => 100_000,
        Op::Deposit { .. } | Op::MoveShares { .. } | Op::MoveNft { .. } => 90_000,
        // Two instructions in one transaction.
        Op::ShowRate { how: How::Twice | How::Among, .. } => 100_000,
        _ => 70_000,
    }
}

fn compute_units(step: &mut Step) -> Result<(), String> {
    let most = budget(step.op);
    let used = match step.outcome {
        Ok(units) => *units,
        Err(failed) => failed.compute_units,
    };
    holds(used <= most, || format!("{} took {used} of {most} units", step.op.name()))
}
