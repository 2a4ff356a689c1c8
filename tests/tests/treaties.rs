//! Treaties from announcement to end: notice, backing, premium, commutation, release; exits of the reinsurer; cession of
//! surplus.

use backstop::error::BackstopError;
use backstop::state::{Cession, Tranche, TreatyKind, TreatyState, TreatyTerms, ceded_premium_end, day_of, day_start};
use backstop_client::account;
use backstop_client::cluster::Cluster;
use backstop_client::instruction::{self as ix, PoolKeys, TreatyKeys};
use backstop_client::{address, transaction};
use backstop_tests::reinsurance::{OWNED, RUIN, SURPLUS, Scene, layer, over, quota_share};
use backstop_tests::terms::{self, DAY, HOUR, ONE};
use backstop_tests::{Outcome, assert_books, assert_refused};
use solana_sdk::signer::Signer;

/// Cooldown of the pools and three days: the notice.
const NOTICE: i64 = 10 * DAY;

// ---- announcement and acceptance ----

#[test]
fn treaties_run_from_cover_pools_to_reinsurance_pools_of_the_same_asset() {
    let scene = Scene::new();
    let world = &scene.world;
    let terms = quota_share(world.now(), 3_000, 0, 10_000 * ONE);
    let cover = world.create_pool(terms::create_pool(7));
    for (cedant, reinsurer) in
        [(&scene.cedant, &cover), (&scene.owned, &scene.open), (&scene.owned, &scene.cedant), (&cover, &cover)]
    {
        let (keys, outcome) = scene.announce_between(cedant, reinsurer, terms);
        assert!(outcome.is_err());
        // A pool with itself is refused before our own check by the same pool twice.
        if cedant.pool != reinsurer.pool {
            assert_refused(outcome, BackstopError::WrongPoolKind);
        }
        assert!(world.cluster.account(&keys.treaty).unwrap().is_none());
    }
    let other_asset = PoolKeys::derive(world.covered, anchor_spl::token::ID, 0);
    let args = backstop::CreatePoolArgs { kind: backstop::state::PoolKind::Reinsurance, ..terms::create_pool(0) };
    let create = ix::create_pool(world.governance.pubkey(), world.payer.pubkey(), &other_asset, args);
    world.run(&[&world.governance], &[create]);
    let (_, outcome) = scene.announce(&other_asset, terms);
    assert_refused(outcome, BackstopError::WrongParent);
    assert_eq!(world.pool(&scene.cedant).treaties, 0);
}

#[test]
fn only_governance_announces_accepts_and_commutes() {
    let scene = Scene::new();
    let world = &scene.world;
    let stranger = world.person(0);
    let terms = quota_share(world.now(), 3_000, 0, 10_000 * ONE);
    let keys = TreatyKeys::derive(scene.cedant, scene.owned.pool, 0);
    let create = ix::create_treaty(stranger.id(), world.payer.pubkey(), &keys, terms);
    assert_refused(world.send(&[&stranger.key], &[create]), BackstopError::NotGovernance);
    let treaty = scene.announced(&scene.owned, terms);
    let accept = ix::accept_treaty(stranger.id(), &treaty);
    assert_refused(world.send(&[&stranger.key], &[accept]), BackstopError::NotGovernance);
    scene.accept(&treaty).unwrap();
    assert_refused(scene.accept(&treaty), BackstopError::WrongTreatyState);
    world.next_day();
    let commute = ix::commute_treaty(stranger.id(), &treaty);
    assert_refused(world.send(&[&stranger.key], &[commute]), BackstopError::NotGovernance);
}

#[test]
fn terms_outside_the_hard_bounds_are_refused() {
    let scene = Scene::new();
    let now = scene.world.now();
    let good = quota_share(now, 3_000, 0, 10_000 * ONE);
    let share = |cession_bps, commission_bps| TreatyKind::QuotaShare { cession_bps, commission_bps };
    let excess = |rate_on_line_bps, reinstatements, reinstatement_premium_bps| TreatyKind::ExcessOfLoss {
        attachment: ONE,
        rate_on_line_bps,
        reinstatements,
        reinstatement_premium_bps,
    };
    let bad = [
        TreatyTerms { kind: share(0, 0), ..good },
        TreatyTerms { kind: share(9_001, 0), ..good },
        TreatyTerms { kind: share(3_000, 10_000), ..good },
        TreatyTerms { kind: excess(49, 0, 0), ..good },
        TreatyTerms { kind: layer(now, 0, ONE).kind, ..good },
        TreatyTerms { kind: excess(5_001, 0, 0), ..good },
        TreatyTerms { kind: excess(500, 5, 0), ..good },
        TreatyTerms { kind: excess(500, 1, 20_001), ..good },
        TreatyTerms { limit: 999, ..good },
        TreatyTerms { end_day: good.start_day, ..good },
        TreatyTerms { end_day: good.start_day - 1, ..good },
        TreatyTerms { end_day: good.start_day + 366, ..good },
        // The premium stream sees 510 days ahead.
        TreatyTerms { start_day: day_of(now) + 146, end_day: day_of(now) + 511, ..good },
    ];
    for terms in bad {
        let (_, outcome) = scene.announce(&scene.owned, terms);
        assert_refused(outcome, BackstopError::BadTreatyTerms);
    }
    let furthest = TreatyTerms { start_day: day_of(now) + 145, end_day: day_of(now) + 510, ..good };
    scene.announced(&scene.owned, furthest);
    for kind in [excess(5_000, 4, 20_000), excess(50, 0, 0)] {
        scene.announced(&scene.owned, TreatyTerms { kind, ..good });
    }
    scene.announced(&scene.owned, TreatyTerms { kind: share(9_000, 9_999), limit: 1_000, ..good });
}

/// Case 8: governance once emptied a protocol-owned reinsurer through a cedant of its own within two days.
#[test]
fn a_protocol_owned_reinsurer_gives_notice_and_no_layer_for_nothing() {
    let scene = Scene::new();
    let world = &scene.world;
    let mut args = terms::create_pool(9);
    args.access = backstop::state::Access::AllowList;
    args.deposit_authority = world.governance.pubkey();
    args.terms.cooldown_seconds = u32::try_from(2 * DAY).unwrap();
    let sham = world.create_pool(args);
    let announce = |id, terms| {
        let keys = TreatyKeys::derive(sham, scene.owned.pool, id);
        let create = ix::create_treaty(world.governance.pubkey(), world.payer.pubkey(), &keys, terms);
        (keys, world.send(&[&world.governance], &[create]))
    };
    // Surplus was given to it: it gives notice by its own cooldown, whoever cedes.
    scene.contribute(&scene.owned, ONE);
    let at_once = layer(world.now(), ONE, OWNED);
    assert_refused(announce(0, at_once).1, BackstopError::NoticeNotOver);
    let start_day = day_of(world.now() + NOTICE) + 1;
    let noticed = TreatyTerms { start_day, end_day: start_day + 30, ..at_once };
    let (low, outcome) = announce(0, noticed);
    outcome.unwrap();
    let fair = TreatyTerms { kind: layer(0, 101 * ONE, OWNED).kind, ..noticed };
    let (fair, outcome) = announce(1, fair);
    outcome.unwrap();
    scene.contribute(&sham, 10_100 * ONE);
    world.advance(NOTICE - 1);
    assert_refused(scene.accept(&fair), BackstopError::NoticeNotOver);
    world.advance(1);
    // 1 % of 10,100; 5 % of 100,000 is paid for it.
    assert_refused(scene.accept(&low), BackstopError::AttachmentTooLow);
    scene.accept(&fair).unwrap();
    assert_eq!(world.pool(&scene.owned).unearned_premium, 5_000 * ONE);
    // Whoever cedes is in use, too: what it insures then needs notice.
    let product = world.create_product(&sham, terms::stress());
    assert_eq!(world.product(&product).sells_from, world.now() + 5 * DAY);
    assert_books(&world.cluster, &sham.pool);
    scene.assert_books();
}

