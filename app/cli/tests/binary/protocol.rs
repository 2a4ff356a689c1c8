//! `backstop init` and `backstop protocol`.

use crate::desk::Desk;
use backstop_tests::{World, seeded};
use solana_sdk::signer::Signer;

#[test]
fn the_upgrade_authority_sets_the_protocol_up_once() {
    let world = World::uninitialised();
    let authority = world.payer.insecure_clone();
    let roles = [&world.governance, &world.guardian, &world.risk_keeper].map(|key| key.pubkey().to_string());
    let desk = Desk::new(world);
    let init =
        ["init", "--governance", &roles[0], "--guardian", &roles[1], "--risk-keeper", &roles[2], "--output", "json"];
    desk.look(&["protocol", "show"]).says(1, "there is no protocol at", "backstop init");

    let somebody = seeded(99);
    desk.node.world().cluster.airdrop(&somebody.pubkey(), 1_000_000_000);
    desk.act(&somebody, &init).says(1, "Only the program's upgrade authority may do this", "upgrade authority");

    desk.snapshot("init", desk.act(&authority, &init));
    let protocol = desk.node.world().protocol();
    assert_eq!(protocol.governance.to_string(), roles[0]);
    desk.act(&authority, &init).refused(1);
}

#[test]
fn roles_move_by_governance_and_governance_by_two_steps() {
    let world = World::new();
    let [governance, payer] = [&world.governance, &world.payer].map(|key| key.insecure_clone());
    let desk = Desk::new(world);
    desk.snapshot("protocol-show", desk.look(&["protocol", "show", "--output", "json"]));
    desk.display("protocol-show", desk.look(&["protocol", "show"]));

    let (next, keeper) = (seeded(98), seeded(97).pubkey().to_string());
    desk.node.world().cluster.airdrop(&next.pubkey(), 1_000_000_000);
    let set = ["protocol", "set-roles", "--risk-keeper", &keeper, "--output", "json"];
    desk.act(&payer, &set).says(1, "Only governance may do this", "--keypair");
    desk.snapshot("protocol-set-roles", desk.act(&governance, &set));
    assert_eq!(desk.node.world().protocol().risk_keeper.to_string(), keeper);

    let id = next.pubkey().to_string();
    let accept = ["protocol", "accept", "--output", "json"];
    desk.act(&next, &accept).refused(1);
    desk.snapshot("protocol-propose", desk.act(&governance, &["protocol", "propose", &id, "--output", "json"]));
    desk.snapshot("protocol-accept", desk.act(&next, &accept));
    assert_eq!(desk.node.world().protocol().governance, next.pubkey());
}

#[test]
fn the_guardian_pauses_three_times_in_seven_days() {
    let world = World::new();
    let guardian = world.guardian.insecure_clone();
    let desk = Desk::new(world);
    let pause = ["protocol", "pause", "--purchases", "--output", "json"];
    desk.snapshot("protocol-pause", desk.act(&guardian, &pause));
    desk.display("protocol-show-paused", desk.look(&["protocol", "show"]));
    desk.snapshot("protocol-lift", desk.act(&guardian, &["protocol", "pause", "--lift", "--output", "json"]));
    for _ in 0..2 {
        desk.act(&guardian, &pause).done();
        desk.node.world().advance(7 * 3_600);
    }
    desk.act(&guardian, &pause).says(1, "(NoPauseLeft, 6027)", "seven days");
}
