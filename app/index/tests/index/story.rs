//! A random story, read while it happens and at its end.

use crate::support::{assert_same, indexed, market, read};
use anchor_lang::prelude::Pubkey;
use backstop::peril::evidence::SlotState;
use backstop::state::{Tranche, Trigger};
use backstop_client::account;
use backstop_client::event::Event;
use backstop_client::history::History;
use backstop_client::numbering::reported;
use backstop_index::{By, Database, Options, read as rows, verify};
use backstop_tests::market::Market;

const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

fn events(market: &Market) -> Vec<Event> {
    let all = crate::support::all(&market.world.cluster);
    let logs = all.into_iter().filter_map(|executed| executed.logs);
    logs.flat_map(|logs| reported(&logs)).filter_map(|bytes| Event::read(&bytes)).collect()
}

#[test]
fn a_random_story_gives_the_books_of_the_accounts_whenever_it_is_read() {
    let mut market = market(0);
    let mut database = Database::in_memory().expect("there is memory");
    for step in 0..1_000 {
        market.act();
        if step % 50 == 0 {
            read(&mut database, &market.world.cluster);
        }
    }
    let cluster = &market.world.cluster;
    let verified = verify(&mut database, cluster, cluster, &Options::default()).expect("it answers");
    assert!(verified.is_ok, "{verified:?}");
    assert_eq!(verified.pools.len(), 2);
    assert!(verified.pools.iter().all(|pool| pool.is_compared && pool.events > 100));
    // In one go, and made anew, it is the same.
    let mut once = indexed(cluster);
    assert_same(&database, &once);
    let count = backstop_index::rebuild(&mut once).expect("it can be written");
    assert_eq!(count, once.event_count().expect("it can be read"));
    assert_same(&database, &once);
    // To read again what was read changes nothing.
    let progress = read(&mut once, cluster);
    assert_eq!((progress.transactions, progress.events), (0, 0));
    assert_same(&database, &once);
    figures(&market, &database);
}

/// What the queries say, against a plain walk through the events.
fn figures(market: &Market, database: &Database) {
    let events = events(market);
    let (from, to) = ALWAYS;
    let sum = |of: &dyn Fn(&Event) -> u64| events.iter().map(of).sum::<u64>();
    for (place, keys) in [&market.cedant, &market.reinsurer].into_iter().enumerate() {
        let account = market.world.pool(keys);
        for by in By::ALL {
            let periods = database.pool_periods(&keys.pool, by, from, to).expect("it can be read");
            assert!(periods.windows(2).all(|pair| pair[0].start < pair[1].start));
            assert!(periods.iter().all(|period| period.start % by.seconds() == 0));
            let last = periods.last().expect("something happened");
            assert_eq!((last.surplus, last.cash), (account.surplus, account.cash));
            assert_eq!(last.exposure, account.total_exposure);
            for tranche in Tranche::BOTH {
                let book = account.tranche(tranche);
                let prices = database.share_prices(&keys.pool, tranche, by, from, to).expect("it can be read");
                let last = prices.last().expect("there is one");
                assert_eq!((last.assets, last.shares, last.series), (book.assets, book.shares, book.series));
                let price =
                    (book.shares > 0).then(|| u128::from(book.assets) * 1_000_000_000_000 / u128::from(book.shares));
                assert_eq!(last.price_e9.map(u128::from), price);
            }
            let all = |of: fn(&rows::PoolPeriod) -> u64| periods.iter().map(of).sum::<u64>();
            let deposits = sum(&|event| match event {
                Event::Deposited(event) if event.pool == keys.pool => event.amount,
                _ => 0,
            });
            assert_eq!(all(|period| period.junior.deposits + period.senior.deposits), deposits);
            let paid = sum(&|event| match event {
                Event::ExitClaimed(event) if event.pool == keys.pool => event.amount,
                _ => 0,
            });
            assert_eq!(all(|period| period.exits_paid), paid);
            // What was lost for good: what was funded, less what was taken back.
            let lost: i64 =
                periods.iter().map(|period| period.surplus_lost + period.junior.lost + period.senior.lost).sum();
            let expected: i64 = events.iter().map(|event| signed_loss(event, keys.pool)).sum();
            assert_eq!(lost, expected);
            let told: i64 = (database.losses(&keys.pool, by, from, to).expect("it can be read").iter())
                .map(|loss| loss.surplus + loss.junior + loss.senior)
                .sum();
            assert_eq!(told, lost);
            if place == 0 {
                assert!(lost > 0, "nothing was lost in this story");
            }
        }
        // From a moment on, a chart begins with what stood before.
        let periods = database.pool_periods(&keys.pool, By::Day, from, to).expect("it can be read");
        let middle = periods[periods.len() / 2].start;
        let some = database.pool_periods(&keys.pool, By::Day, middle, middle + 1).expect("it can be read");
        assert_eq!(some, periods[periods.len() / 2 - 1..=periods.len() / 2]);
    }
    prices(market, database);
    incidents(market, database, &events);
    treaties(market, database, &events);
}

