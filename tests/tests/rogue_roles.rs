//! Governance, guardian and risk keeper as attackers, each alone and all together: what they can take from users, compared
//! with the same sequence without them.
//!
//! What the design grants them, and no more:
//!
//! - within the notice (the pool's cooldown and three days): nothing. Sales stop, prices of new cover change, premium is
//!   accrued at other moments, and that is all;
//! - after it: the surplus (ceded to a reinsurance pool), premiums of treaties that were announced, and for those who
//!   stayed, what a product costs that was announced; those who asked to leave at once are out before;
//! - without notice: commuting a treaty, whose later recoveries are lost; today stays covered.
//!
//! `BACKSTOP_FUZZ_SEED` and `BACKSTOP_FUZZ_SEQUENCES` choose other attacks, and more of them.

use backstop_tests::fuzz::Config;
use backstop_tests::fuzz::rogue::{ACCOMPLICE, ATTACKS, Attack, End, LEAVERS, NO_ATTACKS, Rogues, run};
use backstop_tests::fuzz::scene::{Scene, TOKEN};
use backstop_tests::idl;

const DAY: i64 = 86_400;
/// A user may have less by one part in this: rounding, and premium shared out at other moments, which moves it between
/// junior and senior.
const DUST: u128 = 1_000_000_000;
/// Units by which what all users have together can differ: each holding's worth is rounded down.
const ROUNDING: u128 = 20;

/// Each official alone, then all.
fn rogues(number: u64) -> Rogues {
    let who = number % 4;
    let all = who == 3;
    Rogues { governance: all || who == 0, guardian: all || who == 1, risk_keeper: all || who == 2 }
}

fn twice(scene: &Scene, attack: Attack) -> [End; 2] {
    [false, true].map(|attacking| {
        run(scene, attack, attacking).unwrap_or_else(|(failure, log)| {
            panic!("{attack:?}, attacking {attacking}: {}\n{}\n{log}", failure.rule, failure.detail)
        })
    })
}

/// What a user has less than without the attack, beyond dust.
fn shortfall(honest: &End, attacked: &End, user: usize, asset: usize) -> u128 {
    let had = honest.users[user][asset];
    had.saturating_sub(attacked.users[user][asset]).saturating_sub(had / DUST)
}

/// Reinsurance that was not paid, because its treaty was commuted.
fn unpaid(honest: &End, attacked: &End) -> u128 {
    let less = honest.recovered.saturating_sub(attacked.recovered);
    assert!(less == 0 || attacked.commuted > 0, "reinsurance was not paid: {attacked:?}");
    less
}

