//! The view that any thread has of a run: live beside its writer, sealed, or left.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::filter::Sought;
use super::run::LogRun;
use super::scan;
use super::small_file::MANIFEST;
use crate::backend::{Direction, Ended, EventReader, KeyVisitor, RowVisitor, Tail};
use crate::codec;
use crate::digest::RunDigest;
use crate::error::{EventStoreError, Result};
use crate::index::{IndexKey, IndexKind};
use crate::manifest::RunManifest;
use crate::snapshot::SnapshotAnchor;

/// Keys are taken from a segment this many at a time.
const CHUNK_KEYS: usize = 256;

/// See the module.
pub(super) struct LogReader(pub(super) Arc<LogRun>);

impl LogReader {
    fn forward(
        &self,
        from: u64,
        to: u64,
        memory: &mut scan::Memory,
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        let run = &*self.0;
        let found = run.last_segment_where(|segment| segment.first_seq() <= from)?;
        let Some(first) = found else { return Ok(()) };
        let mut next = from;
        for number in first.number..=run.segment_count() {
            if next > to {
                break;
            }
            let segment = run.segment(number)?;
            match scan::forward(&segment, next, to, memory, visit)? {
                ControlFlow::Break(()) => return Ok(()),
                ControlFlow::Continue(following) => next = following,
            }
            if next <= to {
                segment.check_whole()?;
            }
        }
        if next <= to {
            return Err(EventStoreError::Gap { prev: next - 1, next: to + 1, missing: next });
        }
        Ok(())
    }

    fn backward(
        &self,
        from: u64,
        to: u64,
        memory: &mut scan::Memory,
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        let run = &*self.0;
        let mut next = to;
        while next >= from {
            let found = run.last_segment_where(|segment| segment.first_seq() <= next)?;
            let Some(segment) = found else { return Ok(()) };
            match scan::backward(&segment, from, next, memory, visit)? {
                ControlFlow::Break(()) => return Ok(()),
                ControlFlow::Continue(following) if following < next => next = following,
                ControlFlow::Continue(_) => {
                    let missing = from.max(segment.first_seq());
                    return Err(EventStoreError::Gap {
                        prev: missing - 1,
                        next: next + 1,
                        missing,
                    });
                }
            }
        }
        Ok(())
    }
}

/// A segment's keys on their way into a merge.
struct Source {
    number: u64,
    keys: std::vec::IntoIter<(String, u64)>,
    head: Option<(String, u64)>,
    is_done: bool,
}

impl Source {
    fn fill(&mut self, run: &LogRun, kind: IndexKind, after: Option<&str>) -> Result<()> {
        while self.head.is_none() && !self.is_done {
            self.head = self.keys.next();
            if self.head.is_none() {
                let more = run.segment(self.number)?.keys_after(kind, after, CHUNK_KEYS)?;
                self.is_done = more.is_empty();
                self.keys = more.into_iter();
            }
        }
        Ok(())
    }
}

impl EventReader for LogReader {
    fn manifest(&self) -> Result<RunManifest> {
        self.0.prepare()?;
        Ok(self.0.manifest())
    }

    fn high_watermark(&self) -> u64 {
        if self.0.follow().is_some() {
            // What is wrong is told by the calls that can fail.
            let _ = self.0.prepare();
        }
        self.0.high_watermark()
    }

    fn tail(&self) -> Result<Tail> {
        if let Some(follow) = self.0.follow() {
            return follow.tail(&self.0);
        }
        let ended = Ended::by_seal(self.manifest()?.status);
        Ok(Tail { high_watermark: self.0.high_watermark(), ended })
    }

    fn visit_range(
        &self,
        from: u64,
        to: u64,
        direction: Direction,
        visit: &mut RowVisitor<'_>,
    ) -> Result<()> {
        let prepared = self.0.prepare();
        let to = to.min(self.0.high_watermark());
        if from == 0 || from > to {
            return prepared;
        }
        match prepared {
            // Of a run that is followed: damage behind what is known, told to whoever asks for that.
            Err(EventStoreError::Corrupted(_)) if self.0.follow().is_some() => {}
            prepared => prepared?,
        }
        self.0.idle.lend(|memory| match direction {
            Direction::Forward => self.forward(from, to, memory, visit),
            Direction::Backward => self.backward(from, to, memory, visit),
        })
    }

    fn lookup(&self, kind: IndexKind, key: &str) -> Result<Option<u64>> {
        self.0.prepare()?;
        let last = self.0.high_watermark();
        let sought = Sought::new(kind, key);
        for number in 1..=self.0.segment_count() {
            if self.0.holds_of(number, |segment| segment.may_have(&sought))?
                && let Some(seq) = self.0.segment(number)?.lookup(&sought)?
            {
                return Ok(Some(seq).filter(|seq| *seq <= last));
            }
        }
        Ok(None)
    }

    fn visit_index(
        &self,
        kind: IndexKind,
        after: Option<&str>,
        visit: &mut KeyVisitor<'_>,
    ) -> Result<()> {
        self.0.prepare()?;
        let last = self.0.high_watermark();
        let source =
            |number| Source { number, keys: Vec::new().into_iter(), head: None, is_done: false };
        let mut sources: Vec<Source> = (1..=self.0.segment_count()).map(source).collect();
        let mut after = after.map(str::to_owned);
        loop {
            let mut least: Option<(&str, u64)> = None;
            for source in &mut sources {
                source.fill(&self.0, kind, after.as_deref())?;
            }
            for (key, seq) in sources.iter().filter_map(|source| source.head.as_ref()) {
                // Equal keys: the older segment, which comes first here, has the first entry.
                if least.is_none_or(|(smallest, _)| key.as_str() < smallest) {
                    least = Some((key, *seq));
                }
            }
            let Some((key, seq)) = least else { return Ok(()) };
            let key = key.to_owned();
            for source in &mut sources {
                source.head.take_if(|(head, _)| *head == key);
            }
            if seq <= last && visit(&key, seq).is_break() {
                return Ok(());
            }
            after = Some(key);
        }
    }

    fn recorded_keys(&self, seq: u64) -> Result<Option<Vec<IndexKey>>> {
        let mut keys = None;
        self.visit_range(seq, seq, Direction::Forward, &mut |row| {
            keys = row.keys.map(|keys| keys.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(keys)
    }

    fn first_seq_at(&self, ts_init: u64) -> Result<Option<u64>> {
        self.0.prepare()?;
        let last = self.0.high_watermark();
        let found = self.0.last_segment_where(|segment| segment.ts_init_before() < ts_init)?;
        let Some(segment) = found else { return Ok(None) };
        let from = segment.mark_before(ts_init).map_or(segment.first_seq(), |mark| mark.seq);
        let mut first = None;
        self.visit_range(from, last, Direction::Forward, &mut |row| {
            if row.entry.ts_init < ts_init {
                return ControlFlow::Continue(());
            }
            first = Some(row.entry.seq);
            ControlFlow::Break(())
        })?;
        Ok(first)
    }

    fn latest_snapshot_anchor(&self) -> Result<Option<SnapshotAnchor>> {
        self.0.prepare()?;
        let Some(frame) = self.0.anchor()? else { return Ok(None) };
        codec::decode_anchor(&frame).map(Some).map_err(|error| {
            let path = self.0.path_of(MANIFEST);
            EventStoreError::corrupted(&path, format!("the latest anchor: {error}"))
        })
    }

    fn digest(&self) -> Result<Option<RunDigest>> {
        self.0.prepare()?;
        Ok(self.0.digest())
    }
}
