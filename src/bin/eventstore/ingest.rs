//! `eventstore ingest`: captures JSON Lines into a new run and seals it.
//!
//! Lines are submitted as they are read, and the run's writer commits behind; a full queue makes
//! the reading wait. A bad line ends the ingest after sealing what came before it. SIGINT, SIGTERM
//! and SIGHUP make durable what was submitted and leave the run `Running`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use eventstore::error::{EventStoreError, Result};
use eventstore::manifest::{RunManifest, RunStatus};
use eventstore::store::{self, OpenOptions};
use eventstore::writer::{CloseOptions, CloseReport, RawDraft, RawKey, Run, SubmitOptions};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::arguments::{Ingest, Place};
use crate::failure::{Exit, Failure, Outcome, complain, concluded, one_line, whole_text};
use crate::line::{self, Event, Line};
use crate::progress::Progress;
use crate::screen::{Screen, Tone};
use crate::shell::recover_command;
use crate::source::{self, Source};
use crate::table::grouped;
use crate::time;

/// The last word of `ingest --json`.
#[derive(Serialize)]
struct Report<'a> {
    run_id: &'a str,
    path: &'a str,
    entries: u64,
    high_watermark: u64,
    seconds: f64,
    entries_per_second: u64,
}

pub(crate) fn run(arguments: &Ingest, screen: &mut Screen) -> Outcome {
    let total_bytes = source::check_all(&arguments.files)?;
    let run_id = new_run_id(arguments.run_id.as_deref())?;
    let mut capture = Capture {
        arguments,
        run_id,
        progress: Progress::over_bytes(total_bytes),
        session: None,
        entries: 0,
        skipped: 0,
    };
    let stopped = capture.take_all();
    capture.finish(stopped, screen)
}

/// The id as given, else `<unix seconds>-<8 random characters>`.
pub(crate) fn new_run_id(given: Option<&str>) -> std::result::Result<String, Failure> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    if let Some(id) = given {
        return Ok(id.to_owned());
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| {
        Failure::CannotRun(format!("making a run id failed: {error}; give one with --run-id"))
    })?;
    let name: String =
        random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    Ok(format!("{}-{name}", time::now_ns() / 1_000_000_000))
}

/// Why an ingest took no more lines.
enum Stop {
    /// A line, named by its place.
    BadLine(String),
    /// The run or the system.
    Failed(Failure),
}

/// One ingest under way.
struct Capture<'a> {
    arguments: &'a Ingest,
    run_id: String,
    progress: Progress,
    /// Opened with the first event, whose time is the run's start.
    session: Option<Session>,
    entries: u64,
    skipped: u64,
}

/// The run being written and what a signal does to it.
struct Session {
    run: Arc<Run>,
    opened: Instant,
    is_interrupted: Arc<AtomicBool>,
}

/// How often a wait for room in the queue looks whether a signal has come.
const LOOK_NS: u64 = 50_000_000;
const SAY_EVERY_ENTRIES: u64 = 1024;

