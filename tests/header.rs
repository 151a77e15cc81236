//! The C header: generated from `src/ffi`, equal to the committed one, clean for compilers, and
//! complete as a manual.
//!
//! `ES_UPDATE_HEADER=1 cargo test --test header` rewrites `include/eventstore.h` and, from it,
//! `include/eventstore.cdef.h`.

#[path = "header/cdef.rs"]
mod cdef;
mod common;
#[path = "header/generate.rs"]
mod generate;
#[path = "header/manual.rs"]
mod manual;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use common::c_program;
use common::shared::not_run_without_tool;
use common::temporary::TemporaryFolder;
use generate::{generate, header_path, root};

/// The committed header is what the sources say, so that neither can change alone.
#[test]
fn committed_header_is_the_generated_one() {
    assert_committed("eventstore.h", &generate());
}

/// The declarations for cffi are those of the header.
#[test]
fn committed_cdef_is_the_generated_one() {
    assert_committed("eventstore.cdef.h", &cdef::cdef(&generate()));
}

fn assert_committed(name: &str, generated: &str) {
    let path = root().join("include").join(name);
    let is_current = fs::read_to_string(&path).is_ok_and(|committed| committed == generated);
    if !is_current && std::env::var_os("ES_UPDATE_HEADER").is_some() {
        fs::write(&path, generated).expect("include is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let different = committed.lines().zip(generated.lines()).position(|(old, new)| old != new);
    if let Some(line) = different {
        panic!(
            "include/{name}:{}: committed {:?}, generated {:?}; run ES_UPDATE_HEADER=1 cargo test --test header",
            line + 1,
            committed.lines().nth(line).unwrap(),
            generated.lines().nth(line).unwrap()
        );
    }
    assert_eq!(committed.lines().count(), generated.lines().count(), "lines of {name}");
}

const STANDARDS: [&str; 9] =
    ["c99", "c11", "c17", "c2x", "c++11", "c++14", "c++17", "c++20", "c++23"];

/// A file that uses the header in every way that needs no library: it includes it twice and
/// initialises each struct. The header's own asserts check every size and offset there.
const USER: &str = r#"
#include "eventstore.h"
#include "eventstore.h"
es_open_options open_options = ES_OPEN_OPTIONS_INIT;
es_reader_options reader_options = ES_READER_OPTIONS_INIT;
es_manifest manifest = ES_MANIFEST_INIT;
es_draft draft = ES_DRAFT_INIT;
es_submit_options submit_options = ES_SUBMIT_OPTIONS_INIT;
es_append_options append_options = ES_APPEND_OPTIONS_INIT;
es_append_result append_result = ES_APPEND_RESULT_INIT;
es_close_options close_options = ES_CLOSE_OPTIONS_INIT;
es_close_result close_result = ES_CLOSE_RESULT_INIT;
es_scan_request scan_request = ES_SCAN_REQUEST_INIT;
es_scan_result scan_result = ES_SCAN_RESULT_INIT;
es_index_request index_request = ES_INDEX_REQUEST_INIT;
es_index_result index_result = ES_INDEX_RESULT_INIT;
es_restore_plan restore_plan = ES_RESTORE_PLAN_INIT;
es_operation_options operation_options = ES_OPERATION_OPTIONS_INIT;
es_report_summary report_summary = ES_REPORT_SUMMARY_INIT;
es_page_result page_result = ES_PAGE_RESULT_INIT;
es_tail_result tail_result = ES_TAIL_RESULT_INIT;
es_copy_result copy_result = ES_COPY_RESULT_INIT;
"#;

/// What <windows.h> defines and a careless name would meet; `__declspec` as gcc can read it.
const WINDOWS: &str = r"
#define _WIN32 1
#define __declspec(what)
#define CONST const
#define DELETE 1
#define ERROR 0
#define IN
#define OPTIONAL
#define OUT
#define VOID void
#define far
#define interface struct
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define near
#define small char
#define ES_AUTOHSCROLL 0x80
#define ES_AUTOVSCROLL 0x40
#define ES_AWAYMODE_REQUIRED 0x40
#define ES_CENTER 1
#define ES_CONTINUOUS 0x80000000
#define ES_DISPLAY_REQUIRED 2
#define ES_LEFT 0
#define ES_LOWERCASE 0x10
#define ES_MULTILINE 4
#define ES_NOHIDESEL 0x100
#define ES_NUMBER 0x2000
#define ES_OEMCONVERT 0x400
#define ES_PASSWORD 0x20
#define ES_READONLY 0x800
#define ES_RIGHT 2
#define ES_SYSTEM_REQUIRED 1
#define ES_UPPERCASE 8
#define ES_USER_PRESENT 4
#define ES_WANTRETURN 0x1000
";

/// The header alone passes every standard with all warnings as errors, in two compilers, also
/// behind what Windows defines.
#[test]
fn header_is_clean_in_every_standard() {
    let folder = TemporaryFolder::new("header-standards");
    let plain = folder.path().join("user.c");
    let behind_windows = folder.path().join("windows.c");
    fs::write(&plain, USER).unwrap();
    fs::write(&behind_windows, format!("{WINDOWS}{USER}")).unwrap();
    for compilers in [["gcc", "g++"], ["clang", "clang++"]] {
        for standard in STANDARDS {
            let tool = compilers[usize::from(standard.starts_with("c++"))];
            // Clang 14 knows the newest one under this name alone.
            let standard = if tool == "clang++" {
                standard.replace("c++23", "c++2b")
            } else {
                standard.into()
            };
            if !c_program::has_tool(tool) {
                return not_run_without_tool("header_is_clean_in_every_standard", tool);
            }
            for source in [&plain, &behind_windows] {
                let mut compiler = c_program::compiler_named(tool, &standard);
                c_program::succeed(compiler.arg("-fsyntax-only").arg(source));
            }
        }
    }
}

/// The C++ header holds behind the same names; what it includes of the system comes first, since
/// that is the compiler's own affair.
#[test]
fn cpp_header_is_clean_behind_windows() {
    let folder = TemporaryFolder::new("header-cpp-windows");
    let header = fs::read_to_string(header_path().with_file_name("eventstore.hpp")).unwrap();
    let system: Vec<&str> = header.lines().filter(|line| line.starts_with("#include <")).collect();
    let source = folder.path().join("windows.cpp");
    let program = system.join("\n") + WINDOWS + "#include <eventstore.hpp>\n";
    fs::write(&source, &program).unwrap();
    let careless = folder.path().join("careless.cpp");
    fs::write(&careless, program.replace("#define small char", "#define draft char")).unwrap();
    for tool in ["g++", "clang++"] {
        if !c_program::has_tool(tool) {
            return not_run_without_tool("cpp_header_is_clean_behind_windows", tool);
        }
        let compiler = || c_program::compiler_named(tool, "c++17");
        c_program::succeed(compiler().arg("-fsyntax-only").arg(&source));
        let output = compiler().arg("-fsyntax-only").arg(&careless).output().unwrap();
        assert!(!output.status.success(), "{tool} does not notice a name of both");
    }
}

/// The C++ header leaves no call out but the initialisers, which its constructors stand for.
#[test]
fn every_call_has_its_place_in_the_cpp_header() {
    let cpp = fs::read_to_string(header_path().with_file_name("eventstore.hpp")).unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with(['*', '/']);
    let words: BTreeSet<&str> = cpp
        .lines()
        .filter(is_code)
        .flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .collect();
    let functions = manual::functions(&fs::read_to_string(header_path()).unwrap());
    let missing: Vec<String> = functions
        .into_iter()
        .map(|function| function.name)
        .filter(|name| !name.starts_with("es_init_") && !words.contains(name.as_str()))
        .collect();
    assert_eq!(missing, [""; 0]);
}

/// A name that <windows.h> owns is caught.
#[test]
fn name_of_windows_is_caught() {
    let folder = TemporaryFolder::new("header-windows");
    let header = fs::read_to_string(header_path()).unwrap();
    let careless = header.replace("ES_FORWARD", "ES_READONLY");
    assert_ne!(careless, header);
    let source = folder.path().join("user.c");
    fs::write(&source, format!("{WINDOWS}{careless}")).unwrap();
    let Ok(output) = c_program::compiler("c11").arg("-fsyntax-only").arg(&source).output() else {
        return not_run_without_tool("name_of_windows_is_caught", "gcc");
    };
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"ES_READONLY\" redefined"));
}