#[test]
fn a_reinsurers_cooldown_is_no_shorter_than_its_cedants() {
    let scene = Scene::new();
    let world = &scene.world;
    let terms = quota_share(world.now(), 3_000, 0, 1_000 * ONE);
    let mut args = terms::create_pool(9);
    args.terms.cooldown_seconds += 1;
    let patient = world.create_pool(args);
    assert_refused(scene.announce_between(&patient, &scene.owned, terms).1, BackstopError::CooldownTooShort);
    assert_eq!((world.pool(&patient).treaties, world.pool(&scene.owned).treaties), (0, 0));
    scene.announced(&scene.owned, terms);
    assert_eq!((world.pool(&scene.cedant).treaties, world.pool(&scene.owned).treaties), (1, 1));
}

/// Case 17: the next quota share could not be accepted before the ring had passed the end of this one, and whoever waited
/// to leave a full pool stopped it.
#[test]
fn a_quota_share_is_renewed_without_a_gap_whoever_waits_to_leave() {
    let scene = Scene::new();
    let world = &scene.world;
    let kind = quota_share(world.now(), 5_000, 0, ONE).kind;
    let this = over(world.now(), 30, kind, 40_000 * ONE);
    let first = scene.announced(&scene.owned, this);
    let [_, senior, ..] = scene.capital();
    scene.accept(&first).unwrap();
    world.next_day();
    // 170,000 for longer than the treaty: all of 220,000 but 50,000 is needed, and a senior of 150,000 wants to leave.
    world.holder(&scene.product, 170_000 * ONE, 60);
    let nonce =
        world.exit(&scene.cedant, &senior, Tranche::Senior, world.shares(&scene.cedant, &senior, Tranche::Senior));
    let day = world.ticket(&scene.cedant, &senior, nonce).epoch_day;
    let from = TreatyTerms { start_day: this.end_day, end_day: this.end_day + 300, ..this };
    let worse = scene.announced(&scene.owned, TreatyTerms { limit: from.limit - 1, ..from });
    let next = scene.announced(&scene.owned, from);
    let overlapping = scene.announced(&scene.owned, TreatyTerms { start_day: from.start_day - 1, ..from });
    world.advance(NOTICE);
    world.settle_epoch(&scene.cedant, day).unwrap();
    let reserves = world.pool(&scene.cedant).exit_reserves;
    assert!((50_000 * ONE..50_500 * ONE).contains(&reserves), "{reserves}");
    assert_refused(scene.accept(&worse), BackstopError::ExitsWaiting);
    assert_refused(scene.accept(&overlapping), BackstopError::ExitsWaiting);
    scene.accept(&next).unwrap();
    let in_force = world.pool(&scene.cedant).quota_shares.map(|share| share.treaty);
    assert_eq!(in_force, [first.treaty, next.treaty]);
    // The next one stands in for 40,000 of what outlasts the first: those who leave get them.
    world.settle_epoch(&scene.cedant, day).unwrap();
    assert_eq!(world.pool(&scene.cedant).exit_reserves - reserves, 40_000 * ONE);
    scene.assert_books();

    // Each has its own premium, handed over together to the one reinsurer.
    world.cluster.set_time(day_start(this.end_day + 5) - 1);
    let [of_first, of_next] = scene.accrue(&scene.cedant).treaty_payable;
    assert!(of_first > 0 && of_next > 0, "{of_first} {of_next}");
    let owned = scene.accrue(&scene.owned);
    scene.settle_premium(&scene.owned).unwrap();
    assert_eq!(world.pool(&scene.owned).unearned_premium - owned.unearned_premium, of_first + of_next);
    assert_eq!(world.pool(&scene.cedant).treaty_payable, [0; 2]);
    assert_refused(scene.settle_premium(&scene.owned), BackstopError::NothingOwed);
    // An event of its term is its own.
    scene.strike(&scene.product);
    let incident = world.incident(&scene.product);
    assert_eq!((incident.treaty_count, incident.treaties[0].treaty), (1, next.treaty));
    scene.call(&next, &scene.product).unwrap();
    assert_eq!(world.incident(&scene.product).treaties[0].paid, 40_000 * ONE);
    assert_refused(scene.call(&first, &scene.product), BackstopError::WrongParent);
    scene.assert_books();
}

#[test]
fn a_treaty_begins_only_after_the_notice_of_both_pools_and_before_its_term() {
    for in_use in 0..2 {
        let scene = Scene::new();
        let world = &scene.world;
        // Only one of the two pools has capital that must be given notice.
        let pool = [&scene.cedant, &scene.open][in_use];
        scene.contribute(&scene.open, OWNED);
        world.depositor(pool, Tranche::Senior, 1_000 * ONE);
        let now = world.now();
        let share = quota_share(now, 3_000, 0, 10_000 * ONE).kind;
        let from = |start_day| TreatyTerms { start_day, end_day: start_day + 30, ..over(now, 1, share, 10_000 * ONE) };
        let (_, early) = scene.announce(&scene.open, from(day_of(now + NOTICE)));
        assert_refused(early, BackstopError::NoticeNotOver);
        let treaty = scene.announced(&scene.open, from(day_of(now + NOTICE) + 1));
        let late = scene.announced(&scene.open, from(day_of(now + NOTICE) + 1));
        world.advance(NOTICE - 1);
        assert_refused(scene.accept(&treaty), BackstopError::NoticeNotOver);
        world.advance(1);
        scene.accept(&treaty).unwrap();
        world.cluster.set_time(scene.treaty(&late).start());
        assert_refused(scene.accept(&late), BackstopError::WrongTreatyState);
        scene.assert_books();
    }
}

