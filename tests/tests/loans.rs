//! The example lender with the real Backstop below it: the whole way of a loan, who pays what, and what nobody can do.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use backstop::constants::PAUSE_PURCHASES;
use backstop::error::BackstopError;
use backstop::peril::evidence::Phase;
use backstop::state::{CoverState, Policy};
use backstop_client::cluster::{Cluster, ClusterError};
use backstop_client::instruction as ix;
use backstop_client::transaction;
use backstop_tests::lending::{AMOUNT, COLLATERAL, Lending, MarketKeys, TERM_DAYS, assert_loan_refused, market_terms};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Outcome, Person, assert_refused, budget, explain, forwarder, seeded};
use loan::OpenLoanArgs;
use loan::error::LoanError;
use loan::events::{LoanOpened, PayoutApplied};
use loan::state::{Loan, MARKET_SEED, MarketTerms};
use solana_sdk::account::Account;
use solana_sdk::signer::Signer;

/// A price at which the stress condition pays half.
const HALF: i64 = 87_500_000;
/// A price at which it pays all.
const FULL: i64 = 80_000_000;

fn lending() -> Lending {
    Lending::new(terms::stress())
}

/// Whoever runs the crank: a wallet that nobody knows.
fn crank(town: &Lending) -> Person {
    town.world.person(0)
}

/// Sends what must succeed.
#[track_caller]
fn ok(outcome: Outcome) -> backstop_client::cluster::Receipt {
    outcome.unwrap_or_else(|error| panic!("{}", explain(&error)))
}

fn apply(town: &Lending, borrower: &Person, number: u64) -> Outcome {
    let crank = crank(town);
    let to = town.pool.assets_of(&borrower.id());
    town.world.send(&[&crank.key], &[town.apply_payout(number, to)])
}

fn repay(town: &Lending, by: &Person, number: u64, amount: u64) -> Outcome {
    town.world.send(&[&by.key], &[town.repay(by.id(), number, amount)])
}

/// `close_loan`, signed by the borrower.
fn close(town: &Lending, borrower: &Person, number: u64) -> Outcome {
    town.world.send(&[&borrower.key], &[town.close_loan(borrower.id(), true, borrower.id(), number)])
}

/// `close_loan`, signed by nobody but whoever pays the fee.
fn close_as_stranger(town: &Lending, borrower: &Person, number: u64) -> Outcome {
    town.world.send(&[], &[town.close_loan(borrower.id(), false, borrower.id(), number)])
}

fn liquidate(town: &Lending, number: u64) -> Outcome {
    town.world.send(&[&town.lender.key], &[town.liquidate(town.lender.id(), number)])
}

/// Gives somebody an amount of what is lent.
fn give(town: &Lending, to: &Pubkey, amount: u64) {
    let held = town.world.tokens(&town.pool.assets_of(to));
    town.world.cluster.set_tokens(to, &town.world.asset, held + amount);
}

fn rewrite(town: &Lending, address: Pubkey, change: impl FnOnce(&mut Account)) {
    let mut account = town.world.cluster.account(&address).unwrap().unwrap();
    change(&mut account);
    town.world.cluster.set_account(address, account);
}

fn debt(loan: &Loan) -> u64 {
    loan.principal + loan.interest
}

// ---------------------------------------------------------------- the whole way

