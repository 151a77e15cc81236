//! Runs with so many entries: filled here to be read, or by a process of its own that is killed
//! or whose memory is looked at.

use std::ffi::OsString;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use eventstore::index::IndexKind;
use rustix::process::{Signal, getpid, getppid, kill_process};
use serde::{Deserialize, Serialize};

use super::arguments::{Fill, Way};
use super::backends::{self, Backend};
use super::exported::{Drafts, INSTANCE, Reader, Run, RunOptions};
use super::idle::HOT_NS;
use super::pool::{Pool, Shapes};
use super::session::Session;
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::Screen;

const BATCH: usize = 1000;
const POOL_ENTRIES: usize = 10 * BATCH;
/// Most keys that are kept to be looked up.
const KEYS_MAX: usize = 100_000;

pub(crate) type Key = (IndexKind, String);

/// A run to be read: sealed where the backend keeps files, live in memory elsewhere.
pub(crate) struct Filled {
    path: Option<PathBuf>,
    live: Option<Run>,
    /// Keys that it holds, spread over all of it.
    pub(crate) keys: Vec<Key>,
}

impl Filled {
    /// Writes a run of this many entries.
    pub(crate) fn new(
        session: &Session<'_>,
        backend: &Backend,
        entries: u64,
    ) -> Result<Self, Failure> {
        let options = RunOptions { backend: backend.code, ..RunOptions::default() };
        let run = Run::open(&session.folder.base()?, "run", options)?;
        let mut keys = Vec::new();
        fill(&run, session.shapes, entries, |pool, count| {
            let room = (KEYS_MAX as u64 * count as u64).div_ceil(entries) as usize;
            let found = (0..count).flat_map(|at| pool.part(at).keys);
            keys.extend(found.take(room).cloned());
            Ok(())
        })?;
        if !backend.keeps_files {
            return Ok(Self { path: None, live: Some(run), keys });
        }
        let path = run.path()?;
        run.close()?;
        Ok(Self { path: Some(path), live: None, keys })
    }

    pub(crate) fn reader(&self) -> Result<Reader, Failure> {
        match (&self.path, &self.live) {
            (Some(path), _) => Reader::open_sealed(path),
            (None, Some(run)) => run.reader(),
            (None, None) => unreachable!("a run is a file or live"),
        }
    }

    /// Where it lies; only of a backend that keeps files.
    pub(crate) fn path(&self) -> &Path {
        self.path.as_deref().expect("asked only of a backend that keeps files")
    }
}

