//! The deterministic flow that killed and starved writers write: what each `seq` holds and which
//! claims it came in, so that a test knows what must be found afterwards.

use std::collections::HashMap;
use std::ops::ControlFlow;

use eventstore::backend::{Direction, EventReader};
use eventstore::entry::Draft;
use eventstore::index::IndexKind;
use eventstore::writer::{Run, SubmitOptions};

use super::sample::{self, Keyed};

/// One step of a writer: what it submits before it waits until all of it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// One append of so many drafts.
    Append(u64),
    /// So many submits of one draft each.
    Submits(u64),
    /// Three batches, submitted one behind the other.
    Batches([u64; 3]),
}

impl Step {
    /// The step of this number.
    pub fn number(number: u64) -> Self {
        let size = |salt: u64, most: u64| 1 + mix(number * 4 + salt) % most;
        match number % 3 {
            0 => Self::Append(size(0, 60)),
            1 => Self::Submits(size(1, 40)),
            _ => Self::Batches([size(1, 20), size(2, 20), size(3, 20)]),
        }
    }

    /// The sizes of its claims, in order.
    pub fn claims(self) -> Vec<u64> {
        match self {
            Self::Append(count) => vec![count],
            Self::Submits(count) => vec![1; count as usize],
            Self::Batches(counts) => counts.to_vec(),
        }
    }

    /// Writes it from `seq` on and waits until it is durable; answers its last `seq`.
    pub fn write(self, run: &Run, seq: u64) -> u64 {
        let options = SubmitOptions { expected_seq: seq, timeout_ns: u64::MAX };
        let items: Vec<Keyed> =
            (seq..seq + self.claims().iter().sum::<u64>()).map(sample::keyed).collect();
        let last_seq = seq + items.len() as u64 - 1;
        with_drafts(&items, |drafts| match self {
            Self::Append(_) => {
                run.append_batch(drafts, seq).expect("an append");
            }
            Self::Submits(_) => {
                for draft in drafts {
                    run.submit(draft, SubmitOptions { expected_seq: 0, ..options })
                        .expect("submit");
                }
            }
            Self::Batches(counts) => {
                let mut rest = drafts;
                for count in counts {
                    let (batch, after) = rest.split_at(count as usize);
                    run.submit_batch(batch, SubmitOptions { expected_seq: 0, ..options })
                        .expect("a batch");
                    rest = after;
                }
            }
        });
        run.wait_durable(last_seq, u64::MAX).expect("durable");
        last_seq
    }
}

/// The last `seq` of each claim of the first `steps` steps: what a recovered run may end with.
pub fn claim_ends(steps: u64) -> Vec<u64> {
    let claims = (0..steps).flat_map(|number| Step::number(number).claims());
    claims
        .scan(0, |end, count| {
            Some({
                *end += count;
                *end
            })
        })
        .collect()
}

/// The drafts of these entries.
pub fn with_drafts<R>(items: &[Keyed], then: impl FnOnce(&[Draft<'_>]) -> R) -> R {
    let keys: Vec<Vec<(IndexKind, &str)>> = items
        .iter()
        .map(|item| item.keys.iter().map(|key| (key.kind, key.key.as_str())).collect())
        .collect();
    let drafts: Vec<Draft<'_>> =
        items.iter().zip(&keys).map(|(item, keys)| draft(item, keys)).collect();
    then(&drafts)
}

fn draft<'a>(item: &'a Keyed, keys: &'a [(IndexKind, &'a str)]) -> Draft<'a> {
    let entry = &item.entry;
    Draft {
        topic: &entry.topic,
        payload_type: &entry.payload_type,
        payload: &entry.payload,
        headers: entry.headers,
        ts_init: entry.ts_init,
        ts_publish: entry.ts_publish,
        keys,
    }
}

/// Panics unless `view` holds the flow from 1 to its high-watermark and nothing else, the writer's
/// own `RunEnded` at its end aside; answers the last `seq` of the flow in it.
#[track_caller]
pub fn assert_is_flow(view: &dyn EventReader) -> u64 {
    let mut last_seq = 0;
    let mut ended = false;
    let mut firsts = HashMap::new();
    view.visit_range(1, u64::MAX, Direction::Forward, &mut |row| {
        assert!(!ended, "entry {} follows RunEnded", row.entry.seq);
        let found = row.entry.to_entry();
        assert_eq!(found.seq, last_seq + 1);
        if found.topic == "run.lifecycle.RunEnded" {
            ended = true;
            return ControlFlow::Continue(());
        }
        let expected = sample::keyed(found.seq);
        assert_eq!(found, expected.entry);
        let keys = row.keys.expect("keys are recorded");
        let expected_keys = expected.keys.iter().map(|key| (key.kind, key.key.as_str()));
        last_seq = found.seq;
        assert!(keys.iter().eq(expected_keys), "keys of entry {last_seq}");
        for key in expected.keys {
            firsts.entry(key).or_insert(last_seq);
        }
        ControlFlow::Continue(())
    })
    .expect("every row reads");
    assert_eq!(view.high_watermark(), last_seq + u64::from(ended));
    for (key, first) in firsts {
        assert_eq!(view.lookup(key.kind, &key.key).expect("a lookup"), Some(first), "{key:?}");
    }
    last_seq
}

/// A number that looks random, the same for the same input.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
