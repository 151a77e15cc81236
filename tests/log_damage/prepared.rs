//! Segments that are prepared ahead of the commits that will need them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use eventstore::backend::EventStore;
use eventstore::backend::log::{LogOptions, LogStore};
use eventstore::error::EventStoreError;
use eventstore::manifest::RunManifest;

use crate::disk::MemoryVolume;
use crate::{INSTANCE, RUN, append, try_append};

const BATCH: u64 = 500;

/// A run whose commits prepare segments themselves: of 1, 2, 4 and more MiB.
fn opened(volume: &MemoryVolume) -> LogStore {
    let options = LogOptions { uses_thread: false, ..LogOptions::default() };
    let mut store = LogStore::on(volume.as_volume(), options);
    store.open_run(&RunManifest::new(RUN, INSTANCE, 5)).unwrap();
    store
}

/// However long a segment is, little of it is on its way to the device at a time: a commit's flush
/// waits for that.
#[test]
fn long_segment_is_prepared_a_little_at_a_time() {
    const PIECE_BYTES: u64 = 1 << 20;
    let volume = MemoryVolume::default();
    let mut store = opened(&volume);
    let longest = |volume: &MemoryVolume| {
        let (_, files) = volume.everything();
        files.iter().map(|content| content.len()).max()
    };
    let mut last = 0;
    while longest(&volume) < Some(8 * PIECE_BYTES) {
        append(&mut store, last + 1, last + BATCH);
        last += BATCH;
    }
    let owed = volume.knobs.owed_bytes_max.load(Ordering::Relaxed);
    assert!(owed <= PIECE_BYTES, "{owed} bytes were on their way to the device at a time");
}

/// A segment that the device refused is none: the run stops where it would have begun, and what was
/// acknowledged is all there.
#[test]
fn segment_that_the_device_refused_is_not_used() {
    let volume = MemoryVolume::default();
    let mut store = opened(&volume);
    volume.knobs.write_back_errno.store(libc::EIO as u64, Ordering::Relaxed);
    let mut last = 0;
    let refused = loop {
        assert!(last < 100 * BATCH, "a segment that the device refused was used");
        match try_append(&mut store, last + 1, last + BATCH) {
            Ok(acknowledged) => last = acknowledged,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, EventStoreError::Backend(_)), "{refused:?}");
    assert!(last > BATCH, "the segment before it was used up first");
    volume.knobs.write_back_errno.store(0, Ordering::Relaxed);
    assert!(try_append(&mut store, last + 1, last + 1).is_err(), "it is not tried again");
    let reader = store.reader().unwrap();
    assert_eq!(reader.high_watermark(), last);
}

/// A thread that panics while it prepares a segment is an error for the append that needs the
/// segment, which would wait for it forever.
#[test]
fn segment_of_a_thread_that_died_is_not_waited_for() {
    let volume = MemoryVolume::default();
    let options = LogOptions { segment_bytes_max: 64 << 10, ..LogOptions::default() };
    let mut store = LogStore::on(volume.as_volume(), options);
    store.open_run(&RunManifest::new(RUN, INSTANCE, 5)).unwrap();
    volume.knobs.panic_in_zeros.store(true, Ordering::Relaxed);
    let (sender, refused) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let refused = (1..10_000).find_map(|seq| try_append(&mut store, seq, seq).err());
        let _ = sender.send(refused);
    });
    let refused = refused.recv_timeout(Duration::from_secs(60)).expect("the append answers");
    assert!(matches!(refused, Some(EventStoreError::Backend(_))), "{refused:?}");
}