#[test]
fn the_peg_falls_the_cover_pays_the_debt_and_the_rest_is_the_borrowers_with_no_signature_but_the_cranks() {
    let town = lending();
    let borrower = town.borrower();
    let receipt = ok(town.open(&borrower, town.args(1)));
    let opened = transaction::events::<LoanOpened>(&receipt.logs).remove(0);
    let position = town.world.position(&town.position(1));
    // The loan is insured for what it will owe, the market owns the cover and is paid, and nothing was asked of the borrower.
    let interest = market_terms().interest(AMOUNT, u64::from(TERM_DAYS) * 86_400).unwrap();
    assert_eq!((position.sum_insured, position.insured), (AMOUNT + interest, town.market));
    assert_eq!((position.beneficiary, position.beneficiary_owner), (town.vault(), town.market));
    assert_eq!(position.reference, town.loan(1).to_bytes());
    assert_eq!((opened.premium, opened.sum_insured), (position.premium, position.sum_insured));
    assert_eq!(town.world.assets(&borrower), AMOUNT - position.premium);
    assert_eq!((town.books().cash, town.books().lent), (92_000 * ONE, AMOUNT));
    town.assert_vaults();

    // The crank alone: it settles, and its key sends `apply_payout`.
    town.wait();
    town.fall(FULL);
    ok(town.settle(1));
    let position = town.world.position(&town.position(1));
    assert_eq!((position.paid, position.state), (position.sum_insured, CoverState::Settled));
    let had = town.world.assets(&borrower);
    let receipt = ok(apply(&town, &borrower, 1));
    let applied = transaction::events::<PayoutApplied>(&receipt.logs).remove(0);
    let loan = town.state(1);
    let owed = AMOUNT + applied.interest;
    assert_eq!((debt(&loan), applied.principal, applied.debt), (0, AMOUNT, 0));
    assert_eq!(applied.amount, position.paid + position.refunded);
    assert_eq!(town.world.assets(&borrower) - had, applied.amount - owed);
    assert!(applied.amount > owed);
    assert_eq!((town.books().cash, town.books().lent), (92_000 * ONE + owed, 0));

    // And it sends the collateral home and closes what is over.
    ok(close_as_stranger(&town, &borrower, 1));
    assert_eq!(town.world.tokens(&town.collateral_of(&borrower.id())), COLLATERAL);
    assert!(town.find(1).is_none());
    assert!(town.world.cluster.account(&town.position(1)).unwrap().is_none());
    assert_eq!(town.books().loans, 0);
    town.assert_vaults();
    town.world.run(&[&town.lender.key], &[town.withdraw(town.books().cash)]);
    assert_eq!(town.world.tokens(&town.vault()), 0, "to the unit");
}

#[test]
fn a_loan_that_is_repaid_gives_collateral_and_cover_back() {
    let town = lending();
    let borrower = town.borrowed(1);
    town.world.advance(9 * DAY);
    give(&town, &borrower.id(), AMOUNT);
    assert_loan_refused(close(&town, &borrower, 1), LoanError::LoanNotPaid);
    ok(repay(&town, &borrower, 1, 1_000 * ONE));
    assert!(town.state(1).principal > 7_000 * ONE && town.state(1).interest == 0, "interest first");
    let before = town.world.assets(&borrower);
    let owed = debt(&town.state(1));
    ok(repay(&town, &borrower, 1, u64::MAX));
    assert_eq!(before - town.world.assets(&borrower), owed, "no more than the debt");
    assert_loan_refused(repay(&town, &borrower, 1, 1), LoanError::NoDebt);
    // A stranger sends the collateral home, but gives nobody's cover back.
    ok(close_as_stranger(&town, &borrower, 1));
    assert_eq!(town.world.tokens(&town.collateral_of(&borrower.id())), COLLATERAL);
    assert_loan_refused(close_as_stranger(&town, &borrower, 1), LoanError::CoverStillLive);
    let before = town.world.assets(&borrower);
    ok(close(&town, &borrower, 1));
    assert!(town.world.assets(&borrower) > before, "the refund is the borrower's");
    assert!(town.find(1).is_none());
    assert_eq!(town.world.product(&town.product).exposure, 0);
    assert_eq!(town.books().lent, 0);
    town.assert_vaults();
}

#[test]
fn the_cover_of_a_part_that_was_repaid_is_given_back_by_the_borrower_at_once_or_after_an_alert() {
    let town = lending();
    let borrower = town.borrowed(1);
    give(&town, &borrower.id(), AMOUNT);
    town.world.advance(2 * DAY);
    let insured = || town.world.position(&town.position(1)).sum_insured;
    let send = |instructions: &[Instruction]| town.world.send(&[&borrower.key], instructions);
    // Not below what will be owed at the end.
    let half = AMOUNT / 2;
    let at_end = |principal| principal + market_terms().interest(principal, u64::from(TERM_DAYS) * 86_400).unwrap();
    let reduce = |sum| town.reduce_cover(borrower.id(), 1, sum);
    assert_loan_refused(send(&[reduce(half)]), LoanError::CoverTooSmall);
    // Beside the repayment, in one transaction.
    let before = insured();
    ok(send(&[budget(), town.repay(borrower.id(), 1, half), reduce(at_end(half) + 20 * ONE)]));
    assert!(insured() < before && insured() == at_end(half) + 20 * ONE);
    assert!(debt(&town.state(1)) > 0 && town.world.product(&town.product).exposure == insured());
    assert_loan_refused(send(&[reduce(half - ONE)]), LoanError::CoverTooSmall);
    // In an alert it is not taken back: the repayment goes through without it, and it is made smaller later.
    town.world.advance(2 * HOUR);
    town.price(90_000_000);
    let quarter = AMOUNT / 4;
    let both = [budget(), town.repay(borrower.id(), 1, quarter), reduce(at_end(half - quarter) + 20 * ONE)];
    assert_refused(send(&both), BackstopError::TriggerNotQuiet);
    ok(repay(&town, &borrower, 1, quarter));
    town.world.recover(&town.product, 100_000_000);
    town.world.advance(25 * HOUR);
    town.world.run(&[], &[ix::refresh(&town.product)]);
    let had = town.world.assets(&borrower);
    ok(send(&[reduce(at_end(half - quarter) + 20 * ONE)]));
    assert!(town.world.assets(&borrower) > had, "the refund is the borrower's");
    town.assert_vaults();
}

