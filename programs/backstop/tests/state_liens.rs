//! Liens and parts of policies, by hand and at random: who is paid what, in whatever order it is asked for, and that parts
//! are together what they are parts of.

mod common;

use anchor_lang::AccountSerialize;
use anchor_lang::prelude::*;
use backstop::constants::ACCOUNT_VERSION;
use backstop::error::BackstopError::*;
use backstop::state::*;
use bytemuck::Zeroable;
use common::*;

/// An incident in which these sums were in force, with nothing given yet.
fn incident(sums: u64, severity_bps: u16) -> Incident {
    Incident {
        product: key(20),
        pool: key(3),
        rent_payer: key(22),
        version: ACCOUNT_VERSION,
        bump: 255,
        state: IncidentState::Growing,
        severity_bps,
        most_severity_bps: 10_000,
        event_at: NOW,
        ended_at: NOW + 7_200,
        accrued_at: NOW,
        opened_at: NOW + 10,
        final_at: NOW + DAY,
        deadline: NOW + 365 * DAY,
        crisis: 1,
        sums,
        gross: backstop::math::losses::gross(sums, severity_bps).unwrap(),
        loss_premium: 0,
        reserve: 0,
        paid: 0,
        sums_left: sums,
        premiums_left: 0,
        refunds_left: 0,
        still_exposed: 0,
        treaties: [NotedTreaty::default(); MAX_NOTED_TREATIES],
        treaty_count: 0,
        reserved: [0; 24],
    }
}

/// A pool that holds so much for incidents and for premium that is given back.
fn pool_holding(reserves: u64, refunds: u64) -> Pool {
    let mut pool = pool();
    (pool.incident_reserves, pool.premium_refunds, pool.cash) = (reserves, refunds, reserves + refunds);
    pool
}

/// A policy in force that earns one unit a second.
fn policy(sum_insured: u64) -> Policy {
    let days = 30;
    let premium = u64::from(days) * 86_400;
    Policy { rate_q32: ONE_A_SECOND, ..cover(TODAY - 1, TODAY - 1 + days, sum_insured, premium) }
}

fn lien_on(policy: &mut Policy, limit: u64) -> Lien {
    let keys = LienKeys {
        policy: key(40),
        pool: key(3),
        payee: key(41),
        payee_owner: key(42),
        rent_payer: key(43),
        bump: 254,
    };
    Lien::set(policy, keys, limit).unwrap()
}

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn the_payee_is_paid_first_and_the_premium_is_the_holders() {
    let mut policy = policy(1_000);
    let mut lien = lien_on(&mut policy, 300);
    assert!(policy.has_lien);
    let mut incident = incident(1_000, 5_000);
    incident.refunds_left = 10_000_000;
    let mut pool = pool_holding(1_000, 10_000_000);
    // 200 are there: all of them are the payee's.
    incident.reserve = 200;
    refused(incident.settle(&mut pool, &mut policy, lien.limit_left), NothingOwed);
    let paid = incident.settle_lien(&mut pool, &mut policy, &mut lien).unwrap();
    assert_eq!((paid.amount, paid.refund, paid.state), (200, 0, CoverState::Active));
    assert_eq!((lien.limit_left, lien.paid, policy.paid), (100, 200, 200));
    refused(incident.settle_lien(&mut pool, &mut policy, &mut lien), NothingOwed);
    // All is there, and final: 100 more for the payee, 200 and the premium for the holder, whoever asks first.
    (incident.reserve, incident.state) = (500, IncidentState::Final);
    let rest = incident.settle(&mut pool, &mut policy, lien.limit_left).unwrap();
    assert_eq!((rest.amount, rest.state), (200, CoverState::Refunded));
    assert!(rest.refund > 0);
    refused(incident.settle(&mut pool, &mut policy, lien.limit_left), NothingOwed);
    assert_eq!(incident.sums_left, 1_000, "not before both are paid");
    let last = incident.settle_lien(&mut pool, &mut policy, &mut lien).unwrap();
    assert_eq!((last.amount, last.refund, last.state), (100, 0, CoverState::Settled));
    assert_eq!((policy.paid, lien.paid, lien.limit_left, incident.sums_left), (500, 300, 0, 0));
    refused(incident.settle_lien(&mut pool, &mut policy, &mut lien), CoverNotActive);
    assert!(incident.may_close(NOW));
}

