//! Data and tools that may be absent, and how a test says so instead of passing silently.

use std::path::PathBuf;

/// Says on file descriptor 2 that a test did not run. Written past the test harness, which
/// would swallow it with the output of a passing test.
fn say_not_run(name: &str, reason: &str) {
    let line = format!("NOT RUN: {name}: {reason}\n");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        // SAFETY: `rest` is a live slice and `write` reads at most its length from its start.
        let written = unsafe { libc::write(2, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(written) {
            Ok(count) if count > 0 => rest = &rest[count..],
            _ => return,
        }
    }
}

/// For a test whose tool is missing on this machine; a failure where all tools are required.
pub fn not_run_without_tool(name: &str, reason: &str) {
    say_not_run(name, reason);
    let required = std::env::var_os("ES_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(!required, "{name} must run, ES_REQUIRE_TOOLS=1 is set: {reason}");
}

/// For a long test that nobody asked for.
pub fn not_run_unasked(name: &str, how_to_ask: &str) {
    say_not_run(name, how_to_ask);
}

/// For a test whose shared data is not part of this checkout.
pub fn not_run_without_data(name: &str, reason: &str) {
    say_not_run(name, reason);
}

/// A file or folder of the shared data: below `ES_SHARED`, else below `../shared` beside the
/// crate; `None`, and said so, when it is absent.
pub fn shared_path(test_name: &str, relative: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ES_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")),
        PathBuf::from,
    );
    let path = root.join(relative);
    if path.exists() {
        return Some(path);
    }
    not_run_without_data(test_name, &format!("{relative} of the shared data is absent"));
    None
}
