//! `backstop audit`, `program verify`, `migrate` and `completion`.

use crate::desk::{Desk, Run, finish};
use crate::scene::Scene;
use backstop::state::Pool;
use backstop_client::account::Decode;
use backstop_client::cluster::Cluster;
use backstop_tests::World;
use std::path::Path;

#[test]
fn an_audit_of_sound_books_says_so_and_exits_with_0() {
    let scene = Scene::new();
    let audit = scene.desk.snapshot("audit", scene.desk.look(&["audit", "--output", "json"]));
    assert_eq!((audit["ok"].as_bool(), audit["findings"].as_u64()), (Some(true), Some(0)));
    scene.desk.display("audit", scene.desk.look(&["audit"]));
}

#[test]
fn an_audit_of_books_that_do_not_add_up_exits_with_3_and_names_the_rule() {
    let scene = Scene::new();
    {
        // A unit more in the surplus than there is, as no instruction could write it.
        let world = scene.desk.node.world();
        let mut account = world.cluster.account(&scene.pool.pool).expect("read").expect("it is there");
        let books = &mut account.data[Pool::TAG.len()..][..size_of::<Pool>()];
        let mut pool: Pool = bytemuck::pod_read_unaligned(books);
        pool.surplus += 1;
        books.copy_from_slice(bytemuck::bytes_of(&pool));
        world.cluster.set_account(scene.pool.pool, account);
    }
    for format in ["display", "json"] {
        let run = scene.desk.look(&["audit", "--output", format]);
        assert_eq!(run.code, 3, "{run}");
        assert!(run.stderr.contains("the audit found one thing that is off"), "{run}");
        assert!(run.stdout.contains("OFF") || run.stdout.contains("\"ok\": false"), "{run}");
    }
}

fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_deployed_program_is_compared_with_the_committed_one() {
    let desk = Desk::new(World::new());
    let verified = desk.snapshot("program-verify", desk.look(&["program", "verify", "--output", "json"]));
    assert_eq!((&verified["same"], &verified["deployed_sha256"]), (&true.into(), &verified["expected_sha256"]));
    let by_file = desk.look(&["program", "verify", "--file", &repository("artifacts/backstop.so"), "--output", "json"]);
    assert_eq!(desk.json(by_file), verified);
    let other = desk.write("other.so", "another program");
    let run = desk.look(&["program", "verify", "--file", &other]);
    assert_eq!(run.code, 3, "{run}");
    assert!(run.stderr.starts_with("error: "), "{run}");
}

#[test]
fn completion_is_made_for_every_shell_without_a_cluster() {
    let desk = Desk::new(World::uninitialised());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run: Run = finish(desk.bare().args(["completion", shell]));
        assert!(run.done().contains("backstop") && run.stdout.len() > 1_000, "{shell}\n{run}");
    }
    assert_eq!(finish(desk.bare().args(["completion", "tcsh"])).code, 2);
}
