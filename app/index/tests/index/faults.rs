//! Nodes that forge, repeat, reorder, forget or lie.

use crate::support::{Faulty, all, assert_same, dump, indexed, indexed_in_parts, market, read};
use backstop_client::history::{Executed, History, Listed};
use backstop_client::numbering::Log;
use backstop_index::{Database, IndexError, Options, follow};
use backstop_sandbox::EmbeddedCluster;
use backstop_tests::market::Market;
use base64::Engine;
use solana_sdk::hash::Hash;
use solana_sdk::signature::Signature;

fn refused(node: &dyn History) -> IndexError {
    let mut database = Database::in_memory().expect("there is memory");
    let error = follow(&mut database, node, &Options::default()).expect_err("it cannot be believed");
    // Nothing of the transactions that lie is kept; those before them may be.
    let before = dump(&database).len();
    assert!(follow(&mut database, node, &Options::default()).is_err());
    assert_eq!(dump(&database).len(), before);
    error
}

fn says(node: &dyn History, what: &str) {
    let error = refused(node);
    assert!(matches!(error, IndexError::Lie { .. }) && error.to_string().contains(what), "{error}");
}

/// The newest transaction with an event.
fn told(market: &Market) -> Executed {
    let told = |executed: &Executed| executed.logs.as_ref().is_some_and(|logs| !Log::read(logs).events.is_empty());
    all(&market.world.cluster).into_iter().rfind(told).expect("there is one")
}

#[test]
fn what_another_program_logs_in_the_programs_words_is_no_event() {
    let market = market(60);
    let honest = indexed(&market.world.cluster);
    let own = backstop::ID;
    let forged = told(&market).logs.expect("it has a log").into_iter().find(|line| line.starts_with("Program data: "));
    let forged = forged.expect("it has an event");
    let mut node = Faulty::of(&market.world.cluster);
    node.alter = Some(Box::new(|executed| {
        let stranger = "Stranger11111111111111111111111111111111111";
        let lines = [
            format!("Program {stranger} invoke [1]"),
            forged.clone(),
            format!("Program log: Program {own} invoke [2]"),
            forged.clone(),
            "Program log: invoke [2]".to_owned(),
            forged.clone(),
            format!("Program {stranger} success"),
        ];
        let logs = executed.logs.get_or_insert_default();
        logs.splice(0..0, lines.clone());
        logs.extend(lines);
    }));
    assert_same(&indexed(&node), &honest);
}

#[test]
fn pages_that_overlap_and_repeat_add_nothing() {
    let market = market(60);
    let honest = indexed(&market.world.cluster);
    let mut node = Faulty::of(&market.world.cluster);
    node.most = 3;
    assert_same(&indexed(&node), &honest);
    node.relist = Some(Box::new(|page| page.into_iter().flat_map(|listed| [listed, listed]).collect()));
    assert_same(&indexed(&node), &honest);
}

#[test]
fn transactions_of_one_slot_are_put_in_the_order_of_their_events() {
    let market = market(300);
    let cluster = &market.world.cluster;
    let honest = indexed(cluster);
    let slots = |page: &[Listed]| page.windows(2).filter(|pair| pair[0].slot == pair[1].slot).count();
    let listed = cluster.signatures(None, None, usize::MAX).expect("it answers");
    assert!(slots(&listed) > 100, "many share a slot");
    let mut node = Faulty::of(cluster);
    // Within each slot the other way round. Prints alone have no number, and say nothing of their order.
    node.relist = Some(Box::new(|mut page| {
        page.chunk_by_mut(|a, b| a.slot == b.slot).for_each(<[Listed]>::reverse);
        page
    }));
    let reordered = indexed(&node);
    let books = |database: &Database| {
        let kept = |line: &String| {
            ["books:", "pool_periods:", "gaps:", "payments:"].iter().any(|table| line.starts_with(table))
        };
        dump(database).into_iter().filter(kept).collect::<Vec<_>>()
    };
    assert_eq!(books(&reordered), books(&honest));
    assert!(reordered.gaps().expect("it can be read").is_empty());
    // One after the other, the newest of a slot first: what comes late is put before what was there.
    let mut database = Database::in_memory().expect("there is memory");
    let late: Vec<Signature> = listed
        .windows(2)
        .filter(|pair| pair[0].slot == pair[1].slot)
        .map(|pair| pair[1].signature)
        .step_by(7)
        .collect();
    let mut node = Faulty::of(cluster);
    node.relist = Some(Box::new(|page| page.into_iter().filter(|one| !late.contains(&one.signature)).collect()));
    read(&mut database, &node);
    assert!(!database.gaps().expect("it can be read").is_empty(), "it shows that something is missing");
    backstop_index::repair(&mut database, cluster, &Options::default()).expect("it answers");
    assert!(database.gaps().expect("it can be read").is_empty());
    assert_eq!(books(&database), books(&honest));
}

