//! How a command ends: the exit status, and the one line that says why.
//!
//! The statuses are those of CLI.md. Each library error is sorted here once, by its kind; a
//! subcommand only adds the place.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use eventstore::error::EventStoreError;

/// What a command answers.
pub(crate) type Outcome = Result<Exit, Failure>;

/// How a command that could run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Done = 0,
    /// It ran, and the data is at fault.
    DataAtFault = 1,
}

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It ran, and the data is at fault.
    Data(String),
    /// It could not run.
    CannotRun(String),
    /// Whoever read the output has seen enough. Where there is a verdict besides, it goes through
    /// [`concluded`].
    OutputClosed,
}

/// What to do about damage, for the end of a line.
const ABOUT_DAMAGE: &str =
    "`eventstore verify` lists all damage, `eventstore salvage` copies what is good";

impl Failure {
    /// A library error about the run or instance at `path`.
    pub(crate) fn about(path: &Path, error: &EventStoreError) -> Self {
        let place = path.display().to_string();
        let text = whole_text(error);
        let mut line = if text.contains(&place) { text } else { format!("{place}: {text}") };
        match error {
            _ if error.is_foreign() => Self::CannotRun(line),
            EventStoreError::Corrupted(_)
            | EventStoreError::HashMismatch { .. }
            | EventStoreError::SeqMismatch { .. }
            | EventStoreError::Gap { .. } => {
                line.push_str("; ");
                line.push_str(ABOUT_DAMAGE);
                Self::Data(line)
            }
            _ => Self::CannotRun(line),
        }
    }

    /// A refusal of the operating system while doing `action` (a gerund) at `place`.
    pub(crate) fn from_io(place: impl fmt::Display, action: &str, error: &io::Error) -> Self {
        Self::CannotRun(format!("{place}: {action} failed: {error}"))
    }

    /// The status that the process exits with.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::OutputClosed => Exit::Done as u8,
            Self::Data(_) => Exit::DataAtFault as u8,
            Self::CannotRun(_) => 2,
        }
    }

    /// The line for standard error, if there is anything to say.
    pub(crate) fn line(&self) -> Option<String> {
        match self {
            Self::OutputClosed => None,
            Self::Data(text) | Self::CannotRun(text) => Some(one_line(text)),
        }
    }
}

/// Errors of writing to standard output; everything else is named where it happens.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::from_io("standard output", "writing", &error),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        // Our own values always serialize, so what failed is the writing.
        Self::from(io::Error::from(error))
    }
}

/// How a command ends that has judged before it printed: a fault that was found counts, whether or
/// not it could be printed; output that failed otherwise counts too.
pub(crate) fn concluded(verdict: Outcome, printed: Result<(), Failure>) -> Outcome {
    match (verdict?, printed) {
        (Exit::DataAtFault, Err(Failure::CannotRun(line))) => Err(Failure::Data(line)),
        (Exit::Done, Err(failure)) => Err(failure),
        (exit, _) => Ok(exit),
    }
}

/// One line on standard error, in one write. Whoever listened there may be gone or its disk full:
/// that changes nothing about how the command ends, and a panic over it would.
pub(crate) fn complain(line: &str) {
    let _ = io::stderr().write_all(format!("eventstore: {line}\n").as_bytes());
}

/// The error and every cause under it that its text does not say already.
pub(crate) fn whole_text(error: &EventStoreError) -> String {
    let mut text = error.to_string();
    let fault = error.fault().and_then(|fault| fault.source.as_ref());
    let mut cause: Option<&dyn Error> = fault.map(|source| &**source as &dyn Error);
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

/// The text without line breaks and other control characters.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ").chars().flat_map(crate::screen::visible).collect()
}
