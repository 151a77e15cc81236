//! The C interface, misused: each function and parameter, plain and under valgrind.
//!
//! The program is `c_abi/misuse.c`. `tests/sanitizers.sh` runs the same program over a library
//! that is instrumented with AddressSanitizer.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::c_program;
use common::shared::not_run_without_tool;
use common::temporary::TemporaryFolder;

const BACKENDS: [&[&str]; 2] = [&["redb"], &["memory"]];
const MISUSE_CALLS: u32 = 800;
const OPERATION_CALLS: u32 = 180;

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
    run_program("operations_are_answered_through_c", "operate", &[&[]], OPERATION_CALLS, &[]);
}

/// The same under valgrind.
#[test]
fn operations_are_clean_under_valgrind() {
    let test = "operations_are_clean_under_valgrind";
    run_program(test, "operate", &[&[]], OPERATION_CALLS, &VALGRIND);
}

/// The functions that the header declares and these programs never name, comments left out.
fn uncalled(header: &str, programs: &[String]) -> Vec<String> {
    let code: Vec<String> = programs
        .iter()
        .flat_map(|text| text.split("/*"))
        .map(|part| part.split_once("*/").map_or(part, |(_, code)| code).to_owned())
        .collect();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named =
        |name: &str| code.iter().any(|code| code.split(|c| !is_part(c)).any(|word| word == name));
    let declared = header.split("ES_API").filter_map(|text| {
        let (before, _) = text.split_once('(')?;
        before.rsplit(|c| !is_part(c)).next().filter(|name| name.starts_with("es_"))
    });
    declared.filter(|name| !named(name)).map(str::to_owned).collect()
}

/// No function of the header is left out of the matrices; one that is is named.
#[test]
fn every_function_is_misused() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect(path);
    let header = read("include/eventstore.h");
    let matrices = ["tests/c_abi/misuse.c", "tests/c_abi/operate.c"].map(read);
    let all = uncalled(&header, &[]);
    assert!(all.len() > 60, "the header declares {} functions: {all:?}", all.len());
    assert_eq!(uncalled(&header, &matrices), [] as [&str; 0]);
    // Shown to see one that is missing, and one that stands in a comment alone.
    let without =
        matrices.map(|text| text.replace("es_find_first_seq", "/* es_find_first_seq */ f"));
    assert_eq!(uncalled(&header, &without), ["es_find_first_seq"]);
}

/// At a file size limit the run halts, tells its host once, and takes no call from there but the
/// one that is allowed; then it is closed, recovered and sealed.
#[test]
fn halt_is_told_once_and_the_host_lives() {
    run_program("halt_is_told_once_and_the_host_lives", "halt", &[&[]], 20, &[]);
}