#[test]
fn lists_out_of_order_are_refused() {
    let market = market(30);
    let mut node = Faulty::of(&market.world.cluster);
    node.relist = Some(Box::new(|page| page.into_iter().rev().collect()));
    says(&node, "listed after an older one");
}

/// A node that changes one transaction.
fn altered<'a>(
    cluster: &'a EmbeddedCluster,
    signature: Signature,
    change: Box<dyn Fn(&mut Executed) + 'a>,
) -> Faulty<'a> {
    let mut node = Faulty::of(cluster);
    node.alter = Some(Box::new(move |executed| {
        if executed.signature == signature {
            change(executed);
        }
    }));
    node
}

#[test]
fn answers_that_do_not_fit_the_question_are_refused_and_nothing_is_lost() {
    let market = market(60);
    let cluster = &market.world.cluster;
    let honest = indexed(cluster);
    let target = told(&market);
    let another = all(cluster).into_iter().next().expect("there is one");
    let of = |change| altered(cluster, target.signature, change);
    says(&of(Box::new(|executed| *executed = another.clone())), "another transaction was given");
    says(&of(Box::new(|executed| executed.signature = Signature::from([9; 64]))), "another transaction was given");
    says(&of(Box::new(|executed| executed.slot += 1)), "in another slot");
    says(&of(Box::new(|executed| executed.is_failed = true)), "it failed by one answer");
    // A log with a call that no instruction made.
    let call = |executed: &mut Executed| {
        let logs = executed.logs.get_or_insert_default();
        let events: Vec<String> = logs.iter().filter(|line| line.starts_with("Program data: ")).cloned().collect();
        logs.push(format!("Program {} invoke [1]", backstop::ID));
        logs.extend(events);
        logs.push(format!("Program {} success", backstop::ID));
    };
    says(&of(Box::new(call)), "other calls of the program");
    // The events of another transaction, in as many calls: their numbers are there already.
    let copy = |executed: &mut Executed| {
        let donor = all(cluster).into_iter().find(|other| {
            let logs = |of: &Executed| Log::read(of.logs.as_deref().unwrap_or_default());
            other.signature != executed.signature
                && logs(other).calls == logs(executed).calls
                && !logs(other).events.is_empty()
        });
        executed.logs = donor.expect("there is one").logs;
    };
    let error = refused(&of(Box::new(copy)));
    assert!(matches!(error, IndexError::Lie { .. }), "{error}");
    // The database goes on with a node that does not lie.
    let mut database = Database::in_memory().expect("there is memory");
    follow(&mut database, &of(Box::new(copy)), &Options { batch: 5, ..Options::default() }).expect_err("it lies");
    read(&mut database, cluster);
    assert_same(&database, &honest);
}

#[test]
fn what_is_listed_and_not_given_is_waited_for_and_then_kept_as_missing() {
    let market = market(60);
    let cluster = &market.world.cluster;
    let honest = indexed(cluster);
    let mut node = Faulty::of(cluster);
    node.hides = vec![told(&market).signature];
    let mut database = Database::in_memory().expect("there is memory");
    for _ in 0..5 {
        let progress = read(&mut database, &node);
        assert!(!progress.is_complete, "nothing is concluded from silence");
        assert!(database.unread().expect("it can be read").is_empty());
        assert_eq!(database.complete_at().expect("it can be read"), None);
    }
    assert!(read(&mut database, &node).is_complete);
    let unread = database.unread().expect("it can be read");
    assert_eq!(unread.iter().map(|one| one.signature).collect::<Vec<_>>(), node.hides);
    assert!(!backstop_index::status(&database).expect("it can be read").is_whole());
    // By itself, as soon as the node gives it.
    read(&mut database, cluster);
    assert!(database.unread().expect("it can be read").is_empty());
    assert!(database.gaps().expect("it can be read").is_empty());
    assert_same(&database, &honest);
}

