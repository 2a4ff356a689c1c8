//! Instructions of the example lender, `programs/loan`, with Backstop below them.

use super::{Entry, Prepared, case, stage};
use crate::lending::{AMOUNT, COLLATERAL, Lending, MarketKeys, market_terms};
use crate::terms::{self, DAY, FEED, ONE};
use crate::{Person, budget};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::state::Tranche;
use backstop_client::instruction::{self as ix, ProductKeys};
use backstop_sandbox::embedded::Price;
use solana_sdk::signature::Keypair;
use solana_sdk::signer::Signer;

/// The instructions of this file. Their names are those of the lender's IDL, behind `loan::`.
pub const ENTRIES: &[Entry] = &[
    Entry { instruction: "loan::create_market", cases: &[case("always", "", create_market)] },
    Entry {
        instruction: "loan::supply",
        cases: &[case("always", "", || Street::lent().by_lender(|market| market.supply(ONE)))],
    },
    Entry {
        instruction: "loan::withdraw",
        cases: &[case("always", "", || Street::lent().by_lender(|market| market.withdraw(ONE)))],
    },
    Entry {
        instruction: "loan::open_loan",
        cases: &[case("usual", "one idle day", || open_loan(1)), case("worst", "480 idle days", || open_loan(480))],
    },
    Entry { instruction: "loan::repay", cases: &[case("always", "a part", repay)] },
    Entry {
        instruction: "loan::reduce_cover",
        cases: &[case("always", "one idle day", || {
            let street = Street::lent();
            street.wait();
            street.repay(5_000 * ONE);
            street.idle(1);
            street.by_borrower(|market, borrower, number| market.reduce_cover(borrower, number, 5_000 * ONE))
        })],
    },
    Entry {
        instruction: "loan::apply_payout",
        cases: &[case("always", "all is owed, and more was paid", apply_payout)],
    },
    Entry { instruction: "loan::liquidate", cases: &[case("always", "", liquidate)] },
    Entry {
        instruction: "loan::close_loan",
        cases: &[
            case("usual", "by anyone, after the payout", close_paid),
            case("worst", "by the borrower, who gives the cover back; one idle day", || {
                let street = Street::lent();
                street.wait();
                street.repay(u64::MAX);
                for market in &street.markets {
                    for (borrower, number) in street.loans() {
                        let rent = stage::key("rent").pubkey();
                        street.town.world.run(&[], &[market.close_loan(borrower.id(), false, rent, number)]);
                    }
                }
                street.idle(1);
                let rent = stage::key("rent").pubkey();
                street.by_borrower(|market, borrower, number| market.close_loan(borrower, true, rent, number))
            }),
        ],
    },
];

/// Markets that lend one asset on another: a lender's on a product, on another of the same pool, and on one of another
/// pool, and another lender's on the first product. Two people have borrowed the same in each.
struct Street {
    /// The world, the first market and its lender.
    town: Lending,
    /// The markets: here, beside, elsewhere, the rival's.
    markets: [MarketKeys; 4],
    /// The lender of the last.
    rival: Person,
    /// Who borrows.
    people: [Person; 2],
    /// The numbers of their loans in every market: in the first their addresses are found on the first try.
    numbers: [u64; 2],
}

impl Street {
    /// Markets with money, in which nobody has borrowed.
    fn new() -> Self {
        let town = Lending::new(terms::stress());
        let world = &town.world;
        let rent = stage::key("rent");
        world.cluster.airdrop(&rent.pubkey(), 1_000_000_000_000);
        let pool = world.create_pool(terms::create_pool(1));
        let away = world.create_product(&pool, terms::stress());
        world.depositor(&pool, Tranche::Junior, 50_000 * ONE);
        world.depositor(&pool, Tranche::Senior, 150_000 * ONE);
        let rival = world.person(100_000 * ONE);
        world.cluster.set_tokens(&rival.id(), &world.covered, 0);
        world.cluster.set_tokens(&town.lender.id(), &world.asset, 200_000 * ONE);
        let of = |lender: &Person, product: ProductKeys| {
            MarketKeys::derive(lender.id(), product, world.covered, town.price_account)
        };
        let others = [of(&town.lender, town.other), of(&town.lender, away), of(&rival, town.product)];
        for (keys, lender) in others.iter().zip([&town.lender, &town.lender, &rival]) {
            for mint in [world.asset, world.covered] {
                world.cluster.set_tokens(&keys.market, &mint, 0);
            }
            world.run(&[&lender.key], &[keys.create_market(market_terms()), keys.supply(50_000 * ONE)]);
        }
        let [beside, elsewhere, theirs] = others;
        let people = [town.borrower(), town.borrower()];
        for person in &people {
            world.cluster.set_tokens(&person.id(), &world.covered, 10 * COLLATERAL);
        }
        let fits = |number: &u64| {
            let first_try = |seeds: &[&[u8]], program| Pubkey::find_program_address(seeds, program).1 == u8::MAX;
            let number = number.to_le_bytes();
            let (market, product) = (&town.market, &town.product.product);
            first_try(&[loan::state::LOAN_SEED, market.as_ref(), &number], &loan::ID)
                && first_try(
                    &[backstop::constants::POSITION_SEED, product.as_ref(), market.as_ref(), &number],
                    &backstop::ID,
                )
        };
        let mut fitting = (1..).filter(fits);
        let numbers = [(); 2].map(|()| fitting.next().expect("every fourth number fits"));
        let markets = [town.keys, beside, elsewhere, theirs];
        let street = Self { town, markets, rival, people, numbers };
        street.town.world.next_day();
        street.show(100_000_000);
        street
    }

