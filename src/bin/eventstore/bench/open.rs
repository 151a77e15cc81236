//! `bench open` and `bench verify`: runs on the disk, at two sizes.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::backends::Backend;
use super::exported::{self, Reader};
use super::fill::{self, Filled};
use super::folder::copy_run;
use super::limits;
use super::pairs::{Middle, Sample, Side, take_turns};
use super::row::{Row, Unit};
use super::session::Session;
use crate::failure::Failure;

/// The small run has so many times fewer entries than the large one.
const SIZES_APART: u64 = 100;
/// Whatever takes a whole run each time is done at most so often.
const PAIRS_OF_WHOLE_RUNS: u32 = 3;
const READ_BYTES: usize = 4096;
const READ: &str = "open + pread of 4 KiB";
const SMALL: &str = "the run a hundredth as long";

/// Opening a sealed run, and a run whose writer was killed, small and large.
pub(crate) fn open(
    session: &mut Session<'_>,
    backend: &'static Backend,
    large: &Filled,
) -> Result<(), Failure> {
    let sizes = [session.arguments.entries / SIZES_APART, session.arguments.entries];
    let small = Filled::new(session, backend, sizes[0])?;
    let sealed = |path: PathBuf| opening(move || Reader::open_sealed(&path));
    let sides: Vec<Box<dyn Side>> = vec![
        Box::new(sealed(small.path().to_owned())),
        Box::new(sealed(large.path().to_owned())),
        Box::new(reading(first_file(large.path())?)),
    ];
    rows(session, backend, "open sealed", sizes, sides, session.arguments.pairs)?;
    let crashed = |entries: u64| -> Result<(PathBuf, Filling), Failure> {
        fill::in_child(session, backend, entries, true)
    };
    let (small, large) = (crashed(sizes[0])?, crashed(sizes[1])?);
    let file = first_file(large.1.path.as_deref().expect("of a backend that keeps files"))?;
    let sides: Vec<Box<dyn Side>> = vec![
        Box::new(Recovering::new(session, &small)?),
        Box::new(Recovering::new(session, &large)?),
        Box::new(reading(file)),
    ];
    let pairs = session.arguments.pairs.min(PAIRS_OF_WHOLE_RUNS);
    rows(session, backend, "open killed", sizes, sides, pairs)
}

use fill::Filling;

/// A row for each size, beside reading the file's start, and one for how the time grows.
fn rows(
    session: &mut Session<'_>,
    backend: &'static Backend,
    what: &str,
    sizes: [u64; 2],
    mut sides: Vec<Box<dyn Side + '_>>,
    pairs: u32,
) -> Result<(), Failure> {
    let samples = take_turns(&mut sides, pairs, session.arguments.slice())?;
    drop(sides);
    let ns = |side: usize| Middle::of(samples[side].iter().map(|s| s.ns_each())).median;
    let rows = [(0, 2, ""), (1, 2, ""), (1, 0, ", growth")].map(|(side, limit, more)| {
        let row = Row {
            what: format!("{what}{more}"),
            backend: backend.name,
            batch: 1,
            payload: session.shapes.payload_bytes(),
            entries: sizes[side],
            value: ns(side),
            unit: Unit::Nanoseconds,
            limit: if limit == 2 { READ } else { SMALL },
            limit_value: ns(limit),
            ratio_to_limit: 0.0,
            peers: Default::default(),
            interval: None,
        };
        let ratio = Middle::of_ratios(&samples[side], &samples[limit], Sample::ns_each);
        row.with_ratio(ratio)
    });
    session.rows.extend(rows);
    Ok(())
}

/// Opens and frees, over and over.
fn opening(open: impl Fn() -> Result<Reader, Failure>) -> impl Side {
    move |slice: Duration| {
        let mut count = 0;
        let begun = Instant::now();
        while count == 0 || begun.elapsed() < slice {
            drop(open()?);
            count += 1;
        }
        Ok(Sample { count, spent: begun.elapsed() })
    }
}

/// Opens a file and reads its start, over and over.
fn reading(path: PathBuf) -> impl Side {
    move |slice: Duration| {
        let mut bytes = [0; READ_BYTES];
        let mut count = 0;
        let begun = Instant::now();
        while count == 0 || begun.elapsed() < slice {
            let read = File::open(&path).and_then(|file| file.read_at(&mut bytes, 0));
            read.map_err(|error| Failure::from_io(path.display(), "reading", &error))?;
            black_box(&bytes);
            count += 1;
        }
        Ok(Sample { count, spent: begun.elapsed() })
    }
}

/// Opens a killed run as it was left: each time a new copy, whose making does not count.
struct Recovering {
    left: PathBuf,
    base: PathBuf,
}

impl Recovering {
    fn new(session: &Session<'_>, left: &(PathBuf, Filling)) -> Result<Self, Failure> {
        Ok(Self { left: left.0.join(exported::INSTANCE), base: session.folder.base()? })
    }
}

impl Side for Recovering {
    fn work(&mut self, _: Duration) -> Result<Sample, Failure> {
        let copy = self.base.join(exported::INSTANCE);
        copy_run(&self.left, &copy)?;
        let failed = |error| Failure::from_io(copy.display(), "removing the copy", &error);
        let begun = Instant::now();
        let reader = Reader::open_crashed(&self.base, "run")?;
        let spent = begun.elapsed();
        drop(reader);
        std::fs::remove_dir_all(&copy).map_err(failed)?;
        Ok(Sample { count: 1, spent })
    }
}

/// A run's file, or the first in its folder.
fn first_file(path: &Path) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::from_io(path.display(), "looking at the run", &error);
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let mut files = Vec::new();
    for item in std::fs::read_dir(path).map_err(failed)? {
        let item = item.map_err(failed)?.path();
        if item.is_file() {
            files.push(item);
        }
    }
    files.sort();
    let none = || Failure::CannotRun(format!("{}: holds no files", path.display()));
    files.into_iter().next().ok_or_else(none)
}

/// A whole run each time.
pub(crate) fn verify(
    session: &mut Session<'_>,
    backend: &'static Backend,
    run: &Filled,
) -> Result<(), Failure> {
    let path = run.path().to_owned();
    let verifying = move |_: Duration| {
        let begun = Instant::now();
        let count = exported::verify(&path)?;
        Ok(Sample { count, spent: begun.elapsed() })
    };
    let mut sides: Vec<Box<dyn Side>> =
        vec![Box::new(verifying), Box::new(limits::hashing(session.preimages()))];
    let pairs = session.arguments.pairs.min(PAIRS_OF_WHOLE_RUNS);
    let samples = take_turns(&mut sides, pairs, session.arguments.slice())?;
    let rate = |side: usize| Middle::of(samples[side].iter().map(|s| s.rate())).median;
    let row = Row {
        what: "verify".to_owned(),
        backend: backend.name,
        batch: 1,
        payload: session.shapes.payload_bytes(),
        entries: session.arguments.entries,
        value: rate(0),
        unit: Unit::EntriesPerSecond,
        limit: limits::HASH,
        limit_value: rate(1),
        ratio_to_limit: 0.0,
        peers: Default::default(),
        interval: None,
    };
    session.rows.push(row.with_ratio(Middle::of_ratios(&samples[0], &samples[1], Sample::rate)));
    Ok(())
}