#[test]
fn every_instruction_is_an_attack_or_says_why_not() {
    let attacks = ATTACKS.iter().map(|(name, _)| name.split(',').next().unwrap_or_default());
    let wrong = idl::compare(
        "tests/src/fuzz/rogue.rs: ATTACKS, or NO_ATTACKS with a reason,",
        attacks.chain(NO_ATTACKS.iter().map(|(name, _)| *name)),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn within_the_notice_no_official_changes_what_any_user_has_or_is_owed() {
    let config = Config::from_env(1, 6, 0);
    let scene = Scene::new();
    let (mut attacks, mut most, mut transactions, mut paid) = ([0, 0], 0, 0, 0);
    for number in 0..config.sequences {
        let seed = config.seed + number;
        let attack = Attack {
            seed,
            rogues: rogues(seed),
            seconds: 5 * DAY - 7_200,
            reinsured: seed % 8 >= 4,
            event_after: 3_600 * (1 + (seed % 20) as i64),
        };
        let [honest, attacked] = twice(&scene, attack);
        attacks = [attacks[0] + attacked.attacks[0], attacks[1] + attacked.attacks[1]];
        transactions += honest.transactions + attacked.transactions;
        paid += honest.paid.iter().sum::<u128>();
        assert_eq!(attacked.announced, 0, "{attack:?}: something took effect within its notice");
        for user in 0..ACCOMPLICE {
            for asset in 0..2 {
                let lost = shortfall(&honest, &attacked, user, asset);
                most = most.max(lost);
                let allowed = unpaid(&honest, &attacked);
                assert!(lost <= allowed, "{attack:?}: user {user} has {lost} less of asset {asset}");
            }
        }
    }
    println!("accepted, refused {attacks:?}; most lost {most} units; {transactions} transactions");
    assert!(attacks[0] > 0 && attacks[1] > 0);
    assert!(paid > 0, "no cover was ever paid");
}

#[test]
fn after_the_notice_officials_reach_what_was_announced_and_those_who_left_lose_nothing() {
    let config = Config::from_env(3, 4, 0);
    let scene = Scene::new();
    let (mut attacks, mut transactions, mut accomplice) = ([0, 0], 0, [0, 0]);
    for number in 0..config.sequences {
        let seed = config.seed + number;
        let attack = Attack {
            seed,
            rogues: rogues(seed),
            seconds: 18 * DAY,
            reinsured: seed % 8 >= 4,
            event_after: 11 * DAY + 3_600 * (seed % 20) as i64,
        };
        let [honest, attacked] = twice(&scene, attack);
        attacks = [attacks[0] + attacked.attacks[0], attacks[1] + attacked.attacks[1]];
        transactions += honest.transactions + attacked.transactions;
        let took =
            [0, 1].map(|asset| attacked.users[ACCOMPLICE][asset].saturating_sub(honest.users[ACCOMPLICE][asset]));
        accomplice = [0, 1].map(|asset| accomplice[asset] + took[asset]);
        let unpaid = unpaid(&honest, &attacked);
        for asset in 0..2 {
            let lost = |user: usize| shortfall(&honest, &attacked, user, asset);
            for user in LEAVERS {
                let lost = lost(user);
                assert_eq!(lost, 0, "{attack:?}: user {user}, who left at once, has {lost} less of asset {asset}");
            }
            let lost: u128 = (0..ACCOMPLICE).map(lost).sum();
            // Reinsurance and cessions are of the first asset.
            let of_treaties = attacked.announced + attacked.ceded_premium + unpaid;
            let granted = took[asset] + if asset == 0 { of_treaties } else { 0 };
            // What nobody took is still theirs, though not any one's: the surplus's part of the accomplice's premium, say.
            let all =
                |end: &End| end.common[asset] + end.users[..ACCOMPLICE].iter().map(|user| user[asset]).sum::<u128>();
            let told = || format!("{lost} less, of all {} after {}, granted {granted}", all(&attacked), all(&honest));
            assert!(all(&honest) <= all(&attacked) + granted + ROUNDING, "{attack:?}, asset {asset}: {}", told());
            // Nor does it go from one user to another. What there is more in common may be the accomplice's money.
            let [had, have] = [&honest, &attacked].map(|end| end.common[asset]);
            let spent = honest.users[ACCOMPLICE][asset].saturating_sub(attacked.users[ACCOMPLICE][asset]);
            assert!(lost <= granted + have.saturating_sub(had + spent), "{attack:?}, asset {asset}: {}", told());
        }
        // Full collateral: a cover of the first pool is paid in full, whatever else is sold beside it.
        for (cover, (paid, still)) in honest.paid.iter().zip(&attacked.paid).enumerate() {
            let asset_0 = cover % 4 < 2;
            assert!(!asset_0 || still + unpaid >= *paid, "{attack:?}: cover {cover} got {still} of {paid}");
        }
    }
    let tokens = [0, 1].map(|asset| accomplice[asset] / u128::from(TOKEN[asset]));
    println!(
        "accepted, refused {attacks:?}; an accomplice took {tokens:?} announced tokens from those who stayed; \
         {transactions} transactions"
    );
    assert!(attacks[0] > 0 && attacks[1] > 0);
    assert!(accomplice != [0, 0], "no attack ever got as far as the robbery that notice is against");
}
