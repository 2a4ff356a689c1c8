//! Export and import.

use crate::support::{assert_same, indexed, market, read};
use backstop_index::{Database, IndexError, exchange};
use std::path::Path;

fn refused(file: &Path) -> String {
    let mut database = Database::in_memory().expect("there is memory");
    let error = exchange::import(&mut database, file).expect_err("it was changed");
    assert!(matches!(error, IndexError::Changed { .. }), "{error}");
    assert_eq!(database.event_count().expect("it can be read"), 0);
    let text = error.to_string();
    assert!(text.contains(&file.display().to_string()), "the file is named: {text}");
    text
}

#[test]
fn what_was_exported_is_imported_as_it_was_and_goes_on() {
    let mut market = market(80);
    let database = indexed(&market.world.cluster);
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("history.jsonl");
    let written = exchange::export(&database, &file).expect("it can be written");
    assert_eq!(written.events, database.event_count().expect("it can be read"));
    // Nothing that is there is overwritten.
    assert!(matches!(exchange::export(&database, &file), Err(IndexError::File { .. })));
    let mut imported = Database::open(directory.path().join("other.sqlite")).expect("it can be made");
    assert_eq!(exchange::import(&mut imported, &file).expect("it is whole"), written);
    assert_same(&imported, &database);
    assert_eq!(imported.newest().expect("it can be read"), database.newest().expect("it can be read"));
    assert!(matches!(exchange::import(&mut imported, &file), Err(IndexError::NotEmpty { .. })));
    for _ in 0..20 {
        market.act();
    }
    read(&mut imported, &market.world.cluster);
    assert_same(&imported, &indexed(&market.world.cluster));
}

#[test]
fn a_changed_file_is_refused_by_name() {
    let market = market(5);
    let database = indexed(&market.world.cluster);
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("history.jsonl");
    exchange::export(&database, &file).expect("it can be written");
    let whole = std::fs::read(&file).expect("it is there");
    // A byte here and there, in every part of the file; the line with the checksum at each byte.
    let trailer = whole.len() - whole.rsplit(|byte| *byte == b'\n').nth(1).expect("it has lines").len() - 1;
    let spread = (0..trailer).step_by(trailer / 60);
    for place in spread.chain(trailer..whole.len()) {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        std::fs::write(&file, changed).expect("it can be written");
        refused(&file);
    }
    let cut = |length: usize| {
        std::fs::write(&file, &whole[..length]).expect("it can be written");
        refused(&file)
    };
    assert!(cut(trailer).contains("ends before its last line"));
    assert!(cut(0).contains("ends before its last line"));
    std::fs::write(&file, [whole.as_slice(), b"{}\n"].concat()).expect("it can be written");
    assert!(refused(&file).contains("comes after its last line"));
    std::fs::write(&file, &whole).expect("it can be written");
    exchange::import(&mut Database::in_memory().expect("there is memory"), &file).expect("it is whole");
}
