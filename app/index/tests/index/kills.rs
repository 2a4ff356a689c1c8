//! Whatever is on disk when a process ends, the next one goes on from it, and ends with the same.

use crate::support::{assert_same, indexed, read};
use backstop::state::{Seen, Tranche};
use backstop_client::instruction::{self as ix};
use backstop_index::database::on_write;
use backstop_index::{Database, Options, follow};
use backstop_tests::World;
use backstop_tests::terms::{self, DAY, ONE};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A world with a short story: everything that has a table of its own but treaties.
fn story() -> World {
    let world = World::unsigned();
    world.cluster.record();
    let keys = world.create_pool(terms::create_pool(0));
    let product = world.create_product(&keys, terms::stress());
    let person = world.person(5_000 * ONE);
    let staker = world.depositor(&keys, Tranche::Junior, 3_000 * ONE);
    world.depositor(&keys, Tranche::Senior, 3_000 * ONE);
    world.run(&[&person.key], &[ix::contribute_surplus(&keys, person.id(), ONE, Seen::ANYTHING)]);
    world.next_day();
    world.print(&product, 100_000_000);
    let (mint, outcome) = world.buy(&product, &person, 700 * ONE, 30);
    outcome.expect("it is sold");
    world.advance(3 * DAY);
    let half = world.shares(&keys, &staker, Tranche::Junior) / 2;
    world.request_exit(&keys, &staker, Tranche::Junior, half).1.expect("it is taken");
    world.depeg_until_proven(&product, 85_000_000);
    world.run(&[], &[world.open_incident(&product)]);
    world.advance(2 * DAY);
    world.run(&[], &[world.fund_incident(&product)]);
    world.settle(&product, &person, &mint).expect("it is paid");
    world
}

/// What a process that ends now leaves on disk: the file and its write-ahead log.
fn image(file: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        if name(file).exists() {
            std::fs::copy(name(file), name(to)).expect("it can be copied");
        }
    }
}

#[test]
fn a_process_that_ends_at_any_write_leaves_what_the_next_one_completes() {
    let world = story();
    let whole = indexed(&world.cluster);
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("index.sqlite");
    let writes = Rc::new(Cell::new(0));
    let at = |write: usize| directory.path().join(format!("image-{write}"));
    on_write(Some(Box::new({
        let (file, writes, directory) = (file.clone(), writes.clone(), directory.path().to_owned());
        move || {
            image(&file, &directory.join(format!("image-{}", writes.get())));
            writes.set(writes.get() + 1);
        }
    })));
    let mut database = Database::open(&file).expect("it can be made");
    // A few transactions at once, so that it ends between batches too.
    let options = Options { batch: 3, ..Options::default() };
    follow(&mut database, &world.cluster, &options).expect("it answers");
    on_write(None);
    assert_same(&database, &whole);
    let count = writes.get();
    assert!(count > 150, "{count} writes");
    let mut begun = 0;
    for write in 0..count {
        let mut resumed = Database::open(at(write)).unwrap_or_else(|error| panic!("{write}: {error}"));
        begun += usize::from(resumed.newest().expect("it can be read").is_some());
        read(&mut resumed, &world.cluster);
        assert_same(&resumed, &whole);
        drop(resumed);
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", at(write).display()));
        }
    }
    assert!(begun > count / 2, "most of them had a part of the history");
    println!("ended at each of {count} writes");
}