    /// The same, and two people have borrowed in every market.
    fn lent() -> Self {
        let street = Self::new();
        let rent = stage::key("rent");
        for market in &street.markets {
            for (person, number) in street.loans() {
                let open = market.open_loan(rent.pubkey(), person.id(), market.args(number));
                street.town.world.run(&[&rent, &person.key], &[budget(), open]);
            }
        }
        // What they pay back with, and more.
        for person in &street.people {
            street.town.world.cluster.set_tokens(&person.id(), &street.town.world.asset, 10 * AMOUNT);
        }
        street
    }

    fn loans(&self) -> impl Iterator<Item = (&Person, u64)> {
        self.people.iter().zip(self.numbers)
    }

    fn products(&self) -> [ProductKeys; 3] {
        [self.town.product, self.town.other, self.markets[2].product]
    }

    /// Posts a price where loans read it, and beside it one of another feed and one of a second before.
    fn post(&self, price_e8: i64) {
        let now = self.town.world.now();
        self.town.post(price_e8, 0);
        for (label, feed, at) in [("price of another feed", [8; 32], now), ("price of a second before", FEED, now - 1)]
        {
            self.town.world.cluster.post_price(stage::key(label).pubkey(), feed, Price::e8(price_e8, 0, at));
        }
    }

    /// Posts a price, and shows it to every trigger.
    fn show(&self, price_e8: i64) {
        for product in self.products() {
            self.town.world.print(&product, price_e8);
        }
        self.post(price_e8);
    }

    /// Past the waiting time.
    fn wait(&self) {
        self.town.world.advance(3 * DAY);
    }

    /// Earns premium up to now, then lets days pass in which nobody does anything.
    fn idle(&self, days: i64) {
        for pool in [self.town.pool.pool, self.markets[2].pool.pool] {
            self.town.world.run(&[], &[budget(), ix::accrue(pool)]);
        }
        self.town.world.advance(days * DAY);
    }

    /// Everybody pays a part of every debt.
    fn repay(&self, amount: u64) {
        for market in &self.markets {
            for (person, number) in self.loans() {
                self.town.world.run(&[&person.key], &[market.repay(person.id(), number, amount)]);
            }
        }
    }

    /// The price falls until every event is proven; every incident is open and funded, and every position paid.
    fn fall(&self) {
        let world = &self.town.world;
        let terms = world.trigger(&self.town.product).terms;
        let slot = i64::from(terms.slot_seconds);
        for _ in 0..terms.need {
            world.cluster.set_time((world.now() / slot + 1) * slot);
            self.show(80_000_000);
        }
        world.advance(slot + i64::from(terms.challenge));
        for product in self.products() {
            world.run(&[], &[ix::confirm(&product)]);
        }
        for product in self.products() {
            world.run(&[], &[world.open_incident(&product)]);
        }
        for product in self.products() {
            world.run(&[], &[budget(), world.fund_incident(&product)]);
        }
        for market in &self.markets {
            for number in self.numbers {
                let settle = ix::settle_position(&market.product, market.position(number), market.vault());
                world.run(&[], &[settle]);
            }
        }
    }

    /// An instruction that the lender signs, about the first loan of each market.
    fn by_lender(self, build: impl Fn(&MarketKeys) -> Instruction) -> Prepared {
        let [here, beside, elsewhere, theirs] = self.markets.map(|market| build(&market));
        let (lender, rival) = (self.town.lender.key, self.rival.key);
        Prepared::new(self.town.world, here, &[&lender])
            .twin("another product", beside, &[&lender])
            .twin("another pool", elsewhere, &[&lender])
            .twin("another lender", theirs, &[&rival])
    }

