//! What the files of the library are called, decided once for each system.
//!
//! Linux is tested. The names for macOS and Windows are a decision that nothing has run yet: there
//! the tasks stop before they build.

use crate::interface::Version;

/// The names of the libraries and of the command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// The shared library's file.
    pub(crate) shared: String,
    /// What programs record and look for when they start: SONAME, install name, DLL.
    pub(crate) runtime: String,
    /// What the linker looks for; on Windows the import library.
    pub(crate) link: String,
    /// The static library.
    pub(crate) archive: String,
    /// The command.
    pub(crate) command: String,
}

impl Names {
    /// For the system that this program was built for.
    pub(crate) fn here(version: Version) -> Result<Self, String> {
        match std::env::consts::OS {
            "linux" => Ok(Self::on("linux", version)),
            other => {
                let names = Self::on(other, version);
                Err(format!("installing on {other} is untested and not built; names: {names:?}"))
            }
        }
    }

    fn on(system: &str, Version { major, minor }: Version) -> Self {
        match system {
            // Its install name is @rpath/<runtime>, so that a program in a bundle finds its own.
            "macos" => Self {
                shared: format!("libeventstore.{major}.{minor}.dylib"),
                runtime: format!("libeventstore.{major}.dylib"),
                link: "libeventstore.dylib".into(),
                archive: "libeventstore.a".into(),
                command: "eventstore".into(),
            },
            // The DLL lies in bin, beside the command. Programs that link the archive define
            // ES_STATIC, which takes __declspec(dllimport) off the header.
            "windows" => Self {
                shared: format!("eventstore-{major}.dll"),
                runtime: format!("eventstore-{major}.dll"),
                link: "eventstore.lib".into(),
                archive: "eventstore_static.lib".into(),
                command: "eventstore.exe".into(),
            },
            _ => Self {
                shared: format!("libeventstore.so.{major}.{minor}"),
                runtime: format!("libeventstore.so.{major}"),
                link: "libeventstore.so".into(),
                archive: "libeventstore.a".into(),
                command: "eventstore".into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, Version};

    /// What programs record changes with the major version alone, on every system.
    #[test]
    fn recorded_names_change_with_the_major_version_alone() {
        for system in ["linux", "macos", "windows"] {
            let of = |major, minor| Names::on(system, Version { major, minor });
            assert_eq!(of(0, 1).runtime, of(0, 2).runtime, "{system}");
            assert_ne!(of(0, 2).runtime, of(1, 2).runtime, "{system}");
            assert_eq!((of(0, 1).link, of(0, 1).archive), (of(1, 2).link, of(1, 2).archive));
            let names = of(0, 1);
            assert_ne!(names.link, names.archive, "{system}: the linker could not choose");
        }
    }

    /// The Python module looks for the names that are installed.
    #[test]
    fn python_looks_for_these_names() {
        let module = include_str!("../../python/src/eventstore/_library.py");
        for system in ["linux", "macos", "windows"] {
            let runtime = Names::on(system, Version { major: 0, minor: 1 }).runtime;
            assert!(module.contains(&format!("\"{runtime}\"")), "{system}: {runtime}");
        }
    }
}