#[test]
fn open_loan_costs_less_than_60_000_units_and_here_is_what_all_cost() {
    let town = lending();
    let units = |receipt: backstop_client::cluster::Receipt| {
        let this = format!("Program {} consumed ", loan::ID);
        let line = receipt.logs.iter().find(|line| line.starts_with(&this)).expect("the runtime says so").clone();
        line[this.len()..].split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let withdraw = units(town.world.run(&[&town.lender.key], &[town.withdraw(ONE)]));
    let supply = units(town.world.run(&[&town.lender.key], &[town.supply(ONE)]));
    let borrower = town.borrower();
    let open = units(ok(town.open(&borrower, town.args(1))));
    let other = town.borrowed(2);
    give(&town, &other.id(), AMOUNT);
    town.world.advance(2 * DAY);
    let repaid = units(ok(repay(&town, &other, 2, u64::MAX)));
    let least = town.world.send(&[&other.key], &[budget(), town.reduce_cover(other.id(), 2, ONE)]);
    let reduced = units(ok(least));
    let cancelled = units(ok(close(&town, &other, 2)));
    town.price(100_000_000);
    town.borrowed(3);
    town.wait();
    town.fall(FULL);
    let liquidated = units(ok(liquidate(&town, 3)));
    ok(town.settle(1));
    let applied = units(ok(apply(&town, &borrower, 1)));
    let closed = units(ok(close_as_stranger(&town, &borrower, 1)));
    println!(
        "supply {supply}, withdraw {withdraw}, open_loan {open}, repay {repaid}, reduce_cover {reduced}, apply_payout {applied}, liquidate \
         {liquidated}, close_loan {cancelled} with a cancellation, {closed} at the end"
    );
    assert!(open < 60_000, "open_loan costs {open}");
    assert!([supply, withdraw, repaid, reduced, applied, liquidated].iter().all(|cost| *cost < 30_000));
    assert!(cancelled.max(closed) < 40_000);
}

// ---------------------------------------------------------------- opening

#[test]
fn nothing_is_lent_while_the_pool_is_in_alert() {
    let town = lending();
    let borrower = town.borrower();
    // Another product of the pool is enough: what insures is the pool's capital.
    let other = town.other;
    town.world.holder(&other, 20_000 * ONE, 30);
    town.world.advance(2 * HOUR);
    town.world.print(&other, HALF);
    assert!(
        town.world.trigger(&other).phase() != Phase::Quiet && town.world.trigger(&town.product).phase() == Phase::Quiet
    );
    town.price(100_000_000);
    assert_loan_refused(town.open(&borrower, town.args(1)), LoanError::PoolInAlert);
    // A crisis too: an incident that is open and not funded.
    let town = lending();
    town.borrowed(1);
    town.wait();
    town.world.depeg(&town.product, HALF);
    town.world.run(&[], &[town.world.open_incident(&town.product)]);
    town.post(100_000_000, 0);
    assert_loan_refused(town.open(&town.borrower(), town.args(2)), LoanError::PoolInAlert);
}

#[test]
fn a_cover_that_is_too_dear_for_the_market_or_the_borrower_is_not_bought() {
    let town = lending();
    let borrower = town.borrower();
    let args = OpenLoanArgs { max_premium: 1, ..town.args(1) };
    assert_refused(town.open(&borrower, args), BackstopError::PremiumTooHigh);
    // Another market of a lender who lets nobody pay more than 1 % a year.
    let mut town = town;
    town.lender = town.world.person(50_000 * ONE);
    town.keys = MarketKeys::derive(town.lender.id(), town.product, town.world.covered, town.price_account);
    town.create(MarketTerms { max_price_bps: 100, ..market_terms() }, 50_000 * ONE);
    assert_loan_refused(town.open(&borrower, town.args(1)), LoanError::CoverTooDear);
    assert_eq!(town.world.tokens(&town.collateral_of(&borrower.id())), COLLATERAL, "nothing has moved");
}

#[test]
fn collateral_is_valued_by_a_young_print_of_the_products_feed_at_its_lower_end() {
    let town = lending();
    let borrower = town.borrower();
    // 8,000 and interest on 10,000 needs 0.945 of 0.85; the product sells above 0.95 and a buffer.
    let most = OpenLoanArgs { amount: 8_400 * ONE, ..town.args(1) };
    town.post(98_000_000, 0);
    assert_loan_refused(town.open(&borrower, most), LoanError::TooLittleCollateral);
    town.post(100_000_000, 2_000_000);
    assert_loan_refused(town.open(&borrower, most), LoanError::TooLittleCollateral);
    town.post(100_000_000, 0);
    town.world.advance(61);
    assert_loan_refused(town.open(&borrower, most), LoanError::PriceTooOld);
    // A print of another feed; an account of somebody else's; the trigger.
    let price = |key: Pubkey, feed: [u8; 32]| {
        let print = backstop_sandbox::embedded::Price::e8(200_000_000, 0, town.world.now());
        town.world.cluster.post_price(key, feed, print);
    };
    price(town.price_account, [9; 32]);
    assert_loan_refused(town.open(&borrower, most), LoanError::BadPrice);
    town.post(200_000_000, 0);
    rewrite(&town, town.price_account, |account| account.owner = seeded(9).pubkey());
    assert_loan_refused(town.open(&borrower, most), LoanError::BadPrice);
    town.price(100_000_000);
    ok(town.open(&borrower, most));
}

#[test]
fn what_the_market_does_not_lend_is_refused() {
    let town = lending();
    let borrower = town.borrower();
    let with = |change: fn(&mut OpenLoanArgs)| {
        let mut args = town.args(1);
        change(&mut args);
        town.open(&borrower, args)
    };
    assert_loan_refused(with(|args| args.amount = ONE - 1), LoanError::AmountTooSmall);
    assert_loan_refused(with(|args| args.collateral = 0), LoanError::AmountTooSmall);
    assert_loan_refused(with(|args| args.term_days = 6), LoanError::BadTerm);
    assert_loan_refused(with(|args| args.term_days = 91), LoanError::BadTerm);
    assert_loan_refused(with(|args| args.amount = 100_001 * ONE), LoanError::NotEnoughCash);
    assert_loan_refused(
        town.world.send(&[&town.lender.key], &[town.withdraw(100_001 * ONE)]),
        LoanError::NotEnoughCash,
    );
    // The money goes to the borrower's account; the vaults are the market's.
    let send = |change: &dyn Fn(&mut Instruction)| {
        let mut open = town.open_loan(borrower.id(), borrower.id(), town.args(1));
        change(&mut open);
        town.world.send(&[&borrower.key], &[budget(), open])
    };
    let stranger = town.world.person(0);
    let to = town.pool.assets_of(&stranger.id());
    assert_loan_refused(send(&|open| open.accounts[5].pubkey = to), LoanError::CannotReceive);
    // The pool's own vault as the market's: it would be paid by its own payouts.
    let pool_vault = town.pool.vault();
    assert_loan_refused(send(&|open| open.accounts[6].pubkey = pool_vault), LoanError::WrongAccount);
    // Terms out of bounds make no market.
    for bad in [
        MarketTerms { max_ltv_bps: 9_200, ..market_terms() },
        MarketTerms { liquidation_ltv_bps: 10_001, ..market_terms() },
        MarketTerms { interest_bps: 10_001, ..market_terms() },
        MarketTerms { max_price_bps: 0, ..market_terms() },
        MarketTerms { min_term_days: 0, ..market_terms() },
        MarketTerms { max_term_days: 6, ..market_terms() },
        MarketTerms { max_price_age: 0, ..market_terms() },
        MarketTerms { min_loan: 0, ..market_terms() },
    ] {
        assert_eq!(bad.validate().unwrap_err(), LoanError::BadTerms.into(), "{bad:?}");
    }
}

// ---------------------------------------------------------------- whose the cover is

#[test]
fn a_borrower_cannot_cancel_or_redirect_the_cover() {
    let town = lending();
    let borrower = town.borrowed(1);
    town.world.advance(2 * DAY);
    let position = town.position(1);
    let by_borrower = |instruction: Instruction| town.world.send(&[&borrower.key], &[instruction]);
    let own = town.pool.assets_of(&borrower.id());
    let cancel = ix::cancel_position(&town.product, borrower.id(), position, borrower.id());
    assert_refused(by_borrower(cancel), BackstopError::NotPositionOwner);
    let redirect = ix::set_beneficiary(&town.product, borrower.id(), position, own);
    assert_refused(by_borrower(redirect), BackstopError::NotPositionOwner);
    let close_position = ix::close_position(&town.product, borrower.id(), position, borrower.id());
    assert_refused(by_borrower(close_position), BackstopError::NotPositionOwner);
    // By the lender's program neither, while anything is owed.
    assert_loan_refused(close(&town, &borrower, 1), LoanError::LoanNotPaid);
    // Nor can whoever settles send the payout elsewhere.
    town.wait();
    town.fall(FULL);
    let settle = ix::settle_position(&town.product, position, own);
    assert_refused(by_borrower(settle), BackstopError::WrongAccount);
}

#[test]
fn buying_and_giving_back_moves_no_level_and_costs() {
    let town = lending();
    let before = town.world.product(&town.product);
    let borrower = town.borrowed(1);
    give(&town, &borrower.id(), AMOUNT);
    ok(repay(&town, &borrower, 1, u64::MAX));
    // On the day of the purchase Backstop takes no cover back: the collateral comes home, the cover stays.
    ok(close(&town, &borrower, 1));
    assert_eq!(town.world.tokens(&town.collateral_of(&borrower.id())), COLLATERAL);
    assert!(town.state(1).is_covered);
    assert_loan_refused(close(&town, &borrower, 1), LoanError::CoverStillLive);
    town.world.next_day();
    ok(close(&town, &borrower, 1));
    let after = town.world.product(&town.product);
    assert!(after.level_bps <= before.level_bps, "{} before, {} after", before.level_bps, after.level_bps);
    assert_eq!(after.exposure, 0);
    assert!(town.world.assets(&borrower) < AMOUNT, "and it has cost");
    town.assert_vaults();
}

#[test]
fn a_hostile_program_loses_no_cover_but_its_own() {
    let town = lending();
    let borrower = town.borrowed(1);
    // Somebody else is insured beside it.
    let (holder, mint) = town.world.holder(&town.product, 5_000 * ONE, 30);
    let neighbour = town.world.person(5_000 * ONE);
    let (theirs, outcome) = town.world.buy_position(&town.product, [&neighbour, &neighbour], 5_000 * ONE, 30);
    ok(outcome);
    town.world.advance(2 * DAY);
    // The lender's program is replaced by one that signs whatever it is told.
    forwarder::install(&mut town.world.cluster.svm(), loan::ID);
    let bump = town.books().bump;
    let seeds = vec![
        MARKET_SEED.to_vec(),
        town.lender.id().to_bytes().to_vec(),
        town.product.product.to_bytes().to_vec(),
        vec![bump],
    ];
    let thief = town.world.person(0);
    let loot = town.pool.assets_of(&thief.id());
    let sign =
        |inner: Instruction| town.world.send(&[&thief.key], &[budget(), forwarder::forward(loan::ID, &seeds, inner)]);
    let (market, payer) = (town.market, town.world.payer.pubkey());
    // Of others it gets nothing.
    let mut cancel = ix::cancel_position(&town.product, market, theirs, payer);
    cancel.accounts[1].pubkey = loot;
    assert_refused(sign(cancel), BackstopError::NotPositionOwner);
    assert_refused(sign(ix::set_beneficiary(&town.product, market, theirs, loot)), BackstopError::NotPositionOwner);
    assert_refused(sign(ix::close_position(&town.product, market, theirs, payer)), BackstopError::NotPositionOwner);
    // Its own it can redirect: that is the trust that a borrower puts into a lender, and nobody else.
    ok(sign(ix::set_beneficiary(&town.product, market, town.position(1), loot)));
    town.world.advance(DAY);
    town.fall(FULL);
    assert_refused(sign(ix::settle_position(&town.product, theirs, loot)), BackstopError::WrongAccount);
    ok(town.world.send(&[], &[ix::settle_position(&town.product, town.position(1), loot)]));
    ok(town.world.settle_position(&town.product, &theirs));
    ok(town.world.settle(&town.product, &holder, &mint));
    assert_eq!(town.world.position(&theirs).paid, 5_000 * ONE);
    assert_eq!(town.world.cover(&mint).paid, 5_000 * ONE);
    backstop_tests::assert_books(&town.world.cluster, &town.pool.pool);
    let _ = borrower;
}

// ---------------------------------------------------------------- payouts

#[test]
fn a_payout_is_applied_once_and_again_only_when_it_has_grown() {
    let town = lending();
    let borrower = town.borrowed(1);
    town.wait();
    assert_loan_refused(apply(&town, &borrower, 1), LoanError::NothingToApply);
    town.fall(HALF);
    assert_loan_refused(apply(&town, &borrower, 1), LoanError::NothingToApply);
    ok(town.settle(1));
    let position = town.world.position(&town.position(1));
    let received = position.paid + position.refunded;
    assert!(position.paid == position.sum_insured.div_ceil(2) && position.refunded > 0, "{position:?}");
    let cash = town.books().cash;
    ok(apply(&town, &borrower, 1));
    assert_eq!((town.state(1).applied, town.books().cash), (received, cash + received));
    assert!(debt(&town.state(1)) > 0);
    for _ in 0..2 {
        assert_loan_refused(apply(&town, &borrower, 1), LoanError::NothingToApply);
    }
    assert_refused(town.settle(1), BackstopError::CoverNotActive);
    // More comes: the position says so, and just that is applied.
    let more = 700 * ONE;
    rewrite(&town, town.position(1), |account| {
        let at = Policy::PAID_AT;
        account.data[at..at + 8].copy_from_slice(&(position.paid + more).to_le_bytes());
    });
    give(&town, &town.market, more);
    let before = town.books().cash;
    ok(apply(&town, &borrower, 1));
    assert_eq!((town.state(1).applied, town.books().cash), (received + more, before + more));
    assert_loan_refused(apply(&town, &borrower, 1), LoanError::NothingToApply);
    town.assert_vaults();
}

#[test]
fn a_donation_is_no_payout_and_nobodys() {
    let town = lending();
    let borrower = town.borrowed(1);
    town.wait();
    give(&town, &town.market, 50_000 * ONE);
    assert_loan_refused(apply(&town, &borrower, 1), LoanError::NothingToApply);
    assert_loan_refused(
        town.world.send(&[&town.lender.key], &[town.withdraw(town.books().cash + 1)]),
        LoanError::NotEnoughCash,
    );
    // And it hides no payout.
    town.fall(FULL);
    ok(town.settle(1));
    ok(apply(&town, &borrower, 1));
    assert_eq!(debt(&town.state(1)), 0);
    assert_eq!(town.world.tokens(&town.vault()), town.books().cash + 50_000 * ONE);
}

#[test]
fn what_pays_for_a_part_that_was_repaid_after_the_event_is_the_borrowers() {
    let town = lending();
    let borrower = town.borrowed(1);
    town.wait();
    town.fall(FULL);
    give(&town, &borrower.id(), AMOUNT);
    ok(repay(&town, &borrower, 1, u64::MAX));
    // The collateral comes home; the cover, which an incident will pay, stays.
    ok(close(&town, &borrower, 1));
    assert!(town.state(1).is_covered && town.state(1).collateral == 0);
    ok(town.settle(1));
    // The loan is not closed before that is applied.
    assert_loan_refused(close(&town, &borrower, 1), LoanError::CoverStillLive);
    let (had, cash) = (town.world.assets(&borrower), town.books().cash);
    ok(apply(&town, &borrower, 1));
    let position = town.world.position(&town.position(1));
    assert_eq!(town.world.assets(&borrower) - had, position.paid + position.refunded);
    assert_eq!(town.books().cash, cash);
    ok(close_as_stranger(&town, &borrower, 1));
    assert!(town.find(1).is_none());
    town.assert_vaults();
}

#[test]
fn the_premium_of_a_cover_that_was_still_waiting_comes_back() {
    let town = lending();
    let early = town.borrowed(1);
    town.wait();
    town.price(100_000_000);
    let late = town.borrowed(2);
    town.fall(FULL);
    ok(town.settle(2));
    let position = town.world.position(&town.position(2));
    assert_eq!(position.paid, 0);
    // But for the unit that its rate was rounded down by.
    assert!(position.premium - position.refunded <= 1);
    let before = debt(&town.state(2));
    ok(apply(&town, &late, 2));
    assert!(before - debt(&town.state(2)) <= position.refunded, "less the interest since");
    assert_eq!(town.state(2).applied, position.refunded);
    town.assert_vaults();
    let _ = early;
}

#[test]
fn a_borrower_who_cannot_be_paid_holds_up_nobody() {
    let town = lending();
    let borrower = town.borrowed(1);
    town.wait();
    town.fall(FULL);
    ok(town.settle(1));
    let account = town.pool.assets_of(&borrower.id());
    rewrite(&town, account, |account| account.data[108] = 2);
    ok(apply(&town, &borrower, 1));
    let (loan, books) = (town.state(1), town.books());
    assert_eq!(debt(&loan), 0);
    assert!(loan.kept > 0 && books.kept == loan.kept);
    // Neither can the lender take it, nor is the loan closed over it, nor paid to anybody else.
    assert_loan_refused(
        town.world.send(&[&town.lender.key], &[town.withdraw(books.cash + 1)]),
        LoanError::NotEnoughCash,
    );
    ok(close_as_stranger(&town, &borrower, 1));
    assert!(town.find(1).is_some());
    let thief = town.world.person(0);
    let to = town.pool.assets_of(&thief.id());
    assert_loan_refused(town.world.send(&[], &[town.apply_payout(1, to)]), LoanError::NothingToApply);
    rewrite(&town, account, |account| account.data[108] = 1);
    let had = town.world.assets(&borrower);
    ok(apply(&town, &borrower, 1));
    assert_eq!((town.world.assets(&borrower) - had, town.books().kept), (loan.kept, 0));
    ok(close_as_stranger(&town, &borrower, 1));
    assert!(town.find(1).is_none());
    town.assert_vaults();
}

// ---------------------------------------------------------------- liquidation

#[test]
fn an_alert_a_pause_or_an_incident_stalls_no_liquidation() {
    let town = lending();
    let borrower = town.borrowed(1);
    town.wait();
    town.price(100_000_000);
    assert_loan_refused(liquidate(&town, 1), LoanError::NotLiquidatable);
    // Breaching: the pool is in alert, purchases are paused, and the collateral is worth too little.
    town.world.advance(2 * HOUR);
    town.world.run(&[&town.world.guardian], &[ix::pause(town.world.guardian.pubkey(), PAUSE_PURCHASES)]);
    town.price(85_000_000);
    assert!(town.world.pool(&town.pool).alerts > 0);
    // Nobody but the lender.
    let stranger = town.world.person(0);
    let by_stranger = town.world.send(&[&stranger.key], &[town.liquidate(stranger.id(), 1)]);
    assert_loan_refused(by_stranger, LoanError::WrongAccount);
    let owed = debt(&town.state(1));
    ok(liquidate(&town, 1));
    let loan = town.state(1);
    let taken = COLLATERAL - loan.collateral;
    assert_eq!(debt(&loan), 0);
    assert!(u128::from(taken) * 85 <= u128::from(owed + 4 * ONE) * 100, "{taken} for {owed} and interest");
    assert_eq!(town.world.tokens(&town.collateral_of(&town.lender.id())), taken);
    assert_eq!((town.books().lent, town.books().collateral), (0, loan.collateral));
    // The rest goes home, and the cover, which the borrower has paid for and whose collateral paid the debt, pays him.
    ok(close_as_stranger(&town, &borrower, 1));
    assert_eq!(town.world.tokens(&town.collateral_of(&borrower.id())), COLLATERAL - taken);
    town.fall(FULL);
    ok(town.settle(1));
    let had = town.world.assets(&borrower);
    ok(apply(&town, &borrower, 1));
    assert!(town.world.assets(&borrower) - had >= town.world.position(&town.position(1)).paid);
    town.assert_vaults();
}

#[test]
fn what_collateral_does_not_pay_the_cover_pays_before_the_borrower_gets_anything() {
    let town = lending();
    let borrower = town.borrowed(1);
    town.wait();
    // After the event and its opening, before the settlement.
    town.fall(HALF);
    town.post(60_000_000, 0);
    ok(liquidate(&town, 1));
    let short = debt(&town.state(1));
    assert!(short > 1_900 * ONE && town.state(1).collateral == 0, "{short}");
    assert_loan_refused(liquidate(&town, 1), LoanError::NotLiquidatable);
    ok(town.settle(1));
    // Whoever was paid takes nothing for it: also where there would be collateral left.
    assert_loan_refused(liquidate(&town, 1), LoanError::ApplyPayoutFirst);
    let had = town.world.assets(&borrower);
    ok(apply(&town, &borrower, 1));
    let position = town.world.position(&town.position(1));
    assert_eq!(town.world.assets(&borrower) - had, position.paid + position.refunded - short);
    assert_eq!(debt(&town.state(1)), 0);
    ok(close_as_stranger(&town, &borrower, 1));
    town.assert_vaults();
}

#[test]
fn a_loan_that_is_due_is_liquidated_at_any_price_and_what_nobody_pays_is_the_lenders_loss() {
    let town = lending();
    let borrower = town.borrowed(1);
    town.world.advance(i64::from(TERM_DAYS) * DAY - 1);
    town.post(100_000_000, 0);
    assert_loan_refused(liquidate(&town, 1), LoanError::NotLiquidatable);
    town.world.advance(1);
    // Far below, in a market that shows Backstop nothing.
    town.post(40_000_000, 0);
    ok(liquidate(&town, 1));
    let loss = debt(&town.state(1));
    assert!(loss > 4_000 * ONE);
    // The cover ends with nothing proven; once it is released anybody closes the loan.
    assert_loan_refused(close_as_stranger(&town, &borrower, 1), LoanError::CoverStillLive);
    assert_loan_refused(close(&town, &borrower, 1), LoanError::CoverStillLive);
    town.world.advance(30 * DAY);
    town.world.run(&[], &[ix::sync_product(&town.product)]);
    ok(close_as_stranger(&town, &borrower, 1));
    assert!(town.find(1).is_none());
    assert_eq!((town.books().lent, town.books().loans), (0, 0));
    town.assert_vaults();
}

// ---------------------------------------------------------------- from inside a multisig

#[test]
fn a_multisigs_vault_borrows_repays_and_is_paid_four_calls_deep() {
    let town = lending();
    let (vault, seeds) = forwarder::vault();
    forwarder::install(&mut town.world.cluster.svm(), forwarder::MULTISIG);
    town.world.cluster.airdrop(&vault, 10_000_000_000);
    town.world.cluster.set_tokens(&vault, &town.world.covered, COLLATERAL);
    town.world.cluster.set_tokens(&vault, &town.world.asset, 0);
    let member = town.world.person(0);
    let execute = |inner: Instruction| {
        town.world.send(&[&member.key], &[budget(), forwarder::forward(forwarder::MULTISIG, &seeds, inner)])
    };
    // Rent and collateral are the vault's; the multisig calls the lender, that calls Backstop, that calls the token program.
    let receipt = ok(execute(town.open_loan(vault, vault, town.args(1))));
    let deepest = receipt
        .logs
        .iter()
        .filter_map(|line| line.rsplit_once(" invoke ["))
        .filter_map(|(_, depth)| depth.trim_end_matches(']').parse::<u32>().ok());
    assert_eq!(deepest.max(), Some(4));
    assert_eq!(town.state(1).borrower, vault);
    town.world.advance(2 * DAY);
    give(&town, &vault, AMOUNT);
    ok(execute(town.repay(vault, 1, u64::MAX)));
    let before = town.world.tokens(&town.pool.assets_of(&vault));
    ok(execute(town.close_loan(vault, true, vault, 1)));
    assert!(town.find(1).is_none());
    assert!(town.world.tokens(&town.pool.assets_of(&vault)) > before);
    assert_eq!(town.world.tokens(&town.collateral_of(&vault)), COLLATERAL);
    // And a payout reaches it without its members.
    town.price(100_000_000);
    ok(execute(town.open_loan(vault, vault, town.args(2))));
    town.wait();
    town.fall(FULL);
    ok(town.settle(2));
    let had = town.world.tokens(&town.pool.assets_of(&vault));
    // A stranger strands neither payout nor collateral in an account of the vault's that it may not know of.
    let stray = |of: Pubkey, number| {
        let stray = seeded(number).pubkey();
        town.world.cluster.set_account(stray, town.world.cluster.account(&of).unwrap().unwrap());
        stray
    };
    ok(town.world.send(&[], &[town.apply_payout(2, stray(town.pool.assets_of(&vault), 77))]));
    assert_eq!((town.world.tokens(&seeded(77).pubkey()), debt(&town.state(2))), (had, 0));
    assert!(town.state(2).kept > 0);
    let mut close = town.close_loan(vault, false, vault, 2);
    close.accounts[4].pubkey = stray(town.collateral_of(&vault), 78);
    assert_loan_refused(town.world.send(&[], &[close]), LoanError::CannotReceive);
    ok(town.world.send(&[], &[town.apply_payout(2, town.pool.assets_of(&vault))]));
    assert!(town.world.tokens(&town.pool.assets_of(&vault)) > had);
    ok(town.world.send(&[], &[town.close_loan(vault, false, vault, 2)]));
    assert_eq!(town.world.tokens(&town.collateral_of(&vault)), COLLATERAL);
    town.assert_vaults();
}

#[test]
fn nobody_else_uses_a_market_as_its_lender() {
    let town = lending();
    let stranger = town.world.person(10 * ONE);
    for mut instruction in [town.supply(ONE), town.withdraw(ONE)] {
        instruction.accounts[0].pubkey = stranger.id();
        assert_loan_refused(town.world.send(&[&stranger.key], &[instruction]), LoanError::WrongAccount);
    }
    let error: ClusterError =
        town.world.send(&[&town.lender.key], &[town.create_market(market_terms())]).expect_err("there is one already");
    assert!(explain(&error).contains("already in use"), "{}", explain(&error));
}
