//! The C++ layer: clean under two compilers and three standards, with and without exceptions and
//! RTTI; used in real programs (`cpp/`); and a failed page is never taken for the end of a run.

mod common;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::c_program::{has_tool, include_folder, library, succeed};
use common::shared::not_run_without_tool;
use common::temporary::TemporaryFolder;

const WARNINGS: [&str; 6] =
    ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"];
const COMPILERS: [&str; 2] = ["g++", "clang++"];
// "2b" is the name of C++23 that older compilers know too.
const STANDARDS: [&str; 3] = ["17", "20", "2b"];
const WITHOUT: [&str; 2] = ["-fno-exceptions", "-fno-rtti"];

/// Whether both compilers are here; says so when not.
fn has_compilers(test: &str) -> bool {
    let missing = COMPILERS.iter().find(|tool| !has_tool(tool));
    if let Some(tool) = missing {
        not_run_without_tool(test, tool);
    }
    missing.is_none()
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cpp").join(name)
}

fn compiler(tool: &str, standard: &str, include: &Path) -> Command {
    let mut command = Command::new(tool);
    command.args(WARNINGS).arg(format!("-std=c++{standard}")).arg("-I").arg(include);
    command
}

/// Links objects or sources to the library; answers where the program lies.
fn link(mut command: Command, folder: &Path, name: &str) -> PathBuf {
    let soname = folder.join("libeventstore.so.0");
    if !soname.exists() {
        std::os::unix::fs::symlink(library(), &soname).expect("a link in the test's folder");
    }
    let program = folder.join(name);
    command.arg(library()).arg("-lpthread").arg(format!("-Wl,-rpath,{}", folder.display()));
    succeed(command.arg("-o").arg(&program));
    program
}

/// A program of `cpp/`, built in one way.
fn build(name: &str, tool: &str, standard: &str, extra: &[&str], folder: &Path) -> PathBuf {
    let mut command = compiler(tool, standard, &include_folder());
    command.args(extra).arg(source(&format!("{name}.cpp")));
    link(command, folder, name)
}

fn output(program: &Path, arguments: &[&str], base: &Path) -> Output {
    Command::new(program).arg(base).args(arguments).output().expect("the program starts")
}

/// Everything that the layer has, used by one file, draws no warning anywhere.
#[test]
fn header_is_clean_under_every_compiler_and_standard() {
    if !has_compilers("header_is_clean_under_every_compiler_and_standard") {
        return;
    }
    for tool in COMPILERS {
        for standard in STANDARDS {
            for extra in [&[][..], &WITHOUT] {
                let mut command = compiler(tool, standard, &include_folder());
                succeed(command.args(extra).arg("-fsyntax-only").arg(source("session.cpp")));
            }
        }
    }
}