fn signed_loss(event: &Event, pool: Pubkey) -> i64 {
    let total = |losses: &backstop::state::LossByLayer| {
        losses.surplus + losses.junior_assets + losses.junior_exiting + losses.senior_assets + losses.senior_exiting
    };
    match event {
        Event::IncidentFunded(event) if event.pool == pool => total(&event.giving.losses).cast_signed(),
        Event::CrisisClosed(event) if event.pool == pool => {
            let restored: u64 = event.closing.restored.iter().sum();
            total(&event.closing.losses).cast_signed() - restored.cast_signed()
        }
        Event::TreatyCalled(event) if event.reinsurer == pool => total(&event.losses).cast_signed(),
        Event::TreatyCalled(event) if event.cedant == pool => {
            let back: u64 = event.receipt.staying.iter().chain(&event.receipt.exiting).sum();
            -(back + event.receipt.surplus).cast_signed()
        }
        _ => 0,
    }
}

/// What slots say is what the triggers' own evidence says of them.
fn prices(market: &Market, database: &Database) {
    let triggers: Vec<(Pubkey, Trigger)> = account::list(&market.world.cluster, None).expect("it answers");
    let mut compared = [0; 3];
    for (key, trigger) in triggers {
        let history = database.price_history(&trigger.product, i64::MIN, i64::MAX).expect("it can be read");
        let history = history.expect("it has a condition");
        assert_eq!((history.trigger, history.threshold_e8), (key, trigger.terms.threshold));
        let terms = trigger.terms;
        for point in &history.points {
            let slot = terms.slot_of(point.start).expect("it is after 1970");
            if (trigger.evidence.tail()..=trigger.evidence.head).contains(&slot) {
                let says = match trigger.evidence.state(&terms, slot) {
                    SlotState::Open => rows::Says::Open,
                    SlotState::Good => rows::Says::Breach,
                    SlotState::Recovered => rows::Says::Recovered,
                };
                assert_eq!(point.says, says, "{key}: {point:?}");
                compared[says as usize] += 1;
            }
        }
        let shown = (trigger.evidence.tail()..=trigger.evidence.head)
            .filter(|slot| trigger.evidence.state(&terms, *slot) == SlotState::Good);
        for slot in shown.filter(|slot| *slot > 0) {
            let start = terms.slot_start(slot);
            assert!(history.points.iter().any(|point| point.start == start && point.says == rows::Says::Breach));
        }
    }
    assert!(compared[0] > 10 && compared[1] > 10, "{compared:?}");
}

