//! What is counted and not timed, by strace over a process of its own: the flushes of a commit, the
//! system calls of a submit.
//!
//! Without strace, or where it may not trace, nothing is counted and the goals say so.

use std::fs;
use std::process::{Command, Stdio};

use super::backends::Backend;
use super::fill;
use super::goals::SUBMIT_CALLS;
use super::row::{Row, Unit};
use super::session::Session;
use crate::failure::Failure;

/// Commits of one entry each: what the longer run has more of belongs to its commits alone, since
/// neither grows its file or prepares a segment in between.
const COMMITS: [u64; 2] = [20, 60];
const SUBMITS: u64 = 2_000;
const FLUSHES: [&str; 6] = ["fdatasync", "fsync", "msync", "sync", "syncfs", "sync_file_range"];
const NO_STRACE: &str = "strace is missing, or may not trace here";

/// Flushes of a commit, for each way of committing: part of `bench append`.
pub(crate) fn flushes(session: &mut Session<'_>) -> Result<(), Failure> {
    for backend in session.backends().into_iter().filter(|backend| backend.keeps_files) {
        for (at, (durability, promised)) in backend.commits.iter().enumerate() {
            let default = "append flushes".to_owned();
            let what = if at == 0 { default } else { format!("{default}, {promised} flush") };
            let more = ["--way", "appends", "--durability", &durability.to_string()];
            let mut counts = Vec::new();
            for commits in COMMITS {
                let calls = trace(session, backend, commits, &more, &FLUSHES.join(","))?;
                counts.extend(calls.map(|record| calls_in(&record) as f64));
            }
            let [short, long] = counts[..] else {
                session.cannot_measure(&[&what], backend.name, NO_STRACE);
                continue;
            };
            let value = (long - short) / (COMMITS[1] - COMMITS[0]) as f64;
            push(
                session,
                &what,
                backend.name,
                COMMITS[1] - COMMITS[0],
                value,
                "one flush a commit",
            );
        }
    }
    Ok(())
}

/// System calls of the thread that submits, while the writer is hot: part of `bench submit`.
pub(crate) fn submit_calls(session: &mut Session<'_>) -> Result<(), Failure> {
    let what = SUBMIT_CALLS;
    for backend in session.backends() {
        let record = trace(session, backend, SUBMITS, &["--way", "submits"], "all")?;
        match record.as_deref().map(calls_between_marks) {
            Some(Some(calls)) => {
                let value = calls as f64 / SUBMITS as f64;
                push(session, what, backend.name, SUBMITS, value, "a wake a submit");
            }
            Some(None) => {
                session.cannot_measure(&[what], backend.name, "the trace lacks its marks");
            }
            None => session.cannot_measure(&[what], backend.name, NO_STRACE),
        }
    }
    Ok(())
}

fn push(
    session: &mut Session<'_>,
    what: &str,
    backend: &'static str,
    entries: u64,
    value: f64,
    limit: &'static str,
) {
    let row = Row {
        entries,
        value,
        limit: limit.into(),
        limit_value: 1.0,
        ratio_to_limit: value,
        remark: Some("counted by strace".to_owned()),
        ..session.row(what, backend, Unit::Calls)
    };
    session.rows.push(row);
}

/// What strace records of these calls in a process that fills a run; `None` where it cannot.
fn trace(
    session: &Session<'_>,
    backend: &Backend,
    entries: u64,
    more: &[&str],
    calls: &str,
) -> Result<Option<String>, Failure> {
    let base = session.folder.base()?;
    let record = base.join("record");
    let words = fill::arguments(session, &base, backend, entries)?;
    let mut command = Command::new("strace");
    command.args(["-f", "-e", &format!("trace={calls}"), "-o"]).arg(&record);
    command.args(words).args(more).stdin(Stdio::null());
    let traced = command.output().is_ok_and(|output| output.status.success());
    let text = if traced { fs::read_to_string(&record).ok() } else { None };
    Ok(text)
}

/// The calls of a record: each begins with a process and ends, later perhaps, with a result.
fn calls_in(record: &str) -> usize {
    record.lines().filter_map(call).count()
}

/// The thread and the name of the call that a line begins.
fn call(line: &str) -> Option<(&str, &str)> {
    let (thread, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some((thread, name))
}

/// How many calls a thread made between its two of getppid; `None` without those.
fn calls_between_marks(record: &str) -> Option<usize> {
    let calls: Vec<(&str, &str)> = record.lines().filter_map(call).collect();
    let (marker, _) = calls.iter().find(|(_, name)| *name == "getppid")?;
    let mut own = calls.iter().filter(|(thread, _)| thread == marker);
    own.by_ref().find(|(_, name)| *name == "getppid")?;
    own.position(|(_, name)| *name == "getppid")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "\
10 openat(AT_FDCWD, \"x\", O_RDONLY) = 3
10 getppid()                         = 9
11 fdatasync(4 <unfinished ...>
10 futex(0x7f, FUTEX_WAKE_PRIVATE, 1) = 1
11 <... fdatasync resumed>)          = 0
10 getppid()                         = 9
10 futex(0x7f, FUTEX_WAKE_PRIVATE, 1) = 1
11 +++ exited with 0 +++
";

    /// A call that ends on a line of its own counts once; who exits calls nothing.
    #[test]
    fn calls_are_counted_once() {
        assert_eq!(calls_in(RECORD), 6);
    }

    /// Between the marks only the thread that made them counts.
    #[test]
    fn calls_between_marks_are_the_threads_own() {
        assert_eq!(calls_between_marks(RECORD), Some(1));
        assert_eq!(calls_between_marks("10 getppid() = 9\n10 write(1) = 1\n"), None);
        assert_eq!(calls_between_marks(""), None);
    }
}
