//! The child process of `eventstore verify`: looks at a file under limits, and tells its parent
//! a JSON message a line.

use std::io::{self, Write};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread::available_parallelism;

use eventstore::verifier::{self, VerifyOptions};
use rustix::process::{self, Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

use crate::arguments::Inspect;
use crate::failure::{Exit, Failure, Outcome, whole_text};
use crate::finding::{InWords, Report};

/// What the child tells.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// How far it is.
    Progress { entries: u64, entries_total: u64 },
    /// What it found; the last message.
    Found { report: Report, in_words: InWords },
    /// Why it cannot be verified; the last message.
    Refused { line: String },
}

pub(crate) fn run(arguments: &Inspect) -> Outcome {
    let path = &*arguments.run;
    let threads = arguments.threads as usize;
    // An orphan would read on for nobody.
    let limited = process::set_parent_process_death_signal(Some(Signal::KILL)).and_then(|()| {
        limit(Resource::Core, 0)?;
        limit(Resource::As, address_space_bytes(path, threads))
    });
    limited.map_err(|error| {
        Failure::from_io(path.display(), "limiting the verifier", &error.into())
    })?;
    tell(&look(path, threads))?;
    Ok(Exit::Done)
}

fn limit(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let given = process::getrlimit(resource);
    let most = given.maximum.map_or(most, |maximum| most.min(maximum));
    process::setrlimit(resource, Rlimit { current: Some(most), maximum: given.maximum })
}

/// Room for caches and code, for the stack and heap of each thread, and for one entry that is as
/// large as the whole run.
fn address_space_bytes(path: &Path, threads: usize) -> u64 {
    const WITHOUT_ENTRIES: u64 = 1 << 30;
    const A_THREAD: u64 = 160 << 20;
    let threads = match threads {
        0 => available_parallelism().map_or(1, NonZero::get),
        count => count,
    };
    let of_threads = A_THREAD * threads as u64;
    WITHOUT_ENTRIES.saturating_add(of_threads).saturating_add(bytes_of(path).saturating_mul(2))
}

/// The length of a run: of its file, or of the files in its directory. What cannot be read does
/// not count.
pub(crate) fn bytes_of(path: &Path) -> u64 {
    let length = |path: &Path| path.metadata().map_or(0, |found| found.len());
    match path.read_dir() {
        Ok(items) => items.flatten().map(|item| length(&item.path())).sum(),
        Err(_) => length(path),
    }
}

fn look(path: &Path, threads: usize) -> Message {
    let mut told = |reached: &eventstore::progress::Progress| {
        let eventstore::progress::Progress { entries, entries_total, .. } = *reached;
        match tell(&Message::Progress { entries, entries_total }) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    };
    let options = VerifyOptions { threads, progress: Some(&mut told), ..VerifyOptions::default() };
    match verifier::verify_run(path, options) {
        Ok(report) => Message::Found { report: (&report).into(), in_words: (&report).into() },
        Err(error) => match Failure::about(path, &error) {
            // So hurt that there is no report, which is one.
            Failure::Data(_) => Message::of_damage(whole_text(&error)),
            failure => Message::Refused { line: failure.line().unwrap_or_default() },
        },
    }
}

impl Message {
    /// A report of nothing but damage.
    pub(crate) fn of_damage(reason: String) -> Self {
        let in_words = InWords::of_damage(&*reason);
        Self::Found { report: Report::of_damage(reason), in_words }
    }
}

fn tell(message: &Message) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, message)?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}
