//! Random operations on a backend, each compared with a plain list of entries.

use std::ops::ControlFlow;

use eventstore::backend::{Direction, EventReader, EventStore};
use eventstore::index::{IndexKey, IndexKind};
use eventstore::manifest::RunStatus;
use eventstore::snapshot::SnapshotAnchor;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::fixture::{
    Fixture, assert_holds, assert_sealed, collect, kind_of, naive_index, store_with,
};
use crate::common::sample::{self, INSTANCE, Keyed, hashed};

/// One call, with numbers that are brought into or next to the run's range when it is made.
#[derive(Debug, Clone)]
enum Operation {
    Append(Vec<(u64, Vec<IndexKey>)>),
    AppendOutOfOrder { place: usize, seq: u64 },
    Anchor(u64),
    Scan { from: u64, to: u64, backward: bool, rows_max: usize },
    Lookup(IndexKey),
    IndexAfter(IndexKey),
    FirstSeqAt(u64),
    RecordedKeys(u64),
}

/// How the run goes on after its last operation.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Seal(RunStatus),
    CrashThenSeal,
    CloseThenSeal,
}

/// Few keys and small times, so that repeats and steps back are common.
fn any_key() -> impl Strategy<Value = IndexKey> {
    let text = prop::sample::select(vec!["A", "B", "a", "AB", "Ä", "\u{7f}"]);
    (prop::sample::select(IndexKind::ALL.to_vec()), text)
        .prop_map(|(kind, text)| IndexKey::new(kind, text))
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let near = || prop_oneof![9 => 0_u64..40, 1 => Just(u64::MAX)];
    prop_oneof![
        6 => vec((0_u64..30, vec(any_key(), 0..4)), 0..8).prop_map(Operation::Append),
        1 => (0_usize..4, near()).prop_map(|(place, seq)| Operation::AppendOutOfOrder { place, seq }),
        1 => near().prop_map(Operation::Anchor),
        2 => (near(), near(), any::<bool>(), 1_usize..50)
            .prop_map(|(from, to, backward, rows_max)| Operation::Scan { from, to, backward, rows_max }),
        1 => any_key().prop_map(Operation::Lookup),
        1 => any_key().prop_map(Operation::IndexAfter),
        1 => near().prop_map(Operation::FirstSeqAt),
        1 => near().prop_map(Operation::RecordedKeys),
    ]
}

fn any_ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        Just(Ending::Seal(RunStatus::Ended)),
        Just(Ending::Seal(RunStatus::CrashedRecovered)),
        Just(Ending::CrashThenSeal),
        Just(Ending::CloseThenSeal),
    ]
}

/// Everything that was acknowledged.
#[derive(Default)]
struct Model {
    entries: Vec<Keyed>,
    anchor: Option<SnapshotAnchor>,
}

impl Model {
    fn high_watermark(&self) -> u64 {
        self.entries.len() as u64
    }

    fn apply(&mut self, store: &mut dyn EventStore, reader: &dyn EventReader, step: &Operation) {
        match step {
            Operation::Append(drafts) => self.append(store, drafts),
            Operation::AppendOutOfOrder { place, seq } => {
                self.append_out_of_order(store, *place, *seq);
            }
            Operation::Anchor(seq) => self.record_anchor(store, *seq),
            Operation::Scan { from, to, backward, rows_max } => {
                self.scan(reader, *from, *to, *backward, *rows_max);
            }
            Operation::Lookup(key) => {
                let index = naive_index(&self.entries, key.kind);
                let naive = index.iter().find(|(known, _)| *known == key.key);
                let found = reader.lookup(key.kind, &key.key).unwrap();
                assert_eq!(found, naive.map(|(_, seq)| *seq));
            }
            Operation::IndexAfter(key) => self.index_after(reader, key),
            Operation::FirstSeqAt(ts_init) => {
                let naive = self.entries.iter().find(|item| item.entry.ts_init >= *ts_init);
                let found = reader.first_seq_at(*ts_init).unwrap();
                assert_eq!(found, naive.map(|item| item.entry.seq));
            }
            Operation::RecordedKeys(seq) => {
                let naive = self.entries.iter().find(|item| item.entry.seq == *seq);
                let found = reader.recorded_keys(*seq).unwrap();
                assert_eq!(found, naive.map(|item| item.keys.clone()));
            }
        }
        assert_eq!(reader.high_watermark(), self.high_watermark());
        assert_eq!(reader.latest_snapshot_anchor().unwrap(), self.anchor);
    }

