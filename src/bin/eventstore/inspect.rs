//! The child process of `eventstore verify`: looks at a file under limits, and tells its parent
//! a JSON message a line.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use eventstore::verifier::{self, VerifyOptions};
use rustix::process::{self, Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

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

pub(crate) fn run(path: &Path) -> Outcome {
    // An orphan would read on for nobody.
    let limited = process::set_parent_process_death_signal(Some(Signal::KILL)).and_then(|()| {
        limit(Resource::Core, 0)?;
        limit(Resource::As, address_space_bytes(path))
    });
    limited.map_err(|error| {
        Failure::from_io(path.display(), "limiting the verifier", &error.into())
    })?;
    tell(&look(path))?;
    Ok(Exit::Done)
}

fn limit(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let given = process::getrlimit(resource);
    let most = given.maximum.map_or(most, |maximum| most.min(maximum));
    process::setrlimit(resource, Rlimit { current: Some(most), maximum: given.maximum })
}

/// Room for caches and code, and for one entry that is as large as the whole file.
fn address_space_bytes(path: &Path) -> u64 {
    const WITHOUT_ENTRIES: u64 = 1 << 30;
    let bytes = path.metadata().map_or(0, |found| found.len());
    WITHOUT_ENTRIES.saturating_add(bytes.saturating_mul(2))
}

fn look(path: &Path) -> Message {
    let mut told = |reached: &eventstore::progress::Progress| {
        let eventstore::progress::Progress { entries, entries_total, .. } = *reached;
        match tell(&Message::Progress { entries, entries_total }) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    };
    let options = VerifyOptions { progress: Some(&mut told), ..VerifyOptions::default() };
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
