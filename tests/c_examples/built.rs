//! The examples, built once a test process as C11 and as C++17 against this build's library.

use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::common::shared::not_run_without_tool;

/// The Makefile's two folders of programs, from the same sources: C11, C++17.
pub(crate) const LANGUAGES: [&str; 2] = ["", "cxx"];

pub(crate) struct Built {
    programs: PathBuf,
    damage_library: PathBuf,
}

/// What a program said and how it ended.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// What it printed; a failure with all that it said when it did not succeed in silence.
    pub(crate) fn expect_success(&self) -> &str {
        assert!(self.code == Some(0) && self.stderr.is_empty(), "{self}");
        &self.stdout
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}\n{}\nstderr:\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Built {
    pub(crate) fn command(&self, language: &str, program: &str) -> Command {
        Command::new(self.programs.join(language).join(program))
    }

    /// Lets the program see damage in `part` of the entry `seq`; damage_reads.c says which parts.
    pub(crate) fn damage<'a>(
        &self,
        command: &'a mut Command,
        seq: u64,
        part: &str,
    ) -> &'a mut Command {
        command
            .env("LD_PRELOAD", &self.damage_library)
            .env("ES_DAMAGE_SEQ", seq.to_string())
            .env("ES_DAMAGE_PART", part)
    }
}

pub(crate) fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn has_tool(name: &str) -> bool {
    let mut command = Command::new(name);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn tool(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.to_owned())
}

/// The examples; `None`, and said so, where a compiler or make is missing.
pub(crate) fn built(test_name: &str) -> Option<&'static Built> {
    static BUILT: OnceLock<Built> = OnceLock::new();
    for tool in [tool("CC", "cc"), tool("CXX", "c++"), "make".to_owned()] {
        if !has_tool(&tool) {
            not_run_without_tool(test_name, &format!("{tool} is not installed"));
            return None;
        }
    }
    Some(BUILT.get_or_init(build))
}

/// cargo puts the shared library of a test run beside the test's own binary.
fn library() -> PathBuf {
    let deps = std::env::current_exe().expect("the test's own path");
    let library = deps.with_file_name("libeventstore.so");
    assert!(library.exists(), "{} is not there: does the crate build a cdylib?", library.display());
    library
}

fn build() -> Built {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c_examples");
    let library_folder = folder.join("lib");
    fs::create_dir_all(&library_folder).expect("the build folder");
    for name in ["libeventstore.so", "libeventstore.so.0"] {
        let link = library_folder.join(name);
        let _ = fs::remove_file(&link);
        symlink(library(), &link).expect("a link to the library");
    }
    let mut make = Command::new("make");
    make.arg("-C").arg(root.join("examples-c")).args(["-j2", "c", "cxx"]);
    make.arg(format!("BUILD={}", folder.display()));
    make.arg(format!("LIBDIR={}", library_folder.display()));
    // Not what a surrounding make passes down: it would change how this one runs.
    let outcome = run(make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL"));
    assert!(outcome.code == Some(0), "the examples do not build: {outcome}");

    let damage_library = folder.join("libdamage_reads.so");
    let mut cc = Command::new(tool("CC", "cc"));
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
    cc.arg(&damage_library).arg(root.join("tests/c_examples/damage_reads.c"));
    cc.arg(format!("-I{}", root.join("include").display())).arg("-ldl");
    let outcome = run(&mut cc);
    assert!(outcome.code == Some(0), "damage_reads.c does not build: {outcome}");
    Built { programs: folder, damage_library }
}
