//! Logs that were cut.

use crate::support::{Faulty, all, assert_same, dump, indexed, market, read};
use anchor_lang::prelude::{Pubkey, pubkey};
use anchor_lang::solana_program::instruction::Instruction;
use backstop::DepositArgs;
use backstop::state::Tranche;
use backstop_client::event::Event;
use backstop_client::history::Executed;
use backstop_client::instruction::{self as ix, PoolKeys};
use backstop_client::numbering::reported;
use backstop_index::{Database, Options, REBUILT, repair, verify};
use backstop_tests::terms::{self, ONE};
use backstop_tests::{World, budget};
use std::collections::BTreeSet;

fn names(executed: &Executed) -> Vec<&'static str> {
    let events = reported(executed.logs.as_deref().unwrap_or_default());
    events.iter().filter_map(|bytes| Event::read(bytes)).map(|event| event.name()).collect()
}

#[test]
fn events_that_instructions_tell_are_rebuilt_to_the_byte() {
    let market = market(900);
    let cluster = &market.world.cluster;
    let honest = indexed(cluster);
    let is_rebuilt = |executed: &Executed| {
        let names = names(executed);
        !names.is_empty() && names.iter().all(|name| REBUILT.contains(name))
    };
    let met: BTreeSet<&str> =
        all(cluster).iter().filter(|executed| is_rebuilt(executed)).flat_map(|executed| names(executed)).collect();
    for name in ["Deposited", "SurplusContributed", "ExitClaimed"] {
        assert!(met.contains(name), "no {name} alone in this story");
    }
    // The last of a pool is missed once something follows it.
    let executed = all(cluster);
    let last = |pool: Pubkey| {
        let told = executed.iter().rev().filter(|executed| !names(executed).is_empty());
        let of_pool = |executed: &&Executed| executed.instructions.iter().any(|ran| ran.accounts.contains(&pool));
        told.clone().find(of_pool).map(|executed| executed.signature)
    };
    let last = [market.cedant.pool, market.reinsurer.pool].map(last);
    let mut node = Faulty::of(cluster);
    node.alter = Some(Box::new(move |executed| {
        if is_rebuilt(executed) && !last.contains(&Some(executed.signature)) {
            executed.logs = Some(vec!["Log truncated".to_owned()]);
        }
    }));
    let database = indexed(&node);
    assert!(database.gaps().expect("it can be read").is_empty(), "{:?}", database.gaps());
    let tables = |database: &Database| {
        let kept = |line: &String| !line.starts_with("transactions:") && !line.starts_with("lost:");
        let line = |line: String| line.replace(" is_rebuilt=Integer(1)", " is_rebuilt=Integer(0)");
        dump(database).into_iter().filter(kept).map(line).collect::<Vec<_>>()
    };
    let (one, other) = (tables(&database), tables(&honest));
    let differing: Vec<&String> = one.iter().filter(|line| !other.contains(line)).take(5).collect();
    assert_eq!(one, other, "{differing:#?}");
    let status = backstop_index::status(&database).expect("it can be read");
    assert!(status.rebuilt > 10 && status.cut > 10, "{status:?}");
}

/// A deposit, and a sale, each drowned by what came before it in its transaction.
fn drowned() -> (World, PoolKeys) {
    let world = World::unsigned();
    world.cluster.record();
    let keys = world.create_pool(terms::create_pool(0));
    let person = world.person(5_000 * ONE);
    world.deposit(&keys, &person, Tranche::Senior, 1_000 * ONE).expect("it is taken");
    let memo = pubkey!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
    let flood = vec![Instruction { program_id: memo, accounts: vec![], data: vec![] }; 45];
    let args = DepositArgs { tranche: Tranche::Senior, amount: 7 * ONE, min_shares: 0, seen: world.pool(&keys).seen() };
    let deposit = ix::deposit(&keys, person.id(), None, args);
    let receipt = world.run(&[&person.key], &[vec![budget()], flood, vec![deposit]].concat());
    assert!(receipt.logs.iter().any(|line| line == "Log truncated"));
    assert!(reported(&receipt.logs).is_empty(), "the event is gone");
    (world, keys)
}

#[test]
fn a_drowned_deposit_is_rebuilt_once_the_next_event_or_the_account_tells_its_number() {
    let (world, keys) = drowned();
    let cluster = &world.cluster;
    let mut database = indexed(cluster);
    assert!(database.gaps().expect("it can be read").is_empty(), "no number is known to be missing yet");
    let verified = verify(&mut database, cluster, cluster, &Options::default()).expect("it answers");
    assert!(verified.is_ok, "{verified:?}");
    // The same by the next event.
    let mut other = indexed(cluster);
    let person = world.person(100 * ONE);
    world.deposit(&keys, &person, Tranche::Senior, ONE).expect("it is taken");
    read(&mut database, cluster);
    read(&mut other, cluster);
    assert_same(&database, &other);
    assert_same(&database, &indexed(cluster));
    assert!(verify(&mut other, cluster, cluster, &Options::default()).expect("it answers").is_ok);
    let status = backstop_index::status(&other).expect("it can be read");
    assert_eq!((status.rebuilt, status.cut), (1, 1));
    let periods = other.pool_periods(&keys.pool, backstop_index::By::Day, i64::MIN, i64::MAX).expect("it can be read");
    assert_eq!(periods.iter().map(|period| period.senior.deposits).sum::<u64>(), 1_008 * ONE);
}

#[test]
fn what_no_instruction_tells_is_a_gap_until_a_node_has_the_log() {
    let market = market(200);
    let cluster = &market.world.cluster;
    let honest = indexed(cluster);
    let requests = |executed: &Executed| names(executed).contains(&"ExitRequested");
    let count = all(cluster).iter().filter(|executed| requests(executed)).count();
    assert!(count > 3, "{count} requests in this story");
    let mut node = Faulty::of(cluster);
    // One node has cut the logs, another has kept none.
    for logs in [Some(vec!["Log truncated".to_owned()]), None] {
        node.alter = Some(Box::new(move |executed| {
            if requests(executed) {
                executed.logs = logs.clone();
            }
        }));
        let mut database = indexed(&node);
        let gaps = database.gaps().expect("it can be read");
        assert!(!gaps.is_empty());
        let still = repair(&mut database, &node, &Options::default()).expect("it answers");
        assert_eq!(still.after, gaps, "asking the same node again changes nothing");
        let repaired = repair(&mut database, cluster, &Options::default()).expect("it answers");
        assert!(repaired.after.is_empty(), "{repaired:?}");
        assert_same(&database, &honest);
    }
}