/// A node that keeps some transactions only, on a cluster whose slots are far apart, so that what was read long ago is
/// not listed again.
fn far<'a>(cluster: &'a EmbeddedCluster, keeps: impl Fn(&Signature) -> bool + 'a) -> Faulty<'a> {
    let mut node = Faulty::of(cluster);
    node.alter = Some(Box::new(|executed| executed.slot *= 1_000));
    node.relist = Some(Box::new(move |page| {
        let kept = page.into_iter().filter(|listed| keeps(&listed.signature));
        kept.map(|listed| Listed { slot: listed.slot * 1_000, ..listed }).collect()
    }));
    node
}

#[test]
fn a_node_that_forgot_its_beginning_leaves_a_gap_from_the_first_event() {
    let market = market(120);
    let cluster = &market.world.cluster;
    let honest = far(cluster, |_| true);
    let whole = indexed(&honest);
    let mut all: Vec<Signature> = all(cluster).into_iter().map(|executed| executed.signature).collect();
    let kept = all.split_off(all.len() * 2 / 3);
    let node = far(cluster, |signature| kept.contains(signature));
    let mut database = indexed_in_parts(&node);
    let gaps = database.gaps().expect("it can be read");
    let gap = gaps.iter().find(|gap| gap.pool == market.cedant.pool && gap.first == 1).expect("it has forgotten");
    let status = backstop_index::status(&database).expect("it can be read");
    let metrics = backstop_index::status::metrics(&status);
    let missing = format!("\nbackstop_index_missing_events{{pool=\"{}\"}} {}\n", market.cedant.pool, gap.last);
    assert!(metrics.contains("\nbackstop_index_gaps ") && metrics.contains(&missing), "{metrics}");
    let verified = backstop_index::verify(&mut database, &node, cluster, &Options::default()).expect("it answers");
    assert!(!verified.is_ok && verified.pools.iter().any(|pool| !pool.differences.is_empty()));
    assert!(verified.findings.iter().any(|finding| finding.what == "events read"), "{:?}", verified.findings);
    // Following goes on from where it was, whatever the node: only repairing looks back so far.
    read(&mut database, &honest);
    assert_eq!(database.gaps().expect("it can be read"), gaps);
    let repaired = backstop_index::repair(&mut database, &honest, &Options::default()).expect("it answers");
    assert_eq!((repaired.before, repaired.after), (gaps, vec![]));
    let told = |database: &Database| {
        // What came before the first pool has no number, and nobody misses it.
        let kept = |line: &String| ["books:", "numbers:", "pool_periods:"].iter().any(|table| line.starts_with(table));
        dump(database).into_iter().filter(kept).collect::<Vec<_>>()
    };
    assert_eq!(told(&database), told(&whole));
    let verified = backstop_index::verify(&mut database, &honest, cluster, &Options::default()).expect("it answers");
    assert!(verified.is_ok, "{verified:?}");
}

#[test]
fn what_is_missing_in_the_middle_is_looked_for_in_the_middle() {
    let market = market(200);
    let cluster = &market.world.cluster;
    let honest = far(cluster, |_| true);
    let whole = indexed(&honest);
    let all = all(cluster);
    let hidden: Vec<Signature> = all.iter().skip(all.len() / 2).step_by(9).map(|executed| executed.signature).collect();
    let mut database = indexed_in_parts(&far(cluster, |signature| !hidden.contains(signature)));
    let gaps = database.gaps().expect("it can be read");
    assert!(gaps.len() > 1 && gaps.iter().all(|gap| gap.first > 1), "{gaps:?}");
    let repaired = backstop_index::repair(&mut database, &honest, &Options::default()).expect("it answers");
    assert!(repaired.after.is_empty(), "{repaired:?}");
    assert!(repaired.asked_again < all.len() as u64, "only around the gaps: {repaired:?}");
    let verified = backstop_index::verify(&mut database, &honest, cluster, &Options::default()).expect("it answers");
    assert!(verified.is_ok, "{verified:?}");
    let books =
        |database: &Database| dump(database).into_iter().filter(|line| line.starts_with("books:")).collect::<Vec<_>>();
    assert_eq!(books(&database), books(&whole));
}