#[test]
fn a_treaty_does_not_begin_while_an_exit_past_its_day_waits_in_either_pool() {
    for waiting in 0..2 {
        let scene = Scene::new();
        let world = &scene.world;
        let people = scene.capital();
        let pool = [&scene.cedant, &scene.open][waiting];
        let person = &people[[1, 3][waiting]];
        let now = world.now();
        let kind = quota_share(now, 3_000, 0, ONE).kind;
        let start_day = day_of(now + NOTICE) + 5;
        let terms = TreatyTerms { start_day, end_day: start_day + 30, ..over(now, 1, kind, 10_000 * ONE) };
        let treaty = scene.announced(&scene.open, terms);
        let nonce = world.exit(pool, person, Tranche::Senior, world.shares(pool, person, Tranche::Senior) / 2);
        let day = world.ticket(pool, person, nonce).epoch_day;
        world.advance(NOTICE);
        assert_refused(scene.accept(&treaty), BackstopError::ExitsWaiting);
        world.settle_epoch(pool, day).unwrap();
        scene.accept(&treaty).unwrap();
        scene.assert_books();
    }
}

#[test]
fn the_same_capital_cannot_back_two_treaties() {
    let scene = Scene::new();
    let world = &scene.world;
    let other = world.create_pool(terms::create_pool(7));
    let now = world.now();
    // Together 1 more than there is.
    let first = scene.announced(&scene.owned, quota_share(now, 3_000, 0, 60_000 * ONE));
    let (second, outcome) = scene.announce_between(&other, &scene.owned, quota_share(now, 3_000, 0, 40_000 * ONE + 1));
    outcome.unwrap();
    let (fitting, outcome) = scene.announce_between(&other, &scene.owned, quota_share(now, 3_000, 0, 40_000 * ONE));
    outcome.unwrap();
    scene.accept(&first).unwrap();
    assert_refused(scene.accept(&second), BackstopError::BelowRequiredCapital);
    assert_eq!(scene.treaty(&second).state, TreatyState::Announced);
    scene.accept(&fitting).unwrap();
    let owned = world.pool(&scene.owned);
    assert_eq!(owned.open_limits().unwrap(), owned.surplus);
    // One more treaty of the first cedant, on the last unit of capital.
    let (third, outcome) = scene.announce(&scene.owned, layer(now, 3_000 * ONE, 1_000));
    outcome.unwrap();
    assert_refused(scene.accept(&third), BackstopError::BelowRequiredCapital);
    scene.assert_books();
    assert_books(&world.cluster, &other.pool);
}

#[test]
fn capital_that_has_asked_to_leave_backs_no_treaty() {
    let scene = Scene::new();
    let world = &scene.world;
    let treaty = scene.announced(&scene.open, quota_share(world.now() + DAY, 3_000, 0, 200_000 * ONE));
    let [_, _, _, senior] = scene.capital();
    let shares = world.shares(&scene.open, &senior, Tranche::Senior);
    let nonce = world.exit(&scene.open, &senior, Tranche::Senior, shares / 1_000);
    assert_refused(scene.accept(&treaty), BackstopError::BelowRequiredCapital);
    let ticket = world.ticket(&scene.open, &senior, nonce);
    world.next_day();
    world.run(&[&senior.key], &[ix::cancel_exit(&scene.open, &ticket)]);
    // What rounding took from the cancelled exit is missing now.
    scene.contribute(&scene.open, 10);
    scene.accept(&treaty).unwrap();
    scene.assert_books();
}

#[test]
fn a_pool_has_one_quota_share_four_layers_and_no_overlap_in_height_and_time() {
    let scene = Scene::new();
    let now = scene.world.now();
    scene.contribute(&scene.open, OWNED);
    let take = |terms| scene.accept(&scene.announced(&scene.open, terms));
    take(quota_share(now, 3_000, 0, 1_000 * ONE)).unwrap();
    assert_refused(take(quota_share(now, 3_000, 0, 1_000 * ONE)), BackstopError::BadTreatyTerms);
    take(layer(now, 20_000 * ONE, 10_000 * ONE)).unwrap();
    for (attachment, limit) in [(29_999_999_999, 1_000), (15_000 * ONE, 5_001 * ONE), (10_000 * ONE, 30_000 * ONE)] {
        assert_refused(take(layer(now, attachment, limit)), BackstopError::BadTreatyTerms);
    }
    take(layer(now, 30_000 * ONE, 10_000 * ONE)).unwrap();
    take(layer(now, 10_000 * ONE, 10_000 * ONE)).unwrap();
    // The next year's layer in the place of this year's: the terms have no day in common.
    let this = layer(now, 20_000 * ONE, 10_000 * ONE);
    let next = |start_day| TreatyTerms { start_day, end_day: this.end_day + 100, ..this };
    assert_refused(take(next(this.end_day - 1)), BackstopError::BadTreatyTerms);
    take(next(this.end_day)).unwrap();
    assert_refused(take(layer(now, 50_000 * ONE, 1_000)), BackstopError::NoTreatyPlace);
    let layers = scene.world.pool(&scene.cedant).layers;
    let attachments: Vec<_> = layers.iter().map(|layer| layer.attachment / ONE).collect();
    assert_eq!(attachments, [10_000, 20_000, 20_000, 30_000]);
    scene.assert_books();
}

#[test]
fn a_reinsurer_stands_behind_eight_treaties_at_most() {
    let scene = Scene::new();
    let world = &scene.world;
    let now = world.now();
    for id in 0..9 {
        let cedant = world.create_pool(terms::create_pool(10 + id));
        let (treaty, outcome) = scene.announce_between(&cedant, &scene.owned, quota_share(now, 3_000, 0, 1_000 * ONE));
        outcome.unwrap();
        let outcome = scene.accept(&treaty);
        if id < 8 {
            outcome.unwrap();
        } else {
            assert_refused(outcome, BackstopError::NoTreatyPlace);
        }
    }
    scene.assert_books();
}

#[test]
fn a_layer_is_paid_for_from_the_cedants_surplus_alone() {
    let scene = Scene::new();
    let world = &scene.world;
    // 5 % of 400,000 and a bit is more than the surplus, whatever the tranches hold.
    scene.contribute(&scene.owned, 400_000 * ONE);
    let dear = scene.announced(&scene.owned, layer(world.now(), 3_000 * ONE, 400_000 * ONE + 1));
    let fitting = scene.announced(&scene.owned, layer(world.now(), 3_000 * ONE, 400_000 * ONE));
    scene.capital();
    assert_refused(scene.accept(&dear), BackstopError::SurplusTooSmall);
    scene.accept(&fitting).unwrap();
    assert_eq!(world.pool(&scene.cedant).surplus, 0);
    assert_eq!(scene.treaty(&fitting).premium, SURPLUS);
    assert_eq!(world.pool(&scene.owned).unearned_premium, SURPLUS);
    scene.assert_books();
}

#[test]
fn a_layer_is_not_paid_for_with_surplus_that_solvency_needs() {
    let scene = Scene::new();
    let start_day = day_of(scene.world.now()) + 5;
    let terms = TreatyTerms { start_day, end_day: start_day + 30, ..layer(0, 3_000 * ONE, 10_000 * ONE) };
    let treaty = scene.announced(&scene.owned, terms);
    scene.capital();
    scene.world.next_day();
    buy_beyond_own_capital(&scene, 0, 30).unwrap();
    let before = scene.world.pool(&scene.cedant);
    assert_refused(scene.accept(&treaty), BackstopError::BelowRequiredCapital);
    assert_eq!(scene.world.pool(&scene.cedant), before);
    scene.contribute(&scene.cedant, 500 * ONE);
    scene.accept(&treaty).unwrap();
    scene.assert_books();
}

