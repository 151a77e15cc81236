//! Disks without room, and a limit on file sizes: the run stops with `Disk`, what was acknowledged
//! reads, and, with the disk as full as it was, the run opens as crashed and is sealed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use eventstore::backend::EventStore;
use eventstore::backend::redb::{RedbStore, open_sealed, open_sealed_on};
use eventstore::error::EventStoreError;
use eventstore::manifest::RunStatus;

use super::common::sample::{self, INSTANCE};
use super::common::shared::not_run_without_tool;
use super::common::temporary::TemporaryFolder;
use super::disk::MemoryVolume;
use super::{CACHE_BYTES, FILE, RUN, assert_rows, options, store_on};

/// Appends batches of `batch` until the disk refuses one; answers the last acknowledged entry.
fn fill(store: &mut dyn EventStore, batch: u64) -> u64 {
    let mut last = 0;
    loop {
        let entries: Vec<_> = (last + 1..=last + batch).map(sample::keyed).collect();
        match sample::append(store, &entries) {
            Ok(high_watermark) => last = high_watermark,
            Err(error) => {
                assert!(matches!(error, EventStoreError::Disk(_)), "{error}");
                return last;
            }
        }
    }
}

/// At every size of the disk that there is, in steps, and several batch sizes.
#[test]
fn full_disk_of_any_size_leaves_room_for_the_seal() {
    let mut runs = 0;
    // The seal copies the manifest, so a large one needs the reserve most.
    let shapes = [
        (1, 400_000, 0),
        (7, 300_000, 0),
        (300, 100_000, 0),
        (4000, 500_000, 0),
        (1, 400_000, 250_000),
        (30, 200_000, 250_000),
    ];
    for (batch, step, manifest_bytes) in shapes {
        for capacity in (2_200_000_u64..5_000_000).step_by(step) {
            let volume = MemoryVolume::default();
            volume.knobs.capacity_bytes.store(capacity, Ordering::SeqCst);
            let mut store = store_on(&volume);
            let mut manifest = sample::full_manifest(RUN);
            manifest.crate_versions = "x".repeat(manifest_bytes);
            match store.open_run(&manifest) {
                Ok(()) => {}
                Err(EventStoreError::Disk(_)) => continue,
                Err(error) => panic!("{error}"),
            }
            let last = fill(&mut store, batch);
            let reader = store.reader().unwrap();
            store.abandon();
            assert_rows(&*reader, last);
            drop((reader, store));
            // From here on the file cannot grow by a byte.
            let size = volume.content(FILE).unwrap().len();
            volume.knobs.capacity_bytes.store(size, Ordering::SeqCst);
            let mut store = store_on(&volume);
            store.load_crashed(INSTANCE, RUN).unwrap();
            assert_rows(&*store.reader().unwrap(), last);
            let sealed = store.seal(RunStatus::CrashedRecovered);
            sealed.unwrap_or_else(|error| panic!("{capacity} bytes, batch {batch}: {error}"));
            store.close().unwrap();
            let reader =
                open_sealed_on(volume.disk(FILE), FILE.as_ref(), CACHE_BYTES, true).unwrap();
            assert_rows(&*reader, last);
            runs += 1;
        }
    }
    println!("{runs} full disks");
    assert!(runs > 30, "{runs} disks took a run");
}

/// Writes until the disk is full, then recovers and seals without a byte being freed.
fn fill_recover_and_seal(base: &Path, batch: u64, before_recovery: impl FnOnce()) -> u64 {
    let mut store = RedbStore::new(base, options());
    store.open_run(&sample::full_manifest(RUN)).unwrap();
    let last = fill(&mut store, batch);
    assert_rows(&*store.reader().unwrap(), last);
    drop(store);
    before_recovery();
    let mut store = RedbStore::new(base, options());
    store.load_crashed(INSTANCE, RUN).unwrap();
    assert_rows(&*store.reader().unwrap(), last);
    store.seal(RunStatus::CrashedRecovered).unwrap();
    store.close().unwrap();
    let path = base.join(INSTANCE).join(FILE);
    assert_rows(&*open_sealed(&path, CACHE_BYTES, true).unwrap(), last);
    last
}

/// A real file system of 6 MiB; before recovery, the last of its blocks are taken.
#[test]
fn full_file_system_leaves_room_for_the_seal() {
    const NAME: &str = "full_file_system_leaves_room_for_the_seal";
    let folder = TemporaryFolder::new("tmpfs");
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
        .arg(folder.path())
        .output();
    match mount {
        Ok(output) if output.status.success() => {}
        other => return not_run_without_tool(NAME, &format!("no tmpfs: {other:?}")),
    }
    let result = std::panic::catch_unwind(|| {
        let last = fill_recover_and_seal(folder.path(), 50, || {
            let filler = fs::File::create(folder.path().join("filler")).unwrap();
            let block = [1; 4096];
            let mut offset = 0;
            while std::os::unix::fs::FileExt::write_at(&filler, &block, offset).is_ok() {
                offset += 4096;
            }
        });
        println!("{last} entries on 6 MiB");
    });
    let unmounted = Command::new("umount").arg(folder.path()).status();
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
    assert!(unmounted.unwrap().success());
}

/// A process whose files may have 4 MiB, with the signal's default action, which ends it: it
/// lives, and recovers and seals the run under the same limit.
#[test]
fn file_size_limit_neither_kills_nor_keeps_from_sealing() {
    const NAME: &str = "full::file_size_limit_neither_kills_nor_keeps_from_sealing";
    const LIMITED: &str = "ES_TEST_FILE_SIZE_LIMIT";
    if let Some(base) = std::env::var_os(LIMITED) {
        let limit = libc::rlimit { rlim_cur: 4 << 20, rlim_max: 4 << 20 };
        // SAFETY: `limit` is a valid value; this process is this test's own.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
        let last = fill_recover_and_seal(Path::new(&base), 20, || {});
        assert!(last > 1000, "{last} entries in 4 MiB");
        return;
    }
    let folder = TemporaryFolder::new("limit");
    let child = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture", "--test-threads=1"])
        .env(LIMITED, folder.path())
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{:?}: {}",
        child.status,
        String::from_utf8_lossy(&child.stderr)
    );
}
