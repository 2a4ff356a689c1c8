//! The books of a pool against its vault and its share mints.

use super::{Checks, Place, Rule, Subject, shown, sum};
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::program_option::COption;
use anchor_spl::token_2022::spl_token_2022::extension::StateWithExtensions;
use anchor_spl::token_2022::spl_token_2022::state::{Account as TokenAccount, AccountState, Mint};
use backstop::constants::SHARE_EXTRA_DECIMALS;
use backstop::state::Tranche;

/// Checks the ledger, the vault, the share mints and the tranches.
pub(super) fn check(place: &Place, checks: &mut Checks) {
    ledger(place, checks);
    vault(place, checks);
    for tranche in Tranche::BOTH {
        shares(place, checks, tranche);
        book(place, checks, tranche);
    }
}

fn ledger(place: &Place, checks: &mut Checks) {
    let pool = place.pool;
    let [junior, senior] = &pool.tranches;
    let entries = sum([
        pool.surplus,
        junior.assets,
        junior.exiting,
        senior.assets,
        senior.exiting,
        pool.unearned_premium,
        pool.premium_refunds,
        pool.set_aside,
        pool.incident_reserves,
        pool.crisis_buckets,
        pool.crisis.recovered,
        pool.exit_reserves,
        pool.treaty_payable.iter().sum(),
    ]);
    let subject = Subject("pool", place.key);
    checks.same(Rule::Ledger, subject, "sum of the entries", u128::from(pool.cash), entries);
    checks.figure(Rule::Ledger, ["cash", "sum of its entries"], pool.cash, shown(entries));
}

fn vault(place: &Place, checks: &mut Checks) {
    let pool = place.pool;
    let subject = Subject("vault", pool.vault);
    let account = place.snapshot.tokens.get(&pool.vault);
    let state = account.and_then(|account| StateWithExtensions::<TokenAccount>::unpack(&account.data).ok());
    let (Some(account), Some(state)) = (account, state) else {
        checks.holds(Rule::Vault, subject, "a token account is there", false);
        return;
    };
    let vault = state.base;
    let of_token_program = [anchor_spl::token::ID, anchor_spl::token_2022::ID].contains(&account.owner);
    checks.holds(Rule::Vault, subject, "it belongs to a token program", of_token_program);
    checks.same(Rule::Vault, subject, "mint", pool.asset_mint, vault.mint);
    checks.same(Rule::Vault, subject, "owner", place.key, vault.owner);
    checks.holds(Rule::Vault, subject, "nobody else may spend", vault.delegate == COption::None);
    checks.holds(Rule::Vault, subject, "nobody may close it", vault.close_authority == COption::None);
    checks.holds(Rule::Vault, subject, "it is not frozen", vault.state == AccountState::Initialized);
    checks.at_least(Rule::Vault, subject, "tokens", pool.cash, vault.amount);
    checks.figure(Rule::Vault, ["cash", "held in the vault"], pool.cash, vault.amount);
}

fn shares(place: &Place, checks: &mut Checks, tranche: Tranche) {
    let pool = place.pool;
    let book = pool.tranche(tranche);
    let subject = Subject("share mint", pool.share_mint(tranche));
    let account = place.snapshot.share_mint(pool, tranche);
    let state = account.and_then(|account| StateWithExtensions::<Mint>::unpack(&account.data).ok());
    let (Some(account), Some(state)) = (account, state) else {
        checks.holds(Rule::Shares, subject, "a mint is there", false);
        return;
    };
    let mint = state.base;
    checks.same(Rule::Shares, subject, "token program", anchor_spl::token_2022::ID, account.owner);
    checks.holds(Rule::Shares, subject, "the pool alone mints", mint.mint_authority == COption::Some(place.key));
    checks.holds(Rule::Shares, subject, "nobody freezes", mint.freeze_authority == COption::<Pubkey>::None);
    let decimals = pool.asset_decimals.saturating_add(SHARE_EXTRA_DECIMALS);
    checks.same(Rule::Shares, subject, "decimals", decimals, mint.decimals);
    // Shares of a series that was wiped out go on to exist, and are worth nothing.
    if book.wiped_out == 0 {
        checks.at_most(Rule::Shares, subject, "supply", book.shares, mint.supply);
        let what = if tranche == Tranche::Junior {
            ["junior shares", "junior supply"]
        } else {
            ["senior shares", "senior supply"]
        };
        checks.share_figure(Rule::Shares, what, book.shares, mint.supply);
    }
}

fn book(place: &Place, checks: &mut Checks, tranche: Tranche) {
    let book = place.pool.tranche(tranche);
    let subject = Subject(if tranche == Tranche::Junior { "junior of" } else { "senior of" }, place.key);
    if book.shares == 0 {
        checks.same(Rule::Tranches, subject, "assets without shares", 0, book.assets);
        checks.same(Rule::Tranches, subject, "what treaties owe without shares", 0, book.recoverable);
    }
    if book.units == 0 {
        checks.same(Rule::Tranches, subject, "exiting value without units", 0, book.exiting);
        checks.same(Rule::Tranches, subject, "what treaties owe without units", 0, book.exiting_recoverable);
    }
    checks.at_most(Rule::Tranches, subject, "mark of a wiped-out tranche", 1, book.wiped_out);
    if book.wiped_out != 0 {
        let left =
            sum([book.assets, book.exiting, book.shares, book.units, book.recoverable, book.exiting_recoverable]);
        checks.same(Rule::Tranches, subject, "what a wiped-out tranche holds", 0, left);
    }
    if book.shares > 0 {
        checks.same(Rule::Tranches, Subject("pool", place.key), "mark of being in use", 1, place.pool.in_use);
    }
}