#[test]
fn an_announced_treaty_that_was_not_accepted_ends_once_its_term_would_have_begun() {
    let scene = Scene::new();
    let treaty = scene.announced(&scene.owned, quota_share(scene.world.now(), 3_000, 0, 1_000 * ONE));
    assert_refused(scene.end(&treaty), BackstopError::TreatyInUse);
    scene.world.next_day();
    scene.end(&treaty).unwrap();
    assert!(scene.world.cluster.account(&treaty.treaty).unwrap().is_none());
    // Its number is not used again.
    let next = scene.announced(&scene.owned, quota_share(scene.world.now(), 3_000, 0, 1_000 * ONE));
    assert_ne!(next.treaty, treaty.treaty);
    scene.assert_books();
}

// ---- premium ----

#[test]
fn premium_streamed_and_returned_is_the_premium_agreed_to_the_unit() {
    // Awkward limits, and commutation at odd times, or never.
    let cases = [(0, 0), (3, 7 * HOUR + 11), (1, 0), (200, DAY - 1), (360, 12 * HOUR + 1), (0, 1)];
    for (index, (day, second)) in cases.into_iter().enumerate() {
        let scene = Scene::new();
        let world = &scene.world;
        let limit = 10_000 * ONE + 7_919 * index as u64 + 1;
        let treaty = scene.announced(&scene.owned, layer(world.now(), 200 * ONE, limit));
        world.advance(5 * HOUR + 17);
        scene.accept(&treaty).unwrap();
        let premium = scene.treaty(&treaty).premium;
        assert_eq!(premium, limit.div_ceil(20));
        assert_eq!(world.pool(&scene.cedant).surplus, SURPLUS - premium);
        let terms = scene.treaty(&treaty);
        let mut returned = 0;
        if index > 0 {
            // Touched now and then, as pools are.
            world.cluster.set_time(terms.start() + 1);
            scene.accrue(&scene.owned);
            world.cluster.set_time(terms.start() + day * DAY + second.max(1));
            let before = world.pool(&scene.cedant).surplus;
            scene.commute(&treaty).unwrap();
            returned = world.pool(&scene.cedant).surplus - before;
            assert!(returned > 0);
            // A commuted treaty runs until the end of the day in three days.
            let end_day = day_of(world.now() + 3 * DAY) + 1;
            assert_eq!(scene.treaty(&treaty).end_day, end_day);
            let seconds = u64::try_from((i64::from(terms.end_day) - i64::from(end_day)) * DAY).unwrap();
            let all = u64::try_from(terms.end() - (world_start() + 5 * HOUR + 17)).unwrap();
            let exact = u128::from(premium) * u128::from(seconds) / u128::from(all);
            assert!(exact.abs_diff(u128::from(returned)) <= 1, "{returned} returned, {exact} by the days");
        }
        world.cluster.set_time(scene.treaty(&treaty).end());
        let owned = scene.accrue(&scene.owned);
        assert_eq!(owned.unearned_premium, 0);
        assert_eq!(owned.surplus - OWNED + returned, premium);
        assert_eq!(owned.rate_q32, 0);
        // Nothing of the old rate is left in its bucket.
        world.cluster.set_time(terms.end() + DAY);
        assert_eq!(scene.accrue(&scene.owned).surplus, owned.surplus);
        assert_eq!(world.pool(&scene.owned).rate_ends.iter().sum::<u64>(), 0);
        scene.assert_books();
    }
}

fn world_start() -> i64 {
    backstop_tests::world::START
}

#[test]
fn commuting_one_of_two_layers_leaves_the_others_stream_as_it_was() {
    let scene = Scene::new();
    let world = &scene.world;
    let now = world.now();
    let [one, other] = scene.in_force([
        (&scene.owned, layer(now, 3_000 * ONE, 20_000 * ONE)),
        (&scene.owned, layer(now, 30_000 * ONE, 7_777_777_777)),
    ]);
    world.advance(30 * DAY + 12_345);
    scene.commute(&one).unwrap();
    let returned =
        world.pool(&scene.cedant).surplus - (SURPLUS - scene.treaty(&one).premium - scene.treaty(&other).premium);
    world.cluster.set_time(scene.treaty(&other).end());
    let owned = scene.accrue(&scene.owned);
    assert_eq!(owned.surplus - OWNED, scene.treaty(&one).premium + scene.treaty(&other).premium - returned);
    assert_eq!((owned.unearned_premium, owned.rate_q32), (0, 0));
    scene.assert_books();
}

#[test]
fn a_quota_share_takes_its_part_of_earned_premium_less_the_commission() {
    let scene = Scene::new();
    let world = &scene.world;
    scene.in_force([(&scene.owned, quota_share(world.now(), 4_000, 2_500, OWNED))]);
    scene.insured(&scene.product, 100_000 * ONE);
    let before = world.pool(&scene.cedant);
    world.advance(5 * DAY);
    let after = scene.accrue(&scene.cedant);
    let earned = before.unearned_premium - after.unearned_premium;
    // 40 % of it, less a quarter.
    assert_eq!(after.treaty_payable[0] - before.treaty_payable[0], earned * 3 / 10);
    let owned = scene.accrue(&scene.owned);
    scene.settle_premium(&scene.owned).unwrap();
    assert_eq!(world.pool(&scene.cedant).treaty_payable[0], 0);
    assert_eq!(world.pool(&scene.owned).unearned_premium - owned.unearned_premium, after.treaty_payable[0]);
    assert_eq!(world.pool(&scene.owned).surplus, owned.surplus);
    assert_refused(scene.settle_premium(&scene.owned), BackstopError::NothingOwed);
    assert_refused(scene.settle_premium(&scene.open), BackstopError::WrongParent);
    world.cluster.set_time(day_start(ceded_premium_end(world.now())));
    assert_eq!(scene.accrue(&scene.owned).surplus - owned.surplus, after.treaty_payable[0]);
    scene.assert_books();
}

