//! The C interface, misused: each function and parameter, plain and under valgrind.
//!
//! The program is `c_abi/misuse.c`. `tests/sanitizers.sh` runs the same program over a library
//! that is instrumented with AddressSanitizer.

mod common;
#[path = "c_abi/coverage.rs"]
mod coverage;

use std::path::Path;
use std::process::Command;

use common::c_program;
use common::shared::not_run_without_tool;
use common::temporary::TemporaryFolder;

const BACKENDS: [&[&str]; 3] = [&["redb"], &["log"], &["memory"]];
/// Those that keep files.
const FILE_BACKENDS: [&[&str]; 2] = [&["redb"], &["log"]];
const MISUSE_CALLS: u32 = 800;
const OPERATION_CALLS: u32 = 180;
/// Checked calls of the packed drafts.
const PACKED_CALLS: u32 = 200;

/// Builds a program of `c_abi/` and runs it with each list of arguments and a base of its own,
/// behind the given command if any. It must check so many calls and print nothing on stderr.
fn run_program(test: &str, name: &str, arguments: &[&[&str]], least_calls: u32, under: &[&str]) {
    let tools = std::iter::once("gcc").chain(under.first().copied());
    for tool in tools {
        if !c_program::has_tool(tool) {
            return not_run_without_tool(test, tool);
        }
    }
    let folder = TemporaryFolder::new(test);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/c_abi/{name}.c"));
    let program = c_program::build(&source, "c11", folder.path(), &["-D_GNU_SOURCE", "-g"]);
    for (run, arguments) in arguments.iter().enumerate() {
        let base = folder.path().join(format!("base-{run}"));
        let mut command = match under.split_first() {
            None => Command::new(&program),
            Some((tool, options)) => {
                let mut command = Command::new(tool);
                command.args(options).arg(&program);
                command
            }
        };
        let output = c_program::succeed(command.args(*arguments).arg(&base));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let checked: u32 = printed
            .split_once(": ")
            .and_then(|(_, rest)| rest.split(' ').next())
            .and_then(|count| count.parse().ok())
            .unwrap_or_else(|| panic!("{name} prints no count: {printed}"));
        assert!(checked >= least_calls, "{name}: only {checked} calls were checked");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}: stderr is the host's");
    }
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("a text of the crate")
}

/// Each function of the header is called wrongly, with bad handles if it takes one.
#[test]
fn matrices_cover_every_export() {
    let header = read("include/eventstore.h");
    let matrices = read("tests/c_abi/misuse.c") + &read("tests/c_abi/operate.c");
    let gaps = coverage::gaps(&header, &matrices);
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
    // An export that nobody put into a matrix, and a call taken out of one, are seen.
    let added = header.replacen(
        "\nES_API\n",
        "\nES_API\nES_MUST_USE\nes_status es_touch_run(struct es_run *run);\n\nES_API\n",
        1,
    );
    let expected =
        ["es_touch_run: no wrong call is refused", "es_touch_run: not called with bad handles"];
    assert_eq!(coverage::gaps(&added, &matrices), expected);
    let fewer = matrices.replace("BAD_RUNS(es_flush(", "(void)(es_other(");
    assert_eq!(coverage::gaps(&header, &fewer), ["es_flush: not called with bad handles"]);
}

/// Every wrong call is answered as documented and changes nothing; nothing is printed.
#[test]
fn misuse_is_answered_and_harmless() {
    run_program("misuse_is_answered_and_harmless", "misuse", &BACKENDS, MISUSE_CALLS, &[]);
}

const VALGRIND: [&str; 5] = [
    "valgrind",
    "--quiet",
    "--error-exitcode=99",
    "--child-silent-after-fork=yes",
    "--leak-check=no",
];

/// The same, with every read and write of the library checked by valgrind.
#[test]
fn misuse_is_clean_under_valgrind() {
    let test = "misuse_is_clean_under_valgrind";
    run_program(test, "misuse", &BACKENDS, MISUSE_CALLS, &VALGRIND);
}

/// The operations over runs do through C what they are for, and answer every wrong call.
#[test]
fn operations_are_answered_through_c() {
    run_program(
        "operations_are_answered_through_c",
        "operate",
        &FILE_BACKENDS,
        OPERATION_CALLS,
        &[],
    );
}

/// The same under valgrind.
#[test]
fn operations_are_clean_under_valgrind() {
    let test = "operations_are_clean_under_valgrind";
    run_program(test, "operate", &FILE_BACKENDS, OPERATION_CALLS, &VALGRIND);
}

/// Drafts without pointers are stored as they lie in their arena, a page of another run included.
#[test]
fn packed_drafts_are_stored_as_they_lie() {
    run_program("packed_drafts_are_stored_as_they_lie", "packed", &[&[]], PACKED_CALLS, &[]);
}

/// The same under valgrind.
#[test]
fn packed_drafts_are_clean_under_valgrind() {
    let test = "packed_drafts_are_clean_under_valgrind";
    run_program(test, "packed", &[&[]], PACKED_CALLS, &VALGRIND);
}

/// At a file size limit the run halts, tells its host once, and takes no call from there but the
/// one that is allowed; then it is closed, recovered and sealed.
#[test]
fn halt_is_told_once_and_the_host_lives() {
    run_program("halt_is_told_once_and_the_host_lives", "halt", &FILE_BACKENDS, 20, &[]);
}
