//! Builds what is installed: libraries, command, man pages, completions.
//!
//! The shared library is linked here from the static one, not taken from cargo: rustc gives the
//! linker a version script of its own, beside which no other counts, and symbol versions in the
//! objects would keep the static library out of other people's shared libraries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::interface::Interface;
use crate::names::Names;
use crate::run::{printed_by, root, run};

/// What a program that links the static library needs besides; `rustc --print native-static-libs`
/// names the same and libgcc_s, which C compilers add themselves, and not where it is absent.
pub(crate) const STATIC_LIBRARIES: [&str; 6] = ["util", "rt", "pthread", "m", "dl", "c"];

/// Where the built files lie.
pub(crate) struct Artifacts {
    pub(crate) shared: PathBuf,
    pub(crate) archive: PathBuf,
    pub(crate) command: PathBuf,
    /// Man pages, and the completions as the command names them.
    pub(crate) man: PathBuf,
    pub(crate) completions: PathBuf,
}

/// Builds all of them in release mode.
pub(crate) fn build(names: &Names, interface: &Interface) -> Result<Artifacts, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let packages = ["--package", "eventstore", "--package", "eventstore-command"];
    run(Command::new(&cargo).current_dir(root()).args(["build", "--release"]).args(packages))?;
    let release = target_folder()?;
    let work = release.join("install");
    let _ = fs::remove_dir_all(&work);
    let built = Artifacts {
        shared: work.join(&names.shared),
        archive: work.join(&names.archive),
        command: work.join(&names.command),
        man: work.join("man"),
        completions: work.join("completions"),
    };
    fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    strip(&release.join(&names.archive), &built.archive)?;
    strip(&release.join(&names.command), &built.command)?;
    link_shared(&built, names, interface, &work)?;
    let mut generate = Command::new(&built.command);
    generate.arg("generate").arg("--man").arg(&built.man);
    run(generate.arg("--completions").arg(&built.completions))?;
    Ok(built)
}

/// The folder of release builds: this program's own, which cargo put there, or its sibling.
fn target_folder() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let target = own.ancestors().nth(2).ok_or("own path is too short")?;
    Ok(target.join("release"))
}

/// Copies without the debugging information, which is half of the archive and more of the command.
fn strip(source: &Path, target: &Path) -> Result<(), String> {
    run(Command::new("strip").arg("--strip-debug").arg("-o").arg(target).arg(source))
}

fn link_shared(
    built: &Artifacts,
    names: &Names,
    interface: &Interface,
    work: &Path,
) -> Result<(), String> {
    let script = work.join("exports.map");
    fs::write(&script, interface.version_script())
        .map_err(|error| format!("{}: {error}", script.display()))?;
    let mut link = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    link.arg("-shared").arg("-o").arg(&built.shared);
    link.arg("-Wl,--whole-archive").arg(&built.archive).arg("-Wl,--no-whole-archive");
    link.arg(format!("-Wl,--version-script={}", script.display()));
    link.arg(format!("-Wl,-soname,{}", names.runtime));
    // nodelete: see build.rs. The rest is what rustc asks of a linker for a release.
    link.args(["-Wl,-z,nodelete", "-Wl,-z,relro,-z,now", "-Wl,-z,defs"]);
    link.args(["-Wl,--gc-sections", "-Wl,--as-needed", "-Wl,--strip-debug"]);
    link.args(STATIC_LIBRARIES.map(|library| format!("-l{library}")));
    run(&mut link)?;
    check_exports(&built.shared, interface)
}

/// The linked file has every function of the header: a version script cannot add one.
fn check_exports(shared: &Path, interface: &Interface) -> Result<(), String> {
    let mut list = Command::new("nm");
    let exported = printed_by(list.args(["--dynamic", "--defined-only"]).arg(shared))?;
    let missing: Vec<&str> = interface
        .function_names()
        .filter(|name| !exported.lines().any(|line| line.contains(&format!(" {name}@@ES_"))))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("not exported: {}", missing.join(", "))) }
}
