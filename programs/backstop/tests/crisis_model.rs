//! A crisis by its rule alone, and the program's books beside it.

mod crisis_rule;

use crisis_rule::*;

const IN_TIME: [Calling; 4] = [
    Calling { calls: 0, in_time: true },
    Calling { calls: 1, in_time: true },
    Calling { calls: 4, in_time: true },
    Calling { calls: 12, in_time: true },
];

fn histories() -> u64 {
    std::env::var("BACKSTOP_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000)
}

#[test]
fn the_rule_reaches_the_outcome_in_every_order_of_calls() {
    let mut dice = Dice::new(1);
    let (mut crises, mut short) = ([0u32; 5], 0u32);
    for _ in 0..histories() {
        let world = World::random(&mut dice);
        let (expected, capital) = outcome(&world);
        for calling in IN_TIME {
            let mut books = Books::new(&world);
            play(&world, &mut books, &mut dice, calling);
            assert!(books.problems.is_empty(), "{:?}\n{world:#?}", books.problems);
            assert!(!books.open, "a crisis stays open\n{world:#?}\n{books:#?}");
            let reached = books.incidents.iter().map(|(product, incident)| {
                (*product, Paid { crisis: incident.crisis, gross: incident.gross, reserve: incident.reserve })
            });
            assert_eq!(reached.collect::<std::collections::BTreeMap<_, _>>(), expected, "{calling:?}\n{world:#?}");
            assert_eq!(books.capital, capital, "{calling:?}\n{world:#?}");
        }
        crises[expected.values().map(|paid| paid.crisis).max().unwrap_or(0) as usize] += 1;
        short += u32::from(expected.values().any(|paid| paid.reserve < paid.gross));
    }
    // The search looks at what it should: one crisis and several, solvent and not.
    println!("crises a world {crises:?}, short {short}");
    assert!(crises[1] > 0 && crises[2] > 0 && short > 0);
}

#[test]
fn a_treaty_that_is_called_late_pays_what_it_owes_and_nobody_else_gets_less() {
    let mut dice = Dice::new(2);
    for _ in 0..histories() {
        let world = World::random(&mut dice);
        let (expected, _) = outcome(&world);
        for calls in [0, 4] {
            let mut books = Books::new(&world);
            play(&world, &mut books, &mut dice, Calling { calls, in_time: false });
            assert!(books.problems.is_empty(), "{:?}\n{world:#?}", books.problems);
            for (product, incident) in &books.incidents {
                assert_eq!(incident.owed, incident.paid);
                let crisis = &books.crises[incident.crisis as usize - 1];
                let (resources, _) = crisis.closed.unwrap();
                let floor = u128::from(incident.gross) * u128::from(resources) / u128::from(crisis.gross);
                assert_eq!(u128::from(incident.reserve), floor);
                // The first crisis loses nothing by it.
                if incident.crisis == 1 && expected[product].crisis == 1 {
                    assert!(incident.reserve >= expected[product].reserve, "{world:#?}\n{books:#?}");
                }
            }
        }
    }
}