#[test]
fn premium_settled_in_one_go_cannot_be_sniped_by_a_deposit() {
    let scene = Scene::new();
    let world = &scene.world;
    scene.in_force([(&scene.open, quota_share(world.now(), 5_000, 0, 100_000 * ONE))]);
    world.holder(&scene.product, 100_000 * ONE, 365);
    // Nobody settles for half a year.
    world.advance(180 * DAY);
    let payable = scene.accrue(&scene.cedant).treaty_payable[0];
    assert!(payable > 100 * ONE);
    // As much again as all of the reinsurer's seniors, just before.
    let sniper = world.depositor(&scene.open, Tranche::Senior, 150_000 * ONE);
    let shares = world.shares(&scene.open, &sniper, Tranche::Senior);
    scene.settle_premium(&scene.open).unwrap();
    world.advance(1);
    let open = scene.accrue(&scene.open);
    let worth = open.tranche(Tranche::Senior).worth_of_shares(shares).unwrap();
    let gained = worth.saturating_sub(150_000 * ONE);
    assert!(gained <= payable / (7 * 86_400), "{gained} gained in a second of {payable}");
    // Whoever asks to leave earns nothing while waiting; a week is what the premium is earned over.
    let nonce = world.exit(&scene.open, &sniper, Tranche::Senior, shares);
    world.advance(30 * DAY);
    let exiting = world.ticket(&scene.open, &sniper, nonce);
    let units = scene.accrue(&scene.open).tranche(Tranche::Senior).worth_of_units(exiting.units).unwrap();
    assert!(units <= worth);
    scene.assert_books();
}

#[test]
fn an_exhausted_quota_share_takes_no_premium() {
    let scene = Scene::new();
    let world = &scene.world;
    let second = scene.another_product();
    let [treaty] = scene.in_force([(&scene.owned, quota_share(world.now(), 5_000, 0, 10_000 * ONE))]);
    world.holder(&scene.product, 20_000 * ONE, 60);
    world.holder(&second, 20_000 * ONE, 60);
    // The limit of 10,000 is half of what half of the exposure of 40,000 would be: half of the premium.
    let before = world.pool(&scene.cedant);
    world.advance(3 * DAY);
    let after = scene.accrue(&scene.cedant);
    let earned = before.unearned_premium - after.unearned_premium;
    let ceded = after.treaty_payable[0] - before.treaty_payable[0];
    assert!((earned / 4).abs_diff(ceded) <= 1, "{ceded} of {earned}");
    scene.strike(&scene.product);
    scene.call(&treaty, &scene.product).unwrap();
    assert_eq!(scene.left_and_owed(&treaty), (0, 0));
    scene.fund(&scene.product).unwrap();
    let before = scene.accrue(&scene.cedant);
    world.advance(10 * DAY);
    let after = scene.accrue(&scene.cedant);
    assert!(after.unearned_premium < before.unearned_premium);
    assert_eq!(after.treaty_payable[0], before.treaty_payable[0]);
    // Nor once nothing is exposed any more: what was left of the ended products' premium is earned by then.
    scene.strike(&second);
    assert_refused(scene.call(&treaty, &second), BackstopError::NothingOwed);
    scene.fund(&second).unwrap();
    let before = scene.accrue(&scene.cedant);
    assert_eq!((before.total_exposure, before.unearned_premium), (0, 0));
    world.advance(10 * DAY);
    let after = scene.accrue(&scene.cedant);
    assert_eq!(after.treaty_payable[0], before.treaty_payable[0]);
    scene.assert_books();
}

#[test]
fn a_quota_share_takes_premium_of_its_term_only_however_seldom_somebody_accrues() {
    let payables = [false, true].map(|often| {
        let scene = Scene::new();
        let world = &scene.world;
        let today = day_of(world.now());
        let kind = quota_share(0, 4_000, 0, ONE).kind;
        let terms = TreatyTerms { kind, limit: OWNED, start_day: today + 10, end_day: today + 20 };
        let treaty = scene.announced(&scene.owned, terms);
        scene.capital();
        scene.accept(&treaty).unwrap();
        world.next_day();
        world.holder(&scene.product, 100_000 * ONE, 40);
        let cover_rate = world.pool(&scene.cedant).waiting_rate_q32;
        if often {
            for day in 2..30 {
                world.cluster.set_time(day_start(today + day) + 4_321);
                scene.accrue(&scene.cedant);
            }
        }
        world.cluster.set_time(day_start(today + 30));
        let payable = scene.accrue(&scene.cedant).treaty_payable[0];
        let of_term = (u128::from(cover_rate) * 10 * 86_400 * 4 / 10) >> 32;
        assert!(of_term.abs_diff(u128::from(payable)) <= 30, "{payable} ceded, {of_term} by the days");
        scene.assert_books();
        payable
    });
    assert!(payables[0].abs_diff(payables[1]) <= 30, "{payables:?}");
}

// ---- credit ----

#[test]
fn a_cover_that_outlasts_the_quota_share_is_not_sold_on_its_credit() {
    for (days, term_days, credited) in [(40, 39, true), (40, 40, false), (365, 300, true)] {
        let scene = Scene::new();
        let kind = quota_share(0, 5_000, 0, ONE).kind;
        scene.in_force([(&scene.owned, over(scene.world.now(), days, kind, OWNED))]);
        // Bought in the first second of the term's first day, a cover begins the day after.
        let outcome = buy_beyond_own_capital(&scene, 1_000 * ONE, term_days);
        if credited {
            outcome.unwrap();
        } else {
            assert_refused(outcome, BackstopError::BelowRequiredCapital);
        }
        scene.assert_books();
    }
}

/// Covers of two groups that together need so much more than the cedant's own capital. The last purchase's outcome.
fn buy_beyond_own_capital(scene: &Scene, beyond: u64, term_days: u16) -> Outcome {
    let world = &scene.world;
    let second = scene.second_group();
    for product in [&scene.product, &second] {
        world.print(product, 100_000_000);
    }
    let own = world.pool(&scene.cedant).staying_capital().unwrap();
    let buyer = world.person(own);
    let first = own / 10_000 * 7_500;
    world.buy(&scene.product, &buyer, first, term_days).1.unwrap();
    world.buy(&second, &buyer, own - first + beyond, term_days).1
}

#[test]
fn a_quota_share_gives_no_credit_before_its_term_and_layers_give_none() {
    let scene = Scene::new();
    let today = day_of(scene.world.now());
    let later = TreatyTerms {
        kind: quota_share(0, 5_000, 0, ONE).kind,
        limit: OWNED,
        start_day: today + 2,
        end_day: today + 300,
    };
    let low = layer(scene.world.now(), 3_000 * ONE, 50_000 * ONE);
    scene.in_force([(&scene.owned, later), (&scene.open, low)]);
    assert_refused(buy_beyond_own_capital(&scene, 1_000 * ONE, 30), BackstopError::BelowRequiredCapital);
    let pool = scene.world.pool(&scene.cedant);
    let required = 100_000 * ONE;
    assert_eq!(pool.reinsurance_credit(required, day_start(today + 2) - 1), 0);
    assert_eq!(pool.reinsurance_credit(required, day_start(today + 2)), 50_000 * ONE);
}