#[test]
fn a_policy_that_was_waiting_pays_its_payee_nothing() {
    let mut policy = Policy { active_day: TODAY + 1, ..policy(1_000) };
    let mut lien = lien_on(&mut policy, 300);
    let mut incident = incident(0, 5_000);
    (incident.premiums_left, incident.refunds_left) = (policy.premium, policy.premium);
    let mut pool = pool_holding(0, policy.premium);
    refused(incident.settle_lien(&mut pool, &mut policy, &mut lien), NothingOwed);
    let payout = incident.settle(&mut pool, &mut policy, lien.limit_left).unwrap();
    assert_eq!((payout.amount, payout.state, lien.paid), (0, CoverState::Settled, 0));
    assert!(payout.refund > 0);
}

/// For every order in which two are paid while money comes in, with one of them left out until the end: the payee has
/// `min(due, limit)` and the holder the rest.
#[test]
fn order_and_omission_change_nothing_in_the_end() {
    for seed in 1..4_000u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let others = dice.below(3_000);
        let sum = 1 + dice.below(3_000);
        let sums = sum + others;
        let severity = 500 + u16::try_from(dice.below(9_501)).unwrap();
        let mut whole = policy(sum);
        let limit = [1, 1 + dice.below(sum), 1 + dice.below(2 * sum), u64::MAX][dice.below(4) as usize];
        let (mut incident, mut pool) = (incident(sums, severity), pool_holding(sums, u64::MAX / 4));
        incident.refunds_left = u64::MAX / 4;
        let mut lien = lien_on(&mut whole, limit);
        let (mut payee, mut holder, mut refunds) = (0u64, 0u64, 0u64);
        let mut pay =
            |incident: &mut Incident, pool: &mut Pool, policy: &mut Policy, lien: &mut Lien, to_payee: bool| {
                let payout = match to_payee {
                    true => incident.settle_lien(pool, policy, lien),
                    false => incident.settle(pool, policy, lien.limit_left),
                };
                let Ok(payout) = payout else { return false };
                if to_payee {
                    payee += payout.amount;
                    assert_eq!(payout.refund, 0);
                } else {
                    holder += payout.amount;
                    refunds += payout.refund;
                }
                true
            };
        for _ in 0..dice.below(12) {
            match dice.below(4) {
                0 => incident.reserve += dice.below(incident.gross - incident.reserve + 1),
                1 => incident.state = IncidentState::Final,
                who => {
                    pay(&mut incident, &mut pool, &mut whole, &mut lien, who == 2);
                }
            }
            let due = sum * incident.reserve / sums;
            assert!(whole.paid <= due && lien.paid <= due.min(limit), "seed {seed}");
        }
        // In the end all comes in, and both are asked for, the one or the other first.
        (incident.reserve, incident.state) = (incident.gross, IncidentState::Final);
        let first = dice.below(2) == 0;
        for to_payee in [first, !first, first] {
            pay(&mut incident, &mut pool, &mut whole, &mut lien, to_payee);
        }
        let due = sum * incident.gross / sums;
        assert_eq!((payee, holder), (due.min(limit), due - due.min(limit)), "seed {seed}");
        assert_eq!((whole.state, whole.paid), (CoverState::Settled, due), "seed {seed}");
        assert_eq!((lien.paid, incident.sums_left), (payee, others), "seed {seed}");
        let unearned = whole.unearned_at(incident.ended_at).unwrap();
        assert_eq!(refunds, unearned * u64::from(10_000 - severity) / 10_000, "seed {seed}");
    }
}

#[test]
fn a_lien_that_is_lowered_or_lifted_leaves_the_rest_to_the_holder() {
    for (first_holder, lowered) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut policy = policy(1_000);
        let mut lien = lien_on(&mut policy, 800);
        let (mut incident, mut pool) = (incident(1_000, 10_000), pool_holding(1_000, 0));
        (incident.reserve, incident.state) = (1_000, IncidentState::Final);
        if first_holder {
            assert_eq!(incident.settle(&mut pool, &mut policy, lien.limit_left).unwrap().amount, 200);
        }
        let left = if lowered {
            refused(lien.lower(801, key(41), key(42)), OutOfBounds);
            refused(lien.lower(0, key(41), key(42)), OutOfBounds);
            lien.lower(300, key(51), key(52)).unwrap();
            refused(lien.require_payee(&key(42)), NotLienPayee);
            lien.require_payee(&key(52)).unwrap();
            assert_eq!(incident.settle_lien(&mut pool, &mut policy, &mut lien).unwrap().amount, 300);
            lien.limit_left
        } else {
            policy.has_lien = false;
            0
        };
        incident.settle(&mut pool, &mut policy, left).unwrap();
        assert_eq!((policy.paid, policy.state, incident.sums_left), (1_000, CoverState::Settled, 0));
    }
}

