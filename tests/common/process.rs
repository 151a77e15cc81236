//! Child processes of a test: this same binary, started again in a role instead of its tests.
//!
//! A role runs before the test harness does, on a process's only thread, so that it may fork,
//! filter its system calls and be killed like any host. It talks in lines on descriptor 1.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

const ROLE: &str = "ES_ROLE";

/// Runs `$play` with the name of the role, when this process was started in one.
#[allow(unused_macros)]
macro_rules! child_roles {
    ($play:path) => {
        #[used]
        #[unsafe(link_section = ".init_array")]
        static BEFORE_MAIN: extern "C" fn() = {
            extern "C" fn before_main() {
                $crate::common::process::play($play);
            }
            before_main
        };
    };
}
#[allow(unused_imports)]
pub(crate) use child_roles;

/// For [`child_roles`] alone.
pub fn play(play: fn(&str)) {
    if let Ok(role) = std::env::var(ROLE) {
        let failed = std::panic::catch_unwind(|| play(&role)).is_err();
        std::process::exit(if failed { 101 } else { 0 });
    }
}

/// This binary, to be started in a role.
pub fn command(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test's own path"));
    command.env(ROLE, role);
    command
}

/// This binary in a role, under strace with these options, its record written to `record`.
/// `None`, and said so, where there is no strace or it may not trace.
pub fn traced(test: &str, role: &str, record: &Path, options: &[&str]) -> Option<Command> {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        super::shared::not_run_without_tool(test, "strace is missing or may not trace here");
        return None;
    }
    let mut command = Command::new("strace");
    command.arg("-f").arg("-o").arg(record).args(options);
    command.arg(std::env::current_exe().expect("the test's own path")).env(ROLE, role);
    Some(command)
}

/// What a role was told by the test that started it.
pub fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("the test sets {name} for this role"))
}

/// A number that a role was told.
pub fn told_number(name: &str) -> u64 {
    told(name).parse().expect("a number")
}

/// In a role: one line to the test, in one system call, so that a kill never halves it.
pub fn say(line: &str) {
    let line = format!("{line}\n");
    // SAFETY: `line` is readable for its length.
    let written = unsafe { libc::write(1, line.as_ptr().cast(), line.len()) };
    assert_eq!(written, line.len() as isize, "the test reads what the role says");
}

/// A role that runs, and its lines.
pub struct Running {
    pub child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self::start_with_input(command)
    }

    /// The same, its input as the command has it.
    pub fn start_with_input(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    /// The next line; `None` when the role, and whoever else holds its output, is gone.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.lines.read_line(&mut line).expect("lines are text");
        (count > 0).then(|| line.trim_end().to_owned())
    }

    /// Reads until this line, answers those before it; panics when it never comes.
    pub fn wait_for(&mut self, expected: &str) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(line) = self.line() {
            if line == expected {
                return seen;
            }
            seen.push(line);
        }
        panic!("the role ended before it said {expected:?}; it said {seen:?}");
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours, not yet waited for");
    }

    /// The lines left, and how it ended.
    pub fn finish(mut self) -> Finished {
        let mut lines = Vec::new();
        while let Some(line) = self.line() {
            lines.push(line);
        }
        Finished { lines, status: self.child.wait().expect("a child of ours") }
    }
}

/// What a role said until it ended.
#[derive(Debug)]
pub struct Finished {
    pub lines: Vec<String>,
    pub status: ExitStatus,
}

impl Finished {
    /// Starts the command and waits for its end.
    pub fn of(command: Command) -> Self {
        Running::start(command).finish()
    }

    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(self.status.success(), "{}, having said {:#?}", self.status, self.lines);
        self
    }

    /// The signal that ended it.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// The rest of the last line that starts with this word.
    pub fn last(&self, word: &str) -> Option<&str> {
        self.lines.iter().rev().find_map(|line| after_word(line, word))
    }

    /// Like [`Finished::last`], as a number.
    pub fn last_number(&self, word: &str) -> Option<u64> {
        self.last(word).map(|text| text.parse().expect("a number"))
    }

    /// The rest of the line that starts with this word, which must be there.
    #[track_caller]
    pub fn said(&self, word: &str) -> &str {
        self.last(word).unwrap_or_else(|| panic!("{word:?} is missing: {self:#?}"))
    }
}

fn after_word<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(word)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

/// Whether the long campaigns were asked for as well.
pub fn is_campaign() -> bool {
    std::env::var_os("ES_CAMPAIGN").is_some_and(|value| value == OsStr::new("1"))
}
