//! Files that are not ours, or of another version.

use backstop_index::{Database, DatabaseError};

#[test]
fn files_of_newer_programs_and_of_others_are_refused_by_name() {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("index.sqlite");
    assert!(matches!(Database::open_read_only(&file), Err(DatabaseError::Absent { .. })));
    let database = Database::open(&file).expect("it can be made");
    assert_eq!(database.newest().expect("it can be read"), None);
    assert!(Database::open_read_only(&file).is_ok(), "while another process writes");
    database.connection().pragma_update(None, "user_version", 99).expect("it can be written");
    drop(database);
    for error in [Database::open(&file).err(), Database::open_read_only(&file).err()] {
        let error = error.expect("it is newer");
        assert!(matches!(error, DatabaseError::Newer { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("index.sqlite"));
    }
    let other = directory.path().join("other.sqlite");
    rusqlite::Connection::open(&other).and_then(|it| it.execute_batch("CREATE TABLE a (b)")).expect("it can be made");
    assert!(matches!(Database::open(&other), Err(DatabaseError::Foreign { .. })));
    std::fs::write(
        &other,
        "not a database, and longer than the header of one would have to be to be looked at as such.",
    )
    .expect("it can be written");
    assert!(matches!(Database::open(&other), Err(DatabaseError::Foreign { .. })));
    // An empty file is as good as none, but not to read.
    let empty = directory.path().join("empty.sqlite");
    std::fs::write(&empty, "").expect("it can be written");
    assert!(matches!(Database::open_read_only(&empty), Err(DatabaseError::Older { found: 0, .. })));
    assert!(Database::open(&empty).is_ok());
}

#[test]
fn a_reader_does_not_write() {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("index.sqlite");
    drop(Database::open(&file).expect("it can be made"));
    let reader = Database::open_read_only(&file).expect("it is there");
    assert!(reader.connection().execute("DELETE FROM events", []).is_err());
}