#[test]
fn a_cedant_that_needs_its_quota_share_cannot_commute_it() {
    let scene = Scene::new();
    let [treaty] = scene.in_force([(&scene.owned, quota_share(scene.world.now(), 5_000, 0, OWNED))]);
    buy_beyond_own_capital(&scene, 1_000 * ONE, 30).unwrap();
    assert_refused(scene.commute(&treaty), BackstopError::BelowRequiredCapital);
    scene.contribute(&scene.cedant, 1_000 * ONE);
    scene.commute(&treaty).unwrap();
    // What was commuted stands in for nothing that may outlast it, and nothing is sold on it.
    let pool = scene.world.pool(&scene.cedant);
    assert_eq!(pool.quota_shares[0].outlasting, pool.total_exposure);
    assert_eq!(pool.least_capital(scene.world.now()).unwrap(), pool.required_capital().unwrap());
    scene.assert_books();
}

// ---- commutation, release, alerts ----

#[test]
fn a_treaty_is_commuted_within_its_term_and_not_when_it_ends_as_early_anyway() {
    let scene = Scene::new();
    let world = &scene.world;
    let now = world.now();
    let kind = layer(now, 200 * ONE, ONE).kind;
    let terms =
        TreatyTerms { start_day: day_of(now) + 3, end_day: day_of(now) + 10, ..over(now, 1, kind, 1_000 * ONE) };
    let treaty = scene.announced(&scene.owned, terms);
    assert_refused(scene.commute(&treaty), BackstopError::WrongTreatyState);
    scene.accept(&treaty).unwrap();
    world.cluster.set_time(day_start(terms.start_day) - 1);
    assert_refused(scene.commute(&treaty), BackstopError::WrongTreatyState);
    world.cluster.set_time(day_start(terms.end_day) - 4 * DAY);
    assert_refused(scene.commute(&treaty), BackstopError::WrongTreatyState);
    world.cluster.set_time(day_start(terms.end_day) - 4 * DAY - 1);
    scene.commute(&treaty).unwrap();
    assert_eq!(scene.treaty(&treaty).end_day, terms.end_day - 1);
    assert_refused(scene.commute(&treaty), BackstopError::WrongTreatyState);
    assert_eq!(world.pool(&scene.owned).open_limits().unwrap(), 1_000 * ONE);
    scene.assert_books();
}

#[test]
fn an_event_three_days_after_a_commutation_is_still_covered_and_its_limit_still_backed() {
    let scene = Scene::new();
    let world = &scene.world;
    let [treaty] = scene.in_force([(&scene.owned, quota_share(world.now(), 5_000, 0, 50_000 * ONE))]);
    scene.insured(&scene.product, 20_000 * ONE);
    scene.commute(&treaty).unwrap();
    // The last slot of three days, which governance might have seen coming, and the rest of that day.
    world.advance(3 * DAY);
    scene.strike(&scene.product);
    assert_eq!(day_of(world.incident(&scene.product).event_at) + 1, scene.treaty(&treaty).end_day);
    scene.call(&treaty, &scene.product).unwrap();
    assert_eq!(world.incident(&scene.product).treaties[0].paid, 10_000 * ONE);
    scene.assert_books();
}

#[test]
fn a_limit_is_released_once_the_ring_no_longer_reaches_back_to_the_terms_last_day() {
    let scene = Scene::new();
    let world = &scene.world;
    let share = over(world.now(), 10, quota_share(0, 5_000, 0, ONE).kind, 50_000 * ONE);
    let low = over(world.now(), 10, layer(0, 3_000 * ONE, ONE).kind, 10_000 * ONE);
    let [treaty, low] = scene.in_force([(&scene.owned, share), (&scene.open, low)]);
    world.holder(&scene.product, 20_000 * ONE, 60);
    let ring_days = i64::from(world.pool(&scene.cedant).ring_days);
    assert!(ring_days > 0);
    let end = scene.treaty(&treaty).end();
    for early in [end - 1, end, end + ring_days * DAY - 1] {
        world.cluster.set_time(early);
        assert_refused(scene.end(&low), BackstopError::TreatyInUse);
    }
    world.cluster.set_time(end + ring_days * DAY);
    scene.end(&low).unwrap();
    assert_eq!(world.pool(&scene.open).open_limits().unwrap(), 0);
    assert!(world.pool(&scene.cedant).layers.iter().all(|layer| layer.limit == 0));
    // The quota share's premium of the term is still owed.
    assert_refused(scene.end(&treaty), BackstopError::TreatyInUse);
    scene.settle_premium(&scene.owned).unwrap();
    let rent = world.cluster.account(&treaty.treaty).unwrap().unwrap().lamports;
    let payer = world.person(0);
    let held = world.cluster.account(&world.payer.pubkey()).unwrap().unwrap().lamports;
    // Anyone may, and the rent goes to whoever paid it.
    let end = ix::end_treaty(&treaty, world.payer.pubkey());
    let sent = transaction::send(&world.cluster, &payer.key, &[], &[end]);
    sent.unwrap();
    assert_eq!(world.cluster.account(&world.payer.pubkey()).unwrap().unwrap().lamports, held + rent);
    assert_eq!(world.pool(&scene.owned).open_limits().unwrap(), 0);
    assert_eq!(world.pool(&scene.cedant).quota_shares[0], Default::default());
    scene.assert_books();
}

#[test]
fn nothing_is_commuted_begun_ended_or_ceded_around_an_alert() {
    let scene = Scene::new();
    let world = &scene.world;
    let now = world.now();
    let kind = quota_share(0, 5_000, 0, ONE).kind;
    let later =
        TreatyTerms { start_day: day_of(now) + 60, end_day: day_of(now) + 90, ..layer(now, 3_000 * ONE, 1_000 * ONE) };
    let waiting = scene.announced(&scene.owned, later);
    let [treaty] = scene.in_force([(&scene.owned, over(now, 12, kind, 50_000 * ONE))]);
    announce(&scene, &scene.cedant, &scene.owned, ONE).unwrap();
    world.holder(&scene.product, 20_000 * ONE, 60);
    let end = scene.treaty(&treaty).end();

    let refused_all = |ended: bool| {
        let books = world.pool(&scene.cedant);
        let refusal = if books.in_crisis() { BackstopError::PoolInCrisis } else { BackstopError::PoolInAlert };
        assert_eq!(books.alerts, u32::from(!books.in_crisis()));
        if !ended {
            assert_refused(scene.commute(&treaty), refusal);
        }
        assert_refused(scene.end(&treaty), BackstopError::TreatyInUse);
        assert_refused(scene.accept(&waiting), refusal);
    };
    // One breach is enough.
    world.cluster.set_time(end - 6 * DAY);
    world.print(&scene.product, RUIN);
    refused_all(false);
    // A recovery ends it.
    world.advance(HOUR);
    world.recover(&scene.product, 100_000_000);
    assert_eq!(world.pool(&scene.cedant).alerts, 0);
    // An event on the term's last day, confirmed after it; opened only when the ring no longer reaches back.
    world.cluster.set_time(end - 2 * HOUR);
    world.depeg(&scene.product, RUIN);
    refused_all(true);
    assert_refused(cede(&scene, &scene.owned), BackstopError::PoolInAlert);
    scene.settle_premium(&scene.owned).unwrap();
    world.advance(12 * DAY);
    refused_all(true);
    world.run(&[], &[world.open_incident(&scene.product)]);
    refused_all(true);
    scene.call(&treaty, &scene.product).unwrap();
    assert_eq!(world.incident(&scene.product).treaties[0].paid, 10_000 * ONE);
    refused_all(true);
    scene.fund(&scene.product).unwrap();
    // Its part of what was earned in the alert, within its term, until the challenge ended.
    assert_refused(scene.end(&treaty), BackstopError::TreatyInUse);
    scene.settle_premium(&scene.owned).unwrap();
    scene.end(&treaty).unwrap();
    scene.accept(&waiting).unwrap();
    scene.assert_books();
}

