//! Conservation: whatever the tower and the loss, the shares add up to the loss, none exceeds its terms, and the order is
//! kept. Ten thousand random towers against a model that knows nothing of the program, and some on the real program.

use anchor_lang::prelude::Pubkey;
use backstop::math::losses::{self, Layers};
use backstop::state::{Pool, Treaty, TreatyKind, TreatyState, TreatyTerms, day_of};
use backstop_client::instruction::{PoolKeys, TreatyKeys};
use backstop_tests::reinsurance::{Scene, over};
use backstop_tests::terms::{DAY, ONE};
use backstop_tests::{World, assert_refused};
use proptest::prelude::*;

// ---- the model ----

/// A quota share or a layer as the model sees it; all amounts are whole units.
#[derive(Clone, Copy, Debug)]
enum Share {
    Quota { bps: i128, left: i128 },
    Layer { from: i128, left: i128 },
}

/// What each share owes of a loss. A loss is a line from 0: the quota share's is a part of every unit, and it owes that
/// until its limit is used; of the line that is left, a layer takes what lies between its attachment and its top.
fn owed_by_model(gross: i128, shares: &[Share]) -> Vec<i128> {
    let quota = |share: &Share| match *share {
        Share::Quota { bps, .. } => (gross * bps).div_euclid(10_000),
        Share::Layer { .. } => 0,
    };
    let line = gross - shares.iter().map(quota).sum::<i128>();
    let cut = |from: i128, to: i128| (line.min(to) - from.min(line)).max(0);
    shares
        .iter()
        .map(|share| match *share {
            Share::Quota { left, .. } => quota(share).min(left),
            Share::Layer { from, left } => cut(from, from + left),
        })
        .collect()
}

/// What a loss takes from amounts in a row, and what is beyond them all.
fn down_the_row(mut loss: i128, row: &[i128]) -> (Vec<i128>, i128) {
    let taken = row
        .iter()
        .map(|amount| {
            let taken = loss.min(*amount);
            loss -= taken;
            taken
        })
        .collect();
    (taken, loss)
}

fn wide(value: u64) -> i128 {
    i128::from(value)
}

// ---- ten thousand towers on the pure core ----

/// Amounts of all magnitudes up to what a pool may hold, small ones as often as large ones.
fn amount() -> impl Strategy<Value = u64> {
    (any::<u64>(), 8u32..64).prop_map(|(bits, shift)| bits >> shift)
}

/// A quota share (cession, limit left), layers (gap below, limit, what is used of it), what each reinsurer has, the gross
/// loss, and the cedant's capital.
#[derive(Clone, Debug)]
struct RandomTower {
    quota: Option<(u16, u64)>,
    layers: Vec<(u64, u64, u64)>,
    means: Vec<u64>,
    gross: u64,
    capital: [u64; 5],
}

fn random_tower() -> impl Strategy<Value = RandomTower> {
    let gap = prop_oneof![Just(0u64), amount()];
    let used = prop_oneof![2 => Just(0u64), 1 => amount()];
    let means = prop_oneof![3 => Just(u64::MAX), 1 => amount()];
    let capital = || prop_oneof![3 => amount(), 1 => Just(0u64)];
    (
        prop::option::of((1u16..=9_000, amount())),
        prop::collection::vec((gap, amount(), used), 0..=4),
        prop::collection::vec(means, 5),
        amount().prop_map(|gross| gross.max(1)),
        [capital(), capital(), capital(), capital(), capital()],
    )
        .prop_map(|(quota, layers, means, gross, capital)| RandomTower { quota, layers, means, gross, capital })
}

fn treaty(kind: TreatyKind, limit: u64) -> Treaty {
    Treaty {
        cedant: Pubkey::default(),
        reinsurer: Pubkey::default(),
        rent_payer: Pubkey::default(),
        version: 1,
        bump: 0,
        state: TreatyState::Active,
        id: 0,
        kind,
        limit,
        notice_until: 0,
        start_day: 1,
        end_day: 2,
        premium: 0,
        rate_q32: 0,
        restored: 0,
        reserved: [0; 64],
    }
}