#[test]
fn a_lien_set_after_the_event_takes_what_is_not_paid_yet() {
    let mut policy = policy(1_000);
    let (mut incident, mut pool) = (incident(1_000, 10_000), pool_holding(1_000, 0));
    incident.reserve = 400;
    assert_eq!(incident.settle(&mut pool, &mut policy, 0).unwrap().amount, 400);
    let mut lien = lien_on(&mut policy, 500);
    refused(Lien::set(&mut policy.clone(), keys_again(), 1), PolicyEncumbered);
    (incident.reserve, incident.state) = (1_000, IncidentState::Final);
    assert_eq!(incident.settle(&mut pool, &mut policy, lien.limit_left).unwrap().amount, 100);
    assert_eq!(incident.settle_lien(&mut pool, &mut policy, &mut lien).unwrap().amount, 500);
    assert_eq!(policy.state, CoverState::Settled);
    policy.has_lien = false;
    refused(Lien::set(&mut policy, keys_again(), 1), CoverNotActive);
}

fn keys_again() -> LienKeys {
    LienKeys { policy: key(40), pool: key(3), payee: key(41), payee_owner: key(42), rent_payer: key(43), bump: 254 }
}

#[test]
fn only_its_payee_lifts_a_lien_until_nothing_is_left_of_it() {
    let mut policy = policy(1_000);
    let mut lien = lien_on(&mut policy, 800);
    refused(lien.require_may_lift(None, Some(&policy)), LienInForce);
    refused(lien.require_may_lift(Some(&key(43)), Some(&policy)), NotLienPayee);
    lien.require_may_lift(Some(&key(42)), Some(&policy)).unwrap();
    // The policy is closed; another stands there; the limit is used up.
    lien.require_may_lift(None, None).unwrap();
    policy.has_lien = false;
    lien.require_may_lift(None, Some(&policy)).unwrap();
    policy.has_lien = true;
    lien.book(799).unwrap();
    refused(lien.require_may_lift(None, Some(&policy)), LienInForce);
    lien.book(1).unwrap();
    lien.require_may_lift(None, Some(&policy)).unwrap();
    refused(lien.book(1), InvariantViolated);
    refused(Lien::set(&mut Policy { has_lien: false, ..policy }, keys_again(), 0), AmountTooSmall);
}

#[test]
fn under_a_lien_a_policy_does_not_become_less() {
    let free = policy(10_000);
    let encumbered = Policy { has_lien: true, ..free.clone() };
    let mut product = Product::zeroed();
    product.state = ProductState::Over as u8;
    product.event_at = NOW;
    product.require_may_close(&free, true).unwrap();
    refused(product.require_may_close(&encumbered, true), PolicyEncumbered);
    refused(product.require_may_close(&encumbered, false), CoverStillLive);
    let settled = Policy { state: CoverState::Settled, ..encumbered.clone() };
    product.require_may_close(&settled, true).unwrap();
    product.incident_closed = 1;
    product.require_may_close(&encumbered, true).unwrap();
    product.state = ProductState::Selling as u8;
    refused(product.split(&pool(), &mut encumbered.clone(), 5_000, NOW), PolicyEncumbered);
}

#[test]
fn a_policy_is_split_before_an_incident_and_before_its_end() {
    let mut product = Product::zeroed();
    let whole = policy(10_000);
    let mut left = whole.clone();
    let part = product.split(&pool(), &mut left, 4_000, NOW).unwrap();
    assert_eq!((part.sum_insured, left.sum_insured), (4_000, 6_000));
    // Least sums are the pool's: 1,000.
    for sum in [999, 9_001, 10_000, u64::MAX] {
        refused(product.split(&pool(), &mut whole.clone(), sum, NOW), AmountTooSmall);
    }
    refused(product.split(&pool(), &mut whole.clone(), 4_000, whole.end()), CoverEnded);
    product.split(&pool(), &mut whole.clone(), 4_000, whole.end() - 1).unwrap();
    product.state = ProductState::Over as u8;
    refused(product.split(&pool(), &mut whole.clone(), 4_000, NOW), ProductOver);
    product.state = ProductState::Frozen as u8;
    for touched in [Policy { paid: 1, ..whole.clone() }, Policy { state: CoverState::Refunded, ..whole.clone() }] {
        refused(product.split(&pool(), &mut touched.clone(), 4_000, NOW), CoverNotActive);
    }
}