#[test]
fn events_that_no_later_one_betrays_are_missed_by_the_account() {
    let market = market(60);
    let cluster = &market.world.cluster;
    let last = told(&market);
    let mut node = Faulty::of(cluster);
    node.relist = Some(Box::new(|page| page.into_iter().filter(|one| one.signature != last.signature).collect()));
    let mut database = indexed(&node);
    assert!(database.gaps().expect("it can be read").is_empty(), "nothing shows it");
    let verified = backstop_index::verify(&mut database, &node, cluster, &Options::default()).expect("it answers");
    assert!(!verified.is_ok && !verified.gaps.is_empty(), "{verified:?}");
    let repaired = backstop_index::repair(&mut database, cluster, &Options::default()).expect("it answers");
    assert!(repaired.after.is_empty(), "{repaired:?}");
    let verified = backstop_index::verify(&mut database, cluster, cluster, &Options::default()).expect("it answers");
    assert!(verified.is_ok, "{verified:?}");
}

#[test]
fn what_failed_has_no_events() {
    let market = market(60);
    let target = told(&market);
    let mut node = Faulty::of(&market.world.cluster);
    node.relist = Some(Box::new(|page| {
        let fails = |one: Listed| Listed { is_failed: one.is_failed || one.signature == target.signature, ..one };
        page.into_iter().map(fails).collect()
    }));
    let database = indexed(&node);
    let events = indexed(&market.world.cluster).event_count().expect("it can be read");
    let failed = Log::read(target.logs.as_deref().unwrap_or_default()).events.len() as u64;
    assert_eq!(database.event_count().expect("it can be read") + failed, events);
    assert!(!dump(&database).iter().any(|line| line.contains(&target.signature.to_string())));
}

#[test]
fn a_node_of_another_cluster_is_refused() {
    let market = market(0);
    let mut database = indexed(&market.world.cluster);
    let mut node = Faulty::of(&market.world.cluster);
    node.genesis = Some(Hash::new_from_array([1; 32]));
    let error = follow(&mut database, &node, &Options::default()).expect_err("it is another");
    assert!(matches!(error, IndexError::OtherCluster { .. }), "{error}");
}

#[test]
fn amounts_beyond_63_bits_are_kept_to_the_unit() {
    use anchor_lang::prelude::Pubkey;
    use anchor_lang::{AnchorSerialize, Discriminator};
    use backstop::events::Deposited;
    use backstop::state::Tranche;
    let market = market(0);
    let target = told(&market);
    let pool = Pubkey::new_from_array([3; 32]);
    let event = Deposited {
        pool,
        sequence: u64::MAX - 1,
        tranche: Tranche::Senior,
        owner: pool,
        amount: u64::MAX,
        shares: u64::MAX - 1,
        lowered: 0,
    };
    let mut bytes = Deposited::DISCRIMINATOR.to_vec();
    event.serialize(&mut bytes).expect("a vector grows");
    let line = format!("Program data: {}", base64::engine::general_purpose::STANDARD.encode(bytes));
    let mut node = Faulty::of(&market.world.cluster);
    node.alter = Some(Box::new(|executed| {
        if executed.signature == target.signature {
            let calls = executed.instructions.iter().filter(|ran| ran.program == backstop::ID).count();
            let open = format!("Program {} invoke [1]", backstop::ID);
            let close = format!("Program {} success", backstop::ID);
            let mut logs: Vec<String> = (0..calls).flat_map(|_| [open.clone(), close.clone()]).collect();
            logs.insert(1, line.clone());
            executed.logs = Some(logs);
        }
    }));
    let database = indexed(&node);
    let periods = database.pool_periods(&pool, backstop_index::By::Day, i64::MIN, i64::MAX).expect("it can be read");
    assert_eq!(periods.len(), 1);
    assert_eq!((periods[0].senior.assets, periods[0].senior.shares), (u64::MAX, u64::MAX - 1));
    assert_eq!((periods[0].senior.deposits, periods[0].cash), (u64::MAX, u64::MAX));
    let gaps = database.gaps().expect("it can be read");
    let gap = gaps.iter().find(|gap| gap.pool == pool).expect("all before it are missing");
    assert_eq!((gap.first, gap.last), (1, u64::MAX - 2));
}
