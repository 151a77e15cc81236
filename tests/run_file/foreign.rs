//! Files under a run's name that are no runs: a clear error, and not a byte changed.

use std::fs;
use std::path::PathBuf;

use eventstore::backend::EventStore;
use eventstore::backend::redb::{RedbStore, open_sealed};
use eventstore::error::EventStoreError;
use redb::{Database, TableDefinition};

use super::common::sample::{self, INSTANCE};
use super::common::temporary::TemporaryFolder;
use super::{CACHE_BYTES, RUN, options};

fn place(base: &TemporaryFolder) -> PathBuf {
    fs::create_dir_all(base.path().join(INSTANCE)).unwrap();
    base.path().join(INSTANCE).join(format!("{RUN}.redb"))
}

/// Empty, cut, text and SQLite files are told from runs by each way of opening, unchanged; the
/// error says what was found. An empty one never becomes a new store.
#[test]
fn files_that_are_no_runs_are_refused_and_unchanged() {
    let sqlite: &[u8] = b"SQLite format 3\0 and then its pages";
    let cases: [(&[u8], &str); 5] = [
        (b"", "is empty"),
        (b"redb", "starts with \"redb\""),
        (b"a diary, not a run", "starts with \"a diary,"),
        (sqlite, "is a SQLite database"),
        (&[0; 8192], "starts with \"\\x00"),
    ];
    let base = TemporaryFolder::new("foreign");
    let path = place(&base);
    for (content, says) in cases {
        fs::write(&path, content).unwrap();
        let mut store = RedbStore::new(base.path(), options());
        let errors = [
            store.open_run(&sample::full_manifest(RUN)).unwrap_err(),
            store.load_crashed(INSTANCE, RUN).unwrap_err(),
            open_sealed(&path, CACHE_BYTES, false).map(drop).unwrap_err(),
            open_sealed(&path, CACHE_BYTES, true).map(drop).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, EventStoreError::Corrupted(_)), "{error}");
            assert!(error.to_string().contains(says), "{error}: does not say {says:?}");
            let fault = error.fault().unwrap();
            assert_eq!(fault.path.as_deref(), Some(path.as_path()));
        }
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

/// A database of somebody else, and a run of a later format, are refused before anything is written.
#[test]
fn other_databases_and_later_formats_are_refused_and_unchanged() {
    let base = TemporaryFolder::new("other");
    let path = place(&base);
    let formats: TableDefinition<'_, &str, u32> = TableDefinition::new("store_format");
    for codec in [None, Some(2), Some(77)] {
        let _ = fs::remove_file(&path);
        let database = Database::create(&path).unwrap();
        let write = database.begin_write().unwrap();
        if let Some(codec) = codec {
            write.open_table(formats).unwrap().insert("codec", codec).unwrap();
        }
        write.commit().unwrap();
        database.close().unwrap();
        let before = fs::read(&path).unwrap();
        let mut store = RedbStore::new(base.path(), options());
        let loaded = store.load_crashed(INSTANCE, RUN).unwrap_err();
        let opened = open_sealed(&path, CACHE_BYTES, true).map(drop).unwrap_err();
        for error in [loaded, opened] {
            match (codec, &error) {
                (None, EventStoreError::Corrupted(_)) => {}
                (Some(codec), EventStoreError::UnsupportedFormat { found, .. }) => {
                    assert_eq!(*found, codec);
                }
                _ => panic!("codec {codec:?}: {error}"),
            }
        }
        assert!(store.open_run(&sample::full_manifest(RUN)).is_err());
        assert!(fs::read(&path).unwrap() == before, "codec {codec:?}: the file was changed");
    }
}

/// One flipped bit makes redb's own format 3 a 1 or a 2. The error names that format and no store
/// format, by each way of opening, and nothing is changed.
#[test]
fn files_of_other_redbs_are_named_as_such_and_unchanged() {
    let base = TemporaryFolder::new("older_redb");
    let path = place(&base);
    let database = Database::create(&path).unwrap();
    database.close().unwrap();
    let sound = fs::read(&path).unwrap();
    // The first byte of each of redb's two commit slots.
    for (at, found) in [(64, 1), (64, 2), (192, 1), (192, 2)] {
        let mut content = sound.clone();
        assert_eq!(std::mem::replace(&mut content[at], found), 3, "redb's file format");
        fs::write(&path, &content).unwrap();
        let mut store = RedbStore::new(base.path(), options());
        let errors = [
            store.open_run(&sample::full_manifest(RUN)).unwrap_err(),
            store.load_crashed(INSTANCE, RUN).unwrap_err(),
            open_sealed(&path, CACHE_BYTES, false).map(drop).unwrap_err(),
        ];
        for error in errors {
            let text = error.to_string();
            assert!(text.contains(&format!("redb file format {found} is not supported")), "{text}");
            assert!(error.is_unsupported_format(), "{error:?}");
        }
        assert!(fs::read(&path).unwrap() == content, "byte {at}: the file was changed");
    }
}

/// The name of a run of the log backend is taken here too.
#[test]
fn run_ids_are_unique_over_backends() {
    let base = TemporaryFolder::new("unique");
    fs::create_dir_all(base.path().join(INSTANCE).join(format!("{RUN}.eslog"))).unwrap();
    let mut store = RedbStore::new(base.path(), options());
    let error = store.open_run(&sample::full_manifest(RUN)).unwrap_err();
    assert!(matches!(error, EventStoreError::AlreadyExists(_)), "{error}");
}

/// A symbolic link below the base is not followed, by whichever name.
#[test]
fn symbolic_links_are_not_followed() {
    let base = TemporaryFolder::new("links");
    let elsewhere = TemporaryFolder::new("elsewhere");
    std::os::unix::fs::symlink(elsewhere.path(), base.path().join(INSTANCE)).unwrap();
    let mut store = RedbStore::new(base.path(), options());
    assert!(store.open_run(&sample::full_manifest(RUN)).is_err());
    assert!(store.load_crashed(INSTANCE, RUN).is_err());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}
