//! Runs the command, keeps folders for the length of a test, and finds the shared data.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

pub(crate) const INSTANCE: &str = "trader-001";

/// The command, ready for arguments.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eventstore"));
    command.stdin(Stdio::null());
    command
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the command prints UTF-8");
        Self {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// Runs the command to its end.
pub(crate) fn run(arguments: &[&dyn AsRef<OsStr>]) -> Ran {
    let arguments = arguments.iter().map(|argument| argument.as_ref());
    Ran::from(command().args(arguments).output().expect("the command starts"))
}

/// Runs the command with a text on its standard input.
pub(crate) fn run_with_input(arguments: &[&dyn AsRef<OsStr>], input: &str) -> Ran {
    let arguments = arguments.iter().map(|argument| argument.as_ref());
    let mut child = command()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("piped above");
    // A command that stops at a bad line does not read the rest.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    Ran::from(child.wait_with_output().expect("the command ends"))
}

/// The writing end of a pipe that nobody reads any more.
pub(crate) fn closed_pipe() -> PipeWriter {
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    drop(reader);
    writer
}

impl Ran {
    /// The output of a command that must have succeeded.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!((self.status, &*self.stderr), (Some(0), ""), "stdout: {}", self.stdout);
        self
    }

    /// The one line that a command must have failed with.
    #[track_caller]
    pub(crate) fn failed(&self, status: i32) -> &str {
        assert_eq!(self.status, Some(status), "{self:?}");
        let line = self.stderr.strip_suffix('\n').expect("a whole line on standard error");
        assert!(!line.contains('\n'), "more than one line: {line}");
        line.strip_prefix("eventstore: ").expect("the line says who speaks")
    }

    /// Standard output as JSON, an object a line.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Standard output as one JSON object.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{self:?}");
        objects.remove(0)
    }
}

/// The keys of an object, in the order in which they were printed.
pub(crate) fn keys_in_order(line: &str) -> Vec<String> {
    let (mut keys, mut depth, mut rest) = (Vec::new(), 0, line);
    while let Some(character) = rest.chars().next() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '"' => {
                let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let text = values.next().expect("a text").expect("a whole text");
                rest = &rest[values.byte_offset()..];
                if depth == 1 && rest.starts_with(':') {
                    keys.push(text);
                }
                continue;
            }
            _ => {}
        }
        rest = &rest[character.len_utf8()..];
    }
    keys
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A new, empty folder, removed with all it holds when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(label: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("eventstore-command-{}-{number}-{label}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // A folder left by a killed test process that had the same id.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the folder can be made");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and answers its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("the file can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A line of input whose payload is its number.
pub(crate) fn numbered_line(number: u64) -> String {
    format!(
        "{{\"ts\":{},\"topic\":\"orders.X\",\"type\":\"P\",\"payload\":\"{number}\",\
         \"client_order_id\":\"c-{number}\"}}\n",
        1_700_000_000_000_000_000 + number
    )
}

/// Ingests so many numbered lines into a run and answers its path.
pub(crate) fn numbered_run(base: &Path, run_id: &str, count: u64) -> PathBuf {
    let lines: String = (1..=count).map(numbered_line).collect();
    let arguments: [&dyn AsRef<OsStr>; 8] =
        [&"ingest", &"--base", &base, &"--instance", &INSTANCE, &"--run-id", &run_id, &"-"];
    run_with_input(&arguments, &lines).done();
    base.join(INSTANCE).join(format!("{run_id}.redb"))
}

/// A file or folder of the shared data; `None`, and said so past the test harness, when absent.
pub(crate) fn shared(test_name: &str, relative: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared");
    let root = std::env::var_os("ES_SHARED").map_or_else(|| beside.into(), PathBuf::from);
    let path = root.join(relative);
    if path.exists() {
        return Some(path);
    }
    let line = format!("NOT RUN: {test_name}: {relative} of the shared data is absent\n");
    // Not with eprintln, whose output a passing test swallows.
    let _ = std::io::stderr().write_all(line.as_bytes());
    None
}

/// For a test whose tool is missing: says so past the harness, and fails where tools are required.
pub(crate) fn not_run_without_tool(test_name: &str, reason: &str) {
    let line = format!("NOT RUN: {test_name}: {reason}\n");
    // Not with eprintln, whose output a passing test swallows.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let required = std::env::var_os("ES_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(!required, "{test_name} must run, ES_REQUIRE_TOOLS=1 is set: {reason}");
}

/// Copies the golden runs, writable, to a base of their own; answers it and the JSON beside them.
pub(crate) fn golden(test_name: &str) -> Option<(Folder, Vec<(String, Value)>)> {
    let golden = shared(test_name, "golden")?;
    let base = Folder::new(test_name);
    fs::create_dir(base.join(INSTANCE)).expect("the instance's folder can be made");
    let mut runs = Vec::new();
    for item in fs::read_dir(&golden).expect("the golden folder lists") {
        let path = item.expect("a listed file").path();
        let Some(id) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json"))
        else {
            continue;
        };
        let file = format!("{INSTANCE}/{id}.redb");
        // Content alone: the originals are read-only.
        fs::write(base.join(&file), fs::read(golden.join(&file)).expect("readable"))
            .expect("the copy can be written");
        let text = fs::read_to_string(&path).expect("readable");
        runs.push((id.to_owned(), serde_json::from_str(&text).expect("JSON")));
    }
    assert!(runs.len() >= 8, "{} golden runs", runs.len());
    runs.sort_by(|one, other| one.0.cmp(&other.0));
    Some((base, runs))
}
