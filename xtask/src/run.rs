//! Starting other programs, and the folder of the sources.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the sources: this package lies right below it.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder around xtask").to_owned()
}

/// Runs a program that must succeed; what it says is seen.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}

/// Runs a program that must succeed, for what it prints.
pub(crate) fn printed_by(command: &mut Command) -> Result<String, String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{command:?}: {error}"))
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("{}: {error}; is it installed?", command.get_program().to_string_lossy())
}