fn key(place: usize) -> Pubkey {
    Pubkey::new_from_array([u8::try_from(place + 1).expect("a few"); 32])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn the_shares_of_a_tower_add_up_to_the_loss_none_exceeds_its_terms_and_the_order_is_kept(tower in random_tower()) {
        let mut treaties = Vec::new();
        let mut shares = Vec::new();
        if let Some((cession_bps, left)) = tower.quota {
            treaties.push((treaty(TreatyKind::QuotaShare { cession_bps, commission_bps: 0 }, left), left));
            shares.push(Share::Quota { bps: i128::from(cession_bps), left: wide(left) });
        }
        let mut from = 0u64;
        for (gap, limit, used) in &tower.layers {
            from += gap;
            let left = limit.saturating_sub(*used);
            let kind = TreatyKind::ExcessOfLoss {
                attachment: from,
                rate_on_line_bps: 500,
                reinstatements: 0,
                reinstatement_premium_bps: 0,
            };
            treaties.push((treaty(kind, *limit), left));
            shares.push(Share::Layer { from: wide(from), left: wide(left) });
            from += limit;
        }

        // The program's own sequence: what they come to owe, of a part of the loss first and then of all of it.
        let mut pool: Box<Pool> = bytemuck::allocation::zeroed_box();
        for (place, (treaty, left)) in treaties.iter().enumerate() {
            pool.put_in_force(key(place), treaty).unwrap();
            if pool.quota_shares[0].treaty == key(place) {
                pool.quota_shares[0].limit_left = *left;
            }
            if let Some(layer) = pool.layers.iter_mut().find(|layer| layer.treaty == key(place)) {
                layer.limit_left = *left;
            }
        }
        let mut owed_by_program = vec![0; treaties.len()];
        for gross in [tower.gross / 3, tower.gross] {
            let ceded = pool.ceded_loss(&key(0), gross).unwrap();
            for (place, owed) in owed_by_program.iter_mut().enumerate() {
                *owed += pool.owe(&key(place), gross, ceded, *owed).unwrap();
            }
        }
        let paid: Vec<u64> = owed_by_program.iter().zip(&tower.means).map(|(owed, means)| *owed.min(means)).collect();
        let ceded: u64 = paid.iter().sum();
        let [surplus, junior_assets, junior_exiting, senior_assets, senior_exiting] = tower.capital;
        let layers = Layers { surplus, junior_assets, junior_exiting, senior_assets, senior_exiting };
        let reserve = (tower.gross - ceded).min(layers.capital().unwrap());
        let split = losses::absorb(reserve, &layers).unwrap();

        // Against the model, share by share.
        let owed = owed_by_model(wide(tower.gross), &shares);
        let mut paid_in_all = 0;
        for ((program, owed), means) in owed_by_program.iter().zip(&owed).zip(&tower.means) {
            prop_assert_eq!(wide(*program), *owed);
            paid_in_all += (*owed).min(wide(*means));
        }
        let row = [surplus, junior_assets + junior_exiting, senior_assets + senior_exiting].map(wide);
        let (taken, unpaid) = down_the_row(wide(tower.gross) - paid_in_all, &row);
        let of_junior = split.taken.junior_assets + split.taken.junior_exiting;
        let of_senior = split.taken.senior_assets + split.taken.senior_exiting;
        prop_assert_eq!([split.taken.surplus, of_junior, of_senior].map(wide).to_vec(), taken);

        // Conservation: everything that was paid, and what nobody has, is the loss.
        prop_assert_eq!(wide(ceded + split.total) + unpaid, wide(tower.gross));
        // Terms: none owes more than its limit; what is used of the limit is what it owes.
        for (place, share) in shares.iter().enumerate() {
            let (Share::Quota { left, .. } | Share::Layer { left, .. }) = *share;
            let (left_now, owed) = pool.limit_and_owed(&key(place)).expect("it is in force");
            prop_assert_eq!(wide(left_now + owed), left);
        }
        // Order: a layer owes something only if the line reaches it, and then all layers below owe all they have left.
        let owed_of_layers = owed.iter().zip(&shares).filter_map(|(owed, share)| match share {
            Share::Layer { left, .. } => Some((*owed, *left)),
            Share::Quota { .. } => None,
        });
        let mut full = true;
        for (owed, left) in owed_of_layers {
            prop_assert!(full || owed == 0);
            full &= owed == left;
        }
        prop_assert!(of_junior == 0 || split.taken.surplus == surplus);
        prop_assert!(of_senior == 0 || of_junior == junior_assets + junior_exiting);
        prop_assert!(unpaid == 0 || split.total == layers.capital().unwrap());
    }

    #[test]
    fn reinstatements_never_restore_more_than_the_terms_the_payment_and_the_room_allow(
        limit in 1_000u64..=100_000_000_000_000_000,
        times in 0u8..=4,
        premium_bps in 0u16..=20_000,
        rate_bps in 1u16..=5_000,
        calls in prop::collection::vec((amount(), amount(), amount()), 1..12),
    ) {
        let kind = TreatyKind::ExcessOfLoss {
            attachment: 0,
            rate_on_line_bps: rate_bps,
            reinstatements: times,
            reinstatement_premium_bps: premium_bps,
        };
        let mut treaty = treaty(kind, limit);
        treaty.premium = treaty.premium_on_acceptance().unwrap();
        let premium = wide(treaty.premium);
        prop_assert_eq!(premium, (wide(limit) * i128::from(rate_bps) + 9_999) / 10_000);
        let (mut left, mut restored_in_all) = (wide(limit), 0);
        let whole = (premium * i128::from(premium_bps) + 9_999) / 10_000;
        let cost_of = |restored: i128| (whole * restored + wide(limit) - 1) / wide(limit);
        for (loss, means, room) in calls {
            let owed = wide(loss).min(left);
            let paid = owed.min(wide(means));
            let (restored, cost) = treaty.reinstate(u64::try_from(paid).unwrap(), room).unwrap();
            let expected = paid.min(wide(room)).min(wide(limit) * i128::from(times) - restored_in_all);
            prop_assert_eq!(wide(restored), expected);
            left = left - owed + expected;
            prop_assert!(left <= wide(limit));
            // In proportion to all that is restored, rounded up as if it were at once, and never more than the payment.
            prop_assert_eq!(wide(cost), (cost_of(restored_in_all + expected) - cost_of(restored_in_all)).min(paid));
            restored_in_all += expected;
            prop_assert_eq!(wide(treaty.restored), restored_in_all);
        }
        prop_assert!(restored_in_all <= wide(limit) * i128::from(times));
    }
}