/// Writes entries and waits until all are durable; `seen` is told of each turn through the pool.
fn fill(
    run: &Run,
    shapes: &Shapes,
    entries: u64,
    mut seen: impl FnMut(&Pool<'_>, usize) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut pool = Pool::new(shapes, POOL_ENTRIES.min(entries as usize));
    let mut left = entries;
    while left > 0 {
        let count = left.min(pool.len() as u64) as usize;
        let drafts = pool.drafts();
        for first in (0..count).step_by(BATCH) {
            run.submit_batch(&drafts, first, BATCH.min(count - first))?;
        }
        seen(&pool, count)?;
        left -= count as u64;
        pool.renumber();
    }
    run.flush()
}

/// Hands over one entry after another, between two system calls that show in a trace.
fn one_by_one(
    run: &Run,
    shapes: &Shapes,
    entries: u64,
    mut hand_over: impl FnMut(&Drafts<'_>, usize) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let pool = Pool::new(shapes, POOL_ENTRIES);
    let drafts = pool.drafts();
    // The first wakes a writer that has not been busy yet.
    run.append(&drafts, 0, 1)?;
    black_box(getppid());
    for at in 0..entries as usize {
        hand_over(&drafts, 1 + at % (drafts.len() - 1))?;
    }
    black_box(getppid());
    run.flush()
}

/// What a filling process says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Filling {
    /// Memory in use after so many entries as asked, in bytes.
    pub(crate) early_rss_bytes: u64,
    /// After all of them.
    pub(crate) late_rss_bytes: u64,
    pub(crate) path: Option<PathBuf>,
}

/// The hidden subcommand: fills a run, says how it went, and seals it or dies.
pub(crate) fn run(arguments: &Fill, screen: &mut Screen) -> Outcome {
    let shapes = match &*arguments.capture {
        [] => Shapes::synthetic(arguments.payload),
        paths => Shapes::of_captures(paths)?,
    };
    let backend = backends::named(&arguments.backend);
    let durability = arguments.durability;
    let hot_ns = if arguments.way == Way::Submits { HOT_NS } else { 0 };
    let options = RunOptions { backend: backend.code, durability, hot_ns, ..RunOptions::default() };
    let run = Run::open(&arguments.base, &arguments.run_id, options)?;
    let (mut done, mut early_rss_bytes) = (0, None);
    match arguments.way {
        Way::Batches => fill(&run, &shapes, arguments.entries, |_, count| {
            done += count as u64;
            if early_rss_bytes.is_none() && done >= arguments.early {
                run.flush()?;
                early_rss_bytes = Some(rss_bytes()?);
            }
            Ok(())
        })?,
        Way::Appends => {
            one_by_one(&run, &shapes, arguments.entries, |drafts, at| run.append(drafts, at, 1))?
        }
        Way::Submits => one_by_one(&run, &shapes, arguments.entries, |drafts, at| {
            run.submit(drafts, at).map(|_| ())
        })?,
    }
    let late_rss_bytes = rss_bytes()?;
    let path = backend.keeps_files.then(|| run.path()).transpose()?;
    let early_rss_bytes = early_rss_bytes.unwrap_or(late_rss_bytes);
    screen.json(&Filling { early_rss_bytes, late_rss_bytes, path })?;
    screen.flush()?;
    if arguments.killed {
        let died = kill_process(getpid(), Signal::KILL);
        return Err(Failure::CannotRun(format!("could not die: {died:?}")));
    }
    run.close()?;
    Ok(Exit::Done)
}

/// Memory of this process that is in use.
fn rss_bytes() -> Result<u64, Failure> {
    let path = "/proc/self/status";
    let status = std::fs::read_to_string(path)
        .map_err(|error| Failure::from_io(path, "reading the memory in use", &error))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib << 10)
        .ok_or_else(|| Failure::CannotRun(format!("{path}: no VmRSS in kB, as Linux has it")))
}

/// The command line of a process that fills a run below `base`.
pub(crate) fn arguments(
    session: &Session<'_>,
    base: &Path,
    backend: &Backend,
    entries: u64,
) -> Result<Vec<OsString>, Failure> {
    let this = std::env::current_exe()
        .map_err(|error| Failure::from_io("this command", "finding it", &error))?;
    let mut words: Vec<OsString> = vec![this.into(), "bench-fill".into(), "--base".into()];
    words.push(base.into());
    let entries = entries.to_string();
    let payload = session.arguments.payload.to_string();
    words.extend(
        [
            "--run-id",
            "run",
            "--backend",
            backend.name,
            "--entries",
            &entries,
            "--payload",
            &payload,
        ]
        .map(OsString::from),
    );
    if session.shapes.are_captures() {
        words.push("--capture".into());
        words.extend(session.arguments.capture.iter().map(OsString::from));
    }
    Ok(words)
}

/// Fills a run in a process of its own, which then dies by SIGKILL.
pub(crate) fn killed(
    session: &Session<'_>,
    backend: &Backend,
    entries: u64,
) -> Result<(PathBuf, Filling), Failure> {
    let base = session.folder.base()?;
    let failed = |error| Failure::from_io("this command", "starting it again", &error);
    let words = arguments(session, &base, backend, entries)?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("--killed");
    command.args(["--early", &session.arguments.entries.to_string()]);
    let output = command.stdin(Stdio::null()).output().map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout);
    match serde_json::from_str(&text) {
        Ok(filling) if output.status.signal() == Some(Signal::KILL.as_raw()) => Ok((base, filling)),
        _ => Err(Failure::CannotRun(format!(
            "filling a run of {INSTANCE} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}