    fn append(&mut self, store: &mut dyn EventStore, drafts: &[(u64, Vec<IndexKey>)]) {
        let batch: Vec<Keyed> = (self.high_watermark() + 1..)
            .zip(drafts)
            .map(|(seq, (ts_init, keys))| {
                let mut entry = sample::keyed(seq).entry;
                entry.ts_init = *ts_init;
                Keyed { entry: hashed(entry), keys: keys.clone() }
            })
            .collect();
        let expected = self.high_watermark() + batch.len() as u64;
        assert_eq!(sample::append(store, &batch).unwrap(), expected);
        self.entries.extend(batch);
    }

    fn append_out_of_order(&mut self, store: &mut dyn EventStore, place: usize, seq: u64) {
        let high_watermark = self.high_watermark();
        let next = high_watermark + 1 + place as u64;
        if seq == next {
            return;
        }
        let good = (high_watermark + 1..next).map(sample::keyed);
        let batch: Vec<Keyed> = good.chain([sample::keyed(seq)]).collect();
        let expected = format!("OutOfOrder durable {high_watermark} seq {seq} next {next}");
        assert_eq!(kind_of(sample::append(store, &batch)), expected);
    }

    fn record_anchor(&mut self, store: &mut dyn EventStore, seq: u64) {
        let lowest = self.anchor.as_ref().map_or(1, |anchor| anchor.high_watermark);
        let allowed = (lowest..=self.high_watermark()).contains(&seq);
        let anchor = sample::anchor(seq);
        let answer = kind_of(store.record_snapshot_anchor(&anchor));
        assert_eq!(answer, if allowed { "Ok" } else { "InvalidArgument" });
        if allowed {
            self.anchor = Some(anchor);
        }
    }

    fn scan(&self, reader: &dyn EventReader, from: u64, to: u64, backward: bool, rows_max: usize) {
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let inside = |item: &&Keyed| from != 0 && (from..=to).contains(&item.entry.seq);
        let mut expected: Vec<&Keyed> = self.entries.iter().filter(inside).collect();
        if backward {
            expected.reverse();
        }
        let (rows, end) = collect(reader, from, to, direction);
        end.unwrap();
        assert_eq!(rows.iter().collect::<Vec<_>>(), expected);
        let mut seen = 0;
        let end = reader.visit_range(from, to, direction, &mut |_| {
            seen += 1;
            if seen == rows_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        end.unwrap();
        assert_eq!(seen, rows_max.min(expected.len()));
    }

    fn index_after(&self, reader: &dyn EventReader, key: &IndexKey) {
        let mut expected = naive_index(&self.entries, key.kind);
        expected.retain(|(known, _)| known.as_bytes() > key.key.as_bytes());
        let mut found = Vec::new();
        let end = reader.visit_index(key.kind, Some(&key.key), &mut |key, seq| {
            found.push((key.to_owned(), seq));
            ControlFlow::Continue(())
        });
        end.unwrap();
        assert_eq!(found, expected);
    }
}

fn run_case(fixture: &dyn Fixture, run_id: &str, operations: &[Operation], ending: Ending) {
    let start = sample::full_manifest(run_id);
    let mut store = store_with(fixture, &start, &[], 1);
    let reader = store.reader().unwrap();
    let mut model = Model::default();
    for operation in operations {
        model.apply(&mut *store, &*reader, operation);
    }
    assert_holds(&*reader, &start, &model.entries);
    drop(reader);
    let status = match ending {
        Ending::Seal(status) => status,
        Ending::CrashThenSeal => {
            store.abandon();
            store = fixture.restart(store, None);
            store.load_crashed(INSTANCE, run_id).unwrap();
            RunStatus::CrashedRecovered
        }
        Ending::CloseThenSeal => {
            store.close().unwrap();
            store = fixture.restart(store, None);
            store.load_crashed(INSTANCE, run_id).unwrap();
            RunStatus::Ended
        }
    };
    let sealed = store.seal(status).unwrap();
    let reader = fixture.close_and_read(&mut *store, run_id);
    assert_eq!(reader.latest_snapshot_anchor().unwrap(), model.anchor);
    assert_sealed(&*reader, &sealed, &start, &model.entries, status);
}

/// Any sequence of calls leaves what a plain list would hold, through every ending.
pub fn random_operations_equal_the_naive_model(fixture: &dyn Fixture) {
    let config = Config {
        cases: fixture.model_cases(),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let case_number = std::cell::Cell::new(0);
    let cases = (vec(any_operation(), 0..40), any_ending());
    let result = TestRunner::new(config).run(&cases, |(operations, ending)| {
        case_number.set(case_number.get() + 1);
        run_case(fixture, &format!("case-{}", case_number.get()), &operations, ending);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
