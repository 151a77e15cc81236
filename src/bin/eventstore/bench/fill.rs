//! Runs with so many entries: filled here to be read, or by a process of its own that is killed
//! or whose memory is looked at.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use eventstore::index::IndexKind;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use super::arguments::Fill;
use super::backends::{self, Backend};
use super::exported::{INSTANCE, Reader, Run, RunOptions};
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

/// What a filling process says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Filling {
    /// Memory in use after a tenth of the entries, in bytes.
    pub(crate) early_rss_bytes: u64,
    /// After all of them.
    pub(crate) late_rss_bytes: u64,
    pub(crate) path: Option<PathBuf>,
}

/// The hidden subcommand: fills a run, says how it went, and seals it or dies.
pub(crate) fn run(arguments: &Fill, screen: &mut Screen) -> Outcome {
    let shapes = Shapes::new(arguments.payload, &arguments.mix)?;
    let backend = backends::named(&arguments.backend);
    let options = RunOptions { backend: backend.code, ..RunOptions::default() };
    let run = Run::open(&arguments.base, &arguments.run_id, options)?;
    let (mut done, mut early_rss_bytes) = (0, None);
    fill(&run, &shapes, arguments.entries, |_, count| {
        done += count as u64;
        if early_rss_bytes.is_none() && done >= arguments.entries / 10 {
            run.flush()?;
            early_rss_bytes = Some(rss_bytes()?);
        }
        Ok(())
    })?;
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

/// Fills a run in a process of its own, which ends it as asked.
pub(crate) fn in_child(
    session: &Session<'_>,
    backend: &Backend,
    entries: u64,
    killed: bool,
) -> Result<(PathBuf, Filling), Failure> {
    let base = session.folder.base()?;
    let failed = |error| Failure::from_io("this command", "starting it again", &error);
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.arg("bench-fill").arg("--base").arg(&base).args(["--run-id", "run"]);
    command.args(["--backend", backend.name, "--entries", &entries.to_string()]);
    command.args(["--payload", &session.arguments.payload.to_string()]);
    if !session.arguments.mix.is_empty() {
        command.arg("--mix").args(&session.arguments.mix);
    }
    if killed {
        command.arg("--killed");
    }
    let output = command.stdin(Stdio::null()).output().map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout);
    match serde_json::from_str(&text) {
        Ok(filling) if killed != output.status.success() => Ok((base, filling)),
        _ => Err(Failure::CannotRun(format!(
            "filling a run of {INSTANCE} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}
