//! C and C++ programs over the library that `cargo test` has just built.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Every warning is an error: what users may switch on, the header must bear.
pub const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];

/// Whether a tool can be started.
pub fn has_tool(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The shared library that belongs to this test binary: cargo puts both in one folder.
pub fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let library = test.parent().expect("a folder").join("libeventstore.so");
    assert!(library.exists(), "{} was not built with this test", library.display());
    library
}

/// The folder of the header.
pub fn include_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// A compiler with a standard, all warnings as errors, and the header in reach.
pub fn compiler(standard: &str) -> Command {
    compiler_named(if standard.starts_with("c++") { "g++" } else { "gcc" }, standard)
}

/// The same, of another make.
pub fn compiler_named(tool: &str, standard: &str) -> Command {
    let mut command = Command::new(tool);
    command.args(STRICT).arg(format!("-std={standard}")).arg("-I").arg(include_folder());
    command.args(["-x", if standard.starts_with("c++") { "c++" } else { "c" }]);
    command
}

/// Compiles a program and links it to the library; answers where it lies.
pub fn build(source: &Path, standard: &str, folder: &Path, extra: &[&str]) -> PathBuf {
    let library = library();
    let link = folder.join("libeventstore.so.0");
    if !link.exists() {
        std::os::unix::fs::symlink(&library, &link).expect("a link in the test's folder");
    }
    let program = folder.join(source.file_stem().expect("a file name"));
    let mut command = compiler(standard);
    command.arg(source).args(["-x", "none"]).arg(&library).args(extra);
    command.arg("-lpthread").arg(format!("-Wl,-rpath,{}", folder.display()));
    succeed(command.arg("-o").arg(&program));
    program
}

/// Runs a command that must succeed; shows what it printed when it does not.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
