//! What is written while measuring: entries made before the clock runs.
//!
//! Synthetic ones carry a payload of one size and an order id on one in four; others carry
//! what captures hold, over and over. No key comes twice: it is numbered anew with every turn
//! through the pool, as an engine numbers its orders.

use std::path::PathBuf;

use eventstore::index::IndexKind;

use crate::bench::exported::{DraftParts, Drafts};
use crate::failure::Failure;
use crate::line::{self, Line};
use crate::progress::Progress;
use crate::source::{self, Source};

/// The content of an entry, which entries share.
struct Shape {
    topic: String,
    payload_type: String,
    payload: Vec<u8>,
    keys: Vec<(IndexKind, String)>,
}

/// Most lines that are taken from captures.
const LINES_MAX: usize = 100_000;
/// One synthetic entry in so many has a key.
const ENTRIES_PER_KEY: usize = 4;
const FIRST_TS: u64 = 1_700_000_000_000_000_000;

/// What entries are made of.
pub(crate) struct Shapes {
    shapes: Vec<Shape>,
    are_captures: bool,
}

impl Shapes {
    /// Shapes with a payload of this size.
    pub(crate) fn synthetic(payload_bytes: u32) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        // Noise, so that no file system or disk saves itself the work.
        let mut payload = || (0..payload_bytes).map(|_| xorshift(&mut state) as u8).collect();
        let shape = |at: usize| Shape {
            topic: "exec.command.SubmitOrder".to_owned(),
            payload_type: "SubmitOrder".to_owned(),
            payload: payload(),
            keys: if at.is_multiple_of(ENTRIES_PER_KEY) {
                vec![(IndexKind::CLIENT_ORDER_ID, "O-".to_owned())]
            } else {
                Vec::new()
            },
        };
        Self { shapes: (0..16 * ENTRIES_PER_KEY).map(shape).collect(), are_captures: false }
    }

    /// Those of the captures, one behind the other.
    ///
    /// # Errors
    /// A capture that cannot be read, a bad line, captures without events.
    pub(crate) fn of_captures(paths: &[PathBuf]) -> Result<Self, Failure> {
        source::check_all(paths)?;
        let mut shapes = Vec::new();
        for path in paths {
            let mut source = Source::open(path, &Progress::over_bytes(None))
                .map_err(|error| Failure::from_io(path.display(), "opening the input", &error))?;
            while shapes.len() < LINES_MAX {
                let bad =
                    |place: String, reason: String| Failure::Data(format!("{place}: {reason}"));
                match source.advance() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(reason) => return Err(bad(source.place(), reason)),
                }
                let line = line::parse(source.line());
                let Line::Event(event) = line.map_err(|reason| bad(source.place(), reason))? else {
                    continue;
                };
                let keys = event.keys.into_iter();
                shapes.push(Shape {
                    topic: event.topic.into_owned(),
                    payload_type: event.payload_type.into_owned(),
                    payload: event.payload.into_owned(),
                    keys: keys.map(|(kind, key)| (kind, format!("{key}-"))).collect(),
                });
            }
        }
        if shapes.is_empty() {
            return Err(Failure::Data("the captures hold no events".to_owned()));
        }
        Ok(Self { shapes, are_captures: true })
    }

    pub(crate) fn are_captures(&self) -> bool {
        self.are_captures
    }

    /// Bytes of the payloads of so many entries, which go round the shapes.
    pub(crate) fn payloads_bytes(&self, entries: u64) -> u64 {
        let (rounds, rest) =
            (entries / self.shapes.len() as u64, entries as usize % self.shapes.len());
        let bytes =
            |shapes: &[Shape]| shapes.iter().map(|shape| shape.payload.len() as u64).sum::<u64>();
        rounds * bytes(&self.shapes) + bytes(&self.shapes[..rest])
    }

    /// Bytes of a payload, on average.
    pub(crate) fn payload_bytes(&self) -> u64 {
        let total: u64 = self.shapes.iter().map(|shape| shape.payload.len() as u64).sum();
        total / self.shapes.len() as u64
    }
}

/// An entry of the pool.
pub(crate) struct Event {
    shape: usize,
    /// With their numbers, unlike the shape's.
    keys: Vec<(IndexKind, String)>,
    pub(crate) ts_init: u64,
}

/// Entries ready to be written.
pub(crate) struct Pool<'a> {
    shapes: &'a Shapes,
    events: Vec<Event>,
    key_count: usize,
    next: u64,
}

impl<'a> Pool<'a> {
    /// So many entries, the first of them numbered 1.
    pub(crate) fn new(shapes: &'a Shapes, entries: usize) -> Self {
        let mut pool = Self { shapes, events: Vec::new(), key_count: 0, next: 1 };
        pool.events = (0..entries)
            .map(|at| {
                let shape = at % shapes.shapes.len();
                Event { shape, keys: shapes.shapes[shape].keys.clone(), ts_init: 0 }
            })
            .collect();
        pool.key_count = pool.events.iter().map(|event| event.keys.len()).sum();
        pool.renumber();
        pool
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Goes on with entries that were not there before.
    pub(crate) fn renumber(&mut self) {
        for event in &mut self.events {
            event.ts_init = FIRST_TS + self.next;
            for (place, (_, key)) in event.keys.iter_mut().enumerate() {
                let prefix = &self.shapes.shapes[event.shape].keys[place].1;
                *key = format!("{prefix}{:012}", self.next);
            }
            self.next += 1;
        }
    }

    /// The entries in C's form.
    pub(crate) fn drafts(&self) -> Drafts<'_> {
        Drafts::new(self.events.iter().map(|event| self.parts(event)), self.key_count)
    }

    /// The content of the entry at `at`.
    pub(crate) fn part(&self, at: usize) -> DraftParts<'_> {
        self.parts(&self.events[at])
    }

    fn parts<'b>(&'b self, event: &'b Event) -> DraftParts<'b> {
        let shape = &self.shapes.shapes[event.shape];
        DraftParts {
            topic: &shape.topic,
            payload_type: &shape.payload_type,
            payload: &shape.payload,
            ts_init: event.ts_init,
            ts_publish: event.ts_init,
            keys: &event.keys,
        }
    }
}

/// The next of a sequence of numbers without a pattern.
pub(crate) fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// One entry in four has a key, none of them twice, however often the pool is gone through.
    #[test]
    fn keys_are_never_repeated() {
        let shapes = Shapes::synthetic(8);
        let mut pool = Pool::new(&shapes, 100);
        let mut seen = HashSet::new();
        for _ in 0..3 {
            for at in 0..pool.len() {
                for (_, key) in pool.part(at).keys {
                    assert!(seen.insert(key.clone()), "{key}");
                }
            }
            pool.renumber();
        }
        assert_eq!(seen.len(), 75);
        assert_eq!(shapes.payload_bytes(), 8);
    }
}