// ---- exits of the reinsurer ----

#[test]
fn exits_of_the_reinsurer_wait_for_its_cedants_alerts() {
    let scene = Scene::new();
    let world = &scene.world;
    let now = world.now();
    let other = world.create_pool(terms::create_pool(7));
    let first = scene.announced(&scene.open, quota_share(now, 5_000, 0, 50_000 * ONE));
    let (second, outcome) = scene.announce_between(&other, &scene.open, quota_share(now, 5_000, 0, 30_000 * ONE));
    outcome.unwrap();
    let third = scene.announced(&scene.open, layer(now, 90_000 * ONE, 1_000 * ONE));
    let [_, _, _, senior] = scene.capital();
    for treaty in [&first, &second, &third] {
        scene.accept(treaty).unwrap();
    }
    world.next_day();
    world.holder(&scene.product, 20_000 * ONE, 90);
    let open = &scene.open;
    let nonce = world.exit(open, &senior, Tranche::Senior, world.shares(open, &senior, Tranche::Senior));
    let day = world.ticket(open, &senior, nonce).epoch_day;
    world.cluster.set_time(day_start(day + 1));
    let (ours, theirs) = (scene.cedant.pool, other.pool);
    let settle = |cedants: &[_]| world.send(&[], &[ix::settle_reinsurance_epoch(open.pool, day, cedants)]);

    // All of them, in the order of the books.
    assert_refused(settle(&[]), BackstopError::CedantsMissing);
    assert_refused(settle(&[ours, theirs]), BackstopError::CedantsMissing);
    assert_refused(settle(&[theirs, ours, ours]), BackstopError::CedantsMissing);
    assert_refused(settle(&[ours, theirs, theirs]), BackstopError::CedantsMissing);
    assert_refused(settle(&[ours, theirs, ours, ours]), BackstopError::UnexpectedAccounts);
    world.print(&scene.product, RUIN);
    assert_eq!(world.pool(&scene.cedant).alerts, 1);
    assert_refused(settle(&[ours, theirs, ours]), BackstopError::PoolInAlert);
    assert_eq!(world.pool(open).exit_reserves, 0);

    // 30 days late, an alert that is only breaching leaves the limits behind in full.
    let late = day_start(day + 1) + 30 * DAY;
    world.cluster.set_time(late - HOUR);
    world.print(&scene.product, RUIN);
    world.cluster.set_time(late);
    assert_eq!(world.pool(&scene.cedant).alerts, 1);
    assert_refused(settle(&[ours, theirs, ours]), BackstopError::PoolInAlert);
    world.advance(1);
    settle(&[ours, theirs, ours]).unwrap();
    let books = world.pool(open);
    assert_eq!(books.loss_capital().unwrap(), 81_000 * ONE);
    assert_eq!(books.open_limits().unwrap(), 81_000 * ONE);
    scene.assert_books();

    // An alert that is more than breaching stops that too.
    world.depeg(&scene.product, RUIN);
    assert_refused(settle(&[ours, theirs, ours]), BackstopError::PoolInAlert);
    world.run(&[], &[world.open_incident(&scene.product)]);
    scene.call(&first, &scene.product).unwrap();
    assert_refused(scene.call(&third, &scene.product), BackstopError::NothingOwed);
    // The cedant is in its crisis still, but the event is final and the treaty has paid: nothing more can fall on it.
    assert!(world.pool(&scene.cedant).in_crisis());
    settle(&[ours, theirs, ours]).unwrap();
    scene.fund(&scene.product).unwrap();
    // What the loss and its limit took is gone from both; nothing more is free.
    let books = scene.accrue(open);
    assert_eq!(books.open_limits().unwrap(), 71_000 * ONE);
    assert!(books.loss_capital().unwrap() - 71_000 * ONE < 10 * ONE);
    scene.assert_books();
}

#[test]
fn a_cover_pool_takes_no_cedants_and_a_stranger_is_no_cedant() {
    let scene = Scene::new();
    let world = &scene.world;
    let [treaty] = [scene.announced(&scene.open, quota_share(world.now(), 5_000, 0, 50_000 * ONE))];
    let [_, cedants, _, reinsurers] = scene.capital();
    scene.accept(&treaty).unwrap();
    let (cedant, open) = (&scene.cedant, &scene.open);
    let mine = world.exit(cedant, &cedants, Tranche::Senior, world.shares(cedant, &cedants, Tranche::Senior) / 2);
    world.exit(open, &reinsurers, Tranche::Senior, world.shares(open, &reinsurers, Tranche::Senior) / 2);
    let day = world.ticket(cedant, &cedants, mine).epoch_day;
    world.cluster.set_time(day_start(day + 1));
    let settle = |pool: &PoolKeys, cedant| world.send(&[], &[ix::settle_reinsurance_epoch(pool.pool, day, &[cedant])]);
    assert_refused(settle(cedant, cedant.pool), BackstopError::UnexpectedAccounts);
    for stranger in [scene.owned.pool, treaty.treaty, open.pool, world.payer.pubkey(), address::vault(&cedant.pool)] {
        assert_refused(settle(open, stranger), BackstopError::CedantsMissing);
    }
    settle(open, cedant.pool).unwrap();
    world.settle_epoch(cedant, day).unwrap();
    scene.assert_books();
}

#[test]
fn exits_of_the_reinsurer_leave_its_open_limits_behind() {
    let scene = Scene::new();
    let world = &scene.world;
    let kind = quota_share(0, 5_000, 0, ONE).kind;
    let treaty = scene.announced(&scene.open, over(world.now(), 20, kind, 120_000 * ONE));
    let [_, _, junior, senior] = scene.capital();
    scene.accept(&treaty).unwrap();
    world.next_day();
    let open = &scene.open;
    for (person, tranche) in [(&junior, Tranche::Junior), (&senior, Tranche::Senior)] {
        world.exit(open, person, tranche, world.shares(open, person, tranche));
    }
    let day = world.pool(open).oldest_exit_day;
    world.cluster.set_time(day_start(day + 1));
    let settle = |cedants: &[_]| world.send(&[], &[ix::settle_reinsurance_epoch(open.pool, day, cedants)]);
    settle(&[scene.cedant.pool]).unwrap();
    assert_eq!(world.pool(open).loss_capital().unwrap(), 120_000 * ONE);
    assert_refused(settle(&[scene.cedant.pool]), BackstopError::NothingFree);
    let ring_days = i64::from(world.pool(&scene.cedant).ring_days);
    world.cluster.set_time(scene.treaty(&treaty).end() + ring_days * DAY);
    scene.end(&treaty).unwrap();
    settle(&[]).unwrap();
    // What rounding left is the surplus's.
    let books = world.pool(open);
    assert!(books.surplus <= 10 && books.loss_capital().unwrap() == books.surplus, "{} left", books.surplus);
    scene.assert_books();
}

