//! `bench open`: sealed runs, and runs whose writer was killed, small and large.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::backends::Backend;
use super::copies::Copy;
use super::exported::{self, Reader};
use super::fill::{self, Filled, Filling};
use super::memory;
use super::pairs::{Middle, Sample, Side, take_turns};
use super::row::{Row, Unit};
use super::session::Session;
use crate::failure::Failure;
use crate::table::grouped;

/// The small run is so many times shorter than those that are read.
const SIZES_APART: u64 = 100;
/// A run is opened but once a copy, so that fewer pairs have to do.
const PAIRS_OF_KILLED_MAX: u32 = 3;
const READ_BYTES: usize = 4096;
const READ: &str = "open + pread of 4 KiB";

/// Opening a sealed run, and a run whose writer was killed, small and large.
pub(crate) fn measure(session: &mut Session<'_>) -> Result<(), Failure> {
    for backend in session.backends().into_iter().filter(|backend| backend.keeps_files) {
        let arguments = session.arguments;
        let large = if backend.has_goals { arguments.large() } else { arguments.entries };
        let sizes = [arguments.entries / SIZES_APART, large];
        let names = [
            "open sealed, small",
            "open sealed, large",
            "open sealed, growth",
            "open killed, growth",
        ];
        if !memory::is_room_on_disk(session, backend, large, &names)? {
            continue;
        }
        if arguments.asks_for(&["P7"]) {
            sealed(session, backend, sizes)?;
            session.clear()?;
        }
        if arguments.asks_for(&["P8"]) {
            killed(session, backend, sizes)?;
            session.clear()?;
        }
    }
    Ok(())
}

fn sealed(
    session: &mut Session<'_>,
    backend: &'static Backend,
    sizes: [u64; 2],
) -> Result<(), Failure> {
    let [small, large] = sizes.map(|entries| Filled::new(session, backend, entries));
    let (small, large) = (small?, large?);
    let sealed = |path: PathBuf| opening(move || Reader::open_sealed(&path));
    let sides: Vec<Box<dyn Side>> = vec![
        Box::new(sealed(small.path().to_owned())),
        Box::new(sealed(large.path().to_owned())),
        Box::new(reading(first_file(large.path())?)),
    ];
    rows(session, backend, "open sealed", sizes, sides, session.arguments.pairs)
}

fn killed(
    session: &mut Session<'_>,
    backend: &'static Backend,
    sizes: [u64; 2],
) -> Result<(), Failure> {
    let small = fill::killed(session, backend, sizes[0])?;
    let large = fill::killed(session, backend, sizes[1])?;
    let file = first_file(large.1.path.as_deref().expect("of a backend that keeps files"))?;
    let sides: Vec<Box<dyn Side>> = vec![
        Box::new(Recovering::new(session, &small)?),
        Box::new(Recovering::new(session, &large)?),
        Box::new(reading(file)),
    ];
    let pairs = session.arguments.pairs.min(PAIRS_OF_KILLED_MAX);
    session.fillings.insert((backend.name, sizes[1]), large.1);
    rows(session, backend, "open killed", sizes, sides, pairs)
}

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
    let (small, read) = (format!("the run of {} entries", grouped(sizes[0])), READ.to_owned());
    let rows =
        [(0, 2, ", small", read.clone()), (1, 2, ", large", read), (1, 0, ", growth", small)].map(
            |(side, limit, more, limit_name)| {
                let row = Row {
                    entries: sizes[side],
                    value: ns(side),
                    limit: limit_name.into(),
                    limit_value: ns(limit),
                    ..session.row(&format!("{what}{more}"), backend.name, Unit::Nanoseconds)
                };
                let ratio = Middle::of_ratios(&samples[side], &samples[limit], Sample::ns_each);
                row.with_ratio(ratio)
            },
        );
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
        let copy = Copy::new(&self.left, &self.base.join(exported::INSTANCE))?;
        let begun = Instant::now();
        let reader = Reader::open_crashed(&self.base, "run")?;
        let spent = begun.elapsed();
        drop(reader);
        copy.remove()?;
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
