//! `eventstore verify`: every finding about a sealed run.
//!
//! The file is looked at in a child process with limits on memory and time: a file can be damaged
//! so that whoever reads it dies. If the child dies by what it does, that is damage and is reported
//! as such; if it is killed from outside or lacks memory, that says nothing of the file.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};

use crate::arguments::Verify;
use crate::failure::{Exit, Failure, Outcome, concluded};
use crate::finding::{FindingInWords, InWords, Report};
use crate::inspect::{Message, bytes_of};
use crate::progress::Progress;
use crate::screen::{Screen, Tone, shown};
use crate::table::{self, Align, Cell, grouped};

pub(crate) fn run(arguments: &Verify, screen: &mut Screen) -> Outcome {
    let (report, in_words) = report_of(arguments)?;
    let printed = match arguments.json {
        true => screen.json(&report),
        false => print(screen, &arguments.run, &report, &in_words),
    };
    let verdict = if report.clean { Exit::Done } else { Exit::DataAtFault };
    concluded(Ok(verdict), printed.map_err(Failure::from))
}

/// Time that a verification gets unless told otherwise: slow disks read many times faster.
fn patience(path: &Path) -> Duration {
    const AT_LEAST: u64 = 60;
    const BYTES_PER_SECOND: u64 = 4 << 20;
    Duration::from_secs(AT_LEAST + bytes_of(path) / BYTES_PER_SECOND)
}

fn report_of(arguments: &Verify) -> Result<(Report, InWords), Failure> {
    let path = &*arguments.run;
    let patience = arguments.timeout.map_or_else(|| patience(path), Duration::from_secs);
    // Beyond what the clock can count, nobody waits.
    let deadline = Instant::now().checked_add(patience);
    let failed = |error| Failure::from_io(path.display(), "starting the verifier", &error);
    let child = Inspector::start(path, arguments.threads).map_err(failed)?;
    let progress = Progress::over_entries();
    loop {
        match child.next(deadline) {
            Next::Said(Message::Progress { entries, entries_total }) => {
                progress.reached(entries, entries_total);
            }
            Next::Said(Message::Found { report, in_words }) => return Ok((report, in_words)),
            Next::Said(Message::Refused { line }) => return Err(Failure::CannotRun(line)),
            Next::Ended => {
                let how = child.death(path)?;
                return Ok((Report::of_damage(&*how), InWords::of_damage(how)));
            }
            Next::TimeIsUp => {
                let (path, seconds) = (path.display(), patience.as_secs());
                return Err(Failure::CannotRun(format!(
                    "{path}: not verified within {seconds} s; give more time with --timeout"
                )));
            }
        }
    }
}

/// The child process, killed when dropped.
struct Inspector {
    child: Child,
    messages: Receiver<Message>,
    last_words: Option<thread::JoinHandle<String>>,
}

enum Next {
    Said(Message),
    Ended,
    TimeIsUp,
}

impl Inspector {
    fn start(path: &Path, threads: u64) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("inspect")
            .arg(format!("--threads={threads}"))
            .arg("--")
            .arg(path)
            // A backtrace takes memory, for the want of which the child may be dying.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().expect("piped above");
        let stderr = child.stderr.take().expect("piped above");
        let (sender, messages) = mpsc::channel();
        thread::Builder::new().spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            // A line cut off by the child's death is not a message.
            let parsed = lines.map_while(|line| serde_json::from_str(&line).ok());
            for message in parsed {
                if sender.send(message).is_err() {
                    break;
                }
            }
        })?;
        let last_words = thread::Builder::new().spawn(move || last_line(stderr))?;
        Ok(Self { child, messages, last_words: Some(last_words) })
    }

    fn next(&self, deadline: Option<Instant>) -> Next {
        let received = match deadline {
            Some(deadline) => {
                self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
            None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(message) => Next::Said(message),
            Err(RecvTimeoutError::Disconnected) => Next::Ended,
            Err(RecvTimeoutError::Timeout) => Next::TimeIsUp,
        }
    }

    /// What the death of a child that made no report says of the file.
    ///
    /// # Errors
    /// It says nothing of it.
    fn death(mut self, path: &Path) -> Result<String, Failure> {
        let status = self.child.wait().map_err(|error| {
            Failure::from_io(path.display(), "waiting for the verifier", &error)
        })?;
        let words = self.last_words.take().and_then(|words| words.join().ok());
        obituary(status, &words.unwrap_or_default()).map_err(|reason| {
            Failure::CannotRun(format!("{}: not verified: {reason}", path.display()))
        })
    }
}