impl Capture<'_> {
    fn take_all(&mut self) -> std::result::Result<(), Stop> {
        for path in &self.arguments.files {
            let mut source = Source::open(path, &self.progress).map_err(|error| {
                Stop::Failed(Failure::from_io(path.display(), "opening the input", &error))
            })?;
            loop {
                match source.advance() {
                    Ok(true) => self.take(&source)?,
                    Ok(false) => break,
                    Err(reason) => return Err(bad(&source, &reason)),
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, source: &Source) -> std::result::Result<(), Stop> {
        let event = match line::parse(source.line()) {
            Ok(Line::Event(event)) => event,
            Ok(Line::OfAnotherRun) => {
                self.skipped += 1;
                return Ok(());
            }
            Err(reason) => return Err(bad(source, &reason)),
        };
        let session = self.session(event.ts_init).map_err(Stop::Failed)?;
        match session.submit(&event) {
            Ok(()) => {}
            Err(error @ EventStoreError::InvalidArgument { .. }) => {
                return Err(bad(source, &error.to_string()));
            }
            Err(error) => return Err(Stop::Failed(self.failed(&error))),
        }
        self.entries += 1;
        if self.entries.is_multiple_of(SAY_EVERY_ENTRIES) {
            self.say_rate();
        }
        Ok(())
    }

    /// The run, opened when it is first asked for.
    fn session(&mut self, start_ts_init: u64) -> std::result::Result<&Session, Failure> {
        if self.session.is_none() {
            let Place { base, instance } = &self.arguments.place;
            let manifest = RunManifest::new(&self.run_id, instance, start_ts_init);
            let options = OpenOptions {
                backend: self.arguments.backend.kind(),
                // Nobody trades on this run: a slow disk is waited for.
                halt_after_ns: u64::MAX,
                ..OpenOptions::default()
            };
            let opened = store::open_run(base, &manifest, options)
                .map_err(|error| Failure::about(&base.join(instance), &error))?;
            self.session = Some(Session::start(opened, &self.arguments.place, &self.progress)?);
        }
        Ok(self.session.as_ref().expect("opened above"))
    }

    fn say_rate(&self) {
        let Some(session) = &self.session else { return };
        self.progress.say(|| {
            let rate = per_second(self.entries, session.opened.elapsed());
            format!("{} entries, {}/s", grouped(self.entries), grouped(rate))
        });
    }

    fn path(&self) -> String {
        let path = self.session.as_ref().and_then(|session| session.run.path());
        path.map_or_else(|| self.run_id.clone(), |path| path.display().to_string())
    }

    fn failed(&self, error: &EventStoreError) -> Failure {
        Failure::about(Path::new(&self.path()), error)
    }

    /// Seals what was captured, whatever ended the capture, and says how it went.
    fn finish(mut self, stopped: std::result::Result<(), Stop>, screen: &mut Screen) -> Outcome {
        if self.session.is_none() {
            if let Err(Stop::Failed(failure)) = stopped {
                return Err(failure);
            }
            // An input without events is a run without entries.
            self.session(time::now_ns())?;
        }
        let session = self.session.as_ref().expect("opened above");
        session.wait_if_interrupted();
        let closed = session.run.close(&CloseOptions::default());
        let seconds = session.opened.elapsed();
        self.progress.clear();
        let report = closed.map_err(|error| self.failed(&error))?;
        if report.status != RunStatus::Ended {
            return Err(self.not_sealed(&report));
        }
        let printed = self.print(&report, seconds, screen).and_then(|()| screen.flush());
        let verdict = match stopped {
            Ok(()) => Ok(Exit::Done),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::BadLine(reason)) => Err(Failure::Data(format!(
                "{reason}; the {} entries before it are durable in {}, mend the line and ingest \
                 the rest into another run",
                self.entries,
                self.path()
            ))),
        };
        concluded(verdict, printed.map_err(Failure::from))
    }

    fn not_sealed(&self, report: &CloseReport) -> Failure {
        let Place { base, instance } = &self.arguments.place;
        let reason = report.halt.as_ref().map_or_else(String::new, |halt| whole_text(halt));
        Failure::CannotRun(format!(
            "{}: halted after {} durable entries: {reason}; mend that, then `{}` seals the run",
            self.path(),
            report.high_watermark,
            recover_command(base, instance)
        ))
    }

    fn print(
        &self,
        report: &CloseReport,
        elapsed: Duration,
        screen: &mut Screen,
    ) -> io::Result<()> {
        let rate = per_second(self.entries, elapsed);
        let seconds = (elapsed.as_secs_f64() * 1e3).round() / 1e3;
        let path = self.path();
        if self.arguments.json {
            return screen.json(&Report {
                run_id: &self.run_id,
                path: &path,
                entries: self.entries,
                high_watermark: report.high_watermark,
                seconds,
                entries_per_second: rate,
            });
        }
        let label = |name: &str| screen.paint(Tone::Heading, &format!("{name:<9}"));
        let status = screen.paint(Tone::Good, report.status.name());
        let mut lines = vec![
            format!("{} {}  {status}", label("run"), self.run_id),
            format!("{} {path}", label("file")),
            format!(
                "{} {} in {seconds:.3} s, {} a second; durable up to {}",
                label("entries"),
                grouped(self.entries),
                grouped(rate),
                report.high_watermark
            ),
        ];
        if self.skipped > 0 {
            lines.push(format!(
                "{} {} lines that a run writes for itself: manifest, run.lifecycle. entries",
                label("skipped"),
                grouped(self.skipped)
            ));
        }
        lines.iter().try_for_each(|line| screen.line(line))
    }
}

fn bad(source: &Source, reason: &str) -> Stop {
    Stop::BadLine(format!("{}: {reason}", source.place()))
}

fn per_second(count: u64, elapsed: Duration) -> u64 {
    (count as f64 / elapsed.as_secs_f64().max(1e-9)) as u64
}

impl Session {
    fn start(run: Run, place: &Place, progress: &Progress) -> std::result::Result<Self, Failure> {
        let run = Arc::new(run);
        let is_interrupted = Arc::new(AtomicBool::new(false));
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| Failure::CannotRun(format!("listening for signals: {error}")))?;
        let (run_of_signal, flag) = (Arc::clone(&run), Arc::clone(&is_interrupted));
        let recover = recover_command(&place.base, &place.instance);
        let progress = progress.clone();
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                flag.store(true, Ordering::SeqCst);
                progress.clear();
                leave_running(&run_of_signal, &recover);
                // Dies as if it had never listened, so that a shell sees what happened.
                let _ = emulate_default_handler(signal);
            }
        });
        Ok(Self { run, opened: Instant::now(), is_interrupted })
    }

    fn submit(&self, event: &Event<'_>) -> Result<()> {
        let keys: Vec<RawKey<'_>> = event
            .keys
            .iter()
            .map(|(kind, key)| RawKey { kind: u32::from(kind.code()), key: key.as_bytes() })
            .collect();
        let draft = RawDraft {
            topic: event.topic.as_bytes(),
            payload_type: event.payload_type.as_bytes(),
            payload: &event.payload,
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
            ts_init: event.ts_init,
            ts_publish: event.ts_publish,
            keys: &keys,
        };
        loop {
            self.wait_if_interrupted();
            let options = SubmitOptions { expected_seq: 0, timeout_ns: LOOK_NS };
            match self.run.submit_raw(&draft, options) {
                Err(EventStoreError::QueueFull) => {}
                submitted => return submitted.map(drop),
            }
        }
    }

    /// Once a signal has come nothing more is submitted or sealed: the process is about to end.
    fn wait_if_interrupted(&self) {
        while self.is_interrupted.load(Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// Makes durable what was submitted, within a person's patience, and says so.
fn leave_running(run: &Run, recover: &str) {
    const PATIENCE_NS: u64 = 3_000_000_000;
    let _ = run.flush(PATIENCE_NS);
    let path = run.path().map_or_else(String::new, |path| path.display().to_string());
    let durable = run.state().high_watermark;
    let line = format!("{path}: interrupted with {durable} entries durable; `{recover}` seals it");
    complain(&one_line(&line));
}
