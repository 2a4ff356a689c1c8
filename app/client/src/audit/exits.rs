//! The exit queue: epochs against tickets, and the books against epochs.

use super::{Checks, DUST, Place, Rule, Subject, shown, sum};
use anchor_lang::prelude::Pubkey;
use backstop::math::exits::{claimable, open_units};
use backstop::state::{ExitEpoch, ExitTicket, Tranche};
use std::collections::BTreeMap;

/// Checks queue, tickets, units and reserves.
pub(super) fn check(place: &Place, checks: &mut Checks) {
    let Place { snapshot, key, .. } = place;
    let of_pool = snapshot.epochs.iter().filter(|(_, epoch)| epoch.pool == *key);
    let epochs: BTreeMap<u32, (&Pubkey, &ExitEpoch)> = of_pool.map(|(key, epoch)| (epoch.day, (key, epoch))).collect();
    queue(place, checks, &epochs);
    let mut reserves = 0u128;
    for (key, epoch) in epochs.values() {
        let of_epoch = |ticket: &&ExitTicket| ticket.pool == place.key && ticket.epoch_day == epoch.day;
        let tickets: Vec<&ExitTicket> = snapshot.tickets.values().filter(of_epoch).collect();
        tickets_of(checks, Subject("exit epoch", **key), epoch, &tickets);
        reserves += u128::from(epoch.reserve);
    }
    for (ticket_key, ticket) in snapshot.tickets.iter().filter(|(_, ticket)| ticket.pool == *key) {
        let subject = Subject("exit ticket", *ticket_key);
        let Some((_, epoch)) = epochs.get(&ticket.epoch_day) else {
            checks.holds(Rule::Tickets, subject, "its epoch is there", false);
            continue;
        };
        let due = due(epoch, ticket).unwrap_or(0);
        checks.at_least(Rule::Tickets, subject, "units", 1, ticket.units);
        checks.at_most(Rule::Tickets, subject, "amount that it has had", due, ticket.claimed);
    }
    let subject = Subject("pool", *key);
    let booked = place.pool.exit_reserves;
    checks.same(Rule::ExitReserves, subject, "reserves of the epochs", reserves, u128::from(booked));
    checks.figure(Rule::ExitReserves, ["exit reserves", "of the epochs"], booked, shown(reserves));
    for tranche in Tranche::BOTH {
        units(place, checks, tranche, &epochs);
    }
}

/// Walks the queue from the oldest epoch to the newest.
fn queue(place: &Place, checks: &mut Checks, epochs: &BTreeMap<u32, (&Pubkey, &ExitEpoch)>) {
    let pool = place.pool;
    let subject = Subject("pool", place.key);
    let unfilled: Vec<u32> = epochs.values().filter(|(_, epoch)| !epoch.is_filled()).map(|(_, e)| e.day).collect();
    checks.same(Rule::Queue, subject, "oldest epoch", unfilled.first().copied().unwrap_or(0), pool.oldest_exit_day);
    checks.same(Rule::Queue, subject, "newest epoch", unfilled.last().copied().unwrap_or(0), pool.newest_exit_day);
    // The pool keeps one bit for each of their days, and no other.
    for day in &unfilled {
        checks.holds(Rule::Queue, subject, "the day of an unfilled epoch is in the queue", pool.is_queued(*day));
    }
    let bits: u32 = pool.exit_days.iter().map(|word| word.count_ones()).sum();
    let days = u32::try_from(unfilled.len()).unwrap_or(u32::MAX);
    checks.same(Rule::Queue, subject, "days in the queue", days, bits);
}

/// What a ticket was paid in all; nothing if its units are not counted in the epoch: their series was wiped out.
fn due(epoch: &ExitEpoch, ticket: &ExitTicket) -> Option<u64> {
    let index = ticket.tranche.index();
    if epoch.series[index] != ticket.series {
        return Some(0);
    }
    claimable(ticket.units, epoch.paid_per_unit_q64[index])
}

fn tickets_of(checks: &mut Checks, subject: Subject, epoch: &ExitEpoch, tickets: &[&ExitTicket]) {
    let number = u32::try_from(tickets.len()).unwrap_or(u32::MAX);
    checks.same(Rule::Tickets, subject, "tickets", number, epoch.tickets);
    checks.at_most(Rule::Tickets, subject, "part that is open", ExitEpoch::ALL_OPEN, epoch.open_q63);
    for tranche in Tranche::BOTH {
        let index = tranche.index();
        let counted = tickets.iter().filter(|ticket| ticket.tranche == tranche && ticket.series == epoch.series[index]);
        let units = sum(counted.map(|ticket| ticket.units));
        checks.same(Rule::Tickets, subject, "units of its tickets", units, u128::from(epoch.units[index]));
    }
    let open = |ticket: &&ExitTicket| due(epoch, ticket).unwrap_or(u64::MAX).saturating_sub(ticket.claimed);
    let claims = sum(tickets.iter().map(open));
    checks.at_least(Rule::ExitReserves, subject, "reserve", claims, u128::from(epoch.reserve));
    let most = claims.saturating_add(DUST.into());
    checks.at_most(Rule::ExitReserves, subject, "reserve with dust", most, u128::from(epoch.reserve));
}

/// Open units of a tranche's series, over all epochs.
fn units(place: &Place, checks: &mut Checks, tranche: Tranche, epochs: &BTreeMap<u32, (&Pubkey, &ExitEpoch)>) {
    let book = place.pool.tranche(tranche);
    let index = tranche.index();
    let counted = epochs.values().filter(|(_, epoch)| book.wiped_out == 0 && epoch.series[index] == book.series);
    let open = sum(counted.map(|(_, epoch)| open_units(epoch.units[index], epoch.open_q63).unwrap_or(u64::MAX)));
    let subject = Subject(if tranche == Tranche::Junior { "junior of" } else { "senior of" }, place.key);
    let found = u128::from(book.units);
    checks.at_least(Rule::Units, subject, "open units", open, found);
    checks.at_most(Rule::Units, subject, "open units with dust", open.saturating_add(DUST.into()), found);
    let what = if tranche == Tranche::Junior {
        ["junior exit units", "open in epochs"]
    } else {
        ["senior exit units", "open in epochs"]
    };
    checks.share_figure(Rule::Units, what, book.units, shown(open));
}