/// The layout asserts of the header fail when a struct is not what the library was built with,
/// in each form that they take.
#[test]
fn layout_asserts_catch_a_moved_field() {
    let folder = TemporaryFolder::new("header-layout");
    let header = fs::read_to_string(header_path()).unwrap();
    let moved = header.replacen("uint64_t ts_init;", "uint64_t gap; uint64_t ts_init;", 1);
    assert_ne!(moved, header);
    let source = folder.path().join("user.c");
    fs::write(&source, moved).unwrap();
    for standard in ["c99", "c11", "c++11"] {
        let output = c_program::compiler(standard).arg("-fsyntax-only").arg(&source).output();
        let Ok(output) = output else {
            return not_run_without_tool("layout_asserts_catch_a_moved_field", "gcc, g++");
        };
        assert!(!output.status.success(), "{standard} accepts a struct of another layout");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("_ts_init"), "{standard} says: {text}");
    }
}

/// The quick start of the header is a whole program, and does what it says.
#[test]
fn quick_start_compiles_and_runs() {
    let folder = TemporaryFolder::new("quick-start");
    let source = folder.path().join("quick_start.c");
    fs::write(&source, manual::quick_start(&fs::read_to_string(header_path()).unwrap())).unwrap();
    for (standard, tool) in [("c99", "gcc"), ("c++11", "g++")] {
        if !c_program::has_tool(tool) {
            return not_run_without_tool("quick_start_compiles_and_runs", tool);
        }
        let program = c_program::build(&source, standard, folder.path(), &[]);
        let work = TemporaryFolder::new("quick-start-run");
        let output = c_program::succeed(Command::new(program).current_dir(work.path()));
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, "entry 1 is on stable storage\n", "{standard}");
        assert!(work.path().join("runs/engine/run-1.redb").exists(), "{standard}");
    }
}