fn incidents(market: &Market, database: &Database, events: &[Event]) {
    let incidents = database.incidents(Some(&market.cedant.pool)).expect("it can be read");
    let opened = events.iter().filter(|event| matches!(event, Event::IncidentOpened(_))).count();
    assert_eq!(incidents.len(), opened);
    assert!(opened > 0, "no incident in this story");
    assert!(database.incidents(Some(&market.reinsurer.pool)).expect("it can be read").is_empty());
    assert_eq!(database.incidents(None).expect("it can be read"), incidents);
    for incident in &incidents {
        let payments = database.payments(&incident.incident).expect("it can be read");
        assert_eq!(payments.len() as u64, incident.payments);
        assert_eq!(payments.iter().map(|payment| payment.amount).sum::<u64>(), incident.paid);
        assert_eq!(payments.iter().map(|payment| payment.refund).sum::<u64>(), incident.refunded);
        for payment in &payments {
            let executed = market.world.cluster.transaction(&payment.moment.signature).expect("it answers");
            let executed = executed.expect("it is there");
            assert_eq!((executed.slot, executed.time), (payment.moment.slot, Some(payment.moment.time)));
            let own = database.payments_to(&payment.holder).expect("it can be read");
            assert!(own.contains(payment));
        }
        let timeline = database.timeline(&incident.incident).expect("it can be read");
        assert!(timeline.windows(2).all(|pair| pair[0].moment.slot <= pair[1].moment.slot));
        let place = |what: &str| timeline.iter().position(|step| step.what == what);
        assert_eq!(timeline[0].phase, Some(1), "it begins when the trigger leaves quiet: {timeline:?}");
        let opened = place("IncidentOpened").expect("it was opened");
        assert!(place("PhaseChanged") < Some(opened));
        assert!(place("IncidentFunded").is_none_or(|funded| funded > opened));
        assert_eq!(place("IncidentClosed").is_some(), incident.closed_at.is_some());
        let history = database.price_history(&incident.product, i64::MIN, i64::MAX).expect("it can be read");
        let history = history.expect("it has a condition");
        let breaches = history.points.iter().filter(|point| point.says == rows::Says::Breach);
        assert!(breaches.clone().count() >= 6, "a condition is met by six slots at least");
        assert!(breaches.clone().all(|point| point.low_e8 < history.threshold_e8 && point.start % 60 == 0));
        let sales = database.product_periods(&incident.product, By::Day, i64::MIN, i64::MAX).expect("it can be read");
        assert!(sales.iter().any(|period| period.covers > 0 && period.last_rate_ppb > 0));
        for period in sales.iter().filter(|period| period.covers > 0) {
            assert!(period.lowest_rate_ppb <= period.last_rate_ppb && period.last_rate_ppb <= period.highest_rate_ppb);
        }
    }
}

fn treaties(market: &Market, database: &Database, events: &[Event]) {
    let steps = database.treaty_steps(&market.cedant.pool).expect("it can be read");
    assert_eq!(steps, database.treaty_steps(&market.reinsurer.pool).expect("it can be read"));
    let paid: u64 = steps.iter().map(|step| step.to_cedant).sum();
    let expected: u64 = events
        .iter()
        .map(|event| match event {
            Event::TreatyCalled(event) => event.paid - event.reinstatement_premium,
            Event::TreatyCommuted(event) => event.returned,
            _ => 0,
        })
        .sum();
    assert_eq!(paid, expected);
    // Three treaties and forty products were announced.
    let announced = database.announcements(&market.cedant.pool).expect("it can be read");
    let count = |what: &str| announced.iter().filter(|one| one.what == what).count();
    assert_eq!((count("TreatyCreated"), count("ProductCreated"), count("ConditionSet")), (3, 40, 40));
    for one in announced.iter().filter(|one| one.what == "TreatyCreated") {
        assert!(one.ended_at.is_some() && one.amount.is_some(), "they were accepted: {one:?}");
    }
    for one in announced.iter().filter(|one| one.what == "CessionAnnounced") {
        assert_eq!(one.subject, market.reinsurer.pool);
        assert!(one.until > Some(one.begins_at));
    }
}
