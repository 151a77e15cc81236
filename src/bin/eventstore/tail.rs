//! `eventstore tail`: a run's entries as they come, up to its seal.
//!
//! Prints what `dump` prints, each entry as soon as it is durable; with JSON the last line is the
//! manifest once more, as it was sealed. Ends when nothing more comes, or nobody reads on.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eventstore::backend::{Direction, Ended};
use eventstore::error::EventStoreError;
use eventstore::manifest::RunStatus;
use eventstore::reader::Reader;
use eventstore::store::{self, ReaderOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::arguments::Tail;
use crate::dump::{Printer, printer};
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::{Screen, Tone};
use crate::shell::recover_command;
use crate::table::grouped;

/// How long a signal or a closed output may go unnoticed.
const LOOK_NS: u64 = 100_000_000;

pub(crate) fn run(arguments: &Tail, screen: &mut Screen) -> Outcome {
    let about = |error| Failure::about(&arguments.run, &error);
    let is_stopped = stopped_by_signals()?;
    let reader = store::open_live_run(&arguments.run, &ReaderOptions::default()).map_err(about)?;
    let manifest = reader.view().manifest().map_err(about)?;
    let anchor = reader.view().latest_snapshot_anchor().map_err(about)?;
    let mut printer = printer(arguments.json);
    printer.head(screen, &manifest, anchor.as_ref())?;
    screen.flush()?;
    let mut next = arguments.from;
    loop {
        let tail = match reader.wait_tail(next, LOOK_NS) {
            Ok(tail) => tail,
            Err(EventStoreError::Timeout) if is_stopped.load(Ordering::Relaxed) => break,
            Err(EventStoreError::Timeout) => {
                leave_if_output_is_closed()?;
                continue;
            }
            Err(error) => return Err(about(error)),
        };
        print(arguments, &reader, &mut next, &is_stopped, &mut *printer, screen)?;
        match tail.ended {
            _ if is_stopped.load(Ordering::Relaxed) => break,
            None => {}
            Some(Ended::WriterGone) => return Err(writer_gone(arguments, &reader)),
            Some(Ended::Sealed(status)) => {
                printer.end(screen)?;
                if manifest.status == RunStatus::Running {
                    close(arguments, &reader, status, &mut *printer, screen)?;
                }
                break;
            }
        }
    }
    screen.flush()?;
    Ok(Exit::Done)
}

/// Prints everything from `next` on, and moves it behind that.
fn print(
    arguments: &Tail,
    reader: &Reader,
    next: &mut u64,
    is_stopped: &AtomicBool,
    printer: &mut dyn Printer,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut unprinted = Ok(());
    let scanned = reader.view().visit_range(*next, u64::MAX, Direction::Forward, &mut |row| {
        unprinted = printer.row(screen, &row);
        *next = row.entry.seq + 1;
        match unprinted.is_err() || is_stopped.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    unprinted?;
    printer.pause(screen)?;
    // What is good stands on the screen before the reason why there is no more.
    screen.flush()?;
    scanned.map_err(|error| Failure::about(&arguments.run, &error))
}

/// Says how a run was sealed that was followed.
fn close(
    arguments: &Tail,
    reader: &Reader,
    status: RunStatus,
    printer: &mut dyn Printer,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let about = |error| Failure::about(&arguments.run, &error);
    if arguments.json {
        let manifest = reader.view().manifest().map_err(about)?;
        let anchor = reader.view().latest_snapshot_anchor().map_err(about)?;
        return printer.head(screen, &manifest, anchor.as_ref());
    }
    let tone = if status == RunStatus::Ended { Tone::Good } else { Tone::Notice };
    let status = screen.paint(tone, status.name());
    let entries = grouped(reader.view().high_watermark());
    Ok(screen.line(&format!("sealed {status}, {entries} entries"))?)
}

fn writer_gone(arguments: &Tail, reader: &Reader) -> Failure {
    let durable = reader.view().high_watermark();
    let path = std::path::absolute(&arguments.run).unwrap_or_else(|_| arguments.run.clone());
    let base = path.ancestors().nth(2).unwrap_or(&path);
    let instance = reader.view().manifest().map(|manifest| manifest.instance_id);
    let instance = instance.unwrap_or_default();
    Failure::CannotRun(format!(
        "{}: its writer is gone and has not sealed it, {durable} entries are durable; `{}` seals \
         it",
        arguments.run.display(),
        recover_command(base, &instance)
    ))
}

/// Set by a signal that asks to end.
fn stopped_by_signals() -> Result<Arc<AtomicBool>, Failure> {
    let is_stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, is_stopped.clone())
            .map_err(|error| Failure::CannotRun(format!("listening for signals: {error}")))?;
    }
    Ok(is_stopped)
}

/// Whoever reads may leave while no entry comes, of which no write would tell.
fn leave_if_output_is_closed() -> Result<(), Failure> {
    let stdout = io::stdout();
    let mut output = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut output, Some(&at_once)) {
        Ok(_) if output[0].revents().contains(PollFlags::ERR) => Err(Failure::OutputClosed),
        _ => Ok(()),
    }
}