/// Random trees of parts: together what the one policy was, and paid, given back and refunded no more than it. The last is
/// never refused for a unit that the others took.
#[test]
fn parts_are_paid_no_more_than_the_whole_and_none_is_blocked() {
    for seed in 1..600u64 {
        let mut dice = Dice(seed.wrapping_mul(0xD129_0B2E_8E5A_4C61) | 1);
        let sum = 2_000 + dice.below(1_000_000);
        let premium = 1_000 + dice.below(100_000);
        let seconds = 30 * 86_400;
        let rate_q32 = u64::try_from((u128::from(premium) << 32) / seconds).unwrap();
        let whole = Policy { premium, rate_q32, ..policy(sum) };
        let mut parts = vec![whole.clone()];
        for _ in 0..dice.below(40) {
            let place = dice.below(parts.len() as u64) as usize;
            let sum = 1 + dice.below(parts[place].sum_insured);
            if let Ok(part) = parts[place].carve(sum, 1) {
                parts.push(part);
            }
        }
        let total = |field: fn(&Policy) -> u64| parts.iter().map(field).sum::<u64>();
        assert_eq!(total(|part| part.sum_insured), whole.sum_insured);
        assert_eq!(total(|part| part.premium), whole.premium);
        assert_eq!(total(|part| part.rate_q32), whole.rate_q32);
        // At no moment is more unearned of them than of the whole.
        for moment in [NOW - 2 * DAY, NOW - DAY, NOW, NOW + 777, NOW + 20 * DAY, whole.end() - 1, whole.end()] {
            let of_parts: u64 = parts.iter().map(|part| part.unearned_at(moment).unwrap()).sum();
            assert!(of_parts <= whole.unearned_at(moment).unwrap(), "seed {seed}");
        }
        let severity = 500 + u16::try_from(dice.below(9_501)).unwrap();
        let mut incident = incident(sum, severity);
        let unearned = whole.unearned_at(incident.ended_at).unwrap();
        incident.refunds_left = unearned * u64::from(10_000 - severity) / 10_000;
        let mut pool = pool_holding(incident.gross, incident.refunds_left);
        let set_aside = incident.refunds_left;
        let mut liens: Vec<Option<Lien>> = parts
            .iter_mut()
            .map(|part| (dice.below(2) == 0).then(|| lien_on(part, 1 + dice.below(2 * part.sum_insured))))
            .collect();
        for last in [false, true] {
            incident.reserve = if last { incident.gross } else { dice.below(incident.gross + 1) };
            if last {
                incident.state = IncidentState::Final;
            }
            for (part, lien) in parts.iter_mut().zip(&mut liens) {
                let limit = lien.as_ref().map_or(0, |lien| lien.limit_left);
                // Refused only because there is nothing for it, or it has all.
                for settled in [
                    incident.settle(&mut pool, part, limit).map(drop),
                    lien.as_mut().map_or(Ok(()), |lien| incident.settle_lien(&mut pool, part, lien).map(drop)),
                ] {
                    if let Err(anchor_lang::error::Error::AnchorError(error)) = settled {
                        let code = error.error_code_number;
                        assert!([NothingOwed, CoverNotActive].map(u32::from).contains(&code), "seed {seed}: {error:?}");
                    }
                }
            }
        }
        assert!(parts.iter().all(|part| part.state == CoverState::Settled), "seed {seed}");
        assert_eq!((incident.sums_left, pool.incident_reserves), (0, incident.gross - incident.paid));
        // Each part loses less than a unit.
        let count = parts.len() as u64;
        assert!(incident.paid <= incident.gross && incident.gross - incident.paid < count, "seed {seed}");
        let refunded = set_aside - incident.refunds_left;
        assert!(set_aside - refunded < 3 * count, "seed {seed}: {set_aside} {refunded}");
        for (part, lien) in parts.iter().zip(&liens) {
            if let Some(lien) = lien {
                assert_eq!(lien.paid, part.paid.min(lien.paid + lien.limit_left), "seed {seed}");
            }
        }
    }
}

// ---- who can be paid now, and what is shown ----

/// A token account of the pool's asset.
fn token_account(mint: Pubkey, owner: Pubkey, is_frozen: bool) -> Vec<u8> {
    let mut data = vec![0; 165];
    data[..32].copy_from_slice(mint.as_ref());
    data[32..64].copy_from_slice(owner.as_ref());
    data[108] = 1 + u8::from(is_frozen);
    data
}

