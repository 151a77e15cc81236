//! What was released stays: programs made for an older header work with this library.
//!
//! `tests/abi/` holds a snapshot of the interface for each version. The one of the version in work
//! is rewritten by `ES_UPDATE_ABI=1 cargo test --test abi`; those of released versions never are.

#[path = "header/cdef.rs"]
mod cdef;
mod common;
#[path = "abi/older.rs"]
mod older;
#[path = "abi/shape.rs"]
mod shape;
#[path = "abi/snapshot.rs"]
mod snapshot;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::c_program;
use common::shared::not_run_without_tool;
use common::temporary::TemporaryFolder;
use eventstore::ffi::constants::ES_ABI_VERSION;
use snapshot::{broken_promises, snapshot};

fn header() -> String {
    fs::read_to_string(c_program::include_folder().join("eventstore.h")).expect("the header")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/abi")
}

/// The interface in work is written down, so that its next release cannot forget it.
#[test]
fn interface_of_this_version_is_recorded() {
    let (major, minor) = (ES_ABI_VERSION >> 16, ES_ABI_VERSION & 0xffff);
    let path = folder().join(format!("eventstore-{major}.{minor}.abi"));
    let current = snapshot(&header());
    if std::env::var_os("ES_UPDATE_ABI").is_some() {
        fs::write(&path, &current).expect("tests/abi is writable");
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    let different = current.lines().find(|line| !recorded.lines().any(|other| other == *line));
    assert!(
        recorded == current,
        "{} is not the header's interface, first at {different:?}; \
         unless this version is released, ES_UPDATE_ABI=1 cargo test --test abi",
        path.display()
    );
}

/// Nothing that any recorded version promised has changed.
#[test]
fn recorded_interfaces_hold() {
    let current = snapshot(&header());
    let listed =
        fs::read_dir(folder()).expect("tests/abi").map(|item| item.expect("listed").path());
    let recorded: Vec<PathBuf> =
        listed.filter(|path| path.extension().is_some_and(|kind| kind == "abi")).collect();
    assert!(!recorded.is_empty());
    for path in recorded {
        let broken = broken_promises(&fs::read_to_string(&path).unwrap(), &current);
        assert!(broken.is_empty(), "{}:\n{}", path.display(), broken.join("\n"));
    }
}

/// What the header says after a change of its text; the change must be one.
fn changed(from: &str, to: &str) -> Vec<String> {
    let before = header();
    let after = before.replace(from, to);
    assert_ne!(before, after, "{from:?} is not in the header");
    broken_promises(&snapshot(&before), &snapshot(&after))
}

/// A planted change of a field, a constant, a signature, a size or a type is caught, and so is
/// what is gone.
#[test]
fn changed_promise_is_caught() {
    let plants = [
        ("uint32_t wait_policy;", "int32_t wait_policy;", "es_open_options.wait_policy"),
        ("queue_bytes", "queue_kib", "es_open_options.queue_bytes"),
        ("offsetof(es_draft, ts_init) == 64", "offsetof(es_draft, ts_init) == 72", "es_draft."),
        ("sizeof(es_error) == 256", "sizeof(es_error) == 264", "struct es_error"),
        ("sizeof(es_draft) == 112", "sizeof(es_draft) == 104", "struct es_draft"),
        ("#define ES_ERR_HALTED (-400)", "#define ES_ERR_HALTED (-402)", "constant ES_ERR_HALTED"),
        ("#define ES_NTS SIZE_MAX", "", "constant ES_NTS"),
        ("#define ES_ABI_VERSION 1u", "#define ES_ABI_VERSION 65536u", "ES_ABI_VERSION"),
        ("uint64_t *seq,", "uint32_t *seq,", "function es_submit"),
        ("void es_free_run(", "void es_drop_run(", "function es_free_run"),
        ("typedef int32_t es_status;", "typedef int64_t es_status;", "type es_status"),
        ("int32_t os_errno);", "int64_t os_errno);", "type es_halt_fn"),
    ];
    for (from, to, about) in plants {
        let broken = changed(from, to);
        assert!(broken.iter().any(|line| line.contains(about)), "{from:?}: {broken:?}");
    }
}

/// One prefix, fixed widths, nothing by value, an es_error last, no memory to free, no status above
/// zero; a breach of each is caught.
#[test]
fn declarations_keep_the_rules() {
    let current = header();
    assert_eq!(shape::breaches(&snapshot(&current)), [""; 0]);
    let plants = [
        ("es_status es_flush(", "es_status flush(", "flush: no prefix"),
        ("#define ES_OK 0", "#define OK_ 0", "OK_: no prefix"),
        ("#define ES_ERR_HALTED (-400)", "#define ES_ERR_HALTED 400", "a status above 0"),
        ("uint32_t wait_policy;", "long wait_policy;", "es_open_options.wait_policy: a type"),
        ("uint32_t wait_policy;", "enum es_wait wait_policy;", "wait_policy: a type"),
        ("const struct es_submit_options *options", "struct es_submit_options options", "takes"),
        ("es_status es_flush(", "es_close_result es_flush(", "es_flush: answers with"),
        ("const char *es_version(", "char *es_version(", "es_version: gives memory"),
        ("void es_free_run(", "void es_drop_run(", "es_drop_run: cannot say"),
        ("es_status es_seal_run(", "int32_t es_seal_run(", "es_seal_run: cannot say"),
    ];
    for (from, to, about) in plants {
        let after = current.replace(from, to);
        assert_ne!(current, after, "{from:?} is not in the header");
        let found = shape::breaches(&snapshot(&after));
        assert!(found.iter().any(|line| line.contains(about)), "{to:?}: {found:?}");
    }
    let without = current.replace(
        "uint64_t timeout_ns,\n                   struct es_error *err);",
        "uint64_t timeout_ns);",
    );
    let found = shape::breaches(&snapshot(&without));
    assert!(found.iter().any(|line| line.contains("is no es_error")), "{found:?}");
}

/// What may be added may: constants, functions, fields in reserved bytes and at the end.
#[test]
fn additions_are_allowed() {
    let additions = [
        ("#define ES_OK 0", "#define ES_OK 0\n#define ES_NEW 7"),
        (
            "\nES_API\nvoid es_free_run(",
            "\nES_API\nvoid es_new(void);\n\nES_API\nvoid es_free_run(",
        ),
        ("#define ES_ABI_VERSION 1u", "#define ES_ABI_VERSION 2u"),
    ];
    for (from, to) in additions {
        assert_eq!(changed(from, to), [""; 0], "{to}");
    }
    let before = "struct es_x = 40 bytes, may grow\nfield es_x.a = bytes 0 to 8, uint64_t a\n\
        field es_x.reserved = bytes 8 to 40, uint64_t reserved[4]\n";
    let after = "struct es_x = 48 bytes, may grow\nfield es_x.a = bytes 0 to 8, uint64_t a\n\
        field es_x.b = bytes 8 to 16, uint64_t b\n\
        field es_x.reserved = bytes 16 to 40, uint64_t reserved[3]\n\
        field es_x.c = bytes 40 to 48, uint64_t c\n";
    assert_eq!(broken_promises(before, after), [""; 0]);
    let misplaced = after.replace("b = bytes 8 to 16", "b = bytes 4 to 12");
    assert_eq!(broken_promises(before, &misplaced).len(), 1);
    let fixed = before.replace("may grow", "fixed");
    assert_eq!(broken_promises(&fixed, after).len(), 1);
}

/// A program made with an older header, which lacks the last field of each struct that may grow
/// and a flag of each group, prints what it prints with this one, and no byte behind its structs
/// is touched.
#[test]
fn older_program_behaves_as_before() {
    if !c_program::has_tool("gcc") {
        return not_run_without_tool("older_program_behaves_as_before", "gcc");
    }
    let current = header();
    let old = older::header(&current);
    let printed = [("current", &current), ("older", &old)].map(|(name, header)| {
        let folder = TemporaryFolder::new(&format!("abi-{name}"));
        // Beside the program, where it is found before the one of the sources.
        fs::write(folder.path().join("eventstore.h"), header).unwrap();
        let source = folder.path().join("caller.c");
        fs::copy(self::folder().join("caller.c"), &source).unwrap();
        let program = c_program::build(&source, "c11", folder.path(), &[]);
        let output = c_program::succeed(Command::new(program).arg(folder.path().join("runs")));
        String::from_utf8(output.stdout).unwrap()
    });
    let [current, older] = printed.map(|text| {
        let (sizes, rest) = text.split_once('\n').expect("a line of sizes");
        (sizes.to_owned(), rest.to_owned())
    });
    assert_ne!(current.0, older.0, "the older header has smaller structs");
    assert_eq!(current.1, older.1);
    assert!(current.1.ends_with("done\n"), "{}", current.1);
}