// ---- towers on the real program ----

/// SplitMix64: the same towers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// Treaties with either reinsurer: perhaps a quota share, and up to four layers.
fn random_treaties(random: &mut Random, now: i64) -> Vec<(bool, TreatyTerms)> {
    let mut treaties = Vec::new();
    let mut taken = |random: &mut Random, kind, limit| treaties.push((random.one_in(2), over(now, 200, kind, limit)));
    if !random.one_in(4) {
        let kind = TreatyKind::QuotaShare {
            cession_bps: 1 + u16::try_from(random.below(9_000)).expect("a part"),
            commission_bps: u16::try_from(random.below(10_000)).expect("a part"),
        };
        let limit = 1_000 + random.below(60_000 * ONE);
        taken(random, kind, limit);
    }
    // 1 % of the cedant's capital at the least, and half a percent on line.
    let mut from = 2_400 * ONE;
    for _ in 0..random.below(5) {
        from += if random.one_in(3) { 0 } else { random.below(20_000 * ONE) };
        let kind = TreatyKind::ExcessOfLoss {
            attachment: from,
            rate_on_line_bps: 50 + u16::try_from(random.below(900)).expect("a part"),
            reinstatements: u8::try_from(random.below(3)).expect("a few"),
            reinstatement_premium_bps: u16::try_from(random.below(20_001)).expect("a part"),
        };
        let limit = 1_000 + random.below(25_000 * ONE);
        taken(random, kind, limit);
        from += limit;
    }
    treaties
}

/// What of a layer's premium is unearned of the part of its limit that a payment uses, by the rate that ends with it.
fn used_premium(reinsurer: &Pool, keys: &TreatyKeys, treaty: &Treaty, paid: i128) -> i128 {
    let own =
        reinsurer.inward.iter().find(|inward| inward.treaty == keys.treaty).map_or(0, |inward| wide(inward.limit));
    let left = i128::from(i64::from(treaty.end_day) * DAY - reinsurer.accrued_at);
    if own == 0 { 0 } else { (wide(treaty.rate_q32) * paid / own * left) >> 32 }
}