/// A session is captured, sealed, read back and looked up; failures are met as results and as
/// exceptions; handles are moved about.
#[test]
fn session_is_written_and_read_through_the_layer() {
    if !has_compilers("session_is_written_and_read_through_the_layer") {
        return;
    }
    let ways: [(&str, &str, &[&str]); 3] =
        [("g++", "17", &["-g"]), ("clang++", "20", &["-g"]), ("g++", "2b", &WITHOUT)];
    for (tool, standard, extra) in ways {
        let folder = TemporaryFolder::new("cpp-session");
        let program = build("session", tool, standard, extra, folder.path());
        let output = succeed(Command::new(program).arg(folder.path().join("base")));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let checks = printed.strip_prefix("session: ").and_then(|rest| rest.split(' ').next());
        let checks: u32 = checks.and_then(|count| count.parse().ok()).expect("a count of checks");
        assert!(checks > 100_000, "{tool} c++{standard}: {printed}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A damaged entry ends a range with its failure, forward and backward, at each place in a page;
/// asked for, thrown, or, when nobody asks, fatal.
#[test]
fn damaged_page_is_not_the_end_of_a_run() {
    if !has_compilers("damaged_page_is_not_the_end_of_a_run") {
        return;
    }
    for extra in [&["-g"][..], &WITHOUT] {
        let folder = TemporaryFolder::new("cpp-damage");
        let program = build("damage", "g++", "17", extra, folder.path());
        let asked = output(&program, &["status"], &folder.path().join("asked"));
        assert!(asked.status.success(), "{asked:?}");
        let unasked = output(&program, &["unasked"], &folder.path().join("unasked"));
        assert_eq!(unasked.status.signal(), Some(libc::SIGABRT), "{unasked:?}");
        let said = String::from_utf8_lossy(&unasked.stderr).into_owned();
        assert!(said.contains("ask status()"), "{said}");
        let throwing = output(&program, &["throwing"], &folder.path().join("throwing"));
        if extra == WITHOUT {
            assert_eq!(throwing.status.signal(), Some(libc::SIGABRT), "{throwing:?}");
            let said = String::from_utf8_lossy(&throwing.stderr).into_owned();
            assert!(said.contains("ES_ERR_HASH_MISMATCH"), "{said}");
        } else {
            assert!(throwing.status.success(), "{throwing:?}");
        }
    }
}

/// The same program over a header that swallows the failure of a page fails.
#[test]
fn swallowed_failure_of_a_page_is_noticed() {
    if !has_compilers("swallowed_failure_of_a_page_is_noticed") {
        return;
    }
    let folder = TemporaryFolder::new("cpp-swallowed");
    let header = fs::read_to_string(include_folder().join("eventstore.hpp")).expect("the header");
    let planted = header.replacen("        failure_ = error;\n", "        (void)error;\n", 1);
    assert_ne!(planted, header);
    fs::write(folder.path().join("eventstore.hpp"), planted).expect("a changed copy");
    let mut command = compiler("g++", "17", folder.path());
    command.arg("-I").arg(include_folder()).arg(source("damage.cpp"));
    let program = link(command, folder.path(), "damage");
    let swallowed = output(&program, &["status"], &folder.path().join("base"));
    assert_eq!(swallowed.status.code(), Some(1), "{swallowed:?}");
    let said = String::from_utf8_lossy(&swallowed.stderr).into_owned();
    assert!(said.contains("!range.status()"), "{said}");
}

/// Mistakes that the header turns into errors of the compiler, each with a word of what it says;
/// the first line is none and proves that the frame is sound.
const MISTAKES: [(&str, &str); 6] = [
    ("es::run moved = std::move(run); auto entry = reader.get(1); (void)entry->view();", ""),
    ("es::run copy = run;", "deleted"),
    ("run.flush(es::forever);", "nodiscard"),
    ("run.submit(es::draft(\"t\", \"t\", \"p\"));", "nodiscard"),
    ("std::uint64_t seq = run.do_work(); (void)seq;", "conver"),
    ("(void)reader.get(1).value().view();", "deleted"),
];

#[test]
fn mistakes_do_not_compile() {
    if !has_compilers("mistakes_do_not_compile") {
        return;
    }
    let folder = TemporaryFolder::new("cpp-mistakes");
    let file = folder.path().join("mistake.cpp");
    for (line, reason) in MISTAKES {
        let frame = "#include <eventstore.hpp>\nnamespace es = eventstore;\n";
        let head = "void f(es::run &run, es::reader &reader)";
        let body = format!("{line}\n(void)run;\n(void)reader;");
        fs::write(&file, format!("{frame}{head};\n{head} {{\n{body}\n}}\n")).expect("a file");
        for tool in COMPILERS {
            let mut command = compiler(tool, "17", &include_folder());
            let output = command.arg("-fsyntax-only").arg(&file).output().expect("it starts");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.success(), reason.is_empty(), "{tool}: {line}\n{said}");
            assert!(said.contains(reason), "{tool}: {line}: no {reason} in\n{said}");
        }
    }
}

/// Files with and without exceptions in one program do not take each other's functions.
#[test]
fn files_with_and_without_exceptions_mix() {
    if !has_compilers("files_with_and_without_exceptions_mix") {
        return;
    }
    let folder = TemporaryFolder::new("cpp-mixed");
    let without = folder.path().join("without.o");
    let mut command = compiler("g++", "17", &include_folder());
    command.args(WITHOUT).arg("-c").arg(source("mixed.cpp")).arg("-o").arg(&without);
    succeed(&mut command);
    // First in the link: of two functions of one name, the linker would take its.
    let mut command = compiler("g++", "17", &include_folder());
    command.arg(&without).arg(source("mixed.cpp"));
    let program = link(command, folder.path(), "mixed");
    assert!(Command::new(&program).status().expect("it starts").success(), "it throws");
    let aborted = Command::new(&program).arg("abort").output().expect("it starts");
    assert_eq!(aborted.status.signal(), Some(libc::SIGABRT), "{aborted:?}");
}

/// The quick start of the header is a whole program, and does what it says.
#[test]
fn quick_start_compiles_and_runs() {
    if !has_compilers("quick_start_compiles_and_runs") {
        return;
    }
    let header = fs::read_to_string(include_folder().join("eventstore.hpp")).expect("the header");
    let start = header.find("QUICK START").expect("a quick start");
    let lines = header[start..header.find(" * RULES").expect("rules")].lines();
    let program: String = lines
        .filter_map(|line| line.strip_prefix(" *     ").or((line == " *").then_some("")))
        .fold(String::new(), |text, line| text + line + "\n");
    let folder = TemporaryFolder::new("cpp-quick-start");
    let file = folder.path().join("quick_start.cpp");
    fs::write(&file, program).expect("the program can be written");
    for (tool, standard) in [("g++", "17"), ("clang++", "20")] {
        let mut command = compiler(tool, standard, &include_folder());
        command.arg(&file);
        let program = link(command, folder.path(), &format!("quick_start-{tool}"));
        let work = TemporaryFolder::new("cpp-quick-start-run");
        let output = succeed(Command::new(program).current_dir(work.path()));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(printed, "1 orders\n2 run.lifecycle.RunEnded\n", "{tool}");
    }
}