// ---- cession of surplus ----

fn announce(scene: &Scene, cedant: &PoolKeys, reinsurer: &PoolKeys, amount: u64) -> Outcome {
    let world = &scene.world;
    let (governance, payer) = (world.governance.pubkey(), world.payer.pubkey());
    let announce = ix::announce_cession(governance, payer, cedant.pool, reinsurer.pool, amount);
    world.send(&[&world.governance], &[announce])
}

fn cede(scene: &Scene, reinsurer: &PoolKeys) -> Outcome {
    let world = &scene.world;
    let (governance, payer) = (world.governance.pubkey(), world.payer.pubkey());
    world.send(&[&world.governance], &[ix::cede_surplus(governance, &scene.cedant, reinsurer.pool, payer)])
}

fn close(scene: &Scene) -> Outcome {
    scene.world.send(&[], &[ix::close_cession(scene.cedant.pool, scene.world.payer.pubkey())])
}

#[test]
fn surplus_is_ceded_in_the_seven_days_after_its_notice_to_the_pool_and_by_the_amount_announced() {
    let scene = Scene::new();
    let world = &scene.world;
    scene.capital();
    announce(&scene, &scene.cedant, &scene.owned, 5_000 * ONE).unwrap();
    let cession: Cession = world.read(&address::cession(&scene.cedant.pool));
    assert_eq!((cession.from, cession.until), (world.now() + NOTICE, world.now() + NOTICE + 7 * DAY));
    // One at a time; not closed while it is good.
    assert!(announce(&scene, &scene.cedant, &scene.owned, ONE).is_err());
    assert_refused(cede(&scene, &scene.owned), BackstopError::CessionNotAnnounced);
    world.advance(NOTICE - 1);
    assert_refused(cede(&scene, &scene.owned), BackstopError::CessionNotAnnounced);
    world.advance(1);
    assert_refused(cede(&scene, &scene.open), BackstopError::WrongParent);
    assert_refused(close(&scene), BackstopError::CessionNotAnnounced);
    let stranger = world.person(0);
    let by = ix::cede_surplus(stranger.id(), &scene.cedant, scene.owned.pool, world.payer.pubkey());
    assert_refused(world.send(&[&stranger.key], &[by]), BackstopError::NotGovernance);
    cede(&scene, &scene.owned).unwrap();
    assert_eq!(world.pool(&scene.cedant).surplus, SURPLUS - 5_000 * ONE);
    assert_eq!(world.pool(&scene.owned).surplus, OWNED + 5_000 * ONE);
    assert!(cede(&scene, &scene.owned).is_err());
    scene.assert_books();

    // One that was not used in its time is void, and can be closed by anyone.
    announce(&scene, &scene.cedant, &scene.owned, 5_000 * ONE).unwrap();
    world.advance(NOTICE + 7 * DAY - 1);
    assert_refused(close(&scene), BackstopError::CessionNotAnnounced);
    world.advance(1);
    assert_refused(cede(&scene, &scene.owned), BackstopError::CessionNotAnnounced);
    close(&scene).unwrap();
    assert!(account::find::<Cession>(&world.cluster, &address::cession(&scene.cedant.pool)).unwrap().is_none());
    assert_eq!(world.pool(&scene.cedant).surplus, SURPLUS - 5_000 * ONE);
}

#[test]
fn surplus_is_ceded_from_cover_pools_to_reinsurance_pools_never_to_a_wallet() {
    let scene = Scene::new();
    let world = &scene.world;
    let cover = world.create_pool(terms::create_pool(7));
    assert_refused(announce(&scene, &scene.cedant, &cover, ONE), BackstopError::WrongPoolKind);
    assert_refused(announce(&scene, &scene.owned, &scene.open, ONE), BackstopError::WrongPoolKind);
    assert_refused(announce(&scene, &scene.owned, &scene.cedant, ONE), BackstopError::WrongPoolKind);
    assert_refused(announce(&scene, &scene.cedant, &scene.owned, 0), BackstopError::AmountTooSmall);
    // A wallet is no pool.
    let (governance, payer) = (world.governance.pubkey(), world.payer.pubkey());
    let to_wallet = ix::announce_cession(governance, payer, scene.cedant.pool, world.payer.pubkey(), ONE);
    assert!(world.send(&[&world.governance], &[to_wallet]).is_err());
    // Nor is a wallet's token account the pool's vault.
    announce(&scene, &scene.cedant, &scene.owned, ONE).unwrap();
    let thief = world.person(0);
    let mut cede = ix::cede_surplus(governance, &scene.cedant, scene.owned.pool, payer);
    let vault = scene.owned.vault();
    let target = cede.accounts.iter_mut().find(|account| account.pubkey == vault).unwrap();
    target.pubkey = terms::assets_of(&thief.id(), &world.asset);
    assert_refused(world.send(&[&world.governance], &[cede]), BackstopError::WrongAccount);
    assert_eq!(world.assets(&thief), 0);
}

#[test]
fn surplus_is_not_ceded_while_exits_wait_or_beyond_what_there_is_or_what_solvency_needs() {
    let scene = Scene::new();
    let world = &scene.world;
    let [_, senior, ..] = scene.capital();
    announce(&scene, &scene.cedant, &scene.owned, SURPLUS + 1).unwrap();
    world.advance(NOTICE);
    assert_refused(cede(&scene, &scene.owned), BackstopError::SurplusTooSmall);
    world.advance(7 * DAY);
    close(&scene).unwrap();

    announce(&scene, &scene.cedant, &scene.owned, SURPLUS).unwrap();
    world.advance(NOTICE);
    let cedant = &scene.cedant;
    let nonce = world.exit(cedant, &senior, Tranche::Senior, world.shares(cedant, &senior, Tranche::Senior) / 15);
    let day = world.ticket(cedant, &senior, nonce).epoch_day;
    world.advance(7 * DAY);
    close(&scene).unwrap();
    announce(&scene, &scene.cedant, &scene.owned, SURPLUS).unwrap();
    world.advance(NOTICE);
    assert_refused(cede(&scene, &scene.owned), BackstopError::ExitsWaiting);
    world.settle_epoch(cedant, day).unwrap();
    // 80 % of 210,000 in one product and the rest in another group leave nothing to spare.
    buy_beyond_own_capital(&scene, 0, 30).unwrap();
    assert_refused(cede(&scene, &scene.owned), BackstopError::BelowRequiredCapital);
    scene.contribute(cedant, SURPLUS);
    cede(&scene, &scene.owned).unwrap();
    scene.assert_books();
}