/// What the model expects of a call, from the books just before it: what is paid, restored, taken for that, and what of the
/// layer's own premium goes into the payment.
fn expected_call(reinsurer: &Pool, keys: &TreatyKeys, treaty: &Treaty, owed: i128, exposed: i128) -> [i128; 4] {
    let capital = wide(reinsurer.loss_capital().unwrap());
    let paid = owed.min(capital);
    let TreatyKind::ExcessOfLoss { reinstatements, reinstatement_premium_bps, .. } = treaty.kind else {
        return [paid, 0, 0, 0];
    };
    // Solvent at once the open limits.
    let open: i128 = reinsurer.inward.iter().map(|inward| wide(inward.limit)).sum();
    let used = used_premium(reinsurer, keys, treaty, paid);
    let room = (capital - paid + used - (open - paid)).max(0).min(exposed);
    let restorable = wide(treaty.limit) * i128::from(reinstatements) - wide(treaty.restored);
    let restored = paid.min(restorable).min(room);
    let whole = (wide(treaty.premium) * i128::from(reinstatement_premium_bps) + 9_999) / 10_000;
    let cost = ((whole * restored + wide(treaty.limit) - 1) / wide(treaty.limit)).min(paid);
    [paid, restored, cost, used]
}

fn run_tower(seed: u64) {
    let mut random = Random(seed);
    let scene = Scene::on(World::unsigned());
    let world = &scene.world;
    scene.contribute(&scene.cedant, 20_000 * ONE);
    scene.contribute(&scene.owned, 100_000 * ONE);
    let reinsurer_of = |owned: bool| -> &PoolKeys { if owned { &scene.owned } else { &scene.open } };
    let drawn = random_treaties(&mut random, world.now());
    let announced: Vec<(bool, TreatyKeys)> =
        drawn.iter().map(|(owned, terms)| (*owned, scene.announced(reinsurer_of(*owned), *terms))).collect();
    scene.capital();
    // In any order: the books sort them.
    let mut order: Vec<usize> = (0..announced.len()).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, usize::try_from(random.below(last as u64 + 1)).expect("a place"));
    }
    for index in order {
        scene.accept(&announced[index].1).unwrap();
    }
    scene.assert_books();
    world.next_day();
    let (holder, mint) = scene.insured(&scene.product, ONE + random.below(150_000 * ONE));
    if random.one_in(2) {
        // A premium on its way through the reinsurer when the loss comes.
        for pool in [&scene.owned, &scene.open] {
            let _ = scene.settle_premium(pool);
        }
    }
    // Anything from a small part to all of it is lost.
    world.depeg(&scene.product, 80_000_000 + i64::try_from(random.below(15_000_000)).expect("a price"));
    world.run(&[], &[world.open_incident(&scene.product)]);
    let opened = world.incident(&scene.product);
    if opened.crisis == 0 {
        return;
    }
    assert_eq!(usize::from(opened.treaty_count), announced.len());

    let shares: Vec<Share> = announced
        .iter()
        .map(|(_, keys)| {
            let treaty = scene.treaty(keys);
            match treaty.kind {
                TreatyKind::QuotaShare { cession_bps, .. } => {
                    Share::Quota { bps: i128::from(cession_bps), left: wide(treaty.limit) }
                }
                TreatyKind::ExcessOfLoss { attachment, .. } => {
                    Share::Layer { from: wide(attachment), left: wide(treaty.limit) }
                }
            }
        })
        .collect();
    let owed_by_each = owed_by_model(wide(opened.gross), &shares);
    if random.one_in(4) {
        scene.ruin(&scene.owned, random.below(2_000 * ONE));
    }
    let frozen = random.one_in(4).then(|| random.one_in(2));
    if let Some(owned) = frozen {
        scene.freeze(reinsurer_of(owned), true);
        world.cluster.set_time(opened.opened_at + 2 * DAY);
    }

    // Layers of one tower, called from the top or from below.
    let mut order: Vec<usize> = (0..announced.len()).collect();
    if random.one_in(2) {
        order.reverse();
    }
    let mut ceded = 0;
    let mut collectable = Vec::new();
    for place in order {
        let ((owned, keys), owed) = (announced[place], owed_by_each[place]);
        let pool = reinsurer_of(owned);
        let before = scene.accrue(pool);
        let treaty = scene.treaty(&keys);
        let [paid, restored, cost, used] = expected_call(&before, &keys, &treaty, owed, wide(opened.still_exposed));
        let (left, owes) = scene.left_and_owed(&keys);
        assert_eq!(wide(owes), owed);
        assert_eq!(wide(left), wide(treaty.limit) - owed);
        let outcome = scene.call(&keys, &scene.product);
        if owed == 0 {
            assert_refused(outcome, backstop::error::BackstopError::NothingOwed);
        } else if frozen == Some(owned) && paid > cost {
            scene.assert_frozen(outcome);
            collectable.push((*pool, keys));
        } else {
            outcome.unwrap();
            let after = world.pool(pool);
            assert_eq!(wide(before.loss_capital().unwrap()) - paid + used, wide(after.loss_capital().unwrap()));
            assert_eq!(wide(before.unearned_premium) + cost - used, wide(after.unearned_premium));
            assert_eq!(scene.left_and_owed(&keys), (left, u64::try_from(owed - paid).unwrap()));
            assert_eq!(scene.treaty(&keys).restored - treaty.restored, u64::try_from(restored).unwrap());
            ceded += paid - cost;
        }
        scene.assert_books();
    }
    assert_eq!(wide(world.pool(&scene.cedant).crisis.recovered), ceded);

    // The rest is the cedant's: surplus, junior, senior.
    let before = scene.accrue(&scene.cedant);
    scene.fund(&scene.product).unwrap();
    let after = world.pool(&scene.cedant);
    let [junior, senior] = before.tranches;
    let row = [wide(before.surplus), wide(junior.assets), wide(senior.assets)];
    let (taken, unpaid) = down_the_row(wide(opened.gross) - ceded, &row);
    let [junior_after, senior_after] = after.tranches;
    let gone =
        [before.surplus - after.surplus, junior.assets - junior_after.assets, senior.assets - senior_after.assets];
    assert_eq!(gone.map(wide).to_vec(), taken);
    assert_eq!(unpaid, 0, "this cedant can always pay");
    let funded = world.incident(&scene.product);
    assert_eq!(funded.reserve, opened.gross);
    assert_eq!(ceded + taken.iter().sum::<i128>(), wide(opened.gross));
    world.settle(&scene.product, &holder, &mint).unwrap();
    scene.assert_books();

    // What is owed is called for later, as far as there is something; nobody is short, so it is theirs who bore the loss.
    if let Some(owned) = frozen {
        scene.freeze(reinsurer_of(owned), false);
    }
    for (pool, keys) in collectable {
        let before = scene.accrue(&pool);
        let capital = wide(before.loss_capital().unwrap());
        let treaty = scene.treaty(&keys);
        let had = scene.accrue(&scene.cedant).loss_capital().unwrap();
        let (_, owed) = scene.left_and_owed(&keys);
        let used = used_premium(&before, &keys, &treaty, wide(owed).min(capital));
        scene.call(&keys, &scene.product).unwrap();
        let cost = wide(world.pool(&pool).unearned_premium) - wide(before.unearned_premium) + used;
        let paid = wide(world.pool(&scene.cedant).loss_capital().unwrap() - had) + cost;
        assert_eq!(paid, wide(owed).min(capital));
        assert_eq!(capital - wide(world.pool(&pool).loss_capital().unwrap()), paid - used);
        let again = scene.call(&keys, &scene.product);
        if paid < wide(owed) && used > 0 {
            // What the first call freed of its premium is its capital now, and is owed.
            again.unwrap();
            continue;
        }
        assert_refused(again, backstop::error::BackstopError::NothingOwed);
        scene.assert_books();
    }

    // In the end nothing is left of the treaties but what everybody has.
    let over = announced.iter().map(|(_, keys)| scene.treaty(keys).end_day).max().unwrap_or(day_of(world.now()));
    let ring_days = u32::from(world.pool(&scene.cedant).ring_days);
    // What a ruined reinsurer owes is owed for a year.
    let is_owed = announced.iter().any(|(_, keys)| scene.left_and_owed(keys).1 > 0);
    let reach = over + ring_days + if is_owed { 400 } else { 0 };
    world.cluster.set_time(i64::from(reach.max(day_of(world.now()) + 8)) * DAY);
    scene.accrue(&scene.cedant);
    for pool in [&scene.owned, &scene.open] {
        let _ = scene.settle_premium(pool);
    }
    for (_, keys) in &announced {
        scene.end(keys).unwrap();
    }
    world.advance(9 * DAY);
    for pool in [&scene.owned, &scene.open] {
        let books = scene.accrue(pool);
        assert_eq!(books.open_limits().unwrap(), 0);
        assert_eq!((books.unearned_premium, books.rate_q32), (0, 0));
        assert_eq!(books.cash, books.loss_capital().unwrap());
    }
    scene.assert_books();
}

#[test]
fn sixty_random_towers_on_the_real_program_pay_what_the_model_says_and_every_unit_is_somebodys() {
    for seed in 0..60 {
        run_tower(seed);
    }
}
