//! The C interface, misused: each function and parameter, plain and under valgrind.
//!
//! The program is `c_abi/misuse.c`. `tests/sanitizers.sh` runs the same program over a library
//! that is instrumented with AddressSanitizer.

mod common;

use std::path::Path;
use std::process::Command;

use common::c_program;
use common::shared::not_run_without_tool;
use common::temporary::TemporaryFolder;

const BACKENDS: [&str; 2] = ["redb", "memory"];

/// Builds the matrix and runs it over each backend, behind the given command if any.
fn run_matrix(test: &str, under: &[&str]) {
    let tools = std::iter::once("gcc").chain(under.first().copied());
    for tool in tools {
        if !c_program::has_tool(tool) {
            return not_run_without_tool(test, tool);
        }
    }
    let folder = TemporaryFolder::new(test);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c_abi/misuse.c");
    let program = c_program::build(&source, "c11", folder.path(), &["-D_GNU_SOURCE", "-g"]);
    for backend in BACKENDS {
        let base = folder.path().join(backend);
        let mut command = match under.split_first() {
            None => Command::new(&program),
            Some((tool, options)) => {
                let mut command = Command::new(tool);
                command.args(options).arg(&program);
                command
            }
        };
        let output = c_program::succeed(command.arg(backend).arg(&base));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let checked: u32 = printed
            .split_once(": ")
            .and_then(|(_, rest)| rest.split(' ').next())
            .and_then(|count| count.parse().ok())
            .unwrap_or_else(|| panic!("{backend} prints no count: {printed}"));
        assert!(checked > 800, "{backend}: only {checked} calls were checked");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{backend}: stderr is the host's");
    }
}

/// Every wrong call is answered as documented and changes nothing; nothing is printed.
#[test]
fn misuse_is_answered_and_harmless() {
    run_matrix("misuse_is_answered_and_harmless", &[]);
}

/// The same, with every read and write of the library checked by valgrind.
#[test]
fn misuse_is_clean_under_valgrind() {
    let options = [
        "valgrind",
        "--quiet",
        "--error-exitcode=99",
        "--child-silent-after-fork=yes",
        "--leak-check=no",
    ];
    run_matrix("misuse_is_clean_under_valgrind", &options);
}