impl Drop for Inspector {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Signals that a process brings on itself by what it reads; all others are sent to it.
const OWN_SIGNALS: [i32; 6] = [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP];
/// How the last words begin of a process that gets no memory; it then dies of SIGABRT.
const OUT_OF_MEMORY: &str = "memory allocation of ";

/// Why a child ended without a report: `Ok` if the file is at fault, `Err` if something else is.
fn obituary(status: ExitStatus, words: &str) -> Result<String, String> {
    let words = words.strip_prefix("eventstore: ").unwrap_or(words);
    let with_words = |how: String| if words.is_empty() { how } else { format!("{how}: {words}") };
    let Some(signal) = status.signal() else {
        return Err(with_words("the verifier ended without a report".to_owned()));
    };
    let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
    if words.starts_with(OUT_OF_MEMORY) {
        return Err(format!(
            "the verifier lacked memory ({words}); raise `ulimit -v` or free some; where there is \
             plenty, suspect the file"
        ));
    }
    if OWN_SIGNALS.contains(&signal) {
        return Ok(with_words(format!("the verifier died of {name} while reading the file")));
    }
    Err(with_words(format!(
        "the verifier was ended by {name} from outside, as when memory is short or a limit is \
         reached (`ulimit -a`); mend that and verify again"
    )))
}

/// The last line that has text, or the first about want of memory, which notes and other threads may
/// follow; of what came before, nothing is kept.
fn last_line(stderr: impl Read) -> String {
    const LINE_BYTES_MAX: u64 = 4096;
    let mut reader = BufReader::new(stderr);
    let mut last = String::new();
    let mut line = Vec::new();
    while (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() && !last.starts_with(OUT_OF_MEMORY) {
            text.trim().clone_into(&mut last);
        }
        line.clear();
    }
    last
}

fn print(screen: &mut Screen, path: &Path, report: &Report, in_words: &InWords) -> io::Result<()> {
    let unknown = || "unknown".to_owned();
    let label = |name: &str| screen.paint(Tone::Heading, &format!("{name:<8}"));
    let verdict = match report.findings.len() {
        0 => screen.paint(Tone::Good, "clean"),
        1 => screen.paint(Tone::Bad, "1 finding"),
        count => screen.paint(Tone::Bad, &format!("{} findings", grouped(count as u64))),
    };
    let status = report.status.clone().unwrap_or_else(unknown);
    let run_id = report.run_id.as_deref().map_or_else(unknown, shown);
    let mut lines = vec![
        format!("{} {run_id}  {status}", label("run")),
        format!("{} {}", label("file"), path.display()),
        format!(
            "{} {} whole, high-watermark {}",
            label("entries"),
            report.entries_scanned.map_or_else(unknown, grouped),
            report.high_watermark.map_or_else(unknown, grouped)
        ),
        format!("{} {}", label("digest"), shown(&in_words.digest)),
        format!("{} {verdict}", label("verdict")),
    ];
    lines.extend(finding_lines(screen, &in_words.findings));
    lines.iter().try_for_each(|line| screen.line(line))
}

/// A table of findings, set apart from what stands above it.
pub(crate) fn finding_lines(screen: &Screen, findings: &[FindingInWords]) -> Vec<String> {
    if findings.is_empty() {
        return Vec::new();
    }
    let heads = [("finding", Align::Left), ("what", Align::Left)];
    let row = |finding: &FindingInWords| {
        vec![Cell::new(Tone::Bad, &*finding.kind), Cell::plain(shown(&finding.text))]
    };
    let rows: Vec<Vec<Cell>> = findings.iter().map(row).collect();
    std::iter::once(String::new()).chain(table::lines(screen, &heads, &rows)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a death that reading brings about is damage; want of memory is none, though both abort.
    #[test]
    fn only_deaths_of_reading_are_damage() {
        let died_of = |signal: i32, words: &str| obituary(ExitStatus::from_raw(signal), words);
        for signal in OWN_SIGNALS {
            assert!(died_of(signal, "").unwrap().contains("SIG"), "{signal}");
        }
        assert!(died_of(SIGABRT, "stack overflow").unwrap().ends_with(": stack overflow"));
        let stderr = "\nmemory allocation of 8192 bytes failed\nnote: run with\n".as_bytes();
        let starved = died_of(SIGABRT, &last_line(stderr)).unwrap_err();
        assert!(starved.contains("8192 bytes failed"), "{starved}");
        let refused = obituary(ExitStatus::from_raw(2 << 8), "eventstore: no").unwrap_err();
        assert!(refused.ends_with("without a report: no"), "{refused}");
    }
}