/// The README opens with the same program.
#[test]
fn readme_shows_the_quick_start() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let block = readme.split("```c\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown = block.expect("a program in C");
    let program = manual::quick_start(&fs::read_to_string(header_path()).unwrap());
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(shown), words(&program));
}

/// The shared library exports exactly the functions of the header.
#[test]
fn exports_are_the_functions_of_the_header() {
    if !c_program::has_tool("nm") {
        return not_run_without_tool("exports_are_the_functions_of_the_header", "nm");
    }
    let mut nm = Command::new("nm");
    nm.args(["--dynamic", "--defined-only", "--format=posix"]).arg(c_program::library());
    let output = String::from_utf8(c_program::succeed(&mut nm).stdout).unwrap();
    let exported: BTreeSet<String> =
        output.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    let declared: BTreeSet<String> = manual::functions(&fs::read_to_string(header_path()).unwrap())
        .into_iter()
        .map(|function| function.name)
        .collect();
    assert_eq!(exported, declared);
}

/// The soname tells interface versions apart, and the library stays loaded.
#[test]
fn library_carries_its_soname_and_stays_loaded() {
    if !c_program::has_tool("readelf") {
        return not_run_without_tool("library_carries_its_soname_and_stays_loaded", "readelf");
    }
    let mut readelf = Command::new("readelf");
    let output = c_program::succeed(readelf.arg("--dynamic").arg(c_program::library()));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("soname: [libeventstore.so.0]"), "{text}");
    assert!(text.contains("NODELETE"), "{text}");
}

/// Every exported function stands in plain text, where cbindgen sees it, and its body is guarded.
#[test]
fn every_export_is_guarded() {
    let mut seen = 0;
    for source in generate::SOURCES {
        let text = fs::read_to_string(root().join(format!("src/ffi/{source}.rs"))).unwrap();
        let exports = manual::unguarded_exports(&text);
        seen += exports.all;
        assert_eq!(exports.unguarded, [""; 0], "src/ffi/{source}.rs");
    }
    let header = fs::read_to_string(header_path()).unwrap();
    assert_eq!(seen, manual::functions(&header).len(), "exports in the listed sources");
}

/// Each handle's type says what makes it and what frees it.
#[test]
fn handle_types_say_how_long_they_live() {
    let header = fs::read_to_string(header_path()).unwrap();
    for handle in ["es_run", "es_reader", "es_report"] {
        let declared = format!("typedef struct {handle} {handle};");
        let (before, _) = header.split_once(&declared).expect("a handle's type");
        let comment = &before[before.rfind("/**").expect("its comment")..];
        assert!(comment.contains("Made by es_"), "{handle}: {comment}");
        assert!(
            comment.contains(&format!("freed by es_free_{}", &handle[3..])),
            "{handle}: {comment}"
        );
    }
}

/// Every comment says what the rules of the manual ask for.
#[test]
fn every_function_is_documented_in_full() {
    let functions = manual::functions(&fs::read_to_string(header_path()).unwrap());
    assert!(functions.len() > 40, "{} functions found", functions.len());
    let gaps: Vec<String> = functions.iter().flat_map(manual::gaps).collect();
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
}