/// What is made of an account with an address, a program and bytes.
fn with<T>(address: Pubkey, program: Pubkey, mut data: Vec<u8>, look: impl FnOnce(&AccountInfo) -> T) -> T {
    let mut lamports = 1_000_000;
    look(&AccountInfo::new(&address, false, false, &mut lamports, &mut data, &program, false))
}

#[test]
fn a_payee_and_a_beneficiary_can_be_paid_in_the_account_that_was_named_as_it_was() {
    let (asset, owner, stranger) = (key(1), key(42), key(44));
    let mut policy = policy(1_000_000);
    let lien = lien_on(&mut policy, 300);
    let position = Position {
        policy,
        rent_payer: key(43),
        beneficiary: key(41),
        beneficiary_owner: owner,
        reference: Default::default(),
        nonce: 0,
        bump: 255,
    };
    assert_eq!(position.require_owner(&position.insured), Ok(()));
    assert_eq!(position.require_owner(&stranger), Err(NotPositionOwner.into()));
    let cases = [
        (anchor_spl::token::ID, token_account(asset, owner, false), true),
        (anchor_spl::token::ID, token_account(stranger, owner, false), false),
        (anchor_spl::token::ID, token_account(asset, stranger, false), false),
        (anchor_spl::token::ID, token_account(asset, owner, true), false),
        (anchor_spl::token::ID, Vec::new(), false),
    ];
    for (number, (program, data, can)) in cases.into_iter().enumerate() {
        let found = with(key(41), program, data, |account| {
            [lien.require_payable(account, &asset), position.require_payable(account, &asset)]
        });
        let why = [PayeeCannotReceive, BeneficiaryCannotReceive].map(|why| if can { Ok(()) } else { Err(why.into()) });
        assert_eq!(found, why, "case {number}");
    }
}

#[test]
fn the_limit_of_a_lien_is_what_its_own_account_says_and_a_policy_without_one_shows_none() {
    let (mut policy, address) = (policy(1_000_000), key(40));
    assert_eq!(Lien::limit_shown(&policy, &address, &[]), Ok(0));
    with(key(9), backstop::ID, Vec::new(), |extra| {
        let shown = core::slice::from_ref(extra);
        assert_eq!(Lien::limit_shown(&policy, &address, shown), Err(UnexpectedAccounts.into()));
    });

    let lien = lien_on(&mut policy, 300);
    let mut bytes = Vec::new();
    lien.try_serialize(&mut bytes).unwrap();
    assert_eq!(Lien::limit_shown(&policy, &address, &[]), Err(LienNotShown.into()));
    with(key(9), backstop::ID, bytes.clone(), |account| {
        let shown = core::slice::from_ref(account);
        assert_eq!(Lien::limit_shown(&policy, &address, shown), Ok(300));
        assert_eq!(Lien::limit_shown(&policy, &key(39), shown), Err(LienNotShown.into()));
    });
    with(key(9), key(8), bytes, |account| {
        let shown = core::slice::from_ref(account);
        assert_eq!(Lien::limit_shown(&policy, &address, shown), Err(LienNotShown.into()));
    });
}

#[test]
fn a_payee_is_named_in_the_pools_asset_and_is_not_the_pools_own_vault() {
    let mut pool = pool_with(0, 1_000_000, 1_000_000);
    (pool.asset_mint, pool.vault) = (key(1), key(5));
    let named = |address: Pubkey, mint: Pubkey| {
        with(address, anchor_spl::token::ID, token_account(mint, key(42), false), |account| payee_owner(account, &pool))
    };
    assert_eq!(named(key(41), key(1)), Ok(key(42)));
    for (address, mint) in [(key(41), key(2)), (key(5), key(1)), (key(5), key(2))] {
        assert_eq!(named(address, mint), Err(BadBeneficiary.into()));
    }
}

#[test]
fn a_policy_is_in_force_from_the_beginning_of_its_first_day_to_that_of_the_day_after_its_last() {
    let policy = cover(20_000, 20_030, 1_000, 10);
    assert_eq!((policy.active_from(), policy.end()), (20_000 * 86_400, 20_030 * 86_400));
    let (mint, bump) = (policy.insured, 255);
    assert_eq!(Cover { policy, rent_payer: key(43), bump }.mint(), mint);
}