    /// An instruction that the borrower signs.
    fn by_borrower(self, build: impl Fn(&MarketKeys, Pubkey, u64) -> Instruction) -> Prepared {
        let [one, other] = &self.people;
        let [first, second] = self.numbers;
        let of = |market: &MarketKeys| build(market, one.id(), first);
        let [here, beside, elsewhere, theirs] = [0, 1, 2, 3].map(|index| of(&self.markets[index]));
        let others = build(&self.markets[0], other.id(), second);
        let keys: [&Keypair; 2] = [&one.key, &other.key];
        let signs = |instruction: &Instruction, key: &Keypair| {
            instruction.accounts.iter().any(|meta| meta.is_signer && meta.pubkey == key.pubkey())
        };
        let signers = |instruction: &Instruction| -> Vec<&Keypair> {
            keys.into_iter().filter(|key| signs(instruction, key)).collect()
        };
        let [a, b, c, d, e] = [&here, &others, &beside, &elsewhere, &theirs].map(signers);
        Prepared::new(self.town.world, here.clone(), &a)
            .twin("another borrower", others.clone(), &b)
            .twin("another product", beside.clone(), &c)
            .twin("another pool", elsewhere.clone(), &d)
            .twin("another lender", theirs.clone(), &e)
    }
}

fn create_market() -> Prepared {
    let street = Street::new();
    let world = &street.town.world;
    let [fred, gina] = [world.person(0), world.person(0)];
    let of = |lender: &Person, product: ProductKeys| {
        let keys = MarketKeys::derive(lender.id(), product, world.covered, street.town.price_account);
        for mint in [world.asset, world.covered] {
            world.cluster.set_tokens(&keys.market, &mint, 0);
        }
        keys.create_market(market_terms())
    };
    let [product, beside, elsewhere] = street.products();
    let [here, another, pool, lender] =
        [of(&fred, product), of(&fred, beside), of(&fred, elsewhere), of(&gina, product)];
    Prepared::new(street.town.world, here, &[&fred.key])
        .twin("another product", another, &[&fred.key])
        .twin("another pool", pool, &[&fred.key])
        .twin("another lender", lender, &[&gina.key])
}

fn open_loan(days: i64) -> Prepared {
    let street = Street::new();
    street.idle(days);
    street.show(100_000_000);
    let (rent, [first, _]) = (stage::key("rent"), street.numbers);
    let [one, other] = &street.people;
    let open = |market: &MarketKeys, person: &Person| market.open_loan(rent.pubkey(), person.id(), market.args(first));
    let [here, beside, elsewhere, theirs] = [0, 1, 2, 3].map(|index| open(&street.markets[index], one));
    let another = open(&street.markets[0], other);
    let (one, other) = (one.key.insecure_clone(), other.key.insecure_clone());
    Prepared::new(street.town.world, here, &[&one, &rent])
        .twin("another borrower", another, &[&other, &rent])
        .twin("another product", beside, &[&one, &rent])
        .twin("another pool", elsewhere, &[&one, &rent])
        .twin("another lender", theirs, &[&one, &rent])
}

fn repay() -> Prepared {
    let street = Street::lent();
    street.wait();
    street.by_borrower(|market, borrower, number| market.repay(borrower, number, ONE))
}

fn apply_payout() -> Prepared {
    let street = Street::lent();
    street.wait();
    street.fall();
    street.by_borrower(|market, borrower, number| market.apply_payout(number, market.pool.assets_of(&borrower)))
}

fn liquidate() -> Prepared {
    let street = Street::lent();
    street.wait();
    street.post(80_000_000);
    let [first, second] = street.numbers;
    let another = street.markets[0].liquidate(street.town.lender.id(), second);
    let lender = street.town.lender.key.insecure_clone();
    let prepared = street.by_lender(|market| market.liquidate(market.lends, first));
    prepared.twin("another loan", another, &[&lender])
}

fn close_paid() -> Prepared {
    let street = Street::lent();
    street.wait();
    street.fall();
    for market in &street.markets {
        for (person, number) in street.loans() {
            let apply = market.apply_payout(number, market.pool.assets_of(&person.id()));
            street.town.world.run(&[], &[apply]);
        }
    }
    let rent = stage::key("rent").pubkey();
    street.by_borrower(|market, borrower, number| market.close_loan(borrower, false, rent, number))
}
